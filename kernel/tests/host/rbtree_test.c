/* Red-black trees: random operations against a plain array; the rules are checked after each. */
#include "harness.h"
#include <lib/rbtree.h>
#include <string.h>

#define N 400

struct item {
	struct rb_node node;
	u64 key, gap, max_gap;
	bool in;
};
static struct item items[N];

static u64 compute_max(struct item *e)
{
	u64 m = e->gap;
	struct item *l = rb_entry_or_null(e->node.left, struct item, node);
	struct item *r = rb_entry_or_null(e->node.right, struct item, node);

	if (l && l->max_gap > m)
		m = l->max_gap;
	if (r && r->max_gap > m)
		m = r->max_gap;
	return m;
}
RB_DEFINE_AUGMENT(aug, struct item, node, max_gap, compute_max);

/* Black height; fails when a rule is broken. */
static int verify(const struct rb_node *n, const struct rb_node *parent, bool augmented)
{
	bool black;
	int l, r;

	if (!n)
		return 1;
	black = n->parent_color & 1;
	CHECK(rb_parent(n) == parent);
	CHECK(black || (parent && (parent->parent_color & 1)));
	l = verify(n->left, n, augmented);
	r = verify(n->right, n, augmented);
	CHECK_EQ(l, r);
	if (augmented) {
		struct item *e = rb_entry((struct rb_node *)(uintptr_t)n, struct item, node);

		CHECK_EQ(e->max_gap, compute_max(e));
	}
	return l + black;
}

static void verify_order(const struct rb_root *root, unsigned count)
{
	struct rb_node *n;
	unsigned seen = 0;
	u64 last = 0;

	for (n = rb_first(root); n; n = rb_next(n), seen++) {
		u64 key = rb_entry(n, struct item, node)->key;

		CHECK(key >= last);
		last = key;
	}
	CHECK_EQ(seen, count);
	for (n = rb_last(root); n; n = rb_prev(n), seen--) {
		u64 key = rb_entry(n, struct item, node)->key;

		CHECK(key <= last);
		last = key;
	}
	CHECK_EQ(seen, 0);
}

static bool less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, const struct item, node)->key <
	       rb_entry(b, const struct item, node)->key;
}

static int cmp_key(const void *key, const struct rb_node *n)
{
	u64 k = *(const u64 *)key, have = rb_entry(n, const struct item, node)->key;

	return k < have ? -1 : k > have;
}

HTEST(rbtree_random_cached)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	unsigned count = 0;

	memset(items, 0, sizeof(items));
	for (unsigned step = 0; step < 20000; step++) {
		struct item *e = &items[h_below(N)];

		if (e->in) {
			rb_erase_cached(&e->node, &root);
			count--;
		} else {
			e->key = h_below(200); /* many equal keys */
			rb_add_cached(&e->node, &root, less);
			count++;
		}
		e->in = !e->in;
		CHECK(root.leftmost == rb_first(&root.root));
		if (step % 37 == 0) {
			verify(root.root.node, NULL, false);
			verify_order(&root.root, count);
		}
	}
}

static void insert_augmented(struct rb_root *root, struct item *e)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = less(&e->node, parent) ? &parent->left : &parent->right;
	}
	rb_link_node(&e->node, parent, link);
	e->max_gap = e->gap;
	aug.propagate(parent, NULL);
	rb_insert_augmented(&e->node, root, &aug);
}

HTEST(rbtree_random_augmented)
{
	struct rb_root root = RB_ROOT;
	unsigned count = 0;

	memset(items, 0, sizeof(items));
	for (unsigned step = 0; step < 20000; step++) {
		struct item *e = &items[h_below(N)];

		if (!e->in) {
			e->key = h_rand();
			e->gap = h_below(1000);
			insert_augmented(&root, e);
			e->in = true;
			count++;
		} else if (h_below(4) == 0) {
			e->gap = h_below(1000);
			aug.propagate(&e->node, NULL);
		} else {
			rb_erase_augmented(&e->node, &root, &aug);
			e->in = false;
			count--;
		}
		if (step % 23 == 0)
			verify(root.node, NULL, true);
	}
	verify_order(&root, count);
}

HTEST(rbtree_find_replace)
{
	struct rb_root root = RB_ROOT;
	struct item other = { 0 };
	u64 key;

	for (unsigned i = 0; i < N; i++) {
		items[i].key = i * 2;
		rb_add(&items[i].node, &root, less);
	}
	for (unsigned i = 0; i < N; i++) {
		key = i * 2;
		CHECK(rb_find(&key, &root, cmp_key) == &items[i].node);
		key++;
		CHECK(rb_find(&key, &root, cmp_key) == NULL);
	}
	other.key = 100;
	rb_replace_node(&items[50].node, &other.node, &root);
	key = 100;
	CHECK(rb_find(&key, &root, cmp_key) == &other.node);
	verify(root.node, NULL, false);
	verify_order(&root, N);
	rb_clear_node(&items[50].node);
	CHECK(rb_node_empty(&items[50].node));
	CHECK(!rb_node_empty(&other.node));
}
