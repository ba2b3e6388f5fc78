/* Stages of several CPUs: each is up, they reach each other, and they exclude each other. */
#include "team.h"
#include <arch/cpu.h>
#include <core/spinlock.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/mutex.h>
#include <stages_gen.h>

static DEFINE_PER_CPU(u64, test_slot);

static void note_cpu(void *arg, unsigned i)
{
	u32 *cpus = arg;

	preempt_disable();
	cpus[i] = this_cpu();
	this_cpu_write(test_slot, 1000 + this_cpu());
	preempt_enable();
}

int stage_smp_all_online(struct stage *s)
{
	static u32 cpus[MAX_CPUS];
	unsigned n = 0;

	for (unsigned long m = cpu_online_mask; m; m &= m - 1)
		n++;
	STAGE_CHECK_EQ(s, nr_cpus_online, n);
	STAGE_CHECK(s, nr_cpus_online <= arch_cpu_count());
	memset(cpus, 0xff, sizeof(cpus));
	STAGE_CHECK_EQ(s, team_run(nr_cpus_online, TEAM_SPREAD, note_cpu, cpus, 2000), 0);
	for (unsigned i = 0; i < nr_cpus_online; i++)
		STAGE_CHECK_EQ(s, cpus[i], test_nth_cpu(i));
	return 0;
}

int stage_smp_percpu_distinct(struct stage *s)
{
	static u32 cpus[MAX_CPUS];

	STAGE_CHECK_EQ(s, team_run(nr_cpus_online, TEAM_SPREAD, note_cpu, cpus, 2000), 0);
	for (unsigned i = 0; i < nr_cpus_online; i++) {
		unsigned cpu = test_nth_cpu(i);

		STAGE_CHECK_EQ(s, *per_cpu_ptr(cpu, test_slot), 1000 + cpu);
		STAGE_CHECK_EQ(s, *per_cpu_ptr(cpu, cpu_number), cpu);
		for (unsigned k = 0; k < i; k++)
			STAGE_CHECK(s, per_cpu_ptr(test_nth_cpu(k), test_slot) !=
					       per_cpu_ptr(cpu, test_slot));
	}
	return 0;
}

static u32 calls[MAX_CPUS]; /* [a] */
static u32 bad_calls; /* [a] */

static void note_call(void *arg)
{
	if (arch_irqs_enabled())
		__atomic_fetch_add(&bad_calls, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&calls[this_cpu()], *(u32 *)arg, __ATOMIC_SEQ_CST);
}

int stage_smp_call_all(struct stage *s)
{
	u32 amount = 3;
	unsigned me;

	memset(calls, 0, sizeof(calls));
	bad_calls = 0;
	preempt_disable();
	me = this_cpu();
	for (unsigned n = 0; n < 10; n++)
		smp_call(~0ul, note_call, &amount);
	preempt_enable();
	/* It has waited: all have run, once each time, and not here. */
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		bool expected = cpu != me && (cpu_online_mask & BIT(cpu));

		STAGE_CHECK_EQ(s, calls[cpu], expected ? 30 : 0);
	}
	STAGE_CHECK_EQ(s, bad_calls, 0);
	return 0;
}

#define STORM_CALLS 10

static void call_everybody(void *arg, unsigned i)
{
	u32 one = 1;

	(void)arg, (void)i;
	for (unsigned n = 0; n < STORM_CALLS; n++)
		smp_call(~0ul, note_call, &one);
}

int stage_smp_call_storm(struct stage *s)
{
	u32 total = 0;

	memset(calls, 0, sizeof(calls));
	STAGE_CHECK_EQ(s, team_run(nr_cpus_online, TEAM_SPREAD, call_everybody, NULL, 12000), 0);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		total += calls[cpu];
	STAGE_CHECK_EQ(s, total, STORM_CALLS * nr_cpus_online * (nr_cpus_online - 1));
	return 0;
}

struct wake_latency {
	u64 woken_ns, most_ns;
	u32 asleep, ran;
	struct completion go;
};

static void wait_for_go(void *arg, unsigned i)
{
	struct wake_latency *w = arg;

	(void)i;
	w->asleep = 1;
	completion_wait(&w->go);
	w->ran = 1;
}

