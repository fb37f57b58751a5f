/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One access each, at the function's first instruction and never compressed, so
 * that a test knows what sepc has to be. do_*: called in S-mode; u_*: ends with
 * an ecall, for U-mode.
 */
#include "guest.h"

	.text
	.option norvc
	.option norelax
	.option arch, +d

	.macro	load op
	.globl	do_\op
do_\op:	\op	a0, 0(a0)
	ret
	.endm
	.irp	op, lb, lbu, lh, lhu, lw, lwu, ld
	load	\op
	.endr

	.macro	store op
	.globl	do_\op
do_\op:	\op	a1, 0(a0)
	ret
	.endm
	.irp	op, sb, sh, sw, sd
	store	\op
	.endr

	/* FP forms move the raw bits from and to a0/a1; FS must be on. */
	.globl	do_flw, do_fld, do_fsw, do_fsd
do_flw:	flw	f0, 0(a0)
	fmv.x.w	a0, f0
	ret
do_fld:	fld	f0, 0(a0)
	fmv.x.d	a0, f0
	ret
	fmv.d.x	f0, a1
do_fsw:	fsw	f0, 0(a0)
	ret
do_fsd:	fsd	f0, 0(a0)
	ret

	.macro	amo op
	.globl	do_\op\()_w, do_\op\()_d
do_\op\()_w:
	\op\().w a0, a1, (a0)
	ret
do_\op\()_d:
	\op\().d a0, a1, (a0)
	ret
	.endm
	.irp	op, amoadd, amoswap, amoand, amoor, amoxor, amomin, amomax, amominu, amomaxu
	amo	\op
	.endr

	.globl	do_lr_w, do_lr_d, do_sc_w, do_sc_d
do_lr_w:
	lr.w	a0, (a0)
	ret
do_lr_d:
	lr.d	a0, (a0)
	ret
do_sc_w:
	sc.w	a0, a1, (a0)
	ret
do_sc_d:
	sc.d	a0, a1, (a0)
	ret

	.globl	do_jump
do_jump:
	jr	a0

	.section .text_user, "ax"
	.balign	4096
	.macro	ucode name insn:vararg
	.globl	\name
\name:	\insn
	ecall
	.endm
	ucode	u_lb, lb a0, 0(a0)
	ucode	u_lw, lw a0, 0(a0)
	ucode	u_ld, ld a0, 0(a0)
	ucode	u_sb, sb a1, 0(a0)
	ucode	u_sw, sw a1, 0(a0)
	ucode	u_sd, sd a1, 0(a0)
	ucode	u_amoadd_w, amoadd.w a0, a1, (a0)
	ucode	u_lr_w, lr.w a0, (a0)
	ucode	u_jump, jr a0
	.globl	u_ecall, u_spin
u_ecall:
	ecall
u_spin:	j	u_spin
