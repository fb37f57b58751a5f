// SPDX-License-Identifier: GPL-2.0
/*
 * What crosses between guest and user space without KVM_RUN returning:
 * ioeventfds and coalesced MMIO outward, irqfds and GSI routing inward.
 */
#include "include/client.h"

#include <sys/eventfd.h>

#define DEV	0x20000000ul	/* nothing of Umbra's is there */
#define PLIC	0xc000000ul

static struct vm vm;
static struct vcpu vcpu;

static void start(void)
{
	vm_new(&vm, 16 * PAGE);
	vcpu_new(&vcpu, &vm, 0);
}

static int event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ASSERT(fd >= 0, "eventfd: %m");
	return fd;
}

/* Signals since the last look. */
static u64 count(int fd)
{
	u64 n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void signal_event(int fd)
{
	u64 one = 1;

	ASSERT_EQ(8, write(fd, &one, sizeof(one)), "write to an eventfd");
}

/* --- ioeventfd ---------------------------------------------------------------------------- */

static int ioev(int fd, u64 addr, u32 len, u32 flags, u64 match)
{
	struct kvm_ioeventfd arg = {
		.fd = fd, .addr = addr, .len = len, .flags = flags, .datamatch = match,
	};

	return ioctl(vm.fd, KVM_IOEVENTFD, &arg);
}

#define MATCH	KVM_IOEVENTFD_FLAG_DATAMATCH
#define REMOVE	KVM_IOEVENTFD_FLAG_DEASSIGN

TEST(ioeventfd_arguments)
{
	int e = event(), other = event();

	start();
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_IOEVENTFD, (void *)8));
	EXPECT_ERRNO(EINVAL, ioev(e, DEV, 3, 0, 0));
	EXPECT_ERRNO(EINVAL, ioev(e, DEV, 16, 0, 0));
	EXPECT_ERRNO(EINVAL, ioev(e, ~0ull, 4, 0, 0));
	EXPECT_ERRNO(EINVAL, ioev(e, DEV, 4, 1 << 10, 0));
	EXPECT_ERRNO(EINVAL, ioev(e, DEV, 0, MATCH, 0));
	EXPECT_ERRNO(EBADF, ioev(-1, DEV, 4, 0, 0));
	EXPECT_ERRNO(EINVAL, ioev(vm.dev, DEV, 4, 0, 0));
	EXPECT_ERRNO(ENOENT, ioev(e, DEV, 4, REMOVE, 0));
	EXPECT_ERRNO(EBADF, ioev(-1, DEV, 4, REMOVE, 0));
	/* Who answers the same store twice? */
	EXPECT_ERRNO(0, ioev(e, DEV, 4, MATCH, 1));
	EXPECT_ERRNO(EEXIST, ioev(other, DEV, 4, MATCH, 1));
	EXPECT_ERRNO(EEXIST, ioev(other, DEV, 4, 0, 0));
	EXPECT_ERRNO(EEXIST, ioev(other, DEV, 0, 0, 0));
	EXPECT_ERRNO(0, ioev(other, DEV, 4, MATCH, 2));
	EXPECT_ERRNO(0, ioev(other, DEV, 2, 0, 0));
	EXPECT_ERRNO(0, ioev(other, DEV, 4, KVM_IOEVENTFD_FLAG_PIO, 0));
	/* Removal names all of it. */
	EXPECT_ERRNO(ENOENT, ioev(other, DEV, 4, REMOVE | MATCH, 1));
	EXPECT_ERRNO(ENOENT, ioev(e, DEV, 4, REMOVE, 0));
	EXPECT_ERRNO(ENOENT, ioev(e, DEV, 2, REMOVE | MATCH, 1));
	EXPECT_ERRNO(0, ioev(e, DEV, 4, REMOVE | MATCH, 1));
	EXPECT_ERRNO(ENOENT, ioev(e, DEV, 4, REMOVE | MATCH, 1));
}

