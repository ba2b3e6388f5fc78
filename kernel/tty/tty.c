/*
 * Open terminals: open, read, write, poll, close.
 *
 * Reading takes from the line discipline under tty->lock and waits on read_wait without it. The rules for
 * how much a raw read waits for (VMIN, VTIME) are in wait_min(). Writing processes a piece, hands it to the
 * device, and waits on write_wait when the device is full or output is stopped.
 * Manual: termios(3), tty(4).
 */
#include <arch/time.h>
#include <core/time.h>
#include <debug/klog.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <tty/job.h>
#include <tty/tty.h>
#include <uapi/fcntl.h>
#include <uapi/poll.h>
#include <uapi/signal.h>
#include "internal.h"

#define READ_CHUNK 256
#define WRITE_CHUNK 128
#define DECISECOND (100 * NSEC_PER_MSEC)

static struct tty_file *file_of(struct chardev_file *cf)
{
	return cf->private;
}

static struct tty *tty_of(struct ldisc *l)
{
	return container_of(l, struct tty, ldisc);
}

static void hook_output(struct ldisc *l, const u8 *s, size_t n)
{
	struct tty *tty = tty_of(l);

	tty->device->write(tty, s, n);
}

static void hook_signal(struct ldisc *l, int sig, bool flush)
{
	struct tty *tty = tty_of(l);

	if (flush)
		tty->device->flush_output(tty);
	if (tty->pgrp)
		tty_job_ops.signal_pgrp(tty->pgrp, sig);
}

static void hook_flow(struct ldisc *l, bool stopped)
{
	if (!stopped)
		waitq_wake_all(&tty_of(l)->write_wait, EPOLLOUT | EPOLLWRNORM);
}

static const struct ldisc_hooks hooks = { hook_output, hook_signal, hook_flow };

void tty_setup(struct tty *tty, const struct tty_device *device, void *private, struct mutex *lock)
{
	ldisc_init(&tty->ldisc, &hooks);
	mutex_init(&tty->own_lock, "tty", RANK_TTY);
	tty->lock = lock ? lock : &tty->own_lock;
	tty->device = device;
	tty->private = private;
	waitq_init(&tty->read_wait);
	waitq_init(&tty->write_wait);
}

bool tty_file_dead(const struct tty_file *tf)
{
	return !tf->console && tf->hangups != tf->tty->hangups;
}

static unsigned raw_min(const struct tty *tty)
{
	const u8 *cc = tty->ldisc.t.c_cc;

	return cc[K_VTIME] ? 1 : max_t(unsigned, cc[K_VMIN], 1);
}

size_t tty_receive(struct tty *tty, const u8 *s, size_t n)
{
	n = min(n, ldisc_room(&tty->ldisc));
	ldisc_receive(&tty->ldisc, s, n);
	if (ldisc_readable(&tty->ldisc, raw_min(tty)))
		waitq_wake_all(&tty->read_wait, EPOLLIN | EPOLLRDNORM);
	return n;
}

/* --- open and close --- */

static bool takes_control(const struct chardev_file *cf, const struct tty *tty, bool console)
{
	return !(cf->flags & (O_NOCTTY | O_PATH)) && !console && tty_job_ops.is_leader() &&
	       !tty_job_ops.tty() && !tty->session;
}

int tty_open(struct chardev_file *cf, struct tty *tty)
{
	struct tty_file *tf = kzalloc(sizeof(*tf));
	int error;

	if (!tf)
		return -ENOMEM;
	tf->console = cf->devno == DEV_NUMBER(5, 1);
	mutex_lock(tty->lock);
	error = tty->exclusive ? -EBUSY : tty->device->opened(tty);
	if (error) {
		mutex_unlock(tty->lock);
		kfree(tf);
		return error;
	}
	tf->tty = tty;
	tf->hangups = tty->hangups;
	tty->opens++;
	if (takes_control(cf, tty, tf->console))
		tty_acquire(tty);
	mutex_unlock(tty->lock);
	cf->private = tf;
	return 0;
}

static int tty_file_open(struct chardev_file *cf)
{
	struct tty *tty = cf->dev->private;

	if (cf->devno == DEV_NUMBER(5, 0))
		tty = tty_job_ops.tty();
	else if (cf->devno == DEV_NUMBER(5, 1))
		tty = tty_console();
	else if (!tty)
		tty = pty_slave_find(DEV_MINOR(cf->devno));
	return tty ? tty_open(cf, tty) : -ENXIO;
}

