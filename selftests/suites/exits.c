// SPDX-License-Identifier: GPL-2.0
/*
 * Why KVM_RUN returns: MMIO of each width and alignment, what lies outside
 * memory and windows, SBI calls for user space, system events, signals; and
 * that what user space answers reaches the guest's registers and no others.
 */
#include "include/client.h"

#define DEV	0x20000000ul	/* nothing of Umbra's is there */

static struct vm vm;
static struct vcpu vcpu;

static void start(u64 size)
{
	vm_new(&vm, size);
	vcpu_new(&vcpu, &vm, 0);
}

#define boot(name)							\
	do {								\
		vcpu_settle(&vcpu);					\
		vm_load(&vm, RAM_BASE, name);				\
		set_reg(&vcpu, REG_CORE(regs.pc), RAM_BASE);		\
	} while (0)

/* Run; it must exit with MMIO like this. The data, for stores. */
static u64 expect_mmio(u64 gpa, u32 len, bool write, const char *what)
{
	int ret = vcpu_run(&vcpu);
	u64 val = 0;

	if (ret || !is_mmio(&vcpu, gpa, len, write)) {
		FAIL("%s: expected MMIO %s %#llx, %u bytes, seen %s", what,
		     write ? "store" : "load", (unsigned long long)gpa, len,
		     exit_text(&vcpu, ret));
		exit(1);
	}
	memcpy(&val, vcpu.run->mmio.data, len);
	return val;
}

static void answer(u64 val)
{
	memcpy(vcpu.run->mmio.data, &val, sizeof(val));
}

/* --- loads and stores ------------------------------------------------------------ */

GUEST(loads,
      "	lb	a1, 0(a0)\n"
      "	lbu	a2, 1(a0)\n"
      "	lh	a3, 2(a0)\n"
      "	lhu	a4, 4(a0)\n"
      "	lw	a5, 8(a0)\n"
      "	lwu	a6, 12(a0)\n"
      "	ld	a7, 16(a0)\n"
      "	mv	s0, a0\n"
      "	.option push\n	.option rvc\n"
      "	c.lw	s1, 4(s0)\n"
      "	c.ld	s1, 8(s0)\n"
      "	mv	sp, s0\n"
      "	c.lwsp	t3, 8(sp)\n"
      "	c.ldsp	t4, 16(sp)\n"
      "	.option pop\n"
      "	ld	zero, 24(a0)\n"
      GUEST_PORT STOP);

TEST(mmio_loads)
{
	static const struct { unsigned int off, len, reg; u64 give, want; } steps[] = {
		{ 0, 1, 11, 0x80, 0xffffffffffffff80 },
		{ 1, 1, 12, 0x81, 0x81 },
		{ 2, 2, 13, 0x8002, 0xffffffffffff8002 },
		{ 4, 2, 14, 0x8004, 0x8004 },
		{ 8, 4, 15, 0x80000008, 0xffffffff80000008 },
		{ 12, 4, 16, 0x8000000c, 0x8000000c },
		{ 16, 8, 17, 0x8123456789abcdef, 0x8123456789abcdef },
		{ 4, 4, 9, 0x7fffffff, 0x7fffffff },
		{ 8, 8, 9, 0x1122334455667788, 0x1122334455667788 },
		{ 8, 4, 28, 0x87654321, 0xffffffff87654321 },
		{ 16, 8, 29, 0x99, 0x99 },
		{ 24, 8, 0, 0x77, 0 },
	};
	u64 before[32], after[32];

	start(2 << 20);
	boot(loads);
	set_reg(&vcpu, REG_A(0), DEV);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		unsigned int n;
		char what[40];

		snprintf(what, sizeof(what), "load %u", i);
		expect_mmio(DEV + steps[i].off, steps[i].len, false, what);
		for (n = 1; n < 32; n++)
			before[n] = get_reg(&vcpu, REG_X(n));
		/* Bytes above the access must not matter. */
		answer(steps[i].len == 8 ? steps[i].give :
		       steps[i].give | ~0ull << (8 * steps[i].len));
		/* Completes, and nothing more. */
		vcpu.run->immediate_exit = 1;
		EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
		vcpu.run->immediate_exit = 0;
		for (n = 1; n < 32; n++) {
			after[n] = get_reg(&vcpu, REG_X(n));
			if (n == steps[i].reg)
				EXPECT(after[n] == steps[i].want,
				       "load %u: expected x%u = %#llx, seen %#llx", i, n,
				       (unsigned long long)steps[i].want,
				       (unsigned long long)after[n]);
			else
				EXPECT(after[n] == before[n],
				       "load %u: expected x%u unchanged (%#llx), seen %#llx",
				       i, n, (unsigned long long)before[n],
				       (unsigned long long)after[n]);
		}
	}
	EXPECT_EQ(0, run_told(&vcpu), "end of guest");
}

