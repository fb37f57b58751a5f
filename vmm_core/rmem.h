/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One scalar memory access of the guest, carried out on its register file.
 *
 * Two callers emulate a load or store instead of letting the hardware do it:
 * MMIO, where there is no memory behind the address, and the handling of pages
 * that hold rewritten instructions, where the guest must read and write the
 * original bytes.  Both find the access by fault, fetch and decode the
 * instruction, and then ask here which address, which direction, which value,
 * and how the result goes back into a register.
 *
 * These are helpers without control flow, because between the two halves of a
 * load may lie an exit to user space.  Pure: no memory is read, no lock taken.
 * A load is
 *
 *	gva = umbra_rmem_addr(insn, gpr);
 *	for (val = 0, off = 0; off < insn->width; off += n) {
 *		n = umbra_rmem_piece(gva + off, insn->width - off);
 *		... read n bytes at gva + off into piece ...
 *		val = umbra_rmem_insert(val, off, n, piece);
 *	}
 *	umbra_rmem_finish_load(insn, val, gpr, fpr);
 *
 * and a store takes umbra_rmem_store_value() apart with umbra_rmem_extract().
 * The program counter is the caller's to advance, by insn->len.  So is the FP
 * state: fpr[] holds the guest's live values, and after an FLOAD it is dirty.
 */
#ifndef UMBRA_RMEM_H
#define UMBRA_RMEM_H

#include "access.h"
#include "base.h"
#include "decode.h"

/**
 * umbra_rmem_access() - the direction of an instruction's memory access
 * @insn: any decoded instruction
 *
 * Tells which fault the instruction can raise, for those that cannot be
 * emulated, too.  SC counts as a write even though it may fail; so does every
 * cache-block operation, as the specification of Zicbom has it.
 *
 * Return: the direction, UMBRA_ACCESS_NONE for what accesses no memory.
 */
enum umbra_access umbra_rmem_access(const struct umbra_insn *insn);

/**
 * umbra_rmem_scalar() - whether the helpers below can carry out an instruction
 * @insn: any decoded instruction
 *
 * LR, SC, AMO, vector accesses and cache-block operations they cannot: on a
 * device those are access faults, on a rewritten page they restore it.
 *
 * Return: true for a plain load or store of 1 to 8 bytes, of an x or f register.
 */
static inline bool umbra_rmem_scalar(const struct umbra_insn *insn)
{
	static_assert(UMBRA_OP_FSTORE - UMBRA_OP_LOAD == 3, "four in a row");

	return insn->op >= UMBRA_OP_LOAD && insn->op <= UMBRA_OP_FSTORE;
}

/**
 * umbra_rmem_addr() - the effective address of a memory access
 * @insn: a memory access other than VMEM, whose address this is only if it is
 *	  unit-stride or strided, and there only of its first element; for CBO
 *	  it need not be aligned to the block
 * @gpr: x0 to x31
 *
 * Return: the address; the sum wraps around, as it does in hardware.  Pointer
 * masking is not applied.
 */
u64 umbra_rmem_addr(const struct umbra_insn *insn, const u64 gpr[32]);

/**
 * umbra_rmem_store_value() - what a STORE or FSTORE puts into memory
 * @insn: the store
 * @gpr: x0 to x31
 * @fpr: f0 to f31; not looked at, and may be NULL, for a STORE
 *
 * Return: insn->width bytes, the others 0.  A narrow FSTORE stores the low bits
 * whether or not the register is NaN-boxed.
 */
u64 umbra_rmem_store_value(const struct umbra_insn *insn, const u64 gpr[32],
			   const u64 fpr[32]);

/**
 * umbra_rmem_load_result() - what a LOAD or FLOAD puts into its register
 * @insn: the load
 * @raw: the insn->width bytes that were read; what is above them is ignored
 *
 * Return: @raw sign-extended, zero-extended or, for FLOAD, NaN-boxed to 64 bits.
 */
u64 umbra_rmem_load_result(const struct umbra_insn *insn, u64 raw);

/**
 * umbra_rmem_finish_load() - the same, into the register itself
 * @insn: the load
 * @raw: the bytes that were read
 * @gpr: x0 to x31; x0 stays as it is
 * @fpr: f0 to f31; not touched, and may be NULL, for a LOAD
 */
void umbra_rmem_finish_load(const struct umbra_insn *insn, u64 raw,
			    u64 gpr[32], u64 fpr[32]);

/**
 * umbra_rmem_amo() - what an AMO makes of memory
 * @insn: an AMO of 1, 2, 4 or 8 bytes
 * @old: what memory holds, zero-extended
 * @gpr: x0 to x31
 *
 * Return: what is to be stored, zero-extended; @old for an amocas whose
 * comparison fails.  The register gets umbra_rmem_amo_result() of @old.
 */
u64 umbra_rmem_amo(const struct umbra_insn *insn, u64 old, const u64 gpr[32]);

/* What an AMO or LR that read @old puts into rd: @old sign-extended. */
u64 umbra_rmem_amo_result(const struct umbra_insn *insn, u64 old);

/**
 * umbra_rmem_piece() - the first naturally aligned piece of an access
 * @gva: where the access (or what is left of it) begins
 * @len: how many bytes it has, more than 0
 *
 * Taking pieces one after another divides any access, in ascending order, into
 * naturally aligned ones of 1, 2, 4 or 8 bytes.  An aligned access is a single
 * piece, and no piece crosses a page.
 *
 * Return: length of the piece, at most @len.
 */
unsigned int umbra_rmem_piece(u64 gva, unsigned int len);

/**
 * umbra_rmem_extract() - a piece of the value that a store writes
 * @val: the value
 * @off: bytes before the piece
 * @len: bytes of the piece, more than 0; @off + @len is at most 8
 *
 * Return: the piece, zero-extended.
 */
static inline u64 umbra_rmem_extract(u64 val, unsigned int off,
				     unsigned int len)
{
	return (val >> (8 * off)) & (~0ULL >> (64 - 8 * len));
}

/**
 * umbra_rmem_insert() - put a piece into the value that a load reads
 * @val: the value so far
 * @off: bytes before the piece
 * @len: bytes of the piece, more than 0; @off + @len is at most 8
 * @piece: the piece; what is above its @len bytes is ignored
 *
 * Return: the new value.
 */
static inline u64 umbra_rmem_insert(u64 val, unsigned int off,
				    unsigned int len, u64 piece)
{
	u64 mask = ~0ULL >> (64 - 8 * len);

	return (val & ~(mask << (8 * off))) | ((piece & mask) << (8 * off));
}

#endif /* UMBRA_RMEM_H */
