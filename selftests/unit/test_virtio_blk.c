// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/virtio_blk.c ../../vdev/virtio_mmio.c ../../vdev/virtqueue.c
/*
 * The block device: every request, by a driver that behaves, by one that does
 * not, and by one that throws dice; what is on the disk is compared with a
 * model, and not a byte outside the requested range may change.
 */
#include "vring.h"
#include "../../vdev/virtio_blk.h"

#define NUM		16
#define SECTORS		64
#define DISK		(SECTORS * 512)
#define GUARD		4096
#define BUF		2048	/* small, so that requests take several pieces */

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NO_STATUS = 0xee };

static u8 medium[GUARD + DISK + GUARD], *const disk = medium + GUARD;
static struct umbra_blk blk;
static u8 bounce[BUF];
static struct {
	unsigned int flushes, stable, discards, unmaps, writes;
	int error;		/* what the medium returns */
	int stop_after;		/* pieces; -1: never */
	u64 touched, touched_end;	/* bytes of the disk that changed */
} m;

static bool inside(u64 offset, u64 len)
{
	return expect(len && offset % 512 == 0 && len % 512 == 0 &&
		      offset + len <= DISK && offset + len > offset);
}

static void touch(u64 offset, u64 len)
{
	m.touched = min(m.touched, offset);
	m.touched_end = max(m.touched_end, offset + len);
}

static int m_read(void *opaque, u64 offset, void *to, u32 len)
{
	if (m.error || !inside(offset, len))
		return -EIO;
	memcpy(to, disk + offset, len);
	return 0;
}

static int m_write(void *opaque, u64 offset, const void *from, u32 len, bool stable)
{
	expect(!blk.readonly);
	if (m.error || !inside(offset, len))
		return -EIO;
	touch(offset, len);
	memcpy(disk + offset, from, len);
	m.writes++;
	m.stable += stable;
	return 0;
}

static int m_flush(void *opaque)
{
	m.flushes++;
	return m.error;
}

static int m_discard(void *opaque, u64 offset, u64 len)
{
	expect(!blk.readonly);
	if (m.error || !inside(offset, len))
		return m.error;
	touch(offset, len);
	memset(disk + offset, 0xdd, len);
	m.discards++;
	return 0;
}

static int m_zero(void *opaque, u64 offset, u64 len, bool unmap, bool stable)
{
	expect(!blk.readonly);
	if (m.error || !inside(offset, len))
		return m.error;
	touch(offset, len);
	memset(disk + offset, 0, len);
	m.unmaps += unmap;
	m.stable += stable;
	return 0;
}

static bool m_stopping(void *opaque)
{
	return m.stop_after >= 0 && m.stop_after-- == 0;
}

#define ALL	(~0ULL)

static void start_as(bool readonly, bool discards, u64 features)
{
	struct umbra_virtio *v = &blk.virtio;

	memset(ram, 0, sizeof(ram));
	memset(&m, 0, sizeof(m));
	m.stop_after = -1;
	unreadable = 0;
	for (unsigned int i = 0; i < sizeof(medium); i++)
		medium[i] = i * 7 + i / 512;
	blk = (struct umbra_blk) {
		.medium = {
			.read = m_read, .write = m_write, .flush = m_flush,
			.discard = m_discard, .zero = m_zero,
			.stopping = m_stopping,
		},
		.mem = mem, .capacity = SECTORS, .block = 512,
		.readonly = readonly, .discards = discards,
		.serial = "a serial", .buf = bounce, .buf_len = BUF,
	};
	umbra_blk__init(&blk, false);
	v->features = v->offered & features;
	require_eq(umbra_vq__init(&v->queue[0].vq, NUM, DESC, AVAIL, USED), 0);
	umbra_vq__features(&v->queue[0].vq, v->features);
}

static void start(u64 features)
{
	start_as(false, true, features);
}

static void header(u64 gpa, u32 type, u64 sector)
{
	u32 words[4] = { type, 0, sector, sector >> 32 };

	memcpy(at(gpa, 16, true), words, 16);
}

