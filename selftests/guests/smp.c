// SPDX-License-Identifier: GPL-2.0
/*
 * Several harts: starting, stopping and suspending them, interrupts and fences
 * from one to another, atomics.
 *
 * SBI specification 2.0: ch. 7 (IPI), 8 (RFENCE), 9 (HSM). A remote fence has
 * taken effect when the call returns; an interrupt sent is pending until it is
 * cleared. The tests look at values that only a lost fence or a lost interrupt
 * can explain, so they are right however the harts are scheduled, and few
 * enough rounds that 64 harts on one CPU come through.
 */
#include "guest.h"

#define MAX_HARTS	64
#define NO_HART_MASK	(~0UL)	/* hart_mask_base: all harts */
#define FRAMES		64
#define ASID		5UL
/* Where the tests' own mappings are, in every mode. */
#define WINDOW		0x200000000UL

enum { HSM_STARTED, HSM_STOPPED, HSM_START_PENDING, HSM_STOP_PENDING, HSM_SUSPENDED };
enum { RFENCE_I, RFENCE_VMA, RFENCE_VMA_ASID };

/**
 * struct hart - what a hart works on; its tp
 * @fn: what it runs when it is started, before it stops
 * @cause: of a trap, which none of them expects, with @pc and @tval; NO_TRAP
 * @line: of the first check that failed, 0: none, with @got and @want
 */
struct hart {
	u64 sp;			/* offsets known to the assembly below */
	u64 cause;
	u64 pc;
	u64 tval;
	void (*fn)(struct hart *h);
	u64 id;
	u64 index;
	u64 arg;
	u64 seen_a0;
	u64 seen_satp;
	u64 seen_status;
	u64 runs;
	u64 count;
	u64 line;
	u64 got;
	u64 want;
	u64 rand;
} __attribute__((aligned(64)));

extern char hart_entry[], hart_resume[], hart_trap[];
void hart_main(u64 a0, struct hart *h);
void hart_resumed(u64 a0, struct hart *h);

asm("	.text\n"
	"	.option	norelax\n"
	"	.balign	4\n"
	/* a0: hart id, a1: struct hart */
	"hart_entry:\n"
	"	mv	tp, a1\n"
	"	ld	sp, 0(a1)\n"
	"	la	t0, hart_trap\n"
	"	csrw	stvec, t0\n"
	"	call	hart_main\n"
	"	j	hart_stop\n"
	"	.balign	4\n"
	"hart_resume:\n"
	"	mv	tp, a1\n"
	"	ld	sp, 0(a1)\n"
	"	la	t0, hart_trap\n"
	"	csrw	stvec, t0\n"
	"	call	hart_resumed\n"
	"	j	hart_stop\n"
	"	.balign	4\n"
	"hart_trap:\n"
	"	csrr	t0, sepc\n"
	"	sd	t0, 16(tp)\n"
	"	csrr	t0, stval\n"
	"	sd	t0, 24(tp)\n"
	"	csrr	t0, scause\n"
	"	sd	t0, 8(tp)\n"
	"hart_stop:\n"
	"	li	a7, 0x48534d\n"
	"	li	a6, 1\n"
	"	ecall\n"
	"	j	hart_stop\n");

static struct hart harts[MAX_HARTS];
static unsigned int nharts;
static u8 stacks[MAX_HARTS][2048] __attribute__((aligned(16)));
static volatile u64 go;			/* run_all(): all have come */
static volatile u64 done;		/* those that have ended */
static volatile u64 trouble;		/* a check failed: nobody waits any more */

static u64 load(volatile u64 *p)
{
	u64 v = *p;

	asm volatile("fence r, rw" ::: "memory");
	return v;
}

static void store(volatile u64 *p, u64 v)
{
	asm volatile("fence rw, w" ::: "memory");
	*p = v;
}

static u64 add(volatile u64 *p, u64 v)
{
	u64 was;

	asm volatile("amoadd.d.aqrl %0, %2, %1" : "=r"(was), "+A"(*p) : "r"(v) : "memory");
	return was;
}

