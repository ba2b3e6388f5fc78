/*
 * The interrupt controller (GICv2 or GICv3), as entry code and cpu/ use it. irq numbers are INTIDs; a GICv3's messages
 * (LPIs), whose INTIDs begin at 8192, have numbers that their low ten bits are: cpu/lpi.c.
 */
#pragma once
#include <arch/irq.h>
#include <lib/types.h>

#define GIC_SGI_COUNT 16 /* INTIDs 0 to 15: interrupts between CPUs; the number is enum ipi_kind */
#define GIC_SPI_BASE 32 /* INTIDs from here on are shared device lines, below it each CPU's own */
#define GIC_LPI_IRQ 448 /* irq numbers of messages, to NR_IRQS; shared lines are below */
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

/* The CPU that takes a shared line or message, from the next one on. 0, -EINVAL (no such line; the CPU is not up),
 * -EIO. Thread context. */
int gic_route(unsigned irq, unsigned cpu);
void gic_raise(unsigned irq); /* as if its device had; a line's trigger is an edge. Any context. */

extern u32 gic_timer_irq; /* [I] INTID of the virtual timer, from the device tree */
