/* Stages of timers: they fire, not early, in order, and not after they were cancelled. */
#include "team.h"
#include <arch/debug.h>
#include <core/preempt.h>
#include <core/time.h>
#include <debug/symbols.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <stages_gen.h>

struct probe {
	struct ktimer timer;
	u64 fired_ns; /* 0: not yet */
	u32 calls, order;
	bool irq, locked;
};

static u32 fired_count; /* [a] */

static void probe_fired(struct ktimer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	p->fired_ns = time_monotonic_ns();
	p->irq = in_irq();
	p->locked = !arch_irqs_enabled();
	p->calls++;
	p->order = __atomic_add_fetch(&fired_count, 1, __ATOMIC_SEQ_CST);
}

static void probe_init(struct probe *p)
{
	*p = (struct probe){ 0 };
	ktimer_init(&p->timer, probe_fired);
}

/* Busy, since the scheduler may not be trusted yet. */
static bool spin_until(const u32 *word, u32 value, unsigned ms)
{
	u64 end = time_monotonic_ns() + ms * NSEC_PER_MSEC;

	while (READ_ONCE(*word) < value)
		if (time_monotonic_ns() > end)
			return false;
	return true;
}

int stage_timer_not_early(struct stage *s)
{
	static struct probe p;

	for (unsigned i = 0; i < 5; i++) {
		u64 deadline = time_monotonic_ns() + (i + 1) * NSEC_PER_MSEC;

		probe_init(&p);
		ktimer_arm(&p.timer, deadline);
		STAGE_CHECK(s, ktimer_pending(&p.timer) || READ_ONCE(p.calls));
		STAGE_CHECK(s, spin_until(&p.calls, 1, 500));
		STAGE_CHECK(s, p.fired_ns >= deadline);
		STAGE_CHECK(s, !ktimer_pending(&p.timer));
	}
	return 0;
}

int stage_timer_in_interrupt(struct stage *s)
{
	static struct probe p;

	probe_init(&p);
	ktimer_arm(&p.timer, time_monotonic_ns() + NSEC_PER_MSEC);
	STAGE_CHECK(s, spin_until(&p.calls, 1, 500));
	STAGE_CHECK(s, p.irq && p.locked);
	STAGE_CHECK(s, !in_irq() && preempt_depth() == 0);
	return 0;
}

static uintptr_t interrupted_pcs[16];
static u32 interrupted_count; /* [a] */

static void keep_backtrace(struct ktimer *t)
{
	unsigned n =
		arch_backtrace(arch_current_fp(), interrupted_pcs, ARRAY_SIZE(interrupted_pcs));

	(void)t;
	__atomic_store_n(&interrupted_count, n, __ATOMIC_RELEASE);
}

/* Calls nothing: its place is in the interrupt's registers alone. */
static __noinline u64 spin_alone(const u32 *word)
{
	u64 spins = 0;

	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE) && spins < 1ull << 32)
		spins++;
	return spins;
}

int stage_backtrace_interrupted(struct stage *s)
{
	static struct ktimer timer;
	bool found = false;
	size_t offset;

	interrupted_count = 0;
	ktimer_init(&timer, keep_backtrace);
	ktimer_arm(&timer, time_monotonic_ns() + NSEC_PER_MSEC);
	spin_alone(&interrupted_count);
	STAGE_CHECK(s, interrupted_count > 2);
	for (unsigned i = 0; i < interrupted_count; i++) {
		const char *name = symbol_find(interrupted_pcs[i], &offset);

		found |= name && strstr(name, "spin_alone"); /* or a copy of it for one argument */
	}
	STAGE_CHECK(s, found);
	return 0;
}

int stage_timer_past_deadline(struct stage *s)
{
	static struct probe p;

	probe_init(&p);
	ktimer_arm(&p.timer, 1);
	STAGE_CHECK(s, spin_until(&p.calls, 1, 500));
	return 0;
}

int stage_timer_order(struct stage *s)
{
	static struct probe p[8];
	static const u8 place[8] = { 3, 7, 0, 5, 1, 6, 4, 2 };
	irqflags_t flags;
	u64 base;

	fired_count = 0;
	flags = arch_irq_save(); /* however long the host stops us: all are armed before one fires */
	base = time_monotonic_ns() + 2 * NSEC_PER_MSEC;
	for (unsigned i = 0; i < 8; i++) {
		probe_init(&p[i]);
		ktimer_arm(&p[i].timer, base + place[i] * (NSEC_PER_MSEC / 4));
	}
	arch_irq_restore(flags);
	STAGE_CHECK(s, spin_until(&fired_count, 8, 500));
	for (unsigned i = 0; i < 8; i++)
		STAGE_CHECK_EQ(s, p[i].order, place[i] + 1);
	return 0;
}

