// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that the launcher itself emulates; see mmio.h.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../uapi/umbra.h"
#include "mmio.h"

void mmio_add(struct mmio_map *map, const struct mmio_window *w)
{
	assert(map->nr < MMIO_MAX_WINDOWS);
	map->window[map->nr++] = *w;
}

bool mmio_access(const struct mmio_map *map, u64 gpa, unsigned int len,
		 bool write, u64 *val)
{
	for (unsigned int i = 0; i < map->nr; i++) {
		const struct mmio_window *w = &map->window[i];

		if (gpa < w->base || gpa - w->base >= w->size ||
		    len > w->size - (gpa - w->base))
			continue;
		w->access(w->opaque, gpa - w->base, len, write, val);
		return true;
	}
	return false;
}

int mmio_register(const struct mmio_map *map, int vm_fd)
{
	struct umbra_mmio_window list[MMIO_MAX_WINDOWS];
	struct umbra_mmio_windows windows = {
		.nr = map->nr,
		.windows = (uintptr_t)list,
	};

	for (unsigned int i = 0; i < map->nr; i++) {
		list[i].base = map->window[i].base;
		list[i].size = map->window[i].size;
	}
	if (ioctl(vm_fd, UMBRA_SET_MMIO_WINDOWS, &windows) < 0)
		return fail(STATUS_UNAVAILABLE, "the module refuses the list of MMIO windows: %s; do module and launcher belong together? (`umbra check`)",
			    strerror(errno));
	return 0;
}
