/*
 * Sending signals: who receives one, whether it is dropped, and what wakes up.
 *
 * A signal goes into the queue of one thread or of the process. Under the lock of struct sighand: signals
 * that would be ignored are dropped at once, SIGCONT and the stop signals cancel each other, a thread is
 * chosen and made to look (TF_SIGNAL), and a fatal one without a core kills all threads of the process
 * right here by putting SIGKILL into each one's own queue. Taking signals out is in sigdeliver.c.
 * Manual: signal(7), kill(2), sigqueue(3).
 */
#include "internal.h"
#include <core/rcu.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <debug/trace.h>

#define SIG_CORE_SET                                                                               \
	(sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) |                \
	 sigmask(SIGFPE) | sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGSYS) |                  \
	 sigmask(SIGXCPU) | sigmask(SIGXFSZ))

static bool pending_for(struct thread *t, bool fatal_only)
{
	struct thread_proc *tp = t->tp;

	if (!tp)
		return false;
	if (fatal_only)
		return READ_ONCE(tp->pending.set) & sigmask(SIGKILL);
	return thread_test_flag(t, TF_SIGNAL);
}

void signal_init(void)
{
	sigqueue_caches_init();
	sched_signal_pending = pending_for;
}

bool signal_fatal_pending(void)
{
	return pending_for(current, true);
}

bool sig_default_fatal(int sig)
{
	return !(sigmask(sig) & (SIG_IGNORE_SET | SIG_STOP_SET));
}

bool signal_ignored_by(struct proc *p, int sig)
{
	u64 h = p->sighand->action[sig - 1].handler;

	return h == SIG_IGN || (h == SIG_DFL && (sigmask(sig) & SIG_IGNORE_SET));
}

/* Blocked signals are kept even if ignored now: the handler may change before they are unblocked. */
static bool dropped(struct proc *p, struct thread *t, int sig)
{
	if ((t->tp->sigmask | t->tp->waited_mask) & sigmask(sig))
		return false;
	if (p->unkillable && p->sighand->action[sig - 1].handler == SIG_DFL)
		return true;
	return signal_ignored_by(p, sig);
}

void signal_flush(struct proc *p, u64 set)
{
	struct thread_proc *tp;

	sigqueue_remove(&p->shared_pending, set);
	list_for_each_entry(tp, &p->threads, group_link)
		sigqueue_remove(&tp->pending, set);
}

void signal_wake(struct thread *t, bool fatal)
{
	thread_set_flag(t, TF_SIGNAL);
	if (fatal)
		thread_wake_states(t, BIT(TS_STOPPED));
	thread_kick(t, fatal);
}

void signal_recalc(struct thread *t)
{
	const struct proc *p = t->proc;
	u64 pending = (t->tp->pending.set | p->shared_pending.set) & ~t->tp->sigmask;

	if (pending || t->tp->stop_pending || p->notify_parent)
		thread_set_flag(t, TF_SIGNAL);
	else if (t == current)
		thread_clear_flag(t, TF_SIGNAL);
}

void signal_retarget(struct proc *p)
{
	struct thread_proc *tp;

	list_for_each_entry(tp, &p->threads, group_link)
		if (tp->thread != current && (p->shared_pending.set & ~tp->sigmask))
			signal_wake(tp->thread, false);
}

/* SIGCONT undoes a stop, finished or under way, when it is sent, whatever becomes of it later. */
static void continue_all(struct proc *p)
{
	struct thread_proc *tp;

	list_for_each_entry(tp, &p->threads, group_link) {
		tp->stop_pending = false;
		thread_wake_states(tp->thread, BIT(TS_STOPPED));
	}
	if (!p->stopped && !p->stopping)
		return;
	p->notify_parent = p->stopped ? CLD_CONTINUED : CLD_STOPPED;
	p->continued = true;
	p->stopped = p->stopping = false;
	p->stop_reported = false;
	p->stop_count = 0;
	list_for_each_entry(tp, &p->threads, group_link)
		thread_set_flag(tp->thread, TF_SIGNAL);
}

/* What a signal does on arrival; true if it is to be queued. */
static bool prepare(struct proc *p, struct thread *t, int sig)
{
	if (p->group_exiting)
		return false;
	if (sigmask(sig) & SIG_STOP_SET) {
		signal_flush(p, sigmask(SIGCONT));
	} else if (sig == SIGCONT) {
		signal_flush(p, SIG_STOP_SET);
		continue_all(p);
	}
	return !dropped(p, t, sig);
}

