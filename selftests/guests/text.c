// SPDX-License-Identifier: GPL-2.0
/*
 * Code reads as it was written. A hypervisor that replaces privileged
 * instructions after their first execution must not let the guest notice:
 * reading, copying, overwriting, checksumming and mapping such code elsewhere
 * behave as if nothing had happened.
 *
 * Unprivileged specification, Zifencei and 1.5; Umbra's design, section 3.
 */
#include "guest.h"

#define LOOPS	5
#define VA	0x2000200000UL
#define USER_VA	0x2000400000UL

extern char __image_start[], __text_end[];

static struct pt pt;

static const u32 r_sscratch = 0x14002573;	/* csrr a0, sscratch */
static const u32 r_sie = 0x10402573;		/* csrr a0, sie */

/* Make code that runs @insn and ends in ebreak; execute it @n times. */
static u64 hot(u64 at, u32 insn, int n)
{
	struct ctx c;

	put32(at, insn);
	put32(at + 4, INSN_EBREAK);
	fence_i();
	for (int i = 0; i < n; i++) {
		ctx_init(&c, at, PRV_S);
		run_ctx(&c);
		if (c.cause != CAUSE_BREAKPOINT || c.pc != at + 4)
			check_fail(__LINE__, "0x%x at 0x%lx, execution %d: scause=0x%lx sepc=+%ld",
				   insn, at, i + 1, c.cause, c.pc - at);
	}
	return at;
}

/* Execute what is at @at; @want in a0. */
static void again(int line, u64 at, u64 want)
{
	struct ctx c;

	for (int i = 0; i < 3; i++) {
		ctx_init(&c, at, PRV_S);
		run_ctx(&c);
		if (c.cause != CAUSE_BREAKPOINT || c.pc != at + 4 || c.x[10] != want)
			check_fail(line, "at 0x%lx, execution %d: scause=0x%lx sepc=+%ld a0=0x%lx want 0x%lx",
				   at, i + 1, c.cause, c.pc - at, c.x[10], want);
	}
}

#define AGAIN(at, want)	again(__LINE__, at, want)

static u64 checksum(void)
{
	u64 sum = 0;

	for (const u64 *p = (u64 *)__image_start; p < (u64 *)__text_end; p++)
		sum = (sum << 1 | sum >> 63) ^ *(volatile const u64 *)p;
	return sum;
}

TEST(own_text, "the guest's own text has one checksum, before and after privileged instructions in loops")
{
	u64 before = checksum();

	for (int round = 0; round < LOOPS; round++) {
		for (int i = 0; i < 50; i++) {
			csr_write(sscratch, i);
			if (csr_read(sscratch) != (u64)i)
				check_fail(__LINE__, "sscratch lost its value");
			csr_set(sie, 2);
			csr_clear(sie, 2);
			sfence();
			csr_set(sstatus, SR_SUM);
			csr_clear(sstatus, SR_SUM);
		}
		CHECK_EQ(checksum(), before);
	}
}

TEST(read_back, "an executed instruction read back by every load, aligned or straddling it")
{
	u64 page = (u64)page_alloc();

	csr_set(sstatus, SR_FS_INITIAL);
	for (int pos = 0; pos < 8; pos += 2) {
		u64 at = page + 64 + 256 * pos + pos, start;

		memset((void *)((at - 16) & -16UL), 0, 64);
		for (u64 a = at - 8; a < at; a += 2)
			put16(a, INSN_C_NOP);
		hot(at, r_sscratch, 3);
		for (int i = 0; i < LOOPS; i++) {
			for (int b = 0; b < 4; b++) {
				EXPECT_OK(do_lbu, at + b, 0);
				CHECK_EQ(try_result, r_sscratch >> 8 * b & 0xff);
				EXPECT_OK(do_lb, at + b, 0);
				CHECK_EQ(try_result, (u64)(s64)(s8)(r_sscratch >> 8 * b));
			}
			EXPECT_OK(do_lhu, at, 0);
			CHECK_EQ(try_result, r_sscratch & 0xffff);
			EXPECT_OK(do_lh, at + 2, 0);
			CHECK_EQ(try_result, (u64)(s64)(s16)(r_sscratch >> 16));
			EXPECT_OK(do_lw, at, 0);
			CHECK_EQ(try_result, (u64)(s64)(s32)r_sscratch);
			EXPECT_OK(do_lwu, at, 0);
			CHECK_EQ(try_result, r_sscratch);
			EXPECT_OK(do_flw, at, 0);
			CHECK_EQ(try_result, (u64)(s64)(s32)r_sscratch);
			EXPECT_OK(do_ld, at, 0);
			CHECK_EQ(try_result, (u64)INSN_EBREAK << 32 | r_sscratch);
			EXPECT_OK(do_fld, at, 0);
			CHECK_EQ(try_result, (u64)INSN_EBREAK << 32 | r_sscratch);
			/* straddling its start and its end */
			EXPECT_OK(do_lw, at - 2, 0);
			CHECK_EQ((u32)try_result, r_sscratch << 16 | INSN_C_NOP);
			EXPECT_OK(do_lhu, at - 1, 0);
			CHECK_EQ(try_result, (r_sscratch & 0xff) << 8);
			EXPECT_OK(do_ld, at - 6, 0);
			CHECK_EQ(try_result >> 48, r_sscratch & 0xffff);
			EXPECT_OK(do_lhu, at + 3, 0);
			CHECK_EQ(try_result, (INSN_EBREAK & 0xff) << 8 | r_sscratch >> 24);
			start = at & -8UL;
			EXPECT_OK(do_lr_d, start, 0);
			CHECK_EQ(try_result >> 8 * pos & 0xffff, r_sscratch & 0xffff);
			AGAIN(at, csr_read(sscratch));
		}
	}
	csr_clear(sstatus, SR_FS);
}

