/*
 * The order of start-up on the boot CPU. Each step is in its own file; what each needs of the ones before
 * is said there.
 */
#include <arch/cpu.h>
#include <asm/entry.h>
#include <asm/gic.h>
#include "../../common/fpu.h"
#include "features.h"
#include "psci.h"
#include "smp.h"
#include "timer.h"

void arch_cpu_init_boot(void)
{
	timer_start();
	cpu_features_init();
	cpu_features_enable();
	ex_table_init();
}

void arch_init_platform(void)
{
	fpu_init();
	psci_init();
	smp_init();
	timer_init();
	gic_init();
	gic_init_cpu();
}
