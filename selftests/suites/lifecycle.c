// SPDX-License-Identifier: GPL-2.0
/*
 * Beginnings, ends, and neighbours: file descriptors closed in any order,
 * processes killed, exec, fork, several VMs and many vCPUs, unloading, CPU
 * hotplug; and what a guest must not do to the rest of the host: delay it, keep
 * its memory, or touch its floating-point and vector registers.
 */
#include "include/client.h"

#include <sched.h>
#include <sys/auxv.h>

#define COUNTER		(RAM_BASE + 0x10000)
#define RAM_SIZE	(2ul << 20)

/* Counts into its word at a0, with privileged instructions on the way. */
GUEST(counter,
      "	lla	t0, 2f\n"
      "	csrw	stvec, t0\n"
      "	li	t0, 0\n"
      "1:	addi	t0, t0, 1\n"
      "	sd	t0, 0(a0)\n"
      "	csrw	sscratch, t0\n"
      "	sfence.vma\n"
      "	csrr	t1, sscratch\n"
      "	beq	t0, t1, 1b\n"
      /* A trap, or a register that is wrong: see run_thread(). */
      "	.balign 4\n"
      "2:\n"
      GUEST_PORT TELL("t1") STOP);

/* Interrupts off, no trap, for ever. */
GUEST(spin,
      "	csrw	sie, zero\n"
      "	csrci	sstatus, 2\n"
      "1:	addi	t0, t0, 1\n"
      "	j	1b\n");

/* Nothing but traps: the vector is where the trap comes from. */
GUEST(trap_storm,
      "	lla	t0, 1f\n"
      "	csrw	stvec, t0\n"
      "	.balign 4\n"
      "1:	ebreak\n");

/* Firmware traps without end: illegal in any mode. */
GUEST(illegal_storm,
      "	lla	t0, 1f\n"
      "	csrw	stvec, t0\n"
      "	.balign 4\n"
      "1:	.word	0\n");

static u64 *counter_of(struct vm *vm, unsigned int n)
{
	return vm_word(vm, COUNTER + 64 * n);
}

static void new_counter(struct vcpu *v, struct vm *vm, u32 id)
{
	vcpu_new(v, vm, id);
	set_reg(v, REG_A(0), COUNTER + 64 * id);
}

/* Runs until a signal; then ends. */
static void *run_thread(void *arg)
{
	struct vcpu *v = arg;
	int ret = vcpu_run(v);

	if (!EXPECT(ret == -EINTR, "vCPU thread: expected EINTR, seen %s", exit_text(v, ret)))
		FAIL("its scause %#llx, sepc %#llx, stval %#llx",
		     (unsigned long long)get_reg(v, REG_CSR(scause)),
		     (unsigned long long)get_reg(v, REG_CSR(sepc)),
		     (unsigned long long)get_reg(v, REG_CSR(stval)));
	return NULL;
}

/* A signal before the thread is in KVM_RUN is lost: again, until it ends. */
static void stop(pthread_t thread)
{
	do {
		pthread_kill(thread, SIGUSR1);
		usleep(500);
	} while (pthread_tryjoin_np(thread, NULL) == EBUSY);
}

/* --- file descriptors ----------------------------------------------------------------- */

/* One of the five things that a client holds. */
static void let_go(struct vm *vm, struct vcpu *v, int stats, unsigned int what)
{
	switch (what) {
	case 0:
		close(vm->dev);
		break;
	case 1:
		close(vm->fd);
		break;
	case 2:
		close(v->fd);
		break;
	case 3:
		munmap(v->run, vm->run_size);
		break;
	case 4:
		close(stats);
		break;
	case 5:
		munmap(vm->ram, vm->size);
		break;
	}
}

TEST(close_in_any_order)
{
	kicks_init();
	for (unsigned int i = 0; i < 60 * harness_scale; i++) {
		unsigned int order[] = { 0, 1, 2, 3, 4, 5 };
		struct vcpu v;
		struct vm vm;
		pthread_t thread;
		int stats;

		vm_new(&vm, RAM_SIZE);
		vm_load(&vm, RAM_BASE, counter);
		new_counter(&v, &vm, 0);
		stats = ioctl(v.fd, KVM_GET_STATS_FD, NULL);
		pthread_create(&thread, NULL, run_thread, &v);
		EXPECT(wait_change(counter_of(&vm, 0), 0, 5000), "the guest: expected it to count");
		stop(thread);
		for (unsigned int n = 5; n; n--) {
			unsigned int k = rnd() % (n + 1), t = order[n];

			order[n] = order[k];
			order[k] = t;
		}
		for (unsigned int n = 0; n < 6; n++)
			let_go(&vm, &v, stats, order[n]);
	}
}

