/* x86_64 page-table entries. Manual: SDM volume 3, 4.5. */
#pragma once
#include <lib/types.h>

typedef struct {
	u64 v;
} pte_t;

#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7) /* a leaf at levels 1 and 2 */
#define PTE_G BIT(8)
#define PTE_COW BIT(9) /* software: write-protected for copy on write */
#define PTE_NONE BIT(10) /* software: PROT_NONE, kept though not present */
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

static inline pte_t pte_make(paddr_t pa, unsigned prot)
{
	u64 v = pa | PTE_P | PTE_A;

	if (!(prot & (PT_READ | PT_WRITE | PT_EXEC)))
		v = pa | PTE_NONE;
	if (prot & PT_WRITE)
		v |= PTE_W;
	if (!(prot & PT_EXEC))
		v |= PTE_NX;
	if (prot & PT_USER)
		v |= PTE_U;
	if (prot & PT_GLOBAL)
		v |= PTE_G;
	if (prot & PT_DEVICE)
		v |= PTE_PCD | PTE_PWT;
	if (prot & PT_HUGE)
		v |= PTE_PS;
	if (prot & PT_COW)
		v |= PTE_COW;
	if (prot & PT_DIRTY)
		v |= PTE_D;
	return (pte_t){ v };
}

/* Rights are given by the leaves alone. */
static inline pte_t pte_make_table(paddr_t pa)
{
	return (pte_t){ pa | PTE_P | PTE_W | PTE_U | PTE_A };
}
static inline bool pte_none(pte_t e)
{
	return !e.v;
}
/* Maps something, be it without any right. */
static inline bool pte_present(pte_t e)
{
	return e.v & (PTE_P | PTE_NONE);
}
static inline bool pte_is_huge(pte_t e)
{
	return e.v & PTE_PS;
}
/* At levels 1 to 3 only. */
static inline bool pte_is_table(pte_t e)
{
	return (e.v & (PTE_P | PTE_PS)) == PTE_P;
}
static inline paddr_t pte_paddr(pte_t e)
{
	return e.v & PTE_ADDR;
}
static inline unsigned pte_prot(pte_t e)
{
	unsigned prot = e.v & PTE_P ? PT_READ : 0;

	if (e.v & PTE_W)
		prot |= PT_WRITE;
	if ((e.v & PTE_P) && !(e.v & PTE_NX))
		prot |= PT_EXEC;
	if (e.v & PTE_U)
		prot |= PT_USER;
	if (e.v & PTE_G)
		prot |= PT_GLOBAL;
	if (e.v & PTE_PCD)
		prot |= PT_DEVICE;
	if (e.v & PTE_PS)
		prot |= PT_HUGE;
	if (e.v & PTE_COW)
		prot |= PT_COW;
	if (e.v & PTE_D)
		prot |= PT_DIRTY;
	if (e.v & PTE_A)
		prot |= PT_ACCESSED;
	return prot;
}

static inline pte_t pte_read(const pte_t *p)
{
	return (pte_t){ READ_ONCE(p->v) };
}
static inline void pte_write(pte_t *p, pte_t e)
{
	WRITE_ONCE(p->v, e.v);
}
static inline void pte_copy(pte_t *p, pte_t e)
{
	pte_write(p, e);
}
static inline pte_t pte_exchange(pte_t *p, pte_t e)
{
	return (pte_t){ __atomic_exchange_n(&p->v, e.v, __ATOMIC_SEQ_CST) };
}
static inline bool pte_cmpxchg(pte_t *p, pte_t old, pte_t e)
{
	return __atomic_compare_exchange_n(&p->v, &old.v, e.v, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}
