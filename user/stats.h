/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's counters, by vCPU: for `umbra run --stats` and `umbra stats`.
 */
#ifndef UMBRA_USER_STATS_H
#define UMBRA_USER_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct vm;

#define STATS_MAX	256	/* counters of a vCPU */
#define STATS_NAME	64	/* longest name, with its end */

/* What one statistics file holds. */
struct stats {
	char id[STATS_NAME];	/* umbra-PID/vcpu-N */
	unsigned int nr;
	struct {
		char name[STATS_NAME];
		uint64_t value;
	} counter[STATS_MAX];
};

/* Read the file that KVM_GET_STATS_FD gave. */
bool stats_read(int fd, struct stats *stats);

/*
 * Append every vCPU's counters to @path, a line "VCPU\tNAME\tVALUE" each.
 * A status, said.
 */
int stats_write(const struct vm *vm, const char *path);

#endif /* UMBRA_USER_STATS_H */
