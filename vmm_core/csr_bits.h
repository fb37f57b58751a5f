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
#define VCSR_CYCLE		0xc00
#define VCSR_TIME		0xc01
#define VCSR_INSTRET		0xc02
#define VCSR_HPMCOUNTER3	0xc03
#define VCSR_HPMCOUNTER31	0xc1f

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

/* sie and sip (section 10.1.3). */
#define V_SSI			0x002UL
#define V_MSI			0x008UL
#define V_STI			0x020UL
#define V_MTI			0x080UL
#define V_SEI			0x200UL
#define V_MEI			0x800UL
#define V_IRQ_MASK		(V_SSI | V_STI | V_SEI)

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

/* senvcfg (section 10.1.10). */
#define V_ENVCFG_FIOM		0x01UL
#define V_ENVCFG_CBIE		0x30UL
#define V_ENVCFG_CBIE_INVAL	0x30UL
#define V_ENVCFG_CBIE_FLUSH	0x10UL
#define V_ENVCFG_CBCFE		0x40UL
#define V_ENVCFG_CBZE		0x80UL

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
