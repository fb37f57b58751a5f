// SPDX-License-Identifier: GPL-2.0
/*
 * Pages and page tables of the small kernel (mini.h). Called with its lock
 * held.
 */
#include "mini.h"

struct page {
	struct page *next;
};

u64 *kernel_table, free_pages;
static struct page *pages;

void *page_get(void)
{
	struct page *p = pages;

	if (!p)
		return NULL;
	pages = p->next;
	free_pages--;
	memset(p, 0, 4096);
	return p;
}

void page_put(void *page)
{
	struct page *p = page;

	/* What is still used by mistake shows. */
	memset(p, 0x5a, 4096);
	p->next = pages;
	pages = p;
	free_pages++;
}

static u64 pte_pa(u64 pte)
{
	return pte >> 10 << 12;
}

u64 *walk(u64 *table, u64 va, bool make)
{
	for (int level = 2; level; level--) {
		u64 *pte = &table[va >> (12 + 9 * level) & 511];

		if (!(*pte & PTE_V)) {
			void *page = make ? page_get() : NULL;

			if (!page)
				return NULL;
			*pte = PTE(page, PTE_V);
		}
		table = (u64 *)pte_pa(*pte);
	}
	return &table[va >> 12 & 511];
}

bool map(u64 *table, u64 va, u64 pa, u64 size, u64 flags)
{
	for (u64 at = 0; at < size; at += 4096) {
		u64 *pte = walk(table, va + at, true);

		if (!pte)
			return false;
		if (*pte & PTE_V)
			panic("mapped twice", va + at);
		*pte = PTE(pa + at, flags | PTE_V);
	}
	return true;
}

static void free_below(u64 *table, int level)
{
	for (int i = 0; i < 512; i++) {
		if (!(table[i] & PTE_V))
			continue;
		if (level)
			free_below((u64 *)pte_pa(table[i]), level - 1);
		else if (table[i] & PTE_U)
			page_put((void *)pte_pa(table[i]));
	}
	page_put(table);
}

void table_free(u64 *table)
{
	free_below(table, 2);
}

/* One 4 KiB page at a time: many leaves, as such kernels have them. A and D are hardware's. */
void memory_init(void)
{
	extern char __image_start[], __image_end[], __text_end[];
	u64 text = (u64)__image_start, data = (u64)__text_end;

	for (u64 p = (u64)__image_end; p < RAM + RAM_SIZE; p += 4096)
		page_put((void *)p);
	kernel_table = page_get();
	map(kernel_table, UART, UART, 0x1000, PTE_R | PTE_W | PTE_AD);
	map(kernel_table, DISK, DISK, 0x1000, PTE_R | PTE_W | PTE_AD);
	map(kernel_table, FINISHER, FINISHER, 0x1000, PTE_R | PTE_W | PTE_AD);
	map(kernel_table, PLIC, PLIC, 0x400000, PTE_R | PTE_W | PTE_AD);
	map(kernel_table, text, text, data - text, PTE_R | PTE_X | PTE_AD);
	map(kernel_table, data, data, RAM + RAM_SIZE - data, PTE_R | PTE_W | PTE_AD);
	map(kernel_table, TRAMPOLINE, (u64)trampoline, 0x1000, PTE_R | PTE_X | PTE_AD);
}

/* ---- of processes ---- */

bool user_grow(u64 *table, u64 from, u64 to)
{
	for (u64 va = from; va < to; va += 4096) {
		void *page = page_get();

		if (!page || !map(table, va, (u64)page, 4096, PTE_R | PTE_W | PTE_U | PTE_AD)) {
			if (page)
				page_put(page);
			user_shrink(table, from, va);
			return false;
		}
	}
	return true;
}

/* The fence is in the trampoline. */
void user_shrink(u64 *table, u64 from, u64 to)
{
	for (u64 va = from; va < to; va += 4096) {
		u64 *pte = walk(table, va, false);

		page_put((void *)pte_pa(*pte));
		*pte = 0;
	}
}

u64 *user_table(struct proc *p)
{
	u64 *table = page_get();

	if (table && map(table, TRAMPOLINE, (u64)trampoline, 4096, PTE_R | PTE_X | PTE_AD) &&
	    map(table, TRAPFRAME, (u64)p->tf, 4096, PTE_R | PTE_W | PTE_AD))
		return table;
	if (table)
		table_free(table);
	return NULL;
}

static bool copy_below(u64 *to, u64 *from, int level, u64 va)
{
	for (u64 i = 0; i < 512; i++, va += 4096UL << 9 * level) {
		void *page;

		if (!(from[i] & PTE_V))
			continue;
		if (level) {
			if (!copy_below(to, (u64 *)pte_pa(from[i]), level - 1, va))
				return false;
			continue;
		}
		if (!(from[i] & PTE_U))
			continue;
		page = page_get();
		if (!page)
			return false;
		memcpy(page, (void *)pte_pa(from[i]), 4096);
		if (!map(to, va, (u64)page, 4096, from[i] & 0x3ff)) {
			page_put(page);
			return false;
		}
	}
	return true;
}

bool user_copy(u64 *to, u64 *from)
{
	return copy_below(to, from, 2, 0);
}

/* Where byte @va of the process is, for reading or writing by the kernel. */
static u8 *user_byte(struct proc *p, u64 va, u64 flags)
{
	u64 *pte = va < MAX_VA ? walk(p->table, va, false) : NULL;

	if (!pte || (*pte & (flags | PTE_V | PTE_U)) != (flags | PTE_V | PTE_U))
		return NULL;
	return (u8 *)pte_pa(*pte) + (va & 4095);
}

bool copy_out(struct proc *p, u64 va, const void *from, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		u8 *to = user_byte(p, va + i, PTE_W);

		if (!to)
			return false;
		*to = ((const u8 *)from)[i];
	}
	return true;
}

bool copy_in(struct proc *p, void *to, u64 va, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		const u8 *from = user_byte(p, va + i, PTE_R);

		if (!from)
			return false;
		((u8 *)to)[i] = *from;
	}
	return true;
}
