// SPDX-License-Identifier: GPL-2.0
/*
 * Filling the shadow: from a fault on a gva to a leaf in the shadow tables.
 *
 * Called by the run loop for each page fault, and by the emulator to translate
 * the addresses of accesses that it performs itself.  The vCPU's thread, may
 * sleep; takes mmu.lock for the last step only.
 *
 * The rule against races with the host's memory management is KVM's: note the
 * sequence of invalidations, find the host page, and install the leaf only if,
 * under mmu.lock, no invalidation of its memory is under way and none ended since.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "../vmm_core/trace.h"
#include "../vmm_core/vmm.h"
#include "hw.h"
#include "shadow.h"

/* --- walking the guest's tables ------------------------------------------------- */

/* PMP judges accesses to page tables as S-mode's (section 3.7). */
static bool pte_permits(struct umbra_vcpu *vcpu, u64 gpa, unsigned int perm)
{
	return !vcpu->m ||
	       !(perm & ~umbra_pmp_perm(&vcpu->m->pmp, gpa, 8, false));
}

static int op_read_pte(void *ctx, u64 gpa, u64 *pte)
{
	if (!pte_permits(ctx, gpa, V_PMP_R))
		return -EFAULT;
	return shadow_read_gpte(ctx, gpa, pte);
}

bool umbra_cmpxchg(u64 *ptr, u64 old, u64 new)
{
	return hw_cmpxchg(ptr, old, new);
}

/* A or D: atomically, as hardware does (privileged spec, section 10.3.2). */
static int op_cmpxchg_pte(void *ctx, u64 gpa, u64 old, u64 new)
{
	struct umbra_vcpu *vcpu = ctx;
	struct umbra_memslot *slot;
	struct page *page;
	int ret = -EFAULT;
	int srcu;

	if (!pte_permits(vcpu, gpa, V_PMP_R | V_PMP_W))
		return -EFAULT;
	srcu = srcu_read_lock(&vcpu->vm->slots_srcu);
	slot = umbra_memslot_find(vcpu->vm, gpa >> 12);
	if (slot && !(slot->flags & KVM_MEM_READONLY)) {
		unsigned long hva = slot->hva + (((gpa >> 12) - slot->gfn) << 12);

		if (get_user_pages_fast(hva, 1, FOLL_WRITE, &page) == 1) {
			u64 *ptr = page_address(page) + (gpa & 0xff8);

			ret = umbra_cmpxchg(ptr, old, new) ? 0 : -EAGAIN;
			SetPageDirty(page);
			put_page(page);
			umbra_mark_dirty(vcpu->vm, gpa >> 12);
		}
	}
	srcu_read_unlock(&vcpu->vm->slots_srcu, srcu);
	return ret;
}

static const struct umbra_walk_ops walk_ops = {
	.read_pte = op_read_pte,
	.cmpxchg_pte = op_cmpxchg_pte,
};

static u64 page_fault_cause(enum umbra_access access)
{
	switch (access) {
	case UMBRA_ACCESS_READ:
		return V_EXC_LOAD_PAGE;
	case UMBRA_ACCESS_WRITE:
		return V_EXC_STORE_PAGE;
	default:
		return V_EXC_INSN_PAGE;
	}
}

static u64 access_fault_cause(enum umbra_access access)
{
	switch (access) {
	case UMBRA_ACCESS_READ:
		return V_EXC_LOAD_ACCESS;
	case UMBRA_ACCESS_WRITE:
		return V_EXC_STORE_ACCESS;
	default:
		return V_EXC_INSN_ACCESS;
	}
}

/* The privilege at which an access is translated and judged. */
static u64 access_priv(struct umbra_vcpu *vcpu, enum umbra_access access)
{
	if (!vcpu->m || access == UMBRA_ACCESS_EXEC)
		return vcpu->cpu->priv;
	return umbra_machine_data_priv(vcpu->m, vcpu->cpu);
}

bool umbra_adue(struct umbra_vcpu *vcpu)
{
	return !vcpu->feat.svade &&
	       (!vcpu->m || (vcpu->m->menvcfg & V_ENVCFG_ADUE));
}

