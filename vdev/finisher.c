// SPDX-License-Identifier: GPL-2.0
/*
 * What a write to the test finisher means; see finisher.h for who calls it.
 */
#include "finisher.h"

/* The low half of the register's one word. */
#define FINISHER_FAIL	0x3333
#define FINISHER_PASS	0x5555
#define FINISHER_RESET	0x7777

/**
 * umbra_finisher__legal() - does the bus answer this access?
 * @offset: from the base
 * @len: bytes
 *
 * Half-words and words, as on QEMU; the rest is an access fault.  All of the
 * page answers, but only its first word means something; reads are zero.
 *
 * Return: true when the access may proceed.
 */
bool umbra_finisher__legal(u32 offset, unsigned int len)
{
	return (len == 2 || len == 4) && !(offset % len);
}

/**
 * umbra_finisher__write() - the guest writes
 * @offset: from the base
 * @val: the value, zero-extended
 * @code: set to the exit code for UMBRA_FINISH_FAIL, else to 0
 *
 * Return: what is to happen.
 */
enum umbra_finish umbra_finisher__write(u32 offset, u32 val, u32 *code)
{
	*code = 0;
	if (offset)
		return UMBRA_FINISH_NOT;

	switch (val & 0xffff) {
	case FINISHER_PASS:
		return UMBRA_FINISH_PASS;
	case FINISHER_FAIL:
		*code = val >> 16;
		return UMBRA_FINISH_FAIL;
	case FINISHER_RESET:
		return UMBRA_FINISH_RESET;
	default:
		return UMBRA_FINISH_NOT;
	}
}
