// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../user/flash.c
/*
 * The launcher's NOR flash: queries as Linux, U-Boot and EDK2 make them, erasing,
 * programming by words and by buffers, what goes wrong, and any writes at all.
 */
#include "unit.h"
#include "../../user/flash.h"

/* A command goes to both chips at once; so do answers come. */
#define BOTH(x)		((u64)(x) << 16 | (x))

#define READY		BOTH(0x80)

static struct flash f;
static u8 *data, *stored;
static unsigned long stores;
static bool full;

/* The file behind the bank: told before the data change. */
static int store(void *opaque, u64 offset, const u8 *with, u64 len)
{
	expect(opaque == &f);
	expect(len && offset + len <= FLASH_SIZE);
	stores++;
	if (full)
		return -ENOSPC;
	expect(!memcmp(stored + offset, data + offset, len));
	memcpy(stored + offset, with, len);
	return 0;
}

static void start(void)
{
	if (!data) {
		data = malloc(FLASH_SIZE);
		stored = malloc(FLASH_SIZE);
	}
	memset(data, 0xff, FLASH_SIZE);
	memset(stored, 0xff, FLASH_SIZE);
	memset(&f, 0xa5, sizeof(f));
	f.data = data;
	f.read_only = false;
	f.store = store;
	f.opaque = &f;
	full = false;
	stores = 0;
	flash_reset(&f);
}

static u64 rd(u64 offset)
{
	return flash_read(&f, offset, 4);
}

static void wr(u64 offset, u64 val)
{
	flash_write(&f, offset, 4, val);
}

static void read_array(void)
{
	wr(0, BOTH(0xff));
	expect(flash_is_array(&f));
}