static int walk(struct umbra_vcpu *vcpu, struct umbra_walk *w,
		struct umbra_fault_info *info)
{
	u64 priv = access_priv(vcpu, info->access);
	int ret;

	*w = (struct umbra_walk) {
		.satp = priv == UMBRA_PRIV_M ? 0 : vcpu->cpu->satp,
		.user = priv == UMBRA_PRIV_U,
		.sum = vcpu->cpu->sstatus & V_SUM,
		.mxr = vcpu->cpu->sstatus & V_MXR,
		.svade = !umbra_adue(vcpu),
		.access = info->access,
	};
	ret = umbra_walk(w, info->gva, &walk_ops, vcpu);
	if (ret == UMBRA_WALK_PAGE_FAULT) {
		info->cause = page_fault_cause(info->access);
		return UMBRA_FAULT_GUEST;
	}
	if (ret == UMBRA_WALK_ACCESS_FAULT) {
		info->cause = access_fault_cause(info->access);
		return UMBRA_FAULT_GUEST;
	}
	if (ret)
		return ret;
	info->gpa = w->gpa;
	return UMBRA_FAULT_DONE;
}

/* --- physical memory protection ------------------------------------------------------ */

static unsigned int access_pmp(enum umbra_access access)
{
	switch (access) {
	case UMBRA_ACCESS_READ:
		return V_PMP_R;
	case UMBRA_ACCESS_WRITE:
		return V_PMP_W;
	default:
		return V_PMP_X;
	}
}

/* The access itself, at info->gpa. */
static bool pmp_permits(struct umbra_vcpu *vcpu,
			const struct umbra_fault_info *info)
{
	bool machine = access_priv(vcpu, info->access) == UMBRA_PRIV_M;

	return !vcpu->m ||
	       (umbra_pmp_perm(&vcpu->m->pmp, info->gpa, max(info->len, 1U),
			       machine) & access_pmp(info->access));
}

/*
 * Of an instruction whose first half may be fetched at info->gpa: may its second
 * half, in the same page?  If not, that is where the fault is.
 */
static bool pmp_permits_tail(struct umbra_vcpu *vcpu,
			     struct umbra_fault_info *info)
{
	struct umbra_fault_info tail = *info;
	u16 half;

	tail.gva += 2;
	tail.gpa += 2;
	tail.len = 2;
	if (!offset_in_page(tail.gpa) || pmp_permits(vcpu, &tail) ||
	    umbra_gpa_read(vcpu->vm, info->gpa, &half, 2) ||
	    umbra_insn_len(half) == 2)
		return true;
	info->gva = tail.gva;
	return false;
}

/*
 * What PMP leaves of a page for leaves of the current view: permissions (of
 * PTEs), and the level of the largest leaf that they hold for.
 *
 * PMP_LEAF: map it.  PMP_ONCE: some of the page may not be executed, the
 * instruction at hand may: map it for this time.  PMP_EMULATE: accesses to the
 * page have to be judged one by one.  PMP_FAULT: denied.
 */
enum pmp_verdict { PMP_LEAF, PMP_ONCE, PMP_EMULATE, PMP_FAULT };

static enum pmp_verdict pmp_judge(struct umbra_vcpu *vcpu,
				  struct umbra_fault_info *info,
				  u64 *perm, int *level)
{
	bool exec = info->access == UMBRA_ACCESS_EXEC;
	u64 priv = access_priv(vcpu, info->access);
	unsigned int order, pmp;

	*perm = V_PTE_R | V_PTE_W | V_PTE_X;
	*level = 2;
	if (!vcpu->m)
		return PMP_LEAF;
	order = umbra_pmp_block(&vcpu->m->pmp, info->gpa, priv == UMBRA_PRIV_M,
				PAGE_SHIFT + 18, &pmp);
	*perm = (pmp & V_PMP_R ? V_PTE_R : 0) | (pmp & V_PMP_W ? V_PTE_W : 0) |
		(pmp & V_PMP_X ? V_PTE_X : 0);
	if (order < PAGE_SHIFT) {
		*perm = V_PTE_X;
		*level = 0;
		if (!exec)
			return PMP_EMULATE;
		return pmp & V_PMP_X && pmp_permits_tail(vcpu, info) ?
		       PMP_ONCE : PMP_FAULT;
	}
	*level = (order - PAGE_SHIFT) / 9;
	if (!(pmp & access_pmp(info->access)))
		return PMP_FAULT;
	/* Data goes through the guest's tables, fetches do not. */
	if (priv != vcpu->cpu->priv)
		return PMP_EMULATE;
	if (access_priv(vcpu, UMBRA_ACCESS_READ) != vcpu->cpu->priv)
		*perm &= V_PTE_X;
	return PMP_LEAF;
}

