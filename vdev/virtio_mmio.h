/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The register file of a virtio device over MMIO: virtio 1.3, section 4.2, and
 * 4.2.4 for the legacy interface (version 1).
 *
 * Pure: no kernel call, no lock.  The owner (virtio_blk_dev.c, or a unit test)
 * serialises all calls on one struct umbra_virtio, and copies
 * umbra_virtio__irq() to the interrupt line after each call that may have
 * changed it.  What a device does with its queues is the owner's.
 */
#ifndef UMBRA_VIRTIO_MMIO_H
#define UMBRA_VIRTIO_MMIO_H

#include "virtqueue.h"

/* Bytes of address space, as on QEMU's `virt` machine. */
#define UMBRA_VIRTIO_SPAN	0x200

/* 5: device types */
#define UMBRA_VIRTIO_ID_NONE	0	/* an empty slot */
#define UMBRA_VIRTIO_ID_BLOCK	2

/* 6: feature bits that all devices have. */
#define UMBRA_VIRTIO_F_VERSION_1	32

#define UMBRA_VIRTIO_QUEUES	1	/* more than any device here needs */

/**
 * struct umbra_virtio_queue - one queue's registers, and the queue
 * @num: QueueNum, as the driver wrote it
 * @ready: QueueReady; with the legacy interface, QueuePFN is not 0
 * @align: QueueAlign (legacy)
 * @pfn: QueuePFN (legacy)
 * @desc: QueueDesc
 * @driver: QueueDriver
 * @device: QueueDevice
 * @vq: valid while @ready
 */
struct umbra_virtio_queue {
	u32 num;
	bool ready;
	u32 align;
	u32 pfn;
	u64 desc;
	u64 driver;
	u64 device;
	struct umbra_vq vq;
};

/**
 * struct umbra_virtio - all state of one transport
 * @id: device type; UMBRA_VIRTIO_ID_NONE: nothing but the first registers
 * @legacy: version 1
 * @nr_queues: <= UMBRA_VIRTIO_QUEUES
 * @offered: the device's features
 * @features: the driver's; a subset of @offered once accepted
 * @config: device-specific configuration, read-only to the driver
 * @config_len: its length
 * @status: Status
 * @isr: InterruptStatus
 * @device_sel: DeviceFeaturesSel
 * @driver_sel: DriverFeaturesSel
 * @queue_sel: QueueSel
 * @page_size: GuestPageSize (legacy)
 * @queue: the queues
 */
struct umbra_virtio {
	u32 id;
	bool legacy;
	u32 nr_queues;
	u64 offered;
	u64 features;
	const u8 *config;
	u32 config_len;
	u32 status;
	u32 isr;
	u32 device_sel;
	u32 driver_sel;
	u32 queue_sel;
	u32 page_size;
	struct umbra_virtio_queue queue[UMBRA_VIRTIO_QUEUES];
};

/* What a write asks the owner to do. */
enum umbra_virtio_action {
	UMBRA_VIRTIO_NOTHING,
	UMBRA_VIRTIO_NOTIFY,	/* look at the queues */
};

void umbra_virtio__reset(struct umbra_virtio *v);
bool umbra_virtio__legal(u32 offset, unsigned int len);
bool umbra_virtio__disturbs(const struct umbra_virtio *v, u32 offset);
u64 umbra_virtio__read(const struct umbra_virtio *v, u32 offset,
		       unsigned int len);
enum umbra_virtio_action umbra_virtio__write(struct umbra_virtio *v, u32 offset,
					     u32 val);

bool umbra_virtio__irq(const struct umbra_virtio *v);
bool umbra_virtio__running(const struct umbra_virtio *v);
bool umbra_virtio__has(const struct umbra_virtio *v, unsigned int feature);
void umbra_virtio__used(struct umbra_virtio *v);
void umbra_virtio__broken(struct umbra_virtio *v);

#endif /* UMBRA_VIRTIO_MMIO_H */
