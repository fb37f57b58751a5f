// SPDX-License-Identifier: GPL-2.0
/*
 * VMs: life, file descriptor, ioctls; and the answers to
 * KVM_CHECK_EXTENSION, which a VM and /dev/umbra share.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/uaccess.h>

#include "vmm.h"

struct umbra_vcpu *umbra_vm_vcpu(struct umbra_vm *vm, u32 id)
{
	if (id >= UMBRA_MAX_VCPUS)
		return NULL;
	return smp_load_acquire(&vm->vcpus[id]); /* umbra_vcpu_create() */
}

void umbra_vm_request_all(struct umbra_vm *vm, unsigned int req)
{
	unsigned int nr = smp_load_acquire(&vm->nr_vcpus); /* umbra_vcpu_create() */

	for (unsigned int i = 0; i < nr; i++) {
		set_bit(req, &vm->vcpu_list[i]->requests);
		umbra_vcpu_kick_wait(vm->vcpu_list[i]);
	}
}

/* --- all VMs ---------------------------------------------------------------------- */

static LIST_HEAD(umbra_vms);
static DEFINE_MUTEX(umbra_vms_lock);
static struct shrinker *umbra_shrinker;

/* Two slots over the same user memory, in one VM or in two? */
static void note_aliases(struct umbra_vm *vm, unsigned long first, unsigned long last)
{
	struct umbra_vm *other;

	lockdep_assert_held(&umbra_vms_lock);
	list_for_each_entry(other, &umbra_vms, link) {
		if (other->mm != vm->mm ||
		    !interval_tree_iter_first(&other->slots_by_hva, first, last))
			continue;
		WRITE_ONCE(other->aliased, true);
		WRITE_ONCE(vm->aliased, true);
		umbra_sites_invalidate(other, 0, ~0ULL);
	}
}

/* Called with vm->lock held. */
void umbra_vm_slot_hva(struct umbra_vm *vm, struct umbra_memslot *was,
		       struct umbra_memslot *slot)
{
	mutex_lock(&umbra_vms_lock);
	if (was)
		interval_tree_remove(&was->by_hva, &vm->slots_by_hva);
	if (slot) {
		slot->by_hva.start = slot->hva;
		slot->by_hva.last = slot->hva + (slot->npages << PAGE_SHIFT) - 1;
		note_aliases(vm, slot->by_hva.start, slot->by_hva.last);
		interval_tree_insert(&slot->by_hva, &vm->slots_by_hva);
	}
	mutex_unlock(&umbra_vms_lock);
}

/*
 * Under memory pressure shadow tables go: they are a cache.  Three pages each:
 * table, snapshot, bookkeeping.
 */
static unsigned long shrink_count(struct shrinker *shrink,
				  struct shrink_control *sc)
{
	unsigned long nr = 0;
	struct umbra_vm *vm;

	if (!mutex_trylock(&umbra_vms_lock))
		return 0;
	list_for_each_entry(vm, &umbra_vms, link)
		for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus); i++)
			nr += 3 * READ_ONCE(vm->vcpu_list[i]->mmu.nr_pages);
	mutex_unlock(&umbra_vms_lock);
	return nr;
}

/* Asks one vCPU, which frees them itself before it runs on. */
static unsigned long shrink_scan(struct shrinker *shrink,
				 struct shrink_control *sc)
{
	unsigned long nr = 0;
	struct umbra_vm *vm;

	if (!mutex_trylock(&umbra_vms_lock))
		return SHRINK_STOP;
	list_for_each_entry(vm, &umbra_vms, link) {
		for (unsigned int i = 0; i < READ_ONCE(vm->nr_vcpus) &&
		     nr < sc->nr_to_scan; i++) {
			struct umbra_vcpu *vcpu = vm->vcpu_list[i];

			nr += 3 * READ_ONCE(vcpu->mmu.nr_pages);
			umbra_vcpu_request(vcpu, UMBRA_REQ_MMU_RESET);
		}
	}
	/* The next call begins with another VM. */
	if (!list_empty(&umbra_vms))
		list_rotate_left(&umbra_vms);
	mutex_unlock(&umbra_vms_lock);
	return nr ? nr : SHRINK_STOP;
}

/*
 * While the host was suspended the counter that guests read went on, the
 * hrtimers' clock did not: their timers are late by that time.
 */
