/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files behind the guest's disks.
 */
#ifndef UMBRA_USER_DISK_H
#define UMBRA_USER_DISK_H

#include "machine.h"

/*
 * Open a disk for the guest, and lock it against other guests: alone for one
 * that may write, together for readers.
 * Return: 0 and @fd, or a status, said.
 */
int disk_open(const struct disk *disk, int *fd);

#endif /* UMBRA_USER_DISK_H */
