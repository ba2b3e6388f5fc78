/*
 * Wait queues: threads that wait for a condition somebody else makes true.
 *
 * The waiter tests its condition after it has been queued and its state set, so a wake-up between test
 * and sleep is not lost. Wake-ups take the queue's lock, and are free when nobody waits (one load).
 */
#pragma once
#include <core/spinlock.h>
#include <core/time.h>
#include <lib/errno.h>
#include <lib/list.h>

struct thread;

struct waitq {
	struct spinlock lock;
	struct list waiters; /* [x] lock: struct waiter */
};

struct waiter {
	struct list link;
	struct thread *thread;
	/* Called by wake-ups under the queue's lock instead of waking (poll, epoll). key: the poll mask that
	 * became true, or 0 for any. Returns true if it counts as woken (for exclusive waiters). */
	bool (*wake)(struct waiter *, u32 key);
	bool exclusive;
};

#define WAITQ_INIT(name)                                                                           \
	{                                                                                          \
		SPINLOCK_INIT(#name, RANK_WAITQ), LIST_INIT((name).waiters)                        \
	}
void waitq_init(struct waitq *q);

/* Wakes all waiters, or at most one exclusive one. Any context, interrupts in any state. */
void waitq_wake_all(struct waitq *q, u32 key);
void waitq_wake_one(struct waitq *q, u32 key);
static inline bool waitq_active(struct waitq *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !list_empty(&q->waiters);
}

/* Low level: queue w (filled by waiter_init) and set the thread's state; take it out again. */
void waiter_init(struct waiter *w);
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waitq *q, struct waiter *w);

enum sleep_kind { SLEEP_UNINTERRUPTIBLE, SLEEP_INTERRUPTIBLE, SLEEP_KILLABLE };
void sched_prepare_sleep(enum sleep_kind kind); /* sets current's state; then test, then sleep */
void sched_cancel_sleep(void); /* the condition held after all */
/* Sleeps until woken, a signal of interest, or the deadline (TIME_NEVER: none). 0 when woken, -EINTR
 * when a signal was pending, -ETIMEDOUT. Spurious wake-ups happen: loop. */
int sched_sleep(u64 deadline_ns);

/* The loop of both forms below; `sleep` is the statement that sleeps and sets ret_. */
#define waitq_wait_by(q, cond, kind, sleep)                                                        \
	({                                                                                         \
		int ret_ = 0;                                                                      \
		if (!(cond)) {                                                                     \
			struct waiter w_;                                                          \
			waiter_init(&w_);                                                          \
			waitq_add((q), &w_);                                                       \
			for (;;) {                                                                 \
				sched_prepare_sleep(kind);                                         \
				if (cond) {                                                        \
					sched_cancel_sleep();                                      \
					ret_ = 0;                                                  \
					break;                                                     \
				}                                                                  \
				if (ret_) {                                                        \
					sched_cancel_sleep();                                      \
					ret_ = ret_ == -EINTR ? -ERESTARTSYS : ret_;               \
					break;                                                     \
				}                                                                  \
				sleep;                                                             \
			}                                                                          \
			waitq_remove((q), &w_);                                                    \
		}                                                                                  \
		ret_;                                                                              \
	})

/*
 * Waits until cond holds: 0; -ERESTARTSYS when interrupted by a signal (kind permitting), -ETIMEDOUT.
 * cond is evaluated without locks; use waitq_wait_locked for conditions under a spinlock.
 */
#define waitq_wait(q, cond, kind, deadline_ns)                                                     \
	waitq_wait_by(q, cond, kind, ret_ = sched_sleep(deadline_ns))

/* The same with `lock` (a plain spinlock) held around cond; dropped while asleep. */
#define waitq_wait_locked(q, cond, kind, deadline_ns, lock)                                        \
	waitq_wait_by(q, cond, kind, ({                                                            \
			      spin_unlock(lock);                                                   \
			      ret_ = sched_sleep(deadline_ns);                                     \
			      spin_lock(lock);                                                     \
		      }))
