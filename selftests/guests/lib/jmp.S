/* SPDX-License-Identifier: GPL-2.0 */
/* Out of a trap, back to where jmp_set() was called. */
	.text
	/* int jmp_set(u64 buf[14]); void jmp_back(u64 buf[14]) */
	.globl	jmp_set
jmp_set:
	sd	ra, 0(a0)
	sd	sp, 8(a0)
	.irp	r, 0,1,2,3,4,5,6,7,8,9,10,11
	sd	s\r, 16 + \r * 8(a0)
	.endr
	li	a0, 0
	ret

	.globl	jmp_back
jmp_back:
	ld	ra, 0(a0)
	ld	sp, 8(a0)
	.irp	r, 0,1,2,3,4,5,6,7,8,9,10,11
	ld	s\r, 16 + \r * 8(a0)
	.endr
	li	a0, 1
	ret
