/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The register file of a platform-level interrupt controller, as QEMU's `virt`
 * machine presents it ("sifive,plic-1.0.0").
 *
 * Pure: no kernel call, no lock.  The owner (plic_dev.c, or a unit test)
 * serialises all calls on one struct umbra_plic; the set_pin callback runs
 * inside them.
 *
 * Sections are those of the RISC-V Platform-Level Interrupt Controller
 * Specification 1.0.0.
 */
#ifndef UMBRA_PLIC_H
#define UMBRA_PLIC_H

#include "../vmm_core/base.h"

#define UMBRA_PLIC_MAX_SOURCES	1023
#define UMBRA_PLIC_MAX_CONTEXTS	1024
#define UMBRA_PLIC_WORDS	32	/* of 32 sources each, source 0 included */
/* Priorities 0 ("never") to 7, as on `virt`; a power of two. */
#define UMBRA_PLIC_PRIORITIES	8

/*
 * Bytes of address space.  QEMU's for `virt`, whatever the number of harts:
 * registers of contexts that do not exist read zero and ignore writes.
 */
#define UMBRA_PLIC_SPAN		(0x200000 + UMBRA_PLIC_MAX_CONTEXTS * 0x1000)

/**
 * struct umbra_plic_context - one interrupt target
 * @enable: which sources it listens to; never source 0
 * @threshold: only higher priorities raise the pin
 * @pin: the level last passed to set_pin
 */
struct umbra_plic_context {
	u32 enable[UMBRA_PLIC_WORDS];
	u8 threshold;
	bool pin;
};

/**
 * struct umbra_plic - all state of one controller
 * @sources: highest source number, 1..UMBRA_PLIC_MAX_SOURCES
 * @contexts: number of elements of @context
 * @set_pin: told when a context's external interrupt pin changes
 * @opaque: its first argument
 * @priority: per source, < UMBRA_PLIC_PRIORITIES
 * @level: the wires.  Gateway state
 * @claimed: requests that were claimed and not completed.  Gateway state
 * @latched: edges seen while claimed.  Gateway state
 * @pending: the IP bits.  A source is never both pending and claimed
 * @ready: @pending, sorted by priority; @ready[0] is not used
 * @ready_words: bit w set: @ready[priority][w] is not 0
 * @context: the targets
 */
struct umbra_plic {
	u32 sources;
	u32 contexts;
	void (*set_pin)(void *opaque, u32 context, bool level);
	void *opaque;
	u8 priority[UMBRA_PLIC_MAX_SOURCES + 1];
	u32 level[UMBRA_PLIC_WORDS];
	u32 claimed[UMBRA_PLIC_WORDS];
	u32 latched[UMBRA_PLIC_WORDS];
	u32 pending[UMBRA_PLIC_WORDS];
	u32 ready[UMBRA_PLIC_PRIORITIES][UMBRA_PLIC_WORDS];
	u32 ready_words[UMBRA_PLIC_PRIORITIES];
	struct umbra_plic_context context[];
};

size_t umbra_plic__bytes(u32 contexts);
int umbra_plic__init(struct umbra_plic *p, u32 sources, u32 contexts,
		     void (*set_pin)(void *opaque, u32 context, bool level),
		     void *opaque);

int umbra_plic__set_level(struct umbra_plic *p, u32 source, bool level);
int umbra_plic__pulse(struct umbra_plic *p, u32 source);

u32 umbra_plic__read(struct umbra_plic *p, u32 offset);
void umbra_plic__write(struct umbra_plic *p, u32 offset, u32 val);

#endif /* UMBRA_PLIC_H */
