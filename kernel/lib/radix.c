/*
 * Radix tree (lib/radix.h). A node covers 6 bits of the index at its shift; leaves have shift 0. Bit 0 of
 * a slot of the root tells a node from an entry; inside the tree the shift does.
 *
 * Readers hold no lock: they see a node only after it was filled (release stores), and a node that was
 * taken out keeps its pointers until the free callback lets it go. Growing puts a new root above the old,
 * shrinking hands the root's only child (at slot 0) up.
 */
#include <lib/errno.h>
#include <lib/radix.h>

#define NODE_BIT 1ul
#define SLOT_MASK (RADIX_SLOTS - 1)

static inline bool is_node(const void *slot)
{
	return (uintptr_t)slot & NODE_BIT;
}
static inline struct radix_node *to_node(const void *slot)
{
	return (struct radix_node *)((uintptr_t)slot & ~NODE_BIT);
}
static inline void *from_node(const struct radix_node *n)
{
	return (void *)((uintptr_t)n | NODE_BIT);
}
static inline void *load(void *const *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}
static inline void publish(void **slot, void *v)
{
	__atomic_store_n(slot, v, __ATOMIC_RELEASE);
}
static inline unsigned slot_of(u64 index, unsigned shift)
{
	return (unsigned)(index >> shift) & SLOT_MASK;
}
/* The largest index that a tree with its root at shift can hold. */
static inline u64 max_index(unsigned shift)
{
	return shift + RADIX_BITS >= 64 ? ~0ull : (1ull << (shift + RADIX_BITS)) - 1;
}

void *radix_lookup(const struct radix_root *r, u64 index)
{
	void *p = load(&r->slot);
	struct radix_node *n;

	if (!is_node(p))
		return index == 0 ? p : NULL;
	n = to_node(p);
	if (index > max_index(n->shift))
		return NULL;
	for (;;) {
		p = load(&n->slots[slot_of(index, n->shift)]);
		if (!p || n->shift == 0)
			return p;
		n = p;
	}
}

/* The leaf whose slot `index` is, for the writer; NULL when there is none. */
static struct radix_node *find_leaf(const struct radix_root *r, u64 index)
{
	struct radix_node *n;

	if (!is_node(r->slot))
		return NULL;
	n = to_node(r->slot);
	if (index > max_index(n->shift))
		return NULL;
	while (n && n->shift)
		n = n->slots[slot_of(index, n->shift)];
	return n;
}

static struct radix_node *new_node(struct radix_root *r, unsigned shift, struct radix_node *parent,
				   unsigned offset)
{
	struct radix_node *n = r->ops->alloc(r);

	if (n) {
		n->shift = (u8)shift;
		n->offset = (u8)offset;
		n->count = 0;
		n->parent = parent;
	}
	return n;
}

/* Puts a root of the next shift above what is there. */
static int grow(struct radix_root *r)
{
	struct radix_node *old = is_node(r->slot) ? to_node(r->slot) : NULL;
	struct radix_node *n = new_node(r, old ? old->shift + RADIX_BITS : 0, NULL, 0);

	if (!n)
		return -ENOMEM;
	if (r->slot) {
		n->slots[0] = old ? (void *)old : r->slot;
		n->count = 1;
		for (unsigned t = 0; t < RADIX_TAGS; t++)
			n->tags[t] = (r->tags >> t) & 1;
	}
	if (old)
		old->parent = n;
	publish(&r->slot, from_node(n));
	return 0;
}

static void remove_node(struct radix_root *r, struct radix_node *n)
{
	r->ops->free(r, n);
}

/* While the root holds nothing but its slot 0, that comes up in its place. */
static void shrink(struct radix_root *r)
{
	while (is_node(r->slot)) {
		struct radix_node *n = to_node(r->slot);
		void *child = n->slots[0];

		if (n->count == 0) {
			publish(&r->slot, NULL);
			r->tags = 0;
		} else if (n->count == 1 && child) {
			if (n->shift)
				((struct radix_node *)child)->parent = NULL;
			publish(&r->slot, n->shift ? from_node(child) : child);
		} else {
			return;
		}
		remove_node(r, n);
	}
}

/* Takes out n if it is empty, and then its ancestors as far as they are. */
static void trim(struct radix_root *r, struct radix_node *n)
{
	while (n->count == 0 && n->parent) {
		struct radix_node *parent = n->parent;

		publish(&parent->slots[n->offset], NULL);
		parent->count--;
		remove_node(r, n);
		n = parent;
	}
	shrink(r);
}

int radix_insert(struct radix_root *r, u64 index, void *entry)
{
	struct radix_node *n;
	unsigned at;

	if (!r->slot && index == 0) {
		publish(&r->slot, entry);
		return 0;
	}
	if (index == 0 && !is_node(r->slot))
		return -EEXIST;
	while (!is_node(r->slot) || index > max_index(to_node(r->slot)->shift)) {
		if (grow(r)) {
			shrink(r);
			return -ENOMEM;
		}
	}
	n = to_node(r->slot);
	for (;;) {
		at = slot_of(index, n->shift);
		if (n->shift == 0)
			break;
		if (!n->slots[at]) {
			struct radix_node *child = new_node(r, n->shift - RADIX_BITS, n, at);

			if (!child) {
				trim(r, n);
				return -ENOMEM;
			}
			publish(&n->slots[at], child);
			n->count++;
		}
		n = n->slots[at];
	}
	if (n->slots[at])
		return -EEXIST;
	publish(&n->slots[at], entry);
	n->count++;
	return 0;
}