int umbra_mmu_translate(struct umbra_vcpu *vcpu, struct umbra_fault_info *info)
{
	struct umbra_walk w;
	int ret = walk(vcpu, &w, info);

	if (ret != UMBRA_FAULT_DONE || pmp_permits(vcpu, info))
		return ret;
	info->cause = access_fault_cause(info->access);
	return UMBRA_FAULT_GUEST;
}

/* --- building the path -------------------------------------------------------------- */

/* Permissions of the guest's mapping, as this view may use them. */
static u64 view_perm(const struct umbra_walk *w, u8 view)
{
	u64 pte = w->pte[w->level];
	u64 perm;

	if (w->top < 0)
		return V_PTE_R | V_PTE_W | V_PTE_X;
	perm = pte & (V_PTE_R | V_PTE_W | V_PTE_X);
	/* Without D a store must fault, so that D gets set. */
	if (!(pte & V_PTE_D))
		perm &= ~V_PTE_W;
	if ((view & ~UMBRA_VIEW_MXR) == UMBRA_VIEW_SUM && (pte & V_PTE_U))
		perm &= ~V_PTE_X;
	if ((view & UMBRA_VIEW_MXR) && (pte & V_PTE_X))
		perm |= V_PTE_R;
	return perm;
}

/* The role of the page below a page of level @level + 1 on the way to @gva. */
static void child_role(const struct umbra_walk *w, const struct shadow_role *root,
		       u64 gva, int level, u64 perm, struct shadow_role *role)
{
	u64 span = 1ULL << (9 * (level + 1));

	*role = (struct shadow_role) { .level = level, .view = root->view };
	if (level > w->top && w->top >= 0) {
		role->kind = SHADOW_GLUE;
		role->key = root->key;
		/* Glue of the two halves differs where it holds both. */
		role->half = SHADOW_LOWER + (gva >> 63);
	} else if (level >= w->level && w->top >= 0) {
		role->kind = SHADOW_TABLE;
		role->key = w->table[level];
		/* A root holds canonical addresses alone, other tables all. */
		if (level == w->top)
			role->half = SHADOW_LOWER + (gva >> 63);
	} else {
		role->kind = SHADOW_DIRECT;
		role->key = (w->gpa >> 12) & ~(span - 1);
		role->access = perm;
	}
}

static bool is_linked(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		      unsigned int idx, struct shadow_page *child, u64 gpte)
{
	return shadow_entry_live(sp, idx) && !shadow_entry_leaf(sp, idx) &&
	       shadow_child(vcpu, sp, idx) == child &&
	       (!sp->gpt || sp->gpt[idx] == gpte);
}

/*
 * Mark what leads to mappings without G: @path[0 .. @n - 1], from the root down,
 * is about to hold one if @private.
 *
 * A page that is not private then leads to global mappings only, but for one
 * case: another path to a page of this one.  That is what flips counts: every
 * space that was filled before is emptied, the one in use at once, the others
 * when they come into use.
 */
static void mark_path(struct umbra_mmu *mmu, struct shadow_page **path, int n,
		      bool private)
{
	while (n--) {
		if (path[n]->private) {
			private = true;
		} else if (private) {
			path[n]->private = true;
			if (path[n]->parents > 1)
				mmu->fast->flips++;
		}
	}
}

/* Link @child below @sp, unless it is. */
static int link_child(struct umbra_vcpu *vcpu, struct shadow_page *sp,
		      unsigned int idx, struct shadow_page *child, u64 gpte)
{
	int ret;

	if (is_linked(vcpu, sp, idx, child, gpte))
		return 0;
	/* It may hold what this address space was never, or is no longer, to see. */
	ret = shadow_page_sync(vcpu, child);
	if (!ret)
		shadow_link(vcpu, sp, idx, child, gpte);
	return ret;
}

