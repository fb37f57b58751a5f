// SPDX-License-Identifier: GPL-2.0
/*
 * A structured fuzzer of the ioctls: sequences that make sense more often than
 * not, arguments that do not, several threads on the same descriptors, and
 * closes, unmappings, forks and kills in between.  Guests execute noise.
 *
 * What it looks for is the host's to say: warnings, hangs, VMs that stay.
 * Each case is a process with a seed of its own; FUZZ_SEED in the environment
 * repeats a run from its first case (threads still race as they like).
 *
 * scale=N: N times as long.
 */
#include "include/client.h"

#include <asm/kvm.h>
#include <sys/eventfd.h>

#define SECONDS		15	/* of each of the two tests, at scale 1 */
#define CASE_MS		1200	/* how long a case may run before it is killed */
#define OPS		80	/* of each thread of a case */
#define THREADS		3
#define NFDS		24
#define RAM		(64 * PAGE)

/* --- random numbers ----------------------------------------------------------------------- */

static __thread u64 state;

static u64 noise(void)
{
	state += 0x9e3779b97f4a7c15;
	u64 z = state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static u64 below(u64 n)
{
	return noise() % n;
}

static bool chance(unsigned int percent)
{
	return below(100) < percent;
}

/* Numbers that programs get wrong. */
static u64 odd(void)
{
	static const u64 list[] = {
		0, 1, 2, 3, 4, 7, 8, 63, 64, 255, 1023, 1024, 4095, 4096, 32766, 32767, 65535,
		0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 56, 1ull << 63, ~0ull,
		-4096ull,
	};

	return chance(80) ? list[below(ARRAY_SIZE(list))] : noise();
}

/* --- what a case works on: shared by its threads, without a lock, on purpose ------------------ */

enum kind { NOTHING, VM, VCPU, DEVICE, EVENT, STATS };

static struct { volatile int fd; volatile enum kind kind; } fds[NFDS];
static struct kvm_run *volatile runs[NFDS];
static u8 *ram;
static int dev;
static volatile bool stop;

static void keep(int fd, enum kind kind)
{
	unsigned int i = below(NFDS);

	if (fd < 0)
		return;
	if (fds[i].kind != NOTHING)
		close(fds[i].fd);
	fds[i].fd = fd;
	fds[i].kind = kind;
}

/* One of the kind, mostly; or any, or none. */
static int any(enum kind kind)
{
	unsigned int at = below(NFDS);

	if (chance(2))
		return chance(50) ? -1 : (int)below(32);
	for (unsigned int i = 0; i < NFDS; i++)
		if (fds[(at + i) % NFDS].kind == kind)
			return fds[(at + i) % NFDS].fd;
	return -1;
}

/* A pointer to something; often not. */
static void *pointer(void *good)
{
	if (chance(95))
		return good;
	return chance(50) ? NULL : (void *)odd();
}

static u64 gpa(void)
{
	static const u64 list[] = {
		RAM_BASE, RAM_BASE, RAM_BASE, RAM_BASE + PAGE, RAM_BASE + RAM - PAGE, 0x10000000,
		0xc000000, 0x20000000, 0x101000,
	};

	return chance(85) ? list[below(ARRAY_SIZE(list))] : odd();
}

/* --- operations ------------------------------------------------------------------------ */

static void op_vm(void)
{
	keep(ioctl(dev, KVM_CREATE_VM, chance(95) ? 0 : odd()), VM);
}

static void op_vcpu(void)
{
	keep(ioctl(any(VM), KVM_CREATE_VCPU, chance(90) ? below(4) : odd()), VCPU);
}

static void op_slot(void)
{
	struct kvm_userspace_memory_region2 mem = {
		.slot = chance(90) ? below(4) : odd(),
		.flags = chance(90) ? below(4) : odd(),
		.guest_phys_addr = gpa(),
		.memory_size = chance(90) ? below(65) * PAGE : odd(),
		.userspace_addr = chance(90) ? (u64)ram + below(64) * PAGE : odd(),
	};

	ioctl(any(VM), chance(70) ? KVM_SET_USER_MEMORY_REGION : KVM_SET_USER_MEMORY_REGION2,
	      pointer(&mem));
}

/* The one that makes guests run. */
static void op_good_slot(void)
{
	set_slot(any(VM), 0, below(4) ? 0 : KVM_MEM_LOG_DIRTY_PAGES, RAM_BASE, RAM, ram);
}

static void op_dirty(void)
{
	static u64 bits[64];
	struct kvm_dirty_log log = { .slot = chance(90) ? below(4) : odd(),
		.dirty_bitmap = pointer(bits) };
	struct kvm_clear_dirty_log clear = {
		.slot = log.slot, .first_page = chance(80) ? below(2) * 64 : odd(),
		.num_pages = chance(80) ? 64 : odd(), .dirty_bitmap = pointer(bits),
	};

	if (chance(50))
		ioctl(any(VM), KVM_GET_DIRTY_LOG, pointer(&log));
	else
		ioctl(any(VM), KVM_CLEAR_DIRTY_LOG, pointer(&clear));
}

static void op_cap(void)
{
	static const u32 caps[] = { KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, UMBRA_CAP_M_MODE,
		KVM_CAP_HALT_POLL };
	struct kvm_enable_cap cap = {
		.cap = chance(90) ? caps[below(ARRAY_SIZE(caps))] : odd(),
		.args[0] = chance(90) ? 1 : odd(), .flags = chance(95) ? 0 : odd(),
	};

	if (chance(30))
		ioctl(chance(50) ? dev : any(VM), KVM_CHECK_EXTENSION,
		      chance(80) ? below(260) : odd());
	else if (chance(30))
		ioctl(any(VM), KVM_ENABLE_CAP, pointer(&cap));
}

static void op_run(void)
{
	unsigned int i = below(NFDS);
	struct kvm_run *run = runs[i];

	/* Its answers are noise as well; the mapping may be of another vCPU by now. */
	if (run && chance(50))
		run->immediate_exit = chance(20);
	if (run && chance(20))
		memset((u8 *)run + 32, noise(), 64);
	for (unsigned int n = below(4) + 1; n; n--)
		ioctl(any(VCPU), KVM_RUN, chance(98) ? 0 : odd());
}

static void op_map(void)
{
	unsigned int i = below(NFDS);
	void *p;

	if (fds[i].kind != VCPU)
		return;
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, chance(90) ? MAP_SHARED : MAP_PRIVATE,
		 fds[i].fd,
		 chance(90) ? 0 : below(4) * PAGE);
	/* Never unmapped: other threads may stand on it; the process ends soon. */
	if (p != MAP_FAILED && ioctl(fds[i].fd, KVM_GET_MP_STATE, p) == 0)
		runs[i] = p;
}

