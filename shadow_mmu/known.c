// SPDX-License-Identifier: GPL-2.0
/*
 * The known table: per guest frame, the host page behind it, as a PTE that
 * maps the page for the switcher alone.
 *
 * It is used twice by fast.c: as data, to make leaves from, and as last-level
 * page tables of the guest window, through which guest tables are read.  One
 * per VM; each page of it covers 512 frames and is made when the first of them
 * becomes known.  Which vCPU's tables link to it is settled here.
 *
 * An entry is set under the mmu.lock of the vCPU that looked the page up, and
 * cleared by whoever takes the page away, after it has been through every
 * vCPU's mmu.lock: so none is set behind its back (umbra_mmu_zap_all()).
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "../vmm_core/vmm.h"
#include "shadow.h"

#define PER_PAGE	512
#define PER_GIB		(PER_PAGE * 512)

/*
 * In tables of three levels the slot has 1 GiB in all, and what is left of it is
 * the guest window; else that begins at the next GiB, linked by whole tables.
 */
#define NARROW_WINDOW	(256UL << 20)
#define NARROW_SIZE	(BIT(30) - NARROW_WINDOW)
#define WIDE_WINDOW	BIT(30)
static_assert(UMBRA_WIN_KNOWN + UMBRA_KNOWN_GIB * (2UL << 20) <= UMBRA_WIN_PAGES);
static_assert(UMBRA_WIN_PAGES + ((u64)UMBRA_SHADOW_MAX << UMBRA_WIN_SHIFT) <=
	      NARROW_WINDOW);

static bool narrow(void)
{
	return umbra_host.levels == 3;
}

u64 umbra_known_window(void)
{
	return narrow() ? NARROW_WINDOW : WIDE_WINDOW;
}

u64 umbra_known_frames(void)
{
	return (u64)UMBRA_KNOWN_GIB * PER_GIB;
}

u64 umbra_known_readable(void)
{
	return narrow() ? NARROW_SIZE >> PAGE_SHIFT : umbra_known_frames();
}

static u64 *known_page(struct umbra_vm *vm, u64 n)
{
	struct umbra_known_gib *gib = vm->known[n / PER_GIB];

	return gib ? READ_ONCE(gib->page[n / PER_PAGE % 512]) : NULL;
}

/* Link what is there of one GiB into a vCPU's tables; known_lock held. */
static void map_gib(struct umbra_vcpu *vcpu, unsigned int g)
{
	struct umbra_known_gib *gib = vcpu->vm->known[g];
	u64 **tables = vcpu->mmu.sw_tables;

	WRITE_ONCE(tables[1][umbra_va_index(UMBRA_WIN_KNOWN, 1) + g],
		   shadow_make_link(gib->as_data));
	if (!narrow()) {
		WRITE_ONCE(tables[2][umbra_va_index(WIDE_WINDOW, 2) + g],
			   shadow_make_link(gib->as_tables));
		return;
	}
	for (unsigned int i = 0; !g && i < NARROW_SIZE >> 21; i++)
		WRITE_ONCE(tables[1][umbra_va_index(NARROW_WINDOW, 1) + i],
			   gib->as_tables[i]);
}

void umbra_known_map(struct umbra_vcpu *vcpu)
{
	struct umbra_vm *vm = vcpu->vm;

	spin_lock(&vm->known_lock);
	for (unsigned int g = 0; g < UMBRA_KNOWN_GIB; g++)
		if (vm->known[g])
			map_gib(vcpu, g);
	spin_unlock(&vm->known_lock);
}

static void free_gib(struct umbra_known_gib *gib)
{
	if (!gib)
		return;
	for (unsigned int i = 0; i < 512; i++)
		free_page((unsigned long)gib->page[i]);
	free_page((unsigned long)gib->as_data);
	free_page((unsigned long)gib->as_tables);
	kfree(gib);
}

static struct umbra_known_gib *alloc_gib(void)
{
	struct umbra_known_gib *gib = kzalloc(sizeof(*gib), GFP_KERNEL_ACCOUNT);

	if (!gib)
		return NULL;
	gib->as_data = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	gib->as_tables = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!gib->as_data || !gib->as_tables) {
		free_gib(gib);
		return NULL;
	}
	/* What is not there reads as not known. */
	for (unsigned int i = 0; i < 512; i++)
		gib->as_data[i] = shadow_make_kernel(page_address(ZERO_PAGE(0)),
						     V_PTE_V | V_PTE_R | V_PTE_A);
	return gib;
}

