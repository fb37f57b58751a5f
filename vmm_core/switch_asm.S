/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The switcher's code; switch.h has the picture.
 *
 * Part one runs in the host's address space: umbra_switch_enter() and the
 * place where a world exit lands.  Part two is a blob that switch.c copies
 * into pages of its own; it runs in the guest's address space, in S-mode with
 * interrupts off, at whatever address the shadow table gives it, so it refers
 * to nothing outside itself but the per-vCPU area at t6.
 *
 * Rules:
 *  - sscratch holds the base of the per-vCPU area, in the guest and in the
 *    switcher alike (but for the first instructions of a trap), so a fault
 *    inside the switcher finds its way.
 *  - nothing here dereferences an address that the guest chose.
 *  - a hot stub either completes the instruction or changes nothing and goes
 *    to sw_world_exit, where C does it from the beginning.
 *
 * Hot stubs own t2..t5 (spilled in gpr[]), t6 is the base, t5 points to the
 * hot entry.
 */
#include "switch_offsets.h"

#define SENVCFG		0x10a

#define SPP		0x100
#define SPIE		0x20
#define SIE		0x2
#define VS		0x600
#define STI		0x20
#define IRQ_MASK	0x222
#define LCOFI_BIT	13
#define SUM_BIT		18
#define MXR_BIT		19
#define MIE		0x8
#define MPIE		0x80
#define MPP		0x1800
#define MPRV		0x20000
#define MPP_BIT		11
#define MPRV_BIT	17

/* x1 to x31, for .irp */
#define XREGS		    1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, \
			16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

/* For measurements only (Kbuild): adds to a counter, clobbers \tmp. */
	.macro	count slot, tmp, n=1
#ifdef UMBRA_COUNT
	ld	\tmp, \slot(t6)
	addi	\tmp, \tmp, \n
	sd	\tmp, \slot(t6)
#endif
	.endm

	.text
	.option	push
	.option	norvc
	.option	norelax

/* ---- host side ---------------------------------------------------------- */

#define FRAME		128

/*
 * void umbra_switch_enter(struct umbra_switch *sw)
 *
 * Interrupts are off.  Returns after the next world exit, with interrupts off
 * and every host CSR as it was.
 */
	.balign	4
	.globl	umbra_switch_enter
	.type	umbra_switch_enter, @function
umbra_switch_enter:
	addi	sp, sp, -FRAME
	sd	ra, 0(sp)
	sd	gp, 8(sp)
	sd	tp, 16(sp)
	sd	s0, 24(sp)
	sd	s1, 32(sp)
	sd	s2, 40(sp)
	sd	s3, 48(sp)
	sd	s4, 56(sp)
	sd	s5, 64(sp)
	sd	s6, 72(sp)
	sd	s7, 80(sp)
	sd	s8, 88(sp)
	sd	s9, 96(sp)
	sd	s10, 104(sp)
	sd	s11, 112(sp)

	addi	t6, a0, SW_SIZE/2
	addi	t6, t6, SW_SIZE/2
	sd	sp, SW_HOST_SP(t6)
	csrr	t0, stvec
	sd	t0, SW_HOST_STVEC(t6)
	csrr	t0, satp
	sd	t0, SW_HOST_SATP(t6)
	csrr	t0, sstatus
	sd	t0, SW_HOST_SSTATUS(t6)
	csrr	t0, scounteren
	sd	t0, SW_HOST_SCOUNTEREN(t6)
	ld	t0, SW_HW_SCOUNTEREN(t6)
	csrw	scounteren, t0
	ld	t0, SW_HAS_SENVCFG(t6)
	beqz	t0, 1f
	csrr	t0, SENVCFG
	sd	t0, SW_HOST_SENVCFG(t6)
	ld	t0, SW_HW_SENVCFG(t6)
	csrw	SENVCFG, t0
