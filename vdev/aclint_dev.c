// SPDX-License-Identifier: GPL-2.0
/*
 * The ACLINT on the bus: the register file, the guest's time, the pins of the
 * harts, and an hrtimer per hart for mtimecmp.
 *
 * The timers run in hard interrupt context, as the harts' own do, so that
 * aclint->lock is a raw spinlock with interrupts off.  It is held while a pin is
 * driven: that is what keeps a pin's changes in order.
 *
 * A timer that was early (the host's clock is slewed against its counter) asks
 * again for what is left.  That, and a guest that asks for the next tick, is
 * what MIN_WAIT_NS is for.
 */
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "aclint.h"
#include "../vmm_core/compat.h"
#include "device.h"

/* The least that a timer is set to; more often no host takes interrupts. */
#define MIN_WAIT_NS	1000

struct aclint;

/**
 * struct aclint_timer - the timer of one hart
 * @hrtimer: goes off when its mtimecmp may be due
 * @aclint: the device
 * @hart: its index
 */
struct aclint_timer {
	struct hrtimer hrtimer;
	struct aclint *aclint;
	u32 hart;
};

/**
 * struct aclint - an ACLINT
 * @dev: what the bus knows
 * @lock: the register file
 * @regs: the register file; made by INIT, NULL before
 * @timers: one per hart, made with @regs
 */
struct aclint {
	struct umbra_vdev dev;
	raw_spinlock_t lock;	/* the register file */
	struct umbra_aclint *regs;
	struct aclint_timer *timers;
};

static struct aclint *to_aclint(struct umbra_vdev *dev)
{
	return container_of(dev, struct aclint, dev);
}

static void aclint_set_msip(void *opaque, u32 hart, bool level)
{
	struct aclint *aclint = opaque;

	umbra_vm_set_pin(aclint->dev.vm, hart, V_MSI, level);
}

static void aclint_set_mtip(void *opaque, u32 hart, bool level)
{
	struct aclint *aclint = opaque;

	umbra_vm_set_pin(aclint->dev.vm, hart, V_MTI, level);
}

static void aclint_raise_ssip(void *opaque, u32 hart)
{
	struct aclint *aclint = opaque;

	umbra_vm_raise_ssip(aclint->dev.vm, hart);
}

/*
 * Also called by the timer's own callback, where starting it is legal, and
 * cancelling it fails without harm: it is not queued.
 */
static void aclint_set_timer(void *opaque, u32 hart, u64 wait)
{
	struct aclint *aclint = opaque;
	struct hrtimer *timer = &aclint->timers[hart].hrtimer;
	u64 ns;

	if (wait == UMBRA_ACLINT_NEVER) {
		hrtimer_try_to_cancel(timer);
		return;
	}
	ns = max_t(u64, umbra_vm_ticks_to_ns(wait), MIN_WAIT_NS);
	hrtimer_start(timer, ktime_add_safe(ktime_get(), ns_to_ktime(ns)),
		      HRTIMER_MODE_ABS_HARD);
}

static const struct umbra_aclint_ops aclint_ops = {
	.set_msip	= aclint_set_msip,
	.set_mtip	= aclint_set_mtip,
	.set_timer	= aclint_set_timer,
	.raise_ssip	= aclint_raise_ssip,
};

static enum hrtimer_restart aclint_expired(struct hrtimer *hrtimer)
{
	struct aclint_timer *timer =
		container_of(hrtimer, struct aclint_timer, hrtimer);
	struct aclint *aclint = timer->aclint;
	unsigned long flags;

	raw_spin_lock_irqsave(&aclint->lock, flags);
	umbra_aclint__tick(aclint->regs, timer->hart,
			   umbra_vm_time(aclint->dev.vm));
	raw_spin_unlock_irqrestore(&aclint->lock, flags);
	return HRTIMER_NORESTART;
}

static void aclint_time_changed(struct umbra_vdev *dev)
{
	struct aclint *aclint = to_aclint(dev);
	unsigned long flags;

	for (u32 i = 0; i < aclint->regs->harts; i++) {
		raw_spin_lock_irqsave(&aclint->lock, flags);
		umbra_aclint__tick(aclint->regs, i, umbra_vm_time(dev->vm));
		raw_spin_unlock_irqrestore(&aclint->lock, flags);
	}
}

