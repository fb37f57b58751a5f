// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of a virtio block device; see virtio_blk.h for who calls this.
 *
 * Sections are those of "Virtual I/O Device (VIRTIO) Version 1.3".
 */
#include "virtio_blk.h"

/* 5.2.6: struct virtio_blk_req, as far as the driver writes it */
struct blk_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

static_assert(sizeof(struct blk_header) == 16, "a header has 16 bytes");

enum {
	T_IN		= 0,
	T_OUT		= 1,
	T_FLUSH		= 4,
	T_GET_ID	= 8,
	T_DISCARD	= 11,
	T_WRITE_ZEROES	= 13,
};

enum {
	S_OK		= 0,
	S_IOERR		= 1,
	S_UNSUPP	= 2,
};

/* 5.2.6: struct virtio_blk_discard_write_zeroes */
struct blk_range {
	u64 sector;
	u32 sectors;
	u32 flags;
};

static_assert(sizeof(struct blk_range) == 16, "a range has 16 bytes");

#define RANGE_UNMAP	1

/* 5.2.4: struct virtio_blk_config */
enum {
	CONFIG_CAPACITY		= 0,
	CONFIG_SEG_MAX		= 12,
	CONFIG_BLK_SIZE		= 20,
	CONFIG_DISCARD_SECTORS	= 36,
	CONFIG_DISCARD_SEG	= 40,
	CONFIG_DISCARD_ALIGN	= 44,
	CONFIG_ZEROES_SECTORS	= 48,
	CONFIG_ZEROES_SEG	= 52,
	CONFIG_ZEROES_UNMAP	= 56,
};

static void put_config(struct umbra_blk *b, unsigned int at, u64 val,
		       unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		b->config[at + i] = val >> (8 * i);
}

/**
 * umbra_blk__init() - offer what the medium can do
 * @b: medium, mem, capacity to buf_len are filled in, the rest is zero
 * @legacy: speak version 1 of the transport
 */
void umbra_blk__init(struct umbra_blk *b, bool legacy)
{
	u64 offered = BIT_ULL(UMBRA_VIRTIO_F_INDIRECT_DESC) |
		      BIT_ULL(UMBRA_VIRTIO_F_EVENT_IDX) |
		      BIT_ULL(UMBRA_BLK_F_SEG_MAX) |
		      BIT_ULL(UMBRA_BLK_F_BLK_SIZE) |
		      BIT_ULL(UMBRA_BLK_F_FLUSH);

	if (!legacy)
		offered |= BIT_ULL(UMBRA_VIRTIO_F_VERSION_1);
	if (b->readonly)
		offered |= BIT_ULL(UMBRA_BLK_F_RO);
	else
		offered |= BIT_ULL(UMBRA_BLK_F_WRITE_ZEROES);
	if (!b->readonly && b->discards)
		offered |= BIT_ULL(UMBRA_BLK_F_DISCARD);

	put_config(b, CONFIG_CAPACITY, b->capacity, 8);
	/* What a queue has room for, less header and status. */
	put_config(b, CONFIG_SEG_MAX, UMBRA_VQ_MAX - 2, 4);
	put_config(b, CONFIG_BLK_SIZE, b->block, 4);
	if (offered & BIT_ULL(UMBRA_BLK_F_DISCARD)) {
		put_config(b, CONFIG_DISCARD_SECTORS, UMBRA_BLK_RANGE_MAX, 4);
		put_config(b, CONFIG_DISCARD_SEG, UMBRA_BLK_RANGES, 4);
		put_config(b, CONFIG_DISCARD_ALIGN, b->block / UMBRA_BLK_SECTOR, 4);
	}
	if (offered & BIT_ULL(UMBRA_BLK_F_WRITE_ZEROES)) {
		put_config(b, CONFIG_ZEROES_SECTORS, UMBRA_BLK_RANGE_MAX, 4);
		put_config(b, CONFIG_ZEROES_SEG, UMBRA_BLK_RANGES, 4);
		put_config(b, CONFIG_ZEROES_UNMAP, 1, 1);
	}

	b->virtio = (struct umbra_virtio) {
		.id = UMBRA_VIRTIO_ID_BLOCK, .legacy = legacy, .nr_queues = 1,
		.offered = offered, .config = b->config,
		.config_len = sizeof(b->config),
	};
}

