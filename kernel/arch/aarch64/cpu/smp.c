/*
 * CPUs: which there are, starting and stopping them.
 *
 * The device tree lists them by affinity; the boot CPU is number 0. Starting is one at a time by the thread
 * that asks: secondary_boot is filled in and written to memory, for the CPU comes with its caches off, and
 * firmware is asked (PSCI) to start it at secondary_start. Stopping is by a fast interrupt where that can be
 * (gic.c): it reaches a CPU that spins with interrupts off, too.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <arch/time.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/gic.h>
#include <core/irq.h>
#include <debug/klog.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/thread.h>
#include "cache.h"
#include "features.h"
#include "psci.h"
#include "smp.h"

struct secondary_boot secondary_boot;

static unsigned nr_cpus = 1; /* [I] after smp_init() */
static u64 cpu_ids[MAX_CPUS]; /* [I] affinity */
static bool cpu_up[MAX_CPUS]; /* [a] set by the CPU itself */
static bool stopping; /* [a] */
static const struct regs *stopped_regs[MAX_CPUS]; /* [a] */

void smp_init(void)
{
	const struct fdt *f = &device_tree;
	int cpus = fdt_path(f, "/cpus"), depth = 0;
	unsigned cells = fdt_address_cells(f, cpus);
	u64 self = smp_affinity(read_sysreg(mpidr_el1)), id;

	cpu_ids[0] = self;
	cpu_up[0] = true;
	for (int n = fdt_next(f, cpus, &depth); n >= 0 && depth > 0; n = fdt_next(f, n, &depth)) {
		const char *type = fdt_string(f, n, "device_type");

		if (depth != 1 || !type || strcmp(type, "cpu") || !fdt_enabled(f, n) ||
		    !fdt_number(f, n, "reg", 0, cells, &id) || smp_affinity(id) == self)
			continue;
		if (nr_cpus < MAX_CPUS)
			cpu_ids[nr_cpus++] = smp_affinity(id);
	}
}

unsigned arch_cpu_count(void)
{
	return nr_cpus;
}

u64 smp_cpu_id(unsigned cpu)
{
	return cpu_ids[cpu];
}

static bool wait_up(unsigned cpu)
{
	u64 end = arch_clock_ns() + 1000000000;

	while (!__atomic_load_n(&cpu_up[cpu], __ATOMIC_ACQUIRE)) {
		if (arch_clock_ns() >= end)
			return false;
		cpu_relax();
	}
	return true;
}

int arch_cpu_start(unsigned cpu)
{
	struct thread *idle = *per_cpu_ptr(cpu, current_thread);

	secondary_boot = (struct secondary_boot){
		.kernel_root = virt_to_phys(kernel_root),
		.stack = (uintptr_t)idle->stack + KSTACK_SIZE,
		.cpu = cpu,
	};
	cache_clean(&secondary_boot, sizeof(secondary_boot));
	if (psci_cpu_on(cpu_ids[cpu], virt_to_phys(secondary_start)))
		return -EIO;
	return wait_up(cpu) ? 0 : -ETIMEDOUT;
}

/* First C code of a secondary CPU: its idle thread's stack, interrupts off, no per-CPU base yet. */
__noreturn void smp_secondary_entry(unsigned cpu)
{
	arch_percpu_set_base(percpu_offset[cpu]);
	cpu_features_enable();
	gic_init_cpu();
	__atomic_store_n(&cpu_up[cpu], true, __ATOMIC_RELEASE);
	kernel_main_secondary(cpu);
}

void arch_cpu_stop_others(void)
{
	unsigned self = this_cpu();
	u64 end;

	if (__atomic_exchange_n(&stopping, true, __ATOMIC_SEQ_CST))
		return;
	for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
		if (cpu != self && __atomic_load_n(&cpu_up[cpu], __ATOMIC_ACQUIRE))
			arch_ipi_send(cpu, IPI_STOP);
	end = arch_clock_ns() + 100000000;
	for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
		if (cpu == self || !cpu_up[cpu])
			continue;
		while (!__atomic_load_n(&stopped_regs[cpu], __ATOMIC_ACQUIRE) &&
		       arch_clock_ns() < end)
			cpu_relax();
	}
}

void smp_stop_ipi(struct regs *regs)
{
	if (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&stopped_regs[this_cpu()], regs, __ATOMIC_RELEASE);
	arch_cpu_halt();
}

const struct regs *arch_cpu_stopped_regs(unsigned cpu)
{
	return cpu < MAX_CPUS ? __atomic_load_n(&stopped_regs[cpu], __ATOMIC_ACQUIRE) : NULL;
}