TEST(amo, "AMO and LR/SC on an executed instruction see and leave the original")
{
	u64 page = (u64)page_alloc(), at = page + 64;

	for (int i = 0; i < LOOPS; i++) {
		hot(at, r_sscratch, 3);
		EXPECT_OK(do_amoor_w, at, 0);
		CHECK_EQ((u32)try_result, r_sscratch);
		CHECK_EQ(*(volatile u32 *)at, r_sscratch);
		AGAIN(at, csr_read(sscratch));
		/* replaced by an AMO */
		EXPECT_OK(do_amoswap_w, at, r_sie);
		CHECK_EQ((u32)try_result, r_sscratch);
		fence_i();
		AGAIN(at, csr_read(sie));
		EXPECT_OK(do_amoxor_d, at, r_sie ^ r_sscratch);
		CHECK_EQ(try_result, (u64)INSN_EBREAK << 32 | r_sie);
		fence_i();
		AGAIN(at, csr_read(sscratch));
	}
}

TEST(overwrite, "an executed instruction overwritten by sb, sh, sw, sd, in parts too, then fence.i")
{
	u64 page = (u64)page_alloc();

	csr_write(sie, 0x22);
	for (int i = 0; i < LOOPS; i++)
		for (int pos = 0; pos < 8; pos += 2) {
			u64 at = page + 128 * pos + pos;

			hot(at, r_sscratch, 3);
			put32(at, enc_addi(10, 0, 77));		/* two sh */
			fence_i();
			AGAIN(at, 77);
			hot(at, r_sscratch, 3);
			EXPECT_OK(do_sw, at, r_sie);
			fence_i();
			AGAIN(at, 0x22);
			EXPECT_OK(do_sd, at, (u64)INSN_EBREAK << 32 | enc_addi(10, 0, 78));
			fence_i();
			AGAIN(at, 78);
			/* only the upper half: csrr sscratch becomes csrr sie */
			hot(at, r_sscratch, 3);
			EXPECT_OK(do_sh, at + 2, r_sie >> 16);
			fence_i();
			AGAIN(at, 0x22);
			/* one byte of it */
			hot(at, r_sie, 3);
			EXPECT_OK(do_sb, at + 3, r_sscratch >> 24);
			EXPECT_OK(do_sb, at + 2, r_sscratch >> 16);
			fence_i();
			AGAIN(at, csr_read(sscratch));
			CHECK_EQ(*(volatile u16 *)at | (u32)*(volatile u16 *)(at + 2) << 16, r_sscratch);
			/* a neighbour: the instruction stays */
			hot(at, r_sie, 3);
			EXPECT_OK(do_sb, at + 8, 1);
			AGAIN(at, 0x22);
		}
	csr_write(sie, 0);
}

TEST(own_ebreak, "the guest's own ebreak where a CSR instruction had been executed, and back")
{
	u64 at = (u64)page_alloc() + 32;
	struct ctx c;

	csr_write(sie, 0x22);
	for (int i = 0; i < LOOPS; i++)
		for (int wide = 0; wide < 2; wide++) {
			hot(at, r_sie, 3);
			/* a kernel's breakpoint: replaces the first half only, or all */
			if (wide)
				put32(at, INSN_EBREAK);
			else
				put16(at, INSN_C_EBREAK);
			fence_i();
			for (int k = 0; k < 3; k++) {
				ctx_init(&c, at, PRV_S);
				run_ctx(&c);
				CHECK_TRAP("own ebreak", CAUSE_BREAKPOINT, trap.tval ? at : 0, at);
				CHECK_EQ(ctx_changed(&c, 0), -1);
			}
			CHECK_EQ(*(volatile u16 *)at, wide ? INSN_EBREAK & 0xffff : INSN_C_EBREAK);
			put32(at, r_sie);
			fence_i();
			AGAIN(at, 0x22);
		}
	csr_write(sie, 0);
}

