// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/umbra: opening it, and what it can do; see kvm.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../uapi/umbra.h"
#include "kvm.h"
#include "util.h"

const char *kvm_open_advice(int err)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "the module is not loaded: run `modprobe umbra` (`umbra check` tells more)";
	case EACCES:
	case EPERM:
		return "run as root, or as one of the group that owns it (`umbra check` names it)";
	case EBUSY:
		return "another hypervisor has it: end that one first";
	case EMFILE:
	case ENFILE:
		return "too many files are open: raise `ulimit -n`";
	default:
		return "`umbra check` may tell why";
	}
}

int kvm_open(const char *path, int *fd)
{
	int version;

	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0) {
		int err = errno;

		return fail(STATUS_UNAVAILABLE, "cannot open %s: %s; %s", path,
			    strerror(err), kvm_open_advice(err));
	}

	version = ioctl(*fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_OURS)
		return 0;
	if (version < 0)
		fail(0, "%s is not a hypervisor's device (%s); give --device " DEFAULT_DEVICE,
		     path, strerror(errno));
	else
		fail(0, "%s speaks version %d of the KVM API, this umbra version %d; install matching ones",
		     path, version, KVM_API_OURS);
	close(*fd);
	*fd = -1;
	return STATUS_UNAVAILABLE;
}

int kvm_cap(int fd, unsigned long cap)
{
	int ret = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

const char *kvm_create_vm_advice(int err)
{
	switch (err) {
	case EBUSY:
		return "another hypervisor is in the way: unload it (`umbra check` looks for one)";
	case ENOMEM:
		return "the host is out of memory: free some";
	case EMFILE:
	case ENFILE:
		return "too many files are open: raise `ulimit -n`";
	case EPERM:
	case EACCES:
		return "run as root, or as a member of the group that owns the device";
	default:
		return "`dmesg | grep umbra` may tell why";
	}
}

int kvm_create_vm(int kvm_fd, int *vm_fd)
{
	*vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0UL);
	if (*vm_fd < 0) {
		int err = errno;

		return fail(STATUS_UNAVAILABLE, "the module makes no guest: %s; %s",
			    strerror(err), kvm_create_vm_advice(err));
	}
	return 0;
}

int kvm_enable_m_mode(int kvm_fd, int vm_fd)
{
	struct kvm_enable_cap cap = {
		.cap = UMBRA_CAP_M_MODE,
		.args = { 1 },
	};

	if (!kvm_cap(kvm_fd, UMBRA_CAP_M_MODE))
		return fail(STATUS_UNAVAILABLE, "this module has no M-mode for guests, which --bios needs; use the module that came with this launcher (`umbra check`)");
	if (ioctl(vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return fail(STATUS_UNAVAILABLE, "the module refuses a guest with M-mode: %s; do module and launcher belong together? (`umbra check`)",
			    strerror(errno));
	return 0;
}
