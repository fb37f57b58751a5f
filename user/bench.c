// SPDX-License-Identifier: GPL-2.0
/*
 * umbra-bench: what common operations cost on this machine, and what they cost
 * in a guest on it.
 *
 *	umbra-bench [ROW...]			here: nanoseconds for each
 *	umbra-bench --guest KERNEL [ROW...]	here, and in a guest of Umbra's
 *
 * One static program without libraries, because it is also the guest's whole
 * user space: with --guest it writes an initial RAM disk with nothing but
 * itself as /init, starts the launcher, and talks to itself in the guest over a
 * serial port.  `make bench` does the same on emulated boards, where a
 * nanosecond is an instruction (Documentation/performance.rst).
 *
 * A row sets itself up, warms up, and is then measured in several batches, of
 * which the median is reported.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MIB		0x100000UL
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL
#define HUGE		(2 * MIB)
#define BATCHES		5
#define WARM_UP		2

/* Results that the compiler must not throw away. */
static volatile uint64_t sink;
static const char *self = "/proc/self/exe";

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "umbra-bench: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	/* The end of pid 1 would be the guest's panic. */
	if (getpid() == 1) {
		sync();
		reboot(RB_POWER_OFF);
	}
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap of %zu bytes: %s", size, strerror(errno));
	return p;
}

static char *map_small_pages(size_t size)
{
	char *p = map(size);

	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		*(volatile char *)(p + i) = 1;
}

static void reap(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("a child failed: %s", strerror(errno));
}

/* ---- marks ------------------------------------------------------------------ */

/*
 * Around what a row measures somebody outside may want to count events: it is
 * told before and after, and answers when it has taken note.
 */
static struct {
	FILE *to;
	int answers;		/* where the answers come from; -1: nobody listens */
	const char *row;
	unsigned long ops;	/* 0: warming up */
} marks = { .answers = -1 };

static void mark(const char *what)
{
	char c = 0;

	if (marks.answers < 0 || !marks.ops)
		return;
	fprintf(marks.to, "%s\t%s\t%lu\n", what, marks.row, marks.ops);
	fflush(marks.to);
	while (read(marks.answers, &c, 1) == 1 && c != '\n')
		;
	if (c != '\n')
		die("nobody answers our marks");
}

/* What a row measures lies between these two. */
static uint64_t begin(void)
{
	mark("begin");
	return now();
}

static uint64_t end(uint64_t t)
{
	t = now() - t;
	mark("end");
	return t;
}

/* ---- rows: nanoseconds that @n operations took --------------------------- */

static uint64_t null_syscall(unsigned long n)
{
	uint64_t t = begin();

	while (n--)
		syscall(SYS_getppid);
	return end(t);
}

static uint64_t clock_gettime_row(unsigned long n)
{
	uint64_t t = begin();
	struct timespec ts;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &ts);
	return end(t);
}

static uint64_t pipe_rt(unsigned long n)
{
	int there[2], back[2];
	uint64_t t;
	pid_t pid;
	char c = 0;

	if (pipe(there) || pipe(back))
		die("pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			if (write(back[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	/* The first one waits for the child's start. */
	if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
		die("pipe: %s", strerror(errno));
	t = begin();
	while (n--)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			die("pipe: %s", strerror(errno));
	t = end(t);
	close(there[1]);
	close(back[0]);
	reap(pid);
	return t;
}

static uint64_t fork_exit(unsigned long n)
{
	uint64_t t = begin();

	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		reap(pid);
	}
	return end(t);
}

static uint64_t fork_exec(unsigned long n)
{
	uint64_t t = begin();

	while (n--) {
		pid_t pid = fork();

		if (!pid) {
			execl(self, "hello", NULL);
			_exit(1);
		}
		reap(pid);
	}
	return end(t);
}

/*
 * Pages that nobody has used since the machine started: must be the first row
 * that uses much memory, and gives nothing back before its end.
 */
static char *cold_area;
static size_t cold_size, cold_used;

static uint64_t page_touch_cold(unsigned long n)
{
	char *p;
	uint64_t t;

	if (!cold_area) {
		cold_size = (BATCHES + WARM_UP) * n * PAGE;
		cold_area = map_small_pages(cold_size);
		cold_used = 0;
	}
	p = cold_area + cold_used;
	cold_used += n * PAGE;
	t = begin();
	touch(p, n * PAGE);
	return end(t);
}

