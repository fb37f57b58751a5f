// SPDX-License-Identifier: GPL-2.0
/*
 * MPRV: loads and stores of M-mode with the privilege of MPP, through the page
 * table of satp, while fetches stay physical.
 *
 * Privileged specification 3.1.6.3 (MPRV, MXR, SUM), 10.3 (translation).
 */
#include "machine.h"

/* Where the pages under test are, in the table alone. */
#define VA	0x40000000UL

static struct pt pt;
static u64 page;	/* what they map */

/* A table that maps nothing of the image: fetches would fail through it. */
static void setup(u64 mode)
{
	pt.mode = mode;
	pt.levels = 3 + (mode - SV39);
	pt.root = page_alloc();
	page = (u64)page_alloc();
	csr_write(satp, pt_satp(&pt, 0));
	sfence();
}

static void fill(u64 at)
{
	for (int i = 0; i < 512; i++)
		((volatile u64 *)at)[i] = at + 8 * i;
}

static u64 with_mpp(int prv)
{
	return (u64)prv << 11;
}

/* 0: allowed; else the cause. */
static u64 expect(u64 flags, int mpp, u64 bits, bool store)
{
	u64 fault = store ? CAUSE_STORE_PAGE : CAUSE_LOAD_PAGE;

	if (!(flags & PTE_V))
		return fault;
	if (mpp == PRV_U ? !(flags & PTE_U) : (flags & PTE_U) && !(bits & SR_SUM))
		return fault;
	if (store)
		return flags & PTE_W ? 0 : fault;
	return (flags & PTE_R) || ((bits & SR_MXR) && (flags & PTE_X)) ? 0 : fault;
}

TEST(matrix, "MPP, SUM, MXR against U, R, W, X: each load and store")
{
	static const u64 perms[] = {
		0, PTE_R, PTE_R | PTE_W, PTE_X, PTE_R | PTE_X, PTE_RWX,
	};

	FOR_EACH_MODE(mode) {
		setup(mode);
		fill(page);
		for (u32 p = 0; p < 2 * ARRAY_SIZE(perms); p++) {
			u64 flags = perms[p / 2] | (p & 1 ? PTE_U : 0);

			if (perms[p / 2])
				flags |= PTE_V | PTE_AD;
			pt_map(&pt, VA, page, flags);
			sfence();
			for (int n = 0; n < 8; n++) {
				u64 bits = (n & 1 ? SR_SUM : 0) | (n & 2 ? SR_MXR : 0);
				int mpp = n & 4 ? PRV_S : PRV_U;

				for (int store = 0; store < 2; store++) {
					char *fn = store ? do_sd : do_ld;
					u64 want = expect(flags, mpp, bits, store);

					try_mprv(fn, VA + 64, page + 64, bits | with_mpp(mpp));
					if (want)
						CHECK_TRAP("MPRV", want, VA + 64, (u64)fn);
					else
						CHECK_TRAP("MPRV", NO_TRAP, 0, 0);
					if (!want && !store)
						CHECK_EQ(call_result, page + 64);
				}
			}
		}
	}
}

TEST(mpp_machine, "with MPP = M, and without MPRV, M-mode's accesses are physical")
{
	setup(SV39);
	fill(page);
	CHECK_EQ(try_mprv(do_ld, page + 8, 0, with_mpp(PRV_M)), NO_TRAP);
	CHECK_EQ(call_result, page + 8);
	CHECK_EQ(call_as(PRV_M, do_ld, page + 16, 0), NO_TRAP);
	CHECK_EQ(call_result, page + 16);
	CHECK_EQ(try_mprv(do_ld, page + 8, 0, with_mpp(PRV_S)), CAUSE_LOAD_PAGE);
}

