/*
 * Taking mappings away: page-table entries in batches, page tables that serve nothing any more, and the
 * VMAs themselves; at the end of an address space all of it.
 *
 * A page is freed only after the TLBs that may know it were flushed: entries are cleared and their pages
 * collected, and a full batch is flushed and freed as one. A table is freed when the whole span it
 * serves lies in the hole between two VMAs. It is empty then, and goes back to the store of zeroed pages.
 *
 * Locks: mm->lock for writing; from the page cache (truncate) the mapping's lock instead, which keeps the
 * vma, and so its tables, from going. Entries under the lock of their table's page.
 */
#include "vma.h"
#include "huge.h"
#include "mapping_internal.h"
#include <debug/trace.h>

/* The end of what the user half's tables serve. */
#define TABLES_TOP ALIGN_UP(USER_TOP, PAGE_SIZE << (9 * (PT_LEVELS - 1)))

/* --- entries --- */

void unmap_begin(struct unmap_batch *b, struct mm *mm)
{
	b->mm = mm;
	b->start = ~0ul;
	b->end = 0;
	b->n = 0;
	b->dead = false;
	b->anon = 0;
	b->file = 0;
}

static void flush_batch(struct unmap_batch *b)
{
	if (b->end > b->start) {
		if (!b->dead)
			tlb_flush_range(b->mm, b->start, b->end, false);
		b->start = ~0ul;
		b->end = 0;
	}
	if (b->n)
		page_put_many(b->pages, b->n);
	b->n = 0;
}

void unmap_end(struct unmap_batch *b)
{
	flush_batch(b);
	if (b->anon || b->file)
		b->mm->hiwater_rss = mm_rss_peak(b->mm);
	if (b->anon)
		rss_add(&b->mm->rss_anon, -b->anon);
	if (b->file)
		rss_add(&b->mm->rss_file, -b->file);
}

pte_t *walk_level1(pte_t *root, uptr_t addr, uptr_t *next)
{
	pte_t *table = root;

	for (int l = PT_LEVELS - 1; l > 1; l--) {
		pte_t e = pte_read(&table[pt_index(addr, l)]);

		if (!pte_is_table(e)) {
			uptr_t span = PAGE_SIZE << (9 * l);

			*next = ALIGN_DOWN(addr, span) + span;
			return NULL;
		}
		table = phys_to_virt(pte_paddr(e));
	}
	return &table[pt_index(addr, 1)];
}

#define GROUP 8 /* entries that are looked at in one go: most of a large mapping's hold nothing */

/* Their table's lock is held: a look that is not atomic will do. */
static bool group_empty(const pte_t *e)
{
	return !(e[0].v | e[1].v | e[2].v | e[3].v | e[4].v | e[5].v | e[6].v | e[7].v);
}

/* Entries [slot, slot + n) of one table, which map addr on. Stops when the batch is full: how many done. */
static unsigned clear_entries(struct unmap_batch *b, pte_t *slot, unsigned n, uptr_t addr,
			      bool copies)
{
	struct spinlock *lock = pte_lock_of(slot);
	const pte_t empty = { 0 };
	uptr_t first = 0, last = 0;
	unsigned i;

	spin_lock(lock);
	for (i = 0; i < n; i++) {
		pte_t e = pte_read(&slot[i]);
		struct page *p;
		u32 flags;

		if (pte_none(e)) {
			if (i % GROUP == 0 && n - i >= GROUP && group_empty(&slot[i]))
				i += GROUP - 1;
			continue;
		}
		p = phys_to_page(pte_paddr(e));
		flags = READ_ONCE(p->flags);
		if (!copies && flags & PG_ANON)
			continue;
		if (unlikely(b->n == UNMAP_BATCH))
			break;
		pte_write(&slot[i], empty);
		last = addr + i * PAGE_SIZE + PAGE_SIZE;
		if (!first)
			first = last;
		if (flags & PG_RESERVED)
			continue;
		if (flags & PG_ANON)
			b->anon++;
		else
			b->file++;
		b->pages[b->n++] = p;
	}
	spin_unlock(lock);
	if (last) {
		b->start = min(b->start, first - PAGE_SIZE);
		b->end = max(b->end, last);
	}
	return i;
}

