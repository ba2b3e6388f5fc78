/* What a backtrace (backtrace.c) asks of its port. */
#pragma once
#include <arch/regs.h>

/* Can these be registers that entry saved, of kernel code whose frame pointer was next? Never faults. */
bool backtrace_regs_fit(const struct regs *regs, uintptr_t next);

/*
 * The registers that entry's code saved before it called the function whose frame is at fp, with next as the
 * frame behind it; NULL when they are a program's, or are not found. Any context; never faults.
 */
const struct regs *backtrace_saved_regs(uintptr_t fp, uintptr_t next);
