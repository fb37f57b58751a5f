/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The oracle of test_shadow.c: which translations the privileged specification
 * (version of the section numbers in the module: 10.2.1 sfence.vma, 10.1.11
 * satp, 10.3.2 the walk) permits a hart to use.
 *
 * It never asks which translation a hart has cached; it remembers everything
 * that the guest did, each thing at a time of its own, and asks whether there
 * is a way in which a hart could have come by the translation:
 *
 *  - A walk begins with a value of satp at a time at which that was active.
 *  - Then it reads a PTE per level, each not before the one above it, each at
 *    any time: what is cached of an upper level may be as old as the fences
 *    allow, and a walk may go on after satp was written.
 *  - None of these times is before the last fence that orders it: for leaves
 *    those of all addresses and of this one, for pointers to the next table
 *    only those of all addresses.  A fence of one ASID orders nothing of
 *    another, and no mapping that is global (G in any PTE of its path).
 *  - Used may be what was read with the same ASID, and global mappings that
 *    were read with any; in the same mode.
 *  - Permissions are judged with privilege, SUM and MXR as they are now.  A is
 *    set in the leaf that was read, D if the access is a store.
 *  - Faults: nothing invalid is cached (Svvptc), so the PTE that faults is one
 *    that memory held while the access was under way.
 *  - PMP (section 3.7), in pages: of M-mode nothing is asked; of S- and U-mode the
 *    access itself, and a load, or a store, of each PTE on the way.  What M-mode
 *    writes there takes effect at once, as Umbra has it.
 *
 * Right after a fence of everything this leaves exactly the walk of now.
 */
#ifndef UMBRA_UNIT_SHADOW_ORACLE_H
#define UMBRA_UNIT_SHADOW_ORACLE_H

#include "shadow_host.h"

#define MAX_VAS		20
#define MAX_ASIDS	6
#define NR_VERSIONS	131072
#define PTE_HASH	4096
#define NR_SATPS	8192
#define NR_PMP		4

/* A value that 8 bytes of guest memory had from @from on. */
struct version {
	u64 from;
	u64 val;
	u32 older;		/* index; 0: none, the memory was 0 before */
};

struct pte_history {
	u64 gpa;
	u32 newest;
};

struct satp_period {
	u64 from;
	u64 satp;
};

/* What one hart did. */
struct oracle_hart {
	struct satp_period satp[NR_SATPS];
	unsigned int nr_satps;
	u64 fence;				/* of everything */
	u64 fence_asid[MAX_ASIDS];
	u64 fence_va[MAX_VAS];			/* all ASIDs */
	u64 fence_va_asid[MAX_VAS][MAX_ASIDS];
	struct {
		u64 gfn;
		u8 perm;			/* V_PMP_* */
	} pmp[NR_PMP];				/* others: all rights */
};

static struct {
	u64 now;
	bool svade;
	bool machine;				/* there are M-mode and PMP */
	unsigned int nr_vas, nr_asids;
	u64 va[MAX_VAS];			/* page addresses */
	u64 asid[MAX_ASIDS];
	struct version version[NR_VERSIONS];
	u32 nr_versions;
	struct pte_history pte[PTE_HASH];
	struct oracle_hart hart[MAX_VCPUS];
} oracle;

/* --- what happened ----------------------------------------------------------------------- */

static struct pte_history *oracle_history(u64 gpa)
{
	u64 h = hash_64(gpa, 12);

	while (oracle.pte[h].gpa && oracle.pte[h].gpa != gpa)
		h = (h + 1) % PTE_HASH;
	return &oracle.pte[h];
}

static void oracle_write(u64 gpa, u64 val)
{
	struct pte_history *p = oracle_history(gpa & ~7ULL);
	u32 n = ++oracle.nr_versions;

	model_check(n < NR_VERSIONS);
	p->gpa = gpa & ~7ULL;
	oracle.version[n] = (struct version) { ++oracle.now, val, p->newest };
	p->newest = n;
}

static u64 oracle_value(u64 gpa)
{
	return oracle.version[oracle_history(gpa & ~7ULL)->newest].val;
}

static void oracle_satp(unsigned int hart, u64 satp, u64 from)
{
	struct oracle_hart *o = &oracle.hart[hart];

	model_check(o->nr_satps < NR_SATPS);
	o->satp[o->nr_satps++] = (struct satp_period) { from, satp };
}

static u64 oracle_satp_now(unsigned int hart)
{
	const struct oracle_hart *o = &oracle.hart[hart];

	return o->satp[o->nr_satps - 1].satp;
}

/* Index of an address or an ASID; -1: not one of the script's. */
static int oracle_va(u64 va)
{
	for (unsigned int i = 0; i < oracle.nr_vas; i++)
		if (oracle.va[i] == (va & ~0xfffULL))
			return i;
	return -1;
}

