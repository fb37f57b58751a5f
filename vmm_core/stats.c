// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics by exit reason, of a vCPU or of a VM (the sum of its vCPUs), read
 * through KVM_GET_STATS_FD in KVM's binary format
 * (Documentation/virt/kvm/api.rst, 4.134).
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vmm.h"

static const char *const stat_names[UMBRA_STAT_NR] = {
	[UMBRA_STAT_EXITS] = "exits",
	[UMBRA_STAT_EXIT_IRQ] = "exit_irq",
	[UMBRA_STAT_EXIT_PAGE_FAULT] = "exit_page_fault",
	[UMBRA_STAT_EXIT_ILLEGAL] = "exit_illegal",
	[UMBRA_STAT_EXIT_BREAKPOINT] = "exit_breakpoint",
	[UMBRA_STAT_EXIT_ECALL] = "exit_ecall",
	[UMBRA_STAT_EXIT_OTHER] = "exit_other",
	[UMBRA_STAT_SHADOW_FILL] = "shadow_fill",
	[UMBRA_STAT_SHADOW_SPURIOUS] = "shadow_spurious",
	[UMBRA_STAT_GUEST_FAULT] = "guest_fault",
	[UMBRA_STAT_SBI] = "sbi",
	[UMBRA_STAT_MMIO_KERNEL] = "mmio_kernel",
	[UMBRA_STAT_MMIO_USER] = "mmio_user",
	[UMBRA_STAT_INJECT_IRQ] = "inject_irq",
	[UMBRA_STAT_INJECT_EXC] = "inject_exc",
	[UMBRA_STAT_EMUL_CSR] = "emul_csr",
	[UMBRA_STAT_EMUL_FENCE] = "emul_fence",
	[UMBRA_STAT_EMUL_SRET] = "emul_sret",
	[UMBRA_STAT_EMUL_MRET] = "emul_mret",
	[UMBRA_STAT_EMUL_WFI] = "emul_wfi",
	[UMBRA_STAT_EMUL_TEXT] = "emul_text",
	[UMBRA_STAT_FW_NOISY] = "firmware_lines",
	[UMBRA_STAT_SITE_NEW] = "site_new",
	[UMBRA_STAT_SITE_DROP] = "site_drop",
	[UMBRA_STAT_HOT_LEARN] = "hot_learn",
	[UMBRA_STAT_HOT_FORGET] = "hot_forget",
	[UMBRA_STAT_MMU_RESET] = "mmu_reset",
	[UMBRA_STAT_MOVES] = "switcher_moves",
	[UMBRA_STAT_HALT] = "halt",
	[UMBRA_STAT_HALT_WAIT] = "halt_wait",
	[UMBRA_STAT_FAST_FILL] = "fast_fill",
	[UMBRA_STAT_FAST_LINK] = "fast_link",
	[UMBRA_STAT_FAST_SPURIOUS] = "fast_spurious",
	[UMBRA_STAT_FAST_REFLECT] = "fast_reflect",
	[UMBRA_STAT_FAST_FENCE] = "fast_fence",
	[UMBRA_STAT_FAST_SATP] = "fast_satp",
	[UMBRA_STAT_FAST_POST] = "fast_post",
	[UMBRA_STAT_FAST_IRQ] = "fast_irq",
	[UMBRA_STAT_FAST_ABORT] = "fast_abort",
#ifdef UMBRA_COUNT
	[UMBRA_STAT_SW_TRAPS] = "switcher_traps",
	[UMBRA_STAT_SW_SATP] = "satp_writes",
	[UMBRA_STAT_SW_FENCES] = "fences",
#endif
};

/* In the kernel the descriptor ends in its name, of this size. */
#define NAME_SIZE	KVM_STATS_NAME_SIZE
static_assert(sizeof(struct kvm_stats_desc) == 16 + NAME_SIZE);

/* The file as a reader sees it. */
struct stats_image {
	struct kvm_stats_header header;
	char id[NAME_SIZE];
	struct kvm_stats_desc desc[UMBRA_STAT_NR];
	u64 data[UMBRA_STAT_NR];
};

