/* Threads for tests: a few that run one function with their number, and are waited for together. */
#pragma once
#include <core/irq.h>
#include <debug/stage.h>
#include <sched/sync.h>
#include <sched/thread.h>

#define TEAM_MAX 16

struct team_member {
	struct team *team;
	struct thread *thread; /* with a reference */
	unsigned i;
};

struct team {
	void (*fn)(void *arg, unsigned i);
	void *arg;
	unsigned n;
	unsigned running; /* [a] */
	struct completion done;
	struct team_member members[TEAM_MAX];
};

/* Makes n threads; cpu >= 0: bound to that CPU; -1: anywhere; TEAM_SPREAD: thread i to the i-th online
 * CPU. They run from team_start on. 0 or -ENOMEM. */
#define TEAM_ANYWHERE (-1)
#define TEAM_SPREAD (-2)
int team_create(struct team *t, unsigned n, int cpu, void (*fn)(void *, unsigned), void *arg);
void team_start(struct team *t);
/* Waits until all have ended and drops them. 0 or -ETIMEDOUT (they are leaked then). */
int team_wait(struct team *t, unsigned timeout_ms);
/* All three. */
int team_run(unsigned n, int cpu, void (*fn)(void *, unsigned), void *arg, unsigned timeout_ms);

void test_sleep_ms(unsigned ms);
void test_spin_ms(unsigned ms); /* without giving up the CPU */
/* Sleeps a little at a time until *word reaches at least value: 0 or -ETIMEDOUT. */
int test_wait_u32(const u32 *word, u32 value, unsigned timeout_ms);
unsigned test_nth_cpu(unsigned i); /* i-th online CPU, wrapping around */
