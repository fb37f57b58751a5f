// SPDX-License-Identifier: GPL-2.0
/*
 * CSR file and privilege rules of the virtual hart.
 *
 * Pure: called by the emulator (emulate.c), the one-reg interface, and the
 * native tests.  No locks: a hart's registers belong to the thread that runs
 * its vCPU.
 */
#include "cpu.h"

u64 umbra_cpu_sstatus(const struct umbra_cpu *cpu)
{
	u64 val = cpu->sstatus & ~V_SD;

	if ((val & V_FS) == V_FS || (val & V_VS) == V_VS)
		val |= V_SD;
	return val;
}

void umbra_cpu_set_sstatus(struct umbra_cpu *cpu,
			   const struct umbra_cpu_features *feat, u64 val)
{
	u64 mask = V_SIE | V_SPIE | V_SPP | V_SUM | V_MXR;

	if (feat->fs)
		mask |= V_FS;
	if (feat->vs)
		mask |= V_VS;
	/* UXL is WARL with one legal value, UBE is not implemented. */
	cpu->sstatus = (cpu->sstatus & ~(mask | V_SD)) | (val & mask);
}

static bool satp_legal(const struct umbra_cpu_features *feat, u64 val)
{
	u64 mode = val >> V_SATP_MODE_SHIFT;

	return mode == V_SATP_BARE || (feat->satp_modes & BIT_ULL(mode));
}

static u64 senvcfg_legal(const struct umbra_cpu *cpu,
			 const struct umbra_cpu_features *feat, u64 val)
{
	/* CBIE = 2 is reserved (section 10.1.10): keep the old field. */
	if ((val & V_ENVCFG_CBIE) == 0x20)
		val = (val & ~V_ENVCFG_CBIE) | (cpu->senvcfg & V_ENVCFG_CBIE);
	return val & feat->senvcfg;
}

int umbra_cpu_csr_read(const struct umbra_cpu *cpu,
		       const struct umbra_cpu_features *feat,
		       u16 csr, u64 *val)
{
	switch (csr) {
	case VCSR_SSTATUS:
		*val = umbra_cpu_sstatus(cpu);
		return 0;
	case VCSR_SIE:
		*val = cpu->sie;
		return 0;
	case VCSR_STVEC:
		*val = cpu->stvec;
		return 0;
	case VCSR_SCOUNTEREN:
		*val = cpu->scounteren;
		return 0;
	case VCSR_SENVCFG:
		*val = cpu->senvcfg;
		return 0;
	case VCSR_SSCRATCH:
		*val = cpu->sscratch;
		return 0;
	case VCSR_SEPC:
		*val = cpu->sepc;
		return 0;
	case VCSR_SCAUSE:
		*val = cpu->scause;
		return 0;
	case VCSR_STVAL:
		*val = cpu->stval;
		return 0;
	case VCSR_SIP:
		*val = umbra_cpu_sip(cpu);
		return 0;
	case VCSR_STIMECMP:
		if (!feat->sstc)
			return -ENOENT;
		*val = cpu->stimecmp;
		return 0;
	case VCSR_SATP:
		*val = cpu->satp;
		return 0;
	}
	return -ENOENT;
}

int umbra_cpu_csr_write(struct umbra_cpu *cpu,
			const struct umbra_cpu_features *feat,
			u16 csr, u64 val)
{
	switch (csr) {
	case VCSR_SSTATUS:
		umbra_cpu_set_sstatus(cpu, feat, val);
		return 0;
	case VCSR_SIE:
		cpu->sie = val & (V_IRQ_MASK | (feat->sscofpmf ? V_LCOFI : 0));
		return 0;
	case VCSR_STVEC:
		/* MODE 2 and 3 are reserved: the write is ignored. */
		if (!(val & 2))
			cpu->stvec = val;
		return 0;
	case VCSR_SCOUNTEREN:
		cpu->scounteren = val & 0xffffffff;
		return 0;
	case VCSR_SENVCFG:
		cpu->senvcfg = senvcfg_legal(cpu, feat, val);
		return 0;
	case VCSR_SSCRATCH:
		cpu->sscratch = val;
		return 0;
	case VCSR_SEPC:
		cpu->sepc = val & ~1UL;
		return 0;
	case VCSR_SCAUSE:
		cpu->scause = val;
		return 0;
	case VCSR_STVAL:
		cpu->stval = val;
		return 0;
	case VCSR_SIP:
		/* STIP and SEIP are read-only to S-mode (section 10.1.3). */
		cpu->sip = val & (V_SSI | (feat->sscofpmf ? V_LCOFI : 0));
		return 0;
	case VCSR_STIMECMP:
		if (!feat->sstc)
			return -ENOENT;
		cpu->stimecmp = val;
		return 0;
	case VCSR_SATP:
		/* An unsupported MODE leaves satp as it was. */
		if (satp_legal(feat, val))
			cpu->satp = val;
		return 0;
	}
	return -ENOENT;
}

bool umbra_cpu_csr_legal(const struct umbra_cpu *cpu, u16 csr, bool write)
{
	if (((csr >> 8) & 3) > cpu->priv)
		return false;
	return !(write && (csr >> 10) == 3);
}

bool umbra_cpu_counter_legal(const struct umbra_cpu *cpu, u16 csr)
{
	if (csr < VCSR_CYCLE || csr > VCSR_HPMCOUNTER31)
		return false;
	if (cpu->priv != UMBRA_PRIV_U)
		return true;
	return cpu->scounteren & BIT_ULL(csr - VCSR_CYCLE);
}

void umbra_cpu_trap(struct umbra_cpu *cpu, u64 cause, u64 tval)
{
	u64 status = cpu->sstatus & ~(V_SPP | V_SPIE | V_SIE);

	if (cpu->sstatus & V_SIE)
		status |= V_SPIE;
	if (cpu->priv == UMBRA_PRIV_S)
		status |= V_SPP;
	cpu->sstatus = status;
	cpu->sepc = cpu->pc;
	cpu->scause = cause;
	cpu->stval = tval;
	cpu->priv = UMBRA_PRIV_S;
	cpu->pc = cpu->stvec & ~3UL;
	if ((cpu->stvec & 1) && (cause & V_CAUSE_IRQ))
		cpu->pc += 4 * (cause & ~V_CAUSE_IRQ);
}

void umbra_cpu_sret(struct umbra_cpu *cpu)
{
	u64 status = cpu->sstatus & ~(V_SPP | V_SPIE | V_SIE);

	if (cpu->sstatus & V_SPIE)
		status |= V_SIE;
	cpu->priv = (cpu->sstatus & V_SPP) ? UMBRA_PRIV_S : UMBRA_PRIV_U;
	cpu->sstatus = status | V_SPIE;
	cpu->pc = cpu->sepc;
}

u64 umbra_cpu_pending_irq(const struct umbra_cpu *cpu)
{
	u64 pending = umbra_cpu_sip(cpu) & cpu->sie;

	if (!pending)
		return 0;
	if (cpu->priv == UMBRA_PRIV_S && !(cpu->sstatus & V_SIE))
		return 0;
	if (pending & V_SEI)
		return V_CAUSE_IRQ | 9;
	if (pending & V_SSI)
		return V_CAUSE_IRQ | 1;
	if (pending & V_STI)
		return V_CAUSE_IRQ | 5;
	return V_CAUSE_IRQ | 13;
}
