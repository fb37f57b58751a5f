// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory is the client's ordinary memory: it may be dropped, protected,
 * collapsed into huge pages, merged, swapped out, copied by fork, unmapped, and
 * its slots deleted and moved, while the guest runs. A worker guest checks and
 * rewrites its data all the time, with translation off or with Sv39 tables of
 * its own, and executes privileged instructions (which are rewritten) as it
 * goes; the client checks everything again from its side.
 *
 * lab-needs: module=zram
 */
#include "include/client.h"

#include <sys/swap.h>

#define DATA_BASE	0x80200000ul
#define DATA_SIZE	(4ul << 20)
#define DATA_PAGES	(DATA_SIZE / PAGE)
#define RAM_SIZE	(2ul << 20)
#define TABLES		0x80100000ul
#define STRIDE		512

#define CTRL_AT(n)		(0x80010000ul + 0x1000 * (n))

/* --- the worker --------------------------------------------------------------------- */

/*
 * a0 data, a1 its size, a2 struct ctrl, a3 satp. Round r finds, in the first
 * word of each 512 bytes, r - 1 above the offset, and leaves r.
 */
GUEST(worker,
      "	lla	t0, 7f\n"
      "	csrw	stvec, t0\n"
      "	mv	s0, a0\n"
      "	mv	s1, a1\n"
      "	mv	s2, a2\n"
      GUEST_PORT
      "	csrw	satp, a3\n"
      "	sfence.vma\n"
      "	li	s3, 1\n"
      "1:	li	s4, 0\n"
      "2:	add	t0, s0, s4\n"
      "	ld	t1, 0(t0)\n"
      "	addi	t2, s3, -1\n"
      "	slli	t2, t2, 32\n"
      "	or	t2, t2, s4\n"
      "	beq	t1, t2, 3f\n"
      /* Not what was left there: zero, if the client said so. */
      "	bnez	t1, 8f\n"
      "	ld	t3, 16(s2)\n"
      "	beqz	t3, 8f\n"
      "	ld	t3, 24(s2)\n"
      "	addi	t3, t3, 1\n"
      "	sd	t3, 24(s2)\n"
      "3:	slli	t2, s3, 32\n"
      "	or	t2, t2, s4\n"
      "	sd	t2, 0(t0)\n"
      "	addi	s4, s4, 512\n"
      /* Every 64 KiB: privileged instructions. */
      "	slli	t3, s4, 48\n"
      "	bnez	t3, 4f\n"
      "	csrw	sscratch, s4\n"
      "	sfence.vma\n"
      "	lla	t3, 5f\n"
      "	csrw	sepc, t3\n"
      "	li	t3, 0x100\n"
      "	csrs	sstatus, t3\n"
      "	sret\n"
      "	j	8f\n"
      "5:	csrr	t3, sscratch\n"
      "	bne	t3, s4, 8f\n"
      "4:	bltu	s4, s1, 2b\n"
      "	sd	s3, 0(s2)\n"
      "	ld	t3, 8(s2)\n"
      "	addi	s3, s3, 1\n"
      "	beqz	t3, 1b\n"
      STOP "\n"
      "	.balign 4\n"
      "7:	csrr	t0, stval\n"
      "	csrr	t1, sepc\n"
      "	csrr	t2, scause\n"
      "	li	t3, 2\n"
      "	j	9f\n"
      "8:	li	t3, 1\n"
      "9:	sd	t0, 32(s2)\n"
      "	sd	t1, 40(s2)\n"
      "	sd	t2, 48(s2)\n"
      TELL("t3") STOP);

struct ctrl {
	u64 round;	/* rounds completed; the guest's */
	u64 stop;	/* end after this round; the client's, as is: */
	u64 zero_ok;	/* data may have become zero */
	u64 zeros;	/* words that had */
	u64 fault[3];	/* address, seen, expected; or stval, sepc, scause */
};

struct worker {
	struct vcpu v;
	pthread_t thread;
	struct ctrl *ctrl;
	u64 base;		/* gpa of its data */
	u64 size;
	u8 *data;		/* the client's view of it */
	bool emulate;		/* perform MMIO on the data: its slot comes and goes */
	bool efault_ok;
	bool shared_text;	/* another hart executes it, and may make it rewritten again */
	u64 efaults;		/* times KVM_RUN returned EFAULT */
	u64 emulated;
	u64 checked;		/* times the text was compared */
	bool done;
	bool joined;
};

