/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks that floating-point and vector registers keep their values while
 * others use them too. fp_round() and vector_round() fill all registers, wait
 * for some thousand instructions (being preempted now and then), and compare;
 * 0: all is as it was. logistic_round() computes what is known bit by bit.
 */
#ifndef FPCHECK_H
#define FPCHECK_H

#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define FP_ALL(op)							\
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10)	\
	op(11) op(12) op(13) op(14) op(15) op(16) op(17) op(18) op(19) op(20)	\
	op(21) op(22) op(23) op(24) op(25) op(26) op(27) op(28) op(29) op(30)	\
	op(31)

static inline u64 fp_mix(u64 z)
{
	z += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return z ^ (z >> 27);
}

#define FP_LOAD(n)	"fld f" #n ", 8*" #n "(%[in])\n"
#define FP_STORE(n)	"fsd f" #n ", 8*" #n "(%[out])\n"
#define FP_CLOBBER(n)	"f" #n,

static inline int fp_round(u64 seed, unsigned long spin)
{
	u64 in[32], out[32];
	unsigned long fcsr = seed % 5 << 5 | (seed >> 8) % 32, seen;

	for (int i = 0; i < 32; i++)
		in[i] = fp_mix(seed + i);
	asm volatile("fscsr %[fcsr]\n"
		     FP_ALL(FP_LOAD)
		     "1: addi %[spin], %[spin], -1\n"
		     "bnez %[spin], 1b\n"
		     FP_ALL(FP_STORE)
		     "frcsr %[seen]\n"
		     "fscsr zero\n"
		     : [spin] "+&r"(spin), [seen] "=&r"(seen)
		     : [in] "r"(in), [out] "r"(out), [fcsr] "r"(fcsr)
		     : FP_ALL(FP_CLOBBER) "memory");
	return memcmp(in, out, sizeof(in)) || seen != fcsr;
}

static inline int has_vector(void)
{
	return !!(getauxval(AT_HWCAP) & 1ul << ('v' - 'a'));
}

static inline int vector_round(u64 seed, unsigned long spin)
{
	static _Thread_local u64 in[32 * 128], out[32 * 128];
	unsigned long vlenb, vl = 3, vtype, vcsr = seed % 8, seen[3];

	asm volatile("csrr %0, vlenb" : "=r"(vlenb));
	if (vlenb > 1024)
		return 0;
	for (unsigned long i = 0; i < 4 * vlenb; i++)
		in[i] = fp_mix(seed ^ i);
	memset(out, 0, sizeof(out));
	asm volatile(".option push\n.option arch, +v\n"
		     "mv t0, %[in]\n slli t1, %[vlenb], 3\n"
		     "vl8r.v v0, (t0)\n add t0, t0, t1\n"
		     "vl8r.v v8, (t0)\n add t0, t0, t1\n"
		     "vl8r.v v16, (t0)\n add t0, t0, t1\n"
		     "vl8r.v v24, (t0)\n"
		     "vsetvli zero, %[vl], e16, m2, tu, mu\n"
		     "csrr %[vtype], vtype\n"
		     "csrw vcsr, %[vcsr]\n"
		     "1: addi %[spin], %[spin], -1\n"
		     "bnez %[spin], 1b\n"
		     "csrr %[s0], vl\n csrr %[s1], vtype\n csrr %[s2], vcsr\n"
		     "mv t0, %[out]\n"
		     "vs8r.v v0, (t0)\n add t0, t0, t1\n"
		     "vs8r.v v8, (t0)\n add t0, t0, t1\n"
		     "vs8r.v v16, (t0)\n add t0, t0, t1\n"
		     "vs8r.v v24, (t0)\n"
		     ".option pop\n"
		     : [spin] "+&r"(spin), [vtype] "=&r"(vtype),
		       [s0] "=&r"(seen[0]), [s1] "=&r"(seen[1]), [s2] "=&r"(seen[2])
		     : [in] "r"(in), [out] "r"(out), [vlenb] "r"(vlenb), [vl] "r"(vl),
		       [vcsr] "r"(vcsr)
		     : "t0", "t1", "memory");
	return memcmp(in, out, 32 * vlenb) || seen[0] != vl || seen[1] != vtype ||
	       seen[2] != vcsr;
}

/* x = 3.9 x (1 - x), 20000 times from 0.5: IEEE 754 leaves one result. */
static inline int logistic_round(void)
{
	volatile double start = 0.5;
	double x = start;
	u64 bits;

	for (int i = 0; i < 20000; i++) {
		volatile double y = 1.0 - x;
		volatile double z = 3.9 * x;

		x = z * y;
	}
	memcpy(&bits, &x, 8);
	return bits != 0x3fee90dd91a08ca2;
}

#endif
