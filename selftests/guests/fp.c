// SPDX-License-Identifier: GPL-2.0
/*
 * F and D: sstatus.FS, and registers that stay what they were over traps, SBI
 * calls and time.
 *
 * Privileged specification 3.1.6.6 (extension context status). Dirty may be
 * reported when nothing changed (imprecise tracking is allowed); a change that
 * is not reported is wrong.
 */
#include "guest.h"

#define LOOPS	4
#define FP(insns) ".option push\n.option arch, +d\n" insns ".option pop\n"

static u64 in[33], out[33];

extern char fp_put[], fp_get[], fp_add[], fp_fcsr[], fp_read[], fp_u_loop[];
asm(".text\n.balign 4\n.option push\n.option norvc\n.option arch, +d\n"
	"fp_put:\n"
	".set n, 0\n"
	".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	fld	f\\r, \\r * 8(a0)\n"
	".endr\n"
	"	ld	a1, 256(a0)\n"
	"	fscsr	a1\n"
	"	ret\n"
	"fp_get:\n"
	".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	fsd	f\\r, \\r * 8(a0)\n"
	".endr\n"
	"	frcsr	a1\n"
	"	sd	a1, 256(a0)\n"
	"	ret\n"
	"fp_add:	fadd.d	f1, f2, f3\n	ret\n"
	"fp_fcsr:	frcsr	a0\n	ret\n"
	"fp_read:	fmv.x.d	a0, f1\n	ret\n"
    /* U-mode: f1 += f2, a0 times */
	"fp_u_loop: fadd.d f1, f1, f2\n	addi a0, a0, -1\n	bnez a0, fp_u_loop\n	ecall\n"
	".option pop\n");

static void put(u64 salt)
{
	for (u64 i = 0; i < 32; i++)
		in[i] = 0x3ff0000000000000UL + salt * 0x10001 + i;
	in[32] = 0x65;		/* rounding mode and flags */
	EXPECT_OK(fp_put, (u64)in, 0);
}

static void check(int line, const char *when)
{
	memset(out, 0, sizeof(out));
	EXPECT_OK(fp_get, (u64)out, 0);
	for (int i = 0; i < 33; i++)
		if (out[i] != in[i]) {
			check_fail(line, "%s: %s%d is 0x%lx, was 0x%lx", when,
				   i < 32 ? "f" : "fcsr", i, out[i], in[i]);
			return;
		}
}

static void fs(u64 state)
{
	csr_clear(sstatus, SR_FS);
	csr_set(sstatus, state);
}

TEST(off, "FS off: every FP instruction and CSR is illegal, in S and U; sepc and stval (3.1.6.6)")
{
	static char *const fns[] = { fp_add, fp_fcsr, fp_read, do_fld, do_fsd, do_flw, do_fsw };
	struct ctx c;

	for (int i = 0; i < LOOPS; i++)
		for (u32 f = 0; f < ARRAY_SIZE(fns); f++) {
			fs(0);
			try_call(fns[f], (u64)out, 0);
			CHECK_ILLEGAL("in S", *(u32 *)fns[f], (u64)fns[f]);
			ctx_init(&c, (u64)fns[f], PRV_U);
			c.x[10] = (u64)out;
			run_ctx(&c);
			CHECK_ILLEGAL("in U", *(u32 *)fns[f], (u64)fns[f]);
			CHECK_EQ(csr_read(sstatus) & (SR_FS | SR_SD), 0);
			/* and once on, it works; the same instruction */
			fs(SR_FS_INITIAL);
			EXPECT_OK(fns[f], (u64)out, 0);
		}
	fs(0);
}

TEST(states, "FS holds Initial, Clean and Dirty as written; SD follows (3.1.6.6)")
{
	for (int i = 0; i < LOOPS; i++) {
		fs(SR_FS_INITIAL);
		CHECK((csr_read(sstatus) & SR_FS) != 0);
		CHECK_EQ(!!(csr_read(sstatus) & SR_SD), (csr_read(sstatus) & SR_FS) == SR_FS);
		fs(SR_FS_CLEAN);
		CHECK((csr_read(sstatus) & SR_FS) >= SR_FS_CLEAN);
		CHECK_EQ(!!(csr_read(sstatus) & SR_SD), (csr_read(sstatus) & SR_FS) == SR_FS);
		fs(SR_FS);
		CHECK_EQ(csr_read(sstatus) & (SR_FS | SR_SD), SR_FS | SR_SD);
		fs(0);
		CHECK_EQ(csr_read(sstatus) & (SR_FS | SR_SD), 0);
	}
}