TEST(ioeventfd_limit)
{
	int e = event(), n;

	start();
	for (n = 0; n < 2000; n++)
		if (ioev(e, DEV + 8 * n, 4, 0, 0))
			break;
	EXPECT_EQ(ENOSPC, errno, "errno of one too many");
	EXPECT_EQ(1000, n, "ioeventfds of a VM");
	/* One that goes makes room. */
	EXPECT_ERRNO(0, ioev(e, DEV, 4, REMOVE, 0));
	EXPECT_ERRNO(0, ioev(e, DEV, 4, 0, 0));
}

GUEST(stores,
      GUEST_PORT
      "	li	a0, 0x20000000\n"
      "	li	a1, 0x1234567800000007\n"
      "	sw	a1, 0(a0)\n"		/* any value, 4 bytes */
      "	sb	a1, 8(a0)\n"		/* value 7, 1 byte */
      "	sd	a1, 16(a0)\n"		/* any length */
      "	sh	a1, 16(a0)\n"
      "	sd	a1, 24(a0)\n"		/* all 8 bytes compared */
      TELL("a1")
      "	sd	a1, 0(a0)\n"		/* another length: exits */
      "	sb	zero, 8(a0)\n"		/* another value: exits */
      "	lw	a2, 0(a0)\n"		/* loads do not signal: exits */
      STOP);

TEST(ioeventfd_stores)
{
	int e[4];

	start();
	for (int i = 0; i < 4; i++)
		e[i] = event();
	ASSERT_ERRNO(0, ioev(e[0], DEV, 4, 0, 0));
	ASSERT_ERRNO(0, ioev(e[1], DEV + 8, 1, MATCH, 0xffffffffffffff07));
	ASSERT_ERRNO(0, ioev(e[2], DEV + 16, 0, 0, 0));
	ASSERT_ERRNO(0, ioev(e[3], DEV + 24, 8, MATCH, 0x1234567800000007));
	vm_load(&vm, RAM_BASE, stores);
	EXPECT_EQ(0x1234567800000007, run_told(&vcpu), "what the guest tells after its stores");
	EXPECT_EQ(1, count(e[0]), "signals of a word");
	EXPECT_EQ(1, count(e[1]), "signals of a byte that matches");
	EXPECT_EQ(2, count(e[2]), "signals of any length");
	EXPECT_EQ(1, count(e[3]), "signals of a double word that matches");
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	EXPECT(is_mmio(&vcpu, DEV, 8, true), "expected a store of 8 bytes, seen %s",
	       exit_text(&vcpu, 0));
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	EXPECT(is_mmio(&vcpu, DEV + 8, 1, true), "expected a store of a byte, seen %s",
	       exit_text(&vcpu, 0));
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	EXPECT(is_mmio(&vcpu, DEV, 4, false), "expected a load, seen %s", exit_text(&vcpu, 0));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, count(e[i]), "signals of what exits");

	/* Removed, or its last descriptor closed by us: the VM holds the eventfd. */
	close(e[2]);
	ASSERT_ERRNO(0, ioev(e[0], DEV, 4, REMOVE, 0));
	vcpu_settle(&vcpu);
	set_reg(&vcpu, REG_CORE(regs.pc), RAM_BASE);
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	EXPECT(is_mmio(&vcpu, DEV, 4, true), "removed: expected a store of 4 bytes, seen %s",
	       exit_text(&vcpu, 0));
	EXPECT_EQ(0x1234567800000007, run_told(&vcpu), "what the guest tells");
}

GUEST(hammer,
      "	li	a0, 0x20000000\n"
      "	lla	a1, 2f\n"
      "1:	sw	zero, 0(a0)\n"
      "	ld	a2, 0(a1)\n"
      "	addi	a2, a2, 1\n"
      "	sd	a2, 0(a1)\n"
      "	j	1b\n"
      "	.balign	8\n"
      "2:	.dword	0\n");

