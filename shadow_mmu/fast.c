// SPDX-License-Identifier: GPL-2.0
/*
 * The fast half of the shadow MMU: page faults, fences and satp writes that
 * are answered without leaving the guest's address space.
 *
 * This code is part of the switcher: it is copied into pages that every shadow
 * table maps, runs there in S-mode with interrupts off, on a stack of 2 KiB,
 * and refers to nothing outside the switcher (the build checks that).  It is
 * called by switch_asm.S after all registers of the guest have been saved,
 * and either completes what the guest did (SW_RESUME) or changes nothing and
 * leaves it to the run loop (SW_LEAVE): fault.c, fence.c and shadow.c are the
 * reference for all of it, and do what is not simple.
 *
 * What makes it sound is the same as there: a leaf is filled only while
 * nobody takes mappings away (umbra_vm_page.frozen), under busy, which whoever
 * clears leaves takes too; and the known table names a host page only until
 * the MMU notifier for it has passed.
 */
#include "../vmm_core/switch.h"
#include "fast.h"
#include "hw.h"

#define SW_RESUME	0
#define SW_LEAVE	1

/* What the compiler does not inline has to be in the section, too. */
#define __switcher	__attribute__((__section__(".umbra.switcher"), __used__, \
				       __noinline__))

static inline struct umbra_fast *fast_of(struct umbra_switch *sw)
{
	struct umbra_fast *f = (void *)sw + SW_SIZE + FAST_OFFSET;

	/* Far from @sw: the compiler is to keep it, not to make it for each access. */
	OPTIMIZER_HIDE_VAR(f);
	return f;
}

static inline u64 *spt_at(const struct umbra_fast *f, u32 id)
{
	return hw_at(f->win + ((u64)id << UMBRA_WIN_SHIFT));
}

static inline u64 *gpt_at(const struct umbra_fast *f, u32 id)
{
	return hw_at(f->win + ((u64)id << UMBRA_WIN_SHIFT) + UMBRA_WIN_GPT);
}

static inline struct shadow_page *page_at(const struct umbra_fast *f, u32 id)
{
	return hw_at(f->win + ((u64)id << UMBRA_WIN_SHIFT) + UMBRA_WIN_SP);
}

static inline bool fast_trylock(struct umbra_fast *f)
{
	u32 was = hw_swap_acquire(&f->busy, 1);

	if (!was)
		f->holding = 1;
	return !was;
}

static inline void fast_unlock(struct umbra_fast *f)
{
	f->holding = 0;
	hw_clear_release(&f->busy);
}

static inline void fence_va(struct umbra_switch *sw, u64 va)
{
	hw_fence_va(va);
	umbra_switch_count(sw, SW_COUNT_FENCES);
}

static inline void fence_all_va(struct umbra_switch *sw)
{
	if (sw->asids)
		hw_fence_all();
	else
		hw_fence_asid_0();
	fast_of(sw)->unfenced = 0;
	umbra_switch_count(sw, SW_COUNT_FENCES);
}

/* Another root.  What was taken from it when it was not loaded is use_space()'s. */
static inline void set_satp(struct umbra_switch *sw, u64 satp)
{
	hw_csr_set(satp, satp);
	umbra_switch_count(sw, SW_COUNT_SATP);
	if (!sw->asids)
		fence_all_va(sw);
}

static inline bool frozen(const struct umbra_fast *f)
{
	const struct umbra_vm_page *vm = hw_at(f->vm);

	return *(volatile u64 *)&vm->frozen;
}

/* The known PTE of a guest frame, or 0. */
static inline u64 known_pte(const struct umbra_fast *f, u64 gfn)
{
	u64 n = gfn - UMBRA_KNOWN_BASE, pte;

	if (n >= f->known_nr || gfn - f->hole_gfn < f->hole_nr)
		return 0;
	pte = *(volatile u64 *)hw_at(f->known + 8 * n);
	return pte & UMBRA_KNOWN_TEXT ? 0 : pte;
}

/* The same of a frame that can be read where gpte_va() says. */
static inline u64 table_pte(const struct umbra_fast *f, u64 gfn)
{
	return gfn - UMBRA_KNOWN_BASE < f->readable_nr ? known_pte(f, gfn) : 0;
}

/* Where entry @idx of the guest's table in frame @gfn is, if it is known. */
static inline u64 gpte_va(const struct umbra_fast *f, u64 gfn, unsigned int idx)
{
	return f->guest + ((gfn - UMBRA_KNOWN_BASE) << 12) + 8 * idx;
}

/* Entry @idx of the guest's table in frame @gfn: false if it is not at hand. */
static inline bool read_gpte(struct umbra_fast *f, u64 gfn, unsigned int idx,
			     u64 *pte)
{
	if (!table_pte(f, gfn))
		return false;
	*pte = *(volatile u64 *)hw_at(gpte_va(f, gfn, idx));
	return true;
}

/* May a fault be undone by leaving (see umbra_fast.probing)? */
static inline void set_probing(struct umbra_fast *f, u32 on)
{
	*(volatile u32 *)&f->probing = on;
}

static inline bool is_leaf(u64 pte)
{
	return pte & (V_PTE_R | V_PTE_W | V_PTE_X);
}

/* The first used entry of a page from @idx on, or 512.  No library here. */
static inline unsigned int next_used(const struct shadow_page *sp, unsigned int idx)
{
	while (idx < 512) {
		u64 bits = sp->used[idx / 64] >> (idx % 64);

		if (!bits) {
			idx = (idx | 63) + 1;
			continue;
		}
		for (; !(bits & 0xff); bits >>= 8)
			idx += 8;
		for (; !(bits & 1); bits >>= 1)
			idx++;
		break;
	}
	return idx;
}

/* --- traps into the guest's kernel ----------------------------------------------- */

/* As umbra_cpu_trap(), and on with it. */
static __switcher u64 sw_reflect(struct umbra_switch *sw, u64 cause, u64 tval)
{
	struct umbra_cpu *cpu = &sw->cpu;
	u64 status = cpu->sstatus & ~(V_SPP | V_SPIE | V_SIE);

	if (!sw->root_priv_s || !fast_of(sw)->reflect)
		return SW_LEAVE;
	set_probing(fast_of(sw), 0);
	fast_of(sw)->reflects++;
	if (cpu->sstatus & V_SIE)
		status |= V_SPIE;
	cpu->sepc = cpu->pc;
	cpu->scause = cause;
	cpu->stval = tval;
	hw_csr_set(sepc, cpu->stvec & ~3UL);
	if (cpu->priv == UMBRA_PRIV_S) {
		cpu->sstatus = status | V_SPP;
		return SW_RESUME;
	}
	cpu->sstatus = status;
	cpu->priv = UMBRA_PRIV_S;
	sw->trap_va = sw->vec_s;
	if (sw->envcfg_flip)
		hw_csr_set(0x10a, sw->envcfg_s);
	set_satp(sw, sw->root_priv_s);
	return SW_RESUME;
}