#define HEADER	(DATA)
#define STATUS	(DATA + 0x20)
#define BODY	(DATA + 0x1000)

static enum umbra_blk_served serve(void)
{
	return umbra_blk__serve(&blk, &blk.virtio.queue[0].vq);
}

/*
 * One request the usual way: header, body of @len bytes, status.  Returns the
 * status; *@used is what the used ring says was written.
 */
static u8 request(u32 type, u64 sector, u32 len, bool in, u32 *used)
{
	u16 idx = get16(USED + 2);

	header(HEADER, type, sector);
	*at(STATUS, 1, true) = NO_STATUS;
	desc(0, HEADER, 16, F_NEXT, len ? 1 : 2);
	desc(1, BODY, len, F_NEXT | (in ? F_WRITE : 0), 2);
	desc(2, STATUS, 1, F_WRITE, 0);
	offer(NUM, 0);
	require_eq(serve(), UMBRA_BLK_DONE);
	require_eq(get16(USED + 2), (u16)(idx + 1));
	if (used)
		*used = get32(USED + 8 + 8 * (idx % NUM));
	return *at(STATUS, 1, false);
}

static void range(unsigned int i, u64 sector, u32 sectors, u32 flags)
{
	u32 words[4] = { sector, sector >> 32, sectors, flags };

	memcpy(at(BODY + 16 * i, 16, true), words, 16);
}

/* Did anything change but [from, to) sectors? */
static void expect_only(unsigned int from, unsigned int to)
{
	unsigned int changed = 0;

	for (unsigned int i = 0; i < sizeof(medium); i++)
		if ((i < GUARD + from * 512 || i >= GUARD + to * 512) &&
		    medium[i] != (u8)(i * 7 + i / 512))
			changed++;
	expect_eq(changed, 0);
}

UNIT_TEST(what_is_offered)
{
	const u64 always = BIT_ULL(28) | BIT_ULL(29) | BIT(2) | BIT(6) | BIT(9);
	u8 c[UMBRA_BLK_CONFIG];

	start(ALL);
	expect_eq(blk.virtio.offered,
		  always | BIT_ULL(32) | BIT(13) | BIT(14));
	memcpy(c, blk.virtio.config, sizeof(c));
	expect_eq(c[0], SECTORS);
	expect_eq(c[12] | c[13] << 8, 254);
	expect_eq(c[20] | c[21] << 8, 512);
	expect_eq(c[44], 1);
	expect_eq(c[56], 1);
	start_as(true, true, ALL);
	expect_eq(blk.virtio.offered, always | BIT_ULL(32) | BIT(5));
	expect_eq(blk.virtio.config[40], 0);
	start_as(false, false, ALL);
	expect_eq(blk.virtio.offered, always | BIT_ULL(32) | BIT(14));
	umbra_blk__init(&blk, true);
	expect_eq(blk.virtio.offered, always | BIT(14));
	expect_eq(umbra_virtio__read(&blk.virtio, 4, 4), 1);
}

UNIT_TEST(reading_and_writing)
{
	u32 used;

	start(ALL);
	expect_eq(request(IN, 3, 5 * 512, true, &used), OK);
	expect_eq(used, 5 * 512 + 1);
	expect_mem_eq(at(BODY, 5 * 512, false), disk + 3 * 512, 5 * 512);
	for (unsigned int i = 0; i < 9 * 512; i++)
		*at(BODY + i, 1, true) = i ^ 0x5a;
	expect_eq(request(OUT, 10, 9 * 512, false, &used), OK);
	expect_eq(used, 1);
	expect_mem_eq(disk + 10 * 512, at(BODY, 9 * 512, false), 9 * 512);
	expect_only(10, 19);
	expect_eq(m.stable, 0);
	/* The whole disk, its last sector, nothing at all. */
	expect_eq(request(IN, 0, DISK, true, NULL), OK);
	expect_eq(request(IN, SECTORS - 1, 512, true, NULL), OK);
	expect_eq(request(IN, 0, 0, true, &used), OK);
	expect_eq(used, 1);
	expect_eq(request(OUT, SECTORS, 0, false, NULL), OK);
}

