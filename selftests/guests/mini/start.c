// SPDX-License-Identifier: GPL-2.0
/*
 * M-mode of the small kernel (mini.h): each hart comes here from the reset
 * vector and leaves for S-mode, never to come back but for the CLINT's timer.
 */
#include "common.h"
#include "mini.h"

#define TICKS_PER_SECOND	100

/* Not in .bss: the other harts look at it while hart 0 clears that. */
static volatile bool booted __attribute__((section(".data")));

u64 boot_errors, tick_interval, timer_began[HARTS];

/* What S- and U-mode have no access to: PMP entry 0. */
struct timer_scratch machine_page[4096 / TS_SIZE] __attribute__((aligned(4096)));

static void protect(void)
{
	csr_write(pmpaddr0, pmp_napot((u64)machine_page, sizeof(machine_page)));
	csr_write(pmpaddr1, ~0UL >> 10);
	csr_write(pmpcfg0, PMP_NAPOT | (PMP_NAPOT | PMP_R | PMP_W | PMP_X) << 8);
}

#ifdef MINI_SSTC
/* S-mode sets stimecmp itself. */
static void timer_init(u64 hart)
{
	csr_set(0x30a, ENVCFG_STCE);
	if (!(csr_read(0x30a) & ENVCFG_STCE)) {
		if (!hart)
			printf("1..1\nok 1 - the small kernel # SKIP no Sstc\n");
		shut_down();
	}
	csr_write(0x14d, timer_began[hart] + tick_interval);
}
#else
static void timer_init(u64 hart)
{
	volatile u64 *mtimecmp = (u64 *)MTIMECMP + hart;
	struct timer_scratch *ts = &machine_page[hart];

	_Static_assert(__builtin_offsetof(struct timer_scratch, mtimecmp) == TS_MTIMECMP, "entry.S");
	_Static_assert(__builtin_offsetof(struct timer_scratch, interval) == TS_INTERVAL, "entry.S");
	_Static_assert(sizeof(*ts) == TS_SIZE, "entry.S");
	ts->mtimecmp = (u64)mtimecmp;
	ts->interval = tick_interval;
	*mtimecmp = timer_began[hart] + tick_interval;
	csr_write(mscratch, ts);
	csr_write(mtvec, timer_vec);
	csr_set(mie, BIT(IRQ_MTI));
}
#endif

/* The clock that M-mode reads as memory is the one that time shows. */
static bool clocks_agree(void)
{
	u64 before = *(volatile u64 *)MTIME, now = csr_read(time);

	return before <= now && now <= *(volatile u64 *)MTIME;
}

void start(u64 hart, const void *dtb)
{
	extern char __bss_start[], __bss_clear_end[];

	if (hart) {
		while (!booted)
			;
		asm volatile("fence rw, rw" ::: "memory");
	} else {
		memset(__bss_start, 0, __bss_clear_end - __bss_start);
		read_dtb(dtb);
		nr_harts = dtb_harts;
		tick_interval = timebase / TICKS_PER_SECOND;
		boot_errors = !clocks_agree();
		asm volatile("fence rw, rw" ::: "memory");
		booted = true;
	}
	protect();
	csr_write(medeleg, 0xffff);
	csr_write(mideleg, 0xffff);
	csr_write(mcounteren, 2);
	csr_write(scounteren, 2);
	csr_write(sie, BIT(IRQ_SSI) | BIT(IRQ_STI) | BIT(IRQ_SEI));
	timer_began[hart] = csr_read(time);
	timer_init(hart);
	/* mret: to S-mode, where M-mode's interrupts are always enabled */
	csr_clear(mstatus, MR_MPP);
	csr_set(mstatus, 1UL << 11);
	csr_write(mepc, kernel_main);
	asm volatile("mv a0, %0\n\tmret" :: "r"(hart) : "a0", "memory");
	__builtin_unreachable();
}
