// SPDX-License-Identifier: GPL-2.0
/*
 * The run loop: into the guest, out of it with a reason, and to the one place
 * that handles the reason.
 *
 * Called by the KVM_RUN ioctl with vcpu->mutex held.  Interrupts are off from
 * the last look at vcpu->requests to the end of the world exit, so a request
 * either is seen before entry or interrupts the guest (umbra_vcpu_kick()).
 */
#include <linux/kvm_host.h>
#include <asm/cacheflush.h>
#include <asm/sbi.h>

#include "compat.h"
#include "trace.h"
#include "vmm.h"

/* vcpu->fw_tokens: traps through the firmware that a guest may cause. */
#define FW_BURST	20000
#define FW_PER_TICK	(2000000 / HZ)
/* What a trap costs that makes the firmware print a line. */
#define FW_NOISY_PRICE	200

/* scause of a timer interrupt. */
#define UMBRA_TIMER_IRQ	(V_CAUSE_IRQ | 5)

/* Sites that become hot at once. */
#define LEARN_MAX	64

/* Seen to trap from U-mode on this machine; the spec leaves it open. */
static bool wfi_traps;

void umbra_inject(struct umbra_vcpu *vcpu, u64 cause, u64 tval)
{
	umbra_count(vcpu, cause & V_CAUSE_IRQ ? UMBRA_STAT_INJECT_IRQ :
		    UMBRA_STAT_INJECT_EXC);
	trace_umbra_inject(vcpu->id, cause, tval, vcpu->cpu->pc);
	vcpu->lr.valid = false;
	vcpu->stepped = umbra_stepping(vcpu);
	if (vcpu->m)
		umbra_machine_trap(vcpu->m, vcpu->cpu, cause, tval);
	else
		umbra_cpu_trap(vcpu->cpu, cause, tval);
}

u64 umbra_irq_enabled(struct umbra_vcpu *vcpu, u64 pending)
{
	return pending & (vcpu->m ? vcpu->m->mie : vcpu->cpu->sie);
}

/* --- exits to user space that only report --------------------------------------- */

static int internal_error(struct umbra_vcpu *vcpu, u64 why)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
	run->internal.ndata = 5;
	run->internal.data[0] = vcpu->sw->exit_scause;
	run->internal.data[1] = vcpu->cpu->pc;
	run->internal.data[2] = vcpu->sw->exit_stval;
	run->internal.data[3] = why;
	run->internal.data[4] = raw_smp_processor_id();
	return 0;
}

/* A device or SBI asked for the end; whoever sees it first reports it. */
static bool system_event(struct umbra_vcpu *vcpu)
{
	struct umbra_vm *vm = vcpu->vm;
	bool pending;

	spin_lock(&vm->event_lock);
	pending = vm->event_pending;
	if (pending) {
		vcpu->run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
		vcpu->run->system_event.type = vm->event_type;
		vcpu->run->system_event.ndata = 1;
		vcpu->run->system_event.data[0] = vm->event_data;
		vm->event_pending = false;
	}
	spin_unlock(&vm->event_lock);
	return pending;
}

/* --- exits ------------------------------------------------------------------------ */

/*
 * An illegal instruction costs the machine time in M-mode, where nobody is
 * accounted for it: a guest that makes them without end is slowed down.
 */
static void charge_firmware_trap(struct umbra_vcpu *vcpu, unsigned int price)
{
	unsigned long now = jiffies;

	if (vcpu->fw_refill != now) {
		u64 more = (u64)(now - vcpu->fw_refill) * FW_PER_TICK;

		vcpu->fw_tokens = min_t(u64, FW_BURST, vcpu->fw_tokens + more);
		vcpu->fw_refill = now;
	}
	if (vcpu->fw_tokens >= price) {
		vcpu->fw_tokens -= price;
		return;
	}
	vcpu->fw_tokens = 0;
	schedule_timeout_interruptible(1);
}

