/*
 * PCI configuration space in memory (ECAM): 4 KiB a function, a MiB a bus. It is mapped bus by bus on first use, by
 * the thread that enumerates. Manual: PCIe, 7.2.2.
 */
#include <mm/vmalloc.h>
#include "ecam.h"

static paddr_t ecam; /* [I] of bus 0, be it there or not */
static unsigned first = 1, last; /* [I] buses; none */
static volatile char *buses[256]; /* [a] mapped on first use */

void ecam_set(paddr_t base, unsigned first_bus, unsigned last_bus)
{
	ecam = base;
	first = first_bus;
	last = last_bus;
}

volatile char *ecam_address(u8 bus, u8 devfn, unsigned offset)
{
	if (bus < first || bus > last)
		return NULL;
	if (!buses[bus])
		buses[bus] = mmio_map(ecam + bus * ECAM_BUS_SIZE, ECAM_BUS_SIZE);
	return buses[bus] ? buses[bus] + ((u32)devfn << 12) + offset : NULL;
}

u32 ecam_read(const volatile char *p, unsigned size)
{
	switch (size) {
	case 1: return *(const volatile u8 *)p;
	case 2: return *(const volatile u16 *)p;
	default: return *(const volatile u32 *)p;
	}
}

void ecam_write(volatile char *p, unsigned size, u32 v)
{
	if (size == 1)
		*(volatile u8 *)p = (u8)v;
	else if (size == 2)
		*(volatile u16 *)p = (u16)v;
	else
		*(volatile u32 *)p = v;
}
