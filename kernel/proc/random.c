/*
 * Random numbers for getrandom(2), /dev/urandom and address layout: ChaCha20 under a key that is replaced
 * by output of its own after each request, so that what was given out cannot be computed afterwards. The
 * key begins with the CPU's random numbers and what differs from boot to boot; hardware randomness is
 * mixed in again every few thousand requests.
 */
#include "internal.h"
#include <arch/cpu.h>
#include <core/time.h>
#include <dev/random.h>

#define KEY_WORDS 8
#define RESEED_EVERY 4096

static struct spinlock lock = SPINLOCK_INIT("random", RANK_PID);
static u32 key[KEY_WORDS]; /* [x] lock */
static u64 counter; /* [x] lock */

static u32 rotate(u32 v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void quarter(u32 *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

/* 64 bytes for key k and block number n. */
static void block(const u32 *k, u64 nonce, u32 n, u32 *out)
{
	u32 in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(in + 4, k, KEY_WORDS * sizeof(u32));
	in[12] = n;
	in[14] = (u32)nonce;
	in[15] = (u32)(nonce >> 32);
	memcpy(out, in, sizeof(in));
	for (unsigned round = 0; round < 10; round++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] += in[i];
}

/* Mixes hardware randomness and the clock into the key. Lock held. */
static void reseed(void)
{
	u32 fresh[KEY_WORDS] = { 0 }, out[16];
	u64 now = time_monotonic_ns();

	arch_random(fresh, sizeof(fresh));
	for (unsigned i = 0; i < KEY_WORDS; i++)
		key[i] ^= fresh[i];
	key[0] ^= (u32)now;
	key[1] ^= (u32)(now >> 32);
	block(key, ~0ull, 0, out);
	memcpy(key, out, sizeof(key));
}

void random_bytes(void *buf, size_t n)
{
	u32 k[KEY_WORDS], out[16];
	u64 nonce;
	u8 *to = buf;

	/* The first block gives the next key and up to 32 bytes; more come from a key of the request's own. */
	spin_lock(&lock);
	if (counter % RESEED_EVERY == 0)
		reseed();
	nonce = counter++;
	block(key, nonce, 0, out);
	memcpy(key, out, sizeof(key));
	spin_unlock(&lock);
	if (n <= sizeof(out) - sizeof(key)) {
		memcpy(to, out + KEY_WORDS, n);
		return;
	}
	memcpy(k, out + KEY_WORDS, sizeof(k));
	for (u32 i = 1; n; i++) {
		size_t part = min(n, sizeof(out));

		block(k, nonce, i, out);
		memcpy(to, out, part);
		to += part;
		n -= part;
	}
}

void random_init(void)
{
	dev_random_fill = random_bytes;
}
