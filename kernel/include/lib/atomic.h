/*
 * Atomic counters, bits and reference counts, thin over the compiler's builtins. What returns a value is
 * sequentially consistent; what does not (inc, dec, read, set) is relaxed, as are plain loads and stores.
 */
#pragma once
#include <lib/types.h>

#define smp_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

struct atomic {
	int v;
};
struct atomic64 {
	s64 v;
};

#define ATOMIC_INIT(n)                                                                             \
	{                                                                                          \
		(n)                                                                                \
	}

/* One set of functions for each width; `prefix`_cmpxchg returns what was there. */
#define DEFINE_ATOMIC_(prefix, stype, type)                                                        \
	static __always_inline type prefix##_read(const struct stype *a)                           \
	{                                                                                          \
		return __atomic_load_n(&a->v, __ATOMIC_RELAXED);                                   \
	}                                                                                          \
	static __always_inline void prefix##_set(struct stype *a, type n)                          \
	{                                                                                          \
		__atomic_store_n(&a->v, n, __ATOMIC_RELAXED);                                      \
	}                                                                                          \
	static __always_inline void prefix##_add(struct stype *a, type n)                          \
	{                                                                                          \
		__atomic_fetch_add(&a->v, n, __ATOMIC_RELAXED);                                    \
	}                                                                                          \
	static __always_inline void prefix##_sub(struct stype *a, type n)                          \
	{                                                                                          \
		__atomic_fetch_sub(&a->v, n, __ATOMIC_RELAXED);                                    \
	}                                                                                          \
	static __always_inline void prefix##_inc(struct stype *a)                                  \
	{                                                                                          \
		__atomic_fetch_add(&a->v, 1, __ATOMIC_RELAXED);                                    \
	}                                                                                          \
	static __always_inline void prefix##_dec(struct stype *a)                                  \
	{                                                                                          \
		__atomic_fetch_sub(&a->v, 1, __ATOMIC_RELAXED);                                    \
	}                                                                                          \
	static __always_inline type prefix##_add_return(struct stype *a, type n)                   \
	{                                                                                          \
		return __atomic_add_fetch(&a->v, n, __ATOMIC_SEQ_CST);                             \
	}                                                                                          \
	static __always_inline type prefix##_sub_return(struct stype *a, type n)                   \
	{                                                                                          \
		return __atomic_sub_fetch(&a->v, n, __ATOMIC_SEQ_CST);                             \
	}                                                                                          \
	static __always_inline type prefix##_inc_return(struct stype *a)                           \
	{                                                                                          \
		return __atomic_add_fetch(&a->v, 1, __ATOMIC_SEQ_CST);                             \
	}                                                                                          \
	static __always_inline type prefix##_dec_return(struct stype *a)                           \
	{                                                                                          \
		return __atomic_sub_fetch(&a->v, 1, __ATOMIC_SEQ_CST);                             \
	}                                                                                          \
	static __always_inline bool prefix##_dec_and_test(struct stype *a)                         \
	{                                                                                          \
		return __atomic_sub_fetch(&a->v, 1, __ATOMIC_SEQ_CST) == 0;                        \
	}                                                                                          \
	static __always_inline type prefix##_xchg(struct stype *a, type n)                         \
	{                                                                                          \
		return __atomic_exchange_n(&a->v, n, __ATOMIC_SEQ_CST);                            \
	}                                                                                          \
	static __always_inline type prefix##_cmpxchg(struct stype *a, type expect, type n)         \
	{                                                                                          \
		__atomic_compare_exchange_n(&a->v, &expect, n, false, __ATOMIC_SEQ_CST,            \
					    __ATOMIC_SEQ_CST);                                     \
		return expect;                                                                     \
	}

DEFINE_ATOMIC_(atomic, atomic, int)
DEFINE_ATOMIC_(atomic64, atomic64, s64)

/* Bit nr of an array of words. */
#define BITS_PER_LONG 64
static __always_inline void atomic_set_bit(unsigned long nr, unsigned long *words)
{
	__atomic_fetch_or(words + nr / BITS_PER_LONG, BIT(nr % BITS_PER_LONG), __ATOMIC_SEQ_CST);
}
static __always_inline void atomic_clear_bit(unsigned long nr, unsigned long *words)
{
	__atomic_fetch_and(words + nr / BITS_PER_LONG, ~BIT(nr % BITS_PER_LONG), __ATOMIC_SEQ_CST);
}
static __always_inline bool atomic_test_bit(unsigned long nr, const unsigned long *words)
{
	return __atomic_load_n(words + nr / BITS_PER_LONG, __ATOMIC_RELAXED) &
	       BIT(nr % BITS_PER_LONG);
}
/* The old value. */
static __always_inline bool atomic_test_and_set_bit(unsigned long nr, unsigned long *words)
{
	unsigned long bit = BIT(nr % BITS_PER_LONG);

	return __atomic_fetch_or(words + nr / BITS_PER_LONG, bit, __ATOMIC_SEQ_CST) & bit;
}
static __always_inline bool atomic_test_and_clear_bit(unsigned long nr, unsigned long *words)
{
	unsigned long bit = BIT(nr % BITS_PER_LONG);

	return __atomic_fetch_and(words + nr / BITS_PER_LONG, ~bit, __ATOMIC_SEQ_CST) & bit;
}

/*
 * Reference counts. 0 means dead: raising it from there, or lowering it below, is a bug and reported by
 * lib_bug(). refcount_inc_not_zero() is for lookups that race with the last put.
 */
struct refcount {
	int v;
};

#define REFCOUNT_INIT(n) ATOMIC_INIT(n)

static __always_inline void refcount_init(struct refcount *r, int n)
{
	__atomic_store_n(&r->v, n, __ATOMIC_RELAXED);
}
static __always_inline int refcount_read(const struct refcount *r)
{
	return __atomic_load_n(&r->v, __ATOMIC_RELAXED);
}
static __always_inline void refcount_add(struct refcount *r, int n)
{
	if (unlikely(__atomic_fetch_add(&r->v, n, __ATOMIC_RELAXED) <= 0))
		lib_bug("refcount: raised from zero");
}
static __always_inline void refcount_inc(struct refcount *r)
{
	refcount_add(r, 1);
}
/* False if it was 0 (the object is being freed). */
static __always_inline bool refcount_inc_not_zero(struct refcount *r)
{
	int old = __atomic_load_n(&r->v, __ATOMIC_RELAXED);

	do {
		if (old == 0)
			return false;
	} while (!__atomic_compare_exchange_n(&r->v, &old, old + 1, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}
/* True when this was the last one: the caller frees. */
static __always_inline __must_check bool refcount_dec_and_test(struct refcount *r)
{
	int old = __atomic_fetch_sub(&r->v, 1, __ATOMIC_ACQ_REL);

	if (unlikely(old <= 0))
		lib_bug("refcount: below zero");
	return old == 1;
}
