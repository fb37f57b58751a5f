// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's serial lines and the terminal; see console.h.
 *
 *   UART n --read--> out --write--> stdout, or the file of --serial
 *   UART n <-write-- in  <--read--- stdin, ...
 *          SBI console: the same two buffers of channel 0, from vCPU threads
 *
 * Nothing in the loop waits for one line only: a terminal that is stopped, or
 * a pipe nobody reads, holds up its own UART and neither the other lines nor
 * signals.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "console.h"

#define CTRL_A		0x01
#define RETRY_MS	500
/* At the end: how long a reader that takes nothing is waited for. */
#define DRAIN_MS	2000
/* Rounds of a channel before the others get their turn. */
#define ROUNDS		16

/* ---- the terminal ------------------------------------------------------- */

/*
 * Terminals whose modes we changed, for console_close(), exit() and the
 * handler of fatal signals.
 */
static struct saved_tty {
	volatile sig_atomic_t raw;
	int fd;
	struct termios modes;
} saved_ttys[1 + MACHINE_MAX_UARTS];

static void tty_raw(unsigned int slot, int fd)
{
	struct saved_tty *s = &saved_ttys[slot];
	struct termios t;

	if (!s->raw) {
		if (tcgetattr(fd, &s->modes))
			return;
		s->fd = fd;
	}
	t = s->modes;
	t.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR |
		       ICRNL | IXON);
	t.c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	t.c_cflag &= ~(CSIZE | PARENB);
	t.c_cflag |= CS8;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	/*
	 * The console keeps OPOST: our own messages need their carriage
	 * returns, and a second one after the guest's does no harm.  A serial
	 * line is the guest's alone.
	 */
	if (slot)
		t.c_oflag &= ~OPOST;
	s->raw = 1;
	tcsetattr(fd, TCSANOW, &t);
}

/* Async-signal-safe. */
static void tty_restore(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(saved_ttys); i++) {
		struct saved_tty *s = &saved_ttys[i];

		if (!s->raw)
			continue;
		tcsetattr(s->fd, TCSANOW, &s->modes);
		s->raw = 0;
	}
}

static void fatal_signal(int sig)
{
	tty_restore();
	/* SA_RESETHAND: the default action now. */
	raise(sig);
}

static bool have_terminal(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void take_terminal(struct console *con)
{
	con->foreground = con->stdin_tty && have_terminal();
	if (con->foreground)
		tty_raw(0, STDIN_FILENO);
}

/*
 * Block the signals the launcher handles, before the first thread is made;
 * fatal ones give the terminal back first.
 */
static void init_signals(sigset_t *handled)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
				      SIGSYS, SIGXCPU, SIGXFSZ };
	struct sigaction sa = { 0 };
	sigset_t blocked;

	sigemptyset(handled);
	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++) {
		/* nohup(1) and shells ignore some for us: leave it so. */
		sigaction(ends[i], NULL, &sa);
		if (sa.sa_handler != SIG_IGN)
			sigaddset(handled, ends[i]);
	}
	sigaddset(handled, SIGTSTP);
	sigaddset(handled, SIGCONT);

	/* SIGTTOU blocked: the terminal can be restored from the background. */
	blocked = *handled;
	sigaddset(&blocked, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);

	sa.sa_handler = fatal_signal;
	sa.sa_flags = SA_RESETHAND | SA_NODEFER;
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++)
		sigaction(faults[i], &sa, NULL);
	atexit(tty_restore);
}

/* ---- buffers ------------------------------------------------------------ */

static size_t fifo_room(const struct fifo *f)
{
	return FIFO_SIZE - f->len;
}

/* The first bytes, as far as they lie in one piece. */
static size_t fifo_peek(const struct fifo *f, const u8 **p)
{
	size_t run = FIFO_SIZE - f->head;

	*p = f->buf + f->head;
	return f->len < run ? f->len : run;
}

static void fifo_drop(struct fifo *f, size_t n)
{
	f->head = (f->head + n) % FIFO_SIZE;
	f->len -= n;
	if (!f->len)
		f->head = 0;
}

static size_t fifo_put(struct fifo *f, const u8 *p, size_t n)
{
	size_t done = 0;

	while (done < n && fifo_room(f)) {
		size_t tail = (f->head + f->len) % FIFO_SIZE;
		size_t run = FIFO_SIZE - tail;

		if (run > fifo_room(f))
			run = fifo_room(f);
		if (run > n - done)
			run = n - done;
		memcpy(f->buf + tail, p + done, run);
		f->len += run;
		done += run;
	}
	return done;
}

