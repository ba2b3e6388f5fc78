/*
 * Futexes: wait, wake, requeue, wake-op.
 *
 * Waiters stand in hash buckets. A waiter counts itself in the bucket before it takes its lock and reads
 * the word; a waker's program has changed the word before the call. So a waker that finds the count 0
 * (after a full barrier) has nobody to wake, and a waiter that is counted later sees the new value.
 *
 * The word is read with the bucket locked, which cannot fault it in: when that fails the lock is dropped,
 * the page is touched, and the operation starts again.
 *
 * Locks: bucket->lock (RANK_FUTEX), two in address order; mm->lock for reading to find the key of a
 * shared word. Leaves out: PI requeue (-ENOSYS). Manual: futex(2), futex(7).
 */
#include "futex_internal.h"
#include <arch/uaccess.h>
#include <core/time.h>
#include <debug/inject.h>
#include <lib/atomic.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <proc/futex.h>
#include <proc/proc.h>
#include <proc/restart.h>
#include <sched/waitq.h>
#include <uapi/futex.h>

#define NR_BUCKETS 256u

static struct futex_bucket buckets[NR_BUCKETS] = {
	[0 ... NR_BUCKETS - 1] = { .lock = SPINLOCK_INIT("futex", RANK_FUTEX) },
};

static int shared_key(uptr_t uaddr, struct futex_key *key)
{
	struct mm *mm = current->mm;
	struct vma *vma;
	int error = 0;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, uaddr);
	if (!vma || vma->start > uaddr) {
		error = -EFAULT;
	} else if ((vma->flags & VM_SHARED) && vma->mapping) {
		key->object = vma->mapping;
		key->offset = ((vma->pgoff << PAGE_SHIFT) + (uaddr - vma->start)) | KEY_MAPPING;
	} else {
		key->object = mm;
		key->offset = uaddr | KEY_SHARED_ANON;
	}
	rwsem_read_unlock(&mm->lock);
	return error;
}

int futex_get_key(uptr_t uaddr, bool shared, struct futex_key *key)
{
	if (unlikely(uaddr % sizeof(u32)))
		return -EINVAL;
	if (unlikely(!user_range_ok(uaddr, sizeof(u32))))
		return -EFAULT;
	if (shared)
		return shared_key(uaddr, key);
	key->object = current->mm;
	key->offset = uaddr;
	return 0;
}

struct futex_bucket *futex_bucket(const struct futex_key *key)
{
	u64 h = ((u64)(uintptr_t)key->object >> 6) ^ (key->offset >> 2);

	return &buckets[(h * 0x9e3779b97f4a7c15ull) >> 56];
}
BUILD_ASSERT(NR_BUCKETS == 256);

/* Buckets are in zeroed memory: the list is made at the first use, under the lock. */
static inline void list_ready(struct futex_bucket *b)
{
	if (unlikely(!b->list.next))
		list_init(&b->list);
}

struct futex_bucket *futex_queue_lock(const struct futex_key *key)
{
	struct futex_bucket *b = futex_bucket(key);

	__atomic_fetch_add(&b->waiters, 1, __ATOMIC_SEQ_CST);
	spin_lock(&b->lock);
	list_ready(b);
	return b;
}

void futex_queue_unlock(struct futex_bucket *b)
{
	spin_unlock(&b->lock);
	__atomic_fetch_sub(&b->waiters, 1, __ATOMIC_RELAXED);
}

int futex_read_atomic(u32 *val, uptr_t uaddr)
{
	struct thread *t = current;
	int error;

	t->fault_disabled++;
	error = get_user_u32(val, uaddr);
	t->fault_disabled--;
	return error;
}

/* The waiter's frame may be gone as soon as its bucket is NULL; its thread is safe under rcu. */
void futex_wake_waiter(struct futex_waiter *w)
{
	struct thread *t = w->thread;

	list_del(&w->link);
	__atomic_fetch_sub(&w->bucket->waiters, 1, __ATOMIC_RELAXED);
	smp_store_release(&w->bucket, NULL);
	thread_wake(t);
}

