/*
 * Byte ring of a power-of-two size. One producer and one consumer may use it at the same time without a
 * lock; with more of either, each side needs its own. Positions run freely and wrap at 2^32.
 */
#pragma once
#include <lib/string.h>
#include <lib/types.h>

struct ring {
	u8 *buf; /* [I] */
	u32 size; /* [I] power of two, at most 2^31 */
	u32 head; /* [a] written by the producer: next to fill */
	u32 tail; /* [a] written by the consumer: next to take */
};

static inline void ring_init(struct ring *r, void *buf, u32 size)
{
	r->buf = buf;
	r->size = size;
	r->head = 0;
	r->tail = 0;
}
static inline u32 ring_used(const struct ring *r)
{
	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
}
static inline u32 ring_space(const struct ring *r)
{
	return r->size - ring_used(r);
}
static inline bool ring_empty(const struct ring *r)
{
	return ring_used(r) == 0;
}

/* Producer: appends what fits of n bytes; how many. */
static inline u32 ring_put(struct ring *r, const void *data, u32 n)
{
	u32 at = r->head & (r->size - 1);
	u32 space = ring_space(r), first;

	n = min(n, space);
	first = min(n, r->size - at);
	memcpy(r->buf + at, data, first);
	memcpy(r->buf, (const u8 *)data + first, n - first);
	__atomic_store_n(&r->head, r->head + n, __ATOMIC_RELEASE);
	return n;
}
static inline bool ring_put_byte(struct ring *r, u8 c)
{
	if (!ring_space(r))
		return false;
	r->buf[r->head & (r->size - 1)] = c;
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
	return true;
}
/* Consumer: copies up to n bytes from `skip` bytes behind the tail, taking none. */
static inline u32 ring_peek_at(const struct ring *r, u32 skip, void *data, u32 n)
{
	u32 used = ring_used(r), at = (r->tail + skip) & (r->size - 1), first;

	if (skip >= used)
		return 0;
	n = min(n, used - skip);
	first = min(n, r->size - at);
	memcpy(data, r->buf + at, first);
	memcpy((u8 *)data + first, r->buf, n - first);
	return n;
}
static inline u32 ring_peek(const struct ring *r, void *data, u32 n)
{
	return ring_peek_at(r, 0, data, n);
}
/* Consumer: drops n bytes, at most ring_used(). */
static inline void ring_skip(struct ring *r, u32 n)
{
	__atomic_store_n(&r->tail, r->tail + n, __ATOMIC_RELEASE);
}
/* Consumer: takes up to n bytes; how many. */
static inline u32 ring_get(struct ring *r, void *data, u32 n)
{
	n = ring_peek(r, data, n);
	ring_skip(r, n);
	return n;
}
/* Consumer: the bytes that lie in one piece, for use in place before ring_skip(). */
static inline u32 ring_span(const struct ring *r, u8 **out)
{
	u32 at = r->tail & (r->size - 1);

	*out = r->buf + at;
	return min(ring_used(r), r->size - at);
}
/* Producer: the free bytes that lie in one piece; ring_commit() after filling. */
static inline u32 ring_free_span(const struct ring *r, u8 **out)
{
	u32 at = r->head & (r->size - 1);

	*out = r->buf + at;
	return min(ring_space(r), r->size - at);
}
static inline void ring_commit(struct ring *r, u32 n)
{
	__atomic_store_n(&r->head, r->head + n, __ATOMIC_RELEASE);
}
