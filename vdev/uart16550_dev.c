// SPDX-License-Identifier: GPL-2.0
/*
 * The UART on the bus, and its stream: what the guest transmits is read from
 * the device's file descriptor, what is written there the guest receives.
 *
 *	guest THR --> regs.tx (16) --> out (64 KiB) --> read()
 *	guest RBR <-- regs.rx (16) <-- in  ( 4 KiB) <-- write()
 *
 * uart->lock covers the registers and the inner end of both buffers; bottom
 * halves are off, as the wake-up timer takes it, too.  The outer end of each
 * buffer has its mutex.  One reader and one writer is what a kfifo needs no
 * lock for, so user memory is copied without the spinlock.  Every section under
 * uart->lock ends in uart_finish(), which moves what can be moved.
 *
 * Back-pressure.  The register file keeps what "out" has no room for, and LSR
 * says so: a guest that heeds it loses nothing, however slow user space is.
 * The guest is stopped before "out" is full; the reserve is for drivers that
 * wait for a while and then write all the same (Linux's console does).
 *
 * Wake-ups.  A reader that sees every character at once would cost the guest
 * an exit and the host two context switches each.  So bytes are fresh until
 * WAKE_BYTES have come, or WAKE_NS have passed since the first; then readers
 * are woken, and poll() and a blocking read() see them.  Nothing is lost: while
 * there are fresh bytes the timer is armed, and a reader looks before it
 * sleeps.
 *
 * Posting.  In the middle of all this the switcher may answer for the UART
 * (../vmm_core/post.h), so that the guest's console costs no world exit per
 * character.  post->busy is taken with uart->lock, and what was posted goes the way
 * of the registers first.  Posted bytes are fresh ones: there are some only while the
 * timer is armed, and never more than there is room for.
 */
#include <linux/kfifo.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "../vmm_core/compat.h"
#include "../vmm_core/post.h"
#include "device.h"
#include "uart16550.h"

#define OUT_SIZE	SZ_64K		/* kfifo: powers of two */
#define OUT_STOP	(OUT_SIZE - SZ_8K)
#define IN_SIZE		SZ_4K
#define WAKE_BYTES	SZ_1K
#define WAKE_NS		NSEC_PER_MSEC
#define NO_BREAK	UINT_MAX

#define READABLE		(EPOLLIN | EPOLLRDNORM)
#define WRITABLE	(EPOLLOUT | EPOLLWRNORM)

/**
 * struct uart - a UART with a stream
 * @dev: what the bus knows
 * @lock: the registers, @irq to @break_after; see above for the buffers
 * @regs: the register file
 * @post: shared with the switcher; NULL: another UART has it
 * @irq: level last given to the bus
 * @closed: nobody will ever read: discard what is transmitted
 * @wake_armed: @wake_timer is going to wake readers
 * @fresh: bytes that came since readers were woken; not 0 only if @wake_armed
 * @break_after: so many bytes of @in precede a break; NO_BREAK: there is none
 * @wake_timer: wakes readers
 * @read_lock: the outer end of @out
 * @write_lock: the outer end of @in
 * @out: from the guest
 * @in: to the guest
 * @readers: wait until @out is not empty
 * @writers: wait until @in is not full
 */
struct uart {
	struct umbra_vdev dev;
	spinlock_t lock;	/* registers, inner ends of the buffers */
	struct umbra_uart regs;
	struct umbra_post *post;
	bool irq;
	bool closed;
	bool wake_armed;
	unsigned int fresh;
	unsigned int break_after;
	struct hrtimer wake_timer;
	struct mutex read_lock;	/* outer end of @out */
	struct mutex write_lock; /* outer end of @in */
	struct kfifo out;
	struct kfifo in;
	wait_queue_head_t readers;
	wait_queue_head_t writers;
};

static struct uart *to_uart(struct umbra_vdev *dev)
{
	return container_of(dev, struct uart, dev);
}

/* --- inside uart->lock --------------------------------------------------- */

static void uart_emit(struct uart *uart, u8 ch)
{
	if (!uart->closed && kfifo_put(&uart->out, ch))
		WRITE_ONCE(uart->fresh, uart->fresh + 1);
}

/* From the transmitter to the buffer, as long as the guest may go on. */
static void uart_drain(struct uart *uart)
{
	u8 ch;

	while (uart->closed || kfifo_len(&uart->out) < OUT_STOP) {
		if (!umbra_uart__tx_pop(&uart->regs, &ch))
			break;
		uart_emit(uart, ch);
	}
}

