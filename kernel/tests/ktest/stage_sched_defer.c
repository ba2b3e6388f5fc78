/* Stages of what happens later: work, rcu, idle time. */
#include "team.h"
#include <core/rcu.h>
#include <debug/later.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/work.h>
#include <stages_gen.h>

struct job {
	struct work work;
	u32 order, runs;
	bool thread, may_sleep;
};
static u32 job_count; /* [a] */

static void job_run(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	j->order = __atomic_add_fetch(&job_count, 1, __ATOMIC_SEQ_CST);
	j->thread = current->kernel;
	j->may_sleep = !in_atomic() && arch_irqs_enabled();
	__atomic_fetch_add(&j->runs, 1, __ATOMIC_SEQ_CST);
}

int stage_work_order(struct stage *s)
{
	static struct job jobs[8];

	job_count = 0;
	preempt_disable(); /* all on one CPU */
	for (unsigned i = 0; i < 8; i++) {
		memset(&jobs[i], 0, sizeof(jobs[i]));
		work_init(&jobs[i].work, job_run);
		work_queue(&jobs[i].work);
	}
	preempt_enable();
	STAGE_CHECK_EQ(s, test_wait_u32(&job_count, 8, 1000), 0);
	for (unsigned i = 0; i < 8; i++) {
		STAGE_CHECK_EQ(s, jobs[i].order, i + 1);
		STAGE_CHECK(s, jobs[i].thread && jobs[i].may_sleep);
	}
	return 0;
}

int stage_work_queued_once(struct stage *s)
{
	static struct job j;

	memset(&j, 0, sizeof(j));
	work_init(&j.work, job_run);
	preempt_disable(); /* so that it cannot run between the two, if it is to run here */
	STAGE_CHECK(s, work_queue(&j.work));
	if (nr_cpus_online == 1)
		STAGE_CHECK(s, !work_queue(&j.work));
	preempt_enable();
	work_flush(&j.work);
	STAGE_CHECK(s, j.runs >= 1);
	STAGE_CHECK(s, work_queue(&j.work));
	work_flush(&j.work);
	STAGE_CHECK(s, j.runs >= 2 && !j.work.queued);
	return 0;
}

static void slow_job(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	test_sleep_ms(10);
	j->runs++;
}

int stage_work_flush_waits(struct stage *s)
{
	static struct job j;

	memset(&j, 0, sizeof(j));
	work_init(&j.work, slow_job);
	work_queue(&j.work);
	work_flush(&j.work);
	STAGE_CHECK_EQ(s, j.runs, 1);
	work_flush(&j.work); /* idle: at once */
	return 0;
}

struct reclaim {
	struct rcu_head head;
	bool done;
};
static u32 reclaimed; /* [a] */

static void reclaim_done(struct rcu_head *h)
{
	struct reclaim *r = container_of(h, struct reclaim, head);

	WRITE_ONCE(r->done, true);
	__atomic_fetch_add(&reclaimed, 1, __ATOMIC_SEQ_CST);
}

