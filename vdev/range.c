// SPDX-License-Identifier: GPL-2.0
/*
 * A sorted array of address ranges; see range.h for who calls it.
 */
#include "range.h"

/* Index of the first range that ends at or after @addr; @nr for none. */
static unsigned int lower_bound(const struct umbra_range *r, unsigned int nr,
				u64 addr)
{
	unsigned int lo = 0, hi = nr, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (r[mid].last < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/**
 * umbra_range__find() - the lowest range that overlaps [@base, @last]
 * @r: the ranges
 * @nr: how many
 * @base: first address
 * @last: last address
 *
 * Return: it, or NULL.
 */
const struct umbra_range *umbra_range__find(const struct umbra_range *r,
					    unsigned int nr, u64 base, u64 last)
{
	unsigned int i = lower_bound(r, nr, base);

	return i < nr && r[i].base <= last ? &r[i] : NULL;
}

/**
 * umbra_range__insert() - copy the ranges, with one more in its place
 * @to: room for @nr + 1 ranges, apart from @from
 * @from: the ranges
 * @nr: how many
 * @add: the one to add
 *
 * Return: 0, or -EEXIST when @add overlaps one of them; then @to is unchanged.
 */
int umbra_range__insert(struct umbra_range *to, const struct umbra_range *from,
			unsigned int nr, const struct umbra_range *add)
{
	unsigned int at = lower_bound(from, nr, add->base);
	unsigned int i;

	if (umbra_range__find(from, nr, add->base, add->last))
		return -EEXIST;

	for (i = 0; i < at; i++)
		to[i] = from[i];
	to[at] = *add;
	for (i = at; i < nr; i++)
		to[i + 1] = from[i];
	return 0;
}
