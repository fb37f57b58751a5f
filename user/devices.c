// SPDX-License-Identifier: GPL-2.0
/*
 * The machine's in-kernel devices; see devices.h.  What there is, and where,
 * is data in machine.c; this file turns a row of that table into ioctls.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../uapi/umbra.h"
#include "devices.h"

static const u32 vdev_type[] = {
	[VDEV_PLIC]	= UMBRA_DEV_TYPE_PLIC,
	[VDEV_ACLINT]	= UMBRA_DEV_TYPE_ACLINT,
	[VDEV_FINISHER]	= UMBRA_DEV_TYPE_FINISHER,
	[VDEV_RTC]	= UMBRA_DEV_TYPE_RTC,
	[VDEV_UART]	= UMBRA_DEV_TYPE_UART,
	[VDEV_VIRTIO]	= UMBRA_DEV_TYPE_VIRTIO_BLK,
};

static int refused(const struct vdev_desc *d, const char *what)
{
	return fail(STATUS_UNAVAILABLE, "the module refuses %s of the in-kernel %s: %s; do module and launcher belong together? (`umbra check`)",
		    what, d->name, strerror(errno));
}

static int set_config(const struct vdev_desc *d, int fd, u64 attr,
		      const char *what, u64 val)
{
	struct kvm_device_attr a = {
		.group = UMBRA_DEV_GRP_CONFIG,
		.attr = attr,
		.addr = (uintptr_t)&val,
	};

	if (ioctl(fd, KVM_SET_DEVICE_ATTR, &a) < 0)
		return refused(d, what);
	return 0;
}

static int configure_disk(const struct vdev_desc *d, const struct machine *m,
			  int fd)
{
	const struct disk *disk = &m->disks[d->index];
	u64 serial[3] = { 0 };
	int ret;

	for (unsigned int i = 0; disk->serial[i]; i++)
		serial[i / 8] |= (u64)(u8)disk->serial[i] << (8 * (i % 8));

	ret = set_config(d, fd, UMBRA_DEV_CONFIG_FILE, "the file",
			 (u64)m->disk_fd[d->index]);
	if (!ret)
		ret = set_config(d, fd, UMBRA_DEV_CONFIG_READONLY, "readonly",
				 disk->readonly);
	if (!ret)
		ret = set_config(d, fd, UMBRA_DEV_CONFIG_LEGACY, "legacy",
				 disk->legacy);
	for (u64 i = 0; i < ARRAY_SIZE(serial) && !ret; i++)
		ret = set_config(d, fd, UMBRA_DEV_CONFIG_SERIAL0 + i,
				 "the serial number", serial[i]);
	return ret;
}

static int configure(const struct vdev_desc *d, const struct machine *m, int fd)
{
	struct kvm_device_attr init = {
		.group = UMBRA_DEV_GRP_CTRL,
		.attr = UMBRA_DEV_CTRL_INIT,
	};
	int ret;

	ret = set_config(d, fd, UMBRA_DEV_CONFIG_ADDR, "the address", d->base);
	if (!ret && d->irq)
		ret = set_config(d, fd, UMBRA_DEV_CONFIG_IRQ, "the interrupt",
				 d->irq);
	if (!ret && (d->kind == VDEV_PLIC || d->kind == VDEV_ACLINT))
		ret = set_config(d, fd, UMBRA_DEV_CONFIG_HARTS, "the harts",
				 m->nr_cpus);
	if (!ret && d->kind == VDEV_PLIC)
		ret = set_config(d, fd, UMBRA_DEV_CONFIG_SOURCES,
				 "the sources", PLIC_SOURCES);
	/* M and S; or S alone, where there is no M-mode to interrupt. */
	if (!ret && d->kind == VDEV_PLIC)
		ret = set_config(d, fd, UMBRA_DEV_CONFIG_CONTEXTS,
				 "the contexts", m->m_mode ? 2 : 1);
	if (!ret && d->kind == VDEV_VIRTIO && d->index < m->nr_disks)
		ret = configure_disk(d, m, fd);
	if (!ret && ioctl(fd, KVM_SET_DEVICE_ATTR, &init) < 0)
		ret = refused(d, "the start");
	return ret;
}

static int create_one(struct devices *devs, const struct vdev_desc *d,
		      const struct machine *m, int vm_fd)
{
	struct kvm_create_device cd = { .type = vdev_type[d->kind] };
	int fd, flags;

	if (ioctl(vm_fd, KVM_CREATE_DEVICE, &cd) < 0) {
		if (errno == ENODEV || errno == ENOTTY || errno == EINVAL)
			return fail(STATUS_UNAVAILABLE, "this device has no in-kernel %s, so it is not Umbra's, or its module is older than this launcher; use /dev/umbra of the module that came with it",
				    d->name);
		return refused(d, "the making");
	}
	fd = (int)cd.fd;
	if (devs->nr == MAX_VDEVS) {
		close(fd);
		return fail(STATUS_SYSTEM, "more than %d devices", MAX_VDEVS);
	}
	devs->fds[devs->nr++] = fd;

	if (d->kind == VDEV_UART) {
		flags = fcntl(fd, F_GETFL);
		if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
			return refused(d, "O_NONBLOCK");
		devs->uart_fd[d->index] = fd;
	}
	return configure(d, m, fd);
}

int devices_create(struct devices *devs, const struct machine *m, int vm_fd)
{
	int ret;

	devs->nr = 0;
	for (unsigned int i = 0; i < MACHINE_MAX_UARTS; i++)
		devs->uart_fd[i] = -1;

	for (unsigned int i = 0; i < machine_nr_vdevs; i++) {
		if (!machine_has(m, &machine_vdevs[i]))
			continue;
		ret = create_one(devs, &machine_vdevs[i], m, vm_fd);
		if (ret)
			return ret;
	}
	return 0;
}

void devices_send_break(struct devices *devs)
{
	struct kvm_device_attr a = {
		.group = UMBRA_DEV_GRP_CTRL,
		.attr = UMBRA_DEV_CTRL_BREAK,
	};

	if (ioctl(devs->uart_fd[0], KVM_SET_DEVICE_ATTR, &a) < 0)
		say("the break is not sent: %s", errno == EBUSY ?
		    "the guest has not received the one before" :
		    strerror(errno));
}

void devices_destroy(struct devices *devs)
{
	while (devs->nr)
		close(devs->fds[--devs->nr]);
	for (unsigned int i = 0; i < MACHINE_MAX_UARTS; i++)
		devs->uart_fd[i] = -1;
}
