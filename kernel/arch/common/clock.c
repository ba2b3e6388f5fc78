/* The scale between counts and nanoseconds, and waiting by it. */
#include <arch/cpu.h>
#include "clock.h"

struct arch_clock_params arch_clock_params;

/*
 * 2^(56 + shift) / mult, rounded up: what undoes the scale, and not what the rate would give, so that no deadline
 * comes early by the clock; of so many bits that none comes late after months. shift is 7 at least, for rates from
 * 30 Hz on.
 */
static u64 inverse(u32 mult, u32 shift)
{
	u64 quotient = (1ull << 63) / mult, rest = (1ull << 63) % mult;
	u32 more = shift + COUNTS_PER_NS_SHIFT - 63;

	return (quotient << more) + (rest << more) / mult + 1;
}

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
	p->counts_per_ns = inverse(p->mult, shift);
}

void arch_delay_us(unsigned us)
{
	u64 end = arch_clock_ns() + us * 1000ull;

	while (arch_clock_ns() < end)
		cpu_relax();
}
