/*
 * Spinlocks: test-and-test-and-set (no ticket: a virtual CPU that lost its host core must not stall the
 * queue behind it). Taking one disables preemption. Locks that interrupt handlers take too use the
 * _irqsave forms everywhere. Debug builds (CONFIG_DEBUG) check owner, rank, unlock by another CPU, and
 * report a lock spun on for two seconds.
 */
#pragma once
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/percpu.h>
#include <core/lockrank.h>
#include <core/preempt.h>
#include <lib/types.h>

struct spinlock {
	u8 locked; /* 0, or spin_token of the CPU that holds it */
#ifdef CONFIG_DEBUG
	u8 rank; /* enum lock_rank */
	s16 owner_cpu; /* -1: free */
	const char *name;
	uintptr_t taken_at;
#endif
};

#ifdef CONFIG_DEBUG
#define SPINLOCK_INIT(lockname, lockrank)                                                          \
	{                                                                                          \
		.rank = (lockrank), .owner_cpu = -1, .name = (lockname)                            \
	}
extern u32 spin_violations; /* [a] rank violations since boot */
extern bool spin_violation_expected; /* tests: count one, do not report it */
void spin_debug_acquire(struct spinlock *l, bool nested); /* before: rank, recursion */
void spin_debug_acquired(struct spinlock *l);
void spin_debug_release(struct spinlock *l);
void spin_debug_assert_held(const struct spinlock *l);
const struct spinlock *spin_held(unsigned cpu, unsigned i); /* for reports; NULL past the last */
#else
#define SPINLOCK_INIT(lockname, lockrank)                                                          \
	{                                                                                          \
		0                                                                                  \
	}
static inline void spin_debug_acquire(struct spinlock *l, bool nested)
{
	(void)l, (void)nested;
}
static inline void spin_debug_acquired(struct spinlock *l)
{
	(void)l;
}
static inline void spin_debug_release(struct spinlock *l)
{
	(void)l;
}
static inline void spin_debug_assert_held(const struct spinlock *l)
{
	(void)l;
}
#endif

/* This CPU's number plus one: costs no more to store than another constant, and says who holds a lock. */
DECLARE_PER_CPU(u8, spin_token);

/* What a CPU spins for. */
struct spin_wait {
	struct spinlock *lock; /* [a] NULL: it does not */
	uintptr_t from; /* the code that wants it */
};
DECLARE_PER_CPU(struct spin_wait, spin_waiting);

/* The CPU that holds l, or -1. */
static inline int spin_owner(const struct spinlock *l)
{
	return __atomic_load_n(&l->locked, __ATOMIC_RELAXED) - 1;
}
/* Looks for a deadlock while l is waited for: panics when there is one. */
struct spin_patience {
	u64 last_ns, waited_ns;
};
void spin_look(struct spinlock *l, struct spin_patience *p);
void lockup_init(void); /* the locks in the report of a panic */

/* Makes *l a free lock. name is for reports. */
void spin_init(struct spinlock *l, const char *name, enum lock_rank rank);
void spin_lock_slow(struct spinlock *l); /* contended: spins, in core/spinlock.c */

/* Compares, so that who comes second leaves the holder's number alone. */
static __always_inline bool spin_take(struct spinlock *l)
{
	u8 unlocked = 0;

	return __atomic_compare_exchange_n(&l->locked, &unlocked, this_cpu_read(spin_token), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static __always_inline void spin_lock_raw(struct spinlock *l)
{
	if (unlikely(!spin_take(l)))
		spin_lock_slow(l);
}

static __always_inline void spin_lock(struct spinlock *l)
{
	preempt_disable();
	spin_debug_acquire(l, false);
	spin_lock_raw(l);
	spin_debug_acquired(l);
}

/* A second lock of the same rank; the caller orders them by address. */
static __always_inline void spin_lock_nested(struct spinlock *l)
{
	preempt_disable();
	spin_debug_acquire(l, true);
	spin_lock_raw(l);
	spin_debug_acquired(l);
}

static __always_inline bool spin_trylock(struct spinlock *l)
{
	preempt_disable();
	if (!spin_take(l)) {
		preempt_enable();
		return false;
	}
	spin_debug_acquired(l);
	return true;
}

static __always_inline void spin_unlock(struct spinlock *l)
{
	spin_debug_release(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	preempt_enable();
}

static __always_inline irqflags_t spin_lock_irqsave(struct spinlock *l)
{
	irqflags_t flags = arch_irq_save();

	spin_lock(l);
	return flags;
}

static __always_inline void spin_unlock_irqrestore(struct spinlock *l, irqflags_t flags)
{
	spin_debug_release(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	arch_irq_restore(flags);
	preempt_enable();
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return __atomic_load_n(&l->locked, __ATOMIC_RELAXED);
}

#define spin_assert_held(l) spin_debug_assert_held(l)
