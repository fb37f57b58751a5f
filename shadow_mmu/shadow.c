// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow pages: the tables themselves, the hash that finds them, the reverse
 * map from guest frames to leaves, and the cache of roots.
 *
 * Called by fault.c (which fills), fence.c (which invalidates) and notifier.c
 * (which clears leaves from other threads).  Locking: shadow.h.
 */
#include <linux/gfp.h>
#include <linux/hash.h>
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

static unsigned int role_hash(const struct shadow_role *role)
{
	u64 h = role->key * 61 + role->level * 7 + role->view * 131 +
		role->kind * 17 + role->access * 1031 + role->half;

	return hash_64(h, ilog2(UMBRA_SHADOW_HASH));
}

static bool role_equal(const struct shadow_role *a, const struct shadow_role *b)
{
	return a->key == b->key && a->kind == b->kind && a->level == b->level &&
	       a->view == b->view && a->access == b->access && a->half == b->half;
}

static void page_free(struct shadow_page *sp)
{
	free_page((unsigned long)sp->spt);
	free_page((unsigned long)sp->gpt);
	kfree(sp->next);
	kfree(sp);
}

static struct shadow_page *page_alloc(const struct shadow_role *role)
{
	bool shadows = role->kind == SHADOW_TABLE ||
		(role->kind == SHADOW_ROOT &&
		 umbra_walk_top(role->key) == role->level);
	struct shadow_page *sp = kzalloc(sizeof(*sp), GFP_KERNEL_ACCOUNT);

	if (!sp)
		return NULL;
	sp->role = *role;
	sp->spt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (shadows)
		sp->gpt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	sp->next = kcalloc(512, sizeof(u32), GFP_KERNEL_ACCOUNT);
	if (!sp->spt || (shadows && !sp->gpt) || !sp->next) {
		page_free(sp);
		return NULL;
	}
	return sp;
}

struct shadow_page *shadow_page_get(struct umbra_vcpu *vcpu,
				    const struct shadow_role *role)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct hlist_head *head = &mmu->hash[role_hash(role)];
	struct shadow_page *sp;

	hlist_for_each_entry(sp, head, node)
		if (role_equal(&sp->role, role))
			return sp;
	if (mmu->nr_pages >= UMBRA_SHADOW_MAX)
		return NULL;
	sp = page_alloc(role);
	if (!sp)
		return NULL;
	spin_lock(&mmu->lock);
	sp->id = mmu->nr_pages;
	mmu->pages[mmu->nr_pages++] = sp;
	spin_unlock(&mmu->lock);
	hlist_add_head(&sp->node, head);
	return sp;
}

/* --- reverse map -------------------------------------------------------------- */

static u32 *rmap_head(struct umbra_mmu *mmu, u64 gfn, int level)
{
	return &mmu->rmap[hash_64(gfn ^ ((u64)level << 58),
				  ilog2(UMBRA_RMAP_HASH))];
}

static void rmap_add(struct umbra_mmu *mmu, struct shadow_page *sp,
		     unsigned int idx)
{
	u32 *head = rmap_head(mmu, shadow_page_gfn(sp, idx), sp->role.level);

	sp->next[idx] = *head;
	*head = sp->id * 512 + idx + 1;
}

static void rmap_del(struct umbra_mmu *mmu, struct shadow_page *sp,
		     unsigned int idx)
{
	u32 *link = rmap_head(mmu, shadow_page_gfn(sp, idx), sp->role.level);
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
	if (!test_bit(idx, sp->used))
		return;
	if (shadow_entry_leaf(sp, idx)) {
		if ((sp->spt[idx] & V_PTE_X) &&
		    umbra_sites_written(vcpu->vm, shadow_page_gfn(sp, idx)))
			WRITE_ONCE(vcpu->mmu.forget, true);
		rmap_del(&vcpu->mmu, sp, idx);
	}
	WRITE_ONCE(sp->spt[idx], 0);
	__clear_bit(idx, sp->used);
}

void shadow_leaf_set(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		     unsigned int idx, u64 spte, u64 gpte)
{
	lockdep_assert_held(&vcpu->mmu.lock);
	if (sp->gpt)
		sp->gpt[idx] = gpte;
	__set_bit(idx, sp->used);
	WRITE_ONCE(sp->spt[idx], spte);
	rmap_add(&vcpu->mmu, sp, idx);
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
	spin_lock(&vcpu->mmu.lock);
	shadow_entry_clear(vcpu, sp, idx);
	if (sp->gpt)
		sp->gpt[idx] = gpte;
	sp->next[idx] = child->id;
	__set_bit(idx, sp->used);
	WRITE_ONCE(sp->spt[idx], shadow_make_link(child->spt));
	spin_unlock(&vcpu->mmu.lock);
}

