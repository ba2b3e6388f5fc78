/*
 * The thread that turns records of the trace ring into events (debug/trace.h), and says which traced system
 * calls have been under way for long. There is none when no category is on at the start. It looks often enough
 * for an ordinary load; what is written over between two looks is counted.
 *
 * Locks: draining, a flag taken by exchange, for whom the rings are read.
 */
#include "internal.h"
#include <debug/klog.h>
#include <debug/trace.h>
#include <proc/trace.h>

#define PERIOD_NS (10 * NSEC_PER_MSEC)
#define WAITING_PERIOD_NS (500 * NSEC_PER_MSEC)

static u8 draining; /* [a] */

void trace_current_ids(s32 *pid, s32 *tid)
{
	const struct thread *t = current;
	const struct proc *p = READ_ONCE(t->proc);

	*tid = t->tid;
	*pid = p ? p->pid : 0;
}

void trace_flush(void)
{
	while (__atomic_exchange_n(&draining, 1, __ATOMIC_ACQUIRE))
		sched_yield();
	trace_drain();
	__atomic_store_n(&draining, 0, __ATOMIC_RELEASE);
}

static void drain_thread(void *unused)
{
	u64 look_at = 0;

	for (;;) {
		u64 now = time_monotonic_ns();

		trace_flush();
		if (event_on(EVC_SYSCALL) && now >= look_at) {
			syscall_trace_waiting();
			look_at = now + WAITING_PERIOD_NS;
		}
		sched_sleep_until(now + PERIOD_NS, false);
	}
}

void trace_drain_start(void)
{
	if (!READ_ONCE(event_mask))
		return;
	if (kthread_run(NULL, "trace", drain_thread, NULL))
		log_err("trace: no thread to write events: records stay in the rings");
}
