// SPDX-License-Identifier: GPL-2.0
/*
 * time, cycle and instret: monotonic, and for U-mode only with scounteren.
 *
 * Unprivileged specification, Zicntr; privileged 12.1.5 (scounteren).
 */
#include "guest.h"

#define LOOPS	5

static u64 code_for(u32 csr)
{
	u64 code = (u64)page_alloc();

	put32(code, enc_csrr(10, csr));
	put32(code + 4, enc_csrr(11, csr));
	put32(code + 8, INSN_EBREAK);
	fence_i();
	return code;
}

TEST(time_s, "rdtime in S never goes back and moves with the timer's clock")
{
	u64 last = rdtime(), now, start = last, same = 0;

	for (int i = 0; i < 5000; i++) {
		now = rdtime();
		if (now < last) {
			check_fail(__LINE__, "went back from %lu to %lu", last, now);
			break;
		}
		same += now == last;
		last = now;
	}
	CHECK(last > start || same == 5000);
	start = rdtime();
	set_timer(start + timebase / 100);
	while (!(csr_read(sip) & BIT(IRQ_STI)) && rdtime() - start < timebase)
		;
	now = rdtime();
	CHECK(now >= start + timebase / 100);
	CHECK(now - start < timebase);
}

static void gate(u32 csr, u64 bit, const char *name)
{
	u64 code = code_for(csr);
	struct ctx c;

	ctx_init(&c, code, PRV_S);
	run_ctx(&c);
	if (c.cause == CAUSE_ILLEGAL && csr != CSR_TIME) {
		note("%s is withheld from S", name);
		return;
	}
	CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
	CHECK(c.x[11] >= c.x[10]);
	csr_write(scounteren, bit);
	if (csr_read(scounteren) != bit) {
		csr_write(scounteren, 0);
		note("scounteren has no bit for %s", name);
		return;
	}
	for (int i = 0; i < LOOPS; i++) {
		/* off: illegal, at each of several executions */
		csr_write(scounteren, ~bit);
		for (int k = 0; k < 3; k++) {
			ctx_init(&c, code, PRV_U);
			run_ctx(&c);
			CHECK_ILLEGAL(name, enc_csrr(10, csr), code);
			CHECK_EQ(ctx_changed(&c, 0), -1);
			/* S is not concerned */
			ctx_init(&c, code, PRV_S);
			run_ctx(&c);
			CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
		}
		/* on: works, and agrees with S for time */
		csr_write(scounteren, bit);
		for (int k = 0; k < 3; k++) {
			u64 before = rdtime(), after;

			ctx_init(&c, code, PRV_U);
			run_ctx(&c);
			after = rdtime();
			CHECK_MSG(c.cause == CAUSE_BREAKPOINT && c.pc == code + 8,
				  "%s in U: scause=0x%lx sepc=+%ld", name, c.cause, c.pc - code);
			CHECK(c.x[11] >= c.x[10]);
			if (csr == CSR_TIME)
				CHECK_MSG(c.x[10] >= before && c.x[11] <= after,
					  "time in U %lu..%lu, in S %lu..%lu", c.x[10], c.x[11], before, after);
			CHECK_EQ(ctx_changed(&c, BIT(10) | BIT(11)), -1);
		}
	}
}

TEST(time_u, "rdtime in U as scounteren.TM says (12.1.5)")
{
	u64 old = csr_read(scounteren);

	gate(CSR_TIME, 2, "time");
	csr_write(scounteren, old);
}

TEST(cycle_u, "rdcycle in U as scounteren.CY says (12.1.5)")
{
	u64 old = csr_read(scounteren);

	gate(CSR_CYCLE, 1, "cycle");
	csr_write(scounteren, old);
}

TEST(instret_u, "rdinstret in U as scounteren.IR says (12.1.5)")
{
	u64 old = csr_read(scounteren);

	gate(CSR_INSTRET, 4, "instret");
	csr_write(scounteren, old);
}

TEST(hpm_u, "hpmcounter3-31 in U are illegal while their bits are clear (12.1.5)")
{
	u64 old = csr_read(scounteren);
	struct ctx c;

	csr_write(scounteren, 7);
	for (u32 csr = 0xc03; csr < 0xc20; csr += 7) {
		u64 code = code_for(csr);

		for (int k = 0; k < 3; k++) {
			ctx_init(&c, code, PRV_U);
			run_ctx(&c);
			CHECK_ILLEGAL("hpmcounter", enc_csrr(10, csr), code);
		}
	}
	csr_write(scounteren, old);
}

TEST(time_paged, "rdtime in U with translation on, in a loop: never back")
{
	static struct pt pt;
	u64 old = csr_read(scounteren);
	u64 code = (u64)page_alloc();
	struct ctx c;

	/* a0 = time; loop: a1 = time; a2 |= a1 < a0; a0 = a1; bnez(--a3) */
	put32(code, enc_csrr(10, CSR_TIME));
	put32(code + 4, enc_csrr(11, CSR_TIME));
	put32(code + 8, 0x00a5b733);		/* sltu a4, a1, a0 */
	put32(code + 12, 0x00e66633);		/* or a2, a2, a4 */
	put32(code + 16, enc_addi(10, 11, 0));
	put32(code + 20, enc_addi(13, 13, -1));
	put32(code + 24, enc_bnez(13, -20));
	put32(code + 28, INSN_EBREAK);
	fence_i();
	csr_write(scounteren, 2);
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_map(&pt, 0x70000000, code, PTE_RWX_U);
		pt_load(&pt);
		ctx_init(&c, 0x70000000, PRV_U);
		c.x[12] = 0;
		c.x[13] = 3000;
		run_ctx(&c);
		CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
		CHECK_EQ(c.x[12], 0);
		CHECK_EQ(c.x[13], 0);
		pt_off();
	}
	csr_write(scounteren, old);
}
