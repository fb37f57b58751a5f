// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's timer: stimecmp (Sstc) and SBI TIME, one hrtimer per vCPU.
 *
 * Guest time is the host's, plus a delta that user space may set.  STIP is
 * level: time >= stimecmp.  The hrtimer only makes sure that someone looks.
 *
 * Where the host has Sstc it is armed only while the vCPU sleeps.  While the guest
 * executes the hart's stimecmp is the earlier one of the host's and the guest's: the
 * switcher writes it, and puts the host's back at each world exit.  The host never
 * sees the interrupt, which its stimecmp does not stand for; the run loop looks at
 * the time.  With a delta it is all done by the hrtimer: sums would wrap around.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <asm/csr.h>
#include <asm/processor.h>
#include <asm/timex.h>

#include "compat.h"
#include "vmm.h"

#define HALT_WAIT_MAX	10000

static uint halt_wait_us = 2000;
module_param(halt_wait_us, uint, 0644);
MODULE_PARM_DESC(halt_wait_us, "a guest whose timer is due within this time waits for it without the scheduler");

u64 umbra_vm_time(struct umbra_vm *vm)
{
	return get_cycles64() + READ_ONCE(vm->time_delta);
}

u64 umbra_guest_time(struct umbra_vcpu *vcpu)
{
	return umbra_vm_time(vcpu->vm);
}

void umbra_vm_set_time(struct umbra_vm *vm, u64 time)
{
	WRITE_ONCE(vm->time_delta, time - get_cycles64());
	umbra_vm_time_jumped(vm);
}

/* The time is another, or the hrtimers' clock: all timers are looked at again. */
void umbra_vm_time_jumped(struct umbra_vm *vm)
{
	umbra_vm_request_all(vm, UMBRA_REQ_TIMER);
	umbra_bus__time_changed(vm->bus);
}

/* ~0 is how Linux says never; a century is near enough. */
static u64 far_ticks(void)
{
	return umbra_host.timebase * 3600ULL * 24 * 36500;
}

u64 umbra_vm_ticks_to_ns(u64 ticks)
{
	return mul_u64_u64_div_u64(min(ticks, far_ticks()), NSEC_PER_SEC,
				   umbra_host.timebase) + 1;
}

static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct umbra_vcpu *vcpu = container_of(timer, struct umbra_vcpu, timer);

	vcpu->timer_armed = ~0ULL;
	/* The vCPU's thread recomputes STIP; it may be early by rounding. */
	umbra_vcpu_request(vcpu, UMBRA_REQ_TIMER);
	return HRTIMER_NORESTART;
}

void umbra_timer_init(struct umbra_vcpu *vcpu)
{
	umbra_hrtimer_setup(&vcpu->timer, expired, CLOCK_MONOTONIC,
			    HRTIMER_MODE_ABS_HARD);
	vcpu->timer_armed = ~0ULL;
}

void umbra_timer_destroy(struct umbra_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->timer);
}

/* A host that was suspended leaves an armed timer late; see resumed() in vm.c. */
static bool armed_for(struct umbra_vcpu *vcpu, u64 count, ktime_t at)
{
	ktime_t late = ktime_sub(hrtimer_get_expires(&vcpu->timer), at);

	return vcpu->timer_armed == count && late < NSEC_PER_MSEC;
}

/* In guest time; ~0: never. */
static u64 deadline(const struct umbra_vcpu *vcpu)
{
	/* Else STIP is software's: stimecmp drives nothing. */
	if (!vcpu->m || (vcpu->m->menvcfg & V_ENVCFG_STCE))
		return vcpu->cpu->stimecmp;
	return ~0ULL;
}

static bool by_hart(const struct umbra_vcpu *vcpu)
{
	return umbra_host.sstc && !READ_ONCE(vcpu->vm->time_delta);
}

/* Brings STIP and the hrtimer in line with stimecmp and the time. */
static void update(struct umbra_vcpu *vcpu, bool sleeps)
{
	u64 delta = READ_ONCE(vcpu->vm->time_delta);
	u64 now = get_cycles64() + delta;
	u64 cmp = deadline(vcpu);
	ktime_t at = 0;

	umbra_vcpu_set_pin(vcpu, V_STI, now >= cmp);
	if (now >= cmp || (by_hart(vcpu) && !sleeps))
		return;
	if (cmp - now <= far_ticks()) {
		at = ktime_add_ns(ktime_get(), umbra_vm_ticks_to_ns(cmp - now));
		if (armed_for(vcpu, cmp - delta, at))
			return;
	}
	if (vcpu->timer_armed != ~0ULL)
		hrtimer_cancel(&vcpu->timer);
	vcpu->timer_armed = ~0ULL;
	if (!at)
		return;
	vcpu->timer_armed = cmp - delta;
	hrtimer_start(&vcpu->timer, at, HRTIMER_MODE_ABS_HARD);
}

