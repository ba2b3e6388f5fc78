/* Boot stages of entry, FPU state and user accesses on aarch64. */
#include <arch/irq.h>
#include <arch/uaccess.h>
#include <asm/entry.h>
#include <core/preempt.h>
#include <debug/stage.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include "../../common/fpu.h"

const char *const vdso_test_names[] = { "__kernel_rt_sigreturn", "__kernel_clock_gettime",
					"__kernel_gettimeofday", "__kernel_clock_getres", NULL };

/* An unprivileged load of the kernel's own memory: a permission fault, with a fixup. */
static int read_as_user(const void *where)
{
	int error = -EFAULT;
	u64 v;

	asm volatile("1: ldtr %[v], [%[p]]\n\tmov %w[e], wzr\n2:\n\t" EX_TABLE("1b", "2b")
		     : [e] "+r"(error), [v] "=&r"(v)
		     : [p] "r"(where)
		     : "memory");
	return error;
}

int stage_arm64_exception_fixup(struct stage *s)
{
	static u64 word = 1;

	STAGE_CHECK_EQ(s, read_as_user(&word), -EFAULT);
	STAGE_CHECK_EQ(s, read_as_user((const void *)0x8000000000000000), -EFAULT);
	STAGE_CHECK(s, !ex_table_find((uintptr_t)stage_arm64_exception_fixup));
	STAGE_CHECK(s, arch_irqs_enabled());
	return 0;
}

/* What the overflow test of the vectors takes for granted. */
int stage_arm64_stack_place(struct stage *s)
{
	uintptr_t stack = (uintptr_t)current->stack, sp = (uintptr_t)__builtin_frame_address(0);

	STAGE_CHECK_EQ(s, stack & (2 * KSTACK_SIZE - 1), KSTACK_SIZE);
	STAGE_CHECK_EQ(s, (uintptr_t)boot_stack & (2 * KSTACK_SIZE - 1), KSTACK_SIZE);
	STAGE_CHECK(s, sp >> KSTACK_BIT & 1);
	STAGE_CHECK(s, !((stack - REGS_SIZE) >> KSTACK_BIT & 1));
	return 0;
}

#define SIMD ".arch_extension simd\n\t" /* which the compiler is not to use */

/* A state written through one thread's area comes back unchanged after another state was live. */
int stage_arm64_fpu_state(struct stage *s)
{
	struct arch_thread a = { 0 }, b = { 0 };
	u64 before = 0x0123456789abcdef, after = 0;
	int error = fpu_alloc(&a);

	STAGE_CHECK_EQ(s, error, 0);
	error = fpu_alloc(&b);
	if (!error) {
		preempt_disable();
		fpu_load(&a);
		asm volatile(SIMD "mov v29.d[1], %0" : : "r"(before));
		fpu_save(&a);
		fpu_load(&b);
		asm volatile(SIMD "movi v29.2d, #0" : :);
		fpu_save(&b);
		fpu_load(&a);
		asm volatile(SIMD "mov %0, v29.d[1]" : "=r"(after));
		preempt_enable();
	}
	fpu_free(&a);
	fpu_free(&b);
	STAGE_CHECK_EQ(s, error, 0);
	STAGE_CHECK(s, before == after);
	return 0;
}
