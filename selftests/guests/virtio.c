// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio disks over MMIO, by a driver that polls, and one that misbehaves.
 *
 * Virtio 1.3: 4.2 (MMIO), 2.7 (split rings), 5.2 (block device). The suite
 * `guests` and the oracle provide the disks: slot 0 with 2 MiB and the serial
 * number "umbra-test", slot 1 with 64 KiB, read-only, all bytes 0x52.
 */
#include "guest.h"

#define SLOT(n)		(0x10001000UL + 0x1000 * (n))
#define SECTORS		4096UL
#define NUM		8
#define TIMEOUT		(timebase * 20)

enum {
	R_MAGIC = 0x00, R_VERSION = 0x04, R_DEVICE = 0x08, R_VENDOR = 0x0c,
	R_FEATURES = 0x10, R_FEATURES_SEL = 0x14, R_DRIVER = 0x20, R_DRIVER_SEL = 0x24,
	R_QUEUE_SEL = 0x30, R_NUM_MAX = 0x34, R_NUM = 0x38, R_READY = 0x44,
	R_NOTIFY = 0x50, R_ISR = 0x60, R_ACK = 0x64, R_STATUS = 0x70,
	R_DESC = 0x80, R_AVAIL = 0x90, R_USED = 0xa0, R_CONFIG = 0x100,
};

enum { DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, PENDING = 0xee };

#define F_RO		BIT(5)
#define F_FLUSH		BIT(9)
#define F_DISCARD	BIT(13)
#define F_ZEROES	BIT(14)
#define F_INDIRECT	BIT(28)
#define F_EVENT_IDX	BIT(29)
#define F_VERSION_1	BIT(32)
#define F_USUAL		(F_FLUSH | F_DISCARD | F_ZEROES | F_VERSION_1)

#define NEXT		1
#define WRITE		2
#define INDIRECT	4

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct avail {
	u16 flags, idx, ring[NUM], used_event;
};

struct used {
	u16 flags, idx;
	struct { u32 id, len; } ring[NUM];
	u16 avail_event;
};

struct request {
	u32 type, reserved;
	u64 sector;
};

/* The device under test, and its ring. */
static u64 base;
static struct desc *desc;
static volatile struct avail *avail;
static volatile struct used *used;
static u16 seen;		/* of the used ring */
static struct request *req;
static volatile u8 *status;
static u8 *data;		/* 16 pages */

static u32 rd(u32 reg)
{
	return *(volatile u32 *)(base + reg);
}

static void wr(u32 reg, u32 v)
{
	asm volatile("fence rw, rw" ::: "memory");
	*(volatile u32 *)(base + reg) = v;
}

static void wr64(u32 reg, const volatile void *p)
{
	wr(reg, (u64)p);
	wr(reg + 4, (u64)p >> 32);
}

static u64 offered(void)
{
	u64 f;

	wr(R_FEATURES_SEL, 1);
	f = (u64)rd(R_FEATURES) << 32;
	wr(R_FEATURES_SEL, 0);
	return f | rd(R_FEATURES);
}

/* Reset, and come up with these features; false: they were refused. */
static bool start(int slot, u64 features)
{
	base = SLOT(slot);
	wr(R_STATUS, 0);
	while (rd(R_STATUS))
		;
	desc = page_alloc();
	avail = page_alloc();
	used = page_alloc();
	req = page_alloc();
	status = page_alloc();
	data = pages_alloc(16);
	seen = 0;
	wr(R_STATUS, 1);
	wr(R_STATUS, 3);
	wr(R_DRIVER_SEL, 0);
	wr(R_DRIVER, features);
	wr(R_DRIVER_SEL, 1);
	wr(R_DRIVER, features >> 32);
	wr(R_STATUS, 3 | FEATURES_OK);
	if (!(rd(R_STATUS) & FEATURES_OK))
		return false;
	wr(R_QUEUE_SEL, 0);
	wr(R_NUM, NUM);
	wr64(R_DESC, desc);
	wr64(R_AVAIL, avail);
	wr64(R_USED, used);
	wr(R_READY, 1);
	wr(R_STATUS, 3 | FEATURES_OK | DRIVER_OK);
	return true;
}

static void set_desc(struct desc *d, const volatile void *p, u32 len, u16 flags, u16 next)
{
	*d = (struct desc) { (u64)p, len, flags, next };
}

