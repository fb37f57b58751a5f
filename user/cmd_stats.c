// SPDX-License-Identifier: GPL-2.0
/*
 * `umbra stats`: the module's counters of a running guest, in the manner of
 * kvm_stat.
 *
 * The launcher (or QEMU) holds each vCPU's statistics file open; this takes a
 * duplicate of it out of that process, which needs the right to trace it.  The
 * guest does not notice.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "stats.h"
#include "util.h"

#define MAX_VCPUS	1024

static const char stats_help[] =
"usage: umbra stats [--interval SECONDS [--count N]] [--raw] [PID]\n"
"Shows the counters of the guest that process PID runs; without PID, of the only\n"
"one there is.  Totals since its start; with --interval, what is added each time,\n"
"per second.\n"
"  --raw    a line for each vCPU and counter: VCPU, NAME, VALUE, separated by tabs\n"
"Documentation/debugging.rst explains the counters.\n";

static int stats_fds[MAX_VCPUS];
static unsigned int nr_fds;

/* Is fd @name of process @pid a statistics file? */
static bool is_stats_fd(long pid, const char *name)
{
	static const char want[] = "anon_inode:umbra-stats";
	char path[64], to[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%ld/fd/%.16s", pid, name);
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return false;
	to[n] = '\0';
	/* The kernel puts anonymous inodes' names into brackets, or not. */
	return !strcmp(to, want) || !strcmp(to, "anon_inode:[umbra-stats]");
}

/* Take over what @pid has open; how many files there are. */
static unsigned int take_from(long pid, bool keep)
{
	char path[64];
	struct dirent *d;
	unsigned int n = 0;
	int pidfd, fd;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	pidfd = keep ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	while ((d = readdir(dir))) {
		if (!is_stats_fd(pid, d->d_name))
			continue;
		n++;
		if (!keep || nr_fds == MAX_VCPUS)
			continue;
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(d->d_name), 0);
		if (fd >= 0)
			stats_fds[nr_fds++] = fd;
	}
	closedir(dir);
	if (pidfd >= 0)
		close(pidfd);
	return n;
}

/* The only process with a guest: 0 if there is none, -1 if several. */
static long find_guest(void)
{
	struct dirent *d;
	DIR *dir = opendir("/proc");
	long found = 0, pid;

	while (dir && found >= 0 && (d = readdir(dir))) {
		pid = strtol(d->d_name, NULL, 10);
		if (pid > 0 && take_from(pid, false))
			found = found ? -1 : pid;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Sums over all vCPUs. */
static bool read_sum(struct stats *sum)
{
	static struct stats one;

	for (unsigned int i = 0; i < nr_fds; i++) {
		if (!stats_read(stats_fds[i], &one))
			return false;
		if (!i)
			*sum = one;
		for (unsigned int n = 0; i && n < sum->nr && n < one.nr; n++)
			sum->counter[n].value += one.counter[n].value;
	}
	return true;
}

static bool show_raw(void)
{
	static struct stats one;

	for (unsigned int i = 0; i < nr_fds; i++) {
		const char *id;

		if (!stats_read(stats_fds[i], &one))
			return false;
		id = strrchr(one.id, '-');
		for (unsigned int n = 0; n < one.nr; n++)
			printf("%s\t%s\t%" PRIu64 "\n", id ? id + 1 : "?",
			       one.counter[n].name, one.counter[n].value);
	}
	return true;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Largest first, nothing that is 0. */
static void show(const struct stats *s, const struct stats *before, double time)
{
	bool shown[STATS_MAX] = { false };

	printf("%-20s %16s\n", "counter", before ? "per second" : "total");
	for (;;) {
		unsigned int best = s->nr;
		uint64_t most = 0;

		for (unsigned int n = 0; n < s->nr; n++) {
			uint64_t v = s->counter[n].value -
				     (before ? before->counter[n].value : 0);

			if (!shown[n] && v > most) {
				most = v;
				best = n;
			}
		}
		if (best == s->nr)
			break;
		shown[best] = true;
		printf("%-20s %16.0f\n", s->counter[best].name,
		       (double)most / time);
	}
	printf("\n");
	fflush(stdout);
}

static bool watch(double interval, unsigned long count)
{
	static struct stats now, before;
	struct timespec wait = {
		.tv_sec = (time_t)interval,
		.tv_nsec = (long)((interval - (double)(time_t)interval) * 1e9),
	};
	double t = seconds(), last;

	if (!read_sum(&before))
		return false;
	for (unsigned long i = 0; !count || i < count; i++) {
		nanosleep(&wait, NULL);
		last = t;
		t = seconds();
		if (!read_sum(&now))
			return false;
		show(&now, &before, t - last);
		before = now;
	}
	return true;
}

int cmd_stats(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		{ "raw", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	unsigned long count = 0, pid_arg;
	static struct stats sum;
	double interval = 0;
	bool raw = false, ok;
	long pid;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			interval = atof(optarg);
			if (!(interval >= 0.01 && interval <= 86400))
				return fail(STATUS_USAGE, "--interval '%s': is no number of seconds from 0.01 to 86400",
					    optarg);
			break;
		case 'c':
			if (parse_number(optarg, 1, 1000000000, &count))
				return fail(STATUS_USAGE, "--count '%s': is not a number; give one",
					    optarg);
			break;
		case 'r':
			raw = true;
			break;
		case 'h':
			fputs(stats_help, stdout);
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	if (optind < argc) {
		if (parse_number(argv[optind], 1, 1UL << 30, &pid_arg) ||
		    optind + 1 < argc)
			return fail(STATUS_USAGE, "'%s': is no process; `umbra stats --help` shows how",
				    argv[argc - 1]);
		pid = (long)pid_arg;
	} else {
		pid = find_guest();
	}
	if (pid < 0)
		return fail(STATUS_USAGE, "there are several guests; give the PID of one");
	if (!pid)
		return fail(STATUS_UNAVAILABLE, "no guest of Umbra's is running");
	if (!take_from(pid, true))
		return fail(STATUS_UNAVAILABLE, "process %ld runs no guest of Umbra's, or belongs to somebody else",
			    pid);
	if (!nr_fds)
		return fail(STATUS_UNAVAILABLE, "cannot look into process %ld; be root",
			    pid);
	if (raw) {
		ok = show_raw();
	} else if (interval > 0) {
		ok = watch(interval, count);
	} else {
		ok = read_sum(&sum);
		if (ok)
			show(&sum, NULL, 1);
	}
	return ok ? STATUS_OK :
		fail(STATUS_UNAVAILABLE, "the module gives no statistics; do module and launcher belong together? (`umbra check`)");
}
