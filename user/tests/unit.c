// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the launcher's pure pieces, run natively: `make check`.  TAP
 * on standard output, exit status 1 when a test failed.
 *
 * What the functions under test print goes to standard error, which is
 * redirected to a file here, so that the messages can be tested too.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libfdt.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "disk.h"
#include "fdt.h"
#include "image.h"
#include "isa.h"
#include "machine.h"
#include "mrom.h"
#include "options.h"
#include "trap.h"
#include "util.h"
#include "tests/tap.h"

/* What has been said on standard error since the last call. */
static const char *said(void)
{
	static char buf[4096];
	ssize_t n;

	n = pread(STDERR_FILENO, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	if (ftruncate(STDERR_FILENO, 0) || lseek(STDERR_FILENO, 0, SEEK_SET))
		abort();
	return buf;
}

/* ---- sizes and numbers -------------------------------------------------- */

static void test_sizes(void)
{
	static const struct {
		const char *s;
		int ret;
		u64 val;
	} t[] = {
		{ "512M", 0, 512 * MIB },	{ "512m", 0, 512 * MIB },
		{ "1G", 0, GIB },		{ "2GiB", 0, 2 * GIB },
		{ "2gb", 0, 2 * GIB },		{ "64K", 0, 64 * KIB },
		{ "1T", 0, 1024 * GIB },	{ "256", 0, 256 * MIB },
		{ "0", 0, 0 },
		{ "", -EINVAL, 0 },		{ "M", -EINVAL, 0 },
		{ "-1M", -EINVAL, 0 },		{ " 1M", -EINVAL, 0 },
		{ "1M ", -EINVAL, 0 },		{ "1X", -EINVAL, 0 },
		{ "1Mi", -EINVAL, 0 },		{ "1.5G", -EINVAL, 0 },
		{ "0x100M", -EINVAL, 0 },	{ "1MM", -EINVAL, 0 },
		{ "18446744073709551616K", -ERANGE, 0 },
		{ "18446744073709551615K", -ERANGE, 0 },
		{ "17592186044416M", -ERANGE, 0 },
		{ "17592186044415M", 0, UINT64_MAX - MIB + 1 },
	};
	char buf[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		u64 val = 0;
		int ret = parse_size(t[i].s, &val);

		ok(ret == t[i].ret && (ret || val == t[i].val),
		   "parse_size(\"%s\")", t[i].s);
	}
	ok(!strcmp(format_size(512 * MIB, buf, sizeof(buf)), "512M"),
	   "format_size 512M");
	ok(!strcmp(format_size(1536 * MIB, buf, sizeof(buf)), "1536M"),
	   "format_size 1536M");
	ok(!strcmp(format_size(3 * GIB, buf, sizeof(buf)), "3G"),
	   "format_size 3G");
	ok(!strcmp(format_size(5, buf, sizeof(buf)), "5 bytes"),
	   "format_size 5 bytes");
}

static void test_numbers(void)
{
	unsigned long n;

	ok(!parse_number("4", 1, 8, &n) && n == 4, "parse_number 4");
	ok(parse_number("0", 1, 8, &n) == -ERANGE, "parse_number below");
	ok(parse_number("9", 1, 8, &n) == -ERANGE, "parse_number above");
	ok(parse_number("-1", 1, 8, &n) == -EINVAL, "parse_number -1");
	ok(parse_number("4x", 1, 8, &n) == -EINVAL, "parse_number 4x");
	ok(parse_number("", 1, 8, &n) == -EINVAL, "parse_number empty");
	ok(parse_number("99999999999999999999", 1, 8, &n) == -ERANGE,
	   "parse_number overflow");
}

/* ---- ISA ---------------------------------------------------------------- */

static void test_isa(void)
{
	struct isa isa = { .ext = { [0] = 1, [1] = 1, [2] = 1, [3] = 1,
				    [4] = 1 /* H */, [5] = 1, [6] = 1,
				    [8] = 1, [20] = 1, [17] = 1, [66] = 1,
				    [127] = 1 /* unheard of */ } };
	static const char want_list[] =
		"i\0m\0a\0f\0d\0c\0zba\0zicsr\0sstc\0svvptc";
	char buf[256];
	int n;

	ok(!isa_string(&isa, buf, sizeof(buf)) &&
	   !strcmp(buf, "rv64imafdc_zba_zicsr_sstc_svvptc"),
	   "isa_string: %s", buf);
	n = isa_string_list(&isa, buf, sizeof(buf));
	ok(n == (int)sizeof(want_list) && !memcmp(buf, want_list, sizeof(want_list)),
	   "isa_string_list");
	ok(isa_string(&isa, buf, 32) == -ENOSPC, "isa_string: too small");
	ok(!isa_string(&isa, buf, 33), "isa_string: just fits");
	ok(isa_string_list(&isa, buf, sizeof(want_list) - 1) == -ENOSPC,
	   "isa_string_list: too small");

	memset(isa.ext, 1, sizeof(isa.ext));
	{
		char big[2048];

		ok(!isa_string(&isa, big, sizeof(big)) &&
		   !isa_string_has_letter(big, 'h') &&
		   isa_string_has_letter(big, 'v'),
		   "isa_string: all extensions fit, without H");
	}

	ok(isa_string_has_letter("rv64imafdch_zicbom", 'h'), "H is there");
	ok(isa_string_has_letter("rv64imafdcvh", 'h'), "H is last");
	ok(!isa_string_has_letter("rv64imafdc_zbh", 'h'), "no H in zbh");
	ok(!isa_string_has_letter("rv64imafdcsvinvalh", 'h'),
	   "no H after a multi-letter name");
	ok(!isa_string_has_letter("armv8h", 'h'), "not an ISA string");
	ok(!isa_string_has_letter("", 'h'), "an empty ISA string");
}

/* ---- layout ------------------------------------------------------------- */

static void test_layout(void)
{
	struct machine m = { .ram_size = 512 * MIB };
	u64 kernel_end = RAM_BASE + 34 * MIB;

	ok(!machine_layout(&m, kernel_end, 10 * MIB + 1, 20 * KIB) &&
	   m.dtb_addr + 20 * KIB <= RAM_BASE + 512 * MIB &&
	   m.dtb_addr % 8 == 0 && m.initrd_start >= kernel_end &&
	   m.initrd_end <= m.dtb_addr && m.initrd_start % 4096 == 0 &&
	   m.initrd_end - m.initrd_start == 10 * MIB + 1,
	   "layout: 512M with initrd");

	m.ram_size = 16 * GIB;
	ok(!machine_layout(&m, kernel_end, MIB, 20 * KIB) &&
	   m.dtb_addr < RAM_BASE + GIB && m.initrd_end <= m.dtb_addr,
	   "layout: 16G: everything in the first GiB");
	ok(machine_layout(&m, kernel_end, 2 * GIB, 20 * KIB) == -ENOSPC,
	   "layout: an initrd of 2G is refused");
	ok(machine_layout(&m, kernel_end, UINT64_MAX, 20 * KIB) == -ENOSPC,
	   "layout: an initrd of 2^64 - 1 is refused");

	m.ram_size = 64 * MIB;
	ok(!machine_layout(&m, kernel_end, 0, 20 * KIB) &&
	   m.initrd_start == m.initrd_end, "layout: no initrd");
	ok(machine_layout(&m, kernel_end, 30 * MIB, 20 * KIB) == -ENOSPC,
	   "layout: initrd into the kernel is refused");
	ok(!machine_layout(&m, kernel_end, 29 * MIB, 20 * KIB),
	   "layout: initrd right behind the kernel");
	ok(machine_layout(&m, RAM_BASE + 64 * MIB, 0, 20 * KIB) == -ENOSPC,
	   "layout: no room for the device tree");
	ok(machine_layout(&m, RAM_BASE, 0, 65 * MIB) == -ENOSPC,
	   "layout: device tree larger than RAM");
}

/* ---- device tree -------------------------------------------------------- */

static const char *str_prop(const void *fdt, const char *path,
			    const char *name)
{
	int node = fdt_path_offset(fdt, path);
	const char *s = node < 0 ? NULL : fdt_getprop(fdt, node, name, NULL);

	return s ? s : "(none)";
}

static u64 cells(const void *fdt, const char *path, const char *name,
		 int index)
{
	int node = fdt_path_offset(fdt, path), len;
	const fdt32_t *p;

	p = node < 0 ? NULL : fdt_getprop(fdt, node, name, &len);
	if (!p || len < (index + 1) * 4)
		return UINT64_MAX;
	return fdt32_to_cpu(p[index]);
}

static void test_fdt(void)
{
	struct machine m = {
		.ram_size = 5 * GIB,
		.nr_cpus = 3,
		.nr_uarts = 2,
		.isa = { .ext = { [0] = 1, [1] = 1, [2] = 1, [3] = 1, [5] = 1,
				  [6] = 1, [11] = 1, [12] = 1 },
			 .cbom_block = 64, .cboz_block = 32 },
		.timebase = 10000000,
		.satp_mode = SATP_MODE_SV48,
		.bootargs = "console=ttyS0 quiet",
		.initrd_start = 0x84000000,
		.initrd_end = 0x84123456,
	};
	size_t size = fdt_bound(&m);
	void *fdt = malloc(size), *copy = malloc(size);
	u32 plic, intc1;
	int node;

	memset(m.rng_seed, 0x5a, sizeof(m.rng_seed));
	ok(!fdt_build(&m, fdt, size) && !fdt_check_full(fdt, size),
	   "fdt: well-formed, %u of %zu bytes", fdt_totalsize(fdt), size);
	ok(!fdt_open_into(fdt, copy, (int)size), "fdt: can be opened");

	ok(!strcmp(str_prop(fdt, "/", "compatible"), "riscv-virtio"),
	   "fdt: compatible");
	ok(!strcmp(str_prop(fdt, "/chosen", "bootargs"), "console=ttyS0 quiet"),
	   "fdt: bootargs");
	ok(!strcmp(str_prop(fdt, "/chosen", "stdout-path"), "serial0:115200n8"),
	   "fdt: stdout-path");
	ok(!strcmp(str_prop(fdt, "/aliases", "serial0"), "/soc/serial@10000000"),
	   "fdt: serial0");
	ok(!strcmp(str_prop(fdt, "/aliases", "serial1"), "/soc/serial@10000100"),
	   "fdt: serial1");
	ok(!strcmp(str_prop(fdt, "/aliases", "serial2"), "(none)"),
	   "fdt: no serial2");
	ok(fdt_path_offset(fdt, "serial0") ==
	   fdt_path_offset(fdt, "/soc/serial@10000000"), "fdt: alias resolves");
	ok(cells(fdt, "/chosen", "linux,initrd-end", 1) == 0x84123456,
	   "fdt: initrd-end");
	ok(cells(fdt, "/memory@80000000", "reg", 1) == 0x80000000 &&
	   cells(fdt, "/memory@80000000", "reg", 2) == 1 &&
	   cells(fdt, "/memory@80000000", "reg", 3) == 0x40000000,
	   "fdt: 5G of memory");
	ok(cells(fdt, "/cpus", "timebase-frequency", 0) == 10000000,
	   "fdt: timebase");
	ok(!strcmp(str_prop(fdt, "/cpus/cpu@2", "riscv,isa"),
		   "rv64imafdc_zicbom_zicboz"), "fdt: riscv,isa");
	ok(!strcmp(str_prop(fdt, "/cpus/cpu@2", "riscv,isa-base"), "rv64i"),
	   "fdt: riscv,isa-base");
	node = fdt_path_offset(fdt, "/cpus/cpu@0");
	ok(fdt_stringlist_count(fdt, node, "riscv,isa-extensions") == 8 &&
	   fdt_stringlist_search(fdt, node, "riscv,isa-extensions", "zicbom") == 6,
	   "fdt: riscv,isa-extensions");
	ok(!strcmp(str_prop(fdt, "/cpus/cpu@1", "mmu-type"), "riscv,sv48"),
	   "fdt: mmu-type");
	ok(cells(fdt, "/cpus/cpu@1", "riscv,cbom-block-size", 0) == 64 &&
	   cells(fdt, "/cpus/cpu@1", "riscv,cboz-block-size", 0) == 32 &&
	   cells(fdt, "/cpus/cpu@1", "riscv,cbop-block-size", 0) == UINT64_MAX,
	   "fdt: cache block sizes");
	ok(fdt_path_offset(fdt, "/cpus/cpu@3") < 0, "fdt: three harts");

	plic = (u32)cells(fdt, "/soc/plic@c000000", "phandle", 0);
	intc1 = (u32)cells(fdt, "/cpus/cpu@1/interrupt-controller",
				"phandle", 0);
	ok(cells(fdt, "/soc/plic@c000000", "interrupts-extended", 2) == intc1 &&
	   cells(fdt, "/soc/plic@c000000", "interrupts-extended", 3) == 9 &&
	   cells(fdt, "/soc/plic@c000000", "interrupts-extended", 6) == UINT64_MAX,
	   "fdt: PLIC: S external interrupt of each hart");
	ok(cells(fdt, "/soc/serial@10000000", "interrupt-parent", 0) == plic &&
	   cells(fdt, "/soc/serial@10000000", "interrupts", 0) == 10 &&
	   cells(fdt, "/soc/serial@10000100", "interrupts", 0) == 12 &&
	   cells(fdt, "/soc/rtc@101000", "interrupts", 0) == 11,
	   "fdt: interrupts");
	ok(cells(fdt, "/soc/plic@c000000", "riscv,ndev", 0) == 95,
	   "fdt: PLIC: 95 sources");
	ok(cells(fdt, "/poweroff", "value", 0) == 0x5555 &&
	   cells(fdt, "/poweroff", "regmap", 0) ==
	   cells(fdt, "/soc/test@100000", "phandle", 0), "fdt: poweroff");
	ok(cells(fdt, "/reboot", "value", 0) == 0x7777, "fdt: reboot");

	ok(fdt_path_offset(fdt, "/soc/virtio_mmio@10001000") < 0,
	   "fdt: no disk");
	m.nr_disks = 2;
	ok(!fdt_build(&m, fdt, size) &&
	   !strcmp(str_prop(fdt, "/soc/virtio_mmio@10002000", "compatible"),
		   "virtio,mmio") &&
	   cells(fdt, "/soc/virtio_mmio@10002000", "reg", 1) == 0x10002000 &&
	   cells(fdt, "/soc/virtio_mmio@10001000", "interrupts", 0) == 1 &&
	   cells(fdt, "/soc/virtio_mmio@10002000", "interrupts", 0) == 2 &&
	   cells(fdt, "/soc/virtio_mmio@10002000", "interrupt-parent", 0) == plic &&
	   fdt_path_offset(fdt, "/soc/virtio_mmio@10003000") < 0,
	   "fdt: two disks");

	ok(fdt_build(&m, fdt, 512) == -FDT_ERR_NOSPACE, "fdt: buffer too small");

	m.satp_mode = 0;
	m.bootargs = NULL;
	m.initrd_end = m.initrd_start;
	ok(!fdt_build(&m, fdt, size) &&
	   !strcmp(str_prop(fdt, "/cpus/cpu@1", "mmu-type"), "(none)") &&
	   !strcmp(str_prop(fdt, "/chosen", "bootargs"), "(none)") &&
	   cells(fdt, "/chosen", "linux,initrd-start", 0) == UINT64_MAX,
	   "fdt: without mode, bootargs, initrd");

	m.m_mode = true;
	ok(!fdt_build(&m, fdt, size) && !fdt_check_full(fdt, size),
	   "fdt: with M-mode");
	ok(cells(fdt, "/soc/plic@c000000", "interrupts-extended", 4) == intc1 &&
	   cells(fdt, "/soc/plic@c000000", "interrupts-extended", 5) == 11 &&
	   cells(fdt, "/soc/plic@c000000", "interrupts-extended", 6) == intc1 &&
	   cells(fdt, "/soc/plic@c000000", "interrupts-extended", 7) == 9 &&
	   cells(fdt, "/soc/plic@c000000", "interrupts-extended", 12) == UINT64_MAX,
	   "fdt: PLIC: M and S external interrupts of each hart");
	node = fdt_path_offset(fdt, "/soc/clint@2000000");
	ok(node >= 0 && !fdt_node_check_compatible(fdt, node, "sifive,clint0") &&
	   !fdt_node_check_compatible(fdt, node, "riscv,clint0") &&
	   cells(fdt, "/soc/clint@2000000", "reg", 1) == 0x2000000 &&
	   cells(fdt, "/soc/clint@2000000", "reg", 3) == 0x10000 &&
	   cells(fdt, "/soc/clint@2000000", "interrupts-extended", 4) == intc1 &&
	   cells(fdt, "/soc/clint@2000000", "interrupts-extended", 5) == 3 &&
	   cells(fdt, "/soc/clint@2000000", "interrupts-extended", 6) == intc1 &&
	   cells(fdt, "/soc/clint@2000000", "interrupts-extended", 7) == 7,
	   "fdt: CLINT");
	ok(!strcmp(str_prop(fdt, "/chosen", "stdout-path"),
		   "/soc/serial@10000000"), "fdt: stdout-path for firmware");
	ok(fdt_path_offset(fdt, "/flash@20000000") < 0 &&
	   fdt_path_offset(fdt, "/fw-cfg@10100000") < 0,
	   "fdt: no flash and no fw_cfg unless asked for");
	m.m_mode = false;
	m.flash = true;
	m.fw_cfg = true;
	ok(!fdt_build(&m, fdt, size) &&
	   fdt_path_offset(fdt, "/soc/clint@2000000") < 0,
	   "fdt: no CLINT without M-mode");
	ok(!strcmp(str_prop(fdt, "/flash@20000000", "compatible"), "cfi-flash") &&
	   cells(fdt, "/flash@20000000", "bank-width", 0) == 4 &&
	   cells(fdt, "/flash@20000000", "reg", 1) == 0x20000000 &&
	   cells(fdt, "/flash@20000000", "reg", 3) == 0x2000000 &&
	   cells(fdt, "/flash@20000000", "reg", 5) == 0x22000000,
	   "fdt: flash");
	ok(!strcmp(str_prop(fdt, "/fw-cfg@10100000", "compatible"),
		   "qemu,fw-cfg-mmio") &&
	   cells(fdt, "/fw-cfg@10100000", "reg", 1) == 0x10100000,
	   "fdt: fw_cfg");
	free(fdt);
	free(copy);

	m.m_mode = true;
	m.nr_cpus = MACHINE_MAX_CPUS;
	m.nr_uarts = MACHINE_MAX_UARTS;
	m.nr_disks = MACHINE_MAX_DISKS;
	memset(m.isa.ext, 1, sizeof(m.isa.ext));
	size = fdt_bound(&m);
	fdt = malloc(size);
	ok(!fdt_build(&m, fdt, size) && !fdt_check_full(fdt, size),
	   "fdt: the largest machine, %u of %zu bytes", fdt_totalsize(fdt),
	   size);
	free(fdt);
}

/* ---- reset ROM ---------------------------------------------------------- */

static void test_mrom(void)
{
	/* What QEMU 10.0 has there, for a fw_dynamic with a kernel. */
	static const u32 want[] = {
		0x00000297, 0x02828613, 0xf1402573, 0x0202b583,
		0x0182b283, 0x00028067, 0x80000000, 0x00000000,
		0x9fe00000, 0x00000000, 0x4942534f, 0x00000000,
		0x00000002, 0x00000000, 0x80200000, 0x00000000,
		0x00000001, 0x00000000, 0x00000000, 0x00000000,
		0x00000000, 0x00000000,
	};
	struct mrom_boot boot = {
		.start = 0x80000000, .dtb = 0x9fe00000, .next = 0x80200000,
	};
	u8 rom[MROM_USED];

	memset(rom, 0xff, sizeof(rom));
	mrom_build(rom, &boot);
	ok(sizeof(want) == sizeof(rom) && !memcmp(rom, want, sizeof(rom)),
	   "mrom: as QEMU's");
}

/* ---- images ------------------------------------------------------------- */

static void put16(u8 *p, u16 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static void put32(u8 *p, u32 v)
{
	put16(p, (u16)v);
	put16(p + 2, (u16)(v >> 16));
}

static void put64(u8 *p, u64 v)
{
	put32(p, (u32)v);
	put32(p + 4, (u32)(v >> 32));
}

#define IMG_LEN	8192

/* A Linux Image like Debian's: 8 KiB of file, 4 MiB of memory. */
static void make_linux(u8 *b)
{
	memset(b, 0, IMG_LEN);
	memcpy(b, "MZ", 2);
	put64(b + 0x08, 2 * MIB);
	put64(b + 0x10, 4 * MIB);
	memcpy(b + 0x30, "RISCV\0\0\0", 8);
	memcpy(b + 0x38, "RSC\x05", 4);
	put32(b + 0x3c, 0x40);
	memcpy(b + 0x40, "PE\0\0", 4);
	put16(b + 0x44, 0x5064);
	put16(b + 0x46, 2);		/* sections */
	put16(b + 0x54, 0x100);		/* optional header */
	put32(b + 0x158 + 16, 0x1000);	/* raw size, raw offset */
	put32(b + 0x158 + 20, 0);
	put32(b + 0x158 + 40 + 16, 0x1000);
	put32(b + 0x158 + 40 + 20, 0x1000);
}

static void make_elf(u8 *b)
{
	Elf64_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC, .e_machine = EM_RISCV,
		.e_entry = 0x80000010, .e_phoff = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
	};
	Elf64_Phdr ph[2] = {
		{ .p_type = PT_LOAD, .p_offset = 0x1000, .p_paddr = 0x80000000,
		  .p_vaddr = 0, .p_filesz = 0x800, .p_memsz = 0x800 },
		{ .p_type = PT_LOAD, .p_offset = 0x1800, .p_paddr = 0x80100000,
		  .p_filesz = 0x800, .p_memsz = 0x5000 },
	};

	memset(b, 0, IMG_LEN);
	memcpy(b, &eh, sizeof(eh));
	memcpy(b + sizeof(eh), ph, sizeof(ph));
}

static bool mentions(const char *why, const char *word)
{
	return strstr(why, word);
}

static void test_image(void)
{
	static u8 b[IMG_LEN];
	char why[IMAGE_WHY] = "";
	struct image img;
	Elf64_Ehdr *eh = (void *)b;
	Elf64_Phdr *ph = (void *)(b + sizeof(*eh));

#define PARSE(len, ram)	image_parse(b, len, RAM_BASE, ram, &img, why)
#define BAD(len, ram, word, name) \
	ok(PARSE(len, ram) == STATUS_DATA && mentions(why, word), \
	   "image: " name ": %s", why)

	make_linux(b);
	ok(!PARSE(IMG_LEN, 512 * MIB) && img.kind == IMAGE_LINUX &&
	   img.entry == 0x80200000 && img.end == 0x80600000 &&
	   img.nr_segments == 1 && img.segments[0].filesz == IMG_LEN &&
	   img.segments[0].memsz == 4 * MIB, "image: Linux");
	BAD(IMG_LEN, 5 * MIB, "more --memory", "Linux larger than memory");
	ok(!PARSE(IMG_LEN, 6 * MIB), "image: Linux that just fits");
	BAD(IMG_LEN - 1, 512 * MIB, "truncated", "Linux short of a byte");
	BAD(0x100, 512 * MIB, "truncated", "Linux of 256 bytes");
	BAD(0x44, 512 * MIB, "truncated", "Linux of 68 bytes");
	BAD(0x3e, 512 * MIB, "truncated", "Linux of 62 bytes");
	BAD(0x20, 512 * MIB, "not a kernel", "Linux of 32 bytes");
	put64(b + 0x18, 1);
	BAD(IMG_LEN, 512 * MIB, "big-endian", "big-endian Linux");
	make_linux(b);
	put64(b + 0x08, 0x1000);
	BAD(IMG_LEN, 512 * MIB, "multiple of 2M", "odd text offset");
	make_linux(b);
	put64(b + 0x08, -2 * MIB);
	BAD(IMG_LEN, 512 * MIB, "more --memory", "text offset that wraps");
	make_linux(b);
	put64(b + 0x10, UINT64_MAX);
	BAD(IMG_LEN, 512 * MIB, "more --memory", "image size that wraps");
	make_linux(b);
	put16(b + 0x44, 0x8664);
	BAD(IMG_LEN, 512 * MIB, "another machine", "PE for x86");
	make_linux(b);
	put16(b + 0x46, 0xffff);
	BAD(IMG_LEN, 512 * MIB, "truncated", "too many PE sections");
	make_linux(b);
	put32(b + 0x3c, 0xfffffff0);
	BAD(IMG_LEN, 512 * MIB, "truncated", "PE offset outside");
	make_linux(b);
	memset(b, 0, 2);	/* no MZ: not built with EFI */
	ok(!PARSE(IMG_LEN, 512 * MIB), "image: Linux without PE header");

	make_elf(b);
	ok(!PARSE(IMG_LEN, 16 * MIB) && img.kind == IMAGE_ELF &&
	   img.entry == 0x80000010 && img.end == 0x80105000 &&
	   img.nr_segments == 2 && img.segments[1].offset == 0x1800,
	   "image: ELF");
	BAD(IMG_LEN, MIB, "outside the guest's RAM", "ELF larger than memory");
	BAD(0x1fff, 16 * MIB, "truncated", "ELF short of a byte");
	BAD(0x50, 16 * MIB, "truncated", "ELF without program headers");
	BAD(0x10, 16 * MIB, "truncated", "ELF of 16 bytes");
	eh->e_entry = 0xffffffff80000000;
	BAD(IMG_LEN, 16 * MIB, "boot/Image", "ELF entered elsewhere");
	make_elf(b);
	eh->e_machine = EM_X86_64;
	BAD(IMG_LEN, 16 * MIB, "another machine", "ELF for x86");
	make_elf(b);
	eh->e_ident[EI_CLASS] = ELFCLASS32;
	BAD(IMG_LEN, 16 * MIB, "another machine", "32-bit ELF");
	make_elf(b);
	eh->e_type = ET_REL;
	BAD(IMG_LEN, 16 * MIB, "not linked", "relocatable ELF");
	make_elf(b);
	eh->e_phoff = UINT64_MAX - 8;
	BAD(IMG_LEN, 16 * MIB, "truncated", "ELF: e_phoff that wraps");
	make_elf(b);
	ph[0].p_paddr = UINT64_MAX - 0x100;
	BAD(IMG_LEN, 16 * MIB, "outside the guest's RAM", "ELF: address that wraps");
	make_elf(b);
	ph[0].p_paddr = 0x1000;
	BAD(IMG_LEN, 16 * MIB, "outside the guest's RAM", "ELF: below RAM");
	make_elf(b);
	ph[0].p_offset = UINT64_MAX - 0x100;
	BAD(IMG_LEN, 16 * MIB, "truncated", "ELF: offset that wraps");
	make_elf(b);
	ph[1].p_filesz = 0x6000;
	BAD(IMG_LEN, 16 * MIB, "damaged", "ELF: more file than memory");
	make_elf(b);
	ph[1].p_memsz = UINT64_MAX;
	BAD(IMG_LEN, 16 * MIB, "outside the guest's RAM", "ELF: size that wraps");
	make_elf(b);
	eh->e_phnum = 0;
	BAD(IMG_LEN, 16 * MIB, "nothing to load", "ELF: no segments");

	memset(b, 0, IMG_LEN);
	BAD(IMG_LEN, 512 * MIB, "not a RISC-V kernel", "zeroes");
	memcpy(b + 0x202, "HdrS", 4);
	BAD(IMG_LEN, 512 * MIB, "an x86 kernel", "bzImage");
	memset(b, 0, IMG_LEN);
	memcpy(b, "070701", 6);
	BAD(IMG_LEN, 512 * MIB, "cpio", "initrd");
	BAD(1, 512 * MIB, "not a kernel", "one byte");
}

/* Every prefix and every single damaged byte: no read outside (ASan). */
static void test_firmware(void)
{
	static u8 b[IMG_LEN];
	char why[IMAGE_WHY] = "";
	struct image img;
	Elf64_Ehdr *eh = (void *)b;
	Elf64_Phdr *ph = (void *)(b + sizeof(*eh));

#define FIRMWARE(len, ram) \
	image_parse_firmware(b, len, RAM_BASE, ram, &img, why)
#define PAYLOAD(len, at, ram) \
	image_parse_payload(b, len, at, RAM_BASE, ram, &img, why)

	memset(b, 0x13, IMG_LEN);
	ok(!FIRMWARE(IMG_LEN, MIB) && img.kind == IMAGE_RAW &&
	   img.entry == RAM_BASE && img.end == RAM_BASE + IMG_LEN &&
	   img.nr_segments == 1 && img.segments[0].filesz == IMG_LEN,
	   "firmware: raw");
	ok(!FIRMWARE(1, MIB) && img.end == RAM_BASE + 1,
	   "firmware: one byte");
	ok(FIRMWARE(0, MIB) == STATUS_DATA && mentions(why, "empty"),
	   "firmware: %s", why);
	ok(FIRMWARE(IMG_LEN, IMG_LEN - 1) == STATUS_DATA &&
	   mentions(why, "more --memory"), "firmware: %s", why);
	ok(!PAYLOAD(IMG_LEN, 0x80200000, 16 * MIB) &&
	   img.kind == IMAGE_RAW && img.entry == 0x80200000 &&
	   img.end == 0x80200000 + IMG_LEN, "payload: raw");
	ok(PAYLOAD(IMG_LEN, 0x80200000, 2 * MIB) == STATUS_DATA &&
	   mentions(why, "more --memory"), "payload: %s", why);
	ok(PAYLOAD(IMG_LEN, UINT64_MAX - 4, 2 * MIB) == STATUS_DATA,
	   "payload: at the end of the world: %s", why);
	memcpy(b, "\x27\x05\x19\x56", 4);
	ok(PAYLOAD(IMG_LEN, 0x80200000, 16 * MIB) == STATUS_DATA &&
	   mentions(why, "U-Boot image"), "payload: %s", why);

	make_linux(b);
	ok(!PAYLOAD(IMG_LEN, 0x80400000, 16 * MIB) &&
	   img.kind == IMAGE_LINUX && img.entry == 0x80400000 &&
	   img.end == 0x80800000, "payload: Linux goes where it is told");
	ok(PAYLOAD(IMG_LEN, 0x80400000, 7 * MIB) == STATUS_DATA,
	   "payload: %s", why);

	make_elf(b);
	ok(!FIRMWARE(IMG_LEN, 16 * MIB) && img.kind == IMAGE_ELF &&
	   img.entry == 0x80000010, "firmware: ELF");
	/* Debian's OpenSBI: position independent, linked at 0. */
	eh->e_type = ET_DYN;
	eh->e_entry = 0x10;
	ph[0].p_paddr = 0;
	ph[1].p_paddr = 0x100000;
	ok(!FIRMWARE(IMG_LEN, 16 * MIB) && img.entry == 0x80000010 &&
	   img.segments[1].gpa == 0x80100000 && img.end == 0x80105000,
	   "firmware: position-independent ELF");
	ok(PAYLOAD(IMG_LEN, 0x80200000, 16 * MIB) == STATUS_DATA,
	   "payload: stays where it is linked: %s", why);
	ph[1].p_paddr = UINT64_MAX - 0x1000;
	ok(FIRMWARE(IMG_LEN, 16 * MIB) == STATUS_DATA,
	   "firmware: ELF that wraps: %s", why);
	eh->e_type = ET_EXEC;
	ph[1].p_paddr = 0x100000;
	ok(FIRMWARE(IMG_LEN, 16 * MIB) == STATUS_DATA &&
	   mentions(why, "outside the guest's RAM"), "firmware: %s", why);
#undef FIRMWARE
#undef PAYLOAD
}

static void test_image_robust(void)
{
	static u8 good[2][IMG_LEN];
	char why[IMAGE_WHY];
	struct image img;
	unsigned int n = 0;

	make_linux(good[0]);
	make_elf(good[1]);
	for (unsigned int k = 0; k < 2; k++) {
		for (size_t len = 1; len < 0x400; len++) {
			u8 *b = malloc(len);

			memcpy(b, good[k], len);
			image_parse(b, len, RAM_BASE, 16 * MIB, &img, why);
			free(b);
			n++;
		}
		for (size_t at = 0; at < 0x200; at++) {
			u8 *b = malloc(IMG_LEN);

			for (unsigned int v = 0; v < 256; v += 17) {
				memcpy(b, good[k], IMG_LEN);
				b[at] = (u8)v;
				if (image_parse(b, IMG_LEN, RAM_BASE, 16 * MIB,
						&img, why))
					continue;
				for (unsigned int i = 0; i < img.nr_segments; i++) {
					struct image_segment *s = &img.segments[i];

					if (s->offset + s->filesz > IMG_LEN ||
					    s->filesz > s->memsz ||
					    s->gpa < RAM_BASE ||
					    s->gpa - RAM_BASE + s->memsz > 16 * MIB)
						abort();
				}
				n++;
			}
			free(b);
		}
	}
	ok(true, "image: %u damaged files", n);
}

static void test_unpack(void)
{
	char why[IMAGE_WHY] = "";
	size_t len = IMG_LEN;
	u8 *buf = malloc(len);

	make_linux(buf);
	ok(!image_unpack(&buf, &len, 16 * MIB, why) && len == IMG_LEN,
	   "unpack: a plain file stays");
	free(buf);

	len = 64;
	buf = calloc(1, len);
	memcpy(buf, "MZ\0\0zimg", 8);
	put32(buf + 8, 60);
	put32(buf + 12, 100);
	ok(image_unpack(&buf, &len, 16 * MIB, why) == STATUS_DATA &&
	   mentions(why, "truncated"), "unpack: zboot cut off: %s", why);
	put32(buf + 12, 4);
	memcpy(buf + 24, "zstd", 5);
	ok(image_unpack(&buf, &len, 16 * MIB, why) == STATUS_DATA &&
	   mentions(why, "'zstd'"), "unpack: zboot zstd: %s", why);
	memcpy(buf + 24, "gzip", 5);
	ok(image_unpack(&buf, &len, 16 * MIB, why) == STATUS_DATA &&
	   mentions(why, "holds none"), "unpack: zboot without gzip: %s", why);
	free(buf);

#ifdef HAVE_ZLIB
	{
		static u8 plain[IMG_LEN], packed[IMG_LEN * 2];
		z_stream z = { 0 };
		size_t n;

		make_linux(plain);
		deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8,
			     Z_DEFAULT_STRATEGY);
		z.next_in = plain;
		z.avail_in = IMG_LEN;
		z.next_out = packed;
		z.avail_out = sizeof(packed);
		deflate(&z, Z_FINISH);
		n = z.total_out;
		deflateEnd(&z);

		len = n;
		buf = malloc(len);
		memcpy(buf, packed, n);
		ok(!image_unpack(&buf, &len, 16 * MIB, why) &&
		   len == IMG_LEN && !memcmp(buf, plain, IMG_LEN),
		   "unpack: gzip");
		free(buf);

		len = n - 9;
		buf = malloc(len);
		memcpy(buf, packed, len);
		ok(image_unpack(&buf, &len, 16 * MIB, why) == STATUS_DATA &&
		   mentions(why, "truncated"), "unpack: gzip cut off: %s", why);
		free(buf);

		len = n;
		buf = malloc(len);
		memcpy(buf, packed, n);
		buf[n / 2] ^= 0xff;
		ok(image_unpack(&buf, &len, 16 * MIB, why) == STATUS_DATA,
		   "unpack: damaged gzip: %s", why);
		memcpy(buf, packed, n);
		ok(image_unpack(&buf, &len, 4096, why) == STATUS_DATA &&
		   mentions(why, "--memory"), "unpack: a bomb: %s", why);
		free(buf);

		len = 64 + n;
		buf = calloc(1, len);
		memcpy(buf, "MZ\0\0zimg", 8);
		put32(buf + 8, 64);
		put32(buf + 12, (u32)n);
		memcpy(buf + 24, "gzip", 5);
		memcpy(buf + 64, packed, n);
		ok(!image_unpack(&buf, &len, 16 * MIB, why) &&
		   len == IMG_LEN && !memcmp(buf, plain, IMG_LEN),
		   "unpack: zboot gzip");
		free(buf);
	}
#else
	ok(true, "unpack: gzip # SKIP built without zlib");
#endif
}