/* Add a page, and a GiB if need be, unless another thread was faster. */
static void add_page(struct umbra_vm *vm, u64 n, struct umbra_known_gib **gib,
		     u64 **page)
{
	unsigned int g = n / PER_GIB, i = n / PER_PAGE % 512;

	spin_lock(&vm->known_lock);
	if (!vm->known[g]) {
		WRITE_ONCE(vm->known[g], *gib);
		*gib = NULL;
	}
	if (vm->known[g] && !vm->known[g]->page[i]) {
		struct umbra_known_gib *to = vm->known[g];

		WRITE_ONCE(to->as_tables[i], shadow_make_link(*page));
		WRITE_ONCE(to->as_data[i],
			   shadow_make_kernel(*page, V_PTE_V | V_PTE_R | V_PTE_A));
		smp_store_release(&to->page[i], *page);	/* tables before entries */
		*page = NULL;
		for (unsigned int v = 0; v < READ_ONCE(vm->nr_vcpus); v++)
			map_gib(vm->vcpu_list[v], g);
	}
	spin_unlock(&vm->known_lock);
}

void umbra_known_prepare(struct umbra_vm *vm, u64 gfn)
{
	u64 n = gfn - UMBRA_KNOWN_BASE;
	struct umbra_known_gib *gib = NULL;
	u64 *page;

	if (n >= umbra_known_frames() || known_page(vm, n))
		return;
	page = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!READ_ONCE(vm->known[n / PER_GIB]))
		gib = alloc_gib();
	if (page)
		add_page(vm, n, &gib, &page);
	free_page((unsigned long)page);
	free_gib(gib);
}

/* Entry of frame @gfn: @pfn, readable, and @bits. */
static void known_set(struct umbra_vm *vm, u64 gfn, unsigned long pfn, u64 bits)
{
	u64 n = gfn - UMBRA_KNOWN_BASE;
	u64 *page = n < umbra_known_frames() ? known_page(vm, n) : NULL;

	bits |= V_PTE_V | V_PTE_R | V_PTE_A;
	if (page)
		WRITE_ONCE(page[n % PER_PAGE], pte_val(pfn_pte(pfn, __pgprot(bits))));
}

void umbra_known_set(struct umbra_vm *vm, u64 gfn, unsigned long pfn, bool writable)
{
	known_set(vm, gfn, pfn, writable ? UMBRA_KNOWN_W : 0);
}

void umbra_known_set_text(struct umbra_vm *vm, u64 gfn, unsigned long pfn)
{
	known_set(vm, gfn, pfn, UMBRA_KNOWN_TEXT);
}

void *umbra_known_memory(struct umbra_vm *vm, u64 gfn)
{
	u64 n = gfn - UMBRA_KNOWN_BASE;
	u64 *page = n < umbra_known_frames() ? known_page(vm, n) : NULL;
	u64 pte = page ? READ_ONCE(page[n % PER_PAGE]) : 0;

	/* Whoever takes the page away freezes first, then asks for the lock. */
	if (!pte || (pte & UMBRA_KNOWN_TEXT) || READ_ONCE(vm->page->frozen))
		return NULL;
	return pfn_to_kaddr((pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT);
}

void umbra_known_clear(struct umbra_vm *vm, u64 first, u64 last)
{
	u64 from = max_t(u64, first, UMBRA_KNOWN_BASE) - UMBRA_KNOWN_BASE;
	u64 end = umbra_known_frames();	/* exclusive */

	if (last < UMBRA_KNOWN_BASE)
		return;
	if (last - UMBRA_KNOWN_BASE < end)
		end = last - UMBRA_KNOWN_BASE + 1;
	while (from < end) {
		u64 *page = known_page(vm, from);
		u64 n = min(end, (from / PER_PAGE + 1) * PER_PAGE) - from;

		if (page)
			memset(page + from % PER_PAGE, 0, n * sizeof(*page));
		from += n;
	}
}

void umbra_known_free(struct umbra_vm *vm)
{
	for (unsigned int g = 0; g < UMBRA_KNOWN_GIB; g++)
		free_gib(vm->known[g]);
}
