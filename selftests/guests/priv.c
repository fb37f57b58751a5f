// SPDX-License-Identifier: GPL-2.0
/*
 * Privilege: sret and the SPP/SPIE/SIE stack, ecall, ebreak, illegal
 * instructions, wfi, fences from U-mode.
 *
 * Privileged specification 3.1.6.1 (the interrupt-enable stack), 12.1.1
 * (sstatus), 12.1.7-12.1.9 (sepc, scause, stval), 3.3.1-3.3.3 (ecall, sret,
 * wfi), 12.2.1 (sfence.vma).
 */
#include "guest.h"

#define LOOPS	4

static u64 code_at(u32 insn)
{
	u64 code = (u64)page_alloc();

	if ((insn & 3) == 3)
		put32(code, insn);
	else
		put16(code, insn);
	put32(code + ((insn & 3) == 3 ? 4 : 2), INSN_EBREAK);
	fence_i();
	return code;
}

TEST(trap_stack, "a trap moves SIE to SPIE, clears SIE, keeps the mode in SPP (3.1.6.1)")
{
	u64 code = code_at(INSN_EBREAK);

	for (int i = 0; i < LOOPS; i++)
		for (u64 spie = 0; spie < 2; spie++)
			for (int prv = PRV_U; prv <= PRV_S; prv++) {
				struct ctx c;

				ctx_init(&c, code, prv);
				c.status |= spie ? SR_SPIE : 0;
				run_ctx(&c);
				CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
				CHECK_EQ(c.status & SR_SIE, 0);
				CHECK_EQ(!!(c.status & SR_SPIE), spie);
				CHECK_EQ(c.status & SR_SPP, prv ? SR_SPP : 0);
				CHECK_EQ(ctx_changed(&c, 0), -1);
			}
}

/* sret to the next instruction in S-mode; sstatus right after it. */
static u64 sret_here(u64 status)
{
	u64 after, tmp;

	asm volatile("la	%1, 1f\n"
		     "csrw	sepc, %1\n"
		     "csrw	sstatus, %2\n"
		     "sret\n"
		     "unimp\n"
		     "1: csrr	%0, sstatus\n"
		     : "=&r"(after), "=&r"(tmp) : "r"(status) : "memory");
	return after;
}

TEST(sret_s, "sret to S: SIE from SPIE, SPIE set, SPP becomes U (3.1.6.1)")
{
	u64 base = csr_read(sstatus) & ~(SR_SIE | SR_SPIE | SR_SPP);

	for (int i = 0; i < LOOPS; i++) {
		CHECK_EQ(sret_here(base | SR_SPP) ^ base, SR_SPIE);
		CHECK_EQ(sret_here(base | SR_SPP | SR_SIE) ^ base, SR_SPIE);
		CHECK_EQ(sret_here(base | SR_SPP | SR_SPIE) ^ base, SR_SPIE | SR_SIE);
		CHECK_EQ(sret_here(base | SR_SPP | SR_SPIE | SR_SIE) ^ base,
			 SR_SPIE | SR_SIE);
		csr_write(sstatus, base);
	}
}

TEST(sret_u, "sret to U: runs in U-mode, other fields of sstatus stay (3.1.6.1)")
{
	struct ctx c;

	for (int i = 0; i < LOOPS; i++)
		for (u64 bits = 0; bits < 4; bits++) {
			ctx_init(&c, (u64)u_ecall, PRV_U);
			c.status |= bits & 1 ? SR_SUM : 0;
			c.status |= bits & 2 ? SR_MXR : 0;
			run_ctx(&c);
			CHECK_TRAP("ecall", CAUSE_ECALL_U, 0, (u64)u_ecall);
			CHECK_EQ(c.status & (SR_SUM | SR_MXR),
				 (bits & 1 ? SR_SUM : 0) | (bits & 2 ? SR_MXR : 0));
			CHECK_EQ(c.status & (SR_SPP | SR_SIE | SR_SPIE), 0);
			CHECK_EQ(ctx_changed(&c, 0), -1);
		}
}

TEST(sret_even, "sret ignores bit 0 of sepc (12.1.7)")
{
	struct ctx c;
	u64 code = code_at(INSN_C_EBREAK);

	if (!on_umbra)
		SKIP("QEMU 10.0 jumps to the odd address");
	for (int i = 0; i < LOOPS; i++) {
		ctx_init(&c, code + 1, PRV_S);
		run_ctx(&c);
		CHECK_EQ(c.pc, code);
		CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
	}
}

