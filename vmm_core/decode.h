/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instruction decoder: from the bits of an instruction that trapped to what
 * it asks for.  Pure; used by the emulator, by the rewriter (which must know
 * the exact length and operation of what it replaces) and by MMIO.
 *
 * Only instructions that can trap into Umbra are told apart: SYSTEM
 * instructions (privileged spec, chapters 2, 3 and 10) and everything that
 * accesses memory.  All else is UMBRA_OP_OTHER.
 */
#ifndef UMBRA_DECODE_H
#define UMBRA_DECODE_H

#include "base.h"

enum umbra_op {
	UMBRA_OP_ILLEGAL,	/* reserved encoding: raises illegal instruction */
	UMBRA_OP_OTHER,		/* legal or unknown, nothing Umbra emulates */

	/* SYSTEM */
	UMBRA_OP_CSRRW, UMBRA_OP_CSRRS, UMBRA_OP_CSRRC,
	UMBRA_OP_CSRRWI, UMBRA_OP_CSRRSI, UMBRA_OP_CSRRCI,
	UMBRA_OP_ECALL, UMBRA_OP_EBREAK,
	UMBRA_OP_SRET, UMBRA_OP_MRET, UMBRA_OP_WFI,
	UMBRA_OP_SFENCE_VMA, UMBRA_OP_SINVAL_VMA,
	UMBRA_OP_SFENCE_W_INVAL, UMBRA_OP_SFENCE_INVAL_IR,

	/* memory */
	UMBRA_OP_LOAD,		/* integer, compressed included */
	UMBRA_OP_STORE,
	UMBRA_OP_FLOAD,		/* Zfh, F, D */
	UMBRA_OP_FSTORE,
	UMBRA_OP_LR, UMBRA_OP_SC,
	UMBRA_OP_AMO,		/* Zaamo, Zabha, Zacas */
	UMBRA_OP_VMEM,		/* any vector load or store */
	UMBRA_OP_CBO,		/* Zicbom, Zicboz; imm = enum umbra_cbo */
};

/* The cache-block operations, by their encoding. */
enum umbra_cbo {
	UMBRA_CBO_INVAL = 0,
	UMBRA_CBO_CLEAN = 1,
	UMBRA_CBO_FLUSH = 2,
	UMBRA_CBO_ZERO = 4,
};

/* LR, SC and the AMOs, by bits 31:27 of their encoding. */
enum umbra_amo {
	UMBRA_AMO_ADD = 0x00,
	UMBRA_AMO_SWAP = 0x01,
	UMBRA_AMO_LR = 0x02,
	UMBRA_AMO_SC = 0x03,
	UMBRA_AMO_XOR = 0x04,
	UMBRA_AMO_CAS = 0x05,
	UMBRA_AMO_OR = 0x08,
	UMBRA_AMO_AND = 0x0c,
	UMBRA_AMO_MIN = 0x10,
	UMBRA_AMO_MAX = 0x14,
	UMBRA_AMO_MINU = 0x18,
	UMBRA_AMO_MAXU = 0x1c,
};

/**
 * struct umbra_insn - a decoded instruction
 * @raw: the bits; upper half 0 for a 16-bit instruction
 * @op: what it does
 * @len: 2 or 4 bytes
 * @rd: destination register (x or f); 0 where there is none
 * @rs1: first source: base register of a memory access; for CSRRxI the
 *	 5-bit immediate
 * @rs2: second source: store data (x or f), sfence.vma's ASID register
 * @width: bytes of a memory access, 0 for others and for VMEM
 * @sign: a LOAD sign-extends; true for ld, too, which has nothing to extend
 * @csr: CSR number of a CSRRx
 * @imm: byte offset of a memory access, sign-extended; for CBO an enum umbra_cbo
 *
 * A field that the operation does not have is 0.  ILLEGAL and OTHER have @raw
 * and @len only; VMEM has @rs1, the base, and the rest stays in @raw.
 */
struct umbra_insn {
	u32 raw;
	u8 op;
	u8 len;
	u8 rd;
	u8 rs1;
	u8 rs2;
	u8 width;
	bool sign;
	u16 csr;
	s32 imm;
};

/* Length in bytes of the instruction whose first 16 bits are @half: 2 or 4. */
static inline unsigned int umbra_insn_len(u16 half)
{
	return (half & 3) == 3 ? 4 : 2;
}

/**
 * umbra_decode() - decode one instruction
 * @raw: its bits; for a 16-bit instruction the upper half is ignored
 * @insn: filled in
 *
 * Never fails: what is not an instruction becomes UMBRA_OP_ILLEGAL.
 */
void umbra_decode(u32 raw, struct umbra_insn *insn);

#endif /* UMBRA_DECODE_H */
