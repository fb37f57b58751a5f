// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: which gpa is backed by which user address, with the semantics
 * of KVM_SET_USER_MEMORY_REGION.
 *
 * The set of slots is immutable once published; a change publishes a new set
 * under vm->lock, makes every vCPU drop its shadow tables, and waits for
 * readers (SRCU) before the old one goes.
 */
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "../vmm_core/vmm.h"
#include "shadow.h"

struct umbra_memslot *umbra_memslot_find(struct umbra_vm *vm, u64 gfn)
{
	struct umbra_memslots *slots =
		srcu_dereference(vm->slots, &vm->slots_srcu);
	unsigned int lo = 0, hi = slots ? slots->nr : 0;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		struct umbra_memslot *slot = &slots->slot[mid];

		if (gfn < slot->gfn)
			hi = mid;
		else if (gfn - slot->gfn >= slot->npages)
			lo = mid + 1;
		else
			return slot;
	}
	return NULL;
}

void umbra_mark_dirty(struct umbra_vm *vm, u64 gfn)
{
	struct umbra_memslot *slot;
	int srcu = srcu_read_lock(&vm->slots_srcu);

	slot = umbra_memslot_find(vm, gfn);
	if (slot && slot->dirty)
		set_bit(gfn - slot->gfn, slot->dirty);
	srcu_read_unlock(&vm->slots_srcu, srcu);
}

