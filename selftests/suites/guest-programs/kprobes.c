// SPDX-License-Identifier: GPL-2.0
/*
 * kprobes - inside a guest: kprobes on every instruction of FUNCTION that the
 * kernel lets be probed, one after another and all at once, while SYSCALL runs
 * through it; each is hit either each time or never. Functions that copy to user
 * space hold csr instructions (sstatus.SUM), which are sites of the hypervisor's
 * rewriting, next to the probes.
 *
 *	kprobes FUNCTION SYSCALL-NUMBER [COUNT]
 *
 * The syscall gets pointers in its three arguments. Prints unnumbered TAP lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint32_t u32;

#define TRACING "/sys/kernel/tracing/"

static int put(const char *file, const char *text, int how)
{
	char path[256];
	int fd, ret, saved;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | how);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	return ret < 0 ? -saved : 0;
}

static void call(long nr, unsigned long count)
{
	static u32 a[16], b[16], c[16];

	while (count--)
		syscall(nr, a, b, c);
}

/* Hits by event, in order of offset. */
static int profile(const char *prefix, unsigned long *hits, int max)
{
	char line[256], name[128];
	unsigned long n, missed;
	FILE *f = fopen(TRACING "kprobe_profile", "r");
	int seen = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %127s %lu %lu", name, &n, &missed) < 2 ||
		    strncmp(name, prefix, strlen(prefix)))
			continue;
		if (seen < max)
			hits[atoi(name + strlen(prefix))] = n;
		seen++;
	}
	if (f)
		fclose(f);
	return seen;
}

/* The function's length, by the next symbol. */
static unsigned long length(const char *function)
{
	unsigned long addr, at = 0, next = ~0ul;
	char line[512], sym[256], type;

	for (int pass = 0; pass < 2; pass++) {
		FILE *f = fopen("/proc/kallsyms", "r");

		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%lx %c %255s", &addr, &type, sym) != 3)
				continue;
			if (!pass && !strcmp(sym, function))
				at = addr;
			if (pass && addr > at && addr < next)
				next = addr;
		}
		if (f)
			fclose(f);
	}
	return at && next - at < 4096 ? next - at : 0;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 0) : 100;
	static unsigned long hits[4096], never, each, other, armed;
	unsigned long len;
	char text[256];
	long nr;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return 2;
	nr = strtol(argv[2], NULL, 0);
	len = length(argv[1]);
	if (!len) {
		printf("ok kprobes in %s # SKIP this kernel has no such function\n", argv[1]);
		return 0;
	}
	call(nr, 10);
	for (unsigned long off = 0; off < len && off < 400; off += 2) {
		snprintf(text, sizeof(text), "p:u/p%lu %s+%lu\n", off, argv[1], off);
		/* Refused: not an instruction's begin, or a system instruction. */
		if (put("kprobe_events", text, O_APPEND))
			continue;
		/* Alone. */
		snprintf(text, sizeof(text), "events/u/p%lu/enable", off);
		if (put(text, "1", 0)) {
			snprintf(text, sizeof(text), "-:u/p%lu\n", off);
			put("kprobe_events", text, O_APPEND);
			continue;
		}
		memset(hits, 0, sizeof(hits));
		call(nr, count);
		put(text, "0", 0);
		profile("p", hits, 4096);
		if (hits[off] == 0) {
			never++;
		} else if (hits[off] == count) {
			each++;
		} else {
			other++;
			printf("# %s+%lu: hit %lu times in %lu calls\n", argv[1],
			       off, hits[off], count);
		}
		armed++;
	}
	printf("%sok kprobes alone in %s: of %lu, %lu hit in each of %lu calls, %lu never, %lu otherwise\n",
	       other || !each ? "not " : "", argv[1], armed, each, count, never, other);
	/* All of them: those hit each time before now count twice as often. */
	put("events/u/enable", "1", 0);
	call(nr, count);
	put("events/u/enable", "0", 0);
	each = 0;
	other = 0;
	memset(hits, 0, sizeof(hits));
	profile("p", hits, 4096);
	for (int i = 0; i < 4096; i++) {
		each += hits[i] == 2 * count;
		other += hits[i] && hits[i] != 2 * count;
	}
	printf("%sok kprobes at once in %s: %lu hit in each call, %lu otherwise\n",
	       other || !each ? "not " : "", argv[1], each, other);
	put("kprobe_events", "", O_TRUNC);
	return other || !each;
}
