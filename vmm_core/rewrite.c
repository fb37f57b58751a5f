// SPDX-License-Identifier: GPL-2.0
/*
 * Rewriting; see rewrite.h for what it is and for its invariants.
 *
 * Called by the run loop (to add and to look up), by access.c and shadow_mmu
 * (to keep the guest from seeing it) and by the MMU notifier (to put the
 * originals back, in a context that may not sleep; hence the raw spinlock).
 */
#include <linux/cacheflush.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "trace.h"
#include "vmm.h"

/*
 * Emulated accesses to one page before its text is put back as it was.  One that
 * clears counts for more: the page is going to be something else.
 */
#define READS_MAX	4096
#define CLEAR_PRICE	64
/* Pages a VM may have rewritten; a guest does not grow this without bound. */
#define PAGES_MAX	4096
#define SITES_PER_PAGE	1024
/* Traps on a page that could not be rewritten before it is tried again. */
#define REFUSED_TRAPS	4096

void umbra_sites_init(struct umbra_sites *sites)
{
	mutex_init(&sites->add_lock);
	raw_spin_lock_init(&sites->lock);
	seqcount_init(&sites->seq);
	xa_init_flags(&sites->pages, 0);
}

/*
 * User-level CSRs are not: fcsr or vlenb trapped because FS or VS was off, and
 * work natively once it is on.  Counters are, since Umbra answers them.
 */
static bool csr_wanted(u16 csr)
{
	return (csr & 0x300) || (csr >= VCSR_CYCLE && csr <= VCSR_HPMCOUNTER31);
}

bool umbra_site_wanted(const struct umbra_insn *insn)
{
	if (insn->len != 4)
		return false;
	switch (insn->op) {
	case UMBRA_OP_CSRRW ... UMBRA_OP_CSRRCI:
		return csr_wanted(insn->csr);
	case UMBRA_OP_SRET:
	case UMBRA_OP_MRET:
	case UMBRA_OP_WFI:
	case UMBRA_OP_SFENCE_VMA:
	case UMBRA_OP_SINVAL_VMA:
	case UMBRA_OP_SFENCE_W_INVAL:
	case UMBRA_OP_SFENCE_INVAL_IR:
		return true;
	}
	return false;
}

/*
 * Whoever changes sites or the bytes at them.  Readers of guest memory compare
 * the sequence, so that they never pair bytes from before a change with sites
 * from after it (umbra_gpa_read()).
 */
static unsigned long sites_write_lock(struct umbra_vm *vm) __acquires(&vm->sites.lock)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&vm->sites.lock, flags);
	raw_write_seqcount_begin(&vm->sites.seq);
	return flags;
}

static void sites_write_unlock(struct umbra_vm *vm, unsigned long flags)
	__releases(&vm->sites.lock)
{
	raw_write_seqcount_end(&vm->sites.seq);
	raw_spin_unlock_irqrestore(&vm->sites.lock, flags);
}

static struct umbra_site_page *find_page(struct umbra_vm *vm, u64 gfn)
{
	return xa_load(&vm->sites.pages, gfn);
}

static u16 *host_half(const struct umbra_site_page *page, unsigned int offset)
{
	return pfn_to_kaddr(page->pfn) + offset;
}

static struct umbra_site *find_site(const struct umbra_site_page *page,
				    unsigned int offset)
{
	for (unsigned int i = 0; i < page->nr; i++)
		if (page->site[i].offset == offset)
			return &page->site[i];
	return NULL;
}

/* Put the original back, unless someone else wrote there meanwhile. */
static void unwrite(struct umbra_site_page *page, const struct umbra_site *site)
{
	u16 *half = host_half(page, site->offset);

	if (READ_ONCE(*half) == UMBRA_C_EBREAK)
		WRITE_ONCE(*half, (u16)site->raw);
}

/* Memory changes back: whoever copied it with the sites must copy it again. */
static void page_restore(struct umbra_vm *vm, struct umbra_site_page *page)
{
	if (!page->active)
		return;
	for (unsigned int i = 0; i < page->nr; i++)
		unwrite(page, &page->site[i]);
	if (page->written)
		umbra_mark_dirty(vm, page->gfn);
	page->active = false;
	page->written = false;
}

/* Hot entries may name sites that are gone: every vCPU drops its table. */
static void forget_everywhere(struct umbra_vm *vm, bool wait)
{
	for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus); i++) {
		WRITE_ONCE(vm->vcpu_list[i]->mmu.forget, true);
		WRITE_ONCE(vm->vcpu_list[i]->fence_i, true);
		if (wait)
			umbra_vcpu_kick_wait(vm->vcpu_list[i]);
	}
}

