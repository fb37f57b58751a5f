/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of the switcher: the last object of its section in the order of
 * Kbuild.
 */
	.section .umbra.switcher, "ax", @progbits
	.globl	umbra_sw_end
umbra_sw_end:
