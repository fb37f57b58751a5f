// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/virtio_mmio.c ../../vdev/virtqueue.c
/*
 * The registers of virtio over MMIO, versions 2 and 1: what reads as what,
 * status and features, queues coming and going, and writes of anything.
 */
#include "unit.h"
#include "../../vdev/virtio_mmio.h"

static struct umbra_virtio v;
static const u8 config[6] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66 };

#define OFFERED	(BIT_ULL(UMBRA_VIRTIO_F_VERSION_1) | BIT_ULL(5) | BIT_ULL(29))

static void start(bool legacy)
{
	v = (struct umbra_virtio) {
		.id = UMBRA_VIRTIO_ID_BLOCK, .legacy = legacy, .nr_queues = 1,
		.offered = OFFERED, .config = config, .config_len = sizeof(config),
	};
	umbra_virtio__reset(&v);
}

static u32 rd(u32 offset)
{
	return umbra_virtio__read(&v, offset, 4);
}

static int wr(u32 offset, u32 val)
{
	return umbra_virtio__write(&v, offset, val);
}

/* What a driver does up to FEATURES_OK. */
static void negotiate(u32 low, u32 high)
{
	wr(0x70, 1);
	wr(0x70, 3);
	wr(0x24, 0);
	wr(0x20, low);
	wr(0x24, 1);
	wr(0x20, high);
	wr(0x70, 11);
}

static void set_queue(u32 num, u64 desc, u64 driver, u64 device)
{
	wr(0x30, 0);
	wr(0x38, num);
	wr(0x80, desc);
	wr(0x84, desc >> 32);
	wr(0x90, driver);
	wr(0x94, driver >> 32);
	wr(0xa0, device);
	wr(0xa4, device >> 32);
	wr(0x44, 1);
}

UNIT_TEST(identity)
{
	start(false);
	expect_eq(rd(0x00), 0x74726976);
	expect_eq(rd(0x04), 2);
	expect_eq(rd(0x08), 2);
	expect_eq(rd(0x0c), 0x554d4551);
	expect_eq(rd(0xfc), 0);
	expect_eq(rd(0xb0), 0xffffffff);
	expect_eq(rd(0xbc), 0xffffffff);
	start(true);
	expect_eq(rd(0x04), 1);
}

UNIT_TEST(an_empty_slot)
{
	memset(&v, 0, sizeof(v));
	expect_eq(rd(0x00), 0x74726976);
	expect_eq(rd(0x04), 2);
	expect_eq(rd(0x08), 0);
	for (u32 i = 0; i < UMBRA_VIRTIO_SPAN; i += 4) {
		expect_eq(wr(i, 0xffffffff), UMBRA_VIRTIO_NOTHING);
		if (i > 0x0c)
			expect_eq(rd(i), 0);
	}
	expect(!umbra_virtio__irq(&v));
}

UNIT_TEST(widths)
{
	for (u32 offset = 0; offset < UMBRA_VIRTIO_SPAN; offset += 8)
		for (unsigned int len = 1; len <= 8; len *= 2)
			expect_eq(umbra_virtio__legal(offset, len),
				  len == 4 || offset >= 0x100);
}

UNIT_TEST(configuration)
{
	start(false);
	expect_eq(umbra_virtio__read(&v, 0x100, 1), 0x11);
	expect_eq(umbra_virtio__read(&v, 0x102, 2), 0x4433);
	expect_eq(umbra_virtio__read(&v, 0x100, 4), 0x44332211);
	expect_eq(umbra_virtio__read(&v, 0x104, 4), 0x6655);
	expect_eq(umbra_virtio__read(&v, 0x100, 8), 0x665544332211);
	expect_eq(umbra_virtio__read(&v, 0x1f8, 8), 0);
	wr(0x100, 0);
	expect_eq(umbra_virtio__read(&v, 0x100, 4), 0x44332211);
}

UNIT_TEST(features)
{
	start(false);
	wr(0x14, 0);
	expect_eq(rd(0x10), BIT(5) | BIT(29));
	wr(0x14, 1);
	expect_eq(rd(0x10), 1);
	wr(0x14, 2);
	expect_eq(rd(0x10), 0);
	wr(0x14, 0xffffffff);
	expect_eq(rd(0x10), 0);

	negotiate(BIT(5), 1);
	expect_eq(rd(0x70), 11);
	expect(umbra_virtio__has(&v, 5));
	expect(umbra_virtio__has(&v, UMBRA_VIRTIO_F_VERSION_1));
	expect(!umbra_virtio__has(&v, 29));
	/* They are settled. */
	wr(0x24, 0);
	wr(0x20, BIT(29));
	expect(!umbra_virtio__has(&v, 29));

	/* Something that was not offered; then without it. */
	wr(0x70, 0);
	negotiate(BIT(5) | BIT(6), 1);
	expect_eq(rd(0x70), 3);
	expect(!umbra_virtio__has(&v, 6));
	negotiate(0, 2);
	expect_eq(rd(0x70), 3);
	negotiate(BIT(29), 1);
	expect_eq(rd(0x70), 11);
	expect(!umbra_virtio__has(&v, 5));

	/* xv6 says nothing of the upper half. */
	wr(0x70, 0);
	wr(0x20, BIT(5));
	wr(0x70, 11);
	expect_eq(rd(0x70), 11);
	expect(umbra_virtio__has(&v, 5));
}

