/*
 * Threads on aarch64: making their first stack frame, switching between them, their user state.
 *
 * What is switched: kernel stack, FPU state, the user's thread pointer (TPIDR_EL0). The CPU enters the kernel
 * on SP_EL1 as it was left, which is the top of the thread's stack. Kernel threads have no FPU area, and
 * leave the user's live. Manual: Arm ARM, D17.2.143 (TPIDR_EL0); AAPCS64, 6.1.1 (callee-saved registers).
 */
#include <arch/debug.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <asm/entry.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/thread.h>
#include "../../common/fpu.h"

BUILD_ASSERT(offsetof(struct regs, x[18]) == REGS_X18);
BUILD_ASSERT(offsetof(struct regs, x[30]) == REGS_X30);
BUILD_ASSERT(offsetof(struct regs, sp) == REGS_SP);
BUILD_ASSERT(offsetof(struct regs, pc) == REGS_PC);
BUILD_ASSERT(offsetof(struct regs, pstate) == REGS_PSTATE);
BUILD_ASSERT(offsetof(struct regs, orig_x0) == REGS_ORIG);
BUILD_ASSERT(offsetof(struct regs, nr) == REGS_NR);
BUILD_ASSERT(sizeof(struct regs) == REGS_SIZE && REGS_SIZE % 16 == 0);
BUILD_ASSERT(offsetof(struct thread, arch.sp) == THREAD_SP);
BUILD_ASSERT(offsetof(struct thread, flags) == THREAD_FLAGS);
BUILD_ASSERT(offsetof(struct thread, calls) == THREAD_CALLS);
BUILD_ASSERT(KSTACK_SIZE == 1ul << KSTACK_BIT);
BUILD_ASSERT((s64)VMALLOC_BASE >> KSTACK_TOP_SHIFT == -1);
BUILD_ASSERT((s64)KERNEL_BASE >> KSTACK_TOP_SHIFT == -1);

struct thread *switch_stacks(struct thread *prev, struct thread *next);
__noreturn void enter_user_at(struct regs *regs);

/* What switch_stacks() pops for a thread that runs for the first time. */
struct first_frame {
	u64 fp, ip, x27, x28, x25, x26, x23, x24, x21, x22, x19, x20;
};
BUILD_ASSERT(sizeof(struct first_frame) == 96);

static u64 user_tls_read(void)
{
	u64 v;

	asm volatile("mrs %0, tpidr_el0" : "=r"(v));
	return v;
}

static void user_tls_write(u64 v)
{
	asm volatile("msr tpidr_el0, %0" : : "r"(v));
}

struct thread *arch_switch(struct thread *prev, struct thread *next)
{
	struct arch_thread *p = &prev->arch, *n = &next->arch;

	if (p->fpu) {
		p->tls = user_tls_read();
		fpu_save(p);
	}
	if (n->fpu) {
		user_tls_write(n->tls);
		fpu_load(n);
	}
	return switch_stacks(prev, next);
}

static void prepare_frame(struct thread *t, uintptr_t top, void (*ip)(void), u64 x19, u64 x20)
{
	struct first_frame *f = (struct first_frame *)top - 1;

	*f = (struct first_frame){ .ip = (uintptr_t)ip, .x19 = x19, .x20 = x20 };
	t->arch.sp = (uintptr_t)f;
}

void arch_thread_init(struct thread *t, void *stack, void (*entry)(void *), void *arg)
{
	t->arch.stack_top = (uintptr_t)stack + KSTACK_SIZE;
	t->arch.fpu_cpu = -1;
	prepare_frame(t, t->arch.stack_top - REGS_SIZE, thread_entry, (uintptr_t)entry,
		      (uintptr_t)arg);
}

int arch_thread_fork(struct thread *child, void *stack, const struct regs *regs, uptr_t user_sp,
		     uptr_t tls, bool set_tls)
{
	struct arch_thread *c = &child->arch;
	struct regs *r;
	int error;

	c->stack_top = (uintptr_t)stack + KSTACK_SIZE;
	c->fpu_cpu = -1;
	error = fpu_fork(c);
	if (error)
		return error;
	r = arch_thread_regs(child);
	*r = *regs;
	r->x[0] = 0;
	if (user_sp)
		r->sp = user_sp;
	c->tls = set_tls ? tls : user_tls_read();
	prepare_frame(child, (uintptr_t)r, thread_entry_user, 0, 0);
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
	regs->pc = ip;
	regs->sp = sp;
	flags = arch_irq_save();
	user_tls_write(0);
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
