/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of vdev/ share: the device, its operations, and the inner
 * side of the bus.  Nothing outside vdev/ includes this.
 *
 * To add a device: a file with a struct umbra_vdev_ops, a line in objects.mk,
 * a row in the table of device.c, its type in ../uapi/umbra.h.
 *
 * Locks, outermost first:
 *	vdev->lock	mutex: configuration, going live
 *	bus->lock	mutex: the list of devices, writers of the map
 *	a device's own	spinlock_t: its register file; bottom halves off where
 *			a soft hrtimer takes it too
 *	the PLIC's	raw_spinlock_t, interrupts off: any context may raise a
 *			line; umbra_vm_set_pin() runs below it
 *	the ACLINT's	likewise; neither is taken below the other
 */
#ifndef UMBRA_VDEV_DEVICE_H
#define UMBRA_VDEV_DEVICE_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>

#include "../uapi/umbra.h"
#include "vdev.h"

#define UMBRA_DEV_NR_CONFIG	(UMBRA_DEV_CONFIG_SERIAL2 + 1)

struct umbra_vdev_ops;

/**
 * struct umbra_vdev - what all devices have; first member of each one's struct
 * @ops: what this one does
 * @vm: the machine; a reference is held by the device's open file
 * @bus: that machine's bus, which owns the device
 * @node: on the bus's list
 * @lock: protects @config and @configured until @live, and @live
 * @config: UMBRA_DEV_GRP_CONFIG attributes; constant once live
 * @configured: bit n: @config[n] was set
 * @live: UMBRA_DEV_CTRL_INIT succeeded
 */
struct umbra_vdev {
	const struct umbra_vdev_ops *ops;
	struct umbra_vm *vm;
	struct umbra_bus *bus;
	struct list_head node;
	struct mutex lock;	/* configuration, going live */
	u64 config[UMBRA_DEV_NR_CONFIG];
	u32 configured;
	bool live;
};

/**
 * struct umbra_vdev_ops - a kind of device
 * @name: of its file, as in /proc/PID/fd
 * @span: bytes of address space
 * @sswi_span: bytes of a second range, where CONFIG attribute SSWI says; what
 *	lies there has the offsets from @span on
 * @required: bit n: CONFIG attribute n must be set before INIT
 * @optional: bit n: CONFIG attribute n may be set; else it is 0
 * @ctrls: bit n: @ctrl takes CTRL attribute n; never INIT, which all have
 * @irqchip: a VM has at most one of these; @set_irq and @pulse_irq exist
 *
 * @alloc: make one, everything but the umbra_vdev initialised; NULL: no memory
 * @free: the opposite; nobody can reach it any more
 * @prepare: optional; INIT asks whether the configuration will do.  Called
 *	again if INIT fails later and is repeated.  dev->lock is held
 * @stop: optional; the VM ends: no timer runs when this returns.  Other
 *	devices still exist
 * @time_changed: optional; the guest's time was set.  Any context, may not sleep
 * @access: the guest's access, inside the span and naturally aligned; -EFAULT
 *	if it is of a kind that the device does not answer.  Process context
 * @set_irq: drive a line; any context
 * @pulse_irq: an edge; any context
 * @ctrl: a CTRL attribute is set
 *
 * @read: a device with @read is a stream; as in file_operations
 * @write: likewise
 * @poll: likewise
 * @close: optional; the last descriptor is gone, the device is not
 */
struct umbra_vdev_ops {
	const char *name;
	u32 span;
	u32 sswi_span;
	u32 required;
	u32 optional;
	u32 ctrls;
	bool irqchip;

	struct umbra_vdev *(*alloc)(void);
	void (*free)(struct umbra_vdev *dev);
	int (*prepare)(struct umbra_vdev *dev);
	void (*stop)(struct umbra_vdev *dev);
	void (*time_changed)(struct umbra_vdev *dev);
	int (*access)(struct umbra_vdev *dev, u32 offset, unsigned int len,
		      bool write, u64 *val);
	int (*set_irq)(struct umbra_vdev *dev, u32 source, bool level);
	int (*pulse_irq)(struct umbra_vdev *dev, u32 source);
	int (*ctrl)(struct umbra_vdev *dev, u64 attr);

	ssize_t (*read)(struct umbra_vdev *dev, char __user *buf, size_t count,
			bool nonblock);
	ssize_t (*write)(struct umbra_vdev *dev, const char __user *buf,
			 size_t count, bool nonblock);
	__poll_t (*poll)(struct umbra_vdev *dev, struct file *file,
			 poll_table *wait);
	void (*close)(struct umbra_vdev *dev);
};

/* One per device file. */
extern const struct umbra_vdev_ops umbra_plic_ops;
extern const struct umbra_vdev_ops umbra_uart_ops;
extern const struct umbra_vdev_ops umbra_rtc_ops;
extern const struct umbra_vdev_ops umbra_finisher_ops;
extern const struct umbra_vdev_ops umbra_aclint_ops;
extern const struct umbra_vdev_ops umbra_virtio_blk_ops;

/* bus.c */
int umbra_bus__add(struct umbra_bus *bus, struct umbra_vdev *dev);
void umbra_bus__remove(struct umbra_bus *bus, struct umbra_vdev *dev);
int umbra_bus__connect(struct umbra_bus *bus, struct umbra_vdev *dev);

/* Drive the interrupt line that user space gave to @dev, if any. */
static inline void umbra_vdev__set_irq(struct umbra_vdev *dev, bool level)
{
	u32 irq = dev->config[UMBRA_DEV_CONFIG_IRQ];

	if (irq)
		umbra_bus__set_irq(dev->bus, irq, level);
}

#endif /* UMBRA_VDEV_DEVICE_H */