static u64 rand(struct hart *h)
{
	h->rand = h->rand * 6364136223846793005UL + 1442695040888963407UL;
	return h->rand >> 33;
}

/* Another hart has to come on: let it. Interrupts stay off, wfi ends anyway. */
static void nap(void)
{
	csr_set(sie, BIT(IRQ_STI));
	set_timer(rdtime() + timebase / 10000);
	asm volatile("wfi" ::: "memory");
	set_timer(~0UL);
	csr_clear(sie, BIT(IRQ_STI));
}

static void relax(u64 *spins)
{
	if (++*spins % 256 == 0)
		nap();
}

/*
 * For those who look out for a lost fence: not too soon. A hypervisor that sees
 * a hart nap may do then what it had forgotten to do.
 */
static void relax_late(u64 *spins)
{
	if (++*spins % (nharts > 8 ? 1024 : 4096) == 0)
		nap();
}

static void hart_check(struct hart *h, int line, bool ok, u64 got, u64 want)
{
	if (ok || h->line)
		return;
	h->got = got;
	h->want = want;
	h->line = line;
	store(&trouble, 1);
}

#define HART_CHECK_EQ(h, got, want) do {				\
	u64 __got = (got), __want = (want);				\
	hart_check(h, __LINE__, __got == __want, __got, __want);	\
} while (0)
#define HART_CHECK_GE(h, got, want) do {				\
	u64 __got = (got), __want = (want);				\
	hart_check(h, __LINE__, __got >= __want, __got, __want);	\
} while (0)

static struct sbiret hsm(u64 fid, u64 a0, u64 a1, u64 a2)
{
	return sbi_call(SBI_HSM, fid, a0, a1, a2, 0, 0);
}

static u64 hart_status(const struct hart *h)
{
	struct sbiret r = hsm(2, h->id, 0, 0);

	return r.error ? ~0UL : r.value;
}

void hart_main(u64 a0, struct hart *h)
{
	h->seen_a0 = a0;
	h->seen_satp = csr_read(satp);
	h->seen_status = csr_read(sstatus);
	h->runs++;
	h->fn(h);
	csr_write(satp, 0);
	sfence();
	add(&done, 1);
}

/* Which harts are there; the one that runs the tests is the first. */
static bool find_harts(void)
{
	if (!nharts) {
		nharts = 1;
		for (u64 id = 0; id < MAX_HARTS && nharts < MAX_HARTS; id++)
			if (id != hartid && !hsm(2, id, 0, 0).error)
				harts[nharts++].id = id;
		harts[0].id = hartid;
	}
	for (unsigned int i = 0; i < nharts; i++) {
		struct hart *h = &harts[i];

		*h = (struct hart){ .id = h->id, .index = i, .cause = NO_TRAP,
				    .sp = (u64)stacks[i] + sizeof(stacks[i]),
				    .rand = i * 0x9e3779b97f4a7c15UL + 1 };
	}
	done = 0;
	trouble = 0;
	if (nharts < 2)
		skip("one hart");
	return nharts > 1;
}

/* A hart that stops says so a moment before it is stopped. */
static bool await_status(struct hart *h, u64 status)
{
	u64 start = rdtime(), spins = 0;

	while (hart_status(h) != status) {
		if (rdtime() - start > 20 * timebase)
			return false;
		relax(&spins);
	}
	return true;
}

static void start_hart(struct hart *h, void (*fn)(struct hart *h))
{
	h->fn = fn;
	CHECK(await_status(h, HSM_STOPPED));
	CHECK_EQ(hsm(0, h->id, (u64)hart_entry, (u64)h).error, 0);
}

