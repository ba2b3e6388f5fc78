/* The interrupt controller (GICv2 or GICv3), as entry code and cpu/ use it. irq numbers are INTIDs. */
#pragma once
#include <arch/irq.h>
#include <lib/types.h>

struct regs;

#define GIC_SGI_COUNT 16 /* INTIDs 0 to 15: interrupts between CPUs; the number is enum ipi_kind */
#define GIC_SPI_BASE 32 /* INTIDs from here on are shared device lines, below it each CPU's own */
#define GIC_SPURIOUS 1020 /* from here to 1023: nothing was pending */

/* Takes the highest pending interrupt; the answer goes to gic_eoi() when it is done, and gic_id() is its
 * INTID. Interrupts off. */
u32 gic_ack(void);
void gic_eoi(u32 iar);
static inline unsigned gic_id(u32 iar)
{
	return iar & 0x3ff;
}

void gic_init(void); /* boot CPU: from the device tree; after mm_init() */
void gic_init_cpu(void); /* each CPU, the boot CPU too, with its per-CPU base set */

extern u32 gic_timer_irq; /* [I] INTID of the virtual timer, from the device tree */

/* IPI_STOP has come: remembers regs and never returns, if this CPU is to be stopped. */
void smp_stop_ipi(struct regs *regs);
