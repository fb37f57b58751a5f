/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device's side of a split virtqueue (virtio 1.3, section 2.7).
 *
 * Pure: guest memory is reached through struct umbra_vq_mem, nothing else of
 * the kernel is.  The owner (a device's thread, or a unit test) serialises all
 * calls on one struct umbra_vq.
 *
 * The driver is hostile.  Whatever stands in guest memory is read once, then
 * checked, then used.  A ring that breaks a rule makes umbra_vq__pop() fail:
 * the owner then sets DEVICE_NEEDS_RESET and touches the ring no more.
 */
#ifndef UMBRA_VIRTQUEUE_H
#define UMBRA_VIRTQUEUE_H

#include "../vmm_core/base.h"

/*
 * The largest queue, and the longest chain: "a driver MUST NOT create a
 * descriptor chain longer than the Queue Size" (2.7.5.3.1).
 */
#define UMBRA_VQ_MAX		256

/* Feature bits that change a ring (2.7.5.3, 2.7.7). */
#define UMBRA_VIRTIO_F_INDIRECT_DESC	28
#define UMBRA_VIRTIO_F_EVENT_IDX	29

/**
 * struct umbra_vq_mem - guest memory, as the owner reaches it
 * @read: copy from @gpa; 0, or negative where there is no memory.  An aligned
 *	access of 2, 4 or 8 bytes is a single one
 * @write: copy to @gpa; likewise
 * @valid: is all of [@gpa, @gpa + @len) memory (writable, if @write)?  @len is
 *	not 0; the sum may wrap, which is no
 * @opaque: their first argument
 */
struct umbra_vq_mem {
	int (*read)(void *opaque, u64 gpa, void *to, size_t len);
	int (*write)(void *opaque, u64 gpa, const void *from, size_t len);
	bool (*valid)(void *opaque, u64 gpa, u64 len, bool write);
	void *opaque;
};

/**
 * struct umbra_vq - a virtqueue in use
 * @num: its size, a power of two, <= UMBRA_VQ_MAX
 * @desc: gpa of the descriptor table
 * @driver: gpa of the available ring
 * @device: gpa of the used ring
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @indirect: VIRTIO_F_INDIRECT_DESC was negotiated
 * @last_avail: next entry of the available ring to be read
 * @used: next entry of the used ring to be written
 * @signalled: @used at the last interrupt
 * @signalled_valid: there was one
 */
struct umbra_vq {
	u16 num;
	u64 desc;
	u64 driver;
	u64 device;
	bool event_idx;
	bool indirect;
	u16 last_avail;
	u16 used;
	u16 signalled;
	bool signalled_valid;
};

/* A piece of guest memory that a descriptor names; never empty. */
struct umbra_vq_seg {
	u64 gpa;
	u32 len;
};

/**
 * struct umbra_vq_chain - a request: readable pieces, then writable ones
 * @head: what identifies it to the driver
 * @nr_out: pieces that the device reads; the first of @seg
 * @nr_in: pieces that it writes; they follow
 * @out_len: bytes of the former
 * @in_len: bytes of the latter
 * @seg: the pieces, in order; each is memory, or was a moment ago
 */
struct umbra_vq_chain {
	u16 head;
	u16 nr_out;
	u16 nr_in;
	u64 out_len;
	u64 in_len;
	struct umbra_vq_seg seg[UMBRA_VQ_MAX];
};

bool umbra_vq__num_legal(u32 num);
int umbra_vq__init(struct umbra_vq *vq, u32 num, u64 desc, u64 driver,
		   u64 device);

/* What a driver's features do to a ring; before the first pop. */
void umbra_vq__features(struct umbra_vq *vq, u64 features);

int umbra_vq__pop(struct umbra_vq *vq, const struct umbra_vq_mem *mem,
		  struct umbra_vq_chain *chain);
int umbra_vq__push(struct umbra_vq *vq, const struct umbra_vq_mem *mem,
		   u16 head, u32 written);
int umbra_vq__wants_irq(struct umbra_vq *vq, const struct umbra_vq_mem *mem);

int umbra_vq__quiet(struct umbra_vq *vq, const struct umbra_vq_mem *mem);
int umbra_vq__listen(struct umbra_vq *vq, const struct umbra_vq_mem *mem);

int umbra_vq__get(const struct umbra_vq_mem *mem,
		  const struct umbra_vq_chain *chain, u64 offset, void *to,
		  size_t len);
int umbra_vq__put(const struct umbra_vq_mem *mem,
		  const struct umbra_vq_chain *chain, u64 offset,
		  const void *from, size_t len);

#endif /* UMBRA_VIRTQUEUE_H */
