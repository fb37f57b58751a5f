// SPDX-License-Identifier: GPL-2.0
/*
 * Address translation: what a page table entry allows and to whom, and the
 * fault when it does not. fence.c has what happens when tables change.
 *
 * Privileged specification 12.3-12.6 (Sv32 by reference, Sv39, Sv48, Sv57),
 * 12.3.2 (the translation algorithm), 3.7.1 (access faults), 3.1.6.3 (SUM, MXR);
 * Svade, Svadu. Run for each mode that satp accepts.
 */
#include "guest.h"

#define VA	0x2000200000UL	/* free in every mode */
#define MAGIC	0x1122334455667788UL

static struct pt pt;

/*
 * A page to be accessed in every way: ret (S fetch), ecall at +16 (U fetch),
 * data at +64.
 */
static u64 target_page(void)
{
	u64 p = (u64)page_alloc();

	put32(p, INSN_RET);
	put32(p + 16, INSN_ECALL);
	*(volatile u64 *)(p + 64) = MAGIC;
	fence_i();
	return p;
}

enum { LOAD, STORE, FETCH };

static const u8 page_cause[] = { CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE };
static const u8 access_cause[] = { CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS };

/*
 * One access to the page at @va; returns the cause, NO_TRAP when it worked, and
 * checks stval and sepc.
 */
static u64 access(u64 va, int kind, int prv)
{
	u64 at = va + (kind == FETCH ? (prv ? 0 : 16) : 64);
	u64 code = 0, cause;
	struct ctx c;

	if (prv == PRV_S) {
		code = (u64)(kind == LOAD ? do_ld : kind == STORE ? do_sd : do_jump);
		cause = try_call((void *)code, at, MAGIC);
		if (cause == NO_TRAP) {
			if (kind == LOAD)
				CHECK_EQ(try_result, MAGIC);
			return NO_TRAP;
		}
	} else {
		code = user_va(kind == LOAD ? u_ld : kind == STORE ? u_sd : u_jump);
		ctx_init(&c, code, PRV_U);
		c.x[10] = at;
		c.x[11] = MAGIC;
		cause = run_ctx(&c);
		if (cause == CAUSE_ECALL_U && c.pc == (kind == FETCH ? at : code + 4)) {
			if (kind == LOAD)
				CHECK_EQ(c.x[10], MAGIC);
			return NO_TRAP;
		}
	}
	if (kind == FETCH)
		code = at;
	CHECK_MSG(trap.tval == at && trap.pc == code,
		  "%s of 0x%lx in %s: scause=0x%lx stval=0x%lx sepc=0x%lx, want sepc 0x%lx",
		  kind == LOAD ? "load" : kind == STORE ? "store" : "fetch", at,
		  prv ? "S" : "U", cause, trap.tval, trap.pc, code);
	return cause;
}

TEST(permissions, "R W X U, SUM and MXR, in S and U: all combinations (12.3.1)")
{
	FOR_EACH_MODE(m) {
		u64 page = target_page();

		pt_init(&pt, m);
		pt_load(&pt);
		for (u64 f = 0; f < 16; f++) {
			u64 perm = f << 1;	/* R W X U */
			bool reserved = (perm & PTE_W) && !(perm & PTE_R);

			/* without R, W, X it would be a table: not at level 0 */
			pt_map(&pt, VA, page, PTE_V | PTE_AD | perm);
			sfence_va(VA);
			for (u64 s = 0; s < 4; s++) {
				u64 bits = (s & 1 ? SR_SUM : 0) | (s & 2 ? SR_MXR : 0);

				csr_set(sstatus, bits);
				for (int prv = PRV_U; prv <= PRV_S; prv++)
					for (int kind = LOAD; kind <= FETCH; kind++) {
						bool ok, u = perm & PTE_U;
						u64 got;

						ok = kind == LOAD ? (perm & PTE_R) || ((perm & PTE_X) && (s & 2)) :
							kind == STORE ? perm & PTE_W : perm & PTE_X;
						if (prv == PRV_U)
							ok = ok && u;
						else if (u)
							ok = ok && kind != FETCH && (s & 1);
						ok = ok && !reserved && (perm & PTE_RWX);
						got = access(VA, kind, prv);
						CHECK_MSG(got == (ok ? NO_TRAP : page_cause[kind]),
							  "%s %s%s%s%s in %s%s%s, kind %d: got 0x%lx",
							  mode_name(m),
							  perm & PTE_R ? "R" : "-", perm & PTE_W ? "W" : "-",
							  perm & PTE_X ? "X" : "-", u ? "U" : "-",
							  prv ? "S" : "U", s & 1 ? " SUM" : "",
							  s & 2 ? " MXR" : "", kind, got);
					}
				csr_clear(sstatus, SR_SUM | SR_MXR);
			}
		}
		pt_off();
	}
}

