// SPDX-License-Identifier: GPL-2.0
// SOURCES: ../../shadow_mmu/walk.c
/*
 * The guest page-table walk against an oracle that follows the numbered steps
 * of the privileged specification (section 10.3.2, "Virtual Address Translation
 * Process") on a small physical memory: tables, PTEs, addresses, permissions
 * and races are random, biased to where the rules are.
 */
#include "unit.h"
#include "../../shadow_mmu/walk.h"

/* --- physical memory ------------------------------------------------------------ */

#define PAGES		12
#define READ_ONLY	2		/* pages whose PTEs cannot be updated */

static struct {
	u64 ppn[PAGES];			/* where each page lies */
	u64 word[PAGES][512];
	unsigned int reads;
	u64 read_addr[16];
	unsigned int updates;		/* successful cmpxchg: the only writes */
	u64 update_addr;
	/* A race: the PTE changes just before the update, this often. */
	unsigned int races;
	u64 race_mask;
} mem;

static u64 *mem_at(u64 gpa)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		if (mem.ppn[i] == gpa >> 12)
			return &mem.word[i][(gpa & 0xfff) / 8];
	return NULL;
}

static bool mem_read_only(u64 gpa)
{
	unsigned int i;

	for (i = 0; i < READ_ONLY; i++)
		if (mem.ppn[i] == gpa >> 12)
			return true;
	return false;
}

static int op_read(void *ctx, u64 gpa, u64 *pte)
{
	u64 *p = mem_at(gpa);

	expect_eq(gpa & 7, 0);
	expect(ctx == &mem);
	if (mem.reads < ARRAY_SIZE(mem.read_addr))
		mem.read_addr[mem.reads] = gpa;
	mem.reads++;
	if (!p)
		return -EFAULT;
	*pte = *p;
	return 0;
}

static int op_cmpxchg(void *ctx, u64 gpa, u64 old, u64 new)
{
	u64 *p = mem_at(gpa);

	if (!p || mem_read_only(gpa))
		return -EFAULT;
	if (mem.races) {
		mem.races--;
		*p ^= mem.race_mask;
	}
	if (*p != old)
		return -EAGAIN;
	*p = new;
	mem.updates++;
	mem.update_addr = gpa;
	return 0;
}

static const struct umbra_walk_ops ops = {
	.read_pte = op_read, .cmpxchg_pte = op_cmpxchg,
};

/* --- the oracle --------------------------------------------------------------------- */

enum access { LOAD, STORE, FETCH };
enum outcome { OK, PAGE_FAULT, ACCESS_FAULT };

struct oracle {
	/* in */
	unsigned int mode;		/* 8, 9, 10; 0: bare */
	u64 root;			/* ppn */
	bool user, sum, mxr, svade;
	enum access access;
	/* out */
	u64 pa;
	int level;
	u64 pte_addr;			/* the leaf */
	u64 pte_new;			/* and what it becomes */
	unsigned int reads;
	u64 read_addr[5];
};

static bool bit(u64 v, unsigned int n)
{
	return (v >> n) & 1;
}

static enum outcome oracle(struct oracle *o, u64 va)
{
	u64 vpn[5], ppn[5], pte, a;
	unsigned int levels, n;
	bool allowed;
	int i;

	o->reads = 0;
	o->pte_addr = 0;
	if (o->mode == 0) {
		o->pa = va;
		o->level = 0;
		return OK;
	}
	levels = o->mode - 5;

	/* The bits above the most significant of the VPN must all equal it. */
	for (n = 12 + 9 * levels; n < 64; n++)
		if (bit(va, n) != bit(va, 12 + 9 * levels - 1))
			return PAGE_FAULT;
	for (n = 0; n < levels; n++)
		vpn[n] = (va / 4096 >> (9 * n)) % 512;