TEST(widths, "every width and kind of access, misaligned and over a page boundary")
{
	static char *const loads[] = { do_lb, do_lbu, do_lh, do_lhu, do_lw, do_lwu, do_ld };
	static char *const stores[] = { do_sb, do_sh, do_sw, do_sd };
	u64 second, v;

	setup(SV39);
	second = (u64)page_alloc();
	pt_map(&pt, VA, page, PTE_RW_S);
	pt_map(&pt, VA + 4096, second, PTE_RW_S);
	sfence();
	for (int off = 4088; off < 4100; off++)
		for (u32 i = 0; i < ARRAY_SIZE(loads); i++) {
			u64 at = off < 4096 ? page + off : second + off - 4096;

			fill(page);
			fill(second);
			/* What M-mode gets, byte by byte. */
			v = 0;
			for (int b = 7; b >= 0; b--) {
				u64 a = off + b < 4096 ? page + off + b :
					second + off + b - 4096;

				v = v << 8 | *(volatile u8 *)a;
			}
			(void)at;
			CHECK_EQ(try_mprv(loads[i], VA + off, 0, with_mpp(PRV_S)), NO_TRAP);
			switch (i) {
			case 0:
				v = (s8)v;
				break;
			case 1:
				v = (u8)v;
				break;
			case 2:
				v = (s16)v;
				break;
			case 3:
				v = (u16)v;
				break;
			case 4:
				v = (s32)v;
				break;
			case 5:
				v = (u32)v;
				break;
			}
			CHECK_EQ(call_result, v);
			if (i >= ARRAY_SIZE(stores))
				continue;
			memset((void *)page, 0, 4096);
			memset((void *)second, 0, 4096);
			CHECK_EQ(try_mprv(stores[i], VA + off, 0x8877665544332211UL,
					  with_mpp(PRV_S)), NO_TRAP);
			for (u32 b = 0; b < 16; b++) {
				u64 a = off + b < 4096 ? page + off + b :
					second + off + b - 4096;

				CHECK_EQ(*(volatile u8 *)a,
					 b < BIT(i) ? (0x8877665544332211UL >> 8 * b & 0xff) : 0);
			}
		}
	/* The second page is not there: the fault is at the boundary. */
	pt_map(&pt, VA + 4096, 0, 0);
	sfence();
	CHECK_EQ(try_mprv(do_ld, VA + 4092, 0, with_mpp(PRV_S)), CAUSE_LOAD_PAGE);
	CHECK_MSG(trap.tval == VA + 4096 || trap.tval == VA + 4092, "mtval 0x%lx", trap.tval);
}

TEST(atomics, "AMO, LR and SC with MPRV")
{
	setup(SV39);
	pt_map(&pt, VA, page, PTE_RW_S);
	sfence();
	*(volatile u64 *)(page + 8) = 40;
	CHECK_EQ(try_mprv(do_amoadd_d, VA + 8, 2, with_mpp(PRV_S)), NO_TRAP);
	CHECK_EQ(call_result, 40);
	CHECK_EQ(*(volatile u64 *)(page + 8), 42);
	CHECK_EQ(try_mprv(do_amoswap_w, VA + 8, -1, with_mpp(PRV_S)), NO_TRAP);
	CHECK_EQ(call_result, 42);
	CHECK_EQ(*(volatile u64 *)(page + 8), 0xffffffff);
	CHECK_EQ(try_mprv(do_amomaxu_w, VA + 8, 5, with_mpp(PRV_S)), NO_TRAP);
	CHECK_EQ(call_result, ~0UL);
	CHECK_EQ(try_mprv(do_lr_d, VA + 8, 0, with_mpp(PRV_S)), NO_TRAP);
	CHECK_EQ(call_result, 0xffffffff);
	pt_map(&pt, VA, page, PTE_RW_S & ~PTE_W & ~PTE_D);
	sfence();
	CHECK_EQ(try_mprv(do_amoadd_d, VA + 8, 2, with_mpp(PRV_S)), CAUSE_STORE_PAGE);
	CHECK_EQ(trap.tval, VA + 8);
	CHECK_EQ(try_mprv(do_lr_d, VA + 8, 0, with_mpp(PRV_S)), NO_TRAP);
}

