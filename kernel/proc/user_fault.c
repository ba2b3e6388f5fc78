/* Exceptions of programs become signals; counts of resolved page faults. */
#include "internal.h"
#include <arch/debug.h>

void user_fault(struct regs *regs, int sig, int code, uptr_t addr)
{
	signal_force(sig, code, addr);
}
