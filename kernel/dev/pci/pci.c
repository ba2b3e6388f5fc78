/*
 * PCI: enumeration and configuration.
 *
 * Buses are walked depth-first from bus 0 over the bridges as firmware numbered them; BARs are taken as
 * firmware placed them. What it left out on the first bus is placed behind those in the port's window, if it has one;
 * any other is logged and unusable. Interrupts are MSI-X only; INTx routing would need the firmware's byte code. The
 * list of devices is complete before any driver runs and never changes. No locks. Manual: PCI 3.0, 6; PCIe base specification, 7.
 */
#include <arch/irq.h>
#include <debug/klog.h>
#include <dev/driver.h>
#include <dev/pci.h>
#include <lib/errno.h>
#include <mm/slab.h>
#include <mm/vmalloc.h>

#define PCI_STATUS 0x06
#define PCI_CLASS_REV 0x08
#define PCI_HEADER_TYPE 0x0e
#define PCI_BAR0 0x10
#define PCI_SECONDARY 0x19
#define PCI_CAP_PTR 0x34
#define STATUS_CAPS 0x10
#define HEADER_BRIDGE 1
#define HEADER_MULTI 0x80
#define MSIX_ENABLE 0x8000
#define MSIX_MASK_ALL 0x4000

static DEFINE_LIST(devices); /* [I] after the bus driver ran */

u32 pci_read(const struct pci_device *d, unsigned offset, unsigned size)
{
	return arch_pci_read(d->bus, d->devfn, offset, size);
}

void pci_write(const struct pci_device *d, unsigned offset, unsigned size, u32 value)
{
	arch_pci_write(d->bus, d->devfn, offset, size, value);
}

struct pci_device *pci_next(struct pci_device *prev)
{
	struct list *next = prev ? prev->link.next : devices.next;

	return next == &devices ? NULL : list_entry(next, struct pci_device, link);
}

unsigned pci_find_cap(const struct pci_device *d, u8 id, unsigned after)
{
	unsigned pos = after ? after + 1 : PCI_CAP_PTR;

	if (!(pci_read(d, PCI_STATUS, 2) & STATUS_CAPS))
		return 0;
	for (unsigned guard = 0; guard < 48; guard++) {
		unsigned cap = pci_read(d, pos, 1) & 0xfc;

		if (cap < 0x40)
			return 0;
		if (pci_read(d, cap, 1) == id)
			return cap;
		pos = cap + 1;
	}
	return 0;
}

/* Sizes one BAR by writing ones; returns how many registers it took. */
static unsigned read_bar(struct pci_device *d, unsigned i)
{
	unsigned reg = PCI_BAR0 + 4 * i;
	u32 low = pci_read(d, reg, 4), mask_low, mask_high = 0xffffffff, high = 0;
	bool wide = (low & 7) == 4;
	u64 mask;

	if (low & 1) /* I/O ports */
		return 1;
	pci_write(d, reg, 4, 0xffffffff);
	mask_low = pci_read(d, reg, 4);
	pci_write(d, reg, 4, low);
	if (wide && i < 5) {
		high = pci_read(d, reg + 4, 4);
		pci_write(d, reg + 4, 4, 0xffffffff);
		mask_high = pci_read(d, reg + 4, 4);
		pci_write(d, reg + 4, 4, high);
	}
	mask = (u64)mask_high << 32 | (mask_low & ~0xfu);
	if (mask_low) {
		d->bars[i].base = (u64)high << 32 | (low & ~0xfu);
		d->bars[i].size = ~mask + 1;
	}
	return wide ? 2 : 1;
}

static void read_bars(struct pci_device *d)
{
	u32 command = pci_read(d, PCI_COMMAND, 2);

	pci_write(d, PCI_COMMAND, 2, command & ~(PCI_COMMAND_MEMORY | 1u));
	for (unsigned i = 0; i < 6;)
		i += read_bar(d, i);
	pci_write(d, PCI_COMMAND, 2, command);
}

static void add_device(u8 bus, u8 devfn, u32 id)
{
	struct pci_device *d = kzalloc(sizeof(*d));
	u32 class;

	if (!d)
		return;
	d->bus = bus;
	d->devfn = devfn;
	d->vendor = (u16)id;
	d->device = (u16)(id >> 16);
	class = pci_read(d, PCI_CLASS_REV, 4);
	d->class = (u8)(class >> 24);
	d->subclass = (u8)(class >> 16);
	d->prog_if = (u8)(class >> 8);
	read_bars(d);
	d->msix_cap = pci_find_cap(d, PCI_CAP_MSIX, 0);
	if (d->msix_cap)
		d->msix_entries = (pci_read(d, d->msix_cap + 2, 2) & 0x7ff) + 1;
	list_add_tail(&d->link, &devices);
	log_debug("pci: %02x:%02x.%u %04x:%04x class %02x%02x", bus, devfn >> 3, devfn & 7,
		  d->vendor, d->device, d->class, d->subclass);
}

/* Bridges waiting to be walked, by their secondary bus. */
struct bus_set {
	u64 bits[4];
};

static void scan_function(u8 bus, u8 devfn, struct bus_set *pending)
{
	u32 id = arch_pci_read(bus, devfn, 0, 4);

	if ((id & 0xffff) == 0xffff)
		return;
	if ((arch_pci_read(bus, devfn, PCI_HEADER_TYPE, 1) & 0x7f) == HEADER_BRIDGE) {
		u8 below = (u8)arch_pci_read(bus, devfn, PCI_SECONDARY, 1);

		if (below > bus)
			pending->bits[below / 64] |= 1ull << below % 64;
		return;
	}
	add_device(bus, devfn, id);
}

