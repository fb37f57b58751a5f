// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of console.c, run natively: `make check`.  TAP on standard output.
 *
 * Socket pairs stand for the UARTs' descriptors; a second thread plays the
 * guest and the world while console_loop() runs in the first, as it does in
 * the launcher.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "console.h"
#include "util.h"
#include "tests/tap.h"

static struct console con;

static void die(const char *what)
{
	fprintf(tap, "Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Our ends: of standard input and output, and of the UARTs. */
static int world_in = -1, world_out = -1;
static int guest[MACHINE_MAX_UARTS], uart[MACHINE_MAX_UARTS];

static void setup(const char *const *serial, unsigned int nr)
{
	int in[2], out[2], sv[2];

	if (pipe(in) || pipe(out))
		die("pipe");
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(out[1]);
	world_in = in[1];
	world_out = out[0];
	for (unsigned int i = 0; i < MACHINE_MAX_UARTS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
			die("socketpair");
		guest[i] = sv[0];
		uart[i] = sv[1];
		fcntl(uart[i], F_SETFL, O_NONBLOCK);
	}
	if (console_open(&con, serial, nr))
		die("console_open");
	console_attach(&con, uart);
}

static void teardown(void)
{
	console_detach(&con);
	console_close(&con);
	for (unsigned int i = 0; i < MACHINE_MAX_UARTS; i++) {
		close(guest[i]);
		close(uart[i]);
	}
	if (world_in >= 0)
		close(world_in);
	if (world_out >= 0)
		close(world_out);
}

/* Read exactly @n bytes within ten seconds. */
static bool get(int fd, u8 *buf, size_t n)
{
	while (n) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t r;

		if (poll(&p, 1, 10000) != 1)
			return false;
		r = read(fd, buf, n);
		if (r <= 0)
			return false;
		buf += r;
		n -= (size_t)r;
	}
	return true;
}

static bool get_str(int fd, const char *want)
{
	u8 buf[256];
	size_t n = strlen(want);

	return get(fd, buf, n) && !memcmp(buf, want, n);
}

static bool silent(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

#define PUT(fd, s)	write_full(fd, s, strlen(s))

static int run(void *(*script)(void *))
{
	pthread_t t;
	int event;

	if (pthread_create(&t, NULL, script, NULL))
		die("thread");
	event = console_loop(&con);
	pthread_join(t, NULL);
	return event;
}

/* ---- scripts ------------------------------------------------------------ */

static void *both_ways(void *arg)
{
	PUT(guest[0], "hello\n");
	ok(get_str(world_out, "hello\n"), "UART to stdout");
	PUT(world_in, "typed\x01x\n");
	ok(get_str(guest[0], "typed\x01x\n"),
	   "stdin to UART, no escape key in a pipe");
	close(world_in);
	world_in = -1;
	PUT(guest[0], "on");
	ok(get_str(world_out, "on"), "stdin's end is not the guest's end");
	console_stop(&con);
	return arg;
}

#define BULK	(4 * MIB)

static u8 pattern(u64 i)
{
	return (u8)(i * 2654435761u >> 11);
}

static void *bulk_writer(void *arg)
{
	int fd = *(int *)arg;
	u8 buf[4001];

	for (u64 i = 0; i < BULK;) {
		size_t n = sizeof(buf);

		if (n > BULK - i)
			n = BULK - i;
		for (size_t j = 0; j < n; j++)
			buf[j] = pattern(i + j);
		if (write_full(fd, buf, n))
			return NULL;
		i += n;
	}
	return NULL;
}

static bool bulk_check(int fd)
{
	u8 buf[3001];

	for (u64 i = 0; i < BULK;) {
		size_t n = sizeof(buf);

		if (n > BULK - i)
			n = BULK - i;
		if (!get(fd, buf, n))
			return false;
		for (size_t j = 0; j < n; j++)
			if (buf[j] != pattern(i + j))
				return false;
		i += n;
	}
	return true;
}

static void *bulk(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, bulk_writer, &guest[0]);
	ok(bulk_check(world_out), "bulk: 4 MiB UART to stdout");
	pthread_join(t, NULL);
	pthread_create(&t, NULL, bulk_writer, &world_in);
	ok(bulk_check(guest[0]), "bulk: 4 MiB stdin to UART");
	pthread_join(t, NULL);
	console_stop(&con);
	return arg;
}

/* Nobody reads stdout: the other lines, and signals, must not care. */
static void *stuck(void *arg)
{
	static u8 buf[MIB];
	ssize_t n;

	fcntl(guest[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 50; i++) {
		n = write(guest[0], buf, sizeof(buf));
		usleep(2000);
	}
	ok(n < 0 && errno == EAGAIN, "stuck: the UART is held up");
	for (int i = 0; i < 1000; i++)
		PUT(guest[1], "0123456789");
	usleep(200000);
	kill(getpid(), SIGTERM);
	return arg;
}

static void *sbi(void *arg)
{
	u8 buf[64];
	size_t n = 0;

	ok(console_sbi_write(&con, "sbi out", 7) == 7 &&
	   get_str(world_out, "sbi out"), "SBI: write");
	ok(console_sbi_read(&con, buf, sizeof(buf)) == 0, "SBI: nothing yet");
	PUT(world_in, "keys");
	for (int i = 0; i < 200 && n < 4; i++) {
		n += console_sbi_read(&con, buf + n, sizeof(buf) - n);
		usleep(10000);
	}
	ok(n == 4 && !memcmp(buf, "keys", 4), "SBI: read");
	PUT(guest[0], "u");
	ok(get_str(world_out, "u"), "SBI: the UART wakes up");
	PUT(world_in, "more");
	ok(get_str(guest[0], "more"), "SBI: from then on input is the UART's");
	ok(console_sbi_read(&con, buf, sizeof(buf)) == 0,
	   "SBI: and not SBI's");
	console_stop(&con);
	return arg;
}

static void *sbi_bulk_writer(void *arg)
{
	u8 buf[5000];

	memset(buf, 's', sizeof(buf));
	for (int i = 0; i < 200; i++)
		if (console_sbi_write(&con, buf, sizeof(buf)) != sizeof(buf))
			break;
	return arg;
}

static void *mixed(void *arg)
{
	u8 buf[5000], c;
	unsigned int s = 0, u = 0;
	pthread_t t;

	pthread_create(&t, NULL, sbi_bulk_writer, NULL);
	fcntl(guest[0], F_SETFL, O_NONBLOCK);
	memset(buf, 'u', sizeof(buf));
	for (u64 sent = 0; s + u < 1000000 + 500000;) {
		ssize_t n;

		if (sent < 500000) {
			size_t want = 500000 - sent < sizeof(buf) ?
				      500000 - sent : sizeof(buf);

			n = write(guest[0], buf, want);
			if (n > 0)
				sent += (size_t)n;
		}
		for (int i = 0; i < 3000 && !silent(world_out, 0); i++) {
			if (read(world_out, &c, 1) != 1)
				break;
			s += c == 's';
			u += c == 'u';
		}
	}
	pthread_join(t, NULL);
	ok(s == 1000000 && u == 500000,
	   "SBI and UART at once: %u and %u bytes, none lost", s, u);
	console_stop(&con);
	return arg;
}

/* A vCPU that waits for room must not hold up the end. */
static void *sbi_stuck_writer(void *arg)
{
	static u8 big[MIB];
	size_t n = console_sbi_write(&con, big, sizeof(big));

	*(size_t *)arg = n;
	return NULL;
}

static size_t sbi_stuck_wrote = SIZE_MAX;
static pthread_t sbi_stuck_thread;

static void *sbi_stuck(void *arg)
{
	pthread_create(&sbi_stuck_thread, NULL, sbi_stuck_writer,
		       &sbi_stuck_wrote);
	usleep(300000);
	console_stop(&con);
	return arg;
}

static char dir[] = "/tmp/umbra-console.XXXXXX";
static char path_file[64], path_fifo[64], path_fifo_in[70], path_sock[64];
static int listener;

static void *serials(void *arg)
{
	int fifo, fifo_in, sock;

	PUT(guest[1], "to file\n");
	PUT(guest[2], "to fifo\n");
	PUT(guest[3], "to socket\n");
	fifo = open(path_fifo, O_RDONLY);
	ok(get_str(fifo, "to fifo\n"), "serial: FIFO output");
	fifo_in = open(path_fifo_in, O_WRONLY);
	PUT(fifo_in, "from fifo");
	ok(get_str(guest[2], "from fifo"), "serial: FIFO input from PATH.in");
	sock = accept(listener, NULL, NULL);
	ok(get_str(sock, "to socket\n"), "serial: socket output");
	PUT(sock, "from socket");
	ok(get_str(guest[3], "from socket"), "serial: socket input");
	close(sock);
	PUT(guest[0], "still");
	ok(get_str(world_out, "still"), "serial: a peer that goes is no end");
	PUT(guest[1], "more\n");
	console_stop(&con);
	close(fifo);
	close(fifo_in);
	return arg;
}

static bool file_is(const char *path, const char *want)
{
	char buf[256] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	return n == (ssize_t)strlen(want) && !strcmp(buf, want);
}

/* ---- a terminal, in a child process with one of its own ----------------- */

static bool same_modes(int fd, const struct termios *a)
{
	struct termios b;

	return !tcgetattr(fd, &b) && a->c_iflag == b.c_iflag &&
	       a->c_oflag == b.c_oflag && a->c_cflag == b.c_cflag &&
	       a->c_lflag == b.c_lflag &&
	       !memcmp(a->c_cc, b.c_cc, VEOL2 + 1);
}

static bool is_raw(int fd)
{
	struct termios t;

	return !tcgetattr(fd, &t) && !(t.c_lflag & (ICANON | ECHO | ISIG));
}

/* The child: echoes by UART; leaves as the launcher would. */
static void terminal_child(void)
{
	int sv[2], fds[MACHINE_MAX_UARTS] = { -1, -1, -1, -1 }, event;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) ||
	    console_open(&con, NULL, 0))
		_exit(99);
	fcntl(sv[1], F_SETFL, O_NONBLOCK);
	fds[0] = sv[1];
	console_attach(&con, fds);
	if (!fork()) {
		close(sv[1]);
		while (read(sv[0], &c, 1) == 1)
			write_full(sv[0], &c, 1);
		_exit(0);
	}
	do {
		event = console_loop(&con);
		if (event == CONSOLE_REGISTERS)
			PUT(STDOUT_FILENO, "REGS");
		if (event == CONSOLE_BREAK)
			PUT(STDOUT_FILENO, "BREAK");
	} while (event == CONSOLE_REGISTERS || event == CONSOLE_BREAK);
	console_close(&con);
	exit(event >= CONSOLE_SIGNAL ? 100 + event - CONSOLE_SIGNAL : event);
}