	/* 1. */
	a = o->root * 4096;
	i = levels - 1;
	for (;;) {
		u64 *p;

		/* 2. */
		o->read_addr[o->reads++] = a + vpn[i] * 8;
		p = mem_at(a + vpn[i] * 8);
		if (!p)
			return ACCESS_FAULT;
		pte = *p;
		/* 3. Reserved: bits 60-54; and PBMT and N, without Svpbmt, Svnapot. */
		if (!bit(pte, 0) || (!bit(pte, 1) && bit(pte, 2)))
			return PAGE_FAULT;
		for (n = 54; n < 64; n++)
			if (bit(pte, n))
				return PAGE_FAULT;
		/* 4. */
		if (bit(pte, 1) || bit(pte, 3))
			break;
		/* D, A and U are reserved in a non-leaf PTE. */
		if (bit(pte, 7) || bit(pte, 6) || bit(pte, 4))
			return PAGE_FAULT;
		i--;
		if (i < 0)
			return PAGE_FAULT;
		a = (pte >> 10) * 4096;
	}

	/* PPN fields; the top one is as wide as it needs to be. */
	for (n = 0; n < levels; n++)
		ppn[n] = n == levels - 1 ? pte >> 10 >> (9 * n) :
					   (pte >> 10 >> (9 * n)) % 512;
	/* 5. Misaligned superpage. */
	for (n = 0; (int)n < i; n++)
		if (ppn[n])
			return PAGE_FAULT;
	/* 6. The U bit, privilege and SUM. */
	if (o->user) {
		if (!bit(pte, 4))
			return PAGE_FAULT;
	} else if (bit(pte, 4)) {
		/* Irrespective of SUM, no code in user pages. */
		if (o->access == FETCH || !o->sum)
			return PAGE_FAULT;
	}
	/* 7. R, W, X and MXR. */
	allowed = false;
	if (o->access == LOAD)
		allowed = bit(pte, 1) || (bit(pte, 3) && o->mxr);
	else if (o->access == STORE)
		allowed = bit(pte, 2);
	else
		allowed = bit(pte, 3);
	if (!allowed)
		return PAGE_FAULT;
	/* 9. A and D. */
	o->pte_addr = a + vpn[i] * 8;
	o->pte_new = pte;
	if (!bit(pte, 6) || (o->access == STORE && !bit(pte, 7))) {
		if (o->svade)
			return PAGE_FAULT;
		if (mem_read_only(o->pte_addr))
			return ACCESS_FAULT;
		o->pte_new |= 1 << 6;
		if (o->access == STORE)
			o->pte_new |= 1 << 7;
	}
	/* 10. */
	o->pa = va % 4096;
	for (n = 0; n < levels; n++)
		o->pa += ((int)n < i ? vpn[n] : ppn[n]) << (12 + 9 * n);
	o->level = i;
	return OK;
}

/* --- random tables ---------------------------------------------------------------------- */

static u64 random_page(void)
{
	return mem.ppn[unit_rand_below(PAGES)];
}

/* A PTE of every kind; mostly such that the walk goes on. */
static u64 random_pte(int level)
{
	u64 r = unit_rand(), pte = 1;

	switch (r & 31) {
	case 0:
		return unit_rand();
	case 1:
		/* Nothing there. */
		return unit_rand() & ~1ull;
	case 2:
		/* A reserved bit. */
		pte |= 1ull << (54 + unit_rand_below(10));
		break;
	case 3:
		/* To where no memory is. */
		return 1 | (unit_rand() & 0x3ffffffffffc00);
	}
	if (level && (r & 0x300)) {
		/* A pointer; now and then with a bit that it may not have. */
		pte |= random_page() << 10;
		if (!(r & 0xfc00))
			pte |= 1 << (4 + unit_rand_below(4));
		return pte | (r & 0x20);
	}
	pte |= (unit_rand() & 0xff) | 1;
	/* Often what software really makes. */
	if (r & 0x10000)
		pte |= 0x42 | (r & 0x20000 ? 0x84 : 0) | (r & 0x40000 ? 8 : 0);
	pte |= (unit_rand() & 0xfffffffffff) << 10;
	/* Aligned superpages, and ones that miss it by one bit. */
	if (r & 0x180000)
		pte &= ~(((1ull << (9 * level)) - 1) << 10);
	if (level && !(r & 0xe00000))
		pte |= 1ull << (10 + unit_rand_below(9 * level));
	return pte;
}

