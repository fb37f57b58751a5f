// SPDX-License-Identifier: GPL-2.0
/*
 * Physical memory protection: what S, U and M may do where, by every way to
 * match an address.
 *
 * Privileged specification 3.7. Locked entries stay until a reset: the tests
 * that make some come last, use entries 0 to 5 and memory that nothing else
 * uses.
 */
#include "machine.h"

/* 64 KiB of RAM for these tests, aligned to its size. */
#define AREA	BIG_BASE

static char *const insn[] = { do_ld, do_sd, do_jump };

/* Cause of a fetch, load, store that PMP denies. */
static const u64 denied[] = { CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS };

/* At @at: a function that returns. */
static void put_ret(u64 at)
{
	put32(at, INSN_RET);
	fence_i();
}

/* @prv at @at: load, store, fetch allowed as the bits of @want (PMP_R W X). */
static void check_access(int line, int prv, u64 at, u64 want)
{
	for (int i = 0; i < 3; i++) {
		u64 cause;

		if (i == 2 && *(volatile u32 *)at != INSN_RET)
			put_ret(at);
		cause = call_as(prv, insn[i], at, INSN_RET);
		if (want & BIT(i)) {
			if (cause != NO_TRAP)
				check_fail(line, "%d at 0x%lx, %d: cause 0x%lx tval 0x%lx, expected none",
					   prv, at, i, cause, trap.tval);
		} else if (cause != denied[i] || trap.tval != at ||
			   trap.pc != (i == 2 ? at : (u64)insn[i])) {
			check_fail(line, "%d at 0x%lx, %d: cause 0x%lx tval 0x%lx epc 0x%lx, expected cause 0x%lx",
				   prv, at, i, cause, trap.tval, trap.pc, denied[i]);
		}
	}
}

#define CHECK_PMP(prv, at, want) check_access(__LINE__, prv, at, want)
#define RWX	(PMP_R | PMP_W | PMP_X)

TEST(none, "no entry matches: S and U may nothing, M all")
{
	/* Not none at all: then QEMU's mret itself fails. */
	pmp_set(0, PMP_NA4 | RWX, AREA >> 2);
	pmp_set(15, 0, 0);
	CHECK_EQ(call_as(PRV_S, x_ecall, 0, 0), CAUSE_FETCH_ACCESS);
	CHECK_EQ(trap.tval, (u64)x_ecall);
	CHECK_EQ(trap.pc, (u64)x_ecall);
	CHECK_EQ(call_as(PRV_U, x_ecall, 0, 0), CAUSE_FETCH_ACCESS);
	CHECK_PMP(PRV_M, AREA + 0x1000, RWX);
}

TEST(permissions, "R W X of a NAPOT entry, for S and for U; M is not bound by it")
{
	static const u64 perms[] = { 0, PMP_R, PMP_R | PMP_W, PMP_X, PMP_R | PMP_X, RWX };

	for (u32 p = 0; p < ARRAY_SIZE(perms); p++) {
		pmp_set(0, PMP_NAPOT | perms[p], pmp_napot(AREA, 0x10000));
		for (int prv = PRV_U; prv <= PRV_S; prv++) {
			CHECK_PMP(prv, AREA, perms[p]);
			CHECK_PMP(prv, AREA + 0x8008, perms[p]);
			CHECK_PMP(prv, AREA + 0xfff8, perms[p]);
			CHECK_PMP(prv, AREA + 0x10000, RWX);
			CHECK_PMP(prv, AREA - 8, RWX);
		}
		CHECK_PMP(PRV_M, AREA + 0x100, RWX);
	}
}