TEST(ecall_u, "ecall from U: cause 8, stval 0, sepc its own address (3.3.1)")
{
	static struct pt pt;
	struct ctx c;

	for (int i = 0; i < LOOPS; i++) {
		ctx_init(&c, (u64)u_ecall, PRV_U);
		run_ctx(&c);
		CHECK_TRAP("bare", CAUSE_ECALL_U, 0, (u64)u_ecall);
		CHECK_EQ(ctx_changed(&c, 0), -1);
	}
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			ctx_init(&c, user_va(u_ecall), PRV_U);
			run_ctx(&c);
			CHECK_TRAP("paged", CAUSE_ECALL_U, 0, user_va(u_ecall));
			CHECK_EQ(ctx_changed(&c, 0), -1);
		}
		pt_off();
	}
}

TEST(ecall_s, "ecall from S: the SBI answers in a0 and a1 and keeps all else (SBI 3)")
{
	u64 code = code_at(INSN_ECALL);
	struct ctx c;

	for (int i = 0; i < LOOPS; i++) {
		ctx_init(&c, code, PRV_S);
		c.x[17] = SBI_BASE;
		c.x[16] = 1;
		run_ctx(&c);
		CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
		CHECK_EQ(c.pc, code + 4);
		CHECK_EQ(c.x[10], 0);
		CHECK_EQ(c.x[11], impl_id);
		CHECK_EQ(ctx_changed(&c, BIT(10) | BIT(11) | BIT(16) | BIT(17)), -1);
	}
}

TEST(ebreak, "ebreak and c.ebreak from U and S: cause 3, stval its address or 0 (3.3.1)")
{
	u64 wide = code_at(INSN_EBREAK), narrow = code_at(INSN_C_EBREAK);
	u64 crossing = (u64)pages_alloc(2) + 4094;

	put32(crossing, INSN_EBREAK);
	fence_i();
	for (int k = 0; k < 3; k++) {
		u64 code = k == 0 ? wide : k == 1 ? narrow : crossing;

		for (int i = 0; i < LOOPS; i++)
			for (int prv = PRV_U; prv <= PRV_S; prv++) {
				struct ctx c;

				ctx_init(&c, code, prv);
				run_ctx(&c);
				CHECK_TRAP("ebreak", CAUSE_BREAKPOINT,
					   c.tval ? code : 0, code);
				CHECK_EQ(c.status & SR_SPP, prv ? SR_SPP : 0);
				CHECK_EQ(ctx_changed(&c, 0), -1);
			}
	}
}

/* ---- illegal instructions ----------------------------------------------------- */

/* Each three times at one address, in S and U, with and without translation. */
static void illegal_at(u64 code, u64 va, u32 insn, int prv)
{
	struct ctx c;

	for (int i = 0; i < 3; i++) {
		ctx_init(&c, va, prv);
		run_ctx(&c);
		if (c.cause == CAUSE_ILLEGAL && c.pc == va &&
		    (!c.tval || c.tval == insn) && ctx_changed(&c, 0) < 0 &&
		    (c.status & SR_SPP) == (prv ? SR_SPP : 0))
			continue;
		/* All ones begin a longer format: stval may hold more of it. */
		if (c.cause == CAUSE_ILLEGAL && c.pc == va && (insn & 0x1f) == 0x1f &&
		    (u32)c.tval == insn && c.tval >> 32 == INSN_EBREAK)
			continue;
		check_fail(__LINE__, "0x%x in %s, execution %d: scause=0x%lx stval=0x%lx sepc=+%ld sstatus=0x%lx, changed x%d",
			   insn, prv ? "S" : "U", i + 1, c.cause, c.tval,
			   c.pc - va, c.status, ctx_changed(&c, 0));
		return;
	}
}

