// SPDX-License-Identifier: GPL-2.0
/*
 * V, where the hart has it: sstatus.VS, vlenb, and registers that stay what they
 * were. fp.c is the same for F and D.
 *
 * Vector specification ch. 3; privileged specification 3.1.6.6.
 */
#include "guest.h"

#define LOOPS	4
#define V(insns) ".option push\n.option arch, +v\n" insns ".option pop\n"

static u64 *in, *out, vlenb;
static u64 csrs_in[3], csrs_out[3];

extern char v_put[], v_get[], v_vlenb[], v_set[], v_add[];
asm(".text\n.balign 4\n.option push\n.option norvc\n.option arch, +v\n"
    /* a0: 32 registers, a1: bytes of eight */
	"v_put:	vl8re8.v v0, (a0)\n	add a0, a0, a1\n"
	"	vl8re8.v v8, (a0)\n	add a0, a0, a1\n"
	"	vl8re8.v v16, (a0)\n	add a0, a0, a1\n"
	"	vl8re8.v v24, (a0)\n	ret\n"
	"v_get:	vs8r.v v0, (a0)\n	add a0, a0, a1\n"
	"	vs8r.v v8, (a0)\n	add a0, a0, a1\n"
	"	vs8r.v v16, (a0)\n	add a0, a0, a1\n"
	"	vs8r.v v24, (a0)\n	ret\n"
	"v_vlenb:	csrr a0, vlenb\n	ret\n"
	"v_set:	vsetivli a0, 3, e16, m2, ta, ma\n	ret\n"
	"v_add:	vadd.vv v2, v4, v6\n	ret\n"
	".option pop\n");

static void vs(u64 state)
{
	csr_clear(sstatus, SR_VS);
	csr_set(sstatus, state);
}

static bool setup(void)
{
	if (!has_vector) {
		skip("no V");
		return false;
	}
	vs(SR_VS_INITIAL);
	EXPECT_OK(v_vlenb, 0, 0);
	vlenb = try_result;
	in = pages_alloc((vlenb * 32 + 4095) / 4096);
	out = pages_alloc((vlenb * 32 + 4095) / 4096);
	return true;
}

static void put(u64 salt)
{
	for (u64 i = 0; i < vlenb * 32 / 8; i++)
		in[i] = (i + 1) * 0x0102030405060708UL + salt;
	EXPECT_OK(v_put, (u64)in, vlenb * 8);
	asm volatile(V("vsetivli %0, 5, e32, m1, ta, ma\n") : "=r"(csrs_in[0]));
	asm volatile("csrr %0, 0xc21" : "=r"(csrs_in[1]));	/* vtype */
	asm volatile("csrwi 0x00f, 3");				/* vcsr */
	csrs_in[2] = 3;
}

static void check(int line, const char *when)
{
	memset(out, 0, vlenb * 32);
	EXPECT_OK(v_get, (u64)out, vlenb * 8);
	asm volatile("csrr %0, 0xc20" : "=r"(csrs_out[0]));	/* vl */
	asm volatile("csrr %0, 0xc21" : "=r"(csrs_out[1]));
	asm volatile("csrr %0, 0x00f" : "=r"(csrs_out[2]));
	for (u64 i = 0; i < vlenb * 32 / 8; i++)
		if (out[i] != in[i]) {
			check_fail(line, "%s: byte %lu of v%lu: 0x%lx, was 0x%lx", when,
				   i * 8 % vlenb, i * 8 / vlenb, out[i], in[i]);
			return;
		}
	for (int i = 0; i < 3; i++)
		if (csrs_out[i] != csrs_in[i])
			check_fail(line, "%s: vl, vtype, vcsr [%d]: 0x%lx, was 0x%lx",
				   when, i, csrs_out[i], csrs_in[i]);
}