/* All harts have ended and found nothing wrong. */
static void join(unsigned int n)
{
	u64 start = rdtime(), spins = 0;

	while (load(&done) < n) {
		bool trapped = false;

		for (unsigned int i = 0; i < nharts; i++)
			trapped |= load(&harts[i].cause) != NO_TRAP;
		if (trapped || rdtime() - start > 30 * timebase)
			break;
		relax(&spins);
	}
	CHECK_EQ(load(&done), n);
	for (unsigned int i = 0; i < nharts; i++) {
		struct hart *h = &harts[i];

		CHECK_MSG(h->cause == NO_TRAP, "hart %lu: a trap: scause 0x%lx, stval 0x%lx, sepc 0x%lx",
			  h->id, h->cause, h->tval, h->pc);
		CHECK_MSG(!h->line, "hart %lu: line %lu: got 0x%lx, want 0x%lx",
			  h->id, h->line, h->got, h->want);
		if (i)
			CHECK(await_status(h, HSM_STOPPED));
	}
	done = 0;
}

/* In a function that all harts run at once: wait for each other. */
static void meet(void)
{
	u64 spins = 0;

	add(&go, 1);
	while (load(&go) < nharts)
		relax(&spins);
}

/* @fn on each hart, this one too. */
static void run_all(void (*fn)(struct hart *h))
{
	go = 0;
	for (unsigned int i = 1; i < nharts; i++)
		start_hart(&harts[i], fn);
	fn(&harts[0]);
	csr_write(satp, 0);
	sfence();
	add(&done, 1);
	join(nharts);
}

static u64 total(void)
{
	u64 n = 0;

	for (unsigned int i = 0; i < nharts; i++)
		n += harts[i].count;
	return n;
}

/* ---- starting and stopping --------------------------------------------------- */

static void nothing(struct hart *h)
{
}

TEST(start, "hart_start: a0 is its id, a1 the argument, satp 0, SIE 0; a status for each step (9.1, 9.3)")
{
	if (!find_harts())
		return;
	for (unsigned int round = 0; round < 4; round++)
		for (unsigned int i = 1; i < nharts; i++) {
			struct hart *h = &harts[i];

			/* What an earlier life leaves is not seen. */
			csr_write(satp, 0);
			start_hart(h, nothing);
			join(1);
			CHECK_EQ(h->runs, round + 1);
			CHECK_EQ(h->seen_a0, h->id);
			CHECK_EQ(h->seen_satp, 0);
			CHECK_EQ(h->seen_status & SR_SIE, 0);
		}
}

static volatile u64 leave;

static void until_told(struct hart *h)
{
	u64 spins = 0;

	while (!load(&leave))
		relax(&spins);
}

TEST(bad_start, "hart_start of one that runs, and at what is no memory, fails and changes nothing (9.1)")
{
	if (!find_harts())
		return;
	leave = 0;
	for (unsigned int i = 1; i < nharts; i++) {
		/* OpenSBI 1.6 takes any address that is not its own. */
		if (on_umbra)
			CHECK_EQ(hsm(0, harts[i].id, HOLE, 0).error, SBI_ERR_INVALID_ADDRESS);
		CHECK_EQ(hart_status(&harts[i]), HSM_STOPPED);
		start_hart(&harts[i], until_told);
	}
	for (unsigned int i = 1; i < nharts; i++) {
		CHECK(await_status(&harts[i], HSM_STARTED));
		CHECK_EQ(hsm(0, harts[i].id, (u64)hart_entry, 0).error, SBI_ERR_ALREADY_AVAILABLE);
	}
	store(&leave, 1);
	join(nharts - 1);
	for (unsigned int i = 1; i < nharts; i++)
		CHECK_EQ(harts[i].runs, 1);
}

/* ---- suspending ------------------------------------------------------------------ */

static void send_ipi(const struct hart *h)
{
	sbi_call(SBI_IPI, 0, 1, h->id, 0, 0, 0);
}

static void suspend_retentive(struct hart *h)
{
	csr_write(sie, BIT(IRQ_SSI));
	store(&leave, 1);
	HART_CHECK_EQ(h, hsm(3, 0, 0, 0).error, 0);
	h->count++;
	csr_clear(sip, BIT(IRQ_SSI));
	csr_write(sie, 0);
}

