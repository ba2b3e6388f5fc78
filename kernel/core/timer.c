/*
 * One-shot timers: per CPU a red-black tree by deadline with the leftmost node remembered.
 *
 * The hardware is programmed only when the leftmost deadline becomes earlier than what it is set to;
 * cancelling the first timer leaves the hardware as it is: the interrupt that then comes early finds
 * nothing due and sets the next deadline.
 *
 * A timer belongs to the queue of CPU t->base, whose lock protects all its fields, also while it is not
 * queued. Arming moves it to this CPU's queue, unless its callback is running elsewhere just now.
 *
 * Locks: queue->lock (RANK_TIMER), interrupts off; dropped around callbacks.
 */
#include <core/irq.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/inject.h>
#include <debug/panic.h>
#include <debug/trace.h>

struct timer_queue {
	struct spinlock lock;
	struct rb_root_cached tree; /* [x] lock */
	u64 armed_ns; /* [x] what the hardware is set to */
	struct ktimer *running; /* [x] its callback is being called here */
	bool ready; /* [o] the hardware can be used */
};

static struct timer_queue queues[MAX_CPUS] __aligned(64) = {
	[0 ... MAX_CPUS - 1] = { .lock = SPINLOCK_INIT("timers", RANK_TIMER),
				 .armed_ns = TIME_NEVER },
};

static bool earlier(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct ktimer, node)->deadline_ns <
	       rb_entry(b, struct ktimer, node)->deadline_ns;
}

void ktimer_init(struct ktimer *t, void (*fn)(struct ktimer *))
{
	t->fn = fn;
	t->cpu = -1;
	t->base = (s16)this_cpu();
	t->deadline_ns = TIME_NEVER;
}

/* Locks the queue t belongs to; interrupts off. */
static struct timer_queue *lock_base(struct ktimer *t)
{
	for (;;) {
		s16 base = READ_ONCE(t->base);
		struct timer_queue *q = &queues[base];

		spin_lock(&q->lock);
		if (likely(t->base == base))
			return q;
		spin_unlock(&q->lock);
	}
}

/* Queue locked. */
static void dequeue(struct timer_queue *q, struct ktimer *t)
{
	rb_erase_cached(&t->node, &q->tree);
	WRITE_ONCE(t->cpu, -1);
}

/* This CPU's queue, locked. */
static void program(struct timer_queue *q, u64 deadline_ns)
{
	u64 early_ns = INJECT("timer_early") ? min_t(u64, deadline_ns, 2 * NSEC_PER_MSEC) : 0;

	q->armed_ns = deadline_ns;
	if (likely(q->ready))
		arch_timer_arm(deadline_ns - early_ns);
}

void ktimer_arm(struct ktimer *t, u64 deadline_ns)
{
	irqflags_t flags = arch_irq_save();
	s16 me = (s16)this_cpu();
	struct timer_queue *q = lock_base(t);

	if (t->cpu >= 0)
		dequeue(q, t);
	if (unlikely(t->base != me) && q->running != t) {
		WRITE_ONCE(t->base, me);
		spin_unlock(&q->lock);
		q = lock_base(t);
		if (t->cpu >= 0) /* somebody else armed it meanwhile */
			dequeue(q, t);
	}
	t->deadline_ns = deadline_ns;
	WRITE_ONCE(t->cpu, t->base);
	if (rb_add_cached(&t->node, &q->tree, earlier) && deadline_ns < q->armed_ns) {
		if (likely(t->base == me))
			program(q, deadline_ns);
		/* else: its callback runs over there, and the queue looks again after it */
	}
	spin_unlock(&q->lock);
	arch_irq_restore(flags);
}

bool ktimer_cancel(struct ktimer *t)
{
	irqflags_t flags;
	struct timer_queue *q;
	bool queued;

	flags = arch_irq_save();
	q = lock_base(t);
	queued = t->cpu >= 0;
	if (queued)
		dequeue(q, t);
	spin_unlock(&q->lock);
	arch_irq_restore(flags);
	return queued;
}

bool ktimer_cancel_sync(struct ktimer *t)
{
	bool queued = false;

	for (;;) {
		irqflags_t flags = arch_irq_save();
		struct timer_queue *q = lock_base(t);
		bool running = q->running == t;

		if (t->cpu >= 0) {
			dequeue(q, t);
			queued = true;
		}
		spin_unlock(&q->lock);
		arch_irq_restore(flags);
		if (likely(!running))
			return queued;
		cpu_relax();
	}
}

u64 ktimer_next(void)
{
	irqflags_t flags = arch_irq_save();
	struct timer_queue *q = &queues[this_cpu()];
	struct rb_node *n;
	u64 next;

	spin_lock(&q->lock);
	n = rb_first_cached(&q->tree);
	next = n ? rb_entry(n, struct ktimer, node)->deadline_ns : TIME_NEVER;
	spin_unlock(&q->lock);
	arch_irq_restore(flags);
	return next;
}

/* Calls t's function with the queue's lock dropped; t may be re-armed by it, or freed. */
static void call(struct timer_queue *q, struct ktimer *t)
{
	void (*fn)(struct ktimer *) = t->fn;

	q->running = t;
	spin_unlock(&q->lock);
	fn(t);
	spin_lock(&q->lock);
	q->running = NULL;
}

void timer_dispatch(void)
{
	struct timer_queue *q = &queues[this_cpu()];
	u64 early_ns = INJECT("timer_early") ? 2 * NSEC_PER_MSEC : 0;
	u64 now = arch_clock_ns() + early_ns;
	struct rb_node *n;

	rcu_irq_enter();
	if (INJECT("timer_lost"))
		return;
	spin_lock(&q->lock);
	while ((n = rb_first_cached(&q->tree))) {
		struct ktimer *t = rb_entry(n, struct ktimer, node);

		if (t->deadline_ns > now) {
			now = arch_clock_ns() + early_ns;
			if (t->deadline_ns > now)
				break;
		}
		dequeue(q, t);
		TRACE(timer, t->deadline_ns, now - t->deadline_ns);
		call(q, t);
	}
	if (n)
		program(q, rb_entry(n, struct ktimer, node)->deadline_ns);
	else
		q->armed_ns = TIME_NEVER;
	spin_unlock(&q->lock);
}

void time_init_cpu(void)
{
	irqflags_t flags = arch_irq_save();
	struct timer_queue *q = &queues[this_cpu()];
	struct rb_node *n;

	spin_lock(&q->lock);
	q->ready = true;
	n = rb_first_cached(&q->tree);
	if (n)
		program(q, rb_entry(n, struct ktimer, node)->deadline_ns);
	spin_unlock(&q->lock);
	arch_irq_restore(flags);
}