static size_t fifo_get(struct fifo *f, u8 *p, size_t n)
{
	size_t done = 0;

	while (done < n && f->len) {
		const u8 *from;
		size_t run = fifo_peek(f, &from);

		if (run > n - done)
			run = n - done;
		memcpy(p + done, from, run);
		fifo_drop(f, run);
		done += run;
	}
	return done;
}

/* ---- guest -> world ----------------------------------------------------- */

static bool fd_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLOUT | POLLERR));
}

/* Write what is buffered.  False: nothing more can be written now. */
static bool channel_flush(struct console *con, struct channel *c)
{
	for (;;) {
		const u8 *p;
		size_t len;
		ssize_t n;

		/* Only this thread takes bytes out: p stays good unlocked. */
		pthread_mutex_lock(&con->lock);
		len = fifo_peek(&c->out, &p);
		pthread_mutex_unlock(&con->lock);
		if (!len)
			return true;

		n = (ssize_t)len;
		if (c->out_fd >= 0) {
			if (c->poll_out_first) {
				if (!fd_writable(c->out_fd)) {
					c->out_blocked = true;
					return false;
				}
				if (len > 256)
					len = 256;
			}
			n = write(c->out_fd, p, len);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
				c->out_blocked = true;
				return false;
			}
			if (n < 0) {
				/* The reader is gone: the guest goes on. */
				if (errno != EPIPE && errno != EIO)
					say("%s: cannot write: %s; its output is dropped",
					    c->name, strerror(errno));
				if (!c->reconnects)
					c->out_fd = -1;
				n = (ssize_t)len;
			}
		}

		pthread_mutex_lock(&con->lock);
		fifo_drop(&c->out, (size_t)n);
		pthread_cond_broadcast(&con->room);
		pthread_mutex_unlock(&con->lock);
	}
}

/*
 * Take what the UART has sent.  True: there may be more.  A read that comes
 * back short has emptied it; what comes after that is left to gather, poll()
 * tells when it is worth a read.
 */
static bool channel_take(struct console *con, struct channel *c)
{
	u8 buf[4096];
	size_t room;
	ssize_t n;

	pthread_mutex_lock(&con->lock);
	room = fifo_room(&c->out);
	pthread_mutex_unlock(&con->lock);
	/* A vCPU may fill it meanwhile by SBI: leave that a share. */
	room /= 2;
	if (room > sizeof(buf))
		room = sizeof(buf);
	if (!room || c->uart_fd < 0)
		return false;

	n = read(c->uart_fd, buf, room);
	if (n <= 0) {
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			say("%s: the guest's UART cannot be read: %s; the line is dead",
			    c->name, strerror(errno));
			c->uart_fd = -1;
		}
		return false;
	}

	pthread_mutex_lock(&con->lock);
	if (c == &con->ch[0])
		con->uart_used = true;
	/* SBI bytes that came in between can only have used the other half. */
	fifo_put(&c->out, buf, (size_t)n);
	pthread_mutex_unlock(&con->lock);
	return (size_t)n == room;
}

static void channel_out(struct console *con, struct channel *c)
{
	for (int i = 0; i < ROUNDS; i++)
		if (!channel_flush(con, c) || !channel_take(con, c))
			break;
	/* What a last, short read has brought. */
	channel_flush(con, c);
}

/* ---- world -> guest ----------------------------------------------------- */

/* Hand the UART what it takes; what an SBI reader shall have stays. */
static void channel_deliver(struct console *con, struct channel *c)
{
	pthread_mutex_lock(&con->lock);
	c->uart_full = false;
	while (c->in.len && c->uart_fd >= 0) {
		const u8 *p;
		size_t len;
		ssize_t n;

		/*
		 * The console's input belongs to the UART, unless the guest
		 * has never used that and reads by SBI.
		 */
		if (c == &con->ch[0] && con->sbi_reads && !con->uart_used)
			break;
		len = fifo_peek(&c->in, &p);
		n = write(c->uart_fd, p, len);
		if (n > 0) {
			fifo_drop(&c->in, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || errno == EAGAIN) {
			c->uart_full = true;
			break;
		}
		/* Nobody to tell: the reading side reports a dead UART. */
		fifo_drop(&c->in, c->in.len);
	}
	pthread_mutex_unlock(&con->lock);
}

static const char escape_help[] =
	"\numbra: Ctrl-A x   end the guest\n"
	"umbra: Ctrl-A b   send a break (Linux: the key after it is a SysRq)\n"
	"umbra: Ctrl-A r   show the registers of every hart\n"
	"umbra: Ctrl-A a   send Ctrl-A (so does Ctrl-A Ctrl-A)\n"
	"umbra: Ctrl-A h   this list\n";

/*
 * Filter the escape key out of @n bytes, in place.  @event: what was asked
 * for, untouched otherwise.
 */
static size_t escape_filter(struct console *con, u8 *buf, size_t n,
			    int *event)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (!con->escape) {
			con->escape = buf[i] == CTRL_A;
			if (!con->escape)
				buf[out++] = buf[i];
			continue;
		}
		con->escape = false;
		switch (buf[i]) {
		case 'x':
		case 'X':
			*event = CONSOLE_QUIT;
			return out;
		case 'r':
			*event = CONSOLE_REGISTERS;
			break;
		case 'b':
			*event = CONSOLE_BREAK;
			break;
		case 'a':
		case CTRL_A:
			buf[out++] = CTRL_A;
			break;
		case 'h':
		case '?':
			write_full(STDERR_FILENO, escape_help,
				   sizeof(escape_help) - 1);
			break;
		}
	}
	return out;
}

