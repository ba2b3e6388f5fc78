/* Bitmaps (lib/bitmap.h). */
#include <lib/bitmap.h>

/* The first bit at or after from that differs from `invert`'s: words are XORed with it. */
static __always_inline size_t find_next(const unsigned long *map, size_t nbits, size_t from,
					unsigned long invert)
{
	size_t word = from / 64;
	unsigned long v;

	if (from >= nbits)
		return nbits;
	v = (map[word] ^ invert) & (~0ul << (from % 64));
	while (!v) {
		if (++word * 64 >= nbits)
			return nbits;
		v = map[word] ^ invert;
	}
	from = word * 64 + (size_t)__builtin_ctzl(v);
	return from < nbits ? from : nbits;
}

size_t bitmap_find_next(const unsigned long *map, size_t nbits, size_t from)
{
	return find_next(map, nbits, from, 0);
}

size_t bitmap_find_next_zero(const unsigned long *map, size_t nbits, size_t from)
{
	return find_next(map, nbits, from, ~0ul);
}

size_t bitmap_find_zero_run(const unsigned long *map, size_t nbits, size_t from, size_t count)
{
	while ((from = bitmap_find_next_zero(map, nbits, from)) < nbits) {
		size_t end;

		if (nbits - from < count)
			break;
		end = bitmap_find_next(map, from + count, from);
		if (end == from + count)
			return from;
		from = end + 1;
	}
	return nbits;
}

void bitmap_set_range(unsigned long *map, size_t from, size_t count)
{
	while (count) {
		size_t n = min(count, 64 - from % 64);

		map[from / 64] |= (~0ul >> (64 - n)) << (from % 64);
		from += n;
		count -= n;
	}
}

void bitmap_clear_range(unsigned long *map, size_t from, size_t count)
{
	while (count) {
		size_t n = min(count, 64 - from % 64);

		map[from / 64] &= ~((~0ul >> (64 - n)) << (from % 64));
		from += n;
		count -= n;
	}
}

/* Bits in a word, by halves: the builtin would call a helper that the kernel does not have. */
static inline unsigned weight(u64 v)
{
	v -= (v >> 1) & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + ((v >> 2) & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (unsigned)((v * 0x0101010101010101ull) >> 56);
}

size_t bitmap_weight(const unsigned long *map, size_t nbits)
{
	size_t total = 0;

	for (size_t i = 0; i < nbits / 64; i++)
		total += weight(map[i]);
	if (nbits % 64)
		total += weight(map[nbits / 64] & ~(~0ul << (nbits % 64)));
	return total;
}
