// SPDX-License-Identifier: GPL-2.0
/*
 * LR and SC: reservations die where they must, and loops get through.
 *
 * Unprivileged specification, Zalrsc (reservations, eventual success);
 * privileged 3.3.2: an xRET may leave a reservation, but this code executes an
 * SC in each trap handler, as a kernel does, or expects what hardware gives:
 * an SC paired with an LR of another context must not succeed when the memory
 * was written in between.
 */
#include "guest.h"

#define LOOPS	10
#define VA	0x2000200000UL

static u64 word;

/* lr; ecall; sc in U-mode: the handler runs in between. */
extern char lrsc_split[], lrsc_loop[];
asm(".section .text_user, \"ax\"\n.balign 4\n.option push\n.option norvc\n"
	"lrsc_split:\n"
	"	lr.d	a1, (a0)\n"
	"	ecall\n"
	"	sc.d	a2, a3, (a0)\n"
	"	ecall\n"
    /* a1 times: *a0 += 1 */
	"lrsc_loop:\n"
	"1:	lr.d	a2, (a0)\n"
	"	addi	a2, a2, 1\n"
	"	sc.d	a3, a2, (a0)\n"
	"	bnez	a3, 1b\n"
	"	addi	a1, a1, -1\n"
	"	bnez	a1, 1b\n"
	"	ebreak\n"
	".option pop\n.previous\n");

TEST(trap, "a store by the trap handler between LR and SC makes the SC fail (Zalrsc)")
{
	struct ctx c;

	for (u64 i = 0; i < LOOPS; i++) {
		word = i;
		ctx_init(&c, (u64)lrsc_split, PRV_U);
		c.x[10] = (u64)&word;
		c.x[13] = 1000 + i;
		run_ctx(&c);
		CHECK_EQ(c.cause, CAUSE_ECALL_U);
		CHECK_EQ(c.x[11], i);
		/* as an interrupting context that does its own LR/SC */
		EXPECT_OK(do_lr_d, (u64)&word, 0);
		try_call(do_sc_d, (u64)&word, 500 + i);
		word = 500 + i;
		c.pc += 4;
		c.x[12] = 0;
		run_ctx(&c);
		CHECK_EQ(c.cause, CAUSE_ECALL_U);
		CHECK_MSG(c.x[12] != 0, "round %lu: SC succeeded over a changed word", i);
		CHECK_EQ(word, 500 + i);
	}
}

TEST(sret, "a reservation does not survive a trap and an sret (as Umbra promises)")
{
	struct ctx c;
	u64 kept = 0;

	for (u64 i = 0; i < LOOPS; i++) {
		word = i;
		ctx_init(&c, (u64)lrsc_split, PRV_U);
		c.x[10] = (u64)&word;
		c.x[13] = 1000 + i;
		run_ctx(&c);
		c.pc += 4;
		c.x[12] = 0;
		run_ctx(&c);
		CHECK_EQ(c.cause, CAUSE_ECALL_U);
		CHECK_EQ(word, c.x[12] ? i : 1000 + i);
		kept += !c.x[12];
	}
	note("%lu of %d reservations survived", kept, LOOPS);
	if (on_umbra)
		CHECK_EQ(kept, 0);
}

TEST(csr_between, "CSR accesses between LR and SC: whatever the SC says is true of memory")
{
	u64 old, fail;

	for (u64 i = 0; i < LOOPS; i++) {
		word = i;
		asm volatile("lr.d	%0, (%2)\n"
			     "csrr	%1, sscratch\n"
			     "sc.d	%1, %3, (%2)\n"
			     : "=&r"(old), "=&r"(fail) : "r"(&word), "r"(i + 100) : "memory");
		CHECK_EQ(old, i);
		CHECK_EQ(*(volatile u64 *)&word, fail ? i : i + 100);
	}
}

TEST(other_address, "an SC to another address than its LR's fails")
{
	static u64 far[1024];
	u64 old, fail;

	for (u64 i = 0; i < LOOPS; i++) {
		far[0] = far[1000] = i;
		asm volatile("lr.d	%0, (%2)\n"
			     "sc.d	%1, %4, (%3)\n"
			     : "=&r"(old), "=&r"(fail)
			     : "r"(&far[0]), "r"(&far[1000]), "r"(99UL) : "memory");
		/* allowed only if both lie in one reservation set: 8 KiB do not */
		CHECK(fail);
		CHECK_EQ(*(volatile u64 *)&far[1000], i);
		/* and an SC without an LR */
		asm volatile("sc.d	%0, %2, (%1)\n" : "=&r"(fail) : "r"(&far[0]), "r"(98UL) : "memory");
		CHECK(fail);
		CHECK_EQ(*(volatile u64 *)&far[0], i);
	}
}

/* On a slow host the handler may take longer than that: more time each time. */
static void again(struct ctx *f)
{
	set_timer(rdtime() + timebase / 20000 * (1 + irq_count[IRQ_STI] / 32));
}

TEST(progress, "20000 increments by an LR/SC loop in U and in S, under timer interrupts: all there")
{
	static struct pt pt;

	irq_hook = again;
	for (int prv = PRV_U; prv <= PRV_S; prv++) {
		struct ctx c;

		word = 0;
		set_timer(rdtime() + timebase / 20000);
		csr_write(sie, BIT(IRQ_STI));
		ctx_init(&c, (u64)lrsc_loop, prv);
		c.status |= SR_SPIE;
		c.x[10] = (u64)&word;
		c.x[11] = 20000;
		run_ctx(&c);
		csr_write(sie, 0);
		CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
		CHECK_EQ(word, 20000);
		CHECK_EQ(c.x[11], 0);
	}
	FOR_EACH_MODE(m) {
		u64 page = (u64)page_alloc();
		struct ctx c;

		pt_init(&pt, m);
		pt_map(&pt, VA, page, PTE_RW_U);
		pt_load(&pt);
		set_timer(rdtime() + timebase / 20000);
		csr_write(sie, BIT(IRQ_STI));
		ctx_init(&c, user_va(lrsc_loop), PRV_U);
		c.x[10] = VA;
		c.x[11] = 5000;
		run_ctx(&c);
		csr_write(sie, 0);
		pt_off();
		CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
		CHECK_EQ(*(volatile u64 *)page, 5000);
	}
	note("%lu interrupts", irq_count[IRQ_STI]);
	set_timer(~0UL);
}

TEST(first_touch, "an LR/SC loop as the first access to a page gets through")
{
	static struct pt pt;

	FOR_EACH_MODE(m)
		for (int i = 0; i < 3; i++) {
			u64 page = (u64)page_alloc();
			struct ctx c;

			pt_init(&pt, m);
			pt_map(&pt, VA, page, PTE_RW_U);
			pt_load(&pt);
			ctx_init(&c, user_va(lrsc_loop), PRV_U);
			c.x[10] = VA;
			c.x[11] = 1;
			run_ctx(&c);
			CHECK_EQ(c.cause, CAUSE_BREAKPOINT);
			pt_off();
			CHECK_EQ(*(volatile u64 *)page, 1);
		}
}
