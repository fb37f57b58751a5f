/* SPDX-License-Identifier: GPL-2.0 */
/*
 * M-mode of a virtual hart: its CSRs, and how they change what S- and U-mode
 * may do (privileged spec, chapter 3).
 *
 * Pure.  Only guests that own the whole machine have it (UMBRA_CAP_M_MODE);
 * for the others cpu.h alone is the hart.  The state lies in the switch area
 * beside struct umbra_cpu, where stubs reach it: switch.c checks the offsets.
 *
 * What S-mode sees of a machine register is kept in struct umbra_cpu, where the
 * switcher reads it.  Invariants:
 *  - the S half of mstatus is cpu->sstatus, m->mstatus holds the other bits;
 *  - cpu->sie is m->mie & m->mideleg;
 *  - cpu->sip holds the bits of mip that software wrote, SEIP and STIP
 *    included; what wires drive is cpu->pins;
 *  - MPRV is 0 while the hart is not in M-mode.
 */
#ifndef UMBRA_MACHINE_H
#define UMBRA_MACHINE_H

#include "cpu.h"
#include "pmp.h"

/**
 * struct umbra_machine - the machine CSRs of one virtual hart
 * @mstatus: MIE MPIE MPP MPRV TVM TW TSR, and SXL, which is constant
 * @mcycle: what the counter lacks to the clock; its value while inhibited
 * @minstret: the same
 */
struct umbra_machine {
	u64 mstatus;
	u64 mtvec;
	u64 mscratch;
	u64 mepc;
	u64 mcause;
	u64 mtval;
	u64 medeleg;
	u64 mideleg;
	u64 mie;
	u64 mcounteren;
	u64 menvcfg;
	u64 mcountinhibit;
	u64 mhartid;
	u64 mcycle;
	u64 minstret;
	struct umbra_pmp pmp;
};

/* What a write to a CSR changed for others than the register itself. */
#define UMBRA_MCHANGE_VIEW	BIT(0)	/* MXR: other roots */
#define UMBRA_MCHANGE_HOT	BIT(1)	/* what S-mode may execute, or where it traps */
#define UMBRA_MCHANGE_PMP	BIT(2)	/* what memory may be accessed */
#define UMBRA_MCHANGE_TIMER	BIT(3)	/* when STIP is pending */

/* State after reset (section 3.4). */
void umbra_machine_reset(struct umbra_machine *m, struct umbra_cpu *cpu,
			 const struct umbra_cpu_features *feat);

/**
 * umbra_machine_csr_read() - read any CSR of a hart with M-mode
 * umbra_machine_csr_write() - write one, with its WARL rules
 * @now: the clock that counters count, read when the instruction began
 * @changes: UMBRA_MCHANGE_* are added
 *
 * Registers that M-mode does not change are cpu.h's.  User-level counters and
 * time are not here.  Privilege is the caller's business
 * (umbra_machine_csr_legal()).
 * Return: 0, or -ENOENT when the CSR is not of this kind.
 */
int umbra_machine_csr_read(const struct umbra_machine *m,
			   const struct umbra_cpu *cpu,
			   const struct umbra_cpu_features *feat,
			   u16 csr, u64 now, u64 *val);
int umbra_machine_csr_write(struct umbra_machine *m, struct umbra_cpu *cpu,
			    const struct umbra_cpu_features *feat,
			    u16 csr, u64 now, u64 val, unsigned int *changes);

/*
 * What csrrs and csrrc of @csr combine with their operand when the register
 * reads @old: of mip not the wired half of SEIP (section 3.1.9).
 */
u64 umbra_machine_csr_base(const struct umbra_cpu *cpu, u16 csr, u64 old);

/* May @csr be accessed now: privilege, TVM, counter enables, STCE. */
bool umbra_machine_csr_legal(const struct umbra_machine *m,
			     const struct umbra_cpu *cpu, u16 csr, bool write);

/* Take an exception or interrupt, into the mode that it is delegated to. */
void umbra_machine_trap(struct umbra_machine *m, struct umbra_cpu *cpu,
			u64 cause, u64 tval);

/* Execute mret; privilege already checked. */
void umbra_machine_mret(struct umbra_machine *m, struct umbra_cpu *cpu);

/* The interrupt that the hart must take now: its mcause or scause, 0: none. */
u64 umbra_machine_pending_irq(const struct umbra_machine *m,
			      const struct umbra_cpu *cpu);

/* Pending interrupts as mip shows them. */
static inline u64 umbra_machine_mip(const struct umbra_cpu *cpu)
{
	return cpu->sip | cpu->pins;
}

/* The privilege of loads and stores (MPRV, section 3.1.6.3). */
static inline u64 umbra_machine_data_priv(const struct umbra_machine *m,
					  const struct umbra_cpu *cpu)
{
	if (m->mstatus & V_MPRV)
		return (m->mstatus & V_MPP) >> V_MPP_SHIFT;
	return cpu->priv;
}

#endif /* UMBRA_MACHINE_H */