/* --- leaves ---------------------------------------------------------------------------- */

/* What the leaf to be made is made from. */
struct fast_leaf {
	u32 id;			/* shadow page */
	unsigned int idx;
	u64 gfn;
	u64 gpte;		/* 0 in a DIRECT page */
	u64 perm;
};

/* Take entry @idx, a leaf, out of the chain of its frame. */
static inline void rmap_del(struct umbra_fast *f, u32 id, unsigned int idx,
			    u64 gfn)
{
	u32 *link = hw_at(f->rmap + 4 * umbra_rmap_hash(gfn, 0, id));
	u32 me = id * 512 + idx + 1;
	struct shadow_page *sp = page_at(f, id);

	while (*link && *link != me)
		link = &page_at(f, (*link - 1) / 512)->next[(*link - 1) % 512];
	if (*link)
		*link = sp->next[idx];
}

static inline void rmap_add(struct umbra_fast *f, u32 id, unsigned int idx,
			    u64 gfn)
{
	u32 *head = hw_at(f->rmap + 4 * umbra_rmap_hash(gfn, 0, id));

	page_at(f, id)->next[idx] = *head;
	*head = id * 512 + idx + 1;
}

/* busy is held. */
static inline bool fill_locked(struct umbra_fast *f, const struct fast_leaf *leaf,
			       u64 want)
{
	struct shadow_page *sp = page_at(f, leaf->id);
	u64 *spt = spt_at(f, leaf->id), *gpt = gpt_at(f, leaf->id);
	unsigned int idx = leaf->idx;
	u64 known, perm = leaf->perm, spte;
	bool chained = false;

	if (frozen(f))
		return false;
	known = known_pte(f, leaf->gfn);
	if (!known)
		return false;
	if (!(known & V_PTE_W))
		perm &= ~V_PTE_W;
	if (!(perm & want))
		return false;
	spte = (known & ~(UMBRA_KNOWN_W | V_PTE_R)) | V_PTE_U | perm;
	if (perm & V_PTE_W)
		spte |= V_PTE_D;

	if (shadow_used(sp, idx)) {
		u64 old = spt[idx];

		/* A link; or text, which the hot table may know. */
		if (!is_leaf(old) || ((old & V_PTE_X) &&
				      ((old ^ spte) & V_PTE_PPN)))
			return false;
		/* Less than it was, or another page. */
		if ((old & V_PTE_V) &&
		    (((old ^ spte) & V_PTE_PPN) || (old & ~spte & (V_PTE_R | V_PTE_W | V_PTE_X))))
			f->unfenced = 1;
		if (sp->gpt && ((gpt[idx] ^ leaf->gpte) & V_PTE_PPN)) {
			set_probing(f, 0);
			rmap_del(f, leaf->id, idx,
				 (gpt[idx] & V_PTE_PPN) >> V_PTE_PPN_SHIFT);
		} else {
			chained = true;
		}
	}
	set_probing(f, 0);
	if (sp->gpt)
		gpt[idx] = leaf->gpte;
	sp->used[idx / 64] |= 1UL << (idx % 64);
	*(volatile u64 *)&spt[idx] = spte;
	f->changes++;
	if (!chained)
		rmap_add(f, leaf->id, idx, leaf->gfn);
	return true;
}

/* Does the guest's leaf @pte permit the access (step 5 of the walk)? */
static inline bool gpte_permits(u64 pte, u8 view, u64 want)
{
	if (view == UMBRA_VIEW_U) {
		if (!(pte & V_PTE_U))
			return false;
	} else if (pte & V_PTE_U) {
		if (view != UMBRA_VIEW_SUM || want == V_PTE_X)
			return false;
	}
	return pte & want;
}

/* The guest's leaf @pte with A and D as the access has them set (step 7). */
static inline u64 gpte_used(u64 pte, u64 want)
{
	return pte | V_PTE_A | (want == V_PTE_W ? V_PTE_D : 0);
}

/* Set them in the guest's table in frame @gfn; false if it is not simple. */
static inline bool set_ad(struct umbra_fast *f, u64 gfn, unsigned int idx,
			  u64 *pte, u64 new)
{
	u64 at = gpte_va(f, gfn, idx);
	bool stored;

	if ((table_pte(f, gfn) & UMBRA_KNOWN_W) != UMBRA_KNOWN_W)
		return false;
	/* Once: an SC that fails without a reason leaves it to fault.c. */
	stored = hw_cmpxchg_once(hw_at(at), *pte, new);
	*pte = new;
	return stored;
}

/* --- links ------------------------------------------------------------------------- */

/* As orphan_add() of shadow.c. */
static inline void orphan_add(struct umbra_fast *f, u32 id)
{
	struct shadow_page *sp = page_at(f, id);

	if (sp->role.kind != SHADOW_TABLE || sp->orphaned)
		return;
	sp->orphaned = true;
	sp->orphan_next = 0;
	if (f->orphan)
		page_at(f, f->orphan_last - 1)->orphan_next = id + 1;
	else
		f->orphan = id + 1;
	f->orphan_last = id + 1;
}

/*
 * Clear an entry, whatever it is; busy is held.  False: text that the hot table
 * may know.
 */
static __switcher bool sw_clear_entry(struct umbra_fast *f, u32 id, unsigned int idx)
{
	struct shadow_page *sp = page_at(f, id);
	u64 *entry = &spt_at(f, id)[idx];

	if (is_leaf(*entry)) {
		u64 gfn = (gpt_at(f, id)[idx] & V_PTE_PPN) >> V_PTE_PPN_SHIFT;

		/* A superpage, or a part of one: not simple. */
		if (!sp->gpt || sp->role.level ||
		    ((*entry & V_PTE_X) && !known_pte(f, gfn)))
			return false;
		rmap_del(f, id, idx, gfn);
	} else {
		if (!--page_at(f, sp->next[idx])->linked)
			orphan_add(f, sp->next[idx]);
	}
	*(volatile u64 *)entry = 0;
	sp->used[idx / 64] &= ~(1UL << (idx % 64));
	f->changes++;
	f->unfenced = 1;
	return true;
}

/*
 * As shadow_page_sync(), which says why: a table's shadow is about to be linked.
 * Between two reads of guest memory it is whole, so a fault there may leave.
 */