static void offer(u16 head)
{
	avail->ring[avail->idx % NUM] = head;
	asm volatile("fence rw, rw" ::: "memory");
	avail->idx++;
	wr(R_NOTIFY, 0);
}

/* Waits for the next used entry; false: it does not come. */
static bool wait_used(void)
{
	u64 end = rdtime() + TIMEOUT;

	while (used->idx == seen)
		if (rdtime() > end)
			return false;
	asm volatile("fence rw, rw" ::: "memory");
	seen++;
	return true;
}

/* The usual three descriptors; body may be NULL. */
static void build(u32 type, u64 sector, void *body, u32 len, bool in)
{
	*req = (struct request) { type, 0, sector };
	*status = PENDING;
	set_desc(&desc[0], req, 16, NEXT, body ? 1 : 2);
	set_desc(&desc[1], body, len, NEXT | (in ? WRITE : 0), 2);
	set_desc(&desc[2], status, 1, WRITE, 0);
}

static u8 request(u32 type, u64 sector, void *body, u32 len, bool in)
{
	build(type, sector, body, len, in);
	offer(0);
	return wait_used() ? *status : PENDING;
}

static u8 range_request(u32 type, u64 sector, u32 sectors, u32 flags)
{
	u32 *r = (u32 *)data;

	r[0] = sector;
	r[1] = sector >> 32;
	r[2] = sectors;
	r[3] = flags;
	return request(type, 0, data, 16, false);
}

/* A sector's worth of a pattern that tells sectors and rounds apart. */
static void fill(u8 *p, u64 sector, u32 sectors, u64 salt)
{
	for (u64 i = 0; i < sectors * 64UL; i++)
		((u64 *)p)[i] = (sector * 64 + i) * 0x9e3779b97f4a7c15UL ^ salt;
}

static bool is_filled(const u8 *p, u64 sector, u32 sectors, u64 salt)
{
	for (u64 i = 0; i < sectors * 64UL; i++)
		if (((const u64 *)p)[i] != ((sector * 64 + i) * 0x9e3779b97f4a7c15UL ^ salt))
			return false;
	return true;
}

static bool is_all(const u8 *p, u64 len, u8 v)
{
	while (len--)
		if (*p++ != v)
			return false;
	return true;
}

#define START(slot, features)	do {		\
	if (!start(slot, features)) {		\
		CHECK_MSG(false, "FEATURES_OK refused"); \
		return;				\
	} } while (0)

TEST(identity, "4.2.2: magic, version, device, vendor; configuration; an empty slot")
{
	base = SLOT(0);
	CHECK_EQ(rd(R_MAGIC), 0x74726976);
	CHECK_EQ(rd(R_VERSION), 2);
	CHECK_EQ(rd(R_DEVICE), 2);
	CHECK_EQ(rd(R_VENDOR), 0x554d4551);
	wr(R_QUEUE_SEL, 0);
	CHECK(rd(R_NUM_MAX) >= NUM);
	wr(R_QUEUE_SEL, 5);
	CHECK_EQ(rd(R_NUM_MAX), 0);
	CHECK_EQ(rd(R_CONFIG), SECTORS);
	CHECK_EQ(rd(R_CONFIG + 4), 0);
	/* Fields as wide as they are. */
	CHECK_EQ(*(volatile u8 *)(base + R_CONFIG + 1), SECTORS >> 8);
	CHECK_EQ(*(volatile u16 *)(base + R_CONFIG), SECTORS);
	CHECK_EQ(rd(R_CONFIG + 20), 512);
	base = SLOT(7);
	CHECK_EQ(rd(R_MAGIC), 0x74726976);
	CHECK_EQ(rd(R_DEVICE), 0);
}

TEST(widths, "4.2.2.2: control registers are words")
{
	/* Others are up to the device; QEMU answers zero. */
	if (!on_umbra)
		SKIP("only words are specified");
	EXPECT_FAULT(CAUSE_LOAD_ACCESS, SLOT(0), do_lb, SLOT(0), 0);
	EXPECT_FAULT(CAUSE_LOAD_ACCESS, SLOT(0), do_ld, SLOT(0), 0);
	EXPECT_FAULT(CAUSE_STORE_ACCESS, SLOT(0) + R_STATUS, do_sh, SLOT(0) + R_STATUS, 0);
	EXPECT_OK(do_lw, SLOT(0), 0);
}