int shadow_page_sync(struct umbra_vcpu *vcpu, struct shadow_page *sp)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	u64 *now = mmu->scratch;
	bool shadows = sp->gpt;
	bool gone = false;
	unsigned int idx;

	/* Nothing in it, or a fixed range: nothing to compare. */
	if (bitmap_empty(sp->used, 512) || sp->role.kind == SHADOW_DIRECT)
		return 0;
	if (shadows) {
		u64 gfn = sp->role.kind == SHADOW_TABLE ? sp->role.key :
			  sp->role.key & V_SATP_PPN;
		int ret = umbra_gpa_read(vcpu->vm, gfn << 12, now, PAGE_SIZE);

		/* The table's memory is gone: nothing in it holds. */
		if (ret == -EFAULT)
			gone = true;
		else if (ret)
			return ret;
	}
	spin_lock(&mmu->lock);
	for_each_set_bit(idx, sp->used, 512) {
		if (shadows && !gone && shadow_entry_leaf(sp, idx) &&
		    sp->gpt[idx] == now[idx])
			continue;
		/* A superpage's parts depend on this entry alone. */
		if (shadows && !gone && sp->gpt[idx] == now[idx] &&
		    umbra_pte_leaf(sp->gpt[idx]))
			continue;
		shadow_entry_clear(vcpu, sp, idx);
	}
	spin_unlock(&mmu->lock);
	return 0;
}

int shadow_read_gpte(struct umbra_vcpu *vcpu, u64 gpa, u64 *pte)
{
	struct umbra_memslot *slot;
	unsigned long hva;
	int ret = -EFAULT;
	int srcu = srcu_read_lock(&vcpu->vm->slots_srcu);

	slot = umbra_memslot_find(vcpu->vm, gpa >> 12);
	if (slot) {
		hva = slot->hva + (((gpa >> 12) - slot->gfn) << 12) + (gpa & 0xff8);
		ret = get_user(*pte, (u64 __user *)hva) ? -EFAULT : 0;
	}
	srcu_read_unlock(&vcpu->vm->slots_srcu, srcu);
	return ret;
}

/* --- roots ----------------------------------------------------------------------- */

static u8 view_key(struct umbra_vcpu *vcpu, enum umbra_view view)
{
	return view | ((vcpu->cpu->sstatus & V_MXR) ? 0x80 : 0);
}

u64 shadow_make_satp(const u64 *root)
{
	return (umbra_host.satp_mode << V_SATP_MODE_SHIFT) | (__pa(root) >> 12);
}

static u64 hw_satp(const struct shadow_root *root)
{
	return shadow_make_satp(root->page->spt);
}

void shadow_root_clear(struct umbra_vcpu *vcpu, struct shadow_root *root)
{
	struct shadow_page *sp = root->page;
	unsigned int idx;

	spin_lock(&vcpu->mmu.lock);
	for_each_set_bit(idx, sp->used, 512)
		shadow_entry_clear(vcpu, sp, idx);
	spin_unlock(&vcpu->mmu.lock);
	root->stale = false;
}

/*
 * Mode bare has no address space of its own: one root serves the views of S and
 * U, which PMP treats alike.
 */
static u64 root_satp(u64 satp)
{
	return umbra_walk_top(satp) < 0 ? 0 : satp;
}

static struct shadow_root *root_find(struct umbra_mmu *mmu, u64 satp, u8 key)
{
	for (unsigned int i = 0; i < mmu->nr_roots; i++) {
		struct shadow_root *root = &mmu->roots[i];

		if (root->satp == satp && root->key == key)
			return root;
	}
	return NULL;
}

static struct shadow_root *root_victim(struct umbra_mmu *mmu)
{
	struct shadow_root *best = &mmu->roots[0];

	if (mmu->nr_roots < UMBRA_ROOTS)
		return &mmu->roots[mmu->nr_roots++];
	for (unsigned int i = 1; i < UMBRA_ROOTS; i++)
		if (mmu->roots[i].used < best->used)
			best = &mmu->roots[i];
	return best;
}

