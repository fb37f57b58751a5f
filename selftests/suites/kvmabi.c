// SPDX-License-Identifier: GPL-2.0
/*
 * Parts of KVM's ABI that tools use beside running a guest: dirty logs kept by
 * hand, breakpoints for a debugger, steal time, system suspend, counters,
 * vector registers, statistics of a VM, a great many slots.
 */
#include "include/client.h"

#include <asm/kvm.h>

#define DEV	0x20000000ul	/* nothing of Umbra's is there */
#define SUSP	11		/* KVM_RISCV_SBI_EXT_SUSP of newer headers */
#define RAM	(64 * PAGE)

static struct vm vm;
static struct vcpu vcpu;

static void start(void)
{
	vm_new(&vm, RAM);
	vcpu_new(&vcpu, &vm, 0);
}

/* --- memory -------------------------------------------------------------------------- */

TEST(region2)
{
	struct kvm_userspace_memory_region2 mem = {
		.slot = 0, .guest_phys_addr = RAM_BASE, .memory_size = RAM,
	};

	vm_open(&vm);
	mem.userspace_addr = (u64)map_ram(RAM);
	mem.flags = 1 << 2;	/* KVM_MEM_GUEST_MEMFD */
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION2, &mem));
	mem.flags = 0;
	EXPECT_ERRNO(0, ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION2, &mem));
	mem.slot = 1;
	EXPECT_ERRNO(EEXIST, ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION2, &mem));
	/* Deleted by the old call. */
	EXPECT_ERRNO(0, set_slot(vm.fd, 0, 0, RAM_BASE, 0, NULL));
	EXPECT_ERRNO(0, ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION2, &mem));
}

/* Thousands of slots, in an order of no order; found, moved, deleted. */
TEST_TIMEOUT(many_slots, 120)
{
	enum { N = 3000 };
	u8 *p;

	vm_open(&vm);
	p = mmap(NULL, 2 * N * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (unsigned int i = 0; i < N; i++) {
		u64 at = i * 7919 % N;

		ASSERT_ERRNO(0, set_slot(vm.fd, i, 0, RAM_BASE + 2 * at * PAGE, PAGE,
					 p + 2 * at * PAGE));
	}
	for (unsigned int i = 97; i < N; i += 97) {
		EXPECT_ERRNO(EEXIST, set_slot(vm.fd, N, 0, RAM_BASE + 2 * i * PAGE, PAGE, p));
		EXPECT_ERRNO(EEXIST, set_slot(vm.fd, N, 0, RAM_BASE + (2 * i - 1) * PAGE,
					      3 * PAGE, p));
		EXPECT_ERRNO(0, set_slot(vm.fd, N, 0, RAM_BASE + (2 * i + 1) * PAGE, PAGE,
					 p + (2 * i + 1) * PAGE));
		EXPECT_ERRNO(0, set_slot(vm.fd, N, 0, 0, 0, NULL));
	}
	for (unsigned int i = 0; i < N; i += 2)
		EXPECT_ERRNO(0, set_slot(vm.fd, i, 0, 0, 0, NULL));
	EXPECT_ERRNO(EINVAL, set_slot(vm.fd, 0, 0, 0, 0, NULL));
}

static int clear_log(u64 *bits, u64 first, u32 pages)
{
	struct kvm_clear_dirty_log log = {
		.slot = 0, .first_page = first, .num_pages = pages, .dirty_bitmap = bits,
	};

	return ioctl(vm.fd, KVM_CLEAR_DIRTY_LOG, &log);
}

static u64 get_log(void)
{
	u64 bits[4] = {};
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bits };

	ASSERT_ERRNO(0, ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	return bits[0];
}

static int set_manual(u64 on)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args[0] = on,
	};

	return ioctl(vm.fd, KVM_ENABLE_CAP, &cap);
}

/* Dirties the pages that user space names in a0, one store each, for ever. */
GUEST(dirty,
      GUEST_PORT
      "1:	sd	zero, 0(s11)\n"
      "	lla	t0, 9f\n"
      "	ld	a0, 0(t0)\n"
      "	beqz	a0, 1b\n"
      "	sd	a0, 0(a0)\n"
      "	j	1b\n"
      "	.balign 8\n"
      "9:	.dword	0\n");

/* The guest stores to a page of its RAM, then tells. */
static void dirty_page(u64 page)
{
	u64 size = guest_dirty_end - guest_dirty;

	*vm_word(&vm, RAM_BASE + size - 8) = RAM_BASE + page * PAGE;
	run_told(&vcpu);
}

TEST(manual_dirty_log)
{
	u64 bits[4] = { ~0ull, ~0ull, ~0ull, ~0ull };

	start();
	EXPECT_ERRNO(EINVAL, set_manual(2));
	EXPECT_ERRNO(EINVAL, set_manual(4));
	EXPECT_ERRNO(ENOENT, clear_log(bits, 0, 64));
	ASSERT_ERRNO(0, set_manual(1));
	ASSERT_ERRNO(0, set_slot(vm.fd, 0, KVM_MEM_LOG_DIRTY_PAGES, RAM_BASE, RAM, vm.ram));
	EXPECT_ERRNO(EINVAL, clear_log(bits, 1, 63));
	EXPECT_ERRNO(EINVAL, clear_log(bits, 0, 63));
	EXPECT_ERRNO(EINVAL, clear_log(bits, 0, 65));
	EXPECT_ERRNO(EINVAL, clear_log(bits, 128, 0));
	EXPECT_ERRNO(EINVAL, clear_log(bits, ~63ull, 64));
	EXPECT_ERRNO(EFAULT, clear_log((u64 *)8, 0, 64));
	EXPECT_ERRNO(0, clear_log(bits, 64, 0));

	vm_load(&vm, RAM_BASE, dirty);
	run_told(&vcpu);
	dirty_page(5);
	dirty_page(9);
	EXPECT_EQ(1 << 5 | 1 << 9, get_log() & ~1ull, "pages that were stored to");
	/* Reading does not clear. */
	EXPECT_EQ(1 << 5 | 1 << 9, get_log() & ~1ull, "the same pages");
	/* Clearing is page by page, and the next store counts again. */
	bits[0] = 1 << 5;
	EXPECT_ERRNO(0, clear_log(bits, 0, 64));
	EXPECT_EQ(1 << 9, get_log() & ~1ull, "what was not cleared");
	dirty_page(5);
	dirty_page(6);
	EXPECT_EQ(1 << 5 | 1 << 6 | 1 << 9, get_log() & ~1ull, "stores after it was cleared");
	bits[0] = ~0ull;
	EXPECT_ERRNO(0, clear_log(bits, 0, 64));
	EXPECT_EQ(0, get_log(), "all cleared");
	/* Back to the old way. */
	ASSERT_ERRNO(0, set_manual(0));
	dirty_page(7);
	EXPECT_EQ(1 << 7, get_log() & ~1ull, "read, and cleared");
	EXPECT_EQ(0, get_log(), "read again");
}

