/*
 * The arch contract: page-table entries. Four levels everywhere: 3 (top) .. 0 (pages of PAGE_SIZE);
 * level-1 entries may map huge pages of HUGE_SIZE. Walks are in arch/common/pgtable.c and in mm/.
 */
#pragma once
#include <lib/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1ul << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21
#define HUGE_SIZE (1ul << HUGE_SHIFT)
#define PT_ENTRIES 512
#define PT_LEVELS 4
#define pt_index(va, level) (((va) >> (PAGE_SHIFT + 9 * (level))) & (PT_ENTRIES - 1))

/* What a mapping allows; the generic vocabulary of mm/. */
enum pt_prot {
	PT_READ = 1,
	PT_WRITE = 2,
	PT_EXEC = 4,
	PT_USER = 8,
	PT_GLOBAL = 16,
	PT_DEVICE = 32, /* uncached */
	PT_HUGE = 64, /* a leaf at level 1 */
	PT_COW = 128, /* software bit: write-protected for copy on write */
	PT_DIRTY = 256,
	PT_ACCESSED = 512,
};

/*
 * <asm/pte.h> defines `pte_t` (struct { u64 v; }) and, inline:
 *   pte_t pte_make(paddr_t, unsigned prot)     leaf (with PT_HUGE: level 1)
 *   pte_t pte_make_table(paddr_t)              pointer to the next level
 *   bool pte_present, pte_none, pte_is_table (at level >= 1), pte_is_huge
 *   paddr_t pte_paddr(pte_t)
 *   unsigned pte_prot(pte_t)                   back to the vocabulary above, with DIRTY and ACCESSED
 *   pte_t pte_read(pte_t *); void pte_write(pte_t *, pte_t);
 *   void pte_copy(pte_t *, pte_t)              pte_write, of a page mapped with these rights already
 *   pte_t pte_exchange(pte_t *, pte_t)         atomically
 *   bool pte_cmpxchg(pte_t *, pte_t old, pte_t new)
 */
#include <asm/pte.h>
