// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctl interface by itself: capabilities, wrong arguments and the errors
 * that KVM answers them with, registers, MP state, immediate_exit, signal
 * masks, interrupts, statistics, MMIO windows, devices. Guests here run a few
 * instructions at most.
 */
#include "include/client.h"

#include <dirent.h>
#include <sys/stat.h>

static struct vm vm;
static struct vcpu vcpu;

static void start(void)
{
	vm_new(&vm, 2 << 20);
	vcpu_new(&vcpu, &vm, 0);
}

/* An address that is not mapped, and one whose first half alone is. */
static void *bad_pointer(void)
{
	return (void *)8;
}

static void *last_bytes(size_t n)
{
	u8 *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(p != MAP_FAILED, "mmap: expected memory, seen %m");
	munmap(p + PAGE, PAGE);
	return p + PAGE - n;
}

/* --- /dev/umbra ---------------------------------------------------------------- */

TEST(version_and_sizes)
{
	int dev = open_dev();

	EXPECT_EQ(12, ioctl(dev, KVM_GET_API_VERSION, 0), "KVM_GET_API_VERSION");
	EXPECT_ERRNO(EINVAL, ioctl(dev, KVM_GET_API_VERSION, 1));
	EXPECT_EQ(0, ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0) % PAGE,
		  "KVM_GET_VCPU_MMAP_SIZE modulo page size");
	EXPECT_ERRNO(EINVAL, ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 1));
	EXPECT_ERRNO(EINVAL, ioctl(dev, KVM_CREATE_VM, 1));
}

TEST(capabilities)
{
	static const struct { u32 cap; int want; } fixed[] = {
		{ KVM_CAP_USER_MEMORY, 1 },
		{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
		{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
		{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
		{ KVM_CAP_ONE_REG, 1 }, { KVM_CAP_MP_STATE, 1 },
		{ KVM_CAP_SYNC_MMU, 1 }, { KVM_CAP_READONLY_MEM, 1 },
		{ KVM_CAP_IMMEDIATE_EXIT, 1 }, { KVM_CAP_DEVICE_CTRL, 1 },
		{ KVM_CAP_BINARY_STATS_FD, 1 }, { KVM_CAP_CHECK_EXTENSION_VM, 1 },
		{ KVM_CAP_ENABLE_CAP_VM, 1 }, { UMBRA_CAP_M_MODE, 1 },
		{ KVM_CAP_IOEVENTFD, 1 }, { KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
		{ KVM_CAP_COALESCED_MMIO, 1 }, { KVM_CAP_COALESCED_PIO, 1 },
		{ KVM_CAP_IRQFD, 1 }, { KVM_CAP_IRQFD_RESAMPLE, 0 },
		{ KVM_CAP_IRQ_ROUTING, 4096 },
		{ KVM_CAP_MAX_VCPUS, 1024 }, { KVM_CAP_NR_MEMSLOTS, 32767 },
		/* QEMU keys on it: 0 until AIA exists. */
		{ KVM_CAP_IRQCHIP, 0 },
		{ KVM_CAP_NESTED_STATE, 0 }, { KVM_CAP_GUEST_MEMFD, 0 },
		{ KVM_CAP_MEMORY_ATTRIBUTES, 0 },
		/* Numbers that mean nothing. */
		{ 0xffff, 0 }, { 0x7fffffff, 0 }, { ~0u, 0 },
		{ UMBRA_CAP_VDEV - 1, 0 }, { 0x554d42ff, 0 },
		{ UMBRA_CAP_VDEV, 0x11f }, { UMBRA_CAP_MMIO_WINDOWS, 64 },
	};
	int cap;

	vm_open(&vm);
	for (unsigned int i = 0; i < ARRAY_SIZE(fixed); i++) {
		int dev = ioctl(vm.dev, KVM_CHECK_EXTENSION, (unsigned long)fixed[i].cap);
		int of_vm = ioctl(vm.fd, KVM_CHECK_EXTENSION, (unsigned long)fixed[i].cap);

		EXPECT(dev == fixed[i].want, "capability %#x: expected %d, seen %d",
		       fixed[i].cap, fixed[i].want, dev);
		EXPECT(of_vm == dev, "capability %#x of the VM: expected %d as of the device, seen %d",
		       fixed[i].cap, dev, of_vm);
	}
	EXPECT_EQ(online_cpus(), ioctl(vm.dev, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS),
		  "KVM_CAP_NR_VCPUS, the CPUs that are online");
	cap = ioctl(vm.dev, KVM_CHECK_EXTENSION, UMBRA_CAP_MMU_MODES);
	EXPECT(cap & 1 << 8 && !(cap & ~0x700),
	       "UMBRA_CAP_MMU_MODES: expected Sv39 at least, seen %#x", cap);
}

TEST(unknown_ioctls)
{
	/* Of KVM, of Umbra's range, of nobody; those of the wrong fd. */
	static const unsigned long common[] = {
		_IO(KVMIO, 0xfe), _IOW(KVMIO, 0xfd, u64), _IO('U', 0xef),
		_IO('U', 0xe1), 0, ~0u,
	};
	struct kvm_create_device cd = { .type = UMBRA_DEV_TYPE_PLIC };

	start();
	ASSERT_ERRNO(0, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
	for (unsigned int i = 0; i < ARRAY_SIZE(common); i++) {
		EXPECT_ERRNO(ENOTTY, ioctl(vm.dev, common[i], 0));
		EXPECT_ERRNO(ENOTTY, ioctl(vm.fd, common[i], 0));
		EXPECT_ERRNO(ENOTTY, ioctl(vcpu.fd, common[i], 0));
		EXPECT_ERRNO(ENOTTY, ioctl(cd.fd, common[i], 0));
	}
	EXPECT_ERRNO(ENOTTY, ioctl(vm.dev, KVM_RUN, 0));
	EXPECT_ERRNO(ENOTTY, ioctl(vm.fd, KVM_RUN, 0));
	EXPECT_ERRNO(ENOTTY, ioctl(vm.dev, KVM_CREATE_VCPU, 0));
	EXPECT_ERRNO(ENOTTY, ioctl(vcpu.fd, KVM_CREATE_VCPU, 1));
	EXPECT_ERRNO(ENOTTY, ioctl(vm.fd, KVM_CREATE_VM, 0));
	EXPECT_ERRNO(ENOTTY, ioctl(cd.fd, KVM_RUN, 0));
	EXPECT_ERRNO(EBADF, ioctl(-1, KVM_RUN, 0));
	EXPECT_ERRNO(EINVAL, ioctl(vcpu.fd, KVM_RUN, 1));
}

/* Nothing that has no read or write may be read, written or mapped. */
TEST(plain_file_operations)
{
	char c = 0;

	start();
	EXPECT_ERRNO(EINVAL, read(vm.dev, &c, 1));
	EXPECT_ERRNO(EINVAL, read(vm.fd, &c, 1));
	EXPECT_ERRNO(EINVAL, write(vm.fd, &c, 1));
	EXPECT_ERRNO(EINVAL, read(vcpu.fd, &c, 1));
	EXPECT_ERRNO(ENODEV, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, vm.fd, 0));
}

/* --- memory slots --------------------------------------------------------------------- */

TEST(slot_arguments)
{
	u64 size = 2 << 20;
	u8 *mem = map_ram(4 * size);

	vm_open(&vm);
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION, bad_pointer()));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 4, RAM_BASE, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 1u << 31, RAM_BASE, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, RAM_BASE + 1, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, RAM_BASE + 2048, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, RAM_BASE, size + 8, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, RAM_BASE, size, mem + 8));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, -PAGE, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, RAM_BASE, -PAGE, mem));
	/* Ending behind the last byte, around all, and behind what PTEs can name. */
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, -size, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, 0, -PAGE, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, PAGE, -PAGE, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, (1ul << 56) - PAGE, 2 * PAGE, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, 1ul << 56, PAGE, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 0, 0, (1ul << 56) - size, size, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 0, 0, 0, 0, NULL));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, RAM_BASE, size, (void *)(1ul << 63)));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 32767, 0, RAM_BASE, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 1 << 16, 0, RAM_BASE, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, ~0u, 0, RAM_BASE, size, mem));
	/* Deleting what is not there. */
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 3, 0, RAM_BASE, 0, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, 0, 0, NULL));
}

TEST(slot_overlap)
{
	u64 size = 2 << 20, half = size / 2;
	u8 *mem = map_ram(4 * size);

	vm_open(&vm);
	ASSERT_ERRNO(0, set_slot(vm.fd, 1, 0, RAM_BASE, size, mem));
	EXPECT_ERRNO(EEXIST, set_slot(vm.fd, 2, 0, RAM_BASE, size, mem));
	EXPECT_ERRNO(EEXIST, set_slot(vm.fd, 2, 0, RAM_BASE + size - PAGE, PAGE, mem));
	EXPECT_ERRNO(EEXIST, set_slot(vm.fd, 2, 0, RAM_BASE - PAGE, 2 * PAGE, mem));
	EXPECT_ERRNO(EEXIST, set_slot(vm.fd, 2, 0, RAM_BASE + PAGE, PAGE, mem));
	EXPECT_ERRNO(EEXIST, set_slot(vm.fd, 2, 0, RAM_BASE - size, 4 * size, mem));
	/* Neighbours are none. */
	EXPECT_ERRNO(0, set_slot(vm.fd, 2, 0, RAM_BASE + size, size, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 3, 0, RAM_BASE - size, size, mem));
	/* The same memory in two slots is fine, as is the highest id. */
	EXPECT_ERRNO(0, set_slot(vm.fd, 32766, 0, 0, size, mem));

	/* Changes: identical, size, place in user memory, READONLY. */
	EXPECT_ERRNO(0, set_slot(vm.fd, 1, 0, RAM_BASE, size, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 1, 0, RAM_BASE, half, mem));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 1, 0, RAM_BASE, size, mem + PAGE));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 1, KVM_MEM_READONLY, RAM_BASE, size, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 1, KVM_MEM_LOG_DIRTY_PAGES, RAM_BASE, size, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 1, 0, RAM_BASE, size, mem));
	/* A move, onto another, onto itself, and away. */
	EXPECT_ERRNO(EEXIST, set_slot(vm.fd, 1, 0, RAM_BASE + size, size, mem));
	EXPECT_ERRNO(EEXIST, set_slot(vm.fd, 1, 0, RAM_BASE + half, size, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 1, 0, RAM_BASE + 16 * size, size, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 1, 0, RAM_BASE + 16 * size + half, size, mem));
	EXPECT_ERRNO(0, set_slot(vm.fd, 4, 0, RAM_BASE, size, mem));
	/* Delete, once. */
	EXPECT_ERRNO(0, set_slot(vm.fd, 1, 0, 0, 0, NULL));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 1, 0, 0, 0, NULL));
	EXPECT_ERRNO(0, set_slot(vm.fd, 1, KVM_MEM_READONLY, RAM_BASE + 16 * size, size, mem));
}