/*
 * The page that holds the leaf for @gva, with everything above it linked and
 * up to date.  ERR_PTR(-ENOMEM) when shadow pages ran out.
 */
static struct shadow_page *link_path(struct umbra_vcpu *vcpu,
				     const struct umbra_walk *w,
				     struct shadow_page *root, u64 gva,
				     u64 perm, int leaf_level)
{
	struct shadow_page *path[UMBRA_MAX_LEVELS] = { root };
	struct shadow_page *sp = root;
	int n = 1;

	for (int level = sp->role.level; level > leaf_level; level--) {
		unsigned int idx = umbra_va_index(gva, level);
		u64 gpte = level <= w->top ? w->pte[max(level, w->level)] : 0;
		struct shadow_page *child;
		struct shadow_role role;
		int ret;

		child_role(w, &root->role, gva, level - 1, perm, &role);
		child = shadow_page_get(vcpu, &role);
		if (!child)
			return ERR_PTR(-ENOMEM);
		ret = link_child(vcpu, sp, idx, child, gpte);
		if (ret)
			return ERR_PTR(ret);
		sp = child;
		path[n++] = sp;
	}
	mark_path(&vcpu->mmu, path, n,
		  w->top >= 0 && !(w->pte[w->level] & V_PTE_G));
	return sp;
}

/*
 * The same; and if a page that other paths may lead to became private, what is
 * linked by them is compared again.  Fences of one ASID, and adopt_global(),
 * trusted links that only global mappings may be found by.
 */
static struct shadow_page *build_path(struct umbra_vcpu *vcpu,
				      const struct umbra_walk *w,
				      struct shadow_page *root, u64 gva,
				      u64 perm, int leaf_level)
{
	struct umbra_space *space = shadow_space_now(vcpu);
	struct shadow_page *sp;

	sp = link_path(vcpu, w, root, gva, perm, leaf_level);
	if (IS_ERR(sp) || !space || space->flips == vcpu->mmu.fast->flips)
		return sp;
	shadow_space_clear(vcpu, space);
	/* Now that all of the path is private no page becomes it. */
	return link_path(vcpu, w, root, gva, perm, leaf_level);
}

struct shadow_page *shadow_path_upper(struct umbra_vcpu *vcpu,
				      struct shadow_page *root, u64 satp)
{
	/* As for a walk that has only read satp. */
	struct umbra_walk w = { .top = umbra_walk_top(satp), .level = 0 };
	struct shadow_page *path[UMBRA_MAX_LEVELS], *sp = root;
	int n = 0;

	w.table[w.top] = satp & V_SATP_PPN;
	while (sp->role.level > w.top) {
		struct shadow_page *child;
		struct shadow_role role;

		child_role(&w, &root->role, ~0ULL, sp->role.level - 1, 0, &role);
		child = shadow_page_get(vcpu, &role);
		if (!child ||
		    link_child(vcpu, sp, umbra_va_index(~0ULL, sp->role.level),
			       child, 0))
			return NULL;
		path[n++] = sp;
		sp = child;
	}
	/* The guest's root may be that of another ASID, too, and be filled. */
	mark_path(&vcpu->mmu, path, n, sp->private);
	return sp;
}

/* --- the host's page ---------------------------------------------------------------- */

/* *@writable: in, may it be mapped writable; out, is it. */
static struct page *host_page(unsigned long hva, bool write, bool *writable)
{
	struct page *page;

	if (*writable && get_user_pages_fast_only(hva, 1, FOLL_WRITE, &page) == 1)
		return page;
	if (!write)
		*writable = false;
	if (get_user_pages_fast(hva, 1, write ? FOLL_WRITE : 0, &page) != 1)
		return NULL;
	return page;
}

/*
 * Level of the mapping that the host's own page table has for @hva.  Interrupts
 * off keep its pages from being freed (as for KVM's host_pfn_mapping_level()).
 */