static void page_touch_cold_done(void)
{
	munmap(cold_area, cold_size);
	cold_area = NULL;
}

static uint64_t page_touch(unsigned long n)
{
	char *p = map_small_pages(n * PAGE);
	uint64_t t = begin();

	touch(p, n * PAGE);
	t = end(t);
	munmap(p, n * PAGE);
	return t;
}

static uint64_t page_touch_thp(unsigned long n)
{
	size_t size = n * PAGE;
	char *whole = map(size + HUGE);
	char *p = (char *)(((uintptr_t)whole + HUGE - 1) & ~(HUGE - 1));
	uint64_t t;

	madvise(p, size, MADV_HUGEPAGE);
	t = begin();
	touch(p, size);
	t = end(t);
	munmap(whole, size + HUGE);
	return t;
}

static uint64_t munmap_64m(unsigned long n)
{
	char *p = map_small_pages(n * PAGE);
	uint64_t t;

	touch(p, n * PAGE);
	t = begin();
	munmap(p, n * PAGE);
	return end(t);
}

static uint64_t mmap1m(unsigned long n)
{
	uint64_t t = begin();

	while (n--) {
		char *p = map(MIB);

		touch(p, MIB);
		munmap(p, MIB);
	}
	return end(t);
}

/* One page of several: the mapping is split and merged again. */
static uint64_t mprotect_pair(unsigned long n)
{
	char *p = map(16 * PAGE);
	uint64_t t;

	touch(p, 16 * PAGE);
	t = begin();
	while (n--) {
		mprotect(p, PAGE, PROT_READ);
		mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	}
	t = end(t);
	munmap(p, 16 * PAGE);
	return t;
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	signals += sig;
}

static uint64_t signal_row(unsigned long n)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pid_t pid = getpid();
	uint64_t t;

	sigaction(SIGUSR1, &sa, NULL);
	t = begin();
	while (n--)
		kill(pid, SIGUSR1);
	return end(t);
}

