// SPDX-License-Identifier: GPL-2.0
/*
 * user-traps - what a program in a guest sees of its own breakpoints and of
 * instructions it may not execute, while the hypervisor rewrites the latter to
 * breakpoints: exact signals, codes and addresses, unchanged bytes however they
 * are read, code that changes, a tracer. Runs on any riscv64 Linux.
 */
#include "../include/harness.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

#define EBREAK		0x00100073u
#define C_EBREAK	0x9002u
#define WFI		0x10500073u
#define C_RET		0x8082u
#define C_NOP		0x0001u

enum { page = 4096 };

/* --- signals ------------------------------------------------------------------- */

/* What came, and by how much the pc moves on (0: to the return address). */
static volatile struct {
	u64 count, pc, addr;
	int sig, code;
} got;
static volatile int skip;

static void handler(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	got.count++;
	got.sig = sig;
	got.code = si->si_code;
	got.addr = (u64)si->si_addr;
	got.pc = uc->uc_mcontext.__gregs[REG_PC];
	if (skip)
		uc->uc_mcontext.__gregs[REG_PC] += skip;
	else
		uc->uc_mcontext.__gregs[REG_PC] = uc->uc_mcontext.__gregs[REG_RA];
}

static void catch_all(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGTRAP, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

static u8 *code_pages(unsigned int n)
{
	u8 *p = mmap(NULL, n * page, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(p != MAP_FAILED, "mmap: %m");
	return p;
}

static void flush(void)
{
	asm volatile("fence.i" ::: "memory");
}

static void put(u8 *at, u32 insn)
{
	u16 half[2] = { insn, insn >> 16 };

	memcpy(at, half, (insn & 3) == 3 ? 4 : 2);
}

static void call(u8 *at)
{
	((void (*)(void))at)();
}

static void expect_trap(u8 *at, int sig, int code, u8 *addr, const char *what)
{
	u64 before = got.count;

	skip = 0;
	call(at);
	EXPECT_EQ(before + 1, got.count, what);
	EXPECT(got.sig == sig, "%s: expected signal %d, seen %d", what, sig, got.sig);
	EXPECT(got.code == code, "%s: expected si_code %d, seen %d", what, code,
	       got.code);
	EXPECT_EQ(at, got.pc, what);
	EXPECT_EQ(addr, got.addr, what);
}

static const struct {
	const char *name;
	u32 insn;
} privileged[] = {
	{ "csrr a0, sstatus",	0x10002573 },
	{ "csrw sscratch, zero", 0x14001073 },
	{ "csrr a0, satp",	0x18002573 },
	{ "csrw time, zero",	0xc0101073 },
	{ "csrr a0, mstatus",	0x30002573 },
	{ "sret",		0x10200073 },
	{ "mret",		0x30200073 },
	{ "wfi",		WFI },
	{ "sfence.vma",		0x12000073 },
	{ "sinval.vma",		0x16000073 },
};

/* --- breakpoints ---------------------------------------------------------------- */

TEST_TIMEOUT(own_ebreaks_are_sigtrap, 300)
{
	u8 *p;

	catch_all();
	p = code_pages(2);
	put(p, EBREAK);
	put(p + 4, C_RET);
	put(p + 6, C_EBREAK);
	put(p + 8, C_RET);
	flush();
	for (unsigned int i = 0; i < 3000 * harness_scale; i++) {
		expect_trap(p, SIGTRAP, TRAP_BRKPT, p, "ebreak");
		expect_trap(p + 6, SIGTRAP, TRAP_BRKPT, p + 6, "c.ebreak");
	}
	EXPECT_EQ(6000 * harness_scale, got.count, "signals");
}

/* One ebreak after another, gone through without a jump. */
TEST_TIMEOUT(runs_of_ebreaks_are_counted, 300)
{
	u8 *p;

	catch_all();
	p = code_pages(2);
	for (int i = 0; i < 2 * page - 2; i += 2)
		put(p + i, C_EBREAK);
	put(p + 2 * page - 2, C_RET);
	flush();
	skip = 2;
	call(p);
	EXPECT_EQ(page - 1, got.count, "c.ebreaks over two pages");
	EXPECT_EQ(p + 2 * page - 4, got.pc, "the last one's pc");
}

TEST_TIMEOUT(instructions_over_a_page_boundary, 300)
{
	u8 *p, *at;

	catch_all();
	p = code_pages(3);
	at = p + page - 2;
	for (int round = 0; round < 100; round++) {
		unsigned int n = rnd() % ARRAY_SIZE(privileged);

		/* QEMU 10.0 reports a wfi that lies so a page too far. */
		if (privileged[n].insn == WFI)
			continue;
		put(at, EBREAK);
		flush();
		expect_trap(at, SIGTRAP, TRAP_BRKPT, at, "ebreak over two pages");
		put(at, privileged[n].insn);
		flush();
		expect_trap(at, SIGILL, ILL_ILLOPC, at, privileged[n].name);
		expect_trap(at, SIGILL, ILL_ILLOPC, at, privileged[n].name);
		EXPECT(!memcmp(at, &privileged[n].insn, 4), "%s: bytes changed",
		       privileged[n].name);
		/* Without its second page it is a fault there. */
		if (round % 10)
			continue;
		mprotect(p + page, page, PROT_READ);
		expect_trap(at, SIGSEGV, SEGV_ACCERR, p + page, "second page without X");
		mprotect(p + page, page, PROT_READ | PROT_WRITE | PROT_EXEC);
		expect_trap(at, SIGILL, ILL_ILLOPC, at, "both pages again");
		/* Half of it becomes another instruction's. */
		put(at, C_EBREAK);
		flush();
		expect_trap(at, SIGTRAP, TRAP_BRKPT, at, "c.ebreak in the last half-word");
	}
}

/* --- privileged instructions ------------------------------------------------------ */

TEST_TIMEOUT(privileged_is_sigill_each_time, 600)
{
	u8 *p, truth[8 * ARRAY_SIZE(privileged)];

	catch_all();
	p = code_pages(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(privileged); i++) {
		put(p + 8 * i, privileged[i].insn);
		put(p + 8 * i + 4, C_RET);
		put(p + 8 * i + 6, C_NOP);
	}
	memcpy(truth, p, sizeof(truth));
	flush();
	for (unsigned int n = 0; n < 1000 * harness_scale; n++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(privileged); i++)
			expect_trap(p + 8 * i, SIGILL, ILL_ILLOPC, p + 8 * i,
				    privileged[i].name);
		if (!(n % 50))
			EXPECT(!memcmp(p, truth, sizeof(truth)), "bytes changed");
	}
	EXPECT_EQ(1000 * harness_scale * ARRAY_SIZE(privileged), got.count, "signals");
}

/* Sites of both kinds side by side, in all orders, in one page. */
TEST_TIMEOUT(sites_and_ebreaks_side_by_side, 300)
{
	u8 *p;

	catch_all();
	p = code_pages(1);
	for (int round = 0; round < 40; round++) {
		u8 kind[64];
		u32 insn[64];
		int off[64], n = 0;

		for (int at = 0; n < 64; n++) {
			kind[n] = rnd() % 3;
			insn[n] = kind[n] == 0 ? C_EBREAK : kind[n] == 1 ? EBREAK :
				  privileged[rnd() % ARRAY_SIZE(privileged)].insn;
			off[n] = at;
			put(p + at, insn[n]);
			at += kind[n] ? 4 : 2;
		}
		flush();
		for (int k = 0; k < 64; k++) {
			int i = rnd() % 64;

			expect_trap(p + off[i], kind[i] == 2 ? SIGILL : SIGTRAP,
				    kind[i] == 2 ? ILL_ILLOPC : TRAP_BRKPT,
				    p + off[i], "one of many");
		}
		for (int i = 0; i < 64; i++)
			EXPECT(!memcmp(p + off[i], &insn[i], kind[i] ? 4 : 2),
			       "bytes at %d changed", off[i]);
	}
}

/* --- reading what was rewritten --------------------------------------------------- */

static bool has_vector(void)
{
	return getauxval(AT_HWCAP) & 1ul << ('v' - 'a');
}

static void vector_read(u8 *dst, const u8 *src, size_t len)
{
	while (len) {
		size_t vl;

		asm volatile(".option push\n.option arch, +v\n"
			     "vsetvli %0, %1, e8, m1, ta, ma\n"
			     "vle8.v v0, (%2)\n"
			     "vse8.v v0, (%3)\n"
			     ".option pop"
			     : "=&r"(vl) : "r"(len), "r"(src), "r"(dst) : "memory");
		src += vl, dst += vl, len -= vl;
	}
}

TEST_TIMEOUT(every_way_to_read_shows_the_original, 300)
{
	static u8 seen[4096], truth[4096];
	int fds[2], mem;
	u8 *p;

	catch_all();
	p = code_pages(2);
	for (int i = 0; i < page; i += 8) {
		put(p + i, privileged[i / 8 % ARRAY_SIZE(privileged)].insn);
		put(p + i + 4, C_RET);
		put(p + i + 6, C_EBREAK);
	}
	flush();
	memcpy(truth, p, page);
	ASSERT(!pipe(fds), "pipe: %m");
	mem = open("/proc/self/mem", O_RDONLY);
	ASSERT(mem >= 0, "/proc/self/mem: %m");
	for (int round = 0; round < 60; round++) {
		struct iovec to = { seen, page }, from = { p, page };
		unsigned int how = round % 10;

		/* Make sites. */
		for (int i = 0; i < page; i += 8)
			if (rnd() % 4 == 0)
				expect_trap(p + i, SIGILL, ILL_ILLOPC, p + i, "site");
		memset(seen, 0xaa, page);
		switch (how) {
		case 0:
			for (int i = 0; i < page; i++)
				seen[i] = *(volatile u8 *)(p + i);
			break;
		case 1:
			/* Misaligned halves, words and doubles. */
			for (int i = 0; i + 9 <= page; i += 8) {
				u64 v;
				u32 w;

				asm volatile("ld %0, 1(%2)\nlwu %1, 3(%2)"
					     : "=&r"(v), "=r"(w) : "r"(p + i));
				EXPECT(!memcmp(&v, truth + i + 1, 8), "ld +1 at %d", i);
				EXPECT(!memcmp(&w, truth + i + 3, 4), "lwu +3 at %d", i);
			}
			continue;
		case 2:
			for (int i = 0; i < page; i += 8)
				asm volatile("fld ft0, 0(%0)\nfsd ft0, 0(%1)"
					     :: "r"(p + i), "r"(seen + i) : "ft0", "memory");
			break;
		case 3:
			for (int i = 0; i < page; i += 4)
				*(u32 *)(seen + i) = __atomic_fetch_or((u32 *)(p + i), 0,
								      __ATOMIC_SEQ_CST);
			break;
		case 4:
			for (int i = 0; i < page; i += 8) {
				u64 v, fail;

				asm volatile("1: lr.d %0, (%2)\nsc.d %1, %0, (%2)\nbnez %1, 1b"
					     : "=&r"(v), "=&r"(fail) : "r"(p + i) : "memory");
				*(u64 *)(seen + i) = v;
			}
			break;
		case 5:
			/* The kernel reads, for write(). */
			for (int i = 0; i < page; i += 1024) {
				ASSERT(write(fds[1], p + i, 1024) == 1024, "write: %m");
				ASSERT(read(fds[0], seen + i, 1024) == 1024, "read: %m");
			}
			break;
		case 6:
			/* By the kernel's linear mapping. */
			ASSERT(pread(mem, seen, page, (off_t)(long)p) == page, "mem: %m");
			break;
		case 7:
			ASSERT(process_vm_readv(getpid(), &to, 1, &from, 1, 0) == page,
			       "process_vm_readv: %m");
			break;
		case 8:
			if (!has_vector())
				continue;
			vector_read(seen, p, page);
			break;
		case 9: {
			/* A child with copies of the page. */
			pid_t pid = fork();
			int status;

			if (!pid) {
				p[rnd() % page] ^= 0;
				_exit(memcmp(p, truth, page) != 0);
			}
			waitpid(pid, &status, 0);
			EXPECT(status == 0, "a forked child reads other bytes");
			continue;
		}
		}
		if (memcmp(seen, truth, page)) {
			int i = 0;

			while (seen[i] == truth[i])
				i++;
			FAIL("way %u: byte %d is %#x, expected %#x", how, i, seen[i],
			     truth[i]);
		}
	}
}

/* Data in a page of code: stores beside sites, and over them. */
TEST_TIMEOUT(data_beside_sites, 300)
{
	volatile u64 *data;
	u8 *p;

	catch_all();
	p = code_pages(1);
	put(p, privileged[0].insn);
	put(p + 4, C_RET);
	flush();
	data = (u64 *)(p + 64);
	for (u64 i = 0; i < 2000; i++) {
		expect_trap(p, SIGILL, ILL_ILLOPC, p, "the site");
		data[i % 100] = i * 0x9e3779b97f4a7c15;
		__atomic_fetch_add(&data[200], 1, __ATOMIC_SEQ_CST);
		EXPECT_EQ(i * 0x9e3779b97f4a7c15, data[i % 100], "data");
	}
	EXPECT_EQ(2000, data[200], "a counter by amoadd");
}

/* --- code that changes -------------------------------------------------------------- */

TEST_TIMEOUT(code_made_at_run_time, 300)
{
	u8 *p;

	catch_all();
	p = code_pages(4);
	for (int round = 0; round < 2000; round++) {
		u8 *at = p + (rnd() % (4 * page - 16) & ~1ul);
		int value = rnd() % 2048, seen;

		/* addi a0, zero, value; ret */
		put(at, 0x00000513 | (u32)value << 20);
		put(at + 4, C_RET);
		if (round % 2)
			flush();
		else
			syscall(SYS_riscv_flush_icache, at, at + 8, 0);
		seen = ((int (*)(void))at)();
		EXPECT_EQ(value, seen, "a function made at run time");
		/* Now and then it holds a privileged instruction for a while. */
		if (round % 4 == 0) {
			unsigned int n = rnd() % ARRAY_SIZE(privileged);

			put(at, privileged[n].insn);
			flush();
			expect_trap(at, SIGILL, ILL_ILLOPC, at, privileged[n].name);
			put(at, 0x00000513 | (u32)(value ^ 1) << 20);
			flush();
			EXPECT_EQ(value ^ 1, ((int (*)(void))at)(), "and a function again");
		}
	}
}

/* Other code at an address where sites were. */
TEST_TIMEOUT(mapped_anew, 300)
{
	u8 *at, *p;

	catch_all();
	at = code_pages(1);
	for (int round = 0; round < 200; round++) {
		u32 insn = privileged[round % ARRAY_SIZE(privileged)].insn;

		p = mmap(at, page, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		ASSERT(p == at, "mmap: %m");
		EXPECT_EQ(0, *(volatile u64 *)p, "a new page");
		put(p, round % 3 ? insn : C_EBREAK);
		put(p + 4, C_RET);
		flush();
		expect_trap(p, round % 3 ? SIGILL : SIGTRAP,
			    round % 3 ? ILL_ILLOPC : TRAP_BRKPT, p, "mapped anew");
		munmap(p, page);
	}
}

/* Sites of a shared page after fork: copies keep to themselves. */
TEST_TIMEOUT(fork_and_copy_on_write, 300)
{
	u8 *p;

	catch_all();
	p = code_pages(1);
	put(p, privileged[5].insn);
	put(p + 4, C_RET);
	flush();
	expect_trap(p, SIGILL, ILL_ILLOPC, p, "before fork");
	for (int round = 0; round < 100; round++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			expect_trap(p, SIGILL, ILL_ILLOPC, p, "in the child");
			put(p, 0x02a00513); /* li a0, 42 */
			flush();
			EXPECT_EQ(42, ((int (*)(void))p)(), "the child's own code");
			exit(harness_status());
		}
		expect_trap(p, SIGILL, ILL_ILLOPC, p, "in the parent");
		ASSERT(waitpid(pid, &status, 0) == pid, "waitpid: %m");
		EXPECT_EQ(0, status, "the child");
		expect_trap(p, SIGILL, ILL_ILLOPC, p, "in the parent, later");
	}
}

/* Two threads in one page: one traps, the other changes code. */
static volatile bool stop;
static u8 *shared;

static void *changer(void *arg)
{
	u64 *n = arg;

	while (!stop) {
		int value = ++*n % 2000, seen;

		put(shared + 128, 0x00000513 | (u32)value << 20);
		put(shared + 132, C_RET);
		flush();
		/* Stay on this hart's view of it: a thread may move at any time. */
		syscall(SYS_riscv_flush_icache, shared, shared + page, 0);
		seen = ((int (*)(void))(shared + 128))();
		EXPECT_EQ(value, seen, "the other thread's function");
	}
	return NULL;
}

TEST_TIMEOUT(threads_in_one_page, 300)
{
	pthread_t t;
	u64 n = 0;

	catch_all();
	shared = code_pages(1);
	put(shared, privileged[0].insn);
	put(shared + 4, C_RET);
	flush();
	pthread_create(&t, NULL, changer, &n);
	for (int i = 0; i < 3000; i++)
		expect_trap(shared, SIGILL, ILL_ILLOPC, shared, "beside a writer");
	stop = true;
	pthread_join(t, NULL);
	EXPECT(n > 0, "the other thread never ran");
}

/* --- a tracer -------------------------------------------------------------------------- */

static __attribute__((noinline)) long traced(long n)
{
	asm volatile("" : "+r"(n));
	return n * 3 + 1;
}

/* Breakpoints as gdb sets them, stepped over by putting the original back. */
TEST_TIMEOUT(tracer_with_breakpoints, 300)
{
	unsigned long at = (unsigned long)traced, orig, word;
	unsigned int hits = 0;
	int status;
	u8 *p;
	pid_t pid;

	catch_all();
	p = code_pages(1);
	put(p, privileged[0].insn);
	put(p + 4, C_RET);
	flush();
	pid = fork();
	if (!pid) {
		long sum = 0;

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		for (int i = 0; i < 200; i++) {
			sum += traced(i);
			expect_trap(p, SIGILL, ILL_ILLOPC, p, "under a tracer");
		}
		_exit(sum == 3 * 199 * 200 / 2 + 200 ? 7 : 8);
	}
	ASSERT(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "no stop");
	errno = 0;
	orig = ptrace(PTRACE_PEEKTEXT, pid, at & ~7ul, NULL);
	ASSERT(!errno, "peek: %m");
	word = orig & ~(0xffffull << (at % 8 * 8));
	word |= (unsigned long)C_EBREAK << (at % 8 * 8);
	for (;;) {
		struct iovec iov;
		struct { unsigned long pc, ra, other[30]; } regs;
		int sig = 0;

		/* traced() lies in one word for its first half-word always. */
		ptrace(PTRACE_POKETEXT, pid, at & ~7ul, word);
		EXPECT_EQ(word, ptrace(PTRACE_PEEKTEXT, pid, at & ~7ul, NULL), "breakpoint");
again:
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig);
		ASSERT(waitpid(pid, &status, 0) == pid, "waitpid: %m");
		if (WIFEXITED(status))
			break;
		ASSERT(WIFSTOPPED(status), "the child was killed");
		sig = WSTOPSIG(status);
		if (sig == SIGILL) {
			long seen = ptrace(PTRACE_PEEKTEXT, pid, p, NULL);

			EXPECT_EQ(privileged[0].insn, seen & 0xffffffff, "the site, by the tracer");
			goto again;
		}
		ASSERT(sig == SIGTRAP, "stopped by signal %d", sig);
		iov = (struct iovec){ &regs, sizeof(regs) };
		ptrace(PTRACE_GETREGSET, pid, (void *)1, &iov);
		EXPECT_EQ(at, regs.pc, "the breakpoint's pc");
		hits++;
		/* Step: the original, and a breakpoint at the return address. */
		ptrace(PTRACE_POKETEXT, pid, at & ~7ul, orig);
		{
			unsigned long ra = regs.ra, r, w;

			r = ptrace(PTRACE_PEEKTEXT, pid, ra & ~7ul, NULL);
			w = r & ~(0xffffull << (ra % 8 * 8));
			w |= (unsigned long)C_EBREAK << (ra % 8 * 8);
			ptrace(PTRACE_POKETEXT, pid, ra & ~7ul, w);
			ptrace(PTRACE_CONT, pid, NULL, NULL);
			ASSERT(waitpid(pid, &status, 0) == pid, "waitpid: %m");
			ASSERT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP,
			       "after the function: status %#x", status);
			ptrace(PTRACE_GETREGSET, pid, (void *)1, &iov);
			EXPECT_EQ(ra, regs.pc, "the return address");
			ptrace(PTRACE_POKETEXT, pid, ra & ~7ul, r);
		}
	}
	EXPECT_EQ(200, hits, "breakpoints hit");
	EXPECT(WEXITSTATUS(status) == 7, "the child's status: %d", WEXITSTATUS(status));
}

