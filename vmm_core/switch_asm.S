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
 *  - sscratch holds the base of the per-vCPU area, in the guest and in C
 *    (fast.c), so that a fault there finds its way.  While a hot entry executes
 *    it holds the guest's t6: nothing there can fault, for it accesses nothing
 *    but that area.
 *  - nothing here dereferences an address that the guest chose.
 *  - a hot entry either completes the instruction or changes nothing and goes
 *    to umbra_sw_bail, where C does it from the beginning.
 *
 * Hot entries (hot.c makes them) own t3 and t5, which are spilled in gpr[] as
 * t4 is, in which they keep the guest's pc.  t6 is the base.
 */
#include "switch_offsets.h"

#define SENVCFG		0x10a
#define STIMECMP	0x14d

#define SPP		0x100
#define SPIE		0x20
#define SIE		0x2
#define VS		0x600
#define FS		0x6000
#define SSI		0x2
#define STI		0x20
#define SEI		0x200
#define IRQ_MASK	0x222
#define LCOFI_BIT	13
#define SUM_BIT		18
#define MXR_BIT		19
#define SUM		(1 << SUM_BIT)
#define MXR		(1 << MXR_BIT)
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

/*
 * The fence behind a satp write that loads another root of ours: of ASID 0, so that
 * what the hart knows of the switcher's own pages, which are global, may stay.
 * Where roots have ASIDs it is not needed: switch.c turns what is listed in
 * umbra_view_fences into nops.  Clobbers \tmp.
 */
	.macro	list label, section
	.pushsection \section, "a", @progbits
	.8byte	\label
	.popsection
	.endm

	.macro	view_fence tmp
	li	\tmp, 0
.Lfence\@:
	sfence.vma zero, \tmp
	list	.Lfence\@, umbra.view_fences
	list	.Lfence\@, umbra.selective_fences
#ifdef UMBRA_COUNT
	ld	\tmp, SW_COUNT_FENCES(t6)
.Lcount\@:
	addi	\tmp, \tmp, 1
	sd	\tmp, SW_COUNT_FENCES(t6)
	list	.Lcount\@, umbra.view_fences
#endif
	.endm

	.section umbra.view_fences, "a", @progbits
	.balign	8
	.globl	umbra_view_fences
umbra_view_fences:
	.section umbra.selective_fences, "a", @progbits
	.balign	8
	.globl	umbra_selective_fences
umbra_selective_fences:

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
	ld	t0, SW_TIMER_HW(t6)
	beqz	t0, 1f
	csrr	t0, STIMECMP
	sd	t0, SW_HOST_STIMECMP(t6)
	ld	t1, SW_DEADLINE(t6)
	bgeu	t1, t0, 1f
	csrw	STIMECMP, t1
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
	.irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27
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

/* The guest's t6, the last register on its way, and sscratch = base again. */
	.macro save_t6
	csrr	t5, sscratch
	sd	t5, SW_GPR(31)(t6)
	csrw	sscratch, t6
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

/* t5 = address of the hot entry where t4 belongs first: (pc >> 1) % entries */
	.macro	hot_index
	slli	t5, t4, 64 - HOT_INDEX_BITS - 1
	srli	t5, t5, 64 - HOT_INDEX_BITS - HOT_SHIFT
	add	t5, t5, t6
	.endm

/* ... and where it may be instead: umbra_hot_index().  t4 is the tag. */
	.macro	hot_other
	sub	t5, t5, t6
	slli	t3, t4, 64 - HOT_INDEX_BITS - HOT_OTHER_SHIFT
	srli	t3, t3, 64 - HOT_INDEX_BITS
	slli	t3, t3, HOT_SHIFT
	xor	t5, t5, t3
	add	t5, t5, t6
	.endm

/* Go to the hot entry, if the trap is a breakpoint. */
	.macro	hot_go
	csrr	t3, scause
	addi	t3, t3, -3
	bnez	t3, sw_trap_slow
	jalr	zero, HOT_CODE(t5)
	.endm

