// SPDX-License-Identifier: GPL-2.0
/*
 * The device's side of a split virtqueue; see virtqueue.h for who calls it.
 *
 * Sections are those of "Virtual I/O Device (VIRTIO) Version 1.3".  All of a
 * ring is little-endian, as is every RISC-V guest here, and as the legacy
 * interface has it on one.
 */
#include "virtqueue.h"

/* 2.7.5: struct virtq_desc */
struct vq_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

static_assert(sizeof(struct vq_desc) == 16, "a descriptor has 16 bytes");

#define DESC_F_NEXT	1
#define DESC_F_WRITE	2
#define DESC_F_INDIRECT	4

/* 2.7.8: struct virtq_used_elem */
struct vq_used_elem {
	u32 id;
	u32 len;
};

/* 2.7.6 and 2.7.8: flags, idx, then the ring. */
#define RING_FLAGS	0
#define RING_IDX	2
#define RING_ENTRIES	4

#define AVAIL_F_NO_INTERRUPT	1
#define USED_F_NO_NOTIFY	1

/* 2.7.5.3.1: "MUST NOT create [...] longer than 2^32 bytes in total" */
#define CHAIN_BYTES_MAX	BIT_ULL(32)

static u64 avail_entry(const struct umbra_vq *vq, u16 i)
{
	return vq->driver + RING_ENTRIES + 2 * (u64)(i & (vq->num - 1));
}

/* 2.7.7: behind the ring, where the driver says when it wants an interrupt. */
static u64 used_event(const struct umbra_vq *vq)
{
	return vq->driver + RING_ENTRIES + 2 * (u64)vq->num;
}

static u64 used_entry(const struct umbra_vq *vq, u16 i)
{
	return vq->device + RING_ENTRIES + 8 * (u64)(i & (vq->num - 1));
}

/* 2.7.10: ... and where the device says when it wants a notification. */
static u64 avail_event(const struct umbra_vq *vq)
{
	return vq->device + RING_ENTRIES + 8 * (u64)vq->num;
}

/**
 * umbra_vq__num_legal() - may a queue have this size?
 * @num: what the driver wrote
 *
 * Return: true for a power of two up to UMBRA_VQ_MAX (2.7).
 */
bool umbra_vq__num_legal(u32 num)
{
	return num && num <= UMBRA_VQ_MAX && !(num & (num - 1));
}

/**
 * umbra_vq__init() - a queue goes into use
 * @vq: the queue
 * @num: its size
 * @desc: gpa of the descriptor table
 * @driver: gpa of the available ring
 * @device: gpa of the used ring
 *
 * Return: 0, or -EINVAL when size, alignment or extent are not as 2.7 wants
 * them.  Whether there is memory is found out when it is used.
 */
int umbra_vq__init(struct umbra_vq *vq, u32 num, u64 desc, u64 driver,
		   u64 device)
{
	/* More than any part of a ring has. */
	const u64 extent = 16 * UMBRA_VQ_MAX;

	if (!umbra_vq__num_legal(num) || desc % 16 || driver % 2 || device % 4)
		return -EINVAL;
	if (desc + extent < desc || driver + extent < driver ||
	    device + extent < device)
		return -EINVAL;
	*vq = (struct umbra_vq) {
		.num = num, .desc = desc, .driver = driver, .device = device,
	};
	return 0;
}

/**
 * umbra_vq__features() - what was negotiated, as far as it concerns the ring
 * @vq: the queue, initialised, nothing popped from it
 * @features: the driver's
 */
void umbra_vq__features(struct umbra_vq *vq, u64 features)
{
	vq->event_idx = features & BIT_ULL(UMBRA_VIRTIO_F_EVENT_IDX);
	vq->indirect = features & BIT_ULL(UMBRA_VIRTIO_F_INDIRECT_DESC);
}

/* --- a chain ------------------------------------------------------------- */

/* A table of descriptors: the queue's own, or an indirect one (2.7.5.3). */
struct vq_table {
	u64 gpa;
	u32 num;
	bool indirect;
};

static int add_seg(const struct umbra_vq_mem *mem, struct umbra_vq_chain *chain,
		   const struct vq_desc *d)
{
	bool write = d->flags & DESC_F_WRITE;
	unsigned int n = chain->nr_out + chain->nr_in;

	/* 2.7.4.2: readable ones come first.  An empty one says nothing. */
	if (n == UMBRA_VQ_MAX || !d->len || (!write && chain->nr_in) ||
	    !mem->valid(mem->opaque, d->addr, d->len, write))
		return -EINVAL;
	chain->seg[n] = (struct umbra_vq_seg) { .gpa = d->addr, .len = d->len };
	if (write) {
		chain->nr_in++;
		chain->in_len += d->len;
	} else {
		chain->nr_out++;
		chain->out_len += d->len;
	}
	return chain->out_len + chain->in_len > CHAIN_BYTES_MAX ? -EINVAL : 0;
}

