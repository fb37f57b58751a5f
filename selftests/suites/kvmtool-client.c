// SPDX-License-Identifier: GPL-2.0
/*
 * A KVM client in the manner of kvmtool (`lkvm run`): its machine, its calls and
 * no others, in its order, as they were traced. What it adds to kvmtool's
 * behaviour is that it checks more: an answer that kvmtool would not survive, or
 * an exit that it does not know, ends it with a message and status 1.
 *
 *	kvmtool-client KERNEL INITRD CPUS DIR TEXT COMMAND-LINE...
 *
 * The machine: RAM from 0x80000000, the kernel's image 2 MiB into it, initrd and
 * device tree at its end; a PLIC at 0x08000000 and four 8250s from 0x10000000 in
 * user space. What the 8250s send goes to DIR/ttyS0 .. ttyS3; when the guest has
 * sent "ready" on ttyS1, TEXT is typed at ttyS3, by a thread that is not a
 * vCPU's. Status 0 when the guest powers off.
 *
 * selftests/suites/kvmtool boots Debian's kernel with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../vdev/plic.h"
#include "../../vdev/uart16550.h"

#define RAM_BASE	0x80000000ul
#define RAM_SIZE	(256ul << 20)
#define KERNEL_OFFSET	(2ul << 20)
#define FDT_MAX		(64ul << 10)
#define PLIC_BASE	0x08000000ul
#define PLIC_SIZE	0x04000000ul
#define PLIC_SOURCES	31
#define UART_BASE	0x10000000ul
#define UART_STRIDE	0x1000ul
#define UARTS		4
#define MAX_CPUS	32
#define PHANDLE_PLIC	1
#define PHANDLE_CPU(n)	(2 + (n))

struct cpu {
	int fd;
	unsigned int id;
	struct kvm_run *run;
	struct kvm_coalesced_mmio_ring *ring;
	pthread_t thread;
};

static struct cpu cpus[MAX_CPUS];
static unsigned int nr_cpus;
static int kvm, vm;
static unsigned char *ram;

/* All devices, and what they have sent. */
static pthread_mutex_t devices = PTHREAD_MUTEX_INITIALIZER;
static struct umbra_plic *plic;
static struct umbra_uart uart[UARTS];
static FILE *sent[UARTS];
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static bool is_ready;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "kvmtool-client: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/* An ioctl that may not fail. */
static int must(int fd, const char *name, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	if (ret < 0)
		die("%s: %s", name, strerror(errno));
	return ret;
}

#define MUST(fd, cmd, arg) must(fd, #cmd, cmd, (void *)(unsigned long)(arg))

/* --- registers ---------------------------------------------------------------- */

#define REG(kind, n)	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_##kind | (n))
#define CONFIG(name)	REG(CONFIG, KVM_REG_RISCV_CONFIG_REG(name))
#define CORE(name)	REG(CORE, KVM_REG_RISCV_CORE_REG(name))

static bool try_get(struct cpu *cpu, __u64 id, unsigned long *val)
{
	struct kvm_one_reg reg = { .id = id, .addr = (unsigned long)val };

	return !ioctl(cpu->fd, KVM_GET_ONE_REG, &reg);
}

static unsigned long get(struct cpu *cpu, __u64 id)
{
	unsigned long val;

	if (!try_get(cpu, id, &val))
		die("KVM_GET_ONE_REG %#llx: %s", (unsigned long long)id, strerror(errno));
	return val;
}

static void set(struct cpu *cpu, __u64 id, unsigned long val)
{
	struct kvm_one_reg reg = { .id = id, .addr = (unsigned long)&val };

	if (ioctl(cpu->fd, KVM_SET_ONE_REG, &reg))
		die("KVM_SET_ONE_REG %#llx: %s", (unsigned long long)id, strerror(errno));
}

/* --- devices -------------------------------------------------------------------- */

/* Called with the devices' lock, by whatever thread: vCPUs, and the one that types. */
static void plic_pin(void *opaque, u32 context, bool level)
{
	unsigned int irq = level ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET;

	(void)opaque;
	/* Even contexts are those of M-mode, which has no wire. */
	if (context % 2)
		MUST(cpus[context / 2].fd, KVM_INTERRUPT, &irq);
}

