/*
 * Hashes for tables in memory: fast, not against an adversary who can choose keys at leisure (callers
 * with such keys mix in a random seed). The string hash runs along while a path component is copied.
 */
#pragma once
#include <lib/types.h>

#define HASH_MUL 0x9e3779b97f4a7c15ull /* 2^64 / golden ratio */

/* bits (1..32) well-mixed bits of v. */
static __always_inline u32 hash_u64(u64 v, unsigned bits)
{
	return (u32)((v * HASH_MUL) >> (64 - bits));
}
static __always_inline u32 hash_ptr(const void *p, unsigned bits)
{
	return hash_u64((u64)(uintptr_t)p, bits);
}
/* One word from two, for keys of several parts. */
static __always_inline u64 hash_mix(u64 a, u64 b)
{
	u64 h = (a ^ (b + HASH_MUL + (a << 6) + (a >> 2))) * HASH_MUL;

	return h ^ (h >> 32);
}

/* h = hash_init(seed); for each byte h = hash_step(h, c); then hash_end(h). */
static __always_inline u64 hash_init(u64 seed)
{
	return seed;
}
static __always_inline u64 hash_step(u64 h, u8 c)
{
	return (h + c) * HASH_MUL;
}
static __always_inline u32 hash_end(u64 h)
{
	return (u32)(h >> 32) ^ (u32)h;
}
static inline u32 hash_bytes(u64 seed, const void *data, size_t n)
{
	const u8 *p = data;
	u64 h = hash_init(seed);

	while (n--)
		h = hash_step(h, *p++);
	return hash_end(h);
}
