// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables that change: what is stale until a fence, and gone after it.
 *
 * Privileged specification 12.2.1 (sfence.vma), 12.1.11 (satp, ASIDs), Svinval;
 * fence.i. A test looks only after a fence, unless it says that either
 * translation is right. Each fence is executed several times at one address.
 */
#include "guest.h"

#define VA	0x2000200000UL
#define LOOPS	6

static struct pt pt, pt2;

static u64 load(u64 va)
{
	if (try_call(do_ld, va, 0) == NO_TRAP)
		return try_result;
	if (trap.cause != CAUSE_LOAD_PAGE || trap.tval != va)
		check_fail(__LINE__, "load of 0x%lx: scause=0x%lx stval=0x%lx", va,
			   trap.cause, trap.tval);
	return -1;
}

static u64 page_with(u64 v)
{
	u64 p = (u64)page_alloc();

	for (int i = 0; i < 512; i++)
		((volatile u64 *)p)[i] = v;
	return p;
}

/* ---- the forms of fences --------------------------------------------------------- */

static void f_all(u64 va)
{
	sfence();
}

static void f_va(u64 va)
{
	sfence_va(va);
}

static void f_va_inside(u64 va)
{
	sfence_va(va | 0xabc);
}

static void f_asid(u64 va)
{
	sfence_asid(0);
}

static void f_va_asid(u64 va)
{
	sfence_va_asid(va, 0);
}

/* By number: the assembler's ISA has no Svinval. */
static void f_sinval(u64 va)
{
	asm volatile(".word 0x18000073\n"		/* sfence.w.inval */
		     "mv	a0, %0\n"
		     ".word 0x16050073\n"		/* sinval.vma a0, zero */
		     ".word 0x18100073\n"		/* sfence.inval.ir */
		     :: "r"(va) : "a0", "memory");
}

static void f_sinval_asid(u64 va)
{
	asm volatile(".word 0x18000073\n"
		     "mv	a0, %0\n"
		     "li	a1, 0\n"
		     ".word 0x16b50073\n"		/* sinval.vma a0, a1 */
		     ".word 0x18100073\n"
		     :: "r"(va) : "a0", "a1", "memory");
}

/* A remote fence by the SBI, on this hart. */
static void f_sbi(u64 va)
{
	sbi_call(SBI_RFENCE, 1, 1, hartid, va & -4096UL, 4096, 0);
}

static void f_sbi_asid(u64 va)
{
	sbi_call(SBI_RFENCE, 2, 1, hartid, va & -4096UL, 4096, 0);
}

static const struct fence {
	const char *name;
	void (*fn)(u64 va);
	bool sinval;
	bool tables;		/* good for changes above the leaf */
} fences[] = {
	{ "sfence.vma", f_all, false, true },
	{ "sfence.vma va", f_va },
	{ "sfence.vma va inside", f_va_inside },
	{ "sfence.vma x0, asid", f_asid, false, true },
	{ "sfence.vma va, asid", f_va_asid },
	{ "sinval.vma va", f_sinval, true },
	{ "sinval.vma va, asid", f_sinval_asid, true },
	{ "SBI remote_sfence_vma", f_sbi },
	{ "SBI remote_sfence_vma_asid", f_sbi_asid },
};

#define FOR_EACH_FENCE(f) \
	for (const struct fence *f = fences; f < fences + ARRAY_SIZE(fences); f++) \
		if (!f->sinval || has_svinval)

TEST(remap, "a leaf that changes: before the fence either page, after it the new one, each kind of fence")
{
	FOR_EACH_MODE(m) {
		u64 page[2] = { page_with(1), page_with(2) };

		pt_init(&pt, m);
		pt_map(&pt, VA, page[0], PTE_RW_S);
		pt_load(&pt);
		FOR_EACH_FENCE(f)
			for (int i = 0; i < LOOPS; i++) {
				u64 v;

				pt_map(&pt, VA, page[(i + 1) & 1], PTE_RW_S);
				v = load(VA);
				CHECK(v == 1 || v == 2);
				f->fn(VA);
				v = load(VA + 8);
				CHECK_MSG(v == 1 + ((i + 1UL) & 1), "%s, %s, round %d: got %ld",
					  mode_name(m), f->name, i, v);
			}
		pt_off();
	}
}

