// SPDX-License-Identifier: GPL-2.0
/*
 * textcheck - looks, inside a guest, for traces of the rewriting of privileged
 * instructions in the guest kernel's own text, read through /proc/kcore by way
 * of two mappings (the kernel's and the linear one).
 *
 *	textcheck sum			prints a checksum of the kernel's text
 *	textcheck image FILE [N]	compares with the Image it was booted from;
 *					N c.ebreaks more are expected (kprobes)
 *	textcheck module NAME FILE	compares a loaded module with its file
 *
 * The kernel changes its text on its own (alternatives, jump labels, ftrace),
 * but never puts c.ebreak where none was, kprobes apart; and leaves nearly all
 * system instructions (csr, sret, sfence, wfi) alone. Prints one unnumbered TAP
 * line.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define C_EBREAK	0x9002

static int kcore = -1;
static Elf64_Ehdr ehdr;
static Elf64_Phdr phdr[64];

static _Noreturn void fail(const char *fmt, ...)
{
	va_list ap;

	printf("not ok textcheck: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static u64 symbol(const char *name)
{
	char line[512], sym[256];
	unsigned long addr;
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %255s", &addr, sym) == 2 &&
		    !strcmp(sym, name)) {
			fclose(f);
			return addr;
		}
	}
	fail("no symbol %s", name);
}

static void open_kcore(void)
{
	kcore = open("/proc/kcore", O_RDONLY);
	if (kcore < 0 || pread(kcore, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		fail("/proc/kcore: %m");
	if (ehdr.e_phnum > 64)
		fail("/proc/kcore: %u segments", ehdr.e_phnum);
	if (pread(kcore, phdr, sizeof(phdr[0]) * ehdr.e_phnum, ehdr.e_phoff) < 0)
		fail("/proc/kcore: %m");
}

/* Kernel memory, in a buffer. */
static u16 *kernel(u64 addr, u64 len)
{
	u8 *buf = malloc(len + 8);
	u64 done = 0;

	for (int i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr *p = &phdr[i];

		if (p->p_type != PT_LOAD || addr < p->p_vaddr ||
		    addr + len > p->p_vaddr + p->p_memsz)
			continue;
		while (done < len) {
			ssize_t r = pread(kcore, buf + done, len - done,
					  p->p_offset + (addr - p->p_vaddr) + done);

			if (r <= 0)
				fail("/proc/kcore at %#lx: %m", addr + done);
			done += r;
		}
		return (u16 *)buf;
	}
	fail("/proc/kcore has nothing at %#lx", addr);
}

/* The address in the linear mapping of what is at @text; 0: there is none. */
static u64 linear(u64 text)
{
	u64 pa = 0;

	for (int i = 0; i < ehdr.e_phnum; i++)
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_vaddr <= text &&
		    text < phdr[i].p_vaddr + phdr[i].p_memsz)
			pa = phdr[i].p_paddr + (text - phdr[i].p_vaddr);
	for (int i = 0; i < ehdr.e_phnum; i++)
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_paddr + 1 &&
		    phdr[i].p_paddr <= pa &&
		    pa < phdr[i].p_paddr + phdr[i].p_memsz &&
		    phdr[i].p_vaddr + (pa - phdr[i].p_paddr) != text)
			return phdr[i].p_vaddr + (pa - phdr[i].p_paddr);
	return 0;
}

static u64 checksum(const u16 *buf, u64 len)
{
	u64 sum = 0xcbf29ce484222325;

	for (u64 i = 0; i < len / 2; i++)
		sum = (sum ^ buf[i]) * 0x100000001b3;
	return sum;
}

static u8 *file(const char *path, u64 *len)
{
	FILE *f = fopen(path, "rb");
	u8 *buf;

	if (!f)
		fail("%s: %m", path);
	fseek(f, 0, SEEK_END);
	*len = ftell(f);
	rewind(f);
	buf = malloc(*len);
	if (!buf || fread(buf, 1, *len, f) != *len)
		fail("%s: cannot read it", path);
	fclose(f);
	return buf;
}

struct counts {
	unsigned long insns, system, ebreaks, differ, extra, system_differ;
};

/* ftrace's call, auipc t0 and jalr t0, t0; what lies before it may be a pointer. */
static bool is_traced(const u16 *insn)
{
	return (insn[0] & 0xfff) == 0x297 && insn[2] == 0x82e7;
}

