// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../vmm_core/machine.c ../../vmm_core/pmp.c ../../vmm_core/cpu.c
/*
 * M-mode of the virtual hart against a model that was written from the
 * privileged specification: it keeps each field of each register by itself, and
 * knows numbers, not Umbra's macros.  Random sequences of CSR writes, wires,
 * traps and returns run on both, and everything visible is compared after each
 * step, at the privilege of each mode.
 */
#include "unit.h"
#include "../../vmm_core/machine.h"

/* --- the model -------------------------------------------------------------- */

enum { U = 0, S = 1, M = 3 };

struct model {
	unsigned int priv;
	u64 pc;
	/* mstatus */
	unsigned int sie, mie, spie, mpie, spp, mpp, vs, fs, mprv, sum, mxr,
		     tvm, tw, tsr;
	/* interrupts, a bit by its number */
	u64 enabled, wired, soft;
	u64 deleg_exc, deleg_irq;
	u64 mtvec, stvec;
	u64 mscratch, mepc, mcause, mtval;
	u64 sscratch, sepc, scause, stval;
	u32 mcounteren, scounteren;
	unsigned int inhibit;
	/* menvcfg and senvcfg */
	unsigned int mfiom, mcbie, mcbcfe, mcbze, stce, adue;
	unsigned int sfiom, scbie, scbcfe, scbze;
	u64 satp, stimecmp;
	/* counters: the value at a moment, and whether it moves from there */
	u64 cycle, instret, counted_at;
	u64 now;
};

struct model_features {
	bool sv48, fp, vector, sstc, zicbom, zicboz, svade;
};

static struct model m;
static struct model_features f;

static u64 bits(u64 val, int hi, int lo)
{
	return (val >> lo) & ((2ull << (hi - lo)) - 1);
}

static u64 model_sstatus(void)
{
	return (u64)m.sie << 1 | m.spie << 5 | m.spp << 8 | m.vs << 9 |
	       m.fs << 13 | m.sum << 18 | m.mxr << 19 | 2ull << 32 |
	       (u64)(m.fs == 3 || m.vs == 3) << 63;
}

static u64 model_mstatus(void)
{
	return model_sstatus() | m.mie << 3 | m.mpie << 7 | m.mpp << 11 |
	       m.mprv << 17 | m.tvm << 20 | m.tw << 21 | m.tsr << 22 |
	       2ull << 34;
}

static void model_write_sstatus(u64 val)
{
	m.sie = bits(val, 1, 1);
	m.spie = bits(val, 5, 5);
	m.spp = bits(val, 8, 8);
	if (f.vector)
		m.vs = bits(val, 10, 9);
	if (f.fp)
		m.fs = bits(val, 14, 13);
	m.sum = bits(val, 18, 18);
	m.mxr = bits(val, 19, 19);
}

static void model_write_mstatus(u64 val)
{
	model_write_sstatus(val);
	m.mie = bits(val, 3, 3);
	m.mpie = bits(val, 7, 7);
	if (bits(val, 12, 11) != 2)
		m.mpp = bits(val, 12, 11);
	m.mprv = bits(val, 17, 17);
	m.tvm = bits(val, 20, 20);
	m.tw = bits(val, 21, 21);
	m.tsr = bits(val, 22, 22);
}

static u64 model_mip(void)
{
	return m.wired | m.soft;
}

static void model_count(void)
{
	if (!(m.inhibit & 1))
		m.cycle += m.now - m.counted_at;
	if (!(m.inhibit & 4))
		m.instret += m.now - m.counted_at;
	m.counted_at = m.now;
}

static u64 model_envcfg(unsigned int fiom, unsigned int cbie, unsigned int cbcfe,
			unsigned int cbze)
{
	return fiom | cbie << 4 | cbcfe << 6 | cbze << 7;
}