/* A vCPU runs on without its VM's and the device's descriptors. */
TEST(vcpu_outlives_the_rest)
{
	struct vcpu v;
	struct vm vm;
	pthread_t thread;

	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, counter);
	new_counter(&v, &vm, 0);
	close(vm.fd);
	close(vm.dev);
	pthread_create(&thread, NULL, run_thread, &v);
	EXPECT(wait_progress(counter_of(&vm, 0), 100, 5000),
	       "the guest: expected it to count");
	/* kvm_run is the kernel's as well: unmapping it disturbs nobody. */
	munmap(v.run, vm.run_size);
	EXPECT(wait_progress(counter_of(&vm, 0), 100, 5000),
	       "the guest without a mapping of kvm_run: expected it to count");
	stop(thread);
}

/* The thread goes, the vCPU stays; another thread takes it up. */
TEST(threads_take_turns)
{
	struct vcpu v;
	struct vm vm;
	pthread_t thread;

	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, counter);
	new_counter(&v, &vm, 0);
	for (unsigned int i = 0; i < 20; i++) {
		pthread_create(&thread, NULL, run_thread, &v);
		EXPECT(wait_progress(counter_of(&vm, 0), 20, 5000),
		       "the guest in thread %u: expected it to count", i);
		stop(thread);
	}
}

static void *get_thread(void *arg)
{
	get_reg(arg, REG_CORE(regs.pc));
	return NULL;
}

/* ioctls of one vCPU from several threads: one after the other, none lost. */
TEST(ioctls_from_two_threads)
{
	pthread_t runner, getter, second;
	struct vcpu v;
	struct vm vm;

	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, counter);
	new_counter(&v, &vm, 0);
	for (unsigned int i = 0; i < 10; i++) {
		pthread_create(&runner, NULL, run_thread, &v);
		EXPECT(wait_progress(counter_of(&vm, 0), 20, 5000), "the guest: expected it to count");
		/* These wait until the first has left. */
		pthread_create(&getter, NULL, get_thread, &v);
		pthread_create(&second, NULL, run_thread, &v);
		sleep_ms(5);
		stop(runner);
		EXPECT(wait_progress(counter_of(&vm, 0), 20, 5000),
		       "the guest in the second thread: expected it to count");
		/* Which of the two comes first is not said. */
		stop(second);
		pthread_join(getter, NULL);
	}
}

/* --- processes ------------------------------------------------------------------------------ */

/* A VM of two vCPUs that count, of which the first runs. */
static pthread_t start_pair(struct vm *vm, struct vcpu v[2])
{
	pthread_t thread;

	vm_new(vm, RAM_SIZE);
	vm_load(vm, RAM_BASE, counter);
	new_counter(&v[0], vm, 0);
	new_counter(&v[1], vm, 1);
	pthread_create(&thread, NULL, run_thread, &v[0]);
	return thread;
}

/* In a child: both run, until killed. */
static void child_runs(void)
{
	struct vcpu v[2];
	struct vm vm;

	start_pair(&vm, v);
	vcpu_run(&v[1]);
	_exit(0);
}

TEST_TIMEOUT(killed_at_any_moment, 60)
{
	u64 longest = 0;

	kicks_init();
	for (unsigned int i = 0; i < 200 * harness_scale && !harness->failures; i++) {
		pid_t pid = fork();
		int status;
		u64 began;

		if (!pid)
			child_runs();
		usleep(rnd() % 40000);
		began = now_ns();
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		began = now_ns() - began;
		if (began > longest)
			longest = began;
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		       "child: expected death by SIGKILL, seen status %#x", status);
	}
	printf("# the longest death took %llu ms\n", (unsigned long long)longest / 1000000);
	EXPECT(longest < 30000000000ull, "SIGKILL: expected death within 30 s, seen %llu ms",
	       (unsigned long long)longest / 1000000);
}

TEST(fork_then_child_uses_it)
{
	struct umbra_mmio_windows none = { 0 };
	struct vcpu v;
	struct vm vm;
	pid_t pid;
	u64 val = 0;

	vm_new(&vm, RAM_SIZE);
	vcpu_new(&v, &vm, 0);
	pid = fork();
	if (!pid) {
		EXPECT_ERRNO(EIO, ioctl(vm.fd, KVM_CREATE_VCPU, 1));
		EXPECT_ERRNO(EIO, ioctl(vm.fd, KVM_CHECK_EXTENSION, 0));
		EXPECT_ERRNO(EIO, ioctl(vm.fd, UMBRA_SET_MMIO_WINDOWS, &none));
		EXPECT_ERRNO(EIO, set_slot(vm.fd, 1, 0, 0, RAM_SIZE, vm.ram));
		EXPECT_ERRNO(EIO, ioctl(v.fd, KVM_RUN, 0));
		EXPECT_ERRNO(EIO, try_get(&v, REG_CORE(regs.pc), &val));
		/* The device itself makes VMs for anybody. */
		EXPECT_ERRNO(0, ioctl(vm.dev, KVM_CREATE_VM, 0));
		exit(harness_status());
	}
	waitpid(pid, NULL, 0);
	vm_load(&vm, RAM_BASE, counter);
	EXPECT_EQ(RAM_BASE, get_reg(&v, REG_CORE(regs.pc)), "pc, in the parent");
}

