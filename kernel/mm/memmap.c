/*
 * The array of struct page at VMEMMAP_BASE, and the start of mm/.
 *
 * The array is indexed by frame number and mapped, with huge pages, only where there is memory: holes of
 * the physical address space cost nothing. Ranges are widened to whole blocks of the largest order, so
 * that the allocator may look at the buddy of any block. An entry of zeroes is "not free", which is
 * right for frames that are no memory, and for those inside a free block.
 */
#include "internal.h"
#include <mm/pgtable.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>

#define BLOCK_BYTES (PAGE_SIZE << (MAX_ORDER - 1))

u64 mem_total_pages;
struct page *zero_page;

static bool range_is_memory(const struct memrange *r)
{
	return r->kind == MEM_USABLE || r->kind == MEM_KERNEL || r->kind == MEM_INITRD;
}

static void map_entries(paddr_t base, paddr_t end)
{
	vaddr_t va = ALIGN_DOWN((vaddr_t)phys_to_page(ALIGN_DOWN(base, BLOCK_BYTES)), HUGE_SIZE);
	vaddr_t stop = (vaddr_t)phys_to_page(ALIGN_UP(end, BLOCK_BYTES));

	BUG_ON(stop > VMEMMAP_END);
	for (; va < stop; va += HUGE_SIZE) {
		pte_t *pte;

		if (pgtable_walk_alloc(kernel_root, va, 1, &pte))
			panic("memmap: no page table");
		if (pte_present(pte_read(pte)))
			continue;
		pte_write(pte, pte_make(virt_to_phys(early_alloc(HUGE_SIZE, HUGE_SIZE)),
					PT_READ | PT_WRITE | PT_GLOBAL | PT_HUGE));
	}
}

static void mark_reserved(u64 pfn, u64 end)
{
	for (; pfn < end; pfn++) {
		pfn_to_page(pfn)->flags = PG_RESERVED;
		pfn_to_page(pfn)->refs = 1;
	}
}

bool pfn_is_ram(u64 pfn)
{
	paddr_t pa = (paddr_t)pfn << PAGE_SHIFT;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];

		if (pa >= r->base && pa < r->base + r->size)
			return range_is_memory(r);
	}
	return false;
}

/* Frames in use at start are marked; the rest goes to the page allocator. */
static void hand_over(void)
{
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];
		u64 pfn = r->base >> PAGE_SHIFT, end = (r->base + r->size) >> PAGE_SHIFT;
		u64 first, rest_end;

		if (!range_is_memory(r))
			continue;
		mem_total_pages += end - pfn;
		if (early_rest(i, &first, &rest_end)) {
			mark_reserved(pfn, first);
			buddy_add_range(first, rest_end);
		} else {
			mark_reserved(pfn, end);
		}
	}
}

void memmap_init(void)
{
	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];

		if (range_is_memory(r))
			map_entries(r->base, r->base + r->size);
	}
	early_close();
	page_alloc_init();
	hand_over();
}

void page_free_range(paddr_t base, u64 size)
{
	u64 pfn = base >> PAGE_SHIFT, end = (base + size) >> PAGE_SHIFT;

	for (; pfn < end; pfn++) {
		struct page *p = pfn_to_page(pfn);

		BUG_ON(!(p->flags & PG_RESERVED));
		p->flags = 0;
		page_free(p, 0);
	}
}

void mm_init(void)
{
	memmap_init();
	zero_page = page_alloc(0, ALLOC_KERNEL | ALLOC_ZERO);
	BUG_ON(!zero_page);
	zero_page->flags = PG_RESERVED | PG_ZERO;
	slab_init();
	kmalloc_init();
	vmalloc_init();
	kstack_init();
	mapping_caches_init();
	mm_struct_init();
	log_info("memory: %llu MiB, %llu MiB free", (unsigned long long)mem_total_pages >> 8,
		 (unsigned long long)page_free_count() >> 8);
}