static int terminal_start(int *master, int *slave, struct termios *before)
{
	int pid;

	if (openpty(master, slave, NULL, NULL, NULL) ||
	    tcgetattr(*slave, before))
		die("openpty");
	fflush(tap);
	pid = fork();
	if (!pid) {
		close(*master);
		login_tty(*slave);
		terminal_child();
	}
	return pid;
}

static bool wait_text(int fd, const char *text)
{
	static char buf[8192];
	size_t n = 0;

	while (n < sizeof(buf) - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t r;

		if (poll(&p, 1, 5000) != 1)
			return false;
		r = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (r <= 0)
			return false;
		n += (size_t)r;
		buf[n] = '\0';
		if (strstr(buf, text))
			return true;
	}
	return false;
}

static bool wait_raw(int fd, bool raw)
{
	for (int i = 0; i < 500; i++) {
		if (is_raw(fd) == raw)
			return true;
		usleep(10000);
	}
	return false;
}

static void test_terminal(void)
{
	struct termios before;
	int m, s, pid, st;

	pid = terminal_start(&m, &s, &before);
	ok(wait_text(m, "Ctrl-A x"), "terminal: the escape key is told");
	ok(wait_raw(s, true), "terminal: raw");
	PUT(m, "a\x03\x1a");
	ok(wait_text(m, "a\x03\x1a"), "terminal: Ctrl-C, Ctrl-Z go to the guest");
	PUT(m, "<\x01\x01\x01");
	ok(wait_text(m, "<\x01"), "terminal: Ctrl-A Ctrl-A");
	PUT(m, "a>\x01q!");
	ok(wait_text(m, "\x01>!"), "terminal: Ctrl-A a; unknown keys swallowed");
	PUT(m, "\x01h");
	ok(wait_text(m, "Ctrl-A r"), "terminal: Ctrl-A h");
	PUT(m, "\x01r");
	ok(wait_text(m, "REGS"), "terminal: Ctrl-A r");
	PUT(m, "\x01" "b");
	ok(wait_text(m, "BREAK"), "terminal: Ctrl-A b");
	kill(pid, SIGTSTP);
	ok(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) &&
	   same_modes(s, &before), "terminal: stopped, and given back");
	kill(pid, SIGCONT);
	ok(wait_raw(s, true), "terminal: continued, and raw again");
	PUT(m, "\x01x");
	ok(waitpid(pid, &st, 0) == pid && WIFEXITED(st) &&
	   WEXITSTATUS(st) == CONSOLE_QUIT && same_modes(s, &before),
	   "terminal: Ctrl-A x, and given back");
	close(m);
	close(s);

	static const int ends[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++) {
		pid = terminal_start(&m, &s, &before);
		wait_raw(s, true);
		kill(pid, ends[i]);
		ok(waitpid(pid, &st, 0) == pid && WIFEXITED(st) &&
		   WEXITSTATUS(st) == 100 + ends[i] && same_modes(s, &before),
		   "terminal: signal %d, and given back", ends[i]);
		close(m);
		close(s);
	}

	static const int faults[] = { SIGABRT, SIGSEGV, SIGBUS };

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		pid = terminal_start(&m, &s, &before);
		wait_raw(s, true);
		kill(pid, faults[i]);
		ok(waitpid(pid, &st, 0) == pid && WIFSIGNALED(st) &&
		   WTERMSIG(st) == faults[i] && same_modes(s, &before),
		   "terminal: killed by %d, and given back", faults[i]);
		close(m);
		close(s);
	}
}

