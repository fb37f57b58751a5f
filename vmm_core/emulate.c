// SPDX-License-Identifier: GPL-2.0
/*
 * Privileged instructions, in C: the reference that the switcher's stubs are
 * a faster copy of.
 *
 * Called by the run loop with the instruction that trapped (as illegal, or as
 * the breakpoint that stands for it).  Either the instruction is carried out
 * and pc advanced, or an exception is raised in the guest at pc.
 */
#include <asm/timex.h>

#include "trace.h"
#include "vmm.h"

void umbra_inject_illegal(struct umbra_vcpu *vcpu, u32 raw)
{
	umbra_inject(vcpu, V_EXC_ILLEGAL, raw);
}

static int illegal(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	umbra_inject_illegal(vcpu, insn->raw);
	return UMBRA_RESUME;
}

static void set_rd(struct umbra_vcpu *vcpu, unsigned int rd, u64 val)
{
	if (rd)
		vcpu->cpu->gpr[rd] = val;
}

static int done(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	vcpu->cpu->pc += insn->len;
	return UMBRA_RESUME;
}

/* --- CSRs ------------------------------------------------------------------------ */

bool umbra_csr_legal(struct umbra_vcpu *vcpu, u16 csr, bool write)
{
	if (vcpu->m)
		return umbra_machine_csr_legal(vcpu->m, vcpu->cpu, csr, write);
	return umbra_cpu_csr_legal(vcpu->cpu, csr, write);
}

/* Counters, as far as the privilege rules let this one be read. */
static int read_counter(struct umbra_vcpu *vcpu, u16 csr, u64 *val)
{
	if ((vcpu->m || csr != VCSR_SCOUNTOVF) && !umbra_cpu_counter_legal(vcpu->cpu, csr))
		return -ENOENT;
	if (csr == VCSR_TIME) {
		*val = umbra_guest_time(vcpu);
		return 0;
	}
	if (!vcpu->m)
		return umbra_pmu_read(vcpu, csr, val) ? 0 : -ENOENT;
	if (csr == VCSR_CYCLE || csr == VCSR_INSTRET)
		return umbra_csr_get(vcpu, csr - VCSR_CYCLE + VCSR_MCYCLE, val);
	*val = 0;
	return 0;
}

int umbra_csr_get(struct umbra_vcpu *vcpu, u16 csr, u64 *val)
{
	if (vcpu->m)
		return umbra_machine_csr_read(vcpu->m, vcpu->cpu, &vcpu->feat,
					      csr, umbra_guest_time(vcpu), val);
	return umbra_cpu_csr_read(vcpu->cpu, &vcpu->feat, csr, val);
}

static int read_any_csr(struct umbra_vcpu *vcpu, u16 csr, u64 *val)
{
	if (umbra_csr_get(vcpu, csr, val) == 0)
		return 0;
	return read_counter(vcpu, csr, val);
}

/* What a write of a machine CSR means outside the register file. */
static void machine_changed(struct umbra_vcpu *vcpu, unsigned int changes)
{
	if (changes & UMBRA_MCHANGE_VIEW)
		umbra_mmu_unload(vcpu);
	if (changes & UMBRA_MCHANGE_HOT)
		vcpu->mmu.forget = true;
	if (changes & UMBRA_MCHANGE_PMP)
		umbra_mmu_reset(vcpu);
	if (changes & UMBRA_MCHANGE_TIMER)
		umbra_timer_update(vcpu);
}

/* What a CSR write means outside the register itself. */
static void csr_written(struct umbra_vcpu *vcpu, u16 csr)
{
	switch (csr) {
	case VCSR_SATP:
	case VCSR_SSTATUS:
		umbra_mmu_unload(vcpu);
		break;
	case VCSR_STIMECMP:
		umbra_timer_update(vcpu);
		break;
	}
}

int umbra_csr_set(struct umbra_vcpu *vcpu, u16 csr, u64 val)
{
	unsigned int changes = 0;
	int ret;

	if (vcpu->m)
		ret = umbra_machine_csr_write(vcpu->m, vcpu->cpu, &vcpu->feat,
					      csr, umbra_guest_time(vcpu), val,
					      &changes);
	else
		ret = umbra_cpu_csr_write(vcpu->cpu, &vcpu->feat, csr, val);
	if (ret)
		return ret;
	machine_changed(vcpu, changes);
	csr_written(vcpu, csr);
	return 0;
}

static bool csr_op_writes(const struct umbra_insn *insn)
{
	return insn->op == UMBRA_OP_CSRRW || insn->op == UMBRA_OP_CSRRWI ||
	       insn->rs1;
}

static u64 csr_new_value(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			 u64 old)
{
	switch (insn->op) {
	case UMBRA_OP_CSRRW:
		return vcpu->cpu->gpr[insn->rs1];
	case UMBRA_OP_CSRRS:
		return old | vcpu->cpu->gpr[insn->rs1];
	case UMBRA_OP_CSRRC:
		return old & ~vcpu->cpu->gpr[insn->rs1];
	case UMBRA_OP_CSRRWI:
		return insn->rs1;
	case UMBRA_OP_CSRRSI:
		return old | insn->rs1;
	default:
		return old & ~(u64)insn->rs1;
	}
}

