/*
 * The arch contract: address spaces and the TLB. Kernel address layout constants come from <asm/mmu.h>:
 * DIRECT_MAP_BASE, VMEMMAP_BASE, VMALLOC_BASE, VMALLOC_END, KERNEL_BASE, USER_TOP (first address no
 * user mapping may reach), USER_STACK_TOP, MMAP_BASE.
 */
#pragma once
#include <arch/pte.h>
#include <lib/types.h>

#include <asm/mmu.h>

/* Physical memory as firmware describes it; filled before kernel_main's memory start. */
/* MEM_FIRMWARE: tables that may be read, and memory that stays firmware's. */
enum memrange_kind { MEM_USABLE, MEM_RESERVED, MEM_FIRMWARE, MEM_KERNEL, MEM_INITRD };
struct memrange {
	paddr_t base;
	u64 size;
	enum memrange_kind kind;
};
struct boot_info {
	const char *cmdline; /* [I] kernel virtual */
	unsigned nr_ranges;
	struct memrange ranges[64]; /* sorted, not overlapping; kernel and initrd carved out */
	paddr_t initrd_base;
	u64 initrd_size;
};
extern struct boot_info boot_info; /* filled by the port before kernel_main */

static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(DIRECT_MAP_BASE + pa);
}
paddr_t virt_to_phys(const void *va); /* direct map and kernel image only */

/* The kernel's page table, from which every address space's upper half comes. */
extern pte_t *kernel_root; /* [I] */

/*
 * Maps all RAM at DIRECT_MAP_BASE with the largest pages, tightens the kernel image (text read-only,
 * data not executable), drops the boot identity mapping. Memory for tables comes from early_alloc().
 */
void arch_mmu_init(void);

/* A new root with the kernel's half filled in; and its end (user half already empty). */
int arch_mmu_create(pte_t **root);
void arch_mmu_destroy(pte_t *root);

struct mm;
/*
 * Before a present entry of a user's page is written to map another page, or a table: where no CPU may have the old
 * and the new mapping cached at once (break before make), the entry stays but gives no rights afterwards, and no TLB has it. Entry
 * lock held, interrupts on; the caller flushes after writing as ever. Inline.
 */
static inline void arch_pte_break(struct mm *mm, vaddr_t va, pte_t *pte);

/* Makes mm's tables current on this CPU (NULL: kernel_root). Preemption off. */
void arch_mmu_activate(struct mm *mm);
/* No CPU has mm's tables loaded, or will load them: what the port keeps for it (mm->asid) ends. */
void arch_mmu_release(struct mm *mm);

/*
 * Ports whose CPUs invalidate each other's TLBs define ARCH_TLB_BROADCAST as 1, and this: [start, end) of mm
 * (NULL: kernel addresses) is gone from every TLB. tables: page tables were taken out too. The others
 * define it as 0, and are sent cross-CPU calls (arch/common/tlb.c).
 */
void arch_tlb_broadcast(struct mm *mm, vaddr_t start, vaddr_t end, bool tables);

/* TLB of this CPU only. */
static inline void arch_tlb_flush_page(vaddr_t va);
static inline void arch_tlb_flush_user(void); /* everything not global */
static inline void arch_tlb_flush_all(void); /* global entries too */

/* Instructions just written to [pa, pa + n) can be fetched by every CPU. (Page-table entries do it for the pages
 * they map.) Inline. */
static inline void arch_code_sync(paddr_t pa, size_t n);

/* Copies or zeroes whole pages by kernel address. */
static inline void arch_page_zero(void *page);
static inline void arch_page_copy(void *dst, const void *src);

#include <asm/tlb.h>
