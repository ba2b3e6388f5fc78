/* Huge pages of anonymous memory; see huge.c. */
#pragma once
#include "vma.h"

/* Should a fault at addr, in a span without a table, get a huge page? */
bool huge_wanted(const struct vma *v, uptr_t addr);
/* Maps one at *l1, which is empty. FAULT_NOMEM: take small pages instead. */
enum fault_result huge_fault(struct vma *v, uptr_t addr, pte_t *l1);
/* A write to a huge page that is mapped read-only. FAULT_RETRY: it was split, look again. */
enum fault_result huge_write(struct vma *v, uptr_t addr, pte_t *l1);
/* Takes the huge page out when [start, end) covers it: true. Else splits it: false. */
bool huge_unmap(struct unmap_batch *b, struct vma *v, pte_t *l1, uptr_t start, uptr_t end);
/* Replaces the entry by a table of small pages; 0, -ENOMEM. */
int huge_split(struct mm *mm, pte_t *l1, uptr_t addr);
/* Splits the huge page that addr lies within, if any: what is on both sides becomes different. */
int huge_split_at(struct mm *mm, uptr_t addr);
/* The small page of it at addr, with a reference; NULL when the access must go through a fault first. */
struct page *huge_page_get(pte_t *l1, uptr_t addr, bool write);
