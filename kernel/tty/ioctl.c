/* ioctl of terminals: modes, window size, queues. Manual: ioctl_tty(2). */
#include <arch/uaccess.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/thread.h>
#include <tty/job.h>
#include <uapi/poll.h>
#include <uapi/signal.h>
#include "internal.h"

static int get_termios(struct tty *tty, uptr_t arg, size_t size)
{
	return copy_to_user(arg, &tty->ldisc.t, size);
}

static int set_termios(struct tty *tty, uptr_t arg, size_t size, bool flush)
{
	struct ktermios t = tty->ldisc.t;
	int error = copy_from_user(&t, arg, size);

	if (error)
		return error;
	error = tty_check_foreground(tty, SIGTTOU);
	if (error)
		return error;
	if (flush)
		ldisc_flush_input(&tty->ldisc);
	ldisc_set_termios(&tty->ldisc, &t);
	/* Readers look again: other rules may make what is there enough; a sender may have room. */
	tty->device->unthrottle(tty);
	waitq_wake_all(&tty->read_wait, 0);
	waitq_wake_all(&tty->write_wait, 0);
	return 0;
}

static int flush_queues(struct tty *tty, uptr_t arg)
{
	int error = tty_check_foreground(tty, SIGTTOU);

	if (error)
		return error;
	if (arg > TCIOFLUSH_)
		return -EINVAL;
	if (arg != TCOFLUSH_) {
		ldisc_flush_input(&tty->ldisc);
		tty->device->unthrottle(tty);
	}
	if (arg != TCIFLUSH_)
		tty->device->flush_output(tty);
	return 0;
}

static int flow(struct tty *tty, uptr_t arg)
{
	int error = tty_check_foreground(tty, SIGTTOU);
	u8 c;

	if (error)
		return error;
	switch (arg) {
	case TCOOFF_: tty->ldisc.stopped = true; return 0;
	case TCOON_:
		tty->ldisc.stopped = false;
		waitq_wake_all(&tty->write_wait, EPOLLOUT | EPOLLWRNORM);
		return 0;
	case TCIOFF_:
	case TCION_:
		c = tty->ldisc.t.c_cc[arg == TCIOFF_ ? K_VSTOP : K_VSTART];
		if (c)
			tty->device->write(tty, &c, 1);
		return 0;
	default: return -EINVAL;
	}
}

/* A byte as if typed: for the caller's own terminal. */
static int simulate_input(struct tty *tty, uptr_t arg)
{
	u8 c;
	int error;

	if (tty_job_ops.tty() != tty && !fs_capable(CAP_SYS_ADMIN))
		return -EPERM;
	error = copy_from_user(&c, arg, 1);
	if (!error)
		tty_receive(tty, &c, 1);
	return error;
}

void tty_set_winsize(struct tty *tty, const struct kwinsize *w)
{
	if (!memcmp(w, &tty->winsize, sizeof(*w)))
		return;
	tty->winsize = *w;
	if (tty->pgrp)
		tty_job_ops.signal_pgrp(tty->pgrp, SIGWINCH);
}

static int set_winsize_from(struct tty *tty, uptr_t arg)
{
	struct kwinsize w;
	int error = copy_obj_from_user(&w, arg);

	if (!error)
		tty_set_winsize(tty, &w);
	return error;
}

static int put_int(uptr_t arg, int v)
{
	return copy_obj_to_user(arg, &v);
}

static long mode_ioctl(struct tty *tty, unsigned cmd, uptr_t arg)
{
	switch (cmd) {
	case TCGETS: return get_termios(tty, arg, TERMIOS_SIZE);
	case TCGETS2: return get_termios(tty, arg, TERMIOS2_SIZE);
	case TCSETS:
	case TCSETSW: return set_termios(tty, arg, TERMIOS_SIZE, false);
	case TCSETSF: return set_termios(tty, arg, TERMIOS_SIZE, true);
	case TCSETS2:
	case TCSETSW2: return set_termios(tty, arg, TERMIOS2_SIZE, false);
	case TCSETSF2: return set_termios(tty, arg, TERMIOS2_SIZE, true);
	default: return -ENOTTY;
	}
}

long tty_common_ioctl(struct tty *tty, unsigned cmd, uptr_t arg, bool master)
{
	bool handled = false;
	long error = tty_job_ioctl(tty, cmd, arg, master, &handled);

	if (handled)
		return error;
	switch (cmd) {
	case TIOCGWINSZ: return copy_obj_to_user(arg, &tty->winsize);
	case TIOCSWINSZ: return set_winsize_from(tty, arg);
	case TCFLSH: return flush_queues(tty, arg);
	case TCXONC: return flow(tty, arg);
	/* Output is never held back: there is nothing to wait for, and no line to send a break on. */
	case TCSBRK:
	case TCSBRKP: return tty_check_foreground(tty, SIGTTOU);
	case TIOCSTI: return simulate_input(tty, arg);
	case TIOCGETD: return put_int(arg, 0);
	default: return mode_ioctl(tty, cmd, arg);
	}
}

static int set_discipline(uptr_t arg)
{
	int n;
	int error = copy_obj_from_user(&n, arg);

	return error ? error : n ? -EINVAL : 0;
}

static long own_ioctl(struct tty *tty, unsigned cmd, uptr_t arg)
{
	long error;

	switch (cmd) {
	case TIOCINQ: return put_int(arg, (int)ldisc_pending(&tty->ldisc));
	case TIOCOUTQ: return put_int(arg, 0);
	case TIOCSETD: return set_discipline(arg);
	case TIOCEXCL: tty->exclusive = true; return 0;
	case TIOCNXCL: tty->exclusive = false; return 0;
	case TIOCGEXCL: return put_int(arg, tty->exclusive);
	case TIOCGDEV: return put_int(arg, (int)tty->devno);
	default:
		error = tty->device->ioctl(tty, cmd, arg);
		return error == -ENOTTY ? tty_common_ioctl(tty, cmd, arg, false) : error;
	}
}

long tty_ioctl(struct chardev_file *cf, unsigned cmd, uptr_t arg)
{
	struct tty_file *tf = cf->private;
	struct tty *tty = tf->tty;
	long error;

	mutex_lock(tty->lock);
	if (tty_file_dead(tf))
		error = cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	else
		error = own_ioctl(tty, cmd, arg);
	mutex_unlock(tty->lock);
	return error;
}
