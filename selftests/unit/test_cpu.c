// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vmm_core/cpu.c
/*
 * The virtual hart's CSR file, traps, sret and interrupt priority, against a
 * model that was written from the privileged specification: it keeps each
 * field of each register by itself, and knows numbers, not Umbra's macros.
 * Random sequences run on both, and everything visible is compared after each
 * step.
 */
#include "unit.h"
#include "../../vmm_core/cpu.h"

/* --- the model -------------------------------------------------------------- */

struct model {
	/* sstatus, field by field */
	unsigned int sie, spie, spp, sum, mxr, fs, vs;
	/* sie and sip, bit by bit */
	bool sei_en, sti_en, ssi_en;
	bool sei, sti, ssi;
	u64 stvec_base;
	unsigned int stvec_mode;
	u32 scounteren;
	unsigned int fiom, cbie, cbcfe, cbze;
	u64 sscratch, sepc, scause, stval, stimecmp;
	unsigned int satp_mode, satp_asid;
	u64 satp_ppn;
	bool supervisor;
	u64 pc;
};

struct model_features {
	bool sv39, sv48, sv57, fp, vector, sstc, zicbom, zicboz;
};

static u64 bits(u64 val, int hi, int lo)
{
	return (val >> lo) & ((2ull << (hi - lo)) - 1);
}

static u64 model_sstatus(const struct model *m)
{
	u64 val = 0;

	val += (u64)m->sie << 1;
	val += (u64)m->spie << 5;
	val += (u64)m->spp << 8;
	val += (u64)m->vs << 9;
	val += (u64)m->fs << 13;
	val += (u64)m->sum << 18;
	val += (u64)m->mxr << 19;
	val += 2ull << 32;		/* UXL: 64 bits, and no other */
	if (m->fs == 3 || m->vs == 3)
		val += 1ull << 63;
	return val;
}

static void model_write_sstatus(struct model *m, const struct model_features *f,
				u64 val)
{
	m->sie = bits(val, 1, 1);
	m->spie = bits(val, 5, 5);
	m->spp = bits(val, 8, 8);
	m->sum = bits(val, 18, 18);
	m->mxr = bits(val, 19, 19);
	if (f->vector)
		m->vs = bits(val, 10, 9);
	if (f->fp)
		m->fs = bits(val, 14, 13);
}

static u64 model_sip(const struct model *m)
{
	return m->ssi * 2u + m->sti * 32u + m->sei * 512u;
}

/* 0, or the reason why the CSR does not exist. */
static bool model_read(const struct model *m, const struct model_features *f,
		       unsigned int csr, u64 *val)
{
	switch (csr) {
	case 0x100:
		*val = model_sstatus(m);
		return true;
	case 0x104:
		*val = m->ssi_en * 2u + m->sti_en * 32u + m->sei_en * 512u;
		return true;
	case 0x105:
		*val = m->stvec_base * 4 + m->stvec_mode;
		return true;
	case 0x106:
		*val = m->scounteren;
		return true;
	case 0x10a:
		*val = m->fiom + m->cbie * 16u + m->cbcfe * 64u + m->cbze * 128u;
		return true;
	case 0x140:
		*val = m->sscratch;
		return true;
	case 0x141:
		*val = m->sepc;
		return true;
	case 0x142:
		*val = m->scause;
		return true;
	case 0x143:
		*val = m->stval;
		return true;
	case 0x144:
		*val = model_sip(m);
		return true;
	case 0x14d:
		*val = m->stimecmp;
		return f->sstc;
	case 0x180:
		*val = ((u64)m->satp_mode << 60) + ((u64)m->satp_asid << 44) +
		       m->satp_ppn;
		return true;
	}
	return false;
}

static bool model_write(struct model *m, const struct model_features *f,
			unsigned int csr, u64 val)
{
	unsigned int mode;

	switch (csr) {
	case 0x100:
		model_write_sstatus(m, f, val);
		return true;
	case 0x104:
		m->ssi_en = bits(val, 1, 1);
		m->sti_en = bits(val, 5, 5);
		m->sei_en = bits(val, 9, 9);
		return true;
	case 0x105:
		/* WARL; as QEMU has it, a reserved mode changes nothing. */
		if (bits(val, 1, 0) < 2) {
			m->stvec_mode = bits(val, 1, 0);
			m->stvec_base = val / 4;
		}
		return true;
	case 0x106:
		m->scounteren = (u32)val;
		return true;
	case 0x10a:
		m->fiom = bits(val, 0, 0);
		if (f->zicbom) {
			if (bits(val, 5, 4) != 2)
				m->cbie = bits(val, 5, 4);
			m->cbcfe = bits(val, 6, 6);
		}
		if (f->zicboz)
			m->cbze = bits(val, 7, 7);
		return true;
	case 0x140:
		m->sscratch = val;
		return true;
	case 0x141:
		m->sepc = val - val % 2;
		return true;
	case 0x142:
		m->scause = val;
		return true;
	case 0x143:
		m->stval = val;
		return true;
	case 0x144:
		m->ssi = bits(val, 1, 1);
		return true;
	case 0x14d:
		if (f->sstc)
			m->stimecmp = val;
		return f->sstc;
	case 0x180:
		mode = bits(val, 63, 60);
		if (mode == 0 || (mode == 8 && f->sv39) ||
		    (mode == 9 && f->sv48) || (mode == 10 && f->sv57)) {
			m->satp_mode = mode;
			m->satp_asid = bits(val, 59, 44);
			m->satp_ppn = bits(val, 43, 0);
		}
		return true;
	}
	return false;
}

