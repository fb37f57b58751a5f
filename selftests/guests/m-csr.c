// SPDX-License-Identifier: GPL-2.0
/*
 * The machine CSRs: which exist, what they hold after a write, who may access
 * them; counters.
 *
 * Privileged specification ch. 2, 3.1, 3.7 (PMP registers), Sstc. Where the
 * specification leaves a choice (WARL), the test accepts each and is strict
 * where the choice would matter to firmware.
 */
#include "machine.h"

/* One or two instructions and an ecall. Any CSR, so made at run time. */
static u64 code;

static void setup(void)
{
	code = (u64)page_alloc();
}

static u64 access(int prv, u32 insn, u64 a0, u64 a1)
{
	put32(code, insn);
	put32(code + 4, INSN_ECALL);
	fence_i();
	return run_at(prv, code, a0, a1);
}

/* The CSR as M-mode reads it; does it exist? */
static bool read_csr(u32 csr, u64 *val)
{
	if (access(PRV_M, enc_csrr(10, csr), 0, 0) != CAUSE_ECALL_M)
		return false;
	*val = trap.x[10];
	return true;
}

/* Writes and reads back, with no trap in between, which would change some. */
static u64 wrote(u32 csr, u64 val)
{
	put32(code, enc_csr(OP_CSRRW, 0, csr, 11));
	put32(code + 4, enc_csrr(10, csr));
	put32(code + 8, INSN_ECALL);
	fence_i();
	CHECK_MSG(run_at(PRV_M, code, 0, val) == CAUSE_ECALL_M,
		  "writing CSR 0x%x: cause 0x%lx", csr, trap.cause);
	return trap.x[10];
}

TEST(identity, "misa, mvendorid, marchid, mimpid, mhartid, mconfigptr are there, and constant")
{
	u64 val = 0, misa = 0;

	setup();
	CHECK(read_csr(CSR_MISA, &misa));
	CHECK_EQ(misa >> 62, 2);
	/* I M A C S U, and no H */
	CHECK_EQ(misa & 0x141185, 0x141105);
	/* WARL: whatever of it can be switched off is back at the end. */
	wrote(CSR_MISA, misa);
	CHECK_EQ(csr_read(0x301), misa);
	for (u32 csr = 0xf11; csr <= 0xf15; csr++) {
		CHECK_MSG(read_csr(csr, &val), "CSR 0x%x does not exist", csr);
		access(PRV_M, enc_csr(OP_CSRRW, 0, csr, 11), 0, val);
		CHECK_ILLEGAL("write of a read-only CSR", enc_csr(OP_CSRRW, 0, csr, 11),
			      code);
	}
	CHECK_EQ(csr_read(0xf14), 0);
	CHECK_EQ(csr_read(0xf15), 0);
}

TEST(mstatus, "mstatus: MPP is WARL, XS UBE MBE SBE are 0, UXL and SXL are 64, SD follows FS and VS")
{
	u64 all, val;

	setup();
	all = wrote(CSR_MSTATUS, ~0UL);
	CHECK_EQ(all & MR_MPP, MR_MPP);
	CHECK_EQ(all & (MR_MIE | MR_MPIE | SR_SIE | SR_SPIE | SR_SPP),
		 MR_MIE | MR_MPIE | SR_SIE | SR_SPIE | SR_SPP);
	CHECK_EQ(all & (MR_MPRV | MR_TVM | MR_TW | MR_TSR | SR_SUM | SR_MXR),
		 MR_MPRV | MR_TVM | MR_TW | MR_TSR | SR_SUM | SR_MXR);
	CHECK_EQ(all & (SR_UXL | 3UL << 34), SR_UXL_64 | MR_SXL_64);
	CHECK_EQ(all & (SR_UBE | SR_XS | 3UL << 36), 0);
	CHECK_EQ(all >> 63, (all & SR_FS) == SR_FS || (all & SR_VS) == SR_VS);
	/* MPP = 2 is reserved. */
	csr_write(mstatus, 1UL << 11);
	csr_write(mstatus, 2UL << 11);
	val = csr_read(mstatus) & MR_MPP;
	CHECK_MSG(val != 2UL << 11, "MPP holds 2");
	csr_write(mstatus, 0);
	CHECK_EQ(csr_read(mstatus), SR_UXL_64 | MR_SXL_64);
	/* sstatus is a part of it, and does not show the rest */
	csr_write(mstatus, ~0UL & ~(MR_MPRV | MR_MIE));
	CHECK_EQ(csr_read(sstatus), csr_read(mstatus) &
		 (SR_SIE | SR_SPIE | SR_SPP | SR_FS | SR_VS | SR_SUM | SR_MXR |
		  SR_UXL | SR_SD));
	csr_write(sstatus, 0);
	val = csr_read(mstatus);
	CHECK_EQ(val & (MR_MPP | MR_MPIE | MR_TVM | MR_TW | MR_TSR),
		 MR_MPP | MR_MPIE | MR_TVM | MR_TW | MR_TSR);
	csr_write(mstatus, MR_MPP);
}

