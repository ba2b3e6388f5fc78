/* The clock of aarch64 is the generic timer's virtual counter, scaled; see cpu/timer.c. */
#pragma once
#include <asm/cpu.h>

/* The counter, not read ahead of what comes before. */
static __always_inline u64 counter_read(void)
{
	u64 v;

	asm volatile("isb; mrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

static inline u64 arch_clock_raw(void)
{
	return counter_read();
}

/* The timer's interrupt is a level: it ends here, before timer_dispatch(), which may arm the next one. */
static __always_inline void timer_quiet(void)
{
	write_sysreg(cntv_ctl_el0, 0);
	isb();
}