static bool model_read(unsigned int csr, u64 *val)
{
	model_count();
	switch (csr) {
	case 0x100:
		*val = model_sstatus();
		return true;
	case 0x104:
		*val = m.enabled & m.deleg_irq;
		return true;
	case 0x105:
		*val = m.stvec;
		return true;
	case 0x106:
		*val = m.scounteren;
		return true;
	case 0x10a:
		*val = model_envcfg(m.sfiom, m.scbie, m.scbcfe, m.scbze);
		return true;
	case 0x140:
		*val = m.sscratch;
		return true;
	case 0x141:
		*val = m.sepc;
		return true;
	case 0x142:
		*val = m.scause;
		return true;
	case 0x143:
		*val = m.stval;
		return true;
	case 0x144:
		*val = model_mip() & m.deleg_irq;
		return true;
	case 0x14d:
		*val = m.stimecmp;
		return f.sstc;
	case 0x180:
		*val = m.satp;
		return true;
	case 0x300:
		*val = model_mstatus();
		return true;
	case 0x301:
		*val = 0x8000000000141105;
		return true;
	case 0x302:
		*val = m.deleg_exc;
		return true;
	case 0x303:
		*val = m.deleg_irq;
		return true;
	case 0x304:
		*val = m.enabled;
		return true;
	case 0x305:
		*val = m.mtvec;
		return true;
	case 0x306:
		*val = m.mcounteren;
		return true;
	case 0x30a:
		*val = model_envcfg(m.mfiom, m.mcbie, m.mcbcfe, m.mcbze) |
		       (u64)m.adue << 61 | (u64)m.stce << 63;
		return true;
	case 0x320:
		*val = m.inhibit;
		return true;
	case 0x340:
		*val = m.mscratch;
		return true;
	case 0x341:
		*val = m.mepc;
		return true;
	case 0x342:
		*val = m.mcause;
		return true;
	case 0x343:
		*val = m.mtval;
		return true;
	case 0x344:
		*val = model_mip();
		return true;
	case 0xb00:
		*val = m.cycle;
		return true;
	case 0xb02:
		*val = m.instret;
		return true;
	case 0xf11:
		*val = 0x111;
		return true;
	case 0xf12:
		*val = 0x222;
		return true;
	case 0xf13:
		*val = 0x333;
		return true;
	case 0xf14:
		*val = 7;
		return true;
	case 0xf15:
		*val = 0;
		return true;
	}
	if ((csr >= 0x323 && csr <= 0x33f) || (csr >= 0xb03 && csr <= 0xb1f)) {
		*val = 0;
		return true;
	}
	return false;
}

static void model_write(unsigned int csr, u64 val)
{
	u64 mask;

	model_count();
	switch (csr) {
	case 0x100:
		model_write_sstatus(val);
		break;
	case 0x104:
		m.enabled = (m.enabled & ~m.deleg_irq) | (val & m.deleg_irq);
		break;
	case 0x105:
		if (bits(val, 1, 0) < 2)
			m.stvec = val;
		break;
	case 0x106:
		m.scounteren = (u32)val;
		break;
	case 0x10a:
		m.sfiom = bits(val, 0, 0);
		if (f.zicbom) {
			if (bits(val, 5, 4) != 2)
				m.scbie = bits(val, 5, 4);
			m.scbcfe = bits(val, 6, 6);
		}
		if (f.zicboz)
			m.scbze = bits(val, 7, 7);
		break;
	case 0x140:
		m.sscratch = val;
		break;
	case 0x141:
		m.sepc = val - val % 2;
		break;
	case 0x142:
		m.scause = val;
		break;
	case 0x143:
		m.stval = val;
		break;
	case 0x144:
		/* SSIP alone, if it is S-mode's */
		mask = m.deleg_irq & 2;
		m.soft = (m.soft & ~mask) | (val & mask);
		break;
	case 0x14d:
		m.stimecmp = val;
		break;
	case 0x180:
		if (bits(val, 63, 60) == 0 || bits(val, 63, 60) == 8 ||
		    (bits(val, 63, 60) == 9 && f.sv48))
			m.satp = val;
		break;
	case 0x300:
		model_write_mstatus(val);
		break;
	case 0x302:
		/* all causes but reserved ones, and ecalls from M-mode */
		m.deleg_exc = val & 0xb3ff;
		break;
	case 0x303:
		m.deleg_irq = val & 0x222;
		break;
	case 0x304:
		m.enabled = val & 0xaaa;
		break;
	case 0x305:
		if (bits(val, 1, 0) < 2)
			m.mtvec = val;
		break;
	case 0x306:
		m.mcounteren = (u32)val;
		break;
	case 0x30a:
		m.mfiom = bits(val, 0, 0);
		if (f.zicbom) {
			if (bits(val, 5, 4) != 2)
				m.mcbie = bits(val, 5, 4);
			m.mcbcfe = bits(val, 6, 6);
		}
		if (f.zicboz)
			m.mcbze = bits(val, 7, 7);
		if (!f.svade)
			m.adue = bits(val, 61, 61);
		if (f.sstc && m.stce != bits(val, 63, 63)) {
			m.stce ^= 1;
			m.soft &= ~32ull;
		}
		break;
	case 0x320:
		m.inhibit = val & 5;
		break;
	case 0x340:
		m.mscratch = val;
		break;
	case 0x341:
		m.mepc = val - val % 2;
		break;
	case 0x342:
		m.mcause = val;
		break;
	case 0x343:
		m.mtval = val;
		break;
	case 0x344:
		mask = 2 + 512 + (m.stce ? 0 : 32);
		m.soft = (m.soft & ~mask) | (val & mask);
		break;
	case 0xb00:
		m.cycle = val;
		break;
	case 0xb02:
		m.instret = val;
		break;
	}
}

