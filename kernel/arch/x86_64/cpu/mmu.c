/*
 * The kernel's half of the address space, and the roots of all address spaces.
 *
 * arch_mmu_init() replaces the boot tables: all RAM at DIRECT_MAP_BASE with the largest pages, never
 * executable, the image's text and constants read-only there too; the image at KERNEL_BASE in small pages,
 * each section with its own rights; both global. The root's upper half is final afterwards (the second
 * level of vmalloc and of the page array exists), so that a new root needs only copies of a few entries.
 * Boot CPU, once; no locks. Manual: Intel SDM 3A, chapter 4.
 */
#include <arch/mmu.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/pgtable.h>
#include <mm/tlb.h>

#define P 0x001ull
#define W 0x002ull
#define PS 0x080ull
#define G 0x100ull
#define AD 0x060ull /* accessed, dirty: set at once, so that the CPU need not */
#define NX (1ull << 63)
#define ADR 0x000ffffffffff000ull

#define DATA_RW (P | W | G | AD | NX)
#define DATA_RO (P | G | AD | NX)
#define TEXT_RX (P | G | AD)

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

/* The table below *slot, made if there is none. */
static pte_t *next_table(pte_t *slot)
{
	if (!(slot->v & P))
		slot->v = virt_to_phys(early_alloc(PAGE_SIZE, PAGE_SIZE)) | P | W;
	BUG_ON(slot->v & PS);
	return phys_to_virt(slot->v & ADR);
}

static int largest_level(vaddr_t va, paddr_t pa, u64 left)
{
	for (int level = cpu_has(CPUF_GBPAGES) ? 2 : 1; level > 0; level--) {
		u64 size = PAGE_SIZE << (9 * level);

		if (left >= size && IS_ALIGNED(va | pa, size))
			return level;
	}
	return 0;
}

static void map(vaddr_t va, paddr_t pa, u64 size, u64 bits)
{
	while (size) {
		int level = largest_level(va, pa, size);
		u64 step = PAGE_SIZE << (9 * level);
		pte_t *table = kernel_root;

		for (int l = PT_LEVELS - 1; l > level; l--)
			table = next_table(&table[pt_index(va, l)]);
		table[pt_index(va, level)].v = pa | bits | (level ? PS : 0);
		va += step;
		pa += step;
		size -= step;
	}
}

/* A part of the image, at KERNEL_BASE and in the direct map. */
static void map_section(const char *start, const char *end, u64 bits)
{
	paddr_t pa = virt_to_phys(start);
	u64 size = (u64)(end - start);

	map((vaddr_t)start, pa, size, bits);
	map(DIRECT_MAP_BASE + pa, pa, size, bits | NX);
}

static void map_image(void)
{
	map_section(__text_start, __text_end, TEXT_RX);
	map_section(__rodata_start, __rodata_end, DATA_RO);
	map_section(__data_start, boot_stack_guard, DATA_RW);
	map_section(boot_stack_guard + PAGE_SIZE, __bss_end, DATA_RW);
	map_section(__ksyms_start, __kernel_end, DATA_RO);
}

/* RAM, with neighbouring ranges joined so that large pages cross their borders. */
static void map_ram(void)
{
	u64 start = 0, end = 0x100000; /* the first MiB whole: firmware data */

	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];
		u64 base = ALIGN_DOWN(r->base, PAGE_SIZE),
		    stop = ALIGN_UP(r->base + r->size, PAGE_SIZE);

		if (r->kind == MEM_RESERVED || r->kind == MEM_KERNEL || stop <= end)
			continue;
		base = max(base, end);
		if (base > end) {
			map(DIRECT_MAP_BASE + start, start, end - start, DATA_RW);
			start = base;
		}
		end = stop;
	}
	map(DIRECT_MAP_BASE + start, start, end - start, DATA_RW);
}

void arch_mmu_init(void)
{
	map_ram();
	map_image();
	next_table(&kernel_root[pt_index(VMALLOC_BASE, 3)]);
	next_table(&kernel_root[pt_index(VMEMMAP_BASE, 3)]);
	for (u16 i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
		if (kernel_root[i].v & P)
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
