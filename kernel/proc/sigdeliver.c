/*
 * Receiving signals: taking them from the queues, their actions, and what happens to an interrupted
 * system call.
 *
 * signal_deliver() is the upcall on the way out to user mode. It goes on until nothing deliverable is
 * left: stops, ends the process, or pushes a frame for each handler that is to run. The mask, queues and
 * actions are read under the lock of struct sighand, which is not held while the frame is written.
 * Manual: signal(7), sigaction(2), sigaltstack(2).
 */
#include "internal.h"
#include <arch/signal.h>
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <debug/event.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <lib/format.h>
#include <proc/crash.h>
#include <proc/trace.h>

/* A signal to be handled. */
struct taken {
	int sig;
	struct ksigaction action;
	struct siginfo info;
};

int signal_take(u64 mask, struct siginfo *info, struct sigqueue **entry)
{
	struct thread *t = current;
	int sig = sigqueue_take(&t->tp->pending, mask, info, entry);

	if (!sig)
		sig = sigqueue_take(&t->proc->shared_pending, mask, info, entry);
	return sig;
}

/* A fault of this thread goes before a signal somebody sent, whatever the queue. */
static int take_synchronous_first(u64 mask, struct siginfo *info, struct sigqueue **entry)
{
	struct signal_queue *q = &current->tp->pending;
	struct sigqueue *e;

	if (!(q->set & SIG_SYNC_SET & ~mask))
		return 0;
	list_for_each_entry(e, &q->entries, link)
		if ((sigmask(e->info.si_signo) & SIG_SYNC_SET & ~mask) && e->info.si_code > 0 &&
		    e->info.si_code != SI_KERNEL)
			return sigqueue_take(q, ~sigmask(e->info.si_signo), info, entry);
	return 0;
}

static void taken_entry(struct siginfo *info, struct sigqueue *e)
{
	if (e && !e->user)
		itimer_signal_taken(info, e);
	sigqueue_free(e);
}

int signal_dequeue(u64 set, struct siginfo *info)
{
	struct sigqueue *e;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);
	int sig = signal_take(~set | SIG_KERNEL_ONLY, info, &e);

	if (sig)
		taken_entry(info, e);
	signal_recalc(current);
	sighand_unlock(sh, flags);
	return sig;
}

u64 signal_pending_set(void)
{
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);
	u64 set = current->tp->pending.set | current->proc->shared_pending.set;

	sighand_unlock(sh, flags);
	return set;
}

/* --- stopping --- */

void signal_notify_stop(struct proc *p, int why)
{
	struct siginfo info = { .si_signo = SIGCHLD, .si_code = why };
	struct proc *parent = p->parent;
	const struct ksigaction *a;

	spin_assert_held(&proc_tree_lock);
	if (parent == &kernel_proc)
		return;
	info.si_child_pid = p->pid;
	info.si_child_uid = p->leader->cred->uid;
	info.si_status = why == CLD_STOPPED ? p->stop_signal : SIGCONT;
	a = &parent->sighand->action[SIGCHLD - 1];
	if (a->handler != SIG_IGN && !(a->flags & SA_NOCLDSTOP))
		signal_send_proc(parent, SIGCHLD, &info);
	waitq_wake_all(&parent->child_wait, 0);
}

static void notify_parent(struct proc *p, int why)
{
	spin_lock(&proc_tree_lock);
	signal_notify_stop(p, why);
	spin_unlock(&proc_tree_lock);
}

/* One thread took a stop signal: all are to stop. Lock held. */
static void begin_stop(struct proc *p, int sig)
{
	struct thread_proc *tp;

	p->stop_signal = sig;
	p->stopping = true;
	p->continued = false;
	p->stop_count = 0;
	list_for_each_entry(tp, &p->threads, group_link) {
		if (tp->thread->exiting)
			continue;
		tp->stop_pending = true;
		p->stop_count++;
		if (tp->thread != current)
			signal_wake(tp->thread, false);
	}
}

/* Stops this thread until SIGCONT or death; the last one to stop tells the parent. Lock held at entry,
 * dropped at return. */
static void stop_here(struct proc *p, struct sighand *sh, irqflags_t flags)
{
	bool last = false;

	current->tp->stop_pending = false;
	if (p->stop_count && !--p->stop_count) {
		p->stopped = last = true;
		p->stopping = false;
		p->stop_reported = false;
	}
	preempt_disable();
	WRITE_ONCE(current->state, TS_STOPPED);
	sighand_unlock(sh, flags);
	if (last)
		notify_parent(p, CLD_STOPPED);
	preempt_enable_no_resched();
	schedule();
}

/* A stop signal with the default action. A terminal's stop is ignored by an orphaned group. The lock is
 * held again at return. */
