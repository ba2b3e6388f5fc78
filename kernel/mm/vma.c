/*
 * The tree of an address space's VMAs.
 *
 * A red-black tree by address; each node knows the gap before it and the largest gap in its subtree, so
 * that finding a place is one walk down. Below a stack MM_STACK_GAP stays free: it counts as part of the
 * stack when gaps are computed. The last vma found is remembered in mm->last_hit.
 *
 * Locks: mm->lock for writing, for vma_find for reading; a mapping's list under the mapping's lock, which
 * also covers start, end and pgoff for those who come from there.
 */
#include "vma.h"
#include <mm/slab.h>

static struct kcache *vma_cache;

static u64 largest_gap(struct vma *v)
{
	u64 gap = v->gap;

	if (v->node.left)
		gap = max(gap, rb_entry(v->node.left, struct vma, node)->max_gap);
	if (v->node.right)
		gap = max(gap, rb_entry(v->node.right, struct vma, node)->max_gap);
	return gap;
}
RB_DEFINE_AUGMENT(gap_augment, struct vma, node, max_gap, largest_gap);

struct vma *vma_alloc(struct mm *mm)
{
	struct vma *v = kcache_alloc(vma_cache, ALLOC_KERNEL | ALLOC_ZERO);

	if (v)
		v->mm = mm;
	return v;
}

struct vma *vma_dup(struct mm *mm, const struct vma *v)
{
	struct vma *n = kcache_alloc(vma_cache, ALLOC_KERNEL);

	if (!n)
		return NULL;
	*n = *v;
	n->mm = mm;
	if (n->mapping)
		mapping_get(n->mapping);
	if (n->file)
		mm_file_get(n->file);
	return n;
}

void vma_free(struct vma *v)
{
	if (v->mapping)
		mapping_put(v->mapping);
	if (v->file)
		mm_file_put(v->file);
	kcache_free(vma_cache, v);
}

struct vma *vma_next(struct vma *v)
{
	return rb_entry_or_null(rb_next(&v->node), struct vma, node);
}

struct vma *vma_prev(struct vma *v)
{
	return rb_entry_or_null(rb_prev(&v->node), struct vma, node);
}

struct vma *vma_find(struct mm *mm, uptr_t addr)
{
	struct vma *v = READ_ONCE(mm->last_hit), *found = NULL;
	struct rb_node *n = mm->vmas.node;

