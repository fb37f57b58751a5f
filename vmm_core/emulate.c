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

/* Counters; the ones the host does not count read as zero. */
static int read_counter(struct umbra_vcpu *vcpu, u16 csr, u64 *val)
{
	if (!umbra_cpu_counter_legal(vcpu->cpu, csr))
		return -ENOENT;
	switch (csr) {
	case VCSR_TIME:
		*val = umbra_guest_time(vcpu);
		break;
	case VCSR_CYCLE:
	case VCSR_INSTRET:
		/* Monotonic, inexact: the host's counters are its own. */
		*val = umbra_guest_time(vcpu);
		break;
	default:
		*val = 0;
	}
	return 0;
}

static int read_any_csr(struct umbra_vcpu *vcpu, u16 csr, u64 *val)
{
	if (umbra_cpu_csr_read(vcpu->cpu, &vcpu->feat, csr, val) == 0)
		return 0;
	return read_counter(vcpu, csr, val);
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
	if (!umbra_cpu_csr_legal(vcpu->cpu, insn->csr, write))
		return illegal(vcpu, insn);
	if (read_any_csr(vcpu, insn->csr, &old))
		return illegal(vcpu, insn);
	if (write) {
		u64 new = csr_new_value(vcpu, insn, old);

		if (umbra_cpu_csr_write(vcpu->cpu, &vcpu->feat, insn->csr, new))
			return illegal(vcpu, insn);
		csr_written(vcpu, insn->csr);
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
static bool wfi_ready(struct umbra_vcpu *vcpu)
{
	u64 sip = vcpu->cpu->sip | atomic_long_read(&vcpu->pins);

	return (sip & vcpu->cpu->sie) || READ_ONCE(vcpu->requests);
}

void umbra_vcpu_halt(struct umbra_vcpu *vcpu)
{
	if (wfi_ready(vcpu))
		return;
	umbra_count(vcpu, UMBRA_STAT_HALT);
	umbra_vcpu_put(vcpu);
	/* A signal ends the wait; the run loop then returns to user space. */
	rcuwait_wait_event(&vcpu->wait, wfi_ready(vcpu), TASK_INTERRUPTIBLE);
	umbra_vcpu_load(vcpu);
}

static int emulate_wfi(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	umbra_count(vcpu, UMBRA_STAT_EMUL_WFI);
	done(vcpu, insn);
	umbra_vcpu_halt(vcpu);
	return UMBRA_RESUME;
}

int umbra_emulate_system(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	bool s_mode = vcpu->cpu->priv == UMBRA_PRIV_S;

	switch (insn->op) {
	case UMBRA_OP_CSRRW:
	case UMBRA_OP_CSRRS:
	case UMBRA_OP_CSRRC:
	case UMBRA_OP_CSRRWI:
	case UMBRA_OP_CSRRSI:
	case UMBRA_OP_CSRRCI:
		return emulate_csr(vcpu, insn);
	case UMBRA_OP_SRET:
		if (!s_mode)
			return illegal(vcpu, insn);
		umbra_count(vcpu, UMBRA_STAT_EMUL_SRET);
		umbra_cpu_sret(vcpu->cpu);
		return UMBRA_RESUME;
	case UMBRA_OP_WFI:
		if (!s_mode)
			return illegal(vcpu, insn);
		return emulate_wfi(vcpu, insn);
	case UMBRA_OP_SINVAL_VMA:
		if (!s_mode || !vcpu->feat.svinval)
			return illegal(vcpu, insn);
		return emulate_fence(vcpu, insn);
	case UMBRA_OP_SFENCE_VMA:
		if (!s_mode)
			return illegal(vcpu, insn);
		return emulate_fence(vcpu, insn);
	case UMBRA_OP_SFENCE_W_INVAL:
	case UMBRA_OP_SFENCE_INVAL_IR:
		/* sinval.vma took effect at once: nothing is left to order. */
		if (!s_mode || !vcpu->feat.svinval)
			return illegal(vcpu, insn);
		return done(vcpu, insn);
	default:
		return illegal(vcpu, insn);
	}
}
