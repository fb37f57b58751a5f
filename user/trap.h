/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words for numbers: traps, exits and register names of the RISC-V manuals and
 * of the KVM ABI.  Pure C.
 */
#ifndef UMBRA_USER_TRAP_H
#define UMBRA_USER_TRAP_H

#include "util.h"

/* "load page fault" for scause 13; "supervisor timer interrupt"; "unknown". */
const char *scause_name(u64 scause);

/* "KVM_EXIT_MMIO" for 6; "unknown exit". */
const char *exit_reason_name(u32 reason);

/* ABI name of x0..x31. */
const char *gpr_name(unsigned int n);

#endif /* UMBRA_USER_TRAP_H */