/*
 * Every trap from the guest's S-mode, while its address space is one whose hot
 * entries all spaces share: a tag is a pc.
 */
	.balign	4
	.globl	umbra_sw_trap_s
umbra_sw_trap_s:
	csrrw	t6, sscratch, t6
	sd	t5, SW_GPR(30)(t6)
	sd	t4, SW_GPR(29)(t6)
	count	SW_COUNT_TRAPS, t5
	csrr	t4, sepc
	hot_index
	sd	t3, SW_GPR(28)(t6)
	ld	t3, HOT_TAG(t5)
	bne	t3, t4, 2f
1:	hot_go
2:	hot_other
	ld	t3, HOT_TAG(t5)
	beq	t3, t4, 1b
	j	sw_trap_slow

/* The same where tags are salted; and of M-mode. */
	.balign	4
	.globl	umbra_sw_trap_salted
umbra_sw_trap_salted:
	csrrw	t6, sscratch, t6
	sd	t5, SW_GPR(30)(t6)
	sd	t4, SW_GPR(29)(t6)
	sd	t3, SW_GPR(28)(t6)
	count	SW_COUNT_TRAPS, t5
	csrr	t4, sepc
	hot_index
	ld	t3, SW_SALT(t6)
	xor	t4, t4, t3
	ld	t3, HOT_TAG(t5)
	bne	t3, t4, 2f
1:	csrr	t4, sepc
	hot_go
2:	hot_other
	ld	t3, HOT_TAG(t5)
	beq	t3, t4, 1b
	j	sw_trap_slow

/* Every trap from its U-mode: an ecall goes to its kernel. */
	.balign	4
	.globl	umbra_sw_trap_u
umbra_sw_trap_u:
	csrrw	t6, sscratch, t6
	sd	t5, SW_GPR(30)(t6)
	sd	t4, SW_GPR(29)(t6)
	count	SW_COUNT_TRAPS, t5
	csrr	t5, scause
	addi	t4, t5, -8
	bnez	t4, 2f
	ld	t4, SW_ROOT_PRIV_S(t6)
	beqz	t4, 2f
	csrw	satp, t4
	view_fence t4
	count	SW_COUNT_SATP, t4
	csrr	t4, sepc
	sd	t4, SW_SEPC(t6)
	sd	t5, SW_SCAUSE(t6)
	sd	zero, SW_STVAL(t6)
	ld	t4, SW_SSTATUS(t6)
	andi	t5, t4, SIE
	slli	t5, t5, 4			/* SPIE = SIE */
	andi	t4, t4, ~(SPP | SPIE | SIE)
	or	t4, t4, t5
	sd	t4, SW_SSTATUS(t6)
	li	t4, 1
	sd	t4, SW_PRIV(t6)
	ld	t4, SW_VEC_S(t6)
	csrw	stvec, t4
	sd	t4, SW_TRAP_VA(t6)
	ld	t4, SW_STVEC(t6)
	andi	t4, t4, ~3
	csrw	sepc, t4
	ld	t4, SW_ENVCFG_FLIP(t6)
	beqz	t4, 1f
	ld	t4, SW_ENVCFG_S(t6)
	csrw	SENVCFG, t4
1:	ld	t4, SW_GPR(29)(t6)
	ld	t5, SW_GPR(30)(t6)
	csrrw	t6, sscratch, t6
	sret
2:	sd	t3, SW_GPR(28)(t6)

/* What is not hot: t3..t5 are spilled.  Page faults may be known (fast.c). */
sw_trap_slow:
	save_t6
	csrr	t5, scause
	addi	t4, t5, -12			/* 12, 13, 15 */
	sltiu	t4, t4, 4
	beqz	t4, sw_world_exit
	csrr	t4, sstatus
	andi	t4, t4, SPP
	bnez	t4, sw_nested
	save_all
	call_fast umbra_sw_fault

/* The instructions before t4 are done: back to the guest. */
	.balign	4
	.globl	umbra_sw_done
umbra_sw_done:
	csrw	sepc, t4
