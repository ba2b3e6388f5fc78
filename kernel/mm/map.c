/*
 * Making mappings: where they go, limits, accounting. Semantics of mmap(2), brk(2).
 *
 * A new anonymous mapping that continues its neighbour only makes that one larger. Where nothing else is
 * said, mappings go below mm->mmap_base, highest gap first, and from a third of the address space upwards
 * once there is none.
 */
#include "vma.h"
#include <debug/trace.h>

#define BOTTOMUP_BASE ALIGN_DOWN(USER_TOP / 3, PAGE_SIZE)

#define LOW_BASE 0x40000000ul /* MAP_32BIT */
#define LOW_END 0x80000000ul

u64 (*mm_limit)(enum mm_limit which);

u64 mm_limit_get(enum mm_limit which)
{
	if (mm_limit)
		return mm_limit(which);
	return which == MM_LIMIT_STACK ? 8ull << 20 : ~0ull;
}

static bool is_data(u32 flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_STACK)) == VM_WRITE;
}

void mm_account(struct mm *mm, u32 flags, s64 npages)
{
	mm->total_vm += (u64)npages;
	if (is_data(flags))
		mm->data_vm += (u64)npages;
	else if (flags & VM_STACK)
		mm->stack_vm += (u64)npages;
	if (flags & VM_LOCKED)
		mm->locked_vm += (u64)npages;
}

