// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_GUEST_DEBUG: a debugger in user space watches the guest.
 *
 * With software breakpoints every ebreak of the guest's memory ends KVM_RUN;
 * those that Umbra's rewriting put there do not count.
 *
 * A single step executes the instruction at pc out of line: a page of the
 * switcher's slot, which only this vCPU has, holds a copy of it and a c.ebreak
 * behind.  The guest's own text, which other vCPUs execute, is left alone.  What
 * depends on pc is carried out here, what is privileged by emulate.c.  Every
 * way out of the guest puts pc back first (umbra_step_leave()), so the rest of
 * the run loop never sees where the instruction really was; if it has not been
 * executed yet, say because a page had to be mapped, the next round lays it out
 * anew.
 *
 * A step ends when the instruction is complete, or when a trap, an interrupt
 * included, has taken the guest to its handler: as dcsr.step of the debug
 * specification with dcsr.stepie set.  Then vcpu->stepped is set, and the run
 * loop returns KVM_EXIT_DEBUG.
 */
#include <linux/uaccess.h>

#include "branch.h"
#include "vmm.h"

#define C_EBREAKS	4	/* behind the instruction, whatever its length really is */

int umbra_set_guest_debug(struct umbra_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	u32 control = dbg->control & KVM_GUESTDBG_ENABLE ? dbg->control : 0;

	if ((control & KVM_GUESTDBG_SINGLESTEP) && !vcpu->step_page) {
		vcpu->step_page = (u16 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!vcpu->step_page)
			return -ENOMEM;
	}
	vcpu->guest_debug = control;
	vcpu->stepped = false;
	umbra_mmu_map_step(vcpu, umbra_stepping(vcpu) ? vcpu->step_page : NULL);
	return 0;
}

/* The guest's own ebreak is at pc.  True: user space is told, pc stays. */
bool umbra_debug_ebreak(struct umbra_vcpu *vcpu)
{
	if (!vcpu->guest_debug)
		return false;
	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	return true;
}

/* --- single steps ---------------------------------------------------------------- */

bool umbra_step_report(struct umbra_vcpu *vcpu)
{
	if (!vcpu->stepped)
		return false;
	vcpu->stepped = false;
	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	return true;
}

static void lay_out(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	u16 *at = vcpu->step_page;

	*at++ = insn->raw;
	if (insn->len == 4)
		*at++ = insn->raw >> 16;
	for (int i = 0; i < C_EBREAKS; i++)
		*at++ = UMBRA_C_EBREAK;
	vcpu->fence_i = true;
	vcpu->step_len = insn->len;
}

int umbra_step_begin(struct umbra_vcpu *vcpu)
{
	struct umbra_cpu *cpu = vcpu->cpu;
	struct umbra_insn insn;
	u32 raw;
	int ret;
	u64 pc;

	vcpu->step_len = 0;
	cpu->pc &= ~1ULL;
	pc = cpu->pc;
	ret = umbra_fetch(vcpu, &raw);
	if (ret)
		return ret;
	ret = UMBRA_RESUME;
	umbra_decode(raw, &insn);
	if (umbra_branch(raw, cpu->gpr, &cpu->pc)) {
		/* It may well lead to where it stands. */
		vcpu->stepped = true;
	} else if (insn.op == UMBRA_OP_EBREAK) {
		umbra_debug_ebreak(vcpu);
		ret = 0;
	} else if (insn.op == UMBRA_OP_ECALL) {
		/* Not complete if user space has to serve it. */
		ret = umbra_ecall(vcpu);
		umbra_step_moved(vcpu, pc);
	} else if (umbra_site_wanted(&insn)) {
		ret = umbra_emulate_system(vcpu, &insn);
		vcpu->stepped = true;
	} else {
		lay_out(vcpu, &insn);
	}
	return ret;
}

void umbra_step_enter(struct umbra_vcpu *vcpu)
{
	if (!vcpu->step_len)
		return;
	vcpu->step_pc = vcpu->cpu->pc;
	vcpu->cpu->pc = umbra_mmu_step_va(vcpu);
	/* The switcher would tell the guest where it was. */
	vcpu->mmu.fast->reflect = 0;
}

void umbra_step_leave(struct umbra_vcpu *vcpu)
{
	u64 done = vcpu->cpu->pc - umbra_mmu_step_va(vcpu);

	if (!vcpu->step_len)
		return;
	vcpu->cpu->pc = vcpu->step_pc;
	if (done == vcpu->step_len) {
		vcpu->cpu->pc += vcpu->step_len;
		vcpu->stepped = true;
	}
	vcpu->step_len = 0;
}
