// SPDX-License-Identifier: GPL-2.0
/*
 * The Goldfish RTC on the bus: the register file, the host's wall clock, and
 * an hrtimer for the alarm.
 *
 * The guest's accesses come in process context, the alarm in soft interrupt
 * context (a thread on PREEMPT_RT); rtc->lock with bottom halves off covers
 * both.  The timer counts the host's wall clock as the guest's time does, so
 * that setting the host's clock moves both.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include "../vmm_core/compat.h"
#include "device.h"
#include "goldfish_rtc.h"

/**
 * struct rtc - a Goldfish RTC
 * @dev: what the bus knows
 * @lock: everything below
 * @regs: the register file
 * @alarm: goes off when the guest's alarm may be due
 * @irq: level last given to the bus
 */
struct rtc {
	struct umbra_vdev dev;
	spinlock_t lock;	/* everything below */
	struct umbra_rtc regs;
	struct hrtimer alarm;
	bool irq;
};

static struct rtc *to_rtc(struct umbra_vdev *dev)
{
	return container_of(dev, struct rtc, dev);
}

/*
 * Bring timer and interrupt line in step with the registers.  Also called by
 * the timer's own callback: starting a timer there is legal, and cancelling it
 * fails without harm.
 */
static void rtc_update(struct rtc *rtc, u64 now)
{
	u64 wait = umbra_rtc__wait(&rtc->regs, now);
	bool irq = umbra_rtc__irq(&rtc->regs);

	lockdep_assert_held(&rtc->lock);
	if (wait == UMBRA_RTC_NO_ALARM)
		hrtimer_try_to_cancel(&rtc->alarm);
	else	/* The year 2262 is far enough away for any alarm. */
		hrtimer_start(&rtc->alarm,
			      wait > KTIME_MAX - now ? KTIME_MAX : now + wait,
			      HRTIMER_MODE_ABS_SOFT);

	if (irq != rtc->irq) {
		rtc->irq = irq;
		umbra_vdev__set_irq(&rtc->dev, irq);
	}
}

static enum hrtimer_restart rtc_alarm(struct hrtimer *timer)
{
	struct rtc *rtc = container_of(timer, struct rtc, alarm);
	u64 now = ktime_get_real_ns();

	spin_lock(&rtc->lock);
	umbra_rtc__tick(&rtc->regs, now);
	rtc_update(rtc, now);
	spin_unlock(&rtc->lock);
	return HRTIMER_NORESTART;
}

static int rtc_access(struct umbra_vdev *dev, u32 offset, unsigned int len,
		      bool write, u64 *val)
{
	struct rtc *rtc = to_rtc(dev);
	u64 now;

	if (len != 4)
		return -EFAULT;

	spin_lock_bh(&rtc->lock);
	now = ktime_get_real_ns();
	if (write)
		umbra_rtc__write(&rtc->regs, offset, *val, now);
	else
		*val = umbra_rtc__read(&rtc->regs, offset, now);
	rtc_update(rtc, now);
	spin_unlock_bh(&rtc->lock);
	return 0;
}

static struct umbra_vdev *rtc_alloc(void)
{
	struct rtc *rtc = kzalloc(sizeof(*rtc), GFP_KERNEL_ACCOUNT);

	if (!rtc)
		return NULL;
	spin_lock_init(&rtc->lock);
	umbra_rtc__reset(&rtc->regs);
	umbra_hrtimer_setup(&rtc->alarm, rtc_alarm, CLOCK_REALTIME,
			    HRTIMER_MODE_ABS_SOFT);
	return &rtc->dev;
}

static void rtc_stop(struct umbra_vdev *dev)
{
	hrtimer_cancel(&to_rtc(dev)->alarm);
}

static void rtc_free(struct umbra_vdev *dev)
{
	kfree(to_rtc(dev));
}

const struct umbra_vdev_ops umbra_rtc_ops = {
	.name		= "umbra-rtc",
	.span		= UMBRA_RTC_SPAN,
	.required	= BIT(UMBRA_DEV_CONFIG_ADDR),
	.optional	= BIT(UMBRA_DEV_CONFIG_IRQ),
	.alloc		= rtc_alloc,
	.free		= rtc_free,
	.stop		= rtc_stop,
	.access		= rtc_access,
};
