// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/aclint.c
/*
 * The ACLINT: software interrupts, the timer's comparison and its halves, time
 * set by the guest, and at random against a model.
 */
#include "unit.h"
#include "../../vdev/aclint.h"

#define MSIP(h)		((h) * 4)
#define MTIMECMP(h)	(0x4000 + (h) * 8)
#define MTIME		0xbff8

#define NEVER		UMBRA_ACLINT_NEVER

static struct umbra_aclint *a;
static u64 now;
static bool msip[UMBRA_ACLINT_MAX_HARTS], mtip[UMBRA_ACLINT_MAX_HARTS];
static u64 timer[UMBRA_ACLINT_MAX_HARTS];
static unsigned int ssip[UMBRA_ACLINT_MAX_HARTS];
static unsigned long timer_calls;

static void set_msip(void *opaque, u32 hart, bool level)
{
	expect(opaque == &a);
	/* Told of changes only. */
	expect(msip[hart] != level);
	msip[hart] = level;
}

static void set_mtip(void *opaque, u32 hart, bool level)
{
	expect(opaque == &a);
	expect(mtip[hart] != level);
	mtip[hart] = level;
}

static void set_timer(void *opaque, u32 hart, u64 wait)
{
	/* Never at once: a pin that is due is up already. */
	expect(opaque == &a && wait);
	timer[hart] = wait;
	timer_calls++;
}

static void raise_ssip(void *opaque, u32 hart)
{
	expect(opaque == &a);
	ssip[hart]++;
}

static const struct umbra_aclint_ops ops = {
	.set_msip = set_msip,
	.set_mtip = set_mtip,
	.set_timer = set_timer,
	.raise_ssip = raise_ssip,
};

static void start(u32 harts)
{
	free(a);
	/* Exactly as much as it asks for: a sanitizer sees one byte more. */
	a = malloc(umbra_aclint__bytes(harts));
	memset(msip, 0, sizeof(msip));
	memset(mtip, 0, sizeof(mtip));
	memset(ssip, 0, sizeof(ssip));
	for (u32 i = 0; i < UMBRA_ACLINT_MAX_HARTS; i++)
		timer[i] = NEVER;
	timer_calls = 0;
	now = 1000000;
	require_eq(umbra_aclint__init(a, harts, &ops, &a), 0);
}

static u64 rd(u32 offset, unsigned int len)
{
	return umbra_aclint__read(a, offset, len, now);
}

/* As the owner does it: a new time reaches every hart. */
static void wr(u32 offset, unsigned int len, u64 val)
{
	u64 time;

	if (!umbra_aclint__write(a, offset, len, val, now, &time))
		return;
	now = time;
	for (u32 i = 0; i < a->harts; i++)
		umbra_aclint__tick(a, i, now);
}

UNIT_TEST(limits)
{
	start(1);
	expect_eq(umbra_aclint__init(a, 0, &ops, 0), -EINVAL);
	expect_eq(umbra_aclint__init(a, 1025, &ops, 0), -EINVAL);
	start(1024);
	wr(MTIMECMP(1023), 8, 0);
	expect(mtip[1023]);
	wr(MSIP(1023), 4, 1);
	expect(msip[1023]);
	/* The last harts' registers are inside what comes next, by a wide margin. */
	expect(MSIP(1024) <= 0x4000 && MTIMECMP(1024) <= MTIME);
	expect_eq(UMBRA_ACLINT_SPAN, MTIME + 8);
}

UNIT_TEST(power_on)
{
	start(2);
	expect_eq(rd(MSIP(0), 4), 0);
	expect_eq(rd(MTIMECMP(1), 8), ~0ull);
	expect_eq(rd(MTIME, 8), 1000000);
	for (u32 i = 0; i < 2; i++)
		umbra_aclint__tick(a, i, now);
	expect(!mtip[0] && !mtip[1]);
}

