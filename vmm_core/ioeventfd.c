// SPDX-License-Identifier: GPL-2.0
/*
 * ioeventfd: a guest's store to a device register becomes a signal to whoever
 * waits on an eventfd, without a return to user space (KVM_IOEVENTFD).
 *
 * ioctls add and remove under vm->lock; the run loop looks a store up under
 * vm->slots_srcu, so that after a removal has returned nothing is signalled
 * any more.
 */
#include <linux/eventfd.h>
#include <linux/slab.h>

#include "vmm.h"

#define VALID_FLAGS	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | \
			 KVM_IOEVENTFD_FLAG_DEASSIGN | \
			 KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY)
/* As many as KVM's bus has places. */
#define MAX_IOEVENTFDS	1000

/**
 * struct umbra_ioeventfd - one row
 * @node: in vm->ioeventfds
 * @eventfd: what is signalled; we hold a reference
 * @addr: gpa of the store
 * @space: 0 for MMIO, else the flag of the address space, where no guest of
 *	ours can reach it
 * @len: 0: a store of any length
 * @wildcard: any value; else @match
 * @match: the value, compared in the store's length
 */
struct umbra_ioeventfd {
	struct list_head node;
	struct eventfd_ctx *eventfd;
	u64 addr;
	u32 space;
	unsigned int len;
	bool wildcard;
	u64 match;
};

static struct umbra_ioeventfd from_args(const struct kvm_ioeventfd *args)
{
	struct umbra_ioeventfd e = {
		.addr = args->addr,
		.len = args->len,
		.space = args->flags & (KVM_IOEVENTFD_FLAG_PIO |
					KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY),
		.wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH),
	};

	if (!e.wildcard)
		e.match = args->datamatch;
	return e;
}

/* Would one store signal both? */
static bool collide(const struct umbra_ioeventfd *a,
		    const struct umbra_ioeventfd *b)
{
	if (a->addr != b->addr || a->space != b->space)
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len &&
	       (a->wildcard || b->wildcard || a->match == b->match);
}

static int add(struct umbra_vm *vm, const struct umbra_ioeventfd *args)
{
	struct umbra_ioeventfd *e;

	list_for_each_entry(e, &vm->ioeventfds, node)
		if (collide(e, args))
			return -EEXIST;
	if (vm->nr_ioeventfds >= MAX_IOEVENTFDS)
		return -ENOSPC;
	e = kmemdup(args, sizeof(*args), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	list_add_tail_rcu(&e->node, &vm->ioeventfds);
	vm->nr_ioeventfds++;
	return 0;
}

static void release(struct umbra_ioeventfd *e)
{
	eventfd_ctx_put(e->eventfd);
	kfree(e);
}

static int remove(struct umbra_vm *vm, const struct umbra_ioeventfd *args)
{
	struct umbra_ioeventfd *e;

	list_for_each_entry(e, &vm->ioeventfds, node) {
		if (e->eventfd != args->eventfd || e->addr != args->addr ||
		    e->space != args->space || e->len != args->len ||
		    e->wildcard != args->wildcard || e->match != args->match)
			continue;
		list_del_rcu(&e->node);
		vm->nr_ioeventfds--;
		synchronize_srcu_expedited(&vm->slots_srcu);
		release(e);
		return 0;
	}
	return -ENOENT;
}

/**
 * umbra_ioeventfd() - KVM_IOEVENTFD
 * @vm: the VM; vm->lock held
 * @args: what to add or remove
 *
 * Return: 0, -EINVAL (length, flags, a wrapping address, an any-length one that
 * compares, an fd that is no eventfd), -EBADF, -EEXIST (another answers the
 * same store), -ENOENT (to be removed, and not there), -ENOSPC, -ENOMEM.
 */
int umbra_ioeventfd(struct umbra_vm *vm, const struct kvm_ioeventfd *args)
{
	struct umbra_ioeventfd e = from_args(args);
	int ret;

	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		e.eventfd = eventfd_ctx_fdget(args->fd);
		if (IS_ERR(e.eventfd))
			return PTR_ERR(e.eventfd);
		ret = remove(vm, &e);
		eventfd_ctx_put(e.eventfd);
		return ret;
	}

	if (args->len > 8 || (args->len && !is_power_of_2(args->len)) ||
	    args->addr + args->len < args->addr ||
	    (args->flags & ~VALID_FLAGS) || (!args->len && !e.wildcard))
		return -EINVAL;
	e.eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(e.eventfd))
		return PTR_ERR(e.eventfd);
	ret = add(vm, &e);
	if (ret)
		eventfd_ctx_put(e.eventfd);
	/* The switcher asks nobody: it is to forget its accesses (post.c). */
	else if (!e.space && e.addr - vm->page->post.gpa < UMBRA_POST_SPAN)
		umbra_vm_request_all(vm, UMBRA_REQ_MMU_RESET);
	return ret;
}

/**
 * umbra_ioeventfd_store() - does a guest's store signal an eventfd?
 * @vm: the VM
 * @gpa: where it stores
 * @len: 1, 2, 4 or 8
 * @val: the value, zero-extended
 *
 * Return: true when it did, which completes the store.
 */
bool umbra_ioeventfd_store(struct umbra_vm *vm, u64 gpa, unsigned int len, u64 val)
{
	u64 mask = GENMASK_ULL(len * 8 - 1, 0);
	struct umbra_ioeventfd *e;
	bool hit = false;
	int srcu = srcu_read_lock(&vm->slots_srcu);

	list_for_each_entry_srcu(e, &vm->ioeventfds, node,
				 srcu_read_lock_held(&vm->slots_srcu)) {
		if (e->space || e->addr != gpa ||
		    (e->len && e->len != len) ||
		    (!e->wildcard && ((e->match ^ val) & mask)))
			continue;
		eventfd_signal(e->eventfd);
		hit = true;
		break;
	}
	srcu_read_unlock(&vm->slots_srcu, srcu);
	return hit;
}

bool umbra_ioeventfd_at(struct umbra_vm *vm, u64 gpa)
{
	struct umbra_ioeventfd *e;
	bool found = false;
	int srcu = srcu_read_lock(&vm->slots_srcu);

	list_for_each_entry_srcu(e, &vm->ioeventfds, node,
				 srcu_read_lock_held(&vm->slots_srcu))
		found |= !e->space && e->addr == gpa;
	srcu_read_unlock(&vm->slots_srcu, srcu);
	return found;
}

/* The VM goes; nobody else is left. */
void umbra_ioeventfds_destroy(struct umbra_vm *vm)
{
	struct umbra_ioeventfd *e, *next;

	list_for_each_entry_safe(e, next, &vm->ioeventfds, node)
		release(e);
}