/* --- a debugger ---------------------------------------------------------------------- */

static void set_debug(u32 control)
{
	struct kvm_guest_debug debug = { .control = control };

	ASSERT_ERRNO(0, ioctl(vcpu.fd, KVM_SET_GUEST_DEBUG, &debug));
}

GUEST(breaks,
      GUEST_PORT
      "	lla	t0, 8f\n"
      "	csrw	stvec, t0\n"
      "	.option norvc\n"
      "	ebreak\n"			/* 32 bits */
      "	.option rvc\n"
      "	c.ebreak\n"			/* 16 bits */
      "	li	a0, 77\n"
      TELL("a0")
      "	.balign 4\n"
      "8:	csrr	a0, scause\n"
      "	csrr	a1, sepc\n"
      TELL("a0") STOP);

TEST(debug_ebreak)
{
	u64 pc;

	start();
	EXPECT_ERRNO(EFAULT, ioctl(vcpu.fd, KVM_SET_GUEST_DEBUG, (void *)8));
	vm_load(&vm, RAM_BASE, breaks);
	set_debug(KVM_GUESTDBG_ENABLE);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason at an ebreak");
		pc = get_reg(&vcpu, REG_CORE(regs.pc));
		EXPECT_EQ(i ? 0x9002 : 0x73, *(u16 *)(vm.ram + (pc - RAM_BASE)), "code at pc");
		/* Again, as long as nobody moves pc. */
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason at the same ebreak");
		EXPECT_EQ(pc, get_reg(&vcpu, REG_CORE(regs.pc)), "pc");
		set_reg(&vcpu, REG_CORE(regs.pc), pc + (i ? 2 : 4));
	}
	EXPECT_EQ(77, run_told(&vcpu), "behind both");
	/* Nobody watches: the guest's own. */
	set_debug(0);
	vcpu_settle(&vcpu);
	set_reg(&vcpu, REG_CORE(regs.pc), RAM_BASE);
	EXPECT_EQ(3, run_told(&vcpu), "scause of its own ebreak");
}

/* Written by the debugger where an instruction stood that Umbra had rewritten. */
GUEST(loop_csr,
      GUEST_PORT
      "1:	csrr	a0, sscratch\n"
      "	addi	a0, a0, 1\n"
      "	csrw	sscratch, a0\n"
      TELL("a0")
      "	j	1b\n");

TEST(debug_breakpoint_over_site)
{
	u16 ebreak = 0x9002, old;
	u8 *at;

	start();
	vm_load(&vm, RAM_BASE, loop_csr);
	for (u64 i = 1; i < 50; i++)
		ASSERT_EQ(i, run_told(&vcpu), "the guest's count");
	vcpu_settle(&vcpu);
	/* Reading registers restores the text. */
	get_reg(&vcpu, REG_CORE(regs.pc));
	for (at = vm.ram; memcmp(at, "\x73\x25\x00\x14", 4); at += 2)
		ASSERT(at < vm.ram + 64, "expected csrr a0, sscratch in the guest's text");
	memcpy(&old, at, 2);
	set_debug(KVM_GUESTDBG_ENABLE);
	memcpy(at, &ebreak, 2);
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason at the breakpoint");
	EXPECT_EQ(RAM_BASE + (at - vm.ram), get_reg(&vcpu, REG_CORE(regs.pc)), "pc");
	EXPECT_EQ(0, memcmp(at, &ebreak, 2), "the breakpoint in memory");
	memcpy(at, &old, 2);
	set_debug(0);
	for (u64 i = 50; i < 100; i++)
		ASSERT_EQ(i, run_told(&vcpu), "the guest's count");
}

/* --- single steps ---------------------------------------------------------------------- */

/*
 * STEP(): one instruction.  Where it stands, as an offset in the guest, goes
 * into the table of steps, in the order in which they are executed: that of the
 * text, but for STEP_LATER(), which comes behind the next one.
 */
#define STEP_AT_(order, where)						\
	"	.pushsection .rodata.steps, " order ", \"a\"\n"	\
	"	.8byte	" where "\n"						\
	"	.popsection\n"
#define STEP_STR_(x) #x
#define STEP_STR(x) STEP_STR_(x)
/* The next step begins here, whatever is executed by it. */
#define STEP_HERE()							\
	"7711:\n" STEP_AT_(STEP_STR(10 * __COUNTER__), "7711b - guest_steps")
#define STEP(insn)	STEP_HERE() "	" insn "\n"
#define STEP_LATER(insn)						\
	"7711:\n" STEP_AT_(STEP_STR(10 * __COUNTER__ + 15), "7711b - guest_steps") \
	"	" insn "\n"
