/*
 * PCI configuration space (ECAM), and the virtio devices behind registers in memory, both from the device tree.
 *
 * ECAM is mapped bus by bus on first use, by the thread that enumerates. Bindings: pci-host-ecam-generic,
 * virtio,mmio, pci-msi (msi-map). Manual: PCIe, 7.2.2.
 */
#include <arch/pci.h>
#include <mm/vmalloc.h>
#include "dt.h"
#include "gic_msi.h"

#define ECAM_BUS_SIZE 0x100000

static volatile char *ecam_bus[256]; /* [a] mapped on first use */
static paddr_t ecam; /* [I] of bus first_bus; 0: none */
static u32 first_bus, last_bus; /* [I] */

static int host_node(void)
{
	return fdt_compatible(&device_tree, FDT_NONE, "pci-host-ecam-generic");
}

bool arch_pci_present(void)
{
	const struct fdt *f = &device_tree;
	int node = host_node();
	u64 base, size;

	if (!fdt_reg(f, node, 0, &base, &size) || size < ECAM_BUS_SIZE)
		return false;
	last_bus = (u32)min(size / ECAM_BUS_SIZE - 1, 255ull);
	if (fdt_cell(f, node, "bus-range", 0, &first_bus))
		last_bus = min(last_bus + first_bus, 255u);
	ecam = base;
	return true;
}

static volatile char *ecam_address(u8 bus, u8 devfn, unsigned offset)
{
	if (!ecam || bus < first_bus || bus > last_bus)
		return NULL;
	if (!ecam_bus[bus])
		ecam_bus[bus] =
			mmio_map(ecam + (u64)(bus - first_bus) * ECAM_BUS_SIZE, ECAM_BUS_SIZE);
	return ecam_bus[bus] ? ecam_bus[bus] + ((u32)devfn << 12) + offset : NULL;
}

u32 arch_pci_read(u8 bus, u8 devfn, unsigned offset, unsigned size)
{
	volatile char *p = ecam_address(bus, devfn, offset);

	if (!p)
		return 0xffffffff;
	switch (size) {
	case 1: return *(volatile u8 *)p;
	case 2: return *(volatile u16 *)p;
	default: return *(volatile u32 *)p;
	}
}

void arch_pci_write(u8 bus, u8 devfn, unsigned offset, unsigned size, u32 v)
{
	volatile char *p = ecam_address(bus, devfn, offset);

	if (!p)
		return;
	if (size == 1)
		*(volatile u8 *)p = (u8)v;
	else if (size == 2)
		*(volatile u16 *)p = (u16)v;
	else
		*(volatile u32 *)p = v;
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
