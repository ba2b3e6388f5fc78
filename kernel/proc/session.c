/* Moving between process groups and sessions. Manual: setpgid(2), setsid(2). */
#include "internal.h"
#include <debug/inject.h>

/* May current put p (itself or a child) into a group? Tree lock held. */
static int check_target(const struct proc *p)
{
	const struct proc *me = current->proc;

	if (p->parent == me) {
		if (p->session != me->session)
			return -EPERM;
		if (p->exec_done)
			return -EACCES;
	} else if (p != me) {
		return -ESRCH;
	}
	return p->session_leader ? -EPERM : 0;
}

/* The group must have a member in p's session. */
static int check_group(const struct proc *p, struct pid *pgrp)
{
	const struct proc *member;

	if (list_empty(&pgrp->group))
		return -EPERM;
	member = list_first_entry(&pgrp->group, struct proc, pgrp_link);
	return member->session == p->session ? 0 : -EPERM;
}

static int set_pgrp(struct proc *p, struct pid *pgrp)
{
	int error = check_target(p);

	if (!error && pgrp != p->pid_ref)
		error = check_group(p, pgrp);
	if (!error)
		proc_set_pgrp(p, pgrp);
	return error;
}

int proc_set_pgrp_of(s32 pid, s32 pgid)
{
	struct proc *p;
	struct pid *pgrp;
	int error;

	if (pgid < 0)
		return -EINVAL;
	p = proc_get_by_pid(pid ? pid : current->proc->pid);
	if (!p)
		return -ESRCH;
	pgrp = pgid ? pid_get_nr(pgid) : pid_get(p->pid_ref);
	spin_lock(&proc_tree_lock);
	if (p->state != PROC_ALIVE)
		error = -ESRCH;
	else if (!pgrp)
		error = check_target(p) ? check_target(p) : -EPERM;
	else
		error = set_pgrp(p, pgrp);
	spin_unlock(&proc_tree_lock);
	pid_put(pgrp);
	proc_put(p);
	return error;
}

long proc_new_session(void)
{
	struct proc *p = current->proc;
	long result = -EPERM;

	spin_lock(&proc_tree_lock);
	if (!p->session_leader && (list_empty(&p->pid_ref->group) || INJECT("setsid_always"))) {
		p->session_leader = true;
		p->tty = NULL;
		proc_set_pgrp(p, p->pid_ref);
		proc_set_session(p, p->pid_ref);
		result = p->pid;
	}
	spin_unlock(&proc_tree_lock);
	return result;
}
