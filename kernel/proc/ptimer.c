/*
 * POSIX timers: timer_create(2) and its family, on the engine of itimer.c. A process's are in a list,
 * found by number under its sighand lock. They do not survive exec nor pass to a child.
 * Leaves out: clocks of other processes; SIGEV_THREAD is the C library's, built on SIGEV_THREAD_ID.
 */
#include "itimer.h"
#include <core/rcu.h>
#include <core/timespec.h>

static int clock_of(int clock, enum timer_clock *out)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_TAI: *out = TIMER_REALTIME; return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME: *out = TIMER_MONOTONIC; return 0;
	case CLOCK_PROCESS_CPUTIME_ID: *out = TIMER_CPU; return 0;
	case CLOCK_THREAD_CPUTIME_ID: *out = TIMER_CPU_THREAD; return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM: return -EOPNOTSUPP;
	default: return -EINVAL;
	}
}

static int find_target(s32 tid, struct thread **out)
{
	struct thread *t;

	rcu_read_lock();
	t = proc_find_thread(tid);
	if (t && t->proc == current->proc)
		t = thread_get_live(t);
	else
		t = NULL;
	rcu_read_unlock();
	if (!t)
		return -EINVAL;
	*out = t;
	return 0;
}

/* Whom and how, from the caller's sigevent. */
static int set_event(struct ptimer *pt, const struct sigevent *ev)
{
	int sig = ev->sigev_signo, how = ev->sigev_notify;

	pt->t.entry.info.si_signo = sig;
	pt->t.entry.info.si_timer_value = ev->sigev_value;
	pt->t.silent = how == SIGEV_NONE;
	if (how != SIGEV_NONE && (sig < 1 || sig > NSIG))
		return -EINVAL;
	switch (how) {
	case SIGEV_NONE:
	case SIGEV_SIGNAL:
	case SIGEV_THREAD: return 0;
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		pt->t.group = false;
		return find_target(ev->sigev_tid, &pt->t.target);
	default: return -EINVAL;
	}
}

static void ptimer_free(struct ptimer *pt)
{
	if (pt->t.target)
		thread_put(pt->t.target);
	kfree(pt);
}

static struct ptimer *find(struct proc *p, s32 id)
{
	struct ptimer *pt;

	if (!p->timers)
		return NULL;
	list_for_each_entry(pt, &p->timers->posix, link)
		if (pt->id == id)
			return pt;
	return NULL;
}

static s32 free_id(struct proc *p)
{
	struct itimers *ts = p->timers;

	while (find(p, ts->next_id))
		ts->next_id = (ts->next_id + 1) & INT32_MAX;
	return ts->next_id++ & INT32_MAX;
}

static int link_timer(struct proc *p, struct itimers *ts, struct ptimer *pt)
{
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);
	int error = 0;

	if (ts->nr_posix >= p->limits[RLIMIT_SIGPENDING].rlim_cur) {
		error = -EAGAIN;
	} else {
		pt->id = free_id(p);
		pt->t.entry.info.si_timerid = pt->id;
		list_add_tail(&pt->link, &ts->posix);
		ts->nr_posix++;
	}
	sighand_unlock(sh, flags);
	return error;
}

int ptimer_create(int clock, const struct sigevent *ev, s32 *id)
{
	struct sigevent by_default = { .sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL };
	struct proc *p = current->proc;
	enum timer_clock kind;
	struct itimers *ts;
	struct ptimer *pt;
	int error = clock_of(clock, &kind);

	if (!error)
		error = itimers_get(p, &ts);
	if (error)
		return error;
	pt = kzalloc(sizeof(*pt));
	if (!pt)
		return -ENOMEM;
	itimer_init(&pt->t, p, kind, 0, SI_TIMER);
	error = set_event(pt, ev ? ev : &by_default);
	if (!error && kind == TIMER_CPU_THREAD && !pt->t.target) {
		pt->t.target = current;
		thread_get(current);
	}
	if (!error)
		error = link_timer(p, ts, pt);
	if (error) {
		ptimer_free(pt);
		return error;
	}
	if (!ev)
		pt->t.entry.info.si_timer_value = (u64)pt->id;
	*id = pt->id;
	return 0;
}

int ptimer_set(s32 id, bool absolute, u64 value, u64 interval, u64 *old_value, u64 *old_interval)
{
	struct proc *p = current->proc;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);
	struct ptimer *pt = find(p, id);

	if (pt) {
		struct itimer *t = &pt->t;

		itimer_left(t, old_value, old_interval);
		itimer_unqueue(t);
		if (value && absolute && t->clock == TIMER_REALTIME)
			value = max(time_from_realtime(value), 1ull);
		else if (value && !absolute)
			value = min(itimer_clock_now(t) + value, (u64)INT64_MAX);
		itimer_start(t, value, interval);
	}
	sighand_unlock(sh, flags);
	return pt ? 0 : -EINVAL;
}

int ptimer_get(s32 id, u64 *value, u64 *interval)
{
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);
	struct ptimer *pt = find(current->proc, id);

	if (pt)
		itimer_left(&pt->t, value, interval);
	sighand_unlock(sh, flags);
	return pt ? 0 : -EINVAL;
}

int ptimer_overrun(s32 id)
{
	irqflags_t flags;
	struct sighand *sh = sighand_lock(current->proc, &flags);
	struct ptimer *pt = find(current->proc, id);
	int n = pt ? pt->t.overrun_last : -EINVAL;

	sighand_unlock(sh, flags);
	return n;
}

/* sighand lock held: nobody finds it any more. */
static void unlink_timer(struct itimers *ts, struct ptimer *pt)
{
	pt->t.armed = false;
	itimer_unqueue(&pt->t);
	list_del_init(&pt->link);
	ts->nr_posix--;
}

static void destroy(struct ptimer *pt)
{
	ktimer_cancel_sync(&pt->t.kt);
	ptimer_free(pt);
}

int ptimer_delete(s32 id)
{
	struct proc *p = current->proc;
	irqflags_t flags;
	struct sighand *sh = sighand_lock(p, &flags);
	struct ptimer *pt = find(p, id);

	if (pt)
		unlink_timer(p->timers, pt);
	sighand_unlock(sh, flags);
	if (!pt)
		return -EINVAL;
	destroy(pt);
	return 0;
}

void ptimers_delete_all(struct proc *p)
{
	struct itimers *ts = p->timers;

	for (;;) {
		irqflags_t flags;
		struct sighand *sh = sighand_lock(p, &flags);
		struct ptimer *pt = list_first_entry_or_null(&ts->posix, struct ptimer, link);

		if (pt)
			unlink_timer(ts, pt);
		sighand_unlock(sh, flags);
		if (!pt)
			return;
		destroy(pt);
	}
}
