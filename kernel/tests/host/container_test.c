/* Lists, bitmaps, rings, sorting, hashes, atomics and the macros of types.h. */
#include "harness.h"
#include <lib/atomic.h>
#include <lib/bitmap.h>
#include <lib/hash.h>
#include <lib/list.h>
#include <lib/ring.h>
#include <lib/sort.h>
#include <pthread.h>
#include <string.h>

HTEST(types_macros)
{
	u8 small = 200;
	size_t big = 5;
	unsigned long arr[MIN(3, 7)];
	int once = 0;

	CHECK_EQ(ARRAY_SIZE(arr), 3);
	CHECK_EQ(min(big, 7), 5);
	CHECK_EQ(max(-3, 4), 4);
	CHECK_EQ(max_t(int, small, -1), 200);
	CHECK_EQ(clamp(17, 0, 10), 10);
	CHECK_EQ(min(once++, 5), 0);
	CHECK_EQ(once, 1);
	CHECK_EQ(ALIGN_UP(4097ul, 4096), 8192);
	CHECK_EQ(ALIGN_DOWN(4097ul, 4096), 4096);
	CHECK(IS_ALIGNED(8192, 4096) && !IS_ALIGNED(8193, 2));
	CHECK_EQ(div_round_up(9, 4), 3);
	CHECK_EQ(ilog2(1), 0);
	CHECK_EQ(ilog2(4097), 12);
	CHECK_EQ(ilog2_up(4097), 13);
	CHECK_EQ(pow2_up(4096), 4096);
	CHECK(is_pow2(64) && !is_pow2(0) && !is_pow2(6));
}

struct item {
	int v;
	struct list link;
	struct hlist_node hnode;
};

static int sum_list(struct list *head)
{
	struct item *i;
	int n = 0;

	list_for_each_entry(i, head, link)
		n = n * 10 + i->v;
	return n;
}

HTEST(list_operations)
{
	struct item it[5] = { { .v = 1 }, { .v = 2 }, { .v = 3 }, { .v = 4 }, { .v = 5 } };
	DEFINE_LIST(a);
	DEFINE_LIST(b);
	struct item *p, *n;
	int back = 0;

	CHECK(list_empty(&a));
	list_add_tail(&it[0].link, &a);
	CHECK(list_is_singular(&a));
	list_add_tail(&it[1].link, &a);
	list_add(&it[2].link, &a);
	CHECK_EQ(sum_list(&a), 312);
	list_for_each_entry_reverse(p, &a, link) back = back * 10 + p->v;
	CHECK_EQ(back, 213);
	list_add_tail(&it[3].link, &b);
	list_add_tail(&it[4].link, &b);
	list_splice_tail_init(&b, &a);
	CHECK(list_empty(&b));
	CHECK_EQ(sum_list(&a), 31245);
	list_move_tail(&it[2].link, &b);
	list_splice_init(&b, &a);
	CHECK_EQ(sum_list(&a), 31245);
	list_for_each_entry_safe(p, n, &a, link) {
		if (p->v % 2)
			list_del(&p->link);
	}
	CHECK_EQ(sum_list(&a), 24);
	CHECK_EQ(list_first_entry(&a, struct item, link)->v, 2);
	CHECK_EQ(list_last_entry(&a, struct item, link)->v, 4);
	CHECK(it[0].link.next == LIST_POISON1);
}

HTEST(hlist_operations)
{
	struct item it[3] = { { .v = 1 }, { .v = 2 }, { .v = 3 } };
	struct hlist_head h = HLIST_INIT;
	struct hlist_node *n;
	struct item *p;
	int sum = 0;

	for (unsigned i = 0; i < 3; i++) {
		CHECK(hlist_unhashed(&it[i].hnode));
		hlist_add_head(&it[i].hnode, &h);
	}
	hlist_for_each_entry(p, &h, hnode) sum = sum * 10 + p->v;
	CHECK_EQ(sum, 321);
	hlist_for_each_entry_safe(p, n, &h, hnode)
	{
		if (p->v == 2)
			hlist_del_init(&p->hnode);
	}
	CHECK(hlist_unhashed(&it[1].hnode));
	sum = 0;
	hlist_for_each_entry(p, &h, hnode) sum = sum * 10 + p->v;
	CHECK_EQ(sum, 31);
	CHECK(p == NULL);
}

HTEST(bitmap_random)
{
	enum { BITS = 333 };
	DECLARE_BITMAP(map, BITS) = { 0 };
	bool model[BITS] = { 0 };

	for (int step = 0; step < 5000; step++) {
		size_t from = h_below(BITS), n = h_below(BITS - from + 1), i;
		size_t want_set = BITS, want_zero = BITS, weight = 0, run = h_below(20) + 1,
		       want_run = BITS;
		bool on = h_below(2);

		n = h_below(3) ? n % 9 : n;
		(on ? bitmap_set_range : bitmap_clear_range)(map, from, n);
		for (i = from; i < from + n; i++)
			model[i] = on;
		from = h_below(BITS + 10);
		for (i = BITS; i-- > 0;) {
			weight += model[i];
			CHECK_EQ(bitmap_test(map, i), model[i]);
			if (i >= from && model[i])
				want_set = i;
			if (i >= from && !model[i])
				want_zero = i;
		}
		CHECK_EQ(bitmap_weight(map, BITS), weight);
		CHECK_EQ(bitmap_find_next(map, BITS, from), want_set);
		CHECK_EQ(bitmap_find_next_zero(map, BITS, from), want_zero);
		for (i = from; i + run <= BITS && want_run == BITS; i++) {
			size_t k = 0;

			while (k < run && !model[i + k])
				k++;
			if (k == run)
				want_run = i;
		}
		CHECK_EQ(bitmap_find_zero_run(map, BITS, from, run), want_run);
	}
}