UNIT_TEST(beyond_the_end)
{
	static const u64 sectors[] = {
		SECTORS, SECTORS - 1, SECTORS + 1, 1ULL << 55, ~0ULL, ~0ULL - 1,
		(1ULL << 55) - 1, -SECTORS, 0x80000000, 0xffffffff,
	};
	u32 used;

	start(ALL);
	for (unsigned int i = 0; i < ARRAY_SIZE(sectors); i++) {
		expect_eq(request(IN, sectors[i], 1024, true, &used), IOERR);
		expect_eq(used, 0);
		expect_eq(request(OUT, sectors[i], 1024, false, NULL), IOERR);
		range(0, sectors[i], 2, 0);
		expect_eq(request(DISCARD, 0, 16, false, NULL), IOERR);
		expect_eq(request(ZEROES, 0, 16, false, NULL), IOERR);
	}
	expect_eq(request(IN, 0, DISK + 512, true, NULL), IOERR);
	/* Not whole sectors. */
	expect_eq(request(IN, 0, 511, true, NULL), IOERR);
	expect_eq(request(OUT, 0, 513, false, NULL), IOERR);
	expect_only(0, 0);
	expect_eq(m.writes, 0);
}

UNIT_TEST(read_only)
{
	start_as(true, true, ALL);
	expect_eq(request(OUT, 0, 512, false, NULL), IOERR);
	range(0, 0, 2, 0);
	expect_eq(request(DISCARD, 0, 16, false, NULL), UNSUPP);
	expect_eq(request(ZEROES, 0, 16, false, NULL), UNSUPP);
	expect_eq(request(IN, 0, 512, true, NULL), OK);
	expect_eq(request(FLUSH, 0, 0, false, NULL), OK);
	expect_only(0, 0);
}

UNIT_TEST(flush)
{
	start(ALL);
	expect_eq(request(FLUSH, 0, 0, false, NULL), OK);
	expect_eq(m.flushes, 1);
	m.error = -EIO;
	expect_eq(request(FLUSH, 0, 0, false, NULL), IOERR);

	/* A driver that does not ask for it: each write is safe at once. */
	start(ALL & ~BIT(UMBRA_BLK_F_FLUSH));
	expect_eq(request(FLUSH, 0, 0, false, NULL), UNSUPP);
	expect_eq(m.flushes, 0);
	expect_eq(request(OUT, 0, 4 * BUF, false, NULL), OK);
	expect_eq(m.stable, 4);
	range(0, 0, 1, 0);
	expect_eq(request(ZEROES, 0, 16, false, NULL), OK);
	expect_eq(m.stable, 5);
}

UNIT_TEST(identifier)
{
	static const u8 id[20] = "a serial";
	u32 used;

	start(ALL);
	memset(at(BODY, 64, true), 0xff, 64);
	expect_eq(request(GET_ID, 0, 20, true, &used), OK);
	expect_eq(used, 21);
	expect_mem_eq(at(BODY, 20, false), id, 20);
	expect_eq(*at(BODY + 20, 1, false), 0xff);
	expect_eq(request(GET_ID, 0, 40, true, &used), OK);
	expect_eq(used, 20);
	memset(at(BODY, 64, true), 0xff, 64);
	expect_eq(request(GET_ID, 0, 3, true, &used), OK);
	expect_eq(used, 4);
	expect_eq(*at(BODY + 3, 1, false), 0xff);
	memcpy(blk.serial, "12345678901234567890", 20);
	expect_eq(request(GET_ID, 0, 20, true, NULL), OK);
	expect_mem_eq(at(BODY, 20, false), "12345678901234567890", 20);
}

