// SPDX-License-Identifier: GPL-2.0
/*
 * hammer - makes a guest do everything at once, for SECONDS, and checks every
 * result: processes, mappings, signals, threads and futexes, floating point and
 * vector, sleeps, files, pipes, memory pressure.
 *
 *	hammer SECONDS [MEGABYTES [WORKER...]]
 *
 * MEGABYTES: how much memory the worker `pressure` goes through. One process
 * per worker; prints one unnumbered TAP line for each. Runs on any riscv64
 * Linux. Nothing here fails because something is slow, a sleep of a second that
 * takes two minutes apart.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#include "fpcheck.h"

typedef uint8_t u8;

#define PAGE	4096ul

static u64 state;
static unsigned long megabytes = 64, failures;
static const char *self, *worker_name;

static u64 rnd(void)
{
	return state = fp_mix(state);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static __attribute__((format(printf, 1, 2))) void fail(const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) > 10)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# hammer %s: %s\n", worker_name, text);
}

#define CHECK(cond, ...)	((cond) ? (void)0 : fail(__VA_ARGS__))

/* --- processes ------------------------------------------------------------------ */

static void processes(void)
{
	pid_t pid[8];
	int n = 1 + rnd() % 8, status;

	for (int i = 0; i < n; i++) {
		char a[32], b[32];

		snprintf(a, sizeof(a), "%lu", rnd() >> 1);
		snprintf(b, sizeof(b), "%d", i);
		pid[i] = fork();
		if (!pid[i]) {
			if (i % 2)
				_exit(fp_mix(strtoul(a, NULL, 10) + i) % 200);
			execl(self, self, "--child", a, b, NULL);
			_exit(255);
		}
		CHECK(pid[i] > 0, "fork: %s", strerror(errno));
		state ^= 1;
		if (pid[i] < 0)
			continue;
		if (rnd() % 4 == 0 || i == n - 1) {
			CHECK(waitpid(pid[i], &status, 0) == pid[i], "waitpid: %s",
			      strerror(errno));
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) ==
			      fp_mix(strtoul(a, NULL, 10) + i) % 200,
			      "child %d: status %#x", i, status);
			pid[i] = -1;
		}
	}
	for (int i = 0; i < n; i++) {
		if (pid[i] < 0)
			continue;
		CHECK(waitpid(pid[i], &status, 0) == pid[i] && WIFEXITED(status) &&
		      WEXITSTATUS(status) != 255, "child %d: status %#x", i, status);
	}
}

/* --- mappings -------------------------------------------------------------------- */

static sigjmp_buf env;
static volatile u64 fault_addr, fault_code;

static void on_segv(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	fault_addr = (u64)si->si_addr;
	fault_code = si->si_code;
	siglongjmp(env, 1);
}

static void expect_segv(volatile u8 *at, bool write, int code)
{
	fault_addr = 0;
	if (!sigsetjmp(env, 1)) {
		if (write)
			*at = 1;
		else
			(void)*at;
		fail("no SIGSEGV at %p", at);
		return;
	}
	CHECK(fault_addr == (u64)at, "si_addr %#lx, not %p", fault_addr, at);
	CHECK((int)fault_code == code, "si_code %ld, not %d", fault_code, code);
}