static struct shadow_root *root_make(struct umbra_vcpu *vcpu, u64 satp, u8 key)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct shadow_role role = {
		.key = satp, .kind = SHADOW_ROOT, .view = key,
		.level = umbra_host.levels - 1,
	};
	struct shadow_page *sp = shadow_page_get(vcpu, &role);
	struct shadow_root *root;

	if (!sp)
		return NULL;
	root = root_victim(mmu);
	/* A private salt may name entries of the address space replaced. */
	if (root->page && root->salt)
		mmu->forget = true;
	root->satp = satp;
	root->key = key;
	root->page = sp;
	root->salt = 0;
	sp->spt[mmu->sw_slot] = shadow_make_link(mmu->sw_tables[umbra_host.levels - 2]);
	/* The page may have been a root before, and missed fences since. */
	shadow_root_clear(vcpu, root);
	return root;
}

static struct shadow_root *root_get(struct umbra_vcpu *vcpu,
				    enum umbra_view view, bool make)
{
	u64 satp = root_satp(vcpu->cpu->satp);
	struct shadow_root *root;
	u8 key;

	if (view >= UMBRA_VIEW_M) {
		satp = 0;
		key = view;
	} else {
		key = satp ? view_key(vcpu, view) : UMBRA_VIEW_S;
	}
	root = root_find(&vcpu->mmu, satp, key);
	if (!root && make)
		root = root_make(vcpu, satp, key);
	if (!root)
		return NULL;
	if (root->stale)
		shadow_root_clear(vcpu, root);
	root->used = ++vcpu->mmu.clock;
	return root;
}

static enum umbra_view view_now(struct umbra_vcpu *vcpu)
{
	if (vcpu->cpu->priv == UMBRA_PRIV_U)
		return UMBRA_VIEW_U;
	if (vcpu->cpu->priv == UMBRA_PRIV_M)
		return umbra_machine_data_priv(vcpu->m, vcpu->cpu) ==
		       UMBRA_PRIV_M ? UMBRA_VIEW_M : UMBRA_VIEW_MPRV;
	return vcpu->cpu->sstatus & V_SUM ? UMBRA_VIEW_SUM : UMBRA_VIEW_S;
}

struct shadow_root *shadow_root_now(struct umbra_vcpu *vcpu)
{
	return vcpu->mmu.loaded[view_now(vcpu)];
}

void umbra_mmu_unload(struct umbra_vcpu *vcpu)
{
	memset(vcpu->mmu.loaded, 0, sizeof(vcpu->mmu.loaded));
	vcpu->sw->root_u = 0;
	vcpu->sw->root_s = 0;
	vcpu->sw->root_sum = 0;
	vcpu->sw->root_priv_s = 0;
}

/*
 * A hot entry's tag is the pc, which is canonical, xored above bit 56 with a
 * number that tells apart the address spaces that may not share entries:
 * 1 .. UMBRA_ROOTS: S-mode of one root; one number for S-mode addresses that
 * the guest maps with G, which are the same in all of its address spaces; one
 * for satp off; one for M-mode, where virtual addresses are physical whatever
 * MPRV is; SALT_USER ..: U-mode of one root.
 */
#define SALT_GLOBAL	(UMBRA_ROOTS + 1)
#define SALT_BARE	(UMBRA_ROOTS + 2)
#define SALT_MACHINE	(UMBRA_ROOTS + 3)
#define SALT_USER	64
static_assert(SALT_MACHINE < SALT_USER);
static_assert(SALT_USER + UMBRA_ROOTS <= 128);

static u64 salt_bits(unsigned int salt)
{
	return (u64)salt << 57;
}