/* A stranger holds the descriptors when the owner, with its memory, is gone. */
TEST(descriptors_outlive_the_owner)
{
	int ready[2], vcpu_fd = -1, vm_fd = -1;
	struct { int vm, vcpu; } fds;
	u64 val;

	kicks_init();
	for (unsigned int i = 0; i < 10; i++) {
		struct kvm_one_reg reg = { .id = REG_CORE(regs.pc), .addr = (u64)&val };
		int pidfd;
		pid_t pid;

		ASSERT_ERRNO(0, pipe(ready));
		pid = fork();
		if (!pid) {
			struct vcpu v;
			struct vm vm;

			vm_new(&vm, RAM_SIZE);
			vm_load(&vm, RAM_BASE, counter);
			new_counter(&v, &vm, 0);
			fds.vm = vm.fd;
			fds.vcpu = v.fd;
			if (write(ready[1], &fds, sizeof(fds)) < 0)
				_exit(1);
			vcpu_run(&v);
			_exit(0);
		}
		ASSERT_EQ(sizeof(fds), read(ready[0], &fds, sizeof(fds)), "read from the child");
		pidfd = syscall(SYS_pidfd_open, pid, 0);
		vm_fd = syscall(SYS_pidfd_getfd, pidfd, fds.vm, 0);
		vcpu_fd = syscall(SYS_pidfd_getfd, pidfd, fds.vcpu, 0);
		ASSERT(vm_fd >= 0 && vcpu_fd >= 0, "pidfd_getfd: expected descriptors, seen %m");
		EXPECT_ERRNO(EIO, ioctl(vcpu_fd, KVM_GET_ONE_REG, &reg));
		usleep(rnd() % 20000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		EXPECT_ERRNO(EIO, ioctl(vcpu_fd, KVM_RUN, 0));
		EXPECT_ERRNO(EIO, ioctl(vm_fd, KVM_CREATE_VCPU, 1));
		close(i & 1 ? vm_fd : vcpu_fd);
		close(i & 1 ? vcpu_fd : vm_fd);
		close(pidfd);
		close(ready[0]);
		close(ready[1]);
	}
}

/* exec while another thread is in KVM_RUN; the VM's fd survives, useless. */
TEST(exec_with_a_vm)
{
	pid_t pid;
	int status;

	kicks_init();
	pid = fork();
	if (!pid) {
		struct vcpu v;
		struct vm vm;
		pthread_t thread;
		char text[12];

		vm_new(&vm, RAM_SIZE);
		vm_load(&vm, RAM_BASE, counter);
		new_counter(&v, &vm, 0);
		fcntl(vm.fd, F_SETFD, 0);
		fcntl(v.fd, F_SETFD, 0);
		pthread_create(&thread, NULL, run_thread, &v);
		wait_progress(counter_of(&vm, 0), 20, 5000);
		snprintf(text, sizeof(text), "%d", v.fd);
		execl("/proc/self/exe", "lifecycle", "--inherited", text, NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == EIO,
	       "KVM_RUN after exec: expected EIO (5), seen status %#x", status);
}

/* --- several -------------------------------------------------------------- */

TEST(two_vms)
{
	struct vcpu v[2];
	struct vm vm[2];
	pthread_t thread[2];

	kicks_init();
	for (unsigned int i = 0; i < 2; i++) {
		vm_new(&vm[i], RAM_SIZE);
		vm_load(&vm[i], RAM_BASE, counter);
		new_counter(&v[i], &vm[i], 0);
		/* The same gpa, not the same memory. */
		*vm_word(&vm[i], COUNTER + 0x1000) = i;
		pthread_create(&thread[i], NULL, run_thread, &v[i]);
	}
	for (unsigned int n = 0; n < 10; n++)
		for (unsigned int i = 0; i < 2; i++)
			EXPECT(wait_progress(counter_of(&vm[i], 0), 50, 5000),
			       "VM %u: expected it to count", i);
	/* One ends, the other does not notice. */
	stop(thread[0]);
	vcpu_close(&v[0]);
	vm_close(&vm[0]);
	EXPECT(wait_progress(counter_of(&vm[1], 0), 500, 5000), "VM 1: expected it to count on");
	stop(thread[1]);
}

TEST_TIMEOUT(eight_vcpus, 60)
{
	struct vcpu v[8];
	struct vm vm;
	pthread_t thread[8];

	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, counter);
	for (unsigned int i = 0; i < 8; i++)
		new_counter(&v[i], &vm, i);
	for (unsigned int i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, run_thread, &v[i]);
	for (unsigned int n = 0; n < 3; n++)
		for (unsigned int i = 0; i < 8; i++)
			EXPECT(wait_progress(counter_of(&vm, i), 50, 10000),
			       "vCPU %u: expected it to count", i);
	/* Made while the others run. */
	for (unsigned int i = 8; i < 12; i++) {
		struct vcpu more;
		pthread_t t;

		new_counter(&more, &vm, i);
		pthread_create(&t, NULL, run_thread, &more);
		EXPECT(wait_progress(counter_of(&vm, i), 20, 10000),
		       "vCPU %u: expected it to count", i);
		stop(t);
	}
	for (unsigned int i = 0; i < 8; i++)
		stop(thread[i]);
}

/* From CPU to CPU while it runs. */
TEST(migrates)
{
	struct vcpu v;
	struct vm vm;
	pthread_t thread;
	cpu_set_t set;

	SKIP_UNLESS(online_cpus() > 1, "one CPU only");
	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, counter);
	new_counter(&v, &vm, 0);
	pthread_create(&thread, NULL, run_thread, &v);
	for (unsigned int i = 0; i < 100 * harness_scale; i++) {
		CPU_ZERO(&set);
		CPU_SET(i % online_cpus(), &set);
		pthread_setaffinity_np(thread, sizeof(set), &set);
		if (!EXPECT(wait_progress(counter_of(&vm, 0), 5, 5000),
			    "the guest on CPU %u: expected it to count", i % online_cpus()))
			break;
	}
	stop(thread);
}