static const u32 illegal32[] = {
	0xffffffff, 0x0000007f,		/* longer than 32 bits */
	0x0000700b, 0x0000702b,		/* custom-0, custom-1 */
	0x00002063, 0x00003063,		/* branch, funct3 2 and 3 */
	0x00007003, 0x00004023, 0x00007023,	/* load 7, store 4 and 7 */
	0x00001067,			/* jalr, funct3 1 */
	0x0000201b, 0x0000401b,		/* op-imm-32 */
	0x80000033, 0x40001033,		/* op, funct7 */
	0x0000702f, 0x9800202f,		/* amo: width 7, funct5 0x13 */
	0x1000202f | 1 << 20,		/* lr.w with rs2 */
	0x00004073, 0x60054573,		/* SYSTEM funct3 4; hlv.b */
	0x00200073,			/* uret */
	0x10200173, 0x10208073,		/* sret with rd, rs1 */
	0x30200073,			/* mret */
	0x70200073, 0x7b200073,		/* mnret, dret */
	0x22000073, 0x62000073, 0x26000073, 0x66000073,	/* hfence, hinval */
	0x12000173,			/* sfence.vma with rd */
	0x00300073, 0x00008073, 0x000000f3,	/* next to ecall and ebreak */
	0x80000073, 0xfff00073,
};

static const u16 illegal16[] = {
	0x0000,		/* defined to be illegal */
	0x0004,		/* c.addi4spn, immediate 0 */
	0x2001,		/* c.addiw x0 */
	0x6201,		/* c.lui x4, 0 */
	0x6101,		/* c.addi16sp 0 */
	0x4002, 0x6002,	/* c.lwsp, c.ldsp to x0 */
	0x8002,		/* c.jr x0 */
};

TEST(illegal_s, "illegal 32- and 16-bit instructions in S: cause 2, stval its bits or 0 (12.1.9)")
{
	for (u32 i = 0; i < ARRAY_SIZE(illegal32); i++) {
		u64 code = code_at(illegal32[i]);

		illegal_at(code, code, illegal32[i], PRV_S);
	}
	for (u32 i = 0; i < ARRAY_SIZE(illegal16); i++) {
		u64 code = code_at(illegal16[i]);

		illegal_at(code, code, illegal16[i], PRV_S);
	}
}

TEST(illegal_u, "the same in U, and what only S may do: sret, fences (3.1.6.5)")
{
	static const u32 s_only[] = {
		INSN_SRET, INSN_MRET, INSN_SFENCE_VMA, INSN_SFENCE_VMA | 10 << 15,
		INSN_SFENCE_VMA | 11 << 20, INSN_SFENCE_VMA | 10 << 15 | 11 << 20,
		INSN_SINVAL_VMA, INSN_SINVAL_VMA | 10 << 15, INSN_SFENCE_W_INVAL,
		INSN_SFENCE_INVAL_IR,
	};

	for (u32 i = 0; i < ARRAY_SIZE(illegal32); i++) {
		u64 code = code_at(illegal32[i]);

		illegal_at(code, code, illegal32[i], PRV_U);
	}
	for (u32 i = 0; i < ARRAY_SIZE(illegal16); i++) {
		u64 code = code_at(illegal16[i]);

		illegal_at(code, code, illegal16[i], PRV_U);
	}
	for (u32 i = 0; i < ARRAY_SIZE(s_only); i++) {
		u64 code = code_at(s_only[i]);

		/* With Svinval, QEMU 10.0 executes these two in U-mode. */
		if (has_svinval && !on_umbra &&
		    (s_only[i] == INSN_SFENCE_W_INVAL || s_only[i] == INSN_SFENCE_INVAL_IR))
			continue;

		illegal_at(code, code, s_only[i], PRV_U);
	}
}

TEST(illegal_paged, "illegal instructions with translation on, in a page's last bytes and crossing it")
{
	static const u32 insns[] = { INSN_MRET, 0xffffffff, 0x0000700b, 0x22000073 };
	static struct pt pt;

	FOR_EACH_MODE(m) {
		u64 pages = (u64)pages_alloc(2), va = 0x70000000;

		pt_init(&pt, m);
		for (int u = 0; u < 2; u++) {
			u64 flags = u ? PTE_RWX_U : PTE_RWX_S;

			pt_map(&pt, va + u * 0x10000, pages, flags);
			pt_map(&pt, va + u * 0x10000 + 4096, pages + 4096, flags);
		}
		pt_load(&pt);
		for (int off = 4092; off <= 4094; off += 2)
			for (u32 i = 0; i < ARRAY_SIZE(insns); i++) {
				put32(pages + off, insns[i]);
				put32(pages + off + 4, INSN_EBREAK);
				fence_i();
				illegal_at(pages + off, va + off, insns[i], PRV_S);
				illegal_at(pages + off, va + 0x10000 + off, insns[i], PRV_U);
			}
		put16(pages + 4094, 0);
		fence_i();
		illegal_at(pages + 4094, va + 4094, 0, PRV_S);
		illegal_at(pages + 4094, va + 0x10000 + 4094, 0, PRV_U);
		pt_off();
	}
}

