// SPDX-License-Identifier: GPL-2.0
/*
 * The mask ROM at the reset address; see mrom.h.
 */
#include <endian.h>
#include <string.h>

#include "mrom.h"

/* include/sbi/fw_dynamic.h of OpenSBI: struct fw_dynamic_info. */
#define FW_DYNAMIC_MAGIC	0x4942534fULL	/* "OSBI" */
#define FW_DYNAMIC_VERSION	2
#define FW_DYNAMIC_NEXT_S	1

static const u32 code[] = {
	0x00000297,	/* auipc	t0, 0 */
	0x02828613,	/* addi		a2, t0, 40	the info */
	0xf1402573,	/* csrr		a0, mhartid */
	0x0202b583,	/* ld		a1, 32(t0)	the device tree */
	0x0182b283,	/* ld		t0, 24(t0)	the start */
	0x00028067,	/* jr		t0 */
};

static u8 *put(u8 *to, u64 val)
{
	val = htole64(val);
	memcpy(to, &val, sizeof(val));
	return to + sizeof(val);
}

void mrom_build(u8 rom[MROM_USED], const struct mrom_boot *boot)
{
	u8 *at = rom;

	for (unsigned int i = 0; i < ARRAY_SIZE(code); i++) {
		u32 insn = htole32(code[i]);

		memcpy(at, &insn, sizeof(insn));
		at += sizeof(insn);
	}
	at = put(at, boot->start);
	at = put(at, boot->dtb);
	at = put(at, FW_DYNAMIC_MAGIC);
	at = put(at, FW_DYNAMIC_VERSION);
	at = put(at, boot->next);
	at = put(at, FW_DYNAMIC_NEXT_S);
	at = put(at, 0);		/* options */
	put(at, 0);			/* boot hart */
}