static int resumed(struct notifier_block *nb, unsigned long event, void *data)
{
	struct umbra_vm *vm;

	if (event != PM_POST_SUSPEND && event != PM_POST_HIBERNATION &&
	    event != PM_POST_RESTORE)
		return NOTIFY_DONE;
	mutex_lock(&umbra_vms_lock);
	list_for_each_entry(vm, &umbra_vms, link)
		umbra_vm_time_jumped(vm);
	mutex_unlock(&umbra_vms_lock);
	return NOTIFY_OK;
}

static struct notifier_block pm_notifier = { .notifier_call = resumed };

int umbra_vm_init(void)
{
	int ret = register_pm_notifier(&pm_notifier);

	if (ret)
		return ret;
	umbra_shrinker = shrinker_alloc(0, "umbra-shadow");
	if (!umbra_shrinker) {
		unregister_pm_notifier(&pm_notifier);
		return -ENOMEM;
	}
	umbra_shrinker->count_objects = shrink_count;
	umbra_shrinker->scan_objects = shrink_scan;
	shrinker_register(umbra_shrinker);
	return 0;
}

void umbra_vm_exit(void)
{
	shrinker_free(umbra_shrinker);
	unregister_pm_notifier(&pm_notifier);
}

/* --- what devices ask (vdev/vdev.h) ------------------------------------------------ */

struct umbra_bus *umbra_vm_bus(struct umbra_vm *vm)
{
	return vm->bus;
}

struct mm_struct *umbra_vm_mm(struct umbra_vm *vm)
{
	return vm->mm;
}

void umbra_vm_set_pin(struct umbra_vm *vm, u32 hart, u64 pin, bool level)
{
	struct umbra_vcpu *vcpu = umbra_vm_vcpu(vm, hart);

	if (vcpu)
		umbra_vcpu_set_pin(vcpu, pin, level);
}

void umbra_vm_raise_ssip(struct umbra_vm *vm, u32 hart)
{
	struct umbra_vcpu *vcpu = umbra_vm_vcpu(vm, hart);

	if (vcpu)
		umbra_vcpu_request(vcpu, UMBRA_REQ_SSIP);
}

void umbra_vm_system_event(struct umbra_vm *vm, u32 type, u64 data)
{
	spin_lock(&vm->event_lock);
	if (!vm->event_pending) {
		vm->event_type = type;
		vm->event_data = data;
		WRITE_ONCE(vm->event_pending, true);
	}
	spin_unlock(&vm->event_lock);
}

struct umbra_post *umbra_vm_take_post(struct umbra_vm *vm)
{
	return test_and_set_bit(0, &vm->post_taken) ? NULL : &vm->page->post;
}

/* --- life ------------------------------------------------------------------------------ */

void umbra_vm_get(struct umbra_vm *vm)
{
	refcount_inc(&vm->users);
}

static void vm_destroy(struct umbra_vm *vm)
{
	mutex_lock(&umbra_vms_lock);
	list_del(&vm->link);
	mutex_unlock(&umbra_vms_lock);
	umbra_mn_unregister(vm);
	umbra_bus__destroy(vm->bus);
	umbra_ioeventfds_destroy(vm);
	umbra_coalesced_destroy(vm);
	kvfree(rcu_dereference_protected(vm->routes, true));
	umbra_sites_destroy(vm);
	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		umbra_vcpu_destroy(vm->vcpu_list[i]);
	umbra_memslots_free(vm);
	umbra_known_free(vm);
	free_page((unsigned long)vm->page);
	kfree(rcu_dereference_protected(vm->windows, true));
	cleanup_srcu_struct(&vm->slots_srcu);
	mmdrop(vm->mm);
	kvfree(vm);
}

void umbra_vm_put(struct umbra_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		vm_destroy(vm);
}

static struct umbra_vm *vm_alloc(void)
{
	struct umbra_vm *vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	vm->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vm->page) {
		kvfree(vm);
		return ERR_PTR(-ENOMEM);
	}
	ret = init_srcu_struct(&vm->slots_srcu);
	if (ret) {
		free_page((unsigned long)vm->page);
		kvfree(vm);
		return ERR_PTR(ret);
	}
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	umbra_mn_init(vm);
	spin_lock_init(&vm->known_lock);
	spin_lock_init(&vm->event_lock);
	umbra_sites_init(&vm->sites);
	xa_init_flags(&vm->slots_by_id, XA_FLAGS_ACCOUNT);
	vm->slots_by_hva = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&vm->ioeventfds);
	umbra_irqfds_create(vm);
	ret = umbra_coalesced_create(vm);
	if (ret)
		goto no_ring;
	mmgrab(current->mm);
	vm->mm = current->mm;
	vm->bus = umbra_bus__create(vm);
	if (IS_ERR_OR_NULL(vm->bus)) {
		ret = vm->bus ? PTR_ERR(vm->bus) : -ENOMEM;
		goto fail;
	}
	ret = umbra_mn_register(vm);
	if (ret) {
		umbra_bus__destroy(vm->bus);
		goto fail;
	}
	mutex_lock(&umbra_vms_lock);
	list_add_tail(&vm->link, &umbra_vms);
	mutex_unlock(&umbra_vms_lock);
	return vm;
