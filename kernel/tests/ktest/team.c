/* Threads for tests; see team.h. Locks: none. */
#include "team.h"
#include <lib/errno.h>

static void member_main(void *arg)
{
	struct team_member *m = arg;
	struct team *t = m->team;

	t->fn(t->arg, m->i);
	if (__atomic_sub_fetch(&t->running, 1, __ATOMIC_ACQ_REL) == 0)
		completion_done(&t->done);
}

unsigned test_nth_cpu(unsigned i)
{
	unsigned long mask = READ_ONCE(cpu_online_mask);

	for (i %= nr_cpus_online; i--;)
		mask &= mask - 1;
	return (unsigned)__builtin_ctzl(mask);
}

int team_create(struct team *t, unsigned n, int cpu, void (*fn)(void *, unsigned), void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->n = n;
	t->running = n;
	completion_init(&t->done);
	for (unsigned i = 0; i < n; i++) {
		struct team_member *m = &t->members[i];

		m->team = t;
		m->i = i;
		if (kthread_create(&m->thread, "test", member_main, m)) {
			while (i--) {
				thread_put(t->members[i].thread);
				thread_put(t->members[i].thread);
			}
			return -ENOMEM;
		}
		thread_get(m->thread);
		if (cpu >= 0)
			m->thread->affinity = BIT(cpu);
		else if (cpu == TEAM_SPREAD)
			m->thread->affinity = BIT(test_nth_cpu(i));
	}
	return 0;
}

void team_start(struct team *t)
{
	for (unsigned i = 0; i < t->n; i++)
		thread_start(t->members[i].thread);
}

int team_wait(struct team *t, unsigned timeout_ms)
{
	int error =
		completion_wait_timeout(&t->done, time_monotonic_ns() + timeout_ms * NSEC_PER_MSEC);

	if (error)
		return error;
	for (unsigned i = 0; i < t->n; i++)
		thread_put(t->members[i].thread);
	return 0;
}

int team_run(unsigned n, int cpu, void (*fn)(void *, unsigned), void *arg, unsigned timeout_ms)
{
	/* Stages run one at a time. Threads that did not end keep their team; the next one is another. */
	static struct team teams[4];
	static unsigned lost;
	struct team *team = &teams[lost % 4];
	int error = team_create(team, n, cpu, fn, arg);

	if (error)
		return error;
	team_start(team);
	error = team_wait(team, timeout_ms);
	lost += error != 0;
	return error;
}

void test_sleep_ms(unsigned ms)
{
	sched_sleep_until(time_monotonic_ns() + ms * NSEC_PER_MSEC, false);
}

void test_spin_ms(unsigned ms)
{
	u64 end = time_monotonic_ns() + ms * NSEC_PER_MSEC;

	while (time_monotonic_ns() < end)
		cpu_relax();
}

int test_wait_u32(const u32 *word, u32 value, unsigned timeout_ms)
{
	u64 end = time_monotonic_ns() + timeout_ms * NSEC_PER_MSEC;

	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) < value) {
		if (time_monotonic_ns() > end)
			return -ETIMEDOUT;
		test_sleep_ms(1);
	}
	return 0;
}
