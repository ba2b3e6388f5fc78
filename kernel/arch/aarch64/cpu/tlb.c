/*
 * Invalidating TLBs by broadcast, and identifiers of address spaces (ASIDs).
 *
 * An address space gets an ASID when it is first loaded, and gives it back when no CPU will load it again.
 * When there are none left (CPUs with 8 bits have 255), it shares ASID 0, and what is cached under that
 * goes from a CPU's TLB whenever such an address space is loaded there: slower, never wrong. The bitmap is
 * changed atomically; no locks. Manual: Arm ARM, D8.13 (TLB maintenance), D8.13.1 (broadcast), D8.15 (ASIDs).
 */
#include <arch/mmu.h>
#include <asm/cpu.h>
#include <lib/atomic.h>
#include <lib/bitmap.h>
#include <mm/mm.h>

#define FLUSH_PAGES_MAX 64 /* beyond: the whole of it */
#define ASIDS 65536
#define ASID_SHARED 0
#define ASID_IN_USE BIT(32) /* in mm->asid: it has one, be it ASID_SHARED */

static unsigned long used[ASIDS / BITS_PER_LONG] = { 1 }; /* [a] */
static u32 next_asid = 1; /* [a] a hint: identifiers are used again as late as can be */

static u32 asid_take(void)
{
	size_t limit = cpu_has(CPUF_ASID16) ? ASIDS : 256;
	size_t n = __atomic_load_n(&next_asid, __ATOMIC_RELAXED);

	for (unsigned round = 0; round < 2; round++) {
		while ((n = bitmap_find_next_zero(used, limit, n)) < limit)
			if (!atomic_test_and_set_bit(n, used)) {
				__atomic_store_n(&next_asid, (u32)n + 1, __ATOMIC_RELAXED);
				return (u32)n;
			}
		n = 1;
	}
	return ASID_SHARED;
}

static void asid_give_back(u32 asid)
{
	if (asid != ASID_SHARED)
		atomic_clear_bit(asid, used);
}

static u32 asid_of(struct mm *mm)
{
	u64 have = __atomic_load_n(&mm->asid, __ATOMIC_RELAXED), mine;

	if (likely(have))
		return (u32)have;
	mine = asid_take() | ASID_IN_USE;
	if (__atomic_compare_exchange_n(&mm->asid, &have, mine, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		return (u32)mine;
	asid_give_back((u32)mine); /* another CPU was faster */
	return (u32)have;
}

void arch_mmu_activate(struct mm *mm)
{
	extern char empty_table[];
	u64 asid = mm ? asid_of(mm) : ASID_SHARED;

	write_sysreg(ttbr0_el1, virt_to_phys(mm ? (void *)mm->root : empty_table) | asid << 48);
	isb();
	if (unlikely(mm && asid == ASID_SHARED))
		asm volatile("tlbi aside1, xzr\n\tdsb nsh\n\tisb" : : : "memory");
}

static void flush_asid(u64 asid)
{
	asm volatile("dsb ishst\n\ttlbi aside1is, %0\n\tdsb ish" : : "r"(asid << 48) : "memory");
}

void arch_mmu_release(struct mm *mm)
{
	u64 have = mm->asid;

	mm->asid = 0;
	if (!have || (u32)have == ASID_SHARED)
		return;
	flush_asid((u32)have);
	asid_give_back((u32)have);
}

static void flush_kernel(vaddr_t start, vaddr_t end)
{
	asm volatile("dsb ishst" : : : "memory");
	if (end - start > FLUSH_PAGES_MAX * PAGE_SIZE)
		asm volatile("tlbi vmalle1is" : : : "memory");
	else
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			asm volatile("tlbi vaae1is, %0"
				     :
				     : "r"(va >> PAGE_SHIFT & 0xfffffffffffull)
				     : "memory");
	asm volatile("dsb ish\n\tisb" : : : "memory");
}

void arch_tlb_broadcast(struct mm *mm, vaddr_t start, vaddr_t end, bool tables)
{
	u64 asid;

	if (!mm) {
		flush_kernel(start, end);
		return;
	}
	asid = (u32)__atomic_load_n(&mm->asid, __ATOMIC_RELAXED);
	if (tables || end - start > FLUSH_PAGES_MAX * PAGE_SIZE) {
		flush_asid(asid);
		return;
	}
	asm volatile("dsb ishst" : : : "memory");
	for (vaddr_t va = start; va < end; va += PAGE_SIZE)
		asm volatile("tlbi vae1is, %0" : : "r"(va >> PAGE_SHIFT | asid << 48) : "memory");
	asm volatile("dsb ish" : : : "memory");
}