static int handle_illegal(struct umbra_vcpu *vcpu)
{
	u64 pc = vcpu->cpu->pc;
	struct umbra_insn insn;
	u32 raw = vcpu->sw->exit_stval;
	int ret;

	/* Firmware may leave the bits out of stval. */
	if (!raw) {
		ret = umbra_fetch(vcpu, &raw);
		if (ret)
			return ret;
	}
	umbra_decode(raw, &insn);
	if (insn.op >= UMBRA_OP_SRET && insn.op <= UMBRA_OP_SFENCE_INVAL_IR) {
		umbra_count(vcpu, UMBRA_STAT_FW_NOISY);
		charge_firmware_trap(vcpu, FW_NOISY_PRICE);
	} else {
		charge_firmware_trap(vcpu, 1);
	}
	if (insn.op == UMBRA_OP_WFI)
		WRITE_ONCE(wfi_traps, true);
	if (insn.op < UMBRA_OP_CSRRW || insn.op > UMBRA_OP_SFENCE_INVAL_IR) {
		umbra_pmu_firmware_event(vcpu, SBI_PMU_FW_ILLEGAL_INSN);
		umbra_inject_illegal(vcpu, raw);
		return UMBRA_RESUME;
	}
	/* First, while the address space is the one that fetched it. */
	umbra_site_add(vcpu, pc, &insn);
	return umbra_emulate_system(vcpu, &insn);
}

static bool is_ebreak(u32 raw)
{
	return (u16)raw == UMBRA_C_EBREAK || raw == 0x00100073;
}

/*
 * The other sites of a page where one has just become hot: each would cost an
 * exit of its own, in each address space that executes them.  They take nobody's
 * place: some are never executed.
 */
static void learn_page(struct umbra_vcpu *vcpu, u64 gfn)
{
	u64 base = vcpu->cpu->pc & PAGE_MASK;
	unsigned int offset;
	u32 raw;
	int ret = 0;

	for (unsigned int n = 0; n < LEARN_MAX && ret != -ENOENT; n++) {
		struct umbra_insn insn;

		ret = umbra_site_nth(vcpu->vm, gfn, n, &offset, &raw);
		if (ret || umbra_site_is_split(offset))
			continue;
		umbra_decode(raw, &insn);
		umbra_switch_learn(vcpu, base + offset, &insn, false);
	}
}

/* The site at pc was hit; @raw is what stood there when it was made. */
static int handle_site(struct umbra_vcpu *vcpu, u64 gfn, u32 raw, bool global)
{
	u64 pc = vcpu->cpu->pc;
	struct umbra_insn insn;

	if (umbra_site_is_split(offset_in_page(pc))) {
		/* Its second half is in a page that nobody watches. */
		int ret = umbra_fetch(vcpu, &raw);

		if (ret)
			return ret;
		umbra_decode(raw, &insn);
		return umbra_emulate_system(vcpu, &insn);
	}
	umbra_decode(raw, &insn);
	if (!global)
		umbra_mmu_private_salt(vcpu);
	if (umbra_switch_learn(vcpu, pc, &insn, true))
		learn_page(vcpu, gfn);
	return umbra_emulate_system(vcpu, &insn);
}

static int handle_breakpoint(struct umbra_vcpu *vcpu)
{
	u64 pc = vcpu->cpu->pc;
	struct umbra_insn insn;
	bool global = false;
	u64 gfn;
	u32 raw;
	int ret;

	/* The one behind an instruction that was executed out of line. */
	if (vcpu->stepped)
		return UMBRA_RESUME;
	/* A hot entry left it to C; it was found as the switcher finds it. */
	if (umbra_switch_hot(vcpu, pc, &raw)) {
		umbra_decode(raw, &insn);
		return umbra_emulate_system(vcpu, &insn);
	}
	gfn = umbra_mmu_exec_gfn(vcpu, pc, &global);
	if (gfn != ~0ULL &&
	    umbra_site_find(vcpu->vm, (gfn << PAGE_SHIFT) + offset_in_page(pc),
			    &raw) == 0)
		return handle_site(vcpu, gfn, raw, global);
	/* The guest's own, if that is what memory holds. */
	ret = umbra_fetch(vcpu, &raw);
	if (ret)
		return ret;
	if (is_ebreak(raw)) {
		if (umbra_debug_ebreak(vcpu))
			return 0;
		umbra_inject(vcpu, V_EXC_BREAKPOINT, vcpu->sw->exit_stval);
		return UMBRA_RESUME;
	}
	/* This hart fetched a c.ebreak that is no longer there. */
	vcpu->fence_i = true;
	return UMBRA_RESUME;
}

