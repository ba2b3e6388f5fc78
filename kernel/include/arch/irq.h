/* The arch contract: masking interrupts, interrupt lines, interrupts between CPUs. */
#pragma once
#include <lib/types.h>

struct regs;

typedef unsigned long irqflags_t;

/* <asm/irq.h>: NR_IRQS, one past the highest number of a line; inline: */
static inline irqflags_t arch_irq_save(void); /* disables; returns the previous state */
static inline void arch_irq_restore(irqflags_t flags);
static inline void arch_irq_enable(void);
static inline void arch_irq_disable(void);
static inline bool arch_irqs_enabled(void);

enum ipi_kind {
	IPI_RESCHEDULE, /* look at need-resched on the way out */
	IPI_CALL, /* run the queued cross-CPU calls */
	IPI_STOP, /* panic or poweroff; may be non-maskable */
	IPI_KINDS,
};

/* Lines are the port's own numbers (x86: GSI). Masked at start. Any context. */
void arch_irq_mask(unsigned irq);
void arch_irq_unmask(unsigned irq);

/* Prepares a line: level or edge, polarity; returns 0 or -EINVAL. Thread context. */
int arch_irq_setup(unsigned irq, bool level, bool active_low);

/* A message-signalled interrupt: its number for irq_request(), and the write of the device that raises it. */
struct arch_msi {
	unsigned irq;
	u32 data;
	u64 address;
};
#define MSI_NO_DEVICE 0xffffu /* a requester that is not there: its last bus's last function */
/*
 * Allocates one, masked, for the device whose writes carry `requester`: of a PCI function, bus << 8 | devfn. 0;
 * -ENOSPC when none is left, or nothing takes messages of this device; -ENOMEM, -EIO. Thread context.
 */
int arch_msi_alloc(u32 requester, struct arch_msi *out);
/* Gives it back: after irq_free(), and when the device writes no more. Thread context. */
void arch_msi_free(unsigned irq);

void arch_ipi_send(unsigned cpu, enum ipi_kind kind);

/* IPI_STOP has come: leaves regs for arch_cpu_stopped_regs() and stops, if CPUs are being stopped; otherwise (it
 * may share its interrupt) returns. Interrupts off. */
void smp_stop_ipi(struct regs *regs);

/* Upcalls, in kernel/entry and kernel/core; interrupts off. */
void irq_dispatch(unsigned irq); /* a device line */
void ipi_dispatch(enum ipi_kind kind);
void timer_dispatch(void); /* the timer armed by arch_timer_arm() came due */

#include <asm/irq.h>