static inline bool sync_page(struct umbra_fast *f, u32 id)
{
	struct shadow_page *sp = page_at(f, id);
	const volatile u64 *now;

	if (!table_pte(f, sp->role.key))
		return false;
	now = hw_at(gpte_va(f, sp->role.key, 0));
	for (unsigned int idx = next_used(sp, 0); idx < 512; idx = next_used(sp, idx + 1)) {
		u64 was = gpt_at(f, id)[idx];

		if ((now[idx] != was || !is_leaf(was)) && !sw_clear_entry(f, id, idx))
			return false;
	}
	return true;
}

/* Clear all of page @id; false: not simple. */
static __switcher bool sw_empty_page(struct umbra_fast *f, u32 id)
{
	const struct shadow_page *sp = page_at(f, id);

	for (unsigned int idx = next_used(sp, 0); idx < 512; idx = next_used(sp, idx + 1))
		if (!sw_clear_entry(f, id, idx))
			return false;
	return true;
}

/* Page @id is empty and nothing links to it: it is to have another role. */
static inline void unhash(struct umbra_fast *f, u32 id)
{
	struct shadow_page *sp = page_at(f, id);
	u32 *link = hw_at(f->hash + sizeof(u32) * shadow_role_hash(&sp->role));

	while (*link != id + 1)
		link = &page_at(f, *link - 1)->hash_next;
	*link = sp->hash_next;
	sp->private = false;
	sp->parents = 0;
}

/* ... and now has it. */
static inline void hash(struct umbra_fast *f, u32 id)
{
	struct shadow_page *sp = page_at(f, id);
	u32 *head = hw_at(f->hash + sizeof(u32) * shadow_role_hash(&sp->role));

	sp->hash_next = *head;
	*head = id + 1;
}

/*
 * As page_reused() of shadow.c: id + 1 of a page to use, 0: none.  The hart may
 * remember links that were cleared: there is a fence between a page's last and its
 * new role.
 */
static __switcher u32 sw_take_orphan(struct umbra_switch *sw)
{
	struct umbra_fast *f = fast_of(sw);

	for (int tries = 0; tries < UMBRA_ORPHAN_TRIES && f->orphan; tries++) {
		u32 id = f->orphan - 1;
		struct shadow_page *sp = page_at(f, id);

		f->orphan = sp->orphan_next;
		sp->orphaned = false;
		if (sp->linked)
			continue;
		if (sw_empty_page(f, id)) {
			if (f->unfenced)
				fence_all_va(sw);
			unhash(f, id);
			return id + 1;
		}
		orphan_add(f, id);
		break;
	}
	return 0;
}

/* As shadow_page_get(), of a table.  ~0: there is none. */
static inline u32 get_page(struct umbra_switch *sw, const struct shadow_role *role)
{
	struct umbra_fast *f = fast_of(sw);
	const u32 *head = hw_at(f->hash + sizeof(u32) * shadow_role_hash(role));
	struct shadow_page *sp;
	u32 id;

	for (id = *head; id; id = sp->hash_next) {
		sp = page_at(f, id - 1);
		if (shadow_role_equal(&sp->role, role))
			return id - 1;
	}
	id = f->spare;
	if (id) {
		f->spare = page_at(f, id - 1)->hash_next;
		f->spare_nr--;
	} else {
		id = sw_take_orphan(sw);
		if (!id)
			return ~0;
	}
	page_at(f, id - 1)->role = *role;
	hash(f, id - 1);
	return id - 1;
}

/* As shadow_link(); busy is held, the entry is clear. */
static inline void link_entry(struct umbra_fast *f, u32 id, unsigned int idx, u32 to,
			      u64 gpte)
{
	struct shadow_page *sp = page_at(f, id), *child = page_at(f, to);

	if (sp->gpt)
		gpt_at(f, id)[idx] = gpte;
	sp->next[idx] = to;
	if (child->parents < 2)
		child->parents++;
	child->linked++;
	sp->used[idx / 64] |= 1UL << (idx % 64);
	*(volatile u64 *)&spt_at(f, id)[idx] = child->link;
	f->changes++;
}

enum link_result { LINK_DONE, LINK_FAULT, LINK_LEAVE };

/*
 * The page at @level on the way to @va has nothing at @idx: link the shadow of
 * the table that the guest has there, as build_path() does.
 */
static __switcher enum link_result sw_link(struct umbra_switch *sw, u64 satp, u32 id,
					   unsigned int idx, int level, u64 va)
{
	int top = (int)(satp >> V_SATP_MODE_SHIFT) - V_SATP_SV39 + 2;
	struct umbra_fast *f = fast_of(sw);
	struct shadow_page *sp = page_at(f, id);
	struct shadow_role role;
	u64 gpte = 0;
	bool ok;
	u32 to;

	/* Not an address of the guest's; or the switcher's own slot. */
	if (!satp || !umbra_va_canonical(va, top) ||
	    (!shadow_used(sp, idx) && spt_at(f, id)[idx]))
		return LINK_LEAVE;
	role.kind = SHADOW_TABLE;
	role.level = level - 1;
	role.view = sp->role.view;
	role.access = 0;
	role.half = 0;
	if (sp->gpt) {
		if (!read_gpte(f, shadow_table_gfn(&sp->role), idx, &gpte))
			return LINK_LEAVE;
		if (!(gpte & V_PTE_V))
			return LINK_FAULT;
		if (is_leaf(gpte) || (gpte & (V_PTE_RESERVED | V_PTE_A | V_PTE_D | V_PTE_U)))
			return LINK_LEAVE;
		role.key = (gpte & V_PTE_PPN) >> V_PTE_PPN_SHIFT;
	} else {
		if (level - 1 != top)
			return LINK_LEAVE;
		role.key = satp & V_SATP_PPN;
		role.half = SHADOW_LOWER + (va >> 63);
	}
	if (!table_pte(f, role.key) || !fast_trylock(f))
		return LINK_LEAVE;
	to = get_page(sw, &role);
	ok = to != ~0U && sync_page(f, to) &&
	     (!shadow_used(sp, idx) || sw_clear_entry(f, id, idx));
	if (ok) {
		link_entry(f, id, idx, to, gpte);
		f->links++;
	}
	fast_unlock(f);
	return ok ? LINK_DONE : LINK_LEAVE;
}

/*
 * As mark_path() of fault.c: @path leads to a mapping without G, or is about to.
 * Not if other paths may lead to a page that is not private yet: fault.c's.
 */