UNIT_TEST(discard_and_zeroes)
{
	unsigned int i;

	start(ALL);
	range(0, 5, 2, 0);
	expect_eq(request(DISCARD, 0, 16, false, NULL), OK);
	expect_eq(disk[5 * 512], 0xdd);
	expect_only(5, 7);
	range(0, 5, 3, 0);
	expect_eq(request(ZEROES, 0, 16, false, NULL), OK);
	range(0, 8, 1, 1);
	expect_eq(request(ZEROES, 0, 16, false, NULL), OK);
	expect_eq(m.unmaps, 1);
	for (i = 5 * 512; i < 9 * 512; i++)
		expect_eq(disk[i], 0);
	expect_only(5, 9);
	/* Many at once, as many as there may be, one more. */
	for (i = 0; i <= UMBRA_BLK_RANGES; i++)
		range(i, 5 + i % 4, 1, 0);
	expect_eq(request(DISCARD, 0, 16 * UMBRA_BLK_RANGES, false, NULL), OK);
	expect_eq(m.discards, 1 + UMBRA_BLK_RANGES);
	expect_eq(request(DISCARD, 0, 16 * (UMBRA_BLK_RANGES + 1), false, NULL), IOERR);
	/* No range, half of one, an empty one. */
	expect_eq(request(DISCARD, 0, 0, false, NULL), IOERR);
	expect_eq(request(DISCARD, 0, 24, false, NULL), IOERR);
	range(0, SECTORS, 0, 0);
	expect_eq(request(ZEROES, 0, 16, false, NULL), OK);
	/* Flags (5.2.6.2); unmap is for zeroes only. */
	range(0, 20, 1, 1);
	expect_eq(request(DISCARD, 0, 16, false, NULL), UNSUPP);
	range(0, 20, 1, 2);
	expect_eq(request(DISCARD, 0, 16, false, NULL), UNSUPP);
	expect_eq(request(ZEROES, 0, 16, false, NULL), UNSUPP);
	/* One bad range, and nothing is done. */
	range(0, 20, 1, 0);
	range(1, SECTORS - 1, 2, 0);
	expect_eq(request(ZEROES, 0, 32, false, NULL), IOERR);
	range(1, 0, UMBRA_BLK_RANGE_MAX + 1, 0);
	expect_eq(request(DISCARD, 0, 32, false, NULL), IOERR);
	expect_only(5, 9);

	m.error = -EOPNOTSUPP;
	expect_eq(request(DISCARD, 0, 16, false, NULL), UNSUPP);
	m.error = -EIO;
	expect_eq(request(ZEROES, 0, 16, false, NULL), IOERR);

	/* Not asked for, not there. */
	start(ALL & ~BIT(UMBRA_BLK_F_DISCARD) & ~BIT(UMBRA_BLK_F_WRITE_ZEROES));
	range(0, 0, 1, 0);
	expect_eq(request(DISCARD, 0, 16, false, NULL), UNSUPP);
	expect_eq(request(ZEROES, 0, 16, false, NULL), UNSUPP);
	expect_only(0, 0);
}

UNIT_TEST(unknown_types)
{
	static const u32 types[] = { 2, 3, 5, 7, 9, 10, 12, 14, 0x80000000, ~0U };

	start(ALL);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++)
		expect_eq(request(types[i], 0, 512, true, NULL), UNSUPP);
	expect_only(0, 0);
}

UNIT_TEST(errors_of_the_medium)
{
	u32 used;

	start(ALL);
	m.error = -EIO;
	expect_eq(request(IN, 0, 512, true, &used), IOERR);
	expect_eq(used, 0);
	expect_eq(request(OUT, 0, 512, false, NULL), IOERR);
}

/* Header and status may be spread as the driver likes (2.7.4). */
UNIT_TEST(any_layout)
{
	start(ALL);
	header(HEADER, IN, 7);
	desc(0, HEADER, 3, F_NEXT, 1);
	desc(1, HEADER + 3, 13, F_NEXT, 2);
	desc(2, BODY, 100, F_NEXT | F_WRITE, 3);
	desc(3, BODY + 200, 413, F_WRITE, 0);	/* 412 of data, the status */
	*at(BODY + 612, 1, true) = NO_STATUS;
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_DONE);
	expect_eq(*at(BODY + 612, 1, false), OK);
	expect_mem_eq(at(BODY, 100, false), disk + 7 * 512, 100);
	expect_mem_eq(at(BODY + 200, 412, false), disk + 7 * 512 + 100, 412);

	header(HEADER, OUT, 9);
	memset(at(HEADER + 16, 512, true), 0x77, 512);
	desc(0, HEADER, 16 + 512, F_NEXT, 1);
	desc(1, STATUS + 0x400, 1, F_WRITE, 0);
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_DONE);
	expect_eq(disk[9 * 512], 0x77);
	expect_eq(disk[10 * 512 - 1], 0x77);
	expect_only(9, 10);
}

