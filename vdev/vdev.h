/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The line between vmm_core and vdev: what each may ask of the other.
 *
 * vmm_core asks vdev to make devices and to answer MMIO.  vdev asks vmm_core
 * for a reference on the VM, for guest memory, for interrupt lines into a hart,
 * and to report a system event.  Nothing else crosses.
 */
#ifndef UMBRA_VDEV_H
#define UMBRA_VDEV_H

#include "../vmm_core/base.h"
#include "../vmm_core/csr_bits.h"

struct umbra_vm;
struct umbra_bus;
struct umbra_post;
struct mm_struct;
struct kvm_create_device;

/* --- what vdev offers to vmm_core (bus.c, device.c) ---------------------- */

/* A VM has at most this many devices. */
#define UMBRA_MAX_VDEVS		64

/*
 * The VM's MMIO bus, empty; an ERR_PTR when memory is short.  May sleep.
 */
struct umbra_bus *umbra_bus__create(struct umbra_vm *vm);

/*
 * Destroys every device.  Called when the last reference on the VM is gone
 * (each device fd holds one), no vCPU runs, and nothing is left that may call
 * umbra_bus__set_irq() or __pulse_irq(): irqfds are shut down before.  May
 * sleep, and may still call umbra_vm_set_pin().
 */
void umbra_bus__destroy(struct umbra_bus *bus);

/**
 * umbra_bus__access() - one naturally sized MMIO access by a vCPU
 * @bus: the VM's bus
 * @gpa: guest-physical address
 * @len: 1, 2, 4 or 8
 * @write: direction
 * @val: value, zero-extended, in the low @len bytes
 *
 * Called from the run loop in process context, may sleep.
 * Return: 0; -EOPNOTSUPP when no in-kernel device lies there (user space may
 * have one); -EFAULT when a device lies there that refuses this access (the
 * guest gets an access fault).
 */
int umbra_bus__access(struct umbra_bus *bus, u64 gpa, unsigned int len,
		      bool write, u64 *val);

/* Does an in-kernel device overlap [gpa, gpa + size)?  Process context. */
bool umbra_bus__overlaps(struct umbra_bus *bus, u64 gpa, u64 size);

/*
 * Raise or lower wired interrupt line @gsi (= PLIC source number).  Any
 * context, hard interrupt included.  -ENXIO when there is no in-kernel
 * interrupt controller or no such source.
 */
int umbra_bus__set_irq(struct umbra_bus *bus, u32 gsi, bool level);

/*
 * The same for a sender of edges, which has no level to hold: an irqfd without
 * resampling.  Unlike a set_irq(true), set_irq(false) pair it is not lost when
 * the guest is just handling the previous one.
 */
int umbra_bus__pulse_irq(struct umbra_bus *bus, u32 gsi);

/* umbra_vm_time() jumps: timers that wait for it are set anew.  Any context. */
void umbra_bus__time_changed(struct umbra_bus *bus);

/* Is there an in-kernel interrupt controller, live?  Any context. */
bool umbra_bus__has_irqchip(struct umbra_bus *bus);

/* Bit n: type UMBRA_DEV_TYPE_BASE + n exists. */
u32 umbra_vdev__types(void);

/*
 * KVM_CREATE_DEVICE for Umbra's types: makes the device and its fd, and stores
 * that in @cd->fd.  @cd is kernel memory; the caller copies it back to user
 * space.  Process context, no lock held.
 * Errors: ENODEV (no such type), EINVAL (flags), EEXIST (a second PLIC),
 * EBUSY (more than UMBRA_MAX_VDEVS), ENOMEM, EMFILE.
 */
int umbra_vdev__create(struct umbra_vm *vm, struct kvm_create_device *cd);

/* --- what vmm_core offers to vdev (vmm_core/vm.c, vcpu.c) ---------------- */

void umbra_vm_get(struct umbra_vm *vm);
void umbra_vm_put(struct umbra_vm *vm);
struct umbra_bus *umbra_vm_bus(struct umbra_vm *vm);

/*
 * Guest-physical memory, bounded by slots; -EFAULT outside.  The caller's
 * address space is the VM's: a vCPU's thread, or kthread_use_mm() of what
 * umbra_vm_mm() returns.  May sleep.  Reads show what the guest would see where
 * text is rewritten; writes win over it, and are logged as dirty.  Naturally
 * aligned 2, 4 and 8 bytes are one access.
 */
struct mm_struct *umbra_vm_mm(struct umbra_vm *vm);
int umbra_gpa_read(struct umbra_vm *vm, u64 gpa, void *to, size_t len);
int umbra_gpa_write(struct umbra_vm *vm, u64 gpa, const void *from, size_t len);
/* Is all of [gpa, gpa + len) memory, and writable if @write?  Process context. */
bool umbra_gpa_range_is_usable(struct umbra_vm *vm, u64 gpa, u64 len,
			       bool write);

/*
 * Drive an interrupt pin of a hart: V_SEI, V_MEI, V_MSI or V_MTI of its mip.
 * Any context, and always with interrupts off and the raw spinlock of the one
 * device held that drives this pin, which is what keeps changes in order: no
 * spinlock_t below it, no call back into the bus.  A hart that does not exist
 * is ignored.
 */
void umbra_vm_set_pin(struct umbra_vm *vm, u32 hart, u64 pin, bool level);

/* Set a hart's mip.SSIP; the same rules. */
void umbra_vm_raise_ssip(struct umbra_vm *vm, u32 hart);

/* The guest's time, as its CSR time has it.  Any context. */
u64 umbra_vm_time(struct umbra_vm *vm);

/*
 * Set it.  Process context, no lock held.  What waits for a time is told; when
 * this returns no hart sees the old one any more.
 */
void umbra_vm_set_time(struct umbra_vm *vm, u64 time);

/* How long @ticks of it take: rounded up, and at most a century. */
u64 umbra_vm_ticks_to_ns(u64 ticks);

/*
 * The VM's place for a UART that the switcher may answer for (vmm_core/post.h), all
 * zero; NULL: another device has it.  Lives as long as the bus.
 */
struct umbra_post *umbra_vm_take_post(struct umbra_vm *vm);

/*
 * End the guest: the vCPU whose access is being handled returns to user space
 * with KVM_EXIT_SYSTEM_EVENT, @type (KVM_SYSTEM_EVENT_*) and one data word.
 */
void umbra_vm_system_event(struct umbra_vm *vm, u32 type, u64 data);

#endif /* UMBRA_VDEV_H */