static inline bool may_mark(const struct umbra_fast *f, const u32 *path, int n)
{
	for (int i = 0; i < n; i++)
		if (!page_at(f, path[i])->private && page_at(f, path[i])->parents > 1)
			return false;
	return true;
}

static inline void mark_private(struct umbra_fast *f, const u32 *path, int n)
{
	while (n--)
		page_at(f, path[n])->private = true;
}

/* Go on @bytes behind the instruction that trapped. */
static inline void done(struct umbra_switch *sw, unsigned int bytes)
{
	hw_csr_set(sepc, sw->cpu.pc + bytes);
}

/* --- a UART ------------------------------------------------------------------------ */

/* Do the bytes at @site still say what they said? */
static inline bool post_same(const struct umbra_fast *f, const struct umbra_post_site *site)
{
	const volatile u16 *half = hw_at(f->guest + site->text);

	if (!*(volatile u64 *)hw_at(f->known + 8 * (site->text >> 12)))
		return false;
	return half[0] == (u16)site->raw &&
	       (site->len == 2 || half[1] == site->raw >> 16);
}

/* The fault is an access to LSR or THR that needs no more: answer it. */
static inline bool post_access(struct umbra_switch *sw, struct umbra_fast *f)
{
	const struct umbra_post_site *site =
		&f->post[umbra_post_hash(sw->cpu.pc, sw->exit_scause == V_EXC_STORE_PAGE)];
	struct umbra_vm_page *vm = hw_at(f->vm);
	struct umbra_post *post = &vm->post;
	bool ok;

	if (site->cause != sw->exit_scause || site->pc != sw->cpu.pc ||
	    site->gva != sw->exit_stval || site->changes != f->changes ||
	    site->fences != f->log_nr || site->space != f->now ||
	    sw->cpu.priv != UMBRA_PRIV_S ||
	    site->view != (sw->cpu.sstatus & (V_SUM | V_MXR)) ||
	    site->gva != sw->cpu.gpr[site->base] + site->imm || !post_same(f, site))
		return false;
	/* From here on nothing can fault. */
	if (hw_swap_acquire(&post->busy, 1))
		return false;
	ok = post->lsr;
	if (ok && site->cause == V_EXC_LOAD_PAGE) {
		if (site->data)
			sw->cpu.gpr[site->data] = post->lsr;
	} else if (ok) {
		ok = post->nr < post->room;
		if (ok)
			post->byte[post->nr++] = sw->cpu.gpr[site->data];
	}
	hw_clear_release(&post->busy);
	if (!ok)
		return false;
	set_probing(f, 0);
	f->posts++;
	done(sw, site->len);
	return true;
}

/* --- page faults ------------------------------------------------------------------- */

/*
 * Down the shadow towards @va from the root, @path[0], as far as it is linked.
 * Returns how many pages that are; @level: in, of the root; out, of the last.
 */
static inline int descend(const struct umbra_fast *f, u64 va, u32 *path, int *level)
{
	unsigned int shift = 12 + 9 * *level;
	u32 id = path[0];
	int n = 1;

	/* One that is not used may be the switcher's own, in a root. */
	if (!shadow_used(page_at(f, id), va >> shift & 511))
		return n;
	for (; *level; --*level, shift -= 9) {
		unsigned int idx = va >> shift & 511;
		u64 entry = spt_at(f, id)[idx];

		if (!(entry & V_PTE_V) || is_leaf(entry))
			break;
		id = page_at(f, id)->next[idx];
		path[n++] = id;
	}
	return n;
}

/*
 * Do the guest's tables lead along @path, as far as it fenced?  Fences of one ASID
 * leave the links to pages that are not private, where only global mappings may be
 * found: the guest may have put another table there.  What is above a private page
 * is private.
 */
static inline bool path_holds(const struct umbra_fast *f, const u32 *path, int n)
{
	for (; --n && !page_at(f, path[n])->private;)
		if (page_at(f, path[n - 1])->gpt)
			return false;
	return true;
}

/*
 * U-mode or S-mode met a page fault.  sw->exit_* and cpu->pc tell which.
 */
__switcher u64 umbra_sw_fault(struct umbra_switch *sw)
{
	struct umbra_fast *f = fast_of(sw);
	u64 va = sw->exit_stval, cause = sw->exit_scause;
	u32 path[UMBRA_MAX_LEVELS];
	struct umbra_space *space;
	struct fast_leaf leaf;
	struct shadow_page *sp;
	u64 want, entry, used;
	bool ok, sure;
	int level, n;
	u8 view;

	set_probing(f, 1);
	if (f->now == UMBRA_NO_SPACE || sw->cpu.priv == UMBRA_PRIV_M)
		return SW_LEAVE;
	if (post_access(sw, f))
		return SW_RESUME;
	space = &f->spaces[f->now];
	level = f->levels - 1;
	if (space->mxr || !umbra_va_canonical(va, level))
		return SW_LEAVE;
	want = cause == V_EXC_LOAD_PAGE ? V_PTE_R :
	       cause == V_EXC_STORE_PAGE ? V_PTE_W : V_PTE_X;
	view = sw->cpu.priv == UMBRA_PRIV_U ? UMBRA_VIEW_U :
	       sw->cpu.sstatus & V_SUM ? UMBRA_VIEW_SUM : UMBRA_VIEW_S;
	path[0] = space->root[view];
	n = descend(f, va, path, &level);
	sure = path_holds(f, path, n);

	/* Where the shadow ends, down the guest's tables. */
	for (;; level--) {
		enum link_result ret;

		leaf.id = path[n - 1];
		leaf.idx = umbra_va_index(va, level);
		sp = page_at(f, leaf.id);
		entry = shadow_used(sp, leaf.idx) ? spt_at(f, leaf.id)[leaf.idx] : 0;
		if (!level || (entry & V_PTE_V) || sp->role.kind == SHADOW_DIRECT)
			break;
		/* What is linked may be private. */
		if (!sure || (!sp->private && !may_mark(f, path, n)))
			return SW_LEAVE;
		ret = sw_link(sw, space->satp, leaf.id, leaf.idx, level, va);
		if (ret == LINK_FAULT)
			return sw_reflect(sw, cause, va);
		if (ret == LINK_LEAVE)
			return SW_LEAVE;
		/* It has no links yet. */
		if (page_at(f, sp->next[leaf.idx])->private)
			mark_private(f, path, n);
		path[n++] = sp->next[leaf.idx];
	}
	if ((entry & V_PTE_V) && (entry & want)) {
		f->spurious++;
		fence_va(sw, va);
		return SW_RESUME;
	}

	leaf.gpte = 0;
	if (sp->role.kind == SHADOW_DIRECT) {
		leaf.gfn = sp->role.key + leaf.idx;
		leaf.perm = sp->role.access;
		if (level || !(leaf.perm & want))
			return SW_LEAVE;
	} else {
		if (sp->role.kind != SHADOW_TABLE ||
		    !read_gpte(f, sp->role.key, leaf.idx, &leaf.gpte))
			return SW_LEAVE;
		/* By way of an old table global mappings may be used, no more. */
		if (!sure && (~leaf.gpte & (V_PTE_V | V_PTE_G)))
			return SW_LEAVE;
		/*
		 * Also where the guest's kernel has to make a mapping yet, of a user's
		 * address: it is private, and then the next fault finds a sure way.
		 */
		if (!(leaf.gpte & V_PTE_G) && !sp->private) {
			if (!may_mark(f, path, n))
				return SW_LEAVE;
			if ((leaf.gpte & V_PTE_V) || !(va >> 63))
				mark_private(f, path, n);
		}
		if (!(leaf.gpte & V_PTE_V))
			return sw_reflect(sw, cause, va);
		/* What is odd or large is for fault.c. */
		if (level || !is_leaf(leaf.gpte) ||
		    (leaf.gpte & V_PTE_RESERVED) ||
		    (leaf.gpte & (V_PTE_R | V_PTE_W)) == V_PTE_W)
			return SW_LEAVE;
		used = gpte_used(leaf.gpte, want);
		/* Svade: the guest's kernel sets A and D. */
		if (!gpte_permits(leaf.gpte, view, want) || (used != leaf.gpte && !f->adue))
			return sure ? sw_reflect(sw, cause, va) : SW_LEAVE;
		if (used != leaf.gpte && !set_ad(f, sp->role.key, leaf.idx, &leaf.gpte, used))
			return SW_LEAVE;
		leaf.gfn = (leaf.gpte & V_PTE_PPN) >> V_PTE_PPN_SHIFT;
		leaf.perm = leaf.gpte & (V_PTE_R | V_PTE_W | V_PTE_X);
		if (!(leaf.gpte & V_PTE_D))
			leaf.perm &= ~V_PTE_W;
		if (view == UMBRA_VIEW_SUM && (leaf.gpte & V_PTE_U))
			leaf.perm &= ~V_PTE_X;
	}
	if (!fast_trylock(f))
		return SW_LEAVE;
	ok = fill_locked(f, &leaf, want);
	fast_unlock(f);
	if (!ok)
		return SW_LEAVE;
	f->fills++;
	fence_va(sw, va);
	return SW_RESUME;
}

