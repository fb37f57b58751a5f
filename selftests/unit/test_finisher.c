// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/finisher.c
/*
 * The test finisher: which writes end the guest, and how.
 */
#include "unit.h"
#include "../../vdev/finisher.h"

UNIT_TEST(verdicts)
{
	static const struct {
		u32 val;
		enum umbra_finish verdict;
		u32 code;
	} t[] = {
		{ 0x00005555, UMBRA_FINISH_PASS, 0 },
		{ 0x12345555, UMBRA_FINISH_PASS, 0 },
		{ 0x00003333, UMBRA_FINISH_FAIL, 0 },
		{ 0x00013333, UMBRA_FINISH_FAIL, 1 },
		{ 0xffff3333, UMBRA_FINISH_FAIL, 0xffff },
		{ 0x00007777, UMBRA_FINISH_RESET, 0 },
		{ 0xabcd7777, UMBRA_FINISH_RESET, 0 },
	};
	unsigned int i;
	u32 code;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		code = ~0;
		expect_eq(umbra_finisher__write(0, t[i].val, &code),
			  t[i].verdict);
		expect_eq(code, t[i].code);
		/* The other words of the page mean nothing. */
		expect_eq(umbra_finisher__write(4, t[i].val, &code),
			  UMBRA_FINISH_NOT);
		expect_eq(umbra_finisher__write(2, t[i].val, &code),
			  UMBRA_FINISH_NOT);
	}
}

UNIT_TEST(nothing_else_ends_the_guest)
{
	unsigned int ends = 0;
	u32 val, code;

	for (val = 0; val < 0x10000; val++)
		ends += umbra_finisher__write(0, val, &code) !=
			UMBRA_FINISH_NOT;
	expect_eq(ends, 3);
}

UNIT_TEST(widths)
{
	unsigned int len;
	u32 offset;

	for (len = 1; len <= 8; len++)
		for (offset = 0; offset < 16; offset++)
			expect_eq(umbra_finisher__legal(offset, len),
				  (len == 2 || len == 4) && offset % len == 0);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
