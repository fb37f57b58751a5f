/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ground that pure code stands on.
 *
 * Files that need no kernel (decoder, CSR file, privilege rules, page-table
 * walker, device register files) include this header and nothing of Linux, so
 * that the same source compiles into umbra.ko and into the native unit tests.
 */
#ifndef UMBRA_BASE_H
#define UMBRA_BASE_H

#ifdef __KERNEL__
#include <asm/barrier.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK(h, l)		(((~0UL) << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l)	GENMASK(h, l)
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define container_of(p, t, m)	((t *)((char *)(p) - offsetof(t, m)))
#define static_assert		_Static_assert
#define fallthrough		__attribute__((__fallthrough__))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define U32_MAX			((u32)~0U)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)	/* the kernel's */
#define smp_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)	/* likewise */
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)	/* likewise */
#endif

#endif /* UMBRA_BASE_H */