UNIT_TEST(status)
{
	start(false);
	negotiate(0, 1);
	expect(!umbra_virtio__running(&v));
	expect_eq(wr(0x70, 15), UMBRA_VIRTIO_NOTIFY);
	expect(umbra_virtio__running(&v));
	expect_eq(wr(0x70, 15), UMBRA_VIRTIO_NOTHING);
	/* A bit is cleared by a reset only. */
	wr(0x70, 0x80);
	expect_eq(rd(0x70), 0x8f);
	wr(0x70, 0x140);
	expect_eq(rd(0x70), 0x8f);

	umbra_virtio__broken(&v);
	expect_eq(rd(0x70), 0xcf);
	expect(!umbra_virtio__running(&v));
	expect_eq(rd(0x60), 2);
	expect(umbra_virtio__irq(&v));
	wr(0x70, 0x8f);
	expect_eq(rd(0x70), 0xcf);
	wr(0x64, 2);
	expect(!umbra_virtio__irq(&v));

	wr(0x70, 0);
	expect_eq(rd(0x70), 0);
	expect_eq(rd(0x60), 0);
	/* Before DRIVER_OK nobody is told (2.1.2). */
	umbra_virtio__broken(&v);
	expect_eq(rd(0x70), 0x40);
	expect(!umbra_virtio__irq(&v));
	/* The driver cannot set it. */
	wr(0x70, 0);
	wr(0x70, 0x41);
	expect_eq(rd(0x70), 1);
}

UNIT_TEST(interrupts)
{
	start(false);
	umbra_virtio__used(&v);
	expect_eq(rd(0x60), 1);
	expect(umbra_virtio__irq(&v));
	wr(0x64, 2);
	expect(umbra_virtio__irq(&v));
	wr(0x64, 1);
	expect(!umbra_virtio__irq(&v));
	expect_eq(rd(0x60), 0);
}

UNIT_TEST(a_queue)
{
	start(false);
	negotiate(BIT(29), 1);
	expect_eq(rd(0x34), UMBRA_VQ_MAX);
	expect_eq(rd(0x44), 0);
	set_queue(8, 0x180000010, 0x280000002, 0x380000004);
	expect_eq(rd(0x44), 1);
	expect_eq(v.queue[0].vq.num, 8);
	expect_eq(v.queue[0].vq.desc, 0x180000010);
	expect_eq(v.queue[0].vq.driver, 0x280000002);
	expect_eq(v.queue[0].vq.device, 0x380000004);
	expect(v.queue[0].vq.event_idx);
	expect(!v.queue[0].vq.indirect);
	/* In use, it stays as it is, and where it is. */
	v.queue[0].vq.last_avail = 5;
	wr(0x38, 16);
	wr(0x80, 0);
	wr(0x44, 1);
	expect_eq(v.queue[0].vq.num, 8);
	expect_eq(v.queue[0].vq.last_avail, 5);
	/* Legacy registers are not there. */
	wr(0x3c, 4096);
	wr(0x40, 0);
	expect_eq(rd(0x44), 1);
	expect_eq(rd(0x40), 0);
	expect_eq(wr(0x50, 0), UMBRA_VIRTIO_NOTIFY);
	/* Off, and on again: from the beginning. */
	wr(0x44, 0);
	expect_eq(rd(0x44), 0);
	wr(0x44, 1);
	expect_eq(v.queue[0].vq.last_avail, 0);

	/* There is no other. */
	wr(0x30, 1);
	expect_eq(rd(0x34), 0);
	expect_eq(rd(0x44), 0);
	wr(0x38, 4);
	wr(0x44, 1);
	expect_eq(rd(0x44), 0);
	wr(0x30, 0xffffffff);
	expect_eq(rd(0x34), 0);
	wr(0x30, 0);
	expect_eq(rd(0x44), 1);
	wr(0x70, 0);
	expect_eq(rd(0x44), 0);
	expect_eq(v.queue[0].num, 0);
}

UNIT_TEST(features_after_the_queue)
{
	/* A legacy driver may settle them as late as DRIVER_OK. */
	start(true);
	wr(0x28, 4096);
	wr(0x30, 0);
	wr(0x38, 8);
	wr(0x3c, 4096);
	wr(0x40, 0x80000);
	expect(!v.queue[0].vq.event_idx);
	wr(0x20, BIT(29));
	wr(0x70, 7);
	expect(v.queue[0].vq.event_idx);
}