static void random_memory(void)
{
	unsigned int i, j;

	for (i = 0; i < PAGES; i++) {
		/* Anywhere in 56 bits, no two the same. */
		do {
			mem.ppn[i] = unit_rand() & 0xfffffffffff;
			if (unit_rand() & 1)
				mem.ppn[i] &= 0xfffff;
			for (j = 0; j < i && mem.ppn[j] != mem.ppn[i]; j++)
				;
		} while (j < i);
	}
	/* The level a page is used at is not known here: any will do. */
	for (i = 0; i < PAGES; i++)
		for (j = 0; j < 512; j++)
			mem.word[i][j] = random_pte(unit_rand_below(5));
}

static u64 random_va(unsigned int levels)
{
	u64 va = unit_rand();
	unsigned int bits = 12 + 9 * levels;

	switch (unit_rand_below(16)) {
	case 0:
		return va;		/* most likely not canonical */
	case 1:
		/* Wrong in one bit only. */
		va = (u64)((s64)(va << (64 - bits)) >> (64 - bits));
		return bits < 64 ? va ^ 1ull << (bits + unit_rand_below(64 - bits)) : va;
	default:
		return (u64)((s64)(va << (64 - bits)) >> (64 - bits));
	}
}

static void random_request(struct oracle *o, struct umbra_walk *w)
{
	static const enum umbra_access accesses[] = {
		[LOAD] = UMBRA_ACCESS_READ, [STORE] = UMBRA_ACCESS_WRITE,
		[FETCH] = UMBRA_ACCESS_EXEC,
	};
	u64 r = unit_rand();

	*o = (struct oracle) {
		.mode = 8 + unit_rand_below(3),
		.root = r & 0xff00 ? random_page() : unit_rand() & 0xfffffffffff,
		.user = r & 1, .sum = r & 2, .mxr = r & 4, .svade = r & 8,
		.access = unit_rand_below(3),
	};
	*w = (struct umbra_walk) {
		.satp = (u64)o->mode << 60 | (r >> 16 & 0xffff) << 44 | o->root,
		.user = o->user, .sum = o->sum, .mxr = o->mxr,
		.svade = o->svade, .access = accesses[o->access],
		.level = -7,
	};
}

static const char *const outcome_names[] = { "0", "page fault", "access fault" };

static void describe(const struct oracle *o, u64 va)
{
	static const char *const names[] = { "load", "store", "fetch" };

	fail_test("Sv%u, va %#llx, %s from %c-mode, sum %d, mxr %d, svade %d; leaf at %#llx",
		  9 * (o->mode - 5) + 12, (unsigned long long)va,
		  names[o->access], o->user ? 'U' : 'S', o->sum, o->mxr,
		  o->svade, (unsigned long long)o->pte_addr);
}

static enum outcome outcome_of(int ret)
{
	return ret == UMBRA_WALK_PAGE_FAULT ? PAGE_FAULT :
	       ret == UMBRA_WALK_ACCESS_FAULT ? ACCESS_FAULT : OK;
}

/* One walk on both; false when they differ. */
static bool walk_both(struct oracle *o, struct umbra_walk *w, u64 va,
		      enum outcome *want)
{
	unsigned long failures = unit.failures;
	bool update = false;
	int ret;

