// SPDX-License-Identifier: GPL-2.0
/*
 * The device tree of a machine; see fdt.h.
 *
 * Names, compatibles and shapes are those of QEMU's virt machine, so that
 * whatever boots there finds its way here.  libfdt's sequential writer: the
 * tree is written in one go, in order; the first error sticks and is looked
 * at once, at the end.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#include "fdt.h"
#include "flash.h"
#include "fw_cfg.h"

/* Interrupt causes of a hart, as <riscv,cpu-intc> numbers them. */
#define IRQ_M_SOFT	3
#define IRQ_M_TIMER	7
#define IRQ_S_EXT	9
#define IRQ_M_EXT	11

enum {
	PHANDLE_FINISHER = 1,
	PHANDLE_PLIC,
	PHANDLE_CPU0 = 0x100,	/* + 2 * hart; its interrupt controller: + 1 */
};

static u32 phandle_cpu(unsigned int hart)
{
	return PHANDLE_CPU0 + 2 * hart;
}

static u32 phandle_intc(unsigned int hart)
{
	return phandle_cpu(hart) + 1;
}

struct writer {
	void *fdt;
	int err;
};

static void keep(struct writer *w, int err)
{
	if (!w->err)
		w->err = err;
}

static void begin(struct writer *w, const char *fmt, ...)
	__printf(2, 3);

static void begin(struct writer *w, const char *fmt, ...)
{
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (!w->err)
		keep(w, fdt_begin_node(w->fdt, name));
}

static void end(struct writer *w)
{
	if (!w->err)
		keep(w, fdt_end_node(w->fdt));
}

static void prop(struct writer *w, const char *name, const void *val, int len)
{
	if (!w->err)
		keep(w, fdt_property(w->fdt, name, val, len));
}

static void prop_str(struct writer *w, const char *name, const char *val)
{
	prop(w, name, val, (int)strlen(val) + 1);
}

static void prop_u32(struct writer *w, const char *name, u32 val)
{
	if (!w->err)
		keep(w, fdt_property_u32(w->fdt, name, val));
}

static void prop_u64(struct writer *w, const char *name, u64 val)
{
	if (!w->err)
		keep(w, fdt_property_u64(w->fdt, name, val));
}

static void prop_empty(struct writer *w, const char *name)
{
	prop(w, name, "", 0);
}

/* <base size>, two cells each. */
static void prop_reg(struct writer *w, u64 base, u64 size)
{
	fdt64_t reg[2] = { cpu_to_fdt64(base), cpu_to_fdt64(size) };

	prop(w, "reg", reg, sizeof(reg));
}

static void prop_irq(struct writer *w, const struct vdev_desc *d)
{
	prop_u32(w, "interrupt-parent", PHANDLE_PLIC);
	prop_u32(w, "interrupts", d->irq);
}

static void write_chosen(struct writer *w, const struct machine *m)
{
	begin(w, "chosen");
	/* Firmware is not sure to know aliases and options. */
	prop_str(w, "stdout-path",
		 m->m_mode || m->flash ? "/soc/serial@10000000" : "serial0:115200n8");
	if (m->bootargs)
		prop_str(w, "bootargs", m->bootargs);
	if (m->initrd_end > m->initrd_start) {
		prop_u64(w, "linux,initrd-start", m->initrd_start);
		prop_u64(w, "linux,initrd-end", m->initrd_end);
	}
	prop(w, "rng-seed", m->rng_seed, sizeof(m->rng_seed));
	end(w);
}

static void write_aliases(struct writer *w, const struct machine *m)
{
	begin(w, "aliases");
	for (unsigned int i = 0; i < machine_nr_vdevs; i++) {
		const struct vdev_desc *d = &machine_vdevs[i];
		char name[16], path[48];

		if (d->kind != VDEV_UART || !machine_has(m, d))
			continue;
		snprintf(name, sizeof(name), "serial%u", d->index);
		snprintf(path, sizeof(path), "/soc/serial@%" PRIx64, d->base);
		prop_str(w, name, path);
	}
	end(w);
}