TEST(features, "2.2: what is offered; what was not offered is not accepted")
{
	u64 f;

	base = SLOT(0);
	f = offered();
	CHECK_EQ(f & (F_USUAL | F_INDIRECT | F_EVENT_IDX), F_USUAL | F_INDIRECT | F_EVENT_IDX);
	CHECK_EQ(f & F_RO, 0);
	base = SLOT(1);
	CHECK(offered() & F_RO);
	if (on_umbra) {
		CHECK_EQ(offered() & (F_DISCARD | F_ZEROES), 0);
		/* 2.2.2; QEMU drops the bit in silence. */
		CHECK(!start(0, F_USUAL | F_RO));
		CHECK(!start(0, F_USUAL | BIT(63)));
	}
	/* 6.2: a device may go on without VERSION_1, as xv6 wants. */
	CHECK(start(0, F_FLUSH));
	CHECK_EQ(request(IN, 0, data, 512, true), OK);
}

TEST(transfer, "5.2.6: writes are read back; the used ring tells how much")
{
	u32 len;

	START(0, F_USUAL);
	for (u64 n = 1; n <= 128; n *= 2) {
		fill(data, 3 * n, n, n);
		CHECK_EQ(request(OUT, 3 * n, data, n * 512, false), OK);
		memset(data, 0, n * 512);
		CHECK_EQ(request(IN, 3 * n, data, n * 512, true), OK);
		len = used->ring[(seen - 1) % NUM].len;
		CHECK_EQ(len, n * 512 + 1);
		CHECK(is_filled(data, 3 * n, n, n));
	}
	CHECK_EQ(request(FLUSH, 0, NULL, 0, false), OK);
	/* The first and the last sector. */
	fill(data, SECTORS - 1, 1, 7);
	CHECK_EQ(request(OUT, SECTORS - 1, data, 512, false), OK);
	memset(data, 0, 512);
	CHECK_EQ(request(IN, SECTORS - 1, data, 512, true), OK);
	CHECK(is_filled(data, SECTORS - 1, 1, 7));
	CHECK_EQ(request(IN, 0, data, 512, true), OK);
}

TEST(writethrough, "5.2.6.2: a driver without FLUSH can write, too")
{
	START(0, F_VERSION_1);
	fill(data, 9, 8, 1);
	CHECK_EQ(request(OUT, 9, data, 8 * 512, false), OK);
	memset(data, 0, 8 * 512);
	CHECK_EQ(request(IN, 9, data, 8 * 512, true), OK);
	CHECK(is_filled(data, 9, 8, 1));
	if (on_umbra)	/* QEMU flushes all the same */
		CHECK_EQ(request(FLUSH, 0, NULL, 0, false), UNSUPP);
}

TEST(limits, "5.2.6.2: beyond the capacity there is an error, and no change")
{
	START(0, F_USUAL);
	fill(data, SECTORS - 2, 2, 5);
	CHECK_EQ(request(OUT, SECTORS - 2, data, 1024, false), OK);
	memset(data, 0xaa, 4096);
	CHECK_EQ(request(OUT, SECTORS - 1, data, 1024, false), IOERR);
	CHECK_EQ(request(OUT, SECTORS, data, 512, false), IOERR);
	CHECK_EQ(request(OUT, ~0UL, data, 1024, false), IOERR);
	CHECK_EQ(request(OUT, 1UL << 55, data, 512, false), IOERR);
	CHECK_EQ(request(IN, SECTORS, data, 512, true), IOERR);
	CHECK_EQ(request(IN, ~0UL - 1, data, 4096, true), IOERR);
	CHECK_EQ(request(OUT, 0, data, 100, false), IOERR);
	CHECK_EQ(request(IN, 0, data, 513, true), IOERR);
	CHECK_EQ(request(IN, SECTORS - 2, data, 1024, true), OK);
	CHECK(is_filled(data, SECTORS - 2, 2, 5));
}

TEST(serial, "5.2.6: the ID string")
{
	START(0, F_USUAL);
	memset(data, 0xff, 64);
	CHECK_EQ(request(GET_ID, 0, data, 20, true), OK);
	CHECK(!memcmp(data, "umbra-test", 11));
	CHECK_EQ(data[20], 0xff);
}

