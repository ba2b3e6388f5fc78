/*
 * Wait queues and sleeping.
 *
 * Exclusive waiters stand at the end of the queue, the others at the front. A waiter may take itself
 * out at any time; a wake-up leaves it in the queue.
 *
 * Locks: queue->lock (RANK_WAITQ), interrupts off since handlers wake.
 */
#include "sched.h"
#include <debug/inject.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <sched/waitq.h>

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, "waitq", RANK_WAITQ);
	list_init(&q->waiters);
}

void waiter_init(struct waiter *w)
{
	w->thread = current;
	w->wake = NULL;
	w->exclusive = false;
}

void waitq_add(struct waitq *q, struct waiter *w)
{
	irqflags_t flags = spin_lock_irqsave(&q->lock);

	if (w->exclusive)
		list_add_tail(&w->link, &q->waiters);
	else
		list_add(&w->link, &q->waiters);
	if (!w->wake)
		w->thread->waiting_on = q;
	spin_unlock_irqrestore(&q->lock, flags);
}

void waitq_remove(struct waitq *q, struct waiter *w)
{
	irqflags_t flags = spin_lock_irqsave(&q->lock);

	list_del(&w->link);
	if (!w->wake)
		w->thread->waiting_on = NULL;
	spin_unlock_irqrestore(&q->lock, flags);
}

static void wake(struct waitq *q, u32 key, bool all)
{
	struct waiter *w, *next;
	irqflags_t flags;

	if (!waitq_active(q))
		return;
	flags = spin_lock_irqsave(&q->lock);
	list_for_each_entry_safe(w, next, &q->waiters, link) {
		bool woken = w->wake ? w->wake(w, key) : thread_wake(w->thread);

		if (woken && w->exclusive && !all)
			break;
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

void waitq_wake_all(struct waitq *q, u32 key)
{
	wake(q, key, true);
}

void waitq_wake_one(struct waitq *q, u32 key)
{
	wake(q, key, INJECT("wake_one_all"));
}

void sched_prepare_sleep(enum sleep_kind kind)
{
	u32 state = kind == SLEEP_INTERRUPTIBLE ? TS_SLEEP_INT
		    : kind == SLEEP_KILLABLE    ? TS_SLEEP_KILL
						: TS_SLEEP_UNINT;

	/* A full barrier: the state is seen before the caller tests its condition. */
	WRITE_ONCE(current->state, state);
	smp_mb();
}

void sched_cancel_sleep(void)
{
	WRITE_ONCE(current->state, TS_RUNNING);
}

/* May t's sleep in `state` go on, as far as signals are concerned? */
static bool interrupted(struct thread *t, u32 state)
{
	if (state == TS_SLEEP_UNINT || !thread_test_flag(t, TF_SIGNAL | TF_NOTIFY))
		return false;
	return sched_signal_pending && sched_signal_pending(t, state == TS_SLEEP_KILL);
}

struct sleep_timer {
	struct ktimer timer;
	struct thread *thread;
	bool fired; /* [a] */
};

static void sleep_over(struct ktimer *timer)
{
	struct sleep_timer *s = container_of(timer, struct sleep_timer, timer);

	WRITE_ONCE(s->fired, true);
	thread_wake(s->thread);
}

/* The state has been set. True if the time was over. */
static bool sleep_with_timer(struct thread *t, u64 deadline_ns)
{
	struct sleep_timer s = { .thread = t };

	ktimer_init(&s.timer, sleep_over);
	ktimer_arm(&s.timer, deadline_ns);
	schedule();
	ktimer_cancel_sync(&s.timer);
	return s.fired;
}

int sched_sleep(u64 deadline_ns)
{
	struct thread *t = current;
	u32 state = READ_ONCE(t->state);
	bool timed_out = false;

	might_sleep();
	if (state == TS_RUNNING) /* woken already */
		return 0;
	if (unlikely(interrupted(t, state))) {
		sched_cancel_sleep();
		return -EINTR;
	}
	if (deadline_ns == TIME_NEVER) {
		schedule();
	} else if (arch_clock_ns() >= deadline_ns) {
		sched_cancel_sleep();
		return -ETIMEDOUT;
	} else {
		timed_out = sleep_with_timer(t, deadline_ns);
	}
	if (unlikely(interrupted(t, state)))
		return -EINTR;
	return timed_out ? -ETIMEDOUT : 0;
}

int sched_sleep_until(u64 deadline_ns, bool interruptible)
{
	for (;;) {
		int error;

		sched_prepare_sleep(interruptible ? SLEEP_INTERRUPTIBLE : SLEEP_UNINTERRUPTIBLE);
		error = sched_sleep(deadline_ns);
		if (error == -ETIMEDOUT)
			return 0;
		if (error == -EINTR)
			return -ERESTARTSYS;
	}
}
