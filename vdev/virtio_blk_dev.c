// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-blk over MMIO on the bus: registers and requests (virtio_blk.c), a
 * file of the host's as the medium, and a thread that does the I/O.
 *
 * The guest's notification sets blk->kicked and wakes the thread; the vCPU goes
 * on at once.  The thread runs in the address space of the VM (it copies to and
 * from guest memory through umbra_gpa_read() and umbra_gpa_write(), which know
 * of dirty logging and rewritten text), with the credentials, in the cgroups
 * and at the niceness of the thread that called INIT.  Data goes through one
 * buffer of fixed size, and through the host's page cache.
 *
 * Locks, outermost first:
 *	blk->io		mutex: the queue is in use.  Held by the thread through one
 *			request, and by a vCPU whose write takes the queue away
 *			(a reset, above all): it returns with the device at rest
 *	blk->lock	the registers.  What the thread works on (Status, the
 *			queue) changes only with blk->io held, too
 *
 * The end.  Between two pieces of a request the thread looks whether there is
 * any use in going on: the VM is being destroyed (which waits for it), the
 * guest resets the device (likewise), or the process is dead: then the address
 * space, and with it maybe the VM's last reference, waits for us.  So each waits
 * for one piece of the host's file I/O at most.
 *
 * A device without a file is an empty slot: it says so, and nothing else.
 */
#include <linux/blkdev.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "device.h"
#include "virtio_blk.h"

#define BUF_SIZE	SZ_128K

/**
 * struct blk - a virtio block device
 * @dev: what the bus knows
 * @lock: the registers, @irq
 * @io: the queue is in use; see above
 * @blk: registers and requests
 * @irq: level last given to the bus
 * @file: the medium; NULL: an empty slot
 * @cred: whose file accesses it does
 * @owner: the process that called INIT
 * @worker: the thread
 * @wait: where it sleeps
 * @kicked: it has something to do
 * @abandon: vCPUs that wait to take the queue away
 */
struct blk {
	struct umbra_vdev dev;
	spinlock_t lock;	/* the registers */
	struct mutex io;	/* the queue is in use */
	struct umbra_blk blk;
	bool irq;
	struct file *file;
	const struct cred *cred;
	struct task_struct *owner;
	struct task_struct *worker;
	wait_queue_head_t wait;
	atomic_t kicked;
	atomic_t abandon;
};

static struct blk *to_blk(struct umbra_vdev *dev)
{
	return container_of(dev, struct blk, dev);
}

/* --- guest memory ---------------------------------------------------------- */

static int mem_read(void *opaque, u64 gpa, void *to, size_t len)
{
	struct blk *blk = opaque;

	return umbra_gpa_read(blk->dev.vm, gpa, to, len);
}

static int mem_write(void *opaque, u64 gpa, const void *from, size_t len)
{
	struct blk *blk = opaque;

	return umbra_gpa_write(blk->dev.vm, gpa, from, len);
}

static bool mem_valid(void *opaque, u64 gpa, u64 len, bool write)
{
	struct blk *blk = opaque;

	return umbra_gpa_range_is_usable(blk->dev.vm, gpa, len, write);
}

/* --- the medium; all in the thread ------------------------------------------ */

static bool medium_stopping(void *opaque)
{
	struct blk *blk = opaque;

	return kthread_should_stop() || atomic_read(&blk->abandon) ||
	       !atomic_read(&blk->owner->signal->live) ||
	       atomic_read(&current->mm->mm_users) == 1;
}

/*
 * One piece.  The flags of the file are user space's and may change at any
 * time: not to append is what keeps a write where it belongs, and O_DIRECT
 * would ask for an alignment that nobody promised.
 */
static int medium_rw(struct blk *blk, bool write, u64 offset, void *buf,
		     size_t len, int flags)
{
	struct kiocb kiocb;
	ssize_t n;

	init_sync_kiocb(&kiocb, blk->file);
	kiocb.ki_flags &= ~(IOCB_APPEND | IOCB_DIRECT);
	kiocb.ki_flags |= flags;
	kiocb.ki_pos = offset;
	while (len) {
		struct kvec vec = { .iov_base = buf, .iov_len = len };
		struct iov_iter iter;

		iov_iter_kvec(&iter, write ? ITER_SOURCE : ITER_DEST, &vec, 1, len);
		if (write)
			n = vfs_iocb_iter_write(blk->file, &kiocb, &iter);
		else
			n = vfs_iocb_iter_read(blk->file, &kiocb, &iter);
		/* 0: the file has become shorter. */
		if (n <= 0)
			return n ? n : -EIO;
		buf += n;
		len -= n;
	}
	return 0;
}

