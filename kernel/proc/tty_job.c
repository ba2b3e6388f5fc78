/*
 * What terminals know of processes: the table of tty/job.h.
 *
 * tty/ lies below proc/ and names groups and sessions by number. A process's terminal (proc.tty) is under
 * proc_tree_lock; terminals are never freed. Thread context; the terminal's lock may be held.
 */
#include <proc/proc.h>
#include <proc/signal.h>
#include <tty/job.h>
#include "internal.h"

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
	return current->proc && READ_ONCE(current->proc->session_leader);
}

static bool job_ignores(int sig)
{
	struct proc *p = current->proc;
	struct sighand *sh;
	irqflags_t flags;
	bool ignored;

	if (!p)
		return true;
	sh = sighand_lock(p, &flags);
	ignored = current->tp->sigmask & sigmask(sig) || sh->action[sig - 1].handler == SIG_IGN;
	sighand_unlock(sh, flags);
	return ignored;
}

static bool job_pgrp_orphaned(void)
{
	bool orphaned;

	if (!current->proc)
		return true;
	spin_lock(&proc_tree_lock);
	orphaned = pgrp_orphaned(current->proc->pgrp, NULL);
	spin_unlock(&proc_tree_lock);
	return orphaned;
}

static void job_set_tty(struct tty *tty)
{
	spin_lock(&proc_tree_lock);
	if (current->proc)
		current->proc->tty = tty;
	spin_unlock(&proc_tree_lock);
}

static s32 job_session_of_pgrp(s32 nr)
{
	struct pid *pid = pid_get_nr(nr);
	s32 session = -ESRCH;

	if (!pid)
		return -ESRCH;
	spin_lock(&proc_tree_lock);
	if (!list_empty(&pid->group))
		session = list_first_entry(&pid->group, struct proc, pgrp_link)->session->nr;
	spin_unlock(&proc_tree_lock);
	pid_put(pid);
	return session;
}

static void job_signal_pgrp(s32 nr, int sig)
{
	struct siginfo info = { .si_signo = sig, .si_code = SI_KERNEL };
	struct pid *pid = pid_get_nr(nr);

	if (!pid)
		return;
	signal_send_pgrp(pid, sig, &info);
	pid_put(pid);
}

static void job_signal_leader(s32 session, int sig)
{
	struct proc *p = proc_get_by_pid(session);

	if (!p)
		return;
	if (READ_ONCE(p->session_leader) && proc_session_id(p) == session)
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
	.tty = job_tty,
	.pgrp = job_pgrp,
	.session = job_session,
	.is_leader = job_is_leader,
	.ignores = job_ignores,
	.pgrp_orphaned = job_pgrp_orphaned,
	.set_tty = job_set_tty,
	.session_of_pgrp = job_session_of_pgrp,
	.signal_pgrp = job_signal_pgrp,
	.signal_leader = job_signal_leader,
	.forget_tty = job_forget_tty,
};
