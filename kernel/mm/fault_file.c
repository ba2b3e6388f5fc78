/*
 * Faults of mappings of the page cache (files, shared anonymous memory) and of special mappings.
 *
 * A read maps what the cache has of the 16 pages around, too. A private write copies the page at once. A
 * shared write marks the page dirty; where dirty pages are written back (and only there) a read maps it
 * read-only, so that the first write is seen. Past the object's end it is SIGBUS.
 *
 * An entry is made under the page table's lock while page->mapping still is the mapping: see truncate.c
 * for why that is enough against truncation.
 */
#include "vma.h"

#define AROUND 16 /* pages, aligned */

static u64 object_pages(struct mapping *m)
{
	u64 size = m->ops && m->ops->size ? m->ops->size(m) : ~0ull;

	return (size >> PAGE_SHIFT) + !!(size & (PAGE_SIZE - 1));
}

static bool tracks_dirty(const struct mapping *m)
{
	return m->ops && m->ops->write_page;
}

/* What a page that is read may be mapped with. */
static unsigned read_prot(const struct vma *v)
{
	unsigned prot = vma_pt_prot(v);

	if (!(v->flags & VM_SHARED) || tracks_dirty(v->mapping))
		prot &= ~(unsigned)PT_WRITE;
	return prot;
}

static bool usable(const struct mapping *m, const struct page *p)
{
	return READ_ONCE(p->mapping) == m && smp_load_acquire(&p->flags) & PG_UPTODATE;
}

/* Maps pages[0..n) at slot[0..n) where there is nothing yet; takes over the references it uses, drops
 * the others. False when pages[need] could not be mapped because it left the cache. */
static bool map_pages(struct vma *v, pte_t *slot, struct page **pages, unsigned n, unsigned need,
		      unsigned prot)
{
	struct spinlock *lock = pte_lock_of(slot);
	unsigned mapped = 0, unused = 0;
	bool ok = true;

	spin_lock(lock);
	for (unsigned i = 0; i < n; i++) {
		struct page *p = pages[i];

		if (!p)
			continue;
		if (pte_none(pte_read(&slot[i])) && usable(v->mapping, p)) {
			pte_write(&slot[i], pte_make(page_to_phys(p), prot));
			mapped++;
			continue;
		}
		if (i == need && pte_none(pte_read(&slot[i])))
			ok = false;
		pages[unused++] = p;
	}
	spin_unlock(lock);
	if (mapped)
		rss_add(&v->mm->rss_file, mapped);
	if (unused)
		page_put_many(pages, unused);
	return ok;
}

/* The window of pages around addr that lies in the vma, the table and the object. */
static enum fault_result read_around(struct vma *v, uptr_t addr, pte_t *slot, struct page *p,
				     u64 limit)
{
	uptr_t from = ALIGN_DOWN(addr, AROUND * PAGE_SIZE);
	struct page *pages[AROUND];
	u64 index, n;
	unsigned here;

	if (from < v->start || INJECT("no_fault_around"))
		from = INJECT("no_fault_around") ? addr : v->start;
	here = (unsigned)((addr - from) >> PAGE_SHIFT);
	index = vma_index(v, from);
	n = (min(v->end, ALIGN_DOWN(addr, AROUND * PAGE_SIZE) + AROUND * PAGE_SIZE) - from) >>
	    PAGE_SHIFT;
	n = min(n, limit - index);
	(void)mapping_find_pages(v->mapping, index, (unsigned)n, pages);
	if (pages[here])
		page_put(pages[here]);
	pages[here] = p;
	return map_pages(v, slot - here, pages, (unsigned)n, here, read_prot(v)) ? FAULT_DONE
										 : FAULT_RETRY;
}

static enum fault_result write_shared(struct vma *v, pte_t *slot, struct page *p)
{
	struct page *page = p;

	if (!map_pages(v, slot, &page, 1, 0, vma_pt_prot(v) | PT_DIRTY))
		return FAULT_RETRY;
	/* After the entry: write-back that came in between leaves it dirty. Harmless if p has gone. */
	mapping_mark_dirty(v->mapping, p);
	return FAULT_DONE;
}

static enum fault_result write_private(struct vma *v, pte_t *slot, struct page *p)
{
	struct page *copy = page_alloc_anon(false);
	struct spinlock *lock = pte_lock_of(slot);
	bool gone;

	if (!copy) {
		page_put(p);
		return FAULT_NOMEM;
	}
	arch_page_copy(page_to_virt(copy), page_to_virt(p));
	v->has_anon = true;
	spin_lock(lock);
	gone = !usable(v->mapping, p);
	if (!gone && pte_none(pte_read(slot))) {
		pte_write(slot, pte_make(page_to_phys(copy), vma_pt_prot(v) | PT_DIRTY));
		rss_add(&v->mm->rss_anon, 1);
		copy = NULL;
	}
	spin_unlock(lock);
	if (copy)
		page_put(copy);
	page_put(p);
	return gone ? FAULT_RETRY : FAULT_DONE;
}

enum fault_result fault_file(struct vma *v, uptr_t addr, pte_t *slot, bool write)
{
	u64 index = vma_index(v, addr), limit = object_pages(v->mapping);
	struct page *p;
	int err;

	if (unlikely(index >= limit) && !INJECT("no_sigbus"))
		return FAULT_SIGBUS;
	err = mapping_get_page(v->mapping, index, &p);
	if (unlikely(err))
		return err == -ENOMEM ? FAULT_NOMEM : FAULT_SIGBUS;
	if (!write)
		return read_around(v, addr, slot, p, limit);
	if (v->flags & VM_SHARED)
		return write_shared(v, slot, p);
	return write_private(v, slot, p);
}

enum fault_result fault_special(struct vma *v, uptr_t addr, pte_t *slot)
{
	struct spinlock *lock = pte_lock_of(slot);
	unsigned prot = vma_pt_prot(v);
	struct page *p;

	if (!v->ops->fault || v->ops->fault(v, vma_index(v, addr), &p))
		return FAULT_SIGBUS;
	if (!(v->flags & VM_SHARED))
		prot &= ~(unsigned)PT_WRITE;
	spin_lock(lock);
	if (pte_none(pte_read(slot))) {
		pte_write(slot, pte_make(page_to_phys(p), prot));
		if (page_uncounted(p))
			page_put(p); /* stays for good: not counted by unmapping */
		else
			rss_add(&v->mm->rss_file, 1);
		p = NULL;
	}
	spin_unlock(lock);
	if (p)
		page_put(p);
	return FAULT_DONE;
}
