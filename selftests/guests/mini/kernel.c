// SPDX-License-Identifier: GPL-2.0
/*
 * The small kernel (mini.h) in S-mode: traps, system calls, processes.
 */
#include "common.h"
#include "mini.h"

struct proc procs[PROCS];
struct hart harts[HARTS];
u64 nr_harts, harts_ran;

static u32 kernel_lock;
static volatile bool ready;
static u64 ticks, reports;

static void lock(void)
{
	u32 was;

	do
		asm volatile("amoswap.w.aq %0, %2, %1"
			     : "=r"(was), "+A"(kernel_lock) : "r"(1) : "memory");
	while (was);
}

static void unlock(void)
{
	asm volatile("amoswap.w.rl zero, zero, %0" : "+A"(kernel_lock) :: "memory");
}

void panic(const char *why, u64 value)
{
	printf("Bail out! the kernel: %s: 0x%lx (hart %lu)\n", why, value, this_hart());
	shut_down();
}

struct proc *this_proc(void)
{
	return harts[this_hart()].proc;
}

/* ---- processes ---- */

/* Give the hart up; the lock is held, here and on the other side. */
static void yield(enum state state)
{
	struct proc *p = this_proc();

	p->state = state;
	swtch(&p->context, &harts[this_hart()].scheduler);
}

void sleep_on(const void *channel)
{
	this_proc()->channel = channel;
	yield(SLEEPING);
}

void wake(const void *channel)
{
	for (struct proc *p = procs; p < procs + PROCS; p++)
		if (p->state == SLEEPING && p->channel == channel)
			p->state = RUNNABLE;
}

static void user_return(void) __attribute__((noreturn));

static void proc_free(struct proc *p)
{
	if (p->table)
		table_free(p->table);
	if (p->tf)
		page_put(p->tf);
	if (p->kernel_stack)
		page_put((void *)p->kernel_stack);
	*p = (struct proc) {};
}

static struct proc *proc_get(void)
{
	static u64 pid;
	struct proc *p = procs;

	while (p->state != FREE)
		if (++p == procs + PROCS)
			return NULL;
	p->tf = page_get();
	p->kernel_stack = (u64)page_get();
	p->table = p->tf ? user_table(p) : NULL;
	if (!p->table || !p->kernel_stack) {
		proc_free(p);
		return NULL;
	}
	p->ended.pid = ++pid;
	p->context.ra = (u64)user_return;
	p->context.sp = p->kernel_stack + 4096;
	return p;
}

/* The first process: user.c, as it lies in the image. */
static void first_process(void)
{
	struct proc *p = proc_get();
	u64 size = user_end - user_start;

	p->size = size;
	user_grow(p->table, USER_BASE, USER_BASE + size);
	user_grow(p->table, USER_STACK, USER_STACK + 4096);
	copy_out(p, USER_BASE, user_start, size);
	for (u64 at = 0; at < (u64)(user_text_end - user_start); at += 4096) {
		u64 *pte = walk(p->table, USER_BASE + at, false);

		*pte = (*pte & ~PTE_W) | PTE_X;
	}
	p->tf->pc = USER_BASE;
	p->tf->x[2] = USER_STACK + 4096;
	p->state = RUNNABLE;
}

static u64 fork(void)
{
	struct proc *parent = this_proc(), *p = proc_get();

	if (!p)
		return -1;
	if (!user_copy(p->table, parent->table)) {
		proc_free(p);
		return -1;
	}
	*p->tf = *parent->tf;
	p->tf->x[10] = 0;
	p->size = parent->size;
	p->parent = parent;
	p->state = RUNNABLE;
	return p->ended.pid;
}

static void end(u64 code, u64 cause, u64 value)
{
	struct proc *p = this_proc();

	if (!p->parent)
		panic("the first process ended, by cause", cause);
	p->ended.code = code;
	p->ended.cause = cause;
	p->ended.value = value;
	wake(p->parent);
	yield(ZOMBIE);
}