static void model_trap(struct model *m, bool interrupt, unsigned int code,
		       u64 tval)
{
	m->spp = m->supervisor;
	m->spie = m->sie;
	m->sie = 0;
	m->sepc = m->pc;
	m->scause = code;
	if (interrupt)
		m->scause += 1ull << 63;
	m->stval = tval;
	m->supervisor = true;
	m->pc = m->stvec_base * 4;
	if (interrupt && m->stvec_mode == 1)
		m->pc += 4 * code;
}

static void model_sret(struct model *m)
{
	m->sie = m->spie;
	m->spie = 1;
	m->supervisor = m->spp;
	m->spp = 0;
	m->pc = m->sepc;
}

/* The interrupt to take, by its number, or 0. */
static unsigned int model_interrupt(const struct model *m)
{
	if (m->supervisor && !m->sie)
		return 0;
	if (m->sei && m->sei_en)
		return 9;
	if (m->ssi && m->ssi_en)
		return 1;
	if (m->sti && m->sti_en)
		return 5;
	return 0;
}

/* --- both, side by side ---------------------------------------------------------- */

static const u16 known_csrs[] = {
	0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144,
	0x14d, 0x180,
};

static struct umbra_cpu cpu;
static struct umbra_cpu_features feat;
static struct model model;
static struct model_features mfeat;

static void random_features(void)
{
	u64 r = unit_rand();

	mfeat = (struct model_features) {
		.sv39 = true, .sv48 = r & 1, .sv57 = (r & 3) == 3,
		.fp = r & 4, .vector = r & 8, .sstc = r & 16,
		.zicbom = r & 32, .zicboz = r & 64,
	};
	feat = (struct umbra_cpu_features) {
		.satp_modes = 1u << 8 | mfeat.sv48 << 9 | mfeat.sv57 << 10,
		.senvcfg = 1 | mfeat.zicbom * 0x70u | mfeat.zicboz * 0x80u,
		.fs = mfeat.fp, .vs = mfeat.vector, .sstc = mfeat.sstc,
	};
}

static void fresh(void)
{
	random_features();
	memset(&cpu, 0, sizeof(cpu));
	memset(&model, 0, sizeof(model));
	cpu.sstatus = 2ull << 32;
	cpu.priv = UMBRA_PRIV_S;
	model.supervisor = true;
}

/* Values that make something of themselves: patterns, single bits, noise. */
static u64 random_value(void)
{
	u64 r = unit_rand();

	switch (unit_rand_below(6)) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return 1ull << (r & 63);
	case 3:
		/* A satp that may be legal. */
		return (8 + (r >> 62)) << 60 | (r & ((1ull << 60) - 1));
	case 4:
		return r & 0xfff;
	default:
		return r;
	}
}

static void compare(const char *after)
{
	unsigned int i;
	u64 a, b;

	for (i = 0; i < ARRAY_SIZE(known_csrs); i++) {
		bool exists = model_read(&model, &mfeat, known_csrs[i], &b);
		int ret = umbra_cpu_csr_read(&cpu, &feat, known_csrs[i], &a);

		if (!ret != exists || (ret && ret != -ENOENT))
			fail_test("after %s: reading CSR %#x gives %d, expected it %s",
				  after, known_csrs[i], ret,
				  exists ? "to exist" : "to be -ENOENT");
		else if (exists && a != b)
			fail_test("after %s: CSR %#x is %#llx, expected %#llx",
				  after, known_csrs[i], (unsigned long long)a,
				  (unsigned long long)b);
	}
	expect_eq(cpu.pc, model.pc);
	expect_eq(cpu.priv, model.supervisor);
	b = model_interrupt(&model);
	expect_eq(umbra_cpu_pending_irq(&cpu), b ? b | 1ull << 63 : 0);
}

