/*
 * What the system calls of signals do: setting actions and alternate stacks, choosing whom kill() means,
 * and waiting for signals. Manual: sigaction(2), sigaltstack(2), kill(2), sigtimedwait(2).
 */
#include "internal.h"
#include <core/rcu.h>
#include <core/time.h>
#include <proc/sigsend.h>

/* --- actions --- */

static bool ignores(const struct ksigaction *a, int sig)
{
	return a->handler == SIG_IGN || (a->handler == SIG_DFL && (sigmask(sig) & SIG_IGNORE_SET));
}

int signal_set_action(int sig, const struct ksigaction *new_action, struct ksigaction *old)
{
	struct proc *p = current->proc;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);
	struct ksigaction *a = &sh->action[sig - 1];

	*old = *a;
	if (new_action) {
		*a = *new_action;
		a->mask &= ~SIG_KERNEL_ONLY;
		a->flags &= SA_FLAGS_KNOWN;
		if (ignores(a, sig)) /* pending ones are discarded */
			signal_flush(p, sigmask(sig));
	}
	sighand_unlock(sh, flags);
	return 0;
}

/* --- alternate stacks --- */

void signal_altstack_get(struct sigaltstack *out, uptr_t user_sp)
{
	const struct thread_proc *tp = current->tp;

	*out = (struct sigaltstack){ .sp = tp->altstack_sp, .size = tp->altstack_size };
	out->flags = signal_altstack_flags(user_sp) | (tp->altstack_flags & (int)SS_AUTODISARM);
}

int signal_altstack_set(const struct sigaltstack *ss, uptr_t user_sp)
{
	struct thread_proc *tp = current->tp;
	int mode = ss->flags & ~(int)SS_AUTODISARM;

	if (signal_altstack_flags(user_sp) & SS_ONSTACK)
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		tp->altstack_sp = 0;
		tp->altstack_size = 0;
	} else {
		if (ss->size < MINSIGSTKSZ)
			return -ENOMEM;
		tp->altstack_sp = ss->sp;
		tp->altstack_size = ss->size;
	}
	tp->altstack_flags = ss->flags;
	return 0;
}

/* --- kill(2) --- */

static int check_and_send(struct proc *p, int sig, const struct siginfo *info)
{
	int error = signal_check_permission(p, sig, info);

	if (error || !sig)
		return error;
	return signal_send_proc(p, sig, info);
}

static long kill_one(s32 pid, int sig, const struct siginfo *info)
{
	struct proc *p = NULL;
	struct thread *t;
	long error;

	rcu_read_lock();
	t = proc_find_thread(pid);
	p = proc_find(pid);
	if (!p && t)
		p = rcu_dereference(t->proc); /* a thread's number means its process */
	if (p && !refcount_inc_not_zero(&p->refs))
		p = NULL;
	rcu_read_unlock();
	if (!p)
		return -ESRCH;
	error = check_and_send(p, sig, info);
	proc_put(p);
	return error;
}

static long kill_group(struct pid *pgrp, int sig, const struct siginfo *info)
{
	bool sent = false;
	long error = -ESRCH;
	struct proc *p;

	spin_lock(&proc_tree_lock);
	list_for_each_entry(p, &pgrp->group, pgrp_link) {
		error = check_and_send(p, sig, info);
		sent |= !error;
	}
	spin_unlock(&proc_tree_lock);
	return sent ? 0 : error;
}

/* All that may be signalled, but init and the caller. */
static long kill_all(int sig, const struct siginfo *info)
{
	long result = -ESRCH;
	struct proc *p;

	for (s32 pid = 2; (p = proc_next(&pid)); pid++) {
		if (p != current->proc && p != proc_init_proc) {
			int error = check_and_send(p, sig, info);

			if (error != -EPERM)
				result = error;
		}
		proc_put(p);
	}
	return result;
}

long signal_kill(s32 pid, int sig, const struct siginfo *info)
{
	struct pid *pgrp;
	long error;

	if (pid > 0)
		return kill_one(pid, sig, info);
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		return kill_all(sig, info);
	pgrp = pid_get_nr(pid ? -pid : proc_pgrp_id(current->proc));
	if (!pgrp)
		return -ESRCH;
	error = kill_group(pgrp, sig, info);
	pid_put(pgrp);
	return error;
}

long signal_kill_thread(s32 tgid, s32 tid, int sig, const struct siginfo *info)
{
	struct proc *p = NULL;
	struct thread *t;
	long error = -ESRCH;

	rcu_read_lock();
	t = thread_get_live(proc_find_thread(tid));
	if (t) {
		p = rcu_dereference(t->proc);
		if (!p) /* a leader that has exited before its threads */
			p = proc_find(tid);
		if (p && !refcount_inc_not_zero(&p->refs))
			p = NULL;
	}
	rcu_read_unlock();
	if (!t)
		return -ESRCH;
	if (p && (!tgid || p->pid == tgid)) {
		error = signal_check_permission(p, sig, info);
		if (!error && sig)
			error = signal_send_thread(t, sig, info);
	}
	if (p)
		proc_put(p);
	thread_put(t);
	return error;
}

/* --- waiting --- */

long signal_sleep(void)
{
	while (!signal_pending()) {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		if (signal_pending()) {
			sched_cancel_sleep();
			break;
		}
		sched_sleep(TIME_NEVER);
	}
	return -ERESTARTNOHAND;
}

/* While waiting the set counts as open, so that its signals wake this thread; what was blocked is
 * remembered, so that they are not dropped as ignored. */
static void open_mask(u64 set)
{
	struct thread_proc *tp = current->tp;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);

	tp->waited_mask = tp->sigmask;
	tp->sigmask &= ~set;
	signal_recalc(current);
	sighand_unlock(sh, flags);
}

static void close_mask(void)
{
	struct thread_proc *tp = current->tp;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);

	tp->sigmask = tp->waited_mask;
	tp->waited_mask = 0;
	signal_recalc(current);
	sighand_unlock(sh, flags);
}

int signal_timed_wait(u64 set, struct siginfo *info, u64 deadline_ns)
{
	int sig = signal_dequeue(set, info), error = 0;

	if (sig)
		return sig;
	if (!deadline_ns)
		return -EAGAIN;
	open_mask(set);
	while (!signal_pending() && !error) {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		error = sched_sleep(deadline_ns);
	}
	sig = signal_dequeue(set, info);
	close_mask();
	if (sig)
		return sig;
	return error == -ETIMEDOUT ? -EAGAIN : -EINTR;
}
