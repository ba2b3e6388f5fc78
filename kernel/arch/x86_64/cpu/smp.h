/* Secondary CPUs; the rest of the interface is <arch/cpu.h>. */
#pragma once
#include <lib/types.h>

void smp_init(void); /* counts CPUs; after acpi_init and apic_init_boot */
__noreturn void smp_secondary_entry(unsigned cpu); /* from ap.S */
extern u64 ap_root, ap_stack; /* words for ap.S */
extern u32 ap_cpu;
