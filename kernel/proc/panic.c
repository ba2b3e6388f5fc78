/*
 * What a panic's report says about the process that ran: its name, and its last system calls; and about CPUs
 * that do not answer. Everything is read as it lies; a pointer that is damaged ends the report, which by then has said the rest.
 */
#include "crash_internal.h"
#include <arch/cpu.h>
#include <arch/percpu.h>
#include <core/irq.h>
#include <debug/klog.h>
#include <debug/panic.h>
#include <lib/format.h>

static void describe(const struct thread *t, char *buf, size_t size)
{
	if (!t)
		return;
	if (t->proc)
		scnprintf(buf, size, "process %d (%.16s), thread %d", t->proc->pid, t->comm,
			  t->tid);
	else
		scnprintf(buf, size, "kernel thread %.16s", t->comm);
}

static void describe_current(char *buf, size_t size)
{
	describe(current, buf, size);
}

/* A CPU with interrupts off, where the port's call to stop is an interrupt: what it ran is all there is. */
static void report_silent(struct event *e)
{
	char of[16], who[96], line[160];

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (cpu == this_cpu() || !(cpu_online_mask & BIT(cpu)) ||
		    arch_cpu_stopped_regs(cpu))
			continue;
		*who = '\0';
		describe(*per_cpu_ptr(cpu, current_thread), who, sizeof(who));
		scnprintf(of, sizeof(of), "cpu %u", cpu);
		scnprintf(line, sizeof(line), "no answer: interrupts are off there; it ran %s",
			  who);
		klog(LOG_EMERG, "%s: %s", of, line);
		event_begin(e, "backtrace");
		event_str(e, "of", of);
		event_list_begin(e, "frames");
		event_item_str(e, line);
		event_list_end(e);
		event_end(e);
	}
}

static void report_process(struct event *e)
{
	const struct thread *t = current;
	struct syscall_record r = { .tid = t ? t->tid : 0 };

	if (!t || !t->proc)
		return;
	event_begin(e, "panic_process");
	event_s64(e, "pid", t->proc->pid);
	event_s64(e, "tid", t->tid);
	event_str(e, "comm", t->comm);
	event_str(e, "exe", t->proc->exec_path);
	event_list_begin(e, "syscalls");
	for (unsigned back = 0; syscall_ring_get(&t->calls, false, back, &r); back++)
		crash_put_call(e, &r);
	event_list_end(e);
	event_end(e);
}

void proc_panic_init(void)
{
	panic_describe_current = describe_current;
	panic_section_register(report_silent);
	panic_section_register(report_process);
}
