// SPDX-License-Identifier: GPL-2.0
/*
 * The machine a guest sees; see machine.h.
 */
#include <errno.h>
#include <string.h>

#include "machine.h"

const struct vdev_desc machine_vdevs[] = {
	{ "PLIC",     VDEV_PLIC,     0x0c000000, 0x600000, 0,  0 },
	{ "ACLINT",   VDEV_ACLINT,   0x02000000, 0x10000, 0,  0 },
	{ "finisher", VDEV_FINISHER, 0x00100000, 0x1000,   0,  0 },
	{ "RTC",      VDEV_RTC,      0x00101000, 0x1000,   11, 0 },
	{ "UART 0",   VDEV_UART,     0x10000000, 0x100,    10, 0 },
	{ "UART 1",   VDEV_UART,     0x10000100, 0x100,    12, 1 },
	{ "UART 2",   VDEV_UART,     0x10000200, 0x100,    13, 2 },
	{ "UART 3",   VDEV_UART,     0x10000300, 0x100,    14, 3 },
	{ "disk 0",   VDEV_VIRTIO,   0x10001000, 0x1000,   1,  0 },
	{ "disk 1",   VDEV_VIRTIO,   0x10002000, 0x1000,   2,  1 },
	{ "disk 2",   VDEV_VIRTIO,   0x10003000, 0x1000,   3,  2 },
	{ "disk 3",   VDEV_VIRTIO,   0x10004000, 0x1000,   4,  3 },
	{ "disk 4",   VDEV_VIRTIO,   0x10005000, 0x1000,   5,  4 },
	{ "disk 5",   VDEV_VIRTIO,   0x10006000, 0x1000,   6,  5 },
	{ "disk 6",   VDEV_VIRTIO,   0x10007000, 0x1000,   7,  6 },
	{ "disk 7",   VDEV_VIRTIO,   0x10008000, 0x1000,   8,  7 },
};

const unsigned int machine_nr_vdevs = ARRAY_SIZE(machine_vdevs);

/* The first GiB is what every early boot stage can reach. */
#define EARLY_REACH	GIB
#define DTB_ALIGN	(64 * KIB)
#define INITRD_ALIGN	(4 * KIB)

bool machine_has(const struct machine *m, const struct vdev_desc *dev)
{
	switch (dev->kind) {
	case VDEV_UART:
		return dev->index < m->nr_uarts;
	case VDEV_ACLINT:
		return m->m_mode;
	default:
		return true;
	}
}

int machine_layout(struct machine *m, u64 kernel_end,
		   u64 initrd_size, u64 dtb_size)
{
	u64 top, room;

	/* Offsets into RAM: nothing here can wrap. */
	top = m->ram_size < EARLY_REACH ? m->ram_size : EARLY_REACH;
	kernel_end -= RAM_BASE;

	if (dtb_size > top)
		return -ENOSPC;
	top = ALIGN_DOWN(top - dtb_size, DTB_ALIGN);
	if (top < kernel_end)
		return -ENOSPC;
	m->dtb_addr = RAM_BASE + top;

	room = top - kernel_end;
	if (initrd_size > room)
		return -ENOSPC;
	m->initrd_start = m->dtb_addr;
	m->initrd_end = m->dtb_addr;
	if (!initrd_size)
		return 0;

	top = ALIGN_DOWN(top - initrd_size, INITRD_ALIGN);
	if (top < kernel_end)
		return -ENOSPC;
	m->initrd_start = RAM_BASE + top;
	m->initrd_end = m->initrd_start + initrd_size;
	return 0;
}

const char *satp_mode_name(unsigned int mode)
{
	switch (mode) {
	case SATP_MODE_SV39:
		return "sv39";
	case SATP_MODE_SV48:
		return "sv48";
	case SATP_MODE_SV57:
		return "sv57";
	default:
		return NULL;
	}
}

unsigned int satp_mode_by_name(const char *name)
{
	for (unsigned int m = SATP_MODE_SV39; m <= SATP_MODE_SV57; m++)
		if (!strcmp(name, satp_mode_name(m)))
			return m;
	return 0;
}