static int medium_read(void *opaque, u64 offset, void *to, u32 len)
{
	return medium_rw(opaque, false, offset, to, len, 0);
}

static int medium_write(void *opaque, u64 offset, const void *from, u32 len,
			bool stable)
{
	return medium_rw(opaque, true, offset, (void *)from, len,
			 stable ? IOCB_DSYNC : 0);
}

static int medium_flush(void *opaque)
{
	struct blk *blk = opaque;

	return vfs_fsync(blk->file, 1);
}

static int medium_discard(void *opaque, u64 offset, u64 len)
{
	struct blk *blk = opaque;

	return vfs_fallocate(blk->file,
			     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     offset, len);
}

/* Where the file cannot be told, or not this range: plain zeros. */
static int zero_by_hand(struct blk *blk, u64 offset, u64 len)
{
	int ret;

	memset(blk->blk.buf, 0, BUF_SIZE);
	while (len) {
		u32 n = min_t(u64, len, BUF_SIZE);

		if (medium_stopping(blk))
			return -EINTR;
		ret = medium_rw(blk, true, offset, blk->blk.buf, n, 0);
		if (ret)
			return ret;
		offset += n;
		len -= n;
		cond_resched();
	}
	return 0;
}

static int medium_zero(void *opaque, u64 offset, u64 len, bool unmap,
		       bool stable)
{
	struct blk *blk = opaque;
	int ret = -EOPNOTSUPP;

	if (unmap && blk->blk.discards)
		ret = medium_discard(blk, offset, len);
	if (ret && blk->blk.discards)
		ret = vfs_fallocate(blk->file,
				    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
				    offset, len);
	if (ret)
		ret = zero_by_hand(blk, offset, len);
	if (!ret && stable)
		ret = medium_flush(blk);
	return ret;
}

/* --- the thread ------------------------------------------------------------- */

static void update_irq(struct blk *blk)
{
	bool irq = umbra_virtio__irq(&blk->blk.virtio);

	lockdep_assert_held(&blk->lock);
	if (irq == blk->irq)
		return;
	blk->irq = irq;
	umbra_vdev__set_irq(&blk->dev, irq);
}

static void tell_used(struct blk *blk)
{
	spin_lock(&blk->lock);
	umbra_virtio__used(&blk->blk.virtio);
	update_irq(blk);
	spin_unlock(&blk->lock);
}

static void tell_broken(struct blk *blk)
{
	spin_lock(&blk->lock);
	umbra_virtio__broken(&blk->blk.virtio);
	update_irq(blk);
	spin_unlock(&blk->lock);
}

/* One request of a queue in use.  Returns 1 to go on, 0, or -EINVAL: broken. */
static int serve(struct blk *blk, struct umbra_vq *vq)
{
	int ret;

	switch (umbra_blk__serve(&blk->blk, vq)) {
	case UMBRA_BLK_IDLE:
		return umbra_vq__listen(vq, &blk->blk.mem);
	case UMBRA_BLK_DONE:
		ret = umbra_vq__wants_irq(vq, &blk->blk.mem);
		if (ret > 0)
			tell_used(blk);
		return ret < 0 ? ret : 1;
	case UMBRA_BLK_STOPPED:
		return 0;
	case UMBRA_BLK_BROKEN:
		break;
	}
	return -EINVAL;
}

/* One request, if there is one.  Returns true when there may be more. */
static bool serve_one(struct blk *blk, bool first)
{
	struct umbra_virtio *v = &blk->blk.virtio;
	struct umbra_virtio_queue *q = &v->queue[0];
	int ret = 0;

	mutex_lock(&blk->io);
	if (umbra_virtio__running(v) && q->ready && !medium_stopping(blk)) {
		if (first)
			ret = umbra_vq__quiet(&q->vq, &blk->blk.mem);
		if (!ret)
			ret = serve(blk, &q->vq);
		if (ret < 0)
			tell_broken(blk);
	}
	mutex_unlock(&blk->io);
	return ret > 0;
}