static struct vm vm;
static u8 *data;

/* Held while the data are read-only: the client, too, writes there. */
static pthread_mutex_t data_lock = PTHREAD_MUTEX_INITIALIZER;

static u64 load(const u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* The words that the worker leaves alone. */
static u64 pattern(u64 off)
{
	return (off ^ 0x5a5a5a5a00000000) * 0x9e3779b97f4a7c15 | 1;
}

static void fill_data(void)
{
	for (u64 off = 0; off < DATA_SIZE; off += 8)
		*(u64 *)(data + off) = off % STRIDE ? pattern(off) : off;
}

static void map_page(u64 *table, u64 gpa, u64 flags)
{
	table[gpa >> 12 & 511] = gpa >> 2 | flags;
}

/* Sv39, identity: RAM and data as 4 KiB pages without A and D; the port. */
static u64 make_tables(void)
{
	u64 *root = vm_word(&vm, TABLES), *mid = vm_word(&vm, TABLES + PAGE);

	root[0] = 0xc7;
	root[2] = (TABLES + PAGE) >> 2 | 1;
	for (u64 i = 0; i < (RAM_SIZE + DATA_SIZE) >> 21; i++) {
		u64 gpa = TABLES + (2 + i) * PAGE;

		mid[i] = gpa >> 2 | 1;
		for (u64 j = 0; j < 512; j++)
			map_page(vm_word(&vm, gpa), RAM_BASE + (i << 21) + (j << 12), 0xf);
	}
	return 8ul << 60 | TABLES >> 12;
}

static void start_vm(u32 data_flags)
{
	kicks_init();
	vm_new(&vm, RAM_SIZE);
	data = map_ram(DATA_SIZE);
	fill_data();
	vm_load(&vm, RAM_BASE, worker);
	ASSERT_ERRNO(0, set_slot(vm.fd, 1, data_flags, DATA_BASE, DATA_SIZE, data));
}

/* The client's own view of the text shows what it put there. */
static void check_text(struct worker *w)
{
	get_reg(&w->v, REG_CSR(sstatus));
	EXPECT(!memcmp(vm.ram, guest_worker, guest_worker_end - guest_worker),
	       "guest text after KVM_GET_ONE_REG: expected the original bytes, seen others");
	w->checked++;
}

static bool emulate(struct worker *w)
{
	struct kvm_run *run = w->v.run;
	u64 off = run->mmio.phys_addr - w->base;

	if (!w->emulate || run->exit_reason != KVM_EXIT_MMIO || off >= w->size)
		return false;
	pthread_mutex_lock(&data_lock);
	if (run->mmio.is_write)
		memcpy(w->data + off, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, w->data + off, run->mmio.len);
	pthread_mutex_unlock(&data_lock);
	w->emulated++;
	return true;
}

static void report(struct worker *w, u64 told)
{
	u64 *f = w->ctrl->fault;

	if (told == 1)
		FAIL("guest, round %llu: at %#llx expected %#llx, seen %#llx",
		     (unsigned long long)w->ctrl->round + 1, (unsigned long long)f[0],
		     (unsigned long long)f[2], (unsigned long long)f[1]);
	else if (told)
		FAIL("guest, round %llu: expected no trap, seen scause %#llx, stval %#llx, sepc %#llx",
		     (unsigned long long)w->ctrl->round + 1, (unsigned long long)f[2],
		     (unsigned long long)f[0], (unsigned long long)f[1]);
}

static void *worker_thread(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		int ret = vcpu_run(&w->v);

		if (ret == -EINTR) {
			if (!w->shared_text)
				check_text(w);
		} else if (ret == -EFAULT && w->efault_ok) {
			__atomic_add_fetch(&w->efaults, 1, __ATOMIC_RELEASE);
			sleep_ms(1);
		} else if (!ret && is_mmio(&w->v, PORT, 8, true)) {
			report(w, *(u64 *)w->v.run->mmio.data);
			break;
		} else if (ret || !emulate(w)) {
			FAIL("worker: expected it to go on, seen %s", exit_text(&w->v, ret));
			break;
		}
	}
	w->done = true;
	return NULL;
}

