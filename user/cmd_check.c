// SPDX-License-Identifier: GPL-2.0
/*
 * `umbra check`: can this host run guests, and if not, why not.
 *
 * One function per item, in a table.  Each looks at one thing only, needs no
 * privilege where that is possible, and says "unknown" rather than guess.
 * The order is that of dependence: the first "not ok" is the one to see to.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../uapi/umbra.h"
#include "cmd.h"
#include "isa.h"
#include "kvm.h"
#include "options.h"
#include "util.h"

#define KERNEL_MAJOR	6
#define KERNEL_MINOR	12
#define MODULE_DIR	"/sys/module/umbra"

enum verdict { OK, NOT_OK, UNKNOWN };

struct report {
	char what[240];		/* what was found */
	char todo[240];		/* what to do about it; empty: nothing */
	const char *device;
};

static enum verdict found(struct report *r, enum verdict v,
			  const char *fmt, ...)
	__printf(3, 4);

static enum verdict found(struct report *r, enum verdict v,
			  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->what, sizeof(r->what), fmt, ap);
	va_end(ap);
	return v;
}

static void todo(struct report *r, const char *fmt, ...)
	__printf(2, 3);

static void todo(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->todo, sizeof(r->todo), fmt, ap);
	va_end(ap);
}

/* ---- reading what the host says of itself ------------------------------- */

/* First line of a small file, without its newline; false: not readable. */
static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(buf, (int)size, f);
	fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

/* The value of the first "key : value" line of /proc/cpuinfo. */
static bool cpuinfo(const char *key, char *buf, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	size_t n = strlen(key);
	char line[4096];
	bool ok = false;

	if (!f)
		return false;
	while (!ok && fgets(line, sizeof(line), f)) {
		const char *p = line + n;

		if (strncmp(line, key, n) || (*p != ' ' && *p != '\t' &&
					      *p != ':'))
			continue;
		p += strspn(p, " \t");
		if (*p++ != ':')
			continue;
		p += strspn(p, " \t");
		snprintf(buf, size, "%s", p);
		buf[strcspn(buf, "\n")] = '\0';
		ok = true;
	}
	fclose(f);
	return ok;
}

/*
 * What follows @key in the kernel's log, from the ring buffer (root, or
 * kernel.dmesg_restrict=0) or what the boot left in /var/log.
 */
static bool kernel_log(const char *key, char *buf, size_t size)
{
	static char *log;
	const char *p;
	size_t n;

	if (!log) {
		int room = klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0);
		int len = -1;

		if (room > 0) {
			log = calloc(1, (size_t)room + 1);
			if (!log)
				return false;
			len = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log,
				      room);
		}
		if (len < 0) {
			int fd = open("/var/log/dmesg", O_RDONLY | O_CLOEXEC);

			free(log);
			log = calloc(1, 256 * KIB);
			if (!log)
				return false;
			if (fd >= 0) {
				/* Short or failed: what came is a string. */
				if (read(fd, log, 256 * KIB - 1) < 0)
					*log = '\0';
				close(fd);
			}
		}
	}

	p = strstr(log, key);
	if (!p)
		return false;
	p += strlen(key);
	n = strcspn(p, "\n");
	snprintf(buf, size, "%.*s", (int)n, p);
	return true;
}

static bool module_param(const char *name, char *buf, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), MODULE_DIR "/parameters/%s", name);
	return read_line(path, buf, size);
}

static FILE *kernel_config(char *path, size_t size)
{
	static const char *const places[] = {
		"/boot/config-%s",
		"/lib/modules/%s/config",
		"/usr/lib/modules/%s/config",
		"/lib/modules/%s/build/.config",
	};
	struct utsname u;
	FILE *f;

	if (uname(&u))
		return NULL;
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path, size, places[i], u.release);
#pragma GCC diagnostic pop
		f = fopen(path, "re");
		if (f)
			return f;
	}
	return NULL;
}

/* ---- the items ---------------------------------------------------------- */

static enum verdict check_arch(struct report *r)
{
	struct utsname u;

	if (uname(&u))
		return found(r, UNKNOWN, "uname: %s", strerror(errno));
	if (!strcmp(u.machine, "riscv64"))
		return found(r, OK, "riscv64");
	todo(r, "run it on a 64-bit RISC-V machine; `make demo` shows it on an emulated one");
	return found(r, NOT_OK, "%s", u.machine);
}

static enum verdict check_kernel(struct report *r)
{
	unsigned int major, minor;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return found(r, UNKNOWN, "cannot tell the kernel's version");
	if (major > KERNEL_MAJOR ||
	    (major == KERNEL_MAJOR && minor >= KERNEL_MINOR))
		return found(r, OK, "Linux %s", u.release);
	todo(r, "boot Linux %d.%d or later", KERNEL_MAJOR, KERNEL_MINOR);
	return found(r, NOT_OK, "Linux %s", u.release);
}

