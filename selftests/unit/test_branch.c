// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vmm_core/branch.c
/*
 * Branches, jumps and auipc: each is put together from its fields as the
 * specification's tables give them, with random registers and offsets, and must
 * lead where the offset says.  Words that an assembler made stand for the tables'
 * being read right, and all other words must not be taken for one of them.
 */
#include "unit.h"
#include "../../vmm_core/branch.h"

static u64 gpr[32], before[32], pc;

static void random_state(void)
{
	for (int i = 1; i < 32; i++)
		gpr[i] = unit_rand() % 3 ? unit_rand() : gpr[unit_rand() % 32];
	pc = unit_rand() & ~1ull;
	memcpy(before, gpr, sizeof(gpr));
}

/* Bit @from of the offset is bit @to of the word. */
static u32 put(s64 offset, int from, int to)
{
	return (u32)((u64)offset >> from & 1) << to;
}

static u32 put_all(s64 offset, const char *order, int top)
{
	u32 raw = 0;

	/* The offset's bits as the table lists them, from bit @top down. */
	for (; *order; order++, top--)
		raw |= put(offset, *order <= '9' ? *order - '0' : *order - 'a' + 10, top);
	return raw;
}

/* Nothing but pc and @rd, which becomes @val. */
static void expect_only(unsigned int rd, u64 val)
{
	for (unsigned int i = 0; i < 32; i++)
		expect_eq(gpr[i], i && i == rd ? val : before[i]);
}

static s64 random_offset(int bits)
{
	return (s64)(unit_rand() << (64 - bits)) >> (64 - bits) & ~1ll;
}

