// SPDX-License-Identifier: GPL-2.0
/*
 * The supervisor binary interface: what is offered, and errors for bad calls.
 *
 * SBI specification 2.0: ch. 3 (encoding), 4 (BASE), 5 (legacy), 6 (TIME), 7
 * (IPI), 8 (RFENCE), 9 (HSM), 10 (SRST), 11 (PMU), 12 (DBCN).
 */
#include "guest.h"

#define LOOPS	3
#define NO_HART	0x12345UL
#define BAD_PA	HOLE

/* Umbra's answer must be the specified one; OpenSBI 1.6 has its own at times. */
static bool right(s64 got, s64 want, s64 opensbi)
{
	return got == want || (!on_umbra && got == opensbi);
}

static struct sbiret call(u64 ext, u64 fid, u64 a0, u64 a1, u64 a2)
{
	return sbi_call(ext, fid, a0, a1, a2, 0, 0);
}

TEST(base, "BASE: version 2.0 or later, implementation, machine ids, all seven functions (4)")
{
	struct sbiret r = call(SBI_BASE, 0, 0, 0, 0);

	CHECK_EQ(r.error, 0);
	CHECK_MSG(!(r.value >> 31) && r.value >> 24 >= 2, "version 0x%lx", r.value);
	for (u64 f = 1; f < 7; f++)
		CHECK_EQ(call(SBI_BASE, f, 0, 0, 0).error, 0);
	CHECK_EQ(call(SBI_BASE, 1, 0, 0, 0).value, impl_id);
	CHECK_EQ(call(SBI_BASE, 7, 0, 0, 0).error, SBI_ERR_NOT_SUPPORTED);
}

TEST(probe, "probe_extension: what is offered, and 0 for what is not (4.4)")
{
	static const u64 must[] = { SBI_BASE, SBI_TIME, SBI_IPI, SBI_RFENCE, SBI_HSM,
				    SBI_SRST, SBI_DBCN };
	static const u64 none[] = { 0x0badc0de, 0x11, 0x7fffffff };

	for (u32 i = 0; i < ARRAY_SIZE(must); i++) {
		struct sbiret r = call(SBI_BASE, 3, must[i], 0, 0);

		CHECK_MSG(!r.error && r.value, "0x%lx: %ld 0x%lx", must[i], r.error, r.value);
	}
	for (u32 i = 0; i < ARRAY_SIZE(none); i++) {
		struct sbiret r = call(SBI_BASE, 3, none[i], 0, 0);

		CHECK_MSG(!r.error && !r.value, "0x%lx: %ld 0x%lx", none[i], r.error, r.value);
	}
}

TEST(unknown, "an unknown extension or function: NOT_SUPPORTED (3)")
{
	static const u64 exts[] = { SBI_TIME, SBI_IPI, SBI_RFENCE, SBI_HSM, SBI_SRST, SBI_DBCN };

	for (int i = 0; i < LOOPS; i++) {
		CHECK_EQ(call(0x0badc0de, 0, 0, 0, 0).error, SBI_ERR_NOT_SUPPORTED);
		CHECK_EQ(call(0x12345678, 99, ~0UL, ~0UL, ~0UL).error, SBI_ERR_NOT_SUPPORTED);
		for (u32 e = 0; e < ARRAY_SIZE(exts); e++)
			CHECK_MSG(call(exts[e], 4711, 0, 0, 0).error == SBI_ERR_NOT_SUPPORTED,
				  "0x%lx", exts[e]);
	}
}

TEST(registers, "a call changes a0 and a1 only (3)")
{
	u64 code = (u64)page_alloc();
	struct ctx c;

	put32(code, INSN_ECALL);
	put32(code + 4, INSN_EBREAK);
	fence_i();
	for (u64 ext = 0; ext < 3; ext++) {
		ctx_init(&c, code, PRV_S);
		c.x[17] = ext == 0 ? SBI_BASE : ext == 1 ? 0x0badc0de : SBI_HSM;
		c.x[16] = ext == 2 ? 2 : 0;
		c.x[10] = hartid;
		run_ctx(&c);
		CHECK_EQ(c.pc, code + 4);
		CHECK_EQ(ctx_changed(&c, BIT(10) | BIT(11) | BIT(16) | BIT(17)), -1);
	}
}

TEST(time, "set_timer: past fires, future not, and it clears what is pending (6.1)")
{
	for (int i = 0; i < LOOPS; i++) {
		u64 start = rdtime();

		CHECK_EQ(call(SBI_TIME, 0, 0, 0, 0).error, 0);
		while (!(csr_read(sip) & BIT(IRQ_STI)) && rdtime() - start < timebase)
			;
		CHECK(csr_read(sip) & BIT(IRQ_STI));
		CHECK_EQ(call(SBI_TIME, 0, ~0UL, 0, 0).error, 0);
		CHECK_EQ(csr_read(sip) & BIT(IRQ_STI), 0);
		CHECK_EQ(call(SBI_TIME, 0, rdtime() + 100 * timebase, 0, 0).error, 0);
		CHECK_EQ(csr_read(sip) & BIT(IRQ_STI), 0);
	}
	set_timer(~0UL);
}