static u64 wait(u64 to)
{
	struct proc *me = this_proc();

	for (;;) {
		bool any = false;

		for (struct proc *p = procs; p < procs + PROCS; p++) {
			u64 pid = p->ended.pid;

			if (p->state == FREE || p->parent != me)
				continue;
			any = true;
			if (p->state != ZOMBIE)
				continue;
			if (!copy_out(me, to, &p->ended, sizeof(p->ended)))
				return -1;
			proc_free(p);
			return pid;
		}
		if (!any)
			return -1;
		sleep_on(me);
	}
}

static u64 sbrk(s64 by)
{
	struct proc *p = this_proc();
	u64 old = USER_BASE + p->size, new = old + by;

	if ((by & 4095) || new < USER_BASE || new > USER_STACK)
		return -1;
	if (new < old)
		user_shrink(p->table, new, old);
	else if (!user_grow(p->table, old, new))
		return -1;
	p->size += by;
	return old;
}

static void scheduler(void) __attribute__((noreturn));
static void scheduler(void)
{
	struct hart *hart = &harts[this_hart()];
	struct proc *p = procs;

	for (;;) {
		int n = PROCS;

		lock();
		while (n-- && p->state != RUNNABLE)
			p = p == procs + PROCS - 1 ? procs : p + 1;
		if (p->state == RUNNABLE) {
			p->state = RUNNING;
			hart->proc = p;
			harts_ran |= BIT(this_hart());
			swtch(&hart->scheduler, &p->context);
			hart->proc = NULL;
			p = p == procs + PROCS - 1 ? procs : p + 1;
			unlock();
			continue;
		}
		unlock();
		csr_set(sstatus, SR_SIE);
		asm volatile("wfi");
		csr_clear(sstatus, SR_SIE);
	}
}

/* ---- system calls ---- */

static u64 disk_call(u64 sector, u64 va, bool write)
{
	struct proc *p = this_proc();
	u8 *data = page_get();
	u64 ret = -1;

	if (!data)
		return -1;
	if ((!write || copy_in(p, data, va, 512)) && disk_access(p, sector, data, write) &&
	    (write || copy_out(p, va, data, 512)))
		ret = 0;
	page_put(data);
	return ret;
}

static u64 info(u64 what, u64 n)
{
	switch (what) {
	case INFO_HARTS:
		return nr_harts;
	case INFO_RAN:
		return harts_ran;
	case INFO_TICKS:
		return n < HARTS ? harts[n].ticks : -1UL;
	case INFO_PREEMPTED:
		return this_proc()->preempted;
	case INFO_FREE_PAGES:
		return free_pages;
	case INFO_DISK_IRQS:
		return disk_irqs;
	case INFO_UART_IRQS:
		return uart_irqs;
	case INFO_INTERVAL:
		return tick_interval;
	case INFO_TIMEBASE:
		return timebase;
	case INFO_BOOT_ERRORS:
		return boot_errors;
	case INFO_TIMER_BEGAN:
		return n < HARTS ? timer_began[n] : -1UL;
	}
	return -1;
}

static void sleep_until(u64 tick)
{
	while (ticks < tick)
		sleep_on(&ticks);
}

static bool get_string(u64 va, char *s, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		if (!copy_in(this_proc(), s + i, va + i, 1))
			return false;
		if (!s[i])
			return true;
	}
	return false;
}

/* One line of TAP: "ok", or where it went wrong. */
static u64 report(u64 name, u64 line)
{
	char s[128];

	if (!get_string(name, s, sizeof(s)))
		return -1;
	printf(line ? "not ok %lu - %s" : "ok %lu - %s", ++reports, s);
	printf(line ? " # user.c:%lu\n" : "\n", line);
	return 0;
}

static u64 tell(u64 name, u64 value)
{
	char s[128];

	if (!get_string(name, s, sizeof(s)))
		return -1;
	printf("# %lu %s\n", value, s);
	return 0;
}