/* At an address of no instruction. */
#define STEP_NOWHERE(addr) STEP_AT_(STEP_STR(10 * __COUNTER__), addr)
#define STEP_LLA(reg, label)						\
	"7712:\n"							\
	STEP("auipc	" reg ", %pcrel_hi(" label ")")			\
	STEP("addi	" reg ", " reg ", %pcrel_lo(7712b)")
/* Around what traps: it goes on in the handler. */
#define STEP_VECTOR()							\
	STEP_LLA("t0", "88f")						\
	STEP("csrw	stvec, t0")
#define STEP_HANDLER()							\
	"	.balign 4\n"						\
	"88:\n"								\
	STEP("csrr	a1, scause")					\
	STEP("add	s0, s0, a1")
#define STEP_NOT(insn)	"	" insn "\n"	/* jumped over */

extern const u64 step_table[], step_table_end[];
asm(".pushsection .rodata.steps, 0, \"a\"\n"
    "	.balign 8\n"
    "	.globl step_table\n"
    "step_table:\n"
    "	.popsection\n"
    ".pushsection .rodata.steps, 8000, \"a\"\n"
    "	.globl step_table_end\n"
    "step_table_end:\n"
    "	.popsection\n");

/*
 * s10: a page of its own: 0: 1000, 8: satp.  s11: PORT.  s0: sum of what it sees,
 * told at the end.
 */
GUEST(steps,
      STEP("li	s0, 5")
      STEP("slli	s1, s0, 40")
      STEP("xor	s0, s0, s1")
      STEP("c.li	a5, 0")
      /* Branches, taken and not, forwards and backwards. */
      STEP("beq	s0, s1, 1f")
      STEP("bne	s0, s1, 1f")
      STEP_NOT("li	s0, 0")
      "1:\n"
      STEP("blt	s0, zero, 1f")
      STEP("bge	s0, zero, 1f")
      STEP_NOT("li	s0, 0")
      "1:\n"
      STEP("bltu	zero, s0, 2f")
      "1:\n"
      STEP_LATER("c.bnez	s0, 3f")
      "2:\n"
      STEP("bgeu	s0, zero, 1b")
      "3:\n"
      STEP("c.bnez	a5, 1f")
      STEP("c.beqz	a5, 1f")
      STEP_NOT("li	s0, 0")
      "1:\n"
      STEP("c.beqz	s0, 1f")
      STEP("c.j	1f")
      STEP_NOT("li	s0, 0")
      "1:\n"
      /* Jumps and their links. */
      STEP("jal	a1, 1f")
      STEP_NOT("li	s0, 0")
      "1:\n"
      STEP("add	s0, s0, a1")
      STEP_LLA("ra", "1f")
      STEP("jalr	ra, 2(ra)")
      STEP_NOT("li	s0, 0")
      "1:	c.nop\n"
      STEP("add	s0, s0, ra")
      STEP_LLA("a1", "1f")
      STEP("c.jalr	a1")
      STEP_NOT("li	s0, 0")
      "1:\n"
      STEP("add	s0, s0, ra")
      STEP_LLA("a1", "1f")
      STEP("c.jr	a1")
      STEP_NOT("li	s0, 0")
      "1:\n"
      /* Memory, and what is like it. */
      STEP("ld	a1, 0(s10)")
      STEP("sd	a1, 64(s10)")
      STEP("lw	a2, 64(s10)")
      STEP("add	s0, s0, a2")
      STEP("lr.d	a1, (s10)")
      STEP("sc.d	a2, a1, (s10)")		/* never succeeds in steps */
      STEP("amoadd.d	a1, s0, (s10)")
      STEP("ld	a1, 0(s10)")
      STEP("add	s0, s0, a1")
      STEP("fld	fa0, 0(s10)")
      STEP("fadd.d	fa1, fa0, fa0")
      STEP("fsd	fa1, 72(s10)")
      STEP("ld	a1, 72(s10)")
      STEP("add	s0, s0, a1")
      STEP("csrr	a1, fcsr")
      STEP("add	s0, s0, a1")
      STEP("fence.i")
      STEP("fence")
      STEP("mul	s0, s0, s0")
      /* Devices. */
      STEP("lw	a1, 8(s11)")
      STEP("add	s0, s0, a1")
      STEP("sw	s0, 8(s11)")
      /* Privileged. */
      STEP("csrrw	a1, sscratch, s0")
      STEP("csrr	a2, sscratch")
      STEP("add	s0, s0, a2")
      STEP("rdtime	a1")
      STEP("li	t1, 2")
      STEP("csrw	sie, t1")
      STEP("csrw	sip, t1")
      STEP("wfi")
      STEP("csrw	sip, zero")
      STEP("sfence.vma")
      /* The SBI, here and in user space. */
      STEP("li	a7, 0x10")
      STEP("li	a6, 0")
      STEP("ecall")
      STEP("add	s0, s0, a1")
      STEP("li	a7, 1")
      STEP("ecall")
      STEP("add	s0, s0, a0")
      /* Traps: what is illegal, a page fault of a load and of a fetch. */
      STEP_VECTOR()
      STEP("c.unimp")
      STEP_HANDLER()
      STEP_VECTOR()
      STEP("csrr	a1, mstatus")
      STEP_HANDLER()
      STEP("ld	a1, 8(s10)")
      STEP("csrw	satp, a1")
      STEP("sfence.vma")
      STEP("ld	a1, 64(s10)")
      STEP("add	s0, s0, a1")
      STEP_VECTOR()
      STEP("ld	a1, 16(zero)")
      STEP_HANDLER()
      STEP("csrr	a1, stval")
      STEP("add	s0, s0, a1")
      STEP("csrr	a1, sepc")
      STEP("add	s0, s0, a1")
      STEP("li	a1, 32")
      STEP_VECTOR()
      STEP("jr	a1")
      STEP_NOWHERE("32 - 0x80000000")
      STEP_HANDLER()
      STEP("csrw	satp, zero")
      STEP("sfence.vma")
      /* An interrupt, before the instruction that it finds. */
      STEP("li	t1, 2")
      STEP_VECTOR()
      STEP("csrw	sip, t1")
      STEP("csrsi	sstatus, 2")
      STEP("li	s0, 0")
      STEP_HANDLER()
      STEP("csrw	sip, zero")
      /* To U-mode by an sret that returns to itself, and is illegal there. */
      STEP("li	t1, 0x100")
      STEP("csrc	sstatus, t1")
      STEP_LLA("t1", "1f")
      STEP("csrw	sepc, t1")
      STEP_VECTOR()
      "1:\n"
      STEP_HERE()
      STEP("sret")
      STEP_HANDLER()
      STEP("li	t1, 0x100")
      STEP("csrc	sstatus, t1")
      STEP_LLA("t1", "1f")
      STEP("csrw	sepc, t1")
      STEP_VECTOR()
      STEP("sret")
      "1:\n"
      STEP("addi	s0, s0, 1")
      STEP("ecall")
      STEP_HANDLER()
      STEP("sd	s0, 0(s11)")
      STEP_HERE()
      "	j	.\n");

