/*
 * Moving and resizing mappings. Semantics and errors of mremap(2).
 *
 * Moving takes the page-table entries from one place to the other, a table's worth at a time. For a
 * mapping of the page cache each step is made under the mapping's lock, so that a truncation, which
 * looks at all mappings under that lock, finds every page in one place or the other.
 */
#include <uapi/mman.h>
#include "vma.h"
#include "huge.h"

struct remap {
	struct mm *mm;
	uptr_t addr, new_addr;
	size_t old_len, new_len;
	unsigned flags;
};

/* --- entries --- */

static void move_some(pte_t *from, pte_t *to, unsigned n)
{
	const pte_t empty = { 0 };

	/* Faults are excluded by mm->lock; truncation by the mapping's: the table's own is enough. */
	spin_lock(pte_lock_of(from));
	for (unsigned i = 0; i < n; i++) {
		pte_t e = pte_read(&from[i]);

		if (pte_none(e))
			continue;
		pte_copy(&to[i], e);
		pte_write(&from[i], empty);
	}
	spin_unlock(pte_lock_of(from));
}

static uptr_t span_end(uptr_t addr)
{
	return ALIGN_DOWN(addr, HUGE_SIZE) + HUGE_SIZE;
}

/* Moves what is mapped in [from, from + len) to `to`; how many bytes it got over (all, unless memory for
 * tables ran out). */
static size_t move_entries(struct vma *v, uptr_t from, uptr_t to, size_t len)
{
	struct mm *mm = v->mm;
	size_t done = 0;

	while (done < len) {
		uptr_t at = from + done, next;
		size_t n = min(len - done, span_end(at) - at);
		pte_t *l1 = walk_level1(mm->root, at, &next), *slot, *table;

		if (!l1 || pte_none(pte_read(l1))) {
			done += n;
			continue;
		}
		if (!pte_is_table(pte_read(l1)) && huge_split(mm, l1, at))
			break;
		n = min(n, span_end(to + done) - (to + done));
		if (pgtable_walk_alloc(mm->root, to + done, 0, &slot))
			break;
		table = phys_to_virt(pte_paddr(pte_read(l1)));
		if (v->mapping)
			spin_lock(&v->mapping->lock);
		move_some(&table[pt_index(at, 0)], slot, (unsigned)(n >> PAGE_SHIFT));
		if (v->mapping)
			spin_unlock(&v->mapping->lock);
		done += n;
	}
	tlb_flush_range(mm, from, from + len, false);
	return done;
}

/* --- checks --- */

static int check_resize(const struct remap *r, const struct vma *v)
{
	u64 more = (r->new_len - r->old_len) >> PAGE_SHIFT;

	if (!r->old_len && !(v->flags & VM_SHARED))
		return -EINVAL;
	if (r->flags & MREMAP_DONTUNMAP && v->flags & VM_SPECIAL)
		return -EINVAL;
	if (r->old_len > v->end - r->addr)
		return -EFAULT;
	if (r->new_len == r->old_len)
		return 0;
	if (v->ops || v->flags & VM_SPECIAL)
		return -EFAULT;
	if (v->mapping) {
		u64 index = vma_index(v, r->addr);

		if (index + (r->new_len >> PAGE_SHIFT) < index)
			return -EINVAL;
	}
	if (v->flags & VM_LOCKED &&
	    r->mm->locked_vm + more > mm_limit_get(MM_LIMIT_MEMLOCK) >> PAGE_SHIFT)
		return -EAGAIN;
	return mm_may_expand(r->mm, v->flags, more);
}

/* --- moving --- */

static int move_mapping(const struct remap *r, struct vma *v)
{
	struct vma *n = vma_dup(r->mm, v);
	size_t moved;

	if (!n)
		return -ENOMEM;
	n->start = r->new_addr;
	n->end = r->new_addr + r->new_len;
	if (v->mapping || v->ops)
		n->pgoff = vma_index(v, r->addr);
	vma_insert(r->mm, n);
	moved = INJECT("mremap_drops") ? r->old_len
				       : move_entries(v, r->addr, r->new_addr, r->old_len);
	if (moved < r->old_len) {
		(void)move_entries(n, r->new_addr, r->addr, moved); /* its tables are there */
		vma_erase(r->mm, n);
		n->gone_next = r->mm->gone;
		r->mm->gone = n;
		unmap_tables_of(r->mm, r->new_addr, r->new_addr + r->new_len);
		return -ENOMEM;
	}
	mm_account(r->mm, n->flags, (s64)vma_pages(n));
	(void)vma_merge_both(n);
	if (r->flags & MREMAP_DONTUNMAP) {
		v = vma_find(r->mm, r->addr);
		if (v && v->flags & VM_LOCKED)
			(void)mm_change_flags_locked(r->mm, r->addr, r->addr + r->old_len, 0,
						     VM_LOCKED);
		return 0;
	}
	return r->old_len ? unmap_locked(r->mm, r->addr, r->addr + r->old_len) : 0;
}

