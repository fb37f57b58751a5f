// SPDX-License-Identifier: GPL-2.0
/*
 * Branches, jumps and auipc, see branch.h (unprivileged spec, chapters 2 and 27).
 *
 * With C no target is misaligned, so that none of them raises an exception; one
 * that leads nowhere faults when it is fetched from.
 */
#include "branch.h"

#define OPC_AUIPC	0x17
#define OPC_BRANCH	0x63
#define OPC_JALR	0x67
#define OPC_JAL		0x6f

/* Bits @hi down to @lo of @raw, at bit @to of an immediate. */
static inline u32 part(u32 raw, unsigned int hi, unsigned int lo, unsigned int to)
{
	return ((raw >> lo) & ((2U << (hi - lo)) - 1)) << to;
}

/* Sign-extend from bit @top. */
static inline s64 extend(u32 val, unsigned int top)
{
	return (s32)(val << (31 - top)) >> (31 - top);
}

static s64 imm_b(u32 raw)
{
	return extend(part(raw, 31, 31, 12) | part(raw, 7, 7, 11) |
		      part(raw, 30, 25, 5) | part(raw, 11, 8, 1), 12);
}

static s64 imm_j(u32 raw)
{
	return extend(part(raw, 31, 31, 20) | part(raw, 19, 12, 12) |
		      part(raw, 20, 20, 11) | part(raw, 30, 21, 1), 20);
}

static s64 imm_cj(u32 raw)
{
	return extend(part(raw, 12, 12, 11) | part(raw, 11, 11, 4) |
		      part(raw, 10, 9, 8) | part(raw, 8, 8, 10) |
		      part(raw, 7, 7, 6) | part(raw, 6, 6, 7) |
		      part(raw, 5, 3, 1) | part(raw, 2, 2, 5), 11);
}

static s64 imm_cb(u32 raw)
{
	return extend(part(raw, 12, 12, 8) | part(raw, 11, 10, 3) |
		      part(raw, 6, 5, 6) | part(raw, 4, 3, 1) |
		      part(raw, 2, 2, 5), 8);
}

static void link(u64 *gpr, unsigned int rd, u64 val)
{
	if (rd)
		gpr[rd] = val;
}

static bool branch_compressed(u32 raw, u64 *gpr, u64 *pc)
{
	unsigned int rs1 = part(raw, 11, 7, 0);
	bool zero = !gpr[8 + part(raw, 9, 7, 0)];
	u64 target;

	switch (part(raw, 15, 13, 2) | (raw & 3)) {
	case 5 << 2 | 1:	/* c.j */
		*pc += imm_cj(raw);
		return true;
	case 6 << 2 | 1:	/* c.beqz, c.bnez */
	case 7 << 2 | 1:
		*pc += zero != !!(raw & 0x2000) ? imm_cb(raw) : 2;
		return true;
	case 4 << 2 | 2:	/* c.jr, c.jalr; c.mv, c.add, c.ebreak are not */
		if (part(raw, 6, 2, 0) || !rs1)
			return false;
		target = gpr[rs1] & ~1ULL;
		if (raw & 0x1000)
			gpr[1] = *pc + 2;
		*pc = target;
		return true;
	}
	return false;
}

/* *@taken: is a branch of this kind?  False: the kind is reserved. */
static bool compare(unsigned int funct3, u64 a, u64 b, bool *taken)
{
	switch (funct3 >> 1) {
	case 0:
		*taken = a == b;
		break;
	case 2:
		*taken = (s64)a < (s64)b;
		break;
	case 3:
		*taken = a < b;
		break;
	default:
		return false;
	}
	*taken ^= funct3 & 1;
	return true;
}

bool umbra_branch(u32 raw, u64 *gpr, u64 *pc)
{
	unsigned int rd = part(raw, 11, 7, 0), rs1 = part(raw, 19, 15, 0);
	unsigned int rs2 = part(raw, 24, 20, 0), funct3 = part(raw, 14, 12, 0);
	u64 target;
	bool taken;

	if ((raw & 3) != 3)
		return branch_compressed(raw, gpr, pc);
	switch (raw & 0x7f) {
	case OPC_AUIPC:
		link(gpr, rd, *pc + (s64)(s32)(raw & 0xfffff000));
		*pc += 4;
		return true;
	case OPC_JAL:
		link(gpr, rd, *pc + 4);
		*pc += imm_j(raw);
		return true;
	case OPC_JALR:
		if (funct3)
			return false;
		/* rs1 may be rd. */
		target = (gpr[rs1] + (s64)((s32)raw >> 20)) & ~1ULL;
		link(gpr, rd, *pc + 4);
		*pc = target;
		return true;
	case OPC_BRANCH:
		if (!compare(funct3, gpr[rs1], gpr[rs2], &taken))
			return false;
		*pc += taken ? imm_b(raw) : 4;
		return true;
	}
	return false;
}
