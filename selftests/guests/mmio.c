// SPDX-License-Identifier: GPL-2.0
/*
 * Loads and stores to devices in every form, and what a device or an empty
 * address answers otherwise.
 *
 * Unprivileged specification 2.6, C (compressed forms), F/D; privileged 3.6
 * (memory attributes), 3.7.1 (access faults). Devices: the UART's scratch byte,
 * priority registers of the PLIC (32 bits, values 0-7).
 */
#include "guest.h"

#define LOOPS	3
#define PRIO	(PLIC_BASE + 4 * 20)	/* sources without a device */
#define DEV_VA	0x2000200000UL
#define UART_VA	0x2000210000UL
#define HOLE_VA	0x2000220000UL

static struct pt pt;

static volatile u8 *scratch(void)
{
	return (volatile u8 *)UART_SCRATCH;
}

static u32 prio(void)
{
	return *(volatile u32 *)PRIO;
}

static void set_prio(u32 v)
{
	*(volatile u32 *)PRIO = v;
}

TEST(bytes, "lb, lbu, sb: sign and zero extension from a device register")
{
	for (u64 v = 0; v < 256; v += 15) {
		EXPECT_OK(do_sb, UART_SCRATCH, v | 0x1234500);
		EXPECT_OK(do_lbu, UART_SCRATCH, 0);
		CHECK_EQ(try_result, v);
		EXPECT_OK(do_lb, UART_SCRATCH, 0);
		CHECK_EQ(try_result, (u64)(s64)(s8)v);
	}
}

TEST(words, "lw, lwu, sw on a 32-bit device register")
{
	for (u64 v = 0; v < 8; v++) {
		EXPECT_OK(do_sw, PRIO, v | 0xffffffff00000000UL);
		EXPECT_OK(do_lw, PRIO, 0);
		CHECK_EQ(try_result, v);
		EXPECT_OK(do_lwu, PRIO, 0);
		CHECK_EQ(try_result, v);
	}
	set_prio(0);
}

/* One instruction, all registers known, in bare mode. */
static u64 run_insn(struct ctx *c, u32 insn, int size)
{
	static u64 code;

	code = (u64)page_alloc();
	if (size == 2)
		put16(code, insn);
	else
		put32(code, insn);
	put16(code + size, INSN_C_EBREAK);
	fence_i();
	for (int i = 0; i < LOOPS; i++) {
		u64 x[32], status = c->status;
		struct ctx t;

		memcpy(x, c->x, sizeof(x));
		ctx_init(&t, code, PRV_S);
		memcpy(t.x, x, sizeof(x));
		t.status = (status & ~SR_SPIE) | SR_SPP;
		run_ctx(&t);
		if (t.cause != CAUSE_BREAKPOINT || t.pc != code + size)
			check_fail(__LINE__, "0x%x: scause=0x%lx stval=0x%lx sepc=+%ld",
				   insn, t.cause, t.tval, t.pc - code);
		if (i == LOOPS - 1)
			*c = t;
	}
	return code;
}

