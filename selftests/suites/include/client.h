/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A minimal KVM client for the suites: a VM with one piece of RAM, vCPUs, and
 * guests of a few instructions that are linked into the program.
 *
 * A guest is position independent and starts at RAM_BASE in S-mode with
 * translation off, unless the test arranges otherwise.  It tells the test
 * something by storing 8 bytes to PORT, which exits as KVM_EXIT_MMIO; PORT + 8
 * .. are other addresses for tests that need more.  Every function that cannot
 * fail in a sane world ends the test when it does.
 */
#ifndef SUITES_CLIENT_H
#define SUITES_CLIENT_H

/* First: it defines _GNU_SOURCE. */
#include "harness.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "umbra.h"

#define PAGE		4096ul
#define RAM_BASE	0x80000000ul
#define PORT		0x10000000ul

/* sstatus and friends, for guests set up by the test. */
#define SR_SIE		0x2ul
#define SR_SPIE		0x20ul
#define SR_SPP		0x100ul
#define SR_SUM		0x40000ul
#define IRQ_SOFT	0x2ul
#define IRQ_TIMER	0x20ul
#define IRQ_EXT		0x200ul

/* --- guests --------------------------------------------------------------------- */

/**
 * GUEST() - a guest's code; guest_NAME and guest_NAME_end surround it
 * @name: identifier
 * @...: assembly, one string
 *
 * Refers to itself by numeric labels and lla only.  s11 is kept for PORT by those that
 * use GUEST_PORT.
 */
#define GUEST(name, ...)						\
	extern const char guest_##name[], guest_##name##_end[];		\
	asm(".pushsection .rodata.guest, \"a\"\n"			\
	    "	.balign 64\n"						\
	    "	.globl guest_" #name "\n"				\
	    "guest_" #name ":\n"					\
	    "	.option push\n	.option norelax\n"			\
	    __VA_ARGS__							\
	    "\n	.option pop\n"						\
	    "	.balign 4\n"						\
	    "	.globl guest_" #name "_end\n"				\
	    "guest_" #name "_end:\n"					\
	    "	.popsection\n")

#define GUEST_PORT	"	li	s11, 0x10000000\n"
/* Store a register to PORT. */
#define TELL(reg)	"	sd	" reg ", 0(s11)\n"
/* The last instruction of a guest. */
#define STOP		"	sd	zero, 0(s11)\n9999:	j	9999b\n"

/* --- a VM ------------------------------------------------------------------------- */

struct vm {
	int dev;
	int fd;
	u8 *ram;
	u64 size;
	size_t run_size;
};

struct vcpu {
	int fd;
	struct vm *vm;
	struct kvm_run *run;
};

static MAYBE_UNUSED int open_dev(void)
{
	int fd = open("/dev/umbra", O_RDWR | O_CLOEXEC);

	ASSERT(fd >= 0, "open /dev/umbra: expected a file descriptor, seen %m");
	return fd;
}

static MAYBE_UNUSED int set_slot(int vm, u32 slot, u32 flags, u64 gpa, u64 size,
				 const void *hva)
{
	struct kvm_userspace_memory_region mem = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (u64)hva,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &mem);
}

static MAYBE_UNUSED void *map_ram(u64 size)
{
	/* 2 MiB aligned, so that it may get huge pages. */
	u64 align = 2ul << 20;
	u8 *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u8 *at;

	ASSERT(p != MAP_FAILED, "mmap: expected memory, seen %m");
	at = (u8 *)(((u64)p + align - 1) & ~(align - 1));
	if (at > p)
		munmap(p, at - p);
	munmap(at + size, p + align - at);
	return at;
}