/* uart->lock has just been taken: what the switcher did in between. */
static void uart_collect(struct uart *uart)
{
	struct umbra_post *post = uart->post;
	unsigned int nr;

	if (!post)
		return;
	/* The switcher holds it for some instructions, with interrupts off. */
	while (xchg_acquire(&post->busy, 1))
		cpu_relax();
	nr = min(post->nr, UMBRA_POST_BYTES);
	for (unsigned int i = 0; i < nr; i++) {
		umbra_uart__write(&uart->regs, UMBRA_POST_THR, post->byte[i]);
		uart_drain(uart);
	}
	post->nr = 0;
}

/* uart->lock is about to be left: what the switcher may do. */
static void uart_publish(struct uart *uart)
{
	struct umbra_post *post = uart->post;
	unsigned int room = 0;

	if (!post)
		return;
	post->lsr = umbra_uart__plain_tx(&uart->regs);
	if (uart->closed)
		room = UMBRA_POST_BYTES;
	else if (uart->wake_armed && kfifo_len(&uart->out) < OUT_STOP)
		room = min3(UMBRA_POST_BYTES, WAKE_BYTES - uart->fresh,
			    OUT_STOP - kfifo_len(&uart->out));
	post->room = post->lsr ? room : 0;
	smp_store_release(&post->busy, 0);	/* pairs with uart_collect() and fast.c */
}

static void uart_lock(struct uart *uart)
	__acquires(&uart->lock)
{
	spin_lock_bh(&uart->lock);
	uart_collect(uart);
}

/*
 * The guest writes to THR although LSR told it not to: save the character that
 * would be overwritten, while the reserve lasts.
 */
static void uart_spill(struct uart *uart)
{
	u8 ch;

	if (umbra_uart__tx_full(&uart->regs) && !kfifo_is_full(&uart->out) &&
	    umbra_uart__tx_pop(&uart->regs, &ch))
		uart_emit(uart, ch);
}

/* One character from the buffer to the receiver; false: there is none. */
static bool uart_feed_one(struct uart *uart, bool *made_room)
{
	u8 ch;

	if (!uart->break_after) {
		uart->break_after = NO_BREAK;
		umbra_uart__rx_push(&uart->regs, 0, UMBRA_UART_BREAK);
		return true;
	}
	if (!kfifo_get(&uart->in, &ch))
		return false;
	if (uart->break_after != NO_BREAK)
		uart->break_after--;
	umbra_uart__rx_push(&uart->regs, ch, 0);

	/*
	 * Was it full, as a sleeping writer found it?  Asked after the byte is
	 * out: a writer that fills it meanwhile makes this true, too.
	 */
	if (kfifo_len(&uart->in) >= IN_SIZE - 1)
		*made_room = true;
	return true;
}

/* From the buffer to the receiver.  Returns true when writers may go on. */
static bool uart_feed(struct uart *uart)
{
	bool made_room = false;

	while (umbra_uart__rx_room(&uart->regs)) {
		if (uart_feed_one(uart, &made_room))
			continue;
		/* Nothing more is coming, so the line is idle: no need to wait. */
		umbra_uart__rx_idle(&uart->regs);
		break;
	}
	return made_room;
}

static void uart_update_irq(struct uart *uart)
{
	bool irq = umbra_uart__irq(&uart->regs);

	if (irq == uart->irq)
		return;
	uart->irq = irq;
	umbra_vdev__set_irq(&uart->dev, irq);
}

/* Are readers to be woken now?  If later, see to that. */
static bool uart_wake_due(struct uart *uart)
{
	if (uart->fresh >= WAKE_BYTES) {
		WRITE_ONCE(uart->fresh, 0);
		return true;
	}
	if (uart->fresh && !uart->wake_armed) {
		uart->wake_armed = true;
		hrtimer_start(&uart->wake_timer, ns_to_ktime(WAKE_NS),
			      HRTIMER_MODE_REL_SOFT);
	}
	return false;
}

/**
 * uart_finish() - move what can be moved, leave uart->lock, wake who waits
 * @uart: the UART; something about registers or buffers may have changed
 */