HTEST(ring_random)
{
	u8 buf[64], tmp[100], *span;
	struct ring r;
	u32 sent = 0, got = 0;

	ring_init(&r, buf, sizeof(buf));
	r.head = r.tail = ~0u - 100; /* across the wrap of the positions */
	for (int step = 0; step < 20000; step++) {
		u32 n = (u32)h_below(sizeof(tmp)), did;

		if (h_below(2)) {
			for (u32 i = 0; i < n; i++)
				tmp[i] = (u8)((sent + i) * 7);
			did = n == 1 ? ring_put_byte(&r, tmp[0]) : ring_put(&r, tmp, n);
			CHECK(did == n || ring_space(&r) == 0);
			sent += did;
		} else if (h_below(3) == 0) {
			did = ring_span(&r, &span);
			for (u32 i = 0; i < did; i++)
				CHECK_EQ(span[i], (u8)((got + i) * 7));
			ring_skip(&r, did);
			got += did;
		} else {
			did = ring_get(&r, tmp, n);
			CHECK(did == n || ring_empty(&r));
			for (u32 i = 0; i < did; i++)
				CHECK_EQ(tmp[i], (u8)((got + i) * 7));
			got += did;
		}
		CHECK_EQ(ring_used(&r), sent - got);
	}
}

static struct ring shared_ring;
static void *producer(void *arg)
{
	for (u32 i = 0; i < 200000;)
		i += ring_put_byte(&shared_ring, (u8)(i * 13));
	return arg;
}

HTEST(ring_two_threads)
{
	static u8 buf[256];
	pthread_t t;
	u8 c[16];

	ring_init(&shared_ring, buf, sizeof(buf));
	CHECK_EQ(pthread_create(&t, NULL, producer, NULL), 0);
	for (u32 i = 0; i < 200000;) {
		u32 n = ring_get(&shared_ring, c, sizeof(c));

		for (u32 k = 0; k < n; k++)
			CHECK_EQ(c[k], (u8)((i + k) * 13));
		i += n;
	}
	pthread_join(t, NULL);
}

static int cmp_u32(const void *a, const void *b)
{
	u32 x, y;

	__builtin_memcpy(&x, a, 4);
	__builtin_memcpy(&y, b, 4);
	return x < y ? -1 : x > y;
}

HTEST(sort_random)
{
	u32 a[200], b[200];

	for (int round = 0; round < 300; round++) {
		size_t n = h_below(ARRAY_SIZE(a) + 1);

		for (size_t i = 0; i < n; i++)
			a[i] = b[i] = (u32)h_below(round % 2 ? 10 : 1u << 31);
		sort(a, n, sizeof(a[0]), cmp_u32);
		qsort(b, n, sizeof(b[0]), cmp_u32);
		CHECK(memcmp(a, b, n * sizeof(a[0])) == 0);
	}
}

HTEST(hash_spread)
{
	unsigned buckets[256] = { 0 }, worst = 0;
	char name[32];

	for (unsigned i = 0; i < 256 * 16; i++) {
		int n = snprintf(name, sizeof(name), "file%u", i);

		buckets[hash_bytes(1, name, (size_t)n) & 255]++;
	}
	for (unsigned i = 0; i < 256; i++)
		worst = max(worst, buckets[i]);
	CHECK(worst < 64); /* mean 16 */
	CHECK(hash_bytes(0, "ab", 2) != hash_bytes(0, "ba", 2));
	CHECK(hash_u64(1, 8) < 256 && hash_u64(1, 8) != hash_u64(2, 8));
}

HTEST(atomic_and_refcount)
{
	struct atomic a = ATOMIC_INIT(5);
	struct refcount r;
	unsigned long bits[2] = { 0 };

	CHECK_EQ(atomic_add_return(&a, 3), 8);
	CHECK_EQ(atomic_cmpxchg(&a, 7, 1), 8);
	CHECK_EQ(atomic_cmpxchg(&a, 8, 1), 8);
	CHECK(atomic_dec_and_test(&a));
	CHECK_EQ(atomic_xchg(&a, 9), 0);
	CHECK(!atomic_test_and_set_bit(70, bits));
	CHECK(atomic_test_bit(70, bits) && bits[1] == 64);
	CHECK(atomic_test_and_clear_bit(70, bits) && !bits[1]);
	refcount_init(&r, 1);
	CHECK(refcount_inc_not_zero(&r));
	CHECK(!refcount_dec_and_test(&r));
	CHECK(refcount_dec_and_test(&r));
	CHECK(!refcount_inc_not_zero(&r));
}