static void start_worker(struct worker *w, u32 id, u64 base, u64 size, bool paged)
{
	memset(w, 0, sizeof(*w));
	vcpu_new(&w->v, &vm, id);
	w->base = base;
	w->size = size;
	w->data = data + (base - DATA_BASE);
	w->ctrl = (struct ctrl *)vm_word(&vm, CTRL_AT(id));
	memset(w->ctrl, 0, sizeof(*w->ctrl));
	/* Round 0. */
	for (u64 off = 0; off < size; off += STRIDE)
		*(u64 *)(w->data + off) = off;
	set_reg(&w->v, REG_A(0), base);
	set_reg(&w->v, REG_A(1), size);
	set_reg(&w->v, REG_A(2), CTRL_AT(id));
	set_reg(&w->v, REG_A(3), paged ? make_tables() : 0);
	pthread_create(&w->thread, NULL, worker_thread, w);
}

static void kick(struct worker *w)
{
	if (!w->done)
		pthread_kill(w->thread, SIGUSR1);
}

/* It must still be at work: complete rounds. */
static bool goes_on(struct worker *w, unsigned int rounds)
{
	u64 end = now_ns() + 60000000000ull, was = load(&w->ctrl->round);

	while (load(&w->ctrl->round) < was + rounds) {
		if (w->done)
			return false;
		if (!EXPECT(now_ns() < end, "worker: expected round %llu soon, seen none for 60 s",
			    (unsigned long long)was + 1))
			return false;
		sleep_ms(1);
	}
	return true;
}

static void join_worker(struct worker *w)
{
	__atomic_store_n(&w->ctrl->stop, 1, __ATOMIC_RELEASE);
	if (!w->joined)
		pthread_join(w->thread, NULL);
	w->joined = true;
}

static void stop_worker(struct worker *w)
{
	u64 rounds;

	join_worker(w);
	check_text(w);
	rounds = w->ctrl->round;
	EXPECT(rounds > 0, "worker: expected rounds, seen none");
	printf("# %llu rounds, %llu zeros, %llu EFAULT, %llu accesses emulated, text compared %llu times\n",
	       (unsigned long long)rounds, (unsigned long long)w->ctrl->zeros,
	       (unsigned long long)w->efaults, (unsigned long long)w->emulated,
	       (unsigned long long)w->checked);
}

/*
 * All data, by the client. @dropped: pages (by number) whose other words are
 * zero, or NULL.
 */
static void check_data(struct worker *w, const u8 *dropped)
{
	for (u64 i = 0; i < w->size && !harness->failures; i += 8) {
		u64 off = w->data - data + i;
		u64 want = i % STRIDE ? pattern(off) : w->ctrl->round << 32 | i;

		if (dropped && dropped[off / PAGE] && i % STRIDE)
			want = 0;
		EXPECT(*(u64 *)(data + off) == want,
		       "client: data at +%#llx: expected %#llx, seen %#llx",
		       (unsigned long long)off, (unsigned long long)want,
		       (unsigned long long)*(u64 *)(data + off));
	}
}

/* A random piece of the data, a few pages mostly. */
static u8 *piece(u64 *len)
{
	u64 first = rnd() % DATA_PAGES;
	u64 n = 1 + rnd() % (rnd() & 1 ? 8 : DATA_PAGES);

	if (n > DATA_PAGES - first)
		n = DATA_PAGES - first;
	*len = n * PAGE;
	return data + first * PAGE;
}

/*
 * @seconds at rest.  Beside other boards it may take several times as long; only
 * what hangs is to meet a limit.
 */
#define PATIENCE	4

