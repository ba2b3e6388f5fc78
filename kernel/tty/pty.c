/*
 * Pseudo-terminals: a terminal whose line is another file, the master.
 *
 * Opening /dev/ptmx takes a pair; what the slave writes goes into the pair's ring, which the master reads;
 * what the master writes is received by the slave's line discipline. One mutex guards a pair. Pairs are
 * made as needed and used again, never freed. The master's end hangs the slave up; when the slave was open
 * and no file of it is left, the master reads -EIO. Manual: pty(7), pts(4), ioctl_tty(2).
 * Leaves out: packet mode, TIOCGPTPEER.
 */
#include <arch/uaccess.h>
#include <core/time.h>
#include <fs/devpts.h>
#include <lib/errno.h>
#include <lib/ring.h>
#include <mm/slab.h>
#include <tty/job.h>
#include <uapi/fcntl.h>
#include <uapi/poll.h>
#include <uapi/signal.h>
#include "internal.h"

#define PTY_MAX 256
#define OUT_SIZE 16384
#define PTS_MAJOR 136
#define COPY_SIZE 256

struct pty {
	struct mutex lock;
	struct tty slave;
	unsigned index;
	bool used; /* [x] ptys_lock: by a master or a slave's file */
	bool master_open; /* [x] lock */
	bool locked; /* [x] lock: TIOCSPTLCK */
	bool slave_gone; /* [x] lock: it was open, and is not now */
	struct waitq wait; /* the master's */
	struct ring out; /* [x] lock */
	u8 out_buf[OUT_SIZE];
};

static struct pty *ptys[PTY_MAX]; /* [x] ptys_lock; entries stay */
static struct mutex ptys_lock;

/* --- the slave's line --- */

static size_t slave_write(struct tty *tty, const u8 *s, size_t n)
{
	struct pty *p = tty->private;

	n = ring_put(&p->out, s, (u32)n);
	if (n)
		waitq_wake_all(&p->wait, EPOLLIN | EPOLLRDNORM);
	return n;
}

static size_t slave_room(struct tty *tty)
{
	struct pty *p = tty->private;

	return ring_space(&p->out);
}

static void slave_unthrottle(struct tty *tty)
{
	struct pty *p = tty->private;

	waitq_wake_all(&p->wait, EPOLLOUT | EPOLLWRNORM);
}

static void slave_flush(struct tty *tty)
{
	struct pty *p = tty->private;

	ring_skip(&p->out, ring_used(&p->out));
	waitq_wake_all(&tty->write_wait, EPOLLOUT | EPOLLWRNORM);
}

static int slave_opened(struct tty *tty)
{
	struct pty *p = tty->private;

	if (!p->master_open || p->locked)
		return -EIO;
	p->slave_gone = false;
	return 0;
}

static void slave_closed(struct tty *tty)
{
	struct pty *p = tty->private;

	p->slave_gone = true;
	if (!p->master_open)
		p->used = false;
	waitq_wake_all(&p->wait, EPOLLHUP);
}

static long slave_ioctl(struct tty *tty, unsigned cmd, uptr_t arg)
{
	return -ENOTTY;
}

static const struct tty_device slave_device = {
	.write = slave_write,
	.room = slave_room,
	.unthrottle = slave_unthrottle,
	.flush_output = slave_flush,
	.opened = slave_opened,
	.closed = slave_closed,
	.ioctl = slave_ioctl,
};

struct tty *pty_slave_find(unsigned n)
{
	struct pty *p = n < PTY_MAX ? READ_ONCE(ptys[n]) : NULL;

	return p ? &p->slave : NULL;
}

/* --- the master --- */

static struct pty *pty_create(unsigned index)
{
	struct pty *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->index = index;
	mutex_init(&p->lock, "pty", RANK_TTY);
	waitq_init(&p->wait);
	return p;
}

/* As new. The wait queues stay: somebody may still be taking himself off. */
static void pty_reset(struct pty *p)
{
	u32 hangups = p->slave.hangups;

	if (!p->slave.device)
		tty_setup(&p->slave, &slave_device, p, &p->lock);
	else
		ldisc_init(&p->slave.ldisc, p->slave.ldisc.hooks);
	p->slave.hangups = hangups;
	p->slave.devno = DEV_NUMBER(PTS_MAJOR, p->index);
	p->slave.winsize = (struct kwinsize){ 0 };
	p->slave.other_closed = false;
	p->slave.exclusive = false;
	p->slave_gone = false;
	p->master_open = p->locked = p->used = true;
	ring_init(&p->out, p->out_buf, OUT_SIZE);
}

static struct pty *pty_take(void)
{
	struct pty *p = NULL;

	mutex_lock(&ptys_lock);
	for (unsigned i = 0; i < PTY_MAX && !p; i++) {
		if (ptys[i] && READ_ONCE(ptys[i]->used))
			continue;
		p = ptys[i] ? ptys[i] : pty_create(i);
		if (!p)
			break;
		pty_reset(p);
		WRITE_ONCE(ptys[i], p);
	}
	mutex_unlock(&ptys_lock);
	return p;
}

static int master_open(struct chardev_file *cf)
{
	struct pty *p = pty_take();
	int error;

	if (!p)
		return -ENOSPC;
	error = devpts_add(p->index, p->slave.devno);
	if (error) {
		p->used = false;
		return error;
	}
	cf->private = p;
	return 0;
}

static void master_release(struct chardev_file *cf)
{
	struct pty *p = cf->private;

	devpts_remove(p->index);
	mutex_lock(&p->lock);
	p->master_open = false;
	p->slave.other_closed = true;
	tty_hangup(&p->slave, false);
	if (!p->slave.opens)
		p->used = false;
	mutex_unlock(&p->lock);
}