static int handle_page_fault(struct umbra_vcpu *vcpu, enum umbra_access access)
{
	struct umbra_fault_info info = {
		.gva = vcpu->sw->exit_stval, .access = access,
	};
	int ret = umbra_mmu_fault(vcpu, &info);

	switch (ret) {
	case UMBRA_FAULT_DONE:
		return UMBRA_RESUME;
	case UMBRA_FAULT_GUEST:
		umbra_count(vcpu, UMBRA_STAT_GUEST_FAULT);
		umbra_inject(vcpu, info.cause, info.gva);
		return UMBRA_RESUME;
	case UMBRA_FAULT_EMULATE:
		if (access == UMBRA_ACCESS_EXEC) {
			umbra_inject(vcpu, V_EXC_INSN_ACCESS, info.gva);
			return UMBRA_RESUME;
		}
		return umbra_emulate_access(vcpu, &info);
	default:
		return ret;
	}
}

/*
 * The host's own interrupt; it has been served.  On harts where wfi completes
 * in U-mode without a trap an idle guest would spin: an interrupt finds it at
 * or just behind its wfi.  Behind it only counts if no interrupt of the guest's
 * own woke it since the last look, or its wake-up would be lost.
 */
static int handle_host_irq(struct umbra_vcpu *vcpu)
{
	u64 woken = vcpu->stat[UMBRA_STAT_INJECT_IRQ] + vcpu->sw->fast_irqs;
	u64 pc = vcpu->cpu->pc;
	bool quiet = woken == vcpu->idle_mark;

	vcpu->idle_mark = woken;
	if (READ_ONCE(wfi_traps) || vcpu->cpu->priv == UMBRA_PRIV_U ||
	    umbra_stepping(vcpu))
		return UMBRA_RESUME;
	if (umbra_is_wfi(vcpu, pc)) {
		vcpu->cpu->pc += 4;
		umbra_vcpu_halt(vcpu);
	} else if (quiet && umbra_is_wfi(vcpu, pc - 4)) {
		umbra_vcpu_halt(vcpu);
	}
	return UMBRA_RESUME;
}

/* From vS it is for the in-kernel SBI, unless the guest has its own firmware. */
int umbra_ecall(struct umbra_vcpu *vcpu)
{
	if (vcpu->cpu->priv == UMBRA_PRIV_S && !vcpu->m)
		return umbra_sbi_call(vcpu);
	umbra_inject(vcpu, V_EXC_ECALL_U + vcpu->cpu->priv, 0);
	return UMBRA_RESUME;
}