/* ---- options ------------------------------------------------------------ */

static int parse(struct run_options *opt, ...)
{
	static char copies[24][64];
	char *argv[25] = { "run" };
	int argc = 1;
	va_list ap;
	const char *s;

	va_start(ap, opt);
	while ((s = va_arg(ap, const char *))) {
		snprintf(copies[argc], sizeof(copies[argc]), "%s", s);
		argv[argc] = copies[argc];
		argc++;
	}
	va_end(ap);
	argv[argc] = NULL;
	return run_options_parse(argc, argv, opt);
}

#define PARSE_OK(...)	(!parse(&o, __VA_ARGS__, NULL))
#define PARSE_BAD(word, ...) do {					\
	int ret = parse(&o, __VA_ARGS__, NULL);				\
	const char *msg = said();					\
	ok(ret == STATUS_USAGE && mentions(msg, word) &&		\
	   strchr(msg, '\n') == msg + strlen(msg) - 1,			\
	   "options: %.*s", (int)strcspn(msg, "\n"), msg);		\
} while (0)

static void test_options(void)
{
	struct run_options o;

	said();
	ok(PARSE_OK("--kernel", "k") && !strcmp(o.kernel, "k") &&
	   o.memory == 512 * MIB && o.cpus == 1 && !o.satp_mode &&
	   !o.initrd && !o.append && !o.no_reboot && !o.nr_serial &&
	   !strcmp(o.device, "/dev/umbra"), "options: defaults");
	ok(PARSE_OK("--kernel=k", "--initrd", "i", "--append", "a b=c",
		    "--memory=1G", "--cpus", "4", "--mmu", "sv57",
		    "--serial", "x", "--no-reboot", "--registers") &&
	   !strcmp(o.initrd, "i") && !strcmp(o.append, "a b=c") &&
	   o.memory == GIB && o.cpus == 4 && o.satp_mode == 10 &&
	   o.nr_serial == 1 && !strcmp(o.serial[0], "x") && o.no_reboot &&
	   o.registers, "options: all");
	ok(PARSE_OK("--help") && o.help, "options: --help");
	ok(PARSE_OK("--bios", "b") && !strcmp(o.bios, "b") && !o.kernel,
	   "options: --bios without a kernel");
	ok(PARSE_OK("--bios", "none", "--kernel", "k") &&
	   !strcmp(o.bios, BIOS_NONE), "options: --bios none");
	PARSE_BAD("--kernel FILE", "--bios", "none");
	ok(PARSE_OK("--dump-dtb", "-") && !o.kernel,
	   "options: --dump-dtb without a kernel");

	PARSE_BAD("--kernel FILE", "--cpus", "1");
	PARSE_BAD("--frobnicate", "--frobnicate");
	PARSE_BAD("'-x'", "-x");
	PARSE_BAD("needs a value", "--kernel");
	PARSE_BAD("with a value", "--no-reboot=yes");
	PARSE_BAD("'extra'", "--kernel", "k", "extra");
	PARSE_BAD("not a size", "--kernel", "k", "--memory", "lots");
	PARSE_BAD("too little", "--kernel", "k", "--memory", "1M");
	PARSE_BAD("multiple of 4K", "--kernel", "k", "--memory", "8193K");
	PARSE_BAD("any machine", "--kernel", "k", "--memory", "99999999T");
	PARSE_BAD("any machine", "--kernel", "k", "--memory", "65536T");
	PARSE_BAD("1 to 1024", "--kernel", "k", "--cpus", "0");
	PARSE_BAD("1 to 1024", "--kernel", "k", "--cpus", "two");
	PARSE_BAD("sv39, sv48 or sv57", "--kernel", "k", "--mmu", "sv32");
	PARSE_BAD("3 extra UARTs", "--serial", "a", "--serial", "b",
		  "--serial", "c", "--serial", "d");
}

