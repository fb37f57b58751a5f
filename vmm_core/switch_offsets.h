/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Offsets that switch_asm.S uses, from the base register (t6) of the switcher.
 *
 * The base is the end of struct umbra_switch = the start of the hot table, so
 * that both are in reach of a 12-bit offset.  switch.c checks every one of
 * these against the C structures at build time.
 */
#ifndef UMBRA_SWITCH_OFFSETS_H
#define UMBRA_SWITCH_OFFSETS_H

#define SW_SIZE			2048

/* struct umbra_cpu */
#define SW_GPR(n)		((n) * 8 - SW_SIZE)
#define SW_PC			(256 - SW_SIZE)
#define SW_SSTATUS		(264 - SW_SIZE)
#define SW_STVEC		(272 - SW_SIZE)
#define SW_SSCRATCH		(280 - SW_SIZE)
#define SW_SEPC			(288 - SW_SIZE)
#define SW_SCAUSE		(296 - SW_SIZE)
#define SW_STVAL		(304 - SW_SIZE)
#define SW_SIE			(320 - SW_SIZE)
#define SW_SOFT_SIP		(328 - SW_SIZE)
#define SW_STIMECMP		(360 - SW_SIZE)
#define SW_PRIV			(368 - SW_SIZE)

/* struct umbra_switch proper */
#define SW_EXIT_SCAUSE		(376 - SW_SIZE)
#define SW_EXIT_STVAL		(384 - SW_SIZE)
#define SW_HW_SSTATUS		(392 - SW_SIZE)
#define SW_FPV_MASK		(400 - SW_SIZE)
#define SW_FPV_WRITABLE		(408 - SW_SIZE)
#define SW_SALT			(416 - SW_SIZE)
#define SW_VEC_U		(424 - SW_SIZE)
#define SW_SALT_S		(432 - SW_SIZE)
#define SW_ROOT_U		(440 - SW_SIZE)
#define SW_ROOT_S		(448 - SW_SIZE)
#define SW_ROOT_SUM		(456 - SW_SIZE)
#define SW_ROOT_PRIV_S		(464 - SW_SIZE)
#define SW_IRQ_PENDING		(472 - SW_SIZE)
#define SW_HOST_SATP		(480 - SW_SIZE)
#define SW_HOST_STVEC		(488 - SW_SIZE)
#define SW_HOST_SP		(496 - SW_SIZE)
#define SW_HOST_SSTATUS		(504 - SW_SIZE)
#define SW_HOST_RETURN		(512 - SW_SIZE)
#define SW_TRAP_VA		(520 - SW_SIZE)
#define SW_ARRIVE_VA		(528 - SW_SIZE)
#define SW_BASE_VA		(536 - SW_SIZE)
#define SW_ENTRY_SATP		(544 - SW_SIZE)
#define SW_HW_SENVCFG		(552 - SW_SIZE)
#define SW_HW_SCOUNTEREN	(560 - SW_SIZE)
#define SW_HOST_SENVCFG		(568 - SW_SIZE)
#define SW_HOST_SCOUNTEREN	(576 - SW_SIZE)
#define SW_NESTED		(584 - SW_SIZE)
#define SW_TIME_OFFSET		(592 - SW_SIZE)
#define SW_SC_SLOT		(600 - SW_SIZE)
#define SW_HAS_SENVCFG		(608 - SW_SIZE)
#define SW_ENVCFG_FLIP		(616 - SW_SIZE)
#define SW_ENVCFG_U		(624 - SW_SIZE)
#define SW_ENVCFG_S		(632 - SW_SIZE)
#define SW_ENVCFG_M		(640 - SW_SIZE)
#define SW_ABORT_VA		(656 - SW_SIZE)
#define SW_SIP			(664 - SW_SIZE)
#define SW_TIMER_ARMED		(672 - SW_SIZE)
#define SW_VEC_S		(680 - SW_SIZE)
#define SW_STIP_FELL		(704 - SW_SIZE)
#define SW_FAST_IRQS		(712 - SW_SIZE)
#define SW_TIMER_HW		(720 - SW_SIZE)
#define SW_DEADLINE		(728 - SW_SIZE)
#define SW_HOST_STIMECMP	(736 - SW_SIZE)

/* struct umbra_machine: a place of its own, so that what is above can grow */
#define SW_MACHINE_ALIGN	1024
#define SW_M_STATUS		(SW_MACHINE_ALIGN - SW_SIZE)
#define SW_M_EPC		(SW_MACHINE_ALIGN + 24 - SW_SIZE)

/* struct umbra_fast (shadow_mmu/fast.h), behind the hot table */
#define FAST_OFFSET		0x20000
#define FAST_BUSY		0
#define FAST_PROBING		4
#define FAST_HOLDING		8
#define FAST_ABORTS		16

/* With UMBRA_COUNT: counters at the end of the area. */
#define SW_COUNT_TRAPS		(-24)	/* traps from the guest, all */
#define SW_COUNT_SATP		(-16)	/* writes of the hardware's satp */
#define SW_COUNT_FENCES		(-8)	/* sfence.vma executed */
#define SW_COUNTS		3

/* struct umbra_hot, one entry of the hot table */
#define HOT_TAG			0
#define HOT_CODE		8
#define HOT_SHIFT		6	/* log2 of its size */
#define HOT_INDEX_BITS		11	/* log2 of the number of entries */
#define HOT_OTHER_SHIFT		12	/* which bits of a tag part its two places */

#endif /* UMBRA_SWITCH_OFFSETS_H */
