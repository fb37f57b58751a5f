// SPDX-License-Identifier: GPL-2.0
/*
 * The flash of the machine; see pflash.h.
 *
 * A bank is a read-only memory slot while reads return the array: the guest
 * reads and executes it at full speed, and only its stores come here.  During a
 * command there is no slot, and every access comes here.
 *
 * What the guest programs is in the file before the guest is told: a write to
 * the page cache, which outlives us.  It is on the disk when we end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "pflash.h"

static u64 bank_gpa(unsigned int index)
{
	return FLASH_BASE + index * FLASH_SIZE;
}

/* ---- the files ---------------------------------------------------------- */

static int store(void *opaque, u64 offset, const u8 *with, u64 len)
{
	struct pflash_bank *b = opaque;

	while (b->fd >= 0 && len) {
		ssize_t n = pwrite(b->fd, with, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* Once: a guest can try as often as it likes. */
			if (!b->failed)
				say("flash '%s': cannot write it: %s; the guest is told",
				    b->path, strerror(n ? errno : EIO));
			b->failed = true;
			return -EIO;
		}
		offset += (u64)n;
		with += n;
		len -= (u64)n;
	}
	return 0;
}

static int open_file(struct pflash_bank *b)
{
	bool ro = b->flash.read_only;
	char size[32];
	struct stat st;
	int ret;

	b->fd = open(b->path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (b->fd < 0 || fstat(b->fd, &st))
		return fail(STATUS_NOINPUT, "flash '%s': cannot open it: %s%s",
			    b->path, strerror(errno),
			    ro ? "" : "; a file that is not to be written is given as FILE,readonly");
	if (!S_ISREG(st.st_mode))
		return fail(STATUS_NOINPUT, "flash '%s': is not a regular file; give one",
			    b->path);
	/* What is programmed behind the file's end would be lost. */
	if ((u64)st.st_size > FLASH_SIZE ||
	    (!ro && (u64)st.st_size != FLASH_SIZE))
		return fail(STATUS_DATA, "flash '%s': has %lld bytes, a bank %s; `truncate -s %s` makes a copy of it fit",
			    b->path, (long long)st.st_size,
			    format_size(FLASH_SIZE, size, sizeof(size)), size);
	if (flock(b->fd, (ro ? LOCK_SH : LOCK_EX) | LOCK_NB))
		return fail(STATUS_NOINPUT, "flash '%s': %s", b->path,
			    errno == EWOULDBLOCK ?
			    "another guest uses it; give each its own copy" :
			    strerror(errno));
	ret = read_full(b->fd, b->flash.data, (size_t)st.st_size);
	if (ret)
		return fail(STATUS_NOINPUT, "flash '%s': cannot read it: %s",
			    b->path, ret == -ENODATA ?
			    "it shrank while being read" : strerror(-ret));
	return 0;
}

static int open_bank(struct pflash_bank *b, const struct run_options *opt)
{
	bool given = b->index < opt->nr_pflash;
	void *map;

	map = mmap(NULL, FLASH_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return fail(STATUS_SYSTEM, "no memory for flash: %s; free some",
			    strerror(errno));
	b->flash.data = map;
	b->flash.store = store;
	b->flash.opaque = b;
	if (given) {
		b->path = opt->pflash[b->index].path;
		b->flash.read_only = opt->pflash[b->index].read_only;
		return open_file(b);
	}
	memset(b->flash.data, 0xff, FLASH_SIZE);
	return 0;
}

int pflash_open(struct pflash *p, const struct run_options *opt)
{
	int ret = 0;

	for (unsigned int i = 0; i < FLASH_BANKS && opt->nr_pflash && !ret; i++) {
		p->bank[i].owner = p;
		p->bank[i].index = i;
		ret = open_bank(&p->bank[i], opt);
	}
	return ret;
}

void pflash_close(struct pflash *p)
{
	for (unsigned int i = 0; i < FLASH_BANKS; i++) {
		struct pflash_bank *b = &p->bank[i];

		if (b->fd >= 0) {
			if (!b->flash.read_only && fdatasync(b->fd))
				say("flash '%s': cannot write it: %s", b->path,
				    strerror(errno));
			close(b->fd);
		}
		b->fd = -1;
		if (b->flash.data)
			munmap(b->flash.data, FLASH_SIZE);
		b->flash.data = NULL;
	}
}

/* ---- the machine -------------------------------------------------------- */

/* Make the memory slot, or take it away.  Return: 0 or -errno. */
static int map_bank(struct pflash_bank *b, bool on)
{
	int ret;

	if (b->mapped == on)
		return 0;
	ret = rom_register(SLOT_FLASH + b->index, bank_gpa(b->index),
			   b->flash.data, on ? FLASH_SIZE : 0, b->owner->vm_fd);
	if (!ret)
		b->mapped = on;
	return ret;
}

static void bank_access(void *opaque, u64 offset, unsigned int len, bool write,
			u64 *val)
{
	struct pflash_bank *b = opaque;

	pthread_mutex_lock(&b->owner->lock);
	if (write)
		flash_write(&b->flash, offset, len, *val);
	else
		*val = flash_read(&b->flash, offset, len);
	/*
	 * Without its slot the array is read here, slowly; with it during a
	 * command the guest would read the wrong thing.  The module refuses
	 * neither as long as it has memory.
	 */
	if (map_bank(b, flash_is_array(&b->flash)) && b->mapped) {
		if (!b->failed)
			say("flash: the module does not take memory away; commands are dropped");
		b->failed = true;
		flash_reset(&b->flash);
	}
	pthread_mutex_unlock(&b->owner->lock);
}

int pflash_attach(struct pflash *p, struct mmio_map *map, int vm_fd)
{
	p->vm_fd = vm_fd;
	for (unsigned int i = 0; i < FLASH_BANKS; i++) {
		struct pflash_bank *b = &p->bank[i];
		struct mmio_window window = {
			.base = bank_gpa(i),
			.size = FLASH_SIZE,
			.access = bank_access,
			.opaque = b,
		};
		int ret;

		if (!b->flash.data)
			continue;
		flash_reset(&b->flash);
		b->mapped = false;
		ret = map_bank(b, true);
		if (ret)
			return fail(STATUS_UNAVAILABLE, "the module refuses flash: %s; do module and launcher belong together? (`umbra check`)",
				    strerror(-ret));
		mmio_add(map, &window);
	}
	return 0;
}