	*want = oracle(o, va);
	if (*want == OK && o->mode)
		update = *mem_at(o->pte_addr) != o->pte_new;
	mem.reads = 0;
	mem.updates = 0;
	ret = umbra_walk(w, va, &ops, &mem);
	if (ret < 0 || outcome_of(ret) != *want) {
		fail_test("umbra_walk() returns %d, expected %s", ret,
			  outcome_names[*want]);
	} else if (*want == OK) {
		expect_eq(w->gpa, o->pa);
		expect_eq(w->level, o->level);
		if (o->mode) {
			expect_eq(w->pte[o->level], o->pte_new);
			expect_eq(w->table[o->level], o->pte_addr >> 12);
			expect_eq(w->top, o->mode - 6);
			expect_eq(*mem_at(o->pte_addr), o->pte_new);
		}
	}
	/* The same PTEs are read, in the same order, each once. */
	if (expect_eq(mem.reads, o->reads))
		expect_mem_eq(mem.read_addr, o->read_addr, o->reads * 8);
	/* Nothing but the leaf's A and D is ever written, and only when needed. */
	if (expect_eq(mem.updates, update) && update)
		expect_eq(mem.update_addr, o->pte_addr);
	if (unit.failures != failures)
		describe(o, va);
	return unit.failures == failures;
}

UNIT_TEST(random_tables)
{
	unsigned long seen[3] = { 0 }, levels[5] = { 0 }, updates = 0;
	unsigned int i, j;

	for (i = 0; i < 4000; i++) {
		random_memory();
		for (j = 0; j < 1000; j++) {
			struct umbra_walk w;
			enum outcome want;
			struct oracle o;
			u64 va;

			random_request(&o, &w);
			va = random_va(o.mode - 5);
			if (!walk_both(&o, &w, va, &want))
				return;
			seen[want]++;
			updates += mem.updates;
			if (want == OK)
				levels[o.level]++;
		}
	}
	/* The generator must reach everything often. */
	printf("# %lu translated, %lu page faults, %lu access faults, %lu updates\n",
	       seen[OK], seen[PAGE_FAULT], seen[ACCESS_FAULT], updates);
	for (i = 0; i < 3; i++)
		expect(seen[i] > 10000);
	for (i = 0; i < 5; i++)
		expect(levels[i] > 100);
	expect(updates > 10000);
}

/*
 * A well-formed path to a leaf with every combination of flags: exhaustive in
 * V R W X U G A D x user x sum x mxr x svade x access x level.
 */
static void one_path(unsigned int mode, int level, u64 flags, unsigned int how)
{
	unsigned int levels = mode - 5;
	struct umbra_walk w;
	enum outcome want;
	struct oracle o;
	u64 va;
	int i;

	memset(mem.word, 0, sizeof(mem.word));
	va = random_va(levels);
	va = (u64)((s64)(va << (52 - 9 * levels)) >> (52 - 9 * levels));
	for (i = levels - 1; i > level; i--)
		mem.word[READ_ONLY + i][(va >> (12 + 9 * i)) & 511] =
			mem.ppn[READ_ONLY + i - 1] << 10 | 1;
	mem.word[READ_ONLY + level][(va >> (12 + 9 * level)) & 511] =
		flags | (unit_rand() & 0xfffffffffff & ~((1ull << (9 * level)) - 1)) << 10;
	random_request(&o, &w);
	o.mode = mode;
	o.root = mem.ppn[READ_ONLY + levels - 1];
	o.user = w.user = how & 1;
	o.sum = w.sum = how & 2;
	o.mxr = w.mxr = how & 4;
	o.svade = w.svade = how & 8;
	o.access = how >> 4;
	w.access = o.access == LOAD ? UMBRA_ACCESS_READ :
		   o.access == STORE ? UMBRA_ACCESS_WRITE : UMBRA_ACCESS_EXEC;
	w.satp = (u64)mode << 60 | o.root;
	walk_both(&o, &w, va, &want);
}

UNIT_TEST(every_flag)
{
	unsigned int mode, how;
	u64 flags;
	int level;

	random_memory();
	for (mode = 8; mode <= 10; mode++)
		for (level = 0; level < (int)mode - 5; level++)
			for (flags = 0; flags < 256; flags++)
				for (how = 0; how < 48 && !unit.failures; how++)
					one_path(mode, level, flags, how);
}