TEST(same_ebreak, "a c.ebreak written over an executed instruction whose place may hold one already")
{
	u64 at = (u64)page_alloc() + 32;
	struct ctx c;

	for (int i = 0; i < LOOPS; i++) {
		hot(at, r_sie, 3);
		/* by each width that covers the half-word */
		if (i % 3 == 0)
			EXPECT_OK(do_sh, at, INSN_C_EBREAK);
		else if (i % 3 == 1)
			EXPECT_OK(do_sw, at, (r_sie & 0xffff0000) | INSN_C_EBREAK);
		else
			EXPECT_OK(do_sd, at, (u64)INSN_EBREAK << 32 | (r_sie & 0xffff0000) | INSN_C_EBREAK);
		fence_i();
		ctx_init(&c, at, PRV_S);
		run_ctx(&c);
		CHECK_TRAP("own c.ebreak", CAUSE_BREAKPOINT, trap.tval ? at : 0, at);
		CHECK_EQ(c.x[10], ctx_pattern(10));
	}
}

TEST(copy, "an executed instruction copied elsewhere by memcpy, and executed there")
{
	u64 from = (u64)page_alloc(), to = (u64)page_alloc();

	csr_write(sie, 0x202);
	for (int i = 0; i < LOOPS; i++) {
		hot(from + 16 * i, r_sie, 4);
		memcpy((void *)(to + 16 * i + 2), (void *)(from + 16 * i), 8);
		fence_i();
		CHECK_EQ(memcmp((void *)(to + 16 * i + 2), (void *)(from + 16 * i), 8), 0);
		AGAIN(to + 16 * i + 2, 0x202);
		AGAIN(from + 16 * i, 0x202);
	}
	csr_write(sie, 0);
}

TEST(page_end, "an instruction in a page's last two bytes and the next page's first two")
{
	u64 pages = (u64)pages_alloc(2), at = pages + 4094;

	csr_write(sie, 0x20);
	for (int i = 0; i < LOOPS; i++) {
		hot(at, r_sie, 4);
		AGAIN(at, 0x20);
		CHECK_EQ(*(volatile u16 *)at, r_sie & 0xffff);
		CHECK_EQ(*(volatile u16 *)(at + 2), r_sie >> 16);
		EXPECT_OK(do_lw, at, 0);
		CHECK_EQ((u32)try_result, r_sie);
		/* the second half, in the other page, changes */
		put16(at + 2, r_sscratch >> 16);
		fence_i();
		AGAIN(at, csr_read(sscratch));
	}
	FOR_EACH_MODE(m) {
		u64 a = (u64)page_alloc(), b = (u64)page_alloc(), c = (u64)page_alloc();

		/* the second half comes from another physical page each time */
		put16(a + 4094, r_sie & 0xffff);
		put16(b, r_sie >> 16);
		put32(b + 2, INSN_EBREAK);
		put16(c, r_sscratch >> 16);
		put32(c + 2, INSN_EBREAK);
		fence_i();
		pt_init(&pt, m);
		pt_map(&pt, VA, a, PTE_RWX_S);
		pt_map(&pt, VA + 4096, b, PTE_RWX_S);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			pt_map(&pt, VA + 4096, i & 1 ? c : b, PTE_RWX_S);
			sfence();
			fence_i();
			/* a trap leaves t0 in sscratch */
			again(__LINE__, VA + 4094, i & 1 ? ctx_pattern(5) : 0x20);
		}
		pt_off();
	}
	csr_write(sie, 0);
}

/* ---- the same bytes under other addresses and privileges -------------------------------- */

