// SPDX-License-Identifier: GPL-2.0
/*
 * What the firmware delegates, measured once at module load.
 *
 * medeleg cannot be read from S-mode, but a trap that goes through M-mode costs
 * some hundred instructions more: a few instructions in U-mode, each of which
 * traps at once, are run through the switcher and timed.  Illegal instructions
 * always go through M-mode and are the measure.  The answer is only told
 * (/sys/module/umbra/parameters/deleg, `umbra check`); Umbra works either way.
 */
#include <linux/cacheflush.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/csr.h>
#include <asm/timex.h>

#include "vmm.h"

#define PROBE_VA	0x10000UL
#define PROBE_RUNS	32	/* per batch, interrupts off */
#define PROBE_BATCHES	8

static char deleg[80] = "not measured";
module_param_string(deleg, deleg, sizeof(deleg), 0444);
MODULE_PARM_DESC(deleg, "traps that the firmware delegates (found out at load)");

/* One instruction each, at 16 bytes' distance. */
static const struct {
	u32 insn;
	u64 cause;
} probes[] = {
	{ 0x100022f3, V_EXC_ILLEGAL },		/* csrr t0, sstatus */
	{ 0x00009002, V_EXC_BREAKPOINT },	/* c.ebreak */
	{ 0x00003283, V_EXC_LOAD_PAGE },	/* ld t0, 0(zero) */
};

struct probe {
	struct umbra_vcpu *vcpu;
	u64 *tables[UMBRA_MAX_LEVELS];
	u64 *code;
};

/* An address space with one page of code, and the switcher. */
static int probe_build(struct probe *p)
{
	struct umbra_mmu *mmu = &p->vcpu->mmu;
	int top = umbra_host.levels - 1;

	p->code = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (!p->code)
		return -ENOMEM;
	for (int i = 0; i < ARRAY_SIZE(probes); i++)
		p->code[2 * i] = probes[i].insn;
	for (int level = 0; level <= top; level++) {
		p->tables[level] = (u64 *)get_zeroed_page(GFP_KERNEL);
		if (!p->tables[level])
			return -ENOMEM;
		p->tables[level][umbra_va_index(PROBE_VA, level)] = level ?
			shadow_make_link(p->tables[level - 1]) :
			shadow_make_leaf(__pa(p->code) >> PAGE_SHIFT,
					 V_PTE_R | V_PTE_X);
	}
	p->tables[top][mmu->sw_slot] = shadow_make_link(mmu->sw_tables[top - 1]);
	p->vcpu->sw->entry_satp = shadow_make_satp(p->tables[top], 0);
	p->vcpu->sw->hw_sstatus = V_UXL_64 | V_SPIE;
	flush_icache_all();
	return 0;
}

/* Time of one batch; 0 when an interrupt came in between, or worse. */
static u64 probe_batch(struct umbra_switch *sw, int which)
{
	u64 begin, ticks;
	int n;

	local_irq_disable();
	begin = get_cycles64();
	for (n = 0; n < PROBE_RUNS; n++) {
		sw->cpu.pc = PROBE_VA + 16 * which;
		umbra_switch_enter(sw);
		if (sw->exit_scause != probes[which].cause)
			break;
	}
	ticks = get_cycles64() - begin;
	local_irq_enable();
	return n == PROBE_RUNS ? ticks : 0;
}

static u64 probe_best(struct umbra_switch *sw, int which)
{
	u64 best = 0;

	for (int i = 0; i < PROBE_BATCHES; i++) {
		u64 ticks = probe_batch(sw, which);

		if (ticks && (!best || ticks < best))
			best = ticks;
	}
	return best;
}

/*
 * Through M-mode, the other two would cost what the illegal instruction costs;
 * the world switch around each trap is the same for all.
 */
static void probe_tell(u64 illegal, u64 breakpoint, u64 fault)
{
	u64 limit = illegal - illegal / 16;

	if (!illegal || !breakpoint || !fault)
		strscpy(deleg, "unclear: the measurement was disturbed", sizeof(deleg));
	else
		snprintf(deleg, sizeof(deleg), "breakpoints %s, page faults %s",
			 breakpoint < limit ? "yes" : "no",
			 fault < limit ? "yes" : "no");
}

static void probe_free(struct probe *p)
{
	for (int level = 0; level < UMBRA_MAX_LEVELS; level++)
		free_page((unsigned long)p->tables[level]);
	free_page((unsigned long)p->code);
	umbra_mmu_destroy(p->vcpu);
	umbra_switch_destroy(p->vcpu);
	kfree(p->vcpu);
}

/* Never fails the load: what cannot be measured is not told. */
void umbra_probe_delegation(void)
{
	struct probe p = { .vcpu = kzalloc(sizeof(*p.vcpu), GFP_KERNEL) };
	struct umbra_switch *sw;

	if (!p.vcpu)
		return;
	if (!umbra_switch_create(p.vcpu) && !umbra_mmu_create(p.vcpu) &&
	    !probe_build(&p)) {
		sw = p.vcpu->sw;
		probe_batch(sw, 0);	/* warm up */
		probe_tell(probe_best(sw, 0), probe_best(sw, 1), probe_best(sw, 2));
	}
	probe_free(&p);
}