TEST(dirty_log_arguments)
{
	u64 bitmap[8];
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bitmap };
	u64 *short_map = last_bytes(8);

	vm_new(&vm, 2 << 20);
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_GET_DIRTY_LOG, bad_pointer()));
	EXPECT_ERRNO(ENOENT, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	log.slot = 5;
	EXPECT_ERRNO(ENOENT, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	log.slot = 32767;
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	log.slot = 0;
	ASSERT_ERRNO(0, set_slot(vm.fd, 0, KVM_MEM_LOG_DIRTY_PAGES, RAM_BASE, vm.size, vm.ram));
	EXPECT_ERRNO(0, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	/* 512 pages are 8 words; one is mapped. */
	log.dirty_bitmap = short_map;
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	log.dirty_bitmap = bad_pointer();
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
}

/* --- vCPUs ------------------------------------------------------------------------------- */

TEST(vcpu_ids)
{
	int fd;

	vm_open(&vm);
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_CREATE_VCPU, 1024ul));
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_CREATE_VCPU, 1ul << 31));
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_CREATE_VCPU, -1ul));
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_CREATE_VCPU, 1ul << 32));
	EXPECT_ERRNO(0, ioctl(vm.fd, KVM_CREATE_VCPU, 1023ul));
	EXPECT_ERRNO(EEXIST, ioctl(vm.fd, KVM_CREATE_VCPU, 1023ul));
	fd = ioctl(vm.fd, KVM_CREATE_VCPU, 0ul);
	EXPECT(fd >= 0, "vCPU 0: expected a file descriptor, seen %m");
	EXPECT_ERRNO(EEXIST, ioctl(vm.fd, KVM_CREATE_VCPU, 0ul));
	/* The id stays taken when the fd is closed. */
	close(fd);
	EXPECT_ERRNO(EEXIST, ioctl(vm.fd, KVM_CREATE_VCPU, 0ul));
}

TEST(vcpu_without_room)
{
	struct rlimit { u64 cur, max; } lim = { 0, 0 };
	int fd;

	vm_open(&vm);
	lim.cur = lim.max = (u64)dup(vm.fd) + 1;
	ASSERT_ERRNO(0, syscall(SYS_prlimit64, 0, 7 /* RLIMIT_NOFILE */, &lim, NULL));
	EXPECT_ERRNO(EMFILE, ioctl(vm.fd, KVM_CREATE_VCPU, 0ul));
	EXPECT_ERRNO(EMFILE, ioctl(vm.dev, KVM_CREATE_VM, 0ul));
	/* Nothing is left of the one that failed. */
	close(lim.cur - 1);
	fd = ioctl(vm.fd, KVM_CREATE_VCPU, 0ul);
	EXPECT(fd >= 0, "vCPU 0 after EMFILE: expected a file descriptor, seen %m");
}

TEST(kvm_run_mapping)
{
	u8 *p;

	start();
	EXPECT(((u8 *)vcpu.run)[0] == 0, "kvm_run: expected zeros at first");
	EXPECT_ERRNO(EINVAL, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, vcpu.fd, 123));
	/* Beyond its size: an error now or SIGBUS later, no memory. */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd, 16 * PAGE);
	if (p != MAP_FAILED)
		/* A system call that reads it must fail. */
		EXPECT_ERRNO(EFAULT, write(memfd_create("x", 0), p, 1));
	/* A private mapping must not show another's page, nor be written back. */
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, vcpu.fd, 0);
	if (p != MAP_FAILED) {
		p[1] = 1;
		EXPECT_EQ(0, vcpu.run->immediate_exit, "immediate_exit, written privately");
	}
}

TEST(mp_state)
{
	struct kvm_mp_state mp;
	struct vcpu second = { .vm = &vm };

	vm_new(&vm, 2 << 20);
	vcpu.vm = &vm;
	vcpu.fd = ioctl(vm.fd, KVM_CREATE_VCPU, 0);
	second.fd = ioctl(vm.fd, KVM_CREATE_VCPU, 1);
	ASSERT_ERRNO(0, ioctl(vcpu.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state, "the first vCPU's MP state");
	ASSERT_ERRNO(0, ioctl(second.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_STOPPED, mp.mp_state,
		  "the second vCPU's MP state (KVM: all but the first wait for hart_start)");
	for (u32 s = 0; s < 12; s++) {
		bool good = s == KVM_MP_STATE_RUNNABLE || s == KVM_MP_STATE_STOPPED ||
			    /* SBI SUSP, newer kernels */
			    s == KVM_MP_STATE_SUSPENDED;

		mp.mp_state = s;
		if (!good)
			EXPECT_ERRNO(EINVAL, ioctl(second.fd, KVM_SET_MP_STATE, &mp));
	}
	mp.mp_state = KVM_MP_STATE_STOPPED;
	EXPECT_ERRNO(0, ioctl(vcpu.fd, KVM_SET_MP_STATE, &mp));
	ASSERT_ERRNO(0, ioctl(vcpu.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_STOPPED, mp.mp_state, "MP state after STOPPED");
	mp.mp_state = KVM_MP_STATE_RUNNABLE;
	EXPECT_ERRNO(0, ioctl(vcpu.fd, KVM_SET_MP_STATE, &mp));
	ASSERT_ERRNO(0, ioctl(vcpu.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state, "MP state after RUNNABLE");
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_GET_MP_STATE, bad_pointer()));
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_SET_MP_STATE, bad_pointer()));
}

GUEST(tell_42, GUEST_PORT "	li	a0, 42\n" TELL("a0") STOP);

static void alarm_ms(unsigned int ms)
{
	struct itimerval it = { .it_value.tv_usec = ms * 1000 };
	struct sigaction sa = { .sa_handler = on_kick };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

TEST(stopped_vcpu_waits)
{
	start();
	vm_load(&vm, RAM_BASE, tell_42);
	set_mp_state(&vcpu, KVM_MP_STATE_STOPPED);
	alarm_ms(100);
	EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
	EXPECT_EQ(RAM_BASE, get_reg(&vcpu, REG_CORE(regs.pc)), "pc of a stopped vCPU");
	set_mp_state(&vcpu, KVM_MP_STATE_RUNNABLE);
	EXPECT_EQ(42, run_told(&vcpu), "the guest's word");
}

/* hart 0 starts hart 1 at a0 with a1. */
GUEST(hart_start,
      "	mv	s0, a0\n"
      "	mv	s1, a1\n"
      "	li	a7, 0x48534d\n"
      "	li	a6, 0\n"
      "	mv	a2, a1\n"
      "	mv	a1, a0\n"
      "	li	a0, 1\n"
      "	ecall\n"
      GUEST_PORT TELL("a0") STOP "\n"
      "	.balign 64\n"
      GUEST_PORT TELL("a0") TELL("a1") "	csrr a2, satp\n" TELL("a2") STOP);

static void *run_told_thread(void *arg)
{
	return (void *)run_told(arg);
}

TEST(hsm_start)
{
	struct vcpu second;
	pthread_t thread;
	void *told;

	start();
	vcpu_new(&second, &vm, 1);
	set_mp_state(&second, KVM_MP_STATE_STOPPED);
	vm_load(&vm, RAM_BASE, hart_start);
	set_reg(&vcpu, REG_A(0), RAM_BASE + 64);
	set_reg(&vcpu, REG_A(1), 0x1234567890);
	pthread_create(&thread, NULL, run_told_thread, &second);
	sleep_ms(50);
	EXPECT_EQ(0, run_told(&vcpu), "sbi_hart_start");
	pthread_join(thread, &told);
	EXPECT_EQ(1, (u64)told, "a0 of the started hart: its id");
	EXPECT_EQ(0x1234567890, run_told(&second), "a1: opaque");
	EXPECT_EQ(0, run_told(&second), "satp");
}

/* --- one-regs ------------------------------------------------------------------------------ */

TEST(bad_registers)
{
	static const struct { u64 id; const char *what; } bad[] = {
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | (0x0full << 24), "unknown type" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CORE | 33, "core 33" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CORE | 0xffff, "core 65535" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CSR | 40, "CSR 40" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CONFIG | 100, "config 100" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_TIMER | 4, "timer 4" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_ISA_EXT | 200, "ISA ext. 200" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_SBI_EXT | 100, "SBI ext. 100" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_FP_D | 33, "FP D 33" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U32 | KVM_REG_RISCV_FP_F | 33, "FP F 33" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U32 | KVM_REG_RISCV_CORE, "pc, 32 bits" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U128 | KVM_REG_RISCV_CORE, "pc, 128 bits" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U32 | KVM_REG_RISCV_CSR, "sstatus, 32 bits" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_FP_F, "f0, 64 bits as F" },
		{ KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CORE, "another architecture" },
		{ KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CSR | 5 << 16, "CSR subtype 5" },
		{ 0, "0" }, { ~0ull, "~0" },
	};
	struct kvm_one_reg reg = { .id = REG_CORE(regs.pc), .addr = (u64)bad_pointer() };
	u64 val[4] = { 0 };

	start();
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		int ret = try_get(&vcpu, bad[i].id, val);

		EXPECT(ret < 0 && (errno == ENOENT || errno == EINVAL),
		       "get %s: expected ENOENT or EINVAL, seen %s", bad[i].what,
		       ret < 0 ? strerrorname_np(errno) : "success");
		ret = try_set(&vcpu, bad[i].id, val);
		EXPECT(ret < 0 && (errno == ENOENT || errno == EINVAL),
		       "set %s: expected ENOENT or EINVAL, seen %s", bad[i].what,
		       ret < 0 ? strerrorname_np(errno) : "success");
	}
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_GET_ONE_REG, bad_pointer()));
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_SET_ONE_REG, bad_pointer()));
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_GET_ONE_REG, &reg));
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_SET_ONE_REG, &reg));
	/* Values that a register cannot have. */
	val[0] = 7;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CORE(mode), val));
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_TIMER(frequency), val));
	val[0] = 2;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_TIMER(state), val));
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_SBI(DBCN), val));
	val[0] = get_reg(&vcpu, REG_CONFIG(mvendorid)) + 1;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CONFIG(mvendorid), val));
}

