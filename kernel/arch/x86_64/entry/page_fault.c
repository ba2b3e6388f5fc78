/*
 * Page faults: a program's go to mm_fault(), which resolves them or says which signal; the kernel's own are
 * allowed only at user addresses from instructions of the exception table. Interrupts off at entry and at
 * return, on while memory management works. Manual: SDM 3A 4.7 (error code).
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <asm/entry.h>
#include <core/preempt.h>
#include <mm/vmalloc.h>
#include <sched/thread.h>
#include <uapi/signal.h>

#define PF_PRESENT 1
#define PF_WRITE 2
#define PF_RESERVED 8
#define PF_EXEC 16

/* What a fault of the kernel's own was, in words for the report. */
static const char *fault_name(u64 error, uintptr_t addr)
{
	if (kstack_guard_hit(addr))
		return "kernel stack overflow";
	if (error & PF_RESERVED)
		return "damaged page table";
	if (addr < PAGE_SIZE)
		return "null pointer";
	if (error & PF_EXEC)
		return "jump to what is not code";
	if (addr < USER_TOP)
		return "stray access to user memory";
	return error & PF_PRESENT ? "write to read-only memory" : "page fault";
}

static void page_fault_kernel(struct regs *regs, u64 error, uintptr_t addr)
{
	enum fault_access access = error & PF_WRITE ? FAULT_WRITE : FAULT_READ;
	bool user_copy = addr < USER_TOP && ex_table_find(regs->ip);
	int code, result;

	if (user_copy && !in_atomic() && current->mm && !current->fault_disabled) {
		if (regs->flags & X86_FLAGS_IF)
			arch_irq_enable();
		result = mm_fault(addr, access, error & PF_PRESENT, false, &code);
		arch_irq_disable();
		if (!result)
			return;
	}
	if (addr < USER_TOP ? user_copy && ex_fixup(regs) : ex_fixup(regs))
		return;
	kernel_fault(regs, fault_name(error, addr), error, addr);
}

static void page_fault_user(struct regs *regs, u64 error, uintptr_t addr)
{
	enum fault_access access = error & PF_EXEC    ? FAULT_EXEC
				   : error & PF_WRITE ? FAULT_WRITE
						      : FAULT_READ;
	int code = SEGV_MAPERR, sig;

	arch_irq_enable();
	sig = mm_fault(addr, access, error & PF_PRESENT, true, &code);
	if (unlikely(sig)) {
		current->arch.fault_vector = 14;
		current->arch.fault_error = (u32)error | (addr < USER_TOP ? 0 : PF_PRESENT);
		current->arch.fault_addr = addr;
		user_fault(regs, sig, code, addr);
	}
	arch_irq_disable();
}

void page_fault_dispatch(struct regs *regs, u64 error, uintptr_t addr)
{
	if (regs_user_mode(regs))
		page_fault_user(regs, error, addr);
	else
		page_fault_kernel(regs, error, addr);
}
