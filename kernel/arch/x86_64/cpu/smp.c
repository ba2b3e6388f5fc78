/*
 * Secondary CPUs: starting and stopping.
 *
 * Starting is one CPU at a time by the thread that asks: copy the trampoline to its page below 1 MiB, fill
 * in tables, stack and number, INIT, start-up interrupt, and wait for the CPU's sign. Modern CPUs need no
 * delay between the two; a second start-up interrupt follows if the first shows no effect within a
 * millisecond. Stopping is by NMI, which works with interrupts off; a stopped CPU leaves the registers it
 * was interrupted with. Manual: Intel SDM 3A, 8.4.4 and 10.6.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <arch/time.h>
#include <asm/apic.h>
#include <asm/boot.h>
#include <asm/desc.h>
#include <core/irq.h>
#include <debug/klog.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/thread.h>
#include "acpi.h"
#include "features.h"
#include "smp.h"

/* What the trampoline reads (ap.S). */
u64 ap_root, ap_stack;
u32 ap_cpu;

static unsigned nr_cpus = 1; /* [I] after smp_init() */
static bool cpu_up[MAX_CPUS]; /* [a] set by the CPU itself */
static bool stopping; /* [a] */
static const struct regs *stopped_regs[MAX_CPUS]; /* [a] */

void smp_init(void)
{
	const struct acpi_madt *m = &acpi_info.madt;
	u32 self = apic_id();

	cpu_apic_id[0] = self;
	cpu_up[0] = true;
	for (unsigned i = 0; acpi_info.has_madt && i < m->nr_cpus && nr_cpus < MAX_CPUS; i++)
		if (m->apic_ids[i] != self)
			cpu_apic_id[nr_cpus++] = m->apic_ids[i];
	if (!boot_trampoline && nr_cpus > 1) {
		log_warn("smp: no memory below 1 MiB to start other CPUs from");
		nr_cpus = 1;
	}
}

unsigned arch_cpu_count(void)
{
	return nr_cpus;
}

static bool wait_up(unsigned cpu, unsigned us)
{
	u64 end = arch_clock_ns() + us * 1000ull;

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
	if (wait_up(cpu, 1000))
		return 0;
	apic_send_startup(cpu_apic_id[cpu], page);
	return wait_up(cpu, 1000000) ? 0 : -ETIMEDOUT;
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

void smp_nmi_stop(struct regs *regs)
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