/* Sections 2.1, 3.1.6.6 (TVM), 3.1.11 (counters), Sstc. */
static bool model_legal(unsigned int csr, bool write)
{
	unsigned int priv = m.priv;

	if (bits(csr, 9, 8) > priv || (write && bits(csr, 11, 10) == 3))
		return false;
	if (csr >= 0xc00 && csr <= 0xc1f) {
		if (priv < M && !bits(m.mcounteren, csr & 31, csr & 31))
			return false;
		return priv > U || bits(m.scounteren, csr & 31, csr & 31);
	}
	if (priv == S && csr == 0x180)
		return !m.tvm;
	if (priv == S && csr == 0x14d)
		return m.stce && (m.mcounteren & 2);
	return true;
}

static void model_trap(bool irq, unsigned int code, u64 tval)
{
	u64 deleg = irq ? m.deleg_irq : m.deleg_exc;
	u64 vec;

	if (m.priv < M && (deleg >> code & 1)) {
		m.spp = m.priv;
		m.spie = m.sie;
		m.sie = 0;
		m.sepc = m.pc;
		m.scause = code | (u64)irq << 63;
		m.stval = tval;
		m.priv = S;
		vec = m.stvec;
	} else {
		m.mpp = m.priv;
		m.mpie = m.mie;
		m.mie = 0;
		m.mepc = m.pc;
		m.mcause = code | (u64)irq << 63;
		m.mtval = tval;
		m.priv = M;
		vec = m.mtvec;
	}
	m.pc = vec / 4 * 4 + (irq && vec % 2 ? 4 * code : 0);
}

static void model_mret(void)
{
	m.mie = m.mpie;
	m.mpie = 1;
	m.priv = m.mpp;
	m.mpp = U;
	if (m.priv != M)
		m.mprv = 0;
	m.pc = m.mepc;
}

/* Its number, or -1. */
static int model_interrupt(void)
{
	static const int order[] = { 11, 3, 7, 9, 1, 5 };

	for (int level = M; level >= S; level -= 2) {
		bool on = m.priv < (unsigned int)level ||
			  (m.priv == (unsigned int)level &&
			   (level == M ? m.mie : m.sie));

		for (int i = 0; on && i < 6; i++) {
			u64 bit = 1ull << order[i];
			bool mine = !!(m.deleg_irq & bit) == (level == S);

			if (mine && (model_mip() & m.enabled & bit))
				return order[i];
		}
	}
	return -1;
}

/* --- both, side by side ---------------------------------------------------------- */

static struct umbra_machine mach;
static struct umbra_cpu cpu;
static struct umbra_cpu_features feat;

