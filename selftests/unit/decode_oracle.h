/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the decoder must say, as a list that can be read next to the
 * specification.  test_decode.c turns each line into a mask, a match and a way
 * to get at the fields; it shares no code with vmm_core/decode.c.
 *
 * A line is a name, the UMBRA_OP_ it decodes to, and in any order:
 *
 *	14..12=2, 12=1		these bits have this value
 *	11..7!=0		these bits have any value but this one
 *	rd:11..7		register number, likewise rs1, rs2
 *	rd':4..2		three-bit register number, x8 to x15
 *	rs1:x2			implied register
 *	csr:31..20		CSR number
 *	width:4			bytes accessed
 *	sign			the load sign-extends
 *	simm:11..5@31..25,4..0@11..7	offset[11:5] = insn[31:25], and so on;
 *				sign-extended from its highest bit
 *	uimm:			the same, zero-extended
 *
 * What no line matches is ILLEGAL within the opcodes that are listed here and
 * in 16-bit instructions, and OTHER in all other opcodes.  No two lines match
 * the same word.
 */
#ifndef UMBRA_DECODE_ORACLE_H
#define UMBRA_DECODE_ORACLE_H

/* Opcode map, table "RISC-V base opcode map, inst[1:0]=11". */
#define LOAD_		" 1..0=3 6..5=0 4..2=0"
#define LOAD_FP_	" 1..0=3 6..5=0 4..2=1"
#define MISC_MEM_	" 1..0=3 6..5=0 4..2=3"
#define STORE_		" 1..0=3 6..5=1 4..2=0"
#define STORE_FP_	" 1..0=3 6..5=1 4..2=1"
#define AMO_		" 1..0=3 6..5=1 4..2=3"
#define SYSTEM_		" 1..0=3 6..5=3 4..2=4"

#define R_		" rd:11..7 rs1:19..15 rs2:24..20"
#define I_		" rd:11..7 rs1:19..15 simm:11..0@31..20"
#define S_		" rs1:19..15 rs2:24..20 simm:11..5@31..25,4..0@11..7"

/* funct3 of the accesses whose width it gives: integer and AMO, then vector. */
#define B_		" width:1 14..12=0"
#define H_		" width:2 14..12=1"
#define W_		" width:4 14..12=2"
#define D_		" width:8 14..12=3"
#define E8_		" rs1:19..15 28=0 14..12=0"
#define E16_		" rs1:19..15 28=0 14..12=5"
#define E32_		" rs1:19..15 28=0 14..12=6"
#define E64_		" rs1:19..15 28=0 14..12=7"

