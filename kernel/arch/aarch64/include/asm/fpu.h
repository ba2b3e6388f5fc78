/*
 * FPU state of threads: the 32 vector registers, status and control. The kernel itself never uses them, so a
 * thread's state stays live until another user thread is switched to. SVE and SME stay disabled (CPACR_EL1)
 * and unannounced, so there is nothing beyond. Manual: Arm ARM, B1.2.1.
 */
#pragma once
#include <arch/thread.h>
#include <lib/types.h>

/* As a signal frame's record has it. */
#define FPSIMD_MAGIC 0x46508001u
struct fpu_state {
	u32 magic, size;
	u32 fpsr, fpcr;
	u64 v[32][2];
};

void fpu_init(void); /* boot CPU: the cache of areas; after mm_init() */
int fpu_alloc(struct arch_thread *t); /* area with the initial state. 0, -ENOMEM */
int fpu_fork(struct arch_thread *child); /* area with a copy of current's state. 0, -ENOMEM */
void fpu_free(struct arch_thread *t);
void fpu_save(struct arch_thread *t); /* current's registers → area; preemption off */
void fpu_load(struct arch_thread *t); /* area → registers unless they hold it; preemption off */
void fpu_reset(struct arch_thread *current_thread); /* initial state, live; preemption off */
/* For signal frames: current's state in its area as it is now; and another one, live. */
const struct fpu_state *fpu_sync(void);
void fpu_set(const struct fpu_state *state);
