/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The register file of a Goldfish real-time clock, as on QEMU's `virt`
 * machine ("google,goldfish-rtc").
 *
 * Pure: the time is an argument.  The owner (goldfish_rtc_dev.c, or a unit
 * test) serialises all calls on one struct umbra_rtc, calls umbra_rtc__tick()
 * when umbra_rtc__wait() nanoseconds have passed, and copies umbra_rtc__irq()
 * to the interrupt line.
 *
 * @now is everywhere the host's wall clock, in ns since 1970.
 */
#ifndef UMBRA_GOLDFISH_RTC_H
#define UMBRA_GOLDFISH_RTC_H

#include "../vmm_core/base.h"

#define UMBRA_RTC_SPAN		0x24
#define UMBRA_RTC_NO_ALARM	(~0ULL)

/**
 * struct umbra_rtc - all state of one clock
 * @offset: the guest's time minus the host's, modulo 2^64
 * @alarm: the alarm registers
 * @deadline: the guest's time at which the armed alarm goes off
 * @time_high: upper half of the time at the last read of its lower half
 * @armed: the alarm is waited for
 * @pending: it went off, and was not cleared
 * @enabled: it may interrupt
 */
struct umbra_rtc {
	u64 offset;
	u64 alarm;
	u64 deadline;
	u32 time_high;
	bool armed;
	bool pending;
	bool enabled;
};

void umbra_rtc__reset(struct umbra_rtc *r);
u32 umbra_rtc__read(struct umbra_rtc *r, u32 offset, u64 now);
void umbra_rtc__write(struct umbra_rtc *r, u32 offset, u32 val, u64 now);
void umbra_rtc__tick(struct umbra_rtc *r, u64 now);
u64 umbra_rtc__wait(const struct umbra_rtc *r, u64 now);
bool umbra_rtc__irq(const struct umbra_rtc *r);

#endif /* UMBRA_GOLDFISH_RTC_H */
