/*
 * Page-table walks shared by the ports, for user and kernel tables alike.
 *
 * A missing table is installed with compare-and-swap, so that faults that hold mm->lock for reading may
 * walk at the same time; tables are removed only by who holds it for writing (mm/unmap.c). Kernel
 * tables are never removed. Leaf entries are the caller's to protect.
 */
#include <arch/mmu.h>
#include <core/irq.h>
#include <lib/errno.h>
#include <mm/pgtable.h>
#include <mm/tlb.h>

struct page *pgtable_page_alloc(void)
{
	struct page *p = page_alloc_zeroed(ALLOC_KERNEL);

	if (p) {
		p->flags = PG_TABLE;
		spin_init(&p->pt_lock, "page table", RANK_PAGETABLE);
		mem_count_tables(1);
	}
	return p;
}

void pgtable_page_free(struct page *p)
{
	p->flags = 0;
	mem_count_tables(-1);
	page_free_zeroed(p);
}

/* A zeroed table; before the page allocator is up, from early memory. */
static int table_alloc(paddr_t *out)
{
	struct page *p;

	if (unlikely(!page_alloc_ready)) {
		*out = virt_to_phys(early_alloc(PAGE_SIZE, PAGE_SIZE));
		return 0;
	}
	p = pgtable_page_alloc();
	if (!p)
		return -ENOMEM;
	*out = page_to_phys(p);
	return 0;
}

static __noinline int table_install(pte_t *slot)
{
	pte_t empty = { 0 };
	paddr_t pa;
	int err = table_alloc(&pa);

	if (err)
		return err;
	if (!pte_cmpxchg(slot, empty, pte_make_table(pa)))
		pgtable_page_free(phys_to_page(pa)); /* another thread was faster */
	return 0;
}

int pgtable_walk_alloc(pte_t *root, vaddr_t va, int level, pte_t **out)
{
	pte_t *table = root;

	for (int l = PT_LEVELS - 1; l > level; l--) {
		pte_t *slot = &table[pt_index(va, l)];
		pte_t e = pte_read(slot);

		if (unlikely(pte_none(e))) {
			int err = table_install(slot);

			if (err)
				return err;
			e = pte_read(slot);
		}
		if (unlikely(!pte_is_table(e)))
			return -EEXIST;
		table = phys_to_virt(pte_paddr(e));
	}
	*out = &table[pt_index(va, level)];
	return 0;
}

pte_t *pgtable_lookup(pte_t *root, vaddr_t va, int *level)
{
	pte_t *table = root;

	for (int l = PT_LEVELS - 1;; l--) {
		pte_t *slot = &table[pt_index(va, l)];
		pte_t e = pte_read(slot);

		if (!pte_present(e))
			return NULL;
		if (l == 0 || !pte_is_table(e)) {
			*level = l;
			return slot;
		}
		table = phys_to_virt(pte_paddr(e));
	}
}

int kernel_map(vaddr_t va, paddr_t pa, size_t size, unsigned prot)
{
	for (size_t off = 0; off < size; off += PAGE_SIZE) {
		pte_t *pte;
		int err = pgtable_walk_alloc(kernel_root, va + off, 0, &pte);

		if (err) {
			kernel_unmap(va, off);
			return err;
		}
		pte_write(pte, pte_make(pa + off, prot | PT_GLOBAL));
	}
	return 0;
}

void kernel_unmap(vaddr_t va, size_t size)
{
	pte_t empty = { 0 };

	for (size_t off = 0; off < size; off += PAGE_SIZE) {
		int level;
		pte_t *pte = pgtable_lookup(kernel_root, va + off, &level);

		if (pte && level == 0)
			pte_write(pte, empty);
	}
	if (size)
		tlb_flush_kernel(va, va + size);
}
