/*
 * From the port's first C call to PID 1.
 *
 * The boot CPU brings up what everything needs, each step announced by a `step` event so that an early
 * death is named by the last one; then it becomes CPU 0's idle thread, and a kernel thread goes on with
 * the other CPUs, devices and file systems, running the selected boot stages as it gets to each phase.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <core/irq.h>
#include <core/param.h>
#include <core/spinlock.h>
#include <core/time.h>
#include <debug/event.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <debug/stage.h>
#include <dev/dev.h>
#include <entry/syscall.h>
#include <fs/vfs.h>
#include <init/run.h>
#include <lib/parse.h>
#include <mm/page.h>
#include <proc/crash.h>
#include <proc/power.h>
#include <proc/trace.h>
#include <proc/proc.h>
#include <sched/thread.h>
#include <tty/tty.h>

void kernel_main(void);

static const char *init_path = "/init";
static bool run_program; /* `run`: PID 1 is wanted although stages ran */
static unsigned max_cpus = MAX_CPUS;

static int set_init(const char *value)
{
	init_path = value;
	return *value == '/' ? 0 : -1;
}
KPARAM(init, set_init);

static int set_run(const char *value)
{
	run_program = true;
	proc_report_init_exit = true;
	return *value ? -1 : 0;
}
KPARAM(run, set_run);

static int set_maxcpus(const char *value)
{
	u64 n;

	if (parse_u64(value, 0, &n) || !n)
		return -1;
	max_cpus = min(n, (u64)MAX_CPUS);
	return 0;
}
KPARAM(maxcpus, set_maxcpus);

static void step(const char *name)
{
	event_simple("step", "name", name);
}

static void start_other_cpus(void)
{
	unsigned n = min(arch_cpu_count(), max_cpus);

	for (unsigned cpu = 1; cpu < n; cpu++) {
		int error;

		sched_init_secondary(cpu);
		error = arch_cpu_start(cpu);
		if (error)
			log_err("smp: cpu %u did not start (%d)", cpu, error);
		while (!error && !(READ_ONCE(cpu_online_mask) & BIT(cpu)))
			cpu_relax(); /* it is up, and about to say so */
	}
	log_info("smp: %u of %u CPUs online", nr_cpus_online, arch_cpu_count());
}

void kernel_main_secondary(unsigned cpu)
{
	sched_online_secondary(cpu);
	time_init_cpu();
	sched_idle_loop();
}

static void start_files(void)
{
	vfs_init();
	if (boot_info.initrd_size)
		initramfs_unpack(phys_to_virt(boot_info.initrd_base), boot_info.initrd_size);
	else
		log_warn("init: no initramfs");
}

static void finish_stages(void)
{
	stages_finish();
	if (!run_program)
		machine_poweroff();
}

/* A name that debug= does not know ends the start here: nobody is to wait for events that never come. */
static void check_categories(void)
{
	static struct event e;
	char list[160];
	const char *name = event_refused(list, sizeof(list));

	if (!name)
		return;
	log_err("debug=: there is no category '%s'; there are: %s, all, none", name, list);
	event_begin(&e, "refused");
	event_str(&e, "parameter", "debug");
	event_str(&e, "value", name);
	event_str(&e, "known", list);
	event_end(&e);
	machine_poweroff();
}

static void kernel_init(void *unused)
{
	int error;

	check_categories();
	trace_drain_start();
	stages_run(PHASE_BOOT);
	stages_run(PHASE_MM);
	stages_run(PHASE_IRQ);
	stages_run(PHASE_SCHED);
	step("smp");
	start_other_cpus();
	stages_run(PHASE_SMP);
	step("dev");
	dev_init();
	tty_init();
	stages_run(PHASE_DEV);
	step("fs");
	start_files();
	stages_run(PHASE_FS);
	step("proc");
	crash_syscall_name = syscall_name;
	proc_init();
	stages_run(PHASE_PROC);
	stages_run(PHASE_USER);
	if (stages_wanted())
		finish_stages();

	crash_test_run();
	step("init");
	error = proc_start_init(init_path);
	if (error)
		panic("init: cannot start %s: error %d", init_path, error);
}

void kernel_main(void)
{
	int error;

	percpu_save_template();
	arch_cpu_init_boot();
	stack_guard_init();
	event_categories_init();
	kparam_parse(boot_info.cmdline);
	stages_announce();
	lockup_init();
	klog(LOG_INFO, "Cairn (%s, %s)", ARCH_NAME, VARIANT);
	step("mmu");
	arch_mmu_init();
	step("mm");
	mm_init();
	step("platform");
	arch_init_platform();
	percpu_init(arch_cpu_count());
	step("sched");
	sched_init();
	time_init();
	time_init_cpu();
	arch_irq_enable();
	error = kthread_run(NULL, "kernel_init", kernel_init, NULL);
	if (error)
		panic("init: no thread for the rest of the start: error %d", error);
	sched_idle_loop();
}
