// SPDX-License-Identifier: GPL-2.0
/*
 * Instruction decoder, see decode.h.
 *
 * Called with the bits of an instruction that just trapped, by the emulator,
 * the rewriter and MMIO.  The bits are the guest's and so hostile; nothing here
 * reads memory, loops or fails.  Takes no lock and keeps no state.
 *
 * It knows RV64GC, Zicsr, Zifencei, Zfh, Zabha, Zacas, Zicbom, Zicboz, Svinval,
 * V and Zcb.  Where a decision was to be made:
 *
 *  - Nothing of the hypervisor extension, Zimop, Zawrs, Smrnmi or Sdext is known
 *    in SYSTEM: a host that has them executes them without asking us, and where
 *    they trap, illegal instruction is what the guest is to see.  The same goes
 *    for flq and fsq.
 *  - Reserved by the encoding alone is ILLEGAL, for vector accesses as well
 *    (mew, lumop and sumop, nf of whole-register accesses).  What is reserved
 *    for this vtype or for this combination of vector registers is VMEM: the
 *    hardware has decided that before it looked at an address.
 *  - fence and fence.i ignore their unused fields, as the specification asks.
 *  - Custom, 48-bit and longer instructions are OTHER.
 *
 * selftests/unit/test_decode.c compares all 2^32 words with a table written
 * from the specification.
 */
#include "decode.h"

/* Major opcodes, bits 6:0. */
#define OPC_LOAD	0x03
#define OPC_LOAD_FP	0x07
#define OPC_MISC_MEM	0x0f
#define OPC_STORE	0x23
#define OPC_STORE_FP	0x27
#define OPC_AMO		0x2f
#define OPC_SYSTEM	0x73

/* Whole SYSTEM words. */
#define INSN_ECALL		0x00000073
#define INSN_EBREAK		0x00100073
#define INSN_SRET		0x10200073
#define INSN_WFI		0x10500073
#define INSN_SFENCE_W_INVAL	0x18000073
#define INSN_SFENCE_INVAL_IR	0x18100073
#define INSN_MRET		0x30200073

/* SYSTEM with two source registers, bits 31:25. */
#define FUNCT7_SFENCE_VMA	0x09
#define FUNCT7_SINVAL_VMA	0x0b

/* Unit-stride vector accesses, bits 24:20. */
#define UMOP_PLAIN	0x00
#define UMOP_WHOLE	0x08
#define UMOP_MASK	0x0b
#define UMOP_FAULT_FIRST 0x10

#define REG_SP		2

/* Bits @hi down to @lo of @raw. */
static inline u32 field(u32 raw, unsigned int hi, unsigned int lo)
{
	return (raw >> lo) & ((2U << (hi - lo)) - 1);
}

/* The fields that all 32-bit formats agree on. */
static inline u32 field_rd(u32 raw)
{
	return field(raw, 11, 7);
}

static inline u32 field_funct3(u32 raw)
{
	return field(raw, 14, 12);
}

static inline u32 field_rs1(u32 raw)
{
	return field(raw, 19, 15);
}

static inline u32 field_rs2(u32 raw)
{
	return field(raw, 24, 20);
}

/* The two that tell loads from stores: which register, which immediate. */
static inline void set_load(struct umbra_insn *insn, enum umbra_op op,
			    unsigned int width, u32 rd, u32 rs1, s32 imm)
{
	insn->op = op;
	insn->width = width;
	insn->rd = rd;
	insn->rs1 = rs1;
	insn->imm = imm;
	insn->sign = op == UMBRA_OP_LOAD;
}

static inline void set_store(struct umbra_insn *insn, enum umbra_op op,
			     unsigned int width, u32 rs2, u32 rs1, s32 imm)
{
	insn->op = op;
	insn->width = width;
	insn->rs2 = rs2;
	insn->rs1 = rs1;
	insn->imm = imm;
}

static inline s32 imm_i(u32 raw)
{
	return (s32)raw >> 20;
}

static inline s32 imm_s(u32 raw)
{
	return ((s32)raw >> 25) * 32 + (s32)field(raw, 11, 7);
}

static void decode_load(u32 raw, struct umbra_insn *insn)
{
	u32 funct3 = field_funct3(raw);

	if (funct3 == 7)	/* ldu, of RV128 */
		return;
	set_load(insn, UMBRA_OP_LOAD, 1U << (funct3 & 3), field_rd(raw),
		 field_rs1(raw), imm_i(raw));
	insn->sign = !(funct3 & 4);
}