static int cmp_slot(const void *a, const void *b)
{
	const struct umbra_memslot *x = a, *y = b;

	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

/* What KVM checks, in its order, with its errors. */
static int check_region(const struct kvm_userspace_memory_region *mem)
{
	if (mem->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	if ((mem->slot & 0xffff) >= UMBRA_SLOT_IDS || mem->slot >> 16)
		return -EINVAL;
	if ((mem->memory_size | mem->guest_phys_addr | mem->userspace_addr) &
	    (PAGE_SIZE - 1))
		return -EINVAL;
	if (!access_ok((void __user *)(unsigned long)mem->userspace_addr,
		       mem->memory_size))
		return -EINVAL;
	if (mem->guest_phys_addr + mem->memory_size < mem->guest_phys_addr)
		return -EINVAL;
	if (mem->memory_size >> PAGE_SHIFT > (1UL << 31) - 1)
		return -EINVAL;
	/* Physical addresses have 56 bits (Sv39, Sv48, Sv57). */
	if (mem->guest_phys_addr + mem->memory_size > 1ULL << 56)
		return -EINVAL;
	return 0;
}

static struct umbra_memslot *find_id(struct umbra_memslots *slots, u32 id)
{
	for (unsigned int i = 0; slots && i < slots->nr; i++)
		if (slots->slot[i].id == id)
			return &slots->slot[i];
	return NULL;
}

static bool overlaps(struct umbra_memslots *slots, u32 id, u64 gfn, u64 npages)
{
	for (unsigned int i = 0; slots && i < slots->nr; i++) {
		struct umbra_memslot *s = &slots->slot[i];

		if (s->id != id && gfn < s->gfn + s->npages &&
		    s->gfn < gfn + npages)
			return true;
	}
	return false;
}

/* Publish, and wait until nobody uses the old set or what it mapped. */
static void publish(struct umbra_vm *vm, struct umbra_memslots *new)
{
	rcu_assign_pointer(vm->slots, new);
	synchronize_srcu(&vm->slots_srcu);
	umbra_mmu_freeze(vm);
	umbra_sites_invalidate(vm, 0, ~0ULL);
	umbra_known_clear(vm, 0, ~0ULL);
	umbra_vm_request_all(vm, UMBRA_REQ_MMU_RESET);
	umbra_mmu_thaw(vm);
}

/* Called with vm->lock held. */
int umbra_memslot_set(struct umbra_vm *vm,
		      const struct kvm_userspace_memory_region *mem)
{
	struct umbra_memslots *old, *new;
	struct umbra_memslot *was;
	struct umbra_memslot slot = { .id = mem->slot, .flags = mem->flags };
	unsigned long *unused = NULL;
	unsigned int nr = 0;
	int ret = check_region(mem);

	if (ret)
		return ret;
	slot.gfn = mem->guest_phys_addr >> PAGE_SHIFT;
	slot.npages = mem->memory_size >> PAGE_SHIFT;
	slot.hva = mem->userspace_addr;

	old = rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->lock));
	was = find_id(old, slot.id);
	if (!slot.npages) {
		if (!was)
			return -EINVAL;
	} else if (was) {
		/* Only a move or a change of flags (dirty logging). */
		if (was->npages != slot.npages || was->hva != slot.hva ||
		    ((was->flags ^ slot.flags) & KVM_MEM_READONLY))
			return -EINVAL;
		if (was->gfn == slot.gfn && was->flags == slot.flags)
			return 0;
	}
	if (slot.npages && overlaps(old, slot.id, slot.gfn, slot.npages))
		return -EEXIST;
	if (slot.npages && umbra_bus__overlaps(vm->bus, mem->guest_phys_addr,
					       mem->memory_size))
		return -EEXIST;
	if (slot.npages && !was)
		umbra_vm_note_aliases(vm, slot.hva, mem->memory_size);

	if (slot.npages && (slot.flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		if (was && was->dirty)
			slot.dirty = was->dirty;
		else
			slot.dirty = kvcalloc(BITS_TO_LONGS(slot.npages),
					      sizeof(long), GFP_KERNEL_ACCOUNT);
		if (!slot.dirty)
			return -ENOMEM;
	}
	if (was && was->dirty && was->dirty != slot.dirty)
		unused = was->dirty;

	new = kvzalloc(struct_size(new, slot, (old ? old->nr : 0) + 1),
		       GFP_KERNEL_ACCOUNT);
	if (!new) {
		if (!was || slot.dirty != was->dirty)
			kvfree(slot.dirty);
		return -ENOMEM;
	}
	for (unsigned int i = 0; old && i < old->nr; i++)
		if (old->slot[i].id != slot.id)
			new->slot[nr++] = old->slot[i];
	if (slot.npages)
		new->slot[nr++] = slot;
	new->nr = nr;
	sort(new->slot, nr, sizeof(new->slot[0]), cmp_slot, NULL);
	publish(vm, new);
	kvfree(unused);
	kvfree(old);
	return 0;
}

/* Copy out and clear, as KVM_GET_DIRTY_LOG does; vm->lock held. */
int umbra_memslot_dirty_log(struct umbra_vm *vm, struct kvm_dirty_log *log)
{
	struct umbra_memslots *slots =
		rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->lock));
	struct umbra_memslot *slot = find_id(slots, log->slot);
	unsigned long __user *to = log->dirty_bitmap;
	unsigned long n;

	if (log->slot >= UMBRA_SLOT_IDS)
		return -EINVAL;
	if (!slot || !slot->dirty)
		return -ENOENT;
	/* Rewritten text of the slot is restored and reported in this call. */
	umbra_sites_invalidate(vm, slot->gfn, slot->gfn + slot->npages - 1);
	n = BITS_TO_LONGS(slot->npages);
	for (unsigned long i = 0; i < n; i++) {
		unsigned long bits = xchg(&slot->dirty[i], 0);

		if (put_user(bits, to + i)) {
			for (unsigned int b = 0; b < BITS_PER_LONG; b++)
				if (bits & BIT(b))
					set_bit(i * BITS_PER_LONG + b, slot->dirty);
			return -EFAULT;
		}
	}
	/* Write-protect again: the next store to each page is seen. */
	umbra_vm_request_all(vm, UMBRA_REQ_MMU_RESET);
	return 0;
}

void umbra_memslots_free(struct umbra_vm *vm)
{
	struct umbra_memslots *slots = rcu_dereference_protected(vm->slots, true);

	for (unsigned int i = 0; slots && i < slots->nr; i++)
		kvfree(slots->slot[i].dirty);
	kvfree(slots);
	RCU_INIT_POINTER(vm->slots, NULL);
}
