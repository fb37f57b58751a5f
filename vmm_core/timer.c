// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's timer: stimecmp (Sstc) and SBI TIME, one hrtimer per vCPU.
 *
 * Guest time is the host's, plus a delta that user space may set.  STIP is
 * level: time >= stimecmp.  The hrtimer only makes sure that someone looks.
 */
#include <linux/hrtimer.h>
#include <asm/timex.h>

#include "trace.h"
#include "vmm.h"

u64 umbra_guest_time(struct umbra_vcpu *vcpu)
{
	return get_cycles64() + vcpu->vm->time_delta;
}

static u64 ticks_to_ns(u64 ticks)
{
	return mul_u64_u64_div_u64(ticks, NSEC_PER_SEC, umbra_host.timebase);
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
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	hrtimer_setup(&vcpu->timer, expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
#else
	hrtimer_init(&vcpu->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	vcpu->timer.function = expired;
#endif
	vcpu->timer_armed = ~0ULL;
}

void umbra_timer_destroy(struct umbra_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->timer);
}

void umbra_timer_update(struct umbra_vcpu *vcpu)
{
	u64 now = umbra_guest_time(vcpu);
	u64 cmp = vcpu->cpu->stimecmp;

	umbra_vcpu_set_pin(vcpu, V_STI, now >= cmp);
	if (now >= cmp || vcpu->timer_armed == cmp)
		return;
	if (vcpu->timer_armed != ~0ULL)
		hrtimer_cancel(&vcpu->timer);
	vcpu->timer_armed = ~0ULL;
	/* ~0 is how Linux says never; a century is near enough. */
	if (cmp - now > umbra_host.timebase * 3600ULL * 24 * 36500)
		return;
	vcpu->timer_armed = cmp;
	hrtimer_start(&vcpu->timer,
		      ktime_add_ns(ktime_get(), ticks_to_ns(cmp - now)),
		      HRTIMER_MODE_ABS_HARD);
}
