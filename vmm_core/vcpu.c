// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs: life, file descriptor, ioctls, and the ways others reach a running
 * one: requests, wires, kicks.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "vmm.h"

/* --- reaching a running vCPU ------------------------------------------------------ */

void umbra_vcpu_kick(struct umbra_vcpu *vcpu)
{
	int cpu;

	rcuwait_wake_up(&vcpu->wait);
	smp_mb();	/* pairs with run_once(): requests, then mode */
	cpu = READ_ONCE(vcpu->host_cpu);
	if (READ_ONCE(vcpu->mode) == UMBRA_IN_GUEST && cpu_online(cpu))
		arch_smp_send_reschedule(cpu);
}

static void nothing(void *arg)
{
}

void umbra_vcpu_kick_wait(struct umbra_vcpu *vcpu)
{
	int cpu;

	rcuwait_wake_up(&vcpu->wait);
	smp_mb();	/* as in umbra_vcpu_kick() */
	cpu = READ_ONCE(vcpu->host_cpu);
	/* The call is answered with interrupts on: after the world exit. */
	if (READ_ONCE(vcpu->mode) == UMBRA_IN_GUEST)
		smp_call_function_single(cpu, nothing, NULL, 1);
}

void umbra_vcpu_request(struct umbra_vcpu *vcpu, unsigned int req)
{
	set_bit(req, &vcpu->requests);
	umbra_vcpu_kick(vcpu);
}

void umbra_vcpu_set_pin(struct umbra_vcpu *vcpu, u64 pin, bool level)
{
	u64 old;

	if (level)
		old = atomic_long_fetch_or(pin, &vcpu->pins);
	else
		old = atomic_long_fetch_andnot(pin, &vcpu->pins);
	/* A falling wire matters too: the guest must not see it any more. */
	if (!!(old & pin) != level)
		umbra_vcpu_kick(vcpu);
}

/* --- on a host CPU, or not --------------------------------------------------------- */

static void sched_in(struct preempt_notifier *pn, int cpu)
{
	struct umbra_vcpu *vcpu = container_of(pn, struct umbra_vcpu, preempt);

	WRITE_ONCE(vcpu->host_cpu, cpu);
	if (vcpu->sta_gpa != UMBRA_NO_GPA)
		set_bit(UMBRA_REQ_STEAL, &vcpu->requests);
	umbra_fpv_load(vcpu);
}

static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	umbra_fpv_put(container_of(pn, struct umbra_vcpu, preempt));
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

void umbra_vcpu_load(struct umbra_vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_init(&vcpu->preempt, &preempt_ops);
	preempt_notifier_register(&vcpu->preempt);
	WRITE_ONCE(vcpu->host_cpu, cpu);
	if (vcpu->sta_gpa != UMBRA_NO_GPA)
		set_bit(UMBRA_REQ_STEAL, &vcpu->requests);
	umbra_fpv_load(vcpu);
	put_cpu();
}

void umbra_vcpu_put(struct umbra_vcpu *vcpu)
{
	preempt_disable();
	umbra_fpv_put(vcpu);
	preempt_notifier_unregister(&vcpu->preempt);
	preempt_enable();
}

/* --- life ---------------------------------------------------------------------------- */

/*
 * SBI HSM start: a0 = hart id, a1 = opaque, translation and interrupts off.
 * With M-mode: the machine's reset, but for pc, which user space sets.
 */
void umbra_vcpu_reset(struct umbra_vcpu *vcpu)
{
	struct umbra_cpu *cpu = vcpu->cpu;

	memset(cpu, 0, sizeof(*cpu));
	cpu->sstatus = V_UXL_64;
	cpu->priv = UMBRA_PRIV_S;
	cpu->stimecmp = ~0ULL;
	/* FP starts Initial, as firmware leaves it. */
	if (vcpu->feat.fs)
		cpu->sstatus |= BIT(V_FS_SHIFT);
	if (vcpu->feat.vs)
		cpu->sstatus |= BIT(V_VS_SHIFT);
	cpu->pc = vcpu->start_pc;
	cpu->gpr[10] = vcpu->id;
	cpu->gpr[11] = vcpu->start_opaque;
	if (vcpu->m)
		umbra_machine_reset(vcpu->m, cpu, &vcpu->feat);
	atomic_long_and(~V_STI, &vcpu->pins);
	umbra_mmu_unload(vcpu);
	umbra_timer_update(vcpu);
}

