// SPDX-License-Identifier: GPL-2.0
/*
 * Traps of a hart with M-mode: where each goes, what it leaves in mstatus, which
 * interrupt comes first, mret and sret, and what TVM, TW and TSR intercept.
 *
 * Privileged specification 3.1.6 (mstatus), 3.1.7 (mtvec), 3.1.8 (medeleg,
 * mideleg), 3.1.9 (mip, mie), 3.3.2 (mret, sret), 3.3.3 (wfi).
 */
#include "machine.h"

static const int modes[] = { PRV_U, PRV_S, PRV_M };

static const struct {
	u64 cause, tval;
	char *code;
} exceptions[] = {
	{ CAUSE_ILLEGAL, 0xffffffff, x_illegal },
	{ CAUSE_BREAKPOINT, 0, x_ebreak },	/* tval: its address, or 0 */
	{ CAUSE_LOAD_ACCESS, HOLE, do_ld },
	{ CAUSE_STORE_ACCESS, HOLE, do_sd },
};

/* mstatus.xIE before a trap, as bits of n. */
static u64 stack_bits(int n)
{
	return (n & 1 ? MR_MIE : 0) | (n & 2 ? MR_MPIE : 0) |
	       (n & 4 ? SR_SIE : 0) | (n & 8 ? SR_SPIE : 0) |
	       (n & 16 ? SR_SPP : 0);
}

/* Runs @code in @prv with SIE = @sie and MIE = @mie. */
static u64 run_with(int prv, void *code, u64 a0, bool mie, bool sie)
{
	static struct ctx c;

	machine_ctx(&c, (u64)code, prv);
	/* mret makes MIE of MPIE; SIE it leaves alone. */
	c.status = (c.status & ~(MR_MPIE | SR_SIE)) | (mie ? MR_MPIE : 0) |
		   (sie ? SR_SIE : 0);
	c.x[10] = a0;
	return run_machine(&c);
}

/* The trap went to M-mode from @prv. */
static void check_machine(const char *what, int prv, u64 cause, u64 epc, bool mie)
{
	CHECK_MSG(trap.cause == cause && trap.pc == epc && !s_trap.taken,
		  "%s: mcause=0x%lx mepc=0x%lx delegated %lu, want 0x%lx 0x%lx",
		  what, trap.cause, trap.pc, s_trap.taken, cause, epc);
	CHECK_MSG((trap.status & (MR_MPP | MR_MIE | MR_MPIE)) ==
		  ((u64)prv << 11 | (mie ? MR_MPIE : 0)),
		  "%s: mstatus=0x%lx, from %d with MIE %d", what, trap.status, prv, mie);
}

/* It went to S-mode from @prv, which came here by ecall. */
static void check_delegated(const char *what, int prv, u64 cause, u64 tval, u64 epc,
			    bool sie)
{
	CHECK_MSG(s_trap.taken && s_trap.cause == cause && s_trap.epc == epc &&
		  s_trap.tval == tval,
		  "%s: taken %lu scause=0x%lx sepc=0x%lx stval=0x%lx, want 0x%lx 0x%lx 0x%lx",
		  what, s_trap.taken, s_trap.cause, s_trap.epc, s_trap.tval, cause,
		  epc, tval);
	CHECK_MSG((s_trap.status & (SR_SPP | SR_SIE | SR_SPIE)) ==
		  ((prv ? SR_SPP : 0) | (sie ? SR_SPIE : 0)),
		  "%s: sstatus=0x%lx, from %d with SIE %d", what, s_trap.status, prv, sie);
	CHECK_EQ(trap.pc, s_trap.by_ebreak ? (u64)s_trap_exit_ebreak :
		 (u64)s_trap_exit_ecall);
}

