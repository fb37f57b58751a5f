// SPDX-License-Identifier: GPL-2.0
/*
 * The command line of `umbra run`; see options.h.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "kvm.h"
#include "options.h"

/* At most 24 lines of 79 columns; tests/unit.c holds it to that. */
const char run_help[] =
"usage: umbra run [OPTION]...\n"
"  --kernel FILE    riscv64 Linux Image (also gzip, EFI), or a bare-metal ELF\n"
"  --bios FILE      firmware that starts it, in M-mode; none: M-mode without\n"
"  --pflash FILE[,readonly]   flash, at most 2 banks; the first is booted from\n"
"  --initrd FILE    initial RAM disk\n"
"  --append STRING  kernel command line\n"
"  --memory SIZE    guest memory, with suffix K, M, G or T       [512M]\n"
"  --cpus N         harts                                        [1]\n"
"  --mmu MODE       guest's MMU: sv39, sv48 or sv57              [host's choice]\n"
"  --serial PATH    one more UART (ttyS1, ...), at most 3: to a file or FIFO,\n"
"                   and from a FIFO PATH.in; both ways on a device or socket\n"
"  --disk FILE[,readonly][,serial=S][,legacy]   a virtio disk, at most 8\n"
"  --no-reboot      end when the guest resets instead of starting it again\n"
"  --registers      show all registers when the guest dies\n"
"  --stats FILE     append the module's counters to FILE at the end\n"
"  --dump-dtb FILE  write the guest's device tree and exit (FILE -: stdout)\n"
"  --device PATH    the module's device                          [/dev/umbra]\n"
"  --help           this text\n"
"The guest's console is standard input and output. On a terminal Ctrl-A x ends\n"
"the guest, Ctrl-A h lists more keys.\n"
"Exit status: 0 guest powered off (or reset, with --no-reboot), or Ctrl-A x;\n"
"  the code it powered off with; 64 wrong usage, 65 bad file, 66 no such file,\n"
"  69 host cannot run it (see `umbra check`), 70 guest died, 71 host short of\n"
"  memory or the like, 128+N ended by signal N\n";

enum {
	OPT_KERNEL = 1,
	OPT_BIOS,
	OPT_PFLASH,
	OPT_INITRD,
	OPT_APPEND,
	OPT_MEMORY,
	OPT_CPUS,
	OPT_MMU,
	OPT_SERIAL,
	OPT_DISK,
	OPT_NO_REBOOT,
	OPT_REGISTERS,
	OPT_STATS,
	OPT_DUMP_DTB,
	OPT_DEVICE,
};

