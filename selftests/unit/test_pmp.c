// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vmm_core/pmp.c
/*
 * Physical memory protection against a slow oracle that was written from the
 * privileged specification, section 3.7, and shares nothing with pmp.c: it asks
 * every byte of an access which entry matches it, straight from the registers,
 * with NAPOT decoded bit by bit.
 */
#include "unit.h"
#include "../../vmm_core/pmp.h"

#define ENTRIES	16

/* --- the oracle ------------------------------------------------------------------ */

struct oracle {
	u8 cfg[ENTRIES];
	u64 addr[ENTRIES];
};

/* Does entry @i match the byte at @at? */
static bool oracle_match(const struct oracle *o, int i, u64 at)
{
	unsigned int mode = (o->cfg[i] >> 3) & 3;
	u64 word = at >> 2;
	int ones = 0;

	switch (mode) {
	case 0:
		return false;
	case 1:		/* pmpaddr[i-1] <= y < pmpaddr[i] */
		return (i == 0 || word >= o->addr[i - 1]) && word < o->addr[i];
	case 2:
		return word == o->addr[i];
	default:	/* yyyy0111: 8 << ones bytes */
		while (ones < 54 && (o->addr[i] >> ones) & 1)
			ones++;
		for (int bit = ones + 1; bit < 62; bit++)
			if (((word ^ o->addr[i]) >> bit) & 1)
				return false;
		return true;
	}
}

static int oracle_entry(const struct oracle *o, u64 at)
{
	for (int i = 0; i < ENTRIES; i++)
		if (oracle_match(o, i, at))
			return i;
	return -1;
}

/* Permissions of an access: the first entry that matches any byte decides. */
static unsigned int oracle_perm(const struct oracle *o, u64 addr,
				unsigned int len, bool machine)
{
	for (int i = 0; i < ENTRIES; i++) {
		unsigned int matched = 0;

		for (unsigned int b = 0; b < len; b++)
			matched += oracle_match(o, i, addr + b);
		if (!matched)
			continue;
		if (matched < len)
			return 0;
		if (machine && !(o->cfg[i] & 0x80))
			return 7;
		return o->cfg[i] & 7;
	}
	return machine ? 7 : 0;
}

static void oracle_write_cfg(struct oracle *o, int n, u64 val)
{
	for (int i = 8 * n; i < 8 * n + 8; i++, val >>= 8) {
		u8 cfg = val & 0x9f;

		if (o->cfg[i] & 0x80)
			continue;
		if ((cfg & 3) == 2)
			cfg -= 2;
		o->cfg[i] = cfg;
	}
}

static void oracle_write_addr(struct oracle *o, int i, u64 val)
{
	if (o->cfg[i] & 0x80)
		return;
	if (i < ENTRIES - 1 && (o->cfg[i + 1] & 0x98) == 0x88)
		return;
	o->addr[i] = val % (1ull << 54);
}

/* --- random registers --------------------------------------------------------------- */

static struct umbra_pmp pmp;
static struct oracle oracle;

/* All entries near each other, so that they overlap; sometimes far. */
static u64 base;

static u64 random_addr(void)
{
	u64 near = (base >> 2) + unit_rand_below(1 << (2 + unit_rand_below(14)));

	switch (unit_rand_below(8)) {
	case 0:
		return unit_rand();
	case 1:
		return ~0ull >> unit_rand_below(64);
	case 2:
	case 3:
		/* NAPOT of any size */
		return near | ((1ull << unit_rand_below(14)) - 1);
	default:
		return near;
	}
}

static void write_cfg(int n, u64 val)
{
	umbra_pmp_write_cfg(&pmp, n, val);
	oracle_write_cfg(&oracle, n, val);
}

static void write_addr(int i, u64 val)
{
	umbra_pmp_write_addr(&pmp, i, val);
	oracle_write_addr(&oracle, i, val);
}

static void compare_registers(void)
{
	for (int i = 0; i < ENTRIES; i++) {
		expect_eq(pmp.addr[i], oracle.addr[i]);
		expect_eq((umbra_pmp_read_cfg(&pmp, i / 8) >> (8 * (i % 8))) & 0xff,
			  oracle.cfg[i]);
	}
}

