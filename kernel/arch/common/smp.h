/* What the ports share of starting CPUs; the rest of the interface is <arch/cpu.h>. */
#pragma once
#include <lib/types.h>

extern unsigned smp_nr_cpus; /* [I] what arch_cpu_count() says; counted by the port, from 1 on */

/* By the CPU itself once it can be interrupted by others. Any context. */
void smp_set_up(unsigned cpu);
/* Waits for that at most so long. 0 or -ETIMEDOUT. Thread context. */
int smp_wait_up(unsigned cpu, unsigned us);