1:
	lla	t0, umbra_switch_return
	sd	t0, SW_HOST_RETURN(t6)

	ld	t0, SW_ARRIVE_VA(t6)
	ld	t1, SW_BASE_VA(t6)
	ld	t2, SW_ENTRY_SATP(t6)
	count	SW_COUNT_SATP, t3
	count	SW_COUNT_FENCES, t3, 3		/* with that of arrive */
	csrw	stvec, t0
	csrw	sscratch, t1
	/* Nothing of another guest's, where the switcher is about to be. */
	sfence.vma
	csrw	satp, t2
	/*
	 * The fetch of this faults, unless a global TLB entry of the host's
	 * still maps it; then the fence removes that entry.
	 */
	sfence.vma
2:	j	2b
	.size	umbra_switch_enter, . - umbra_switch_enter

/* A world exit lands here; s2..s6 hold what sw_leave loaded. */
	.balign	4
	.type	umbra_switch_return, @function
umbra_switch_return:
	csrw	sscratch, zero
	csrw	stvec, s2
	sfence.vma
	csrw	scounteren, s4
	beqz	s6, 1f
	csrw	SENVCFG, s5
1:
	csrw	sstatus, s3
	ld	ra, 0(sp)
	ld	gp, 8(sp)
	ld	tp, 16(sp)
	ld	s0, 24(sp)
	ld	s1, 32(sp)
	ld	s2, 40(sp)
	ld	s3, 48(sp)
	ld	s4, 56(sp)
	ld	s5, 64(sp)
	ld	s6, 72(sp)
	ld	s7, 80(sp)
	ld	s8, 88(sp)
	ld	s9, 96(sp)
	ld	s10, 104(sp)
	ld	s11, 112(sp)
	addi	sp, sp, FRAME
	ret
	.size	umbra_switch_return, . - umbra_switch_return

/* ---- guest side: the blob ------------------------------------------------ */

	.section .umbra.switcher, "ax", @progbits
	.balign	4096
	.globl	umbra_sw_start
umbra_sw_start:

/* The world switch lands here: stvec = arrive, sscratch = base. */
	.balign	4
	.globl	umbra_sw_arrive
umbra_sw_arrive:
	sfence.vma
	csrr	t6, sscratch
	ld	t5, SW_TRAP_VA(t6)
	csrw	stvec, t5
	ld	t5, SW_HW_SSTATUS(t6)		/* SPP = 0, SPIE = 1 */
	csrw	sstatus, t5
	ld	t5, SW_PC(t6)
	csrw	sepc, t5
	addi	t5, t6, SW_SC_SLOT
	sc.d	zero, zero, (t5)
	.irp	n, XREGS
	ld	x\n, SW_GPR(\n)(t6)
	.endr
	sret

/* Everything of the guest's that is not saved yet. */
	.macro save_all
	.irp n, 1,2,3,4,5,6,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27
	sd	x\n, SW_GPR(\n)(t6)
	.endr
	csrr	t0, sstatus
	sd	t0, SW_HW_SSTATUS(t6)
	csrr	t0, sepc
	sd	t0, SW_PC(t6)
	csrr	t0, scause
	sd	t0, SW_EXIT_SCAUSE(t6)
	csrr	t0, stval
	sd	t0, SW_EXIT_STVAL(t6)
	.endm

/*
 * A function of fast.c; a1 and a2 are its operands.  A fault in there finds
 * its own way: sw_abort.
 */
	.macro call_fast function
	ld	t0, SW_ABORT_VA(t6)
	csrw	stvec, t0
	addi	sp, t6, -SW_SIZE/2
	addi	sp, sp, -SW_SIZE/2
	mv	a0, sp
	call	\function
	j	sw_fast_done
	.endm

/* Every trap from the guest. */
	.balign	4
	.globl	umbra_sw_trap
