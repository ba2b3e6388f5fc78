/* The clock that each port makes of a counter: arch_clock_params, <arch/time.h>. */
#pragma once
#include <lib/types.h>

/* The counter's rate, counts a second: arch_clock_ns() goes on from arch_clock_params.base at that. Boot CPU,
 * once. */
void clock_set_rate(u64 rate);