static int emulate_csr(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	bool write = csr_op_writes(insn);
	u64 old = 0;

	umbra_count(vcpu, UMBRA_STAT_EMUL_CSR);
	if (!umbra_csr_legal(vcpu, insn->csr, write))
		return illegal(vcpu, insn);
	if (read_any_csr(vcpu, insn->csr, &old))
		return illegal(vcpu, insn);
	if (write) {
		u64 base = vcpu->m ? umbra_machine_csr_base(vcpu->cpu, insn->csr,
							    old) : old;

		if (umbra_csr_set(vcpu, insn->csr, csr_new_value(vcpu, insn, base)))
			return illegal(vcpu, insn);
	}
	set_rd(vcpu, insn->rd, old);
	return done(vcpu, insn);
}

/* --- the others -------------------------------------------------------------------- */

static int emulate_fence(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	const u64 *gpr = vcpu->cpu->gpr;

	umbra_count(vcpu, UMBRA_STAT_EMUL_FENCE);
	umbra_mmu_fence(vcpu, !insn->rs1, gpr[insn->rs1],
			!insn->rs2, gpr[insn->rs2]);
	return done(vcpu, insn);
}

/* Something is pending, enabled in sie or not seen yet (section 3.3.3). */
bool umbra_wfi_ready(struct umbra_vcpu *vcpu)
{
	u64 sip = vcpu->cpu->sip | atomic_long_read(&vcpu->pins);

	return umbra_irq_enabled(vcpu, sip) || READ_ONCE(vcpu->requests);
}

void umbra_vcpu_halt(struct umbra_vcpu *vcpu)
{
	if (umbra_wfi_ready(vcpu))
		return;
	umbra_count(vcpu, UMBRA_STAT_HALT);
	if (umbra_timer_wait(vcpu))
		return;
	umbra_timer_halt(vcpu);
	umbra_vcpu_put(vcpu);
	/* A signal ends the wait; the run loop then returns to user space. */
	rcuwait_wait_event(&vcpu->wait, umbra_wfi_ready(vcpu), TASK_INTERRUPTIBLE);
	umbra_vcpu_load(vcpu);
}

static int emulate_wfi(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	umbra_count(vcpu, UMBRA_STAT_EMUL_WFI);
	done(vcpu, insn);
	/* The debug specification: a step treats it as a nop. */
	if (!umbra_stepping(vcpu))
		umbra_vcpu_halt(vcpu);
	return UMBRA_RESUME;
}

static int emulate_sret(struct umbra_vcpu *vcpu)
{
	umbra_count(vcpu, UMBRA_STAT_EMUL_SRET);
	umbra_cpu_sret(vcpu->cpu);
	/* Section 3.1.6.3: it never returns to M-mode. */
	if (vcpu->m)
		vcpu->m->mstatus &= ~V_MPRV;
	return UMBRA_RESUME;
}

static int emulate_mret(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	if (vcpu->cpu->priv != UMBRA_PRIV_M)
		return illegal(vcpu, insn);
	umbra_count(vcpu, UMBRA_STAT_EMUL_MRET);
	umbra_machine_mret(vcpu->m, vcpu->cpu);
	return UMBRA_RESUME;
}

/*
 * Is the instruction for S-mode and above, and M-mode does not intercept it
 * with the @trap bit of mstatus (section 3.1.6.6)?
 */
static bool supervisor_legal(struct umbra_vcpu *vcpu, u64 trap)
{
	switch (vcpu->cpu->priv) {
	case UMBRA_PRIV_U:
		return false;
	case UMBRA_PRIV_S:
		return !vcpu->m || !(vcpu->m->mstatus & trap);
	}
	return true;
}

int umbra_emulate_system(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	switch (insn->op) {
	case UMBRA_OP_CSRRW:
	case UMBRA_OP_CSRRS:
	case UMBRA_OP_CSRRC:
	case UMBRA_OP_CSRRWI:
	case UMBRA_OP_CSRRSI:
	case UMBRA_OP_CSRRCI:
		return emulate_csr(vcpu, insn);
	case UMBRA_OP_SRET:
		if (!supervisor_legal(vcpu, V_TSR))
			return illegal(vcpu, insn);
		return emulate_sret(vcpu);
	case UMBRA_OP_MRET:
		return emulate_mret(vcpu, insn);
	case UMBRA_OP_WFI:
		if (!supervisor_legal(vcpu, V_TW))
			return illegal(vcpu, insn);
		return emulate_wfi(vcpu, insn);
	case UMBRA_OP_SINVAL_VMA:
		if (!supervisor_legal(vcpu, V_TVM) || !vcpu->feat.svinval)
			return illegal(vcpu, insn);
		return emulate_fence(vcpu, insn);
	case UMBRA_OP_SFENCE_VMA:
		if (!supervisor_legal(vcpu, V_TVM))
			return illegal(vcpu, insn);
		return emulate_fence(vcpu, insn);
	case UMBRA_OP_SFENCE_W_INVAL:
	case UMBRA_OP_SFENCE_INVAL_IR:
		/* sinval.vma took effect at once: nothing is left to order. */
		if (!supervisor_legal(vcpu, 0) || !vcpu->feat.svinval)
			return illegal(vcpu, insn);
		return done(vcpu, insn);
	default:
		return illegal(vcpu, insn);
	}
}
