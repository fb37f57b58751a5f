/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine boots: firmware, kernel and initial RAM disk, from the files to
 * guest memory, and where its harts start.
 */
#ifndef UMBRA_USER_BOOT_H
#define UMBRA_USER_BOOT_H

#include "image.h"
#include "machine.h"
#include "memory.h"
#include "options.h"

/**
 * struct boot_file - a file that goes to guest memory
 * @what: "kernel" or "firmware", for messages
 * @path: NULL: there is none
 * @data: its content
 * @image: what of it goes where
 */
struct boot_file {
	const char *what;
	const char *path;
	u8 *data;
	struct image image;
};

/**
 * struct boot - what a machine boots
 * @firmware: runs first, in M-mode
 * @kernel: what the firmware starts; without firmware what runs first
 * @initrd_fd: -1: none
 * @initrd_path: for messages
 * @initrd_size: bytes
 * @end: first address after firmware and kernel
 */
struct boot {
	struct boot_file firmware;
	struct boot_file kernel;
	int initrd_fd;
	const char *initrd_path;
	u64 initrd_size;
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

/* Where the first instruction after the reset vector, or of S-mode, is. */
u64 boot_entry(const struct boot *b);

/* What an fw_dynamic firmware is to start: the kernel; 0: nothing. */
u64 boot_next(const struct boot *b);

#endif /* UMBRA_USER_BOOT_H */
