/*
 * Sleeping locks.
 *
 * Mutex: the owner word is the owning thread, with bit 0 set when somebody may be asleep. A contended
 * taker spins while the owner runs on a CPU, then queues as an exclusive waiter, sets bit 0 and sleeps.
 * Freeing with bit 0 set wakes one sleeper, who competes for the lock with newcomers.
 *
 * Rwsem: a count of readers, or -1. New readers wait while a writer waits, so that writers get their
 * turn; hence a thread must not take a read lock twice.
 *
 * Locks: the wait queues'. Owners are looked at under rcu, which keeps struct thread in being.
 * Leaves out: priority inheritance, hand-over to starving sleepers.
 */
#include "sched.h"
#include <core/rcu.h>
#include <debug/klog.h>
#include <debug/inject.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <sched/mutex.h>

#define SPIN_MAX 1000u
#define SLEEPERS 1ul

#ifdef CONFIG_DEBUG
static void rank_push(u8 rank, const char *name)
{
	struct thread *t = current;
	unsigned n = t->mutex_depth;

	if (n && rank && n <= sizeof(t->mutex_ranks) && t->mutex_ranks[n - 1] > rank)
		log_err("lock order: taking %s (rank %u) while holding rank %u", name, rank,
			t->mutex_ranks[n - 1]);
	if (n < sizeof(t->mutex_ranks))
		t->mutex_ranks[n] = rank;
	t->mutex_depth++;
}

static void rank_pop(u8 rank)
{
	struct thread *t = current;
	unsigned n = t->mutex_depth, i;

	if (!n)
		return;
	n = n <= sizeof(t->mutex_ranks) ? n : sizeof(t->mutex_ranks);
	for (i = n; i-- > 0;)
		if (t->mutex_ranks[i] == rank)
			break;
	for (; i + 1 < n; i++)
		t->mutex_ranks[i] = t->mutex_ranks[i + 1];
	t->mutex_depth--;
}
#else
static inline void rank_push(u8 rank, const char *name)
{
	(void)rank, (void)name;
}
static inline void rank_pop(u8 rank)
{
	(void)rank;
}
#endif

static inline unsigned long owner_word(const struct mutex *m)
{
	return (unsigned long)__atomic_load_n(&m->owner, __ATOMIC_RELAXED);
}

