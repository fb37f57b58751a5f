/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio block device (virtio 1.3, section 5.2): what requests mean.
 *
 * Pure: guest memory is reached through struct umbra_vq_mem, the medium through
 * struct umbra_blk_medium.  virtio_blk_dev.c brings both, and the thread that
 * calls umbra_blk__serve(); test_virtio_blk.c does so natively.
 */
#ifndef UMBRA_VIRTIO_BLK_H
#define UMBRA_VIRTIO_BLK_H

#include "virtio_mmio.h"

#define UMBRA_BLK_SECTOR	512	/* of capacity, sector and num_sectors */
#define UMBRA_BLK_SERIAL	20	/* 5.2.6: bytes of an ID string */
#define UMBRA_BLK_RANGES	16	/* of one discard or write zeroes request */
/* ... and sectors of one range: 64 MiB, so that none takes for ever. */
#define UMBRA_BLK_RANGE_MAX	0x20000U
#define UMBRA_BLK_CONFIG	60	/* bytes of configuration */

/* 5.2.3 */
#define UMBRA_BLK_F_SEG_MAX		2
#define UMBRA_BLK_F_RO			5
#define UMBRA_BLK_F_BLK_SIZE		6
#define UMBRA_BLK_F_FLUSH		9
#define UMBRA_BLK_F_DISCARD		13
#define UMBRA_BLK_F_WRITE_ZEROES	14

/**
 * struct umbra_blk_medium - where the data is
 * @read: @len bytes at @offset; 0 or negative
 * @write: likewise; @stable: on stable storage when it returns
 * @flush: all that was written is on stable storage
 * @discard: the contents of the range are of no use any more; -EOPNOTSUPP when
 *	the medium knows no such thing
 * @zero: the range reads zero afterwards; @unmap: it need not keep its space
 * @stopping: give up: the device is reset or goes away
 * @opaque: their first argument
 *
 * Ranges are whole sectors, below the capacity, and not empty.
 */
struct umbra_blk_medium {
	int (*read)(void *opaque, u64 offset, void *to, u32 len);
	int (*write)(void *opaque, u64 offset, const void *from, u32 len,
		     bool stable);
	int (*flush)(void *opaque);
	int (*discard)(void *opaque, u64 offset, u64 len);
	int (*zero)(void *opaque, u64 offset, u64 len, bool unmap, bool stable);
	bool (*stopping)(void *opaque);
	void *opaque;
};

/**
 * struct umbra_blk - a block device
 * @virtio: its transport; umbra_blk__serve() reads what was negotiated
 * @medium: where the data is
 * @mem: guest memory
 * @capacity: sectors
 * @block: bytes of a block that the medium likes; >= UMBRA_BLK_SECTOR
 * @readonly: nothing is ever written
 * @discards: the medium can discard
 * @serial: what GET_ID tells
 * @buf: data on its way
 * @buf_len: its size, a multiple of UMBRA_BLK_SECTOR
 * @config: the configuration that the driver sees
 * @chain: the request under way
 */
struct umbra_blk {
	struct umbra_virtio virtio;
	struct umbra_blk_medium medium;
	struct umbra_vq_mem mem;
	u64 capacity;
	u32 block;
	bool readonly;
	bool discards;
	u8 serial[UMBRA_BLK_SERIAL];
	void *buf;
	u32 buf_len;
	u8 config[UMBRA_BLK_CONFIG];
	struct umbra_vq_chain chain;
};

/* What became of umbra_blk__serve(). */
enum umbra_blk_served {
	UMBRA_BLK_IDLE,		/* there is no request */
	UMBRA_BLK_DONE,		/* one is done */
	UMBRA_BLK_BROKEN,	/* ring or request are malformed */
	UMBRA_BLK_STOPPED,	/* medium.stopping() said so, in a request */
};

void umbra_blk__init(struct umbra_blk *b, bool legacy);
enum umbra_blk_served umbra_blk__serve(struct umbra_blk *b, struct umbra_vq *vq);

#endif /* UMBRA_VIRTIO_BLK_H */