void unmap_entries(struct unmap_batch *b, struct vma *v, uptr_t start, uptr_t end, bool copies)
{
	while (start < end) {
		uptr_t next = ALIGN_DOWN(start, HUGE_SIZE) + HUGE_SIZE;
		pte_t *l1 = walk_level1(b->mm->root, start, &next);
		pte_t e = l1 ? pte_read(l1) : (pte_t){ 0 };

		if (!l1 || pte_none(e)) {
			start = next;
			continue;
		}
		if (unlikely(!pte_is_table(e))) {
			if (!huge_unmap(b, v, l1, start, min(end, next)))
				continue; /* it was split: look again */
			start = next;
			continue;
		}
		pte_t *table = phys_to_virt(pte_paddr(e));
		unsigned n = (unsigned)((min(end, next) - start) >> PAGE_SHIFT);
		unsigned done = clear_entries(b, &table[pt_index(start, 0)], n, start, copies);

		start += done * PAGE_SIZE;
		if (done < n)
			flush_batch(b);
	}
}

/* --- tables --- */

struct table_walk {
	uptr_t start, end; /* what was unmapped */
	uptr_t low, high; /* the hole around it */
	struct page *chain; /* tables taken out */
};

/* Takes out the tables below `table`, whose entries are of `level` and begin at base. */
static void collect_tables(struct table_walk *w, pte_t *table, int level, uptr_t base)
{
	uptr_t span = PAGE_SIZE << (9 * level);
	const pte_t empty = { 0 };
	uptr_t addr = max(ALIGN_DOWN(w->start, span), base);
	uptr_t stop = min(w->end, base + span * PT_ENTRIES);

	for (; addr < stop; addr += span) {
		pte_t *slot = &table[pt_index(addr, level)];
		pte_t e = pte_read(slot);
		struct page *p;

		if (!pte_is_table(e))
			continue;
		if (level > 1)
			collect_tables(w, phys_to_virt(pte_paddr(e)), level - 1, addr);
		if (addr < w->low || addr + span > w->high)
			continue;
		pte_write(slot, empty);
		p = phys_to_page(pte_paddr(e));
		p->link.next = w->chain ? &w->chain->link : NULL;
		w->chain = p;
	}
}

void unmap_tables(struct mm *mm, uptr_t start, uptr_t end, uptr_t low, uptr_t high, bool dead)
{
	struct table_walk w = { start, end, low, high, NULL };

	/* Most often the hole is smaller than a table's span. */
	if (ALIGN_UP(low, HUGE_SIZE) + HUGE_SIZE > high)
		return;
	collect_tables(&w, mm->root, PT_LEVELS - 1, 0);
	if (!w.chain)
		return;
	if (!dead)
		tlb_flush_range(mm, start, end, true);
	while (w.chain) {
		struct page *p = w.chain;

		w.chain = p->link.next ? list_entry(p->link.next, struct page, link) : NULL;
		if (INJECT("tables_leak"))
			continue;
		pgtable_page_free(p);
	}
}

void unmap_tables_of(struct mm *mm, uptr_t start, uptr_t end)
{
	struct vma *prev, *next = vma_find_prev(mm, start, &prev);

	unmap_tables(mm, start, end, prev ? prev->end : 0, next ? next->start : TABLES_TOP, false);
}

/* --- VMAs --- */

