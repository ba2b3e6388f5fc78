/* Timers that send signals: what interval timers and POSIX timers share. */
#pragma once
#include "internal.h"
#include <core/time.h>

enum timer_clock {
	TIMER_MONOTONIC,
	TIMER_REALTIME,
	TIMER_CPU_USER, /* user time of the process */
	TIMER_CPU, /* time of the process on a CPU */
	TIMER_CPU_THREAD, /* of one thread */
};

/* All [x] sighand lock of proc, but kt. */
struct itimer {
	struct ktimer kt;
	struct proc *proc; /* [I] */
	enum timer_clock clock; /* [I] */
	bool armed; /* deadline holds */
	bool waiting; /* expired; goes on when its signal is taken */
	bool silent; /* [I] SIGEV_NONE */
	bool group; /* [I] signal to the process, not to target */
	struct thread *target; /* [I] reference, or NULL */
	u64 deadline; /* ns of the clock; TIMER_REALTIME: as monotonic */
	u64 interval; /* ns; 0: once */
	u64 overrun; /* periods passed since it expired */
	s32 overrun_last; /* of the signal taken last */
	struct sigqueue entry;
};

struct ptimer {
	struct itimer t;
	struct list link;
	s32 id;
};

struct itimers {
	struct itimer fixed[3]; /* by ITIMER_* */
	struct itimer cpu_limit; /* RLIMIT_CPU */
	struct list posix; /* struct ptimer */
	s32 next_id;
	unsigned nr_posix;
};

void itimer_init(struct itimer *t, struct proc *p, enum timer_clock clock, int sig, int code);
/* sighand lock held: sets it going (deadline in the clock's ns) or, with 0, stops it. */
void itimer_start(struct itimer *t, u64 deadline, u64 interval);
/* sighand lock held. Time until it expires next, and how often; 0: not armed. */
void itimer_left(const struct itimer *t, u64 *left, u64 *interval);
u64 itimer_clock_now(const struct itimer *t); /* sighand lock held */
void itimer_unqueue(struct itimer *t); /* sighand lock held: its signal is no longer pending */
int itimers_get(struct proc *p, struct itimers **out); /* made on first use; -ENOMEM */

void ptimers_delete_all(struct proc *p);