TEST(user_alias, "a code page mapped for S and for U: U gets the illegal instruction, S keeps working")
{
	csr_write(sie, 0x22);
	FOR_EACH_MODE(m) {
		u64 page = (u64)page_alloc();
		struct ctx c;

		put32(page, r_sie);
		put32(page + 4, INSN_EBREAK);
		put32(page + 16, INSN_SRET);
		fence_i();
		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_RWX_S);
		pt_map(&pt, USER_VA, page, PTE_RWX_U);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			AGAIN(VA, 0x22);
			for (int k = 0; k < 3; k++) {
				ctx_init(&c, USER_VA, PRV_U);
				run_ctx(&c);
				CHECK_ILLEGAL("U csrr", r_sie, USER_VA);
				CHECK_EQ(ctx_changed(&c, 0), -1);
			}
			/* U reads the original bytes */
			ctx_init(&c, user_va(u_lw), PRV_U);
			c.x[10] = USER_VA;
			run_ctx(&c);
			CHECK_EQ((u32)c.x[10], r_sie);
			AGAIN(VA, 0x22);
			csr_set(sstatus, SR_SUM);
			CHECK_EQ(*(volatile u32 *)USER_VA, r_sie);
			csr_clear(sstatus, SR_SUM);
		}
		pt_off();
	}
	csr_write(sie, 0);
}

TEST(user_same_va, "a user's ebreak at the virtual address of a kernel's CSR instruction stays an ebreak")
{
	static struct pt kernel, user;

	csr_write(sie, 0x22);
	FOR_EACH_MODE(m) {
		u64 kpage = (u64)page_alloc(), upage = (u64)page_alloc();
		struct ctx c;

		put32(kpage, r_sie);
		put32(kpage + 4, INSN_EBREAK);
		put16(upage, INSN_C_EBREAK);
		put16(upage + 2, INSN_C_EBREAK);
		put32(upage + 4, INSN_ECALL);
		fence_i();
		pt_init(&kernel, m);
		pt_init(&user, m);
		pt_map(&kernel, VA, kpage, PTE_RWX_S);
		pt_map(&user, VA, upage, PTE_RWX_U);
		for (int i = 0; i < LOOPS; i++) {
			csr_write(satp, pt_satp(&kernel, 0));
			sfence();
			AGAIN(VA, 0x22);
			csr_write(satp, pt_satp(&user, 0));
			sfence();
			for (int k = 0; k < 3; k++) {
				ctx_init(&c, VA, PRV_U);
				run_ctx(&c);
				CHECK_TRAP("U ebreak", CAUSE_BREAKPOINT, trap.tval ? VA : 0, VA);
				CHECK_EQ(c.status & SR_SPP, 0);
				CHECK_EQ(ctx_changed(&c, 0), -1);
			}
		}
		pt_off();
		/* one space: the page changes from kernel's to user's */
		pt_init(&kernel, m);
		pt_map(&kernel, VA, kpage, PTE_RWX_S);
		pt_load(&kernel);
		for (int i = 0; i < LOOPS; i++) {
			pt_map(&kernel, VA, kpage, PTE_RWX_S);
			sfence_va(VA);
			AGAIN(VA, 0x22);
			pt_map(&kernel, VA, upage, PTE_RWX_U);
			sfence_va(VA);
			ctx_init(&c, VA, PRV_U);
			run_ctx(&c);
			CHECK_TRAP("U ebreak", CAUSE_BREAKPOINT, trap.tval ? VA : 0, VA);
			CHECK_EQ(ctx_changed(&c, 0), -1);
		}
		pt_off();
	}
	csr_write(sie, 0);
}

TEST(other_code, "other code at the virtual address of an executed instruction, after a fence")
{
	csr_write(sie, 0x22);
	FOR_EACH_MODE(m) {
		u64 a = (u64)page_alloc(), b = (u64)page_alloc();

		put32(a, r_sie);
		put32(a + 4, INSN_EBREAK);
		put32(b, enc_addi(10, 0, 99));
		put32(b + 4, INSN_EBREAK);
		fence_i();
		pt_init(&pt, m);
		pt_map(&pt, VA, a, PTE_RWX_S);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			pt_map(&pt, VA, a, PTE_RWX_S);
			sfence_va(VA);
			fence_i();
			AGAIN(VA, 0x22);
			pt_map(&pt, VA, b, PTE_RWX_S);
			sfence_va(VA);
			fence_i();
			AGAIN(VA, 99);
		}
		pt_off();
	}
	csr_write(sie, 0);
}