int unmap_locked(struct mm *mm, uptr_t start, uptr_t end)
{
	struct unmap_batch b;
	struct vma *v, *next, *prev;
	uptr_t low, high;
	int err;

	v = vma_find(mm, start);
	if (!v || v->start >= end)
		return 0;
	if (v->start < start || v->end != end) {
		err = vma_split_range(mm, start, end);
		if (err)
			return err;
		v = vma_find(mm, start);
	}
	prev = vma_prev(v);
	low = prev ? prev->end : 0;
	unmap_begin(&b, mm);
	for (; v && v->start < end; v = next) {
		next = vma_next(v);
		vma_erase(mm, v);
		mm_account(mm, v->flags, -(s64)vma_pages(v));
		unmap_entries(&b, v, v->start, v->end, true);
		v->gone_next = mm->gone;
		mm->gone = v;
	}
	high = v ? v->start : TABLES_TOP;
	unmap_end(&b);
	unmap_tables(mm, start, end, low, high, false);
	return 0;
}

static void free_gone(struct vma *v)
{
	while (v) {
		struct vma *next = v->gone_next;

		vma_free(v);
		v = next;
	}
}

void mm_write_unlock(struct mm *mm)
{
	struct vma *gone = mm->gone;

	mm->gone = NULL;
	rwsem_write_unlock(&mm->lock);
	free_gone(gone);
}

int mm_unmap(struct mm *mm, uptr_t addr, size_t len)
{
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || len > USER_TOP || addr > USER_TOP - len)
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (!len)
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	err = unmap_locked(mm, addr, addr + len);
	mm_write_unlock(mm);
	TRACE(munmap, addr, len, err);
	return err;
}

void unmap_all(struct mm *mm)
{
	struct unmap_batch b;
	struct vma *v = rb_entry_or_null(rb_first(&mm->vmas), struct vma, node), *next;

	unmap_begin(&b, mm);
	b.dead = true;
	for (; v; v = next) {
		next = vma_next(v);
		unmap_entries(&b, v, v->start, v->end, true);
		vma_unlink_mapping(v);
		unmap_tables(mm, v->start, v->end, 0, next ? next->start : TABLES_TOP, true);
		v->gone_next = mm->gone;
		mm->gone = v;
	}
	unmap_end(&b);
	mm->last_hit = NULL;
	mm->vmas.node = NULL;
	mm->nr_vmas = 0;
}

/* --- for the page cache --- */

void mapping_unmap_locked(struct mapping *m, u64 first, u64 last, bool copies)
{
	struct vma *v;

	list_for_each_entry(v, &m->vmas, mapping_link) {
		u64 from = max(first, v->pgoff), to = min(last, v->pgoff + vma_pages(v) - 1);
		struct unmap_batch b;

		if (from > to)
			continue;
		unmap_begin(&b, v->mm);
		unmap_entries(&b, v, v->start + ((from - v->pgoff) << PAGE_SHIFT),
			      v->start + ((to - v->pgoff + 1) << PAGE_SHIFT), copies);
		unmap_end(&b);
	}
}

static void protect_one(struct vma *v, uptr_t addr)
{
	uptr_t next;
	pte_t *l1 = walk_level1(v->mm->root, addr, &next), *slot, e;

	if (!l1 || !pte_is_table(pte_read(l1)))
		return;
	slot = (pte_t *)phys_to_virt(pte_paddr(pte_read(l1))) + pt_index(addr, 0);
	spin_lock(pte_lock_of(slot));
	e = pte_read(slot);
	if (pte_present(e) && pte_writable(e)) {
		pte_write(slot, pte_make(pte_paddr(e), vma_pt_prot(v) & ~(unsigned)PT_WRITE));
		tlb_flush_range(v->mm, addr, addr + PAGE_SIZE, false);
	}
	spin_unlock(pte_lock_of(slot));
}

void mapping_protect_locked(struct mapping *m, u64 index)
{
	struct vma *v;

	list_for_each_entry(v, &m->vmas, mapping_link)
		if (v->flags & VM_SHARED && index >= v->pgoff && index - v->pgoff < vma_pages(v))
			protect_one(v, v->start + ((index - v->pgoff) << PAGE_SHIFT));
}