TEST(unsupported, "5.2.6.2: an unknown type is not supported")
{
	/* Bits 0 and 31 once were flags, 2 was SCSI: QEMU remembers. */
	static const u32 types[] = { 30, 0x1000, 0x7ffffffe };

	START(0, F_USUAL);
	for (u64 i = 0; i < ARRAY_SIZE(types); i++)
		CHECK_EQ(request(types[i], 0, data, 512, true), UNSUPP);
}

TEST(ranges, "5.2.6.2: discard and write zeroes")
{
	START(0, F_USUAL);
	fill(data, 64, 64, 3);
	CHECK_EQ(request(OUT, 64, data, 64 * 512, false), OK);
	CHECK_EQ(range_request(ZEROES, 72, 16, 0), OK);
	CHECK_EQ(range_request(ZEROES, 96, 8, 1), OK);
	CHECK_EQ(range_request(DISCARD, 112, 8, 0), OK);
	CHECK_EQ(range_request(DISCARD, 64, 8, 1), UNSUPP);
	CHECK_EQ(range_request(ZEROES, 64, 8, 2), UNSUPP);
	CHECK_EQ(range_request(ZEROES, SECTORS - 1, 2, 0), IOERR);
	CHECK_EQ(range_request(DISCARD, SECTORS, 1, 0), IOERR);
	CHECK_EQ(request(IN, 64, data, 64 * 512, true), OK);
	CHECK(is_filled(data, 64, 8, 3));
	CHECK(is_all(data + 8 * 512, 16 * 512, 0));
	CHECK(is_filled(data + 24 * 512, 88, 8, 3));
	CHECK(is_all(data + 32 * 512, 8 * 512, 0));
	CHECK(is_filled(data + 40 * 512, 104, 8, 3));
	CHECK(is_filled(data + 56 * 512, 120, 8, 3));
	if (on_umbra) {
		START(0, F_FLUSH | F_VERSION_1);
		CHECK_EQ(range_request(ZEROES, 64, 1, 0), UNSUPP);
		CHECK_EQ(range_request(DISCARD, 64, 1, 0), UNSUPP);
	}
}

TEST(read_only, "5.2.6.2: a read-only disk is not written")
{
	START(1, F_VERSION_1 | F_RO | F_FLUSH);
	memset(data, 0, 1024);
	CHECK_EQ(request(OUT, 0, data, 512, false), IOERR);
	CHECK_EQ(request(IN, 0, data, 1024, true), OK);
	CHECK(is_all(data, 1024, 0x52));
	CHECK_EQ(request(FLUSH, 0, NULL, 0, false), OK);
}

TEST(layout, "2.7.4: header, data and status spread over descriptors")
{
	START(0, F_USUAL);
	fill(data, 40, 2, 9);
	*req = (struct request) { OUT, 0, 40 };
	*status = PENDING;
	set_desc(&desc[0], req, 5, NEXT, 1);
	set_desc(&desc[1], (u8 *)req + 5, 11, NEXT, 2);
	set_desc(&desc[2], data, 700, NEXT, 3);
	set_desc(&desc[3], data + 700, 324, NEXT, 4);
	set_desc(&desc[4], status, 1, WRITE, 0);
	offer(0);
	CHECK(wait_used());
	CHECK_EQ(*status, OK);
	memset(data, 0, 1024);
	CHECK_EQ(request(IN, 40, data, 1024, true), OK);
	CHECK(is_filled(data, 40, 2, 9));
}

TEST(indirect, "2.7.5.3: indirect descriptors")
{
	struct desc *table;

	START(0, F_USUAL | F_INDIRECT);
	table = page_alloc();
	fill(data, 80, 4, 11);
	*req = (struct request) { OUT, 0, 80 };
	*status = PENDING;
	set_desc(&table[0], req, 16, NEXT, 3);
	set_desc(&table[3], data, 2048, NEXT, 1);
	set_desc(&table[1], status, 1, WRITE, 0);
	set_desc(&desc[5], table, 4 * 16, INDIRECT, 0);
	offer(5);
	CHECK(wait_used());
	CHECK_EQ(*status, OK);
	memset(data, 0, 2048);
	CHECK_EQ(request(IN, 80, data, 2048, true), OK);
	CHECK(is_filled(data, 80, 4, 11));
}