/* Translation off: any address, no memory is touched. */
UNIT_TEST(bare)
{
	unsigned int i;

	random_memory();
	for (i = 0; i < 1000; i++) {
		struct umbra_walk w;
		enum outcome want;
		struct oracle o;

		random_request(&o, &w);
		o.mode = 0;
		w.satp &= (1ull << 60) - 1;
		walk_both(&o, &w, unit_rand(), &want);
		expect_eq(want, OK);
		expect_eq(mem.reads, 0);
	}
}

/*
 * Another hart changes the PTE between read and update: the result is that of
 * a walk of the changed tables, or -EAGAIN when it goes on and on; and what
 * the other hart wrote is never overwritten.
 */
UNIT_TEST(races)
{
	unsigned long again = 0, settled = 0, won = 0;
	unsigned int i, j;

	for (i = 0; i < 600; i++) {
		random_memory();
		for (j = 0; j < 400; j++) {
			unsigned int races = 1 + unit_rand_below(6);
			struct umbra_walk w;
			struct oracle o;
			u64 va, before = 0, after, *leaf, mask;
			enum outcome want;
			int ret;

			random_request(&o, &w);
			o.svade = w.svade = false;
			va = random_va(o.mode - 5);
			want = oracle(&o, va);
			leaf = o.pte_addr ? mem_at(o.pte_addr) : NULL;
			if (want != OK || *leaf == o.pte_new)
				continue;
			before = *leaf;
			/* A bit of any kind: V, permissions, A, D, PPN, software. */
			mask = 1ull << unit_rand_below(54);
			mem.races = races;
			mem.race_mask = mask;
			mem.reads = 0;
			mem.updates = 0;
			ret = umbra_walk(&w, va, &ops, &mem);
			races -= mem.races;	/* those that happened */
			mem.races = 0;

			/* What other harts made of the word, without our update. */
			after = races & 1 ? before ^ mask : before;
			if (ret == -EAGAIN) {
				/* Not before a few honest tries. */
				expect(races >= 4);
				expect_eq(mem.updates, 0);
				expect_eq(*leaf, after);
				again++;
				continue;
			}
			if (mem.updates) {
				won++;
				expect_eq(mem.updates, 1);
				/* Only A and D may differ, upwards. */
				expect_eq(*leaf & ~0xc0ull, after & ~0xc0ull);
				expect_eq(*leaf & after, after);
			} else {
				expect_eq(*leaf, after);
			}
			/* As if the walk had begun after the last change. */
			*leaf = after;
			want = oracle(&o, va);
			if (ret < 0 || outcome_of(ret) != want) {
				fail_test("%d after %u races (mask %#llx), expected %s",
					  ret, races, (unsigned long long)mask,
					  outcome_names[want]);
				describe(&o, va);
			} else if (want == OK) {
				expect_eq(w.gpa, o.pa);
				expect_eq(w.pte[w.level], o.pte_new);
			}
			settled++;
		}
	}
	printf("# %lu gave up, %lu settled, %lu of them with an update\n", again,
	       settled, won);
	expect(again > 100);
	expect(settled > 1000);
	expect(won > 100);
}

/* Errors of the callbacks that mean "not now" come through as they are. */
static int op_read_error(void *ctx, u64 gpa, u64 *pte)
{
	return -ENOMEM;
}

UNIT_TEST(callback_errors)
{
	static const struct umbra_walk_ops bad = {
		.read_pte = op_read_error, .cmpxchg_pte = op_cmpxchg,
	};
	struct umbra_walk w = {
		.satp = 8ull << 60 | 0x80000, .access = UMBRA_ACCESS_READ,
	};

	expect_eq(umbra_walk(&w, 0x1000, &bad, &mem), -ENOMEM);
	/* Not canonical: no memory is looked at. */
	expect_eq(umbra_walk(&w, 1ull << 38, &bad, &mem), UMBRA_WALK_PAGE_FAULT);
}

int main(int argc, char **argv)
{
	return unit_main(argc, argv);
}
