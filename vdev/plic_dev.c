// SPDX-License-Identifier: GPL-2.0
/*
 * The PLIC on the bus: the register file, a lock, and the pins of the harts.
 *
 * Lines are raised from any context, hard interrupts included, so plic->lock
 * is a raw spinlock with interrupts off.  It is held while a hart's pin is
 * driven: that is what keeps a pin's changes in order.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "device.h"
#include "plic.h"

/**
 * struct plic - a PLIC
 * @dev: what the bus knows
 * @lock: the register file
 * @regs: the register file; made by INIT, NULL before
 * @modes: contexts per hart: 2 = M,S; 1 = S
 */
struct plic {
	struct umbra_vdev dev;
	raw_spinlock_t lock;
	struct umbra_plic *regs;
	u32 modes;
};

static struct plic *to_plic(struct umbra_vdev *dev)
{
	return container_of(dev, struct plic, dev);
}

static void plic_set_pin(void *opaque, u32 context, bool level)
{
	struct plic *plic = opaque;
	bool machine = plic->modes == 2 && context % 2 == 0;

	umbra_vm_set_pin(plic->dev.vm, context / plic->modes,
			 machine ? V_MEI : V_SEI, level);
}

static int plic_set_irq(struct umbra_vdev *dev, u32 source, bool level)
{
	struct plic *plic = to_plic(dev);
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&plic->lock, flags);
	ret = umbra_plic__set_level(plic->regs, source, level);
	raw_spin_unlock_irqrestore(&plic->lock, flags);
	return ret;
}

static int plic_pulse_irq(struct umbra_vdev *dev, u32 source)
{
	struct plic *plic = to_plic(dev);
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&plic->lock, flags);
	ret = umbra_plic__pulse(plic->regs, source);
	raw_spin_unlock_irqrestore(&plic->lock, flags);
	return ret;
}

/* PLIC specification, section 3: "registers have a width of 32 bits". */
static int plic_access(struct umbra_vdev *dev, u32 offset, unsigned int len,
		       bool write, u64 *val)
{
	struct plic *plic = to_plic(dev);
	unsigned long flags;

	if (len != 4)
		return -EFAULT;

	raw_spin_lock_irqsave(&plic->lock, flags);
	if (write)
		umbra_plic__write(plic->regs, offset, *val);
	else
		*val = umbra_plic__read(plic->regs, offset);
	raw_spin_unlock_irqrestore(&plic->lock, flags);
	return 0;
}

static int plic_prepare(struct umbra_vdev *dev)
{
	u64 contexts = dev->config[UMBRA_DEV_CONFIG_HARTS] *
		       dev->config[UMBRA_DEV_CONFIG_CONTEXTS];
	struct plic *plic = to_plic(dev);

	if (contexts > UMBRA_PLIC_MAX_CONTEXTS)
		return -EINVAL;

	/* Left from an INIT that failed later. */
	kvfree(plic->regs);
	plic->regs = kvzalloc(umbra_plic__bytes(contexts), GFP_KERNEL_ACCOUNT);
	if (!plic->regs)
		return -ENOMEM;
	plic->modes = dev->config[UMBRA_DEV_CONFIG_CONTEXTS];
	return umbra_plic__init(plic->regs,
				dev->config[UMBRA_DEV_CONFIG_SOURCES], contexts,
				plic_set_pin, plic);
}

static struct umbra_vdev *plic_alloc(void)
{
	struct plic *plic = kzalloc(sizeof(*plic), GFP_KERNEL_ACCOUNT);

	if (!plic)
		return NULL;
	raw_spin_lock_init(&plic->lock);
	return &plic->dev;
}

static void plic_free(struct umbra_vdev *dev)
{
	struct plic *plic = to_plic(dev);

	kvfree(plic->regs);
	kfree(plic);
}

const struct umbra_vdev_ops umbra_plic_ops = {
	.name		= "umbra-plic",
	.span		= UMBRA_PLIC_SPAN,
	.required	= BIT(UMBRA_DEV_CONFIG_ADDR) |
			  BIT(UMBRA_DEV_CONFIG_SOURCES) |
			  BIT(UMBRA_DEV_CONFIG_HARTS) |
			  BIT(UMBRA_DEV_CONFIG_CONTEXTS),
	.irqchip	= true,
	.alloc		= plic_alloc,
	.free		= plic_free,
	.prepare	= plic_prepare,
	.access		= plic_access,
	.set_irq	= plic_set_irq,
	.pulse_irq	= plic_pulse_irq,
};
