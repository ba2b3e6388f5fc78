/*
 * poll and select: asks each file for its ready mask and, where none is ready, sleeps on all their wait
 * queues at once.
 *
 * The first round registers a waiter on each queue the files name, until something is found ready. A
 * wake-up whose key has none of the events of interest is ignored. Waiters hold a reference to their file,
 * as it is the file that keeps the queue. Manual: poll(2), select(2).
 */
#include <core/time.h>
#include <debug/inject.h>
#include <fs/events.h>
#include <fs/poll.h>
#include <sched/thread.h>
#include "internal.h"

#define INLINE_ENTRIES 6
#define BLOCK_ENTRIES 60

struct poll_entry {
	struct waiter waiter;
	struct waitq *q;
	struct file *file;
	struct poll_set *set;
	u32 key;
};
struct poll_block {
	struct poll_block *next;
	unsigned n;
	struct poll_entry entries[BLOCK_ENTRIES];
};
struct poll_set {
	struct poll_table pt;
	struct thread *thread;
	bool triggered; /* [a] */
	int err;
	unsigned nr_inline;
	struct poll_entry inline_entries[INLINE_ENTRIES];
	struct poll_block *blocks;
};

static bool poll_wake(struct waiter *w, u32 key)
{
	struct poll_entry *e = container_of(w, struct poll_entry, waiter);

	if ((key && !(key & e->key)) || INJECT("poll_wake_lost"))
		return false;
	__atomic_store_n(&e->set->triggered, true, __ATOMIC_RELEASE);
	thread_wake(e->set->thread);
	return true;
}

static struct poll_entry *new_entry(struct poll_set *s)
{
	struct poll_block *b = s->blocks;

	if (s->nr_inline < INLINE_ENTRIES)
		return &s->inline_entries[s->nr_inline++];
	if (!b || b->n == BLOCK_ENTRIES) {
		b = kmalloc(sizeof(*b), 0);
		if (!b)
			return NULL;
		b->n = 0;
		b->next = s->blocks;
		s->blocks = b;
	}
	return &b->entries[b->n++];
}

static void poll_queue(struct poll_table *pt, struct file *f, struct waitq *q)
{
	struct poll_set *s = container_of(pt, struct poll_set, pt);
	struct poll_entry *e = new_entry(s);

	if (!e) {
		s->err = -ENOMEM;
		return;
	}
	waiter_init(&e->waiter);
	e->waiter.wake = poll_wake;
	e->q = q;
	e->set = s;
	e->key = pt->key;
	e->file = f;
	file_get(f);
	waitq_add(q, &e->waiter);
}

static void poll_set_init(struct poll_set *s, bool wait)
{
	s->pt.queue = wait ? poll_queue : NULL;
	s->thread = current;
	s->triggered = false;
	s->err = 0;
	s->nr_inline = 0;
	s->blocks = NULL;
}

static void drop_entry(struct poll_entry *e)
{
	waitq_remove(e->q, &e->waiter);
	file_put(e->file);
}

static void poll_set_end(struct poll_set *s)
{
	for (unsigned i = 0; i < s->nr_inline; i++)
		drop_entry(&s->inline_entries[i]);
	while (s->blocks) {
		struct poll_block *b = s->blocks;

		for (unsigned i = 0; i < b->n; i++)
			drop_entry(&b->entries[i]);
		s->blocks = b->next;
		kfree(b);
	}
}

/* Sleeps until something was triggered. 0, -EINTR, -ETIMEDOUT. */
static int poll_sleep(struct poll_set *s, u64 deadline_ns)
{
	int err = 0;

	sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
	if (__atomic_load_n(&s->triggered, __ATOMIC_ACQUIRE))
		sched_cancel_sleep();
	else
		err = sched_sleep(deadline_ns);
	/* Cleared before the files are asked again. */
	__atomic_store_n(&s->triggered, false, __ATOMIC_SEQ_CST);
	return err;
}

/* Runs rounds until one finds something, time is up, or a signal comes. */
static long poll_loop(struct poll_set *s, u64 deadline_ns, long (*round)(struct poll_set *, void *),
		      void *arg)
{
	int err = 0;
	long n;

	for (;;) {
		n = round(s, arg);
		s->pt.queue = NULL;
		if (n || err || deadline_ns == 0)
			break;
		if (s->err) {
			n = s->err;
			break;
		}
		err = poll_sleep(s, deadline_ns);
	}
	if (!n && err == -EINTR)
		n = -ERESTARTNOHAND;
	poll_set_end(s);
	return n;
}

/* --- poll --- */

struct poll_args {
	struct pollfd *fds;
	unsigned n;
};

static long poll_round(struct poll_set *s, void *arg)
{
	struct poll_args *a = arg;
	long found = 0;

	for (unsigned i = 0; i < a->n; i++) {
		struct pollfd *p = &a->fds[i];
		u32 mask = POLLNVAL, want = (u16)p->events | EPOLLERR | EPOLLHUP;
		struct fd f;

		p->revents = 0;
		if (p->fd < 0)
			continue;
		f = fd_get(p->fd);
		if (f.file) {
			s->pt.key = want;
			mask = file_poll(f.file, &s->pt) & want;
			fd_put(f);
		}
		p->revents = (s16)mask;
		if (mask) {
			found++;
			s->pt.queue = NULL; /* there will be no sleep */
		}
	}
	return found;
}

long poll_fds(struct pollfd *fds, unsigned n, u64 deadline_ns)
{
	struct poll_args a = { fds, n };
	struct poll_set s;

	poll_set_init(&s, deadline_ns != 0);
	return poll_loop(&s, deadline_ns, poll_round, &a);
}

/* --- select --- */

#define SELECT_IN (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SELECT_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SELECT_EX EPOLLPRI

struct select_args {
	int n;
	unsigned long **in, **out;
};

static bool has(const unsigned long *set, int fd)
{
	return set && set[fd / 64] & BIT(fd % 64);
}

static long select_round(struct poll_set *s, void *arg)
{
	static const u32 masks[3] = { SELECT_IN, SELECT_OUT, SELECT_EX };
	struct select_args *a = arg;
	long found = 0;

	for (int fd = 0; fd < a->n; fd++) {
		u32 mask, want = 0;
		struct fd f;

		for (int k = 0; k < 3; k++)
			want |= has(a->in[k], fd) ? masks[k] : 0;
		if (!want)
			continue;
		f = fd_get(fd);
		if (!f.file)
			return -EBADF;
		s->pt.key = want;
		mask = file_poll(f.file, &s->pt);
		fd_put(f);
		for (int k = 0; k < 3; k++) {
			if (has(a->in[k], fd) && mask & masks[k]) {
				a->out[k][fd / 64] |= BIT(fd % 64);
				found++;
			}
		}
		if (found)
			s->pt.queue = NULL;
	}
	return found;
}

long select_fds(int n, unsigned long *in[3], unsigned long *out[3], u64 deadline_ns)
{
	struct select_args a = { n, in, out };
	struct poll_set s;

	poll_set_init(&s, deadline_ns != 0);
	return poll_loop(&s, deadline_ns, select_round, &a);
}
