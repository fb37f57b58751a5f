/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entry from the reset vector in M-mode (a0 = hart, a1 = device tree), the trap
 * entries of M- and S-mode, and the way into code under test.
 *
 * A trap into M-mode ends whatever ran: all registers go to trap_frame, and
 * machine_trap() decides. MPRV is switched off before the first store; t0 waits
 * in sscratch and the vector's number in stval meanwhile, which tests therefore
 * cannot expect to keep.
 *
 * A trap into S-mode notes its CSRs in s_trap and goes on into M-mode by what
 * s_trap_exit holds: an ecall, or an ebreak where ecalls are delegated.
 */
#include "machine.h"

	.section .text.start, "ax"
	.globl	_start
_start:
	.option norelax
	csrw	mie, zero
	csrr	t0, mhartid
1:	bnez	t0, 1b
	la	t0, __bss_start
	la	t1, __bss_end
2:	bgeu	t0, t1, 3f
	sd	zero, 0(t0)
	addi	t0, t0, 8
	j	2b
3:	la	sp, __stack_top
	la	t0, machine_trap_entry
	csrw	mtvec, t0
	call	machine_main
4:	j	4b

	.text
	.option norelax

	/* Vectored mode: entry n, each 4 bytes. */
	.balign	256
	.globl	machine_trap_vectors, s_trap_vectors
	.option push
	.option norvc
machine_trap_vectors:
	.set	n, 0
	.rept	16
	j	machine_vector_0 + n * 16
	.set	n, n + 1
	.endr
	.balign	16
machine_vector_0:
	.set	n, 0
	.rept	16
	csrw	mscratch, a0
	li	a0, n
	j	machine_trap_note
	.balign	16
	.set	n, n + 1
	.endr
	.option pop

	.balign	4
	.globl	machine_trap_entry
machine_trap_entry:
	csrw	mscratch, a0
	li	a0, -1
machine_trap_note:
	csrw	stval, a0
	csrw	sscratch, t0
	li	t0, 0x20000			/* MPRV */
	csrrc	t0, mstatus, t0
	la	a0, trap_frame
	sd	t0, CTX_STATUS(a0)
	csrr	t0, sscratch
	.irp	r, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\r, \r * 8(a0)
	.endr
	csrr	t0, mscratch
	sd	t0, 10 * 8(a0)
	csrr	t0, mepc
	sd	t0, CTX_PC(a0)
	csrr	t0, mcause
	sd	t0, CTX_CAUSE(a0)
	csrr	t0, mtval
	sd	t0, CTX_TVAL(a0)
	csrr	t0, stval
	sd	t0, CTX_VEC(a0)
	la	sp, __trap_stack_top
	call	machine_trap

	/* void machine_enter(struct ctx *): mstatus as given, then mret */
	.globl	machine_enter
machine_enter:
	ld	t0, CTX_PC(a0)
	csrw	mepc, t0
	ld	t0, CTX_STATUS(a0)
	csrw	mstatus, t0
	.irp	r, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\r, \r * 8(a0)
	.endr
	ld	x10, 80(a0)
	mret

	/* Traps that are delegated; only identity-mapped memory is touched. */
	.balign	256
	.option push
	.option norvc
s_trap_vectors:
	.set	n, 0
	.rept	16
	j	s_vector_0 + n * 16
	.set	n, n + 1
	.endr
	.balign	16
s_vector_0:
	.set	n, 0
	.rept	16
	csrw	sscratch, t0
	li	t0, n
	j	s_trap_note
	.balign	16
	.set	n, n + 1
	.endr
	.option pop

	.balign	4
	.globl	s_trap_entry
s_trap_entry:
	csrw	sscratch, t0
	li	t0, -1
s_trap_note:
	la	t1, s_trap
	sd	t0, S_TRAP_VEC(t1)
	csrr	t0, scause
	sd	t0, S_TRAP_CAUSE(t1)
	csrr	t0, sepc
	sd	t0, S_TRAP_EPC(t1)
	csrr	t0, stval
	sd	t0, S_TRAP_TVAL(t1)
	csrr	t0, sstatus
	sd	t0, S_TRAP_STATUS(t1)
	li	t0, 1
	sd	t0, S_TRAP_TAKEN(t1)
	.globl	s_trap_exit_ebreak
	ld	t0, S_TRAP_BY_EBREAK(t1)
	bnez	t0, s_trap_exit_ebreak
	.option push
	.option norvc
	.globl	s_trap_exit_ecall
s_trap_exit_ecall:
	ecall
s_trap_exit_ebreak:
	ebreak
	.option pop

	/* Where a called function returns to, in any mode. */
	.globl	call_done
	.balign	4
call_done:
	.option push
	.option norvc
	ecall
	.option pop

	/*
	 * u64 mprv_access(fn, a0, a1, mstatus bits): the function runs with MPRV and
	 * the other bits set; they are what it was before at the end.
	 */
	.globl	mprv_access
mprv_access:
	mv	t3, a0
	mv	a0, a1
	mv	a1, a2
	mv	t4, ra
	csrr	t5, mstatus
	csrw	mstatus, a3
	jalr	t3
	csrw	mstatus, t5
	mv	ra, t4
	ret

	/* void do_mret(mstatus, target); void do_sret(mstatus, target): in M-mode */
	.globl	do_mret, do_sret
do_mret:
	csrw	mepc, a1
	csrw	mstatus, a0
	mret
do_sret:
	csrw	sepc, a1
	csrw	mstatus, a0
	sret

	/* One trapping instruction each; fine at any address and in any mode. */
	.section .text_user, "ax"
	.option norvc
	.balign	4096
	.macro	mcode name insn:vararg
	.globl	\name
\name:	\insn
	ecall
	.endm
	mcode	x_ecall, ecall
	mcode	x_ebreak, ebreak
	mcode	x_illegal, .word 0xffffffff
	mcode	x_nop, nop
	mcode	x_mret, mret
	mcode	x_sret, sret
	mcode	x_wfi, wfi
	mcode	x_sfence, sfence.vma
	mcode	x_satp_read, csrr a0, satp
	mcode	x_satp_write, csrw satp, a0
	mcode	x_mscratch, csrr a0, mscratch
	mcode	x_mstatus, csrr a0, mstatus
	mcode	x_rdtime, rdtime a0
	mcode	x_rdcycle, rdcycle a0
	mcode	x_rdinstret, rdinstret a0
	mcode	x_stimecmp, csrr a0, 0x14d
	mcode	x_set_stimecmp, csrw 0x14d, a0
	.globl	x_spin
x_spin:	j	x_spin