static bool stop_hammer;

static void *run_hammer(void *arg)
{
	while (!__atomic_load_n(&stop_hammer, __ATOMIC_ACQUIRE))
		vcpu_run(arg);
	return NULL;
}

/* Added and removed while the guest stores: it exits or signals, never fails. */
TEST(ioeventfd_while_running)
{
	u64 signals = 0, size = guest_hammer_end - guest_hammer;
	pthread_t thread;
	int e = event();

	start();
	kicks_init();
	vm_load(&vm, RAM_BASE, hammer);
	pthread_create(&thread, NULL, run_hammer, &vcpu);
	for (int i = 0; i < 60; i++) {
		ASSERT_ERRNO(0, ioev(e, DEV, 4, 0, 0));
		usleep(300);
		ASSERT_ERRNO(0, ioev(e, DEV, 4, REMOVE, 0));
		signals += count(e);
		usleep(100);
		EXPECT_EQ(0, count(e), "signals after the removal");
	}
	EXPECT(signals > 0, "expected signals, seen none");
	EXPECT(wait_progress(vm_word(&vm, RAM_BASE + size - 8), 10, 5000),
	       "the guest stands still");
	__atomic_store_n(&stop_hammer, true, __ATOMIC_RELEASE);
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		pthread_kill(thread, SIGUSR1);
		sleep_ms(10);
	}
}

/* --- coalesced MMIO -------------------------------------------------------------------- */

static int zone(unsigned long cmd, u64 addr, u32 size, u32 pio)
{
	struct kvm_coalesced_mmio_zone z = { .addr = addr, .size = size, .pio = pio };

	return ioctl(vm.fd, cmd, &z);
}

#define ADD_ZONE	KVM_REGISTER_COALESCED_MMIO
#define REMOVE_ZONE	KVM_UNREGISTER_COALESCED_MMIO

static struct kvm_coalesced_mmio_ring *ring_of(struct vcpu *v)
{
	int page = ioctl(vm.dev, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

	ASSERT(page > 0 && (page + 1) * PAGE <= vm.run_size,
	       "KVM_CAP_COALESCED_MMIO: expected a page of the mapping, seen %d", page);
	return (void *)v->run + page * PAGE;
}

TEST(coalesced_arguments)
{
	int n;

	start();
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, ADD_ZONE, (void *)8));
	EXPECT_ERRNO(EINVAL, zone(ADD_ZONE, DEV, 4, 2));
	EXPECT_ERRNO(EINVAL, zone(REMOVE_ZONE, DEV, 4, 2));
	/* kvmtool removes what it never added. */
	EXPECT_ERRNO(0, zone(REMOVE_ZONE, DEV, 4, 0));
	for (n = 0; n < 2000; n++)
		if (zone(ADD_ZONE, DEV + 8 * n, 8, 0))
			break;
	EXPECT_EQ(ENOSPC, errno, "errno of one too many");
	EXPECT_EQ(1000, n, "zones of a VM");
}

GUEST(coalesce,
      GUEST_PORT
      "	li	a0, 0x20000000\n"
      "	li	a1, 0x1122334455667788\n"
      "	li	t0, 0\n"
      "1:	sd	a1, 0(a0)\n"
      "	sb	t0, 12(a0)\n"
      "	addi	t0, t0, 1\n"
      "	li	t1, 5\n"
      "	bne	t0, t1, 1b\n"
      TELL("t0")
      "2:	sw	t0, 0(a0)\n"
      "	addi	t0, t0, 1\n"
      "	j	2b\n");

