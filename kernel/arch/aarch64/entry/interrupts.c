/*
 * Interrupts: from the controller's number to the generic dispatcher, and the end-of-interrupt. A Tier-1
 * path: the timer is tested first. Calls between CPUs are the controller's lowest numbers, enum ipi_kind.
 */
#include <arch/irq.h>
#include <arch/regs.h>
#include <arch/time.h>
#include <asm/entry.h>
#include <asm/gic.h>
#include <debug/panic.h>
#include <entry/irq.h>

/* Only IPI_STOP is one. Any other comes from outside: somebody wants to know what a machine that hangs is doing. */
void fast_interrupt_stop(struct regs *regs)
{
	smp_stop_ipi(regs);
	panic_regs(regs, "fast interrupt: a report was asked for");
}

void interrupt_dispatch(struct regs *regs)
{
	struct regs *outer = irq_enter(regs);
	u32 ack = gic_ack();
	unsigned id = gic_id(ack);

	if (likely(id == gic_timer_irq)) {
		timer_quiet(); /* a level: it would be back at once */
		gic_eoi(ack);
		timer_dispatch();
	} else if (id < IPI_KINDS) {
		gic_eoi(ack);
		if (id == IPI_STOP)
			smp_stop_ipi(regs);
		else
			ipi_dispatch(id);
	} else if (id < GIC_SPURIOUS) {
		irq_dispatch(id);
		gic_eoi(ack);
	}
	irq_exit(regs, outer);
}
