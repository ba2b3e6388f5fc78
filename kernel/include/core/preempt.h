/*
 * Preemption count of this CPU. 0: the thread may be switched away at any interrupt. preempt_disable()
 * nests in the low half; interrupt handlers run with IRQ_ONE added. Code that sleeps calls might_sleep() first.
 */
#pragma once
#include <arch/percpu.h>

#define PREEMPT_IRQ_ONE 0x10000u
#define PREEMPT_IRQ_MASK 0xff0000u

/* Low bits: nesting; IRQ bits; and bit 31 set while NO reschedule is needed, so that reaching zero
 * means "count is 0 and a reschedule is wanted" in one decrement. */
#define PREEMPT_NO_RESCHED 0x80000000u

DECLARE_PER_CPU(u32, preempt_count);

/* In sched/: switch if still wanted. Does nothing with interrupts off or the count above 0. */
void sched_preempt(void);
/* The same at the end of an interrupt that hit kernel code with the count at 0 (the whole word is 0):
 * called and returning with interrupts off. */
void sched_preempt_irq(void);
/* In sched/: IPI_RESCHEDULE has come. */
void sched_resched_ipi(void);

static __always_inline void preempt_disable(void)
{
	this_cpu_nest(preempt_count);
	barrier();
}

static __always_inline void preempt_enable_no_resched(void)
{
	barrier();
	(void)this_cpu_unnest(preempt_count);
}

static __always_inline void preempt_enable(void)
{
	barrier();
	if (unlikely(this_cpu_unnest(preempt_count)))
		sched_preempt();
}

static inline u32 preempt_depth(void)
{
	return this_cpu_read(preempt_count) & ~PREEMPT_NO_RESCHED;
}

static inline bool in_irq(void)
{
	return this_cpu_read(preempt_count) & PREEMPT_IRQ_MASK;
}

/* True where sleeping is a bug. */
static inline bool in_atomic(void)
{
	return preempt_depth() != 0;
}
