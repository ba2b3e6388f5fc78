/* The scale between counts and nanoseconds, and waiting by it. */
#include <arch/cpu.h>
#include "clock.h"

struct arch_clock_params arch_clock_params;

/* The largest shift whose multiplier fits 32 bits. */
void clock_set_rate(u64 rate)
{
	struct arch_clock_params *p = &arch_clock_params;
	u32 shift = 32;
	u64 mult;

	do
		mult = (1000000000ull << --shift) / rate;
	while (mult > 0xffffffff);
	p->mult = (u32)mult;
	p->shift = shift;
	p->user_readable = true;
	p->counts_per_ns = (rate << COUNTS_PER_NS_SHIFT) / 1000000000 + 1;
}

void arch_delay_us(unsigned us)
{
	u64 end = arch_clock_ns() + us * 1000ull;

	while (arch_clock_ns() < end)
		cpu_relax();
}
