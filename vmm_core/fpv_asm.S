/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Save and restore F, D and V registers; struct umbra_fp and struct umbra_v.
 * The caller has preemption off; sstatus.FS or VS is turned on for the time
 * and off again, as the kernel runs with both off.
 */
	.option	push
	.option	arch, +d

#define FS_DIRTY	0x6000
#define VS_DIRTY	0x600

#define FREGS		 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, \
			16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

	.text
/* void umbra_fp_save(struct umbra_fp *fp) */
	.globl	umbra_fp_save
	.type	umbra_fp_save, @function
umbra_fp_save:
	li	t0, FS_DIRTY
	csrs	sstatus, t0
	.irp	n, FREGS
	fsd	f\n, (8 * \n)(a0)
	.endr
	frcsr	t1
	sd	t1, 256(a0)
	csrc	sstatus, t0
	ret
	.size	umbra_fp_save, . - umbra_fp_save

/* void umbra_fp_restore(const struct umbra_fp *fp) */
	.globl	umbra_fp_restore
	.type	umbra_fp_restore, @function
umbra_fp_restore:
	li	t0, FS_DIRTY
	csrs	sstatus, t0
	.irp	n, FREGS
	fld	f\n, (8 * \n)(a0)
	.endr
	ld	t1, 256(a0)
	fscsr	t1
	csrc	sstatus, t0
	ret
	.size	umbra_fp_restore, . - umbra_fp_restore

	.option	arch, +v
/* void umbra_v_save(struct umbra_v *v) */
	.globl	umbra_v_save
	.type	umbra_v_save, @function
umbra_v_save:
	li	t0, VS_DIRTY
	csrs	sstatus, t0
	csrr	t1, vstart
	sd	t1, 0(a0)
	csrr	t1, vl
	sd	t1, 8(a0)
	csrr	t1, vtype
	sd	t1, 16(a0)
	csrr	t1, vcsr
	sd	t1, 24(a0)
	ld	t2, 40(a0)
	vsetvli	t1, zero, e8, m8, ta, ma
	vse8.v	v0, (t2)
	add	t2, t2, t1
	vse8.v	v8, (t2)
	add	t2, t2, t1
	vse8.v	v16, (t2)
	add	t2, t2, t1
	vse8.v	v24, (t2)
	csrc	sstatus, t0
	ret
	.size	umbra_v_save, . - umbra_v_save

/* void umbra_v_restore(const struct umbra_v *v) */
	.globl	umbra_v_restore
	.type	umbra_v_restore, @function
umbra_v_restore:
	li	t0, VS_DIRTY
	csrs	sstatus, t0
	ld	t2, 40(a0)
	vsetvli	t1, zero, e8, m8, ta, ma
	vle8.v	v0, (t2)
	add	t2, t2, t1
	vle8.v	v8, (t2)
	add	t2, t2, t1
	vle8.v	v16, (t2)
	add	t2, t2, t1
	vle8.v	v24, (t2)
	ld	t1, 8(a0)
	ld	t2, 16(a0)
	vsetvl	zero, t1, t2
	ld	t1, 24(a0)
	csrw	vcsr, t1
	ld	t1, 0(a0)
	csrw	vstart, t1
	csrc	sstatus, t0
	ret
	.size	umbra_v_restore, . - umbra_v_restore
	.option	pop