UNIT_TEST(assembled)
{
	/* From GNU as: the word, a0, where it leads to from 0x1000, ra. */
	static const struct { u32 raw; u64 a0, to, ra; } w[] = {
		{ 0xfe050ee3, 0, 0xffc, 0 },		/* beq a0, zero, .-4 */
		{ 0xfe050ee3, 1, 0x1004, 0 },
		{ 0x00051863, 1, 0x1010, 0 },		/* bne a0, zero, .+16 */
		{ 0x00054463, -1, 0x1008, 0 },		/* blt a0, zero, .+8 */
		{ 0x0040006f, 0, 0x1004, 0 },		/* j .+4 */
		{ 0xffdff0ef, 0, 0xffc, 0x1004 },	/* jal .-4 */
		{ 0x00c500e7, 0x2001, 0x200c, 0x1004 },	/* jalr ra, 12(a0) */
		{ 0xa011, 0, 0x1004, 0 },		/* c.j .+4 */
		{ 0xbff5, 0, 0xffc, 0 },		/* c.j .-4 */
		{ 0xc119, 0, 0x1006, 0 },		/* c.beqz a0, .+6 */
		{ 0xc119, 1, 0x1002, 0 },
		{ 0xfd75, 1, 0xffc, 0 },		/* c.bnez a0, .-4 */
		{ 0x8502, 0x3001, 0x3000, 0 },		/* c.jr a0 */
		{ 0x9502, 0x3001, 0x3000, 0x1002 },	/* c.jalr a0 */
		{ 0x00001097, 0, 0x1004, 0x2000 },	/* auipc ra, 1 */
		{ 0xfffff097, 0, 0x1004, 0 },		/* auipc ra, -1 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		memset(gpr, 0, sizeof(gpr));
		gpr[10] = w[i].a0;
		pc = 0x1000;
		expect(umbra_branch(w[i].raw, gpr, &pc));
		expect_eq(pc, w[i].to);
		expect_eq(gpr[1], w[i].ra);
	}
}

UNIT_TEST(conditions)
{
	for (int n = 0; n < 100000; n++) {
		unsigned int rs1 = unit_rand() % 32, rs2 = unit_rand() % 32;
		unsigned int funct3 = unit_rand() % 8;
		s64 offset = random_offset(13);
		u32 raw = put_all(offset, "ca98765", 31) | rs2 << 20 | rs1 << 15 |
			  funct3 << 12 | put_all(offset, "4321b", 11) | 0x63;
		u64 a, b, from;
		bool taken;

		random_state();
		a = gpr[rs1];
		b = gpr[rs2];
		from = pc;
		switch (funct3) {
		case 0:
			taken = a == b;
			break;
		case 1:
			taken = a != b;
			break;
		case 4:
			taken = (s64)a < (s64)b;
			break;
		case 5:
			taken = (s64)a >= (s64)b;
			break;
		case 6:
			taken = a < b;
			break;
		case 7:
			taken = a >= b;
			break;
		default:
			expect(!umbra_branch(raw, gpr, &pc));
			expect_eq(pc, from);
			expect_only(0, 0);
			continue;
		}
		expect(umbra_branch(raw, gpr, &pc));
		expect_eq(pc, taken ? from + offset : from + 4);
		expect_only(0, 0);
	}
}

UNIT_TEST(jumps)
{
	for (int n = 0; n < 100000; n++) {
		unsigned int rd = unit_rand() % 32, rs1 = unit_rand() % 32;
		s64 offset = random_offset(21);
		u64 from;

		random_state();
		from = pc;
		expect(umbra_branch(put_all(offset, "ka987654321bjihgfedc", 31) |
				    rd << 7 | 0x6f, gpr, &pc));
		expect_eq(pc, from + offset);
		expect_only(rd, from + 4);

		random_state();
		from = pc;
		offset = (s64)(unit_rand() << 52) >> 52;
		expect(umbra_branch((u32)offset << 20 | rs1 << 15 | rd << 7 | 0x67,
				    gpr, &pc));
		expect_eq(pc, (before[rs1] + offset) & ~1ull);
		expect_only(rd, from + 4);

		random_state();
		from = pc;
		offset = (s64)(s32)unit_rand() & ~0xfffll;
		expect(umbra_branch((u32)offset | rd << 7 | 0x17, gpr, &pc));
		expect_eq(pc, from + 4);
		expect_only(rd, from + offset);
	}
}

UNIT_TEST(compressed)
{
	for (int n = 0; n < 100000; n++) {
		unsigned int rs = 1 + unit_rand() % 31, crs = unit_rand() % 8;
		u32 rest = unit_rand() << 16;	/* to be ignored */
		bool bnez = unit_rand() % 2, jalr = unit_rand() % 2;
		s64 offset = random_offset(12);
		u64 from;

		random_state();
		from = pc;
		expect(umbra_branch(rest | 0xa001 | put_all(offset, "b498a673215", 12),
				    gpr, &pc));
		expect_eq(pc, from + offset);
		expect_only(0, 0);

		random_state();
		if (n % 2)
			gpr[8 + crs] = before[8 + crs] = 0;
		from = pc;
		offset = random_offset(9);
		expect(umbra_branch(rest | 0xc001 | (u32)bnez << 13 | crs << 7 |
				    put_all(offset, "843", 12) |
				    put_all(offset, "76215", 6), gpr, &pc));
		expect_eq(pc, bnez == !before[8 + crs] ? from + 2 : from + offset);
		expect_only(0, 0);

		random_state();
		from = pc;
		expect(umbra_branch(rest | 0x8002 | (u32)jalr << 12 | rs << 7, gpr, &pc));
		expect_eq(pc, before[rs] & ~1ull);
		expect_only(jalr ? 1 : 0, from + 2);
	}
}

/* c.mv, c.add, c.ebreak, loads, system instructions, jalr with a funct3. */
UNIT_TEST(others)
{
	static const u32 raw[] = {
		0x9002, 0x852e, 0x952e, 0x8002, 0x4501, 0x0001, 0x00000073, 0x00100073,
		0x30200073, 0x00053503, 0x00a53023, 0x00001067, 0x0000100f, 0x00000037,
		0x00002063, 0x00003063,
	};

	for (size_t i = 0; i < ARRAY_SIZE(raw); i++) {
		u64 from;

		random_state();
		from = pc;
		expect(!umbra_branch(raw[i], gpr, &pc));
		expect_eq(pc, from);
		expect_only(0, 0);
	}
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
