/* Boot stages: physical memory and the page allocator. */
#include <mm/pgtable.h>
#include "mm_test.h"

int stage_mm_memory_map(struct stage *s)
{
	u64 ram = 0;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];
		u64 first = r->base >> PAGE_SHIFT, last = (r->base + r->size - 1) >> PAGE_SHIFT;
		int level;

		if (!pfn_is_ram(first))
			continue;
		ram += r->size >> PAGE_SHIFT;
		STAGE_CHECK(s, pgtable_lookup(kernel_root, (vaddr_t)pfn_to_page(first), &level));
		STAGE_CHECK(s, pgtable_lookup(kernel_root, (vaddr_t)pfn_to_page(last), &level));
		STAGE_CHECK_EQ(s, page_to_pfn(pfn_to_page(last)), last);
		if (r->kind != MEM_USABLE)
			STAGE_CHECK(s, pfn_to_page(first)->flags & (PG_RESERVED | PG_CACHE));
	}
	STAGE_CHECK_EQ(s, mem_total_pages, ram);
	STAGE_CHECK(s, page_free_count() > ram / 2 && page_free_count() < ram);
	return mm_test_check(s);
}

int stage_mm_direct_map(struct stage *s)
{
	for (unsigned i = 0; i < 64; i++) {
		struct page *p = page_alloc(0, ALLOC_KERNEL);
		int level;
		pte_t *pte;

		STAGE_CHECK(s, p);
		STAGE_CHECK_EQ(s, virt_to_phys(page_to_virt(p)), page_to_phys(p));
		STAGE_CHECK(s, virt_to_page(page_to_virt(p)) == p);
		pte = pgtable_lookup(kernel_root, (vaddr_t)page_to_virt(p), &level);
		STAGE_CHECK(s, pte);
		STAGE_CHECK(s,
			    pte_prot(*pte) & PT_WRITE && !(pte_prot(*pte) & (PT_EXEC | PT_USER)));
		page_free(p, 0);
	}
	return 0;
}

/* Looks for a leaf below `table` that is writable and executable; its address, or 0. */
static vaddr_t find_wx(pte_t *table, int level, vaddr_t base, unsigned from)
{
	for (unsigned i = from; i < PT_ENTRIES; i++) {
		vaddr_t va = base + ((vaddr_t)i << (PAGE_SHIFT + 9 * level)), found;
		pte_t e = pte_read(&table[i]);

		if (!pte_present(e))
			continue;
		if (level && pte_is_table(e)) {
			found = find_wx(phys_to_virt(pte_paddr(e)), level - 1, va, 0);
			if (found)
				return found;
		} else if ((pte_prot(e) & (PT_WRITE | PT_EXEC)) == (PT_WRITE | PT_EXEC) ||
			   pte_prot(e) & PT_USER) {
			return va;
		}
	}
	return 0;
}

int stage_mm_no_wx(struct stage *s)
{
	vaddr_t half = 0xffff000000000000ul, found;

	found = find_wx(kernel_root, PT_LEVELS - 1, half, PT_ENTRIES / 2);
	if (found)
		return stage_fail(s, "%#lx is writable and executable, or open to programs", found);
	return 0;
}

int stage_page_conservation(struct stage *s)
{
	u64 before = page_free_count();

	for (unsigned order = 0; order < MAX_ORDER; order++) {
		struct page *a = page_alloc(order, ALLOC_KERNEL),
			    *b = page_alloc(order, ALLOC_KERNEL);

		STAGE_CHECK(s, a && b && a != b);
		STAGE_CHECK_EQ(s, page_to_pfn(a) & ((1u << order) - 1), 0);
		STAGE_CHECK_EQ(s, page_free_count(), before - (2ull << order));
		page_free(a, order);
		page_put(b);
		STAGE_CHECK_EQ(s, page_free_count(), before);
	}
	return mm_test_check(s);
}

/* A block given back page by page is a block again: it can be had at once. */
int stage_page_merge(struct stage *s)
{
	const unsigned order = MAX_ORDER - 1;
	struct page *block = page_alloc(order, ALLOC_KERNEL), *again;

	STAGE_CHECK(s, block);
	for (unsigned i = 0; i < 1u << order; i++) {
		block[i].flags = 0;
		block[i].refs = 1;
	}
	for (unsigned i = 0; i < 1u << order; i++)
		page_free(block + (i * 7 & ((1u << order) - 1)), 0);
	page_alloc_drain();
	if (mm_test_check(s))
		return -EINVAL;
	STAGE_CHECK(s, block->flags & PG_FREE);
	STAGE_CHECK_EQ(s, block->order, order);
	again = page_alloc(order, ALLOC_KERNEL);
	STAGE_CHECK(s, again);
	page_free(again, order);
	return 0;
}

int stage_page_cpu_cache(struct stage *s)
{
	struct page *first, *again;

	preempt_disable();
	first = page_alloc(0, ALLOC_ATOMIC);
	if (first)
		page_free(first, 0);
	again = page_alloc(0, ALLOC_ATOMIC);
	if (again)
		page_free(again, 0);
	preempt_enable();
	STAGE_CHECK(s, first);
	STAGE_CHECK(s, first == again);
	STAGE_CHECK(s, first->flags & PG_FREE && first->order == PAGE_ORDER_CACHED);
	return 0;
}