static void vcpu_free(struct umbra_vcpu *vcpu)
{
	umbra_timer_destroy(vcpu);
	umbra_pmu_destroy(vcpu);
	umbra_mmu_destroy(vcpu);
	umbra_switch_destroy(vcpu);
	umbra_fpv_destroy(vcpu);
	free_page((unsigned long)vcpu->step_page);
	free_page((unsigned long)vcpu->run);
	kfree(vcpu->stand_in);
	kfree(vcpu);
}

void umbra_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	vcpu_free(vcpu);
}

static struct umbra_vcpu *vcpu_alloc(struct umbra_vm *vm, u32 id)
{
	struct umbra_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);

	if (!vcpu)
		return NULL;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->last_hart = -1;
	vcpu->sta_gpa = UMBRA_NO_GPA;
	vcpu->fw_refill = jiffies;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	spin_lock_init(&vcpu->hsm_lock);
	spin_lock_init(&vcpu->fence_lock);
	umbra_timer_init(vcpu);
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vcpu->stand_in = kzalloc(sizeof(*vcpu->stand_in), GFP_KERNEL_ACCOUNT);
	if (!vcpu->run || !vcpu->stand_in || umbra_fpv_create(vcpu) ||
	    umbra_switch_create(vcpu) || umbra_mmu_create(vcpu) ||
	    umbra_pmu_create(vcpu)) {
		vcpu_free(vcpu);
		return NULL;
	}
	vcpu->stand_in->run = vcpu->run;
	if (vm->m_mode) {
		vcpu->m = &vcpu->sw->machine;
		vcpu->m->mhartid = id;
	}
	memcpy(vcpu->isa, umbra_host.isa, sizeof(vcpu->isa));
	if (vm->m_mode)
		vcpu->isa[KVM_RISCV_ISA_EXT_SSCOFPMF / 64] &=
			~BIT_ULL(KVM_RISCV_ISA_EXT_SSCOFPMF % 64);
	/* Both may not be on: hardware updates A and D unless told otherwise. */
	vcpu->isa[UMBRA_ISA_SVADE / 64] &= ~BIT_ULL(UMBRA_ISA_SVADE % 64);
	vcpu->satp_mode = umbra_default_satp_mode();
	vcpu->sbi_ext = umbra_sbi_default();
	umbra_isa_apply(vcpu);
	umbra_vcpu_reset(vcpu);
	return vcpu;
}

/* --- ioctls ------------------------------------------------------------------------- */

static long set_interrupt(struct umbra_vcpu *vcpu, void __user *arg)
{
	struct kvm_interrupt irq;

	if (copy_from_user(&irq, arg, sizeof(irq)))
		return -EFAULT;
	if (irq.irq != KVM_INTERRUPT_SET && irq.irq != KVM_INTERRUPT_UNSET)
		return -EINVAL;
	umbra_vcpu_set_pin(vcpu, V_SEI, irq.irq == KVM_INTERRUPT_SET);
	return 0;
}

static long get_mp_state(struct umbra_vcpu *vcpu, void __user *arg)
{
	struct kvm_mp_state state = {
		.mp_state = vcpu->hsm == UMBRA_HSM_STOPPED ?
			    KVM_MP_STATE_STOPPED : KVM_MP_STATE_RUNNABLE,
	};

	return copy_to_user(arg, &state, sizeof(state)) ? -EFAULT : 0;
}

static long set_mp_state(struct umbra_vcpu *vcpu, void __user *arg)
{
	struct kvm_mp_state state;

	if (copy_from_user(&state, arg, sizeof(state)))
		return -EFAULT;
	switch (state.mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		WRITE_ONCE(vcpu->hsm, UMBRA_HSM_STARTED);
		return 0;
	case KVM_MP_STATE_STOPPED:
		WRITE_ONCE(vcpu->hsm, UMBRA_HSM_STOPPED);
		return 0;
	}
	return -EINVAL;
}

static long set_signal_mask(struct umbra_vcpu *vcpu, void __user *arg)
{
	struct kvm_signal_mask mask;
	sigset_t set;

	if (!arg) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&mask, arg, sizeof(mask)))
		return -EFAULT;
	if (mask.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, arg + sizeof(mask), sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = set;
	vcpu->sigset_active = true;
	return 0;
}

