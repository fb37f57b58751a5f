// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's firmware configuration device; see fw_cfg.h.
 *
 * Nothing is writable.  A descriptor in guest memory is read once, and every
 * address in it is a guest's.
 */
#include <endian.h>
#include <string.h>

#include "fw_cfg.h"

/* Registers. */
#define REG_DATA	0x00
#define REG_SELECTOR	0x08
#define REG_DMA		0x10

#define ID_TRADITIONAL	0x1
#define ID_DMA		0x2

#define DMA_SIGNATURE	0x51454d5520434647ULL	/* "QEMU CFG" */

/* struct FWCfgDmaAccess.control; the key is in its upper half. */
#define DMA_ERROR	0x01
#define DMA_READ	0x02
#define DMA_SKIP	0x04
#define DMA_SELECT	0x08
#define DMA_WRITE	0x10

/* In guest memory, all big-endian. */
struct dma_access {
	u32 control;
	u32 length;
	u64 address;
};

void fw_cfg_set(struct fw_cfg *c, enum fw_cfg_key key, const void *data,
		size_t len)
{
	c->item[key].data = data;
	c->item[key].len = len;
}

void fw_cfg_set_number(struct fw_cfg *c, enum fw_cfg_key key, u64 val,
		       size_t len)
{
	struct fw_cfg_item *item = &c->item[key];

	val = htole64(val);
	memcpy(item->own, &val, sizeof(item->own));
	fw_cfg_set(c, key, item->own, len);
}

void fw_cfg_init(struct fw_cfg *c, void *(*ram)(void *opaque, u64 gpa, u64 len),
		 void *opaque)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->ram = ram;
	c->opaque = opaque;
	fw_cfg_set(c, FW_CFG_SIGNATURE, "QEMU", 4);
	fw_cfg_set_number(c, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4);
	/* A directory of no files. */
	fw_cfg_set_number(c, FW_CFG_FILE_DIR, 0, 4);
}

static void select_item(struct fw_cfg *c, u16 key)
{
	c->key = key;
	c->offset = 0;
}

/* Take the next @len bytes of the item, to @to unless that is NULL. */
static void take(struct fw_cfg *c, u8 *to, size_t len)
{
	static const struct fw_cfg_item none;
	const struct fw_cfg_item *item =
		c->key < FW_CFG_KEYS ? &c->item[c->key] : &none;
	size_t left = item->len - c->offset;
	size_t n = len < left ? len : left;

	if (to) {
		if (n)
			memcpy(to, item->data + c->offset, n);
		memset(to + n, 0, len - n);
	}
	c->offset += n;
}

/* Return: the errors to report. */
static u32 dma_run(struct fw_cfg *c, const struct dma_access *dma)
{
	u32 control = be32toh(dma->control);
	u32 len = be32toh(dma->length);
	u8 *to;

	if (control & DMA_SELECT)
		select_item(c, (u16)(control >> 16));
	if (control & DMA_READ) {
		to = len ? c->ram(c->opaque, be64toh(dma->address), len) : NULL;
		if (len && !to)
			return DMA_ERROR;
		take(c, to, len);
	} else if (control & DMA_WRITE) {
		return DMA_ERROR;
	} else if (control & DMA_SKIP) {
		take(c, NULL, len);
	}
	return 0;
}

static void dma(struct fw_cfg *c, u64 gpa)
{
	struct dma_access dma;
	u32 result;
	u8 *at;

	at = c->ram(c->opaque, gpa, sizeof(dma));
	if (!at)
		return;
	memcpy(&dma, at, sizeof(dma));
	result = htobe32(dma_run(c, &dma));
	/* Last: the guest polls it. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(at + offsetof(struct dma_access, control), &result,
	       sizeof(result));
}

static u64 read_register(struct fw_cfg *c, u64 offset, unsigned int len)
{
	u8 bytes[8] = { 0 };
	u64 val;

	if (offset >= REG_DMA) {
		val = htobe64(DMA_SIGNATURE) >> (8 * (offset - REG_DMA));
		return len < 8 ? val & ((1ULL << (8 * len)) - 1) : val;
	}
	if (offset != REG_DATA)
		return 0;
	take(c, bytes, len);
	memcpy(&val, bytes, sizeof(val));
	return le64toh(val);
}

static void write_register(struct fw_cfg *c, u64 offset, unsigned int len,
			   u64 val)
{
	if (offset == REG_SELECTOR && len == 2) {
		select_item(c, be16toh((u16)val));
	} else if (offset == REG_DMA && len == 8) {
		c->dma_high = 0;
		dma(c, be64toh(val));
	} else if (offset == REG_DMA && len == 4) {
		c->dma_high = be32toh((u32)val);
	} else if (offset == REG_DMA + 4 && len == 4) {
		u64 high = c->dma_high;

		c->dma_high = 0;
		dma(c, high << 32 | be32toh((u32)val));
	}
}

void fw_cfg_access(void *opaque, u64 offset, unsigned int len, bool write,
		   u64 *val)
{
	struct fw_cfg *c = opaque;

	pthread_mutex_lock(&c->lock);
	if (write)
		write_register(c, offset, len, *val);
	else
		*val = read_register(c, offset, len);
	pthread_mutex_unlock(&c->lock);
}