GUEST(stores,
      "	sb	a1, 0(a0)\n"
      "	sh	a1, 2(a0)\n"
      "	sw	a1, 4(a0)\n"
      "	sd	a1, 8(a0)\n"
      "	sd	zero, 16(a0)\n"
      "	mv	s0, a0\n"
      "	mv	s1, a1\n"
      "	.option push\n	.option rvc\n"
      "	c.sw	s1, 4(s0)\n"
      "	c.sd	s1, 8(s0)\n"
      "	.option pop\n"
      "	fmv.d.x	fa0, a1\n"
      "	fsd	fa0, 24(a0)\n"
      "	fsw	fa0, 32(a0)\n"
      GUEST_PORT STOP);

TEST(mmio_stores)
{
	static const struct { unsigned int off, len; u64 want; } steps[] = {
		{ 0, 1, 0xef }, { 2, 2, 0xcdef }, { 4, 4, 0x89abcdef },
		{ 8, 8, 0x0123456789abcdef }, { 16, 8, 0 },
		{ 4, 4, 0x89abcdef }, { 8, 8, 0x0123456789abcdef },
		{ 24, 8, 0x0123456789abcdef }, { 32, 4, 0x89abcdef },
	};

	start(2 << 20);
	boot(stores);
	set_reg(&vcpu, REG_A(0), DEV);
	set_reg(&vcpu, REG_A(1), 0x0123456789abcdef);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++)
		EXPECT_EQ(steps[i].want,
			  expect_mmio(DEV + steps[i].off, steps[i].len, true, "store"),
			  "data of the store");
	EXPECT_EQ(0, run_told(&vcpu), "end of guest");
}

GUEST(fp_loads,
      "	fld	fa1, 0(a0)\n"
      "	flw	fa2, 8(a0)\n"
      "	fmv.x.d	a1, fa1\n"
      "	fmv.x.d	a2, fa2\n"
      GUEST_PORT TELL("a1") TELL("a2") STOP);

TEST(mmio_fp_loads)
{
	start(2 << 20);
	boot(fp_loads);
	set_reg(&vcpu, REG_A(0), DEV);
	expect_mmio(DEV, 8, false, "fld");
	answer(0x400921fb54442d18);
	expect_mmio(DEV + 8, 4, false, "flw");
	answer(0x3f800000);
	EXPECT_EQ(0x400921fb54442d18, run_told(&vcpu), "fld");
	EXPECT_EQ(0xffffffff3f800000, run_told(&vcpu), "flw, NaN-boxed");
}

/* --- misaligned: aligned pieces, ascending -------------------------------------------- */

GUEST(one_load, "	ld	a1, 0(a0)\n" GUEST_PORT TELL("a1") STOP);
GUEST(one_store, "	sd	a1, 0(a0)\n" GUEST_PORT STOP);

/* The bytes of a device that answers each with a number of its own. */
static u8 dev_byte(u64 gpa)
{
	return gpa * 37 + 11;
}

static void misaligned_at(u64 gpa)
{
	u64 want = 0, got = 0;
	unsigned int done;

	for (unsigned int i = 0; i < 8; i++)
		want |= (u64)dev_byte(gpa + i) << (8 * i);

	boot(one_load);
	set_reg(&vcpu, REG_A(0), gpa);
	for (done = 0; done < 8; done += vcpu.run->mmio.len) {
		int ret = vcpu_run(&vcpu);
		u32 len = vcpu.run->mmio.len;

		ASSERT(!ret && is_mmio(&vcpu, gpa + done, len, false) && len &&
		       len <= 8 - done && (gpa + done) % len == 0,
		       "load at %#llx: expected an aligned piece at +%u, seen %s",
		       (unsigned long long)gpa, done, exit_text(&vcpu, ret));
		for (unsigned int i = 0; i < len; i++)
			vcpu.run->mmio.data[i] = dev_byte(gpa + done + i);
	}
	EXPECT_EQ(want, run_told(&vcpu), "misaligned load");
	EXPECT_EQ(0, run_told(&vcpu), "end of guest");

	boot(one_store);
	set_reg(&vcpu, REG_A(0), gpa);
	set_reg(&vcpu, REG_A(1), want);
	for (done = 0; done < 8; done += vcpu.run->mmio.len) {
		int ret = vcpu_run(&vcpu);
		u32 len = vcpu.run->mmio.len;
		u64 part = 0;

		ASSERT(!ret && is_mmio(&vcpu, gpa + done, len, true) && len &&
		       len <= 8 - done && (gpa + done) % len == 0,
		       "store at %#llx: expected an aligned piece at +%u, seen %s",
		       (unsigned long long)gpa, done, exit_text(&vcpu, ret));
		memcpy(&part, vcpu.run->mmio.data, len);
		got |= part << (8 * done);
	}
	EXPECT_EQ(want, got, "misaligned store");
	EXPECT_EQ(0, run_told(&vcpu), "end of guest");
}

