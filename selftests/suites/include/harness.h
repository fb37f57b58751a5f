/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A test harness for programs that run on the board, in the manner of
 * kselftest_harness.h: TAP on standard output, each test in a process of its
 * own, with a time limit that also holds when the test sleeps in the kernel.
 *
 *	TEST(name)
 *	{
 *		EXPECT_EQ(4, 2 + 2, "sum");		goes on when it fails
 *		ASSERT(fd >= 0, "open: %m");		ends the test
 *		SKIP_UNLESS(cond, "no vector unit");
 *	}
 *
 *	HARNESS_MAIN
 *
 * Every message says what was expected.  Arguments of the program: names of
 * tests (none: all), and "scale=N", by which tests multiply their loops for
 * long runs, and "timeout=SECONDS" for each test.  A child that a test forks
 * may use EXPECT too, and reports with exit(harness_status()).
 */
#ifndef SUITES_HARNESS_H
#define SUITES_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAYBE_UNUSED __attribute__((unused))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* A loop that fails a thousand times is one failure; show its first ones. */
#define HARNESS_SHOWN	8
#define HARNESS_SKIP	4

struct harness_test {
	const char *name;
	void (*fn)(void);
	unsigned int timeout;
	struct harness_test *next;
};

/* Shared with the test's process and its children. */
struct harness_shared {
	unsigned int failures;
	char skip[200];
};

static struct harness_test *harness_tests, **harness_last;
static struct harness_shared *harness;
static unsigned int harness_scale = 1;
static unsigned int harness_timeout;

static void harness_register(struct harness_test *t)
{
	if (!harness_last)
		harness_last = &harness_tests;
	*harness_last = t;
	harness_last = &t->next;
}

/* TEST_TIMEOUT: seconds on an emulated board; TEST: 30 of them. */
#define TEST_TIMEOUT(ident, seconds)					\
	static void test_##ident(void);					\
	static void __attribute__((constructor)) reg_##ident(void)	\
	{								\
		static struct harness_test t = {			\
			.name = #ident, .fn = test_##ident,		\
			.timeout = (seconds),				\
		};							\
		harness_register(&t);					\
	}								\
	static void test_##ident(void)
#define TEST(ident)	TEST_TIMEOUT(ident, 30)

static MAYBE_UNUSED int harness_status(void)
{
	return harness->failures ? 1 : 0;
}

static MAYBE_UNUSED __attribute__((format(printf, 3, 4)))
void harness_fail(const char *file, int line, const char *fmt, ...)
{
	unsigned int n = __atomic_fetch_add(&harness->failures, 1, __ATOMIC_RELAXED);
	int saved = errno;
	char text[512];
	va_list ap;

	if (n > HARNESS_SHOWN)
		return;
	va_start(ap, fmt);
	errno = saved;
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	file = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	printf("# %s:%d: %s\n", file, line, text);
	if (n == HARNESS_SHOWN)
		printf("# further failures are not shown\n");
	errno = saved;
}

#define FAIL(...) harness_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Expressions that are true when all is well. */
#define EXPECT(cond, ...)						\
	({ bool ok_ = (cond); if (!ok_) FAIL(__VA_ARGS__); ok_; })
#define EXPECT_EQ(want, seen, what)					\
	({ u64 w_ = (u64)(want), s_ = (u64)(seen);			\
	if (w_ != s_)							\
		FAIL("%s: expected %#llx (%lld), seen %#llx (%lld)", what, \
		     (unsigned long long)w_, (long long)w_,		\
		     (unsigned long long)s_, (long long)s_);		\
	w_ == s_; })
/* A call that returns -1 and sets errno; 0: it must not fail. */
#define EXPECT_ERRNO(want, call)					\
	({ errno = 0; long r_ = (call); int e_ = r_ < 0 ? errno : 0;	\
	if (e_ != (want))						\
		FAIL("%s: expected %s, seen %s", #call,			\
		     (want) ? strerrorname_np(want) : "success",	\
		     e_ ? strerrorname_np(e_) : "success");		\
	e_ == (want); })
#define ASSERT(cond, ...)						\
	do { if (!EXPECT(cond, __VA_ARGS__)) exit(1); } while (0)
#define ASSERT_EQ(want, seen, what)					\
	do { if (!EXPECT_EQ(want, seen, what)) exit(1); } while (0)