static long set_guest_debug(struct umbra_vcpu *vcpu, void __user *arg)
{
	struct kvm_guest_debug dbg;

	if (copy_from_user(&dbg, arg, sizeof(dbg)))
		return -EFAULT;
	return umbra_set_guest_debug(vcpu, &dbg);
}

static long one_reg(struct umbra_vcpu *vcpu, void __user *arg, bool set)
{
	struct kvm_one_reg reg;

	if (copy_from_user(&reg, arg, sizeof(reg)))
		return -EFAULT;
	return set ? umbra_set_reg(vcpu, &reg) : umbra_get_reg(vcpu, &reg);
}

static long locked_ioctl(struct umbra_vcpu *vcpu, unsigned int cmd,
			 void __user *arg)
{
	switch (cmd) {
	case KVM_RUN:
		if (arg)
			return -EINVAL;
		return umbra_vcpu_run(vcpu);
	case KVM_GET_ONE_REG:
		return one_reg(vcpu, arg, false);
	case KVM_SET_ONE_REG:
		return one_reg(vcpu, arg, true);
	case KVM_GET_REG_LIST:
		return umbra_reg_list(vcpu, arg);
	case KVM_GET_MP_STATE:
		return get_mp_state(vcpu, arg);
	case KVM_SET_MP_STATE:
		return set_mp_state(vcpu, arg);
	case KVM_SET_SIGNAL_MASK:
		return set_signal_mask(vcpu, arg);
	case KVM_SET_GUEST_DEBUG:
		return set_guest_debug(vcpu, arg);
	}
	return -ENOTTY;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct umbra_vcpu *vcpu = file->private_data;
	void __user *ptr = (void __user *)arg;
	long ret;

	/* A VM belongs to the address space that made it. */
	if (vcpu->vm->mm != current->mm)
		return -EIO;
	switch (cmd) {
	/* From any thread, while the vCPU runs. */
	case KVM_INTERRUPT:
		return set_interrupt(vcpu, ptr);
	case KVM_GET_STATS_FD:
		return umbra_vcpu_stats_fd(vcpu);
	}
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	ret = locked_ioctl(vcpu, cmd, ptr);
	mutex_unlock(&vcpu->mutex);
	return ret;
}

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct umbra_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff == 0)
		vmf->page = virt_to_page(vcpu->run);
	else if (vmf->pgoff == KVM_COALESCED_MMIO_PAGE_OFFSET)
		vmf->page = virt_to_page(vcpu->vm->ring);
	else
		return VM_FAULT_SIGBUS;
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct umbra_vcpu *vcpu = file->private_data;

	umbra_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
};

/* KVM_CREATE_VCPU; vm->lock held. */
int umbra_vcpu_create(struct umbra_vm *vm, u32 id)
{
	struct umbra_vcpu *vcpu;
	char name[24];
	int fd;

	if (id >= UMBRA_MAX_VCPUS)
		return -EINVAL;
	if (vm->vcpus[id])
		return -EEXIST;
	vcpu = vcpu_alloc(vm, id);
	if (!vcpu)
		return -ENOMEM;
	umbra_vm_get(vm);
	snprintf(name, sizeof(name), "umbra-vcpu:%u", id);
	fd = anon_inode_getfd(name, &vcpu_fops, vcpu, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		umbra_vm_put(vm);
		vcpu_free(vcpu);
		return fd;
	}
	/*
	 * As KVM: the first made starts by itself, the others by HSM.  A machine
	 * with M-mode starts all of its harts.
	 */
	if (vm->nr_vcpus && !vm->m_mode)
		vcpu->hsm = UMBRA_HSM_STOPPED;
	/* Visible from here on: notifiers and other harts reach it. */
	vm->vcpu_list[vm->nr_vcpus] = vcpu;
	smp_store_release(&vm->vcpus[id], vcpu);	/* umbra_vm_vcpu() */
	smp_store_release(&vm->nr_vcpus, vm->nr_vcpus + 1); /* the loops over vcpu_list */
	/* What became known since it was made. */
	umbra_known_map(vcpu);
	return fd;
}