static void fresh(bool locks)
{
	memset(&pmp, 0, sizeof(pmp));
	memset(&oracle, 0, sizeof(oracle));
	base = 0x80000000ull + (unit_rand_below(1 << 20) << 12);
	for (int i = 0; i < ENTRIES; i++)
		if (unit_rand_below(3))
			write_addr(i, random_addr());
	for (int n = 0; n < 2; n++) {
		u64 val = unit_rand();

		if (unit_rand_below(2))
			val &= unit_rand();
		if (!locks)
			val &= 0x7f7f7f7f7f7f7f7full;
		write_cfg(n, val);
	}
}

static u64 random_target(void)
{
	int i = unit_rand_below(ENTRIES);

	switch (unit_rand_below(4)) {
	case 0:
		return unit_rand() >> 8;
	case 1:		/* about a boundary */
		return (oracle.addr[i] << 2) + unit_rand_below(17) - 8;
	default:
		return base + unit_rand_below(1 << 16);
	}
}

UNIT_TEST(access_against_oracle)
{
	for (int round = 0; round < 20000 && !unit.failures; round++) {
		fresh(round & 1);
		compare_registers();
		for (int j = 0; j < 20; j++) {
			u64 at = random_target();
			unsigned int len = 1 + unit_rand_below(16);
			bool machine = unit_rand() & 1;

			if (at + len < at)
				continue;
			if (umbra_pmp_perm(&pmp, at, len, machine) !=
			    oracle_perm(&oracle, at, len, machine))
				fail_test("%u bytes at %#llx, machine %d: %u, expected %u",
					  len, (unsigned long long)at, machine,
					  umbra_pmp_perm(&pmp, at, len, machine),
					  oracle_perm(&oracle, at, len, machine));
		}
	}
}

/* One entry for all of [first, first + 2^order)?  Word by word. */
static bool oracle_uniform(u64 first, unsigned int order)
{
	int entry = oracle_entry(&oracle, first);

	for (u64 off = 4; off < 1ull << order; off += 4)
		if (oracle_entry(&oracle, first + off) != entry)
			return false;
	return true;
}

UNIT_TEST(block_against_oracle)
{
	for (int round = 0; round < 6000 && !unit.failures; round++) {
		u64 at, first;
		unsigned int max = 2 + unit_rand_below(12), order, perm = ~0u;
		bool machine = unit_rand() & 1;

		fresh(round & 1);
		at = random_target() & ((1ull << 57) - 1);
		order = umbra_pmp_block(&pmp, at, machine, max, &perm);
		first = at >> order << order;
		require(order >= 2 && order <= max);
		expect_eq(perm, oracle_perm(&oracle, at & ~3ull, 4, machine));
		if (!oracle_uniform(first, order))
			fail_test("block of 2^%u at %#llx is not one", order,
				  (unsigned long long)first);
		if (order < max && oracle_uniform(at >> (order + 1) << (order + 1),
						  order + 1))
			fail_test("block at %#llx could be larger than 2^%u",
				  (unsigned long long)at, order);
	}
}

/* What write_*() return: false only where every answer stays the same. */
UNIT_TEST(changes_are_told)
{
	for (int round = 0; round < 20000 && !unit.failures; round++) {
		struct oracle before;
		bool told;

		fresh(false);
		before = oracle;
		if (unit_rand() & 1) {
			int i = unit_rand_below(ENTRIES);
			u64 val = unit_rand() & 3 ? random_addr() : oracle.addr[i];

			told = umbra_pmp_write_addr(&pmp, i, val);
			oracle_write_addr(&oracle, i, val);
		} else {
			u64 val = umbra_pmp_read_cfg(&pmp, 0);

			if (unit_rand() & 3)
				val ^= 1ull << unit_rand_below(64);
			told = umbra_pmp_write_cfg(&pmp, 0, val);
			oracle_write_cfg(&oracle, 0, val);
		}
		if (told)
			continue;
		for (int j = 0; j < 50; j++) {
			u64 at = random_target() & ~7ull;
			bool machine = unit_rand() & 1;

			expect_eq(oracle_perm(&before, at, 8, machine),
				  oracle_perm(&oracle, at, 8, machine));
		}
	}
}

