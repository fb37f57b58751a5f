// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow pages: the tables themselves, the hash that finds them, the reverse
 * map from guest frames to leaves, and the cache of roots.
 *
 * Called by fault.c (which fills), fence.c (which invalidates) and notifier.c
 * (which clears leaves from other threads).  Locking: shadow.h.
 */
#include <linux/gfp.h>
#include <linux/pgtable.h>
#include <linux/slab.h>

#include "../vmm_core/trace.h"
#include "../vmm_core/vmm.h"
#include "shadow.h"

/*
 * Where the switcher begins: the first slot of the upper half.  In Linux's
 * layout of Sv39, Sv48 and Sv57 nothing lies there, in host or guest.
 */
#define SW_FIRST_SLOT	256
/* Slots from here on hold the host's executable text (kernel, modules, BPF). */
#define SW_END_SLOT	508

u64 shadow_make_link(const u64 *table)
{
	return (__pa(table) >> 12 << V_PTE_PPN_SHIFT) | V_PTE_V;
}

/* A page of ours, for the switcher alone. */
u64 shadow_make_kernel(const void *page, u64 bits)
{
	return pte_val(pfn_pte(virt_to_pfn(page), __pgprot(bits)));
}

u64 shadow_make_leaf(unsigned long pfn, u64 perm)
{
	/*
	 * A and D are set beforehand, so that it does not matter whether the
	 * host's hardware updates them.  pfn_pte() adds the memory type on
	 * hosts that keep one in the PTE (T-Head).
	 */
	u64 bits = V_PTE_V | V_PTE_U | V_PTE_A | perm;

	if (perm & V_PTE_W)
		bits |= V_PTE_D;
	return pte_val(pfn_pte(pfn, __pgprot(bits)));
}

static void page_free(struct shadow_page *sp)
{
	free_page((unsigned long)sp->spt);
	free_page((unsigned long)sp->gpt);
	free_page((unsigned long)sp);
}

static bool shadows_table(const struct shadow_role *role)
{
	return role->kind == SHADOW_TABLE ||
	       (role->kind == SHADOW_ROOT &&
		umbra_walk_top(role->key) == role->level);
}

static struct shadow_page *page_alloc(const struct shadow_role *role)
{
	bool shadows = shadows_table(role);
	struct shadow_page *sp = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	static_assert(sizeof(*sp) <= PAGE_SIZE);
	if (!sp)
		return NULL;
	sp->role = *role;
	sp->spt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (shadows)
		sp->gpt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!sp->spt || (shadows && !sp->gpt)) {
		page_free(sp);
		return NULL;
	}
	sp->link = shadow_make_link(sp->spt);
	return sp;
}

/* Show page @sp to fast.c. */
static int window_map(struct umbra_mmu *mmu, const struct shadow_page *sp)
{
	const u64 data = V_PTE_V | V_PTE_R | V_PTE_W | V_PTE_A | V_PTE_D;
	unsigned int n = mmu->nr_pages / UMBRA_WIN_PER_TABLE;
	u64 *pte;

	if (!mmu->win[n]) {
		mmu->win[n] = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!mmu->win[n])
			return -ENOMEM;
		mmu->sw_tables[1][umbra_va_index(UMBRA_WIN_PAGES, 1) + n] =
			shadow_make_link(mmu->win[n]);
	}
	pte = mmu->win[n] + mmu->nr_pages % UMBRA_WIN_PER_TABLE *
	      (1 << (UMBRA_WIN_SHIFT - 12));
	pte[0] = shadow_make_kernel(sp->spt, data);
	pte[1] = sp->gpt ? shadow_make_kernel(sp->gpt, data) : 0;
	pte[2] = shadow_make_kernel(sp, data);
	return 0;
}

/* One that lost its role, if there is one of the right make. */
static struct shadow_page *page_recycled(struct umbra_mmu *mmu,
					 const struct shadow_role *role)
{
	u32 *link = &mmu->recycled;

	while (*link) {
		struct shadow_page *sp = mmu->pages[*link - 1];

		if (!sp->gpt == !shadows_table(role)) {
			*link = sp->hash_next;
			return sp;
		}
		link = &sp->hash_next;
	}
	return NULL;
}

static struct shadow_page *page_new(struct umbra_mmu *mmu, const struct shadow_role *role)
{
	struct shadow_page *sp;

	if (mmu->nr_pages >= UMBRA_SHADOW_MAX)
		return NULL;
	sp = page_alloc(role);
	if (!sp)
		return NULL;
	if (window_map(mmu, sp)) {
		page_free(sp);
		return NULL;
	}
	umbra_mmu_lock(mmu);
	sp->id = mmu->nr_pages;
	mmu->pages[mmu->nr_pages++] = sp;
	umbra_mmu_unlock(mmu);
	return sp;
}

/* Take it out of the hash. */
static void page_unhash(struct umbra_mmu *mmu, struct shadow_page *sp)
{
	u32 *link = &mmu->hash[shadow_role_hash(&sp->role)];

	while (*link != sp->id + 1)
		link = &mmu->pages[*link - 1]->hash_next;
	*link = sp->hash_next;
}

/* Nothing links to it any more. */
static void orphan_add(struct umbra_mmu *mmu, struct shadow_page *sp)
{
	struct umbra_fast *fast = mmu->fast;

	if (sp->role.kind != SHADOW_TABLE || sp->orphaned)
		return;
	sp->orphaned = true;
	sp->orphan_next = 0;
	if (fast->orphan)
		mmu->pages[fast->orphan_last - 1]->orphan_next = sp->id + 1;
	else
		fast->orphan = sp->id + 1;
	fast->orphan_last = sp->id + 1;
}