/* --- the host's other tasks ----------------------------------------------- */

struct wakeups {
	u64 most;		/* us; 98 of 100 were not later */
	u64 worst;
};

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* A task that wants to run each ms. */
static struct wakeups measure(unsigned int times)
{
	u64 *took = calloc(times, sizeof(*took));
	struct wakeups w;

	for (unsigned int i = 0; i < times; i++) {
		u64 began = now_ns();

		usleep(1000);
		took[i] = (now_ns() - began) / 1000;
	}
	qsort(took, times, sizeof(*took), compare_u64);
	w.most = took[times - 1 - times / 50];
	w.worst = took[times - 1];
	free(took);
	return w;
}

static void hog(const char *start, const char *end, const char *what)
{
	unsigned int n = online_cpus();
	struct vm vm;
	struct wakeups idle = measure(100), busy;
	u64 began;
	pid_t pid;

	pid = fork();
	if (!pid) {
		vm_new(&vm, RAM_SIZE);
		memcpy(vm.ram, start, end - start);
		for (unsigned int i = 0; i < n; i++) {
			struct vcpu *v = calloc(1, sizeof(*v));
			pthread_t t;

			vcpu_new(v, &vm, i);
			pthread_create(&t, NULL, run_thread, v);
		}
		pause();
		_exit(0);
	}
	sleep_ms(300);
	busy = measure(300 * harness_scale);
	printf("# %s: a 1 ms sleeper wakes after %llu us mostly, %llu us at worst (idle: %llu, %llu)\n",
	       what, (unsigned long long)busy.most, (unsigned long long)busy.worst,
	       (unsigned long long)idle.most, (unsigned long long)idle.worst);
	/*
	 * Bounds for a guest that keeps its hart, which would be minutes; what
	 * an emulator on a loaded machine does is far below.  There the sleeper
	 * beside a trap storm waits longer than beside a spinning guest, some
	 * 30 to 100 ms against 10: each of the two switches of address space in
	 * a world exit empties QEMU's TLB, for the host's code as well.  By the
	 * instruction count (board --icount shift=0,sleep=off) it wakes after
	 * 1.06 ms beside either, as on an idle host: nobody waits for the guest.
	 */
	EXPECT(busy.most < 2000000, "%s: expected wake-ups within 2 s, seen %llu us", what,
	       (unsigned long long)busy.most);
	EXPECT(busy.worst < 15000000, "%s: expected no wake-up after 15 s, seen %llu us", what,
	       (unsigned long long)busy.worst);
	began = now_ns();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT(now_ns() - began < 30000000000ull, "%s: expected death within 30 s, seen %llu ms",
	       what, (unsigned long long)(now_ns() - began) / 1000000);
}

#define HOG(name)	hog(guest_##name, guest_##name##_end, #name)

TEST(spinning_guest_delays_nobody)
{
	HOG(spin);
}

TEST(trapping_guest_delays_nobody)
{
	HOG(trap_storm);
}

TEST(illegal_instructions_delay_nobody)
{
	HOG(illegal_storm);
}

/* --- memory --------------------------------------------------------------- */

static long meminfo(const char *name)
{
	char line[100], key[60];
	FILE *f = fopen("/proc/meminfo", "re");
	long val = -1, n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%59[^:]: %ld", key, &n) == 2 && !strcmp(key, name))
			val = n;
	if (f)
		fclose(f);
	return val;
}

/* Free pages that each CPU keeps for itself: megabytes, and in flux. */
static long per_cpu_free_kb(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	char line[100];
	long sum = 0, n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &n) == 1)
			sum += 4 * n;
	if (f)
		fclose(f);
	return sum;
}

static void one_life(void)
{
	struct vcpu v[2];
	struct vm vm;
	pthread_t thread = start_pair(&vm, v);

	wait_progress(counter_of(&vm, 0), 3, 5000);
	stop(thread);
	vcpu_close(&v[0]);
	vcpu_close(&v[1]);
	vm_close(&vm);
}