static void uart_finish(struct uart *uart)
	__releases(&uart->lock)
{
	bool wake_readers, wake_writers;

	uart_drain(uart);
	wake_writers = uart_feed(uart);
	uart_update_irq(uart);
	wake_readers = uart_wake_due(uart);
	uart_publish(uart);
	spin_unlock_bh(&uart->lock);

	if (wake_readers)
		wake_up_interruptible_poll(&uart->readers, READABLE);
	if (wake_writers)
		wake_up_interruptible_poll(&uart->writers, WRITABLE);
}

/* Soft interrupt context, a thread on PREEMPT_RT. */
static enum hrtimer_restart uart_wake(struct hrtimer *timer)
{
	struct uart *uart = container_of(timer, struct uart, wake_timer);

	spin_lock(&uart->lock);
	uart_collect(uart);
	uart->wake_armed = false;
	WRITE_ONCE(uart->fresh, 0);
	uart_publish(uart);
	spin_unlock(&uart->lock);
	wake_up_interruptible_poll(&uart->readers, READABLE);
	return HRTIMER_NORESTART;
}

/* --- the guest's side ---------------------------------------------------- */

/* Of a wide access the low byte counts and the rest is zero, as on QEMU. */
static int uart_access(struct umbra_vdev *dev, u32 offset, unsigned int len,
		       bool write, u64 *val)
{
	struct uart *uart = to_uart(dev);

	uart_lock(uart);
	if (write) {
		if (!offset)
			uart_spill(uart);
		umbra_uart__write(&uart->regs, offset, *val);
	} else {
		*val = umbra_uart__read(&uart->regs, offset);
	}
	uart_finish(uart);
	return 0;
}

/* --- user space's side --------------------------------------------------- */

/* Is there a byte that is not fresh?  No lock: a change wakes readers. */
static bool uart_readable(struct uart *uart)
{
	return kfifo_len(&uart->out) > READ_ONCE(uart->fresh);
}

/*
 * Take read_lock with something to read, or return an error.  One that does
 * not block takes fresh bytes, too: it may ask for a reason.
 */
static int uart_lock_read(struct uart *uart, bool nonblock)
{
	for (;;) {
		if (mutex_lock_interruptible(&uart->read_lock))
			return -ERESTARTSYS;
		if (nonblock ? !kfifo_is_empty(&uart->out) : uart_readable(uart))
			return 0;
		mutex_unlock(&uart->read_lock);
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(uart->readers, uart_readable(uart)))
			return -ERESTARTSYS;
	}
}

static ssize_t uart_read(struct umbra_vdev *dev, char __user *buf,
			 size_t count, bool nonblock)
{
	struct uart *uart = to_uart(dev);
	unsigned int copied = 0;
	int ret;

	if (!count)
		return 0;
	if (nonblock && uart->post && READ_ONCE(uart->post->nr)) {
		uart_lock(uart);
		uart_finish(uart);
	}
	ret = uart_lock_read(uart, nonblock);
	if (ret)
		return ret;
	ret = kfifo_to_user(&uart->out, buf, min_t(size_t, count, OUT_SIZE),
			    &copied);
	mutex_unlock(&uart->read_lock);

	/* There is room: the guest may go on. */
	uart_lock(uart);
	uart_finish(uart);
	return copied ? copied : ret;
}

/* Take write_lock with room to write, or return an error. */
static int uart_lock_write(struct uart *uart, bool nonblock)
{
	for (;;) {
		if (mutex_lock_interruptible(&uart->write_lock))
			return -ERESTARTSYS;
		if (!kfifo_is_full(&uart->in))
			return 0;
		mutex_unlock(&uart->write_lock);
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(uart->writers,
					     !kfifo_is_full(&uart->in)))
			return -ERESTARTSYS;
	}
}

/* One buffer full at most.  Returns bytes, not 0, or an error. */
static ssize_t uart_write_some(struct uart *uart, const char __user *buf,
			       size_t count, bool nonblock)
{
	unsigned int copied = 0;
	int ret = uart_lock_write(uart, nonblock);

	if (ret)
		return ret;
	ret = kfifo_from_user(&uart->in, buf, min_t(size_t, count, IN_SIZE),
			      &copied);
	mutex_unlock(&uart->write_lock);

	uart_lock(uart);
	uart_finish(uart);
	return copied ? copied : ret;
}