TEST(unmap, "a leaf that goes and comes: after each kind of fence, fault or page")
{
	FOR_EACH_MODE(m) {
		u64 page = page_with(7);

		pt_init(&pt, m);
		pt_map(&pt, VA, 0, 0);
		pt_load(&pt);
		FOR_EACH_FENCE(f)
			for (int i = 0; i < LOOPS; i++) {
				u64 v;

				pt_map(&pt, VA, page, i & 1 ? 0 : PTE_RW_S);
				f->fn(VA);
				v = load(VA);
				CHECK_MSG(v == (i & 1 ? -1UL : 7), "%s, %s, round %d: got %ld",
					  mode_name(m), f->name, i, v);
			}
		pt_off();
	}
}

TEST(rights, "rights that shrink and grow: W, R, U, X")
{
	FOR_EACH_MODE(m) {
		u64 page = page_with(7);

		put32(page + 128, INSN_RET);
		fence_i();
		pt_init(&pt, m);
		pt_map(&pt, VA, 0, 0);
		pt_load(&pt);
		FOR_EACH_FENCE(f)
			for (int i = 0; i < 3; i++) {
				pt_map(&pt, VA, page, PTE_RWX_S);
				f->fn(VA);
				EXPECT_OK(do_sd, VA, 7);
				EXPECT_OK(do_jump, VA + 128, 0);
				pt_map(&pt, VA, page, PTE_RWX_S & ~PTE_W);
				f->fn(VA);
				EXPECT_FAULT(CAUSE_STORE_PAGE, VA, do_sd, VA, 8);
				EXPECT_OK(do_jump, VA + 128, 0);
				pt_map(&pt, VA, page, PTE_RW_S);
				f->fn(VA);
				EXPECT_OK(do_sd, VA, 7);
				EXPECT_FETCH_FAULT(CAUSE_FETCH_PAGE, VA + 128, VA + 128);
				pt_map(&pt, VA, page, PTE_RW_U);
				f->fn(VA);
				EXPECT_FAULT(CAUSE_LOAD_PAGE, VA, do_ld, VA, 0);
				pt_map(&pt, VA, page, PTE_V | PTE_X | PTE_AD);
				f->fn(VA);
				EXPECT_FAULT(CAUSE_LOAD_PAGE, VA, do_ld, VA, 0);
				EXPECT_OK(do_jump, VA + 128, 0);
			}
		pt_off();
	}
}

TEST(super_remap, "a 2 MiB page that changes: a fence for any address in it")
{
	FOR_EACH_MODE(m) {
		volatile u64 *big[2] = { (u64 *)BIG_BASE, (u64 *)(BIG_BASE + 0x200000) };
		u64 off = 0x123000;

		for (int i = 0; i < 2; i++)
			big[i][0] = big[i][off / 8] = 1 + i;
		pt_init(&pt, m);
		pt_map_level(&pt, VA, (u64)big[0], PTE_RW_S, 1);
		pt_load(&pt);
		FOR_EACH_FENCE(f) {
			/* the SBI's fences are for a range: only what is in it */
			bool range = f->fn == f_sbi || f->fn == f_sbi_asid;

			for (int i = 0; i < LOOPS; i++) {
				u64 v, want = 1 + ((i + 1UL) & 1);

				load(VA);
				load(VA + off);
				pt_map_level(&pt, VA, (u64)big[(i + 1) & 1], PTE_RW_S, 1);
				f->fn(VA + off);
				v = load(VA + off);
				CHECK_MSG(v == want, "%s, %s, there: got %ld", mode_name(m), f->name, v);
				if (range)
					sfence();
				v = load(VA);
				CHECK_MSG(v == want, "%s, %s, elsewhere in it: got %ld",
					  mode_name(m), f->name, v);
			}
		}
		pt_off();
	}
}