bool futex_unqueue(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = smp_load_acquire(&w->bucket);

		if (!b)
			return false;
		spin_lock(&b->lock);
		if (w->bucket == b) {
			list_del(&w->link);
			futex_queue_unlock(b);
			return true;
		}
		spin_unlock(&b->lock); /* moved to another bucket meanwhile */
	}
}

int futex_sleep(struct futex_waiter *w, u64 deadline_ns)
{
	for (;;) {
		int error;

		if (!smp_load_acquire(&w->bucket)) {
			sched_cancel_sleep();
			return 0;
		}
		error = sched_sleep(deadline_ns);
		if (!smp_load_acquire(&w->bucket))
			return 0;
		if (error)
			return futex_unqueue(w) ? error : 0;
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
	}
}

/* Reads the word and, if it is val, queues w and sets the thread's state. 0, -EAGAIN, -EFAULT, -EINVAL. */
static int wait_setup(struct futex_waiter *w, uptr_t uaddr, bool shared, u32 val)
{
	struct futex_bucket *b;
	u32 now;
	int error;

	for (;;) {
		error = futex_get_key(uaddr, shared, &w->key);
		if (error)
			return error;
		b = futex_queue_lock(&w->key);
		if (likely(!futex_read_atomic(&now, uaddr)))
			break;
		futex_queue_unlock(b);
		if (get_user_u32(&now, uaddr))
			return -EFAULT;
	}
	if (now != val && !INJECT("futex_no_compare")) {
		futex_queue_unlock(b);
		return -EAGAIN;
	}
	w->bucket = b;
	list_add_tail(&w->link, &b->list);
	sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
	spin_unlock(&b->lock);
	return 0;
}

static long wait_restart(struct restart_block *r)
{
	return futex_wait((uptr_t)r->data[0], r->data[1], (u32)r->data[2], r->data[3],
			  (u32)r->data[4]);
}

int futex_wait(uptr_t uaddr, bool shared, u32 val, u64 deadline_ns, u32 bitset)
{
	struct futex_waiter w = { .thread = current, .bitset = bitset };
	struct restart_block *r;
	int error;

	if (!bitset)
		return -EINVAL;
	error = wait_setup(&w, uaddr, shared, val);
	if (error)
		return error;
	error = futex_sleep(&w, deadline_ns);
	if (likely(error != -EINTR))
		return error;
	if (deadline_ns == TIME_NEVER)
		return -ERESTARTSYS;
	r = restart_block_set(wait_restart);
	r->data[0] = uaddr;
	r->data[1] = shared;
	r->data[2] = val;
	r->data[3] = deadline_ns;
	r->data[4] = bitset;
	return -ERESTART_RESTARTBLOCK;
}

/* Bucket locked. */
static int wake_some(struct futex_bucket *b, const struct futex_key *key, int n, u32 bitset)
{
	struct futex_waiter *w, *next;
	int woken = 0;

	list_ready(b);
	list_for_each_entry_safe(w, next, &b->list, link) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (w->pi)
			return -EINVAL;
		if (!(w->bitset & bitset) && !INJECT("futex_bitset_ignored"))
			continue;
		futex_wake_waiter(w);
		if (++woken >= n)
			break;
	}
	return woken;
}

int futex_wake(uptr_t uaddr, bool shared, int n, u32 bitset)
{
	struct futex_key key;
	struct futex_bucket *b;
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = futex_get_key(uaddr, shared, &key);
	if (ret)
		return ret;
	b = futex_bucket(&key);
	smp_mb();
	if (!READ_ONCE(b->waiters))
		return 0;
	spin_lock(&b->lock);
	ret = wake_some(b, &key, n, bitset);
	spin_unlock(&b->lock);
	return ret;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		struct futex_bucket *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock);
	list_ready(a);
	list_ready(b);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a != b)
		spin_unlock(&b->lock);
	spin_unlock(&a->lock);
}