TEST(mmio_misaligned)
{
	start(2 << 20);
	for (unsigned int off = 0; off < 8; off++)
		misaligned_at(DEV + off);
}

TEST(mmio_across_pages)
{
	start(2 << 20);
	for (unsigned int off = 1; off < 8; off++)
		misaligned_at(DEV + PAGE - off);
}

/* From the last bytes of RAM into a device, and back. */
TEST(mmio_across_end_of_memory)
{
	u64 end = RAM_BASE + (2 << 20);

	start(2 << 20);
	*vm_word(&vm, end - 8) = 0x8877665544332211;
	boot(one_load);
	set_reg(&vcpu, REG_A(0), end - 4);
	expect_mmio(end, 4, false, "the half behind memory");
	answer(0xddccbbaa);
	EXPECT_EQ(0xddccbbaa88776655, run_told(&vcpu), "load half from memory");
	run_told(&vcpu);
	boot(one_store);
	set_reg(&vcpu, REG_A(0), end - 4);
	set_reg(&vcpu, REG_A(1), 0x1111111122222222);
	EXPECT_EQ(0x11111111, expect_mmio(end, 4, true, "the half behind memory"),
		  "data");
	EXPECT_EQ(0x2222222244332211, *vm_word(&vm, end - 8), "memory");
}

/* --- nothing there ------------------------------------------------------------------------ */

/* Tells scause, stval and sepc of the first exception. */
GUEST(catch,
      "	lla	t0, 8f\n"
      "	csrw	stvec, t0\n"
      GUEST_PORT
      "	li	t1, 1\n"
      "	beq	a7, t1, 1f\n"
      "	li	t1, 2\n"
      "	beq	a7, t1, 2f\n"
      "	li	t1, 3\n"
      "	beq	a7, t1, 3f\n"
      "	li	t1, 4\n"
      "	beq	a7, t1, 4f\n"
      "	ld	a1, 0(a0)\n"
      "	j	7f\n"
      "1:	sd	a1, 0(a0)\n"
      "	j	7f\n"
      "2:	jr	a0\n"
      "3:	amoadd.w a1, a1, (a0)\n"
      "	j	7f\n"
      "4:	lr.d	a1, (a0)\n"
      "7:	li	a1, -1\n"
      TELL("a1") STOP "\n"
      "	.balign 4\n"
      "8:	csrr	a1, scause\n"
      "	csrr	a2, stval\n"
      TELL("a1") TELL("a2") STOP);

static void expect_trap(unsigned int how, u64 gpa, u64 cause, const char *what)
{
	boot(catch);
	set_reg(&vcpu, REG_A(0), gpa);
	set_reg(&vcpu, REG_A(7), how);
	if (EXPECT_EQ(cause, run_told(&vcpu), what))
		EXPECT_EQ(gpa, run_told(&vcpu), "stval");
}

static void windows(const struct umbra_mmio_window *w, u32 nr)
{
	struct umbra_mmio_windows list = { .nr = nr, .windows = (u64)w };

	ASSERT_ERRNO(0, ioctl(vm.fd, UMBRA_SET_MMIO_WINDOWS, &list));
}

