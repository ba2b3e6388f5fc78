/*
 * Exceptions: a signal for the program that caused one; when the kernel did, a fixup or the end.
 *
 * Entered with interrupts off, on the thread's stack or an interrupt stack. A fault in kernel mode at an
 * address of the exception table goes on at its fixup; any other is the end (kernel_fault). Manual: SDM
 * 3A chapter 6.
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <arch/time.h>
#include <asm/apic.h>
#include <asm/entry.h>
#include <asm/vectors.h>
#include <debug/panic.h>
#include <mm/vmalloc.h>
#include <sched/thread.h>

static void exception_from_user(unsigned vector, struct regs *regs, u64 error)
{
	struct exception_signal s = exception_signal(vector, regs);

	current->arch.fault_vector = vector;
	current->arch.fault_error = (u32)error;
	arch_irq_enable();
	user_fault(regs, s.sig, s.code, s.addr);
	arch_irq_disable();
}

void return_bad_ip(struct regs *regs)
{
	exception_from_user(V_GP, regs, 0);
}

/*
 * An NMI stops this CPU when another one asked for it. Any other comes from outside, to all CPUs: somebody
 * wants to know where the machine hangs. CPU 0 reports; the others wait to be stopped by it, so that their
 * registers are in the report, and report themselves if it does not.
 */
static void nmi(struct regs *regs)
{
	for (unsigned ms = this_cpu() ? 100 : 0;; ms--) {
		smp_stop_ipi(regs);
		if (!ms)
			break;
		arch_delay_us(1000);
	}
	panic_regs(regs, "non-maskable interrupt: a report was asked for");
}

static void exception_from_kernel(unsigned vector, struct regs *regs, u64 error)
{
	if (vector == V_DF && kstack_guard_hit(read_cr2()))
		kernel_fault(regs, "kernel stack overflow", error, read_cr2());
	if (vector != V_DF && vector != V_MC && ex_fixup(regs))
		return;
	kernel_fault(regs, exception_name(vector), error, 0);
}

void exception_dispatch(unsigned vector, struct regs *regs, u64 error)
{
	if (likely(vector == V_PF))
		page_fault_dispatch(regs, error, read_cr2());
	else if (vector == V_NMI)
		nmi(regs);
	else if (regs_user_mode(regs) && vector != V_MC)
		exception_from_user(vector, regs, error);
	else
		exception_from_kernel(vector, regs, error);
}