static void decode_store(u32 raw, struct umbra_insn *insn)
{
	u32 funct3 = field_funct3(raw);

	if (funct3 > 3)
		return;
	set_store(insn, UMBRA_OP_STORE, 1U << funct3, field_rs2(raw),
		  field_rs1(raw), imm_s(raw));
}

/* Whether a vector access is one whatever vtype and the registers say. */
static bool vmem_valid(u32 raw, bool store)
{
	u32 nf = field(raw, 31, 29);
	bool mew = field(raw, 28, 28);
	u32 mop = field(raw, 27, 26);
	bool unmasked = field(raw, 25, 25);
	u32 umop = field(raw, 24, 20);
	u32 width = field_funct3(raw);

	if (mew)		/* elements wider than 64 bits */
		return false;
	if (mop)		/* indexed and strided: the field is a register */
		return true;

	switch (umop) {
	case UMOP_PLAIN:
		return true;
	case UMOP_WHOLE:
		/* 1, 2, 4 or 8 registers; a store has no element width. */
		return unmasked && !(nf & (nf + 1)) && !(store && width);
	case UMOP_MASK:
		return unmasked && !nf && !width;
	case UMOP_FAULT_FIRST:
		return !store;
	default:
		return false;
	}
}

/* LOAD-FP and STORE-FP: funct3 1 to 4 is scalar, the others are vector. */
static void decode_fp(u32 raw, bool store, struct umbra_insn *insn)
{
	u32 funct3 = field_funct3(raw);

	switch (funct3) {
	case 1:			/* Zfh */
	case 2:			/* F */
	case 3:			/* D */
		if (store)
			set_store(insn, UMBRA_OP_FSTORE, 1U << funct3,
				  field_rs2(raw), field_rs1(raw), imm_s(raw));
		else
			set_load(insn, UMBRA_OP_FLOAD, 1U << funct3,
				 field_rd(raw), field_rs1(raw), imm_i(raw));
		return;
	case 4:			/* Q */
		return;
	default:
		if (!vmem_valid(raw, store))
			return;
		insn->op = UMBRA_OP_VMEM;
		insn->rs1 = field_rs1(raw);
	}
}

static void decode_amo(u32 raw, struct umbra_insn *insn)
{
	u32 size = field_funct3(raw);	/* log2 of the width */
	u32 rd = field_rd(raw), rs2 = field_rs2(raw);
	enum umbra_op op;

	switch (field(raw, 31, 27)) {
	case UMBRA_AMO_LR:
		if (rs2 || size < 2 || size > 3)
			return;
		op = UMBRA_OP_LR;
		break;
	case UMBRA_AMO_SC:
		if (size < 2 || size > 3)
			return;
		op = UMBRA_OP_SC;
		break;
	case UMBRA_AMO_CAS:
		/* amocas.q is on pairs of registers, named by the even one. */
		if (size > 4 || (size == 4 && ((rd | rs2) & 1)))
			return;
		op = UMBRA_OP_AMO;
		break;
	case UMBRA_AMO_ADD:
	case UMBRA_AMO_SWAP:
	case UMBRA_AMO_XOR:
	case UMBRA_AMO_OR:
	case UMBRA_AMO_AND:
	case UMBRA_AMO_MIN:
	case UMBRA_AMO_MAX:
	case UMBRA_AMO_MINU:
	case UMBRA_AMO_MAXU:
		if (size > 3)
			return;
		op = UMBRA_OP_AMO;
		break;
	default:
		return;
	}

	insn->op = op;
	insn->width = 1U << size;
	insn->rd = rd;
	insn->rs1 = field_rs1(raw);
	insn->rs2 = rs2;
}

static void decode_misc_mem(u32 raw, struct umbra_insn *insn)
{
	u32 which = field(raw, 31, 20);

	switch (field_funct3(raw)) {
	case 0:			/* fence, pause */
	case 1:			/* fence.i */
		insn->op = UMBRA_OP_OTHER;
		return;
	case 2:
		if (field_rd(raw))
			return;
		if (which > UMBRA_CBO_FLUSH && which != UMBRA_CBO_ZERO)
			return;
		insn->op = UMBRA_OP_CBO;
		insn->rs1 = field_rs1(raw);
		insn->imm = which;
		return;
	default:
		return;
	}
}

