/*
 * The end of threads and processes.
 *
 * A thread gives up what it has, leaves its process's list, and is gone; the last one to leave ends the
 * process: children go to the nearest subreaper or PID 1, groups that are orphaned with stopped members
 * get SIGHUP and SIGCONT, and the process becomes a zombie or, if its parent does not care, disappears.
 * Manual: exit_group(2), _exit(2), set_tid_address(2).
 */
#include "internal.h"
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <debug/event.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <fs/vfs.h>
#include <proc/futex.h>
#include <proc/power.h>
#include <proc/trace.h>
#include <tty/job.h>
#include <uapi/times.h>

bool proc_report_init_exit;

void vfork_release(struct thread *t)
{
	struct completion *c;

	if (likely(!READ_ONCE(t->tp->vfork_done)))
		return;
	spin_lock(&proc_tree_lock);
	c = t->tp->vfork_done;
	t->tp->vfork_done = NULL;
	if (c)
		completion_done(c); /* under the lock: it is on the waiter's stack */
	spin_unlock(&proc_tree_lock);
}

/* What the thread owes to others in its memory: locks it dies with, the word its joiner waits on. */
void proc_leave_user_memory(void)
{
	struct thread *t = current;
	struct thread_proc *tp = t->tp;

	if (tp->robust_list)
		futex_exit_robust(t);
	if (!tp->clear_child_tid)
		return;
	if (refcount_read(&t->mm->users) > 1 && !put_user_u32(tp->clear_child_tid, 0))
		futex_wake_user(tp->clear_child_tid, 1);
	tp->clear_child_tid = 0;
}

void proc_switch_mm(struct mm *mm)
{
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);

	mm_switch_current(mm);
	sighand_unlock(sh, flags);
}

void proc_exit_mm(void)
{
	struct thread *t = current;
	struct mm *mm = t->mm;
	struct proc *p = t->proc;

	if (!mm)
		return;
	proc_leave_user_memory();
	p->maxrss = max(p->maxrss, mm->hiwater_rss * (PAGE_SIZE / 1024));
	proc_switch_mm(NULL);
	vfork_release(t);
	mm_user_put(mm);
}

static void drop_files(struct thread *t)
{
	struct files *files = t->files;
	struct fs_context *fs = t->fs;

	t->files = NULL;
	if (files)
		files_put(files);
	t->fs = NULL;
	if (fs)
		fs_context_put(fs);
}

/* --- family --- */

static struct proc *new_parent(struct proc *p)
{
	for (struct proc *a = p->parent; a && a != &kernel_proc; a = a->parent)
		if (a->is_subreaper && !a->group_exiting)
			return a;
	return proc_init_proc && proc_init_proc != p ? proc_init_proc : &kernel_proc;
}

/* Does the parent want no zombies of its children? */
static bool autoreaps(struct proc *parent)
{
	const struct ksigaction *a = &parent->sighand->action[SIGCHLD - 1];

	return parent != &kernel_proc && !INJECT("zombies_kept") &&
	       (a->handler == SIG_IGN || (a->flags & SA_NOCLDWAIT));
}