static bool has(const struct umbra_blk *b, unsigned int feature)
{
	return umbra_virtio__has(&b->virtio, feature);
}

/*
 * 5.2.6.2: a driver without FLUSH cannot say when data must be safe, so each
 * write is.
 */
static bool writethrough(const struct umbra_blk *b)
{
	return !has(b, UMBRA_BLK_F_FLUSH);
}

static bool in_capacity(const struct umbra_blk *b, u64 sector, u64 sectors)
{
	return sector <= b->capacity && sectors <= b->capacity - sector;
}

/*
 * The functions that follow do one request.  They return its status, or
 * negative when there is none: -EINTR (stopping), -EFAULT (guest memory went
 * away under the request).  @done counts bytes written to the guest.
 */

/* May @len bytes be moved at @sector?  Neither half sectors nor beyond the end. */
static bool legal_transfer(const struct umbra_blk *b, u64 sector, u64 len)
{
	return len % UMBRA_BLK_SECTOR == 0 &&
	       in_capacity(b, sector, len / UMBRA_BLK_SECTOR);
}

static int do_in(struct umbra_blk *b, const struct blk_header *h, u64 *done)
{
	u64 len = b->chain.in_len - 1;

	if (!legal_transfer(b, h->sector, len))
		return S_IOERR;
	while (*done < len) {
		u32 n = min((u64)b->buf_len, len - *done);

		if (b->medium.stopping(b->medium.opaque))
			return -EINTR;
		if (b->medium.read(b->medium.opaque,
				   h->sector * UMBRA_BLK_SECTOR + *done, b->buf, n))
			return S_IOERR;
		if (umbra_vq__put(&b->mem, &b->chain, *done, b->buf, n))
			return -EFAULT;
		*done += n;
	}
	return S_OK;
}

static int do_out(struct umbra_blk *b, const struct blk_header *h)
{
	u64 len = b->chain.out_len - sizeof(*h);
	u64 done = 0;

	/* 5.2.6.2: "MUST fail [...] MUST NOT write any data" */
	if (b->readonly || !legal_transfer(b, h->sector, len))
		return S_IOERR;
	while (done < len) {
		u32 n = min((u64)b->buf_len, len - done);

		if (b->medium.stopping(b->medium.opaque))
			return -EINTR;
		if (umbra_vq__get(&b->mem, &b->chain, sizeof(*h) + done, b->buf, n))
			return -EFAULT;
		if (b->medium.write(b->medium.opaque,
				    h->sector * UMBRA_BLK_SECTOR + done, b->buf, n,
				    writethrough(b)))
			return S_IOERR;
		done += n;
	}
	return S_OK;
}

static int do_flush(struct umbra_blk *b)
{
	if (!has(b, UMBRA_BLK_F_FLUSH))
		return S_UNSUPP;
	return b->medium.flush(b->medium.opaque) ? S_IOERR : S_OK;
}

/* A string of 20 bytes; one that is shorter has zeros after it. */
static int do_get_id(struct umbra_blk *b, u64 *done)
{
	u64 n = min((u64)UMBRA_BLK_SERIAL, b->chain.in_len - 1);

	if (umbra_vq__put(&b->mem, &b->chain, 0, b->serial, n))
		return -EFAULT;
	*done = n;
	return S_OK;
}

/* 5.2.6.2: unknown flags are UNSUPP, and so is unmap in a discard. */
static int check_range(const struct umbra_blk *b, const struct blk_range *r,
		       bool discard)
{
	if (r->flags & ~(discard ? 0U : RANGE_UNMAP))
		return S_UNSUPP;
	if (r->sectors > UMBRA_BLK_RANGE_MAX ||
	    !in_capacity(b, r->sector, r->sectors))
		return S_IOERR;
	return S_OK;
}

