// SPDX-License-Identifier: GPL-2.0
/*
 * The MMIO bus of a VM: which device lies where, and who owns which interrupt
 * line.
 *
 * The run loop calls umbra_bus__access() for each MMIO of a vCPU; devices,
 * irqfds and ioctls call umbra_bus__set_irq() from any context; device.c
 * connects devices.
 *
 * A device that is on the bus stays until the VM is gone, so finding one needs
 * RCU only while the map is read, and using it needs nothing.  Writers hold
 * bus->lock.  Lock order: device.h.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "device.h"
#include "plic.h"
#include "range.h"

/**
 * struct umbra_map - one edition of the map; constant once published
 * @rcu: frees it when the next edition is out
 * @nr: elements of @range
 * @range: sorted; the owner is a struct umbra_vdev
 */
struct umbra_map {
	struct rcu_head rcu;
	unsigned int nr;
	struct umbra_range range[];
};

/**
 * struct umbra_bus - all devices of a VM
 * @vm: the VM, which owns the bus
 * @lock: writers of everything here
 * @devices: all of them, live or not
 * @nr: length of @devices
 * @map: where the live ones are; NULL: there are none
 * @irqchip: the live interrupt controller; set once, with release
 * @irqs: lines that belong to a device
 */
struct umbra_bus {
	struct umbra_vm *vm;
	struct mutex lock;	/* writers */
	struct list_head devices;
	unsigned int nr;
	struct umbra_map __rcu *map;
	struct umbra_vdev *irqchip;
	DECLARE_BITMAP(irqs, UMBRA_PLIC_MAX_SOURCES + 1);
};

struct umbra_bus *umbra_bus__create(struct umbra_vm *vm)
{
	struct umbra_bus *bus = kzalloc(sizeof(*bus), GFP_KERNEL_ACCOUNT);

	if (!bus)
		return ERR_PTR(-ENOMEM);
	bus->vm = vm;
	mutex_init(&bus->lock);
	INIT_LIST_HEAD(&bus->devices);
	return bus;
}

void umbra_bus__destroy(struct umbra_bus *bus)
{
	struct umbra_vdev *dev, *next;

	/* First silence all: a timer of one may raise a line of another. */
	list_for_each_entry(dev, &bus->devices, node)
		if (dev->ops->stop)
			dev->ops->stop(dev);
	list_for_each_entry_safe(dev, next, &bus->devices, node) {
		list_del(&dev->node);
		dev->ops->free(dev);
	}
	kfree(rcu_dereference_protected(bus->map, true));
	kfree(bus);
}

static bool has_irqchip(struct umbra_bus *bus)
{
	struct umbra_vdev *dev;

	lockdep_assert_held(&bus->lock);
	list_for_each_entry(dev, &bus->devices, node)
		if (dev->ops->irqchip)
			return true;
	return false;
}

/**
 * umbra_bus__add() - the bus takes ownership of a new device
 * @bus: the bus
 * @dev: the device, not live
 *
 * Return: 0, -EBUSY when there are too many, -EEXIST for a second controller.
 */
int umbra_bus__add(struct umbra_bus *bus, struct umbra_vdev *dev)
{
	int ret = 0;

	mutex_lock(&bus->lock);
	if (bus->nr >= UMBRA_MAX_VDEVS) {
		ret = -EBUSY;
	} else if (dev->ops->irqchip && has_irqchip(bus)) {
		ret = -EEXIST;
	} else {
		list_add_tail(&dev->node, &bus->devices);
		bus->nr++;
	}
	mutex_unlock(&bus->lock);
	return ret;
}

/**
 * umbra_bus__remove() - undo umbra_bus__add()
 * @bus: the bus
 * @dev: the device, which was never live
 */
void umbra_bus__remove(struct umbra_bus *bus, struct umbra_vdev *dev)
{
	mutex_lock(&bus->lock);
	list_del(&dev->node);
	bus->nr--;
	mutex_unlock(&bus->lock);
}

/* May @dev have the line it asks for? */
static int check_irq(struct umbra_bus *bus, struct umbra_vdev *dev)
{
	u64 irq = dev->config[UMBRA_DEV_CONFIG_IRQ];

	lockdep_assert_held(&bus->lock);
	if (!irq)
		return 0;
	if (!bus->irqchip ||
	    irq > bus->irqchip->config[UMBRA_DEV_CONFIG_SOURCES])
		return -ENXIO;
	return test_bit(irq, bus->irqs) ? -EEXIST : 0;
}

/* A copy of @old (NULL: empty) with a range of @dev added, or an ERR_PTR. */
static struct umbra_map *map_add(const struct umbra_map *old,
				 struct umbra_vdev *dev, u64 base, u32 span,
				 u32 offset)
{
	struct umbra_range add = {
		.base = base,
		.last = base + span - 1,
		.owner = dev,
		.offset = offset,
	};
	unsigned int nr = old ? old->nr : 0;
	struct umbra_map *map;
	int ret;

	if (add.last < add.base)
		return ERR_PTR(-EINVAL);

	map = kmalloc(struct_size(map, range, nr + 1), GFP_KERNEL_ACCOUNT);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->nr = nr + 1;
	ret = umbra_range__insert(map->range, old ? old->range : NULL, nr, &add);
	if (ret) {
		kfree(map);
		return ERR_PTR(ret);
	}
	return map;
}