static u64 reg_id(void)
{
	static const u64 types[] = {
		KVM_REG_RISCV_CONFIG, KVM_REG_RISCV_CORE, KVM_REG_RISCV_CSR, KVM_REG_RISCV_TIMER,
		KVM_REG_RISCV_FP_F, KVM_REG_RISCV_FP_D, KVM_REG_RISCV_VECTOR, KVM_REG_RISCV_ISA_EXT,
		KVM_REG_RISCV_SBI_EXT, KVM_REG_RISCV_SBI_STATE,
	};
	u64 id = KVM_REG_RISCV | types[below(ARRAY_SIZE(types))];

	id |= chance(80) ? KVM_REG_SIZE_U64 : below(16) << KVM_REG_SIZE_SHIFT;
	id |= chance(80) ? below(70) : below(1 << 16);
	if (chance(20))
		id |= below(4) << KVM_REG_RISCV_SUBTYPE_SHIFT;
	return chance(97) ? id : noise();
}

static void op_reg(void)
{
	u64 val[64] = { chance(50) ? gpa() : odd(), noise() };
	struct kvm_one_reg reg = { .id = reg_id(), .addr = (u64)pointer(val) };
	struct { struct kvm_reg_list head; u64 reg[300]; } list = {
		.head.n = chance(80) ? 300 : below(300),
	};

	if (chance(5))
		ioctl(any(VCPU), KVM_GET_REG_LIST, pointer(&list));
	else
		ioctl(any(VCPU), chance(50) ? KVM_SET_ONE_REG : KVM_GET_ONE_REG, pointer(&reg));
}

