/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's memory with a split virtqueue in it, and the driver's side of that
 * queue, for the tests of virtio.  Every access of the device is checked: one
 * outside of memory is refused, as the kernel's accessors do.
 */
#ifndef UMBRA_UNIT_VRING_H
#define UMBRA_UNIT_VRING_H

#include "unit.h"
#include "../../vdev/virtqueue.h"

#define RAM		0x80000000ULL
#define RAM_SIZE	0x20000
#define ROM		0x90000000ULL	/* read-only */
#define ROM_SIZE	0x1000
#define HOLE_GPA	0xa0000000ULL	/* nothing is there */

/* Where the tests have the ring; apart from one another and from the data. */
#define DESC		(RAM + 0x1000)
#define AVAIL		(RAM + 0x3000)
#define USED		(RAM + 0x4000)
#define DATA		(RAM + 0x8000)

#define F_NEXT		1
#define F_WRITE		2
#define F_INDIRECT	4

static u8 ram[RAM_SIZE], rom[ROM_SIZE];
static unsigned int guest_reads;	/* calls of the read accessor */
static u64 unreadable;			/* a gpa that has gone away, 0: none */

static inline u8 *at(u64 gpa, u64 len, bool write)
{
	if (gpa + len < gpa || (unreadable && gpa <= unreadable &&
				unreadable < gpa + len))
		return NULL;
	if (gpa >= RAM && gpa + len <= RAM + RAM_SIZE)
		return ram + (gpa - RAM);
	if (!write && gpa >= ROM && gpa + len <= ROM + ROM_SIZE)
		return rom + (gpa - ROM);
	return NULL;
}

static inline int mem_read(void *opaque, u64 gpa, void *to, size_t len)
{
	u8 *p = at(gpa, len, false);

	guest_reads++;
	if (!p)
		return -EFAULT;
	memcpy(to, p, len);
	return 0;
}

static inline int mem_write(void *opaque, u64 gpa, const void *from, size_t len)
{
	u8 *p = at(gpa, len, true);

	if (!p)
		return -EFAULT;
	memcpy(p, from, len);
	return 0;
}

/* As the kernel's: memory that goes away later is still valid here. */
static inline bool mem_valid(void *opaque, u64 gpa, u64 len, bool write)
{
	u64 was = unreadable;
	bool ret;

	unreadable = 0;
	ret = at(gpa, len, write);
	unreadable = was;
	return ret;
}

static const struct umbra_vq_mem mem = {
	.read = mem_read, .write = mem_write, .valid = mem_valid,
};

static inline void put16(u64 gpa, u16 val)
{
	memcpy(at(gpa, 2, true), &val, 2);
}

static inline u16 get16(u64 gpa)
{
	u16 val;

	memcpy(&val, at(gpa, 2, false), 2);
	return val;
}

static inline u32 get32(u64 gpa)
{
	u32 val;

	memcpy(&val, at(gpa, 4, false), 4);
	return val;
}

/* A descriptor of any table. */
static inline void put_desc(u64 table, unsigned int i, u64 addr, u32 len,
			    u16 flags, u16 next)
{
	u8 *p = at(table + 16 * i, 16, true);

	memcpy(p, &addr, 8);
	memcpy(p + 8, &len, 4);
	memcpy(p + 12, &flags, 2);
	memcpy(p + 14, &next, 2);
}

static inline void desc(unsigned int i, u64 addr, u32 len, u16 flags, u16 next)
{
	put_desc(DESC, i, addr, len, flags, next);
}

/* Make a chain available. */
static inline void offer(u16 num, u16 head)
{
	u16 idx = get16(AVAIL + 2);

	put16(AVAIL + 4 + 2 * (idx % num), head);
	put16(AVAIL + 2, idx + 1);
}

#endif /* UMBRA_UNIT_VRING_H */