/* What the guest asks for beside its end is served; true: it has told @sum. */
static bool serve(struct vcpu *v, u64 *sum)
{
	struct kvm_run *run = v->run;

	if (run->exit_reason == KVM_EXIT_RISCV_SBI) {
		EXPECT_EQ(1, run->riscv_sbi.extension_id, "SBI extension");
		run->riscv_sbi.ret[0] = 17;
		return false;
	}
	if (is_mmio(v, PORT + 8, 4, false)) {
		*(u32 *)run->mmio.data = 0x12345;
		return false;
	}
	if (is_mmio(v, PORT + 8, 4, true))
		return false;
	if (!is_mmio(v, PORT, 8, true)) {
		FAIL("expected a step or an exit of the guest's, seen %s", exit_text(v, 0));
		exit(1);
	}
	*sum = *(u64 *)run->mmio.data;
	return true;
}

static void debug_of(struct vcpu *v, u32 control)
{
	struct kvm_guest_debug debug = { .control = control };

	ASSERT_ERRNO(0, ioctl(v->fd, KVM_SET_GUEST_DEBUG, &debug));
}

#define STEPPING (KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP)

/* The guest from its beginning. */
static void steps_reset(struct vcpu *v, unsigned int id)
{
	u64 page = RAM_BASE + (8 + id) * PAGE;

	*vm_word(v->vm, page) = 1000;
	*vm_word(v->vm, page + 8) = 8ull << 60 | ((RAM_BASE / PAGE) + 16);
	set_reg(v, REG_CSR(sstatus), 1ull << 13);
	set_reg(v, REG_CSR(sie), 0);
	set_reg(v, REG_CORE(mode), 1);
	set_reg(v, REG_CORE(regs.s10), page);
	set_reg(v, REG_CORE(regs.s11), PORT);
	set_reg(v, REG_CORE(regs.pc), RAM_BASE);
}

static void steps_load(struct vm *m)
{
	vm_load(m, RAM_BASE, steps);
	/* A root table that maps RAM's GiB to itself: A, D, X, W, R, V. */
	*vm_word(m, RAM_BASE + 16 * PAGE + 2 * 8) = RAM_BASE >> 2 | 0xcf;
}

static u64 steps_freely(struct vcpu *v, unsigned int id)
{
	u64 sum = 0;

	steps_reset(v, id);
	do {
		ASSERT_EQ(0, vcpu_run(v), "KVM_RUN");
	} while (!serve(v, &sum));
	vcpu_settle(v);
	return sum;
}

/* By steps, with a look at pc behind each; it may end KVM_RUN by the way. */
static u64 steps_singly(struct vcpu *v, unsigned int id)
{
	u64 sum = 0, n = step_table_end - step_table;
	bool told = false;

	steps_reset(v, id);
	debug_of(v, STEPPING);
	for (u64 i = 1; i < n; i++) {
		ASSERT_EQ(0, vcpu_run(v), "KVM_RUN");
		while (v->run->exit_reason != KVM_EXIT_DEBUG) {
			told |= serve(v, &sum);
			ASSERT_EQ(0, vcpu_run(v), "KVM_RUN");
		}
		if (!EXPECT_EQ(RAM_BASE + step_table[i], get_reg(v, REG_CORE(regs.pc)),
			       "pc behind a step")) {
			FAIL("that was step %llu, from %#llx", (unsigned long long)i,
			     (unsigned long long)(RAM_BASE + step_table[i - 1]));
			exit(1);
		}
	}
	EXPECT(told, "expected that the guest told its sum");
	debug_of(v, 0);
	return sum;
}

TEST(single_step)
{
	u64 sum;

	start();
	steps_load(&vm);
	sum = steps_freely(&vcpu, 0);
	EXPECT_EQ(sum, steps_freely(&vcpu, 0), "the sum of a second run");
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(sum, steps_singly(&vcpu, 0), "the sum of steps");
		EXPECT_EQ(sum, steps_freely(&vcpu, 0), "the sum of a run behind them");
	}
	/* Nothing was left in the guest's text, but what Umbra rewrites. */
	get_reg(&vcpu, REG_CORE(regs.pc));
	EXPECT_EQ(0, memcmp(vm.ram, guest_steps, guest_steps_end - guest_steps),
		  "difference of the text");
}

struct stepper {
	struct vcpu vcpu;
	pthread_t thread;
	unsigned int id;
	bool singly;
	u64 sum;
	u64 rounds;
	bool stop;
};