TEST(registers, "every register as destination, as source of data and as address")
{
	struct ctx c;

	for (int r = 1; r < 32; r++) {
		int base = r == 10 ? 11 : 10;

		set_prio(r & 7);
		ctx_init(&c, 0, PRV_S);
		c.x[base] = PRIO;
		run_insn(&c, 2U << 12 | base << 15 | r << 7 | 3, 4);	/* lw r, (base) */
		CHECK_MSG(c.x[r] == (r & 7UL), "lw x%d: 0x%lx", r, c.x[r]);
		CHECK_EQ(ctx_changed(&c, BIT(r) | BIT(base)), -1);

		ctx_init(&c, 0, PRV_S);
		c.x[base] = PRIO;
		c.x[r] = ~r & 7;
		run_insn(&c, enc_store(2, r, 0, base), 4);
		CHECK_MSG(prio() == (~r & 7), "sw x%d: %u", r, prio());
		CHECK_EQ(ctx_changed(&c, BIT(r) | BIT(base)), -1);

		/* address in r, with an offset */
		ctx_init(&c, 0, PRV_S);
		c.x[r] = PRIO - 2000;
		run_insn(&c, 2000U << 20 | 2 << 12 | r << 15 | base << 7 | 3, 4);
		CHECK_MSG(c.x[base] == (~r & 7UL), "lw from x%d: 0x%lx", r, c.x[base]);
		CHECK_EQ(ctx_changed(&c, BIT(r) | BIT(base)), -1);
	}
	/* x0: read and discarded, stored as zero; rd == rs1 */
	set_prio(5);
	ctx_init(&c, 0, PRV_S);
	c.x[10] = PRIO;
	run_insn(&c, 2U << 12 | 10 << 15 | 3, 4);
	CHECK_EQ(ctx_changed(&c, BIT(10)), -1);
	CHECK_EQ(prio(), 5);
	ctx_init(&c, 0, PRV_S);
	c.x[10] = PRIO + 2000;
	run_insn(&c, enc_store(2, 0, -2000, 10), 4);
	CHECK_EQ(prio(), 0);
	set_prio(6);
	for (int i = 0; i < LOOPS; i++) {
		EXPECT_OK(do_lw, PRIO, 0);	/* lw a0, 0(a0) */
		CHECK_EQ(try_result, 6);
	}
	set_prio(0);
}

TEST(compressed, "c.lw, c.sw, c.lwsp, c.swsp on a device")
{
	struct ctx c;

	for (int r = 8; r < 16; r++) {
		int b = r == 9 ? 10 : 9;
		u32 off = 4;		/* one register further: uimm[2] */

		set_prio(r & 7);
		ctx_init(&c, 0, PRV_S);
		c.x[b] = PRIO - off;
		run_insn(&c, 0x4000 | (b - 8) << 7 | 1 << 6 | (r - 8) << 2, 2);
		CHECK_MSG(c.x[r] == (r & 7UL), "c.lw x%d: 0x%lx", r, c.x[r]);
		CHECK_EQ(ctx_changed(&c, BIT(r) | BIT(b)), -1);

		ctx_init(&c, 0, PRV_S);
		c.x[b] = PRIO - off;
		c.x[r] = ~r & 7;
		run_insn(&c, 0xc000 | (b - 8) << 7 | 1 << 6 | (r - 8) << 2, 2);
		CHECK_MSG(prio() == (~r & 7), "c.sw x%d: %u", r, prio());
	}
	for (int r = 1; r < 32; r += 3) {
		if (r == 2)
			continue;
		set_prio(r & 7);
		ctx_init(&c, 0, PRV_S);
		c.x[2] = PRIO - 8;	/* offset 8: uimm[4:2] = 2 at bits 6:4 */
		run_insn(&c, 0x4002 | r << 7 | 2 << 4, 2);
		CHECK_MSG(c.x[r] == (r & 7UL), "c.lwsp x%d: 0x%lx", r, c.x[r]);
		CHECK_EQ(ctx_changed(&c, BIT(r) | BIT(2)), -1);
		ctx_init(&c, 0, PRV_S);
		c.x[2] = PRIO - 8;
		c.x[r] = ~r & 7;
		run_insn(&c, 0xc002 | 2 << 9 | r << 2, 2);	/* uimm[5:2] at 12:9 */
		CHECK_MSG(prio() == (~r & 7), "c.swsp x%d: %u", r, prio());
	}
	/* c.lwsp to sp itself */
	set_prio(3);
	for (int i = 0; i < LOOPS; i++) {
		ctx_init(&c, 0, PRV_S);
		c.x[2] = PRIO - 8;
		run_insn(&c, 0x4002 | 2 << 7 | 2 << 4, 2);
		CHECK_EQ(c.x[2], 3);
	}
	set_prio(0);
}

