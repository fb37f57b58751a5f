/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that umbra.ko builds for (6.12 and later),
 * and nowhere else: the code is written for the newest one.
 */
#ifndef UMBRA_COMPAT_H
#define UMBRA_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/version.h>

/*
 * Signals, rescheduling, task work, before an entry into the guest; -EINTR with
 * the exit reason in @run.  Up to 6.17 the kernel asks for a kvm_vcpu, of which
 * it uses the run alone: @stand_in.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#include <linux/entry-virt.h>

static inline int umbra_handle_host_work(struct kvm_run *run,
					 struct kvm_vcpu *stand_in)
{
	int ret = xfer_to_guest_mode_handle_work();

	if (ret == -EINTR)
		run->exit_reason = KVM_EXIT_INTR;
	return ret;
}
#else
#include <linux/kvm_host.h>
#include <linux/entry-kvm.h>

static inline int umbra_handle_host_work(struct kvm_run *run,
					 struct kvm_vcpu *stand_in)
{
	return xfer_to_guest_mode_handle_work(stand_in);
}
#endif

/* 6.13 made the callback an argument; hrtimer_init() went away in 6.15. */
static inline void
umbra_hrtimer_setup(struct hrtimer *timer,
		    enum hrtimer_restart (*function)(struct hrtimer *),
		    clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#endif
}

#endif /* UMBRA_COMPAT_H */
