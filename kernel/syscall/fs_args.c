/*
 * Decoding of arguments that the file-related calls share: vectors, paths, AT_* flags. Manual: readv(2),
 * openat(2).
 */
#include <lib/string.h>
#include <mm/slab.h>
#include "fs_args.h"

BUILD_ASSERT(sizeof(struct iovec) == sizeof(struct uio_vec));

static int check_vec(struct uio_vec *vec, unsigned long n)
{
	size_t total = 0;

	for (unsigned long i = 0; i < n; i++) {
		size_t len = vec[i].len;

		if ((ssize_t)len < 0)
			return -EINVAL;
		if (!user_range_ok(vec[i].base, len))
			return -EFAULT;
		if (len > MAX_RW_COUNT - total)
			vec[i].len = len = MAX_RW_COUNT - total;
		total += len;
	}
	return 0;
}

int iov_get(struct iov_arg *a, uptr_t uvec, unsigned long n, struct uio *u)
{
	int err;

	a->vec = a->inline_vec;
	if (n > IOV_MAX)
		return -EINVAL;
	if (n > IOV_INLINE) {
		a->vec = kmalloc(n * sizeof(*a->vec), 0);
		if (!a->vec)
			return -ENOMEM;
	}
	err = copy_from_user(a->vec, uvec, n * sizeof(*a->vec));
	if (!err)
		err = check_vec(a->vec, n);
	if (err) {
		iov_put(a);
		return err;
	}
	if (n == 0)
		uio_init_user(u, 0, 0);
	else
		uio_init_vec(u, a->vec, (unsigned)n, true);
	return 0;
}

void iov_put(struct iov_arg *a)
{
	if (a->vec != a->inline_vec)
		kfree(a->vec);
}

int path_arg_get(struct path_arg *p, uptr_t upath, bool empty_ok)
{
	ssize_t len = copy_string_from_user(p->small, upath, sizeof(p->small));

	p->s = p->small;
	if (unlikely(len == -ENAMETOOLONG)) {
		p->s = kmalloc(PATH_MAX, 0);
		if (!p->s)
			return -ENOMEM;
		len = copy_string_from_user(p->s, upath, PATH_MAX);
	}
	if (len < 0 || (len == 0 && !empty_ok)) {
		path_arg_put(p);
		return len < 0 ? (int)len : -ENOENT;
	}
	return 0;
}

void path_arg_put(struct path_arg *p)
{
	if (unlikely(p->s != p->small))
		kfree(p->s);
}

int string_arg_get(uptr_t ustr, size_t size, char **out)
{
	ssize_t len;
	char *s;

	*out = NULL;
	if (!ustr)
		return 0;
	s = kmalloc(size, 0);
	if (!s)
		return -ENOMEM;
	len = copy_string_from_user(s, ustr, size);
	if (len < 0) {
		kfree(s);
		return (int)len;
	}
	*out = s;
	return 0;
}

int lookup_flags(unsigned at_flags, unsigned allowed, bool follow)
{
	int flags = follow ? LOOKUP_FOLLOW : 0;

	if (at_flags & ~allowed)
		return -EINVAL;
	if (at_flags & AT_SYMLINK_NOFOLLOW)
		flags &= ~LOOKUP_FOLLOW;
	if (at_flags & AT_SYMLINK_FOLLOW)
		flags |= LOOKUP_FOLLOW;
	if (at_flags & AT_EMPTY_PATH)
		flags |= LOOKUP_EMPTY;
	return flags;
}
