// SPDX-License-Identifier: GPL-2.0
/*
 * In-kernel devices as user space sees them: KVM_CREATE_DEVICE, and the file
 * descriptor that it returns, with attributes and, for some, a stream.
 *
 * vmm_core calls umbra_vdev__create(); the rest is called through the file.
 * An open file holds a reference on the VM and, by its f_op, on the module.
 * The device itself belongs to the bus and outlives the file.
 *
 * Lock order: device.h.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "device.h"
#include "plic.h"

/* Indexed by type - UMBRA_DEV_TYPE_BASE. */
static const struct umbra_vdev_ops *const vdev_types[] = {
	[UMBRA_DEV_TYPE_PLIC - UMBRA_DEV_TYPE_BASE] = &umbra_plic_ops,
	[UMBRA_DEV_TYPE_UART - UMBRA_DEV_TYPE_BASE] = &umbra_uart_ops,
	[UMBRA_DEV_TYPE_RTC - UMBRA_DEV_TYPE_BASE] = &umbra_rtc_ops,
	[UMBRA_DEV_TYPE_FINISHER - UMBRA_DEV_TYPE_BASE] = &umbra_finisher_ops,
	[UMBRA_DEV_TYPE_ACLINT - UMBRA_DEV_TYPE_BASE] = &umbra_aclint_ops,
	[UMBRA_DEV_TYPE_VIRTIO_BLK - UMBRA_DEV_TYPE_BASE] = &umbra_virtio_blk_ops,
};

/*
 * What each CONFIG attribute may be, whichever device has it.  Addresses are
 * aligned, so that no naturally aligned access crosses the start of a device.
 */
static const struct {
	u64 min;
	u64 max;
	u64 align;
} config_limits[UMBRA_DEV_NR_CONFIG] = {
	[UMBRA_DEV_CONFIG_ADDR] = { 0, U64_MAX, 8 },
	[UMBRA_DEV_CONFIG_IRQ] = { 0, UMBRA_PLIC_MAX_SOURCES, 1 },
	[UMBRA_DEV_CONFIG_SOURCES] = { 1, UMBRA_PLIC_MAX_SOURCES, 1 },
	[UMBRA_DEV_CONFIG_HARTS] = { 1, UMBRA_PLIC_MAX_CONTEXTS, 1 },
	[UMBRA_DEV_CONFIG_CONTEXTS] = { 1, 2, 1 },
	[UMBRA_DEV_CONFIG_SSWI] = { 0, U64_MAX, 8 },
	[UMBRA_DEV_CONFIG_FILE] = { 0, INT_MAX, 1 },
	[UMBRA_DEV_CONFIG_READONLY] = { 0, 1, 1 },
	[UMBRA_DEV_CONFIG_LEGACY] = { 0, 1, 1 },
	[UMBRA_DEV_CONFIG_SERIAL0] = { 0, U64_MAX, 1 },
	[UMBRA_DEV_CONFIG_SERIAL1] = { 0, U64_MAX, 1 },
	[UMBRA_DEV_CONFIG_SERIAL2] = { 0, U32_MAX, 1 },
};

u32 umbra_vdev__types(void)
{
	u32 types = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(vdev_types); i++)
		if (vdev_types[i])
			types |= BIT(i);
	return types;
}

static const struct umbra_vdev_ops *type_ops(u32 type)
{
	u32 i = type - UMBRA_DEV_TYPE_BASE;

	if (i >= ARRAY_SIZE(vdev_types))
		return NULL;
	return vdev_types[array_index_nospec(i, ARRAY_SIZE(vdev_types))];
}

/* --- attributes ---------------------------------------------------------- */

static bool has_config(const struct umbra_vdev *dev, u64 attr)
{
	u32 known = dev->ops->required | dev->ops->optional;

	return attr < UMBRA_DEV_NR_CONFIG && (known & BIT(attr));
}

static bool has_ctrl(const struct umbra_vdev *dev, u64 attr)
{
	if (attr == UMBRA_DEV_CTRL_INIT)
		return true;
	return attr < 32 && (dev->ops->ctrls & BIT(attr));
}

static int has_attr(struct umbra_vdev *dev, const struct kvm_device_attr *attr)
{
	switch (attr->group) {
	case UMBRA_DEV_GRP_CONFIG:
		return has_config(dev, attr->attr) ? 0 : -ENXIO;
	case UMBRA_DEV_GRP_CTRL:
		return has_ctrl(dev, attr->attr) ? 0 : -ENXIO;
	default:
		return -ENXIO;
	}
}

static int set_config(struct umbra_vdev *dev, u64 attr, u64 __user *uptr)
{
	int ret = 0;
	u64 val;

	if (!has_config(dev, attr))
		return -ENXIO;
	attr = array_index_nospec(attr, UMBRA_DEV_NR_CONFIG);
	if (get_user(val, uptr))
		return -EFAULT;
	if (val < config_limits[attr].min || val > config_limits[attr].max ||
	    !IS_ALIGNED(val, config_limits[attr].align))
		return -EINVAL;

	mutex_lock(&dev->lock);
	if (dev->live) {
		ret = -EBUSY;
	} else {
		dev->config[attr] = val;
		dev->configured |= BIT(attr);
	}
	mutex_unlock(&dev->lock);
	return ret;
}

static int get_config(struct umbra_vdev *dev, u64 attr, u64 __user *uptr)
{
	u64 val;

	if (!has_config(dev, attr))
		return -ENXIO;
	attr = array_index_nospec(attr, UMBRA_DEV_NR_CONFIG);

	mutex_lock(&dev->lock);
	val = dev->config[attr];
	mutex_unlock(&dev->lock);
	return put_user(val, uptr);
}

