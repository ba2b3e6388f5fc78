/*
 * Queues of pending signals: a set of numbers, and entries with what is known about each arrival.
 *
 * A standard signal is in a queue at most once, a real-time one as often as it was sent, each with an
 * entry, in order. A number may be in the set without an entry when there was no memory or room for one:
 * then it is delivered as if sent by the kernel with nothing known. Entries count against
 * RLIMIT_SIGPENDING of the receiver's user; a timer's own entry is preallocated, and counts not.
 * Queues are protected by the lock of struct sighand. Manual: signal(7).
 */
#include "internal.h"
#include <core/rcu.h>
#include <debug/inject.h>

static struct kcache *entry_cache, *sighand_cache;

void sigqueue_caches_init(void)
{
	entry_cache = kcache_create("sigqueue", sizeof(struct sigqueue), 0);
	sighand_cache = kcache_create("sighand", sizeof(struct sighand), 64);
}

void sigqueue_init(struct signal_queue *q)
{
	q->set = 0;
	list_init(&q->entries);
}

struct sigqueue *sigqueue_alloc(struct thread *t, bool over_limit)
{
	struct user_count *u = t->cred->user;
	struct sigqueue *e;

	if (in_irq())
		return NULL;
	if ((u64)atomic_add_return(&u->sigpending, 1) >
		    READ_ONCE(t->proc->limits[RLIMIT_SIGPENDING].rlim_cur) &&
	    !over_limit)
		goto out;
	e = kcache_alloc(entry_cache, ALLOC_ATOMIC);
	if (!e)
		goto out;
	refcount_inc(&u->refs);
	e->user = u;
	return e;
out:
	atomic_dec(&u->sigpending);
	return NULL;
}

static void entry_free(struct sigqueue *e)
{
	atomic_dec(&e->user->sigpending);
	user_put(e->user);
	kcache_free(entry_cache, e);
}

static void entry_free_rcu(struct rcu_head *head)
{
	entry_free(container_of(head, struct sigqueue, rcu));
}

void sigqueue_free(struct sigqueue *e)
{
	if (!e || !e->user)
		return;
	if (unlikely(in_irq()))
		call_rcu(&e->rcu, entry_free_rcu);
	else
		entry_free(e);
}

void sigqueue_remove(struct signal_queue *q, u64 set)
{
	struct sigqueue *e, *n;

	if (!(q->set & set))
		return;
	q->set &= ~set;
	list_for_each_entry_safe(e, n, &q->entries, link) {
		if (!(sigmask(e->info.si_signo) & set))
			continue;
		list_del_init(&e->link);
		sigqueue_free(e);
	}
}

void sigqueue_flush(struct signal_queue *q)
{
	sigqueue_remove(q, ~0ull);
}

/* Faults first, then the lowest number. */
static int next_signal(u64 pending)
{
	if (pending & SIG_SYNC_SET)
		pending &= SIG_SYNC_SET;
	return __builtin_ctzll(pending) + 1;
}

int sigqueue_take(struct signal_queue *q, u64 mask, struct siginfo *info, struct sigqueue **entry)
{
	u64 pending = q->set & ~mask;
	struct sigqueue *e, *first = NULL;
	bool more = false;
	int sig;

	*entry = NULL;
	if (!pending)
		return 0;
	sig = next_signal(pending);
	list_for_each_entry(e, &q->entries, link) {
		if (e->info.si_signo != sig)
			continue;
		if (first && !INJECT("signal_merged")) {
			more = true;
			break;
		}
		first = e;
	}
	if (!more)
		q->set &= ~sigmask(sig);
	if (!first) {
		*info = (struct siginfo){ .si_signo = sig, .si_code = SI_USER };
		return sig;
	}
	list_del_init(&first->link);
	*info = first->info;
	*entry = first;
	return sig;
}

void sigqueue_refresh(struct signal_queue *q, int sig)
{
	struct sigqueue *e;

	list_for_each_entry(e, &q->entries, link)
		if (e->info.si_signo == sig)
			return;
	q->set &= ~sigmask(sig);
}

/* --- struct sighand --- */

/* Actions are the caller's to fill in. */
static struct sighand *sighand_alloc(void)
{
	struct sighand *sh = kcache_alloc(sighand_cache, ALLOC_USER);

	if (sh) {
		spin_init(&sh->lock, "sighand", RANK_SIGHAND);
		refcount_init(&sh->refs, 1);
		waitq_init(&sh->signalfd_wait);
	}
	return sh;
}

int sighand_create(struct sighand **out)
{
	struct sighand *sh = sighand_alloc();

	if (!sh)
		return -ENOMEM;
	memset(sh->action, 0, sizeof(sh->action));
	*out = sh;
	return 0;
}

int sighand_copy(const struct sighand *from, struct sighand **out)
{
	struct sighand *sh = sighand_alloc();

	if (!sh)
		return -ENOMEM;
	memcpy(sh->action, from->action, sizeof(sh->action));
	*out = sh;
	return 0;
}

static void sighand_free_rcu(struct rcu_head *head)
{
	kcache_free(sighand_cache, container_of(head, struct sighand, rcu));
}

void sighand_put(struct sighand *sh)
{
	if (refcount_dec_and_test(&sh->refs))
		call_rcu(&sh->rcu, sighand_free_rcu);
}

struct sighand *sighand_lock(struct proc *p, irqflags_t *flags)
{
	for (;;) {
		struct sighand *sh;

		rcu_read_lock();
		sh = rcu_dereference(p->sighand);
		*flags = spin_lock_irqsave(&sh->lock);
		rcu_read_unlock();
		if (likely(sh == READ_ONCE(p->sighand)))
			return sh;
		spin_unlock_irqrestore(&sh->lock, *flags);
	}
}

void sighand_unlock(struct sighand *sh, irqflags_t flags)
{
	spin_unlock_irqrestore(&sh->lock, flags);
}