static uint64_t read_1m(unsigned long n)
{
	static char buf[64 << 10];
	int fd = open("/tmp/umbra-bench.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t t;

	unlink("/tmp/umbra-bench.data");
	for (size_t i = 0; i < MIB; i += sizeof(buf))
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			die("/tmp: %s", strerror(errno));
	t = begin();
	while (n--) {
		lseek(fd, 0, SEEK_SET);
		while (read(fd, buf, sizeof(buf)) > 0)
			;
	}
	t = end(t);
	close(fd);
	return t;
}

static uint64_t cpu_int(unsigned long n)
{
	uint64_t x = 88172645463325252ULL, s = 0, t = begin();

	for (n *= 1000; n; n--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		s += x * 0x9e3779b97f4a7c15ULL;
		s ^= s >> 29;
		s += n ^ 1;
	}
	sink = s;
	return end(t);
}

static uint64_t fp(unsigned long n)
{
	double x = 1.0, y = 0.0;
	uint64_t t = begin();

	for (n *= 1000; n; n--) {
		x = x * 0.999 + 0.001;
		y += x;
		asm volatile("" : "+f"(x), "+f"(y));
		y *= 0.5;
	}
	sink = (uint64_t)(x + y);
	return end(t);
}

static uint32_t ror(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* One block of SHA-256 (FIPS 180-4, section 6.2.2). */
static void sha256_block(uint32_t h[8], const uint32_t k[64], const uint8_t *p)
{
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 |
		       p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] +
		       (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
		       (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t a = v[0], e = v[4];
		uint32_t t1 = v[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) +
			      ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
		uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) +
			      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

/* A message of 64 bytes: two blocks.  The constants do not change the cost. */
static uint64_t sha256_64b(unsigned long n)
{
	uint8_t message[128] = { [64] = 0x80, [126] = 2 };
	uint32_t k[64], h[8] = { 0 };
	uint64_t t;

	for (int i = 0; i < 64; i++)
		k[i] = 0x428a2f98u * (2 * i + 1);
	t = begin();
	while (n--) {
		message[0] = (uint8_t)n;
		sha256_block(h, k, message);
		sha256_block(h, k, message + 64);
	}
	sink = h[0];
	return end(t);
}

static uint64_t memcpy_1m(unsigned long n)
{
	static uint64_t *from, *to;
	uint64_t t;

	if (!from) {
		from = map(MIB);
		to = map(MIB);
		touch((char *)from, MIB);
		touch((char *)to, MIB);
	}
	t = begin();
	while (n--) {
		/* Our own, so that figures do not hang on the C library. */
		for (size_t i = 0; i < MIB / 8; i += 4) {
			uint64_t a = from[i], b = from[i + 1];
			uint64_t c = from[i + 2], d = from[i + 3];

			asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
			to[i] = a;
			to[i + 1] = b;
			to[i + 2] = c;
			to[i + 3] = d;
		}
		asm volatile("" : : "r"(to) : "memory");
	}
	return end(t);
}

/* One random cycle through 1 MiB. */
static uint64_t chase(unsigned long n)
{
	static uint32_t *next;
	const uint32_t len = MIB / sizeof(*next);
	uint32_t at = 0;
	uint64_t t;

	if (!next) {
		uint64_t seed = 1;

		next = map(MIB);
		for (uint32_t i = 0; i < len; i++)
			next[i] = i;
		/* Sattolo: a permutation that is a single cycle. */
		for (uint32_t i = len - 1; i; i--) {
			uint32_t j, x = next[i];

			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			j = (uint32_t)((seed >> 33) % i);
			next[i] = next[j];
			next[j] = x;
		}
	}
	t = begin();
	for (n *= 1000; n; n--)
		at = next[at];
	sink = at;
	return end(t);
}

/*
 * Instructions of this CPU, all modes: time does not tell what a sleeping
 * machine does.  0: not wanted, or the kernel does not count them.
 */
static bool count_instructions;

static uint64_t instructions(void)
{
	static int fd = -1;
	uint64_t val;

	if (!count_instructions)
		return 0;
	if (fd < 0) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_HARDWARE,
			.size = sizeof(attr),
			.config = PERF_COUNT_HW_INSTRUCTIONS,
		};

		fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
	}
	return fd >= 0 && read(fd, &val, sizeof(val)) == sizeof(val) ? val : 0;
}

/* What is not sleep: instructions if they are counted, else the lateness. */
static uint64_t nanosleep_1ms(unsigned long n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	uint64_t i, t;

	prctl(PR_SET_TIMERSLACK, 1);
	t = begin();
	i = instructions();
	for (unsigned long left = n; left; left--)
		nanosleep(&ms, NULL);
	i = instructions() - i;
	t = end(t) - n * 1000000;
	return i ? i : t;
}

/* What the two marks around a row cost, for who counts events between them. */
static uint64_t nothing(unsigned long n)
{
	(void)n;
	return end(begin());
}

static const struct row {
	const char *name;
	uint64_t (*run)(unsigned long n);
	unsigned long n;	/* operations per batch */
	const char *what;
	void (*done)(void);	/* NULL: it keeps nothing between batches */
} rows[] = {
	{ "page_touch_cold", page_touch_cold, 4096, "first store to a page, memory never used before",
	  page_touch_cold_done },
	{ "page_touch", page_touch, 4096, "first store to a page, 4 KiB pages", NULL },
	{ "page_touch_thp", page_touch_thp, 16384, "the same with huge pages, per 4 KiB", NULL },
	{ "munmap_64M", munmap_64m, 16384, "unmapping 64 MiB, per 4 KiB page", NULL },
	{ "mmap1M_touch_unmap", mmap1m, 16, "mapping 1 MiB, touching it, unmapping", NULL },
	{ "null_syscall", null_syscall, 20000, "getppid()", NULL },
	{ "clock_gettime", clock_gettime_row, 100000, "clock_gettime(), the vDSO", NULL },
	{ "pipe_rt", pipe_rt, 800, "a byte to another process and back, by pipes", NULL },
	{ "fork_exit", fork_exit, 60, "fork(), _exit(), wait", NULL },
	{ "fork_exec", fork_exec, 20, "fork(), exec of a static program, wait", NULL },
	{ "mprotect_pair", mprotect_pair, 1000, "mprotect() to read-only and back", NULL },
	{ "signal", signal_row, 2000, "a signal to itself, with a handler", NULL },
	{ "read_1M_tmpfs", read_1m, 20, "reading 1 MiB from tmpfs, 64 KiB at a time", NULL },
	{ "cpu_int_1k", cpu_int, 500, "1000 steps of integer arithmetic", NULL },
	{ "sha256_64B", sha256_64b, 1000, "SHA-256 of 64 bytes", NULL },
	{ "memcpy_1M", memcpy_1m, 20, "copying 1 MiB", NULL },
	{ "fp_1k", fp, 1000, "1000 steps in floating point", NULL },
	{ "chase_1k_1MiB", chase, 1000, "1000 dependent loads spread over 1 MiB", NULL },
	/* Not the first: counting costs more while QEMU's TCG has to translate it. */
	{ "nothing", nothing, 1, "what counting costs", NULL },
	{ "nanosleep_1ms", nanosleep_1ms, 100, "nanosleep() of 1 ms, without the sleep", NULL },
};

#define ROWS	ARRAY_SIZE(rows)

/* ---- measuring ------------------------------------------------------------- */

struct plan {
	double scale;		/* of the operations per batch */
	int batches;
	FILE *report;
	char **only;		/* names of rows, NULL: all */
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const struct plan *plan, const struct row *row)
{
	unsigned long n = (unsigned long)(row->n * plan->scale);
	double ns[BATCHES];

	/* Counting costs more than some sleeps: never fewer. */
	if (row->run == nanosleep_1ms)
		n = row->n;
	if (!n)
		n = 1;
	marks.row = row->name;
	marks.ops = 0;
	for (int i = 0; i < WARM_UP; i++)
		row->run(n);
	marks.ops = n;
	for (int i = 0; i < plan->batches; i++)
		ns[i] = (double)row->run(n) / n;
	if (row->done)
		row->done();
	qsort(ns, plan->batches, sizeof(*ns), compare);
	fprintf(plan->report, "row\t%s\t%.2f\n", row->name, ns[plan->batches / 2]);
	fflush(plan->report);
}

static bool wanted(const struct plan *plan, const char *name)
{
	if (!plan->only || !*plan->only)
		return strcmp(name, "nothing") || marks.answers >= 0;
	for (char **p = plan->only; *p; p++)
		if (!strcmp(*p, name))
			return true;
	return false;
}

static void measure_all(const struct plan *plan)
{
	for (size_t i = 0; i < ROWS; i++)
		if (wanted(plan, rows[i].name))
			measure(plan, &rows[i]);
	fprintf(plan->report, "done\n");
	fflush(plan->report);
}

/* ---- in the guest: /init ---------------------------------------------------- */

/* The time CSR, which a guest of Umbra's shares with its host. */
static uint64_t time_csr(void)
{
	uint64_t t = 0;

#ifdef __riscv
	asm volatile("rdtime %0" : "=r"(t));
#endif
	return t;
}

/* Microseconds from the kernel's first time stamp to its start of /init. */
static uint64_t init_stamp(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	uint64_t us, found = 0;
	char line[1024];
	ssize_t n;

	while ((n = read(fd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		if (strstr(line, ";Run /init") &&
		    sscanf(line, "%*u,%*u,%" SCNu64, &us) == 1)
			found = us;
	}
	close(fd);
	return found;
}

/* A virtio port named "bench" if there is one, else the second serial line. */
static int open_port(void)
{
	static const char dir[] = "/sys/class/virtio-ports";
	char path[300], name[32] = "/dev/ttyS1";
	struct termios tio;
	struct dirent *d;
	DIR *ports = opendir(dir);
	int fd;

	while (ports && (d = readdir(ports))) {
		char is[8] = "";

		snprintf(path, sizeof(path), "%s/%s/name", dir, d->d_name);
		fd = open(path, O_RDONLY);
		if (fd >= 0 && read(fd, is, 6) == 6 && !strcmp(is, "bench\n"))
			snprintf(name, sizeof(name), "/dev/%.16s", d->d_name);
		close(fd);
	}
	if (ports)
		closedir(ports);
	fd = open(name, O_RDWR | O_NOCTTY);
	if (fd < 0)
		die("guest: no port to report on (%s: %s)", name, strerror(errno));
	if (!tcgetattr(fd, &tio)) {
		cfmakeraw(&tio);
		tio.c_cflag |= CLOCAL;
		tcsetattr(fd, TCSANOW, &tio);
	}
	return fd;
}

/* The machine first finishes what it does after its start. */
static void settle(unsigned int seconds)
{
	while (seconds)
		seconds = sleep(seconds);
}

static void guest_main(struct plan *plan, bool marked, unsigned int idle)
{
	uint64_t t = time_csr();
	int port;

	if (mount("dev", "/dev", "devtmpfs", 0, NULL) && errno != EBUSY)
		die("guest: no devtmpfs");
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/tmp", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("sys", "/sys", "sysfs", 0, NULL) ||
	    mount("tmp", "/tmp", "tmpfs", 0, NULL))
		die("guest: mount: %s", strerror(errno));
	self = "/init";
	port = open_port();
	plan->report = fdopen(port, "w");
	if (marked) {
		marks.to = plan->report;
		marks.answers = port;
	}
	fprintf(plan->report, "boot\t%" PRIu64 "\t%" PRIu64 "\n", t, init_stamp());
	fflush(plan->report);
	settle(idle);
	measure_all(plan);
	tcdrain(port);
	sync();
	reboot(RB_POWER_OFF);
}

/* ---- outside: start a guest, hear what it reports ------------------------------ */

struct guest {
	const char *kernel;
	const char *memory;
	const char *append;
	const char *with;	/* a command that runs the guest, NULL: umbra */
	const char *hook;	/* a command for each mark */
	bool raw;
	char dir[64];
	double here[ROWS];
	uint64_t begin;
};

static void cpio_entry(FILE *f, const char *name, unsigned int mode,
		       const void *data, size_t len, int major, int minor)
{
	static unsigned int ino;
	size_t name_len = strlen(name) + 1;
	static const char zero[4];

	fprintf(f, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
		++ino, mode, 0, 0, 1, 0, len, 0, 0, major, minor, name_len, 0);
	fwrite(name, 1, name_len, f);
	fwrite(zero, 1, -(110 + name_len) % 4, f);
	fwrite(data, 1, len, f);
	fwrite(zero, 1, -len % 4, f);
}

/* Nothing but /dev/console and this program. */
static void write_initrd(const char *path)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	FILE *f = fopen(path, "we");
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st) || !f)
		die("%s: %s", path, strerror(errno));
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		die("/proc/self/exe: %s", strerror(errno));
	cpio_entry(f, "dev", S_IFDIR | 0755, "", 0, 0, 0);
	cpio_entry(f, "dev/console", S_IFCHR | 0600, "", 0, 5, 1);
	cpio_entry(f, "init", S_IFREG | 0755, data, st.st_size, 0, 0);
	cpio_entry(f, "TRAILER!!!", 0, "", 0, 0, 0);
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
	munmap(data, st.st_size);
	close(fd);
}

