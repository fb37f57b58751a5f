/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the shadow MMU that the switcher can reach: what fast.c, which
 * runs in the guest's address space, shares with the rest.
 *
 * The slot of the root table that the switcher owns holds, besides its text
 * and the per-vCPU pages (switch.h):
 *
 *	window		each shadow page of this vCPU, by id: table, snapshot of
 *			the guest's entries, bookkeeping
 *	known		one PTE per guest frame: the host page behind it, where
 *			vmm_core knows it (struct umbra_known)
 *	guest window	the same PTEs used as page table: guest memory, where
 *			guest tables are read, and their A and D set
 *
 * All of it is supervisor-only, as the switcher itself.  fast.c includes no
 * header of Linux that may bring code with it: it may refer to nothing
 * outside the switcher.
 *
 * Locking: umbra_fast.busy is the inner half of mmu.lock.  Other threads take
 * both (umbra_mmu_lock()); the switcher, which cannot wait, takes busy alone
 * and leaves for the run loop when it is taken.
 */
#ifndef UMBRA_FAST_H
#define UMBRA_FAST_H

#include <linux/types.h>

#include "../vmm_core/post.h"
#include "walk.h"

enum umbra_view {
	UMBRA_VIEW_U,		/* U-mode: user pages */
	UMBRA_VIEW_S,		/* S-mode, SUM = 0: supervisor pages */
	UMBRA_VIEW_SUM,		/* S-mode, SUM = 1: both, user pages without X */
	UMBRA_VIEWS,		/* those of an address space */
	UMBRA_VIEW_M = UMBRA_VIEWS,	/* M-mode: physical addresses */
	UMBRA_VIEW_MPRV,	/* M-mode, MPRV = 1: fetches alone, physical */
	UMBRA_ALL_VIEWS
};

/* Set in a shadow role's view beside enum umbra_view while sstatus.MXR is. */
#define UMBRA_VIEW_MXR		0x80

#ifndef UMBRA_SPACES			/* a test makes these two small */
#define UMBRA_SPACES		32
#define UMBRA_FENCE_LOG		32	/* a power of two */
#endif
#define UMBRA_NO_SPACE		UMBRA_SPACES
#define UMBRA_SPACE_HINTS	32	/* a power of two */
/* umbra_space.compared: a space that is fenced is then worth wiping. */
#define UMBRA_COMPARE_ENOUGH	12288
#define UMBRA_HASH_BITS		10
#define UMBRA_SHADOW_HASH	BIT(UMBRA_HASH_BITS)
#ifndef UMBRA_SPARE_PAGES		/* a test makes it small */
#define UMBRA_SPARE_PAGES	8
#endif
/* Orphans tried at once before another way is found to get a page. */
#define UMBRA_ORPHAN_TRIES	16
#ifndef UMBRA_RMAP_BITS			/* a test makes it small */
#define UMBRA_RMAP_BITS		15
#endif
#define UMBRA_RMAP_HASH		BIT(UMBRA_RMAP_BITS)
#define UMBRA_RMAP_WAY_BITS	4
#define UMBRA_RMAP_WAYS		BIT(UMBRA_RMAP_WAY_BITS)

/* Offsets from the start of the switcher's slot. */
#define UMBRA_WIN_KNOWN		(32UL << 20)
#define UMBRA_WIN_PAGES		(128UL << 20)
/* One shadow page in the window: table, snapshot, struct shadow_page. */
#define UMBRA_WIN_SHIFT		14
#define UMBRA_WIN_GPT		4096
#define UMBRA_WIN_SP		8192

/*
 * A known PTE: V, R, A and the frame, for the guest window; W and D as well if
 * the guest may write it.
 */
#define UMBRA_KNOWN_W		(V_PTE_W | V_PTE_D)
/*
 * Set where the frame has rewritten text: it is known for the guest window alone,
 * where the bytes of instructions are compared, and for nothing else.
 */
#define UMBRA_KNOWN_TEXT	BIT_ULL(8)
/* First frame of the table: where the RAM of every known machine begins. */
#define UMBRA_KNOWN_BASE	0x80000UL
#define UMBRA_KNOWN_GIB		16

/**
 * struct umbra_space - a cached guest address space
 * @satp: guest satp it stands for; 0: satp off
 * @seen: how far into the log of fences it is up to date; the space in use is
 *	always up to date, whatever this says
 * @used: for replacing the least recently used
 * @hw: hardware satp of each view's root, 0: not made yet
 * @flips: umbra_fast.flips when it was last empty: if it is the same now, every
 *	page below a page that is not private is not private either
 * @salt_s: tells its entries in the hot table apart; 0: it has none of its own
 * @compared: what full fences have compared since it was last wiped
 * @root: id of each view's root, valid where @hw is not 0
 * @mxr: sstatus.MXR
 */
struct umbra_space {
	u64 satp;
	u64 seen;
	u64 used;
	u64 hw[UMBRA_VIEWS];
	u64 flips;
	u64 salt_s;
	u32 compared;
	u32 root[UMBRA_VIEWS];
	u8 mxr;
};

