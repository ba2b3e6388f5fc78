/*
 * Hardware randomness: the CPU's RNDR, where it has it; and the seed that firmware left in the device tree,
 * each byte of which is given out once. Locks: none; the seed's place is taken atomically. Manual: Arm ARM,
 * D17.2.114; the device tree's /chosen/rng-seed.
 */
#include <arch/cpu.h>
#include <asm/cpu.h>
#include <lib/string.h>
#include "random.h"

static u8 seed[64]; /* [I] after boot_init(), but for wiping */
static size_t seed_size; /* [I] */
static size_t seed_used; /* [a] */

void random_seed(void *data, size_t n)
{
	seed_size = min(n, sizeof(seed));
	memcpy(seed, data, seed_size);
	memset(data, 0, n);
}

static bool random_word(u64 *out)
{
	u32 ok = 0;

	for (unsigned i = 0; i < 10 && !ok; i++)
		asm volatile("mrs %0, s3_3_c2_c4_0\n\tcset %w1, ne"
			     : "=r"(*out), "=r"(ok)
			     :
			     : "cc");
	return ok;
}

static size_t take_seed(u8 *buf, size_t n)
{
	size_t at = __atomic_fetch_add(&seed_used, n, __ATOMIC_RELAXED);

	if (at >= seed_size)
		return 0;
	n = min(n, seed_size - at);
	memcpy(buf, seed + at, n);
	memset(seed + at, 0, n);
	return n;
}

size_t arch_random(void *buf, size_t n)
{
	size_t done = 0;
	u64 word;

	if (!cpu_has(CPUF_RNDR))
		return take_seed(buf, n);
	while (done < n && random_word(&word)) {
		size_t part = min(n - done, sizeof(word));

		memcpy((char *)buf + done, &word, part);
		done += part;
	}
	return done;
}
