// SPDX-License-Identifier: GPL-2.0
/*
 * M-mode of a virtual hart; see machine.h.
 *
 * Pure: called by the emulator, the run loop, the one-reg interface and the
 * native tests.  No locks: a hart's registers belong to the thread that runs
 * its vCPU.
 */
#include "machine.h"

#define MSTATUS_MACHINE	(V_MIE | V_MPIE | V_MPP | V_MPRV | V_TVM | V_TW | V_TSR)

void umbra_machine_reset(struct umbra_machine *m, struct umbra_cpu *cpu,
			 const struct umbra_cpu_features *feat)
{
	u64 hart = m->mhartid;

	memset(m, 0, sizeof(*m));
	m->mhartid = hart;
	m->mstatus = V_SXL_64;
	/* What hardware does with A and D until firmware says otherwise. */
	if (!feat->svade)
		m->menvcfg = V_ENVCFG_ADUE;
	cpu->priv = UMBRA_PRIV_M;
	cpu->sstatus &= ~(V_FS | V_VS);
}

/* --- mstatus -------------------------------------------------------------------------- */

static u64 read_mstatus(const struct umbra_machine *m, const struct umbra_cpu *cpu)
{
	return umbra_cpu_sstatus(cpu) | m->mstatus;
}

static void write_mstatus(struct umbra_machine *m, struct umbra_cpu *cpu,
			  const struct umbra_cpu_features *feat, u64 val,
			  unsigned int *changes)
{
	u64 old = read_mstatus(m, cpu);

	umbra_cpu_set_sstatus(cpu, feat, val);
	/* MPP = 2 is reserved: keep the old field. */
	if ((val & V_MPP) == 2UL << V_MPP_SHIFT)
		val = (val & ~V_MPP) | (m->mstatus & V_MPP);
	m->mstatus = (m->mstatus & ~MSTATUS_MACHINE) | (val & MSTATUS_MACHINE);
	if ((old ^ val) & V_MXR)
		*changes |= UMBRA_MCHANGE_VIEW;
	if ((old ^ val) & (V_TVM | V_TW | V_TSR))
		*changes |= UMBRA_MCHANGE_HOT;
}

/* --- interrupts ------------------------------------------------------------------------ */

/* The bits of mip that M-mode can write (section 3.1.9; Sstc for STIP). */
static u64 mip_writable(const struct umbra_machine *m)
{
	return V_SSI | V_SEI | (m->menvcfg & V_ENVCFG_STCE ? 0 : V_STI);
}

static void write_mie(struct umbra_machine *m, struct umbra_cpu *cpu, u64 val,
		      u64 mask)
{
	m->mie = (m->mie & ~mask) | (val & mask);
	cpu->sie = m->mie & m->mideleg;
}

u64 umbra_machine_csr_base(const struct umbra_cpu *cpu, u16 csr, u64 old)
{
	if (csr != VCSR_MIP)
		return old;
	return (old & ~V_SEI) | (cpu->sip & V_SEI);
}

u64 umbra_machine_pending_irq(const struct umbra_machine *m,
			      const struct umbra_cpu *cpu)
{
	/* Section 3.1.9: MEI, MSI, MTI, SEI, SSI, STI. */
	static const u8 order[] = { 11, 3, 7, 9, 1, 5 };
	u64 pending = umbra_machine_mip(cpu) & m->mie;
	u64 take = 0;

	if (cpu->priv != UMBRA_PRIV_M || (m->mstatus & V_MIE))
		take = pending & ~m->mideleg;
	/* Those for M-mode come first, whatever they are. */
	if (!take && (cpu->priv == UMBRA_PRIV_U ||
		      (cpu->priv == UMBRA_PRIV_S && (cpu->sstatus & V_SIE))))
		take = pending & m->mideleg;
	for (unsigned int i = 0; take && i < ARRAY_SIZE(order); i++)
		if (take & BIT(order[i]))
			return V_CAUSE_IRQ | order[i];
	return 0;
}

/* --- environment ------------------------------------------------------------------------ */

static void write_menvcfg(struct umbra_machine *m, struct umbra_cpu *cpu,
			  const struct umbra_cpu_features *feat, u64 val,
			  unsigned int *changes)
{
	u64 mask = feat->senvcfg;
	u64 old = m->menvcfg;

	if (feat->sstc)
		mask |= V_ENVCFG_STCE;
	if (!feat->svade)
		mask |= V_ENVCFG_ADUE;
	/* CBIE = 2 is reserved: keep the old field. */
	if ((val & V_ENVCFG_CBIE) == 0x20)
		val = (val & ~V_ENVCFG_CBIE) | (old & V_ENVCFG_CBIE);
	m->menvcfg = val & mask;
	if ((old ^ m->menvcfg) & V_ENVCFG_STCE) {
		/* From here on stimecmp alone drives STIP, or software. */
		cpu->sip &= ~V_STI;
		*changes |= UMBRA_MCHANGE_TIMER | UMBRA_MCHANGE_HOT;
	}
}

/* --- counters --------------------------------------------------------------------------- */

static u64 read_counter(u64 counter, bool inhibited, u64 now)
{
	return inhibited ? counter : counter + now;
}

