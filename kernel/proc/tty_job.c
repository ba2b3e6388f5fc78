/*
 * What terminals ask of processes (tty/job.h): who is in the foreground's place, and signals to groups.
 * A process knows its controlling terminal as p->tty, under the tree lock; tty->lock is held by callers.
 */
#include "internal.h"
#include <tty/job.h>

static void job_start(void)
{
}

static struct tty *job_tty(void)
{
	return current->proc ? READ_ONCE(current->proc->tty) : NULL;
}

static s32 job_pgrp(void)
{
	return current->proc ? proc_pgrp_id(current->proc) : 0;
}

static s32 job_session(void)
{
	return current->proc ? proc_session_id(current->proc) : 0;
}

static bool job_is_leader(void)
{
	return current->proc && current->proc->session_leader;
}

static bool job_ignores(int sig)
{
	irqflags_t flags;
	struct sighand *sh;
	bool ignored;

	if (!current->proc)
		return true;
	sh = sighand_lock(current->proc, &flags);
	ignored = sh->action[sig - 1].handler == SIG_IGN || (current->tp->sigmask & sigmask(sig));
	sighand_unlock(sh, flags);
	return ignored;
}

static bool job_pgrp_orphaned(void)
{
	bool orphaned;

	if (!current->proc)
		return false;
	spin_lock(&proc_tree_lock);
	orphaned = pgrp_orphaned(current->proc->pgrp, NULL);
	spin_unlock(&proc_tree_lock);
	return orphaned;
}

static bool job_signal_pending(void)
{
	return signal_pending();
}

static void job_set_tty(struct tty *tty)
{
	if (!current->proc)
		return;
	spin_lock(&proc_tree_lock);
	current->proc->tty = tty;
	spin_unlock(&proc_tree_lock);
}

static s32 job_session_of_pgrp(s32 nr)
{
	struct pid *pgrp = pid_get_nr(nr);
	s32 session = -ESRCH;

	if (!pgrp)
		return -ESRCH;
	spin_lock(&proc_tree_lock);
	if (!list_empty(&pgrp->group))
		session = list_first_entry(&pgrp->group, struct proc, pgrp_link)->session->nr;
	spin_unlock(&proc_tree_lock);
	pid_put(pgrp);
	return session;
}

static void job_signal_pgrp(s32 nr, int sig)
{
	struct siginfo info = { .si_signo = sig, .si_code = SI_KERNEL };
	struct pid *pgrp = pid_get_nr(nr);

	if (!pgrp)
		return;
	signal_send_pgrp(pgrp, sig, &info);
	pid_put(pgrp);
}

static void job_signal_leader(s32 session, int sig)
{
	struct proc *p = proc_get_by_pid(session);

	if (!p)
		return;
	if (p->session_leader)
		signal_send_kernel(p, sig);
	proc_put(p);
}

static void job_forget_tty(struct tty *tty)
{
	struct proc *p;

	for (s32 pid = 1; (p = proc_next(&pid)); pid++) {
		spin_lock(&proc_tree_lock);
		if (p->tty == tty)
			p->tty = NULL;
		spin_unlock(&proc_tree_lock);
		proc_put(p);
	}
}

const struct tty_job_ops tty_job_ops = {
	.start = job_start,
	.tty = job_tty,
	.pgrp = job_pgrp,
	.session = job_session,
	.is_leader = job_is_leader,
	.ignores = job_ignores,
	.pgrp_orphaned = job_pgrp_orphaned,
	.signal_pending = job_signal_pending,
	.set_tty = job_set_tty,
	.session_of_pgrp = job_session_of_pgrp,
	.signal_pgrp = job_signal_pgrp,
	.signal_leader = job_signal_leader,
	.forget_tty = job_forget_tty,
};
