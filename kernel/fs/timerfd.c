/*
 * timerfd: a timer whose expirations are read from a descriptor.
 *
 * The kernel timer is one-shot and monotonic: the first expiration is delivered by its interrupt, the
 * further ones of an interval are counted from the time that has gone by when somebody reads, polls, or
 * when the timer is set again; the timer itself is re-armed then. That costs no interrupts nobody waits
 * for. Absolute timers of the real-time clock are re-computed when that clock is set.
 * Manual: timerfd_create(2).
 */
#include <core/timespec.h>
#include <fs/events.h>
#include <fs/poll.h>
#include <lib/format.h>
#include <sched/thread.h>
#include "internal.h"

struct timerfd {
	struct ktimer timer;
	struct spinlock lock; /* also taken in the timer's interrupt */
	int clock; /* [I] */
	bool absolute, cancel_on_set; /* [x] lock */
	bool cancelled; /* [x] lock: the clock was set */
	bool fired; /* [x] lock: the interrupt came and nobody has read since */
	u64 ticks; /* [x] lock: expirations not read */
	u64 expires_ns; /* [x] lock: next, monotonic; 0: disarmed */
	u64 real_expires_ns; /* [x] lock: on its own clock, for absolute ones */
	u64 interval_ns; /* [x] lock */
	struct waitq wait;
	struct list link; /* [x] list_lock: real-time ones */
};

static DEFINE_LIST(real_timers);
static struct spinlock list_lock = SPINLOCK_INIT("timerfd list", RANK_FILES);

static bool is_real(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

static void timer_fired(struct ktimer *t)
{
	struct timerfd *tfd = container_of(t, struct timerfd, timer);
	irqflags_t flags = spin_lock_irqsave(&tfd->lock);

	tfd->fired = true;
	spin_unlock_irqrestore(&tfd->lock, flags);
	waitq_wake_all(&tfd->wait, EPOLLIN | EPOLLRDNORM);
}

/* Counts the expirations up to now; lock held. The timer is armed again for what is next if rearm. */
static void count_ticks(struct timerfd *t, bool rearm)
{
	u64 now = time_monotonic_ns();

	if (!t->expires_ns || now < t->expires_ns)
		return;
	if (!t->interval_ns) {
		t->ticks++;
		t->expires_ns = 0;
	} else {
		u64 n = (now - t->expires_ns) / t->interval_ns + 1;

		t->ticks += n;
		t->expires_ns += n * t->interval_ns;
		t->real_expires_ns += n * t->interval_ns;
		if (rearm)
			ktimer_arm(&t->timer, t->expires_ns);
	}
	t->fired = true;
}

static bool ready(struct timerfd *t)
{
	return READ_ONCE(t->fired) || READ_ONCE(t->ticks) || READ_ONCE(t->cancelled);
}

static ssize_t take(struct timerfd *t, u64 *ticks)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	ssize_t ret = 0;

	if (t->cancelled) {
		t->cancelled = false;
		t->fired = false;
		t->ticks = 0;
		ret = -ECANCELED;
	} else {
		count_ticks(t, true);
		t->fired = false;
		*ticks = t->ticks;
		t->ticks = 0;
		ret = *ticks ? (ssize_t)sizeof(*ticks) : 0;
	}
	spin_unlock_irqrestore(&t->lock, flags);
	return ret;
}

static ssize_t timerfd_read(struct file *f, struct uio *to, loff_t *pos)
{
	struct timerfd *t = f->private;
	u64 ticks;
	ssize_t ret;

	(void)pos;
	if (to->resid < sizeof(ticks))
		return -EINVAL;
	while ((ret = take(t, &ticks)) == 0) {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = waitq_wait(&t->wait, ready(t), SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (err)
			return err;
	}
	if (ret < 0)
		return ret;
	return uio_copy_to(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t)sizeof(ticks)
								       : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->private;

	poll_wait(f, &t->wait, pt);
	return ready(t) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->private;

	ktimer_cancel_sync(&t->timer);
	if (is_real(t->clock)) {
		spin_lock(&list_lock);
		list_del(&t->link);
		spin_unlock(&list_lock);
	}
	kfree(t);
}

static void timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->private;
	u64 value = 0, interval = 0;

	timerfd_get(f, &value, &interval);
	snprintf(buf, size,
		 "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%llu, %llu)\n"
		 "it_interval: (%llu, %llu)\n",
		 t->clock, READ_ONCE(t->ticks), t->absolute, value / NSEC_PER_SEC,
		 value % NSEC_PER_SEC, interval / NSEC_PER_SEC, interval % NSEC_PER_SEC);
}