static void stop_signal(struct proc *p, int sig, struct sighand **sh, irqflags_t *flags)
{
	if (sig != SIGSTOP) {
		bool orphaned;

		sighand_unlock(*sh, *flags);
		spin_lock(&proc_tree_lock);
		orphaned = pgrp_orphaned(p->pgrp, NULL);
		spin_unlock(&proc_tree_lock);
		*sh = sighand_lock(p, flags);
		if (orphaned || p->group_exiting ||
		    ((p->shared_pending.set | current->tp->pending.set) & sigmask(SIGCONT)))
			return;
	}
	begin_stop(p, sig);
}

/* --- taking --- */

/* This thread's signal ends the process: nobody else's does from here on. Lock held; dropped. */
__noreturn static void die(struct proc *p, const struct siginfo *info, struct sighand *sh,
			   irqflags_t flags)
{
	struct crash_calls calls;
	char note[64];
	int lost = current->tp->frame_lost;

	p->group_exiting = true;
	p->exit_status = WSTATUS_SIGNAL(info->si_signo);
	calls.n = proc_recent_calls(p, calls.r, CRASH_CALLS);
	proc_kill_others(p);
	sighand_unlock(sh, flags);
	if (lost)
		scnprintf(note, sizeof(note), "the frame of %s could not be written",
			  signal_name(lost));
	trace_signal(info, false);
	crash_report(info, lost ? note : NULL, &calls);
	proc_exit_group(p->exit_status);
}

/* SIGKILL from the group's end: with the status that was decided, reported once. */
__noreturn static void die_with_group(struct proc *p, struct sighand *sh, irqflags_t flags)
{
	struct siginfo info = p->fatal_info;
	struct crash_calls calls;

	p->fatal_info.si_signo = 0;
	if (info.si_signo)
		calls.n = proc_recent_calls(p, calls.r, CRASH_CALLS);
	sighand_unlock(sh, flags);
	if (info.si_signo)
		crash_report(&info, NULL, &calls);
	proc_exit_group(p->exit_status);
}

/* The next signal with a handler, in *out; false: none. Stops and deaths happen here. */
static bool take_handled(struct taken *out)
{
	struct thread *t = current;
	struct proc *p = t->proc;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);

	for (;;) {
		struct sigqueue *e = NULL;
		struct ksigaction *a;
		int sig;

		if (p->notify_parent) {
			int why = p->notify_parent;

			p->notify_parent = 0;
			sighand_unlock(sh, flags);
			notify_parent(p, why);
			sh = sighand_lock(p, &flags);
			continue;
		}
		if (p->group_exiting || (p->exec_thread && p->exec_thread != t))
			die_with_group(p, sh, flags);
		if (t->tp->stop_pending) {
			stop_here(p, sh, flags);
			sh = sighand_lock(p, &flags);
			continue;
		}
		sig = take_synchronous_first(t->tp->sigmask, &out->info, &e);
		if (!sig)
			sig = signal_take(t->tp->sigmask, &out->info, &e);
		if (!sig)
			break;
		taken_entry(&out->info, e);
		a = &sh->action[sig - 1];
		if (a->handler == SIG_IGN)
			continue;
		if (a->handler != SIG_DFL) {
			out->sig = sig;
			out->action = *a;
			if (a->flags & SA_RESETHAND && !INJECT("resethand_ignored"))
				a->handler = SIG_DFL;
			signal_recalc(t);
			sighand_unlock(sh, flags);
			return true;
		}
		if ((sigmask(sig) & SIG_IGNORE_SET) || p->unkillable)
			continue;
		if (sigmask(sig) & SIG_STOP_SET) {
			stop_signal(p, sig, &sh, &flags);
			continue;
		}
		die(p, &out->info, sh, flags);
	}
	signal_recalc(t);
	sighand_unlock(sh, flags);
	return false;
}

/* --- system calls cut short --- */

static void restart_without_handler(struct regs *regs)
{
	switch (regs_syscall_result(regs)) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND: regs_restart_syscall(regs); break;
	case -ERESTART_RESTARTBLOCK: regs_restart_block(regs); break;
	}
}

static void restart_before_handler(struct regs *regs, const struct ksigaction *a)
{
	switch (regs_syscall_result(regs)) {
	case -ERESTARTSYS:
		if (!(a->flags & SA_RESTART) || INJECT("restart_ignored")) {
			regs_set_syscall_result(regs, -EINTR);
			break;
		}
		fallthrough;
	case -ERESTARTNOINTR: regs_restart_syscall(regs); break;
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK: regs_set_syscall_result(regs, -EINTR); break;
	}
}

static bool in_syscall(const struct regs *regs)
{
	return (long)regs_syscall_nr(regs) >= 0;
}

struct restart_block *restart_block_set(long (*fn)(struct restart_block *))
{
	struct restart_block *rb = &current->tp->restart;

	rb->fn = fn;
	return rb;
}

/* --- handlers --- */

static bool on_altstack(const struct thread_proc *tp, uptr_t sp)
{
	/* With SS_AUTODISARM the stack is free again as soon as its handler runs. */
	if (tp->altstack_flags & SS_AUTODISARM)
		return false;
	return tp->altstack_size && sp > tp->altstack_sp &&
	       sp - tp->altstack_sp <= tp->altstack_size;
}