/* A VM without memory. */
static MAYBE_UNUSED void vm_open(struct vm *vm)
{
	int size;

	memset(vm, 0, sizeof(*vm));
	vm->dev = open_dev();
	vm->fd = ioctl(vm->dev, KVM_CREATE_VM, 0);
	ASSERT(vm->fd >= 0, "KVM_CREATE_VM: expected a file descriptor, seen %m");
	size = ioctl(vm->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	ASSERT(size >= (int)PAGE, "KVM_GET_VCPU_MMAP_SIZE: expected a page or more, seen %d", size);
	vm->run_size = size;
}

/* With memory in slot 0, RAM_BASE up. */
static MAYBE_UNUSED void vm_new(struct vm *vm, u64 size)
{
	vm_open(vm);
	vm->size = size;
	vm->ram = map_ram(size);
	ASSERT_ERRNO(0, set_slot(vm->fd, 0, 0, RAM_BASE, size, vm->ram));
}

static MAYBE_UNUSED void vm_close(struct vm *vm)
{
	close(vm->fd);
	close(vm->dev);
	if (vm->ram)
		munmap(vm->ram, vm->size);
}

#define vm_load(vm, gpa, name) \
	memcpy((vm)->ram + ((gpa) - RAM_BASE), guest_##name, \
	       guest_##name##_end - guest_##name)

static MAYBE_UNUSED u64 *vm_word(struct vm *vm, u64 gpa)
{
	return (u64 *)(vm->ram + (gpa - RAM_BASE));
}

/* --- registers ---------------------------------------------------------------------- */

#define REG_CORE(name)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | \
			 KVM_REG_RISCV_CORE | KVM_REG_RISCV_CORE_REG(name))
#define REG_CSR(name)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CSR | \
			 KVM_REG_RISCV_CSR_GENERAL | KVM_REG_RISCV_CSR_REG(name))
#define REG_TIMER(name)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | \
			 KVM_REG_RISCV_TIMER | KVM_REG_RISCV_TIMER_REG(name))
#define REG_CONFIG(name) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | \
			 KVM_REG_RISCV_CONFIG | KVM_REG_RISCV_CONFIG_REG(name))
#define REG_ISA(name)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | \
			 KVM_REG_RISCV_ISA_EXT | KVM_REG_RISCV_ISA_SINGLE | \
			 KVM_RISCV_ISA_EXT_##name)
#define REG_SBI(name)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | \
			 KVM_REG_RISCV_SBI_EXT | KVM_REG_RISCV_SBI_SINGLE | \
			 KVM_RISCV_SBI_EXT_##name)
#define REG_MCSR(csr)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | \
			 UMBRA_REG_RISCV_MCSR | (csr))
/* x0 is pc's number; x1 .. x31 follow. */
#define REG_X(n)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CORE | (n))
#define REG_A(n)	REG_X(10 + (n))

static MAYBE_UNUSED int try_get(struct vcpu *v, u64 id, void *val)
{
	struct kvm_one_reg reg = { .id = id, .addr = (u64)val };

	return ioctl(v->fd, KVM_GET_ONE_REG, &reg);
}

static MAYBE_UNUSED int try_set(struct vcpu *v, u64 id, const void *val)
{
	struct kvm_one_reg reg = { .id = id, .addr = (u64)val };

	return ioctl(v->fd, KVM_SET_ONE_REG, &reg);
}

static MAYBE_UNUSED u64 get_reg(struct vcpu *v, u64 id)
{
	u64 val = 0;

	ASSERT(!try_get(v, id, &val), "KVM_GET_ONE_REG %#llx: expected success, seen %m",
	       (unsigned long long)id);
	return val;
}

static MAYBE_UNUSED void set_reg(struct vcpu *v, u64 id, u64 val)
{
	ASSERT(!try_set(v, id, &val), "KVM_SET_ONE_REG %#llx: expected success, seen %m",
	       (unsigned long long)id);
}

/* --- vCPUs ----------------------------------------------------------------------------- */

static MAYBE_UNUSED void set_mp_state(struct vcpu *v, u32 state)
{
	struct kvm_mp_state mp = { state };

	ASSERT_ERRNO(0, ioctl(v->fd, KVM_SET_MP_STATE, &mp));
}

static MAYBE_UNUSED void vcpu_new(struct vcpu *v, struct vm *vm, u32 id)
{
	v->vm = vm;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	ASSERT(v->fd >= 0, "KVM_CREATE_VCPU %u: expected a file descriptor, seen %m", id);
	v->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	ASSERT(v->run != MAP_FAILED, "mmap of kvm_run: expected success, seen %m");
	set_mp_state(v, KVM_MP_STATE_RUNNABLE);
	set_reg(v, REG_CORE(regs.pc), RAM_BASE);
}

static MAYBE_UNUSED void vcpu_close(struct vcpu *v)
{
	munmap(v->run, v->vm->run_size);
	close(v->fd);
}

