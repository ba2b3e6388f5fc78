/*
 * System calls of timers that send signals.
 * Manual: setitimer(2), alarm(2), timer_create(2), timer_settime(2), timer_getoverrun(2).
 */
#include <core/timespec.h>
#include <lib/errno.h>
#include <proc/calls.h>
#include <syscalls_gen.h>
#include <uapi/signal.h>
#include <uapi/times.h>

static bool timeval_valid(const struct timeval *tv)
{
	return tv->tv_sec >= 0 && (u64)tv->tv_usec < 1000000;
}

static u64 timeval_ns(const struct timeval *tv)
{
	if (tv->tv_sec >= TIME_MAX_SEC)
		return (u64)INT64_MAX / 2;
	return (u64)tv->tv_sec * NSEC_PER_SEC + (u64)tv->tv_usec * NSEC_PER_USEC;
}

static int put_itimerval(uptr_t dst, u64 value, u64 interval)
{
	struct itimerval v = { ns_to_timeval(interval), ns_to_timeval(value) };

	/* Less than a microsecond left is still armed. */
	if (value && !v.it_value.tv_sec && !v.it_value.tv_usec)
		v.it_value.tv_usec = 1;
	return copy_obj_to_user(dst, &v);
}

long sys_getitimer(int which, uptr_t value)
{
	u64 left, interval;
	int error = itimer_get(which, &left, &interval);

	return error ? error : put_itimerval(value, left, interval);
}

long sys_setitimer(int which, uptr_t value, uptr_t old)
{
	struct itimerval v = { 0 };
	u64 left, interval;
	int error;

	if (value && copy_obj_from_user(&v, value))
		return -EFAULT;
	if (!timeval_valid(&v.it_value) || !timeval_valid(&v.it_interval))
		return -EINVAL;
	error = itimer_set(which, timeval_ns(&v.it_value), timeval_ns(&v.it_interval), &left,
			   &interval);
	if (error || !old)
		return error;
	return put_itimerval(old, left, interval);
}

long sys_alarm(unsigned int seconds)
{
	u64 left, interval, whole;

	if (itimer_set(ITIMER_REAL, seconds * NSEC_PER_SEC, 0, &left, &interval) || !left)
		return 0;
	whole = left / NSEC_PER_SEC;
	/* Rounded to the nearest second, but never to 0. */
	if (left % NSEC_PER_SEC >= NSEC_PER_SEC / 2 || !whole)
		whole++;
	return (long)whole;
}

long sys_timer_create(int clock, uptr_t event, uptr_t id)
{
	struct sigevent ev;
	s32 nr;
	int error;

	if (event && copy_obj_from_user(&ev, event))
		return -EFAULT;
	error = ptimer_create(clock, event ? &ev : NULL, &nr);
	if (error)
		return error;
	if (put_user_u32(id, (u32)nr)) {
		ptimer_delete(nr);
		return -EFAULT;
	}
	return 0;
}

static int put_itimerspec(uptr_t dst, u64 value, u64 interval)
{
	struct itimerspec v = { ns_to_timespec(interval), ns_to_timespec(value) };

	return copy_obj_to_user(dst, &v);
}

long sys_timer_settime(int id, int flags, uptr_t value, uptr_t old)
{
	u64 left = 0, interval = 0;
	struct itimerspec v;
	int error;

	if (!value)
		return -EINVAL;
	if (copy_obj_from_user(&v, value))
		return -EFAULT;
	if (!timespec_valid(&v.it_value) || !timespec_valid(&v.it_interval))
		return -EINVAL;
	error = ptimer_set(id, flags & TIMER_ABSTIME, timespec_to_ns(&v.it_value),
			   timespec_to_ns(&v.it_interval), &left, &interval);
	if (error || !old)
		return error;
	return put_itimerspec(old, left, interval);
}

long sys_timer_gettime(int id, uptr_t value)
{
	u64 left, interval;
	int error = ptimer_get(id, &left, &interval);

	return error ? error : put_itimerspec(value, left, interval);
}

long sys_timer_getoverrun(int id)
{
	return ptimer_overrun(id);
}

long sys_timer_delete(int id)
{
	return ptimer_delete(id);
}
