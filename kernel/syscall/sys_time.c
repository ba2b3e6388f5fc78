/*
 * System calls about time: reading and setting clocks, sleeping.
 *
 * Locks: none of its own. Leaves out: sleeping on CPU-time clocks and on *_ALARM clocks; absolute
 * sleeps do not notice that CLOCK_REALTIME is set; adjtimex(2).
 * Manual: clock_gettime(2), clock_nanosleep(2), gettimeofday(2), time(2).
 */
#include <core/rcu.h>
#include <core/timespec.h>
#include <fs/events.h>
#include <lib/errno.h>
#include <proc/proc.h>
#include <proc/restart.h>
#include <sched/thread.h>
#include <sched/waitq.h>
#include <syscalls_gen.h>
#include <uapi/capability.h>

static struct timezone system_zone; /* kept for gettimeofday, used by nobody */

/* CPU-time clocks of others: ~pid << 3, bit 2 for a thread, low bits the kind. */
#define CPUCLOCK_THREAD 4
#define CPUCLOCK_KIND_MAX 2

static u64 process_cputime(struct proc *p)
{
	struct proc_usage u;

	proc_usage_self(p, &u);
	return u.utime_ns + u.stime_ns;
}

static int other_cputime(int clock, u64 *ns)
{
	s32 id = ~(clock >> 3);
	struct thread *t = current;
	struct proc *p;

	if ((clock & 3) > CPUCLOCK_KIND_MAX)
		return -EINVAL;
	if (clock & CPUCLOCK_THREAD) {
		rcu_read_lock();
		t = id ? thread_get_live(proc_find_thread(id)) : thread_get_live(t);
		rcu_read_unlock();
		if (!t)
			return -EINVAL;
		*ns = sched_runtime_ns(t);
		thread_put(t);
		return 0;
	}
	p = proc_get_by_pid(id ? id : current->proc->pid);
	if (!p)
		return -EINVAL;
	*ns = process_cputime(p);
	proc_put(p);
	return 0;
}

static int clock_read(int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: *ns = time_realtime_ns(); return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: *ns = time_monotonic_ns(); return 0;
	case CLOCK_PROCESS_CPUTIME_ID: *ns = process_cputime(current->proc); return 0;
	case CLOCK_THREAD_CPUTIME_ID: *ns = sched_runtime_ns(current); return 0;
	default: return clock < 0 ? other_cputime(clock, ns) : -EINVAL;
	}
}

long sys_clock_gettime(int clock, uptr_t ts)
{
	u64 ns;
	int error = clock_read(clock, &ns);

	return error ? error : timespec_to_user(ts, ns);
}

long sys_clock_getres(int clock, uptr_t ts)
{
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	u64 ns;
	int error = clock_read(clock, &ns);

	if (error || !ts)
		return error;
	return timespec_to_user(ts, coarse ? NSEC_PER_SEC / TICK_HZ : 1);
}

/* Sets the wall clock; absolute timerfds of it learn. */
static int set_clock(u64 ns)
{
	int err = time_set_realtime(ns);

	if (!err)
		timerfd_clock_was_set();
	return err;
}

static long set_realtime(u64 ns)
{
	return capable(CAP_SYS_TIME) ? set_clock(ns) : -EPERM;
}

long sys_clock_settime(int clock, uptr_t ts)
{
	u64 ns;
	int error;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	error = timespec_from_user(ts, &ns);
	return error ? error : set_realtime(ns);
}

long sys_gettimeofday(uptr_t tv, uptr_t tz)
{
	if (tv) {
		struct timeval now = ns_to_timeval(time_realtime_ns());

		if (copy_obj_to_user(tv, &now))
			return -EFAULT;
	}
	return tz ? copy_obj_to_user(tz, &system_zone) : 0;
}

long sys_settimeofday(uptr_t tv, uptr_t tz)
{
	struct timezone zone;
	struct timeval t;

	if (tv) {
		if (copy_obj_from_user(&t, tv))
			return -EFAULT;
		if (t.tv_sec < 0 || t.tv_sec >= TIME_MAX_SEC || (u64)t.tv_usec >= 1000000)
			return -EINVAL;
	}
	if (tz && copy_obj_from_user(&zone, tz))
		return -EFAULT;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (tz) {
		if (zone.tz_minuteswest > 15 * 60 || zone.tz_minuteswest < -15 * 60)
			return -EINVAL;
		system_zone = zone;
	}
	if (!tv)
		return 0;
	return set_clock((u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_usec * NSEC_PER_USEC);
}

long sys_time(uptr_t t)
{
	s64 now = (s64)(time_realtime_ns() / NSEC_PER_SEC);

	if (t && copy_obj_to_user(t, &now))
		return -EFAULT;
	return now;
}

static long sleep_relative(u64 deadline_ns, uptr_t rem);

static long sleep_restart(struct restart_block *r)
{
	return sleep_relative(r->data[0], (uptr_t)r->data[1]);
}

/* Until a monotonic time; when interrupted, what remains goes to rem and the call can be continued. */
static long sleep_relative(u64 deadline_ns, uptr_t rem)
{
	struct restart_block *r;
	u64 now;

	if (!sched_sleep_until(deadline_ns, true))
		return 0;
	now = time_monotonic_ns();
	if (now >= deadline_ns)
		return 0;
	if (rem && timespec_to_user(rem, deadline_ns - now))
		return -EFAULT;
	r = restart_block_set(sleep_restart);
	r->data[0] = deadline_ns;
	r->data[1] = rem;
	return -ERESTART_RESTARTBLOCK;
}

long sys_nanosleep(uptr_t req, uptr_t rem)
{
	u64 ns;
	int error = timespec_from_user(req, &ns);

	return error ? error : sleep_relative(time_after_ns(ns), rem);
}

static int clock_check_sleep(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI: return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_PROCESS_CPUTIME_ID: return -EOPNOTSUPP;
	default: return -EINVAL;
	}
}

long sys_clock_nanosleep(int clock, int flags, uptr_t req, uptr_t rem)
{
	u64 ns;
	int error = clock_check_sleep(clock);

	if (error)
		return error;
	error = timespec_from_user(req, &ns);
	if (error)
		return error;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(time_after_ns(ns), rem);
	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		ns = time_from_realtime(ns);
	return sched_sleep_until(ns, true) ? -ERESTARTNOHAND : 0;
}