static int handle_exit(struct umbra_vcpu *vcpu)
{
	struct umbra_switch *sw = vcpu->sw;

	umbra_count(vcpu, UMBRA_STAT_EXITS);
	if (sw->nested) {
		sw->nested = 0;
		vcpu->mmu.fast->busy = 0;
		return internal_error(vcpu, 1);
	}
	if (sw->exit_scause & V_CAUSE_IRQ) {
		umbra_count(vcpu, UMBRA_STAT_EXIT_IRQ);
		/* The host's timer, or the guest's. */
		if (sw->timer_hw && sw->exit_scause == UMBRA_TIMER_IRQ)
			umbra_timer_update(vcpu);
		umbra_pmu_tick(vcpu);
		return handle_host_irq(vcpu);
	}
	switch (sw->exit_scause) {
	case V_EXC_BREAKPOINT:
		umbra_count(vcpu, UMBRA_STAT_EXIT_BREAKPOINT);
		return handle_breakpoint(vcpu);
	case V_EXC_ILLEGAL:
		umbra_count(vcpu, UMBRA_STAT_EXIT_ILLEGAL);
		return handle_illegal(vcpu);
	case V_EXC_ECALL_U:
		umbra_count(vcpu, UMBRA_STAT_EXIT_ECALL);
		return umbra_ecall(vcpu);
	case V_EXC_INSN_PAGE:
		umbra_count(vcpu, UMBRA_STAT_EXIT_PAGE_FAULT);
		return handle_page_fault(vcpu, UMBRA_ACCESS_EXEC);
	case V_EXC_LOAD_PAGE:
		umbra_count(vcpu, UMBRA_STAT_EXIT_PAGE_FAULT);
		return handle_page_fault(vcpu, UMBRA_ACCESS_READ);
	case V_EXC_STORE_PAGE:
		umbra_count(vcpu, UMBRA_STAT_EXIT_PAGE_FAULT);
		return handle_page_fault(vcpu, UMBRA_ACCESS_WRITE);
	case V_EXC_INSN_MISALIGNED:
	case V_EXC_INSN_ACCESS:
	case V_EXC_LOAD_MISALIGNED:
	case V_EXC_LOAD_ACCESS:
	case V_EXC_STORE_MISALIGNED:
	case V_EXC_STORE_ACCESS:
		umbra_count(vcpu, UMBRA_STAT_EXIT_OTHER);
		umbra_inject(vcpu, sw->exit_scause, sw->exit_stval);
		return UMBRA_RESUME;
	}
	umbra_count(vcpu, UMBRA_STAT_EXIT_OTHER);
	return internal_error(vcpu, 2);
}

/* --- entry -------------------------------------------------------------------------- */

static void take_requests(struct umbra_vcpu *vcpu)
{
	if (!READ_ONCE(vcpu->requests))
		return;
	if (test_and_clear_bit(UMBRA_REQ_MMU_RESET, &vcpu->requests)) {
		smp_mb__after_atomic();	/* the request, then what led to it */
		umbra_mmu_reset(vcpu);
	}
	if (test_and_clear_bit(UMBRA_REQ_SSIP, &vcpu->requests)) {
		umbra_pmu_firmware_event(vcpu, SBI_PMU_FW_IPI_RCVD);
		vcpu->cpu->sip |= V_SSI;
	}
	if (test_and_clear_bit(UMBRA_REQ_LCOFI, &vcpu->requests) && vcpu->feat.sscofpmf)
		vcpu->cpu->sip |= V_LCOFI;
	if (test_and_clear_bit(UMBRA_REQ_FENCE, &vcpu->requests))
		umbra_sbi_run_fences(vcpu);
	if (test_and_clear_bit(UMBRA_REQ_FENCE_I, &vcpu->requests)) {
		umbra_pmu_firmware_event(vcpu, SBI_PMU_FW_FENCE_I_RCVD);
		vcpu->fence_i = true;
	}
	if (test_and_clear_bit(UMBRA_REQ_TIMER, &vcpu->requests))
		umbra_timer_update(vcpu);
	if (test_and_clear_bit(UMBRA_REQ_STEAL, &vcpu->requests))
		umbra_sta_update(vcpu);
}

/* Sample the wires; take an interrupt if the rules say so. */
static void deliver_interrupts(struct umbra_vcpu *vcpu)
{
	struct umbra_cpu *cpu = vcpu->cpu;
	u64 cause;

	cpu->pins = atomic_long_read(&vcpu->pins);
	cause = vcpu->m ? umbra_machine_pending_irq(vcpu->m, cpu) :
			  umbra_cpu_pending_irq(cpu);
	if (cause)
		umbra_inject(vcpu, cause, 0);
	vcpu->sw->sip = umbra_cpu_sip(cpu);
	vcpu->sw->irq_pending = umbra_irq_enabled(vcpu, cpu->sip | cpu->pins);
}

/* The roots that the current privilege needs, and the hot table, are valid. */
static int prepare_mmu(struct umbra_vcpu *vcpu)
{
	if (vcpu->mmu.forget) {
		vcpu->mmu.forget = false;
		umbra_switch_forget(vcpu);
	}
	return umbra_mmu_load(vcpu);
}

/* CBIE = 3 is cut to 1: a guest's cbo.inval would expose stale DRAM. */
static u64 envcfg_safe(u64 val)
{
	if ((val & V_ENVCFG_CBIE) == V_ENVCFG_CBIE_INVAL)
		val &= ~V_ENVCFG_CBIE | V_ENVCFG_CBIE_FLUSH;
	return val & umbra_host.senvcfg_mask;
}

