/*
 * Read-copy-update: readers disable preemption; a grace period ends when every CPU has passed through
 * a context switch, user mode or idle since it began.
 */
#pragma once
#include <core/preempt.h>
#include <lib/types.h>

struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *);
};

static __always_inline void rcu_read_lock(void)
{
	preempt_disable();
}
static __always_inline void rcu_read_unlock(void)
{
	preempt_enable();
}

/* Runs fn(head) after a grace period, in a kernel thread (may sleep briefly, in batches). Any context. */
void call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *));
/* Waits for a grace period. Thread context. */
void synchronize_rcu(void);

/* Called by sched/ (switch, idle entry) and the tick when it interrupted user mode. */
void rcu_quiescent(void);

#define rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_assign(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