TEST(sum_toggle, "SUM and MXR take effect at once, back and forth (3.1.6.3)")
{
	FOR_EACH_MODE(m) {
		u64 user = target_page(), xonly = target_page();

		pt_init(&pt, m);
		pt_map(&pt, VA, user, PTE_RW_U);
		pt_map(&pt, VA + 4096, xonly, PTE_V | PTE_X | PTE_AD);
		pt_load(&pt);
		for (int i = 0; i < 6; i++) {
			CHECK_EQ(access(VA, LOAD, PRV_S), CAUSE_LOAD_PAGE);
			CHECK_EQ(access(VA, STORE, PRV_S), CAUSE_STORE_PAGE);
			csr_set(sstatus, SR_SUM);
			CHECK_EQ(access(VA, LOAD, PRV_S), NO_TRAP);
			CHECK_EQ(access(VA, STORE, PRV_S), NO_TRAP);
			CHECK_EQ(access(VA, FETCH, PRV_S), CAUSE_FETCH_PAGE);
			CHECK_EQ(access(VA, LOAD, PRV_U), NO_TRAP);
			csr_clear(sstatus, SR_SUM);
			CHECK_EQ(access(VA + 4096, LOAD, PRV_S), CAUSE_LOAD_PAGE);
			csr_set(sstatus, SR_MXR);
			CHECK_EQ(access(VA + 4096, LOAD, PRV_S), NO_TRAP);
			CHECK_EQ(access(VA + 4096, STORE, PRV_S), CAUSE_STORE_PAGE);
			csr_clear(sstatus, SR_MXR);
			CHECK_EQ(access(VA, LOAD, PRV_U), NO_TRAP);
		}
		pt_off();
	}
}

TEST(sum_in_code, "SUM set, user load and store, SUM cleared, in one piece of code (as copy_from_user)")
{
	FOR_EACH_MODE(m) {
		u64 user = target_page(), got, v;

		pt_init(&pt, m);
		pt_map(&pt, VA, user, PTE_RW_U);
		pt_load(&pt);
		for (u64 i = 0; i < 20; i++) {
			asm volatile("li	%1, 0x40000\n"
				     "csrs	sstatus, %1\n"
				     "sd	%3, 0(%2)\n"
				     "ld	%0, 0(%2)\n"
				     "csrc	sstatus, %1\n"
				     : "=&r"(got), "=&r"(v) : "r"(VA), "r"(i * MAGIC) : "memory");
			CHECK_EQ(got, i * MAGIC);
			CHECK_EQ(*(volatile u64 *)user, i * MAGIC);
		}
		EXPECT_FAULT(CAUSE_LOAD_PAGE, VA, do_ld, VA, 0);
		pt_off();
	}
}

/* ---- A and D ----------------------------------------------------------------------- */

TEST(ad, "A and D: faults (Svade) or atomic updates (Svadu), one of them throughout (12.3.1)")
{
	int svade = 0, svadu = 0;

	FOR_EACH_MODE(m)
		for (int prv = PRV_U; prv <= PRV_S; prv++)
			for (int level = 0; level < 2; level++)
				for (int kind = LOAD; kind <= FETCH; kind++)
					for (u64 ad = 0; ad < 4; ad++) {
						u64 page = level ? BIG_BASE : target_page();
						u64 flags = PTE_V | PTE_RWX | ad << 6, got;
						u64 need = kind == STORE ? PTE_AD : PTE_A;
						volatile u64 *e;
						u64 old, extra = prv ? 0 : PTE_U;

						if (level) {
							put32(page, INSN_RET);
							put32(page + 16, INSN_ECALL);
							*(volatile u64 *)(page + 64) = MAGIC;
							fence_i();
						}
						pt_init(&pt, m);
						pt_map_level(&pt, VA, page, flags | extra, level);
						e = pt_entry(&pt, VA, level);
						old = *e;
						pt_load(&pt);
						got = access(VA, kind, prv);
						if (got != NO_TRAP) {
							CHECK_EQ(got, page_cause[kind]);
							CHECK_EQ(*e, old);
							CHECK((old & need) != need);
							svade++;
							/* software does it; after the fence it must work */
							*e = old | PTE_AD;
							sfence_va(VA);
							CHECK_EQ(access(VA, kind, prv), NO_TRAP);
						} else {
							if ((old & need) != need)
								svadu++;
							CHECK_MSG(*e == (old | need), "%s kind %d level %d: PTE 0x%lx became 0x%lx",
								  mode_name(m), kind, level, old, *e);
							/* a load that set A must not have let D slip by */
							if (svadu && kind != STORE && !(ad & 2)) {
								CHECK_EQ(access(VA, STORE, prv), NO_TRAP);
								CHECK_EQ(*e, old | PTE_AD);
							}
							if (!svadu) {
								pt_off();
								continue;
							}
							/* cleared again and fenced: set again */
							*e = old & ~PTE_AD;
							sfence_va(VA);
							CHECK_EQ(access(VA, kind, prv), NO_TRAP);
							CHECK_EQ(*e, (old & ~PTE_AD) | need);
							/* only D cleared */
							*e = (old & ~PTE_AD) | PTE_A;
							sfence_va(VA);
							CHECK_EQ(access(VA, LOAD, prv), NO_TRAP);
							CHECK_EQ(*e & PTE_D, 0);
							CHECK_EQ(access(VA, STORE, prv), NO_TRAP);
							CHECK_EQ(*e & PTE_AD, PTE_AD);
						}
						pt_off();
						if (test_failed())
							return;
					}
	CHECK_MSG(!svade || !svadu, "%d faults but %d updates", svade, svadu);
	note("%s", svadu ? "Svadu" : "Svade");
}