static enum verdict check_config(struct report *r)
{
	/* What the module's build needs; KVM brings some hidden options. */
	static const struct {
		const char *option;
		bool wanted;
	} wants[] = {
		{ "CONFIG_KVM", true },
		{ "CONFIG_MODULES", true },
		{ "CONFIG_MMU_NOTIFIER", true },
		{ "CONFIG_PREEMPT_NOTIFIERS", true },
		{ "CONFIG_EVENTFD", true },
		{ "CONFIG_RISCV_SBI_SSE", false },
		{ "CONFIG_RISCV_SSE", false },
	};
	bool set[ARRAY_SIZE(wants)] = { false };
	char path[512], line[512], bad[160] = "";
	FILE *f = kernel_config(path, sizeof(path));

	if (!f) {
		todo(r, "nothing needed, if the module loads");
		return found(r, UNKNOWN, "the kernel's configuration is not in /boot or /lib/modules");
	}
	while (fgets(line, sizeof(line), f)) {
		for (unsigned int i = 0; i < ARRAY_SIZE(wants); i++) {
			size_t n = strlen(wants[i].option);

			if (!strncmp(line, wants[i].option, n) &&
			    line[n] == '=' &&
			    (line[n + 1] == 'y' || line[n + 1] == 'm'))
				set[i] = true;
		}
	}
	fclose(f);

	for (unsigned int i = 0; i < ARRAY_SIZE(wants); i++) {
		size_t n = strlen(bad);

		if (set[i] == wants[i].wanted)
			continue;
		snprintf(bad + n, sizeof(bad) - n, " %s=%s", wants[i].option,
			 wants[i].wanted ? "y" : "n");
	}
	if (!*bad)
		return found(r, OK, "%s has what the module needs", path);
	todo(r, "boot a kernel configured so (Debian's are)");
	return found(r, NOT_OK, "%s lacks%s", path, bad);
}

static enum verdict check_h(struct report *r)
{
	char isa[2048];

	if (!cpuinfo("isa", isa, sizeof(isa)))
		return found(r, UNKNOWN, "/proc/cpuinfo does not tell the ISA");
	if (!isa_string_has_letter(isa, 'h'))
		return found(r, OK, "absent: this is what Umbra is for");
	todo(r, "KVM (`modprobe kvm`) runs guests faster here");
	return found(r, OK, "present: this host does not need Umbra");
}

static enum verdict check_mode(struct report *r)
{
	char mmu[64], isa[32];

	if (!cpuinfo("mmu", mmu, sizeof(mmu)) &&
	    !module_param("host_mmu", mmu, sizeof(mmu)))
		return found(r, UNKNOWN, "/proc/cpuinfo does not tell the address mode");
	if (module_param("host_mmu", isa, sizeof(isa)) && strcmp(isa, mmu))
		return found(r, OK, "%s (the module says %s)", mmu, isa);
	if (!strcmp(mmu, "sv57"))
		return found(r, OK, "sv57: guests get sv48 unless --mmu asks otherwise");
	if (!strcmp(mmu, "sv48"))
		return found(r, OK, "sv48: guests get sv39 unless --mmu asks otherwise");
	if (!strcmp(mmu, "sv39"))
		return found(r, OK, "sv39: guests get the same mode, at some cost in speed");
	todo(r, "boot a kernel with an MMU");
	return found(r, NOT_OK, "'%s' is no mode Umbra knows", mmu);
}

static enum verdict check_asid(struct report *r)
{
	char text[128], used[8];

	if (module_param("asid_bits", text, sizeof(text)))
		return found(r, OK, "%s%s", text, module_param("asids", used, sizeof(used)) &&
			     used[0] == 'Y' ? "" : ", not used: guests run, with more TLB flushes");
	if (kernel_log("ASID allocator using ", text, sizeof(text)))
		return found(r, OK, "the kernel uses %s", text);
	if (kernel_log("ASID allocator disabled", text, sizeof(text)))
		return found(r, OK, "the kernel uses none: guests run, with more TLB flushes");
	todo(r, "nothing needed; root, or the loaded module, can tell");
	return found(r, UNKNOWN, "neither the module nor the kernel's log tells");
}

static enum verdict check_sbi(struct report *r)
{
	static const char *const names[] = {
		"Berkeley Boot Loader", "OpenSBI", "Xvisor", "KVM", "RustSBI",
		"Diosix", "Coffer", "Xen", "PolarFire HSS", "coreboot",
		"oreboot", "bhyve",
	};
	char text[128], spec[64] = "?";
	unsigned long id, version;
	const char *name;

