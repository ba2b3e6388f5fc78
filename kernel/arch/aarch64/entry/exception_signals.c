/*
 * What each exception class is: its name, the signal and si_code a program gets for it as Linux's arm64 has
 * them, and what si_addr is. Page faults have a file of their own. Manual: Arm ARM, D17.2.37.
 */
#include <arch/debug.h>
#include <arch/thread.h>
#include <asm/entry.h>
#include <asm/vectors.h>
#include <uapi/signal.h>

static const struct class
{
	const char *name;
	u8 sig, code;
} classes[64] = {
	[EC_UNKNOWN] = { "undefined instruction", SIGILL, ILL_ILLOPC },
	[EC_FP] = { "floating point is disabled", SIGILL, ILL_ILLOPC },
	[EC_BTI] = { "branch to no landing pad", SIGILL, ILL_ILLOPC },
	[EC_ILLEGAL_STATE] = { "illegal execution state", SIGILL, ILL_ILLOPC },
	[EC_SVC] = { "system call", SIGILL, ILL_ILLOPC },
	[EC_SYSREG] = { "system register out of reach", SIGILL, ILL_ILLOPC },
	[EC_SVE] = { "SVE is disabled", SIGILL, ILL_ILLOPC },
	[EC_PAUTH] = { "pointer authentication failed", SIGILL, ILL_ILLOPN },
	[EC_SME] = { "SME is disabled", SIGILL, ILL_ILLOPC },
	[EC_IABT] = { "page fault", SIGSEGV, SEGV_MAPERR },
	[EC_PC_ALIGN] = { "misaligned program counter", SIGBUS, BUS_ADRALN },
	[EC_DABT] = { "page fault", SIGSEGV, SEGV_MAPERR },
	[EC_SP_ALIGN] = { "misaligned stack pointer", SIGBUS, BUS_ADRALN },
	[EC_FLOAT] = { "floating-point error", SIGFPE, FPE_FLTINV },
	[EC_SERROR] = { "system error", SIGBUS, BUS_OBJERR },
	[EC_BREAKPOINT] = { "breakpoint register", SIGTRAP, TRAP_HWBKPT },
	[EC_STEP] = { "single step", SIGTRAP, TRAP_TRACE },
	[EC_WATCHPOINT] = { "watchpoint", SIGTRAP, TRAP_HWBKPT },
	[EC_BRK] = { "breakpoint instruction", SIGTRAP, TRAP_BRKPT },
};

const char *exception_name(u64 esr)
{
	const char *name = classes[ESR_EC(esr)].name;

	return name ? name : "exception of an unknown class";
}

/* The trapped floating-point exceptions are bits of the syndrome, if it says so. */
static int float_code(u64 esr)
{
	if (!(esr & BIT(23)))
		return FPE_FLTINV;
	if (esr & 1)
		return FPE_FLTINV;
	if (esr & 2)
		return FPE_FLTDIV;
	if (esr & 4)
		return FPE_FLTOVF;
	if (esr & 8)
		return FPE_FLTUND;
	return esr & 16 ? FPE_FLTRES : FPE_FLTINV;
}

bool arch_fault_get(const struct thread *t, unsigned i, const char **name, u64 *value)
{
	const struct arch_thread *a = (const struct arch_thread *)t;

	if (i > 1)
		return false;
	*name = i ? "far" : "esr";
	*value = i ? a->fault_addr : a->fault_esr;
	return true;
}

struct exception_signal exception_signal(const struct regs *regs, u64 esr, u64 far)
{
	unsigned class = ESR_EC(esr);
	struct exception_signal s = { SIGILL, ILL_ILLOPC, regs->pc };

	if (classes[class].sig) {
		s.sig = classes[class].sig;
		s.code = classes[class].code;
	}
	if (class == EC_FLOAT)
		s.code = float_code(esr);
	if (class == EC_PC_ALIGN || class == EC_WATCHPOINT)
		s.addr = far;
	if (class == EC_SP_ALIGN)
		s.addr = regs->sp;
	return s;
}
