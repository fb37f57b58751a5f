/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel side's own structures: a VM, a vCPU, and what the files of
 * vmm_core offer each other.
 *
 * Lock order, outermost first:
 *	vm->lock		VM configuration, vCPU creation, memory slots
 *	umbra_vms_lock		the list of all VMs
 *	vcpu->mutex		held by the thread in a vcpu ioctl (KVM_RUN)
 *	vm->sites.add_lock	adding a rewritten site
 *	vm->slots_srcu		read side, which may also be entered under any lock
 *				below: memory slots, ioeventfds, coalesced zones
 *	vm->sites.lock		rewritten sites (rewrite.h)
 *	vcpu->mmu.lock		one vCPU's shadow tables; two are never held
 *	vm->inv.lock		MMU invalidations: which, and their sequence; only
 *				faults that meet one take it
 *	vm->ring_lock		the coalesced ring's end
 *	vm->irqfd_lock		irqfds; taken in any context, innermost
 * Whoever sleeps holds none of the last three.
 */
#ifndef UMBRA_VMM_H
#define UMBRA_VMM_H

#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/refcount.h>
#include <linux/srcu.h>
#include <linux/xarray.h>

#include "cpu.h"
#include "decode.h"
#include "rewrite.h"
#include "switch.h"
#include "../shadow_mmu/shadow_mmu.h"
#include "../uapi/umbra.h"
#include "../vdev/vdev.h"

#define UMBRA_MAX_VCPUS		1024
#define UMBRA_MAX_WINDOWS	64
#define UMBRA_MAX_ROUTES	4096	/* GSIs; KVM's bound */

/* KVM_RISCV_ISA_EXT_*, by number where Linux 6.12's header lacks the name. */
#define UMBRA_ISA_SVADE		64
#define UMBRA_ISA_SVADU		65

/* KVM_RISCV_SBI_EXT_*, likewise. */
#define UMBRA_SBI_EXT_SUSP	11
#define UMBRA_SBI_EXTS		12	/* one more than the last we know */

#define UMBRA_NO_GPA		(~0ULL)

/* vcpu->requests */
#define UMBRA_REQ_MMU_RESET	0	/* drop every shadow table */
#define UMBRA_REQ_SSIP		1	/* another hart raised SSIP */
#define UMBRA_REQ_FENCE		2	/* vcpu->fences has work */
#define UMBRA_REQ_FENCE_I	3	/* fence.i before running on */
#define UMBRA_REQ_TIMER		4	/* the hrtimer fired: look at stimecmp */
#define UMBRA_REQ_LCOFI		6	/* a counter overflowed */
#define UMBRA_REQ_STEAL		5	/* the thread was away: update steal time */

/* vcpu->mode */
#define UMBRA_OUTSIDE		0
#define UMBRA_IN_GUEST		1

/*
 * Exits by reason, counted per vCPU; the names are in stats.c.
 */
enum umbra_stat {
	UMBRA_STAT_EXITS,
	UMBRA_STAT_EXIT_IRQ,
	UMBRA_STAT_EXIT_PAGE_FAULT,
	UMBRA_STAT_EXIT_ILLEGAL,
	UMBRA_STAT_EXIT_BREAKPOINT,
	UMBRA_STAT_EXIT_ECALL,
	UMBRA_STAT_EXIT_OTHER,
	UMBRA_STAT_SHADOW_FILL,
	UMBRA_STAT_SHADOW_SPURIOUS,
	UMBRA_STAT_GUEST_FAULT,
	UMBRA_STAT_SBI,
	UMBRA_STAT_MMIO_KERNEL,
	UMBRA_STAT_MMIO_USER,
	UMBRA_STAT_INJECT_IRQ,
	UMBRA_STAT_INJECT_EXC,
	UMBRA_STAT_EMUL_CSR,
	UMBRA_STAT_EMUL_FENCE,
	UMBRA_STAT_EMUL_SRET,
	UMBRA_STAT_EMUL_MRET,
	UMBRA_STAT_EMUL_WFI,
	UMBRA_STAT_EMUL_TEXT,
	UMBRA_STAT_FW_NOISY,
	UMBRA_STAT_SITE_NEW,
	UMBRA_STAT_SITE_DROP,
	UMBRA_STAT_HOT_LEARN,
	UMBRA_STAT_HOT_FORGET,
	UMBRA_STAT_MMU_RESET,
	UMBRA_STAT_MOVES,
	UMBRA_STAT_HALT,
	UMBRA_STAT_HALT_WAIT,
	/* From here on: counted in the switcher (struct umbra_fast). */
	UMBRA_STAT_FAST_FILL,
	UMBRA_STAT_FAST_LINK,
	UMBRA_STAT_FAST_SPURIOUS,
	UMBRA_STAT_FAST_REFLECT,
	UMBRA_STAT_FAST_FENCE,
	UMBRA_STAT_FAST_SATP,
	UMBRA_STAT_FAST_POST,
	UMBRA_STAT_FAST_IRQ,
	UMBRA_STAT_FAST_ABORT,
#ifdef UMBRA_COUNT
	/* By the switcher, in the order of umbra_switch_counts(). */
	UMBRA_STAT_SW_TRAPS,
	UMBRA_STAT_SW_SATP,
	UMBRA_STAT_SW_FENCES,
#endif
	UMBRA_STAT_NR
};

