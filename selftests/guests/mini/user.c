// SPDX-License-Identifier: GPL-2.0
/*
 * The processes of the small kernel (mini.h): the tests. Lies in the image as a
 * whole and runs at USER_BASE, so it refers to nothing outside itself; main()
 * is the first process, all others are its forks.
 */
#include "mini.h"

static void main(void);

/* At the start of the section: where the first process begins. */
__attribute__((used, section(".text.user_start"), naked)) static void user_entry(void)
{
	asm volatile("call %0" :: "i"(main));
}

static u64 call(u64 n, u64 a, u64 b)
{
	register u64 a0 asm("a0") = a;
	register u64 a1 asm("a1") = b;
	register u64 a7 asm("a7") = n;

	asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
	return a0;
}

static u64 info(u64 what)
{
	return call(SYS_INFO, what, 0);
}

static void leave(u64 code)
{
	call(SYS_EXIT, code, 0);
}

/* ---- checks: the first that fails in a test is what is reported ---- */

static u64 failed_line;

#define EXPECT(c) do { if (!(c) && !failed_line) failed_line = __LINE__; } while (0)

static void done(const char *name)
{
	call(SYS_REPORT, (u64)name, failed_line);
	failed_line = 0;
}

/* Run @fn(arg) in a process of its own, which ends with what it returns. */
static u64 spawn(u64 (*fn)(u64), u64 arg)
{
	u64 pid = call(SYS_FORK, 0, 0);

	if (!pid)
		leave(fn(arg));
	return pid;
}

/* The next child that ends does so by itself, with 0. */
static void reap(void)
{
	struct ended e = {};

	EXPECT(call(SYS_WAIT, (u64)&e, 0) + 1 != 0);
	EXPECT(e.cause == NO_TRAP);
	if (e.code && !failed_line)
		failed_line = e.code;
}

static void reap_all(int n)
{
	while (n--)
		reap();
}

/* ---- tests ---- */

#define CHILDREN	6

static u64 shared_address = 1;		/* and not shared memory */

static u64 has_its_own(u64 n)
{
	volatile u64 on_stack;

	for (u64 i = 0; i < 20; i++) {
		*(volatile u64 *)&shared_address = n * i;
		on_stack = n + i;
		call(SYS_SLEEP, i % 4 == 0, 0);
		if (*(volatile u64 *)&shared_address != n * i || on_stack != n + i)
			return __LINE__;
	}
	return 0;
}

static void fork_test(void)
{
	u64 seen = 0, first = 0;

	for (u64 n = 0; n < CHILDREN; n++) {
		u64 pid = call(SYS_FORK, 0, 0);

		if (!pid)
			leave(call(SYS_GETPID, 0, 0) * 7);
		if (!n)
			first = pid;
		EXPECT(pid == first + n);
	}
	for (int n = 0; n < CHILDREN; n++) {
		struct ended e = {};
		u64 pid = call(SYS_WAIT, (u64)&e, 0);

		EXPECT(pid == e.pid && e.code == pid * 7 && e.cause == NO_TRAP);
		EXPECT(!(seen & BIT(pid - first)));
		seen |= BIT(pid - first);
	}
	EXPECT(seen == BIT(CHILDREN) - 1);
	EXPECT(call(SYS_WAIT, 0, 0) == -1UL);
	done("fork, exit and wait: six children, each with its code");
}

static void memory_test(void)
{
	for (u64 n = 0; n < CHILDREN; n++)
		EXPECT(spawn(has_its_own, 100 + n) != -1UL);
	reap_all(CHILDREN);
	EXPECT(shared_address == 1);
	done("page tables: one address, another page in each process");
}

