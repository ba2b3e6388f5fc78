/*
 * Drivers register themselves by linker set: DRIVER(name, order) { ... } defines the start function, which
 * dev_init() calls in thread context, lowest order first. It finds its own devices (through pci.h or
 * virtio.h) or looks for its hardware; not finding any is success.
 */
#pragma once
#include <lib/types.h>

struct driver {
	const char *name;
	int (*start)(void); /* 0, or -EXXX which is logged */
};

/* Orders: buses first. Two digits, for they are sorted as text. */
#define DRIVER_BASIC 10 /* needs no bus: memory devices, serial ports */
#define DRIVER_BUS 20 /* finds devices: PCI, virtio transports */
#define DRIVER_CLASS 30 /* drives what the buses found */

#define DRIVER_SECTION_(order) ".drivers." #order
#define DRIVER_SECTION(order) DRIVER_SECTION_(order)
#define DRIVER(dname, order)                                                                       \
	static int driver_start_##dname(void);                                                     \
	static const struct driver __used __section(DRIVER_SECTION(order)) __aligned(8)            \
		driver_##dname = { #dname, driver_start_##dname };                                 \
	static int driver_start_##dname(void)
