/* PCI devices: what the enumeration found, and access to them. */
#pragma once
#include <arch/pci.h>
#include <lib/list.h>

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4
#define PCI_COMMAND_NO_INTX 0x400
#define PCI_CAP_MSIX 0x11
#define PCI_CAP_VENDOR 0x09

struct pci_bar {
	paddr_t base; /* 0: none, or an I/O port one */
	u64 size;
	void *mapped; /* by pci_map_bar() */
};

struct pci_device {
	u8 bus, devfn;
	u16 vendor, device;
	u8 class, subclass, prog_if;
	struct pci_bar bars[6];
	/* MSI-X; 0 entries: none. */
	unsigned msix_entries, msix_cap;
	volatile u32 *msix_table;
	struct list link;
};

u32 pci_read(const struct pci_device *d, unsigned offset, unsigned size);
void pci_write(const struct pci_device *d, unsigned offset, unsigned size, u32 value);
/* The device after prev (NULL: the first), NULL at the end. Thread context. */
struct pci_device *pci_next(struct pci_device *prev);
/* Configuration offset of a capability, after `after` (0: the first); 0 when there is none. */
unsigned pci_find_cap(const struct pci_device *d, u8 id, unsigned after);
/* Memory decoding and bus mastering on, INTx off. */
void pci_enable(struct pci_device *d);
/* A memory BAR's registers, mapped once; NULL when there is none or no memory. Thread context. */
void *pci_map_bar(struct pci_device *d, unsigned bar);
/* Allocates an interrupt and points MSI-X entry `entry` to it. 0 with the irq for irq_request(); -ENODEV
 * without MSI-X, -EINVAL, -ENOSPC, -ENOMEM, -EIO. The first one enables MSI-X. Thread context. */
int pci_msix_setup(struct pci_device *d, unsigned entry, unsigned *irq);
/* Masks the entry and gives its interrupt back, which nobody handles any more. Thread context. */
void pci_msix_release(struct pci_device *d, unsigned entry, unsigned irq);