static u64 syscall(const u64 *x)
{
	switch (x[17]) {
	case SYS_FORK:
		return fork();
	case SYS_EXIT:
		end(x[10], NO_TRAP, 0);
		return 0;
	case SYS_WAIT:
		return wait(x[10]);
	case SYS_GETPID:
		return this_proc()->ended.pid;
	case SYS_SBRK:
		return sbrk(x[10]);
	case SYS_SLEEP:
		sleep_until(ticks + x[10]);
		return 0;
	case SYS_READ:
	case SYS_WRITE:
		return disk_call(x[10], x[11], x[17] == SYS_WRITE);
	case SYS_INFO:
		return info(x[10], x[11]);
	case SYS_REPORT:
		return report(x[10], x[11]);
	case SYS_NOTE:
		return tell(x[10], x[11]);
	case SYS_DONE:
		printf("1..%lu\n", reports);
		shut_down();
	}
	return -1;
}

/* ---- traps ---- */

static void tick(void)
{
	harts[this_hart()].ticks++;
	if (this_hart() == 0) {
		ticks++;
		wake(&ticks);
	}
}

/* True if it was the timer. */
static bool interrupt(u64 cause)
{
	switch (cause & ~CAUSE_IRQ) {
	case IRQ_SSI:			/* from timer_vec */
		csr_clear(sip, BIT(IRQ_SSI));
		tick();
		return true;
	case IRQ_STI:
		csr_write(0x14d, csr_read(time) + tick_interval);
		tick();
		return true;
	case IRQ_SEI:
		external_interrupt();
		return false;
	}
	panic("an interrupt that nobody asked for", cause);
}

/* From user_vec, on the process's kernel stack. */
void user_trap(void)
{
	struct proc *p = this_proc();
	u64 cause = csr_read(scause);

	csr_write(stvec, kernel_vec);
	lock();
	p->tf->pc = csr_read(sepc);
	if (cause & CAUSE_IRQ) {
		if (interrupt(cause)) {
			p->preempted++;
			yield(RUNNABLE);
		}
	} else if (cause == CAUSE_ECALL_U) {
		p->tf->pc += 4;
		p->tf->x[10] = syscall(p->tf->x);
	} else {
		end(0, cause, csr_read(stval));
	}
	user_return();
}

static void user_return(void)
{
	struct proc *p = this_proc();
	u64 satp = table_satp(p->table);

	csr_write(stvec, TRAMPOLINE + (user_vec - trampoline));
	p->tf->kernel_satp = csr_read(satp);
	p->tf->kernel_sp = p->kernel_stack + 4096;
	p->tf->kernel_trap = (u64)user_trap;
	p->tf->hart = this_hart();
	csr_write(sepc, p->tf->pc);
	csr_clear(sstatus, SR_SPP);
	csr_set(sstatus, SR_SPIE);
	unlock();
	((void (*)(u64))(TRAMPOLINE + (user_ret - trampoline)))(satp);
	__builtin_unreachable();
}

/* In the kernel: interrupts while it idles, and what probe() provokes. */
u64 kernel_trap(u64 sepc)
{
	u64 cause = csr_read(scause);

	if (!(cause & CAUSE_IRQ)) {
		if (sepc == (u64)probe_load)
			return (u64)probe_recover;
		printf("# scause 0x%lx stval 0x%lx\n", cause, csr_read(stval));
		panic("a trap at", sepc);
	}
	lock();
	interrupt(cause);
	unlock();
	return sepc;
}

void kernel_main(u64 hart)
{
	csr_write(stvec, kernel_vec);
	if (hart == 0) {
		printf("TAP version 13\n");
		memory_init();
	} else {
		while (!ready)
			;
		asm volatile("fence rw, rw" ::: "memory");
	}
	/* PMP keeps S-mode out of M-mode's page, with translation and without. */
	boot_errors += probe((u64)machine_page) != CAUSE_LOAD_ACCESS;
	sfence();
	csr_write(satp, table_satp(kernel_table));
	sfence();
	boot_errors += probe((u64)machine_page) != CAUSE_LOAD_ACCESS;
	boot_errors += probe((u64)machine_page + sizeof(machine_page)) != 0;
	boot_errors += probe(HOLE) != CAUSE_LOAD_PAGE;
	if (hart == 0) {
		devices_init();
		first_process();
		asm volatile("fence rw, rw" ::: "memory");
		ready = true;
	}
	plic_init(hart);
	scheduler();
}
