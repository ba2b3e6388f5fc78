/* Writing lines of the data cache back, for what reads memory beside the caches. */
#pragma once
#include <asm/cpu.h>

/* To memory, past this CPU's caches. */
static inline void cache_clean(const void *p, size_t n)
{
	const char *end = (const char *)p + n;

	for (const char *at = ALIGN_DOWN((const char *)p, cpu_features.dline); at < end;
	     at += cpu_features.dline)
		asm volatile("dc civac, %0" : : "r"(at) : "memory");
	dsb(sy);
}
