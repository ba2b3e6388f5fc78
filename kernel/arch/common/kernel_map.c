/*
 * The kernel's half of the address space as it is mapped at boot.
 *
 * All RAM is at DIRECT_MAP_BASE with the largest pages, never executable, the image's text and constants read-only
 * there too; the image at KERNEL_BASE in small pages, each section with its own rights; both global. Boot CPU,
 * once, on the boot tables; no locks. Tables come from early_alloc().
 */
#include <arch/mmu.h>
#include <arch/thread.h>
#include <asm/boot.h>
#include <debug/panic.h>
#include <mm/pgtable.h>
#include "kernel_map.h"

/* Dirty at once, so that no CPU has to write that. */
#define MAP_ALWAYS (PT_READ | PT_GLOBAL | PT_DIRTY)

static int largest; /* [I] */

/* The level of the largest page that can begin here. */
static int largest_level(vaddr_t va, paddr_t pa, u64 left)
{
	for (int level = largest; level > 0; level--) {
		u64 size = PAGE_SIZE << (9 * level);

		if (left >= size && IS_ALIGNED(va | pa, size))
			return level;
	}
	return 0;
}

static void map(vaddr_t va, paddr_t pa, u64 size, unsigned prot)
{
	while (size) {
		int level = largest_level(va, pa, size);
		u64 step = PAGE_SIZE << (9 * level);
		pte_t *pte;

		if (pgtable_walk_alloc(kernel_root, va, level, &pte))
			panic("kernel map: no table for %#lx", va);
		pte_write(pte, pte_make(pa, prot | MAP_ALWAYS | (level ? PT_HUGE : 0)));
		va += step;
		pa += step;
		size -= step;
	}
}

/* A part of the image, at KERNEL_BASE and in the direct map. */
static void map_section(const char *start, const char *end, unsigned prot)
{
	paddr_t pa = virt_to_phys(start);
	u64 size = (u64)(end - start);

	map((vaddr_t)start, pa, size, prot);
	map(DIRECT_MAP_BASE + pa, pa, size, prot & ~(unsigned)PT_EXEC);
}

static void map_image(void)
{
	map_section(__text_start, __text_end, PT_EXEC);
	map_section(__rodata_start, __rodata_end, 0);
	map_section(__data_start, boot_stack_guard, PT_WRITE);
	map_section(boot_stack, __bss_end, PT_WRITE);
	map_section(__ksyms_start, __kernel_end, 0);
}

/* RAM, with neighbouring ranges joined so that large pages cross their borders. */
static void map_ram(u64 low)
{
	u64 start = 0, end = low;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++) {
		const struct memrange *r = &boot_info.ranges[i];
		u64 base = ALIGN_DOWN(r->base, PAGE_SIZE),
		    stop = ALIGN_UP(r->base + r->size, PAGE_SIZE);

		if (r->kind == MEM_RESERVED || r->kind == MEM_KERNEL || stop <= end)
			continue;
		base = max(base, end);
		if (base > end) {
			map(DIRECT_MAP_BASE + start, start, end - start, PT_WRITE);
			start = base;
		}
		end = stop;
	}
	map(DIRECT_MAP_BASE + start, start, end - start, PT_WRITE);
}

void kernel_map_all(int level, u64 low)
{
	largest = level;
	map_ram(low);
	map_image();
}
