// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: timer, software and external; when they are taken and when not,
 * their order, the vectored entry.
 *
 * Privileged specification 3.1.9 and 12.1.3 (conditions, priorities: SEI, SSI,
 * STI), 12.1.2 (stvec), Sstc chapter (stimecmp), SBI 2.0 ch. 6, 7 (TIME, IPI).
 */
#include "guest.h"

#define LOOPS	4

/* The PLIC's source 10 is the UART. */
#define PLIC_UART	10
#define PLIC_ENABLE	(PLIC_BASE + 0x2000 + 0x80 * plic_context)
#define PLIC_THRESHOLD	(PLIC_BASE + 0x200000 + 0x1000 * plic_context)
#define PLIC_CLAIM	(PLIC_THRESHOLD + 4)
#define UART_IER	(UART_BASE + 1)
#define IER_THRE	2

static volatile u32 *reg32(u64 a)
{
	return (volatile u32 *)a;
}

/* code: nop; nop; ebreak. spin: j .; ebreak */
static u64 code, spin;

static void setup(void)
{
	code = (u64)page_alloc();
	put32(code, INSN_NOP);
	put32(code + 4, INSN_NOP);
	put32(code + 8, INSN_EBREAK);
	spin = code + 16;
	put32(spin, 0x0000006f);
	put32(spin + 4, INSN_EBREAK);
	fence_i();
}

static void stimer(u64 when)
{
	csr_write(0x14d, when);
}

static void (*const timers[])(u64) = { set_timer, stimer };
#define FOR_EACH_TIMER(i) \
	for (u32 i = 0; i < (has_sstc ? 2 : 1); i++)

/* Poll for at most a second; Sstc lets sip lag behind. */
static bool sip_becomes(u64 bit, bool set)
{
	u64 start = rdtime();

	do {
		if (!!(csr_read(sip) & bit) == set)
			return true;
	} while (rdtime() - start < timebase);
	return false;
}

static void stop_spin(struct ctx *f)
{
	csr_clear(sie, BIT(f->cause & 63));
	f->pc += 4;
}

/* The state a handler must see. */
static void check_irq(u64 n, u64 pc, int prv, const char *what)
{
	CHECK_MSG(last_irq.cause == (CAUSE_IRQ | n) && last_irq.pc == pc && !last_irq.tval,
		  "%s: got scause=0x%lx sepc=0x%lx stval=0x%lx, want 0x%lx 0x%lx 0",
		  what, last_irq.cause, last_irq.pc, last_irq.tval, CAUSE_IRQ | n, pc);
	CHECK_MSG(!(last_irq.status & SR_SIE) &&
		  (last_irq.status & SR_SPP) == (prv ? SR_SPP : 0),
		  "%s: sstatus=0x%lx", what, last_irq.status);
}

TEST(timer_pending, "the timer raises STIP not before its time; masked, it is not taken; later than all clears it")
{
	setup();
	FOR_EACH_TIMER(t) {
		void (*timer)(u64) = timers[t];

		timer(~0UL);
		CHECK(sip_becomes(BIT(IRQ_STI), false));
		for (int i = 0; i < LOOPS; i++) {
			u64 when = rdtime() + timebase / 1000;
			u64 pending;

			timer(when);
			do
				pending = csr_read(sip) & BIT(IRQ_STI);
			while (!pending && rdtime() < when);
			CHECK_MSG(!pending || rdtime() >= when, "STIP too early");
			CHECK(sip_becomes(BIT(IRQ_STI), true));
			/* neither SIE alone nor STIE alone takes it */
			csr_set(sstatus, SR_SIE);
			csr_clear(sstatus, SR_SIE);
			csr_write(sie, BIT(IRQ_STI));
			CHECK(csr_read(sip) & BIT(IRQ_STI));
			csr_write(sie, 0);
			CHECK_EQ(irq_count[IRQ_STI], 0);
			timer(~0UL);
			CHECK(sip_becomes(BIT(IRQ_STI), false));
			/* the past */
			timer(0);
			CHECK(sip_becomes(BIT(IRQ_STI), true));
			timer(~0UL);
			CHECK(sip_becomes(BIT(IRQ_STI), false));
		}
	}
}

