/* aarch64: the interrupt mask, PSTATE.I. */
#pragma once
#include <lib/types.h>

#define NR_IRQS 512 /* shared lines, and from GIC_LPI_IRQ on messages: asm/gic.h */

#define DAIF_I 0x80ul

static __always_inline irqflags_t arch_irq_save(void)
{
	irqflags_t flags;

	asm volatile("mrs %0, daif; msr daifset, #2" : "=r"(flags) : : "memory");
	return flags;
}

static __always_inline void arch_irq_restore(irqflags_t flags)
{
	asm volatile("msr daif, %0" : : "r"(flags) : "memory");
}

static __always_inline void arch_irq_enable(void)
{
	asm volatile("msr daifclr, #2" : : : "memory");
}

static __always_inline void arch_irq_disable(void)
{
	asm volatile("msr daifset, #2" : : : "memory");
}

static __always_inline bool arch_irqs_enabled(void)
{
	irqflags_t flags;

	asm volatile("mrs %0, daif" : "=r"(flags));
	return !(flags & DAIF_I);
}
