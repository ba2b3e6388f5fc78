/*
 * aarch64: loads and stores of user values, their range checked before. They are the unprivileged ones, which
 * the CPU checks as EL0's whatever PAN says; only exclusives have no such form, and open user memory for their
 * time. A pointer with a tag in its top byte is refused, as Linux does for programs that have not asked for
 * tagged addresses.
 */
#pragma once
#include <arch/cpu.h>
#include <arch/ex_table.h>
#include <lib/errno.h>
#include <lib/types.h>

#define DEFINE_USER_ACCESS(T, suffix, reg)                                                         \
	static __always_inline int user_load_##T(T *v, uptr_t addr)                                \
	{                                                                                          \
		int error = -EFAULT;                                                               \
		asm volatile("1: ldtr" suffix " %" reg                                             \
			     "[v], [%[p]]\n\tmov %w[e], wzr\n2:\n\t" EX_TABLE("1b", "2b")          \
			     : [v] "+r"(*v), [e] "+r"(error)                                       \
			     : [p] "r"(addr)                                                       \
			     : "memory");                                                          \
		return error;                                                                      \
	}                                                                                          \
	static __always_inline int user_store_##T(uptr_t addr, T v)                                \
	{                                                                                          \
		int error = -EFAULT;                                                               \
		asm volatile("1: sttr" suffix " %" reg                                             \
			     "[v], [%[p]]\n\tmov %w[e], wzr\n2:\n\t" EX_TABLE("1b", "2b")          \
			     : [e] "+r"(error)                                                     \
			     : [p] "r"(addr), [v] "rZ"(v)                                          \
			     : "memory");                                                          \
		return error;                                                                      \
	}
DEFINE_USER_ACCESS(u8, "b", "w")
DEFINE_USER_ACCESS(u32, "", "w")
DEFINE_USER_ACCESS(u64, "", "x")

/* Around privileged accesses to user memory: PAN off (MSR PAN, #0, by its encoding) and on again. */
static __always_inline void user_access_begin(void)
{
	if (cpu_has(CPUF_PAN))
		asm volatile(".inst 0xd500409f" : : : "memory");
}
static __always_inline void user_access_end(void)
{
	if (cpu_has(CPUF_PAN))
		asm volatile(".inst 0xd500419f" : : : "memory");
}