#define BOTH(name, seconds)						\
	static void name(bool paged);					\
	TEST_TIMEOUT(name##_bare, PATIENCE * (seconds)) { name(false); }	\
	TEST_TIMEOUT(name##_sv39, PATIENCE * (seconds)) { name(true); }	\
	static void name(bool paged)

/* --- nothing happens: the worker itself ------------------------------------------------ */

BOTH(undisturbed, 30)
{
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	for (unsigned int i = 0; i < 5 && goes_on(&w, 2); i++)
		kick(&w);
	stop_worker(&w);
	check_data(&w, NULL);
}

/* --- pieces vanish ------------------------------------------------------------------------- */

BOTH(dontneed, 40)
{
	static u8 dropped[DATA_PAGES];
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	w.ctrl->zero_ok = 1;
	goes_on(&w, 1);
	for (unsigned int i = 0; i < 60 * harness_scale && !w.done; i++) {
		u64 len;
		u8 *p = piece(&len);

		ASSERT_ERRNO(0, madvise(p, len, MADV_DONTNEED));
		memset(dropped + (p - data) / PAGE, 1, len / PAGE);
		if (i % 10 == 0)
			goes_on(&w, 1);
		if (i % 7 == 0)
			kick(&w);
	}
	goes_on(&w, 2);
	stop_worker(&w);
	EXPECT(w.ctrl->zeros > 0, "guest: expected to see zeroes, seen none");
	check_data(&w, dropped);
}

/* Text as well: the guest's page becomes zero, an illegal instruction. */
GUEST(spin_csr,
      "	lla	t0, 2f\n"
      "	csrw	stvec, t0\n"
      GUEST_PORT
      "1:	csrw	sscratch, t1\n"
      "	addi	t1, t1, 1\n"
      "	sd	t1, 0(a0)\n"
      "	j	1b\n"
      "	.zero	4096 - (. - guest_spin_csr)\n"
      "2:	csrr	a1, scause\n"
      TELL("a1") STOP);

static void *told_thread(void *arg)
{
	return (void *)run_told(arg);
}

static pthread_t start_spinner(struct vcpu *v)
{
	pthread_t thread;

	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, spin_csr);
	vcpu_new(v, &vm, 0);
	set_reg(v, REG_A(0), CTRL_AT(0));
	pthread_create(&thread, NULL, told_thread, v);
	ASSERT(wait_progress(vm_word(&vm, CTRL_AT(0)), 1000, 10000), "the guest: expected it to count");
	return thread;
}

TEST(dontneed_text)
{
	struct vcpu v;
	pthread_t thread;
	void *told;

	thread = start_spinner(&v);
	ASSERT_ERRNO(0, madvise(vm.ram, PAGE, MADV_DONTNEED));
	pthread_join(thread, &told);
	EXPECT_EQ(2, (u64)told, "scause in a page that became zero: illegal instruction");
	get_reg(&v, REG_CSR(sstatus));
	for (u64 i = 0; i < PAGE / 8; i++)
		EXPECT_EQ(0, vm_word(&vm, RAM_BASE)[i], "the page that was dropped");
}

/* The client writes guest text while it runs: its bytes win. */
TEST(text_overwritten)
{
	struct vcpu v;
	pthread_t thread;
	void *told;

	thread = start_spinner(&v);
	/* All zero: whatever it fetches next is illegal, once it sees it. */
	for (u64 i = 0; i < PAGE / 8; i++)
		__atomic_store_n(&vm_word(&vm, RAM_BASE)[i], 0, __ATOMIC_RELAXED);
	/* A hart that fetches old instructions may go on until its next fence.i. */
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &told);
	EXPECT_EQ(2, (u64)told, "scause in text that became zero: illegal instruction");
	get_reg(&v, REG_CSR(sstatus));
	for (u64 i = 0; i < PAGE / 8; i++)
		EXPECT_EQ(0, vm_word(&vm, RAM_BASE)[i], "text after all was put back");
}

/* --- protection ---------------------------------------------------------------------------- */

static bool wait_efault(struct worker *w)
{
	u64 end = now_ns() + 15000000000ull, was = load(&w->efaults);

	while (load(&w->efaults) == was) {
		if (w->done)
			return false;
		if (!EXPECT(now_ns() < end, "KVM_RUN: expected EFAULT soon, seen none for 15 s"))
			return false;
		sleep_ms(1);
	}
	return true;
}

static void protect(bool paged, int prot)
{
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	w.efault_ok = true;
	goes_on(&w, 1);
	for (unsigned int i = 0; i < 8 * harness_scale && !w.done; i++) {
		u64 len;
		u8 *p = piece(&len);

		ASSERT_ERRNO(0, mprotect(p, len, prot));
		if (!wait_efault(&w))
			break;
		ASSERT_ERRNO(0, mprotect(p, len, PROT_READ | PROT_WRITE));
		goes_on(&w, 1);
		kick(&w);
	}
	/* And quickly, without waiting for the fault. */
	for (unsigned int i = 0; i < 100 * harness_scale && !w.done; i++) {
		u64 len;
		u8 *p = piece(&len);

		ASSERT_ERRNO(0, mprotect(p, len, prot));
		ASSERT_ERRNO(0, mprotect(p, len, PROT_READ | PROT_WRITE));
	}
	goes_on(&w, 2);
	stop_worker(&w);
	check_data(&w, NULL);
}

BOTH(mprotect_readonly, 40)
{
	protect(paged, PROT_READ);
}

BOTH(mprotect_none, 40)
{
	protect(paged, PROT_NONE);
}

