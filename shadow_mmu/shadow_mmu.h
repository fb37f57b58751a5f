/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shadow MMU: what it offers to vmm_core.
 *
 * Each vCPU has shadow tables of its own: they are that hart's TLB.  The
 * specification lets a hart use any translation that was valid since its last
 * sfence.vma, so a shadow is filled on a fault and brought up to date on the
 * guest's fences, and guest tables are not write-protected.
 *
 * A table of the guest is shadowed once per view (who may use the leaves) and
 * linked wherever the guest's tables point to it.  A page is compared with the
 * guest's memory each time it is linked, and its own links are cut, so that no
 * address space ever sees a translation that was not valid for it since its
 * last fence.
 */
#ifndef UMBRA_SHADOW_MMU_H
#define UMBRA_SHADOW_MMU_H

#include <linux/interval_tree.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "fast.h"
#include "walk.h"

struct umbra_vm;
struct umbra_vcpu;
struct mmu_notifier_ops;

/**
 * struct umbra_known_gib - the known table of one GiB of guest memory
 * @page: 512 entries each, or NULL
 * @as_data: last-level table that maps the pages, for fast.c to read
 * @as_tables: table that links to them: the guest window
 */
struct umbra_known_gib {
	u64 *page[512];
	u64 *as_data;
	u64 *as_tables;
};

/* --- memory slots (memslot.c) ---------------------------------------------- */

/* Slot ids 0 .. UMBRA_SLOT_IDS - 1, as many as KVM_CAP_NR_MEMSLOTS says. */
#define UMBRA_SLOT_IDS		32767

/* Physical addresses of Sv39, Sv48 and Sv57. */
#define UMBRA_GPA_BITS		56

/**
 * struct umbra_memslot - guest-physical range backed by user memory
 * @gfn: first guest page
 * @npages: length
 * @hva: user address of the first page, page aligned
 * @dirty: bitmap of written pages, NULL unless dirty logging is on
 * @by_hva: in vm->slots_by_hva
 */
struct umbra_memslot {
	u32 flags;
	u64 gfn;
	u64 npages;
	unsigned long hva;
	unsigned long *dirty;
	struct interval_tree_node by_hva;
};

/* Immutable once published; sorted by gfn. */
struct umbra_memslots {
	struct rcu_head rcu;
	unsigned int nr;
	struct umbra_memslot *slot[];
};

struct kvm_userspace_memory_region;
struct kvm_dirty_log;
struct kvm_clear_dirty_log;
int umbra_memslot_set(struct umbra_vm *vm,
		      const struct kvm_userspace_memory_region *mem);
/* Under srcu: the slot of @gfn, or NULL. */
struct umbra_memslot *umbra_memslot_find(struct umbra_vm *vm, u64 gfn);
int umbra_memslot_dirty_log(struct umbra_vm *vm, struct kvm_dirty_log *log);
int umbra_memslot_clear_dirty(struct umbra_vm *vm, const struct kvm_clear_dirty_log *log);
void umbra_memslots_free(struct umbra_vm *vm);
void umbra_mark_dirty(struct umbra_vm *vm, u64 gfn);

/* --- shadow tables (shadow.c) ---------------------------------------------- */

#ifndef UMBRA_SHADOW_MAX		/* a test makes it small */
#define UMBRA_SHADOW_MAX	8192	/* pages; beyond that all are dropped */
#endif
/* From this many on those that nothing links to are used again. */
#define UMBRA_SHADOW_ENOUGH	(UMBRA_SHADOW_MAX / 8)
/* Shadow pages that one last-level table of the window maps. */
#define UMBRA_WIN_PER_TABLE	(512UL >> (UMBRA_WIN_SHIFT - 12))

