// SPDX-License-Identifier: GPL-2.0
/*
 * One scalar memory access of the guest on its register file, see rmem.h.
 *
 * Called by MMIO and by the handling of rewritten pages, on a decoded
 * instruction.  Pure: touches nothing but the register files it is given.
 */
#include "rmem.h"

enum umbra_access umbra_rmem_access(const struct umbra_insn *insn)
{
	switch (insn->op) {
	case UMBRA_OP_LOAD:
	case UMBRA_OP_FLOAD:
	case UMBRA_OP_LR:
		return UMBRA_ACCESS_READ;
	case UMBRA_OP_STORE:
	case UMBRA_OP_FSTORE:
	case UMBRA_OP_SC:
	case UMBRA_OP_AMO:
	case UMBRA_OP_CBO:
		return UMBRA_ACCESS_WRITE;
	case UMBRA_OP_VMEM:
		/* LOAD-FP is opcode 0x07, STORE-FP 0x27. */
		return insn->raw & BIT(5) ? UMBRA_ACCESS_WRITE :
					    UMBRA_ACCESS_READ;
	default:
		return UMBRA_ACCESS_NONE;
	}
}

u64 umbra_rmem_addr(const struct umbra_insn *insn, const u64 gpr[32])
{
	/* The immediate of a CBO says which one; it has no offset. */
	if (insn->op == UMBRA_OP_CBO)
		return gpr[insn->rs1];
	return gpr[insn->rs1] + (s64)insn->imm;
}

u64 umbra_rmem_store_value(const struct umbra_insn *insn, const u64 gpr[32],
			   const u64 fpr[32])
{
	u64 val = insn->op == UMBRA_OP_FSTORE ? fpr[insn->rs2] :
						gpr[insn->rs2];

	return umbra_rmem_extract(val, 0, insn->width);
}

u64 umbra_rmem_load_result(const struct umbra_insn *insn, u64 raw)
{
	u64 mask = ~0ULL >> (64 - 8 * insn->width);
	bool negative = raw >> (8 * insn->width - 1) & 1;

	raw &= mask;
	/* NaN-boxing, of a narrow value in a wide register, is all ones, too. */
	if (insn->op == UMBRA_OP_FLOAD || (insn->sign && negative))
		raw |= ~mask;
	return raw;
}

void umbra_rmem_finish_load(const struct umbra_insn *insn, u64 raw,
			    u64 gpr[32], u64 fpr[32])
{
	u64 val = umbra_rmem_load_result(insn, raw);

	if (insn->op == UMBRA_OP_FLOAD)
		fpr[insn->rd] = val;
	else if (insn->rd)
		gpr[insn->rd] = val;
}

u64 umbra_rmem_amo_result(const struct umbra_insn *insn, u64 old)
{
	unsigned int unused = 64 - 8 * insn->width;

	return (s64)(old << unused) >> unused;
}

static u64 amo_combine(unsigned int op, u64 a, u64 b)
{
	switch (op) {
	case UMBRA_AMO_ADD:
		return a + b;
	case UMBRA_AMO_XOR:
		return a ^ b;
	case UMBRA_AMO_OR:
		return a | b;
	case UMBRA_AMO_AND:
		return a & b;
	case UMBRA_AMO_MIN:
		return (s64)a < (s64)b ? a : b;
	case UMBRA_AMO_MAX:
		return (s64)a > (s64)b ? a : b;
	case UMBRA_AMO_MINU:
		return a < b ? a : b;
	case UMBRA_AMO_MAXU:
		return a > b ? a : b;
	default:
		return b;
	}
}

u64 umbra_rmem_amo(const struct umbra_insn *insn, u64 old, const u64 gpr[32])
{
	unsigned int op = insn->raw >> 27;
	/* Both sign-extended: that keeps the unsigned order, too. */
	u64 a = umbra_rmem_amo_result(insn, old);
	u64 b = umbra_rmem_amo_result(insn, gpr[insn->rs2]);
	u64 val = amo_combine(op, a, b);

	if (op == UMBRA_AMO_CAS &&
	    a != umbra_rmem_amo_result(insn, gpr[insn->rd]))
		val = a;
	return umbra_rmem_extract(val, 0, insn->width);
}

unsigned int umbra_rmem_piece(u64 gva, unsigned int len)
{
	unsigned int n = 8;

	while (n > len || (gva & (n - 1)))
		n >>= 1;
	return n;
}
