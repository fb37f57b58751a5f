// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/virtqueue.c
/*
 * The split virtqueue: chains of all shapes, everything that a hostile driver
 * may put into a ring, notifications, and rings of random bytes.
 */
#include "vring.h"

#define NUM	8

static struct umbra_vq vq;
static struct umbra_vq_chain chain;

static void start(u64 features)
{
	memset(ram, 0, sizeof(ram));
	unreadable = 0;
	require_eq(umbra_vq__init(&vq, NUM, DESC, AVAIL, USED), 0);
	umbra_vq__features(&vq, features);
}

static int pop(void)
{
	return umbra_vq__pop(&vq, &mem, &chain);
}

#define INDIRECT	BIT_ULL(UMBRA_VIRTIO_F_INDIRECT_DESC)
#define EVENT_IDX	BIT_ULL(UMBRA_VIRTIO_F_EVENT_IDX)

UNIT_TEST(sizes_and_places)
{
	u32 num, legal = 0;

	for (num = 0; num < 70000; num++)
		legal += umbra_vq__num_legal(num);
	expect_eq(legal, 9);	/* 1 2 4 ... 256 */
	expect(!umbra_vq__num_legal(0x80000000));

	expect_eq(umbra_vq__init(&vq, 3, DESC, AVAIL, USED), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 512, DESC, AVAIL, USED), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 8, DESC + 8, AVAIL, USED), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 8, DESC, AVAIL + 1, USED), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 8, DESC, AVAIL, USED + 2), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 8, -16ULL, AVAIL, USED), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 8, DESC, -2ULL, USED), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 8, DESC, AVAIL, -4ULL), -EINVAL);
	expect_eq(umbra_vq__init(&vq, 8, DESC, AVAIL + 2, USED + 4), 0);
}

UNIT_TEST(a_chain)
{
	start(0);
	expect_eq(pop(), 0);
	desc(5, DATA, 16, F_NEXT, 2);
	desc(2, DATA + 0x100, 512, F_NEXT, 7);
	desc(7, DATA + 0x400, 1024, F_NEXT | F_WRITE, 0);
	desc(0, DATA + 0x900, 1, F_WRITE, 99);
	offer(NUM, 5);
	require_eq(pop(), 1);
	expect_eq(chain.head, 5);
	expect_eq(chain.nr_out, 2);
	expect_eq(chain.nr_in, 2);
	expect_eq(chain.out_len, 528);
	expect_eq(chain.in_len, 1025);
	expect_eq(chain.seg[0].gpa, DATA);
	expect_eq(chain.seg[1].len, 512);
	expect_eq(chain.seg[2].gpa, DATA + 0x400);
	expect_eq(chain.seg[3].len, 1);
	expect_eq(pop(), 0);

	expect_eq(umbra_vq__push(&vq, &mem, 5, 77), 0);
	expect_eq(get16(USED + 2), 1);
	expect_eq(get32(USED + 4), 5);
	expect_eq(get32(USED + 8), 77);
}

/* Indices are 16 bits and wrap; the ring is smaller. */
UNIT_TEST(around_the_ring)
{
	u32 i;

	start(0);
	desc(3, DATA, 4, 0, 0);
	desc(4, DATA, 8, F_WRITE, 0);
	for (i = 0; i < 0x20010; i++) {
		u16 head = 3 + i % 2;

		offer(NUM, head);
		require_eq(pop(), 1);
		require_eq(chain.head, head);
		require_eq(umbra_vq__push(&vq, &mem, head, i), 0);
		require_eq(get16(USED + 2), (u16)(i + 1));
		require_eq(get32(USED + 4 + 8 * (i % NUM)), head);
		require_eq(get32(USED + 8 + 8 * (i % NUM)), i);
	}
	expect_eq(pop(), 0);
}