TEST(coalesced_ring)
{
	struct kvm_coalesced_mmio_ring *ring;
	u32 max = (PAGE - sizeof(*ring)) / sizeof(struct kvm_coalesced_mmio);
	u32 n = 0;

	start();
	ring = ring_of(&vcpu);
	ASSERT_ERRNO(0, zone(ADD_ZONE, DEV, 16, 0));
	vm_load(&vm, RAM_BASE, coalesce);
	EXPECT_EQ(5, run_told(&vcpu), "what the guest tells after ten stores");
	EXPECT_EQ(0, ring->first, "the ring's first entry");
	EXPECT_EQ(10, ring->last, "entries in the ring");
	for (int i = 0; i < 10; i++) {
		struct kvm_coalesced_mmio *m = &ring->coalesced_mmio[i];
		u64 val = 0;

		memcpy(&val, m->data, m->len);
		EXPECT_EQ(i % 2 ? DEV + 12 : DEV, m->phys_addr, "address in the ring");
		EXPECT_EQ(i % 2 ? 1 : 8, m->len, "length in the ring");
		EXPECT_EQ(i % 2 ? (u64)i / 2 : 0x1122334455667788, val, "value in the ring");
		EXPECT_EQ(0, m->pio, "pio in the ring");
	}
	/* Full: the store that finds no room exits, and comes once. */
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	EXPECT(is_mmio(&vcpu, DEV, 4, true), "expected an exit when the ring is full, seen %s",
	       exit_text(&vcpu, 0));
	EXPECT_EQ(max - 1, ring->last, "entries of a full ring");
	memcpy(&n, vcpu.run->mmio.data, 4);
	EXPECT_EQ(5 + max - 1 - 10, n, "stores before the one that exits");
	/* Room for three, around the end. */
	ring->first = 3;
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	EXPECT_EQ(2, ring->last, "the end of the ring, wrapped");
	memcpy(&n, vcpu.run->mmio.data, 4);
	EXPECT_EQ(5 + max - 1 - 10 + 4, n, "stores before the next exit");
	/* Nonsense in the ring's indices: it exits. */
	for (u32 bad = max; bad; bad <<= 1) {
		ring->last = bad;
		ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
		EXPECT(is_mmio(&vcpu, DEV, 4, true), "a bad index: expected an exit, seen %s",
		       exit_text(&vcpu, 0));
		EXPECT_EQ(bad, ring->last, "a bad index is left alone");
	}
	/* A range inside the zone names it. */
	ring->last = 0;
	ring->first = 0;
	ASSERT_ERRNO(0, zone(REMOVE_ZONE, DEV + 4, 4, 0));
	ASSERT_EQ(0, vcpu_run(&vcpu), "KVM_RUN");
	EXPECT(is_mmio(&vcpu, DEV, 4, true), "no zone: expected an exit, seen %s",
	       exit_text(&vcpu, 0));
	EXPECT_EQ(0, ring->last, "entries without a zone");
}

/* All vCPUs share one ring, and its page outlives the VM. */
TEST(coalesced_shared)
{
	struct kvm_coalesced_mmio_ring *ring, *other;
	struct vcpu second;

	start();
	vcpu_new(&second, &vm, 1);
	ring = ring_of(&vcpu);
	other = ring_of(&second);
	ring->first = 7;
	EXPECT_EQ(7, other->first, "the ring through the other vCPU");
	munmap(second.run, PAGE);
	munmap(vcpu.run, vm.run_size);
	close(vcpu.fd);
	close(second.fd);
	close(vm.fd);
	other->first = 9;
	EXPECT_EQ(9, other->first, "the ring of a VM that is gone");
}

/* --- irqfd ----------------------------------------------------------------------------- */

static void set_attr(int fd, u32 group, u64 attr, u64 val)
{
	struct kvm_device_attr a = {
		.group = group, .attr = attr,
		.addr = group == UMBRA_DEV_GRP_CTRL ? 0 : (u64)&val,
	};

	ASSERT_ERRNO(0, ioctl(fd, KVM_SET_DEVICE_ATTR, &a));
}