/* Clear every entry; mmu.lock is held. */
static void page_empty(struct umbra_vcpu *vcpu, struct shadow_page *sp)
{
	unsigned int idx;

	for_each_set_bit(idx, (unsigned long *)sp->used, 512)
		shadow_entry_clear(vcpu, sp, idx);
}

/*
 * The shadow of a table that nothing has linked to for the longest time: of a
 * process that is no more, probably.
 */
static struct shadow_page *page_reused(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct shadow_page *sp = NULL;

	umbra_mmu_lock(mmu);
	while (!sp && mmu->fast->orphan) {
		sp = mmu->pages[mmu->fast->orphan - 1];
		mmu->fast->orphan = sp->orphan_next;
		sp->orphaned = false;
		if (sp->linked)
			sp = NULL;
	}
	if (sp) {
		page_empty(vcpu, sp);
		page_unhash(mmu, sp);
	}
	umbra_mmu_unlock(mmu);
	return sp;
}

struct shadow_page *shadow_page_get(struct umbra_vcpu *vcpu,
				    const struct shadow_role *role)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	u32 *head = &mmu->hash[shadow_role_hash(role)];
	struct shadow_page *sp;

	for (u32 id = *head; id; id = sp->hash_next) {
		sp = mmu->pages[id - 1];
		if (shadow_role_equal(&sp->role, role))
			return sp;
	}
	sp = page_recycled(mmu, role);
	if (!sp && mmu->nr_pages >= UMBRA_SHADOW_ENOUGH && shadows_table(role))
		sp = page_reused(vcpu);
	if (!sp)
		sp = page_new(mmu, role);
	if (!sp)
		return NULL;
	sp->role = *role;
	sp->private = 0;
	sp->parents = 0;
	sp->hash_next = *head;
	*head = sp->id + 1;
	return sp;
}

/* Pages for fast.c, which cannot make any; without them it leaves. */
static void refill_spare(struct umbra_mmu *mmu)
{
	const struct shadow_role role = { .kind = SHADOW_TABLE };
	struct umbra_fast *fast = mmu->fast;

	if (fast->spare_nr > UMBRA_SPARE_PAGES / 2 ||
	    (fast->orphan && mmu->nr_pages >= UMBRA_SHADOW_ENOUGH))
		return;
	while (fast->spare_nr < UMBRA_SPARE_PAGES) {
		struct shadow_page *sp = page_new(mmu, &role);

		if (!sp)
			return;
		sp->hash_next = fast->spare;
		fast->spare = sp->id + 1;
		fast->spare_nr++;
	}
}

/* --- reverse map -------------------------------------------------------------- */

static u32 *rmap_head(struct umbra_mmu *mmu, const struct shadow_page *sp,
		      unsigned int idx)
{
	return &mmu->rmap[umbra_rmap_hash(shadow_page_gfn(sp, idx), sp->role.level,
					  sp->id)];
}

static void rmap_add(struct umbra_mmu *mmu, struct shadow_page *sp,
		     unsigned int idx)
{
	u32 *head = rmap_head(mmu, sp, idx);

	sp->next[idx] = *head;
	*head = sp->id * 512 + idx + 1;
}

static void rmap_del(struct umbra_mmu *mmu, struct shadow_page *sp,
		     unsigned int idx)
{
	u32 *link = rmap_head(mmu, sp, idx);
	u32 me = sp->id * 512 + idx + 1;

	while (*link && *link != me)
		link = &mmu->pages[(*link - 1) / 512]->next[(*link - 1) % 512];
	if (*link)
		*link = sp->next[idx];
	sp->next[idx] = 0;
}

/* --- entries -------------------------------------------------------------------- */

void shadow_entry_clear(struct umbra_vcpu *vcpu, struct shadow_page *sp,
			unsigned int idx)
{
	lockdep_assert_held(&vcpu->mmu.lock);
	if (!shadow_used(sp, idx))
		return;
	if (shadow_entry_leaf(sp, idx)) {
		if ((sp->spt[idx] & V_PTE_X) &&
		    umbra_sites_written(vcpu->vm, shadow_page_gfn(sp, idx)))
			WRITE_ONCE(vcpu->mmu.forget, true);
		rmap_del(&vcpu->mmu, sp, idx);
	} else {
		struct shadow_page *child = shadow_child(vcpu, sp, idx);

		if (!--child->linked)
			orphan_add(&vcpu->mmu, child);
	}
	WRITE_ONCE(sp->spt[idx], 0);
	sp->used[idx / 64] &= ~BIT_ULL(idx % 64);
	vcpu->mmu.fast->changes++;
}

void shadow_leaf_set(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		     unsigned int idx, u64 spte, u64 gpte)
{
	lockdep_assert_held(&vcpu->mmu.lock);
	if (sp->gpt)
		sp->gpt[idx] = gpte;
	sp->used[idx / 64] |= BIT_ULL(idx % 64);
	WRITE_ONCE(sp->spt[idx], spte);
	rmap_add(&vcpu->mmu, sp, idx);
	vcpu->mmu.fast->changes++;
}

struct shadow_page *shadow_child(struct umbra_vcpu *vcpu,
				 struct shadow_page *sp, unsigned int idx)
{
	/* The child's id is kept where a leaf would have its reverse map. */
	return vcpu->mmu.pages[sp->next[idx]];
}