	kernel_log("SBI specification v", spec, sizeof(spec));
	spec[strcspn(spec, " ")] = '\0';
	if (!kernel_log("SBI implementation ID=", text, sizeof(text)) ||
	    sscanf(text, "%lx Version=%lx", &id, &version) != 2) {
		todo(r, "nothing needed; root can read it in the kernel's log, if it still goes back to the boot");
		return found(r, UNKNOWN, "the kernel's log does not tell");
	}
	name = id < ARRAY_SIZE(names) ? names[id] :
	       id == UMBRA_SBI_IMPL_ID ? "Umbra (this is a guest)" : "unknown";
	if (id == 1)
		return found(r, OK, "OpenSBI %lu.%lu, SBI %s", version >> 16,
			     version & 0xffff, spec);
	return found(r, OK, "%s (id 0x%lx) version 0x%lx, SBI %s", name, id,
		     version, spec);
}

/* The module measures it at load, as medeleg cannot be read. */
static enum verdict check_delegation(struct report *r)
{
	char text[128];

	if (module_param("deleg", text, sizeof(text)))
		return found(r, OK, "%s", text);
	todo(r, "load the module: it measures that");
	return found(r, UNKNOWN, "what the firmware delegates cannot be read");
}

static enum verdict check_rival(struct report *r)
{
	char users[32];

	if (access("/sys/module/kvm", F_OK))
		return found(r, OK, "none");
	/* Built into the kernel, or not taking a hart's H: harmless. */
	if (access("/sys/module/kvm/refcnt", F_OK) && access("/dev/kvm", F_OK))
		return found(r, OK, "KVM is in the kernel but not active");
	if (read_line("/sys/module/kvm/refcnt", users, sizeof(users)) &&
	    !strcmp(users, "0")) {
		todo(r, "`rmmod kvm`, or use KVM");
		return found(r, NOT_OK, "KVM is loaded (and unused)");
	}
	todo(r, "end KVM's guests and `rmmod kvm`, or stay with KVM");
	return found(r, NOT_OK, "KVM is active");
}

static enum verdict check_module(struct report *r)
{
	char version[64], rewrite[16];

	if (access(MODULE_DIR, F_OK)) {
		todo(r, "`modprobe umbra` as root (or insmod umbra.ko); dmesg tells why if that fails");
		return found(r, NOT_OK, "not loaded");
	}
	if (!read_line(MODULE_DIR "/version", version, sizeof(version)))
		snprintf(version, sizeof(version), "no version told");
	if (!module_param("rewrite", rewrite, sizeof(rewrite)))
		return found(r, OK, "loaded, %s", version);
	return found(r, OK, "loaded, %s, rewriting %s", version,
		     strchr("Yy1", *rewrite) ? "on" :
		     "off: works, but every privileged instruction goes through the firmware");
}

/* Not getgrgid(): that needs NSS, which a static binary has not. */
static bool group_name(gid_t gid, char *buf, size_t size)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *g;
	bool ok = false;

	if (!f)
		return false;
	while (!ok && (g = fgetgrent(f))) {
		ok = g->gr_gid == gid;
		if (ok)
			snprintf(buf, size, "%s", g->gr_name);
	}
	fclose(f);
	return ok;
}

static enum verdict check_device(struct report *r)
{
	char group[64];
	struct stat st;
	int fd;

	if (stat(r->device, &st)) {
		todo(r, "load the module; without udev or devtmpfs, mknod from /sys/class/misc/umbra/dev");
		return found(r, NOT_OK, "%s: %s", r->device, strerror(errno));
	}
	if (!S_ISCHR(st.st_mode)) {
		todo(r, "remove it and load the module again");
		return found(r, NOT_OK, "%s is not a device", r->device);
	}
	fd = open(r->device, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		int err = errno;

		if (err == EACCES && st.st_gid &&
		    (st.st_mode & 0060) == 0060 &&
		    group_name(st.st_gid, group, sizeof(group)))
			todo(r, "run as root, or `adduser $USER %s` and log in again",
			     group);
		else
			todo(r, "%s", err != EACCES ? kvm_open_advice(err) :
			     "run as root, or `chgrp` and `chmod g+rw` it");
		return found(r, NOT_OK, "%s (mode %04o, gid %u): %s", r->device,
			     st.st_mode & 07777, st.st_gid, strerror(err));
	}
	close(fd);
	return found(r, OK, "%s can be opened", r->device);
}

static int open_device(struct report *r)
{
	return open(r->device, O_RDWR | O_CLOEXEC);
}

static enum verdict check_api(struct report *r)
{
	int fd = open_device(r), version;

