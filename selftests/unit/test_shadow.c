// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../shadow_mmu/walk.c ../../shadow_mmu/shadow.c ../../shadow_mmu/fault.c
// SOURCES: ../../shadow_mmu/fence.c ../../shadow_mmu/known.c ../../shadow_mmu/fast.c
// SOURCES: ../../shadow_mmu/memslot.c ../../shadow_mmu/notifier.c ../../vmm_core/pmp.c
// FLAGS: $(KERNEL) -DUMBRA_SHADOW_MAX=256 -DUMBRA_SPACES=4 -DUMBRA_FENCE_LOG=8 -DUMBRA_RMAP_BITS=9
// FLAGS: -DUMBRA_SPARE_PAGES=1 -Wno-sign-compare -Wno-missing-field-initializers
/*
 * The shadow MMU against an oracle: random scripts of what guests and their
 * host do, on one to three vCPUs that share memory.  After each step every
 * translation that a hart could use (in its TLB, in the tables that it or the
 * switcher can load) has to be one that the specification permits, and each
 * access has to end as the specification permits: shadow_oracle.h.
 *
 * The module's own sources run here: on a page fault first fast.c, as the
 * switcher calls it, then fault.c.  shadow_host.h is the machine below them.
 *
 * A script that fails is made as short as it gets, and printed, to be read and
 * to be pasted below as a test of its own.  STEPS=5000000 in the environment
 * makes more of them.
 */
#include "unit.h"
#include "shadow_oracle.h"

#define MAX_FRAMES	24
#define MAX_SATPS	8
#define MAX_STEPS	1500
#define FIRST_STEPS	44	/* of a script: see first_step() */

/* --- scripts ------------------------------------------------------------------------ */

/* What a script runs on. */
struct setup {
	u8 levels;		/* of the host */
	u8 huge;		/* slot 0 in pages of: 0: 4 KiB, 1: 2 MiB, 2: 1 GiB */
	u8 nr_vcpus, nr_vas, nr_frames, nr_satps;
	bool svade;
	bool asids;		/* of the host's, for its roots */
	bool aliased;		/* tables are shared: by addresses, and address spaces */
	bool machine;		/* harts have M-mode, and PMP */
	u64 va[MAX_VAS];
	u64 frame[MAX_FRAMES];	/* tables and data */
	u64 satp[MAX_SATPS];
};

enum op {
	OP_MAP,		/* val = leaf of va[a], level b, with tables; c: made usable() */
	OP_PTE,		/* word b of frame[a] = val */
	OP_CHANGE,	/* the PTE of va[a] at level b: = val, or ^= val */
	OP_FENCE,	/* of va[a], asid[b]; NONE: all */
	OP_SATP,	/* = satp[a] */
	OP_SUM,		/* = a */
	OP_MXR,		/* = a */
	OP_PRIV,	/* U, S, M: a; or M with MPRV, for b */
	OP_ACCESS,	/* kind b of va[a] + 8 * c, val is stored */
	OP_TRANSLATE,	/* the same, by umbra_mmu_translate() */
	OP_TOUCH,	/* satp off, access to frame[a] as above, satp as before */
	OP_SWITCH,	/* fence of asid[b], satp = satp[a], fence, in a row */
	OP_PMP,		/* entry b: S- and U-mode have the rights c in frame[a] */
	OP_EXIT,	/* the vCPU leaves the guest */
	OP_REPLACE,	/* frame[a] gets another host page */
	OP_PROTECT,	/* ... is write-protected, for a copy */
	OP_TAKE,	/* ... an invalidation begins */
	OP_TAKEN,	/* ... and ends */
	OP_SITES,	/* frame[a] holds rewritten text, or not: b */
	OP_RESET,	/* memory pressure: all shadow pages go */
	OP_SLOT,	/* slot 3 goes; or comes, with a dirty log if b */
	NR_OPS
};

static const char *const op_name[NR_OPS] = {
	"OP_MAP", "OP_PTE", "OP_CHANGE", "OP_FENCE", "OP_SATP", "OP_SUM",
	"OP_MXR", "OP_PRIV", "OP_ACCESS", "OP_TRANSLATE", "OP_TOUCH", "OP_SWITCH", "OP_PMP", "OP_EXIT",
	"OP_REPLACE", "OP_PROTECT", "OP_TAKE", "OP_TAKEN", "OP_SITES", "OP_RESET", "OP_SLOT",
};

#define NONE	0xff

/* How chance plays a part; @rand decides when and where. */
#define BY_SLOW	1		/* leave the guest first: fault.c and fence.c alone */
#define WITH_OOM	2	/* memory is short */
#define WITH_RACE	4	/* meanwhile another hart writes a PTE */
#define WITH_HOST	8	/* meanwhile the host replaces a page */
#define WITH_BUSY	16	/* another thread holds mmu.lock */

struct step {
	u8 op, vcpu, a, b, c, how;
	u32 rand;
	u64 val;
};

static const struct setup *setup;
static const struct step *step;		/* the one that is executed */
static struct hart *hart;		/* its vCPU */
static u64 step_began;			/* oracle.now then */
static bool raced;			/* another hart did something meanwhile */

static struct {
	u64 steps, scripts, mapped, stored, page_faults, access_faults, emulated, waits;
	u64 fast_fills, fast_spurious, reflected, fast_fences, fast_satps, runs, ways, aborts;
	u64 slow_fills, resets, moves, races, no_memory, judged;
} count;

static unsigned int cpu_no(const struct hart *h)
{
	return h - host.hart;
}

/* --- guest memory, as the guest and other harts write it ------------------------------- */

static u64 *guest_word(u64 gpa)
{
	u64 pfn = user_pfn(frame_hva(gpa >> PAGE_SHIFT));

	note_dirtied(pfn);
	return pfn_to_kaddr(pfn) + (offset_in_page(gpa) & ~7ULL);
}

/* Memory and the oracle's memory are the same. */
static void check_word(u64 gpa)
{
	if (*guest_word(gpa) != oracle_value(gpa))
		model_fail("memory at gpa %#llx changed: %#llx, the guest wrote %#llx",
			   (unsigned long long)gpa, (unsigned long long)*guest_word(gpa),
			   (unsigned long long)oracle_value(gpa));
}

static void guest_write(u64 gpa, u64 val)
{
	if (!frame_is_memory(gpa >> PAGE_SHIFT))
		return;
	check_word(gpa);
	*guest_word(gpa) = val;
	oracle_write(gpa, val);
}

/* The module set A or D on behalf of the access under way. */
static struct {
	u64 gpa, old, new;
	bool any;
} update;

static void pte_updated(u64 gpa, u64 old, u64 new)
{
	model_check(!oracle.svade);
	model_check(((old ^ new) & ~(V_PTE_A | V_PTE_D)) == 0);
	model_check((new & V_PTE_A) && (old | new) == new && old != new);
	if (old != oracle_value(gpa))
		check_word(gpa);
	oracle_write(gpa, new);
	note_dirtied(user_pfn(frame_hva(gpa >> PAGE_SHIFT)));
	update.gpa = gpa;
	update.old = old;
	update.new = new;
	update.any = true;
}

/* --- judging ---------------------------------------------------------------------------- */

static const char *const access_name[] = { "", "load", "store", "fetch" };

static struct query query_of(const struct hart *h, u64 va, enum umbra_access access)
{
	const struct umbra_cpu *cpu = h->vcpu.cpu;
	u64 priv = cpu->priv;

	if (h->vcpu.m && access != UMBRA_ACCESS_EXEC)
		priv = umbra_machine_data_priv(h->vcpu.m, cpu);
	return (struct query) {
		.hart = cpu_no(h), .va = va, .access = access,
		.machine = priv == UMBRA_PRIV_M, .user = priv == UMBRA_PRIV_U,
		.sum = cpu->sstatus & V_SUM, .mxr = cpu->sstatus & V_MXR,
		.begin = step_began,
	};
}

/* A translation to host page @pfn that a hart may use at any time. */
static void judge(struct query *q, u64 pfn, const char *where)
{
	u64 gfn = pfn_frame(pfn);
	u64 hva = gfn == ~0ULL ? 0 : frame_hva(gfn);

	count.judged++;
	if (gfn == ~0ULL)
		model_fail("%s of %#llx by %s: host page %#llx is not the guest's any more",
			   access_name[q->access], (unsigned long long)q->va, where,
			   (unsigned long long)pfn);
	if (!frame_is_memory(gfn))
		model_fail("%s of %#llx by %s: frame %#llx is in no slot",
			   access_name[q->access], (unsigned long long)q->va, where,
			   (unsigned long long)gfn);
	if (hva >= host.taken.start && hva < host.taken.end)
		model_fail("%s of %#llx by %s: the host is taking frame %#llx away",
			   access_name[q->access], (unsigned long long)q->va, where,
			   (unsigned long long)gfn);
	if (q->access == UMBRA_ACCESS_WRITE && !user_writable(hva))
		model_fail("store to %#llx by %s: the host's page of frame %#llx is read-only",
			   (unsigned long long)q->va, where, (unsigned long long)gfn);
	if (q->access != UMBRA_ACCESS_EXEC && umbra_sites_active(host.vm, gfn))
		model_fail("%s of %#llx by %s: frame %#llx holds rewritten text",
			   access_name[q->access], (unsigned long long)q->va, where,
			   (unsigned long long)gfn);
	q->question = MAY_MAP;
	q->gfn = gfn;
	if (!oracle_permits(q))
		model_fail("%s of %#llx by %s uses frame %#llx: no walk since the last fence gives that",
			   access_name[q->access], (unsigned long long)q->va, where,
			   (unsigned long long)gfn);
}