static void path_in(char *path, size_t size, const struct guest *g, const char *name)
{
	snprintf(path, size, "%s/%s", g->dir, name);
}

static int make_fifo(const struct guest *g, const char *name)
{
	char path[96];
	int fd;

	path_in(path, sizeof(path), g, name);
	if (mkfifo(path, 0600))
		die("%s: %s", path, strerror(errno));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void start_guest(const struct guest *g)
{
	char initrd[96], port[96], log[96];
	int out = dup(1);

	path_in(initrd, sizeof(initrd), g, "initrd");
	path_in(port, sizeof(port), g, "port");
	path_in(log, sizeof(log), g, "console");
	setenv("BENCH_KERNEL", g->kernel, 1);
	setenv("BENCH_INITRD", initrd, 1);
	setenv("BENCH_PORT", port, 1);
	setenv("BENCH_MEMORY", g->memory, 1);
	setenv("BENCH_APPEND", g->append, 1);
	if (!freopen("/dev/null", "r", stdin) || !freopen(log, "w", stdout))
		_exit(127);
	fcntl(out, F_SETFD, FD_CLOEXEC);
	if (g->raw)
		dprintf(out, "start\t%" PRIu64 "\n", time_csr());
	if (g->with)
		execl("/bin/sh", "sh", "-c", g->with, NULL);
	else
		execlp("umbra", "umbra", "run", "--kernel", g->kernel,
		       "--initrd", initrd, "--memory", g->memory,
		       "--no-reboot", "--serial", port, "--append", g->append,
		       NULL);
	fprintf(stderr, "umbra-bench: cannot start the guest: %s\n", strerror(errno));
	_exit(127);
}

/* begin or end of a row: count, tell the hook, let the guest go on. */
static void take_mark(struct guest *g, const char *line, pid_t pid, int answer)
{
	unsigned long ops = 1;
	char name[64], number[16];
	int status = 0;
	pid_t hook;

	if (sscanf(line, "%*s\t%63[^\t]\t%lu", name, &ops) != 2 || !ops)
		die("the guest says nonsense: %s", line);
	if (!strncmp(line, "end\t", 4) && g->raw)
		printf("ops\t%s\t%lu\t%" PRIu64 "\n", name, ops,
		       instructions() - g->begin);
	if (g->hook && *g->hook) {
		fflush(stdout);
		hook = fork();
		if (!hook) {
			snprintf(number, sizeof(number), "%d", pid);
			execl("/bin/sh", "sh", "-c", g->hook, line[0] == 'b' ?
			      "begin" : "end", name, number, NULL);
			_exit(127);
		}
		waitpid(hook, &status, 0);
	}
	if (!strncmp(line, "begin\t", 6))
		g->begin = instructions();
	if (write(answer, "\n", 1) != 1)
		die("the guest's port: %s", strerror(errno));
}

static void take_row(const struct guest *g, const char *line)
{
	char name[64];
	double u;

	if (sscanf(line, "row\t%63[^\t]\t%lf", name, &u) != 2)
		return;
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].name, name))
			printf("%-20s %12.0f %12.0f %8.2f\n", name, g->here[i], u,
			       g->here[i] > 0 ? u / g->here[i] : 0);
	fflush(stdout);
}

