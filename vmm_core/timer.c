// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's timer: stimecmp (Sstc) and SBI TIME, one hrtimer per vCPU.
 *
 * Guest time is the host's, plus a delta that user space may set.  STIP is
 * level: time >= stimecmp.  The hrtimer only makes sure that someone looks.
 */
#include <asm/timex.h>

#include "compat.h"
#include "vmm.h"

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

/* Brings STIP and the hrtimer in line with stimecmp and the time. */
void umbra_timer_update(struct umbra_vcpu *vcpu)
{
	u64 delta = READ_ONCE(vcpu->vm->time_delta);
	u64 now = get_cycles64() + delta;
	u64 cmp = vcpu->cpu->stimecmp;
	ktime_t at = 0;

	/* STIP is software's: stimecmp drives nothing. */
	if (vcpu->m && !(vcpu->m->menvcfg & V_ENVCFG_STCE))
		cmp = ~0ULL;
	umbra_vcpu_set_pin(vcpu, V_STI, now >= cmp);
	if (now >= cmp)
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
