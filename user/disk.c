// SPDX-License-Identifier: GPL-2.0
/*
 * Opening the files behind the guest's disks; see disk.h.  What is read and
 * written there is the module's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"

static int open_failed(const struct disk *disk, int err)
{
	const char *path = disk->path;

	switch (err) {
	case ENOENT:
		return fail(STATUS_NOINPUT, "disk '%s': there is no such file; make one, for example with `truncate -s 1G FILE`",
			    path);
	case EACCES:
	case EPERM:
	case EROFS:
		if (!disk->readonly)
			return fail(STATUS_NOINPUT, "disk '%s': no permission to write it; add ',readonly', or run as a user who may",
				    path);
		return fail(STATUS_NOINPUT, "disk '%s': no permission to read it; run as a user who may",
			    path);
	case EISDIR:
		return fail(STATUS_NOINPUT, "disk '%s': is a directory; give a file or a block device",
			    path);
	default:
		return fail(STATUS_NOINPUT, "disk '%s': cannot open it: %s",
			    path, strerror(err));
	}
}

static int check(const struct disk *disk, int fd)
{
	struct stat st;
	off_t size;

	if (fstat(fd, &st))
		return open_failed(disk, errno);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return fail(STATUS_NOINPUT, "disk '%s': is %s; give a file or a block device",
			    disk->path, S_ISDIR(st.st_mode) ? "a directory" :
			    "not a file");
	/* A block device has its size here only. */
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return open_failed(disk, errno);
	if (size < DISK_SECTOR)
		return fail(STATUS_DATA, "disk '%s': has %" PRIu64 " bytes, less than a sector of %d; make it larger, for example with `truncate -s 1G FILE`",
			    disk->path, (u64)size, DISK_SECTOR);
	return 0;
}

int disk_open(const struct disk *disk, int *fd)
{
	int mode = disk->readonly ? O_RDONLY : O_RDWR;
	int ret;

	/* O_NONBLOCK: a FIFO must not hang us; nothing to a disk. */
	*fd = open(disk->path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0)
		return open_failed(disk, errno);
	ret = check(disk, *fd);
	if (!ret && flock(*fd, (disk->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB))
		ret = fail(STATUS_NOINPUT, "disk '%s': %s; end what has it%s",
			   disk->path, errno == EWOULDBLOCK ?
			   "is in use by another guest" : strerror(errno),
			   disk->readonly ? "" :
			   ", or give ',readonly' to all who share it");
	if (ret) {
		close(*fd);
		*fd = -1;
	}
	return ret;
}