static void serve_all(struct blk *blk)
{
	struct mm_struct *mm = umbra_vm_mm(blk->dev.vm);
	const struct cred *old;
	bool first = true;

	/* Without an address space there is no guest memory, and no guest. */
	if (!mmget_not_zero(mm))
		return;
	kthread_use_mm(mm);
	old = override_creds(blk->cred);
	while (serve_one(blk, first)) {
		first = false;
		cond_resched();
	}
	revert_creds(old);
	kthread_unuse_mm(mm);
	mmput(mm);
}

static int blk_worker(void *data)
{
	struct blk *blk = data;

	while (!kthread_should_stop()) {
		wait_event_idle(blk->wait, atomic_read(&blk->kicked) ||
				kthread_should_stop());
		/* Before looking at the queue; whoever kicks has filled it. */
		if (atomic_xchg(&blk->kicked, 0))
			serve_all(blk);
	}
	return 0;
}

static void kick(struct blk *blk)
{
	if (!blk->worker || atomic_xchg(&blk->kicked, 1))
		return;
	wake_up(&blk->wait);
}

/* --- the guest's side --------------------------------------------------------- */

static void write_register(struct blk *blk, u32 offset, u32 val)
{
	enum umbra_virtio_action action;

	spin_lock(&blk->lock);
	action = umbra_virtio__write(&blk->blk.virtio, offset, val);
	update_irq(blk);
	spin_unlock(&blk->lock);
	if (action == UMBRA_VIRTIO_NOTIFY)
		kick(blk);
}

/*
 * A write that takes the queue away returns when the thread has let go of it.
 * What it was just doing is lost: that is what a reset is for.  A vCPU that is
 * killed meanwhile does not run again, so nobody misses the write.
 */
static void disturb(struct blk *blk, u32 offset, u32 val)
{
	bool away = !val;

	if (away)
		atomic_inc(&blk->abandon);
	if (!mutex_lock_killable(&blk->io)) {
		write_register(blk, offset, val);
		mutex_unlock(&blk->io);
	}
	if (away)
		atomic_dec(&blk->abandon);
}

static int blk_access(struct umbra_vdev *dev, u32 offset, unsigned int len,
		      bool write, u64 *val)
{
	struct blk *blk = to_blk(dev);

	if (!umbra_virtio__legal(offset, len))
		return -EFAULT;
	if (!write) {
		spin_lock(&blk->lock);
		*val = umbra_virtio__read(&blk->blk.virtio, offset, len);
		spin_unlock(&blk->lock);
	} else if (umbra_virtio__disturbs(&blk->blk.virtio, offset)) {
		disturb(blk, offset, *val);
	} else {
		write_register(blk, offset, *val);
	}
	return 0;
}

/* --- coming and going ---------------------------------------------------------- */

static void blk_stop(struct umbra_vdev *dev)
{
	struct blk *blk = to_blk(dev);

	if (blk->worker)
		kthread_stop(blk->worker);
	blk->worker = NULL;
}

/* Back to what alloc made. */
static void blk_release(struct blk *blk)
{
	blk_stop(&blk->dev);
	if (blk->file)
		fput(blk->file);
	if (blk->cred)
		put_cred(blk->cred);
	if (blk->owner)
		put_task_struct(blk->owner);
	kvfree(blk->blk.buf);
	blk->file = NULL;
	blk->cred = NULL;
	blk->owner = NULL;
	memset(&blk->blk, 0, sizeof(blk->blk));
}

/* A regular file or a block device, open for what is going to be done to it. */
static int check_file(const struct file *file, bool readonly)
{
	umode_t mode = file_inode(file)->i_mode;
	fmode_t need = FMODE_READ | FMODE_CAN_READ;

	if (!S_ISREG(mode) && !S_ISBLK(mode))
		return -EINVAL;
	if (!readonly)
		need |= FMODE_WRITE | FMODE_CAN_WRITE;
	return (file->f_mode & need) == need ? 0 : -EBADF;
}

