/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The mask ROM at the reset address: what a hart that starts in M-mode executes
 * first.  Byte for byte what QEMU's `virt` machine has there.  Pure C.
 */
#ifndef UMBRA_USER_MROM_H
#define UMBRA_USER_MROM_H

#include <stddef.h>

#include "util.h"

#define MROM_BASE	0x1000ULL
#define MROM_SIZE	0xf000ULL

/**
 * struct mrom_boot - what the ROM passes on
 * @start: where it jumps to, with a0 = mhartid
 * @dtb: a1
 * @next: entry of what an OpenSBI fw_dynamic, told by a2, starts in S-mode; 0:
 *	there is none
 */
struct mrom_boot {
	u64 start;
	u64 dtb;
	u64 next;
};

/* Bytes of the ROM that are not zero. */
#define MROM_USED	88

/* Write them to @rom. */
void mrom_build(u8 rom[MROM_USED], const struct mrom_boot *boot);

#endif /* UMBRA_USER_MROM_H */
