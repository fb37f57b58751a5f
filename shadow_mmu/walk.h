/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest page-table walk: gva -> gpa with the guest's own tables.
 *
 * Pure.  Implements the address-translation algorithm of the privileged
 * specification (section 10.3.2) for Sv39, Sv48 and Sv57, bit for bit: which
 * fault, and in which order.  Memory is reached through two callbacks, so the
 * native tests can walk tables in an array.
 */
#ifndef UMBRA_WALK_H
#define UMBRA_WALK_H

#include "../vmm_core/access.h"
#include "../vmm_core/base.h"
#include "../vmm_core/csr_bits.h"

#define UMBRA_MAX_LEVELS	5

/* Outcomes of a walk, besides 0 and the callbacks' own errors. */
#define UMBRA_WALK_PAGE_FAULT	1
#define UMBRA_WALK_ACCESS_FAULT	2

/**
 * struct umbra_walk_ops - guest-physical memory as the walker sees it
 * @read_pte: read 8 aligned bytes in one access.  0; -EFAULT where there is
 *	no memory; -EAGAIN and others are passed through.
 * @cmpxchg_pte: if *gpa == old, store new, atomically.  0 when stored,
 *	-EAGAIN when the value had changed; else as above.
 */
struct umbra_walk_ops {
	int (*read_pte)(void *ctx, u64 gpa, u64 *pte);
	int (*cmpxchg_pte)(void *ctx, u64 gpa, u64 old, u64 new);
};

/**
 * struct umbra_walk - request and result
 * @satp: guest satp
 * @user: access with U privilege
 * @sum: sstatus.SUM, @mxr: sstatus.MXR (ignored for user resp. exec)
 * @svade: clear A or D is a page fault, else they are set
 * @access: what the access is
 * @gpa: result: address of the byte at the gva
 * @level: result: level of the leaf, 0 for a 4 KiB page; satp off: 0
 * @top: result: level of the root table (2, 3, 4)
 * @table: result: gfn of the table at each level that was read
 * @pte: result: PTE at each level, A and D updates included
 */
struct umbra_walk {
	u64 satp;
	bool user;
	bool sum;
	bool mxr;
	bool svade;
	enum umbra_access access;
	u64 gpa;
	int level;
	int top;
	u64 table[UMBRA_MAX_LEVELS];
	u64 pte[UMBRA_MAX_LEVELS];
};

/* Level of the root table for a satp value; -1 when translation is off. */
static inline int umbra_walk_top(u64 satp)
{
	u64 mode = satp >> V_SATP_MODE_SHIFT;

	return mode == V_SATP_BARE ? -1 : (int)(mode - V_SATP_SV39) + 2;
}

/* Index of @va in a table of @level. */
static inline unsigned int umbra_va_index(u64 va, int level)
{
	return (va >> (12 + 9 * level)) & 511;
}

/* Is @va a sign-extended address of a table with root level @top? */
static inline bool umbra_va_canonical(u64 va, int top)
{
	int shift = 63 - (12 + 9 * (top + 1) - 1);

	return (u64)((s64)(va << shift) >> shift) == va;
}

static inline bool umbra_pte_leaf(u64 pte)
{
	return pte & (V_PTE_R | V_PTE_W | V_PTE_X);
}

/**
 * umbra_walk() - translate @va
 *
 * Return: 0, UMBRA_WALK_PAGE_FAULT, UMBRA_WALK_ACCESS_FAULT, or a negative
 * error of a callback other than -EFAULT.
 */
int umbra_walk(struct umbra_walk *walk, u64 va,
	       const struct umbra_walk_ops *ops, void *ctx);

#endif /* UMBRA_WALK_H */
