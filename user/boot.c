// SPDX-License-Identifier: GPL-2.0
/*
 * What a machine boots; see boot.h.
 *
 * Places are those of QEMU's `virt`: firmware at the start of RAM, what it starts
 * on the next 2 MiB boundary.  That is where OpenSBI's fw_jump jumps, and what
 * fw_dynamic is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"

#define PAYLOAD_ALIGN	(2 * MIB)

static int read_whole(struct boot_file *f, const char *what, const char *path)
{
	f->what = what;
	f->path = path;
	return read_file(what, path, &f->data, &f->len);
}

static int read_firmware(struct boot *b, const struct run_options *opt)
{
	struct boot_file *f = &b->firmware;
	char why[IMAGE_WHY];
	int ret = read_whole(f, "firmware", opt->bios);

	if (ret)
		return ret;
	ret = image_parse_firmware(f->data, f->len, RAM_BASE, opt->memory,
				   &f->image, why);
	if (ret)
		return fail(ret, "%s '%s': %s", f->what, f->path, why);
	b->end = f->image.end;
	return 0;
}

/* Do two files want the same memory? */
static bool overlap(const struct image *a, const struct image *b)
{
	for (unsigned int i = 0; i < a->nr_segments; i++)
		for (unsigned int j = 0; j < b->nr_segments; j++) {
			const struct image_segment *s = &a->segments[i];
			const struct image_segment *t = &b->segments[j];

			if (s->gpa < t->gpa + t->memsz &&
			    t->gpa < s->gpa + s->memsz)
				return true;
		}
	return false;
}

static int read_kernel(struct boot *b, const struct run_options *opt)
{
	struct boot_file *f = &b->kernel;
	char why[IMAGE_WHY];
	int ret = read_whole(f, "kernel", opt->kernel);

	if (ret)
		return ret;
	ret = image_unpack(&f->data, &f->len, opt->memory, why);
	if (!ret && b->flash)
		return 0;
	if (!ret && b->firmware.path)
		ret = image_parse_payload(f->data, f->len,
					  ALIGN_UP(b->end, PAYLOAD_ALIGN),
					  RAM_BASE, opt->memory, &f->image, why);
	else if (!ret)
		ret = image_parse(f->data, f->len, RAM_BASE, opt->memory,
				  &f->image, why);
	if (ret)
		return fail(ret, "%s '%s': %s", f->what, f->path, why);
	if (overlap(&f->image, &b->firmware.image))
		return fail(STATUS_DATA, "kernel '%s': lies where firmware '%s' is; link it elsewhere",
			    f->path, b->firmware.path);
	if (f->image.end > b->end)
		b->end = f->image.end;
	return 0;
}

static int open_initrd(struct boot *b, const struct run_options *opt)
{
	int ret;

	b->initrd.path = opt->initrd;
	ret = open_input("initrd", opt->initrd, &b->initrd_fd,
			 &b->initrd_size);
	if (ret) {
		b->initrd_fd = -1;
		return ret;
	}
	if (!b->initrd_size)
		return fail(STATUS_DATA, "initrd '%s': the file is empty; copy it again",
			    opt->initrd);
	return 0;
}

int boot_open(struct boot *b, const struct run_options *opt)
{
	int ret = 0;

	b->end = RAM_BASE;
	b->flash = opt->nr_pflash;
	if (opt->bios && strcmp(opt->bios, BIOS_NONE))
		ret = read_firmware(b, opt);
	if (!ret && opt->kernel)
		ret = read_kernel(b, opt);
	if (!ret && opt->initrd)
		ret = b->flash ? read_whole(&b->initrd, "initrd", opt->initrd) :
				 open_initrd(b, opt);
	return ret;
}

void boot_close(struct boot *b)
{
	free(b->firmware.data);
	free(b->kernel.data);
	free(b->initrd.data);
	b->firmware.data = NULL;
	b->kernel.data = NULL;
	b->initrd.data = NULL;
	if (b->initrd_fd >= 0)
		close(b->initrd_fd);
	b->initrd_fd = -1;
}

static int load_file(const struct boot_file *f, const struct guest_ram *ram)
{
	for (unsigned int i = 0; i < f->image.nr_segments; i++) {
		const struct image_segment *s = &f->image.segments[i];
		u8 *to = ram_ptr(ram, s->gpa, s->memsz);

		if (!to)
			return fail(STATUS_DATA, "%s '%s': does not fit guest memory; give more --memory",
				    f->what, f->path);
		memcpy(to, f->data + s->offset, s->filesz);
		ram_zero(ram, s->gpa + s->filesz, s->memsz - s->filesz);
	}
	return 0;
}

int boot_load(struct boot *b, const struct machine *m,
	      const struct guest_ram *ram)
{
	int ret = load_file(&b->firmware, ram);

	if (!ret)
		ret = load_file(&b->kernel, ram);
	if (ret || b->initrd_fd < 0)
		return ret;

	ret = read_full(b->initrd_fd,
			ram_ptr(ram, m->initrd_start, b->initrd_size),
			b->initrd_size);
	if (ret)
		return fail(STATUS_NOINPUT, "initrd '%s': cannot read it: %s",
			    b->initrd.path, ret == -ENODATA ?
			    "it shrank while being read" : strerror(-ret));
	return 0;
}

static void offer(struct fw_cfg *c, const struct boot_file *f,
		  enum fw_cfg_key size, enum fw_cfg_key data)
{
	fw_cfg_set_number(c, size, f->len, 4);
	fw_cfg_set(c, data, f->data, f->len);
}

void boot_offer(const struct boot *b, struct fw_cfg *c)
{
	if (!b->flash)
		return;
	offer(c, &b->kernel, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA);
	offer(c, &b->initrd, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA);
}

u64 boot_entry(const struct boot *b)
{
	if (b->firmware.path)
		return b->firmware.image.entry;
	return b->flash ? FLASH_BASE : b->kernel.image.entry;
}

u64 boot_next(const struct boot *b)
{
	if (!b->firmware.path)
		return 0;
	return b->flash ? FLASH_BASE : b->kernel.image.entry;
}