TEST(ipi, "send_ipi: a hart that is not there is INVALID_PARAM; mask and base (7.1)")
{
	for (int i = 0; i < LOOPS; i++) {
		CHECK(right(call(SBI_IPI, 0, 1, NO_HART, 0).error, SBI_ERR_INVALID_PARAM, 0));
		CHECK_EQ(csr_read(sip) & BIT(IRQ_SSI), 0);
		CHECK_EQ(call(SBI_IPI, 0, 1, hartid, 0).error, 0);
		CHECK_EQ(csr_read(sip) & BIT(IRQ_SSI), BIT(IRQ_SSI));
		csr_clear(sip, BIT(IRQ_SSI));
	}
}

TEST(rfence, "remote fences: this hart, all harts, any range; a bad hart is INVALID_PARAM (8)")
{
	for (int i = 0; i < LOOPS; i++)
		for (u64 f = 0; f < 3; f++) {
			CHECK_MSG(!sbi_call(SBI_RFENCE, f, 1, hartid, 0, 0, 0).error, "function %lu, all", f);
			CHECK_MSG(!sbi_call(SBI_RFENCE, f, 0, ~0UL, 0x1000, 0x2000, 0).error, "function %lu, all harts", f);
			CHECK_MSG(!sbi_call(SBI_RFENCE, f, 1, hartid, 0, ~0UL, 0).error, "function %lu, size -1", f);
			CHECK_MSG(right(sbi_call(SBI_RFENCE, f, 1, NO_HART, 0, 0x1000, 0).error,
					SBI_ERR_INVALID_PARAM, 0),
				  "function %lu, no such hart", f);
		}
	/* functions 3-6 are for the H extension */
	for (u64 f = 3; f < 7; f++)
		CHECK(sbi_call(SBI_RFENCE, f, 1, hartid, 0, 0, 0).error != 0);
}

TEST(hsm, "HSM: this hart is STARTED; starting it again, or one that is not there, fails (9)")
{
	for (int i = 0; i < LOOPS; i++) {
		struct sbiret r = call(SBI_HSM, 2, hartid, 0, 0);

		CHECK_EQ(r.error, 0);
		CHECK_EQ(r.value, 0);
		CHECK_EQ(call(SBI_HSM, 2, NO_HART, 0, 0).error, SBI_ERR_INVALID_PARAM);
		CHECK_EQ(call(SBI_HSM, 0, hartid, IMAGE_BASE, 0).error, SBI_ERR_ALREADY_AVAILABLE);
		CHECK_EQ(call(SBI_HSM, 0, NO_HART, IMAGE_BASE, 0).error, SBI_ERR_INVALID_PARAM);
	}
	/* hart_suspend: reserved types */
	CHECK(call(SBI_HSM, 3, 0x12345678, 0, 0).error < 0);
}

TEST(suspend, "HSM retentive suspend returns when an interrupt is pending (9.4)")
{
	struct sbiret r;

	csr_write(sie, BIT(IRQ_STI));
	set_timer(rdtime() + timebase / 1000);
	r = call(SBI_HSM, 3, 0, 0, 0);
	CHECK_MSG(!r.error || r.error == SBI_ERR_NOT_SUPPORTED || r.error == SBI_ERR_FAILED,
		  "error %ld", r.error);
	note("hart_suspend: %ld", r.error);
}

TEST(dbcn, "DBCN: writes and reads; a bad address is INVALID_PARAM (12)")
{
	static char text[] = "# written by DBCN, and then\n";
	static char byte[8];
	struct sbiret r;
	u64 len = sizeof(text) - 1, done = 0;

	while (done < len) {
		r = call(SBI_DBCN, 0, len - done, (u64)text + done, 0);
		CHECK_EQ(r.error, 0);
		if (r.error || !r.value || r.value > len - done)
			break;
		done += r.value;
	}
	CHECK_EQ(done, len);
	for (int i = 0; i < LOOPS; i++) {
		CHECK(right(call(SBI_DBCN, 0, 16, (u64)text, 1).error, SBI_ERR_INVALID_PARAM,
			    SBI_ERR_FAILED));
		/* OpenSBI 1.6 does not look at addresses that are no memory. */
		if (on_umbra) {
			CHECK_EQ(call(SBI_DBCN, 0, 16, BAD_PA, 0).error, SBI_ERR_INVALID_PARAM);
			CHECK_EQ(call(SBI_DBCN, 0, 16, -8UL, 0).error, SBI_ERR_INVALID_PARAM);
			CHECK_EQ(call(SBI_DBCN, 1, 16, BAD_PA, 0).error, SBI_ERR_INVALID_PARAM);
			CHECK_EQ(call(SBI_DBCN, 0, ~0UL, (u64)text, 0).error, SBI_ERR_INVALID_PARAM);
			/* a device is no memory either */
			CHECK_EQ(call(SBI_DBCN, 0, 4, UART_BASE, 0).error, SBI_ERR_INVALID_PARAM);
		}
		/* nobody types: zero bytes, at once */
		r = call(SBI_DBCN, 1, sizeof(byte), (u64)byte, 0);
		CHECK_EQ(r.error, 0);
		CHECK_EQ(r.value, 0);
		/* nothing to do is no error */
		r = call(SBI_DBCN, 0, 0, (u64)text, 0);
		CHECK_EQ(r.error, 0);
		CHECK_EQ(r.value, 0);
	}
	CHECK_EQ(call(SBI_DBCN, 2, '#', 0, 0).error, 0);
	CHECK_EQ(call(SBI_DBCN, 2, '\n', 0, 0).error, 0);
}