UNIT_TEST(data)
{
	u8 buf[64], back[64];
	unsigned int i;

	start(0);
	for (i = 0; i < 64; i++)
		buf[i] = i + 1;
	memcpy(at(DATA, 10, true), buf, 10);
	memcpy(at(DATA + 0x50, 1, true), buf + 10, 1);
	memcpy(at(DATA + 0x80, 30, true), buf + 11, 30);
	desc(0, DATA, 10, F_NEXT, 1);
	desc(1, DATA + 0x50, 1, F_NEXT, 2);
	desc(2, DATA + 0x80, 30, F_NEXT, 3);
	desc(3, DATA + 0x200, 7, F_NEXT | F_WRITE, 4);
	desc(4, DATA + 0x300, 20, F_WRITE, 0);
	offer(NUM, 0);
	require_eq(pop(), 1);
	expect_eq(umbra_vq__get(&mem, &chain, 0, back, 41), 0);
	expect_mem_eq(back, buf, 41);
	expect_eq(umbra_vq__get(&mem, &chain, 9, back, 3), 0);
	expect_mem_eq(back, buf + 9, 3);
	expect_eq(umbra_vq__get(&mem, &chain, 40, back, 1), 0);
	expect_eq(back[0], 41);
	expect_eq(umbra_vq__get(&mem, &chain, 40, back, 2), -EFAULT);
	expect_eq(umbra_vq__get(&mem, &chain, ~0ULL, back, 1), -EFAULT);

	expect_eq(umbra_vq__put(&mem, &chain, 5, buf, 22), 0);
	expect_mem_eq(at(DATA + 0x205, 2, false), buf, 2);
	expect_mem_eq(at(DATA + 0x300, 20, false), buf + 2, 20);
	expect_eq(get16(DATA + 0x203), 0);
	expect_eq(umbra_vq__put(&mem, &chain, 6, buf, 22), -EFAULT);
	expect_eq(umbra_vq__put(&mem, &chain, 27, buf, 0), 0);

	/* Memory that went away after it was looked at. */
	unreadable = DATA + 0x305;
	expect_eq(umbra_vq__put(&mem, &chain, 0, buf, 27), -EFAULT);
	unreadable = 0;
}

UNIT_TEST(indirect)
{
	u64 table = DATA + 0x1000;
	unsigned int i;

	start(INDIRECT);
	desc(0, DATA, 16, F_NEXT, 1);
	/* WRITE means nothing here (2.7.5.3.2). */
	desc(1, table, 3 * 16, F_INDIRECT | F_WRITE, 0);
	put_desc(table, 0, DATA + 0x100, 5, F_NEXT, 2);
	put_desc(table, 2, DATA + 0x200, 6, F_WRITE, 0);
	offer(NUM, 0);
	require_eq(pop(), 1);
	expect_eq(chain.nr_out, 2);
	expect_eq(chain.out_len, 21);
	expect_eq(chain.in_len, 6);

	/* Longer than the ring, as long as allowed. */
	desc(0, table, 16 * UMBRA_VQ_MAX, F_INDIRECT, 0);
	for (i = 0; i < UMBRA_VQ_MAX; i++)
		put_desc(table, i, DATA, 1, i + 1 < UMBRA_VQ_MAX ? F_NEXT : 0,
			 i + 1);
	offer(NUM, 0);
	require_eq(pop(), 1);
	expect_eq(chain.nr_out, UMBRA_VQ_MAX);
	expect_eq(chain.out_len, UMBRA_VQ_MAX);
}

