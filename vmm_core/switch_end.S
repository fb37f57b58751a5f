/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of the switcher: the last object of its section in the order of
 * Kbuild.
 */
	.section .umbra.switcher, "ax", @progbits
	.globl	umbra_sw_end
umbra_sw_end:

/* ... and of its lists. */
	.section umbra.view_fences, "a", @progbits
	.globl	umbra_view_fences_end
umbra_view_fences_end:
	.section umbra.selective_fences, "a", @progbits
	.globl	umbra_selective_fences_end
umbra_selective_fences_end:
