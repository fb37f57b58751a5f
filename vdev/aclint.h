/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The register file of an ACLINT (RISC-V Advanced Core Local Interruptor) laid
 * out like the older SiFive CLINT, as on QEMU's `virt` machine: MSWI and MTIMER
 * behind each other, SSWI elsewhere.
 *
 * Pure: the time is an argument.  The owner (aclint_dev.c, or a unit test)
 * serialises all calls on one struct umbra_aclint and keeps a timer per hart;
 * the operations run inside the calls.
 *
 * @now is everywhere the guest's time, in ticks of mtime.  Sections are those
 * of the RISC-V ACLINT Specification 1.0-rc4.
 */
#ifndef UMBRA_ACLINT_H
#define UMBRA_ACLINT_H

#include "../vmm_core/base.h"

#define UMBRA_ACLINT_MAX_HARTS	1024

/*
 * Bytes of address space: MSWI at 0, MTIMER at 0x4000, up to and with mtime.
 * The device tree says 64 KiB; QEMU has nothing in the rest, either.
 */
#define UMBRA_ACLINT_SPAN	0xc000
#define UMBRA_ACLINT_SSWI_SPAN	0x4000

#define UMBRA_ACLINT_NEVER	(~0ULL)

/**
 * struct umbra_aclint_ops - what the register file asks of its owner
 * @set_msip: the machine software interrupt pin of a hart changes
 * @set_mtip: its machine timer interrupt pin changes
 * @set_timer: call umbra_aclint__tick() for the hart in @wait ticks; this
 *	replaces what was asked for before.  UMBRA_ACLINT_NEVER: do not call
 * @raise_ssip: an edge: set the hart's mip.SSIP
 */
struct umbra_aclint_ops {
	void (*set_msip)(void *opaque, u32 hart, bool level);
	void (*set_mtip)(void *opaque, u32 hart, bool level);
	void (*set_timer)(void *opaque, u32 hart, u64 wait);
	void (*raise_ssip)(void *opaque, u32 hart);
};

/**
 * struct umbra_aclint_hart - the registers of one hart
 * @mtimecmp: MTIP is pending from this time on
 * @msip: bit 0 of its MSIP register, and its pin
 * @mtip: the level last passed to set_mtip
 */
struct umbra_aclint_hart {
	u64 mtimecmp;
	bool msip;
	bool mtip;
};

/**
 * struct umbra_aclint - all state of one device
 * @harts: number of elements of @hart
 * @ops: whom to tell
 * @opaque: their first argument
 * @hart: per hart
 */
struct umbra_aclint {
	u32 harts;
	const struct umbra_aclint_ops *ops;
	void *opaque;
	struct umbra_aclint_hart hart[];
};

size_t umbra_aclint__bytes(u32 harts);
int umbra_aclint__init(struct umbra_aclint *a, u32 harts,
		       const struct umbra_aclint_ops *ops, void *opaque);

bool umbra_aclint__legal(u32 offset, unsigned int len);
u64 umbra_aclint__read(const struct umbra_aclint *a, u32 offset,
		       unsigned int len, u64 now);
bool umbra_aclint__write(struct umbra_aclint *a, u32 offset, unsigned int len,
			 u64 val, u64 now, u64 *time);
void umbra_aclint__tick(struct umbra_aclint *a, u32 hart, u64 now);

void umbra_aclint__sswi_write(struct umbra_aclint *a, u32 offset, u32 val);

#endif /* UMBRA_ACLINT_H */
