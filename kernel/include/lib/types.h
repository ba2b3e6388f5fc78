/*
 * Basic types, attributes and small macros, included by everything. Freestanding; also compiles in
 * programs of the host (tests), which bring pid_t and friends themselves.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <sys/types.h>
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

typedef u64 paddr_t; /* physical address */
typedef unsigned long vaddr_t; /* kernel virtual address */
typedef unsigned long uptr_t; /* user virtual address: never dereferenced */

#if !__STDC_HOSTED__
typedef long ssize_t;
typedef s64 loff_t;
typedef s64 off_t;
typedef s32 pid_t;
typedef u32 uid_t;
typedef u32 gid_t;
typedef u32 mode_t;
typedef u64 dev_t;
typedef u64 ino_t;
typedef s64 time_t;
#endif

/* Attributes. glibc defines one or two of these for itself. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#undef __noinline
#define __noinline __attribute__((noinline))
#define __must_check __attribute__((warn_unused_result))
#define __noreturn __attribute__((noreturn))
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __section(s) __attribute__((section(s)))
#define __used __attribute__((used))
#define __unused __attribute__((unused))
#define __weak __attribute__((weak))
#define __cold __attribute__((cold))
#define __pure __attribute__((pure))
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define fallthrough __attribute__((fallthrough))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")

/* One access of the size of x, neither torn nor repeated nor left out. Scalars only. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)                                                                           \
	do {                                                                                       \
		*(volatile __typeof__(x) *)&(x) = (v);                                             \
	} while (0)

#define BUILD_ASSERT(cond) _Static_assert(cond, #cond)
/* 0; an error of the compiler when cond is false. An expression. */
#define BUILD_ZERO(cond)                                                                           \
	(0 * sizeof(struct {                                                                       \
		 _Static_assert(cond, #cond);                                                      \
		 int dummy_;                                                                       \
	 }))

#define SAME_TYPE(a, b) __builtin_types_compatible_p(__typeof__(a), __typeof__(b))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]) + BUILD_ZERO(!SAME_TYPE(a, &(a)[0])))
#define container_of(ptr, type, member)                                                            \
	((type *)((uintptr_t)(ptr)-offsetof(type, member) +                                        \
		  BUILD_ZERO(SAME_TYPE(*(ptr), ((type *)0)->member) || SAME_TYPE(*(ptr), void))))

#define BIT(n) (1ul << (n))

/* a: a power of two. The result has x's type. */
#define ALIGN_DOWN(x, a) ((__typeof__(x))((u64)(x) & ~((u64)(a)-1)))
#define ALIGN_UP(x, a) ((__typeof__(x))(((u64)(x) + (u64)(a)-1) & ~((u64)(a)-1)))
#define IS_ALIGNED(x, a) (((u64)(x) & ((u64)(a)-1)) == 0)
#define div_round_up(n, d) (((n) + (d)-1) / (d))

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)

/*
 * min, max: each argument is evaluated once. Mixing signed and unsigned is an error of the compiler,
 * except for a constant that is not negative; min_t and max_t convert first.
 */
#define IS_CONSTEXPR(x) (sizeof(int) == sizeof(*(8 ? ((void *)((long)(x)*0l)) : (int *)8)))
#define IS_SIGNED_(x) (((__typeof__(x))-1) < (__typeof__(x))1)
#define NONNEG_CONST_(x) (__builtin_choose_expr(IS_CONSTEXPR(x), (long long)(x), -1ll) >= 0)
#define MINMAX_OK_(a, b) (IS_SIGNED_(a) == IS_SIGNED_(b) || NONNEG_CONST_(a) || NONNEG_CONST_(b))
#define MINMAX_(a, b, op, ta, tb, id)                                                              \
	({                                                                                         \
		ta CONCAT(x_, id) = (ta)(a);                                                       \
		tb CONCAT(y_, id) = (tb)(b);                                                       \
		CONCAT(x_, id) op CONCAT(y_, id) ? CONCAT(x_, id) : CONCAT(y_, id);                \
	})
#define MINMAX_SAFE_(a, b, op, id)                                                                 \
	({                                                                                         \
		_Static_assert(MINMAX_OK_(a, b), "min/max of signed and unsigned: use min_t");     \
		MINMAX_(a, b, op, __typeof__((a) + (b)), __typeof__((a) + (b)), id);               \
	})
#define min_t(t, a, b) MINMAX_(a, b, <, t, t, __COUNTER__)
#define max_t(t, a, b) MINMAX_(a, b, >, t, t, __COUNTER__)
#ifndef __cplusplus
#undef min
#undef max
#define min(a, b) MINMAX_SAFE_(a, b, <, __COUNTER__)
#define max(a, b) MINMAX_SAFE_(a, b, >, __COUNTER__)
#define clamp(v, lo, hi) min(max(v, lo), hi)
#endif
/* For constants: usable in array sizes. */
#undef MIN
#undef MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static __always_inline bool is_pow2(u64 x)
{
	return x && !(x & (x - 1));
}

/* Position of the highest bit set. x must not be 0. */
static __always_inline unsigned ilog2(u64 x)
{
	return 63 - (unsigned)__builtin_clzll(x);
}

/* Smallest n with 2^n >= x; 0 for x of 0 and 1. */
static __always_inline unsigned ilog2_up(u64 x)
{
	return x <= 1 ? 0 : ilog2(x - 1) + 1;
}

/* Smallest power of two >= x; 1 for 0. x at most 2^63. */
static __always_inline u64 pow2_up(u64 x)
{
	return 1ull << ilog2_up(x);
}

/* Called by lib/ when a caller broke its contract (a reference count below zero...). debug/ overrides
 * the weak default, which traps. */
__noreturn void lib_bug(const char *what);