/* F and D registers of one side, guest or host; layout known to fpv_asm.S. */
struct umbra_fp {
	u64 f[32];
	u64 fcsr;
};

/* Vector registers of one side; layout known to fpv_asm.S. */
struct umbra_v {
	u64 vstart;
	u64 vl;
	u64 vtype;
	u64 vcsr;
	u64 vlenb;
	void *data;		/* 32 * vlenb bytes, NULL without V */
};

/* An MMIO load or store that user space has to complete. */
struct umbra_pending_io {
	enum { UMBRA_IO_NONE, UMBRA_IO_MMIO, UMBRA_IO_SBI } kind;
	struct umbra_insn insn;
	u64 gva;
	u64 value;		/* bytes gathered so far, or to be written */
	unsigned int done;	/* bytes of the access already performed */
	unsigned int part;	/* bytes of the part under way */
	u64 page_gva;		/* where this page is, at @page_gpa; 1: not known */
	u64 page_gpa;
};

/* A fence that another hart asked for; size 0 = everything. */
struct umbra_fence {
	u64 start;
	u64 size;
	u64 asid;
	bool has_asid;
};

#define UMBRA_FENCES	16

/*
 * The reservation of an LR that was emulated.  SC compares the value: memory
 * that changed and changed back is not told apart.
 */
struct umbra_reservation {
	bool valid;
	u64 gpa;
	u64 value;
	unsigned int width;
};

enum umbra_hsm { UMBRA_HSM_STARTED, UMBRA_HSM_STOPPED, UMBRA_HSM_START_PENDING,
		 UMBRA_HSM_SUSPENDED };

/**
 * struct umbra_vcpu - one virtual hart
 * @sw: the switch area; holds the architectural state
 * @cpu: = &sw->cpu
 * @last_hart: host hart it ran on last; elsewhere fence.i is due
 * @requests: UMBRA_REQ_*; set by anyone, taken by the running thread
 * @m: = &sw->machine if the VM has M-mode, else NULL
 * @pins: V_STI, V_SEI, with M-mode V_MSI, V_MTI, V_MEI, as wired; atomic, anyone
 * @mode: UMBRA_IN_GUEST between the last check of @requests and the exit
 * @wait: where a halted vCPU sleeps
 */
struct umbra_vcpu {
	struct umbra_vm *vm;
	u32 id;
	struct mutex mutex;		/* held by the ioctl under way */
	struct kvm_run *run;
	struct umbra_switch *sw;
	u64 sw_va;		/* where the switcher lies in the guest */
	struct umbra_cpu *cpu;
	struct umbra_machine *m;
	struct umbra_hot *hot;
	unsigned int hot_turn;
	u8 hot_link[UMBRA_HOT_ENTRIES];	/* hot_link() in hot.c; 0: none */
	u32 *hot_raw;		/* the instruction that each entry stands for */
	void *sw_area;		/* per-vCPU pages of the switcher (switch.h) */
	struct umbra_mmu mmu;
	struct umbra_cpu_features feat;
	u64 isa[2];		/* bit per KVM_RISCV_ISA_EXT_* */
	u64 satp_mode;		/* widest mode offered */
	u64 sbi_ext;		/* bit per KVM_RISCV_SBI_EXT_* */
	bool ran_once;
	bool sigset_active;
	sigset_t sigset;
	struct kvm_vcpu *stand_in;	/* for xfer_to_guest_mode_handle_work() */