TEST(ad_denied, "an access that is denied leaves A and D alone; AMO sets D, LR only A")
{
	FOR_EACH_MODE(m) {
		u64 page = target_page(), cause;
		volatile u64 *e;
		u64 old;

		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_V | PTE_R);
		e = pt_entry(&pt, VA, 0);
		old = *e;
		pt_load(&pt);
		CHECK_EQ(access(VA, STORE, PRV_S), CAUSE_STORE_PAGE);
		CHECK_MSG((*e & ~PTE_A) == old, "store: PTE 0x%lx became 0x%lx", old, *e);
		CHECK_EQ(access(VA, FETCH, PRV_S), CAUSE_FETCH_PAGE);
		CHECK_MSG((*e & ~PTE_A) == old, "fetch: PTE 0x%lx became 0x%lx", old, *e);
		CHECK_EQ(access(VA, LOAD, PRV_U), CAUSE_LOAD_PAGE);
		CHECK_MSG((*e & ~PTE_A) == old, "U load: PTE 0x%lx became 0x%lx", old, *e);

		*e = old | PTE_W | PTE_A;
		sfence_va(VA);
		EXPECT_OK(do_lr_d, VA + 64, 0);
		CHECK_EQ(*e, old | PTE_W | PTE_A);
		cause = try_call(do_amoadd_d, VA + 64, 0);
		if (cause == NO_TRAP) {
			CHECK_EQ(*e, old | PTE_W | PTE_AD);
		} else {
			CHECK_TRAP("amoadd", CAUSE_STORE_PAGE, VA + 64, (u64)do_amoadd_d);
			CHECK_EQ(*e, old | PTE_W | PTE_A);
		}
		pt_off();
	}
}

/* ---- shapes of tables ---------------------------------------------------------------- */

TEST(superpages, "superpages of every level; misaligned ones fault (12.4.1)")
{
	FOR_EACH_MODE(m) {
		volatile u64 *ram = (volatile u64 *)(BIG_BASE + 0x123458);

		*ram = MAGIC;
		for (int level = 1; level < (int)(m - SV39) + 3; level++) {
			u64 shift = 12 + 9 * level, size = BIT(shift);
			u64 pa = (u64)ram & -size, va = 5 * size;

			/* the last level: both halves of the address space */
			if (level == (int)(m - SV39) + 2)
				va = 511 * size | -(BIT(shift + 8));
			pt_init(&pt, m);
			pt_map_level(&pt, va, pa, PTE_RW_S, level);
			pt_load(&pt);
			for (int i = 0; i < 2; i++) {
				EXPECT_OK(do_ld, va + ((u64)ram - pa), 0);
				CHECK_MSG(try_result == MAGIC, "%s level %d at 0x%lx", mode_name(m), level, va);
				EXPECT_OK(do_sd, va + ((u64)ram - pa), MAGIC);
			}
			for (int bit = 12; bit < (int)shift; bit += 3) {
				pt_map_level(&pt, va, pa | BIT(bit), PTE_RWX_S, level);
				sfence();
				EXPECT_FAULT(CAUSE_LOAD_PAGE, va + 8, do_ld, va + 8, 0);
				EXPECT_FAULT(CAUSE_STORE_PAGE, va + 8, do_sd, va + 8, 0);
				EXPECT_FETCH_FAULT(CAUSE_FETCH_PAGE, va + 8, va + 8);
			}
			pt_off();
		}
	}
}