/* Each: enable, one instruction, disable; the label is where sepc must be. */
extern char en_csrsi[], en_csrs[], en_csrw[], en_csrrs[], en_sie[];
asm(".text\n"
	".option push\n.option norvc\n"
	"en_csrsi:	csrsi	sstatus, 2\n	nop\n	csrci	sstatus, 2\n	ret\n"
	"en_csrs:	csrs	sstatus, a0\n	nop\n	csrc	sstatus, a0\n	ret\n"
	"en_csrrs:	csrrs	a1, sstatus, a0\n	nop\n	csrrc	a1, sstatus, a0\n	ret\n"
	"en_csrw:	csrw	sstatus, a1\n	nop\n	csrci	sstatus, 2\n	ret\n"
	"en_sie:	csrw	sie, a0\n	nop\n	csrw	sie, zero\n	ret\n"
	".option pop\n");

TEST(exact, "a pending interrupt is taken right after the write that enables it (12.1.3)")
{
	static const struct {
		const char *name;
		char *fn;
	} forms[] = {
		{ "csrsi sstatus", en_csrsi }, { "csrs sstatus", en_csrs },
		{ "csrrs sstatus", en_csrrs }, { "csrw sstatus", en_csrw },
	};

	setup();
	set_timer(0);
	CHECK(sip_becomes(BIT(IRQ_STI), true));
	for (int i = 0; i < LOOPS; i++)
		for (u32 f = 0; f < ARRAY_SIZE(forms); f++) {
			u64 before = irq_count[IRQ_STI];

			csr_write(sie, BIT(IRQ_STI));
			try_call(forms[f].fn, SR_SIE, csr_read(sstatus) | SR_SIE);
			CHECK_MSG(irq_count[IRQ_STI] == before + 1, "%s: taken %lu times",
				  forms[f].name, irq_count[IRQ_STI] - before);
			check_irq(IRQ_STI, (u64)forms[f].fn + 4, PRV_S, forms[f].name);
			CHECK(last_irq.status & SR_SPIE);
			/* not enabled in sie: nothing */
			before = irq_count[IRQ_STI];
			try_call(forms[f].fn, SR_SIE, csr_read(sstatus) | SR_SIE);
			CHECK_EQ(irq_count[IRQ_STI], before);
		}
	/* SIE set already, sie enables */
	for (int i = 0; i < LOOPS; i++) {
		u64 before = irq_count[IRQ_STI];

		csr_set(sstatus, SR_SIE);
		try_call(en_sie, BIT(IRQ_STI), 0);
		csr_clear(sstatus, SR_SIE);
		CHECK_EQ(irq_count[IRQ_STI], before + 1);
		check_irq(IRQ_STI, (u64)en_sie + 4, PRV_S, "csrw sie");
	}
}

extern char raise_csrsi[], raise_csrs[];
asm(".text\n"
	".option push\n.option norvc\n"
	"raise_csrsi: csrsi	sip, 2\n	nop\n	csrci	sip, 2\n	ret\n"
	"raise_csrs: csrs	sip, a0\n	nop\n	csrc	sip, a0\n	ret\n"
	".option pop\n");

static void clear_ssip(struct ctx *f)
{
	csr_clear(sip, BIT(IRQ_SSI));
}

TEST(ssip, "writing sip.SSIP raises a software interrupt at once, and withdraws it (12.1.3)")
{
	setup();
	for (int i = 0; i < LOOPS; i++) {
		u64 before = irq_count[IRQ_SSI];

		irq_hook = clear_ssip;
		csr_write(sie, BIT(IRQ_SSI));
		csr_set(sstatus, SR_SIE);
		try_call(raise_csrsi, 0, 0);
		check_irq(IRQ_SSI, (u64)raise_csrsi + 4, PRV_S, "csrsi sip");
		try_call(raise_csrs, BIT(IRQ_SSI), 0);
		check_irq(IRQ_SSI, (u64)raise_csrs + 4, PRV_S, "csrs sip");
		csr_clear(sstatus, SR_SIE);
		CHECK_EQ(irq_count[IRQ_SSI], before + 2);
		/* raised and withdrawn while masked: never seen */
		csr_set(sip, BIT(IRQ_SSI));
		CHECK(csr_read(sip) & BIT(IRQ_SSI));
		csr_clear(sip, BIT(IRQ_SSI));
		CHECK(!(csr_read(sip) & BIT(IRQ_SSI)));
		csr_set(sstatus, SR_SIE);
		csr_clear(sstatus, SR_SIE);
		CHECK_EQ(irq_count[IRQ_SSI], before + 2);
	}
}

