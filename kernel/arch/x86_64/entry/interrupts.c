/*
 * Interrupts: from the vector to the generic dispatcher, and the end-of-interrupt. A Tier-1 path: the
 * timer is tested first.
 */
#include <arch/irq.h>
#include <arch/regs.h>
#include <asm/apic.h>
#include <asm/entry.h>
#include <asm/vectors.h>
#include <entry/irq.h>

void interrupt_dispatch(unsigned vector, struct regs *regs)
{
	struct regs *outer = irq_enter(regs);

	if (likely(vector == VECTOR_TIMER)) {
		apic_eoi();
		timer_dispatch();
	} else if (vector == VECTOR_RESCHEDULE) {
		apic_eoi();
		ipi_dispatch(IPI_RESCHEDULE);
	} else if (vector == VECTOR_CALL) {
		apic_eoi();
		ipi_dispatch(IPI_CALL);
	} else if (vector <= VECTOR_IRQ_LAST) {
		irq_dispatch(vector - VECTOR_IRQ_BASE);
		apic_eoi();
	} else if (vector == VECTOR_APIC_ERROR) {
		apic_error();
		apic_eoi();
	}
	irq_exit(regs, outer);
}
