/* Futex keys, buckets and waiters, shared by futex.c and futex_pi.c. */
#pragma once
#include <core/spinlock.h>
#include <lib/list.h>
#include <sched/thread.h>

/* Which word: (mm, address) for private ones, (mapping, offset) for shared memory. The two low bits of
 * an offset, zero by alignment, tell the kinds apart. */
struct futex_key {
	void *object;
	u64 offset;
};
#define KEY_SHARED_ANON 1
#define KEY_MAPPING 2

struct futex_bucket {
	struct spinlock lock;
	u32 waiters; /* [a] raised before the lock is taken, so that a waker may skip an empty one */
	struct list list; /* [x] lock */
} __aligned(64);

struct futex_waiter {
	struct list link;
	struct thread *thread;
	struct futex_key key; /* [x] bucket's lock */
	struct futex_bucket *bucket; /* [a] NULL once woken; the waker's last access */
	u32 bitset;
	bool pi; /* waits for a PI lock: woken as its owner */
};

int futex_get_key(uptr_t uaddr, bool shared, struct futex_key *key);
struct futex_bucket *futex_bucket(const struct futex_key *key);
static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}
struct futex_bucket *futex_queue_lock(const struct futex_key *key); /* counts a waiter, locks */
void futex_queue_unlock(struct futex_bucket *b); /* the opposite */
void futex_wake_waiter(struct futex_waiter *w); /* bucket locked */
bool futex_unqueue(struct futex_waiter *w); /* false: it was woken */
int futex_sleep(struct futex_waiter *w,
		u64 deadline_ns); /* queued, state set: 0, -EINTR, -ETIMEDOUT */
int futex_read_atomic(u32 *val, uptr_t uaddr); /* bucket locked: -EFAULT when not present too */
