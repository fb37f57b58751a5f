/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sorted array of address ranges that do not overlap: the MMIO bus's map.
 *
 * Pure.  bus.c publishes a new array for each change, so that lookups need no
 * lock; test_bus.c checks it natively.
 */
#ifndef UMBRA_RANGE_H
#define UMBRA_RANGE_H

#include "../vmm_core/base.h"

/**
 * struct umbra_range - one range and whose it is
 * @base: first address
 * @last: last address, >= @base; so a range may end at the top of the space
 * @owner: what lies there
 * @offset: what @base is to the owner
 */
struct umbra_range {
	u64 base;
	u64 last;
	void *owner;
	u32 offset;
};

const struct umbra_range *umbra_range__find(const struct umbra_range *r,
					    unsigned int nr, u64 base, u64 last);
int umbra_range__insert(struct umbra_range *to, const struct umbra_range *from,
			unsigned int nr, const struct umbra_range *add);

#endif /* UMBRA_RANGE_H */