/* By instructions of the truth, which begins with one. */
static void compare(const u16 *truth, const u16 *seen, u64 len,
		    u64 addr, struct counts *c)
{
	u64 at = 0;	/* where an instruction of what is seen begins */

	for (u64 i = 0, step; i < len / 2; i += step) {
		int system;

		step = (truth[i] & 3) == 3 ? 2 : 1;
		if (i + step > len / 2)
			break;
		/* Not fence.i: opcode SYSTEM only, and ebreak is no such site. */
		system = (truth[i] & 0x7f) == 0x73 &&
			 (truth[i] | (u32)truth[i + 1] << 16) != 0x00100073;
		c->insns++;
		c->system += system;
		c->ebreaks += truth[i] == C_EBREAK;
		if (!memcmp(truth + i, seen + i, step * 2))
			continue;
		c->differ++;
		c->system_differ += system;
		if (i + 4 <= len / 2 && is_traced(seen + i))
			at = i;
		for (u64 j = 0; j < step; j++) {
			if (seen[i + j] != C_EBREAK || truth[i + j] == C_EBREAK)
				continue;
			/* The upper half of a patched instruction is no ebreak. */
			while (at < i + j)
				at += (seen[at] & 3) == 3 ? 2 : 1;
			if (at != i + j)
				continue;
			if (c->extra++ < 10)
				printf("# c.ebreak at %#lx, where %04x%s was\n",
				       addr + 2 * (i + j), truth[i],
				       system ? " (a system instruction)" : "");
		}
	}
}

static int report(const char *what, const struct counts *c, unsigned long expected)
{
	printf("# %s: %lu instructions, %lu of them system; c.ebreaks of its own %lu; "
	       "differences %lu, of system instructions %lu\n",
	       what, c->insns, c->system, c->ebreaks, c->differ, c->system_differ);
	printf("%sok %s holds %lu c.ebreak(s) that are not its own, %lu expected\n",
	       c->extra == expected && c->system > 0 ? "" : "not ", what, c->extra,
	       expected);
	return c->extra != expected;
}

static int check_image(const char *path, unsigned long expected)
{
	u64 stext = symbol("_stext"), etext = symbol("_etext");
	u64 start = symbol("_start"), len, size = etext - stext;
	u64 at = linear(stext);
	u8 *image = file(path, &len);
	const u16 *truth = (u16 *)(image + (stext - start));
	struct counts c = { 0 }, l = { 0 };
	u16 *seen;
	int ret;

	if (stext - start + size > len)
		fail("%s is shorter than the kernel's text", path);
	seen = kernel(stext, size);
	compare(truth, seen, size, stext, &c);
	if (c.differ > c.insns / 4)
		fail("%s is not this kernel: %lu of %lu instructions differ", path,
		     c.differ, c.insns);
	ret = report("the kernel's text", &c, expected);
	free(seen);
	if (!at) {
		printf("ok the kernel's text in the linear mapping # SKIP not found\n");
		return ret;
	}
	seen = kernel(at, size);
	compare(truth, seen, size, at, &l);
	if (l.differ != c.differ)
		printf("# the two mappings differ from the file in %lu and %lu places\n",
		       c.differ, l.differ);
	return ret | report("the kernel's text in the linear mapping", &l, expected);
}

static int check_module(const char *name, const char *path)
{
	u64 len;
	u8 *ko = file(path, &len);
	Elf64_Ehdr *e = (Elf64_Ehdr *)ko;
	Elf64_Shdr *sh = (Elf64_Shdr *)(ko + e->e_shoff);
	const char *names = (char *)ko + sh[e->e_shstrndx].sh_offset;
	struct counts c = { 0 };
	char what[128];

	for (int i = 1; i < e->e_shnum; i++) {
		unsigned long addr;
		char entry[256];
		u16 *seen;
		FILE *f;

		if (!(sh[i].sh_flags & SHF_EXECINSTR) || !sh[i].sh_size ||
		    !strncmp(names + sh[i].sh_name, ".init", 5))
			continue;
		snprintf(entry, sizeof(entry), "/sys/module/%s/sections/%s", name,
			 names + sh[i].sh_name);
		f = fopen(entry, "r");
		if (!f || fscanf(f, "%lx", &addr) != 1)
			continue;
		fclose(f);
		seen = kernel(addr, sh[i].sh_size);
		/* Relocations make differences, but no c.ebreak. */
		compare((u16 *)(ko + sh[i].sh_offset), seen, sh[i].sh_size,
			addr, &c);
		free(seen);
	}
	snprintf(what, sizeof(what), "module %s", name);
	if (!c.system) {
		printf("# %s has no system instruction\n", what);
		c.system = 1;
	}
	return report(what, &c, 0);
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	open_kcore();
	if (argc == 2 && !strcmp(argv[1], "sum")) {
		u64 stext = symbol("_stext"), size = symbol("_etext") - stext;
		u64 at = linear(stext);
		u64 sum = checksum(kernel(stext, size), size);

		printf("%016lx", sum);
		printf(" %016lx\n", at ? checksum(kernel(at, size), size) : sum);
		return 0;
	}
	if (argc >= 3 && !strcmp(argv[1], "image"))
		return check_image(argv[2], argc > 3 ? strtoul(argv[3], NULL, 0) : 0);
	if (argc == 4 && !strcmp(argv[1], "module"))
		return check_module(argv[2], argv[3]);
	fprintf(stderr, "usage: textcheck sum | image FILE [N] | module NAME FILE\n");
	return 2;
}
