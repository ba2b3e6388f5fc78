/*
 * Fair scheduling: each thread has a virtual run time that grows with its time on the CPU, slower the
 * higher its weight; the one with the least runs next. The tree is ordered by it, leftmost remembered.
 *
 * A thread that slept is placed not further back than FAIR_SLEEPER_CREDIT_NS before the queue's minimum,
 * so that sleeping earns a quick start but not a hoard. Virtual times are relative to their queue's
 * minimum and are converted when a thread changes queues.
 *
 * Locks: rq->lock. Manual: sched(7).
 */
#include "sched.h"
#include <debug/inject.h>

/* Each step of nice is a factor of 1.25 in CPU share. From -20 to 19. */
const u32 fair_weights[40] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548,  7620,  6100,  4904,  3906,  3121,  2501,  1991,  1586,  1277,
	1024,  820,   655,   526,   423,   335,   272,   215,   172,   137,
	110,   87,    70,    56,    45,    36,    29,    23,    18,    15,
};
#define WEIGHT_IDLE 3u

u32 fair_weight(const struct thread *t)
{
	if (INJECT("nice_ignored"))
		return WEIGHT_NICE_0;
	return t->se.policy == SCHED_IDLE ? WEIGHT_IDLE : fair_weights[t->se.nice + 20];
}

static inline struct thread *entry(const struct rb_node *n)
{
	return rb_entry(n, struct thread, se.node);
}

static bool less(const struct rb_node *a, const struct rb_node *b)
{
	return (s64)(entry(a)->se.vruntime_ns - entry(b)->se.vruntime_ns) < 0;
}

void fair_insert(struct rq *rq, struct thread *t)
{
	rb_add_cached(&t->se.node, &rq->fair, less);
}

void fair_remove(struct rq *rq, struct thread *t)
{
	rb_erase_cached(&t->se.node, &rq->fair);
}

struct thread *fair_first(struct rq *rq)
{
	struct rb_node *n = rb_first_cached(&rq->fair);

	return n ? entry(n) : NULL;
}

void fair_charge(struct rq *rq, struct thread *t, u64 delta_ns)
{
	u64 min;
	struct thread *first = fair_first(rq);

	if (likely(t->se.weight == WEIGHT_NICE_0))
		t->se.vruntime_ns += delta_ns;
	else
		t->se.vruntime_ns += delta_ns * WEIGHT_NICE_0 / t->se.weight;
	min = t->se.vruntime_ns;
	if (first && (s64)(first->se.vruntime_ns - min) < 0)
		min = first->se.vruntime_ns;
	if ((s64)(min - rq->min_vruntime_ns) > 0)
		WRITE_ONCE(rq->min_vruntime_ns, min);
}

/* Before t is queued on rq; from_min_ns is the minimum its virtual time was relative to. */
void fair_place(struct rq *rq, struct thread *t, u64 from_min_ns)
{
	s64 ahead = (s64)(t->se.vruntime_ns - from_min_ns);

	if (ahead < -(s64)FAIR_SLEEPER_CREDIT_NS)
		ahead = -(s64)FAIR_SLEEPER_CREDIT_NS;
	t->se.vruntime_ns = rq->min_vruntime_ns + (u64)ahead;
}

bool fair_should_preempt(const struct thread *curr, const struct thread *woken)
{
	s64 lead = (s64)(curr->se.vruntime_ns - woken->se.vruntime_ns);

	if (INJECT("wake_no_preempt"))
		return false;
	if (unlikely(curr->se.policy == SCHED_IDLE && woken->se.policy != SCHED_IDLE))
		return true;
	if (unlikely(woken->se.policy != SCHED_OTHER))
		return false;
	if (lead <= 0)
		return false;
	/* A light thread must be further behind to push a heavier one away. */
	return (u64)lead * woken->se.weight > FAIR_WAKE_GRANULARITY_NS * WEIGHT_NICE_0;
}

u64 fair_slice_ns(const struct rq *rq, const struct thread *t)
{
	u64 load = rq->fair_load;
	u64 slice = load ? FAIR_LATENCY_NS * t->se.weight / load : FAIR_LATENCY_NS;

	return slice > FAIR_MIN_SLICE_NS ? slice : FAIR_MIN_SLICE_NS;
}

/* At a tick: is it somebody else's turn? slice_end_ns holds sum_exec_ns at the start of the turn. */
bool fair_slice_over(struct rq *rq, struct thread *curr)
{
	struct thread *first = fair_first(rq);
	u64 ran, slice;

	if (!first)
		return false;
	if (unlikely(curr->se.policy == SCHED_IDLE && first->se.policy != SCHED_IDLE))
		return true;
	ran = curr->se.sum_exec_ns - curr->se.slice_end_ns;
	slice = fair_slice_ns(rq, curr);
	if (ran < slice)
		return false;
	return (s64)(curr->se.vruntime_ns - first->se.vruntime_ns) > 0;
}

void fair_yield(struct rq *rq, struct thread *curr)
{
	struct thread *first = fair_first(rq);

	if (INJECT("yield_ignored"))
		return;
	if (first && (s64)(first->se.vruntime_ns - curr->se.vruntime_ns) >= 0)
		curr->se.vruntime_ns = first->se.vruntime_ns + 1;
}