UNIT_TEST(legal_accesses)
{
	static const u32 at[] = { 0, 4, 0x3ff8, 0x4000, 0x4008, 0xbff8 };

	for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
		expect(umbra_aclint__legal(at[i], 4));
		expect_eq(umbra_aclint__legal(at[i], 8), at[i] >= 0x4000);
		expect(!umbra_aclint__legal(at[i], 1));
		expect(!umbra_aclint__legal(at[i], 2));
	}
}

UNIT_TEST(msip_is_one_bit)
{
	start(2);
	wr(MSIP(1), 4, 0xffffffff);
	expect(msip[1] && !msip[0]);
	expect_eq(rd(MSIP(1), 4), 1);
	wr(MSIP(1), 4, 0xfffffffe);
	expect(!msip[1]);
	expect_eq(rd(MSIP(1), 4), 0);
	/* A hart that is not there. */
	wr(MSIP(2), 4, 1);
	expect_eq(rd(MSIP(2), 4), 0);
}

UNIT_TEST(timer_goes_off)
{
	start(2);
	wr(MTIMECMP(0), 8, now + 500);
	expect(!mtip[0]);
	expect_eq(timer[0], 500);
	expect_eq(timer[1], NEVER);
	/* Early: it asks again for the rest. */
	now += 499;
	umbra_aclint__tick(a, 0, now);
	expect(!mtip[0]);
	expect_eq(timer[0], 1);
	now++;
	umbra_aclint__tick(a, 0, now);
	expect(mtip[0] && !mtip[1]);
	expect_eq(timer[0], NEVER);
	/* It stays so, without a timer, until mtimecmp is written. */
	now += 1ull << 40;
	umbra_aclint__tick(a, 0, now);
	expect(mtip[0]);
	expect_eq(timer[0], NEVER);
	wr(MTIMECMP(0), 8, now + 7);
	expect(!mtip[0]);
	expect_eq(timer[0], 7);
	wr(MTIMECMP(0), 8, ~0ull);
	expect(!mtip[0]);
	expect_eq(timer[0], ~0ull - now);
}

UNIT_TEST(the_past_holds_the_pin)
{
	start(1);
	for (int i = 0; i < 1000; i++)
		wr(MTIMECMP(0), 8, unit_rand_below(now + 1));
	expect(mtip[0]);
	expect_eq(timer[0], NEVER);
	wr(MTIMECMP(0), 8, now + 1);
	expect(!mtip[0]);
	wr(MTIMECMP(0), 8, 0);
	expect(mtip[0]);
}

/* The order that the privileged specification tells RV32 to write in. */
UNIT_TEST(mtimecmp_by_halves)
{
	u64 cmp = 0x1200000034ull;

	start(1);
	now = 0x1100000000ull;
	wr(MTIMECMP(0), 4, ~0u);
	expect(!mtip[0]);
	wr(MTIMECMP(0) + 4, 4, cmp >> 32);
	expect(!mtip[0]);
	wr(MTIMECMP(0), 4, cmp);
	expect_eq(rd(MTIMECMP(0), 8), cmp);
	expect_eq(rd(MTIMECMP(0), 4), 0x34);
	expect_eq(rd(MTIMECMP(0) + 4, 4), 0x12);
	expect_eq(timer[0], cmp - now);
	/* A value whose upper bits were not masked off. */
	wr(MTIMECMP(0), 4, 0xffffffff00000005ull);
	expect_eq(rd(MTIMECMP(0), 8), 0x1200000005ull);
}