/* --- fences ---------------------------------------------------------------------------- */

/*
 * Take back entry @idx, because the guest's differs; busy is held.  False: it
 * is text that may hold sites, which the hot table has to forget (of a frame
 * that is known none are written).
 */
static inline bool take_back(struct umbra_fast *f, u32 id, unsigned int idx)
{
	u64 *entry = &spt_at(f, id)[idx];

	if (*entry & V_PTE_X) {
		u64 gfn = (gpt_at(f, id)[idx] & V_PTE_PPN) >> V_PTE_PPN_SHIFT;

		if (page_at(f, id)->role.level || !known_pte(f, gfn))
			return false;
	}
	*(volatile u64 *)entry &= ~V_PTE_V;
	f->changes++;
	f->unfenced = 1;
	return true;
}

/*
 * Compare the path to @va under one root with the guest's tables; busy is
 * held.  False: this is not simple.
 */
static inline bool fence_root(struct umbra_fast *f, u32 id, u64 va)
{
	for (int level = f->levels - 1;; level--) {
		struct shadow_page *sp = page_at(f, id);
		unsigned int idx = umbra_va_index(va, level);
		u64 entry = spt_at(f, id)[idx], now;

		if (!shadow_used(sp, idx) || !(entry & V_PTE_V))
			return true;
		if (sp->gpt) {
			if (!read_gpte(f, shadow_table_gfn(&sp->role), idx, &now))
				return false;
			if (now != gpt_at(f, id)[idx])
				return take_back(f, id, idx);
		}
		if (is_leaf(entry))
			return true;
		id = sp->next[idx];
	}
}

static inline bool fence_space(struct umbra_fast *f, struct umbra_space *space,
			       u64 va)
{
	for (int view = 0; view < UMBRA_VIEWS; view++)
		if (space->hw[view] && !fence_root(f, space->root[view], va))
			return false;
	return true;
}

/* Where sw_compare_root() is on its way through one page. */
struct fast_place {
	u32 id;
	unsigned int word;	/* of sp->used */
	u64 bits;		/* of it, still to be looked at */
};

/* Entries that a fence of all addresses may look at before it is fence.c's. */
#define COMPARE_BUDGET	4096
/*
 * What a kernel that does nothing but full fences touches between two of them is
 * little, what it has ever touched is much: a shadow that is expensive to compare
 * again and again is emptied (fence.c) and fills with what is in use.  What a
 * fence compares over CHEAP adds up to it; in a list it costs a quarter.
 */
#define COMPARE_CHEAP	16
#define QUICK_SHARE	4

static inline void add_compared(struct umbra_space *space, u32 nr, u32 share)
{
	if (nr > COMPARE_CHEAP)
		space->compared += (nr - COMPARE_CHEAP) / share;
}

/*
 * The guest's entry at @at is as the shadow has it; if it does not change ...
 * No @q: that is not asked.
 */
static inline void quick_add(struct umbra_quick *q, u64 at, u64 then)
{
	if (!q)
		return;
	if (q->nr < UMBRA_QUICK_ENTRIES) {
		q->entry[q->nr].at = at;
		q->entry[q->nr].then = then;
	}
	q->nr++;
}

/*
 * ... and nothing in the shadow did since the last fence, that is all there is to
 * look at, in most cases.
 */
static inline bool quick_same(const struct umbra_fast *f, const struct umbra_quick *q,
			      u32 space)
{
	if (q->changes != f->changes || q->space != space || q->nr > UMBRA_QUICK_ENTRIES)
		return false;
	for (u32 n = 0; n < q->nr; n++)
		if (*(volatile u64 *)hw_at(q->entry[n].at) != q->entry[n].then)
			return false;
	return true;
}

/*
 * Compare the leaves of page @id with the guest's table, most of what such a
 * fence does.  busy is held.  False: this is not simple.
 */
