// SPDX-License-Identifier: GPL-2.0
/*
 * The register file of an ACLINT; see aclint.h for who calls it.
 *
 * Where the specification leaves a choice, QEMU's is taken, but for the state
 * after reset: mtime goes on from where it is instead of starting from 0, so
 * that the guest can read the host's time CSR itself, and mtimecmp, which the
 * specification leaves unknown, is such that no timer interrupt is pending.
 */
#include "aclint.h"

#define MSIP_STRIDE		4
#define MTIMER_BASE		0x4000
#define MTIMECMP_STRIDE		8
#define MTIME			0xbff8

/* Replace the half of @old that a 4-byte access at @offset means, or all. */
static u64 with(u64 old, u32 offset, unsigned int len, u64 val)
{
	if (len == 8)
		return val;
	if (offset % 8)
		return val << 32 | (u32)old;
	return old >> 32 << 32 | (u32)val;
}

/* The other way round: what such an access reads of @reg. */
static u64 part(u64 reg, u32 offset, unsigned int len)
{
	if (len == 8)
		return reg;
	return offset % 8 ? reg >> 32 : (u32)reg;
}

/* Whose mtimecmp lies at @offset; false: nobody's. */
static bool mtimecmp_hart(const struct umbra_aclint *a, u32 offset, u32 *hart)
{
	if (offset < MTIMER_BASE)
		return false;
	*hart = (offset - MTIMER_BASE) / MTIMECMP_STRIDE;
	return *hart < a->harts;
}

/* Section 3.2: MTIP is pending while mtime >= mtimecmp, both unsigned. */
static void timer_update(struct umbra_aclint *a, u32 i, u64 now)
{
	struct umbra_aclint_hart *hart = &a->hart[i];
	bool due = now >= hart->mtimecmp;

	if (due != hart->mtip) {
		hart->mtip = due;
		a->ops->set_mtip(a->opaque, i, due);
	}
	/* Once due it stays so until the guest says otherwise. */
	a->ops->set_timer(a->opaque, i,
			  due ? UMBRA_ACLINT_NEVER : hart->mtimecmp - now);
}

/**
 * umbra_aclint__tick() - the time may have come, or may have been changed
 * @a: the device
 * @hart: whose timer; exists
 * @now: the time
 */
void umbra_aclint__tick(struct umbra_aclint *a, u32 hart, u64 now)
{
	timer_update(a, hart, now);
}

/* Section 2.2: bit 0 drives the pin, the other bits are hardwired to zero. */
static void msip_write(struct umbra_aclint *a, u32 i, u64 val)
{
	bool level = val & 1;

	if (i >= a->harts || a->hart[i].msip == level)
		return;
	a->hart[i].msip = level;
	a->ops->set_msip(a->opaque, i, level);
}

/**
 * umbra_aclint__legal() - is this an access that the device answers?
 * @offset: from the base
 * @len: its width; @offset is a multiple of it
 *
 * MSIP registers take 4 bytes, those of the timer 4 or 8, as on QEMU.
 *
 * Return: true when it is.
 */
bool umbra_aclint__legal(u32 offset, unsigned int len)
{
	return len == 4 || (len == 8 && offset >= MTIMER_BASE);
}

/**
 * umbra_aclint__read() - the guest reads a register
 * @a: the device
 * @offset: from the base; reserved ones, and harts that do not exist, read zero
 * @len: of a legal access
 * @now: the time
 *
 * Return: the value.
 */
u64 umbra_aclint__read(const struct umbra_aclint *a, u32 offset,
		       unsigned int len, u64 now)
{
	u32 hart;

	if (offset < MTIMER_BASE) {
		hart = offset / MSIP_STRIDE;
		return hart < a->harts && a->hart[hart].msip;
	}
	if (offset >= MTIME)
		return part(now, offset, len);
	if (mtimecmp_hart(a, offset, &hart))
		return part(a->hart[hart].mtimecmp, offset, len);
	return 0;
}

/**
 * umbra_aclint__write() - the guest writes a register
 * @a: the device
 * @offset: from the base; reserved ones, and harts that do not exist, ignore it
 * @len: of a legal access
 * @val: the value
 * @now: the time
 * @time: what the time is to be
 *
 * Return: true when the guest set the time: the owner does so, as the CSR time
 * of all harts moves with it, and calls umbra_aclint__tick() for each hart.
 */
bool umbra_aclint__write(struct umbra_aclint *a, u32 offset, unsigned int len,
			 u64 val, u64 now, u64 *time)
{
	u32 hart;

	if (offset < MTIMER_BASE) {
		msip_write(a, offset / MSIP_STRIDE, val);
	} else if (offset >= MTIME) {
		*time = with(now, offset, len, val);
		return true;
	} else if (mtimecmp_hart(a, offset, &hart)) {
		a->hart[hart].mtimecmp = with(a->hart[hart].mtimecmp, offset,
					      len, val);
		timer_update(a, hart, now);
	}
	return false;
}

/**
 * umbra_aclint__sswi_write() - the guest writes a SETSSIP register
 * @a: the device
 * @offset: from the base of SSWI, a multiple of 4
 * @val: the value; a 1 in bit 0 raises SSIP
 *
 * Section 4.2.  The registers read zero.
 */
void umbra_aclint__sswi_write(struct umbra_aclint *a, u32 offset, u32 val)
{
	u32 hart = offset / 4;

	if (hart < a->harts && (val & 1))
		a->ops->raise_ssip(a->opaque, hart);
}

/**
 * umbra_aclint__bytes() - how much memory a device takes
 * @harts: number of harts, at most UMBRA_ACLINT_MAX_HARTS
 *
 * Return: bytes.
 */
size_t umbra_aclint__bytes(u32 harts)
{
	return sizeof(struct umbra_aclint) +
	       harts * sizeof(struct umbra_aclint_hart);
}

/**
 * umbra_aclint__init() - the state after power-on: all pins low, no timer
 * @a: umbra_aclint__bytes() of memory
 * @harts: number of harts
 * @ops: whom to tell of changes
 * @opaque: their first argument
 *
 * Return: 0, or -EINVAL when @harts is out of range.
 */
int umbra_aclint__init(struct umbra_aclint *a, u32 harts,
		       const struct umbra_aclint_ops *ops, void *opaque)
{
	u32 i;

	if (!harts || harts > UMBRA_ACLINT_MAX_HARTS)
		return -EINVAL;

	memset(a, 0, umbra_aclint__bytes(harts));
	a->harts = harts;
	a->ops = ops;
	a->opaque = opaque;
	for (i = 0; i < harts; i++)
		a->hart[i].mtimecmp = ~0ULL;
	return 0;
}
