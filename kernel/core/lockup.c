/*
 * Deadlocks of spinlocks: found by those who wait.
 *
 * A lock holds the number of its CPU, and each CPU says what it spins for. So a waiter can follow the chain: the
 * lock's holder, what that one waits for, and who holds that. When the chain comes back to where it began nobody
 * of it will ever go on. Time is added up in small steps, so that a machine that was stopped for a while does
 * not look as if a lock had been held all the time.
 */
#include <arch/time.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/event.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <debug/symbols.h>
#include <lib/format.h>

#define STEP_NS (100 * NSEC_PER_MSEC) /* no more is counted at once */
#define SELF_NS (20 * NSEC_PER_MSEC)
#define CYCLE_NS (500 * NSEC_PER_MSEC)
#define HELD_NS (10 * NSEC_PER_SEC)

DEFINE_PER_CPU(u8, spin_token) = 1;
DEFINE_PER_CPU(struct spin_wait, spin_waiting) = { NULL, 0 };

static const char *lock_name(const struct spinlock *l)
{
#ifdef CONFIG_DEBUG
	return l->name;
#else
	(void)l;
	return "";
#endif
}

/* "spinlock NAME 0x…, wanted at function+0x12" */
static void describe(char *buf, size_t size, const struct spinlock *l, uintptr_t from)
{
	char sym[96];
	const char *name = lock_name(l);

	scnprintf(buf, size, "spinlock %s%s0x%lx, wanted at %s", name, *name ? " " : "",
		  (unsigned long)(uintptr_t)l, symbol_format(from, sym, sizeof(sym)));
}

/* The CPUs that wait for each other, me first: how many, or 0 when somebody in the chain does not wait. */
static unsigned find_cycle(const struct spinlock *l, unsigned *cpus)
{
	unsigned n = 0;

	cpus[n++] = this_cpu();
	while (n <= MAX_CPUS) {
		int owner = spin_owner(l);

		if (owner < 0 || owner >= MAX_CPUS)
			return 0;
		if ((unsigned)owner == cpus[0])
			return n;
		if (n == MAX_CPUS)
			return 0;
		cpus[n++] = (unsigned)owner;
		l = READ_ONCE(per_cpu_ptr((unsigned)owner, spin_waiting)->lock);
		if (!l)
			return 0;
	}
	return 0;
}

static void report_cycle(const struct spinlock *l, uintptr_t from, const unsigned *cpus, unsigned n)
{
	const struct spin_wait *other;
	char first[160], second[160];

	describe(first, sizeof(first), l, from);
	if (n == 1)
		panic("deadlock: cpu %u waits for a lock that it holds itself: %s", cpus[0], first);
	other = per_cpu_ptr(cpus[1], spin_waiting);
	describe(second, sizeof(second), other->lock, other->from);
	panic("deadlock: cpu %u waits for cpu %u (%s), which waits for cpu %u (%s)", cpus[0],
	      cpus[1], first, n == 2 ? cpus[0] : cpus[2], second);
}

void spin_look(struct spinlock *l, struct spin_patience *p)
{
	const struct spin_wait *me = this_cpu_ptr(spin_waiting);
	u64 now = arch_clock_ns();
	unsigned cpus[MAX_CPUS], n;
	char text[160];

	if (panic_in_progress())
		return;
	if (p->last_ns)
		p->waited_ns += min_t(u64, now - p->last_ns, STEP_NS);
	p->last_ns = now;
	n = p->waited_ns >= SELF_NS ? find_cycle(l, cpus) : 0;
	if (n && (n == 1 || p->waited_ns >= CYCLE_NS))
		report_cycle(l, me->from, cpus, n);
	if (p->waited_ns < HELD_NS)
		return;
	describe(text, sizeof(text), l, me->from);
	panic("deadlock: cpu %u has waited 10 s for a lock that cpu %d holds: %s", this_cpu(),
	      spin_owner(l), text);
}

/* --- in the report of a panic --- */

static void report_held(struct event *e, unsigned cpu)
{
#ifdef CONFIG_DEBUG
	const struct spinlock *l;
	char sym[96], line[160];

	event_list_begin(e, "held");
	for (unsigned i = 0; (l = spin_held(cpu, i)); i++) {
		scnprintf(line, sizeof(line), "%s 0x%lx taken at %s", l->name,
			  (unsigned long)(uintptr_t)l,
			  symbol_format(l->taken_at, sym, sizeof(sym)));
		klog(LOG_EMERG, "cpu %u holds spinlock %s", cpu, line);
		event_item_str(e, line);
	}
	event_list_end(e);
#else
	(void)e, (void)cpu;
#endif
}

static void report_cpu(struct event *e, unsigned cpu)
{
	const struct spin_wait *w = per_cpu_ptr(cpu, spin_waiting);
	char text[160], sym[96], of[16];

	scnprintf(of, sizeof(of), "cpu %u", cpu);
	event_begin(e, "panic_locks");
	event_str(e, "of", of);
	if (w->lock && spin_is_locked(w->lock)) {
		describe(text, sizeof(text), w->lock, w->from);
		klog(LOG_EMERG, "cpu %u waits for %s; cpu %d holds it", cpu, text,
		     spin_owner(w->lock));
		event_hex(e, "waits_for", (uintptr_t)w->lock);
		event_str(e, "name", lock_name(w->lock));
		event_str(e, "from", symbol_format(w->from, sym, sizeof(sym)));
		event_s64(e, "held_by", spin_owner(w->lock));
	}
	report_held(e, cpu);
	event_end(e);
}

static void report_locks(struct event *e)
{
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		if (cpu == 0 || percpu_offset[cpu])
			report_cpu(e, cpu);
}

void lockup_init(void)
{
	panic_section_register(report_locks);
}