BOTH(munmap_slot, 40)
{
	static u8 dropped[DATA_PAGES];
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	w.efault_ok = true;
	w.ctrl->zero_ok = 1;
	goes_on(&w, 1);
	for (unsigned int i = 0; i < 8 * harness_scale && !w.done; i++) {
		u64 len;
		u8 *p = piece(&len);

		ASSERT_ERRNO(0, munmap(p, len));
		wait_efault(&w);
		ASSERT(mmap(p, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p,
		       "mmap: expected success, seen %m");
		memset(dropped + (p - data) / PAGE, 1, len / PAGE);
		goes_on(&w, 1);
	}
	goes_on(&w, 2);
	stop_worker(&w);
	check_data(&w, dropped);
}

/* --- huge pages ------------------------------------------------------------------------------- */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

BOTH(huge_pages, 40)
{
	unsigned int collapsed = 0, error = 0;
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	/* It may meet a page while that is read-only. */
	w.efault_ok = true;
	goes_on(&w, 1);
	madvise(data, DATA_SIZE, MADV_HUGEPAGE);
	for (unsigned int i = 0; i < 12 * harness_scale && !w.done; i++) {
		u8 *split = data + rnd() % DATA_PAGES * PAGE;

		if (madvise(data, DATA_SIZE, MADV_COLLAPSE))
			error = errno;
		else
			collapsed++;
		goes_on(&w, 1);
		kick(&w);
		/* One page differs: the huge page falls apart. */
		ASSERT_ERRNO(0, mprotect(split, PAGE, PROT_READ));
		ASSERT_ERRNO(0, mprotect(split, PAGE, PROT_READ | PROT_WRITE));
		goes_on(&w, 1);
		if (i % 3 == 0)
			madvise(data, DATA_SIZE, MADV_PAGEOUT);
	}
	stop_worker(&w);
	check_data(&w, NULL);
	SKIP_UNLESS(collapsed, "MADV_COLLAPSE never succeeds: %s", strerrorname_np(error) ?: "?");
	printf("# collapsed %u times\n", collapsed);
}

/* --- KSM ------------------------------------------------------------------ */

#define KSM "/sys/kernel/mm/ksm/"

BOTH(ksm, 60)
{
	u64 end = now_ns() + 20000000000ull;
	struct worker w;
	long shared;
	u8 *same;

	SKIP_UNLESS(!access(KSM "run", W_OK), "no " KSM "run");
	start_vm(0);
	/* The text page twice more, and zero pages, for KSM to merge with. */
	same = map_ram(2 << 20);
	memcpy(same, vm.ram, PAGE);
	memcpy(same + PAGE, vm.ram, PAGE);
	ASSERT_ERRNO(0, madvise(same, 2 << 20, MADV_MERGEABLE));
	ASSERT_ERRNO(0, madvise(vm.ram, RAM_SIZE, MADV_MERGEABLE));
	ASSERT_ERRNO(0, madvise(data, DATA_SIZE, MADV_MERGEABLE));
	write_file(KSM "sleep_millisecs", "1");
	write_file(KSM "pages_to_scan", "4000");
	write_file(KSM "run", "1");
	/* Half of it is worked on, the rest is the same everywhere. */
	memset(data + DATA_SIZE / 2, 0x77, DATA_SIZE / 2);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE / 2, paged);
	do {
		goes_on(&w, 1);
		kick(&w);
		shared = read_number(KSM "pages_sharing");
	} while (shared < 100 && now_ns() < end && !w.done);
	for (unsigned int i = 0; i < 20 * harness_scale && !w.done; i++) {
		/* Written by the client: unshared again. */
		data[DATA_SIZE / 2 + rnd() % DATA_PAGES / 2 * PAGE] = 0x77;
		goes_on(&w, 1);
	}
	stop_worker(&w);
	write_file(KSM "run", "2");
	check_data(&w, NULL);
	for (u64 i = DATA_SIZE / 2; i < DATA_SIZE; i++)
		if (data[i] != 0x77) {
			FAIL("merged data at +%#llx: expected 0x77, seen %#x",
			     (unsigned long long)i, data[i]);
			break;
		}
	EXPECT(!memcmp(same, guest_worker, guest_worker_end - guest_worker),
	       "a page that was equal to the text: expected the original bytes, seen others");
	SKIP_UNLESS(shared >= 100, "KSM shared %ld pages only", shared);
	printf("# KSM shared %ld pages\n", shared);
}