sw_resume:
	ld	t3, SW_GPR(28)(t6)
	ld	t4, SW_GPR(29)(t6)
	ld	t5, SW_GPR(30)(t6)
	csrrw	t6, sscratch, t6
	sret

/* A hot entry leaves the instruction at t4 to C. */
	.globl	umbra_sw_bail
umbra_sw_bail:
	csrw	sepc, t4
	save_t6

/* All else: save the guest, go back to the host. */
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
	ld	t1, SW_TIMER_HW(t6)
	beqz	t1, 1f
	ld	t1, SW_HOST_STIMECMP(t6)
	csrw	STIMECMP, t1
1:	ld	t1, SW_HOST_SATP(t6)
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

/* ---- what hot entries call ------------------------------------------------ */

/*
 * An operation of many instructions: t3 is its operand, t5 where to return to,
 * with the CSR's old value in t3.  t4 and t2 become free here.
 */
	.macro	begin_op name
	.globl	\name
\name:
	csrw	sepc, t4
	sd	t2, SW_GPR(7)(t6)
	.endm

	.macro	end_op
	ld	t2, SW_GPR(7)(t6)
	csrr	t4, sepc
	jr	t5
	.endm

/* Nothing has been done: leave it to C. */
sw_bail_op:
	ld	t2, SW_GPR(7)(t6)
	save_t6
	j	sw_world_exit

/* \to = sstatus as the guest reads it; clobbers \tmp. */
	.macro	full_sstatus to, tmp
	csrr	\to, sstatus
	ld	\tmp, SW_FPV_MASK(t6)
	and	\to, \to, \tmp
	ld	\tmp, SW_SSTATUS(t6)
	or	\to, \to, \tmp
	.endm

/* Another root: of view SUM, or back. */
	.macro	load_root root, tmp
	sd	\root, SW_ROOT_PRIV_S(t6)
	csrw	satp, \root
	view_fence \tmp
	count	SW_COUNT_SATP, \tmp
	.endm

/* csrs sstatus, t3: user_access_begin(), and all that is not irq_restore() */
	begin_op umbra_sw_sstatus_or
	lui	t2, SUM >> 12
	bne	t3, t2, sw_sstatus_set
	ld	t4, SW_ROOT_SUM(t6)
	beqz	t4, sw_bail_op
	load_root t4, t3
	ld	t3, SW_SSTATUS(t6)
	or	t3, t3, t2
	sd	t3, SW_SSTATUS(t6)
	end_op

/* csrc sstatus, t3: user_access_end() */
	begin_op umbra_sw_sstatus_andn
	lui	t2, SUM >> 12
	bne	t3, t2, sw_sstatus_clear
	ld	t4, SW_ROOT_S(t6)
	beqz	t4, sw_bail_op
	load_root t4, t3
	ld	t3, SW_SSTATUS(t6)
	not	t2, t2
	and	t3, t3, t2
	sd	t3, SW_SSTATUS(t6)
	end_op

/* csrrs t3, sstatus, t3 */
	begin_op umbra_sw_sstatus_set
sw_sstatus_set:
	full_sstatus t4, t2
	or	t3, t3, t4
	j	sw_sstatus_commit

/* csrrc t3, sstatus, t3 */
	begin_op umbra_sw_sstatus_clear
sw_sstatus_clear:
	full_sstatus t4, t2
	not	t3, t3
	and	t3, t3, t4
	j	sw_sstatus_commit

/* csrrw t3, sstatus, t3 */
	begin_op umbra_sw_sstatus_swap
	full_sstatus t4, t2

/* t4 = old, t3 = new */
sw_sstatus_commit:
	xor	t2, t3, t4
	li	t4, SUM | MXR | VS
	and	t4, t4, t2
	bnez	t4, sw_sstatus_rare
	andi	t4, t3, SIE
	bnez	t4, 3f
sw_sstatus_fs:
	lui	t4, FS >> 12
	and	t4, t4, t2
	bnez	t4, 4f
2:	xor	t3, t3, t2			/* the old one */
	andi	t2, t2, SPP | SPIE | SIE
	ld	t4, SW_SSTATUS(t6)
	xor	t4, t4, t2
	sd	t4, SW_SSTATUS(t6)
	end_op