static void zap_everywhere(struct umbra_vm *vm, u64 gfn)
{
	unsigned long first = 0, last = ~0UL;
	struct umbra_memslot *slot;
	int srcu;

	srcu = srcu_read_lock(&vm->slots_srcu);
	slot = umbra_memslot_find(vm, gfn);
	if (slot) {
		first = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
		last = first + PAGE_SIZE - 1;
	}
	srcu_read_unlock(&vm->slots_srcu, srcu);
	umbra_mmu_freeze(vm, first, last);
	umbra_mmu_zap_all(vm, gfn, gfn);
	umbra_mmu_thaw(vm, first, last);
	for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus); i++)
		umbra_vcpu_kick_wait(vm->vcpu_list[i]);
}

bool umbra_sites_in_range(struct umbra_vm *vm, u64 first, u64 last)
{
	struct umbra_site_page *page;
	unsigned long index;

	xa_for_each_range(&vm->sites.pages, index, page, first, last)
		if (READ_ONCE(page->active))
			return true;
	return false;
}

bool umbra_sites_active(struct umbra_vm *vm, u64 gfn)
{
	struct umbra_site_page *page = find_page(vm, gfn);

	return page && READ_ONCE(page->active);
}

bool umbra_sites_written(struct umbra_vm *vm, u64 gfn)
{
	struct umbra_site_page *page = find_page(vm, gfn);

	return page && READ_ONCE(page->written);
}

int umbra_site_find(struct umbra_vm *vm, u64 gpa, u32 *raw)
{
	struct umbra_site_page *page;
	struct umbra_site *site;
	unsigned long flags;
	int ret = -ENOENT;

	raw_spin_lock_irqsave(&vm->sites.lock, flags);
	page = find_page(vm, gpa >> PAGE_SHIFT);
	site = page && page->active ? find_site(page, offset_in_page(gpa)) : NULL;
	if (site && READ_ONCE(*host_half(page, site->offset)) == UMBRA_C_EBREAK) {
		*raw = site->raw;
		ret = 0;
	}
	raw_spin_unlock_irqrestore(&vm->sites.lock, flags);
	return ret;
}

int umbra_site_nth(struct umbra_vm *vm, u64 gfn, unsigned int n, unsigned int *offset,
		   u32 *raw)
{
	struct umbra_site_page *page;
	struct umbra_site *site;
	unsigned long flags;
	int ret = -ENOENT;

	raw_spin_lock_irqsave(&vm->sites.lock, flags);
	page = find_page(vm, gfn);
	if (page && page->active && n < page->nr) {
		site = &page->site[n];
		*offset = site->offset;
		*raw = site->raw;
		ret = READ_ONCE(*host_half(page, site->offset)) == UMBRA_C_EBREAK ? 0 : -EAGAIN;
	}
	raw_spin_unlock_irqrestore(&vm->sites.lock, flags);
	return ret;
}

void umbra_sites_overlay(struct umbra_vm *vm, u64 gpa, void *buf, size_t len)
{
	unsigned int start = offset_in_page(gpa);
	struct umbra_site_page *page;
	unsigned long flags;

	page = find_page(vm, gpa >> PAGE_SHIFT);
	if (!page || !READ_ONCE(page->active))
		return;
	raw_spin_lock_irqsave(&vm->sites.lock, flags);
	for (unsigned int i = 0; page->active && i < page->nr; i++) {
		const struct umbra_site *site = &page->site[i];

		if (READ_ONCE(*host_half(page, site->offset)) != UMBRA_C_EBREAK)
			continue;
		for (unsigned int b = 0; b < 2; b++) {
			unsigned int at = site->offset + b;

			if (at >= start && at - start < len)
				((u8 *)buf)[at - start] = site->raw >> (8 * b);
		}
	}
	raw_spin_unlock_irqrestore(&vm->sites.lock, flags);
}

void umbra_sites_drop(struct umbra_vm *vm, u64 gpa, size_t len)
{
	unsigned int start = offset_in_page(gpa);
	struct umbra_site_page *page;
	unsigned long flags;
	bool dropped = false;

	page = find_page(vm, gpa >> PAGE_SHIFT);
	if (!page)
		return;
	flags = sites_write_lock(vm);
	for (unsigned int i = 0; i < page->nr;) {
		struct umbra_site *site = &page->site[i];

		/* Any of the instruction's four bytes. */
		if (site->offset < start + len && site->offset + 4 > start) {
			if (page->active)
				unwrite(page, site);
			*site = page->site[--page->nr];
			dropped = true;
			continue;
		}
		i++;
	}
	sites_write_unlock(vm, flags);
	if (dropped) {
		umbra_mark_dirty(vm, gpa >> PAGE_SHIFT);
		forget_everywhere(vm, true);
	}
}

