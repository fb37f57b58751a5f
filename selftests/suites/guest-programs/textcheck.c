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
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static uint64_t symbol(const char *name)
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
static uint16_t *kernel(uint64_t addr, uint64_t len)
{
	uint8_t *buf = malloc(len + 8);
	uint64_t done = 0;

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
		return (uint16_t *)buf;
	}
	fail("/proc/kcore has nothing at %#lx", addr);
}

/* The address in the linear mapping of what is at @text; 0: there is none. */
static uint64_t linear(uint64_t text)
{
	uint64_t pa = 0;

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

static uint64_t checksum(const uint16_t *buf, uint64_t len)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (uint64_t i = 0; i < len / 2; i++)
		sum = (sum ^ buf[i]) * 0x100000001b3;
	return sum;
}

static uint8_t *file(const char *path, uint64_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buf;

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

/* By instructions of the truth, which begins with one. */
static void compare(const uint16_t *truth, const uint16_t *seen, uint64_t len,
		    uint64_t addr, struct counts *c)
{
	uint64_t at = 0;	/* where an instruction of what is seen begins */

	for (uint64_t i = 0, step; i < len / 2; i += step) {
		int system;

		step = (truth[i] & 3) == 3 ? 2 : 1;
		if (i + step > len / 2)
			break;
		/* Not fence.i: opcode SYSTEM only, and ebreak is no such site. */
		system = (truth[i] & 0x7f) == 0x73 &&
			 (truth[i] | (uint32_t)truth[i + 1] << 16) != 0x00100073;
		c->insns++;
		c->system += system;
		c->ebreaks += truth[i] == C_EBREAK;
		if (!memcmp(truth + i, seen + i, step * 2))
			continue;
		c->differ++;
		c->system_differ += system;
		for (uint64_t j = 0; j < step; j++) {
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
	uint64_t stext = symbol("_stext"), etext = symbol("_etext");
	uint64_t start = symbol("_start"), len, size = etext - stext;
	uint64_t at = linear(stext);
	uint8_t *image = file(path, &len);
	const uint16_t *truth = (uint16_t *)(image + (stext - start));
	struct counts c = { 0 }, l = { 0 };
	uint16_t *seen;
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
	uint64_t len;
	uint8_t *ko = file(path, &len);
	Elf64_Ehdr *e = (Elf64_Ehdr *)ko;
	Elf64_Shdr *sh = (Elf64_Shdr *)(ko + e->e_shoff);
	const char *names = (char *)ko + sh[e->e_shstrndx].sh_offset;
	struct counts c = { 0 };
	char what[128];

	for (int i = 1; i < e->e_shnum; i++) {
		unsigned long addr;
		char entry[256];
		uint16_t *seen;
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
		compare((uint16_t *)(ko + sh[i].sh_offset), seen, sh[i].sh_size,
			addr, &c);
		free(seen);
	}
	snprintf(what, sizeof(what), "module %s", name);
	if (!c.system)
		printf("# %s has no system instruction\n", what), c.system = 1;
	return report(what, &c, 0);
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	open_kcore();
	if (argc == 2 && !strcmp(argv[1], "sum")) {
		uint64_t stext = symbol("_stext"), size = symbol("_etext") - stext;
		uint64_t at = linear(stext);
		uint64_t sum = checksum(kernel(stext, size), size);

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