static const u16 csrs[] = {
	0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144,
	0x14d, 0x180,
	0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x320, 0x323,
	0x33f, 0x340, 0x341, 0x342, 0x343, 0x344, 0xb00, 0xb02, 0xb03, 0xb1f,
	0xf11, 0xf12, 0xf13, 0xf14, 0xf15,
};

static void fresh(void)
{
	u64 r = unit_rand();

	f = (struct model_features) {
		.sv48 = r & 1, .fp = r & 4, .vector = r & 8, .sstc = r & 16,
		.zicbom = r & 32, .zicboz = r & 64, .svade = r & 128,
	};
	feat = (struct umbra_cpu_features) {
		.satp_modes = 1u << 8 | f.sv48 << 9,
		.senvcfg = 1 | f.zicbom * 0x70u | f.zicboz * 0x80u,
		.fs = f.fp, .vs = f.vector, .sstc = f.sstc, .svade = f.svade,
		.misa = 0x8000000000141105, .mvendorid = 0x111,
		.marchid = 0x222, .mimpid = 0x333,
	};
	memset(&cpu, 0, sizeof(cpu));
	cpu.sstatus = 2ull << 32;
	/* Reset clears whatever was there. */
	memset(&mach, 0xff, sizeof(mach));
	mach.mhartid = 7;
	umbra_machine_reset(&mach, &cpu, &feat);
	memset(&m, 0, sizeof(m));
	m.priv = M;
	m.adue = !f.svade;
}

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
		return (8 + (r >> 62)) << 60 | (r & ((1ull << 60) - 1));
	case 4:
		return r & 0xffff;
	default:
		return r;
	}
}

static void compare(const char *after)
{
	int irq = model_interrupt();

	for (unsigned int i = 0; i < ARRAY_SIZE(csrs); i++) {
		u64 a = 0, b = 0;
		bool exists = model_read(csrs[i], &b);
		int ret = umbra_machine_csr_read(&mach, &cpu, &feat, csrs[i],
						 m.now, &a);

		if (!ret != exists || (exists && a != b))
			fail_test("after %s: CSR %#x gives %d, %#llx, expected %s, %#llx",
				  after, csrs[i], ret, (unsigned long long)a,
				  exists ? "0" : "an error", (unsigned long long)b);
	}
	expect_eq(cpu.pc, m.pc);
	expect_eq(cpu.priv, m.priv);
	expect_eq(umbra_machine_data_priv(&mach, &cpu), m.mprv ? m.mpp : m.priv);
	expect_eq(umbra_machine_pending_irq(&mach, &cpu),
		  irq < 0 ? 0 : (u64)irq | 1ull << 63);
	/* What the switcher and the rest of Umbra read. */
	expect_eq(cpu.sie, m.enabled & m.deleg_irq);
}

static void step_csr(void)
{
	u16 csr = csrs[unit_rand_below(ARRAY_SIZE(csrs))];
	u64 val = random_value(), old = 0, base;
	unsigned int changes = 0;
	char what[64];

	if (csr >> 10 == 3 || !model_read(csr, &old))
		return;
	/* Sometimes as csrrs and csrrc do it: the wired SEIP is not written. */
	base = csr == 0x344 ? (old & ~512ull) | (m.soft & 512) : old;
	expect_eq(umbra_machine_csr_base(&cpu, csr, old), base);
	if (unit_rand() & 1)
		val = base | val;
	else if (unit_rand() & 1)
		val = base & ~val;
	model_write(csr, val);
	expect_eq(umbra_machine_csr_write(&mach, &cpu, &feat, csr, m.now, val,
					  &changes), 0);
	snprintf(what, sizeof(what), "CSR %#x = %#llx", csr,
		 (unsigned long long)val);
	compare(what);
}

static void step_wires(void)
{
	m.wired = unit_rand() & (0xa88 | (m.stce ? 32 : 0));
	cpu.pins = m.wired;
	compare("a change of wires");
}

static void step_trap(void)
{
	static const u8 causes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15 };
	unsigned int code = causes[unit_rand_below(ARRAY_SIZE(causes))];
	u64 tval = random_value();

	model_trap(false, code, tval);
	umbra_machine_trap(&mach, &cpu, code, tval);
	compare("an exception");
}

