/* The time-stamp counter as the clock. */
#pragma once
#include <lib/types.h>

void tsc_start(void); /* the clock's zero: now. Boot CPU, first thing. */
void tsc_init(void); /* measures it and the local timer; after acpi_init and apic_init_boot */
u64 tsc_hz(void);
