// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/plic.c
/*
 * The PLIC: its registers and their edges, the gateway's rules, and at random
 * against a model that keeps one bool per bit and recomputes everything.
 */
#include "unit.h"
#include "../../vdev/plic.h"

#define PENDING		0x1000
#define ENABLE(c)	(0x2000 + (c) * 0x80)
#define THRESHOLD(c)	(0x200000 + (c) * 0x1000)
#define CLAIM(c)	(THRESHOLD(c) + 4)

static struct umbra_plic *p;
static bool pins[UMBRA_PLIC_MAX_CONTEXTS];
static unsigned long pin_calls;

static void set_pin(void *opaque, u32 context, bool level)
{
	expect(opaque == pins);
	/* Told of changes only. */
	expect(pins[context] != level);
	pins[context] = level;
	pin_calls++;
}

static void start(u32 sources, u32 contexts)
{
	free(p);
	/* Exactly as much as it asks for: a sanitizer sees one byte more. */
	p = malloc(umbra_plic__bytes(contexts));
	memset(pins, 0, sizeof(pins));
	pin_calls = 0;
	require_eq(umbra_plic__init(p, sources, contexts, set_pin, pins), 0);
}

static u32 rd(u32 offset)
{
	return umbra_plic__read(p, offset);
}

static void wr(u32 offset, u32 val)
{
	umbra_plic__write(p, offset, val);
}

static void level(u32 source, bool val)
{
	expect_eq(umbra_plic__set_level(p, source, val), 0);
}

/* `virt` with two harts: contexts M0 S0 M1 S1; source 10 at 1, for S0. */
static void start_virt(void)
{
	start(95, 4);
	wr(10 * 4, 1);
	wr(ENABLE(1), 1 << 10);
}

UNIT_TEST(limits)
{
	struct umbra_plic *big = malloc(umbra_plic__bytes(1024));

	expect_eq(umbra_plic__init(big, 0, 1, set_pin, 0), -EINVAL);
	expect_eq(umbra_plic__init(big, 1024, 1, set_pin, 0), -EINVAL);
	expect_eq(umbra_plic__init(big, 1, 0, set_pin, 0), -EINVAL);
	expect_eq(umbra_plic__init(big, 1, 1025, set_pin, 0), -EINVAL);
	expect_eq(umbra_plic__init(big, 1023, 1024, set_pin, 0), 0);
	expect_eq(UMBRA_PLIC_SPAN, 0x600000);
	free(big);
}

UNIT_TEST(interrupt_flow)
{
	start_virt();
	level(10, true);
	expect(pins[1]);
	expect_eq(pin_calls, 1);
	expect_eq(rd(PENDING), 1 << 10);
	expect_eq(rd(CLAIM(1)), 10);
	expect(!pins[1]);
	expect_eq(rd(PENDING), 0);
	expect_eq(rd(CLAIM(1)), 0);
	level(10, false);
	wr(CLAIM(1), 10);
	expect(!pins[1]);
	expect_eq(rd(CLAIM(1)), 0);
}

/* M and S contexts of a hart are targets of their own. */
UNIT_TEST(machine_and_supervisor_contexts)
{
	start_virt();
	wr(11 * 4, 1);
	wr(ENABLE(2), 1 << 11);
	level(11, true);
	expect(pins[2] && !pins[0] && !pins[1] && !pins[3]);
	level(10, true);
	expect(pins[2] && pins[1] && !pins[0] && !pins[3]);
	expect_eq(rd(CLAIM(3)), 0);
	expect_eq(rd(CLAIM(0)), 0);
	expect_eq(rd(CLAIM(2)), 11);
	expect_eq(rd(CLAIM(1)), 10);
	expect(!pins[1] && !pins[2]);
}

UNIT_TEST(level_still_high_pends_again_on_completion)
{
	start_virt();
	level(10, true);
	expect_eq(rd(CLAIM(1)), 10);
	/* Not while it is claimed, whatever the wire does. */
	level(10, true);
	level(10, false);
	level(10, true);
	expect_eq(rd(PENDING), 0);
	expect(!pins[1]);
	wr(CLAIM(1), 10);
	expect(pins[1]);
	expect_eq(rd(CLAIM(1)), 10);
	/* Low again by then: nothing is left of it. */
	level(10, false);
	level(10, true);
	level(10, false);
	wr(CLAIM(1), 10);
	expect(!pins[1]);
}

UNIT_TEST(a_request_is_not_retracted)
{
	start_virt();
	level(10, true);
	level(10, false);
	expect(pins[1]);
	expect_eq(rd(CLAIM(1)), 10);
	wr(CLAIM(1), 10);
	expect(!pins[1]);
}

UNIT_TEST(edges_are_kept_while_claimed)
{
	start_virt();
	expect_eq(umbra_plic__pulse(p, 10), 0);
	expect_eq(umbra_plic__pulse(p, 10), 0);
	expect_eq(rd(CLAIM(1)), 10);
	expect_eq(umbra_plic__pulse(p, 10), 0);
	expect_eq(umbra_plic__pulse(p, 10), 0);
	expect(!pins[1]);
	wr(CLAIM(1), 10);
	expect(pins[1]);
	expect_eq(rd(CLAIM(1)), 10);
	wr(CLAIM(1), 10);
	expect(!pins[1]);
}

