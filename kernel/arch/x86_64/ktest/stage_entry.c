/* Boot stages of entry, FPU state, interrupt stacks and the vDSO on x86_64. */
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <asm/desc.h>
#include <asm/entry.h>
#include <debug/stage.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include "../../common/fpu.h"

/* A read at an address no page table can map: a general protection fault, with a fixup. */
static int read_non_canonical(void)
{
	int error = -EFAULT;
	u64 v;

	asm volatile("1: movq (%[p]), %[v]\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")
		     : [e] "+r"(error), [v] "=&r"(v)
		     : [p] "r"(0x8000000000000000ul)
		     : "memory", "cc");
	return error;
}

int stage_x86_exception_fixup(struct stage *s)
{
	STAGE_CHECK_EQ(s, read_non_canonical(), -EFAULT);
	STAGE_CHECK(s, !ex_table_find((uintptr_t)stage_x86_exception_fixup));
	STAGE_CHECK(s, arch_irqs_enabled());
	return 0;
}

int stage_x86_interrupt_stacks(struct stage *s)
{
	const struct tss *tss = this_cpu_ptr(cpu_tss);

	for (unsigned i = 0; i < IST_COUNT; i++) {
		STAGE_CHECK(s, tss->ist[i] && !(tss->ist[i] & 15));
		for (unsigned k = 0; k < i; k++)
			STAGE_CHECK(s, tss->ist[k] + IST_SIZE <= tss->ist[i] ||
					       tss->ist[i] + IST_SIZE <= tss->ist[k]);
	}
	return 0;
}

/* A state written through one thread's area comes back unchanged after another state was live. */
int stage_x86_fpu_state(struct stage *s)
{
	struct arch_thread a = { 0 }, b = { 0 };
	u64 before = 0x0123456789abcdef, after = 0;
	int error = fpu_alloc(&a);

	STAGE_CHECK_EQ(s, error, 0);
	error = fpu_alloc(&b);
	if (!error) {
		preempt_disable();
		fpu_load(&a);
		asm volatile("movq %0, %%xmm5" : : "r"(before));
		fpu_save(&a);
		fpu_load(&b);
		asm volatile("pxor %%xmm5, %%xmm5" : :);
		fpu_save(&b);
		fpu_load(&a);
		asm volatile("movq %%xmm5, %0" : "=r"(after));
		preempt_enable();
	}
	fpu_free(&a);
	fpu_free(&b);
	STAGE_CHECK_EQ(s, error, 0);
	STAGE_CHECK(s, before == after);
	return 0;
}

const char *const vdso_test_names[] = { "__vdso_clock_gettime", "__vdso_gettimeofday",
					"__vdso_time",          "__vdso_getcpu",
					"__vdso_clock_getres",  NULL };