TEST(delegation_registers, "medeleg and mideleg hold what can be delegated: never ecalls from M, never machine interrupts")
{
	u64 val;

	setup();
	val = wrote(CSR_MEDELEG, ~0UL);
	/* QEMU also lets bit 11 be set; nothing ever comes of it. */
	CHECK_EQ(val & 0xb3ff, 0xb3ff);
	if (on_umbra)
		CHECK_EQ(val, 0xb3ff);
	CHECK_EQ(wrote(CSR_MEDELEG, 0), 0);
	val = wrote(CSR_MIDELEG, ~0UL);
	CHECK_EQ(val & (IRQ_ALL_S | IRQ_ALL_M), IRQ_ALL_S);
	CHECK_EQ(wrote(CSR_MIDELEG, BIT(IRQ_STI)) & (IRQ_ALL_S | IRQ_ALL_M), BIT(IRQ_STI));
	CHECK_EQ(wrote(CSR_MIDELEG, 0) & (IRQ_ALL_S | IRQ_ALL_M), 0);
}

TEST(interrupt_registers, "mie and mip: what M-mode can write; sie and sip show what is delegated")
{
	u64 all = IRQ_ALL_S | IRQ_ALL_M;

	setup();
	CHECK_EQ(wrote(CSR_MIE, ~0UL) & all, all);
	csr_write(mideleg, BIT(IRQ_SSI) | BIT(IRQ_SEI));
	CHECK_EQ(csr_read(sie), BIT(IRQ_SSI) | BIT(IRQ_SEI));
	csr_write(sie, 0);
	CHECK_EQ(csr_read(mie) & all, all & ~(BIT(IRQ_SSI) | BIT(IRQ_SEI)));
	csr_write(sie, ~0UL);
	CHECK_EQ(csr_read(mie) & all, all);
	csr_write(mie, 0);

	csr_write(mip, ~0UL);
	CHECK_EQ(csr_read(mip) & all, IRQ_ALL_S);
	CHECK_EQ(csr_read(sip), BIT(IRQ_SSI) | BIT(IRQ_SEI));
	/* S-mode clears SSIP, and nothing else */
	csr_write(sip, 0);
	CHECK_EQ(csr_read(mip) & all, BIT(IRQ_STI) | BIT(IRQ_SEI));
	csr_write(sip, ~0UL);
	CHECK_EQ(csr_read(mip) & all, IRQ_ALL_S);
	csr_write(mideleg, BIT(IRQ_SEI));
	csr_write(sip, 0);
	CHECK_EQ(csr_read(mip) & all, IRQ_ALL_S);
	csr_write(mip, 0);
	CHECK_EQ(csr_read(mip) & all, 0);
}