static void uart_update(unsigned int n)
{
	u8 ch;

	while (umbra_uart__tx_pop(&uart[n], &ch)) {
		static const char word[] = "ready";
		static unsigned int matched;

		putc(ch, sent[n]);
		if (n != 1 || is_ready)
			continue;
		matched = ch == word[matched] ? matched + 1 : ch == word[0];
		if (!word[matched]) {
			is_ready = true;
			pthread_cond_signal(&ready);
		}
	}
	fflush(sent[n]);
	umbra_plic__set_level(plic, n + 1, umbra_uart__irq(&uart[n]));
}

static void mmio(u64 addr, u8 *data, unsigned int len, bool write)
{
	u32 val = 0;

	pthread_mutex_lock(&devices);
	memcpy(&val, data, len < 4 ? len : 4);
	if (addr - PLIC_BASE < PLIC_SIZE) {
		if (write)
			umbra_plic__write(plic, (u32)(addr - PLIC_BASE), val);
		else
			val = umbra_plic__read(plic, (u32)(addr - PLIC_BASE));
	} else if (addr - UART_BASE < UARTS * UART_STRIDE) {
		unsigned int n = (addr - UART_BASE) / UART_STRIDE;
		unsigned int reg = addr % UART_STRIDE % 8;

		if (write)
			umbra_uart__write(&uart[n], reg, (u8)val);
		else
			val = umbra_uart__read(&uart[n], reg);
		uart_update(n);
	} else {
		/* As kvmtool: nobody is there. */
		fprintf(stderr, "kvmtool-client: %s of %u bytes at %#llx\n",
			write ? "store" : "load", len, (unsigned long long)addr);
		val = 0;
	}
	if (!write) {
		memset(data, 0, len);
		memcpy(data, &val, len < 4 ? len : 4);
	}
	pthread_mutex_unlock(&devices);
}

/* --- vCPUs ------------------------------------------------------------------------ */

/* What went to the console by the SBI is to be read when the guest hangs, too. */
static void console(const void *text, size_t len)
{
	pthread_mutex_lock(&devices);
	fwrite(text, 1, len, sent[0]);
	fflush(sent[0]);
	pthread_mutex_unlock(&devices);
}

static void sbi_call(struct kvm_run *run)
{
	unsigned long *ret = run->riscv_sbi.ret, *args = run->riscv_sbi.args;

	switch (run->riscv_sbi.extension_id) {
	case 1:				/* putchar */
		console(&args[0], 1);
		ret[0] = 0;
		return;
	case 2:				/* getchar: nothing */
		ret[0] = -1ul;
		return;
	case 0x4442434e:		/* DBCN: write, read, write a byte */
		ret[0] = 0;
		ret[1] = 0;
		if (run->riscv_sbi.function_id == 0) {
			if (args[1] < RAM_BASE || args[0] > RAM_SIZE ||
			    args[1] - RAM_BASE > RAM_SIZE - args[0])
				die("DBCN: %#lx bytes at %#lx", args[0], args[1]);
			console(ram + (args[1] - RAM_BASE), args[0]);
			ret[1] = args[0];
		} else if (run->riscv_sbi.function_id == 2) {
			console(&args[0], 1);
		}
		return;
	}
	die("SBI call %#lx", run->riscv_sbi.extension_id);
}

/* Stores that waited in the ring come first. */
static void coalesced(struct cpu *cpu)
{
	struct kvm_coalesced_mmio_ring *ring = cpu->ring;
	unsigned int max = (sysconf(_SC_PAGESIZE) - sizeof(*ring)) /
			   sizeof(ring->coalesced_mmio[0]);

	while (ring->first != ring->last) {
		struct kvm_coalesced_mmio *m = &ring->coalesced_mmio[ring->first];

		mmio(m->phys_addr, m->data, m->len, true);
		ring->first = (ring->first + 1) % max;
	}
}