static const struct option long_options[] = {
	{ "kernel",	required_argument,	NULL, OPT_KERNEL },
	{ "bios",	required_argument,	NULL, OPT_BIOS },
	{ "pflash",	required_argument,	NULL, OPT_PFLASH },
	{ "initrd",	required_argument,	NULL, OPT_INITRD },
	{ "append",	required_argument,	NULL, OPT_APPEND },
	{ "memory",	required_argument,	NULL, OPT_MEMORY },
	{ "cpus",	required_argument,	NULL, OPT_CPUS },
	{ "mmu",	required_argument,	NULL, OPT_MMU },
	{ "serial",	required_argument,	NULL, OPT_SERIAL },
	{ "disk",	required_argument,	NULL, OPT_DISK },
	{ "no-reboot",	no_argument,		NULL, OPT_NO_REBOOT },
	{ "registers",	no_argument,		NULL, OPT_REGISTERS },
	{ "stats",	required_argument,	NULL, OPT_STATS },
	{ "dump-dtb",	required_argument,	NULL, OPT_DUMP_DTB },
	{ "device",	required_argument,	NULL, OPT_DEVICE },
	{ "help",	no_argument,		NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

#define SEE_HELP	"`umbra run --help` shows how"

static int parse_memory(const char *arg, u64 *memory)
{
	char text[32];

	switch (parse_size(arg, memory)) {
	case -EINVAL:
		return fail(STATUS_USAGE, "--memory '%s': is not a size; write for example 512M or 2G",
			    arg);
	case -ERANGE:
		return fail(STATUS_USAGE, "--memory '%s': is more than any machine has; give less",
			    arg);
	}
	if (*memory < MACHINE_MIN_RAM)
		return fail(STATUS_USAGE, "--memory '%s': is too little; give %s or more",
			    arg, format_size(MACHINE_MIN_RAM, text,
					     sizeof(text)));
	if (*memory % (4 * KIB))
		return fail(STATUS_USAGE, "--memory '%s': is not a multiple of 4K; round it",
			    arg);
	/* Guest-physical addresses have 56 bits at most. */
	if (*memory > (1ULL << 56) - RAM_BASE)
		return fail(STATUS_USAGE, "--memory '%s': is more than any machine has; give less",
			    arg);
	return 0;
}

/*
 * Copy what comes before the first comma; two of them stand for one that
 * belongs to the name.  Returns what is behind, NULL when @to is too small.
 */
static const char *copy_name(const char *arg, char *to, size_t size)
{
	for (; *arg; arg++) {
		if (*arg == ',' && *++arg != ',')
			break;
		if (!--size)
			return NULL;
		*to++ = *arg;
	}
	*to = 0;
	return arg;
}

/* One word of --disk after the file, of @len characters. */
static int parse_disk_word(const char *arg, struct disk *disk, const char *word,
			   size_t len)
{
	static const char serial[] = "serial=";
	const size_t name = sizeof(serial) - 1;

	if (len == strlen("readonly") && !strncmp(word, "readonly", len)) {
		disk->readonly = true;
	} else if (len == strlen("legacy") && !strncmp(word, "legacy", len)) {
		disk->legacy = true;
	} else if (len > name && !strncmp(word, serial, name)) {
		if (len - name > DISK_SERIAL)
			return fail(STATUS_USAGE, "--disk '%s': a serial number has at most %d characters; shorten it",
				    arg, DISK_SERIAL);
		memcpy(disk->serial, word + name, len - name);
	} else {
		return fail(STATUS_USAGE, "--disk '%s': '%.*s' is not an option of a disk; give readonly, serial=S or legacy, and write a comma in the file's name twice",
			    arg, (int)len, word);
	}
	return 0;
}

static int parse_disk(const char *arg, struct run_options *opt)
{
	const char *word;
	struct disk *disk;

	if (opt->nr_disks == ARRAY_SIZE(opt->disk))
		return fail(STATUS_USAGE, "--disk '%s': the machine has room for %zu disks; give fewer",
			    arg, ARRAY_SIZE(opt->disk));
	disk = &opt->disk[opt->nr_disks++];
	word = copy_name(arg, disk->path, sizeof(disk->path));
	if (!word)
		return fail(STATUS_USAGE, "--disk: the name of a file has at most %d characters; shorten the path",
			    DISK_PATH - 1);
	if (!disk->path[0])
		return fail(STATUS_USAGE, "--disk '%s': there is no file of this name; give its path",
			    arg);
	while (*word) {
		size_t len = strcspn(word, ",");
		int ret = parse_disk_word(arg, disk, word, len);

		if (ret)
			return ret;
		word += len;
		word += *word == ',';
	}
	return 0;
}

/* FILE[,readonly], as for a disk. */
static int parse_pflash(const char *arg, struct run_options *opt)
{
	struct pflash_option *p;
	const char *word;

	if (opt->nr_pflash == ARRAY_SIZE(opt->pflash))
		return fail(STATUS_USAGE, "--pflash '%s': the machine has %zu banks of flash; give fewer",
			    arg, ARRAY_SIZE(opt->pflash));
	p = &opt->pflash[opt->nr_pflash++];
	word = copy_name(arg, p->path, sizeof(p->path));
	if (!word)
		return fail(STATUS_USAGE, "--pflash: the name of a file has at most %d characters; shorten the path",
			    DISK_PATH - 1);
	p->read_only = !strcmp(word, "readonly");
	if (*word && !p->read_only)
		return fail(STATUS_USAGE, "--pflash '%s': '%s' is not an option of flash; give readonly, and write a comma in the file's name twice",
			    arg, word);
	return 0;
}

static int parse_option(int c, struct run_options *opt)
{
	unsigned long n;

	switch (c) {
	case OPT_KERNEL:
		opt->kernel = optarg;
		return 0;
	case OPT_BIOS:
		opt->bios = optarg;
		return 0;
	case OPT_PFLASH:
		return parse_pflash(optarg, opt);
	case OPT_INITRD:
		opt->initrd = optarg;
		return 0;
	case OPT_APPEND:
		opt->append = optarg;
		return 0;
	case OPT_MEMORY:
		return parse_memory(optarg, &opt->memory);
	case OPT_CPUS:
		if (parse_number(optarg, 1, MACHINE_MAX_CPUS, &n))
			return fail(STATUS_USAGE, "--cpus '%s': is not a number from 1 to %d; give one",
				    optarg, MACHINE_MAX_CPUS);
		opt->cpus = (unsigned int)n;
		return 0;
	case OPT_MMU:
		opt->satp_mode = satp_mode_by_name(optarg);
		if (!opt->satp_mode)
			return fail(STATUS_USAGE, "--mmu '%s': is no MMU mode; give sv39, sv48 or sv57",
				    optarg);
		return 0;
	case OPT_SERIAL:
		if (opt->nr_serial == ARRAY_SIZE(opt->serial))
			return fail(STATUS_USAGE, "--serial '%s': the machine has room for %zu extra UARTs; give fewer",
				    optarg, ARRAY_SIZE(opt->serial));
		opt->serial[opt->nr_serial++] = optarg;
		return 0;
	case OPT_DISK:
		return parse_disk(optarg, opt);
	case OPT_NO_REBOOT:
		opt->no_reboot = true;
		return 0;
	case OPT_REGISTERS:
		opt->registers = true;
		return 0;
	case OPT_STATS:
		opt->stats = optarg;
		return 0;
	case OPT_DUMP_DTB:
		opt->dump_dtb = optarg;
		return 0;
	case OPT_DEVICE:
		opt->device = optarg;
		return 0;
	case 'h':
		opt->help = true;
		return 0;
	default:
		return STATUS_USAGE;
	}
}

int run_options_parse(int argc, char **argv, struct run_options *opt)
{
	int c, ret;

	*opt = (struct run_options) {
		.device = DEFAULT_DEVICE,
		.memory = MACHINE_DEFAULT_RAM,
		.cpus = 1,
	};

	opterr = 0;
	optind = 0;
	/* '+': nothing is reordered; ':': a missing argument is told apart. */
	while ((c = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
		if (c == ':')
			return fail(STATUS_USAGE, "option '%s' needs a value; "
				    SEE_HELP, argv[optind - 1]);
		if (c == '?')
			return fail(STATUS_USAGE, "there is no option '%s'%s; "
				    SEE_HELP, argv[optind - 1],
				    optopt > 0 && optopt < ' ' ?
				    " with a value" : "");
		ret = parse_option(c, opt);
		if (ret)
			return ret;
	}

	if (opt->help)
		return 0;
	if (optind < argc)
		return fail(STATUS_USAGE, "'%s' is not an option; "
			    SEE_HELP, argv[optind]);
	if (!opt->kernel && (!opt->bios || !strcmp(opt->bios, BIOS_NONE)) &&
	    !opt->nr_pflash && !opt->dump_dtb)
		return fail(STATUS_USAGE, "there is nothing to run: give --kernel FILE, --bios FILE or --pflash FILE; "
			    SEE_HELP);
	return 0;
}