TEST(fp, "flw and fsw on a device: NaN-boxed, exact bits")
{
	for (int i = 0; i < LOOPS; i++) {
		u64 bits;

		csr_set(sstatus, SR_FS_INITIAL);
		set_prio(5);
		EXPECT_OK(do_flw, PRIO, 0);
		CHECK_EQ(try_result, 5);
		asm volatile(".option push\n.option arch, +d\nfmv.x.d %0, f0\n.option pop" : "=r"(bits));
		CHECK_EQ(bits, 0xffffffff00000005UL);
		asm volatile(".option push\n.option arch, +d\nfmv.w.x f0, %0\n.option pop" :: "r"(7UL));
		EXPECT_OK(do_fsw, PRIO, 0);
		CHECK_EQ(prio(), 7);
		CHECK_EQ(csr_read(sstatus) & SR_FS, SR_FS);
		/* FS off: illegal, before the device is touched */
		csr_clear(sstatus, SR_FS);
		try_call(do_fsw, PRIO, 0);
		check_trap(__LINE__, "fsw", CAUSE_ILLEGAL, trap.tval, (u64)do_fsw);
		try_call(do_flw, PRIO, 0);
		check_trap(__LINE__, "flw", CAUSE_ILLEGAL, trap.tval, (u64)do_flw);
		CHECK_EQ(prio(), 7);
	}
	set_prio(0);
}

/* Widths that a device need not offer: done or refused, nothing else. */
static void done_or_refused(void *fn, u64 a, bool store, const char *what)
{
	u64 cause = try_call(fn, a, 0);

	if (cause == NO_TRAP)
		return;
	CHECK_MSG(cause == (store ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS) &&
		  trap.tval == a && trap.pc == (u64)fn,
		  "%s at 0x%lx: scause=0x%lx stval=0x%lx", what, a, cause, trap.tval);
}

TEST(widths, "other widths and misaligned accesses to a device: done, or an access fault at the address")
{
	csr_set(sstatus, SR_FS_INITIAL);
	for (int i = 0; i < LOOPS; i++) {
		done_or_refused(do_lb, PRIO, false, "lb");
		done_or_refused(do_lh, PRIO, false, "lh");
		done_or_refused(do_lhu, PRIO + 2, false, "lhu");
		done_or_refused(do_ld, PRIO, false, "ld");
		done_or_refused(do_fld, PRIO, false, "fld");
		done_or_refused(do_sb, PRIO, true, "sb");
		done_or_refused(do_sh, PRIO, true, "sh");
		done_or_refused(do_sd, PRIO, true, "sd");
		done_or_refused(do_fsd, PRIO, true, "fsd");
	}
	/* misaligned: a misaligned exception is right as well */
	for (int i = 0; i < LOOPS; i++) {
		u64 cause = try_call(do_lw, PRIO + 2, 0);

		CHECK(cause == NO_TRAP || cause == CAUSE_LOAD_ACCESS || cause == CAUSE_LOAD_MISALIGNED);
		cause = try_call(do_sw, PRIO + 1, 0);
		CHECK(cause == NO_TRAP || cause == CAUSE_STORE_ACCESS || cause == CAUSE_STORE_MISALIGNED);
	}
	csr_clear(sstatus, SR_FS);
	set_prio(0);
}

