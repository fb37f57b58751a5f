/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the shadow MMU: shadow pages and what fault.c and fence.c do to them.
 *
 * Only the vCPU's own thread makes, links and frees shadow pages; any thread
 * may clear leaves (MMU notifiers, rewriting).  So looking up and creating
 * needs no lock, changing an entry, a bitmap or the reverse map needs mmu.lock.
 */
#ifndef UMBRA_SHADOW_H
#define UMBRA_SHADOW_H

#include <linux/types.h>

#include "shadow_mmu.h"

enum shadow_kind {
	SHADOW_ROOT,	/* hardware root; key = guest satp */
	SHADOW_GLUE,	/* level above the guest's root; key = guest satp */
	SHADOW_TABLE,	/* shadows a guest table; key = its gfn */
	SHADOW_DIRECT,	/* part of a guest superpage, or satp off; key = gfn */
};

/**
 * struct shadow_role - what a shadow page stands for; compared whole
 * @key: see enum shadow_kind
 * @view: enum umbra_view, and MXR in bit 7
 * @access: DIRECT: permission bits (V_PTE_R, W, X) of every leaf
 * @half: upper half of the address space: tells apart the two pages that
 *	shadow a guest root below a wider hardware root
 */
struct shadow_role {
	u64 key;
	u8 kind;
	u8 level;
	u8 view;
	u8 access;
	u8 half;
};

/**
 * struct shadow_page - one hardware table
 * @spt: what the hardware walks
 * @gpt: TABLE, and ROOT of the host's own mode: the guest PTE that each used
 *	entry was made from; else NULL
 * @next: reverse map: next leaf of the same guest frame, per entry
 * @used: entries in use (the switcher's own is not counted)
 */
struct shadow_page {
	struct shadow_role role;
	u32 id;
	u64 *spt;
	u64 *gpt;
	u32 *next;
	struct hlist_node node;
	unsigned long used[512 / BITS_PER_LONG];
};

static inline u64 shadow_page_gfn(const struct shadow_page *sp, unsigned int idx)
{
	u64 span = 1ULL << (9 * sp->role.level);

	if (sp->gpt)
		return ((sp->gpt[idx] & V_PTE_PPN) >> V_PTE_PPN_SHIFT) & ~(span - 1);
	return sp->role.key + idx * span;
}

static inline bool shadow_entry_leaf(const struct shadow_page *sp, unsigned int idx)
{
	return sp->spt[idx] & (V_PTE_R | V_PTE_W | V_PTE_X);
}

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
/* Everything below a root is to be compared again. */
void shadow_root_clear(struct umbra_vcpu *vcpu, struct shadow_root *root);
/* The root of the address space the vCPU is in now, NULL if not loaded. */
struct shadow_root *shadow_root_now(struct umbra_vcpu *vcpu);
/* The switcher lies where the guest has a mapping: put it elsewhere. */
void shadow_move_switcher(struct umbra_vcpu *vcpu);
/* Read one guest PTE; -EFAULT where no memory is. */
int shadow_read_gpte(struct umbra_vcpu *vcpu, u64 gpa, u64 *pte);

#endif /* UMBRA_SHADOW_H */
