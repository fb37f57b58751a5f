/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel and firmware files: what kind a file is, whether it is whole, and where its parts
 * go in guest memory.  Nothing here knows about guests or KVM: a file in
 * memory goes in, a list of segments comes out.  Pure C (and zlib).
 */
#ifndef UMBRA_USER_IMAGE_H
#define UMBRA_USER_IMAGE_H

#include <stddef.h>

#include "util.h"

#define IMAGE_MAX_SEGMENTS	32

enum image_kind {
	IMAGE_LINUX,	/* arch/riscv/boot/Image, also as a PE/EFI file */
	IMAGE_ELF,	/* a bare-metal program */
	IMAGE_RAW,	/* no header that we know: runs from its first byte */
};

struct image_segment {
	u64 gpa;
	size_t offset;		/* into the file */
	size_t filesz;		/* bytes from the file */
	u64 memsz;		/* bytes it takes; zero from filesz on */
};

struct image {
	enum image_kind kind;
	u64 entry;		/* guest-physical */
	u64 end;		/* first address after everything it takes */
	unsigned int nr_segments;
	struct image_segment segments[IMAGE_MAX_SEGMENTS];
};

/* What is wrong with a file, for after "kernel 'FILE': ". */
#define IMAGE_WHY	160

/*
 * Undo compression: gzip (Image.gz) and EFI zboot (vmlinuz.efi).  *buf is from
 * malloc() and may be replaced by a larger one; @limit bounds that.  A file
 * that is not compressed is left alone.
 * Return: 0, or a status with the reason in @why.
 */
int image_unpack(u8 **buf, size_t *len, u64 limit,
		 char why[IMAGE_WHY]);

/*
 * Look at an uncompressed kernel that nothing starts before, and say what goes
 * where.
 * Return: 0, or a status with the reason in @why.
 */
int image_parse(const u8 *buf, size_t len, u64 ram_base,
		u64 ram_size, struct image *img, char why[IMAGE_WHY]);

/*
 * The same for firmware: an ELF file where it is linked (at the start of RAM if
 * it is position independent and linked elsewhere), or anything else, at the
 * start of RAM.
 */
int image_parse_firmware(const u8 *buf, size_t len, u64 ram_base,
			 u64 ram_size, struct image *img, char why[IMAGE_WHY]);

/*
 * The same for what firmware starts: an ELF file where it is linked, or anything
 * else, at @at.  A Linux Image knows how much more than the file it needs.
 */
int image_parse_payload(const u8 *buf, size_t len, u64 at, u64 ram_base,
			u64 ram_size, struct image *img, char why[IMAGE_WHY]);

#endif /* UMBRA_USER_IMAGE_H */