struct memory {
	long available, slab, percpu;
};

static void settled_memory(struct memory *m)
{
	/* What RCU frees comes late. */
	sleep_ms(1500);
	write_file("/proc/sys/vm/drop_caches", "3");
	m->available = meminfo("MemAvailable") + per_cpu_free_kb();
	m->slab = meminfo("SUnreclaim");
	m->percpu = meminfo("Percpu");
}

/* A page for each life would be 4 kB times lives. */
static bool memory_is_back(const struct memory *a, const struct memory *b, long lives)
{
	printf("# available %ld -> %ld kB, unreclaimable slab %ld -> %ld kB, per-CPU %ld -> %ld kB\n",
	       a->available, b->available, a->slab, b->slab, a->percpu, b->percpu);
	return a->available - b->available < 3 * lives && b->slab - a->slab < 2 * lives &&
	       b->percpu - a->percpu < lives;
}

/*
 * What a VM leaks is leaked by each of them, in every round; the allocators'
 * noise, and what else the host does, is not.
 */
TEST_TIMEOUT(memory_comes_back, 120)
{
	unsigned int lives = 200 * harness_scale;
	struct memory a, b;
	bool back = false;

	kicks_init();
	for (unsigned int i = 0; i < 40; i++)
		one_life();
	settled_memory(&a);
	for (int round = 0; round < 3 && !back; round++) {
		for (unsigned int i = 0; i < lives; i++)
			one_life();
		settled_memory(&b);
		back = memory_is_back(&a, &b, lives);
		a = b;
	}
	EXPECT(back, "%u VMs, three times: expected their memory back each time but for noise",
	       lives);
}

/* --- unloading ------------------------------------------------------------ */

static void expect_busy(const char *what)
{
	/* EAGAIN is EWOULDBLOCK: in use. */
	int ret = syscall(SYS_delete_module, "umbra", O_NONBLOCK);

	EXPECT(ret < 0 && (errno == EAGAIN || errno == EBUSY),
	       "rmmod with %s open: expected EAGAIN, seen %s", what,
	       ret < 0 ? strerrorname_np(errno) : "success");
	/* Without the module the rest would fail for that alone. */
	if (!ret)
		exit(1);
}

TEST(unload_refused)
{
	static const char *const names[] = {
		"/dev/umbra", "a VM", "a vCPU", "a mapping of kvm_run",
		"statistics", "a device",
	};

	SKIP_UNLESS(!access("/sys/module/umbra/refcnt", F_OK), "umbra is not a module");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		struct kvm_create_device cd = { .type = UMBRA_DEV_TYPE_UART };
		struct vcpu v;
		struct vm vm;
		int stats;

		vm_new(&vm, RAM_SIZE);
		vcpu_new(&v, &vm, 0);
		stats = ioctl(v.fd, KVM_GET_STATS_FD, NULL);
		ASSERT_ERRNO(0, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
		if (i != 0)
			close(vm.dev);
		if (i != 1)
			close(vm.fd);
		if (i != 2)
			close(v.fd);
		if (i != 3)
			munmap(v.run, vm.run_size);
		if (i != 4)
			close(stats);
		if (i != 5)
			close(cd.fd);
		expect_busy(names[i]);
		close(i == 0 ? vm.dev : i == 1 ? vm.fd : i == 2 ? v.fd :
		      i == 4 ? stats : i == 5 ? (int)cd.fd : -1);
		if (i == 3)
			munmap(v.run, vm.run_size);
	}
}

/* --- CPU hotplug ---------------------------------------------------------- */

#define CPU1 "/sys/devices/system/cpu/cpu1/online"

TEST_TIMEOUT(cpu_hotplug, 60)
{
	struct vcpu v[3];
	struct vm vm;
	pthread_t thread[3];

	SKIP_UNLESS(online_cpus() > 1, "one CPU only");
	SKIP_UNLESS(!access(CPU1, W_OK), "no " CPU1);
	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, counter);
	for (unsigned int i = 0; i < 3; i++) {
		new_counter(&v[i], &vm, i);
		pthread_create(&thread[i], NULL, run_thread, &v[i]);
	}
	for (unsigned int n = 0; n < 4 * harness_scale && !harness->failures; n++) {
		int ret = write_file(CPU1, "0");

		EXPECT(!ret, "CPU 1 off: expected success, seen %s", strerrorname_np(-ret));
		for (unsigned int i = 0; i < 3; i++)
			EXPECT(wait_progress(counter_of(&vm, i), 20, 10000),
			       "vCPU %u without CPU 1: expected it to count", i);
		ret = write_file(CPU1, "1");
		EXPECT(!ret, "CPU 1 on: expected success, seen %s", strerrorname_np(-ret));
		for (unsigned int i = 0; i < 3; i++)
			EXPECT(wait_progress(counter_of(&vm, i), 20, 10000),
			       "vCPU %u with CPU 1: expected it to count", i);
	}
	write_file(CPU1, "1");
	for (unsigned int i = 0; i < 3; i++)
		stop(thread[i]);
}