void *radix_replace(struct radix_root *r, u64 index, void *entry)
{
	struct radix_node *n = find_leaf(r, index);
	void **slot = n ? &n->slots[slot_of(index, 0)] : &r->slot;
	void *old;

	if (!n && (index != 0 || is_node(r->slot)))
		return NULL;
	old = *slot;
	if (old)
		publish(slot, entry);
	return old;
}

void *radix_delete(struct radix_root *r, u64 index)
{
	struct radix_node *n = find_leaf(r, index);
	unsigned at = slot_of(index, 0);
	void *old;

	if (!n) {
		old = r->slot;
		if (index != 0 || is_node(old))
			return NULL;
		publish(&r->slot, NULL);
		r->tags = 0;
		return old;
	}
	old = n->slots[at];
	if (!old)
		return NULL;
	for (unsigned t = 0; t < RADIX_TAGS; t++)
		radix_clear_tag(r, index, t);
	publish(&n->slots[at], NULL);
	n->count--;
	trim(r, n);
	return old;
}

/* The walk of both next functions; tag: -1 for any. Descends to the first slot at or after *index whose
 * subtree is not empty, and goes back to the root with a larger index when a subtree turns out to be. */
static void *find_next(const struct radix_root *r, u64 *index, int tag)
{
	u64 i = *index;
	void *p;

	if (tag >= 0 && !(READ_ONCE(r->tags) & (1u << tag)))
		return NULL;
	for (;;) {
		struct radix_node *n;

		p = load(&r->slot);
		if (!is_node(p))
			return i == 0 ? p : NULL; /* and *index is 0 */
		n = to_node(p);
		if (i > max_index(n->shift))
			return NULL;
		for (;;) {
			unsigned at = slot_of(i, n->shift), from = at;
			u64 below = n->shift ? (1ull << n->shift) - 1 : 0;

			for (p = NULL; at < RADIX_SLOTS; at++) {
				if (tag >= 0 && !(READ_ONCE(n->tags[tag]) & (1ull << at)))
					continue;
				p = load(&n->slots[at]);
				if (p)
					break;
			}
			if (at > from) { /* the start of slot `at`, or of what follows this node */
				u64 base = i & ~(below | (u64)SLOT_MASK << n->shift);

				i = base + ((u64)at << n->shift);
				if (at == RADIX_SLOTS &&
				    (n->shift + RADIX_BITS >= 64 || i < base || i == 0))
					return NULL;
			}
			if (!p)
				break;
			if (n->shift == 0) {
				*index = i;
				return p;
			}
			n = p;
		}
	}
}

void *radix_next(const struct radix_root *r, u64 *index)
{
	return find_next(r, index, -1);
}

void *radix_next_tagged(const struct radix_root *r, u64 *index, unsigned tag)
{
	return find_next(r, index, (int)tag);
}

void radix_set_tag(struct radix_root *r, u64 index, unsigned tag)
{
	struct radix_node *n;

	if (!radix_lookup(r, index))
		return;
	for (n = find_leaf(r, index); n; n = n->parent) {
		u64 bit = 1ull << slot_of(index, n->shift);

		if (n->tags[tag] & bit)
			return; /* and so are all above */
		WRITE_ONCE(n->tags[tag], n->tags[tag] | bit);
	}
	WRITE_ONCE(r->tags, (u8)(r->tags | 1u << tag));
}

void radix_clear_tag(struct radix_root *r, u64 index, unsigned tag)
{
	struct radix_node *n = find_leaf(r, index);

	if (!n && (index != 0 || is_node(r->slot)))
		return;
	for (; n; n = n->parent) {
		u64 bit = 1ull << slot_of(index, n->shift);

		if (!(n->tags[tag] & bit))
			return;
		WRITE_ONCE(n->tags[tag], n->tags[tag] & ~bit);
		if (n->tags[tag])
			return;
	}
	WRITE_ONCE(r->tags, (u8)(r->tags & ~(1u << tag)));
}

bool radix_get_tag(const struct radix_root *r, u64 index, unsigned tag)
{
	const struct radix_node *n = find_leaf(r, index);

	if (!n)
		return index == 0 && !is_node(r->slot) && r->slot && radix_tagged(r, tag);
	return n->tags[tag] & (1ull << slot_of(index, 0));
}

void radix_destroy(struct radix_root *r)
{
	struct radix_node *n = is_node(r->slot) ? to_node(r->slot) : NULL;

	publish(&r->slot, NULL);
	r->tags = 0;
	while (n) {
		struct radix_node *up = n->parent;
		unsigned at = 0;

		if (n->shift) { /* down into the first child that is left */
			while (at < RADIX_SLOTS && !n->slots[at])
				at++;
			if (at < RADIX_SLOTS) {
				struct radix_node *child = n->slots[at];

				n->slots[at] = NULL;
				n = child;
				continue;
			}
		}
		remove_node(r, n);
		n = up;
	}
}
