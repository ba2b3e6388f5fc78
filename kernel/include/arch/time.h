/* The arch contract: a monotonic clock and a one-shot timer per CPU. */
#pragma once
#include <lib/types.h>

/* Nanoseconds since the boot CPU's start; monotonic and the same on all CPUs. Any context. */
static inline u64 arch_clock_ns(void);
/* The counter behind it. The port's, in <asm/time.h>. */
static inline u64 arch_clock_raw(void);
/* What arch_clock_ns() was when the counter behind it showed `raw`; for what entry code recorded. */
static inline u64 arch_clock_raw_ns(u64 raw);

/* Arms this CPU's timer for an absolute arch_clock_ns() value (a past one: at once), replacing an
 * earlier one; ~0 disarms. Interrupts off. */
void arch_timer_arm(u64 deadline_ns);

/* Busy-waits; for device bring-up only. */
void arch_delay_us(unsigned us);

/* Where the vDSO finds the clock: values it computes ns = ((count - base) * mult >> shift) + base_ns from. */
struct arch_clock_params {
	u64 base, base_ns;
	u32 mult, shift;
	bool user_readable; /* the counter may be read in user mode */
	u64 counts_per_ns; /* the way back, for timers: fixed point, rounded up */
};
extern struct arch_clock_params arch_clock_params; /* [I] after arch_init_platform() */

#include <asm/time.h>

static inline u64 arch_clock_raw_ns(u64 raw)
{
	u64 delta = raw - arch_clock_params.base;

	return arch_clock_params.base_ns +
	       (u64)(((unsigned __int128)delta * arch_clock_params.mult) >>
		     arch_clock_params.shift);
}

static inline u64 arch_clock_ns(void)
{
	return arch_clock_raw_ns(arch_clock_raw());
}