/* --- swap ----------------------------------------------------------------- */

/* A swap area on /dev/zram0; NULL or the reason why not. */
static const char *swap_on(void)
{
	static u8 head[PAGE];
	u32 *words = (u32 *)(head + 1024);
	int fd;

	char swaps[1000] = "";

	/* An earlier test may have done it. */
	fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, swaps, sizeof(swaps) - 1) > 0 && strstr(swaps, "zram0")) {
		close(fd);
		return NULL;
	}
	close(fd);
	if (access("/sys/block/zram0", F_OK))
		return "no zram device";
	if (read_number("/sys/block/zram0/disksize") == 0 &&
	    write_file("/sys/block/zram0/disksize", "64M"))
		return "zram0 takes no size";
	fd = open("/dev/zram0", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "no /dev/zram0";
	words[0] = 1;
	words[1] = (64 << 20) / PAGE - 1;
	memcpy(head + PAGE - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, head, PAGE, 0) != (long)PAGE || fsync(fd)) {
		close(fd);
		return "zram0 cannot be written";
	}
	close(fd);
	if (swapon("/dev/zram0", 0) && errno != EBUSY)
		return "swapon fails";
	return NULL;
}

static long vm_event(const char *name)
{
	char line[100], key[60];
	FILE *f = fopen("/proc/vmstat", "re");
	long val = -1, n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%59s %ld", key, &n) == 2 && !strcmp(key, name))
			val = n;
	if (f)
		fclose(f);
	return val;
}

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

BOTH(swap, 60)
{
	const char *why = swap_on();
	struct worker w;
	long before;

	SKIP_UNLESS(!why, "no swap: %s", why);
	start_vm(0);
	before = vm_event("pswpout");
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	goes_on(&w, 1);
	for (unsigned int i = 0; i < 8 * harness_scale && !w.done; i++) {
		u64 len;
		u8 *p = piece(&len);

		madvise(p, len, MADV_PAGEOUT);
		if (i % 4 == 0)
			/* Text, tables and all. */
			madvise(vm.ram, RAM_SIZE, MADV_PAGEOUT);
		goes_on(&w, 1);
		kick(&w);
	}
	stop_worker(&w);
	check_data(&w, NULL);
	EXPECT(vm_event("pswpout") > before, "pages swapped out: expected some, seen none");
	printf("# %ld pages swapped out\n", vm_event("pswpout") - before);
}

/* --- fork ----------------------------------------------------------------- */

/* In the child: its copy is of one moment for each page; text is original. */
static void forked(struct worker *w)
{
	int bad = 0;

	if (memcmp(vm.ram, guest_worker, guest_worker_end - guest_worker)) {
		FAIL("the child's copy of guest text: expected the original bytes, seen others");
		_exit(1);
	}
	for (u64 off = 0; off < DATA_SIZE && !bad; off += 8) {
		u64 val = *(u64 *)(data + off);

		if (off % STRIDE ? val != pattern(off) : (u32)val != off)
			bad = 1;
	}
	if (bad)
		FAIL("the child's copy of the data: expected a snapshot, seen something else");
	/* None of this may be seen by the guest. */
	memset(data, 0xee, DATA_SIZE);
	memset(vm.ram, 0, PAGE);
	EXPECT_ERRNO(EIO, ioctl(w->v.fd, KVM_RUN, 0));
	_exit(bad);
}

BOTH(forks, 60)
{
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	goes_on(&w, 1);
	for (unsigned int i = 0; i < 4 * harness_scale && !w.done; i++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			forked(&w);
		goes_on(&w, 1);
		waitpid(pid, &status, 0);
		EXPECT(WIFEXITED(status) && !WEXITSTATUS(status),
		       "child: expected status 0, seen %#x", status);
		kick(&w);
		goes_on(&w, 1);
	}
	stop_worker(&w);
	check_data(&w, NULL);
}

/* --- slots ---------------------------------------------------------------- */

