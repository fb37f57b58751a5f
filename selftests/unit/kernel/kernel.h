/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of Linux as shadow_mmu/ needs, natively: every <linux/...> header
 * that it includes is this one (the Makefile makes them).
 *
 * Single-threaded and checked: a lock that is taken twice, a sleep under a
 * lock, an SRCU section that is not left, memory that is not freed all end the
 * test.  Pages come from one file mapped twice, writable and read-only, so that
 * a store to what the switcher may only read faults here, too.  What belongs to
 * the model (user memory, allocation that fails) is shadow_host.h's, and is
 * declared here.
 */
#ifndef UMBRA_UNIT_KERNEL_H
#define UMBRA_UNIT_KERNEL_H

#include "../../../vmm_core/base.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>

/* --- words ------------------------------------------------------------------- */

#define __user
#define __rcu
#define __aligned(n)		__attribute__((__aligned__(n)))
#define __acquires(x)
#define __releases(x)

typedef u64 phys_addr_t;
typedef unsigned int gfp_t;
struct task_struct;
struct kvm_vcpu;

#define PAGE_SHIFT		12
#define PAGE_SIZE		4096UL
#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((n) + 63) / 64)
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))
#define struct_size(p, member, n) \
	(sizeof(*(p)) + (n) * sizeof((p)->member[0]))
#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile typeof(x) *)&(x) = (v))
#define OPTIMIZER_HIDE_VAR(x)	asm("" : "+r"(x))
#define smp_store_release(p, v)	WRITE_ONCE(*(p), v)
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define xchg_acquire(p, v)	xchg(p, v)
#define local_irq_save(flags)	((flags) = 0)
#define local_irq_restore(flags) ((void)(flags))

/* The test that runs has found something; does not return. */
__attribute__((__noreturn__, __format__(printf, 1, 2)))
void model_fail(const char *fmt, ...);

#define model_check(cond)						\
	do {								\
		if (!(cond))						\
			model_fail("%s:%d: not true: %s", __FILE__,	\
				   __LINE__, #cond);			\
	} while (0)

/* One thread only: who waits here waits for ever. */
static inline void cpu_relax(void)
{
	model_fail("deadlock: waits for what nobody else can give");
}

#define IS_ERR(p)		((unsigned long)(p) >= -4095UL)
#define PTR_ERR(p)		((long)(p))
#define ERR_PTR(e)		((void *)(long)(e))

/* --- bits and lists -------------------------------------------------------------- */

#define ilog2(n)		(63 - __builtin_clzll(n))
#define __ffs64(n)		((unsigned int)__builtin_ctzll(n))

static inline u64 hash_64(u64 val, unsigned int bits)
{
	return val * 0x61c8864680b583ebULL >> (64 - bits);
}

static inline unsigned int next_bit(const unsigned long *map, unsigned int n,
				    unsigned int from)
{
	for (; from < n; from++)
		if (map[from / 64] >> (from % 64) & 1)
			break;
		else if (!(from % 64) && !map[from / 64])
			from += 63;
	return min(from, n);
}

#define for_each_set_bit(bit, map, n)					\
	for ((bit) = next_bit(map, n, 0); (bit) < (n);			\
	     (bit) = next_bit(map, n, (bit) + 1))

static inline unsigned int find_next_zero_bit(const unsigned long *map, unsigned int n,
					      unsigned int from)
{
	while (from < n && map[from / 64] >> (from % 64) & 1)
		from++;
	return from;
}

static inline void bitmap_zero(unsigned long *map, unsigned int n)
{
	memset(map, 0, BITS_TO_LONGS(n) * sizeof(long));
}

static inline bool bitmap_empty(const unsigned long *map, unsigned int n)
{
	return next_bit(map, n, 0) == n;
}

static inline void set_bit(unsigned long bit, unsigned long *map)
{
	map[bit / 64] |= 1UL << (bit % 64);
}

#define __set_bit(bit, map)	set_bit(bit, map)
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define INIT_HLIST_HEAD(h)	((h)->first = NULL)

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	if (n->next)
		n->next->pprev = &n->next;
	h->first = n;
	n->pprev = &h->first;
}

static inline void hlist_del(struct hlist_node *n)
{
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
}

#define hlist_entry_safe(p, type, member) \
	((p) ? container_of(p, type, member) : NULL)
