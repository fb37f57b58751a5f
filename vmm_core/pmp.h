/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Physical memory protection of a virtual hart with M-mode (privileged spec,
 * section 3.7): the registers, what an access may do, and how large a block
 * has the same answer everywhere.
 *
 * Pure.  16 entries, granularity 4 bytes (G = 0).  Owned by the thread that
 * runs the vCPU; machine.c writes the registers, shadow_mmu asks.
 */
#ifndef UMBRA_PMP_H
#define UMBRA_PMP_H

#include "base.h"

#define UMBRA_PMP_ENTRIES	16

/* pmpcfg (section 3.7.1). */
#define V_PMP_R			0x01
#define V_PMP_W			0x02
#define V_PMP_X			0x04
#define V_PMP_RWX		0x07
#define V_PMP_A			0x18
#define V_PMP_TOR		0x08
#define V_PMP_NA4		0x10
#define V_PMP_NAPOT		0x18
#define V_PMP_L			0x80
/* Bits 55:2 of an address. */
#define V_PMP_ADDR		0x003fffffffffffffULL

/**
 * struct umbra_pmp_region - what one entry that is not off covers
 * @first: its first byte
 * @last: its last byte
 * @cfg: its pmpcfg byte
 */
struct umbra_pmp_region {
	u64 first;
	u64 last;
	u64 cfg;
};

/**
 * struct umbra_pmp - the registers, and the regions that they stand for
 * @cfg: pmpcfg, a byte each
 * @addr: pmpaddr
 * @nr: elements of @region in use
 * @region: entries that can match, in order of priority; derived
 */
struct umbra_pmp {
	u8 cfg[UMBRA_PMP_ENTRIES];
	u64 addr[UMBRA_PMP_ENTRIES];
	u64 nr;
	struct umbra_pmp_region region[UMBRA_PMP_ENTRIES];
};

/* pmpcfg0 is @n = 0, pmpcfg2 is @n = 1: eight entries each. */
u64 umbra_pmp_read_cfg(const struct umbra_pmp *pmp, unsigned int n);

/*
 * Write with the WARL rules and locks (sections 3.7.1 and 3.7.1.2).
 * Return: whether any access may now be judged differently.
 */
bool umbra_pmp_write_cfg(struct umbra_pmp *pmp, unsigned int n, u64 val);
bool umbra_pmp_write_addr(struct umbra_pmp *pmp, unsigned int entry, u64 val);

/*
 * Write pmpcfg or pmpaddr, by CSR number, whatever is locked: a state that was
 * saved comes back.
 */
void umbra_pmp_load(struct umbra_pmp *pmp, u16 csr, u64 val);

/**
 * umbra_pmp_perm() - what may be done with @len bytes at @addr
 * @machine: by M-mode, which only locked entries restrict
 *
 * Return: V_PMP_R, W, X; 0 also where an entry matches a part of it only.
 */
unsigned int umbra_pmp_perm(const struct umbra_pmp *pmp, u64 addr,
			    unsigned int len, bool machine);

/**
 * umbra_pmp_block() - the largest block around @addr that is judged as one
 * @order: log2 of the largest size of interest, 2 to 63
 * @perm: result: the permissions of every access inside the block
 *
 * Return: log2 of the size of the largest naturally aligned block around
 * @addr, up to @order, all of whose bytes have the same matching entry, or
 * none.  At least 2.
 */
unsigned int umbra_pmp_block(const struct umbra_pmp *pmp, u64 addr,
			     bool machine, unsigned int order,
			     unsigned int *perm);

#endif /* UMBRA_PMP_H */