static const struct file_ops timerfd_fops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.show_fdinfo = timerfd_fdinfo,
};

int timerfd_create(int clock, unsigned flags, struct file **out)
{
	struct timerfd *t;
	int err;

	if (flags & ~(unsigned)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && clock != CLOCK_BOOTTIME_ALARM &&
	    !is_real(clock))
		return -EINVAL;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->clock = clock;
	spin_init(&t->lock, "timerfd", RANK_TIMER_OWNER);
	waitq_init(&t->wait);
	ktimer_init(&t->timer, timer_fired);
	err = file_create_anon(&timerfd_fops, t, O_RDWR | (flags & TFD_NONBLOCK),
			       "anon_inode:[timerfd]", out);
	if (err) {
		kfree(t);
		return err;
	}
	if (is_real(clock)) {
		spin_lock(&list_lock);
		list_add_tail(&t->link, &real_timers);
		spin_unlock(&list_lock);
	}
	return 0;
}

static u64 left(const struct timerfd *t)
{
	u64 now = time_monotonic_ns();

	if (!t->expires_ns)
		return 0;
	return t->expires_ns > now ? t->expires_ns - now : 1;
}

int timerfd_get(struct file *f, u64 *value_ns, u64 *interval_ns)
{
	struct timerfd *t = f->private;
	irqflags_t flags;

	if (f->ops != &timerfd_fops)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->lock);
	count_ticks(t, true);
	*value_ns = left(t);
	*interval_ns = t->interval_ns;
	spin_unlock_irqrestore(&t->lock, flags);
	return 0;
}

static u64 to_monotonic(const struct timerfd *t, u64 value)
{
	u64 ns = !t->absolute        ? time_after_ns(value)
		 : is_real(t->clock) ? time_from_realtime(value)
				     : value;

	return ns ? ns : 1;
}

int timerfd_set(struct file *f, int set_flags, u64 value_ns, u64 interval_ns, u64 *old_value,
		u64 *old_interval)
{
	struct timerfd *t = f->private;
	irqflags_t flags;

	if (f->ops != &timerfd_fops || set_flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	ktimer_cancel_sync(&t->timer);
	flags = spin_lock_irqsave(&t->lock);
	count_ticks(t, false);
	*old_value = left(t);
	*old_interval = t->interval_ns;
	t->absolute = set_flags & TFD_TIMER_ABSTIME;
	t->cancel_on_set = t->absolute && set_flags & TFD_TIMER_CANCEL_ON_SET && is_real(t->clock);
	t->cancelled = t->fired = false;
	t->ticks = 0;
	t->interval_ns = interval_ns;
	t->real_expires_ns = value_ns;
	t->expires_ns = value_ns ? to_monotonic(t, value_ns) : 0;
	if (t->expires_ns)
		ktimer_arm(&t->timer, t->expires_ns);
	spin_unlock_irqrestore(&t->lock, flags);
	return 0;
}

void timerfd_clock_was_set(void)
{
	struct timerfd *t;

	spin_lock(&list_lock);
	list_for_each_entry(t, &real_timers, link) {
		irqflags_t flags = spin_lock_irqsave(&t->lock);
		bool wake = t->cancel_on_set && t->expires_ns;

		t->cancelled = wake;
		if (t->absolute && t->expires_ns) {
			t->expires_ns = to_monotonic(t, t->real_expires_ns);
			ktimer_arm(&t->timer, t->expires_ns);
		}
		spin_unlock_irqrestore(&t->lock, flags);
		if (wake)
			waitq_wake_all(&t->wait, EPOLLIN | EPOLLRDNORM);
	}
	spin_unlock(&list_lock);
}