TEST(outside_windows)
{
	static const struct umbra_mmio_window w[] = {
		{ PORT, PAGE }, { DEV, 16 },
	};

	start(2 << 20);
	windows(w, 2);
	expect_trap(0, DEV + 16, 5, "load outside the windows: access fault");
	expect_trap(1, DEV + 16, 7, "store outside the windows: access fault");
	expect_trap(0, DEV - 8, 5, "load below the window: access fault");
	expect_trap(2, DEV + PAGE, 1, "fetch outside the windows: access fault");
	expect_trap(2, DEV, 1, "fetch from a window: access fault");
	expect_trap(3, DEV, 7, "amoadd on a window: access fault");
	expect_trap(4, DEV, 5, "lr on a window: access fault");
	/* Bit 55: a physical address, but nobody's. */
	expect_trap(0, 1ul << 55, 5, "load far away: access fault");

	boot(catch);
	set_reg(&vcpu, REG_A(7), 0);
	set_reg(&vcpu, REG_A(0), DEV + 8);
	expect_mmio(DEV + 8, 8, false, "the last bytes of the window");

	/* Half in, half out: the first piece exits, the other faults. */
	boot(catch);
	set_reg(&vcpu, REG_A(7), 0);
	set_reg(&vcpu, REG_A(0), DEV + 12);
	expect_mmio(DEV + 12, 4, false, "the first half, in the window");
	answer(0);
	EXPECT_EQ(5, run_told(&vcpu), "the second half: load access fault");
	EXPECT_EQ(DEV + 16, run_told(&vcpu), "stval: the first byte that faults");
}

TEST(windows_replaced)
{
	static const struct umbra_mmio_window a[] = { { PORT, PAGE }, { DEV, PAGE } };
	static const struct umbra_mmio_window b[] = { { PORT, PAGE }, { DEV + PAGE, PAGE } };

	start(2 << 20);
	windows(a, 2);
	expect_trap(0, DEV + PAGE, 5, "first list: load access fault");
	windows(b, 2);
	expect_trap(0, DEV, 5, "second list: load access fault");
	boot(one_load);
	set_reg(&vcpu, REG_A(0), DEV + PAGE);
	expect_mmio(DEV + PAGE, 8, false, "second list");
}

TEST(no_window_list)
{
	start(2 << 20);
	boot(catch);
	set_reg(&vcpu, REG_A(7), 0);
	set_reg(&vcpu, REG_A(0), 0x123456788);
	expect_mmio(0x123456788, 8, false, "no list: every gpa");
	answer(5);
	EXPECT_EQ((u64)-1, run_told(&vcpu), "the load went on");
	boot(catch);
	set_reg(&vcpu, REG_A(7), 1);
	set_reg(&vcpu, REG_A(0), 0);
	expect_mmio(0, 8, true, "gpa 0");
}

/* Read-only slots: loads and fetches work, stores leave as MMIO. */
TEST(readonly_slot)
{
	u64 *rom;

	start(2 << 20);
	rom = map_ram(2 << 20);
	rom[0] = 0x1122334455667788;
	ASSERT_ERRNO(0, set_slot(vm.fd, 1, KVM_MEM_READONLY, DEV, 2 << 20, rom));
	boot(one_load);
	set_reg(&vcpu, REG_A(0), DEV);
	EXPECT_EQ(rom[0], run_told(&vcpu), "load from a read-only slot");
	run_told(&vcpu);
	boot(one_store);
	set_reg(&vcpu, REG_A(0), DEV);
	set_reg(&vcpu, REG_A(1), 0x77);
	EXPECT_EQ(0x77, expect_mmio(DEV, 8, true, "store to a read-only slot"), "data");
	EXPECT_EQ(0, run_told(&vcpu), "end of guest");
	EXPECT_EQ(0x1122334455667788, rom[0], "the read-only memory");
}

/* Code, with privileged instructions, in a read-only slot: never rewritten. */
GUEST(rom_code,
      GUEST_PORT
      "	li	t0, 50\n"
      "1:	csrw	sscratch, t0\n"
      "	csrr	t1, sscratch\n"
      "	bne	t0, t1, 2f\n"
      "	sfence.vma\n"
      "	addi	t0, t0, -1\n"
      "	bnez	t0, 1b\n"
      "2:\n"
      TELL("t0") STOP);

TEST(readonly_code)
{
	size_t len = guest_rom_code_end - guest_rom_code;
	u8 *rom;

	start(2 << 20);
	rom = map_ram(2 << 20);
	memcpy(rom, guest_rom_code, len);
	ASSERT_ERRNO(0, mprotect(rom, 2 << 20, PROT_READ));
	ASSERT_ERRNO(0, set_slot(vm.fd, 1, KVM_MEM_READONLY, DEV, 2 << 20, rom));
	set_reg(&vcpu, REG_CORE(regs.pc), DEV);
	EXPECT_EQ(0, run_told(&vcpu), "rounds that were left");
	/* Before any register is read: there is nothing to put back. */
	EXPECT(!memcmp(rom, guest_rom_code, len),
	       "read-only memory: expected the original bytes, seen others");
}