TEST(stce, "menvcfg.STCE: STIP is stimecmp's alone, and stimecmp is S-mode's with mcounteren.TM")
{
	u64 val;

	setup();
	if (!read_csr(0x14d, &val))
		SKIP("no Sstc");
	csr_write(0x30a, 0);
	if (on_umbra) {
		/* QEMU's stimecmp drives STIP all the same. */
		csr_write(0x14d, 0);
		CHECK_EQ(csr_read(mip) & BIT(IRQ_STI), 0);
	}
	csr_write(mip, BIT(IRQ_STI));
	CHECK_EQ(csr_read(mip) & BIT(IRQ_STI), BIT(IRQ_STI));
	csr_write(mcounteren, ~0UL);
	EXPECT_AS(PRV_S, CAUSE_ILLEGAL, enc_csrr(10, 0x14d), x_stimecmp, 0, 0);
	csr_write(mip, 0);

	csr_write(0x30a, ENVCFG_STCE);
	csr_write(0x14d, ~0UL);
	CHECK_EQ(csr_read(mip) & BIT(IRQ_STI), 0);
	csr_write(mip, BIT(IRQ_STI));
	CHECK_EQ(csr_read(mip) & BIT(IRQ_STI), 0);
	csr_write(0x14d, 0);
	for (u64 start = rdtime(); !(csr_read(mip) & BIT(IRQ_STI)); )
		if (rdtime() - start > timebase) {
			check_fail(__LINE__, "STIP does not come");
			break;
		}
	csr_write(mip, 0);
	CHECK_EQ(csr_read(mip) & BIT(IRQ_STI), BIT(IRQ_STI));
	for (int tm = 0; tm < 2; tm++) {
		csr_write(mcounteren, tm ? 2 : ~2UL);
		if (tm)
			CHECK_EQ(run_at(PRV_S, (u64)x_stimecmp, 0, 0), CAUSE_ECALL_S);
		else
			EXPECT_AS(PRV_S, CAUSE_ILLEGAL, enc_csrr(10, 0x14d),
				  x_stimecmp, 0, 0);
	}
	/* S-mode's writes drive STIP, later and earlier, again and again. */
	for (int round = 0; round < 10; round++) {
		bool set = round & 1;

		CHECK_EQ(run_at(PRV_S, (u64)x_set_stimecmp, set ? 0 : ~0UL, 0),
			 CAUSE_ECALL_S);
		for (u64 start = rdtime(); !!(csr_read(mip) & BIT(IRQ_STI)) != set; )
			if (rdtime() - start > timebase) {
				check_fail(__LINE__, "STIP does not become %d", set);
				break;
			}
	}
	csr_write(0x14d, ~0UL);
	csr_write(0x30a, 0);
}

TEST(trap_registers, "mtvec, mepc, mscratch, mcause, mtval hold what is written, within WARL")
{
	u64 v = 0x123456789abcdef0UL;

	setup();
	CHECK_EQ(wrote(CSR_MSCRATCH, v), v);
	CHECK_EQ(wrote(CSR_MTVAL, v), v);
	CHECK_EQ(wrote(CSR_MEPC, v), v);
	/* QEMU masks it when it is used. */
	if (on_umbra)
		CHECK_EQ(wrote(CSR_MEPC, v | 3), v | 2);
	CHECK_EQ(wrote(CSR_MCAUSE, CAUSE_IRQ | 7), CAUSE_IRQ | 7);
	csr_write(mtvec, (u64)machine_trap_vectors | 1);
	CHECK_EQ(csr_read(mtvec), (u64)machine_trap_vectors | 1);
	csr_write(mtvec, (u64)machine_trap_entry);
	CHECK_EQ(csr_read(mtvec), (u64)machine_trap_entry);
	/* Modes 2 and 3 are reserved. */
	csr_write(mtvec, (u64)machine_trap_entry | 2);
	CHECK_EQ(csr_read(mtvec) & 2, 0);
	csr_write(mtvec, machine_trap_entry);
}