static void step_csr(void)
{
	u16 csr = known_csrs[unit_rand_below(ARRAY_SIZE(known_csrs))];
	u64 val = random_value(), old;
	char what[64];
	bool exists;

	/* Sometimes as csrrs and csrrc do it. */
	if (model_read(&model, &mfeat, csr, &old)) {
		if (unit_rand() & 1)
			val = old | val;
		else if (unit_rand() & 1)
			val = old & ~val;
	}
	exists = model_write(&model, &mfeat, csr, val);
	expect_eq(umbra_cpu_csr_write(&cpu, &feat, csr, val),
		  exists ? 0 : -ENOENT);
	snprintf(what, sizeof(what), "CSR %#x = %#llx", csr,
		 (unsigned long long)val);
	compare(what);
}

static void step_wires(void)
{
	bool sei = unit_rand() & 1, sti = unit_rand() & 1;

	model.sei = sei;
	model.sti = sti;
	cpu.pins = sei * 512u + sti * 32u;
	compare("a change of wires");
}

static void step_exception(void)
{
	unsigned int code = unit_rand_below(16);
	u64 tval = random_value();

	model_trap(&model, false, code, tval);
	umbra_cpu_trap(&cpu, code, tval);
	compare("an exception");
}

/* Takes what umbra_cpu_pending_irq() offers, as the run loop does. */
static void step_interrupt(void)
{
	u64 cause = umbra_cpu_pending_irq(&cpu);
	unsigned int code = model_interrupt(&model);

	if (!cause || !code)
		return;
	model_trap(&model, true, code, 0);
	umbra_cpu_trap(&cpu, cause, 0);
	compare("an interrupt");
}

static void step_sret(void)
{
	if (!model.supervisor)
		return;
	model_sret(&model);
	umbra_cpu_sret(&cpu);
	compare("sret");
}

static void step_jump(void)
{
	model.pc = cpu.pc = unit_rand() & ~1ull;
	model.supervisor = unit_rand() & 1;
	cpu.priv = model.supervisor;
	compare("a jump");
}

UNIT_TEST(random_sequences)
{
	unsigned int i, j;

	for (i = 0; i < 4000; i++) {
		fresh();
		compare("reset");
		for (j = 0; j < 100 && !unit.failures; j++) {
			switch (unit_rand_below(10)) {
			case 0:
				step_wires();
				break;
			case 1:
				step_exception();
				break;
			case 2:
				step_interrupt();
				break;
			case 3:
				step_sret();
				break;
			case 4:
				step_jump();
				break;
			default:
				step_csr();
				break;
			}
		}
	}
}

/* Every number: only the twelve exist here, and the others change nothing. */
UNIT_TEST(unknown_csrs)
{
	unsigned int csr;

	for (csr = 0; csr < 4096; csr++) {
		struct umbra_cpu before;
		u64 val = 0x5555;
		bool known;

		fresh();
		known = model_read(&model, &mfeat, csr, &val);
		before = cpu;
		expect_eq(umbra_cpu_csr_read(&cpu, &feat, csr, &val),
			  known ? 0 : -ENOENT);
		if (known)
			continue;
		expect_eq(umbra_cpu_csr_write(&cpu, &feat, csr, ~0ull), -ENOENT);
		expect_mem_eq(&cpu, &before, sizeof(cpu));
	}
}

/* Section 2.1: bits 9:8 lowest privilege, bits 11:10 read-only when 3. */
UNIT_TEST(csr_privilege)
{
	unsigned int csr, priv, write;

	for (csr = 0; csr < 4096; csr++)
		for (priv = 0; priv < 2; priv++)
			for (write = 0; write < 2; write++) {
				bool legal = bits(csr, 9, 8) <= priv &&
					     !(write && bits(csr, 11, 10) == 3);

				cpu.priv = priv;
				if (umbra_cpu_csr_legal(&cpu, csr, write) != legal)
					fail_test("CSR %#x, priv %u, %s: expected %slegal",
						  csr, priv, write ? "write" : "read",
						  legal ? "" : "il");
			}
}

UNIT_TEST(counters)
{
	unsigned int csr, i;

	for (i = 0; i < 200; i++) {
		cpu.scounteren = (u32)unit_rand();
		for (csr = 0; csr < 4096; csr++) {
			bool counter = csr >= 0xc00 && csr <= 0xc1f;

			cpu.priv = UMBRA_PRIV_S;
			expect_eq(umbra_cpu_counter_legal(&cpu, csr), counter);
			cpu.priv = UMBRA_PRIV_U;
			expect_eq(umbra_cpu_counter_legal(&cpu, csr),
				  counter && bits(cpu.scounteren, csr & 31, csr & 31));
		}
	}
}