/* --- the host's sleep --------------------------------------------------------------------- */

#define PM_TEST "/sys/power/pm_test"

/* At a0: when it began, and when a timer of a1 ticks woke it. */
GUEST(sleeper,
      "	lla	t0, 2f\n"
      "	csrw	stvec, t0\n"
      "	li	t0, 32\n"
      "	csrs	sie, t0\n"
      "	rdtime	t0\n"
      "	sd	t0, 0(a0)\n"
      "	add	a1, a1, t0\n"
      "	csrw	stimecmp, a1\n"
      "1:	wfi\n"
      "	csrr	t0, sip\n"
      "	andi	t0, t0, 32\n"
      "	beqz	t0, 1b\n"
      "	rdtime	t0\n"
      "	sd	t0, 8(a0)\n"
      "	.balign 4\n"
      "2:\n"
      GUEST_PORT STOP);

/* The freezer interrupts KVM_RUN; no signal is to be seen. */
static void *run_to_stop(void *arg)
{
	while (vcpu_run(arg) == -EINTR)
		;
	return NULL;
}

static u64 read_time(void)
{
	u64 t;

	asm volatile("rdtime %0" : "=r"(t));
	return t;
}

/*
 * While the host sleeps its clocks stand, the counter that the guest reads goes
 * on; a guest's timer goes by the counter.
 */
TEST_TIMEOUT(timer_over_suspend, 180)
{
	s64 ms, elapsed, stood, late, excuse;
	pthread_t thread;
	struct vcpu v;
	struct vm vm;
	u64 *word, began;
	int ret;

	SKIP_UNLESS(!access(PM_TEST, W_OK), "no " PM_TEST);
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, sleeper);
	vcpu_new(&v, &vm, 0);
	ms = get_reg(&v, REG_TIMER(frequency)) / 1000;
	set_reg(&v, REG_A(0), COUNTER);
	set_reg(&v, REG_A(1), 25000 * ms);
	word = vm_word(&vm, COUNTER);
	pthread_create(&thread, NULL, run_to_stop, &v);
	EXPECT(wait_change(&word[0], 0, 5000), "the guest: expected it to begin");

	began = read_time();
	stood = now_ns() / 1000000;
	ret = write_file(PM_TEST, "core");
	if (!ret)
		ret = write_file("/sys/power/state", "disk");
	elapsed = (s64)(read_time() - began) / ms;
	stood = elapsed - ((s64)(now_ns() / 1000000) - stood);
	write_file(PM_TEST, "none");
	SKIP_UNLESS(!ret, "no hibernation: %s", strerrorname_np(-ret));
	EXPECT(stood > 2000, "the host's clock: expected it to stand still, seen %lld ms of %lld",
	       (long long)stood, (long long)elapsed);

	pthread_join(thread, NULL);
	late = (s64)(word[1] - word[0]) / ms - 25000;
	excuse = elapsed > 25000 ? elapsed - 25000 : 0;
	printf("# the host's clock stood for %lld of %lld ms, the timer of 25000 ms is late by %lld\n",
	       (long long)stood, (long long)elapsed, (long long)late);
	EXPECT(late >= 0 && late < excuse + stood / 2,
	       "a timer over the host's sleep: expected it after 25000 ms, seen %lld more",
	       (long long)late);
}

/* --- floating point and vector -------------------------------------------- */

#define ALL_32	"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
#define ALL_BUT_0 "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"

/* f0 .. f31 = seed + number; t0 is lost. */
#define FP_FILL(seed)							\
	"	.irp	n, " ALL_32 "\n"				\
	"	addi	t0, " seed ", \\n\n"				\
	"	fmv.d.x	f\\n, t0\n"					\
	"	.endr\n"
/* Goes to `bad` where one differs, with its value in t1. */
#define FP_CHECK(seed, bad)						\
	"	.irp	n, " ALL_32 "\n"				\
	"	addi	t0, " seed ", \\n\n"				\
	"	fmv.x.d	t1, f\\n\n"					\
	"	bne	t0, t1, " bad "\n"				\
	"	.endr\n"
/* v1 .. v31, all elements; v0 is lost, too. */
#define V_FILL(seed)							\
	"	vsetvli	t0, zero, e64, m1, ta, ma\n"			\
	"	.irp	n, " ALL_BUT_0 "\n"				\
	"	addi	t0, " seed ", \\n\n"				\
	"	vmv.v.x	v\\n, t0\n"					\
	"	.endr\n"
#define V_CHECK(seed, bad)						\
	"	.irp	n, " ALL_BUT_0 "\n"				\
	"	addi	t0, " seed ", \\n\n"				\
	"	vmsne.vx v0, v\\n, t0\n"				\
	"	vfirst.m t1, v0\n"					\
	"	bgez	t1, " bad "\n"					\
	"	.endr\n"
#define WITH_V	"	.option arch, +v\n"