TEST(split, "a 2 MiB page becomes a table of 4 KiB pages and back")
{
	FOR_EACH_MODE(m) {
		u64 *table = page_alloc(), other = page_with(99);
		volatile u64 *big = (volatile u64 *)BIG_BASE;

		for (int i = 0; i < 512; i++) {
			table[i] = PTE(BIG_BASE + i * 4096UL, PTE_RW_S);
			big[i * 512] = i;
		}
		table[300] = PTE(other, PTE_RW_S);
		pt_init(&pt, m);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			pt_map_level(&pt, VA, BIG_BASE, PTE_RW_S, 1);
			i & 2 ? sfence_asid(0) : sfence();
			CHECK_EQ(load(VA + 300 * 4096), 300);
			CHECK_EQ(load(VA + 511 * 4096), 511);
			pt_map_level(&pt, VA, (u64)table, PTE_V, 1);
			i & 2 ? sfence_asid(0) : sfence();
			CHECK_EQ(load(VA + 300 * 4096), 99);
			CHECK_EQ(load(VA + 511 * 4096), 511);
		}
		pt_off();
	}
}

TEST(tables, "a table at each level replaced by another; a fence without address")
{
	FOR_EACH_MODE(m)
		for (int level = 1; level < (int)(m - SV39) + 3; level++) {
			u64 va = VA + (100UL << (12 + 9 * (m - SV39 + 2)));
			u64 page[2] = { page_with(1), page_with(2) }, *e;
			u64 entry[2];

			pt_init(&pt, m);
			e = pt_entry(&pt, va, level);
			for (int k = 0; k < 2; k++) {
				*(volatile u64 *)e = 0;
				pt_map(&pt, va, page[k], PTE_RW_S);
				entry[k] = *(volatile u64 *)e;
			}
			pt_load(&pt);
			for (const struct fence *f = fences; f < fences + 4; f++)
				for (int i = 0; f->tables && i < LOOPS; i++) {
					u64 v;

					*(volatile u64 *)e = entry[i & 1];
					f->fn(0);
					v = load(va);
					CHECK_MSG(v == 1 + (i & 1UL), "%s level %d, %s: got %ld",
						  mode_name(m), level, f->name, v);
				}
			pt_off();
		}
}

TEST(reuse, "a page that was data becomes a table, a leaf table becomes an upper table, and data again")
{
	FOR_EACH_MODE(m) {
		u64 a = page_with(1), b = page_with(2), t = (u64)page_alloc();
		volatile u64 *table = (volatile u64 *)t;
		u64 idx1 = VA >> 21 & 511, idx0 = VA >> 12 & 511;
		u64 *l1 = page_alloc(), old;
		volatile u64 *e;

		pt_init(&pt, m);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			/* a leaf table */
			memset((void *)t, 0, 4096);
			table[idx0] = PTE(a, PTE_RW_S);
			pt_map_level(&pt, VA, t, PTE_V, 1);
			sfence();
			CHECK_EQ(load(VA), 1);
			/* the table of level 1: its entries are then pointers */
			memset((void *)t, 0, 4096);
			memset(l1, 0, 4096);
			l1[idx0] = PTE(b, PTE_RW_S);
			table[idx1] = PTE(l1, PTE_V);
			e = pt_entry(&pt, VA, 2);	/* nothing else is below it */
			old = *e;
			*e = PTE(t, PTE_V);
			sfence();
			CHECK_EQ(load(VA), 2);
			*e = old;
			sfence();
			/* data */
			pt_map_level(&pt, VA, 0, 0, 1);
			sfence();
			pt_map(&pt, VA, t, PTE_RW_S);
			sfence();
			memset((void *)t, 0x5a, 4096);
			CHECK_EQ(load(VA), 0x5a5a5a5a5a5a5a5aUL);
			EXPECT_OK(do_sd, VA, 3);
			CHECK_EQ(*table, 3);
			pt_map_level(&pt, VA, 0, 0, 1);
			sfence();
		}
		pt_off();
	}
}