static u64 make_counter(u64 val, bool inhibited, u64 now)
{
	return inhibited ? val : val - now;
}

static void write_mcountinhibit(struct umbra_machine *m, u64 val, u64 now)
{
	u64 old = m->mcountinhibit;
	u64 cycle = read_counter(m->mcycle, old & V_COUNTEREN_CY, now);
	u64 instret = read_counter(m->minstret, old & V_COUNTEREN_IR, now);

	m->mcountinhibit = val & (V_COUNTEREN_CY | V_COUNTEREN_IR);
	m->mcycle = make_counter(cycle, val & V_COUNTEREN_CY, now);
	m->minstret = make_counter(instret, val & V_COUNTEREN_IR, now);
}

/* Counters 3 to 31 and their events: there, and always 0. */
static bool is_hpm(u16 csr)
{
	return (csr >= VCSR_MHPMCOUNTER3 && csr <= VCSR_MHPMCOUNTER31) ||
	       (csr >= VCSR_MHPMEVENT3 && csr <= VCSR_MHPMEVENT31);
}

static bool is_pmpaddr(u16 csr)
{
	return csr >= VCSR_PMPADDR0 && csr <= VCSR_PMPADDR15;
}

/* --- the register file -------------------------------------------------------------------- */

static int read_id(const struct umbra_machine *m,
		   const struct umbra_cpu_features *feat, u16 csr, u64 *val)
{
	switch (csr) {
	case VCSR_MISA:
		*val = feat->misa;
		return 0;
	case VCSR_MVENDORID:
		*val = feat->mvendorid;
		return 0;
	case VCSR_MARCHID:
		*val = feat->marchid;
		return 0;
	case VCSR_MIMPID:
		*val = feat->mimpid;
		return 0;
	case VCSR_MHARTID:
		*val = m->mhartid;
		return 0;
	case VCSR_MCONFIGPTR:
		*val = 0;
		return 0;
	}
	return -ENOENT;
}

int umbra_machine_csr_read(const struct umbra_machine *m,
			   const struct umbra_cpu *cpu,
			   const struct umbra_cpu_features *feat,
			   u16 csr, u64 now, u64 *val)
{
	switch (csr) {
	case VCSR_SIP:
		*val = umbra_machine_mip(cpu) & m->mideleg;
		return 0;
	case VCSR_MSTATUS:
		*val = read_mstatus(m, cpu);
		return 0;
	case VCSR_MEDELEG:
		*val = m->medeleg;
		return 0;
	case VCSR_MIDELEG:
		*val = m->mideleg;
		return 0;
	case VCSR_MIE:
		*val = m->mie;
		return 0;
	case VCSR_MTVEC:
		*val = m->mtvec;
		return 0;
	case VCSR_MCOUNTEREN:
		*val = m->mcounteren;
		return 0;
	case VCSR_MENVCFG:
		*val = m->menvcfg;
		return 0;
	case VCSR_MCOUNTINHIBIT:
		*val = m->mcountinhibit;
		return 0;
	case VCSR_MSCRATCH:
		*val = m->mscratch;
		return 0;
	case VCSR_MEPC:
		*val = m->mepc;
		return 0;
	case VCSR_MCAUSE:
		*val = m->mcause;
		return 0;
	case VCSR_MTVAL:
		*val = m->mtval;
		return 0;
	case VCSR_MIP:
		*val = umbra_machine_mip(cpu);
		return 0;
	case VCSR_PMPCFG0:
	case VCSR_PMPCFG2:
		*val = umbra_pmp_read_cfg(&m->pmp, (csr - VCSR_PMPCFG0) / 2);
		return 0;
	case VCSR_MCYCLE:
		*val = read_counter(m->mcycle, m->mcountinhibit & V_COUNTEREN_CY,
				    now);
		return 0;
	case VCSR_MINSTRET:
		*val = read_counter(m->minstret,
				    m->mcountinhibit & V_COUNTEREN_IR, now);
		return 0;
	}
	if (is_pmpaddr(csr)) {
		*val = m->pmp.addr[csr - VCSR_PMPADDR0];
		return 0;
	}
	if (is_hpm(csr)) {
		*val = 0;
		return 0;
	}
	if (read_id(m, feat, csr, val) == 0)
		return 0;
	return umbra_cpu_csr_read(cpu, feat, csr, val);
}