/* 0 or -errno. */
static MAYBE_UNUSED int vcpu_run(struct vcpu *v)
{
	return ioctl(v->fd, KVM_RUN, 0) ? -errno : 0;
}

/*
 * Complete the MMIO or SBI exit that the vCPU is in, and run nothing: before
 * its registers are set for something else.
 */
static MAYBE_UNUSED void vcpu_settle(struct vcpu *v)
{
	int ret;

	v->run->immediate_exit = 1;
	for (int i = 0; i < 16; i++) {
		ret = vcpu_run(v);
		if (ret)
			break;
	}
	v->run->immediate_exit = 0;
	ASSERT_EQ(-EINTR, ret, "KVM_RUN with immediate_exit");
}

static MAYBE_UNUSED const char *exit_text(struct vcpu *v, int ret)
{
	static __thread char text[300];
	struct kvm_run *run = v->run;
	u64 pc = 0;
	int n;

	try_get(v, REG_CORE(regs.pc), &pc);
	if (ret) {
		snprintf(text, sizeof(text), "KVM_RUN: %s, pc %#llx",
			 strerrorname_np(-ret) ?: "?", (unsigned long long)pc);
		return text;
	}
	n = snprintf(text, sizeof(text), "exit reason %u, pc %#llx",
		     run->exit_reason, (unsigned long long)pc);
	if (run->exit_reason == KVM_EXIT_MMIO)
		snprintf(text + n, sizeof(text) - n, ", MMIO %s %#llx, %u bytes, %#llx",
			 run->mmio.is_write ? "store" : "load",
			 run->mmio.phys_addr, run->mmio.len,
			 *(unsigned long long *)run->mmio.data);
	else if (run->exit_reason == KVM_EXIT_SYSTEM_EVENT)
		snprintf(text + n, sizeof(text) - n, ", system event %u, data %#llx",
			 run->system_event.type, run->system_event.data[0]);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		snprintf(text + n, sizeof(text) - n,
			 ", scause %#llx, stval %#llx, why %llu",
			 run->internal.data[0], run->internal.data[2],
			 run->internal.data[3]);
	return text;
}

static MAYBE_UNUSED bool is_mmio(struct vcpu *v, u64 gpa, u32 len, bool write)
{
	struct kvm_run *run = v->run;

	return run->exit_reason == KVM_EXIT_MMIO && run->mmio.phys_addr == gpa &&
	       run->mmio.len == len && !!run->mmio.is_write == write;
}

/* Run until the guest stores to PORT; the value. */
static MAYBE_UNUSED u64 run_told(struct vcpu *v)
{
	u64 val = 0;
	int ret;

	do {
		ret = vcpu_run(v);
	} while (ret == -EINTR);
	if (ret || !is_mmio(v, PORT, 8, true)) {
		FAIL("expected the guest to store to PORT, seen %s", exit_text(v, ret));
		exit(1);
	}
	memcpy(&val, v->run->mmio.data, 8);
	return val;
}

/* --- reaching a running vCPU -------------------------------------------------------------- */

static void on_kick(int sig MAYBE_UNUSED)
{
}

/* SIGUSR1 ends KVM_RUN with EINTR and does nothing else. */
static MAYBE_UNUSED void kicks_init(void)
{
	struct sigaction sa = { .sa_handler = on_kick };

	sigaction(SIGUSR1, &sa, NULL);
}

static MAYBE_UNUSED u64 *volatile_word(struct vm *vm, u64 gpa)
{
	return vm_word(vm, gpa);
}

/* Wait until *word changes from what it was; false after ms. */
static MAYBE_UNUSED bool wait_change(const u64 *word, u64 was, unsigned int ms)
{
	u64 end = now_ns() + ms * 1000000ull;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == was) {
		if (now_ns() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* Wait until *word has grown by n; false after ms. */
static MAYBE_UNUSED bool wait_progress(const u64 *word, u64 n, unsigned int ms)
{
	u64 end = now_ns() + ms * 1000000ull;
	u64 was = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) - was < n) {
		if (now_ns() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

static MAYBE_UNUSED int online_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

/* One word into a file of /sys or /proc; 0 or -errno. */
static MAYBE_UNUSED int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* The first number in a file, or -1. */
static MAYBE_UNUSED long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

#endif /* SUITES_CLIENT_H */
