// SPDX-License-Identifier: GPL-2.0
/*
 * `umbra run`: build the machine, run it, say how it ended.
 *
 * A reset of the guest is the same as ending it and building it again, from
 * reading the kernel on: nothing of the old one is left to be forgotten.  But a
 * machine with an M-mode keeps its RAM, as QEMU's does: only what was loaded is
 * loaded again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <libfdt.h>

#include "boot.h"
#include "cmd.h"
#include "console.h"
#include "devices.h"
#include "disk.h"
#include "fdt.h"
#include "fw_cfg.h"
#include "kvm.h"
#include "memory.h"
#include "mrom.h"
#include "options.h"
#include "pflash.h"
#include "stats.h"
#include "vcpu.h"

struct guest {
	const struct run_options *opt;
	struct machine machine;
	struct vm vm;
	struct devices devices;
	struct boot boot;
	u8 *mrom;		/* MROM_SIZE bytes; NULL: there is none */
	struct fw_cfg fw_cfg;
};

/* What outlives a reset. */
struct kept {
	struct guest_ram ram;
	struct pflash pflash;
};

/* ---- device tree -------------------------------------------------------- */

static int make_layout(struct guest *g)
{
	const struct boot *b = &g->boot;
	char mem[32], initrd[32], kernel[32];

	if (!machine_layout(&g->machine, b->end, b->initrd_size,
			    fdt_bound(&g->machine)))
		return 0;
	return fail(STATUS_DATA, "kernel (%s) and initrd (%s) do not fit the guest's memory of %s; give more --memory",
		    format_size(ALIGN_UP(b->end - RAM_BASE, KIB), kernel,
				sizeof(kernel)),
		    format_size(ALIGN_UP(b->initrd_size, KIB), initrd,
				sizeof(initrd)),
		    format_size(g->machine.ram_size, mem, sizeof(mem)));
}

static int make_dtb(struct guest *g, void *buf, size_t size)
{
	int ret = fdt_build(&g->machine, buf, size);

	if (ret)
		return fail(STATUS_SYSTEM, "cannot make the device tree: libfdt says %s; please report this",
			    fdt_error(ret));
	return 0;
}

static int dump_dtb(struct guest *g)
{
	const char *path = g->opt->dump_dtb;
	size_t size = fdt_bound(&g->machine);
	void *buf = calloc(1, size);
	int fd = STDOUT_FILENO, ret;

	if (!buf)
		return fail(STATUS_SYSTEM, "no memory for the device tree; free some");
	ret = make_dtb(g, buf, size);
	if (ret)
		goto out;
	if (strcmp(path, "-")) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0) {
			ret = fail(STATUS_NOINPUT, "--dump-dtb '%s': cannot write it: %s; choose another path",
				   path, strerror(errno));
			goto out;
		}
	}
	ret = write_full(fd, buf, fdt_totalsize(buf));
	if (fd != STDOUT_FILENO && close(fd) && !ret)
		ret = -errno;
	if (ret)
		ret = fail(STATUS_NOINPUT, "--dump-dtb '%s': cannot write it: %s",
			   path, strerror(-ret));
out:
	free(buf);
	return ret;
}

/* ---- the machine -------------------------------------------------------- */

static int create_vcpus(struct guest *g)
{
	const struct run_options *opt = g->opt;
	struct vm *vm = &g->vm;
	int max, run_size, ret;

	max = kvm_cap(vm->kvm_fd, KVM_CAP_MAX_VCPUS);
	if (max > 0 && opt->cpus > (unsigned int)max)
		return fail(STATUS_UNAVAILABLE, "--cpus %u: this host runs guests with at most %d; give fewer",
			    opt->cpus, max);
	run_size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_size < (int)sizeof(struct kvm_run))
		return fail(STATUS_UNAVAILABLE, "the module's vCPU state has the wrong size; do module and launcher belong together? (`umbra check`)");

	vm->vcpus = calloc(opt->cpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return fail(STATUS_SYSTEM, "no memory for %u vCPUs; give fewer",
			    opt->cpus);
	for (unsigned int i = 0; i < opt->cpus; i++) {
		vm->nr_vcpus = i + 1;
		ret = vcpu_create(&vm->vcpus[i], vm, i, (size_t)run_size);
		if (ret)
			return ret;
		ret = vcpu_mmu_mode(&vm->vcpus[i], opt->satp_mode,
				    &g->machine.satp_mode);
		if (ret)
			return ret;
	}

	ret = vcpu_get_isa(&vm->vcpus[0], &g->machine.isa);
	if (!ret)
		ret = vcpu_get_timebase(&vm->vcpus[0], &g->machine.timebase);
	return ret;
}

static void *find_ram(void *opaque, u64 gpa, u64 len)
{
	return ram_ptr(opaque, gpa, len);
}

