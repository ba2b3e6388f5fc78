/*
 * Run queues: what is common to the classes, and moving threads between queues.
 *
 * Locks: rq->lock (RANK_RUNQUEUE), interrupts off. Two queues: the second is only ever tried
 * (rq_steal), so that no order is needed. A thread changes queues under its pi_lock when it wakes, under
 * both queues' locks when it is pulled.
 */
#include "sched.h"
#include <debug/inject.h>
#include <debug/panic.h>
#include <debug/trace.h>

struct rq run_queues[MAX_CPUS];
unsigned long sched_idle_mask;

void rq_init(struct rq *rq, unsigned cpu, struct thread *idle)
{
	spin_init(&rq->lock, "runqueue", RANK_RUNQUEUE);
	rq->cpu = cpu;
	rq->curr = idle;
	rq->idle = idle;
	rq->min_vruntime_ns = 1ull << 32;
	for (unsigned i = 0; i < RT_LEVELS; i++)
		list_init(&rq->rt[i]);
}

void rq_resched(struct rq *rq)
{
	struct thread *curr = rq->curr;

	if (!thread_test_flag(curr, TF_NEED_RESCHED))
		thread_set_flag(curr, TF_NEED_RESCHED);
	else if (rq->cpu != this_cpu())
		return; /* whoever set it has interrupted that CPU */
	if (rq->cpu == this_cpu())
		this_cpu_write(preempt_count, this_cpu_read(preempt_count) & ~PREEMPT_NO_RESCHED);
	else if ((READ_ONCE(cpu_online_mask) & BIT(rq->cpu)) && !INJECT("resched_lost"))
		arch_ipi_send(rq->cpu, IPI_RESCHEDULE);
}

void rq_add(struct rq *rq, struct thread *t)
{
	t->cpu = rq->cpu;
	rq->nr_running++;
	if (unlikely(is_rt(t))) {
		rq->nr_rt++;
		t->se.slice_end_ns = t->se.sum_exec_ns + RR_SLICE_NS;
		rt_insert(rq, t, false);
	} else {
		t->se.weight = fair_weight(t);
		rq->fair_load += t->se.weight;
		fair_insert(rq, t);
	}
	smp_store_release(&t->se.queued, true);
}

void rq_del(struct rq *rq, struct thread *t)
{
	rq->nr_running--;
	if (unlikely(is_rt(t))) {
		rq->nr_rt--;
		if (rq->curr != t)
			rt_remove(rq, t);
	} else {
		rq->fair_load -= t->se.weight;
		if (rq->curr != t)
			fair_remove(rq, t);
	}
	smp_store_release(&t->se.queued, false);
}

void rq_put_prev(struct rq *rq, struct thread *t)
{
	if (likely(!is_rt(t))) {
		fair_insert(rq, t);
		return;
	}
	/* A preempted one goes on where it was; one whose slice is over goes to the end. */
	rt_insert(rq, t, t->se.slice_end_ns != 0);
	if (!t->se.slice_end_ns)
		t->se.slice_end_ns = t->se.sum_exec_ns + RR_SLICE_NS;
}

struct thread *rq_take_next(struct rq *rq)
{
	struct thread *t;

	if (unlikely(rq->nr_rt) && !(INJECT("rt_late") && fair_first(rq))) {
		t = rt_first(rq);
		if (t) {
			rt_remove(rq, t);
			return t;
		}
	}
	t = fair_first(rq);
	if (!t)
		return rq->idle;
	fair_remove(rq, t);
	t->se.slice_end_ns = t->se.sum_exec_ns;
	return t;
}

void rq_update_curr(struct rq *rq, u64 now)
{
	struct thread *t = rq->curr;
	u64 delta = now - t->se.exec_start_ns;

	if (unlikely((s64)delta <= 0) || t == rq->idle)
		return;
	t->se.exec_start_ns = now;
	t->se.sum_exec_ns += delta;
	if (likely(!is_rt(t)))
		fair_charge(rq, t, delta);
}

void rq_check_preempt(struct rq *rq, struct thread *woken, u64 now)
{
	struct thread *curr = rq->curr;

	if (curr == rq->idle) {
		rq_resched(rq);
		return;
	}
	if (unlikely(is_rt(woken))) {
		if (!is_rt(curr) || woken->se.rt_priority > curr->se.rt_priority)
			rq_resched(rq);
		return;
	}
	if (is_rt(curr) || thread_test_flag(curr, TF_NEED_RESCHED))
		return;
	rq_update_curr(rq, now);
	if (fair_should_preempt(curr, woken))
		rq_resched(rq);
}

struct rq *thread_rq_lock(struct thread *t)
{
	for (;;) {
		struct rq *rq = cpu_rq(READ_ONCE(t->cpu));

		spin_lock(&rq->lock);
		if (likely(t->cpu == rq->cpu))
			return rq;
		spin_unlock(&rq->lock);
	}
}

static bool move(struct rq *to, struct rq *from, struct thread *t)
{
	if (!(t->affinity & BIT(to->cpu)))
		return false;
	TRACE(sched_migrate, t->tid, from->cpu, to->cpu);
	rq_del(from, t);
	t->cpu = to->cpu;
	if (!is_rt(t))
		fair_place(to, t, from->min_vruntime_ns);
	rq_add(to, t);
	return true;
}

bool rq_pull(struct rq *to, struct rq *from)
{
	struct thread *t;

	for (unsigned p = RT_LEVELS; from->nr_rt && p-- > 1;)
		list_for_each_entry(t, &from->rt[p], se.rt_link)
			if (move(to, from, t))
				return true;
	/* From the right: it would have waited longest. */
	for (struct rb_node *n = rb_last(&from->fair.root); n; n = rb_prev(n))
		if (move(to, from, rb_entry(n, struct thread, se.node)))
			return true;
	return false;
}

/* From the CPU with the most threads, at least min_running of them. */
bool rq_steal(struct rq *rq, unsigned min_running)
{
	struct rq *busiest = NULL;
	unsigned most = min_running - 1;
	bool got = false;

	for (unsigned long m = READ_ONCE(cpu_online_mask) & ~BIT(rq->cpu); m; m &= m - 1) {
		struct rq *other = cpu_rq((unsigned)__builtin_ctzl(m));

		if (READ_ONCE(other->nr_running) > most) {
			most = other->nr_running;
			busiest = other;
		}
	}
	if (INJECT("steal_never"))
		return false;
	if (!busiest || !spin_trylock(&busiest->lock))
		return false;
	if (busiest->nr_running >= min_running)
		got = rq_pull(rq, busiest);
	spin_unlock(&busiest->lock);
	return got;
}