TEST(through_window, "entries changed through another mapping of the table, with loads and stores there")
{
	FOR_EACH_MODE(m) {
		u64 page[2] = { page_with(1), page_with(2) };
		u64 window = VA + 0x40000000, *e;

		pt_init(&pt, m);
		pt_map(&pt, VA, page[0], PTE_RW_S);
		e = pt_entry(&pt, VA, 0);
		pt_map(&pt, window, (u64)e & -4096UL, PTE_RW_S);
		window += (u64)e & 4095;
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			EXPECT_OK(do_sd, window, PTE(page[i & 1], PTE_RW_S));
			sfence_va(VA);
			CHECK_EQ(load(VA), 1 + (i & 1UL));
			EXPECT_OK(do_amoswap_d, window, PTE(page[~i & 1], PTE_RW_S));
			sfence_va(VA);
			CHECK_EQ(load(VA), 1 + (~i & 1UL));
			EXPECT_OK(do_ld, window, 0);
			CHECK_EQ(try_result, PTE(page[~i & 1], PTE_RW_S));
		}
		pt_off();
	}
}

/* ---- several address spaces --------------------------------------------------------------- */

static u64 asid_max(void)
{
	u64 old = csr_read(satp), n;

	csr_write(satp, old | 0xffffUL << 44);
	n = csr_read(satp) >> 44 & 0xffff;
	csr_write(satp, old);
	return n;
}

TEST(asids, "two address spaces with ASIDs of their own, switched without fences")
{
	FOR_EACH_MODE(m) {
		u64 page[3] = { page_with(1), page_with(2), page_with(3) }, v;
		u64 satps[2];

		pt_init(&pt, m);
		pt_init(&pt2, m);
		pt_map(&pt, VA, page[0], PTE_RW_S);
		pt_map(&pt2, VA, page[1], PTE_RW_S);
		pt_load(&pt);
		if (asid_max() < 2) {
			pt_off();
			SKIP("no ASIDs");
		}
		satps[0] = pt_satp(&pt, 1);
		satps[1] = pt_satp(&pt2, 2);
		for (int i = 0; i < 20; i++) {
			csr_write(satp, satps[i & 1]);
			CHECK_EQ(load(VA), 1 + (i & 1UL));
		}
		/* a fence for the other space while in this one */
		csr_write(satp, satps[0]);
		for (int i = 0; i < LOOPS; i++) {
			u64 want = i & 1 ? 2 : 3;

			pt_map(&pt2, VA, page[want - 1], PTE_RW_S);
			if (i & 2)
				sfence_va_asid(VA, 2);
			else
				sfence_asid(2);
			CHECK_EQ(load(VA), 1);
			csr_write(satp, satps[1]);
			v = load(VA);
			CHECK_MSG(v == want, "round %d: got %ld, want %ld", i, v, want);
			csr_write(satp, satps[0]);
			CHECK_EQ(load(VA), 1);
		}
		/* a fence for all spaces */
		for (int i = 0; i < LOOPS; i++) {
			u64 want = i & 1 ? 2 : 3;

			csr_write(satp, satps[1]);
			load(VA);
			csr_write(satp, satps[0]);
			pt_map(&pt2, VA, page[want - 1], PTE_RW_S);
			if (i & 2)
				sfence_va(VA);
			else
				sfence();
			csr_write(satp, satps[1]);
			CHECK_EQ(load(VA), want);
		}
		/* the ASID moves to another table */
		csr_write(satp, pt_satp(&pt, 2));
		sfence_asid(2);
		CHECK_EQ(load(VA), 1);
		pt_off();
	}
}

