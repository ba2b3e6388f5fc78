/*
 * The scheduler's centre: giving up the CPU, preemption, the tick.
 *
 * A switch happens with the preemption count at 2 (one from schedule(), one from the queue's lock) on
 * both sides, so that the per-CPU count need not be saved; the next thread unlocks the queue that the
 * previous one locked (finish_switch). need-resched is kept twice, as TF_NEED_RESCHED of the running
 * thread (looked at on the way to user mode) and as the inverted bit 31 of its CPU's preempt_count
 * (looked at by preempt_enable and the end of interrupts); both are set and cleared by their CPU only
 * under the queue's lock or with interrupts off, except that another CPU sets the flag and then sends
 * IPI_RESCHEDULE, whose handler sets the bit.
 *
 * Locks: rq->lock. Manual: sched(7), sched_yield(2).
 */
#include "sched.h"
#include <core/rcu.h>
#include <debug/inject.h>
#include <debug/panic.h>
#include <debug/trace.h>
#include <sched/waitq.h>

bool (*sched_signal_pending)(struct thread *t, bool fatal_only);

#ifdef CONFIG_DEBUG
void might_sleep(void)
{
	/* The start of the boot CPU, where nobody else runs, is as good as a thread. */
	if (current == run_queues[0].idle || !run_queues[0].idle)
		return;
	if (WARN_ON(in_atomic()) || WARN_ON(!arch_irqs_enabled()))
		return;
}
#endif

static void clear_resched(struct thread *prev)
{
	if (thread_test_flag(prev, TF_NEED_RESCHED))
		thread_clear_flag(prev, TF_NEED_RESCHED);
	this_cpu_write(preempt_count, this_cpu_read(preempt_count) | PREEMPT_NO_RESCHED);
}

/* A kernel thread runs on the tables that are loaded; who ends an address space gets all CPUs off it. */
static void switch_mm(struct thread *next)
{
	if (next->mm && next->mm != this_cpu_read(tlb_loaded_mm))
		tlb_switch_mm_slow(next->mm);
}

static void leave_idle(struct rq *rq, u64 now)
{
	__atomic_fetch_and(&sched_idle_mask, ~BIT(rq->cpu), __ATOMIC_SEQ_CST);
	rq->idle_ns += now - rq->idle_since_ns;
	if (!ktimer_pending(&rq->tick))
		ktimer_arm(&rq->tick, now + TICK_NS);
}

static void enter_idle(struct rq *rq, u64 now)
{
	rq->idle_since_ns = now;
	__atomic_fetch_or(&sched_idle_mask, BIT(rq->cpu), __ATOMIC_SEQ_CST);
}

/* In the next thread, on its stack; the queue locked by the previous one. Interrupts on afterwards. */
static void finish_switch(struct thread *prev)
{
	struct rq *rq = this_rq();
	struct thread *away = rq->move;
	bool dead = prev->state == TS_DEAD;

	rq->move = NULL;
	smp_store_release(&prev->on_cpu, false);
	spin_unlock(&rq->lock);
	arch_irq_enable();
	if (unlikely(away))
		sched_move_away(away);
	if (unlikely(dead))
		thread_finish_dead(prev);
}

enum why {
	GIVE_UP, /* sleep in the state that was set; go on if it is TS_RUNNING */
	YIELD, /* go on, after the others */
	PREEMPTED, /* go on, whatever the state */
};

static void yield_to_others(struct rq *rq, struct thread *t)
{
	if (unlikely(is_rt(t)))
		t->se.slice_end_ns = 0; /* to the end of its list */
	else
		fair_yield(rq, t);
}

/* prev gives up its place; queue locked. */
static struct thread *pick_next(struct rq *rq, struct thread *prev, enum why why)
{
	if (prev != rq->idle) {
		if (why == YIELD)
			yield_to_others(rq, prev);
		if (why != PREEMPTED && READ_ONCE(prev->state) != TS_RUNNING) {
			rq_del(rq, prev);
		} else if (unlikely(!(prev->affinity & BIT(rq->cpu))) &&
			   !INJECT("affinity_ignored")) {
			rq_del(rq, prev);
			rq->move = prev;
		} else if (rq->nr_running == 1) {
			return prev;
		} else {
			rq_put_prev(rq, prev);
		}
	}
	if (!rq->nr_running && READ_ONCE(nr_cpus_online) > 1)
		rq_steal(rq, 2);
	return rq_take_next(rq);
}

