/*
 * Files of a virtio console port.
 *
 * A reader copies from a ready buffer without the spinlock (read_lock keeps other readers out) and offers it
 * again when it is empty. A writer copies into a free chunk of CHUNK_SIZE, offers it and tells the device
 * once per chunk, not waiting for the end; the last close waits until the host has taken everything.
 * Interrupts for sent chunks are on only while somebody waits. End of file: the host has closed its end and
 * no data is left; writing then is -EPIPE.
 *
 * Locks: con->lock for lists and queues; read_lock, write_lock (mutexes, RANK_TTY) for a transfer.
 */
#include <arch/time.h>
#include <core/time.h>
#include <lib/errno.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <sched/thread.h>
#include <uapi/fcntl.h>
#include <uapi/poll.h>
#include "virtio_console.h"

#define RX_BUFFERS 8
#define TX_CHUNKS 4
#define CHUNK_ORDER 3
#define CHUNK_SIZE (PAGE_SIZE << CHUNK_ORDER)
#define CLOSE_WAIT_NS (60 * NSEC_PER_SEC)

static int offer_rx(struct port *p, struct buffer *b)
{
	struct virtq_buf v = { page_to_phys(b->page), PAGE_SIZE };

	b->pos = 0;
	return virtq_add(p->rx, &v, 0, 1, b);
}

void port_reclaim(struct port *p)
{
	struct buffer *b;

	while ((b = virtq_get(p->tx, NULL))) {
		list_add(&b->link, &p->free);
		p->in_flight--;
	}
}

static struct buffer *buffer_create(unsigned order)
{
	struct buffer *b = kzalloc(sizeof(*b));

	if (!b)
		return NULL;
	b->page = page_alloc(order, 0);
	if (!b->page) {
		kfree(b);
		return NULL;
	}
	b->data = page_to_virt(b->page);
	return b;
}

static struct port *port_of(struct chardev_file *cf)
{
	return cf->dev->private;
}

static bool can_read(struct port *p)
{
	return !list_empty(&p->ready) || !READ_ONCE(p->host_open);
}

static bool can_write(struct port *p)
{
	return !list_empty(&p->free) || !READ_ONCE(p->host_open) || virtq_has_used(p->tx);
}

static int port_alloc(struct port *p)
{
	while (p->rx->nr_free > p->rx->size - RX_BUFFERS) {
		struct buffer *b = buffer_create(0);

		if (!b)
			return -ENOMEM;
		offer_rx(p, b);
	}
	for (unsigned i = 0; i < TX_CHUNKS; i++) {
		struct buffer *b = buffer_create(CHUNK_ORDER);

		if (!b)
			return i ? 0 : -ENOMEM;
		list_add(&b->link, &p->free);
	}
	return 0;
}

/* Buffers come with the first open ever, and stay. */
static int port_open(struct chardev_file *cf)
{
	struct port *p = port_of(cf);
	irqflags_t flags;
	int error = 0;

	mutex_lock(&p->write_lock);
	if (!p->opens && list_empty(&p->free) && !p->in_flight)
		error = port_alloc(p);
	if (!error && !p->opens++) {
		flags = spin_lock_irqsave(&p->con->lock);
		virtq_kick(p->rx);
		spin_unlock_irqrestore(&p->con->lock, flags);
		vcon_tell_open(p, true);
	}
	mutex_unlock(&p->write_lock);
	return error;
}

/* Interrupts for sent chunks are on only while somebody waits for one. */
static bool tx_idle(struct port *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->con->lock);
	bool idle;

	if (virtq_enable_interrupts(p->tx))
		port_reclaim(p);
	idle = !p->in_flight;
	spin_unlock_irqrestore(&p->con->lock, flags);
	return idle;
}

static void port_release(struct chardev_file *cf)
{
	struct port *p = port_of(cf);

	mutex_lock(&p->write_lock);
	if (p->opens == 1) {
		(void)waitq_wait(&p->wait, tx_idle(p), SLEEP_KILLABLE,
				 arch_clock_ns() + CLOSE_WAIT_NS);
		vcon_tell_open(p, false);
	}
	p->opens--;
	mutex_unlock(&p->write_lock);
}

static struct buffer *first_ready(struct port *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->con->lock);
	struct buffer *b = list_first_entry_or_null(&p->ready, struct buffer, link);

	spin_unlock_irqrestore(&p->con->lock, flags);
	return b;
}

static void give_back(struct port *p, struct buffer *b)
{
	irqflags_t flags = spin_lock_irqsave(&p->con->lock);

	list_del(&b->link);
	offer_rx(p, b);
	virtq_kick(p->rx);
	spin_unlock_irqrestore(&p->con->lock, flags);
}