/* The queue's table gives way to the one that @d points to. */
static int enter_indirect(const struct umbra_vq *vq, struct vq_table *table,
			  const struct vq_desc *d)
{
	/* 2.7.5.3.1: not inside another one, not with NEXT. */
	if (!vq->indirect || table->indirect || (d->flags & DESC_F_NEXT))
		return -EINVAL;
	if (!d->len || d->len % 16 || d->len / 16 > UMBRA_VQ_MAX)
		return -EINVAL;
	*table = (struct vq_table) {
		.gpa = d->addr, .num = d->len / 16, .indirect = true,
	};
	return 0;
}

/*
 * Collect the chain that begins at @head.  Each descriptor of a table can occur
 * once, so a chain that goes on for longer than its table is a loop.
 */
static int walk(struct umbra_vq *vq, const struct umbra_vq_mem *mem, u16 head,
		struct umbra_vq_chain *chain)
{
	struct vq_table table = { .gpa = vq->desc, .num = vq->num };
	unsigned int next = head, seen = 0;
	struct vq_desc d;

	for (;;) {
		if (next >= table.num || seen++ == table.num)
			return -EINVAL;
		if (!mem->valid(mem->opaque, table.gpa, 16 * table.num, false) ||
		    mem->read(mem->opaque, table.gpa + 16 * next, &d, sizeof(d)))
			return -EINVAL;
		if (d.flags & DESC_F_INDIRECT) {
			if (enter_indirect(vq, &table, &d))
				return -EINVAL;
			next = 0;
			seen = 0;
			continue;
		}
		if (add_seg(mem, chain, &d))
			return -EINVAL;
		if (!(d.flags & DESC_F_NEXT))
			return 0;
		next = d.next;
	}
}

static int read_u16(const struct umbra_vq_mem *mem, u64 gpa, u16 *val)
{
	return mem->read(mem->opaque, gpa, val, sizeof(*val)) ? -EINVAL : 0;
}

static int write_u16(const struct umbra_vq_mem *mem, u64 gpa, u16 val)
{
	return mem->write(mem->opaque, gpa, &val, sizeof(val)) ? -EINVAL : 0;
}

/* How many chains wait; -EINVAL when the index is nonsense. */
static int waiting(const struct umbra_vq *vq, const struct umbra_vq_mem *mem)
{
	u16 idx, n;

	if (read_u16(mem, vq->driver + RING_IDX, &idx))
		return -EINVAL;
	n = idx - vq->last_avail;
	return n > vq->num ? -EINVAL : n;
}

/**
 * umbra_vq__pop() - take the next chain that the driver made available
 * @vq: the queue
 * @mem: guest memory
 * @chain: is filled in
 *
 * Return: 1, 0 when there is none, -EINVAL when the ring is malformed.
 */
int umbra_vq__pop(struct umbra_vq *vq, const struct umbra_vq_mem *mem,
		  struct umbra_vq_chain *chain)
{
	int n = waiting(vq, mem);
	u16 head;

	if (n <= 0)
		return n;
	smp_rmb();	/* the index, then what it announces (2.7.13.3) */
	if (read_u16(mem, avail_entry(vq, vq->last_avail), &head))
		return -EINVAL;
	chain->head = head;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	if (walk(vq, mem, head, chain))
		return -EINVAL;
	vq->last_avail++;
	return 1;
}

/**
 * umbra_vq__push() - give a chain back (2.7.8)
 * @vq: the queue
 * @mem: guest memory
 * @head: the chain's
 * @written: bytes written to its writable part, from the beginning
 *
 * Return: 0, or -EINVAL when there is no memory for it.
 */
int umbra_vq__push(struct umbra_vq *vq, const struct umbra_vq_mem *mem,
		   u16 head, u32 written)
{
	struct vq_used_elem elem = { .id = head, .len = written };

	if (mem->write(mem->opaque, used_entry(vq, vq->used), &elem,
		       sizeof(elem)))
		return -EINVAL;
	smp_wmb();	/* the entry, and the data, then the index */
	if (write_u16(mem, vq->device + RING_IDX, vq->used + 1))
		return -EINVAL;
	vq->used++;
	return 0;
}

