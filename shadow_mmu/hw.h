/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the shadow MMU needs of the hart and C has no words for: atomics on
 * memory shared with the guest, fences, CSRs, and addresses of the switcher's
 * slot.
 *
 * Nothing here may call out of the switcher.  The native unit tests compile the
 * same sources for another machine: there hw_native.h does all this in a model
 * (selftests/unit/kernel).
 */
#ifndef UMBRA_HW_H
#define UMBRA_HW_H

#include <linux/types.h>

#ifdef __riscv

/* The memory at @va, an address in the switcher's slot. */
static inline void *hw_at(u64 va)
{
	return (void *)va;
}

static inline u32 hw_swap_acquire(u32 *at, u32 val)
{
	u32 was;

	asm volatile("amoswap.w.aq %0, %2, %1"
		     : "=r"(was), "+A"(*at) : "r"(val) : "memory");
	return was;
}

static inline void hw_clear_release(u32 *at)
{
	asm volatile("amoswap.w.rl zero, zero, %0" : "+A"(*at) : : "memory");
}

/* switch.c makes it one of everything where the hart cannot be trusted with less. */
#define HW_SELECTIVE_FENCE(operands)					\
	"1:	sfence.vma " operands "\n"				\
	"	.pushsection umbra.selective_fences, \"a\", @progbits\n"	\
	"	.8byte 1b\n"						\
	"	.popsection\n"

static inline void hw_fence_va(u64 va)
{
	asm volatile(HW_SELECTIVE_FENCE("%0, zero") : : "r"(va) : "memory");
}

static inline void hw_fence_all(void)
{
	asm volatile("sfence.vma" : : : "memory");
}

/* Of ASID 0 alone, without what is global: the switcher's own pages. */
static inline void hw_fence_asid_0(void)
{
	asm volatile(HW_SELECTIVE_FENCE("zero, %0") : : "r"(0L) : "memory");
}

#define hw_csr_set(csr, val) \
	asm volatile("csrw " #csr ", %0" : : "r"((u64)(val)) : "memory")

/*
 * If *@at == @old, store @new: once.  An SC that fails without a reason counts
 * as another value.
 */
static inline bool hw_cmpxchg_once(u64 *at, u64 old, u64 new)
{
	u64 was, fail;

	asm volatile("	lr.d.aqrl %0, %2\n"
		     "	li	%1, 1\n"
		     "	bne	%0, %3, 1f\n"
		     "	sc.d.aqrl %1, %4, %2\n"
		     "1:\n"
		     : "=&r"(was), "=&r"(fail), "+A"(*at)
		     : "r"(old), "r"(new)
		     : "memory");
	return !fail;
}

/*
 * The same, until it is decided.  The kernel's cmpxchg64() may be compiled to
 * amocas, which not every assembler that can build this module knows.
 */
static inline bool hw_cmpxchg(u64 *at, u64 old, u64 new)
{
	u64 was, fail;

	asm volatile("1:	lr.d.aqrl %0, %2\n"
		     "	bne	%0, %3, 2f\n"
		     "	sc.d.aqrl %1, %4, %2\n"
		     "	bnez	%1, 1b\n"
		     "2:\n"
		     : "=&r"(was), "=&r"(fail), "+A"(*at)
		     : "r"(old), "r"(new)
		     : "memory");
	return was == old;
}

#else
#include <hw_native.h>
#endif

#endif /* UMBRA_HW_H */