#define hlist_for_each_entry(pos, head, member)				\
	for (pos = hlist_entry_safe((head)->first, typeof(*pos), member); pos; \
	     pos = hlist_entry_safe(pos->member.next, typeof(*pos), member))

struct list_head {
	struct list_head *next, *prev;
};

struct rb_root_cached {
	void *root;
};

struct interval_tree_node {
	unsigned long start, last;
};

/* --- locks ------------------------------------------------------------------------ */

typedef struct {
	bool held;
} spinlock_t;

typedef spinlock_t raw_spinlock_t;

extern unsigned int model_spins;	/* spinlocks held */
extern int model_srcu;			/* SRCU sections entered */

/* Nobody holds a lock: another hart may go on in the guest. */
void model_unlocked(void);

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->held = false;
}

/* Of those that shadow_mmu takes one is taken under another: inv.lock under mmu.lock. */
static inline void spin_lock(spinlock_t *lock)
{
	model_check(!lock->held);
	model_check(model_spins < 2);
	lock->held = true;
	model_spins++;
}

static inline void spin_unlock(spinlock_t *lock)
{
	model_check(lock->held);
	lock->held = false;
	if (!--model_spins)
		model_unlocked();
}

#define lockdep_is_held(lock)		((lock)->held)
#define lockdep_assert_held(lock)	model_check((lock)->held)

static inline void might_sleep(void)
{
	model_check(!model_spins);
}

typedef struct {
	int unused;
} wait_queue_head_t;

/* The thread would sleep: a signal comes at once. */
void model_wait(void);

static inline void init_waitqueue_head(wait_queue_head_t *queue)
{
}

static inline bool wq_has_sleeper(wait_queue_head_t *queue)
{
	return false;
}

static inline void wake_up_all(wait_queue_head_t *queue)
{
}

#define wait_event_interruptible(queue, condition)			\
	({								\
		might_sleep();						\
		model_check(!model_srcu);				\
		if (!(condition))					\
			model_wait();					\
	})

struct mutex {
	bool held;
};

typedef struct {
	unsigned int sequence;
} seqcount_t;

struct rcu_head {
	void (*func)(struct rcu_head *rcu);
};

struct srcu_struct {
	int unused;
};

static inline int srcu_read_lock(struct srcu_struct *srcu)
{
	return ++model_srcu;
}

static inline void srcu_read_unlock(struct srcu_struct *srcu, int idx)
{
	model_check(model_srcu == idx);
	model_srcu--;
}

#define srcu_dereference(p, srcu)	({ model_check(model_srcu); (p); })
#define rcu_dereference_protected(p, c)	({ model_check(c); (p); })
#define rcu_assign_pointer(p, v)	((p) = (v))
#define RCU_INIT_POINTER(p, v)		((p) = (v))

/* The slots have changed, and not every vCPU has heard of it. */
void model_synchronize(void);

static inline void synchronize_srcu_expedited(struct srcu_struct *srcu)
{
	might_sleep();
	model_check(!model_srcu);
	model_synchronize();
}

static inline void srcu_barrier(struct srcu_struct *srcu)
{
}

static inline void call_srcu(struct srcu_struct *srcu, struct rcu_head *rcu,
			     void (*func)(struct rcu_head *rcu))
{
	func(rcu);
}

/* --- pages ------------------------------------------------------------------------ */

/*
 * Physical memory: pages MODEL_PFN .. MODEL_PFN + MODEL_PAGES - 1.  Of these
 * the first MODEL_KERNEL are what get_zeroed_page() gives.
 */
#define MODEL_PFN		0x100000UL
#define MODEL_PAGES		0x100000UL
#define MODEL_KERNEL		0x4000UL

extern char *model_memory;	/* the kernel's linear map */
extern char *model_memory_ro;	/* the same memory, read-only */

struct page {
	int refs;
	bool dirty;
};

extern struct page *model_page;	/* [MODEL_PAGES] */

static inline void *pfn_to_kaddr(unsigned long pfn)
{
	model_check(pfn - MODEL_PFN < MODEL_PAGES);
	return model_memory + ((pfn - MODEL_PFN) << PAGE_SHIFT);
}

static inline unsigned long virt_to_pfn(const void *p)
{
	unsigned long off = (const char *)p - model_memory;

	model_check(off >> PAGE_SHIFT < MODEL_PAGES);
	return MODEL_PFN + (off >> PAGE_SHIFT);
}