/* Takes what umbra_machine_pending_irq() offers, as the run loop does. */
static void step_interrupt(void)
{
	u64 cause = umbra_machine_pending_irq(&mach, &cpu);
	int code = model_interrupt();

	if (!cause || code < 0)
		return;
	model_trap(true, code, 0);
	umbra_machine_trap(&mach, &cpu, cause, 0);
	compare("an interrupt");
}

static void step_mret(void)
{
	if (m.priv != M)
		return;
	model_mret();
	umbra_machine_mret(&mach, &cpu);
	compare("mret");
}

static void step_time(void)
{
	m.now += unit_rand_below(1000000);
	compare("time passing");
}

static void step_jump(void)
{
	static const u8 modes[] = { U, S, M };

	m.pc = unit_rand() & ~1ull;
	cpu.pc = m.pc;
	m.priv = modes[unit_rand_below(3)];
	cpu.priv = m.priv;
	if (m.priv != M) {
		m.mprv = 0;
		mach.mstatus &= ~(1ul << 17);
	}
	compare("a jump");
}

UNIT_TEST(random_sequences)
{
	for (int i = 0; i < 3000 && !unit.failures; i++) {
		fresh();
		compare("reset");
		for (int j = 0; j < 100 && !unit.failures; j++) {
			switch (unit_rand_below(12)) {
			case 0:
				step_wires();
				break;
			case 1:
				step_trap();
				break;
			case 2:
				step_interrupt();
				break;
			case 3:
				step_mret();
				break;
			case 4:
				step_jump();
				break;
			case 5:
				step_time();
				break;
			default:
				step_csr();
				break;
			}
		}
	}
}

/* Every number, in every mode, reading and writing. */
UNIT_TEST(legality)
{
	for (int i = 0; i < 60; i++) {
		fresh();
		for (int j = 0; j < 30; j++)
			step_csr();
		for (unsigned int csr = 0; csr < 4096; csr++)
			for (int write = 0; write < 2; write++) {
				for (m.priv = U; m.priv <= M; m.priv += m.priv ? 2 : 1) {
					cpu.priv = m.priv;
					expect_eq(umbra_machine_csr_legal(&mach, &cpu,
									  csr, write),
						  model_legal(csr, write));
				}
			}
		m.priv = M;
		cpu.priv = m.priv;
	}
}

/* What exists is the list above and PMP, nothing else. */
UNIT_TEST(unknown_csrs)
{
	for (unsigned int csr = 0; csr < 4096; csr++) {
		bool pmp = csr == 0x3a0 || csr == 0x3a2 || bits(csr, 11, 4) == 0x3b;
		unsigned int changes = 0;
		u64 val;

		fresh();
		expect_eq(umbra_machine_csr_read(&mach, &cpu, &feat, csr, 0, &val),
			  pmp || model_read(csr, &val) ? 0 : -ENOENT);
		if (pmp || model_read(csr, &val))
			continue;
		expect_eq(umbra_machine_csr_write(&mach, &cpu, &feat, csr, 0,
						  ~0ull, &changes), -ENOENT);
		expect_eq(changes, 0);
	}
}

/* All of pending x enabled x delegated x MIE x SIE x privilege, two at a time. */
UNIT_TEST(interrupt_priority)
{
	static const u8 irqs[] = { 1, 3, 5, 7, 9, 11 };
	static const u8 modes[] = { U, S, M };

	fresh();
	for (int a = 0; a < 6; a++)
		for (int b = 0; b < 6; b++)
			for (int n = 0; n < 96; n++) {
				u64 pair = 1ull << irqs[a] | 1ull << irqs[b];
				int irq;

				m.wired = pair & 0xa88;
				cpu.pins = m.wired;
				m.soft = pair & 0x222;
				cpu.sip = m.soft;
				m.enabled = n & 1 ? pair : 1ull << irqs[a];
				mach.mie = m.enabled;
				m.deleg_irq = (n & 2 ? 1ull << irqs[a] : 0) |
					      (n & 4 ? 1ull << irqs[b] : 0);
				m.deleg_irq &= 0x222;
				mach.mideleg = m.deleg_irq;
				m.mie = !!(n & 8);
				m.sie = !!(n & 16);
				m.priv = modes[n / 32];
				cpu.priv = m.priv;
				mach.mstatus = n & 8 ? 8 : 0;
				cpu.sstatus = n & 16 ? 2 : 0;
				irq = model_interrupt();
				expect_eq(umbra_machine_pending_irq(&mach, &cpu),
					  irq < 0 ? 0 : (u64)irq | 1ull << 63);
			}
}