TEST(exceptions, "each exception goes to M, or from S and U to S when medeleg says so; MPP, MPIE, SPP, SPIE are right")
{
	for (u32 e = 0; e < ARRAY_SIZE(exceptions); e++) {
		u64 cause = exceptions[e].cause;
		u64 pc = (u64)exceptions[e].code;

		for (int deleg = 0; deleg < 3; deleg++) {
			/* none, this one, all others (but ecall, our way back) */
			csr_write(medeleg, deleg == 1 ? BIT(cause) : deleg == 2 ?
				  ~(BIT(cause) | BIT(CAUSE_ECALL_S)) : 0);
			for (u32 m = 0; m < ARRAY_SIZE(modes); m++)
				for (int ie = 0; ie < 4; ie++) {
					u64 tval = exceptions[e].tval;

					run_with(modes[m], (void *)pc, HOLE, ie & 1, ie & 2);
					if (cause == CAUSE_BREAKPOINT && s_trap.tval)
						tval = pc;
					if (deleg == 1 && modes[m] != PRV_M)
						check_delegated("delegated", modes[m], cause,
								tval, pc, ie & 2);
					else
						check_machine("not delegated", modes[m],
							      cause, pc, ie & 1);
				}
		}
	}
}

TEST(ecalls, "ecall is cause 8, 9 or 11 by its mode; delegated each for itself, from M never")
{
	for (u32 m = 0; m < ARRAY_SIZE(modes); m++)
		for (int deleg = 0; deleg < 4; deleg++) {
			u64 cause = CAUSE_ECALL_U + modes[m];
			bool to_s = modes[m] != PRV_M && (deleg & BIT(modes[m]));

			csr_write(medeleg, (deleg & 3) << 8 | 0x800);
			s_trap.by_ebreak = deleg & 2;
			for (int round = 0; round < 4; round++) {
				run_with(modes[m], x_ecall, 0, round & 1, round & 2);
				if (to_s)
					check_delegated("ecall", modes[m], cause, 0,
							(u64)x_ecall, round & 2);
				else
					check_machine("ecall", modes[m], cause,
						      (u64)x_ecall, round & 1);
			}
		}
}

TEST(page_faults, "page faults of S and U are delegated by their own bits")
{
	static const u64 causes[] = { CAUSE_FETCH_PAGE, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE };
	static char *const code[] = { do_jump, do_ld, do_sd };
	struct pt pt;
	u64 nowhere = 0x7f000000;

	pt_init(&pt, SV39);
	csr_write(satp, pt_satp(&pt, 0));
	sfence();
	for (u32 i = 0; i < 3; i++)
		for (int deleg = 0; deleg < 2; deleg++) {
			u64 epc = i ? (u64)code[i] : nowhere;

			csr_write(medeleg, deleg ? BIT(causes[i]) : 0);
			run_with(PRV_S, code[i], nowhere, false, true);
			if (deleg)
				check_delegated("page fault", PRV_S, causes[i], nowhere,
						epc, true);
			else
				check_machine("page fault", PRV_S, causes[i], epc, false);
			if (!deleg)
				CHECK_EQ(trap.tval, nowhere);
		}
	/* M-mode runs without translation. */
	CHECK_EQ(call_as(PRV_M, do_ld, HOLE, 0), CAUSE_LOAD_ACCESS);
}

/* ---- interrupts ------------------------------------------------------------------ */

/* Makes interrupt @n pending, or not; false: this test cannot. */
static bool pend(int n, bool on)
{
	switch (n) {
	case IRQ_MSI:
		*(volatile u32 *)MSWI = on;
		break;
	case IRQ_MTI:
		*(volatile u64 *)MTIMECMP = on ? 0 : ~0UL;
		break;
	case IRQ_SSI:
	case IRQ_STI:
	case IRQ_SEI:
		if (on)
			csr_set(mip, BIT(n));
		else
			csr_clear(mip, BIT(n));
		break;
	default:
		return false;
	}
	for (u64 start = rdtime(); !!(csr_read(mip) & BIT(n)) != on; )
		if (rdtime() - start > timebase) {
			check_fail(__LINE__, "mip bit %d does not become %d", n, on);
			break;
		}
	return true;
}

static const int irqs[] = { IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI };

static void pend_none(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(irqs); i++)
		pend(irqs[i], false);
}

/* 0: not taken; else by M-mode or S-mode. */
static int goes_to(int irq, u64 deleg, int prv, bool mie, bool sie)
{
	if (deleg & BIT(irq))
		return prv < PRV_S || (prv == PRV_S && sie) ? PRV_S : 0;
	return prv < PRV_M || mie ? PRV_M : 0;
}

