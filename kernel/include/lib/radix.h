/*
 * Radix tree, 64 ways: u64 index → pointer. For the page cache and id tables.
 *
 * Changes are serialised by the caller; radix_lookup(), radix_next() and radix_next_tagged() may run at
 * the same time without the lock if the free callback defers freeing until they have gone (rcu): nodes
 * and entries are published with release stores. Entries are pointers whose bit 0 is clear, not NULL.
 * The height follows the largest index; an entry at index 0 alone needs no node.
 *
 * Each index has RADIX_TAGS tags; "some entry below has it" is kept on the way up, so that finding
 * tagged ones is quick. Deleting an entry clears its tags.
 */
#pragma once
#include <lib/types.h>

#define RADIX_BITS 6
#define RADIX_SLOTS 64
#define RADIX_TAGS 2

struct radix_node {
	u8 shift; /* [I] of the index, for the slots here */
	u8 offset; /* [I] of this node in its parent */
	u8 count; /* slots in use */
	struct radix_node *parent;
	u64 tags[RADIX_TAGS];
	void *slots[RADIX_SLOTS];
	void *owner[2]; /* for the free callback (an rcu_head fits) */
};

struct radix_root;
struct radix_ops {
	/* A zeroed node, or NULL. */
	struct radix_node *(*alloc)(struct radix_root *root);
	/* Frees a node, when no reader can see it any more. */
	void (*free)(struct radix_root *root, struct radix_node *node);
};

struct radix_root {
	void *slot; /* NULL; the entry of index 0; or a node, with bit 0 set */
	const struct radix_ops *ops;
	u8 tags; /* bit per tag: some entry has it */
};

#define RADIX_INIT(ops_)                                                                           \
	{                                                                                          \
		NULL, (ops_), 0                                                                    \
	}

static inline void radix_init(struct radix_root *r, const struct radix_ops *ops)
{
	r->slot = NULL;
	r->ops = ops;
	r->tags = 0;
}
static inline bool radix_empty(const struct radix_root *r)
{
	return !READ_ONCE(r->slot);
}

/* The entry, or NULL. */
void *radix_lookup(const struct radix_root *r, u64 index);
/* 0, -EEXIST, -ENOMEM. */
int radix_insert(struct radix_root *r, u64 index, void *entry);
/* Puts another entry in place of one that is there, tags kept; returns the old one, or NULL if there was
 * none (and nothing is changed). */
void *radix_replace(struct radix_root *r, u64 index, void *entry);
/* Removes; returns the entry that was there, or NULL. */
void *radix_delete(struct radix_root *r, u64 index);

/* The first entry at or after *index, with *index set to its place; NULL when there is none. */
void *radix_next(const struct radix_root *r, u64 *index);
/* The first one that has the tag. */
void *radix_next_tagged(const struct radix_root *r, u64 *index, unsigned tag);
/* Every entry e in order, at index i. Both are variables of the caller's. */
#define radix_for_each(root, i, e)                                                                 \
	for (bool more_ = ((i) = 0, true); more_ && ((e) = radix_next((root), &(i))) != NULL;      \
	     more_ = ++(i) != 0)

/* The index must have an entry; otherwise nothing happens. */
void radix_set_tag(struct radix_root *r, u64 index, unsigned tag);
void radix_clear_tag(struct radix_root *r, u64 index, unsigned tag);
bool radix_get_tag(const struct radix_root *r, u64 index, unsigned tag);
static inline bool radix_tagged(const struct radix_root *r, unsigned tag)
{
	return r->tags & (1u << tag);
}
/* Frees all nodes, not what the entries point to. */
void radix_destroy(struct radix_root *r);
