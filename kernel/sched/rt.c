/*
 * Real-time scheduling: a list for each of the priorities 1 to 99 and a bitmap of those not empty.
 * SCHED_FIFO runs until it sleeps, yields or a higher priority comes; SCHED_RR also ends after its slice.
 *
 * Locks: rq->lock. Leaves out: the throttle that keeps some time for fair threads.
 * Manual: sched(7).
 */
#include "sched.h"
#include <debug/inject.h>

void rt_insert(struct rq *rq, struct thread *t, bool front)
{
	unsigned p = t->se.rt_priority;

	if (front)
		list_add(&t->se.rt_link, &rq->rt[p]);
	else
		list_add_tail(&t->se.rt_link, &rq->rt[p]);
	rq->rt_bitmap[p / 64] |= 1ull << (p % 64);
}

void rt_remove(struct rq *rq, struct thread *t)
{
	unsigned p = t->se.rt_priority;

	list_del(&t->se.rt_link);
	if (list_empty(&rq->rt[p]))
		rq->rt_bitmap[p / 64] &= ~(1ull << (p % 64));
}

struct thread *rt_first(struct rq *rq)
{
	unsigned p;

	if (rq->rt_bitmap[1])
		p = 64 + ilog2(rq->rt_bitmap[1]);
	else if (rq->rt_bitmap[0])
		p = ilog2(rq->rt_bitmap[0]);
	else
		return NULL;
	return list_first_entry(&rq->rt[p], struct thread, se.rt_link);
}

/* At a tick. slice_end_ns is sum_exec_ns at the end of an RR thread's turn, 0 when that is used up. */
bool rt_slice_over(struct rq *rq, struct thread *curr)
{
	if (INJECT("rr_forever"))
		return false;
	if (curr->se.policy != SCHED_RR || curr->se.sum_exec_ns < curr->se.slice_end_ns)
		return false;
	curr->se.slice_end_ns = 0;
	return !list_empty(&rq->rt[curr->se.rt_priority]);
}
