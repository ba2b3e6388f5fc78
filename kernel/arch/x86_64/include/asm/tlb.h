/* x86_64: this CPU's TLB, and whole pages. */
#pragma once
#include <arch/pte.h>
#include <asm/cpu.h>

#define ARCH_TLB_BROADCAST 0

static __always_inline void arch_tlb_flush_page(vaddr_t va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void arch_tlb_flush_user(void)
{
	write_cr3(read_cr3());
}

static inline void arch_tlb_flush_all(void)
{
	u64 cr4 = read_cr4();

	write_cr4(cr4 & ~(u64)CR4_PGE);
	write_cr4(cr4);
}

/* Entries may change while they are in use. */
static inline void arch_pte_break(struct mm *mm, vaddr_t va, pte_t *pte)
{
}

/* Instruction fetches see every store. */
static inline void arch_code_sync(paddr_t pa, size_t n)
{
}

static __always_inline void arch_page_zero(void *page)
{
	void *d = page;
	u64 n = PAGE_SIZE / 8;

	asm volatile("rep stosq" : "+D"(d), "+c"(n) : "a"(0ul) : "memory");
}

static __always_inline void arch_page_copy(void *dst, const void *src)
{
	u64 n = PAGE_SIZE / 8;

	asm volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}
