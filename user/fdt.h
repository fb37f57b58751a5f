/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device tree of a machine, made with libfdt.  Pure C.
 */
#ifndef UMBRA_USER_FDT_H
#define UMBRA_USER_FDT_H

#include "machine.h"

/* An upper bound of what fdt_build() needs for this machine. */
size_t fdt_bound(const struct machine *m);

/*
 * Write the device tree into @buf of @size bytes (8-byte aligned).
 * Return: 0, or a negative FDT_ERR_* of libfdt.
 */
int fdt_build(const struct machine *m, void *buf, size_t size);

/* libfdt's words for an error of fdt_build(). */
const char *fdt_error(int err);

#endif /* UMBRA_USER_FDT_H */
