// SPDX-License-Identifier: GPL-2.0
/*
 * irqfd: a signal on an eventfd becomes an interrupt of the guest, without
 * anybody entering the kernel for it (KVM_IRQFD); and the table that says which
 * pin of the in-kernel interrupt controller a GSI is (KVM_SET_GSI_ROUTING).
 *
 * Without a table, GSI n is pin n.  The table is looked up under RCU from any
 * context.  KVM_IRQ_LINE names a pin, not a GSI, as in KVM's RISC-V port.
 *
 * An irqfd ends by an ioctl, by the last close of its eventfd (EPOLLHUP), or
 * with its VM's descriptor.  Whoever takes it off vm->irqfds, under
 * vm->irqfd_lock, queues its shutdown; the work alone frees it.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "vmm.h"

/* KVM's bound. */
#define MAX_PINS	1024
#define NO_PIN		(~0U)

/* --- GSIs --------------------------------------------------------------------------- */

struct umbra_routes {
	struct rcu_head rcu;
	unsigned int nr;
	u32 pin[] __counted_by(nr);	/* by GSI */
};

/* Called under RCU. */
static u32 pin_of(struct umbra_vm *vm, u32 gsi)
{
	struct umbra_routes *routes = rcu_dereference(vm->routes);

	if (!routes)
		return gsi;
	return gsi < routes->nr ? routes->pin[gsi] : NO_PIN;
}

static int check_route(const struct kvm_irq_routing_entry *e)
{
	/* No MSI without an IMSIC. */
	if (e->type != KVM_IRQ_ROUTING_IRQCHIP || e->flags)
		return -EINVAL;
	if (e->gsi >= UMBRA_MAX_ROUTES || e->u.irqchip.irqchip ||
	    e->u.irqchip.pin >= MAX_PINS)
		return -EINVAL;
	return 0;
}

static struct umbra_routes *read_routes(const struct kvm_irq_routing_entry *e,
					unsigned int nr)
{
	struct umbra_routes *routes;
	unsigned int size = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (check_route(&e[i]))
			return ERR_PTR(-EINVAL);
		size = max(size, e[i].gsi + 1);
	}
	routes = kvzalloc(struct_size(routes, pin, size), GFP_KERNEL_ACCOUNT);
	if (!routes)
		return ERR_PTR(-ENOMEM);
	routes->nr = size;
	for (unsigned int i = 0; i < size; i++)
		routes->pin[i] = NO_PIN;
	for (unsigned int i = 0; i < nr; i++) {
		/* One pin a GSI. */
		if (routes->pin[e[i].gsi] != NO_PIN) {
			kvfree(routes);
			return ERR_PTR(-EINVAL);
		}
		routes->pin[e[i].gsi] = e[i].u.irqchip.pin;
	}
	return routes;
}

/**
 * umbra_set_routing() - KVM_SET_GSI_ROUTING
 * @vm: the VM; vm->lock held
 * @arg: &struct kvm_irq_routing, in user space; replaces the previous table
 *
 * Return: 0, -EFAULT, -EINVAL (no interrupt controller, flags, too many, an
 * entry that is not a pin of it, two for one GSI), -ENOMEM.
 */