static bool wants(struct thread *t, int sig)
{
	if ((t->tp->sigmask & sigmask(sig)) || t->exiting)
		return false;
	if (sig == SIGKILL)
		return true;
	if (READ_ONCE(t->state) == TS_STOPPED)
		return false;
	return READ_ONCE(t->on_cpu) || !thread_test_flag(t, TF_SIGNAL);
}

/* A thread of p other than the one tried first that takes the signal, in turn. */
static struct thread *choose(struct proc *p, int sig)
{
	struct thread_proc *tp = p->signal_next ? p->signal_next->tp : NULL;

	for (unsigned i = 0; i < p->nr_threads; i++) {
		struct list *next = tp ? tp->group_link.next : p->threads.next;

		if (next == &p->threads)
			next = p->threads.next;
		tp = list_entry(next, struct thread_proc, group_link);
		if (wants(tp->thread, sig)) {
			p->signal_next = tp->thread;
			return tp->thread;
		}
	}
	return NULL;
}

unsigned proc_kill_others(struct proc *p)
{
	struct thread_proc *tp;
	unsigned n = 0;

	list_for_each_entry(tp, &p->threads, group_link) {
		tp->stop_pending = false;
		if (tp->thread == current)
			continue;
		n++;
		if (tp->thread->exiting)
			continue;
		tp->pending.set |= sigmask(SIGKILL);
		signal_wake(tp->thread, true);
	}
	return n;
}

static bool is_fatal(struct proc *p, struct thread *target, int sig)
{
	return p->sighand->action[sig - 1].handler == SIG_DFL && sig_default_fatal(sig) &&
	       !p->unkillable && !(target->tp->waited_mask & sigmask(sig));
}

static void kill_all(struct proc *p, int sig, const struct siginfo *info)
{
	struct thread_proc *tp;

	p->group_exiting = true;
	p->exit_status = WSTATUS_SIGNAL(sig);
	p->fatal_info = *info;
	p->stop_count = 0;
	list_for_each_entry(tp, &p->threads, group_link) {
		tp->stop_pending = false;
		tp->pending.set |= sigmask(SIGKILL);
		signal_wake(tp->thread, true);
	}
}

static void wake_receiver(struct proc *p, struct thread *t, bool group, int sig,
			  const struct siginfo *info)
{
	if (!wants(t, sig)) {
		t = group && p->nr_threads > 1 ? choose(p, sig) : NULL;
		if (!t)
			return; /* found when somebody unblocks it */
	}
	if (is_fatal(p, t, sig) && !(sigmask(sig) & SIG_CORE_SET))
		kill_all(p, sig, info);
	else
		signal_wake(t, sig == SIGKILL);
}

static void queued(struct proc *p, struct thread *t, bool group, int sig,
		   const struct siginfo *info)
{
	if (waitq_active(&p->sighand->signalfd_wait))
		waitq_wake_all(&p->sighand->signalfd_wait, 0);
	wake_receiver(p, t, group, sig, info);
}

/* The kernel's own and plain kill() of standard signals are not refused for RLIMIT_SIGPENDING. */
static bool over_limit_ok(int sig, const struct siginfo *info)
{
	return sig < SIGRTMIN && info->si_code >= 0;
}

int signal_send_locked(struct proc *p, struct thread *t, bool group, int sig,
		       const struct siginfo *info)
{
	struct signal_queue *q = group ? &p->shared_pending : &t->tp->pending;
	struct sigqueue *e = NULL;

	/* What a process sends itself its record of system calls has too: only for those who ask. */
	if (p != current->proc || event_on(EVC_SIGNAL))
		TRACE(signal_send, group ? p->pid : t->tid, sig, info->si_code, group);
	if (!prepare(p, t, sig) || (sig < SIGRTMIN && (q->set & sigmask(sig))))
		return 0;
	if (sig != SIGKILL)
		e = sigqueue_alloc(t, over_limit_ok(sig, info));
	if (e) {
		e->info = *info;
		(INJECT("signal_queue_lifo") ? list_add : list_add_tail)(&e->link, &q->entries);
	} else if (sig >= SIGRTMIN && info->si_code != SI_USER) {
		return -EAGAIN;
	}
	q->set |= sigmask(sig);
	queued(p, t, group, sig, info);
	return 0;
}

