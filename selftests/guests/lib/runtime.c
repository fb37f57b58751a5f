// SPDX-License-Identifier: GPL-2.0
/*
 * The runtime of the test guests: console, device tree, SBI, traps, results.
 * guest.h says what tests may call; start.S enters at guest_main().
 */
#include <stdarg.h>

#include "guest.h"

struct jmp {
	u64 reg[14];
};

int jmp_set(struct jmp *j) __attribute__((returns_twice));
void jmp_back(struct jmp *j) __attribute__((noreturn));
void ctx_enter(struct ctx *c) __attribute__((noreturn));
void trap_c(struct ctx *f);
void guest_main(u64 hart, const void *dtb);

extern const struct test __tests_start[], __tests_end[];

u64 hartid, timebase = 10000000, impl_id, plic_context;
char isa_exts[1024];
bool on_umbra, has_sstc, has_vector, has_svinval;

/* ---- strings --------------------------------------------------------------- */

void *memset(void *d, int c, u64 n)
{
	u64 pattern = (u8)c * 0x0101010101010101UL;
	u8 *p = d;

	while (n && ((u64)p & 7)) {
		*p++ = c;
		n--;
	}
	for (; n >= 8; n -= 8, p += 8)
		*(volatile u64 *)p = pattern;
	while (n--)
		*(volatile u8 *)p++ = c;
	return d;
}

void *memcpy(void *d, const void *s, u64 n)
{
	volatile u8 *p = d;
	const u8 *q = s;

	while (n--)
		*p++ = *q++;
	return d;
}

int memcmp(const void *a, const void *b, u64 n)
{
	const volatile u8 *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

u64 strlen(const char *s)
{
	u64 n = 0;

	while (((const volatile char *)s)[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

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
static char out[512];
static u64 out_len;

static void flush(void)
{
	u64 done = 0;

	while (dbcn && done < out_len) {
		struct sbiret r = sbi_call(SBI_DBCN, 0, out_len - done,
					   (u64)out + done, 0, 0, 0);

		if (r.error || !r.value)
			break;
		done += r.value;
	}
	for (; done < out_len; done++)
		sbi_call(1, 0, out[done], 0, 0, 0, 0);
	out_len = 0;
}

static void put(char c)
{
	out[out_len++] = c;
	if (out_len == sizeof(out) || c == '\n')
		flush();
}

static void vput(void (*emit)(char), const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		char digit[20];
		const char *s;
		unsigned int n = 0, base = 10;
		u64 v;

		if (*fmt != '%') {
			emit(*fmt);
			continue;
		}
		fmt++;
		if (*fmt == 'l')
			fmt++;
		switch (*fmt) {
		case 's':
			for (s = va_arg(ap, const char *); *s; s++)
				emit(*s);
			continue;
		case 'c':
			emit(va_arg(ap, int));
			continue;
		case '%':
			emit('%');
			continue;
		case 'x':
			base = 16;
			v = fmt[-1] == 'l' ? va_arg(ap, u64) : va_arg(ap, u32);
			break;
		case 'u':
			v = fmt[-1] == 'l' ? va_arg(ap, u64) : va_arg(ap, u32);
			break;
		default:	/* d */
			v = fmt[-1] == 'l' ? va_arg(ap, s64) : va_arg(ap, s32);
			if ((s64)v < 0) {
				emit('-');
				v = -v;
			}
		}
		do
			digit[n++] = "0123456789abcdef"[v % base];
		while (v /= base);
		while (n)
			emit(digit[--n]);
	}
}

void printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vput(put, fmt, ap);
	va_end(ap);
}

static void __attribute__((noreturn)) shut_down(void)
{
	flush();
	csr_write(satp, 0);
	sbi_call(SBI_SRST, 0, 0, 0, 0, 0, 0);
	sbi_call(8, 0, 0, 0, 0, 0, 0);
	*(volatile u32 *)0x100000 = 0x5555;
	for (;;)
		;
}

/* ---- device tree -------------------------------------------------------------- */

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static bool ends_with(const char *s, const char *end)
{
	u64 n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* In the first node that has such a property and a name that ends with @node. */
static const u8 *fdt_prop(const u8 *dtb, const char *node, const char *name,
			  u32 *len)
{
	const u8 *p = dtb + be32(dtb + 8), *strings = dtb + be32(dtb + 12);
	bool here = false;

	for (;;) {
		switch (be32(p)) {
		case 1:		/* node begins; its name */
			p += 4;
			here = ends_with((const char *)p, node);
			p += (strlen((const char *)p) + 4) & ~3UL;
			break;
		case 3:		/* property */
			*len = be32(p + 4);
			if (here && !strcmp((const char *)strings + be32(p + 8), name))
				return p + 12;
			p += 12 + ((*len + 3) & ~3U);
			break;
		case 2:
		case 4:
			p += 4;
			break;
		default:
			return NULL;
		}
	}
}

/* On the command line, "skip=3,7" leaves tests out, "only=3,7" all others. */
static char bootargs[128];

static void read_dtb(const u8 *dtb)
{
	const u8 *p;
	u32 len;

	p = fdt_prop(dtb, "", "timebase-frequency", &len);
	if (p)
		timebase = be32(p);
	p = fdt_prop(dtb, "", "riscv,isa-extensions", &len);
	if (p && len < sizeof(isa_exts))
		memcpy(isa_exts, p, len);
	p = fdt_prop(dtb, "chosen", "bootargs", &len);
	if (p && len < sizeof(bootargs))
		memcpy(bootargs, p, len);
	/* pairs of hart and interrupt, the boot hart's first; S external is 9 */
	p = fdt_prop(dtb, "@c000000", "interrupts-extended", &len);
	for (u32 i = 0; p && i < len / 8; i++)
		if (be32(p + 8 * i + 4) == IRQ_SEI) {
			plic_context = i;
			break;
		}
}

static bool listed(const char *word, int n)
{
	const char *p = bootargs;
	u64 len = strlen(word);

	for (; *p; p++)
		if (!memcmp(p, word, len))
			break;
	if (!*p)
		return false;
	for (p += len; *p >= '0' && *p <= '9'; p++) {
		int v = 0;

		for (; *p >= '0' && *p <= '9'; p++)
			v = v * 10 + *p - '0';
		if (v == n)
			return true;
		if (*p != ',')
			break;
	}
	return false;
}

static bool wanted(int n)
{
	for (const char *p = bootargs; *p; p++)
		if (!memcmp(p, "only=", 5))
			return listed("only=", n);
	return !listed("skip=", n);
}

bool isa_has(const char *ext)
{
	const char *p = isa_exts;

	for (; *p; p += strlen(p) + 1)
		if (!strcmp(p, ext))
			return true;
	return false;
}

void wait_ticks(u64 ticks)
{
	u64 start = rdtime();

	while (rdtime() - start < ticks)
		;
}

/* ---- pages ----------------------------------------------------------------------- */

static u64 pool = POOL_BASE;

void *pages_alloc(unsigned int n)
{
	void *p = (void *)pool;

	pool += n * 4096UL;
	if (pool > POOL_END) {
		printf("Bail out! the guest's pool of pages is empty\n");
		shut_down();
	}
	memset(p, 0, n * 4096UL);
	return p;
}

void *page_alloc(void)
{
	return pages_alloc(1);
}

/* ---- traps ------------------------------------------------------------------------ */

struct ctx trap_frame, trap, last_irq;
u64 irq_count[64], try_result;
void (*irq_hook)(struct ctx *f);

static struct jmp *catcher, test_jmp;
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

u64 ctx_pattern(int reg)
{
	return 0x5a00c3d2e1f00000UL + reg * 0x0101010101UL;
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

int ctx_changed(const struct ctx *c, u64 except)
{
	for (int i = 1; i < 32; i++)
		if (!(except & BIT(i)) && c->x[i] != ctx_pattern(i))
			return i;
	return -1;
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

/* ---- results ---------------------------------------------------------------------- */

static bool failed;
static unsigned int failures;
static const char *skipped;
static char first[160];
static u64 first_len;

static void put_first(char c)
{
	if (first_len < sizeof(first) - 1)
		first[first_len++] = c;
}

void note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vput(put, fmt, ap);
	va_end(ap);
	printf("\n");
}

static void fail_begin(int line)
{
	failures++;
	if (!failed) {
		failed = true;
		first_len = 0;
		memset(first, 0, sizeof(first));
	}
	if (failures <= 12)
		printf("# line %d: ", line);
}

/* The first failure is kept for the "not ok" line; a dozen are printed. */
void check_fail(int line, const char *fmt, ...)
{
	va_list ap;

	fail_begin(line);
	if (failures == 1) {
		va_start(ap, fmt);
		vput(put_first, fmt, ap);
		va_end(ap);
	}
	if (failures > 12)
		return;
	va_start(ap, fmt);
	vput(put, fmt, ap);
	va_end(ap);
	printf("\n");
}

bool check_eq(int line, const char *what, u64 got, u64 want)
{
	if (got == want)
		return true;
	check_fail(line, "%s: got 0x%lx, want 0x%lx", what, got, want);
	return false;
}

bool check_trap(int line, const char *what, u64 cause, u64 tval, u64 epc)
{
	if (trap.cause == cause &&
	    (cause == NO_TRAP || (trap.tval == tval && trap.pc == epc)))
		return true;
	check_fail(line, "%s: got scause=0x%lx stval=0x%lx sepc=0x%lx, want 0x%lx 0x%lx 0x%lx",
		   what, trap.cause, trap.tval, trap.pc, cause, tval, epc);
	return false;
}

bool check_illegal(int line, const char *what, u64 insn, u64 epc)
{
	return check_trap(line, what, CAUSE_ILLEGAL, trap.tval ? insn : 0, epc);
}

void skip(const char *why)
{
	skipped = why;
}

bool test_failed(void)
{
	return failed;
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
	pool = POOL_BASE;
	failed = false;
	failures = 0;
	skipped = NULL;
}

static u64 read_stimecmp(void)
{
	return csr_read(0x14d);
}

void guest_main(u64 hart, const void *dtb)
{
	static const struct test *t;
	static int n;

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
	for (t = __tests_start; t < __tests_end; t++) {
		n++;
		guest_reset();
		if (!wanted(n)) {
			printf("ok %d - %s # SKIP by the command line\n", n, t->name);
			continue;
		}
		if (jmp_set(&test_jmp)) {
			guest_reset();
			check_fail(0, "unexpected trap: scause=0x%lx sepc=0x%lx stval=0x%lx",
				   trap.cause, trap.pc, trap.tval);
		} else {
			t->fn();
			csr_write(satp, 0);
			csr_clear(sstatus, SR_SIE);
		}
		if (failed)
			printf("not ok %d - %s # %s\n", n, t->name, first);
		else if (skipped)
			printf("ok %d - %s # SKIP %s\n", n, t->name, skipped);
		else
			printf("ok %d - %s\n", n, t->name);
	}
	guest_reset();
	shut_down();
}
