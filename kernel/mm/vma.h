/* What the files that work on address spaces share. mm->lock is held for writing unless stated. */
#pragma once
#include "internal.h"
#include <mm/mapping.h>
#include <mm/mm.h>
#include <mm/pgtable.h>
#include <mm/tlb.h>
#include <sched/thread.h>

#define VM_ACCESS (VM_READ | VM_WRITE | VM_EXEC)

/* --- vma.c: the tree --- */
struct vma *vma_alloc(struct mm *mm);
struct vma *vma_dup(struct mm *mm, const struct vma *v); /* with references, in no tree; or NULL */
void vma_free(struct vma *v); /* not in the tree nor in a mapping's list any more */
void vma_insert(struct mm *mm, struct vma *v);
/* As the last of all: for copies in order. */
void vma_append(struct mm *mm, struct vma *v, struct vma *last);
void vma_erase(struct mm *mm, struct vma *v);
/* Moves the borders; the neighbours' gaps and the mapping's list are kept right. */
void vma_resize(struct vma *v, uptr_t start, uptr_t end);
void vma_link_mapping(struct vma *v);
void vma_unlink_mapping(struct vma *v);
struct vma *vma_find_prev(struct mm *mm, uptr_t addr, struct vma **prev);
/* Lowest address that must stay free below v. */
static inline uptr_t vma_start_gap(const struct vma *v)
{
	if (unlikely(v->flags & VM_GROWSDOWN))
		return v->start > MM_STACK_GAP ? v->start - MM_STACK_GAP : 0;
	return v->start;
}
/* The highest (lowest) place for len bytes within [low, high); 0 when there is none. */
uptr_t vma_gap_topdown(struct mm *mm, size_t len, uptr_t low, uptr_t high);
uptr_t vma_gap_bottomup(struct mm *mm, size_t len, uptr_t low, uptr_t high);
/* The tree, its order and its gaps are right: 0, or -EINVAL with the reason. Lock held for reading. */
int vma_check(struct mm *mm, char *why, size_t size);

/* --- vma_edit.c: split and merge --- */
int vma_split(struct vma *v, uptr_t addr); /* v keeps the lower part; 0, -ENOMEM */
/* Borders at both addresses where something is mapped across them. */
int vma_split_range(struct mm *mm, uptr_t start, uptr_t end);
/* Merges v with what precedes it if they are alike; returns the one that holds v's range. */
struct vma *vma_merge_prev(struct vma *v);
struct vma *vma_merge_both(struct vma *v);
/* Would a mapping like `like` at [start, end) continue prev or precede next? Extends them and returns
 * the vma, or NULL. */
struct vma *vma_extend(struct mm *mm, struct vma *prev, struct vma *next, const struct vma *like);

/* --- map.c --- */
int mm_place(struct mm *mm, uptr_t hint, size_t len, uptr_t *out);
int mm_may_expand(struct mm *mm, u32 flags, u64 npages); /* limits: 0, -ENOMEM */
void mm_account(struct mm *mm, u32 flags, s64 npages);
u64 mm_limit_get(enum mm_limit which);
static inline bool vma_accountable(u32 flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_NORESERVE)) == VM_WRITE;
}

/* --- unmap.c --- */
#define UNMAP_BATCH 128
struct unmap_batch {
	struct mm *mm;
	uptr_t start, end; /* entries taken out since the last flush */
	unsigned n;
	bool dead; /* no CPU has the mm loaded: nothing to flush */
	s64 anon, file; /* pages no longer mapped */
	struct page *pages[UNMAP_BATCH];
};
void unmap_begin(struct unmap_batch *b, struct mm *mm);
/* Takes out the entries of [start, end), which lies in v. copies: private pages too. Any lock that keeps
 * the tables. */
void unmap_entries(struct unmap_batch *b, struct vma *v, uptr_t start, uptr_t end, bool copies);
void unmap_end(struct unmap_batch *b); /* flushes, frees, accounts */
/* Frees page tables of [start, end) that serve nothing in [low, high) either. After unmap_end. */
void unmap_tables(struct mm *mm, uptr_t start, uptr_t end, uptr_t low, uptr_t high, bool dead);
int unmap_locked(struct mm *mm, uptr_t start, uptr_t end);
/* Releases mm->lock, then frees VMAs that were taken out: the last put of a file takes other locks. */
void mm_write_unlock(struct mm *mm);
/* The same for a range whose VMAs have gone already; looks up the hole around it. */
void unmap_tables_of(struct mm *mm, uptr_t start, uptr_t end);
void unmap_all(struct mm *mm); /* at the end: nobody else uses mm */

/* --- fault.c --- */
enum fault_result { FAULT_DONE, FAULT_NOMEM, FAULT_SIGBUS, FAULT_RETRY };
/* Resolves a fault at addr in v; lock held for reading. force: a write past protection (ptrace). */
enum fault_result fault_handle(struct vma *v, uptr_t addr, bool write, bool force);
enum fault_result fault_file(struct vma *v, uptr_t addr, pte_t *slot, bool write);
/* A page of a vma with its own operations. */
enum fault_result fault_special(struct vma *v, uptr_t addr, pte_t *slot);
int stack_expand(struct vma *v, uptr_t addr); /* lock held for writing */
/* True when the caller may try the fault again; false: it is to be killed. */
bool fault_out_of_memory(void);

static inline unsigned vma_pt_prot(const struct vma *v)
{
	unsigned prot = 0;

	if (v->flags & (VM_READ | VM_WRITE | VM_EXEC))
		prot = PT_USER | PT_READ | PT_ACCESSED;
	if (v->flags & VM_WRITE)
		prot |= PT_WRITE;
	if (v->flags & VM_EXEC)
		prot |= PT_EXEC;
	return prot;
}
static inline bool pte_writable(pte_t e)
{
	return pte_prot(e) & PT_WRITE;
}
/* The lock of the entries of the table that slot is in. */
static inline struct spinlock *pte_lock_of(pte_t *slot)
{
	return &virt_to_page(slot)->pt_lock;
}
static inline void rss_add(u64 *counter, s64 n)
{
	__atomic_fetch_add(counter, (u64)n, __ATOMIC_RELAXED);
}
/* A page of RAM mapped for good (zero page, vDSO...): neither counted nor referenced. */
static inline bool page_uncounted(const struct page *p)
{
	return READ_ONCE(p->flags) & PG_RESERVED;
}
/* The level-1 entry for addr, or NULL with *next where the missing part ends. */
pte_t *walk_level1(pte_t *root, uptr_t addr, uptr_t *next);

/* --- madvise.c --- */
int mm_change_flags_locked(struct mm *mm, uptr_t start, uptr_t end, u32 set, u32 clear);

/* --- protect.c --- */
void protect_entries(struct vma *v, uptr_t start, uptr_t end);
