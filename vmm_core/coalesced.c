// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced MMIO: stores to registers whose effect can wait are queued in a
 * ring that user space empties when it next looks, instead of each leaving the
 * kernel (KVM_REGISTER_COALESCED_MMIO).
 *
 * The ring is one page of the VM, which user space maps behind its kvm_run and
 * may write anything to: its indices are checked at each use.  Zones are added
 * and removed under vm->lock and looked up under vm->slots_srcu.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "vmm.h"

/* As many as KVM's bus has places. */
#define MAX_ZONES	1000

struct umbra_zone {
	struct list_head node;
	u64 addr;
	u32 size;
	bool pio;	/* no guest of ours reaches it */
};

static bool contains(const struct umbra_zone *z, u64 addr, u64 len)
{
	return addr >= z->addr && addr + len >= addr &&
	       addr + len <= z->addr + z->size;
}

/**
 * umbra_coalesced_register() - KVM_REGISTER_COALESCED_MMIO
 * @vm: the VM; vm->lock held
 * @arg: the zone
 *
 * Return: 0, -EINVAL, -ENOSPC, -ENOMEM.
 */
int umbra_coalesced_register(struct umbra_vm *vm,
			     const struct kvm_coalesced_mmio_zone *arg)
{
	struct umbra_zone *z;

	if (arg->pio > 1)
		return -EINVAL;
	if (vm->nr_zones >= MAX_ZONES)
		return -ENOSPC;
	z = kzalloc(sizeof(*z), GFP_KERNEL_ACCOUNT);
	if (!z)
		return -ENOMEM;
	z->addr = arg->addr;
	z->size = arg->size;
	z->pio = arg->pio;
	list_add_tail_rcu(&z->node, &vm->zones);
	vm->nr_zones++;
	return 0;
}

/**
 * umbra_coalesced_unregister() - KVM_UNREGISTER_COALESCED_MMIO
 * @vm: the VM; vm->lock held
 * @arg: every zone that contains this one goes
 *
 * Return: 0, also when there is none, or -EINVAL.
 */
int umbra_coalesced_unregister(struct umbra_vm *vm,
			       const struct kvm_coalesced_mmio_zone *arg)
{
	struct umbra_zone *z, *next;

	if (arg->pio > 1)
		return -EINVAL;
	list_for_each_entry_safe(z, next, &vm->zones, node) {
		if (z->pio != arg->pio || !contains(z, arg->addr, arg->size))
			continue;
		list_del_rcu(&z->node);
		vm->nr_zones--;
		/* One at a time: a reader may still stand on it. */
		synchronize_srcu_expedited(&vm->slots_srcu);
		kfree(z);
	}
	return 0;
}

static bool in_zone(struct umbra_vm *vm, u64 gpa, unsigned int len)
{
	struct umbra_zone *z;
	bool ret = false;
	int srcu = srcu_read_lock(&vm->slots_srcu);

	list_for_each_entry_srcu(z, &vm->zones, node,
				 srcu_read_lock_held(&vm->slots_srcu)) {
		if (!z->pio && contains(z, gpa, len)) {
			ret = true;
			break;
		}
	}
	srcu_read_unlock(&vm->slots_srcu, srcu);
	return ret;
}

/**
 * umbra_coalesced_store() - can a guest's store wait in the ring?
 * @vm: the VM
 * @gpa: where it stores
 * @len: 1, 2, 4 or 8
 * @val: the value
 *
 * Return: true when it is queued; false where it has to exit: no zone there, or
 * no room.
 */
bool umbra_coalesced_store(struct umbra_vm *vm, u64 gpa, unsigned int len, u64 val)
{
	struct kvm_coalesced_mmio_ring *ring = vm->ring;
	struct kvm_coalesced_mmio *entry;
	u32 last;

	if (!in_zone(vm, gpa, len))
		return false;
	spin_lock(&vm->ring_lock);
	last = READ_ONCE(ring->last);
	if (last >= KVM_COALESCED_MMIO_MAX ||
	    (last + 1) % KVM_COALESCED_MMIO_MAX == READ_ONCE(ring->first)) {
		spin_unlock(&vm->ring_lock);
		return false;
	}
	entry = &ring->coalesced_mmio[array_index_nospec(last, KVM_COALESCED_MMIO_MAX)];
	entry->phys_addr = gpa;
	entry->len = len;
	memcpy(entry->data, &val, sizeof(entry->data));
	entry->pio = 0;
	smp_wmb();	/* the entry before its number; user space reads both */
	WRITE_ONCE(ring->last, (last + 1) % KVM_COALESCED_MMIO_MAX);
	spin_unlock(&vm->ring_lock);
	return true;
}

int umbra_coalesced_create(struct umbra_vm *vm)
{
	INIT_LIST_HEAD(&vm->zones);
	spin_lock_init(&vm->ring_lock);
	vm->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vm->ring ? 0 : -ENOMEM;
}

/* The VM goes; a mapping of the ring holds its page. */
void umbra_coalesced_destroy(struct umbra_vm *vm)
{
	struct umbra_zone *z, *next;

	list_for_each_entry_safe(z, next, &vm->zones, node)
		kfree(z);
	free_page((unsigned long)vm->ring);
}
