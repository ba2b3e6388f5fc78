/* Stages of scheduling policy: shares, priorities, affinity. */
#include "team.h"
#include <lib/errno.h>
#include <lib/string.h>
#include <stages_gen.h>
#include <uapi/sched.h>

struct race {
	u32 stop, started;
	u64 ran[4]; /* time on the CPU */
	u32 order[4], n;
};
static struct race race;

static void run_until_stop(void *arg, unsigned i)
{
	(void)arg;
	__atomic_fetch_add(&race.started, 1, __ATOMIC_SEQ_CST);
	while (!READ_ONCE(race.stop))
		cpu_relax();
	race.ran[i] = sched_runtime_ns(current);
}

/* n spinners on CPU 0 for a while; prepare may change them before they start. */
static int run_race(unsigned n, unsigned ms, void (*prepare)(struct team *))
{
	static struct team team;
	int error;

	memset(&race, 0, sizeof(race));
	error = team_create(&team, n, 0, run_until_stop, NULL);
	if (error)
		return error;
	if (prepare)
		prepare(&team);
	team_start(&team);
	test_sleep_ms(ms);
	WRITE_ONCE(race.stop, 1);
	return team_wait(&team, 3000);
}

int stage_fair_equal(struct stage *s)
{
	u64 sum;

	STAGE_CHECK_EQ(s, run_race(3, 150, NULL), 0);
	sum = race.ran[0] + race.ran[1] + race.ran[2];
	for (unsigned i = 0; i < 3; i++) {
		u64 percent = race.ran[i] * 100 / (sum ? sum : 1);

		if (percent < 22 || percent > 46)
			return stage_fail(s, "thread %u got %llu %% of the CPU, not a third", i, percent);
	}
	return 0;
}

static void make_nice(struct team *t)
{
	sched_set_nice(t->members[1].thread, 5);
}

int stage_fair_nice(struct stage *s)
{
	u64 ratio;

	STAGE_CHECK_EQ(s, run_race(2, 200, make_nice), 0);
	STAGE_CHECK(s, race.ran[1] > 0);
	ratio = race.ran[0] * 100 / race.ran[1];
	/* Nice 5 weighs 335 against 1024: 3.06. */
	if (ratio < 190 || ratio > 480)
		return stage_fail(s, "nice 0 got %llu %% of what nice 5 got, expected about 306", ratio);
	return 0;
}

static void make_idle(struct team *t)
{
	sched_set_policy(t->members[1].thread, SCHED_IDLE, 0);
}

int stage_fair_idle_policy(struct stage *s)
{
	STAGE_CHECK_EQ(s, run_race(2, 120, make_idle), 0);
	STAGE_CHECK(s, race.ran[1] * 8 < race.ran[0]);
	return 0;
}

#define SLEEPS 20

static void sleeper(void *arg, unsigned i)
{
	unsigned *prompt = arg;

	if (i) {
		run_until_stop(arg, i);
		return;
	}
	for (unsigned n = 0; n < SLEEPS; n++) {
		u64 due = time_monotonic_ns() + 2 * NSEC_PER_MSEC;

		sched_sleep_until(due, false);
		if (time_monotonic_ns() - due < NSEC_PER_MSEC)
			(*prompt)++;
	}
	WRITE_ONCE(race.stop, 1);
}

int stage_fair_sleeper_wakes_soon(struct stage *s)
{
	static unsigned prompt;

	prompt = 0;
	memset(&race, 0, sizeof(race));
	STAGE_CHECK_EQ(s, team_run(3, 0, sleeper, &prompt, 4000), 0);
	/* Without wake-up preemption it would wait for the spinners' next tick each time. */
	if (prompt < SLEEPS / 2)
		return stage_fail(s, "a sleeper ran promptly only %u of %u times", prompt, SLEEPS);
	return 0;
}

static void hog_then_note(void *arg, unsigned i)
{
	u64 *seen = arg;

	if (i == 0) { /* fair: counts as fast as it can */
		while (!READ_ONCE(race.stop))
			WRITE_ONCE(seen[0], seen[0] + 1);
		return;
	}
	/* FIFO: takes the CPU and keeps it. */
	seen[1] = READ_ONCE(seen[0]);
	test_spin_ms(20);
	seen[2] = READ_ONCE(seen[0]);
	WRITE_ONCE(race.stop, 1);
}

