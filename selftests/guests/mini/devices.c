// SPDX-License-Identifier: GPL-2.0
/*
 * UART, PLIC and disk of the small kernel (mini.h). Called with its lock held,
 * but for console_write() while there are no interrupts yet, or no more.
 */
#include "common.h"
#include "mini.h"

u64 disk_irqs, uart_irqs;

/* ---- UART: what is written goes to a ring, and out by interrupt ---- */

enum { THR = 0, IER = 1, FCR = 2, LSR = 5 };
#define IER_THRE	2
#define LSR_THRE	0x20
#define LSR_IDLE	0x40

static char ring[2048];
static u64 ring_in, ring_out;

static volatile u8 *uart(int reg)
{
	return (u8 *)UART + reg;
}

static void uart_send(void)
{
	while (ring_out != ring_in && (*uart(LSR) & LSR_THRE))
		*uart(THR) = ring[ring_out++ % sizeof(ring)];
	*uart(IER) = ring_out == ring_in ? 0 : IER_THRE;
}

void console_write(const char *s, u64 n)
{
	while (n--) {
		while (ring_in - ring_out == sizeof(ring))
			uart_send();
		ring[ring_in++ % sizeof(ring)] = *s++;
	}
	*uart(IER) = IER_THRE;
}

void shut_down(void)
{
	flush();
	while (ring_out != ring_in || !(*uart(LSR) & LSR_IDLE))
		uart_send();
	*(volatile u32 *)FINISHER = 0x5555;
	for (;;)
		;
}

/* ---- virtio disk: every process has three descriptors of its own ---- */

enum {
	R_MAGIC = 0x00, R_VERSION = 0x04, R_DEVICE = 0x08, R_DRIVER = 0x20, R_DRIVER_SEL = 0x24,
	R_QUEUE_SEL = 0x30, R_NUM = 0x38, R_READY = 0x44, R_NOTIFY = 0x50, R_ISR = 0x60,
	R_ACK = 0x64, R_STATUS = 0x70, R_DESC = 0x80, R_AVAIL = 0x90, R_USED = 0xa0,
};

#define NUM	32
#define NEXT	1
#define WRITE	2

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

static volatile struct avail {
	u16 flags, idx, ring[NUM];
} *avail;

static volatile struct used {
	u16 flags, idx;
	struct { u32 id, len; } ring[NUM];
} *used;

static struct desc *desc;
static u16 seen;

static struct request {
	u32 type, reserved;
	u64 sector;
	u8 status;
	bool busy;
} requests[PROCS];

static volatile u32 *disk(u32 reg)
{
	return (u32 *)((u64)DISK + reg);
}

static void set_ring(u32 reg, const volatile void *p)
{
	*disk(reg) = (u64)p;
	*disk(reg + 4) = (u64)p >> 32;
}

static void disk_init(void)
{
	_Static_assert(3 * PROCS <= NUM, "three descriptors each");
	if (*disk(R_MAGIC) != 0x74726976 || *disk(R_VERSION) != 2 || *disk(R_DEVICE) != 2)
		panic("no disk", *disk(R_DEVICE));
	desc = page_get();
	avail = page_get();
	used = page_get();
	*disk(R_STATUS) = 0;
	*disk(R_STATUS) = 1;
	*disk(R_STATUS) = 3;
	*disk(R_DRIVER_SEL) = 0;
	*disk(R_DRIVER) = 0;
	*disk(R_DRIVER_SEL) = 1;
	*disk(R_DRIVER) = 1;			/* VERSION_1 alone */
	*disk(R_STATUS) = 11;
	if (!(*disk(R_STATUS) & 8))
		panic("the disk refuses its features", 0);
	*disk(R_QUEUE_SEL) = 0;
	*disk(R_NUM) = NUM;
	set_ring(R_DESC, desc);
	set_ring(R_AVAIL, avail);
	set_ring(R_USED, used);
	*disk(R_READY) = 1;
	*disk(R_STATUS) = 15;
}

static void set_desc(int n, const void *p, u32 len, u16 flags)
{
	desc[n] = (struct desc) { (u64)p, len, flags, flags & NEXT ? n + 1 : 0 };
}

bool disk_access(struct proc *p, u64 sector, u8 *data, bool write)
{
	int n = p - procs;
	struct request *r = &requests[n];

	*r = (struct request) { .type = write, .sector = sector, .status = 0xff, .busy = true };
	set_desc(3 * n, r, 16, NEXT);
	set_desc(3 * n + 1, data, 512, NEXT | (write ? 0 : WRITE));
	set_desc(3 * n + 2, &r->status, 1, WRITE);
	avail->ring[avail->idx % NUM] = 3 * n;
	asm volatile("fence rw, rw" ::: "memory");
	avail->idx++;
	asm volatile("fence rw, rw" ::: "memory");
	*disk(R_NOTIFY) = 0;
	while (r->busy)
		sleep_on(r);
	return r->status == 0;
}

static void disk_interrupt(void)
{
	disk_irqs++;
	*disk(R_ACK) = *disk(R_ISR) & 3;
	asm volatile("fence rw, rw" ::: "memory");
	for (; seen != used->idx; seen++) {
		struct request *r = &requests[used->ring[seen % NUM].id / 3];

		r->busy = false;
		wake(r);
	}
}

/* ---- PLIC ---- */

/* The context of a hart's S-mode is the second of its two. */
static volatile u32 *plic(u32 base, u32 stride, u64 hart)
{
	return (u32 *)(PLIC + base + (2 * hart + 1) * stride);
}

void plic_init(u64 hart)
{
	*plic(0x2000, 0x80, hart) = BIT(IRQ_DISK) | BIT(IRQ_UART);
	*plic(0x200000, 0x1000, hart) = 0;
}

void external_interrupt(void)
{
	volatile u32 *claim = plic(0x200004, 0x1000, this_hart());
	u32 irq = *claim;

	if (irq == IRQ_DISK) {
		disk_interrupt();
	} else if (irq == IRQ_UART) {
		uart_irqs++;
		uart_send();
	} else if (irq) {
		panic("an interrupt that nobody asked for", irq);
	}
	if (irq)
		*claim = irq;
}

void devices_init(void)
{
	*uart(FCR) = 7;
	((volatile u32 *)PLIC)[IRQ_DISK] = 1;
	((volatile u32 *)PLIC)[IRQ_UART] = 1;
	disk_init();
}
