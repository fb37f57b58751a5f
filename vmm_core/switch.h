/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The switcher: the few pages of supervisor code and data that live in the
 * guest's address space, and the way into it and out of it.
 *
 *	host address space          |  every shadow address space of this vCPU
 *	                            |
 *	umbra_switch_enter() --satp-|--> arrive --sret--> guest (U-mode)
 *	                            |                        | trap
 *	                            |        hot stub <------+
 *	                            |           +--sret--> guest
 *	umbra_switch_return <--satp-|--- world exit
 *
 * Neither side's text is mapped in the other: writing satp makes the next
 * fetch fault, and stvec, set just before, says where to go on.  So the
 * switcher can lie at any address of a shadow table, one that the host never
 * executes, and can be moved when the guest maps something there.
 */
#ifndef UMBRA_SWITCH_H
#define UMBRA_SWITCH_H

#include "cpu.h"
#include "decode.h"
#include "machine.h"
#include "switch_offsets.h"

#define HOT_INSNS	(((1 << HOT_SHIFT) - HOT_CODE) / 4)
/* No pc is odd. */
#define HOT_EMPTY	1

/*
 * What fast.c does several of at once: such an entry has a note in its last word,
 * where others have nothing or an instruction, whose low bits are 3.
 */
enum umbra_hot_kind {
	UMBRA_HOT_FENCE = 4,	/* regs: rs1 | rs2 << 5 */
	UMBRA_HOT_SATP = 8,	/* csrw satp, regs */
};

#define HOT_NOTE(kind, regs)	((kind) | (u32)(regs) << 8)

/* One entry of the hot table: what a rewritten site does (hot.c). */
struct umbra_hot {
	u64 tag;	/* pc ^ salt of the address space; or HOT_EMPTY */
	u32 code[HOT_INSNS];
};

static inline bool umbra_hot_is(const struct umbra_hot *hot, enum umbra_hot_kind kind)
{
	return (hot->code[HOT_INSNS - 1] & 0xff) == kind;
}

static inline unsigned int umbra_hot_regs(const struct umbra_hot *hot)
{
	return hot->code[HOT_INSNS - 1] >> 8;
}

#define UMBRA_HOT_ENTRIES	BIT(HOT_INDEX_BITS)

/*
 * Where an entry may lie: first where the offset in its page says, so that the
 * sites of one page do not meet; or elsewhere, in another place for each page, so
 * that sites which share the first seldom share the second.
 */
static inline unsigned int umbra_hot_index(u64 tag, bool other)
{
	u64 index = tag >> 1;

	if (other)
		index ^= tag >> HOT_OTHER_SHIFT;
	return index & (UMBRA_HOT_ENTRIES - 1);
}

/*
 * Shared between C and switch_asm.S; see switch_offsets.h.  Never mappable by user
 * space or guest: it holds host addresses.
 */
struct umbra_switch {
	struct umbra_cpu cpu;
	u64 exit_scause;
	u64 exit_stval;
	u64 hw_sstatus;
	u64 fpv_mask;
	u64 fpv_writable;
	u64 salt;	/* of vM or of vS; in vU of the vS below */
	u64 vec_u;	/* stvec for vU */
	u64 salt_s;
	u64 root_u;
	u64 root_s;
	u64 root_sum;
	u64 root_priv_s;
	u64 irq_pending;
	u64 host_satp;
	u64 host_stvec;
	u64 host_sp;
	u64 host_sstatus;
	u64 host_return;
	u64 trap_va;	/* stvec as it is now */
	u64 arrive_va;
	u64 base_va;
	u64 entry_satp;
	u64 hw_senvcfg;
	u64 hw_scounteren;
	u64 host_senvcfg;
	u64 host_scounteren;
	u64 nested;
	u64 time_offset;
	u64 sc_slot;
	u64 has_senvcfg;
	u64 envcfg_flip;	/* vU and vS need different senvcfg */
	u64 envcfg_u;
	u64 envcfg_s;
	u64 envcfg_m;
	u64 salt_m;
	u64 abort_va;
	u64 sip;		/* pending interrupts, as of the last entry */
	u64 timer_armed;	/* vcpu->timer_armed, as of the last entry */
	u64 vec_s;	/* stvec for vS: one of the next two */
	u64 vec_shared;	/* salt_s is 0 */
	u64 vec_salted;	/* it is not; and for vM */
	u64 stip_fell;	/* V_STI: the guest moved stimecmp on, and STIP with it */
	u64 fast_irqs;	/* interrupts taken in the switcher */
	u64 timer_hw;	/* the hart's stimecmp stands for the guest's, too */
	u64 deadline;	/* and so it does from entry on, unless the host's is earlier */
	u64 host_stimecmp;
	u64 hot_changes;	/* of entries of the hot table, and of whose they are */
	u64 asids;	/* umbra_host.asids */
	struct umbra_machine machine __aligned(SW_MACHINE_ALIGN);
};

struct umbra_vcpu;

