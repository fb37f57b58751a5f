// SPDX-License-Identifier: GPL-2.0
/*
 * Guest page-table walk; see walk.h.
 *
 * Called by fault.c for every shadow miss and by the emulator for every access
 * it performs in the guest's stead.  No locks; the guest may change its tables
 * at any time, so each PTE is read once.
 */
#include "walk.h"

static bool leaf_permits(const struct umbra_walk *walk, u64 pte)
{
	/* Step 5: U against the privilege of the access. */
	if (walk->user) {
		if (!(pte & V_PTE_U))
			return false;
	} else if (pte & V_PTE_U) {
		/* S-mode never executes user pages, SUM or not. */
		if (!walk->sum || walk->access == UMBRA_ACCESS_EXEC)
			return false;
	}

	switch (walk->access) {
	case UMBRA_ACCESS_READ:
		return (pte & V_PTE_R) || (walk->mxr && (pte & V_PTE_X));
	case UMBRA_ACCESS_WRITE:
		return pte & V_PTE_W;
	case UMBRA_ACCESS_EXEC:
		return pte & V_PTE_X;
	default:
		return false;
	}
}

/* Steps 5 to 9 of the algorithm, for a leaf. */
static int walk_leaf(struct umbra_walk *walk, u64 va, int level, u64 addr,
		     const struct umbra_walk_ops *ops, void *ctx)
{
	u64 pte = walk->pte[level];
	u64 ppn = (pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT;
	u64 below = BIT_ULL(9 * level) - 1;
	u64 want = pte | V_PTE_A;
	int ret;

	if (!leaf_permits(walk, pte))
		return UMBRA_WALK_PAGE_FAULT;
	/* Step 6: misaligned superpage. */
	if (ppn & below)
		return UMBRA_WALK_PAGE_FAULT;
	/* Step 7: accessed and dirty. */
	if (walk->access == UMBRA_ACCESS_WRITE)
		want |= V_PTE_D;
	if (want != pte) {
		if (walk->svade)
			return UMBRA_WALK_PAGE_FAULT;
		ret = ops->cmpxchg_pte(ctx, addr, pte, want);
		if (ret == -EFAULT)
			return UMBRA_WALK_ACCESS_FAULT;
		if (ret)
			return ret;
		walk->pte[level] = want;
	}
	walk->level = level;
	walk->gpa = ((ppn | ((va >> 12) & below)) << 12) | (va & 0xfff);
	return 0;
}

static int walk_once(struct umbra_walk *walk, u64 va,
		     const struct umbra_walk_ops *ops, void *ctx)
{
	u64 table = walk->satp & V_SATP_PPN;
	int level;

	for (level = walk->top; level >= 0; level--) {
		u64 addr = (table << 12) + 8 * umbra_va_index(va, level);
		u64 pte;
		int ret = ops->read_pte(ctx, addr, &pte);

		if (ret == -EFAULT)
			return UMBRA_WALK_ACCESS_FAULT;
		if (ret)
			return ret;
		walk->table[level] = table;
		walk->pte[level] = pte;
		/* Step 3. */
		if (!(pte & V_PTE_V) || (pte & V_PTE_RESERVED) ||
		    (pte & (V_PTE_R | V_PTE_W)) == V_PTE_W)
			return UMBRA_WALK_PAGE_FAULT;
		if (umbra_pte_leaf(pte))
			return walk_leaf(walk, va, level, addr, ops, ctx);
		/* A, D and U are reserved in a pointer to the next table. */
		if (pte & (V_PTE_A | V_PTE_D | V_PTE_U))
			return UMBRA_WALK_PAGE_FAULT;
		table = (pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT;
	}
	return UMBRA_WALK_PAGE_FAULT;
}

int umbra_walk(struct umbra_walk *walk, u64 va,
	       const struct umbra_walk_ops *ops, void *ctx)
{
	int ret;

	walk->top = umbra_walk_top(walk->satp);
	if (walk->top < 0) {
		walk->gpa = va;
		walk->level = 0;
		return 0;
	}
	if (!umbra_va_canonical(va, walk->top))
		return UMBRA_WALK_PAGE_FAULT;
	/*
	 * -EAGAIN from cmpxchg: the PTE changed under us, begin again (step 7).
	 * A guest that keeps changing it on another hart only delays itself:
	 * the caller sees -EAGAIN after a few rounds and re-enters the guest.
	 */
	for (int tries = 0; tries < 4; tries++) {
		ret = walk_once(walk, va, ops, ctx);
		if (ret != -EAGAIN)
			return ret;
	}
	return -EAGAIN;
}