TEST(one_interrupt, "an interrupt is taken by the mode it belongs to, exactly when mode, MIE and SIE allow")
{
	csr_write(0x30a, 0);
	for (u32 i = 0; i < ARRAY_SIZE(irqs); i++)
		for (int deleg = 0; deleg < 2; deleg++) {
			u64 bit = BIT(irqs[i]);

			csr_write(mideleg, deleg ? bit : 0);
			pend(irqs[i], true);
			for (u32 m = 0; m < ARRAY_SIZE(modes); m++)
				for (int ie = 0; ie < 8; ie++) {
					int to = goes_to(irqs[i], csr_read(mideleg),
							 modes[m], ie & 1, ie & 2);

					csr_write(mie, ie & 4 ? bit : ~bit);
					if (!(ie & 4))
						to = 0;
					run_with(modes[m], x_ecall, 0, ie & 1, ie & 2);
					csr_write(mie, 0);
					if (to == PRV_M)
						check_machine("interrupt", modes[m],
							      CAUSE_IRQ | irqs[i],
							      (u64)x_ecall, ie & 1);
					else if (to == PRV_S)
						check_delegated("interrupt", modes[m],
								CAUSE_IRQ | irqs[i], 0,
								(u64)x_ecall, ie & 2);
					else
						check_machine("no interrupt", modes[m],
							      CAUSE_ECALL_U + modes[m],
							      (u64)x_ecall, ie & 1);
				}
			pend(irqs[i], false);
		}
}

TEST(interrupt_order, "of two, those for M come first, then MSI, MTI, SEI, SSI, STI")
{
	csr_write(0x30a, 0);
	for (u32 a = 0; a < ARRAY_SIZE(irqs); a++)
		for (u32 b = a + 1; b < ARRAY_SIZE(irqs); b++)
			for (int deleg = 0; deleg < 4; deleg++) {
				u64 both = BIT(irqs[a]) | BIT(irqs[b]);
				u64 mask = (deleg & 1 ? BIT(irqs[a]) : 0) |
					   (deleg & 2 ? BIT(irqs[b]) : 0);
				int first;

				csr_write(mideleg, mask);
				mask = csr_read(mideleg) & both;
				/* QEMU without AIA goes by number within a mode. */
				if (!on_umbra && (!mask || mask == both))
					continue;
				/* from U both can be taken; a is first within a mode */
				first = (mask & BIT(irqs[a])) && !(mask & BIT(irqs[b])) ?
					irqs[b] : irqs[a];
				pend(irqs[a], true);
				pend(irqs[b], true);
				csr_write(mie, both);
				run_with(PRV_U, x_ecall, 0, true, true);
				csr_write(mie, 0);
				pend_none();
				if (mask & BIT(first)) {
					CHECK(s_trap.taken);
					CHECK_EQ(s_trap.cause, CAUSE_IRQ | first);
				} else {
					CHECK_EQ(trap.cause, CAUSE_IRQ | first);
				}
			}
}

TEST(interrupt_after_enable, "a pending interrupt is taken right behind the instruction that enables it")
{
	static u64 code;
	static const struct {
		u32 insn;	/* a0 is the operand */
		u64 a0;
	} enable[] = {
		{ 0x30046073, 0 },		/* csrsi mstatus, 8 */
		{ 0x30052073, MR_MIE },		/* csrs mstatus, a0 */
		{ 0x30452073, BIT(IRQ_MSI) },	/* csrs mie, a0 */
	};

	code = (u64)page_alloc();
	for (u32 i = 0; i < ARRAY_SIZE(enable); i++)
		for (int round = 0; round < 3; round++) {
			put32(code, enable[i].insn);
			put32(code + 4, INSN_ECALL);
			fence_i();
			pend(IRQ_MSI, true);
			csr_write(mie, i < 2 ? BIT(IRQ_MSI) : 0);
			run_with(PRV_M, (void *)code, enable[i].a0, i == 2, false);
			csr_write(mie, 0);
			pend(IRQ_MSI, false);
			CHECK_EQ(trap.cause, CAUSE_IRQ | IRQ_MSI);
			CHECK_EQ(trap.pc, code + 4);
		}
}

