/*
 * PCI configuration space, and the virtio devices behind registers in memory, both from the device tree.
 * Bindings: pci-host-ecam-generic, virtio,mmio, pci-msi (msi-map).
 */
#include <arch/pci.h>
#include "../../common/ecam.h"
#include "dt.h"
#include "gic_msi.h"

/* The first cell of an address on the bus: IEEE 1275, PCI bus binding, 2.2.1.1. */
#define RANGE_SPACE 0x03000000u
#define RANGE_MEMORY32 0x02000000u
#define RANGE_PREFETCH 0x40000000u

static int host_node(void)
{
	return fdt_compatible(&device_tree, FDT_NONE, "pci-host-ecam-generic");
}

bool arch_pci_present(void)
{
	const struct fdt *f = &device_tree;
	int node = host_node();
	u64 base, size;
	u32 first = 0;

	if (!fdt_reg(f, node, 0, &base, &size) || size < ECAM_BUS_SIZE)
		return false;
	(void)fdt_cell(f, node, "bus-range", 0, &first);
	ecam_set(base - first * ECAM_BUS_SIZE, first,
		 (unsigned)min(first + size / ECAM_BUS_SIZE - 1, 255ull));
	return true;
}

u32 arch_pci_read(u8 bus, u8 devfn, unsigned offset, unsigned size)
{
	volatile char *p = ecam_address(bus, devfn, offset);

	return p ? ecam_read(p, size) : 0xffffffff;
}

void arch_pci_write(u8 bus, u8 devfn, unsigned offset, unsigned size, u32 v)
{
	volatile char *p = ecam_address(bus, devfn, offset);

	if (p)
		ecam_write(p, size, v);
}

/* The 32-bit memory of the host's ranges, where prefetching may have effects: any BAR can go there. */
bool arch_pci_window(struct arch_pci_window *out)
{
	const struct fdt *f = &device_tree;
	int host = host_node();
	unsigned cells = fdt_address_cells(f, fdt_parent(f, host)), row = 3 + cells + 2;
	u32 kind;

	for (unsigned i = 0; fdt_cell(f, host, "ranges", i, &kind); i += row)
		if ((kind & (RANGE_SPACE | RANGE_PREFETCH)) == RANGE_MEMORY32)
			return fdt_number(f, host, "ranges", i + 1, 2, &out->bus) &&
			       fdt_number(f, host, "ranges", i + 3, cells, &out->cpu) &&
			       fdt_number(f, host, "ranges", i + 3 + cells, 2, &out->size);
	return false;
}

int pci_msi_controller(u32 requester, u32 *device)
{
	const struct fdt *f = &device_tree;
	int host = host_node();
	u32 mask = ~0u, row[4];

	(void)fdt_cell(f, host, "msi-map-mask", 0, &mask);
	for (unsigned i = 0; fdt_cell(f, host, "msi-map", i, &row[i % 4]); i++) {
		if (i % 4 != 3 || (requester & mask) - row[0] >= row[3])
			continue;
		*device = row[2] + ((requester & mask) - row[0]);
		return fdt_by_phandle(f, row[1]);
	}
	*device = requester;
	if (fdt_prop(f, host, "msi-map", NULL) || !fdt_cell(f, host, "msi-parent", 0, &row[0]))
		return FDT_NONE;
	return fdt_by_phandle(f, row[0]);
}

bool arch_virtio_mmio(unsigned i, struct arch_virtio_mmio *out)
{
	const struct fdt *f = &device_tree;
	int node = fdt_compatible(f, FDT_NONE, "virtio,mmio");
	struct dt_irq line;
	u64 base, size;

	for (; i && node >= 0; i--)
		node = fdt_compatible(f, node, "virtio,mmio");
	if (!fdt_reg(f, node, 0, &base, &size) || dt_irq(node, 0, &line))
		return false;
	*out = (struct arch_virtio_mmio){ base, size, line.irq, line.level, line.active_low };
	return true;
}
