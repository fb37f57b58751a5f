/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host below the real shadow MMU, for test_shadow.c: physical memory, the
 * launcher's memory and its MMU notifier, the harts with their TLBs, and what
 * shadow_mmu/ calls in vmm_core.
 *
 * A hart walks the tables that the module made, in the hardware's format, and
 * keeps what it found in a TLB until a fence of the host's covers it: nothing
 * but a fence removes an entry, whatever satp is written.  fast.c runs here as
 * it does in the switcher: it reaches its data through the same tables
 * (hw_at()), and faults where they map nothing.
 */
#ifndef UMBRA_UNIT_SHADOW_HOST_H
#define UMBRA_UNIT_SHADOW_HOST_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "../../vmm_core/vmm.h"
#include "../../shadow_mmu/shadow.h"

#define NR_SLOTS	4
#define MAX_VCPUS	3
#define TLB_ENTRIES	24
#define LINK_ENTRIES	12

/* Pages of physical memory, as numbers from MODEL_PFN. */
#define PAGE_SWITCHER	8		/* text, then each vCPU's area */
#define PAGE_TABLES	512		/* the launcher's page table */
#define PAGE_ALLOC	768		/* get_zeroed_page() */
#define PAGE_SPARE	0x4000		/* guest pages that replace others */
#define NR_SPARE	0x1000
#define PAGE_SLOT(n)	(0x5000 + 0x1000 * (n))
#define PAGE_BIG	0x40000		/* slot 0: a GiB and a little more */

static_assert(PAGE_SWITCHER + UMBRA_SW_TEXT_PAGES + MAX_VCPUS * UMBRA_SW_DATA_PAGES <=
	      PAGE_TABLES);

/* A guest page once it is another's: PTEs that map frame 0x80000 with all rights. */
#define POISON_PTE	(0x80000ULL << 10 | 0xff)

/* One hart's TLB entry, for 4 KiB of virtual addresses of one ASID. */
struct tlb_entry {
	bool valid;
	u64 asid;
	u64 va;
	u64 pfn;
	u64 pte;
};

/* An entry that is no leaf, which the hart remembers: the table for @va at @level. */
struct link_entry {
	u64 *table;	/* NULL: none */
	u64 asid;
	u64 va;
	int level;
};

/**
 * struct hart - a vCPU and the host hart it runs on
 * @in_guest: between world entry and world exit
 * @satp: the hardware's
 * @sepc: what fast.c wrote there, if @sepc_set
 */
struct hart {
	struct umbra_vcpu vcpu;
	bool in_guest;
	u64 satp;
	u64 sepc;
	bool sepc_set;
	struct tlb_entry tlb[TLB_ENTRIES];
	struct link_entry links[LINK_ENTRIES];
};

/* A page of the launcher's memory that is not where it was to begin with. */
struct user_page {
	u64 va;
	u64 pfn;
	bool cow;		/* write-protected: a write makes another */
};

struct user_range {
	u64 start, end;		/* nothing: 0 */
};

/* An allocation, in a list. */
struct heap {
	struct heap *next, **pprev;
	u64 size;
	u64 pad;
};

struct site {
	u64 gfn;
	bool active;
};

/* When another hart may do something. */
enum moment {
	IN_SWITCHER,	/* this one is in fast.c */
	IN_HOST,	/* this one is in the run loop, without locks */
	IN_NOTIFIER,	/* an invalidation is under way, no lock is held */
	IN_SLOTS,	/* slots change: the new ones are published */
};

static struct {
	/* failure */
	sigjmp_buf out;
	char message[400];

	/* chance: reset for each step */
	u64 rand;
	unsigned int oom;		/* of 1024 allocations fail */
	bool busy;			/* fast.c finds the lock taken */
	int race_in;			/* moments until race(); < 0: none */
	void (*race)(enum moment now);

	/* memory */
	u16 free[MODEL_KERNEL];
	unsigned int nr_free;
	bool used[MODEL_KERNEL];
	struct heap *heap;
	char *guard;			/* nothing there */

	/* the launcher's memory */
	struct mm_struct mm;
	unsigned int nr_tables;
	struct user_page moved[512];
	unsigned int nr_moved;
	unsigned int nr_spare;
	struct user_range taken;	/* a notifier that has only begun */
	u64 dirtied[4096];		/* pfns to clear for the next run */
	unsigned int nr_dirtied;
	unsigned int notifying;
	bool starting;			/* in invalidate_range_start() */
	bool waited;			/* a fault, for the end of an invalidation */

	struct site site[8];
	unsigned int nr_sites;