TEST(sinval, "sinval.vma, sfence.w.inval, sfence.inval.ir in S: as Svinval says")
{
	static const u32 insns[] = {
		INSN_SFENCE_W_INVAL, INSN_SINVAL_VMA, INSN_SINVAL_VMA | 10 << 15,
		INSN_SINVAL_VMA | 11 << 20, INSN_SINVAL_VMA | 10 << 15 | 11 << 20,
		INSN_SFENCE_INVAL_IR,
	};

	for (u32 i = 0; i < ARRAY_SIZE(insns); i++) {
		u64 code = code_at(insns[i]);
		struct ctx c;

		for (int k = 0; k < LOOPS; k++) {
			ctx_init(&c, code, PRV_S);
			run_ctx(&c);
			if (has_svinval)
				CHECK_TRAP("sinval", CAUSE_BREAKPOINT, trap.tval, code + 4);
			else
				CHECK_ILLEGAL("sinval", insns[i], code);
			CHECK_EQ(ctx_changed(&c, 0), -1);
		}
	}
}

/* ---- wfi ------------------------------------------------------------------------ */

TEST(wfi_pending, "wfi in S returns for a pending interrupt that sstatus.SIE masks (3.3.3)")
{
	u64 code = code_at(INSN_WFI);
	struct ctx c;

	csr_write(sie, BIT(IRQ_SSI));
	csr_set(sip, BIT(IRQ_SSI));
	for (int i = 0; i < LOOPS; i++) {
		ctx_init(&c, code, PRV_S);
		run_ctx(&c);
		CHECK_TRAP("after wfi", CAUSE_BREAKPOINT, trap.tval, code + 4);
		CHECK_EQ(ctx_changed(&c, 0), -1);
	}
	CHECK_EQ(irq_count[IRQ_SSI], 0);
}

TEST(wfi_timer, "wfi in S with SIE clear wakes when the timer fires (3.3.3)")
{
	csr_write(sie, BIT(IRQ_STI));
	for (int i = 0; i < LOOPS; i++) {
		u64 when = rdtime() + timebase / 500;

		set_timer(when);
		while (!(csr_read(sip) & BIT(IRQ_STI)) && rdtime() < when + timebase)
			asm volatile("wfi" ::: "memory");
		CHECK(csr_read(sip) & BIT(IRQ_STI));
		CHECK(rdtime() >= when);
		set_timer(~0UL);
	}
	CHECK_EQ(irq_count[IRQ_STI], 0);
}

/* On a slow machine it comes before the wfi, which then has nothing to wait for. */
static void skip_wfi(struct ctx *f)
{
	csr_clear(sie, BIT(IRQ_STI));
	if (*(u32 *)f->pc == INSN_WFI)
		f->pc += 4;
}

static u64 wfi_enabled(void)
{
	u64 at;

	asm volatile("la	%0, 1f\n"
		     "csrsi	sstatus, 2\n"
		     "wfi\n"
		     "1: nop\n"
		     "csrci	sstatus, 2\n" : "=&r"(at) :: "memory");
	return at;
}

TEST(wfi_taken, "wfi with SIE set: the interrupt is taken, sepc inside or after the wfi (3.3.3)")
{
	irq_hook = skip_wfi;
	for (int i = 0; i < LOOPS; i++) {
		u64 after, before = irq_count[IRQ_STI];

		csr_write(sie, BIT(IRQ_STI));
		set_timer(rdtime() + timebase / 500);
		do {
			after = wfi_enabled();	/* may return early, as a nop */
		} while (irq_count[IRQ_STI] == before);
		CHECK_EQ(irq_count[IRQ_STI], before + 1);
		/* between the csrsi, the wfi and the csrci */
		CHECK_MSG(last_irq.pc >= after - 4 && last_irq.pc <= after + 8,
			  "sepc 0x%lx, wfi ends at 0x%lx", last_irq.pc, after);
		set_timer(~0UL);
	}
}

