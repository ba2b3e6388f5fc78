/*
 * Ways for the kernel to die, to see that each is reported with its cause: `crash_test=WAY` on the command line
 * does it when everything has been started. For tests of the tools, and for trying them.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/time.h>
#include <core/irq.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <debug/param.h>
#include <init/run.h>
#include <lib/string.h>
#include <sched/thread.h>

static struct spinlock lock_a = SPINLOCK_INIT("crash_test_a", RANK_NONE);
static struct spinlock lock_b = SPINLOCK_INIT("crash_test_b", RANK_NONE);
static volatile int steps; /* [a] */

static void die_null(void)
{
	volatile int *nowhere = (volatile int *)(uintptr_t)READ_ONCE(steps);

	nowhere[2] = 1;
}

static void die_text(void)
{
	*(volatile u32 *)(uintptr_t)crash_test_run = 0;
}

static unsigned deeper(unsigned n)
{
	volatile u8 room[256] = { 0 };

	room[n % sizeof(room)] = (u8)n;
	return READ_ONCE(steps) < 0 ? n : deeper(n + 1) + room[0];
}

static void die_stack(void)
{
	log_info("crash_test: %u", deeper(1));
}

static void wait_for_step(int step)
{
	while (READ_ONCE(steps) < step)
		cpu_relax();
}

static void other_order(void *unused)
{
	(void)unused;
	spin_lock(&lock_b);
	WRITE_ONCE(steps, 1);
	wait_for_step(2);
	spin_lock(&lock_a);
}

/* Two CPUs, two locks, in either order; with one CPU the same lock twice. */
static void die_deadlock(void)
{
	spin_lock(&lock_a);
	if (nr_cpus_online > 1) {
		spin_unlock(&lock_a);
		if (kthread_run(NULL, "crash_test", other_order, NULL))
			return;
		wait_for_step(1);
		spin_lock(&lock_a);
		WRITE_ONCE(steps, 2);
		spin_lock(&lock_b);
	}
	spin_lock(&lock_a);
}

/* Interrupts off for ever; another CPU's watchdog sees it. */
static void die_hang(void)
{
	arch_irq_disable();
	for (;;)
		cpu_relax();
}

/* Never lets the thread run that was woken on this CPU. */
static void nothing(void *unused)
{
	(void)unused;
}
static void die_hog(void)
{
	struct thread *t;

	preempt_disable();
	if (kthread_create(&t, "crash_test", nothing, NULL))
		return;
	sched_set_affinity(t, BIT(this_cpu()));
	thread_start(t);
	for (;;)
		cpu_relax();
}

static void die_bug(void)
{
	BUG_ON(READ_ONCE(steps) == 0);
}

static const struct {
	const char *name;
	void (*die)(void);
} ways[] = {
	{ "null", die_null },         { "text", die_text },         { "stack", die_stack },
	{ "double", arch_bad_stack }, { "deadlock", die_deadlock }, { "hang", die_hang },
	{ "hog", die_hog },           { "bug", die_bug },
};
static int chosen = -1; /* [I] after the command line was parsed */

static int set_crash_test(const char *value)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++)
		if (!strcmp(ways[i].name, value))
			chosen = (int)i;
	return chosen < 0 ? -1 : 0;
}
KPARAM(crash_test, set_crash_test);

void crash_test_run(void)
{
	if (chosen < 0)
		return;
	log_warn("crash_test: %s", ways[chosen].name);
	ways[chosen].die();
	log_err("crash_test: %s did not end the kernel", ways[chosen].name);
}
