/*
 * x86_64: single user values. An access that faults goes on at the label recorded for it in .ex_table.
 */
#pragma once
#include <arch/mmu.h>
#include <asm/smap.h>
#include <lib/errno.h>
#include <lib/types.h>

/* Both are 32-bit offsets from the field itself. */
struct ex_entry {
	s32 insn, fixup;
};
#define EX_TABLE(from, to)                                                                         \
	".pushsection .ex_table, \"a\"\n\t.balign 4\n\t.long " from " - .\n\t.long " to            \
	" - .\n\t.popsection\n\t"

#ifdef __clang_analyzer__ /* which does not see what the assembly sets */
#define SET_BY_ASM(x) ((x) = 0)
#else
#define SET_BY_ASM(x) ((void)0)
#endif

static __always_inline bool user_range_ok(uptr_t addr, size_t n)
{
	return n <= USER_TOP && addr <= USER_TOP - n;
}

#define DEFINE_GET_USER(name, T, insn, reg)                                                        \
	static __always_inline int name(T *out, uptr_t addr)                                       \
	{                                                                                          \
		int error = -EFAULT;                                                               \
		T v = 0;                                                                           \
		SET_BY_ASM(*out);                                                                  \
		if (unlikely(!user_range_ok(addr, sizeof(T))))                                     \
			return -EFAULT;                                                            \
		user_access_begin();                                                               \
		asm volatile("1: " insn " (%[p]), %" reg                                           \
			     "[v]\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")                 \
			     : [v] "+r"(v), [e] "+r"(error)                                        \
			     : [p] "r"(addr)                                                       \
			     : "memory", "cc");                                                    \
		user_access_end();                                                                 \
		if (likely(!error))                                                                \
			*out = v;                                                                  \
		return error;                                                                      \
	}
DEFINE_GET_USER(get_user_u8, u8, "movb", "b")
DEFINE_GET_USER(get_user_u32, u32, "movl", "k")
DEFINE_GET_USER(get_user_u64, u64, "movq", "q")

#define DEFINE_PUT_USER(name, T, insn, reg)                                                        \
	static __always_inline int name(uptr_t addr, T v)                                          \
	{                                                                                          \
		int error = -EFAULT;                                                               \
		if (unlikely(!user_range_ok(addr, sizeof(T))))                                     \
			return -EFAULT;                                                            \
		user_access_begin();                                                               \
		asm volatile("1: " insn " %" reg                                                   \
			     "[v], (%[p])\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")         \
			     : [e] "+r"(error)                                                     \
			     : [p] "r"(addr), [v] "r"(v)                                           \
			     : "memory", "cc");                                                    \
		user_access_end();                                                                 \
		return error;                                                                      \
	}
DEFINE_PUT_USER(put_user_u8, u8, "movb", "b")
DEFINE_PUT_USER(put_user_u32, u32, "movl", "k")
DEFINE_PUT_USER(put_user_u64, u64, "movq", "q")
