/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entry from the SBI firmware, trap vectors, register file switch.
 *
 * The trap entry needs nothing but an identity mapping of the image: it parks
 * one register in sscratch (which tests therefore cannot expect to keep over a
 * trap), saves all registers to trap_frame and calls trap_c() on a stack of its
 * own. One hart only, and no nesting.
 */
#include "guest.h"

	.section .text.start, "ax"
	.globl	_start
_start:
	.option norelax
	csrw	sie, zero
	csrw	satp, zero
	la	t0, __bss_start
	la	t1, __bss_end
1:	bgeu	t0, t1, 2f
	sd	zero, 0(t0)
	addi	t0, t0, 8
	j	1b
2:	la	sp, __stack_top
	la	t0, trap_entry
	csrw	stvec, t0
	call	guest_main
3:	j	3b

	.text
	.option norelax

	/* Vectored mode: entry n of 64, each 4 bytes. */
	.balign	256
	.globl	trap_vectors
trap_vectors:
	.option push
	.option norvc
	.set	n, 0
	.rept	64
	j	trap_vector_0 + n * 32
	.set	n, n + 1
	.endr

	.balign	32
trap_vector_0:
	.set	n, 0
	.rept	64
	csrw	sscratch, t0
	la	t0, trap_frame
	sd	t1, 6 * 8(t0)
	li	t1, n
	sd	t1, CTX_VEC(t0)
	j	trap_vectored
	.balign	32
	.set	n, n + 1
	.endr
	.option pop

trap_vectored:
	ld	t1, 6 * 8(t0)
	j	trap_save

	.balign	4
	.globl	trap_entry
trap_entry:
	csrw	sscratch, t0
	la	t0, trap_frame
	sd	t1, 6 * 8(t0)
	li	t1, -1
	sd	t1, CTX_VEC(t0)
	ld	t1, 6 * 8(t0)
trap_save:
	.irp	r, 1,2,3,4,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\r, \r * 8(t0)
	.endr
	csrr	t1, sscratch
	sd	t1, 5 * 8(t0)
	csrr	t1, sepc
	sd	t1, CTX_PC(t0)
	csrr	t1, sstatus
	sd	t1, CTX_STATUS(t0)
	csrr	t1, scause
	sd	t1, CTX_CAUSE(t0)
	csrr	t1, stval
	sd	t1, CTX_TVAL(t0)
	la	sp, __trap_stack_top
	mv	a0, t0
	call	trap_c
	la	a0, trap_frame

	/* void ctx_enter(struct ctx *) */
	.globl	ctx_enter
ctx_enter:
	ld	t0, CTX_PC(a0)
	csrw	sepc, t0
	ld	t0, CTX_STATUS(a0)
	csrw	sstatus, t0
	.irp	r, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\r, \r * 8(a0)
	.endr
	ld	x10, 80(a0)
	sret
