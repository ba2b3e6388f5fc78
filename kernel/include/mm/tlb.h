/*
 * The TLB across CPUs, and which address space each CPU has loaded.
 *
 * mm->cpumask holds the CPUs that may have entries of mm in their TLB: those that run one of its threads,
 * and those that went from such a thread to a kernel thread or idle without loading other tables
 * (lazy). A flush is one round of cross-CPU calls to the others of the mask, and none when there are
 * none. A lazy CPU that is asked to flush leaves the address space instead, so it is asked once.
 */
#pragma once
#include <core/irq.h>
#include <mm/mm.h>
#include <mm/page.h>

/* The tables loaded on this CPU: NULL for the kernel's own. */
DECLARE_PER_CPU(struct mm *, tlb_loaded_mm);

/*
 * On a context switch, for a thread that has an address space: makes mm the loaded one. Interrupts or
 * preemption off. For kernel threads nothing is to be called: they run on what is loaded. Cheap when mm
 * is loaded already.
 */
void tlb_switch_mm_slow(struct mm *mm);
static __always_inline void tlb_switch_mm(struct mm *mm)
{
	if (mm != this_cpu_read(tlb_loaded_mm))
		tlb_switch_mm_slow(mm);
}
/* No CPU has mm loaded or cached any more. Thread context, interrupts on; the caller is its last user. */
void tlb_leave_mm(struct mm *mm);

/* Flushes [start, end) of mm on all CPUs that may have it cached. tables: page tables were taken out too. */
void tlb_flush_range(struct mm *mm, uptr_t start, uptr_t end, bool tables);
/* The page on this CPU alone: enough when an entry got more permissive. */
static inline void tlb_flush_local(uptr_t addr)
{
	arch_tlb_flush_page(addr);
}
/* Kernel addresses, on all CPUs. Thread context. */
void tlb_flush_kernel(vaddr_t start, vaddr_t end);

/* Tables come from and go to the store of zeroed pages: a table is empty when it is freed. */
struct page *pgtable_page_alloc(void);
void pgtable_page_free(struct page *p);
void mem_count_tables(long n);
extern bool page_alloc_ready;
