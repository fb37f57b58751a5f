/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module counted for each vCPU (KVM_GET_STATS_FD).
 */
#ifndef UMBRA_USER_STATS_H
#define UMBRA_USER_STATS_H

struct vm;

/*
 * Append a line `vcpu<TAB>counter<TAB>value` per counter to @path; a status,
 * said.
 */
int stats_write(const struct vm *vm, const char *path);

#endif /* UMBRA_USER_STATS_H */