static int oracle_asid(u64 satp)
{
	for (unsigned int i = 0; i < oracle.nr_asids; i++)
		if (oracle.asid[i] == umbra_satp_asid(satp))
			return i;
	model_fail("the script has no such ASID");
}

/* sfence.vma, not before @now; @va, @asid: indices, -1: of all. */
static void oracle_fence(unsigned int hart, int va, int asid, u64 now)
{
	struct oracle_hart *o = &oracle.hart[hart];

	if (va < 0 && asid < 0)
		o->fence = now;
	else if (va < 0)
		o->fence_asid[asid] = now;
	else if (asid < 0)
		o->fence_va[va] = now;
	else
		o->fence_va_asid[va][asid] = now;
}

static void oracle_reset(unsigned int nr_harts)
{
	oracle.now = 1;
	oracle.nr_versions = 0;
	memset(oracle.pte, 0, sizeof(oracle.pte));
	for (unsigned int i = 0; i < nr_harts; i++) {
		struct oracle_hart *o = &oracle.hart[i];

		memset(o, 0, sizeof(*o));
		oracle_satp(i, 0, ++oracle.now);
		for (int n = 0; n < NR_PMP; n++)
			o->pmp[n].gfn = ~0ULL;
	}
}

/* --- what is permitted ------------------------------------------------------------------- */

enum question {
	MAY_MAP,	/* may the access use frame @gfn? */
	MAY_UPDATE,	/* may it leave @pte in memory at @pte_gpa? */
	MAY_PAGE_FAULT,
	MAY_ACCESS_FAULT,
};

struct query {
	/* the access */
	unsigned int hart;
	u64 va;
	enum umbra_access access;
	bool machine, user, sum, mxr;
	u64 begin;			/* when it began */
	/* what is to be known */
	enum question question;
	u64 gfn;
	u64 pte_gpa, pte;
	/* for one class of mappings: */
	bool global;
	u64 since;			/* pointers, and the beginning */
	u64 since_leaf;
};

static bool frame_is_memory(u64 gfn)
{
	bool ret;
	int srcu = srcu_read_lock(&host.vm->slots_srcu);

	ret = umbra_memslot_find(host.vm, gfn);
	srcu_read_unlock(&host.vm->slots_srcu, srcu);
	return ret;
}

static bool frame_is_writable(u64 gfn)
{
	u64 va = frame_hva(gfn);

	return frame_is_memory(gfn) &&
	       !(slot_plan[slot_of_hva(va)].flags & KVM_MEM_READONLY);
}

/* May S- or U-mode do that to @gfn, as far as PMP is concerned? */
static bool pmp_permits(const struct query *q, u64 gfn, unsigned int perm)
{
	const struct oracle_hart *o = &oracle.hart[q->hart];

	for (int i = 0; i < NR_PMP; i++)
		if (o->pmp[i].gfn == gfn)
			return o->pmp[i].perm & perm;
	/* No entry reaches beyond physical addresses. */
	return !oracle.machine || !(gfn >> 44);
}

static unsigned int pmp_of(enum umbra_access access)
{
	return access == UMBRA_ACCESS_READ ? V_PMP_R :
	       access == UMBRA_ACCESS_WRITE ? V_PMP_W : V_PMP_X;
}

/* Step 3, and what is reserved in pointers. */
static bool pte_is_bad(u64 pte, int level)
{
	if (!(pte & V_PTE_V) || (pte & V_PTE_RESERVED) ||
	    (pte & (V_PTE_R | V_PTE_W)) == V_PTE_W)
		return true;
	if (umbra_pte_leaf(pte))
		return false;
	return !level || (pte & (V_PTE_A | V_PTE_D | V_PTE_U));
}

/* Step 5. */
static bool leaf_permits(const struct query *q, u64 pte)
{
	bool fetch = q->access == UMBRA_ACCESS_EXEC;

	if (q->user != !!(pte & V_PTE_U) && (q->user || fetch || !q->sum))
		return false;
	switch (q->access) {
	case UMBRA_ACCESS_READ:
		return (pte & V_PTE_R) || (q->mxr && (pte & V_PTE_X));
	case UMBRA_ACCESS_WRITE:
		return pte & V_PTE_W;
	default:
		return pte & V_PTE_X;
	}
}

