/*
 * Page cache: taking pages out again, and writing dirty ones back.
 *
 * Truncation first takes pages out of the cache (page->mapping becomes NULL), then unmaps them from all
 * address spaces. A fault that found a page before checks page->mapping under the page table's lock, so
 * either it sees that the page has gone, or its entry is there for the unmapping to find. mapping->lock
 * keeps every vma of the list, and so its page tables, in being.
 */
#include "internal.h"
#include "mapping_internal.h"

#define BATCH 32

/* m->lock held; the page is in the tree. The cache's reference becomes the caller's. */
static void take_out(struct mapping *m, struct page *p)
{
	radix_delete(&m->pages, p->index);
	m->nr_pages--;
	reclaim_remove(p);
	__atomic_fetch_and(&p->flags, ~(u32)(PG_CACHE | PG_DIRTY), __ATOMIC_RELAXED);
	__atomic_store_n(&p->mapping, NULL, __ATOMIC_SEQ_CST);
	atomic64_dec(&mem_cached_pages);
}

/* Takes up to BATCH pages out from *index on. Stops at a locked one, which is returned with a reference. */
static struct page *take_batch(struct mapping *m, u64 *index, u64 last, struct page **pages,
			       unsigned *n)
{
	struct page *p, *busy = NULL;

	*n = 0;
	spin_lock(&m->lock);
	while (*n < BATCH && (p = radix_next(&m->pages, index)) != NULL && *index <= last) {
		if (unlikely(READ_ONCE(p->flags) & (PG_LOCKED | PG_WRITEBACK))) {
			page_get(p);
			busy = p;
			break;
		}
		take_out(m, p);
		pages[(*n)++] = p;
	}
	spin_unlock(&m->lock);
	return busy;
}

void mapping_truncate(struct mapping *m, u64 first, u64 last)
{
	struct page *pages[BATCH], *busy;
	u64 index = first;
	unsigned n;

	do {
		busy = take_batch(m, &index, last, pages, &n);
		page_put_many(pages, n);
		if (unlikely(busy)) {
			page_lock(busy); /* wait for the transfer to end */
			page_unlock(busy);
			page_put(busy);
		}
	} while (n || busy);
	spin_lock(&m->lock);
	if (!list_empty(&m->vmas) && !INJECT("truncate_keeps_mapped"))
		mapping_unmap_locked(m, first, last, last == ~0ull);
	spin_unlock(&m->lock);
}

/* The first dirty page from *index on, with a reference and locked; no longer dirty. */
static struct page *next_dirty(struct mapping *m, u64 *index, u64 last)
{
	struct page *p;

	spin_lock(&m->lock);
	p = radix_next_tagged(&m->pages, index, MAPPING_TAG_DIRTY);
	if (p && *index <= last && !INJECT("sync_loses"))
		page_get(p);
	else
		p = NULL;
	spin_unlock(&m->lock);
	if (p)
		page_lock(p);
	return p;
}

static int write_back(struct mapping *m, struct page *p, u64 index)
{
	int err;

	spin_lock(&m->lock);
	if (p->mapping != m || !(p->flags & PG_DIRTY)) {
		spin_unlock(&m->lock);
		return 0;
	}
	__atomic_fetch_and(&p->flags, ~(u32)PG_DIRTY, __ATOMIC_RELAXED);
	radix_clear_tag(&m->pages, index, MAPPING_TAG_DIRTY);
	if (!list_empty(&m->vmas))
		mapping_protect_locked(m, index);
	spin_unlock(&m->lock);
	err = m->ops->write_page(m, p);
	if (err)
		mapping_mark_dirty(m, p);
	return err;
}

int mapping_sync(struct mapping *m, u64 first, u64 last)
{
	struct page *p;
	int err = 0;

	if (!m->ops || !m->ops->write_page)
		return 0;
	for (u64 index = first; (p = next_dirty(m, &index, last)) != NULL; index++) {
		int e = write_back(m, p, index);

		page_unlock(p);
		page_put(p);
		if (!err)
			err = e;
		if (index == last)
			break;
	}
	return err;
}
