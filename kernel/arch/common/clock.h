/* The clock that each port makes of a counter: arch_clock_params, <arch/time.h>. */
#pragma once
#include <arch/time.h>
#include <lib/types.h>

#define COUNTS_PER_NS_SHIFT 56

/* A count at which arch_clock_ns() has reached ns: the first such one, or the next. Any context. */
static __always_inline u64 clock_count_at(u64 ns)
{
	const struct arch_clock_params *c = &arch_clock_params;

	return c->base +
	       (u64)(((unsigned __int128)(ns - c->base_ns) * c->counts_per_ns) >>
		     COUNTS_PER_NS_SHIFT) +
	       1;
}

/* The counter's rate, counts a second: arch_clock_ns() goes on from arch_clock_params.base at that. Boot CPU,
 * once. */
void clock_set_rate(u64 rate);
