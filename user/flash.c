// SPDX-License-Identifier: GPL-2.0
/*
 * A bank of NOR flash; see flash.h.
 *
 * A command is the low byte of what is written; a driver writes it to both chips
 * at once and reads both answers, and QEMU keeps one state for both, too.  As on
 * the chip, and other than on QEMU, programming can only clear bits, and a
 * sector is erased when that is confirmed.
 */
#include <string.h>

#include "flash.h"

#define CHIPS		2
#define CHIP_WIDTH	2	/* bytes */
#define BANK_WIDTH	(CHIPS * CHIP_WIDTH)

/* Commands (data sheet, table 4). */
enum {
	CMD_PROGRAM_ALT		= 0x10,
	CMD_ERASE		= 0x20,
	CMD_PROGRAM		= 0x40,
	CMD_CLEAR_STATUS	= 0x50,
	CMD_LOCK		= 0x60,
	CMD_READ_STATUS		= 0x70,
	CMD_READ_ID		= 0x90,
	CMD_CFI			= 0x98,
	CMD_BUFFER		= 0xe8,
	CMD_CONFIRM		= 0xd0,
	CMD_LOCK_SET		= 0x01,
};

/* Status register (data sheet, table 16). */
#define SR_READY	0x80
#define SR_ERASE	0x20	/* erasing failed */
#define SR_PROGRAM	0x10	/* programming failed */
#define SR_SEQUENCE	(SR_ERASE | SR_PROGRAM)

/* Manufacturer and device, as QEMU's `virt` has them. */
#define ID_MANUFACTURER	0x89
#define ID_DEVICE	0x18

/* buffer_base: no data has come yet. */
#define BUFFER_ANYWHERE	UINT64_MAX

static unsigned int log2_of(u64 n)
{
	unsigned int bits = 0;

	while (n >>= 1)
		bits++;
	return bits;
}

/* What a chip answers to a query (CFI, section 2): one byte per word. */
static u8 cfi(u64 word)
{
	static const char query[] = "QRY", extended[] = "PRI10";
	u64 sectors = FLASH_SIZE / FLASH_SECTOR - 1;
	u64 sector = FLASH_SECTOR / CHIPS / 256;

	if (word >= 0x10 && word < 0x13)
		return (u8)query[word - 0x10];
	if (word >= 0x31 && word < 0x36)
		return (u8)extended[word - 0x31];
	switch (word) {
	case 0x13:		/* primary command set: Intel/Sharp extended */
		return 0x01;
	case 0x15:		/* where its own table begins */
		return 0x31;
	case 0x1b:		/* Vcc 4.5 V .. 5.5 V */
		return 0x45;
	case 0x1c:
		return 0x55;
	case 0x1f:		/* typical times: 2^n us for a word, */
	case 0x20:		/* a buffer, */
		return 0x07;
	case 0x21:		/* 2^n ms for a sector */
		return 0x0a;
	case 0x23:		/* 2^n times that at most */
	case 0x24:
	case 0x25:
		return 0x04;
	case 0x27:		/* 2^n bytes per chip */
		return (u8)log2_of(FLASH_SIZE / CHIPS);
	case 0x28:		/* x8 and x16 */
		return 0x02;
	case 0x2a:		/* 2^n bytes of buffer per chip */
		return (u8)log2_of(FLASH_BUFFER / CHIPS);
	case 0x2c:		/* one region: sectors less one, their size / 256 */
		return 0x01;
	case 0x2d:
		return (u8)sectors;
	case 0x2e:
		return (u8)(sectors >> 8);
	case 0x2f:
		return (u8)sector;
	case 0x30:
		return (u8)(sector >> 8);
	case 0x3f:		/* one protection register */
		return 0x01;
	default:
		return 0;
	}
}

static u8 id(u64 word)
{
	switch (word & 0xff) {
	case 0:
		return ID_MANUFACTURER;
	case 1:
		return ID_DEVICE;
	default:		/* 2: the block's lock: open */
		return 0;
	}
}

/* The byte at @offset of what the chips answer. */
static u8 answer(const struct flash *f, u64 offset)
{
	u64 word = offset / BANK_WIDTH;
	bool low = !(offset % CHIP_WIDTH);

	switch (f->mode) {
	case FLASH_STATUS:
		return low ? f->status : 0;
	case FLASH_ID:
		return low ? id(word) : 0;
	case FLASH_CFI:
		return low ? cfi(word) : 0;
	default:
		return f->data[offset];
	}
}

u64 flash_read(const struct flash *f, u64 offset, unsigned int len)
{
	u64 val = 0;

	for (unsigned int i = 0; i < len; i++)
		val |= (u64)answer(f, offset + i) << (8 * i);
	return val;
}

void flash_reset(struct flash *f)
{
	f->mode = FLASH_ARRAY;
	f->step = FLASH_COMMAND;
	f->status = SR_READY;
}

/* A command ends; the driver reads the status. */
static void done(struct flash *f, u8 errors)
{
	f->step = FLASH_COMMAND;
	f->mode = FLASH_STATUS;
	f->status |= SR_READY | errors;
}

