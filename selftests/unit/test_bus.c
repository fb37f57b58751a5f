// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/range.c
/*
 * The map of the MMIO bus: where devices lie, and that they never overlap; by
 * hand at the ends of the address space, at random against a linear search.
 */
#include "unit.h"
#include "../../vdev/range.h"

#define MAX	32

static struct umbra_range map[MAX], next[MAX];
static unsigned int nr;

static int add(u64 base, u64 last)
{
	struct umbra_range r = { .base = base, .last = last };
	int ret = umbra_range__insert(next, map, nr, &r);

	if (!ret)
		memcpy(map, next, ++nr * sizeof(map[0]));
	return ret;
}

/* Base of the lowest range that overlaps, or 1 (all bases are even). */
static u64 find(u64 base, u64 last)
{
	const struct umbra_range *r = umbra_range__find(map, nr, base, last);

	return r ? r->base : 1;
}

UNIT_TEST(empty)
{
	nr = 0;
	expect_eq(find(0, ~0ull), 1);
	expect(!umbra_range__find(NULL, 0, 0, 0));
}

UNIT_TEST(neighbours)
{
	nr = 0;
	expect_eq(add(0x1000, 0x1fff), 0);
	expect_eq(add(0x3000, 0x3fff), 0);
	expect_eq(add(0x2000, 0x2fff), 0);
	expect_eq(find(0x0fff, 0x0fff), 1);
	expect_eq(find(0x1000, 0x1000), 0x1000);
	expect_eq(find(0x1fff, 0x2000), 0x1000);
	expect_eq(find(0x2fff, 0x2fff), 0x2000);
	expect_eq(find(0x3000, ~0ull), 0x3000);
	expect_eq(find(0x4000, ~0ull), 1);
	expect_eq(add(0x1fff, 0x1fff), -EEXIST);
	expect_eq(add(0x0000, 0x1000), -EEXIST);
	expect_eq(add(0x0000, ~0ull), -EEXIST);
	expect_eq(nr, 3);
}

UNIT_TEST(ends_of_the_space)
{
	nr = 0;
	expect_eq(add(0, 0), 0);
	expect_eq(add(~0ull - 1, ~0ull), 0);
	expect_eq(find(0, 0), 0);
	expect_eq(find(~0ull, ~0ull), ~0ull - 1);
	expect_eq(find(1, ~0ull - 2), 1);
	expect_eq(add(~0ull, ~0ull), -EEXIST);
	expect_eq(add(2, ~0ull - 2), 0);
	expect_eq(nr, 3);
}

static bool linear(u64 base, u64 last, u64 *lowest)
{
	bool hit = false;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (last < map[i].base || base > map[i].last)
			continue;
		if (!hit || map[i].base < *lowest)
			*lowest = map[i].base;
		hit = true;
	}
	return hit;
}

UNIT_TEST(random_against_linear_search)
{
	unsigned int run, i;
	u64 base, last, want;
	bool hit;

	for (run = 0; run < 20000; run++) {
		if (run % 100 == 0)
			nr = 0;
		base = unit_rand_below(512) * 2;
		last = base + unit_rand_below(48);
		want = 1;
		hit = linear(base, last, &want);
		expect_eq(find(base, last), want);
		if (nr < MAX)
			expect_eq(add(base, last), hit ? -EEXIST : 0);
		for (i = 1; i < nr; i++)
			expect(map[i - 1].last < map[i].base);
	}
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