int umbra_set_routing(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_irq_routing_entry *entries;
	struct umbra_routes *new, *old;
	struct kvm_irq_routing head;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (!umbra_bus__has_irqchip(vm->bus) || head.nr > UMBRA_MAX_ROUTES || head.flags)
		return -EINVAL;
	entries = vmemdup_array_user(arg + sizeof(head), head.nr, sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	new = read_routes(entries, head.nr);
	kvfree(entries);
	if (IS_ERR(new))
		return PTR_ERR(new);
	old = rcu_replace_pointer(vm->routes, new, lockdep_is_held(&vm->lock));
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

/* --- irqfds ------------------------------------------------------------------------- */

/**
 * struct umbra_irqfd - one eventfd that interrupts
 * @node: in vm->irqfds; empty once it is on its way out
 * @vm: whose; outlives it
 * @eventfd: what is waited for; we hold a reference
 * @gsi: what it raises
 * @wait: our place in the eventfd's wait queue
 * @table: how vfs_poll() finds us
 * @shutdown: leaves that, and frees
 */
struct umbra_irqfd {
	struct list_head node;
	struct umbra_vm *vm;
	struct eventfd_ctx *eventfd;
	u32 gsi;
	wait_queue_entry_t wait;
	poll_table table;
	struct work_struct shutdown;
};

static struct workqueue_struct *irqfd_wq;

static void irqfd_shutdown(struct work_struct *work)
{
	struct umbra_irqfd *irqfd = container_of(work, struct umbra_irqfd, shutdown);
	u64 count;

	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
}

/* vm->irqfd_lock held. */
static void deactivate(struct umbra_irqfd *irqfd)
{
	list_del_init(&irqfd->node);
	queue_work(irqfd_wq, &irqfd->shutdown);
}

static void pulse(struct umbra_irqfd *irqfd)
{
	u32 pin;

	rcu_read_lock();
	pin = pin_of(irqfd->vm, irqfd->gsi);
	rcu_read_unlock();
	if (pin != NO_PIN)
		umbra_bus__pulse_irq(irqfd->vm->bus, pin);
}

/* From whoever signals, in any context, the wait queue's lock held. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync,
			void *key)
{
	struct umbra_irqfd *irqfd = container_of(wait, struct umbra_irqfd, wait);
	struct umbra_vm *vm = irqfd->vm;
	__poll_t flags = key_to_poll(key);
	unsigned long irq;
	u64 count;
	int ret = 0;

	if (flags & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		pulse(irqfd);
		ret = 1;
	}
	if (flags & EPOLLHUP) {
		spin_lock_irqsave(&vm->irqfd_lock, irq);
		if (!list_empty(&irqfd->node))
			deactivate(irqfd);
		spin_unlock_irqrestore(&vm->irqfd_lock, irq);
	}
	return ret;
}

static void irqfd_enqueue(struct file *file, wait_queue_head_t *head,
			  poll_table *table)
{
	struct umbra_irqfd *irqfd = container_of(table, struct umbra_irqfd, table);

	/* Before readers: the count is ours. */
	add_wait_queue_priority(head, &irqfd->wait);
}

/* On vm->irqfds, unless another irqfd has the eventfd. */
static int publish(struct umbra_vm *vm, struct umbra_irqfd *irqfd)
{
	struct umbra_irqfd *other;
	int ret = 0;

	spin_lock_irq(&vm->irqfd_lock);
	list_for_each_entry(other, &vm->irqfds, node)
		if (other->eventfd == irqfd->eventfd)
			ret = -EBUSY;
	if (!ret)
		list_add_tail(&irqfd->node, &vm->irqfds);
	spin_unlock_irq(&vm->irqfd_lock);
	return ret;
}

static int assign(struct umbra_vm *vm, struct file *file, u32 gsi)
{
	struct umbra_irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!irqfd)
		return -ENOMEM;
	irqfd->vm = vm;
	irqfd->gsi = gsi;
	INIT_WORK(&irqfd->shutdown, irqfd_shutdown);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->table, irqfd_enqueue);
	irqfd->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(irqfd->eventfd)) {
		ret = PTR_ERR(irqfd->eventfd);
		kfree(irqfd);
		return ret;
	}
	ret = publish(vm, irqfd);
	if (ret) {
		eventfd_ctx_put(irqfd->eventfd);
		kfree(irqfd);
		return ret;
	}
	/* What was signalled before we were there. */
	if (vfs_poll(file, &irqfd->table) & EPOLLIN)
		pulse(irqfd);
	return 0;
}

static int deassign(struct umbra_vm *vm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
	struct umbra_irqfd *irqfd, *next;

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	spin_lock_irq(&vm->irqfd_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, node)
		if (irqfd->eventfd == eventfd && irqfd->gsi == args->gsi)
			deactivate(irqfd);
	spin_unlock_irq(&vm->irqfd_lock);
	eventfd_ctx_put(eventfd);
	/* Once we return it interrupts no more. */
	flush_workqueue(irqfd_wq);
	return 0;
}

/**
 * umbra_irqfd() - KVM_IRQFD
 * @vm: the VM; vm->lock held, and its descriptor open
 * @args: what to add or remove
 *
 * Return: 0, also when there was none to remove; -EINVAL (flags, RESAMPLE
 * among them, a GSI that is too large, an fd that is no eventfd), -EAGAIN (no
 * interrupt controller yet), -EBADF, -EBUSY (the eventfd has an irqfd), -ENOMEM.
 */
int umbra_irqfd(struct umbra_vm *vm, const struct kvm_irqfd *args)
{
	struct file *file;
	int ret;

	if (args->flags & ~KVM_IRQFD_FLAG_DEASSIGN)
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return deassign(vm, args);
	if (args->gsi >= UMBRA_MAX_ROUTES)
		return -EINVAL;
	if (!umbra_bus__has_irqchip(vm->bus))
		return -EAGAIN;
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	ret = assign(vm, file, args->gsi);
	fput(file);
	return ret;
}

/* The VM's descriptor is closed: no more irqfds come, and these end. */
void umbra_irqfds_release(struct umbra_vm *vm)
{
	struct umbra_irqfd *irqfd, *next;

	spin_lock_irq(&vm->irqfd_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, node)
		deactivate(irqfd);
	spin_unlock_irq(&vm->irqfd_lock);
	flush_workqueue(irqfd_wq);
}

void umbra_irqfds_create(struct umbra_vm *vm)
{
	INIT_LIST_HEAD(&vm->irqfds);
	spin_lock_init(&vm->irqfd_lock);
}

int umbra_irqfd_init(void)
{
	irqfd_wq = alloc_workqueue("umbra-irqfd", WQ_UNBOUND, 0);
	return irqfd_wq ? 0 : -ENOMEM;
}

void umbra_irqfd_exit(void)
{
	destroy_workqueue(irqfd_wq);
}