/* A sector, erased. */
static const u8 *blank(void)
{
	static u8 ones[FLASH_SECTOR];

	if (!ones[0])
		memset(ones, 0xff, sizeof(ones));
	return ones;
}

static void erase(struct flash *f, u64 offset)
{
	u64 at = ALIGN_DOWN(offset, FLASH_SECTOR);

	if (f->read_only || f->store(f->opaque, at, blank(), FLASH_SECTOR)) {
		done(f, SR_ERASE);
		return;
	}
	memset(f->data + at, 0xff, FLASH_SECTOR);
	done(f, 0);
}

static void put_buffer(struct flash *f, u64 at, unsigned int len, u64 val)
{
	for (unsigned int i = 0; i < len; i++)
		f->buffer[at + i] &= (u8)(val >> (8 * i));
}

static void open_buffer(struct flash *f)
{
	memset(f->buffer, 0xff, sizeof(f->buffer));
	f->buffer_bad = false;
}

/* Clear the bits of [@offset, @offset + @len) that are clear in the buffer. */
static void program(struct flash *f, u64 offset, u64 len)
{
	u8 *with = f->buffer + offset % FLASH_BUFFER;

	for (u64 i = 0; i < len; i++)
		with[i] &= f->data[offset + i];
	if (f->read_only || f->store(f->opaque, offset, with, len)) {
		done(f, SR_PROGRAM);
		return;
	}
	memcpy(f->data + offset, with, len);
	done(f, 0);
}

static void buffer_count(struct flash *f, u64 val)
{
	/* Words of one chip: so many writes to both. */
	u64 n = (u16)val + 1ULL;

	if (n > FLASH_BUFFER / BANK_WIDTH) {
		done(f, SR_SEQUENCE);
		return;
	}
	open_buffer(f);
	f->buffer_left = (u32)n;
	f->buffer_base = BUFFER_ANYWHERE;
	f->step = FLASH_BUFFER_DATA;
}

static void buffer_data(struct flash *f, u64 offset, unsigned int len, u64 val)
{
	if (f->buffer_base == BUFFER_ANYWHERE)
		f->buffer_base = ALIGN_DOWN(offset, FLASH_BUFFER);
	if (ALIGN_DOWN(offset, FLASH_BUFFER) != f->buffer_base)
		f->buffer_bad = true;
	else
		put_buffer(f, offset - f->buffer_base, len, val);
	if (!--f->buffer_left)
		f->step = FLASH_BUFFER_CONFIRM;
}

static void command(struct flash *f, u8 cmd)
{
	switch (cmd) {
	case CMD_PROGRAM:
	case CMD_PROGRAM_ALT:
		f->mode = FLASH_STATUS;
		f->step = FLASH_PROGRAM;
		break;
	case CMD_ERASE:
		f->mode = FLASH_STATUS;
		f->step = FLASH_ERASE;
		break;
	case CMD_LOCK:
		f->mode = FLASH_STATUS;
		f->step = FLASH_LOCK;
		break;
	case CMD_BUFFER:
		f->mode = FLASH_STATUS;
		f->step = FLASH_BUFFER_COUNT;
		f->status |= SR_READY;
		break;
	case CMD_READ_STATUS:
		f->mode = FLASH_STATUS;
		break;
	case CMD_READ_ID:
		f->mode = FLASH_ID;
		break;
	case CMD_CFI:
		f->mode = FLASH_CFI;
		break;
	case CMD_CLEAR_STATUS:
		f->status = SR_READY;
		f->mode = FLASH_ARRAY;
		break;
	default:		/* 0xff, and what means nothing, as on QEMU */
		f->mode = FLASH_ARRAY;
		break;
	}
}

void flash_write(struct flash *f, u64 offset, unsigned int len, u64 val)
{
	u8 cmd = (u8)val;

	switch (f->step) {
	case FLASH_COMMAND:
		command(f, cmd);
		break;
	case FLASH_PROGRAM:
		open_buffer(f);
		put_buffer(f, offset % FLASH_BUFFER, len, val);
		program(f, offset, len);
		break;
	case FLASH_ERASE:
		if (cmd == CMD_CONFIRM)
			erase(f, offset);
		else
			done(f, SR_SEQUENCE);
		break;
	case FLASH_LOCK:
		/* Blocks have locks that hold nothing: as on QEMU. */
		done(f, cmd == CMD_CONFIRM || cmd == CMD_LOCK_SET ?
		     0 : SR_SEQUENCE);
		break;
	case FLASH_BUFFER_COUNT:
		buffer_count(f, val);
		break;
	case FLASH_BUFFER_DATA:
		buffer_data(f, offset, len, val);
		break;
	case FLASH_BUFFER_CONFIRM:
		if (cmd != CMD_CONFIRM || f->buffer_bad)
			done(f, SR_SEQUENCE);
		else
			program(f, f->buffer_base, FLASH_BUFFER);
		break;
	}
}
