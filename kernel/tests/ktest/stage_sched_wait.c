/* Stages of sleeping and waking: nothing is lost, nobody too many wakes, times are kept. */
#include "team.h"
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/waitq.h>
#include <stages_gen.h>

int stage_sleep_duration(struct stage *s)
{
	u64 start = time_monotonic_ns(), took;

	STAGE_CHECK_EQ(s, sched_sleep_until(start + 10 * NSEC_PER_MSEC, false), 0);
	took = time_monotonic_ns() - start;
	STAGE_CHECK(s, took >= 10 * NSEC_PER_MSEC && took < 500 * NSEC_PER_MSEC);
	STAGE_CHECK_EQ(s, sched_sleep_until(1, true), 0);
	return 0;
}

struct meeting {
	struct waitq q;
	u32 condition, asleep, woken;
	bool exclusive;
};

static void meeting_init(struct meeting *m)
{
	memset(m, 0, sizeof(*m));
	waitq_init(&m->q);
}

int stage_wake_before_sleep(struct stage *s)
{
	struct meeting m;
	struct waiter w;

	meeting_init(&m);
	waiter_init(&w);
	waitq_add(&m.q, &w);
	sched_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
	waitq_wake_all(&m.q, 0); /* between the preparation and the sleep */
	STAGE_CHECK_EQ(s, sched_sleep(time_monotonic_ns() + 2 * NSEC_PER_SEC), 0);
	waitq_remove(&m.q, &w);
	STAGE_CHECK_EQ(s, current->state, TS_RUNNING);
	return 0;
}

static void sleep_in_meeting(void *arg, unsigned i)
{
	struct meeting *m = arg;
	struct waiter w;

	(void)i;
	waiter_init(&w);
	w.exclusive = m->exclusive;
	waitq_add(&m->q, &w);
	__atomic_fetch_add(&m->asleep, 1, __ATOMIC_SEQ_CST);
	sched_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
	sched_sleep(TIME_NEVER);
	__atomic_fetch_add(&m->woken, 1, __ATOMIC_SEQ_CST);
	waitq_remove(&m->q, &w);
}

/* n sleepers in the meeting, all asleep. */
static int gather(struct meeting *m, struct team *team, unsigned n, bool exclusive)
{
	int error;

	meeting_init(m);
	m->exclusive = exclusive;
	error = team_create(team, n, TEAM_ANYWHERE, sleep_in_meeting, m);
	if (error)
		return error;
	team_start(team);
	error = test_wait_u32(&m->asleep, n, 1000);
	for (unsigned i = 0; i < n && !error; i++)
		error = test_wait_u32(&team->members[i].thread->state, TS_SLEEP_UNINT, 1000);
	test_sleep_ms(2);
	return error;
}

int stage_waitq_exclusive(struct stage *s)
{
	static struct meeting m;
	static struct team team;

	STAGE_CHECK_EQ(s, gather(&m, &team, 4, true), 0);
	for (u32 n = 1; n <= 2; n++) {
		waitq_wake_one(&m.q, 0);
		STAGE_CHECK_EQ(s, test_wait_u32(&m.woken, n, 1000), 0);
		test_sleep_ms(3);
		STAGE_CHECK_EQ(s, m.woken, n);
	}
	waitq_wake_all(&m.q, 0);
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	STAGE_CHECK_EQ(s, m.woken, 4);
	STAGE_CHECK(s, list_empty(&m.q.waiters));
	return 0;
}

int stage_waitq_all(struct stage *s)
{
	static struct meeting m;
	static struct team team;

	STAGE_CHECK_EQ(s, gather(&m, &team, 4, false), 0);
	waitq_wake_one(&m.q, 0); /* those that are not exclusive all wake */
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	STAGE_CHECK_EQ(s, m.woken, 4);
	return 0;
}

struct callback_waiter {
	struct waiter w;
	u32 key, calls;
};

static bool note_key(struct waiter *w, u32 key)
{
	struct callback_waiter *c = container_of(w, struct callback_waiter, w);

	c->key = key;
	c->calls++;
	return true;
}