/* SYSTEM with funct3 = 0: everything privileged that is not a CSR access. */
static void decode_priv(u32 raw, struct umbra_insn *insn)
{
	switch (raw) {
	case INSN_ECALL:
		insn->op = UMBRA_OP_ECALL;
		return;
	case INSN_EBREAK:
		insn->op = UMBRA_OP_EBREAK;
		return;
	case INSN_SRET:
		insn->op = UMBRA_OP_SRET;
		return;
	case INSN_MRET:
		insn->op = UMBRA_OP_MRET;
		return;
	case INSN_WFI:
		insn->op = UMBRA_OP_WFI;
		return;
	case INSN_SFENCE_W_INVAL:
		insn->op = UMBRA_OP_SFENCE_W_INVAL;
		return;
	case INSN_SFENCE_INVAL_IR:
		insn->op = UMBRA_OP_SFENCE_INVAL_IR;
		return;
	}

	if (field_rd(raw))
		return;
	switch (field(raw, 31, 25)) {
	case FUNCT7_SFENCE_VMA:
		insn->op = UMBRA_OP_SFENCE_VMA;
		break;
	case FUNCT7_SINVAL_VMA:
		insn->op = UMBRA_OP_SINVAL_VMA;
		break;
	default:
		return;
	}
	insn->rs1 = field_rs1(raw);
	insn->rs2 = field_rs2(raw);
}

static void decode_system(u32 raw, struct umbra_insn *insn)
{
	static const u8 csr_op[8] = {
		[1] = UMBRA_OP_CSRRW,
		[2] = UMBRA_OP_CSRRS,
		[3] = UMBRA_OP_CSRRC,
		[5] = UMBRA_OP_CSRRWI,
		[6] = UMBRA_OP_CSRRSI,
		[7] = UMBRA_OP_CSRRCI,
	};
	u32 funct3 = field_funct3(raw);

	switch (funct3) {
	case 0:
		decode_priv(raw, insn);
		return;
	case 4:			/* hlv, hsv, Zimop */
		return;
	default:
		insn->op = csr_op[funct3];
		insn->rd = field_rd(raw);
		insn->rs1 = field_rs1(raw);
		insn->csr = field(raw, 31, 20);
	}
}

/* The three-bit register fields name x8 to x15. */
static inline u32 creg(u32 raw, unsigned int lo)
{
	return 8 + field(raw, lo + 2, lo);
}

/* Offsets of the compressed accesses: word or double, register or sp. */
static inline s32 imm_cw(u32 raw)
{
	return field(raw, 12, 10) << 3 | field(raw, 6, 6) << 2 |
	       field(raw, 5, 5) << 6;
}

static inline s32 imm_cd(u32 raw)
{
	return field(raw, 12, 10) << 3 | field(raw, 6, 5) << 6;
}

static inline s32 imm_clwsp(u32 raw)
{
	return field(raw, 12, 12) << 5 | field(raw, 6, 4) << 2 |
	       field(raw, 3, 2) << 6;
}

static inline s32 imm_cldsp(u32 raw)
{
	return field(raw, 12, 12) << 5 | field(raw, 6, 5) << 3 |
	       field(raw, 4, 2) << 6;
}

static inline s32 imm_cswsp(u32 raw)
{
	return field(raw, 12, 9) << 2 | field(raw, 8, 7) << 6;
}

static inline s32 imm_csdsp(u32 raw)
{
	return field(raw, 12, 10) << 3 | field(raw, 9, 7) << 6;
}

/* Quadrant 0, funct3 4: the byte and half-word accesses of Zcb. */
static void decode_zcb(u32 raw, struct umbra_insn *insn)
{
	u32 reg = creg(raw, 2), base = creg(raw, 7);
	s32 imm_b = field(raw, 5, 5) << 1 | field(raw, 6, 6);
	s32 imm_h = field(raw, 5, 5) << 1;
	bool bit6 = field(raw, 6, 6);

	switch (field(raw, 12, 10)) {
	case 0:			/* c.lbu */
		set_load(insn, UMBRA_OP_LOAD, 1, reg, base, imm_b);
		insn->sign = false;
		return;
	case 1:			/* c.lhu, c.lh */
		set_load(insn, UMBRA_OP_LOAD, 2, reg, base, imm_h);
		insn->sign = bit6;
		return;
	case 2:			/* c.sb */
		set_store(insn, UMBRA_OP_STORE, 1, reg, base, imm_b);
		return;
	case 3:			/* c.sh */
		if (!bit6)
			set_store(insn, UMBRA_OP_STORE, 2, reg, base, imm_h);
		return;
	}
}