int stage_timer_cancel(struct stage *s)
{
	static struct probe a, b;
	bool first, second;
	irqflags_t flags;

	probe_init(&a);
	probe_init(&b);
	flags = arch_irq_save();
	ktimer_arm(&a.timer, time_monotonic_ns() + 3 * NSEC_PER_MSEC);
	ktimer_arm(&b.timer, time_monotonic_ns() + 6 * NSEC_PER_MSEC);
	first = ktimer_cancel(&a.timer);
	second = ktimer_cancel(&a.timer);
	arch_irq_restore(flags);
	STAGE_CHECK(s, first && !second);
	STAGE_CHECK(s, spin_until(&b.calls, 1, 500));
	STAGE_CHECK_EQ(s, a.calls, 0);
	STAGE_CHECK(s, !ktimer_cancel_sync(&b.timer));
	return 0;
}

int stage_timer_move(struct stage *s)
{
	static struct probe a, b;
	irqflags_t flags = arch_irq_save();
	u64 now = time_monotonic_ns();

	probe_init(&a);
	probe_init(&b);
	/* From late to early, and from early to late. */
	ktimer_arm(&a.timer, now + 10 * NSEC_PER_SEC);
	ktimer_arm(&a.timer, now + 2 * NSEC_PER_MSEC);
	ktimer_arm(&b.timer, now + 2 * NSEC_PER_MSEC);
	ktimer_arm(&b.timer, now + 20 * NSEC_PER_MSEC);
	arch_irq_restore(flags);
	STAGE_CHECK(s, spin_until(&a.calls, 1, 500));
	STAGE_CHECK(s, spin_until(&b.calls, 1, 500));
	STAGE_CHECK_EQ(s, a.calls, 1);
	STAGE_CHECK_EQ(s, b.calls, 1);
	STAGE_CHECK(s, b.fired_ns >= now + 20 * NSEC_PER_MSEC);
	return 0;
}

struct periodic {
	struct ktimer timer;
	u32 calls;
	u64 first_ns, last_ns;
};

static void periodic_fired(struct ktimer *t)
{
	struct periodic *p = container_of(t, struct periodic, timer);

	p->last_ns = time_monotonic_ns();
	if (!p->calls)
		p->first_ns = p->last_ns;
	if (++p->calls < 6)
		ktimer_arm(t, t->deadline_ns + 2 * NSEC_PER_MSEC);
}

int stage_timer_periodic(struct stage *s)
{
	static struct periodic p;

	p = (struct periodic){ 0 };
	ktimer_init(&p.timer, periodic_fired);
	ktimer_arm(&p.timer, time_monotonic_ns() + 2 * NSEC_PER_MSEC);
	STAGE_CHECK(s, spin_until(&p.calls, 6, 1000));
	STAGE_CHECK(s, p.last_ns - p.first_ns < 500 * NSEC_PER_MSEC);
	STAGE_CHECK(s, !ktimer_cancel_sync(&p.timer));
	return 0;
}

#define MANY 1000
static struct probe many[MANY];

int stage_timer_random_1000(struct stage *s)
{
	u64 seed = 0x2545f4914f6cdd1dull, early = 0, cancelled = 0;
	u64 now = time_monotonic_ns();

	fired_count = 0;
	for (unsigned i = 0; i < MANY; i++) {
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		probe_init(&many[i]);
		ktimer_arm(&many[i].timer, now + 20 * NSEC_PER_MSEC + seed % (30 * NSEC_PER_MSEC));
	}
	for (unsigned i = 0; i < MANY; i += 10)
		cancelled += ktimer_cancel_sync(&many[i].timer);
	STAGE_CHECK(s, spin_until(&fired_count, (u32)(MANY - cancelled), 2000));
	for (unsigned i = 0; i < MANY; i++)
		if (many[i].calls && many[i].fired_ns < many[i].timer.deadline_ns)
			early++;
	STAGE_CHECK_EQ(s, early, 0);
	STAGE_CHECK_EQ(s, fired_count, MANY - cancelled);
	return 0;
}