umbra_sw_trap:
	csrrw	t6, sscratch, t6
	sd	t5, SW_GPR(30)(t6)
	csrr	t5, sscratch
	sd	t5, SW_GPR(31)(t6)
	csrw	sscratch, t6
	sd	t4, SW_GPR(29)(t6)
	sd	t3, SW_GPR(28)(t6)
	sd	t2, SW_GPR(7)(t6)
	count	SW_COUNT_TRAPS, t5
	csrr	t5, scause
	addi	t4, t5, -3
	bnez	t4, sw_not_breakpoint

	/* Breakpoint: is it a site?  index = (pc >> 1) % entries. */
	csrr	t4, sepc
	slli	t2, t4, 64 - HOT_INDEX_BITS - 1
	srli	t2, t2, 64 - HOT_INDEX_BITS - HOT_SHIFT
	add	t5, t2, t6
	ld	t3, SW_SALT(t6)
	xor	t4, t4, t3
	ld	t3, HOT_TAG(t5)
	bne	t3, t4, 1f
	ld	t3, HOT_FIRST(t5)
	jr	t3
1:	/* Its other place: the index with the top bit flipped. */
	lui	t3, 1 << (HOT_INDEX_BITS + HOT_SHIFT - 1 - 12)
	xor	t2, t2, t3
	add	t5, t2, t6
	ld	t3, HOT_TAG(t5)
	bne	t3, t4, sw_world_exit
	ld	t3, HOT_FIRST(t5)
	jr	t3

sw_not_breakpoint:
	addi	t4, t5, -8
	beqz	t4, sw_ecall
	addi	t4, t5, -12			/* 12, 13, 15: page faults */
	sltiu	t4, t4, 4
	beqz	t4, sw_world_exit
	csrr	t4, sstatus
	andi	t4, t4, SPP
	bnez	t4, sw_nested
	save_all
	call_fast umbra_sw_fault

	/* ecall: from vU it goes to the guest's kernel, from vS to us. */
sw_ecall:
	ld	t4, SW_PRIV(t6)
	bnez	t4, sw_world_exit
	ld	t2, SW_ROOT_PRIV_S(t6)
	beqz	t2, sw_world_exit
	csrr	t4, sepc
	sd	t4, SW_SEPC(t6)
	sd	t5, SW_SCAUSE(t6)
	sd	zero, SW_STVAL(t6)
	ld	t4, SW_SSTATUS(t6)
	andi	t3, t4, SIE
	slli	t3, t3, 4			/* SPIE = SIE */
	andi	t4, t4, ~(SPP | SPIE | SIE)
	or	t4, t4, t3
	sd	t4, SW_SSTATUS(t6)
	li	t4, 1
	sd	t4, SW_PRIV(t6)
	ld	t4, SW_SALT_S(t6)
	sd	t4, SW_SALT(t6)
	ld	t4, SW_STVEC(t6)
	andi	t4, t4, ~3
	csrw	sepc, t4
	ld	t4, SW_ENVCFG_FLIP(t6)
	beqz	t4, 1f
	ld	t4, SW_ENVCFG_S(t6)
	csrw	SENVCFG, t4
1:	csrw	satp, t2
	sfence.vma
	count	SW_COUNT_SATP, t4
	count	SW_COUNT_FENCES, t4
	j	sw_resume

/*
 * The instruction is done: go on behind it.  If a site that is hot stands
 * there, too, do not wait for the guest to trap on it.
 */
	.balign	4
sw_advance:
	ld	t3, HOT_NEXT(t5)
	csrr	t4, sepc
	addi	t4, t4, 4
	csrw	sepc, t4
	beqz	t3, sw_resume
	mv	t5, t3
	ld	t3, HOT_FIRST(t5)
	jr	t3
sw_resume:
	ld	t2, SW_GPR(7)(t6)
	ld	t3, SW_GPR(28)(t6)
	ld	t4, SW_GPR(29)(t6)
	ld	t5, SW_GPR(30)(t6)
	ld	t6, SW_GPR(31)(t6)
	sret

/* All else: save the guest, go back to the host. */
	.balign	4