void shadow_link(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		 unsigned int idx, struct shadow_page *child, u64 gpte)
{
	umbra_mmu_lock(&vcpu->mmu);
	shadow_entry_clear(vcpu, sp, idx);
	if (sp->gpt)
		sp->gpt[idx] = gpte;
	sp->next[idx] = child->id;
	if (child->parents < 2)
		child->parents++;
	child->linked++;
	sp->used[idx / 64] |= BIT_ULL(idx % 64);
	WRITE_ONCE(sp->spt[idx], child->link);
	vcpu->mmu.fast->changes++;
	umbra_mmu_unlock(&vcpu->mmu);
}

/* @now: the guest's table, NULL: it has none, or none any more. */
static void sync_with(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		      const u64 *now)
{
	unsigned int idx;

	for_each_set_bit(idx, (unsigned long *)sp->used, 512) {
		/* A leaf, or the parts of a superpage, depend on this alone. */
		if (now && sp->gpt[idx] == READ_ONCE(now[idx]) &&
		    umbra_pte_leaf(sp->gpt[idx]))
			continue;
		shadow_entry_clear(vcpu, sp, idx);
	}
}

int shadow_page_sync(struct umbra_vcpu *vcpu, struct shadow_page *sp)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	const u64 *now;
	int ret;

	/* Nothing in it, or a fixed range: nothing to compare. */
	if (bitmap_empty((unsigned long *)sp->used, 512) ||
	    sp->role.kind == SHADOW_DIRECT)
		return 0;
	umbra_mmu_lock(mmu);
	now = sp->gpt ? umbra_known_memory(vcpu->vm, shadow_table_gfn(&sp->role)) :
			NULL;
	if (now || !sp->gpt) {
		sync_with(vcpu, sp, now);
		umbra_mmu_unlock(mmu);
		return 0;
	}
	umbra_mmu_unlock(mmu);

	ret = umbra_gpa_read(vcpu->vm, shadow_table_gfn(&sp->role) << 12,
			     mmu->scratch, PAGE_SIZE);
	/* -EFAULT: the table's memory is gone, and nothing in it holds. */
	if (ret && ret != -EFAULT)
		return ret;
	umbra_mmu_lock(mmu);
	sync_with(vcpu, sp, ret ? NULL : mmu->scratch);
	umbra_mmu_unlock(mmu);
	return 0;
}

int shadow_read_gpte(struct umbra_vcpu *vcpu, u64 gpa, u64 *pte)
{
	struct umbra_memslot *slot;
	unsigned long hva;
	int ret = -EFAULT;
	const u64 *table;
	int srcu;

	umbra_mmu_lock(&vcpu->mmu);
	table = umbra_known_memory(vcpu->vm, gpa >> 12);
	if (table)
		*pte = READ_ONCE(table[(gpa & 0xff8) / 8]);
	umbra_mmu_unlock(&vcpu->mmu);
	if (table)
		return 0;

	srcu = srcu_read_lock(&vcpu->vm->slots_srcu);
	slot = umbra_memslot_find(vcpu->vm, gpa >> 12);
	if (slot) {
		hva = slot->hva + (((gpa >> 12) - slot->gfn) << 12) + (gpa & 0xff8);
		ret = get_user(*pte, (u64 __user *)hva) ? -EFAULT : 0;
	}
	srcu_read_unlock(&vcpu->vm->slots_srcu, srcu);
	return ret;
}

/* --- address spaces --------------------------------------------------------------- */

u64 shadow_make_satp(const u64 *root, u64 asid)
{
	return umbra_host.satp_mode << V_SATP_MODE_SHIFT | asid << V_SATP_ASID_SHIFT |
	       __pa(root) >> 12;
}

static u64 root_satp(const struct shadow_page *sp)
{
	return shadow_make_satp(sp->spt, umbra_host.asids ? sp->id + 1 : 0);
}

/*
 * Mode bare has no address space of its own: one root serves the views of S and
 * U, which PMP treats alike.
 */
static u64 space_satp(struct umbra_vcpu *vcpu)
{
	u64 satp = vcpu->cpu->satp;

	return umbra_walk_top(satp) < 0 ? 0 : satp;
}

static bool mxr_now(struct umbra_vcpu *vcpu)
{
	return vcpu->cpu->satp && (vcpu->cpu->sstatus & V_MXR);
}

static enum umbra_view view_now(struct umbra_vcpu *vcpu)
{
	if (vcpu->cpu->priv == UMBRA_PRIV_M)
		return umbra_machine_data_priv(vcpu->m, vcpu->cpu) ==
		       UMBRA_PRIV_M ? UMBRA_VIEW_M : UMBRA_VIEW_MPRV;
	if (!space_satp(vcpu))
		return UMBRA_VIEW_S;
	if (vcpu->cpu->priv == UMBRA_PRIV_U)
		return UMBRA_VIEW_U;
	return vcpu->cpu->sstatus & V_SUM ? UMBRA_VIEW_SUM : UMBRA_VIEW_S;
}

struct umbra_space *shadow_space_now(struct umbra_vcpu *vcpu)
{
	struct umbra_fast *fast = vcpu->mmu.fast;

	return fast->now == UMBRA_NO_SPACE ? NULL : &fast->spaces[fast->now];
}

struct shadow_page *shadow_root_now(struct umbra_vcpu *vcpu)
{
	struct umbra_space *space = shadow_space_now(vcpu);
	enum umbra_view view = view_now(vcpu);

	if (view >= UMBRA_VIEW_M)
		return vcpu->mmu.machine[view - UMBRA_VIEW_M];
	return space && space->hw[view] ? vcpu->mmu.pages[space->root[view]] : NULL;
}