3:	ld	t4, SW_IRQ_PENDING(t6)
	beqz	t4, sw_sstatus_fs
	j	sw_bail_op
4:	ld	t4, SW_FPV_WRITABLE(t6)		/* VS stays what it was */
	csrc	sstatus, t4
	and	t4, t4, t3
	csrs	sstatus, t4
	j	2b

/*
 * MXR is another view.  With VS vector registers are saved or loaded (fpv.c):
 * while the guest runs, VS only ever goes up, by the hardware.
 */
sw_sstatus_rare:
	li	t4, MXR | VS
	and	t4, t4, t2
	bnez	t4, sw_bail_op
	andi	t4, t3, SIE
	beqz	t4, 1f
	ld	t4, SW_IRQ_PENDING(t6)
	bnez	t4, sw_bail_op
1:	slli	t4, t3, 63 - SUM_BIT
	bltz	t4, 2f
	ld	t4, SW_ROOT_S(t6)
	j	3f
2:	ld	t4, SW_ROOT_SUM(t6)
3:	beqz	t4, sw_bail_op
	sd	t3, SW_SC_SLOT(t6)
	load_root t4, t3
	ld	t3, SW_SSTATUS(t6)
	lui	t4, SUM >> 12
	xor	t3, t3, t4
	sd	t3, SW_SSTATUS(t6)
	ld	t3, SW_SC_SLOT(t6)
	j	sw_sstatus_fs

/* t4 = mstatus as vM reads it; clobbers t2. */
	.macro	full_mstatus
	full_sstatus t4, t2
	ld	t2, SW_M_STATUS(t6)
	or	t4, t4, t2
	.endm

/* csrrs t3, mstatus, t3 */
	begin_op umbra_sw_mstatus_set
	full_mstatus
	or	t3, t3, t4
	j	sw_mstatus_commit

/* csrrc t3, mstatus, t3 */
	begin_op umbra_sw_mstatus_clear
	full_mstatus
	not	t3, t3
	and	t3, t3, t4
	j	sw_mstatus_commit

/* csrrw t3, mstatus, t3 */
	begin_op umbra_sw_mstatus_swap
	full_mstatus

/*
 * t4 = old, t3 = new.  Here the bits that traps and returns stack may change, as
 * long as MPRV is 0 (MPP would choose another view) and nothing is pending.
 */
sw_mstatus_commit:
	xor	t2, t3, t4
	li	t4, ~(MPP | MPIE | MIE | SPP | SPIE | SIE)
	and	t4, t4, t2
	bnez	t4, sw_bail_op
	slli	t4, t3, 63 - MPRV_BIT
	bltz	t4, sw_bail_op
	srli	t4, t3, MPP_BIT
	andi	t4, t4, 3
	addi	t4, t4, -2
	beqz	t4, sw_bail_op			/* reserved */
	andi	t4, t3, MIE | SIE
	beqz	t4, 1f
	ld	t4, SW_IRQ_PENDING(t6)
	bnez	t4, sw_bail_op
1:	xor	t3, t3, t2			/* the old one */
	sd	t3, SW_SC_SLOT(t6)
	andi	t3, t2, SPP | SPIE | SIE
	ld	t4, SW_SSTATUS(t6)
	xor	t4, t4, t3
	sd	t4, SW_SSTATUS(t6)
	li	t3, MPP | MPIE | MIE
	and	t3, t3, t2
	ld	t4, SW_M_STATUS(t6)
	xor	t4, t4, t3
	sd	t4, SW_M_STATUS(t6)
	ld	t3, SW_SC_SLOT(t6)
	end_op

/* sret; as all that changes the pc it does not return to the entry */
	.globl	umbra_sw_sret
