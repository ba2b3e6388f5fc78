/*
 * aarch64: the TLB, and whole pages. Invalidations of the common code go to all CPUs at once by broadcast
 * (arch_tlb_broadcast() in cpu/tlb.c); the ones of this CPU only are for switching.
 */
#pragma once
#include <arch/pte.h>
#include <asm/cpu.h>

#define ARCH_TLB_BROADCAST 1

static __always_inline void arch_tlb_flush_page(vaddr_t va)
{
	asm volatile("dsb nshst\n\ttlbi vaae1, %0\n\tdsb nsh\n\tisb"
		     :
		     : "r"(va >> PAGE_SHIFT & 0xfffffffffffull)
		     : "memory");
}

static inline void arch_tlb_flush_all(void)
{
	asm volatile("dsb nshst\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
}

static inline void arch_tlb_flush_user(void)
{
	arch_tlb_flush_all();
}

static inline void arch_pte_break(struct mm *mm, vaddr_t va, pte_t *pte)
{
	pte_t e = pte_read(pte);

	pte_copy(pte, (pte_t){ (e.v & ~(u64)PTE_VALID) | PTE_NONE });
	arch_tlb_broadcast(mm, va, va + PAGE_SIZE, false);
}

void icache_sync(paddr_t pa, size_t n); /* cpu/mmu.c */
static inline void arch_code_sync(paddr_t pa, size_t n)
{
	icache_sync(pa, n);
}

static __always_inline void arch_page_zero(void *page)
{
	char *p = page, *end = p + PAGE_SIZE;
	u32 step = cpu_features.zva;

	if (likely(step)) {
		for (; p < end; p += step)
			asm volatile("dc zva, %0" : : "r"(p) : "memory");
		return;
	}
	for (; p < end; p += 64)
		asm volatile("stp xzr, xzr, [%0]\n\tstp xzr, xzr, [%0, #16]\n\t"
			     "stp xzr, xzr, [%0, #32]\n\tstp xzr, xzr, [%0, #48]"
			     :
			     : "r"(p)
			     : "memory");
}

static __always_inline void arch_page_copy(void *dst, const void *src)
{
	u64 *d = dst;
	const u64 *s = src, *end = s + PAGE_SIZE / 8;

	for (; s < end; s += 8, d += 8) {
		u64 a, b, c, e;

		asm volatile("ldp %0, %1, [%4]\n\tldp %2, %3, [%4, #16]\n\t"
			     "stp %0, %1, [%5]\n\tstp %2, %3, [%5, #16]\n\t"
			     "ldp %0, %1, [%4, #32]\n\tldp %2, %3, [%4, #48]\n\t"
			     "stp %0, %1, [%5, #32]\n\tstp %2, %3, [%5, #48]"
			     : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(e)
			     : "r"(s), "r"(d)
			     : "memory");
	}
}
