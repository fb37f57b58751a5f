// SPDX-License-Identifier: GPL-2.0
/*
 * Small things every file of the launcher uses; see util.h.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

/* One write(2) per message: lines of several threads do not mix. */
static void vsay(const char *fmt, va_list ap)
{
	char buf[1024] = "umbra: ";
	size_t len = strlen(buf);
	int n;

	n = vsnprintf(buf + len, sizeof(buf) - len - 1, fmt, ap);
	if (n < 0)
		return;
	len += (size_t)n;
	if (len > sizeof(buf) - 2)
		len = sizeof(buf) - 2;
	buf[len++] = '\n';
	write_full(STDERR_FILENO, buf, len);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

int fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	return status;
}

int parse_size(const char *s, u64 *bytes)
{
	unsigned int shift = 20;
	u64 val = 0;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;

	for (; isdigit((unsigned char)*s); s++) {
		unsigned int digit = *s - '0';

		if (val > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		val = val * 10 + digit;
	}

	if (*s) {
		switch (toupper((unsigned char)*s++)) {
		case 'K':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		case 'T':
			shift = 40;
			break;
		default:
			return -EINVAL;
		}
		if (toupper((unsigned char)*s) == 'I' &&
		    toupper((unsigned char)s[1]) == 'B')
			s += 2;
		else if (toupper((unsigned char)*s) == 'B')
			s++;
		if (*s)
			return -EINVAL;
	}

	if (val > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = val << shift;
	return 0;
}

int parse_number(const char *s, unsigned long min, unsigned long max,
		 unsigned long *val)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	n = strtoul(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || n < min || n > max)
		return -ERANGE;
	*val = n;
	return 0;
}

const char *format_size(u64 bytes, char *buf, size_t size)
{
	static const char units[] = "KMGT";
	unsigned int i = 0;

	if (!bytes || bytes % KIB) {
		snprintf(buf, size, "%" PRIu64 " bytes", bytes);
		return buf;
	}
	for (bytes /= KIB; bytes % KIB == 0 && i < 3; i++)
		bytes /= KIB;
	snprintf(buf, size, "%" PRIu64 "%c", bytes, units[i]);
	return buf;
}

int write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int read_full(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			return -ENODATA;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int open_input(const char *what, const char *path, int *fd, u64 *size)
{
	struct stat st;

	/* O_NONBLOCK: a FIFO without a writer must not hang us here. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0) {
		if (errno == ENOENT)
			return fail(STATUS_NOINPUT, "%s '%s': there is no such file; check the path",
				    what, path);
		if (errno == EACCES)
			return fail(STATUS_NOINPUT, "%s '%s': no permission to read it; run as a user who may, or chmod it",
				    what, path);
		return fail(STATUS_NOINPUT, "%s '%s': cannot open it: %s",
			    what, path, strerror(errno));
	}
	if (fstat(*fd, &st)) {
		int err = errno;

		close(*fd);
		return fail(STATUS_NOINPUT, "%s '%s': cannot read it: %s",
			    what, path, strerror(err));
	}
	if (!S_ISREG(st.st_mode)) {
		close(*fd);
		return fail(STATUS_NOINPUT, "%s '%s': is %s; give a regular file",
			    what, path,
			    S_ISDIR(st.st_mode) ? "a directory" : "not a file");
	}
	*size = (u64)st.st_size;
	return 0;
}

int read_file(const char *what, const char *path, u8 **buf, size_t *len)
{
	u64 size;
	int fd, ret;

	ret = open_input(what, path, &fd, &size);
	if (ret)
		return ret;

	*buf = NULL;
	if (!size) {
		ret = fail(STATUS_DATA, "%s '%s': the file is empty; copy it again",
			   what, path);
		goto out;
	}
	*buf = malloc(size);
	if (!*buf) {
		ret = fail(STATUS_SYSTEM, "%s '%s': no memory for its %" PRIu64 " bytes; free some",
			   what, path, size);
		goto out;
	}
	ret = read_full(fd, *buf, size);
	if (ret) {
		free(*buf);
		*buf = NULL;
		ret = fail(STATUS_NOINPUT, "%s '%s': cannot read it: %s", what,
			   path, ret == -ENODATA ? "it shrank while being read" :
			   strerror(-ret));
		goto out;
	}
	*len = size;
out:
	close(fd);
	return ret;
}