/* Each permission that an entry gives. */
static void judge_entry(const struct hart *h, int view, u64 va, u64 pte, u64 pfn,
			const char *where)
{
	static const u64 perm[] = { 0, V_PTE_R, V_PTE_W, V_PTE_X };

	if (!(pte & V_PTE_U))
		return;
	for (int access = UMBRA_ACCESS_READ; access <= UMBRA_ACCESS_EXEC; access++) {
		struct query q = query_of(h, va, access);

		if (view >= 0) {
			q.machine = false;
			q.user = view == UMBRA_VIEW_U;
			q.sum = view == UMBRA_VIEW_SUM;
		}
		if (pte & perm[access])
			judge(&q, pfn, where);
	}
}

/*
 * The same of an entry for @asid: of the root that is loaded, or of one that the
 * switcher may load without a fence.  No other is used without being judged then.
 */
static void judge_remembered(const struct hart *h, const u64 *root, u64 asid, u64 va,
			     u64 pte, u64 pfn, const char *where)
{
	if (asid == hw_asid(h->satp))
		judge_entry(h, -1, va, pte, pfn, where);
	for (int view = 0; oracle_satp_now(cpu_no(h)) && view < UMBRA_VIEWS; view++)
		if (umbra_host.asids && asid == hw_asid(root[view]))
			judge_entry(h, view, va, pte, pfn, where);
}

/*
 * All that hart @h could use: its TLB, with links to tables, the root that is
 * loaded, and those that the switcher may load without asking.
 */
static void judge_hart(const struct hart *h)
{
	const struct umbra_switch *sw = h->vcpu.sw;
	const u64 root[] = { sw->root_u, sw->root_s, sw->root_sum };
	u64 pfn;

	if (!h->in_guest)
		return;
	for (int i = 0; i < TLB_ENTRIES; i++)
		if (h->tlb[i].valid)
			judge_remembered(h, root, h->tlb[i].asid, h->tlb[i].va, h->tlb[i].pte,
					 h->tlb[i].pfn, "the TLB");
	for (unsigned int i = 0; i < setup->nr_vas; i++) {
		u64 va = setup->va[i];
		u64 pte = hart_walk(NULL, h->satp, va, &pfn);

		judge_entry(h, -1, va, pte, pfn, "the root in use");
		for (unsigned int n = 0; n < LINK_ENTRIES; n++) {
			if (!link_leads(&h->links[n], va))
				continue;
			pte = hart_walk_from(NULL, h->links[n].table, h->links[n].level, va, &pfn);
			judge_remembered(h, root, h->links[n].asid, va, pte, pfn,
					 "a link that the hart remembers");
		}
		for (int view = 0; oracle_satp_now(cpu_no(h)) && view < UMBRA_VIEWS; view++) {
			pte = hart_walk(NULL, root[view], va, &pfn);
			judge_entry(h, view, va, pte, pfn, "a root at hand");
		}
	}
}

static void judge_all(void)
{
	for (unsigned int i = 0; i < host.nr_harts; i++)
		judge_hart(&host.hart[i]);
}

/*
 * The reverse map of hart @h: each leaf is in its chain, once, and nothing else is.
 * What it lacks is not cleared when the host takes the page away; what is there twice
 * makes a ring of the chain.
 */
static void judge_rmap(const struct hart *h)
{
	const struct umbra_mmu *mmu = &h->vcpu.mmu;
	unsigned int leaves = 0, chained = 0;

	for (u32 i = 0; i < mmu->nr_pages; i++) {
		const struct shadow_page *sp = mmu->pages[i];
		unsigned int idx;

		for_each_set_bit(idx, (unsigned long *)sp->used, 512)
			leaves += shadow_entry_leaf(sp, idx);
	}
	for (unsigned int n = 0; n < UMBRA_RMAP_HASH; n++) {
		u32 next;

		for (u32 at = mmu->rmap[n]; at; at = next) {
			const struct shadow_page *sp = mmu->pages[(at - 1) / 512];
			unsigned int idx = (at - 1) % 512;

			if (++chained > leaves)
				model_fail("%u leaves, more than that in the reverse map", leaves);
			if (!shadow_used(sp, idx) || !shadow_entry_leaf(sp, idx) ||
			    umbra_rmap_hash(shadow_page_gfn(sp, idx), sp->role.level, sp->id) != n)
				model_fail("entry %u of shadow page %u is in a chain that is not its",
					   idx, sp->id);
			next = sp->next[idx];
		}
	}
	if (chained != leaves)
		model_fail("%u leaves, %u in the reverse map", leaves, chained);
}

/* A and D were set: in the leaf of this access, and no more than it needs. */
static void judge_update(u64 va, enum umbra_access access)
{
	struct query q = query_of(hart, va, access);

	if (!update.any)
		return;
	update.any = false;
	q.question = MAY_UPDATE;
	q.pte_gpa = update.gpa;
	q.pte = update.new;
	if (!oracle_permits(&q))
		model_fail("%s of %#llx: %#llx became %#llx at gpa %#llx, which is no leaf of it",
			   access_name[access], (unsigned long long)va,
			   (unsigned long long)update.old, (unsigned long long)update.new,
			   (unsigned long long)update.gpa);
	if ((~update.old & update.new & V_PTE_D) && access != UMBRA_ACCESS_WRITE)
		model_fail("%s of %#llx set D", access_name[access], (unsigned long long)va);
}

/* The access ended with exception @cause. */
static void judge_fault(u64 va, enum umbra_access access, u64 cause)
{
	static const u64 page_fault[] = { 0, V_EXC_LOAD_PAGE, V_EXC_STORE_PAGE, V_EXC_INSN_PAGE };
	static const u64 access_fault[] = { 0, V_EXC_LOAD_ACCESS, V_EXC_STORE_ACCESS,
					    V_EXC_INSN_ACCESS };
	struct query q = query_of(hart, va, access);

	if (cause == page_fault[access]) {
		q.question = MAY_PAGE_FAULT;
		count.page_faults++;
	} else if (cause == access_fault[access]) {
		q.question = MAY_ACCESS_FAULT;
		count.access_faults++;
	} else {
		model_fail("%s of %#llx: cause %llu", access_name[access],
			   (unsigned long long)va, (unsigned long long)cause);
	}
	if (!oracle_permits(&q))
		model_fail("%s of %#llx: %s fault that no walk gives", access_name[access],
			   (unsigned long long)va,
			   q.question == MAY_PAGE_FAULT ? "page" : "access");
}

/* The access is to be emulated, at @gpa: is there a reason? */
static void judge_emulation(u64 va, enum umbra_access access, u64 gpa)
{
	struct query q = query_of(hart, va, access);
	u64 gfn = gpa >> PAGE_SHIFT;

	count.emulated++;
	q.question = MAY_MAP;
	q.gfn = gfn;
	if (offset_in_page(gpa ^ va) || !oracle_permits(&q))
		model_fail("%s of %#llx is emulated at gpa %#llx: no walk gives that",
			   access_name[access], (unsigned long long)va,
			   (unsigned long long)gpa);
	if (!umbra_va_canonical(va, umbra_host.levels - 1) || !frame_is_memory(gfn))
		return;
	/* MPRV: fetches and data have different tables. */
	if (hart->vcpu.cpu->priv == UMBRA_PRIV_M && !q.machine)
		return;
	if (access == UMBRA_ACCESS_WRITE && !frame_is_writable(gfn))
		return;
	if (access != UMBRA_ACCESS_EXEC && umbra_sites_active(host.vm, gfn))
		return;
	model_fail("%s of %#llx is emulated: frame %#llx is ordinary memory",
		   access_name[access], (unsigned long long)va, (unsigned long long)gfn);
}

/* --- accesses --------------------------------------------------------------------------- */

static void store(u64 gpa, u64 val)
{
	struct umbra_memslot *slot;
	int srcu = srcu_read_lock(&host.vm->slots_srcu);

	slot = umbra_memslot_find(host.vm, gpa >> PAGE_SHIFT);
	if (slot->dirty &&
	    !(slot->dirty[(gpa / PAGE_SIZE - slot->gfn) / 64] >>
	      (gpa / PAGE_SIZE - slot->gfn) % 64 & 1))
		model_fail("store to gpa %#llx: it is not in the dirty log",
			   (unsigned long long)gpa);
	srcu_read_unlock(&host.vm->slots_srcu, srcu);
	guest_write(gpa, val);
	count.stored++;
}

/* The hardware has translated and goes on to memory. */
static void perform(u64 va, enum umbra_access access, u64 pfn)
{
	struct query q = query_of(hart, va, access);

	judge(&q, pfn, "an access");
	count.mapped++;
	if (access == UMBRA_ACCESS_WRITE)
		store(q.gfn << PAGE_SHIFT | offset_in_page(va), step->val);
}

/* fast.c took the trap to the guest's kernel: did it so right?  Then sret. */
static void reflected(u64 va, enum umbra_access access, const struct umbra_cpu *before)
{
	struct umbra_switch *sw = hart->vcpu.sw;
	struct umbra_cpu *cpu = &sw->cpu, want = *before;

	want.sepc = want.pc;
	want.scause = cpu->scause;
	want.stval = va;
	want.priv = UMBRA_PRIV_S;
	want.sstatus &= ~(V_SPP | V_SPIE | V_SIE);
	want.sstatus |= (before->priv ? V_SPP : 0) | (before->sstatus & V_SIE ? V_SPIE : 0);
	model_check(!memcmp(&want, cpu, sizeof(want)));
	model_check(hart->sepc_set && hart->sepc == cpu->stvec);
	model_check(hart->satp == (cpu->sstatus & V_SUM ? sw->root_sum : sw->root_s));
	model_check(sw->salt == sw->salt_s);
	judge_all();
	cpu->sstatus = before->sstatus;
	cpu->priv = before->priv;
	if (before->priv == UMBRA_PRIV_S)
		return judge_fault(va, access, cpu->scause);
	hart_load_root(hart, sw->root_u);
	judge_fault(va, access, cpu->scause);
}

