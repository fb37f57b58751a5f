/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine boots: firmware, kernel and initial RAM disk, from the files to
 * guest memory, and where its harts start.
 *
 * In a machine with flash, what runs first, or what firmware in RAM starts, is in
 * flash; it asks fw_cfg for a kernel.
 */
#ifndef UMBRA_USER_BOOT_H
#define UMBRA_USER_BOOT_H

#include "fw_cfg.h"
#include "image.h"
#include "machine.h"
#include "memory.h"
#include "options.h"

/**
 * struct boot_file - a file that goes to guest memory
 * @what: "kernel" or "firmware", for messages
 * @path: NULL: there is none
 * @data: its content
 * @len: bytes
 * @image: what of it goes where
 */
struct boot_file {
	const char *what;
	const char *path;
	u8 *data;
	size_t len;
	struct image image;
};

/**
 * struct boot - what a machine boots
 * @firmware: runs first, in M-mode
 * @kernel: what the firmware starts; without firmware what runs first
 * @initrd: the initial RAM disk, for fw_cfg
 * @initrd_fd: the same, for guest memory; -1: none
 * @initrd_size: bytes that it takes there
 * @flash: kernel and initrd go to fw_cfg, not to guest memory
 * @end: first address after firmware and kernel
 */
struct boot {
	struct boot_file firmware;
	struct boot_file kernel;
	struct boot_file initrd;
	int initrd_fd;
	u64 initrd_size;
	bool flash;
	u64 end;
};

#define BOOT_NONE	{ .initrd_fd = -1 }

/*
 * Read the files and find their places.  Before anything else is made: a wrong
 * file is the most common mistake.  The caller calls boot_close() in any case.
 * Return: 0 or a status, said.
 */
int boot_open(struct boot *b, const struct run_options *opt);
void boot_close(struct boot *b);

/*
 * Write them to guest memory, with zeros where they want zeros.  The initrd goes
 * where machine_layout() put it.  Return: 0 or a status, said.
 */
int boot_load(struct boot *b, const struct machine *m,
	      const struct guest_ram *ram);

/* Offer kernel and initrd to firmware; they stay ours. */
void boot_offer(const struct boot *b, struct fw_cfg *c);

/* Where the first instruction after the reset vector, or of S-mode, is. */
u64 boot_entry(const struct boot *b);

/* What an fw_dynamic firmware is to start; 0: nothing. */
u64 boot_next(const struct boot *b);

#endif /* UMBRA_USER_BOOT_H */