/* One line of the guest's.  true: it has said all. */
static bool take_line(struct guest *g, const char *line, pid_t pid, int answer)
{
	if (!strncmp(line, "begin\t", 6) || !strncmp(line, "end\t", 4))
		take_mark(g, line, pid, answer);
	else if (g->raw)
		puts(line);
	else
		take_row(g, line);
	fflush(stdout);
	return !strcmp(line, "done");
}

static int run_guest(struct guest *g)
{
	char path[96], line[256];
	int port, answer, status = 0;
	size_t len = 0;
	bool done = false;
	pid_t pid;

	snprintf(g->dir, sizeof(g->dir), "/tmp/umbra-bench.XXXXXX");
	if (!mkdtemp(g->dir))
		die("%s: %s", g->dir, strerror(errno));
	path_in(path, sizeof(path), g, "initrd");
	write_initrd(path);
	port = make_fifo(g, "port");
	answer = make_fifo(g, "port.in");
	pid = fork();
	if (!pid)
		start_guest(g);

	while (!done) {
		struct pollfd p = { .fd = port, .events = POLLIN };

		if (poll(&p, 1, 200) <= 0) {
			if (waitpid(pid, &status, WNOHANG) == pid)
				break;
			continue;
		}
		if (read(port, line + len, 1) != 1)
			break;
		if (line[len] != '\n' && len < sizeof(line) - 1) {
			len++;
			continue;
		}
		line[len] = '\0';
		len = 0;
		done = take_line(g, line, pid, answer);
	}
	if (done)
		waitpid(pid, &status, 0);
	if (!done || status)
		fprintf(stderr, "umbra-bench: the guest ended early, status 0x%x; its console: %s/console\n",
			status, g->dir);
	if (!done)
		return 1;
	for (const char *const *n = (const char *const []){ "initrd", "port",
	     "port.in", "console", NULL }; *n; n++) {
		path_in(path, sizeof(path), g, *n);
		unlink(path);
	}
	rmdir(g->dir);
	return 0;
}