void hart_resumed(u64 a0, struct hart *h)
{
	HART_CHECK_EQ(h, a0, h->id);
	HART_CHECK_EQ(h, csr_read(satp), 0);
	HART_CHECK_EQ(h, csr_read(sstatus) & SR_SIE, 0);
	h->count++;
	csr_clear(sip, BIT(IRQ_SSI));
	csr_write(sie, 0);
	add(&done, 1);
}

static void suspend_for_good(struct hart *h)
{
	csr_write(sie, BIT(IRQ_SSI));
	store(&leave, 1);
	hsm(3, 0x80000000, (u64)hart_resume, (u64)h);
	HART_CHECK_EQ(h, 1, 0);		/* it does not return */
}

static void suspend_and_wake(void (*fn)(struct hart *h))
{
	for (unsigned int i = 1; i < nharts; i++) {
		u64 spins = 0;

		leave = 0;
		start_hart(&harts[i], fn);
		while (!load(&leave))
			relax(&spins);
		CHECK(await_status(&harts[i], HSM_SUSPENDED));
		CHECK_EQ(harts[i].count, 0);
		send_ipi(&harts[i]);
		join(1);
		CHECK_EQ(harts[i].count, 1);
	}
}

TEST(suspend, "hart_suspend: SUSPENDED until an interrupt comes, then it returns (9.4)")
{
	if (find_harts())
		suspend_and_wake(suspend_retentive);
}

TEST(suspend_resume, "hart_suspend, not retentive: it goes on at the address, as if started (9.4)")
{
	if (find_harts())
		suspend_and_wake(suspend_for_good);
}

/* ---- interrupts ------------------------------------------------------------------- */

static volatile u64 token;
#define LAPS	20

static void await_ipi(struct hart *h)
{
	u64 start = rdtime();

	csr_write(sie, BIT(IRQ_SSI) | BIT(IRQ_STI));
	while (!(csr_read(sip) & BIT(IRQ_SSI))) {
		set_timer(start + 20 * timebase);
		asm volatile("wfi" ::: "memory");
		if (rdtime() - start > 19 * timebase) {
			hart_check(h, __LINE__, false, 0, BIT(IRQ_SSI));
			break;
		}
	}
	set_timer(~0UL);
	csr_clear(sip, BIT(IRQ_SSI));
	csr_write(sie, 0);
}

static void pass_on(struct hart *h)
{
	meet();
	for (u64 lap = 0; lap < LAPS; lap++) {
		if (h->index || lap) {
			await_ipi(h);
			HART_CHECK_EQ(h, load(&token), lap * nharts + h->index);
			if (h->line)
				return;
		}
		store(&token, lap * nharts + h->index + 1);
		send_ipi(&harts[(h->index + 1) % nharts]);
	}
	if (!h->index)
		await_ipi(h);
}

TEST(ring, "an IPI goes round all harts, each asleep in wfi until it comes (7.1)")
{
	if (!find_harts())
		return;
	token = 0;
	run_all(pass_on);
	CHECK_EQ(token, (u64)LAPS * nharts);
}

static volatile u64 mail[MAX_HARTS], sent, received;
#define LETTERS	(on_umbra ? 200 : 100)

/* The box is looked into only when an interrupt says so. */
static void read_mail(struct hart *h)
{
	u64 n;

	if (!(csr_read(sip) & BIT(IRQ_SSI)))
		return;
	csr_clear(sip, BIT(IRQ_SSI));
	asm volatile("amoswap.d.aqrl %0, zero, %1" : "=r"(n), "+A"(mail[h->index]) :: "memory");
	add(&received, n);
}

static void write_mail(struct hart *h)
{
	u64 start = rdtime(), spins = 0;

	meet();
	for (int i = 0; i < LETTERS; i++) {
		u64 to = rand(h) % nharts;

		add(&mail[to], 1);
		add(&sent, 1);
		send_ipi(&harts[to]);
		read_mail(h);
	}
	add(&token, 1);
	while (load(&token) < nharts || load(&received) < load(&sent)) {
		read_mail(h);
		relax(&spins);
		if (rdtime() - start > 20 * timebase)
			break;
	}
}