fail:
	mmdrop(vm->mm);
	umbra_coalesced_destroy(vm);
no_ring:
	cleanup_srcu_struct(&vm->slots_srcu);
	free_page((unsigned long)vm->page);
	kvfree(vm);
	return ERR_PTR(ret);
}

/* --- extensions ------------------------------------------------------------------------ */

int umbra_check_extension(struct umbra_vm *vm, long ext)
{
	switch (ext) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_ONE_REG:
	case KVM_CAP_MP_STATE:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_DEVICE_CTRL:
	case KVM_CAP_IOEVENTFD:
	case KVM_CAP_IOEVENTFD_ANY_LENGTH:
	case KVM_CAP_COALESCED_PIO:
	case KVM_CAP_IRQFD:
	case KVM_CAP_USER_MEMORY2:
	case KVM_CAP_ENABLE_CAP_VM:
	case KVM_CAP_SET_GUEST_DEBUG:
	case KVM_CAP_BINARY_STATS_FD:
	case KVM_CAP_CHECK_EXTENSION_VM:
	case UMBRA_CAP_M_MODE:
		return 1;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	case KVM_CAP_VM_GPA_BITS:
		return UMBRA_GPA_BITS;
	case KVM_CAP_COALESCED_MMIO:
		return KVM_COALESCED_MMIO_PAGE_OFFSET;
	case KVM_CAP_IRQ_ROUTING:
		return UMBRA_MAX_ROUTES;
	case KVM_CAP_NR_VCPUS:
		return min_t(int, num_online_cpus(), UMBRA_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
	case KVM_CAP_MAX_VCPU_ID:
		return UMBRA_MAX_VCPUS;
	case KVM_CAP_NR_MEMSLOTS:
		return UMBRA_SLOT_IDS;
	case UMBRA_CAP_VDEV:
		return umbra_vdev__types();
	case UMBRA_CAP_MMIO_WINDOWS:
		return UMBRA_MAX_WINDOWS;
	case UMBRA_CAP_REWRITE:
		return umbra_rewrite_enabled;
	case UMBRA_CAP_MMU_MODES:
		return GENMASK_ULL(umbra_host.satp_mode, V_SATP_SV39);
	}
	return 0;
}

/* --- ioctls ------------------------------------------------------------------------------ */

static long set_windows(struct umbra_vm *vm, void __user *arg)
{
	struct umbra_mmio_windows head;
	struct umbra_windows *new, *old;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.flags || head.nr > UMBRA_MAX_WINDOWS)
		return -EINVAL;
	new = kzalloc(struct_size(new, w, head.nr), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->nr = head.nr;
	if (copy_from_user(new->w, u64_to_user_ptr(head.windows),
			   head.nr * sizeof(new->w[0]))) {
		kfree(new);
		return -EFAULT;
	}
	for (unsigned int i = 0; i < new->nr; i++) {
		if (!new->w[i].size ||
		    new->w[i].base + new->w[i].size - 1 < new->w[i].base) {
			kfree(new);
			return -EINVAL;
		}
	}
	old = rcu_replace_pointer(vm->windows, new, lockdep_is_held(&vm->lock));
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

static long create_device(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_create_device cd;
	int ret;

	if (copy_from_user(&cd, arg, sizeof(cd)))
		return -EFAULT;
	ret = umbra_vdev__create(vm, &cd);
	if (ret)
		return ret;
	return copy_to_user(arg, &cd, sizeof(cd)) ? -EFAULT : 0;
}

static long set_memory(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_userspace_memory_region mem;

	if (copy_from_user(&mem, arg, sizeof(mem)))
		return -EFAULT;
	return umbra_memslot_set(vm, &mem);
}

/* The same with room for a guest_memfd, which a flag that is refused asks for. */
static long set_memory2(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_userspace_memory_region2 mem;
	struct kvm_userspace_memory_region old;

	if (copy_from_user(&mem, arg, sizeof(mem)))
		return -EFAULT;
	static_assert(offsetofend(typeof(mem), userspace_addr) == sizeof(old));
	memcpy(&old, &mem, sizeof(old));
	return umbra_memslot_set(vm, &old);
}

static long clear_dirty_log(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_clear_dirty_log log;

	if (copy_from_user(&log, arg, sizeof(log)))
		return -EFAULT;
	return umbra_memslot_clear_dirty(vm, &log);
}

static long get_dirty_log(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_dirty_log log;

	if (copy_from_user(&log, arg, sizeof(log)))
		return -EFAULT;
	return umbra_memslot_dirty_log(vm, &log);
}

static long enable_cap(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, arg, sizeof(cap)))
		return -EFAULT;
	if (cap.cap == KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) {
		if (cap.flags || cap.args[0] & ~KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
			return -EINVAL;
		vm->manual_dirty_log = cap.args[0];
		return 0;
	}
	if (cap.cap != UMBRA_CAP_M_MODE || cap.flags || cap.args[0] != 1 ||
	    memchr_inv(&cap.args[1], 0, sizeof(cap.args) - sizeof(cap.args[0])) ||
	    memchr_inv(cap.pad, 0, sizeof(cap.pad)))
		return -EINVAL;
	if (vm->nr_vcpus)
		return -EBUSY;
	vm->m_mode = true;
	return 0;
}