/**
 * struct umbra_mmu - one vCPU's shadow MMU
 * @lock: protects everything below against MMU notifiers; taken by the vCPU's
 *	thread for each change, never while in the guest
 * @fast: what fast.c shares with us; the cached address spaces are there
 * @rmap: heads of the reverse map, id * 512 + index + 1; beside @fast
 * @sw_slot: index in the root table where the switcher lies
 * @forget: hot entries may name mappings that are gone: drop them
 * @hash: of roles: id + 1 of the first; beside @fast
 * @recycled: pages without a role, empty: id + 1 of the first
 * @machine: roots of M-mode, without and with MPRV; no address space's
 * @once: page with a leaf that must not outlive the next exit, NULL: none
 * @once_index: its entry
 * @once_fresh: the guest has not run with it yet
 */
#define UMBRA_SALTS	128		/* numbers for address spaces in the hot table */

struct umbra_mmu {
	spinlock_t lock;	/* see above */
	struct umbra_vcpu *vcpu;
	struct umbra_fast *fast;
	struct shadow_page **pages;	/* by id */
	u32 nr_pages;
	u32 *hash;
	u32 recycled;
	u32 *rmap;
	unsigned int sw_slot;
	bool forget;
	struct shadow_page *machine[UMBRA_ALL_VIEWS - UMBRA_VIEWS];
	struct shadow_page *once;
	unsigned int once_index;
	bool once_fresh;
	u64 *sw_tables[4];		/* levels below the root, for the switcher */
	u64 *win[UMBRA_SHADOW_MAX / UMBRA_WIN_PER_TABLE];
	u64 *scratch;			/* a guest table being compared */
	/* Those given to a space since the hot table was emptied for their sake. */
	DECLARE_BITMAP(salts, UMBRA_SALTS);
};

/* Hardware PTE of a U-mode leaf; perm of V_PTE_R, W, X. */
u64 shadow_make_leaf(unsigned long pfn, u64 perm);
/* ... of a page of ours that only the switcher uses. */
u64 shadow_make_kernel(const void *page, u64 bits);
/* ... and of a pointer to the next table. */
u64 shadow_make_link(const u64 *table);
/* Hardware satp of a root table. */
u64 shadow_make_satp(const u64 *root, u64 asid);

/*
 * A page of ours in the switcher's slot that the guest may execute, in every
 * view and privilege; NULL: none.  Not while the vCPU runs.
 */
void umbra_mmu_map_step(struct umbra_vcpu *vcpu, const void *page);
/* Where it lies. */
u64 umbra_mmu_step_va(struct umbra_vcpu *vcpu);

int umbra_mmu_create(struct umbra_vcpu *vcpu);
void umbra_mmu_destroy(struct umbra_vcpu *vcpu);

/* Make sw->root_* name the tables of the current satp; creates what lacks. */
int umbra_mmu_load(struct umbra_vcpu *vcpu);
/* Guest changed satp, MXR, or its features: find the address space anew. */
void umbra_mmu_unload(struct umbra_vcpu *vcpu);
/* Drop every shadow table. */
void umbra_mmu_reset(struct umbra_vcpu *vcpu);
/* The guest has run: a leaf that was for one time goes. */
void umbra_mmu_drop_once(struct umbra_vcpu *vcpu);
/*
 * gfn of the live executable leaf at @va in the current view, or ~0; *@global
 * tells whether the guest's PTE has G.
 */
u64 umbra_mmu_exec_gfn(struct umbra_vcpu *vcpu, u64 va, bool *global);
/* @insn at pc accessed @gpa at @gva: the switcher may be able to do the next (post.c). */
void umbra_mmu_note_post(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			 u64 gva, u64 gpa);
/* Give the current address space hot entries that others do not match. */
void umbra_mmu_private_salt(struct umbra_vcpu *vcpu);

/* --- faults (fault.c) ------------------------------------------------------- */

/* Results of umbra_mmu_fault() besides negative errors. */
enum umbra_fault {
	UMBRA_FAULT_DONE,	/* mapped, or was mapped: go on */
	UMBRA_FAULT_GUEST,	/* the guest's own: cause and tval are set */
	UMBRA_FAULT_EMULATE,	/* device, or text with sites: emulate */
};

struct umbra_fault_info {
	u64 gva;
	enum umbra_access access;
	unsigned int len;	/* bytes, for PMP; 0: judge the first */
	u64 gpa;
	u64 cause;		/* for UMBRA_FAULT_GUEST */
};