int mm_may_expand(struct mm *mm, u32 flags, u64 npages)
{
	if (mm->total_vm + npages > mm_limit_get(MM_LIMIT_AS) >> PAGE_SHIFT)
		return -ENOMEM;
	if (is_data(flags) && mm->data_vm + npages > mm_limit_get(MM_LIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	/* Heuristic overcommit: only what can never be had is refused. */
	if (vma_accountable(flags) && npages > mem_total_pages)
		return -ENOMEM;
	return 0;
}

static bool range_free(struct mm *mm, uptr_t addr, size_t len)
{
	struct vma *prev, *next = vma_find_prev(mm, addr, &prev);

	return !next || addr + len <= vma_start_gap(next);
}

int mm_place(struct mm *mm, uptr_t hint, size_t len, uptr_t *out)
{
	uptr_t addr = ALIGN_DOWN(hint, PAGE_SIZE);

	if (len > USER_TOP - MM_MMAP_MIN)
		return -ENOMEM;
	if (addr) {
		addr = max(addr, MM_MMAP_MIN) + (INJECT("hint_ignored") ? PAGE_SIZE : 0);
		if (addr <= USER_TOP - len && range_free(mm, addr, len)) {
			*out = addr;
			return 0;
		}
	}
	addr = vma_gap_topdown(mm, len, MM_MMAP_MIN, mm->mmap_base);
	if (!addr)
		addr = vma_gap_bottomup(mm, len, BOTTOMUP_BASE, USER_TOP);
	if (!addr)
		return -ENOMEM;
	*out = addr;
	return 0;
}

/* How many pages of [start, end) are mapped. */
static u64 pages_in(struct mm *mm, uptr_t start, uptr_t end)
{
	u64 n = 0;

	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		n += (min(v->end, end) - max(v->start, start)) >> PAGE_SHIFT;
	return n;
}

/* Private anonymous memory, which is all of most programs' mappings. */
static int insert_anon(struct mm *mm, const struct vma *like)
{
	struct vma *prev, *next = vma_find_prev(mm, like->start, &prev), *v;

	if (vma_extend(mm, prev, next, like))
		return 0;
	v = vma_alloc(mm);
	if (!v)
		return -ENOMEM;
	v->start = like->start;
	v->end = like->end;
	v->flags = like->flags;
	vma_insert(mm, v);
	return 0;
}

/* Gives a new vma what it shows: a file's pages, a shared object, or operations of its own. */
static int attach_object(struct vma *v, const struct mmap_args *a)
{
	int err;

	if (a->ops) {
		v->ops = a->ops;
		v->ops_data = a->ops_data;
		return 0;
	}
	if (!a->file)
		return mapping_create_anon(&v->mapping, v->end - v->start);
	err = mm_file_mmap(a->file, v);
	if (err)
		return err;
	mm_file_get(a->file);
	v->file = a->file;
	return 0;
}

static int insert_object(struct mm *mm, const struct vma *like, const struct mmap_args *a)
{
	struct vma *v = vma_alloc(mm);
	int err;

	if (!v)
		return -ENOMEM;
	v->start = like->start;
	v->end = like->end;
	v->flags = like->flags;
	v->pgoff = a->pgoff;
	err = attach_object(v, a);
	if (err) {
		v->mapping = NULL;
		vma_free(v);
		return err;
	}
	vma_insert(mm, v);
	if (v->mapping && v->file)
		(void)vma_merge_both(v);
	return 0;
}

static int map_locked(struct mm *mm, const struct mmap_args *a, size_t len, uptr_t *out)
{
	struct vma like = { .mm = mm, .flags = a->vm_flags | mm->def_flags };
	uptr_t addr = a->addr;
	u64 replaced = 0;
	int err;

	if (mm->nr_vmas >= MM_MAP_COUNT_MAX)
		return -ENOMEM;
	if (a->low && !a->fixed) {
		addr = vma_gap_bottomup(mm, len, LOW_BASE, LOW_END);
		if (!addr)
			return -ENOMEM;
	} else if (!a->fixed) {
		err = mm_place(mm, a->addr, len, &addr);
		if (err)
			return err;
	} else {
		if (len > USER_TOP || addr > USER_TOP - len)
			return -ENOMEM;
		if (!IS_ALIGNED(addr, PAGE_SIZE))
			return -EINVAL;
		replaced = pages_in(mm, addr, addr + len);
		if (replaced && a->noreplace)
			return -EEXIST;
	}
	err = mm_may_expand(mm, like.flags, (len >> PAGE_SHIFT) - replaced);
	if (err)
		return err;
	if (replaced) {
		err = unmap_locked(mm, addr, addr + len);
		if (err)
			return err;
	}
	like.start = addr;
	like.end = addr + len;
	if (a->file || a->ops || like.flags & VM_SHARED)
		err = insert_object(mm, &like, a);
	else
		err = insert_anon(mm, &like);
	if (err)
		return err;
	mm_account(mm, like.flags, (s64)(len >> PAGE_SHIFT));
	*out = addr;
	return 0;
}

int mm_map(struct mm *mm, const struct mmap_args *a, uptr_t *out)
{
	size_t len = ALIGN_UP(a->len, PAGE_SIZE);
	uptr_t addr = 0;
	int err;

	if (!a->len)
		return -EINVAL;
	if (!len)
		return -ENOMEM;
	if (a->pgoff + (len >> PAGE_SHIFT) < a->pgoff)
		return -EOVERFLOW;
	rwsem_write_lock(&mm->lock);
	err = map_locked(mm, a, len, &addr);
	mm_write_unlock(mm);
	TRACE(mmap, addr, len, a->vm_flags, err);
	if (err)
		return err;
	if (unlikely(a->populate || mm->def_flags & VM_LOCKED))
		(void)mm_populate(mm, addr, len, POPULATE_BY_VMA);
	*out = addr;
	return 0;
}

/* --- brk --- */

static int brk_grow(struct mm *mm, uptr_t from, uptr_t to)
{
	struct vma like = {
		.mm = mm,
		.start = from,
		.end = to,
		.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT |
			 VM_HEAP | mm->def_flags,
	};
	int err;

	if (to > USER_TOP || !range_free(mm, from, to - from + PAGE_SIZE))
		return -ENOMEM;
	err = mm_may_expand(mm, like.flags, (to - from) >> PAGE_SHIFT);
	if (!err && mm->nr_vmas >= MM_MAP_COUNT_MAX)
		err = -ENOMEM;
	if (!err)
		err = insert_anon(mm, &like);
	if (!err)
		mm_account(mm, like.flags, (s64)((to - from) >> PAGE_SHIFT));
	return err;
}

int mm_brk(struct mm *mm, uptr_t brk)
{
	uptr_t from, to;
	int err = -ENOMEM;

	rwsem_write_lock(&mm->lock);
	from = ALIGN_UP(mm->brk, PAGE_SIZE);
	to = ALIGN_UP(brk, PAGE_SIZE);
	if (brk < mm->brk_start || to < brk)
		goto out;
	if (brk - mm->brk_start + (mm->data_end - mm->data_start) > mm_limit_get(MM_LIMIT_DATA))
		goto out;
	err = 0;
	if (to > from)
		err = brk_grow(mm, from, to);
	else if (to < from && !INJECT("brk_never_shrinks"))
		err = unmap_locked(mm, to, from);
	if (!err)
		mm->brk = brk;
out:
	mm_write_unlock(mm);
	TRACE(brk, brk, err);
	if (!err && to > from && mm->def_flags & VM_LOCKED)
		(void)mm_populate(mm, from, to - from, POPULATE_BY_VMA);
	return err;
}
