/* What a port's cpu/thread.c and switch.S bring for the rest of <arch/thread.h>, which thread.c here defines. */
#pragma once
#include <arch/thread.h>

/* The user's thread pointer, live on this CPU. Preemption off, or the current thread's. */
u64 user_tls_read(void);
void user_tls_write(u64 v);
/* Puts the user's live registers that no struct regs has, the FPU's aside, into t, as a switch does. */
void user_state_keep(struct arch_thread *t);
/* Sets them to a new program's, and in regs, which are all zero, what makes them user mode's. Interrupts off. */
void user_state_reset(struct regs *regs);
/* Leaves for user mode with these, at the top of the current stack. */
__noreturn void enter_user_at(struct regs *regs);
