// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel and firmware files; see image.h.
 *
 * A file is not trusted: every offset it holds is checked against its length
 * before it is followed, every address against guest memory, with overflow.
 */
#include <elf.h>
#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "image.h"
#include "util.h"

/* Documentation/arch/riscv/boot-image-header.rst of Linux. */
#define LINUX_HEADER_SIZE	64
#define LINUX_TEXT_OFFSET	0x08
#define LINUX_IMAGE_SIZE	0x10
#define LINUX_FLAGS		0x18
#define LINUX_MAGIC		0x30	/* "RISCV\0\0\0", old kernels */
#define LINUX_MAGIC2		0x38	/* "RSC\x05" */
#define LINUX_PE_OFFSET		0x3c
#define LINUX_FLAG_BE		1
/* A 64-bit kernel runs from 2 MiB boundaries only. */
#define LINUX_ALIGN		(2 * MIB)

#define PE_MACHINE_RISCV64	0x5064

/* drivers/firmware/efi/libstub/zboot-header.S of Linux. */
#define ZBOOT_MAGIC		0x04	/* "zimg" */
#define ZBOOT_OFFSET		0x08
#define ZBOOT_SIZE		0x0c
#define ZBOOT_TYPE		0x18
#define ZBOOT_TYPE_LEN		32

static u16 le16(const u8 *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static u32 le32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static u64 le64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* Is [off, off + need) inside a file of @len bytes? */
static bool inside(u64 off, u64 need, u64 len)
{
	return off <= len && need <= len - off;
}

static bool has(const u8 *buf, size_t len, size_t off, const char *magic,
		size_t n)
{
	return inside(off, n, len) && !memcmp(buf + off, magic, n);
}

static int bad(char *why, int status, const char *fmt, ...)
	__printf(3, 4);

static int bad(char *why, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, IMAGE_WHY, fmt, ap);
	va_end(ap);
	return status;
}

/* ---- compressed files --------------------------------------------------- */

static bool is_gzip(const u8 *buf, size_t len)
{
	return has(buf, len, 0, "\x1f\x8b", 2);
}

static bool is_zboot(const u8 *buf, size_t len)
{
	return has(buf, len, 0, "MZ", 2) &&
	       has(buf, len, ZBOOT_MAGIC, "zimg", 4);
}

#ifdef HAVE_ZLIB
static int gunzip(const u8 *in, size_t in_len, u8 **out,
		  size_t *out_len, u64 limit, char *why)
{
	size_t room = 0, used = 0;
	u8 *buf = NULL, *bigger;
	z_stream z = { 0 };
	int ret;

	/* 16: a gzip header is expected. */
	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return bad(why, STATUS_SYSTEM, "no memory to decompress it; free some");

	/* z's counters are 32 bits; nobody's kernel is 4 GiB of gzip. */
	if (in_len > UINT32_MAX) {
		ret = bad(why, STATUS_DATA, "is compressed and larger than 4G; decompress it first");
		goto out;
	}
	z.next_in = (u8 *)in;
	z.avail_in = (uInt)in_len;

	do {
		if (used == room) {
			room = room ? room * 2 : 32 * MIB;
			if (room > limit)
				room = limit;
			if (room == used) {
				ret = bad(why, STATUS_DATA, "is larger than the guest's memory once decompressed; give more --memory");
				goto out;
			}
			bigger = realloc(buf, room);
			if (!bigger) {
				ret = bad(why, STATUS_SYSTEM, "no memory to decompress it; free some");
				goto out;
			}
			buf = bigger;
		}
		z.next_out = buf + used;
		z.avail_out = room - used > UINT32_MAX ? UINT32_MAX :
			      (uInt)(room - used);
		ret = inflate(&z, Z_NO_FLUSH);
		used = (size_t)(z.next_out - buf);
	} while (ret == Z_OK || (ret == Z_BUF_ERROR && z.avail_in));

	if (ret == Z_STREAM_END) {
		*out = buf;
		*out_len = used;
		buf = NULL;
		ret = 0;
	} else if (ret == Z_BUF_ERROR) {
		ret = bad(why, STATUS_DATA, "is truncated: its gzip data ends early; copy it again");
	} else {
		ret = bad(why, STATUS_DATA, "has damaged gzip data; copy it again");
	}
out:
	free(buf);
	inflateEnd(&z);
	return ret;
}
#else
static int gunzip(const u8 *in, size_t in_len, u8 **out,
		  size_t *out_len, u64 limit, char *why)
{
	(void)in;
	(void)in_len;
	(void)out;
	(void)out_len;
	(void)limit;
	return bad(why, STATUS_DATA,
		   "is compressed with gzip, and this umbra was built without zlib; gunzip it first");
}
#endif