	struct preempt_notifier preempt;
	int host_cpu;
	int last_hart;
	bool fence_i;

	unsigned long requests;
	atomic_long_t pins;
	int mode;
	struct rcuwait wait;

	struct umbra_fp guest_fp;
	struct umbra_fp host_fp;
	struct umbra_v guest_v;
	struct umbra_v no_v;		/* all zero: wipes the registers */
	bool v_live;			/* the registers hold the guest's */

	struct hrtimer timer;
	u64 timer_armed;	/* host time the hrtimer stands for, ~0: none */

	spinlock_t hsm_lock;		/* hsm, start_* */
	enum umbra_hsm hsm;
	u64 start_pc;
	u64 start_opaque;

	spinlock_t fence_lock;		/* fences, nr_fences */
	struct umbra_fence fences[UMBRA_FENCES];
	unsigned int nr_fences;

	struct umbra_pmu *pmu;

	u32 guest_debug;		/* KVM_GUESTDBG_*, 0: nobody watches */
	u16 *step_page;			/* see debug.c; NULL: never stepped */
	u64 step_pc;			/* where its instruction stands */
	unsigned int step_len;		/* bytes of it; 0: nothing laid out */
	bool stepped;			/* a step is over, and not reported yet */

	u64 sta_gpa;			/* steal time; UMBRA_NO_GPA: not asked for */
	struct task_struct *sta_thread;	/* whose sta_delay is; only compared */
	u64 sta_delay;

	struct umbra_pending_io io;
	struct umbra_reservation lr;
	unsigned int fw_tokens;		/* see charge_firmware_trap() */
	u64 idle_mark;			/* see handle_host_irq() */
	unsigned long fw_refill;

	u64 stat[UMBRA_STAT_NR];
};

struct umbra_windows {
	struct rcu_head rcu;
	unsigned int nr;
	struct umbra_mmio_window w[];
};

/**
 * struct umbra_vm - one virtual machine
 * @users: the VM's fd, each vCPU's, each device's
 * @link: in the list of all VMs
 * @mm: the address space that made it; only tasks of it may use the fds
 * @m_mode: its vCPUs have M-mode and start there; fixed once there is one
 * @aliased: some of its memory is mapped twice, here or in another VM: text is
 *	not rewritten, as it would show through the other mapping
 */
struct umbra_vm {
	refcount_t users;
	struct list_head link;
	bool aliased;
	bool m_mode;
	struct mutex lock;		/* configuration; outermost */
	struct mm_struct *mm;
	struct umbra_vcpu *vcpus[UMBRA_MAX_VCPUS];	/* by id */
	struct umbra_vcpu *vcpu_list[UMBRA_MAX_VCPUS];	/* in order of creation */
	unsigned int nr_vcpus;
	u64 time_delta;		/* guest time - host time */

	struct srcu_struct slots_srcu;
	struct umbra_memslots __rcu *slots;
	struct xarray slots_by_id;		/* vm->lock */
	struct rb_root_cached slots_by_hva;	/* umbra_vms_lock */
	struct umbra_windows __rcu *windows;

	struct mmu_notifier mn;
	struct umbra_invalidations inv;
	struct umbra_vm_page *page;	/* what switchers see of the VM */
	spinlock_t known_lock;		/* linking of @known into vCPUs' tables */
	struct umbra_known_gib *known[UMBRA_KNOWN_GIB];	/* see known.c */

	struct umbra_sites sites;
	struct umbra_bus *bus;

	bool manual_dirty_log;		/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */

	struct list_head ioeventfds;	/* vm->lock, slots_srcu */
	unsigned int nr_ioeventfds;
	struct list_head zones;		/* coalesced MMIO; the same */
	unsigned int nr_zones;
	struct kvm_coalesced_mmio_ring *ring;
	spinlock_t ring_lock;		/* ring->last */
	struct list_head irqfds;
	spinlock_t irqfd_lock;		/* irqfds */
	struct umbra_routes __rcu *routes;

	spinlock_t event_lock;		/* event_* */
	u32 event_type;
	u64 event_data;
	bool event_pending;

	unsigned long post_taken;	/* bit 0: page->post belongs to a device */
};

/* --- host.c: facts about this machine, probed at load --------------------- */