/* --- page tables where none should be ---------------------------------------------- */

#define PTE(gpa, bits)	((gpa) >> 2 | (bits))
#define POINTER		0x01ul		/* V */
#define LEAF		0xcful		/* D, A, X, W, R, V */
#define ODD_VA		0x40000000ul	/* entry 1 of the root */
#define ROM		0x30000000ul

/* Translates by the root in a0, then does what a7 says at a1. */
GUEST(odd_table,
      GUEST_PORT
      "	lla	t0, 8f\n"
      "	csrw	stvec, t0\n"
      "	csrw	satp, a0\n"
      "	sfence.vma\n"
      "	li	t1, 1\n"
      "	beq	a7, t1, 1f\n"
      "	li	t1, 2\n"
      "	beq	a7, t1, 2f\n"
      "	ld	a1, 0(a1)\n"
      "	j	7f\n"
      "1:	sd	a1, 0(a1)\n"
      "	j	7f\n"
      "2:	jr	a1\n"
      "7:	li	a2, -1\n"
      TELL("a2") TELL("a1") STOP "\n"
      "	.balign 4\n"
      "8:	csrr	a2, scause\n"
      "	csrr	a1, stval\n"
      TELL("a2") TELL("a1") STOP);

/*
 * Entry 1 of the root is @pte: an access of kind @how (0 load, 1 store, 2 fetch)
 * to @va below it comes to @cause, without user space being asked anything.
 */
static u64 odd_access(u64 pte, unsigned int how, u64 va, u64 cause, const char *what)
{
	u64 root = RAM_BASE + 16 * PAGE, seen;

	boot(odd_table);
	/* Devices and RAM, to themselves. */
	*vm_word(&vm, root) = PTE(0ul, LEAF);
	*vm_word(&vm, root + 8) = pte;
	*vm_word(&vm, root + 16) = PTE(RAM_BASE, LEAF);
	set_reg(&vcpu, REG_A(0), 8ul << 60 | root / PAGE);
	set_reg(&vcpu, REG_A(1), va);
	set_reg(&vcpu, REG_A(7), how);
	EXPECT_EQ(cause, run_told(&vcpu), what);
	seen = run_told(&vcpu);
	if (cause != -1ul)
		EXPECT_EQ(va, seen, what);
	return seen;
}

TEST(table_where_no_memory_is)
{
	static const struct umbra_mmio_window w[] = { { PORT, PAGE }, { DEV, PAGE } };
	static const u64 cause[] = { 5, 7, 1 };

	start(2 << 20);
	/* Without a list of windows all that is no memory is a device. */
	for (int listed = 0; listed < 2; listed++) {
		for (unsigned int how = 0; how < 3; how++) {
			odd_access(PTE(PORT, POINTER), how, ODD_VA, cause[how],
				   "a table in a device");
			odd_access(PTE(DEV, POINTER), how, ODD_VA, cause[how],
				   "a table in another");
			odd_access(PTE(DEV + PAGE, POINTER), how, ODD_VA, cause[how],
				   "a table in a hole");
			odd_access(PTE((1ul << 56) - PAGE, POINTER), how, ODD_VA,
				   cause[how], "a table at the end of the address space");
			odd_access(PTE(RAM_BASE + (2 << 20), POINTER), how, ODD_VA,
				   cause[how], "a table behind RAM");
		}
		windows(w, 2);
	}
}

/* Its entries can be read; A and D cannot be set there. */
TEST(table_in_rom)
{
	u64 *rom, data = RAM_BASE + 32 * PAGE;

	start(2 << 20);
	rom = map_ram(2 << 20);
	ASSERT_ERRNO(0, set_slot(vm.fd, 1, KVM_MEM_READONLY, ROM, 2 << 20, rom));
	*vm_word(&vm, data) = 77;
	rom[0] = PTE(ROM + PAGE, POINTER);
	rom[512] = PTE(data, LEAF);
	rom[513] = PTE(data, LEAF & ~0x80ul);
	rom[514] = PTE(data, LEAF & ~0xc0ul);
	EXPECT_EQ(77, odd_access(PTE(ROM, POINTER), 0, ODD_VA, -1ul, "A and D are set"),
		  "what a load sees");
	odd_access(PTE(ROM, POINTER), 1, ODD_VA, -1ul, "a store, A and D are set");
	EXPECT_EQ(ODD_VA, *vm_word(&vm, data), "what it stored");
	odd_access(PTE(ROM, POINTER), 0, ODD_VA + PAGE, -1ul, "a load, A is set");
	odd_access(PTE(ROM, POINTER), 1, ODD_VA + PAGE, 7, "a store, D is clear");
	odd_access(PTE(ROM, POINTER), 0, ODD_VA + 2 * PAGE, 5, "a load, A is clear");
	odd_access(PTE(ROM, POINTER), 2, ODD_VA + 2 * PAGE, 1, "a fetch, A is clear");
	EXPECT_EQ(PTE(data, LEAF & ~0xc0ul), rom[514], "the entry");
}

