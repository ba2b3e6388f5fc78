/*
 * Exceptions: a signal for the program that caused one; when the kernel did, a fixup or the end.
 *
 * Entered with interrupts off, on the thread's kernel stack. A fault in kernel mode at an address of the
 * exception table goes on at its fixup; any other is the end (kernel_fault). Manual: Arm ARM, D17.2.37.
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <asm/entry.h>
#include <asm/vectors.h>
#include <debug/panic.h>
#include <mm/vmalloc.h>
#include <sched/thread.h>

/* Where the kernel's own stack has run out: see vectors.S. */
char overflow_stacks[MAX_CPUS][1 << OVERFLOW_STACK_SHIFT] __aligned(16);

void exception_user(struct regs *regs, u64 esr, u64 far)
{
	unsigned class = ESR_EC(esr);
	struct exception_signal s;

	if (likely(class == EC_DABT_LOWER || class == EC_IABT_LOWER)) {
		page_fault_user(regs, esr, far);
		return;
	}
	arch_irq_enable();
	if ((class != EC_UNKNOWN && class != EC_SYSREG) || !cpu_emulate_id_read(regs)) {
		s = exception_signal(regs, esr, far);
		current->arch.fault_esr = (u32)esr;
		current->arch.fault_addr = 0;
		user_fault(regs, s.sig, s.code, s.addr);
	}
	arch_irq_disable();
}

void exception_kernel(struct regs *regs, u64 esr, u64 far)
{
	unsigned class = ESR_EC(esr);

	if (likely(class == EC_DABT || class == EC_IABT))
		page_fault_kernel(regs, esr, far);
	else
		kernel_fault(regs, exception_name(esr), esr, 0);
}

void exception_overflow(struct regs *regs, u64 esr)
{
	kernel_fault(regs,
		     kstack_guard_hit(regs->sp) ? "kernel stack overflow" : "stack pointer astray",
		     esr, regs->sp);
}

void exception_unexpected(struct regs *regs, u64 esr, unsigned vector)
{
	static const char *const kinds[] = { "synchronous exception", "interrupt", "fast interrupt",
					     "system error" };
	static const char *const origins[] = { "on the wrong stack pointer", "from the kernel",
					       "from user mode", "from 32-bit code" };

	panic_regs(regs, "unexpected %s %s, syndrome 0x%llx", kinds[vector & 3],
		   origins[vector >> 2 & 3], (unsigned long long)esr);
}
