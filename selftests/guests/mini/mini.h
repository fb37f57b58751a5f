/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small kernel that owns the whole machine, in the manner of teaching
 * kernels: it starts in M-mode without firmware, programs PMP, delegation and
 * timer, goes to S-mode, and runs processes there.
 *
 *	start.c		M-mode, each hart: PMP, delegation, timer, mret
 *	entry.S		the code that has to be assembly: entry, M-mode's timer
 *			interrupt, trampoline, kernel traps, context switch
 *	kernel.c	traps, system calls, processes, scheduler
 *	memory.c	pages and page tables
 *	devices.c	UART, PLIC and virtio disk, all by interrupt
 *	user.c		what the processes do: the tests; TAP by system call
 *
 * The trampoline is one page, mapped at the same address in the kernel's and
 * in every process's page table; the tables share nothing else. A trap from
 * U-mode begins there, with four full fences on the way in and back, two writes
 * of satp and two of stvec, which makes this the worst guest for a hypervisor
 * that has to notice all of them.
 *
 * One lock is around the kernel. Interrupts are off in there, on in user
 * mode and in the idle loop. There are two builds: the timer is the CLINT's, by
 * way of M-mode, or stimecmp (MINI_SSTC).
 */
#ifndef MINI_H
#define MINI_H

#include "machine.h"

#define HARTS		8

/* Physical: what QEMU's virt has. */
#define PLIC		0x0c000000
#define UART		0x10000000
#define DISK		0x10001000
#define FINISHER	0x100000
#define IRQ_DISK	1
#define IRQ_UART	10
#define RAM		0x80000000
#define RAM_SIZE	0x2000000

/* Virtual, the same for all. */
#define MAX_VA		0x4000000000
#define TRAMPOLINE	(MAX_VA - 0x1000)
#define TRAPFRAME	(MAX_VA - 0x2000)
#define USER_STACK	(MAX_VA - 0x4000)	/* a hole above and below */
#define USER_BASE	0x1000

/* struct trapframe: x1 .. x31 at their number, then these */
#define TF_PC		256
#define TF_KERNEL_SATP	264
#define TF_KERNEL_SP	272
#define TF_KERNEL_TRAP	280
#define TF_HART		288

/* struct timer_scratch, in the page that only M-mode may access */
#define TS_MTIMECMP	24
#define TS_INTERVAL	32
#define TS_SIZE		64

/* System calls; user.c has what they take. */
#define SYS_FORK	1
#define SYS_EXIT	2
#define SYS_WAIT	3
#define SYS_GETPID	4
#define SYS_SBRK	5
#define SYS_SLEEP	6
#define SYS_READ	7
#define SYS_WRITE	8
#define SYS_INFO	9
#define SYS_REPORT	10
#define SYS_NOTE	11
#define SYS_DONE	12

#ifndef __ASSEMBLER__

/* What SYS_INFO tells. */
enum { INFO_HARTS, INFO_RAN, INFO_TICKS, INFO_PREEMPTED, INFO_FREE_PAGES,
	INFO_DISK_IRQS, INFO_UART_IRQS, INFO_INTERVAL, INFO_TIMEBASE, INFO_BOOT_ERRORS,
	INFO_TIMER_BEGAN };

/* What SYS_WAIT tells of a child that ended: by itself, or by a trap. */
struct ended {
	u64 pid, code;
	u64 cause, value;	/* NO_TRAP */
};

struct trapframe {
	u64 x[32];
	u64 pc, kernel_satp, kernel_sp, kernel_trap, hart;
};

struct context {
	u64 ra, sp, s[12];
};

/* M-mode's part of what a hart needs for its timer. */
struct timer_scratch {
	u64 saved[3], mtimecmp, interval, pad[3];
};

enum state { FREE, RUNNABLE, RUNNING, SLEEPING, ZOMBIE };

struct proc {
	enum state state;
	const void *channel;	/* that it sleeps on */
	struct proc *parent;
	u64 *table;
	struct trapframe *tf;
	u64 kernel_stack;
	u64 size;		/* bytes from USER_BASE */
	u64 preempted;
	struct ended ended;
	struct context context;
};

#define PROCS		10

struct hart {
	struct proc *proc;
	struct context scheduler;
	u64 ticks;
};

/* start.c; errors of what it tries before the kernel proper runs */
extern u64 boot_errors, tick_interval, timer_began[HARTS];
extern struct timer_scratch machine_page[4096 / TS_SIZE];
void start(u64 hart, const void *dtb);

/* entry.S */
extern char trampoline[], user_vec[], user_ret[], kernel_vec[], timer_vec[];
extern char probe_load[], probe_recover[];
void swtch(struct context *from, struct context *to);
/* A load that may fault: 0, or the cause. */
u64 probe(u64 addr);

/* kernel.c */
extern struct proc procs[PROCS];
extern struct hart harts[HARTS];
extern u64 nr_harts, harts_ran;
extern char user_start[], user_text_end[], user_end[];
void kernel_main(u64 hart);
void user_trap(void);
u64 kernel_trap(u64 sepc);
void panic(const char *why, u64 value) __attribute__((noreturn));
struct proc *this_proc(void);
void sleep_on(const void *channel);
void wake(const void *channel);

/* memory.c */
extern u64 *kernel_table, free_pages;
void memory_init(void);
void *page_get(void);			/* zeroed; NULL: none left */
void page_put(void *page);
u64 *walk(u64 *table, u64 va, bool make);
bool map(u64 *table, u64 va, u64 pa, u64 size, u64 flags);
void table_free(u64 *table);		/* and every U page below it */
u64 *user_table(struct proc *p);
bool user_grow(u64 *table, u64 from, u64 to);
void user_shrink(u64 *table, u64 from, u64 to);
bool user_copy(u64 *to, u64 *from);	/* all U pages */
bool copy_out(struct proc *p, u64 va, const void *from, u64 n);
bool copy_in(struct proc *p, void *to, u64 va, u64 n);
static inline u64 table_satp(const u64 *table)
{
	return SV39 << 60 | (u64)table >> 12;
}

/* devices.c */
extern u64 disk_irqs, uart_irqs;
void devices_init(void);
void plic_init(u64 hart);
void external_interrupt(void);
/* Sector @sector of the disk; the calling process sleeps. False: an error. */
bool disk_access(struct proc *p, u64 sector, u8 *data, bool write);

static inline u64 this_hart(void)
{
	u64 v;

	asm volatile("mv %0, tp" : "=r"(v));
	return v;
}

#endif /* !__ASSEMBLER__ */
#endif
