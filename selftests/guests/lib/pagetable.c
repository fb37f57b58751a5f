// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables for the tests: Sv39, Sv48, Sv57. Tables come from the pool, which
 * every table maps one to one, so an entry can be changed while it is in use.
 */
#include "guest.h"

u64 pt_satp(const struct pt *pt, u64 asid)
{
	return pt->mode << 60 | asid << 44 | (u64)pt->root >> 12;
}

/* Level 0 is the last: 4 KiB. */
u64 *pt_entry(struct pt *pt, u64 va, int level)
{
	u64 *table = pt->root;

	for (int l = pt->levels - 1; ; l--) {
		u64 *e = &table[va >> (12 + 9 * l) & 511];

		if (l == level)
			return e;
		if (!(*e & PTE_V))
			*(volatile u64 *)e = PTE(page_alloc(), PTE_V);
		table = (u64 *)(*e >> 10 << 12);
	}
}

void pt_map_level(struct pt *pt, u64 va, u64 pa, u64 flags, int level)
{
	*(volatile u64 *)pt_entry(pt, va, level) = PTE(pa, flags);
}

void pt_map(struct pt *pt, u64 va, u64 pa, u64 flags)
{
	pt_map_level(pt, va, pa, flags, 0);
}

void pt_init(struct pt *pt, u64 mode)
{
	pt->mode = mode;
	pt->levels = 3 + (mode - SV39);
	pt->root = page_alloc();
	pt_map_level(pt, IMAGE_BASE, IMAGE_BASE, PTE_RWX_S, 1);
	for (u64 a = POOL_BASE; a < BIG_END; a += 0x200000)
		pt_map_level(pt, a, a, PTE_RWX_S, 1);
	pt_map_level(pt, USER_IMAGE, IMAGE_BASE, PTE_RWX_U, 1);
}

void pt_load(const struct pt *pt)
{
	csr_write(satp, pt_satp(pt, 0));
	sfence();
}

void pt_off(void)
{
	csr_write(satp, 0);
}

bool mode_supported(u64 mode)
{
	static u8 known[16];	/* 0: not yet, 1: no, 2: yes */

	if (!known[mode]) {
		struct pt pt;
		u64 old = csr_read(satp);

		pt_init(&pt, mode);
		csr_write(satp, pt_satp(&pt, 0));
		known[mode] = csr_read(satp) >> 60 == mode ? 2 : 1;
		csr_write(satp, old);
		sfence();
	}
	return known[mode] == 2;
}