TEST(dbcn_paged, "DBCN takes physical addresses, with translation on too (12)")
{
	static struct pt pt;
	char *page = page_alloc();

	memcpy(page, "# ok\n", 5);
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_load(&pt);
		CHECK_EQ(call(SBI_DBCN, 0, 5, (u64)page, 0).error, 0);
		pt_off();
	}
}

TEST(srst, "SRST: reserved types and reasons are INVALID_PARAM and nothing happens (10)")
{
	for (int i = 0; i < LOOPS; i++) {
		CHECK_EQ(call(SBI_SRST, 0, 3, 0, 0).error, SBI_ERR_INVALID_PARAM);
		CHECK_EQ(call(SBI_SRST, 0, 0xefffffff, 0, 0).error, SBI_ERR_INVALID_PARAM);
		CHECK_EQ(call(SBI_SRST, 0, 0, 2, 0).error, SBI_ERR_INVALID_PARAM);
		CHECK_EQ(call(SBI_SRST, 0, 0, 0xdfffffff, 0).error, SBI_ERR_INVALID_PARAM);
		CHECK(call(SBI_SRST, 0, 0xf0000001, 0, 0).error != 0);
	}
}

TEST(legacy, "legacy calls, if offered: timer, console, clear and send IPI (5)")
{
	struct sbiret r = call(SBI_BASE, 3, 0, 0, 0);
	u64 mask = BIT(hartid);

	if (!r.value)
		SKIP("not offered");
	for (int i = 0; i < LOOPS; i++) {
		u64 start = rdtime();

		CHECK_EQ(call(0, 0, 0, 0, 0).error, 0);
		while (!(csr_read(sip) & BIT(IRQ_STI)) && rdtime() - start < timebase)
			;
		CHECK(csr_read(sip) & BIT(IRQ_STI));
		CHECK_EQ(call(0, 0, ~0UL, 0, 0).error, 0);
		CHECK_EQ(csr_read(sip) & BIT(IRQ_STI), 0);
		/* a1 is not touched by legacy calls */
		r = sbi_call(0, 0, ~0UL, 0x77, 0, 0, 0);
		CHECK_EQ(r.value, 0x77);
		/* getchar: nobody types */
		CHECK_EQ(call(2, 0, 0, 0, 0).error, -1);
		/* send_ipi with a pointer to the mask */
		if (call(SBI_BASE, 3, 4, 0, 0).value) {
			CHECK_EQ(call(4, 0, (u64)&mask, 0, 0).error, 0);
			CHECK(csr_read(sip) & BIT(IRQ_SSI));
			call(3, 0, 0, 0, 0);
			CHECK_EQ(csr_read(sip) & BIT(IRQ_SSI), 0);
		}
		call(5, 0, (u64)&mask, 0, 0);
		call(6, 0, (u64)&mask, 0, 0x1000);
	}
	CHECK_EQ(call(1, 0, '#', 0, 0).error, 0);
	CHECK_EQ(call(1, 0, '\n', 0, 0).error, 0);
}

TEST(pmu, "PMU, if offered: counters have info, bad ones are INVALID_PARAM; the guest may then set TM (11)")
{
	struct sbiret n, r;
	bool time = false;

	if (!sbi_probe(SBI_PMU))
		SKIP("not offered");
	n = call(SBI_PMU, 0, 0, 0, 0);
	CHECK_EQ(n.error, 0);
	note("%lu counters", n.value);
	for (u64 i = 0; i < n.value && i < 64; i++) {
		r = call(SBI_PMU, 1, i, 0, 0);
		if (!r.error && !(r.value >> 63) && (r.value & 0xfff) == CSR_TIME)
			time = true;
	}
	CHECK_EQ(call(SBI_PMU, 1, n.value + 1000, 0, 0).error, SBI_ERR_INVALID_PARAM);
	CHECK(!time);	/* time is no counter of the PMU */
	csr_write(scounteren, 2);
	CHECK_EQ(csr_read(scounteren) & 2, 2);
}

TEST(from_user, "ecall from U never reaches the SBI (3)")
{
	struct ctx c;

	for (int i = 0; i < LOOPS; i++) {
		ctx_init(&c, (u64)u_ecall, PRV_U);
		c.x[17] = SBI_SRST;
		c.x[16] = 0;
		c.x[10] = 0;
		c.x[11] = 0;
		run_ctx(&c);
		CHECK_TRAP("ecall", CAUSE_ECALL_U, 0, (u64)u_ecall);
		CHECK_EQ(c.x[17], SBI_SRST);
	}
}