TEST(many, "2.7: a full ring, over and over")
{
	u64 done = 0;

	START(0, F_USUAL);
	for (int round = 0; round < 50; round++) {
		/* Two requests of three descriptors fit. */
		build(IN, round, data, 512, true);
		set_desc(&desc[3], req, 16, NEXT, 4);
		set_desc(&desc[4], data + 4096, 512, NEXT | WRITE, 5);
		set_desc(&desc[5], status + 1, 1, WRITE, 0);
		status[1] = PENDING;
		offer(0);
		offer(3);
		done += wait_used();
		done += wait_used();
		CHECK_EQ(status[0], OK);
		CHECK_EQ(status[1], OK);
		CHECK(!memcmp(data, data + 4096, 512));
	}
	CHECK_EQ(done, 100);
	CHECK_EQ(used->idx, 100);
}

/* Without waiting for the driver: an interrupt, or none where none is wanted. */
TEST(interrupts, "2.7.7, 4.2.2: used buffer notifications, and how to be spared them")
{
	START(0, F_USUAL);
	CHECK_EQ(request(IN, 0, data, 512, true), OK);
	wait_ticks(timebase / 10);
	CHECK_EQ(rd(R_ISR), 1);
	wr(R_ACK, 1);
	CHECK_EQ(rd(R_ISR), 0);
	avail->flags = 1;
	CHECK_EQ(request(IN, 0, data, 512, true), OK);
	wait_ticks(timebase / 10);
	CHECK_EQ(rd(R_ISR), 0);

	START(0, F_USUAL | F_EVENT_IDX);
	avail->used_event = 0;
	CHECK_EQ(request(IN, 0, data, 512, true), OK);
	wait_ticks(timebase / 10);
	CHECK_EQ(rd(R_ISR), 1);
	wr(R_ACK, 1);
	avail->used_event = 3;
	for (int i = 1; i <= 4; i++) {
		CHECK_EQ(request(IN, 0, data, 512, true), OK);
		wait_ticks(timebase / 10);
		CHECK_MSG(rd(R_ISR) == (i >= 3), "InterruptStatus %u after %d", rd(R_ISR), i + 1);
	}
	/* Where the device wants to be notified next. */
	CHECK_EQ(used->avail_event, 5);
}

/* After something malformed: the device says so, does nothing, and recovers. */
static void check_broken(const char *what)
{
	u64 end = rdtime() + TIMEOUT;

	while (!(rd(R_STATUS) & NEEDS_RESET) && rdtime() < end)
		;
	CHECK_MSG(rd(R_STATUS) & NEEDS_RESET, "%s: Status 0x%x", what, rd(R_STATUS));
	CHECK_MSG(rd(R_ISR) & 2, "%s: InterruptStatus 0x%x", what, rd(R_ISR));
	CHECK_MSG(used->idx == seen, "%s: a used entry", what);
	/* It stays so, until the reset. */
	wr(R_STATUS, 15);
	CHECK_MSG(!on_umbra || (rd(R_STATUS) & NEEDS_RESET), "%s: a write cleared it", what);
	START(0, F_USUAL | F_INDIRECT);
	CHECK_MSG(request(IN, 200, data, 4096, true) == OK, "%s: no recovery", what);
	CHECK_MSG(is_filled(data, 200, 8, 42), "%s: the disk changed", what);
}

static void prepare(void)
{
	if (!start(0, F_USUAL | F_INDIRECT))
		check_fail(__LINE__, "FEATURES_OK refused");
	memset(data, 0xbb, 4096);
	build(OUT, 200, data, 4096, false);
}

