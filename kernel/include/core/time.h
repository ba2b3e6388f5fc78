/*
 * Time: clocks and per-CPU one-shot timers.
 *
 * A timer's callback runs in interrupt context on the CPU it was armed on. Timers are kept in a per-CPU
 * tree by deadline; arming is O(log n), cancelling too.
 */
#pragma once
#include <arch/time.h>
#include <lib/rbtree.h>
#include <lib/types.h>

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull
#define TIME_NEVER (~0ull)

static inline u64 time_monotonic_ns(void)
{
	return arch_clock_ns();
}
/* Nanoseconds since 1970; settable. */
u64 time_realtime_ns(void);
int time_set_realtime(u64 ns);
s64 time_realtime_offset(void); /* realtime - monotonic */

struct ktimer {
	struct rb_node node; /* [x] the queue's lock */
	u64 deadline_ns;
	void (*fn)(struct ktimer *); /* interrupt context; may re-arm */
	s16 cpu; /* [x] -1: not queued */
	s16 base; /* [a] CPU whose queue's lock protects this timer */
};

void ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *));
/* Arms or re-arms for an absolute monotonic time, on this CPU. Any context. */
void ktimer_arm(struct ktimer *t, u64 deadline_ns);
/* Returns true if it was queued. Afterwards the callback may still be running on another CPU. */
bool ktimer_cancel(struct ktimer *t);
/* As above, and waits until a running callback has ended. Not from the callback, no lock it takes. */
bool ktimer_cancel_sync(struct ktimer *t);
static inline bool ktimer_pending(const struct ktimer *t)
{
	return READ_ONCE(t->cpu) >= 0;
}

/* When this CPU's next timer is due; TIME_NEVER when none. For reports and idle. */
u64 ktimer_next(void);
void time_vdso_update(void); /* publishes clock and offset to the vDSO's page, once there is one */

void time_init(void); /* boot CPU, after arch_init_platform() */
void time_init_cpu(void); /* each CPU: starts its tick when it has something to run */
#define TICK_HZ 250