#define ASSERT_ERRNO(want, call)					\
	do { if (!EXPECT_ERRNO(want, call)) exit(1); } while (0)

#define SKIP_UNLESS(cond, ...)						\
	do {								\
		if (!(cond)) {						\
			snprintf(harness->skip, sizeof(harness->skip),	\
				 __VA_ARGS__);				\
			exit(harness->failures ? 1 : HARNESS_SKIP);	\
		}							\
	} while (0)

/* --- time and chance --------------------------------------------------------- */

static MAYBE_UNUSED u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static MAYBE_UNUSED void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* The same numbers each time; RANDOM=n in the environment for others. */
static u64 harness_seed;

static MAYBE_UNUSED u64 rnd(void)
{
	u64 z = __atomic_add_fetch(&harness_seed, 0x9e3779b97f4a7c15ull,
				   __ATOMIC_RELAXED);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* --- running ------------------------------------------------------------------- */

static void harness_child(const struct harness_test *t)
{
	const char *seed = getenv("RANDOM");

	setpgid(0, 0);
	harness_seed = seed ? strtoull(seed, NULL, 0) : 1;
	t->fn();
	exit(harness_status());
}

/* Wait for the test, not longer than it may take; its wait status, or -1. */
static int harness_wait(pid_t pid, unsigned int seconds)
{
	u64 end = now_ns() + seconds * 1000000000ull;
	int status;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (now_ns() > end)
			return -1;
		sleep_ms(5);
	}
}

static bool harness_run(const struct harness_test *t, unsigned int n)
{
	unsigned int seconds = harness_timeout ?: t->timeout * harness_scale;
	u64 began = now_ns();
	const char *skip = "";
	bool ok = false;
	int status;
	pid_t pid;

	memset(harness, 0, sizeof(*harness));
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		harness_child(t);
	status = harness_wait(pid, seconds);
	if (status == -1) {
		printf("# %s: still running after %u s, expected it to end\n",
		       t->name, seconds);
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		if (harness_wait(pid, 20) == -1) {
			printf("Bail out! %s survives SIGKILL\n", t->name);
			exit(1);
		}
	} else if (WIFSIGNALED(status)) {
		printf("# %s: killed by signal %d, expected it to end by itself\n",
		       t->name, WTERMSIG(status));
	} else if (WEXITSTATUS(status) == HARNESS_SKIP && !harness->failures) {
		skip = " # SKIP ";
		ok = true;
	} else {
		ok = WEXITSTATUS(status) == 0 && !harness->failures;
	}
	kill(-pid, SIGKILL);
	if (!ok)
		printf("# reproduce: %s %s\n", program_invocation_name, t->name);
	printf("%sok %u %s%s%s\n", ok ? "" : "not ", n, t->name, skip,
	       *skip ? harness->skip : "");
	printf("# %s took %llu ms\n", t->name,
	       (unsigned long long)(now_ns() - began) / 1000000);
	return ok;
}

static bool harness_wanted(const struct harness_test *t, int argc, char **argv)
{
	bool named = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], t->name))
			return true;
		named |= !strchr(argv[i], '=');
	}
	return !named;
}

static MAYBE_UNUSED int harness_main(int argc, char **argv)
{
	unsigned int planned = 0, n = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		if (sscanf(argv[i], "scale=%u", &harness_scale) == 1 ||
		    sscanf(argv[i], "timeout=%u", &harness_timeout) == 1 ||
		    !strchr(argv[i], '='))
			continue;
		printf("Bail out! unknown argument %s\n", argv[i]);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	harness = mmap(NULL, sizeof(*harness), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (harness == MAP_FAILED) {
		printf("Bail out! no memory\n");
		return 1;
	}
	for (struct harness_test *t = harness_tests; t; t = t->next)
		planned += harness_wanted(t, argc, argv);
	printf("TAP version 13\n1..%u\n", planned);
	for (struct harness_test *t = harness_tests; t; t = t->next)
		if (harness_wanted(t, argc, argv))
			failed += !harness_run(t, ++n);
	return failed || !n;
}

#define HARNESS_MAIN							\
	int main(int argc, char **argv)					\
	{								\
		return harness_main(argc, argv);			\
	}

#endif /* SUITES_HARNESS_H */