static u64 reg_size(u64 id)
{
	return 1ull << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

static struct kvm_reg_list *get_list(struct vcpu *v)
{
	struct kvm_reg_list head = { .n = 0 }, *list;

	ASSERT_ERRNO(E2BIG, ioctl(v->fd, KVM_GET_REG_LIST, &head));
	ASSERT(head.n > 50 && head.n < 10000,
	       "KVM_GET_REG_LIST: expected a sane number of registers, seen %llu", head.n);
	list = calloc(1, sizeof(*list) + (head.n + 1) * 8);
	list->n = head.n;
	list->reg[head.n] = 0x5a5a5a5a;
	ASSERT_ERRNO(0, ioctl(v->fd, KVM_GET_REG_LIST, list));
	EXPECT_EQ(head.n, list->n, "n of the list");
	EXPECT_EQ(0x5a5a5a5a, list->reg[head.n], "the word behind the list");
	return list;
}

TEST(register_list)
{
	struct kvm_reg_list *list, *one_less, *cut;
	u64 n;

	start();
	list = get_list(&vcpu);
	n = list->n;
	for (u64 i = 0; i < n; i++) {
		u64 id = list->reg[i];

		EXPECT((id & KVM_REG_ARCH_MASK) == KVM_REG_RISCV,
		       "id %#llx: expected KVM_REG_RISCV", (unsigned long long)id);
		for (u64 j = 0; j < i; j++)
			EXPECT(list->reg[j] != id, "id %#llx: expected once, seen twice",
			       (unsigned long long)id);
	}
	/* Room for one less: E2BIG, and nothing written. */
	one_less = calloc(1, sizeof(*list) + n * 8);
	one_less->n = n - 1;
	EXPECT_ERRNO(E2BIG, ioctl(vcpu.fd, KVM_GET_REG_LIST, one_less));
	EXPECT_EQ(n, one_less->n, "n of a list that was too short");
	EXPECT_EQ(0, one_less->reg[0], "a list that was too short");
	/* An array that ends in the middle. */
	cut = last_bytes(sizeof(*cut) + 16);
	cut->n = n;
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_GET_REG_LIST, cut));
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_GET_REG_LIST, bad_pointer()));
}

static void read_and_write_back(struct kvm_reg_list *list, const char *when)
{
	for (u64 i = 0; i < list->n; i++) {
		u64 id = list->reg[i];
		u8 val[512], again[512];

		memset(val, 0xa5, sizeof(val));
		if (!EXPECT(!try_get(&vcpu, id, val), "%s: get %#llx: expected success, seen %m",
			    when, (unsigned long long)id))
			continue;
		EXPECT(val[reg_size(id)] == 0xa5, "%s: get %#llx: expected %llu bytes, more written",
		       when, (unsigned long long)id, (unsigned long long)reg_size(id));
		EXPECT(!try_set(&vcpu, id, val), "%s: write back %#llx: expected success, seen %m",
		       when, (unsigned long long)id);
		/* Time goes on, and counters with it. */
		if (id == REG_TIMER(time) || id == REG_MCSR(0xb00) ||
		    id == REG_MCSR(0xb02))
			continue;
		try_get(&vcpu, id, again);
		EXPECT(!memcmp(val, again, reg_size(id)),
		       "%s: %#llx: expected the value written back, seen another",
		       when, (unsigned long long)id);
	}
}

TEST(registers_written_back)
{
	struct kvm_reg_list *list;

	start();
	vm_load(&vm, RAM_BASE, tell_42);
	list = get_list(&vcpu);
	read_and_write_back(list, "before the first run");
	EXPECT_EQ(42, run_told(&vcpu), "the guest's word");
	vcpu_settle(&vcpu);
	read_and_write_back(list, "after the first run");
	set_reg(&vcpu, REG_CORE(regs.pc), RAM_BASE);
	EXPECT_EQ(42, run_told(&vcpu), "the guest's word after all were written back");
}

/* Registers hold what is written, as far as the architecture lets them. */
TEST(register_values)
{
	start();
	for (unsigned int n = 1; n < 32; n++)
		set_reg(&vcpu, REG_X(n), 0x1234567800000000 | n);
	for (unsigned int n = 1; n < 32; n++)
		EXPECT_EQ(0x1234567800000000 | n, get_reg(&vcpu, REG_X(n)), "x register");
	set_reg(&vcpu, REG_CSR(sscratch), ~0ul);
	EXPECT_EQ(~0ul, get_reg(&vcpu, REG_CSR(sscratch)), "sscratch");
	set_reg(&vcpu, REG_CSR(sepc), 0xffff);
	EXPECT_EQ(0xfffe, get_reg(&vcpu, REG_CSR(sepc)), "sepc");
	set_reg(&vcpu, REG_CSR(stvec), 0x80001001);
	EXPECT_EQ(0x80001001, get_reg(&vcpu, REG_CSR(stvec)), "stvec, vectored");
	set_reg(&vcpu, REG_CSR(sie), ~0ul);
	EXPECT_EQ(0x222, get_reg(&vcpu, REG_CSR(sie)), "sie");
	set_reg(&vcpu, REG_CSR(scounteren), ~0ul);
	EXPECT_EQ(0xffffffff, get_reg(&vcpu, REG_CSR(scounteren)), "scounteren");
	set_reg(&vcpu, REG_CSR(satp), 0);
	set_reg(&vcpu, REG_CSR(satp), 0x7000000000000001);
	EXPECT_EQ(0, get_reg(&vcpu, REG_CSR(satp)), "satp with a mode that is none");
	set_reg(&vcpu, REG_CSR(satp), 8ul << 60 | 0x80001);
	EXPECT_EQ(8ul << 60 | 0x80001, get_reg(&vcpu, REG_CSR(satp)), "satp, Sv39");
}

TEST(satp_mode)
{
	u64 offered, def, val;

	start();
	offered = ioctl(vm.fd, KVM_CHECK_EXTENSION, UMBRA_CAP_MMU_MODES);
	def = get_reg(&vcpu, REG_CONFIG(satp_mode));
	EXPECT(offered & 1ul << def, "default satp mode %llu: expected one of %#llx",
	       (unsigned long long)def, (unsigned long long)offered);
	for (val = 8; val <= 10; val++) {
		if (!(offered & 1ul << val)) {
			EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CONFIG(satp_mode), &val));
			continue;
		}
		set_reg(&vcpu, REG_CONFIG(satp_mode), val);
		for (u64 mode = 8; mode <= 10; mode++) {
			set_reg(&vcpu, REG_CSR(satp), 0);
			set_reg(&vcpu, REG_CSR(satp), mode << 60 | 0x80001);
			EXPECT_EQ(mode <= val ? mode << 60 | 0x80001 : 0,
				  get_reg(&vcpu, REG_CSR(satp)), "satp");
		}
		set_reg(&vcpu, REG_CSR(satp), 0);
	}
	val = 0;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CONFIG(satp_mode), &val));
	val = 11;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CONFIG(satp_mode), &val));
	set_reg(&vcpu, REG_CONFIG(satp_mode), 8);
	vm_load(&vm, RAM_BASE, tell_42);
	run_told(&vcpu);
	val = 8;
	EXPECT_ERRNO(0, try_set(&vcpu, REG_CONFIG(satp_mode), &val));
	if (offered & 1 << 9) {
		val = 9;
		EXPECT_ERRNO(EBUSY, try_set(&vcpu, REG_CONFIG(satp_mode), &val));
	}
}

/* An extension that is taken away is gone for the guest: fld is illegal. */
GUEST(use_fp,
      "	lla	t0, 1f\n"
      "	csrw	stvec, t0\n"
      "	li	t0, 0x6000\n"
      "	csrs	sstatus, t0\n"
      GUEST_PORT
      "	fmv.d.x	fa0, zero\n"
      "	csrr	a0, sstatus\n"
      TELL("a0") STOP "\n"
      "	.balign 4\n"
      "1:	csrr	a0, scause\n"
      TELL("a0") STOP);

TEST(isa_extensions)
{
	u64 val = 0;

	start();
	ASSERT_EQ(1, get_reg(&vcpu, REG_ISA(D)), "the D extension at first");
	vm_load(&vm, RAM_BASE, use_fp);
	EXPECT((run_told(&vcpu) & 0x6000) == 0x6000, "sstatus.FS: expected Dirty");
	EXPECT_ERRNO(EBUSY, try_set(&vcpu, REG_ISA(D), &val));
	vcpu_close(&vcpu);
	vm_close(&vm);

	start();
	set_reg(&vcpu, REG_ISA(D), 0);
	set_reg(&vcpu, REG_ISA(F), 0);
	EXPECT_EQ(0, get_reg(&vcpu, REG_CONFIG(isa)) & (1 << 3 | 1 << 5), "misa.DF");
	vm_load(&vm, RAM_BASE, use_fp);
	EXPECT_EQ(2, run_told(&vcpu), "FP without F and D: illegal instruction");
	/* What cannot be taken from U-mode is refused. */
	vcpu_close(&vcpu);
	vm_close(&vm);
	start();
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_ISA(M), &val));
	val = 1ul << 7;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CONFIG(isa), &val));
}

/* --- immediate_exit, signal mask, interrupts ------------------------------------------------- */

TEST(immediate_exit)
{
	start();
	vm_load(&vm, RAM_BASE, tell_42);
	vcpu.run->immediate_exit = 1;
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
		EXPECT_EQ(RAM_BASE, get_reg(&vcpu, REG_CORE(regs.pc)), "pc");
	}
	vcpu.run->immediate_exit = 0;
	EXPECT_EQ(42, run_told(&vcpu), "the guest's word");
	/* It completes the MMIO under way, and runs nothing. */
	vcpu.run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
	EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
	/* What the exit before was is still there to be read. */
	EXPECT_EQ(KVM_EXIT_MMIO, vcpu.run->exit_reason, "exit reason after immediate_exit");
	vcpu.run->immediate_exit = 0;
	EXPECT_EQ(0, run_told(&vcpu), "the guest's next word");
}

GUEST(spin, "1:	addi	a0, a0, 1\n	j	1b\n");