	struct umbra_vm *vm;
	struct hart hart[MAX_VCPUS];
	unsigned int nr_harts;
	struct hart *cur;		/* the hart that executes fast.c */
	sigjmp_buf fault;
	volatile bool in_fast;

	/* set by the model of the guest */
	void (*pte_updated)(u64 gpa, u64 old, u64 new);
} host;

char *model_memory, *model_memory_ro;
struct page *model_page;
unsigned int model_spins;
int model_srcu;
struct umbra_host umbra_host;

__attribute__((__noreturn__, __format__(printf, 1, 2)))
void model_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(host.message, sizeof(host.message), fmt, ap);
	va_end(ap);
	siglongjmp(host.out, 1);
}

static u64 host_rand(void)
{
	u64 z = (host.rand += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static bool one_in(unsigned int n)
{
	return !(host_rand() % n);
}

static void host_moment(enum moment now)
{
	if (host.race_in >= 0 && !host.race_in--)
		host.race(now);
}

void model_unlocked(void)
{
	if (host.starting)
		host_moment(IN_NOTIFIER);
}

void model_synchronize(void)
{
	host_moment(IN_SLOTS);
}

void model_wait(void)
{
	/* Nobody else is left to end it. */
	model_check(host.notifying);
	host.waited = true;
}

/* --- allocation -------------------------------------------------------------------- */

static bool alloc_fails(void)
{
	return host.oom && host_rand() % 1024 < host.oom;
}

unsigned long get_zeroed_page(gfp_t gfp)
{
	unsigned int n;
	void *p;

	might_sleep();
	if (alloc_fails())
		return 0;
	model_check(host.nr_free);
	n = host.free[--host.nr_free];
	host.used[n] = true;
	p = pfn_to_kaddr(MODEL_PFN + n);
	memset(p, 0, PAGE_SIZE);
	return (unsigned long)p;
}

void free_page(unsigned long page)
{
	unsigned long n;

	if (!page)
		return;
	n = virt_to_pfn((void *)page) - MODEL_PFN;
	model_check(n < MODEL_KERNEL && host.used[n]);
	host.used[n] = false;
	host.free[host.nr_free++] = n;
	/* Whoever still looks is to see nothing good. */
	memset((void *)page, 0xdb, PAGE_SIZE);
}

void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	struct heap *h;

	might_sleep();
	if (alloc_fails())
		return NULL;
	h = calloc(1, sizeof(*h) + n * size);
	h->next = host.heap;
	h->pprev = &host.heap;
	if (h->next)
		h->next->pprev = &h->next;
	host.heap = h;
	return h + 1;
}

void kvfree(const void *p)
{
	struct heap *h;

	if (!p)
		return;
	h = (struct heap *)p - 1;
	*h->pprev = h->next;
	if (h->next)
		h->next->pprev = h->pprev;
	free(h);
}

static void memory_create(void)
{
	size_t size = MODEL_PAGES << PAGE_SHIFT;
	int fd = memfd_create("shadow", 0);
	int flags = MAP_SHARED | MAP_NORESERVE;

	if (fd < 0 || ftruncate(fd, size))
		abort();
	model_memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	model_memory_ro = mmap(NULL, size, PROT_READ, flags, fd, 0);
	host.guard = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	model_page = mmap(NULL, MODEL_PAGES * sizeof(*model_page), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (model_memory == MAP_FAILED || model_memory_ro == MAP_FAILED ||
	    host.guard == MAP_FAILED || model_page == MAP_FAILED)
		abort();
	close(fd);
}

/* The memory of a guest page is written: clear it for the next run. */
static void note_dirtied(u64 pfn)
{
	for (unsigned int i = 0; i < host.nr_dirtied; i++)
		if (host.dirtied[i] == pfn)
			return;
	model_check(host.nr_dirtied < ARRAY_SIZE(host.dirtied));
	host.dirtied[host.nr_dirtied++] = pfn;
}

static void memory_reset(void)
{
	for (unsigned int i = 0; i < host.nr_dirtied; i++) {
		memset(pfn_to_kaddr(host.dirtied[i]), 0, PAGE_SIZE);
		model_page[host.dirtied[i] - MODEL_PFN].refs = 0;
	}
	host.nr_dirtied = 0;
	while (host.heap)
		kvfree(host.heap + 1);
	host.nr_free = 0;
	for (unsigned int n = MODEL_KERNEL; n-- > PAGE_ALLOC;)
		host.free[host.nr_free++] = n;
	memset(host.used, 0, sizeof(host.used));
	model_spins = 0;
	model_srcu = 0;
}

/* --- the launcher's memory ------------------------------------------------------------- */

/* What the guest has: where, how much, behind it. */
static const struct slot_plan {
	u64 gfn, npages, hva, page;
	u32 flags;
} slot_plan[NR_SLOTS] = {
	/* a GiB that can be one leaf, and two times 2 MiB */
	{ 0x80000, 0x40400, 0x800000000, PAGE_BIG, 0 },
	/* read-only; below what the known table covers */
	{ 0x300, 8, 0x1000000000, PAGE_SLOT(1), KVM_MEM_READONLY },
	/* the same, writable */
	{ 0x1000, 16, 0x1800000000, PAGE_SLOT(2), 0 },
	/* never aligned as its user memory; comes and goes */
	{ 0x140000, 0x410, 0x2000001000, PAGE_SLOT(3), 0 },
};

static int slot_of_hva(u64 va)
{
	for (int i = 0; i < NR_SLOTS; i++)
		if (va - slot_plan[i].hva < slot_plan[i].npages << PAGE_SHIFT)
			return i;
	return -1;
}

static struct user_page *moved_page(u64 va)
{
	for (unsigned int i = 0; i < host.nr_moved; i++)
		if (host.moved[i].va == (va & ~0xfffULL))
			return &host.moved[i];
	return NULL;
}

/* The page at a user address; 0: none. */
static u64 user_pfn(u64 va)
{
	struct user_page *p = moved_page(va);
	int s = slot_of_hva(va);

	if (s < 0)
		return 0;
	if (p)
		return p->pfn;
	return MODEL_PFN + slot_plan[s].page + ((va - slot_plan[s].hva) >> PAGE_SHIFT);
}

static bool user_writable(u64 va)
{
	struct user_page *p = moved_page(va);

	return !(slot_plan[slot_of_hva(va)].flags & KVM_MEM_READONLY) && !(p && p->cow);
}

/* User address of a guest frame, whether or not its slot is there now; 0: none. */
static u64 frame_hva(u64 gfn)
{
	for (int i = 0; i < NR_SLOTS; i++)
		if (gfn - slot_plan[i].gfn < slot_plan[i].npages)
			return slot_plan[i].hva + ((gfn - slot_plan[i].gfn) << PAGE_SHIFT);
	return 0;
}

/* The frame that a page is behind now; ~0: none. */
static u64 pfn_frame(u64 pfn)
{
	u64 n = pfn - MODEL_PFN;

	for (unsigned int i = 0; i < host.nr_moved; i++) {
		int s = slot_of_hva(host.moved[i].va);

		if (host.moved[i].pfn == pfn)
			return slot_plan[s].gfn +
			       ((host.moved[i].va - slot_plan[s].hva) >> PAGE_SHIFT);
	}
	for (int i = 0; i < NR_SLOTS; i++)
		if (n - slot_plan[i].page < slot_plan[i].npages) {
			u64 va = slot_plan[i].hva +
				 ((n - slot_plan[i].page) << PAGE_SHIFT);

			return moved_page(va) ? ~0ULL :
			       slot_plan[i].gfn + n - slot_plan[i].page;
		}
	return ~0ULL;
}

/* The launcher's own page table, for host_level(): no entries below level 1. */
static void user_map(u64 va, int level, u64 entry)
{
	u64 *table = host.mm.pgd;

	for (int l = umbra_host.levels - 1; l > level; l--) {
		u64 *e = &table[umbra_va_index(va, l)];

		if (!(*e & V_PTE_V) || umbra_pte_leaf(*e)) {
			u64 page = PAGE_TABLES + host.nr_tables++;

			model_check(page < PAGE_ALLOC);
			memset(pfn_to_kaddr(MODEL_PFN + page), 0, PAGE_SIZE);
			*e = (MODEL_PFN + page) << V_PTE_PPN_SHIFT | V_PTE_V;
		}
		table = pfn_to_kaddr(*e >> V_PTE_PPN_SHIFT);
	}
	table[umbra_va_index(va, level)] = entry;
}

#define USER_LEAF	(V_PTE_V | V_PTE_R | V_PTE_W | V_PTE_U | V_PTE_A | V_PTE_D)

/* 2 MiB at @va, in slot 0, as one leaf or as pages. */
static void user_map_2m(u64 va, bool leaf)
{
	u64 pfn = MODEL_PFN + PAGE_BIG + ((va - slot_plan[0].hva) >> PAGE_SHIFT);

	user_map(va, 1, leaf ? pfn << V_PTE_PPN_SHIFT | USER_LEAF :
		 (MODEL_PFN + PAGE_TABLES) << V_PTE_PPN_SHIFT | V_PTE_V);
}

/* @huge: slot 0 in pages of 1 GiB; of 2 MiB; of 4 KiB. */
static void user_create(int huge)
{
	u64 va = slot_plan[0].hva;

	host.nr_tables = 0;
	host.nr_moved = 0;
	host.nr_spare = 0;
	host.taken = (struct user_range) {};
	host.notifying = 0;
	host.starting = false;
	host.mm.pgd = pfn_to_kaddr(MODEL_PFN + PAGE_TABLES + host.nr_tables++);
	memset(host.mm.pgd, 0, PAGE_SIZE);
	for (int i = 1; i < NR_SLOTS; i++)
		for (u64 n = 0; n < slot_plan[i].npages; n += 512)
			user_map(slot_plan[i].hva + (n << PAGE_SHIFT), 1,
				 (MODEL_PFN + PAGE_TABLES) << V_PTE_PPN_SHIFT | V_PTE_V);
	if (huge == 2)
		user_map(va, 2, (MODEL_PFN + PAGE_BIG) << V_PTE_PPN_SHIFT | USER_LEAF);
	for (u64 n = huge == 2 ? 512 : 0; n < slot_plan[0].npages / 512; n++)
		user_map_2m(va + (n << 21), huge);
}

static void notify(bool start, u64 from, u64 end)
{
	struct mmu_notifier_range range = { .start = from, .end = end };
	struct mmu_notifier *mn = &host.vm->mn;

	if (start) {
		host.notifying++;
		host.starting = true;
		mn->ops->invalidate_range_start(mn, &range);
		host.starting = false;
	} else {
		host.notifying--;
		mn->ops->invalidate_range_end(mn, &range);
	}
}

/* Slot 0 is not in one piece around @va any more. */
static void user_split(u64 va)
{
	u64 gib = slot_plan[0].hva;
	u64 *table = host.mm.pgd;

	if (slot_of_hva(va))
		return;
	for (int l = umbra_host.levels - 1; l > 2; l--)
		table = pfn_to_kaddr(table[umbra_va_index(gib, l)] >> V_PTE_PPN_SHIFT);
	if (va - gib < 1ULL << 30 && umbra_pte_leaf(table[umbra_va_index(gib, 2)]))
		for (u64 n = 0; n < 512; n++)
			user_map_2m(gib + (n << 21), true);
	user_map_2m(va & ~0x1fffffULL, false);
}

static struct user_page *move_page(u64 va)
{
	struct user_page *p = moved_page(va);

	va &= ~0xfffULL;
	if (!p) {
		model_check(host.nr_moved < ARRAY_SIZE(host.moved));
		p = &host.moved[host.nr_moved];
		*p = (struct user_page) { .va = va, .pfn = user_pfn(va) };
		host.nr_moved++;
	}
	user_split(va);
	return p;
}

/* Other memory with the same contents, between start and end of a notifier. */
static void user_replace(u64 va)
{
	struct user_page *p;
	u64 old, new;

	if (host.nr_spare == NR_SPARE || (host.nr_moved > 400 && !moved_page(va)))
		return;
	/* Nothing is moved that somebody holds. */
	if (model_page[user_pfn(va) - MODEL_PFN].refs)
		return;
	p = move_page(va);
	old = p->pfn;
	new = MODEL_PFN + PAGE_SPARE + host.nr_spare++;
	memcpy(pfn_to_kaddr(new), pfn_to_kaddr(old), PAGE_SIZE);
	for (int i = 0; i < 512; i++)
		((u64 *)pfn_to_kaddr(old))[i] = POISON_PTE;
	note_dirtied(old);
	note_dirtied(new);
	p->pfn = new;
	p->cow = false;
}

static int user_page_get(unsigned long va, unsigned int flags, struct page **page,
			 bool may_sleep)
{
	u64 pfn;

	if (slot_of_hva(va) < 0)
		return -EFAULT;
	if ((flags & FOLL_WRITE) && !user_writable(va)) {
		if (!may_sleep)
			return 0;
		if (slot_plan[slot_of_hva(va)].flags & KVM_MEM_READONLY)
			return -EFAULT;
		va &= ~0xfffUL;
		notify(true, va, va + PAGE_SIZE);
		user_replace(va);
		notify(false, va, va + PAGE_SIZE);
	}
	pfn = user_pfn(va);
	note_dirtied(pfn);
	*page = &model_page[pfn - MODEL_PFN];
	(*page)->refs++;
	return 1;
}

int get_user_pages_fast_only(unsigned long va, int n, unsigned int flags,
			     struct page **page)
{
	int ret = user_page_get(va, flags, page, false);

	host_moment(IN_HOST);
	return ret;
}

int get_user_pages_fast(unsigned long va, int n, unsigned int flags, struct page **page)
{
	int ret;

	might_sleep();
	host_moment(IN_HOST);
	ret = user_page_get(va, flags, page, true);
	host_moment(IN_HOST);
	return ret;
}

bool model_get_user(u64 *to, unsigned long va)
{
	might_sleep();
	host_moment(IN_HOST);
	if (slot_of_hva(va) < 0)
		return false;
	*to = *(u64 *)(pfn_to_kaddr(user_pfn(va)) + offset_in_page(va));
	return true;
}

/* --- harts --------------------------------------------------------------------------- */

static u64 hw_asid(u64 satp)
{
	return satp >> V_SATP_ASID_SHIFT & V_SATP_ASID_MASK;
}

/* The part of @va that leads to a table at @level. */
static u64 link_va(u64 va, int level)
{
	return va >> (PAGE_SHIFT + 9 * (level + 1));
}

/* On from @table at @level; 0: nothing.  @h remembers some of the way; or NULL. */
static u64 hart_walk_from(struct hart *h, u64 *table, int level, u64 va, u64 *pfn)
{
	for (; level >= 0; level--) {
		u64 pte = table[umbra_va_index(va, level)];
		u64 ppn = (pte & V_PTE_PPN) >> V_PTE_PPN_SHIFT;
		u64 below = (1ULL << (9 * level)) - 1;

		if (!(pte & V_PTE_V))
			return 0;
		if (!umbra_pte_leaf(pte)) {
			model_check(level);
			/* G: the switcher's. */
			model_check((pte & ~V_PTE_PPN & ~V_PTE_G) == V_PTE_V);
			table = pfn_to_kaddr(ppn);
			if (h && one_in(2))
				h->links[host_rand() % LINK_ENTRIES] = (struct link_entry) {
					table, hw_asid(h->satp), link_va(va, level - 1), level - 1
				};
			continue;
		}
		model_check(!(pte & (V_PTE_RESERVED | V_PTE_G)));
		model_check(pte & V_PTE_A);
		model_check(!(pte & V_PTE_W) || (pte & V_PTE_R));
		model_check(!(ppn & below));
		*pfn = ppn | ((va >> PAGE_SHIFT) & below);
		return pte;
	}
	return 0;
}

/* What the tables under the hardware's satp say. */
static u64 hart_walk(struct hart *h, u64 satp, u64 va, u64 *pfn)
{
	int level = umbra_host.levels - 1;

	model_check(satp >> V_SATP_MODE_SHIFT == umbra_host.satp_mode);
	if (!umbra_va_canonical(va, level))
		return 0;
	return hart_walk_from(h, pfn_to_kaddr(satp & V_SATP_PPN), level, va, pfn);
}

static bool link_leads(const struct link_entry *link, u64 va)
{
	return link->table && link->va == link_va(va, link->level);
}

static void tlb_clear(struct hart *h)
{
	memset(h->tlb, 0, sizeof(h->tlb));
	memset(h->links, 0, sizeof(h->links));
}

/* Another root is loaded; without ASIDs, and a fence. */
static void hart_load_root(struct hart *h, u64 root)
{
	h->satp = root;
	if (!umbra_host.asids)
		tlb_clear(h);
}

void hw_fence_va(u64 va)
{
	for (int i = 0; i < LINK_ENTRIES; i++)
		if (link_leads(&host.cur->links[i], va))
			host.cur->links[i].table = NULL;
	for (int i = 0; i < TLB_ENTRIES; i++)
		if (host.cur->tlb[i].va == (va & ~0xfffULL))
			host.cur->tlb[i].valid = false;
}

void hw_fence_all(void)
{
	tlb_clear(host.cur);
}

void hw_fence_asid_0(void)
{
	for (int i = 0; i < LINK_ENTRIES; i++)
		if (!host.cur->links[i].asid)
			host.cur->links[i].table = NULL;
	for (int i = 0; i < TLB_ENTRIES; i++)
		if (!host.cur->tlb[i].asid)
			host.cur->tlb[i].valid = false;
}

void hw_csr_write(const char *csr, u64 val)
{
	if (!strcmp(csr, "satp")) {
		host.cur->satp = val;
	} else if (!strcmp(csr, "sepc")) {
		host.cur->sepc = val;
		host.cur->sepc_set = true;
	} else {
		model_fail("csrw %s", csr);
	}
}

void *hw_at(u64 va)
{
	u64 pte, pfn;

	model_check(host.in_fast);
	host_moment(IN_SWITCHER);
	pte = hart_walk(NULL, host.cur->satp, va, &pfn);
	if (!(pte & V_PTE_R) || (pte & V_PTE_U))
		return host.guard + offset_in_page(va);
	if (!(pte & V_PTE_W) || !(pte & V_PTE_D))
		return model_memory_ro + ((pfn - MODEL_PFN) << PAGE_SHIFT) + offset_in_page(va);
	return pfn_to_kaddr(pfn) + offset_in_page(va);
}

/* The only stores of the module to guest memory: A and D. */
bool hw_cmpxchg(u64 *at, u64 old, u64 new)
{
	if (*at != old)
		return false;
	*at = new;
	host.pte_updated(pfn_frame(virt_to_pfn(at)) << PAGE_SHIFT | offset_in_page(at),
			 old, new);
	return true;
}

bool hw_cmpxchg_once(u64 *at, u64 old, u64 new)
{
	/* LR faults as a load does, SC as a store. */
	if (*(volatile u64 *)at != old || one_in(16))
		return false;
	*(volatile u64 *)at = new;
	host.pte_updated(pfn_frame(virt_to_pfn(at)) << PAGE_SHIFT | offset_in_page(at),
			 old, new);
	return true;
}

static void hart_exit(struct hart *h)
{
	h->in_guest = false;
	tlb_clear(h);
}

/* As run_once() enters; false: no memory. */
static bool hart_enter(struct hart *h)
{
	struct umbra_vcpu *vcpu = &h->vcpu;

	if (h->in_guest)
		return true;
	do {
		if (vcpu->requests) {
			vcpu->requests = 0;
			umbra_mmu_reset(vcpu);
		}
		vcpu->mmu.forget = false;
		if (umbra_mmu_load(vcpu))
			return false;
	} while (vcpu->requests || vcpu->mmu.forget);
	h->in_guest = true;
	h->satp = vcpu->sw->entry_satp;
	tlb_clear(h);
	return true;
}

/*
 * Translate as the hardware does for U-mode.  A TLB may hold an entry, or
 * several, for the address, may use them, and may have lost them; the same of
 * what leads to a table.
 */
static u64 hart_translate(struct hart *h, u64 va, u64 want, u64 *pfn)
{
	struct tlb_entry *e;
	bool walked = false;
	u64 pte;

	for (int i = 0; i < TLB_ENTRIES; i++) {
		e = &h->tlb[i];
		if (!e->valid || e->va != (va & ~0xfffULL) || e->asid != hw_asid(h->satp) ||
		    one_in(8))
			continue;
		*pfn = e->pfn;
		return e->pte & want;
	}
	for (int i = 0; !walked && i < LINK_ENTRIES; i++) {
		struct link_entry link = h->links[i];

		walked = link_leads(&link, va) && link.asid == hw_asid(h->satp) && !one_in(4);
		if (walked)
			pte = hart_walk_from(h, link.table, link.level, va, pfn);
	}
	if (!walked)
		pte = hart_walk(h, h->satp, va, pfn);
	/* Nothing may be kept, too. */
	e = &h->tlb[host_rand() % TLB_ENTRIES];
	*e = (struct tlb_entry) {
		true, hw_asid(h->satp), va & ~0xfffULL, *pfn, pte & V_PTE_U ? pte : 0
	};
	return e->pte & want;
}

static bool is_fault_in_fast(const char *at)
{
	return host.in_fast && (at - host.guard < (long)PAGE_SIZE ||
				(u64)(at - model_memory_ro) < MODEL_PAGES << PAGE_SHIFT);
}

static void on_signal(int sig, siginfo_t *info, void *ctx)
{
	if (sig == SIGVTALRM)
		model_fail("endless: a script takes more than three seconds");
	if (is_fault_in_fast(info->si_addr))
		siglongjmp(host.fault, 1);
	model_fail("fault at %p", info->si_addr);
}

static void signals_create(void)
{
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGVTALRM, &act, NULL);
}

/* A run may take so long, in seconds of this process alone; 0: no limit. */
static void watchdog(int seconds)
{
	struct itimerval limit = { .it_value.tv_sec = seconds };

	setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

enum fast_call { FAST_FAULT, FAST_FENCE, FAST_SATP };

/* Call fast.c as switch_asm.S does; true: the guest goes on. */
static bool call_fast(struct hart *h, enum fast_call call, u64 a1, u64 a2)
{
	struct umbra_switch *sw = h->vcpu.sw;
	struct umbra_fast *fast = h->vcpu.mmu.fast;
	struct umbra_cpu before = sw->cpu;
	u64 satp = h->satp;
	volatile u64 leave = 1;

	model_check(h->in_guest);
	host.cur = h;
	h->sepc_set = false;
	fast->busy = host.busy;
	host.in_fast = true;
	if (sigsetjmp(host.fault, 0)) {
		/* umbra_sw_abort */
		if (!fast->probing)
			model_fail("a fault in the switcher that cannot be undone");
		fast->probing = 0;
		if (fast->holding) {
			fast->holding = 0;
			fast->busy = 0;
		}
		fast->aborts++;
	} else if (call == FAST_FAULT) {
		leave = umbra_sw_fault(sw);
	} else if (call == FAST_FENCE) {
		leave = umbra_sw_fence(sw, a1, a2);
	} else {
		leave = umbra_sw_satp(sw, a1);
	}
	host.in_fast = false;
	model_check(!fast->holding);
	model_check(fast->busy == host.busy);
	fast->busy = 0;
	if (!leave)
		return true;
	/* It changes nothing and leaves. */
	model_check(!memcmp(&before, &sw->cpu, sizeof(before)));
	model_check(h->satp == satp);
	model_check(!h->sepc_set);
	return false;
}

static void vm_create(unsigned int nr)
{
	struct umbra_vm *vm = kvcalloc(1, sizeof(*vm), 0);

	host.vm = vm;
	vm->mm = &host.mm;
	vm->page = (void *)get_zeroed_page(0);
	umbra_mn_init(vm);
	umbra_mn_register(vm);
	host.nr_sites = 0;
	host.nr_harts = nr;
	for (unsigned int i = 0; i < nr; i++) {
		struct hart *h = &host.hart[i];
		struct umbra_vcpu *vcpu = &h->vcpu;
		u64 page = MODEL_PFN + PAGE_SWITCHER + UMBRA_SW_TEXT_PAGES +
			   UMBRA_SW_DATA_PAGES * i;

		memset(h, 0, sizeof(*h));
		vcpu->vm = vm;
		vcpu->id = i;
		/* umbra_switch_create() */
		vcpu->sw_area = pfn_to_kaddr(page);
		memset(vcpu->sw_area, 0, UMBRA_SW_DATA_PAGES * PAGE_SIZE);
		vcpu->sw = vcpu->sw_area + PAGE_SIZE - SW_SIZE;
		vcpu->cpu = &vcpu->sw->cpu;
		vcpu->hot = vcpu->sw_area + PAGE_SIZE;
		vcpu->mmu.fast = (void *)vcpu->hot + FAST_OFFSET;
		vcpu->mmu.rmap = (void *)vcpu->mmu.fast + UMBRA_SW_FAST_PAGES * PAGE_SIZE;
		vcpu->mmu.hash = (void *)vcpu->mmu.rmap + UMBRA_SW_RMAP_PAGES * PAGE_SIZE;
		vcpu->cpu->priv = UMBRA_PRIV_S;
		if (umbra_mmu_create(vcpu))
			model_fail("umbra_mmu_create()");
		vm->vcpu_list[vm->nr_vcpus++] = vcpu;
	}
}

/* Nothing may be left. */
static void vm_destroy(void)
{
	struct umbra_vm *vm = host.vm;

	for (unsigned int i = 0; i < host.nr_harts; i++)
		umbra_mmu_destroy(&host.hart[i].vcpu);
	umbra_known_free(vm);
	umbra_memslots_free(vm);
	free_page((unsigned long)vm->page);
	kvfree(vm);
	if (host.heap || host.nr_free != MODEL_KERNEL - PAGE_ALLOC)
		model_fail("%s is left when the VM is gone", host.heap ? "memory" : "a page");
	for (unsigned int i = 0; i < host.nr_dirtied; i++)
		if (model_page[host.dirtied[i] - MODEL_PFN].refs)
			model_fail("a reference to a guest page is left");
}

static int slot_set(unsigned int n, bool there, u32 flags)
{
	const struct slot_plan *plan = &slot_plan[n];
	struct kvm_userspace_memory_region mem = {
		.slot = n, .flags = plan->flags | flags,
		.guest_phys_addr = plan->gfn << PAGE_SHIFT,
		.memory_size = there ? plan->npages << PAGE_SHIFT : 0,
		.userspace_addr = plan->hva,
	};
	int ret;

	host.vm->lock.held = true;
	ret = umbra_memslot_set(host.vm, &mem);
	host.vm->lock.held = false;
	return ret;
}

/* --- vmm_core ------------------------------------------------------------------------- */

phys_addr_t umbra_switch_page(struct umbra_vcpu *vcpu, unsigned int n)
{
	if (n < UMBRA_SW_TEXT_PAGES)
		return (MODEL_PFN + PAGE_SWITCHER + n) << PAGE_SHIFT;
	return __pa(vcpu->sw_area) + (n - UMBRA_SW_TEXT_PAGES) * PAGE_SIZE;
}

void umbra_switch_place(struct umbra_vcpu *vcpu, u64 va)
{
	vcpu->sw_va = va;
	vcpu->sw->base_va = va + (UMBRA_SW_TEXT_PAGES + 1) * PAGE_SIZE;
}

/* It enters again with a fence. */
void umbra_vcpu_kick_wait(struct umbra_vcpu *vcpu)
{
	might_sleep();
	hart_exit(container_of(vcpu, struct hart, vcpu));
}

void umbra_vm_request_all(struct umbra_vm *vm, unsigned int req)
{
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		vm->vcpu_list[i]->requests |= BIT(req);
		umbra_vcpu_kick_wait(vm->vcpu_list[i]);
	}
}

void umbra_vm_slot_hva(struct umbra_vm *vm, struct umbra_memslot *was,
		       struct umbra_memslot *slot)
{
}

bool umbra_bus__overlaps(struct umbra_bus *bus, u64 gpa, u64 size)
{
	return false;
}

int umbra_gpa_read(struct umbra_vm *vm, u64 gpa, void *to, size_t len)
{
	struct umbra_memslot *slot;
	int srcu = srcu_read_lock(&vm->slots_srcu);

	might_sleep();
	host_moment(IN_HOST);
	slot = umbra_memslot_find(vm, gpa >> PAGE_SHIFT);
	srcu_read_unlock(&vm->slots_srcu, srcu);
	if (!slot)
		return -EFAULT;
	model_check(offset_in_page(gpa) + len <= PAGE_SIZE);
	memcpy(to, pfn_to_kaddr(user_pfn(frame_hva(gpa >> PAGE_SHIFT))) +
	       offset_in_page(gpa), len);
	return 0;
}

static struct site *site_of(u64 gfn)
{
	for (unsigned int i = 0; i < host.nr_sites; i++)
		if (host.site[i].gfn == gfn)
			return &host.site[i];
	return NULL;
}

bool umbra_sites_active(struct umbra_vm *vm, u64 gfn)
{
	struct site *s = site_of(gfn);

	return s && s->active;
}

bool umbra_sites_written(struct umbra_vm *vm, u64 gfn)
{
	return umbra_sites_active(vm, gfn);
}

bool umbra_sites_in_range(struct umbra_vm *vm, u64 first, u64 last)
{
	for (unsigned int i = 0; i < host.nr_sites; i++)
		if (host.site[i].active && host.site[i].gfn >= first &&
		    host.site[i].gfn <= last)
			return true;
	return false;
}

void umbra_sites_invalidate(struct umbra_vm *vm, u64 first, u64 last)
{
	for (unsigned int i = 0; i < host.nr_sites; i++)
		if (host.site[i].gfn >= first && host.site[i].gfn <= last)
			host.site[i].active = false;
	for (unsigned int i = 0; i < host.nr_harts; i++)
		host.hart[i].vcpu.mmu.forget = true;
}

/* Activate as add_site() does, or restore as umbra_sites_restore(). */
static void sites_set(u64 gfn, bool active)
{
	struct site *s = site_of(gfn);

	if (!s) {
		if (host.nr_sites == ARRAY_SIZE(host.site))
			return;
		s = &host.site[host.nr_sites++];
		s->gfn = gfn;
	}
	s->active = active;
	umbra_mmu_freeze(host.vm, frame_hva(gfn), frame_hva(gfn) + PAGE_SIZE - 1);
	umbra_mmu_zap_all(host.vm, gfn, gfn);
	umbra_mmu_thaw(host.vm, frame_hva(gfn), frame_hva(gfn) + PAGE_SIZE - 1);
	for (unsigned int i = 0; i < host.nr_harts; i++)
		umbra_vcpu_kick_wait(&host.hart[i].vcpu);
}

#endif /* UMBRA_UNIT_SHADOW_HOST_H */