static void mappings(void)
{
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	unsigned long pages = 1 + rnd() % 200, k = rnd();
	u64 *p, *q;

	sigaction(SIGSEGV, &sa, NULL);
	p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return fail("mmap: %s", strerror(errno));
	for (unsigned long i = 0; i < pages; i++) {
		CHECK(!p[i * 512 + k % 512], "new page %lu is not zero", i);
		p[i * 512] = k + i;
		p[i * 512 + 511] = ~(k + i);
	}
	for (int round = 0; round < 10; round++) {
		unsigned long i = rnd() % pages, len = 1 + rnd() % (pages - i);
		u8 *at = (u8 *)(p + i * 512) + rnd() % (len * PAGE);

		mprotect(p + i * 512, len * PAGE, PROT_READ);
		expect_segv(at, true, SEGV_ACCERR);
		mprotect(p + i * 512, len * PAGE, PROT_NONE);
		expect_segv(at, false, SEGV_ACCERR);
		mprotect(p + i * 512, len * PAGE, PROT_READ | PROT_WRITE);
		CHECK(p[i * 512] == k + i, "page %lu after mprotect", i);
	}
	/* Pages move, pages go. */
	q = mremap(p, pages * PAGE, (pages + 50) * PAGE, MREMAP_MAYMOVE);
	if (q == MAP_FAILED)
		return fail("mremap: %s", strerror(errno));
	for (unsigned long i = 0; i < pages; i++)
		CHECK(q[i * 512] == k + i && q[i * 512 + 511] == ~(k + i),
		      "page %lu after mremap", i);
	madvise(q, pages / 2 * PAGE, MADV_DONTNEED);
	for (unsigned long i = 0; i < pages; i++)
		CHECK(q[i * 512] == (i < pages / 2 ? 0 : k + i),
		      "page %lu after MADV_DONTNEED", i);
	munmap(q, (pages + 50) * PAGE);
	expect_segv((u8 *)q + rnd() % (pages * PAGE), rnd() % 2, SEGV_MAPERR);
}

/* --- signals ------------------------------------------------------------------------ */

static volatile unsigned int depth, deepest, usr[3];

static void on_usr(int sig, siginfo_t *si, void *ctx)
{
	(void)si;
	(void)ctx;
	depth++;
	if (depth > deepest)
		deepest = depth;
	usr[sig == SIGUSR1 ? 0 : 1]++;
	/* Another one, inside this one. */
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	depth--;
}

static void on_alarm(int sig)
{
	(void)sig;
	usr[2]++;
}

