/*
 * What every port's interrupt path does around the handler: the count that says "in an interrupt", the
 * registers it came from, and preemption of the kernel on the way out. Interrupts off throughout.
 */
#pragma once
#include <arch/irq.h>
#include <arch/percpu.h>
#include <arch/regs.h>
#include <core/irq.h>
#include <core/preempt.h>

/* Returns the registers of the interrupt this one came in on top of, for irq_exit(). */
static __always_inline struct regs *irq_enter(struct regs *regs)
{
	struct regs *outer = this_cpu_read(irq_regs);

	this_cpu_add(preempt_count, PREEMPT_IRQ_ONE);
	this_cpu_write(irq_regs, regs);
	return outer;
}

/* A count of zero means: nothing nested, nothing locked, and a reschedule wanted. */
static __always_inline void irq_exit(struct regs *regs, struct regs *outer)
{
	this_cpu_write(irq_regs, outer);
	this_cpu_add(preempt_count, -PREEMPT_IRQ_ONE);
	if (!regs_user_mode(regs) && unlikely(!this_cpu_read(preempt_count)))
		sched_preempt_irq();
}