TEST(execute_only_superpage, "an execute-only superpage executes, and neither reads nor writes (12.3.1)")
{
	FOR_EACH_MODE(m) {
		u64 va = 0x60000000;

		/* All of it is there before, so that the host may map it as one. */
		memset((void *)BIG_BASE, 0, 0x200000);
		put32(BIG_BASE + 0x1000, INSN_RET);
		fence_i();
		pt_init(&pt, m);
		pt_map_level(&pt, va, BIG_BASE, PTE_V | PTE_X | PTE_AD, 1);
		pt_load(&pt);
		for (int i = 0; i < 2; i++) {
			EXPECT_OK((char *)va + 0x1000, 0, 0);
			EXPECT_FAULT(CAUSE_LOAD_PAGE, va + 0x1000, do_ld, va + 0x1000, 0);
			EXPECT_FAULT(CAUSE_STORE_PAGE, va + 0x1000, do_sd, va + 0x1000, 0);
		}
		pt_off();
	}
}

TEST(reserved, "reserved bits in an entry, W without R, V clear: page fault (12.4.1)")
{
	FOR_EACH_MODE(m) {
		u64 page = target_page();

		pt_init(&pt, m);
		pt_map(&pt, VA, page, 0);
		pt_load(&pt);
		for (int kind = LOAD; kind <= FETCH; kind++) {
			CHECK_EQ(access(VA, kind, PRV_S), page_cause[kind]);
			pt_map(&pt, VA, page, PTE_RWX | PTE_AD);
			sfence_va(VA);
			CHECK_EQ(access(VA, kind, PRV_S), page_cause[kind]);
			for (int bit = 54; bit < 64; bit++) {
				if ((bit == 59 || bit == 60) && isa_has("svrsw60t59b"))
					continue;
				if ((bit == 61 || bit == 62) && isa_has("svpbmt"))
					continue;
				if (bit == 63 && isa_has("svnapot"))
					continue;
				pt_map(&pt, VA, page, PTE_RWX_S | BIT(bit));
				sfence_va(VA);
				CHECK_MSG(access(VA, kind, PRV_S) == page_cause[kind],
					  "%s kind %d PTE bit %d: scause=0x%lx", mode_name(m), kind, bit, trap.cause);
			}
			/* software's bits are free */
			pt_map(&pt, VA, page, PTE_RWX_S | 3UL << 8);
			sfence_va(VA);
			CHECK_EQ(access(VA, kind, PRV_S), NO_TRAP);
			pt_map(&pt, VA, page, 0);
			sfence_va(VA);
		}
		/* a pointer at level 0; W-only at level 1 */
		pt_map(&pt, VA, page, PTE_V);
		sfence();
		CHECK_EQ(access(VA, LOAD, PRV_S), CAUSE_LOAD_PAGE);
		pt_map_level(&pt, VA, page, PTE_V | PTE_W | PTE_AD, 1);
		sfence();
		CHECK_EQ(access(VA, LOAD, PRV_S), CAUSE_LOAD_PAGE);
		CHECK_EQ(access(VA, STORE, PRV_S), CAUSE_STORE_PAGE);
		pt_off();
	}
}

TEST(self_map, "a table that points to itself: a pointer at level 0 faults (12.3.2)")
{
	FOR_EACH_MODE(m) {
		u64 va = 0, i = 200;

		pt_init(&pt, m);
		pt.root[i] = PTE(pt.root, PTE_V);
		for (int l = 0; l < pt.levels; l++)
			va |= i << (12 + 9 * l);
		pt_load(&pt);
		EXPECT_FAULT(CAUSE_LOAD_PAGE, va, do_ld, va, 0);
		EXPECT_FAULT(CAUSE_STORE_PAGE, va, do_sd, va, 0);
		EXPECT_FETCH_FAULT(CAUSE_FETCH_PAGE, va, va);
		/* and as a page: the table's own entries */
		pt.root[i + 1] = pt.root[i];
		for (int k = 0; k < 3; k++) {
			u64 *table = page_alloc();

			table[7] = PTE(pt.root, PTE_RW_S);
			pt_map_level(&pt, VA, (u64)table, PTE_V, 1);
			sfence();
			EXPECT_OK(do_ld, (VA & -0x200000UL) + 7 * 4096 + 8 * i, 0);
			CHECK_EQ(try_result, PTE(pt.root, PTE_V));
		}
		pt_off();
	}
}

