/* What the file-related calls share: decoding of arguments. */
#pragma once
#include <arch/uaccess.h>
#include <core/timespec.h>
#include <fs/file.h>
#include <fs/vfs.h>
#include <lib/errno.h>
#include <syscalls_gen.h>
#include <uapi/fcntl.h>
#include <uapi/uio.h>

#define IOV_INLINE 8
struct iov_arg {
	struct uio_vec inline_vec[IOV_INLINE];
	struct uio_vec *vec; /* inline or allocated */
};
/* Reads and checks an iovec; the total is cut to MAX_RW_COUNT. 0, -EINVAL, -EFAULT, -ENOMEM. */
int iov_get(struct iov_arg *a, uptr_t uvec, unsigned long n, struct uio *u);
void iov_put(struct iov_arg *a);

/* A path argument in kernel memory. */
struct path_arg {
	char *s;
	char small[120];
};
int path_arg_get(struct path_arg *p, uptr_t upath, bool empty_ok);
void path_arg_put(struct path_arg *p);
/* A string of at most size - 1 bytes, allocated; NULL pointers give NULL. -ENAMETOOLONG → error given. */
int string_arg_get(uptr_t ustr, size_t size, char **out);

/* LOOKUP_* for the AT_* flags allowed; -EINVAL for others. follow: the default without flags. */
int lookup_flags(unsigned at_flags, unsigned allowed, bool follow);
