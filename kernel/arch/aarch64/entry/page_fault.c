/*
 * Page faults: a program's go to mm_fault(), which resolves them or says which signal; the kernel's own are
 * allowed only at user addresses from instructions of the exception table. Interrupts off at entry and at
 * return, on while memory management works. Manual: Arm ARM, D17.2.37, ISS of instruction and data aborts.
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <asm/entry.h>
#include <asm/vectors.h>
#include <core/preempt.h>
#include <mm/vmalloc.h>
#include <sched/thread.h>
#include <uapi/signal.h>

/* The address without the tag that TBI let pass: bit 55 tells the two halves apart. */
static uptr_t untagged(u64 far)
{
	return far & BIT(55) ? far : far & (BIT(56) - 1);
}

static bool is_write(u64 esr)
{
	return (esr & (ESR_WNR | ESR_CM)) == ESR_WNR;
}

/* Faults that a change of the tables can cure. */
static bool is_paging(u64 esr)
{
	unsigned kind = FSC_KIND(esr);

	return kind == FSC_TRANSLATION || kind == FSC_PERMISSION || kind == FSC_ACCESS;
}

/* What a fault of the kernel's own was, in words for the report. */
static const char *fault_name(u64 esr, uptr_t addr)
{
	if (kstack_guard_hit(addr))
		return "kernel stack overflow";
	if (ESR_FSC(esr) == FSC_ALIGNMENT)
		return "misaligned access";
	if (!is_paging(esr))
		return "bus error or damaged page table";
	if (addr < PAGE_SIZE)
		return "null pointer";
	if (ESR_EC(esr) == EC_IABT)
		return "jump to what is not code";
	if (addr < USER_TOP)
		return "stray access to user memory";
	return FSC_KIND(esr) == FSC_PERMISSION ? "write to read-only memory" : "page fault";
}

void page_fault_kernel(struct regs *regs, u64 esr, u64 far)
{
	enum fault_access access = is_write(esr) ? FAULT_WRITE : FAULT_READ;
	bool present = FSC_KIND(esr) == FSC_PERMISSION;
	bool user_copy = far < USER_TOP && ex_table_find(regs->pc);
	int code, result;

	if (user_copy && is_paging(esr) && !in_atomic() && current->mm &&
	    !current->fault_disabled) {
		if (!(regs->pstate & PSR_I))
			arch_irq_enable();
		result = mm_fault(far, access, present, false, &code);
		arch_irq_disable();
		if (!result)
			return;
	}
	if (far < USER_TOP ? user_copy && ex_fixup(regs) : ex_fixup(regs))
		return;
	kernel_fault(regs, fault_name(esr, far), esr, far);
}

/* The syndrome as a handler may see it: nothing about the kernel's half. */
static u32 visible_syndrome(u64 esr, uptr_t addr)
{
	if (addr < USER_TOP)
		return (u32)esr;
	return (u32)(esr & ~(u64)(0x1ffffff & ~(ESR_WNR | ESR_CM))) | FSC_TRANSLATION;
}

static int other_signal(u64 esr, int *code)
{
	*code = ESR_FSC(esr) == FSC_ALIGNMENT ? BUS_ADRALN : BUS_OBJERR;
	return SIGBUS;
}

void page_fault_user(struct regs *regs, u64 esr, u64 far)
{
	bool fetch = ESR_EC(esr) == EC_IABT_LOWER;
	enum fault_access access = fetch ? FAULT_EXEC : is_write(esr) ? FAULT_WRITE : FAULT_READ;
	uptr_t addr = untagged(far);
	int code = SEGV_MAPERR, sig;

	arch_irq_enable();
	if (likely(is_paging(esr)))
		sig = mm_fault(addr, access, FSC_KIND(esr) == FSC_PERMISSION, true, &code);
	else
		sig = other_signal(esr, &code);
	if (unlikely(sig)) {
		current->arch.fault_esr = visible_syndrome(esr, addr);
		current->arch.fault_addr = addr;
		user_fault(regs, sig, code, addr);
	}
	arch_irq_disable();
}