UNIT_TEST(the_guest_sets_the_time)
{
	start(2);
	wr(MTIMECMP(0), 8, 100);
	wr(MTIMECMP(1), 8, 5000);
	expect(mtip[0] && mtip[1]);
	wr(MTIME, 8, 0);
	expect_eq(now, 0);
	expect(!mtip[0] && !mtip[1]);
	expect_eq(timer[0], 100);
	expect_eq(timer[1], 5000);
	wr(MTIME, 4, 100);
	expect(mtip[0] && !mtip[1]);
	wr(MTIME + 4, 4, 0x11223344);
	expect_eq(now, 0x1122334400000064ull);
	expect(mtip[1]);
	expect_eq(rd(MTIME, 8), now);
	expect_eq(rd(MTIME, 4), 0x64);
	expect_eq(rd(MTIME + 4, 4), 0x11223344);
	/* To the end, and over it. */
	wr(MTIME, 8, ~0ull);
	expect(mtip[0] && mtip[1]);
	now++;
	umbra_aclint__tick(a, 0, now);
	expect(!mtip[0]);
	expect_eq(timer[0], 100);
}

UNIT_TEST(sswi)
{
	start(3);
	umbra_aclint__sswi_write(a, 4, 1);
	umbra_aclint__sswi_write(a, 4, 0xffffffff);
	umbra_aclint__sswi_write(a, 8, 0xfffffffe);
	umbra_aclint__sswi_write(a, 0, 0);
	umbra_aclint__sswi_write(a, 12, 1);
	umbra_aclint__sswi_write(a, 0x3ffc, 1);
	expect_eq(ssip[0], 0);
	expect_eq(ssip[1], 2);
	expect_eq(ssip[2], 0);
	expect_eq(ssip[3], 0);
}

/* Every legal access of the whole range, on the fewest and on many harts. */
UNIT_TEST(whole_address_space)
{
	static const u32 harts[] = { 1, 5, 1024 };

	for (u32 h = 0; h < ARRAY_SIZE(harts); h++) {
		start(harts[h]);
		for (unsigned int len = 4; len <= 8; len *= 2) {
			for (u32 o = 0; o < UMBRA_ACLINT_SPAN; o += len) {
				if (!umbra_aclint__legal(o, len))
					continue;
				wr(o, len, unit_rand());
				rd(o, len);
			}
		}
		for (u32 i = 0; i < UMBRA_ACLINT_SSWI_SPAN; i += 4)
			umbra_aclint__sswi_write(a, i, unit_rand());
		expect(timer_calls >= harts[h] * 2);
	}
}

UNIT_TEST(random_against_model)
{
	struct { u64 cmp; bool soft; } model[4];

	start(ARRAY_SIZE(model));
	for (u32 i = 0; i < ARRAY_SIZE(model); i++) {
		model[i].cmp = ~0ull;
		model[i].soft = false;
	}
	for (int n = 0; n < 300000; n++) {
		u32 h = unit_rand_below(ARRAY_SIZE(model));
		u64 val = now + unit_rand_below(64) - 32;

		switch (unit_rand_below(8)) {
		case 0:
			wr(MSIP(h), 4, val);
			model[h].soft = val & 1;
			break;
		case 1:
			wr(MTIMECMP(h), 8, val);
			model[h].cmp = val;
			break;
		case 2:
			wr(MTIMECMP(h), 4, val);
			model[h].cmp = model[h].cmp >> 32 << 32 | (u32)val;
			break;
		case 3:
			val = now >> 32;
			wr(MTIMECMP(h) + 4, 4, val);
			model[h].cmp = val << 32 | (u32)model[h].cmp;
			break;
		case 4:
			wr(MTIME, 8, val);
			expect_eq(now, val);
			break;
		default:
			/* Time goes on; timers that are due go off, late or early. */
			now += unit_rand_below(16);
			for (u32 i = 0; i < ARRAY_SIZE(model); i++)
				umbra_aclint__tick(a, i, now);
			break;
		}
		for (u32 i = 0; i < ARRAY_SIZE(model); i++) {
			bool due = now >= model[i].cmp;

			expect_eq(rd(MTIMECMP(i), 8), model[i].cmp);
			expect_eq(msip[i], model[i].soft);
			expect_eq(mtip[i], due);
			if (due)
				expect_eq(timer[i], NEVER);
			else
				expect(model[i].cmp == ~0ull ||
				       timer[i] + now >= model[i].cmp);
		}
	}
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
