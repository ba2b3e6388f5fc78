/* times(2) and the interval timers of setitimer(2) in the Linux ABI. */
#pragma once
#include <lib/types.h>

#define USER_HZ 100

struct tms {
	s64 tms_utime, tms_stime, tms_cutime, tms_cstime; /* USER_HZ ticks */
};

#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2
