// SPDX-License-Identifier: GPL-2.0
/*
 * Whose floating-point and vector registers are in the hardware, and when.
 *
 * F and D: the guest's from umbra_vcpu_load() to umbra_vcpu_put() (preempt
 * notifiers included), so that the guest may turn FS on without asking; the
 * host task's own are kept here meanwhile.  The kernel uses none in between.
 *
 * V: a softirq of the host may use vector registers at any time in the run
 * loop, so the guest's are saved at each exit with VS dirty, before interrupts
 * come on, and restored at each entry with VS on; the switcher leaves for the
 * run loop whenever the guest writes VS, so that dirty is never missed.  The
 * host task's own need no care: they are undefined after a system call.
 */
#include <linux/slab.h>

#include "rmem.h"
#include "vmm.h"

/* vtype at reset: vill. */
#define RESET_VTYPE	BIT_ULL(63)

int umbra_fpv_create(struct umbra_vcpu *vcpu)
{
	if (!umbra_host.vector)
		return 0;
	vcpu->guest_v.vtype = RESET_VTYPE;
	vcpu->guest_v.vlenb = umbra_host.vlenb;
	vcpu->guest_v.data = kzalloc(32 * umbra_host.vlenb, GFP_KERNEL_ACCOUNT);
	vcpu->no_v = vcpu->guest_v;
	vcpu->no_v.data = kzalloc(32 * umbra_host.vlenb, GFP_KERNEL_ACCOUNT);
	return vcpu->guest_v.data && vcpu->no_v.data ? 0 : -ENOMEM;
}

void umbra_fpv_destroy(struct umbra_vcpu *vcpu)
{
	kfree(vcpu->guest_v.data);
	kfree(vcpu->no_v.data);
}

/* Preemption is off in these two. */
void umbra_fpv_load(struct umbra_vcpu *vcpu)
{
	if (!umbra_host.fp)
		return;
	umbra_fp_save(&vcpu->host_fp);
	umbra_fp_restore(&vcpu->guest_fp);
}

void umbra_fpv_put(struct umbra_vcpu *vcpu)
{
	if (umbra_host.fp) {
		umbra_fp_save(&vcpu->guest_fp);
		umbra_fp_restore(&vcpu->host_fp);
	}
	/* Nothing of the guest's stays for whoever turns VS on next. */
	if (vcpu->v_live) {
		umbra_v_restore(&vcpu->no_v);
		vcpu->v_live = false;
	}
}

/* Interrupts are off in these two. */
void umbra_fpv_enter(struct umbra_vcpu *vcpu)
{
	if (!(vcpu->sw->hw_sstatus & V_VS) || !vcpu->guest_v.data)
		return;
	umbra_v_restore(&vcpu->guest_v);
	vcpu->v_live = true;
}

void umbra_fpv_exit(struct umbra_vcpu *vcpu)
{
	if ((vcpu->sw->hw_sstatus & V_VS) == V_VS && vcpu->guest_v.data)
		umbra_v_save(&vcpu->guest_v);
}

u64 umbra_fp_store_value(struct umbra_vcpu *vcpu, const struct umbra_insn *insn)
{
	u64 val;

	preempt_disable();
	umbra_fp_save(&vcpu->guest_fp);
	val = umbra_rmem_store_value(insn, vcpu->cpu->gpr, vcpu->guest_fp.f);
	preempt_enable();
	return val;
}

void umbra_fp_finish_load(struct umbra_vcpu *vcpu, const struct umbra_insn *insn,
			  u64 raw)
{
	preempt_disable();
	umbra_fp_save(&vcpu->guest_fp);
	umbra_rmem_finish_load(insn, raw, vcpu->cpu->gpr, vcpu->guest_fp.f);
	umbra_fp_restore(&vcpu->guest_fp);
	preempt_enable();
	vcpu->cpu->sstatus |= V_FS;
}