void umbra_sites_restore(struct umbra_vm *vm, u64 gfn)
{
	struct umbra_site_page *page;
	unsigned long flags;

	flags = sites_write_lock(vm);
	page = find_page(vm, gfn);
	if (page) {
		page_restore(vm, page);
		page->backoff = clamp(page->backoff * 2, 16U, 1U << 20);
		page->hold = 0;
		page->reads = 0;
		page->nr = 0;
	}
	sites_write_unlock(vm, flags);
	forget_everywhere(vm, false);
	zap_everywhere(vm, gfn);
}

void umbra_sites_accessed(struct umbra_vcpu *vcpu, u64 gfn, bool clears)
{
	struct umbra_site_page *page = find_page(vcpu->vm, gfn);

	if (!page)
		return;
	page->reads += clears ? CLEAR_PRICE : 1;
	if (page->reads > READS_MAX) {
		umbra_count(vcpu, UMBRA_STAT_SITE_DROP);
		umbra_sites_restore(vcpu->vm, gfn);
	}
}

void umbra_sites_invalidate(struct umbra_vm *vm, u64 first, u64 last)
{
	struct umbra_site_page *page;
	unsigned long index, flags;
	bool any = false;

	if (xa_empty(&vm->sites.pages))
		return;
	flags = sites_write_lock(vm);
	xa_for_each_range(&vm->sites.pages, index, page, first, last) {
		any |= page->active;
		page_restore(vm, page);
	}
	sites_write_unlock(vm, flags);
	/* The notifier kicks and waits itself. */
	if (any)
		forget_everywhere(vm, false);
}

void umbra_sites_destroy(struct umbra_vm *vm)
{
	struct umbra_site_page *page;
	unsigned long index;

	umbra_sites_invalidate(vm, 0, ~0UL);
	xa_for_each(&vm->sites.pages, index, page) {
		kfree(page->site);
		kfree(page);
	}
	xa_destroy(&vm->sites.pages);
}

/* --- adding --------------------------------------------------------------------------- */

static struct umbra_site_page *get_page_entry(struct umbra_vm *vm, u64 gfn)
{
	struct umbra_site_page *page = find_page(vm, gfn), *old;

	if (page || vm->sites.nr_pages >= PAGES_MAX)
		return page;
	page = kzalloc(sizeof(*page), GFP_KERNEL_ACCOUNT);
	if (!page)
		return NULL;
	page->gfn = gfn;
	old = xa_cmpxchg(&vm->sites.pages, gfn, NULL, page, GFP_KERNEL_ACCOUNT);
	if (old) {
		kfree(page);
		return xa_is_err(old) ? NULL : old;
	}
	vm->sites.nr_pages++;
	return page;
}

