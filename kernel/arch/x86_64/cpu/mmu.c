/*
 * The kernel's half of the address space, and the roots of all address spaces.
 *
 * arch_mmu_init() replaces the boot tables by those that arch/common/kernel_map.c fills. The root's upper half is
 * final afterwards (the second level of vmalloc and of the page array exists), so that a new root needs only
 * copies of a few entries. Boot CPU, once; no locks. Manual: Intel SDM 3A, chapter 4.
 */
#include <arch/mmu.h>
#include <asm/cpu.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/pgtable.h>
#include <mm/tlb.h>
#include "../../common/kernel_map.h"

#define FIRMWARE_END 0x100000 /* the first MiB is mapped whole: firmware data */

static pte_t root_table[PT_ENTRIES] __aligned(PAGE_SIZE) __section(".bss.page_aligned");
pte_t *kernel_root = root_table;

/* Entries of the upper half in use, for arch_mmu_create(). [I] */
static u16 root_used[PT_ENTRIES / 2];
static unsigned nr_root_used;

paddr_t virt_to_phys(const void *va)
{
	uintptr_t a = (uintptr_t)va;

	return a >= KERNEL_BASE ? a - KERNEL_BASE : a - DIRECT_MAP_BASE;
}

void arch_mmu_init(void)
{
	pte_t *second;

	kernel_map_all(cpu_has(CPUF_GBPAGES) ? 2 : 1, FIRMWARE_END);
	BUG_ON(pgtable_walk_alloc(kernel_root, VMALLOC_BASE, 2, &second) ||
	       pgtable_walk_alloc(kernel_root, VMEMMAP_BASE, 2, &second));
	for (u16 i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
		if (pte_present(kernel_root[i]))
			root_used[nr_root_used++] = i;
	write_cr3(virt_to_phys(kernel_root));
}

int arch_mmu_create(pte_t **root)
{
	struct page *p = pgtable_page_alloc();
	pte_t *table;

	if (!p)
		return -ENOMEM;
	table = page_to_virt(p);
	for (unsigned i = 0; i < nr_root_used; i++)
		table[root_used[i]] = kernel_root[root_used[i]];
	*root = table;
	return 0;
}

void arch_mmu_destroy(pte_t *root)
{
	for (unsigned i = 0; i < nr_root_used; i++)
		root[root_used[i]].v = 0;
	pgtable_page_free(virt_to_page(root));
}

void arch_mmu_activate(struct mm *mm)
{
	write_cr3(virt_to_phys(mm ? mm->root : kernel_root));
}

void arch_mmu_release(struct mm *mm)
{
	(void)mm; /* there are no identifiers of address spaces here */
}