TEST(sizes, "NAPOT of each size from 8 bytes, NA4, TOR: the bytes on both sides of each end")
{
	for (u64 size = 4; size <= 0x4000; size *= 2) {
		u64 base = AREA + 0x8000;

		if (size == 4)
			pmp_set(0, PMP_NA4 | PMP_R, base >> 2);
		else
			pmp_set(0, PMP_NAPOT | PMP_R, pmp_napot(base, size));
		for (int prv = PRV_U; prv <= PRV_S; prv++) {
			CHECK_EQ(call_as(prv, do_lw, base - 4, 0), NO_TRAP);
			CHECK_EQ(call_as(prv, do_sw, base - 4, 0), NO_TRAP);
			CHECK_EQ(call_as(prv, do_lw, base, 0), NO_TRAP);
			EXPECT_AS(prv, CAUSE_STORE_ACCESS, base, do_sw, base, 0);
			CHECK_EQ(call_as(prv, do_lw, base + size - 4, 0), NO_TRAP);
			EXPECT_AS(prv, CAUSE_STORE_ACCESS, base + size - 4, do_sw,
				  base + size - 4, 0);
			EXPECT_AS(prv, CAUSE_STORE_ACCESS, base + size - 1, do_sb,
				  base + size - 1, 0);
			CHECK_EQ(call_as(prv, do_sw, base + size, 0), NO_TRAP);
		}
		/* the same as TOR */
		pmp_set(0, 0, base >> 2);
		pmp_set(1, PMP_TOR | PMP_R, (base + size) >> 2);
		CHECK_EQ(call_as(PRV_S, do_sw, base - 4, 0), NO_TRAP);
		EXPECT_AS(PRV_S, CAUSE_STORE_ACCESS, base, do_sw, base, 0);
		EXPECT_AS(PRV_U, CAUSE_STORE_ACCESS, base + size - 4, do_sw,
			  base + size - 4, 0);
		CHECK_EQ(call_as(PRV_U, do_sw, base + size, 0), NO_TRAP);
		pmp_set(1, 0, 0);
	}
}

TEST(tor, "TOR: entry 0 begins at 0; an empty or backward range matches nothing")
{
	pmp_set(0, PMP_TOR | PMP_R, (AREA + 0x1000) >> 2);
	CHECK_EQ(call_as(PRV_S, do_ld, AREA, 0), CAUSE_FETCH_ACCESS);
	pmp_set(0, 0, (AREA + 0x2000) >> 2);
	pmp_set(1, PMP_TOR, (AREA + 0x2000) >> 2);
	CHECK_PMP(PRV_S, AREA + 0x2000, RWX);
	pmp_set(1, PMP_TOR, (AREA + 0x1000) >> 2);
	CHECK_PMP(PRV_S, AREA + 0x1000, RWX);
	CHECK_PMP(PRV_S, AREA + 0x1ff8, RWX);
}

TEST(priority, "the lowest entry that matches decides, whatever the others say")
{
	pmp_set(0, PMP_NAPOT | PMP_R, pmp_napot(AREA + 0x1000, 0x1000));
	pmp_set(1, PMP_NAPOT | PMP_R | PMP_W, pmp_napot(AREA, 0x4000));
	pmp_set(2, PMP_NAPOT, pmp_napot(AREA, 0x10000));
	CHECK_PMP(PRV_S, AREA + 0x1000, PMP_R);
	CHECK_PMP(PRV_S, AREA + 0x1ff8, PMP_R);
	CHECK_PMP(PRV_S, AREA + 0x2000, PMP_R | PMP_W);
	CHECK_PMP(PRV_U, AREA + 0xff8, PMP_R | PMP_W);
	CHECK_PMP(PRV_S, AREA + 0x4000, 0);
	CHECK_PMP(PRV_U, AREA + 0x10000, RWX);
	/* and follows at once when they change */
	pmp_set(0, 0, 0);
	CHECK_PMP(PRV_S, AREA + 0x1000, PMP_R | PMP_W);
	pmp_set(1, 0, 0);
	CHECK_PMP(PRV_S, AREA + 0x1000, 0);
	pmp_set(2, 0, 0);
	CHECK_PMP(PRV_S, AREA + 0x1000, RWX);
}