static int set_mask(struct vcpu *v, const u64 *mask, u32 len)
{
	struct { struct kvm_signal_mask head; u8 set[8]; } __attribute__((packed)) arg;

	arg.head.len = len;
	memcpy(arg.set, mask, 8);
	return ioctl(v->fd, KVM_SET_SIGNAL_MASK, &arg);
}

TEST(signal_mask)
{
	u64 none = 0, all = ~0ull;
	sigset_t set, pending;
	u64 began;

	start();
	kicks_init();
	vm_load(&vm, RAM_BASE, spin);
	EXPECT_ERRNO(EINVAL, set_mask(&vcpu, &none, 4));
	EXPECT_ERRNO(EINVAL, set_mask(&vcpu, &none, 128));
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_SET_SIGNAL_MASK, bad_pointer()));

	/* Blocked outside, open in KVM_RUN: it ends, the handler does not run. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ASSERT_ERRNO(0, set_mask(&vcpu, &none, 8));
	raise(SIGUSR1);
	EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
	sigpending(&pending);
	EXPECT(sigismember(&pending, SIGUSR1) == 1,
	       "SIGUSR1 after KVM_RUN: expected still pending");
	sigprocmask(SIG_BLOCK, NULL, &pending);
	EXPECT(sigismember(&pending, SIGUSR1) == 1,
	       "the mask after KVM_RUN: expected SIGUSR1 blocked as before");

	/* Blocked in KVM_RUN too: it runs on, until another signal comes. */
	all &= ~(1ull << (SIGALRM - 1));
	ASSERT_ERRNO(0, set_mask(&vcpu, &all, 8));
	began = now_ns();
	alarm_ms(100);
	EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
	EXPECT(now_ns() - began > 90000000, "a blocked signal: expected KVM_RUN to go on");

	/* No mask: the thread's own. */
	ASSERT_ERRNO(0, ioctl(vcpu.fd, KVM_SET_SIGNAL_MASK, NULL));
	began = now_ns();
	alarm_ms(100);
	EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
	EXPECT(now_ns() - began > 90000000, "without a mask: expected KVM_RUN to go on");
}

static int interrupt(struct vcpu *v, u32 irq)
{
	struct kvm_interrupt arg = { irq };

	return ioctl(v->fd, KVM_INTERRUPT, &arg);
}

GUEST(tell_sip,
      GUEST_PORT
      "1:	csrr	a0, sip\n"
      TELL("a0")
      "	j	1b\n");

TEST(interrupt_wire)
{
	start();
	vm_load(&vm, RAM_BASE, tell_sip);
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_INTERRUPT, bad_pointer()));
	EXPECT_ERRNO(EINVAL, interrupt(&vcpu, 0));
	EXPECT_ERRNO(EINVAL, interrupt(&vcpu, 9));
	EXPECT_EQ(0, run_told(&vcpu) & IRQ_EXT, "SEIP at first");
	EXPECT_ERRNO(0, interrupt(&vcpu, KVM_INTERRUPT_SET));
	EXPECT_EQ(IRQ_EXT, run_told(&vcpu) & IRQ_EXT, "SEIP after SET");
	EXPECT_EQ(IRQ_EXT, get_reg(&vcpu, REG_CSR(sip)) & IRQ_EXT, "SEIP in the register");
	EXPECT_ERRNO(0, interrupt(&vcpu, KVM_INTERRUPT_SET));
	EXPECT_ERRNO(0, interrupt(&vcpu, KVM_INTERRUPT_UNSET));
	EXPECT_EQ(0, run_told(&vcpu) & IRQ_EXT, "SEIP after SET SET UNSET");
}

/* Sleeps in wfi until an external interrupt; counts it, spins a while. */
GUEST(wait_irq,
      GUEST_PORT
      "	lla	t0, 2f\n"
      "	csrw	stvec, t0\n"
      "	li	t0, 0x200\n"
      "	csrw	sie, t0\n"
      "	csrsi	sstatus, 2\n"
      "1:	wfi\n"
      "	j	1b\n"
      "	.balign 4\n"
      "2:	csrr	a0, scause\n"
      TELL("a0")
      "	sret\n");

static void *interrupt_thread(void *arg)
{
	sleep_ms(rnd() % 20);
	EXPECT_ERRNO(0, interrupt(arg, KVM_INTERRUPT_SET));
	return NULL;
}

/* Asynchronous: from another thread while KVM_RUN sleeps, or is about to. */
TEST(interrupt_wakes)
{
	pthread_t thread;

	start();
	vm_load(&vm, RAM_BASE, wait_irq);
	for (unsigned int i = 0; i < 30; i++) {
		pthread_create(&thread, NULL, interrupt_thread, &vcpu);
		EXPECT_EQ(1ul << 63 | 9, run_told(&vcpu), "scause");
		EXPECT_ERRNO(0, interrupt(&vcpu, KVM_INTERRUPT_UNSET));
		pthread_join(thread, NULL);
	}
}

/* --- statistics ----------------------------------------------------------- */

/* The vCPU's statistics, and their header. */
static int stats_open(struct kvm_stats_header *h)
{
	int fd = ioctl(vcpu.fd, KVM_GET_STATS_FD, NULL);

	ASSERT(fd >= 0, "KVM_GET_STATS_FD: expected a file descriptor, seen %m");
	ASSERT_EQ(sizeof(*h), read(fd, h, sizeof(*h)), "read of the header");
	return fd;
}

static u64 stat_value(int fd, const struct kvm_stats_header *h, const char *name)
{
	size_t size = sizeof(struct kvm_stats_desc) + h->name_size;
	char *buf = malloc(size);
	u64 val = ~0ull;

	for (u32 i = 0; i < h->num_desc; i++) {
		struct kvm_stats_desc *d = (void *)buf;

		if (pread(fd, buf, size, h->desc_offset + i * size) == (ssize_t)size &&
		    !strcmp(d->name, name))
			EXPECT_EQ(8, pread(fd, &val, 8, h->data_offset + d->offset),
				  "pread of a value");
	}
	free(buf);
	return val;
}

TEST(statistics)
{
	struct kvm_stats_header h;
	struct stat st;
	size_t size;
	char *text, *desc;
	u64 before;
	int fd;

	start();
	vm_load(&vm, RAM_BASE, tell_42);
	fd = stats_open(&h);
	EXPECT(!fstat(fd, &st), "fstat of the statistics: expected success, seen %m");
	EXPECT_EQ(0, h.flags, "flags of the header");
	EXPECT(h.name_size >= 16 && h.name_size <= 256, "name_size: seen %u", h.name_size);
	EXPECT(h.num_desc > 0 && h.num_desc < 200, "num_desc: seen %u", h.num_desc);
	EXPECT(h.id_offset >= sizeof(h), "id_offset: seen %u", h.id_offset);
	EXPECT(h.desc_offset >= h.id_offset + h.name_size, "desc_offset: seen %u", h.desc_offset);
	size = sizeof(struct kvm_stats_desc) + h.name_size;
	EXPECT(h.data_offset >= h.desc_offset + h.num_desc * size, "data_offset: seen %u",
	       h.data_offset);
	text = calloc(1, h.name_size + 1);
	EXPECT_EQ(h.name_size, pread(fd, text, h.name_size, h.id_offset), "pread of the id");
	EXPECT(strlen(text) > 0 && strlen(text) < h.name_size, "id: seen '%s'", text);
	desc = calloc(h.num_desc, size);
	EXPECT_EQ(h.num_desc * size, pread(fd, desc, h.num_desc * size, h.desc_offset),
		  "pread of the descriptors");
	for (u32 i = 0; i < h.num_desc; i++) {
		struct kvm_stats_desc *d = (void *)(desc + i * size);

		EXPECT(memchr(d->name, 0, h.name_size) && d->name[0],
		       "name %u: expected a terminated one", i);
		EXPECT((d->flags & KVM_STATS_TYPE_MASK) <= KVM_STATS_TYPE_MAX,
		       "%s: unknown type %#x", d->name, d->flags);
		EXPECT((d->flags & KVM_STATS_UNIT_MASK) <= KVM_STATS_UNIT_MAX,
		       "%s: unknown unit %#x", d->name, d->flags);
		EXPECT(d->size == 1, "%s: size %u", d->name, d->size);
		EXPECT(d->offset % 8 == 0, "%s: offset %u", d->name, d->offset);
		for (u32 j = 0; j < i; j++) {
			struct kvm_stats_desc *e = (void *)(desc + j * size);

			EXPECT(strcmp(d->name, e->name), "%s: expected once", d->name);
			EXPECT(d->offset != e->offset, "%s and %s share an offset",
			       d->name, e->name);
		}
	}
	before = stat_value(fd, &h, "exits");
	EXPECT(before != ~0ull, "a statistic named exits");
	run_told(&vcpu);
	EXPECT(stat_value(fd, &h, "exits") > before, "exits: expected more after a run");
	EXPECT_EQ(0, pread(fd, text, 1, 1 << 20), "pread behind the end");
	EXPECT(write(fd, text, 1) < 0, "write: expected an error");
	EXPECT_ERRNO(EFAULT, syscall(SYS_pread64, fd, bad_pointer(), 64, 0));
	/* It holds what it needs. */
	vcpu_close(&vcpu);
	vm_close(&vm);
	EXPECT_EQ(sizeof(h), pread(fd, &h, sizeof(h), 0), "pread after all else is closed");
}

/* Text that was rewritten becomes data: cleared, as a kernel does when it frees some. */
GUEST(clearer,
      GUEST_PORT
      "	jalr	a0\n"
      "	mv	t0, a0\n"
      "	li	t1, 512\n"
      "1:	sd	zero, 0(t0)\n"
      "	addi	t0, t0, 8\n"
      "	addi	t1, t1, -1\n"
      "	bnez	t1, 1b\n"
      "	mv	t0, a0\n"
      "	li	t1, 512\n"
      "	li	a1, 0\n"
      "2:	ld	t2, 0(t0)\n"
      "	or	a1, a1, t2\n"
      "	addi	t0, t0, 8\n"
      "	addi	t1, t1, -1\n"
      "	bnez	t1, 2b\n"
      TELL("a1") STOP
      "	.zero	4096 - (. - guest_clearer)\n"
      "	li	t0, 1000\n"
      "3:	csrw	sscratch, t0\n"
      "	addi	t0, t0, -1\n"
      "	bnez	t0, 3b\n"
      "	ret\n");

