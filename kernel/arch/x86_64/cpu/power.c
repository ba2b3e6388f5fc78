/*
 * Ends of the machine: halt, power off, reset.
 *
 * Power off by ACPI: the PM1 control registers, or the sleep control register of hardware-reduced machines
 * (microvm), with the sleep type from \_S5_. Reset by the firmware's reset register, then by the chipset's
 * port, the keyboard controller, and a triple fault. Callers have stopped the other CPUs.
 * Manual: ACPI 6.4, 4.8.3.2.1, 4.8.3.6, 4.8.3.7.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <asm/cpu.h>
#include <mm/vmalloc.h>
#include "acpi.h"
#include "power.h"

#define SLP_EN (1u << 13)
#define GED_SLP_EN (1u << 5)
#define PORT_RESET 0xcf9
#define PORT_KBD_CMD 0x64

static volatile u8 *sleep_reg, *reset_reg; /* [I] mapped while that can be done */

static volatile u8 *map_register(const struct acpi_gas *gas)
{
	return gas->space == 0 && gas->address ? mmio_map(gas->address, 8) : NULL;
}

void power_init(void)
{
	if (!acpi_info.has_fadt)
		return;
	sleep_reg = map_register(&acpi_info.fadt.sleep_control);
	reset_reg = acpi_info.fadt.has_reset ? map_register(&acpi_info.fadt.reset) : NULL;
}

static void write_gas(const struct acpi_gas *gas, volatile u8 *mapped, u8 v)
{
	if (mapped)
		*mapped = v;
	else if (gas->space == 1 && gas->address)
		outb((u16)gas->address, v);
}

__noreturn void arch_cpu_halt(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

__noreturn void arch_poweroff(void)
{
	const struct acpi_fadt *f = &acpi_info.fadt;

	arch_irq_disable();
	if (acpi_info.has_s5 && (f->hw_reduced || !f->pm1a_control))
		write_gas(&f->sleep_control, sleep_reg, (u8)(acpi_info.s5_a << 2 | GED_SLP_EN));
	if (acpi_info.has_s5 && f->pm1a_control && !f->hw_reduced) {
		outw((u16)f->pm1a_control, (u16)(acpi_info.s5_a << 10 | SLP_EN));
		if (f->pm1b_control)
			outw((u16)f->pm1b_control, (u16)(acpi_info.s5_b << 10 | SLP_EN));
	}
	arch_cpu_halt();
}

__noreturn void arch_reset_unannounced(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed none = { 0, 0 };

	asm volatile("lidt %0; int3" : : "m"(none));
	arch_cpu_halt();
}

void arch_bad_stack(void)
{
	asm volatile("movq %0, %%rsp; pushq $0" : : "r"(USER_TOP - 16) : "memory");
}

__noreturn void arch_reboot(void)
{
	arch_irq_disable();
	if (acpi_info.fadt.has_reset)
		write_gas(&acpi_info.fadt.reset, reset_reg, acpi_info.fadt.reset_value);
	outb(PORT_RESET, 2);
	outb(PORT_RESET, 6);
	outb(PORT_KBD_CMD, 0xfe);
	arch_reset_unannounced();
}
