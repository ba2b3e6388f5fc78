/* What the files of mm/ share among themselves. */
#pragma once
#include <arch/cpu.h>
#include <core/irq.h>
#include <debug/inject.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/page.h>

/* --- early.c --- */
/* Frames of boot_info.ranges[i] that early_alloc() has not used, and no more early_alloc from now on. */
void early_close(void);
bool early_rest(unsigned range, u64 *first_pfn, u64 *end_pfn);

/* --- memmap.c --- */
void memmap_init(void);

/* --- page_alloc.c --- */
void page_alloc_init(void);
void buddy_add_range(u64 pfn, u64 end);
/* Per-CPU statistics, summed by mem_stats(). */
enum mem_counter { MEM_ANON, MEM_TABLES, MEM_COUNTERS };
void mem_count(enum mem_counter which, long n); /* preemption may be on */
struct page *page_alloc_anon(bool zero); /* PG_ANON, counted; for user pages */
extern struct atomic64 mem_slab_pages, mem_cached_pages, mem_kstack_pages;
bool page_can_alloc_user(void); /* a fault has a chance */
u64 page_free_count(void); /* free pages, the per-CPU caches counted in */
void page_alloc_drain(void); /* this CPU's stacks go back to the zone; for tests */
/* Every list and per-CPU cache of the allocator is in order: 0, or -EINVAL with the reason. */
int page_alloc_check(char *why, size_t size);

/* --- reclaim.c --- */
/* Frees at least `want` pages of clean cache if it can; how many it freed. May sleep. */
unsigned page_reclaim(unsigned want);
void reclaim_add(struct page *p); /* a cache page that can be had again joins the list */
void reclaim_remove(struct page *p); /* before it leaves its mapping */

/* --- slab.c, kmalloc.c, vmalloc.c, kstack.c, vma.c... --- */
void slab_init(void);
unsigned slab_shrink(void);
void kmalloc_init(void);
void vmalloc_init(void);
void kstack_init(void);
unsigned kstack_shrink(void);
void vma_init(void);
void mm_struct_init(void);
void mapping_caches_init(void);