/**
 * struct umbra_host - what the module found out about the host
 * @levels: page-table levels the host runs with (3, 4, 5)
 * @satp_mode: its satp.MODE
 * @asids: roots of shadow tables have ASIDs of the hart's.  What is loaded instead of
 *	another needs no fence then; all that is taken from a table does, in all ASIDs.
 *	Guest and host share none: there is a fence of everything between them
 * @full_fences: sfence.vma is to have no operands
 * @isa: extensions a guest may be given, bit per KVM_RISCV_ISA_EXT_*
 */
struct umbra_host {
	int levels;
	u64 satp_mode;
	bool asids;
	bool full_fences;
	u64 isa[2];
	bool fp;
	bool vector;
	bool senvcfg;
	u64 senvcfg_mask;
	unsigned int zicbom_block;
	unsigned int zicboz_block;
	u64 vlenb;
	bool sstc;
	u64 timebase;
	u64 mvendorid;
	u64 marchid;
	u64 mimpid;
};

extern struct umbra_host umbra_host;
extern bool umbra_rewrite_enabled;

int umbra_host_probe(void);
bool umbra_isa_test(const u64 *isa, unsigned int ext);
u64 umbra_default_satp_mode(void);

/* --- probe.c ----------------------------------------------------------------- */

void umbra_probe_delegation(void);

/* --- vm.c ------------------------------------------------------------------ */

int umbra_vm_create(unsigned long type);
/*
 * Slot @was goes, @slot comes (either may be NULL), not yet published: note who
 * else maps the same user memory.
 */
void umbra_vm_slot_hva(struct umbra_vm *vm, struct umbra_memslot *was,
		       struct umbra_memslot *slot);
int umbra_vm_init(void);
void umbra_vm_exit(void);
struct umbra_vcpu *umbra_vm_vcpu(struct umbra_vm *vm, u32 id);
/* Set a request on every vCPU, and wait until each has left the guest. */
void umbra_vm_request_all(struct umbra_vm *vm, unsigned int req);
int umbra_check_extension(struct umbra_vm *vm, long ext);

/* --- vcpu.c ---------------------------------------------------------------- */

int umbra_vcpu_create(struct umbra_vm *vm, u32 id);
void umbra_vcpu_destroy(struct umbra_vcpu *vcpu);
void umbra_vcpu_load(struct umbra_vcpu *vcpu);
void umbra_vcpu_put(struct umbra_vcpu *vcpu);
/* Make it look at its requests soon: wake it, or interrupt it. */
void umbra_vcpu_kick(struct umbra_vcpu *vcpu);
/* The same, and wait until it is outside the guest. */
void umbra_vcpu_kick_wait(struct umbra_vcpu *vcpu);
void umbra_vcpu_request(struct umbra_vcpu *vcpu, unsigned int req);
void umbra_vcpu_set_pin(struct umbra_vcpu *vcpu, u64 pin, bool level);
void umbra_vcpu_reset(struct umbra_vcpu *vcpu);

/* May the switcher deliver ecalls of vU to vS, without M-mode being asked? */
static inline bool umbra_hot_ecall(const struct umbra_vcpu *vcpu)
{
	return !vcpu->m || (vcpu->m->medeleg & BIT(V_EXC_ECALL_U));
}

/* --- run.c ----------------------------------------------------------------- */

int umbra_vcpu_run(struct umbra_vcpu *vcpu);
/* Enabled and pending interrupts, whether or not they can be taken now. */
u64 umbra_irq_enabled(struct umbra_vcpu *vcpu, u64 pending);
/* Raise an exception in the guest at the current pc. */
void umbra_inject(struct umbra_vcpu *vcpu, u64 cause, u64 tval);
/* An ecall is at pc; returns as emulation does. */
int umbra_ecall(struct umbra_vcpu *vcpu);

/* --- emulate.c: privileged instructions ------------------------------------ */

/*
 * Results of emulation: UMBRA_RESUME re-enters the guest, 0 returns to user
 * space with vcpu->run filled in, negative is an errno of KVM_RUN.
 */
#define UMBRA_RESUME	1

int umbra_emulate_system(struct umbra_vcpu *vcpu, const struct umbra_insn *insn);
/* May the CSR be accessed at the current privilege? */
bool umbra_csr_legal(struct umbra_vcpu *vcpu, u16 csr, bool write);
/*
 * The register file of this vCPU, with or without M-mode, without the
 * user-level counters: 0 or -ENOENT.  A write has all its effects.
 */