int signal_altstack_flags(uptr_t sp)
{
	const struct thread_proc *tp = current->tp;

	if (!tp->altstack_size)
		return SS_DISABLE;
	return on_altstack(tp, sp) ? SS_ONSTACK : 0;
}

static u64 mask_to_restore(struct thread_proc *tp)
{
	bool saved = thread_test_flag(current, TF_RESTORE_MASK) && !INJECT("sigsuspend_keeps_mask");

	return saved ? tp->saved_mask : tp->sigmask;
}

/*
 * Where the frame goes, and what it shows as uc_stack. As on Linux a handler starts on the alternate stack
 * afresh where no frame would begin on it: the red zone counts as used.
 */
static void choose_stack(struct signal_delivery *d, const struct thread_proc *tp, uptr_t sp)
{
	uptr_t below = sp - STACK_RED_ZONE;

	d->altstack = (struct sigaltstack){ .sp = tp->altstack_sp,
					    .flags = tp->altstack_flags,
					    .size = tp->altstack_size };
	d->on_altstack = on_altstack(tp, sp);
	d->use_altstack = (d->flags & SA_ONSTACK) && tp->altstack_size && !on_altstack(tp, below);
	d->top = d->use_altstack ? tp->altstack_sp + tp->altstack_size : below;
}

static void frame_failed(int sig)
{
	if (sig == SIGSEGV) {
		irqflags_t flags;
		struct sighand *sh = sighand_lock(current->proc, &flags);

		sh->action[SIGSEGV - 1].handler = SIG_DFL;
		sighand_unlock(sh, flags);
	}
	current->tp->frame_lost = (u8)sig;
	signal_force(SIGSEGV, SI_KERNEL, 0);
}

/* The mask while the handler runs: what was blocked, the action's set, and the signal itself. */
static void enter_mask(const struct taken *s)
{
	u64 mask = current->tp->sigmask | (INJECT("sa_mask_ignored") ? 0 : s->action.mask);

	if (!(s->action.flags & SA_NODEFER))
		mask |= sigmask(s->sig);
	thread_clear_flag(current, TF_RESTORE_MASK);
	signal_set_mask(mask);
}

static void run_handler(struct regs *regs, const struct taken *s)
{
	struct thread_proc *tp = current->tp;
	struct signal_delivery d = {
		.sig = s->sig,
		.handler = s->action.handler,
		.restorer = s->action.restorer,
		.flags = s->action.flags,
		.saved_mask = mask_to_restore(tp),
		.info = &s->info,
	};

	trace_signal(&s->info, true);
	if (in_syscall(regs))
		restart_before_handler(regs, &s->action);
	regs_clear_syscall(regs);
	choose_stack(&d, tp, regs_sp(regs));
	if (arch_signal_push(regs, &d)) {
		frame_failed(s->sig);
		return;
	}
	tp->frame_lost = 0;
	if ((tp->altstack_flags & (int)SS_AUTODISARM) && !INJECT("autodisarm_ignored")) {
		tp->altstack_sp = 0;
		tp->altstack_size = 0;
		tp->altstack_flags = SS_DISABLE;
	}
	enter_mask(s);
}

void signal_deliver(struct regs *regs)
{
	struct taken s;

	while (thread_test_flag(current, TF_SIGNAL) && take_handled(&s))
		run_handler(regs, &s);
	if (in_syscall(regs)) {
		restart_without_handler(regs);
		regs_clear_syscall(regs);
	}
	if (thread_test_flag(current, TF_RESTORE_MASK)) {
		thread_clear_flag(current, TF_RESTORE_MASK);
		signal_set_mask(current->tp->saved_mask);
	}
}

/* --- masks --- */

void signal_set_mask(u64 mask)
{
	struct thread *t = current;
	irqflags_t flags;
	struct sighand *sh;

	mask &= ~SIG_KERNEL_ONLY;
	if (mask == t->tp->sigmask)
		return;
	sh = sighand_lock(t->proc, &flags);
	if ((t->proc->shared_pending.set & mask & ~t->tp->sigmask) && t->proc->nr_threads > 1)
		signal_retarget(t->proc); /* this thread was to take it */
	t->tp->sigmask = mask;
	signal_recalc(t);
	sighand_unlock(sh, flags);
}

int signal_set_user_mask(uptr_t umask, size_t sigsetsize)
{
	struct thread_proc *tp = current->tp;
	u64 mask;

	if (!umask)
		return 0;
	if (sigsetsize != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	tp->saved_mask = tp->sigmask;
	thread_set_flag(current, TF_RESTORE_MASK);
	signal_set_mask(mask);
	return 0;
}

void signal_restore_user_mask(bool interrupted)
{
	if (interrupted || !thread_test_flag(current, TF_RESTORE_MASK))
		return; /* put back after the handler, by signal_deliver() */
	thread_clear_flag(current, TF_RESTORE_MASK);
	signal_set_mask(current->tp->saved_mask);
}
