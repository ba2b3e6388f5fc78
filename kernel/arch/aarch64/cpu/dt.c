/*
 * Devices by the device tree: interrupts in the controller's terms. Binding: arm,gic.yaml (kind, number, flags).
 */
#include <lib/errno.h>
#include "dt.h"

enum { KIND_SPI = 0, KIND_PPI = 1 };
enum { EDGE_RISING = 1, EDGE_FALLING = 2, LEVEL_HIGH = 4, LEVEL_LOW = 8 };

int dt_irq(int node, unsigned i, struct dt_irq *out)
{
	u32 cells[4], flags;

	if (fdt_interrupt(&device_tree, node, i, cells) < 3)
		return -ENOENT;
	if (cells[0] > KIND_PPI || cells[1] >= (cells[0] == KIND_PPI ? 16u : 988u))
		return -EINVAL;
	flags = cells[2] & 0xf;
	out->irq = cells[1] + (cells[0] == KIND_PPI ? 16 : 32);
	out->level = !(flags & (EDGE_RISING | EDGE_FALLING));
	out->active_low = flags & (EDGE_FALLING | LEVEL_LOW);
	return 0;
}
