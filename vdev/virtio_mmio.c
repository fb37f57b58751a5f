// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of virtio over MMIO; see virtio_mmio.h for who calls this.
 *
 * Sections are those of "Virtual I/O Device (VIRTIO) Version 1.3".
 */
#include "virtio_mmio.h"

/* 4.2.2: table "MMIO Device Register Layout"; L: legacy only (4.2.4) */
enum {
	REG_MAGIC		= 0x000,
	REG_VERSION		= 0x004,
	REG_DEVICE_ID		= 0x008,
	REG_VENDOR_ID		= 0x00c,
	REG_DEVICE_FEATURES	= 0x010,
	REG_DEVICE_SEL		= 0x014,
	REG_DRIVER_FEATURES	= 0x020,
	REG_DRIVER_SEL		= 0x024,
	REG_PAGE_SIZE		= 0x028,	/* L */
	REG_QUEUE_SEL		= 0x030,
	REG_QUEUE_NUM_MAX	= 0x034,
	REG_QUEUE_NUM		= 0x038,
	REG_QUEUE_ALIGN		= 0x03c,	/* L */
	REG_QUEUE_PFN		= 0x040,	/* L */
	REG_QUEUE_READY		= 0x044,
	REG_QUEUE_NOTIFY	= 0x050,
	REG_INTERRUPT_STATUS	= 0x060,
	REG_INTERRUPT_ACK	= 0x064,
	REG_STATUS		= 0x070,
	REG_DESC_LOW		= 0x080,
	REG_DESC_HIGH		= 0x084,
	REG_DRIVER_LOW		= 0x090,
	REG_DRIVER_HIGH		= 0x094,
	REG_DEVICE_LOW		= 0x0a0,
	REG_DEVICE_HIGH		= 0x0a4,
	REG_SHM_LEN_LOW		= 0x0b0,
	REG_SHM_BASE_HIGH	= 0x0bc,
	REG_CONFIG_GENERATION	= 0x0fc,
	REG_CONFIG		= 0x100,
};

#define MAGIC		0x74726976	/* "virt" */
/* QEMU's: drivers that know no other machine insist on it. */
#define VENDOR		0x554d4551

/* 2.1 */
#define STATUS_DRIVER_OK	0x04
#define STATUS_FEATURES_OK	0x08
#define STATUS_NEEDS_RESET	0x40
#define STATUS_MASK		0xff

/* 4.2.2: InterruptStatus */
#define ISR_USED	1
#define ISR_CONFIG	2

static u64 with_low(u64 val, u32 low)
{
	return (val >> 32 << 32) | low;
}

static u64 with_high(u64 val, u32 high)
{
	return (u64)high << 32 | (u32)val;
}

/* A 64-bit word as two registers; there is nothing above them. */
static u32 half(u64 val, u32 sel)
{
	return sel == 0 ? val : sel == 1 ? val >> 32 : 0;
}

static struct umbra_virtio_queue *selected(struct umbra_virtio *v)
{
	return v->queue_sel < v->nr_queues ? &v->queue[v->queue_sel] : NULL;
}

/**
 * umbra_virtio__reset() - the state after power-on, and after a reset (2.4)
 * @v: the transport; what the device offers stays
 *
 * GuestPageSize stays, too: drivers set it once, before their first reset.
 */
void umbra_virtio__reset(struct umbra_virtio *v)
{
	v->features = 0;
	v->status = 0;
	v->isr = 0;
	v->device_sel = 0;
	v->driver_sel = 0;
	v->queue_sel = 0;
	memset(v->queue, 0, sizeof(v->queue));
}

/**
 * umbra_virtio__legal() - does the device answer this access?
 * @offset: from the base
 * @len: bytes; the access is naturally aligned
 *
 * "The driver MUST only use 32 bit wide and aligned reads and writes to access
 * the control registers"; the configuration is read as its fields are (4.2.2.2).
 *
 * Return: true when the access may proceed.
 */
bool umbra_virtio__legal(u32 offset, unsigned int len)
{
	return offset >= REG_CONFIG || len == 4;
}

/**
 * umbra_virtio__disturbs() - may a write take away what the device works on?
 * @v: the transport
 * @offset: from the base
 *
 * The owner lets the device come to rest before such a write.
 *
 * Return: true for registers by which queues come, go, or start.
 */
bool umbra_virtio__disturbs(const struct umbra_virtio *v, u32 offset)
{
	return offset == REG_STATUS ||
	       offset == (v->legacy ? REG_QUEUE_PFN : REG_QUEUE_READY);
}

/**
 * umbra_virtio__irq() - the interrupt output
 * @v: the transport
 *
 * Return: true when the line is high.
 */
bool umbra_virtio__irq(const struct umbra_virtio *v)
{
	return v->isr;
}