int image_unpack(u8 **buf, size_t *len, u64 limit,
		 char why[IMAGE_WHY])
{
	const u8 *data = *buf;
	u8 *out = NULL;
	size_t n = *len;
	int ret;

	if (is_zboot(data, n)) {
		u32 off, size;
		char type[ZBOOT_TYPE_LEN + 1] = "";

		if (n < ZBOOT_TYPE + ZBOOT_TYPE_LEN)
			return bad(why, STATUS_DATA, "is truncated: its header is cut off; copy it again");
		off = le32(data + ZBOOT_OFFSET);
		size = le32(data + ZBOOT_SIZE);
		memcpy(type, data + ZBOOT_TYPE, ZBOOT_TYPE_LEN);
		if (!inside(off, size, n))
			return bad(why, STATUS_DATA, "is truncated: its payload is cut off; copy it again");
		if (strcmp(type, "gzip"))
			return bad(why, STATUS_DATA,
				   "is an EFI zboot image compressed with '%.16s', which umbra does not read; use the plain Image",
				   type);
		/* The payload's size word may follow its data: harmless. */
		data += off;
		n = size;
		if (!is_gzip(data, n))
			return bad(why, STATUS_DATA, "says gzip but holds none; copy it again");
	} else if (!is_gzip(data, n)) {
		return 0;
	}

	ret = gunzip(data, n, &out, &n, limit, why);
	if (ret)
		return ret;
	free(*buf);
	*buf = out;
	*len = n;
	return 0;
}

/* ---- Linux -------------------------------------------------------------- */

/*
 * A Debian Image is a PE file too.  Its section table says how long the file
 * has to be, which the Linux header does not: image_size counts bss.
 */
static int check_pe(const u8 *buf, size_t len, char *why)
{
	u64 pe = le32(buf + LINUX_PE_OFFSET);
	u64 table, need = 0;
	unsigned int nr, machine;

	if (!has(buf, len, 0, "MZ", 2) || !pe)
		return 0;
	if (!inside(pe, 24, len))
		return bad(why, STATUS_DATA, "is truncated: its PE header is cut off; copy it again");
	if (memcmp(buf + pe, "PE\0\0", 4))
		return 0;

	machine = le16(buf + pe + 4);
	if (machine != PE_MACHINE_RISCV64)
		return bad(why, STATUS_DATA,
			   "is a kernel for another machine (PE type 0x%x); give a 64-bit RISC-V kernel",
			   machine);
	nr = le16(buf + pe + 6);
	table = pe + 24 + le16(buf + pe + 20);
	if (!inside(table, nr * 40ULL, len))
		return bad(why, STATUS_DATA, "is truncated: its section table is cut off; copy it again");

	for (unsigned int i = 0; i < nr; i++) {
		const u8 *s = buf + table + i * 40ULL;
		u64 end = (u64)le32(s + 16) + le32(s + 20);

		if (end > need)
			need = end;
	}
	if (need > len)
		return bad(why, STATUS_DATA,
			   "is truncated: %zu bytes of %" PRIu64 "; copy it again",
			   len, need);
	return 0;
}

static bool is_linux(const u8 *buf, size_t len)
{
	return has(buf, len, LINUX_MAGIC2, "RSC\x05", 4) ||
	       has(buf, len, LINUX_MAGIC, "RISCV\0\0\0", 8);
}

/* One piece: the file at @offset of RAM, and what it needs behind itself. */
static int place(size_t len, u64 size, u64 offset, u64 ram_base, u64 ram_size,
		 struct image *img, char *why)
{
	char have[32];

	if (!inside(offset, size, ram_size))
		return bad(why, STATUS_DATA,
			   "needs %" PRIu64 " KiB of memory, the guest has %s; give more --memory",
			   (offset + size) / KIB,
			   format_size(ram_size, have, sizeof(have)));
	img->entry = ram_base + offset;
	img->end = img->entry + size;
	img->nr_segments = 1;
	img->segments[0] = (struct image_segment) {
		.gpa = img->entry,
		.offset = 0,
		.filesz = len,
		.memsz = size,
	};
	return 0;
}