static int sswi_access(struct aclint *aclint, u32 offset, unsigned int len,
		       bool write, u64 val)
{
	unsigned long flags;

	if (len != 4)
		return -EFAULT;
	if (!write)
		return 0;
	raw_spin_lock_irqsave(&aclint->lock, flags);
	umbra_aclint__sswi_write(aclint->regs, offset, val);
	raw_spin_unlock_irqrestore(&aclint->lock, flags);
	return 0;
}

static int aclint_access(struct umbra_vdev *dev, u32 offset, unsigned int len,
			 bool write, u64 *val)
{
	struct aclint *aclint = to_aclint(dev);
	bool time_set = false;
	unsigned long flags;
	u64 now, time;

	if (offset >= UMBRA_ACLINT_SPAN)
		return sswi_access(aclint, offset - UMBRA_ACLINT_SPAN, len,
				   write, *val);
	if (!umbra_aclint__legal(offset, len))
		return -EFAULT;

	raw_spin_lock_irqsave(&aclint->lock, flags);
	now = umbra_vm_time(dev->vm);
	if (write)
		time_set = umbra_aclint__write(aclint->regs, offset, len, *val,
					       now, &time);
	else
		*val = umbra_aclint__read(aclint->regs, offset, len, now);
	raw_spin_unlock_irqrestore(&aclint->lock, flags);

	/* Comes back to aclint_time_changed(). */
	if (time_set)
		umbra_vm_set_time(dev->vm, time);
	return 0;
}

static void aclint_drop(struct aclint *aclint)
{
	kvfree(aclint->timers);
	kvfree(aclint->regs);
	aclint->timers = NULL;
	aclint->regs = NULL;
}

static int aclint_prepare(struct umbra_vdev *dev)
{
	u32 harts = dev->config[UMBRA_DEV_CONFIG_HARTS];
	struct aclint *aclint = to_aclint(dev);

	/* Left from an INIT that failed later. */
	aclint_drop(aclint);
	aclint->regs = kvzalloc(umbra_aclint__bytes(harts), GFP_KERNEL_ACCOUNT);
	aclint->timers = kvcalloc(harts, sizeof(*aclint->timers),
				  GFP_KERNEL_ACCOUNT);
	if (!aclint->regs || !aclint->timers)
		return -ENOMEM;
	for (u32 i = 0; i < harts; i++) {
		aclint->timers[i].aclint = aclint;
		aclint->timers[i].hart = i;
		umbra_hrtimer_setup(&aclint->timers[i].hrtimer, aclint_expired,
				    CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	}
	return umbra_aclint__init(aclint->regs, harts, &aclint_ops, aclint);
}

static struct umbra_vdev *aclint_alloc(void)
{
	struct aclint *aclint = kzalloc(sizeof(*aclint), GFP_KERNEL_ACCOUNT);

	if (!aclint)
		return NULL;
	raw_spin_lock_init(&aclint->lock);
	return &aclint->dev;
}

static void aclint_stop(struct umbra_vdev *dev)
{
	struct aclint *aclint = to_aclint(dev);

	if (!dev->live)
		return;
	for (u32 i = 0; i < aclint->regs->harts; i++)
		hrtimer_cancel(&aclint->timers[i].hrtimer);
}

static void aclint_free(struct umbra_vdev *dev)
{
	struct aclint *aclint = to_aclint(dev);

	aclint_drop(aclint);
	kfree(aclint);
}

const struct umbra_vdev_ops umbra_aclint_ops = {
	.name		= "umbra-aclint",
	.span		= UMBRA_ACLINT_SPAN,
	.sswi_span	= UMBRA_ACLINT_SSWI_SPAN,
	.required	= BIT(UMBRA_DEV_CONFIG_ADDR) |
			  BIT(UMBRA_DEV_CONFIG_HARTS),
	.optional	= BIT(UMBRA_DEV_CONFIG_SSWI),
	.alloc		= aclint_alloc,
	.free		= aclint_free,
	.prepare	= aclint_prepare,
	.stop		= aclint_stop,
	.time_changed	= aclint_time_changed,
	.access		= aclint_access,
};