TEST(same_asid, "another root under the same ASID, with a fence")
{
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_init(&pt2, m);
		pt_map(&pt, VA, page_with(1), PTE_RW_S);
		pt_map(&pt2, VA, page_with(2), PTE_RW_S);
		pt_load(&pt);
		for (int i = 0; i < 12; i++) {
			csr_write(satp, pt_satp(i & 1 ? &pt2 : &pt, 0));
			if (i & 2)
				sfence_asid(0);
			else
				sfence();
			CHECK_EQ(load(VA), 1 + (i & 1UL));
		}
		pt_off();
	}
}

/*
 * A table that A let go of, with every fence that concerns A, becomes a table
 * of B's: nothing of what it held for A was ever valid in B. (A shadow MMU that
 * keeps tables by address must look at them again.)
 */
static void past_life(bool fence_b)
{
	u64 old = page_with(0x01d), fresh = page_with(0x4ee), other = page_with(3);
	u64 va_a = 0x50000000, va_b = 0x60000000;
	volatile u64 *table, *link;

	pt_init(&pt, SV39);
	pt_init(&pt2, SV39);
	*pt_entry(&pt2, va_b, 1) = 0;
	pt_map(&pt2, va_b + 0x200000, other, PTE_RW_S);
	/* B has lived, so the tables above are known there. */
	csr_write(satp, pt_satp(&pt2, 2));
	sfence();
	CHECK_EQ(load(va_b + 0x200000), 3UL);

	csr_write(satp, pt_satp(&pt, 1));
	sfence_asid(1);
	pt_map(&pt, va_a, old, PTE_RW_S);
	sfence_asid(1);
	CHECK_EQ(load(va_a), 0x01dUL);
	link = pt_entry(&pt, va_a, 1);
	table = (u64 *)(*link >> 10 << 12);
	*link = 0;
	*table = 0;
	sfence_asid(1);

	csr_write(satp, pt_satp(&pt2, 2));
	*table = PTE(fresh, PTE_RW_S);
	*(volatile u64 *)pt_entry(&pt2, va_b, 1) = PTE(table, PTE_V);
	if (fence_b)
		sfence_va_asid(va_b, 2);
	/* Without a fence B may still find nothing there, but never A's page. */
	if (try_call(do_ld, va_b, 0) == NO_TRAP)
		CHECK_EQ(try_result, 0x4eeUL);
	else
		CHECK_MSG(!fence_b, "load of 0x%lx after the fence: scause=0x%lx", va_b, trap.cause);
	pt_off();
}

TEST(past_life, "a table that another address space used: nothing of its past is seen")
{
	for (int i = 0; i < LOOPS; i++)
		past_life(false);
}

TEST(past_life_fenced, "the same, with sfence.vma of its address and ASID")
{
	for (int i = 0; i < LOOPS; i++)
		past_life(true);
}

TEST(global, "global pages: seen in every space, gone after a fence for all of them")
{
	FOR_EACH_MODE(m) {
		u64 page[2] = { page_with(1), page_with(2) };

		pt_init(&pt, m);
		pt_init(&pt2, m);
		for (int i = 0; i < LOOPS; i++) {
			u64 v;

			pt_map(&pt, VA, page[i & 1], PTE_RW_S | PTE_G);
			pt_map(&pt2, VA, page[i & 1], PTE_RW_S | PTE_G);
			csr_write(satp, pt_satp(&pt, 1));
			if (i & 2)
				sfence_va(VA);
			else
				sfence();
			for (int k = 0; k < 4; k++) {
				csr_write(satp, pt_satp(k & 1 ? &pt2 : &pt, 1 + (k & 1)));
				v = load(VA);
				CHECK_MSG(v == 1 + (i & 1UL), "%s round %d: got %ld", mode_name(m), i, v);
			}
			csr_write(satp, 0);
		}
		pt_off();
	}
}

