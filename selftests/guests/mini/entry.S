/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What has to be assembly: see mini.h.
 */
#include "mini.h"

	.macro	for_saved op base		/* what a function keeps */
	\op	ra, 0(\base)
	\op	sp, 8(\base)
	\op	s0, 16(\base)
	\op	s1, 24(\base)
	\op	s2, 32(\base)
	\op	s3, 40(\base)
	\op	s4, 48(\base)
	\op	s5, 56(\base)
	\op	s6, 64(\base)
	\op	s7, 72(\base)
	\op	s8, 80(\base)
	\op	s9, 88(\base)
	\op	s10, 96(\base)
	\op	s11, 104(\base)
	.endm

	/* M-mode, all harts at once; a0 = hart, a1 = device tree. */
	.section .text.start, "ax"
	.option	norelax
	.globl	_start
_start:
	li	t0, HARTS
	bgeu	a0, t0, 1f
	la	sp, start_stacks
	addi	t0, a0, 1
	slli	t0, t0, 12
	add	sp, sp, t0
	mv	tp, a0
	call	start
1:	j	1b

	.text
	/*
	 * M-mode's timer interrupt: ask for the next one, and tell S-mode of
	 * this one by a software interrupt.
	 */
	.balign	4
	.globl	timer_vec
timer_vec:
	csrrw	a0, mscratch, a0
	sd	a1, 0(a0)
	sd	a2, 8(a0)
	sd	a3, 16(a0)
	li	a1, MTIME
	ld	a3, 0(a1)
	ld	a2, TS_INTERVAL(a0)
	ld	a1, TS_MTIMECMP(a0)
	add	a3, a3, a2
	sd	a3, 0(a1)
	li	a1, 2
	csrs	mip, a1
	ld	a3, 16(a0)
	ld	a2, 8(a0)
	ld	a1, 0(a0)
	csrrw	a0, mscratch, a0
	mret

	/* Interrupts of the idle loop, and the fault of probe(). */
	.balign	4
	.globl	kernel_vec
kernel_vec:
	addi	sp, sp, -128
	sd	ra, 0(sp)
	sd	t0, 8(sp)
	sd	t1, 16(sp)
	sd	t2, 24(sp)
	sd	t3, 32(sp)
	sd	t4, 40(sp)
	sd	t5, 48(sp)
	sd	t6, 56(sp)
	sd	a0, 64(sp)
	sd	a1, 72(sp)
	sd	a2, 80(sp)
	sd	a3, 88(sp)
	sd	a4, 96(sp)
	sd	a5, 104(sp)
	sd	a6, 112(sp)
	sd	a7, 120(sp)
	csrr	a0, sepc
	call	kernel_trap
	csrw	sepc, a0
	ld	ra, 0(sp)
	ld	t0, 8(sp)
	ld	t1, 16(sp)
	ld	t2, 24(sp)
	ld	t3, 32(sp)
	ld	t4, 40(sp)
	ld	t5, 48(sp)
	ld	t6, 56(sp)
	ld	a0, 64(sp)
	ld	a1, 72(sp)
	ld	a2, 80(sp)
	ld	a3, 88(sp)
	ld	a4, 96(sp)
	ld	a5, 104(sp)
	ld	a6, 112(sp)
	ld	a7, 120(sp)
	addi	sp, sp, 128
	sret

	.globl	probe, probe_load, probe_recover
probe:
probe_load:
	ld	a0, 0(a0)
	li	a0, 0
	ret
probe_recover:
	csrr	a0, scause
	ret

	.globl	swtch
swtch:
	for_saved sd a0
	for_saved ld a1
	ret

	/* ---- the page that all address spaces have ---- */

	.section .text.trampoline, "ax"
	.balign	4096
	.globl	trampoline, user_vec, user_ret
trampoline:
user_vec:					/* stvec while U-mode runs */
	csrw	sscratch, a0
	li	a0, TRAPFRAME
	.irp	r, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\r, \r * 8(a0)
	.endr
	csrr	t0, sscratch
	sd	t0, 10 * 8(a0)
	ld	sp, TF_KERNEL_SP(a0)
	ld	tp, TF_HART(a0)
	ld	t0, TF_KERNEL_TRAP(a0)
	ld	t1, TF_KERNEL_SATP(a0)
	sfence.vma
	csrw	satp, t1
	sfence.vma
	jr	t0

user_ret:					/* (satp) */
	sfence.vma
	csrw	satp, a0
	sfence.vma
	li	a0, TRAPFRAME
	.irp	r, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\r, \r * 8(a0)
	.endr
	ld	a0, 10 * 8(a0)
	sret
	.balign	4096

	.section .bss.stacks, "aw", @nobits
	.balign	4096
start_stacks:
	.skip	4096 * HARTS
