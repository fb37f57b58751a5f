/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The runtime of the test guests that start in M-mode, beside what guest.h
 * offers to all: results, pages, page tables, instructions of access.S.
 *
 * Such a guest runs on hart 0 in M-mode, without firmware; its tests begin with
 * the state of machine_reset(): nothing delegated, no interrupt enabled, satp 0,
 * and one PMP entry, the last, that lets S and U do everything. Results go to
 * the UART.
 *
 * Code under test runs in any mode: run_machine() with a register file of its
 * own, or call_as() for a function. Whatever traps into M-mode ends it, and is
 * in `trap`; what was delegated is in `s_trap`.
 */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include "guest.h"

/* Offsets into struct s_trap, for assembly. */
#define S_TRAP_TAKEN		0
#define S_TRAP_CAUSE		8
#define S_TRAP_EPC		16
#define S_TRAP_TVAL		24
#define S_TRAP_STATUS		32
#define S_TRAP_VEC		40
#define S_TRAP_BY_EBREAK	48

/* ACLINT */
#define MSWI		0x2000000
#define MTIMECMP	0x2004000
#define MTIME		0x200bff8

#ifndef __ASSEMBLER__

#define CSR_MSTATUS	0x300
#define CSR_MISA	0x301
#define CSR_MEDELEG	0x302
#define CSR_MIDELEG	0x303
#define CSR_MIE		0x304
#define CSR_MTVEC	0x305
#define CSR_MCOUNTEREN	0x306
#define CSR_MENVCFG	0x30a
#define CSR_MCOUNTINHIBIT 0x320
#define CSR_MSCRATCH	0x340
#define CSR_MEPC	0x341
#define CSR_MCAUSE	0x342
#define CSR_MTVAL	0x343
#define CSR_MIP		0x344
#define CSR_PMPCFG0	0x3a0
#define CSR_PMPCFG2	0x3a2
#define CSR_PMPADDR0	0x3b0
#define CSR_MCYCLE	0xb00
#define CSR_MINSTRET	0xb02

#define MR_MIE		BIT(3)
#define MR_MPIE		BIT(7)
#define MR_MPP		(3UL << 11)
#define MR_MPRV		BIT(17)
#define MR_TVM		BIT(20)
#define MR_TW		BIT(21)
#define MR_TSR		BIT(22)
#define MR_SXL_64	(2UL << 34)

#define IRQ_MSI		3
#define IRQ_MTI		7
#define IRQ_MEI		11
#define IRQ_ALL_S	(BIT(IRQ_SSI) | BIT(IRQ_STI) | BIT(IRQ_SEI))
#define IRQ_ALL_M	(BIT(IRQ_MSI) | BIT(IRQ_MTI) | BIT(IRQ_MEI))

#define CAUSE_ECALL_M	11

#define ENVCFG_ADUE	BIT(61)
#define ENVCFG_STCE	BIT(63)

#define PRV_M		3

#define PMP_R		1UL
#define PMP_W		2UL
#define PMP_X		4UL
#define PMP_TOR		0x08UL
#define PMP_NA4		0x10UL
#define PMP_NAPOT	0x18UL
#define PMP_L		0x80UL

/**
 * struct s_trap - the last trap that was delegated to S-mode
 * @taken: there was one
 * @vec: which entry of the vectored table was used, -1: direct
 * @by_ebreak: go on into M-mode by ebreak, not ecall
 */
struct s_trap {
	u64 taken, cause, epc, tval, status, vec, by_ebreak;
};

extern struct s_trap s_trap;
extern char machine_trap_entry[], machine_trap_vectors[];
extern char s_trap_entry[], s_trap_vectors[], s_trap_exit_ecall[], s_trap_exit_ebreak[];
extern char call_done[];
extern u64 call_result;			/* a0 of a function that returned */

/* One instruction, then ecall; in the image, for any mode. */
extern char x_ecall[], x_ebreak[], x_illegal[], x_nop[], x_mret[], x_sret[];
extern char do_mret[], do_sret[];
extern char x_mstatus[], x_wfi[], x_sfence[], x_satp_read[], x_satp_write[], x_mscratch[];
extern char x_rdtime[], x_rdcycle[], x_rdinstret[], x_stimecmp[], x_set_stimecmp[];
extern char x_spin[];

/* MPP = @prv, MPIE = 0, all else as mstatus is. */
void machine_ctx(struct ctx *c, u64 pc, int prv);
/* Returns the cause of the trap into M-mode that ended it, also in `trap`. */
u64 run_machine(struct ctx *c);
/* NO_TRAP when it returned; @fn in the image, S and U without translation. */
u64 call_as(int prv, void *fn, u64 a0, u64 a1);
/* With translation: S at the same addresses, U at user_va(). */
u64 run_at(int prv, u64 pc, u64 a0, u64 a1);

u64 mprv_access(void *fn, u64 a0, u64 a1, u64 mstatus);
/* The access with MPRV and these bits of mstatus: cause, or NO_TRAP. */
u64 try_mprv(void *fn, u64 a0, u64 a1, u64 mstatus);

/* Entry @i; cfg and address as the registers have them. */
void pmp_set(int i, u64 cfg, u64 addr);
static inline u64 pmp_napot(u64 base, u64 size)
{
	return (base >> 2) | ((size >> 3) - 1);
}

#define EXPECT_AS(prv, cause, tval, fn, a0, a1) do {			\
	call_as(prv, fn, a0, a1);					\
	check_trap(__LINE__, #prv " " #fn, cause, tval, (u64)(fn));	\
} while (0)
#define EXPECT_AS_OK(prv, fn, a0, a1) do {				\
	if (call_as(prv, fn, a0, a1) != NO_TRAP)			\
		check_trap(__LINE__, #prv " " #fn, NO_TRAP, 0, 0);	\
} while (0)

#endif /* !__ASSEMBLER__ */
#endif
