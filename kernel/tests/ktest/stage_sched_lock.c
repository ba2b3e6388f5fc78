/* Stages of sleeping locks. */
#include "team.h"
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/mutex.h>
#include <stages_gen.h>

struct guarded {
	struct mutex m;
	struct rwsem rw;
	u64 plain;
	u32 inside, overlaps, readers, most_readers, started;
};

static struct guarded g;

static void guarded_init(void)
{
	memset(&g, 0, sizeof(g));
	mutex_init(&g.m, "test", RANK_NONE);
	rwsem_init(&g.rw, "test", RANK_NONE);
}

static void count_under_mutex(void *arg, unsigned i)
{
	(void)arg, (void)i;
	for (unsigned n = 0; n < 500; n++) {
		u64 v;

		mutex_lock(&g.m);
		if (g.inside++)
			g.overlaps++;
		v = READ_ONCE(g.plain);
		if (n % 8 == 0)
			sched_yield(); /* the others get in if the lock is none */
		WRITE_ONCE(g.plain, v + 1);
		g.inside--;
		mutex_unlock(&g.m);
	}
}

int stage_mutex_exclusion(struct stage *s)
{
	guarded_init();
	STAGE_CHECK_EQ(s, team_run(4, TEAM_ANYWHERE, count_under_mutex, NULL, 4000), 0);
	STAGE_CHECK_EQ(s, g.overlaps, 0);
	STAGE_CHECK_EQ(s, g.plain, 2000);
	STAGE_CHECK(s, !g.m.owner);
	return 0;
}

static void try_mutex(void *arg, unsigned i)
{
	int *result = arg;

	(void)i;
	*result = mutex_trylock(&g.m);
	if (*result)
		mutex_unlock(&g.m);
}

int stage_mutex_trylock(struct stage *s)
{
	static int result;

	guarded_init();
	STAGE_CHECK(s, mutex_trylock(&g.m));
	STAGE_CHECK(s, mutex_held(&g.m));
	STAGE_CHECK_EQ(s, team_run(1, TEAM_ANYWHERE, try_mutex, &result, 1000), 0);
	STAGE_CHECK_EQ(s, result, 0);
	mutex_unlock(&g.m);
	STAGE_CHECK(s, !mutex_held(&g.m));
	STAGE_CHECK_EQ(s, team_run(1, TEAM_ANYWHERE, try_mutex, &result, 1000), 0);
	STAGE_CHECK_EQ(s, result, 1);
	return 0;
}

static void lock_once(void *arg, unsigned i)
{
	(void)arg, (void)i;
	__atomic_fetch_add(&g.started, 1, __ATOMIC_SEQ_CST);
	mutex_lock(&g.m);
	g.plain++;
	mutex_unlock(&g.m);
}

int stage_mutex_sleeps(struct stage *s)
{
	static struct team team;

	guarded_init();
	mutex_lock(&g.m);
	STAGE_CHECK_EQ(s, team_create(&team, 3, TEAM_ANYWHERE, lock_once, NULL), 0);
	team_start(&team);
	STAGE_CHECK_EQ(s, test_wait_u32(&g.started, 3, 1000), 0);
	for (unsigned i = 0; i < 3; i++)
		STAGE_CHECK_EQ(
			s, test_wait_u32(&team.members[i].thread->state, TS_SLEEP_UNINT, 1000), 0);
	STAGE_CHECK_EQ(s, g.plain, 0);
	mutex_unlock(&g.m);
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	STAGE_CHECK_EQ(s, g.plain, 3);
	return 0;
}

static void read_together(void *arg, unsigned i)
{
	u64 end = time_monotonic_ns() + NSEC_PER_SEC;
	u32 n;

	(void)arg, (void)i;
	rwsem_read_lock(&g.rw);
	n = __atomic_add_fetch(&g.readers, 1, __ATOMIC_SEQ_CST);
	while (READ_ONCE(g.readers) < 3 && time_monotonic_ns() < end)
		test_sleep_ms(1);
	if (n > g.most_readers)
		g.most_readers = n;
	rwsem_read_unlock(&g.rw);
}

int stage_rwsem_readers(struct stage *s)
{
	guarded_init();
	STAGE_CHECK_EQ(s, team_run(3, TEAM_ANYWHERE, read_together, NULL, 3000), 0);
	STAGE_CHECK_EQ(s, g.readers, 3);
	STAGE_CHECK_EQ(s, g.most_readers, 3);
	STAGE_CHECK_EQ(s, g.rw.count, 0);
	return 0;
}

static void read_or_write(void *arg, unsigned i)
{
	(void)arg;
	for (unsigned n = 0; n < 200; n++) {
		if (i < 2) {
			rwsem_write_lock(&g.rw);
			if (__atomic_fetch_add(&g.inside, 1, __ATOMIC_SEQ_CST) ||
			    READ_ONCE(g.readers))
				g.overlaps++;
			g.plain++;
			if (n % 8 == 0)
				sched_yield();
			__atomic_fetch_sub(&g.inside, 1, __ATOMIC_SEQ_CST);
			rwsem_write_unlock(&g.rw);
		} else {
			rwsem_read_lock(&g.rw);
			__atomic_fetch_add(&g.readers, 1, __ATOMIC_SEQ_CST);
			if (READ_ONCE(g.inside))
				g.overlaps++;
			if (n % 8 == 0)
				sched_yield();
			__atomic_fetch_sub(&g.readers, 1, __ATOMIC_SEQ_CST);
			rwsem_read_unlock(&g.rw);
		}
	}
}

int stage_rwsem_exclusion(struct stage *s)
{
	guarded_init();
	STAGE_CHECK_EQ(s, team_run(5, TEAM_ANYWHERE, read_or_write, NULL, 4000), 0);
	STAGE_CHECK_EQ(s, g.overlaps, 0);
	STAGE_CHECK_EQ(s, g.plain, 400);
	STAGE_CHECK_EQ(s, g.rw.count, 0);
	STAGE_CHECK_EQ(s, g.rw.writers_waiting, 0);
	return 0;
}

int stage_rwsem_downgrade(struct stage *s)
{
	guarded_init();
	rwsem_write_lock(&g.rw);
	STAGE_CHECK(s, !rwsem_read_trylock(&g.rw));
	rwsem_downgrade(&g.rw);
	STAGE_CHECK(s, rwsem_read_trylock(&g.rw));
	rwsem_read_unlock(&g.rw);
	rwsem_read_unlock(&g.rw);
	STAGE_CHECK_EQ(s, rwsem_write_lock_killable(&g.rw), 0);
	rwsem_write_unlock(&g.rw);
	return 0;
}
