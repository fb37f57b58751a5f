/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A unit test harness in one header, for the parts of Umbra that need no
 * kernel.
 *
 * A test file is one program.  It names the pure files under test in a comment
 * near its top, where the Makefile finds them, includes this header, and looks
 * like this:
 *
 *	// SOURCES: ../../vmm_core/decode.c
 *	#include "../../vmm_core/decode.h"
 *
 *	UNIT_TEST(nop_is_other)
 *	{
 *		struct umbra_insn insn;
 *
 *		umbra_decode(0x00000013, &insn);
 *		expect_eq(insn.op, UMBRA_OP_OTHER);
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		return unit_main(argc, argv);
 *	}
 *
 * The output is TAP.  A test goes on after a failed expect(); require() ends
 * it.  A failure prints the place, the values and the one command that shows
 * it again, with the seed of the random numbers.
 */
#ifndef UMBRA_UNIT_H
#define UMBRA_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../vmm_core/base.h"

/* A loop that fails a million times is one failure; show its first ones. */
#define UNIT_MAX_SHOWN	10

struct unit_test {
	const char *name;
	void (*fn)(void);
	struct unit_test *next;
};

static struct {
	struct unit_test *tests, **last;
	const char *file;		/* the program, "test_decode" */
	const char *test;		/* the test that runs */
	u64 seed;
	u64 rand;
	unsigned long failures;		/* of the test that runs */
	jmp_buf out;			/* where require() goes */
} unit;

static inline void unit_register(struct unit_test *t)
{
	if (!unit.last)
		unit.last = &unit.tests;
	*unit.last = t;
	unit.last = &t->next;
}

/**
 * UNIT_TEST() - define a test; it registers itself, in the order of the file
 * @ident: its name, unique within the file
 */
#define UNIT_TEST(ident)						\
	static void unit_fn_##ident(void);				\
	static void __attribute__((constructor)) unit_reg_##ident(void)	\
	{								\
		static struct unit_test t = {				\
			.name = #ident, .fn = unit_fn_##ident		\
		};							\
		unit_register(&t);					\
	}								\
	static void unit_fn_##ident(void)

/* Count a failure; true while it should still be shown. */
static inline bool unit_fail(const char *file, int line)
{
	unit.failures++;
	if (unit.failures > UNIT_MAX_SHOWN)
		return false;
	if (unit.failures == UNIT_MAX_SHOWN)
		printf("# %s: further failures are counted, not shown\n",
		       unit.test);
	printf("# %s:%d: ", file, line);
	return true;
}

static inline bool unit_expect(bool ok, const char *expr, const char *file,
			       int line)
{
	if (!ok && unit_fail(file, line))
		printf("not true: %s\n", expr);
	return ok;
}

static inline bool unit_expect_eq(u64 a, u64 b, const char *ea,
				  const char *eb, const char *file, int line)
{
	if (a != b && unit_fail(file, line))
		printf("%s is %#llx (%lld), expected %s = %#llx (%lld)\n", ea,
		       (unsigned long long)a, (long long)a, eb,
		       (unsigned long long)b, (long long)b);
	return a == b;
}

static inline bool unit_expect_str(const char *a, const char *b,
				   const char *ea, const char *file, int line)
{
	bool ok = a && b && !strcmp(a, b);

	if (!ok && unit_fail(file, line))
		printf("%s is \"%s\", expected \"%s\"\n", ea, a ? a : "(null)",
		       b ? b : "(null)");
	return ok;
}

static inline bool unit_expect_mem(const void *a, const void *b, size_t len,
				   const char *ea, const char *file, int line)
{
	const unsigned char *pa = a, *pb = b;
	size_t i;

	for (i = 0; i < len; i++) {
		if (pa[i] == pb[i])
			continue;
		if (unit_fail(file, line))
			printf("%s: byte %zu of %zu is %#x, expected %#x\n",
			       ea, i, len, pa[i], pb[i]);
		return false;
	}
	return true;
}

static inline void unit_require(bool ok)
{
	if (!ok)
		longjmp(unit.out, 1);
}