TEST(paged, "devices through page tables, in S and in U; rights count first")
{
	FOR_EACH_MODE(m) {
		u64 dev = DEV_VA + (PRIO & 4095), uart = UART_VA + 7;
		struct ctx c;

		pt_init(&pt, m);
		pt_map(&pt, DEV_VA, PRIO & -4096UL, PTE_RW_S);
		pt_map(&pt, UART_VA, UART_BASE, PTE_RW_U);
		pt_load(&pt);
		for (u64 i = 0; i < LOOPS; i++) {
			EXPECT_OK(do_sw, dev, i + 3);
			EXPECT_OK(do_lw, dev, 0);
			CHECK_EQ(try_result, i + 3);
			/* a user's device */
			EXPECT_FAULT(CAUSE_LOAD_PAGE, uart, do_lb, uart, 0);
			EXPECT_FAULT(CAUSE_STORE_PAGE, uart, do_sb, uart, 0);
			ctx_init(&c, user_va(u_sb), PRV_U);
			c.x[10] = uart;
			c.x[11] = 0x80 + i;
			run_ctx(&c);
			CHECK_TRAP("U sb", CAUSE_ECALL_U, 0, user_va(u_sb) + 4);
			ctx_init(&c, user_va(u_lb), PRV_U);
			c.x[10] = uart;
			run_ctx(&c);
			CHECK_TRAP("U lb", CAUSE_ECALL_U, 0, user_va(u_lb) + 4);
			CHECK_EQ(c.x[10], (u64)(s64)(s8)(0x80 + i));
			CHECK_EQ(ctx_changed(&c, BIT(10)), -1);
			csr_set(sstatus, SR_SUM);
			EXPECT_OK(do_lbu, uart, 0);
			CHECK_EQ(try_result, 0x80 + i);
			csr_clear(sstatus, SR_SUM);
			/* and U has no right to the other */
			ctx_init(&c, user_va(u_lw), PRV_U);
			c.x[10] = dev;
			run_ctx(&c);
			CHECK_TRAP("U lw", CAUSE_LOAD_PAGE, dev, user_va(u_lw));
		}
		/* read-only mapping */
		pt_map(&pt, DEV_VA, PRIO & -4096UL, PTE_V | PTE_R | PTE_AD);
		sfence_va(DEV_VA);
		EXPECT_OK(do_lw, dev, 0);
		EXPECT_FAULT(CAUSE_STORE_PAGE, dev, do_sw, dev, 0);
		pt_off();
	}
	set_prio(0);
}

TEST(atomics, "AMO, LR and SC on a device: access fault (3.6.3)")
{
	if (!on_umbra)
		SKIP("QEMU lets them through");
	for (int i = 0; i < LOOPS; i++) {
		EXPECT_FAULT(CAUSE_STORE_ACCESS, PRIO, do_amoadd_w, PRIO, 1);
		EXPECT_FAULT(CAUSE_STORE_ACCESS, PRIO, do_amoswap_w, PRIO, 1);
		EXPECT_FAULT(CAUSE_STORE_ACCESS, PRIO + 4, do_amomaxu_w, PRIO + 4, 1);
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, PRIO, do_lr_w, PRIO, 0);
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, RTC_BASE, do_lr_d, RTC_BASE, 0);
		/* without a reservation an SC may fail before it looks */
		if (try_call(do_sc_w, PRIO, 1) != NO_TRAP)
			CHECK_TRAP("sc.w", CAUSE_STORE_ACCESS, PRIO, (u64)do_sc_w);
		else
			CHECK(try_result != 0);
	}
	CHECK_EQ(prio(), 0);
}

TEST(fetch, "a fetch from a device: instruction access fault, sepc and stval the address (3.7.1)")
{
	if (!on_umbra)
		SKIP("QEMU executes from devices");
	for (int i = 0; i < LOOPS; i++) {
		EXPECT_FETCH_FAULT(CAUSE_FETCH_ACCESS, PRIO, PRIO);
		EXPECT_FETCH_FAULT(CAUSE_FETCH_ACCESS, UART_BASE + 6, UART_BASE + 6);
		EXPECT_FETCH_FAULT(CAUSE_FETCH_ACCESS, RTC_BASE, RTC_BASE);
	}
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_map(&pt, DEV_VA, PRIO & -4096UL, PTE_RWX_S);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++)
			EXPECT_FETCH_FAULT(CAUSE_FETCH_ACCESS, DEV_VA + 8, DEV_VA + 8);
		pt_off();
	}
}

