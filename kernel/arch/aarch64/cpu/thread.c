/*
 * Threads on aarch64: switching between them, their user state.
 *
 * What is switched: kernel stack, FPU state, the user's thread pointer (TPIDR_EL0). The CPU enters the kernel
 * on SP_EL1 as it was left, which is the top of the thread's stack. Kernel threads have no FPU area, and
 * leave the user's live. Manual: Arm ARM, D17.2.143 (TPIDR_EL0); AAPCS64, 6.1.1 (callee-saved registers).
 */
#include <arch/mmu.h>
#include <arch/thread.h>
#include <asm/entry.h>
#include <sched/thread.h>
#include "../../common/fpu.h"
#include "../../common/thread.h"

BUILD_ASSERT(offsetof(struct regs, x[18]) == REGS_X18);
BUILD_ASSERT(offsetof(struct regs, x[30]) == REGS_X30);
BUILD_ASSERT(offsetof(struct regs, sp) == REGS_SP);
BUILD_ASSERT(offsetof(struct regs, pc) == REGS_PC);
BUILD_ASSERT(offsetof(struct regs, pstate) == REGS_PSTATE);
BUILD_ASSERT(offsetof(struct regs, orig_x0) == REGS_ORIG);
BUILD_ASSERT(offsetof(struct regs, nr) == REGS_NR);
BUILD_ASSERT(sizeof(struct regs) == REGS_SIZE && REGS_SIZE % 16 == 0);
BUILD_ASSERT(KSTACK_SIZE == 1ul << KSTACK_BIT);
BUILD_ASSERT((s64)VMALLOC_BASE >> KSTACK_TOP_SHIFT == -1);
BUILD_ASSERT((s64)KERNEL_BASE >> KSTACK_TOP_SHIFT == -1);

struct thread *switch_stacks(struct thread *prev, struct thread *next);

u64 user_tls_read(void)
{
	u64 v;

	asm volatile("mrs %0, tpidr_el0" : "=r"(v));
	return v;
}

void user_tls_write(u64 v)
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

void user_state_keep(struct arch_thread *t)
{
	t->tls = user_tls_read();
}

/* In regs, zero is EL0 with nothing masked. */
void user_state_reset(struct regs *regs)
{
	user_tls_write(0);
}
