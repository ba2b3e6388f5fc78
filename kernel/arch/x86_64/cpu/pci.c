/*
 * PCI configuration space by memory (from the MCFG table) or by the two ports of old; and the virtio devices of
 * machines without PCI, from ACPI and from `virtio_mmio.device=SIZE@ADDRESS:IRQ` words.
 *
 * The ports are an index and data pair, guarded by port_lock with interrupts off. Manual: PCI 3.0, 3.2.2.3.2;
 * virtio 1.2, 4.2.
 */
#include <arch/pci.h>
#include <asm/cpu.h>
#include <core/param.h>
#include <core/spinlock.h>
#include <lib/errno.h>
#include <lib/parse.h>
#include <lib/string.h>
#include "../../common/ecam.h"
#include "acpi.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

static struct spinlock port_lock = SPINLOCK_INIT("pci config", RANK_DRIVER);

bool arch_pci_present(void)
{
	if (acpi_info.ecam) {
		ecam_set(acpi_info.ecam, acpi_info.ecam_first_bus, acpi_info.ecam_last_bus);
		return true;
	}
	outl(CONFIG_ADDRESS, 0x80000000);
	return inl(CONFIG_ADDRESS) == 0x80000000;
}

static u32 port_read(u8 bus, u8 devfn, unsigned offset, unsigned size)
{
	u16 port = (u16)(CONFIG_DATA + (offset & 3));
	irqflags_t flags;
	u32 v;

	if (offset >= 256)
		return 0xffffffff;
	flags = spin_lock_irqsave(&port_lock);
	outl(CONFIG_ADDRESS, 0x80000000 | (u32)bus << 16 | (u32)devfn << 8 | (offset & 0xfc));
	v = size == 1 ? inb(port) : size == 2 ? inw(port) : inl(CONFIG_DATA);
	spin_unlock_irqrestore(&port_lock, flags);
	return v;
}

static void port_write(u8 bus, u8 devfn, unsigned offset, unsigned size, u32 v)
{
	u16 port = (u16)(CONFIG_DATA + (offset & 3));
	irqflags_t flags;

	if (offset >= 256)
		return;
	flags = spin_lock_irqsave(&port_lock);
	outl(CONFIG_ADDRESS, 0x80000000 | (u32)bus << 16 | (u32)devfn << 8 | (offset & 0xfc));
	if (size == 1)
		outb(port, (u8)v);
	else if (size == 2)
		outw(port, (u16)v);
	else
		outl(CONFIG_DATA, v);
	spin_unlock_irqrestore(&port_lock, flags);
}

u32 arch_pci_read(u8 bus, u8 devfn, unsigned offset, unsigned size)
{
	volatile char *p = ecam_address(bus, devfn, offset);

	return p ? ecam_read(p, size) : port_read(bus, devfn, offset, size);
}

void arch_pci_write(u8 bus, u8 devfn, unsigned offset, unsigned size, u32 v)
{
	volatile char *p = ecam_address(bus, devfn, offset);

	if (p)
		ecam_write(p, size, v);
	else
		port_write(bus, devfn, offset, size, v);
}

bool arch_pci_window(struct arch_pci_window *out)
{
	(void)out;
	return false;
}

#define WORDS_MAX 32
static struct arch_virtio_mmio words[WORDS_MAX]; /* [I] after the command line was parsed */
static unsigned nr_words;

/* SIZE@ADDRESS:IRQ, with the ID that Linux allows behind another colon. */
static int set_virtio_mmio(const char *value)
{
	struct arch_virtio_mmio *d = &words[nr_words];
	char size[16];
	const char *at = strchr(value, '@');
	u64 base, irq, n;

	if (!at || (size_t)(at - value) >= sizeof(size) || nr_words == WORDS_MAX)
		return -EINVAL;
	memcpy(size, value, (size_t)(at - value));
	size[at - value] = 0;
	at++;
	if (parse_size(size, &n) || parse_u64_prefix(&at, 0, &base) || *at++ != ':' ||
	    parse_u64_prefix(&at, 0, &irq))
		return -EINVAL;
	*d = (struct arch_virtio_mmio){ .base = base, .size = n, .irq = (unsigned)irq };
	nr_words++;
	return 0;
}
static const struct kparam __used __section(".kparams")
	__aligned(8) kparam_virtio_mmio = { "virtio_mmio.device", set_virtio_mmio };

bool arch_virtio_mmio(unsigned i, struct arch_virtio_mmio *out)
{
	struct acpi_device_resources r;

	if (i < nr_words) {
		*out = words[i];
		return true;
	}
	if (!acpi_device(ACPI_VIRTIO_MMIO, i - nr_words, &r))
		return false;
	*out = (struct arch_virtio_mmio){ r.base, r.size, r.irq, r.level, r.active_low };
	return true;
}
