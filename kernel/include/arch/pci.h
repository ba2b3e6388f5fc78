/*
 * The arch contract, buses: PCI configuration space, and devices that do not announce themselves on a bus.
 * A port without PCI returns false from arch_pci_present().
 */
#pragma once
#include <lib/types.h>

bool arch_pci_present(void);
/* size: 1, 2 or 4 bytes at an aligned offset below 4096 (256 where the port has only the old access, all
 * ones beyond). A device that is not there reads as all ones. Any context. */
u32 arch_pci_read(u8 bus, u8 devfn, unsigned offset, unsigned size);
void arch_pci_write(u8 bus, u8 devfn, unsigned offset, unsigned size, u32 value);

/* The range for the memory of devices that no firmware has placed: addresses on the bus, and the CPU's for the same.
 * False: firmware has placed them all. Thread context. */
struct arch_pci_window {
	u64 bus, size;
	paddr_t cpu;
};
bool arch_pci_window(struct arch_pci_window *out);

/* The i-th virtio device behind memory-mapped registers that the platform describes; false past the last.
 * Thread context. */
struct arch_virtio_mmio {
	paddr_t base;
	u64 size;
	unsigned irq;
	bool level, active_low;
};
bool arch_virtio_mmio(unsigned i, struct arch_virtio_mmio *out);