/* a0: counter, a1: seed. Fills once, checks for ever. */
GUEST(fp,
      "	li	t0, 0x2000\n"
      "	csrs	sstatus, t0\n"
      FP_FILL("a1")
      "	csrw	fcsr, 0x1f\n"
      "1:\n"
      FP_CHECK("a1", "2f")
      "	csrr	t1, fcsr\n"
      "	li	t0, 0x1f\n"
      "	bne	t0, t1, 2f\n"
      "	addi	s0, s0, 1\n"
      "	sd	s0, 0(a0)\n"
      /* From time to time everything is written again. */
      "	andi	t0, s0, 63\n"
      "	bnez	t0, 1b\n"
      FP_FILL("a1")
      "	j	1b\n"
      "2:	sd	t0, 8(a0)\n"
      "	sd	t1, 16(a0)\n"
      GUEST_PORT STOP);

GUEST(vector,
      WITH_V
      "	li	t0, 0x200\n"
      "	csrs	sstatus, t0\n"
      V_FILL("a1")
      "1:\n"
      V_CHECK("a1", "2f")
      "	addi	s0, s0, 1\n"
      "	sd	s0, 0(a0)\n"
      "	andi	t2, s0, 63\n"
      "	bnez	t2, 1b\n"
      V_FILL("a1")
      "	j	1b\n"
      "2:	sd	t0, 8(a0)\n"
      "	sd	t1, 16(a0)\n"
      GUEST_PORT STOP);

static bool fp_stop;

/* The host's own: fill once, check over and over without a system call. */
static long host_fp_round(u64 seed, u64 loops)
{
	long bad = 0;

	asm volatile(FP_FILL("%1")
		     "1:\n"
		     FP_CHECK("%1", "2f")
		     "	addi	%2, %2, -1\n"
		     "	bnez	%2, 1b\n"
		     "	j	3f\n"
		     "2:	li	%0, 1\n"
		     "3:\n"
		     : "+r"(bad), "+r"(seed), "+r"(loops)
		     :
		     : "t0", "t1", "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7",
		       "f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15", "f16",
		       "f17", "f18", "f19", "f20", "f21", "f22", "f23", "f24",
		       "f25", "f26", "f27", "f28", "f29", "f30", "f31");
	return bad;
}

static long host_v_round(u64 seed, u64 loops)
{
	long bad = 0;

	asm volatile("	.option push\n"
		     WITH_V
		     V_FILL("%1")
		     "1:\n"
		     V_CHECK("%1", "2f")
		     "	addi	%2, %2, -1\n"
		     "	bnez	%2, 1b\n"
		     "	j	3f\n"
		     "2:	li	%0, 1\n"
		     "3:\n"
		     "	.option pop\n"
		     : "+r"(bad), "+r"(seed), "+r"(loops)
		     :
		     : "t0", "t1", "memory");
	return bad;
}

static void *host_thread(void *arg)
{
	bool vector = arg;
	u64 rounds = 0;

	while (!__atomic_load_n(&fp_stop, __ATOMIC_RELAXED)) {
		u64 seed = 0x1000000 + rnd() % 0x1000000 * 64;

		rounds++;
		EXPECT(!(vector ? host_v_round(seed, 300) : host_fp_round(seed, 2000)),
		       "host task: expected its own %s registers, seen others",
		       vector ? "vector" : "floating-point");
		if (harness->failures)
			break;
	}
	return (void *)rounds;
}

/*
 * Two guests and two host tasks on as many CPUs as there are, each with its
 * own values; the tasks outnumber the CPUs, so that all are preempted.
 */
static void share_registers(const char *start, const char *end, bool vector,
			    u64 sstatus_on)
{
	struct vcpu v[2];
	struct vm vm[2];
	pthread_t guest[2], host[2];
	void *rounds;

	kicks_init();
	for (unsigned int i = 0; i < 2; i++) {
		vm_new(&vm[i], RAM_SIZE);
		memcpy(vm[i].ram, start, end - start);
		vcpu_new(&v[i], &vm[i], 0);
		set_reg(&v[i], REG_A(0), COUNTER);
		set_reg(&v[i], REG_A(1), 0x7700000000 + 0x1100000000 * i);
		set_reg(&v[i], REG_CSR(sstatus), sstatus_on);
		pthread_create(&guest[i], NULL, run_thread, &v[i]);
		pthread_create(&host[i], NULL, host_thread, (void *)(long)vector);
	}
	for (unsigned int n = 0; n < 10 * harness_scale && !harness->failures; n++)
		for (unsigned int i = 0; i < 2; i++)
			if (!EXPECT(wait_progress(vm_word(&vm[i], COUNTER), 50, 5000),
				    "guest %u: expected it to go on; its registers: expected %#llx, seen %#llx",
				    i, (unsigned long long)*vm_word(&vm[i], COUNTER + 8),
				    (unsigned long long)*vm_word(&vm[i], COUNTER + 16)))
				break;
	__atomic_store_n(&fp_stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < 2; i++) {
		stop(guest[i]);
		pthread_join(host[i], &rounds);
		printf("# guest %u: %llu rounds, host task: %llu\n", i,
		       (unsigned long long)*vm_word(&vm[i], COUNTER),
		       (unsigned long long)(u64)rounds);
		EXPECT((u64)rounds > 0, "host task: expected rounds, seen none");
	}
}