int umbra_mmu_fault(struct umbra_vcpu *vcpu, struct umbra_fault_info *info);

/*
 * Translate for an access that Umbra performs in the guest's stead; sets A and
 * D, checks permissions at the vCPU's current privilege, or at MPP's under MPRV.
 * 0 and *gpa, or UMBRA_FAULT_GUEST with info->cause, or negative.
 */
int umbra_mmu_translate(struct umbra_vcpu *vcpu, struct umbra_fault_info *info);

/* If *ptr == old, store new, atomically and in order.  Was it? */
bool umbra_cmpxchg(u64 *ptr, u64 old, u64 new);

/* --- fences (fence.c) -------------------------------------------------------- */

/* sfence.vma with rs1 = x0 (@all_va) or an address, rs2 = x0 (@all_asid). */
void umbra_mmu_fence(struct umbra_vcpu *vcpu, bool all_va, u64 va,
		     bool all_asid, u64 asid);

/* --- known frames (known.c) ---------------------------------------------------- */

/* Show what is known, and the guest window, to a vCPU's switcher. */
void umbra_known_map(struct umbra_vcpu *vcpu);
void umbra_known_free(struct umbra_vm *vm);

/* --- MMU notifiers (notifier.c) ---------------------------------------------- */

/* So many at the same time are told apart, and so many that are over. */
#define UMBRA_MN_ACTIVE		16
#define UMBRA_MN_LOG		32	/* a power of two */

/* User memory from @first to @last. */
struct umbra_mn_range {
	unsigned long first;
	unsigned long last;
};

/**
 * struct umbra_invalidations - what is being taken away, and what was of late
 * @lock: all but @wait; inner to mmu.lock
 * @seq: how many are over; the last ones are in @log
 * @nr: how many are under way, as far as @active has room
 * @others: under way, of which it is not known where: anywhere
 * @wait: faults wait here for the end of one
 *
 * umbra_vm_page.frozen is @nr + @others.
 */
struct umbra_invalidations {
	spinlock_t lock;		/* all but @wait; inner to mmu.lock */
	unsigned long seq;
	unsigned int nr;
	unsigned int others;
	struct umbra_mn_range active[UMBRA_MN_ACTIVE];
	struct umbra_mn_range log[UMBRA_MN_LOG];
	wait_queue_head_t wait;
};

void umbra_mn_init(struct umbra_vm *vm);
/*
 * None of user memory @first .. @last is filled from here to the thaw, by the
 * switcher nothing at all, and what of it was looked up before does not count any
 * more.  May nest; does not sleep.
 */
void umbra_mmu_freeze(struct umbra_vm *vm, unsigned long first, unsigned long last);
void umbra_mmu_thaw(struct umbra_vm *vm, unsigned long first, unsigned long last);
/* To be asked before the host's mappings are looked at. */
unsigned long umbra_mn_begin(struct umbra_vm *vm);
/* Does all hold that was looked up since umbra_mn_begin() said @seq?  Any context. */
bool umbra_mn_quiet(struct umbra_vm *vm, unsigned long seq);
/*
 * Does not hold what was looked up of @first .. @last?  The caller installs it
 * if it does, under the same mmu.lock.
 */
bool umbra_mn_retry(struct umbra_vm *vm, unsigned long first, unsigned long last,
		    unsigned long seq);
/* Is any of it being taken away? */
bool umbra_mn_busy(struct umbra_vm *vm, unsigned long first, unsigned long last);
/* Until none of it is, or a signal comes.  Not in a section of slots_srcu. */
void umbra_mn_wait(struct umbra_vm *vm, unsigned long first, unsigned long last);
/* Drop the leaves of @first .. @last in every vCPU; frozen. */
void umbra_mmu_zap_all(struct umbra_vm *vm, u64 first, u64 last);
int umbra_mn_register(struct umbra_vm *vm);
void umbra_mn_unregister(struct umbra_vm *vm);

#endif /* UMBRA_SHADOW_MMU_H */