TEST(partial, "an access that an entry matches in part fails, in M-mode too")
{
	u64 base = AREA + 0x3000;

	pmp_set(0, PMP_NA4 | RWX, (base + 4) >> 2);
	for (u32 m = 0; m < 3; m++) {
		static const int modes[] = { PRV_U, PRV_S, PRV_M };
		int prv = modes[m];

		EXPECT_AS(prv, CAUSE_LOAD_ACCESS, base, do_ld, base, 0);
		EXPECT_AS(prv, CAUSE_STORE_ACCESS, base, do_sd, base, 0);
		EXPECT_AS_OK(prv, do_lw, base, 0);
		EXPECT_AS_OK(prv, do_lw, base + 4, 0);
		EXPECT_AS_OK(prv, do_ld, base + 8, 0);
		EXPECT_AS_OK(prv, do_ld, base - 8, 0);
	}
}

TEST(atomics, "AMO, LR and SC inside a page with small entries")
{
	u64 base = AREA + 0x5000;

	pmp_set(0, PMP_NA4 | PMP_R, (base + 64) >> 2);
	*(volatile u64 *)base = 5;
	EXPECT_AS_OK(PRV_S, do_amoadd_d, base, 6);
	CHECK_EQ(call_result, 5);
	CHECK_EQ(*(volatile u64 *)base, 11);
	EXPECT_AS(PRV_S, CAUSE_STORE_ACCESS, base + 64, do_amoadd_w, base + 64, 1);
	EXPECT_AS(PRV_S, CAUSE_STORE_ACCESS, base + 64, do_amoadd_d, base + 64, 1);
	EXPECT_AS_OK(PRV_S, do_lr_d, base, 0);
	CHECK_EQ(call_result, 11);
	EXPECT_AS_OK(PRV_S, do_lr_w, base + 64, 0);
}

TEST(fetch_small, "code beside and inside small entries")
{
	u64 base = AREA + 0x6000;

	/* base: nop; nop; ret.  base + 0x800: the same, in a region without X */
	for (u64 off = 0; off <= 0x800; off += 0x800) {
		put32(base + off, INSN_NOP);
		put32(base + off + 4, INSN_NOP);
		put32(base + off + 8, INSN_RET);
	}
	/* half of it before the region */
	put32(base + 0x7fe, INSN_NOP);
	put16(base + 0x802, INSN_C_NOP);
	fence_i();
	pmp_set(0, PMP_NAPOT | PMP_R | PMP_W, pmp_napot(base + 0x800, 8));
	for (int round = 0; round < 3; round++) {
		EXPECT_AS_OK(PRV_S, (char *)base, 0, 0);
		EXPECT_AS(PRV_S, CAUSE_FETCH_ACCESS, base + 0x800, (char *)base + 0x800, 0, 0);
		call_as(PRV_S, (char *)base + 0x7fe, 0, 0);
		CHECK_TRAP("fetch of a second half", CAUSE_FETCH_ACCESS, base + 0x800,
			   base + 0x7fe);
		EXPECT_AS_OK(PRV_U, (char *)base, 0, 0);
		EXPECT_AS(PRV_U, CAUSE_FETCH_ACCESS, base + 0x804, (char *)base + 0x804, 0, 0);
		EXPECT_AS_OK(PRV_S, (char *)base + 0x808, 0, 0);
		EXPECT_AS_OK(PRV_M, (char *)base + 0x7fe, 0, 0);
	}
}