/* One sfence.vma. */
struct umbra_logged_fence {
	u64 va;
	u32 asid;
	u8 all_va;
	u8 all_asid;
};

/* Entries of guest tables, and how many spaces' are kept. */
#define UMBRA_QUICK_ENTRIES	122
#define UMBRA_QUICKS		16

/**
 * struct umbra_quick - all that a fence of one small space has to look at
 * @changes: umbra_fast.changes when it was written; else it is void
 * @space: its index
 * @nr: how many; more than there is room for: void
 * @entry: their addresses in the guest window, and what the shadow was made from
 */
struct umbra_quick {
	u64 changes;
	u32 space;
	u32 nr;
	struct {
		u64 at;
		u64 then;
	} entry[UMBRA_QUICK_ENTRIES];
};

/**
 * struct umbra_way - how a space was last left: by a fence of everything, a satp
 * write and another such fence
 * @pc: of the first
 * @hot_changes: umbra_switch.hot_changes then
 * @to: the space that became the one in use
 * @reg: where the satp was
 */
struct umbra_way {
	u64 pc;
	u64 hot_changes;
	u32 to;
	u8 reg;
};

#define UMBRA_POST_SITES	8	/* a power of two */

/**
 * struct umbra_post_site - an access to LSR or THR (post.c)
 * @pc: of the instruction
 * @gva: what it accessed
 * @text: where the instruction is, from the start of the guest window
 * @changes: umbra_fast.changes then; and so on
 * @fences: umbra_fast.log_nr
 * @view: SUM and MXR
 * @space: umbra_fast.now
 * @raw: the instruction
 * @imm: its offset
 * @cause: of the fault: load or store; 0: nothing is noted here
 * @len: 2 or 4
 * @base: register of the address
 * @data: register of the value
 */
struct umbra_post_site {
	u64 pc;
	u64 gva;
	u64 text;
	u64 changes;
	u64 fences;
	u64 view;
	u32 space;
	u32 raw;
	s32 imm;
	u8 cause;
	u8 len;
	u8 base;
	u8 data;
};

/* Loads and stores have places of their own: a console needs one of each. */
static inline unsigned int umbra_post_hash(u64 pc, bool store)
{
	return ((pc >> 1) % (UMBRA_POST_SITES / 2)) * 2 + store;
}

/**
 * struct umbra_fast - shared between the shadow MMU and fast.c, per vCPU
 * @busy: inner half of mmu.lock
 * @probing: fast.c has changed nothing yet: if it faults it just leaves
 * @holding: fast.c is the holder of @busy
 * @levels: of the hardware's tables
 * @aborts: how often there was such a fault
 * @now: index of the space in use, or UMBRA_NO_SPACE
 * @adue: A and D are set by "hardware", not by faults
 * @reflect: page faults of S- and U-mode are for the guest's S-mode
 * @hole_gfn: first of the frames that PMP does not leave wholly to S- and U-mode
 * @hole_nr: how many
 * @flips: how often a page with more than one parent became private
 * @changes: of entries and spaces, so far
 * @known_nr: frames that the known table covers
 * @readable_nr: those that the guest window shows
 * @log_nr: fences so far
 * @clock: for umbra_space.used
 * @spare: pages without a role that fast.c may give the role of a table: id + 1
 *	of the first, 0: none; the others by shadow_page.hash_next
 * @spare_nr: how many
 * @orphan: shadows of tables that nothing links to any more, or did not for a
 *	while: id + 1 of the oldest, 0: none; the others by
 *	shadow_page.orphan_next.  There when there are pages enough
 * @orphan_last: the youngest
 * @unfenced: fast.c has taken something from a table since the last full fence: the
 *	hart may remember it, in any address space (see umbra_host.asids)
 * @win: addresses in the guest's address space, see above
 * @post: by umbra_post_hash()
 * @way: by the space that was left
 * @fills: and the others: how often fast.c did what, for stats.c
 */
struct umbra_fast {
	u32 busy;
	u32 probing;
	u32 holding;
	u32 levels;
	u64 aborts;
	u32 now;
	u32 reflect;
	u32 adue;
	u64 hole_gfn;
	u64 hole_nr;
	u64 flips;
	u64 changes;
	u64 known_nr;
	u64 readable_nr;
	u64 log_nr;
	u64 clock;
	u32 spare;
	u32 spare_nr;
	u32 orphan;
	u32 orphan_last;
	u32 unfenced;
	u64 win;
	u64 rmap;
	u64 hash;
	u64 vm;
	u64 known;
	u64 guest;
	u64 fills;
	u64 links;
	u64 spurious;
	u64 reflects;
	u64 fences;
	u64 satps;
	u64 posts;
	/* What a change of space needs lies in few pages: there may be nothing in the TLB. */
	u8 hint[UMBRA_SPACE_HINTS];
	struct umbra_way way[UMBRA_SPACES];
	struct umbra_logged_fence log[UMBRA_FENCE_LOG];
	struct umbra_space spaces[UMBRA_SPACES];
	struct umbra_quick quick[UMBRA_QUICKS];
	struct umbra_post_site post[UMBRA_POST_SITES];
};