TEST(ipi, "SBI send_ipi to this hart raises SSIP (SBI 7.1)")
{
	setup();
	for (int i = 0; i < LOOPS; i++) {
		struct sbiret r = sbi_call(SBI_IPI, 0, 1, hartid, 0, 0, 0);

		CHECK_EQ(r.error, 0);
		CHECK(sip_becomes(BIT(IRQ_SSI), true));
		csr_clear(sip, BIT(IRQ_SSI));
		CHECK(!(csr_read(sip) & BIT(IRQ_SSI)));
		/* hart_mask_base -1: all harts */
		r = sbi_call(SBI_IPI, 0, 0, ~0UL, 0, 0, 0);
		CHECK_EQ(r.error, 0);
		CHECK(sip_becomes(BIT(IRQ_SSI), true));
		csr_clear(sip, BIT(IRQ_SSI));
	}
}

TEST(sret_takes, "sret into S: taken before the first instruction if SPIE, else not (3.1.6.1)")
{
	struct ctx c;

	setup();
	csr_set(sip, BIT(IRQ_SSI));
	for (int i = 0; i < LOOPS; i++) {
		u64 before = irq_count[IRQ_SSI];

		csr_write(sie, BIT(IRQ_SSI));
		ctx_init(&c, code, PRV_S);
		run_ctx(&c);
		CHECK_EQ(irq_count[IRQ_SSI], before);
		CHECK_EQ(c.pc, code + 8);
		ctx_init(&c, code, PRV_S);
		c.status |= SR_SPIE;
		run_ctx(&c);
		CHECK_EQ(irq_count[IRQ_SSI], before + 1);
		check_irq(IRQ_SSI, code, PRV_S, "sret to S");
		CHECK(last_irq.status & SR_SPIE);
		CHECK_EQ(c.pc, code + 8);
		CHECK_EQ(ctx_changed(&c, 0), -1);
	}
}

TEST(user_takes, "U-mode is interrupted whatever SIE says, S-level enables still count (12.1.3)")
{
	struct ctx c;

	setup();
	csr_set(sip, BIT(IRQ_SSI));
	for (int i = 0; i < LOOPS; i++)
		for (u64 spie = 0; spie < 2; spie++) {
			u64 before = irq_count[IRQ_SSI];

			csr_write(sie, BIT(IRQ_SSI));
			ctx_init(&c, code, PRV_U);
			c.status |= spie ? SR_SPIE : 0;
			run_ctx(&c);
			CHECK_EQ(irq_count[IRQ_SSI], before + 1);
			check_irq(IRQ_SSI, code, PRV_U, "sret to U");
			CHECK_EQ(!!(last_irq.status & SR_SPIE), spie);
			CHECK_EQ(c.pc, code + 8);
			CHECK_EQ(ctx_changed(&c, 0), -1);
			/* sie clear: not taken */
			ctx_init(&c, code, PRV_U);
			run_ctx(&c);
			CHECK_EQ(irq_count[IRQ_SSI], before + 1);
		}
}

TEST(spin, "a spinning loop in S and in U is interrupted by each timer, registers kept")
{
	struct ctx c;

	setup();
	irq_hook = stop_spin;
	FOR_EACH_TIMER(t)
		for (int i = 0; i < LOOPS; i++)
			for (int prv = PRV_U; prv <= PRV_S; prv++) {
				u64 when = rdtime() + timebase / 1000;

				csr_write(sie, BIT(IRQ_STI));
				timers[t](when);
				ctx_init(&c, spin, prv);
				c.status |= prv ? SR_SPIE : 0;
				run_ctx(&c);
				CHECK(rdtime() >= when);
				check_irq(IRQ_STI, spin, prv, "spin");
				CHECK_EQ(c.pc, spin + 4);
				CHECK_EQ(ctx_changed(&c, 0), -1);
				timers[t](~0UL);
			}
}