static void decode_c0(u32 raw, struct umbra_insn *insn)
{
	u32 reg = creg(raw, 2), base = creg(raw, 7);

	switch (field(raw, 15, 13)) {
	case 0:			/* c.addi4spn; all zeroes is one without immediate */
		if (field(raw, 12, 5))
			insn->op = UMBRA_OP_OTHER;
		return;
	case 1:			/* c.fld */
		set_load(insn, UMBRA_OP_FLOAD, 8, reg, base, imm_cd(raw));
		return;
	case 2:			/* c.lw */
		set_load(insn, UMBRA_OP_LOAD, 4, reg, base, imm_cw(raw));
		return;
	case 3:			/* c.ld */
		set_load(insn, UMBRA_OP_LOAD, 8, reg, base, imm_cd(raw));
		return;
	case 4:
		decode_zcb(raw, insn);
		return;
	case 5:			/* c.fsd */
		set_store(insn, UMBRA_OP_FSTORE, 8, reg, base, imm_cd(raw));
		return;
	case 6:			/* c.sw */
		set_store(insn, UMBRA_OP_STORE, 4, reg, base, imm_cw(raw));
		return;
	case 7:			/* c.sd */
		set_store(insn, UMBRA_OP_STORE, 8, reg, base, imm_cd(raw));
		return;
	}
}

/* Quadrant 1 has nothing for us; tell only reserved from the rest. */
static bool c1_valid(u32 raw)
{
	u32 rd = field_rd(raw);

	switch (field(raw, 15, 13)) {
	case 1:			/* c.addiw */
		return rd;
	case 3:			/* c.addi16sp, c.lui; without immediate Zcmop */
		return field(raw, 12, 12) || field(raw, 6, 2) ||
		       ((rd & 1) && rd < 16);
	case 4:			/* c.zext.b and its like leave two free */
		return field(raw, 12, 10) != 7 || field(raw, 6, 5) != 3 ||
		       field(raw, 4, 2) < 6;
	default:
		return true;
	}
}

static void decode_c2(u32 raw, struct umbra_insn *insn)
{
	u32 rd = field_rd(raw);
	u32 rs2 = field(raw, 6, 2);

	switch (field(raw, 15, 13)) {
	case 0:			/* c.slli */
		insn->op = UMBRA_OP_OTHER;
		return;
	case 1:			/* c.fldsp */
		set_load(insn, UMBRA_OP_FLOAD, 8, rd, REG_SP, imm_cldsp(raw));
		return;
	case 2:			/* c.lwsp */
		if (rd)
			set_load(insn, UMBRA_OP_LOAD, 4, rd, REG_SP,
				 imm_clwsp(raw));
		return;
	case 3:			/* c.ldsp */
		if (rd)
			set_load(insn, UMBRA_OP_LOAD, 8, rd, REG_SP,
				 imm_cldsp(raw));
		return;
	case 4:
		if (rd || rs2)	/* c.jr, c.jalr, c.mv, c.add */
			insn->op = UMBRA_OP_OTHER;
		else if (field(raw, 12, 12))
			insn->op = UMBRA_OP_EBREAK;
		return;
	case 5:			/* c.fsdsp */
		set_store(insn, UMBRA_OP_FSTORE, 8, rs2, REG_SP, imm_csdsp(raw));
		return;
	case 6:			/* c.swsp */
		set_store(insn, UMBRA_OP_STORE, 4, rs2, REG_SP, imm_cswsp(raw));
		return;
	case 7:			/* c.sdsp */
		set_store(insn, UMBRA_OP_STORE, 8, rs2, REG_SP, imm_csdsp(raw));
		return;
	}
}

void umbra_decode(u32 raw, struct umbra_insn *insn)
{
	unsigned int len = umbra_insn_len(raw);

	/* The functions called leave ILLEGAL standing for what they reject. */
	*insn = (struct umbra_insn){
		.raw = len == 2 ? (u16)raw : raw,
		.op = UMBRA_OP_ILLEGAL,
		.len = len,
	};
	raw = insn->raw;

	switch (raw & 3) {
	case 0:
		decode_c0(raw, insn);
		return;
	case 1:
		if (c1_valid(raw))
			insn->op = UMBRA_OP_OTHER;
		return;
	case 2:
		decode_c2(raw, insn);
		return;
	}

	switch (raw & 0x7f) {
	case OPC_LOAD:
		decode_load(raw, insn);
		return;
	case OPC_LOAD_FP:
		decode_fp(raw, false, insn);
		return;
	case OPC_MISC_MEM:
		decode_misc_mem(raw, insn);
		return;
	case OPC_STORE:
		decode_store(raw, insn);
		return;
	case OPC_STORE_FP:
		decode_fp(raw, true, insn);
		return;
	case OPC_AMO:
		decode_amo(raw, insn);
		return;
	case OPC_SYSTEM:
		decode_system(raw, insn);
		return;
	default:
		insn->op = UMBRA_OP_OTHER;
	}
}
