/*
 * Completions: an event that happens once and stays.
 *
 * completion_done() sets `done` under the queue's lock, and waiters leave the queue under it, so that the
 * object may be gone (on a waiter's stack) as soon as a wait has returned.
 *
 * Locks: the queue's.
 */
#include "sched.h"
#include <debug/inject.h>
#include <lib/errno.h>
#include <sched/sync.h>

void completion_init(struct completion *c)
{
	waitq_init(&c->wait);
	c->done = false;
}

static int wait(struct completion *c, enum sleep_kind kind, u64 deadline_ns)
{
	irqflags_t flags;
	int error;

	if (INJECT("completion_early") && deadline_ns == TIME_NEVER)
		return 0;
	error = waitq_wait(&c->wait, smp_load_acquire(&c->done), kind, deadline_ns);
	if (error)
		return error;
	/* Until whoever completed it has let go of the lock. */
	flags = spin_lock_irqsave(&c->wait.lock);
	spin_unlock_irqrestore(&c->wait.lock, flags);
	return 0;
}

void completion_wait(struct completion *c)
{
	wait(c, SLEEP_UNINTERRUPTIBLE, TIME_NEVER);
}

int completion_wait_killable(struct completion *c)
{
	return wait(c, SLEEP_KILLABLE, TIME_NEVER);
}

int completion_wait_timeout(struct completion *c, u64 deadline_ns)
{
	return wait(c, SLEEP_UNINTERRUPTIBLE, deadline_ns);
}

void completion_done(struct completion *c)
{
	irqflags_t flags = spin_lock_irqsave(&c->wait.lock);
	struct waiter *w;

	smp_store_release(&c->done, true);
	list_for_each_entry(w, &c->wait.waiters, link)
		thread_wake(w->thread);
	spin_unlock_irqrestore(&c->wait.lock, flags);
}