/* What the others do does not matter. */
static void *stepper_loop(void *arg)
{
	struct stepper *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE) || s->rounds < 3) {
		EXPECT_EQ(s->sum, s->singly ? steps_singly(&s->vcpu, s->id) :
			  steps_freely(&s->vcpu, s->id), "the sum");
		__atomic_fetch_add(&s->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* The same text at the same time: two are stepped, one runs. */
TEST_TIMEOUT(single_step_vcpus, 120)
{
	struct stepper s[3];

	vm_new(&vm, RAM);
	steps_load(&vm);
	memset(s, 0, sizeof(s));
	for (unsigned int i = 0; i < 3; i++) {
		s[i].id = i;
		s[i].singly = i < 2;
		vcpu_new(&s[i].vcpu, &vm, i);
		/* The sum has addresses of the vCPU's page in it. */
		s[i].sum = steps_freely(&s[i].vcpu, i);
	}
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, stepper_loop, &s[i]), "thread");
	for (int i = 0; i < 2; i++)
		__atomic_store_n(&s[i].stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		pthread_join(s[i].thread, NULL);
	__atomic_store_n(&s[2].stop, true, __ATOMIC_RELEASE);
	pthread_join(s[2].thread, NULL);
}

/*
 * Over instructions that Umbra has rewritten, which stay so: registers are not
 * read on the way.
 */
TEST(single_step_sites)
{
	u64 seen = 0, steps = 0;

	start();
	vm_load(&vm, RAM_BASE, loop_csr);
	for (u64 i = 1; i < 50; i++)
		ASSERT_EQ(i, run_told(&vcpu), "the guest's count");
	set_debug(STEPPING);
	while (seen < 60) {
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		if (vcpu.run->exit_reason == KVM_EXIT_DEBUG) {
			steps++;
			continue;
		}
		ASSERT(is_mmio(&vcpu, PORT, 8, true), "expected a store to PORT, seen %s",
		       exit_text(&vcpu, 0));
		seen = *(u64 *)vcpu.run->mmio.data;
		/* The store of count 49 is complete by the first step. */
		EXPECT_EQ(5 * (seen - 49), steps, "steps up to a store");
	}
	set_debug(0);
	for (u64 i = 61; i < 100; i++)
		ASSERT_EQ(i, run_told(&vcpu), "the guest's count");
}

/* The end of a step is told once, and is not lost. */
TEST(single_step_told)
{
	u64 pc;

	start();
	vm_load(&vm, RAM_BASE, loop_csr);
	set_debug(KVM_GUESTDBG_SINGLESTEP);	/* without ENABLE: nothing */
	ASSERT_EQ(1, run_told(&vcpu), "the guest's count");
	/* It completes the store and is due, but there is no running. */
	set_debug(STEPPING);
	pc = get_reg(&vcpu, REG_CORE(regs.pc));
	vcpu_settle(&vcpu);
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason");
	EXPECT_EQ(pc + 4, get_reg(&vcpu, REG_CORE(regs.pc)), "pc behind the store");
	/* Nobody watches any more. */
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason");
	set_debug(0);
	EXPECT_EQ(2, run_told(&vcpu), "the guest's count");
}

GUEST(waits,
      GUEST_PORT
      "	wfi\n"
      "	li	a0, 3\n"
      TELL("a0") STOP);

/* With nothing to wake it. */
TEST(single_step_wfi)
{
	u64 pc = RAM_BASE;

	start();
	vm_load(&vm, RAM_BASE, waits);
	set_debug(STEPPING);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason");
		ASSERT(get_reg(&vcpu, REG_CORE(regs.pc)) > pc, "expected pc to grow");
		pc = get_reg(&vcpu, REG_CORE(regs.pc));
	}
	set_debug(0);
	EXPECT_EQ(3, run_told(&vcpu), "what the guest tells");
}

/* Steps, and not software breakpoints alone, stop at the guest's ebreak. */
TEST(single_step_ebreak)
{
	u64 pc;

	start();
	vm_load(&vm, RAM_BASE, breaks);
	set_debug(STEPPING);
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason");
		pc = get_reg(&vcpu, REG_CORE(regs.pc));
		if (*(u32 *)(vm.ram + (pc - RAM_BASE)) == 0x00100073)
			break;
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason");
		EXPECT_EQ(pc, get_reg(&vcpu, REG_CORE(regs.pc)), "pc at the ebreak");
	}
}

/* Every instruction is 4 bytes; the numbers are those in m_order. */
GUEST(m_steps,
      "	.option norvc\n"
      "	li	a0, 5\n"		/* 0 */
      "	csrw	mscratch, a0\n"
      "	csrr	a1, mscratch\n"
      "	li	t0, -1\n"
      "	csrw	pmpaddr0, t0\n"
      "	li	t0, 0x1f\n"		/* 5 */
      "	csrw	pmpcfg0, t0\n"
      "	auipc	t0, 0\n"
      "	addi	t0, t0, 10 * 4\n"	/* 17, the handler */
      "	csrw	mtvec, t0\n"
      "	addi	t0, t0, 6 * 4\n"	/* 10: and 23 */
      "	csrw	mepc, t0\n"
      "	li	t0, 1\n"
      "	slli	t0, t0, 11\n"
      "	csrw	mstatus, t0\n"		/* MPP: S */
      "	ld	a1, 0(s10)\n"		/* 15 */
      "	mret\n"
      "	csrr	a2, mcause\n"
      "	add	a0, a0, a2\n"
      "	csrr	a2, mepc\n"
      "	add	a0, a0, a2\n"		/* 20 */
      "	sd	a0, 0(s11)\n"
      "	csrw	mhartid, a0\n"		/* illegal: to the handler, from M-mode */
      "	addi	a0, a0, 1\n"
      "	ld	a1, 0(s10)\n"
      "	csrw	sscratch, a1\n"	/* 25 */
      "	ecall\n"
      "	.option rvc\n");

/* Where each step of it leads to. */
static const u8 m_order[] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26,
	17, 18, 19, 20, 21, 22, 17, 18, 19, 20, 21, 22, 17,
};

