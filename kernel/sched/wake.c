/*
 * Waking threads, and which CPU they run on then.
 *
 * The sleeper sets its state with a full barrier and then tests its condition; the waker makes the
 * condition true, takes pi_lock (a full barrier) and then looks at the state. So either the sleeper sees
 * the condition or the waker sees the state. A sleeper that has not left its run queue yet is only set
 * running again; one that has is queued elsewhere once it is off its stack (on_cpu).
 *
 * Locks: t->pi_lock (RANK_PI), then one run queue's. Interrupts off.
 */
#include "sched.h"
#include <debug/inject.h>
#include <debug/trace.h>

static unsigned first_cpu(unsigned long mask)
{
	return (unsigned)__builtin_ctzl(mask);
}

/* A real-time thread goes where the least important one runs. */
static unsigned select_rt(struct thread *t, unsigned long allowed, unsigned best)
{
	int best_prio = is_rt(READ_ONCE(cpu_rq(best)->curr)) ? 100 : 0;

	for (unsigned long m = allowed; m && best_prio; m &= m - 1) {
		struct thread *curr = READ_ONCE(cpu_rq(first_cpu(m))->curr);
		int prio = is_rt(curr) ? curr->se.rt_priority : 0;

		if (prio < best_prio && prio < t->se.rt_priority) {
			best = first_cpu(m);
			best_prio = prio;
		}
	}
	return best;
}

static unsigned select_least_loaded(unsigned long allowed, unsigned best)
{
	unsigned least = READ_ONCE(cpu_rq(best)->nr_running);

	for (unsigned long m = allowed; m; m &= m - 1) {
		unsigned n = READ_ONCE(cpu_rq(first_cpu(m))->nr_running);

		if (n < least) {
			least = n;
			best = first_cpu(m);
		}
	}
	return best;
}

/*
 * Two threads that wake each other in turn hand over: one sleeps when the other runs, so the partner runs
 * best right here, next, without another CPU being called out of idle. If the waker goes on running after
 * all, the tick's balancing moves one of them.
 */
static bool handing_over(const struct thread *t)
{
	struct thread *me = current;
	bool pair;

	if (in_irq())
		return false;
	pair = READ_ONCE(t->last_wakee) == me && me->last_wakee == t;
	me->last_wakee = t;
	return pair && this_rq()->nr_running == 1;
}

unsigned sched_select_cpu(struct thread *t, bool fresh)
{
	unsigned long online = READ_ONCE(cpu_online_mask);
	unsigned long allowed = INJECT("affinity_ignored") ? online : t->affinity & online, idle;
	unsigned me = this_cpu(), prev = t->cpu;

	if (online == 1 && likely(t->affinity & 1))
		return 0;
	if (unlikely(!allowed)) /* a kernel thread bound to a CPU that is not up yet */
		return first_cpu(t->affinity);
	if (handing_over(t) && (allowed & BIT(me)) && !is_rt(t))
		return me;
	idle = READ_ONCE(sched_idle_mask) & allowed;
	if (idle & BIT(prev))
		return prev;
	if (idle)
		return first_cpu(idle);
	if (!(allowed & BIT(me)))
		me = allowed & BIT(prev) ? prev : first_cpu(allowed);
	if (unlikely(is_rt(t)))
		return select_rt(t, allowed, me);
	return fresh ? select_least_loaded(allowed, me) : me;
}

/* pi_lock held, t in no queue and off its stack. */
static void enqueue(struct thread *t, bool fresh)
{
	u64 from_min = READ_ONCE(cpu_rq(t->cpu)->min_vruntime_ns);
	unsigned cpu = sched_select_cpu(t, fresh);
	struct rq *rq = cpu_rq(cpu);
	u64 now = arch_clock_ns();

	TRACE(sched_wake, t->tid, cpu);
	spin_lock(&rq->lock);
	if (likely(!is_rt(t)))
		fair_place(rq, t, from_min);
	rq_add(rq, t);
	rq_check_preempt(rq, t, now);
	spin_unlock(&rq->lock);
}

bool thread_wake_states(struct thread *t, u32 states)
{
	irqflags_t flags;
	bool woken = false;

	flags = spin_lock_irqsave(&t->pi_lock);
	smp_mb();
	if (!(BIT(READ_ONCE(t->state)) & states))
		goto out;
	woken = true;
	if (smp_load_acquire(&t->se.queued)) {
		struct rq *rq = thread_rq_lock(t);
		bool queued = t->se.queued;

		if (queued && !INJECT("wake_lost"))
			WRITE_ONCE(t->state, TS_RUNNING);
		spin_unlock(&rq->lock);
		if (queued)
			goto out;
	}
	WRITE_ONCE(t->state, TS_RUNNING);
	while (smp_load_acquire(&t->on_cpu))
		cpu_relax();
	enqueue(t, false);
out:
	spin_unlock_irqrestore(&t->pi_lock, flags);
	return woken;
}

void thread_start(struct thread *t)
{
	irqflags_t flags = spin_lock_irqsave(&t->pi_lock);
	struct thread *me = current;

	WRITE_ONCE(t->state, TS_RUNNING);
	t->start_ns = arch_clock_ns();
	t->cpu = this_cpu();
	t->se.vruntime_ns = me->mm ? me->se.vruntime_ns : this_rq()->min_vruntime_ns;
	enqueue(t, true);
	spin_unlock_irqrestore(&t->pi_lock, flags);
}

void thread_kick(struct thread *t, bool fatal)
{
	u32 states = BIT(TS_SLEEP_INT);

	if (fatal)
		states |= BIT(TS_SLEEP_KILL) | BIT(TS_STOPPED);
	if (thread_wake_states(t, states))
		return;
	preempt_disable();
	if (READ_ONCE(t->on_cpu) && READ_ONCE(t->cpu) != this_cpu())
		arch_ipi_send(READ_ONCE(t->cpu), IPI_RESCHEDULE);
	preempt_enable();
}

/* Used by the end of a switch: t does not run any longer, but its CPU is not allowed to it. */
void sched_move_away(struct thread *t)
{
	irqflags_t flags = spin_lock_irqsave(&t->pi_lock);

	enqueue(t, true);
	spin_unlock_irqrestore(&t->pi_lock, flags);
}
