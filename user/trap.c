// SPDX-License-Identifier: GPL-2.0
/*
 * Words for numbers; see trap.h.
 */
#include <linux/kvm.h>

#include "trap.h"
#include "util.h"

static const char *const exceptions[] = {
	[0]  = "instruction address misaligned",
	[1]  = "instruction access fault",
	[2]  = "illegal instruction",
	[3]  = "breakpoint",
	[4]  = "load address misaligned",
	[5]  = "load access fault",
	[6]  = "store address misaligned",
	[7]  = "store access fault",
	[8]  = "ecall from U-mode",
	[9]  = "ecall from S-mode",
	[12] = "instruction page fault",
	[13] = "load page fault",
	[15] = "store page fault",
	[18] = "software check",
	[19] = "hardware error",
};

static const char *const interrupts[] = {
	[1]  = "supervisor software interrupt",
	[5]  = "supervisor timer interrupt",
	[9]  = "supervisor external interrupt",
	[13] = "counter overflow interrupt",
};

const char *scause_name(u64 scause)
{
	u64 code = scause & ~(1ULL << 63);
	const char *name = NULL;

	if (scause >> 63) {
		if (code < ARRAY_SIZE(interrupts))
			name = interrupts[code];
	} else if (code < ARRAY_SIZE(exceptions)) {
		name = exceptions[code];
	}
	return name ? name : "unknown";
}

/* A table's row named after its index. */
#define NAME(x)	[(x)] = #x

static const char *const exits[] = {
	NAME(KVM_EXIT_UNKNOWN),
	NAME(KVM_EXIT_EXCEPTION),
	NAME(KVM_EXIT_IO),
	NAME(KVM_EXIT_HYPERCALL),
	NAME(KVM_EXIT_DEBUG),
	NAME(KVM_EXIT_HLT),
	NAME(KVM_EXIT_MMIO),
	NAME(KVM_EXIT_IRQ_WINDOW_OPEN),
	NAME(KVM_EXIT_SHUTDOWN),
	NAME(KVM_EXIT_FAIL_ENTRY),
	NAME(KVM_EXIT_INTR),
	NAME(KVM_EXIT_INTERNAL_ERROR),
	NAME(KVM_EXIT_SYSTEM_EVENT),
	NAME(KVM_EXIT_RISCV_SBI),
	NAME(KVM_EXIT_RISCV_CSR),
};

#undef NAME

const char *exit_reason_name(u32 reason)
{
	if (reason < ARRAY_SIZE(exits) && exits[reason])
		return exits[reason];
	return "unknown exit";
}

const char *gpr_name(unsigned int n)
{
	static const char *const names[32] = {
		"zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2",
		"s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
		"a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7",
		"s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
	};

	return n < ARRAY_SIZE(names) ? names[n] : "?";
}