TEST_TIMEOUT(fp_is_private, 60)
{
	share_registers(guest_fp, guest_fp_end, false, 0x2000);
}

TEST_TIMEOUT(vector_is_private, 60)
{
	struct vcpu v;
	struct vm vm;
	u64 val = 0;

	SKIP_UNLESS(getauxval(AT_HWCAP) & 1 << ('v' - 'a'), "no vector on this host");
	vm_new(&vm, RAM_SIZE);
	vcpu_new(&v, &vm, 0);
	EXPECT(!try_get(&v, REG_ISA(V), &val) && val, "V: expected it to be offered where the host has it");
	SKIP_UNLESS(val, "no vector for guests");
	vcpu_close(&v);
	vm_close(&vm);
	share_registers(guest_vector, guest_vector_end, true, 0x200);
}

/* A system call keeps the caller's FP registers, KVM_RUN as well. */
static long fp_over_run(int fd, u64 seed)
{
	register long a0 asm("a0") = fd;
	register long a1 asm("a1") = KVM_RUN;
	register long a2 asm("a2") = 0;
	register long a7 asm("a7") = SYS_ioctl;
	long bad = 0;

	asm volatile(FP_FILL("%2")
		     "	ecall\n"
		     FP_CHECK("%2", "2f")
		     "	j	3f\n"
		     "2:	li	%0, 1\n"
		     "3:\n"
		     : "+r"(bad), "+r"(a0), "+r"(seed)
		     : "r"(a1), "r"(a2), "r"(a7)
		     : "t0", "t1", "memory", "f0", "f1", "f2", "f3", "f4", "f5",
		       "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13", "f14",
		       "f15", "f16", "f17", "f18", "f19", "f20", "f21", "f22",
		       "f23", "f24", "f25", "f26", "f27", "f28", "f29", "f30", "f31");
	return bad;
}

TEST(fp_over_kvm_run)
{
	struct itimerval it = { .it_value.tv_usec = 3000, .it_interval.tv_usec = 3000 };
	struct sigaction sa = { .sa_handler = on_kick };
	struct vcpu v;
	struct vm vm;

	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, fp);
	vcpu_new(&v, &vm, 0);
	set_reg(&v, REG_A(0), COUNTER);
	set_reg(&v, REG_A(1), 0x5500000000);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	for (unsigned int i = 0; i < 100; i++)
		EXPECT(!fp_over_run(v.fd, 0x4400000000 + 64 * i),
		       "registers after KVM_RUN: expected the caller's, seen others");
	setitimer(ITIMER_REAL, &(struct itimerval) {}, NULL);
	EXPECT(*vm_word(&vm, COUNTER) > 0, "the guest: expected rounds, seen none");
	EXPECT_EQ(0, *vm_word(&vm, COUNTER + 8), "the guest's wrong register, expected value");
}

/* The registers of one-reg are the ones the guest has. */
TEST(fp_one_regs)
{
	struct vcpu v;
	struct vm vm;
	pthread_t thread;
	u64 seed = 0x6600000000;

	kicks_init();
	vm_new(&vm, RAM_SIZE);
	vm_load(&vm, RAM_BASE, fp);
	vcpu_new(&v, &vm, 0);
	set_reg(&v, REG_A(0), COUNTER);
	set_reg(&v, REG_A(1), seed);
	pthread_create(&thread, NULL, run_thread, &v);
	EXPECT(wait_progress(vm_word(&vm, COUNTER), 70, 5000), "the guest: expected it to go on");
	stop(thread);
	for (u64 n = 0; n < 32; n++)
		EXPECT_EQ(seed + n, get_reg(&v, KVM_REG_RISCV | KVM_REG_SIZE_U64 |
					    KVM_REG_RISCV_FP_D | n), "f register");
	/* Another seed from outside: the guest finds it consistent. */
	seed += 0x100000;
	for (u64 n = 0; n < 32; n++)
		set_reg(&v, KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_FP_D | n, seed + n);
	set_reg(&v, REG_A(1), seed);
	set_reg(&v, REG_CORE(regs.pc), get_reg(&v, REG_CORE(regs.pc)));
	pthread_create(&thread, NULL, run_thread, &v);
	sleep_ms(20);
	stop(thread);
	/* It may have been between two registers when the seed changed. */
	printf("# the guest: %llu rounds\n", (unsigned long long)*vm_word(&vm, COUNTER));
}

/* --- after exec ----------------------------------------------------------- */

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--inherited")) {
		if (!ioctl(atoi(argv[2]), KVM_RUN, 0))
			return 0;
		return errno;
	}
	return harness_main(argc, argv);
}
