// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vdev/goldfish_rtc.c
/*
 * The Goldfish RTC: reading and setting the time, and the alarm as Linux's
 * rtc-goldfish driver and firmware use it.
 */
#include "unit.h"
#include "../../vdev/goldfish_rtc.h"

enum {
	TIME_LOW	= 0x00,
	TIME_HIGH	= 0x04,
	ALARM_LOW	= 0x08,
	ALARM_HIGH	= 0x0c,
	IRQ_ENABLED	= 0x10,
	CLEAR_ALARM	= 0x14,
	ALARM_STATUS	= 0x18,
	CLEAR_INTERRUPT	= 0x1c,
};

#define SEC	1000000000ull
#define T0	(1700000000ull * SEC)

static struct umbra_rtc r;

static u64 time_at(u64 now)
{
	u64 low = umbra_rtc__read(&r, TIME_LOW, now);

	return low | (u64)umbra_rtc__read(&r, TIME_HIGH, now + 5) << 32;
}

static void alarm_at(u64 time, u64 now)
{
	umbra_rtc__write(&r, ALARM_HIGH, time >> 32, now);
	umbra_rtc__write(&r, ALARM_LOW, time, now);
}

UNIT_TEST(time)
{
	umbra_rtc__reset(&r);
	expect_eq(time_at(T0), T0);
	/* The upper half is that of the moment the lower was read. */
	expect_eq(umbra_rtc__read(&r, TIME_LOW, 0x1ffffffffull), 0xffffffff);
	expect_eq(umbra_rtc__read(&r, TIME_HIGH, 0x200000000ull), 1);
	expect(!umbra_rtc__irq(&r));
	expect_eq(umbra_rtc__wait(&r, T0), UMBRA_RTC_NO_ALARM);
}

UNIT_TEST(setting_the_time)
{
	u64 t = 0x123456789abcdef0ull, seen;

	umbra_rtc__reset(&r);
	umbra_rtc__write(&r, TIME_HIGH, t >> 32, T0);
	umbra_rtc__write(&r, TIME_LOW, t, T0);
	expect_eq(time_at(T0), t);
	expect_eq(time_at(T0 + SEC), t + SEC);
	/* Into the past, and to the ends of what 64 bits hold. */
	umbra_rtc__write(&r, TIME_HIGH, 0, T0);
	umbra_rtc__write(&r, TIME_LOW, 7, T0);
	expect_eq(time_at(T0), 7);
	umbra_rtc__write(&r, TIME_HIGH, ~0, T0);
	umbra_rtc__write(&r, TIME_LOW, ~0, T0);
	seen = time_at(T0);
	expect_eq(seen, ~0ull);
	expect_eq(time_at(T0 + 1), 0);
}

UNIT_TEST(alarm)
{
	umbra_rtc__reset(&r);
	umbra_rtc__write(&r, IRQ_ENABLED, 1, T0);
	alarm_at(T0 + 10 * SEC, T0);
	expect_eq(umbra_rtc__read(&r, ALARM_STATUS, T0), 1);
	expect_eq(umbra_rtc__read(&r, ALARM_LOW, T0), (u32)(T0 + 10 * SEC));
	expect_eq(umbra_rtc__read(&r, ALARM_HIGH, T0), (T0 + 10 * SEC) >> 32);
	expect_eq(umbra_rtc__wait(&r, T0), 10 * SEC);
	expect_eq(umbra_rtc__wait(&r, T0 + 4 * SEC), 6 * SEC);
	umbra_rtc__tick(&r, T0 + 10 * SEC - 1);
	expect(!umbra_rtc__irq(&r));
	expect_eq(umbra_rtc__wait(&r, T0 + 11 * SEC), 0);
	umbra_rtc__tick(&r, T0 + 10 * SEC);
	expect(umbra_rtc__irq(&r));
	expect_eq(umbra_rtc__read(&r, ALARM_STATUS, T0 + 10 * SEC), 0);
	expect_eq(umbra_rtc__wait(&r, T0 + 10 * SEC), UMBRA_RTC_NO_ALARM);
	/* It stays up until it is cleared, and goes off once. */
	umbra_rtc__tick(&r, T0 + 20 * SEC);
	expect(umbra_rtc__irq(&r));
	umbra_rtc__write(&r, CLEAR_INTERRUPT, 1, T0 + 20 * SEC);
	expect(!umbra_rtc__irq(&r));
	umbra_rtc__tick(&r, T0 + 30 * SEC);
	expect(!umbra_rtc__irq(&r));
}