static void make_fw_cfg(struct guest *g)
{
	struct fw_cfg *c = &g->fw_cfg;
	const char *args = g->opt->append ? g->opt->append : "";
	struct mmio_window window = {
		.base = FW_CFG_BASE,
		.size = FW_CFG_SIZE,
		.access = fw_cfg_access,
		.opaque = c,
	};

	fw_cfg_init(c, find_ram, &g->vm.ram);
	fw_cfg_set_number(c, FW_CFG_RAM_SIZE, g->machine.ram_size, 8);
	fw_cfg_set_number(c, FW_CFG_NB_CPUS, g->machine.nr_cpus, 2);
	fw_cfg_set_number(c, FW_CFG_MAX_CPUS, g->machine.nr_cpus, 2);
	fw_cfg_set_number(c, FW_CFG_CMDLINE_SIZE, strlen(args) + 1, 4);
	fw_cfg_set(c, FW_CFG_CMDLINE_DATA, args, strlen(args) + 1);
	boot_offer(&g->boot, c);
	mmio_add(&g->vm.mmio, &window);
}

static int build(struct guest *g, struct pflash *pflash)
{
	const struct run_options *opt = g->opt;
	struct machine *m = &g->machine;
	struct vm *vm = &g->vm;
	int ret;

	m->m_mode = opt->bios;
	m->flash = opt->nr_pflash;
	m->fw_cfg = m->m_mode || m->flash;
	m->ram_size = opt->memory;
	m->nr_cpus = opt->cpus;
	m->nr_uarts = 1 + opt->nr_serial;
	m->bootargs = opt->append;
	m->disks = opt->disk;
	m->nr_disks = opt->nr_disks;
	for (unsigned int i = 0; i < MACHINE_MAX_DISKS; i++)
		m->disk_fd[i] = -1;
	if (getrandom(m->rng_seed, sizeof(m->rng_seed), 0) !=
	    (ssize_t)sizeof(m->rng_seed))
		return fail(STATUS_SYSTEM, "the host gives no random numbers: %s",
			    strerror(errno));

	ret = boot_open(&g->boot, opt);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < opt->nr_disks; i++) {
		ret = disk_open(&opt->disk[i], &m->disk_fd[i]);
		if (ret)
			return ret;
	}
	ret = make_layout(g);
	if (ret)
		return ret;
	ret = kvm_open(opt->device, &vm->kvm_fd);
	if (ret)
		return ret;
	ret = kvm_create_vm(vm->kvm_fd, &vm->vm_fd);
	if (ret)
		return ret;
	if (m->m_mode) {
		ret = kvm_enable_m_mode(vm->kvm_fd, vm->vm_fd);
		if (ret)
			return ret;
	}
	if (!vm->ram.hva) {
		ret = ram_alloc(&vm->ram, RAM_BASE, m->ram_size);
		if (ret)
			return ret;
	}
	ret = ram_register(&vm->ram, vm->vm_fd);
	if (ret)
		return ret;
	ret = devices_create(&g->devices, m, vm->vm_fd);
	if (ret)
		return ret;
	ret = pflash_attach(pflash, &vm->mmio, vm->vm_fd);
	if (ret)
		return ret;
	if (m->fw_cfg)
		make_fw_cfg(g);
	/* Outside RAM, devices and these windows: access faults. */
	ret = mmio_register(&vm->mmio, vm->vm_fd);
	return ret ? ret : create_vcpus(g);
}

static int make_mrom(struct guest *g)
{
	struct mrom_boot boot = {
		.start = boot_entry(&g->boot),
		.dtb = g->machine.dtb_addr,
		.next = boot_next(&g->boot),
	};
	void *rom;
	int ret;

	rom = mmap(NULL, MROM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rom == MAP_FAILED)
		return fail(STATUS_SYSTEM, "no memory for the reset ROM; free some");
	g->mrom = rom;
	mrom_build(g->mrom, &boot);
	ret = rom_register(SLOT_MROM, MROM_BASE, g->mrom, MROM_SIZE,
			   g->vm.vm_fd);
	if (ret)
		return fail(STATUS_UNAVAILABLE, "the module refuses the reset ROM: %s; do module and launcher belong together? (`umbra check`)",
			    strerror(-ret));
	return 0;
}

static int reset_vcpus(struct guest *g)
{
	struct vm *vm = &g->vm;
	int ret = 0;

	for (unsigned int i = 0; i < vm->nr_vcpus && !ret; i++)
		ret = g->machine.m_mode ?
		      vcpu_reset_machine(&vm->vcpus[i], MROM_BASE) :
		      vcpu_reset(&vm->vcpus[i], boot_entry(&g->boot),
				 g->machine.dtb_addr);
	return ret;
}

static int load(struct guest *g)
{
	struct vm *vm = &g->vm;
	size_t dtb_size = fdt_bound(&g->machine);
	int ret;

	ret = boot_load(&g->boot, &g->machine, &vm->ram);
	if (!ret)
		ret = make_dtb(g, ram_ptr(&vm->ram, g->machine.dtb_addr,
					  dtb_size), dtb_size);
	if (!ret && g->machine.m_mode)
		ret = make_mrom(g);
	/* What the guest gets by fw_cfg is ours to keep. */
	if (!g->machine.flash)
		boot_close(&g->boot);
	return ret ? ret : reset_vcpus(g);
}