	if (v && v->start <= addr && addr < v->end)
		return v;
	while (n) {
		v = rb_entry(n, struct vma, node);
		if (v->end > addr) {
			found = v;
			if (v->start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	if (found)
		WRITE_ONCE(mm->last_hit, found);
	return found;
}

struct vma *vma_find_prev(struct mm *mm, uptr_t addr, struct vma **prev)
{
	struct rb_node *n = mm->vmas.node;
	struct vma *found = NULL;

	*prev = NULL;
	while (n) {
		struct vma *v = rb_entry(n, struct vma, node);

		if (v->end > addr) {
			found = v;
			n = n->left;
		} else {
			*prev = v;
			n = n->right;
		}
	}
	return found;
}

/* --- gaps --- */

static u64 gap_before(struct vma *v, const struct vma *prev)
{
	uptr_t end = prev ? prev->end : 0, start = vma_start_gap(v);

	return start > end ? start - end : 0;
}

static void update_gap(struct vma *v)
{
	u64 gap = gap_before(v, vma_prev(v));

	if (gap == v->gap)
		return;
	v->gap = gap;
	gap_augment.propagate(&v->node, NULL);
}

static void link_node(struct mm *mm, struct vma *v, struct vma *prev, struct rb_node *parent,
		      struct rb_node **link)
{
	rb_link_node(&v->node, parent, link);
	v->gap = gap_before(v, prev);
	v->max_gap = v->gap;
	if (parent)
		gap_augment.propagate(parent, NULL);
	rb_insert_augmented(&v->node, &mm->vmas, &gap_augment);
	mm->nr_vmas++;
}

void vma_insert(struct mm *mm, struct vma *v)
{
	struct rb_node **link = &mm->vmas.node, *parent = NULL;
	struct vma *prev = NULL, *next = NULL;

	while (*link) {
		struct vma *at = rb_entry(*link, struct vma, node);

		parent = *link;
		if (v->start < at->start) {
			next = at;
			link = &parent->left;
		} else {
			prev = at;
			link = &parent->right;
		}
	}
	link_node(mm, v, prev, parent, link);
	if (next)
		update_gap(next);
	vma_link_mapping(v);
}

void vma_append(struct mm *mm, struct vma *v, struct vma *last)
{
	link_node(mm, v, last, last ? &last->node : NULL,
		  last ? &last->node.right : &mm->vmas.node);
	vma_link_mapping(v);
}

void vma_erase(struct mm *mm, struct vma *v)
{
	struct vma *next = vma_next(v);

	vma_unlink_mapping(v);
	if (mm->last_hit == v)
		mm->last_hit = NULL;
	rb_erase_augmented(&v->node, &mm->vmas, &gap_augment);
	mm->nr_vmas--;
	if (next)
		update_gap(next);
}

void vma_resize(struct vma *v, uptr_t start, uptr_t end)
{
	struct vma *next = vma_next(v);

	if (v->mapping)
		spin_lock(&v->mapping->lock);
	if (v->mapping || v->ops)
		v->pgoff += (u64)((s64)(start - v->start) >> PAGE_SHIFT);
	v->start = start;
	v->end = end;
	if (v->mapping)
		spin_unlock(&v->mapping->lock);
	update_gap(v);
	if (next)
		update_gap(next);
}

void vma_link_mapping(struct vma *v)
{
	if (!v->mapping)
		return;
	spin_lock(&v->mapping->lock);
	list_add_tail(&v->mapping_link, &v->mapping->vmas);
	spin_unlock(&v->mapping->lock);
}

void vma_unlink_mapping(struct vma *v)
{
	if (!v->mapping)
		return;
	spin_lock(&v->mapping->lock);
	list_del(&v->mapping_link);
	spin_unlock(&v->mapping->lock);
}

/* --- places --- */

/* The highest place in the gaps of a subtree. */
static uptr_t search_down(struct rb_node *n, size_t len, uptr_t low, uptr_t high)
{
	while (n) {
		struct vma *v = rb_entry(n, struct vma, node);
		uptr_t gap_end = vma_start_gap(v), gap_start = gap_end - v->gap;
		uptr_t top = min(gap_end, high), bottom = max(gap_start, low);

		if (v->max_gap < len)
			return 0;
		if (n->right && v->end < high && !INJECT("vma_gap_low")) {
			uptr_t found = search_down(n->right, len, low, high);

			if (found)
				return found;
		}
		if (v->gap >= len && top > bottom && top - bottom >= len)
			return top - len;
		if (v->start <= low)
			return 0; /* all on the left is lower still */
		n = n->left;
	}
	return 0;
}

uptr_t vma_gap_topdown(struct mm *mm, size_t len, uptr_t low, uptr_t high)
{
	struct rb_node *last = rb_last(&mm->vmas);
	uptr_t end = last ? rb_entry(last, struct vma, node)->end : 0;

	end = max(end, low);
	if (high > end && high - end >= len)
		return high - len;
	return search_down(mm->vmas.node, len, low, high);
}

uptr_t vma_gap_bottomup(struct mm *mm, size_t len, uptr_t low, uptr_t high)
{
	struct vma *prev, *v = vma_find_prev(mm, low, &prev);

	for (; v; v = vma_next(v)) {
		uptr_t start = vma_start_gap(v);

		if (start > low && start - low >= len)
			break;
		low = max(low, v->end);
	}
	return high > low && high - low >= len ? low : 0;
}

/* --- checks --- */

int vma_check(struct mm *mm, char *why, size_t size)
{
	struct vma *prev = NULL;
	const char *wrong = NULL;
	u64 n = 0;

	for (struct rb_node *i = rb_first(&mm->vmas); i && !wrong; i = rb_next(i)) {
		struct vma *v = rb_entry(i, struct vma, node);

		if (v->start >= v->end || !IS_ALIGNED(v->start | v->end, PAGE_SIZE))
			wrong = "an empty or unaligned vma";
		else if (prev && prev->end > v->start)
			wrong = "two overlap";
		else if (v->gap != gap_before(v, prev))
			wrong = "a gap is wrong";
		else if (v->max_gap != largest_gap(v))
			wrong = "the largest gap of a subtree is wrong";
		else if (v->mm != mm)
			wrong = "a vma of another address space";
		prev = v;
		n++;
	}
	if (!wrong && n != mm->nr_vmas)
		wrong = "they are miscounted";
	if (wrong)
		snprintf(why, size, "vmas: %s (at %#lx)", wrong, prev ? prev->start : 0);
	return wrong ? -EINVAL : 0;
}

void vma_init(void)
{
	vma_cache = kcache_create("vma", sizeof(struct vma), 0);
}