TEST(storm, "IPIs from each hart to each at once: none is lost (7.1)")
{
	if (!find_harts())
		return;
	token = 0;
	sent = 0;
	received = 0;
	run_all(write_mail);
	CHECK_EQ(received, sent);
	CHECK_EQ(sent, (u64)LETTERS * nharts);
}

/* ---- remote fences ------------------------------------------------------------------ */

static struct pt pt;
static u64 frames[FRAMES];
static volatile u64 epoch[MAX_HARTS];
static u64 rfence_kind;
static u64 writers;			/* harts 0 .. @writers - 1 write, all read */

static u64 rounds(void)
{
	return 4 + 400 / (nharts * writers);
}

/* The page that hart @i remaps, far enough from those of others. */
static u64 page_of(u64 i)
{
	return WINDOW + i * 0x10000;
}

/* All sizes that reach the page, by turns. */
static void range(u64 n, u64 va, u64 *start, u64 *size)
{
	static const struct { s64 off; u64 size; } ranges[] = {
		{ 0, 4096 }, { -3 * 4096, 8 * 4096 }, { 0, 1UL << 21 }, { -4096, 1UL << 30 },
		{ 0, ~0UL },
		/* beyond the end of the address space */
		{ 0, ~0UL - 4096 },
	};
	unsigned int i = n % (ARRAY_SIZE(ranges) + 1);

	*start = 0;
	*size = 0;		/* everything */
	if (i == ARRAY_SIZE(ranges))
		return;
	*start = va + ranges[i].off;
	*size = ranges[i].size;
}

static void remap(struct hart *h, u64 n)
{
	u64 va = page_of(h->index), frame = frames[n % FRAMES], start, size;

	*(volatile u64 *)(frame + 8 * h->index) = n;
	*(volatile u64 *)pt_entry(&pt, va, 0) = PTE(frame, PTE_RW_S);
	range(n, va, &start, &size);
	HART_CHECK_EQ(h, sbi_call(SBI_RFENCE, rfence_kind, 0, NO_HART_MASK, start, size,
				  ASID).error, 0);
	store(&epoch[h->index], n);
}

/* Whoever has seen the epoch sees a page at least as new, with no fence here. */
static void look(struct hart *h, u64 writer)
{
	u64 e = load(&epoch[writer]);

	HART_CHECK_GE(h, *(volatile u64 *)(page_of(writer) + 8 * writer), e);
	h->count++;
}

static void remap_and_look(struct hart *h)
{
	u64 n = 0, spins = 0, last = rounds();
	bool all;

	csr_write(satp, pt_satp(&pt, ASID));
	sfence();
	meet();
	do {
		if (h->index < writers && n < last)
			remap(h, ++n);
		all = true;
		for (u64 w = 0; w < writers; w++) {
			look(h, w);
			all &= load(&epoch[w]) == last;
		}
		relax_late(&spins);
	} while (!all && !trouble);
}

static void try_fences(u64 mode, u64 kind, u64 nr_writers)
{
	rfence_kind = kind;
	writers = nr_writers;
	pt_init(&pt, mode);
	for (unsigned int i = 0; i < FRAMES; i++)
		frames[i] = (u64)page_alloc();
	for (unsigned int i = 0; i < nharts; i++) {
		epoch[i] = 0;
		pt_map(&pt, page_of(i), frames[0], PTE_RW_S);
	}
	run_all(remap_and_look);
}

TEST(rfence, "remote_sfence_vma, from one hart to all, any range: done when the call returns (8.2)")
{
	if (!find_harts())
		return;
	FOR_EACH_MODE(m)
		try_fences(m, RFENCE_VMA, 1);
	note("%lu looks", total());
}

TEST(rfence_asid, "remote_sfence_vma_asid, likewise (8.3)")
{
	if (!find_harts())
		return;
	FOR_EACH_MODE(m)
		try_fences(m, RFENCE_VMA_ASID, 1);
	note("%lu looks", total());
}