TEST(translated, "PMP judges the physical address behind a translation")
{
	struct pt pt;
	u64 va = 0x60000000, user = 0x60200000;

	pt_init(&pt, SV39);
	pt_map_level(&pt, va, AREA, PTE_RWX_S, 1);
	pt_map_level(&pt, user, AREA, PTE_RWX_U, 1);
	csr_write(satp, pt_satp(&pt, 0));
	sfence();
	pmp_set(0, PMP_NAPOT | PMP_R, pmp_napot(AREA + 0x1000, 0x1000));
	pmp_set(1, PMP_NA4, (AREA + 0x3004) >> 2);
	EXPECT_AS_OK(PRV_S, do_ld, va + 0x1000, 0);
	EXPECT_AS(PRV_S, CAUSE_STORE_ACCESS, va + 0x1008, do_sd, va + 0x1008, 0);
	EXPECT_AS_OK(PRV_S, do_sd, va + 0x2000, 0);
	EXPECT_AS_OK(PRV_S, do_lw, va + 0x3000, 0);
	EXPECT_AS(PRV_S, CAUSE_LOAD_ACCESS, va + 0x3004, do_lw, va + 0x3004, 0);
	EXPECT_AS(PRV_S, CAUSE_LOAD_ACCESS, va + 0x3000, do_ld, va + 0x3000, 0);
	EXPECT_AS_OK(PRV_S, do_sd, va + 0x3008, 0);
	run_at(PRV_U, user_va(u_ld), user + 0x1000, 0);
	CHECK_EQ(trap.cause, CAUSE_ECALL_U);
	run_at(PRV_U, user_va(u_sd), user + 0x1000, 0);
	CHECK_EQ(trap.cause, CAUSE_STORE_ACCESS);
	CHECK_EQ(trap.tval, user + 0x1000);
	/* A page fault comes before: PMP sees what was translated. */
	EXPECT_AS(PRV_S, CAUSE_STORE_PAGE, user + 0x1000, do_sd, user + 0x1000, 0);
	/* MPRV: as S-mode; M-mode itself is free. */
	CHECK_EQ(try_mprv(do_sd, va + 0x1000, 0, (u64)PRV_S << 11), CAUSE_STORE_ACCESS);
	CHECK_EQ(try_mprv(do_ld, va + 0x1000, 0, (u64)PRV_S << 11), NO_TRAP);
	csr_write(satp, 0);
	CHECK_EQ(try_mprv(do_sd, AREA + 0x1000, 0, (u64)PRV_S << 11), CAUSE_STORE_ACCESS);
	CHECK_EQ(try_mprv(do_sd, AREA + 0x1000, 0, (u64)PRV_M << 11), NO_TRAP);
}

TEST(page_tables, "page tables are read, and written for A and D, as S-mode may")
{
	struct pt pt;
	u64 va = 0x60000000, *pte;

	pt_init(&pt, SV39);
	pt_map(&pt, va, AREA, PTE_RW_S);
	pte = pt_entry(&pt, va, 0);
	csr_write(satp, pt_satp(&pt, 0));
	sfence();
	EXPECT_AS_OK(PRV_S, do_ld, va, 0);
	/* one 8-byte PTE that may not be read: an access fault of the access's kind */
	pmp_set(0, PMP_NAPOT, pmp_napot((u64)pte, 8));
	EXPECT_AS(PRV_S, CAUSE_LOAD_ACCESS, va, do_ld, va, 0);
	EXPECT_AS(PRV_S, CAUSE_STORE_ACCESS, va, do_sd, va, 0);
	/* the table's other entries are fine */
	pt_map(&pt, va + 0x1000, AREA, PTE_RW_S);
	sfence();
	EXPECT_AS_OK(PRV_S, do_ld, va + 0x1000, 0);
	/* readable again, not writable: D cannot be set */
	pmp_set(0, PMP_NAPOT | PMP_R, pmp_napot((u64)pte, 8));
	*(volatile u64 *)pte = PTE(AREA, PTE_V | PTE_R | PTE_W | PTE_A);
	sfence();
	EXPECT_AS_OK(PRV_S, do_ld, va, 0);
	call_as(PRV_S, do_sd, va, 0);
	CHECK_MSG(trap.cause == CAUSE_STORE_ACCESS || trap.cause == CAUSE_STORE_PAGE,
		  "a store that has to set D: cause 0x%lx", trap.cause);
	CHECK_EQ(trap.tval, va);
	CHECK_EQ(*(volatile u64 *)pte & PTE_D, 0);
	pmp_set(0, PMP_NAPOT | PMP_R | PMP_W, pmp_napot((u64)pte, 8));
	call_as(PRV_S, do_sd, va, 0);
	CHECK(trap.cause == NO_TRAP || trap.cause == CAUSE_STORE_PAGE);
}

