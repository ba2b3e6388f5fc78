/*
 * Process groups and sessions. A group lives as long as a process is in it; its struct pid, found by
 * number, lists the members. All under proc_tree_lock. Manual: setpgid(2), setsid(2), credentials(7).
 */
#include "internal.h"
#include <core/rcu.h>

void proc_set_pgrp(struct proc *p, struct pid *pgrp)
{
	struct pid *old = p->pgrp;

	spin_assert_held(&proc_tree_lock);
	if (old == pgrp)
		return;
	if (old)
		list_del(&p->pgrp_link);
	list_add_tail(&p->pgrp_link, &pgrp->group);
	rcu_assign(p->pgrp, pid_get(pgrp));
	pid_put(old);
}

void proc_set_session(struct proc *p, struct pid *session)
{
	struct pid *old = p->session;

	spin_assert_held(&proc_tree_lock);
	rcu_assign(p->session, pid_get(session));
	pid_put(old);
}

static s32 read_nr(struct pid *const *where)
{
	struct pid *pid;
	s32 nr;

	rcu_read_lock();
	pid = rcu_dereference(*where);
	nr = pid ? pid->nr : 0;
	rcu_read_unlock();
	return nr;
}

s32 proc_pgrp_id(const struct proc *p)
{
	return read_nr(&p->pgrp);
}

s32 proc_session_id(const struct proc *p)
{
	return read_nr(&p->session);
}

bool pgrp_orphaned(struct pid *pgrp, struct proc *ignored)
{
	struct proc *p;

	spin_assert_held(&proc_tree_lock);
	list_for_each_entry(p, &pgrp->group, pgrp_link) {
		const struct proc *parent = p->parent;

		if (p == ignored || p->state != PROC_ALIVE || !parent || parent == proc_init_proc)
			continue;
		if (parent->pgrp != pgrp && parent->session == p->session)
			return false;
	}
	return true;
}

bool pgrp_has_stopped(struct pid *pgrp)
{
	struct proc *p;

	spin_assert_held(&proc_tree_lock);
	list_for_each_entry(p, &pgrp->group, pgrp_link)
		if (p->stopped)
			return true;
	return false;
}

static void send_to_members(struct pid *pgrp, int sig)
{
	struct siginfo info = { .si_signo = sig, .si_code = SI_KERNEL };
	struct proc *p;

	list_for_each_entry(p, &pgrp->group, pgrp_link)
		signal_send_proc(p, sig, &info);
}

/*
 * p has ended, or its parent has: if that was what tied p's group to the rest of the session, and some of
 * the group is stopped, nobody is left to continue it. parent NULL: p itself ends.
 */
void pgrp_kill_orphaned(struct proc *p, struct proc *parent)
{
	struct proc *ignored = parent ? NULL : p;

	if (!parent)
		parent = p->parent;
	if (!p->pgrp || !parent || parent->pgrp == p->pgrp || parent->session != p->session)
		return;
	if (pgrp_orphaned(p->pgrp, ignored) && pgrp_has_stopped(p->pgrp)) {
		send_to_members(p->pgrp, SIGHUP);
		send_to_members(p->pgrp, SIGCONT);
	}
}
