/*
 * Physical pages. One struct page per frame of RAM, in a virtually contiguous array at VMEMMAP_BASE, so
 * page <-> frame <-> address are arithmetic.
 */
#pragma once
#include <arch/mmu.h>
#include <core/spinlock.h>
#include <lib/atomic.h>
#include <lib/list.h>

struct mapping;

enum page_flag {
	PG_RESERVED = BIT(0), /* never allocated: firmware, kernel image */
	PG_FREE = BIT(1), /* in the allocator (head of a block) */
	PG_SLAB = BIT(2),
	PG_TABLE = BIT(3), /* page table */
	PG_ANON = BIT(4),
	PG_CACHE = BIT(5), /* in a page cache: mapping, index valid */
	PG_UPTODATE = BIT(6),
	PG_DIRTY = BIT(7),
	PG_LOCKED = BIT(8),
	PG_HEAD = BIT(9), /* head of a block of order > 0 in use */
	PG_TAIL = BIT(10),
	PG_WRITEBACK = BIT(11),
	PG_ZERO = BIT(12), /* reserved: the global zero page */
	PG_POISON = BIT(13), /* free, and filled with PAGE_POISON (debug builds) */
	PG_LRU = BIT(14), /* on the list that reclaim takes clean cache pages from */
	PG_REFERENCED = BIT(15), /* used since reclaim last looked */
	PG_CODE = BIT(16), /* the port's: instruction fetches find what it holds */
};

struct page {
	u32 flags; /* [a] enum page_flag */
	u32 refs; /* [a] 0: free */
	u8 order; /* of the block, in a head; PAGE_ORDER_CACHED in a per-CPU cache */
	u16 slab_objects; /* slab: objects in use */
	union {
		struct {
			struct mapping *mapping;
			u64 index; /* in pages */
		};
		struct { /* slab */
			struct kcache *cache;
			void *freelist;
		};
		struct { /* page table */
			struct spinlock pt_lock;
			u32 pt_live; /* entries in use */
		};
	};
	struct list link; /* free list, partial slabs, lru */
};

#define MAX_ORDER 11 /* blocks of 2^0 .. 2^10 pages */
#define PAGE_ORDER_CACHED 0xff /* free, in a per-CPU cache */
#define PAGE_POISON 0xa5

static inline struct page *pfn_to_page(u64 pfn)
{
	return (struct page *)VMEMMAP_BASE + pfn;
}
static inline u64 page_to_pfn(const struct page *p)
{
	return (u64)(p - (const struct page *)VMEMMAP_BASE);
}
static inline paddr_t page_to_phys(const struct page *p)
{
	return (paddr_t)page_to_pfn(p) << PAGE_SHIFT;
}
static inline struct page *phys_to_page(paddr_t pa)
{
	return pfn_to_page(pa >> PAGE_SHIFT);
}
static inline void *page_to_virt(const struct page *p)
{
	return phys_to_virt(page_to_phys(p));
}
static inline struct page *virt_to_page(const void *va) /* direct map only */
{
	return phys_to_page((paddr_t)((uintptr_t)va - DIRECT_MAP_BASE));
}

enum alloc_flag {
	ALLOC_KERNEL = 0, /* may reclaim (sleep) when preemption is on */
	ALLOC_ZERO = BIT(0),
	ALLOC_ATOMIC = BIT(1), /* never sleeps; may use the reserve */
	ALLOC_NO_RECLAIM = BIT(3), /* fails at once when there is none: the caller can do without */
	ALLOC_USER =
		BIT(2), /* fails before the reserve is touched; out of memory kills or is -ENOMEM */
};

/* 2^order contiguous pages, refs 1; NULL when there is none. Any context but hard interrupts. */
struct page *page_alloc(unsigned order, unsigned flags);
/* A zeroed page from the per-CPU store of zeroed ones. */
struct page *page_alloc_zeroed(unsigned flags);
/* The owner gives it back. (A lock-free page-cache lookup may hold a passing reference: then it frees.) */
void page_free(struct page *p, unsigned order);
void page_free_zeroed(struct page *p); /* order 0, and every byte of it is known to be zero */
/* Zeroes one free page into this CPU's store; false when there is nothing to do. For idle loops. */
bool page_zero_idle(void);
/* Gives frames that were reserved (the initrd, once unpacked) to the allocator. Page aligned. */
void page_free_range(paddr_t base, u64 size);
bool pfn_is_ram(u64 pfn); /* has a struct page and is memory */
static inline void page_get(struct page *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
}
/* The kernel has written to a page that programs may map: it is made fetchable again when it is mapped next. */
static inline void page_written(struct page *p)
{
	if (unlikely(READ_ONCE(p->flags) & PG_CODE))
		__atomic_fetch_and(&p->flags, ~(u32)PG_CODE, __ATOMIC_RELEASE);
}
void page_put(struct page *p); /* frees when the last reference goes; order from the head */
void page_put_many(struct page **pages, unsigned n); /* batch */

struct mem_stats {
	u64 total_pages, free_pages, cached_pages, slab_pages, table_pages, anon_pages,
		kernel_stack_pages;
};
void mem_stats(struct mem_stats *out);
extern u64 mem_total_pages; /* [I] after mm_init */
extern struct page *zero_page; /* [I] the page of zeroes that read faults map */

void mm_init(void); /* boot CPU, after arch_mmu_init: memmap, page allocator, slab, vmalloc */
/* Before mm_init: n bytes of zeroed memory that stays; panics when there is none. align: power of two. */
void *early_alloc(size_t n, size_t align);
