/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's in-kernel devices: making and configuring them.
 */
#ifndef UMBRA_USER_DEVICES_H
#define UMBRA_USER_DEVICES_H

#include "machine.h"

#define MAX_VDEVS	32

struct devices {
	unsigned int nr;
	int fds[MAX_VDEVS];
	int uart_fd[MACHINE_MAX_UARTS];		/* among fds; non-blocking */
};

/*
 * Make every device of the machine, and go live.  On error the caller calls
 * devices_destroy().
 * Return: 0 or a status, said.
 */
int devices_create(struct devices *devs, const struct machine *m, int vm_fd);
void devices_destroy(struct devices *devs);

/* The console's UART receives a break. */
void devices_send_break(struct devices *devs);

#endif /* UMBRA_USER_DEVICES_H */