/* A root that is its own table, on all levels. */
TEST(table_that_is_itself)
{
	u64 root = RAM_BASE + 16 * PAGE, self = PTE(root, POINTER);

	start(2 << 20);
	odd_access(self, 0, ODD_VA | 1 << 21 | 1 << 12, 13, "a pointer on the last level");
	odd_access(self, 1, ODD_VA | 1 << 21 | 1 << 12, 15, "a pointer on the last level");
	odd_access(self, 2, ODD_VA | 1 << 21 | 1 << 12, 12, "a pointer on the last level");
	EXPECT_EQ(*vm_word(&vm, RAM_BASE),
		  odd_access(self, 0, ODD_VA | 1 << 21 | 2 << 12, -1ul, "RAM by its own entry"),
		  "RAM's first word");
	odd_access(self, 0, ODD_VA | 3 << 21, 13, "an entry that is 0");
}

/* --- SBI ------------------------------------------------------------------------------------ */

GUEST(sbi,
      "	ecall\n"
      GUEST_PORT TELL("a0") TELL("a1") TELL("a2") TELL("a7") STOP);

static void sbi_args(u64 ext, u64 fn)
{
	boot(sbi);
	for (unsigned int i = 0; i < 6; i++)
		set_reg(&vcpu, REG_A(i), 0x80001000 + 0x100 * i);
	set_reg(&vcpu, REG_A(6), fn);
	set_reg(&vcpu, REG_A(7), ext);
}

static void expect_sbi(u64 ext, u64 fn)
{
	int ret = vcpu_run(&vcpu);
	struct kvm_run *run = vcpu.run;

	ASSERT(!ret && run->exit_reason == KVM_EXIT_RISCV_SBI,
	       "expected KVM_EXIT_RISCV_SBI for %#llx, seen %s",
	       (unsigned long long)ext, exit_text(&vcpu, ret));
	EXPECT_EQ(ext, run->riscv_sbi.extension_id, "extension id");
	EXPECT_EQ(fn, run->riscv_sbi.function_id, "function id");
}

TEST(sbi_forwarded)
{
	static const u64 exts[] = { 0x08000000, 0x08ffffff, 0x09000000, 0x09ffffff };

	start(2 << 20);
	for (unsigned int i = 0; i < ARRAY_SIZE(exts); i++) {
		sbi_args(exts[i], 0x1234);
		expect_sbi(exts[i], 0x1234);
		for (unsigned int n = 0; n < 6; n++)
			EXPECT_EQ(0x80001000 + 0x100 * n,
				  vcpu.run->riscv_sbi.args[n], "argument");
		vcpu.run->riscv_sbi.ret[0] = -3;
		vcpu.run->riscv_sbi.ret[1] = 0xabcdef;
		EXPECT_EQ((u64)-3, run_told(&vcpu), "a0, the error");
		EXPECT_EQ(0xabcdef, run_told(&vcpu), "a1, the value");
		EXPECT_EQ(0x80001200, run_told(&vcpu), "a2, preserved");
		EXPECT_EQ(exts[i], run_told(&vcpu), "a7, preserved");
	}
	/* Not answered at all: not supported. */
	sbi_args(0x08000001, 1);
	expect_sbi(0x08000001, 1);
	EXPECT_EQ((u64)-2, run_told(&vcpu), "a0 when user space did not set it");
}