int stage_smp_wake_idle_cpu(struct stage *s)
{
	static struct wake_latency w;
	static struct team team;

	for (unsigned i = 0; i < nr_cpus_online; i++) {
		memset(&w, 0, sizeof(w));
		completion_init(&w.go);
		STAGE_CHECK_EQ(s, team_create(&team, 1, (int)test_nth_cpu(i), wait_for_go, &w), 0);
		team_start(&team);
		STAGE_CHECK_EQ(s, test_wait_u32(&w.asleep, 1, 3000), 0);
		test_sleep_ms(6); /* the last tick has come; only an IPI can wake it */
		completion_done(&w.go);
		STAGE_CHECK_EQ(s, team_wait(&team, 5000), 0);
		STAGE_CHECK_EQ(s, w.ran, 1);
	}
	return 0;
}

struct contended {
	struct spinlock lock;
	struct mutex mutex;
	u64 atomic, plain, slept;
};
static struct contended c;

static void contend(void *arg, unsigned i)
{
	(void)arg, (void)i;
	for (unsigned n = 0; n < 3000; n++) {
		__atomic_fetch_add(&c.atomic, 1, __ATOMIC_RELAXED);
		spin_lock(&c.lock);
		c.plain = READ_ONCE(c.plain) + 1;
		spin_unlock(&c.lock);
		if (n % 16)
			continue;
		mutex_lock(&c.mutex);
		c.slept = READ_ONCE(c.slept) + 1;
		mutex_unlock(&c.mutex);
	}
}

int stage_smp_contention(struct stage *s)
{
	unsigned n = nr_cpus_online;

	memset(&c, 0, sizeof(c));
	spin_init(&c.lock, "test", RANK_NONE);
	mutex_init(&c.mutex, "test", RANK_NONE);
	STAGE_CHECK_EQ(s, team_run(n, TEAM_SPREAD, contend, NULL, 8000), 0);
	STAGE_CHECK_EQ(s, c.atomic, 3000 * n);
	STAGE_CHECK_EQ(s, c.plain, 3000 * n);
	STAGE_CHECK_EQ(s, c.slept, (3000 + 15) / 16 * n);
	return 0;
}

struct clock_check {
	struct spinlock lock;
	u64 last, backwards;
};

static void read_clock(void *arg, unsigned i)
{
	struct clock_check *k = arg;

	(void)i;
	for (unsigned n = 0; n < 2000; n++) {
		u64 now;

		spin_lock(&k->lock);
		now = time_monotonic_ns();
		if (now < k->last)
			k->backwards++;
		k->last = now;
		spin_unlock(&k->lock);
	}
}

int stage_smp_clock_agrees(struct stage *s)
{
	static struct clock_check k;

	memset(&k, 0, sizeof(k));
	spin_init(&k.lock, "test", RANK_NONE);
	STAGE_CHECK_EQ(s, team_run(nr_cpus_online, TEAM_SPREAD, read_clock, &k, 4000), 0);
	STAGE_CHECK_EQ(s, k.backwards, 0);
	return 0;
}

struct cpu_timer {
	struct ktimer timer;
	u32 fired, cpu;
};

static void cpu_timer_fired(struct ktimer *t)
{
	struct cpu_timer *ct = container_of(t, struct cpu_timer, timer);

	ct->cpu = this_cpu();
	__atomic_fetch_add(&ct->fired, 1, __ATOMIC_SEQ_CST);
}

static void arm_here(void *arg, unsigned i)
{
	struct cpu_timer *t = (struct cpu_timer *)arg + i;

	preempt_disable();
	ktimer_init(&t->timer, cpu_timer_fired);
	ktimer_arm(&t->timer, time_monotonic_ns() + 2 * NSEC_PER_MSEC);
	preempt_enable();
}

int stage_smp_timer_each_cpu(struct stage *s)
{
	static struct cpu_timer t[MAX_CPUS];

	memset(t, 0, sizeof(t));
	STAGE_CHECK_EQ(s, team_run(nr_cpus_online, TEAM_SPREAD, arm_here, t, 2000), 0);
	for (unsigned i = 0; i < nr_cpus_online; i++) {
		STAGE_CHECK_EQ(s, test_wait_u32(&t[i].fired, 1, 1000), 0);
		STAGE_CHECK_EQ(s, t[i].cpu, test_nth_cpu(i));
	}
	return 0;
}