/*
 * The hardware's senvcfg, which rules while the guest executes: in vU the
 * guest's senvcfg and menvcfg both, in vS menvcfg, in vM nothing (section
 * 10.1.10).  Without M-mode firmware has enabled all.
 */
static void prepare_envcfg(struct umbra_vcpu *vcpu)
{
	u64 menvcfg = vcpu->m ? vcpu->m->menvcfg : ~0ULL;
	struct umbra_switch *sw = vcpu->sw;
	u64 senvcfg = vcpu->cpu->senvcfg;

	sw->envcfg_m = envcfg_safe(V_ENVCFG_CBO);
	sw->envcfg_s = envcfg_safe(V_ENVCFG_CBO & menvcfg);
	/* A field that is not 0 has its bit 4 set: 1 or 3. */
	sw->envcfg_u = envcfg_safe(senvcfg & (menvcfg | ~V_ENVCFG_CBO));
	sw->envcfg_flip = sw->has_senvcfg && sw->envcfg_u != sw->envcfg_s;
	switch (vcpu->cpu->priv) {
	case UMBRA_PRIV_U:
		sw->hw_senvcfg = sw->envcfg_u;
		break;
	case UMBRA_PRIV_S:
		sw->hw_senvcfg = sw->envcfg_s;
		break;
	default:
		sw->hw_senvcfg = sw->envcfg_m;
	}
}

/*
 * U-mode reads time directly only where it may and needs no offset.  The other
 * modes run under the same enables; what they may read beyond them is emulated.
 */
static u64 guest_scounteren(struct umbra_vcpu *vcpu)
{
	u64 val = vcpu->cpu->scounteren & V_COUNTEREN_TM;

	if (vcpu->vm->time_delta)
		return 0;
	return vcpu->m ? val & vcpu->m->mcounteren : val;
}

static void prepare_csrs(struct umbra_vcpu *vcpu)
{
	struct umbra_switch *sw = vcpu->sw;
	struct umbra_cpu *cpu = vcpu->cpu;

	sw->fpv_writable = (vcpu->feat.fs ? V_FS : 0) | (vcpu->feat.vs ? V_VS : 0);
	/* SPP = U, interrupts on in U-mode; SUM and MXR never reach here. */
	sw->hw_sstatus = V_UXL_64 | V_SPIE | (cpu->sstatus & (V_FS | V_VS));
	cpu->sstatus &= ~V_FPV;
	umbra_timer_enter(vcpu);
	sw->hw_scounteren = guest_scounteren(vcpu);
	prepare_envcfg(vcpu);
}

static void enter_guest(struct umbra_vcpu *vcpu)
{
	int hart = smp_processor_id();

	if (vcpu->last_hart != hart || vcpu->fence_i) {
		vcpu->last_hart = hart;
		vcpu->fence_i = false;
		local_flush_icache_all();
	}
	prepare_csrs(vcpu);
	umbra_fpv_enter(vcpu);
	trace_umbra_entry(vcpu->id, vcpu->cpu->pc, vcpu->cpu->priv);

	umbra_step_enter(vcpu);
	guest_timing_enter_irqoff();
	guest_state_enter_irqoff();
	umbra_switch_enter(vcpu->sw);
	guest_state_exit_irqoff();
	if (vcpu->sw->exit_scause == UMBRA_TIMER_IRQ)
		umbra_timer_settle(vcpu);
	umbra_step_leave(vcpu);

	vcpu->cpu->sstatus = (vcpu->cpu->sstatus & ~V_FPV) |
			     (vcpu->sw->hw_sstatus & (V_FS | V_VS));
	/* Before host interrupts: softirqs may use vector registers. */
	umbra_fpv_exit(vcpu);
	WRITE_ONCE(vcpu->mode, UMBRA_OUTSIDE);
}