/* Input is there (or its end).  Sets @event like escape_filter(). */
static void channel_in(struct console *con, struct channel *c, int *event)
{
	u8 buf[1024];
	ssize_t n;

	n = read(c->in_fd, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (c->reconnects)
			c->waiting = true;
		else
			c->in_fd = -1;
		return;
	}
	if (c == &con->ch[0] && con->stdin_tty)
		n = (ssize_t)escape_filter(con, buf, (size_t)n, event);

	/* Only read when empty: it fits. */
	pthread_mutex_lock(&con->lock);
	fifo_put(&c->in, buf, (size_t)n);
	pthread_mutex_unlock(&con->lock);
	channel_deliver(con, c);
}

/* ---- the loop ----------------------------------------------------------- */

/* A signal: an event to return, or -1 when it has been dealt with. */
static int take_signal(struct console *con)
{
	struct signalfd_siginfo si;

	if (read(con->signal_fd, &si, sizeof(si)) != sizeof(si))
		return -1;

	switch (si.ssi_signo) {
	case SIGTSTP:
		/* Ctrl-Z itself goes to the guest; this is kill -TSTP. */
		tty_restore();
		raise(SIGSTOP);
		return -1;
	case SIGCONT:
		take_terminal(con);
		return -1;
	default:
		return CONSOLE_SIGNAL + (int)si.ssi_signo;
	}
}

enum { WAIT_UART, WAIT_IN, WAIT_OUT, WAITS_PER_CHANNEL };

/* What channel @c waits for; fds not waited for are -1. */
static void channel_poll(struct console *con, struct channel *c,
			 struct pollfd *p)
{
	size_t out_room, in_len;

	pthread_mutex_lock(&con->lock);
	out_room = fifo_room(&c->out);
	in_len = c->in.len;
	pthread_mutex_unlock(&con->lock);

	for (int i = 0; i < WAITS_PER_CHANNEL; i++)
		p[i] = (struct pollfd) { .fd = -1 };

	if (c->uart_fd >= 0) {
		if (out_room > 1 && !c->out_blocked)
			p[WAIT_UART].events |= POLLIN;
		if (c->uart_full)
			p[WAIT_UART].events |= POLLOUT;
		if (p[WAIT_UART].events)
			p[WAIT_UART].fd = c->uart_fd;
	}
	if (c->in_fd >= 0 && !in_len && !c->waiting &&
	    (c != &con->ch[0] || !con->stdin_tty || con->foreground)) {
		p[WAIT_IN].fd = c->in_fd;
		p[WAIT_IN].events = POLLIN;
	}
	if (c->out_fd >= 0 && c->out_blocked && !c->waiting) {
		p[WAIT_OUT].fd = c->out_fd;
		p[WAIT_OUT].events = POLLOUT;
	}
}