TEST(devices, "PMP covers devices, too")
{
	pmp_set(0, PMP_NAPOT | PMP_R, pmp_napot(UART_BASE, 8));
	EXPECT_AS_OK(PRV_S, do_lbu, UART_SCRATCH, 0);
	EXPECT_AS(PRV_S, CAUSE_STORE_ACCESS, UART_SCRATCH, do_sb, UART_SCRATCH, 1);
	EXPECT_AS_OK(PRV_M, do_sb, UART_SCRATCH, 0x77);
	CHECK_EQ(*(volatile u8 *)UART_SCRATCH, 0x77);
	pmp_set(0, PMP_NA4 | PMP_R | PMP_W, (UART_BASE + 4) >> 2);
	EXPECT_AS_OK(PRV_U, do_sb, UART_SCRATCH, 0x11);
	CHECK_EQ(*(volatile u8 *)UART_SCRATCH, 0x11);
}

TEST(all_entries, "each of the 16 entries matches by itself")
{
	for (int i = 0; i < 15; i++) {
		u64 at = AREA + 0x1000 * i;

		pmp_set(i, PMP_NAPOT | PMP_R, pmp_napot(at, 0x1000));
		EXPECT_AS_OK(PRV_S, do_ld, at, 0);
		EXPECT_AS(PRV_S, CAUSE_STORE_ACCESS, at, do_sd, at, 0);
		pmp_set(i, 0, 0);
		EXPECT_AS_OK(PRV_S, do_sd, at, 0);
	}
}

/* From here on entries stay locked. */

TEST(locked, "a locked entry binds M-mode, and cannot be changed")
{
	u64 at = AREA + 0x8000;

	put_ret(at);
	put_ret(at + 0x800);
	pmp_set(0, PMP_L | PMP_NAPOT | PMP_R, pmp_napot(at, 0x1000));
	CHECK_PMP(PRV_M, at, PMP_R);
	CHECK_PMP(PRV_S, at + 0x800, PMP_R);
	CHECK_PMP(PRV_M, at + 0x1000, RWX);
	pmp_set(0, PMP_NAPOT | PMP_R | PMP_W, pmp_napot(at + 0x1000, 0x1000));
	CHECK_PMP(PRV_M, at, PMP_R);
	CHECK_EQ(csr_read(0x3a0) & 0xff, PMP_L | PMP_NAPOT | PMP_R);
	CHECK_EQ(csr_read(0x3b0), pmp_napot(at, 0x1000));
}

TEST(locked_tor, "the entry below a locked TOR keeps its address; NA4 locked inside a page binds M-mode exactly")
{
	u64 at = AREA + 0xa000;

	put_ret(at);
	put_ret(at + 8);
	pmp_set(2, 0, at >> 2);
	pmp_set(3, PMP_L | PMP_TOR | PMP_R, (at + 0x1000) >> 2);
	CHECK_PMP(PRV_M, at, PMP_R);
	CHECK_PMP(PRV_M, at - 8, RWX);
	csr_write(0x3b2, 0);
	CHECK_EQ(csr_read(0x3b2), at >> 2);
	CHECK_PMP(PRV_M, at + 8, PMP_R);

	at = AREA + 0xc000;
	pmp_set(4, PMP_L | PMP_NA4, (at + 0x10) >> 2);
	EXPECT_AS_OK(PRV_M, do_ld, at + 8, 0);
	EXPECT_AS(PRV_M, CAUSE_LOAD_ACCESS, at + 0x10, do_ld, at + 0x10, 0);
	EXPECT_AS(PRV_M, CAUSE_STORE_ACCESS, at + 0x12, do_sb, at + 0x12, 0);
	EXPECT_AS_OK(PRV_M, do_lw, at + 0x14, 0);
	EXPECT_AS(PRV_S, CAUSE_LOAD_ACCESS, at + 0x10, do_lw, at + 0x10, 0);
}