static void new_plic(void)
{
	struct kvm_create_device cd = { .type = UMBRA_DEV_TYPE_PLIC };

	ASSERT_ERRNO(0, ioctl(vm.fd, KVM_CREATE_DEVICE, &cd));
	set_attr(cd.fd, UMBRA_DEV_GRP_CONFIG, UMBRA_DEV_CONFIG_ADDR, PLIC);
	set_attr(cd.fd, UMBRA_DEV_GRP_CONFIG, UMBRA_DEV_CONFIG_SOURCES, 96);
	set_attr(cd.fd, UMBRA_DEV_GRP_CONFIG, UMBRA_DEV_CONFIG_HARTS, 1);
	set_attr(cd.fd, UMBRA_DEV_GRP_CONFIG, UMBRA_DEV_CONFIG_CONTEXTS, 1);
	set_attr(cd.fd, UMBRA_DEV_GRP_CTRL, UMBRA_DEV_CTRL_INIT, 0);
	close(cd.fd);
}

static int irqfd(int fd, u32 gsi, u32 flags)
{
	struct kvm_irqfd arg = { .fd = fd, .gsi = gsi, .flags = flags };

	return ioctl(vm.fd, KVM_IRQFD, &arg);
}

static int line(u32 gsi, u32 level)
{
	struct kvm_irq_level arg = { .irq = gsi, .level = level };

	return ioctl(vm.fd, KVM_IRQ_LINE, &arg);
}

TEST(irqfd_arguments)
{
	int e = event();

	start();
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_IRQFD, (void *)8));
	EXPECT_ERRNO(EAGAIN, irqfd(e, 5, 0));
	EXPECT_ERRNO(ENXIO, line(5, 1));
	new_plic();
	EXPECT_ERRNO(EINVAL, irqfd(e, 5, 4));
	EXPECT_ERRNO(EINVAL, irqfd(e, 5, KVM_IRQFD_FLAG_RESAMPLE));
	EXPECT_ERRNO(EINVAL, irqfd(e, 4096, 0));
	EXPECT_ERRNO(EBADF, irqfd(-1, 5, 0));
	EXPECT_ERRNO(EINVAL, irqfd(vm.dev, 5, 0));
	EXPECT_ERRNO(0, irqfd(e, 5, 0));
	EXPECT_ERRNO(EBUSY, irqfd(e, 6, 0));
	/* One that is not there goes, too. */
	EXPECT_ERRNO(0, irqfd(e, 6, KVM_IRQFD_FLAG_DEASSIGN));
	EXPECT_ERRNO(EBUSY, irqfd(e, 6, 0));
	EXPECT_ERRNO(0, irqfd(e, 5, KVM_IRQFD_FLAG_DEASSIGN));
	EXPECT_ERRNO(0, irqfd(e, 6, 0));
	EXPECT_ERRNO(0, line(96, 0));
	EXPECT_ERRNO(ENXIO, line(97, 1));
	EXPECT_ERRNO(ENXIO, line(~0u, 1));
}

GUEST(interrupts,
      GUEST_PORT
      "	li	t0, 0xc000000\n"
      "	li	t1, 1\n"
      "	sw	t1, 20(t0)\n"			/* priority of source 5 */
      "	sw	t1, 24(t0)\n"			/* of source 6 */
      "	li	t2, 0xc002000\n"
      "	li	t1, 0x60\n"
      "	sw	t1, 0(t2)\n"			/* both enabled */
      "	li	t3, 0xc200000\n"
      "	sw	zero, 0(t3)\n"			/* threshold */
      "	li	t1, 0x200\n"
      "	csrw	sie, t1\n"
      "	li	a0, 0x1000\n"
      TELL("a0")
      "1:	wfi\n"
      "	csrr	t1, sip\n"
      "	andi	t1, t1, 0x200\n"
      "	beqz	t1, 1b\n"
      "	lw	a0, 4(t3)\n"			/* claim */
      TELL("a0")
      "	sw	a0, 4(t3)\n"			/* complete */
      "	j	1b\n");