TEST(canonical, "addresses whose upper bits do not repeat the sign bit: page fault (12.4.1)")
{
	FOR_EACH_MODE(m) {
		u64 page = target_page(), bits = 39 + 9 * (m - SV39);
		u64 high = -BIT(bits - 1) + 0x200000;	/* bottom of the upper half */

		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_RWX_S);
		pt_map(&pt, high, page, PTE_RWX_S);
		pt_load(&pt);
		for (int kind = LOAD; kind <= FETCH; kind++) {
			CHECK_EQ(access(VA, kind, PRV_S), NO_TRAP);
			CHECK_EQ(access(high, kind, PRV_S), NO_TRAP);
		}
		/* only differs above the mode's width */
		for (u64 b = bits; b < 64; b++)
			for (int kind = LOAD; kind <= FETCH; kind++) {
				CHECK_MSG(access(VA ^ BIT(b), kind, PRV_S) == page_cause[kind],
					  "%s 0x%lx kind %d: got 0x%lx", mode_name(m), VA ^ BIT(b), kind, trap.cause);
				CHECK_MSG(access(high ^ BIT(b), kind, PRV_S) == page_cause[kind],
					  "%s 0x%lx kind %d: got 0x%lx", mode_name(m), high ^ BIT(b), kind, trap.cause);
			}
		/* all upper bits wrong */
		CHECK_EQ(access(VA | -BIT(bits), LOAD, PRV_S), CAUSE_LOAD_PAGE);
		CHECK_EQ(access(high & (BIT(bits) - 1), LOAD, PRV_S), CAUSE_LOAD_PAGE);
		CHECK_EQ(access(VA | -BIT(bits), FETCH, PRV_U), CAUSE_FETCH_PAGE);
		CHECK_EQ(access(high & (BIT(bits) - 1), STORE, PRV_U), CAUSE_STORE_PAGE);
		pt_off();
	}
}

TEST(everywhere, "a page at each of the root's 512 slots, and at both ends of each half")
{
	FOR_EACH_MODE(m) {
		u64 page = target_page();
		int bits = 39 + 9 * (m - SV39), missed = 0;
		u64 top = BIT(bits - 9);
		static const s64 edge[] = { 0, -4096 };

		pt_init(&pt, m);
		for (u64 i = 2; i < 512; i++) {
			u64 va = i * top + 0x3000;

			if (i >= 256)
				va |= -BIT(bits - 1);
			pt_map(&pt, va, page, PTE_RWX_S);
		}
		pt_load(&pt);
		for (u64 i = 2; i < 512; i += m == SV39 ? 1 : 3) {
			u64 va = i * top + 0x3000;

			if (i >= 256)
				va |= -BIT(bits - 1);
			for (int kind = LOAD; kind <= FETCH; kind++)
				missed += access(va, kind, PRV_S) != NO_TRAP;
			sfence_va(va);
			missed += access(va, LOAD, PRV_S) != NO_TRAP;
			/* its neighbour is not mapped */
			if (access(va + 4096, LOAD, PRV_S) != CAUSE_LOAD_PAGE ||
			    access(va + 4096, FETCH, PRV_S) != CAUSE_FETCH_PAGE)
				missed++;
		}
		CHECK_EQ(missed, 0);
		for (int e = 0; e < 2; e++) {
			/* 0 and the last page; the two sides of the hole */
			u64 ends[] = { edge[e], BIT(bits - 1) + (e ? -4096 : 0) };

			if (!e)
				ends[1] = -BIT(bits - 1);
			for (int k = 0; k < 2; k++) {
				pt_map(&pt, ends[k], page, PTE_RWX_S);
				sfence();
				for (int kind = LOAD; kind <= FETCH; kind++)
					CHECK_MSG(access(ends[k], kind, PRV_S) == NO_TRAP,
						  "%s 0x%lx kind %d", mode_name(m), ends[k], kind);
			}
		}
		pt_off();
	}
}

/*
 * Whoever runs this guest may keep something of its own in a slot of the root, and move
 * it away when the guest wants the slot.  Umbra's is in the middle, some hundred
 * pages at its beginning, then tables at 32 and 128 MiB.
 */
