/*
 * Splitting and merging VMAs.
 *
 * Two neighbours are one when they are alike in everything but their addresses, and show consecutive
 * pages of the same object. What has operations of its own, or is VM_SPECIAL, is never merged. Lock:
 * mm->lock for writing.
 */
#include "vma.h"
#include "huge.h"

static bool alike(const struct vma *a, const struct vma *b)
{
	return a->flags == b->flags && a->file == b->file && a->mapping == b->mapping && !a->ops &&
	       !b->ops && !(a->flags & VM_SPECIAL);
}

/* b begins where a ends; would one do for both? */
static bool can_merge(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && alike(a, b) && !INJECT("vma_no_merge") &&
	       (!a->mapping || a->pgoff + vma_pages(a) == b->pgoff);
}

int vma_split(struct vma *v, uptr_t addr)
{
	struct mm *mm = v->mm;
	struct vma *upper;

	if (mm->nr_vmas >= MM_MAP_COUNT_MAX || huge_split_at(mm, addr))
		return -ENOMEM;
	upper = vma_dup(mm, v);
	if (!upper)
		return -ENOMEM;
	upper->start = addr;
	if (v->mapping || v->ops)
		upper->pgoff = vma_index(v, addr);
	vma_resize(v, v->start, addr);
	vma_insert(mm, upper);
	return 0;
}

int vma_split_range(struct mm *mm, uptr_t start, uptr_t end)
{
	struct vma *v = vma_find(mm, start);

	if (v && v->start < start) {
		int err = vma_split(v, start);

		if (err)
			return err;
	}
	v = vma_find(mm, end - 1);
	if (v && v->start < end && v->end > end)
		return vma_split(v, end);
	return 0;
}

struct vma *vma_merge_prev(struct vma *v)
{
	struct vma *prev = vma_prev(v);
	uptr_t end = v->end;

	if (!prev || !can_merge(prev, v))
		return v;
	prev->has_anon |= v->has_anon;
	vma_erase(v->mm, v);
	vma_free(v);
	vma_resize(prev, prev->start, end);
	return prev;
}

struct vma *vma_merge_both(struct vma *v)
{
	struct vma *next = vma_next(v);

	if (next)
		(void)vma_merge_prev(next);
	return vma_merge_prev(v);
}

struct vma *vma_extend(struct mm *mm, struct vma *prev, struct vma *next, const struct vma *like)
{
	if (prev && can_merge(prev, like)) {
		bool both = next && can_merge(like, next);
		uptr_t end = both ? next->end : like->end;

		if (both) {
			prev->has_anon |= next->has_anon;
			vma_erase(mm, next);
			vma_free(next);
		}
		vma_resize(prev, prev->start, end);
		return prev;
	}
	if (next && can_merge(like, next)) {
		vma_resize(next, like->start, next->end);
		return next;
	}
	return NULL;
}