/* The guest has its interrupts on and waits. */
static void start_interrupts(void)
{
	start();
	new_plic();
	vm_load(&vm, RAM_BASE, interrupts);
	ASSERT_EQ(0x1000, run_told(&vcpu), "the guest's first word");
}

/* Nothing is pending: the guest sleeps until a timer kicks it out. */
static void expect_quiet(const char *when)
{
	struct itimerval it = { .it_value.tv_usec = 100000 };
	struct sigaction sa = { .sa_handler = on_kick };
	int ret;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	ret = vcpu_run(&vcpu);
	EXPECT(ret == -EINTR, "%s: expected a guest that sleeps, seen %s", when,
	       exit_text(&vcpu, ret));
}

TEST(irqfd_interrupts)
{
	int e = event(), other = event();

	start_interrupts();
	ASSERT_ERRNO(0, irqfd(e, 5, 0));
	ASSERT_ERRNO(0, irqfd(other, 6, 0));
	for (int i = 0; i < 5; i++) {
		signal_event(i % 2 ? e : other);
		EXPECT_EQ(i % 2 ? 5 : 6, run_told(&vcpu), "the source that the guest claims");
	}
	EXPECT_EQ(0, count(e), "what is left in the eventfd");
	expect_quiet("after five");
	/* Signalled before it became an irqfd: not lost. */
	ASSERT_ERRNO(0, irqfd(e, 5, KVM_IRQFD_FLAG_DEASSIGN));
	signal_event(e);
	expect_quiet("after its end");
	ASSERT_ERRNO(0, irqfd(e, 5, 0));
	EXPECT_EQ(5, run_told(&vcpu), "a signal from before");
	/* The last descriptor goes, and with it the irqfd. */
	signal_event(e);
	close(e);
	EXPECT_EQ(5, run_told(&vcpu), "a signal just before the close");
	expect_quiet("after the close");
	/* Another eventfd, perhaps at the same address. */
	for (int i = 0; i < 50; i++) {
		e = event();
		ASSERT_ERRNO(0, irqfd(e, 5, 0));
		close(e);
	}
	signal_event(other);
	EXPECT_EQ(6, run_told(&vcpu), "the other source");
}

/* An ioeventfd that is an irqfd, too: a store of the guest interrupts it. */
GUEST(doorbell,
      GUEST_PORT
      "	li	t0, 0xc000000\n"
      "	li	t1, 1\n"
      "	sw	t1, 20(t0)\n"
      "	li	t2, 0xc002000\n"
      "	li	t1, 0x20\n"
      "	sw	t1, 0(t2)\n"
      "	li	t3, 0xc200000\n"
      "	sw	zero, 0(t3)\n"
      "	li	t1, 0x200\n"
      "	csrw	sie, t1\n"
      "	li	t4, 0x20000000\n"
      "	li	t5, 0\n"
      "1:	sw	zero, 0(t4)\n"
      "2:	wfi\n"
      "	csrr	t1, sip\n"
      "	andi	t1, t1, 0x200\n"
      "	beqz	t1, 2b\n"
      "	lw	a0, 4(t3)\n"
      "	sw	a0, 4(t3)\n"
      "	addi	t5, t5, 1\n"
      "	li	t1, 1000\n"
      "	bne	t5, t1, 1b\n"
      TELL("t5") STOP);

TEST(doorbell_to_itself)
{
	int e = event();

	start();
	new_plic();
	ASSERT_ERRNO(0, ioev(e, DEV, 4, 0, 0));
	ASSERT_ERRNO(0, irqfd(e, 5, 0));
	vm_load(&vm, RAM_BASE, doorbell);
	EXPECT_EQ(1000, run_told(&vcpu), "interrupts from its own stores");
}

