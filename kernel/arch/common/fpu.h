/*
 * FPU state of threads: areas, and whose state is in the registers. <asm/fpu.h> brings, inline and with preemption
 * off: fpu_hw_save(area), fpu_hw_load(area), and fpu_hw_prepare(area), which makes a new one fit to be saved to;
 * cpu/fpu.c what is the port's in signal frames.
 */
#pragma once
#include <arch/thread.h>
#include <asm/fpu.h>
#include <lib/types.h>

extern struct kcache *fpu_areas; /* [I] */
extern u32 fpu_area_size; /* [I] bytes */
extern const void *fpu_initial; /* [I] the area of a program that begins */
/* The port's; boot CPU, after mm_init(): sets the three. */
void fpu_init(void);

int fpu_alloc(struct arch_thread *t); /* area with the initial state. 0, -ENOMEM */
int fpu_fork(struct arch_thread *child); /* area with a copy of current's state. 0, -ENOMEM */
void fpu_free(struct arch_thread *t);
void fpu_save(struct arch_thread *t); /* current's registers → area; preemption off */
void fpu_load(struct arch_thread *t); /* area → registers unless they hold it; preemption off */
void fpu_reset(struct arch_thread *current_thread); /* initial state, live; preemption off */
