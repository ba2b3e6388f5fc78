/*
 * Process numbers: one space for threads, processes, groups and sessions.
 *
 * A radix tree maps numbers to struct pid. Changes are made under pid_lock, lookups under rcu: a reader
 * finds a pid whose count may have fallen to zero just now, and takes a reference only if it has not.
 * Numbers are given out in rising order and wrap at pid_max to PID_RESERVED, so one that was freed does
 * not come back soon. Manual: credentials(7), pid_max in proc(5).
 */
#include "internal.h"
#include <core/rcu.h>
#include <debug/inject.h>
#include <lib/radix.h>

s32 pid_max = 32768;
static struct spinlock pid_lock = SPINLOCK_INIT("pid", RANK_PID);
static s32 pid_last; /* [x] pid_lock */
static struct kcache *pid_cache, *node_cache;

static struct radix_node *node_alloc(struct radix_root *root)
{
	return kcache_alloc(node_cache, ALLOC_ZERO | ALLOC_ATOMIC);
}

static void node_free_rcu(struct rcu_head *head)
{
	kcache_free(node_cache, container_of((void **)head, struct radix_node, owner[0]));
}

static void node_free(struct radix_root *root, struct radix_node *node)
{
	call_rcu((struct rcu_head *)node->owner, node_free_rcu);
}

static const struct radix_ops pid_radix_ops = { node_alloc, node_free };
static struct radix_root pids = RADIX_INIT(&pid_radix_ops); /* [x] pid_lock; read under rcu */

void pid_init(void)
{
	BUILD_ASSERT(sizeof(struct rcu_head) <= sizeof(((struct radix_node *)0)->owner));
	pid_cache = kcache_create("pid", sizeof(struct pid), 0);
	node_cache = kcache_create("pid_node", sizeof(struct radix_node), 0);
	pid_last = 1; /* 1 is for init alone */
}

/* Puts p at the next free number. pid_lock held. */
static int insert_next(struct pid *p)
{
	s32 nr = pid_last;

	for (s32 tries = 0; tries < pid_max; tries++) {
		int error;

		if (++nr >= pid_max)
			nr = min(PID_RESERVED, pid_max / 2);
		p->nr = nr;
		error = radix_insert(&pids, (u64)nr, p);
		if (error == -EEXIST)
			continue;
		if (!error && !INJECT("pid_reused_at_once"))
			pid_last = nr;
		return error;
	}
	return -EAGAIN;
}

int pid_alloc(s32 nr, struct pid **out)
{
	struct pid *p = kcache_alloc(pid_cache, ALLOC_USER);
	int error;

	if (!p)
		return -ENOMEM;
	refcount_init(&p->refs, 1);
	p->thread = NULL;
	p->proc = NULL;
	list_init(&p->group);
	spin_lock(&pid_lock);
	if (nr) {
		p->nr = nr;
		error = radix_insert(&pids, (u64)nr, p);
	} else {
		error = insert_next(p);
	}
	spin_unlock(&pid_lock);
	if (error)
		kcache_free(pid_cache, p);
	else
		*out = p;
	return error;
}

static void pid_free_rcu(struct rcu_head *head)
{
	kcache_free(pid_cache, container_of(head, struct pid, rcu));
}

void pid_put(struct pid *p)
{
	if (!p || !refcount_dec_and_test(&p->refs))
		return;
	spin_lock(&pid_lock);
	radix_delete(&pids, (u64)p->nr);
	spin_unlock(&pid_lock);
	call_rcu(&p->rcu, pid_free_rcu);
}

struct pid *pid_get(struct pid *p)
{
	refcount_inc(&p->refs);
	return p;
}

/* Under rcu. */
static struct pid *pid_find(s32 nr)
{
	return nr > 0 ? radix_lookup(&pids, (u64)nr) : NULL;
}

struct pid *pid_get_nr(s32 nr)
{
	struct pid *p;

	rcu_read_lock();
	p = pid_find(nr);
	if (p && !refcount_inc_not_zero(&p->refs))
		p = NULL;
	rcu_read_unlock();
	return p;
}

struct thread *proc_find_thread(s32 tid)
{
	struct pid *p = pid_find(tid);

	return p ? rcu_dereference(p->thread) : NULL;
}

struct proc *proc_find(s32 pid)
{
	struct pid *p = pid_find(pid);

	return p ? rcu_dereference(p->proc) : NULL;
}

struct proc *proc_get_by_pid(s32 pid)
{
	struct proc *p;

	rcu_read_lock();
	p = proc_find(pid);
	if (p && !refcount_inc_not_zero(&p->refs))
		p = NULL;
	rcu_read_unlock();
	return p;
}

struct proc *proc_next(s32 *pid)
{
	u64 index = *pid > 0 ? (u64)*pid : 1;
	struct proc *found = NULL;
	struct pid *p;

	rcu_read_lock();
	for (; (p = radix_next(&pids, &index)); index++) {
		found = rcu_dereference(p->proc);
		if (found && refcount_inc_not_zero(&found->refs))
			break;
		found = NULL;
	}
	rcu_read_unlock();
	if (found)
		*pid = (s32)index;
	return found;
}

struct thread *proc_next_thread(struct proc *p, s32 *tid)
{
	struct thread *best = NULL, *t;
	struct thread_proc *tp;
	irqflags_t flags;
	struct sighand *sh;

	sh = sighand_lock(p, &flags);
	if (p->leader && p->leader->tid >= *tid)
		best = p->leader; /* listed even when it has exited before the others */
	list_for_each_entry(tp, &p->threads, group_link) {
		t = tp->thread;
		if (t->tid >= *tid && (!best || t->tid < best->tid))
			best = t;
	}
	if (best) {
		thread_get(best);
		*tid = best->tid;
	}
	sighand_unlock(sh, flags);
	return best;
}
