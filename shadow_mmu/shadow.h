/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the shadow MMU: shadow pages and what fault.c and fence.c do to them.
 *
 * Only the vCPU's own thread makes, links and frees shadow pages; any thread
 * may clear leaves (MMU notifiers, rewriting).  So looking up and creating
 * needs no lock, changing an entry, a bitmap or the reverse map needs mmu.lock,
 * by umbra_mmu_lock(), which keeps fast.c out as well.
 */
#ifndef UMBRA_SHADOW_H
#define UMBRA_SHADOW_H

#include <linux/processor.h>
#include <linux/types.h>

#include "shadow_mmu.h"

static inline u64 shadow_page_gfn(const struct shadow_page *sp, unsigned int idx)
{
	u64 span = 1ULL << (9 * sp->role.level);

	if (sp->gpt)
		return ((sp->gpt[idx] & V_PTE_PPN) >> V_PTE_PPN_SHIFT) & ~(span - 1);
	return sp->role.key + idx * span;
}

/* Is the entry there, and may the hardware use it? */
static inline bool shadow_entry_live(const struct shadow_page *sp, unsigned int idx)
{
	return shadow_used(sp, idx) && (sp->spt[idx] & V_PTE_V);
}

static inline bool shadow_entry_leaf(const struct shadow_page *sp, unsigned int idx)
{
	return sp->spt[idx] & (V_PTE_R | V_PTE_W | V_PTE_X);
}

/* mmu.lock, and what keeps fast.c out. */
static inline void umbra_mmu_lock(struct umbra_mmu *mmu)
{
	spin_lock(&mmu->lock);
	/* For as long as one fill takes. */
	while (xchg_acquire(&mmu->fast->busy, 1))
		cpu_relax();
}

static inline void umbra_mmu_unlock(struct umbra_mmu *mmu)
{
	smp_store_release(&mmu->fast->busy, 0);	/* xchg_acquire() above, fast.c */
	spin_unlock(&mmu->lock);
}

/* --- known.c: which host page is behind a guest frame ------------------------ */

/* Room for the entries of @gfn's neighbourhood; quietly nothing if it fails. */
void umbra_known_prepare(struct umbra_vm *vm, u64 gfn);
/*
 * Frame @gfn is backed by @pfn.  Caller holds an mmu.lock under which it has
 * seen that @gfn's memory is not frozen and was not since @pfn was looked up.
 */
void umbra_known_set(struct umbra_vm *vm, u64 gfn, unsigned long pfn,
		     bool writable);
/* The same for a frame with rewritten text, which has an execute-only leaf. */
void umbra_known_set_text(struct umbra_vm *vm, u64 gfn, unsigned long pfn);
/*
 * The guest's memory of frame @gfn in the kernel's address space, or NULL where
 * it is not known.  Under an mmu.lock, for as long as that is held.
 */
void *umbra_known_memory(struct umbra_vm *vm, u64 gfn);
/* Forget frames @first .. @last; after their leaves, before the thaw. */
void umbra_known_clear(struct umbra_vm *vm, u64 first, u64 last);
/*
 * How many frames it covers; how many of these the guest window shows, and where
 * that begins in the slot.
 */
u64 umbra_known_frames(void);
u64 umbra_known_readable(void);
u64 umbra_known_window(void);

/*
 * fault.c: the guest's root table under @root, its upper half, with everything
 * above it linked and up to date; NULL if that fails.
 */
struct shadow_page *shadow_path_upper(struct umbra_vcpu *vcpu,
				      struct shadow_page *root, u64 satp);
/* Find or make the page of a role; NULL when out of memory or over the limit. */
struct shadow_page *shadow_page_get(struct umbra_vcpu *vcpu,
				    const struct shadow_role *role);
/* Clear one entry, leaf or link.  Caller holds mmu.lock. */
void shadow_entry_clear(struct umbra_vcpu *vcpu, struct shadow_page *sp,
			unsigned int idx);
/* Set a leaf.  Caller holds mmu.lock; the entry is clear. */
void shadow_leaf_set(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		     unsigned int idx, u64 spte, u64 gpte);
/* The page that entry @idx, a link, points to. */
struct shadow_page *shadow_child(struct umbra_vcpu *vcpu,
				 struct shadow_page *sp, unsigned int idx);
/* Link a child.  Takes mmu.lock. */
void shadow_link(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		 unsigned int idx, struct shadow_page *child, u64 gpte);
/*
 * Compare with guest memory, drop what changed, unlink children (each is
 * compared when it is linked again).  Takes mmu.lock.
 *
 * Called each time a page is about to be linked.  A page that is not linked
 * misses fences of single addresses, and the guest may have made another table
 * of its frame, with no fence at all where the table was not live.
 */
int shadow_page_sync(struct umbra_vcpu *vcpu, struct shadow_page *sp);
/* Everything in an address space is to be compared again. */
void shadow_space_clear(struct umbra_vcpu *vcpu, struct umbra_space *space);
/* Empty the pages below its roots, too, but for text. */
void shadow_space_wipe(struct umbra_vcpu *vcpu, struct umbra_space *space);
/* All of it but global mappings is. */
void shadow_space_clear_private(struct umbra_vcpu *vcpu, struct umbra_space *space);
/* One address in it is. */
void shadow_space_fence(struct umbra_vcpu *vcpu, struct umbra_space *space, u64 va);
/* Bring it up to date with the log of fences. */
void shadow_space_replay(struct umbra_vcpu *vcpu, struct umbra_space *space);
/* The space in use, NULL: none is. */
struct umbra_space *shadow_space_now(struct umbra_vcpu *vcpu);
/* The root of the current view, NULL if it is not made yet. */
struct shadow_page *shadow_root_now(struct umbra_vcpu *vcpu);
/* The switcher lies where the guest has a mapping: put it elsewhere. */
void shadow_move_switcher(struct umbra_vcpu *vcpu);
/* Are A and D set by "hardware", or do they fault? */
bool umbra_adue(struct umbra_vcpu *vcpu);
/* Read one guest PTE; -EFAULT where no memory is. */
int shadow_read_gpte(struct umbra_vcpu *vcpu, u64 gpa, u64 *pte);

#endif /* UMBRA_SHADOW_H */
