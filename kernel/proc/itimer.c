/*
 * Interval timers: setitimer(2), alarm(2), RLIMIT_CPU, and the engine that POSIX timers run on too.
 *
 * Each is a ktimer whose callback, in interrupt context, takes the process's sighand lock. A timer of a
 * CPU clock cannot come due before that much real time has passed on each CPU the process may use; it is
 * armed for then, looks at the clock, and is armed again if it was too early: nothing is counted on the
 * scheduler's paths. A periodic timer does not go on by itself: it is armed for its next period when its
 * signal is taken, and the periods that passed in between are the overrun.
 * Leaves out: absolute CLOCK_REALTIME timers do not notice that the clock is set.
 */
#include "itimer.h"
#include <core/irq.h>
#include <uapi/times.h>

#define IGNORED_PERIOD_NS (1 * NSEC_PER_MSEC) /* a periodic timer nobody hears ticks no faster */
#define CPU_POLL_MIN_NS (1 * NSEC_PER_MSEC)

static u64 cpu_time(struct proc *p, bool user_only)
{
	struct thread_proc *tp;
	u64 ns = user_only ? p->utime_ns : p->utime_ns + p->stime_ns;

	list_for_each_entry(tp, &p->threads, group_link)
		ns += user_only ? tp->thread->utime_ns : sched_runtime_ns(tp->thread);
	return ns;
}

u64 itimer_clock_now(const struct itimer *t)
{
	switch (t->clock) {
	case TIMER_CPU_USER: return cpu_time(t->proc, true);
	case TIMER_CPU: return cpu_time(t->proc, false);
	case TIMER_CPU_THREAD: return t->target ? sched_runtime_ns(t->target) : 0;
	default: return time_monotonic_ns();
	}
}

static void arm(struct itimer *t, u64 now)
{
	u64 left, cpus;

	if (t->clock <= TIMER_REALTIME) {
		ktimer_arm(&t->kt, t->deadline);
		return;
	}
	left = t->deadline > now ? t->deadline - now : 0;
	cpus = t->clock == TIMER_CPU_THREAD ? 1 : min(t->proc->nr_threads, nr_cpus_online);
	ktimer_arm(&t->kt, time_monotonic_ns() + max(left / max(cpus, 1ull), CPU_POLL_MIN_NS));
}

void itimer_start(struct itimer *t, u64 deadline, u64 interval)
{
	t->waiting = false;
	t->interval = interval;
	t->overrun = 0;
	t->armed = deadline != 0;
	if (t->armed) {
		t->deadline = deadline;
		arm(t, itimer_clock_now(t));
	} else {
		ktimer_cancel(&t->kt);
	}
}

/* Past periods are counted, the next one begins. */
static void advance(struct itimer *t, u64 now)
{
	u64 n;

	if (now < t->deadline) {
		arm(t, now);
		return;
	}
	n = (now - t->deadline) / t->interval + 1;
	t->deadline += n * t->interval;
	t->overrun += n - 1;
	arm(t, now);
}

static void cpu_limit_expired(struct itimer *t, u64 now)
{
	struct proc *p = t->proc;
	const struct rlimit64 *l = &p->limits[RLIMIT_CPU];
	bool hard = now / NSEC_PER_SEC >= l->rlim_max;
	struct siginfo info = { .si_signo = hard ? SIGKILL : SIGXCPU, .si_code = SI_KERNEL };

	if (p->nr_threads)
		signal_send_locked(
			p, list_first_entry(&p->threads, struct thread_proc, group_link)->thread,
			true, info.si_signo, &info);
	t->deadline = now + NSEC_PER_SEC; /* again each second until the hard limit */
	arm(t, now);
}

static void expire(struct itimer *t, u64 now)
{
	enum timer_signal sent = TIMER_SIGNAL_IGNORED;

	if (t->proc->timers && t == &t->proc->timers->cpu_limit) {
		cpu_limit_expired(t, now);
		return;
	}
	if (!t->silent)
		sent = signal_send_timer(t->proc, t->target, t->group, &t->entry);
	if (!t->interval) {
		t->armed = false;
	} else if (sent == TIMER_SIGNAL_QUEUED) {
		t->waiting = true;
	} else {
		/* Nobody takes the signal: no reason to hurry. */
		t->deadline = max(t->deadline + t->interval, now);
		if (t->interval < IGNORED_PERIOD_NS)
			t->deadline = now + IGNORED_PERIOD_NS;
		arm(t, now);
	}
}

static void fire(struct ktimer *kt)
{
	struct itimer *t = container_of(kt, struct itimer, kt);
	irqflags_t flags;
	struct sighand *sh = sighand_lock(t->proc, &flags);

	if (t->armed && !t->waiting) {
		u64 now = itimer_clock_now(t);

		if (now < t->deadline)
			arm(t, now);
		else
			expire(t, now);
	}
	sighand_unlock(sh, flags);
}

void itimer_signal_taken(struct siginfo *info, struct sigqueue *e)
{
	struct itimer *t = container_of(e, struct itimer, entry);

	if (t->waiting) {
		t->waiting = false;
		t->overrun = 0;
		advance(t, itimer_clock_now(t));
	}
	t->overrun_last = (s32)min(t->overrun, (u64)INT32_MAX);
	if (info->si_code == SI_TIMER)
		info->si_overrun = t->overrun_last;
}

