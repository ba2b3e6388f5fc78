/*
 * Boot information by the PVH protocol: start info, memory map, modules → struct boot_info.
 *
 * Runs once on the boot tables, before kernel_main; everything it reads lies below 4 GiB, and everything
 * it keeps is copied, for the loader's own data lies in memory that will be handed out. Pages taken out of
 * the map here: page 0 (so that no frame has number 0), the trampoline page for secondary CPUs, the image.
 */
#include <arch/debug.h>
#include <arch/mmu.h>
#include <asm/boot.h>
#include "../../common/memmap.h"

#define PVH_MEMMAP_MAX 128
#define LOW_MEMORY_END 0xa0000

struct pvh_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};
struct pvh_module {
	u64 base, size, cmdline, reserved;
};
struct pvh_memmap_entry {
	u64 base, size;
	u32 type, reserved;
};
enum { PVH_MEM_RAM = 1, PVH_MEM_ACPI = 3, PVH_MEM_NVS = 4 };

struct boot_info boot_info;
paddr_t acpi_rsdp;
paddr_t boot_trampoline;
static char cmdline_copy[4096];

static void copy_cmdline(u64 pa)
{
	const char *s = pa ? phys_to_virt(pa) : "";
	size_t i = 0;

	for (; s[i] && i < sizeof(cmdline_copy) - 1; i++)
		cmdline_copy[i] = s[i];
	cmdline_copy[i] = 0;
	boot_info.cmdline = cmdline_copy;
}

static enum memrange_kind kind_of(u32 type)
{
	switch (type) {
	case PVH_MEM_RAM: return MEM_USABLE;
	case PVH_MEM_ACPI: return MEM_FIRMWARE;
	default: return MEM_RESERVED;
	}
}

static unsigned collect(const struct pvh_start_info *si, struct memrange *raw, unsigned max)
{
	const struct pvh_memmap_entry *e = phys_to_virt(si->memmap);
	unsigned n = 0;

	if (si->version < 1 || !si->memmap)
		return 0;
	for (unsigned i = 0; i < si->memmap_entries && n < max; i++, e++)
		if (e->size)
			raw[n++] = (struct memrange){ e->base, e->size, kind_of(e->type) };
	return n;
}

/* The highest usable page below the legacy hole, for the secondary CPUs' first steps. 0: none. */
static paddr_t pick_trampoline(const struct memrange *raw, unsigned n)
{
	paddr_t best = 0;

	for (unsigned i = 0; i < n; i++) {
		u64 end = min_t(u64, raw[i].base + raw[i].size, LOW_MEMORY_END);

		if (raw[i].kind != MEM_USABLE || end < raw[i].base + PAGE_SIZE)
			continue;
		best = max_t(u64, best, ALIGN_DOWN(end, PAGE_SIZE) - PAGE_SIZE);
	}
	return best;
}

static void say(const char *s)
{
	while (*s)
		arch_debug_putc(*s++);
}

/* in: physical address of the start info. */
void pvh_init(u32 start_info)
{
	static struct memrange raw[PVH_MEMMAP_MAX + 4];
	const struct pvh_start_info *si = phys_to_virt(start_info);
	unsigned n = collect(si, raw, PVH_MEMMAP_MAX);
	paddr_t image = virt_to_phys(__kernel_start);
	int count;

	copy_cmdline(si->cmdline);
	acpi_rsdp = si->rsdp;
	boot_trampoline = pick_trampoline(raw, n);
	raw[n++] = (struct memrange){ 0, PAGE_SIZE, MEM_RESERVED };
	if (boot_trampoline)
		raw[n++] = (struct memrange){ boot_trampoline, PAGE_SIZE, MEM_RESERVED };
	raw[n++] = (struct memrange){ image, virt_to_phys(__kernel_end) - image, MEM_KERNEL };
	if (si->nr_modules) {
		const struct pvh_module *m = phys_to_virt(si->modlist);
		u64 base = ALIGN_DOWN(m->base, PAGE_SIZE);

		boot_info.initrd_base = m->base;
		boot_info.initrd_size = m->size;
		if (m->size)
			raw[n++] = (struct memrange){ base,
						      ALIGN_UP(m->base + m->size, PAGE_SIZE) - base,
						      MEM_INITRD };
	}
	count = memmap_build(raw, n, boot_info.ranges, ARRAY_SIZE(boot_info.ranges));
	if (count < 0) {
		say("cairn: more memory ranges than fit; the highest are left out\r\n");
		count = ARRAY_SIZE(boot_info.ranges);
	}
	boot_info.nr_ranges = (unsigned)count;
}