/*
 * All of these evaluate to whether they held, and their arguments once.
 * expect_eq() compares as 64-bit values: -1 is not 0xffffffffU.  Not for
 * threads: collect there, and expect() in the test itself.
 */
#define expect(cond) \
	unit_expect(!!(cond), #cond, __FILE__, __LINE__)
#define expect_eq(a, b) \
	unit_expect_eq((u64)(a), (u64)(b), #a, #b, __FILE__, __LINE__)
#define expect_str_eq(a, b) \
	unit_expect_str((a), (b), #a, __FILE__, __LINE__)
#define expect_mem_eq(a, b, len) \
	unit_expect_mem((a), (b), (len), #a, __FILE__, __LINE__)

/* The same, but the test ends here where they do not hold. */
#define require(cond)		unit_require(expect(cond))
#define require_eq(a, b)	unit_require(expect_eq(a, b))

/* Fail with a message of one's own. */
#define fail_test(...)							\
	do {								\
		if (unit_fail(__FILE__, __LINE__)) {			\
			printf(__VA_ARGS__);				\
			printf("\n");					\
		}							\
	} while (0)

/* Random numbers; each test starts from the seed, so it reproduces alone. */
static inline u64 unit_rand(void)
{
	/* splitmix64 */
	u64 z = (unit.rand += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* A random number in [0, n); n is not 0. */
static inline u64 unit_rand_below(u64 n)
{
	return unit_rand() % n;
}

static inline void unit_reproduce(void)
{
	/* The Makefile says how it was called; see "check" there. */
	const char *make = getenv("UNIT_MAKE");

	if (make)
		printf("# reproduce: %s T=%s ONLY=%s UNIT_SEED=%#llx\n",
		       make, unit.file, unit.test,
		       (unsigned long long)unit.seed);
	else
		printf("# reproduce: UNIT_SEED=%#llx %s %s\n",
		       (unsigned long long)unit.seed,
		       program_invocation_name, unit.test);
}

static inline bool unit_wanted(const struct unit_test *t, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], t->name))
			return true;
	return argc < 2;
}

static inline bool unit_run(const struct unit_test *t)
{
	const char *p;

	unit.test = t->name;
	unit.failures = 0;
	unit.rand = unit.seed;
	for (p = t->name; *p; p++)
		unit.rand = unit.rand * 31 + *p;

	if (!setjmp(unit.out))
		t->fn();

	if (unit.failures) {
		printf("# %s: %lu failed expectations\n", t->name,
		       unit.failures);
		unit_reproduce();
	}
	return !unit.failures;
}

/**
 * unit_main() - run the tests of this program
 * @argc: from main()
 * @argv: from main(); names of tests, none for all
 *
 * Return: the exit status, 0 when all passed.
 */
static inline int unit_main(int argc, char **argv)
{
	const char *seed = getenv("UNIT_SEED");
	unsigned int wanted = 0, done = 0, failed = 0;
	const struct unit_test *t;

	unit.file = strrchr(argv[0], '/');
	unit.file = unit.file ? unit.file + 1 : argv[0];
	if (seed && *seed)
		unit.seed = strtoull(seed, NULL, 0);
	else
		unit.seed = (u32)time(NULL) ^ (u32)getpid() << 16;

	/* What a test printed must survive its crash, and not a fork twice. */
	setvbuf(stdout, NULL, _IOLBF, 0);

	for (t = unit.tests; t; t = t->next)
		wanted += unit_wanted(t, argc, argv);
	printf("1..%u\n# %s: seed %#llx\n", wanted, unit.file,
	       (unsigned long long)unit.seed);
	for (t = unit.tests; t; t = t->next) {
		bool ok;

		if (!unit_wanted(t, argc, argv))
			continue;
		ok = unit_run(t);
		failed += !ok;
		printf("%sok %u - %s: %s\n", ok ? "" : "not ", ++done,
		       unit.file, t->name);
	}
	if (!wanted) {
		printf("# %s: no test of that name\n", unit.file);
		return 2;
	}
	return failed ? 1 : 0;
}

#endif /* UMBRA_UNIT_H */
