/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SiFive test finisher, as on QEMU's `virt` machine ("sifive,test1",
 * "sifive,test0", "syscon"): one register, by which a guest ends itself.
 *
 * Pure and without state; finisher_dev.c acts on the verdict.
 */
#ifndef UMBRA_FINISHER_H
#define UMBRA_FINISHER_H

#include "../vmm_core/base.h"

#define UMBRA_FINISHER_SPAN	0x1000

enum umbra_finish {
	UMBRA_FINISH_NOT,	/* go on */
	UMBRA_FINISH_PASS,	/* power off, all is well */
	UMBRA_FINISH_FAIL,	/* power off with an exit code */
	UMBRA_FINISH_RESET,	/* start again */
};

bool umbra_finisher__legal(u32 offset, unsigned int len);
enum umbra_finish umbra_finisher__write(u32 offset, u32 val, u32 *code);

#endif /* UMBRA_FINISHER_H */