/* Each case in a ring of its own: descriptor 0 is the chain's head. */
UNIT_TEST(malformed_chains)
{
	static const struct {
		const char *what;
		u64 features;
		u64 addr;
		u32 len;
		u16 flags;
		u16 next;
	} t[] = {
		{ "no memory there", 0, HOLE_GPA, 16, 0, 0 },
		{ "begins in memory", 0, RAM + RAM_SIZE - 8, 9, 0, 0 },
		{ "wraps", 0, -8ULL, 16, 0, 0 },
		{ "wraps to memory", 0, RAM, 0xffffffff, 0, 0 },
		{ "address zero", 0, 0, 1, 0, 0 },
		{ "empty", 0, DATA, 0, 0, 0 },
		{ "read-only memory is written", 0, ROM, 8, F_WRITE, 0 },
		{ "a loop of one", 0, DATA, 1, F_NEXT, 0 },
		{ "next outside of the table", 0, DATA, 1, F_NEXT, NUM },
		{ "next far outside", 0, DATA, 1, F_NEXT, 0xffff },
		{ "indirect, not negotiated", 0, DATA, 16, F_INDIRECT, 0 },
		{ "indirect and next", INDIRECT, DATA, 16, F_INDIRECT | F_NEXT, 1 },
		{ "indirect, empty", INDIRECT, DATA, 0, F_INDIRECT, 0 },
		{ "indirect, half a descriptor", INDIRECT, DATA, 24, F_INDIRECT, 0 },
		{ "indirect, too long", INDIRECT, DATA, 16 * (UMBRA_VQ_MAX + 1),
		  F_INDIRECT, 0 },
		{ "indirect, no memory", INDIRECT, HOLE_GPA, 16, F_INDIRECT, 0 },
		{ "indirect, wraps", INDIRECT, -16ULL, 32, F_INDIRECT, 0 },
		{ "indirect, zeros in it", INDIRECT, DATA, 16, F_INDIRECT, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		start(t[i].features);
		desc(0, t[i].addr, t[i].len, t[i].flags, t[i].next);
		offer(NUM, 0);
		guest_reads = 0;
		if (!expect_eq(pop(), -EINVAL))
			printf("# %s\n", t[i].what);
		expect(guest_reads < 2 * UMBRA_VQ_MAX);
	}
}

UNIT_TEST(malformed_rings)
{
	unsigned int i;

	/* A head outside of the table. */
	start(0);
	offer(NUM, NUM);
	expect_eq(pop(), -EINVAL);
	/* More available than the ring holds. */
	start(0);
	put16(AVAIL + 2, NUM + 1);
	expect_eq(pop(), -EINVAL);
	start(0);
	put16(AVAIL + 2, 0xffff);
	expect_eq(pop(), -EINVAL);
	/* A loop through the whole table. */
	start(0);
	for (i = 0; i < NUM; i++)
		desc(i, DATA, 1, F_NEXT, (i + 1) % NUM);
	offer(NUM, 3);
	expect_eq(pop(), -EINVAL);
	/* Readable behind writable. */
	start(0);
	desc(0, DATA, 1, F_WRITE | F_NEXT, 1);
	desc(1, DATA, 1, 0, 0);
	offer(NUM, 0);
	expect_eq(pop(), -EINVAL);
	/* Indirect inside indirect, and one that leads back to its beginning. */
	start(INDIRECT);
	desc(0, DATA, 32, F_INDIRECT, 0);
	put_desc(DATA, 0, DATA, 32, F_INDIRECT, 0);
	offer(NUM, 0);
	expect_eq(pop(), -EINVAL);
	put_desc(DATA, 0, DATA, 4, F_NEXT, 1);
	put_desc(DATA, 1, DATA, 4, F_NEXT, 0);
	expect_eq(pop(), -EINVAL);
	/* Together more pieces than a chain may have. */
	start(INDIRECT);
	desc(0, DATA, 1, F_NEXT, 1);
	desc(1, DATA, 16 * UMBRA_VQ_MAX, F_INDIRECT, 0);
	for (i = 0; i < UMBRA_VQ_MAX; i++)
		put_desc(DATA, i, DATA, 1, i + 1 < UMBRA_VQ_MAX ? F_NEXT : 0,
			 i + 1);
	offer(NUM, 0);
	expect_eq(pop(), -EINVAL);
	/* No memory for the rings themselves. */
	require_eq(umbra_vq__init(&vq, NUM, DESC, HOLE_GPA, USED), 0);
	expect_eq(pop(), -EINVAL);
	expect_eq(umbra_vq__wants_irq(&vq, &mem), -EINVAL);
	require_eq(umbra_vq__init(&vq, NUM, DESC, AVAIL, HOLE_GPA), 0);
	expect_eq(umbra_vq__push(&vq, &mem, 0, 0), -EINVAL);
	expect_eq(umbra_vq__quiet(&vq, &mem), -EINVAL);
	expect_eq(umbra_vq__listen(&vq, &mem), -EINVAL);
	start(0);
	vq.desc = HOLE_GPA;
	offer(NUM, 0);
	expect_eq(pop(), -EINVAL);
	/* The table ends in memory, but not all of it is there. */
	vq.desc = RAM + RAM_SIZE - 16;
	expect_eq(pop(), -EINVAL);
}

static bool anywhere(void *opaque, u64 gpa, u64 len, bool write)
{
	return true;
}

UNIT_TEST(more_than_4_gib)
{
	struct umbra_vq_mem all = mem;

	all.valid = anywhere;
	start(0);
	desc(0, DATA, 0x80000000, F_NEXT, 1);
	desc(1, DATA, 0x80000000, 0, 0);
	offer(NUM, 0);
	expect_eq(umbra_vq__pop(&vq, &all, &chain), 1);
	expect_eq(chain.out_len, 1ULL << 32);
	desc(1, DATA, 0x80000001, F_WRITE, 0);
	offer(NUM, 0);
	expect_eq(umbra_vq__pop(&vq, &all, &chain), -EINVAL);
}

UNIT_TEST(interrupts_by_flag)
{
	start(0);
	expect_eq(umbra_vq__push(&vq, &mem, 0, 0), 0);
	expect_eq(umbra_vq__wants_irq(&vq, &mem), 1);
	put16(AVAIL, 1);
	expect_eq(umbra_vq__wants_irq(&vq, &mem), 0);
	put16(AVAIL, 0xfffe);
	expect_eq(umbra_vq__wants_irq(&vq, &mem), 1);
}

UNIT_TEST(interrupts_by_index)
{
	const u64 used_event = AVAIL + 4 + 2 * NUM;
	u32 i;

	start(EVENT_IDX);
	/* Flags mean nothing any more. */
	put16(AVAIL, 1);
	put16(used_event, 0);
	expect_eq(umbra_vq__push(&vq, &mem, 0, 0), 0);
	expect_eq(umbra_vq__wants_irq(&vq, &mem), 1);
	/* Not before the index passes the mark; through the wrap, too. */
	for (i = 1; i < 0x18000; i++) {
		u16 mark = i | 3;

		put16(used_event, mark);
		require_eq(umbra_vq__push(&vq, &mem, 0, 0), 0);
		require_eq(umbra_vq__wants_irq(&vq, &mem), (u16)i == mark);
	}
	/* Several at once: one of them passed it. */
	put16(used_event, vq.used + 1);
	for (i = 0; i < 3; i++)
		umbra_vq__push(&vq, &mem, 0, 0);
	expect_eq(umbra_vq__wants_irq(&vq, &mem), 1);
	expect_eq(umbra_vq__wants_irq(&vq, &mem), 0);
}

UNIT_TEST(notifications)
{
	const u64 avail_event = USED + 4 + 8 * NUM;

	start(0);
	expect_eq(umbra_vq__quiet(&vq, &mem), 0);
	expect_eq(get16(USED), 1);
	expect_eq(umbra_vq__listen(&vq, &mem), 0);
	expect_eq(get16(USED), 0);
	/* What came meanwhile is seen, as nobody is going to notify. */
	umbra_vq__quiet(&vq, &mem);
	desc(0, DATA, 1, 0, 0);
	offer(NUM, 0);
	expect_eq(umbra_vq__listen(&vq, &mem), 1);
	expect_eq(pop(), 1);
	expect_eq(umbra_vq__listen(&vq, &mem), 0);
	put16(AVAIL + 2, 0x7777);
	expect_eq(umbra_vq__listen(&vq, &mem), -EINVAL);

	start(EVENT_IDX);
	desc(0, DATA, 1, 0, 0);
	offer(NUM, 0);
	require_eq(pop(), 1);
	expect_eq(umbra_vq__quiet(&vq, &mem), 0);
	expect_eq(get16(USED), 0);
	expect_eq(get16(avail_event), 0);
	expect_eq(umbra_vq__listen(&vq, &mem), 0);
	expect_eq(get16(avail_event), 1);
}

/* A driver that writes anything anywhere: nothing outside of memory is used. */
UNIT_TEST(random_rings)
{
	unsigned int popped = 0, refused = 0;

	for (unsigned int n = 0; n < 200000; n++) {
		u64 features = unit_rand() & (INDIRECT | EVENT_IDX);
		unsigned int i, steps;

		if (n % 64 == 0)
			start(features);
		umbra_vq__features(&vq, features);
		for (i = unit_rand_below(6); i; i--) {
			u64 table = unit_rand_below(2) ? DESC : DATA;
			u64 addr = unit_rand_below(8) ? DATA + unit_rand_below(0x100) * 16 :
				unit_rand();

			put_desc(table, unit_rand_below(NUM), addr,
				 unit_rand_below(16) ? 16 * unit_rand_below(9) : unit_rand(),
				 unit_rand() & unit_rand() & 7, unit_rand_below(NUM + 1));
		}
		if (unit_rand_below(50))
			offer(NUM, unit_rand_below(NUM + (n % 8 == 0)));
		else
			put16(AVAIL + 2, unit_rand());
		for (steps = 0; steps < 2 * NUM; steps++) {
			int ret;

			guest_reads = 0;
			ret = pop();
			expect(guest_reads <= 3 + NUM + UMBRA_VQ_MAX);
			refused += ret < 0;
			if (ret <= 0)
				break;
			popped++;
			for (i = 0; i < chain.nr_out + chain.nr_in; i++)
				require(at(chain.seg[i].gpa, chain.seg[i].len,
					   i >= chain.nr_out) && chain.seg[i].len);
			umbra_vq__push(&vq, &mem, chain.head, 0);
			umbra_vq__wants_irq(&vq, &mem);
		}
		/* The device would be reset now. */
		if (refused % 2)
			start(features);
	}
	expect(popped > 10000);
	expect(refused > 10000);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