static void signals(void)
{
	struct sigaction sa = { .sa_sigaction = on_usr, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct itimerval fast = { { 0, 3000 }, { 0, 3000 } }, off = { 0 };
	volatile double x = 1.0;
	volatile u64 sum = 0;

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	signal(SIGALRM, on_alarm);
	usr[0] = 0;
	usr[1] = 0;
	deepest = 0;
	setitimer(ITIMER_REAL, &fast, NULL);
	for (int i = 0; i < 300; i++) {
		raise(SIGUSR1);
		x = x * 1.5;
		sum += i;
		if (x > 1e6)
			x = 1.0;
		CHECK(!fp_round(rnd(), 200), "FP registers after signals");
	}
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(usr[0] == 300 && usr[1] == 300 && deepest == 2 && !depth,
	      "signals: %u, nested %u, depth %u", usr[0], usr[1], deepest);
	CHECK(sum == 299 * 300 / 2, "a sum under signals");
	mappings();
}

/* --- threads -------------------------------------------------------------------------- */

static u32 lock_word;
static unsigned long counter;
static u32 ping;

static void lock(void)
{
	u32 c = 0;

	if (__atomic_compare_exchange_n(&lock_word, &c, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return;
	do {
		if (c == 2 || __atomic_exchange_n(&lock_word, 2, __ATOMIC_ACQUIRE))
			syscall(SYS_futex, &lock_word, FUTEX_WAIT_PRIVATE, 2, NULL);
		else
			return;
		c = 0;
	} while (1);
}

static void unlock(void)
{
	if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_RELEASE) == 2)
		syscall(SYS_futex, &lock_word, FUTEX_WAKE_PRIVATE, 1);
}

static void *adder(void *arg)
{
	unsigned long k = (unsigned long)arg;

	for (int i = 0; i < 2000; i++) {
		lock();
		counter++;
		unlock();
		if (i % 200 == 0)
			CHECK(!fp_round(k * i, 300), "FP registers of a thread");
	}
	return (void *)(k * 7);
}

static void *ponger(void *arg)
{
	for (u32 i = 0; i < 500; i++) {
		while (__atomic_load_n(&ping, __ATOMIC_ACQUIRE) != 2 * i + 1)
			syscall(SYS_futex, &ping, FUTEX_WAIT_PRIVATE, 2 * i, NULL);
		__atomic_store_n(&ping, 2 * i + 2, __ATOMIC_RELEASE);
		syscall(SYS_futex, &ping, FUTEX_WAKE_PRIVATE, 1);
	}
	return arg;
}

static void threads(void)
{
	pthread_t t[6], pong;
	void *ret;

	counter = 0;
	ping = 0;
	for (unsigned long i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, adder, (void *)(i + 1));
	pthread_create(&pong, NULL, ponger, NULL);
	for (u32 i = 0; i < 500; i++) {
		__atomic_store_n(&ping, 2 * i + 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &ping, FUTEX_WAKE_PRIVATE, 1);
		while (__atomic_load_n(&ping, __ATOMIC_ACQUIRE) != 2 * i + 2)
			syscall(SYS_futex, &ping, FUTEX_WAIT_PRIVATE, 2 * i + 1, NULL);
	}
	for (unsigned long i = 0; i < 6; i++) {
		pthread_join(t[i], &ret);
		CHECK(ret == (void *)((i + 1) * 7), "a thread's result");
	}
	pthread_join(pong, NULL);
	CHECK(counter == 12000, "a locked counter: %lu", counter);
}

/* --- registers ---------------------------------------------------------------------- */

static void registers(void)
{
	for (int i = 0; i < 50; i++) {
		CHECK(!fp_round(rnd(), 5000), "FP registers changed");
		if (has_vector())
			CHECK(!vector_round(rnd(), 5000), "vector registers changed");
		if (i % 10 == 0)
			sched_yield();
	}
	CHECK(!logistic_round(), "a computation's result");
	if (!fork()) {
		/* A new process's registers are its parent's copy, then its own. */
		_exit(fp_round(rnd(), 5000) || (has_vector() && vector_round(rnd(), 5000)));
	} else {
		int status;

		wait(&status);
		CHECK(!status, "registers of a child");
	}
}

/* --- sleeps --------------------------------------------------------------------------- */

static void sleeps(void)
{
	u64 want = 100000 + rnd() % 200000000, begin = now_ns(), took;
	struct timespec ts = { 0, want }, real0, real1;

	clock_gettime(CLOCK_REALTIME, &real0);
	nanosleep(&ts, NULL);
	took = now_ns() - begin;
	clock_gettime(CLOCK_REALTIME, &real1);
	CHECK(took >= want, "a sleep of %lu ns took %lu", want, took);
	CHECK(took < want + 120000000000ull, "a sleep of %lu ns took %lu", want, took);
	CHECK((u64)((real1.tv_sec - real0.tv_sec) * 1000000000l + real1.tv_nsec -
			 real0.tv_nsec) + 1000000 >= want, "the real-time clock stood");
}

/* --- files and pipes --------------------------------------------------------------------- */

static void files(void)
{
	static u64 buf[8192];
	char name[64];
	u64 seed = rnd(), sum = 0, seen = 0;
	int fd, blocks = 1 + rnd() % 16;
	u64 *map;

	snprintf(name, sizeof(name), "/tmp/hammer.%d.%d", getpid(), (int)(seed % 100));
	fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);
	if (fd < 0)
		return fail("%s: %s", name, strerror(errno));
	for (int b = 0; b < blocks; b++) {
		for (int i = 0; i < 8192; i++)
			sum ^= buf[i] = fp_mix(seed + b * 8192 + i);
		CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf), "write: %s", strerror(errno));
	}
	lseek(fd, 0, SEEK_SET);
	for (int b = 0; b < blocks; b++) {
		size_t odd = rnd() % sizeof(buf);

		/* In two pieces, of any alignment. */
		CHECK(read(fd, buf, odd) == (ssize_t)odd, "read");
		CHECK(read(fd, (char *)buf + odd, sizeof(buf) - odd) ==
		      (ssize_t)(sizeof(buf) - odd), "read");
		for (int i = 0; i < 8192; i++) {
			seen ^= buf[i];
			CHECK(buf[i] == fp_mix(seed + b * 8192 + i),
			      "file: block %d word %d: %#lx", b, i, buf[i]);
		}
	}
	CHECK(sum == seen, "a file's checksum");
	map = mmap(NULL, sizeof(buf) * blocks, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		map[rnd() % (8192 * blocks)] ^= 1;
		for (int i = 0; i < 8192 * blocks; i++)
			sum ^= map[i];
		CHECK(sum == 1, "a mapped file's checksum");
		munmap(map, sizeof(buf) * blocks);
	}
	close(fd);
	unlink(name);
}