static void scan_bus(u8 bus, struct bus_set *pending)
{
	for (unsigned slot = 0; slot < 32; slot++) {
		u8 devfn = (u8)(slot << 3);
		unsigned functions;

		if ((arch_pci_read(bus, devfn, 0, 4) & 0xffff) == 0xffff)
			continue;
		functions = arch_pci_read(bus, devfn, PCI_HEADER_TYPE, 1) & HEADER_MULTI ? 8 : 1;
		for (unsigned f = 0; f < functions; f++)
			scan_function(bus, (u8)(devfn | f), pending);
	}
}

void pci_enable(struct pci_device *d)
{
	u32 command = pci_read(d, PCI_COMMAND, 2);

	pci_write(d, PCI_COMMAND, 2,
		  command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
}

void *pci_map_bar(struct pci_device *d, unsigned bar)
{
	struct pci_bar *b;

	if (bar >= ARRAY_SIZE(d->bars) || !d->bars[bar].base)
		return NULL;
	b = &d->bars[bar];
	if (!b->mapped)
		b->mapped = mmio_map(b->base, b->size);
	return b->mapped;
}

/* Maps the table and switches the device from INTx to MSI-X. */
static int msix_start(struct pci_device *d)
{
	u32 where = pci_read(d, d->msix_cap + 4, 4);
	char *bar = pci_map_bar(d, where & 7);
	u32 control = pci_read(d, d->msix_cap + 2, 2);

	if (!bar)
		return -ENOMEM;
	if ((where & ~7u) + d->msix_entries * 16ull > d->bars[where & 7].size)
		return -EINVAL;
	d->msix_table = (volatile u32 *)(bar + (where & ~7u));
	for (unsigned i = 0; i < d->msix_entries; i++)
		d->msix_table[4 * i + 3] = 1; /* masked */
	pci_write(d, d->msix_cap + 2, 2, (control | MSIX_ENABLE) & ~MSIX_MASK_ALL);
	return 0;
}

int pci_msix_setup(struct pci_device *d, unsigned entry, unsigned *irq)
{
	struct arch_msi msi;
	int error;

	if (!d->msix_entries)
		return -ENODEV;
	if (entry >= d->msix_entries)
		return -EINVAL;
	if (!d->msix_table) {
		error = msix_start(d);
		if (error)
			return error;
	}
	error = arch_msi_alloc((u32)d->bus << 8 | d->devfn, &msi);
	if (error)
		return error;
	d->msix_table[4 * entry] = (u32)msi.address;
	d->msix_table[4 * entry + 1] = (u32)(msi.address >> 32);
	d->msix_table[4 * entry + 2] = msi.data;
	d->msix_table[4 * entry + 3] = 0;
	*irq = msi.irq;
	return 0;
}

void pci_msix_release(struct pci_device *d, unsigned entry, unsigned irq)
{
	d->msix_table[4 * entry + 3] = 1; /* masked */
	(void)d->msix_table[4 * entry + 3]; /* has arrived, and what the device wrote before it */
	arch_msi_free(irq);
}

/* Where a BAR of the window is for the CPU; what firmware placed elsewhere is taken to be the same for both. */
static paddr_t window_address(const struct arch_pci_window *w, u64 bus)
{
	return bus - w->bus < w->size ? w->cpu + (bus - w->bus) : bus;
}

/* Gives a BAR the first place from *next on, if there is one. */
static void place_bar(struct pci_device *d, unsigned i, const struct arch_pci_window *w, u64 *next)
{
	unsigned reg = PCI_BAR0 + 4 * i;
	u64 at = ALIGN_UP(*next, d->bars[i].size);

	if (d->bus || at + d->bars[i].size > w->bus + w->size) {
		log_warn("pci: %02x:%02x.%u: BAR %u has no place", d->bus, d->devfn >> 3,
			 d->devfn & 7, i);
		return;
	}
	pci_write(d, reg, 4, (u32)at);
	if ((pci_read(d, reg, 4) & 7) == 4)
		pci_write(d, reg + 4, 4, (u32)(at >> 32));
	d->bars[i].base = at;
	*next = at + d->bars[i].size;
}

static void place_bars(void)
{
	struct arch_pci_window w = {};
	struct pci_device *d;
	u64 next;

	(void)arch_pci_window(&w);
	next = max(w.bus, PAGE_SIZE); /* 0 in a BAR is no place */
	list_for_each_entry(d, &devices, link)
		for (unsigned i = 0; i < ARRAY_SIZE(d->bars); i++)
			if (d->bars[i].base - w.bus < w.size)
				next = max(next, d->bars[i].base + d->bars[i].size);
	list_for_each_entry(d, &devices, link)
		for (unsigned i = 0; i < ARRAY_SIZE(d->bars); i++) {
			if (d->bars[i].size && !d->bars[i].base)
				place_bar(d, i, &w, &next);
			if (d->bars[i].base)
				d->bars[i].base = window_address(&w, d->bars[i].base);
		}
}

DRIVER(pci, DRIVER_BUS)
{
	struct bus_set pending = { { 1 } };

	if (!arch_pci_present())
		return 0;
	for (unsigned bus = 0; bus < 256; bus++)
		if (pending.bits[bus / 64] >> bus % 64 & 1)
			scan_bus((u8)bus, &pending);
	place_bars();
	return 0;
}