/* All registers that a loop does not need keep what they hold: 0, or not. */
static u64 registers_keep(u64 seed, u64 loops)
{
	u64 bad;

	asm volatile("	mv	t0, %[loops]\n"
		     "	.irp	r, s2,s3,s4,s5,s6,s7,s8,s9,s10,s11,a2,a3,a4,a5,a6,a7,t1,t2,t3,t4,t5\n"
		     "	mv	\\r, %[seed]\n"
		     "	.endr\n"
		     "1:	addi	t0, t0, -1\n"
		     "	bnez	t0, 1b\n"
		     "	.irp	r, s2,s3,s4,s5,s6,s7,s8,s9,s10,s11,a2,a3,a4,a5,a6,a7,t1,t2,t3,t4,t5\n"
		     "	xor	\\r, \\r, %[seed]\n"
		     "	or	t0, t0, \\r\n"
		     "	.endr\n"
		     "	mv	%[bad], t0\n"
		     : [bad] "=r"(bad) : [seed] "r"(seed), [loops] "r"(loops)
		     : "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "a2", "a3", "a4",
		       "a5", "a6", "a7", "t0", "t1", "t2", "t3", "t4", "t5");
	return bad;
}

/* Never gives the hart up by itself. */
static u64 spins(u64 n)
{
	do {
		if (registers_keep(n * 0x9e3779b97f4a7c15UL, 50000))
			return __LINE__;
	} while (info(INFO_PREEMPTED) < 5 || info(INFO_RAN) != BIT(info(INFO_HARTS)) - 1);
	return 0;
}

static void preemption_test(void)
{
	for (u64 n = 1; n <= CHILDREN; n++)
		EXPECT(spawn(spins, n) != -1UL);
	reap_all(CHILDREN);
	done("the timer preempts processes that spin, on every hart; registers are kept");
}

/*
 * A hart that was kept from its ticks makes up for them (the CLINT way): what
 * holds at any time is that there were no more than have come due.
 */
static void timer_test(void)
{
	u64 had[HARTS];

	for (u64 n = 0; n < info(INFO_HARTS); n++)
		had[n] = call(SYS_INFO, INFO_TICKS, n);
	call(SYS_SLEEP, 5, 0);
	for (u64 n = 0; n < info(INFO_HARTS); n++) {
		u64 began = call(SYS_INFO, INFO_TIMER_BEGAN, n), now;

		while ((now = call(SYS_INFO, INFO_TICKS, n)) == had[n])
			call(SYS_SLEEP, 1, 0);
		EXPECT(now <= (rdtime() - began) / info(INFO_INTERVAL));
	}
	done("timer interrupts on every hart, and none too early");
}

/* Takes all memory, and gets nothing. */
static u64 is_greedy(u64 size)
{
	return call(SYS_SBRK, size, 0) == -1UL ? 0 : __LINE__;
}

static void heap_test(void)
{
	u64 pages = info(INFO_FREE_PAGES);
	u64 *heap = (u64 *)call(SYS_SBRK, 0, 0);

	for (u64 round = 1; round <= 3; round++) {
		EXPECT(call(SYS_SBRK, 64 * 4096, 0) == (u64)heap);
		for (u64 i = 0; i < 64 * 512; i += 64)
			EXPECT(heap[i] == 0);
		for (u64 i = 0; i < 64 * 512; i += 64)
			heap[i] = i * round;
		for (u64 i = 0; i < 64 * 512; i += 64)
			EXPECT(heap[i] == i * round);
		EXPECT(call(SYS_SBRK, -64 * 4096, 0) == (u64)heap + 64 * 4096);
	}
	EXPECT(info(INFO_FREE_PAGES) == pages);
	EXPECT(spawn(is_greedy, 1UL << 30) != -1UL);
	reap();
	EXPECT(info(INFO_FREE_PAGES) == pages);
	done("sbrk: pages come empty, go, and come back empty");
}

/* ---- what a process may not do ---- */

static u64 loads(u64 va)
{
	return *(volatile u64 *)va ? 1 : 2;
}

static u64 stores(u64 va)
{
	*(volatile u64 *)va = 1;
	return 1;
}

static u64 jumps(u64 va)
{
	((void (*)(void))va)();
	return 1;
}

static u64 forgets(u64 heap)
{
	call(SYS_SBRK, 4096, 0);
	*(volatile u64 *)heap = 1;
	call(SYS_SBRK, -4096, 0);
	return *(volatile u64 *)heap;
}

static u64 executes_csr(u64 va)
{
	csr_write(satp, 0);
	return va;
}

