/*
 * Intrusive red-black trees, ordered by the caller. The caller walks down to find the place, links the
 * node there with rb_link_node() and calls rb_insert_color(); rb_add() and rb_find() do the walking.
 * rb_root_cached also remembers the leftmost node. An augmented tree keeps a value in each node that is
 * computed from its subtree (the largest gap...), through callbacks. No locks: the owner's.
 */
#pragma once
#include <lib/types.h>

struct rb_node {
	uintptr_t parent_color; /* bit 0: black */
	struct rb_node *left, *right;
} __aligned(8);

struct rb_root {
	struct rb_node *node;
};
struct rb_root_cached {
	struct rb_root root;
	struct rb_node *leftmost;
};

#define RB_ROOT                                                                                    \
	{                                                                                          \
		NULL                                                                               \
	}
#define RB_ROOT_CACHED                                                                             \
	{                                                                                          \
		{ NULL }, NULL                                                                     \
	}

#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define rb_entry_or_null(ptr, type, member)                                                        \
	({                                                                                         \
		__typeof__(ptr) rbp_ = (ptr);                                                      \
		rbp_ ? rb_entry(rbp_, type, member) : NULL;                                        \
	})

static __always_inline struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_color & ~(uintptr_t)1);
}
static __always_inline bool rb_empty(const struct rb_root *root)
{
	return !root->node;
}
/* Marks a node as being in no tree; rb_node_empty() tells. rb_erase does not do it. */
static __always_inline void rb_clear_node(struct rb_node *n)
{
	n->parent_color = (uintptr_t)n;
}
static __always_inline bool rb_node_empty(const struct rb_node *n)
{
	return n->parent_color == (uintptr_t)n;
}

/* Puts n below parent at *link, which is NULL. */
static __always_inline void rb_link_node(struct rb_node *n, struct rb_node *parent,
					 struct rb_node **link)
{
	n->parent_color = (uintptr_t)parent;
	n->left = NULL;
	n->right = NULL;
	*link = n;
}

void rb_insert_color(struct rb_node *n, struct rb_root *root);
void rb_erase(struct rb_node *n, struct rb_root *root);
/* n takes old's place, which must compare equal. */
void rb_replace_node(struct rb_node *old, struct rb_node *n, struct rb_root *root);

/* In order; NULL at the ends. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);

static inline struct rb_node *rb_first_cached(const struct rb_root_cached *root)
{
	return root->leftmost;
}
static inline void rb_insert_color_cached(struct rb_node *n, struct rb_root_cached *root,
					  bool leftmost)
{
	if (leftmost)
		root->leftmost = n;
	rb_insert_color(n, &root->root);
}
static inline void rb_erase_cached(struct rb_node *n, struct rb_root_cached *root)
{
	if (root->leftmost == n)
		root->leftmost = rb_next(n);
	rb_erase(n, &root->root);
}

/* Adds n behind all that are not greater. less must be a static function for this to be fast. */
static __always_inline void rb_add(struct rb_node *n, struct rb_root *root,
				   bool (*less)(const struct rb_node *, const struct rb_node *))
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = less(n, parent) ? &parent->left : &parent->right;
	}
	rb_link_node(n, parent, link);
	rb_insert_color(n, root);
}
/* As above; true when n is the new leftmost. */
static __always_inline bool rb_add_cached(struct rb_node *n, struct rb_root_cached *root,
					  bool (*less)(const struct rb_node *,
						       const struct rb_node *))
{
	struct rb_node **link = &root->root.node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (less(n, parent)) {
			link = &parent->left;
		} else {
			link = &parent->right;
			leftmost = false;
		}
	}
	rb_link_node(n, parent, link);
	rb_insert_color_cached(n, root, leftmost);
	return leftmost;
}
/* The node for which cmp(key, node) is 0, or NULL. */
static __always_inline struct rb_node *rb_find(const void *key, const struct rb_root *root,
					       int (*cmp)(const void *key, const struct rb_node *))
{
	struct rb_node *n = root->node;

	while (n) {
		int c = cmp(key, n);

		if (c == 0)
			return n;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

/*
 * Augmented trees. propagate(n, stop) recomputes n and its ancestors up to (not including) stop, and may
 * end early when a value does not change. copy(old, n): n takes old's place, copy the value.
 * rotate(old, n): n has taken old's place as the root of the subtree and old is now its child: n gets
 * old's value, old is recomputed.
 *
 * To insert: link the node, compute its own value, propagate from its parent, rb_insert_augmented().
 * When a node's own input changes, propagate from it.
 */
struct rb_augment {
	void (*propagate)(struct rb_node *n, struct rb_node *stop);
	void (*copy)(struct rb_node *old, struct rb_node *n);
	void (*rotate)(struct rb_node *old, struct rb_node *n);
};

void rb_insert_augmented(struct rb_node *n, struct rb_root *root, const struct rb_augment *aug);
void rb_erase_augmented(struct rb_node *n, struct rb_root *root, const struct rb_augment *aug);

/*
 * Defines the three callbacks and `static const struct rb_augment name`. value: the field of `type` that
 * holds the subtree's value; compute(struct type *) returns it from the node and its children.
 */
#define RB_DEFINE_AUGMENT(name, type, node, value, compute)                                        \
	static void name##_propagate(struct rb_node *n, struct rb_node *stop)                      \
	{                                                                                          \
		while (n != stop) {                                                                \
			type *e_ = rb_entry(n, type, node);                                        \
			__typeof__(e_->value) v_ = compute(e_);                                    \
                                                                                                   \
			if (e_->value == v_)                                                       \
				break;                                                             \
			e_->value = v_;                                                            \
			n = rb_parent(n);                                                          \
		}                                                                                  \
	}                                                                                          \
	static void name##_copy(struct rb_node *old, struct rb_node *n)                            \
	{                                                                                          \
		rb_entry(n, type, node)->value = rb_entry(old, type, node)->value;                 \
	}                                                                                          \
	static void name##_rotate(struct rb_node *old, struct rb_node *n)                          \
	{                                                                                          \
		type *o_ = rb_entry(old, type, node);                                              \
                                                                                                   \
		rb_entry(n, type, node)->value = o_->value;                                        \
		o_->value = compute(o_);                                                           \
	}                                                                                          \
	static const struct rb_augment name = { name##_propagate, name##_copy, name##_rotate }
