/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A transmitter that guests may write to without leaving the switcher: what a
 * UART in the kernel (vdev/uart16550_dev.c) and the switcher (shadow_mmu/fast.c)
 * share, one per VM, in a page that each vCPU's switcher maps.
 *
 * Linux's console writes a character to THR when LSR says that it may: a verbose
 * boot does that some ten thousand times.  While the device is in a state where
 * neither does more than it says on the tin, it says so here, and the switcher
 * answers LSR and collects what goes to THR.  The device takes that over whenever
 * somebody looks at it, before anything else.
 */
#ifndef UMBRA_POST_H
#define UMBRA_POST_H

#include "base.h"

#define UMBRA_POST_BYTES	1024

/* Registers, from umbra_post.gpa. */
#define UMBRA_POST_THR		0
#define UMBRA_POST_LSR		5
#define UMBRA_POST_SPAN		8

/**
 * struct umbra_post - what the switcher may do for a UART
 * @busy: lock of all this.  Taken by the device for as long as it holds its own
 *	lock; the switcher, which cannot wait, leaves if it is taken
 * @lsr: what LSR reads as, without any effect; 0: the device has to be asked
 * @room: so many bytes may be collected; not 0 only while @lsr is not, and while
 *	somebody is going to look (a timer) or nobody ever will
 * @nr: so many are, <= @room
 * @gpa: where the registers are; constant once @lsr was set
 * @byte: the bytes
 */
struct umbra_post {
	u32 busy;
	u32 lsr;
	u32 room;
	u32 nr;
	u64 gpa;
	u8 byte[UMBRA_POST_BYTES];
};

#endif /* UMBRA_POST_H */
