// SPDX-License-Identifier: GPL-2.0
/*
 * What the runtimes of both kinds of test guests share: strings, printf, the
 * device tree, the pool of pages, results. runtime.c (S-mode under an SBI) and
 * machine.c (M-mode) supply the console and the traps. guest.h says what tests
 * may call.
 */
#include <stdarg.h>

#include "common.h"
#include "guest.h"

extern const struct test __tests_start[], __tests_end[];

u64 hartid, timebase = 10000000, plic_context;
char isa_exts[1024];
bool on_umbra;

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

static char out[512];
static u64 out_len;

void flush(void)
{
	console_write(out, out_len);
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

/* Nodes of processors. */
static u64 fdt_harts(const u8 *dtb)
{
	const u8 *p = dtb + be32(dtb + 8);
	u64 n = 0;

	for (;;) {
		switch (be32(p)) {
		case 1:
			p += 4;
			n += !memcmp(p, "cpu@", 4);
			p += (strlen((const char *)p) + 4) & ~3UL;
			break;
		case 3:
			p += 12 + ((be32(p + 4) + 3) & ~3U);
			break;
		case 2:
		case 4:
			p += 4;
			break;
		default:
			return n;
		}
	}
}

/* On the command line, "skip=3,7" leaves tests out, "only=3,7" all others. */
static char bootargs[128];

bool dtb_umbra;
u64 dtb_harts;

void read_dtb(const u8 *dtb)
{
	const u8 *p;
	u32 len;

	p = fdt_prop(dtb, "", "model", &len);
	dtb_umbra = p && ends_with((const char *)p, ",umbra");
	dtb_harts = fdt_harts(dtb);
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

struct ctx trap;
struct jmp test_jmp;

u64 ctx_pattern(int reg)
{
	return 0x5a00c3d2e1f00000UL + reg * 0x0101010101UL;
}

int ctx_changed(const struct ctx *c, u64 except)
{
	for (int i = 1; i < 32; i++)
		if (!(except & BIT(i)) && c->x[i] != ctx_pattern(i))
			return i;
	return -1;
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

static void forget(void)
{
	pool = POOL_BASE;
	failed = false;
	failures = 0;
	skipped = NULL;
}

void run_tests(void (*reset)(void), void (*finish)(void))
{
	static const struct test *t;
	static int n;

	for (t = __tests_start; t < __tests_end; t++) {
		n++;
		reset();
		forget();
		if (!wanted(n)) {
			printf("ok %d - %s # SKIP by the command line\n", n, t->name);
			continue;
		}
		if (jmp_set(&test_jmp)) {
			reset();
			check_fail(0, "unexpected trap: cause=0x%lx epc=0x%lx tval=0x%lx",
				   trap.cause, trap.pc, trap.tval);
		} else {
			t->fn();
			finish();
		}
		if (failed)
			printf("not ok %d - %s # %s\n", n, t->name, first);
		else if (skipped)
			printf("ok %d - %s # SKIP %s\n", n, t->name, skipped);
		else
			printf("ok %d - %s\n", n, t->name);
	}
	reset();
	shut_down();
}