static long ioeventfd(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_ioeventfd args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	return umbra_ioeventfd(vm, &args);
}

static long irqfd(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_irqfd args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	return umbra_irqfd(vm, &args);
}

static long coalesced(struct umbra_vm *vm, void __user *arg, bool add)
{
	struct kvm_coalesced_mmio_zone zone;

	if (copy_from_user(&zone, arg, sizeof(zone)))
		return -EFAULT;
	return add ? umbra_coalesced_register(vm, &zone) :
		     umbra_coalesced_unregister(vm, &zone);
}

static long locked_ioctl(struct umbra_vm *vm, unsigned int cmd, unsigned long arg)
{
	void __user *ptr = (void __user *)arg;

	switch (cmd) {
	case KVM_CREATE_VCPU:
		return arg > U32_MAX ? -EINVAL : umbra_vcpu_create(vm, arg);
	case KVM_SET_USER_MEMORY_REGION:
		return set_memory(vm, ptr);
	case KVM_SET_USER_MEMORY_REGION2:
		return set_memory2(vm, ptr);
	case KVM_GET_DIRTY_LOG:
		return get_dirty_log(vm, ptr);
	case KVM_CLEAR_DIRTY_LOG:
		return clear_dirty_log(vm, ptr);
	case KVM_ENABLE_CAP:
		return enable_cap(vm, ptr);
	case KVM_IOEVENTFD:
		return ioeventfd(vm, ptr);
	case KVM_IRQFD:
		return irqfd(vm, ptr);
	case KVM_SET_GSI_ROUTING:
		return umbra_set_routing(vm, ptr);
	case KVM_REGISTER_COALESCED_MMIO:
		return coalesced(vm, ptr, true);
	case KVM_UNREGISTER_COALESCED_MMIO:
		return coalesced(vm, ptr, false);
	case UMBRA_SET_MMIO_WINDOWS:
		return set_windows(vm, ptr);
	}
	return -ENOTTY;
}

static long irq_line(struct umbra_vm *vm, void __user *arg)
{
	struct kvm_irq_level level;

	if (copy_from_user(&level, arg, sizeof(level)))
		return -EFAULT;
	return umbra_bus__set_irq(vm->bus, level.irq, level.level);
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct umbra_vm *vm = file->private_data;
	long ret;

	if (vm->mm != current->mm)
		return -EIO;
	switch (cmd) {
	case KVM_CHECK_EXTENSION:
		return umbra_check_extension(vm, arg);
	case KVM_CREATE_DEVICE:
		return create_device(vm, (void __user *)arg);
	case KVM_IRQ_LINE:
		return irq_line(vm, (void __user *)arg);
	case KVM_GET_STATS_FD:
		return umbra_vm_stats_fd(vm);
	}
	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	ret = locked_ioctl(vm, cmd, arg);
	mutex_unlock(&vm->lock);
	return ret;
}

static int vm_release(struct inode *inode, struct file *file)
{
	struct umbra_vm *vm = file->private_data;

	umbra_irqfds_release(vm);
	umbra_vm_put(vm);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.release = vm_release,
};

int umbra_vm_create(unsigned long type)
{
	struct umbra_vm *vm;
	int fd;

	if (type)
		return -EINVAL;
	vm = vm_alloc();
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("umbra-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		umbra_vm_put(vm);
	return fd;
}