/* What the slave has written: bytes, 0 when there is nothing, -EFAULT. */
static ssize_t take_output(struct pty *p, struct uio *to)
{
	ssize_t done = 0;
	u8 *data;
	u32 n;

	while (to->resid && (n = ring_span(&p->out, &data)) != 0) {
		size_t want = min_t(size_t, n, to->resid), moved = uio_copy_to(to, data, want);

		ring_skip(&p->out, (u32)moved);
		done += (ssize_t)moved;
		if (moved < want)
			return done ? done : -EFAULT;
	}
	if (done)
		waitq_wake_all(&p->slave.write_wait, EPOLLOUT | EPOLLWRNORM);
	return done;
}

static ssize_t master_read(struct chardev_file *cf, struct uio *to, loff_t *pos)
{
	struct pty *p = cf->private;
	ssize_t n = 0;

	if (!to->resid)
		return 0;
	mutex_lock(&p->lock);
	while ((n = take_output(p, to)) == 0) {
		if (p->slave_gone)
			n = -EIO;
		else if (cf->flags & O_NONBLOCK)
			n = -EAGAIN;
		if (n)
			break;
		mutex_unlock(&p->lock);
		n = waitq_wait(&p->wait, !ring_empty(&p->out) || READ_ONCE(p->slave_gone),
			       SLEEP_INTERRUPTIBLE, TIME_NEVER);
		mutex_lock(&p->lock);
		if (n)
			break;
	}
	mutex_unlock(&p->lock);
	return n;
}

static bool master_room(struct pty *p)
{
	return ldisc_room(&p->slave.ldisc) != 0;
}

/* One piece into the line discipline; lock held. Bytes, or an error. */
static ssize_t give_input(struct pty *p, struct uio *from)
{
	u8 buf[COPY_SIZE];
	size_t n = uio_copy_from(from, buf, min(from->resid, sizeof(buf))), taken = 0;

	if (!n)
		return -EFAULT;
	while (taken < n) {
		size_t got = tty_receive(&p->slave, buf + taken, n - taken);

		if (!got)
			break;
		taken += got;
	}
	uio_revert(from, n - taken);
	return (ssize_t)taken;
}

static ssize_t master_write(struct chardev_file *cf, struct uio *from, loff_t *pos)
{
	struct pty *p = cf->private;
	ssize_t done = 0, n = 0;

	mutex_lock(&p->lock);
	while (from->resid && n >= 0) {
		if (p->slave_gone) {
			n = -EIO;
		} else if (master_room(p)) {
			n = give_input(p, from);
			done += n > 0 ? n : 0;
		} else if (cf->flags & O_NONBLOCK) {
			n = -EAGAIN;
		} else {
			mutex_unlock(&p->lock);
			n = waitq_wait(&p->wait, master_room(p) || READ_ONCE(p->slave_gone),
				       SLEEP_INTERRUPTIBLE, TIME_NEVER);
			mutex_lock(&p->lock);
		}
	}
	mutex_unlock(&p->lock);
	return done ? done : n;
}

static u32 master_poll(struct chardev_file *cf, struct dev_poll *poll)
{
	struct pty *p = cf->private;
	u32 mask = 0;

	dev_poll_add(poll, &p->wait);
	mutex_lock(&p->lock);
	if (!ring_empty(&p->out))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (p->slave_gone)
		mask |= EPOLLHUP;
	if (master_room(p))
		mask |= EPOLLOUT | EPOLLWRNORM;
	mutex_unlock(&p->lock);
	return mask;
}

static int set_lock(struct pty *p, uptr_t arg)
{
	int v;
	int error = copy_obj_from_user(&v, arg);

	if (!error)
		p->locked = v != 0;
	return error;
}

static int send_signal(struct pty *p, uptr_t arg)
{
	int sig = (int)arg;

	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return -EINVAL;
	if (p->slave.pgrp)
		tty_job_ops.signal_pgrp(p->slave.pgrp, sig);
	return 0;
}

static long master_ioctl_locked(struct pty *p, unsigned cmd, uptr_t arg)
{
	int v;

	switch (cmd) {
	case TIOCGPTN: v = (int)p->index; return copy_obj_to_user(arg, &v);
	case TIOCSPTLCK: return set_lock(p, arg);
	case TIOCGPTLCK: v = p->locked; return copy_obj_to_user(arg, &v);
	case TIOCINQ: v = (int)ring_used(&p->out); return copy_obj_to_user(arg, &v);
	case TIOCOUTQ: v = (int)ldisc_pending(&p->slave.ldisc); return copy_obj_to_user(arg, &v);
	case TIOCSIG: return send_signal(p, arg);
	default: return tty_common_ioctl(&p->slave, cmd, arg, true);
	}
}

static long master_ioctl(struct chardev_file *cf, unsigned cmd, uptr_t arg)
{
	struct pty *p = cf->private;
	long error;

	mutex_lock(&p->lock);
	error = master_ioctl_locked(p, cmd, arg);
	mutex_unlock(&p->lock);
	return error;
}

static const struct chardev_ops master_ops = {
	.open = master_open,
	.release = master_release,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
};
static struct chardev ptmx_dev = {
	.name = "ptmx", .devno = DEV_NUMBER(5, 2), .mode = 0666, .gid = 5, .ops = &master_ops
};
static struct chardev pts_dev = { .devno = DEV_NUMBER(PTS_MAJOR, 0),
				  .count = PTY_MAX,
				  .ops = &tty_file_ops };

void pty_init(void)
{
	mutex_init(&ptys_lock, "ptys", RANK_EPOLL);
	chardev_register(&ptmx_dev);
	chardev_register(&pts_dev);
	devpts_init();
}
