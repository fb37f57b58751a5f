// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: which gpa is backed by which user address, with the semantics
 * of KVM_SET_USER_MEMORY_REGION.
 *
 * The set of slots, and each slot but for its bitmap, is immutable once
 * published; a change makes every vCPU drop its shadow tables, publishes a new
 * set under vm->lock, waits for readers (SRCU), and frees what it replaced.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../vmm_core/vmm.h"
#include "shadow.h"

/* So many additions share one wait for readers. */
#define SLOTS_PER_WAIT	64

/* Elements of a sorted array that begin at or below @gfn. */
static unsigned int count_up_to(const struct umbra_memslots *slots, u64 gfn)
{
	unsigned int lo = 0, hi = slots ? slots->nr : 0;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (gfn < slots->slot[mid]->gfn)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static struct umbra_memslot *find_gfn(const struct umbra_memslots *slots, u64 gfn)
{
	unsigned int n = count_up_to(slots, gfn);
	struct umbra_memslot *slot = n ? slots->slot[n - 1] : NULL;

	return slot && gfn - slot->gfn < slot->npages ? slot : NULL;
}

struct umbra_memslot *umbra_memslot_find(struct umbra_vm *vm, u64 gfn)
{
	return find_gfn(srcu_dereference(vm->slots, &vm->slots_srcu), gfn);
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
	if (mem->guest_phys_addr + mem->memory_size > 1ULL << UMBRA_GPA_BITS)
		return -EINVAL;
	return 0;
}

/* Does another slot than @was overlap @slot? */
static bool overlaps(struct umbra_memslots *slots, const struct umbra_memslot *was,
		     const struct umbra_memslot *slot)
{
	unsigned int n = count_up_to(slots, slot->gfn + slot->npages - 1);

	/* The array's slots do not overlap each other: two are enough. */
	for (unsigned int seen = 0; n-- && seen < 2; seen++) {
		struct umbra_memslot *s = slots->slot[n];

		if (s != was && slot->gfn < s->gfn + s->npages)
			return true;
	}
	return false;
}

/* The array without @was and with @slot; either may be NULL. */
static struct umbra_memslots *array_with(const struct umbra_memslots *old,
					 const struct umbra_memslot *was,
					 struct umbra_memslot *slot)
{
	unsigned int nr = old ? old->nr : 0, at = 0;
	struct umbra_memslots *new;

	new = kvmalloc(struct_size(new, slot, nr + 1), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	for (unsigned int i = 0; i < nr; i++) {
		if (slot && slot->gfn < old->slot[i]->gfn) {
			new->slot[at++] = slot;
			slot = NULL;
		}
		if (old->slot[i] != was)
			new->slot[at++] = old->slot[i];
	}
	if (slot)
		new->slot[at++] = slot;
	new->nr = at;
	return new;
}

static void free_array(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct umbra_memslots, rcu));
}

/*
 * Publish, and wait until nobody uses the old set or what @was, which changes
 * or goes, mapped.  A slot that only comes takes nothing away (@was is NULL):
 * nobody has to wait, but now and then, so that old arrays do not pile up.
 */
static void publish(struct umbra_vm *vm, struct umbra_memslots *old,
		    struct umbra_memslots *new, const struct umbra_memslot *was)
{
	if (was) {
		/*
		 * While MMU notifiers still find it: nothing may be left of a
		 * slot that they do not find, and nobody may fill it again.
		 */
		umbra_mmu_freeze(vm, 0, ~0UL);
		umbra_sites_invalidate(vm, 0, ~0ULL);
		umbra_mmu_zap_all(vm, 0, ~0ULL);
		umbra_vm_request_all(vm, UMBRA_REQ_MMU_RESET);
	}
	rcu_assign_pointer(vm->slots, new);
	if (!was && new->nr % SLOTS_PER_WAIT) {
		if (old)
			call_srcu(&vm->slots_srcu, &old->rcu, free_array);
		return;
	}
	synchronize_srcu_expedited(&vm->slots_srcu);
	kvfree(old);
	if (was)
		umbra_mmu_thaw(vm, 0, ~0UL);
}

/* What a change may be, once its arguments are sane; KVM's errors. */
static int check_change(struct umbra_vm *vm, struct umbra_memslots *old,
			const struct umbra_memslot *was,
			const struct umbra_memslot *slot)
{
	if (!slot->npages)
		return was ? 0 : -EINVAL;
	/* Only a move or a change of flags (dirty logging). */
	if (was && (was->npages != slot->npages || was->hva != slot->hva ||
		    ((was->flags ^ slot->flags) & KVM_MEM_READONLY)))
		return -EINVAL;
	if (overlaps(old, was, slot) ||
	    umbra_bus__overlaps(vm->bus, slot->gfn << PAGE_SHIFT, slot->npages << PAGE_SHIFT))
		return -EEXIST;
	return 0;
}

/* @slot's own bitmap, or that of the slot it replaces. */
static int get_bitmap(struct umbra_memslot *slot, const struct umbra_memslot *was)
{
	if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return 0;
	if (was && was->dirty)
		slot->dirty = was->dirty;
	else
		slot->dirty = kvcalloc(BITS_TO_LONGS(slot->npages), sizeof(long),
				       GFP_KERNEL_ACCOUNT);
	return slot->dirty ? 0 : -ENOMEM;
}