TEST(spin_paged, "the same with translation on, in user pages")
{
	static struct pt pt;
	struct ctx c;

	setup();
	irq_hook = stop_spin;
	FOR_EACH_MODE(m) {
		pt_init(&pt, m);
		pt_map(&pt, 0x70000000, code, PTE_RWX_U);
		pt_load(&pt);
		for (int i = 0; i < LOOPS; i++) {
			csr_write(sie, BIT(IRQ_STI));
			set_timer(rdtime() + timebase / 1000);
			ctx_init(&c, 0x70000000 + (spin - code), PRV_U);
			run_ctx(&c);
			check_irq(IRQ_STI, 0x70000000 + (spin - code), PRV_U, "spin");
			CHECK_EQ(ctx_changed(&c, 0), -1);
			set_timer(~0UL);
		}
		pt_off();
	}
}

static u64 tick_next, ticks, early;

static void tick(struct ctx *f)
{
	if (rdtime() < tick_next)
		early++;
	if (++ticks == 50) {
		csr_write(sie, 0);
		f->pc = spin + 4;
		return;
	}
	tick_next = rdtime() + timebase / 5000;
	set_timer(tick_next);
}

TEST(ticks, "50 ticks of 200 us in U-mode: none early, none lost")
{
	struct ctx c;

	setup();
	irq_hook = tick;
	ticks = early = 0;
	tick_next = rdtime() + timebase / 5000;
	csr_write(sie, BIT(IRQ_STI));
	set_timer(tick_next);
	ctx_init(&c, spin, PRV_U);
	run_ctx(&c);
	CHECK_EQ(ticks, 50);
	CHECK_EQ(early, 0);
	CHECK_EQ(ctx_changed(&c, 0), -1);
}

/* ---- priorities ------------------------------------------------------------------ */

static u64 order[8], orders;

static void note_order(struct ctx *f)
{
	if (orders < ARRAY_SIZE(order))
		order[orders++] = f->cause & 63;
	csr_clear(sie, BIT(f->cause & 63));
}

static bool uart_irq(bool on)
{
	*reg32(PLIC_THRESHOLD) = 0;
	*reg32(PLIC_BASE + 4 * PLIC_UART) = on ? 1 : 0;
	*reg32(PLIC_ENABLE) = on ? BIT(PLIC_UART) : 0;
	*(volatile u8 *)UART_IER = on ? IER_THRE : 0;
	return sip_becomes(BIT(IRQ_SEI), on);
}

TEST(external, "the PLIC's SEIP: pending, not writable, taken, claimed, completed (12.1.3)")
{
	setup();
	for (int i = 0; i < LOOPS; i++) {
		u64 before = irq_count[IRQ_SEI];

		CHECK(uart_irq(true));
		/* software cannot clear it */
		csr_clear(sip, BIT(IRQ_SEI));
		CHECK(csr_read(sip) & BIT(IRQ_SEI));
		csr_write(sie, BIT(IRQ_SEI));
		csr_set(sstatus, SR_SIE);
		csr_clear(sstatus, SR_SIE);
		CHECK_EQ(irq_count[IRQ_SEI], before + 1);
		CHECK_EQ(last_irq.cause, CAUSE_IRQ | IRQ_SEI);
		CHECK_EQ(*reg32(PLIC_CLAIM), PLIC_UART);
		CHECK(sip_becomes(BIT(IRQ_SEI), false));
		CHECK_EQ(*reg32(PLIC_CLAIM), 0);
		*(volatile u8 *)UART_IER = 0;
		*reg32(PLIC_CLAIM) = PLIC_UART;
		CHECK(uart_irq(false));
	}
}

TEST(priority, "of several pending: external, then software, then timer (12.1.3)")
{
	struct ctx c;

	setup();
	irq_hook = note_order;
	for (int i = 0; i < LOOPS; i++)
		for (int prv = PRV_U; prv <= PRV_S; prv++) {
			bool ext = uart_irq(true);

			orders = 0;
			set_timer(0);
			csr_set(sip, BIT(IRQ_SSI));
			CHECK(sip_becomes(BIT(IRQ_STI), true));
			CHECK(ext);
			csr_write(sie, BIT(IRQ_SEI) | BIT(IRQ_SSI) | BIT(IRQ_STI));
			ctx_init(&c, code, prv);
			c.status |= SR_SPIE;
			run_ctx(&c);
			/* QEMU 10.0 without AIA takes the lowest number first. */
			CHECK_MSG(orders == 3 &&
				  ((order[0] == IRQ_SEI && order[1] == IRQ_SSI &&
				    order[2] == IRQ_STI) ||
				   (!on_umbra && order[2] == IRQ_SEI)),
				  "%lu taken: %lu %lu %lu", orders,
				  order[0], order[1], order[2]);
			CHECK_EQ(last_irq.pc, code);
			csr_clear(sip, BIT(IRQ_SSI));
			set_timer(~0UL);
			*reg32(PLIC_CLAIM) = *reg32(PLIC_CLAIM);
			uart_irq(false);
		}
}