sw_world_exit:
	csrr	t4, sstatus
	andi	t3, t4, SPP
	bnez	t3, sw_nested
	save_all
sw_leave:
	ld	s2, SW_HOST_STVEC(t6)
	ld	s3, SW_HOST_SSTATUS(t6)
	ld	s4, SW_HOST_SCOUNTEREN(t6)
	ld	s5, SW_HOST_SENVCFG(t6)
	ld	s6, SW_HAS_SENVCFG(t6)
	ld	sp, SW_HOST_SP(t6)
	ld	t0, SW_HOST_RETURN(t6)
	ld	t1, SW_HOST_SATP(t6)
	count	SW_COUNT_SATP, t2
	count	SW_COUNT_FENCES, t2, 2		/* with that of return */
	csrw	stvec, t0
	csrw	satp, t1
	sfence.vma
1:	j	1b

/* fast.c returned; it kept the registers that a function has to keep. */
	.balign	4
sw_fast_done:
	csrr	t6, sscratch
	bnez	a0, sw_leave
	ld	t0, SW_TRAP_VA(t6)
	csrw	stvec, t0
	.irp	n, 1,2,5,6,7,10,11,12,13,14,15,16,17,28,29,30,31
	ld	x\n, SW_GPR(\n)(t6)
	.endr
	sret

/*
 * A trap in fast.c.  It reads guest memory through page-table entries that
 * another hart may just have set or cleared: then the run loop does what it
 * was about to do.  Anything else is a bug of ours.
 */
	.balign	4
	.globl	umbra_sw_abort
umbra_sw_abort:
	csrr	t6, sscratch
	lui	t5, FAST_OFFSET >> 12
	add	t5, t5, t6
	lw	t4, FAST_PROBING(t5)
	beqz	t4, sw_nested
	sw	zero, FAST_PROBING(t5)
	lw	t4, FAST_HOLDING(t5)
	beqz	t4, 1f
	sw	zero, FAST_HOLDING(t5)
	fence	rw, w
	sw	zero, FAST_BUSY(t5)
1:	ld	t4, FAST_ABORTS(t5)
	addi	t4, t4, 1
	sd	t4, FAST_ABORTS(t5)
	j	sw_leave

/* A fault in the switcher itself: a bug of ours.  The VM ends, not the host. */
sw_nested:
	csrr	t0, sepc
	sd	t0, SW_PC(t6)
	csrr	t0, scause
	sd	t0, SW_EXIT_SCAUSE(t6)
	csrr	t0, stval
	sd	t0, SW_EXIT_STVAL(t6)
	sd	t6, SW_NESTED(t6)
	j	sw_leave

/* ---- hot stubs ------------------------------------------------------------ */

/* t3 = sstatus as the guest reads it; clobbers t2. */
	.macro	full_sstatus
	csrr	t3, sstatus
	ld	t2, SW_FPV_MASK(t6)
	and	t3, t3, t2
	ld	t2, SW_SSTATUS(t6)
	or	t3, t3, t2
	.endm

	.macro	finish_rd
	ld	t4, HOT_RD(t5)
	jr	t4
	.endm

/* csrr rd, csr held in memory */
	.balign	4
	.globl	umbra_sw_read
umbra_sw_read:
	ld	t4, HOT_SLOT(t5)
	add	t4, t4, t6
	ld	t3, 0(t4)
	finish_rd

/* csrrw rd, csr held in memory, rs; t4 = rs */
	.globl	umbra_sw_swap
umbra_sw_swap:
	ld	t2, HOT_IMM(t5)
	and	t4, t4, t2
	ld	t2, HOT_SLOT(t5)
	add	t2, t2, t6
	ld	t3, 0(t2)
	sd	t4, 0(t2)
	finish_rd

/* csrr rd, time */
	.globl	umbra_sw_time
umbra_sw_time:
	csrr	t3, time
	ld	t4, SW_TIME_OFFSET(t6)
	add	t3, t3, t4
	finish_rd