/* Preemption count 1; interrupts on at return (in whatever thread comes back here). */
static void switch_away(enum why why)
{
	struct thread *prev = current, *next;
	struct rq *rq;
	u64 now;

	rcu_quiescent();
	arch_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	clear_resched(prev);
	now = arch_clock_ns();
	rq_update_curr(rq, now);
	next = pick_next(rq, prev, why);
	if (next == prev) {
		spin_unlock(&rq->lock);
		arch_irq_enable();
		return;
	}
	TRACE(sched_switch, next->tid, prev->state);
	if (prev == rq->idle)
		leave_idle(rq, now);
	else if (next == rq->idle)
		enter_idle(rq, now);
	next->se.exec_start_ns = now;
	rq->curr = next;
	rq->switches++;
	if (why != GIVE_UP || prev->state == TS_RUNNING)
		prev->nivcsw++;
	else
		prev->nvcsw++;
	next->on_cpu = true;
	switch_mm(next);
	this_cpu_write(current_thread, next);
	prev = arch_switch(prev, next);
	finish_switch(prev);
}

void sched_thread_started(struct thread *prev)
{
	finish_switch(prev);
	preempt_enable();
}

void schedule(void)
{
	ASSERT(preempt_depth() == 0);
	do {
		preempt_disable();
		switch_away(GIVE_UP);
		preempt_enable_no_resched();
	} while (unlikely(thread_test_flag(current, TF_NEED_RESCHED)));
}

/* The current thread's last switch. Not to be preempted once it is dead: whoever runs next frees it. */
void sched_leave(void)
{
	preempt_disable();
	WRITE_ONCE(current->state, TS_DEAD);
	switch_away(GIVE_UP);
	panic("a dead thread runs");
}

/* For idle threads, whose preemption count is always 1. */
void sched_from_idle(void)
{
	do
		switch_away(GIVE_UP);
	while (thread_test_flag(current, TF_NEED_RESCHED));
}

static void preempt(void)
{
	do {
		preempt_disable();
		switch_away(PREEMPTED);
		preempt_enable_no_resched();
	} while (unlikely(thread_test_flag(current, TF_NEED_RESCHED)));
}

void sched_preempt(void)
{
	if (preempt_depth() || !arch_irqs_enabled() || INJECT("no_preempt"))
		return;
	preempt();
}

void sched_preempt_irq(void)
{
	if (preempt_depth() || INJECT("no_preempt"))
		return;
	preempt();
	arch_irq_disable();
}

void sched_resched_ipi(void)
{
	if ((preempt_depth() & ~PREEMPT_IRQ_MASK) == 0)
		rcu_quiescent(); /* the interrupted code holds off nobody */
	if (thread_test_flag(current, TF_NEED_RESCHED))
		this_cpu_write(preempt_count, this_cpu_read(preempt_count) & ~PREEMPT_NO_RESCHED);
}

void sched_yield(void)
{
	preempt_disable();
	switch_away(YIELD);
	preempt_enable_no_resched();
	sched_point();
}

static void balance(struct rq *rq, u64 now)
{
	unsigned long idle;

	if (now < rq->next_balance_ns || READ_ONCE(nr_cpus_online) == 1)
		return;
	rq->next_balance_ns = now + 8 * TICK_NS;
	idle = READ_ONCE(sched_idle_mask) & ~BIT(rq->cpu);
	if (rq->nr_running > 1 && idle) {
		/* The idle loop steals when it looks at its queue. */
		struct rq *other = cpu_rq((unsigned)__builtin_ctzl(idle));

		if (spin_trylock(&other->lock)) {
			rq_resched(other);
			spin_unlock(&other->lock);
		}
	} else {
		rq_steal(rq, rq->nr_running + 2);
	}
}

void sched_tick(bool user_mode)
{
	struct rq *rq = this_rq();
	struct thread *t;
	u64 now;

	if (user_mode || (preempt_depth() & ~PREEMPT_IRQ_MASK) == 0)
		rcu_quiescent();
	spin_lock(&rq->lock);
	t = rq->curr;
	now = arch_clock_ns();
	if (t != rq->idle) {
		rq_update_curr(rq, now);
		if (user_mode)
			t->utime_ns += TICK_NS;
		else
			t->stime_ns += TICK_NS;
		if (unlikely(is_rt(t)) ? rt_slice_over(rq, t) : fair_slice_over(rq, t))
			rq_resched(rq);
		balance(rq, now);
		ktimer_arm(&rq->tick, now + TICK_NS);
	}
	spin_unlock(&rq->lock);
	load_avg_update(now);
}
