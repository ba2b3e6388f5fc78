/* FPU state in signal frames. Whose state is in the registers is arch/common/fpu.c's. */
#include <mm/slab.h>
#include <sched/thread.h>
#include "../../common/fpu.h"

BUILD_ASSERT(offsetof(struct fpu_state, fpsr) == 8 && offsetof(struct fpu_state, v) == 16);
BUILD_ASSERT(sizeof(struct fpu_state) == 528);

static const struct fpu_state initial = { .magic = FPSIMD_MAGIC, .size = sizeof(initial) };

void fpu_init(void)
{
	fpu_area_size = sizeof(struct fpu_state);
	fpu_areas = kcache_create("fpu", fpu_area_size, 64);
	fpu_initial = &initial;
}

/* A switch meanwhile saves the same registers to the same place. */
const struct fpu_state *fpu_sync(void)
{
	fpu_regs_save(current->arch.fpu);
	return current->arch.fpu;
}

void fpu_set(const struct fpu_state *state)
{
	fpu_regs_load(state);
}
