/* Time in the Linux ABI: structures, clocks. Manual: clock_gettime(2), timespec(3). */
#pragma once
#include <lib/types.h>

struct timespec {
	s64 tv_sec, tv_nsec;
};
struct timeval {
	s64 tv_sec, tv_usec;
};
struct timezone {
	s32 tz_minuteswest, tz_dsttime;
};
struct itimerspec {
	struct timespec it_interval, it_value;
};
struct itimerval {
	struct timeval it_interval, it_value;
};

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11

#define TIMER_ABSTIME 1