TEST(text_cleared)
{
	struct kvm_stats_header h;
	u64 emulated;
	int fd;

	start();
	vm_load(&vm, RAM_BASE, clearer);
	set_reg(&vcpu, REG_CORE(regs.a0), RAM_BASE + PAGE);
	fd = stats_open(&h);
	EXPECT_EQ(0, run_told(&vcpu), "all of a page that was cleared");
	emulated = stat_value(fd, &h, "emul_text");
	EXPECT(emulated <= 100, "emul_text: expected the page back after some stores, seen %llu of 1024",
	       (unsigned long long)emulated);
	close(fd);
	for (u64 i = 0; i < PAGE / 8; i++)
		EXPECT_EQ(0, vm_word(&vm, RAM_BASE + PAGE)[i], "the page that was cleared");
}

/* --- MMIO windows --------------------------------------------------------- */

static int set_windows(struct umbra_mmio_window *w, u32 nr, u32 flags)
{
	struct umbra_mmio_windows list = { .nr = nr, .flags = flags, .windows = (u64)w };

	return ioctl(vm.fd, UMBRA_SET_MMIO_WINDOWS, &list);
}

TEST(window_arguments)
{
	struct umbra_mmio_window w[65] = { { 0x1000, 0x1000 } };
	int max;

	vm_open(&vm);
	max = ioctl(vm.fd, KVM_CHECK_EXTENSION, UMBRA_CAP_MMIO_WINDOWS);
	ASSERT_EQ(64, max, "UMBRA_CAP_MMIO_WINDOWS");
	for (int i = 0; i < 65; i++)
		w[i] = (struct umbra_mmio_window) { 0x10000ul * i, 0x1000 };
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, UMBRA_SET_MMIO_WINDOWS, bad_pointer()));
	EXPECT_ERRNO(EINVAL, set_windows(w, 1, 1));
	EXPECT_ERRNO(EINVAL, set_windows(w, 65, 0));
	EXPECT_ERRNO(EINVAL, set_windows(w, ~0u, 0));
	EXPECT_ERRNO(EFAULT, set_windows(bad_pointer(), 1, 0));
	EXPECT_ERRNO(0, set_windows(w, 64, 0));
	EXPECT_ERRNO(0, set_windows(NULL, 0, 0));
	w[1].size = 0;
	EXPECT_ERRNO(EINVAL, set_windows(w, 2, 0));
	w[1] = (struct umbra_mmio_window) { ~0ull - 10, 12 };
	EXPECT_ERRNO(EINVAL, set_windows(w, 2, 0));
	w[1] = (struct umbra_mmio_window) { 1, ~0ull };
	EXPECT_ERRNO(0, set_windows(w, 2, 0));
	w[1] = (struct umbra_mmio_window) { 2, ~0ull };
	EXPECT_ERRNO(EINVAL, set_windows(w, 2, 0));
	/* Two that overlap are no contradiction. */
	w[1] = w[0];
	EXPECT_ERRNO(0, set_windows(w, 2, 0));
}

/* --- the timer --------------------------------------------------------------- */

/*
 * a0 times: a timer a1 ticks ahead, wfi until it comes, masked in sstatus.  Tells
 * how often it came early.  Before, and in between, a timer that never comes.
 */
GUEST(sleeper,
      "	.option	norvc\n"
      GUEST_PORT
      "	li	t0, 0x20\n"
      "	csrw	sie, t0\n"
      "	li	s2, 0\n"
      "	mv	s3, a0\n"
      "1:	li	t1, -1\n"
      "	csrw	0x14d, t1\n"
      "	rdtime	t0\n"
      "	add	t0, t0, a1\n"
      "	csrw	0x14d, t0\n"
      "2:	wfi\n"
      "	csrr	t1, sip\n"
      "	andi	t1, t1, 0x20\n"
      "	beqz	t1, 2b\n"
      "	rdtime	t1\n"
      "	sltu	t1, t1, t0\n"
      "	add	s2, s2, t1\n"
      "	addi	s3, s3, -1\n"
      "	bnez	s3, 1b\n"
      "	li	t1, -1\n"
      "	csrw	0x14d, t1\n"
      "	csrr	t1, sip\n"
      "	andi	t1, t1, 0x20\n"
      "	slli	t1, t1, 20\n"
      "	or	s2, s2, t1\n"
      TELL("s2")
      STOP);

static void set_halt_wait(const char *us)
{
	int fd = open("/sys/module/umbra/parameters/halt_wait_us", O_WRONLY);

	ASSERT(fd >= 0, "halt_wait_us: expected to open it, seen %m");
	EXPECT_EQ((ssize_t)strlen(us), write(fd, us, strlen(us)), "write to halt_wait_us");
	close(fd);
}

/* How often the guest's thread waited without the scheduler for @n timers. */
static u64 sleep_with(u64 n, u64 ticks, u64 time)
{
	struct kvm_stats_header h;
	u64 before, after;
	int fd;

	start();
	vm_load(&vm, RAM_BASE, sleeper);
	set_reg(&vcpu, REG_CORE(regs.a0), n);
	set_reg(&vcpu, REG_CORE(regs.a1), ticks);
	if (time)
		set_reg(&vcpu, REG_TIMER(time), time);
	fd = stats_open(&h);
	before = stat_value(fd, &h, "halt_wait");
	EXPECT_EQ(0, run_told(&vcpu), "timers that were early, or not over");
	after = stat_value(fd, &h, "halt_wait");
	close(fd);
	vcpu_close(&vcpu);
	return after - before;
}

/* Sleeps in wfi are as long as they have to be, however the vCPU waits. */
TEST_TIMEOUT(timer_sleeps, 120)
{
	u64 ms, waits;

	start();
	ms = get_reg(&vcpu, REG_TIMER(frequency)) / 1000;
	/* On a slow host some timers have come before the guest gets to its wfi. */
	set_halt_wait("10000");
	waits = sleep_with(50, 8 * ms, 0);
	EXPECT(waits, "timers of 8 ms: expected waits, seen none");
	set_halt_wait("2000");
	/* But at the end of a sleep that something else has interrupted. */
	waits = sleep_with(4, 1000 * ms, 0);
	EXPECT(waits < 4, "timers of a second: seen %llu waits", (unsigned long long)waits);
	set_halt_wait("0");
	EXPECT_EQ(0, sleep_with(50, ms, 0), "waits when there are to be none");
	/* As much as there may be: ten milliseconds. */
	set_halt_wait("4000000000");
	waits = sleep_with(4, 1000 * ms, 0);
	EXPECT(waits < 4, "timers of a second: seen %llu waits", (unsigned long long)waits);
	set_halt_wait("2000");
	/* Guest times that are not the host's: a little, more than the host's, about to wrap. */
	sleep_with(50, ms, 1000);
	sleep_with(50, ms, 1ull << 60);
	sleep_with(50, ms, ~0ull - 1000 * ms * 60);
}

/* --- devices -------------------------------------------------------------- */

static int new_device(u32 type)
{
	struct kvm_create_device cd = { .type = type };

	return ioctl(vm.fd, KVM_CREATE_DEVICE, &cd) ? -1 : (int)cd.fd;
}

static int attr(int fd, unsigned long cmd, u32 group, u64 num, void *addr)
{
	struct kvm_device_attr a = { .group = group, .attr = num, .addr = (u64)addr };

	return ioctl(fd, cmd, &a);
}

static int config(int fd, u64 num, u64 val)
{
	return attr(fd, KVM_SET_DEVICE_ATTR, UMBRA_DEV_GRP_CONFIG, num, &val);
}

static int init(int fd)
{
	return attr(fd, KVM_SET_DEVICE_ATTR, UMBRA_DEV_GRP_CTRL, UMBRA_DEV_CTRL_INIT, NULL);
}

