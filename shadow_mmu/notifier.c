// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: the host takes guest memory away (swap, migration, THP, KSM,
 * madvise, mprotect, munmap) and Umbra lets go of it first.
 *
 * Order, in invalidate_range_start: announce (freeze), put back rewritten text,
 * clear every leaf of the range in every vCPU and what is known of its frames,
 * and wait until each vCPU has left the guest, so that no TLB holds them (each
 * entry begins with a fence).  A fill in between sees that it is frozen or the
 * changed mn_seq and gives up.
 */
#include <linux/mmu_notifier.h>

#include "../vmm_core/vmm.h"
#include "shadow.h"

static struct umbra_vm *mn_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct umbra_vm, mn);
}

static void zap_slot_range(struct umbra_vm *vm, struct umbra_memslot *slot,
			   unsigned long start, unsigned long end)
{
	unsigned long slot_end = slot->hva + (slot->npages << PAGE_SHIFT);
	u64 first, last;

	start = max(start, slot->hva);
	end = min(end, slot_end);
	if (start >= end)
		return;
	first = slot->gfn + ((start - slot->hva) >> PAGE_SHIFT);
	last = slot->gfn + ((end - 1 - slot->hva) >> PAGE_SHIFT);
	umbra_sites_invalidate(vm, first, last);
	umbra_mmu_zap_all(vm, first, last);
}

void umbra_mmu_freeze(struct umbra_vm *vm)
{
	spin_lock(&vm->mn_lock);
	WRITE_ONCE(vm->page->frozen, vm->page->frozen + 1);
	spin_unlock(&vm->mn_lock);
}

void umbra_mmu_thaw(struct umbra_vm *vm)
{
	spin_lock(&vm->mn_lock);
	WRITE_ONCE(vm->mn_seq, vm->mn_seq + 1);
	smp_wmb();	/* the sequence first: see install() */
	WRITE_ONCE(vm->page->frozen, vm->page->frozen - 1);
	spin_unlock(&vm->mn_lock);
}

static int invalidate_start(struct mmu_notifier *mn,
			    const struct mmu_notifier_range *range)
{
	struct umbra_vm *vm = mn_vm(mn);
	struct umbra_memslots *slots;
	int srcu;

	umbra_mmu_freeze(vm);
	srcu = srcu_read_lock(&vm->slots_srcu);
	slots = srcu_dereference(vm->slots, &vm->slots_srcu);
	for (unsigned int i = 0; slots && i < slots->nr; i++)
		zap_slot_range(vm, slots->slot[i], range->start, range->end);
	srcu_read_unlock(&vm->slots_srcu, srcu);

	for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus); i++)
		umbra_vcpu_kick_wait(vm->vcpu_list[i]);
	return 0;
}

static void invalidate_end(struct mmu_notifier *mn,
			   const struct mmu_notifier_range *range)
{
	umbra_mmu_thaw(mn_vm(mn));
}

static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct umbra_vm *vm = mn_vm(mn);

	/* For good: the memory is going away. */
	umbra_mmu_freeze(vm);
	umbra_sites_invalidate(vm, 0, ~0ULL);
	umbra_known_clear(vm, 0, ~0ULL);
	umbra_vm_request_all(vm, UMBRA_REQ_MMU_RESET);
}

static const struct mmu_notifier_ops mn_ops = {
	.invalidate_range_start = invalidate_start,
	.invalidate_range_end = invalidate_end,
	.release = release,
};

int umbra_mn_register(struct umbra_vm *vm)
{
	vm->mn.ops = &mn_ops;
	return mmu_notifier_register(&vm->mn, vm->mm);
}

void umbra_mn_unregister(struct umbra_vm *vm)
{
	mmu_notifier_unregister(&vm->mn, vm->mm);
}
