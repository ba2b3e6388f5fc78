/* The vDSO of aarch64: arch/common/vdso_clock.h over the generic timer's virtual counter. */
#include <lib/types.h>

#define VDSO_NAME(name) __kernel_##name
#define VDSO_SYS_clock_gettime 113
#define VDSO_SYS_clock_getres 114
#define VDSO_SYS_gettimeofday 169

static inline long vdso_call(long nr, long a, long b)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	return x0;
}

static inline u64 vdso_counter(void)
{
	u64 v;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

static inline void vdso_read_barrier(void)
{
	__asm__ volatile("dmb ishld" : : : "memory");
}

#include "../../common/vdso_clock.h"