static void pipes(void)
{
	u64 seed = rnd(), x;
	int to[2], from[2], status;
	pid_t pid;

	if (pipe(to) || pipe(from))
		return fail("pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		close(to[1]);
		close(from[0]);
		while (read(to[0], &x, 8) == 8) {
			x = fp_mix(x);
			if (write(from[1], &x, 8) != 8)
				_exit(1);
		}
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	for (int i = 0; i < 300; i++) {
		u64 v = seed + i;

		CHECK(write(to[1], &v, 8) == 8, "write to a pipe");
		CHECK(read(from[0], &x, 8) == 8 && x == fp_mix(v), "an answer through a pipe");
	}
	close(to[1]);
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the pipe's child: %#x", status);
	close(from[0]);
}

/* --- memory -------------------------------------------------------------------------------- */

static void pressure(void)
{
	unsigned long words = megabytes << 17;
	u64 seed = rnd(), *p;

	p = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return fail("mmap of %lu MiB: %s", megabytes, strerror(errno));
	if (rnd() % 2)
		madvise(p, words * 8, MADV_HUGEPAGE);
	/* The first, one middle and the last word of each page. */
	for (unsigned long i = 0; i < words; i += 512) {
		p[i] = seed + i;
		p[i + 7 + i / 512 % 500] = seed * i;
		p[i + 511] = seed ^ i;
	}
	for (unsigned long i = 0; i < words; i += 512) {
		const u64 want[3] = { seed + i, seed * i, seed ^ i };
		const unsigned long at[3] = { i, i + 7 + i / 512 % 500, i + 511 };

		for (int k = 0; k < 3; k++)
			CHECK(p[at[k]] == want[k],
			      "memory at %p, word %lu of its page: %#lx, not %#lx (seed %#lx); later %#lx",
			      &p[at[k]], at[k] % 512, p[at[k]], want[k], seed, p[at[k]]);
	}
	munmap(p, words * 8);
}

/* --- all of it ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*fn)(void);
} workers[] = {
	{ "processes", processes }, { "mappings", mappings }, { "signals", signals },
	{ "threads", threads }, { "registers", registers }, { "sleeps", sleeps },
	{ "files", files }, { "pipes", pipes }, { "pressure", pressure },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define WORKERS		((int)ARRAY_SIZE(workers))

static int work(int w, u64 end)
{
	unsigned long rounds = 0;

	worker_name = workers[w].name;
	state = fp_mix(w * 1000 + time(NULL));
	do {
		workers[w].fn();
		rounds++;
	} while (now_ns() < end && failures < 100);
	printf("%sok hammer %s: %lu rounds, %lu failures\n", failures ? "not " : "",
	       worker_name, rounds, failures);
	return !!failures;
}

int main(int argc, char **argv)
{
	u64 end;
	int bad = 0;
	pid_t pid[WORKERS];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "--child"))
		return fp_mix(strtoul(argv[2], NULL, 10) + atoi(argv[3])) % 200;
	self = "/proc/self/exe";
	end = now_ns() + (argc > 1 ? atoll(argv[1]) : 10) * 1000000000ull;
	if (argc > 2)
		megabytes = strtoul(argv[2], NULL, 0);
	for (int w = 0; w < WORKERS; w++) {
		bool wanted = argc < 4;

		for (int i = 3; i < argc; i++)
			wanted |= !strcmp(argv[i], workers[w].name);
		pid[w] = wanted ? fork() : 0;
		if (wanted && !pid[w])
			exit(work(w, end));
	}
	for (int w = 0; w < WORKERS; w++) {
		int status;

		if (!pid[w])
			continue;
		waitpid(pid[w], &status, 0);
		if (WIFSIGNALED(status))
			printf("not ok hammer %s: killed by signal %d\n", workers[w].name,
			       WTERMSIG(status));
		bad |= !!status;
	}
	return bad;
}