int console_loop(struct console *con)
{
	struct pollfd p[2 + MACHINE_MAX_UARTS * WAITS_PER_CHANNEL];
	int event = -1;

	for (;;) {
		int timeout = -1;
		bool stopped;

		pthread_mutex_lock(&con->lock);
		stopped = con->stopped;
		pthread_mutex_unlock(&con->lock);

		p[0] = (struct pollfd) { .fd = con->wake_fd, .events = POLLIN };
		p[1] = (struct pollfd) { .fd = con->signal_fd,
					 .events = POLLIN };
		for (unsigned int i = 0; i < con->nr; i++) {
			channel_poll(con, &con->ch[i],
				     p + 2 + i * WAITS_PER_CHANNEL);
			if (con->ch[i].waiting)
				timeout = RETRY_MS;
		}
		/* Nobody tells us when the shell gives us the terminal. */
		if (con->stdin_tty && !con->foreground)
			timeout = RETRY_MS;
		/*
		 * A last look at keys and signals: a guest that does nothing
		 * but reset must not be all that is ever heard.
		 */
		if (stopped)
			timeout = 0;

		if (poll(p, 2 + con->nr * WAITS_PER_CHANNEL, timeout) < 0)
			continue;

		if (p[0].revents) {
			u64 dummy;

			if (read(con->wake_fd, &dummy, sizeof(dummy)) < 0)
				continue;
		}
		if (p[1].revents) {
			event = take_signal(con);
			if (event >= 0)
				return event;
		}
		if (con->stdin_tty && !con->foreground)
			take_terminal(con);

		for (unsigned int i = 0; i < con->nr; i++) {
			struct pollfd *q = p + 2 + i * WAITS_PER_CHANNEL;
			struct channel *c = &con->ch[i];

			/* A hung-up line would end every poll(): pause it. */
			c->waiting = c->reconnects &&
				     (((q[WAIT_IN].revents & POLLHUP) &&
				       !(q[WAIT_IN].revents & POLLIN)) ||
				      ((q[WAIT_OUT].revents & POLLHUP) &&
				       !(q[WAIT_OUT].revents & POLLOUT)));
			c->out_blocked = c->out_blocked && c->out_fd >= 0 &&
					 !q[WAIT_OUT].revents;
			if (q[WAIT_IN].revents && !c->waiting)
				channel_in(con, c, &event);
			channel_deliver(con, c);
			if (!c->out_blocked)
				channel_out(con, c);
			if (event >= 0)
				return event;
		}
		if (stopped)
			return CONSOLE_STOPPED;
	}
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

/* Wait a little for room.  False: nobody is there any more. */
static bool wait_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 50) <= 0 || !(p.revents & POLLHUP);
}

void console_drain(struct console *con)
{
	for (unsigned int i = 0; i < con->nr; i++) {
		struct channel *c = &con->ch[i];
		long last = now_ms();

		for (;;) {
			size_t before = c->out.len;
			bool flushed = channel_flush(con, c);

			if (flushed && !channel_take(con, c) && !c->out.len)
				break;
			if (flushed || c->out.len != before)
				last = now_ms();
			else if (now_ms() - last > DRAIN_MS ||
				 !wait_writable(c->out_fd))
				break;
		}
		c->out_blocked = false;
	}
}

/* ---- other threads ------------------------------------------------------ */