/* csrr rd, sstatus */
	.globl	umbra_sw_sstatus_read
umbra_sw_sstatus_read:
	full_sstatus
	finish_rd

/* t3 = mstatus as vM reads it; clobbers t2. */
	.macro	full_mstatus
	full_sstatus
	ld	t2, SW_M_STATUS(t6)
	or	t3, t3, t2
	.endm

/* csrr rd, mstatus */
	.globl	umbra_sw_mstatus_read
umbra_sw_mstatus_read:
	full_mstatus
	finish_rd

/* csrrs rd, mstatus, t4 */
	.globl	umbra_sw_mstatus_set
umbra_sw_mstatus_set:
	full_mstatus
	or	t4, t4, t3
	j	sw_mstatus_commit

/* csrrc rd, mstatus, t4 */
	.globl	umbra_sw_mstatus_clear
umbra_sw_mstatus_clear:
	full_mstatus
	not	t4, t4
	and	t4, t4, t3
	j	sw_mstatus_commit

/* csrrw rd, mstatus, t4 */
	.globl	umbra_sw_mstatus_swap
umbra_sw_mstatus_swap:
	full_mstatus

/*
 * t3 = old, t4 = new.  Here the bits that traps and returns stack may change, as
 * long as MPRV is 0 (MPP would choose another view) and nothing is pending.
 */
sw_mstatus_commit:
	sd	t5, SW_SC_SLOT(t6)
	xor	t2, t3, t4
	li	t5, ~(MPP | MPIE | MIE | SPP | SPIE | SIE)
	and	t5, t5, t2
	bnez	t5, sw_world_exit
	slli	t5, t4, 63 - MPRV_BIT
	bltz	t5, sw_world_exit
	srli	t5, t4, MPP_BIT
	andi	t5, t5, 3
	addi	t5, t5, -2
	beqz	t5, sw_world_exit		/* reserved */
	andi	t5, t4, MIE | SIE
	beqz	t5, 1f
	ld	t5, SW_IRQ_PENDING(t6)
	bnez	t5, sw_world_exit
1:	andi	t5, t2, SPP | SPIE | SIE
	ld	t4, SW_SSTATUS(t6)
	xor	t4, t4, t5
	sd	t4, SW_SSTATUS(t6)
	li	t5, MPP | MPIE | MIE
	and	t5, t5, t2
	ld	t4, SW_M_STATUS(t6)
	xor	t4, t4, t5
	sd	t4, SW_M_STATUS(t6)
	ld	t5, SW_SC_SLOT(t6)
	finish_rd

/* csrrci rd, sstatus, SIE: local_irq_save() */
	.globl	umbra_sw_sie_clear
umbra_sw_sie_clear:
	full_sstatus
	ld	t4, SW_SSTATUS(t6)
	andi	t4, t4, ~SIE
	sd	t4, SW_SSTATUS(t6)
	finish_rd

/* csrrsi rd, sstatus, SIE: local_irq_enable() */
	.globl	umbra_sw_sie_set
umbra_sw_sie_set:
	ld	t2, SW_IRQ_PENDING(t6)
	bnez	t2, sw_world_exit
	full_sstatus
	ld	t4, SW_SSTATUS(t6)
	ori	t4, t4, SIE
	sd	t4, SW_SSTATUS(t6)
	finish_rd

/*
 * csrs sstatus, t4: local_irq_restore(), and SUM for user_access_begin(), which
 * are most of what a kernel does to sstatus.
 */
	.globl	umbra_sw_sstatus_or
umbra_sw_sstatus_or:
	andi	t2, t4, ~SIE
	bnez	t2, 1f
	beqz	t4, sw_advance
	ld	t2, SW_IRQ_PENDING(t6)
	bnez	t2, sw_world_exit
	ld	t3, SW_SSTATUS(t6)
	ori	t3, t3, SIE
	sd	t3, SW_SSTATUS(t6)
	j	sw_advance
