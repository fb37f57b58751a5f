/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What Umbra adds to the KVM ABI.
 *
 * /dev/umbra speaks the ioctl ABI of <linux/kvm.h>; everything a client of
 * KVM's RISC-V port knows works as it is there.  This header holds the rest:
 * in-kernel devices, the list of MMIO windows, and the capabilities by which
 * user space discovers them.
 *
 * Private numbers, chosen so that they can never meet KVM's own:
 *   capabilities   0x554d4200 .. 0x554d42ff   ("UMB")
 *   device types   0x554d0000 .. 0x554d00ff
 *   ioctls         type 'U' (0x55), numbers 0xe0 .. 0xef
 *
 * Unknown flags, unknown attributes and non-zero padding are refused with
 * EINVAL (attributes: ENXIO), so that they can be given a meaning later.
 */
#ifndef _UAPI_UMBRA_H
#define _UAPI_UMBRA_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* SBI implementation id a guest reads (SBI 2.0, section 4.3): "UMBR". */
#define UMBRA_SBI_IMPL_ID		0x554d4252

/*
 * Capabilities for KVM_CHECK_EXTENSION.  0 means absent.
 */

/* Bit n set: KVM_CREATE_DEVICE takes type UMBRA_DEV_TYPE_BASE + n. */
#define UMBRA_CAP_VDEV			0x554d4200
/* Largest nr that UMBRA_SET_MMIO_WINDOWS takes. */
#define UMBRA_CAP_MMIO_WINDOWS		0x554d4201
/* 1: hot privileged instructions are rewritten (module parameter rewrite). */
#define UMBRA_CAP_REWRITE		0x554d4202
/*
 * Bit n set: config.satp_mode can be set to n (8 Sv39, 9 Sv48, 10 Sv57)
 * before the vCPU's first run; its initial value is the default mode.
 */
#define UMBRA_CAP_MMU_MODES		0x554d4203
/*
 * 1: KVM_ENABLE_CAP on a VM takes it, with flags 0, args[0] = 1 and the others
 * 0, before the first vCPU is made.  Every vCPU then is a hart with M-mode: it
 * starts there, runnable, at the pc that user space sets, with hart id = vCPU
 * id; ecalls from S-mode go to the guest's own M-mode, not to the in-kernel
 * SBI; KVM_REG_RISCV_CORE_REG(mode) may be 3; and the machine CSRs are
 * registers, see UMBRA_REG_RISCV_MCSR.  A reset of the machine is user space's
 * work, by writing all registers.
 * Errors of KVM_ENABLE_CAP: EINVAL, EBUSY (there is a vCPU), EFAULT.
 */
#define UMBRA_CAP_M_MODE		0x554d4204

/*
 * One-reg type of the machine CSRs (VMs with UMBRA_CAP_M_MODE, else ENOENT):
 *
 *	KVM_REG_RISCV | KVM_REG_SIZE_U64 | UMBRA_REG_RISCV_MCSR | number
 *
 * with the CSR's number in the privileged specification.  Written with the
 * WARL rules of the CSR, but pmpcfg and pmpaddr as if nothing were locked; a
 * read-only one can only be confirmed (EINVAL).  mip (0x344) is the bits that
 * software has written; its wires are the devices' state.
 */
#define UMBRA_REG_RISCV_MCSR		(0x55ULL << 24)

/**
 * struct umbra_mmio_window - one range of gpa that user space emulates
 * @base: first guest-physical address
 * @size: bytes, not 0; base + size must not wrap
 */
struct umbra_mmio_window {
	__u64 base;
	__u64 size;
};

/**
 * struct umbra_mmio_windows - argument of UMBRA_SET_MMIO_WINDOWS
 * @nr: number of windows, at most what UMBRA_CAP_MMIO_WINDOWS returns
 * @flags: 0
 * @windows: user address of an array of @nr &struct umbra_mmio_window
 */
struct umbra_mmio_windows {
	__u32 nr;
	__u32 flags;
	__u64 windows;
};

/*
 * VM ioctl.  Once called, an access outside memory slots, in-kernel devices
 * and these windows raises an access fault in the guest, as on the real
 * machine.  Never called: KVM's semantics, every such access exits to user
 * space as KVM_EXIT_MMIO.  Replaces the previous list as a whole.
 * Errors: EINVAL (flags, nr, empty or wrapping window), EFAULT, ENOMEM.
 */
#define UMBRA_SET_MMIO_WINDOWS	_IOW('U', 0xe0, struct umbra_mmio_windows)