void shadow_space_clear(struct umbra_vcpu *vcpu, struct umbra_space *space)
{
	umbra_mmu_lock(&vcpu->mmu);
	for (int view = 0; view < UMBRA_VIEWS; view++)
		if (space->hw[view])
			page_empty(vcpu, vcpu->mmu.pages[space->root[view]]);
	umbra_mmu_unlock(&vcpu->mmu);
	space->flips = vcpu->mmu.fast->flips;
}

/*
 * The leaves below @sp, but for text that is as it was: the hot table knows
 * some of that, and it is not much.
 */
static void wipe_below(struct umbra_vcpu *vcpu, struct shadow_page *sp)
{
	unsigned int idx;

	if (sp->role.kind == SHADOW_DIRECT)
		return;
	if (sp->role.level) {
		for_each_set_bit(idx, (unsigned long *)sp->used, 512) {
			/* Another thread may clear a leaf, but makes no links. */
			u64 entry = READ_ONCE(sp->spt[idx]);

			if (entry && !umbra_pte_leaf(entry))
				wipe_below(vcpu, shadow_child(vcpu, sp, idx));
		}
		return;
	}
	/* An error leaves all as it is: it is compared when it is linked again. */
	if (shadow_page_sync(vcpu, sp))
		return;
	umbra_mmu_lock(&vcpu->mmu);
	for_each_set_bit(idx, (unsigned long *)sp->used, 512)
		if (!(sp->spt[idx] & V_PTE_X))
			shadow_entry_clear(vcpu, sp, idx);
	umbra_mmu_unlock(&vcpu->mmu);
}

void shadow_space_wipe(struct umbra_vcpu *vcpu, struct umbra_space *space)
{
	for (int view = 0; view < UMBRA_VIEWS; view++)
		if (space->hw[view])
			wipe_below(vcpu, vcpu->mmu.pages[space->root[view]]);
}

/* Is @sp the guest's root table, or a level above it? */
static bool above_guest(const struct shadow_page *sp, u64 satp)
{
	return sp->role.level >= umbra_walk_top(satp);
}

static void clear_private(struct umbra_vcpu *vcpu, struct shadow_page *sp, u64 satp)
{
	unsigned int idx;

	for_each_set_bit(idx, (unsigned long *)sp->used, 512) {
		struct shadow_page *child;

		if (shadow_entry_leaf(sp, idx)) {
			if (!(sp->gpt[idx] & V_PTE_G))
				shadow_entry_clear(vcpu, sp, idx);
			continue;
		}
		child = shadow_child(vcpu, sp, idx);
		if (!child->private)
			continue;
		if (above_guest(child, satp))
			clear_private(vcpu, child, satp);
		else
			shadow_entry_clear(vcpu, sp, idx);
	}
}

/*
 * A fence of one ASID need not touch global mappings (section 10.2.1): what
 * holds nothing else stays linked.
 */
void shadow_space_clear_private(struct umbra_vcpu *vcpu, struct umbra_space *space)
{
	umbra_mmu_lock(&vcpu->mmu);
	for (int view = 0; view < UMBRA_VIEWS; view++)
		if (space->hw[view])
			clear_private(vcpu, vcpu->mmu.pages[space->root[view]],
				      space->satp);
	umbra_mmu_unlock(&vcpu->mmu);
}

/*
 * A hot entry's tag is the pc, which is canonical, xored above bit 56 with a
 * number that tells apart the address spaces that may not share entries: none for
 * S-mode addresses that the guest maps with G, which are the same in all of its
 * address spaces; one for satp off; one for M-mode, where virtual addresses are
 * physical whatever MPRV is; the others are for S-mode of one space, in turn: when
 * one is used again, the table is emptied.  U-mode has no entries.
 */
#define SALT_GLOBAL	0
#define SALT_BARE	1
#define SALT_MACHINE	2
#define SALT_PRIVATE	3
#define SALTS		UMBRA_SALTS
static_assert(SALT_PRIVATE + UMBRA_SPACES < SALTS);

static u64 salt_bits(unsigned int salt)
{
	return (u64)salt << 57;
}

static bool salt_is_private(u64 salt)
{
	return salt >= salt_bits(SALT_PRIVATE);
}

/* One that no entry of the hot table has, nor will have but for this space. */
static u64 private_salt(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	unsigned int n = find_next_zero_bit(mmu->salts, SALTS, SALT_PRIVATE);

	if (n >= SALTS) {
		mmu->forget = true;
		bitmap_zero(mmu->salts, SALTS);
		for (unsigned int i = 0; i < UMBRA_SPACES; i++)
			if (salt_is_private(mmu->fast->spaces[i].salt_s))
				__set_bit(mmu->fast->spaces[i].salt_s / salt_bits(1), mmu->salts);
		n = find_next_zero_bit(mmu->salts, SALTS, SALT_PRIVATE);
	}
	__set_bit(n, mmu->salts);
	return salt_bits(n);
}

/* No satp has all bits set: its mode would be reserved. */
#define SPACE_FREE	~0ULL

static struct umbra_space *space_find(struct umbra_fast *fast, u64 satp, bool mxr)
{
	for (unsigned int i = 0; i < UMBRA_SPACES; i++)
		if (fast->spaces[i].satp == satp && fast->spaces[i].mxr == mxr)
			return &fast->spaces[i];
	return NULL;
}

