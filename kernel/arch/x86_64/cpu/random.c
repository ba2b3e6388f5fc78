/* Hardware randomness: RDSEED, then RDRAND, up to ten tries a word. Manual: Intel SDM 1, 7.3.17. */
#include <arch/cpu.h>
#include <asm/cpu.h>
#include <lib/string.h>

static bool random_word(u64 *out)
{
	bool ok = false;

	for (unsigned i = 0; i < 10 && !ok; i++) {
		if (cpu_has(CPUF_RDSEED))
			asm volatile("rdseed %0" : "=r"(*out), "=@ccc"(ok));
		if (!ok && cpu_has(CPUF_RDRAND))
			asm volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
	}
	return ok;
}

size_t arch_random(void *buf, size_t n)
{
	size_t done = 0;
	u64 word;

	while (done < n && random_word(&word)) {
		size_t part = min(n - done, sizeof(word));

		memcpy((char *)buf + done, &word, part);
		done += part;
	}
	return done;
}