static void destroy(struct guest *g)
{
	struct vm *vm = &g->vm;

	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		vcpu_destroy(&vm->vcpus[i]);
	free(vm->vcpus);
	vm->vcpus = NULL;
	vm->nr_vcpus = 0;
	devices_destroy(&g->devices);
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	ram_free(&vm->ram);
	if (g->mrom)
		munmap(g->mrom, MROM_SIZE);
	boot_close(&g->boot);
	for (unsigned int i = 0; i < g->machine.nr_disks; i++)
		if (g->machine.disk_fd[i] >= 0)
			close(g->machine.disk_fd[i]);
	pthread_mutex_destroy(&vm->lock);
}

/* Run until something ends it.  Return: a status; vm.end says how. */
static int run_to_end(struct guest *g)
{
	struct vm *vm = &g->vm;
	int event = CONSOLE_STOPPED, ret = 0, stuck;

	console_attach(vm->console, g->devices.uart_fd);
	for (unsigned int i = 0; i < vm->nr_vcpus && !ret; i++)
		ret = vcpu_start(&vm->vcpus[i]);

	while (!ret) {
		event = console_loop(vm->console);
		if (event == CONSOLE_REGISTERS)
			vcpus_show_registers(vm);
		else if (event == CONSOLE_BREAK)
			devices_send_break(&g->devices);
		else
			break;
	}

	stuck = vcpus_stop(vm);
	if (stuck) {
		/* Its vCPU still uses what destroy() would take away. */
		console_close(vm->console);
		_exit(stuck);
	}
	console_drain(vm->console);
	console_detach(vm->console);

	if (vm->end == VM_RUNNING)
		vm->end = VM_STOPPED;
	if (event >= CONSOLE_SIGNAL)
		return STATUS_SIGNAL + event - CONSOLE_SIGNAL;
	return ret;
}

static int guest_status(u64 code)
{
	return code > 255 ? 255 : (int)code;
}

/*
 * One life of the guest.  @again: it asked to be started again.  @kept: what is
 * left of the one before, and is left for the next.
 */
static int run_once(const struct run_options *opt, struct console *con,
		    struct kept *kept, bool *again)
{
	struct guest guest = {
		.opt = opt,
		.boot = BOOT_NONE,
		.vm = {
			.kvm_fd = -1,
			.vm_fd = -1,
			.ram = kept->ram,
			.console = con,
			.want_registers = opt->registers,
			.lock = PTHREAD_MUTEX_INITIALIZER,
		},
	}, *g = &guest;
	int ret;

	*again = false;
	memset(&kept->ram, 0, sizeof(kept->ram));
	ret = build(g, &kept->pflash);
	if (ret || opt->dump_dtb) {
		if (!ret)
			ret = dump_dtb(g);
		goto out;
	}
	ret = load(g);
	if (!ret)
		ret = run_to_end(g);
	if (!ret && opt->stats)
		ret = stats_write(&g->vm, opt->stats);
	if (ret)
		goto out;

	switch (g->vm.end) {
	case VM_FAILED:
		say("the guest reported failure, code %" PRIu64, g->vm.code);
		ret = guest_status(g->vm.code);
		if (!ret)
			ret = STATUS_GUEST_DIED;
		break;
	case VM_POWEROFF:
		ret = guest_status(g->vm.code);
		break;
	case VM_RESET:
		*again = !opt->no_reboot;
		if (*again && g->machine.m_mode) {
			kept->ram = g->vm.ram;
			kept->ram.used = true;
			memset(&g->vm.ram, 0, sizeof(g->vm.ram));
		}
		break;
	case VM_DIED:
		write_full(STDERR_FILENO, g->vm.report, strlen(g->vm.report));
		ret = STATUS_GUEST_DIED;
		break;
	case VM_RUNNING:
	case VM_STOPPED:
		break;
	}
out:
	destroy(g);
	return ret;
}

int cmd_run(int argc, char **argv)
{
	struct run_options opt;
	static struct console con;
	struct kept kept = { .pflash = PFLASH_NONE };
	bool again;
	int ret;

	ret = run_options_parse(argc, argv, &opt);
	if (ret)
		return ret;
	if (opt.help) {
		fputs(run_help, stdout);
		return STATUS_OK;
	}
	if (opt.dump_dtb)
		return run_once(&opt, NULL, &kept, &again);

	ret = pflash_open(&kept.pflash, &opt);
	if (ret)
		goto out_pflash;
	ret = console_open(&con, opt.serial, opt.nr_serial);
	if (ret)
		goto out;
	do {
		ret = run_once(&opt, &con, &kept, &again);
	} while (again);
out:
	console_close(&con);
out_pflash:
	pflash_close(&kept.pflash);
	return ret;
}
