// SPDX-License-Identifier: GPL-2.0
/*
 * umbra.ko: loading, unloading, and /dev/umbra.
 *
 * Where no kvm module is loaded, the same device is also offered as /dev/kvm,
 * so that QEMU and kvmtool run unmodified.
 */
#include <linux/cpuhotplug.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mmu_notifier.h>

#include "vmm.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#if !IS_ENABLED(CONFIG_KVM)
#error "Umbra needs preempt notifiers and the virt entry work, which come with CONFIG_KVM"
#endif

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return umbra_vm_create(arg);
	case KVM_CHECK_EXTENSION:
		return umbra_check_extension(NULL, arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		/* kvm_run, and the ring of coalesced MMIO. */
		return arg ? -EINVAL : 2 * PAGE_SIZE;
	}
	return -ENOTTY;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice umbra_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "umbra",
	.fops = &dev_fops,
	.mode = 0660,
};

static struct miscdevice kvm_dev = {
	.minor = KVM_MINOR,
	.name = "kvm",
	.fops = &dev_fops,
	.mode = 0660,
};

static bool have_kvm_dev;
static int hotplug_state;

/*
 * Between its last instruction in the host's address space and the first in the
 * guest's the switcher cannot take the fault by which the kernel repairs a TLB
 * that remembers a new vmalloc mapping (our text) as missing: so no hart may.
 */
static int hart_online(unsigned int cpu)
{
	asm volatile("sfence.vma\n\tfence.i" ::: "memory");
	return 0;
}

static int __init umbra_init(void)
{
	int ret = umbra_host_probe();

	if (ret)
		return ret;
	ret = umbra_switch_init();
	if (ret)
		return ret;
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/umbra:online",
				hart_online, NULL);
	if (ret < 0)
		goto no_hotplug;
	hotplug_state = ret;
	umbra_probe_delegation();
	ret = umbra_vm_init();
	if (ret)
		goto no_shrinker;
	ret = umbra_irqfd_init();
	if (ret)
		goto no_irqfd;
	preempt_notifier_inc();
	ret = misc_register(&umbra_dev);
	if (ret)
		goto no_device;
	/* Taken on a host whose own KVM works: then /dev/umbra alone. */
	have_kvm_dev = !misc_register(&kvm_dev);
	pr_info("umbra: host Sv%d, guests up to Sv%d by default, rewriting %s, /dev/umbra%s\n",
		12 + 9 * umbra_host.levels,
		12 + 9 * (int)(umbra_default_satp_mode() - V_SATP_SV39 + 3),
		umbra_rewrite_enabled ? "on" : "off",
		have_kvm_dev ? " and /dev/kvm" : "");
	return 0;

no_device:
	preempt_notifier_dec();
	umbra_irqfd_exit();
no_irqfd:
	umbra_vm_exit();
no_shrinker:
	cpuhp_remove_state(hotplug_state);
no_hotplug:
	umbra_switch_exit();
	return ret;
}

static void __exit umbra_exit(void)
{
	if (have_kvm_dev)
		misc_deregister(&kvm_dev);
	misc_deregister(&umbra_dev);
	/* Notifiers and RCU callbacks of dead VMs run our code. */
	mmu_notifier_synchronize();
	rcu_barrier();
	preempt_notifier_dec();
	umbra_irqfd_exit();
	umbra_vm_exit();
	cpuhp_remove_state(hotplug_state);
	umbra_switch_exit();
}

module_init(umbra_init);
module_exit(umbra_exit);

MODULE_DESCRIPTION("Virtual machines on RISC-V hosts without the H extension");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