/* @at: where it goes; 0: where its header wants it. */
static int parse_linux(const u8 *buf, size_t len, u64 at, u64 ram_base,
		       u64 ram_size, struct image *img, char *why)
{
	u64 text_offset, size;
	int ret;

	if (len < LINUX_HEADER_SIZE)
		return bad(why, STATUS_DATA, "is truncated: its header is cut off; copy it again");
	if (le64(buf + LINUX_FLAGS) & LINUX_FLAG_BE)
		return bad(why, STATUS_DATA, "is a big-endian kernel; give a little-endian one");
	ret = check_pe(buf, len, why);
	if (ret)
		return ret;

	text_offset = le64(buf + LINUX_TEXT_OFFSET);
	size = le64(buf + LINUX_IMAGE_SIZE);
	if (size < len)
		size = len;
	if (text_offset % LINUX_ALIGN)
		return bad(why, STATUS_DATA,
			   "wants to lie at RAM + 0x%" PRIx64 ", not at a multiple of 2M; is it a 64-bit kernel?",
			   text_offset);

	img->kind = IMAGE_LINUX;
	return place(len, size, at ? at - ram_base : text_offset, ram_base,
		     ram_size, img, why);
}

/* ---- ELF ---------------------------------------------------------------- */

/*
 * @movable: what is position independent may lie elsewhere than it says.  (Only
 * firmware: it relocates itself before it does anything else.)
 */
static int parse_elf(const u8 *buf, size_t len, bool movable, u64 ram_base,
		     u64 ram_size, struct image *img, char *why)
{
	bool entry_loaded = false;
	u64 phoff, slide = 0;
	Elf64_Ehdr eh;

	if (len < sizeof(eh))
		return bad(why, STATUS_DATA, "is truncated: its ELF header is cut off; copy it again");
	memcpy(&eh, buf, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    le16toh(eh.e_machine) != EM_RISCV)
		return bad(why, STATUS_DATA,
			   "is an ELF file for another machine; give a 64-bit RISC-V one");
	if (le16toh(eh.e_type) != ET_EXEC && le16toh(eh.e_type) != ET_DYN)
		return bad(why, STATUS_DATA, "is an ELF file that is not linked; link it first");

	phoff = le64toh(eh.e_phoff);
	if (le16toh(eh.e_phentsize) != sizeof(Elf64_Phdr) ||
	    !inside(phoff, le16toh(eh.e_phnum) * sizeof(Elf64_Phdr), len))
		return bad(why, STATUS_DATA, "is truncated: its program headers are cut off; copy it again");

	img->kind = IMAGE_ELF;
	img->entry = le64toh(eh.e_entry);
	if (movable && le16toh(eh.e_type) == ET_DYN && img->entry < ram_base)
		slide = ram_base;
	img->entry += slide;
	img->end = ram_base;
	img->nr_segments = 0;

	for (unsigned int i = 0; i < le16toh(eh.e_phnum); i++) {
		u64 gpa, off, filesz, memsz;
		Elf64_Phdr ph;

		memcpy(&ph, buf + phoff + i * sizeof(ph), sizeof(ph));
		gpa = le64toh(ph.p_paddr) + slide;
		off = le64toh(ph.p_offset);
		filesz = le64toh(ph.p_filesz);
		memsz = le64toh(ph.p_memsz);
		if (le32toh(ph.p_type) != PT_LOAD || !memsz)
			continue;
		if (filesz > memsz)
			return bad(why, STATUS_DATA, "has a damaged ELF segment; build or copy it again");
		if (!inside(off, filesz, len))
			return bad(why, STATUS_DATA, "is truncated: an ELF segment is cut off; copy it again");
		if (gpa < ram_base || !inside(gpa - ram_base, memsz, ram_size))
			return bad(why, STATUS_DATA,
				   "has a segment at 0x%llx..0x%llx, outside the guest's RAM (from 0x%llx); link it into RAM or give more --memory",
				   (unsigned long long)gpa, (unsigned long long)(gpa + memsz),
				   (unsigned long long)ram_base);
		if (img->nr_segments == IMAGE_MAX_SEGMENTS)
			return bad(why, STATUS_DATA, "has more than %u ELF segments; link it with fewer",
				   IMAGE_MAX_SEGMENTS);
		img->segments[img->nr_segments++] = (struct image_segment) {
			.gpa = gpa,
			.offset = off,
			.filesz = filesz,
			.memsz = memsz,
		};
		if (gpa + memsz > img->end)
			img->end = gpa + memsz;
		if (img->entry >= gpa && img->entry - gpa < memsz)
			entry_loaded = true;
	}

	if (!img->nr_segments)
		return bad(why, STATUS_DATA, "is an ELF file with nothing to load; build it again");
	if (!entry_loaded)
		return bad(why, STATUS_DATA,
			   "is an ELF file entered at 0x%" PRIx64 ", outside what it loads; of Linux, give arch/riscv/boot/Image instead of vmlinux",
			   img->entry);
	return 0;
}