TEST(malformed, "2.7, 2.1.2: whatever is wrong with a ring, DEVICE_NEEDS_RESET")
{
	struct desc *table;

	START(0, F_USUAL);
	fill(data, 200, 8, 42);
	CHECK_EQ(request(OUT, 200, data, 4096, false), OK);

	prepare();
	desc[2] = (struct desc) { (u64)status, 1, NEXT | WRITE, 2 };
	offer(0);
	check_broken("a loop");

	prepare();
	desc[1].addr = -4096UL;
	desc[1].len = 8192;
	offer(0);
	check_broken("an address that wraps");

	prepare();
	desc[0].next = NUM;
	offer(0);
	check_broken("next outside of the table");

	prepare();
	offer(NUM);
	check_broken("a head outside of the table");

	prepare();
	desc[2].len = 0;
	offer(0);
	check_broken("an empty descriptor");

	prepare();
	set_desc(&desc[1], status, 1, NEXT | WRITE, 2);
	set_desc(&desc[2], data, 4096, 0, 0);
	offer(0);
	check_broken("readable behind writable");

	prepare();
	table = page_alloc();
	set_desc(&desc[0], table, 16, INDIRECT, 0);
	set_desc(&table[0], table, 16, INDIRECT, 0);
	offer(0);
	check_broken("indirect inside indirect");

	prepare();
	set_desc(&desc[0], data, 17, INDIRECT, 0);
	offer(0);
	check_broken("an indirect table of 17 bytes");

	prepare();
	set_desc(&desc[0], req, 15, NEXT, 2);
	offer(0);
	check_broken("half a header");

	prepare();
	set_desc(&desc[0], req, 16, NEXT, 1);
	set_desc(&desc[1], data, 4096, 0, 0);
	offer(0);
	check_broken("no room for the status");

	if (!on_umbra)
		return;
	/* QEMU takes these as they come. */
	prepare();
	avail->idx = NUM + 1;
	wr(R_NOTIFY, 0);
	check_broken("an index too far ahead");
	prepare();
	desc[1].addr = HOLE;
	offer(0);
	check_broken("data outside of memory");
	START(0, F_USUAL);
	table = page_alloc();
	set_desc(&desc[0], table, 16, INDIRECT, 0);
	offer(0);
	check_broken("indirect that was not negotiated");
	for (int i = 0; i < 3; i++) {
		wr(R_STATUS, 0);
		wr(R_STATUS, 3);
		wr(R_NUM, i == 0 ? 7 : NUM);
		wr64(R_DESC, (u8 *)desc + (i == 1 ? 8 : 0));
		wr64(R_AVAIL, avail);
		wr64(R_USED, (u8 *)used + (i == 2 ? 2 : 0));
		wr(R_READY, 1);
		CHECK_EQ(rd(R_READY), 0);
		CHECK(rd(R_STATUS) & NEEDS_RESET);
	}
}

TEST(reset, "2.4: a reset in the middle of work; the device starts from nothing")
{
	START(0, F_USUAL);
	for (int i = 0; i < 20; i++) {
		build(IN, 0, data, 16 * 4096, true);
		offer(0);
		wait_ticks(i * timebase / 20000);
		wr(R_STATUS, 0);
		CHECK_EQ(rd(R_STATUS), 0);
		CHECK_EQ(rd(R_READY), 0);
		CHECK_EQ(rd(R_ISR), 0);
		/* It has let go of memory. */
		memset(data, 0x11, 16 * 4096);
		wait_ticks(timebase / 1000);
		CHECK(is_all(data, 16 * 4096, 0x11));
		START(0, F_USUAL);
	}
	CHECK_EQ(request(IN, 0, data, 512, true), OK);
}

#define PLIC_ENABLE	(PLIC_BASE + 0x2000 + 0x80 * plic_context)
#define PLIC_THRESHOLD	(PLIC_BASE + 0x200000 + 0x1000 * plic_context)

TEST(line, "4.2.2: the interrupt line of slot 0 is source 1, and level")
{
	volatile u32 *enable = (u32 *)PLIC_ENABLE, *claim = (u32 *)(PLIC_THRESHOLD + 4);

	START(0, F_USUAL);
	*(volatile u32 *)PLIC_PRIORITY = 1;
	*(volatile u32 *)PLIC_THRESHOLD = 0;
	enable[0] = BIT(1);
	/* What other tests left pending. */
	for (u32 id; (id = *claim);)
		*claim = id;
	CHECK_EQ(csr_read(CSR_SIP) & BIT(IRQ_SEI), 0);
	CHECK_EQ(request(IN, 0, data, 512, true), OK);
	wait_ticks(timebase / 10);
	CHECK_EQ(csr_read(CSR_SIP) & BIT(IRQ_SEI), BIT(IRQ_SEI));
	CHECK_EQ(*claim, 1);
	*claim = 1;
	/* Not acknowledged: it comes again. QEMU's PLIC looks at edges. */
	if (on_umbra)
		CHECK_EQ(*claim, 1);
	wr(R_ACK, rd(R_ISR));
	*claim = 1;
	CHECK_EQ(*claim, 0);
	CHECK_EQ(csr_read(CSR_SIP) & BIT(IRQ_SEI), 0);
	enable[0] = 0;
}