TEST(hole, "an address with nothing behind it: access fault for every kind and width (3.7.1)")
{
	static const u64 holes[] = { HOLE, 0x00800000, HOLE + 0x10000, 0x0f000000 };

	csr_set(sstatus, SR_FS_INITIAL);
	for (int i = 0; i < LOOPS; i++)
		for (u32 h = 0; h < ARRAY_SIZE(holes); h++) {
			u64 a = holes[h];

			EXPECT_FAULT(CAUSE_LOAD_ACCESS, a, do_lb, a, 0);
			EXPECT_FAULT(CAUSE_LOAD_ACCESS, a + 2, do_lhu, a + 2, 0);
			EXPECT_FAULT(CAUSE_LOAD_ACCESS, a + 4, do_lw, a + 4, 0);
			EXPECT_FAULT(CAUSE_LOAD_ACCESS, a, do_ld, a, 0);
			EXPECT_FAULT(CAUSE_LOAD_ACCESS, a, do_flw, a, 0);
			EXPECT_FAULT(CAUSE_LOAD_ACCESS, a, do_fld, a, 0);
			EXPECT_FAULT(CAUSE_STORE_ACCESS, a + 1, do_sb, a + 1, 0);
			EXPECT_FAULT(CAUSE_STORE_ACCESS, a, do_sh, a, 0);
			EXPECT_FAULT(CAUSE_STORE_ACCESS, a, do_sw, a, 0);
			EXPECT_FAULT(CAUSE_STORE_ACCESS, a + 8, do_sd, a + 8, 0);
			EXPECT_FAULT(CAUSE_STORE_ACCESS, a, do_fsd, a, 0);
			EXPECT_FAULT(CAUSE_STORE_ACCESS, a, do_amoadd_w, a, 1);
			EXPECT_FAULT(CAUSE_STORE_ACCESS, a, do_amoswap_d, a, 1);
			EXPECT_FAULT(CAUSE_LOAD_ACCESS, a, do_lr_w, a, 0);
			EXPECT_FETCH_FAULT(CAUSE_FETCH_ACCESS, a, a);
		}
	csr_clear(sstatus, SR_FS);
}

TEST(into_hole, "an access from memory into a hole faults with the hole's address; no register changes")
{
	FOR_EACH_MODE(m) {
		u64 page = (u64)page_alloc(), end = HOLE_VA + 4096, cause;

		pt_init(&pt, m);
		pt_map(&pt, HOLE_VA, page, PTE_RW_S);
		pt_map(&pt, end, HOLE, PTE_RW_S);
		pt_load(&pt);
		for (u64 off = 1; off < 8; off += 3) {
			cause = try_call(do_ld, end - off, 0);
			/* or, the access split by firmware, a misaligned exception */
			if (cause != CAUSE_LOAD_MISALIGNED)
				CHECK_TRAP("ld", CAUSE_LOAD_ACCESS,
					   trap.tval == end - off ? end - off : end, (u64)do_ld);
			cause = try_call(do_sd, end - off, 0);
			if (cause != CAUSE_STORE_MISALIGNED)
				CHECK_TRAP("sd", CAUSE_STORE_ACCESS,
					   trap.tval == end - off ? end - off : end, (u64)do_sd);
		}
		pt_off();
	}
}

TEST(loop, "500 byte stores and loads in one loop, values kept apart from memory of the same page offset")
{
	volatile u8 *ram = (volatile u8 *)page_alloc() + 7;
	u64 bad = 0;

	for (int i = 0; i < 500; i++) {
		*scratch() = i;
		*ram = ~i;
		if (*scratch() != (u8)i || *ram != (u8)~i)
			bad++;
	}
	CHECK_EQ(bad, 0);
}

/*
 * The UART's LSR is the register that Umbra answers without looking at much: what
 * stands at pc and where its address leads have to be what they were.
 */