/* Find or make the roots of the current satp. */
static int load_roots(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct umbra_switch *sw = vcpu->sw;
	unsigned int salt = 0;

	if (!root_get(vcpu, view_now(vcpu), true)) {
		umbra_mmu_reset(vcpu);
		if (!root_get(vcpu, view_now(vcpu), true))
			return -ENOMEM;
	}
	for (int view = 0; view < UMBRA_VIEWS; view++) {
		struct shadow_root *root = root_get(vcpu, view, false);

		mmu->loaded[view] = root;
		if (root && root->salt && view != UMBRA_VIEW_U &&
		    view < UMBRA_VIEW_M)
			salt = root->salt;
	}
	sw->root_u = mmu->loaded[UMBRA_VIEW_U] ?
		     hw_satp(mmu->loaded[UMBRA_VIEW_U]) : 0;
	sw->root_s = mmu->loaded[UMBRA_VIEW_S] ?
		     hw_satp(mmu->loaded[UMBRA_VIEW_S]) : 0;
	sw->root_sum = mmu->loaded[UMBRA_VIEW_SUM] ?
		       hw_satp(mmu->loaded[UMBRA_VIEW_SUM]) : 0;
	if (umbra_walk_top(vcpu->cpu->satp) < 0)
		sw->salt_s = salt_bits(SALT_BARE);
	else
		sw->salt_s = salt_bits(salt ? salt : SALT_GLOBAL);
	sw->salt_m = salt_bits(SALT_MACHINE);
	sw->salt_u = salt_bits(SALT_USER + (mmu->loaded[UMBRA_VIEW_U] ?
			       mmu->loaded[UMBRA_VIEW_U] - mmu->roots : 0));
	return 0;
}

int umbra_mmu_load(struct umbra_vcpu *vcpu)
{
	struct umbra_switch *sw = vcpu->sw;

	if (!shadow_root_now(vcpu)) {
		int ret = load_roots(vcpu);

		if (ret)
			return ret;
	}
	sw->entry_satp = hw_satp(shadow_root_now(vcpu));
	/* Where the switcher's ecall goes; 0: not without M-mode being asked. */
	sw->root_priv_s = vcpu->cpu->sstatus & V_SUM ? sw->root_sum : sw->root_s;
	if (!umbra_hot_ecall(vcpu))
		sw->root_priv_s = 0;
	switch (vcpu->cpu->priv) {
	case UMBRA_PRIV_U:
		sw->salt = sw->salt_u;
		break;
	case UMBRA_PRIV_S:
		sw->salt = sw->salt_s;
		break;
	default:
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
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct shadow_root *s = root_get(vcpu, UMBRA_VIEW_S, false);
	struct shadow_root *sum = root_get(vcpu, UMBRA_VIEW_SUM, false);
	struct shadow_root *owner = s ? s : sum;
	u8 salt;

	/* Physical addresses are nobody's. */
	if (vcpu->cpu->priv == UMBRA_PRIV_M)
		return;
	if (vcpu->cpu->priv == UMBRA_PRIV_U) {
		/* U-mode always has its own; only remember that it is in use. */
		s = root_get(vcpu, UMBRA_VIEW_U, false);
		if (s)
			s->salt = SALT_USER;
		return;
	}
	if (!owner || owner->salt || umbra_walk_top(vcpu->cpu->satp) < 0)
		return;
	salt = 1 + (owner - mmu->roots);
	if (s)
		s->salt = salt;
	if (sum)
		sum->salt = salt;
	umbra_mmu_unload(vcpu);
	umbra_mmu_load(vcpu);
}

void umbra_mmu_reset(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	struct shadow_page **pages = mmu->pages;
	u32 nr;

	umbra_count(vcpu, UMBRA_STAT_MMU_RESET);
	umbra_mmu_unload(vcpu);
	mmu->once = NULL;
	spin_lock(&mmu->lock);
	nr = mmu->nr_pages;
	mmu->nr_pages = 0;
	memset(mmu->rmap, 0, UMBRA_RMAP_HASH * sizeof(u32));
	spin_unlock(&mmu->lock);
	memset(mmu->roots, 0, sizeof(mmu->roots));
	mmu->nr_roots = 0;
	memset(mmu->hash, 0, UMBRA_SHADOW_HASH * sizeof(*mmu->hash));
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
	spin_lock(&mmu->lock);
	shadow_entry_clear(vcpu, mmu->once, mmu->once_index);
	spin_unlock(&mmu->lock);
	mmu->once = NULL;
}

/* --- leaves of one frame ---------------------------------------------------------- */

static void zap_level(struct umbra_vcpu *vcpu, u64 gfn, int level)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	u64 base = gfn & ~((1ULL << (9 * level)) - 1);
	u32 link = *rmap_head(mmu, base, level);

	while (link) {
		struct shadow_page *sp = mmu->pages[(link - 1) / 512];
		unsigned int idx = (link - 1) % 512;

		link = sp->next[idx];
		if (sp->role.level == level && shadow_page_gfn(sp, idx) == base)
			shadow_entry_clear(vcpu, sp, idx);
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

		for_each_set_bit(idx, sp->used, 512) {
			u64 gfn = shadow_page_gfn(sp, idx);

			if (shadow_entry_leaf(sp, idx) && gfn <= last &&
			    gfn + span - 1 >= first)
				shadow_entry_clear(vcpu, sp, idx);
		}
	}
}

