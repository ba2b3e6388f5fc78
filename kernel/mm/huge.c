/*
 * Huge pages (2 MiB) of private anonymous memory.
 *
 * A huge page is 512 ordinary pages, each with a reference of its own, that one level-1 entry maps. So
 * splitting it is a change of page tables alone: whatever is to treat a part differently (partial munmap,
 * mprotect, fork) splits first and goes on with small pages. A huge entry is always writable if its VMA
 * is. When all references are gone at once, the block goes back to the allocator as a whole.
 *
 * They are used where madvise(MADV_HUGEPAGE) asks for it, and where a program fills a large region
 * in order: the span beside the new one is full. A first touch never costs zeroing 2 MiB on suspicion.
 *
 * Locks: as all entries, under mm->lock; level-1 entries are filled by compare-and-swap, and change under the lock
 * of the level-1 table's page when a page is split, taken out or referenced.
 */
#include "huge.h"

#define HUGE_ORDER (HUGE_SHIFT - PAGE_SHIFT)
#define HUGE_PAGES (1u << HUGE_ORDER)

/* Is the span that begins at base full, as far as a look at a few entries tells? */
static bool span_full(const struct vma *v, uptr_t base)
{
	static const u16 probe[] = { 0, 1, 100, 255, 256, 400, 510, 511 };
	pte_t *l1, *table, e;
	uptr_t next;

	if (base < v->start || base + HUGE_SIZE > v->end)
		return false;
	l1 = walk_level1(v->mm->root, base, &next);
	e = l1 ? pte_read(l1) : (pte_t){ 0 };
	if (!l1 || !pte_present(e))
		return false;
	if (!pte_is_table(e))
		return true;
	table = phys_to_virt(pte_paddr(e));
	for (unsigned i = 0; i < ARRAY_SIZE(probe); i++)
		if (!pte_present(pte_read(&table[probe[i]])))
			return false;
	return true;
}

bool huge_wanted(const struct vma *v, uptr_t addr)
{
	uptr_t base = ALIGN_DOWN(addr, HUGE_SIZE);

	if (v->mapping || v->ops || v->file || v->flags & (VM_NOHUGE | VM_GROWSDOWN | VM_SPECIAL))
		return false;
	if (base < v->start || base + HUGE_SIZE > v->end || INJECT("huge_never"))
		return false;
	if (v->flags & VM_HUGE)
		return true;
	return page_free_count() > mem_total_pages / 4 &&
	       (span_full(v, base - HUGE_SIZE) || span_full(v, base + HUGE_SIZE));
}

static void free_pages(struct page *p)
{
	for (unsigned i = 0; i < HUGE_PAGES; i++) {
		u32 one = 1;

		if (__atomic_compare_exchange_n(&p[i].refs, &one, 0, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			continue;
		/* Somebody uses this one: each goes by itself. */
		for (unsigned k = 0; k < i; k++)
			__atomic_store_n(&p[k].refs, 1, __ATOMIC_RELEASE);
		for (unsigned k = 0; k < HUGE_PAGES; k++)
			page_put(p + k);
		return;
	}
	for (unsigned i = 1; i < HUGE_PAGES; i++)
		p[i].flags = 0;
	p->flags = PG_ANON | PG_HEAD;
	p->order = HUGE_ORDER;
	__atomic_store_n(&p->refs, 1, __ATOMIC_RELEASE);
	page_put(p);
}

enum fault_result huge_fault(struct vma *v, uptr_t addr, pte_t *l1)
{
	struct page *p = page_alloc(HUGE_ORDER, ALLOC_USER | ALLOC_ZERO | ALLOC_NO_RECLAIM);
	const pte_t empty = { 0 };

	if (!p)
		return FAULT_NOMEM;
	for (unsigned i = 0; i < HUGE_PAGES; i++) {
		p[i].flags = PG_ANON;
		p[i].refs = 1;
	}
	mem_count(MEM_ANON, HUGE_PAGES);
	v->has_anon = true;
	if (!pte_cmpxchg(l1, empty,
			 pte_make(page_to_phys(p), vma_pt_prot(v) | PT_HUGE | PT_DIRTY))) {
		free_pages(p);
		return FAULT_RETRY; /* another thread was faster */
	}
	rss_add(&v->mm->rss_anon, HUGE_PAGES);
	return FAULT_DONE;
}

enum fault_result huge_write(struct vma *v, uptr_t addr, pte_t *l1)
{
	return huge_split(v->mm, l1, addr) ? FAULT_NOMEM : FAULT_RETRY;
}

int huge_split(struct mm *mm, pte_t *l1, uptr_t addr)
{
	uptr_t base = ALIGN_DOWN(addr, HUGE_SIZE);
	struct page *t = pgtable_page_alloc();
	pte_t *table, e;
	unsigned prot;

	if (!t)
		return -ENOMEM;
	table = page_to_virt(t);
	spin_lock(pte_lock_of(l1));
	e = pte_read(l1);
	if (!pte_present(e) || pte_is_table(e)) {
		spin_unlock(pte_lock_of(l1));
		pgtable_page_free(t);
		return 0;
	}
	prot = pte_prot(e) & ~(unsigned)PT_HUGE;
	for (unsigned i = 0; i < PT_ENTRIES; i++)
		table[i] = pte_make(pte_paddr(e) + i * PAGE_SIZE, prot);
	arch_pte_break(mm, base, l1);
	pte_write(l1, pte_make_table(page_to_phys(t)));
	spin_unlock(pte_lock_of(l1));
	tlb_flush_range(mm, base, base + HUGE_SIZE, true);
	return 0;
}

bool huge_unmap(struct unmap_batch *b, struct vma *v, pte_t *l1, uptr_t start, uptr_t end)
{
	const pte_t empty = { 0 };
	pte_t e;

	if (!IS_ALIGNED(start, HUGE_SIZE) || end - start < HUGE_SIZE) {
		while (huge_split(b->mm, l1, start))
			if (!fault_out_of_memory())
				return true; /* cannot be: a table comes from the reserve */
		return false;
	}
	spin_lock(pte_lock_of(l1));
	e = pte_read(l1);
	if (pte_present(e) && !pte_is_table(e))
		pte_write(l1, empty);
	else
		e = empty;
	spin_unlock(pte_lock_of(l1));
	if (pte_none(e))
		return pte_none(pte_read(l1)); /* split or taken out by another thread */
	if (!b->dead)
		tlb_flush_range(b->mm, start, start + HUGE_SIZE, true);
	free_pages(phys_to_page(pte_paddr(e)));
	b->anon += HUGE_PAGES;
	return true;
}

struct page *huge_page_get(pte_t *l1, uptr_t addr, bool write)
{
	struct page *p = NULL;
	pte_t e;

	spin_lock(pte_lock_of(l1));
	e = pte_read(l1);
	if (pte_present(e) && !pte_is_table(e) && (!write || pte_writable(e))) {
		p = phys_to_page(pte_paddr(e)) + ((addr & (HUGE_SIZE - 1)) >> PAGE_SHIFT);
		page_get(p);
	}
	spin_unlock(pte_lock_of(l1));
	return p;
}

int huge_split_at(struct mm *mm, uptr_t addr)
{
	uptr_t next;
	pte_t *l1;

	if (IS_ALIGNED(addr, HUGE_SIZE))
		return 0;
	l1 = walk_level1(mm->root, addr, &next);
	if (!l1 || !pte_present(pte_read(l1)) || pte_is_table(pte_read(l1)))
		return 0;
	return huge_split(mm, l1, addr);
}
