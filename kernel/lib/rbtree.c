/*
 * Red-black trees (lib/rbtree.h). Rules: the root is black, a red node has no red child, every path from
 * a node down to a missing child passes equally many black nodes. A colour is bit 0 of the parent pointer.
 *
 * The two fix-up loops are written once, inlined into a plain and an augmented version; in the plain one
 * `aug` is a constant NULL and its tests vanish.
 */
#include <lib/rbtree.h>

#define BLACK 1ul

static __always_inline bool is_black(const struct rb_node *n) /* a missing child is black */
{
	return !n || (n->parent_color & BLACK);
}
static __always_inline bool is_red(const struct rb_node *n)
{
	return !is_black(n);
}
static __always_inline void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (uintptr_t)parent | (n->parent_color & BLACK);
}
static __always_inline void set_black(struct rb_node *n)
{
	n->parent_color |= BLACK;
}
static __always_inline void set_red(struct rb_node *n)
{
	n->parent_color &= ~BLACK;
}
static __always_inline void copy_color(struct rb_node *n, const struct rb_node *from)
{
	n->parent_color = (n->parent_color & ~BLACK) | (from->parent_color & BLACK);
}

/* Whatever pointed to old points to n now. */
static __always_inline void replace_child(struct rb_root *root, struct rb_node *parent,
					  struct rb_node *old, struct rb_node *n)
{
	if (!parent)
		root->node = n;
	else if (parent->left == old)
		parent->left = n;
	else
		parent->right = n;
}

/* Turns the edge between n and its right (left) child over; the child comes on top. */
static __always_inline void rotate(struct rb_root *root, struct rb_node *n, bool left,
				   const struct rb_augment *aug)
{
	struct rb_node *parent = rb_parent(n);
	struct rb_node *up = left ? n->right : n->left;
	struct rb_node *moved = left ? up->left : up->right;

	if (left) {
		n->right = moved;
		up->left = n;
	} else {
		n->left = moved;
		up->right = n;
	}
	if (moved)
		set_parent(moved, n);
	set_parent(up, parent);
	set_parent(n, up);
	replace_child(root, parent, n, up);
	if (aug)
		aug->rotate(n, up);
}

static __always_inline void insert_fix(struct rb_node *n, struct rb_root *root,
				       const struct rb_augment *aug)
{
	struct rb_node *parent;

	while ((parent = rb_parent(n)) && is_red(parent)) {
		struct rb_node *grand = rb_parent(parent); /* a red node is never the root */
		bool left = grand->left == parent;
		struct rb_node *uncle = left ? grand->right : grand->left;

		if (is_red(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			n = grand;
			continue;
		}
		if (n == (left ? parent->right : parent->left)) {
			rotate(root, parent, left, aug);
			parent = n;
		}
		set_black(parent);
		set_red(grand);
		rotate(root, grand, !left, aug);
		break;
	}
	set_black(root->node);
}

/* The side of parent where n (maybe NULL) hangs is one black node short. */
static __always_inline void erase_fix(struct rb_node *n, struct rb_node *parent,
				      struct rb_root *root, const struct rb_augment *aug)
{
	while (parent && is_black(n)) {
		bool left = parent->left == n;
		struct rb_node *sib = left ? parent->right : parent->left;
		struct rb_node *near, *far;

		if (is_red(sib)) {
			set_black(sib);
			set_red(parent);
			rotate(root, parent, left, aug);
			sib = left ? parent->right : parent->left;
		}
		/* n's side lacks a black node, so its sibling's side has one more. */
		if (!sib)
			__builtin_unreachable();
		near = left ? sib->left : sib->right;
		far = left ? sib->right : sib->left;
		if (is_black(near) && is_black(far)) {
			set_red(sib);
			n = parent;
			parent = rb_parent(n);
			continue;
		}
		if (is_black(far)) {
			set_black(near);
			set_red(sib);
			rotate(root, sib, !left, aug);
			far = sib;
			sib = near;
		}
		copy_color(sib, parent);
		set_black(parent);
		set_black(far);
		rotate(root, parent, left, aug);
		return;
	}
	if (n)
		set_black(n);
}

static __always_inline void erase(struct rb_node *n, struct rb_root *root,
				  const struct rb_augment *aug)
{
	struct rb_node *parent = rb_parent(n), *child, *next;
	bool black;

	if (!n->left || !n->right) {
		child = n->left ? n->left : n->right;
		black = is_black(n);
		replace_child(root, parent, n, child);
		if (child)
			set_parent(child, parent);
		if (aug && parent)
			aug->propagate(parent, NULL);
		goto fix;
	}

	/* Two children: the next node in order, which has no left child, takes n's place and colour. */
	for (next = n->right; next->left;)
		next = next->left;
	child = next->right;
	black = is_black(next);
	if (next == n->right) {
		parent = next;
	} else {
		parent = rb_parent(next);
		parent->left = child;
		if (child)
			set_parent(child, parent);
		next->right = n->right;
		set_parent(next->right, next);
	}
	next->left = n->left;
	set_parent(next->left, next);
	replace_child(root, rb_parent(n), n, next);
	next->parent_color = n->parent_color;
	if (aug) {
		aug->copy(n, next);
		if (parent != next)
			aug->propagate(parent, next);
		aug->propagate(next, NULL);
	}
fix:
	if (black)
		erase_fix(child, parent, root, aug);
}

void rb_insert_color(struct rb_node *n, struct rb_root *root)
{
	insert_fix(n, root, NULL);
}

void rb_erase(struct rb_node *n, struct rb_root *root)
{
	erase(n, root, NULL);
}

void rb_insert_augmented(struct rb_node *n, struct rb_root *root, const struct rb_augment *aug)
{
	insert_fix(n, root, aug);
}

void rb_erase_augmented(struct rb_node *n, struct rb_root *root, const struct rb_augment *aug)
{
	erase(n, root, aug);
}

void rb_replace_node(struct rb_node *old, struct rb_node *n, struct rb_root *root)
{
	*n = *old;
	if (n->left)
		set_parent(n->left, n);
	if (n->right)
		set_parent(n->right, n);
	replace_child(root, rb_parent(old), old, n);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *parent;

	if (n->right) {
		struct rb_node *next = n->right;

		while (next->left)
			next = next->left;
		return next;
	}
	while ((parent = rb_parent(n)) && parent->right == n)
		n = parent;
	return parent;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *parent;

	if (n->left) {
		struct rb_node *prev = n->left;

		while (prev->right)
			prev = prev->right;
		return prev;
	}
	while ((parent = rb_parent(n)) && parent->left == n)
		n = parent;
	return parent;
}
