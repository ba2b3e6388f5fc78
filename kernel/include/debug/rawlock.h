/*
 * A lock for the debug layer itself, which lies below core/: no rank, no preemption count, interrupts
 * off. rawlock_break() opens it for good when the machine is going down, so that a report is never
 * stuck behind a CPU that will not run again.
 */
#pragma once
#include <arch/cpu.h>
#include <arch/irq.h>
#include <lib/types.h>

struct rawlock {
	u8 locked;
	u8 broken;
};

static inline irqflags_t rawlock_lock(struct rawlock *l)
{
	irqflags_t flags = arch_irq_save();

	while (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE) && !READ_ONCE(l->broken))
		cpu_relax();
	return flags;
}

static inline void rawlock_unlock(struct rawlock *l, irqflags_t flags)
{
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	arch_irq_restore(flags);
}

/* Takes the lock for good if whoever has it lets go within some milliseconds: CPUs that are stopped next are then
 * not stopped half-way through what it protects. Interrupts off. */
static inline void rawlock_seize(struct rawlock *l)
{
	for (unsigned tries = 1u << 20;
	     tries && __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE); tries--)
		cpu_relax();
}

static inline void rawlock_break(struct rawlock *l)
{
	WRITE_ONCE(l->broken, 1);
}
