/*
 * Waiting for children: finding one that fits and has something to report, and reaping zombies.
 *
 * A scan of the parent's children under the tree lock decides; a zombie is claimed there (PROC_DEAD and
 * off the list), so two waiters never reap the same one. Sleepers are on the parent's child_wait, which
 * is woken after each change. Manual: wait(2), waitid(2), wait4(2).
 */
#include "internal.h"
#include <core/time.h>
#include <debug/inject.h>

enum { MATCH_NO, MATCH_LATER, MATCH_NOW };

static bool selected(const struct proc *child, const struct wait_request *w)
{
	if (w->type == P_PID && child->pid != w->id && !INJECT("wait_any_child"))
		return false;
	if (w->type == P_PGID && child->pgrp != w->pgrp)
		return false;
	if (w->options & __WALL)
		return true;
	/* "Clone" children are those that report with another signal than SIGCHLD, or none. */
	return (child->exit_signal != SIGCHLD) == !!(w->options & __WCLONE);
}

static void describe(struct proc *child, struct wait_result *out, int code, u32 status)
{
	const struct cred *c = child->leader->cred;

	out->pid = child->pid;
	out->uid = c ? c->uid : 0;
	out->code = code;
	out->status = status;
}

static int exit_code_of(u32 status)
{
	if (!(status & 0x7f))
		return CLD_EXITED;
	return status & WSTATUS_CORE ? CLD_DUMPED : CLD_KILLED;
}

static bool take_zombie(struct proc *child, const struct wait_request *w, struct wait_result *out)
{
	if (child->state != PROC_ZOMBIE)
		return false;
	describe(child, out, exit_code_of(child->exit_status), child->exit_status);
	if (!(w->options & WNOWAIT)) {
		child->state = PROC_DEAD;
		list_del_init(&child->sibling);
	}
	return true;
}

static bool take_stopped(struct proc *child, const struct wait_request *w, struct wait_result *out)
{
	irqflags_t flags;
	struct sighand *sh;
	bool found;

	if (!child->stopped || child->stop_reported)
		return false;
	sh = sighand_lock(child, &flags);
	found = child->stopped && !child->stop_reported;
	if (found && !(w->options & WNOWAIT))
		child->stop_reported = true;
	sighand_unlock(sh, flags);
	if (found)
		describe(child, out, CLD_STOPPED, WSTATUS_STOP(child->stop_signal));
	return found;
}

static bool take_continued(struct proc *child, const struct wait_request *w,
			   struct wait_result *out)
{
	irqflags_t flags;
	struct sighand *sh;
	bool found;

	if (!child->continued)
		return false;
	sh = sighand_lock(child, &flags);
	found = child->continued;
	if (found && !(w->options & WNOWAIT))
		child->continued = false;
	sighand_unlock(sh, flags);
	if (found)
		describe(child, out, CLD_CONTINUED, WSTATUS_CONTINUED);
	return found;
}

static int examine(struct proc *child, const struct wait_request *w, struct wait_result *out)
{
	if (!selected(child, w) || child->state == PROC_DEAD)
		return MATCH_NO;
	if ((w->options & WEXITED) && take_zombie(child, w, out))
		return MATCH_NOW;
	if (child->state == PROC_ALIVE) {
		if ((w->options & WSTOPPED) && take_stopped(child, w, out))
			return MATCH_NOW;
		if ((w->options & WCONTINUED) && take_continued(child, w, out))
			return MATCH_NOW;
	}
	return MATCH_LATER;
}

/* *child: what was found, with a reference. 0: nothing to report yet; -ECHILD: nor ever. */
static long scan(struct proc *parent, const struct wait_request *w, struct wait_result *out,
		 struct proc **found)
{
	struct proc *child;
	long result = -ECHILD;

	spin_lock(&proc_tree_lock);
	list_for_each_entry(child, &parent->children, sibling) {
		int match = examine(child, w, out);

		if (match == MATCH_LATER)
			result = 0;
		if (match != MATCH_NOW)
			continue;
		result = child->pid;
		proc_get(child);
		*found = child;
		break;
	}
	spin_unlock(&proc_tree_lock);
	return result;
}

/* A reaped child's time and faults, and those of its own children, become the parent's children's. */
static void inherit_usage(struct proc *parent, struct proc *child)
{
	spin_lock(&proc_tree_lock);
	parent->cutime_ns += child->utime_ns + child->cutime_ns;
	parent->cstime_ns += child->stime_ns + child->cstime_ns;
	parent->cmin_flt += child->min_flt + child->cmin_flt;
	parent->cmaj_flt += child->maj_flt + child->cmaj_flt;
	parent->cnvcsw += child->nvcsw + child->cnvcsw;
	parent->cnivcsw += child->nivcsw + child->cnivcsw;
	parent->cmaxrss = max(parent->cmaxrss, max(child->maxrss, child->cmaxrss));
	spin_unlock(&proc_tree_lock);
}

static long finish(struct proc *parent, struct proc *child, const struct wait_request *w,
		   struct wait_result *out)
{
	long pid = out->pid;

	proc_usage_self(child, &out->usage);
	if (out->code != CLD_STOPPED && out->code != CLD_CONTINUED && !(w->options & WNOWAIT)) {
		inherit_usage(parent, child);
		proc_release(child);
	}
	proc_put(child);
	return pid;
}

static long wait_until(struct proc *parent, const struct wait_request *w, struct wait_result *out,
		       enum sleep_kind kind, u64 deadline_ns)
{
	struct proc *child = NULL;
	struct waiter waiter;
	long result = scan(parent, w, out, &child);
	int slept = 0;

	if (result > 0)
		return finish(parent, child, w, out);
	if (result || (w->options & WNOHANG))
		return result;
	waiter_init(&waiter);
	waitq_add(&parent->child_wait, &waiter);
	for (;;) {
		sched_prepare_sleep(kind);
		result = scan(parent, w, out, &child);
		if (result || slept)
			break;
		slept = sched_sleep(deadline_ns);
	}
	sched_cancel_sleep();
	waitq_remove(&parent->child_wait, &waiter);
	if (result > 0)
		return finish(parent, child, w, out);
	if (result)
		return result;
	return slept == -EINTR ? -ERESTARTSYS : slept;
}

long proc_wait(struct proc *parent, const struct wait_request *w, struct wait_result *out)
{
	return wait_until(parent, w, out, SLEEP_INTERRUPTIBLE, TIME_NEVER);
}

long proc_wait_kernel(struct proc *parent, s32 pid, u64 deadline_ns, struct wait_result *out)
{
	struct wait_request w = { .type = P_PID, .id = pid, .options = WEXITED | __WALL };

	return wait_until(parent, &w, out, SLEEP_UNINTERRUPTIBLE, deadline_ns);
}
