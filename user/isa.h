/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's instruction set: which extensions a vCPU has, by KVM's numbers,
 * and how the device tree spells them.  Pure C.
 */
#ifndef UMBRA_USER_ISA_H
#define UMBRA_USER_ISA_H

#include <stdbool.h>
#include <stddef.h>

#include "util.h"

/* Room for KVM's extension numbers; the ABI only ever adds to them. */
#define ISA_MAX_EXT	128

struct isa {
	bool ext[ISA_MAX_EXT];		/* by KVM_RISCV_ISA_EXT_* */
	/* Bytes; 0 when the extension is absent. */
	u32 cbom_block;
	u32 cboz_block;
	u32 cbop_block;
};

/*
 * KVM_RISCV_ISA_EXT_* that the launcher itself asks for by name.  Numbers of
 * the KVM ABI, repeated because the libc headers a launcher is built with may
 * be older than the module it talks to.  vcpu.c asserts that they agree.
 */
enum {
	ISA_EXT_A	= 0,
	ISA_EXT_H	= 4,
	ISA_EXT_I	= 5,
	ISA_EXT_SSTC	= 8,
	ISA_EXT_ZICBOM	= 11,
	ISA_EXT_ZICBOZ	= 12,
	ISA_EXT_ZAWRS	= 61,
	ISA_EXT_SVVPTC	= 66,
	ISA_EXT_ZICBOP	= 71,
};

/* The device tree's name of extension @id, or NULL when unknown. */
const char *isa_ext_name(unsigned int id);

/*
 * The riscv,isa string ("rv64imafdc_zicsr_...").
 * Return: 0, or -ENOSPC.
 */
int isa_string(const struct isa *isa, char *buf, size_t size);

/*
 * The riscv,isa-extensions property: names, each with its NUL.
 * Return: bytes used, or -ENOSPC.
 */
int isa_string_list(const struct isa *isa, char *buf, size_t size);

/*
 * Does the ISA string @s (riscv,isa or /proc/cpuinfo's "isa") have the
 * single-letter extension @letter?
 */
bool isa_string_has_letter(const char *s, char letter);

#endif /* UMBRA_USER_ISA_H */
