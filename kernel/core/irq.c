/*
 * Device interrupts by line, and calls to other CPUs.
 *
 * A line has a chain of actions, changed under irq_lock and walked without a lock by dispatch: a new one
 * is published complete; a removed one keeps its next pointer, and its slot is used again only after
 * every other CPU has answered a call (so has left its handlers).
 *
 * smp_call(): a slot for each pair (target, caller), since a caller has one call under way at most. The
 * caller fills its slots, sets its bit in the target's mask, interrupts it when the mask was empty, and
 * spins with interrupts on (so that it answers the others' calls meanwhile).
 *
 * Locks: irq_lock (RANK_IRQ) for the chains.
 */
#include <arch/cpu.h>
#include <core/irq.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <debug/inject.h>
#include <debug/later.h>
#include <debug/panic.h>
#include <debug/trace.h>
#include <lib/errno.h>

#define NR_ACTIONS 64
#define STUCK_LIMIT 100000u

struct irq_action {
	irq_handler_t handler; /* NULL: free slot */
	void *arg;
	const char *name;
	struct irq_action *next;
};

struct irq_line {
	struct irq_action *actions; /* [x] irq_lock to change; read without */
	u64 count; /* [a] */
	u32 unhandled; /* in a row; by dispatch alone */
};

static struct irq_line lines[NR_IRQS];
static struct irq_action actions[NR_ACTIONS]; /* [x] irq_lock */
static struct spinlock irq_lock = SPINLOCK_INIT("irq", RANK_IRQ);

int irq_request(unsigned irq, irq_handler_t handler, void *arg, const char *name)
{
	struct irq_action *a = NULL;
	irqflags_t flags;

	if (irq >= NR_IRQS || !handler)
		return -EINVAL;
	flags = spin_lock_irqsave(&irq_lock);
	for (unsigned i = 0; i < NR_ACTIONS && !a; i++)
		if (!actions[i].handler)
			a = &actions[i];
	if (!a) {
		spin_unlock_irqrestore(&irq_lock, flags);
		return -ENOMEM;
	}
	a->handler = handler;
	a->arg = arg;
	a->name = name;
	a->next = lines[irq].actions;
	__atomic_store_n(&lines[irq].actions, a, __ATOMIC_RELEASE);
	if (!a->next)
		arch_irq_unmask(irq);
	spin_unlock_irqrestore(&irq_lock, flags);
	return 0;
}

static void do_nothing(void *arg)
{
	(void)arg;
}

void irq_free(unsigned irq, void *arg)
{
	struct irq_action **link, *a;
	irqflags_t flags;

	if (irq >= NR_IRQS)
		return;
	flags = spin_lock_irqsave(&irq_lock);
	for (link = &lines[irq].actions; *link && (*link)->arg != arg;)
		link = &(*link)->next;
	a = *link;
	if (a)
		__atomic_store_n(link, a->next, __ATOMIC_RELEASE);
	if (!lines[irq].actions)
		arch_irq_mask(irq);
	spin_unlock_irqrestore(&irq_lock, flags);
	if (!a)
		return;
	smp_call(~0ul, do_nothing, NULL);
	WRITE_ONCE(a->handler, NULL);
}

u64 irq_count(unsigned irq)
{
	return irq < NR_IRQS ? READ_ONCE(lines[irq].count) : 0;
}

const char *irq_name(unsigned irq)
{
	struct irq_action *a = irq < NR_IRQS ? READ_ONCE(lines[irq].actions) : NULL;

	return a ? a->name : NULL;
}

static __cold __noinline void irq_unhandled(unsigned irq)
{
	if (++lines[irq].unhandled < STUCK_LIMIT)
		return;
	arch_irq_mask(irq);
	lines[irq].unhandled = 0;
	log_later(LOG_ERR, "%s %lu: nobody handles it%s; masked after %ld in a row", "irq", irq, "",
		  STUCK_LIMIT);
}

void irq_dispatch(unsigned irq)
{
	struct irq_line *line = &lines[irq];
	bool handled = false;

	rcu_irq_enter();
	TRACE(irq, irq);
	__atomic_fetch_add(&line->count, 1, __ATOMIC_RELAXED);
	for (struct irq_action *a = __atomic_load_n(&line->actions, __ATOMIC_ACQUIRE); a;
	     a = READ_ONCE(a->next)) {
		handled |= a->handler(irq, a->arg);
		if (INJECT("irq_first_only"))
			break;
	}
	if (likely(handled))
		line->unhandled = 0;
	else
		irq_unhandled(irq);
}

struct call_slot {
	void (*fn)(void *);
	void *arg;
	bool pending; /* [a] set by the caller, cleared by the target when fn has returned */
};

static struct call_slot call_slots[MAX_CPUS][MAX_CPUS] __aligned(64); /* [target][caller] */
static unsigned long call_mask[MAX_CPUS]; /* [a] callers with a call for the target */

void smp_call(unsigned long cpumask, void (*fn)(void *), void *arg)
{
	unsigned long targets;
	unsigned me;

	ASSERT(!in_irq());
	preempt_disable();
	me = this_cpu();
	targets = cpumask & READ_ONCE(cpu_online_mask) & ~(1ul << me);
	ASSERT(!targets || arch_irqs_enabled());
	if (INJECT("smp_call_self"))
		fn(arg);
	for (unsigned long m = targets; m; m &= m - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(m);
		struct call_slot *s = &call_slots[cpu][me];

		s->fn = fn;
		s->arg = arg;
		__atomic_store_n(&s->pending, true, __ATOMIC_RELEASE);
		if (!__atomic_fetch_or(&call_mask[cpu], 1ul << me, __ATOMIC_SEQ_CST))
			arch_ipi_send(cpu, IPI_CALL);
	}
	for (unsigned long m = targets; m; m &= m - 1) {
		struct call_slot *s = &call_slots[__builtin_ctzl(m)][me];

		while (__atomic_load_n(&s->pending, __ATOMIC_ACQUIRE))
			cpu_relax();
	}
	preempt_enable();
}

static void run_calls(unsigned me)
{
	unsigned long m = __atomic_exchange_n(&call_mask[me], 0, __ATOMIC_SEQ_CST);

	for (; m; m &= m - 1) {
		struct call_slot *s = &call_slots[me][__builtin_ctzl(m)];

		s->fn(s->arg);
		__atomic_store_n(&s->pending, false, __ATOMIC_RELEASE);
	}
}

void ipi_dispatch(enum ipi_kind kind)
{
	rcu_irq_enter();
	TRACE(ipi, kind);
	switch (kind) {
	case IPI_RESCHEDULE: sched_resched_ipi(); break;
	case IPI_CALL: run_calls(this_cpu()); break;
	default: arch_cpu_halt();
	}
}