/* Roots, and what is between them and guest tables, are of one space alone. */
static void recycle(struct umbra_vcpu *vcpu, struct shadow_page *sp)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	unsigned int idx;

	for_each_set_bit(idx, (unsigned long *)sp->used, 512) {
		if (!shadow_entry_leaf(sp, idx)) {
			struct shadow_page *child = shadow_child(vcpu, sp, idx);

			if (child->role.kind == SHADOW_GLUE)
				recycle(vcpu, child);
		}
		shadow_entry_clear(vcpu, sp, idx);
	}
	if (sp->role.kind == SHADOW_ROOT)
		sp->spt[mmu->sw_slot] = 0;
	page_unhash(mmu, sp);
	sp->role = (struct shadow_role) { .kind = SHADOW_GLUE };
	sp->hash_next = mmu->recycled;
	mmu->recycled = sp->id + 1;
}

static void space_recycle(struct umbra_vcpu *vcpu, struct umbra_space *space)
{
	umbra_mmu_lock(&vcpu->mmu);
	for (int view = 0; view < UMBRA_VIEWS; view++)
		if (space->hw[view])
			recycle(vcpu, vcpu->mmu.pages[space->root[view]]);
	umbra_mmu_unlock(&vcpu->mmu);
}

static struct umbra_space *space_make(struct umbra_vcpu *vcpu, u64 satp, bool mxr)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	struct umbra_space *space = &fast->spaces[0];

	/* Free ones have the oldest clock of all. */
	for (unsigned int i = 1; i < UMBRA_SPACES; i++)
		if (fast->spaces[i].used < space->used)
			space = &fast->spaces[i];
	/* The one of satp off has one root in each of its views. */
	if (space->satp && space->satp != SPACE_FREE)
		space_recycle(vcpu, space);
	*space = (struct umbra_space) {
		.satp = satp, .mxr = mxr, .seen = fast->log_nr,
		.flips = vcpu->mmu.fast->flips,
		.salt_s = salt_bits(satp ? SALT_GLOBAL : SALT_BARE),
	};
	fast->changes++;
	vcpu->sw->hot_changes++;
	return space;
}

/* Find or make a root, and empty it; NULL when shadow pages ran out. */
static struct shadow_page *root_get(struct umbra_vcpu *vcpu, u64 satp, u8 view)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct shadow_role role = {
		.key = satp, .kind = SHADOW_ROOT, .view = view,
		.level = umbra_host.levels - 1,
	};
	struct shadow_page *sp = shadow_page_get(vcpu, &role);

	if (!sp)
		return NULL;
	/* It may have been a root before, and missed fences since. */
	umbra_mmu_lock(mmu);
	page_empty(vcpu, sp);
	/* The same in each: the fences of fast.c and switch_asm.S leave it alone. */
	sp->spt[mmu->sw_slot] = shadow_make_link(mmu->sw_tables[umbra_host.levels - 2]) | V_PTE_G;
	umbra_mmu_unlock(mmu);
	return sp;
}

/* The page for @va on the way down from @root at the guest's root level. */
static struct shadow_page *guest_root(struct umbra_vcpu *vcpu,
				      struct shadow_page *root, u64 satp, u64 va)
{
	while (root && root->role.level > umbra_walk_top(satp)) {
		unsigned int idx = umbra_va_index(va, root->role.level);

		root = shadow_entry_live(root, idx) ?
		       shadow_child(vcpu, root, idx) : NULL;
	}
	return root;
}

/* The space used last, if what it holds counts now. */
static struct umbra_space *space_before(struct umbra_vcpu *vcpu,
					const struct umbra_space *space)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	struct umbra_space *best = NULL;

	for (unsigned int i = 0; i < UMBRA_SPACES; i++) {
		struct umbra_space *s = &fast->spaces[i];

		if (s != space && s->satp != SPACE_FREE && s->mxr == space->mxr &&
		    s->satp >> V_SATP_MODE_SHIFT ==
		    space->satp >> V_SATP_MODE_SHIFT &&
		    s->seen == fast->log_nr && (!best || s->used > best->used))
			best = s;
	}
	return best;
}

/*
 * A new address space of a kernel maps the kernel as the one before did.  What
 * is global, and is up to date there, is right here, too, wherever the two
 * root tables say the same: a hart may use global translations in any address
 * space.  The rest is found out fault by fault.
 */
static void adopt_global(struct umbra_vcpu *vcpu, struct umbra_space *space,
			 struct shadow_page *root, enum umbra_view view)
{
	struct umbra_space *before = space_before(vcpu, space);
	u64 gfn = space->satp & V_SATP_PPN;
	struct shadow_page *from, *to;
	u64 va = ~0ULL;		/* the upper half */
	unsigned int idx;

	if (!before || !before->hw[view] || before->flips != vcpu->mmu.fast->flips)
		return;
	from = guest_root(vcpu, vcpu->mmu.pages[before->root[view]],
			  before->satp, va);
	to = from ? shadow_path_upper(vcpu, root, space->satp) : NULL;
	if (!to)
		return;
	for_each_set_bit(idx, (unsigned long *)from->used, 512) {
		struct shadow_page *child;
		u64 gpte;

		if (idx < 256 || !shadow_entry_live(from, idx) ||
		    shadow_entry_leaf(from, idx))
			continue;
		child = shadow_child(vcpu, from, idx);
		if (child->private ||
		    shadow_read_gpte(vcpu, (gfn << 12) + 8 * idx, &gpte) ||
		    gpte != from->gpt[idx])
			continue;
		shadow_link(vcpu, to, idx, child, gpte);
	}
}

static bool space_add_view(struct umbra_vcpu *vcpu, struct umbra_space *space,
			   enum umbra_view view)
{
	u8 mxr = space->mxr ? UMBRA_VIEW_MXR : 0;
	struct shadow_page *sp = root_get(vcpu, space->satp, view | mxr);

