/* Between nanoseconds and the ABI's structures. Times too large for 64 bits of nanoseconds saturate. */
#pragma once
#include <arch/uaccess.h>
#include <core/time.h>
#include <lib/errno.h>
#include <uapi/time.h>

#define TIME_MAX_SEC (INT64_MAX / (s64)NSEC_PER_SEC)

static inline bool timespec_valid(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && (u64)ts->tv_nsec < NSEC_PER_SEC;
}
static inline u64 timespec_to_ns(const struct timespec *ts)
{
	if (ts->tv_sec >= TIME_MAX_SEC)
		return (u64)INT64_MAX;
	return (u64)ts->tv_sec * NSEC_PER_SEC + (u64)ts->tv_nsec;
}
static inline struct timespec ns_to_timespec(u64 ns)
{
	return (struct timespec){ (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };
}
static inline struct timeval ns_to_timeval(u64 ns)
{
	return (struct timeval){ (s64)(ns / NSEC_PER_SEC),
				 (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };
}

/* A timespec of a program in nanoseconds. 0, -EFAULT, -EINVAL. */
static inline int timespec_from_user(uptr_t src, u64 *ns)
{
	struct timespec ts;

	if (copy_obj_from_user(&ts, src))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*ns = timespec_to_ns(&ts);
	return 0;
}
static inline int timespec_to_user(uptr_t dst, u64 ns)
{
	struct timespec ts = ns_to_timespec(ns);

	return copy_obj_to_user(dst, &ts);
}

/* Monotonic deadlines: in ns from now; at an absolute value of the real-time clock. */
static inline u64 time_after_ns(u64 ns)
{
	u64 now = time_monotonic_ns();

	return ns > (u64)INT64_MAX - now ? (u64)INT64_MAX : now + ns;
}
static inline u64 time_from_realtime(u64 realtime_ns)
{
	s64 t = (s64)(realtime_ns - (u64)time_realtime_offset());

	return t < 0 ? 0 : (u64)t;
}