UNIT_TEST(locks)
{
	for (int round = 0; round < 20000 && !unit.failures; round++) {
		fresh(true);
		for (int j = 0; j < 30; j++)
			if (unit_rand() & 1)
				write_addr(unit_rand_below(ENTRIES), random_addr());
			else
				write_cfg(unit_rand() & 1, unit_rand());
		compare_registers();
	}
}

/* A saved state comes back whatever is locked, in the order of a list. */
UNIT_TEST(load_restores)
{
	for (int round = 0; round < 2000 && !unit.failures; round++) {
		struct umbra_pmp saved;

		fresh(true);
		saved = pmp;
		fresh(true);
		umbra_pmp_load(&pmp, 0x3a0, umbra_pmp_read_cfg(&saved, 0));
		umbra_pmp_load(&pmp, 0x3a2, umbra_pmp_read_cfg(&saved, 1));
		for (int i = 0; i < ENTRIES; i++)
			umbra_pmp_load(&pmp, 0x3b0 + i, saved.addr[i]);
		expect_mem_eq(pmp.cfg, saved.cfg, sizeof(pmp.cfg));
		expect_mem_eq(pmp.addr, saved.addr, sizeof(pmp.addr));
		expect_eq(pmp.nr, saved.nr);
		expect_mem_eq(pmp.region, saved.region,
			      saved.nr * sizeof(saved.region[0]));
	}
}

/* The cases a reader would look for first, in plain numbers. */
UNIT_TEST(by_hand)
{
	unsigned int perm;

	memset(&pmp, 0, sizeof(pmp));
	/* Nothing set: M-mode may all, the others nothing. */
	expect_eq(umbra_pmp_perm(&pmp, 0x80000000, 8, true), 7);
	expect_eq(umbra_pmp_perm(&pmp, 0x80000000, 8, false), 0);

	/* xv6: one TOR entry over everything. */
	umbra_pmp_write_addr(&pmp, 0, 0x3fffffffffffff);
	umbra_pmp_write_cfg(&pmp, 0, 0xf);
	expect_eq(umbra_pmp_perm(&pmp, 0, 8, false), 7);
	expect_eq(umbra_pmp_perm(&pmp, 0x88000000, 8, false), 7);
	expect_eq(umbra_pmp_block(&pmp, 0x80000000, false, 30, &perm), 30);
	expect_eq(perm, 7);

	/* OpenSBI: its own 512 KiB locked away from S, all else open. */
	umbra_pmp_write_addr(&pmp, 0, 0x80000000 >> 2 | 0xffff);
	umbra_pmp_write_addr(&pmp, 1, ~0ull);
	umbra_pmp_write_cfg(&pmp, 0, 0x1f18);
	expect_eq(umbra_pmp_perm(&pmp, 0x8007fff8, 8, false), 0);
	expect_eq(umbra_pmp_perm(&pmp, 0x8007fff8, 8, true), 7);
	expect_eq(umbra_pmp_perm(&pmp, 0x80080000, 8, false), 7);
	/* A misaligned access over the boundary is denied, to M-mode as well. */
	expect_eq(umbra_pmp_perm(&pmp, 0x8007fffc, 8, true), 0);
	expect_eq(umbra_pmp_block(&pmp, 0x80001000, false, 30, &perm), 19);
	expect_eq(perm, 0);
	expect_eq(umbra_pmp_block(&pmp, 0x80200000, false, 30, &perm), 21);
	expect_eq(perm, 7);

	/* NA4, read-only and locked, binds M-mode. */
	umbra_pmp_write_addr(&pmp, 0, 0x80000010 >> 2);
	umbra_pmp_write_cfg(&pmp, 0, 0x1f91);
	expect_eq(umbra_pmp_perm(&pmp, 0x80000010, 4, true), 1);
	expect_eq(umbra_pmp_perm(&pmp, 0x80000010, 8, true), 0);
	expect_eq(umbra_pmp_perm(&pmp, 0x80000014, 4, true), 7);
	expect_eq(umbra_pmp_block(&pmp, 0x80000013, true, 12, &perm), 2);
	expect_eq(perm, 1);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