static int do_range(struct umbra_blk *b, const struct blk_range *r, bool discard)
{
	u64 offset = r->sector * UMBRA_BLK_SECTOR;
	u64 len = (u64)r->sectors * UMBRA_BLK_SECTOR;
	int ret;

	if (!len)
		return S_OK;
	if (b->medium.stopping(b->medium.opaque))
		return -EINTR;
	if (discard)
		ret = b->medium.discard(b->medium.opaque, offset, len);
	else
		ret = b->medium.zero(b->medium.opaque, offset, len,
				     r->flags & RANGE_UNMAP, writethrough(b));
	/* It gave up in the middle: the request has no status. */
	if (ret == -EINTR)
		return -EINTR;
	return ret == -EOPNOTSUPP ? S_UNSUPP : ret ? S_IOERR : S_OK;
}

/* All ranges are looked at before the first is touched. */
static int do_ranges(struct umbra_blk *b, bool discard)
{
	u64 len = b->chain.out_len - sizeof(struct blk_header);
	struct blk_range ranges[UMBRA_BLK_RANGES];
	unsigned int nr;
	int ret = S_OK;

	if (!has(b, discard ? UMBRA_BLK_F_DISCARD : UMBRA_BLK_F_WRITE_ZEROES))
		return S_UNSUPP;
	if (!len || len > sizeof(ranges) || len % sizeof(ranges[0]))
		return S_IOERR;
	if (umbra_vq__get(&b->mem, &b->chain, sizeof(struct blk_header), ranges,
			  len))
		return -EFAULT;
	nr = len / sizeof(ranges[0]);
	for (unsigned int i = 0; i < nr && ret == S_OK; i++)
		ret = check_range(b, &ranges[i], discard);
	for (unsigned int i = 0; i < nr && ret == S_OK; i++)
		ret = do_range(b, &ranges[i], discard);
	return ret;
}

static int do_request(struct umbra_blk *b, const struct blk_header *h, u64 *done)
{
	switch (h->type) {
	case T_IN:
		return do_in(b, h, done);
	case T_OUT:
		return do_out(b, h);
	case T_FLUSH:
		return do_flush(b);
	case T_GET_ID:
		return do_get_id(b, done);
	case T_DISCARD:
		return do_ranges(b, true);
	case T_WRITE_ZEROES:
		return do_ranges(b, false);
	default:
		return S_UNSUPP;
	}
}

/**
 * umbra_blk__serve() - do one request
 * @b: the device
 * @vq: its queue, ready
 *
 * The header is the first 16 readable bytes, the status the last writable one;
 * how they are spread over descriptors is the driver's business (2.7.4).
 *
 * Return: what became of it.  With UMBRA_BLK_STOPPED the request is lost, as
 * a reset wants it.
 */
enum umbra_blk_served umbra_blk__serve(struct umbra_blk *b, struct umbra_vq *vq)
{
	struct umbra_vq_chain *chain = &b->chain;
	struct blk_header h;
	u64 done = 0;
	u8 status;
	int ret;

	ret = umbra_vq__pop(vq, &b->mem, chain);
	if (!ret)
		return UMBRA_BLK_IDLE;
	if (ret < 0 || chain->out_len < sizeof(h) || !chain->in_len ||
	    umbra_vq__get(&b->mem, chain, 0, &h, sizeof(h)))
		return UMBRA_BLK_BROKEN;

	ret = do_request(b, &h, &done);
	if (ret == -EINTR)
		return UMBRA_BLK_STOPPED;
	if (ret < 0)
		return UMBRA_BLK_BROKEN;

	status = ret;
	if (umbra_vq__put(&b->mem, chain, chain->in_len - 1, &status, 1))
		return UMBRA_BLK_BROKEN;
	/* 2.7.8.2: what was written, from the beginning without a gap. */
	if (done == chain->in_len - 1)
		done++;
	if (umbra_vq__push(vq, &b->mem, chain->head, done))
		return UMBRA_BLK_BROKEN;
	return UMBRA_BLK_DONE;
}
