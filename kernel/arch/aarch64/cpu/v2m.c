/*
 * Messages of a GICv2: a frame of registers that turns a device's write into one of a range of shared lines.
 *
 * The range is what the frame's own register says. v2m_lock guards what is used of it. Manual: Arm Server Base
 * System Architecture, appendix E (GICv2m); binding arm,gic.yaml.
 */
#include <arch/mmu.h>
#include <asm/gic.h>
#include <core/spinlock.h>
#include <lib/bitmap.h>
#include <lib/errno.h>
#include <mm/vmalloc.h>
#include "dt.h"
#include "gic_msi.h"

enum frame { MSI_TYPER = 0x8, MSI_SETSPI_NS = 0x40 };

static paddr_t frame; /* [I] 0: none */
static unsigned first, count; /* [I] lines */
static DECLARE_BITMAP(used, GIC_LPI_IRQ); /* [x] v2m_lock */
static struct spinlock v2m_lock = SPINLOCK_INIT("gicv2m", RANK_DRIVER);

void v2m_init(int gic, unsigned lines)
{
	int node = fdt_compatible(&device_tree, gic, "arm,gic-v2m-frame");
	volatile char *regs;
	u64 base, size;
	u32 type;

	if (!fdt_reg(&device_tree, node, 0, &base, &size))
		return;
	regs = mmio_map(base, PAGE_SIZE);
	if (!regs)
		return;
	type = mmio_read32(regs + MSI_TYPER);
	first = type >> 16 & 0x3ff;
	if (first < GIC_SPI_BASE || first >= lines)
		return;
	count = min(type & 0x3ff, lines - first);
	frame = base;
}

int v2m_alloc(struct arch_msi *out)
{
	irqflags_t flags = spin_lock_irqsave(&v2m_lock);
	unsigned n = (unsigned)bitmap_find_first_zero(used, count);

	if (n < count)
		bitmap_set(used, n);
	spin_unlock_irqrestore(&v2m_lock, flags);
	if (n == count)
		return -ENOSPC;
	*out = (struct arch_msi){ first + n, first + n, frame + MSI_SETSPI_NS };
	return 0;
}

void v2m_free(unsigned irq)
{
	irqflags_t flags = spin_lock_irqsave(&v2m_lock);

	bitmap_clear(used, irq - first);
	spin_unlock_irqrestore(&v2m_lock, flags);
}