static int host_level(struct mm_struct *mm, unsigned long hva)
{
	u64 *table = (u64 *)mm->pgd;
	unsigned long flags;
	int level;

	/* p4d_offset() and its kin are not exported; a table is a table. */
	local_irq_save(flags);
	for (level = umbra_host.levels - 1; level > 0; level--) {
		u64 pte = READ_ONCE(table[umbra_va_index(hva, level)]);

		if (!(pte & V_PTE_V)) {
			level = 0;
			break;
		}
		if (umbra_pte_leaf(pte))
			break;
		table = pfn_to_kaddr((pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT);
	}
	local_irq_restore(flags);
	return level;
}

/*
 * How large a leaf may be: guest and host both map that much in one piece, the
 * slot holds all of it at the same alignment, PMP judges it as one, nothing in
 * it is rewritten, and no dirty log wants to know single pages.
 */
static int leaf_level(struct umbra_vcpu *vcpu, const struct umbra_walk *w,
		      const struct umbra_memslot *slot, u64 gfn, int pmp_level)
{
	unsigned long hva = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
	int level = w->top < 0 ? 2 : w->level;

	if (slot->dirty)
		return 0;
	level = min(level, pmp_level);
	if (level)
		level = min(level, host_level(vcpu->vm->mm, hva));
	for (; level > 0; level--) {
		u64 span = 1ULL << (9 * level);
		u64 base = gfn & ~(span - 1);

		if (((slot->hva >> PAGE_SHIFT) ^ slot->gfn) & (span - 1))
			continue;
		if (base < slot->gfn || base + span > slot->gfn + slot->npages)
			continue;
		if (!umbra_sites_in_range(vcpu->vm, base, base + span - 1))
			break;
	}
	return level;
}

/*
 * The host page of @gfn, or of all 512 frames around it that a large leaf
 * maps, is known: fast.c may make leaves from it.
 */
static void note_known(struct umbra_vm *vm, u64 gfn, struct page *page, int level,
		       bool writable)
{
	u64 base = level ? gfn & ~511ULL : gfn;
	unsigned long pfn = page_to_pfn(page) - (gfn - base);

	for (u64 n = 0; n < (level ? 512 : 1); n++)
		umbra_known_set(vm, base + n, pfn + n, writable);
}

/* 0: installed; -EAGAIN: an invalidation of @memory came in between. */
static int install(struct umbra_vcpu *vcpu, struct shadow_page *sp, u64 gva,
		   u64 gfn, u64 gpte, struct page *page, u64 perm,
		   bool known, bool writable, unsigned long mn_seq,
		   const struct umbra_mn_range *memory)
{
	struct umbra_vm *vm = vcpu->vm;
	unsigned int idx = umbra_va_index(gva, sp->role.level);
	u64 within = (1ULL << (9 * sp->role.level)) - 1;
	int ret = -EAGAIN;

	umbra_mmu_lock(&vcpu->mmu);
	if (!umbra_mn_retry(vm, memory->first, memory->last, mn_seq)) {
		/*
		 * Rewritten text is never readable or writable, and a large
		 * leaf over some gives way to small ones.
		 */
		if (umbra_sites_in_range(vm, gfn & ~within, gfn | within)) {
			perm &= within ? 0 : V_PTE_X;
			if (known && perm)
				umbra_known_set_text(vm, gfn, page_to_pfn(page));
		} else if (known) {
			note_known(vm, gfn, page, sp->role.level, writable);
		}
		shadow_entry_clear(vcpu, sp, idx);
		if (perm)
			shadow_leaf_set(vcpu, sp, idx,
					shadow_make_leaf(page_to_pfn(page) -
							 (gfn & within), perm),
					gpte);
		ret = 0;
	}
	umbra_mmu_unlock(&vcpu->mmu);
	return ret;
}

static u64 access_perm(enum umbra_access access)
{
	switch (access) {
	case UMBRA_ACCESS_READ:
		return V_PTE_R;
	case UMBRA_ACCESS_WRITE:
		return V_PTE_W;
	default:
		return V_PTE_X;
	}
}

/* Is entry @idx a leaf that permits the access?  Caller holds mmu.lock. */
static bool entry_permits(const struct shadow_page *sp, unsigned int idx,
			  enum umbra_access access)
{
	return shadow_entry_live(sp, idx) && (sp->spt[idx] & access_perm(access));
}

/* The leaf is there already and permits the access: a stale TLB entry. */
static bool spurious(struct umbra_vcpu *vcpu, struct shadow_page *root,
		     const struct umbra_fault_info *info)
{
	struct shadow_page *sp = root;
	bool found = false;

	umbra_mmu_lock(&vcpu->mmu);
	for (;;) {
		unsigned int idx = umbra_va_index(info->gva, sp->role.level);

		if (!shadow_entry_live(sp, idx))
			break;
		if (shadow_entry_leaf(sp, idx)) {
			found = entry_permits(sp, idx, info->access);
			break;
		}
		sp = shadow_child(vcpu, sp, idx);
	}
	umbra_mmu_unlock(&vcpu->mmu);
	return found;
}

static bool leaf_permits_access(struct umbra_vcpu *vcpu, struct shadow_page *sp,
				const struct umbra_fault_info *info)
{
	unsigned int idx = umbra_va_index(info->gva, sp->role.level);
	bool ret;

	umbra_mmu_lock(&vcpu->mmu);
	ret = entry_permits(sp, idx, info->access);
	umbra_mmu_unlock(&vcpu->mmu);
	return ret;
}

/* The leaf goes when the guest comes out next time. */
static void map_once(struct umbra_vcpu *vcpu, struct shadow_page *sp, u64 gva)
{
	struct umbra_mmu *mmu = &vcpu->mmu;

	if (mmu->once) {
		mmu->once_fresh = false;
		umbra_mmu_drop_once(vcpu);
	}
	mmu->once = sp;
	mmu->once_index = umbra_va_index(gva, sp->role.level);
	mmu->once_fresh = true;
}

/*
 * -EAGAIN: the host took some of *@memory, which the leaf would have mapped, away
 * at the same moment.
 */
static int try_map(struct umbra_vcpu *vcpu, const struct umbra_walk *w,
		   const struct umbra_fault_info *info, struct umbra_memslot *slot,
		   u64 pmp_perm, int pmp_level, bool once, struct umbra_mn_range *memory)
{
	struct umbra_vm *vm = vcpu->vm;
	bool write = info->access == UMBRA_ACCESS_WRITE;
	u64 gfn = w->gpa >> 12;
	struct shadow_page *root;
	struct shadow_page *sp;
	unsigned long mn_seq;
	struct page *page;
	bool writable;
	u64 perm;
	int level;
	int ret;

	root = shadow_root_now(vcpu);
	if (!root)
		return UMBRA_FAULT_DONE;	/* the run loop makes one */
	/*
	 * What the guest's mapping allows names the pages above the leaf; what
	 * this slot and this moment allow is the leaf's own matter.
	 */
	perm = view_perm(w, root->role.view);
	writable = (perm & V_PTE_W) && !(slot->flags & KVM_MEM_READONLY);
	/* With a dirty log only a store may make a page writable. */
	if (slot->dirty && !write)
		writable = false;

	/* Before the first look at the host's mapping, its size included. */
	mn_seq = umbra_mn_begin(vm);
	level = leaf_level(vcpu, w, slot, gfn, pmp_level);
	memory->first = slot->hva + (((gfn & (~0ULL << (9 * level))) - slot->gfn) << PAGE_SHIFT);
	memory->last = memory->first + (PAGE_SIZE << (9 * level)) - 1;
	sp = build_path(vcpu, w, root, info->gva, perm, level);
	if (IS_ERR(sp)) {
		if (PTR_ERR(sp) != -ENOMEM)
			return PTR_ERR(sp);
		umbra_mmu_reset(vcpu);
		return UMBRA_FAULT_DONE;
	}
	/* After a fence the leaf is often still there, only not linked. */
	if (leaf_permits_access(vcpu, sp, info))
		return UMBRA_FAULT_DONE;

	/* With a dirty log each page is fault.c's to see. */
	if (!slot->dirty)
		umbra_known_prepare(vm, gfn);
	page = host_page(slot->hva + ((gfn - slot->gfn) << 12), write, &writable);
	if (!page)
		return -EFAULT;
	perm &= pmp_perm;
	if (!writable)
		perm &= ~V_PTE_W;
	/* Where it is known as writable, fast.c may make it so later. */
	if ((perm & V_PTE_W) || (writable && !slot->dirty))
		SetPageDirty(page);
	if (write)
		umbra_mark_dirty(vm, gfn);
	if (once)
		map_once(vcpu, sp, info->gva);
	ret = install(vcpu, sp, info->gva, gfn, w->top >= 0 ? w->pte[w->level] : 0,
		      page, perm, !slot->dirty, writable, mn_seq, memory);
	put_page(page);
	if (ret)
		return ret;
	umbra_count(vcpu, UMBRA_STAT_SHADOW_FILL);
	return UMBRA_FAULT_DONE;
}

/*
 * Often it is our own look for a writable page that made the host take the old one
 * away: that is over by now, and we try again at once.
 */
static int map(struct umbra_vcpu *vcpu, const struct umbra_walk *w,
	       const struct umbra_fault_info *info, struct umbra_memslot *slot,
	       u64 pmp_perm, int pmp_level, bool once, struct umbra_mn_range *memory)
{
	int ret;

	for (int tries = 0; tries < 3; tries++) {
		ret = try_map(vcpu, w, info, slot, pmp_perm, pmp_level, once, memory);
		if (ret != -EAGAIN ||
		    umbra_mn_busy(vcpu->vm, memory->first, memory->last))
			break;
	}
	return ret;
}

int umbra_mmu_fault(struct umbra_vcpu *vcpu, struct umbra_fault_info *info)
{
	struct umbra_memslot *slot;
	struct shadow_page *root;
	struct umbra_mn_range memory;
	enum pmp_verdict verdict;
	struct umbra_walk w;
	u64 gfn, pmp_perm;
	int ret, srcu;
	bool nameable;
	int pmp_level;

	root = shadow_root_now(vcpu);
	if (!root)
		return UMBRA_FAULT_DONE;
	nameable = umbra_va_canonical(info->gva, umbra_host.levels - 1);
	if (nameable && spurious(vcpu, root, info)) {
		umbra_count(vcpu, UMBRA_STAT_SHADOW_SPURIOUS);
		return UMBRA_FAULT_DONE;
	}
	ret = walk(vcpu, &w, info);
	if (ret == -EAGAIN)
		return UMBRA_FAULT_DONE;
	if (ret != UMBRA_FAULT_DONE)
		return ret;
	verdict = pmp_judge(vcpu, info, &pmp_perm, &pmp_level);
	if (verdict == PMP_FAULT) {
		info->cause = access_fault_cause(info->access);
		return UMBRA_FAULT_GUEST;
	}
	gfn = w.gpa >> 12;
	trace_umbra_shadow_fault(vcpu->id, info->gva, w.gpa, info->access);

	srcu = srcu_read_lock(&vcpu->vm->slots_srcu);
	slot = umbra_memslot_find(vcpu->vm, gfn);
	if (!slot || !nameable || verdict == PMP_EMULATE) {
		/* Nothing there; or, satp off, beyond what the host can map. */
		ret = UMBRA_FAULT_EMULATE;
	} else if (info->access == UMBRA_ACCESS_WRITE &&
		   (slot->flags & KVM_MEM_READONLY)) {
		ret = UMBRA_FAULT_EMULATE;
	} else if (info->access != UMBRA_ACCESS_EXEC &&
		   umbra_sites_active(vcpu->vm, gfn)) {
		ret = UMBRA_FAULT_EMULATE;
	} else {
		if (umbra_va_index(info->gva, umbra_host.levels - 1) ==
		    vcpu->mmu.sw_slot)
			shadow_move_switcher(vcpu);
		ret = map(vcpu, &w, info, slot, pmp_perm, pmp_level,
			  verdict == PMP_ONCE, &memory);
	}
	srcu_read_unlock(&vcpu->vm->slots_srcu, srcu);
	if (ret == -EAGAIN) {
		/* Or the guest would fault again and again until it is over. */
		umbra_mn_wait(vcpu->vm, memory.first, memory.last);
		ret = UMBRA_FAULT_DONE;
	}
	return ret;
}
