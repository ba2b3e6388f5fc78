/*
 * PSCI, by which firmware starts CPUs and ends the machine; and the ends themselves. The device tree says
 * whether it is called by HVC or SMC. Manual: PSCI (DEN 0022) 1.1, 5; SMCCC (DEN 0028).
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <asm/boot.h>
#include <debug/klog.h>
#include <lib/errno.h>
#include <lib/string.h>
#include "psci.h"

#define CPU_ON 0xc4000003
#define SYSTEM_OFF 0x84000008
#define SYSTEM_RESET 0x84000009

static enum { BY_NOTHING, BY_HVC, BY_SMC } method; /* [I] */
static u32 cpu_on = CPU_ON; /* [I] */

void psci_init(void)
{
	static const char *const names[] = { "arm,psci-1.0", "arm,psci-0.2", "arm,psci" };
	const struct fdt *f = &device_tree;
	int node = FDT_NONE;
	const char *how;

	for (unsigned i = 0; i < ARRAY_SIZE(names) && node < 0; i++)
		node = fdt_compatible(f, FDT_NONE, names[i]);
	how = fdt_string(f, node, "method");
	if (how && !strcmp(how, "hvc"))
		method = BY_HVC;
	else if (how && !strcmp(how, "smc"))
		method = BY_SMC;
	else
		log_warn("psci: none: one CPU, and no way to power off");
	if (fdt_is_compatible(f, node, "arm,psci"))
		(void)fdt_cell(f, node, "cpu_on", 0, &cpu_on);
}

/* Arguments and results in x0 to x3; the callee may use all the caller-saved ones. */
#define CALL(insn)                                                                                 \
	asm volatile(insn " #0"                                                                    \
		     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)                                      \
		     :                                                                             \
		     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",      \
		       "x15", "x16", "x17", "memory")

static long call(u64 function, u64 a, u64 b, u64 c)
{
	register u64 x0 asm("x0") = function;
	register u64 x1 asm("x1") = a;
	register u64 x2 asm("x2") = b;
	register u64 x3 asm("x3") = c;

	switch (method) {
	case BY_HVC: CALL("hvc"); return (long)x0;
	case BY_SMC: CALL("smc"); return (long)x0;
	default: return -1;
	}
}

int psci_cpu_on(u64 cpu, paddr_t entry)
{
	return (int)call(cpu_on, cpu, entry, 0) ? -EIO : 0;
}

void psci_off(void)
{
	(void)call(SYSTEM_OFF, 0, 0, 0);
}

void psci_reset(void)
{
	(void)call(SYSTEM_RESET, 0, 0, 0);
}

__noreturn void arch_cpu_halt(void)
{
	for (;;)
		asm volatile("msr daifset, #15\n\twfi" : : : "memory");
}

__noreturn void arch_poweroff(void)
{
	arch_irq_disable();
	psci_off();
	arch_cpu_halt();
}

__noreturn void arch_reboot(void)
{
	arch_irq_disable();
	psci_reset();
	arch_cpu_halt();
}

__noreturn void arch_reset_unannounced(void)
{
	arch_reboot();
}

/* With bit KSTACK_BIT set, as in a good one. */
void arch_bad_stack(void)
{
	asm volatile("mov sp, %0; str xzr, [sp]" : : "r"(KERNEL_HALF - 12 * 1024) : "memory");
}