UNIT_TEST(alarm_in_the_past_goes_off_at_once)
{
	umbra_rtc__reset(&r);
	umbra_rtc__write(&r, IRQ_ENABLED, 1, T0);
	alarm_at(T0, T0);
	expect(umbra_rtc__irq(&r));
	expect_eq(umbra_rtc__read(&r, ALARM_STATUS, T0), 0);
}

UNIT_TEST(irq_enabled_gates_the_line)
{
	umbra_rtc__reset(&r);
	alarm_at(T0 - 1, T0);
	expect(!umbra_rtc__irq(&r));
	umbra_rtc__write(&r, IRQ_ENABLED, 0xff, T0);
	expect_eq(umbra_rtc__read(&r, IRQ_ENABLED, T0), 1);
	expect(umbra_rtc__irq(&r));
	umbra_rtc__write(&r, IRQ_ENABLED, 0xfe, T0);
	expect(!umbra_rtc__irq(&r));
}

UNIT_TEST(clear_alarm)
{
	umbra_rtc__reset(&r);
	umbra_rtc__write(&r, IRQ_ENABLED, 1, T0);
	alarm_at(T0 + SEC, T0);
	umbra_rtc__write(&r, CLEAR_ALARM, 1, T0);
	expect_eq(umbra_rtc__read(&r, ALARM_STATUS, T0), 0);
	umbra_rtc__tick(&r, T0 + 2 * SEC);
	expect(!umbra_rtc__irq(&r));
}

/* Half of a new alarm must not set off the old one. */
UNIT_TEST(alarm_is_armed_by_its_lower_half)
{
	umbra_rtc__reset(&r);
	umbra_rtc__write(&r, IRQ_ENABLED, 1, T0);
	umbra_rtc__write(&r, ALARM_HIGH, 0, T0);
	expect(!umbra_rtc__irq(&r));
	alarm_at(T0 + 3600 * SEC, T0);
	umbra_rtc__write(&r, ALARM_HIGH, 0, T0);
	expect(!umbra_rtc__irq(&r));
	expect_eq(umbra_rtc__wait(&r, T0), 3600 * SEC);
}

UNIT_TEST(setting_the_time_moves_the_alarm)
{
	umbra_rtc__reset(&r);
	umbra_rtc__write(&r, IRQ_ENABLED, 1, T0);
	alarm_at(T0 + (1ull << 33), T0);
	umbra_rtc__write(&r, TIME_HIGH, (T0 >> 32) + 1, T0);
	expect(!umbra_rtc__irq(&r));
	expect_eq(umbra_rtc__wait(&r, T0), 1ull << 32);
	umbra_rtc__write(&r, TIME_HIGH, (T0 >> 32) + 2, T0);
	expect(umbra_rtc__irq(&r));
}

UNIT_TEST(farthest_alarm)
{
	umbra_rtc__reset(&r);
	alarm_at(~0ull, T0);
	expect_eq(umbra_rtc__wait(&r, T0), ~0ull - T0);
	umbra_rtc__write(&r, TIME_HIGH, 0, T0);
	umbra_rtc__write(&r, TIME_LOW, 1, T0);
	expect_eq(umbra_rtc__wait(&r, T0), ~0ull - 1);
}

UNIT_TEST(reserved_registers)
{
	u32 offset;

	umbra_rtc__reset(&r);
	for (offset = 0x20; offset < 0x100; offset += 4) {
		umbra_rtc__write(&r, offset, ~0, T0);
		expect_eq(umbra_rtc__read(&r, offset, T0), 0);
	}
	expect_eq(umbra_rtc__read(&r, CLEAR_ALARM, T0), 0);
	expect_eq(umbra_rtc__read(&r, CLEAR_INTERRUPT, T0), 0);
	umbra_rtc__write(&r, ALARM_STATUS, 1, T0);
	expect_eq(umbra_rtc__read(&r, ALARM_STATUS, T0), 0);
	expect_eq(time_at(T0), T0);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
