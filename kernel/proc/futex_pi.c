/*
 * Futexes that know their owner: priority-inheritance locks, and locks whose owner dies.
 *
 * The word holds the owner's thread number, FUTEX_WAITERS while somebody sleeps in the kernel and
 * FUTEX_OWNER_DIED. Unlocking hands the lock to the waiter with the highest priority by writing his
 * number into the word before waking him, so nobody can take it in between.
 *
 * Locks: bucket->lock. Leaves out: raising the owner's priority to that of its waiters; requeueing to a
 * PI futex. Manual: futex(2), get_robust_list(2).
 */
#include "futex_internal.h"
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <core/time.h>
#include <lib/atomic.h>
#include <lib/errno.h>
#include <proc/futex.h>
#include <proc/proc.h>
#include <sched/waitq.h>
#include <uapi/futex.h>

#define ROBUST_LIMIT 2048

static int cmpxchg_atomic(uptr_t uaddr, u32 expect, u32 new, u32 *old)
{
	struct thread *t = current;
	int error;

	t->fault_disabled++;
	error = user_cmpxchg_u32(uaddr, expect, new, old);
	t->fault_disabled--;
	return error;
}

/* Makes the word writable; the bucket is not locked. */
static int fault_in(uptr_t uaddr)
{
	u32 old;

	return user_fetch_op_u32(uaddr, 1, 0, &old);
}

static bool owner_lives(u32 tid)
{
	bool lives;

	rcu_read_lock();
	lives = proc_find_thread((s32)tid) != NULL;
	rcu_read_unlock();
	return lives;
}

/*
 * Bucket locked. 1: the lock is ours; 0: FUTEX_WAITERS is set and we have to wait; -EDEADLK, -ESRCH (the
 * owner is no thread), -EFAULT, -EAGAIN (the word changed: again).
 */
static int try_take(uptr_t uaddr, u32 tid, bool try)
{
	u32 word, old, owner;

	if (futex_read_atomic(&word, uaddr))
		return -EFAULT;
	owner = word & FUTEX_TID_MASK;
	if (owner == tid)
		return -EDEADLK;
	if (!owner) {
		if (cmpxchg_atomic(uaddr, word, tid | (word & (FUTEX_WAITERS | FUTEX_OWNER_DIED)),
				   &old))
			return -EFAULT;
		return old == word ? 1 : -EAGAIN;
	}
	if (!owner_lives(owner))
		return -ESRCH;
	if (try || (word & FUTEX_WAITERS))
		return 0;
	if (cmpxchg_atomic(uaddr, word, word | FUTEX_WAITERS, &old))
		return -EFAULT;
	return old == word ? 0 : -EAGAIN;
}

int futex_lock_pi(uptr_t uaddr, bool shared, u64 deadline_ns, bool try)
{
	struct futex_waiter w = { .thread = current, .bitset = FUTEX_BITSET_MATCH_ANY, .pi = true };
	struct futex_bucket *b;
	int ret;

	for (;;) {
		ret = futex_get_key(uaddr, shared, &w.key);
		if (ret)
			return ret;
		b = futex_queue_lock(&w.key);
		ret = try_take(uaddr, (u32)current->tid, try);
		if (!ret && !try)
			break;
		futex_queue_unlock(b);
		if (ret == -EFAULT && fault_in(uaddr))
			return -EFAULT;
		if (ret != -EFAULT && ret != -EAGAIN)
			return ret > 0 ? 0 : ret ? ret : -EAGAIN;
	}
	w.bucket = b;
	list_add_tail(&w.link, &b->list);
	sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
	spin_unlock(&b->lock);
	ret = futex_sleep(&w, deadline_ns);
	return ret == -EINTR ? -ERESTARTNOINTR : ret;
}

static int priority(const struct thread *t)
{
	return t->se.rt_priority ? 100 + t->se.rt_priority : 20 - t->se.nice;
}

/* The first of those with the highest priority; *more: there are others. Bucket locked. */
static struct futex_waiter *best_waiter(struct futex_bucket *b, const struct futex_key *key,
					bool *more)
{
	struct futex_waiter *w, *best = NULL;

	*more = false;
	list_for_each_entry(w, &b->list, link) {
		if (!w->pi || !futex_key_equal(&w->key, key))
			continue;
		*more = best != NULL;
		if (!best || priority(w->thread) > priority(best->thread))
			best = w;
	}
	return best;
}

