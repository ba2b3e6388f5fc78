/* Message-signalled interrupts of the interrupt controller: its parts among themselves. */
#pragma once
#include <arch/irq.h>
#include <asm/cpu.h>

#define GIC_CACHE_NONE 1ull /* what the controller reads and writes in memory: not cached, */
#define GIC_CACHE_WRITE_BACK 7ull /* or write-back and allocating */
#define GIC_SHARE_INNER (1ull << 10)
#define GIC_SHARE_MASK (3ull << 10)

/* Gives the controller memory by one of its base registers, whose cache attribute is at `cache_shift`. One that does
 * not take part in the CPUs' coherence says so by refusing to share: then it caches nothing, and what it is to read
 * is written back by the CPU (cache_clean()). Manual: IHI 0069E, 9.11 (GICR_PROPBASER), 9.19 (GITS_BASER). */
static inline u64 gic_write_base(volatile char *reg, u64 value, unsigned cache_shift)
{
	u64 shared = value | GIC_SHARE_INNER | GIC_CACHE_WRITE_BACK << cache_shift;

	mmio_write64(reg, shared);
	if (!(mmio_read64(reg) & GIC_SHARE_MASK))
		mmio_write64(reg, value | GIC_CACHE_NONE << cache_shift);
	return mmio_read64(reg);
}

/* its.c: the interrupt translation service, by its commands. */

/* Finds it below the controller's node and starts it: 0; -ENODEV, -ENOMEM. Boot CPU, after mm_init(). */
int its_init(int gic);
int its_node(void); /* in the device tree */
u64 its_doorbell(void); /* the address devices write to */
unsigned its_event_bits(void); /* of an event's number, at most ITS_EVENT_BITS */
#define ITS_EVENT_BITS 8
#define ITS_TABLE_ALIGN 256

/*
 * What follows sends commands and waits until they are done: 0, or -EIO when the service does not answer, which is
 * logged once. Any context; takes its_lock.
 */
/* This CPU's collection, whose number is the CPU's, goes to its redistributor. */
int its_map_cpu(unsigned cpu, volatile char *redistributor, paddr_t base);
/* A device's events are translated by `table` (its_table_bytes() of zeroes). Also -ENOSPC: no such device can be;
 * -ENOMEM. Thread context, one at a time. */
int its_map_device(u32 device, void *table);
size_t its_table_bytes(void);
int its_unmap_device(u32 device, void *table);
int its_map_event(u32 device, u32 event, u32 intid, unsigned cpu);
int its_move_event(u32 device, u32 event, unsigned cpu);
int its_discard_event(u32 device, u32 event, unsigned cpu); /* and what of it is pending */
int its_read_config(u32 device, u32 event, unsigned cpu); /* the LPI's byte has changed */
int its_raise_event(u32 device, u32 event, unsigned cpu); /* as if the device had written */

/* lpi.c: numbers of messages, their devices, the redistributors' tables. */
void lpi_init(int gic, volatile char *distributor); /* boot CPU: none, if anything is missing */
/* Each CPU, interrupts off, its redistributor awake. */
void lpi_init_cpu(volatile char *redistributor, paddr_t base);
int lpi_alloc(u32 requester, struct arch_msi *out); /* as arch_msi_alloc() */
void lpi_free(unsigned irq);
void lpi_set_masked(unsigned irq, bool masked);
int lpi_route(unsigned irq, unsigned cpu); /* as gic_route() */
void lpi_raise(unsigned irq);
bool lpi_present(void);

/* v2m.c: the frame of a GICv2 that makes shared lines of writes. */
void v2m_init(int gic, unsigned lines);
int v2m_alloc(struct arch_msi *out);
void v2m_free(unsigned irq);

/* pci.c: the node of the controller that takes a function's messages, and the device's number there; FDT_NONE. */
int pci_msi_controller(u32 requester, u32 *device);
