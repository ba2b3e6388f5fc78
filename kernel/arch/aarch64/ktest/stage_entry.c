/* Boot stages of entry and user accesses on aarch64; what those of the FPU and the vDSO need of the port. */
#include <arch/irq.h>
#include <arch/uaccess.h>
#include <asm/entry.h>
#include <debug/stage.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include "../../../tests/ktest/stage_fpu.h"

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

void fpu_test_set(u64 v)
{
	asm volatile(SIMD "mov v29.d[1], %0" : : "r"(v));
}

u64 fpu_test_get(void)
{
	u64 v;

	asm volatile(SIMD "mov %0, v29.d[1]" : "=r"(v));
	return v;
}