static void write_cpu(struct writer *w, const struct machine *m,
		      unsigned int hart, const char *isa, const char *isa_list,
		      int isa_list_len)
{
	const char *mmu = satp_mode_name(m->satp_mode);

	begin(w, "cpu@%x", hart);
	prop_str(w, "device_type", "cpu");
	prop_u32(w, "reg", hart);
	prop_str(w, "status", "okay");
	prop_str(w, "compatible", "riscv");
	prop_str(w, "riscv,isa", isa);
	prop_str(w, "riscv,isa-base", "rv64i");
	prop(w, "riscv,isa-extensions", isa_list, isa_list_len);
	if (mmu) {
		char type[16];

		snprintf(type, sizeof(type), "riscv,%s", mmu);
		prop_str(w, "mmu-type", type);
	}
	if (m->isa.cbom_block)
		prop_u32(w, "riscv,cbom-block-size", m->isa.cbom_block);
	if (m->isa.cboz_block)
		prop_u32(w, "riscv,cboz-block-size", m->isa.cboz_block);
	if (m->isa.cbop_block)
		prop_u32(w, "riscv,cbop-block-size", m->isa.cbop_block);
	prop_u32(w, "phandle", phandle_cpu(hart));

	begin(w, "interrupt-controller");
	prop_u32(w, "#interrupt-cells", 1);
	prop_empty(w, "interrupt-controller");
	prop_str(w, "compatible", "riscv,cpu-intc");
	prop_u32(w, "phandle", phandle_intc(hart));
	end(w);

	end(w);
}

static void write_cpus(struct writer *w, const struct machine *m)
{
	char isa[2048], list[2048];
	int list_len;

	list_len = isa_string_list(&m->isa, list, sizeof(list));
	if (list_len < 0 || isa_string(&m->isa, isa, sizeof(isa))) {
		keep(w, -FDT_ERR_NOSPACE);
		return;
	}

	begin(w, "cpus");
	prop_u32(w, "#address-cells", 1);
	prop_u32(w, "#size-cells", 0);
	prop_u32(w, "timebase-frequency", (u32)m->timebase);

	for (unsigned int i = 0; i < m->nr_cpus; i++)
		write_cpu(w, m, i, isa, list, list_len);

	begin(w, "cpu-map");
	begin(w, "cluster0");
	for (unsigned int i = 0; i < m->nr_cpus; i++) {
		begin(w, "core%u", i);
		prop_u32(w, "cpu", phandle_cpu(i));
		end(w);
	}
	end(w);
	end(w);

	end(w);
}

/*
 * interrupts-extended: for each hart its interrupt @first, unless that is 0,
 * and @second.
 */
static void prop_hart_irqs(struct writer *w, const struct machine *m, u32 first,
			   u32 second)
{
	int cells = (first ? 4 : 2) * (int)m->nr_cpus;
	void *where = NULL;
	fdt32_t *cell;

	if (!w->err)
		keep(w, fdt_property_placeholder(w->fdt, "interrupts-extended",
						 cells * (int)sizeof(fdt32_t),
						 &where));
	if (w->err)
		return;
	cell = where;
	for (unsigned int i = 0; i < m->nr_cpus; i++) {
		if (first) {
			*cell++ = cpu_to_fdt32(phandle_intc(i));
			*cell++ = cpu_to_fdt32(first);
		}
		*cell++ = cpu_to_fdt32(phandle_intc(i));
		*cell++ = cpu_to_fdt32(second);
	}
}

static void write_aclint(struct writer *w, const struct machine *m,
			 const struct vdev_desc *d)
{
	begin(w, "clint@%" PRIx64, d->base);
	prop(w, "compatible", "sifive,clint0\0riscv,clint0",
	     sizeof("sifive,clint0\0riscv,clint0"));
	prop_reg(w, d->base, d->size);
	prop_hart_irqs(w, m, IRQ_M_SOFT, IRQ_M_TIMER);
	end(w);
}

static void write_plic(struct writer *w, const struct machine *m,
		       const struct vdev_desc *d)
{
	begin(w, "plic@%" PRIx64, d->base);
	prop(w, "compatible", "sifive,plic-1.0.0\0riscv,plic0",
	     sizeof("sifive,plic-1.0.0\0riscv,plic0"));
	prop_reg(w, d->base, d->size);
	prop_u32(w, "#interrupt-cells", 1);
	prop_u32(w, "#address-cells", 0);
	prop_empty(w, "interrupt-controller");
	prop_u32(w, "riscv,ndev", PLIC_SOURCES);
	/* In the order of its contexts. */
	prop_hart_irqs(w, m, m->m_mode ? IRQ_M_EXT : 0, IRQ_S_EXT);
	prop_u32(w, "phandle", PHANDLE_PLIC);
	end(w);
}

static void write_finisher(struct writer *w, const struct vdev_desc *d)
{
	static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";

	begin(w, "test@%" PRIx64, d->base);
	prop(w, "compatible", compatible, sizeof(compatible));
	prop_reg(w, d->base, d->size);
	prop_u32(w, "phandle", PHANDLE_FINISHER);
	end(w);
}

static void write_rtc(struct writer *w, const struct vdev_desc *d)
{
	begin(w, "rtc@%" PRIx64, d->base);
	prop_str(w, "compatible", "google,goldfish-rtc");
	prop_reg(w, d->base, d->size);
	prop_irq(w, d);
	end(w);
}

