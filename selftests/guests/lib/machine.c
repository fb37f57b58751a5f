// SPDX-License-Identifier: GPL-2.0
/*
 * The runtime of the test guests that start in M-mode: UART, traps, PMP.
 * machine.h says what tests may call; machine_start.S enters at machine_main().
 */
#include "common.h"
#include "machine.h"

void machine_enter(struct ctx *c) __attribute__((noreturn));
void machine_trap(void);
void machine_main(u64 hart, const void *dtb);

extern const struct test __tests_start[], __tests_end[];
extern char __stack_top[];

struct ctx trap_frame;
struct s_trap s_trap;
u64 call_result;

static struct jmp run_jmp;
static bool running;
static char call_stack[8192] __attribute__((aligned(16)));

/* ---- console ---------------------------------------------------------------- */

void console_write(const char *s, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		while (!(*(volatile u8 *)(UART_BASE + 5) & 0x20))
			;
		*(volatile u8 *)UART_BASE = s[i];
	}
}

void shut_down(void)
{
	flush();
	/* The UART has sent what it holds. */
	while (!(*(volatile u8 *)(UART_BASE + 5) & 0x40))
		;
	*(volatile u32 *)0x100000 = 0x5555;
	for (;;)
		;
}

/* ---- traps ------------------------------------------------------------------------ */

void machine_trap(void)
{
	trap = trap_frame;
	if (running) {
		running = false;
		jmp_back(&run_jmp);
	}
	csr_write(mie, 0);
	printf("# unexpected trap: mcause=0x%lx mepc=0x%lx mtval=0x%lx mstatus=0x%lx ra=0x%lx\n",
	       trap.cause, trap.pc, trap.tval, trap.status, trap.x[1]);
	jmp_back(&test_jmp);
}

void machine_ctx(struct ctx *c, u64 pc, int prv)
{
	for (int i = 0; i < 32; i++)
		c->x[i] = ctx_pattern(i);
	c->pc = pc;
	c->status = (csr_read(mstatus) & ~(MR_MPP | MR_MPIE)) | (u64)prv << 11;
	c->cause = NO_TRAP;
	c->vec = -1;
}

u64 run_machine(struct ctx *c)
{
	static u64 status;

	status = csr_read(mstatus);
	s_trap.taken = 0;
	if (jmp_set(&run_jmp)) {
		csr_write(mstatus, status);
		return trap.cause;
	}
	running = true;
	machine_enter(c);
}

u64 run_at(int prv, u64 pc, u64 a0, u64 a1)
{
	static struct ctx c;

	machine_ctx(&c, pc, prv);
	c.x[1] = prv == PRV_U && csr_read(satp) ? user_va(call_done) : (u64)call_done;
	c.x[2] = (u64)call_stack + sizeof(call_stack);
	c.x[10] = a0;
	c.x[11] = a1;
	return run_machine(&c);
}

u64 call_as(int prv, void *fn, u64 a0, u64 a1)
{
	u64 cause = run_at(prv, (u64)fn, a0, a1);

	call_result = trap.x[10];
	if (cause == CAUSE_ECALL_U + (u64)prv && trap.pc == (u64)call_done)
		trap.cause = NO_TRAP;
	return trap.cause;
}

u64 try_mprv(void *fn, u64 a0, u64 a1, u64 bits)
{
	static struct ctx c;
	u64 cause;

	machine_ctx(&c, (u64)mprv_access, PRV_M);
	c.x[1] = (u64)call_done;
	c.x[2] = (u64)call_stack + sizeof(call_stack);
	c.x[10] = (u64)fn;
	c.x[11] = a0;
	c.x[12] = a1;
	/* MPIE, so that nothing but the bits under test differs afterwards. */
	c.x[13] = (csr_read(mstatus) & ~(MR_MPP | SR_SUM | SR_MXR)) | MR_MPRV | bits;
	cause = run_machine(&c);
	call_result = trap.x[10];
	if (cause == CAUSE_ECALL_M && trap.pc == (u64)call_done)
		trap.cause = NO_TRAP;
	return trap.cause;
}

/* ---- PMP --------------------------------------------------------------------------- */

static u64 read_pmpcfg(int n)
{
	return n ? csr_read(0x3a2) : csr_read(0x3a0);
}

static void write_pmpaddr(int i, u64 addr)
{
	switch (i) {
#define ADDR(n)	case n: csr_write(0x3b0 + n, addr); break
	ADDR(0); ADDR(1); ADDR(2); ADDR(3); ADDR(4); ADDR(5); ADDR(6); ADDR(7);
	ADDR(8); ADDR(9); ADDR(10); ADDR(11); ADDR(12); ADDR(13); ADDR(14); ADDR(15);
#undef ADDR
	}
}

void pmp_set(int i, u64 cfg, u64 addr)
{
	u64 shift = 8 * (i % 8);
	u64 all = read_pmpcfg(i / 8) & ~(0xffUL << shift);

	/* Off while the address changes. */
	if (i < 8)
		csr_write(0x3a0, all);
	else
		csr_write(0x3a2, all);
	write_pmpaddr(i, addr);
	if (i < 8)
		csr_write(0x3a0, all | cfg << shift);
	else
		csr_write(0x3a2, all | cfg << shift);
	sfence();
}

/* ---- main ---------------------------------------------------------------------------- */

static void machine_reset(void)
{
	running = false;
	csr_write(satp, 0);
	csr_write(mie, 0);
	csr_write(mip, 0);
	csr_write(mideleg, 0);
	csr_write(medeleg, 0);
	csr_write(mtvec, machine_trap_entry);
	csr_write(stvec, s_trap_entry);
	csr_write(mcounteren, 0);
	csr_write(scounteren, 0);
	csr_write(mstatus, MR_MPP);
	*(volatile u32 *)MSWI = 0;
	*(volatile u64 *)MTIMECMP = ~0UL;
	csr_write(0x3a0, 0);
	csr_write(0x3a2, 0);
	pmp_set(15, PMP_NAPOT | PMP_R | PMP_W | PMP_X, ~0UL >> 10);
	memset(&s_trap, 0, sizeof(s_trap));
	sfence();
}

static void machine_finish(void)
{
	csr_write(mie, 0);
	csr_write(satp, 0);
}

void machine_main(u64 hart, const void *dtb)
{
	hartid = hart;
	csr_write(mstatus, MR_MPP);
	read_dtb(dtb);
	on_umbra = dtb_umbra;
	printf("1..%d\n", (int)(__tests_end - __tests_start));
	printf("# M-mode, hart %lu, timebase %lu%s\n", hartid, timebase,
	       on_umbra ? ", Umbra" : "");
	run_tests(machine_reset, machine_finish);
}