TEST(modes, "satp goes from one mode to another, with a fence")
{
	u64 page[2] = { page_with(1), page_with(2) };

	if (!mode_supported(SV39) || !mode_supported(SV48))
		SKIP("only one mode");
	pt_init(&pt, SV39);
	pt_init(&pt2, SV48);
	pt_map(&pt, VA, page[0], PTE_RW_S);
	pt_map(&pt2, VA, page[1], PTE_RW_S);
	for (int i = 0; i < 12; i++) {
		csr_write(satp, pt_satp(i & 1 ? &pt2 : &pt, 0));
		sfence();
		CHECK_EQ(load(VA), 1 + (i & 1UL));
	}
	pt_off();
}

TEST(many_roots, "40 address spaces in turn, each seen right (more than any cache of roots)")
{
	static struct pt many[40];
	u64 m = mode_supported(SV48) ? SV48 : SV39;

	for (u32 i = 0; i < ARRAY_SIZE(many); i++) {
		pt_init(&many[i], m);
		pt_map(&many[i], VA, page_with(100 + i), PTE_RW_S);
	}
	for (int round = 0; round < 3; round++)
		for (u32 i = 0; i < ARRAY_SIZE(many); i++) {
			u32 k = (i * 7 + round) % ARRAY_SIZE(many);

			csr_write(satp, pt_satp(&many[k], 0));
			sfence();
			CHECK_EQ(load(VA), 100UL + k);
		}
	pt_off();
}

/* ---- users --------------------------------------------------------------- */

TEST(user_remap, "a user page that changes under a running program, S and U see the same")
{
	FOR_EACH_MODE(m) {
		u64 page[2] = { page_with(1), page_with(2) };
		struct ctx c;

		pt_init(&pt, m);
		pt_map(&pt, VA, 0, 0);
		pt_load(&pt);
		csr_set(sstatus, SR_SUM);
		for (int i = 0; i < LOOPS; i++) {
			pt_map(&pt, VA, page[i & 1], PTE_RW_U);
			sfence_va(VA);
			ctx_init(&c, user_va(u_ld), PRV_U);
			c.x[10] = VA;
			run_ctx(&c);
			CHECK_EQ(c.cause, CAUSE_ECALL_U);
			CHECK_EQ(c.x[10], 1 + (i & 1UL));
			CHECK_EQ(load(VA), 1 + (i & 1UL));
			/* gone for both */
			pt_map(&pt, VA, 0, 0);
			sfence_va(VA);
			ctx_init(&c, user_va(u_ld), PRV_U);
			c.x[10] = VA;
			run_ctx(&c);
			CHECK_TRAP("unmapped", CAUSE_LOAD_PAGE, VA, user_va(u_ld));
			CHECK_EQ(load(VA), -1UL);
			/* a kernel page: U must lose it */
			pt_map(&pt, VA, page[0], PTE_RW_S);
			sfence_va(VA);
			CHECK_EQ(load(VA), 1);
			ctx_init(&c, user_va(u_ld), PRV_U);
			c.x[10] = VA;
			run_ctx(&c);
			CHECK_TRAP("kernel page", CAUSE_LOAD_PAGE, VA, user_va(u_ld));
			ctx_init(&c, user_va(u_sd), PRV_U);
			c.x[10] = VA;
			run_ctx(&c);
			CHECK_TRAP("kernel page", CAUSE_STORE_PAGE, VA, user_va(u_sd));
		}
		pt_off();
	}
}

TEST(alias, "one page at two addresses: each sees the other's stores")
{
	FOR_EACH_MODE(m) {
		u64 page = page_with(0);

		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_RW_S);
		pt_map(&pt, VA + 0x10000000, page, PTE_RW_S);
		pt_load(&pt);
		for (u64 i = 1; i <= 10; i++) {
			EXPECT_OK(do_sd, VA, i);
			CHECK_EQ(load(VA + 0x10000000), i);
			EXPECT_OK(do_sd, VA + 0x10000000, i << 8);
			CHECK_EQ(load(VA), i << 8);
			CHECK_EQ(*(volatile u64 *)page, i << 8);
		}
		pt_off();
	}
}

