/*
 * The order of start-up on the boot CPU. Each step is in its own file; what each needs of the ones before
 * is said there.
 */
#include <arch/cpu.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/entry.h>
#include <debug/panic.h>
#include "../../common/fpu.h"
#include "acpi.h"
#include "features.h"
#include "ioapic.h"
#include "power.h"
#include "smp.h"
#include "tsc.h"

#define LAPIC_DEFAULT_BASE 0xfee00000

void arch_cpu_init_boot(void)
{
	tsc_start();
	gdt_load_boot();
	idt_init();
	ex_table_init();
	cpu_features_init();
	cpu_features_enable();
}

void arch_init_platform(void)
{
	fpu_init();
	acpi_init();
	apic_init_boot(acpi_info.has_madt ? acpi_info.madt.lapic_base : LAPIC_DEFAULT_BASE);
	ioapic_init();
	tsc_init();
	smp_init();
	power_init();
	if (gdt_alloc_ist(0) < 0)
		panic("no memory for interrupt stacks");
}