/* In M-mode, to S-mode by mret and back by a trap, and by one from M-mode. */
TEST(single_step_machine)
{
	const struct kvm_enable_cap m_mode = { .cap = UMBRA_CAP_M_MODE, .args = { 1 } };
	/* mcause and mepc of the ecall, then of what is illegal. */
	u64 want = 5 + 1 + 9 + RAM_BASE + 26 * 4;
	unsigned int told = 0;

	vm_new(&vm, RAM);
	ASSERT_ERRNO(0, ioctl(vm.fd, KVM_ENABLE_CAP, &m_mode));
	vcpu_new(&vcpu, &vm, 0);
	vm_load(&vm, RAM_BASE, m_steps);
	for (int round = 0; round < 2; round++) {
		set_reg(&vcpu, REG_CORE(mode), 3);
		set_reg(&vcpu, REG_CORE(regs.s10), RAM_BASE + 4 * PAGE);
		set_reg(&vcpu, REG_CORE(regs.s11), PORT);
		set_reg(&vcpu, REG_CORE(regs.pc), RAM_BASE);
		set_debug(STEPPING);
		for (unsigned int i = 0; i < ARRAY_SIZE(m_order); i++) {
			ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
			if (is_mmio(&vcpu, PORT, 8, true)) {
				EXPECT_EQ(told % 2 ? want + 2 + RAM_BASE + 22 * 4 : want,
					  *(u64 *)vcpu.run->mmio.data, "what the guest tells");
				told++;
				ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
			}
			ASSERT_EQ(KVM_EXIT_DEBUG, vcpu.run->exit_reason, "exit reason");
			ASSERT_EQ(RAM_BASE + 4 * m_order[i], get_reg(&vcpu, REG_CORE(regs.pc)),
				  "pc behind a step");
			EXPECT_EQ(i < 16 || i > 19 ? 3 : 1, get_reg(&vcpu, REG_CORE(mode)), "mode");
		}
		set_debug(0);
	}
	EXPECT_EQ(4, told, "how often it tells");
}

/* --- SBI: steal time, suspend, counters ---------------------------------------------- */

#define REG_STA(n)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_SBI_STATE | \
			 KVM_REG_RISCV_SBI_STA | (n))

/* One SBI call from the table at 9f (a0..a7), result told. */
GUEST(call,
      GUEST_PORT
      "1:	lla	t0, 9f\n"
      "	ld	a0, 0(t0)\n	ld	a1, 8(t0)\n	ld	a2, 16(t0)\n"
      "	ld	a3, 24(t0)\n	ld	a4, 32(t0)\n	ld	a5, 40(t0)\n"
      "	ld	a6, 48(t0)\n	ld	a7, 56(t0)\n"
      "	ecall\n"
      "	mv	s1, a1\n"
      TELL("a0") TELL("s1")
      "	j	1b\n"
      "	.balign	8\n"
      "9:	.zero	64\n");

static void set_call(u64 ext, u64 fn, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
	u64 regs[8] = { a0, a1, a2, a3, a4, 0, fn, ext };

	/* The table ends the code. */
	memcpy(vm.ram + (guest_call_end - guest_call) - sizeof(regs), regs, sizeof(regs));
}

struct result { s64 error; u64 value; };

static struct result sbi(u64 ext, u64 fn, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
	struct result r;

	set_call(ext, fn, a0, a1, a2, a3, a4);
	r.error = run_told(&vcpu);
	r.value = run_told(&vcpu);
	return r;
}

#define STA	0x535441
TEST(steal_time)
{
	u64 *shmem, steal, none = ~0ull;
	u32 *seq;

	start();
	vm_load(&vm, RAM_BASE, call);
	EXPECT_EQ(~0ull, get_reg(&vcpu, REG_STA(0)), "shmem_lo at first");
	EXPECT_EQ(-2, sbi(STA, 1, 0, 0, 0, 0, 0).error, "an unknown function");
	EXPECT_EQ(-3, sbi(STA, 0, RAM_BASE + 32 * PAGE + 8, 0, 0, 0, 0).error, "unaligned");
	EXPECT_EQ(-3, sbi(STA, 0, RAM_BASE + 32 * PAGE, 0, 1, 0, 0).error, "flags");
	EXPECT_EQ(-5, sbi(STA, 0, RAM_BASE, 1, 0, 0, 0).error, "an upper half");
	EXPECT_EQ(-5, sbi(STA, 0, DEV, 0, 0, 0, 0).error, "no memory");
	memset(vm.ram + 32 * PAGE, 0xff, 64);
	EXPECT_EQ(0, sbi(STA, 0, RAM_BASE + 32 * PAGE, 0, 0, 0, 0).error, "memory");
	EXPECT_EQ(RAM_BASE + 32 * PAGE, get_reg(&vcpu, REG_STA(0)), "shmem_lo");
	shmem = (u64 *)(vm.ram + 32 * PAGE);
	seq = (u32 *)shmem;
	EXPECT(!(*seq & 1), "sequence: expected an even number, seen %u", *seq);
	EXPECT(shmem[1] < 1000000000, "steal: expected next to nothing, seen %llu",
	       (unsigned long long)shmem[1]);
	steal = shmem[1];
	for (int i = 0; i < 20; i++)
		sbi(0x10, 0, 0, 0, 0, 0, 0);
	EXPECT(*seq > 1, "sequence: expected it to move, seen %u", *seq);
	EXPECT(shmem[1] >= steal, "steal: expected it not to fall");
	/* The memory goes: nothing happens to anybody. */
	ASSERT_ERRNO(0, try_set(&vcpu, REG_STA(0), &(u64){ DEV }));
	sbi(0x10, 0, 0, 0, 0, 0, 0);
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_STA(1), &(u64){ 1 }));
	EXPECT_ERRNO(0, try_set(&vcpu, REG_STA(0), &none));
	EXPECT_EQ(0, sbi(STA, 0, none, none, 0, 0, 0).error, "switched off");
}