TEST(rfence_crossed, "remote fences from all harts to all at once (8.2)")
{
	if (!find_harts())
		return;
	FOR_EACH_MODE(m)
		try_fences(m, RFENCE_VMA, nharts < 8 ? nharts : 8);
	note("%lu looks", total());
}

/* The function of round @n: nobody executes it while it is written. */
static u64 code_of(u64 n)
{
	return frames[0] + n % FRAMES * 64;
}

static void rewrite_and_call(struct hart *h)
{
	u64 spins = 0, n = 0, last = FRAMES + 400 / nharts;

	meet();
	do {
		u64 e;

		if (!h->index) {
			n++;
			*(volatile u32 *)code_of(n) = enc_addi(10, 0, n);
			HART_CHECK_EQ(h, sbi_call(SBI_RFENCE, RFENCE_I, 0, NO_HART_MASK, 0, 0, 0).error, 0);
			store(&epoch[0], n);
		}
		e = load(&epoch[0]);
		HART_CHECK_GE(h, ((u64 (*)(void))code_of(e))(), e);
		h->count++;
		relax_late(&spins);
	} while (load(&epoch[0]) < last && !trouble);
}

TEST(rfence_i, "remote_fence_i: every hart executes what was written (8.1)")
{
	if (!find_harts())
		return;
	frames[0] = (u64)page_alloc();
	for (u64 n = 0; n < FRAMES; n++) {
		put32(code_of(n), enc_addi(10, 0, 0));
		put32(code_of(n) + 4, INSN_RET);
	}
	fence_i();
	epoch[0] = 0;
	run_all(rewrite_and_call);
	note("%lu calls", total());
}

static volatile u64 ready;

static void until_told_by_ipi(struct hart *h)
{
	csr_write(sie, BIT(IRQ_SSI));
	add(&ready, 1);
	while (!(csr_read(sip) & BIT(IRQ_SSI)))
		asm volatile("wfi" ::: "memory");
	csr_clear(sip, BIT(IRQ_SSI));
	csr_write(sie, 0);
}

TEST(come_and_go, "fences and IPIs to harts that start, sleep and stop meanwhile (7, 8, 9)")
{
	if (!find_harts())
		return;
	for (int round = 0; round < 3; round++) {
		u64 spins = 0;

		ready = 0;
		for (unsigned int i = 1; i < nharts; i++) {
			start_hart(&harts[i], i & 1 ? until_told_by_ipi : nothing);
			CHECK_EQ(sbi_call(SBI_RFENCE, RFENCE_VMA, 0, NO_HART_MASK, 0, 0, 0).error, 0);
			CHECK_EQ(sbi_call(SBI_RFENCE, RFENCE_I, 0, NO_HART_MASK, 0, 0, 0).error, 0);
		}
		/* One that has not begun may lose what is sent to it. */
		while (load(&ready) < nharts / 2)
			relax(&spins);
		for (unsigned int i = 1; i < nharts; i += 2)
			send_ipi(&harts[i]);
		join(nharts - 1);
	}
}

/* ---- memory ---------------------------------------------------------------------------- */

static volatile u64 sum_amo, sum_lrsc;
#define ADDS	(8000 / nharts)

static void count_up(struct hart *h)
{
	meet();
	for (u64 i = 0; i < ADDS; i++) {
		u64 v, fail;

		add(&sum_amo, 1);
		do
			asm volatile("lr.d.aq %0, %2\n"
				     "	addi	%0, %0, 1\n"
				     "	sc.d.rl	%1, %0, %2"
				     : "=&r"(v), "=&r"(fail), "+A"(sum_lrsc) :: "memory");
		while (fail);
	}
}

TEST(atomics, "amoadd and LR/SC on one word from all harts: no addition is lost (Zaamo, Zalrsc)")
{
	if (!find_harts())
		return;
	sum_amo = 0;
	sum_lrsc = 0;
	run_all(count_up);
	CHECK_EQ(sum_amo, (u64)ADDS * nharts);
	CHECK_EQ(sum_lrsc, (u64)ADDS * nharts);
}