static void *cpu_thread(void *arg)
{
	struct cpu *cpu = arg;
	struct kvm_run *run = cpu->run;

	for (;;) {
		if (ioctl(cpu->fd, KVM_RUN, 0) && errno != EINTR && errno != EAGAIN)
			die("KVM_RUN: %s", strerror(errno));
		coalesced(cpu);
		switch (run->exit_reason) {
		case KVM_EXIT_UNKNOWN:
		case KVM_EXIT_INTR:
			break;
		case KVM_EXIT_MMIO:
			mmio(run->mmio.phys_addr, run->mmio.data, run->mmio.len,
			     run->mmio.is_write);
			break;
		case KVM_EXIT_RISCV_SBI:
			sbi_call(run);
			break;
		case KVM_EXIT_RISCV_CSR:
			if (run->riscv_csr.csr_num != 0x15)
				die("CSR %#lx", run->riscv_csr.csr_num);
			/* seed: 16 bits of entropy, state ES16 */
			if (getrandom(&run->riscv_csr.ret_value, 2, 0) != 2)
				die("getrandom: %s", strerror(errno));
			run->riscv_csr.ret_value = (run->riscv_csr.ret_value & 0xffff) |
						   2ul << 30;
			break;
		case KVM_EXIT_SYSTEM_EVENT:
			if (run->system_event.type != KVM_SYSTEM_EVENT_SHUTDOWN)
				die("system event %u", run->system_event.type);
			pthread_mutex_lock(&devices);
			for (unsigned int i = 0; i < UARTS; i++)
				fclose(sent[i]);
			_exit(0);
		default:
			die("exit reason %u of vCPU %u", run->exit_reason, cpu->id);
		}
	}
	return NULL;
}

/* KVM_CREATE_VCPU and what kvmtool does around it. */
static void cpu_create(unsigned int id)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = UART_BASE, .size = 8 };
	struct cpu *cpu = &cpus[id];
	int size = MUST(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), offset;
	unsigned long isa;

	cpu->id = id;
	cpu->fd = MUST(vm, KVM_CREATE_VCPU, id);
	isa = get(cpu, CONFIG(isa));
	set(cpu, CONFIG(isa), isa);
	cpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED)
		die("mmap of a vCPU: %s", strerror(errno));
	offset = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	if (offset <= 0)
		die("no coalesced MMIO");
	cpu->ring = (void *)cpu->run + offset * sysconf(_SC_PAGESIZE);
	/* A zone that was never registered: whatever comes of it. */
	ioctl(vm, KVM_UNREGISTER_COALESCED_MMIO, &zone);
	set(cpu, KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_SBI_EXT |
	    KVM_REG_RISCV_SBI_SINGLE | KVM_RISCV_SBI_EXT_DBCN, 1);
}

/* The others are stopped, and start by HSM. */
static void cpu_reset(struct cpu *cpu, unsigned long fdt)
{
	struct kvm_mp_state mp;

	MUST(cpu->fd, KVM_GET_MP_STATE, &mp);
	if (mp.mp_state == KVM_MP_STATE_STOPPED)
		return;
	if (cpu->id)
		die("vCPU %u is not stopped", cpu->id);
	set(cpu, CORE(regs.pc), RAM_BASE + KERNEL_OFFSET);
	set(cpu, CORE(regs.a0), cpu->id);
	set(cpu, CORE(regs.a1), fdt);
}

/* --- the device tree ----------------------------------------------------------------- */

static void *fdt;

/* The sequential writer remembers nothing: every call is looked at. */
static void ok(int err)
{
	if (err)
		die("device tree: %s", fdt_strerror(err));
}

static void prop_reg(unsigned long base, unsigned long size)
{
	fdt64_t reg[2] = { cpu_to_fdt64(base), cpu_to_fdt64(size) };

	ok(fdt_property(fdt, "reg", reg, sizeof(reg)));
}