/* pc and mode somewhere useful. */
static void op_good_pc(void)
{
	u64 pc = RAM_BASE + below(RAM) / 2 * 2;
	struct kvm_one_reg reg = { .id = REG_CORE(regs.pc), .addr = (u64)&pc };

	ioctl(any(VCPU), KVM_SET_ONE_REG, &reg);
}

static void op_vcpu_state(void)
{
	u32 state = chance(70) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_STOPPED;
	u32 level = chance(50) ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET;
	struct kvm_mp_state mp = { chance(80) ? state : odd() };
	struct kvm_interrupt irq = { chance(80) ? level : odd() };
	struct kvm_guest_debug debug = { .control = chance(70) ? below(4) : odd() };
	struct { struct kvm_signal_mask head; u64 set; } mask = {
		.head.len = chance(80) ? 8 : odd(), .set = chance(80) ? 0 : noise(),
	};
	int fd = any(VCPU);

	switch (below(5)) {
	case 0:
		ioctl(fd, KVM_SET_MP_STATE, pointer(&mp));
		break;
	case 1:
		ioctl(fd, KVM_GET_MP_STATE, pointer(&mp));
		break;
	case 2:
		ioctl(fd, KVM_INTERRUPT, pointer(&irq));
		break;
	case 3:
		ioctl(fd, KVM_SET_GUEST_DEBUG, pointer(&debug));
		break;
	case 4:
		/* Signals stay open, or nothing ends KVM_RUN. */
		mask.set &= ~(1ull << (SIGALRM - 1));
		ioctl(fd, KVM_SET_SIGNAL_MASK, chance(50) ? NULL : pointer(&mask));
		break;
	}
}

static void op_events(void)
{
	struct kvm_ioeventfd io = {
		.fd = any(EVENT), .addr = gpa(), .len = chance(80) ? 1ul << below(4) : odd(),
		.flags = chance(80) ? below(8) : odd(), .datamatch = odd(),
	};
	struct kvm_irqfd irq = {
		.fd = any(EVENT), .gsi = chance(80) ? below(100) : odd(),
		.flags = chance(90) ? below(2) : odd(),
	};
	struct kvm_coalesced_mmio_zone zone = {
		.addr = gpa(), .size = chance(80) ? below(4096) : odd(),
		.pio = chance(90) ? 0 : odd(),
	};
	struct { struct kvm_irq_routing head; struct kvm_irq_routing_entry e[3]; } table = {
		.head.nr = chance(80) ? below(4) : odd(), .head.flags = chance(95) ? 0 : odd(),
	};
	struct kvm_irq_level level = { .irq = chance(80) ? below(100) : odd(), .level = below(2) };
	u64 one = 1;

	for (int i = 0; i < 3; i++)
		table.e[i] = (struct kvm_irq_routing_entry) {
			.gsi = chance(90) ? below(100) : odd(),
			.type = chance(90) ? KVM_IRQ_ROUTING_IRQCHIP : odd(),
			.u.irqchip.pin = chance(90) ? below(100) : odd(),
		};
	switch (below(8)) {
	case 0:
		keep(eventfd(0, EFD_NONBLOCK), EVENT);
		break;
	case 1:
		ioctl(any(VM), KVM_IOEVENTFD, pointer(&io));
		break;
	case 2:
		ioctl(any(VM), KVM_IRQFD, pointer(&irq));
		break;
	case 3:
		ioctl(any(VM), chance(70) ?
		      KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO,
		      pointer(&zone));
		break;
	case 4:
		ioctl(any(VM), KVM_SET_GSI_ROUTING, pointer(&table));
		break;
	case 5:
		ioctl(any(VM), KVM_IRQ_LINE, pointer(&level));
		break;
	default:
		if (write(any(EVENT), &one, sizeof(one)) < 0)
			break;
	}
}