TEST(device_arguments)
{
	struct kvm_create_device cd = { .type = UMBRA_DEV_TYPE_UART, .flags = 2 };
	struct kvm_device_attr a = { .group = 0, .attr = 0, .flags = 1 };
	u64 val = 0;
	int fd;

	start();
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_CREATE_DEVICE, bad_pointer()));
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
	for (u32 type = 0; type < 16; type++) {
		cd = (struct kvm_create_device) { .type = type };
		EXPECT_ERRNO(ENODEV, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
	}
	cd = (struct kvm_create_device) { .type = UMBRA_DEV_TYPE_BASE + 32 };
	EXPECT_ERRNO(ENODEV, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
	cd = (struct kvm_create_device) { .type = UMBRA_DEV_TYPE_BASE + 33,
					  .flags = KVM_CREATE_DEVICE_TEST };
	EXPECT_ERRNO(ENODEV, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
	/* A test makes nothing. */
	cd = (struct kvm_create_device) { .type = UMBRA_DEV_TYPE_PLIC, .fd = 99,
					  .flags = KVM_CREATE_DEVICE_TEST };
	EXPECT_ERRNO(0, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
	EXPECT_ERRNO(0, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));

	fd = new_device(UMBRA_DEV_TYPE_UART);
	ASSERT(fd >= 0, "UART: expected a file descriptor, seen %m");
	EXPECT_ERRNO(EFAULT, ioctl(fd, KVM_SET_DEVICE_ATTR, bad_pointer()));
	EXPECT_ERRNO(EINVAL, ioctl(fd, KVM_SET_DEVICE_ATTR, &a));
	EXPECT_ERRNO(EINVAL, ioctl(fd, KVM_HAS_DEVICE_ATTR, &a));
	EXPECT_ERRNO(ENXIO, attr(fd, KVM_HAS_DEVICE_ATTR, 7, 0, NULL));
	EXPECT_ERRNO(ENXIO, attr(fd, KVM_SET_DEVICE_ATTR, 7, 0, &val));
	EXPECT_ERRNO(ENXIO, attr(fd, KVM_GET_DEVICE_ATTR, UMBRA_DEV_GRP_CTRL, 0, &val));
	EXPECT_ERRNO(ENXIO, attr(fd, KVM_HAS_DEVICE_ATTR, 0, UMBRA_DEV_CONFIG_SOURCES, NULL));
	EXPECT_ERRNO(ENXIO, attr(fd, KVM_HAS_DEVICE_ATTR, 0, 1ull << 32, NULL));
	EXPECT_ERRNO(ENXIO, config(fd, ~0ull, 0));
	EXPECT_ERRNO(0, attr(fd, KVM_HAS_DEVICE_ATTR, 0, UMBRA_DEV_CONFIG_ADDR, NULL));
	EXPECT_ERRNO(EFAULT, attr(fd, KVM_SET_DEVICE_ATTR, 0, UMBRA_DEV_CONFIG_ADDR,
				  bad_pointer()));
	EXPECT_ERRNO(EFAULT, attr(fd, KVM_GET_DEVICE_ATTR, 0, UMBRA_DEV_CONFIG_ADDR,
				  bad_pointer()));
	EXPECT_ERRNO(EINVAL, config(fd, UMBRA_DEV_CONFIG_ADDR, 0x10000001));
	EXPECT_ERRNO(EINVAL, config(fd, UMBRA_DEV_CONFIG_IRQ, 1024));
	EXPECT_ERRNO(EINVAL, init(fd));
	EXPECT_ERRNO(EINVAL, attr(fd, KVM_SET_DEVICE_ATTR, UMBRA_DEV_GRP_CTRL,
				  UMBRA_DEV_CTRL_INIT, &val));
	EXPECT_ERRNO(0, config(fd, UMBRA_DEV_CONFIG_ADDR, ~0ull - 7));
	EXPECT_ERRNO(0, attr(fd, KVM_GET_DEVICE_ATTR, 0, UMBRA_DEV_CONFIG_ADDR, &val));
	EXPECT_EQ(~0ull - 7, val, "the address that was set");
}

TEST(device_life)
{
	int plic, uart, rtc, other;
	char c;

	start();
	uart = new_device(UMBRA_DEV_TYPE_UART);
	ASSERT_ERRNO(0, config(uart, UMBRA_DEV_CONFIG_ADDR, 0x10000000));
	ASSERT_ERRNO(0, config(uart, UMBRA_DEV_CONFIG_IRQ, 10));
	/* An interrupt, and no PLIC. */
	EXPECT_ERRNO(ENXIO, init(uart));
	plic = new_device(UMBRA_DEV_TYPE_PLIC);
	ASSERT(plic >= 0, "PLIC: expected a file descriptor, seen %m");
	EXPECT_ERRNO(EEXIST, new_device(UMBRA_DEV_TYPE_PLIC));
	ASSERT_ERRNO(0, config(plic, UMBRA_DEV_CONFIG_ADDR, 0xc000000));
	EXPECT_ERRNO(EINVAL, init(plic));
	EXPECT_ERRNO(EINVAL, config(plic, UMBRA_DEV_CONFIG_SOURCES, 0));
	EXPECT_ERRNO(EINVAL, config(plic, UMBRA_DEV_CONFIG_CONTEXTS, 3));
	ASSERT_ERRNO(0, config(plic, UMBRA_DEV_CONFIG_SOURCES, 96));
	ASSERT_ERRNO(0, config(plic, UMBRA_DEV_CONFIG_HARTS, 1));
	ASSERT_ERRNO(0, config(plic, UMBRA_DEV_CONFIG_CONTEXTS, 1));
	ASSERT_ERRNO(0, init(plic));
	EXPECT_ERRNO(EBUSY, init(plic));
	EXPECT_ERRNO(EBUSY, config(plic, UMBRA_DEV_CONFIG_SOURCES, 97));
	EXPECT_ERRNO(0, init(uart));
	/* Ranges and interrupts of others. */
	rtc = new_device(UMBRA_DEV_TYPE_RTC);
	ASSERT_ERRNO(0, config(rtc, UMBRA_DEV_CONFIG_ADDR, 0x10000000));
	EXPECT_ERRNO(EEXIST, init(rtc));
	ASSERT_ERRNO(0, config(rtc, UMBRA_DEV_CONFIG_ADDR, 0x101000));
	ASSERT_ERRNO(0, config(rtc, UMBRA_DEV_CONFIG_IRQ, 10));
	EXPECT_ERRNO(EEXIST, init(rtc));
	ASSERT_ERRNO(0, config(rtc, UMBRA_DEV_CONFIG_IRQ, 97));
	EXPECT_ERRNO(ENXIO, init(rtc));
	ASSERT_ERRNO(0, config(rtc, UMBRA_DEV_CONFIG_IRQ, 11));
	EXPECT_ERRNO(0, init(rtc));
	other = new_device(UMBRA_DEV_TYPE_FINISHER);
	ASSERT_ERRNO(0, config(other, UMBRA_DEV_CONFIG_ADDR, ~0ull & ~7ull));
	EXPECT_ERRNO(EINVAL, init(other));
	/* Streams: the UART alone. */
	EXPECT(read(plic, &c, 1) < 0, "read of a PLIC: expected an error");
	fcntl(uart, F_SETFL, O_NONBLOCK);
	EXPECT_ERRNO(EAGAIN, read(uart, &c, 1));
	EXPECT_EQ(1, write(uart, "x", 1), "write to the UART");
}

GUEST(uart_echo,
      "	li	s11, 0x10000000\n"
      "	li	s10, 'h'\n"
      "	sb	s10, 0(s11)\n"
      "	li	s10, 'i'\n"
      "	sb	s10, 0(s11)\n"
      "1:	lbu	a0, 5(s11)\n"
      "	andi	a0, a0, 1\n"
      "	beqz	a0, 1b\n"
      "	lbu	a0, 0(s11)\n"
      "	li	s11, 0x100000\n"
      "	slli	a0, a0, 16\n"
      "	li	a1, 0x3333\n"
      "	or	a0, a0, a1\n"
      "	sw	a0, 0(s11)\n"
      "1:	j	1b\n");

/* In-kernel devices answer without an exit; the finisher ends the guest. */
TEST(device_use)
{
	int uart, finisher, ret;
	char buf[8] = "";

	start();
	uart = new_device(UMBRA_DEV_TYPE_UART);
	finisher = new_device(UMBRA_DEV_TYPE_FINISHER);
	ASSERT_ERRNO(0, config(uart, UMBRA_DEV_CONFIG_ADDR, 0x10000000));
	ASSERT_ERRNO(0, init(uart));
	ASSERT_ERRNO(0, config(finisher, UMBRA_DEV_CONFIG_ADDR, 0x100000));
	ASSERT_ERRNO(0, init(finisher));
	close(finisher);
	ASSERT_EQ(1, write(uart, "A", 1), "write to the UART");
	vm_load(&vm, RAM_BASE, uart_echo);
	ret = vcpu_run(&vcpu);
	EXPECT(!ret && vcpu.run->exit_reason == KVM_EXIT_SYSTEM_EVENT &&
	       vcpu.run->system_event.type == KVM_SYSTEM_EVENT_CRASH &&
	       vcpu.run->system_event.data[0] == 'A',
	       "finisher: expected a crash with code 0x41, seen %s", exit_text(&vcpu, ret));
	EXPECT_EQ(2, read(uart, buf, sizeof(buf)), "read of the UART");
	EXPECT(!strcmp(buf, "hi"), "UART: expected 'hi', seen '%s'", buf);
}

/*
 * A console driver's loop: s2 bytes, each the low 7 bits of its number, to the UART
 * at 0x10001000 when LSR permits; what is asked of LSR and sent to THR stands at one
 * pc each, so that the switcher gets to answer.  Then PORT, an echo of one byte, and
 * no exit any more.
 */
GUEST(uart_console,
      "	.option	norvc\n"
      GUEST_PORT
      "	li	s10, 0x10001000\n"
      "	li	s2, 200000\n"
      "	li	s1, 0\n"
      "1:	lbu	a0, 5(s10)\n"
      "	andi	a0, a0, 0x20\n"
      "	beqz	a0, 1b\n"
      "	andi	a1, s1, 0x7f\n"
      "	sb	a1, 0(s10)\n"
      "	addi	s1, s1, 1\n"
      "	bltu	s1, s2, 1b\n"
      TELL("s1")
      /* Fresh bytes, then an exit. */
      "	li	a1, 'x'\n"
      "	sb	a1, 0(s10)\n"
      "	li	a1, 'y'\n"
      "	jal	4f\n"
      "	li	a1, 'z'\n"
      "	jal	4f\n"
      TELL("s1")
      "2:	lbu	a0, 5(s10)\n"
      "	andi	a0, a0, 1\n"
      "	beqz	a0, 2b\n"
      "	lbu	a1, 0(s10)\n"
      "	jal	4f\n"
      "	addi	a1, a1, 1\n"
      "	jal	4f\n"
      "	addi	a1, a1, 1\n"
      "	jal	4f\n"
      "3:	j	3b\n"
      "4:	sb	a1, 0(s10)\n"
      "	ret\n");

static void *console_reader(void *arg)
{
	u64 *good = arg;
	u8 buf[1000];
	int fd = *good;

	*good = 0;
	/* Let it fill up: LSR has to hold the guest back. */
	usleep(50000);
	while (*good < 200000) {
		ssize_t n = read(fd, buf, sizeof(buf));

		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != ((*good)++ & 0x7f))
				return NULL;
		if (n <= 0)
			break;
	}
	return NULL;
}

static void *echo_reader(void *arg)
{
	char *buf = arg;
	int fd = *(int *)arg;

	memset(buf, 0, 8);
	/* It polls LSR by now, and nothing but a change of that ends it. */
	usleep(20000);
	EXPECT_EQ(1, write(fd, "K", 1), "write to the UART");
	for (int n = 0; n < 3;) {
		ssize_t ret = read(fd, buf + n, 3 - n);

		if (ret <= 0)
			break;
		n += ret;
	}
	vcpu.run->immediate_exit = 1;
	pthread_kill((pthread_t)*(u64 *)(buf + 8), SIGUSR1);
	return NULL;
}

/* The switcher answers for the UART: bytes, their order, LSR, wake-ups stay as they are. */
TEST_TIMEOUT(uart_posting, 120)
{
	struct sigaction action = { .sa_handler = on_kick };
	struct kvm_stats_header h;
	u64 good, echo[2] = {};
	pthread_t thread;
	int uart, ret, fd;
	char buf[8] = "";

	start();
	uart = new_device(UMBRA_DEV_TYPE_UART);
	ASSERT_ERRNO(0, config(uart, UMBRA_DEV_CONFIG_ADDR, 0x10001000));
	ASSERT_ERRNO(0, init(uart));
	vm_load(&vm, RAM_BASE, uart_console);
	good = uart;
	ASSERT_EQ(0, pthread_create(&thread, NULL, console_reader, &good), "pthread_create");
	EXPECT_EQ(200000, run_told(&vcpu), "the guest's count");
	pthread_join(thread, NULL);
	EXPECT_EQ(200000, good, "bytes in order");
	/* The other half of it is back-pressure. */
	fd = stats_open(&h);
	EXPECT(stat_value(fd, &h, "fast_post") > 100000, "fast_post: expected most of 400000, seen %llu",
	       (unsigned long long)stat_value(fd, &h, "fast_post"));

	/* One that does not block sees what has just come. */
	EXPECT_EQ(200000, run_told(&vcpu), "the guest's count");
	fcntl(uart, F_SETFL, O_NONBLOCK);
	EXPECT_EQ(3, read(uart, buf, sizeof(buf)), "read of the UART");
	EXPECT(!strcmp(buf, "xyz"), "UART: expected 'xyz', seen '%s'", buf);
	fcntl(uart, F_SETFL, 0);

	/* And one that blocks does, of a guest that does nothing any more. */
	sigaction(SIGUSR1, &action, NULL);
	echo[0] = uart;
	echo[1] = (u64)pthread_self();
	ASSERT_EQ(0, pthread_create(&thread, NULL, echo_reader, echo), "pthread_create");
	ret = vcpu_run(&vcpu);
	pthread_join(thread, NULL);
	EXPECT_EQ(-EINTR, ret, "KVM_RUN");
	EXPECT(!strcmp((char *)echo, "KLM"), "UART: expected 'KLM', seen '%s'", (char *)echo);
}

GUEST(aclint,
      "	.option	norvc\n"
      GUEST_PORT
      "	lla	t0, 9f\n"
      "	csrw	stvec, t0\n"
      "	li	s1, 0x2000000\n"
      "	li	s2, 0x2004000\n"
      "	li	s3, 0x200bff8\n"
      "	li	s4, 0x2f00000\n"
      /* MSIP of hart 0, and of a hart that is not there. */
      "	li	a0, 1\n"
      "	sw	a0, 0(s1)\n"
      "	lwu	a0, 0(s1)\n"
      TELL("a0")
      "	li	a0, 1\n"
      "	sw	a0, 4(s1)\n"
      "	lwu	a0, 4(s1)\n"
      TELL("a0")
      /* mtime is the CSR time. */
      "	rdtime	a1\n"
      "	ld	a0, 0(s3)\n"
      "	rdtime	a2\n"
      "	sltu	a1, a0, a1\n"
      "	sltu	a2, a2, a0\n"
      "	or	a0, a1, a2\n"
      TELL("a0")
      /* A timer interrupt for machine mode; a guest in S-mode sees none. */
      "	li	a0, 12345\n"
      "	sd	a0, 0(s2)\n"
      "	ld	a0, 0(s2)\n"
      TELL("a0")
      "	csrr	a0, sip\n"
      TELL("a0")
      /* SSWI. */
      "	li	a0, 1\n"
      "	sw	a0, 0(s4)\n"
      "	csrr	a0, sip\n"
      TELL("a0")
      "	lwu	a0, 0(s4)\n"
      TELL("a0")
      /* Set the time. */
      "	li	a0, 0x1234567890\n"
      "	sd	a0, 0(s3)\n"
      "	rdtime	a1\n"
      "	sub	a0, a1, a0\n"
      TELL("a0")
      /* A timer that is ten seconds away, and then no more. */
      "	rdtime	a0\n"
      "	li	a1, 100000000\n"
      "	add	a0, a0, a1\n"
      "	csrw	0x14d, a0\n"
      "	li	t0, 0x20\n"
      "	csrw	sie, t0\n"
      "	li	a1, 100000\n"
      "	sub	a1, a0, a1\n"
      "	sd	a1, 0(s3)\n"
      "	wfi\n"
      "	csrr	a0, sip\n"
      "	andi	a0, a0, 0x20\n"
      TELL("a0")
      /* And the other way: what has come is in the future again. */
      "	sd	zero, 0(s3)\n"
      "	csrr	a0, sip\n"
      "	andi	a0, a0, 0x20\n"
      TELL("a0")
      /* Widths that the device does not answer. */
      "	lb	a0, 0(s1)\n"
      "	ld	a0, 0(s1)\n"
      "	sd	zero, 0(s4)\n"
      "	lh	a0, 0(s3)\n"
      "	lw	a0, 4(s3)\n"
      TELL("a0")
      STOP
      "	.balign 4\n"
      "9:	csrr	a0, scause\n"
      TELL("a0")
      "	csrr	t0, sepc\n"
      "	addi	t0, t0, 4\n"
      "	csrw	sepc, t0\n"
      "	sret\n");

TEST(device_aclint)
{
	int aclint, second;
	u64 val;

	start();
	aclint = new_device(UMBRA_DEV_TYPE_ACLINT);
	ASSERT(aclint >= 0, "ACLINT: expected a file descriptor, seen %m");
	EXPECT_ERRNO(EINVAL, init(aclint));
	EXPECT_ERRNO(ENXIO, config(aclint, UMBRA_DEV_CONFIG_IRQ, 1));
	EXPECT_ERRNO(EINVAL, config(aclint, UMBRA_DEV_CONFIG_HARTS, 0));
	EXPECT_ERRNO(EINVAL, config(aclint, UMBRA_DEV_CONFIG_HARTS, 1025));
	EXPECT_ERRNO(EINVAL, config(aclint, UMBRA_DEV_CONFIG_SSWI, 0x2f00004));
	ASSERT_ERRNO(0, config(aclint, UMBRA_DEV_CONFIG_ADDR, 0x2000000));
	ASSERT_ERRNO(0, config(aclint, UMBRA_DEV_CONFIG_HARTS, 1));
	/* Over itself, and over the end. */
	ASSERT_ERRNO(0, config(aclint, UMBRA_DEV_CONFIG_SSWI, 0x200bff8));
	EXPECT_ERRNO(EEXIST, init(aclint));
	ASSERT_ERRNO(0, config(aclint, UMBRA_DEV_CONFIG_SSWI, ~0ull << 13));
	EXPECT_ERRNO(EINVAL, init(aclint));
	ASSERT_ERRNO(0, config(aclint, UMBRA_DEV_CONFIG_SSWI, 0x2f00000));
	ASSERT_ERRNO(0, init(aclint));
	second = new_device(UMBRA_DEV_TYPE_FINISHER);
	ASSERT_ERRNO(0, config(second, UMBRA_DEV_CONFIG_ADDR, 0x2f03ff8));
	EXPECT_ERRNO(EEXIST, init(second));
	close(aclint);

	vm_load(&vm, RAM_BASE, aclint);
	EXPECT_EQ(1, run_told(&vcpu), "MSIP of hart 0");
	EXPECT_EQ(0, run_told(&vcpu), "MSIP of a hart that does not exist");
	EXPECT_EQ(0, run_told(&vcpu), "mtime between two reads of time: 0 for yes");
	EXPECT_EQ(12345, run_told(&vcpu), "mtimecmp");
	EXPECT_EQ(0, run_told(&vcpu), "sip with MSIP and MTIP pending");
	EXPECT_EQ(IRQ_SOFT, run_told(&vcpu), "sip after SETSSIP");
	EXPECT_EQ(0, run_told(&vcpu), "SETSSIP reads");
	val = run_told(&vcpu);
	EXPECT(val < 10000000000, "time since it was set: expected less than 1000 s, seen %llu ticks",
	       (unsigned long long)val);
	alarm(8);
	EXPECT_EQ(IRQ_TIMER, run_told(&vcpu), "STIP, brought near by mtime");
	alarm(0);
	EXPECT_EQ(0, run_told(&vcpu), "STIP, moved away by mtime");
	EXPECT_EQ(5, run_told(&vcpu), "scause of a byte load from MSIP");
	EXPECT_EQ(5, run_told(&vcpu), "scause of a double load from MSIP");
	EXPECT_EQ(7, run_told(&vcpu), "scause of a double store to SETSSIP");
	EXPECT_EQ(5, run_told(&vcpu), "scause of a half load from mtime");
	EXPECT_EQ(0, run_told(&vcpu), "upper half of mtime after 0 was written");
}

/* --- M-mode ------------------------------------------------------------------------ */

static int enable_m_mode(int fd, const struct kvm_enable_cap *cap)
{
	return ioctl(fd, KVM_ENABLE_CAP, cap);
}

static const struct kvm_enable_cap m_mode = {
	.cap = UMBRA_CAP_M_MODE, .args = { 1 },
};

static void start_m(void)
{
	vm_new(&vm, 2 << 20);
	ASSERT_ERRNO(0, enable_m_mode(vm.fd, &m_mode));
	vcpu_new(&vcpu, &vm, 0);
}

TEST(m_mode_capability)
{
	struct kvm_enable_cap cap;
	u64 val;

	vm_new(&vm, 2 << 20);
	cap = m_mode;
	cap.cap = UMBRA_CAP_MMU_MODES;
	EXPECT_ERRNO(EINVAL, enable_m_mode(vm.fd, &cap));
	cap = m_mode;
	cap.flags = 1;
	EXPECT_ERRNO(EINVAL, enable_m_mode(vm.fd, &cap));
	for (u64 arg = 0; arg < 4; arg++) {
		cap = m_mode;
		cap.args[arg] = 2;
		EXPECT_ERRNO(EINVAL, enable_m_mode(vm.fd, &cap));
	}
	cap = m_mode;
	cap.args[0] = 0;
	EXPECT_ERRNO(EINVAL, enable_m_mode(vm.fd, &cap));
	cap = m_mode;
	cap.pad[63] = 1;
	EXPECT_ERRNO(EINVAL, enable_m_mode(vm.fd, &cap));
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_ENABLE_CAP, bad_pointer()));

	/* None of these did: this is a vCPU without M-mode. */
	vcpu_new(&vcpu, &vm, 0);
	EXPECT_EQ(1, get_reg(&vcpu, REG_CORE(mode)), "mode");
	val = 3;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CORE(mode), &val));
	EXPECT_ERRNO(ENOENT, try_get(&vcpu, REG_MCSR(0x300), &val));
	EXPECT_ERRNO(EBUSY, enable_m_mode(vm.fd, &m_mode));
	vcpu_close(&vcpu);
	vm_close(&vm);

	vm_new(&vm, 2 << 20);
	EXPECT_ERRNO(0, enable_m_mode(vm.fd, &m_mode));
	EXPECT_ERRNO(0, enable_m_mode(vm.fd, &m_mode));
	vcpu_new(&vcpu, &vm, 0);
	EXPECT_EQ(3, get_reg(&vcpu, REG_CORE(mode)), "mode");
}

