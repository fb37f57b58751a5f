// SPDX-License-Identifier: GPL-2.0
/*
 * Which instructions of the guest's access a UART that the switcher may answer
 * for (vmm_core/post.h).
 *
 * Called by the emulator after it has done such an access.  fast.c knows by what
 * is noted here where the next one goes, and what stands at its pc, as long as
 * neither can have changed:
 *
 *  - the address space and its view are the same, and the guest has not fenced
 *    since: so a hart may still use the translation of the device's address;
 *  - no entry of the shadow has changed: so pc is mapped to the same frame, and
 *    its bytes are compared with those that were decoded here.
 */
#include "../vmm_core/vmm.h"
#include "shadow.h"

/* x1, x5 to x7, x10 to x17, x28 to x31: what sw_fast_done loads. */
#define LOADED	(BIT(1) | GENMASK(7, 5) | GENMASK(17, 10) | GENMASK(31, 28))

static bool is_post(const struct umbra_post *post, const struct umbra_insn *insn, u64 gpa)
{
	if (!READ_ONCE(post->lsr) || insn->width != 1)
		return false;
	if (insn->op == UMBRA_OP_LOAD)
		return gpa == post->gpa + UMBRA_POST_LSR &&
		       (!insn->rd || (LOADED & BIT(insn->rd)));
	return insn->op == UMBRA_OP_STORE && gpa == post->gpa + UMBRA_POST_THR;
}

void umbra_mmu_note_post(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			 u64 gva, u64 gpa)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	u64 changes = READ_ONCE(fast->changes);	/* before pc is looked up */
	u64 pc = vcpu->cpu->pc, n;
	bool global;

	if (!is_post(&vcpu->vm->page->post, insn, gpa))
		return;
	/* With M-mode PMP has a say, too. */
	if (vcpu->m || vcpu->cpu->priv != UMBRA_PRIV_S || umbra_stepping(vcpu) ||
	    fast->now == UMBRA_NO_SPACE || offset_in_page(pc) > PAGE_SIZE - 4 ||
	    umbra_gpa_is_memory(vcpu->vm, gpa) || umbra_ioeventfd_at(vcpu->vm, gpa))
		return;
	n = umbra_mmu_exec_gfn(vcpu, pc, &global) - UMBRA_KNOWN_BASE;
	if (n >= fast->readable_nr)
		return;
	fast->post[umbra_post_hash(pc, insn->op == UMBRA_OP_STORE)] = (struct umbra_post_site) {
		.pc = pc,
		.gva = gva,
		.text = (n << PAGE_SHIFT) + offset_in_page(pc),
		.changes = changes,
		.fences = fast->log_nr,
		.view = vcpu->cpu->sstatus & (V_SUM | V_MXR),
		.space = fast->now,
		.raw = insn->raw,
		.imm = insn->imm,
		.cause = insn->op == UMBRA_OP_LOAD ? V_EXC_LOAD_PAGE : V_EXC_STORE_PAGE,
		.len = insn->len,
		.base = insn->rs1,
		.data = insn->op == UMBRA_OP_LOAD ? insn->rd : insn->rs2,
	};
}
