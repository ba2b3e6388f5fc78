/* Atomics on user words. The copies: usercopy.S, and arch/common/usercopy.c before them. */
#include <arch/uaccess.h>

/* A store that fails was disturbed: another look. */
int user_cmpxchg_u32(uptr_t addr, u32 expect, u32 desired, u32 *old)
{
	int error = -EFAULT;
	u32 was = expect, failed;

	if ((addr & 3) || !user_range_ok(addr, sizeof(u32)))
		return -EFAULT;
	user_access_begin();
	asm volatile("1: ldaxr %w[w], [%[p]]\n\t"
		     "cmp %w[w], %w[x]\n\t"
		     "b.ne 3f\n\t"
		     "2: stlxr %w[f], %w[d], [%[p]]\n\t"
		     "cbnz %w[f], 1b\n\t"
		     "3: mov %w[e], wzr\n"
		     "4:\n\t" EX_TABLE("1b", "4b") EX_TABLE("2b", "4b")
		     : [w] "+&r"(was), [e] "+&r"(error), [f] "=&r"(failed)
		     : [x] "r"(expect), [d] "r"(desired), [p] "r"(addr)
		     : "memory", "cc");
	user_access_end();
	if (!error) {
		asm volatile("dmb ish" : : : "memory");
		*old = was;
	}
	return error;
}
