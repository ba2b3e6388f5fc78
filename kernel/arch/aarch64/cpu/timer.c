/*
 * Clock and timer: the generic timer's virtual counter and comparator of each CPU.
 *
 * The counter's rate is CNTFRQ_EL0, which firmware has set; it is the same on all CPUs, and runs from reset, so
 * the clock's zero is taken at the boot CPU's start. The interrupt is a level (asm/time.h, timer_quiet()).
 * Manual: Arm ARM, D11.
 */
#include <arch/cpu.h>
#include <arch/time.h>
#include <asm/cpu.h>
#include <asm/gic.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include "../../common/clock.h"
#include "dt.h"
#include "timer.h"

#define RATE_DEFAULT 62500000
#define CTL_ENABLE 1
#define IRQ_VIRTUAL 2 /* its place in the node's list */

u32 gic_timer_irq = 27;

void timer_start(void)
{
	u64 rate = read_sysreg(cntfrq_el0) & 0xffffffff;

	write_sysreg(cntv_ctl_el0, 0);
	arch_clock_params.base = counter_read();
	clock_set_rate(rate ? rate : RATE_DEFAULT);
}

void timer_init(void)
{
	const struct fdt *f = &device_tree;
	int node = fdt_compatible(f, FDT_NONE, "arm,armv8-timer");
	struct dt_irq line;

	if (dt_irq(node, IRQ_VIRTUAL, &line))
		panic("timer: the device tree names no interrupt for it");
	gic_timer_irq = line.irq;
	log_info("clock: %llu kHz, interrupt %u",
		 (unsigned long long)read_sysreg(cntfrq_el0) / 1000, line.irq);
}

void arch_timer_arm(u64 deadline_ns)
{
	if (deadline_ns == ~0ull) {
		write_sysreg(cntv_ctl_el0, 0);
		return;
	}
	write_sysreg(cntv_cval_el0, clock_count_at(deadline_ns));
	write_sysreg(cntv_ctl_el0, CTL_ENABLE);
	isb();
}