#define EXT(name, upper) { name, KVM_RISCV_ISA_EXT_##upper }
static const struct { const char *name; unsigned int id; } multi[] = {
	EXT("smstateen", SMSTATEEN), EXT("ssaia", SSAIA), EXT("sscofpmf", SSCOFPMF),
	EXT("sstc", SSTC), EXT("svinval", SVINVAL), EXT("svnapot", SVNAPOT),
	EXT("svpbmt", SVPBMT), EXT("zacas", ZACAS), EXT("zawrs", ZAWRS), EXT("zba", ZBA),
	EXT("zbb", ZBB), EXT("zbc", ZBC), EXT("zbkb", ZBKB), EXT("zbkc", ZBKC),
	EXT("zbkx", ZBKX), EXT("zbs", ZBS), EXT("zca", ZCA), EXT("zcb", ZCB),
	EXT("zcd", ZCD), EXT("zcf", ZCF), EXT("zcmop", ZCMOP), EXT("zfa", ZFA),
	EXT("zfh", ZFH), EXT("zfhmin", ZFHMIN), EXT("zicbom", ZICBOM),
	EXT("zicboz", ZICBOZ), EXT("zicntr", ZICNTR), EXT("zicond", ZICOND),
	EXT("zicsr", ZICSR), EXT("zifencei", ZIFENCEI), EXT("zihintntl", ZIHINTNTL),
	EXT("zihintpause", ZIHINTPAUSE), EXT("zihpm", ZIHPM), EXT("zimop", ZIMOP),
	EXT("zknd", ZKND), EXT("zkne", ZKNE), EXT("zknh", ZKNH), EXT("zkr", ZKR),
	EXT("zksed", ZKSED), EXT("zksh", ZKSH), EXT("zkt", ZKT), EXT("ztso", ZTSO),
	EXT("zvbb", ZVBB), EXT("zvbc", ZVBC), EXT("zvfh", ZVFH), EXT("zvfhmin", ZVFHMIN),
	EXT("zvkt", ZVKT),
};

static void write_cpu(struct cpu *cpu)
{
	static const char letters[] = "imafdqcbvh";
	unsigned long isa = get(cpu, CONFIG(isa)), mode = 0, val;
	char name[32], text[1024] = "rv64", *at = text + 4;

	for (const char *l = letters; *l; l++)
		if (isa >> (*l - 'a') & 1)
			*at++ = *l;
	for (unsigned int i = 0; i < ARRAY_SIZE(multi); i++) {
		/* An error means that there is no such thing. */
		if (!try_get(cpu, REG(ISA_EXT, multi[i].id), &val) || !val)
			continue;
		strcat(text, "_");
		strcat(text, multi[i].name);
	}
	snprintf(name, sizeof(name), "cpu@%x", cpu->id);
	ok(fdt_begin_node(fdt, name));
	ok(fdt_property_string(fdt, "device_type", "cpu"));
	ok(fdt_property_string(fdt, "compatible", "riscv"));
	if (try_get(cpu, CONFIG(satp_mode), &mode))
		ok(fdt_property_string(fdt, "mmu-type", mode == 10 ? "riscv,sv57" :
				       mode == 9 ? "riscv,sv48" :
				       mode == 8 ? "riscv,sv39" : "riscv,none"));
	ok(fdt_property_string(fdt, "riscv,isa", text));
	if (strstr(text, "zicbom"))
		ok(fdt_property_u32(fdt, "riscv,cbom-block-size",
				    get(cpu, CONFIG(zicbom_block_size))));
	if (strstr(text, "zicboz"))
		ok(fdt_property_u32(fdt, "riscv,cboz-block-size",
				    get(cpu, CONFIG(zicboz_block_size))));
	ok(fdt_property_u32(fdt, "reg", cpu->id));
	ok(fdt_property_string(fdt, "status", "okay"));
	ok(fdt_begin_node(fdt, "interrupt-controller"));
	ok(fdt_property_string(fdt, "compatible", "riscv,cpu-intc"));
	ok(fdt_property_u32(fdt, "#interrupt-cells", 1));
	ok(fdt_property(fdt, "interrupt-controller", NULL, 0));
	ok(fdt_property_u32(fdt, "phandle", PHANDLE_CPU(cpu->id)));
	ok(fdt_end_node(fdt));
	ok(fdt_end_node(fdt));
}

