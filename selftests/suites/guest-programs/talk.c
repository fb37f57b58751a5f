// SPDX-License-Identifier: GPL-2.0
/*
 * talk - runs a command on a terminal (a pty) of its own, types, and waits for
 * what it shows; so a test can use a guest's console as a person does.
 *
 *	talk SECONDS STEP... -- COMMAND [ARG...]
 *
 * Steps, in order: wait:TEXT (until TEXT is shown, from where the last wait
 * ended), send:TEXT (typed; \r \n \\ \xHH), sleep:SECONDS. Then waits for the
 * command's end. What is shown goes to standard output. Status: the command's;
 * 124 when SECONDS ran out, with the step that was waited for on standard error.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char shown[1 << 20];
static size_t have, from;
static int master;
static time_t end;

/* What is there, waiting a little; 0 at the end. */
static int hear(void)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, 200) <= 0)
		return 1;
	if (have > sizeof(shown) / 2) {
		/* Forget the older part, but nothing not yet looked at. */
		memmove(shown, shown + from, have - from);
		have -= from;
		from = 0;
	}
	n = read(master, shown + have, sizeof(shown) - have - 1);
	if (n <= 0)
		return 0;
	if (write(1, shown + have, n) < 0)
		return 0;
	/* No NULs: the text is searched as a string. */
	for (ssize_t i = 0; i < n; i++)
		if (!shown[have + i])
			shown[have + i] = '?';
	have += n;
	shown[have] = 0;
	return 1;
}

static void type(const char *s)
{
	for (; *s; s++) {
		char c = *s;

		if (c == '\\' && s[1]) {
			c = *++s;
			if (c == 'x' && s[1] && s[2]) {
				char hex[3] = { s[1], s[2], 0 };

				c = strtol(hex, NULL, 16);
				s += 2;
			} else {
				c = c == 'r' ? '\r' : c == 'n' ? '\n' : c;
			}
		}
		/* As fast as a fast typist: one key at a time. */
		if (write(master, &c, 1) != 1)
			perror("talk");
		usleep(2000);
	}
}

int main(int argc, char **argv)
{
	int status, fd, i = 2;
	pid_t pid;

	while (i < argc && strcmp(argv[i], "--"))
		i++;
	if (i + 1 >= argc)
		return 2;
	end = time(NULL) + atol(argv[1]);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master)) {
		perror("talk: pty");
		return 125;
	}
	/* Opened before the fork: a terminal that nobody has open is at its end. */
	fd = open(ptsname(master), O_RDWR | O_NOCTTY);
	pid = fork();
	if (!pid) {
		setsid();
		ioctl(fd, TIOCSCTTY, 0);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		close(master);
		execvp(argv[i + 1], argv + i + 1);
		perror(argv[i + 1]);
		_exit(127);
	}
	close(fd);
	argv[i] = "";
	for (i = 2;;) {
		const char *s = argv[i];
		const char *at = strncmp(s, "wait:", 5) ? NULL : strstr(shown + from, s + 5);

		if (time(NULL) > end) {
			fprintf(stderr, "talk: no end of '%s'\n", *s ? s : "the command");
			kill(pid, SIGKILL);
			return 124;
		}
		if (!strncmp(s, "send:", 5)) {
			type(s + 5);
			i++;
		} else if (!strncmp(s, "sleep:", 6)) {
			time_t until = time(NULL) + atol(s + 6);

			while (time(NULL) < until && hear())
				;
			i++;
		} else if (at) {
			from = at + strlen(s + 5) - shown;
			i++;
		} else if (!hear()) {
			break;
		}
	}
	if (*argv[i])
		fprintf(stderr, "talk: the command ended before '%s'\n", argv[i]);
	waitpid(pid, &status, 0);
	if (*argv[i])
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