TEST(suspend)
{
	u64 susp = REG_SBI(V01) - KVM_RISCV_SBI_EXT_V01 + SUSP;
	struct vcpu other;

	start();
	EXPECT_EQ(0, get_reg(&vcpu, susp), "SUSP at first");
	set_reg(&vcpu, susp, 1);
	vcpu_new(&other, &vm, 1);
	vm_load(&vm, RAM_BASE, call);
	EXPECT_EQ(-4, sbi(0x53555350, 0, 0, RAM_BASE, 5, 0, 0).error, "another hart runs");
	set_mp_state(&other, KVM_MP_STATE_STOPPED);
	EXPECT_EQ(-3, sbi(0x53555350, 0, 1, RAM_BASE, 5, 0, 0).error, "not to RAM");
	EXPECT_EQ(-5, sbi(0x53555350, 0, 0, DEV, 5, 0, 0).error, "a resume address that is no memory");
	EXPECT_EQ(-2, sbi(0x53555350, 1, 0, RAM_BASE, 5, 0, 0).error, "an unknown function");
	for (int i = 0; i < 2; i++) {
		set_call(0x53555350, 0, 0, RAM_BASE, 5, 0, 0);
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		ASSERT_EQ(KVM_EXIT_RISCV_SBI, vcpu.run->exit_reason, "exit reason");
		EXPECT_EQ(0x53555350, vcpu.run->riscv_sbi.extension_id, "extension");
		/* User space cannot; then it can, and the hart starts anew. */
		vcpu.run->riscv_sbi.ret[0] = i ? 0 : -1ul;
		set_call(0x10, 0, 0, 0, 0, 0, 0);
		EXPECT_EQ(i ? 0 : -1ul, run_told(&vcpu), "the call's error, or the next call's");
		run_told(&vcpu);
	}
}

#define PMU	0x504d55
TEST(counters)
{
	u64 nr, hw = 0, info, first, value;

	start();
	vm_load(&vm, RAM_BASE, call);
	nr = sbi(PMU, 0, 0, 0, 0, 0, 0).value;
	ASSERT(nr > 20 && nr <= 64, "counters: expected 21 to 64, seen %llu",
	       (unsigned long long)nr);
	for (u64 i = 0; i < nr; i++) {
		struct result r = sbi(PMU, 1, i, 0, 0, 0, 0);

		if (!r.error && !(r.value >> 63))
			hw++;
	}
	EXPECT_EQ(-3, sbi(PMU, 1, nr, 0, 0, 0, 0).error, "info of one too many");
	EXPECT_EQ(-3, sbi(PMU, 1, ~0ull, 0, 0, 0, 0).error, "info of the last number");
	info = sbi(PMU, 1, nr - 1, 0, 0, 0, 0).value;
	EXPECT_EQ(1, info >> 63, "type of the last counter, firmware");
	/* Sets that do not exist. */
	for (int fn = 2; fn < 5; fn++) {
		EXPECT_EQ(-3, sbi(PMU, fn, 0, 0, 0, 0xf0005, 0).error, "an empty set");
		EXPECT_EQ(-3, sbi(PMU, fn, nr, 1, 0, 0xf0005, 0).error, "a set behind the last");
		EXPECT_EQ(-3, sbi(PMU, fn, ~0ull, 2, 0, 0xf0005, 0).error, "a base that wraps");
		EXPECT_EQ(-3, sbi(PMU, fn, 0, ~0ull, 0, 0xf0005, 0).error, "64 counters");
	}
	EXPECT_EQ(-2, sbi(PMU, 2, 0, (1ull << nr) - 1, 0, 0xf1234, 0).error, "no such firmware event");
	EXPECT_EQ(-2, sbi(PMU, 2, 0, (1ull << nr) - 1, 0, 0x00077, 0).error, "no such event");
	EXPECT_EQ(-3, sbi(PMU, 2, 0, 1, 1, 0x1, 0).error, "SKIP_MATCH of one that is not configured");
	/* A firmware event: set_timer. */
	first = nr - 22;
	EXPECT_EQ(-2, sbi(PMU, 2, 0, 1, 0, 0xf0005, 0).error, "a firmware event on a hardware counter");
	value = sbi(PMU, 2, first, (1 << 22) - 1, 6, 0xf0005, 0).value;
	ASSERT(value >= first && value < nr, "expected a firmware counter, seen %llu",
	       (unsigned long long)value);
	for (int i = 0; i < 5; i++)
		sbi(0x54494d45, 0, ~0ull, 0, 0, 0, 0);
	EXPECT_EQ(5, sbi(PMU, 5, value, 0, 0, 0, 0).value, "timers that were set");
	EXPECT_EQ(0, sbi(PMU, 4, value, 1, 0, 0, 0).error, "stop");
	EXPECT_EQ(-8, sbi(PMU, 4, value, 1, 0, 0, 0).error, "stop again");
	sbi(0x54494d45, 0, ~0ull, 0, 0, 0, 0);
	EXPECT_EQ(5, sbi(PMU, 5, value, 0, 0, 0, 0).value, "a counter that stands");
	EXPECT_EQ(0, sbi(PMU, 3, value, 1, 1, 1000, 0).error, "start at 1000");
	EXPECT_EQ(-7, sbi(PMU, 3, value, 1, 0, 0, 0).error, "start again");
	sbi(0x54494d45, 0, ~0ull, 0, 0, 0, 0);
	EXPECT_EQ(1001, sbi(PMU, 5, value, 0, 0, 0, 0).value, "a counter that started at 1000");
	/* Snapshots. */
	EXPECT_EQ(-9, sbi(PMU, 4, value, 1, 2, 0, 0).error, "a snapshot without memory");
	EXPECT_EQ(-3, sbi(PMU, 7, RAM_BASE + 32 * PAGE + 64, 0, 0, 0, 0).error, "unaligned");
	EXPECT_EQ(-5, sbi(PMU, 7, DEV, 0, 0, 0, 0).error, "no memory");
	EXPECT_EQ(0, sbi(PMU, 7, RAM_BASE + 32 * PAGE, 0, 0, 0, 0).error, "memory");
	EXPECT_EQ(0, sbi(PMU, 4, value, 1, 3, 0, 0).error, "stop, snapshot, reset");
	EXPECT_EQ(1001, *vm_word(&vm, RAM_BASE + 32 * PAGE + 8), "the value in the snapshot");
	/* Cycles, where the host counts any. */
	if (!hw)
		return;
	EXPECT_EQ(0, sbi(PMU, 2, 0, 1, 2, 1, 0).value, "cycles are counter 0");
	EXPECT_EQ(0, sbi(PMU, 3, 0, 1, 1, 0, 0).error, "start cycles");
	for (int i = 0; i < 20; i++)
		sbi(0x10, 0, 0, 0, 0, 0, 0);
	EXPECT_EQ(0, sbi(PMU, 4, 0, 1, 2, 0, 0).error, "stop cycles");
	EXPECT(*vm_word(&vm, RAM_BASE + 32 * PAGE + 8) > 100, "expected cycles, seen %llu",
	       (unsigned long long)*vm_word(&vm, RAM_BASE + 32 * PAGE + 8));
}

