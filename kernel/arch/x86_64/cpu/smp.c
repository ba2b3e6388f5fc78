/*
 * Secondary CPUs: which there are, and starting them. Stopping: arch/common/smp.c, by NMI.
 *
 * Starting is one CPU at a time by the thread that asks: copy the trampoline to its page below 1 MiB, fill
 * in tables, stack and number, INIT, start-up interrupt, and wait for the CPU's sign. Modern CPUs need no
 * delay between the two; a second start-up interrupt follows if the first shows no effect within a
 * millisecond. Manual: Intel SDM 3A, 8.4.4 and 10.6.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <asm/apic.h>
#include <asm/boot.h>
#include <asm/desc.h>
#include <debug/klog.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/thread.h>
#include "../../common/smp.h"
#include "acpi.h"
#include "features.h"
#include "smp.h"

/* What the trampoline reads (ap.S). */
u64 ap_root, ap_stack;
u32 ap_cpu;

void smp_init(void)
{
	const struct acpi_madt *m = &acpi_info.madt;
	u32 self = apic_id();

	cpu_apic_id[0] = self;
	smp_set_up(0);
	for (unsigned i = 0; acpi_info.has_madt && i < m->nr_cpus && smp_nr_cpus < MAX_CPUS; i++)
		if (m->apic_ids[i] != self)
			cpu_apic_id[smp_nr_cpus++] = m->apic_ids[i];
	if (!boot_trampoline && smp_nr_cpus > 1) {
		log_warn("smp: no memory below 1 MiB to start other CPUs from");
		smp_nr_cpus = 1;
	}
}

int arch_cpu_start(unsigned cpu)
{
	struct thread *idle = *per_cpu_ptr(cpu, current_thread);
	u8 page = (u8)(boot_trampoline >> PAGE_SHIFT);

	if (gdt_alloc_ist(cpu) < 0)
		return -ENOMEM;
	memcpy(phys_to_virt(boot_trampoline), ap_trampoline_start,
	       (size_t)(ap_trampoline_end - ap_trampoline_start));
	ap_root = virt_to_phys(kernel_root);
	ap_stack = (uintptr_t)idle->stack + KSTACK_SIZE;
	ap_cpu = cpu;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);

	apic_send_init(cpu_apic_id[cpu]);
	apic_send_startup(cpu_apic_id[cpu], page);
	if (!smp_wait_up(cpu, 1000))
		return 0;
	apic_send_startup(cpu_apic_id[cpu], page);
	return smp_wait_up(cpu, 1000000);
}

/* First C code of a secondary CPU: its idle thread's stack, interrupts off, no GS base yet. */
__noreturn void smp_secondary_entry(unsigned cpu)
{
	cpu_features_enable();
	arch_percpu_set_base(percpu_offset[cpu]);
	idt_load();
	if (cpu_has(CPUF_RDTSCP) || cpu_has(CPUF_RDPID))
		wrmsr(MSR_TSC_AUX, cpu);
	apic_init_cpu();
	smp_set_up(cpu);
	kernel_main_secondary(cpu);
}