1:	lui	t2, 1 << (SUM_BIT - 12)
	bne	t4, t2, umbra_sw_sstatus_set
	ld	t3, SW_SSTATUS(t6)
	ld	t4, SW_ROOT_SUM(t6)
	beqz	t4, sw_world_exit
	or	t3, t3, t2
	j	sw_sum_view

/* csrc sstatus, t4: user_access_end() */
	.globl	umbra_sw_sstatus_andn
umbra_sw_sstatus_andn:
	lui	t2, 1 << (SUM_BIT - 12)
	bne	t4, t2, umbra_sw_sstatus_clear
	ld	t3, SW_SSTATUS(t6)
	ld	t4, SW_ROOT_S(t6)
	beqz	t4, sw_world_exit
	not	t2, t2
	and	t3, t3, t2
sw_sum_view:
	sd	t3, SW_SSTATUS(t6)
	sd	t4, SW_ROOT_PRIV_S(t6)
	csrw	satp, t4
	sfence.vma
	j	sw_advance

/* csrrs rd, sstatus, t4 */
	.globl	umbra_sw_sstatus_set
umbra_sw_sstatus_set:
	full_sstatus
	or	t4, t4, t3
	j	sw_sstatus_commit

/* csrrc rd, sstatus, t4 */
	.globl	umbra_sw_sstatus_clear
umbra_sw_sstatus_clear:
	full_sstatus
	not	t4, t4
	and	t4, t4, t3
	j	sw_sstatus_commit

/* csrrw rd, sstatus, t4 */
	.globl	umbra_sw_sstatus_swap
umbra_sw_sstatus_swap:
	full_sstatus

/* t3 = old, t4 = new */
sw_sstatus_commit:
	xor	t2, t3, t4
	slli	t2, t2, 63 - MXR_BIT
	bltz	t2, sw_world_exit		/* MXR: another view, C does it */
	andi	t2, t4, SIE
	beqz	t2, 1f
	ld	t2, SW_IRQ_PENDING(t6)
	bnez	t2, sw_world_exit
1:
	xor	t2, t3, t4
	slli	t2, t2, 63 - SUM_BIT
	bltz	t2, sw_sum_change
2:
	xor	t2, t3, t4
	srli	t2, t2, 9
	andi	t2, t2, 0x33			/* FS, VS */
	bnez	t2, sw_fpv_change
3:
	xor	t2, t3, t4
	andi	t2, t2, SPP | SPIE | SIE
	ld	t4, SW_SSTATUS(t6)
	xor	t4, t4, t2
	sd	t4, SW_SSTATUS(t6)
	finish_rd

sw_fpv_change:
	/*
	 * VS: C has to save or load the vector registers (fpv.c): while the
	 * guest runs, VS only ever goes up, by the hardware.
	 */
	xor	t2, t3, t4
	andi	t2, t2, VS
	bnez	t2, sw_world_exit
	ld	t2, SW_FPV_WRITABLE(t6)
	csrc	sstatus, t2
	and	t2, t2, t4
	csrs	sstatus, t2
	j	3b

sw_sum_change:
	xor	t2, t3, t4			/* nothing is half done */
	andi	t2, t2, VS
	bnez	t2, sw_world_exit
	slli	t2, t4, 63 - SUM_BIT
	bltz	t2, 1f
	ld	t2, SW_ROOT_S(t6)
	j	4f
1:	ld	t2, SW_ROOT_SUM(t6)
4:	beqz	t2, sw_world_exit
	sd	t2, SW_ROOT_PRIV_S(t6)
	csrw	satp, t2
	sfence.vma
	sd	t4, SW_SC_SLOT(t6)
	count	SW_COUNT_SATP, t4
	count	SW_COUNT_FENCES, t4
	lui	t4, 1 << (SUM_BIT - 12)
	ld	t2, SW_SSTATUS(t6)
	xor	t2, t2, t4
	sd	t2, SW_SSTATUS(t6)
	ld	t4, SW_SC_SLOT(t6)
	j	2b