/* The current map with all ranges of @dev added, or an ERR_PTR. */
static struct umbra_map *map_with(struct umbra_bus *bus, struct umbra_vdev *dev)
{
	struct umbra_map *old = rcu_dereference_protected(bus->map,
						lockdep_is_held(&bus->lock));
	u64 second = dev->config[UMBRA_DEV_CONFIG_SSWI];
	struct umbra_map *map, *both;

	map = map_add(old, dev, dev->config[UMBRA_DEV_CONFIG_ADDR],
		      dev->ops->span, 0);
	if (IS_ERR(map) || !second)
		return map;
	both = map_add(map, dev, second, dev->ops->sswi_span, dev->ops->span);
	kfree(map);
	return both;
}

/**
 * umbra_bus__connect() - a device goes live
 * @bus: the bus
 * @dev: the device; its configuration is complete, its lock is held
 *
 * Return: 0, -EINVAL when its range wraps, -EEXIST when range or line belong to
 * another device, -ENXIO when no controller has the line, -ENOMEM.
 */
int umbra_bus__connect(struct umbra_bus *bus, struct umbra_vdev *dev)
{
	struct umbra_map *map, *old;
	int ret;

	lockdep_assert_held(&dev->lock);
	mutex_lock(&bus->lock);
	ret = check_irq(bus, dev);
	if (ret)
		goto out;
	map = map_with(bus, dev);
	if (IS_ERR(map)) {
		ret = PTR_ERR(map);
		goto out;
	}

	__set_bit(dev->config[UMBRA_DEV_CONFIG_IRQ], bus->irqs);
	if (dev->ops->irqchip) {
		/* Pairs with irqchip(): what INIT prepared is visible first. */
		smp_store_release(&bus->irqchip, dev);
	}
	old = rcu_replace_pointer(bus->map, map, lockdep_is_held(&bus->lock));
	if (old)
		kfree_rcu(old, rcu);
out:
	mutex_unlock(&bus->lock);
	return ret;
}

/*
 * The range that overlaps [@base, @last], copied out: the array may go, the
 * owner stays.
 */
static bool lookup(struct umbra_bus *bus, u64 base, u64 last,
		   struct umbra_range *found)
{
	const struct umbra_range *r = NULL;
	struct umbra_map *map;

	rcu_read_lock();
	map = rcu_dereference(bus->map);
	if (map)
		r = umbra_range__find(map->range, map->nr, base, last);
	if (r)
		*found = *r;
	rcu_read_unlock();
	return r;
}

int umbra_bus__access(struct umbra_bus *bus, u64 gpa, unsigned int len,
		      bool write, u64 *val)
{
	u64 last = gpa + len - 1;
	struct umbra_vdev *dev;
	struct umbra_range r;
	u32 offset;
	int ret;

	if (!len || len > 8 || last < gpa || !lookup(bus, gpa, last, &r))
		return -EOPNOTSUPP;
	/* Partly outside, or not naturally aligned: no device takes that. */
	if (gpa < r.base || last > r.last || !is_power_of_2(len) ||
	    !IS_ALIGNED(gpa, len))
		return -EFAULT;

	dev = r.owner;
	offset = gpa - r.base + r.offset;
	if (write) {
		u64 in = *val & GENMASK_ULL(len * 8 - 1, 0);

		return dev->ops->access(dev, offset, len, true, &in);
	}
	*val = 0;
	ret = dev->ops->access(dev, offset, len, false, val);
	*val &= GENMASK_ULL(len * 8 - 1, 0);
	return ret;
}

bool umbra_bus__overlaps(struct umbra_bus *bus, u64 gpa, u64 size)
{
	struct umbra_range r;
	u64 last = gpa + size - 1;

	if (!size)
		return false;
	if (last < gpa)
		last = U64_MAX;
	return lookup(bus, gpa, last, &r);
}

void umbra_bus__time_changed(struct umbra_bus *bus)
{
	struct umbra_map *map;
	unsigned int i;

	rcu_read_lock();
	map = rcu_dereference(bus->map);
	for (i = 0; map && i < map->nr; i++) {
		struct umbra_vdev *dev = map->range[i].owner;

		if (dev->ops->time_changed)
			dev->ops->time_changed(dev);
	}
	rcu_read_unlock();
}

static struct umbra_vdev *irqchip(struct umbra_bus *bus)
{
	/* Pairs with umbra_bus__connect(). */
	return smp_load_acquire(&bus->irqchip);
}

bool umbra_bus__has_irqchip(struct umbra_bus *bus)
{
	return irqchip(bus);
}

int umbra_bus__set_irq(struct umbra_bus *bus, u32 gsi, bool level)
{
	struct umbra_vdev *chip = irqchip(bus);

	return chip ? chip->ops->set_irq(chip, gsi, level) : -ENXIO;
}

int umbra_bus__pulse_irq(struct umbra_bus *bus, u32 gsi)
{
	struct umbra_vdev *chip = irqchip(bus);

	return chip ? chip->ops->pulse_irq(chip, gsi) : -ENXIO;
}