TEST(sbi_dbcn)
{
	start(2 << 20);
	/* Off until user space says that it serves it. */
	EXPECT_EQ(0, get_reg(&vcpu, REG_SBI(DBCN)), "DBCN at first");
	sbi_args(0x10, 3);		/* probe_extension */
	set_reg(&vcpu, REG_A(0), 0x4442434e);
	run_told(&vcpu);
	EXPECT_EQ(0, run_told(&vcpu), "probe of DBCN when it is off");

	vcpu_close(&vcpu);
	vm_close(&vm);
	start(2 << 20);
	set_reg(&vcpu, REG_SBI(DBCN), 1);
	sbi_args(0x10, 3);
	set_reg(&vcpu, REG_A(0), 0x4442434e);
	EXPECT_EQ(0, run_told(&vcpu), "error of the probe");
	EXPECT(run_told(&vcpu) != 0, "probe of DBCN: expected non-zero, seen 0");
	/* Write 5 bytes at RAM_BASE. */
	sbi_args(0x4442434e, 0);
	set_reg(&vcpu, REG_A(0), 5);
	set_reg(&vcpu, REG_A(1), RAM_BASE);
	set_reg(&vcpu, REG_A(2), 0);
	expect_sbi(0x4442434e, 0);
	EXPECT_EQ(5, vcpu.run->riscv_sbi.args[0], "number of bytes");
	EXPECT_EQ(RAM_BASE, vcpu.run->riscv_sbi.args[1], "address");
	vcpu.run->riscv_sbi.ret[0] = 0;
	vcpu.run->riscv_sbi.ret[1] = 5;
	EXPECT_EQ(0, run_told(&vcpu), "error of the write");
	EXPECT_EQ(5, run_told(&vcpu), "bytes written");
}

TEST(sbi_base_and_unknown)
{
	static const u64 unknown[] = { 9, 0xf, 0x11, 0x0a000000, 0x07ffffff, ~0ull };

	start(2 << 20);
	sbi_args(0x10, 1);
	EXPECT_EQ(0, run_told(&vcpu), "get_impl_id");
	EXPECT_EQ(UMBRA_SBI_IMPL_ID, run_told(&vcpu), "implementation id");
	sbi_args(0x10, 0);
	EXPECT_EQ(0, run_told(&vcpu), "get_spec_version");
	EXPECT(run_told(&vcpu) >= 0x02000000, "expected SBI 2.0 or later");
	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
		sbi_args(unknown[i], 0);
		EXPECT_EQ((u64)-2, run_told(&vcpu), "an unknown extension");
	}
}

/* --- the end -------------------------------------------------------------- */

static void expect_event(u32 type, u64 data)
{
	int ret = vcpu_run(&vcpu);
	struct kvm_run *run = vcpu.run;

	if (!EXPECT(!ret && run->exit_reason == KVM_EXIT_SYSTEM_EVENT,
		    "expected KVM_EXIT_SYSTEM_EVENT, seen %s", exit_text(&vcpu, ret)))
		return;
	EXPECT_EQ(type, run->system_event.type, "type of the event");
	EXPECT_EQ(1, run->system_event.ndata, "ndata");
	EXPECT_EQ(data, run->system_event.data[0], "data, the reason");
}

TEST(system_event)
{
	static const struct { u64 type, reason; u32 event; } ends[] = {
		{ 0, 0, KVM_SYSTEM_EVENT_SHUTDOWN }, { 0, 1, KVM_SYSTEM_EVENT_SHUTDOWN },
		{ 1, 0, KVM_SYSTEM_EVENT_RESET }, { 2, 1, KVM_SYSTEM_EVENT_RESET },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++) {
		start(2 << 20);
		sbi_args(0x53525354, 0);
		set_reg(&vcpu, REG_A(0), ends[i].type);
		set_reg(&vcpu, REG_A(1), ends[i].reason);
		expect_event(ends[i].event, ends[i].reason);
		vcpu_close(&vcpu);
		vm_close(&vm);
	}
	start(2 << 20);
	sbi_args(8, 0);
	expect_event(KVM_SYSTEM_EVENT_SHUTDOWN, 0);
	/* Wrong arguments are an error, not the end. */
	sbi_args(0x53525354, 0);
	set_reg(&vcpu, REG_A(0), 3);
	set_reg(&vcpu, REG_A(1), 0);
	EXPECT_EQ((u64)-3, run_told(&vcpu), "reset type 3: invalid parameter");
}

/* --- signals -------------------------------------------------------------- */

GUEST(count,
      "1:	addi	a1, a1, 1\n"
      "	sd	a1, 0(a0)\n"
      "	j	1b\n");

