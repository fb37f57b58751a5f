/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine a guest sees, as data: QEMU's `virt` memory map, as far as
 * Umbra has the devices.  devices.c makes the devices of this table, fdt.c
 * describes them to the guest, cmd_run.c fills in the rest.  Pure C.
 */
#ifndef UMBRA_USER_MACHINE_H
#define UMBRA_USER_MACHINE_H

#include "isa.h"
#include "util.h"

#define RAM_BASE		0x80000000ULL

/* Two banks of FLASH_SIZE (flash.h), one behind the other. */
#define FLASH_BASE		0x20000000ULL
#define FLASH_BANKS		2

#define MACHINE_MAX_UARTS	4	/* the console and three --serial */
#define MACHINE_MAX_DISKS	8	/* virtio-mmio slots */
#define MACHINE_MAX_CPUS	1024	/* what the lists here are sized for */
#define MACHINE_MIN_RAM		(4 * MIB)
#define MACHINE_DEFAULT_RAM	(512 * MIB)

/* The highest source number; QEMU's 96 count source 0, which is none. */
#define PLIC_SOURCES		95
#define UART_CLOCK		3686400

/* What the finisher takes (QEMU's sifive_test). */
#define FINISHER_PASS		0x5555
#define FINISHER_RESET		0x7777

/* Values of satp.MODE, as config.satp_mode has them. */
#define SATP_MODE_SV39		8
#define SATP_MODE_SV48		9
#define SATP_MODE_SV57		10

enum vdev_kind {
	VDEV_PLIC,
	VDEV_ACLINT,
	VDEV_FINISHER,
	VDEV_RTC,
	VDEV_UART,
	VDEV_VIRTIO,
};

struct vdev_desc {
	const char *name;	/* for messages */
	enum vdev_kind kind;
	u64 base;
	u64 size;
	unsigned int irq;	/* PLIC source; 0: none */
	unsigned int index;	/* n-th of its kind */
};

/* In the order in which they have to be made: the PLIC before its sources. */
extern const struct vdev_desc machine_vdevs[];
extern const unsigned int machine_nr_vdevs;

#define DISK_SECTOR		512
#define DISK_SERIAL		20
#define DISK_PATH		4096	/* PATH_MAX */

/* A disk, as the command line gives it. */
struct disk {
	char path[DISK_PATH];
	char serial[DISK_SERIAL + 1];
	bool readonly;
	bool legacy;		/* virtio-mmio version 1 */
};

struct machine {
	u64 ram_size;
	unsigned int nr_cpus;
	unsigned int nr_uarts;
	bool m_mode;		/* harts start in M-mode, at the reset address */
	unsigned int nr_disks;
	const struct disk *disks;
	int disk_fd[MACHINE_MAX_DISKS];	/* of the first nr_disks; -1: not open */
	bool flash;		/* both banks are there */
	bool fw_cfg;
	struct isa isa;
	u64 timebase;		/* Hz */
	unsigned int satp_mode;		/* SATP_MODE_*; 0: not known */
	const char *bootargs;		/* NULL: none */
	u64 initrd_start;
	u64 initrd_end;		/* == initrd_start: no initrd */
	u64 dtb_addr;
	u8 rng_seed[32];
};

/*
 * Does this machine have the device?  UARTs: as many as asked for; the ACLINT:
 * where there is an M-mode to interrupt; virtio: all slots, those without a disk
 * being empty.
 */
bool machine_has(const struct machine *m, const struct vdev_desc *dev);

/*
 * Place device tree and initrd: the device tree at the end of the first GiB
 * of RAM (or of RAM), the initrd right below it, both clear of everything
 * below @kernel_end.  Needs ram_size; sets dtb_addr, initrd_start and
 * initrd_end.
 * Return: 0, or -ENOSPC when RAM is too small.
 */
int machine_layout(struct machine *m, u64 kernel_end,
		   u64 initrd_size, u64 dtb_size);

/* "sv48" for 9; NULL for a mode there is no name for. */
const char *satp_mode_name(unsigned int mode);

/* 9 for "sv48"; 0 when there is no such mode. */
unsigned int satp_mode_by_name(const char *name);

#endif /* UMBRA_USER_MACHINE_H */
