// SPDX-License-Identifier: GPL-2.0
/*
 * fpcheck - uses floating-point and vector registers all the time, and says
 * when one ever has a wrong value. On the board, beside a guest: the guest's
 * registers must not leak into a host task's.
 *
 *	fpcheck SECONDS MEGABYTES
 *
 * also writes and checks so much memory, over and over (0: none). Ends early,
 * and well, on SIGTERM. Prints one unnumbered TAP line.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "fpcheck.h"

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

int main(int argc, char **argv)
{
	unsigned long rounds = 0, fp = 0, vector = 0, math = 0, memory = 0, words, at = 0;
	time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
	u64 *mem = NULL, pass = 0;

	signal(SIGTERM, on_term);
	words = (argc > 2 ? strtoul(argv[2], NULL, 0) : 0) << 17;
	if (words) {
		mem = mmap(NULL, words * 8, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED) {
			printf("not ok fpcheck: no memory\n");
			return 1;
		}
	}
	for (; !stop && time(NULL) < end; rounds++) {
		u64 seed = fp_mix(rounds * 1000003 + getpid());

		fp += fp_round(seed, 20000);
		if (has_vector())
			vector += vector_round(seed, 20000);
		math += logistic_round();
		/* A megabyte a round. */
		for (unsigned long i = 0; words && i < 1ul << 17; i += 64, at += 64) {
			if (at >= words) {
				at = 0;
				pass++;
			}
			if (pass && mem[at] != fp_mix(at + pass - 1))
				memory++;
			mem[at] = fp_mix(at + pass);
		}
	}
	printf("%sok fpcheck: %lu rounds, wrong: FP %lu, vector %lu%s, computed %lu, memory %lu\n",
	       fp || vector || math || memory || !rounds ? "not " : "", rounds, fp,
	       vector, has_vector() ? "" : " (none here)", math, memory);
	return fp || vector || math || memory;
}
