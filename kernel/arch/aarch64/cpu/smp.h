/* CPUs; the rest of the interface is <arch/cpu.h>. */
#pragma once
#include <lib/types.h>

void smp_init(void); /* counts CPUs: from the device tree */
__noreturn void smp_secondary_entry(unsigned cpu); /* from head.S */
/* The affinity fields of an MPIDR_EL1. */
static inline u64 smp_affinity(u64 mpidr)
{
	return mpidr & 0xff00ffffffull;
}
u64 smp_cpu_id(unsigned cpu); /* those of a CPU of ours */
