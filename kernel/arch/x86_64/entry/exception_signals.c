/*
 * What each exception is: its name, the signal and si_code a program gets for it (as sigaction(2) and
 * Linux's x86 have them), and whether si_addr is the instruction. Manual: SDM 3A chapter 6.
 */
#include <arch/debug.h>
#include <arch/thread.h>
#include <asm/entry.h>
#include <asm/vectors.h>
#include <uapi/signal.h>

#define DR6_BREAKPOINTS 0xful
#define DR6_STEP 0x4000ul
#define DR6_CLEAR 0xffff0ff0ul

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

const char *exception_name(unsigned vector)
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

bool arch_fault_get(const struct thread *t, unsigned i, const char **name, u64 *value)
{
	const struct arch_thread *a = (const struct arch_thread *)t;
	static const char *const words[] = { "vector", "error", "cr2" };
	const u64 values[] = { a->fault_vector, a->fault_error, a->fault_addr };

	if (i >= (a->fault_vector == V_PF ? 3 : 2))
		return false;
	*name = words[i];
	*value = values[i];
	return true;
}

struct exception_signal exception_signal(unsigned vector, const struct regs *regs)
{
	struct exception_signal s = { SIGSEGV, SI_KERNEL, 0 };

	if (!exceptions[vector].sig)
		return s;
	s.sig = exceptions[vector].sig;
	s.code = exceptions[vector].code;
	if (vector == V_MF || vector == V_XM)
		s.code = float_code(vector);
	if (vector == V_DB)
		s.code = debug_code();
	if (exceptions[vector].at_ip)
		s.addr = regs->ip;
	return s;
}
