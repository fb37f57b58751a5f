// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's fences: after sfence.vma the shadow holds nothing that the
 * guest's tables do not say (privileged spec, section 10.2.1).
 *
 * A fence acts at once on the address space in use, and is logged; the others
 * catch up when they come into use.  A fence of one address compares the path
 * to it with guest memory.  A fence of all addresses only empties the roots:
 * the pages below are compared when they are linked again.
 *
 * Called by the emulator, and by the vCPU's thread for fences that other harts
 * asked for; fast.c does what is simple itself.
 */
#include "../vmm_core/trace.h"
#include "../vmm_core/vmm.h"
#include "shadow.h"

static void fence_address(struct umbra_vcpu *vcpu, struct shadow_page *sp, u64 va)
{
	for (;;) {
		unsigned int idx = umbra_va_index(va, sp->role.level);
		u64 now;

		if (!shadow_used(sp, idx))
			return;
		if (sp->gpt) {
			u64 gfn = shadow_table_gfn(&sp->role);

			if (shadow_read_gpte(vcpu, (gfn << 12) + 8 * idx, &now) ||
			    now != sp->gpt[idx]) {
				umbra_mmu_lock(&vcpu->mmu);
				shadow_entry_clear(vcpu, sp, idx);
				umbra_mmu_unlock(&vcpu->mmu);
				return;
			}
		}
		/* Another thread may clear a leaf, but makes no links. */
		if (shadow_entry_leaf(sp, idx) || !sp->spt[idx])
			return;
		sp = shadow_child(vcpu, sp, idx);
	}
}

void shadow_space_fence(struct umbra_vcpu *vcpu, struct umbra_space *space, u64 va)
{
	for (int view = 0; view < UMBRA_VIEWS; view++)
		if (space->hw[view])
			fence_address(vcpu, vcpu->mmu.pages[space->root[view]], va);
}

/* All of it; and its pages, too, if they have become a burden to fast.c. */
static void clear(struct umbra_vcpu *vcpu, struct umbra_space *space)
{
	if (space->compared > UMBRA_COMPARE_ENOUGH) {
		space->compared = 0;
		shadow_space_wipe(vcpu, space);
	}
	shadow_space_clear(vcpu, space);
}

static void apply(struct umbra_vcpu *vcpu, struct umbra_space *space,
		  const struct umbra_logged_fence *fence)
{
	if (!umbra_fence_hits(fence, space->satp))
		return;
	if (fence->all_va && fence->all_asid)
		clear(vcpu, space);
	else if (fence->all_va)
		shadow_space_clear_private(vcpu, space);
	else
		shadow_space_fence(vcpu, space, fence->va);
}

void shadow_space_replay(struct umbra_vcpu *vcpu, struct umbra_space *space)
{
	struct umbra_fast *fast = vcpu->mmu.fast;

	if (fast->log_nr - space->seen > UMBRA_FENCE_LOG ||
	    space->flips != fast->flips) {
		if (space->satp)
			clear(vcpu, space);
		space->seen = fast->log_nr;
	}
	for (; space->seen != fast->log_nr; space->seen++)
		apply(vcpu, space, &fast->log[space->seen % UMBRA_FENCE_LOG]);
}

void umbra_mmu_fence(struct umbra_vcpu *vcpu, bool all_va, u64 va,
		     bool all_asid, u64 asid)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	struct umbra_space *space = shadow_space_now(vcpu);
	struct umbra_logged_fence *fence =
		&fast->log[fast->log_nr++ % UMBRA_FENCE_LOG];

	trace_umbra_fence(vcpu->id, all_va ? ~0ULL : va,
			  all_asid ? ~0ULL : asid);
	*fence = (struct umbra_logged_fence) {
		.va = va, .asid = asid & V_SATP_ASID_MASK,
		.all_va = all_va, .all_asid = all_asid,
	};
	if (space)
		apply(vcpu, space, fence);
}