umbra_sw_sret:
	ld	t3, SW_SSTATUS(t6)
	andi	t5, t3, SPP
	bnez	t5, 3f
	ld	t5, SW_IRQ_PENDING(t6)
	bnez	t5, umbra_sw_bail
	ld	t5, SW_ROOT_U(t6)
	beqz	t5, umbra_sw_bail
	csrw	satp, t5
	view_fence t5
	count	SW_COUNT_SATP, t5
	sd	zero, SW_PRIV(t6)
	ld	t5, SW_VEC_U(t6)
	csrw	stvec, t5
	sd	t5, SW_TRAP_VA(t6)
	ld	t5, SW_ENVCFG_FLIP(t6)
	beqz	t5, 1f
	ld	t5, SW_ENVCFG_U(t6)
	csrw	SENVCFG, t5
1:	andi	t5, t3, SPIE
2:	srli	t5, t5, 4			/* SIE = SPIE, SPIE = 1, SPP = U */
	andi	t3, t3, ~(SPP | SPIE | SIE)
	or	t3, t3, t5
	ori	t3, t3, SPIE
	sd	t3, SW_SSTATUS(t6)
	ld	t4, SW_SEPC(t6)
sw_return_to:					/* t4, from a trap of the guest's */
	addi	t5, t6, SW_SC_SLOT		/* no reservation survives */
	sc.d	zero, zero, (t5)
	j	umbra_sw_done
3:	andi	t5, t3, SPIE
	beqz	t5, 2b
	ld	t5, SW_IRQ_PENDING(t6)
	beqz	t5, 1b
	j	umbra_sw_bail

/* mret, in vM; to vM itself C does it */
	begin_op umbra_sw_mret
	ld	t4, SW_IRQ_PENDING(t6)
	bnez	t4, sw_bail_op
	ld	t3, SW_M_STATUS(t6)
	srli	t4, t3, MPP_BIT
	andi	t4, t4, 3
	beqz	t4, 1f
	addi	t5, t4, -1
	bnez	t5, sw_bail_op
	ld	t2, SW_ROOT_PRIV_S(t6)
	beqz	t2, sw_bail_op
	ld	t5, SW_VEC_S(t6)
	csrw	stvec, t5
	sd	t5, SW_TRAP_VA(t6)
	ld	t5, SW_ENVCFG_S(t6)
	j	2f
1:	ld	t2, SW_ROOT_U(t6)
	beqz	t2, sw_bail_op
	ld	t5, SW_VEC_U(t6)
	csrw	stvec, t5
	sd	t5, SW_TRAP_VA(t6)
	ld	t5, SW_ENVCFG_U(t6)
2:	sd	t4, SW_PRIV(t6)
	ld	t4, SW_SALT_S(t6)
	sd	t4, SW_SALT(t6)
	csrw	satp, t2
	view_fence t4
	count	SW_COUNT_SATP, t4
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
	ld	t2, SW_GPR(7)(t6)
	ld	t4, SW_M_EPC(t6)
	j	sw_return_to

/* csrrw t3, stvec, t3: kernels that switch it at each trap from U-mode (xv6) */
	begin_op umbra_sw_stvec
	andi	t2, t3, 2
	bnez	t2, sw_bail_op			/* reserved */
	ld	t4, SW_STVEC(t6)
	sd	t3, SW_STVEC(t6)
	mv	t3, t4
	end_op

/* csrrs, csrrc and csrrw t3, sie, t3 */
	begin_op umbra_sw_sie_or
	ld	t4, SW_SIE(t6)
	or	t3, t3, t4
	j	sw_sie_commit

	begin_op umbra_sw_sie_andn
	ld	t4, SW_SIE(t6)
	not	t3, t3
	and	t3, t3, t4
	j	sw_sie_commit

	begin_op umbra_sw_sie_swap
sw_sie_commit:
	srli	t2, t3, LCOFI_BIT		/* the run loop knows whether it exists */
	andi	t2, t2, 1
	bnez	t2, sw_bail_op
	andi	t3, t3, IRQ_MASK
	ld	t2, SW_SIP(t6)
	and	t2, t2, t3
	beqz	t2, 1f
	ld	t4, SW_SSTATUS(t6)
	andi	t4, t4, SIE
	bnez	t4, sw_bail_op			/* it has to be delivered */
