/*
 * Boot information from the device tree → struct boot_info.
 *
 * Runs once, on the boot tables, before kernel_main. Of the physical memory these show only the image; so
 * what is needed is added to them at its place in the direct map: the tree, the console's registers, and the
 * lowest gigabytes of RAM, from which early_alloc() will take. The tree itself stays where it is, as
 * MEM_FIRMWARE. Specification: devicetree.org 0.4, 3 (nodes); the Linux kernel's arm64 booting document.
 */
#include <arch/cpu.h>
#include <arch/debug.h>
#include <arch/mmu.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <lib/string.h>
#include "../../common/memmap.h"
#include "../cpu/debugport.h"
#include "../cpu/random.h"

#define RAW_MAX 64
#define DTB_MAX (2u << 20)
#define BOOT_TABLES 12
#define BOOT_RAM_MAX (4ull << 30) /* of it is shown by the boot tables */

struct boot_info boot_info;
paddr_t kernel_phys;
struct fdt device_tree;
static char cmdline_copy[4096];
static struct memrange raw[RAW_MAX];
static unsigned nr_raw;

extern pte_t boot_l0[PT_ENTRIES];
static pte_t tables[BOOT_TABLES][PT_ENTRIES] __aligned(PAGE_SIZE) __section(".bss.page_aligned");
static unsigned tables_used;

__noreturn static void refuse(const char *why)
{
	for (; *why; why++)
		arch_debug_putc(*why);
	arch_cpu_halt();
}

static pte_t *next_boot_table(pte_t *slot)
{
	if (!slot->v) {
		if (tables_used == BOOT_TABLES)
			return NULL;
		*slot = pte_make_table(virt_to_phys(tables[tables_used++]));
	}
	return (pte_t *)(pte_paddr(*slot) - kernel_phys + KERNEL_BASE);
}

/* Shows [pa, pa + size) in the direct map, by whole blocks of 2 MiB. Stops where the tables are used up. */
static void boot_map(paddr_t pa, u64 size, unsigned prot)
{
	paddr_t end = pa + size;

	for (pa = ALIGN_DOWN(pa, HUGE_SIZE); pa < end; pa += HUGE_SIZE) {
		vaddr_t va = DIRECT_MAP_BASE + pa;
		pte_t *table = next_boot_table(&boot_l0[pt_index(va, 3)]);

		if (table)
			table = next_boot_table(&table[pt_index(va, 2)]);
		if (!table)
			break;
		if (!table[pt_index(va, 1)].v)
			pte_write(&table[pt_index(va, 1)],
				  pte_make(pa, prot | PT_READ | PT_WRITE | PT_GLOBAL | PT_HUGE));
	}
	dsb(ishst);
	isb();
}

static void add_range(u64 base, u64 size, enum memrange_kind kind)
{
	if (size && nr_raw < RAW_MAX)
		raw[nr_raw++] = (struct memrange){ base, size, kind };
}

/* The same in whole pages, for what must not be handed out. */
static void add_taken(u64 base, u64 size, enum memrange_kind kind)
{
	u64 start = ALIGN_DOWN(base, PAGE_SIZE);

	add_range(start, ALIGN_UP(base + size, PAGE_SIZE) - start, kind);
}

static void find_tree(paddr_t dtb)
{
	u32 size;

	if (!dtb || (dtb & 7))
		refuse("cairn: no device tree\n");
	boot_map(dtb, FDT_HEADER_SIZE, 0);
	size = fdt_total_size(phys_to_virt(dtb));
	if (size <= DTB_MAX)
		boot_map(dtb, size, 0);
	if (size > DTB_MAX || fdt_init(&device_tree, phys_to_virt(dtb), size) < 0)
		refuse("cairn: no device tree\n");
	add_taken(dtb, size, MEM_FIRMWARE);
}

