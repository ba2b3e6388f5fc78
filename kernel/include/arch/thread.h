/*
 * The arch contract: kernel stacks, switching, entering user mode, FPU state, thread pointer.
 *
 * struct arch_thread (defined in <asm/thread.h>) is the first member of struct thread: saved kernel
 * stack pointer, FPU area, TLS. The stack is KSTACK_SIZE bytes with an unmapped guard page below;
 * struct regs of the user context is at its very top.
 */
#pragma once
#include <lib/types.h>

struct thread;
struct regs;

#define KSTACK_SIZE (16 * 1024ul)

/* The stack kernel_main starts on (KSTACK_SIZE bytes, guard below): that of idle thread 0. */
extern char boot_stack[];

#include <asm/thread.h>

/* A new kernel thread: makes the first switch to it call entry(arg) with interrupts on and preemption
 * as sched_thread_started() leaves it. stack is the lowest usable address. */
void arch_thread_init(struct thread *t, void *stack, void (*entry)(void *), void *arg);

/*
 * A new user thread that shares its creator's user registers: copies *regs to the child's stack top with
 * the return value 0, and the stack pointer and TLS if non-zero. Copies the FPU state of the current
 * thread. The first switch goes out to user mode through return-to-user. 0 or -ENOMEM.
 */
int arch_thread_fork(struct thread *child, void *stack, const struct regs *regs, uptr_t user_sp,
		     uptr_t tls, bool set_tls);

/* Frees what arch_thread_init/fork allocated (FPU area), not the stack. */
void arch_thread_fini(struct thread *t);

/* Switches kernel stacks, FPU and TLS; returns in the next thread, with the thread switched away from
 * (the value `prev` has there). Interrupts off, the run queue's lock held. */
struct thread *arch_switch(struct thread *prev, struct thread *next);

/* Resets user registers, FPU and TLS for a new program image: regs will enter at ip with stack sp. */
void arch_thread_exec(struct regs *regs, uptr_t ip, uptr_t sp);

/* The calling kernel thread leaves for user mode with the registers at its stack top; never returns. */
__noreturn void arch_enter_user(void);

/* The user registers of a thread (top of its kernel stack). */
static inline struct regs *arch_thread_regs(const struct thread *t)
{
	return (struct regs *)((const struct arch_thread *)t)->stack_top - 1;
}

void arch_thread_set_tls(struct thread *t, uptr_t tls);
uptr_t arch_thread_get_tls(const struct thread *t);

/* The work behind arch_prctl(2), where the ABI has it. */
long arch_prctl(int op, uptr_t addr);