TEST(falls, "stimecmp moved on: STIP falls at once, stays down over calls of the firmware, rises in time")
{
	if (!has_sstc)
		SKIP("no stimecmp");
	setup();
	for (int i = 0; i < 2 * LOOPS; i++) {
		u64 before = irq_count[IRQ_STI], when;

		stimer(0);
		CHECK(sip_becomes(BIT(IRQ_STI), true));
		/* still in the past */
		stimer(1 + i);
		CHECK(sip_becomes(BIT(IRQ_STI), true));
		stimer(~0UL);
		CHECK(sip_becomes(BIT(IRQ_STI), false));
		/* Where the guest is left it must not come back. */
		for (int n = 0; n < 3; n++) {
			sbi_call(SBI_BASE, 0, 0, 0, 0, 0, 0);
			CHECK(!(csr_read(sip) & BIT(IRQ_STI)));
		}
		csr_write(sie, BIT(IRQ_STI));
		csr_set(sstatus, SR_SIE);
		csr_clear(sstatus, SR_SIE);
		CHECK_EQ(irq_count[IRQ_STI], before);
		csr_write(sie, 0);
		/* from pending to pending later */
		stimer(0);
		CHECK(sip_becomes(BIT(IRQ_STI), true));
		when = rdtime() + timebase / 1000;
		stimer(when);
		while (!(csr_read(sip) & BIT(IRQ_STI)) && rdtime() < when)
			;
		CHECK_MSG(rdtime() >= when, "STIP too early");
		CHECK(sip_becomes(BIT(IRQ_STI), true));
		stimer(~0UL);
	}
}

TEST(enable_order, "csrsi of SIE: what is pending is taken by priority, at its vector, sip and sie asked anew")
{
	bool ext;

	setup();
	irq_hook = note_order;
	for (int i = 0; i < LOOPS; i++)
		for (int vectored = 0; vectored < 2; vectored++) {
			ext = uart_irq(true);
			csr_write(stvec, vectored ? (u64)trap_vectors | 1 : (u64)trap_entry);
			set_timer(0);
			csr_set(sip, BIT(IRQ_SSI));
			CHECK(sip_becomes(BIT(IRQ_STI), true));
			CHECK(ext);
			/* QEMU 10.0 without AIA takes the lowest number first: one by one */
			for (u32 n = 0; n < 3; n++) {
				static const u8 irqs[] = { IRQ_SEI, IRQ_SSI, IRQ_STI };
				u64 enable = 0;

				for (u32 k = n; k < (on_umbra ? 3 : n + 1); k++)
					enable |= BIT(irqs[k]);
				orders = 0;
				csr_write(sie, enable);
				try_call(en_csrsi, 0, 0);
				CHECK_MSG(orders >= 1 && order[0] == irqs[n], "0x%lx enabled: %lu taken, first %lu",
					  enable, orders, order[0]);
				CHECK_EQ(orders, on_umbra ? 3 - n : 1);
				check_irq(irqs[on_umbra ? 2 : n], (u64)en_csrsi + 4, PRV_S, "csrsi");
				CHECK(last_irq.status & SR_SPIE);
				CHECK_EQ(last_irq.vec, vectored ? irqs[on_umbra ? 2 : n] : ~0UL);
			}
			/* all are pending, none enabled */
			orders = 0;
			try_call(en_csrsi, 0, 0);
			CHECK_EQ(orders, 0);
			csr_write(stvec, trap_entry);
			csr_clear(sip, BIT(IRQ_SSI));
			set_timer(~0UL);
			*reg32(PLIC_CLAIM) = *reg32(PLIC_CLAIM);
			uart_irq(false);
		}
}