/* A leaf at @gpa, in memory in @from .. @to - 1, was read: is this the answer? */
static bool leaf_answers(const struct query *q, u64 gpa, u64 pte, int level,
			 u64 read, u64 to)
{
	u64 ppn = (pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT;
	u64 below = (1ULL << (9 * level)) - 1;
	u64 gfn = ppn | ((q->va >> PAGE_SHIFT) & below);
	bool permitted = pmp_permits(q, gfn, pmp_of(q->access));
	bool current = to > q->begin;
	bool lacks_ad = !(pte & V_PTE_A) ||
			(q->access == UMBRA_ACCESS_WRITE && !(pte & V_PTE_D));

	if (!leaf_permits(q, pte) || (ppn & below) || (lacks_ad && oracle.svade))
		return q->question == MAY_PAGE_FAULT && current;
	/* Which of the two is found first is nobody's business. */
	if (q->question == MAY_ACCESS_FAULT && current && !permitted)
		return true;
	if (lacks_ad)
		return q->question == MAY_ACCESS_FAULT && current &&
		       (!frame_is_writable(gpa >> PAGE_SHIFT) ||
			!pmp_permits(q, gpa >> PAGE_SHIFT, V_PMP_W));
	if (max(read, q->since_leaf) >= to)
		return false;
	if (q->question == MAY_UPDATE)
		return gpa == q->pte_gpa && pte == q->pte;
	return q->question == MAY_MAP && q->gfn == gfn && permitted;
}

/*
 * Every walk that goes on in @table not before @since; @global: a PTE above had
 * G.  Does one give the answer?
 */
static bool explore(const struct query *q, u64 table, int level, u64 since,
		    bool global)
{
	u64 gpa = (table << PAGE_SHIFT) + 8 * umbra_va_index(q->va, level);
	u64 to = ~0ULL;
	u32 n;

	if (!frame_is_memory(table) || !pmp_permits(q, table, V_PMP_R))
		return q->question == MAY_ACCESS_FAULT && (global || !q->global);
	for (n = oracle_history(gpa)->newest;; n = oracle.version[n].older) {
		u64 from = n ? oracle.version[n].from : 0;
		u64 pte = n ? oracle.version[n].val : 0;
		bool g = global || (pte & V_PTE_G);
		u64 read = max(from, since);

		if (to <= since)
			return false;
		if (pte_is_bad(pte, level)) {
			if (q->question == MAY_PAGE_FAULT && to > q->begin &&
			    (global || !q->global))
				return true;
		} else if (umbra_pte_leaf(pte)) {
			if ((g || !q->global) &&
			    leaf_answers(q, gpa, pte, level, read, to))
				return true;
		} else if (explore(q, (pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT, level - 1,
				   read, g)) {
			return true;
		}
		if (!n)
			return false;
		to = from;
	}
}

/* Walks that began with a satp that was active at @q->since or later. */
static bool begin(const struct query *q)
{
	const struct oracle_hart *o = &oracle.hart[q->hart];
	u64 satp = oracle_satp_now(q->hart);
	u64 to = ~0ULL;

	for (unsigned int n = o->nr_satps; n--; to = o->satp[n].from) {
		const struct satp_period *p = &o->satp[n];

		if (to <= q->since)
			return false;
		if (p->satp >> V_SATP_MODE_SHIFT != satp >> V_SATP_MODE_SHIFT ||
		    (!q->global && umbra_satp_asid(p->satp) != umbra_satp_asid(satp)))
			continue;
		/* A fault is found by a walk of now, or in a global mapping. */
		if (q->question != MAY_MAP && !q->global && p->satp != satp)
			continue;
		if (explore(q, p->satp & V_SATP_PPN, umbra_walk_top(p->satp),
			    max(p->from, q->since), false))
			return true;
	}
	return false;
}

static bool oracle_permits(struct query *q)
{
	const struct oracle_hart *o = &oracle.hart[q->hart];
	u64 satp = oracle_satp_now(q->hart);
	int va = oracle_va(q->va), asid;

	if (q->machine)
		return q->question == MAY_MAP && q->gfn == q->va >> PAGE_SHIFT;
	if (umbra_walk_top(satp) < 0) {
		if (!pmp_permits(q, q->va >> PAGE_SHIFT, pmp_of(q->access)))
			return q->question == MAY_ACCESS_FAULT;
		return q->question == MAY_MAP && q->gfn == q->va >> PAGE_SHIFT;
	}
	if (!umbra_va_canonical(q->va, umbra_walk_top(satp)))
		return q->question == MAY_PAGE_FAULT;
	asid = oracle_asid(satp);

	/* Mappings that are global: fences of one ASID do not count. */
	q->global = true;
	q->since = o->fence;
	q->since_leaf = max(o->fence, va < 0 ? 0 : o->fence_va[va]);
	if (begin(q))
		return true;
	q->global = false;
	q->since = max(o->fence, o->fence_asid[asid]);
	q->since_leaf = max(q->since, va < 0 ? 0 :
			    max(o->fence_va[va], o->fence_va_asid[va][asid]));
	return begin(q);
}

#endif /* UMBRA_UNIT_SHADOW_ORACLE_H */