/* What a write says that it changed. */
UNIT_TEST(changes_are_told)
{
	unsigned int changes;

	fresh();
	feat.sstc = true;
#define WRITE(csr, val) ({						\
	changes = 0;							\
	umbra_machine_csr_write(&mach, &cpu, &feat, csr, 0, val, &changes); \
	changes;							\
})
	expect_eq(WRITE(0x300, 0), 0);
	expect_eq(WRITE(0x300, 1 << 19), UMBRA_MCHANGE_VIEW);
	expect_eq(WRITE(0x300, 1 << 20), UMBRA_MCHANGE_VIEW | UMBRA_MCHANGE_HOT);
	expect_eq(WRITE(0x300, 1 << 22), UMBRA_MCHANGE_HOT);
	expect_eq(WRITE(0x300, 3 << 21), UMBRA_MCHANGE_HOT);
	expect_eq(WRITE(0x302, 0x100), UMBRA_MCHANGE_HOT);
	expect_eq(WRITE(0x302, 0x300), 0);
	expect_eq(WRITE(0x306, 2), UMBRA_MCHANGE_HOT);
	expect_eq(WRITE(0x306, 3), 0);
	expect_eq(WRITE(0x30a, 1ull << 63), UMBRA_MCHANGE_TIMER | UMBRA_MCHANGE_HOT);
	expect_eq(WRITE(0x3b0, 0x20000000), 0);
	expect_eq(WRITE(0x3a0, 0x0f), UMBRA_MCHANGE_PMP);
	expect_eq(WRITE(0x3a0, 0x0f), 0);
	expect_eq(WRITE(0x3b0, 0x20000001), UMBRA_MCHANGE_PMP);
	expect_eq(WRITE(0x3b0, 0x20000001), 0);
#undef WRITE
}

/* The cases a reader would look for first, in plain numbers. */
UNIT_TEST(by_hand)
{
	unsigned int changes = 0;
	u64 val;

	fresh();
	feat.fs = true;
	feat.vs = false;
	/* mstatus: all ones. */
	umbra_machine_csr_write(&mach, &cpu, &feat, 0x300, 0, ~0ull, &changes);
	umbra_machine_csr_read(&mach, &cpu, &feat, 0x300, 0, &val);
	expect_eq(val, 0x8000000a007e79aa);

	/* xv6: mret to S with MPP = S, at main. */
	umbra_machine_csr_write(&mach, &cpu, &feat, 0x300, 0, 0x800, &changes);
	umbra_machine_csr_write(&mach, &cpu, &feat, 0x341, 0, 0x80000010, &changes);
	umbra_machine_mret(&mach, &cpu);
	expect_eq(cpu.priv, UMBRA_PRIV_S);
	expect_eq(cpu.pc, 0x80000010);
	umbra_machine_csr_read(&mach, &cpu, &feat, 0x300, 0, &val);
	expect_eq(val, 0xa00000080);

	/* Its timer interrupt: vectored, from S, to M. */
	umbra_machine_csr_write(&mach, &cpu, &feat, 0x305, 0, 0x80001001, &changes);
	umbra_machine_csr_write(&mach, &cpu, &feat, 0x304, 0, 0x80, &changes);
	cpu.pins = 0x80;
	cpu.pc = 0x80000444;
	val = umbra_machine_pending_irq(&mach, &cpu);
	expect_eq(val, 1ull << 63 | 7);
	umbra_machine_trap(&mach, &cpu, val, 0);
	expect_eq(cpu.pc, 0x8000101c);
	expect_eq(mach.mepc, 0x80000444);
	expect_eq(mach.mstatus & 0x1888, 0x800);
	expect_eq(umbra_machine_pending_irq(&mach, &cpu), 0);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