int umbra_machine_csr_write(struct umbra_machine *m, struct umbra_cpu *cpu,
			    const struct umbra_cpu_features *feat,
			    u16 csr, u64 now, u64 val, unsigned int *changes)
{
	u64 mask;

	switch (csr) {
	case VCSR_SIE:
		write_mie(m, cpu, val, m->mideleg);
		return 0;
	case VCSR_SIP:
		mask = V_SSI & m->mideleg;
		cpu->sip = (cpu->sip & ~mask) | (val & mask);
		return 0;
	case VCSR_MSTATUS:
		write_mstatus(m, cpu, feat, val, changes);
		return 0;
	case VCSR_MISA:
		/* WARL with one legal value. */
		return 0;
	case VCSR_MEDELEG:
		if ((m->medeleg ^ val) & BIT(V_EXC_ECALL_U))
			*changes |= UMBRA_MCHANGE_HOT;
		m->medeleg = val & V_EXC_DELEGABLE;
		return 0;
	case VCSR_MIDELEG:
		m->mideleg = val & V_IRQ_MASK;
		cpu->sie = m->mie & m->mideleg;
		return 0;
	case VCSR_MIE:
		write_mie(m, cpu, val, V_MIRQ_MASK);
		return 0;
	case VCSR_MTVEC:
		/* MODE 2 and 3 are reserved: the write is ignored. */
		if (!(val & 2))
			m->mtvec = val;
		return 0;
	case VCSR_MCOUNTEREN:
		if ((m->mcounteren ^ val) & V_COUNTEREN_TM)
			*changes |= UMBRA_MCHANGE_HOT;
		m->mcounteren = val & 0xffffffff;
		return 0;
	case VCSR_MENVCFG:
		write_menvcfg(m, cpu, feat, val, changes);
		return 0;
	case VCSR_MCOUNTINHIBIT:
		write_mcountinhibit(m, val, now);
		return 0;
	case VCSR_MSCRATCH:
		m->mscratch = val;
		return 0;
	case VCSR_MEPC:
		m->mepc = val & ~1UL;
		return 0;
	case VCSR_MCAUSE:
		m->mcause = val;
		return 0;
	case VCSR_MTVAL:
		m->mtval = val;
		return 0;
	case VCSR_MIP:
		mask = mip_writable(m);
		cpu->sip = (cpu->sip & ~mask) | (val & mask);
		return 0;
	case VCSR_PMPCFG0:
	case VCSR_PMPCFG2:
		if (umbra_pmp_write_cfg(&m->pmp, (csr - VCSR_PMPCFG0) / 2, val))
			*changes |= UMBRA_MCHANGE_PMP;
		return 0;
	case VCSR_MCYCLE:
		m->mcycle = make_counter(val, m->mcountinhibit & V_COUNTEREN_CY,
					 now);
		return 0;
	case VCSR_MINSTRET:
		m->minstret = make_counter(val,
					   m->mcountinhibit & V_COUNTEREN_IR,
					   now);
		return 0;
	}
	if (is_pmpaddr(csr)) {
		if (umbra_pmp_write_addr(&m->pmp, csr - VCSR_PMPADDR0, val))
			*changes |= UMBRA_MCHANGE_PMP;
		return 0;
	}
	if (is_hpm(csr))
		return 0;
	return umbra_cpu_csr_write(cpu, feat, csr, val);
}

bool umbra_machine_csr_legal(const struct umbra_machine *m,
			     const struct umbra_cpu *cpu, u16 csr, bool write)
{
	if (!umbra_cpu_csr_legal(cpu, csr, write))
		return false;
	if (cpu->priv == UMBRA_PRIV_M)
		return true;
	if (csr == VCSR_SATP)
		return !(m->mstatus & V_TVM);
	if (csr == VCSR_STIMECMP)
		return (m->menvcfg & V_ENVCFG_STCE) &&
		       (m->mcounteren & V_COUNTEREN_TM);
	if (csr >= VCSR_CYCLE && csr <= VCSR_HPMCOUNTER31)
		return (m->mcounteren & BIT(csr - VCSR_CYCLE)) &&
		       umbra_cpu_counter_legal(cpu, csr);
	return true;
}

/* --- traps ---------------------------------------------------------------------------------- */

void umbra_machine_trap(struct umbra_machine *m, struct umbra_cpu *cpu,
			u64 cause, u64 tval)
{
	u64 code = cause & ~V_CAUSE_IRQ;
	u64 deleg = cause & V_CAUSE_IRQ ? m->mideleg : m->medeleg;
	u64 status;

	/* Section 3.1.8; a trap never goes to a less privileged mode. */
	if (cpu->priv != UMBRA_PRIV_M && (deleg & BIT(code))) {
		umbra_cpu_trap(cpu, cause, tval);
		return;
	}
	status = m->mstatus & ~(V_MPP | V_MPIE | V_MIE);
	if (m->mstatus & V_MIE)
		status |= V_MPIE;
	m->mstatus = status | cpu->priv << V_MPP_SHIFT;
	m->mepc = cpu->pc;
	m->mcause = cause;
	m->mtval = tval;
	cpu->priv = UMBRA_PRIV_M;
	cpu->pc = m->mtvec & ~3UL;
	if ((m->mtvec & 1) && (cause & V_CAUSE_IRQ))
		cpu->pc += 4 * code;
}

void umbra_machine_mret(struct umbra_machine *m, struct umbra_cpu *cpu)
{
	u64 status = m->mstatus & ~(V_MPP | V_MPIE | V_MIE);

	if (m->mstatus & V_MPIE)
		status |= V_MIE;
	cpu->priv = (m->mstatus & V_MPP) >> V_MPP_SHIFT;
	if (cpu->priv != UMBRA_PRIV_M)
		status &= ~V_MPRV;
	m->mstatus = status | V_MPIE;
	cpu->pc = m->mepc;
}