	if (!sp)
		return false;
	if (space->satp && view != UMBRA_VIEW_U)
		adopt_global(vcpu, space, sp, view);
	space->root[view] = sp->id;
	space->hw[view] = root_satp(sp);
	/* Bare: the same for whoever asks. */
	for (int v = 0; !space->satp && v < UMBRA_VIEWS; v++) {
		space->root[v] = space->root[view];
		space->hw[v] = space->hw[view];
	}
	return true;
}

void umbra_mmu_unload(struct umbra_vcpu *vcpu)
{
	struct umbra_space *space = shadow_space_now(vcpu);

	if (space)
		space->seen = vcpu->mmu.fast->log_nr;
	vcpu->mmu.fast->now = UMBRA_NO_SPACE;
}

/*
 * Find or make the space of the current satp, with its roots, and in M-mode,
 * which is not one of its views, that root: mret may go to the space.
 */
static int load_space(struct umbra_vcpu *vcpu)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	u64 satp = space_satp(vcpu);
	bool mxr = mxr_now(vcpu);
	struct umbra_space *space = space_find(fast, satp, mxr);
	enum umbra_view view = view_now(vcpu);

	if (!space)
		space = space_make(vcpu, satp, mxr);
	else if (fast->now != space - fast->spaces)
		shadow_space_replay(vcpu, space);
	if (view >= UMBRA_VIEW_M) {
		struct shadow_page **root = &vcpu->mmu.machine[view - UMBRA_VIEW_M];

		if (!*root)
			*root = root_get(vcpu, 0, view);
		if (!*root)
			return -ENOMEM;
	}
	/* All of them: a kernel in S-mode is about to use the others. */
	for (int v = 0; v < UMBRA_VIEWS; v++)
		if (!space->hw[v] && !space_add_view(vcpu, space, v))
			return -ENOMEM;
	space->used = ++fast->clock;
	fast->now = space - fast->spaces;
	if (!mxr)
		fast->hint[umbra_space_hint(satp)] = fast->now;
	return 0;
}

#define PAGE_FAULTS	(BIT(V_EXC_INSN_PAGE) | BIT(V_EXC_LOAD_PAGE) | \
			 BIT(V_EXC_STORE_PAGE))

int umbra_mmu_load(struct umbra_vcpu *vcpu)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	struct umbra_switch *sw = vcpu->sw;
	struct umbra_space *space;

	if ((!shadow_root_now(vcpu) || !shadow_space_now(vcpu)) &&
	    load_space(vcpu)) {
		umbra_mmu_reset(vcpu);
		if (load_space(vcpu))
			return -ENOMEM;
	}
	refill_spare(&vcpu->mmu);
	/* The way into the guest fences everything. */
	fast->unfenced = 0;
	space = shadow_space_now(vcpu);
	sw->root_u = space->hw[UMBRA_VIEW_U];
	sw->root_s = space->hw[UMBRA_VIEW_S];
	sw->root_sum = space->hw[UMBRA_VIEW_SUM];
	/* Where the switcher's ecall goes; 0: not without M-mode being asked. */
	sw->root_priv_s = vcpu->cpu->sstatus & V_SUM ? sw->root_sum : sw->root_s;
	if (!umbra_hot_ecall(vcpu))
		sw->root_priv_s = 0;
	fast->adue = umbra_adue(vcpu);
	fast->reflect = !vcpu->m || !(~vcpu->m->medeleg & PAGE_FAULTS);
	sw->salt_s = space->salt_s;
	sw->vec_s = space->salt_s ? sw->vec_salted : sw->vec_shared;
	sw->salt = sw->salt_s;
	sw->entry_satp = root_satp(shadow_root_now(vcpu));
	switch (vcpu->cpu->priv) {
	case UMBRA_PRIV_U:
		sw->trap_va = sw->vec_u;
		break;
	case UMBRA_PRIV_S:
		sw->trap_va = sw->vec_s;
		break;
	default:
		sw->trap_va = sw->vec_salted;
		sw->salt = sw->salt_m;
	}
	return 0;
}

/*
 * A site of S-mode was met through a mapping that is not global: from now on
 * this address space has hot entries of its own.
 */
void umbra_mmu_private_salt(struct umbra_vcpu *vcpu)
{
	struct umbra_space *space = shadow_space_now(vcpu);

	/* Physical addresses are nobody's. */
	if (!space || !space->satp || vcpu->cpu->priv != UMBRA_PRIV_S)
		return;
	if (!salt_is_private(space->salt_s)) {
		space->salt_s = private_salt(vcpu);
		vcpu->sw->hot_changes++;
	}
	vcpu->sw->salt_s = space->salt_s;
}

/* Around which frames fast.c has to keep off: one range that holds them all. */
static void find_hole(struct umbra_vcpu *vcpu)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	u64 gpa = (u64)UMBRA_KNOWN_BASE << PAGE_SHIFT;
	u64 end = gpa + (umbra_known_frames() << PAGE_SHIFT);
	u64 first = ~0ULL, last = 0;

	fast->hole_nr = 0;
	while (vcpu->m && gpa < end) {
		unsigned int perm, order;

		order = umbra_pmp_block(&vcpu->m->pmp, gpa, false, __ffs64(gpa),
					&perm);
		if (perm != (V_PMP_R | V_PMP_W | V_PMP_X) || order < PAGE_SHIFT) {
			order = max_t(unsigned int, order, PAGE_SHIFT);
			first = min(first, gpa);
			last = gpa + (1ULL << order);
		}
		gpa += 1ULL << order;
	}
	if (first < last) {
		fast->hole_gfn = first >> PAGE_SHIFT;
		fast->hole_nr = (last - first) >> PAGE_SHIFT;
	}
}

