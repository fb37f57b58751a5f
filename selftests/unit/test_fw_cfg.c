// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../user/fw_cfg.c
/*
 * The launcher's fw_cfg: items by register and by DMA, as EDK2 and U-Boot read
 * them, and descriptors that point anywhere.
 */
#include <endian.h>

#include "unit.h"
#include "../../user/fw_cfg.h"

#define RAM	0x80000000ull
#define SIZE	0x10000u

#define DATA		0x00
#define SELECTOR	0x08
#define DMA		0x10

#define ERROR		1
#define READ		2
#define SKIP		4
#define SELECT		8
#define WRITE		16

static struct fw_cfg c;
static u8 *ram;
static char kernel[1000];

static void *find(void *opaque, u64 gpa, u64 len)
{
	u64 off = gpa - RAM;

	expect(opaque == &c);
	if (gpa < RAM || off > SIZE || len > SIZE - off)
		return NULL;
	return ram + off;
}

static void start(void)
{
	/* Exactly so much: a sanitizer sees one byte more. */
	free(ram);
	ram = malloc(SIZE);
	memset(ram, 0xee, SIZE);
	for (u32 i = 0; i < sizeof(kernel); i++)
		kernel[i] = (char)(i * 7 + 1);
	fw_cfg_init(&c, find, &c);
	fw_cfg_set_number(&c, FW_CFG_KERNEL_SIZE, sizeof(kernel), 4);
	fw_cfg_set(&c, FW_CFG_KERNEL_DATA, kernel, sizeof(kernel));
	fw_cfg_set_number(&c, FW_CFG_NB_CPUS, 3, 2);
}

static u64 rd(u64 offset, unsigned int len)
{
	u64 val = 0;

	fw_cfg_access(&c, offset, len, false, &val);
	return val;
}

static void wr(u64 offset, unsigned int len, u64 val)
{
	fw_cfg_access(&c, offset, len, true, &val);
}

static void pick(u16 key)
{
	wr(SELECTOR, 2, htobe16(key));
}

/* Put a descriptor at @at, run it in one way or the other; its control. */
static u32 dma(u64 at, u32 control, u32 len, u64 address, bool halves)
{
	u32 words[2] = { htobe32(control), htobe32(len) };
	u64 addr = htobe64(address);
	u32 result;

	memcpy(ram + (at - RAM), words, 8);
	memcpy(ram + (at - RAM) + 8, &addr, 8);
	if (halves) {
		wr(DMA, 4, htobe32((u32)(at >> 32)));
		wr(DMA + 4, 4, htobe32((u32)at));
	} else {
		wr(DMA, 8, htobe64(at));
	}
	memcpy(&result, ram + (at - RAM), 4);
	return be32toh(result);
}

UNIT_TEST(signature_and_numbers)
{
	start();
	pick(FW_CFG_SIGNATURE);
	expect_eq(rd(DATA, 4), 0x554d4551);	/* "QEMU" in memory order */
	pick(FW_CFG_SIGNATURE);
	expect_eq(rd(DATA, 1), 'Q');
	expect_eq(rd(DATA, 2), 'E' | 'M' << 8);
	expect_eq(rd(DATA, 8), 'U');		/* zeros behind the end */
	expect_eq(rd(DATA, 8), 0);
	pick(FW_CFG_ID);
	expect_eq(rd(DATA, 4), 3);
	pick(FW_CFG_NB_CPUS);
	expect_eq(rd(DATA, 2), 3);
	pick(FW_CFG_KERNEL_SIZE);
	expect_eq(rd(DATA, 4), sizeof(kernel));
	pick(FW_CFG_FILE_DIR);
	expect_eq(rd(DATA, 4), 0);
	/* "QEMU CFG", in memory order and by halves. */
	expect_eq(rd(DMA, 8), 0x47464320554d4551);
	expect_eq(rd(DMA, 4), 0x554d4551);
	expect_eq(rd(DMA + 4, 4), 0x47464320);
}

UNIT_TEST(what_is_not_there_reads_zero)
{
	start();
	for (u32 key = 0; key < 0x10000; key++) {
		if (key < FW_CFG_KEYS && c.item[key].data)
			continue;
		pick(key);
		if (!expect_eq(rd(DATA, 8), 0))
			break;
	}
}