UNIT_TEST(completion_of_what_is_not_claimed_is_ignored)
{
	u32 bad[] = { 0, 9, 11, 95, 96, 1023, 1024, 0x80000000, 0xffffffff };
	unsigned int i;

	start_virt();
	level(10, true);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		wr(CLAIM(1), bad[i]);
	wr(CLAIM(1), 10);
	expect_eq(rd(CLAIM(1)), 10);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		wr(CLAIM(1), bad[i]);
	expect(!pins[1]);
	wr(CLAIM(1), 10);
	expect(pins[1]);
}

/* As on QEMU; see complete() in plic.c for whom this helps. */
UNIT_TEST(completion_counts_where_the_source_is_not_enabled)
{
	start_virt();
	level(10, true);
	expect_eq(rd(CLAIM(1)), 10);
	wr(ENABLE(1), 0);
	wr(CLAIM(1), 10);
	expect_eq(rd(PENDING), 1 << 10);
	wr(ENABLE(1), 1 << 10);
	expect(pins[1]);
	expect_eq(rd(CLAIM(1)), 10);
	wr(CLAIM(3), 10);
	expect(pins[1]);
}

UNIT_TEST(priorities_and_ties)
{
	start(95, 1);
	wr(ENABLE(0), ~0);
	wr(ENABLE(0) + 4, ~0);
	wr(ENABLE(0) + 8, ~0);
	wr(7 * 4, 2);
	wr(40 * 4, 3);
	wr(41 * 4, 3);
	wr(90 * 4, 7);
	level(7, true);
	level(41, true);
	level(40, true);
	level(90, true);
	level(91, true);
	expect_eq(rd(CLAIM(0)), 90);
	expect_eq(rd(CLAIM(0)), 40);
	expect_eq(rd(CLAIM(0)), 41);
	expect_eq(rd(CLAIM(0)), 7);
	/* 91 has priority 0: never. */
	expect_eq(rd(CLAIM(0)), 0);
	expect(!pins[0]);
	wr(91 * 4, 1);
	expect(pins[0]);
	wr(91 * 4, 0);
	expect(!pins[0]);
}

UNIT_TEST(threshold_gates_the_pin_and_not_the_claim)
{
	u32 t;

	start_virt();
	wr(10 * 4, 3);
	level(10, true);
	for (t = 0; t < 8; t++) {
		wr(THRESHOLD(1), t);
		expect_eq(rd(THRESHOLD(1)), t);
		expect_eq(pins[1], t < 3);
	}
	expect_eq(rd(CLAIM(1)), 10);
}

UNIT_TEST(all_targets_are_told_and_one_gets_it)
{
	start_virt();
	wr(ENABLE(3), 1 << 10);
	level(10, true);
	expect(pins[1] && pins[3] && !pins[0] && !pins[2]);
	expect_eq(rd(CLAIM(0)), 0);
	expect_eq(rd(CLAIM(3)), 10);
	expect(!pins[1] && !pins[3]);
	expect_eq(rd(CLAIM(1)), 0);
}

UNIT_TEST(registers_are_warl)
{
	u32 i;

	start(95, 2);
	wr(0, 7);
	expect_eq(rd(0), 0);
	wr(4, 0xffffffff);
	expect_eq(rd(4), 7);
	wr(4, 8);
	expect_eq(rd(4), 0);
	wr(95 * 4, 5);
	expect_eq(rd(95 * 4), 5);
	wr(96 * 4, 5);
	expect_eq(rd(96 * 4), 0);
	wr(THRESHOLD(0), 0xfffffffa);
	expect_eq(rd(THRESHOLD(0)), 2);
	/* Source 0, and those after the last, do not exist. */
	for (i = 0; i < 32; i++)
		wr(ENABLE(0) + i * 4, ~0);
	expect_eq(rd(ENABLE(0)), 0xfffffffe);
	expect_eq(rd(ENABLE(0) + 4), 0xffffffff);
	expect_eq(rd(ENABLE(0) + 8), 0xffffffff);
	for (i = 3; i < 32; i++)
		expect_eq(rd(ENABLE(0) + i * 4), 0);
	/* Pending bits are read-only. */
	wr(PENDING, ~0);
	expect_eq(rd(PENDING), 0);
	expect_eq(umbra_plic__set_level(p, 0, true), -ENXIO);
	expect_eq(umbra_plic__set_level(p, 96, true), -ENXIO);
	expect_eq(umbra_plic__set_level(p, 0xffffffff, true), -ENXIO);
	expect_eq(umbra_plic__pulse(p, 0), -ENXIO);
	expect_eq(umbra_plic__pulse(p, 1024), -ENXIO);

	start(96, 1);
	wr(ENABLE(0) + 12, ~0);
	expect_eq(rd(ENABLE(0) + 12), 1);
	start(1023, 1);
	wr(ENABLE(0) + 124, ~0);
	expect_eq(rd(ENABLE(0) + 124), 0xffffffff);
}