/* Signals that race with the end of irqfd, VM and eventfd. */
static void *signaller(void *arg)
{
	int *fd = arg;
	u64 one = 1;

	while (__atomic_load_n(fd, __ATOMIC_ACQUIRE) >= 0)
		if (write(*fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			break;
	return NULL;
}

TEST(irqfd_races)
{
	pthread_t thread;
	int fd = event(), e = fd;

	ASSERT(!pthread_create(&thread, NULL, signaller, &fd), "pthread_create");
	for (int i = 0; i < 30; i++) {
		start();
		new_plic();
		ASSERT_ERRNO(0, irqfd(e, 5, 0));
		if (i % 3 == 0)
			ASSERT_ERRNO(0, irqfd(e, 5, KVM_IRQFD_FLAG_DEASSIGN));
		if (i % 3 == 1)
			vcpu_close(&vcpu);
		vm_close(&vm);
		if (i % 3 != 1)
			vcpu_close(&vcpu);
	}
	__atomic_store_n(&fd, -1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/* --- routing --------------------------------------------------------------------------- */

struct table {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry e[4];
};

static int route(struct table *t, u32 nr)
{
	t->head.nr = nr;
	return ioctl(vm.fd, KVM_SET_GSI_ROUTING, t);
}

static struct kvm_irq_routing_entry pin(u32 gsi, u32 n)
{
	return (struct kvm_irq_routing_entry) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip.pin = n,
	};
}

TEST(routing_arguments)
{
	struct table t = {};

	start();
	t.e[0] = pin(5, 5);
	EXPECT_ERRNO(EINVAL, route(&t, 1));
	new_plic();
	EXPECT_ERRNO(EFAULT, ioctl(vm.fd, KVM_SET_GSI_ROUTING, (void *)8));
	EXPECT_ERRNO(EINVAL, route(&t, 4097));
	t.head.flags = 1;
	EXPECT_ERRNO(EINVAL, route(&t, 1));
	t.head.flags = 0;
	t.e[1] = pin(4096, 6);
	EXPECT_ERRNO(EINVAL, route(&t, 2));
	t.e[1] = pin(6, 1024);
	EXPECT_ERRNO(EINVAL, route(&t, 2));
	t.e[1] = pin(5, 6);
	EXPECT_ERRNO(EINVAL, route(&t, 2));
	t.e[1] = pin(6, 6);
	t.e[1].u.irqchip.irqchip = 1;
	EXPECT_ERRNO(EINVAL, route(&t, 2));
	t.e[1] = pin(6, 6);
	t.e[1].flags = 1;
	EXPECT_ERRNO(EINVAL, route(&t, 2));
	t.e[1] = pin(6, 6);
	t.e[1].type = KVM_IRQ_ROUTING_MSI;
	EXPECT_ERRNO(EINVAL, route(&t, 2));
	t.e[1].type = 77;
	EXPECT_ERRNO(EINVAL, route(&t, 2));
	EXPECT_ERRNO(0, route(&t, 1));
	EXPECT_ERRNO(0, route(&t, 0));
}

TEST(routing)
{
	struct table t = {};
	int e = event();

	start_interrupts();
	ASSERT_ERRNO(0, irqfd(e, 4095, 0));
	/* GSI 4095 is no pin yet. */
	signal_event(e);
	expect_quiet("no such pin");
	t.e[0] = pin(4095, 5);
	t.e[1] = pin(6, 5);
	ASSERT_ERRNO(0, route(&t, 2));
	signal_event(e);
	EXPECT_EQ(5, run_told(&vcpu), "the pin of GSI 4095");
	/* KVM_IRQ_LINE names a pin. */
	ASSERT_ERRNO(0, line(6, 1));
	EXPECT_EQ(6, run_told(&vcpu), "pin 6");
	ASSERT_ERRNO(0, line(6, 0));
	t.e[0] = pin(4095, 6);
	ASSERT_ERRNO(0, route(&t, 1));
	signal_event(e);
	EXPECT_EQ(6, run_told(&vcpu), "the new pin of GSI 4095");
	ASSERT_ERRNO(0, route(&t, 0));
	signal_event(e);
	expect_quiet("an empty table");
}

HARNESS_MAIN