/* And again and again: on a slow machine the first may come before KVM_RUN. */
static void alarm_us(unsigned int us)
{
	struct itimerval it = {
		.it_value.tv_usec = us, .it_interval.tv_usec = 200000,
	};
	struct sigaction sa = { .sa_handler = on_kick };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

TEST(signal)
{
	u64 last = 0;

	start(2 << 20);
	boot(count);
	set_reg(&vcpu, REG_A(0), RAM_BASE + PAGE);
	/* The alarm may also come before the guest's next instruction: not counted. */
	for (unsigned int i = 0; i < 50;) {
		u64 n;

		alarm_us(1000 + rnd() % 10000);
		EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
		EXPECT_EQ(KVM_EXIT_INTR, vcpu.run->exit_reason, "exit reason");
		n = get_reg(&vcpu, REG_A(1));
		EXPECT(n >= last, "the guest's counter: expected %llu or more, seen %llu",
		       (unsigned long long)last, (unsigned long long)n);
		i += n > last;
		last = n;
		/* Between two of its instructions, not within one. */
		n -= *vm_word(&vm, RAM_BASE + PAGE);
		EXPECT(n <= 1, "memory: expected the counter or one less, seen %lld less",
		       (long long)n);
	}
}

GUEST(wfi,
      "	li	t0, 0x222\n"
      "	csrw	sie, t0\n"
      "1:	wfi\n"
      "	addi	a1, a1, 1\n"
      "	sd	a1, 0(a0)\n"
      "	j	1b\n");

TEST(signal_in_wfi)
{
	u64 began, took;

	start(2 << 20);
	boot(wfi);
	set_reg(&vcpu, REG_A(0), RAM_BASE + PAGE);
	for (unsigned int i = 0; i < 5; i++) {
		began = now_ns();
		alarm_us(100000);
		EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
		took = (now_ns() - began) / 1000000;
		EXPECT(took >= 90, "wfi: expected it to sleep about 100 ms, seen %llu ms",
		       (unsigned long long)took);
	}
}

/* --- a guest that only faults --------------------------------------------- */

GUEST(double_fault,
      "	csrw	stvec, a0\n"
      "	.word	0\n"
      "1:	j	1b\n");

/* stvec names nothing: the hart traps for ever, as a real one would. */
TEST(double_fault)
{
	static const struct umbra_mmio_window w[] = { { PORT, PAGE } };
	u64 began;

	start(2 << 20);
	windows(w, 1);
	boot(double_fault);
	set_reg(&vcpu, REG_A(0), DEV);
	for (unsigned int i = 0; i < 10; i++) {
		began = now_ns();
		alarm_us(20000);
		EXPECT_ERRNO(EINTR, ioctl(vcpu.fd, KVM_RUN, 0));
		EXPECT(now_ns() - began < 2000000000ull,
		       "a signal: expected KVM_RUN to end soon, seen %llu ms",
		       (unsigned long long)(now_ns() - began) / 1000000);
	}
	EXPECT_EQ(DEV, get_reg(&vcpu, REG_CSR(sepc)), "sepc");
	EXPECT_EQ(1, get_reg(&vcpu, REG_CSR(scause)), "scause");
	EXPECT_EQ(DEV, get_reg(&vcpu, REG_CSR(stval)), "stval");
}

TEST(double_fault_killed)
{
	static const struct umbra_mmio_window w[] = { { PORT, PAGE } };
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		start(2 << 20);
		windows(w, 1);
		boot(double_fault);
		set_reg(&vcpu, REG_A(0), DEV);
		vcpu_run(&vcpu);
		exit(0);
	}
	sleep_ms(200);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	       "expected the child to die of SIGKILL, seen status %#x", status);
}

/* --- registers over exits ------------------------------------------------- */

/* All registers but gp hold numbers of their own while MMIO and signals come. */
GUEST(preserve,
      "	.irp	n, 1,2,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
      "	li	x\\n, 0x1111 * \\n\n"
      "	.endr\n"
      "1:	ld	zero, 0(gp)\n"
      "	sd	x31, 8(gp)\n"
      "	csrr	zero, sepc\n"
      "	j	1b\n");

TEST(registers_preserved)
{
	start(2 << 20);
	boot(preserve);
	set_reg(&vcpu, REG_X(3), DEV);
	for (unsigned int i = 0; i < 200 && !harness->failures; i++) {
		expect_mmio(DEV, 8, false, "load");
		answer(rnd());
		expect_mmio(DEV + 8, 8, true, "store");
		if (i % 20)
			continue;
		for (unsigned int n = 1; n < 32; n++)
			EXPECT_EQ(n == 3 ? DEV : 0x1111 * n,
				  get_reg(&vcpu, REG_X(n)), "register");
	}
}

HARNESS_MAIN
