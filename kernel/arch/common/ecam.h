/* PCI configuration space in memory; for arch_pci_read() and arch_pci_write(). */
#pragma once
#include <lib/types.h>

#define ECAM_BUS_SIZE 0x100000ull

/* It is there for these buses, at base if it began with bus 0. Thread context, before the others. */
void ecam_set(paddr_t base, unsigned first_bus, unsigned last_bus);
/* A place in it; NULL for a bus that it does not reach. Thread context for a bus's first use. */
volatile char *ecam_address(u8 bus, u8 devfn, unsigned offset);
/* size: 1, 2 or 4 bytes. Any context. */
u32 ecam_read(const volatile char *p, unsigned size);
void ecam_write(volatile char *p, unsigned size, u32 v);
