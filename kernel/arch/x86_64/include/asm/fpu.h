/*
 * FPU state of threads. The kernel itself never uses FPU registers, so a thread's state stays live until
 * another user thread is switched to. Areas are in the standard XSAVE form (or FXSAVE's), as signal
 * frames are. Manual: SDM volume 1, chapter 13.
 */
#pragma once
#include <asm/cpu.h>
#include <lib/string.h>
#include <lib/types.h>

#define FX_SIZE 512

/* XSAVEOPT leaves out what is unmodified since it was loaded from the same area; states loaded from elsewhere are
 * saved whole. */
static __always_inline void fpu_hw_save(void *area)
{
	u32 lo = (u32)cpu_features.xcr0, hi = (u32)(cpu_features.xcr0 >> 32);

	if (cpu_has(CPUF_XSAVEOPT))
		asm volatile("xsaveopt64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
	else if (cpu_has(CPUF_XSAVE))
		asm volatile("xsave64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static __always_inline void fpu_hw_load_some(const void *area, u64 features)
{
	u32 lo = (u32)features, hi = (u32)(features >> 32);

	if (cpu_has(CPUF_XSAVE))
		asm volatile("xrstor64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
	else
		asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

static __always_inline void fpu_hw_load(const void *area)
{
	fpu_hw_load_some(area, cpu_features.xcr0);
}

/* The header, of which XSAVE writes a part, is behind the first FX_SIZE bytes. */
static inline void fpu_hw_prepare(void *area)
{
	memset(area, 0, min(cpu_features.xsave_size, FX_SIZE + 64u));
}

/* Signal frames: the state goes to user memory with the marks that say how large it is. */
size_t fpu_frame_size(void); /* bytes, without alignment (64) */
int fpu_save_to_user(uptr_t buf); /* current's; 0, -EFAULT */
int fpu_restore_from_user(uptr_t buf); /* buf 0: initial state. 0, -EFAULT, -EINVAL */
