/*
 * Idle threads, and the start of the scheduler on each CPU.
 *
 * An idle thread runs with preemption off and looks at its queue whenever an interrupt has woken the
 * CPU. While it halts, the CPU counts as quiescent for rcu. There is no tick: one that is still armed
 * when the CPU becomes idle comes once, and is not renewed.
 *
 * Locks: none. Leaves out: deeper sleep states.
 */
#include "sched.h"
#include <arch/regs.h>
#include <core/rcu.h>
#include <debug/panic.h>

static void tick(struct ktimer *t)
{
	const struct regs *regs = this_cpu_read(irq_regs);

	(void)t;
	sched_tick(regs && regs_user_mode(regs));
}

static void start_queue(unsigned cpu)
{
	struct thread *idle = thread_make_idle(cpu);
	struct rq *rq = cpu_rq(cpu);

	rq_init(rq, cpu, idle);
	ktimer_init(&rq->tick, tick);
	*per_cpu_ptr(cpu, current_thread) = idle;
}

void sched_init(void)
{
	threads_init();
	start_queue(0);
	sched_idle_mask = 0;
	rcu_thread_start();
	work_start_cpu(0);
}

void sched_init_secondary(unsigned cpu)
{
	start_queue(cpu);
	work_start_cpu(cpu);
}

void sched_online_secondary(unsigned cpu)
{
	cpu_set_online(cpu);
}

struct thread *sched_idle_thread(unsigned cpu)
{
	return cpu_rq(cpu)->idle;
}

u64 sched_idle_ns(unsigned cpu)
{
	struct rq *rq = cpu_rq(cpu);
	u64 since = READ_ONCE(rq->idle_since_ns);
	u64 idle = READ_ONCE(rq->idle_ns);

	if (READ_ONCE(sched_idle_mask) & BIT(cpu))
		idle += arch_clock_ns() - since;
	return idle;
}

void sched_idle_loop(void)
{
	unsigned cpu = this_cpu();
	struct rq *rq = cpu_rq(cpu);

	cpu_set_online(cpu);
	ASSERT(preempt_depth() == 1);
	watchdog_start_cpu();
	rq->idle_since_ns = arch_clock_ns();
	__atomic_fetch_or(&sched_idle_mask, BIT(cpu), __ATOMIC_SEQ_CST);
	thread_set_flag(rq->idle, TF_NEED_RESCHED); /* what was queued before we were up */
	for (;;) {
		arch_irq_disable();
		if (thread_test_flag(rq->idle, TF_NEED_RESCHED)) {
			arch_irq_enable();
			sched_from_idle();
			continue;
		}
		rcu_idle_enter();
		arch_cpu_idle();
		rcu_irq_enter();
	}
}
