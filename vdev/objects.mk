# SPDX-License-Identifier: GPL-2.0
#
# The files of vdev/ that make up umbra.ko; included by the Kbuild above.
# One line per device: its register file (pure) and its place on the bus.

umbra-y += vdev/bus.o vdev/device.o vdev/range.o
umbra-y += vdev/uart16550.o vdev/uart16550_dev.o
umbra-y += vdev/plic.o vdev/plic_dev.o
umbra-y += vdev/goldfish_rtc.o vdev/goldfish_rtc_dev.o
umbra-y += vdev/finisher.o vdev/finisher_dev.o
umbra-y += vdev/aclint.o vdev/aclint_dev.o
umbra-y += vdev/virtqueue.o vdev/virtio_mmio.o
umbra-y += vdev/virtio_blk.o vdev/virtio_blk_dev.o