static int open_medium(struct blk *blk)
{
	const u64 *config = blk->dev.config;
	bool readonly = config[UMBRA_DEV_CONFIG_READONLY];
	struct umbra_blk *b = &blk->blk;
	struct inode *inode;
	int ret;

	blk->file = fget(config[UMBRA_DEV_CONFIG_FILE]);
	if (!blk->file)
		return -EBADF;
	ret = check_file(blk->file, readonly);
	if (ret)
		return ret;

	inode = blk->file->f_mapping->host;
	b->capacity = i_size_read(inode) / UMBRA_BLK_SECTOR;
	if (!b->capacity)
		return -EINVAL;
	b->block = UMBRA_BLK_SECTOR;
	if (S_ISBLK(inode->i_mode))
		b->block = bdev_logical_block_size(I_BDEV(inode));
	b->readonly = readonly;
	b->discards = blk->file->f_op->fallocate;
	for (unsigned int i = 0; i < UMBRA_BLK_SERIAL; i++)
		b->serial[i] = config[UMBRA_DEV_CONFIG_SERIAL0 + i / 8] >>
			       (8 * (i % 8));
	return 0;
}

/* The caller's: what the guest costs is accounted where the guest is. */
static int start_worker(struct blk *blk)
{
	struct task_struct *worker;
	int ret;

	blk->cred = get_current_cred();
	blk->owner = get_task_struct(current->group_leader);
	worker = kthread_create(blk_worker, blk, "umbra-blk-%d",
				task_tgid_nr(current));
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	blk->worker = worker;
	ret = cgroup_attach_task_all(current, worker);
	if (ret)
		return ret;
	set_user_nice(worker, task_nice(current));
	wake_up_process(worker);
	return 0;
}

static int blk_prepare(struct umbra_vdev *dev)
{
	struct blk *blk = to_blk(dev);
	struct umbra_blk *b = &blk->blk;
	bool legacy = dev->config[UMBRA_DEV_CONFIG_LEGACY];
	int ret;

	/* Left from an INIT that failed later. */
	blk_release(blk);
	if (!(dev->configured & BIT(UMBRA_DEV_CONFIG_FILE))) {
		b->virtio.legacy = legacy;
		return 0;
	}

	ret = open_medium(blk);
	if (ret)
		goto fail;
	b->buf = kvmalloc(BUF_SIZE, GFP_KERNEL_ACCOUNT);
	if (!b->buf) {
		ret = -ENOMEM;
		goto fail;
	}
	b->buf_len = BUF_SIZE;
	b->mem = (struct umbra_vq_mem) {
		.read = mem_read, .write = mem_write, .valid = mem_valid,
		.opaque = blk,
	};
	b->medium = (struct umbra_blk_medium) {
		.read = medium_read, .write = medium_write,
		.flush = medium_flush, .discard = medium_discard,
		.zero = medium_zero, .stopping = medium_stopping,
		.opaque = blk,
	};
	umbra_blk__init(b, legacy);
	ret = start_worker(blk);
	if (ret)
		goto fail;
	return 0;

fail:
	blk_release(blk);
	return ret;
}

static struct umbra_vdev *blk_alloc(void)
{
	struct blk *blk = kzalloc(sizeof(*blk), GFP_KERNEL_ACCOUNT);

	if (!blk)
		return NULL;
	spin_lock_init(&blk->lock);
	mutex_init(&blk->io);
	init_waitqueue_head(&blk->wait);
	return &blk->dev;
}

static void blk_free(struct umbra_vdev *dev)
{
	struct blk *blk = to_blk(dev);

	blk_release(blk);
	kfree(blk);
}

const struct umbra_vdev_ops umbra_virtio_blk_ops = {
	.name		= "umbra-virtio-blk",
	.span		= UMBRA_VIRTIO_SPAN,
	.required	= BIT(UMBRA_DEV_CONFIG_ADDR),
	.optional	= BIT(UMBRA_DEV_CONFIG_IRQ) |
			  BIT(UMBRA_DEV_CONFIG_FILE) |
			  BIT(UMBRA_DEV_CONFIG_READONLY) |
			  BIT(UMBRA_DEV_CONFIG_LEGACY) |
			  BIT(UMBRA_DEV_CONFIG_SERIAL0) |
			  BIT(UMBRA_DEV_CONFIG_SERIAL1) |
			  BIT(UMBRA_DEV_CONFIG_SERIAL2),
	.alloc		= blk_alloc,
	.free		= blk_free,
	.prepare	= blk_prepare,
	.stop		= blk_stop,
	.access		= blk_access,
};
