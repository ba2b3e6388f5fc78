/*
 * Deferred work: a list and a kernel thread for each CPU.
 *
 * Work runs on the CPU that queued it, in order, with interrupts on, and may sleep (what is behind it
 * waits then). `queued` is cleared before the function runs, so that it may be queued again meanwhile.
 *
 * Locks: worker->lock (RANK_RCU), interrupts off.
 */
#include "sched.h"
#include <debug/inject.h>
#include <debug/later.h>
#include <debug/panic.h>
#include <sched/waitq.h>
#include <sched/work.h>

struct worker {
	struct spinlock lock;
	struct list list; /* [x] lock */
	struct work *running; /* [a] compared only: it may be gone */
	struct waitq wake;
} __aligned(64);

static struct worker workers[MAX_CPUS];
static struct waitq work_done = WAITQ_INIT(work_done);

void work_init(struct work *w, void (*fn)(struct work *))
{
	w->fn = fn;
	w->queued = false;
}

bool work_queue(struct work *w)
{
	struct worker *worker;
	irqflags_t flags;

	if (__atomic_exchange_n(&w->queued, true, __ATOMIC_SEQ_CST))
		return false;
	preempt_disable();
	flags = arch_irq_save();
	worker = &workers[this_cpu()];
	spin_lock(&worker->lock);
	if (INJECT("work_lifo"))
		list_add(&w->link, &worker->list);
	else
		list_add_tail(&w->link, &worker->list);
	spin_unlock(&worker->lock);
	waitq_wake_one(&worker->wake, 0);
	arch_irq_restore(flags);
	preempt_enable();
	return true;
}

/* Before `queued` goes down, `running` is up: a flusher sees one of them until the function returned. */
static struct work *take(struct worker *worker)
{
	irqflags_t flags = spin_lock_irqsave(&worker->lock);
	struct work *w = list_first_entry_or_null(&worker->list, struct work, link);

	if (w) {
		list_del(&w->link);
		__atomic_store_n(&worker->running, w, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->queued, false, __ATOMIC_SEQ_CST);
	}
	spin_unlock_irqrestore(&worker->lock, flags);
	return w;
}

static void worker_main(void *arg)
{
	struct worker *worker = arg;
	struct work *w;

	for (;;) {
		while ((w = take(worker))) {
			w->fn(w);
			smp_store_release(&worker->running, NULL);
			waitq_wake_all(&work_done, 0);
			sched_point();
		}
		waitq_wait(&worker->wake, !list_empty(&worker->list), SLEEP_UNINTERRUPTIBLE,
			   TIME_NEVER);
	}
}

static bool busy(struct work *w)
{
	if (__atomic_load_n(&w->queued, __ATOMIC_SEQ_CST))
		return true;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		if (__atomic_load_n(&workers[cpu].running, __ATOMIC_SEQ_CST) == w)
			return true;
	return false;
}

void work_flush(struct work *w)
{
	waitq_wait(&work_done, !busy(w), SLEEP_UNINTERRUPTIBLE, TIME_NEVER);
}

static struct work later_work;

static void later_flush(struct work *w)
{
	(void)w;
	log_later_flush();
}

static void later_wake(void)
{
	work_queue(&later_work);
}

void work_start_cpu(unsigned cpu)
{
	struct worker *worker = &workers[cpu];
	char name[] = "work/0";
	struct thread *t;

	spin_init(&worker->lock, "work", RANK_RCU);
	list_init(&worker->list);
	waitq_init(&worker->wake);
	name[5] = (char)('0' + cpu);
	if (kthread_create(&t, name, worker_main, worker))
		panic("no memory for the work thread of cpu %u", cpu);
	t->affinity = BIT(cpu);
	t->cpu = cpu;
	thread_start(t);
	if (!cpu) {
		work_init(&later_work, later_flush);
		log_later_init(later_wake);
	}
}
