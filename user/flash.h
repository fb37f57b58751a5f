/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bank of NOR flash as on QEMU's `virt` machine: two 16-bit chips side by side
 * that take the Intel/Sharp extended command set (CFI 0001).  Pure C.
 *
 * The owner (pflash.c, or a unit test) serialises all calls on one struct flash.
 * While flash_is_array() reads may go to the data directly, as memory.
 *
 * Sections are those of the Common Flash Interface specification (JESD68) and of
 * Intel's data sheet of the 28F128J3.
 */
#ifndef UMBRA_USER_FLASH_H
#define UMBRA_USER_FLASH_H

#include <stdbool.h>

#include "util.h"

#define FLASH_SIZE		(32 * MIB)	/* of a bank */
#define FLASH_SECTOR		(256 * KIB)	/* of both chips: what is erased */
#define FLASH_BUFFER		(4 * KIB)	/* of both: programmed at once */

/* Which part of a command of several writes comes next. */
enum flash_step {
	FLASH_COMMAND,
	FLASH_PROGRAM,		/* the data */
	FLASH_ERASE,		/* the confirmation */
	FLASH_LOCK,		/* what to do with the block's lock */
	FLASH_BUFFER_COUNT,	/* how many words, less one */
	FLASH_BUFFER_DATA,
	FLASH_BUFFER_CONFIRM,
};

/* What a read returns. */
enum flash_mode {
	FLASH_ARRAY,
	FLASH_STATUS,
	FLASH_ID,
	FLASH_CFI,
};

/**
 * struct flash - a bank
 * @data: its content, FLASH_SIZE bytes
 * @read_only: programming and erasing fail
 * @store: make @len bytes from @offset be @with, for ever, before @data changes;
 *	not 0: that failed, and the guest is told
 * @opaque: its first argument
 * @mode: what a read returns
 * @step: what a write is
 * @status: the status register
 * @buffer_base: first address of what is gathered in @buffer
 * @buffer_left: data that is still to come
 * @buffer_bad: some of it lay elsewhere
 * @buffer: what is to be programmed; all ones where nothing is
 */
struct flash {
	u8 *data;
	bool read_only;
	int (*store)(void *opaque, u64 offset, const u8 *with, u64 len);
	void *opaque;

	enum flash_mode mode;
	enum flash_step step;
	u8 status;
	u64 buffer_base;
	u32 buffer_left;
	bool buffer_bad;
	u8 buffer[FLASH_BUFFER];
};

/* The state after power-on: reads return the array. */
void flash_reset(struct flash *f);

static inline bool flash_is_array(const struct flash *f)
{
	return f->mode == FLASH_ARRAY;
}

/*
 * The guest's accesses: @len is 1, 2, 4 or 8, @offset a multiple of it and
 * inside the bank.
 */
u64 flash_read(const struct flash *f, u64 offset, unsigned int len);
void flash_write(struct flash *f, u64 offset, unsigned int len, u64 val);

#endif /* UMBRA_USER_FLASH_H */
