/*
 * What a thread may be told: nice value, policy, affinity. And what is reported: run time, load.
 *
 * A change takes the thread out of its queue, changes it and puts it back, so that queues never hold
 * something that compares differently than when it was put in.
 *
 * Locks: t->pi_lock, then its run queue's. Manual: sched(7), nice(2), sched_setaffinity(2), proc(5).
 */
#include "sched.h"
#include <core/rcu.h>
#include <lib/errno.h>

struct change {
	u8 policy, rt_priority;
	s8 nice;
};

static void apply(struct thread *t, const struct change *c)
{
	irqflags_t flags = spin_lock_irqsave(&t->pi_lock);
	struct rq *rq = thread_rq_lock(t);
	bool queued = t->se.queued, running = rq->curr == t;
	u64 now = arch_clock_ns();
	/* Their virtual times mean nothing to others: not used, or far ahead. */
	bool stranger = is_rt(t) || t->se.policy == SCHED_IDLE;

	if (running)
		rq_update_curr(rq, now);
	if (queued)
		rq_del(rq, t);
	t->se.policy = c->policy;
	t->se.rt_priority = c->rt_priority;
	t->se.nice = c->nice;
	t->se.weight = fair_weight(t);
	if (stranger && !is_rt(t))
		fair_place(rq, t, t->se.vruntime_ns);
	if (queued) {
		rq_add(rq, t);
		if (running) { /* counted, but in no tree or list */
			if (is_rt(t))
				rt_remove(rq, t);
			else
				fair_remove(rq, t);
			rq_resched(rq);
		} else {
			rq_check_preempt(rq, t, now);
		}
	}
	spin_unlock(&rq->lock);
	spin_unlock_irqrestore(&t->pi_lock, flags);
}

int sched_set_nice(struct thread *t, int nice)
{
	struct change c = { .policy = t->se.policy, .rt_priority = t->se.rt_priority };

	c.nice = (s8)(nice < -20 ? -20 : nice > 19 ? 19 : nice);
	apply(t, &c);
	return 0;
}

int sched_set_policy(struct thread *t, int policy, int rt_priority)
{
	struct change c = { .policy = (u8)policy,
			    .rt_priority = (u8)rt_priority,
			    .nice = t->se.nice };

	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		if (rt_priority < 1 || rt_priority > 99)
			return -EINVAL;
		break;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		if (rt_priority != 0)
			return -EINVAL;
		break;
	default: return -EINVAL;
	}
	apply(t, &c);
	return 0;
}

/* It waits in a queue that it may no longer be in; both locks held. */
static void leave_queue(struct thread *t, struct rq *rq)
{
	rq_del(rq, t);
	spin_unlock(&rq->lock);
	spin_unlock(&t->pi_lock);
	sched_move_away(t);
}

int sched_set_affinity_kernel(struct thread *t, u64 mask)
{
	irqflags_t flags = spin_lock_irqsave(&t->pi_lock);
	struct rq *rq = thread_rq_lock(t);

	t->affinity = mask;
	if ((mask & BIT(rq->cpu)) || !t->se.queued) {
		spin_unlock(&rq->lock);
		spin_unlock_irqrestore(&t->pi_lock, flags);
		return 0;
	}
	if (rq->curr != t) {
		preempt_disable();
		leave_queue(t, rq);
		arch_irq_restore(flags);
		preempt_enable();
		return 0;
	}
	rq_resched(rq); /* the switch moves it */
	spin_unlock(&rq->lock);
	spin_unlock_irqrestore(&t->pi_lock, flags);
	return 0;
}

int sched_set_affinity(struct thread *t, u64 mask)
{
	mask &= (1ul << MAX_CPUS) - 1;
	if (!(mask & READ_ONCE(cpu_online_mask)))
		return -EINVAL;
	return sched_set_affinity_kernel(t, mask);
}

u64 sched_runtime_ns(const struct thread *ct)
{
	struct thread *t = (struct thread *)ct;
	irqflags_t flags;
	struct rq *rq;
	u64 ns;

	preempt_disable();
	flags = arch_irq_save();
	rq = thread_rq_lock(t);
	ns = t->se.sum_exec_ns;
	if (rq->curr == t && t->se.queued) {
		u64 now = arch_clock_ns();

		if (now > t->se.exec_start_ns)
			ns += now - t->se.exec_start_ns;
	}
	spin_unlock(&rq->lock);
	arch_irq_restore(flags);
	preempt_enable();
	return ns;
}

u64 sched_rr_slice_ns(const struct thread *t)
{
	if (t->se.policy == SCHED_FIFO)
		return 0;
	if (t->se.policy == SCHED_RR)
		return RR_SLICE_NS;
	return fair_slice_ns(cpu_rq(t->cpu), t);
}

u64 sched_switches(void)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		n += READ_ONCE(run_queues[cpu].switches);
	return n;
}

unsigned sched_nr_running(void)
{
	unsigned n = 0;

	for (unsigned long m = READ_ONCE(cpu_online_mask); m; m &= m - 1)
		n += READ_ONCE(run_queues[__builtin_ctzl(m)].nr_running);
	return n;
}

/*
 * Load averages: every five seconds each moves towards the number of runnable threads, by a factor of
 * exp(-5 s / period). Ticks and readers catch up; while all CPUs idle nothing ticks and the load was 0.
 */
#define LOAD_PERIOD_NS (5 * NSEC_PER_SEC)
static u64 load_avg[3]; /* fixed point << 11; [x] load_lock */
static u64 next_load_ns = LOAD_PERIOD_NS; /* [a] */
static struct spinlock load_lock = SPINLOCK_INIT("loadavg", RANK_TIMER);

static void load_step(u64 active)
{
	static const u64 keep[3] = { 1884, 2014, 2037 }; /* 2048 * exp(-5/60), /300, /900 */

	for (unsigned i = 0; i < 3; i++)
		load_avg[i] = (load_avg[i] * keep[i] + (active << 11) * (2048 - keep[i])) >> 11;
}

/* In the tick: never waits for the lock. Who holds it does the step. */
void load_avg_update(u64 now)
{
	irqflags_t flags;

	if (likely(now < READ_ONCE(next_load_ns)))
		return;
	flags = arch_irq_save();
	if (!spin_trylock(&load_lock)) {
		arch_irq_restore(flags);
		return;
	}
	for (unsigned steps = 0; now >= next_load_ns; steps++) {
		u64 behind = now - next_load_ns;

		if (steps > 2000) { /* nothing is left of it */
			next_load_ns = now + LOAD_PERIOD_NS;
			break;
		}
		load_step(behind < LOAD_PERIOD_NS ? sched_nr_running() : 0);
		next_load_ns += LOAD_PERIOD_NS;
	}
	spin_unlock_irqrestore(&load_lock, flags);
}

void sched_load_avg(u64 avg[3])
{
	load_avg_update(arch_clock_ns());
	for (unsigned i = 0; i < 3; i++)
		avg[i] = READ_ONCE(load_avg[i]);
}
