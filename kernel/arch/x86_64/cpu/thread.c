/*
 * Threads on x86_64: switching between them, their user state.
 *
 * What is switched: kernel stack, the stack the CPU takes on entry (TSS sp0 and entry_kstack_top), FPU
 * state, FS and GS bases of user mode. Kernel threads have no FPU area, and leave the user's live.
 * Manual: SDM 3A 7.2 (task state), 3.4.4 (FS, GS).
 */
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <asm/desc.h>
#include <asm/entry.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include <uapi/prctl.h>
#include "../../common/fpu.h"
#include "../../common/thread.h"

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

struct thread *switch_stacks(struct thread *prev, struct thread *next);

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

u64 user_tls_read(void)
{
	u64 v;

	if (!cpu_has(CPUF_FSGSBASE))
		return rdmsr(MSR_FS_BASE);
	asm volatile("rdfsbase %0" : "=r"(v));
	return v;
}

void user_tls_write(u64 v)
{
	if (cpu_has(CPUF_FSGSBASE))
		asm volatile("wrfsbase %0" : : "r"(v) : "memory");
	else
		wrmsr(MSR_FS_BASE, v);
}

static __always_inline void bases_save(struct arch_thread *t)
{
	t->tls = user_tls_read();
	t->gsbase = user_gs_read();
}

static __always_inline void entry_stack_set(u64 top)
{
	this_cpu_write(entry_kstack_top, top);
	this_cpu_ptr(cpu_tss)->sp0 = top;
}

struct thread *arch_switch(struct thread *prev, struct thread *next)
{
	struct arch_thread *p = &prev->arch, *n = &next->arch;

	if (p->fpu) {
		bases_save(p);
		fpu_save(p);
	}
	if (n->fpu) {
		user_tls_write(n->tls);
		user_gs_write(n->gsbase);
		fpu_load(n);
		entry_stack_set(n->stack_top);
	}
	return switch_stacks(prev, next);
}

void user_state_keep(struct arch_thread *t)
{
	irqflags_t flags = arch_irq_save();

	bases_save(t);
	arch_irq_restore(flags);
}

void user_state_reset(struct regs *regs)
{
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->flags = FLAGS_USER;
	user_tls_write(0);
	user_gs_write(0);
	entry_stack_set(current->arch.stack_top);
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
	case ARCH_GET_FS: return put_user_u64(addr, user_tls_read());
	case ARCH_GET_GS: {
		irqflags_t flags = arch_irq_save();
		u64 gs = user_gs_read();

		arch_irq_restore(flags);
		return put_user_u64(addr, gs);
	}
	default: return -EINVAL;
	}
}