/* Room for one more; the array is replaced under the lock. */
static bool make_room(struct umbra_vm *vm, struct umbra_site_page *page)
{
	unsigned int room = max(8U, page->room * 2);
	struct umbra_site *new, *old;
	unsigned long flags;

	if (page->nr < page->room)
		return true;
	if (page->nr >= SITES_PER_PAGE)
		return false;
	new = kcalloc(room, sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return false;
	flags = sites_write_lock(vm);
	old = page->site;
	memcpy(new, old, page->nr * sizeof(*new));
	page->site = new;
	page->room = room;
	sites_write_unlock(vm, flags);
	kfree(old);
	return true;
}

/*
 * The host page behind @gfn if it may be rewritten: writable memory of the
 * guest's, anonymous, so that nobody shares it.
 */
static struct page *rewritable_page(struct umbra_vm *vm, u64 gfn)
{
	struct umbra_memslot *slot;
	struct page *page = NULL;
	int srcu = srcu_read_lock(&vm->slots_srcu);

	slot = umbra_memslot_find(vm, gfn);
	if (slot && !(slot->flags & KVM_MEM_READONLY)) {
		unsigned long hva = slot->hva +
			((gfn - slot->gfn) << PAGE_SHIFT);

		if (get_user_pages_fast(hva, 1, FOLL_WRITE, &page) != 1)
			page = NULL;
	}
	srcu_read_unlock(&vm->slots_srcu, srcu);
	if (page && !PageAnon(page)) {
		put_page(page);
		page = NULL;
	}
	return page;
}

/*
 * Does memory hold what was executed?  Of an instruction that reaches into
 * the next page only the first half is looked at, and only that is replaced:
 * at each hit the run loop fetches the other half anew.
 */
static bool site_matches(const u16 *half, unsigned int offset, u32 raw)
{
	if (half[0] != (u16)raw)
		return false;
	return umbra_site_is_split(offset) || half[1] == (u16)(raw >> 16);
}

/*
 * Make the page execute-only everywhere before its first site is written.
 * Remembered sites come back here too, where the bytes are still the same.
 */
static bool activate(struct umbra_vm *vm, struct umbra_site_page *entry,
		     struct page *page, unsigned long mn_seq)
{
	unsigned long flags;
	bool ok = false;

	flags = sites_write_lock(vm);
	if (!entry->active && !vm->aliased && umbra_mn_quiet(vm, mn_seq)) {
		entry->pfn = page_to_pfn(page);
		entry->active = true;
		ok = true;
	}
	sites_write_unlock(vm, flags);
	if (!ok)
		return entry->active;
	zap_everywhere(vm, entry->gfn);

	flags = sites_write_lock(vm);
	for (unsigned int i = 0; entry->active && i < entry->nr;) {
		struct umbra_site *site = &entry->site[i];
		u16 *half = host_half(entry, site->offset);

		if (site_matches(half, site->offset, site->raw)) {
			WRITE_ONCE(*half, UMBRA_C_EBREAK);
			entry->written = true;
			i++;
		} else {
			*site = entry->site[--entry->nr];
		}
	}
	sites_write_unlock(vm, flags);
	return entry->active;
}

/* Write one c.ebreak, if memory holds what was executed. */
static bool write_site(struct umbra_vm *vm, struct umbra_site_page *entry,
		       unsigned int offset, u32 raw)
{
	unsigned long flags;
	bool ok = false;
	u16 *half;

	flags = sites_write_lock(vm);
	if (entry->active && entry->nr < entry->room &&
	    !find_site(entry, offset)) {
		half = host_half(entry, offset);
		if (site_matches(half, offset, raw)) {
			entry->site[entry->nr++] = (struct umbra_site) {
				.offset = offset, .raw = raw,
			};
			WRITE_ONCE(*half, UMBRA_C_EBREAK);
			entry->written = true;
			entry->reads = 0;
			ok = true;
		}
	}
	sites_write_unlock(vm, flags);
	return ok;
}

/* sites.add_lock held. */
static void add_site(struct umbra_vcpu *vcpu, u64 pc, u64 gfn,
		     const struct umbra_insn *insn)
{
	unsigned int offset = offset_in_page(pc);
	struct umbra_vm *vm = vcpu->vm;
	struct umbra_site_page *entry;
	unsigned long mn_seq;
	struct page *page;

	/* User programs do not use up what the guest's kernel needs. */
	if (vcpu->cpu->priv == UMBRA_PRIV_U &&
	    vm->sites.nr_pages >= PAGES_MAX / 2)
		return;
	entry = get_page_entry(vm, gfn);
	if (!entry)
		return;
	if (!entry->active && entry->hold++ < entry->backoff)
		return;
	if (!make_room(vm, entry))
		return;
	mn_seq = umbra_mn_begin(vm);
	page = rewritable_page(vm, gfn);
	if (!page) {
		/* Shared, or a file's; it may be otherwise much later. */
		entry->backoff = REFUSED_TRAPS;
		entry->hold = 0;
		return;
	}
	if (activate(vm, entry, page, mn_seq) &&
	    write_site(vm, entry, offset, insn->raw)) {
		SetPageDirty(page);
		umbra_mark_dirty(vm, gfn);
		umbra_count(vcpu, UMBRA_STAT_SITE_NEW);
		trace_umbra_site(vcpu->id, pc, gfn, insn->raw);
		/* This hart sees it at once; others at worst trap once more. */
		WRITE_ONCE(vcpu->fence_i, true);
	}
	put_page(page);
}

void umbra_site_add(struct umbra_vcpu *vcpu, u64 pc, const struct umbra_insn *insn)
{
	struct umbra_vm *vm = vcpu->vm;
	bool global;
	int srcu;
	u64 gfn;

	if (!umbra_rewrite_enabled || READ_ONCE(vm->aliased) ||
	    !umbra_site_wanted(insn))
		return;
	gfn = umbra_mmu_exec_gfn(vcpu, pc, &global);
	if (gfn == ~0ULL)
		return;
	/*
	 * One at a time: another hart that met the same instruction must not
	 * write before every leaf of the page is execute-only.
	 */
	mutex_lock(&vm->sites.add_lock);
	/* The slots stay: a change waits for us, and then restores. */
	srcu = srcu_read_lock(&vm->slots_srcu);
	add_site(vcpu, pc, gfn, insn);
	srcu_read_unlock(&vm->slots_srcu, srcu);
	mutex_unlock(&vm->sites.add_lock);
}
