/*
 * aarch64: single user values. Loads and stores are the unprivileged ones, which the CPU checks as EL0's
 * whatever PAN says; only exclusives have no such form, and open user memory for their time. An access that
 * faults goes on at the label recorded for it in .ex_table. A pointer with a tag in its top byte is refused,
 * as Linux does for programs that have not asked for tagged addresses.
 */
#pragma once
#include <arch/cpu.h>
#include <arch/mmu.h>
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
		asm volatile("1: " insn " %" reg                                                   \
			     "[v], [%[p]]\n\tmov %w[e], wzr\n2:\n\t" EX_TABLE("1b", "2b")          \
			     : [v] "+r"(v), [e] "+r"(error)                                        \
			     : [p] "r"(addr)                                                       \
			     : "memory");                                                          \
		if (likely(!error))                                                                \
			*out = v;                                                                  \
		return error;                                                                      \
	}
DEFINE_GET_USER(get_user_u8, u8, "ldtrb", "w")
DEFINE_GET_USER(get_user_u32, u32, "ldtr", "w")
DEFINE_GET_USER(get_user_u64, u64, "ldtr", "x")

#define DEFINE_PUT_USER(name, T, insn, reg)                                                        \
	static __always_inline int name(uptr_t addr, T v)                                          \
	{                                                                                          \
		int error = -EFAULT;                                                               \
		if (unlikely(!user_range_ok(addr, sizeof(T))))                                     \
			return -EFAULT;                                                            \
		asm volatile("1: " insn " %" reg                                                   \
			     "[v], [%[p]]\n\tmov %w[e], wzr\n2:\n\t" EX_TABLE("1b", "2b")          \
			     : [e] "+r"(error)                                                     \
			     : [p] "r"(addr), [v] "rZ"(v)                                          \
			     : "memory");                                                          \
		return error;                                                                      \
	}
DEFINE_PUT_USER(put_user_u8, u8, "sttrb", "w")
DEFINE_PUT_USER(put_user_u32, u32, "sttr", "w")
DEFINE_PUT_USER(put_user_u64, u64, "sttr", "x")

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