TEST(environment, "menvcfg: what is not offered stays 0")
{
	u64 val;

	setup();
	val = wrote(CSR_MENVCFG, ~0UL);
	CHECK_EQ(val & 1, 1);
	CHECK_MSG((val & 0x30) != 0x20, "CBIE holds 2");
	if (on_umbra) {
		CHECK_EQ(val & ~(0xf1UL | ENVCFG_ADUE | ENVCFG_STCE), 0);
		CHECK_EQ(val >> 63, isa_has("sstc"));
		CHECK_EQ(val >> 61 & 1, isa_has("svadu"));
		CHECK_EQ(val >> 7 & 1, isa_has("zicboz"));
		CHECK_EQ(val >> 6 & 1, isa_has("zicbom"));
	}
	wrote(CSR_MENVCFG, 0);
	CHECK_EQ(csr_read(0x30a), 0);
	csr_write(0x30a, val & ENVCFG_ADUE);
}

TEST(pmp_registers, "pmpcfg and pmpaddr: 16 entries, reserved bits 0, W without R never, odd pmpcfg illegal")
{
	u64 val;

	setup();
	pmp_set(15, PMP_NAPOT | PMP_R | PMP_W | PMP_X, ~0UL >> 10);
	for (u32 i = 0; i < 15; i++) {
		/* QEMU keeps all 64 bits. */
		val = wrote(0x3b0 + i, ~0UL);
		CHECK_EQ(on_umbra ? val : val & ~0UL >> 10, ~0UL >> 10);
		CHECK_EQ(wrote(0x3b0 + i, 0x12345), 0x12345);
		CHECK_EQ(wrote(0x3b0 + i, 0), 0);
	}
	CHECK_EQ(wrote(CSR_PMPCFG0, 0x1f1d1c1b19180f09UL), 0x1f1d1c1b19180f09UL);
	/* QEMU stores reserved bits, and W without R, which then grants nothing. */
	if (on_umbra) {
		CHECK_EQ(wrote(CSR_PMPCFG0, 0x60), 0);
		CHECK_EQ(wrote(CSR_PMPCFG0, PMP_W | PMP_NA4), PMP_NA4);
	}
	CHECK_EQ(wrote(CSR_PMPCFG0, 0), 0);
	for (u32 csr = 0x3a1; csr <= 0x3a3; csr += 2) {
		access(PRV_M, enc_csrr(10, csr), 0, 0);
		CHECK_ILLEGAL("odd pmpcfg", enc_csrr(10, csr), code);
	}
}

TEST(counters, "mcycle and minstret count, are written, and stop when mcountinhibit says so; hpm counters exist")
{
	u64 a, b, val;

	setup();
	for (int i = 0; i < 2; i++) {
		u32 csr = i ? CSR_MINSTRET : CSR_MCYCLE;

		read_csr(csr, &a);
		wait_ticks(timebase / 1000);
		read_csr(csr, &b);
		CHECK_MSG(b > a, "CSR 0x%x does not count", csr);
		wrote(csr, 0x100000000000UL);
		read_csr(csr, &b);
		CHECK_MSG(b - 0x100000000000UL < 1UL << 40, "CSR 0x%x: 0x%lx after a write",
			  csr, b);
		val = wrote(CSR_MCOUNTINHIBIT, i ? 4 : 1);
		if (val & (i ? 4 : 1)) {
			read_csr(csr, &a);
			wait_ticks(timebase / 1000);
			read_csr(csr, &b);
			CHECK_EQ(b, a);
		}
		wrote(CSR_MCOUNTINHIBIT, 0);
	}
	/* QEMU has 16 of them, and not the others. */
	for (u32 i = 3; i < (on_umbra ? 32 : 19); i++) {
		CHECK(read_csr(0xb00 + i, &val));
		CHECK(read_csr(0x320 + i, &val));
	}
}

