/*
 * Exceptions: what each means for a program, and what it means when the kernel caused it.
 *
 * Entered with interrupts off, on the thread's stack or an interrupt stack. A fault in kernel mode at an
 * address of the exception table goes on at its fixup; any other is the end (kernel_fault). Manual: SDM
 * 3A chapter 6; signal codes as sigaction(2) and Linux's x86 have them.
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <arch/time.h>
#include <asm/apic.h>
#include <asm/entry.h>
#include <debug/panic.h>
#include <mm/vmalloc.h>
#include <sched/thread.h>
#include <uapi/signal.h>

#define DR6_BREAKPOINTS 0xful
#define DR6_STEP 0x4000ul
#define DR6_CLEAR 0xffff0ff0ul

enum vector {
	V_DE,
	V_DB,
	V_NMI,
	V_BP,
	V_OF,
	V_DF = 8,
	V_GP = 13,
	V_PF = 14,
	V_MF = 16,
	V_MC = 18,
	V_XM = 19
};

static const struct {
	const char *name;
	u8 sig;
	s16 code;
	bool at_ip; /* si_addr is the instruction */
} exceptions[32] = {
	[0] = { "divide error", SIGFPE, FPE_INTDIV, true },
	[1] = { "debug exception", SIGTRAP, TRAP_TRACE, true },
	[2] = { "non-maskable interrupt", SIGSEGV, SI_KERNEL, false },
	[3] = { "breakpoint", SIGTRAP, SI_KERNEL, false },
	[4] = { "overflow", SIGSEGV, SI_KERNEL, false },
	[5] = { "bound range exceeded", SIGSEGV, SI_KERNEL, false },
	[6] = { "invalid opcode", SIGILL, ILL_ILLOPN, true },
	[7] = { "device not available", SIGSEGV, SI_KERNEL, false },
	[8] = { "double fault", SIGSEGV, SI_KERNEL, false },
	[10] = { "invalid task state", SIGSEGV, SI_KERNEL, false },
	[11] = { "segment not present", SIGBUS, SI_KERNEL, false },
	[12] = { "stack segment fault", SIGBUS, SI_KERNEL, false },
	[13] = { "general protection fault", SIGSEGV, SI_KERNEL, false },
	[14] = { "page fault", SIGSEGV, SEGV_MAPERR, false },
	[16] = { "x87 floating-point error", SIGFPE, FPE_FLTINV, true },
	[17] = { "alignment check", SIGBUS, BUS_ADRALN, false },
	[18] = { "machine check", SIGBUS, SI_KERNEL, false },
	[19] = { "SIMD floating-point error", SIGFPE, FPE_FLTINV, true },
};

static const char *exception_name(unsigned vector)
{
	return vector < 32 && exceptions[vector].name ? exceptions[vector].name
						      : "reserved exception";
}

/* Lowest unmasked exception flag, as the SIGFPE code. */
static int fpe_code(unsigned flags)
{
	if (flags & 1)
		return FPE_FLTINV;
	if (flags & 4)
		return FPE_FLTDIV;
	if (flags & 8)
		return FPE_FLTOVF;
	if (flags & (2 | 16))
		return FPE_FLTUND;
	return flags & 32 ? FPE_FLTRES : FPE_FLTINV;
}

static int float_code(unsigned vector)
{
	u16 status, control;
	u32 mxcsr;

	if (vector == V_XM) {
		asm volatile("stmxcsr %0" : "=m"(mxcsr));
		return fpe_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
	}
	asm volatile("fnstcw %0" : "=m"(control));
	asm volatile("fnstsw %0" : "=m"(status));
	return fpe_code(status & ~control & 0x3f);
}

/* DR6 is sticky: read and cleared. */
static int debug_code(void)
{
	u64 why;

	asm volatile("movq %%dr6, %0" : "=r"(why));
	asm volatile("movq %0, %%dr6" : : "r"(DR6_CLEAR));
	if (why & DR6_STEP)
		return TRAP_TRACE;
	return why & DR6_BREAKPOINTS ? TRAP_HWBKPT : TRAP_BRKPT;
}

static void exception_from_user(unsigned vector, struct regs *regs, u64 error)
{
	int code = exceptions[vector].code;

	if (vector == V_MF || vector == V_XM)
		code = float_code(vector);
	if (vector == V_DB)
		code = debug_code();
	current->arch.fault_vector = vector;
	current->arch.fault_error = (u32)error;
	arch_irq_enable();
	user_fault(regs, exceptions[vector].sig ? exceptions[vector].sig : SIGSEGV, code,
		   exceptions[vector].at_ip ? regs->ip : 0);
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
		smp_nmi_stop(regs);
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
