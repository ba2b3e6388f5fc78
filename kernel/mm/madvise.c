/*
 * Advice and flags for ranges of an address space. Semantics and errors of madvise(2), mlock(2).
 *
 * MADV_FREE drops the pages at once: the manual lets the kernel do so at any time.
 */
#include <uapi/mman.h>
#include "vma.h"

/* --- flags of ranges --- */

static int change_flags_one(struct mm *mm, struct vma **vp, uptr_t end, u32 set, u32 clear)
{
	struct vma *v = *vp;
	u32 flags = (v->flags & ~clear) | set;
	int err;

	if (flags == v->flags)
		return 0;
	if (v->end > end) {
		err = vma_split(v, end);
		if (err)
			return err;
	}
	mm_account(mm, v->flags, -(s64)vma_pages(v));
	mm_account(mm, flags, (s64)vma_pages(v));
	v->flags = flags;
	*vp = vma_merge_prev(v);
	return 0;
}

int mm_change_flags_locked(struct mm *mm, uptr_t start, uptr_t end, u32 set, u32 clear)
{
	struct vma *v = vma_find(mm, start);
	int err;

	if (!v || v->start > start)
		return -ENOMEM;
	if (v->start < start && ((v->flags & ~clear) | set) != v->flags) {
		err = vma_split(v, start);
		if (err)
			return err;
		v = vma_next(v);
	}
	for (;;) {
		struct vma *next;

		err = change_flags_one(mm, &v, end, set, clear);
		if (err)
			return err;
		next = vma_next(v);
		if (v->end >= end) {
			if (next)
				(void)vma_merge_prev(next);
			return 0;
		}
		if (!next || next->start != v->end)
			return -ENOMEM;
		v = next;
	}
}

int mm_change_flags(struct mm *mm, uptr_t start, uptr_t end, u32 set, u32 clear)
{
	int err;

	rwsem_write_lock(&mm->lock);
	err = mm_change_flags_locked(mm, start, end, set, clear);
	mm_write_unlock(mm);
	return err;
}

/* --- advice that works on pages: lock held for reading --- */

static int drop_pages(struct vma *v, uptr_t start, uptr_t end)
{
	struct unmap_batch b;

	if (INJECT("dontneed_ignored"))
		return 0;
	unmap_begin(&b, v->mm);
	unmap_entries(&b, v, start, end, true);
	unmap_end(&b);
	return 0;
}

static int remove_pages(struct vma *v, uptr_t start, uptr_t end)
{
	if (v->flags & VM_LOCKED || !v->mapping)
		return -EINVAL;
	if ((v->flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
		return -EACCES;
	if (v->mapping->ops && v->mapping->ops->write_page)
		return -EOPNOTSUPP;
	mapping_truncate(v->mapping, vma_index(v, start), vma_index(v, end) - 1);
	return 0;
}

static int advise_pages(struct vma *v, uptr_t start, uptr_t end, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		if (v->flags & (VM_LOCKED | VM_SPECIAL))
			return -EINVAL;
		fallthrough;
	case MADV_DONTNEED_LOCKED: return drop_pages(v, start, end);
	case MADV_FREE:
		if (v->mapping || v->ops || v->flags & VM_SPECIAL)
			return -EINVAL;
		return drop_pages(v, start, end);
	case MADV_REMOVE: return remove_pages(v, start, end);
	case MADV_COLD:
	case MADV_PAGEOUT: return v->flags & (VM_LOCKED | VM_SPECIAL) ? -EINVAL : 0;
	default: return 0; /* hints about order of access */
	}
}

/* --- advice that changes flags: lock held for writing --- */

static int flags_of_advice(const struct vma *v, int advice, u32 *set, u32 *clear)
{
	bool special = v->flags & VM_SPECIAL || v->ops;

	*set = 0;
	*clear = 0;
	switch (advice) {
	case MADV_DONTFORK: *set = VM_DONTFORK; break;
	case MADV_DOFORK: *clear = VM_DONTFORK; break;
	case MADV_WIPEONFORK:
		if (v->file || v->flags & VM_SHARED || special)
			return -EINVAL;
		*set = VM_WIPEONFORK;
		break;
	case MADV_KEEPONFORK: *clear = VM_WIPEONFORK; break;
	case MADV_DONTDUMP: *set = VM_DONTDUMP; break;
	case MADV_DODUMP:
		if (special)
			return -EINVAL;
		*clear = VM_DONTDUMP;
		break;
	case MADV_HUGEPAGE:
		if (special)
			return -EINVAL;
		*set = VM_HUGE;
		*clear = VM_NOHUGE;
		break;
	default: /* MADV_NOHUGEPAGE */
		if (special)
			return -EINVAL;
		*set = VM_NOHUGE;
		*clear = VM_HUGE;
		break;
	}
	return 0;
}

static int advise_flags(struct vma *v, uptr_t start, uptr_t end, int advice)
{
	u32 set, clear;
	int err = flags_of_advice(v, advice, &set, &clear);

	return err ? err : mm_change_flags_locked(v->mm, start, end, set, clear);
}

enum kind { KIND_BAD, KIND_PAGES, KIND_FLAGS, KIND_POPULATE };

static enum kind kind_of(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_COLD:
	case MADV_PAGEOUT: return KIND_PAGES;
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE: return KIND_FLAGS;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE: return KIND_POPULATE;
	default: return KIND_BAD;
	}
}

/* Applies to each vma in the range; holes are noticed, and reported when the rest is done. */
static int for_each_vma(struct mm *mm, uptr_t start, uptr_t end, int advice, bool flags)
{
	int hole = 0;

	while (start < end) {
		struct vma *v = vma_find(mm, start);
		uptr_t stop;
		int err;

		if (!v)
			return -ENOMEM;
		if (v->start > start) {
			hole = -ENOMEM;
			start = v->start;
			if (start >= end)
				break;
		}
		stop = min(v->end, end);
		err = flags ? advise_flags(v, start, stop, advice)
			    : advise_pages(v, start, stop, advice);
		if (err)
			return err;
		start = stop;
	}
	return hole;
}

int mm_advise(struct mm *mm, uptr_t addr, size_t len, int advice)
{
	enum kind kind = kind_of(advice);
	size_t size = ALIGN_UP(len, PAGE_SIZE);
	int err;

	if (kind == KIND_BAD || !IS_ALIGNED(addr, PAGE_SIZE) || (len && !size) ||
	    addr + size < addr)
		return -EINVAL;
	if (!size)
		return 0;
	if (kind == KIND_POPULATE)
		return mm_populate(mm, addr, size,
				   advice == MADV_POPULATE_READ ? POPULATE_READ : POPULATE_WRITE);
	if (kind == KIND_FLAGS) {
		rwsem_write_lock(&mm->lock);
		err = for_each_vma(mm, addr, addr + size, advice, true);
		mm_write_unlock(mm);
		return err;
	}
	rwsem_read_lock(&mm->lock);
	err = for_each_vma(mm, addr, addr + size, advice, false);
	rwsem_read_unlock(&mm->lock);
	return err;
}