/* Who is tried first for the process's signals: its leader, or any other if that has gone. */
static struct thread *first_thread(struct proc *p)
{
	if (!p->nr_threads)
		return NULL;
	if (!p->leader->exiting)
		return p->leader;
	return list_first_entry(&p->threads, struct thread_proc, group_link)->thread;
}

int signal_send_proc(struct proc *p, int sig, const struct siginfo *info)
{
	irqflags_t flags;
	struct sighand *sh;
	struct thread *t;
	int error = 0;

	if (!sig)
		return 0;
	sh = sighand_lock(p, &flags);
	t = first_thread(p);
	if (t)
		error = signal_send_locked(p, t, true, sig, info);
	sighand_unlock(sh, flags);
	return error;
}

int signal_send_kernel(struct proc *p, int sig)
{
	struct siginfo info = { .si_signo = sig, .si_code = SI_KERNEL };

	return signal_send_proc(p, sig, &info);
}

static bool is_member(struct thread *t)
{
	return t->tp && !list_empty(&t->tp->group_link);
}

int signal_send_thread(struct thread *t, int sig, const struct siginfo *info)
{
	struct proc *p;
	irqflags_t flags;
	struct sighand *sh;
	int error = 0;

	rcu_read_lock();
	p = rcu_dereference(t->proc);
	if (p && sig) {
		sh = sighand_lock(p, &flags);
		if (is_member(t))
			error = signal_send_locked(p, t, false, sig, info);
		sighand_unlock(sh, flags);
	}
	rcu_read_unlock();
	return error;
}

int signal_send_pgrp(struct pid *pgrp, int sig, const struct siginfo *info)
{
	struct proc *p;
	int result = -ESRCH;

	spin_lock(&proc_tree_lock);
	list_for_each_entry(p, &pgrp->group, pgrp_link) {
		int error = signal_send_proc(p, sig, info);

		if (result)
			result = error;
	}
	spin_unlock(&proc_tree_lock);
	return result;
}

enum timer_signal signal_send_timer(struct proc *p, struct thread *t, bool group,
				    struct sigqueue *e)
{
	int sig = e->info.si_signo;
	struct signal_queue *q;

	spin_assert_held(&p->sighand->lock);
	if (group)
		t = first_thread(p);
	if (!t || !is_member(t))
		return TIMER_SIGNAL_IGNORED;
	q = group ? &p->shared_pending : &t->tp->pending;
	if (!list_empty(&e->link))
		return TIMER_SIGNAL_OVERRUN;
	if (!prepare(p, t, sig))
		return TIMER_SIGNAL_IGNORED;
	if (sig < SIGRTMIN && (q->set & sigmask(sig)))
		return TIMER_SIGNAL_IGNORED; /* somebody else's is pending */
	list_add_tail(&e->link, &q->entries);
	q->set |= sigmask(sig);
	queued(p, t, group, sig, &e->info);
	return TIMER_SIGNAL_QUEUED;
}

/*
 * A fault cannot wait: a blocked or ignored signal gets its default action, and PID 1 is not spared.
 */
void signal_force_info(const struct siginfo *info)
{
	struct thread *t = current;
	struct proc *p = t->proc;
	int sig = info->si_signo;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);
	struct ksigaction *a = sh->action + (sig - 1);
	bool blocked = t->tp->sigmask & sigmask(sig);

	if (blocked || a->handler == SIG_IGN) {
		a->handler = SIG_DFL;
		if (blocked)
			t->tp->sigmask &= ~sigmask(sig);
	}
	if (a->handler == SIG_DFL)
		p->unkillable = false;
	signal_send_locked(p, t, false, sig, info);
	signal_recalc(t);
	sighand_unlock(sh, flags);
}

void signal_force(int sig, int code, uptr_t addr)
{
	struct siginfo info = { .si_signo = sig, .si_code = code };

	info.si_addr = addr;
	signal_force_info(&info);
}

int signal_check_permission(struct proc *p, int sig, const struct siginfo *info)
{
	const struct cred *me = current->cred, *c;
	int error = -EPERM;

	if (info->si_code > 0 || p == current->proc)
		return 0; /* the kernel's own, or to itself */
	rcu_read_lock();
	c = p->leader ? rcu_dereference(p->leader->cred) : NULL;
	if (!c || INJECT("kill_anybody") || me->euid == c->suid || me->euid == c->uid ||
	    me->uid == c->suid || me->uid == c->uid || capable(CAP_KILL) ||
	    (sig == SIGCONT && READ_ONCE(p->session) == current->proc->session))
		error = 0;
	rcu_read_unlock();
	return error;
}