TEST(counter_enables, "mcounteren gates S, both gate U; M reads always")
{
	static void *const read[] = { x_rdcycle, x_rdtime, x_rdinstret };

	for (u32 i = 0; i < 3; i++)
		for (u32 n = 0; n < 4; n++) {
			u32 insn = enc_csrr(10, 0xc00 + i);

			csr_write(mcounteren, n & 1 ? BIT(i) : ~BIT(i));
			csr_write(scounteren, n & 2 ? BIT(i) : ~BIT(i));
			CHECK_EQ(run_at(PRV_M, (u64)read[i], 0, 0), CAUSE_ECALL_M);
			if (n & 1)
				CHECK_EQ(run_at(PRV_S, (u64)read[i], 0, 0), CAUSE_ECALL_S);
			else
				EXPECT_AS(PRV_S, CAUSE_ILLEGAL, insn, read[i], 0, 0);
			if (n == 3)
				CHECK_EQ(run_at(PRV_U, (u64)read[i], 0, 0), CAUSE_ECALL_U);
			else
				EXPECT_AS(PRV_U, CAUSE_ILLEGAL, insn, read[i], 0, 0);
		}
}

/* Machine CSRs that a hart without H, Smstateen, Smaia, Sdtrig, Smepmp lacks. */
static const u16 absent[] = {
	0x308, 0x310, 0x312, 0x313, 0x318, 0x31a, 0x34a, 0x34b, 0x34c,
	0x3a1, 0x747, 0x757, 0x7b0, 0x7b1, 0xfb0, 0x600, 0x680, 0x200, 0xe00,
};

TEST(absent_csrs, "what does not exist is an illegal instruction, with its bits in mtval")
{
	setup();
	for (u32 i = 0; i < ARRAY_SIZE(absent); i++) {
		access(PRV_M, enc_csrr(10, absent[i]), 0, 0);
		CHECK_ILLEGAL("absent CSR", enc_csrr(10, absent[i]), code);
	}
}

TEST(privilege, "no machine CSR is there for S and U, none of the supervisor's for U")
{
	static const u16 csrs[] = {
		0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x320, 0x340,
		0x341, 0x342, 0x343, 0x344, 0x3a0, 0x3b0, 0xb00, 0xb02, 0xf11, 0xf14,
	};

	setup();
	for (u32 i = 0; i < ARRAY_SIZE(csrs); i++)
		for (int prv = PRV_U; prv <= PRV_S; prv++)
			for (int round = 0; round < 3; round++) {
				access(prv, enc_csrr(10, csrs[i]), 0, 0);
				CHECK_ILLEGAL("machine CSR", enc_csrr(10, csrs[i]), code);
			}
	access(PRV_U, enc_csrr(10, 0x100), 0, 0);
	CHECK_ILLEGAL("sstatus in U", enc_csrr(10, 0x100), code);
}

/* The same instruction in M, S and U, many times: rewriting must tell them apart. */
TEST(one_site_many_modes, "one instruction executed in M, S and U alternately")
{
	for (int round = 0; round < 20; round++) {
		csr_write(mscratch, 0x1000 + round);
		CHECK_EQ(run_at(PRV_M, (u64)x_mscratch, 0, 0), CAUSE_ECALL_M);
		EXPECT_AS(PRV_S, CAUSE_ILLEGAL, enc_csrr(10, 0x340), x_mscratch, 0, 0);
		EXPECT_AS(PRV_U, CAUSE_ILLEGAL, enc_csrr(10, 0x340), x_mscratch, 0, 0);
		csr_write(satp, 0);
		CHECK_EQ(run_at(PRV_M, (u64)x_satp_read, 7, 0), CAUSE_ECALL_M);
		CHECK_EQ(trap.x[10], 0);
		CHECK_EQ(run_at(PRV_S, (u64)x_satp_read, 7, 0), CAUSE_ECALL_S);
		CHECK_EQ(trap.x[10], 0);
		EXPECT_AS(PRV_U, CAUSE_ILLEGAL, enc_csrr(10, 0x180), x_satp_read, 0, 0);
	}
}