/*
 * In-kernel devices, made with KVM_CREATE_DEVICE on the VM.  The returned fd
 * configures the device (KVM_SET_DEVICE_ATTR) and, for a device with a
 * stream, carries the stream.  A device is dead until UMBRA_DEV_CTRL_INIT;
 * from then on it lives as long as its VM, fd or no fd.
 *
 * KVM_CREATE_DEVICE: ENODEV (no such type), EINVAL (flags other than
 * KVM_CREATE_DEVICE_TEST), EEXIST (a second PLIC), EBUSY (too many), ENOMEM,
 * EMFILE.
 *
 * The devices, what they need before INIT, and the accesses they answer (all
 * naturally aligned; any other is an access fault):
 *
 *	PLIC		ADDR SOURCES HARTS CONTEXTS	4 bytes, 6 MiB
 *	UART		ADDR [IRQ]			1 2 4 8 bytes, 8 bytes
 *	RTC		ADDR [IRQ]			4 bytes, 0x24 bytes
 *	FINISHER	ADDR				2 4 bytes, 4 KiB
 *	ACLINT		ADDR HARTS [SSWI]		MSWI and SSWI 4 bytes,
 *							MTIMER 4 8 bytes, 48 KiB
 *	VIRTIO_BLK	ADDR [IRQ FILE READONLY LEGACY SERIAL0..2]
 *							4 bytes, 1 2 4 8 bytes from
 *							0x100 on, 512 bytes
 *
 * UART, the stream: read() takes what the guest transmitted, write() feeds its
 * receiver; both block, or return EAGAIN under O_NONBLOCK; poll() says POLLIN
 * and POLLOUT.  Many threads may use it.  A guest that transmits faster than
 * user space reads is stopped by its own LSR, nothing is lost.  Once the fd is
 * closed, what the guest transmits is discarded.
 *
 * FINISHER: a guest that writes to it makes KVM_RUN return with
 * KVM_EXIT_SYSTEM_EVENT: pass is KVM_SYSTEM_EVENT_SHUTDOWN with data 0, fail
 * is KVM_SYSTEM_EVENT_CRASH with the guest's 16-bit code, reset is
 * KVM_SYSTEM_EVENT_RESET.
 *
 * ACLINT: as the SiFive CLINT, MSWI at 0, MTIMER at 0x4000, mtime at 0xbff8;
 * SSWI is 16 KiB at an address of its own.  mtime is the CSR time of all harts,
 * and writing it sets that.
 *
 * VIRTIO_BLK: a virtio block device over MMIO (virtio 1.3, 4.2 and 5.2).  FILE
 * is a regular file or a block device, open for reading and, unless READONLY,
 * for writing; INIT takes a reference of its own (EBADF: not open, or not for
 * that; EINVAL: another kind of file, or less than 512 bytes).  The capacity is
 * the size at that moment.  The I/O is done by a thread of the kernel's with
 * the credentials and in the cgroups of the one that called INIT, and stops
 * when that process ends.  Without FILE it is an empty slot: device ID 0.
 */
#define UMBRA_DEV_TYPE_BASE		0x554d0000
#define UMBRA_DEV_TYPE_PLIC		(UMBRA_DEV_TYPE_BASE + 0)
#define UMBRA_DEV_TYPE_UART		(UMBRA_DEV_TYPE_BASE + 1)
#define UMBRA_DEV_TYPE_RTC		(UMBRA_DEV_TYPE_BASE + 2)
#define UMBRA_DEV_TYPE_FINISHER		(UMBRA_DEV_TYPE_BASE + 3)
#define UMBRA_DEV_TYPE_ACLINT		(UMBRA_DEV_TYPE_BASE + 4)
#define UMBRA_DEV_TYPE_VIRTIO_BLK	(UMBRA_DEV_TYPE_BASE + 8)

/* Attribute groups (struct kvm_device_attr.group). */
#define UMBRA_DEV_GRP_CONFIG		0
#define UMBRA_DEV_GRP_CTRL		1

/*
 * UMBRA_DEV_GRP_CONFIG: .addr points to a __u64.  Settable before INIT only
 * (EBUSY after), readable always (0 while not set).  EINVAL when the value is
 * out of range, ENXIO when the device has no such attribute.
 */
#define UMBRA_DEV_CONFIG_ADDR		0	/* gpa of the register file, a multiple of 8 */
#define UMBRA_DEV_CONFIG_IRQ		1	/* PLIC source, 1..1023; 0: none; UART, RTC */
#define UMBRA_DEV_CONFIG_SOURCES	2	/* PLIC: highest source, 1..1023; riscv,ndev */
#define UMBRA_DEV_CONFIG_HARTS		3	/* PLIC, ACLINT: harts; 1024 contexts in all */
#define UMBRA_DEV_CONFIG_CONTEXTS	4	/* PLIC: contexts per hart: 2 = M,S; 1 = S */
#define UMBRA_DEV_CONFIG_SSWI		5	/* ACLINT: gpa of SSWI, a multiple of 8; 0: none */
#define UMBRA_DEV_CONFIG_FILE		8	/* VIRTIO_BLK: a descriptor; looked up by INIT */
#define UMBRA_DEV_CONFIG_READONLY	9	/* VIRTIO_BLK: 1: the guest cannot write */
#define UMBRA_DEV_CONFIG_LEGACY		10	/* VIRTIO_BLK: 1: the legacy interface, version 1 */
/*
 * VIRTIO_BLK: the serial number, 20 bytes in ASCII, zeros after a shorter one:
 * bytes 0 to 7, 8 to 15 and 16 to 19, the first in the lowest bits.
 */
#define UMBRA_DEV_CONFIG_SERIAL0	11
#define UMBRA_DEV_CONFIG_SERIAL1	12
#define UMBRA_DEV_CONFIG_SERIAL2	13

/* UMBRA_DEV_GRP_CTRL: .addr is 0; set only. */

/*
 * Check the configuration, go live.  A device with an IRQ comes after the PLIC.
 * EBUSY (done already), EINVAL (attribute missing, range wraps), EEXIST (range
 * or IRQ belongs to another in-kernel device), ENXIO (IRQ that the PLIC does
 * not have, or no PLIC), ENOMEM.
 */
#define UMBRA_DEV_CTRL_INIT		0
/*
 * UART: the guest receives a break, after what was written before and before
 * what is written after.  EBUSY: the one before is not received yet.
 */
#define UMBRA_DEV_CTRL_BREAK		1

#endif /* _UAPI_UMBRA_H */