static void test_disk_option(void)
{
	static char name[DISK_PATH + 1];
	struct run_options o;

	said();
	ok(PARSE_OK("--kernel", "k", "--disk", "a/b") && o.nr_disks == 1 &&
	   !strcmp(o.disk[0].path, "a/b") && !o.disk[0].readonly &&
	   !o.disk[0].legacy && !o.disk[0].serial[0], "disk: defaults");
	ok(PARSE_OK("--kernel", "k", "--disk", "a,readonly,serial=S 1,legacy",
		    "--disk", "b,serial=12345678901234567890") &&
	   o.nr_disks == 2 && !strcmp(o.disk[0].path, "a") &&
	   o.disk[0].readonly && o.disk[0].legacy &&
	   !strcmp(o.disk[0].serial, "S 1") && !strcmp(o.disk[1].path, "b") &&
	   !strcmp(o.disk[1].serial, "12345678901234567890") &&
	   !o.disk[1].readonly, "disk: all");
	ok(PARSE_OK("--kernel", "k", "--disk", "a,,b,,,legacy") &&
	   !strcmp(o.disk[0].path, "a,b,") && o.disk[0].legacy,
	   "disk: commas in the name");

	PARSE_BAD("no file of this name", "--disk", ",readonly");
	PARSE_BAD("no file of this name", "--disk", "");
	PARSE_BAD("'raw' is not an option", "--disk", "a,raw");
	PARSE_BAD("'' is not an option", "--disk", "a,readonly,,legacy");
	PARSE_BAD("not an option", "--disk", "a,readonly=1");
	PARSE_BAD("not an option", "--disk", "a,serial=");
	PARSE_BAD("at most 20", "--disk", "a,serial=123456789012345678901");
	PARSE_BAD("room for 8 disks", "--disk", "a", "--disk", "b", "--disk", "c",
		  "--disk", "d", "--disk", "e", "--disk", "f", "--disk", "g",
		  "--disk", "h", "--disk", "i");
	memset(name, 'n', sizeof(name) - 1);
	ok(run_options_parse(3, (char *[]) { "run", "--disk", name, NULL },
			     &o) == STATUS_USAGE &&
	   mentions(said(), "at most 4095"), "disk: a name too long");
}