/* ---- the whole address space --------------------------------------------------------------- */

static u64 tables[MAX_HARTS];		/* one root, or satp, each */
static u64 mode_now;

/* Where the root has nothing of the tests' own: a page there, of this hart. */
static void touch_everywhere(struct hart *h)
{
	struct pt own = { .root = (u64 *)tables[h->index], .mode = mode_now,
			  .levels = 3 + (mode_now - SV39) };
	int shift = 12 + 9 * (own.levels - 1);
	/* Of many harts each takes some: all slots are some hart's. */
	u64 slots = nharts > 8 ? 64 : 512;

	csr_write(satp, pt_satp(&own, h->index + 1));
	sfence();
	meet();
	/* Each on a way of its own: 5 is prime to 512. */
	for (u64 n = 0; n < slots; n++) {
		u64 slot = (n * 5 + h->index * 37) % 512;
		u64 va = (u64)((s64)(slot << (shift + 64 - shift - 9)) >> (64 - shift - 9));

		if (own.root[slot] & PTE_V)
			continue;
		/* What is below is shared by all slots. */
		*(volatile u64 *)&own.root[slot] = own.root[511];
		sfence_va(va);
		HART_CHECK_EQ(h, *(volatile u64 *)va, 0x1000 + h->index);
		HART_CHECK_EQ(h, *(volatile u64 *)(va + (1UL << shift) - 4096),
			      0x1000 + h->index);
		h->count++;
		*(volatile u64 *)&own.root[slot] = 0;
		sfence();
	}
}

TEST(everywhere, "each hart maps, reads and unmaps the first and last page of every slot of its own root")
{
	if (!find_harts())
		return;
	FOR_EACH_MODE(m) {
		mode_now = m;
		for (unsigned int i = 0; i < nharts; i++) {
			struct pt own;
			u64 *page = page_alloc();

			pt_init(&own, m);
			page[0] = 0x1000 + i;
			/* The chain, for the first and the last page of a slot. */
			pt_map(&own, -1UL << (12 + 9 * (own.levels - 1)), (u64)page, PTE_RW_S);
			pt_map(&own, -4096UL, (u64)page, PTE_RW_S);
			tables[i] = (u64)own.root;
		}
		run_all(touch_everywhere);
	}
	note("%lu pages", total());
}

/* ---- faults side by side ---------------------------------------------------------------------- */

/* Of the memory that no other test uses, each hart has a part. */
#define FRESH_PAGES	1024

static void touch_first(struct hart *h)
{
	u64 n = FRESH_PAGES / nharts;

	csr_write(satp, tables[h->index]);
	sfence();
	meet();
	for (u64 i = 0; i < n; i++) {
		volatile u64 *p = (u64 *)(WINDOW + i * 4096);

		HART_CHECK_EQ(h, *p, 0);
		*p = h->id + 1;
		h->count++;
	}
	for (u64 i = 0; i < n; i++)
		HART_CHECK_EQ(h, *(volatile u64 *)(BIG_BASE + (h->index * n + i) * 4096), h->id + 1);
}

TEST(faults, "each hart, or the one there is, writes to fresh memory through tables of its own, all at once")
{
	u64 n;

	find_harts();
	skip(NULL);
	n = FRESH_PAGES / nharts;
	for (unsigned int i = 0; i < nharts; i++) {
		struct pt own;

		pt_init(&own, SV39);
		for (u64 page = 0; page < n; page++)
			pt_map(&own, WINDOW + page * 4096, BIG_BASE + (i * n + page) * 4096, PTE_RW_S);
		tables[i] = pt_satp(&own, i + 1);
	}
	run_all(touch_first);
	CHECK_EQ(total(), n * nharts);
	memset((void *)BIG_BASE, 0, FRESH_PAGES * 4096UL);
}