/* Every word of the address space, with something pending. */
UNIT_TEST(whole_address_space_reads_and_writes)
{
	u32 offset;

	start(1023, 3);
	for (offset = 0; offset < UMBRA_PLIC_SPAN; offset += 4)
		wr(offset, offset * 0x9e3779b1 | 1);
	for (offset = 0; offset < UMBRA_PLIC_SPAN; offset += 4) {
		u32 val = rd(offset);
		bool real = (offset >= 4 && offset < 0x1000) ||
			    (offset >= 0x2000 && offset < ENABLE(3)) ||
			    offset == THRESHOLD(0) || offset == THRESHOLD(1) ||
			    offset == THRESHOLD(2);

		if (!real)
			expect_eq(val, 0);
	}
	expect_eq(rd(0xfffffffc), 0);
	wr(0xfffffffc, 1);
}

UNIT_TEST(every_source_reaches_every_context)
{
	u32 s, c;

	start(1023, 5);
	for (s = 1; s <= 1023; s++) {
		c = s % 5;
		wr(s * 4, 1 + s % 7);
		wr(ENABLE(c) + s / 32 * 4, 1U << s % 32);
		level(s, true);
		expect(pins[c]);
		expect_eq(rd(CLAIM(c)), s);
		level(s, false);
		wr(CLAIM(c), s);
		expect(!pins[c]);
		wr(ENABLE(c) + s / 32 * 4, 0);
	}
}

/* The model. */
#define NS	70
#define NC	5

static struct {
	int prio;
	bool wire, pending, claimed, edge;
	bool enable[NC];
} src[NS + 1];
static int thr[NC];

static int m_best(int c, int floor)
{
	int s, id = 0;

	for (s = 1; s <= NS; s++)
		if (src[s].pending && src[s].enable[c] && src[s].prio > floor &&
		    (!id || src[s].prio > src[id].prio))
			id = s;
	return id;
}

static int m_claim(int c)
{
	int id = m_best(c, 0);

	if (id) {
		src[id].pending = false;
		src[id].claimed = true;
	}
	return id;
}

static void m_complete(u32 id)
{
	if (id < 1 || id > NS || !src[id].claimed)
		return;
	src[id].claimed = false;
	if (src[id].wire || src[id].edge)
		src[id].pending = true;
	src[id].edge = false;
}

static void m_compare(void)
{
	u32 words[3] = { 0 };
	int s, c;

	for (s = 1; s <= NS; s++) {
		if (src[s].pending)
			words[s / 32] |= 1U << s % 32;
		expect(!src[s].pending || !src[s].claimed);
	}
	for (s = 0; s < 3; s++)
		expect_eq(rd(PENDING + s * 4), words[s]);
	for (c = 0; c < NC; c++)
		expect_eq(pins[c], m_best(c, thr[c]) != 0);
}

static void step_wire(int s)
{
	bool high = unit_rand_below(2);

	src[s].wire = high;
	if (high && !src[s].claimed)
		src[s].pending = true;
	level(s, high);
}

static void step_pulse(int s)
{
	if (src[s].claimed)
		src[s].edge = true;
	else
		src[s].pending = true;
	expect_eq(umbra_plic__pulse(p, s), 0);
}

static void step_enable(int c)
{
	u32 w = unit_rand_below(3), val = unit_rand() & unit_rand();
	u32 s, stored = 0;

	for (s = w * 32; s < w * 32 + 32; s++) {
		if (s < 1 || s > NS)
			continue;
		src[s].enable[c] = val >> s % 32 & 1;
		stored |= val & 1U << s % 32;
	}
	wr(ENABLE(c) + w * 4, val);
	expect_eq(rd(ENABLE(c) + w * 4), stored);
}

static void random_step(void)
{
	int s = 1 + unit_rand_below(NS), c = unit_rand_below(NC);
	u32 val;

	switch (unit_rand_below(10)) {
	case 0 ... 2:
		step_wire(s);
		break;
	case 3:
		step_pulse(s);
		break;
	case 4:
		val = unit_rand();
		src[s].prio = val & 7;
		wr(s * 4, val);
		expect_eq(rd(s * 4), val & 7);
		break;
	case 5:
		step_enable(c);
		break;
	case 6:
		val = unit_rand() & unit_rand();
		thr[c] = val & 7;
		wr(THRESHOLD(c), val);
		break;
	case 7:
		expect_eq(rd(CLAIM(c)), m_claim(c));
		break;
	default:
		val = unit_rand_below(NS + 3);
		m_complete(val);
		wr(CLAIM(c), val);
	}
}

UNIT_TEST(random_against_model)
{
	int run, step;

	for (run = 0; run < 40; run++) {
		start(NS, NC);
		memset(src, 0, sizeof(src));
		memset(thr, 0, sizeof(thr));
		for (step = 0; step < 5000; step++) {
			random_step();
			m_compare();
			require(!unit.failures);
		}
	}
}

int main(int argc, char **argv)
{
	int ret = unit_main(argc, argv);

	free(p);
	return ret;
}