static u64 page_fault_of(enum umbra_access access)
{
	return access == UMBRA_ACCESS_READ ? V_EXC_LOAD_PAGE :
	       access == UMBRA_ACCESS_WRITE ? V_EXC_STORE_PAGE : V_EXC_INSN_PAGE;
}

enum outcome { AGAIN, OVER };

/* A page fault, in the switcher. */
static bool fault_fast(u64 va, enum umbra_access access, enum outcome *out)
{
	struct umbra_switch *sw = hart->vcpu.sw;
	struct umbra_fast *fast = hart->vcpu.mmu.fast;
	u64 reflects = fast->reflects;
	struct umbra_cpu before;

	sw->exit_scause = page_fault_of(access);
	sw->exit_stval = va;
	sw->cpu.pc = 0x1000;
	sw->cpu.stvec = 0x2000;
	sw->cpu.sstatus &= ~V_SIE;
	sw->cpu.sstatus |= step->rand & 1 ? V_SIE : 0;
	before = sw->cpu;
	if (!call_fast(hart, FAST_FAULT, 0, 0))
		return false;
	judge_update(va, access);
	*out = AGAIN;
	if (fast->reflects != reflects) {
		reflected(va, access, &before);
		*out = OVER;
	}
	return true;
}

/*
 * A fault on @gpa waited until the host has taken something away: did that concern
 * what the leaf would map, at its largest?
 */
static void judge_wait(u64 gpa)
{
	static const unsigned int huge[] = { PAGE_SHIFT, PAGE_SHIFT + 9, PAGE_SHIFT + 18 };
	u64 hva = frame_hva(gpa >> PAGE_SHIFT);
	/* Only slot 0 is in larger pieces than pages. */
	unsigned int shift = slot_of_hva(hva) ? PAGE_SHIFT : huge[setup->huge];

	count.waits++;
	if (!host.taken.end || (hva ^ host.taken.start) >> shift)
		model_fail("a fault at gpa %#llx waits for the end of an invalidation at %#llx",
			   (unsigned long long)gpa, (unsigned long long)host.taken.start);
}

/* The same, in the run loop. */
static enum outcome fault_slow(u64 va, enum umbra_access access)
{
	struct umbra_fault_info info = { .gva = va, .access = access };
	int ret;

	hart_exit(hart);
	host.waited = false;
	ret = umbra_mmu_fault(&hart->vcpu, &info);
	judge_update(va, access);
	if (host.waited)
		judge_wait(info.gpa);
	switch (ret) {
	case UMBRA_FAULT_DONE:
		return AGAIN;
	case UMBRA_FAULT_GUEST:
		judge_fault(va, access, info.cause);
		return OVER;
	case UMBRA_FAULT_EMULATE:
		judge_emulation(va, access, info.gpa);
		return OVER;
	default:
		model_fail("umbra_mmu_fault(): %d", ret);
	}
}

static bool enter(void)
{
	if (hart_enter(hart))
		return true;
	if (!host.oom)
		model_fail("umbra_mmu_load() failed");
	count.no_memory++;
	host.oom = 0;
	return hart_enter(hart);
}

static void access_memory(u64 va, enum umbra_access access)
{
	static const u64 want[] = { 0, V_PTE_R, V_PTE_W, V_PTE_X };
	enum outcome out;

	for (int tries = 0; tries < 24; tries++) {
		u64 pfn = 0;

		/* What is being taken away is not filled before that is over. */
		if (host.waited && tries >= 3)
			return;

		/* Whoever is short of memory for ever gets nowhere. */
		if (tries == 12) {
			host.oom = 0;
			host.busy = false;
		}
		if (!enter())
			model_fail("no memory, though there is some");
		if (hart_translate(hart, va, want[access], &pfn)) {
			perform(va, access, pfn);
			return;
		}
		judge_hart(hart);
		if ((step->how & BY_SLOW) || !fault_fast(va, access, &out))
			out = fault_slow(va, access);
		if (out == OVER)
			return;
	}
	model_fail("%s of %#llx: no progress", access_name[access], (unsigned long long)va);
}

/* An access that the emulator makes. */
static void translate(u64 va, enum umbra_access access)
{
	struct umbra_fault_info info = { .gva = va, .access = access };
	struct query q;
	int ret;

	hart_exit(hart);
	ret = umbra_mmu_translate(&hart->vcpu, &info);
	judge_update(va, access);
	if (ret == -EAGAIN)
		return;
	model_check(ret == UMBRA_FAULT_DONE || ret == UMBRA_FAULT_GUEST);
	if (ret == UMBRA_FAULT_GUEST)
		return judge_fault(va, access, info.cause);
	q = query_of(hart, va, access);
	q.question = MAY_MAP;
	q.gfn = info.gpa >> PAGE_SHIFT;
	if (!oracle_permits(&q))
		model_fail("umbra_mmu_translate(%s of %#llx): gpa %#llx", access_name[access],
			   (unsigned long long)va, (unsigned long long)info.gpa);
}

/* --- steps ---------------------------------------------------------------------------- */

static u64 frame_at(unsigned int n)
{
	return setup->frame[n % setup->nr_frames];
}