static inline bool cmpxchg_owner(struct mutex *m, unsigned long old, unsigned long new)
{
	struct thread *expect = (struct thread *)old;

	return __atomic_compare_exchange_n(&m->owner, &expect, (struct thread *)new, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	m->owner = NULL;
	waitq_init(&m->wait);
	m->rank = rank;
	m->name = name;
}

/* True when the lock was got while its owner ran. */
static bool spin_on_owner(struct mutex *m)
{
	struct thread *me = current;
	bool got = false;

	if (READ_ONCE(nr_cpus_online) == 1)
		return false;
	rcu_read_lock();
	for (unsigned n = 0; n < SPIN_MAX && !got; n++) {
		unsigned long w = owner_word(m);
		const struct thread *owner = (struct thread *)(w & ~SLEEPERS);

		if (!owner)
			got = cmpxchg_owner(m, w, (unsigned long)me | (w & SLEEPERS));
		else if (!READ_ONCE(owner->on_cpu) || thread_test_flag(me, TF_NEED_RESCHED))
			break;
		cpu_relax();
	}
	rcu_read_unlock();
	return got;
}

static int lock_slow(struct mutex *m, enum sleep_kind kind)
{
	struct waiter w;
	int error = 0;

	BUG_ON((owner_word(m) & ~SLEEPERS) == (unsigned long)current);
	if (spin_on_owner(m))
		return 0;
	waiter_init(&w);
	w.exclusive = true;
	waitq_add(&m->wait, &w);
	for (;;) {
		unsigned long old = owner_word(m);

		if (!(old & ~SLEEPERS)) {
			/* Others may sleep behind us: keep the bit, it costs one wake-up. */
			if (cmpxchg_owner(m, old, (unsigned long)current | SLEEPERS))
				break;
			continue;
		}
		if (error)
			break;
		if (!(old & SLEEPERS) && !cmpxchg_owner(m, old, old | SLEEPERS))
			continue;
		sched_prepare_sleep(kind);
		if (owner_word(m) != (old | SLEEPERS)) {
			sched_cancel_sleep();
			continue;
		}
		error = sched_sleep(TIME_NEVER);
	}
	waitq_remove(&m->wait, &w);
	if (error && (owner_word(m) & ~SLEEPERS) != (unsigned long)current) {
		waitq_wake_one(&m->wait, 0); /* a wake-up meant for us goes on */
		return error;
	}
	return 0;
}

void mutex_lock(struct mutex *m)
{
	might_sleep();
	rank_push(m->rank, m->name);
	if (INJECT("mutex_open")) {
		m->owner = current;
		return;
	}
	if (unlikely(!cmpxchg_owner(m, 0, (unsigned long)current)))
		lock_slow(m, SLEEP_UNINTERRUPTIBLE);
}

int mutex_lock_interruptible(struct mutex *m)
{
	int error;

	might_sleep();
	if (likely(cmpxchg_owner(m, 0, (unsigned long)current)))
		error = 0;
	else
		error = lock_slow(m, SLEEP_INTERRUPTIBLE);
	if (!error)
		rank_push(m->rank, m->name);
	return error;
}

bool mutex_trylock(struct mutex *m)
{
	unsigned long w = owner_word(m);

	if ((w & ~SLEEPERS) || !cmpxchg_owner(m, w, (unsigned long)current | (w & SLEEPERS)))
		return false;
	rank_push(m->rank, m->name);
	return true;
}

void mutex_unlock(struct mutex *m)
{
	ASSERT(mutex_held(m));
	rank_pop(m->rank);
	if (likely(cmpxchg_owner(m, (unsigned long)current, 0)))
		return;
	__atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
	waitq_wake_one(&m->wait, 0);
}

bool mutex_held(const struct mutex *m)
{
	return (owner_word(m) & ~SLEEPERS) == (unsigned long)current;
}

void rwsem_init(struct rwsem *s, const char *name, enum lock_rank rank)
{
	s->count = 0;
	s->writers_waiting = 0;
	waitq_init(&s->wait);
	s->owner = NULL;
	s->rank = rank;
	s->name = name;
}

static inline bool try_read(struct rwsem *s)
{
	s32 n = __atomic_load_n(&s->count, __ATOMIC_RELAXED);

	while (n >= 0 && !READ_ONCE(s->writers_waiting))
		if (__atomic_compare_exchange_n(&s->count, &n, n + 1, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

static inline bool try_write(struct rwsem *s)
{
	s32 free = 0;

	if (!__atomic_compare_exchange_n(&s->count, &free, -1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	s->owner = current;
	return true;
}

void rwsem_read_lock(struct rwsem *s)
{
	might_sleep();
	rank_push(s->rank, s->name);
	if (unlikely(!try_read(s)))
		waitq_wait(&s->wait, try_read(s), SLEEP_UNINTERRUPTIBLE, TIME_NEVER);
}

bool rwsem_read_trylock(struct rwsem *s)
{
	if (!try_read(s))
		return false;
	rank_push(s->rank, s->name);
	return true;
}

void rwsem_read_unlock(struct rwsem *s)
{
	rank_pop(s->rank);
	if (__atomic_sub_fetch(&s->count, 1, __ATOMIC_SEQ_CST) == 0 &&
	    __atomic_load_n(&s->writers_waiting, __ATOMIC_SEQ_CST))
		waitq_wake_all(&s->wait, 0);
}

static int write_slow(struct rwsem *s, enum sleep_kind kind)
{
	int error;

	__atomic_fetch_add(&s->writers_waiting, 1, __ATOMIC_SEQ_CST);
	error = waitq_wait(&s->wait, try_write(s), kind, TIME_NEVER);
	if (__atomic_sub_fetch(&s->writers_waiting, 1, __ATOMIC_SEQ_CST) == 0 && error)
		waitq_wake_all(&s->wait, 0); /* readers that stood behind us */
	return error ? -EINTR : 0;
}

void rwsem_write_lock(struct rwsem *s)
{
	might_sleep();
	rank_push(s->rank, s->name);
	if (unlikely(!try_write(s)) && !INJECT("rwsem_open"))
		write_slow(s, SLEEP_UNINTERRUPTIBLE);
}

int rwsem_write_lock_killable(struct rwsem *s)
{
	might_sleep();
	if (unlikely(!try_write(s)) && write_slow(s, SLEEP_KILLABLE))
		return -EINTR;
	rank_push(s->rank, s->name);
	return 0;
}

void rwsem_write_unlock(struct rwsem *s)
{
	ASSERT(s->owner == current);
	rank_pop(s->rank);
	s->owner = NULL;
	__atomic_store_n(&s->count, 0, __ATOMIC_SEQ_CST);
	waitq_wake_all(&s->wait, 0);
}

void rwsem_downgrade(struct rwsem *s)
{
	ASSERT(s->owner == current);
	s->owner = NULL;
	__atomic_store_n(&s->count, 1, __ATOMIC_SEQ_CST);
	waitq_wake_all(&s->wait, 0);
}