/* ---- command line ------------------------------------------------------------------ */

static const char help[] =
"usage: umbra-bench [OPTION]... [ROW]...\n"
"  --guest KERNEL    the same in a guest of Umbra's that runs KERNEL, beside it\n"
"  --memory SIZE     of the guest                                 [768M]\n"
"  --append STRING   added to the guest's kernel command line\n"
"  --scale FACTOR    of the operations measured                   [1]\n"
"  --batches N       of which the median is reported, at most 5   [5]\n"
"  --idle SECONDS    to wait before the first row                 [3 in a guest]\n"
"  --list            list the rows\n"
"For the lab (Documentation/performance.rst):\n"
"  --raw             only the guest, its report as it comes\n"
"  --with COMMAND    runs the guest; $BENCH_KERNEL, _INITRD, _PORT, _MEMORY, _APPEND\n"
"  --instructions    nanosleep_1ms in instructions, if the kernel counts them\n"
"  --hook COMMAND    run at the begin and the end of a row with that word ($0),\n"
"                    the row ($1), the launcher's process ($2)\n"
"Nanoseconds for each operation; `--list` says of what.\n";

enum {
	GUEST = 1, MEMORY, APPEND, SCALE, BATCH, IDLE, LIST,
	RAW, WITH, HOOK, INSTRUCTIONS, MARKS, HELP
};

