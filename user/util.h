/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small things every file of the launcher uses: exit statuses, one-line
 * errors, number parsing, whole reads and writes.  Pure C and POSIX: also
 * built natively for the unit tests.
 */
#ifndef UMBRA_USER_UTIL_H
#define UMBRA_USER_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's names; linux/types.h has them for the kernel alone. */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#ifndef __printf
#define __printf(fmt, args)	__attribute__((format(printf, fmt, args)))
#endif

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)	((x) & ~((u64)(a) - 1))
#define ALIGN_UP(x, a)		ALIGN_DOWN((x) + (a) - 1, a)

#define KIB	(UINT64_C(1) << 10)
#define MIB	(UINT64_C(1) << 20)
#define GIB	(UINT64_C(1) << 30)

/*
 * Exit statuses, the sysexits.h numbers where one fits.  Functions of the
 * launcher return 0 or one of these, after having said why.  Part of the
 * command's interface: `umbra help run` lists them.
 */
enum status {
	STATUS_OK		= 0,	/* poweroff, Ctrl-A x, reset with --no-reboot */
	/*
	 * Also, from 1 to 255: the code a guest powered off with (FAIL of the
	 * test finisher; a larger one counts as 255).  Codes below 64 cannot
	 * be taken for something else.
	 */
	STATUS_USAGE		= 64,	/* the command line is wrong */
	STATUS_DATA		= 65,	/* a file is not what it should be */
	STATUS_NOINPUT		= 66,	/* a file cannot be read or written */
	STATUS_UNAVAILABLE	= 69,	/* this host cannot run the guest */
	STATUS_GUEST_DIED	= 70,	/* the guest stopped in a way it cannot go on from */
	STATUS_SYSTEM		= 71,	/* the host refused memory, a thread, ... */
	STATUS_SIGNAL		= 128,	/* + number of the signal that ended us */
};

/* "umbra: <message>\n" on standard error. */
void say(const char *fmt, ...) __printf(1, 2);

/* say(), then return @status: `return fail(STATUS_DATA, ...)`. */
int fail(int status, const char *fmt, ...)
	__printf(2, 3);

/*
 * A size: digits with an optional suffix K, M, G or T (also "MiB", "MB", in
 * either case, all powers of two).  Without a suffix it is MiB, as for QEMU.
 * Return: 0, -EINVAL (not a size), -ERANGE (does not fit 64 bits).
 */
int parse_size(const char *s, u64 *bytes);

/* A plain decimal number in [min, max].  Return: 0, -EINVAL or -ERANGE. */
int parse_number(const char *s, unsigned long min, unsigned long max,
		 unsigned long *val);

/* "512M" for 512 MiB; the largest unit that divides it. */
const char *format_size(u64 bytes, char *buf, size_t size);

/* Whole write.  Return: 0 or -errno. */
int write_full(int fd, const void *buf, size_t len);

/*
 * Read a whole regular file into memory from malloc().
 * Return: 0, or a status after having said what is wrong.
 */
int read_file(const char *what, const char *path, u8 **buf, size_t *len);

/* Open a regular file for reading; 0 or a status, size in @size. */
int open_input(const char *what, const char *path, int *fd, u64 *size);

/* Fill @buf from @fd; 0, -errno, or -ENODATA when the file ends early. */
int read_full(int fd, void *buf, size_t len);

#endif /* UMBRA_USER_UTIL_H */
