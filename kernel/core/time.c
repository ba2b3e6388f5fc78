/*
 * Wall-clock time: the monotonic clock of the port plus an offset, and the page the vDSO reads.
 *
 * Locks: time_lock (RANK_TIMER_OWNER) serialises writers of the offset and of the vDSO page; readers
 * take one word.
 * Leaves out: adjtime slewing, leap seconds, cancelling absolute sleeps when the clock is set.
 * Manual: clock_gettime(2), vdso(7).
 */
#include <arch/cpu.h>
#include <arch/vdso.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/inject.h>
#include <lib/atomic.h>
#include <lib/errno.h>

static s64 realtime_offset; /* [a] realtime - monotonic */
static struct spinlock time_lock = SPINLOCK_INIT("time", RANK_TIMER_OWNER);

u64 time_realtime_ns(void)
{
	return arch_clock_ns() + (u64)READ_ONCE(realtime_offset);
}

s64 time_realtime_offset(void)
{
	return READ_ONCE(realtime_offset);
}

/* time_lock held, or boot. */
static void publish(void)
{
	struct vdso_data *d = vdso_data;

	if (!d || INJECT("vdso_stale"))
		return;
	WRITE_ONCE(d->seq, d->seq + 1);
	smp_wmb();
	d->user_readable = arch_clock_params.user_readable;
	d->base = arch_clock_params.base;
	d->base_ns = arch_clock_params.base_ns;
	d->mult = arch_clock_params.mult;
	d->shift = arch_clock_params.shift;
	d->realtime_offset_ns = realtime_offset;
	smp_wmb();
	WRITE_ONCE(d->seq, d->seq + 1);
}

void time_vdso_update(void)
{
	irqflags_t flags = spin_lock_irqsave(&time_lock);

	publish();
	spin_unlock_irqrestore(&time_lock, flags);
}

int time_set_realtime(u64 ns)
{
	irqflags_t flags;

	if (ns > (u64)INT64_MAX)
		return -EINVAL;
	flags = spin_lock_irqsave(&time_lock);
	WRITE_ONCE(realtime_offset, (s64)(ns - arch_clock_ns()));
	publish();
	spin_unlock_irqrestore(&time_lock, flags);
	return 0;
}

void time_init(void)
{
	time_set_realtime(arch_rtc_read() * NSEC_PER_SEC);
	time_init_cpu();
}