TEST(around, "each of 512 pages, and of 64 at 32 and 128 MiB, of slots in the middle of the root")
{
	static const u64 part[] = { 0, 32UL << 20, 128UL << 20 }, pages[] = { 512, 64, 64 };
	static const u64 slots[] = { 258, 256, 259, 257 };

	FOR_EACH_MODE(m) {
		int bits = 39 + 9 * (m - SV39), missed = 0;
		u64 page = target_page();

		for (u64 n = 0; n < 4; n++) {
			u64 base = slots[n] << (bits - 9) | -BIT(bits - 1);

			pt_init(&pt, m);
			for (unsigned int i = 0; i < 3; i++)
				for (u64 at = 0; at < pages[i] * 4096; at += 4096)
					pt_map(&pt, base + part[i] + at, page, PTE_RWX_S);
			pt_load(&pt);
			for (unsigned int i = 0; i < 3; i++)
				for (u64 at = 0; at < pages[i] * 4096; at += 4096) {
					u64 va = base + part[i] + at;

					missed += access(va, LOAD + (at / 4096 + n) % 3, PRV_S) != NO_TRAP;
					if (at % (32 * 4096))
						continue;
					pt_map(&pt, va, page, 0);
					sfence_va(va);
					missed += access(va, STORE, PRV_S) != CAUSE_STORE_PAGE;
					missed += access(va, FETCH, PRV_S) != CAUSE_FETCH_PAGE;
				}
			missed += access(base + 512 * 4096, LOAD, PRV_S) != CAUSE_LOAD_PAGE;
			pt_off();
		}
		CHECK_EQ(missed, 0);
	}
}

TEST(table_in_hole, "a table where no memory is: access fault of the kind of the access (12.3.2)")
{
	FOR_EACH_MODE(m)
		for (int level = 1; level < (int)(m - SV39) + 3; level++)
			for (int kind = LOAD; kind <= FETCH; kind++) {
				/* a root slot of its own */
				u64 va = VA | 100UL << (12 + 9 * (m - SV39 + 2)), got;

				pt_init(&pt, m);
				pt_map_level(&pt, va, HOLE, PTE_V, level);
				pt_load(&pt);
				got = access(va, kind, PRV_S);
				/* QEMU 10.0 makes it a page fault. */
				CHECK_MSG(got == access_cause[kind] || (!on_umbra && got == page_cause[kind]),
					  "%s level %d kind %d: got 0x%lx", mode_name(m), level, kind, got);
				got = access(va, kind, PRV_U);
				CHECK_MSG(got == access_cause[kind] || (!on_umbra && got == page_cause[kind]),
					  "%s level %d kind %d in U: got 0x%lx", mode_name(m), level, kind, got);
				pt_off();
			}
}

TEST(page_in_hole, "a page where no memory is: access fault with the virtual address (3.7.1)")
{
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_map(&pt, VA, HOLE, PTE_RWX_S);
		pt_map(&pt, VA + 4096, HOLE, PTE_RWX_U);
		pt_load(&pt);
		for (int i = 0; i < 3; i++)
			for (int kind = LOAD; kind <= FETCH; kind++) {
				CHECK_EQ(access(VA, kind, PRV_S), access_cause[kind]);
				CHECK_EQ(access(VA + 4096, kind, PRV_U), access_cause[kind]);
			}
		pt_off();
	}
}

TEST(beyond_pa, "a PPN wider than any physical address: access fault (12.3.2)")
{
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_map(&pt, VA, BIT(55), PTE_RWX_S);
		pt_map(&pt, VA + 4096, BIT(50), PTE_RWX_S);
		pt_load(&pt);
		for (int kind = LOAD; kind <= FETCH; kind++) {
			CHECK_EQ(access(VA, kind, PRV_S), access_cause[kind]);
			CHECK_EQ(access(VA + 4096, kind, PRV_S), access_cause[kind]);
		}
		pt_off();
	}
}

/* ---- crossing pages --------------------------------------------------------------------- */