/* sret */
	.globl	umbra_sw_sret
umbra_sw_sret:
	ld	t3, SW_SSTATUS(t6)
	andi	t4, t3, SPP
	bnez	t4, sw_sret_s

	ld	t2, SW_ROOT_U(t6)
	beqz	t2, sw_world_exit
	ld	t4, SW_IRQ_PENDING(t6)
	bnez	t4, sw_world_exit
	sd	zero, SW_PRIV(t6)
	ld	t4, SW_SALT_U(t6)
	sd	t4, SW_SALT(t6)
	ld	t4, SW_ENVCFG_FLIP(t6)
	beqz	t4, 1f
	ld	t4, SW_ENVCFG_U(t6)
	csrw	SENVCFG, t4
1:	csrw	satp, t2
	sfence.vma
	count	SW_COUNT_SATP, t4
	count	SW_COUNT_FENCES, t4
	j	sw_sret_tail

sw_sret_s:
	andi	t4, t3, SPIE
	beqz	t4, sw_sret_tail
	ld	t4, SW_IRQ_PENDING(t6)
	bnez	t4, sw_world_exit

sw_sret_tail:
	andi	t4, t3, SPIE
	srli	t4, t4, 4			/* SIE = SPIE, SPIE = 1, SPP = U */
	andi	t3, t3, ~(SPP | SPIE | SIE)
	or	t3, t3, t4
	ori	t3, t3, SPIE
	sd	t3, SW_SSTATUS(t6)
	ld	t4, SW_SEPC(t6)
sw_return_to:					/* t4, from a trap of the guest's */
	csrw	sepc, t4
	addi	t4, t6, SW_SC_SLOT		/* no reservation survives */
	sc.d	zero, zero, (t4)
	j	sw_resume

/* mret, in vM; to vM itself C does it */
	.globl	umbra_sw_mret
umbra_sw_mret:
	ld	t4, SW_IRQ_PENDING(t6)
	bnez	t4, sw_world_exit
	ld	t3, SW_M_STATUS(t6)
	srli	t4, t3, MPP_BIT
	andi	t4, t4, 3
	beqz	t4, 1f
	addi	t5, t4, -1
	bnez	t5, sw_world_exit
	ld	t2, SW_ROOT_PRIV_S(t6)
	beqz	t2, sw_world_exit
	ld	t5, SW_SALT_S(t6)
	sd	t5, SW_SALT(t6)
	ld	t5, SW_ENVCFG_S(t6)
	j	2f
1:	ld	t2, SW_ROOT_U(t6)
	beqz	t2, sw_world_exit
	ld	t5, SW_SALT_U(t6)
	sd	t5, SW_SALT(t6)
	ld	t5, SW_ENVCFG_U(t6)
2:	sd	t4, SW_PRIV(t6)
	csrw	satp, t2
	sfence.vma
	count	SW_COUNT_SATP, t4
	count	SW_COUNT_FENCES, t4
	ld	t4, SW_HAS_SENVCFG(t6)
	beqz	t4, 3f
	csrw	SENVCFG, t5
3:	andi	t4, t3, MPIE
	srli	t4, t4, 4			/* MIE = MPIE, MPIE = 1 */
	li	t2, ~(MPP | MPRV | MIE)		/* MPP = U, MPRV = 0 */
	and	t3, t3, t2
	or	t3, t3, t4
	ori	t3, t3, MPIE
	sd	t3, SW_M_STATUS(t6)
	ld	t4, SW_M_EPC(t6)
	j	sw_return_to

/* wfi: with something pending it is over at once */
	.globl	umbra_sw_wfi
umbra_sw_wfi:
	ld	t2, SW_IRQ_PENDING(t6)
	beqz	t2, sw_world_exit
	j	sw_advance