/* A hart that is stopped waits here for hart_start, or a signal. */
static int wait_until_started(struct umbra_vcpu *vcpu)
{
	int ret = 0;

	if (READ_ONCE(vcpu->hsm) == UMBRA_HSM_STARTED)
		return 0;
	umbra_vcpu_put(vcpu);
	ret = rcuwait_wait_event(&vcpu->wait,
				 READ_ONCE(vcpu->hsm) != UMBRA_HSM_STOPPED,
				 TASK_INTERRUPTIBLE);
	umbra_vcpu_load(vcpu);
	if (ret) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		return ret;
	}
	umbra_sbi_start(vcpu);
	return 0;
}

/* UMBRA_RESUME: go round again; else as KVM_RUN returns. */
static int run_once(struct umbra_vcpu *vcpu)
{
	u64 pc;
	int ret;

	if (umbra_step_report(vcpu))
		return 0;
	ret = umbra_handle_host_work(vcpu->run, vcpu->stand_in);
	if (ret)
		return ret;
	if (READ_ONCE(vcpu->vm->event_pending) && system_event(vcpu))
		return 0;
	ret = wait_until_started(vcpu);
	if (ret)
		return ret;
	take_requests(vcpu);
	deliver_interrupts(vcpu);
	if (vcpu->stepped)
		return UMBRA_RESUME;
	ret = prepare_mmu(vcpu);
	if (ret)
		return ret;
	pc = vcpu->cpu->pc;
	if (umbra_stepping(vcpu)) {
		ret = umbra_step_begin(vcpu);
		if (!vcpu->step_len)
			return ret;
	}

	local_irq_disable();
	WRITE_ONCE(vcpu->mode, UMBRA_IN_GUEST);
	smp_mb();	/* pairs with umbra_vcpu_kick(): mode, then requests */
	if (READ_ONCE(vcpu->requests) || READ_ONCE(vcpu->mmu.forget) ||
	    atomic_long_read(&vcpu->pins) != vcpu->cpu->pins ||
	    xfer_to_guest_mode_work_pending()) {
		WRITE_ONCE(vcpu->mode, UMBRA_OUTSIDE);
		local_irq_enable();
		return UMBRA_RESUME;
	}
	enter_guest(vcpu);
	/*
	 * The interrupt that ended the guest is taken here, and accounted to
	 * it, before guest_timing_exit_irqoff() charges the host again.
	 */
	local_irq_enable();
	nop();
	local_irq_disable();
	guest_timing_exit_irqoff();
	local_irq_enable();
	umbra_timer_fell(vcpu);

	trace_umbra_exit(vcpu->id, vcpu->sw->exit_scause, vcpu->cpu->pc,
			 vcpu->sw->exit_stval);
	ret = handle_exit(vcpu);
	umbra_step_moved(vcpu, pc);
	if (unlikely(vcpu->mmu.once))
		umbra_mmu_drop_once(vcpu);
	return ret;
}

static int complete_io(struct umbra_vcpu *vcpu)
{
	switch (vcpu->io.kind) {
	case UMBRA_IO_MMIO:
		return umbra_complete_mmio(vcpu);
	case UMBRA_IO_SBI:
		return umbra_complete_sbi(vcpu);
	default:
		return UMBRA_RESUME;
	}
}

int umbra_vcpu_run(struct umbra_vcpu *vcpu)
{
	u64 pc = vcpu->cpu->pc;
	sigset_t saved;
	int ret;

	vcpu->ran_once = true;
	/* User space may have set any pair of mode and mstatus. */
	if (vcpu->m && vcpu->cpu->priv != UMBRA_PRIV_M)
		vcpu->m->mstatus &= ~V_MPRV;
	umbra_vcpu_load(vcpu);
	ret = complete_io(vcpu);
	umbra_step_moved(vcpu, pc);
	/* As KVM: the reason of the exit before stays readable. */
	if (ret == UMBRA_RESUME && READ_ONCE(vcpu->run->immediate_exit__unsafe))
		ret = -EINTR;
	if (ret == UMBRA_RESUME)
		vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &saved);
	while (ret == UMBRA_RESUME)
		ret = run_once(vcpu);
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &saved, NULL);
	umbra_vcpu_put(vcpu);
	return ret;
}
