/*
 * Threads on x86_64: making their first stack frame, switching between them, their user state.
 *
 * What is switched: kernel stack, the stack the CPU takes on entry (TSS sp0 and entry_kstack_top), FPU
 * state, FS and GS bases of user mode. Kernel threads have no FPU area, and leave the user's live.
 * Manual: SDM 3A 7.2 (task state), 3.4.4 (FS, GS).
 */
#include <arch/debug.h>
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <asm/desc.h>
#include <asm/entry.h>
#include <debug/panic.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/thread.h>
#include <uapi/prctl.h>
#include "../../common/fpu.h"

#define FLAGS_USER 0x202 /* interrupts on, and the bit that is always set */

DEFINE_PER_CPU(u64, entry_kstack_top) = 0;
DEFINE_PER_CPU(u64, entry_user_sp) = 0;

BUILD_ASSERT(offsetof(struct regs, r11) == REGS_R11);
BUILD_ASSERT(offsetof(struct regs, ax) == REGS_AX);
BUILD_ASSERT(offsetof(struct regs, cx) == REGS_CX);
BUILD_ASSERT(offsetof(struct regs, dx) == REGS_DX);
BUILD_ASSERT(offsetof(struct regs, orig_ax) == REGS_ORIG);
BUILD_ASSERT(offsetof(struct regs, ip) == REGS_IP);
BUILD_ASSERT(offsetof(struct regs, cs) == REGS_CS);
BUILD_ASSERT(offsetof(struct regs, flags) == REGS_FLAGS);
BUILD_ASSERT(offsetof(struct regs, sp) == REGS_SP);
BUILD_ASSERT(sizeof(struct regs) == REGS_SIZE);
BUILD_ASSERT(offsetof(struct thread, arch.sp) == THREAD_SP);
BUILD_ASSERT(offsetof(struct thread, flags) == THREAD_FLAGS);
BUILD_ASSERT(offsetof(struct thread, calls) == THREAD_CALLS);

struct thread *switch_stacks(struct thread *prev, struct thread *next);
__noreturn void enter_user_at(struct regs *regs);

/* What switch_stacks() pops for a thread that runs for the first time. */
struct first_frame {
	u64 r15, r14, r13, r12, bx, bp, ip;
	u64 end; /* return address 0: where backtraces end */
};

/*
 * FS and GS bases of user mode; the kernel's own GS is the live one. Between two SWAPGS nothing may
 * interrupt: the user_gs functions want interrupts off.
 */

static u64 user_gs_read(void)
{
	u64 v;

	if (!cpu_has(CPUF_FSGSBASE))
		return rdmsr(MSR_KERNEL_GS_BASE);
	asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(v) : : "memory");
	return v;
}

static void user_gs_write(u64 v)
{
	if (cpu_has(CPUF_FSGSBASE))
		asm volatile("swapgs; wrgsbase %0; swapgs" : : "r"(v) : "memory");
	else
		wrmsr(MSR_KERNEL_GS_BASE, v);
}

