/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that the launcher itself emulates: each has a window of guest-physical
 * addresses, whose accesses come as KVM_EXIT_MMIO.
 */
#ifndef UMBRA_USER_MMIO_H
#define UMBRA_USER_MMIO_H

#include <stdbool.h>

#include "util.h"

#define MMIO_MAX_WINDOWS	4

/**
 * struct mmio_window - a window and who answers in it
 * @base: first address
 * @size: bytes
 * @access: @len is 1, 2, 4 or 8, @offset a multiple of it and inside.  Called
 *	by any vCPU's thread, by several at once
 * @opaque: its first argument
 */
struct mmio_window {
	u64 base;
	u64 size;
	void (*access)(void *opaque, u64 offset, unsigned int len, bool write,
		       u64 *val);
	void *opaque;
};

struct mmio_map {
	unsigned int nr;
	struct mmio_window window[MMIO_MAX_WINDOWS];
};

/* There is room for what the launcher has. */
void mmio_add(struct mmio_map *map, const struct mmio_window *w);

/*
 * An access of the guest, all of it inside a window: false when it is not.
 */
bool mmio_access(const struct mmio_map *map, u64 gpa, unsigned int len,
		 bool write, u64 *val);

/* Tell the module what lies where; nothing else does. A status, said. */
int mmio_register(const struct mmio_map *map, int vm_fd);

#endif /* UMBRA_USER_MMIO_H */