UNIT_TEST(queues_that_cannot_be)
{
	static const struct {
		u32 num;
		u64 desc, driver, device;
	} t[] = {
		{ 0, 0x1000, 0x2000, 0x3000 },
		{ 7, 0x1000, 0x2000, 0x3000 },
		{ 512, 0x1000, 0x2000, 0x3000 },
		{ 0x10008, 0x1000, 0x2000, 0x3000 },
		{ 8, 0x1008, 0x2000, 0x3000 },
		{ 8, 0x1000, 0x2001, 0x3000 },
		{ 8, 0x1000, 0x2000, 0x3002 },
		{ 8, -16ULL, 0x2000, 0x3000 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		start(false);
		negotiate(0, 1);
		set_queue(t[i].num, t[i].desc, t[i].driver, t[i].device);
		expect_eq(rd(0x44), 0);
		expect_eq(rd(0x70), 0x4b);
	}
}

UNIT_TEST(legacy_queue)
{
	start(true);
	wr(0x28, 4096);
	/* The page size is set once, the reset comes after it (Linux). */
	wr(0x70, 0);
	wr(0x30, 0);
	expect_eq(rd(0x40), 0);
	expect_eq(rd(0x34), UMBRA_VQ_MAX);
	wr(0x38, 8);
	wr(0x3c, 4096);
	wr(0x40, 0x80123);
	expect_eq(rd(0x40), 0x80123);
	expect(v.queue[0].ready);
	expect_eq(v.queue[0].vq.desc, 0x80123000);
	expect_eq(v.queue[0].vq.driver, 0x80123080);
	expect_eq(v.queue[0].vq.device, 0x80124000);
	/* Modern registers are not there. */
	wr(0x44, 0);
	expect(v.queue[0].ready);
	expect_eq(rd(0x44), 0);
	wr(0x40, 0);
	expect(!v.queue[0].ready);

	/* An alignment that is none. */
	wr(0x3c, 0);
	wr(0x40, 1);
	expect(!v.queue[0].ready);
	expect_eq(rd(0x70), 0x40);
	wr(0x70, 0);
	wr(0x38, 8);
	wr(0x3c, 3);
	wr(0x40, 1);
	expect(!v.queue[0].ready);
	/* As far up as it goes. */
	wr(0x70, 0);
	wr(0x28, 0xffffffff);
	wr(0x38, 256);
	wr(0x3c, 0x80000000);
	wr(0x40, 0xffffffff);
	expect_eq(rd(0x40), 0xffffffff);
}

UNIT_TEST(what_disturbs)
{
	start(false);
	for (u32 i = 0; i < UMBRA_VIRTIO_SPAN; i += 4)
		expect_eq(umbra_virtio__disturbs(&v, i), i == 0x70 || i == 0x44);
	start(true);
	for (u32 i = 0; i < UMBRA_VIRTIO_SPAN; i += 4)
		expect_eq(umbra_virtio__disturbs(&v, i), i == 0x70 || i == 0x40);
}

/*
 * Whatever is written: a ready queue has a legal form, nothing but a disturbing
 * write changes what the device works on, and the identity stays.
 */
UNIT_TEST(anything_written)
{
	static const u32 often[] = { 0x38, 0x3c, 0x40, 0x44, 0x70, 0x80 };
	unsigned int readies = 0;

	for (unsigned int n = 0; n < 500000; n++) {
		struct umbra_virtio_queue was;
		u32 offset, val;
		bool running;

		if (n % 100 == 0)
			start(n % 200);
		was = v.queue[0];
		running = umbra_virtio__running(&v);
		offset = 4 * unit_rand_below(UMBRA_VIRTIO_SPAN / 4);
		if (unit_rand_below(3) == 0)
			offset = often[unit_rand_below(ARRAY_SIZE(often))];
		val = unit_rand_below(3) ? 1U << unit_rand_below(32) : unit_rand();
		umbra_virtio__write(&v, offset, val);
		if (!umbra_virtio__disturbs(&v, offset)) {
			expect_eq(v.queue[0].ready, was.ready);
			expect_mem_eq(&v.queue[0].vq, &was.vq, sizeof(was.vq));
			expect_eq(umbra_virtio__running(&v), running);
		}
		if (v.queue[0].ready) {
			readies++;
			expect(umbra_vq__num_legal(v.queue[0].vq.num));
			expect_eq(v.queue[0].vq.desc % 16, 0);
		}
		expect_eq(rd(0x00), 0x74726976);
		expect_eq(v.offered, OFFERED);
		rd(4 * unit_rand_below(UMBRA_VIRTIO_SPAN / 4));
	}
	expect(readies > 1000);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
