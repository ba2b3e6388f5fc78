/*
 * The arch contract: user memory. All take any user address and never fault the kernel: a bad one is
 * -EFAULT. They may sleep (page fault) unless preemption is off, when they fail instead of faulting in.
 * The access is checked against USER_TOP here, once.
 */
#pragma once
#include <arch/mmu.h>
#include <lib/errno.h>
#include <lib/types.h>

/* 0 or -EFAULT. On failure a prefix may have been copied. */
int copy_from_user(void *dst, uptr_t src, size_t n);
int copy_to_user(uptr_t dst, const void *src, size_t n);
int clear_user(uptr_t dst, size_t n);

/* As above, but return how many bytes were NOT copied, for partial results of read and write. */
size_t copy_from_user_partial(void *dst, uptr_t src, size_t n);
size_t copy_to_user_partial(uptr_t dst, const void *src, size_t n);

/* Copies a string with its NUL, at most size bytes. Its length without the NUL, -EFAULT, or
 * -ENAMETOOLONG when there is no NUL within size. */
ssize_t copy_string_from_user(char *dst, uptr_t src, size_t size);

/* Length of a user string up to max, without the NUL; -EFAULT; max if there is no NUL. */
ssize_t user_strnlen(uptr_t src, size_t max);

/* Atomic on a user word; for futexes. *old is what was there. 0, -EFAULT. */
int user_cmpxchg_u32(uptr_t addr, u32 expect, u32 desired, u32 *old);
/* op: 0 set, 1 add, 2 or, 3 andn, 4 xor (FUTEX_OP_*). */
int user_fetch_op_u32(uptr_t addr, unsigned op, u32 operand, u32 *old);

/* True when [addr, addr+n) lies below USER_TOP. */
static __always_inline bool user_range_ok(uptr_t addr, size_t n)
{
	return n <= USER_TOP && addr <= USER_TOP - n;
}

/* For each T of u8, u32, u64, inline: user_load_T(T *v, uptr_t), user_store_T(uptr_t, T). The range has been
 * checked. 0 or -EFAULT. */
#include <asm/uaccess.h>

#ifdef __clang_analyzer__ /* which does not see what the assembly sets */
#define SET_BY_ASM(x) ((x) = 0)
#else
#define SET_BY_ASM(x) ((void)0)
#endif

/* Single naturally aligned values. 0 or -EFAULT. */
#define DEFINE_GET_USER(name, T)                                                                   \
	static __always_inline int name(T *out, uptr_t addr)                                       \
	{                                                                                          \
		T v = 0;                                                                           \
		int error;                                                                         \
		SET_BY_ASM(*out);                                                                  \
		if (unlikely(!user_range_ok(addr, sizeof(T))))                                     \
			return -EFAULT;                                                            \
		error = user_load_##T(&v, addr);                                                   \
		if (likely(!error))                                                                \
			*out = v;                                                                  \
		return error;                                                                      \
	}
DEFINE_GET_USER(get_user_u8, u8)
DEFINE_GET_USER(get_user_u32, u32)
DEFINE_GET_USER(get_user_u64, u64)

#define DEFINE_PUT_USER(name, T)                                                                   \
	static __always_inline int name(uptr_t addr, T v)                                          \
	{                                                                                          \
		return likely(user_range_ok(addr, sizeof(T))) ? user_store_##T(addr, v) : -EFAULT; \
	}
DEFINE_PUT_USER(put_user_u8, u8)
DEFINE_PUT_USER(put_user_u32, u32)
DEFINE_PUT_USER(put_user_u64, u64)

/* Helpers for whole objects. */
#define copy_obj_from_user(dst, src) copy_from_user((dst), (src), sizeof(*(dst)))
#define copy_obj_to_user(dst, src) copy_to_user((dst), (src), sizeof(*(src)))