void itimer_left(const struct itimer *t, u64 *left, u64 *interval)
{
	u64 now = itimer_clock_now(t), deadline = t->deadline;

	*interval = t->interval;
	*left = 0;
	if (!t->armed)
		return;
	if (now >= deadline && t->interval)
		deadline += ((now - deadline) / t->interval + 1) * t->interval;
	*left = now < deadline ? deadline - now : 1;
}

void itimer_unqueue(struct itimer *t)
{
	struct signal_queue *q;

	if (list_empty(&t->entry.link))
		return;
	list_del_init(&t->entry.link);
	if (t->group)
		q = &t->proc->shared_pending;
	else if (t->target->tp)
		q = &t->target->tp->pending;
	else
		return;
	sigqueue_refresh(q, t->entry.info.si_signo);
}

void itimer_init(struct itimer *t, struct proc *p, enum timer_clock clock, int sig, int code)
{
	ktimer_init(&t->kt, fire);
	t->proc = p;
	t->clock = clock;
	t->group = true;
	list_init(&t->entry.link);
	t->entry.info.si_signo = sig;
	t->entry.info.si_code = code;
}

int itimers_get(struct proc *p, struct itimers **out)
{
	struct itimers *ts = READ_ONCE(p->timers);
	irqflags_t flags;
	struct sighand *sh;

	if (ts) {
		*out = ts;
		return 0;
	}
	ts = kzalloc(sizeof(*ts));
	if (!ts)
		return -ENOMEM;
	itimer_init(&ts->fixed[ITIMER_REAL], p, TIMER_MONOTONIC, SIGALRM, SI_KERNEL);
	itimer_init(&ts->fixed[ITIMER_VIRTUAL], p, TIMER_CPU_USER, SIGVTALRM, SI_KERNEL);
	itimer_init(&ts->fixed[ITIMER_PROF], p, TIMER_CPU, SIGPROF, SI_KERNEL);
	itimer_init(&ts->cpu_limit, p, TIMER_CPU, SIGXCPU, SI_KERNEL);
	list_init(&ts->posix);
	sh = sighand_lock(p, &flags);
	if (!p->timers) {
		smp_store_release(&p->timers, ts);
		ts = NULL;
	}
	sighand_unlock(sh, flags);
	kfree(ts);
	*out = p->timers;
	return 0;
}

int itimer_set(int which, u64 value, u64 interval, u64 *old_value, u64 *old_interval)
{
	struct proc *p = current->proc;
	struct itimers *ts;
	struct itimer *t;
	irqflags_t flags;
	struct sighand *sh;
	int error;

	*old_value = *old_interval = 0;
	if (which < 0 || which > ITIMER_PROF)
		return -EINVAL;
	if (!p->timers && !value)
		return 0;
	error = itimers_get(p, &ts);
	if (error)
		return error;
	t = &ts->fixed[which];
	sh = sighand_lock(p, &flags);
	itimer_left(t, old_value, old_interval);
	itimer_start(t, value ? itimer_clock_now(t) + value : 0, interval);
	sighand_unlock(sh, flags);
	return 0;
}

int itimer_get(int which, u64 *value, u64 *interval)
{
	struct proc *p = current->proc;
	irqflags_t flags;
	struct sighand *sh;

	*value = *interval = 0;
	if (which < 0 || which > ITIMER_PROF)
		return -EINVAL;
	if (!p->timers)
		return 0;
	sh = sighand_lock(p, &flags);
	itimer_left(&p->timers->fixed[which], value, interval);
	sighand_unlock(sh, flags);
	return 0;
}

/* After RLIMIT_CPU was set, or inherited. */
void itimer_cpu_limit_changed(struct proc *p)
{
	u64 seconds = p->limits[RLIMIT_CPU].rlim_cur;
	struct itimers *ts;
	irqflags_t flags;
	struct sighand *sh;

	if (seconds == RLIM64_INFINITY && !p->timers)
		return;
	if (itimers_get(p, &ts))
		return;
	sh = sighand_lock(p, &flags);
	if (seconds >= (u64)INT64_MAX / NSEC_PER_SEC)
		itimer_start(&ts->cpu_limit, 0, 0);
	else
		itimer_start(&ts->cpu_limit, max(seconds, 1ull) * NSEC_PER_SEC, 0);
	sighand_unlock(sh, flags);
}

void itimers_exec(struct proc *p)
{
	if (p->timers)
		ptimers_delete_all(p);
}

void itimers_exit(struct proc *p)
{
	struct itimers *ts = p->timers;
	irqflags_t flags;
	struct sighand *sh;

	if (!ts)
		return;
	ptimers_delete_all(p);
	sh = sighand_lock(p, &flags);
	for (unsigned i = 0; i < ARRAY_SIZE(ts->fixed); i++) {
		ts->fixed[i].armed = false;
		itimer_unqueue(&ts->fixed[i]);
	}
	ts->cpu_limit.armed = false;
	sighand_unlock(sh, flags);
	for (unsigned i = 0; i < ARRAY_SIZE(ts->fixed); i++)
		ktimer_cancel_sync(&ts->fixed[i].kt);
	ktimer_cancel_sync(&ts->cpu_limit.kt);
}

void itimers_free(struct proc *p)
{
	kfree(p->timers);
	p->timers = NULL;
}