/* Leaf or pointer at @level on the way to @va, as memory is now; 0: the way ends. */
static u64 entry_gpa(u64 va, int level)
{
	u64 satp = oracle_satp_now(cpu_no(hart)), table = satp & V_SATP_PPN;

	for (int l = umbra_walk_top(satp); l >= level; l--) {
		u64 gpa = (table << PAGE_SHIFT) + 8 * umbra_va_index(va, l);
		u64 pte;

		if (!frame_is_memory(table))
			return 0;
		if (l == level)
			return gpa;
		pte = oracle_value(gpa);
		if (pte_is_bad(pte, l) || umbra_pte_leaf(pte))
			return 0;
		table = (pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT;
	}
	return 0;
}

/* The first half of the frames are mostly tables; each has one place of its own, mostly. */
static u64 table_for(u64 va, int level)
{
	u64 n = (va >> (12 + 9 * level)) * 7 + level * 3 + oracle_satp_now(cpu_no(hart));

	if (setup->aliased)
		n = level;
	return one_in(16) ? frame_at(host_rand() >> 8) :
	       setup->frame[hash_64(n, 32) % ((setup->nr_frames + 1) / 2)];
}

static void map(u64 va, int level, u64 leaf)
{
	int top = umbra_walk_top(oracle_satp_now(cpu_no(hart)));

	level = min(level, top);
	for (int l = top; l >= max(level, 0); l--) {
		u64 gpa = entry_gpa(va, l);

		if (!gpa)
			return;
		if (l == level) {
			guest_write(gpa, leaf);
		} else {
			u64 pte = oracle_value(gpa);

			if (pte_is_bad(pte, l) || umbra_pte_leaf(pte))
				guest_write(gpa, table_for(va, l) << V_PTE_PPN_SHIFT | V_PTE_V);
		}
	}
}

/* The same leaf with all rights for who is running. */
static u64 usable(u64 pte)
{
	const u64 all = V_PTE_V | V_PTE_R | V_PTE_W | V_PTE_X | V_PTE_A | V_PTE_D;

	return (pte & ~V_PTE_U & ~V_PTE_RESERVED) | all |
	       (hart->vcpu.cpu->priv == UMBRA_PRIV_U ? V_PTE_U : 0);
}

static void change(u64 va, int level, u64 val)
{
	u64 gpa;

	for (; level >= 0; level--) {
		gpa = entry_gpa(va, level);
		if (gpa)
			break;
	}
	if (level >= 0)
		guest_write(gpa, step->c ? oracle_value(gpa) ^ val : val);
}

/* What another hart stores meanwhile a fence, or a new satp, may see or not. */
static u64 moment_of_effect(void)
{
	return raced ? step_began : ++oracle.now;
}

static void fenced(int va, int asid)
{
	oracle_fence(cpu_no(hart), va, asid, moment_of_effect());
}

static void fence(void)
{
	struct umbra_cpu *cpu = hart->vcpu.cpu;
	int va = step->a == NONE ? -1 : step->a % oracle.nr_vas;
	int asid = step->b == NONE ? -1 : step->b % oracle.nr_asids;
	bool fast = !(step->how & BY_SLOW) && hart->in_guest &&
		    cpu->priv == UMBRA_PRIV_S;

	cpu->gpr[5] = va < 0 ? 0 : oracle.va[va] | (host_rand() & 0xfff);
	/* Bits above ASIDLEN are reserved. */
	cpu->gpr[6] = asid < 0 ? 0 : oracle.asid[asid] | (one_in(4) ? 1ULL << 20 : 0);
	cpu->pc = 0x1000;
	if (fast && call_fast(hart, FAST_FENCE, va < 0 ? 0 : 5, asid < 0 ? 0 : 6)) {
		model_check(hart->sepc_set && hart->sepc == cpu->pc + 4);
	} else {
		hart_exit(hart);
		umbra_mmu_fence(&hart->vcpu, va < 0, cpu->gpr[5], asid < 0, cpu->gpr[6]);
	}
	fenced(va, asid);
}

static void set_satp(u64 satp)
{
	struct umbra_switch *sw = hart->vcpu.sw;

	sw->cpu.pc = 0x1000;
	if (!(step->how & BY_SLOW) && hart->in_guest && sw->cpu.priv == UMBRA_PRIV_S &&
	    call_fast(hart, FAST_SATP, satp, 0)) {
		model_check(hart->sepc_set && hart->sepc == sw->cpu.pc + 4);
		model_check(sw->cpu.satp == satp);
		model_check(hart->satp == (sw->cpu.sstatus & V_SUM ? sw->root_sum : sw->root_s));
	} else {
		hart_exit(hart);
		sw->cpu.satp = satp;
		umbra_mmu_unload(&hart->vcpu);
	}
	oracle_satp(cpu_no(hart), satp, moment_of_effect());
}

static void make_cold(u64 pc)
{
	struct umbra_vcpu *vcpu = &hart->vcpu;

	vcpu->sw->hot_changes++;
	for (int other = 0; other < 2; other++)
		vcpu->hot[umbra_hot_index(pc, other)].tag = HOT_EMPTY;
}

static void make_hot(u64 pc, enum umbra_hot_kind kind, unsigned int regs)
{
	struct umbra_vcpu *vcpu = &hart->vcpu;
	struct umbra_hot hot = {
		.tag = pc ^ vcpu->sw->salt, .code[HOT_INSNS - 1] = HOT_NOTE(kind, regs),
	};

	for (int other = 0; other < 2; other++)
		if (!memcmp(&vcpu->hot[umbra_hot_index(pc, other)], &hot, sizeof(hot)))
			return;
	make_cold(pc);
	vcpu->hot[umbra_hot_index(pc, one_in(2))] = hot;
}

/*
 * What kernels without ASIDs do: sfence.vma, csrw satp, sfence.vma.  Where all
 * are hot fast.c may do the three as one, or the first two.
 */
static void switch_space(u64 satp, int asid)
{
	struct umbra_cpu *cpu = hart->vcpu.cpu;
	/* Nobody else is there, so what is hot may stay hot. */
	u64 pc = 0x3000, nr = 0, log_nr = hart->vcpu.mmu.fast->log_nr;
	bool three = step->rand % 8;

	cpu->gpr[6] = asid < 0 ? 0 : oracle.asid[asid];
	cpu->gpr[7] = satp;
	cpu->pc = pc;
	make_hot(pc + 4, UMBRA_HOT_SATP, 7);
	if (three)
		make_hot(pc + 8, UMBRA_HOT_FENCE, asid < 0 ? 0 : 6 << 5);
	else
		make_cold(pc + 8);
	if (!(step->how & BY_SLOW) && hart->in_guest && cpu->priv == UMBRA_PRIV_S &&
	    call_fast(hart, FAST_FENCE, 0, asid < 0 ? 0 : 6)) {
		model_check(hart->sepc_set);
		nr = (hart->sepc - pc) / 4;
		model_check(nr >= 1 && nr <= 2 + three);
		model_check(cpu->satp == (nr > 1 ? satp : oracle_satp_now(cpu_no(hart))));
	}
	count.ways += nr == 3 && hart->vcpu.mmu.fast->log_nr == log_nr + 1;
	if (!nr) {
		hart_exit(hart);
		umbra_mmu_fence(&hart->vcpu, true, 0, asid < 0, cpu->gpr[6]);
	}
	fenced(-1, asid);
	if (nr < 2)
		set_satp(satp);
	else
		oracle_satp(cpu_no(hart), satp, moment_of_effect());
	if (nr < 3) {
		hart_exit(hart);
		umbra_mmu_fence(&hart->vcpu, true, 0, asid < 0, cpu->gpr[6]);
	}
	fenced(-1, asid);
	count.runs += nr == 3;
}

/* As a guest does that has no mapping of its own of the frame. */
static void touch(u64 gpa, enum umbra_access access)
{
	u64 satp = hart->vcpu.cpu->satp;

	set_satp(0);
	access_memory(gpa, access);
	set_satp(satp);
}

static void set_sstatus(u64 bit, bool on)
{
	struct umbra_switch *sw = hart->vcpu.sw;
	u64 root = on ? sw->root_sum : sw->root_s;
	u64 new = on ? sw->cpu.sstatus | bit : sw->cpu.sstatus & ~bit;

	if (bit == V_SUM && !(step->how & BY_SLOW) && hart->in_guest &&
	    sw->cpu.priv == UMBRA_PRIV_S && root) {
		sw->cpu.sstatus = new;
		sw->root_priv_s = root;
		return hart_load_root(hart, root);
	}
	hart_exit(hart);
	sw->cpu.sstatus = new;
	umbra_mmu_unload(&hart->vcpu);
}

/* To M-mode, by a trap that the run loop takes. */
static void set_machine(bool mprv, bool supervisor)
{
	struct umbra_vcpu *vcpu = &hart->vcpu;

	hart_exit(hart);
	vcpu->cpu->priv = UMBRA_PRIV_M;
	vcpu->m->mstatus = mprv ? V_MPRV | (u64)supervisor << V_MPP_SHIFT : 0;
}

/* sret, ecall, mret */
static void set_priv(bool supervisor)
{
	struct umbra_switch *sw = hart->vcpu.sw;
	u64 root = supervisor ? sw->root_priv_s : sw->root_u;

	if (sw->cpu.priv == supervisor)
		return;
	sw->cpu.priv = supervisor ? UMBRA_PRIV_S : UMBRA_PRIV_U;
	if (hart->vcpu.m)
		hart->vcpu.m->mstatus = 0;
	if ((step->how & BY_SLOW) || !hart->in_guest || !root)
		return hart_exit(hart);
	sw->salt = sw->salt_s;
	hart_load_root(hart, root);
}

/* As umbra_emulate() does with what M-mode writes there. */
static void set_pmp(unsigned int entry, u64 gfn, unsigned int perm)
{
	struct umbra_vcpu *vcpu = &hart->vcpu;
	struct oracle_hart *o = &oracle.hart[cpu_no(hart)];
	u64 cfg = umbra_pmp_read_cfg(&vcpu->m->pmp, 0);

	/* W without R is reserved. */
	if (!(perm & V_PMP_R))
		perm &= ~V_PMP_W;
	hart_exit(hart);
	cfg &= ~(0xffULL << 8 * entry);
	cfg |= (u64)(V_PMP_NAPOT | perm) << 8 * entry;
	umbra_pmp_write_addr(&vcpu->m->pmp, entry, gfn << (PAGE_SHIFT - 2) | 0x1ff);
	umbra_pmp_write_cfg(&vcpu->m->pmp, 0, cfg);
	umbra_mmu_reset(vcpu);
	o->pmp[entry].gfn = gfn;
	o->pmp[entry].perm = perm;
}

/* An invalidation that takes a while: between its two halves other steps run. */
static void take(u64 va)
{
	if (host.taken.end || !va)
		return;
	notify(true, va, va + PAGE_SIZE);
	host.taken = (struct user_range) { va, va + PAGE_SIZE };
	if (one_in(2))
		user_replace(va);
}

static void taken(void)
{
	u64 va = host.taken.start;

	if (!host.taken.end)
		return;
	if (one_in(2))
		user_replace(va);
	host.taken = (struct user_range) {};
	notify(false, va, va + PAGE_SIZE);
}

static void replace(u64 va)
{
	u64 start = va, size = PAGE_SIZE;

	if (!va)
		return;
	/* More than the page, sometimes: as when a large one is split. */
	if (!slot_of_hva(va) && one_in(4)) {
		size = one_in(4) ? 4UL << 20 : 2UL << 20;
		start &= ~(size - 1);
	}
	notify(true, start, start + size);
	user_replace(va);
	notify(false, start, start + size);
}

static void protect(u64 va)
{
	if (!va || host.nr_moved > 400)
		return;
	notify(true, va, va + PAGE_SIZE);
	move_page(va)->cow = true;
	notify(false, va, va + PAGE_SIZE);
}

static void set_slot(bool log)
{
	bool there = frame_is_memory(slot_plan[3].gfn);
	int ret;

	/* KVM: flags of a slot that is there may change, too. */
	ret = slot_set(3, !there || log, log ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	if (ret && !(ret == -ENOMEM && host.oom))
		model_fail("umbra_memslot_set(): %d", ret);
}

/*
 * Some hart in the guest goes on, while another takes a page away: what the
 * switcher fills now must not outlive that.
 */
static void run_on(u64 r)
{
	static const u64 want[] = { V_PTE_R, V_PTE_W, V_PTE_X };
	struct hart *was = hart, *h = &host.hart[r % host.nr_harts];
	struct umbra_switch *sw = h->vcpu.sw;
	enum umbra_access access = UMBRA_ACCESS_READ + (r >> 8) % 3;
	typeof(update) pending = update;
	enum outcome out;
	u64 pfn;

	if (!h->in_guest || sw->cpu.sstatus & V_MXR)
		return;
	hart = h;
	update.any = false;
	/* Only what ends in the switcher; it may still use the page. */
	for (int tries = 0; tries < 2; tries++)
		if (hart_translate(h, setup->va[(r >> 16) % setup->nr_vas],
				   want[access - UMBRA_ACCESS_READ], &pfn) ||
		    !fault_fast(setup->va[(r >> 16) % setup->nr_vas], access, &out))
			break;
	hart = was;
	update = pending;
}

/* What happens in the middle of the step. */
static void race(enum moment now)
{
	u64 hva = frame_hva(frame_at(host_rand() & 0xff));
	u64 r = host_rand();

	count.races++;
	raced = true;
	if (now == IN_NOTIFIER)
		return run_on(r);
	if (now == IN_SLOTS) {
		/* The host takes memory of the slot that goes: nobody may still use it. */
		for (unsigned int i = 0; i < setup->nr_frames; i++)
			if (slot_of_hva(frame_hva(setup->frame[i])) == 3)
				replace(frame_hva(setup->frame[i]));
		return judge_all();
	}
	if ((step->how & WITH_HOST) && now == IN_HOST)
		return r & 1 ? replace(hva) : protect(hva);
	if (!(step->how & WITH_RACE))
		return;
	/* Most likely a PTE that the access at hand is about. */
	if (r & 0x300) {
		u64 gpa = entry_gpa(setup->va[step->a % setup->nr_vas], (r >> 10) % 3);

		if (gpa)
			guest_write(gpa, oracle_value(gpa) ^ (r & 0x1000 ? V_PTE_V :
							       1ULL << ((r >> 13) % 14)));
		return;
	}
	guest_write(frame_at(r & 0xff) << PAGE_SHIFT | (r >> 16 & 0xff8), r >> 20);
}

static void execute(const struct step *s)
{
	u64 hva = frame_hva(frame_at(s->a));
	u64 va = setup->va[s->a % setup->nr_vas];

	step = s;
	hart = &host.hart[s->vcpu % host.nr_harts];
	/* After all that was before, what took no time of its own included. */
	oracle.now += 2;
	step_began = oracle.now;
	raced = false;
	update.any = false;
	host.waited = false;
	host.rand = s->rand;
	host.oom = s->how & WITH_OOM ? 512 : 0;
	host.busy = s->how & WITH_BUSY;
	/* It is in the guest where it is about to trap. */
	if (!(s->how & BY_SLOW) && s->op != OP_EXIT && !enter())
		model_fail("no memory, though there is some");
	host.race_in = s->how & (WITH_RACE | WITH_HOST) ?
		       host_rand() % (s->op >= OP_REPLACE ? 4 : 12) : -1;
	switch (s->op) {
	case OP_MAP:
		return map(va, s->b, s->c ? usable(s->val) : s->val);
	case OP_PTE:
		return guest_write(frame_at(s->a) << PAGE_SHIFT | (s->b * 8 & 0xff8), s->val);
	case OP_CHANGE:
		return change(va, s->b, s->val);
	case OP_FENCE:
		return fence();
	case OP_SATP:
		return set_satp(setup->satp[s->a % setup->nr_satps]);
	case OP_SUM:
		return set_sstatus(V_SUM, s->a);
	case OP_MXR:
		return set_sstatus(V_MXR, s->a);
	case OP_PRIV:
		if (s->a > 1 && setup->machine)
			return set_machine(s->a > 2, s->b & 1);
		return set_priv(s->a & 1);
	case OP_ACCESS:
		return access_memory(va + s->c * 8, s->b);
	case OP_TRANSLATE:
		return translate(va + s->c * 8, s->b);
	case OP_TOUCH:
		return touch(frame_at(s->a) << PAGE_SHIFT | s->c * 8, s->b);
	case OP_SWITCH:
		return switch_space(setup->satp[s->a % setup->nr_satps],
				    s->b == NONE ? -1 : s->b % oracle.nr_asids);
	case OP_PMP:
		if (setup->machine)
			set_pmp(s->b % NR_PMP, frame_at(s->a), s->c);
		return;
	case OP_EXIT:
		return hart_exit(hart);
	case OP_REPLACE:
		return replace(hva);
	case OP_PROTECT:
		return protect(hva);
	case OP_TAKE:
		return take(hva);
	case OP_TAKEN:
		return taken();
	case OP_SITES:
		/* In ordinary memory of the launcher alone. */
		if (frame_is_writable(frame_at(s->a)))
			sites_set(frame_at(s->a), s->b);
		return;
	case OP_RESET:
		hart_exit(hart);
		umbra_mmu_reset(&hart->vcpu);
		return;
	case OP_SLOT:
		return set_slot(s->b);
	}
}

/* --- running a script ------------------------------------------------------------------- */

/* Its last PMP entry, for all there is, gives all rights. */
static void m_mode_create(struct umbra_vcpu *vcpu)
{
	vcpu->m = &vcpu->sw->machine;
	vcpu->m->medeleg = ~0ULL;
	vcpu->m->menvcfg = V_ENVCFG_ADUE;
	umbra_pmp_write_addr(&vcpu->m->pmp, UMBRA_PMP_ENTRIES - 1, ~0ULL);
	umbra_pmp_write_cfg(&vcpu->m->pmp, 1, (u64)(V_PMP_NAPOT | V_PMP_RWX) << 56);
}

static void machine_create(const struct setup *s)
{
	setup = s;
	memory_reset();
	umbra_host.levels = s->levels;
	umbra_host.satp_mode = V_SATP_SV39 + s->levels - 3;
	user_create(s->huge);
	host.oom = 0;
	host.busy = false;
	host.race_in = -1;
	host.in_fast = false;
	host.race = race;
	host.pte_updated = pte_updated;
	oracle_reset(s->nr_vcpus);
	oracle.svade = s->svade;
	oracle.machine = s->machine;
	oracle.nr_vas = s->nr_vas;
	memcpy(oracle.va, s->va, sizeof(oracle.va));
	oracle.nr_asids = 0;
	for (unsigned int i = 0; i < s->nr_satps; i++) {
		unsigned int n = 0;

		while (n < oracle.nr_asids && oracle.asid[n] != umbra_satp_asid(s->satp[i]))
			n++;
		oracle.asid[n] = umbra_satp_asid(s->satp[i]);
		oracle.nr_asids = max(oracle.nr_asids, n + 1);
	}
	umbra_host.asids = s->asids;
	vm_create(s->nr_vcpus);
	for (unsigned int i = 0; i < s->nr_vcpus; i++) {
		host.hart[i].vcpu.feat.svade = s->svade;
		host.hart[i].vcpu.sw->asids = s->asids;
		if (s->machine)
			m_mode_create(&host.hart[i].vcpu);
	}
	for (int i = 0; i < NR_SLOTS; i++)
		if (slot_set(i, true, 0))
			model_fail("umbra_memslot_set()");
}

static void machine_count(void)
{
	for (unsigned int i = 0; i < host.nr_harts; i++) {
		const struct umbra_vcpu *vcpu = &host.hart[i].vcpu;
		const struct umbra_fast *fast = vcpu->mmu.fast;

		count.fast_fills += fast->fills;
		count.fast_spurious += fast->spurious;
		count.reflected += fast->reflects;
		count.fast_fences += fast->fences;
		count.fast_satps += fast->satps;
		count.aborts += fast->aborts;
		count.slow_fills += vcpu->stat[UMBRA_STAT_SHADOW_FILL];
		count.resets += vcpu->stat[UMBRA_STAT_MMU_RESET];
		count.moves += vcpu->stat[UMBRA_STAT_MOVES];
	}
}

/* Number of the step that failed; -1: none did; @nr: the end of the VM. */
static int run_script(const struct setup *s, const struct step *steps, int nr)
{
	static volatile int at;

	watchdog(3);
	if (sigsetjmp(host.out, 0)) {
		watchdog(0);
		return at;
	}
	at = 0;
	machine_create(s);
	for (at = 0; at < nr; at++) {
		execute(&steps[at]);
		judge_all();
		for (unsigned int i = 0; i < host.nr_harts; i++)
			judge_rmap(&host.hart[i]);
		count.steps++;
	}
	host.oom = 0;
	host.race_in = -1;
	host.rand = 0;
	taken();
	machine_count();
	vm_destroy();
	watchdog(0);
	count.scripts++;
	return -1;
}

/* --- what is random -------------------------------------------------------------------- */

static u64 pick(const u64 *from, unsigned int nr)
{
	return from[unit_rand_below(nr)];
}

static bool chance(unsigned int percent)
{
	return unit_rand_below(100) < percent;
}

/* Kinds of scripts. */
#define QUIET	1	/* the host leaves the guest alone */
#define CALM	2	/* the guest does what guests do mostly: tables stay as they are */
#define FULL	4	/* all fences are of everything */
#define HOPS	8	/* many address spaces of one mode, new ones all the time */

/* Addresses that share tables, at the edges and where the switcher lies. */
static u64 random_va(int top)
{
	static const u64 index[][5] = {
		{ 0, 1, 5, 511, 0 }, { 0, 1, 2, 511, 0 }, { 2, 0, 256, 511, 255 },
		{ 0, 1, 255, 256, 511 }, { 0, 255, 256, 257, 511 },
	};
	int bits = 12 + 9 * (top + 1);
	u64 va = 0;

	for (int l = 0; l <= top; l++)
		va |= pick(index[l], 5) << (12 + 9 * l);
	return (u64)((s64)(va << (64 - bits)) >> (64 - bits));
}

/* In which an address may differ from one next to it: mostly in the same table. */
static unsigned int random_bit(int top)
{
	return 12 + unit_rand_below(3) + (chance(75) ? 0 : 9 * unit_rand_below(top));
}

static void random_setup(struct setup *s, unsigned int kind)
{
	static const u64 frames[] = {
		0x80000, 0x80001, 0x80002, 0x80003, 0x80004, 0x80005, 0x80006, 0x80007,
		0x801ff, 0x80200, 0x80201, 0x80345, 0x80346, 0xa5000, 0xa5001, 0xbffff,
		0xc0000, 0xc0001, 0xc03ff, 0x1000, 0x1001,
		0x140000, 0x140001, 0x302, 0x301, 0x10, 0xc0400,
	};
	static const u64 asids[] = { 0, 1, 2, 0xffff };
	bool alone = (kind & HOPS) || chance(50);
	int widest, top;

	memset(s, 0, sizeof(*s));
	s->levels = 3 + unit_rand_below(3);
	s->huge = unit_rand_below(3);
	s->svade = chance(25);
	s->asids = chance(60);
	s->aliased = chance(20);
	s->machine = chance(30);
	s->nr_vcpus = chance(60) ? 1 : 2 + unit_rand_below(2);
	s->nr_vas = 4 + unit_rand_below(MAX_VAS - 3);
	s->nr_frames = 6 + unit_rand_below(MAX_FRAMES - 5);
	s->nr_satps = kind & HOPS ? MAX_SATPS :
		      2 + unit_rand_below(chance(70) ? 2 : MAX_SATPS - 1);
	widest = unit_rand_below(s->levels - 2);
	/* Tables first: seldom where they cannot be, or cannot be written. */
	for (int i = 0; i < s->nr_frames; i++)
		s->frame[i] = pick(frames, ARRAY_SIZE(frames) -
				   (i < 3 || (i < s->nr_frames / 2 && chance(90)) ? 6 : 0));
	s->satp[0] = (V_SATP_SV39 + widest) << V_SATP_MODE_SHIFT | s->frame[0];
	for (int i = 1; i < s->nr_satps; i++) {
		u64 asid = pick(asids, !(kind & HOPS) && chance(50) ? 2 : 4);
		int frames = kind & HOPS ? 2 : chance(80) ? 4 : s->nr_frames;

		s->satp[i] = (V_SATP_SV39 + (alone ? widest : unit_rand_below(widest + 1)))
			     << V_SATP_MODE_SHIFT | asid << V_SATP_ASID_SHIFT |
			     s->frame[unit_rand_below(frames)];
	}
	if (chance(20))
		s->satp[s->nr_satps - 1] = 0;
	top = umbra_walk_top(s->satp[0]);
	for (int i = 0; i < s->nr_vas; i++) {
		s->va[i] = random_va(top);
		/* Next to another; physical addresses, for satp off. */
		if (i && chance(75))
			s->va[i] = s->va[unit_rand_below(i)] ^ 1ULL << random_bit(top);
		if (chance(8))
			s->va[i] = s->frame[unit_rand_below(s->nr_frames)] << PAGE_SHIFT;
	}
}

static unsigned int often_global;	/* percent */

static u64 random_flags(void)
{
	static const u64 perm[] = {
		V_PTE_R, V_PTE_R | V_PTE_W, V_PTE_R | V_PTE_W | V_PTE_X,
		V_PTE_R | V_PTE_X, V_PTE_X, V_PTE_R | V_PTE_W,
	};

	return V_PTE_V | pick(perm, ARRAY_SIZE(perm)) | (chance(30) ? V_PTE_U : 0) |
	       (chance(often_global) ? V_PTE_G : 0) | (chance(80) ? V_PTE_A : 0) |
	       (chance(60) ? V_PTE_D : 0);
}

/* Data is mostly in the second half of the frames. */
static u64 random_data(const struct setup *s)
{
	unsigned int half = chance(80) ? s->nr_frames / 2 : 0;

	return s->frame[half + unit_rand_below(s->nr_frames - half)];
}

/* A leaf for @level. */
static u64 random_leaf(const struct setup *s, int level)
{
	static const u64 big[] = { 0x80000, 0x80200, 0xc0000, 0xa5000, 0x140000 };
	u64 gfn = random_data(s);

	if (level && chance(90))
		gfn = level == 1 ? pick(big, chance(80) ? 3 : 5) & ~0x1ffULL :
		      level == 2 ? 0x80000 : 0;
	return gfn << V_PTE_PPN_SHIFT | random_flags();
}

static u64 random_pte(const struct setup *s, int level)
{
	u64 gfn = s->frame[unit_rand_below(s->nr_frames)];

	switch (unit_rand_below(12)) {
	case 0 ... 5:
		return random_leaf(s, level);
	case 6 ... 8:
		return gfn << V_PTE_PPN_SHIFT | V_PTE_V | (chance(10) ? V_PTE_G : 0);
	case 9:
		return 0;
	case 10:
		return gfn << V_PTE_PPN_SHIFT | (unit_rand() & 0xff);
	default:
		return random_leaf(s, level) |
		       (chance(30) ? 1ULL << (54 + unit_rand_below(10)) : 0);
	}
}

static void random_step(const struct setup *s, struct step *t, const struct step *before,
			unsigned int kind)
{
	/* How often each is, in the order of enum op. */
	static const u8 often[NR_OPS] = {
		32, 1, 14, 16, 5, 3, 1, 4, 100, 4, 5, 4, 2, 3, 2, 2, 1, 12, 1, 1, 1,
	};
	static const u64 bits[] = {
		V_PTE_V, V_PTE_R, V_PTE_W, V_PTE_X, V_PTE_U, V_PTE_G, V_PTE_A, V_PTE_D,
		V_PTE_A | V_PTE_D, 1 << 10, V_PTE_W | V_PTE_D,
	};
	int total = 0, n;

	for (int i = 0; i < (kind & QUIET ? OP_REPLACE : NR_OPS); i++)
		total += often[i];
	n = unit_rand_below(total);
	*t = (struct step) { .rand = unit_rand(), .vcpu = unit_rand_below(s->nr_vcpus) };
	while (n >= often[t->op])
		n -= often[t->op++];
	if ((kind & CALM) && t->op <= OP_FENCE && chance(40))
		t->op = OP_ACCESS;
	if ((kind & HOPS) && chance(12))
		t->op = OP_SATP;
	/* To and fro, as in traps of xv6. */
	if ((kind & FULL) && !(kind & HOPS) && chance(30))
		t->op = OP_SWITCH;
	/* What was just changed, or fenced, is looked at. */
	t->a = before && before->a != NONE && chance(60) ? before->a :
	       unit_rand_below(MAX_VAS);
	if (before && chance(60))
		t->vcpu = before->vcpu;
	if (chance(25))
		t->how |= BY_SLOW;
	/* It makes all address spaces go. */
	if (!(kind & HOPS) && chance(3))
		t->how |= WITH_OOM;
	if (chance(3))
		t->how |= WITH_BUSY;
	if (chance(8))
		t->how |= chance(60) ? WITH_RACE : kind & QUIET ? 0 : WITH_HOST;
	t->val = unit_rand();
	switch (t->op) {
	case OP_MAP:
		t->b = chance(75) ? 0 : unit_rand_below(4);
		t->c = chance(kind & CALM ? 90 : 60);
		t->val = chance(90) ? random_leaf(s, t->b) : random_pte(s, t->b);
		break;
	case OP_PTE:
		t->b = unit_rand_below(6);
		t->val = random_pte(s, chance(80) ? 0 : 1);
		break;
	case OP_CHANGE:
		t->b = chance(75) ? 0 : unit_rand_below(5);
		t->c = chance(50);
		t->val = t->c ? pick(bits, ARRAY_SIZE(bits)) : random_pte(s, t->b);
		break;
	case OP_FENCE:
		if (chance(kind & FULL ? 100 : kind & CALM ? 5 : 25))
			t->a = NONE;
		t->b = chance(kind & FULL ? 100 : 40) ? NONE : unit_rand_below(MAX_ASIDS);
		break;
	case OP_SWITCH:
		t->b = chance(kind & FULL ? 100 : 60) ? NONE : unit_rand_below(MAX_ASIDS);
		break;
	case OP_SUM:
		t->a = chance(50);
		break;
	case OP_PRIV:
		t->a = s->machine && chance(30) ? 2 + chance(50) : chance(70);
		t->b = chance(50);
		break;
	case OP_PMP:
		t->b = unit_rand_below(NR_PMP);
		t->c = chance(60) ? V_PMP_RWX : unit_rand_below(8);
		break;
	case OP_MXR:
		t->a = chance(30);
		break;
	case OP_ACCESS:
	case OP_TRANSLATE:
	case OP_TOUCH:
		if (chance(40))
			t->a = unit_rand_below(MAX_VAS);
		/* Memory that is found while it goes. */
		if (!(kind & QUIET) && chance(5))
			t->how |= WITH_HOST;
		t->b = UMBRA_ACCESS_READ + unit_rand_below(3);
		t->c = unit_rand_below(6);
		t->val = random_pte(s, 0);
		if (t->op == OP_TOUCH && chance(80))
			t->b = UMBRA_ACCESS_READ;
		break;
	case OP_REPLACE:
	case OP_PROTECT:
	case OP_TAKE:
		if (chance(50))
			t->how |= WITH_RACE;
		break;
	case OP_SITES:
		t->b = chance(60);
		break;
	case OP_SLOT:
		t->b = chance(30);
		break;
	}
}

/* How a guest begins: a satp, some mappings. */
static void first_step(const struct setup *s, struct step *t, int i)
{
	*t = (struct step) { .rand = unit_rand(), .vcpu = i % s->nr_vcpus };
	if (i < s->nr_vcpus) {
		t->op = OP_SATP;
		return;
	}
	if (i < s->nr_vcpus + s->nr_frames) {
		t->op = OP_TOUCH;
		t->a = i - s->nr_vcpus;
		t->b = UMBRA_ACCESS_READ;
		return;
	}
	t->op = OP_MAP;
	t->a = i;
	t->val = random_leaf(s, 0) | (chance(80) ? V_PTE_A | V_PTE_D : 0);
}

/* --- a script that fails, made short ------------------------------------------------------ */

/* Drop what it fails without, in ever smaller pieces. */
static int shrink(const struct setup *s, struct step *steps, int nr)
{
	static struct step shorter[MAX_STEPS];
	clock_t end = clock() + 60 * CLOCKS_PER_SEC;
	int size = nr / 2;

	while (size && clock() < end) {
		bool any = false;

		for (int from = 0; from < nr && clock() < end;) {
			int n = min(size, nr - from), at;

			memcpy(shorter, steps, from * sizeof(*steps));
			memcpy(shorter + from, steps + from + n, (nr - from - n) * sizeof(*steps));
			at = run_script(s, shorter, nr - n);
			if (at < 0) {
				from += n;
				continue;
			}
			any = true;
			nr = min(at + 1, nr - n);
			memcpy(steps, shorter, nr * sizeof(*steps));
		}
		if (!any || size > nr)
			size /= 2;
	}
	return nr;
}

/* What chance adds is most often not needed either. */
static void simplify(const struct setup *s, struct step *steps, int nr)
{
	for (int i = 0; i < nr; i++)
		for (unsigned int bit = 0; bit < 5; bit++) {
			struct step was = steps[i];

			steps[i].how &= ~BIT(bit);
			if (steps[i].how != was.how && run_script(s, steps, nr) != nr - 1)
				steps[i] = was;
		}
}

static void print_words(const char *name, const u64 *word, int nr)
{
	printf("# \t.%s = {", name);
	for (int i = 0; i < nr; i++)
		printf("%s%#llx,", i % 4 ? " " : "\n# \t\t", (unsigned long long)word[i]);
	printf("\n# \t},\n");
}

static void print_script(const struct setup *s, const struct step *steps, int nr)
{
	printf("# static const struct setup NAME_setup = {\n");
	printf("# \t.levels = %d, .huge = %d, .nr_vcpus = %d, .nr_vas = %d,\n", s->levels,
	       s->huge, s->nr_vcpus, s->nr_vas);
	printf("# \t.nr_frames = %d, .nr_satps = %d, .svade = %d,\n", s->nr_frames,
	       s->nr_satps, s->svade);
	printf("# \t.asids = %d, .aliased = %d, .machine = %d,\n", s->asids, s->aliased,
	       s->machine);
	print_words("va", s->va, s->nr_vas);
	print_words("frame", s->frame, s->nr_frames);
	print_words("satp", s->satp, s->nr_satps);
	printf("# };\n#\n# static const struct step NAME_steps[] = {\n");
	for (int i = 0; i < nr; i++) {
		const struct step *t = &steps[i];

		printf("# \t{ %s, %d, %d, %d, %d, %d, %#x, %#llx },", op_name[t->op],
		       t->vcpu, t->a, t->b, t->c, t->how, t->rand,
		       (unsigned long long)t->val);
		switch (t->op) {
		case OP_MAP:
		case OP_CHANGE:
		case OP_ACCESS:
		case OP_TRANSLATE:
			printf("\t/* %#llx */", (unsigned long long)s->va[t->a % s->nr_vas]);
			break;
		case OP_SATP:
			printf("\t/* %#llx */",
			       (unsigned long long)s->satp[t->a % s->nr_satps]);
			break;
		}
		printf("\n");
	}
	printf("# };\n");
}

/* --- tests ------------------------------------------------------------------------------ */

static void prepare(void)
{
	if (model_memory)
		return;
	memory_create();
	signals_create();
}

/* Find no fault with a script, or show a short one; @done: steps before it. */
static bool check_script(const struct setup *s, struct step *steps, int nr, u64 done)
{
	int at = run_script(s, steps, nr);
	char message[sizeof(host.message)];

	if (at < 0)
		return true;
	memcpy(message, host.message, sizeof(message));
	fail_test("step %llu, number %d of its script: %s", (unsigned long long)done + at, at,
		  message);
	nr = shrink(s, steps, min(at + 1, nr));
	simplify(s, steps, nr);
	at = run_script(s, steps, nr);
	printf("# in %d steps: %s\n", nr, host.message);
	print_script(s, steps, nr);
	return false;
}

static void print_counts(void)
{
#define SHOW(what)	((unsigned long long)count.what)
	printf("# %llu steps in %llu scripts, %llu translations judged\n", SHOW(steps),
	       SHOW(scripts), SHOW(judged));
	printf("# accesses: %llu mapped (%llu stores), %llu page faults, %llu access faults, %llu emulated, %llu waits\n",
	       SHOW(mapped), SHOW(stored), SHOW(page_faults), SHOW(access_faults),
	       SHOW(emulated), SHOW(waits));
	printf("# fast.c: %llu fills, %llu spurious, %llu reflected, %llu fences, %llu satps, %llu of them between fences (%llu known ones), %llu aborts\n",
	       SHOW(fast_fills), SHOW(fast_spurious), SHOW(reflected), SHOW(fast_fences),
	       SHOW(fast_satps), SHOW(runs), SHOW(ways), SHOW(aborts));
	printf("# fault.c: %llu fills, %llu resets, %llu moves; %llu races, %llu times no memory\n",
	       SHOW(slow_fills), SHOW(resets), SHOW(moves), SHOW(races), SHOW(no_memory));
#undef SHOW
}

/* --- scripts that once failed ------------------------------------------------------------- */

static void fixed_script(const struct setup *s, const struct step *from, int nr)
{
	static struct step steps[MAX_STEPS];

	prepare();
	memcpy(steps, from, nr * sizeof(*from));
	check_script(s, steps, nr, 0);
}

/*
 * Sv48 and Sv39 with one root frame: a page of the shadow that both used had,
 * for Sv39, entries at addresses that are not canonical.
 */
UNIT_TEST(root_is_another_modes_table)
{
	static const struct setup s = {
		.levels = 4, .huge = 1, .nr_vcpus = 1, .nr_vas = 16,
		.nr_frames = 15, .nr_satps = 2, .svade = 0,
		.va = {
			0x80002000, 0x80000000, 0x80004000, 0x4000400000,
			0x4040400000, 0x80000000, 0x4040401000, 0x4040401000,
			0x4040403000, 0x4000402000, 0x4040600000, 0xffffffbfc01ff000,
			0xffffffbfc01fe000, 0x80001000, 0x4000400000, 0x4000404000,
		},
		.frame = {
			0x80004, 0xc0000, 0x80002, 0x80004, 0x80006, 0x80007, 0x80007,
			0x80003, 0xc0400, 0xc0001, 0x140001, 0x80002, 0xbffff, 0x302,
			0x80201,
		},
		.satp = { 0x9000000000080004, 0x8000200000080004 },
	};
	static const struct step steps[] = {
		{ OP_SATP, 0, 15, 0, 0, 0, 0xeb1b68b9, 0 },
		{ OP_PRIV, 0, 0, 0, 0, 0, 0x2300dd35, 0 },
		{ OP_MAP, 0, 0, 0, 0, 0, 0xcc291fc4, 0x2000085f },
		{ OP_ACCESS, 0, 16, 1, 5, 0, 0x889e13a9, 0x20000863 },
		{ OP_SATP, 0, 16, 0, 0, 0, 0xaa34d480, 0 },
		{ OP_MAP, 0, 4, 0, 1, 0, 0x207a3bae, 0xc08a7 },
		{ OP_MAP, 0, 8, 0, 1, 0, 0xe7c67663, 0x200010cf },
		{ OP_ACCESS, 0, 8, 3, 4, 0, 0x5b458f1e, 0x20001004 },
		{ OP_SATP, 0, 13, 0, 0, 0, 0x20d8d14f, 0 },
		{ OP_ACCESS, 0, 13, 2, 3, 0, 0xa2a647a6, 0 },
	};

	fixed_script(&s, steps, ARRAY_SIZE(steps));
}

/*
 * A pointer without G to a table that holds global mappings only, replaced and
 * fenced by ASID: fast.c found a fault in the old table.
 */
UNIT_TEST(fault_by_a_fenced_pointer)
{
	static const struct setup s = {
		.levels = 3, .huge = 0, .nr_vcpus = 2, .nr_vas = 7,
		.nr_frames = 7, .nr_satps = 2, .svade = 0,
		.va = {
			0xffffffffc0000000, 0x80200000, 0x80200000, 0x80202000,
			0x80204000, 0x80202000, 0xffffffffc0001000,
		},
		.frame = { 0x80001, 0xc0000, 0x80200, 0x10, 0x80006, 0x80201, 0x10 },
		.satp = { 0x8000000000080001, 0x8000000000080001 },
	};
	static const struct step steps[] = {
		{ OP_SATP, 0, 0, 0, 0, 0, 0xcb4a112f, 0 },
		{ OP_SATP, 1, 0, 0, 0, 0, 0xa7af1d6, 0 },
		{ OP_PRIV, 0, 0, 0, 0, 0, 0x31314cc3, 0 },
		{ OP_ACCESS, 1, 3, 3, 5, 0, 0xb210274f, 0x20000497 },
		{ OP_MAP, 1, 3, 1, 0, 0, 0xb4064172, 0x20001801 },
		{ OP_MAP, 0, 19, 0, 1, 0, 0x1ff6da24, 0x200804e7 },
		{ OP_PRIV, 1, 0, 0, 0, 0, 0x462ddbc4, 0 },
		{ OP_ACCESS, 0, 10, 3, 1, 0, 0x8993df29, 0x200004e7 },
		{ OP_MAP, 1, 10, 0, 1, 0, 0x62350139, 0x200018c7 },
		{ OP_ACCESS, 1, 10, 1, 2, 0, 0x63f21973, 0x4067 },
		{ OP_MAP, 1, 10, 3, 1, 0, 0xaef5a671, 0xdf },
		{ OP_FENCE, 0, NONE, 4, 0, 0, 0xb8a8b2b1, 0 },
		{ OP_ACCESS, 0, 8, 3, 4, 0, 0x20bcb8a1, 0x2008042f },
	};

	fixed_script(&s, steps, ARRAY_SIZE(steps));
}

/*
 * A table of global mappings, taken over from the address space before with
 * links that are old; then, by another path, a mapping without G below it.
 */
UNIT_TEST(private_by_another_path)
{
	static const struct setup s = {
		.levels = 3, .huge = 1, .nr_vcpus = 1, .nr_vas = 5,
		.nr_frames = 15, .nr_satps = 2, .svade = 0,
		.va = {
			0x400000, 0, 0xffffffc000000000, 0xffffffffc0400000,
			0xffffffc000001000,
		},
		.frame = {
			0x80004, 0x80002, 0x80001, 0x80005, 0x80002, 0x80001, 0x1000,
			0x302, 0x1000, 0x80002, 0x301, 0x80000, 0x80006, 0x1001, 0x80004,
		},
		.satp = { 0x8000000000080004, 0x8000100000080004 },
	};
	static const struct step steps[] = {
		{ OP_SATP, 0, 3, 0, 0, 0, 0xe4ec49b7, 0 },
		{ OP_MAP, 0, 18, 0, 1, 0, 0x85d4ab9, 0x200008e7 },
		{ OP_MAP, 0, 6, 0, 1, 0, 0x79338fa, 0xc0489 },
		{ OP_MAP, 0, 4, 0, 0, 0, 0x7874554e, 0xc0401 },
		{ OP_CHANGE, 0, 1, 0, 0, 0, 0xa7963416, 0x4000c9 },
		{ OP_MAP, 0, 12, 0, 1, 0, 0xeeda0dbc, 0x4000c3 },
		{ OP_MAP, 0, 19, 0, 0, 0, 0x1bf4f8b6, 0x40006b },
		{ OP_ACCESS, 0, 9, 3, 4, 0, 0x2b10c207, 0x200008c3 },
		{ OP_MAP, 0, 10, 0, 1, 0, 0xddf1d136, 0xc04a3 },
		{ OP_SATP, 0, 0, 0, 0, 0, 0xe54e7d21, 0 },
		{ OP_ACCESS, 0, 13, 1, 4, 0, 0xcb77cece, 0x20001021 },
	};

	fixed_script(&s, steps, ARRAY_SIZE(steps));
}

/* Memory of a slot that goes, taken away when no notifier finds the slot any more. */
UNIT_TEST(slot_goes_with_its_memory)
{
	static const struct setup s = {
		.levels = 5, .huge = 1, .nr_vcpus = 1, .nr_vas = 8,
		.nr_frames = 15, .nr_satps = 2, .svade = 0,
		.va = {
			0x7fc000000000, 0x7fc000004000, 0x80345000, 0x7fc000005000,
			0x7fc000004000, 0x7fc000006000, 0x7fc000804000, 0x7fc000005000,
		},
		.frame = {
			0x80201, 0xa5001, 0x80004, 0x1000, 0x80003, 0x80006, 0x80345,
			0xc03ff, 0x140001, 0xc0000, 0x140000, 0x801ff, 0x80006, 0x80002,
			0x80201,
		},
		.satp = { 0x9000000000080201, 0x9000100000080201 },
	};
	static const struct step steps[] = {
		{ OP_SATP, 0, 0, 0, 0, 0, 0x84bbee3d, 0 },
		{ OP_MAP, 0, 0, 0, 1, 0, 0xab009e93, 0x500004fb },
		{ OP_ACCESS, 0, 8, 2, 5, 0, 0x2d6d1bc1, 0x2000000020080447 },
		{ OP_SLOT, 0, 8, 0, 0, 8, 0x74fb6851, 0x9d2b69512c3f9763 },
	};

	fixed_script(&s, steps, ARRAY_SIZE(steps));
}

/*
 * As fault_by_a_fenced_pointer, and the entry found in the old table has G, but
 * not V.
 */
UNIT_TEST(fault_by_an_invalid_global_entry)
{
	static const struct setup s = {
		.levels = 3, .huge = 2, .nr_vcpus = 3, .nr_vas = 15,
		.nr_frames = 12, .nr_satps = 2, .svade = 0,
		.va = {
			0x3fc0000000, 0x3fc0200000, 0x3fc0202000, 0x3fc0204000,
			0x80004000, 0x3fc0206000, 0x3fc0202000, 0x3fc0200000,
			0x3fc0205000, 0x3fc0200000, 0x3fc0203000, 0x801ff000,
			0x801fd000, 0x801fc000, 0x3fc0206000,
		},
		.frame = {
			0x80000, 0x80000, 0x80003, 0x80006, 0x80004, 0x80346, 0x140000,
			0xc0001, 0x80004, 0xbffff, 0x80002, 0x1001,
		},
		.satp = { 0x8000000000080000, 0x8000100000080003 },
	};
	static const struct step steps[] = {
		{ OP_SATP, 0, 11, 0, 0, 0, 0x67695962, 0 },
		{ OP_ACCESS, 1, 11, 3, 4, 0, 0x78f0d6ec, 0x2ffffcd3 },
		{ OP_SWITCH, 1, 11, 255, 0, 0, 0x5b4b59fa, 0 },
		{ OP_MAP, 1, 18, 0, 1, 0, 0x810c4c53, 0x2ffffcc9 },
		{ OP_CHANGE, 1, 6, 0, 0, 0, 0x29749eae, 0x4004a8 },
		{ OP_ACCESS, 0, 9, 1, 4, 0, 0x73b9d238, 0x500000f7 },
		{ OP_MAP, 1, 1, 1, 1, 0, 0x95a3716b, 0 },
		{ OP_FENCE, 0, NONE, 5, 0, 0, 0xe2332399, 0 },
		{ OP_ACCESS, 0, 6, 1, 5, 0, 0xf550640e, 0x200010c3 },
	};

	fixed_script(&s, steps, ARRAY_SIZE(steps));
}

/* A fence of one ASID, where another ASID has the same root, filled before. */
UNIT_TEST(private_root_of_another_asid)
{
	static const struct setup s = {
		.levels = 5, .huge = 0, .nr_vcpus = 1, .nr_vas = 5,
		.nr_frames = 23, .nr_satps = 8, .svade = 0,
		.va = {
			0xffffffc0005ff000, 0xffffffc0005fd000, 0xffffffc0005ff000,
			0xffffffc0005fb000, 0xffffffc0005fc000,
		},
		.frame = {
			0x1001, 0x801ff, 0x80346, 0xc0000, 0x80007, 0x80004, 0x80006, 0x80001,
			0x80346, 0x80001, 0xc03ff, 0x80003, 0x80201, 0xa5000, 0x80346, 0x80345,
			0x80345, 0x80006, 0x140000, 0x80005, 0x80004, 0xc0001, 0x80346,
		},
		.satp = {
			0x8000000000001001, 0x8000100000001001, 0x8000200000080346,
			0x80000000000c0000, 0x8000200000080004, 0x8000000000080346,
			0x8ffff00000080346, 0x8000100000080346,
		},
	};
	static const struct step steps[] = {
		{ OP_SWITCH, 0, 18, 255, 0, 0, 0xf253b105, 0x99f72d93a5acdf5b },
		{ OP_MAP, 0, 4, 2, 1, 0, 0xf6f7b0be, 0x200000c9 },
		{ OP_ACCESS, 0, 3, 3, 3, 0, 0xf44b2a87, 0x20001001 },
		{ OP_SATP, 0, 15, 0, 0, 0, 0xce87a811, 0xcd2fa56f67a34fa4 },
		{ OP_MAP, 0, 5, 0, 1, 0, 0xb61132eb, 0x20001847 },
		{ OP_FENCE, 0, 255, 1, 0, 0, 0xc8035c31, 0x7e5a9919b1559777 },
	};

	fixed_script(&s, steps, ARRAY_SIZE(steps));
}

/*
 * One table at two addresses.  By one of them a store replaces a leaf that a hart with
 * ASIDs remembers for the other: the next fence of everything has to be one.
 */
UNIT_TEST(leaf_replaced_at_another_address)
{
	static const struct setup s = {
		.levels = 3, .huge = 0, .nr_vcpus = 1, .nr_vas = 6,
		.nr_frames = 5, .nr_satps = 1, .svade = 0, .asids = 1,
		.va = { 0x1000, 0x201000, 0x2000, 0x3000, 0x4000, 0x5000 },
		.frame = { 0x80000, 0x80001, 0x80002, 0x80003, 0x80004 },
		.satp = { 0x8000000000080000 },
	};
	static const struct step steps[] = {
		/* The table at 0 and 0x200000 maps the first page, and all others. */
		{ OP_PTE, 0, 0, 0, 0, 0, 1, 0x20000401 },
		{ OP_PTE, 0, 1, 0, 0, 0, 2, 0x20000801 },
		{ OP_PTE, 0, 1, 1, 0, 0, 3, 0x20000801 },
		{ OP_PTE, 0, 2, 1, 0, 0, 4, 0x20000c43 },
		{ OP_PTE, 0, 2, 2, 0, 0, 5, 0x200010c7 },
		{ OP_PTE, 0, 2, 3, 0, 0, 6, 0x20000043 },
		{ OP_PTE, 0, 2, 4, 0, 0, 7, 0x20000443 },
		{ OP_PTE, 0, 2, 5, 0, 0, 8, 0x20000843 },
		{ OP_PRIV, 0, 1, 0, 0, 0, 9, 0 },
		{ OP_SATP, 0, 0, 0, 0, 0, 10, 0 },
		/* fault.c, whereupon the frames are known. */
		{ OP_ACCESS, 0, 2, 2, 0, BY_SLOW, 11, 0 },
		{ OP_ACCESS, 0, 3, 1, 0, BY_SLOW, 12, 0 },
		{ OP_ACCESS, 0, 4, 1, 0, BY_SLOW, 13, 0 },
		{ OP_ACCESS, 0, 5, 1, 0, BY_SLOW, 14, 0 },
		{ OP_ACCESS, 0, 0, 1, 0, BY_SLOW, 15, 0 },
		{ OP_ACCESS, 0, 1, 1, 0, BY_SLOW, 16, 0 },
		{ OP_FENCE, 0, NONE, NONE, 0, 0, 17, 0 },
		{ OP_ACCESS, 0, 1, 1, 0, 0, 18, 0 },
		{ OP_PTE, 0, 2, 1, 0, 0, 19, 0x200010c7 },
		{ OP_ACCESS, 0, 0, 2, 0, 0, 20, 0 },
		{ OP_FENCE, 0, NONE, NONE, 0, 0, 21, 0 },
	};

	fixed_script(&s, steps, ARRAY_SIZE(steps));
}

UNIT_TEST(random_scripts)
{
	static struct step steps[MAX_STEPS];
	const char *env = getenv("STEPS");
	u64 wanted = env && *env ? strtoull(env, NULL, 0) : 200000;
	struct setup s;

	prepare();
	memset(&count, 0, sizeof(count));
	for (u64 done = 0; done < wanted;) {
		int nr = FIRST_STEPS + unit_rand_below(chance(30) ? MAX_STEPS - FIRST_STEPS : 500);
		unsigned int kind = unit_rand_below(8) | (chance(25) ? HOPS | QUIET : 0);

		often_global = kind & HOPS ? 70 : 25;
		random_setup(&s, kind);
		for (int i = 0; i < nr; i++)
			if (i < FIRST_STEPS)
				first_step(&s, &steps[i], i);
			else
				random_step(&s, &steps[i], &steps[i - 1], kind);
		if (!check_script(&s, steps, nr, done))
			break;
		done += nr;
	}
	print_counts();
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