static inline bool compare_leaves(struct umbra_fast *f, u32 id, struct umbra_quick *q,
				  unsigned int *budget)
{
	const struct shadow_page *sp = page_at(f, id);
	u64 gfn = shadow_table_gfn(&sp->role);
	u64 at = gpte_va(f, gfn, 0);
	const u64 *now = hw_at(at);
	const u64 *then = gpt_at(f, id);
	const u64 *spt = spt_at(f, id);
	unsigned int seen = 0;

	if (!table_pte(f, gfn))
		return false;
	for (unsigned int word = 0; word < ARRAY_SIZE(sp->used); word++) {
		u64 bits = sp->used[word];

		for (unsigned int idx = word * 64; bits; idx++, bits >>= 1) {
			for (; !(bits & 0xff); bits >>= 8)
				idx += 8;
			if (!(bits & 1))
				continue;
			seen++;
			if (((volatile const u64 *)now)[idx] == then[idx]) {
				quick_add(q, at + 8 * idx, then[idx]);
				continue;
			}
			if ((spt[idx] & V_PTE_V) && !take_back(f, id, idx))
				return false;
		}
	}
	*budget -= seen < *budget ? seen : *budget;
	return true;
}

/*
 * Compare everything below one root with the guest's tables; pages that hold
 * only global mappings if @global.  busy is held.  False: this is not simple.
 */
static __switcher bool sw_compare_root(struct umbra_fast *f, u32 root, bool global,
				       struct umbra_quick *q, unsigned int *budget)
{
	struct fast_place way[UMBRA_MAX_LEVELS], at = { .id = root };
	const struct shadow_page *sp = page_at(f, root);
	unsigned int depth = 0;
	u64 table = 0;		/* 0: not looked up since it is this page */

	at.bits = sp->used[0];
	for (;;) {
		unsigned int idx;
		u64 entry, now;
		u32 child;

		while (!at.bits) {
			if (++at.word < ARRAY_SIZE(sp->used)) {
				at.bits = sp->used[at.word];
				continue;
			}
			if (!depth)
				return true;
			at = way[--depth];
			sp = page_at(f, at.id);
			table = 0;
		}
		/* The lowest bit: no library function may be called here. */
		for (idx = at.word * 64; !(at.bits >> (idx % 64) & 0xff);)
			idx += 8;
		while (!(at.bits >> (idx % 64) & 1))
			idx++;
		at.bits &= at.bits - 1;

		entry = spt_at(f, at.id)[idx];
		if (!(entry & V_PTE_V))
			continue;
		if (!*budget)
			return false;
		--*budget;
		if (sp->gpt) {
			if (!table) {
				u64 gfn = shadow_table_gfn(&sp->role);

				if (!table_pte(f, gfn))
					return false;
				table = gpte_va(f, gfn, 0);
			}
			now = *(volatile u64 *)hw_at(table + 8 * idx);
			if (now != gpt_at(f, at.id)[idx]) {
				if (!take_back(f, at.id, idx))
					return false;
				continue;
			}
			quick_add(q, table + 8 * idx, now);
		}
		if (is_leaf(entry))
			continue;
		child = sp->next[idx];
		if (page_at(f, child)->role.kind == SHADOW_DIRECT ||
		    (!global && !page_at(f, child)->private))
			continue;
		if (!page_at(f, child)->role.level) {
			if (!compare_leaves(f, child, q, budget))
				return false;
			continue;
		}
		way[depth++] = at;
		sp = page_at(f, child);
		at.id = child;
		at.word = 0;
		at.bits = sp->used[0];
		table = 0;
	}
}

static inline bool fence_all(struct umbra_fast *f, struct umbra_space *space,
			     bool global)
{
	u32 nr = space - f->spaces;
	struct umbra_quick *q = &f->quick[nr % UMBRA_QUICKS];
	unsigned int budget = COMPARE_BUDGET;
	bool ok = true;

	if (global && space->compared > UMBRA_COMPARE_ENOUGH)
		return false;
	if (quick_same(f, q, nr)) {
		add_compared(space, q->nr, QUICK_SHARE);
		return true;
	}
	/* What it lists holds until something changes. */
	if (!global)
		q = NULL;
	else
		q->nr = 0;
	for (int view = 0; ok && view < UMBRA_VIEWS; view++)
		if (space->hw[view])
			ok = sw_compare_root(f, space->root[view], global, q, &budget);
	if (!global)
		return ok;
	add_compared(space, COMPARE_BUDGET - budget, 1);
	if (!ok)
		q->nr = UMBRA_QUICK_ENTRIES + 1;
	q->space = nr;
	q->changes = f->changes;
	return ok;
}

static __switcher bool sw_apply(struct umbra_fast *f, struct umbra_space *space,
				const struct umbra_logged_fence *fence)
{
	if (!umbra_fence_hits(fence, space->satp))
		return true;
	if (fence->all_va)
		return fence_all(f, space, fence->all_asid);
	return fence_space(f, space, fence->va);
}

/* Has @space missed a fence of everything, or too many of any kind? */
static inline bool missed_all(const struct umbra_fast *f, const struct umbra_space *space)
{
	if (f->log_nr - space->seen > UMBRA_FENCE_LOG)
		return true;
	for (u64 n = space->seen; n != f->log_nr; n++) {
		const struct umbra_logged_fence *fence = &f->log[n % UMBRA_FENCE_LOG];

		if (fence->all_va && fence->all_asid)
			return true;
	}
	return false;
}

/* Bring a space up to date with the log; busy is held. */
static inline bool replay(struct umbra_fast *f, struct umbra_space *space)
{
	/* One comparison with memory as it is now stands for all of them. */
	if (missed_all(f, space)) {
		if (!fence_all(f, space, true))
			return false;
		space->seen = f->log_nr;
	}
	for (; space->seen != f->log_nr; space->seen++)
		if (!sw_apply(f, space, &f->log[space->seen % UMBRA_FENCE_LOG]))
			return false;
	return true;
}

static inline void log_fence(struct umbra_switch *sw, u64 rs1, u64 rs2)
{
	struct umbra_fast *f = fast_of(sw);
	struct umbra_logged_fence *fence = &f->log[f->log_nr++ % UMBRA_FENCE_LOG];

	fence->va = sw->cpu.gpr[rs1];
	fence->asid = sw->cpu.gpr[rs2] & V_SATP_ASID_MASK;
	fence->all_va = !rs1;
	fence->all_asid = !rs2;
}

/* --- satp --------------------------------------------------------------------------------- */

/* What stands at @pc in the address space with this salt, if it is hot. */
static inline const struct umbra_hot *hot_at(struct umbra_switch *sw, u64 pc, u64 salt)
{
	const struct umbra_hot *table = (void *)sw + SW_SIZE;
	u64 tag = pc ^ salt;
	const struct umbra_hot *hot = &table[umbra_hot_index(tag, false)];

	if (hot->tag == tag)
		return hot;
	hot = &table[umbra_hot_index(tag, true)];
	return hot->tag == tag ? hot : NULL;
}

