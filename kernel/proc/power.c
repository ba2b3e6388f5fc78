/* Power-off and reboot: files written, others stopped, said aloud, done. */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <debug/event.h>
#include <debug/klog.h>
#include <fs/vfs.h>
#include <proc/crash.h>
#include <proc/power.h>
#include <proc/trace.h>

static void machine_stop(const char *how)
{
	vfs_sync_all();
	crash_flush();
	trace_flush();
	log_info("machine: %s", how);
	event_simple(how, NULL, NULL);
	arch_irq_disable();
	arch_cpu_stop_others();
}

void machine_poweroff(void)
{
	machine_stop("poweroff");
	arch_poweroff();
}

void machine_reboot(void)
{
	machine_stop("reboot");
	arch_reboot();
}

void machine_halt(void)
{
	machine_stop("poweroff");
	arch_cpu_halt();
}
