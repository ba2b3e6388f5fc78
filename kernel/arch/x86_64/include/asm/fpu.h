/*
 * FPU state of threads. The kernel itself never uses FPU registers, so a thread's state stays live until
 * another user thread is switched to. Areas are in the standard XSAVE form (or FXSAVE's), as signal
 * frames are. Manual: SDM volume 1, chapter 13.
 */
#pragma once
#include <arch/thread.h>
#include <lib/types.h>

void fpu_init(void); /* boot CPU: the cache of areas, the initial state; after mm_init() */
int fpu_alloc(struct arch_thread *t); /* area with the initial state. 0, -ENOMEM */
int fpu_fork(struct arch_thread *child); /* area with a copy of current's state. 0, -ENOMEM */
void fpu_free(struct arch_thread *t);
void fpu_save(struct arch_thread *t); /* current's registers → area; preemption off */
void fpu_load(struct arch_thread *t); /* area → registers unless they hold it; preemption off */
void fpu_reset(struct arch_thread *current_thread); /* initial state, live; preemption off */

/* Signal frames: the state goes to user memory with the marks that say how large it is. */
size_t fpu_frame_size(void); /* bytes, without alignment (64) */
int fpu_save_to_user(uptr_t buf); /* current's; 0, -EFAULT */
int fpu_restore_from_user(uptr_t buf); /* buf 0: initial state. 0, -EFAULT, -EINVAL */