/* csrrw rd, stvec, t4: kernels that switch it at each trap from U-mode (xv6) */
	.globl	umbra_sw_stvec
umbra_sw_stvec:
	andi	t2, t4, 2
	bnez	t2, sw_world_exit		/* reserved */
	ld	t3, SW_STVEC(t6)
	sd	t4, SW_STVEC(t6)
	finish_rd

/* csrrs, csrrc and csrrw rd, sie, t4 */
	.globl	umbra_sw_sie_or
umbra_sw_sie_or:
	ld	t3, SW_SIE(t6)
	or	t4, t4, t3
	j	sw_sie_commit

	.globl	umbra_sw_sie_andn
umbra_sw_sie_andn:
	ld	t3, SW_SIE(t6)
	not	t4, t4
	and	t4, t4, t3
	j	sw_sie_commit

	.globl	umbra_sw_sie_swap
umbra_sw_sie_swap:
	ld	t3, SW_SIE(t6)
sw_sie_commit:
	srli	t2, t4, LCOFI_BIT		/* the run loop knows whether it exists */
	andi	t2, t2, 1
	bnez	t2, sw_world_exit
	andi	t4, t4, IRQ_MASK
	ld	t2, SW_SIP(t6)
	and	t2, t2, t4
	beqz	t2, 1f
	ld	t2, SW_SSTATUS(t6)
	andi	t2, t2, SIE
	bnez	t2, sw_world_exit		/* it has to be delivered */
	ld	t2, SW_SIP(t6)
	and	t2, t2, t4
1:	sd	t2, SW_IRQ_PENDING(t6)
	sd	t4, SW_SIE(t6)
	finish_rd

/*
 * csrrw rd, stimecmp, t4: later than what the host's timer stands for.  It
 * will go off early, and the run loop looks again.
 */
	.globl	umbra_sw_stimecmp
umbra_sw_stimecmp:
	ld	t2, SW_SIP(t6)
	andi	t2, t2, STI
	bnez	t2, sw_world_exit
	ld	t2, SW_TIMER_ARMED(t6)
	bltu	t4, t2, sw_world_exit
	ld	t3, SW_STIMECMP(t6)
	sd	t4, SW_STIMECMP(t6)
	finish_rd

/* csrw satp, t4 */
	.globl	umbra_sw_satp_write
umbra_sw_satp_write:
	save_all
	mv	a1, t4
	call_fast umbra_sw_satp

/* sfence.vma, sinval.vma: the numbers of their registers are in the entry */
	.globl	umbra_sw_sfence
umbra_sw_sfence:
	save_all
	ld	a1, HOT_SLOT(t5)
	ld	a2, HOT_IMM(t5)
	call_fast umbra_sw_fence

/*
 * Register stubs, 1 << SW_STUB_SHIFT bytes each.  Registers that are spilled
 * while the switcher runs are read and written in gpr[].
 */
	.balign	16
	.globl	umbra_sw_rs			/* t4 = x\n, go on with the op */
umbra_sw_rs:
	.irp	n, 0, XREGS
	.balign	16
	.if	(\n == 7) || (\n >= 28)
	ld	t4, SW_GPR(\n)(t6)
	.else
	mv	t4, x\n
	.endif
	ld	t3, HOT_OP(t5)
	jr	t3
	.endr

	.balign	16
	.globl	umbra_sw_imm			/* t4 = immediate, go on with the op */
umbra_sw_imm:
	ld	t4, HOT_IMM(t5)
	ld	t3, HOT_OP(t5)
	jr	t3

	.balign	16
	.globl	umbra_sw_rd			/* x\n = t3, done */
umbra_sw_rd:
	.irp	n, 0, XREGS
	.balign	16
	.if	\n == 0
	.elseif	(\n == 7) || (\n >= 28)
	sd	t3, SW_GPR(\n)(t6)
	.else
	mv	x\n, t3
	.endif
	j	sw_advance
	.endr

	.option	pop
