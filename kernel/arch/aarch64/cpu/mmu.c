/*
 * The kernel's half of the address space, and the roots of the other half's.
 *
 * arch_mmu_init() replaces the boot tables by those that arch/common/kernel_map.c fills. User tables are separate
 * (TTBR0), so a new root is an empty page. Boot CPU, once; no locks. Manual: Arm ARM (DDI 0487), D8.
 */
#include <arch/mmu.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <debug/panic.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/pgtable.h>
#include <mm/tlb.h>
#include "../../common/kernel_map.h"
#include "debugport.h"

/* CTR_EL0 */
#define CTR_IDC BIT(28) /* fetches find what is in data caches */
#define CTR_DIC BIT(29) /* instruction caches notice stores */

static pte_t root_table[PT_ENTRIES] __aligned(PAGE_SIZE) __section(".bss.page_aligned");
pte_t *kernel_root = root_table;

paddr_t virt_to_phys(const void *va)
{
	uintptr_t a = (uintptr_t)va;

	return a >= KERNEL_BASE ? a - KERNEL_BASE + kernel_phys : a - DIRECT_MAP_BASE;
}

void arch_mmu_init(void)
{
	extern char replace_low[];
	void replace_tables(paddr_t root, paddr_t low);
	paddr_t console = debugport_base();

	kernel_map_all(2, 0);
	if (console)
		BUG_ON(kernel_map(DIRECT_MAP_BASE + console, console, PAGE_SIZE,
				  PT_READ | PT_WRITE | PT_DEVICE));
	dsb(ishst);
	replace_tables(virt_to_phys(kernel_root), virt_to_phys(replace_low));
}

int arch_mmu_create(pte_t **root)
{
	struct page *p = pgtable_page_alloc();

	if (!p)
		return -ENOMEM;
	*root = page_to_virt(p);
	return 0;
}

void arch_mmu_destroy(pte_t *root)
{
	pgtable_page_free(virt_to_page(root));
}

/*
 * Instructions were stored through the direct map: data caches are cleaned, instruction caches lose what they had.
 * Manual: Arm ARM, B2.7.4.
 */
void icache_sync(paddr_t pa, size_t n)
{
	u64 ctr = read_sysreg(ctr_el0);
	size_t dline = cpu_features.dline, iline = cpu_features.iline;
	char *start = phys_to_virt(pa), *end = start + n;

	if (!(ctr & CTR_IDC))
		for (char *p = ALIGN_DOWN(start, dline); p < end; p += dline)
			asm volatile("dc cvau, %0" : : "r"(p) : "memory");
	dsb(ish);
	if (!(ctr & CTR_DIC))
		for (char *p = ALIGN_DOWN(start, iline); p < end; p += iline)
			asm volatile("ic ivau, %0" : : "r"(p) : "memory");
	dsb(ish);
	isb();
}

/*
 * A page is made fetchable when it is first mapped as code. What a program writes to it afterwards is the
 * program's to make fetchable, as on Linux; what the kernel writes takes the flag away (page_written()).
 */
void pages_sync_code(paddr_t pa, unsigned n)
{
	struct page *p = phys_to_page(pa);

	for (unsigned i = 0; i < n; i++)
		if (!(__atomic_load_n(&p[i].flags, __ATOMIC_ACQUIRE) & PG_CODE)) {
			icache_sync(pa + i * PAGE_SIZE, PAGE_SIZE);
			__atomic_fetch_or(&p[i].flags, PG_CODE, __ATOMIC_RELEASE);
		}
}