/* The instruction after @pc, where it is hot and of this kind; one page, as ever. */
static inline const struct umbra_hot *hot_after(struct umbra_switch *sw, u64 pc, u64 salt,
						enum umbra_hot_kind kind)
{
	const struct umbra_hot *hot;

	if (((pc + 4) ^ pc) >> 12)
		return NULL;
	hot = hot_at(sw, pc + 4, salt);
	return hot && umbra_hot_is(hot, kind) ? hot : NULL;
}

/* Empty the roots of @space; busy is held.  False: not simple, it stays what it is. */
static inline bool empty_roots(struct umbra_fast *f, const struct umbra_space *space)
{
	for (int view = 0; view < UMBRA_VIEWS; view++) {
		u32 id = space->root[view];
		const struct shadow_page *sp = page_at(f, id);

		for (unsigned int idx = next_used(sp, 0); idx < 512;
		     idx = next_used(sp, idx + 1))
			/* Of this space alone, too. */
			if (!is_leaf(spt_at(f, id)[idx]) &&
			    page_at(f, sp->next[idx])->role.kind == SHADOW_GLUE)
				return false;
		if (!sw_empty_page(f, id))
			return false;
	}
	return true;
}

/*
 * As adopt_global() of shadow.c: roots @from, of the space in use, and @to, of a
 * new one.  What is not simple is found out fault by fault.
 */
static __switcher void sw_adopt_global(struct umbra_switch *sw, u32 from, u32 to,
				       u64 satp)
{
	int top = (int)(satp >> V_SATP_MODE_SHIFT) - V_SATP_SV39 + 2;
	struct umbra_fast *f = fast_of(sw);
	const struct shadow_page *sp = page_at(f, from);

	if (f->levels - 1 > top) {
		if (f->levels - 2 > top || !shadow_used(sp, 511) ||
		    !(spt_at(f, from)[511] & V_PTE_V) ||
		    sw_link(sw, satp, to, 511, f->levels - 1, ~0ULL) != LINK_DONE)
			return;
		from = sp->next[511];
		sp = page_at(f, from);
		/* The guest's root may be that of another ASID, too, and be filled. */
		if (page_at(f, page_at(f, to)->next[511])->private)
			page_at(f, to)->private = true;
		to = page_at(f, to)->next[511];
	}
	if (!fast_trylock(f))
		return;
	for (unsigned int idx = next_used(sp, 256); idx < 512; idx = next_used(sp, idx + 1)) {
		u64 entry = spt_at(f, from)[idx], gpte;

		if (!(entry & V_PTE_V) || is_leaf(entry) ||
		    page_at(f, sp->next[idx])->private || shadow_used(page_at(f, to), idx))
			continue;
		if (read_gpte(f, satp & V_SATP_PPN, idx, &gpte) && gpte == gpt_at(f, from)[idx])
			link_entry(f, to, idx, sp->next[idx], gpte);
	}
	fast_unlock(f);
}

/*
 * The space of @satp, if there is one; else the one used longest ago becomes it, as
 * in space_make() of shadow.c.  Its index, or UMBRA_SPACES: not simple.  The
 * space in use is up to date.
 */
static __switcher unsigned int sw_make_space(struct umbra_switch *sw, u64 satp)
{
	struct umbra_fast *f = fast_of(sw);
	const struct umbra_space *now = &f->spaces[f->now];
	struct umbra_space *space = NULL;
	bool ok;

	for (unsigned int i = 0; i < UMBRA_SPACES; i++) {
		struct umbra_space *s = &f->spaces[i];

		if (s->satp == satp && !s->mxr) {
			f->hint[umbra_space_hint(satp)] = i;
			return i;
		}
		/* Free ones have the oldest clock of all. */
		if (s != now && (!space || s->used < space->used))
			space = s;
	}
	/* A root of another mode is of another make. */
	if (!space || space->mxr || (space->satp ^ satp) >> V_SATP_MODE_SHIFT)
		return UMBRA_SPACES;
	for (int view = 0; view < UMBRA_VIEWS; view++)
		if (!space->hw[view])
			return UMBRA_SPACES;
	if (!fast_trylock(f))
		return UMBRA_SPACES;
	ok = empty_roots(f, space);
	for (int view = 0; ok && view < UMBRA_VIEWS; view++) {
		unhash(f, space->root[view]);
		page_at(f, space->root[view])->role.key = satp;
		hash(f, space->root[view]);
	}
	if (ok) {
		sw->hot_changes++;
		space->satp = satp;
		space->seen = f->log_nr;
		space->flips = f->flips;
		space->salt_s = 0;
		f->changes++;
		f->hint[umbra_space_hint(satp)] = space - f->spaces;
	}
	fast_unlock(f);
	if (!ok)
		return UMBRA_SPACES;
	/* It is whole, if empty: whatever reads memory may leave. */
	for (int view = 0; now->flips == f->flips && view < UMBRA_VIEWS; view++)
		if (view != UMBRA_VIEW_U && now->hw[view])
			sw_adopt_global(sw, now->root[view], space->root[view], satp);
	return space - f->spaces;
}

/* The root of @space for S-mode as it is now; 0: it has none yet. */
static inline u64 root_for_s(const struct umbra_switch *sw, const struct umbra_space *space)
{
	return space->hw[sw->cpu.sstatus & V_SUM ? UMBRA_VIEW_SUM : UMBRA_VIEW_S];
}

/* @to, which is up to date, is in use; the space before was when the log had @seen. */
static inline void use_space(struct umbra_switch *sw, struct umbra_fast *f, u32 to, u64 seen)
{
	struct umbra_space *space = &f->spaces[to];
	u64 hw;

	OPTIMIZER_HIDE_VAR(space);
	hw = root_for_s(sw, space);
	if (to != f->now) {
		f->spaces[f->now].seen = seen;
		f->now = to;
	}
	space->used = ++f->clock;
	f->satps++;
	sw->root_u = space->hw[UMBRA_VIEW_U];
	sw->root_s = space->hw[UMBRA_VIEW_S];
	sw->root_sum = space->hw[UMBRA_VIEW_SUM];
	/* 0: ecalls are not for S-mode. */
	if (sw->root_priv_s)
		sw->root_priv_s = hw;
	sw->salt_s = space->salt_s;
	sw->salt = space->salt_s;
	sw->vec_s = space->salt_s ? sw->vec_salted : sw->vec_shared;
	sw->trap_va = sw->vec_s;
	sw->cpu.satp = space->satp;
	set_satp(sw, hw);
	if (f->unfenced)
		fence_all_va(sw);
}