1:	sd	t2, SW_IRQ_PENDING(t6)
	ld	t4, SW_SIE(t6)
	sd	t3, SW_SIE(t6)
	mv	t3, t4
	end_op

/*
 * csrrw t3, stimecmp, t3.  If the hart's own stimecmp is not ours to use: later than
 * what the host's timer stands for.  It will go off early, and the run loop looks
 * again (timer_armed is 0 otherwise).  STIP falls at once if t3
 * lies in the future; the run loop learns it at the next world exit.
 */
	begin_op umbra_sw_stimecmp
	ld	t2, SW_TIMER_ARMED(t6)
	bltu	t3, t2, sw_bail_op
	ld	t2, SW_SIP(t6)
	andi	t2, t2, STI
	bnez	t2, 2f
1:	ld	t2, SW_TIMER_HW(t6)
	beqz	t2, 4f
	ld	t2, SW_HOST_STIMECMP(t6)
	bltu	t2, t3, 3f
	mv	t2, t3
3:	csrw	STIMECMP, t2
4:	ld	t4, SW_STIMECMP(t6)
	sd	t3, SW_STIMECMP(t6)
	mv	t3, t4
	end_op
2:	ld	t2, SW_SOFT_SIP(t6)		/* of M-mode's making: stays */
	andi	t2, t2, STI
	bnez	t2, sw_bail_op
	csrr	t2, time
	ld	t4, SW_TIME_OFFSET(t6)
	add	t2, t2, t4
	bgeu	t2, t3, sw_bail_op
	li	t2, STI
	sd	t2, SW_STIP_FELL(t6)
	ld	t2, SW_SIP(t6)
	andi	t2, t2, ~STI
	sd	t2, SW_SIP(t6)
	ld	t2, SW_IRQ_PENDING(t6)
	andi	t2, t2, ~STI
	sd	t2, SW_IRQ_PENDING(t6)
	j	1b

/*
 * csrrsi x0, sstatus, SIE with an interrupt pending: the instruction is done, and
 * the interrupt taken at the one behind it.  As umbra_cpu_trap().
 */
	.globl	umbra_sw_irq
umbra_sw_irq:
	csrw	sepc, t4
	ld	t5, SW_IRQ_PENDING(t6)
	li	t3, 9				/* external, software, timer */
	andi	t4, t5, SEI
	bnez	t4, 1f
	li	t3, 1
	andi	t4, t5, SSI
	bnez	t4, 1f
	li	t3, 5
	andi	t4, t5, STI
	bnez	t4, 1f
	csrr	t4, sepc
	j	umbra_sw_bail
1:	csrr	t4, sepc
	addi	t4, t4, 4
	sd	t4, SW_SEPC(t6)
	li	t4, 1
	slli	t4, t4, 63
	or	t4, t4, t3
	sd	t4, SW_SCAUSE(t6)
	sd	zero, SW_STVAL(t6)
	ld	t4, SW_SSTATUS(t6)
	andi	t4, t4, ~SIE
	ori	t4, t4, SPP | SPIE
	sd	t4, SW_SSTATUS(t6)
	ld	t4, SW_FAST_IRQS(t6)
	addi	t4, t4, 1
	sd	t4, SW_FAST_IRQS(t6)
	ld	t4, SW_STVEC(t6)
	andi	t5, t4, 1			/* vectored */
	andi	t4, t4, ~3
	beqz	t5, umbra_sw_done
	slli	t3, t3, 2
	add	t4, t4, t3
	j	umbra_sw_done

/* csrw satp, t3; this and what follows does not return, either */
	.globl	umbra_sw_satp_write
umbra_sw_satp_write:
	csrw	sepc, t4
	save_t6
	save_all
	mv	a1, t3
	call_fast umbra_sw_satp

/* sfence.vma, sinval.vma: the numbers of their registers are in t3 */
	.globl	umbra_sw_sfence
umbra_sw_sfence:
	csrw	sepc, t4
	save_t6
	save_all
	andi	a1, t3, 31
	srli	a2, t3, 5
	call_fast umbra_sw_fence

	.option	pop