static void tty_file_release(struct chardev_file *cf)
{
	struct tty_file *tf = file_of(cf);
	struct tty *tty = tf->tty;

	mutex_lock(tty->lock);
	if (!--tty->opens) {
		tty->exclusive = false;
		tty->device->closed(tty);
	}
	mutex_unlock(tty->lock);
	kfree(tf);
}

/* --- reading --- */

static bool read_ready(const struct tty_file *tf)
{
	struct tty *tty = tf->tty;

	return ldisc_readable(&tty->ldisc, 1) || READ_ONCE(tty->other_closed) || tty_file_dead(tf);
}

/* Waits, without the lock, until there is something. 0, -ETIMEDOUT, -ERESTARTSYS. */
static int wait_input(const struct tty_file *tf, u64 deadline)
{
	struct tty *tty = tf->tty;
	int error;

	mutex_unlock(tty->lock);
	error = waitq_wait(&tty->read_wait, read_ready(tf), SLEEP_INTERRUPTIBLE, deadline);
	mutex_lock(tty->lock);
	return error;
}

/* Moves what is there, at most one line in canonical mode. Bytes, or -EFAULT. */
static ssize_t take_input(struct tty *tty, struct uio *to)
{
	bool canon = tty->ldisc.t.c_lflag & K_ICANON;
	u8 chunk[READ_CHUNK];
	ssize_t done = 0;

	while (to->resid && ldisc_readable(&tty->ldisc, 1)) {
		size_t n = ldisc_read(&tty->ldisc, chunk, min(to->resid, sizeof(chunk)));
		bool full = n == sizeof(chunk);

		if (uio_copy_to(to, chunk, n) < n)
			return done ? done : -EFAULT;
		done += (ssize_t)n;
		if (canon && !(full && chunk[n - 1] != '\n'))
			break;
	}
	tty->device->unthrottle(tty);
	return done;
}

/* Raw mode: until min bytes have come, or the time between two of them (or to the first) is up. */
static ssize_t read_raw(struct tty_file *tf, struct uio *to, bool nonblock)
{
	struct tty *tty = tf->tty;
	unsigned min_bytes = tty->ldisc.t.c_cc[K_VMIN];
	u64 timeout = tty->ldisc.t.c_cc[K_VTIME] * DECISECOND;
	ssize_t done = 0, n;

	for (;;) {
		u64 deadline = TIME_NEVER;
		int error;

		n = take_input(tty, to);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (done >= max(min_bytes, 1u) || !to->resid || tty->other_closed ||
		    tty_file_dead(tf))
			return done;
		if (!min_bytes && !timeout)
			return done;
		if (nonblock)
			return done ? done : -EAGAIN;
		if (timeout && (!min_bytes || done))
			deadline = arch_clock_ns() + timeout;
		error = wait_input(tf, deadline);
		if (error)
			return error == -ETIMEDOUT || done ? done : error;
		if (tty->ldisc.t.c_lflag & K_ICANON)
			return done ? done : -EAGAIN;
	}
}

static ssize_t read_canon(struct tty_file *tf, struct uio *to, bool nonblock)
{
	struct tty *tty = tf->tty;

	while (!ldisc_readable(&tty->ldisc, 1)) {
		int error;

		if (tty->other_closed || tty_file_dead(tf))
			return 0;
		if (nonblock)
			return -EAGAIN;
		error = wait_input(tf, TIME_NEVER);
		if (error)
			return error;
		if (!(tty->ldisc.t.c_lflag & K_ICANON))
			return read_raw(tf, to, nonblock);
	}
	return take_input(tty, to);
}

static ssize_t tty_file_read(struct chardev_file *cf, struct uio *to, loff_t *pos)
{
	struct tty_file *tf = file_of(cf);
	struct tty *tty = tf->tty;
	bool nonblock = cf->flags & O_NONBLOCK;
	ssize_t n;

	mutex_lock(tty->lock);
	if (tty_file_dead(tf)) {
		n = 0;
	} else {
		n = tty_check_foreground(tty, SIGTTIN);
		if (!n && to->resid)
			n = tty->ldisc.t.c_lflag & K_ICANON ? read_canon(tf, to, nonblock)
							    : read_raw(tf, to, nonblock);
	}
	/* The master has closed and nothing is left. */
	if (!n && to->resid && tty->other_closed)
		n = tty_file_dead(tf) ? 0 : -EIO;
	mutex_unlock(tty->lock);
	return n;
}

/* --- writing --- */