/* Gives the lock to the next waiter, or frees it. Bucket locked. 0, -EFAULT, -EAGAIN. */
static int hand_over(struct futex_bucket *b, const struct futex_key *key, uptr_t uaddr, u32 word,
		     u32 keep)
{
	bool more;
	struct futex_waiter *w = best_waiter(b, key, &more);
	u32 new = (w ? (u32)w->thread->tid | (more ? FUTEX_WAITERS : 0) : 0) | keep, old;

	if (cmpxchg_atomic(uaddr, word, new, &old))
		return -EFAULT;
	if (old != word)
		return -EAGAIN;
	if (w)
		futex_wake_waiter(w);
	return 0;
}

int futex_unlock_pi(uptr_t uaddr, bool shared)
{
	struct futex_key key;
	struct futex_bucket *b;
	u32 word;
	int ret;

	do {
		if (get_user_u32(&word, uaddr))
			return -EFAULT;
		if ((word & FUTEX_TID_MASK) != (u32)current->tid)
			return -EPERM;
		ret = futex_get_key(uaddr, shared, &key);
		if (ret)
			return ret;
		b = futex_queue_lock(&key);
		ret = hand_over(b, &key, uaddr, word, 0);
		futex_queue_unlock(b);
		if (ret == -EFAULT && fault_in(uaddr))
			return -EFAULT;
	} while (ret);
	return 0;
}

static int pi_owner_died(uptr_t uaddr, u32 word)
{
	struct futex_key key;
	struct futex_bucket *b;
	int ret = futex_get_key(uaddr, true, &key);

	if (ret)
		return ret;
	b = futex_queue_lock(&key);
	ret = hand_over(b, &key, uaddr, word, FUTEX_OWNER_DIED);
	futex_queue_unlock(b);
	return ret;
}

/* The thread that dies may own the lock at uaddr. Nonzero: the list cannot be followed further. */
static int owner_died(uptr_t uaddr, bool pi, bool pending)
{
	for (;;) {
		u32 word, old;
		int error;

		if (uaddr % sizeof(u32) || get_user_u32(&word, uaddr))
			return -EFAULT;
		/* Died between freeing the lock and waking: a waiter must not be forgotten. */
		if (pending && !pi && !word) {
			futex_wake_user(uaddr, 1);
			return 0;
		}
		if ((word & FUTEX_TID_MASK) != (u32)current->tid)
			return 0;
		if (pi) {
			error = pi_owner_died(uaddr, word);
			if (!error)
				return 0;
			if (error == -EFAULT && fault_in(uaddr))
				return -EFAULT;
			continue;
		}
		if (user_cmpxchg_u32(uaddr, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &old))
			return -EFAULT;
		if (old != word)
			continue;
		if (word & FUTEX_WAITERS)
			futex_wake_user(uaddr, 1);
		return 0;
	}
}

void futex_exit_robust(struct thread *t)
{
	uptr_t head_addr = t->tp->robust_list;
	struct robust_list_head head;
	u64 entry, pending;

	if (!head_addr)
		return;
	t->tp->robust_list = 0;
	if (copy_obj_from_user(&head, head_addr))
		return;
	pending = head.list_op_pending;
	entry = head.next;
	for (unsigned n = 0; (entry & ~1ull) != head_addr && n < ROBUST_LIMIT; n++) {
		u64 next;
		bool bad = get_user_u64(&next, (uptr_t)(entry & ~1ull)) != 0;

		/* Read the link first: once marked, the lock may be taken and the entry reused. */
		if ((entry & ~1ull) != (pending & ~1ull) &&
		    owner_died((uptr_t)((entry & ~1ull) + (u64)head.futex_offset), entry & 1,
			       false))
			return;
		if (bad)
			return;
		entry = next;
		sched_point();
	}
	if (pending & ~1ull)
		owner_died((uptr_t)((pending & ~1ull) + (u64)head.futex_offset), pending & 1, true);
}