TEST(fetch_physical, "code goes on at its physical address, also where the table maps other data there")
{
	u64 code = (u64)do_ld & ~4095UL;

	setup(SV39);
	fill(page);
	pt_map(&pt, code, page, PTE_RW_S);
	sfence();
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(try_mprv(do_ld, code + 128, 0, with_mpp(PRV_S)), NO_TRAP);
		CHECK_EQ(call_result, page + 128);
		CHECK_EQ(try_mprv(do_sd, code + 136, i, with_mpp(PRV_S)), NO_TRAP);
		CHECK_EQ(*(volatile u64 *)(page + 136), i);
		/* and M-mode's own view of the same address is the code */
		CHECK_EQ(call_as(PRV_M, do_lw, (u64)do_lw, 0), NO_TRAP);
		CHECK_EQ(call_result, (u64)(s32)(*(volatile u32 *)do_lw));
	}
}

TEST(follows_satp, "MPRV uses satp as it is now, and ASIDs and fences as S-mode does")
{
	u64 other;
	struct pt a, b;

	setup(SV39);
	other = (u64)page_alloc();
	fill(page);
	fill(other);
	a = pt;
	pt_map(&a, VA, page, PTE_RW_S);
	b.mode = SV39;
	b.levels = 3;
	b.root = page_alloc();
	pt_map(&b, VA, other, PTE_RW_S);
	for (int i = 0; i < 4; i++) {
		csr_write(satp, pt_satp(&a, 1));
		sfence();
		CHECK_EQ(try_mprv(do_ld, VA, 0, with_mpp(PRV_S)), NO_TRAP);
		CHECK_EQ(call_result, page);
		csr_write(satp, pt_satp(&b, 2));
		sfence();
		CHECK_EQ(try_mprv(do_ld, VA, 0, with_mpp(PRV_S)), NO_TRAP);
		CHECK_EQ(call_result, other);
		csr_write(satp, 0);
		CHECK_EQ(try_mprv(do_ld, page, 0, with_mpp(PRV_S)), NO_TRAP);
		CHECK_EQ(call_result, page);
	}
	csr_write(satp, pt_satp(&a, 1));
	sfence();
	CHECK_EQ(try_mprv(do_ld, VA, 0, with_mpp(PRV_S)), NO_TRAP);
	pt_map(&a, VA, other, PTE_RW_S);
	sfence_va(VA);
	CHECK_EQ(try_mprv(do_ld, VA, 0, with_mpp(PRV_S)), NO_TRAP);
	CHECK_EQ(call_result, other);
}

TEST(device, "a device through the table, with MPRV")
{
	setup(SV39);
	pt_map(&pt, VA, UART_BASE, PTE_RW_S);
	sfence();
	CHECK_EQ(try_mprv(do_sb, VA + 7, 0x5a, with_mpp(PRV_S)), NO_TRAP);
	CHECK_EQ(try_mprv(do_lbu, VA + 7, 0, with_mpp(PRV_S)), NO_TRAP);
	CHECK_EQ(call_result, 0x5a);
	CHECK_EQ(*(volatile u8 *)UART_SCRATCH, 0x5a);
}

TEST(accessed_dirty, "A and D are set by accesses with MPRV as by S-mode's, or fault")
{
	u64 *pte;

	setup(SV39);
	pt_map(&pt, VA, page, PTE_V | PTE_R | PTE_W);
	pte = pt_entry(&pt, VA, 0);
	sfence();
	if (try_mprv(do_ld, VA, 0, with_mpp(PRV_S)) == NO_TRAP) {
		CHECK_EQ(*(volatile u64 *)pte & PTE_AD, PTE_A);
		CHECK_EQ(try_mprv(do_sd, VA, 0, with_mpp(PRV_S)), NO_TRAP);
		CHECK_EQ(*(volatile u64 *)pte & PTE_AD, PTE_AD);
	} else {
		CHECK_TRAP("Svade", CAUSE_LOAD_PAGE, VA, (u64)do_ld);
		CHECK_EQ(*(volatile u64 *)pte & PTE_AD, 0);
	}
}

TEST(trap_keeps_mprv, "a trap out of an MPRV access leaves MPRV as it was, and saves M as MPP")
{
	setup(SV39);
	CHECK_EQ(try_mprv(do_ld, VA, 0, with_mpp(PRV_U)), CAUSE_LOAD_PAGE);
	CHECK_EQ(trap.status & (MR_MPRV | MR_MPP), MR_MPRV | MR_MPP);
	CHECK_EQ(trap.tval, VA);
}
