// SPDX-License-Identifier: GPL-2.0
/*
 * The register file of a Goldfish RTC; see goldfish_rtc.h for who calls it.
 *
 * The registers are those of GOLDFISH-VIRTUAL-HARDWARE.TXT (Android emulator),
 * section IV, with the alarm as QEMU's hw/rtc and Linux's rtc-goldfish have it.
 */
#include "goldfish_rtc.h"

enum {
	REG_TIME_LOW		= 0x00,	/* read first: latches the other half */
	REG_TIME_HIGH		= 0x04,
	REG_ALARM_LOW		= 0x08,	/* written last: arms the alarm */
	REG_ALARM_HIGH		= 0x0c,
	REG_IRQ_ENABLED		= 0x10,
	REG_CLEAR_ALARM		= 0x14,
	REG_ALARM_STATUS	= 0x18,
	REG_CLEAR_INTERRUPT	= 0x1c,
};

static u64 with_low(u64 val, u32 low)
{
	return (val >> 32 << 32) | low;
}

static u64 with_high(u64 val, u32 high)
{
	return (u64)high << 32 | (u32)val;
}

static u64 guest_time(const struct umbra_rtc *r, u64 now)
{
	return now + r->offset;
}

/**
 * umbra_rtc__reset() - the state after power-on: the host's time, no alarm
 * @r: the clock
 */
void umbra_rtc__reset(struct umbra_rtc *r)
{
	memset(r, 0, sizeof(*r));
}

/**
 * umbra_rtc__irq() - the interrupt output
 * @r: the clock
 *
 * Return: true when the line is high.
 */
bool umbra_rtc__irq(const struct umbra_rtc *r)
{
	return r->pending && r->enabled;
}

/**
 * umbra_rtc__tick() - let the alarm go off if it is time
 * @r: the clock
 * @now: host time
 */
void umbra_rtc__tick(struct umbra_rtc *r, u64 now)
{
	if (!r->armed || guest_time(r, now) < r->deadline)
		return;
	r->armed = false;
	r->pending = true;
}

/**
 * umbra_rtc__wait() - when to call umbra_rtc__tick()
 * @r: the clock
 * @now: host time
 *
 * Return: ns from now, or UMBRA_RTC_NO_ALARM.
 */
u64 umbra_rtc__wait(const struct umbra_rtc *r, u64 now)
{
	u64 time = guest_time(r, now);

	if (!r->armed)
		return UMBRA_RTC_NO_ALARM;
	return r->deadline > time ? r->deadline - time : 0;
}

/**
 * umbra_rtc__read() - the guest reads a register
 * @r: the clock
 * @offset: from the base, a multiple of 4; reserved ones read zero
 * @now: host time
 *
 * Return: the value.
 */
u32 umbra_rtc__read(struct umbra_rtc *r, u32 offset, u64 now)
{
	u64 time;

	umbra_rtc__tick(r, now);
	switch (offset) {
	case REG_TIME_LOW:
		time = guest_time(r, now);
		r->time_high = time >> 32;
		return time;
	case REG_TIME_HIGH:
		return r->time_high;
	case REG_ALARM_LOW:
		return r->alarm;
	case REG_ALARM_HIGH:
		return r->alarm >> 32;
	case REG_IRQ_ENABLED:
		return r->enabled;
	case REG_ALARM_STATUS:
		return r->armed;
	default:
		return 0;
	}
}

static void set_time(struct umbra_rtc *r, u64 time, u64 now)
{
	r->offset = time - now;
}

/**
 * umbra_rtc__write() - the guest writes a register
 * @r: the clock
 * @offset: from the base, a multiple of 4; reserved ones ignore it
 * @val: the value
 * @now: host time
 *
 * An alarm in the past goes off at once.  Setting the time moves an armed
 * alarm with it: it is a time of day, not a delay.  (QEMU leaves its timer
 * where it was.)
 */
void umbra_rtc__write(struct umbra_rtc *r, u32 offset, u32 val, u64 now)
{
	u64 time = guest_time(r, now);

	umbra_rtc__tick(r, now);
	switch (offset) {
	case REG_TIME_LOW:
		set_time(r, with_low(time, val), now);
		break;
	case REG_TIME_HIGH:
		set_time(r, with_high(time, val), now);
		break;
	case REG_ALARM_LOW:
		r->alarm = with_low(r->alarm, val);
		r->deadline = r->alarm;
		r->armed = true;
		break;
	case REG_ALARM_HIGH:
		r->alarm = with_high(r->alarm, val);
		break;
	case REG_IRQ_ENABLED:
		r->enabled = val & 1;
		break;
	case REG_CLEAR_ALARM:
		r->armed = false;
		break;
	case REG_CLEAR_INTERRUPT:
		r->pending = false;
		break;
	default:
		break;
	}
	umbra_rtc__tick(r, now);
}
