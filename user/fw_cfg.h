/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's firmware configuration device with DMA, memory-mapped: how firmware gets
 * a kernel, an initrd and a command line that were given to the launcher.  Pure C.
 *
 * The interface is docs/specs/fw_cfg.rst of QEMU.
 */
#ifndef UMBRA_USER_FW_CFG_H
#define UMBRA_USER_FW_CFG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "util.h"

#define FW_CFG_BASE	0x10100000ULL
#define FW_CFG_SIZE	0x18

/* Items; what is not here does not exist. */
enum fw_cfg_key {
	FW_CFG_SIGNATURE	= 0x00,
	FW_CFG_ID		= 0x01,
	FW_CFG_RAM_SIZE		= 0x03,
	FW_CFG_NB_CPUS		= 0x05,
	FW_CFG_KERNEL_SIZE	= 0x08,
	FW_CFG_INITRD_SIZE	= 0x0b,
	FW_CFG_MAX_CPUS		= 0x0f,
	FW_CFG_KERNEL_DATA	= 0x11,
	FW_CFG_INITRD_DATA	= 0x12,
	FW_CFG_CMDLINE_SIZE	= 0x14,
	FW_CFG_CMDLINE_DATA	= 0x15,
	FW_CFG_FILE_DIR		= 0x19,
	FW_CFG_KEYS,
};

/**
 * struct fw_cfg_item - an item
 * @data: NULL: it does not exist
 * @len: bytes; behind them a guest reads zeros
 * @own: room for a number
 */
struct fw_cfg_item {
	const u8 *data;
	size_t len;
	u8 own[8];
};

/**
 * struct fw_cfg - the device
 * @lock: what follows @opaque, once vCPUs run
 * @item: by key
 * @ram: where [gpa, gpa + len) of guest memory lies, NULL if it does not
 * @opaque: its first argument
 * @key: the item that is selected
 * @offset: how far it has been read
 * @dma_high: upper half of the next DMA's address
 */
struct fw_cfg {
	struct fw_cfg_item item[FW_CFG_KEYS];
	void *(*ram)(void *opaque, u64 gpa, u64 len);
	void *opaque;
	pthread_mutex_t lock;	/* all below */
	u16 key;
	size_t offset;
	u32 dma_high;
};

/* The state after power-on, with the items that are always there. */
void fw_cfg_init(struct fw_cfg *c, void *(*ram)(void *opaque, u64 gpa, u64 len),
		 void *opaque);

/* Before the guest runs.  @data is not copied and has to stay. */
void fw_cfg_set(struct fw_cfg *c, enum fw_cfg_key key, const void *data,
		size_t len);
/* A little-endian number of @len bytes. */
void fw_cfg_set_number(struct fw_cfg *c, enum fw_cfg_key key, u64 val,
		       size_t len);

/*
 * The guest's access; @len is 1, 2, 4 or 8, @offset a multiple of it and inside.
 * From any thread.
 */
void fw_cfg_access(void *opaque, u64 offset, unsigned int len, bool write,
		   u64 *val);

#endif /* UMBRA_USER_FW_CFG_H */