/* Deleted: its addresses are MMIO, which the client performs; moved away, too. */
BOTH(slot_comes_and_goes, 60)
{
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	w.emulate = true;
	goes_on(&w, 1);
	for (unsigned int i = 0; i < 8 * harness_scale && !w.done; i++) {
		if (i & 1) {
			ASSERT_ERRNO(0, set_slot(vm.fd, 1, 0, 0, 0, NULL));
			sleep_ms(rnd() % 10);
			ASSERT_ERRNO(0, set_slot(vm.fd, 1, 0, DATA_BASE, DATA_SIZE, data));
		} else {
			ASSERT_ERRNO(0, set_slot(vm.fd, 1, 0, 0x90000000, DATA_SIZE, data));
			sleep_ms(rnd() % 10);
			ASSERT_ERRNO(0, set_slot(vm.fd, 1, 0, DATA_BASE, DATA_SIZE, data));
		}
		if (i % 3 == 0)
			kick(&w);
		goes_on(&w, 1);
	}
	stop_worker(&w);
	EXPECT(w.emulated > 0, "accesses without the slot: expected MMIO exits, seen none");
	check_data(&w, NULL);
}

/* --- dirty log ------------------------------------------------------------ */

/* a0 data, a1 pages, a2 a byte for each: 1 store, 2 load, 0 nothing. */
GUEST(toucher,
      GUEST_PORT
      "	csrw	satp, a3\n"
      "	sfence.vma\n"
      "1:	mv	t0, a0\n"
      "	mv	t1, a2\n"
      "	add	t2, a2, a1\n"
      "	li	t5, 1\n"
      "	li	t6, 4096\n"
      "2:	lbu	t3, 0(t1)\n"
      "	beqz	t3, 4f\n"
      "	beq	t3, t5, 3f\n"
      "	ld	t4, 64(t0)\n"
      "	j	4f\n"
      "3:	addi	t4, t4, 1\n"
      "	sd	t4, 64(t0)\n"
      "4:	add	t0, t0, t6\n"
      "	addi	t1, t1, 1\n"
      "	bltu	t1, t2, 2b\n"
      "	csrw	sscratch, t0\n"
      TELL("zero")
      "	j	1b\n");

static bool test_bit(const u64 *map, u64 n)
{
	return map[n / 64] >> n % 64 & 1;
}

static void get_log(u32 slot, u64 *map)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = map };

	ASSERT_ERRNO(0, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
}

BOTH(dirty_log_exact, 60)
{
	u64 map[DATA_PAGES / 64];
	struct vcpu v;
	u8 *flags;

	start_vm(KVM_MEM_LOG_DIRTY_PAGES);
	vm_load(&vm, RAM_BASE, toucher);
	flags = (u8 *)vm_word(&vm, CTRL_AT(0));
	vcpu_new(&v, &vm, 0);
	set_reg(&v, REG_A(0), DATA_BASE);
	set_reg(&v, REG_A(1), DATA_PAGES);
	set_reg(&v, REG_A(2), CTRL_AT(0));
	set_reg(&v, REG_A(3), paged ? make_tables() : 0);
	for (unsigned int i = 0; i < 20 * harness_scale && !harness->failures; i++) {
		/* From few to nearly all. */
		for (u64 p = 0; p < DATA_PAGES; p++)
			flags[p] = rnd() % 20 <= i % 20 ? rnd() % 3 : 0;
		run_told(&v);
		/* Some rounds are joined: written twice is reported once. */
		if (i % 4 == 3)
			run_told(&v);
		get_log(1, map);
		for (u64 p = 0; p < DATA_PAGES; p++) {
			if (flags[p] == 1)
				EXPECT(test_bit(map, p), "round %u: page %llu was written: expected it in the log",
				       i, (unsigned long long)p);
			else
				EXPECT(!test_bit(map, p), "round %u: page %llu was %s: expected it not in the log",
				       i, (unsigned long long)p, flags[p] ? "read" : "not touched");
		}
	}
	/* Nothing happened since. */
	get_log(1, map);
	for (u64 p = 0; p < DATA_PAGES / 64; p++)
		EXPECT_EQ(0, map[p], "log without a run");
}

/* What a migration does: a copy that follows the log is complete. */
static void follow(u32 slot, u64 pages, const u8 *from, u8 *to)
{
	u64 map[DATA_PAGES / 64];

	get_log(slot, map);
	for (u64 p = 0; p < pages; p++)
		if (test_bit(map, p))
			memcpy(to + p * PAGE, from + p * PAGE, PAGE);
}

static void compare(const char *what, const u8 *a, const u8 *b, u64 size)
{
	for (u64 off = 0; off < size; off += 8)
		if (*(u64 *)(a + off) != *(u64 *)(b + off)) {
			FAIL("%s at +%#llx: expected the copy to be %#llx, seen %#llx", what,
			     (unsigned long long)off, *(unsigned long long *)(a + off),
			     *(unsigned long long *)(b + off));
			return;
		}
}