TEST(crossing, "accesses that cross into a page with other rights fault with the second page's address")
{
	FOR_EACH_MODE(m) {
		u64 pages = (u64)pages_alloc(2), end = VA + 4096;

		pt_init(&pt, m);
		pt_map(&pt, VA, pages, PTE_RW_S);
		pt_map(&pt, VA + 4096, pages + 4096, PTE_RW_S);
		pt_load(&pt);
		for (u64 off = 1; off < 8; off++) {
			u64 v = MAGIC * off;

			/* both there: the bytes come from both */
			if (try_call(do_sd, end - off, v) != NO_TRAP) {
				CHECK_TRAP("sd", CAUSE_STORE_MISALIGNED, end - off, (u64)do_sd);
				continue;	/* misaligned accesses are not supported */
			}
			for (u64 b = 0; b < 8; b++)
				CHECK_EQ(((volatile u8 *)pages)[4096 - off + b], (u8)(v >> 8 * b));
			EXPECT_OK(do_ld, end - off, 0);
			CHECK_EQ(try_result, v);
			if (off < 4) {
				EXPECT_OK(do_lw, end - off, 0);
				CHECK_EQ(try_result, (u64)(s64)(s32)v);
			}
			if (off < 2) {
				EXPECT_OK(do_lhu, end - off, 0);
				CHECK_EQ(try_result, v & 0xffff);
			}
			/* second page: not there, then read-only */
			pt_map(&pt, end, pages + 4096, 0);
			sfence_va(end);
			EXPECT_FAULT(CAUSE_LOAD_PAGE, end, do_ld, end - off, 0);
			EXPECT_FAULT(CAUSE_STORE_PAGE, end, do_sd, end - off, 0);
			pt_map(&pt, end, pages + 4096, PTE_V | PTE_R | PTE_AD);
			sfence_va(end);
			EXPECT_OK(do_ld, end - off, 0);
			EXPECT_FAULT(CAUSE_STORE_PAGE, end, do_sd, end - off, 0);
			/* first page not there: the access's own address */
			pt_map(&pt, end, pages + 4096, PTE_RW_S);
			pt_map(&pt, VA, pages, 0);
			sfence();
			EXPECT_FAULT(CAUSE_LOAD_PAGE, end - off, do_ld, end - off, 0);
			EXPECT_FAULT(CAUSE_STORE_PAGE, end - off, do_sd, end - off, 0);
			pt_map(&pt, VA, pages, PTE_RW_S);
			sfence();
		}
		pt_off();
	}
}

TEST(crossing_fetch, "an instruction across a page boundary: fault with the second page's address")
{
	FOR_EACH_MODE(m) {
		u64 pages = (u64)pages_alloc(2), at = VA + 4094;

		put32(pages + 4094, INSN_RET);
		fence_i();
		pt_init(&pt, m);
		pt_map(&pt, VA, pages, PTE_V | PTE_R | PTE_X | PTE_AD);
		pt_map(&pt, VA + 4096, pages + 4096, PTE_V | PTE_R | PTE_X | PTE_AD);
		pt_load(&pt);
		for (int i = 0; i < 3; i++) {
			EXPECT_OK(do_jump, at, 0);
			for (int k = 0; k < 2; k++) {
				pt_map(&pt, VA + 4096, pages + 4096, k ? PTE_RW_S : 0);
				sfence_va(VA + 4096);
				try_call(do_jump, at, 0);
				check_trap(__LINE__, "second half", CAUSE_FETCH_PAGE, VA + 4096, at);
			}
			pt_map(&pt, VA + 4096, pages + 4096, PTE_V | PTE_R | PTE_X | PTE_AD);
			pt_map(&pt, VA, pages, PTE_RW_S);
			sfence();
			EXPECT_FETCH_FAULT(CAUSE_FETCH_PAGE, at, at);
			pt_map(&pt, VA, pages, PTE_V | PTE_R | PTE_X | PTE_AD);
			sfence();
		}
		pt_off();
	}
}

/* ---- bare ---------------------------------------------------------------- */

TEST(bare, "translation off: addresses are physical, in S and U (12.1.11)")
{
	u64 page = target_page();

	for (int i = 0; i < 3; i++) {
		struct ctx c;

		EXPECT_OK(do_ld, page + 64, 0);
		CHECK_EQ(try_result, MAGIC);
		ctx_init(&c, (u64)u_ld, PRV_U);
		c.x[10] = page + 64;
		run_ctx(&c);
		CHECK_EQ(c.cause, CAUSE_ECALL_U);
		CHECK_EQ(c.x[10], MAGIC);
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, HOLE, do_ld, HOLE, 0);
		EXPECT_FAULT(CAUSE_STORE_ACCESS, HOLE, do_sd, HOLE, 0);
		EXPECT_FETCH_FAULT(CAUSE_FETCH_ACCESS, HOLE, HOLE);
		/* wider than a physical address */
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, BIT(60), do_ld, BIT(60), 0);
		EXPECT_FAULT(CAUSE_STORE_ACCESS, BIT(57), do_sd, BIT(57), 0);
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, -4096UL, do_ld, -4096UL, 0);
		EXPECT_FETCH_FAULT(CAUSE_FETCH_ACCESS, -4096UL, -4096UL);
	}
}

