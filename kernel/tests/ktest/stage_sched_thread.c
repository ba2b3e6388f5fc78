/* Stages of threads: they run, switch, end, and give back what they had. */
#include "team.h"
#include <core/rcu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/page.h>
#include <stages_gen.h>

static u32 counter; /* [a] */

static void bump(void *arg, unsigned i)
{
	(void)arg, (void)i;
	__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
}

int stage_kthread_runs(struct stage *s)
{
	counter = 0;
	STAGE_CHECK_EQ(s, team_run(8, TEAM_ANYWHERE, bump, NULL, 2000), 0);
	STAGE_CHECK_EQ(s, counter, 8);
	return 0;
}

struct identity {
	struct thread *seen[4];
	bool kernel, irqs, count_zero;
};

static void look_around(void *arg, unsigned i)
{
	struct identity *id = arg;

	id->seen[i] = current;
	id->kernel = current->kernel && !current->mm;
	id->irqs = arch_irqs_enabled();
	id->count_zero = preempt_depth() == 0;
}

int stage_kthread_context(struct stage *s)
{
	static struct identity id;
	static struct team team;

	memset(&id, 0, sizeof(id));
	STAGE_CHECK_EQ(s, team_create(&team, 4, TEAM_ANYWHERE, look_around, &id), 0);
	team_start(&team);
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	for (unsigned i = 0; i < 4; i++) /* the pointers are compared only */
		STAGE_CHECK(s, id.seen[i] == team.members[i].thread);
	STAGE_CHECK(s, id.kernel && id.irqs && id.count_zero);
	return 0;
}

/* Enough live values that every callee-saved register holds one across the switch. */
static u64 mix_across_switches(u64 seed, bool yield)
{
	u64 a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;

	for (unsigned i = 0; i < 200; i++) {
		a += b ^ i;
		b = b << 7 | b >> 57;
		c ^= a;
		d += c * 31;
		e = (e ^ d) + (f >> 3);
		f -= a;
		if (yield)
			sched_yield();
	}
	return a ^ b ^ c ^ d ^ e ^ f;
}

static void check_mix(void *arg, unsigned i)
{
	u64 *result = arg;

	result[i] = mix_across_switches(i + 1, true);
}

int stage_switch_registers(struct stage *s)
{
	static u64 result[4];

	STAGE_CHECK_EQ(s, team_run(4, 0, check_mix, result, 3000), 0);
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK(s, result[i] == mix_across_switches(i + 1, false));
	return 0;
}

struct turns {
	u8 order[64];
	u32 n;
};

static void take_turns(void *arg, unsigned i)
{
	struct turns *t = arg;

	for (unsigned k = 0; k < 16; k++) {
		t->order[t->n++ % sizeof(t->order)] = (u8)i;
		sched_yield();
	}
}

int stage_yield_alternates(struct stage *s)
{
	static struct turns t;
	unsigned changes = 0;

	memset(&t, 0, sizeof(t));
	STAGE_CHECK_EQ(s, team_run(2, 0, take_turns, &t, 2000), 0);
	STAGE_CHECK_EQ(s, t.n, 32);
	for (unsigned i = 1; i < 32; i++)
		changes += t.order[i] != t.order[i - 1];
	STAGE_CHECK(s, changes >= 24);
	return 0;
}

static void spin_for_flag(void *arg, unsigned i)
{
	u32 *words = arg;
	u64 end = time_monotonic_ns() + 2 * NSEC_PER_SEC;

	if (i == 1) {
		words[0] = 1;
		return;
	}
	words[1] = 1;
	while (!READ_ONCE(words[0]) && time_monotonic_ns() < end)
		cpu_relax();
	words[2] = READ_ONCE(words[0]);
}

int stage_tick_preempts(struct stage *s)
{
	static u32 words[3];

	memset(words, 0, sizeof(words));
	/* Both on CPU 0: the second can only run if the first is taken off it while it spins. */
	STAGE_CHECK_EQ(s, team_run(2, 0, spin_for_flag, words, 4000), 0);
	STAGE_CHECK_EQ(s, words[1], 1);
	STAGE_CHECK_EQ(s, words[2], 1);
	return 0;
}

static void count_switches(void *arg, unsigned i)
{
	u64 *n = arg;

	(void)i;
	preempt_disable();
	n[0] = current->nivcsw + current->nvcsw;
	test_spin_ms(20);
	n[1] = current->nivcsw + current->nvcsw;
	preempt_enable();
}

int stage_preempt_disable_holds(struct stage *s)
{
	static u64 n[2];

	STAGE_CHECK_EQ(s, team_run(1, 0, count_switches, n, 2000), 0);
	STAGE_CHECK_EQ(s, n[1], n[0]);
	return 0;
}

static bool count_threads(struct thread *t, void *arg)
{
	unsigned *n = arg;

	*n += strcmp(t->comm, "test") == 0;
	return true;
}

int stage_thread_freed(struct stage *s)
{
	struct mem_stats before, after;
	unsigned n = 0;

	counter = 0;
	STAGE_CHECK_EQ(s, team_run(16, TEAM_ANYWHERE, bump, NULL, 2000), 0);
	synchronize_rcu();
	mem_stats(&before);
	for (unsigned round = 0; round < 16; round++)
		STAGE_CHECK_EQ(s, team_run(16, TEAM_ANYWHERE, bump, NULL, 2000), 0);
	STAGE_CHECK_EQ(s, counter, 17 * 16);
	test_sleep_ms(20);
	synchronize_rcu();
	mem_stats(&after);
	/* A stack is four pages: not even a tenth of the 256 may stay. */
	STAGE_CHECK(s, after.kernel_stack_pages <= before.kernel_stack_pages + 64);
	thread_for_each(count_threads, &n);
	STAGE_CHECK_EQ(s, n, 0);
	return 0;
}

int stage_thread_reference(struct stage *s)
{
	static struct team team;
	struct thread *t;

	STAGE_CHECK_EQ(s, team_create(&team, 1, TEAM_ANYWHERE, bump, NULL), 0);
	t = team.members[0].thread;
	thread_get(t);
	team_start(&team);
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	test_sleep_ms(10);
	synchronize_rcu();
	STAGE_CHECK_EQ(s, refcount_read(&t->refs), 1);
	STAGE_CHECK_EQ(s, t->state, TS_DEAD);
	STAGE_CHECK(s, strcmp(t->comm, "test") == 0);
	thread_put(t);
	return 0;
}

static void use_cpu(void *arg, unsigned i)
{
	u64 *ran = arg;

	(void)i;
	test_spin_ms(10);
	*ran = sched_runtime_ns(current);
}

int stage_thread_runtime(struct stage *s)
{
	static u64 ran;

	STAGE_CHECK_EQ(s, team_run(1, TEAM_ANYWHERE, use_cpu, &ran, 2000), 0);
	STAGE_CHECK(s, ran > NSEC_PER_MSEC && ran < 2 * NSEC_PER_SEC);
	return 0;
}
