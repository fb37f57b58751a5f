/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CSR numbers and fields of the privileged specification, as far as Umbra
 * emulates them.  Names carry a V_ or VCSR_ prefix where the kernel's
 * <asm/csr.h> has the same word, so that pure code compiles with and
 * without it.
 */
#ifndef UMBRA_CSR_BITS_H
#define UMBRA_CSR_BITS_H

/* CSR numbers (privileged spec, chapter 2). */
#define VCSR_FFLAGS		0x001
#define VCSR_FCSR		0x003
#define VCSR_SEED		0x015
#define VCSR_SSTATUS		0x100
#define VCSR_SIE		0x104
#define VCSR_STVEC		0x105
#define VCSR_SCOUNTEREN		0x106
#define VCSR_SENVCFG		0x10a
#define VCSR_SSCRATCH		0x140
#define VCSR_SEPC		0x141
#define VCSR_SCAUSE		0x142
#define VCSR_STVAL		0x143
#define VCSR_SIP		0x144
#define VCSR_STIMECMP		0x14d
#define VCSR_SATP		0x180
#define VCSR_MSTATUS		0x300
#define VCSR_MISA		0x301
#define VCSR_MEDELEG		0x302
#define VCSR_MIDELEG		0x303
#define VCSR_MIE		0x304
#define VCSR_MTVEC		0x305
#define VCSR_MCOUNTEREN		0x306
#define VCSR_MENVCFG		0x30a
#define VCSR_MCOUNTINHIBIT	0x320
#define VCSR_MHPMEVENT3		0x323
#define VCSR_MHPMEVENT31	0x33f
#define VCSR_MSCRATCH		0x340
#define VCSR_MEPC		0x341
#define VCSR_MCAUSE		0x342
#define VCSR_MTVAL		0x343
#define VCSR_MIP		0x344
#define VCSR_PMPCFG0		0x3a0
#define VCSR_PMPCFG2		0x3a2
#define VCSR_PMPADDR0		0x3b0
#define VCSR_PMPADDR15		0x3bf
#define VCSR_MCYCLE		0xb00
#define VCSR_MINSTRET		0xb02
#define VCSR_MHPMCOUNTER3	0xb03
#define VCSR_MHPMCOUNTER31	0xb1f
#define VCSR_CYCLE		0xc00
#define VCSR_TIME		0xc01
#define VCSR_INSTRET		0xc02
#define VCSR_HPMCOUNTER3	0xc03
#define VCSR_HPMCOUNTER31	0xc1f
#define VCSR_SCOUNTOVF		0xda0
#define VCSR_MVENDORID		0xf11
#define VCSR_MARCHID		0xf12
#define VCSR_MIMPID		0xf13
#define VCSR_MHARTID		0xf14
#define VCSR_MCONFIGPTR		0xf15

/* sstatus (section 10.1.1). */
#define V_SIE			0x00000002UL
#define V_SPIE			0x00000020UL
#define V_UBE			0x00000040UL
#define V_SPP			0x00000100UL
#define V_VS			0x00000600UL
#define V_FS			0x00006000UL
#define V_XS			0x00018000UL
#define V_SUM			0x00040000UL
#define V_MXR			0x00080000UL
#define V_UXL			0x0000000300000000UL
#define V_UXL_64		0x0000000200000000UL
#define V_SD			0x8000000000000000UL
#define V_FS_SHIFT		13
#define V_VS_SHIFT		9
/* The part that hardware keeps for the guest while it runs. */
#define V_FPV			(V_FS | V_VS | V_SD)

/* misa (section 3.1.1). */
#define V_MISA_MXL_64		0x8000000000000000UL
#define V_MISA_S		0x0000000000040000UL
#define V_MISA_U		0x0000000000100000UL

/* The rest of mstatus (section 3.1.6). */
#define V_MIE			0x00000008UL
#define V_MPIE			0x00000080UL
#define V_MPP			0x00001800UL
#define V_MPRV			0x00020000UL
#define V_TVM			0x00100000UL
#define V_TW			0x00200000UL
#define V_TSR			0x00400000UL
#define V_SXL_64		0x0000000800000000UL
#define V_MPP_SHIFT		11

/* sie and sip (section 10.1.3). */
#define V_SSI			0x002UL
#define V_MSI			0x008UL
#define V_STI			0x020UL
#define V_MTI			0x080UL
#define V_SEI			0x200UL
#define V_MEI			0x800UL
#define V_LCOFI			0x2000UL	/* Sscofpmf */
#define V_IRQ_MASK		(V_SSI | V_STI | V_SEI)

/* What mie and mip have (section 3.1.9). */
#define V_MIRQ_MASK		(V_IRQ_MASK | V_MSI | V_MTI | V_MEI)

/* Exception codes (section 10.1.8). */
#define V_CAUSE_IRQ		0x8000000000000000UL
#define V_EXC_INSN_MISALIGNED	0
#define V_EXC_INSN_ACCESS	1
#define V_EXC_ILLEGAL		2
#define V_EXC_BREAKPOINT	3
#define V_EXC_LOAD_MISALIGNED	4
#define V_EXC_LOAD_ACCESS	5
#define V_EXC_STORE_MISALIGNED	6
#define V_EXC_STORE_ACCESS	7
#define V_EXC_ECALL_U		8
#define V_EXC_ECALL_S		9
#define V_EXC_ECALL_M		11
#define V_EXC_INSN_PAGE		12
#define V_EXC_LOAD_PAGE		13
#define V_EXC_STORE_PAGE	15
/* What medeleg can delegate: all but ecalls from M-mode, which never are. */
#define V_EXC_DELEGABLE		0xb3ffUL

/* senvcfg and menvcfg (sections 10.1.10 and 3.1.18). */
#define V_ENVCFG_FIOM		0x01UL
#define V_ENVCFG_CBIE		0x30UL
#define V_ENVCFG_CBIE_INVAL	0x30UL
#define V_ENVCFG_CBIE_FLUSH	0x10UL
#define V_ENVCFG_CBCFE		0x40UL
#define V_ENVCFG_CBZE		0x80UL
#define V_ENVCFG_CBO		(V_ENVCFG_CBIE | V_ENVCFG_CBCFE | V_ENVCFG_CBZE)
#define V_ENVCFG_ADUE		0x2000000000000000UL
#define V_ENVCFG_STCE		0x8000000000000000UL

/* scounteren. */
#define V_COUNTEREN_CY		0x1UL
#define V_COUNTEREN_TM		0x2UL
#define V_COUNTEREN_IR		0x4UL

/* satp (section 10.1.11). */
#define V_SATP_MODE_SHIFT	60
#define V_SATP_ASID_SHIFT	44
#define V_SATP_ASID_MASK	0xffffUL
#define V_SATP_PPN		0x00000fffffffffffUL
#define V_SATP_BARE		0UL
#define V_SATP_SV39		8UL
#define V_SATP_SV48		9UL
#define V_SATP_SV57		10UL

/* Page-table entries (section 10.3). */
#define V_PTE_V			0x001UL
#define V_PTE_R			0x002UL
#define V_PTE_W			0x004UL
#define V_PTE_X			0x008UL
#define V_PTE_U			0x010UL
#define V_PTE_G			0x020UL
#define V_PTE_A			0x040UL
#define V_PTE_D			0x080UL
#define V_PTE_PPN_SHIFT		10
#define V_PTE_PPN		0x003ffffffffffc00UL
/* N, PBMT and reserved: none is offered, all must be zero. */
#define V_PTE_RESERVED		0xffc0000000000000UL

#endif /* UMBRA_CSR_BITS_H */
