/*
 * User copies: the range check, once, before the port's copying loops; operations on user words. What a port
 * brings: user_copy_in() and the others below, and user_cmpxchg_u32().
 */
#include <arch/uaccess.h>

/* Bytes not copied, or cleared; a string's length, -1. The range is the user's. */
size_t user_copy_in(void *to, const void *from, size_t n);
size_t user_copy_out(void *to, const void *from, size_t n);
size_t user_clear(void *to, size_t n);
ssize_t user_copy_string(char *to, const char *from, size_t most);
ssize_t user_measure_string(const char *s, size_t most);

size_t copy_from_user_partial(void *dst, uptr_t src, size_t n)
{
	return likely(user_range_ok(src, n)) ? user_copy_in(dst, (const void *)src, n) : n;
}

size_t copy_to_user_partial(uptr_t dst, const void *src, size_t n)
{
	return likely(user_range_ok(dst, n)) ? user_copy_out((void *)dst, src, n) : n;
}

int copy_from_user(void *dst, uptr_t src, size_t n)
{
	return copy_from_user_partial(dst, src, n) ? -EFAULT : 0;
}

int copy_to_user(uptr_t dst, const void *src, size_t n)
{
	return copy_to_user_partial(dst, src, n) ? -EFAULT : 0;
}

int clear_user(uptr_t dst, size_t n)
{
	return user_range_ok(dst, n) && !user_clear((void *)dst, n) ? 0 : -EFAULT;
}

ssize_t copy_string_from_user(char *dst, uptr_t src, size_t size)
{
	size_t most;
	ssize_t n;

	if (unlikely(src >= USER_TOP))
		return -EFAULT;
	most = min(size, (size_t)(USER_TOP - src));
	n = user_copy_string(dst, (const char *)src, most);
	if (likely(n >= 0 && (size_t)n < most))
		return n;
	return n < 0 || most < size ? -EFAULT : -ENAMETOOLONG;
}

ssize_t user_strnlen(uptr_t src, size_t max)
{
	size_t most;
	ssize_t n;

	if (src >= USER_TOP)
		return -EFAULT;
	most = min(max, (size_t)(USER_TOP - src));
	n = user_measure_string((const char *)src, most);
	if (n >= 0 && (size_t)n == most && most < max)
		return -EFAULT;
	return n < 0 ? -EFAULT : n;
}

static u32 apply(unsigned op, u32 old, u32 operand)
{
	switch (op) {
	case 0: return operand;
	case 1: return old + operand;
	case 2: return old | operand;
	case 3: return old & ~operand;
	default: return old ^ operand;
	}
}

int user_fetch_op_u32(uptr_t addr, unsigned op, u32 operand, u32 *old)
{
	u32 seen, was = 0;
	int error;

	error = get_user_u32(&seen, addr);
	while (!error) {
		error = user_cmpxchg_u32(addr, seen, apply(op, seen, operand), &was);
		if (!error && was == seen)
			break;
		seen = was;
	}
	if (!error)
		*old = seen;
	return error;
}
