/* SPDX-License-Identifier: GPL-2.0 */
/*
 * shadow_mmu/hw.h for the native tests: the hart is a model (../shadow_host.h).
 */
#ifndef UMBRA_UNIT_HW_NATIVE_H
#define UMBRA_UNIT_HW_NATIVE_H

#include "kernel.h"

/*
 * The memory at @va as the tables that are loaded map it for S-mode: writable,
 * read-only, or, where nothing is mapped, memory whose use faults.
 */
void *hw_at(u64 va);
void hw_fence_va(u64 va);
void hw_fence_all(void);
void hw_fence_asid_0(void);
void hw_csr_write(const char *csr, u64 val);
bool hw_cmpxchg_once(u64 *at, u64 old, u64 new);
bool hw_cmpxchg(u64 *at, u64 old, u64 new);

#define hw_csr_set(csr, val)	hw_csr_write(#csr, val)

static inline u32 hw_swap_acquire(u32 *at, u32 val)
{
	return __atomic_exchange_n(at, val, __ATOMIC_ACQUIRE);
}

static inline void hw_clear_release(u32 *at)
{
	__atomic_store_n(at, 0, __ATOMIC_RELEASE);
}

#endif /* UMBRA_UNIT_HW_NATIVE_H */