static void expect_killed(u64 (*fn)(u64), u64 arg, u64 cause, u64 value)
{
	struct ended e = {};

	spawn(fn, arg);
	EXPECT(call(SYS_WAIT, (u64)&e, 0) == e.pid);
	EXPECT(e.cause == cause);
	EXPECT(e.value == value || cause == CAUSE_ILLEGAL);
}

static void fault_test(void)
{
	u64 heap = call(SYS_SBRK, 0, 0);

	expect_killed(loads, 0, CAUSE_LOAD_PAGE, 0);
	expect_killed(loads, RAM, CAUSE_LOAD_PAGE, RAM);
	expect_killed(loads, TRAMPOLINE, CAUSE_LOAD_PAGE, TRAMPOLINE);
	expect_killed(stores, TRAPFRAME, CAUSE_STORE_PAGE, TRAPFRAME);
	expect_killed(jumps, TRAMPOLINE, CAUSE_FETCH_PAGE, TRAMPOLINE);
	expect_killed(jumps, UART, CAUSE_FETCH_PAGE, UART);
	expect_killed(stores, USER_BASE, CAUSE_STORE_PAGE, USER_BASE);
	expect_killed(stores, USER_STACK - 8, CAUSE_STORE_PAGE, USER_STACK - 8);
	expect_killed(loads, MAX_VA, CAUSE_LOAD_PAGE, MAX_VA);
	expect_killed(forgets, heap, CAUSE_LOAD_PAGE, heap);
	expect_killed(executes_csr, 0, CAUSE_ILLEGAL, 0);
	done("a process that may not: killed with cause and address, the kernel goes on");
}

/* ---- disk ---- */

static u64 uses_disk(u64 n)
{
	u64 data[64];

	for (u64 sector = 64 * n; sector < 64 * n + 8; sector++) {
		for (int i = 0; i < 64; i++)
			data[i] = (sector * 64 + i) * 0x9e3779b97f4a7c15UL;
		if (call(SYS_WRITE, sector, (u64)data))
			return __LINE__;
	}
	for (u64 sector = 64 * n; sector < 64 * n + 8; sector++) {
		for (int i = 0; i < 64; i++)
			data[i] = 0;
		if (call(SYS_READ, sector, (u64)data))
			return __LINE__;
		for (int i = 0; i < 64; i++)
			if (data[i] != (sector * 64 + i) * 0x9e3779b97f4a7c15UL)
				return __LINE__;
	}
	return call(SYS_READ, 1UL << 40, (u64)data) + 1 ? __LINE__ : 0;
}

static void disk_test(void)
{
	u64 irqs = info(INFO_DISK_IRQS);

	for (u64 n = 0; n < CHILDREN; n++)
		EXPECT(spawn(uses_disk, n) != -1UL);
	reap_all(CHILDREN);
	EXPECT(info(INFO_DISK_IRQS) > irqs);
	done("a disk, by interrupt: six processes write and read at once");
}

/* ---- what a trap costs ---- */

#define CALLS	5000

static void cost(void)
{
	u64 start, spent;

	for (int i = 0; i < CALLS; i++)
		call(SYS_GETPID, 0, 0);
	start = rdtime();
	for (int i = 0; i < CALLS; i++)
		call(SYS_GETPID, 0, 0);
	spent = rdtime() - start;
	call(SYS_NOTE, (u64)"ns for a system call",
	     spent * (1000000000 / info(INFO_TIMEBASE)) / CALLS);
}

static void main(void)
{
	u64 pages;

	EXPECT(!info(INFO_BOOT_ERRORS));
	done("M-mode's page is closed to S-mode on every hart; time is the CLINT's");
	fork_test();
	heap_test();
	pages = info(INFO_FREE_PAGES);
	memory_test();
	preemption_test();
	timer_test();
	fault_test();
	disk_test();
	EXPECT(info(INFO_FREE_PAGES) == pages);
	done("every page of every process that ended is back");
	EXPECT(info(INFO_UART_IRQS));
	done("the console writes by interrupt");
	cost();
	call(SYS_DONE, 0, 0);
}