static u64 user_fs_read(void)
{
	u64 v;

	if (!cpu_has(CPUF_FSGSBASE))
		return rdmsr(MSR_FS_BASE);
	asm volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static void user_fs_write(u64 v)
{
	if (cpu_has(CPUF_FSGSBASE))
		asm volatile("wrfsbase %0" : : "r"(v) : "memory");
	else
		wrmsr(MSR_FS_BASE, v);
}

static void bases_save(struct arch_thread *t)
{
	t->fsbase = user_fs_read();
	t->gsbase = user_gs_read();
}

struct thread *arch_switch(struct thread *prev, struct thread *next)
{
	struct arch_thread *p = &prev->arch, *n = &next->arch;

	if (p->fpu) {
		bases_save(p);
		fpu_save(p);
	}
	if (n->fpu) {
		user_fs_write(n->fsbase);
		user_gs_write(n->gsbase);
		fpu_load(n);
		this_cpu_write(entry_kstack_top, n->stack_top);
		this_cpu_ptr(cpu_tss)->sp0 = n->stack_top;
	}
	return switch_stacks(prev, next);
}

static void prepare_frame(struct thread *t, uintptr_t top, void (*ip)(void), u64 bx, u64 r12)
{
	struct first_frame *f = (struct first_frame *)top - 1;

	*f = (struct first_frame){ .ip = (uintptr_t)ip, .bx = bx, .r12 = r12 };
	t->arch.sp = (uintptr_t)f;
}

void arch_thread_init(struct thread *t, void *stack, void (*entry)(void *), void *arg)
{
	t->arch.stack_top = (uintptr_t)stack + KSTACK_SIZE;
	t->arch.fpu_cpu = -1;
	prepare_frame(t, t->arch.stack_top - REGS_SIZE - 8, thread_entry, (uintptr_t)entry,
		      (uintptr_t)arg);
}

int arch_thread_fork(struct thread *child, void *stack, const struct regs *regs, uptr_t user_sp,
		     uptr_t tls, bool set_tls)
{
	struct arch_thread *c = &child->arch;
	struct regs *r;
	irqflags_t flags;
	int error;

	c->stack_top = (uintptr_t)stack + KSTACK_SIZE;
	c->fpu_cpu = -1;
	error = fpu_fork(c);
	if (error)
		return error;
	r = arch_thread_regs(child);
	*r = *regs;
	r->ax = 0;
	if (user_sp)
		r->sp = user_sp;
	flags = arch_irq_save();
	bases_save(c);
	arch_irq_restore(flags);
	if (set_tls)
		c->fsbase = tls;
	/* The frame is popped off right down to the registers: its end lies on the first of them. */
	prepare_frame(child, (uintptr_t)r + sizeof(u64), thread_entry_user, 0, 0);
	r->r15 = regs->r15;
	return 0;
}

void arch_thread_fini(struct thread *t)
{
	fpu_free(&t->arch);
}

/* A kernel thread becomes a program (PID 1): it gets an FPU area now. */
static void become_user(struct arch_thread *t)
{
	BUG_ON(fpu_alloc(t));
}

void arch_thread_exec(struct regs *regs, uptr_t ip, uptr_t sp)
{
	struct arch_thread *t = &current->arch;
	irqflags_t flags;

	if (!t->fpu)
		become_user(t);
	memset(regs, 0, sizeof(*regs));
	regs->orig_ax = ~0ul;
	regs->ip = ip;
	regs->sp = sp;
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->flags = FLAGS_USER;
	flags = arch_irq_save();
	user_fs_write(0);
	user_gs_write(0);
	fpu_reset(t);
	this_cpu_write(entry_kstack_top, t->stack_top);
	this_cpu_ptr(cpu_tss)->sp0 = t->stack_top;
	arch_irq_restore(flags);
}

void arch_enter_user(void)
{
	enter_user_at(arch_thread_regs(current));
}

void arch_thread_set_tls(struct thread *t, uptr_t tls)
{
	preempt_disable();
	t->arch.fsbase = tls;
	if (t == current)
		user_fs_write(tls);
	preempt_enable();
}

uptr_t arch_thread_get_tls(const struct thread *t)
{
	return t == current ? user_fs_read() : t->arch.fsbase;
}

void arch_thread_frame(const struct thread *t, uintptr_t *fp, uintptr_t *pc)
{
	const struct first_frame *f = (const struct first_frame *)t->arch.sp;

	*fp = f->bp;
	*pc = f->ip;
}

/* arch_prctl(2). */
static long set_gs(uptr_t addr)
{
	irqflags_t flags = arch_irq_save();

	user_gs_write(addr);
	arch_irq_restore(flags);
	return 0;
}

long arch_prctl(int op, uptr_t addr)
{
	switch (op) {
	case ARCH_SET_FS:
		if (addr >= USER_TOP)
			return -EPERM;
		arch_thread_set_tls(current, addr);
		return 0;
	case ARCH_SET_GS: return addr >= USER_TOP ? -EPERM : set_gs(addr);
	case ARCH_GET_FS: return put_user_u64(addr, user_fs_read());
	case ARCH_GET_GS: {
		irqflags_t flags = arch_irq_save();
		u64 gs = user_gs_read();

		arch_irq_restore(flags);
		return put_user_u64(addr, gs);
	}
	default: return -EINVAL;
	}
}
