/* The arch contract: output that always works, backtraces, and upcalls for faults. */
#pragma once
#include <lib/types.h>

struct regs;
struct thread;

/* A byte to the serial line, polled, with interrupts in any state. Works from the first instruction. */
void arch_debug_putc(char c);

/* Bytes to the event channel; only the kernel can write it. */
void arch_event_write(const char *buf, size_t n);

/*
 * Return addresses from a frame pointer on, at most max; every frame is checked to lie on a mapped kernel
 * stack, so that a broken chain ends it. Where an interrupt or exception came, the place that it interrupted
 * follows entry's. Returns how many.
 */
unsigned arch_backtrace(uintptr_t fp, uintptr_t *pcs, unsigned max);
static inline uintptr_t arch_current_fp(void)
{
	return (uintptr_t)__builtin_frame_address(0);
}
/* Frame pointer and next pc of a thread that is switched out. */
void arch_thread_frame(const struct thread *t, uintptr_t *fp, uintptr_t *pc);

/* What the last exception of t that became a signal said about itself, word by word for reports (a
 * processor's own names): false past the last. */
bool arch_fault_get(const struct thread *t, unsigned i, const char **name, u64 *value);

/* What a fault was, for mm/ and proc/. */
enum fault_access { FAULT_READ, FAULT_WRITE, FAULT_EXEC };

/* Upcalls. */
/* A page fault from user mode (or from a user copy): resolves it and returns 0, or the signal's number
 * with *code (SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR) for one that cannot be. Interrupts on; may sleep. */
int mm_fault(uptr_t addr, enum fault_access access, bool present, bool user, int *code);
/* An exception in user mode that is not a page fault to be resolved. */
void user_fault(struct regs *regs, int sig, int code, uptr_t addr);
/* An exception in kernel mode nothing could fix: panics with the report. */
__noreturn void kernel_fault(struct regs *regs, const char *what, u64 error, uintptr_t addr);
/* Last stop before user mode, interrupts off, when thread flags ask for work. */
void return_to_user_work(struct regs *regs);
/* The same at the end of a system call, its result stored. */
void syscall_exit_work(struct regs *regs);
