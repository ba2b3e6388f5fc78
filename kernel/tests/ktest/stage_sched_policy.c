/* Stages of scheduling policy: shares, priorities, affinity. */
#include "team.h"
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/waitq.h>
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

/*
 * The host may stop a virtual CPU for tens of milliseconds, which the guest's clock charges to whoever
 * runs; fairness makes up for it in time. So a share that is off gets a second and third, longer look.
 */
static const unsigned looks_ms[] = { 150, 400, 1000 };

static unsigned worst_share(void)
{
	u64 sum = race.ran[0] + race.ran[1] + race.ran[2];
	unsigned worst = 33;

	for (unsigned i = 0; i < 3; i++) {
		unsigned percent = (unsigned)(race.ran[i] * 100 / (sum ? sum : 1));

		if (percent < 22 || percent > 46)
			worst = percent;
	}
	return worst;
}

int stage_fair_equal(struct stage *s)
{
	unsigned worst = 0;

	for (unsigned look = 0; look < ARRAY_SIZE(looks_ms); look++) {
		STAGE_CHECK_EQ(s, run_race(3, looks_ms[look], NULL), 0);
		worst = worst_share();
		if (worst == 33)
			return 0;
	}
	return stage_fail(s, "of three equal threads one got %u %% of the CPU", worst);
}

static void make_nice(struct team *t)
{
	sched_set_nice(t->members[1].thread, 5);
}

int stage_fair_nice(struct stage *s)
{
	u64 ratio = 0;

	for (unsigned look = 0; look < ARRAY_SIZE(looks_ms); look++) {
		STAGE_CHECK_EQ(s, run_race(2, looks_ms[look] + 50, make_nice), 0);
		ratio = race.ran[0] * 100 / (race.ran[1] ? race.ran[1] : 1);
		/* Nice 5 weighs 335 against 1024: 3.06. */
		if (ratio >= 190 && ratio <= 480)
			return 0;
	}
	return stage_fail(s, "nice 0 got %llu %% of what nice 5 got, expected about 306", ratio);
}

static void make_idle(struct team *t)
{
	sched_set_policy(t->members[1].thread, SCHED_IDLE, 0);
}

int stage_fair_idle_policy(struct stage *s)
{
	for (unsigned look = 0; look < ARRAY_SIZE(looks_ms); look++) {
		STAGE_CHECK_EQ(s, run_race(2, looks_ms[look], make_idle), 0);
		if (race.ran[1] * 8 < race.ran[0])
			return 0;
	}
	return stage_fail(s, "SCHED_IDLE got %llu of %llu us", race.ran[1] / 1000,
			  race.ran[0] / 1000);
}

/*
 * A sleeper among busy threads: how far do they get between its timer's interrupt and itself? That they
 * are counted, and not the time, keeps the host out of it.
 */
#define SLEEPS 20
#define PROMPT_ROUNDS 20 /* of the busy loops; a tick is thousands */

struct nap {
	struct ktimer timer;
	struct thread *thread;
	u64 rounds[3], at_wake; /* of the busy threads */
	unsigned prompt;
};

static u64 all_rounds(struct nap *n)
{
	return READ_ONCE(n->rounds[1]) + READ_ONCE(n->rounds[2]);
}

static void nap_over(struct ktimer *t)
{
	struct nap *n = container_of(t, struct nap, timer);

	n->at_wake = all_rounds(n);
	thread_wake(n->thread);
}

static void napper(void *arg, unsigned i)
{
	struct nap *nap = arg;

	if (i) {
		while (!READ_ONCE(race.stop)) {
			WRITE_ONCE(nap->rounds[i], nap->rounds[i] + 1);
			for (unsigned k = 0; k < 50; k++)
				cpu_relax();
		}
		return;
	}
	nap->thread = current;
	ktimer_init(&nap->timer, nap_over);
	for (unsigned n = 0; n < SLEEPS; n++) {
		sched_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
		ktimer_arm(&nap->timer, time_monotonic_ns() + 8 * NSEC_PER_MSEC);
		sched_sleep(TIME_NEVER);
		nap->prompt += all_rounds(nap) - nap->at_wake <= PROMPT_ROUNDS;
	}
	WRITE_ONCE(race.stop, 1);
}

int stage_fair_sleeper_wakes_soon(struct stage *s)
{
	static struct nap nap;

	memset(&nap, 0, sizeof(nap));
	memset(&race, 0, sizeof(race));
	STAGE_CHECK_EQ(s, team_run(3, 0, napper, &nap, 6000), 0);
	if (nap.prompt < SLEEPS / 2)
		return stage_fail(s, "a sleeper ran promptly only %u of %u times", nap.prompt,
				  SLEEPS);
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
		STAGE_CHECK_EQ(
			s, sched_set_policy(team.members[i].thread, SCHED_FIFO, (int)(10 + i)), 0);
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

static bool both_ran(const struct team *t)
{
	return sched_runtime_ns(t->members[0].thread) > 20 * NSEC_PER_MSEC &&
	       sched_runtime_ns(t->members[1].thread) > 20 * NSEC_PER_MSEC;
}

int stage_rt_round_robin(struct stage *s)
{
	static struct team team;

	memset(&race, 0, sizeof(race));
	STAGE_CHECK_EQ(s, team_create(&team, 2, 0, run_until_stop, NULL), 0);
	make_rr(&team);
	STAGE_CHECK_EQ(s, sched_set_policy(current, SCHED_FIFO, 50), 0);
	team_start(&team);
	/* Slices are 100 ms; the host may stop a virtual CPU for longer, at the expense of who runs. */
	for (unsigned looks = 0; looks < 6 && !both_ran(&team); looks++)
		test_sleep_ms(250);
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