static void find_memory(void)
{
	const struct fdt *f = &device_tree;
	int root = fdt_root(f), depth = 0;
	u64 base, size;

	for (int n = fdt_next(f, root, &depth); n >= 0 && depth > 0; n = fdt_next(f, n, &depth)) {
		const char *type = fdt_string(f, n, "device_type");

		if (depth != 1 || !type || strcmp(type, "memory") || !fdt_enabled(f, n))
			continue;
		for (unsigned i = 0; fdt_reg(f, n, i, &base, &size); i++)
			add_range(base, size, MEM_USABLE);
	}
}

/* What the firmware keeps: readable data stays mapped, "no-map" does not. */
static void find_reserved(void)
{
	const struct fdt *f = &device_tree;
	int parent = fdt_path(f, "/reserved-memory"), depth = 0;
	u64 base, size;

	for (unsigned i = 0; fdt_reserved(f, i, &base, &size); i++)
		add_taken(base, size, MEM_FIRMWARE);
	for (int n = fdt_next(f, parent, &depth); n >= 0 && depth > 0; n = fdt_next(f, n, &depth)) {
		bool hidden = fdt_prop(f, n, "no-map", NULL);

		for (unsigned i = 0; fdt_reg(f, n, i, &base, &size); i++)
			add_taken(base, size, hidden ? MEM_RESERVED : MEM_FIRMWARE);
	}
}

/* One or two cells, by the property's own length. */
static bool chosen_address(int chosen, const char *name, u64 *out)
{
	u32 len = 0;

	return fdt_prop(&device_tree, chosen, name, &len) &&
	       fdt_number(&device_tree, chosen, name, 0, len / 4, out);
}

static void find_chosen(void)
{
	int chosen = fdt_path(&device_tree, "/chosen");
	const char *words = fdt_string(&device_tree, chosen, "bootargs");
	u64 start, end;
	u32 len;
	const void *seed = fdt_prop(&device_tree, chosen, "rng-seed", &len);

	boot_info.cmdline = cmdline_copy;
	if (words)
		(void)strscpy(cmdline_copy, words, sizeof(cmdline_copy));
	if (seed)
		random_seed((void *)(uintptr_t)seed, len);
	if (chosen_address(chosen, "linux,initrd-start", &start) &&
	    chosen_address(chosen, "linux,initrd-end", &end) && start < end) {
		boot_info.initrd_base = start;
		boot_info.initrd_size = end - start;
		add_taken(start, end - start, MEM_INITRD);
	}
}

static void find_console(void)
{
	paddr_t base;

	if (!debugport_find(&base))
		return;
	boot_map(base, PAGE_SIZE, PT_DEVICE);
	debugport_start(base);
}

static void show_ram(void)
{
	u64 left = BOOT_RAM_MAX;

	for (unsigned i = 0; i < boot_info.nr_ranges && left; i++) {
		const struct memrange *r = &boot_info.ranges[i];
		u64 start = ALIGN_UP(r->base, HUGE_SIZE);
		u64 end = ALIGN_DOWN(r->base + r->size, HUGE_SIZE), n;

		if (r->kind != MEM_USABLE || start >= end)
			continue;
		n = min(end - start, left);
		boot_map(start, n, 0);
		left -= n;
	}
}

void boot_init(paddr_t dtb)
{
	int count;

	find_tree(dtb);
	find_chosen();
	debugport_options(cmdline_copy);
	find_console();
	find_memory();
	find_reserved();
	add_range(0, PAGE_SIZE, MEM_RESERVED); /* no frame has number 0 */
	add_taken(kernel_phys, (u64)(__kernel_end - __kernel_start), MEM_KERNEL);
	count = memmap_build(raw, nr_raw, boot_info.ranges, ARRAY_SIZE(boot_info.ranges));
	if (count < 0)
		count = ARRAY_SIZE(boot_info.ranges); /* the highest are left out */
	boot_info.nr_ranges = (unsigned)count;
	show_ram();
}
