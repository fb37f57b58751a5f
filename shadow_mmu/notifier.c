// SPDX-License-Identifier: GPL-2.0
/*
 * MMU notifiers: the host takes guest memory away (swap, migration, THP, KSM,
 * madvise, mprotect, munmap) and Umbra lets go of it first.
 *
 * Order, in invalidate_range_start: announce (freeze), put back rewritten text,
 * clear every leaf of the range in every vCPU and what is known of its frames,
 * and wait until each vCPU has left the guest, so that no TLB holds them (each
 * entry begins with a fence).  A fill of the same memory sees that it is frozen,
 * or that it was since it looked at the host's mapping, and gives up; other fills
 * go on.
 *
 * Ranges are of user memory: a slot that comes meanwhile changes nothing then.
 */
#include <linux/mmu_notifier.h>

#include "../vmm_core/vmm.h"
#include "shadow.h"

static struct umbra_vm *mn_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct umbra_vm, mn);
}

/* False: none of the slot is in there. */
static bool zap_slot_range(struct umbra_vm *vm, struct umbra_memslot *slot,
			   unsigned long start, unsigned long end)
{
	unsigned long slot_end = slot->hva + (slot->npages << PAGE_SHIFT);
	u64 first, last;

	start = max(start, slot->hva);
	end = min(end, slot_end);
	if (start >= end)
		return false;
	first = slot->gfn + ((start - slot->hva) >> PAGE_SHIFT);
	last = slot->gfn + ((end - 1 - slot->hva) >> PAGE_SHIFT);
	umbra_sites_invalidate(vm, first, last);
	umbra_mmu_zap_all(vm, first, last);
	return true;
}

/* --- what is under way --------------------------------------------------------- */

void umbra_mn_init(struct umbra_vm *vm)
{
	spin_lock_init(&vm->inv.lock);
	init_waitqueue_head(&vm->inv.wait);
}

void umbra_mmu_freeze(struct umbra_vm *vm, unsigned long first, unsigned long last)
{
	struct umbra_invalidations *inv = &vm->inv;

	spin_lock(&inv->lock);
	if (inv->nr < UMBRA_MN_ACTIVE)
		inv->active[inv->nr++] = (struct umbra_mn_range) { first, last };
	else
		inv->others++;
	WRITE_ONCE(vm->page->frozen, vm->page->frozen + 1);
	spin_unlock(&inv->lock);
}

/* Of those with the same range it does not matter which; lock held. */
static void forget_active(struct umbra_invalidations *inv, unsigned long first,
			  unsigned long last)
{
	for (unsigned int i = 0; i < inv->nr; i++) {
		if (inv->active[i].first == first && inv->active[i].last == last) {
			inv->active[i] = inv->active[--inv->nr];
			return;
		}
	}
	inv->others--;
}

void umbra_mmu_thaw(struct umbra_vm *vm, unsigned long first, unsigned long last)
{
	struct umbra_invalidations *inv = &vm->inv;

	spin_lock(&inv->lock);
	forget_active(inv, first, last);
	inv->log[inv->seq % UMBRA_MN_LOG] = (struct umbra_mn_range) { first, last };
	WRITE_ONCE(inv->seq, inv->seq + 1);
	smp_wmb();	/* the sequence first: see umbra_mn_quiet() */
	WRITE_ONCE(vm->page->frozen, vm->page->frozen - 1);
	spin_unlock(&inv->lock);
	if (wq_has_sleeper(&inv->wait))
		wake_up_all(&inv->wait);
}

unsigned long umbra_mn_begin(struct umbra_vm *vm)
{
	unsigned long seq = READ_ONCE(vm->inv.seq);

	smp_rmb();	/* before the host's mapping, which changes before the thaw */
	return seq;
}

bool umbra_mn_quiet(struct umbra_vm *vm, unsigned long seq)
{
	if (READ_ONCE(vm->page->frozen))
		return false;
	smp_rmb();	/* pairs with the barrier of umbra_mmu_thaw() */
	return READ_ONCE(vm->inv.seq) == seq;
}

static bool meet(const struct umbra_mn_range *range, unsigned long first,
		 unsigned long last)
{
	return range->first <= last && range->last >= first;
}

/* Lock held. */
static bool any_active(const struct umbra_invalidations *inv, unsigned long first,
		       unsigned long last)
{
	for (unsigned int i = 0; i < inv->nr; i++)
		if (meet(&inv->active[i], first, last))
			return true;
	return inv->others;
}

bool umbra_mn_busy(struct umbra_vm *vm, unsigned long first, unsigned long last)
{
	bool busy;

	if (!READ_ONCE(vm->page->frozen))
		return false;
	spin_lock(&vm->inv.lock);
	busy = any_active(&vm->inv, first, last);
	spin_unlock(&vm->inv.lock);
	return busy;
}

bool umbra_mn_retry(struct umbra_vm *vm, unsigned long first, unsigned long last,
		    unsigned long seq)
{
	struct umbra_invalidations *inv = &vm->inv;
	bool retry;

	if (umbra_mn_quiet(vm, seq))
		return false;
	spin_lock(&inv->lock);
	retry = inv->seq - seq > UMBRA_MN_LOG || any_active(inv, first, last);
	for (; !retry && seq != inv->seq; seq++)
		retry = meet(&inv->log[seq % UMBRA_MN_LOG], first, last);
	spin_unlock(&inv->lock);
	return retry;
}

void umbra_mn_wait(struct umbra_vm *vm, unsigned long first, unsigned long last)
{
	/* A signal: the run loop sees it, and comes back if it goes on. */
	wait_event_interruptible(vm->inv.wait, !umbra_mn_busy(vm, first, last));
}

/* --- the notifier -------------------------------------------------------------- */

static int invalidate_start(struct mmu_notifier *mn,
			    const struct mmu_notifier_range *range)
{
	struct umbra_vm *vm = mn_vm(mn);
	struct umbra_memslots *slots;
	bool any = false;
	int srcu;

	umbra_mmu_freeze(vm, range->start, range->end - 1);
	srcu = srcu_read_lock(&vm->slots_srcu);
	slots = srcu_dereference(vm->slots, &vm->slots_srcu);
	for (unsigned int i = 0; slots && i < slots->nr; i++)
		any |= zap_slot_range(vm, slots->slot[i], range->start, range->end);
	srcu_read_unlock(&vm->slots_srcu, srcu);

	/* The process has other memory, too. */
	for (unsigned int i = 0; any && i < READ_ONCE(vm->nr_vcpus); i++)
		umbra_vcpu_kick_wait(vm->vcpu_list[i]);
	return 0;
}

static void invalidate_end(struct mmu_notifier *mn,
			   const struct mmu_notifier_range *range)
{
	umbra_mmu_thaw(mn_vm(mn), range->start, range->end - 1);
}

static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct umbra_vm *vm = mn_vm(mn);

	/* For good: the memory is going away. */
	umbra_mmu_freeze(vm, 0, ~0UL);
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