TEST(m_mode_registers)
{
	struct kvm_reg_list *list;
	unsigned int seen = 0;
	u64 val;

	start_m();
	list = get_list(&vcpu);
	for (u64 i = 0; i < list->n; i++)
		seen += (list->reg[i] & KVM_REG_RISCV_TYPE_MASK) == UMBRA_REG_RISCV_MCSR;
	/* The hart, 29 counters and their events, PMP, mcycle and minstret, ids */
	EXPECT_EQ(14 + 2 * 29 + 18 + 2 + 5, seen, "machine CSRs in the list");
	read_and_write_back(list, "M-mode, before the first run");

	set_reg(&vcpu, REG_MCSR(0x340), 0x123456789abcdef0);
	EXPECT_EQ(0x123456789abcdef0, get_reg(&vcpu, REG_MCSR(0x340)), "mscratch");
	set_reg(&vcpu, REG_MCSR(0x303), ~0ul);
	EXPECT_EQ(0x222, get_reg(&vcpu, REG_MCSR(0x303)), "mideleg");
	set_reg(&vcpu, REG_MCSR(0x304), ~0ul);
	EXPECT_EQ(0xaaa, get_reg(&vcpu, REG_MCSR(0x304)), "mie");
	EXPECT_EQ(0x222, get_reg(&vcpu, REG_CSR(sie)), "sie");
	set_reg(&vcpu, REG_MCSR(0x303), 0);
	EXPECT_EQ(0, get_reg(&vcpu, REG_CSR(sie)), "sie with nothing delegated");
	set_reg(&vcpu, REG_MCSR(0x304), 0);
	EXPECT_EQ(0, get_reg(&vcpu, REG_MCSR(0xf14)), "mhartid");
	val = 1;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_MCSR(0xf14), &val));
	val = get_reg(&vcpu, REG_MCSR(0x301));
	EXPECT_EQ(2, val >> 62, "misa.MXL");
	set_reg(&vcpu, REG_MCSR(0x301), val);
	val ^= 1;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_MCSR(0x301), &val));
	/* What is no machine CSR, or does not exist. */
	EXPECT_ERRNO(ENOENT, try_get(&vcpu, REG_MCSR(0x100), &val));
	EXPECT_ERRNO(ENOENT, try_get(&vcpu, REG_MCSR(0x747), &val));
	EXPECT_ERRNO(ENOENT, try_get(&vcpu, REG_MCSR(0x3a1), &val));
	EXPECT_ERRNO(ENOENT, try_get(&vcpu, REG_MCSR(0x1300), &val));
	for (val = 4; val < 6; val++)
		EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CORE(mode), &val));
	val = 2;
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_CORE(mode), &val));
	set_reg(&vcpu, REG_CORE(mode), 0);
	set_reg(&vcpu, REG_CORE(mode), 1);
	set_reg(&vcpu, REG_CORE(mode), 3);

	/* A locked PMP entry, and back to what was there before. */
	set_reg(&vcpu, REG_MCSR(0x3b0), 0x1000);
	set_reg(&vcpu, REG_MCSR(0x3a0), 0x99);
	set_reg(&vcpu, REG_MCSR(0x3b0), 0x2000);
	EXPECT_EQ(0x2000, get_reg(&vcpu, REG_MCSR(0x3b0)), "a locked pmpaddr0");
	EXPECT_EQ(0x99, get_reg(&vcpu, REG_MCSR(0x3a0)), "pmpcfg0");
	set_reg(&vcpu, REG_MCSR(0x3a0), 0);
	EXPECT_EQ(0, get_reg(&vcpu, REG_MCSR(0x3a0)), "pmpcfg0 unlocked");
}

