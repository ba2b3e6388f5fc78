/*
 * Job control and controlling terminals.
 *
 * A terminal names its session and its foreground group by number; processes know their terminal. Both
 * change under tty->lock. Manual: credentials(7), setsid(2), tcsetpgrp(3), ioctl_tty(2).
 */
#include <arch/uaccess.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include <tty/job.h>
#include <uapi/capability.h>
#include <uapi/poll.h>
#include <uapi/signal.h>
#include "internal.h"

int tty_check_foreground(struct tty *tty, int sig)
{
	s32 pgrp = tty_job_ops.pgrp();

	if (tty_job_ops.tty() != tty || !tty->pgrp || pgrp == tty->pgrp)
		return 0;
	if (tty_job_ops.ignores(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (tty_job_ops.pgrp_orphaned())
		return -EIO;
	tty_job_ops.signal_pgrp(pgrp, sig);
	return -ERESTARTSYS;
}

void tty_acquire(struct tty *tty)
{
	tty->session = tty_job_ops.session();
	tty->pgrp = tty_job_ops.pgrp();
	tty_job_ops.set_tty(tty);
}

/* Nobody's controlling terminal from here on. */
static void detach(struct tty *tty)
{
	tty->session = 0;
	tty->pgrp = 0;
	tty_job_ops.forget_tty(tty);
}

void tty_hangup(struct tty *tty, bool session_ends)
{
	s32 session = tty->session, pgrp = tty->pgrp;

	tty->hangups++;
	ldisc_flush_input(&tty->ldisc);
	tty->ldisc.stopped = false;
	detach(tty);
	if (session) {
		tty_job_ops.signal_leader(session, SIGHUP);
		tty_job_ops.signal_leader(session, SIGCONT);
	}
	if (session_ends && pgrp)
		tty_job_ops.signal_pgrp(pgrp, SIGHUP);
	waitq_wake_all(&tty->read_wait, 0);
	waitq_wake_all(&tty->write_wait, 0);
}

void tty_leader_left(struct tty *tty, bool exiting)
{
	mutex_lock(tty->lock);
	if (exiting) {
		tty_hangup(tty, true);
	} else {
		s32 pgrp = tty->pgrp;

		detach(tty);
		if (pgrp) {
			tty_job_ops.signal_pgrp(pgrp, SIGHUP);
			tty_job_ops.signal_pgrp(pgrp, SIGCONT);
		}
	}
	mutex_unlock(tty->lock);
}

static int set_controlling(struct tty *tty, uptr_t steal)
{
	struct tty *old = tty_job_ops.tty();

	if (tty_job_ops.is_leader() && old == tty && tty->session == tty_job_ops.session())
		return 0;
	if (!tty_job_ops.is_leader() || old)
		return -EPERM;
	if (tty->session) {
		if (steal != 1 || !fs_capable(CAP_SYS_ADMIN))
			return -EPERM;
		detach(tty);
	}
	tty_acquire(tty);
	return 0;
}

static int give_up(struct tty *tty)
{
	s32 pgrp = tty->pgrp;

	if (tty_job_ops.tty() != tty)
		return -ENOTTY;
	if (!tty_job_ops.is_leader()) {
		tty_job_ops.set_tty(NULL);
		return 0;
	}
	detach(tty);
	if (pgrp) {
		tty_job_ops.signal_pgrp(pgrp, SIGHUP);
		tty_job_ops.signal_pgrp(pgrp, SIGCONT);
	}
	return 0;
}

static bool is_own(struct tty *tty)
{
	return tty_job_ops.tty() == tty && tty->session == tty_job_ops.session();
}

static int set_foreground(struct tty *tty, uptr_t arg)
{
	s32 pgrp, session;
	int error = tty_check_foreground(tty, SIGTTOU);

	if (error)
		return error == -EIO ? -ENOTTY : error;
	if (!is_own(tty))
		return -ENOTTY;
	error = copy_obj_from_user(&pgrp, arg);
	if (error)
		return error;
	if (pgrp < 0)
		return -EINVAL;
	session = tty_job_ops.session_of_pgrp(pgrp);
	if (session < 0)
		return session;
	if (session != tty->session)
		return -EPERM;
	WRITE_ONCE(tty->pgrp, pgrp);
	return 0;
}

static int get_foreground(struct tty *tty, uptr_t arg, bool master)
{
	if (!master && tty_job_ops.tty() != tty)
		return -ENOTTY;
	return copy_obj_to_user(arg, &tty->pgrp);
}

static int get_session(struct tty *tty, uptr_t arg, bool master)
{
	if ((!master && tty_job_ops.tty() != tty) || !tty->session)
		return -ENOTTY;
	return copy_obj_to_user(arg, &tty->session);
}

int tty_job_ioctl(struct tty *tty, unsigned cmd, uptr_t arg, bool master, bool *handled)
{
	*handled = true;
	switch (cmd) {
	case TIOCSCTTY: return master ? -EINVAL : set_controlling(tty, arg);
	case TIOCNOTTY: return give_up(tty);
	case TIOCGPGRP: return get_foreground(tty, arg, master);
	case TIOCSPGRP: return set_foreground(tty, arg);
	case TIOCGSID: return get_session(tty, arg, master);
	default: *handled = false; return 0;
	}
}
