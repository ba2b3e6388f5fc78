/*
 * The vDSO's clocks, for the port's vdso.c: a program for user space, linked as a shared object that the kernel maps
 * into each address space; the page before it holds struct vdso_data. The port defines before it includes this:
 *
 *   VDSO_NAME(name)                       the name of a function as the port's Linux has it
 *   VDSO_SYS_clock_gettime ...            the numbers of the calls behind them
 *   vdso_call(nr, a, b)                   a system call
 *   vdso_counter()                        the counter behind the clock, not read before what comes before
 *   vdso_read_barrier()                   reads after it are not done before those ahead of it
 *
 * A reader takes the values between two looks at the sequence count, and starts over when it was odd or
 * changed. Clocks it does not serve go to the system call. Manual: vdso(7), clock_gettime(2).
 */
#pragma once
#include <arch/vdso.h>
#include <uapi/time.h>

#define NSEC 1000000000ul

extern const volatile struct vdso_data vdso_page __attribute__((visibility("hidden")));

/* 0 with *ns, or -1: not to be had here. */
static int read_ns(int realtime, u64 *ns)
{
	u32 seq;

	do {
		seq = vdso_page.seq;
		vdso_read_barrier();
		if (!vdso_page.user_readable)
			return -1;
		*ns = vdso_page.base_ns +
		      (u64)((unsigned __int128)(vdso_counter() - vdso_page.base) * vdso_page.mult >>
			    vdso_page.shift);
		if (realtime)
			*ns += (u64)vdso_page.realtime_offset_ns;
		vdso_read_barrier();
	} while ((seq & 1) || seq != vdso_page.seq);
	return 0;
}

int VDSO_NAME(clock_gettime)(int clock, struct timespec *ts);
int VDSO_NAME(clock_gettime)(int clock, struct timespec *ts)
{
	int realtime = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
	u64 ns;

	if (!realtime && clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE &&
	    clock != CLOCK_BOOTTIME)
		return (int)vdso_call(VDSO_SYS_clock_gettime, clock, (long)ts);
	if (read_ns(realtime, &ns))
		return (int)vdso_call(VDSO_SYS_clock_gettime, clock, (long)ts);
	ts->tv_sec = (s64)(ns / NSEC);
	ts->tv_nsec = (s64)(ns % NSEC);
	return 0;
}

int VDSO_NAME(gettimeofday)(struct timeval *tv, void *zone);
int VDSO_NAME(gettimeofday)(struct timeval *tv, void *zone)
{
	u64 ns;

	if (zone || !tv || read_ns(1, &ns))
		return (int)vdso_call(VDSO_SYS_gettimeofday, (long)tv, (long)zone);
	tv->tv_sec = (s64)(ns / NSEC);
	tv->tv_usec = (s64)(ns % NSEC / 1000);
	return 0;
}

int VDSO_NAME(clock_getres)(int clock, struct timespec *ts);
int VDSO_NAME(clock_getres)(int clock, struct timespec *ts)
{
	return (int)vdso_call(VDSO_SYS_clock_getres, clock, (long)ts);
}
