/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtual hart: its registers, and the rules of the privileged
 * specification that need nothing else.
 *
 * Pure.  struct umbra_cpu lies at the start of the per-vCPU switch area, where
 * the switcher's assembly reads and writes it: the offsets are fixed by
 * switch_offsets.h and checked in switch.c.
 */
#ifndef UMBRA_CPU_H
#define UMBRA_CPU_H

#include "base.h"
#include "csr_bits.h"

enum umbra_priv {
	UMBRA_PRIV_U = 0,
	UMBRA_PRIV_S = 1,
	UMBRA_PRIV_M = 3,	/* of guests that have it: machine.h */
};

/**
 * struct umbra_cpu - architectural state of one virtual hart
 * @gpr: x0..x31; gpr[0] is 0
 * @pc: next instruction
 * @sstatus: SIE SPIE SPP SUM MXR UXL always; FS and VS only while the vCPU is
 *	outside the guest (inside, the hardware's own sstatus holds them);
 *	SD never, it is computed when read
 * @sip: the bits software set (SSIP, LCOFIP; with M-mode also STIP and SEIP); wired and
 *	timer bits are @pins
 * @pins: V_STI and V_SEI as driven by timer and interrupt controller; with
 *	M-mode also V_MSI, V_MTI and V_MEI
 * @priv: enum umbra_priv
 */
struct umbra_cpu {
	u64 gpr[32];
	u64 pc;
	u64 sstatus;
	u64 stvec;
	u64 sscratch;
	u64 sepc;
	u64 scause;
	u64 stval;
	u64 satp;
	u64 sie;
	u64 sip;
	u64 pins;
	u64 scounteren;
	u64 senvcfg;
	u64 stimecmp;
	u64 priv;
};

/**
 * struct umbra_cpu_features - what this hart was configured with
 * @satp_modes: bit n set: satp.MODE n is legal
 * @fs: F and D exist
 * @vs: V exists
 * @sstc: stimecmp exists
 * @svinval: the Svinval instructions exist
 * @senvcfg: writable bits of senvcfg
 * @sscofpmf: the counter-overflow interrupt exists
 * @svade: A and D clear raise page faults; else they are set by "hardware"
 * @misa: value of misa
 * @mvendorid: value of mvendorid
 * @marchid: value of marchid
 * @mimpid: value of mimpid
 */
struct umbra_cpu_features {
	u64 satp_modes;
	u64 senvcfg;
	bool fs;
	bool vs;
	bool sstc;
	bool svinval;
	bool sscofpmf;
	bool svade;
	u64 misa;
	u64 mvendorid;
	u64 marchid;
	u64 mimpid;
};

/* Pending interrupts as sip shows them. */
static inline u64 umbra_cpu_sip(const struct umbra_cpu *cpu)
{
	return (cpu->sip | cpu->pins) & (V_IRQ_MASK | V_LCOFI);
}

/* sstatus as an instruction reads it; FS and VS must be in cpu->sstatus. */
u64 umbra_cpu_sstatus(const struct umbra_cpu *cpu);
/* Write sstatus with its WARL rules. */
void umbra_cpu_set_sstatus(struct umbra_cpu *cpu,
			   const struct umbra_cpu_features *feat, u64 val);

/**
 * umbra_cpu_csr_read() - read a CSR that has no effect outside the hart
 * umbra_cpu_csr_write() - write one, with its WARL rules
 *
 * Privilege is the caller's business (umbra_cpu_csr_legal()).
 * Return: 0, or -ENOENT when the CSR is not of this kind.
 */
int umbra_cpu_csr_read(const struct umbra_cpu *cpu,
		       const struct umbra_cpu_features *feat,
		       u16 csr, u64 *val);
int umbra_cpu_csr_write(struct umbra_cpu *cpu,
			const struct umbra_cpu_features *feat,
			u16 csr, u64 val);

/* May @csr be accessed at the current privilege (section 2.1)? */
bool umbra_cpu_csr_legal(const struct umbra_cpu *cpu, u16 csr, bool write);

/* Is user-visible counter @csr readable at the current privilege? */
bool umbra_cpu_counter_legal(const struct umbra_cpu *cpu, u16 csr);

/* Take an exception or interrupt into S-mode (section 10.1). */
void umbra_cpu_trap(struct umbra_cpu *cpu, u64 cause, u64 tval);

/* Execute sret; privilege already checked. */
void umbra_cpu_sret(struct umbra_cpu *cpu);

/*
 * The interrupt that the hart must take now: its scause, or 0 for none
 * (section 10.1.3: external before software before timer).
 */
u64 umbra_cpu_pending_irq(const struct umbra_cpu *cpu);

#endif /* UMBRA_CPU_H */