BOTH(dirty_log_copy, 60)
{
	u8 *ram_copy = map_ram(RAM_SIZE), *data_copy = map_ram(DATA_SIZE);
	struct worker w;

	start_vm(0);
	start_worker(&w, 0, DATA_BASE, DATA_SIZE, paged);
	goes_on(&w, 1);
	/* Logging begins while it runs. */
	ASSERT_ERRNO(0, set_slot(vm.fd, 0, KVM_MEM_LOG_DIRTY_PAGES, RAM_BASE, RAM_SIZE, vm.ram));
	ASSERT_ERRNO(0, set_slot(vm.fd, 1, KVM_MEM_LOG_DIRTY_PAGES, DATA_BASE, DATA_SIZE, data));
	memcpy(ram_copy, vm.ram, RAM_SIZE);
	memcpy(data_copy, data, DATA_SIZE);
	for (unsigned int i = 0; i < 25 * harness_scale && !w.done; i++) {
		follow(0, RAM_SIZE / PAGE, vm.ram, ram_copy);
		follow(1, DATA_PAGES, data, data_copy);
		sleep_ms(rnd() % 20);
		if (i % 5 == 0)
			kick(&w);
	}
	/* As QEMU: the last pass comes before the registers are read. */
	join_worker(&w);
	follow(0, RAM_SIZE / PAGE, vm.ram, ram_copy);
	follow(1, DATA_PAGES, data, data_copy);
	stop_worker(&w);
	/* stop is the client's own write, which no log shows. */
	((struct ctrl *)(ram_copy + (CTRL_AT(0) - RAM_BASE)))->stop = 1;
	compare("RAM", vm.ram, ram_copy, RAM_SIZE);
	compare("data", data, data_copy, DATA_SIZE);
	check_data(&w, NULL);
}

/* --- all of it, on two harts ---------------------------------------------- */

static void disturb(u8 *dropped)
{
	u64 len;
	u8 *p = piece(&len);

	switch (rnd() % 7) {
	case 0:
		ASSERT_ERRNO(0, madvise(p, len, MADV_DONTNEED));
		memset(dropped + (p - data) / PAGE, 1, len / PAGE);
		break;
	case 1:
		pthread_mutex_lock(&data_lock);
		mprotect(p, len, PROT_READ);
		mprotect(p, len, PROT_READ | PROT_WRITE);
		pthread_mutex_unlock(&data_lock);
		break;
	case 2:
		madvise(data, DATA_SIZE, MADV_COLLAPSE);
		break;
	case 3:
		madvise(p, len, MADV_PAGEOUT);
		break;
	case 4:
		if (rnd() % 4 == 0) {
			set_slot(vm.fd, 1, 0, 0, 0, NULL);
			sleep_ms(rnd() % 3);
			ASSERT_ERRNO(0, set_slot(vm.fd, 1, 0, DATA_BASE, DATA_SIZE, data));
		}
		break;
	case 5:
		if (rnd() % 4 == 0) {
			pid_t pid = fork();

			if (!pid)
				_exit(0);
			waitpid(pid, NULL, 0);
		}
		break;
	case 6:
		madvise(vm.ram, RAM_SIZE, MADV_PAGEOUT);
		break;
	}
}

TEST_TIMEOUT(everything_on_two_harts, PATIENCE * 60)
{
	static u8 dropped[DATA_PAGES];
	u64 end = now_ns() + 6000000000ull * harness_scale;
	struct worker w[2];

	swap_on();
	start_vm(0);
	for (unsigned int i = 0; i < 2; i++) {
		start_worker(&w[i], i, DATA_BASE + i * DATA_SIZE / 2, DATA_SIZE / 2, i);
		w[i].ctrl->zero_ok = 1;
		w[i].efault_ok = true;
		w[i].emulate = true;
		w[i].shared_text = true;
	}
	while (now_ns() < end && !w[0].done && !w[1].done) {
		disturb(dropped);
		if (rnd() % 8 == 0)
			kick(&w[rnd() & 1]);
	}
	for (unsigned int i = 0; i < 2; i++)
		goes_on(&w[i], 2);
	for (unsigned int i = 0; i < 2; i++)
		join_worker(&w[i]);
	for (unsigned int i = 0; i < 2; i++) {
		stop_worker(&w[i]);
		check_data(&w[i], dropped);
	}
}

HARNESS_MAIN