static void op_device(void)
{
	struct kvm_create_device cd = {
		.type = UMBRA_DEV_TYPE_BASE + (chance(90) ? below(6) : odd()),
		.flags = chance(95) ? 0 : odd(),
	};
	u64 val = chance(80) ? gpa() : below(100);
	struct kvm_device_attr attr = {
		.group = chance(90) ? below(2) : odd(), .attr = chance(90) ? below(6) : odd(),
		.addr = (u64)pointer(&val), .flags = chance(95) ? 0 : odd(),
	};
	char c = noise();

	switch (below(5)) {
	case 0:
		if (!ioctl(any(VM), KVM_CREATE_DEVICE, pointer(&cd)) && !(cd.flags & 1)) {
			fcntl(cd.fd, F_SETFL, O_NONBLOCK);
			keep(cd.fd, DEVICE);
		}
		break;
	case 1:
	case 2:
		if (attr.group == UMBRA_DEV_GRP_CTRL && chance(90))
			attr.addr = 0;
		ioctl(any(DEVICE), chance(70) ? KVM_SET_DEVICE_ATTR : KVM_GET_DEVICE_ATTR,
		      pointer(&attr));
		break;
	case 3:
		if (write(any(DEVICE), &c, 1) < 0)
			break;
		break;
	case 4:
		if (read(any(DEVICE), &c, 1) < 0)
			break;
		break;
	}
}

static void op_stats(void)
{
	char buf[4096];

	keep(ioctl(chance(50) ? any(VM) : any(VCPU), KVM_GET_STATS_FD, NULL), STATS);
	if (pread(any(STATS), buf, below(sizeof(buf)), chance(80) ? below(8192) : odd()) < 0)
		return;
}

static void op_close(void)
{
	unsigned int i = below(NFDS);

	if (fds[i].kind == NOTHING)
		return;
	fds[i].kind = NOTHING;
	close(fds[i].fd);
}

static void op_memory(void)
{
	u8 *at = ram + below(64) * PAGE;
	u64 len = (1 + below(8)) * PAGE;

	if (at + len > ram + RAM)
		return;
	switch (below(5)) {
	case 0:
		madvise(at, len, MADV_DONTNEED);
		break;
	case 1:
		mprotect(at, len, chance(50) ? PROT_READ : PROT_READ | PROT_WRITE);
		break;
	case 2:
		mprotect(ram, RAM, PROT_READ | PROT_WRITE);
		break;
	case 3:
		/* A hole, or new memory in its place. */
		mmap(at, len, chance(80) ? PROT_READ | PROT_WRITE : PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 4:
		madvise(at, len, MADV_PAGEOUT);
		break;
	}
}

/* Instructions for the guest; a system call writes them, as pages may be gone. */
static void op_code(void)
{
	static const u32 words[] = {
		0x00000073 /* ecall */, 0x00100073, 0x10500073, 0x10200073, 0x12000073,
		0x14102573, 0x14002573,
		0x18051073 /* csrw satp, a0 */, 0x10051073, 0x10551073, 0x10451073, 0x14451073,
		0x0000100f,
		0x00053503 /* ld a0, 0(a0) */, 0x00b53023, 0x1005352f, 0x18b5352f, 0x0005a583,
		0x00008067,
		0x0000006f, 0xffdff06f, 0x00150513, 0xc0102573, 0xc0002573, 0x00051537,
		0x80000537, 0x20000537,
		0x0c000537, 0x04200893 /* li a7, .. */, 0x01000893, 0x9002, 0x8082, 0x02a00057,
		0x0d0572d7,
	};
	u32 code[32];
	int p[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(code); i++)
		code[i] = chance(90) ? words[below(ARRAY_SIZE(words))] : (u32)noise();
	if (pipe(p))
		return;
	if (write(p[1], code, sizeof(code)) == sizeof(code) &&
	    read(p[0], ram + below(RAM - sizeof(code)) / 4 * 4, sizeof(code)) < 0)
		errno = 0;
	close(p[0]);
	close(p[1]);
}

/* Numbers nobody has thought of, on any descriptor. */
static void op_noise(void)
{
	static u8 buf[8192];
	unsigned int nr = below(256), type = chance(80) ? KVMIO : chance(50) ? 'U' : below(256);

	/* It would take the alarms away. */
	if (nr == (KVM_SET_SIGNAL_MASK & 0xff))
		return;
	for (unsigned int i = 0; i < 64; i++)
		((u64 *)buf)[i] = odd();
	ioctl(any(below(STATS + 1)), _IOC(below(4), type, nr,
					  chance(80) ? below(256) : below(1 << 14)),
	      chance(90) ? (u64)buf : odd());
}

static void op_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		ioctl(any(VCPU), KVM_RUN, 0);
		op_slot();
		op_close();
		if (chance(50)) {
			char *argv[] = { "true", NULL };

			execv("/bin/busybox", argv);
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, chance(50) ? WNOHANG : 0);
}

