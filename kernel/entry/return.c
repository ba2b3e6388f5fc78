/*
 * The last stop before user mode, when the thread's flags ask for work. Tier 1: keep it small; the work
 * itself is elsewhere.
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <entry/flags.h>
#include <proc/proc.h>
#include <proc/signal.h>
#include <proc/trace.h>
#include <sched/thread.h>

BUILD_ASSERT(TF_WORK_MASK == TF_WORK_MASK_ASM);
BUILD_ASSERT(TF_SYSCALL_WORK_MASK == TF_SYSCALL_WORK_MASK_ASM);

/* Interrupts off at entry and at return, on while there is work; loops until a look with interrupts off
 * finds none. */
void return_to_user_work(struct regs *regs)
{
	struct thread *t = current;
	u32 flags;

	while ((flags = READ_ONCE(t->flags)) & TF_WORK_MASK) {
		arch_irq_enable();
		if (flags & TF_NEED_RESCHED)
			schedule();
		if (flags & TF_NOTIFY)
			proc_notify_resume();
		if (flags & (TF_SIGNAL | TF_RESTORE_MASK))
			signal_deliver(regs);
		arch_irq_disable();
	}
}

/* As above, after a system call whose result is stored: a traced thread writes it down first. */
void syscall_exit_work(struct regs *regs)
{
	if (thread_test_flag(current, TF_TRACE_SYSCALL)) {
		arch_irq_enable();
		syscall_trace();
		arch_irq_disable();
	}
	return_to_user_work(regs);
}
