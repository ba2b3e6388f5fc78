/*
 * Spinlocks: the contended path, and the checks of debug builds. Deadlocks are found in lockup.c.
 *
 * A contended taker reads the lock until it looks free and only then tries again, so that waiting does
 * not move the cache line. Debug builds keep, per CPU, a stack of the locks held: taking a lock whose
 * rank is not above those held is reported (ranks of locks held by the interrupted code do not count in
 * an interrupt handler), taking one's own lock and freeing a stranger's are fatal.
 *
 * Locks: none; the per-CPU stacks are used with preemption off by their own CPU.
 * Manual: none; docs/internals.
 */
#include <core/irq.h>
#include <core/spinlock.h>
#include <debug/klog.h>
#include <debug/panic.h>

void spin_init(struct spinlock *l, const char *name, enum lock_rank rank)
{
	l->locked = 0;
#ifdef CONFIG_DEBUG
	l->rank = rank;
	l->owner_cpu = -1;
	l->name = name;
	l->taken_at = 0;
#else
	(void)name, (void)rank;
#endif
}

void spin_lock_slow(struct spinlock *l)
{
	struct spin_wait *w = this_cpu_ptr(spin_waiting), outer = *w;
	struct spin_patience p = { 0 };
	unsigned spins = 0;

	/* An interrupt handler may wait while what it interrupted does. */
	*w = (struct spin_wait){ l, (uintptr_t)__builtin_return_address(0) };
	do {
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED)) {
			cpu_relax();
			if (unlikely(++spins % 4096 == 0))
				spin_look(l, &p);
		}
	} while (!spin_take(l));
	*w = outer;
}

#ifdef CONFIG_DEBUG

#define HELD_MAX 24

struct held_locks {
	unsigned depth;
	struct {
		struct spinlock *lock;
		bool irq; /* taken in an interrupt handler */
	} e[HELD_MAX];
};

static DEFINE_PER_CPU(struct held_locks, held_locks);

u32 spin_violations; /* [a] rank violations seen since boot */
bool spin_violation_expected; /* a test provokes one: count, do not report */
static bool checks_off; /* after a fatal one: the report itself takes locks */

static void violation(const struct spinlock *l, const struct spinlock *held)
{
	__atomic_fetch_add(&spin_violations, 1, __ATOMIC_RELAXED);
	if (spin_violation_expected || checks_off)
		return;
	if (spin_violations > 8)
		return;
	checks_off = true;
	log_err("lock order: taking %s (rank %u) while holding %s (rank %u, taken at 0x%lx)",
		l->name, l->rank, held->name, held->rank, (unsigned long)held->taken_at);
	warn_report(__FILE__, __LINE__, "lock rank inversion");
	checks_off = false;
}

void spin_debug_acquire(struct spinlock *l, bool nested)
{
	struct held_locks *h = this_cpu_ptr(held_locks);
	bool irq = in_irq();

	if (checks_off)
		return;
	if (l->locked && l->owner_cpu == (s16)this_cpu()) {
		checks_off = true;
		panic("spinlock %s taken twice by cpu %u (first at 0x%lx)", l->name, this_cpu(),
		      (unsigned long)l->taken_at);
	}
	if (l->rank == RANK_NONE)
		return;
	for (unsigned i = h->depth; i-- > 0;) {
		const struct spinlock *held = h->e[i].lock;

		if (irq && !h->e[i].irq)
			break;
		if (held->rank > l->rank || (held->rank == l->rank && !nested)) {
			violation(l, held);
			break;
		}
	}
}

void spin_debug_acquired(struct spinlock *l)
{
	struct held_locks *h = this_cpu_ptr(held_locks);

	l->owner_cpu = (s16)this_cpu();
	l->taken_at = (uintptr_t)__builtin_return_address(0);
	if (h->depth < HELD_MAX) {
		h->e[h->depth].lock = l;
		h->e[h->depth].irq = in_irq();
	}
	h->depth++;
}

void spin_debug_release(struct spinlock *l)
{
	struct held_locks *h = this_cpu_ptr(held_locks);
	unsigned i = h->depth < HELD_MAX ? h->depth : HELD_MAX;

	if (unlikely(!checks_off && (!l->locked || l->owner_cpu != (s16)this_cpu()))) {
		checks_off = true;
		panic("spinlock %s released by cpu %u, but cpu %d holds it", l->name, this_cpu(),
		      l->locked ? l->owner_cpu : -1);
	}
	l->owner_cpu = -1;
	while (i-- > 0) {
		if (h->e[i].lock != l)
			continue;
		for (; i + 1 < h->depth && i + 1 < HELD_MAX; i++)
			h->e[i] = h->e[i + 1];
		break;
	}
	if (h->depth)
		h->depth--;
}

void spin_debug_assert_held(const struct spinlock *l)
{
	if (!checks_off && (!l->locked || l->owner_cpu != (s16)this_cpu()))
		panic("spinlock %s should be held by cpu %u", l->name, this_cpu());
}

/* Of any CPU, for reports: the i-th lock it holds, NULL past the last. */
const struct spinlock *spin_held(unsigned cpu, unsigned i)
{
	const struct held_locks *h = per_cpu_ptr(cpu, held_locks);

	return i < min(READ_ONCE(h->depth), (unsigned)HELD_MAX) ? h->e[i].lock : NULL;
}

#endif