/* ---- what is it? -------------------------------------------------------- */

/* Files people give by mistake. */
static const struct {
	size_t offset;
	const char *magic;
	size_t len;
	const char *what;
} strangers[] = {
	{ 0x202, "HdrS",	4, "an x86 kernel" },
	{ 0x38,  "ARM\x64",	4, "an arm64 kernel" },
	{ 0x38,  "LoongArch",	4, "a LoongArch kernel" },
	{ 0,     "\xfd" "7zXZ",	5, "compressed with xz" },
	{ 0,     "\x28\xb5\x2f\xfd", 4, "compressed with zstd" },
	{ 0,     "BZh",		3, "compressed with bzip2" },
	{ 0,     "070701",	6, "a cpio archive (an initrd?)" },
	{ 0,     "\x27\x05\x19\x56", 4, "a U-Boot image" },
	{ 0,     "\xd0\x0d\xfe\xed", 4, "a device tree or a FIT image" },
};

static bool is_elf(const u8 *buf, size_t len)
{
	return has(buf, len, 0, ELFMAG, SELFMAG);
}

static int refuse_strangers(const u8 *buf, size_t len, const char *what,
			    char *why)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(strangers); i++)
		if (has(buf, len, strangers[i].offset, strangers[i].magic,
			strangers[i].len))
			return bad(why, STATUS_DATA,
				   "is not %s but %s; give a riscv64 one, or an ELF file",
				   what, strangers[i].what);
	return 0;
}

static int parse_raw(const u8 *buf, size_t len, const char *what, u64 at,
		     u64 ram_base, u64 ram_size, struct image *img, char *why)
{
	int ret = refuse_strangers(buf, len, what, why);

	if (ret)
		return ret;
	if (!len)
		return bad(why, STATUS_DATA, "is empty; copy it again");
	img->kind = IMAGE_RAW;
	return place(len, len, at - ram_base, ram_base, ram_size, img, why);
}

int image_parse_firmware(const u8 *buf, size_t len, u64 ram_base,
			 u64 ram_size, struct image *img, char why[IMAGE_WHY])
{
	memset(img, 0, sizeof(*img));

	if (is_elf(buf, len))
		return parse_elf(buf, len, true, ram_base, ram_size, img, why);
	return parse_raw(buf, len, "RISC-V firmware", ram_base, ram_base,
			 ram_size, img, why);
}

int image_parse_payload(const u8 *buf, size_t len, u64 at, u64 ram_base,
			u64 ram_size, struct image *img, char why[IMAGE_WHY])
{
	memset(img, 0, sizeof(*img));

	if (is_elf(buf, len))
		return parse_elf(buf, len, false, ram_base, ram_size, img, why);
	if (is_linux(buf, len))
		return parse_linux(buf, len, at, ram_base, ram_size, img, why);
	return parse_raw(buf, len, "a RISC-V kernel", at, ram_base, ram_size,
			 img, why);
}

int image_parse(const u8 *buf, size_t len, u64 ram_base,
		u64 ram_size, struct image *img, char why[IMAGE_WHY])
{
	int ret;

	memset(img, 0, sizeof(*img));

	if (is_elf(buf, len))
		return parse_elf(buf, len, false, ram_base, ram_size, img, why);
	if (is_linux(buf, len))
		return parse_linux(buf, len, 0, ram_base, ram_size, img, why);
	ret = refuse_strangers(buf, len, "a RISC-V kernel", why);
	if (ret)
		return ret;
	if (len < LINUX_HEADER_SIZE)
		return bad(why, STATUS_DATA,
			   "is not a kernel: it has only %zu bytes; give a riscv64 Image or ELF file",
			   len);
	return bad(why, STATUS_DATA,
		   "is not a RISC-V kernel; give a riscv64 Image (as Debian's /boot/vmlinu?-*-riscv64) or ELF file");
}
