/* x86_64: loads and stores of user values, their range checked before. */
#pragma once
#include <arch/ex_table.h>
#include <asm/smap.h>
#include <lib/errno.h>
#include <lib/types.h>

#define DEFINE_USER_ACCESS(T, insn, reg)                                                           \
	static __always_inline int user_load_##T(T *v, uptr_t addr)                                \
	{                                                                                          \
		int error = -EFAULT;                                                               \
		user_access_begin();                                                               \
		asm volatile("1: " insn " (%[p]), %" reg                                           \
			     "[v]\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")                 \
			     : [v] "+r"(*v), [e] "+r"(error)                                       \
			     : [p] "r"(addr)                                                       \
			     : "memory", "cc");                                                    \
		user_access_end();                                                                 \
		return error;                                                                      \
	}                                                                                          \
	static __always_inline int user_store_##T(uptr_t addr, T v)                                \
	{                                                                                          \
		int error = -EFAULT;                                                               \
		user_access_begin();                                                               \
		asm volatile("1: " insn " %" reg                                                   \
			     "[v], (%[p])\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")         \
			     : [e] "+r"(error)                                                     \
			     : [p] "r"(addr), [v] "r"(v)                                           \
			     : "memory", "cc");                                                    \
		user_access_end();                                                                 \
		return error;                                                                      \
	}
DEFINE_USER_ACCESS(u8, "movb", "b")
DEFINE_USER_ACCESS(u32, "movl", "k")
DEFINE_USER_ACCESS(u64, "movq", "q")
