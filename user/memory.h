/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory: RAM is one anonymous mapping and one memory slot; ROMs have
 * slots of their own.
 */
#ifndef UMBRA_USER_MEMORY_H
#define UMBRA_USER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "util.h"

struct guest_ram {
	u8 *hva;		/* NULL: not allocated */
	u64 gpa;
	u64 size;
	void *map;		/* what munmap() takes: hva is aligned in it */
	size_t map_size;
	bool used;		/* it may hold more than zeros */
};

/* Reserve @size bytes of zeroed memory; a status, said. */
int ram_alloc(struct guest_ram *ram, u64 gpa, u64 size);
void ram_free(struct guest_ram *ram);

/* Memory slots. */
enum {
	SLOT_RAM,
	SLOT_MROM,
	SLOT_FLASH,		/* and one more per further bank */
};

/* Give it to the VM as SLOT_RAM; a status, said. */
int ram_register(const struct guest_ram *ram, int vm_fd);

/*
 * Let the guest read and execute @size bytes of our memory at @gpa; @size 0
 * takes that away.  A guest's store there is an MMIO exit inside our windows,
 * an access fault outside.  Return: 0 or -errno.
 */
int rom_register(unsigned int slot, u64 gpa, const void *hva, u64 size,
		 int vm_fd);

/* Zero what may not be: [gpa, gpa + len), which lies inside. */
void ram_zero(const struct guest_ram *ram, u64 gpa, u64 len);

/*
 * Where [gpa, gpa + len) lies in our memory, or NULL when any of it is
 * outside.  gpa and len may be a guest's: nothing wraps.
 */
void *ram_ptr(const struct guest_ram *ram, u64 gpa, u64 len);

#endif /* UMBRA_USER_MEMORY_H */
