// SPDX-License-Identifier: GPL-2.0
/*
 * The test finisher on the bus.  No state, no lock.
 */
#include <linux/kvm.h>
#include <linux/slab.h>

#include "device.h"
#include "finisher.h"

static void finish(struct umbra_vdev *dev, u32 offset, u32 val)
{
	u32 code;

	switch (umbra_finisher__write(offset, val, &code)) {
	case UMBRA_FINISH_PASS:
		umbra_vm_system_event(dev->vm, KVM_SYSTEM_EVENT_SHUTDOWN, 0);
		break;
	case UMBRA_FINISH_FAIL:
		umbra_vm_system_event(dev->vm, KVM_SYSTEM_EVENT_CRASH, code);
		break;
	case UMBRA_FINISH_RESET:
		umbra_vm_system_event(dev->vm, KVM_SYSTEM_EVENT_RESET, 0);
		break;
	case UMBRA_FINISH_NOT:
		break;
	}
}

static int finisher_access(struct umbra_vdev *dev, u32 offset, unsigned int len,
			   bool write, u64 *val)
{
	if (!umbra_finisher__legal(offset, len))
		return -EFAULT;
	if (write)
		finish(dev, offset, *val);
	return 0;
}

static struct umbra_vdev *finisher_alloc(void)
{
	return kzalloc(sizeof(struct umbra_vdev), GFP_KERNEL_ACCOUNT);
}

static void finisher_free(struct umbra_vdev *dev)
{
	kfree(dev);
}

const struct umbra_vdev_ops umbra_finisher_ops = {
	.name		= "umbra-finisher",
	.span		= UMBRA_FINISHER_SPAN,
	.required	= BIT(UMBRA_DEV_CONFIG_ADDR),
	.alloc		= finisher_alloc,
	.free		= finisher_free,
	.access		= finisher_access,
};