int umbra_csr_get(struct umbra_vcpu *vcpu, u16 csr, u64 *val);
int umbra_csr_set(struct umbra_vcpu *vcpu, u16 csr, u64 val);
/* wfi: sleep until something is pending, a request comes, or a signal. */
void umbra_vcpu_halt(struct umbra_vcpu *vcpu);
bool umbra_wfi_ready(struct umbra_vcpu *vcpu);
void umbra_inject_illegal(struct umbra_vcpu *vcpu, u32 raw);

/* --- access.c: loads and stores -------------------------------------------- */

/* Fetch the instruction at the guest's pc, original bytes. */
int umbra_fetch(struct umbra_vcpu *vcpu, u32 *raw);
bool umbra_is_wfi(struct umbra_vcpu *vcpu, u64 va);
/* Emulate the access at pc that faulted at @gva: device or rewritten text. */
int umbra_emulate_access(struct umbra_vcpu *vcpu, const struct umbra_fault_info *info);
int umbra_complete_mmio(struct umbra_vcpu *vcpu);
/* umbra_gpa_read(), umbra_gpa_write(), umbra_gpa_range_is_usable(): vdev.h */
/* Is gpa inside the windows user space emulates (or is there no list)? */
bool umbra_gpa_is_memory(struct umbra_vm *vm, u64 gpa);
bool umbra_gpa_range_is_memory(struct umbra_vm *vm, u64 lo, u64 hi, u64 len);
bool umbra_gpa_is_window(struct umbra_vm *vm, u64 gpa, u64 len);

/* --- ioeventfd.c, coalesced.c: stores that need no exit ------------------------ */

int umbra_ioeventfd(struct umbra_vm *vm, const struct kvm_ioeventfd *args);
bool umbra_ioeventfd_store(struct umbra_vm *vm, u64 gpa, unsigned int len, u64 val);
/* May some store to @gpa be one's? */
bool umbra_ioeventfd_at(struct umbra_vm *vm, u64 gpa);
void umbra_ioeventfds_destroy(struct umbra_vm *vm);

int umbra_coalesced_create(struct umbra_vm *vm);
void umbra_coalesced_destroy(struct umbra_vm *vm);
int umbra_coalesced_register(struct umbra_vm *vm,
			     const struct kvm_coalesced_mmio_zone *arg);
int umbra_coalesced_unregister(struct umbra_vm *vm,
			       const struct kvm_coalesced_mmio_zone *arg);
bool umbra_coalesced_store(struct umbra_vm *vm, u64 gpa, unsigned int len, u64 val);

/* --- irqfd.c ------------------------------------------------------------------ */

int umbra_irqfd_init(void);
void umbra_irqfd_exit(void);
void umbra_irqfds_create(struct umbra_vm *vm);
void umbra_irqfds_release(struct umbra_vm *vm);
int umbra_irqfd(struct umbra_vm *vm, const struct kvm_irqfd *args);
int umbra_set_routing(struct umbra_vm *vm, void __user *arg);

/* --- timer.c ----------------------------------------------------------------- */

void umbra_timer_init(struct umbra_vcpu *vcpu);
void umbra_timer_destroy(struct umbra_vcpu *vcpu);
u64 umbra_guest_time(struct umbra_vcpu *vcpu);
/* stimecmp changed: update STIP and the hrtimer. */
void umbra_vm_time_jumped(struct umbra_vm *vm);
void umbra_timer_update(struct umbra_vcpu *vcpu);
/* The same for a vCPU that is about to sleep. */
void umbra_timer_halt(struct umbra_vcpu *vcpu);
/* wfi, while the timer is due soon: true if it is over. */
bool umbra_timer_wait(struct umbra_vcpu *vcpu);
/* Before each entry: what the switcher needs to know. */
void umbra_timer_enter(struct umbra_vcpu *vcpu);
/* A timer interrupt ended the guest; interrupts are still off. */
void umbra_timer_settle(struct umbra_vcpu *vcpu);

/*
 * After a world exit: the switcher may have seen STIP fall.  It did so only where
 * the host's timer was early enough for the new time, or no timer is needed; and
 * nobody but this thread sets the wire.
 */
static inline void umbra_timer_fell(struct umbra_vcpu *vcpu)
{
	if (vcpu->sw->stip_fell) {
		vcpu->sw->stip_fell = 0;
		vcpu->cpu->pins &= ~V_STI;
		atomic_long_fetch_andnot(V_STI, &vcpu->pins);
	}
}