static const char *const decode_oracle[] = {
	/* RV64I loads and stores */
	"lb LOAD" I_ B_ " sign" LOAD_,
	"lh LOAD" I_ H_ " sign" LOAD_,
	"lw LOAD" I_ W_ " sign" LOAD_,
	"ld LOAD" I_ D_ " sign" LOAD_,
	"lbu LOAD" I_ " width:1 14..12=4" LOAD_,
	"lhu LOAD" I_ " width:2 14..12=5" LOAD_,
	"lwu LOAD" I_ " width:4 14..12=6" LOAD_,
	"sb STORE" S_ B_ STORE_,
	"sh STORE" S_ H_ STORE_,
	"sw STORE" S_ W_ STORE_,
	"sd STORE" S_ D_ STORE_,

	/* Zfhmin, F, D */
	"flh FLOAD" I_ H_ LOAD_FP_,
	"flw FLOAD" I_ W_ LOAD_FP_,
	"fld FLOAD" I_ D_ LOAD_FP_,
	"fsh FSTORE" S_ H_ STORE_FP_,
	"fsw FSTORE" S_ W_ STORE_FP_,
	"fsd FSTORE" S_ D_ STORE_FP_,

	/*
	 * V, by mop (27..26) and lumop, sumop (24..20); segments are nf
	 * (31..29), masked is vm (25).
	 */
	"vle8 VMEM" E8_ " 27..26=0 24..20=0" LOAD_FP_,
	"vle16 VMEM" E16_ " 27..26=0 24..20=0" LOAD_FP_,
	"vle32 VMEM" E32_ " 27..26=0 24..20=0" LOAD_FP_,
	"vle64 VMEM" E64_ " 27..26=0 24..20=0" LOAD_FP_,
	"vle8ff VMEM" E8_ " 27..26=0 24..20=0b10000" LOAD_FP_,
	"vle16ff VMEM" E16_ " 27..26=0 24..20=0b10000" LOAD_FP_,
	"vle32ff VMEM" E32_ " 27..26=0 24..20=0b10000" LOAD_FP_,
	"vle64ff VMEM" E64_ " 27..26=0 24..20=0b10000" LOAD_FP_,
	"vluxei8 VMEM" E8_ " 27..26=1" LOAD_FP_,
	"vluxei16 VMEM" E16_ " 27..26=1" LOAD_FP_,
	"vluxei32 VMEM" E32_ " 27..26=1" LOAD_FP_,
	"vluxei64 VMEM" E64_ " 27..26=1" LOAD_FP_,
	"vlse8 VMEM" E8_ " 27..26=2" LOAD_FP_,
	"vlse16 VMEM" E16_ " 27..26=2" LOAD_FP_,
	"vlse32 VMEM" E32_ " 27..26=2" LOAD_FP_,
	"vlse64 VMEM" E64_ " 27..26=2" LOAD_FP_,
	"vloxei8 VMEM" E8_ " 27..26=3" LOAD_FP_,
	"vloxei16 VMEM" E16_ " 27..26=3" LOAD_FP_,
	"vloxei32 VMEM" E32_ " 27..26=3" LOAD_FP_,
	"vloxei64 VMEM" E64_ " 27..26=3" LOAD_FP_,
	"vl1re8 VMEM" E8_ " 31..29=0 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl1re16 VMEM" E16_ " 31..29=0 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl1re32 VMEM" E32_ " 31..29=0 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl1re64 VMEM" E64_ " 31..29=0 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl2re8 VMEM" E8_ " 31..29=1 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl2re16 VMEM" E16_ " 31..29=1 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl2re32 VMEM" E32_ " 31..29=1 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl2re64 VMEM" E64_ " 31..29=1 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl4re8 VMEM" E8_ " 31..29=3 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl4re16 VMEM" E16_ " 31..29=3 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl4re32 VMEM" E32_ " 31..29=3 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl4re64 VMEM" E64_ " 31..29=3 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl8re8 VMEM" E8_ " 31..29=7 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl8re16 VMEM" E16_ " 31..29=7 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl8re32 VMEM" E32_ " 31..29=7 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vl8re64 VMEM" E64_ " 31..29=7 27..26=0 25=1 24..20=0b01000" LOAD_FP_,
	"vlm VMEM rs1:19..15 31..28=0 27..26=0 25=1 24..20=0b01011 14..12=0" LOAD_FP_,

	"vse8 VMEM" E8_ " 27..26=0 24..20=0" STORE_FP_,
	"vse16 VMEM" E16_ " 27..26=0 24..20=0" STORE_FP_,
	"vse32 VMEM" E32_ " 27..26=0 24..20=0" STORE_FP_,
	"vse64 VMEM" E64_ " 27..26=0 24..20=0" STORE_FP_,
	"vsuxei8 VMEM" E8_ " 27..26=1" STORE_FP_,
	"vsuxei16 VMEM" E16_ " 27..26=1" STORE_FP_,
	"vsuxei32 VMEM" E32_ " 27..26=1" STORE_FP_,
	"vsuxei64 VMEM" E64_ " 27..26=1" STORE_FP_,
	"vsse8 VMEM" E8_ " 27..26=2" STORE_FP_,
	"vsse16 VMEM" E16_ " 27..26=2" STORE_FP_,
	"vsse32 VMEM" E32_ " 27..26=2" STORE_FP_,
	"vsse64 VMEM" E64_ " 27..26=2" STORE_FP_,
	"vsoxei8 VMEM" E8_ " 27..26=3" STORE_FP_,
	"vsoxei16 VMEM" E16_ " 27..26=3" STORE_FP_,
	"vsoxei32 VMEM" E32_ " 27..26=3" STORE_FP_,
	"vsoxei64 VMEM" E64_ " 27..26=3" STORE_FP_,
	"vs1r VMEM rs1:19..15 31..28=0 27..26=0 25=1 24..20=0b01000 14..12=0" STORE_FP_,
	"vs2r VMEM rs1:19..15 31..28=2 27..26=0 25=1 24..20=0b01000 14..12=0" STORE_FP_,
	"vs4r VMEM rs1:19..15 31..28=6 27..26=0 25=1 24..20=0b01000 14..12=0" STORE_FP_,
	"vs8r VMEM rs1:19..15 31..28=14 27..26=0 25=1 24..20=0b01000 14..12=0" STORE_FP_,
	"vsm VMEM rs1:19..15 31..28=0 27..26=0 25=1 24..20=0b01011 14..12=0" STORE_FP_,

	/* Zalrsc; aq and rl (26, 25) are free */
	"lr.w LR rd:11..7 rs1:19..15 width:4 24..20=0 14..12=2 31..27=0b00010" AMO_,
	"lr.d LR rd:11..7 rs1:19..15 width:8 24..20=0 14..12=3 31..27=0b00010" AMO_,
	"sc.w SC" R_ " width:4 14..12=2 31..27=0b00011" AMO_,
	"sc.d SC" R_ " width:8 14..12=3 31..27=0b00011" AMO_,

	/* Zaamo and Zabha */
	"amoswap.b AMO" R_ B_ " 31..27=0b00001" AMO_,
	"amoswap.h AMO" R_ H_ " 31..27=0b00001" AMO_,
	"amoswap.w AMO" R_ W_ " 31..27=0b00001" AMO_,
	"amoswap.d AMO" R_ D_ " 31..27=0b00001" AMO_,
	"amoadd.b AMO" R_ B_ " 31..27=0b00000" AMO_,
	"amoadd.h AMO" R_ H_ " 31..27=0b00000" AMO_,
	"amoadd.w AMO" R_ W_ " 31..27=0b00000" AMO_,
	"amoadd.d AMO" R_ D_ " 31..27=0b00000" AMO_,
	"amoxor.b AMO" R_ B_ " 31..27=0b00100" AMO_,
	"amoxor.h AMO" R_ H_ " 31..27=0b00100" AMO_,
	"amoxor.w AMO" R_ W_ " 31..27=0b00100" AMO_,
	"amoxor.d AMO" R_ D_ " 31..27=0b00100" AMO_,
	"amoand.b AMO" R_ B_ " 31..27=0b01100" AMO_,
	"amoand.h AMO" R_ H_ " 31..27=0b01100" AMO_,
	"amoand.w AMO" R_ W_ " 31..27=0b01100" AMO_,
	"amoand.d AMO" R_ D_ " 31..27=0b01100" AMO_,
	"amoor.b AMO" R_ B_ " 31..27=0b01000" AMO_,
	"amoor.h AMO" R_ H_ " 31..27=0b01000" AMO_,
	"amoor.w AMO" R_ W_ " 31..27=0b01000" AMO_,
	"amoor.d AMO" R_ D_ " 31..27=0b01000" AMO_,
	"amomin.b AMO" R_ B_ " 31..27=0b10000" AMO_,
	"amomin.h AMO" R_ H_ " 31..27=0b10000" AMO_,
	"amomin.w AMO" R_ W_ " 31..27=0b10000" AMO_,
	"amomin.d AMO" R_ D_ " 31..27=0b10000" AMO_,
	"amomax.b AMO" R_ B_ " 31..27=0b10100" AMO_,
	"amomax.h AMO" R_ H_ " 31..27=0b10100" AMO_,
	"amomax.w AMO" R_ W_ " 31..27=0b10100" AMO_,
	"amomax.d AMO" R_ D_ " 31..27=0b10100" AMO_,
	"amominu.b AMO" R_ B_ " 31..27=0b11000" AMO_,
	"amominu.h AMO" R_ H_ " 31..27=0b11000" AMO_,
	"amominu.w AMO" R_ W_ " 31..27=0b11000" AMO_,
	"amominu.d AMO" R_ D_ " 31..27=0b11000" AMO_,
	"amomaxu.b AMO" R_ B_ " 31..27=0b11100" AMO_,
	"amomaxu.h AMO" R_ H_ " 31..27=0b11100" AMO_,
	"amomaxu.w AMO" R_ W_ " 31..27=0b11100" AMO_,
	"amomaxu.d AMO" R_ D_ " 31..27=0b11100" AMO_,

	/* Zacas; the register pairs of amocas.q begin with an even one */
	"amocas.b AMO" R_ B_ " 31..27=0b00101" AMO_,
	"amocas.h AMO" R_ H_ " 31..27=0b00101" AMO_,
	"amocas.w AMO" R_ W_ " 31..27=0b00101" AMO_,
	"amocas.d AMO" R_ D_ " 31..27=0b00101" AMO_,
	"amocas.q AMO" R_ " width:16 7=0 20=0 14..12=4 31..27=0b00101" AMO_,

	/* Zifencei and fences: unused fields are to be ignored */
	"fence OTHER 14..12=0" MISC_MEM_,
	"fence.i OTHER 14..12=1" MISC_MEM_,

	/* Zicbom, Zicboz */
	"cbo.inval CBO rs1:19..15 uimm:11..0@31..20 11..7=0 14..12=2 31..20=0" MISC_MEM_,
	"cbo.clean CBO rs1:19..15 uimm:11..0@31..20 11..7=0 14..12=2 31..20=1" MISC_MEM_,
	"cbo.flush CBO rs1:19..15 uimm:11..0@31..20 11..7=0 14..12=2 31..20=2" MISC_MEM_,
	"cbo.zero CBO rs1:19..15 uimm:11..0@31..20 11..7=0 14..12=2 31..20=4" MISC_MEM_,

	/* Zicsr; rs1 of the immediate forms is the immediate */
	"csrrw CSRRW rd:11..7 rs1:19..15 csr:31..20 14..12=1" SYSTEM_,
	"csrrs CSRRS rd:11..7 rs1:19..15 csr:31..20 14..12=2" SYSTEM_,
	"csrrc CSRRC rd:11..7 rs1:19..15 csr:31..20 14..12=3" SYSTEM_,
	"csrrwi CSRRWI rd:11..7 rs1:19..15 csr:31..20 14..12=5" SYSTEM_,
	"csrrsi CSRRSI rd:11..7 rs1:19..15 csr:31..20 14..12=6" SYSTEM_,
	"csrrci CSRRCI rd:11..7 rs1:19..15 csr:31..20 14..12=7" SYSTEM_,

	/* Privileged, Svinval */
	"ecall ECALL 31..20=0b000000000000 19..7=0" SYSTEM_,
	"ebreak EBREAK 31..20=0b000000000001 19..7=0" SYSTEM_,
	"sret SRET 31..20=0b000100000010 19..7=0" SYSTEM_,
	"mret MRET 31..20=0b001100000010 19..7=0" SYSTEM_,
	"wfi WFI 31..20=0b000100000101 19..7=0" SYSTEM_,
	"sfence.vma SFENCE_VMA rs1:19..15 rs2:24..20 31..25=0b0001001 14..7=0" SYSTEM_,
	"sinval.vma SINVAL_VMA rs1:19..15 rs2:24..20 31..25=0b0001011 14..7=0" SYSTEM_,
	"sfence.w.inval SFENCE_W_INVAL 31..25=0b0001100 24..20=0 19..7=0" SYSTEM_,
	"sfence.inval.ir SFENCE_INVAL_IR 31..25=0b0001100 24..20=1 19..7=0" SYSTEM_,

	/* C, quadrant 0 */
	"c.addi4spn OTHER 1..0=0 15..13=0 12..5!=0",
	"c.fld FLOAD rd':4..2 rs1':9..7 uimm:5..3@12..10,7..6@6..5 width:8 1..0=0 15..13=1",
	"c.lw LOAD rd':4..2 rs1':9..7 uimm:5..3@12..10,2@6,6@5 width:4 sign 1..0=0 15..13=2",
	"c.ld LOAD rd':4..2 rs1':9..7 uimm:5..3@12..10,7..6@6..5 width:8 sign 1..0=0 15..13=3",
	"c.fsd FSTORE rs2':4..2 rs1':9..7 uimm:5..3@12..10,7..6@6..5 width:8 1..0=0 15..13=5",
	"c.sw STORE rs2':4..2 rs1':9..7 uimm:5..3@12..10,2@6,6@5 width:4 1..0=0 15..13=6",
	"c.sd STORE rs2':4..2 rs1':9..7 uimm:5..3@12..10,7..6@6..5 width:8 1..0=0 15..13=7",

	/* Zcb, quadrant 0 */
	"c.lbu LOAD rd':4..2 rs1':9..7 uimm:1@5,0@6 width:1 1..0=0 15..10=0b100000",
	"c.lhu LOAD rd':4..2 rs1':9..7 uimm:1@5 width:2 1..0=0 15..10=0b100001 6=0",
	"c.lh LOAD rd':4..2 rs1':9..7 uimm:1@5 width:2 sign 1..0=0 15..10=0b100001 6=1",
	"c.sb STORE rs2':4..2 rs1':9..7 uimm:1@5,0@6 width:1 1..0=0 15..10=0b100010",
	"c.sh STORE rs2':4..2 rs1':9..7 uimm:1@5 width:2 1..0=0 15..10=0b100011 6=0",

	/* C, quadrant 1; hints are instructions */
	"c.addi OTHER 1..0=1 15..13=0",
	"c.addiw OTHER 1..0=1 15..13=1 11..7!=0",
	"c.li OTHER 1..0=1 15..13=2",
	"c.addi16sp OTHER 1..0=1 15..13=3 11..7=2 12..2!=0b00001000000",
	"c.lui(imm[17]=1) OTHER 1..0=1 15..13=3 11..7!=2 12=1",
	"c.lui(imm[17]=0) OTHER 1..0=1 15..13=3 11..7!=2 12=0 6..2!=0",
	"c.mop OTHER 1..0=1 15..13=3 12..11=0 7=1 6..2=0",
	"c.srli OTHER 1..0=1 15..13=4 11..10=0",
	"c.srai OTHER 1..0=1 15..13=4 11..10=1",
	"c.andi OTHER 1..0=1 15..13=4 11..10=2",
	"c.sub OTHER 1..0=1 15..13=4 12..10=0b011 6..5=0",
	"c.xor OTHER 1..0=1 15..13=4 12..10=0b011 6..5=1",
	"c.or OTHER 1..0=1 15..13=4 12..10=0b011 6..5=2",
	"c.and OTHER 1..0=1 15..13=4 12..10=0b011 6..5=3",
	"c.subw OTHER 1..0=1 15..13=4 12..10=0b111 6..5=0",
	"c.addw OTHER 1..0=1 15..13=4 12..10=0b111 6..5=1",
	"c.mul OTHER 1..0=1 15..13=4 12..10=0b111 6..5=2",
	"c.zext.b OTHER 1..0=1 15..13=4 12..10=0b111 6..5=3 4..2=0",
	"c.sext.b OTHER 1..0=1 15..13=4 12..10=0b111 6..5=3 4..2=1",
	"c.zext.h OTHER 1..0=1 15..13=4 12..10=0b111 6..5=3 4..2=2",
	"c.sext.h OTHER 1..0=1 15..13=4 12..10=0b111 6..5=3 4..2=3",
	"c.zext.w OTHER 1..0=1 15..13=4 12..10=0b111 6..5=3 4..2=4",
	"c.not OTHER 1..0=1 15..13=4 12..10=0b111 6..5=3 4..2=5",
	"c.j OTHER 1..0=1 15..13=5",
	"c.beqz OTHER 1..0=1 15..13=6",
	"c.bnez OTHER 1..0=1 15..13=7",

	/* C, quadrant 2 */
	"c.slli OTHER 1..0=2 15..13=0",
	"c.fldsp FLOAD rd:11..7 rs1:x2 uimm:5@12,4..3@6..5,8..6@4..2 width:8 1..0=2 15..13=1",
	"c.lwsp LOAD rd:11..7 rs1:x2 uimm:5@12,4..2@6..4,7..6@3..2 width:4 sign 1..0=2 15..13=2 11..7!=0",
	"c.ldsp LOAD rd:11..7 rs1:x2 uimm:5@12,4..3@6..5,8..6@4..2 width:8 sign 1..0=2 15..13=3 11..7!=0",
	"c.jr OTHER 1..0=2 15..12=0b1000 11..7!=0 6..2=0",
	"c.mv OTHER 1..0=2 15..12=0b1000 6..2!=0",
	"c.ebreak EBREAK 1..0=2 15..12=0b1001 11..7=0 6..2=0",
	"c.jalr OTHER 1..0=2 15..12=0b1001 11..7!=0 6..2=0",
	"c.add OTHER 1..0=2 15..12=0b1001 6..2!=0",
	"c.fsdsp FSTORE rs1:x2 rs2:6..2 uimm:5..3@12..10,8..6@9..7 width:8 1..0=2 15..13=5",
	"c.swsp STORE rs1:x2 rs2:6..2 uimm:5..2@12..9,7..6@8..7 width:4 1..0=2 15..13=6",
	"c.sdsp STORE rs1:x2 rs2:6..2 uimm:5..3@12..10,8..6@9..7 width:8 1..0=2 15..13=7",
};

#endif /* UMBRA_DECODE_ORACLE_H */