static void write_plic(void)
{
	fdt32_t *cell;

	ok(fdt_begin_node(fdt, "interrupt-controller@08000000"));
	ok(fdt_property_string(fdt, "compatible", "riscv,plic0"));
	prop_reg(PLIC_BASE, PLIC_SIZE);
	ok(fdt_property_u32(fdt, "#interrupt-cells", 1));
	ok(fdt_property_u32(fdt, "#address-cells", 0));
	ok(fdt_property(fdt, "interrupt-controller", NULL, 0));
	ok(fdt_property_u32(fdt, "riscv,max-priority", UMBRA_PLIC_PRIORITIES - 1));
	ok(fdt_property_u32(fdt, "riscv,ndev", PLIC_SOURCES));
	ok(fdt_property_u32(fdt, "phandle", PHANDLE_PLIC));
	ok(fdt_property_placeholder(fdt, "interrupts-extended", nr_cpus * 16, (void **)&cell));
	for (unsigned int i = 0; i < nr_cpus; i++) {
		/* M-mode's context is nobody's. */
		*cell++ = cpu_to_fdt32(PHANDLE_CPU(i));
		*cell++ = cpu_to_fdt32(0xffffffff);
		*cell++ = cpu_to_fdt32(PHANDLE_CPU(i));
		*cell++ = cpu_to_fdt32(9);
	}
	ok(fdt_end_node(fdt));
}

static void write_uart(unsigned int n)
{
	unsigned long base = UART_BASE + n * UART_STRIDE;
	char name[32];

	snprintf(name, sizeof(name), "U6_16550A@%lx", base);
	ok(fdt_begin_node(fdt, name));
	ok(fdt_property_string(fdt, "compatible", "ns16550a"));
	prop_reg(base, 8);
	ok(fdt_property_u32(fdt, "interrupts", n + 1));
	ok(fdt_property_u32(fdt, "clock-frequency", 1843200));
	ok(fdt_end_node(fdt));
}

static void write_fdt(const char *args, unsigned long initrd, unsigned long initrd_end)
{
	ok(fdt_create(fdt, FDT_MAX));
	ok(fdt_finish_reservemap(fdt));
	ok(fdt_begin_node(fdt, ""));
	ok(fdt_property_string(fdt, "compatible", "linux,dummy-virt"));
	ok(fdt_property_u32(fdt, "#address-cells", 2));
	ok(fdt_property_u32(fdt, "#size-cells", 2));

	ok(fdt_begin_node(fdt, "chosen"));
	ok(fdt_property_string(fdt, "bootargs", args));
	ok(fdt_property_u64(fdt, "linux,initrd-start", initrd));
	ok(fdt_property_u64(fdt, "linux,initrd-end", initrd_end));
	ok(fdt_end_node(fdt));

	ok(fdt_begin_node(fdt, "memory@80000000"));
	ok(fdt_property_string(fdt, "device_type", "memory"));
	prop_reg(RAM_BASE, RAM_SIZE);
	ok(fdt_end_node(fdt));

	ok(fdt_begin_node(fdt, "cpus"));
	ok(fdt_property_u32(fdt, "#address-cells", 1));
	ok(fdt_property_u32(fdt, "#size-cells", 0));
	ok(fdt_property_u32(fdt, "timebase-frequency",
			    get(&cpus[0], REG(TIMER, KVM_REG_RISCV_TIMER_REG(frequency)))));
	for (unsigned int i = 0; i < nr_cpus; i++)
		write_cpu(&cpus[i]);
	ok(fdt_end_node(fdt));

	ok(fdt_begin_node(fdt, "smb"));
	ok(fdt_property_string(fdt, "compatible", "simple-bus"));
	ok(fdt_property_u32(fdt, "#address-cells", 2));
	ok(fdt_property_u32(fdt, "#size-cells", 2));
	ok(fdt_property_u32(fdt, "interrupt-parent", PHANDLE_PLIC));
	ok(fdt_property(fdt, "ranges", NULL, 0));
	write_plic();
	for (unsigned int i = 0; i < UARTS; i++)
		write_uart(i);
	ok(fdt_end_node(fdt));

	ok(fdt_end_node(fdt));
	ok(fdt_finish(fdt));
}

/* --- the machine ------------------------------------------------------------------------ */

