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

/* For sched/rcu_thread.c. begin starts a grace period and returns its number; pending is the mask of
 * online CPUs that it still waits for. take removes all callbacks queued so far, on all CPUs. */
u64 rcu_gp_begin(void);
unsigned long rcu_gp_pending(u64 gp);
struct rcu_head *rcu_take_callbacks(void);
void rcu_init(void (*wake)(void)); /* wake: called (interrupts off) when callbacks are waiting */

/* An idle CPU is quiescent: from enter (interrupts off, before halting) to exit, or to the first
 * interrupt, whose dispatch calls rcu_irq_enter(). */
void rcu_idle_enter(void);
void rcu_idle_exit(void);
DECLARE_PER_CPU(u8, rcu_cpu_idle);
static __always_inline void rcu_irq_enter(void)
{
	if (unlikely(this_cpu_read(rcu_cpu_idle)))
		rcu_idle_exit();
}

/* Called by sched/ (switch, idle entry) and the tick when it interrupted user mode. */
void rcu_quiescent(void);

#define rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_assign(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
