/* x86_64: the interrupt flag. */
#pragma once
#include <lib/types.h>

#define NR_IRQS 256

#define X86_FLAGS_IF 0x200ul

static __always_inline irqflags_t arch_irq_save(void)
{
	irqflags_t flags;

	asm volatile("pushfq; pop %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

static __always_inline void arch_irq_restore(irqflags_t flags)
{
	if (flags & X86_FLAGS_IF)
		asm volatile("sti" : : : "memory");
}

static __always_inline void arch_irq_enable(void)
{
	asm volatile("sti" : : : "memory");
}

static __always_inline void arch_irq_disable(void)
{
	asm volatile("cli" : : : "memory");
}

static __always_inline bool arch_irqs_enabled(void)
{
	irqflags_t flags;

	asm volatile("pushfq; pop %0" : "=r"(flags) : : "memory");
	return flags & X86_FLAGS_IF;
}