/*
 * csrw satp of @satp at @pc, to a space that is at hand, or new.  A fence before it, at
 * cpu.pc, is in the log already; @seen is how long that was before.  @reg: if that was
 * one of everything, the register of @satp; else 0.
 *
 * Without ASIDs a kernel fences on both sides of the write (xv6 does so twice
 * in each trap from U-mode): the three are done as one.  Nothing of the guest
 * executes in between, so one comparison of the new space serves both fences, and
 * the old one catches up when it is next in use.
 */
static __switcher u64 sw_switch_space(struct umbra_switch *sw, u64 pc, u64 satp, u64 seen,
				      u8 reg)
{
	struct umbra_fast *f = fast_of(sw);
	unsigned int i = f->hint[umbra_space_hint(satp)];
	const struct umbra_hot *fence;
	struct umbra_space *space;
	bool ok;

	if (!satp || f->spaces[f->now].mxr || (satp ^ sw->cpu.satp) >> V_SATP_MODE_SHIFT)
		return SW_LEAVE;
	if (i >= UMBRA_SPACES || f->spaces[i].satp != satp || f->spaces[i].mxr) {
		/* After a fence the space in use is not up to date. */
		i = seen == f->log_nr ? sw_make_space(sw, satp) : UMBRA_SPACES;
		if (i >= UMBRA_SPACES)
			return SW_LEAVE;
	}
	space = &f->spaces[i];
	/* Of another number: it is to be emptied, see mark_path(). */
	if (!root_for_s(sw, space) || space->flips != f->flips)
		return SW_LEAVE;
	if (i == f->now)
		space->seen = seen;
	fence = hot_after(sw, pc, space->salt_s, UMBRA_HOT_FENCE);
	if (fence)
		log_fence(sw, umbra_hot_regs(fence) & 31, umbra_hot_regs(fence) >> 5);
	if (!fast_trylock(f))
		return SW_LEAVE;
	ok = replay(f, space);
	fast_unlock(f);
	if (!ok)
		return SW_LEAVE;
	set_probing(f, 0);
	if (fence && !umbra_hot_regs(fence) && reg)
		f->way[f->now] = (struct umbra_way) {
			.pc = sw->cpu.pc, .hot_changes = sw->hot_changes, .to = i, .reg = reg,
		};
	use_space(sw, f, i, seen);
	if (fence) {
		f->fences++;
		pc += 4;
	}
	done(sw, pc + 4 - sw->cpu.pc);
	return SW_RESUME;
}

/*
 * The fence at cpu.pc is the first of three instructions that left this space for
 * another, and nothing is different now: they do so again, once the list of what the
 * other was made from has been looked through.  No shadow page is touched, so this takes
 * no lock: who takes something away meanwhile has to wait until the hart has left the
 * guest anyhow, and might as well have come after it.
 */
static __switcher bool sw_go_way(struct umbra_switch *sw)
{
	struct umbra_fast *f = fast_of(sw);
	const struct umbra_quick *q;
	const struct umbra_way *way;
	struct umbra_space *space;
	u32 to;

	set_probing(f, 1);
	if (f->now == UMBRA_NO_SPACE)
		return false;
	way = &f->way[f->now];
	to = way->to;
	space = &f->spaces[to];
	q = &f->quick[to % UMBRA_QUICKS];
	OPTIMIZER_HIDE_VAR(space);	/* as in fast_of() */
	OPTIMIZER_HIDE_VAR(q);
	if (way->pc != sw->cpu.pc || way->hot_changes != sw->hot_changes ||
	    sw->cpu.gpr[way->reg] != space->satp || space->flips != f->flips ||
	    space->mxr || f->spaces[f->now].mxr || !root_for_s(sw, space) ||
	    space->compared > UMBRA_COMPARE_ENOUGH || !quick_same(f, q, to))
		return false;
	set_probing(f, 0);
	add_compared(space, q->nr, QUICK_SHARE);
	/* One of everything is as good as two. */
	log_fence(sw, 0, 0);
	use_space(sw, f, to, f->log_nr - 1);
	f->fences += 2;
	done(sw, 12);
	return true;
}

/* csrw satp */
__switcher u64 umbra_sw_satp(struct umbra_switch *sw, u64 satp)
{
	struct umbra_fast *f = fast_of(sw);

	set_probing(f, 1);
	if (f->now == UMBRA_NO_SPACE)
		return SW_LEAVE;
	return sw_switch_space(sw, sw->cpu.pc, satp, f->log_nr, 0);
}

static __switcher u64 sw_fence(struct umbra_switch *sw, u64 rs1, u64 rs2)
{
	struct umbra_fast *f = fast_of(sw);
	const struct umbra_hot *satp;
	struct umbra_space *space;
	u64 seen = f->log_nr;
	bool ok;

	set_probing(f, 1);
	if (f->now == UMBRA_NO_SPACE)
		return SW_LEAVE;
	log_fence(sw, rs1, rs2);
	satp = hot_after(sw, sw->cpu.pc, sw->salt, UMBRA_HOT_SATP);
	if (satp) {
		unsigned int reg = umbra_hot_regs(satp);

		if (sw_switch_space(sw, sw->cpu.pc + 4, sw->cpu.gpr[reg], seen,
				    rs1 | rs2 ? 0 : reg) == SW_RESUME) {
			f->fences++;
			return SW_RESUME;
		}
	}
	/* What was logged for a run that did not come about is one fence too many. */
	space = &f->spaces[f->now];
	if (!fast_trylock(f))
		return SW_LEAVE;
	ok = sw_apply(f, space, &f->log[seen % UMBRA_FENCE_LOG]);
	fast_unlock(f);
	if (!ok)
		return SW_LEAVE;
	f->fences++;
	if (rs1)
		fence_va(sw, sw->cpu.gpr[rs1]);
	else if (umbra_fence_hits(&f->log[seen % UMBRA_FENCE_LOG], space->satp) &&
		 (!sw->asids || f->unfenced))
		fence_all_va(sw);
	done(sw, 4);
	return SW_RESUME;
}

/*
 * sfence.vma or sinval.vma: @rs1 and @rs2 are register numbers.
 */
__switcher u64 umbra_sw_fence(struct umbra_switch *sw, u64 rs1, u64 rs2)
{
	if (rs1 | rs2)
		return sw_fence(sw, rs1, rs2);
	return sw_go_way(sw) ? SW_RESUME : sw_fence(sw, 0, 0);
}
