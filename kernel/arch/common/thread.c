/*
 * Threads: their first stack frame, forks, and new programs. Switching is the port's (cpu/thread.c).
 *
 * The user's registers are at the top of the kernel stack; below them a new thread has the frame that the first
 * switch to it pops (struct first_frame). Locks: none; a thread that has not run is its creator's.
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <asm/entry.h>
#include <debug/panic.h>
#include <lib/string.h>
#include <sched/thread.h>
#include "fpu.h"
#include "thread.h"

BUILD_ASSERT(offsetof(struct thread, arch.sp) == THREAD_SP);
BUILD_ASSERT(offsetof(struct thread, flags) == THREAD_FLAGS);
BUILD_ASSERT(offsetof(struct thread, calls) == THREAD_CALLS);

static void give_stack(struct arch_thread *t, void *stack)
{
	t->stack_top = (uintptr_t)stack + KSTACK_SIZE;
	t->fpu_cpu = -1;
}

static void first_frame(struct thread *t, void (*ip)(void), void (*function)(void *),
			void *argument)
{
	struct first_frame *f = (struct first_frame *)arch_thread_regs(t) - 1;

	*f = (struct first_frame){ .ip = (uintptr_t)ip,
				   .function = (uintptr_t)function,
				   .argument = (uintptr_t)argument };
	t->arch.sp = (uintptr_t)f;
}

void arch_thread_init(struct thread *t, void *stack, void (*entry)(void *), void *arg)
{
	give_stack(&t->arch, stack);
	first_frame(t, thread_entry, entry, arg);
}

int arch_thread_fork(struct thread *child, void *stack, const struct regs *regs, uptr_t user_sp,
		     uptr_t tls, bool set_tls)
{
	struct arch_thread *c = &child->arch;
	struct regs *r;
	int error;

	give_stack(c, stack);
	error = fpu_fork(c);
	if (error)
		return error;
	r = arch_thread_regs(child);
	*r = *regs;
	regs_set_syscall_result(r, 0);
	if (user_sp)
		regs_set_sp(r, user_sp);
	user_state_keep(c);
	if (set_tls)
		c->tls = tls;
	first_frame(child, thread_entry_user, NULL, NULL);
	return 0;
}

void arch_thread_fini(struct thread *t)
{
	fpu_free(&t->arch);
}

void arch_thread_exec(struct regs *regs, uptr_t ip, uptr_t sp)
{
	struct arch_thread *t = &current->arch;
	irqflags_t flags;

	if (!t->fpu) /* a kernel thread becomes a program (PID 1) */
		BUG_ON(fpu_alloc(t));
	memset(regs, 0, sizeof(*regs));
	regs_clear_syscall(regs);
	regs_set_ip(regs, ip);
	regs_set_sp(regs, sp);
	flags = arch_irq_save();
	user_state_reset(regs);
	fpu_reset(t);
	arch_irq_restore(flags);
}

void arch_enter_user(void)
{
	enter_user_at(arch_thread_regs(current));
}

void arch_thread_set_tls(struct thread *t, uptr_t tls)
{
	preempt_disable();
	t->arch.tls = tls;
	if (t == current)
		user_tls_write(tls);
	preempt_enable();
}

uptr_t arch_thread_get_tls(const struct thread *t)
{
	return t == current ? user_tls_read() : t->arch.tls;
}

void arch_thread_frame(const struct thread *t, uintptr_t *fp, uintptr_t *pc)
{
	const struct first_frame *f = (const struct first_frame *)t->arch.sp;

	*fp = f->fp;
	*pc = f->ip;
}
