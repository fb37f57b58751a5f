// SPDX-License-Identifier: GPL-2.0
/*
 * The runtime of the test guests that start in S-mode: SBI and traps. guest.h
 * says what tests may call; start.S enters at guest_main().
 */
#include "common.h"

void ctx_enter(struct ctx *c) __attribute__((noreturn));
void trap_c(struct ctx *f);
void guest_main(u64 hart, const void *dtb);

extern const struct test __tests_start[], __tests_end[];

u64 impl_id;
bool has_sstc, has_vector, has_svinval;

/* ---- console ---------------------------------------------------------------- */

struct sbiret sbi_call(u64 ext, u64 fid, u64 arg0, u64 arg1, u64 arg2, u64 arg3,
		       u64 arg4)
{
	register u64 a0 asm("a0") = arg0;
	register u64 a1 asm("a1") = arg1;
	register u64 a2 asm("a2") = arg2;
	register u64 a3 asm("a3") = arg3;
	register u64 a4 asm("a4") = arg4;
	register u64 a6 asm("a6") = fid;
	register u64 a7 asm("a7") = ext;

	asm volatile("ecall"
		     : "+r"(a0), "+r"(a1)
		     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
		     : "memory");
	return (struct sbiret){ a0, a1 };
}

bool sbi_probe(u64 ext)
{
	struct sbiret r = sbi_call(SBI_BASE, 3, ext, 0, 0, 0, 0);

	return !r.error && r.value;
}

void set_timer(u64 when)
{
	sbi_call(SBI_TIME, 0, when, 0, 0, 0, 0);
}

static bool dbcn;

void console_write(const char *s, u64 n)
{
	u64 done = 0;

	while (dbcn && done < n) {
		struct sbiret r = sbi_call(SBI_DBCN, 0, n - done, (u64)s + done,
					   0, 0, 0);

		if (r.error || !r.value)
			break;
		done += r.value;
	}
	for (; done < n; done++)
		sbi_call(1, 0, s[done], 0, 0, 0, 0);
}

void shut_down(void)
{
	flush();
	csr_write(satp, 0);
	sbi_call(SBI_SRST, 0, 0, 0, 0, 0, 0);
	sbi_call(8, 0, 0, 0, 0, 0, 0);
	*(volatile u32 *)0x100000 = 0x5555;
	for (;;)
		;
}

/* ---- traps ------------------------------------------------------------------------ */

struct ctx trap_frame, last_irq;
u64 irq_count[64], try_result;
void (*irq_hook)(struct ctx *f);

static struct jmp *catcher;
static bool in_trap, running;
static struct jmp ctx_jmp;
static struct ctx *ctx_running;

void trap_c(struct ctx *f)
{
	if (in_trap) {
		printf("Bail out! a trap in the guest's own trap handler: scause=0x%lx sepc=0x%lx stval=0x%lx\n",
		       f->cause, f->pc, f->tval);
		shut_down();
	}
	in_trap = true;
	if (f->cause & CAUSE_IRQ) {
		u64 n = f->cause & 63;

		irq_count[n]++;
		last_irq = *f;
		if (irq_hook)
			irq_hook(f);
		else
			csr_clear(sie, BIT(n));
		in_trap = false;
		return;
	}
	trap = *f;
	in_trap = false;
	if (catcher)
		jmp_back(catcher);
	csr_write(satp, 0);
	printf("# unexpected trap: scause=0x%lx sepc=0x%lx stval=0x%lx sstatus=0x%lx ra=0x%lx\n",
	       f->cause, f->pc, f->tval, f->status, f->x[1]);
	if (!running)
		shut_down();
	jmp_back(&test_jmp);
}

u64 try_call(void *fn, u64 a0, u64 a1)
{
	static struct jmp j;	/* never nested: what is called is a test's leaf */

	trap.cause = NO_TRAP;
	if (jmp_set(&j)) {
		catcher = NULL;
		return trap.cause;
	}
	catcher = &j;
	try_result = ((u64 (*)(u64, u64))fn)(a0, a1);
	catcher = NULL;
	return NO_TRAP;
}

void ctx_init(struct ctx *c, u64 pc, int prv)
{
	for (int i = 0; i < 32; i++)
		c->x[i] = ctx_pattern(i);
	c->pc = pc;
	c->status = csr_read(sstatus) & ~(SR_SPP | SR_SPIE | SR_SIE);
	if (prv == PRV_S)
		c->status |= SR_SPP;
	c->cause = NO_TRAP;
	c->vec = -1;
}

u64 run_ctx(struct ctx *c)
{
	static u64 status;

	status = csr_read(sstatus);
	ctx_running = c;
	if (jmp_set(&ctx_jmp)) {
		catcher = NULL;
		csr_write(sstatus, status);
		*ctx_running = trap;
		return trap.cause;
	}
	catcher = &ctx_jmp;
	ctx_enter(c);
}

static void guest_reset(void)
{
	catcher = NULL;
	irq_hook = NULL;
	csr_write(satp, 0);
	sfence();
	csr_write(stvec, trap_entry);
	csr_write(sie, 0);
	csr_write(sip, 0);
	csr_clear(sstatus, SR_SIE | SR_SPIE | SR_FS | SR_VS | SR_SUM | SR_MXR);
	set_timer(~0UL);
	memset(irq_count, 0, sizeof(irq_count));
}

static void guest_finish(void)
{
	csr_write(satp, 0);
	csr_clear(sstatus, SR_SIE);
}

static u64 read_stimecmp(void)
{
	return csr_read(0x14d);
}

void guest_main(u64 hart, const void *dtb)
{
	hartid = hart;
	dbcn = sbi_probe(SBI_DBCN);
	impl_id = sbi_call(SBI_BASE, 1, 0, 0, 0, 0, 0).value;
	on_umbra = impl_id == SBI_IMPL_UMBRA;
	printf("1..%d\n", (int)(__tests_end - __tests_start));
	read_dtb(dtb);
	has_sstc = try_call(read_stimecmp, 0, 0) == NO_TRAP;
	csr_set(sstatus, SR_VS);
	has_vector = csr_read(sstatus) & SR_VS;
	has_svinval = isa_has("svinval");
	printf("# SBI implementation 0x%lx version 0x%lx, hart %lu, timebase %lu%s%s%s\n",
	       impl_id, sbi_call(SBI_BASE, 2, 0, 0, 0, 0, 0).value, hartid, timebase,
	       has_sstc ? ", Sstc" : "", has_vector ? ", V" : "",
	       has_svinval ? ", Svinval" : "");
	running = true;
	run_tests(guest_reset, guest_finish);
}
