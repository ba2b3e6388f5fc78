/* Atomics on user words. The copies: usercopy.S, and arch/common/usercopy.c before them. */
#include <arch/uaccess.h>

int user_cmpxchg_u32(uptr_t addr, u32 expect, u32 desired, u32 *old)
{
	int error = -EFAULT;
	u32 was = expect;

	if ((addr & 3) || !user_range_ok(addr, sizeof(u32)))
		return -EFAULT;
	user_access_begin();
	asm volatile("1: lock cmpxchgl %[d], (%[p])\n\txorl %[e], %[e]\n2:\n\t" EX_TABLE("1b", "2b")
		     : "+a"(was), [e] "+r"(error)
		     : [d] "r"(desired), [p] "r"(addr)
		     : "memory", "cc");
	user_access_end();
	if (!error)
		*old = was;
	return error;
}
