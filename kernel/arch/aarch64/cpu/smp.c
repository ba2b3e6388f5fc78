/*
 * CPUs: which there are, and starting them. Stopping: arch/common/smp.c, by a fast interrupt where that can be
 * (gic.c).
 *
 * The device tree lists them by affinity; the boot CPU is number 0. Starting is one at a time by the thread
 * that asks: secondary_boot is filled in and written to memory, for the CPU comes with its caches off, and
 * firmware is asked (PSCI) to start it at secondary_start.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/gic.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/thread.h>
#include "../../common/smp.h"
#include "cache.h"
#include "features.h"
#include "psci.h"
#include "smp.h"

struct secondary_boot secondary_boot;

static u64 cpu_ids[MAX_CPUS]; /* [I] affinity */

void smp_init(void)
{
	const struct fdt *f = &device_tree;
	int cpus = fdt_path(f, "/cpus"), depth = 0;
	unsigned cells = fdt_address_cells(f, cpus);
	u64 self = smp_affinity(read_sysreg(mpidr_el1)), id;

	cpu_ids[0] = self;
	smp_set_up(0);
	for (int n = fdt_next(f, cpus, &depth); n >= 0 && depth > 0; n = fdt_next(f, n, &depth)) {
		const char *type = fdt_string(f, n, "device_type");

		if (depth != 1 || !type || strcmp(type, "cpu") || !fdt_enabled(f, n) ||
		    !fdt_number(f, n, "reg", 0, cells, &id) || smp_affinity(id) == self)
			continue;
		if (smp_nr_cpus < MAX_CPUS)
			cpu_ids[smp_nr_cpus++] = smp_affinity(id);
	}
}

u64 smp_cpu_id(unsigned cpu)
{
	return cpu_ids[cpu];
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
	return smp_wait_up(cpu, 1000000);
}

/* First C code of a secondary CPU: its idle thread's stack, interrupts off, no per-CPU base yet. */
__noreturn void smp_secondary_entry(unsigned cpu)
{
	arch_percpu_set_base(percpu_offset[cpu]);
	cpu_features_enable();
	gic_init_cpu();
	smp_set_up(cpu);
	kernel_main_secondary(cpu);
}
