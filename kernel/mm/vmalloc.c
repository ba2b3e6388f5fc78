/*
 * Kernel virtual memory: areas of whole pages between VMALLOC_BASE and the kernel stacks' region.
 *
 * Areas are in a tree by address. A new one goes to the first gap after the last one handed out, and
 * from the beginning again when the end is reached. Each is followed by an unmapped guard page.
 *
 * Locks: vmalloc_lock (RANK_VMALLOC) for the tree. Mapping and unmapping happen outside of it, on
 * addresses that belong to the area alone. The region's top-level table exists from the start, since
 * every address space copies that entry.
 */
#include "internal.h"
#include <lib/rbtree.h>
#include <mm/pgtable.h>
#include <mm/slab.h>
#include <mm/tlb.h>
#include <mm/vmalloc.h>
#include "kstack.h"

#define AREA_BASE (VMALLOC_BASE + KSTACK_REGION_SIZE)

struct area {
	struct rb_node node;
	vaddr_t start, end; /* with the guard page */
	bool mmio; /* its pages are not ours */
};

static struct spinlock vmalloc_lock;
static struct rb_root areas; /* [x] vmalloc_lock */
static vaddr_t rover = AREA_BASE; /* [x] vmalloc_lock */
static struct kcache *area_cache;

static struct area *area_at(struct rb_node *n)
{
	return rb_entry_or_null(n, struct area, node);
}

/* The first area that ends above va. */
static struct area *area_above(vaddr_t va)
{
	struct rb_node *n = areas.node;
	struct area *found = NULL;

	while (n) {
		struct area *a = rb_entry(n, struct area, node);

		if (a->end > va) {
			found = a;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

/* A gap of size bytes at or after `from`; 0 when there is none. */
static vaddr_t find_gap(vaddr_t from, size_t size)
{
	for (struct area *a = area_above(from); a; a = area_at(rb_next(&a->node))) {
		if (a->start >= from && a->start - from >= size)
			return from;
		from = a->end;
	}
	return VMALLOC_END - from >= size ? from : 0;
}

static bool area_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct area, node)->start < rb_entry(b, struct area, node)->start;
}

static struct area *area_create(size_t size, bool mmio)
{
	struct area *a = kcache_alloc(area_cache, ALLOC_KERNEL);
	vaddr_t va;

	if (!a)
		return NULL;
	size += PAGE_SIZE;
	spin_lock(&vmalloc_lock);
	va = find_gap(rover, size);
	if (!va)
		va = find_gap(AREA_BASE, size);
	if (va) {
		a->start = va;
		a->end = va + size;
		a->mmio = mmio;
		rover = a->end;
		rb_add(&a->node, &areas, area_less);
	}
	spin_unlock(&vmalloc_lock);
	if (!va) {
		kcache_free(area_cache, a);
		return NULL;
	}
	return a;
}

static void area_destroy(struct area *a)
{
	spin_lock(&vmalloc_lock);
	rb_erase(&a->node, &areas);
	spin_unlock(&vmalloc_lock);
	kcache_free(area_cache, a);
}

void kernel_map_free(vaddr_t va, size_t size)
{
	pte_t empty = { 0 };
	struct page *chain = NULL;

	for (vaddr_t end = va + size, at = va; at < end; at += PAGE_SIZE) {
		int level;
		pte_t *pte = pgtable_lookup(kernel_root, at, &level);

		if (!pte || level)
			continue;
		struct page *p = phys_to_page(pte_paddr(pte_read(pte)));

		pte_write(pte, empty);
		p->link.next = (struct list *)chain;
		chain = p;
	}
	tlb_flush_kernel(va, va + size);
	while (chain) {
		struct page *p = chain;

		chain = (struct page *)p->link.next;
		page_free(p, 0);
	}
}

int kernel_map_alloc(vaddr_t va, size_t size, unsigned flags)
{
	for (size_t off = 0; off < size; off += PAGE_SIZE) {
		struct page *p = page_alloc(0, flags);
		pte_t *pte;

		if (!p || pgtable_walk_alloc(kernel_root, va + off, 0, &pte)) {
			if (p)
				page_free(p, 0);
			if (off)
				kernel_map_free(va, off);
			return -ENOMEM;
		}
		pte_write(pte, pte_make(page_to_phys(p), PT_READ | PT_WRITE | PT_GLOBAL));
	}
	return 0;
}

void *vmalloc(size_t size)
{
	struct area *a;

	if (!size || size > VMALLOC_END - AREA_BASE)
		return NULL;
	size = ALIGN_UP(size, PAGE_SIZE);
	if (size >> PAGE_SHIFT > mem_total_pages)
		return NULL;
	a = area_create(size, false);
	if (!a)
		return NULL;
	if (INJECT("vmalloc_no_guard"))
		size += PAGE_SIZE;
	if (kernel_map_alloc(a->start, size, ALLOC_KERNEL | ALLOC_ZERO)) {
		area_destroy(a);
		return NULL;
	}
	return (void *)a->start;
}

void vfree(void *p)
{
	struct area *a;

	if (!p)
		return;
	spin_lock(&vmalloc_lock);
	a = area_above((vaddr_t)p);
	spin_unlock(&vmalloc_lock);
	if (!a || a->start != (vaddr_t)p || a->mmio)
		panic("vfree of %p, which vmalloc did not return", p);
	kernel_map_free(a->start, a->end - a->start - PAGE_SIZE);
	area_destroy(a);
}

void *mmio_map(paddr_t base, size_t size)
{
	paddr_t first = ALIGN_DOWN(base, PAGE_SIZE);
	struct area *a;

	size = ALIGN_UP(base + size, PAGE_SIZE) - first;
	a = area_create(size, true);
	if (!a)
		return NULL;
	if (kernel_map(a->start, first, size, PT_READ | PT_WRITE | PT_DEVICE)) {
		area_destroy(a);
		return NULL;
	}
	return (void *)(a->start + (base - first));
}

void vmalloc_init(void)
{
	pte_t *pte;

	spin_init(&vmalloc_lock, "vmalloc", RANK_VMALLOC);
	area_cache = kcache_create("vmalloc-area", sizeof(struct area), 0);
	if (pgtable_walk_alloc(kernel_root, VMALLOC_BASE, PT_LEVELS - 2, &pte))
		panic("vmalloc: no page table");
}
