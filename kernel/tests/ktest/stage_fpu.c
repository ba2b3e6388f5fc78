/* Boot stages of FPU state. */
#include <core/preempt.h>
#include <debug/stage.h>
#include "../../arch/common/fpu.h"
#include "stage_fpu.h"

/* A state written through one thread's area comes back unchanged after another state was live. */
int stage_fpu_state(struct stage *s)
{
	struct arch_thread a = { 0 }, b = { 0 };
	u64 before = 0x0123456789abcdef, after = 0;
	int error = fpu_alloc(&a);

	STAGE_CHECK_EQ(s, error, 0);
	error = fpu_alloc(&b);
	if (!error) {
		preempt_disable();
		fpu_load(&a);
		fpu_test_set(before);
		fpu_save(&a);
		fpu_load(&b);
		fpu_test_set(0);
		fpu_save(&b);
		fpu_load(&a);
		after = fpu_test_get();
		preempt_enable();
	}
	fpu_free(&a);
	fpu_free(&b);
	STAGE_CHECK_EQ(s, error, 0);
	STAGE_CHECK(s, before == after);
	return 0;
}
