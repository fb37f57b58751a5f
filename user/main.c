// SPDX-License-Identifier: GPL-2.0
/*
 * umbra - the launcher of Umbra's guests.  This file: the subcommands' table.
 *
 * A tour: machine.c says what machine a guest sees, cmd_run.c builds one and
 * runs it with kvm.c (the module's device), memory.c (RAM), image.c (kernel
 * files), fdt.c (device tree), devices.c (in-kernel devices), vcpu.c (vCPU
 * threads and their exits) and console.c (serial lines, terminal, signals).
 * cmd_check.c says whether this host can do all that.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "options.h"
#include "util.h"

#ifndef UMBRA_VERSION
#define UMBRA_VERSION "unknown"
#endif

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "run",	cmd_run,	"run a guest" },
	{ "check",	cmd_check,	"say whether this host can run guests, and why not" },
	{ "stats",	cmd_stats,	"show the counters of a running guest" },
	{ "help",	cmd_help,	"show this text; `umbra help run`: all of run's options" },
	{ "version",	cmd_version,	"show the version" },
};

static int cmd_help(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "run")) {
		fputs(run_help, stdout);
		return STATUS_OK;
	}
	printf("usage: umbra COMMAND [OPTION]...\n"
	       "Runs virtual RISC-V machines on hosts without the H extension.\n\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].what);
	printf("\nExample: umbra run --kernel /boot/vmlinux --initrd initrd --memory 1G\n");
	return STATUS_OK;
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("umbra %s\n", UMBRA_VERSION);
	return STATUS_OK;
}

/* What a help or a version is worth when nobody could be told. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return fail(STATUS_SYSTEM, "cannot write to standard output");
	return status;
}

/*
 * Whoever starts us with a standard descriptor closed would have it reused for
 * the first file we open, and the guest's output written there.
 */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *name;

	fill_standard_fds();

	if (argc < 2)
		return fail(STATUS_USAGE, "there is no command: give `run`, `check` or `help`");

	name = argv[1];
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return finish(commands[i].fn(argc - 1, argv + 1));

	return fail(STATUS_USAGE, "there is no command '%s'; `umbra help` lists them",
		    name);
}