UNIT_TEST(malformed_requests)
{
	/* No room for the status. */
	start(ALL);
	header(HEADER, OUT, 0);
	desc(0, HEADER, 16 + 512, 0, 0);
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_BROKEN);
	/* Half a header. */
	start(ALL);
	desc(0, HEADER, 15, F_NEXT, 1);
	desc(1, STATUS, 1, F_WRITE, 0);
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_BROKEN);
	/* No header at all. */
	start(ALL);
	desc(0, STATUS, 1, F_WRITE, 0);
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_BROKEN);
	/* Data outside of RAM: the disk is not touched, whatever is inside. */
	start(ALL);
	header(HEADER, OUT, 0);
	desc(0, HEADER, 16, F_NEXT, 1);
	desc(1, BODY, 512, F_NEXT, 2);
	desc(2, HOLE_GPA, 512, F_NEXT, 3);
	desc(3, STATUS, 1, F_WRITE, 0);
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_BROKEN);
	expect_only(0, 0);
	expect_eq(get16(USED + 2), 0);
	/* Memory that goes away in the middle. */
	start(ALL);
	header(HEADER, IN, 0);
	desc(0, HEADER, 16, F_NEXT, 1);
	desc(1, BODY, 4 * BUF, F_NEXT | F_WRITE, 2);
	desc(2, STATUS, 1, F_WRITE, 0);
	unreadable = BODY + 3 * BUF;
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_BROKEN);
}

UNIT_TEST(stopping)
{
	start(ALL);
	header(HEADER, OUT, 0);
	memset(at(BODY, 4 * BUF, true), 0x33, 4 * BUF);
	desc(0, HEADER, 16, F_NEXT, 1);
	desc(1, BODY, 4 * BUF, F_NEXT, 2);
	desc(2, STATUS, 1, F_WRITE, 0);
	offer(NUM, 0);
	m.stop_after = 2;
	expect_eq(serve(), UMBRA_BLK_STOPPED);
	expect_eq(m.writes, 2);
	expect_only(0, 2 * BUF / 512);
	expect_eq(get16(USED + 2), 0);
	m.stop_after = 0;
	header(HEADER, IN, 0);
	desc(1, BODY, 512, F_NEXT | F_WRITE, 2);
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_STOPPED);
	m.stop_after = 0;
	header(HEADER, ZEROES, 0);
	range(0, 0, 1, 0);
	desc(1, BODY, 16, F_NEXT, 2);
	offer(NUM, 0);
	expect_eq(serve(), UMBRA_BLK_STOPPED);
}

/*
 * A driver that throws dice, and now and then breaks what it has prepared.  Of
 * a request that is whole, status and effect are predicted; of all of them,
 * what may be touched is.
 */
struct dice {
	u32 type;
	u64 sector;
	u32 len;
	u32 range_sectors;
	u32 range_flags;
	bool hostile;
};

static struct dice throw_dice(void)
{
	static const u32 types[] = { IN, OUT, OUT, FLUSH, GET_ID, DISCARD, ZEROES, 99 };
	struct dice d = {
		.type = types[unit_rand_below(ARRAY_SIZE(types))],
		.sector = unit_rand_below(16) ? unit_rand_below(SECTORS + 4) : unit_rand(),
		.len = 512 * unit_rand_below(12),
		.range_sectors = unit_rand_below(5),
		.range_flags = unit_rand_below(8) ? 0 : unit_rand_below(4),
	};

	if (d.type == DISCARD || d.type == ZEROES)
		d.len = 16;
	else if (unit_rand_below(20) == 0)
		d.len = unit_rand_below(6000);
	return d;
}