/**
 * umbra_vq__wants_irq() - is an interrupt due for what was pushed? (2.7.7)
 * @vq: the queue
 * @mem: guest memory
 *
 * Return: 1 or 0, -EINVAL when the ring cannot be read.
 */
int umbra_vq__wants_irq(struct umbra_vq *vq, const struct umbra_vq_mem *mem)
{
	bool valid = vq->signalled_valid;
	u16 old = vq->signalled;
	u16 val;

	smp_mb();	/* the index is seen before what it may have changed is read */
	if (!vq->event_idx) {
		if (read_u16(mem, vq->driver + RING_FLAGS, &val))
			return -EINVAL;
		return !(val & AVAIL_F_NO_INTERRUPT);
	}

	if (read_u16(mem, used_event(vq), &val))
		return -EINVAL;
	vq->signalled = vq->used;
	vq->signalled_valid = true;
	/* Did the index pass the driver's mark since the last time? */
	return !valid || (u16)(vq->used - val - 1) < (u16)(vq->used - old);
}

/**
 * umbra_vq__quiet() - the driver need not notify for now: the queue is watched
 * @vq: the queue
 * @mem: guest memory
 *
 * Return: 0, or -EINVAL.
 */
int umbra_vq__quiet(struct umbra_vq *vq, const struct umbra_vq_mem *mem)
{
	/* With EVENT_IDX the old mark is behind: nothing is to be said. */
	if (vq->event_idx)
		return 0;
	return write_u16(mem, vq->device + RING_FLAGS, USED_F_NO_NOTIFY);
}

/**
 * umbra_vq__listen() - the driver shall notify again (2.7.10)
 * @vq: the queue
 * @mem: guest memory
 *
 * Return: 0, 1 when a chain came before that was seen (the caller goes on),
 * -EINVAL.
 */
int umbra_vq__listen(struct umbra_vq *vq, const struct umbra_vq_mem *mem)
{
	int ret;

	if (vq->event_idx)
		ret = write_u16(mem, avail_event(vq), vq->last_avail);
	else
		ret = write_u16(mem, vq->device + RING_FLAGS, 0);
	if (ret)
		return ret;
	smp_mb();	/* the driver writes its index, then looks here */
	ret = waiting(vq, mem);
	return ret > 0 ? 1 : ret;
}

/* --- the data of a chain -------------------------------------------------- */

/*
 * Move @len bytes at @offset between a buffer and the pieces @seg; to guest
 * memory from @from, or else from it to @to.
 */
static int move(const struct umbra_vq_mem *mem, const struct umbra_vq_seg *seg,
		unsigned int nr, u64 offset, u8 *to, const u8 *from, size_t len)
{
	int ret = 0;

	for (unsigned int i = 0; i < nr && len && !ret; i++) {
		size_t n;

		if (offset >= seg[i].len) {
			offset -= seg[i].len;
			continue;
		}
		n = min((u64)len, seg[i].len - offset);
		if (from) {
			ret = mem->write(mem->opaque, seg[i].gpa + offset, from, n);
			from += n;
		} else {
			ret = mem->read(mem->opaque, seg[i].gpa + offset, to, n);
			to += n;
		}
		offset = 0;
		len -= n;
	}
	return ret || len ? -EFAULT : 0;
}

/**
 * umbra_vq__get() - read from a chain's readable part
 * @mem: guest memory
 * @chain: the chain
 * @offset: where in the readable part
 * @to: buffer
 * @len: bytes
 *
 * Return: 0, -EFAULT when the part is shorter or memory is gone.
 */
int umbra_vq__get(const struct umbra_vq_mem *mem,
		  const struct umbra_vq_chain *chain, u64 offset, void *to,
		  size_t len)
{
	return move(mem, chain->seg, chain->nr_out, offset, to, NULL, len);
}

/**
 * umbra_vq__put() - write to a chain's writable part
 * @mem: guest memory
 * @chain: the chain
 * @offset: where in the writable part
 * @from: data
 * @len: bytes
 *
 * Return: 0, -EFAULT when the part is shorter or memory is gone.
 */
int umbra_vq__put(const struct umbra_vq_mem *mem,
		  const struct umbra_vq_chain *chain, u64 offset,
		  const void *from, size_t len)
{
	return move(mem, chain->seg + chain->nr_out, chain->nr_in, offset, NULL,
		    from, len);
}