/**
 * umbra_virtio__running() - may the device look at its queues? (3.1.1)
 * @v: the transport
 *
 * Return: true between DRIVER_OK and a reset, unless something broke.
 */
bool umbra_virtio__running(const struct umbra_virtio *v)
{
	return (v->status & STATUS_DRIVER_OK) &&
	       !(v->status & STATUS_NEEDS_RESET);
}

/**
 * umbra_virtio__has() - was a feature negotiated?
 * @v: the transport
 * @feature: its bit
 *
 * Return: true when device and driver both want it.
 */
bool umbra_virtio__has(const struct umbra_virtio *v, unsigned int feature)
{
	return v->features & v->offered & BIT_ULL(feature);
}

/**
 * umbra_virtio__used() - the driver is to look at the used rings
 * @v: the transport
 */
void umbra_virtio__used(struct umbra_virtio *v)
{
	v->isr |= ISR_USED;
}

/**
 * umbra_virtio__broken() - the device met something it cannot go on with
 * @v: the transport
 *
 * 2.1.2: "the device MUST set DEVICE_NEEDS_RESET; if DRIVER_OK is set, after it
 * sets DEVICE_NEEDS_RESET, the device MUST send a device configuration change
 * notification".
 */
void umbra_virtio__broken(struct umbra_virtio *v)
{
	v->status |= STATUS_NEEDS_RESET;
	if (v->status & STATUS_DRIVER_OK)
		v->isr |= ISR_CONFIG;
}

/* Of the configuration; what lies beyond it is zero. */
static u64 read_config(const struct umbra_virtio *v, u32 offset,
		       unsigned int len)
{
	u64 val = 0;

	for (unsigned int i = 0; i < len; i++)
		if (offset + i < v->config_len)
			val |= (u64)v->config[offset + i] << (8 * i);
	return val;
}

static u32 read_queue(const struct umbra_virtio *v, u32 offset)
{
	const struct umbra_virtio_queue *q;

	if (v->queue_sel >= v->nr_queues)
		return 0;
	q = &v->queue[v->queue_sel];
	switch (offset) {
	case REG_QUEUE_NUM_MAX:
		return UMBRA_VQ_MAX;
	case REG_QUEUE_PFN:
		return v->legacy ? q->pfn : 0;
	default:
		return v->legacy ? 0 : q->ready;
	}
}

/**
 * umbra_virtio__read() - the driver reads
 * @v: the transport
 * @offset: from the base
 * @len: bytes; umbra_virtio__legal()
 *
 * Reading changes nothing.  Registers that can only be written, or that do not
 * exist, read zero.
 *
 * Return: the value.
 */
u64 umbra_virtio__read(const struct umbra_virtio *v, u32 offset,
		       unsigned int len)
{
	switch (offset) {
	case REG_MAGIC:
		return MAGIC;
	case REG_VERSION:
		return v->legacy ? 1 : 2;
	case REG_DEVICE_ID:
		return v->id;
	case REG_VENDOR_ID:
		return VENDOR;
	}
	/* 4.2.2.1: a placeholder has no more. */
	if (v->id == UMBRA_VIRTIO_ID_NONE)
		return 0;
	if (offset >= REG_CONFIG)
		return read_config(v, offset - REG_CONFIG, len);
	/* 4.2.2.1: a region that does not exist has length and base -1. */
	if (offset >= REG_SHM_LEN_LOW && offset <= REG_SHM_BASE_HIGH)
		return v->legacy ? 0 : U32_MAX;

	switch (offset) {
	case REG_DEVICE_FEATURES:
		return half(v->offered, v->device_sel);
	case REG_QUEUE_NUM_MAX:
	case REG_QUEUE_PFN:
	case REG_QUEUE_READY:
		return read_queue(v, offset);
	case REG_INTERRUPT_STATUS:
		return v->isr;
	case REG_STATUS:
		return v->status;
	default:	/* REG_CONFIG_GENERATION: it never changes */
		return 0;
	}
}

static void set_features(struct umbra_virtio *v, u32 val)
{
	/* 3.1.1: not any more once they are accepted. */
	if (v->status & (STATUS_FEATURES_OK | STATUS_DRIVER_OK))
		return;
	if (v->driver_sel == 0)
		v->features = with_low(v->features, val);
	else if (v->driver_sel == 1)
		v->features = with_high(v->features, val);
}

static enum umbra_virtio_action set_status(struct umbra_virtio *v, u32 val)
{
	u32 old = v->status;

