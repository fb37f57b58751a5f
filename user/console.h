/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's serial lines and the terminal: a channel per UART, moved by one
 * poll loop in the main thread, which also takes signals and the escape key.
 *
 * Threads: everything is called from the main thread, except the functions
 * marked "any thread".
 */
#ifndef UMBRA_USER_CONSOLE_H
#define UMBRA_USER_CONSOLE_H

#include <pthread.h>

#include "machine.h"

#define FIFO_SIZE	16384

struct fifo {
	size_t head;		/* first byte */
	size_t len;
	u8 buf[FIFO_SIZE];
};

/* One UART and what it is connected to. */
struct channel {
	const char *name;	/* for messages */
	int uart_fd;		/* -1: no guest, or the line is dead */
	int in_fd;		/* -1: no input (any more) */
	int out_fd;		/* -1: output is dropped */
	bool out_blocked;	/* the last write said EAGAIN */
	bool uart_full;		/* the receiver took no more */
	bool poll_out_first;	/* out_fd could not be made non-blocking */
	bool reconnects;	/* a hang-up is not the end: try again */
	bool waiting;		/* for the other side of a hung-up line */
	struct fifo out;	/* guest -> out_fd */
	struct fifo in;		/* in_fd -> guest */
};

struct console {
	struct channel ch[MACHINE_MAX_UARTS];
	unsigned int nr;

	int wake_fd;		/* eventfd: other threads end poll() with it */
	int signal_fd;
	bool stdin_tty;
	bool foreground;	/* we have the terminal */
	bool escape;		/* the last byte was Ctrl-A */
	bool told;		/* what the escape key is */

	/* Guards ch[0].out, ch[0].in and everything below. */
	pthread_mutex_t lock;
	pthread_cond_t room;	/* ch[0].out has got some */
	bool sbi_reads;		/* the guest reads by SBI */
	bool uart_used;		/* the guest has transmitted by UART 0 */
	bool stopped;		/* console_stop() was called */
};

/* Why console_loop() came back. */
enum console_event {
	CONSOLE_STOPPED,	/* console_stop() */
	CONSOLE_QUIT,		/* Ctrl-A x */
	CONSOLE_REGISTERS,	/* Ctrl-A r */
	CONSOLE_BREAK,		/* Ctrl-A b */
	CONSOLE_SIGNAL,		/* + the signal's number */
};

/*
 * Connect channel 0 to standard input and output and one more to each of
 * @paths; from here on signals come as events.  A status, said.
 */
int console_open(struct console *con, const char *const *paths,
		 unsigned int nr_paths);

/* Give the terminal back; close everything. */
void console_close(struct console *con);

/*
 * A new guest's UARTs, and the terminal is its; console_detach() before they
 * are closed.
 */
void console_attach(struct console *con, const int *uart_fd);
void console_detach(struct console *con);

/* Move bytes until something else is to be done: an enum console_event. */
int console_loop(struct console *con);

/* Write out what the guest has sent, for as long as someone takes it. */
void console_drain(struct console *con);

/* Any thread: make console_loop() return CONSOLE_STOPPED, now or next. */
void console_stop(struct console *con);

/*
 * Any thread: the guest's SBI console.  Writing waits for room unless the
 * console has been stopped; reading does not wait.  Return: bytes moved.
 */
size_t console_sbi_write(struct console *con, const void *buf, size_t len);
size_t console_sbi_read(struct console *con, void *buf, size_t len);

#endif /* UMBRA_USER_CONSOLE_H */