#define LSR_VA	(UART_VA + 5)

static u64 lsr_code;

/* lbu a0, 0(a0); ebreak */
static void put_lsr_code(void)
{
	lsr_code = (u64)page_alloc();
	put32(lsr_code, 0x00054503);
	put16(lsr_code + 4, INSN_C_EBREAK);
	fence_i();
}

/* What it leaves in a0; a5 was 0x5a. */
static u64 run_lsr(u64 va, struct ctx *c)
{
	ctx_init(c, lsr_code, PRV_S);
	c->status &= ~SR_SPIE;
	c->x[10] = va;
	c->x[15] = 0x5a;
	run_ctx(c);
	return c->x[10];
}

/*
 * The transmitter has to be in use for the switcher to have a say.  What is sent may
 * come in the middle of a line that the SBI prints: nothing that the reader minds.
 */
static void transmit(void)
{
	for (const char *s = "\r\r\r\r"; *s; s++)
		EXPECT_OK(do_sb, UART_BASE, *s);
}

TEST(lsr_remapped, "LSR over and over, then its page is memory, after a fence, in another address space, without SUM")
{
	u8 *ram = page_alloc();
	struct ctx c;

	put_lsr_code();
	ram[5] = 0xa5;
	transmit();
	FOR_EACH_MODE(m) {
		struct pt other;

		pt_init(&pt, m);
		pt_map(&pt, UART_VA, UART_BASE, PTE_RW_S);
		pt_init(&other, m);
		pt_map(&other, UART_VA, (u64)ram, PTE_RW_S);
		pt_load(&pt);
		for (int i = 0; i < 2 * LOOPS; i++) {
			for (int n = 0; n < 3; n++)
				CHECK_EQ(run_lsr(LSR_VA, &c), 0x60);
			pt_map(&pt, UART_VA, (u64)ram, PTE_RW_S);
			if (i & 1)
				sfence_va(UART_VA);
			else
				sfence();
			CHECK_EQ(run_lsr(LSR_VA, &c), 0xa5);
			pt_map(&pt, UART_VA, UART_BASE, PTE_RW_S);
			sfence_va(UART_VA);
			CHECK_EQ(run_lsr(LSR_VA, &c), 0x60);
		}
		/* no fence: the ASID tells them apart */
		for (int i = 0; i < 2 * LOOPS; i++) {
			csr_write(satp, pt_satp(&other, 1));
			CHECK_EQ(run_lsr(LSR_VA, &c), 0xa5);
			csr_write(satp, pt_satp(&pt, 0));
			CHECK_EQ(run_lsr(LSR_VA, &c), 0x60);
		}
		/* for users, and S may as long as SUM is set */
		pt_map(&pt, UART_VA, UART_BASE, PTE_RW_U);
		sfence_va(UART_VA);
		for (int i = 0; i < 2 * LOOPS; i++) {
			csr_set(sstatus, SR_SUM);
			EXPECT_OK(do_lbu, LSR_VA, 0);
			CHECK_EQ(try_result, 0x60);
			EXPECT_OK(do_lbu, LSR_VA, 0);
			csr_clear(sstatus, SR_SUM);
			EXPECT_FAULT(CAUSE_LOAD_PAGE, LSR_VA, do_lbu, LSR_VA, 0);
		}
		pt_off();
	}
}