/* A disk for disk_open() in a file, or NULL: it cannot be made. */
static const char *disk_file(struct disk *disk, off_t size)
{
	int fd;

	snprintf(disk->path, DISK_PATH, "/tmp/umbra-disk-XXXXXX");
	fd = mkstemp(disk->path);
	if (fd < 0 || ftruncate(fd, size))
		return NULL;
	close(fd);
	return disk->path;
}

#define OPEN_BAD(status, word, d) do {					\
	int ret = disk_open(d, &fd);					\
	const char *msg = said();					\
	ok(ret == (status) && fd == -1 && mentions(msg, word),		\
	   "disk: %.*s", (int)strcspn(msg, "\n"), msg);			\
} while (0)

static void test_disk_open(void)
{
	struct disk d = { .path = "/tmp/no-such-disk" }, ro;
	int fd, fd2, fd3;

	said();
	OPEN_BAD(STATUS_NOINPUT, "truncate -s", &d);
	snprintf(d.path, DISK_PATH, "/tmp");
	OPEN_BAD(STATUS_NOINPUT, "a directory", &d);
	d.readonly = true;
	OPEN_BAD(STATUS_NOINPUT, "a directory", &d);
	snprintf(d.path, DISK_PATH, "/dev/null");
	OPEN_BAD(STATUS_NOINPUT, "not a file", &d);
	d.readonly = false;

	ok(disk_file(&d, 511), "disk: a small file");
	OPEN_BAD(STATUS_DATA, "less than a sector", &d);
	ok(!truncate(d.path, 512), "disk: a larger file");

	ok(!disk_open(&d, &fd2), "disk: opened");
	OPEN_BAD(STATUS_NOINPUT, "in use by another guest", &d);
	ro = d;
	ro.readonly = true;
	OPEN_BAD(STATUS_NOINPUT, "in use by another guest", &ro);
	close(fd2);
	ok(!disk_open(&ro, &fd2) && !disk_open(&ro, &fd3),
	   "disk: two readers");
	OPEN_BAD(STATUS_NOINPUT, "readonly", &d);
	close(fd2);
	close(fd3);
	unlink(d.path);
}