int stage_page_zeroed(struct stage *s)
{
	struct page *p[300];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
			const u64 *w;

			p[i] = page_alloc_zeroed(ALLOC_KERNEL);
			STAGE_CHECK(s, p[i]);
			w = page_to_virt(p[i]);
			for (unsigned k = 0; k < PAGE_SIZE / 8; k++)
				if (w[k])
					return stage_fail(s, "word %u of a zeroed page is %#llx", k,
							  w[k]);
		}
		for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
			memset(page_to_virt(p[i]), 0xee, PAGE_SIZE);
			page_put(p[i]);
		}
		while (page_zero_idle())
			;
	}
	return 0;
}

int stage_page_distinct(struct stage *s)
{
	struct page *p, *next, *chain = NULL;
	u64 n = 0;

	for (n = 0; n < 4000; n++) {
		p = page_alloc(0, ALLOC_KERNEL);
		STAGE_CHECK(s, p);
		*(u64 *)page_to_virt(p) = page_to_pfn(p);
		*((u64 *)page_to_virt(p) + PAGE_SIZE / 8 - 1) = ~page_to_pfn(p);
		p->link.next = chain ? &chain->link : NULL;
		chain = p;
	}
	for (p = chain; p; p = next, n--) {
		next = p->link.next ? list_entry(p->link.next, struct page, link) : NULL;
		STAGE_CHECK_EQ(s, *(u64 *)page_to_virt(p), page_to_pfn(p));
		STAGE_CHECK_EQ(s, *((u64 *)page_to_virt(p) + PAGE_SIZE / 8 - 1), ~page_to_pfn(p));
		page_put(p);
	}
	STAGE_CHECK_EQ(s, n, 0);
	return mm_test_check(s);
}

int stage_page_references(struct stage *s)
{
	u64 before = page_free_count();
	struct page *p[8], *block = page_alloc(3, ALLOC_KERNEL);

	STAGE_CHECK(s, block);
	page_get(block);
	page_put(block);
	STAGE_CHECK_EQ(s, page_free_count(), before - 8);
	page_put(block);
	STAGE_CHECK_EQ(s, page_free_count(), before);
	for (unsigned i = 0; i < 8; i++) {
		p[i] = page_alloc(0, ALLOC_KERNEL);
		STAGE_CHECK(s, p[i]);
		if (i & 1)
			page_get(p[i]);
	}
	page_put_many(p, 8);
	STAGE_CHECK_EQ(s, page_free_count(), before - 4);
	for (unsigned i = 1; i < 8; i += 2)
		page_put(p[i]);
	STAGE_CHECK_EQ(s, page_free_count(), before);
	return 0;
}

static struct page *chain_pop(struct page **chain)
{
	struct page *p = *chain;

	*chain = p->link.next ? list_entry(p->link.next, struct page, link) : NULL;
	return p;
}

/* Takes all there is for programs: the kernel's reserve must still be there. */
int stage_page_exhaustion(struct stage *s)
{
	struct page *p, *chain = NULL;
	u64 before, got = 0;
	bool atomic, kernel;

	(void)page_reclaim(~0u);
	before = page_free_count();
	while ((p = page_alloc(0, ALLOC_USER)) != NULL) {
		p->link.next = chain ? &chain->link : NULL;
		chain = p;
		got++;
	}
	p = page_alloc(0, ALLOC_KERNEL);
	kernel = p;
	if (p)
		page_put(p);
	p = page_alloc(2, ALLOC_ATOMIC);
	atomic = p;
	if (p)
		page_put(p);
	while (chain)
		page_put(chain_pop(&chain));
	STAGE_CHECK(s, got > before / 2);
	STAGE_CHECK(s, kernel && atomic);
	STAGE_CHECK(s, page_free_count() >= before);
	return mm_test_check(s);
}

int stage_page_stress(struct stage *s)
{
	static struct page *held[256];
	static u8 order[256];
	u64 seed = 0x9e3779b97f4a7c15ull, before = page_free_count();

	for (unsigned i = 0; i < 20000; i++) {
		u64 r = test_random(&seed);
		unsigned slot = r & 255;

		if (held[slot]) {
			page_free(held[slot], order[slot]);
			held[slot] = NULL;
			continue;
		}
		order[slot] = (u8)(r >> 8 & 3 ? 0 : r >> 10 & 7);
		held[slot] = page_alloc(order[slot], ALLOC_KERNEL);
		STAGE_CHECK(s, held[slot]);
		if (i % 4096 == 0 && mm_test_check(s))
			return -EINVAL;
	}
	for (unsigned i = 0; i < 256; i++) {
		if (held[i])
			page_free(held[i], order[i]);
		held[i] = NULL;
	}
	STAGE_CHECK_EQ(s, page_free_count(), before);
	return mm_test_check(s);
}