static bool write_ready(const struct tty_file *tf)
{
	struct tty *tty = tf->tty;

	return (!READ_ONCE(tty->ldisc.stopped) && tty->device->room(tty)) || tty_file_dead(tf) ||
	       READ_ONCE(tty->other_closed);
}

/* Room for processed output: 0, -EAGAIN, -EIO, -ERESTARTSYS. */
static int wait_room(struct tty_file *tf, bool nonblock)
{
	struct tty *tty = tf->tty;

	while (tty->ldisc.stopped || tty->device->room(tty) < WRITE_CHUNK) {
		int error;

		if (tty_file_dead(tf) || tty->other_closed)
			return -EIO;
		if (nonblock)
			return -EAGAIN;
		mutex_unlock(tty->lock);
		error = waitq_wait(&tty->write_wait, write_ready(tf), SLEEP_INTERRUPTIBLE,
				   TIME_NEVER);
		mutex_lock(tty->lock);
		if (error)
			return error;
	}
	return tty_file_dead(tf) || tty->other_closed ? -EIO : 0;
}

static ssize_t write_locked(struct tty_file *tf, struct uio *from, bool nonblock)
{
	struct tty *tty = tf->tty;
	u8 in[WRITE_CHUNK], out[WRITE_CHUNK];
	ssize_t done = 0;

	while (from->resid) {
		size_t n, used, produced;
		int error = wait_room(tf, nonblock);

		if (error)
			return done ? done : error;
		n = uio_copy_from(from, in, min(from->resid, sizeof(in)));
		if (!n)
			return done ? done : -EFAULT;
		used = ldisc_process_output(&tty->ldisc, in, n, out, sizeof(out), &produced);
		uio_revert(from, n - used);
		tty->device->write(tty, out, produced);
		done += (ssize_t)used;
	}
	return done;
}

static ssize_t tty_file_write(struct chardev_file *cf, struct uio *from, loff_t *pos)
{
	struct tty_file *tf = file_of(cf);
	struct tty *tty = tf->tty;
	ssize_t n = 0;

	mutex_lock(tty->lock);
	if (tty_file_dead(tf) || tty->other_closed)
		n = -EIO;
	else if (tty->ldisc.t.c_lflag & K_TOSTOP)
		n = tty_check_foreground(tty, SIGTTOU);
	if (!n)
		n = write_locked(tf, from, cf->flags & O_NONBLOCK);
	mutex_unlock(tty->lock);
	return n;
}

static u32 tty_file_poll(struct chardev_file *cf, struct dev_poll *p)
{
	struct tty_file *tf = file_of(cf);
	struct tty *tty = tf->tty;
	u32 mask = 0;

	dev_poll_add(p, &tty->read_wait);
	dev_poll_add(p, &tty->write_wait);
	mutex_lock(tty->lock);
	if (tty_file_dead(tf)) {
		mask = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
	} else {
		if (ldisc_readable(&tty->ldisc, raw_min(tty)))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (tty->other_closed)
			mask |= EPOLLHUP;
		else if (!tty->ldisc.stopped && tty->device->room(tty) >= WRITE_CHUNK)
			mask |= EPOLLOUT | EPOLLWRNORM;
	}
	mutex_unlock(tty->lock);
	return mask;
}

const struct chardev_ops tty_file_ops = {
	.open = tty_file_open,
	.release = tty_file_release,
	.read = tty_file_read,
	.write = tty_file_write,
	.poll = tty_file_poll,
	.ioctl = tty_ioctl,
};

dev_t tty_devno(const struct tty *tty)
{
	return tty ? tty->devno : 0;
}

s32 tty_foreground(const struct tty *tty)
{
	return tty ? READ_ONCE(tty->pgrp) : -1;
}

static struct chardev current_dev = {
	.name = "tty", .devno = DEV_NUMBER(5, 0), .mode = 0666, .gid = 5, .ops = &tty_file_ops
};
static struct chardev console_dev = {
	.name = "console", .devno = DEV_NUMBER(5, 1), .mode = 0600, .gid = 5, .ops = &tty_file_ops
};

static struct tty *console_tty; /* [I] after tty_init() */

struct tty *tty_console(void)
{
	return console_tty;
}

void tty_console_offer(struct tty *tty, const char *name)
{
	const char *wanted = console_preferred();

	if (!console_tty || (wanted && !strcmp(wanted, name)))
		console_tty = tty;
}

void tty_init(void)
{
	tty_serial_init();
	screen_init();
	chardev_register(&current_dev);
	chardev_register(&console_dev);
	pty_init();
}