static void test_pflash_option(void)
{
	struct run_options o;

	ok(PARSE_OK("--pflash", "c,readonly", "--pflash", "v,,1") &&
	   o.nr_pflash == 2 &&
	   !strcmp(o.pflash[0].path, "c") && o.pflash[0].read_only &&
	   !strcmp(o.pflash[1].path, "v,1") && !o.pflash[1].read_only,
	   "options: --pflash, and no kernel");
	PARSE_BAD("'ro' is not an option", "--pflash", "a,ro");
	PARSE_BAD("2 banks", "--pflash", "a", "--pflash", "b", "--pflash", "c");
}

static void test_help(void)
{
	unsigned int lines = 0, widest = 0;

	for (const char *p = run_help; *p; lines++) {
		size_t n = strcspn(p, "\n");

		if (n > widest)
			widest = (unsigned int)n;
		p += n + (p[n] == '\n');
	}
	ok(lines <= 24 && widest <= 79,
	   "help fits a screen: %u lines of at most %u columns", lines, widest);
}

static void test_trap(void)
{
	ok(!strcmp(scause_name(13), "load page fault"), "scause 13");
	ok(!strcmp(scause_name(1ULL << 63 | 5), "supervisor timer interrupt"),
	   "scause: timer");
	ok(!strcmp(scause_name(14), "unknown") &&
	   !strcmp(scause_name(UINT64_MAX), "unknown") &&
	   !strcmp(scause_name(1000), "unknown"), "scause: unknown");
	ok(!strcmp(gpr_name(10), "a0") && !strcmp(gpr_name(31), "t6") &&
	   !strcmp(gpr_name(32), "?"), "gpr_name");
	ok(!strcmp(exit_reason_name(6), "KVM_EXIT_MMIO") &&
	   !strcmp(exit_reason_name(9999), "unknown exit"),
	   "exit_reason_name");
}