TEST(before_exception, "a pending interrupt comes before the exception of the next instruction (3.1.9)")
{
	struct ctx c;

	setup();
	put32(code, INSN_MRET);
	fence_i();
	csr_set(sip, BIT(IRQ_SSI));
	for (int i = 0; i < LOOPS; i++)
		for (int prv = PRV_U; prv <= PRV_S; prv++) {
			u64 before = irq_count[IRQ_SSI];

			csr_write(sie, BIT(IRQ_SSI));
			ctx_init(&c, code, prv);
			c.status |= SR_SPIE;
			run_ctx(&c);
			CHECK_EQ(irq_count[IRQ_SSI], before + 1);
			check_irq(IRQ_SSI, code, prv, "interrupt first");
			CHECK_ILLEGAL("then the exception", INSN_MRET, code);
		}
}

TEST(vectored, "vectored stvec: interrupts enter at base + 4 * cause, exceptions at base (12.1.2)")
{
	struct ctx c;

	setup();
	for (int i = 0; i < LOOPS; i++)
		for (int prv = PRV_U; prv <= PRV_S; prv++) {
			csr_write(stvec, (u64)trap_vectors | 1);
			set_timer(0);
			CHECK(sip_becomes(BIT(IRQ_STI), true));
			csr_write(sie, BIT(IRQ_STI));
			ctx_init(&c, code, prv);
			c.status |= SR_SPIE;
			run_ctx(&c);
			check_irq(IRQ_STI, code, prv, "timer");
			CHECK_EQ(last_irq.vec, IRQ_STI);
			CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
			CHECK_EQ(c.vec, 0);
			set_timer(~0UL);
			csr_set(sip, BIT(IRQ_SSI));
			csr_write(sie, BIT(IRQ_SSI));
			ctx_init(&c, code, prv);
			c.status |= SR_SPIE;
			run_ctx(&c);
			check_irq(IRQ_SSI, code, prv, "software");
			CHECK_EQ(last_irq.vec, IRQ_SSI);
			csr_clear(sip, BIT(IRQ_SSI));
			if (uart_irq(true)) {
				csr_write(sie, BIT(IRQ_SEI));
				ctx_init(&c, code, prv);
				c.status |= SR_SPIE;
				run_ctx(&c);
				CHECK_EQ(last_irq.vec, IRQ_SEI);
				*reg32(PLIC_CLAIM) = *reg32(PLIC_CLAIM);
			}
			uart_irq(false);
			ctx_init(&c, (u64)u_ecall, PRV_U);
			run_ctx(&c);
			CHECK_EQ(c.cause, CAUSE_ECALL_U);
			CHECK_EQ(c.vec, 0);
			/* and back to direct: all at base */
			csr_write(stvec, trap_entry);
			csr_set(sip, BIT(IRQ_SSI));
			csr_write(sie, BIT(IRQ_SSI));
			ctx_init(&c, code, prv);
			c.status |= SR_SPIE;
			run_ctx(&c);
			CHECK_EQ(last_irq.vec, ~0UL);
			csr_clear(sip, BIT(IRQ_SSI));
		}
}

TEST(storm, "timer interrupts beside CSR reads in a loop: they come, and no value is lost")
{
	u64 v, w, start = rdtime();

	setup();
	/* at least 2000 rounds, then until a few have come; hosts may be busy */
	for (int i = 0; i < 2000 || irq_count[IRQ_STI] < 5; i++) {
		if (!(csr_read(sie) & BIT(IRQ_STI))) {
			set_timer(rdtime() + timebase / 20000);
			csr_set(sie, BIT(IRQ_STI));
			csr_set(sstatus, SR_SIE);
		}
		v = csr_read(stvec);
		w = csr_read(satp);
		if (v != (u64)trap_entry || w) {
			check_fail(__LINE__, "round %d: stvec 0x%lx satp 0x%lx", i, v, w);
			break;
		}
		if (!(i % 256) && rdtime() - start > 5 * timebase) {
			check_fail(__LINE__, "%lu interrupts in 5 s", irq_count[IRQ_STI]);
			break;
		}
	}
	csr_clear(sstatus, SR_SIE);
	note("%lu timer interrupts", irq_count[IRQ_STI]);
}
