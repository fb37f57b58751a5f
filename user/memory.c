// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory; see memory.h.
 *
 * Ordinary anonymous memory, not reserved and not pinned: the host pages it
 * in when the guest touches it, and may swap, merge or collapse it.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "memory.h"
#include "util.h"

/* So that the host's huge pages can back the guest's. */
#define RAM_ALIGN	(2 * MIB)

int ram_alloc(struct guest_ram *ram, u64 gpa, u64 size)
{
	char text[32];
	void *map;

	if (size > SIZE_MAX - RAM_ALIGN || gpa + size < gpa)
		return fail(STATUS_USAGE, "--memory: %s is more than any machine has; give less",
			    format_size(size, text, sizeof(text)));

	map = mmap(NULL, size + RAM_ALIGN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return fail(STATUS_SYSTEM, "the host has no room for %s of guest memory (%s); give less --memory",
			    format_size(size, text, sizeof(text)),
			    strerror(errno));

	ram->map = map;
	ram->map_size = size + RAM_ALIGN;
	ram->hva = (u8 *)ALIGN_UP((uintptr_t)map, RAM_ALIGN);
	ram->gpa = gpa;
	ram->size = size;
	ram->used = false;
	return 0;
}

void ram_free(struct guest_ram *ram)
{
	if (ram->map)
		munmap(ram->map, ram->map_size);
	memset(ram, 0, sizeof(*ram));
}

int ram_register(const struct guest_ram *ram, int vm_fd)
{
	struct kvm_userspace_memory_region slot = {
		.slot = SLOT_RAM,
		.guest_phys_addr = ram->gpa,
		.memory_size = ram->size,
		.userspace_addr = (uintptr_t)ram->hva,
	};
	char text[32];

	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return fail(STATUS_UNAVAILABLE, "the module refuses %s of guest memory: %s; give less --memory",
			    format_size(ram->size, text, sizeof(text)),
			    strerror(errno));
	return 0;
}

void ram_zero(const struct guest_ram *ram, u64 gpa, u64 len)
{
	if (ram->used)
		memset(ram_ptr(ram, gpa, len), 0, len);
}

int rom_register(unsigned int slot, u64 gpa, const void *hva, u64 size,
		 int vm_fd)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

void *ram_ptr(const struct guest_ram *ram, u64 gpa, u64 len)
{
	u64 off = gpa - ram->gpa;

	if (gpa < ram->gpa || off > ram->size || len > ram->size - off)
		return NULL;
	return ram->hva + off;
}