/* A kernel named on the command line: Debian's, whole and cut. */
static void test_real_kernel(const char *path)
{
	char why[IMAGE_WHY] = "";
	struct image img;
	u8 *buf;
	size_t len;
	int ret;

	if (read_file("kernel", path, &buf, &len)) {
		ok(false, "%s: %s", path, said());
		return;
	}
	ret = image_parse(buf, len, RAM_BASE, 512 * MIB, &img, why);
	ok(!ret, "%s: %zu bytes, memory to 0x%lx %s", path, len,
	   (unsigned long)img.end, why);
	ok(image_parse(buf, len - 1, RAM_BASE, 512 * MIB, &img, why) ==
	   STATUS_DATA && mentions(why, "truncated"), "%s", why);
	ok(image_parse(buf, len, RAM_BASE, 32 * MIB, &img, why) ==
	   STATUS_DATA && mentions(why, "--memory"), "%s", why);
	free(buf);
}

int main(int argc, char **argv)
{
	char name[] = "/tmp/umbra-unit.XXXXXX";
	int fd = mkstemp(name), err = dup(STDERR_FILENO);

	if (fd < 0 || err < 0 || dup2(fd, STDERR_FILENO) < 0) {
		perror("Bail out! temporary file");
		return 1;
	}
	unlink(name);
	tap = stdout;

	test_sizes();
	test_numbers();
	test_isa();
	test_layout();
	test_fdt();
	test_mrom();
	test_image();
	test_firmware();
	test_image_robust();
	test_unpack();
	test_options();
	test_disk_option();
	test_disk_open();
	test_pflash_option();
	test_help();
	test_trap();
	for (int i = 1; i < argc; i++)
		test_real_kernel(argv[i]);

	fprintf(tap, "1..%u\n", tests);
	fflush(tap);
	/* What is left there are a sanitizer's words, if any. */
	dup2(err, STDERR_FILENO);
	return failures != 0;
}
