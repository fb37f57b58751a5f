// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vmm_core/rmem.c ../../vmm_core/decode.c
/*
 * Emulated loads and stores: instructions are given as their bits, decoded, and
 * carried out on a small memory piece by piece as MMIO does, then compared with
 * what a plain implementation on bytes makes of the same access.
 */
#include "unit.h"
#include "../../vmm_core/rmem.h"

/* Encodings, by the formats of the unprivileged specification. */
#define OP_LOAD		0x03
#define OP_LOAD_FP	0x07
#define OP_STORE	0x23
#define OP_STORE_FP	0x27

static u32 enc_i(u32 opcode, u32 funct3, u32 rd, u32 rs1, s32 imm)
{
	return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | (u32)imm << 20;
}

static u32 enc_s(u32 opcode, u32 funct3, u32 rs2, u32 rs1, s32 imm)
{
	return opcode | (imm & 0x1f) << 7 | funct3 << 12 | rs1 << 15 |
	       rs2 << 20 | (u32)(imm >> 5) << 25;
}

static struct umbra_insn decoded(u32 raw)
{
	struct umbra_insn insn;

	umbra_decode(raw, &insn);
	return insn;
}

/* A memory of a few bytes that sees how it is accessed. */
#define MEM_SIZE	64

static struct {
	u64 base;
	u8 bytes[MEM_SIZE];
	unsigned int accesses;
} mem;

static void mem_check(u64 gva, unsigned int len)
{
	mem.accesses++;
	require(len == 1 || len == 2 || len == 4 || len == 8);
	require_eq(gva % len, 0);
	require(gva - mem.base <= MEM_SIZE - len);
}

static u64 mem_read(u64 gva, unsigned int len)
{
	u64 val = 0;

	mem_check(gva, len);
	memcpy(&val, &mem.bytes[gva - mem.base], len);
	/* What is above the piece is not the caller's to rely on. */
	return len < 8 ? val | unit_rand() << (8 * len) : val;
}

static void mem_write(u64 gva, unsigned int len, u64 val)
{
	mem_check(gva, len);
	if (len < 8)
		expect_eq(val >> (8 * len), 0);
	memcpy(&mem.bytes[gva - mem.base], &val, len);
}

/* An access as MMIO does it. */
static void access_mem(const struct umbra_insn *insn, u64 *gpr, u64 *fpr)
{
	u64 gva = umbra_rmem_addr(insn, gpr);
	unsigned int off, n;
	u64 val;

	require(umbra_rmem_scalar(insn));
	mem.accesses = 0;
	if (umbra_rmem_access(insn) == UMBRA_ACCESS_READ) {
		val = unit_rand();
		for (off = 0; off < insn->width; off += n) {
			n = umbra_rmem_piece(gva + off, insn->width - off);
			val = umbra_rmem_insert(val, off, n,
						mem_read(gva + off, n));
		}
		umbra_rmem_finish_load(insn, val, gpr, fpr);
	} else {
		val = umbra_rmem_store_value(insn, gpr, fpr);
		for (off = 0; off < insn->width; off += n) {
			n = umbra_rmem_piece(gva + off, insn->width - off);
			mem_write(gva + off, n,
				  umbra_rmem_extract(val, off, n));
		}
	}
}

static void fill_random(void *p, size_t len)
{
	u8 *b = p;

	while (len--)
		*b++ = unit_rand();
}

UNIT_TEST(direction)
{
	static const struct {
		u32 raw;
		enum umbra_access access;
		bool scalar;
	} cases[] = {
		{ 0x00052503, UMBRA_ACCESS_READ, true },   /* lw a0, (a0) */
		{ 0x00a52023, UMBRA_ACCESS_WRITE, true },  /* sw a0, (a0) */
		{ 0x00053507, UMBRA_ACCESS_READ, true },   /* fld fa0, (a0) */
		{ 0x00a53027, UMBRA_ACCESS_WRITE, true },  /* fsd fa0, (a0) */
		{ 0x4108, UMBRA_ACCESS_READ, true },	   /* c.lw a0, (a0) */
		{ 0xe02a, UMBRA_ACCESS_WRITE, true },	   /* c.sdsp a0, (sp) */
		{ 0x1005252f, UMBRA_ACCESS_READ, false },  /* lr.w a0, (a0) */
		{ 0x18b5252f, UMBRA_ACCESS_WRITE, false }, /* sc.w a0, a1, (a0) */
		{ 0x00b5252f, UMBRA_ACCESS_WRITE, false }, /* amoadd.w */
		{ 0x02050007, UMBRA_ACCESS_READ, false },  /* vle8.v v0, (a0) */
		{ 0x02050027, UMBRA_ACCESS_WRITE, false }, /* vse8.v v0, (a0) */
		{ 0x0045200f, UMBRA_ACCESS_WRITE, false }, /* cbo.zero (a0) */
		{ 0x0005200f, UMBRA_ACCESS_WRITE, false }, /* cbo.inval (a0) */
		{ 0x10200073, UMBRA_ACCESS_NONE, false },  /* sret */
		{ 0x10052573, UMBRA_ACCESS_NONE, false },  /* csrrs */
		{ 0x00000013, UMBRA_ACCESS_NONE, false },  /* nop */
		{ 0x00000000, UMBRA_ACCESS_NONE, false },  /* illegal */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct umbra_insn insn = decoded(cases[i].raw);

		if (umbra_rmem_access(&insn) != cases[i].access ||
		    umbra_rmem_scalar(&insn) != cases[i].scalar)
			fail_test("%#x: access %d, scalar %d", cases[i].raw,
				  umbra_rmem_access(&insn),
				  umbra_rmem_scalar(&insn));
	}
}