static const struct { void (*fn)(void); unsigned int weight; } ops[] = {
	{ op_vm, 4 }, { op_vcpu, 8 }, { op_slot, 8 }, { op_good_slot, 6 }, { op_dirty, 6 },
	{ op_cap, 3 },
	{ op_run, 30 }, { op_map, 6 }, { op_reg, 20 }, { op_good_pc, 10 }, { op_vcpu_state, 10 },
	{ op_events, 12 }, { op_device, 12 }, { op_stats, 2 }, { op_close, 3 }, { op_memory, 8 },
	{ op_code, 10 }, { op_noise, 6 }, { op_fork, 1 },
};

static void random_op(void)
{
	static unsigned int total;
	unsigned int n, sum = 0;

	if (!total) {
		for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
			sum += ops[i].weight;
		total = sum;
	}
	n = below(total);
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		if (n < ops[i].weight) {
			ops[i].fn();
			return;
		}
		n -= ops[i].weight;
	}
}

/* --- a case ---------------------------------------------------------------------------- */

static void *worker(void *arg)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec when = { .it_value.tv_nsec = 3000000, .it_interval.tv_nsec = 3000000 };
	timer_t timer;

	state = (u64)arg;
	/* KVM_RUN never lasts: an alarm of its own for each thread. */
	ev._sigev_un._tid = syscall(SYS_gettid);
	if (!timer_create(CLOCK_MONOTONIC, &ev, &timer))
		timer_settime(timer, 0, &when, NULL);
	for (unsigned int i = 0; i < OPS && !stop; i++)
		random_op();
	return NULL;
}

static void run_case(u64 seed, unsigned int threads)
{
	struct sigaction sa = { .sa_handler = on_kick };
	pthread_t t[THREADS];

	state = seed;
	sigaction(SIGALRM, &sa, NULL);
	dev = open_dev();
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 20; i++)
		op_code();
	op_vm();
	op_good_slot();
	op_vcpu();
	op_map();
	for (unsigned int i = 0; i < threads; i++)
		pthread_create(&t[i], NULL, worker, (void *)noise());
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	/* Some end tidily, most do not. */
	if (chance(30))
		for (unsigned int i = 0; i < NFDS; i++)
			op_close();
	_exit(0);
}

static void fuzz(unsigned int threads)
{
	const char *given = getenv("FUZZ_SEED");
	u64 seed = given ? strtoull(given, NULL, 0) : now_ns();
	u64 end = now_ns() + SECONDS * harness_scale * 1000000000ull;
	long refs = read_number("/sys/module/umbra/refcnt"), left;
	unsigned int cases = 0, killed = 0;

	printf("# FUZZ_SEED=%#llx\n", (unsigned long long)seed);
	fflush(stdout);
	while (now_ns() < end) {
		u64 late = now_ns() + CASE_MS * 1000000ull;
		pid_t pid = fork();
		int status;

		ASSERT(pid >= 0, "fork: %m");
		if (!pid) {
			setpgid(0, 0);
			run_case(seed + cases, threads);
		}
		while (waitpid(pid, &status, WNOHANG) == 0) {
			if (now_ns() > late) {
				/* Killed where it stands: its VMs must go all the same. */
				kill(-pid, SIGKILL);
				kill(pid, SIGKILL);
				waitpid(pid, &status, 0);
				killed++;
				break;
			}
			sleep_ms(2);
		}
		kill(-pid, SIGKILL);
		cases++;
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	/* Descriptors are given back a little after their last user is gone. */
	for (int i = 0; i < 500; i++) {
		left = read_number("/sys/module/umbra/refcnt");
		if (left <= refs)
			break;
		sleep_ms(10);
	}
	printf("# %u cases, %u killed\n", cases, killed);
	EXPECT(cases > 3, "expected more than 3 cases, seen %u", cases);
	EXPECT(left <= refs, "references on the module: expected %ld as before, seen %ld",
	       refs, left);
}

TEST_TIMEOUT(sequences, 60 + SECONDS)
{
	fuzz(1);
}

TEST_TIMEOUT(races, 60 + SECONDS)
{
	fuzz(THREADS);
}

HARNESS_MAIN
