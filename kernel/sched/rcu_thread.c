/*
 * Grace periods: the thread that waits for them and runs the callbacks, and synchronize_rcu().
 *
 * A busy CPU passes a quiescent state at its next switch or at a tick that finds no reader; idle ones
 * count as quiescent. So waiting is looking again after a tick's time; after the second look the CPUs
 * still missing are interrupted.
 *
 * Locks: none of its own.
 */
#include "sched.h"
#include <core/rcu.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <sched/waitq.h>

static struct waitq rcu_wait = WAITQ_INIT(rcu_wait);
static bool rcu_work; /* [a] callbacks are waiting */

static void wait_for_grace_period(u64 look_ns)
{
	u64 gp = rcu_gp_begin();
	unsigned long pending;

	preempt_disable();
	rcu_quiescent(); /* this CPU: we read nothing */
	preempt_enable();
	for (unsigned looks = 0; (pending = rcu_gp_pending(gp)); looks++) {
		if (looks > 1)
			for (unsigned long m = pending; m; m &= m - 1)
				arch_ipi_send((unsigned)__builtin_ctzl(m), IPI_RESCHEDULE);
		sched_sleep_until(arch_clock_ns() + look_ns, false);
	}
}

void synchronize_rcu(void)
{
	might_sleep();
	wait_for_grace_period(NSEC_PER_MSEC);
}

static void wake_thread(void)
{
	WRITE_ONCE(rcu_work, true);
	waitq_wake_one(&rcu_wait, 0);
}

static void run(struct rcu_head *h)
{
	struct rcu_head *next;

	for (unsigned n = 1; h; h = next, n++) {
		next = h->next;
		h->fn(h);
		if (n % 32 == 0)
			sched_point();
	}
}

static void rcu_main(void *arg)
{
	struct rcu_head *batch;

	(void)arg;
	for (;;) {
		waitq_wait(&rcu_wait, READ_ONCE(rcu_work), SLEEP_UNINTERRUPTIBLE, TIME_NEVER);
		WRITE_ONCE(rcu_work, false);
		smp_mb();
		batch = rcu_take_callbacks();
		if (!batch)
			continue;
		wait_for_grace_period(TICK_NS);
		run(batch);
	}
}

void rcu_thread_start(void)
{
	rcu_init(wake_thread);
	if (kthread_run(NULL, "rcu", rcu_main, NULL))
		panic("no memory for the rcu thread");
}