static void wake(struct console *con)
{
	u64 one = 1;

	/* Can only fail when it is already awake. */
	if (write(con->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void console_stop(struct console *con)
{
	pthread_mutex_lock(&con->lock);
	con->stopped = true;
	pthread_cond_broadcast(&con->room);
	pthread_mutex_unlock(&con->lock);
	wake(con);
}

size_t console_sbi_write(struct console *con, const void *buf, size_t len)
{
	struct fifo *f = &con->ch[0].out;
	size_t done = 0;

	pthread_mutex_lock(&con->lock);
	while (done < len) {
		/* Half of it is the UART's; see channel_take(). */
		size_t room = f->len < FIFO_SIZE / 2 ? FIFO_SIZE / 2 - f->len
						     : 0;

		if (!room) {
			if (con->stopped)
				break;
			pthread_cond_wait(&con->room, &con->lock);
			continue;
		}
		if (room > len - done)
			room = len - done;
		done += fifo_put(f, (const u8 *)buf + done, room);
		wake(con);
	}
	pthread_mutex_unlock(&con->lock);
	return done;
}

size_t console_sbi_read(struct console *con, void *buf, size_t len)
{
	size_t n = 0;

	pthread_mutex_lock(&con->lock);
	con->sbi_reads = true;
	if (!con->uart_used) {
		n = fifo_get(&con->ch[0].in, buf, len);
		/* The loop reads stdin when this is empty. */
		if (n && !con->ch[0].in.len)
			wake(con);
	}
	pthread_mutex_unlock(&con->lock);
	return n;
}

/* ---- opening ------------------------------------------------------------ */

/*
 * The same file with a file description of our own, non-blocking: O_NONBLOCK
 * on the original would be seen by everyone who shares it (the shell).
 * Regular files never block, and reopening one would lose its position.
 */
static int reopen_nonblock(int fd, int mode, bool *own)
{
	struct stat st;
	char path[32];
	int new;

	*own = true;
	if (fstat(fd, &st) || S_ISREG(st.st_mode))
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	new = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (new < 0) {
		*own = false;
		return fd;
	}
	return new;
}

static int connect_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK)) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

/*
 * --serial PATH: a regular file gets the output appended; a character device
 * or a socket is read and written; a FIFO gets the output, and PATH.in, if
 * that is a FIFO too, is read.
 */
static int open_serial(struct channel *c, const char *path, unsigned int slot)
{
	char in_path[4096];
	struct stat st;
	int fd;

	c->name = path;
	if (stat(path, &st))
		st.st_mode = S_IFREG;	/* to be made */

	if (S_ISSOCK(st.st_mode))
		fd = connect_socket(path);
	else if (S_ISREG(st.st_mode))
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
			  O_NOCTTY, 0666);
	else	/* O_RDWR: a FIFO opens without a reader, and never hangs up */
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(STATUS_NOINPUT, "--serial '%s': cannot open it: %s; give a file, FIFO, socket or character device you may write",
			    path, strerror(errno));
	c->out_fd = fd;

	if (S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode)) {
		c->in_fd = fd;
		c->reconnects = S_ISCHR(st.st_mode);
		if (isatty(fd))
			tty_raw(slot, fd);
	} else if (S_ISFIFO(st.st_mode)) {
		snprintf(in_path, sizeof(in_path), "%s.in", path);
		if (!stat(in_path, &st) && S_ISFIFO(st.st_mode)) {
			c->in_fd = open(in_path, O_RDWR | O_NONBLOCK |
					O_CLOEXEC);
			if (c->in_fd < 0)
				return fail(STATUS_NOINPUT, "--serial '%s': cannot open its input '%s': %s; chmod or remove it",
					    path, in_path, strerror(errno));
		}
	}
	return 0;
}

int console_open(struct console *con, const char *const *paths,
		 unsigned int nr_paths)
{
	struct channel *c = &con->ch[0];
	sigset_t handled;
	bool own;
	int ret;

	memset(con, 0, sizeof(*con));
	con->wake_fd = -1;
	con->signal_fd = -1;
	pthread_mutex_init(&con->lock, NULL);
	pthread_cond_init(&con->room, NULL);
	for (unsigned int i = 0; i < MACHINE_MAX_UARTS; i++) {
		con->ch[i].uart_fd = -1;
		con->ch[i].in_fd = -1;
		con->ch[i].out_fd = -1;
	}

	init_signals(&handled);
	con->signal_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	con->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (con->signal_fd < 0 || con->wake_fd < 0)
		return fail(STATUS_SYSTEM, "the host gives no file descriptor: %s; close some",
			    strerror(errno));

	c->name = "console";
	c->out_fd = reopen_nonblock(STDOUT_FILENO, O_WRONLY, &own);
	c->poll_out_first = !own;
	c->in_fd = STDIN_FILENO;
	con->stdin_tty = isatty(STDIN_FILENO) == 1;
	con->nr = 1;

	for (unsigned int i = 0; i < nr_paths; i++) {
		con->nr++;
		ret = open_serial(&con->ch[i + 1], paths[i], i + 1);
		if (ret)
			return ret;
	}

	return 0;
}

void console_close(struct console *con)
{
	tty_restore();
	for (unsigned int i = 0; i < con->nr; i++) {
		struct channel *c = &con->ch[i];

		if (c->in_fd > STDERR_FILENO && c->in_fd != c->out_fd)
			close(c->in_fd);
		if (c->out_fd > STDERR_FILENO)
			close(c->out_fd);
	}
	if (con->wake_fd >= 0)
		close(con->wake_fd);
	if (con->signal_fd >= 0)
		close(con->signal_fd);
}

void console_attach(struct console *con, const int *uart_fd)
{
	if (con->stdin_tty && !con->told) {
		con->told = true;
		say("Ctrl-A x ends the guest, Ctrl-A h lists more keys");
	}
	take_terminal(con);

	pthread_mutex_lock(&con->lock);
	con->sbi_reads = false;
	con->uart_used = false;
	con->stopped = false;
	for (unsigned int i = 0; i < con->nr; i++)
		con->ch[i].uart_fd = uart_fd[i];
	pthread_mutex_unlock(&con->lock);
}

void console_detach(struct console *con)
{
	for (unsigned int i = 0; i < con->nr; i++)
		con->ch[i].uart_fd = -1;
}