/*
 * Placement inside the slot of the root table that the switcher owns: text
 * first, then the per-vCPU page (the lower half of it is the stack of fast.c),
 * the hot table, struct umbra_fast, the heads of the reverse map and those of
 * the hash of shadow pages.  The rest of the slot is shadow_mmu/fast.h's.
 */
#define UMBRA_SW_TEXT_PAGES	5
#define UMBRA_SW_HOT_PAGES	((UMBRA_HOT_ENTRIES << HOT_SHIFT) / 4096)
#define UMBRA_SW_FAST_PAGES	10
#define UMBRA_SW_RMAP_PAGES	32
#define UMBRA_SW_HASH_PAGES	1
#define UMBRA_SW_DATA_PAGES	(1 + UMBRA_SW_HOT_PAGES + UMBRA_SW_FAST_PAGES + \
				 UMBRA_SW_RMAP_PAGES + UMBRA_SW_HASH_PAGES)
#define UMBRA_SW_PAGES		(UMBRA_SW_TEXT_PAGES + UMBRA_SW_DATA_PAGES)

/* Module load and unload: copies the text into pages of its own. */
int umbra_switch_init(void);
void umbra_switch_exit(void);

/* Per vCPU: data pages; the page tables that map them are shadow_mmu's. */
int umbra_switch_create(struct umbra_vcpu *vcpu);
void umbra_switch_destroy(struct umbra_vcpu *vcpu);
/* Physical page @n (0 .. UMBRA_SW_PAGES - 1) in order of placement. */
phys_addr_t umbra_switch_page(struct umbra_vcpu *vcpu, unsigned int n);
/* Is it executed and only read there: text, or the hot table? */
static inline bool umbra_switch_page_is_text(unsigned int n)
{
	return n != UMBRA_SW_TEXT_PAGES &&
	       n < UMBRA_SW_TEXT_PAGES + 1 + UMBRA_SW_HOT_PAGES;
}

/* The switcher now lies at @va; drops the hot table, whose entries name it. */
void umbra_switch_place(struct umbra_vcpu *vcpu, u64 va);

/* Address of a label of switch_asm.S in the guest's address space. */
u64 umbra_switch_label(struct umbra_vcpu *vcpu, const char *label);

/* hot.c: forget every hot entry. */
void umbra_switch_forget(struct umbra_vcpu *vcpu);
/*
 * Make @insn at @pc hot, if that is possible; true: it was not yet.  Only in a
 * free place unless it is @wanted.
 */
bool umbra_switch_learn(struct umbra_vcpu *vcpu, u64 pc,
			const struct umbra_insn *insn, bool wanted);
/* The instruction of the hot entry that the current mode has for @pc, if any. */
bool umbra_switch_hot(struct umbra_vcpu *vcpu, u64 pc, u32 *raw);

/* shadow_mmu/fast.c: called by the blob, in the guest's address space. */
u64 umbra_sw_fault(struct umbra_switch *sw);
u64 umbra_sw_fence(struct umbra_switch *sw, u64 rs1, u64 rs2);
u64 umbra_sw_satp(struct umbra_switch *sw, u64 satp);

/* SW_COUNTS counters of a module that was built with UMBRA_COUNT. */
static inline const u64 *umbra_switch_counts(const struct umbra_switch *sw)
{
	return (const u64 *)((const char *)sw + SW_SIZE) - SW_COUNTS;
}

/* The same for fast.c; @slot is SW_COUNT_*. */
static inline void umbra_switch_count(struct umbra_switch *sw, int slot)
{
#ifdef UMBRA_COUNT
	++*(u64 *)((char *)sw + SW_SIZE + slot);
#endif
}

/* switch_asm.S: the way in, the blob, and what hot entries call in it. */
void umbra_switch_enter(struct umbra_switch *sw);
extern const char umbra_sw_start[], umbra_sw_end[];
/* Instructions in it that ASIDs make superfluous; sfence.vma with operands. */
extern const char *const umbra_view_fences[], *const umbra_view_fences_end[];
extern const char *const umbra_selective_fences[], *const umbra_selective_fences_end[];
extern const char umbra_sw_arrive[], umbra_sw_abort[];
extern const char umbra_sw_trap_u[], umbra_sw_trap_s[], umbra_sw_trap_salted[];
extern const char umbra_sw_done[], umbra_sw_bail[];
extern const char umbra_sw_sstatus_or[], umbra_sw_sstatus_andn[];
extern const char umbra_sw_sstatus_set[], umbra_sw_sstatus_clear[];
extern const char umbra_sw_sstatus_swap[];
extern const char umbra_sw_mstatus_set[], umbra_sw_mstatus_clear[];
extern const char umbra_sw_mstatus_swap[];
extern const char umbra_sw_sie_or[], umbra_sw_sie_andn[], umbra_sw_sie_swap[];
extern const char umbra_sw_sret[], umbra_sw_mret[], umbra_sw_stimecmp[];
extern const char umbra_sw_irq[];
extern const char umbra_sw_satp_write[], umbra_sw_sfence[], umbra_sw_stvec[];

#endif /* UMBRA_SWITCH_H */