int main(void)
{
	const char *paths[3] = { path_file, path_fifo, path_sock };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *one[1];
	int out = dup(STDOUT_FILENO), fd;

	tap = fdopen(out, "w");
	if (!tap || !mkdtemp(dir))
		return 1;
	snprintf(path_file, sizeof(path_file), "%s/file", dir);
	snprintf(path_fifo, sizeof(path_fifo), "%s/fifo", dir);
	snprintf(path_fifo_in, sizeof(path_fifo_in), "%s.in", path_fifo);
	snprintf(path_sock, sizeof(path_sock), "%s/sock", dir);
	alarm(120);

	/* First: it forks, and this is still a single thread. */
	test_terminal();

	setup(NULL, 0);
	ok(run(both_ways) == CONSOLE_STOPPED, "stopped");
	teardown();

	setup(NULL, 0);
	run(bulk);
	teardown();

	one[0] = path_file;
	setup(one, 1);
	ok(run(stuck) == CONSOLE_SIGNAL + SIGTERM, "stuck: SIGTERM gets through");
	{
		struct stat st;

		ok(!stat(path_file, &st) && st.st_size == 10000,
		   "stuck: the other line went on");
	}
	teardown();
	unlink(path_file);

	setup(NULL, 0);
	run(sbi);
	teardown();

	setup(NULL, 0);
	run(mixed);
	teardown();

	setup(NULL, 0);
	run(sbi_stuck);
	pthread_join(sbi_stuck_thread, NULL);
	ok(sbi_stuck_wrote < MIB, "SBI: a writer without room ends at the stop");
	teardown();

	/* What the guest sent last is not lost. */
	setup(NULL, 0);
	PUT(guest[0], "last words");
	console_stop(&con);
	console_drain(&con);
	ok(get_str(world_out, "last words"), "drain");
	teardown();

	setup(NULL, 0);
	close(world_out);
	world_out = -1;
	PUT(guest[0], "to nobody");
	console_drain(&con);
	ok(con.ch[0].out.len == 0, "drain: nobody reads any more");
	teardown();

	fd = open(path_file, O_WRONLY | O_CREAT, 0600);
	PUT(fd, "old\n");
	close(fd);
	memcpy(addr.sun_path, path_sock, strlen(path_sock) + 1);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (mkfifo(path_fifo, 0600) || mkfifo(path_fifo_in, 0600) ||
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 1))
		die("serial files");
	setup(paths, 3);
	run(serials);
	console_drain(&con);
	ok(file_is(path_file, "old\nto file\nmore\n"),
	   "serial: appended to a file");
	teardown();

	unlink(path_file);
	unlink(path_fifo);
	unlink(path_fifo_in);
	unlink(path_sock);
	rmdir(dir);
	fprintf(tap, "1..%u\n", tests);
	fflush(tap);
	return failures != 0;
}