TEST(off, "VS off: vector instructions and CSRs are illegal in S and U")
{
	static char *const fns[] = { v_set, v_vlenb, v_get };
	struct ctx c;

	if (!setup())
		return;
	for (int i = 0; i < LOOPS; i++)
		for (u32 f = 0; f < ARRAY_SIZE(fns); f++) {
			vs(0);
			try_call(fns[f], (u64)out, 0);
			CHECK_ILLEGAL("in S", *(u32 *)fns[f], (u64)fns[f]);
			ctx_init(&c, (u64)fns[f], PRV_U);
			c.x[10] = (u64)out;
			run_ctx(&c);
			CHECK_ILLEGAL("in U", *(u32 *)fns[f], (u64)fns[f]);
			CHECK_EQ(csr_read(sstatus) & (SR_VS | SR_SD), 0);
			vs(SR_VS_INITIAL);
			EXPECT_OK(fns[f], (u64)out, vlenb * 8);
		}
}

TEST(absent, "without V: sstatus.VS reads zero, vector instructions are illegal")
{
	if (has_vector)
		SKIP("V is there");
	for (int i = 0; i < LOOPS; i++) {
		csr_set(sstatus, SR_VS);
		CHECK_EQ(csr_read(sstatus) & SR_VS, 0);
		try_call(v_set, 0, 0);
		CHECK_ILLEGAL("vsetivli", *(u32 *)v_set, (u64)v_set);
		try_call(v_vlenb, 0, 0);
		CHECK_ILLEGAL("csrr vlenb", *(u32 *)v_vlenb, (u64)v_vlenb);
	}
}

TEST(dirty, "a vector write makes VS Dirty and SD set")
{
	if (!setup())
		return;
	for (int i = 0; i < LOOPS; i++) {
		vs(SR_VS_INITIAL);
		EXPECT_OK(v_set, 0, 0);
		CHECK_EQ(try_result, 3);
		CHECK_EQ(csr_read(sstatus) & (SR_VS | SR_SD), SR_VS | SR_SD);
		vs(2UL << 9);
		EXPECT_OK(v_add, 0, 0);
		CHECK_EQ(csr_read(sstatus) & (SR_VS | SR_SD), SR_VS | SR_SD);
	}
}

TEST(kept, "vector registers, vl, vtype, vcsr stay over traps, SBI calls, VS changes, 200 ms of ticks")
{
	u64 start, rounds = 0;
	struct ctx c;

	if (!setup())
		return;
	note("vlenb %lu", vlenb);
	for (u64 i = 0; i < LOOPS; i++) {
		put(i);
		check(__LINE__, "at once");
		vs(2UL << 9);
		EXPECT_FAULT(CAUSE_LOAD_ACCESS, HOLE, do_ld, HOLE, 0);
		check(__LINE__, "a fault");
		sbi_call(SBI_BASE, 0, 0, 0, 0, 0, 0);
		check(__LINE__, "an SBI call");
		ctx_init(&c, (u64)u_ecall, PRV_U);
		run_ctx(&c);
		check(__LINE__, "a U ecall");
		vs(0);
		sbi_call(SBI_BASE, 0, 0, 0, 0, 0, 0);
		vs(2UL << 9);
		check(__LINE__, "VS off and on");
	}
	start = rdtime();
	while (rdtime() - start < timebase / 5 && !test_failed()) {
		set_timer(rdtime() + timebase / 2000);
		csr_write(sie, BIT(IRQ_STI));
		if (rounds++ & 1) {
			csr_set(sstatus, SR_SIE);
			wait_ticks(timebase / 1000);
			csr_clear(sstatus, SR_SIE);
		} else {
			asm volatile("wfi");
		}
		csr_write(sie, 0);
		set_timer(~0UL);
		check(__LINE__, "after a while");
	}
}

TEST(faults, "a vector load or store that faults: cause, stval inside it, vstart usable to go on")
{
	u64 cause;
	char *fns[] = { v_put, v_get };

	if (!setup())
		return;
	for (int i = 0; i < LOOPS; i++)
		for (int s = 0; s < 2; s++) {
			cause = try_call(fns[s], HOLE, vlenb * 8);
			CHECK_EQ(cause, s ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS);
			CHECK_EQ(trap.pc, (u64)fns[s]);
			CHECK(trap.tval >= HOLE && trap.tval < HOLE + vlenb * 8);
			asm volatile("csrw 0x008, zero");	/* vstart */
		}
}
