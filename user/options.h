/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line of `umbra run`.  Pure C.
 */
#ifndef UMBRA_USER_OPTIONS_H
#define UMBRA_USER_OPTIONS_H

#include "machine.h"

/* --bios: M-mode, and no firmware in it. */
#define BIOS_NONE	"none"

/* --pflash: a bank of flash, in order. */
struct pflash_option {
	char path[DISK_PATH];
	bool read_only;
};

struct run_options {
	const char *kernel;		/* NULL: none */
	const char *bios;		/* NULL: none, and no M-mode; or BIOS_NONE */
	const char *initrd;		/* NULL: none */
	const char *append;		/* NULL: none */
	const char *dump_dtb;		/* NULL: run */
	const char *stats;		/* NULL: none */
	const char *device;
	const char *serial[MACHINE_MAX_UARTS - 1];
	unsigned int nr_serial;
	struct disk disk[MACHINE_MAX_DISKS];
	unsigned int nr_disks;
	struct pflash_option pflash[FLASH_BANKS];
	unsigned int nr_pflash;
	u64 memory;
	unsigned int cpus;
	unsigned int satp_mode;		/* 0: the host's default for guests */
	bool no_reboot;
	bool registers;
	bool help;
};

/*
 * argv[0] is "run".  Checks what can be checked without looking at the host.
 * Return: 0 or STATUS_USAGE, said.
 */
int run_options_parse(int argc, char **argv, struct run_options *opt);

/* What --help prints: one screen. */
extern const char run_help[];

#endif /* UMBRA_USER_OPTIONS_H */