static size_t load(const char *path, unsigned char *at, size_t room)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	if ((size_t)st.st_size > room)
		die("%s does not fit", path);
	for (size_t done = 0; done < (size_t)st.st_size;) {
		ssize_t n = read(fd, at + done, st.st_size - done);

		if (n <= 0)
			die("%s: %s", path, n ? strerror(errno) : "it shrank");
		done += n;
	}
	close(fd);
	return st.st_size;
}

static void open_kvm(void)
{
	struct kvm_create_device aia = {
		.type = KVM_DEV_TYPE_RISCV_AIA, .flags = KVM_CREATE_DEVICE_TEST,
	};
	struct kvm_userspace_memory_region mem = {
		.guest_phys_addr = RAM_BASE, .memory_size = RAM_SIZE,
	};

	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0)
		die("/dev/kvm: %s", strerror(errno));
	if (MUST(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		die("another version of KVM's interface");
	vm = MUST(kvm, KVM_CREATE_VM, 0);
	if (MUST(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ONE_REG) <= 0)
		die("KVM_CAP_ONE_REG is missing");
	/* With an in-kernel AIA there would be no PLIC. */
	if (!ioctl(vm, KVM_CREATE_DEVICE, &aia))
		die("an AIA, which this client does not know");
	if (errno != ENODEV)
		die("KVM_CREATE_DEVICE of an AIA: %s", strerror(errno));
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED)
		die("mmap of RAM: %s", strerror(errno));
	mem.userspace_addr = (unsigned long)ram;
	MUST(vm, KVM_SET_USER_MEMORY_REGION, &mem);
}

/* The thread that is not a vCPU's: kvmtool's terminal. */
static void type(const char *text)
{
	pthread_mutex_lock(&devices);
	while (!is_ready)
		pthread_cond_wait(&ready, &devices);
	pthread_mutex_unlock(&devices);
	while (*text) {
		pthread_mutex_lock(&devices);
		if (umbra_uart__rx_room(&uart[3])) {
			umbra_uart__rx_push(&uart[3], *text++, 0);
			umbra_uart__rx_idle(&uart[3]);
			uart_update(3);
		}
		pthread_mutex_unlock(&devices);
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	unsigned long initrd, initrd_end, fdt_at;
	char args[1024] = "";
	size_t kernel_end;

	if (argc < 7)
		die("usage: kvmtool-client KERNEL INITRD CPUS DIR TEXT COMMAND-LINE...");
	nr_cpus = strtoul(argv[3], NULL, 10);
	if (!nr_cpus || nr_cpus > MAX_CPUS)
		die("%s CPUs", argv[3]);
	for (int i = 6; i < argc; i++)
		snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s%s",
			 i > 6 ? " " : "", argv[i]);
	open_kvm();

	plic = calloc(1, umbra_plic__bytes(2 * nr_cpus));
	if (!plic || umbra_plic__init(plic, PLIC_SOURCES, 2 * nr_cpus, plic_pin, NULL))
		die("no PLIC");
	for (unsigned int i = 0; i < UARTS; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/ttyS%u", argv[4], i);
		sent[i] = fopen(path, "we");
		if (!sent[i])
			die("%s: %s", path, strerror(errno));
		umbra_uart__reset(&uart[i]);
	}
	for (unsigned int i = 0; i < nr_cpus; i++)
		cpu_create(i);

	/* Kernel, and from the end of RAM down the device tree and the initrd. */
	kernel_end = KERNEL_OFFSET + load(argv[1], ram + KERNEL_OFFSET, RAM_SIZE / 2);
	fdt_at = RAM_SIZE - FDT_MAX;
	fdt = ram + fdt_at;
	initrd = RAM_SIZE / 2 + (32ul << 20);
	if (kernel_end > initrd)
		die("%s does not fit", argv[1]);
	initrd_end = initrd + load(argv[2], ram + initrd, fdt_at - initrd);
	write_fdt(args, RAM_BASE + initrd, RAM_BASE + initrd_end);

	for (unsigned int i = 0; i < nr_cpus; i++) {
		cpu_reset(&cpus[i], RAM_BASE + fdt_at);
		if (pthread_create(&cpus[i].thread, NULL, cpu_thread, &cpus[i]))
			die("no thread");
	}
	type(argv[5]);
	pthread_join(cpus[0].thread, NULL);
	return 1;
}