static int requeue_locked(struct futex_bucket *b1, const struct futex_key *k1,
			  struct futex_bucket *b2, const struct futex_key *k2, int nr_wake,
			  int nr_requeue)
{
	struct futex_waiter *w, *next;
	struct list moved;
	int done = 0;

	list_init(&moved);
	list_for_each_entry_safe(w, next, &b1->list, link) {
		if (done - nr_wake >= nr_requeue)
			break;
		if (!futex_key_equal(&w->key, k1))
			continue;
		if (w->pi) {
			done = -EINVAL;
			break;
		}
		if (++done <= nr_wake) {
			futex_wake_waiter(w);
			continue;
		}
		list_move_tail(&w->link, &moved);
		w->key = *k2;
		if (b1 != b2) {
			__atomic_fetch_add(&b2->waiters, 1, __ATOMIC_RELAXED);
			__atomic_fetch_sub(&b1->waiters, 1, __ATOMIC_RELAXED);
			smp_store_release(&w->bucket, b2);
		}
	}
	list_splice_tail_init(&moved, &b2->list);
	return done;
}

int futex_requeue(uptr_t uaddr, bool shared, uptr_t uaddr2, int nr_wake, int nr_requeue,
		  const u32 *cmp)
{
	struct futex_bucket *b1, *b2;
	struct futex_key k1, k2;
	u32 now;
	int ret;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	for (;;) {
		ret = futex_get_key(uaddr, shared, &k1);
		if (!ret)
			ret = futex_get_key(uaddr2, shared, &k2);
		if (ret)
			return ret;
		b1 = futex_bucket(&k1);
		b2 = futex_bucket(&k2);
		lock_two(b1, b2);
		if (!cmp || !futex_read_atomic(&now, uaddr))
			break;
		unlock_two(b1, b2);
		if (get_user_u32(&now, uaddr))
			return -EFAULT;
	}
	if (cmp && now != *cmp)
		ret = -EAGAIN;
	else
		ret = requeue_locked(b1, &k1, b2, &k2, nr_wake, nr_requeue);
	unlock_two(b1, b2);
	return ret;
}

struct wake_op {
	unsigned op, cmp;
	int arg, cmparg;
};

static int decode_wake_op(u32 word, struct wake_op *o)
{
	o->op = (word >> 28) & 7;
	o->cmp = (word >> 24) & 15;
	o->arg = (int)(word << 8) >> 20;
	o->cmparg = (int)(word << 20) >> 20;
	if (word >> 28 & FUTEX_OP_OPARG_SHIFT)
		o->arg = (int)(1u << (o->arg & 31));
	return o->op > 4 || o->cmp > 5 ? -ENOSYS : 0;
}

static bool wake_op_holds(const struct wake_op *o, int old)
{
	switch (o->cmp) {
	case 0: return old == o->cmparg;
	case 1: return old != o->cmparg;
	case 2: return old < o->cmparg;
	case 3: return old <= o->cmparg;
	case 4: return old > o->cmparg;
	default: return old >= o->cmparg;
	}
}

int futex_wake_op(uptr_t uaddr, bool shared, uptr_t uaddr2, int nr_wake, int nr_wake2, u32 word)
{
	struct futex_bucket *b1, *b2;
	struct futex_key k1, k2;
	struct wake_op o;
	int ret, more;
	u32 old;

	ret = decode_wake_op(word, &o);
	for (;;) {
		int error = futex_get_key(uaddr, shared, &k1);

		if (!error)
			error = futex_get_key(uaddr2, shared, &k2);
		if (error || ret)
			return error ? error : ret;
		b1 = futex_bucket(&k1);
		b2 = futex_bucket(&k2);
		lock_two(b1, b2);
		current->fault_disabled++;
		error = user_fetch_op_u32(uaddr2, o.op, (u32)o.arg, &old);
		current->fault_disabled--;
		if (!error)
			break;
		unlock_two(b1, b2);
		/* Adding 0 makes the page present and writable. */
		if (user_fetch_op_u32(uaddr2, 1, 0, &old))
			return -EFAULT;
	}
	ret = wake_some(b1, &k1, nr_wake, FUTEX_BITSET_MATCH_ANY);
	if (ret >= 0 && wake_op_holds(&o, (int)old)) {
		more = wake_some(b2, &k2, nr_wake2, FUTEX_BITSET_MATCH_ANY);
		ret = more < 0 ? more : ret + more;
	}
	unlock_two(b1, b2);
	return ret;
}

void futex_wake_user(uptr_t addr, int n)
{
	futex_wake(addr, true, n, FUTEX_BITSET_MATCH_ANY);
}
