/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flash of the machine: two banks, the files behind them, and the memory
 * slots that let the guest read and execute them as memory.
 */
#ifndef UMBRA_USER_PFLASH_H
#define UMBRA_USER_PFLASH_H

#include <pthread.h>

#include "flash.h"
#include "machine.h"
#include "mmio.h"
#include "options.h"

/**
 * struct pflash_bank - one bank
 * @owner: the machine's flash
 * @index: which bank
 * @flash: its state; its data is from mmap()
 * @path: the file behind it; NULL: none, it forgets
 * @fd: that file; -1: none
 * @mapped: its memory slot exists
 * @failed: something failed that a guest can repeat, and it has been said
 */
struct pflash_bank {
	struct pflash *owner;
	unsigned int index;
	struct flash flash;
	const char *path;
	int fd;
	bool mapped;
	bool failed;
};

/**
 * struct pflash - both
 * @lock: all of it, once vCPUs run
 * @vm_fd: of the machine it is plugged into
 * @bank: the banks
 */
struct pflash {
	pthread_mutex_t lock;
	int vm_fd;
	struct pflash_bank bank[FLASH_BANKS];
};

#define PFLASH_NONE {						\
	.lock = PTHREAD_MUTEX_INITIALIZER,			\
	.bank = { [0 ... FLASH_BANKS - 1] = { .fd = -1 } },	\
}

/*
 * Read the files, and keep them open and locked.  A guest that starts again
 * finds its flash as it was.  The caller calls pflash_close() in any case.
 * Return: 0 or a status, said.
 */
int pflash_open(struct pflash *p, const struct run_options *opt);
void pflash_close(struct pflash *p);

/* Plug it into a machine whose vCPUs do not run yet.  A status, said. */
int pflash_attach(struct pflash *p, struct mmio_map *map, int vm_fd);

#endif /* UMBRA_USER_PFLASH_H */