int stage_waitq_callback(struct stage *s)
{
	struct callback_waiter c = { .w.wake = note_key };
	struct meeting m;

	meeting_init(&m);
	waitq_add(&m.q, &c.w);
	waitq_wake_all(&m.q, 0x41);
	STAGE_CHECK_EQ(s, c.calls, 1);
	STAGE_CHECK_EQ(s, c.key, 0x41);
	waitq_remove(&m.q, &c.w);
	waitq_wake_all(&m.q, 1);
	STAGE_CHECK_EQ(s, c.calls, 1);
	return 0;
}

int stage_waitq_timeout(struct stage *s)
{
	struct meeting m;
	u64 deadline = time_monotonic_ns() + 8 * NSEC_PER_MSEC;

	meeting_init(&m);
	STAGE_CHECK_EQ(s, waitq_wait(&m.q, m.condition, SLEEP_INTERRUPTIBLE, deadline), -ETIMEDOUT);
	STAGE_CHECK(s, time_monotonic_ns() >= deadline);
	STAGE_CHECK(s, list_empty(&m.q.waiters));
	m.condition = 1;
	STAGE_CHECK_EQ(s, waitq_wait(&m.q, m.condition, SLEEP_INTERRUPTIBLE, 1), 0);
	return 0;
}

/* Two threads pass a ball: each wake-up lost would end the game. */
struct game {
	struct waitq q[2];
	u32 turn, passes;
};

static void play(void *arg, unsigned i)
{
	struct game *g = arg;

	for (unsigned n = 0; n < 1000; n++) {
		if (waitq_wait(&g->q[i], READ_ONCE(g->turn) == i, SLEEP_UNINTERRUPTIBLE,
			       time_monotonic_ns() + NSEC_PER_SEC))
			return;
		g->passes++;
		WRITE_ONCE(g->turn, !i);
		waitq_wake_one(&g->q[!i], 0);
	}
}

int stage_wake_ping_pong(struct stage *s)
{
	static struct game g;

	memset(&g, 0, sizeof(g));
	waitq_init(&g.q[0]);
	waitq_init(&g.q[1]);
	STAGE_CHECK_EQ(s, team_run(2, TEAM_ANYWHERE, play, &g, 4000), 0);
	STAGE_CHECK_EQ(s, g.passes, 2000);
	return 0;
}

struct event {
	struct completion c;
	u32 seen;
};

static void await(void *arg, unsigned i)
{
	struct event *e = arg;

	(void)i;
	completion_wait(&e->c);
	__atomic_fetch_add(&e->seen, 1, __ATOMIC_SEQ_CST);
}

int stage_completion(struct stage *s)
{
	static struct event e;
	static struct team team;

	e.seen = 0;
	completion_init(&e.c);
	STAGE_CHECK_EQ(s, completion_wait_timeout(&e.c, time_monotonic_ns() + NSEC_PER_MSEC),
		       -ETIMEDOUT);
	STAGE_CHECK_EQ(s, team_create(&team, 4, TEAM_ANYWHERE, await, &e), 0);
	team_start(&team);
	test_sleep_ms(5);
	STAGE_CHECK_EQ(s, e.seen, 0);
	completion_done(&e.c);
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	STAGE_CHECK_EQ(s, e.seen, 4);
	completion_wait(&e.c); /* it stays done */
	return 0;
}

int stage_thread_kick_states(struct stage *s)
{
	static struct meeting m;
	static struct team team;
	struct thread *t;

	STAGE_CHECK_EQ(s, gather(&m, &team, 1, false), 0);
	t = team.members[0].thread;
	/* An uninterruptible sleeper is woken by neither kind of kick. */
	thread_kick(t, false);
	thread_kick(t, true);
	test_sleep_ms(3);
	STAGE_CHECK_EQ(s, m.woken, 0);
	STAGE_CHECK(s, !thread_wake_states(t, BIT(TS_STOPPED)));
	STAGE_CHECK(s, thread_wake(t));
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	return 0;
}
