/*
 * What a panic's report says about the process that ran: its name, and its last system calls. Everything is
 * read as it lies; a pointer that is damaged ends the report, which by then has said the rest.
 */
#include "crash_internal.h"
#include <debug/klog.h>
#include <debug/panic.h>
#include <lib/format.h>

static void describe_current(char *buf, size_t size)
{
	const struct thread *t = current;

	if (!t)
		return;
	if (t->proc)
		scnprintf(buf, size, "process %d (%.16s), thread %d", t->proc->pid, t->comm,
			  t->tid);
	else
		scnprintf(buf, size, "kernel thread %.16s", t->comm);
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
	panic_section_register(report_process);
}
