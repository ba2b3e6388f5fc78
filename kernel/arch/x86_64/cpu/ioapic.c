/*
 * Device lines: the I/O APICs, the 8259s put to sleep, and numbers for message-signalled interrupts.
 *
 * A line's number is its GSI, its vector GSI + VECTOR_IRQ_BASE; all go to the boot CPU. ISA lines follow
 * the firmware's overrides for trigger and polarity. Messages use irq numbers from IRQ_MSI_BASE on, and
 * have no mask here (the device has): arch_irq_mask() on one does nothing. ioapic_lock guards the index
 * and data registers and the messages' numbers; it is taken in interrupts. Manual: 82093AA; ACPI 6.4, 5.2.12.5.
 */
#include <arch/irq.h>
#include <arch/pte.h>
#include <asm/apic.h>
#include <core/spinlock.h>
#include <debug/klog.h>
#include <lib/bitmap.h>
#include <lib/errno.h>
#include <mm/vmalloc.h>
#include "acpi.h"
#include "ioapic.h"

#define IOAPIC_DEFAULT_BASE 0xfec00000
#define REG_VERSION 1
#define REG_REDIR(n) (0x10 + 2 * (n))
#define REDIR_MASKED 0x10000
#define REDIR_LEVEL 0x8000
#define REDIR_ACTIVE_LOW 0x2000
#define MSI_ADDRESS 0xfee00000
#define NR_MSI (IRQ_MSI_LAST - IRQ_MSI_BASE + 1)

static struct ioapic {
	volatile u32 *regs; /* [I] mapped; index at 0, data at word 4 */
	u32 gsi_base, lines; /* [I] */
} ioapics[ACPI_MAX_IOAPICS];
static unsigned nr_ioapics; /* [I] */
static struct spinlock ioapic_lock = SPINLOCK_INIT("ioapic", RANK_DRIVER);
static DECLARE_BITMAP(msi_used, NR_MSI); /* [x] ioapic_lock */

static u32 ioapic_read(struct ioapic *io, u32 reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void ioapic_write(struct ioapic *io, u32 reg, u32 v)
{
	io->regs[0] = reg;
	io->regs[4] = v;
}

static struct ioapic *ioapic_find(unsigned irq)
{
	for (unsigned i = 0; i < nr_ioapics; i++)
		if (irq - ioapics[i].gsi_base < ioapics[i].lines)
			return &ioapics[i];
	return NULL;
}

static void ioapic_add(paddr_t base, u32 gsi_base)
{
	struct ioapic *io = &ioapics[nr_ioapics];

	io->regs = mmio_map(base, PAGE_SIZE);
	if (!io->regs) {
		log_err("ioapic: no memory to map %#llx", base);
		return;
	}
	io->gsi_base = gsi_base;
	io->lines = (ioapic_read(io, REG_VERSION) >> 16 & 0xff) + 1;
	for (u32 i = 0; i < io->lines; i++)
		ioapic_write(io, REG_REDIR(i), REDIR_MASKED);
	nr_ioapics++;
}

/* The 8259s: moved away from the exceptions' vectors, then everything masked. */
static void pic_disable(void)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, 0xf0);
	outb(0xa1, 0xf8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void ioapic_init(void)
{
	const struct acpi_madt *m = &acpi_info.madt;

	pic_disable();
	for (unsigned i = 0; acpi_info.has_madt && i < m->nr_ioapics; i++)
		ioapic_add(m->ioapics[i].base, m->ioapics[i].gsi_base);
	if (!nr_ioapics)
		ioapic_add(IOAPIC_DEFAULT_BASE, 0);
}

static void line_set_mask(unsigned irq, bool masked)
{
	struct ioapic *io = ioapic_find(irq);
	irqflags_t flags;
	u32 reg, v;

	if (!io)
		return;
	reg = REG_REDIR(irq - io->gsi_base);
	flags = spin_lock_irqsave(&ioapic_lock);
	v = ioapic_read(io, reg);
	ioapic_write(io, reg, masked ? v | REDIR_MASKED : v & ~REDIR_MASKED);
	spin_unlock_irqrestore(&ioapic_lock, flags);
}

void arch_irq_mask(unsigned irq)
{
	line_set_mask(irq, true);
}

void arch_irq_unmask(unsigned irq)
{
	line_set_mask(irq, false);
}

/* Trigger and polarity of ISA lines are the firmware's to say. */
static void apply_override(unsigned irq, bool *level, bool *active_low)
{
	for (unsigned i = 0; acpi_info.has_madt && i < ACPI_ISA_IRQS; i++) {
		if (!acpi_info.madt.isa[i].overridden || acpi_info.madt.isa[i].gsi != irq)
			continue;
		*level = acpi_info.madt.isa[i].level;
		*active_low = acpi_info.madt.isa[i].active_low;
	}
}

int arch_irq_setup(unsigned irq, bool level, bool active_low)
{
	struct ioapic *io = ioapic_find(irq);
	irqflags_t flags;
	u32 low, reg;

	if (!io || irq >= IRQ_MSI_BASE)
		return -EINVAL;
	apply_override(irq, &level, &active_low);
	reg = REG_REDIR(irq - io->gsi_base);
	low = REDIR_MASKED | (irq + VECTOR_IRQ_BASE);
	low |= (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_ACTIVE_LOW : 0);
	flags = spin_lock_irqsave(&ioapic_lock);
	ioapic_write(io, reg + 1, cpu_apic_id[0] << 24);
	ioapic_write(io, reg, low);
	spin_unlock_irqrestore(&ioapic_lock, flags);
	return 0;
}

int arch_msi_alloc(u32 requester, struct arch_msi *out)
{
	irqflags_t flags = spin_lock_irqsave(&ioapic_lock);
	unsigned n = (unsigned)bitmap_find_first_zero(msi_used, NR_MSI);

	(void)requester; /* every device's writes are taken alike */
	if (n < NR_MSI)
		bitmap_set(msi_used, n);
	spin_unlock_irqrestore(&ioapic_lock, flags);
	if (n == NR_MSI)
		return -ENOSPC;
	out->irq = IRQ_MSI_BASE + n;
	out->address = MSI_ADDRESS | (cpu_apic_id[0] & 0xff) << 12;
	out->data = out->irq + VECTOR_IRQ_BASE;
	return 0;
}

void arch_msi_free(unsigned irq)
{
	irqflags_t flags = spin_lock_irqsave(&ioapic_lock);

	bitmap_clear(msi_used, irq - IRQ_MSI_BASE);
	spin_unlock_irqrestore(&ioapic_lock, flags);
}