	val &= STATUS_MASK;
	if (!val) {
		umbra_virtio__reset(v);
		return UMBRA_VIRTIO_NOTHING;
	}
	/*
	 * 2.2.2: what was not offered is not accepted.  VERSION_1 may be left
	 * out (6.2 allows that): xv6 does.
	 */
	if ((val & ~old & STATUS_FEATURES_OK) && (v->features & ~v->offered))
		val &= ~STATUS_FEATURES_OK;
	/* Only a reset clears a bit (2.1.1), above all DEVICE_NEEDS_RESET. */
	v->status = (val & ~STATUS_NEEDS_RESET) | old;
	if (!(v->status & ~old & STATUS_DRIVER_OK))
		return UMBRA_VIRTIO_NOTHING;
	/*
	 * From here on the features stay as they are.  What was made available
	 * before has waited until now.
	 */
	for (unsigned int i = 0; i < v->nr_queues; i++)
		umbra_vq__features(&v->queue[i].vq, v->features & v->offered);
	return UMBRA_VIRTIO_NOTIFY;
}

/* The queue goes into use, as the driver described it. */
static void start_queue(struct umbra_virtio *v, struct umbra_virtio_queue *q)
{
	if (umbra_vq__init(&q->vq, q->num, q->desc, q->driver, q->device)) {
		umbra_virtio__broken(v);
		return;
	}
	umbra_vq__features(&q->vq, v->features & v->offered);
	q->ready = true;
}

static void set_ready(struct umbra_virtio *v, struct umbra_virtio_queue *q,
		      u32 val)
{
	if (!(val & 1))
		q->ready = false;
	else if (!q->ready)
		start_queue(v, q);
}

/* 2.7.2: the legacy layout, one piece of memory, from page QueuePFN on */
static void set_pfn(struct umbra_virtio *v, struct umbra_virtio_queue *q,
		    u32 val)
{
	u64 end;

	q->ready = false;
	q->pfn = val;
	if (!val)
		return;
	if (!umbra_vq__num_legal(q->num) || !q->align ||
	    (q->align & (q->align - 1))) {
		umbra_virtio__broken(v);
		return;
	}
	/* 32 bits times 32 bits; init checks the rest. */
	q->desc = (u64)val * v->page_size;
	q->driver = q->desc + 16 * (u64)q->num;
	end = q->driver + 2 * (3 + (u64)q->num);
	q->device = (end + q->align - 1) & ~((u64)q->align - 1);
	start_queue(v, q);
}

/* Where a queue lies and how large it is cannot change while it is in use. */
static void write_queue(struct umbra_virtio *v, u32 offset, u32 val)
{
	struct umbra_virtio_queue *q = selected(v);

	if (!q)
		return;
	if (v->legacy && offset == REG_QUEUE_PFN) {
		set_pfn(v, q, val);
		return;
	}
	if (!v->legacy && offset == REG_QUEUE_READY) {
		set_ready(v, q, val);
		return;
	}
	if (q->ready)
		return;
	if (offset == REG_QUEUE_NUM) {
		q->num = val;
	} else if (v->legacy) {
		if (offset == REG_QUEUE_ALIGN)
			q->align = val;
	} else if (offset == REG_DESC_LOW) {
		q->desc = with_low(q->desc, val);
	} else if (offset == REG_DESC_HIGH) {
		q->desc = with_high(q->desc, val);
	} else if (offset == REG_DRIVER_LOW) {
		q->driver = with_low(q->driver, val);
	} else if (offset == REG_DRIVER_HIGH) {
		q->driver = with_high(q->driver, val);
	} else if (offset == REG_DEVICE_LOW) {
		q->device = with_low(q->device, val);
	} else if (offset == REG_DEVICE_HIGH) {
		q->device = with_high(q->device, val);
	}
}

/**
 * umbra_virtio__write() - the driver writes
 * @v: the transport
 * @offset: from the base
 * @val: the value
 *
 * The configuration, registers that can only be read, and those that do not
 * exist ignore it.  After a write that umbra_virtio__disturbs(), the device
 * must not use a queue that is not ready any more.
 *
 * Return: what is to happen.
 */
enum umbra_virtio_action umbra_virtio__write(struct umbra_virtio *v, u32 offset,
					     u32 val)
{
	if (v->id == UMBRA_VIRTIO_ID_NONE)
		return UMBRA_VIRTIO_NOTHING;

	switch (offset) {
	case REG_DEVICE_SEL:
		v->device_sel = val;
		break;
	case REG_DRIVER_FEATURES:
		set_features(v, val);
		break;
	case REG_DRIVER_SEL:
		v->driver_sel = val;
		break;
	case REG_PAGE_SIZE:
		v->page_size = val;
		break;
	case REG_QUEUE_SEL:
		v->queue_sel = val;
		break;
	case REG_QUEUE_NUM ... REG_QUEUE_READY:
	case REG_DESC_LOW ... REG_DEVICE_HIGH:
		write_queue(v, offset, val);
		break;
	case REG_QUEUE_NOTIFY:
		return UMBRA_VIRTIO_NOTIFY;
	case REG_INTERRUPT_ACK:
		v->isr &= ~val;
		break;
	case REG_STATUS:
		return set_status(v, val);
	default:
		break;
	}
	return UMBRA_VIRTIO_NOTHING;
}