void umbra_mmu_zap_range(struct umbra_vcpu *vcpu, u64 first, u64 last)
{
	spin_lock(&vcpu->mmu.lock);
	if (last - first >= 512) {
		zap_scan(vcpu, first, last);
	} else {
		for (u64 gfn = first; gfn <= last; gfn++)
			for (int level = 0; level < 3; level++)
				zap_level(vcpu, gfn, level);
	}
	spin_unlock(&vcpu->mmu.lock);
}

u64 umbra_mmu_exec_gfn(struct umbra_vcpu *vcpu, u64 va, bool *global)
{
	struct shadow_root *root = shadow_root_now(vcpu);
	struct shadow_page *sp = root ? root->page : NULL;
	u64 gfn = ~0ULL;

	spin_lock(&vcpu->mmu.lock);
	while (sp) {
		unsigned int idx = umbra_va_index(va, sp->role.level);

		if (!test_bit(idx, sp->used))
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
	spin_unlock(&vcpu->mmu.lock);
	return gfn;
}

/* --- the switcher's place --------------------------------------------------------- */

static u64 slot_va(unsigned int slot)
{
	int shift = 12 + 9 * (umbra_host.levels - 1);
	int up = 64 - shift - 9;

	return (u64)((s64)((u64)slot << (shift + up)) >> up);
}

static void map_switcher(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;
	u64 flags = V_PTE_V | V_PTE_A;

	for (unsigned int i = 0; i < UMBRA_SW_PAGES; i++) {
		u64 perm = i < UMBRA_SW_TEXT_PAGES ? V_PTE_R | V_PTE_X :
			   V_PTE_R | V_PTE_W | V_PTE_D;
		unsigned long pfn = umbra_switch_page(vcpu, i) >> 12;

		mmu->sw_tables[0][i] =
			pte_val(pfn_pte(pfn, __pgprot(flags | perm)));
	}
	for (int level = 1; level <= umbra_host.levels - 2; level++)
		mmu->sw_tables[level][0] = shadow_make_link(mmu->sw_tables[level - 1]);
	umbra_switch_place(vcpu, slot_va(mmu->sw_slot));
}

/* Does any root map something of the guest's in @slot? */
static bool slot_busy(struct umbra_mmu *mmu, unsigned int slot)
{
	for (unsigned int i = 0; i < mmu->nr_roots; i++)
		if (test_bit(slot, mmu->roots[i].page->used))
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
	spin_lock(&mmu->lock);
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
	spin_unlock(&mmu->lock);
	umbra_switch_place(vcpu, slot_va(new));
}

/* --- life ---------------------------------------------------------------------------- */

int umbra_mmu_create(struct umbra_vcpu *vcpu)
{
	struct umbra_mmu *mmu = &vcpu->mmu;

	spin_lock_init(&mmu->lock);
	mmu->sw_slot = SW_FIRST_SLOT;
	mmu->pages = kvcalloc(UMBRA_SHADOW_MAX, sizeof(*mmu->pages),
			      GFP_KERNEL_ACCOUNT);
	mmu->hash = kvcalloc(UMBRA_SHADOW_HASH, sizeof(*mmu->hash),
			     GFP_KERNEL_ACCOUNT);
	mmu->rmap = kvcalloc(UMBRA_RMAP_HASH, sizeof(u32), GFP_KERNEL_ACCOUNT);
	mmu->scratch = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!mmu->pages || !mmu->hash || !mmu->rmap || !mmu->scratch)
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

	if (mmu->pages && mmu->hash && mmu->rmap)
		umbra_mmu_reset(vcpu);
	for (int i = 0; i < ARRAY_SIZE(mmu->sw_tables); i++) {
		free_page((unsigned long)mmu->sw_tables[i]);
		mmu->sw_tables[i] = NULL;
	}
	free_page((unsigned long)mmu->scratch);
	kvfree(mmu->rmap);
	kvfree(mmu->hash);
	kvfree(mmu->pages);
	mmu->scratch = NULL;
	mmu->rmap = NULL;
	mmu->hash = NULL;
	mmu->pages = NULL;
}