UNIT_TEST(data_register_bytes)
{
	start();
	pick(FW_CFG_KERNEL_DATA);
	for (u32 i = 0; i < sizeof(kernel); i++)
		expect_eq(rd(DATA, 1), (u8)kernel[i]);
	expect_eq(rd(DATA, 1), 0);
	/* Selecting starts again; writing does nothing. */
	pick(FW_CFG_KERNEL_DATA);
	wr(DATA, 1, 0xff);
	expect_eq(rd(DATA, 1), (u8)kernel[0]);
}

UNIT_TEST(dma_reads)
{
	start();
	expect_eq(dma(RAM, FW_CFG_KERNEL_DATA << 16 | SELECT | READ,
		      sizeof(kernel), RAM + 0x1001, false), 0);
	expect_mem_eq(ram + 0x1001, kernel, sizeof(kernel));
	expect_eq(ram[0x1000], 0xee);
	expect_eq(ram[0x1001 + sizeof(kernel)], 0xee);
	/* In pieces, with a skip, by halves, past the end. */
	expect_eq(dma(RAM, FW_CFG_KERNEL_DATA << 16 | SELECT | SKIP, 100, 0,
		      true), 0);
	expect_eq(dma(RAM, READ, 50, RAM + 0x2000, true), 0);
	expect_mem_eq(ram + 0x2000, kernel + 100, 50);
	expect_eq(dma(RAM, READ, 2000, RAM + 0x3000, true), 0);
	expect_mem_eq(ram + 0x3000, kernel + 150, 850);
	expect_eq(ram[0x3000 + 850], 0);
	expect_eq(ram[0x3000 + 1999], 0);
	expect_eq(ram[0x3000 + 2000], 0xee);
	/* What does not exist. */
	expect_eq(dma(RAM, 0xffffu << 16 | SELECT | READ, 4, RAM + 0x1000,
		      false), 0);
	expect_eq(ram[0x1000], 0);
}

UNIT_TEST(dma_errors)
{
	u32 key = (u32)FW_CFG_KERNEL_DATA << 16 | SELECT;

	start();
	expect_eq(dma(RAM, key | WRITE, 4, RAM, false), ERROR);
	expect_eq(dma(RAM, key | READ, 4, RAM - 1, false), ERROR);
	expect_eq(dma(RAM, key | READ, 4, RAM + SIZE - 3, false), ERROR);
	expect_eq(dma(RAM, key | READ, 4, ~0ull, false), ERROR);
	expect_eq(dma(RAM, key | READ, ~0u, RAM, false), ERROR);
	expect_eq(dma(RAM, key | READ, 0, ~0ull, false), 0);
	expect_eq(dma(RAM, key | SKIP, ~0u, 0, false), 0);
	expect_eq(dma(RAM, 0, ~0u, 0, false), 0);
	/* The descriptor itself: outside, and at the very end. */
	wr(DMA, 8, htobe64(RAM + SIZE - 15));
	wr(DMA, 8, htobe64(RAM - 16));
	wr(DMA, 8, htobe64(~0ull));
	wr(DMA + 4, 4, htobe32(8));
	expect_eq(dma(RAM + SIZE - 16, key | READ, 4, RAM, false), 0);
	expect_mem_eq(ram, kernel, 4);
	/* Onto itself. */
	expect_eq(dma(RAM + 0x100, key | READ, 16, RAM + 0x100, false), 0);
}

UNIT_TEST(any_accesses_at_all)
{
	start();
	for (int n = 0; n < 300000; n++) {
		unsigned int len = 1u << unit_rand_below(4);
		u64 offset = unit_rand_below(FW_CFG_SIZE / len) * len;
		u64 val = unit_rand();

		switch (unit_rand_below(6)) {
		case 0:
			pick((u16)unit_rand_below(0x20));
			break;
		case 1:
			dma(RAM + unit_rand_below(SIZE - 15),
			    (u32)(unit_rand_below(0x20) << 16 |
				  unit_rand_below(0x20)),
			    (u32)unit_rand_below(2 * SIZE),
			    RAM - 64 + unit_rand_below(SIZE + 128),
			    unit_rand_below(2));
			break;
		case 2:
			wr(offset, len, val);
			break;
		default:
			rd(offset, len);
			break;
		}
		expect(c.key >= FW_CFG_KEYS || c.offset <= c.item[c.key].len);
	}
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
