// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's fences: after sfence.vma the shadow holds nothing that the
 * guest's tables do not say (privileged spec, section 10.2.1).
 *
 * A fence of one address compares the path to it in each cached root with
 * guest memory.  A fence of all addresses only empties the roots that it
 * concerns: the pages below are compared when they are linked again.
 *
 * Called by the emulator, and by the vCPU's thread for fences that other harts
 * asked for.
 */
#include "../vmm_core/trace.h"
#include "../vmm_core/vmm.h"
#include "shadow.h"

static void fence_address(struct umbra_vcpu *vcpu, struct shadow_root *root,
			  u64 va)
{
	struct shadow_page *sp = root->page;

	for (;;) {
		unsigned int idx = umbra_va_index(va, sp->role.level);
		u64 now;

		if (!test_bit(idx, sp->used))
			return;
		if (sp->gpt) {
			u64 gfn = sp->role.kind == SHADOW_TABLE ? sp->role.key :
				  sp->role.key & V_SATP_PPN;

			if (shadow_read_gpte(vcpu, (gfn << 12) + 8 * idx, &now) ||
			    now != sp->gpt[idx]) {
				spin_lock(&vcpu->mmu.lock);
				shadow_entry_clear(vcpu, sp, idx);
				spin_unlock(&vcpu->mmu.lock);
				return;
			}
		}
		/* Another thread may clear a leaf, but makes no links. */
		if (shadow_entry_leaf(sp, idx) || !sp->spt[idx])
			return;
		sp = shadow_child(vcpu, sp, idx);
	}
}

void umbra_mmu_fence(struct umbra_vcpu *vcpu, bool all_va, u64 va,
		     bool all_asid, u64 asid)
{
	struct umbra_mmu *mmu = &vcpu->mmu;

	trace_umbra_fence(vcpu->id, all_va ? ~0ULL : va,
			  all_asid ? ~0ULL : asid);
	for (unsigned int i = 0; i < mmu->nr_roots; i++) {
		struct shadow_root *root = &mmu->roots[i];
		u64 root_asid = (root->satp >> V_SATP_ASID_SHIFT) &
				V_SATP_ASID_MASK;

		/* Satp off: nothing of the guest's tables is in there. */
		if (!root->satp)
			continue;
		if (!all_asid && root_asid != (asid & V_SATP_ASID_MASK))
			continue;
		if (all_va)
			root->stale = true;
		else
			fence_address(vcpu, root, va);
	}
	/* Stale roots are emptied when they are loaded: now, for this one. */
	if (all_va)
		umbra_mmu_unload(vcpu);
}