TEST(timer, "the ACLINT's timer interrupts S-mode code at its time, again and again")
{
	for (int i = 0; i < 5; i++) {
		u64 when = rdtime() + timebase / 500;

		*(volatile u64 *)MTIMECMP = when;
		csr_write(mie, BIT(IRQ_MTI));
		run_with(i & 1 ? PRV_S : PRV_U, x_spin, 0, false, true);
		csr_write(mie, 0);
		CHECK(rdtime() >= when);
		check_machine("timer", i & 1 ? PRV_S : PRV_U, CAUSE_IRQ | IRQ_MTI,
			      (u64)x_spin, false);
	}
	*(volatile u64 *)MTIMECMP = ~0UL;
}

TEST(vectored, "vectored mtvec and stvec are for interrupts, each to its entry")
{
	csr_write(0x30a, 0);
	csr_write(mtvec, (u64)machine_trap_vectors | 1);
	csr_write(stvec, (u64)s_trap_vectors | 1);
	for (u32 i = 0; i < ARRAY_SIZE(irqs); i++)
		for (int deleg = 0; deleg < 2; deleg++) {
			csr_write(mideleg, deleg ? BIT(irqs[i]) : 0);
			pend(irqs[i], true);
			csr_write(mie, BIT(irqs[i]));
			run_with(PRV_U, x_nop, 0, true, true);
			csr_write(mie, 0);
			pend(irqs[i], false);
			if (csr_read(mideleg) & BIT(irqs[i]))
				CHECK_EQ(s_trap.vec, irqs[i]);
			else
				CHECK_EQ(trap.vec, irqs[i]);
		}
	/* Exceptions go to the base: entry 0. */
	run_with(PRV_U, x_ecall, 0, false, false);
	CHECK_EQ(trap.vec, 0);
	csr_write(medeleg, BIT(CAUSE_BREAKPOINT));
	run_with(PRV_U, x_ebreak, 0, false, false);
	CHECK_EQ(s_trap.vec, 0);
}

/* ---- returns --------------------------------------------------------------------- */

/* In M-mode: mstatus = @status, then mret or sret to @target; what stopped that. */
static void machine_return(void *how, u64 status, void *target)
{
	run_at(PRV_M, (u64)how, status, (u64)target);
}

TEST(mret, "mret: mode of MPP, MIE of MPIE, MPIE 1, MPP U; MPRV cleared below M; S's bits untouched")
{
	for (u32 m = 0; m < ARRAY_SIZE(modes); m++)
		for (int n = 0; n < 64; n++) {
			u64 mprv = n & 32 ? MR_MPRV : 0;
			u64 s_bits = stack_bits(n) & (SR_SIE | SR_SPIE | SR_SPP);
			u64 status = stack_bits(n) | mprv | (u64)modes[m] << 11;

			machine_return(do_mret, status, x_ecall);
			CHECK_EQ(trap.cause, CAUSE_ECALL_U + modes[m]);
			CHECK_EQ(trap.pc, (u64)x_ecall);
			CHECK_EQ(trap.status & (SR_SIE | SR_SPIE | SR_SPP), s_bits);
			/* MIE is what the trap saved. */
			CHECK_EQ(!!(trap.status & MR_MPIE), !!(n & 2));
			CHECK_EQ(trap.status & MR_MPRV, modes[m] == PRV_M ? mprv : 0);
			if (modes[m] != PRV_M)
				continue;
			machine_return(do_mret, status, x_mstatus);
			CHECK_EQ(trap.x[10] & (MR_MIE | MR_MPIE | MR_MPP | MR_MPRV),
				 (n & 2 ? MR_MIE : 0) | MR_MPIE | mprv);
		}
}

TEST(sret_from_m, "sret in M-mode: mode of SPP, SIE of SPIE, SPIE 1, SPP U; MPRV cleared; M's bits untouched")
{
	for (int n = 0; n < 64; n++) {
		u64 status = stack_bits(n) | (n & 32 ? MR_MPRV : 0) | MR_MPP;

		machine_return(do_sret, status, x_ecall);
		CHECK_EQ(trap.cause, n & 16 ? CAUSE_ECALL_S : CAUSE_ECALL_U);
		CHECK_EQ(trap.status & (SR_SIE | SR_SPIE | SR_SPP | MR_MPRV),
			 (n & 8 ? SR_SIE : 0) | SR_SPIE);
		CHECK_EQ(!!(trap.status & MR_MPIE), n & 1);
	}
}