static u64 stat_value(const struct umbra_vcpu *vcpu, enum umbra_stat stat)
{
	const struct umbra_fast *fast = vcpu->mmu.fast;

	switch (stat) {
	case UMBRA_STAT_FAST_FILL:
		return READ_ONCE(fast->fills);
	case UMBRA_STAT_FAST_LINK:
		return READ_ONCE(fast->links);
	case UMBRA_STAT_FAST_SPURIOUS:
		return READ_ONCE(fast->spurious);
	case UMBRA_STAT_FAST_REFLECT:
		return READ_ONCE(fast->reflects);
	case UMBRA_STAT_FAST_FENCE:
		return READ_ONCE(fast->fences);
	case UMBRA_STAT_FAST_SATP:
		return READ_ONCE(fast->satps);
	case UMBRA_STAT_FAST_POST:
		return READ_ONCE(fast->posts);
	case UMBRA_STAT_FAST_IRQ:
		return READ_ONCE(vcpu->sw->fast_irqs);
	case UMBRA_STAT_FAST_ABORT:
		return READ_ONCE(fast->aborts);
#ifdef UMBRA_COUNT
	case UMBRA_STAT_SW_TRAPS ... UMBRA_STAT_SW_TRAPS + SW_COUNTS - 1:
		return READ_ONCE(umbra_switch_counts(vcpu->sw)[stat - UMBRA_STAT_SW_TRAPS]);
#endif
	default:
		return READ_ONCE(vcpu->stat[stat]);
	}
}

/* What an open file is about: one vCPU, or NULL for all. */
struct stats_of {
	struct umbra_vm *vm;
	const struct umbra_vcpu *vcpu;
	pid_t pid;
};

static u64 counter(const struct stats_of *of, enum umbra_stat stat)
{
	unsigned int nr = smp_load_acquire(&of->vm->nr_vcpus); /* umbra_vcpu_create() */
	u64 sum = 0;

	if (of->vcpu)
		return stat_value(of->vcpu, stat);
	for (unsigned int i = 0; i < nr; i++)
		sum += stat_value(of->vm->vcpu_list[i], stat);
	return sum;
}

static void fill(const struct stats_of *of, struct stats_image *img)
{
	img->header.name_size = NAME_SIZE;
	img->header.num_desc = UMBRA_STAT_NR;
	img->header.id_offset = offsetof(struct stats_image, id);
	img->header.desc_offset = offsetof(struct stats_image, desc);
	img->header.data_offset = offsetof(struct stats_image, data);
	/* Readers expect the word "kvm". */
	if (of->vcpu)
		snprintf(img->id, NAME_SIZE, "kvm-%d/vcpu-%u", of->pid, of->vcpu->id);
	else
		snprintf(img->id, NAME_SIZE, "kvm-%d", of->pid);
	for (int i = 0; i < UMBRA_STAT_NR; i++) {
		struct kvm_stats_desc *d = &img->desc[i];

		d->flags = KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE |
			   KVM_STATS_BASE_POW10;
		d->size = 1;
		d->offset = i * sizeof(u64);
		strscpy(d->name, stat_names[i], NAME_SIZE);
		img->data[i] = counter(of, i);
	}
}

static ssize_t stats_read(struct file *file, char __user *buf, size_t len,
			  loff_t *pos)
{
	struct stats_image *img = kzalloc(sizeof(*img), GFP_KERNEL);
	ssize_t ret;

	if (!img)
		return -ENOMEM;
	fill(file->private_data, img);
	ret = simple_read_from_buffer(buf, len, pos, img, sizeof(*img));
	kfree(img);
	return ret;
}

static int stats_release(struct inode *inode, struct file *file)
{
	struct stats_of *of = file->private_data;

	umbra_vm_put(of->vm);
	kfree(of);
	return 0;
}

static const struct file_operations stats_fops = {
	.owner = THIS_MODULE,
	.read = stats_read,
	.llseek = default_llseek,
	.release = stats_release,
};

static int stats_fd(struct umbra_vm *vm, const struct umbra_vcpu *vcpu)
{
	struct stats_of *of = kzalloc(sizeof(*of), GFP_KERNEL_ACCOUNT);
	struct file *file;
	int fd;

	if (!of)
		return -ENOMEM;
	of->vm = vm;
	of->vcpu = vcpu;
	of->pid = task_tgid_nr(current);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		kfree(of);
		return fd;
	}
	umbra_vm_get(vm);
	file = anon_inode_getfile("umbra-stats", &stats_fops, of, O_RDONLY);
	if (IS_ERR(file)) {
		umbra_vm_put(vm);
		put_unused_fd(fd);
		kfree(of);
		return PTR_ERR(file);
	}
	file->f_mode |= FMODE_PREAD | FMODE_LSEEK;
	fd_install(fd, file);
	return fd;
}

int umbra_vcpu_stats_fd(struct umbra_vcpu *vcpu)
{
	return stats_fd(vcpu->vm, vcpu);
}

int umbra_vm_stats_fd(struct umbra_vm *vm)
{
	return stats_fd(vm, NULL);
}