#define __pa(p)			((u64)virt_to_pfn(p) << PAGE_SHIFT | offset_in_page(p))

static inline unsigned long page_to_pfn(const struct page *page)
{
	return MODEL_PFN + (page - model_page);
}

static inline void *page_address(const struct page *page)
{
	return pfn_to_kaddr(page_to_pfn(page));
}

static inline void put_page(struct page *page)
{
	model_check(page->refs > 0);
	page->refs--;
}

static inline void SetPageDirty(struct page *page)
{
	page->dirty = true;
}

#define ZERO_PAGE(va)		(&model_page[0])

typedef struct {
	u64 pte;
} pte_t;

typedef struct {
	u64 pgprot;
} pgprot_t;

#define pte_val(x)		((x).pte)
#define __pgprot(x)		((pgprot_t) { x })

static inline pte_t pfn_pte(unsigned long pfn, pgprot_t prot)
{
	return (pte_t) { pfn << 10 | prot.pgprot };
}

#define GFP_KERNEL_ACCOUNT	0U

unsigned long get_zeroed_page(gfp_t gfp);
void free_page(unsigned long page);
void *kvcalloc(size_t n, size_t size, gfp_t gfp);
void kvfree(const void *p);

#define kvmalloc(size, gfp)	kvcalloc(1, size, gfp)
#define kzalloc(size, gfp)	kvcalloc(1, size, gfp)
#define kfree(p)		kvfree(p)

/* --- user memory --------------------------------------------------------------------- */

#define FOLL_WRITE		1

struct mm_struct {
	u64 *pgd;
};

#define access_ok(p, size)	((unsigned long)(p) + (size) < 1UL << 56)

int get_user_pages_fast(unsigned long va, int n, unsigned int flags, struct page **page);
int get_user_pages_fast_only(unsigned long va, int n, unsigned int flags,
			     struct page **page);
/* 8 bytes of user memory; false where there are none. */
bool model_get_user(u64 *to, unsigned long va);

#define get_user(x, p)		(model_get_user(&(x), (unsigned long)(p)) ? 0 : -EFAULT)
/* Only the dirty log's ioctls use them. */
#define put_user(x, p)		(*(p) = (x), 0)
#define copy_to_user(to, from, n) (memcpy(to, from, n), 0)

/* --- what is held in structures and not used ---------------------------------------------- */

struct hrtimer {
	int unused;
};

struct preempt_notifier {
	int unused;
};

struct rcuwait {
	int unused;
};

typedef struct {
	int n;
} refcount_t;

typedef struct {
	long n;
} atomic_long_t;

static inline long atomic_long_fetch_andnot(long mask, atomic_long_t *v)
{
	return __atomic_fetch_and(&v->n, ~mask, __ATOMIC_SEQ_CST);
}

/* Slots by id: few. */
struct xarray {
	void *at[16];
};

static inline void *xa_load(struct xarray *xa, unsigned long i)
{
	return i < ARRAY_SIZE(xa->at) ? xa->at[i] : NULL;
}

static inline void *xa_store(struct xarray *xa, unsigned long i, void *p, gfp_t gfp)
{
	model_check(i < ARRAY_SIZE(xa->at));
	xa->at[i] = p;
	return NULL;
}

static inline int xa_err(void *p)
{
	return 0;
}

static inline void xa_erase(struct xarray *xa, unsigned long i)
{
	xa_store(xa, i, NULL, 0);
}

static inline void xa_destroy(struct xarray *xa)
{
	memset(xa, 0, sizeof(*xa));
}

struct mmu_notifier_ops;

struct mmu_notifier {
	const struct mmu_notifier_ops *ops;
};

struct mmu_notifier_range {
	unsigned long start, end;
};

struct mmu_notifier_ops {
	int (*invalidate_range_start)(struct mmu_notifier *mn,
				      const struct mmu_notifier_range *range);
	void (*invalidate_range_end)(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range);
	void (*release)(struct mmu_notifier *mn, struct mm_struct *mm);
};

static inline int mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm)
{
	return 0;
}

static inline void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm)
{
}

/* Tracepoints trace nothing. */
#define TP_PROTO(...)		__VA_ARGS__
#define TRACE_EVENT(event, proto, ...) \
	static inline void trace_##event(proto) {}

#endif /* UMBRA_UNIT_KERNEL_H */