TEST(lsr_rewritten, "LSR over and over, then another instruction stands there")
{
	struct ctx c;

	put_lsr_code();
	for (int i = 0; i < 2 * LOOPS; i++) {
		transmit();
		put32(lsr_code, 0x00054503);
		fence_i();
		for (int n = 0; n < 3; n++) {
			CHECK_EQ(run_lsr(UART_BASE + 5, &c), 0x60);
			CHECK_EQ(ctx_changed(&c, BIT(10) | BIT(15)), -1);
			CHECK_EQ(c.x[15], 0x5a);
		}
		/* lbu a5, 0(a0), which differs in its first half; lbu a0, 0(a5), which does in its second */
		put32(lsr_code, 0x00054783);
		fence_i();
		CHECK_EQ(run_lsr(UART_BASE + 5, &c), UART_BASE + 5);
		CHECK_EQ(c.x[15], 0x60);
		put32(lsr_code, 0x00054503);
		fence_i();
		CHECK_EQ(run_lsr(UART_BASE + 5, &c), 0x60);
		put32(lsr_code, 0x0007c503);
		fence_i();
		ctx_init(&c, lsr_code, PRV_S);
		c.status &= ~SR_SPIE;
		c.x[15] = UART_BASE + 5;
		run_ctx(&c);
		CHECK_EQ(c.x[10], 0x60);
	}
}

TEST(lsr_registers, "LSR into every register, THR from every one")
{
	struct ctx c;

	transmit();
	for (int r = 1; r < 32; r++) {
		int base = r == 10 ? 11 : 10;

		ctx_init(&c, 0, PRV_S);
		c.x[base] = UART_BASE;
		run_insn(&c, 5U << 20 | 4 << 12 | base << 15 | r << 7 | 3, 4);	/* lbu r, 5(base) */
		CHECK_MSG(c.x[r] == 0x60, "lbu x%d: 0x%lx", r, c.x[r]);
		CHECK_EQ(ctx_changed(&c, BIT(r) | BIT(base)), -1);
		ctx_init(&c, 0, PRV_S);
		c.x[base] = UART_BASE;
		c.x[r] = '\r';
		run_insn(&c, enc_store(0, r, 0, base), 4);
		CHECK_EQ(c.x[r], '\r');
		CHECK_EQ(ctx_changed(&c, BIT(r) | BIT(base)), -1);
	}
	/* x0 stays */
	ctx_init(&c, 0, PRV_S);
	c.x[10] = UART_BASE;
	run_insn(&c, 5U << 20 | 4 << 12 | 10 << 15 | 3, 4);
	CHECK_EQ(ctx_changed(&c, BIT(10)), -1);
}

TEST(lsr_states, "LSR over and over shows a character that comes, an overrun once; THR is DLL while DLAB is set")
{
	volatile u8 *uart = (volatile u8 *)UART_BASE;
	u8 fcr = 1;

	for (int i = 0; i < 2 * LOOPS; i++) {
		transmit();
		for (int n = 0; n < 3; n++) {
			EXPECT_OK(do_lbu, UART_BASE + 5, 0);
			CHECK_EQ(try_result, 0x60);
		}
		/* THR where DLL is: nothing is sent */
		uart[3] = 0x83;
		EXPECT_OK(do_sb, UART_BASE, 0x34);
		EXPECT_OK(do_lbu, UART_BASE, 0);
		CHECK_EQ(try_result, 0x34);
		EXPECT_OK(do_sb, UART_BASE, 12);
		uart[3] = 3;
		/* in loopback it comes back */
		uart[2] = fcr;
		uart[4] = 0x10;
		EXPECT_OK(do_sb, UART_BASE, 'L');
		EXPECT_OK(do_lbu, UART_BASE + 5, 0);
		CHECK_EQ(try_result, 0x61);
		EXPECT_OK(do_lbu, UART_BASE, 0);
		CHECK_EQ(try_result, 'L');
		for (int n = 0; n < 17; n++)
			EXPECT_OK(do_sb, UART_BASE, 'L');
		for (int n = 0; n < 16; n++)
			EXPECT_OK(do_lbu, UART_BASE, 0);
		uart[4] = 8;
		EXPECT_OK(do_lbu, UART_BASE + 5, 0);
		CHECK_EQ(try_result, 0x62);
		EXPECT_OK(do_lbu, UART_BASE + 5, 0);
		CHECK_EQ(try_result, 0x60);
	}
}