static const struct option options[] = {
	{ "guest", required_argument, NULL, GUEST },
	{ "memory", required_argument, NULL, MEMORY },
	{ "append", required_argument, NULL, APPEND },
	{ "scale", required_argument, NULL, SCALE },
	{ "batches", required_argument, NULL, BATCH },
	{ "idle", required_argument, NULL, IDLE },
	{ "list", no_argument, NULL, LIST },
	{ "raw", no_argument, NULL, RAW },
	{ "with", required_argument, NULL, WITH },
	{ "hook", required_argument, NULL, HOOK },
	{ "instructions", no_argument, NULL, INSTRUCTIONS },
	{ "marks", no_argument, NULL, MARKS },	/* from here to the guest */
	{ "help", no_argument, NULL, HELP },
	{ NULL, 0, NULL, 0 }
};

/* What the guest's kernel hands to its init. */
static void guest_arguments(char *to, size_t size, const struct guest *g,
			    const struct plan *plan, unsigned int idle)
{
	size_t n = snprintf(to, size, "console=ttyS0 %s -- --scale %g --batches %d --idle %u%s",
			    g->append, plan->scale, plan->batches, idle,
			    g->hook ? " --marks" : "");

	for (char **p = plan->only; *p && n < size; p++)
		n += snprintf(to + n, size - n, " %s", *p);
	if (n >= size)
		die("too many arguments");
}

static void list_rows(void)
{
	for (size_t i = 0; i < ROWS; i++)
		printf("%-20s %s\n", rows[i].name, rows[i].what);
}

static void measure_here(const struct plan *plan, struct guest *g)
{
	char line[80], name[64];
	FILE *f = tmpfile();
	struct plan here = *plan;
	double ns;

	if (!f)
		die("/tmp: %s", strerror(errno));
	here.report = f;
	measure_all(&here);
	rewind(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "row\t%63[^\t]\t%lf", name, &ns) == 2)
			for (size_t i = 0; i < ROWS; i++)
				if (!strcmp(rows[i].name, name))
					g->here[i] = ns;
	fclose(f);
}

int main(int argc, char **argv)
{
	struct plan plan = { .scale = 1, .batches = BATCHES, .report = stdout };
	struct guest guest = { .memory = "768M", .append = "quiet" };
	unsigned int idle = getpid() == 1 ? 3 : 0, guest_idle = 3;
	static char arguments[2048];
	bool marked = false;
	int c;

	if (!strcmp(argv[0], "hello"))	/* fork_exec */
		return 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case GUEST:
			guest.kernel = optarg;
			break;
		case MEMORY:
			guest.memory = optarg;
			break;
		case APPEND:
			guest.append = optarg;
			break;
		case SCALE:
			plan.scale = atof(optarg);
			break;
		case BATCH:
			plan.batches = atoi(optarg);
			break;
		case IDLE:
			idle = (unsigned int)atoi(optarg);
			guest_idle = idle;
			break;
		case LIST:
			list_rows();
			return 0;
		case RAW:
			guest.raw = true;
			break;
		case WITH:
			guest.with = optarg;
			break;
		case HOOK:
			guest.hook = optarg;
			break;
		case INSTRUCTIONS:
			count_instructions = true;
			break;
		case MARKS:
			marked = true;
			break;
		case HELP:
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return 64;
		}
	}
	plan.only = argv + optind;
	/* For the kernel; who reads it has not told the one that runs now. */
	while (getpid() == 1 && *plan.only && !strcmp(*plan.only, "nokaslr"))
		plan.only++;
	if (plan.batches < 1 || plan.batches > BATCHES || !(plan.scale > 0))
		die("--batches is 1 to %d, --scale more than 0", BATCHES);
	if (getpid() == 1)
		guest_main(&plan, marked, idle);
	settle(idle);
	if (!guest.kernel) {
		measure_all(&plan);
		return 0;
	}
	if (!guest.raw)
		measure_here(&plan, &guest);
	guest_arguments(arguments, sizeof(arguments), &guest, &plan, guest_idle);
	guest.append = arguments;
	if (!guest.raw)
		printf("%-20s %12s %12s %8s\n", "", "here", "guest", "ratio");
	return run_guest(&guest);
}