UNIT_TEST(array)
{
	start();
	memcpy(data, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	expect(flash_is_array(&f));
	expect_eq(flash_read(&f, 0, 8), 0x8877665544332211);
	expect_eq(flash_read(&f, 4, 4), 0x88776655);
	expect_eq(flash_read(&f, 2, 2), 0x4433);
	expect_eq(flash_read(&f, 7, 1), 0x88);
	expect_eq(flash_read(&f, FLASH_SIZE - 8, 8), ~0ull);
}

UNIT_TEST(cfi_query)
{
	static const char qry[] = "QRY", pri[] = "PRI";
	u32 sectors, size;

	start();
	wr(0x55 * 4, BOTH(0x98));
	expect(!flash_is_array(&f));
	for (int i = 0; i < 3; i++) {
		expect_eq(rd((0x10 + i) * 4), BOTH(qry[i]));
		expect_eq(rd((0x31 + i) * 4), BOTH(pri[i]));
	}
	expect_eq(rd(0x13 * 4), BOTH(1));
	expect_eq(rd(0x14 * 4), 0);
	expect_eq(rd(0x15 * 4), BOTH(0x31));
	/* Two chips of 16 MiB: 32 MiB of 256 KiB sectors. */
	expect_eq(2ull << (rd(0x27 * 4) & 0xff), FLASH_SIZE);
	sectors = (rd(0x2d * 4) & 0xff) + ((rd(0x2e * 4) & 0xff) << 8) + 1;
	size = ((rd(0x2f * 4) & 0xff) + ((rd(0x30 * 4) & 0xff) << 8)) * 256 * 2;
	expect_eq(size, FLASH_SECTOR);
	expect_eq(sectors * (u64)size, FLASH_SIZE);
	expect_eq(2ull << (rd(0x2a * 4) & 0xff), FLASH_BUFFER);
	/* Narrow reads, as a driver makes them that looks for the width. */
	expect_eq(flash_read(&f, 0x10 * 4, 1), 'Q');
	expect_eq(flash_read(&f, 0x10 * 4 + 1, 1), 0);
	expect_eq(flash_read(&f, 0x10 * 4 + 2, 2), 'Q');
	expect_eq(flash_read(&f, 0x10 * 4, 8), BOTH('Q') | BOTH('R') << 32);
	read_array();
}

UNIT_TEST(device_id)
{
	start();
	wr(0, BOTH(0x90));
	expect_eq(rd(0), BOTH(0x89));
	expect_eq(rd(4), BOTH(0x18));
	expect_eq(rd(8), 0);
	read_array();
	expect_eq(rd(0), 0xffffffff);
}

UNIT_TEST(program_words)
{
	start();
	wr(0x1000, BOTH(0x40));
	wr(0x1000, 0x12345678);
	expect_eq(rd(0), READY);
	expect(!flash_is_array(&f));
	wr(0x1004, BOTH(0x10));
	wr(0x1004, 0xdeadbeef);
	read_array();
	expect_eq(rd(0x1000), 0x12345678);
	expect_eq(rd(0x1004), 0xdeadbeef);
	expect_eq(rd(0x1008), 0xffffffff);
	/* Only clearing bits. */
	wr(0x1000, BOTH(0x40));
	wr(0x1000, 0xffff0000);
	read_array();
	expect_eq(rd(0x1000), 0x12340000);
	/* The last word of the bank, and a byte of it. */
	wr(FLASH_SIZE - 4, BOTH(0x40));
	wr(FLASH_SIZE - 4, 0);
	flash_write(&f, FLASH_SIZE - 5, 1, 0x40);
	flash_write(&f, FLASH_SIZE - 5, 1, 0x5a);
	read_array();
	expect_eq(flash_read(&f, FLASH_SIZE - 8, 8), 0x5affffff);
	expect(!memcmp(data, stored, FLASH_SIZE));
}

UNIT_TEST(erase)
{
	start();
	memset(data, 0, FLASH_SIZE);
	memset(stored, 0, FLASH_SIZE);
	wr(FLASH_SECTOR + 0x100, BOTH(0x20));
	expect_eq(stores, 0);
	wr(FLASH_SECTOR + 0x100, BOTH(0xd0));
	expect_eq(rd(0), READY);
	read_array();
	expect_eq(rd(FLASH_SECTOR - 4), 0);
	expect_eq(rd(FLASH_SECTOR), 0xffffffff);
	expect_eq(rd(2 * FLASH_SECTOR - 4), 0xffffffff);
	expect_eq(rd(2 * FLASH_SECTOR), 0);
	/* Not confirmed: nothing happens, and the status says so. */
	wr(0, BOTH(0x20));
	wr(0, BOTH(0x70));
	expect_eq(rd(0), BOTH(0xb0));
	wr(0, BOTH(0x50));
	wr(0, BOTH(0x70));
	expect_eq(rd(0), READY);
	read_array();
	expect_eq(rd(0), 0);
	expect_eq(stores, 1);
	expect(!memcmp(data, stored, FLASH_SIZE));
}

/* As EDK2's VirtNorFlashDxe and Linux's cfi_cmdset_0001 do it. */
UNIT_TEST(program_a_buffer)
{
	u64 at = 3 * FLASH_SECTOR + 0x80;

	start();
	wr(at, BOTH(0xe8));
	expect_eq(rd(at), READY);
	wr(at, BOTH(31));
	for (u32 i = 0; i < 32; i++)
		wr(at + i * 4, i * 0x01010101);
	expect_eq(stores, 0);
	wr(at, BOTH(0xd0));
	expect_eq(rd(at), READY);
	read_array();
	for (u32 i = 0; i < 32; i++)
		expect_eq(rd(at + i * 4), i * 0x01010101);
	expect_eq(rd(at - 4), 0xffffffff);
	expect_eq(rd(at + 128), 0xffffffff);
	expect_eq(stores, 1);
	/* The largest, at the end of the bank. */
	at = FLASH_SIZE - FLASH_BUFFER;
	wr(at, BOTH(0xe8));
	wr(at, BOTH(FLASH_BUFFER / 4 - 1));
	for (u32 i = 0; i < FLASH_BUFFER / 4; i++)
		wr(at + i * 4, ~i);
	wr(at, BOTH(0xd0));
	read_array();
	expect_eq(rd(FLASH_SIZE - 4), ~(FLASH_BUFFER / 4 - 1) & 0xffffffff);
	expect(!memcmp(data, stored, FLASH_SIZE));
}

UNIT_TEST(bad_buffers)
{
	start();
	/* More than a buffer holds. */
	wr(0, BOTH(0xe8));
	wr(0, BOTH(FLASH_BUFFER / 4));
	expect_eq(rd(0), BOTH(0xb0));
	wr(0, BOTH(0x50));
	/* Data outside the buffer's window. */
	wr(0, BOTH(0xe8));
	wr(0, BOTH(1));
	wr(0, 0);
	wr(FLASH_BUFFER, 0);
	wr(0, BOTH(0xd0));
	expect_eq(rd(0), BOTH(0xb0));
	wr(0, BOTH(0x50));
	/* Not confirmed. */
	wr(0, BOTH(0xe8));
	wr(0, BOTH(0));
	wr(0, 0);
	wr(0, BOTH(0xff));
	expect_eq(rd(0), BOTH(0xb0));
	wr(0, BOTH(0x50));
	read_array();
	expect_eq(stores, 0);
	expect_eq(rd(0), 0xffffffff);
}

UNIT_TEST(locks_hold_nothing)
{
	start();
	wr(0, BOTH(0x60));
	wr(0, BOTH(0xd0));
	expect_eq(rd(0), READY);
	wr(0, BOTH(0x60));
	wr(0, BOTH(0x01));
	expect_eq(rd(0), READY);
	wr(0, BOTH(0x60));
	wr(0, BOTH(0x77));
	expect_eq(rd(0), BOTH(0xb0));
}

/* A command fails as a whole, with its bit set, and the next one can work. */
static void everything_fails(void)
{
	wr(0, BOTH(0x40));
	wr(0, 0);
	expect_eq(rd(0), BOTH(0x90));
	wr(0, BOTH(0x50));
	wr(0, BOTH(0x20));
	wr(0, BOTH(0xd0));
	expect_eq(rd(0), BOTH(0xa0));
	wr(0, BOTH(0x50));
	wr(0, BOTH(0xe8));
	wr(0, BOTH(0));
	wr(0, 0);
	wr(0, BOTH(0xd0));
	expect_eq(rd(0), BOTH(0x90));
	wr(0, BOTH(0x50));
	read_array();
	expect_eq(rd(0), 0x12345678);
}

UNIT_TEST(read_only_and_a_full_disk)
{
	start();
	data[0] = stored[0] = 0x78;
	data[1] = stored[1] = 0x56;
	data[2] = stored[2] = 0x34;
	data[3] = stored[3] = 0x12;
	f.read_only = true;
	everything_fails();
	expect_eq(stores, 0);
	f.read_only = false;
	full = true;
	everything_fails();
	expect_eq(stores, 3);
	full = false;
	wr(0, BOTH(0x40));
	wr(0, 0);
	expect_eq(rd(0), READY);
	read_array();
	expect_eq(rd(0), 0);
}

/* AMD drivers, and nothing that we know, find a flash that reads its array. */
UNIT_TEST(unknown_commands)
{
	start();
	for (u32 cmd = 0; cmd < 256; cmd++) {
		static const u8 known[] = { 0x10, 0x20, 0x40, 0x60, 0x70, 0x90,
					    0x98, 0xe8 };

		if (memchr(known, cmd, sizeof(known)))
			continue;
		wr(0x555 * 4, BOTH(cmd));
		expect(flash_is_array(&f));
	}
	expect_eq(stores, 0);
}

UNIT_TEST(any_writes_at_all)
{
	static const u8 often[] = { 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90,
				    0x98, 0xd0, 0xe8, 0xff, 0, 1, 2, 3 };
	start();
	for (int n = 0; n < 300000; n++) {
		unsigned int len = 1u << unit_rand_below(4);
		u64 offset = unit_rand_below(4) ?
			     unit_rand_below(2 * FLASH_BUFFER) :
			     FLASH_SIZE - 1 - unit_rand_below(64);
		u64 val = unit_rand_below(8) ?
			  BOTH(often[unit_rand_below(ARRAY_SIZE(often))]) :
			  unit_rand();

		offset -= offset % len;
		if (!unit_rand_below(1000))
			f.read_only = !f.read_only;
		if (!unit_rand_below(1000))
			full = !full;
		if (unit_rand_below(3))
			flash_write(&f, offset, len, val);
		else
			flash_read(&f, offset, len);
		expect(!flash_is_array(&f) || f.step == FLASH_COMMAND);
	}
	expect(stores > 100);
	expect(!memcmp(data, stored, FLASH_SIZE));
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
