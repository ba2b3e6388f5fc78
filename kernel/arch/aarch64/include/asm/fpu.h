/*
 * FPU state of threads: the 32 vector registers, status and control. The kernel itself never uses them, so a
 * thread's state stays live until another user thread is switched to. SVE and SME stay disabled (CPACR_EL1)
 * and unannounced, so there is nothing beyond. Manual: Arm ARM, B1.2.1.
 */
#pragma once
#include <lib/types.h>

/* As a signal frame's record has it. */
#define FPSIMD_MAGIC 0x46508001u
struct fpu_state {
	u32 magic, size;
	u32 fpsr, fpcr;
	u64 v[32][2];
};

/* fpu_regs.S */
void fpu_regs_save(struct fpu_state *to);
void fpu_regs_load(const struct fpu_state *from);

static __always_inline void fpu_hw_save(void *area)
{
	fpu_regs_save(area);
}
static __always_inline void fpu_hw_load(const void *area)
{
	fpu_regs_load(area);
}
static inline void fpu_hw_prepare(void *area)
{
	*(struct fpu_state *)area =
		(struct fpu_state){ .magic = FPSIMD_MAGIC, .size = sizeof(struct fpu_state) };
}

/* For signal frames: current's state in its area as it is now; and another one, live. */
const struct fpu_state *fpu_sync(void);
void fpu_set(const struct fpu_state *state);