TEST(mret_where_illegal, "mret is illegal in S and U, sret in U")
{
	EXPECT_AS(PRV_S, CAUSE_ILLEGAL, INSN_MRET, x_mret, 0, 0);
	EXPECT_AS(PRV_U, CAUSE_ILLEGAL, INSN_MRET, x_mret, 0, 0);
	EXPECT_AS(PRV_U, CAUSE_ILLEGAL, INSN_SRET, x_sret, 0, 0);
	EXPECT_AS(PRV_S, CAUSE_ILLEGAL, INSN_MRET, x_mret, 0, 0);
}

TEST(many_returns, "hundreds of returns from M to S and U and traps back, with CSRs changed between")
{
	for (int i = 0; i < 300; i++) {
		int prv = i % 3 ? PRV_S : PRV_U;

		csr_write(mscratch, i);
		machine_return(do_mret, (u64)prv << 11 | MR_MPIE, x_ecall);
		CHECK_EQ(trap.cause, CAUSE_ECALL_U + prv);
		CHECK_EQ(trap.status & (MR_MPP | MR_MPIE), (u64)prv << 11 | MR_MPIE);
		if (test_failed())
			return;
	}
}

/* ---- TVM, TW, TSR ----------------------------------------------------------------- */

static const struct {
	u64 bit;
	u32 insn;
	char *code;
} intercepts[] = {
	{ MR_TVM, INSN_SFENCE_VMA, x_sfence },
	{ MR_TVM, 0x18002573, x_satp_read },
	{ MR_TVM, 0x18051073, x_satp_write },
	{ MR_TW, INSN_WFI, x_wfi },
	{ MR_TSR, INSN_SRET, x_sret },
};

TEST(intercepts, "TVM, TW and TSR make satp, sfence.vma, wfi and sret illegal in S, and only there")
{
	/* wfi returns at once: something is pending, enabled and not taken. */
	csr_write(0x30a, 0);
	csr_write(mideleg, BIT(IRQ_SSI));
	pend(IRQ_SSI, true);
	csr_write(mie, BIT(IRQ_SSI));
	csr_write(sepc, x_ecall);
	for (int round = 0; round < 4; round++)
		for (u32 i = 0; i < ARRAY_SIZE(intercepts); i++)
			for (int n = 0; n < 8; n++) {
				u64 bits = (n & 1 ? MR_TVM : 0) | (n & 2 ? MR_TW : 0) |
					   (n & 4 ? MR_TSR : 0);
				u32 insn = intercepts[i].insn;
				char *code = intercepts[i].code;

				csr_clear(mstatus, MR_TVM | MR_TW | MR_TSR);
				csr_set(mstatus, bits | SR_SPP);
				if (bits & intercepts[i].bit)
					EXPECT_AS(PRV_S, CAUSE_ILLEGAL, insn, code, 0, 0);
				else
					CHECK_EQ(run_at(PRV_S, (u64)code, 0, 0),
						 CAUSE_ECALL_S);
				csr_set(mstatus, bits | SR_SPP);
				/* sret leads to S */
				CHECK_EQ(run_at(PRV_M, (u64)code, 0, 0),
					 insn == INSN_SRET ? CAUSE_ECALL_S : CAUSE_ECALL_M);
			}
	csr_clear(mstatus, MR_TVM | MR_TW | MR_TSR);
	csr_write(mie, 0);
	pend(IRQ_SSI, false);
}

TEST(wfi_machine, "wfi in M-mode ends when an interrupt is pending and enabled, also with MIE = 0")
{
	for (int i = 0; i < 3; i++) {
		u64 when = rdtime() + timebase / 200;

		*(volatile u64 *)MTIMECMP = when;
		csr_write(mie, BIT(IRQ_MTI));
		CHECK_EQ(run_with(PRV_M, x_wfi, 0, false, false), CAUSE_ECALL_M);
		csr_write(mie, 0);
	}
	*(volatile u64 *)MTIMECMP = ~0UL;
}
