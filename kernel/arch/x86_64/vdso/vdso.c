/* The vDSO of x86_64: arch/common/vdso_clock.h over the time-stamp counter, time(), and the CPU's number. */
#include <lib/types.h>

#define VDSO_NAME(name) __vdso_##name
#define VDSO_SYS_gettimeofday 96
#define VDSO_SYS_clock_gettime 228
#define VDSO_SYS_clock_getres 229
#define CPUNODE_SEL 0x7b

static inline long vdso_call(long nr, long a, long b)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return result;
}

static inline u64 vdso_counter(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

/* The CPU keeps reads in order; the compiler is told to. */
static inline void vdso_read_barrier(void)
{
	barrier();
}

#include "../../common/vdso_clock.h"

s64 __vdso_time(s64 *out);
s64 __vdso_time(s64 *out)
{
	struct timespec ts;

	__vdso_clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

long __vdso_getcpu(u32 *cpu, u32 *node, void *unused);
long __vdso_getcpu(u32 *cpu, u32 *node, void *unused)
{
	u32 limit;

	(void)unused;
	__asm__("lsl %1, %0" : "=r"(limit) : "r"(CPUNODE_SEL));
	if (cpu)
		*cpu = limit & 0xfff;
	if (node)
		*node = 0;
	return 0;
}

#define PUBLIC(name) __typeof__(__vdso_##name) name __attribute__((weak, alias("__vdso_" #name)))
PUBLIC(clock_gettime);
PUBLIC(gettimeofday);
PUBLIC(time);
PUBLIC(clock_getres);
PUBLIC(getcpu);
