/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/umbra: opening it, and what it can do.  Used by `run` and `check`.
 */
#ifndef UMBRA_USER_KVM_H
#define UMBRA_USER_KVM_H

#include "util.h"

#define DEFAULT_DEVICE		"/dev/umbra"
#define KVM_API_OURS		12

/*
 * What to do about a device that open(2) refuses with @err: one line, without
 * the path.
 */
const char *kvm_open_advice(int err);

/* Open the device and check the API's version; a status, said. */
int kvm_open(const char *path, int *fd);

/* KVM_CHECK_EXTENSION; errors count as 0: absent. */
int kvm_cap(int fd, unsigned long cap);

/* KVM_CREATE_VM on @kvm_fd; a status, said. */
int kvm_create_vm(int kvm_fd, int *vm_fd);

/* Its harts shall start in M-mode; a status, said. */
int kvm_enable_m_mode(int kvm_fd, int vm_fd);

/* What to do about a VM that KVM_CREATE_VM refuses with @err. */
const char *kvm_create_vm_advice(int err);

#endif /* UMBRA_USER_KVM_H */