TEST(code_alias, "code changed through another mapping, then fence.i: the new code runs")
{
	FOR_EACH_MODE(m) {
		u64 page = (u64)page_alloc(), code = VA + 0x10000000;

		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_RW_S);
		pt_map(&pt, code, page, PTE_V | PTE_R | PTE_X | PTE_AD);
		pt_load(&pt);
		for (int i = 1; i < 12; i++) {
			put32(VA, enc_addi(10, 0, i));
			put32(VA + 4, i & 1 ? INSN_RET : enc_addi(10, 10, 100));
			put32(VA + 8, INSN_RET);
			fence_i();
			EXPECT_OK(code, 0, 0);
			CHECK_EQ(try_result, i + (i & 1 ? 0UL : 100));
		}
		pt_off();
	}
}

/* ---- at random ----------------------------------------------------------- */

static u64 seed = 12345;

static u32 rnd(u32 n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % n;
}

TEST(random, "3000 random changes, fences and accesses against a model of the tables")
{
	enum { N = 48, PAGES = 16 };
	static u64 want[2][N], page[PAGES];

	FOR_EACH_MODE(m) {
		struct pt *space[2] = { &pt, &pt2 };
		u64 stride = 0x3f5000;
		bool asids;
		u32 cur = 0;

		for (int s = 0; s < 2; s++) {
			pt_init(space[s], m);
			/* the tables now: a fence for an address is for leaves */
			for (int i = 0; i < N; i++) {
				pt_map(space[s], VA + i * stride, 0, 0);
				want[s][i] = 0;
			}
		}
		for (int i = 0; i < PAGES; i++)
			page[i] = page_with(1000 + i);
		pt_load(&pt);
		asids = asid_max() >= 2;
		csr_write(satp, pt_satp(space[0], asids ? 1 : 0));
		sfence();
		for (int step = 0; step < 3000; step++) {
			u32 i = rnd(N), s = rnd(2), p = rnd(PAGES);
			u64 va = VA + i * stride, v;

			switch (rnd(8)) {
			case 0:		/* map or change, fence for it */
			case 1:
				pt_map(space[s], va, page[p], PTE_RW_S);
				want[s][i] = 1000 + p;
				if (asids && rnd(2))
					sfence_va_asid(va, s + 1);
				else if (rnd(2))
					sfence_va(va);
				else
					sfence();
				break;
			case 2:		/* unmap */
				pt_map(space[s], va, page[p], 0);
				want[s][i] = 0;
				sfence_va(va);
				break;
			case 3:		/* a batch, one fence */
				for (int k = 0; k < 5; k++) {
					i = rnd(N);
					p = rnd(PAGES);
					pt_map(space[s], VA + i * stride, page[p], PTE_RW_S);
					want[s][i] = 1000 + p;
				}
				if (asids && rnd(2))
					sfence_asid(s + 1);
				else
					sfence();
				break;
			case 4:		/* switch */
				cur ^= 1;
				csr_write(satp, pt_satp(space[cur], asids ? cur + 1 : 0));
				if (!asids)
					sfence();
				break;
			case 5:		/* store and back through the physical page */
				if (!want[cur][i])
					break;
				EXPECT_OK(do_sd, va + 8, step);
				CHECK_EQ(*(volatile u64 *)(page[want[cur][i] - 1000] + 8), (u64)step);
				break;
			default:
				v = load(va);
				if (v != (want[cur][i] ? want[cur][i] : -1UL)) {
					check_fail(__LINE__, "%s step %d: space %u va 0x%lx: got %ld, want %ld",
						   mode_name(m), step, cur, va, v, want[cur][i]);
					pt_off();
					return;
				}
			}
		}
		pt_off();
	}
}

/* ---- fences and satp in a row ------------------------------------------------------ */

#define ROW(name, code)								\
	static __attribute__((noinline)) void name(u64 satp, u64 va)		\
	{									\
		asm volatile(".option push\n.option norvc\n" code ".option pop"	\
			     :: "r"(satp), "r"(va) : "memory");			\
	}

