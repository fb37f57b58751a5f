/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rewriting of hot privileged instructions (Documentation/design.rst).
 *
 * A site is a guest-physical address whose first half-word has been replaced
 * by c.ebreak, because the instruction there trapped once and traps as a
 * breakpoint are cheap.  While a page holds sites the shadow maps it
 * execute-only, so that the guest cannot see them.
 *
 * Invariants:
 *  - a page is active only while the host page it was written to is the one
 *    that backs its frame: whatever takes that page away tells the MMU
 *    notifier first, which puts the originals back (umbra_sites_invalidate());
 *  - memory at a site holds c.ebreak, or someone else wrote there: then memory
 *    wins and the site is forgotten (umbra_site_find() compares);
 *  - every shadow leaf of a page with sites lacks R and W.
 */
#ifndef UMBRA_REWRITE_H
#define UMBRA_REWRITE_H

#include <linux/mutex.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "decode.h"

#define UMBRA_C_EBREAK	0x9002

struct umbra_vm;
struct umbra_vcpu;

/* One rewritten instruction. */
struct umbra_site {
	u16 offset;	/* in the page */
	u32 raw;	/* the instruction that stands there */
};

/**
 * struct umbra_site_page - the sites of one guest page
 * @pfn: host page that holds the rewritten bytes, valid while @active
 * @active: leaves must be execute-only, sites may be in memory; else they are
 *	only remembered
 * @written: there is a c.ebreak in memory, so hot entries may name the page
 * @reads: emulated accesses since the last new site; one that clears counts for more
 * @backoff: illegal-instruction traps to let pass before rewriting again
 * @hold: traps let pass so far
 */
struct umbra_site_page {
	u64 gfn;
	unsigned long pfn;
	bool active;
	bool written;
	unsigned int reads;
	unsigned int backoff;
	unsigned int hold;
	unsigned int nr;
	unsigned int room;
	struct umbra_site *site;
};

/* The sites of a VM: gfn -> struct umbra_site_page. */
struct umbra_sites {
	struct mutex add_lock;	/* adding sites; outside @lock */
	raw_spinlock_t lock;
	seqcount_t seq;		/* changes under @lock */
	struct xarray pages;
	unsigned int nr_pages;
};

void umbra_sites_init(struct umbra_sites *sites);
void umbra_sites_destroy(struct umbra_vm *vm);

/* Is this an instruction that rewriting helps? */
bool umbra_site_wanted(const struct umbra_insn *insn);

/**
 * umbra_site_add() - rewrite the instruction at the vCPU's pc
 *
 * Called after it was emulated once through an illegal-instruction trap.
 * Quietly does nothing where rewriting is not possible or not allowed.
 */
void umbra_site_add(struct umbra_vcpu *vcpu, u64 pc, const struct umbra_insn *insn);

/* The original instruction at @gpa: 0, or -ENOENT when it is no live site. */
int umbra_site_find(struct umbra_vm *vm, u64 gpa, u32 *raw);
/* Site number @n of a page: 0, -EAGAIN where memory holds something else, -ENOENT: no more. */
int umbra_site_nth(struct umbra_vm *vm, u64 gfn, unsigned int n, unsigned int *offset,
		   u32 *raw);

/* Does the page hold sites now (so its leaves must be execute-only)? */
bool umbra_sites_active(struct umbra_vm *vm, u64 gfn);

/* Are some of them in memory, and maybe in hot tables? */
bool umbra_sites_written(struct umbra_vm *vm, u64 gfn);

/* Does any page of @first .. @last hold sites? */
bool umbra_sites_in_range(struct umbra_vm *vm, u64 first, u64 last);

/* Does an instruction at @offset reach into the next page? */
static inline bool umbra_site_is_split(unsigned int offset)
{
	return offset > PAGE_SIZE - 4;
}

/* Put original bytes over what was read from [gpa, gpa + len). */
void umbra_sites_overlay(struct umbra_vm *vm, u64 gpa, void *buf, size_t len);

/*
 * The page is about to be written at [gpa, gpa + len) by something that does
 * not know of sites: drop those that overlap.
 */
void umbra_sites_drop(struct umbra_vm *vm, u64 gpa, size_t len);

/*
 * An emulated load or store hit the page, a store as of memset() if it @clears;
 * restores the page when that becomes too frequent.
 */
void umbra_sites_accessed(struct umbra_vcpu *vcpu, u64 gfn, bool clears);

/* Restore a page wholly, and let its leaves be readable again. */
void umbra_sites_restore(struct umbra_vm *vm, u64 gfn);

/*
 * Frames @first .. @last leave their host pages, or user space is going to
 * read them: put the originals back.  May not sleep.
 */
void umbra_sites_invalidate(struct umbra_vm *vm, u64 first, u64 last);

#endif /* UMBRA_REWRITE_H */