/* --- sbi.c ------------------------------------------------------------------- */

int umbra_sbi_call(struct umbra_vcpu *vcpu);
int umbra_complete_sbi(struct umbra_vcpu *vcpu);
void umbra_sbi_start(struct umbra_vcpu *vcpu);
u64 umbra_sbi_known(void);
u64 umbra_sbi_default(void);
/* Fences queued by other harts; takes them all. */
void umbra_sbi_run_fences(struct umbra_vcpu *vcpu);

/* --- sta.c: steal time ---------------------------------------------------------- */

bool umbra_sta_exists(void);
void umbra_sta_update(struct umbra_vcpu *vcpu);
int umbra_sta_reg(struct umbra_vcpu *vcpu, u64 num, u64 *val, bool set);

/* --- pmu.c: counters --------------------------------------------------------------- */

int umbra_pmu_create(struct umbra_vcpu *vcpu);
void umbra_pmu_destroy(struct umbra_vcpu *vcpu);
void umbra_pmu_tick(struct umbra_vcpu *vcpu);
bool umbra_pmu_read(struct umbra_vcpu *vcpu, u16 csr, u64 *val);
/* Firmware's counters: one more of SBI_PMU_FW_*. */
void umbra_pmu_firmware_event(struct umbra_vcpu *vcpu, unsigned int code);

/* --- debug.c -------------------------------------------------------------------- */

int umbra_set_guest_debug(struct umbra_vcpu *vcpu, const struct kvm_guest_debug *dbg);
bool umbra_debug_ebreak(struct umbra_vcpu *vcpu);

static inline bool umbra_stepping(const struct umbra_vcpu *vcpu)
{
	return vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP;
}

/* A step is over: KVM_EXIT_DEBUG. */
bool umbra_step_report(struct umbra_vcpu *vcpu);
/*
 * Carry out the instruction at pc, or, with vcpu->step_len set, lay it out to
 * be executed by the next entry.  Returns as emulation does.
 */
int umbra_step_begin(struct umbra_vcpu *vcpu);
/* An instruction that stood at @pc is complete if pc is elsewhere now. */
static inline void umbra_step_moved(struct umbra_vcpu *vcpu, u64 pc)
{
	if (umbra_stepping(vcpu) && vcpu->cpu->pc != pc)
		vcpu->stepped = true;
}

/* Right before the guest is entered, and right after it was left. */
void umbra_step_enter(struct umbra_vcpu *vcpu);
void umbra_step_leave(struct umbra_vcpu *vcpu);

/* --- onereg.c ---------------------------------------------------------------- */

int umbra_get_reg(struct umbra_vcpu *vcpu, const struct kvm_one_reg *reg);
int umbra_set_reg(struct umbra_vcpu *vcpu, const struct kvm_one_reg *reg);
int umbra_reg_list(struct umbra_vcpu *vcpu, struct kvm_reg_list __user *list);
void umbra_isa_apply(struct umbra_vcpu *vcpu);

/* --- fpv.c and fpv_asm.S --------------------------------------------------------- */

int umbra_fpv_create(struct umbra_vcpu *vcpu);
void umbra_fpv_destroy(struct umbra_vcpu *vcpu);
void umbra_fpv_load(struct umbra_vcpu *vcpu);
void umbra_fpv_put(struct umbra_vcpu *vcpu);
void umbra_fpv_enter(struct umbra_vcpu *vcpu);
void umbra_fpv_exit(struct umbra_vcpu *vcpu);
u64 umbra_fp_store_value(struct umbra_vcpu *vcpu, const struct umbra_insn *insn);
void umbra_fp_finish_load(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			  u64 raw);
/* fpv_asm.S */
void umbra_fp_save(struct umbra_fp *fp);
void umbra_fp_restore(const struct umbra_fp *fp);
void umbra_v_save(struct umbra_v *v);
void umbra_v_restore(const struct umbra_v *v);

/* --- stats.c ----------------------------------------------------------------- */

int umbra_vcpu_stats_fd(struct umbra_vcpu *vcpu);
int umbra_vm_stats_fd(struct umbra_vm *vm);

static inline void umbra_count(struct umbra_vcpu *vcpu, enum umbra_stat stat)
{
	vcpu->stat[stat]++;
}

#endif /* UMBRA_VMM_H */
