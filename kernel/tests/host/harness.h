/*
 * A tiny harness: HTEST(name) { ... } defines a test; harness.c runs them all. A failed CHECK prints its
 * place and ends that test. Randomness comes from h_rand(), whose seed is printed and can be given (SEED=N).
 */
#pragma once
#include <lib/types.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

struct htest {
	const char *name;
	void (*fn)(void);
	struct htest *next;
};
void h_register(struct htest *t);
__noreturn __printf(3, 4) void h_fail(const char *file, int line, const char *fmt, ...);
u64 h_rand(void);
/* 0 <= result < n */
static inline u64 h_below(u64 n)
{
	return h_rand() % n;
}

#define HTEST(tname)                                                                               \
	static void tname(void);                                                                   \
	static struct htest test_##tname = { #tname, tname, NULL };                                \
	__attribute__((constructor)) static void register_##tname(void)                            \
	{                                                                                          \
		h_register(&test_##tname);                                                         \
	}                                                                                          \
	static void tname(void)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			h_fail(__FILE__, __LINE__, "%s", #cond);                                   \
	} while (0)
#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ != b_)                                                                      \
			h_fail(__FILE__, __LINE__,                                                 \
			       "%s is %lld (0x%llx), expected %s: %lld (0x%llx)", #a, a_, (u64)a_, \
			       #b, b_, (u64)b_);                                                   \
	} while (0)
#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *a_ = (a), *b_ = (b);                                                   \
		if (strcmp(a_, b_) != 0)                                                           \
			h_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #a, a_, b_);   \
	} while (0)