/* --- time -------------------------------------------------------------------------------- */

static u64 rdtime(void)
{
	u64 v;

	asm volatile("rdtime %0" : "=r"(v));
	return v;
}

TEST_TIMEOUT(rdtime_is_monotonic, 300)
{
	u64 begin = now_ns(), t0 = rdtime(), last = t0, spent, ticks, hz = 0;
	u8 b[4];
	FILE *f;

	for (int i = 0; i < 200000; i++) {
		u64 t = rdtime();

		EXPECT(t >= last, "rdtime went back from %llu to %llu",
		       (unsigned long long)last, (unsigned long long)t);
		last = t;
	}
	sleep_ms(300);
	ticks = rdtime() - t0;
	spent = now_ns() - begin;
	f = fopen("/proc/device-tree/cpus/timebase-frequency", "rb");
	if (f && fread(b, 1, 4, f) == 4)
		hz = b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
	ASSERT(hz, "no timebase-frequency");
	/* Within a percent and some scheduling. */
	EXPECT(ticks * 1000000000 / hz < spent + spent / 100 + 50000000 &&
	       ticks * 1000000000 / hz + 50000000 > spent - spent / 100,
	       "%llu ticks at %llu Hz in %llu ns", (unsigned long long)ticks,
	       (unsigned long long)hz, (unsigned long long)spent);
}

TEST_TIMEOUT(clocks_agree, 300)
{
	for (int i = 0; i < 20000; i++) {
		struct timespec a, b, c;

		clock_gettime(CLOCK_MONOTONIC, &a);
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b);
		clock_gettime(CLOCK_MONOTONIC, &c);
		EXPECT((a.tv_sec - b.tv_sec) * 1000000000l + a.tv_nsec - b.tv_nsec <= 0 &&
		       (b.tv_sec - c.tv_sec) * 1000000000l + b.tv_nsec - c.tv_nsec <= 0,
		       "the vDSO's clock and the kernel's disagree");
	}
}

HARNESS_MAIN