TEST(wfi_u, "wfi in U traps as illegal or completes in bounded time (3.3.3)")
{
	u64 code = code_at(INSN_WFI);
	struct ctx c;
	int legal = 0;

	for (int i = 0; i < LOOPS; i++) {
		ctx_init(&c, code, PRV_U);
		run_ctx(&c);
		if (c.cause == CAUSE_BREAKPOINT && c.pc == code + 4)
			legal++;
		else
			CHECK_ILLEGAL("wfi", INSN_WFI, code);
		CHECK_EQ(ctx_changed(&c, 0), -1);
	}
	note("wfi in U: %s", legal ? "completes" : "traps");
}

/* ---- a kernel's way --------------------------------------------------------------- */

TEST(syscalls, "500 system calls: U ecall, handler, sepc + 4, sret; registers stay")
{
	static struct pt pt;
	u64 code = (u64)page_alloc(), va = 0x70000000;
	struct ctx c;

	/* ecall; addi x9, x9, 1; j back */
	put32(code, INSN_ECALL);
	put32(code + 4, enc_addi(9, 9, 1));
	put32(code + 8, 0xff9ff06f);
	fence_i();
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_map(&pt, va, code, PTE_RWX_U);
		pt_load(&pt);
		ctx_init(&c, va, PRV_U);
		c.x[9] = 0;
		for (int i = 0; i < 500; i++) {
			run_ctx(&c);
			if (c.cause != CAUSE_ECALL_U || c.pc != va || c.x[9] != (u64)i ||
			    ctx_changed(&c, BIT(9)) >= 0) {
				check_fail(__LINE__, "call %d: scause=0x%lx sepc=0x%lx s1=%lu, changed x%d",
					   i, c.cause, c.pc, c.x[9], ctx_changed(&c, BIT(9)));
				break;
			}
			c.pc += 4;
		}
		pt_off();
	}
}

/* The handler of a kernel that swaps tp and sscratch on entry. */
extern char swap_entry[];
asm(".text\n"
	".balign 4\n"
	"swap_entry:\n"
	"	csrrw	tp, sscratch, tp\n"
	"	bnez	tp, 1f\n"
	"	csrr	tp, sscratch\n"	/* came from S */
	"1:	addi	s2, s2, 1\n"
	"	csrr	s3, scause\n"
	"	csrr	s4, sstatus\n"
	"	csrr	s5, sscratch\n"
	"	csrw	sscratch, tp\n"
	"	csrr	s6, sepc\n"
	"	addi	s6, s6, 4\n"
	"	csrw	sepc, s6\n"
	"	csrrw	tp, sscratch, s5\n"
	"	mv	tp, s5\n"
	"	csrw	sscratch, s7\n"
	"	li	s8, 7\n"
	"	blt	s2, s8, 2f\n"
	"	la	s8, trap_entry\n"
	"	csrw	stvec, s8\n"
	"2:	sret\n");

TEST(own_handler, "a handler that swaps tp with sscratch, entered from U seven times")
{
	u64 code = (u64)page_alloc();
	struct ctx c;

	for (int i = 0; i < 8; i++)
		put32(code + 4 * i, INSN_ECALL);
	put32(code + 32, INSN_EBREAK);
	fence_i();
	for (int round = 0; round < 3; round++) {
		ctx_init(&c, code, PRV_U);
		c.x[18] = 0;
		c.x[23] = 0x1234;
		csr_write(sscratch, 0x1234);
		csr_write(stvec, swap_entry);
		run_ctx(&c);
		csr_write(stvec, trap_entry);
		CHECK_TRAP("the eighth ecall", CAUSE_ECALL_U, 0, code + 28);
		CHECK_EQ(c.x[18], 7);
		CHECK_EQ(c.x[19], CAUSE_ECALL_U);
		CHECK_EQ(c.x[20] & (SR_SPP | SR_SIE), 0);
		CHECK_EQ(c.x[21], ctx_pattern(4));
		CHECK_EQ(c.x[4], ctx_pattern(4));
		CHECK_EQ(c.x[22], code + 28);
	}
}