TEST(dirty, "a write to an FP register or fcsr makes FS Dirty, in S and in U (3.1.6.6)")
{
	struct ctx c;

	for (int i = 0; i < LOOPS; i++)
		for (u64 start = SR_FS_INITIAL; start <= SR_FS_CLEAN; start += SR_FS_INITIAL) {
			fs(start);
			EXPECT_OK(fp_add, 0, 0);
			CHECK_EQ(csr_read(sstatus) & (SR_FS | SR_SD), SR_FS | SR_SD);
			fs(start);
			EXPECT_OK(do_fld, (u64)in, 0);
			CHECK_EQ(csr_read(sstatus) & (SR_FS | SR_SD), SR_FS | SR_SD);
			fs(start);
			asm volatile(FP("fsflags zero\n"));
			CHECK_EQ(csr_read(sstatus) & (SR_FS | SR_SD), SR_FS | SR_SD);
			fs(start);
			ctx_init(&c, (u64)fp_u_loop, PRV_U);
			c.x[10] = 1;
			run_ctx(&c);
			CHECK_EQ(c.cause, CAUSE_ECALL_U);
			CHECK_EQ(c.status & (SR_FS | SR_SD), SR_FS | SR_SD);
		}
}

TEST(exact, "Clean stays Clean while nothing is written (an observation: imprecise is allowed)")
{
	u64 v;

	fs(SR_FS_CLEAN);
	asm volatile(FP("fmv.x.d %0, f0\n") : "=r"(v));
	v = csr_read(sstatus) & SR_FS;
	CHECK(v >= SR_FS_CLEAN);
	note("after a read: %s", v == SR_FS ? "Dirty" : "Clean");
}

TEST(kept, "registers and fcsr stay over traps, SBI calls, CSR accesses, FS changes, address spaces")
{
	static struct pt pt;
	struct ctx c;

	fs(SR_FS_INITIAL);
	for (u64 i = 0; i < LOOPS; i++) {
		put(i);
		check(__LINE__, "at once");
		fs(SR_FS_CLEAN);
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, HOLE, do_ld, HOLE, 0);
		check(__LINE__, "a fault");
		sbi_call(SBI_BASE, 0, 0, 0, 0, 0, 0);
		check(__LINE__, "an SBI call");
		ctx_init(&c, (u64)u_ecall, PRV_U);
		run_ctx(&c);
		check(__LINE__, "a U ecall");
		fs(0);
		csr_write(sscratch, 1);
		sbi_call(SBI_BASE, 0, 0, 0, 0, 0, 0);
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, HOLE, do_ld, HOLE, 0);
		/* off is not lost: the registers are still there (RISC-V: unchanged) */
		fs(SR_FS_CLEAN);
		check(__LINE__, "FS off and on");
		FOR_EACH_MODE(m) {
			pt_init(&pt, m);
			pt_load(&pt);
			check(__LINE__, "translation on");
			put(i + 100);
			fs(SR_FS_CLEAN);
			pt_off();
			check(__LINE__, "translation off");
		}
	}
}

TEST(slices, "registers stay over 300 ms of loops, waits and timer ticks")
{
	u64 start = rdtime(), rounds = 0;

	fs(SR_FS_INITIAL);
	put(7);
	/* And each kind of round at least once, however slow the machine is. */
	while ((rdtime() - start < timebase * 3 / 10 || rounds < 4) && !test_failed()) {
		set_timer(rdtime() + timebase / 2000);
		csr_write(sie, BIT(IRQ_STI));
		if (rounds & 1) {
			csr_set(sstatus, SR_SIE);
			wait_ticks(timebase / 1000);
			csr_clear(sstatus, SR_SIE);
		} else {
			asm volatile("wfi");
		}
		csr_write(sie, 0);
		set_timer(~0UL);
		fs(rounds & 2 ? SR_FS_CLEAN : SR_FS);
		check(__LINE__, "after a while");
		rounds++;
	}
}

TEST(sums, "U-mode adds 1.0 for 100 ms while ticks interrupt it: the sum is exact")
{
	u64 total = 0, v, start = rdtime();
	struct ctx c;

	fs(SR_FS_INITIAL);
	asm volatile(FP("fcvt.d.l f1, zero\n" "li %0, 1\n" "fcvt.d.l f2, %0\n") : "=r"(v));
	/* 100 ms, and until ticks have come; hosts may be busy */
	while (rdtime() - start < timebase / 10 ||
	       (irq_count[IRQ_STI] < 3 && rdtime() - start < 5 * timebase)) {
		set_timer(rdtime() + timebase / 5000);
		csr_write(sie, BIT(IRQ_STI));
		ctx_init(&c, (u64)fp_u_loop, PRV_U);
		c.x[10] = 20000;
		run_ctx(&c);
		CHECK_EQ(c.cause, CAUSE_ECALL_U);
		csr_write(sie, 0);
		total += 20000;
	}
	fs(SR_FS);
	asm volatile(FP("fcvt.l.d %0, f1\n") : "=r"(v));
	CHECK_EQ(v, total);
	CHECK(irq_count[IRQ_STI] >= 3);
	note("%lu additions, %lu ticks", total, irq_count[IRQ_STI]);
}
