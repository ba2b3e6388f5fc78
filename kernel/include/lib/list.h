/*
 * Intrusive lists. struct list: circular, doubly linked, the head is a node too. struct hlist_head: one
 * pointer wide, for hash buckets. No locks: the owner of the head says which one.
 */
#pragma once
#include <lib/types.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)                                                                            \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}
#define DEFINE_LIST(name) struct list name = LIST_INIT(name)

/* What list_del leaves behind: not canonical, so that a use of a removed node faults. */
#define LIST_POISON1 ((struct list *)0xdead000000000100ul)
#define LIST_POISON2 ((struct list *)0xdead000000000122ul)

static __always_inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}
static __always_inline bool list_empty(const struct list *l)
{
	return READ_ONCE(l->next) == l;
}
static __always_inline void list_insert_between(struct list *n, struct list *prev,
						struct list *next)
{
	n->next = next;
	n->prev = prev;
	next->prev = n;
	WRITE_ONCE(prev->next, n);
}
/* To the front. */
static __always_inline void list_add(struct list *n, struct list *head)
{
	list_insert_between(n, head, head->next);
}
static __always_inline void list_add_tail(struct list *n, struct list *head)
{
	list_insert_between(n, head->prev, head);
}
static __always_inline void list_unlink_(struct list *n)
{
	n->next->prev = n->prev;
	WRITE_ONCE(n->prev->next, n->next);
}
static __always_inline void list_del(struct list *n)
{
	list_unlink_(n);
	n->next = LIST_POISON1;
	n->prev = LIST_POISON2;
}
static __always_inline void list_del_init(struct list *n)
{
	list_unlink_(n);
	list_init(n);
}
static __always_inline void list_move(struct list *n, struct list *head)
{
	list_unlink_(n);
	list_add(n, head);
}
static __always_inline void list_move_tail(struct list *n, struct list *head)
{
	list_unlink_(n);
	list_add_tail(n, head);
}
static __always_inline bool list_is_last(const struct list *n, const struct list *head)
{
	return n->next == head;
}
static __always_inline bool list_is_singular(const struct list *head)
{
	return head->next != head && head->next == head->prev;
}
/* n takes old's place; old is left dangling. */
static __always_inline void list_replace(struct list *old, struct list *n)
{
	list_insert_between(n, old->prev, old->next);
}
/* All of `from` to the end of `to`; from becomes empty. */
static inline void list_splice_tail_init(struct list *from, struct list *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}
/* All of `from` to the front of `to`; from becomes empty. */
static inline void list_splice_init(struct list *from, struct list *to)
{
	list_splice_tail_init(from, to->next);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_first_entry_or_null(head, type, member)                                               \
	(list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_next_entry(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member) list_entry((pos)->member.prev, __typeof__(*(pos)), member)

#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, n, head)                                                           \
	for (pos = (head)->next, n = pos->next; pos != (head); pos = n, n = pos->next)
#define list_for_each_entry(pos, head, member)                                                     \
	for (pos = list_first_entry(head, __typeof__(*pos), member); &pos->member != (head);       \
	     pos = list_next_entry(pos, member))
#define list_for_each_entry_reverse(pos, head, member)                                             \
	for (pos = list_last_entry(head, __typeof__(*pos), member); &pos->member != (head);        \
	     pos = list_prev_entry(pos, member))
/* The entry may be removed from the list in the body. */
#define list_for_each_entry_safe(pos, n, head, member)                                             \
	for (pos = list_first_entry(head, __typeof__(*pos), member),                               \
	    n = list_next_entry(pos, member);                                                      \
	     &pos->member != (head); pos = n, n = list_next_entry(n, member))

struct hlist_node {
	struct hlist_node *next, **pprev;
};
struct hlist_head {
	struct hlist_node *first;
};

#define HLIST_INIT                                                                                 \
	{                                                                                          \
		NULL                                                                               \
	}

static __always_inline void hlist_head_init(struct hlist_head *h)
{
	h->first = NULL;
}
static __always_inline void hlist_node_init(struct hlist_node *n)
{
	n->next = NULL;
	n->pprev = NULL;
}
static __always_inline bool hlist_empty(const struct hlist_head *h)
{
	return !READ_ONCE(h->first);
}
/* Not in any list (initialised, or removed with hlist_del_init). */
static __always_inline bool hlist_unhashed(const struct hlist_node *n)
{
	return !n->pprev;
}
/* Published with a release store: lock-free readers see a complete node. */
static __always_inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	struct hlist_node *first = h->first;

	n->next = first;
	n->pprev = &h->first;
	if (first)
		first->pprev = &n->next;
	__atomic_store_n(&h->first, n, __ATOMIC_RELEASE);
}
static __always_inline void hlist_unlink_(struct hlist_node *n)
{
	WRITE_ONCE(*n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
}
/* next is kept, so that a lock-free reader standing on n finds its way on. */
static __always_inline void hlist_del(struct hlist_node *n)
{
	hlist_unlink_(n);
	n->pprev = (struct hlist_node **)LIST_POISON2;
}
static __always_inline void hlist_del_init(struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	hlist_unlink_(n);
	hlist_node_init(n);
}

#define hlist_entry(ptr, type, member) container_of(ptr, type, member)
#define hlist_entry_or_null(ptr, type, member) ((ptr) ? hlist_entry(ptr, type, member) : NULL)
/* Also for readers under rcu. pos is NULL when the loop ran to its end. */
#define hlist_for_each_entry(pos, head, member)                                                    \
	for (struct hlist_node *hn_##pos = __atomic_load_n(&(head)->first, __ATOMIC_ACQUIRE);      \
	     (pos = hlist_entry_or_null(hn_##pos, __typeof__(*pos), member)) != NULL;              \
	     hn_##pos = __atomic_load_n(&hn_##pos->next, __ATOMIC_ACQUIRE))
/* n: a struct hlist_node *; the entry may be removed in the body. */
#define hlist_for_each_entry_safe(pos, n, head, member)                                            \
	for (struct hlist_node *hn_##pos = (head)->first;                                          \
	     (pos = hlist_entry_or_null(hn_##pos, __typeof__(*pos), member)) != NULL &&            \
	     (n = hn_##pos->next, true);                                                           \
	     hn_##pos = n)