int stage_rcu_callbacks(struct stage *s)
{
	static struct reclaim r[4000];

	reclaimed = 0;
	memset(r, 0, sizeof(r));
	for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
		call_rcu(&r[i].head, reclaim_done);
	STAGE_CHECK_EQ(s, test_wait_u32(&reclaimed, ARRAY_SIZE(r), 2000), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
		STAGE_CHECK(s, r[i].done);
	return 0;
}

/* A reader that started before the call keeps its callback away. */
struct reader {
	struct reclaim object;
	u32 reading, finished;
	bool early;
};

static void read_for_long(void *arg, unsigned i)
{
	struct reader *r = arg;
	u64 end;

	(void)i;
	rcu_read_lock();
	WRITE_ONCE(r->reading, 1);
	end = time_monotonic_ns() + 30 * NSEC_PER_MSEC;
	while (time_monotonic_ns() < end)
		if (READ_ONCE(r->object.done))
			r->early = true;
	WRITE_ONCE(r->finished, 1);
	rcu_read_unlock();
}

int stage_rcu_waits_for_reader(struct stage *s)
{
	static struct reader r;
	static struct team team;

	memset(&r, 0, sizeof(r));
	reclaimed = 0;
	STAGE_CHECK_EQ(s, team_create(&team, 1, test_nth_cpu(1), read_for_long, &r), 0);
	team_start(&team);
	STAGE_CHECK_EQ(s, test_wait_u32(&r.reading, 1, 1000), 0);
	call_rcu(&r.object.head, reclaim_done);
	STAGE_CHECK_EQ(s, test_wait_u32(&reclaimed, 1, 2000), 0);
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	STAGE_CHECK(s, !r.early);
	return 0;
}

int stage_rcu_synchronize(struct stage *s)
{
	static struct reader r;
	static struct team team;
	u64 start;

	memset(&r, 0, sizeof(r));
	STAGE_CHECK_EQ(s, team_create(&team, 1, test_nth_cpu(1), read_for_long, &r), 0);
	team_start(&team);
	STAGE_CHECK_EQ(s, test_wait_u32(&r.reading, 1, 1000), 0);
	synchronize_rcu();
	STAGE_CHECK_EQ(s, READ_ONCE(r.finished), 1);
	STAGE_CHECK_EQ(s, team_wait(&team, 1000), 0);
	start = time_monotonic_ns();
	synchronize_rcu(); /* nobody reads: soon over */
	STAGE_CHECK(s, time_monotonic_ns() - start < 500 * NSEC_PER_MSEC);
	return 0;
}

int stage_idle_time(struct stage *s)
{
	u64 idle = 0, start = time_monotonic_ns(), took;
	unsigned cpu = test_nth_cpu(0);

	idle = sched_idle_ns(cpu);
	test_sleep_ms(60);
	took = time_monotonic_ns() - start;
	idle = sched_idle_ns(cpu) - idle;
	STAGE_CHECK(s, idle > 20 * NSEC_PER_MSEC && idle <= took + NSEC_PER_MSEC);
	return 0;
}

int stage_load_average(struct stage *s)
{
	u64 avg[3];

	sched_load_avg(avg);
	for (unsigned i = 0; i < 3; i++)
		STAGE_CHECK(s, avg[i] < 100ull << 11);
	STAGE_CHECK(s, sched_nr_running() >= 1);
	STAGE_CHECK(s, sched_switches() > 0);
	return 0;
}

static u64 log_end(void)
{
	char skip[256];
	u64 pos = 0;

	while (klog_read(&pos, skip, sizeof(skip)))
		continue;
	return pos;
}

/* How often text is in the kernel log, in the 4 KiB from a position on. */
static unsigned count_in_log(u64 from, const char *text)
{
	static char log[4096];
	unsigned n = 0;

	log[klog_read(&from, log, sizeof(log) - 1)] = '\0';
	for (const char *at = log; (at = strstr(at, text)); at++)
		n++;
	return n;
}

/* Lines put with interrupts off reach the log whole and in order; what is too much is counted. */
int stage_log_later(struct stage *s)
{
	static const char fmt[] = "stage log_later: %s-%lu (%s) %ld";
	u64 end = arch_clock_ns() + NSEC_PER_SEC, from;
	irqflags_t flags;

	log_later_flush();
	from = log_end();
	flags = arch_irq_save();
	for (unsigned i = 0; i < LATER_LINES + 3; i++)
		log_later(LOG_DEBUG, fmt, "needle", i, "fifteen letters and more", -7);
	STAGE_CHECK_EQ(s, count_in_log(from, "stage log_later: needle-"), 0);
	arch_irq_restore(flags);
	while (!count_in_log(from, "log: 3 lines from hot paths were lost") &&
	       arch_clock_ns() < end)
		sched_yield();
	STAGE_CHECK_EQ(s, count_in_log(from, "stage log_later: needle-"), LATER_LINES);
	STAGE_CHECK_EQ(s, count_in_log(from, "stage log_later: needle-0 (fifteen letters) -7"), 1);
	STAGE_CHECK_EQ(s, count_in_log(from, "stage log_later: needle-15 (fifteen letters) -7"), 1);
	STAGE_CHECK_EQ(s, count_in_log(from, "log: 3 lines from hot paths were lost"), 1);
	return 0;
}