void umbra_timer_update(struct umbra_vcpu *vcpu)
{
	update(vcpu, false);
}

void umbra_timer_halt(struct umbra_vcpu *vcpu)
{
	if (by_hart(vcpu))
		update(vcpu, true);
}

void umbra_timer_enter(struct umbra_vcpu *vcpu)
{
	struct umbra_switch *sw = vcpu->sw;
	u64 delta = vcpu->vm->time_delta;

	sw->time_offset = delta;
	sw->timer_hw = by_hart(vcpu);
	if (sw->timer_hw) {
		sw->timer_armed = 0;
		/* Pending already: it would interrupt for ever. */
		sw->deadline = vcpu->cpu->pins & V_STI ? ~0ULL : deadline(vcpu);
	} else {
		/* As the guest counts. */
		sw->timer_armed = vcpu->timer_armed == ~0ULL ? ~0ULL :
				  vcpu->timer_armed + delta;
	}
}

/*
 * The guest's time has come, not the host's, whose stimecmp is back by now.  The
 * hart may take a while to notice (Sstc): wait for that, or the host would get an
 * interrupt that it did not ask for.  It would bear it.
 */
static void settle(u64 host)
{
	for (int tries = 0; tries < 100; tries++)
		if (!(csr_read(CSR_SIP) & IE_TIE) || get_cycles64() >= host)
			break;
}

void umbra_timer_settle(struct umbra_vcpu *vcpu)
{
	if (vcpu->sw->timer_hw)
		settle(vcpu->sw->host_stimecmp);
}

/* --- wfi ------------------------------------------------------------------------- */

/* Until an interrupt is pending, the host's or the guest's timer; they are off. */
static void doze(struct umbra_vcpu *vcpu)
{
	u64 cmp = deadline(vcpu), host;

	if (!by_hart(vcpu)) {
		wait_for_interrupt();
		return;
	}
	host = csr_read(CSR_STIMECMP);
	csr_write(CSR_STIMECMP, min(cmp, host));
	wait_for_interrupt();
	csr_write(CSR_STIMECMP, host);
	settle(host);
}

/* Is the timer about to end the guest's wfi? */
static bool due_soon(struct umbra_vcpu *vcpu)
{
	u64 us = min(READ_ONCE(halt_wait_us), HALT_WAIT_MAX);
	u64 now = umbra_guest_time(vcpu), cmp = deadline(vcpu);

	return umbra_irq_enabled(vcpu, V_STI) &&
	       (cmp <= now || cmp - now <= us * umbra_host.timebase / USEC_PER_SEC);
}

/*
 * To put the thread to sleep, let the hart idle, and wake the thread costs more than
 * what most guests do when their timer comes.  If nobody else wants this CPU the hart
 * itself waits, here: a wfi for a wfi.  Anything that is to be done ends it, by an
 * interrupt: as in the guest, mode says that kicks have to send one.
 */
bool umbra_timer_wait(struct umbra_vcpu *vcpu)
{
	if (!due_soon(vcpu))
		return false;
	update(vcpu, !by_hart(vcpu));
	if (umbra_wfi_ready(vcpu))
		return true;
	umbra_count(vcpu, UMBRA_STAT_HALT_WAIT);
	while (!umbra_wfi_ready(vcpu)) {
		bool work;

		if (!single_task_running())
			return false;
		local_irq_disable();
		WRITE_ONCE(vcpu->mode, UMBRA_IN_GUEST);
		smp_mb();	/* pairs with umbra_vcpu_kick(): mode, then what is ready */
		work = xfer_to_guest_mode_work_pending();
		if (!work && !umbra_wfi_ready(vcpu))
			doze(vcpu);
		WRITE_ONCE(vcpu->mode, UMBRA_OUTSIDE);
		local_irq_enable();
		if (work)
			return false;
		if (by_hart(vcpu))
			update(vcpu, false);
	}
	return true;
}