UNIT_TEST(address)
{
	u64 gpr[32] = { 0 };
	struct umbra_insn insn;

	gpr[5] = 0x80000000;
	insn = decoded(enc_i(OP_LOAD, 3, 1, 5, -2048));
	expect_eq(umbra_rmem_addr(&insn, gpr), 0x7ffff800);
	insn = decoded(enc_s(OP_STORE, 3, 1, 5, 2047));
	expect_eq(umbra_rmem_addr(&insn, gpr), 0x800007ff);

	/* x0 as the base reaches both ends of the address space. */
	insn = decoded(enc_i(OP_LOAD, 0, 1, 0, -1));
	expect_eq(umbra_rmem_addr(&insn, gpr), ~0ULL);

	gpr[5] = ~0ULL;
	insn = decoded(enc_i(OP_LOAD, 0, 1, 5, 2));
	expect_eq(umbra_rmem_addr(&insn, gpr), 1);

	/* The immediate of a CBO is not an offset. */
	gpr[10] = 0x1000;
	insn = decoded(0x0045200f);
	expect_eq(umbra_rmem_addr(&insn, gpr), 0x1000);

	insn = decoded(0x00b5252f);
	expect_eq(umbra_rmem_addr(&insn, gpr), 0x1000);
}

UNIT_TEST(extension)
{
	static const struct {
		u32 opcode, funct3;
		u64 raw, result;
	} cases[] = {
		{ OP_LOAD, 0, 0x80, 0xffffffffffffff80 },
		{ OP_LOAD, 0, 0xabcdef7f, 0x7f },
		{ OP_LOAD, 1, 0x8000, 0xffffffffffff8000 },
		{ OP_LOAD, 1, 0xffff7fff, 0x7fff },
		{ OP_LOAD, 2, 0x80000000, 0xffffffff80000000 },
		{ OP_LOAD, 2, 0xffffffff7fffffff, 0x7fffffff },
		{ OP_LOAD, 3, 0x8000000000000001, 0x8000000000000001 },
		{ OP_LOAD, 3, 0x7000000000000001, 0x7000000000000001 },
		{ OP_LOAD, 4, 0xffffff80, 0x80 },
		{ OP_LOAD, 5, 0xffff8000, 0x8000 },
		{ OP_LOAD, 6, 0xffffffff80000000, 0x80000000 },
		/* NaN-boxing, whatever the sign */
		{ OP_LOAD_FP, 1, 0x3c00, 0xffffffffffff3c00 },
		{ OP_LOAD_FP, 1, 0x123bc00, 0xffffffffffffbc00 },
		{ OP_LOAD_FP, 2, 0x3f800000, 0xffffffff3f800000 },
		{ OP_LOAD_FP, 2, 0x7bf800000, 0xffffffffbf800000 },
		{ OP_LOAD_FP, 3, 0x3ff0000000000000, 0x3ff0000000000000 },
		{ OP_LOAD_FP, 3, 0xbff0000000000000, 0xbff0000000000000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct umbra_insn insn = decoded(enc_i(cases[i].opcode,
						       cases[i].funct3,
						       3, 4, 0));
		u64 r = umbra_rmem_load_result(&insn, cases[i].raw);

		if (r != cases[i].result)
			fail_test("opcode %#x funct3 %u of %#llx is %#llx, expected %#llx",
				  cases[i].opcode, cases[i].funct3,
				  (unsigned long long)cases[i].raw,
				  (unsigned long long)r,
				  (unsigned long long)cases[i].result);
	}
}

UNIT_TEST(store_value)
{
	u64 gpr[32], fpr[32];
	struct umbra_insn insn;
	unsigned int funct3, i;

	for (i = 0; i < 32; i++) {
		gpr[i] = i ? 0x8182838485868700 + i : 0;
		fpr[i] = 0xf1f2f3f4f5f6f700 + i;
	}

	for (funct3 = 0; funct3 < 4; funct3++) {
		u64 mask = funct3 == 3 ? ~0ULL : (1ULL << (8 << funct3)) - 1;

		for (i = 0; i < 32; i++) {
			insn = decoded(enc_s(OP_STORE, funct3, i, 2, 0));
			expect_eq(umbra_rmem_store_value(&insn, gpr, NULL),
				  gpr[i] & mask);
			if (!funct3)
				continue;
			/* Not NaN-boxed and stored all the same. */
			insn = decoded(enc_s(OP_STORE_FP, funct3, i, 2, 0));
			expect_eq(umbra_rmem_store_value(&insn, gpr, fpr),
				  fpr[i] & mask);
		}
	}
}

UNIT_TEST(x0_stays_zero_and_f0_does_not)
{
	u64 gpr[32] = { 0 }, fpr[32] = { 0 };
	struct umbra_insn insn;

	insn = decoded(enc_i(OP_LOAD, 3, 0, 5, 0));
	umbra_rmem_finish_load(&insn, 0x1234, gpr, NULL);
	expect_eq(gpr[0], 0);

	insn = decoded(enc_i(OP_LOAD_FP, 3, 0, 5, 0));
	umbra_rmem_finish_load(&insn, 0x1234, gpr, fpr);
	expect_eq(gpr[0], 0);
	expect_eq(fpr[0], 0x1234);
}

/* Every alignment and length: aligned, ascending, complete, no more than needed. */
UNIT_TEST(pieces)
{
	unsigned int start, len;

	for (start = 0; start < 16; start++) {
		for (len = 1; len <= 16; len++) {
			/* Across a page, the end of memory, and neither. */
			static const u64 bases[] = { 0, 4096 - 8, -16ULL };
			unsigned int b;

			for (b = 0; b < ARRAY_SIZE(bases); b++) {
				u64 gva = bases[b] + start;
				unsigned int off, n;

				for (off = 0; off < len; off += n) {
					u64 at = gva + off;

					n = umbra_rmem_piece(at, len - off);
					require(n == 1 || n == 2 || n == 4 ||
						n == 8);
					expect_eq(at % n, 0);
					expect(n <= len - off);
					expect_eq(at / 4096,
						  (at + n - 1) / 4096);
					/* The next longer one would not do. */
					expect(n == 8 || at % (2 * n) ||
					       2 * n > len - off);
				}
				expect_eq(off, len);
			}
		}
	}

	/* The ones that matter most, spelled out. */
	expect_eq(umbra_rmem_piece(0x10000000, 1), 1);
	expect_eq(umbra_rmem_piece(0x10000002, 2), 2);
	expect_eq(umbra_rmem_piece(0x10000004, 4), 4);
	expect_eq(umbra_rmem_piece(0x10000008, 8), 8);
	expect_eq(umbra_rmem_piece(0x10000004, 8), 4);
	expect_eq(umbra_rmem_piece(0x10000006, 8), 2);
	expect_eq(umbra_rmem_piece(0x10000ffd, 8), 1);
}

UNIT_TEST(insert_and_extract)
{
	u64 val = 0x8877665544332211;

	expect_eq(umbra_rmem_extract(val, 0, 8), val);
	expect_eq(umbra_rmem_extract(val, 7, 1), 0x88);
	expect_eq(umbra_rmem_extract(val, 2, 2), 0x4433);
	expect_eq(umbra_rmem_extract(val, 4, 4), 0x88776655);
	expect_eq(umbra_rmem_insert(val, 0, 8, 1), 1);
	expect_eq(umbra_rmem_insert(val, 7, 1, 0xabcd), 0xcd77665544332211);
	expect_eq(umbra_rmem_insert(val, 2, 2, ~0xffffULL), 0x8877665500002211);
	expect_eq(umbra_rmem_insert(val, 4, 4, 0x99), 0x0000009944332211);
}

/* Random accesses, compressed ones included, against a model on bytes. */
UNIT_TEST(random_accesses)
{
	unsigned int i, j, done = 0;

	for (i = 0; i < 2000000; i++) {
		u64 gpr[32], fpr[32], gpr2[32], fpr2[32], gva, val = 0;
		u8 bytes[MEM_SIZE];
		struct umbra_insn insn;
		u32 raw;

		switch (unit_rand_below(5)) {
		case 0:
			raw = unit_rand();
			raw = (raw & ~0x7f) | OP_LOAD;
			break;
		case 1:
			raw = unit_rand();
			raw = (raw & ~0x7f) | OP_STORE;
			break;
		case 2:
			raw = unit_rand();
			raw = (raw & ~0x7f) | OP_LOAD_FP;
			break;
		case 3:
			raw = unit_rand();
			raw = (raw & ~0x7f) | OP_STORE_FP;
			break;
		default:
			raw = (u16)unit_rand();
			raw &= ~(raw & 1);
			break;
		}
		insn = decoded(raw);
		if (!umbra_rmem_scalar(&insn) || !insn.rs1)
			continue;
		done++;

		/* Put the memory around where the access will go. */
		fill_random(gpr, sizeof(gpr));
		fill_random(fpr, sizeof(fpr));
		gpr[0] = 0;
		gva = gpr[insn.rs1] + insn.imm;
		mem.base = gva - unit_rand_below(MEM_SIZE - 8);
		fill_random(mem.bytes, sizeof(mem.bytes));

		/* The model. */
		memcpy(gpr2, gpr, sizeof(gpr));
		memcpy(fpr2, fpr, sizeof(fpr));
		memcpy(bytes, mem.bytes, sizeof(bytes));
		for (j = 0; j < insn.width; j++) {
			u8 *b = &bytes[gva - mem.base + j];

			if (insn.op == UMBRA_OP_STORE)
				*b = gpr[insn.rs2] >> (8 * j);
			else if (insn.op == UMBRA_OP_FSTORE)
				*b = fpr[insn.rs2] >> (8 * j);
			else
				val += (u64)*b << (8 * j);
		}
		if (insn.op == UMBRA_OP_FLOAD) {
			fpr2[insn.rd] = insn.width == 2 ? val | 0xffffffffffff0000 :
					insn.width == 4 ? val | 0xffffffff00000000 :
					val;
		} else if (insn.op == UMBRA_OP_LOAD && insn.rd) {
			if (!insn.sign)
				gpr2[insn.rd] = val;
			else
				gpr2[insn.rd] = insn.width == 1 ? (u64)(s8)val :
						insn.width == 2 ? (u64)(s16)val :
						insn.width == 4 ? (u64)(s32)val :
						val;
		}

		access_mem(&insn, gpr, fpr);
		if (!expect_mem_eq(gpr, gpr2, sizeof(gpr)) ||
		    !expect_mem_eq(fpr, fpr2, sizeof(fpr)) ||
		    !expect_mem_eq(mem.bytes, bytes, sizeof(bytes)))
			fail_test("instruction %#x at %#llx", raw,
				  (unsigned long long)gva);
		if (gva % insn.width == 0)
			expect_eq(mem.accesses, 1);
	}
	expect(done > 500000);
}

/* --- AMOs ------------------------------------------------------------------------- */

#define OP_AMO		0x2f

/* By the text of the unprivileged specification, on values of the width. */
static u64 amo_model(unsigned int funct5, unsigned int width, u64 old, u64 rs2,
		     u64 rd)
{
	unsigned int up = 64 - 8 * width;
	u64 mask = ~0ull >> up, a = old & mask, b = rs2 & mask;
	s64 sa = (s64)(old << up), sb = (s64)(rs2 << up);

	switch (funct5) {
	case 0x00:
		return (a + b) & mask;
	case 0x01:
		return b;
	case 0x04:
		return a ^ b;
	case 0x05:
		return a == (rd & mask) ? b : a;
	case 0x08:
		return a | b;
	case 0x0c:
		return a & b;
	case 0x10:
		return sa < sb ? a : b;
	case 0x14:
		return sa > sb ? a : b;
	case 0x18:
		return a < b ? a : b;
	default:
		return a > b ? a : b;
	}
}

UNIT_TEST(amo)
{
	static const u8 ops[] = { 0, 1, 4, 5, 8, 0xc, 0x10, 0x14, 0x18, 0x1c };

	for (int i = 0; i < 100000; i++) {
		unsigned int op = ops[unit_rand_below(ARRAY_SIZE(ops))];
		unsigned int size = unit_rand_below(4), width = 1 << size;
		u64 mask = ~0ull >> (64 - 8 * width);
		struct umbra_insn insn = decoded(OP_AMO | 3 << 7 | size << 12 |
						 5 << 15 | 7 << 20 | op << 27);
		u64 gpr[32] = { 0 }, old = unit_rand() & mask;

		require_eq(insn.op, UMBRA_OP_AMO);
		gpr[7] = unit_rand();
		/* sometimes equal, or near */
		if (unit_rand() & 1)
			gpr[7] = old + unit_rand_below(3) - 1;
		gpr[3] = unit_rand() & 1 ? old | (unit_rand() & ~mask) : unit_rand();
		expect_eq(umbra_rmem_amo(&insn, old, gpr),
			  amo_model(op, width, old, gpr[7], gpr[3]));
		expect_eq(umbra_rmem_amo_result(&insn, old),
			  width == 8 ? old : width == 4 ? (u64)(s64)(s32)old :
			  width == 2 ? (u64)(s64)(s16)old : (u64)(s64)(s8)old);
	}
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
