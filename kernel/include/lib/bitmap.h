/*
 * Bitmaps: arrays of unsigned long, bit n in word n / 64. Not atomic: lib/atomic.h has the bits that are.
 * The find functions return nbits when there is none; words are read past no more than nbits.
 */
#pragma once
#include <lib/types.h>

#define BITMAP_WORDS(nbits) (((nbits) + 63) / 64)
#define DECLARE_BITMAP(name, nbits) unsigned long name[BITMAP_WORDS(nbits)]

static __always_inline bool bitmap_test(const unsigned long *map, size_t n)
{
	return map[n / 64] & BIT(n % 64);
}
static __always_inline void bitmap_set(unsigned long *map, size_t n)
{
	map[n / 64] |= BIT(n % 64);
}
static __always_inline void bitmap_clear(unsigned long *map, size_t n)
{
	map[n / 64] &= ~BIT(n % 64);
}

/* The first bit that is set (clear) at or after `from`. */
size_t bitmap_find_next(const unsigned long *map, size_t nbits, size_t from);
size_t bitmap_find_next_zero(const unsigned long *map, size_t nbits, size_t from);
static inline size_t bitmap_find_first(const unsigned long *map, size_t nbits)
{
	return bitmap_find_next(map, nbits, 0);
}
static inline size_t bitmap_find_first_zero(const unsigned long *map, size_t nbits)
{
	return bitmap_find_next_zero(map, nbits, 0);
}
/* The first run of `count` clear bits at or after `from`; count > 0. */
size_t bitmap_find_zero_run(const unsigned long *map, size_t nbits, size_t from, size_t count);

void bitmap_set_range(unsigned long *map, size_t from, size_t count);
void bitmap_clear_range(unsigned long *map, size_t from, size_t count);
/* How many are set below nbits. */
size_t bitmap_weight(const unsigned long *map, size_t nbits);

#define bitmap_for_each(n, map, nbits)                                                             \
	for ((n) = bitmap_find_next((map), (nbits), 0); (n) < (nbits);                             \
	     (n) = bitmap_find_next((map), (nbits), (n) + 1))