static void prepare(struct dice *d)
{
	bool in = d->type == IN || d->type == GET_ID;
	unsigned int head = 0;

	for (u32 i = 0; i < d->len; i += 64)
		memcpy(at(BODY + i, 8, true), (u64[]) { unit_rand() }, 8);
	if (d->len == 16)
		range(0, d->sector, d->range_sectors, d->range_flags);
	header(HEADER, d->type, d->sector);
	*at(STATUS, 1, true) = NO_STATUS;
	desc(0, HEADER, 16, F_NEXT, d->len ? 1 : 2);
	desc(1, BODY, d->len, F_NEXT | (in ? F_WRITE : 0), 2);
	desc(2, STATUS, 1, F_WRITE, 0);
	if (unit_rand_below(10) == 0) {
		put16(DESC + 2 * unit_rand_below(24), unit_rand());
		d->hostile = true;
	}
	if (unit_rand_below(50) == 0) {
		head = unit_rand_below(NUM + 1);
		d->hostile = true;
	}
	offer(NUM, head);
}

static u8 predict(const struct dice *d)
{
	u64 sectors = d->type == IN || d->type == OUT ? d->len / 512 : d->range_sectors;
	bool fits = d->sector <= SECTORS && sectors <= SECTORS - d->sector;

	switch (d->type) {
	case IN:
	case OUT:
		return fits && d->len % 512 == 0 ? OK : IOERR;
	case FLUSH:
		return blk.virtio.features & BIT(UMBRA_BLK_F_FLUSH) ? OK : UNSUPP;
	case GET_ID:
		return OK;
	case DISCARD:
		if (!(blk.virtio.features & BIT(UMBRA_BLK_F_DISCARD)) || d->range_flags)
			return UNSUPP;
		return fits ? OK : IOERR;
	case ZEROES:
		if (!(blk.virtio.features & BIT(UMBRA_BLK_F_WRITE_ZEROES)) ||
		    (d->range_flags & ~1))
			return UNSUPP;
		return fits ? OK : IOERR;
	default:
		return UNSUPP;
	}
}

/* Is the effect of a request that was predicted to be fine there? */
static void expect_effect(const struct dice *d)
{
	u64 offset = d->sector * 512;

	switch (d->type) {
	case IN:
	case OUT:
		expect_mem_eq(disk + offset, at(BODY, d->len, false), d->len);
		break;
	case DISCARD:
	case ZEROES:
		for (u64 i = 0; i < d->range_sectors * 512; i++)
			expect_eq(disk[offset + i], d->type == ZEROES ? 0 : 0xdd);
		break;
	}
}

static void expect_touched(const struct dice *d)
{
	u64 sectors = d->type == OUT ? d->len / 512 :
		      d->type == DISCARD || d->type == ZEROES ? d->range_sectors : 0;

	if (m.touched_end)
		expect(sectors && m.touched >= d->sector * 512 &&
		       m.touched_end <= (d->sector + sectors) * 512);
}

UNIT_TEST(random_driver)
{
	unsigned int done = 0, broken = 0;
	u8 status;

	start(ALL);
	for (unsigned int n = 0; n < 100000; n++) {
		struct dice d = throw_dice();
		enum umbra_blk_served served;

		m.touched = DISK;
		m.touched_end = 0;
		prepare(&d);
		served = serve();
		status = *at(STATUS, 1, false);
		if (!d.hostile) {
			require_eq(served, UMBRA_BLK_DONE);
			expect_eq(status, predict(&d));
			expect_touched(&d);
			if (status == OK)
				expect_effect(&d);
		}
		done += served == UMBRA_BLK_DONE;
		broken += served == UMBRA_BLK_BROKEN;
		/* It may have had the device write into the rings. */
		if (d.hostile)
			start(unit_rand() | BIT_ULL(32));
	}
	expect(done > 50000);
	expect(broken > 1000);
	for (unsigned int i = 0; i < GUARD; i++) {
		unsigned int j = GUARD + DISK + i;

		expect_eq(medium[i], (u8)(i * 7 + i / 512));
		expect_eq(medium[j], (u8)(j * 7 + j / 512));
	}
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
