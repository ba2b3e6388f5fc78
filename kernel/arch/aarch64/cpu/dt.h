/* The device tree as cpu/ reads it. */
#pragma once
#include <asm/boot.h>
#include <lib/types.h>

struct dt_irq {
	unsigned irq; /* INTID */
	bool level, active_low;
};
/* The i-th interrupt of a node, by the interrupt controller's three cells. 0, -ENOENT, -EINVAL. */
int dt_irq(int node, unsigned i, struct dt_irq *out);