int stage_rt_before_fair(struct stage *s)
{
	static struct team team;
	static u64 seen[3];

	memset(&race, 0, sizeof(race));
	memset(seen, 0, sizeof(seen));
	STAGE_CHECK_EQ(s, team_create(&team, 2, 0, hog_then_note, seen), 0);
	STAGE_CHECK_EQ(s, sched_set_policy(team.members[1].thread, SCHED_FIFO, 10), 0);
	team_start(&team);
	STAGE_CHECK_EQ(s, team_wait(&team, 3000), 0);
	STAGE_CHECK_EQ(s, seen[2] - seen[1], 0);
	return 0;
}

static void note_order(void *arg, unsigned i)
{
	(void)arg;
	race.order[race.n++ % 4] = i;
}

int stage_rt_priority_order(struct stage *s)
{
	static struct team team;

	memset(&race, 0, sizeof(race));
	STAGE_CHECK_EQ(s, team_create(&team, 4, test_nth_cpu(0), note_order, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, sched_set_policy(team.members[i].thread, SCHED_FIFO, (int)(10 + i)), 0);
	/* The starter is on CPU 0 as well and above them all, so that they queue up. */
	STAGE_CHECK_EQ(s, sched_set_affinity(current, 1), 0);
	STAGE_CHECK_EQ(s, sched_set_policy(current, SCHED_FIFO, 50), 0);
	team_start(&team);
	sched_set_policy(current, SCHED_OTHER, 0);
	sched_set_affinity(current, ~0ull);
	STAGE_CHECK_EQ(s, team_wait(&team, 2000), 0);
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, race.order[i], 3 - i);
	return 0;
}

static void make_rr(struct team *t)
{
	for (unsigned i = 0; i < t->n; i++)
		sched_set_policy(t->members[i].thread, SCHED_RR, 5);
}

int stage_rt_round_robin(struct stage *s)
{
	static struct team team;

	memset(&race, 0, sizeof(race));
	STAGE_CHECK_EQ(s, team_create(&team, 2, 0, run_until_stop, NULL), 0);
	make_rr(&team);
	STAGE_CHECK_EQ(s, sched_set_policy(current, SCHED_FIFO, 50), 0);
	team_start(&team);
	test_sleep_ms(250); /* slices are 100 ms */
	WRITE_ONCE(race.stop, 1);
	sched_set_policy(current, SCHED_OTHER, 0);
	STAGE_CHECK_EQ(s, team_wait(&team, 2000), 0);
	STAGE_CHECK_EQ(s, race.started, 2);
	STAGE_CHECK(s, race.ran[0] > 20 * NSEC_PER_MSEC && race.ran[1] > 20 * NSEC_PER_MSEC);
	return 0;
}

int stage_sched_bad_values(struct stage *s)
{
	STAGE_CHECK_EQ(s, sched_set_policy(current, SCHED_FIFO, 0), -EINVAL);
	STAGE_CHECK_EQ(s, sched_set_policy(current, SCHED_RR, 100), -EINVAL);
	STAGE_CHECK_EQ(s, sched_set_policy(current, SCHED_OTHER, 1), -EINVAL);
	STAGE_CHECK_EQ(s, sched_set_policy(current, SCHED_DEADLINE, 0), -EINVAL);
	STAGE_CHECK_EQ(s, sched_set_affinity(current, 0), -EINVAL);
	STAGE_CHECK_EQ(s, sched_set_affinity(current, 1ull << 63), -EINVAL);
	STAGE_CHECK_EQ(s, sched_set_nice(current, -100), 0);
	STAGE_CHECK_EQ(s, current->se.nice, -20);
	STAGE_CHECK_EQ(s, sched_set_nice(current, 0), 0);
	return 0;
}

struct places {
	u32 wrong, rounds;
};

static void check_place(void *arg, unsigned i)
{
	struct places *p = arg;

	for (unsigned n = 0; n < 20; n++) {
		preempt_disable();
		if (!(current->affinity & BIT(this_cpu())))
			__atomic_fetch_add(&p->wrong, 1, __ATOMIC_SEQ_CST);
		preempt_enable();
		if (i & 1)
			sched_yield();
		else
			test_sleep_ms(1);
	}
	__atomic_fetch_add(&p->rounds, 1, __ATOMIC_SEQ_CST);
}

int stage_affinity_obeyed(struct stage *s)
{
	static struct places p;

	memset(&p, 0, sizeof(p));
	STAGE_CHECK_EQ(s, team_run(8, TEAM_SPREAD, check_place, &p, 4000), 0);
	STAGE_CHECK_EQ(s, p.wrong, 0);
	STAGE_CHECK_EQ(s, p.rounds, 8);
	return 0;
}
