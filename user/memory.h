/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest RAM: one anonymous mapping, one memory slot.
 */
#ifndef UMBRA_USER_MEMORY_H
#define UMBRA_USER_MEMORY_H

#include <stddef.h>

#include "util.h"

struct guest_ram {
	u8 *hva;		/* NULL: not allocated */
	u64 gpa;
	u64 size;
	void *map;		/* what munmap() takes: hva is aligned in it */
	size_t map_size;
};

/* Reserve @size bytes of zeroed memory; a status, said. */
int ram_alloc(struct guest_ram *ram, u64 gpa, u64 size);
void ram_free(struct guest_ram *ram);

/* Give it to the VM as memory slot 0; a status, said. */
int ram_register(const struct guest_ram *ram, int vm_fd);

/*
 * Where [gpa, gpa + len) lies in our memory, or NULL when any of it is
 * outside.  gpa and len may be a guest's: nothing wraps.
 */
void *ram_ptr(const struct guest_ram *ram, u64 gpa, u64 len);

#endif /* UMBRA_USER_MEMORY_H */