/* --- vector registers ---------------------------------------------------------------- */

#define REG_V(n)	(KVM_REG_RISCV | KVM_REG_RISCV_VECTOR | (n))
#define REG_V_CSR(name)	(REG_V(KVM_REG_RISCV_VECTOR_CSR_REG(name)) | KVM_REG_SIZE_U64)

/* vmv.v.x v3, a0; then adds v3 to itself and tells the sum of element 0. */
GUEST(vectors,
      GUEST_PORT
      "	.option arch, +v\n"
      "	li	t0, 0x600\n"
      "	csrs	sstatus, t0\n"
      "	vsetivli	t0, 2, e64, m1, ta, ma\n"
      "	li	a0, 0x1234\n"
      "	vmv.v.x	v3, a0\n"
      TELL("a0")
      "	vadd.vv	v3, v3, v3\n"
      "	vmv.x.s	a0, v3\n"
      TELL("a0") STOP);

TEST(vector_registers)
{
	u64 one[64], vlenb, size;

	start();
	if (try_get(&vcpu, REG_V_CSR(vlenb), &vlenb)) {
		EXPECT_EQ(ENOENT, errno, "errno without V");
		SKIP_UNLESS(false, "no vector unit");
	}
	for (size = 0; 1u << size < vlenb; size++)
		;
	size <<= KVM_REG_SIZE_SHIFT;
	EXPECT_ERRNO(0, try_set(&vcpu, REG_V_CSR(vlenb), &vlenb));
	EXPECT_ERRNO(EINVAL, try_set(&vcpu, REG_V_CSR(vlenb), &(u64){ vlenb * 2 }));
	EXPECT_ERRNO(ENOENT, try_get(&vcpu, REG_V(KVM_REG_RISCV_VECTOR_REG(32)) | size, one));
	EXPECT_ERRNO(EINVAL, try_get(&vcpu, REG_V(KVM_REG_RISCV_VECTOR_REG(3)) |
				     KVM_REG_SIZE_U64, one));
	vm_load(&vm, RAM_BASE, vectors);
	EXPECT_EQ(0x1234, run_told(&vcpu), "what the guest puts in v3");
	vcpu_settle(&vcpu);
	ASSERT_ERRNO(0, try_get(&vcpu, REG_V(KVM_REG_RISCV_VECTOR_REG(3)) | size, one));
	EXPECT_EQ(0x1234, one[0], "v3, element 0");
	EXPECT_EQ(2, get_reg(&vcpu, REG_V_CSR(vl)), "vl");
	one[0] = 0x1000;
	ASSERT_ERRNO(0, try_set(&vcpu, REG_V(KVM_REG_RISCV_VECTOR_REG(3)) | size, one));
	EXPECT_EQ(0x2000, run_told(&vcpu), "the sum of what user space put in v3");
	/* vtype and vl that make no sense are a bad vtype, and harm nobody. */
	vcpu_settle(&vcpu);
	set_reg(&vcpu, REG_V_CSR(vtype), 0x7fffffffffffffff);
	set_reg(&vcpu, REG_V_CSR(vl), ~0ull);
	set_reg(&vcpu, REG_V_CSR(vstart), ~0ull);
	set_reg(&vcpu, REG_CORE(regs.pc), RAM_BASE);
	EXPECT_EQ(0x1234, run_told(&vcpu), "what the guest puts in v3");
}

/* --- statistics of a VM -------------------------------------------------------------- */

TEST(vm_statistics)
{
	struct kvm_stats_header head;
	char id[48] = "";
	u64 vm_exits, exits;
	int fd, of_vcpu;

	start();
	vm_load(&vm, RAM_BASE, loop_csr);
	for (int i = 0; i < 10; i++)
		run_told(&vcpu);
	fd = ioctl(vm.fd, KVM_GET_STATS_FD, NULL);
	of_vcpu = ioctl(vcpu.fd, KVM_GET_STATS_FD, NULL);
	ASSERT(fd >= 0 && of_vcpu >= 0, "KVM_GET_STATS_FD: expected descriptors, seen %m");
	ASSERT_EQ(sizeof(head), pread(fd, &head, sizeof(head), 0), "read of the header");
	ASSERT_EQ(sizeof(id), pread(fd, id, sizeof(id), head.id_offset), "read of the id");
	EXPECT(!strncmp(id, "kvm-", 4) && !strchr(id, '/'), "id: expected kvm-PID, seen %s", id);
	ASSERT_EQ(8, pread(fd, &vm_exits, 8, head.data_offset), "read of the VM's first counter");
	ASSERT_EQ(8, pread(of_vcpu, &exits, 8, head.data_offset), "read of the vCPU's first counter");
	EXPECT_EQ(exits, vm_exits, "exits of the VM, those of its one vCPU");
	EXPECT(exits > 0, "expected exits, seen none");
}

HARNESS_MAIN