/* [x] read_lock. What is there; 0 when nothing is. */
static ssize_t copy_ready(struct port *p, struct uio *to)
{
	ssize_t done = 0;
	struct buffer *b;

	while (to->resid && (b = first_ready(p))) {
		size_t want = min(to->resid, (size_t)(b->len - b->pos));
		size_t n = uio_copy_to(to, b->data + b->pos, want);

		b->pos += (u32)n;
		done += (ssize_t)n;
		if (b->pos == b->len)
			give_back(p, b);
		if (n < want)
			return done ? done : -EFAULT;
	}
	return done;
}

static ssize_t port_read(struct chardev_file *cf, struct uio *to, loff_t *pos)
{
	struct port *p = port_of(cf);
	ssize_t n = 0;

	if (!to->resid)
		return 0;
	mutex_lock(&p->read_lock);
	for (;;) {
		bool open = __atomic_load_n(&p->host_open, __ATOMIC_ACQUIRE);

		n = copy_ready(p, to);
		if (n || !open)
			break;
		n = -EAGAIN;
		if (cf->flags & O_NONBLOCK)
			break;
		mutex_unlock(&p->read_lock);
		n = waitq_wait(&p->wait, can_read(p), SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (n)
			return n;
		mutex_lock(&p->read_lock);
	}
	mutex_unlock(&p->read_lock);
	return n;
}

/* A chunk to fill: 0 with *out, -EAGAIN, -EPIPE, -ERESTARTSYS. */
static bool take_chunk(struct port *p, bool wait, struct buffer **out)
{
	irqflags_t flags = spin_lock_irqsave(&p->con->lock);

	if (list_empty(&p->free)) {
		port_reclaim(p);
		if (list_empty(&p->free) && wait && virtq_enable_interrupts(p->tx))
			port_reclaim(p);
	}
	*out = list_first_entry_or_null(&p->free, struct buffer, link);
	if (*out)
		list_del(&(*out)->link);
	spin_unlock_irqrestore(&p->con->lock, flags);
	return *out || !READ_ONCE(p->host_open);
}

static int get_chunk(struct port *p, bool nonblock, struct buffer **out)
{
	int error;

	if (!READ_ONCE(p->host_open))
		return -EPIPE;
	if (!take_chunk(p, false, out)) {
		if (nonblock)
			return -EAGAIN;
		error = waitq_wait(&p->wait, take_chunk(p, true, out), SLEEP_INTERRUPTIBLE,
				   TIME_NEVER);
		if (error)
			return error;
	}
	return *out ? 0 : -EPIPE;
}

/* Offers the chunk (n bytes of it), or puts it back (0). */
static void send_chunk(struct port *p, struct buffer *b, size_t n)
{
	struct virtq_buf v = { page_to_phys(b->page), (u32)n };
	irqflags_t flags = spin_lock_irqsave(&p->con->lock);

	if (n && !virtq_add(p->tx, &v, 1, 0, b)) {
		p->in_flight++;
		virtq_disable_interrupts(p->tx);
		virtq_kick(p->tx);
	} else {
		list_add(&b->link, &p->free);
	}
	spin_unlock_irqrestore(&p->con->lock, flags);
}

static ssize_t port_write(struct chardev_file *cf, struct uio *from, loff_t *pos)
{
	struct port *p = port_of(cf);
	ssize_t done = 0;
	int error = 0;

	mutex_lock(&p->write_lock);
	while (from->resid) {
		struct buffer *b = NULL;
		size_t want = min(from->resid, CHUNK_SIZE), n;

		error = get_chunk(p, cf->flags & O_NONBLOCK, &b);
		if (error)
			break;
		n = uio_copy_from(from, b->data, want);
		send_chunk(p, b, n);
		done += (ssize_t)n;
		if (n < want) {
			error = -EFAULT;
			break;
		}
	}
	mutex_unlock(&p->write_lock);
	return done ? done : error;
}

static u32 port_poll(struct chardev_file *cf, struct dev_poll *poll)
{
	struct port *p = port_of(cf);
	irqflags_t flags;
	u32 mask = 0;

	dev_poll_add(poll, &p->wait);
	flags = spin_lock_irqsave(&p->con->lock);
	if (can_read(p))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (can_write(p) || virtq_enable_interrupts(p->tx))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (!p->host_open)
		mask |= EPOLLHUP;
	spin_unlock_irqrestore(&p->con->lock, flags);
	return mask;
}

const struct chardev_ops port_ops = {
	.open = port_open,
	.release = port_release,
	.read = port_read,
	.write = port_write,
	.poll = port_poll,
};