ROW(row_fsf, "sfence.vma\ncsrw satp, %0\nsfence.vma\n")
ROW(row_sf, "csrw satp, %0\nsfence.vma\n")
ROW(row_fs, "sfence.vma\ncsrw satp, %0\n")
ROW(row_vsf, "sfence.vma %1\ncsrw satp, %0\nsfence.vma\n")
ROW(row_fsv, "sfence.vma\ncsrw satp, %0\nsfence.vma %1\n")
ROW(row_s, "csrw satp, %0\n")
ROW(row_ffsff, "sfence.vma\nsfence.vma\ncsrw satp, %0\nsfence.vma\nsfence.vma\n")

/* Two spaces of @n pages; tables of both change in each, then one of the rows. */
static void rows(u64 mode, unsigned int n, unsigned int rounds)
{
	static void (*const row[])(u64 satp, u64 va) = {
		row_fsf, row_sf, row_vsf, row_fsv, row_ffsff, row_fs,
	};
	struct pt *space[2] = { &pt, &pt2 };
	static u64 want[2][256], page[16];
	u64 table[2], other[2];
	bool swapped[2] = {};
	bool asids;
	u32 cur = 0;

	for (int i = 0; i < 16; i++)
		page[i] = page_with(1000 + i);
	for (int s = 0; s < 2; s++) {
		pt_init(space[s], mode);
		for (unsigned int i = 0; i < n; i++) {
			want[s][i] = 1000 + (i + s) % 16;
			pt_map(space[s], VA + 4096UL * i, page[(i + s) % 16], PTE_RW_S);
		}
		table[s] = *pt_entry(space[s], VA, 1) >> 10 << 12;
		other[s] = (u64)page_alloc();
		for (unsigned int i = 0; i < n; i++)
			((u64 *)other[s])[i] = PTE(page[s], PTE_RW_S);
	}
	pt_load(&pt);
	asids = asid_max() >= 2;
	for (unsigned int round = 0; round < rounds; round++) {
		/* Nothing changes, and nothing is fenced. */
		bool plain = asids && round % 3 == 2;
		u64 satp;

		for (int k = 0; k < 3 && !plain; k++) {
			u32 s = rnd(2), i = rnd(n), p = rnd(16);

			((volatile u64 *)table[s])[i] = PTE(page[p], PTE_RW_S);
			want[s][i] = 1000 + p;
		}
		if (round % 5 == 0 && !plain) {
			u32 s = rnd(2);

			swapped[s] = !swapped[s];
			*(volatile u64 *)pt_entry(space[s], VA, 1) =
				PTE(swapped[s] ? other[s] : table[s], PTE_V);
		}
		if (rnd(8))
			cur ^= 1;	/* else to where it is */
		satp = pt_satp(space[cur], asids ? cur + 1 : 0);
		/* Without ASIDs a fence has to follow. */
		if (plain)
			row_s(satp, 0);
		else
			row[rnd(ARRAY_SIZE(row) - !asids)](satp, VA + 4096UL * rnd(n));
		/* At first all are used, later a few. */
		for (unsigned int k = 0; k < (round < 8 ? n : 6); k++) {
			u32 i = round < 8 ? k : rnd(n);
			u64 right = swapped[cur] ? 1000 + cur : want[cur][i];
			u64 v = load(VA + 4096UL * i);

			if (v == right)
				continue;
			check_fail(__LINE__, "%s round %u: space %u page %u: got %ld, want %ld",
				   mode_name(mode), round, cur, i, v, right);
			pt_off();
			return;
		}
	}
	pt_off();
}

TEST(rows, "fences and writes of satp in a row: changes in both spaces are seen")
{
	FOR_EACH_MODE(m)
		rows(m, 12, 400);
}

TEST(rows_large, "the same with many pages, of which few are in use")
{
	FOR_EACH_MODE(m)
		rows(m, 256, 600);
}