void umbra_mmu_reset(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct shadow_page **pages = mmu->pages;
	u32 nr;

	umbra_count(vcpu, UMBRA_STAT_MMU_RESET);
	mmu->fast->changes++;
	umbra_mmu_unload(vcpu);
	find_hole(vcpu);
	mmu->once = NULL;
	memset(mmu->machine, 0, sizeof(mmu->machine));
	umbra_mmu_lock(mmu);
	nr = mmu->nr_pages;
	mmu->nr_pages = 0;
	memset(mmu->rmap, 0, UMBRA_RMAP_HASH * sizeof(u32));
	umbra_mmu_unlock(mmu);
	for (unsigned int i = 0; i < UMBRA_SPACES; i++)
		mmu->fast->spaces[i] = (struct umbra_space) { .satp = SPACE_FREE };
	memset(mmu->hash, 0, UMBRA_SHADOW_HASH * sizeof(*mmu->hash));
	mmu->recycled = 0;
	mmu->fast->spare = 0;
	mmu->fast->spare_nr = 0;
	mmu->fast->orphan = 0;
	for (u32 i = 0; i < nr; i++)
		page_free(pages[i]);
	mmu->forget = true;
}

/* Cleared by another thread meanwhile, or not: it is gone. */
void umbra_mmu_drop_once(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;

	if (mmu->once_fresh) {
		mmu->once_fresh = false;
		return;
	}
	umbra_mmu_lock(mmu);
	shadow_entry_clear(vcpu, mmu->once, mmu->once_index);
	umbra_mmu_unlock(mmu);
	mmu->once = NULL;
}

/* --- leaves of one frame ---------------------------------------------------------- */

static void zap_level(struct umbra_vcpu *vcpu, u64 gfn, int level)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	u64 base = gfn & ~((1ULL << (9 * level)) - 1);

	for (u32 way = 0; way < UMBRA_RMAP_WAYS; way++) {
		u32 link = mmu->rmap[umbra_rmap_hash(base, level, way)];

		while (link) {
			struct shadow_page *sp = mmu->pages[(link - 1) / 512];
			unsigned int idx = (link - 1) % 512;

			link = sp->next[idx];
			if (sp->role.level == level && shadow_page_gfn(sp, idx) == base)
				shadow_entry_clear(vcpu, sp, idx);
		}
	}
}

/* Every leaf in every page: for ranges so long that the map is slower. */
static void zap_scan(struct umbra_vcpu *vcpu, u64 first, u64 last)
{
	struct umbra_mmu *mmu = &vcpu->mmu;

	for (u32 i = 0; i < mmu->nr_pages; i++) {
		struct shadow_page *sp = mmu->pages[i];
		u64 span = 1ULL << (9 * sp->role.level);
		unsigned int idx;

		for_each_set_bit(idx, (unsigned long *)sp->used, 512) {
			u64 gfn = shadow_page_gfn(sp, idx);

			if (shadow_entry_leaf(sp, idx) && gfn <= last &&
			    gfn + span - 1 >= first)
				shadow_entry_clear(vcpu, sp, idx);
		}
	}
}

/* Drop the leaves of frames @first .. @last. */
static void zap_range(struct umbra_vcpu *vcpu, u64 first, u64 last)
{
	umbra_mmu_lock(&vcpu->mmu);
	if (last - first >= 512) {
		zap_scan(vcpu, first, last);
	} else {
		for (u64 gfn = first; gfn <= last; gfn++)
			for (int level = 0; level < 3; level++)
				if (gfn == first || !(gfn & ((1ULL << (9 * level)) - 1)))
					zap_level(vcpu, gfn, level);
	}
	umbra_mmu_unlock(&vcpu->mmu);
}

void umbra_mmu_zap_all(struct umbra_vm *vm, u64 first, u64 last)
{
	for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus); i++)
		zap_range(vm->vcpu_list[i], first, last);
	umbra_known_clear(vm, first, last);
}

u64 umbra_mmu_exec_gfn(struct umbra_vcpu *vcpu, u64 va, bool *global)
{
	struct shadow_page *sp = shadow_root_now(vcpu);
	u64 gfn = ~0ULL;

	umbra_mmu_lock(&vcpu->mmu);
	while (sp) {
		unsigned int idx = umbra_va_index(va, sp->role.level);

		if (!shadow_entry_live(sp, idx))
			break;
		if (sp->gpt)
			*global = sp->gpt[idx] & V_PTE_G;
		if (!shadow_entry_leaf(sp, idx)) {
			sp = shadow_child(vcpu, sp, idx);
			continue;
		}
		if (sp->spt[idx] & V_PTE_X)
			gfn = shadow_page_gfn(sp, idx) +
			      ((va >> 12) & ((1ULL << (9 * sp->role.level)) - 1));
		break;
	}
	umbra_mmu_unlock(&vcpu->mmu);
	return gfn;
}

/* --- the switcher's place --------------------------------------------------------- */

static u64 slot_va(unsigned int slot)
{
	int shift = 12 + 9 * (umbra_host.levels - 1);
	int up = 64 - shift - 9;

	return (u64)((s64)((u64)slot << (shift + up)) >> up);
}

static void place_switcher(struct umbra_vcpu *vcpu)
{
	struct umbra_fast *fast = vcpu->mmu.fast;
	u64 va = slot_va(vcpu->mmu.sw_slot);

	umbra_switch_place(vcpu, va);
	fast->win = va + UMBRA_WIN_PAGES;
	fast->rmap = vcpu->sw->base_va + FAST_OFFSET + UMBRA_SW_FAST_PAGES * PAGE_SIZE;
	fast->hash = fast->rmap + UMBRA_SW_RMAP_PAGES * PAGE_SIZE;
	fast->vm = va + UMBRA_SW_PAGES * PAGE_SIZE;
	fast->known = va + UMBRA_WIN_KNOWN;
	fast->guest = va + umbra_known_window();
	fast->known_nr = umbra_known_frames();
	fast->readable_nr = umbra_known_readable();
}

