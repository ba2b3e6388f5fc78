/*
 * eventfd: a counter that can be waited for. One spinlock protects it; readers wait for it not to be 0,
 * writers for room below the maximum. Manual: eventfd(2).
 */
#include <core/time.h>
#include <debug/inject.h>
#include <fs/events.h>
#include <fs/poll.h>
#include <lib/format.h>
#include <sched/thread.h>
#include "internal.h"

#define COUNT_MAX (~0ull - 1)

struct eventfd {
	u64 count; /* [x] lock, read anywhere */
	struct spinlock lock;
	bool semaphore; /* [I] */
	struct waitq wait;
};

static bool take(struct eventfd *e, u64 *value)
{
	bool got;

	spin_lock(&e->lock);
	got = e->count != 0;
	*value = e->semaphore && !INJECT("eventfd_no_semaphore") ? 1 : e->count;
	if (got)
		e->count -= *value;
	spin_unlock(&e->lock);
	return got;
}

static ssize_t eventfd_read(struct file *f, struct uio *to, loff_t *pos)
{
	struct eventfd *e = f->private;
	u64 value;

	(void)pos;
	if (to->resid < sizeof(value))
		return -EINVAL;
	while (!take(e, &value)) {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = waitq_wait(&e->wait, READ_ONCE(e->count), SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (err)
			return err;
	}
	if (waitq_active(&e->wait))
		waitq_wake_all(&e->wait, EPOLLOUT | EPOLLWRNORM);
	return uio_copy_to(to, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value)
								       : -EFAULT;
}

static bool add(struct eventfd *e, u64 value)
{
	bool fits;

	spin_lock(&e->lock);
	fits = value <= COUNT_MAX - e->count;
	if (fits)
		e->count += value;
	spin_unlock(&e->lock);
	return fits;
}

static ssize_t eventfd_write(struct file *f, struct uio *from, loff_t *pos)
{
	struct eventfd *e = f->private;
	u64 value;

	(void)pos;
	if (from->resid < sizeof(value))
		return -EINVAL;
	if (uio_copy_from(from, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == ~0ull)
		return -EINVAL;
	while (!add(e, value)) {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = waitq_wait(&e->wait, value <= COUNT_MAX - READ_ONCE(e->count),
				 SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (err)
			return err;
	}
	if (value && waitq_active(&e->wait))
		waitq_wake_all(&e->wait, EPOLLIN | EPOLLRDNORM);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->private;
	u64 count;

	poll_wait(f, &e->wait, pt);
	count = READ_ONCE(e->count);
	return (count ? EPOLLIN | EPOLLRDNORM : 0) |
	       (count < COUNT_MAX ? EPOLLOUT | EPOLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->private);
}

static void eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->private;

	snprintf(buf, size, "eventfd-count: %16llx\n", READ_ONCE(e->count));
}

static const struct file_ops eventfd_fops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_fdinfo,
};

int eventfd_create(u64 count, unsigned flags, struct file **out)
{
	struct eventfd *e;
	int err;

	if (flags & ~(unsigned)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	spin_init(&e->lock, "eventfd", RANK_FILES);
	waitq_init(&e->wait);
	err = file_create_anon(&eventfd_fops, e, O_RDWR | (flags & EFD_NONBLOCK),
			       "anon_inode:[eventfd]", out);
	if (err)
		kfree(e);
	return err;
}