/* MREMAP_FIXED or MREMAP_DONTUNMAP. */
static int remap_to(struct remap *r)
{
	struct mm *mm = r->mm;
	struct vma *v;
	int err;

	if (!IS_ALIGNED(r->new_addr, PAGE_SIZE) || r->new_len > USER_TOP ||
	    r->new_addr > USER_TOP - r->new_len)
		return -EINVAL;
	if (r->addr + r->old_len > r->new_addr && r->new_addr + r->new_len > r->addr)
		return -EINVAL;
	if (mm->nr_vmas + 3 > MM_MAP_COUNT_MAX)
		return -ENOMEM;
	if (r->flags & MREMAP_FIXED) {
		err = unmap_locked(mm, r->new_addr, r->new_addr + r->new_len);
		if (err)
			return err;
	}
	if (r->old_len > r->new_len) {
		err = unmap_locked(mm, r->addr + r->new_len, r->addr + r->old_len);
		if (err)
			return err;
		r->old_len = r->new_len;
	}
	v = vma_find(mm, r->addr);
	if (!v || v->start > r->addr)
		return -EFAULT;
	err = check_resize(r, v);
	if (!err && r->flags & MREMAP_DONTUNMAP)
		err = mm_may_expand(mm, v->flags, r->new_len >> PAGE_SHIFT);
	if (!err && !(r->flags & MREMAP_FIXED))
		err = mm_place(mm, r->new_addr, r->new_len, &r->new_addr);
	return err ? err : move_mapping(r, v);
}

/* Larger, in place: true when there was room. */
static bool grow_in_place(const struct remap *r, struct vma *v)
{
	size_t more = r->new_len - r->old_len;
	struct vma *next = vma_next(v);

	if (r->old_len != v->end - r->addr || v->end + more < v->end || v->end + more > USER_TOP)
		return false;
	if (next && vma_start_gap(next) < v->end + more)
		return false;
	vma_resize(v, v->start, v->end + more);
	mm_account(r->mm, v->flags, (s64)(more >> PAGE_SHIFT));
	if (next)
		(void)vma_merge_prev(next);
	return true;
}

static int remap_locked(struct remap *r)
{
	struct vma *v = vma_find(r->mm, r->addr);
	int err;

	if (!v || v->start > r->addr)
		return -EFAULT;
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(r);
	if (r->old_len >= r->new_len) {
		r->new_addr = r->addr;
		if (r->old_len == r->new_len)
			return 0;
		return unmap_locked(r->mm, r->addr + r->new_len, r->addr + r->old_len);
	}
	err = check_resize(r, v);
	if (err)
		return err;
	if (grow_in_place(r, v)) {
		r->new_addr = r->addr;
		return 0;
	}
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	err = mm_place(r->mm, 0, r->new_len, &r->new_addr);
	return err ? err : move_mapping(r, v);
}

int mm_remap(struct mm *mm, uptr_t addr, size_t old_len, size_t new_len, unsigned flags,
	     uptr_t new_addr, uptr_t *out)
{
	struct remap r = {
		mm,   addr, new_addr, ALIGN_UP(old_len, PAGE_SIZE), ALIGN_UP(new_len, PAGE_SIZE),
		flags
	};
	struct vma *v;
	bool locked;
	int err;

	if (flags & ~(unsigned)(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP) ||
	    (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && (!(flags & MREMAP_MAYMOVE) || old_len != new_len))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || !r.new_len || r.new_len > USER_TOP)
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	err = remap_locked(&r);
	v = err ? NULL : vma_find(mm, r.new_addr);
	locked = v && v->flags & VM_LOCKED && r.new_len > r.old_len;
	mm_write_unlock(mm);
	if (err)
		return err;
	if (locked)
		(void)mm_populate(mm, r.new_addr + r.old_len, r.new_len - r.old_len,
				  POPULATE_BY_VMA);
	*out = r.new_addr;
	return 0;
}