static ssize_t uart_write(struct umbra_vdev *dev, const char __user *buf,
			  size_t count, bool nonblock)
{
	struct uart *uart = to_uart(dev);
	size_t done = 0;
	ssize_t n;

	/* As with a pipe, a blocking write is done when all is written. */
	while (done < count) {
		n = uart_write_some(uart, buf + done, count - done, nonblock);
		if (n <= 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

static __poll_t uart_poll(struct umbra_vdev *dev, struct file *file,
			  poll_table *wait)
{
	struct uart *uart = to_uart(dev);
	__poll_t mask = 0;

	poll_wait(file, &uart->readers, wait);
	poll_wait(file, &uart->writers, wait);
	if (uart_readable(uart))
		mask |= READABLE;
	if (!kfifo_is_full(&uart->in))
		mask |= WRITABLE;
	return mask;
}

/* UMBRA_DEV_CTRL_BREAK, the only one in ops->ctrls */
static int uart_ctrl(struct umbra_vdev *dev, u64 attr)
{
	struct uart *uart = to_uart(dev);
	int ret = 0;

	/* With write_lock the length can only fall, and that under our lock. */
	mutex_lock(&uart->write_lock);
	uart_lock(uart);
	if (uart->break_after == NO_BREAK)
		uart->break_after = kfifo_len(&uart->in);
	else
		ret = -EBUSY;
	uart_finish(uart);
	mutex_unlock(&uart->write_lock);
	return ret;
}

static void uart_close(struct umbra_vdev *dev)
{
	struct uart *uart = to_uart(dev);

	uart_lock(uart);
	uart->closed = true;
	uart_finish(uart);
}

/* --- coming and going ---------------------------------------------------- */

static int uart_alloc_buffer(struct kfifo *fifo, unsigned int size)
{
	void *buf = kvmalloc(size, GFP_KERNEL_ACCOUNT);

	if (!buf)
		return -ENOMEM;
	return kfifo_init(fifo, buf, size);
}

static void uart_free_buffers(struct uart *uart)
{
	kvfree(uart->out.kfifo.data);
	kvfree(uart->in.kfifo.data);
}

static struct umbra_vdev *uart_alloc(void)
{
	struct uart *uart = kzalloc(sizeof(*uart), GFP_KERNEL_ACCOUNT);

	if (!uart)
		return NULL;
	if (uart_alloc_buffer(&uart->out, OUT_SIZE) ||
	    uart_alloc_buffer(&uart->in, IN_SIZE)) {
		uart_free_buffers(uart);
		kfree(uart);
		return NULL;
	}
	spin_lock_init(&uart->lock);
	mutex_init(&uart->read_lock);
	mutex_init(&uart->write_lock);
	init_waitqueue_head(&uart->readers);
	init_waitqueue_head(&uart->writers);
	umbra_hrtimer_setup(&uart->wake_timer, uart_wake, CLOCK_MONOTONIC,
			    HRTIMER_MODE_REL_SOFT);
	umbra_uart__reset(&uart->regs);
	uart->break_after = NO_BREAK;
	return &uart->dev;
}

/* Before it is on the bus, so that nobody uses it yet. */
static int uart_prepare(struct umbra_vdev *dev)
{
	struct uart *uart = to_uart(dev);

	spin_lock_bh(&uart->lock);
	if (!uart->post)
		uart->post = umbra_vm_take_post(dev->vm);
	if (uart->post)
		uart->post->gpa = dev->config[UMBRA_DEV_CONFIG_ADDR];
	spin_unlock_bh(&uart->lock);
	return 0;
}

static void uart_stop(struct umbra_vdev *dev)
{
	hrtimer_cancel(&to_uart(dev)->wake_timer);
}

static void uart_free(struct umbra_vdev *dev)
{
	struct uart *uart = to_uart(dev);

	/* Also when creation failed, and stop() was never called. */
	hrtimer_cancel(&uart->wake_timer);
	uart_free_buffers(uart);
	kfree(uart);
}

const struct umbra_vdev_ops umbra_uart_ops = {
	.name		= "umbra-uart",
	.span		= UMBRA_UART_SPAN,
	.required	= BIT(UMBRA_DEV_CONFIG_ADDR),
	.optional	= BIT(UMBRA_DEV_CONFIG_IRQ),
	.ctrls		= BIT(UMBRA_DEV_CTRL_BREAK),
	.alloc		= uart_alloc,
	.free		= uart_free,
	.prepare	= uart_prepare,
	.stop		= uart_stop,
	.access		= uart_access,
	.ctrl		= uart_ctrl,
	.read		= uart_read,
	.write		= uart_write,
	.poll		= uart_poll,
	.close		= uart_close,
};
