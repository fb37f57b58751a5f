/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that vdev builds for (6.12 and later).
 */
#ifndef UMBRA_VDEV_COMPAT_H
#define UMBRA_VDEV_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/version.h>

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

#endif /* UMBRA_VDEV_COMPAT_H */
