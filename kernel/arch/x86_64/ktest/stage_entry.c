/* Boot stages of entry and interrupt stacks on x86_64; what those of the FPU and the vDSO need of the port. */
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <asm/desc.h>
#include <asm/entry.h>
#include <debug/stage.h>
#include <lib/errno.h>
#include <sched/thread.h>
#include "../../../tests/ktest/stage_fpu.h"

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

void fpu_test_set(u64 v)
{
	asm volatile("movq %0, %%xmm5" : : "r"(v));
}

u64 fpu_test_get(void)
{
	u64 v;

	asm volatile("movq %%xmm5, %0" : "=r"(v));
	return v;
}

const char *const vdso_test_names[] = { "__vdso_clock_gettime", "__vdso_gettimeofday",
					"__vdso_time",          "__vdso_getcpu",
					"__vdso_clock_getres",  NULL };