/*
 * M-mode: tells mhartid and mstatus.MPP = S; enters S, whose ecall comes back with
 * mcause 9; tells that, and the privilege of the trap.
 */
GUEST(m_mode,
	GUEST_PORT
	"	csrr	a0, mhartid\n"
	TELL("a0")
	"	lla	t0, 2f\n	csrw	mtvec, t0\n"
	"	li	t0, -1\n	csrw	pmpaddr0, t0\n"
	"	li	t0, 0x1f\n	csrw	pmpcfg0, t0\n"
	"	li	t0, 0x1800\n	csrc	mstatus, t0\n"
	"	li	t0, 0x800\n	csrs	mstatus, t0\n"
	"	lla	t0, 1f\n	csrw	mepc, t0\n"
	"	mret\n"
	"1:	csrw	sscratch, a0\n"
	"	ecall\n"
	"	.balign	4\n"
	"2:	csrr	a0, mcause\n"
	TELL("a0")
	"	csrr	a0, mstatus\n	srli	a0, a0, 11\n	andi	a0, a0, 3\n"
	TELL("a0")
	STOP);

TEST(m_mode_run)
{
	struct kvm_mp_state mp;
	struct vcpu second;

	start_m();
	vm_load(&vm, RAM_BASE, m_mode);
	second.vm = &vm;
	second.fd = ioctl(vm.fd, KVM_CREATE_VCPU, 7ul);
	ASSERT(second.fd >= 0, "KVM_CREATE_VCPU: expected a file descriptor, seen %m");
	second.run = mmap(NULL, vm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  second.fd, 0);
	ASSERT(second.run != MAP_FAILED, "mmap of kvm_run: expected success, seen %m");
	ASSERT_ERRNO(0, ioctl(second.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state, "MP state of the second hart");
	set_reg(&second, REG_CORE(regs.pc), RAM_BASE);

	EXPECT_EQ(0, run_told(&vcpu), "mhartid");
	EXPECT_EQ(7, run_told(&second), "mhartid of the second");
	EXPECT_EQ(9, run_told(&vcpu), "mcause of an ecall from S");
	EXPECT_EQ(1, run_told(&vcpu), "MPP after it");
	EXPECT_EQ(3, get_reg(&vcpu, REG_CORE(mode)), "mode in the handler");
	EXPECT_EQ(9, get_reg(&vcpu, REG_MCSR(0x342)), "mcause by one-reg");
	EXPECT_EQ(0x1f, get_reg(&vcpu, REG_MCSR(0x3a0)), "pmpcfg0 by one-reg");
	EXPECT_EQ(9, run_told(&second), "mcause of the second");
	vcpu_settle(&vcpu);
	read_and_write_back(get_list(&vcpu), "M-mode, after a run");
}

/* --- disks ------------------------------------------------------------------------- */

static int temp_file(off_t size, int flags)
{
	char name[] = "/tmp/uapi.XXXXXX";
	int fd = mkstemp(name), ret;

	ASSERT(fd >= 0 && !ftruncate(fd, size), "%s: expected a file, seen %m", name);
	ret = open(name, flags);
	unlink(name);
	close(fd);
	return ret;
}

/* Kernel threads that do a disk's I/O. */
static int disk_threads(void)
{
	char name[280], comm[32];
	struct dirent *e;
	DIR *d = opendir("/proc");
	int n = 0, fd;

	while ((e = readdir(d))) {
		snprintf(name, sizeof(name), "/proc/%s/comm", e->d_name);
		fd = open(name, O_RDONLY);
		if (fd < 0)
			continue;
		n += read(fd, comm, sizeof(comm)) > 9 && !strncmp(comm, "umbra-blk", 9);
		close(fd);
	}
	closedir(d);
	return n;
}

/* What a disk may be made of; then it has one thread, as long as its VM lives. */
TEST(disk)
{
	int disk, file, ro, small, pipes[2], before = disk_threads(), n;
	u64 val;

	start();
	file = temp_file(4096, O_RDWR);
	ro = temp_file(4096, O_RDONLY);
	small = temp_file(511, O_RDWR);
	ASSERT(!pipe(pipes), "pipe: expected two descriptors, seen %m");
	disk = new_device(UMBRA_DEV_TYPE_VIRTIO_BLK);
	EXPECT_ERRNO(EINVAL, init(disk));
	EXPECT_ERRNO(ENXIO, config(disk, UMBRA_DEV_CONFIG_SOURCES, 1));
	EXPECT_ERRNO(EINVAL, config(disk, UMBRA_DEV_CONFIG_READONLY, 2));
	EXPECT_ERRNO(EINVAL, config(disk, UMBRA_DEV_CONFIG_LEGACY, 2));
	EXPECT_ERRNO(EINVAL, config(disk, UMBRA_DEV_CONFIG_FILE, 1ull << 31));
	EXPECT_ERRNO(EINVAL, config(disk, UMBRA_DEV_CONFIG_SERIAL2, 1ull << 32));
	EXPECT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_SERIAL1, ~0ull));
	EXPECT_ERRNO(0, attr(disk, KVM_GET_DEVICE_ATTR, 0, UMBRA_DEV_CONFIG_SERIAL1, &val));
	EXPECT_EQ(~0ull, val, "serial number");
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_ADDR, 0x10001000));
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_FILE, 9999));
	EXPECT_ERRNO(EBADF, init(disk));
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_FILE, pipes[0]));
	EXPECT_ERRNO(EINVAL, init(disk));
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_FILE, vm.fd));
	EXPECT_ERRNO(EINVAL, init(disk));
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_FILE, small));
	EXPECT_ERRNO(EINVAL, init(disk));
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_FILE, ro));
	EXPECT_ERRNO(EBADF, init(disk));
	/* No PLIC: the thread of an INIT that fails this late goes again. */
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_READONLY, 1));
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_IRQ, 1));
	EXPECT_ERRNO(ENXIO, init(disk));
	EXPECT_ERRNO(ENXIO, init(disk));
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_IRQ, 0));
	EXPECT_ERRNO(0, init(disk));
	EXPECT_ERRNO(EBUSY, config(disk, UMBRA_DEV_CONFIG_FILE, file));
	EXPECT_EQ(before + 1, disk_threads(), "threads of a disk");
	close(disk);
	EXPECT_EQ(before + 1, disk_threads(), "threads after the descriptor is closed");

	/* An empty slot needs none. */
	disk = new_device(UMBRA_DEV_TYPE_VIRTIO_BLK);
	ASSERT_ERRNO(0, config(disk, UMBRA_DEV_CONFIG_ADDR, 0x10002000));
	EXPECT_ERRNO(0, init(disk));
	EXPECT_EQ(before + 1, disk_threads(), "threads with an empty slot");
	close(disk);

	vcpu_close(&vcpu);
	vm_close(&vm);
	for (n = 0; n < 50 && disk_threads() > before; n++)
		usleep(100000);
	EXPECT_EQ(before, disk_threads(), "threads after the VM is gone");
}

HARNESS_MAIN
