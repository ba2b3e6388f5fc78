/* The clock of x86_64 is the time-stamp counter, scaled; see cpu/tsc.c. */
#pragma once
#include <lib/types.h>

static __always_inline u64 tsc_read(void)
{
	u32 lo, hi;

	asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

static inline u64 arch_clock_raw(void)
{
	return tsc_read();
}