/* All of pending x enabled x SIE x privilege. */
UNIT_TEST(interrupt_priority)
{
	unsigned int n;

	for (n = 0; n < 256; n++) {
		u64 expected;

		fresh();
		model.sei = n & 1;
		model.ssi = n & 2;
		model.sti = n & 4;
		model.sei_en = n & 8;
		model.ssi_en = n & 16;
		model.sti_en = n & 32;
		model.sie = !!(n & 64);
		model.supervisor = n & 128;
		cpu.pins = (n & 1 ? 512 : 0) | (n & 4 ? 32 : 0);
		cpu.sip = n & 2 ? 2 : 0;
		cpu.sie = (n & 8 ? 512 : 0) | (n & 16 ? 2 : 0) | (n & 32 ? 32 : 0);
		cpu.sstatus |= n & 64 ? 2 : 0;
		cpu.priv = !!(n & 128);
		expected = model_interrupt(&model);
		if (expected)
			expected |= 1ull << 63;
		expect_eq(umbra_cpu_pending_irq(&cpu), expected);
	}
}

/* The cases a reader would look for first, in plain numbers. */
UNIT_TEST(by_hand)
{
	u64 val;

	fresh();
	feat = (struct umbra_cpu_features) {
		.satp_modes = 1 << 8, .senvcfg = 0xf1, .fs = true,
	};
	umbra_cpu_csr_write(&cpu, &feat, 0x100, ~0ull);
	umbra_cpu_csr_read(&cpu, &feat, 0x100, &val);
	expect_eq(val, 0x80000002000c6122);
	umbra_cpu_csr_write(&cpu, &feat, 0x100, 0);
	umbra_cpu_csr_read(&cpu, &feat, 0x100, &val);
	expect_eq(val, 0x200000000);

	/* Sv48 is not offered: satp keeps all of its old value. */
	umbra_cpu_csr_write(&cpu, &feat, 0x180, 0x8000100000080000);
	umbra_cpu_csr_write(&cpu, &feat, 0x180, 0x9000200000090000);
	expect_eq(cpu.satp, 0x8000100000080000);

	/* STIP and SEIP cannot be written. */
	umbra_cpu_csr_write(&cpu, &feat, 0x144, ~0ull);
	expect_eq(umbra_cpu_sip(&cpu), 2);

	/* CBIE = 2 is reserved. */
	umbra_cpu_csr_write(&cpu, &feat, 0x10a, 0x10);
	umbra_cpu_csr_write(&cpu, &feat, 0x10a, 0x20);
	expect_eq(cpu.senvcfg, 0x10);

	/* A vectored timer interrupt from U-mode, and back. */
	cpu.stvec = 0x80001001;
	cpu.sstatus = 0x200000002;
	cpu.pc = 0x12344;
	cpu.priv = UMBRA_PRIV_U;
	umbra_cpu_trap(&cpu, 1ull << 63 | 5, 0);
	expect_eq(cpu.pc, 0x80001014);
	expect_eq(cpu.sstatus, 0x200000020);
	expect_eq(cpu.priv, UMBRA_PRIV_S);
	expect_eq(cpu.sepc, 0x12344);
	umbra_cpu_sret(&cpu);
	expect_eq(cpu.pc, 0x12344);
	expect_eq(cpu.sstatus, 0x200000022);
	expect_eq(cpu.priv, UMBRA_PRIV_U);

	/* Exceptions ignore the vector mode. */
	umbra_cpu_trap(&cpu, 13, 0xdead);
	expect_eq(cpu.pc, 0x80001000);
	expect_eq(cpu.stval, 0xdead);
}

/* Sscofpmf: bit 13 of sie and sip, below all others; without it, not there. */
UNIT_TEST(counter_overflow)
{
	fresh();
	for (int on = 0; on < 2; on++) {
		feat = (struct umbra_cpu_features) { .sscofpmf = on };
		umbra_cpu_csr_write(&cpu, &feat, 0x104, ~0ull);
		expect_eq(cpu.sie, on ? 0x2222 : 0x222);
		umbra_cpu_csr_write(&cpu, &feat, 0x144, ~0ull);
		expect_eq(umbra_cpu_sip(&cpu), on ? 0x2002 : 0x2);
	}
	cpu.priv = UMBRA_PRIV_U;
	cpu.pins = V_STI;
	cpu.sip = V_LCOFI;
	expect_eq(umbra_cpu_pending_irq(&cpu), 1ull << 63 | 5);
	cpu.pins = 0;
	expect_eq(umbra_cpu_pending_irq(&cpu), 1ull << 63 | 13);
	umbra_cpu_csr_write(&cpu, &feat, 0x144, 0);
	expect_eq(umbra_cpu_pending_irq(&cpu), 0);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
