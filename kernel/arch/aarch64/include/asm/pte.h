/*
 * aarch64 page-table entries, stage 1, 4 KiB granule. Manual: Arm ARM (DDI 0487), D8.3.
 *
 * The flags "accessed" and "dirty" are not the hardware's: every entry is made accessed, and a writable one
 * counts as dirty.
 */
#pragma once
#include <lib/types.h>

typedef struct {
	u64 v;
} pte_t;

#define PTE_VALID BIT(0)
#define PTE_TABLE BIT(1) /* a table; at level 0: a page */
#define PTE_ATTR_NORMAL (0ull << 2) /* index into MAIR_EL1 */
#define PTE_ATTR_DEVICE (1ull << 2)
#define PTE_ATTR_MASK (7ull << 2)
#define PTE_USER BIT(6) /* AP[1] */
#define PTE_RDONLY BIT(7) /* AP[2] */
#define PTE_SHARED (3ull << 8) /* inner shareable */
#define PTE_AF BIT(10)
#define PTE_NG BIT(11) /* belongs to one address space */
#define PTE_PXN (1ull << 53)
#define PTE_UXN (1ull << 54)
#define PTE_COW (1ull << 55) /* software: write-protected for copy on write */
#define PTE_DIRTY (1ull << 56) /* software */
#define PTE_HUGE (1ull << 57) /* software: a leaf at level 1, valid or not */
#define PTE_NONE (1ull << 58) /* software: PROT_NONE, kept though not valid */
#define PTE_ADDR 0x0000fffffffff000ull

static inline pte_t pte_make(paddr_t pa, unsigned prot)
{
	u64 v = pa | PTE_AF | PTE_SHARED;

	if (!(prot & (PT_READ | PT_WRITE | PT_EXEC)))
		v |= PTE_NONE | (prot & PT_HUGE ? 0 : PTE_TABLE);
	else
		v |= PTE_VALID | (prot & PT_HUGE ? 0 : PTE_TABLE);
	if (!(prot & PT_WRITE))
		v |= PTE_RDONLY;
	if (prot & PT_USER)
		v |= PTE_USER | PTE_PXN;
	else
		v |= PTE_UXN;
	if (!(prot & PT_EXEC))
		v |= PTE_PXN | PTE_UXN;
	if (!(prot & PT_GLOBAL))
		v |= PTE_NG;
	if (prot & PT_DEVICE)
		v |= PTE_ATTR_DEVICE;
	if (prot & PT_HUGE)
		v |= PTE_HUGE;
	if (prot & PT_COW)
		v |= PTE_COW;
	if (prot & PT_DIRTY)
		v |= PTE_DIRTY;
	return (pte_t){ v };
}

/* Rights are given by the leaves alone. */
static inline pte_t pte_make_table(paddr_t pa)
{
	return (pte_t){ pa | PTE_VALID | PTE_TABLE };
}
static inline bool pte_none(pte_t e)
{
	return !e.v;
}
/* Maps something, be it without any right. */
static inline bool pte_present(pte_t e)
{
	return e.v & (PTE_VALID | PTE_NONE);
}
static inline bool pte_is_huge(pte_t e)
{
	return e.v & PTE_HUGE;
}
/* At levels 1 to 3 only. */
static inline bool pte_is_table(pte_t e)
{
	return (e.v & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}
static inline paddr_t pte_paddr(pte_t e)
{
	return e.v & PTE_ADDR;
}
static inline unsigned pte_prot(pte_t e)
{
	unsigned prot = PT_ACCESSED;

	if (e.v & PTE_VALID)
		prot |= PT_READ;
	if (!(e.v & PTE_RDONLY))
		prot |= PT_WRITE | PT_DIRTY;
	if ((e.v & PTE_VALID) && !(e.v & (e.v & PTE_USER ? PTE_UXN : PTE_PXN)))
		prot |= PT_EXEC;
	if (e.v & PTE_USER)
		prot |= PT_USER;
	if (!(e.v & PTE_NG))
		prot |= PT_GLOBAL;
	if ((e.v & PTE_ATTR_MASK) == PTE_ATTR_DEVICE)
		prot |= PT_DEVICE;
	if (e.v & PTE_HUGE)
		prot |= PT_HUGE;
	if (e.v & PTE_COW)
		prot |= PT_COW;
	if (e.v & PTE_DIRTY)
		prot |= PT_DIRTY;
	return prot;
}

static inline pte_t pte_read(const pte_t *p)
{
	return (pte_t){ READ_ONCE(p->v) };
}
/* n pages from pa on are made fetchable, but for those that are (PG_CODE). */
void pages_sync_code(paddr_t pa, unsigned n);
static inline void pte_sync_code(pte_t e)
{
	if ((e.v & (PTE_VALID | PTE_USER | PTE_UXN)) == (PTE_VALID | PTE_USER))
		pages_sync_code(pte_paddr(e), e.v & PTE_HUGE ? PT_ENTRIES : 1);
}
/*
 * Code is made fetchable before it is mapped, and what the page holds is there before the entry is. A new
 * entry of the kernel's is waited for, since a fault on it could not be resolved; a user program whose access
 * comes too early faults once more, and finds it.
 */
static inline void pte_copy(pte_t *p, pte_t e)
{
	asm volatile("dmb ishst" : : : "memory");
	WRITE_ONCE(p->v, e.v);
	if ((e.v & PTE_VALID) && !(e.v & PTE_NG))
		asm volatile("dsb ishst; isb" : : : "memory");
}
static inline void pte_write(pte_t *p, pte_t e)
{
	pte_sync_code(e);
	pte_copy(p, e);
}
static inline pte_t pte_exchange(pte_t *p, pte_t e)
{
	return (pte_t){ __atomic_exchange_n(&p->v, e.v, __ATOMIC_SEQ_CST) };
}
static inline bool pte_cmpxchg(pte_t *p, pte_t old, pte_t e)
{
	pte_sync_code(e);
	return __atomic_compare_exchange_n(&p->v, &old.v, e.v, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}