static void free_slot(struct umbra_memslot *slot, const struct umbra_memslot *heir)
{
	if (!slot)
		return;
	if (!heir || heir->dirty != slot->dirty)
		kvfree(slot->dirty);
	kfree(slot);
}

/* vm->lock held; @slot is new, or NULL where @was only goes. */
static int replace(struct umbra_vm *vm, struct umbra_memslots *old,
		   struct umbra_memslot *was, struct umbra_memslot *slot, u32 id)
{
	struct umbra_memslots *new = array_with(old, was, slot);
	int ret = new ? 0 : -ENOMEM;

	if (!ret && slot)
		ret = xa_err(xa_store(&vm->slots_by_id, id, slot, GFP_KERNEL_ACCOUNT));
	if (ret) {
		kvfree(new);
		return ret;
	}
	if (!slot)
		xa_erase(&vm->slots_by_id, id);
	umbra_vm_slot_hva(vm, was, slot);
	publish(vm, old, new, was);
	free_slot(was, slot);
	return 0;
}

/* Called with vm->lock held. */
int umbra_memslot_set(struct umbra_vm *vm,
		      const struct kvm_userspace_memory_region *mem)
{
	struct umbra_memslot *was, *slot;
	struct umbra_memslots *old;
	int ret = check_region(mem);

	if (ret)
		return ret;
	old = rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->lock));
	was = xa_load(&vm->slots_by_id, mem->slot);
	slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		return -ENOMEM;
	slot->flags = mem->flags;
	slot->gfn = mem->guest_phys_addr >> PAGE_SHIFT;
	slot->npages = mem->memory_size >> PAGE_SHIFT;
	slot->hva = mem->userspace_addr;
	ret = check_change(vm, old, was, slot);
	if (ret || (was && slot->npages && was->gfn == slot->gfn && was->flags == slot->flags)) {
		kfree(slot);
		return ret;
	}
	if (!slot->npages) {
		kfree(slot);
		return replace(vm, old, was, NULL, mem->slot);
	}
	ret = get_bitmap(slot, was);
	if (!ret)
		ret = replace(vm, old, was, slot, mem->slot);
	if (ret)
		free_slot(slot, was);
	return ret;
}

/* The slot, if it is logged; vm->lock held. */
static struct umbra_memslot *logged_slot(struct umbra_vm *vm, u32 id)
{
	struct umbra_memslot *slot;

	if (id >= UMBRA_SLOT_IDS)
		return ERR_PTR(-EINVAL);
	slot = xa_load(&vm->slots_by_id, id);
	return slot && slot->dirty ? slot : ERR_PTR(-ENOENT);
}

/*
 * Copy out and clear, as KVM_GET_DIRTY_LOG does; vm->lock held.  After
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 it only copies.
 */
int umbra_memslot_dirty_log(struct umbra_vm *vm, struct kvm_dirty_log *log)
{
	struct umbra_memslot *slot = logged_slot(vm, log->slot);
	unsigned long __user *to = log->dirty_bitmap;
	unsigned long n;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	/* Rewritten text of the slot is restored and reported in this call. */
	umbra_sites_invalidate(vm, slot->gfn, slot->gfn + slot->npages - 1);
	n = BITS_TO_LONGS(slot->npages);
	if (vm->manual_dirty_log)
		return copy_to_user(to, slot->dirty, n * sizeof(long)) ? -EFAULT : 0;
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

/* KVM_CLEAR_DIRTY_LOG; vm->lock held. */
int umbra_memslot_clear_dirty(struct umbra_vm *vm, const struct kvm_clear_dirty_log *log)
{
	const unsigned long __user *from = log->dirty_bitmap;
	struct umbra_memslot *slot;
	unsigned long first, n;
	bool cleared = false;
	int ret = 0;
	u64 rest;

	if (log->slot < UMBRA_SLOT_IDS && (log->first_page & 63))
		return -EINVAL;
	slot = logged_slot(vm, log->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (log->first_page > slot->npages)
		return -EINVAL;
	rest = slot->npages - log->first_page;
	if (log->num_pages > rest || (log->num_pages < rest && (log->num_pages & 63)))
		return -EINVAL;
	if (!log->num_pages)
		return 0;
	/* What is read after this call is the guest's own text. */
	umbra_sites_invalidate(vm, slot->gfn + log->first_page,
			       slot->gfn + log->first_page + log->num_pages - 1);
	first = log->first_page / BITS_PER_LONG;
	n = BITS_TO_LONGS(log->num_pages);
	for (unsigned long i = 0; i < n && !ret; i++) {
		atomic_long_t *bits = (atomic_long_t *)&slot->dirty[first + i];
		unsigned long mask;

		if (get_user(mask, from + i))
			ret = -EFAULT;
		else if (mask & atomic_long_fetch_andnot(mask, bits))
			cleared = true;
	}
	/* Write-protect again: the next store to each page is seen. */
	if (cleared)
		umbra_vm_request_all(vm, UMBRA_REQ_MMU_RESET);
	return ret;
}

/* The VM goes, and is on no list any more. */
void umbra_memslots_free(struct umbra_vm *vm)
{
	struct umbra_memslots *slots = rcu_dereference_protected(vm->slots, true);

	srcu_barrier(&vm->slots_srcu);
	for (unsigned int i = 0; slots && i < slots->nr; i++)
		free_slot(slots->slot[i], NULL);
	kvfree(slots);
	RCU_INIT_POINTER(vm->slots, NULL);
	xa_destroy(&vm->slots_by_id);
}