static void map_switcher(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	u64 flags = V_PTE_V | V_PTE_A;

	for (unsigned int i = 0; i < UMBRA_SW_PAGES; i++) {
		u64 perm = umbra_switch_page_is_text(i) ? V_PTE_R | V_PTE_X :
			   V_PTE_R | V_PTE_W | V_PTE_D;
		unsigned long pfn = umbra_switch_page(vcpu, i) >> 12;

		mmu->sw_tables[0][i] =
			pte_val(pfn_pte(pfn, __pgprot(flags | perm)));
	}
	for (int level = 1; level <= umbra_host.levels - 2; level++)
		mmu->sw_tables[level][0] = shadow_make_link(mmu->sw_tables[level - 1]);
	/* The vCPU of probe.c belongs to none. */
	if (vcpu->vm) {
		mmu->sw_tables[0][UMBRA_SW_PAGES] =
			shadow_make_kernel(vcpu->vm->page,
					   V_PTE_V | V_PTE_R | V_PTE_W |
					   V_PTE_A | V_PTE_D);
		umbra_known_map(vcpu);
	}
	place_switcher(vcpu);
}

/* Behind the switcher's own pages and the VM's page. */
#define STEP_PAGE	(UMBRA_SW_PAGES + 1)

void umbra_mmu_map_step(struct umbra_vcpu *vcpu, const void *page)
{
	/* Each entry into the guest begins with a fence. */
	vcpu->mmu.sw_tables[0][STEP_PAGE] =
		page ? shadow_make_leaf(virt_to_pfn(page), V_PTE_X) : 0;
}

u64 umbra_mmu_step_va(struct umbra_vcpu *vcpu)
{
	return vcpu->sw_va + STEP_PAGE * PAGE_SIZE;
}

/* Does any root, in use or not, map something of the guest's in @slot? */
static bool slot_busy(struct umbra_mmu *mmu, unsigned int slot)
{
	for (u32 i = 0; i < mmu->nr_pages; i++)
		if (mmu->pages[i]->role.kind == SHADOW_ROOT &&
		    shadow_used(mmu->pages[i], slot))
			return true;
	return false;
}

void shadow_move_switcher(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	unsigned int old = mmu->sw_slot;
	unsigned int new = old;

	/*
	 * A free slot if there is one; else the next in order, whose mappings
	 * are dropped.  An instruction and its operands touch four slots at
	 * most, and the order comes back to a slot only after some hundred
	 * moves, so a guest that uses them all still makes progress.
	 */
	for (unsigned int n = 1; n < SW_END_SLOT; n++) {
		unsigned int slot = (old + n) % SW_END_SLOT;

		if (!slot_busy(mmu, slot)) {
			new = slot;
			break;
		}
	}
	if (new == old)
		new = (old + 1) % SW_END_SLOT;

	umbra_count(vcpu, UMBRA_STAT_MOVES);
	umbra_mmu_lock(mmu);
	mmu->sw_slot = new;
	for (u32 i = 0; i < mmu->nr_pages; i++) {
		struct shadow_page *sp = mmu->pages[i];

		if (sp->role.kind != SHADOW_ROOT)
			continue;
		shadow_entry_clear(vcpu, sp, new);
		WRITE_ONCE(sp->spt[old], 0);
		WRITE_ONCE(sp->spt[new],
			   shadow_make_link(mmu->sw_tables[umbra_host.levels - 2]));
	}
	umbra_mmu_unlock(mmu);
	place_switcher(vcpu);
}

/* --- life ---------------------------------------------------------------------------- */

int umbra_mmu_create(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;

	spin_lock_init(&mmu->lock);
	mmu->sw_slot = SW_FIRST_SLOT;
	mmu->fast->levels = umbra_host.levels;
	mmu->fast->now = UMBRA_NO_SPACE;
	vcpu->sw->salt_m = salt_bits(SALT_MACHINE);
	for (unsigned int i = 0; i < UMBRA_SPACES; i++)
		mmu->fast->spaces[i].satp = SPACE_FREE;
	mmu->pages = kvcalloc(UMBRA_SHADOW_MAX, sizeof(*mmu->pages),
			      GFP_KERNEL_ACCOUNT);
	mmu->scratch = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!mmu->pages || !mmu->scratch)
		goto fail;
	for (int i = 0; i < umbra_host.levels - 1; i++) {
		mmu->sw_tables[i] = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!mmu->sw_tables[i])
			goto fail;
	}
	map_switcher(vcpu);
	return 0;
fail:
	umbra_mmu_destroy(vcpu);
	return -ENOMEM;
}

void umbra_mmu_destroy(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;

	if (mmu->pages)
		umbra_mmu_reset(vcpu);
	for (int i = 0; i < ARRAY_SIZE(mmu->sw_tables); i++) {
		free_page((unsigned long)mmu->sw_tables[i]);
		mmu->sw_tables[i] = NULL;
	}
	for (int i = 0; i < ARRAY_SIZE(mmu->win); i++) {
		free_page((unsigned long)mmu->win[i]);
		mmu->win[i] = NULL;
	}
	free_page((unsigned long)mmu->scratch);
	kvfree(mmu->pages);
	mmu->scratch = NULL;
	mmu->pages = NULL;
}