static void fill_child_info(struct proc *p, struct siginfo *info)
{
	u32 sig = p->exit_status & 0x7f;

	*info = (struct siginfo){ .si_signo = p->exit_signal };
	info->si_code =
		sig ? (p->exit_status & WSTATUS_CORE ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED;
	info->si_child_pid = p->pid;
	info->si_child_uid = p->leader->cred->uid;
	info->si_status = sig ? (s32)sig : (s32)(p->exit_status >> 8);
	info->si_utime = (s64)(p->utime_ns / (NSEC_PER_SEC / USER_HZ));
	info->si_stime = (s64)(p->stime_ns / (NSEC_PER_SEC / USER_HZ));
}

/* A zombie's parent hears of it. True if nobody will wait for it: the caller releases it. */
static bool notify_exit(struct proc *p)
{
	struct proc *parent = p->parent;
	bool reap = false;

	spin_assert_held(&proc_tree_lock);
	if (parent == &kernel_proc) {
		reap = !p->kernel_waits;
	} else if (p->exit_signal > 0 && p->exit_signal <= NSIG) {
		struct siginfo info;

		fill_child_info(p, &info);
		reap = p->exit_signal == SIGCHLD && autoreaps(parent);
		if ((!reap || parent->sighand->action[SIGCHLD - 1].handler != SIG_IGN) &&
		    !INJECT("sigchld_lost"))
			signal_send_proc(parent, p->exit_signal, &info);
	}
	if (reap) {
		p->state = PROC_DEAD;
		list_del_init(&p->sibling);
	}
	waitq_wake_all(&parent->child_wait, 0);
	return reap;
}

static void give_child(struct proc *child, struct proc *to, struct list *dead)
{
	struct proc *from = child->parent;
	int sig = READ_ONCE(child->leader->tp->pdeath_signal);

	child->parent = to;
	list_move_tail(&child->sibling, &to->children);
	if (sig && child->state == PROC_ALIVE)
		signal_send_kernel(child, sig);
	child->exit_signal = SIGCHLD;
	if (child->state == PROC_ZOMBIE && notify_exit(child))
		list_add_tail(&child->sibling, dead);
	pgrp_kill_orphaned(child, from);
}

static void give_children(struct proc *p, struct list *dead)
{
	struct proc *child, *n, *to;

	if (list_empty(&p->children))
		return;
	to = new_parent(p);
	list_for_each_entry_safe(child, n, &p->children, sibling)
		give_child(child, to, dead);
}

/* The last thread of p has left it. */
static void process_ends(struct proc *p)
{
	DEFINE_LIST(dead);
	struct proc *child, *n;

	spin_lock(&proc_tree_lock);
	give_children(p, &dead);
	pgrp_kill_orphaned(p, NULL);
	p->state = PROC_ZOMBIE;
	if (notify_exit(p))
		list_add_tail(&p->sibling, &dead);
	spin_unlock(&proc_tree_lock);
	list_for_each_entry_safe(child, n, &dead, sibling) {
		list_del_init(&child->sibling);
		proc_release(child);
	}
}

static void leave_terminal(struct proc *p)
{
	struct tty *tty = READ_ONCE(p->tty);

	if (p->session_leader && tty)
		tty_leader_left(tty, true);
}

/* --- one thread --- */

static void add_usage(struct proc *p, struct thread *t)
{
	u64 utime, stime;

	thread_times(t, &utime, &stime);
	p->utime_ns += utime;
	p->stime_ns += stime;
	p->min_flt += t->tp->min_flt;
	p->maj_flt += t->tp->maj_flt;
	p->nvcsw += t->nvcsw;
	p->nivcsw += t->nivcsw;
}

/* Leaves the process's list. True if it was the last. */
static bool leave_process(struct thread *t, struct proc *p, u32 status)
{
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);
	bool last, stopped = false;

	t->exiting = true;
	if (t->tp->stop_pending && p->stop_count && !--p->stop_count) {
		p->stopped = stopped = true;
		p->stopping = false;
	}
	t->tp->stop_pending = false;
	add_usage(p, t);
	sigqueue_flush(&t->tp->pending);
	list_del_init(&t->tp->group_link);
	if (p->signal_next == t)
		p->signal_next = NULL;
	last = --p->nr_threads == 0;
	if (!p->group_exiting && t == p->leader)
		p->exit_status = status;
	if (last)
		p->group_exiting = true;
	if (p->exec_thread && p->nr_threads == 1)
		thread_wake(p->exec_thread);
	/* What was meant for all may have been waiting for this one. */
	if (!last && p->shared_pending.set)
		signal_retarget(p);
	sighand_unlock(sh, flags);
	if (stopped && !last) {
		spin_lock(&proc_tree_lock);
		signal_notify_stop(p, CLD_STOPPED);
		spin_unlock(&proc_tree_lock);
	}
	return last;
}

__noreturn static void end_of_init(u32 status)
{
	struct event ev;
	int code = status & 0x7f ? 128 + (int)(status & 0x7f) : (int)(status >> 8 & 0xff);

	if (!proc_report_init_exit)
		panic("PID 1 ended: status %d", code);
	event_begin(&ev, "run_exit");
	event_u64(&ev, "status", (u64)code);
	event_end(&ev);
	machine_poweroff();
}

/* A thread that is not the leader leaves nothing behind. */
static void release_thread(struct thread *t)
{
	struct thread_proc *tp = t->tp;
	struct cred *cred = t->cred;

	spin_lock(&proc_tree_lock);
	thread_detach_pid(t);
	spin_unlock(&proc_tree_lock);
	t->tp = NULL;
	rcu_assign(t->cred, NULL);
	thread_proc_free(tp);
	cred_put(cred);
}

void proc_thread_exit(u32 status)
{
	struct thread *t = current;
	struct proc *p = t->proc;
	bool leader = t == p->leader, last;

	syscall_trace_unfinished();
	proc_exit_mm();
	drop_files(t);
	atomic_dec(&t->cred->user->threads);
	thread_count_drop();
	/* Once this thread has left, the others may end the process, and its parent release it. */
	proc_get(p);
	last = leave_process(t, p, status);
	trace_exit(last ? p->exit_status : status, last);
	if (last) {
		itimers_exit(p);
		leave_terminal(p);
	}
	if (last && p == proc_init_proc)
		end_of_init(p->exit_status);
	if (!leader)
		release_thread(t);
	if (last)
		process_ends(p);
	rcu_assign(t->proc, NULL);
	proc_put(p);
	thread_exit();
}

void proc_exit_group(u32 status)
{
	struct proc *p = current->proc;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);

	if (p->group_exiting) {
		status = p->exit_status;
	} else if (p->exec_thread && p->exec_thread != current) {
		status = WSTATUS_SIGNAL(SIGKILL); /* only this thread ends: another executes */
	} else {
		p->group_exiting = true;
		p->exit_status = status;
		proc_kill_others(p);
	}
	sighand_unlock(sh, flags);
	proc_thread_exit(status);
}

/* The thread flag for work that waits until the thread is about to enter user mode. */
void proc_notify_resume(void)
{
	struct thread *t = current;

	thread_clear_flag(t, TF_NOTIFY);
	if (t->tp && t->tp->child_settid) {
		t->tp->child_settid = false;
		(void)put_user_u32(t->tp->set_child_tid, (u32)t->tid);
	}
}
