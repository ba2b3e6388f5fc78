/* Radix tree: random operations with tags against a table; failing allocation; no leaks. */
#include "harness.h"
#include <lib/errno.h>
#include <lib/radix.h>
#include <string.h>

#define N 600

static long live_nodes;
static unsigned fail_one_in; /* 0: never */

static struct radix_node *node_alloc(struct radix_root *r)
{
	(void)r;
	if (fail_one_in && h_below(fail_one_in) == 0)
		return NULL;
	live_nodes++;
	return calloc(1, sizeof(struct radix_node));
}
static void node_free(struct radix_root *r, struct radix_node *n)
{
	(void)r;
	live_nodes--;
	free(n);
}
static const struct radix_ops ops = { node_alloc, node_free };

static struct model {
	u64 index;
	void *entry;
	bool tag[RADIX_TAGS];
} model[N];

static int by_index(const void *a, const void *b)
{
	u64 x = ((const struct model *)a)->index, y = ((const struct model *)b)->index;

	return x < y ? -1 : x > y;
}

/* Distinct indices of every magnitude, the smallest and the largest among them, in order. */
static void make_indices(void)
{
	memset(model, 0, sizeof(model));
	for (unsigned i = 0; i < N; i++)
		model[i].index = i < 100 ? i : h_rand() >> h_below(64);
	model[100].index = ~0ull;
	model[101].index = ~0ull - 1;
	qsort(model, N, sizeof(model[0]), by_index);
	for (unsigned i = 1; i < N; i++) {
		if (model[i].index <= model[i - 1].index && model[i - 1].index < ~0ull)
			model[i].index = model[i - 1].index + 1;
	}
}

static void compare(const struct radix_root *r, int tag)
{
	u64 i = 0;
	unsigned m = 0;

	for (;;) {
		void *e = tag < 0 ? radix_next(r, &i) : radix_next_tagged(r, &i, (unsigned)tag);

		while (m < N && (!model[m].entry || (tag >= 0 && !model[m].tag[tag])))
			m++;
		if (m == N) {
			CHECK(e == NULL);
			break;
		}
		CHECK(e == model[m].entry);
		CHECK_EQ(i, model[m].index);
		m++;
		if (i++ == ~0ull)
			break;
	}
}

static void step(struct radix_root *r)
{
	struct model *m = &model[h_below(N)];
	unsigned tag = (unsigned)h_below(RADIX_TAGS);
	void *value = (void *)(uintptr_t)((h_rand() | 2) & ~1ull);
	int err;

	CHECK(radix_lookup(r, m->index) == m->entry);
	switch (h_below(6)) {
	case 0:
	case 1:
		err = radix_insert(r, m->index, value);
		if (err == -ENOMEM && fail_one_in)
			break;
		CHECK_EQ(err, m->entry ? -EEXIST : 0);
		if (!err)
			m->entry = value;
		break;
	case 2:
		CHECK(radix_delete(r, m->index) == m->entry);
		m->entry = NULL;
		memset(m->tag, 0, sizeof(m->tag));
		break;
	case 3:
		radix_set_tag(r, m->index, tag);
		m->tag[tag] = m->entry;
		break;
	case 4:
		radix_clear_tag(r, m->index, tag);
		m->tag[tag] = false;
		break;
	case 5:
		CHECK(radix_replace(r, m->index, value) == m->entry);
		if (m->entry)
			m->entry = value;
		break;
	}
	CHECK_EQ(radix_get_tag(r, m->index, tag), m->tag[tag]);
}

static void run(unsigned fail)
{
	struct radix_root r = RADIX_INIT(&ops);

	make_indices();
	fail_one_in = fail;
	for (unsigned i = 0; i < 30000; i++) {
		step(&r);
		if (i % 500 == 0) {
			for (int tag = -1; tag < RADIX_TAGS; tag++)
				compare(&r, tag);
		}
	}
	fail_one_in = 0;
	for (unsigned t = 0; t < RADIX_TAGS; t++) {
		bool any = false;

		for (unsigned i = 0; i < N; i++)
			any |= model[i].tag[t];
		CHECK_EQ(radix_tagged(&r, t), any);
	}
	if (fail) {
		radix_destroy(&r);
	} else {
		for (unsigned i = 0; i < N; i++)
			CHECK(radix_delete(&r, model[i].index) == model[i].entry);
	}
	CHECK(radix_empty(&r));
	CHECK_EQ(live_nodes, 0);
}

HTEST(radix_random)
{
	run(0);
}

HTEST(radix_random_enomem)
{
	run(5);
}

HTEST(radix_heights)
{
	struct radix_root r = RADIX_INIT(&ops);
	void *e, *v = &r;
	u64 i;
	unsigned count = 0;

	CHECK_EQ(radix_insert(&r, 0, v), 0);
	CHECK_EQ(live_nodes, 0); /* index 0 alone needs none */
	CHECK_EQ(radix_insert(&r, 0, v), -EEXIST);
	CHECK_EQ(radix_insert(&r, 63, v), 0);
	CHECK_EQ(live_nodes, 1);
	CHECK_EQ(radix_insert(&r, 64, v), 0);
	CHECK_EQ(live_nodes, 3);
	CHECK_EQ(radix_insert(&r, ~0ull, v), 0);
	radix_for_each(&r, i, e) count++;
	CHECK_EQ(count, 4);
	CHECK(radix_delete(&r, ~0ull) == v);
	CHECK_EQ(live_nodes, 3);
	CHECK(radix_delete(&r, 64) == v);
	CHECK_EQ(live_nodes, 1);
	CHECK(radix_delete(&r, 63) == v);
	CHECK_EQ(live_nodes, 0);
	CHECK(radix_lookup(&r, 0) == v);
	CHECK(radix_delete(&r, 0) == v);
	CHECK(radix_delete(&r, 0) == NULL);
}