TEST(on_off, "translation on, off and on again without fences (12.1.11)")
{
	FOR_EACH_MODE(m) {
		u64 page = target_page();

		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_RW_S);
		/* what is physical memory without translation is elsewhere with it */
		pt_map_level(&pt, 0x86000000, BIG_BASE, PTE_RW_S, 1);
		*(volatile u64 *)0x86000000 = 1;
		*(volatile u64 *)BIG_BASE = 2;
		pt_load(&pt);
		for (int i = 0; i < 6; i++) {
			CHECK_EQ(access(VA, LOAD, PRV_S), NO_TRAP);
			EXPECT_OK(do_ld, 0x86000000, 0);
			CHECK_EQ(try_result, 2);
			csr_write(satp, 0);
			EXPECT_OK(do_ld, 0x86000000, 0);
			CHECK_EQ(try_result, 1);
			EXPECT_FAULT(CAUSE_LOAD_ACCESS, VA, do_ld, VA, 0);
			csr_write(satp, pt_satp(&pt, 0));
		}
		pt_off();
	}
}

/* ---- atomics ------------------------------------------------------------- */

TEST(atomics, "every AMO on mapped memory: result and memory; LR/SC (Zaamo, Zalrsc)")
{
	static const struct {
		const char *name;
		char *fn;
		bool w;
		u64 init, arg, want;
	} t[] = {
		{ "amoadd.d", do_amoadd_d, false, 5, ~0UL, 4 },
		{ "amoswap.d", do_amoswap_d, false, 5, 9, 9 },
		{ "amoand.d", do_amoand_d, false, 0xff0, 0x1ff, 0x1f0 },
		{ "amoor.d", do_amoor_d, false, 0xf0, 0x0f, 0xff },
		{ "amoxor.d", do_amoxor_d, false, 0xff, 0x0f, 0xf0 },
		{ "amomin.d", do_amomin_d, false, 5, -7UL, -7UL },
		{ "amomax.d", do_amomax_d, false, 5, -7UL, 5 },
		{ "amominu.d", do_amominu_d, false, 5, -7UL, 5 },
		{ "amomaxu.d", do_amomaxu_d, false, 5, -7UL, -7UL },
		{ "amoadd.w", do_amoadd_w, true, 0x7fffffff, 1, 0x80000000 },
		{ "amoswap.w", do_amoswap_w, true, 0x80000000, 9, 9 },
		{ "amoand.w", do_amoand_w, true, 0xff0, 0x1ff, 0x1f0 },
		{ "amoor.w", do_amoor_w, true, 0xf0, 0x0f, 0xff },
		{ "amoxor.w", do_amoxor_w, true, 0xff, 0x0f, 0xf0 },
		{ "amomin.w", do_amomin_w, true, 5, -7UL, (u32)-7 },
		{ "amomax.w", do_amomax_w, true, 5, -7UL, 5 },
		{ "amominu.w", do_amominu_w, true, 5, -7UL, 5 },
		{ "amomaxu.w", do_amomaxu_w, true, 5, -7UL, (u32)-7 },
	};

	FOR_EACH_MODE(m) {
		u64 page = (u64)page_alloc();
		volatile u64 *d = (volatile u64 *)page;

		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_RW_S);
		pt_load(&pt);
		for (u32 i = 0; i < ARRAY_SIZE(t); i++)
			for (int k = 0; k < 2; k++) {
				u64 high = 0xabcdef0100000000UL;

				*d = t[i].w ? high | t[i].init : t[i].init;
				EXPECT_OK(t[i].fn, VA, t[i].arg);
				CHECK_MSG(try_result == (t[i].w ? (u64)(s64)(s32)t[i].init : t[i].init) &&
					  *d == (t[i].w ? high | t[i].want : t[i].want),
					  "%s: returned 0x%lx, memory 0x%lx", t[i].name, try_result, *d);
			}
		/* rights: AMO and SC count as stores, LR as a load */
		pt_map(&pt, VA, page, PTE_V | PTE_R | PTE_AD);
		sfence_va(VA);
		EXPECT_OK(do_lr_d, VA, 0);
		EXPECT_FAULT(CAUSE_STORE_PAGE, VA, do_amoadd_d, VA, 1);
		EXPECT_FAULT(CAUSE_STORE_PAGE, VA + 4, do_amoswap_w, VA + 4, 1);
		pt_map(&pt, VA, page, 0);
		sfence_va(VA);
		EXPECT_FAULT(CAUSE_LOAD_PAGE, VA, do_lr_d, VA, 0);
		EXPECT_FAULT(CAUSE_LOAD_PAGE, VA + 4, do_lr_w, VA + 4, 0);
		EXPECT_FAULT(CAUSE_STORE_PAGE, VA, do_amoadd_d, VA, 1);
		pt_off();
	}
}