	if (fd < 0)
		return found(r, UNKNOWN, "the device cannot be opened");
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	close(fd);
	if (version == KVM_API_OURS)
		return found(r, OK, "KVM API version %d", version);
	todo(r, "install a module and a launcher that belong together");
	return found(r, NOT_OK, "KVM API version %d, not %d", version,
		     KVM_API_OURS);
}

static enum verdict check_caps(struct report *r)
{
	/* The four devices without which there is no machine. */
	const int need = 1 << (UMBRA_DEV_TYPE_PLIC - UMBRA_DEV_TYPE_BASE) |
			 1 << (UMBRA_DEV_TYPE_UART - UMBRA_DEV_TYPE_BASE) |
			 1 << (UMBRA_DEV_TYPE_RTC - UMBRA_DEV_TYPE_BASE) |
			 1 << (UMBRA_DEV_TYPE_FINISHER - UMBRA_DEV_TYPE_BASE);
	int fd = open_device(r), vdev, windows, modes, vcpus;
	char list[32] = "";

	if (fd < 0)
		return found(r, UNKNOWN, "the device cannot be opened");
	vdev = kvm_cap(fd, UMBRA_CAP_VDEV);
	windows = kvm_cap(fd, UMBRA_CAP_MMIO_WINDOWS);
	modes = kvm_cap(fd, UMBRA_CAP_MMU_MODES);
	vcpus = kvm_cap(fd, KVM_CAP_MAX_VCPUS);
	close(fd);

	for (unsigned int m = SATP_MODE_SV39; m <= SATP_MODE_SV57; m++)
		if (modes & (1 << m)) {
			strcat(list, *list ? "," : "");
			strcat(list, satp_mode_name(m));
		}
	if ((vdev & need) == need && windows && *list)
		return found(r, OK, "devices 0x%x, guest modes %s, up to %d harts",
			     vdev, list, vcpus);
	todo(r, "install a module and a launcher that belong together");
	return found(r, NOT_OK, "devices 0x%x (0x%x needed), MMIO windows %d, guest modes %s",
		     vdev, need, windows, *list ? list : "none");
}

static enum verdict check_vm(struct report *r)
{
	int fd = open_device(r), vm;

	if (fd < 0)
		return found(r, UNKNOWN, "the device cannot be opened");
	vm = ioctl(fd, KVM_CREATE_VM, 0UL);
	if (vm < 0) {
		int err = errno;

		close(fd);
		todo(r, "%s", kvm_create_vm_advice(err));
		return found(r, NOT_OK, "an empty guest cannot be made: %s",
			     strerror(err));
	}
	close(vm);
	close(fd);
	return found(r, OK, "an empty guest can be made");
}

static const struct item {
	const char *name;
	enum verdict (*fn)(struct report *r);
} items[] = {
	{ "architecture",	check_arch },
	{ "kernel",		check_kernel },
	{ "kernel config",	check_config },
	{ "H extension",	check_h },
	{ "address mode",	check_mode },
	{ "ASID bits",		check_asid },
	{ "firmware",		check_sbi },
	{ "delegation",		check_delegation },
	{ "other hypervisor",	check_rival },
	{ "module",		check_module },
	{ "device",		check_device },
	{ "API",		check_api },
	{ "capabilities",	check_caps },
	{ "making a guest",	check_vm },
};

int cmd_check(int argc, char **argv)
{
	static const char *const words[] = {
		[OK] = "ok", [NOT_OK] = "not ok", [UNKNOWN] = "unknown",
	};
	const char *device = DEFAULT_DEVICE;
	unsigned int bad = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			printf("usage: umbra check [--device PATH]\n"
			       "Says item by item whether this host can run guests, and what to do if not.\n"
			       "Exit status: 0 it can, %d it cannot, %d wrong usage.\n",
			       STATUS_UNAVAILABLE, STATUS_USAGE);
			return STATUS_OK;
		}
		if (!strcmp(argv[i], "--device") && i + 1 < argc) {
			device = argv[++i];
			continue;
		}
		if (!strncmp(argv[i], "--device=", 9)) {
			device = argv[i] + 9;
			continue;
		}
		return fail(STATUS_USAGE, "check: '%s' is not an option or lacks its value; `umbra check --help` shows how",
			    argv[i]);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(items); i++) {
		struct report r = { .device = device };
		enum verdict v = items[i].fn(&r);

		printf("%-8s %-17s %s\n", words[v], items[i].name, r.what);
		if (*r.todo)
			printf("%-8s %-17s -> %s\n", "", "", r.todo);
		bad += v == NOT_OK;
	}

	if (!bad) {
		printf("This host can run guests.\n");
		return STATUS_OK;
	}
	printf("This host cannot run guests yet: %u item%s above not ok.\n",
	       bad, bad == 1 ? " is" : "s are");
	return STATUS_UNAVAILABLE;
}