/**
 * struct umbra_vm_page - what the vCPUs' switchers need to know of their VM
 * @frozen: how many are taking mappings away: the switcher, which does not know
 *	which, fills nothing.  Changed under vm->inv.lock.
 * @post: a UART
 */
struct umbra_vm_page {
	u64 frozen;
	struct umbra_post post;
};

enum shadow_kind {
	SHADOW_ROOT,	/* hardware root; key = guest satp */
	SHADOW_GLUE,	/* level above the guest's root; key = guest satp */
	SHADOW_TABLE,	/* shadows a guest table; key = its gfn */
	SHADOW_DIRECT,	/* part of a guest superpage, or satp off; key = gfn */
};

/* shadow_role.half */
#define SHADOW_LOWER	1	/* SHADOW_LOWER + 1: the upper half */

/**
 * struct shadow_role - what a shadow page stands for; compared whole
 * @key: see enum shadow_kind
 * @view: enum umbra_view, and UMBRA_VIEW_MXR
 * @access: DIRECT: permission bits (V_PTE_R, W, X) of every leaf
 * @half: half of the guest's address space, below a wider hardware root; 0
 *	elsewhere.  Tells apart the two pages that shadow a guest root, and them
 *	from one that shadows the same frame as a table of a wider mode: there
 *	may be entries in it that no canonical address of this mode has
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
 * struct shadow_page - one hardware table; in a page of its own
 * @spt: what the hardware walks
 * @gpt: TABLE, and ROOT of the host's own mode: the guest PTE that each used
 *	entry was made from; else NULL
 * @private: it holds, or links to what holds, mappings without G; see
 *	mark_path().  Once set it stays.
 * @parents: links ever made to it, 2: more than one
 * @hash_next: in the hash of roles: id + 1 of the next, 0: none
 * @orphaned: it is in the list of orphans
 * @linked: entries that point to it
 * @orphan_next: id + 1 of the next orphan, 0: none
 * @link: what an entry that points to it holds
 * @used: entries in use (the switcher's own is not counted).  One that has V
 *	clear was taken back by fast.c, and waits to be set again or cleared.
 * @next: reverse map: next leaf of the same guest frame, per entry; of an
 *	entry that links: id of the page it links to
 *
 * @spt and @gpt are the kernel's addresses of them; fast.c goes by the id.
 */
struct shadow_page {
	struct shadow_role role;
	u32 id;
	u32 hash_next;
	u8 private;
	u8 parents;
	u8 orphaned;
	u32 linked;
	u32 orphan_next;
	u64 link;
	u64 *spt;
	u64 *gpt;
	u64 used[512 / 64];
	u32 next[512];
};

static inline bool shadow_used(const struct shadow_page *sp, unsigned int idx)
{
	return sp->used[idx / 64] >> (idx % 64) & 1;
}

/* gfn of the guest table that @role shadows; TABLE and ROOT only. */
static inline u64 shadow_table_gfn(const struct shadow_role *role)
{
	return role->kind == SHADOW_TABLE ? role->key : role->key & V_SATP_PPN;
}

#define UMBRA_GOLDEN	0x61c8864680b583ebULL

static inline unsigned int shadow_role_hash(const struct shadow_role *role)
{
	u64 h = role->key * 61 + role->level * 7 + role->view * 131 +
		role->kind * 17 + role->access * 1031 + role->half;

	return h * UMBRA_GOLDEN >> (64 - UMBRA_HASH_BITS);
}

static inline bool shadow_role_equal(const struct shadow_role *a,
				     const struct shadow_role *b)
{
	return a->key == b->key && a->kind == b->kind && a->level == b->level &&
	       a->view == b->view && a->access == b->access && a->half == b->half;
}

/*
 * Reverse map: the chain for leaves of frame @gfn in page @id.  The frames of a
 * library's text have a leaf in each process that ever was: such a frame has as
 * many chains as there are ways, side by side, so that a leaf can be taken out of
 * one soon.
 */
static inline unsigned int umbra_rmap_hash(u64 gfn, int level, u32 id)
{
	u64 h = (gfn ^ ((u64)level << 58)) * UMBRA_GOLDEN;

	h >>= 64 - UMBRA_RMAP_BITS + UMBRA_RMAP_WAY_BITS;
	return h << UMBRA_RMAP_WAY_BITS | (id & (UMBRA_RMAP_WAYS - 1));
}

static inline unsigned int umbra_space_hint(u64 satp)
{
	return (satp ^ (satp >> V_SATP_ASID_SHIFT)) & (UMBRA_SPACE_HINTS - 1);
}

static inline u64 umbra_satp_asid(u64 satp)
{
	return (satp >> V_SATP_ASID_SHIFT) & V_SATP_ASID_MASK;
}

static inline bool umbra_fence_hits(const struct umbra_logged_fence *fence,
				    u64 satp)
{
	/* Satp off: nothing of the guest's tables is in there. */
	return satp && (fence->all_asid || fence->asid == umbra_satp_asid(satp));
}

#endif /* UMBRA_FAST_H */