TEST(execute_only, "an execute-only page: not readable, and with MXR its original bytes")
{
	csr_write(sie, 0x22);
	FOR_EACH_MODE(m) {
		u64 page = (u64)page_alloc();

		put32(page, r_sie);
		put32(page + 4, INSN_EBREAK);
		fence_i();
		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_V | PTE_X | PTE_AD);
		pt_map(&pt, VA + 4096, page, PTE_V | PTE_R | PTE_X | PTE_AD);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			AGAIN(VA, 0x22);
			EXPECT_FAULT(CAUSE_LOAD_PAGE, VA, do_lw, VA, 0);
			csr_set(sstatus, SR_MXR);
			EXPECT_OK(do_lw, VA, 0);
			CHECK_EQ((u32)try_result, r_sie);
			AGAIN(VA, 0x22);
			EXPECT_OK(do_ld, VA, 0);
			CHECK_EQ((u32)try_result, r_sie);
			EXPECT_OK(do_lw, VA + 4096, 0);
			CHECK_EQ((u32)try_result, r_sie);
			EXPECT_FAULT(CAUSE_STORE_PAGE, VA, do_sw, VA, 0);
			csr_clear(sstatus, SR_MXR);
			EXPECT_FAULT(CAUSE_LOAD_PAGE, VA + 4, do_lw, VA + 4, 0);
			/* readable elsewhere, without MXR */
			EXPECT_OK(do_lw, VA + 4096, 0);
			CHECK_EQ((u32)try_result, r_sie);
			EXPECT_FAULT(CAUSE_STORE_PAGE, VA + 4096, do_sw, VA + 4096, 0);
		}
		pt_off();
	}
	csr_write(sie, 0);
}

TEST(data_on_page, "a page of code and data: both keep their values through 500 rounds")
{
	u64 page = (u64)page_alloc(), at = page + 64, bad = 0;
	volatile u64 *d = (volatile u64 *)(page + 1024);

	csr_write(sie, 0x22);
	hot(at, r_sie, 2);
	put32(at + 4, INSN_RET);
	fence_i();
	for (u64 i = 0; i < 500; i++) {
		d[i & 7] = i;
		if (((u64 (*)(void))at)() != 0x22 || d[i & 7] != i ||
		    *(volatile u32 *)at != r_sie)
			bad++;
	}
	CHECK_EQ(bad, 0);
	csr_write(sie, 0);
}

TEST(every_insn, "each privileged instruction, executed ten times, reads back; other registers stay")
{
	static const u32 insns[] = {
		0x10002573, 0x10402573, 0x10502573, 0x10602573, 0x10a02573, 0x14002573,
		0x14102573, 0x14202573, 0x14302573, 0x14402573, 0x18002573, 0xc0102573,
		0x10016573, 0x10017573,			/* csrrsi, csrrci sstatus, 2 */
		0x14001073,				/* csrw sscratch, x0 */
		INSN_SFENCE_VMA, 0x12050073, 0x12b00073, 0x12b50073,
	};
	u64 page = (u64)page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(insns); i++) {
		u64 at = page + 16 * i;
		struct ctx c;

		put32(at, insns[i]);
		put32(at + 4, INSN_EBREAK);
		fence_i();
		for (int k = 0; k < 10; k++) {
			ctx_init(&c, at, PRV_S);
			run_ctx(&c);
			CHECK_EQ(c.pc, at + 4);
			CHECK_EQ(ctx_changed(&c, BIT(10)), -1);
			if (k == 2 || k == 9)
				CHECK_EQ(*(volatile u32 *)at, insns[i]);
		}
	}
}

/* A vector load of executed code; the assembler's ISA has no V: by hand. */
TEST(vector, "a vector load of an executed instruction, a vector store over it (V)")
{
	u64 page = (u64)page_alloc(), at = page + 32;
	static u64 copy[4];

	if (!has_vector)
		SKIP("no V");
	csr_write(sie, 0x22);
	csr_set(sstatus, SR_VS_INITIAL);
	for (int i = 0; i < LOOPS; i++) {
		u64 vl;

		hot(at, r_sie, 3);
		memset(copy, 0, sizeof(copy));
		asm volatile(".option push\n.option arch, +v\n"
			     "vsetivli	%0, 16, e8, m1, ta, ma\n"
			     "vle8.v	v1, (%1)\n"
			     "vse8.v	v1, (%2)\n"
			     ".option pop\n" : "=&r"(vl) : "r"(at), "r"(copy) : "memory");
		CHECK_EQ(vl, 16);
		CHECK_EQ(copy[0], (u64)INSN_EBREAK << 32 | r_sie);
		AGAIN(at, 0x22);
		copy[0] = (u64)INSN_EBREAK << 32 | enc_addi(10, 0, 55);
		asm volatile(".option push\n.option arch, +v\n"
			     "vsetivli	%0, 8, e8, m1, ta, ma\n"
			     "vle8.v	v1, (%2)\n"
			     "vse8.v	v1, (%1)\n"
			     ".option pop\n" : "=&r"(vl) : "r"(at), "r"(copy) : "memory");
		fence_i();
		AGAIN(at, 55);
	}
	csr_clear(sstatus, SR_VS);
	csr_write(sie, 0);
}
