/*
 * Read-copy-update: callbacks and quiescent states.
 *
 * Grace periods are numbers. Starting one raises rcu_gp; a CPU that passes a quiescent state copies
 * rcu_gp to its own rcu_seen (one compare when nothing has started since). The period is over when every
 * online CPU has seen it or idles. An idle CPU stops counting as idle at its first interrupt, which
 * rcu_irq_enter() in each dispatch sees to.
 *
 * call_rcu() pushes on a per-CPU list; the first one on an empty list arms a timer that wakes the thread
 * of sched/rcu_thread.c a few milliseconds later, so that callbacks share grace periods and threads.
 *
 * Locks: per-CPU cbs->lock (RANK_RCU), interrupts off.
 */
#include <arch/irq.h>
#include <core/irq.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/inject.h>
#include <lib/atomic.h>

#define BATCH_DELAY_NS (3 * NSEC_PER_MSEC)
#define BATCH_MANY 2000u /* this many do not wait for the timer */

struct rcu_callbacks {
	struct spinlock lock;
	struct rcu_head *first, **tail; /* [x] lock; tail NULL: list never used */
	unsigned count; /* [x] lock */
	struct ktimer timer;
} __aligned(64);

static u64 rcu_gp; /* [a] number of the last grace period begun */
static DEFINE_PER_CPU(u64, rcu_seen); /* [a] written by its CPU */
DEFINE_PER_CPU(u8, rcu_cpu_idle); /* [a] written by its CPU */
static struct rcu_callbacks callbacks[MAX_CPUS] = {
	[0 ... MAX_CPUS - 1] = { .lock = SPINLOCK_INIT("rcu", RANK_RCU) },
};
static void (*wake_thread)(void); /* [I] after rcu_init */

void rcu_quiescent(void)
{
	u64 gp = smp_load_acquire(&rcu_gp);

	/* Release: what readers did here comes before; acquire: later ones see what the updater did. */
	if (this_cpu_read(rcu_seen) != gp)
		smp_store_release(this_cpu_ptr(rcu_seen), gp);
}

void rcu_idle_enter(void)
{
	rcu_quiescent();
	smp_store_release(this_cpu_ptr(rcu_cpu_idle), 1);
}

void rcu_idle_exit(void)
{
	this_cpu_write(rcu_cpu_idle, 0);
	smp_mb(); /* whoever still saw us idle is seen by the readers that follow */
}

u64 rcu_gp_begin(void)
{
	return __atomic_add_fetch(&rcu_gp, 1, __ATOMIC_SEQ_CST);
}

unsigned long rcu_gp_pending(u64 gp)
{
	unsigned long pending = 0;

	if (INJECT("rcu_no_wait"))
		return 0;
	smp_mb();
	for (unsigned long m = READ_ONCE(cpu_online_mask); m; m &= m - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(m);

		if (smp_load_acquire(per_cpu_ptr(cpu, rcu_seen)) < gp &&
		    !__atomic_load_n(per_cpu_ptr(cpu, rcu_cpu_idle), __ATOMIC_SEQ_CST))
			pending |= 1ul << cpu;
	}
	return pending;
}

static void batch_timer(struct ktimer *t)
{
	(void)t;
	if (wake_thread)
		wake_thread();
}

void call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
	irqflags_t flags = arch_irq_save();
	struct rcu_callbacks *c = &callbacks[this_cpu()];
	unsigned count;

	head->next = NULL;
	head->fn = fn;
	spin_lock(&c->lock);
	if (unlikely(!c->tail)) {
		c->tail = &c->first;
		ktimer_init(&c->timer, batch_timer);
	}
	*c->tail = head;
	c->tail = &head->next;
	count = ++c->count;
	spin_unlock(&c->lock);
	if (unlikely(count == 1))
		ktimer_arm(&c->timer, arch_clock_ns() + BATCH_DELAY_NS);
	else if (unlikely(count == BATCH_MANY))
		ktimer_arm(&c->timer, 0);
	arch_irq_restore(flags);
}

struct rcu_head *rcu_take_callbacks(void)
{
	struct rcu_head *all = NULL, **tail = &all;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct rcu_callbacks *c = &callbacks[cpu];
		irqflags_t flags;

		if (!READ_ONCE(c->first))
			continue;
		flags = spin_lock_irqsave(&c->lock);
		if (c->first) {
			*tail = c->first;
			tail = c->tail;
			c->first = NULL;
			c->tail = &c->first;
			c->count = 0;
		}
		spin_unlock_irqrestore(&c->lock, flags);
	}
	return all;
}

void rcu_init(void (*wake)(void))
{
	wake_thread = wake;
}