static void write_uart(struct writer *w, const struct vdev_desc *d)
{
	begin(w, "serial@%" PRIx64, d->base);
	prop_str(w, "compatible", "ns16550a");
	prop_reg(w, d->base, d->size);
	prop_u32(w, "clock-frequency", UART_CLOCK);
	prop_irq(w, d);
	end(w);
}

static void write_virtio(struct writer *w, const struct vdev_desc *d)
{
	begin(w, "virtio_mmio@%" PRIx64, d->base);
	prop_str(w, "compatible", "virtio,mmio");
	prop_reg(w, d->base, d->size);
	prop_irq(w, d);
	end(w);
}

static void write_soc(struct writer *w, const struct machine *m)
{
	begin(w, "soc");
	prop_u32(w, "#address-cells", 2);
	prop_u32(w, "#size-cells", 2);
	prop_str(w, "compatible", "simple-bus");
	prop_empty(w, "ranges");

	for (unsigned int i = 0; i < machine_nr_vdevs; i++) {
		const struct vdev_desc *d = &machine_vdevs[i];

		if (!machine_has(m, d))
			continue;
		switch (d->kind) {
		case VDEV_PLIC:
			write_plic(w, m, d);
			break;
		case VDEV_ACLINT:
			write_aclint(w, m, d);
			break;
		case VDEV_FINISHER:
			write_finisher(w, d);
			break;
		case VDEV_RTC:
			write_rtc(w, d);
			break;
		case VDEV_UART:
			write_uart(w, d);
			break;
		case VDEV_VIRTIO:
			/* An empty slot would only be looked at in vain. */
			if (d->index < m->nr_disks)
				write_virtio(w, d);
			break;
		}
	}
	end(w);
}

static void write_fw_cfg(struct writer *w)
{
	begin(w, "fw-cfg@%llx", FW_CFG_BASE);
	prop_str(w, "compatible", "qemu,fw-cfg-mmio");
	prop_reg(w, FW_CFG_BASE, FW_CFG_SIZE);
	prop_empty(w, "dma-coherent");
	end(w);
}

static void write_flash(struct writer *w)
{
	fdt64_t reg[2 * FLASH_BANKS];

	for (unsigned int i = 0; i < FLASH_BANKS; i++) {
		reg[2 * i] = cpu_to_fdt64(FLASH_BASE + i * FLASH_SIZE);
		reg[2 * i + 1] = cpu_to_fdt64(FLASH_SIZE);
	}
	begin(w, "flash@%llx", FLASH_BASE);
	prop_str(w, "compatible", "cfi-flash");
	prop(w, "reg", reg, sizeof(reg));
	prop_u32(w, "bank-width", 4);
	end(w);
}

/* Write @value to the finisher to power off, or to reset. */
static void write_power(struct writer *w, const char *name,
			const char *compatible, u32 value)
{
	begin(w, "%s", name);
	prop_str(w, "compatible", compatible);
	prop_u32(w, "regmap", PHANDLE_FINISHER);
	prop_u32(w, "offset", 0);
	prop_u32(w, "value", value);
	end(w);
}

size_t fdt_bound(const struct machine *m)
{
	size_t args = m->bootargs ? strlen(m->bootargs) : 0;

	/* A cpu node is at most two ISA strings (2 KiB each) and 1 KiB more. */
	return ALIGN_UP(16 * KIB + args + m->nr_cpus * 5 * KIB, 4 * KIB);
}

int fdt_build(const struct machine *m, void *buf, size_t size)
{
	struct writer writer = { .fdt = buf }, *w = &writer;

	if (size > INT32_MAX)
		return -FDT_ERR_BADVALUE;

	keep(w, fdt_create(buf, (int)size));
	if (!w->err)
		keep(w, fdt_finish_reservemap(buf));

	begin(w, "%s", "");
	prop_u32(w, "#address-cells", 2);
	prop_u32(w, "#size-cells", 2);
	prop_str(w, "compatible", "riscv-virtio");
	prop_str(w, "model", "riscv-virtio,umbra");
	write_chosen(w, m);
	write_aliases(w, m);
	begin(w, "memory@%llx", RAM_BASE);
	prop_str(w, "device_type", "memory");
	prop_reg(w, RAM_BASE, m->ram_size);
	end(w);
	write_cpus(w, m);
	if (m->fw_cfg)
		write_fw_cfg(w);
	if (m->flash)
		write_flash(w);
	write_soc(w, m);
	write_power(w, "poweroff", "syscon-poweroff", FINISHER_PASS);
	write_power(w, "reboot", "syscon-reboot", FINISHER_RESET);
	end(w);

	if (!w->err)
		keep(w, fdt_finish(buf));
	return w->err;
}

const char *fdt_error(int err)
{
	return fdt_strerror(err);
}