/* UMBRA_DEV_CTRL_INIT */
static int go_live(struct umbra_vdev *dev)
{
	const struct umbra_vdev_ops *ops = dev->ops;
	int ret;

	mutex_lock(&dev->lock);
	if (dev->live)
		ret = -EBUSY;
	else if ((dev->configured & ops->required) != ops->required)
		ret = -EINVAL;
	else
		ret = ops->prepare ? ops->prepare(dev) : 0;
	if (!ret)
		ret = umbra_bus__connect(dev->bus, dev);
	if (!ret)
		dev->live = true;
	mutex_unlock(&dev->lock);
	return ret;
}

static int set_ctrl(struct umbra_vdev *dev, const struct kvm_device_attr *attr)
{
	if (!has_ctrl(dev, attr->attr))
		return -ENXIO;
	if (attr->addr)
		return -EINVAL;
	if (attr->attr == UMBRA_DEV_CTRL_INIT)
		return go_live(dev);
	return dev->ops->ctrl(dev, attr->attr);
}

static int set_attr(struct umbra_vdev *dev, const struct kvm_device_attr *attr)
{
	switch (attr->group) {
	case UMBRA_DEV_GRP_CONFIG:
		return set_config(dev, attr->attr, u64_to_user_ptr(attr->addr));
	case UMBRA_DEV_GRP_CTRL:
		return set_ctrl(dev, attr);
	default:
		return -ENXIO;
	}
}

static int get_attr(struct umbra_vdev *dev, const struct kvm_device_attr *attr)
{
	if (attr->group != UMBRA_DEV_GRP_CONFIG)
		return -ENXIO;
	return get_config(dev, attr->attr, u64_to_user_ptr(attr->addr));
}

/* --- the file ------------------------------------------------------------ */

static long vdev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct umbra_vdev *dev = file->private_data;
	struct kvm_device_attr attr;

	switch (cmd) {
	case KVM_SET_DEVICE_ATTR:
	case KVM_GET_DEVICE_ATTR:
	case KVM_HAS_DEVICE_ATTR:
		break;
	default:
		return -ENOTTY;
	}
	if (copy_from_user(&attr, (void __user *)arg, sizeof(attr)))
		return -EFAULT;
	if (attr.flags)
		return -EINVAL;

	if (cmd == KVM_SET_DEVICE_ATTR)
		return set_attr(dev, &attr);
	if (cmd == KVM_GET_DEVICE_ATTR)
		return get_attr(dev, &attr);
	return has_attr(dev, &attr);
}

static ssize_t vdev_read(struct file *file, char __user *buf, size_t count,
			 loff_t *ppos)
{
	struct umbra_vdev *dev = file->private_data;

	return dev->ops->read(dev, buf, count, file->f_flags & O_NONBLOCK);
}

static ssize_t vdev_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *ppos)
{
	struct umbra_vdev *dev = file->private_data;

	return dev->ops->write(dev, buf, count, file->f_flags & O_NONBLOCK);
}

static __poll_t vdev_poll(struct file *file, poll_table *wait)
{
	struct umbra_vdev *dev = file->private_data;

	return dev->ops->poll(dev, file, wait);
}

static int vdev_release(struct inode *inode, struct file *file)
{
	struct umbra_vdev *dev = file->private_data;

	if (dev->ops->close)
		dev->ops->close(dev);
	/* May be the last: then the device is gone. */
	umbra_vm_put(dev->vm);
	return 0;
}

static const struct file_operations vdev_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vdev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.release	= vdev_release,
};

static const struct file_operations vdev_stream_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vdev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.release	= vdev_release,
	.read		= vdev_read,
	.write		= vdev_write,
	.poll		= vdev_poll,
};

/* --- KVM_CREATE_DEVICE --------------------------------------------------- */

static struct umbra_vdev *vdev_new(const struct umbra_vdev_ops *ops,
				   struct umbra_vm *vm)
{
	struct umbra_vdev *dev = ops->alloc();

	if (!dev)
		return NULL;
	dev->ops = ops;
	dev->vm = vm;
	dev->bus = umbra_vm_bus(vm);
	mutex_init(&dev->lock);
	return dev;
}

static int vdev_open(struct umbra_vdev *dev)
{
	int fd;

	umbra_vm_get(dev->vm);
	fd = anon_inode_getfd(dev->ops->name,
			      dev->ops->read ? &vdev_stream_fops : &vdev_fops,
			      dev, O_RDWR | O_CLOEXEC);
	/* The caller holds a reference, too. */
	if (fd < 0)
		umbra_vm_put(dev->vm);
	return fd;
}

int umbra_vdev__create(struct umbra_vm *vm, struct kvm_create_device *cd)
{
	const struct umbra_vdev_ops *ops = type_ops(cd->type);
	struct umbra_vdev *dev;
	int ret;

	if (cd->flags & ~KVM_CREATE_DEVICE_TEST)
		return -EINVAL;
	if (!ops)
		return -ENODEV;
	if (cd->flags & KVM_CREATE_DEVICE_TEST)
		return 0;

	dev = vdev_new(ops, vm);
	if (!dev)
		return -ENOMEM;
	ret = umbra_bus__add(dev->bus, dev);
	if (ret)
		goto free;
	ret = vdev_open(dev);
	if (ret < 0)
		goto remove;
	cd->fd = ret;
	return 0;

remove:
	umbra_bus__remove(dev->bus, dev);
free:
	ops->free(dev);
	return ret;
}
