/*
 * CPUs: which are up, and stopping them. How one is started is its port's.
 *
 * A CPU sets its flag when it is ready; who started it waits for that. Stopping is by IPI_STOP, which ports send
 * such that it reaches a CPU that spins with interrupts off; a stopped CPU leaves the registers it was
 * interrupted with.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <lib/errno.h>
#include "smp.h"

unsigned smp_nr_cpus = 1;
static bool cpu_up[MAX_CPUS]; /* [a] set by the CPU itself */
static bool stopping; /* [a] */
static const struct regs *stopped_regs[MAX_CPUS]; /* [a] */

unsigned arch_cpu_count(void)
{
	return smp_nr_cpus;
}

void smp_set_up(unsigned cpu)
{
	__atomic_store_n(&cpu_up[cpu], true, __ATOMIC_RELEASE);
}

int smp_wait_up(unsigned cpu, unsigned us)
{
	u64 end = arch_clock_ns() + us * 1000ull;

	while (!__atomic_load_n(&cpu_up[cpu], __ATOMIC_ACQUIRE)) {
		if (arch_clock_ns() >= end)
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

void arch_cpu_stop_others(void)
{
	unsigned self = this_cpu();
	u64 end;

	if (__atomic_exchange_n(&stopping, true, __ATOMIC_SEQ_CST))
		return;
	for (unsigned cpu = 0; cpu < smp_nr_cpus; cpu++)
		if (cpu != self && __atomic_load_n(&cpu_up[cpu], __ATOMIC_ACQUIRE))
			arch_ipi_send(cpu, IPI_STOP);
	end = arch_clock_ns() + 100000000;
	for (unsigned cpu = 0; cpu < smp_nr_cpus; cpu++) {
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
