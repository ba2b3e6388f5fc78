/*
 * Descriptors: open, close, dup, fcntl's part about descriptors, close_range. Manual: open(2), openat2(2),
 * close(2), dup(2), close_range(2), creat(2), memfd_create(2), umask(2).
 */
#include <fs/events.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/thread.h>
#include "fs_args.h"

static long install(struct file *f, bool cloexec)
{
	int fd = fd_alloc_install(f, cloexec);

	if (unlikely(fd < 0))
		file_put(f);
	return fd;
}

static long do_open(int dirfd, uptr_t path, unsigned flags, unsigned mode)
{
	struct file *f;
	int err = vfs_open_user(dirfd, path, (int)flags, mode, &f);

	return unlikely(err) ? err : install(f, flags & O_CLOEXEC);
}

long sys_open(uptr_t path, unsigned flags, unsigned mode)
{
	return do_open(AT_FDCWD, path, flags, mode);
}

long sys_openat(int dirfd, uptr_t path, unsigned flags, unsigned mode)
{
	return do_open(dirfd, path, flags, mode);
}

long sys_creat(uptr_t path, unsigned mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

#define OPEN_FLAGS_KNOWN                                                                           \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |      \
	 O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC |     \
	 O_PATH | O_TMPFILE_BIT)
#define RESOLVE_KNOWN                                                                              \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |         \
	 RESOLVE_IN_ROOT | RESOLVE_CACHED)

static int check_how(const struct open_how *how)
{
	u64 creating = how->flags & O_CREAT || (how->flags & O_TMPFILE_BIT);

	if (how->flags & ~(u64)OPEN_FLAGS_KNOWN || how->resolve & ~(u64)RESOLVE_KNOWN)
		return -EINVAL;
	if (how->mode & ~07777ull || (how->mode && !creating))
		return -EINVAL;
	if ((how->resolve & RESOLVE_BENEATH) && (how->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how->flags & O_PATH &&
	    how->flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	return how->resolve & RESOLVE_CACHED ? -EAGAIN : 0;
}

static unsigned resolve_to_lookup(u64 resolve)
{
	return (resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0) |
	       (resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0) |
	       (resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS : 0) |
	       (resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0) |
	       (resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0);
}

/* An extensible structure: longer ones are fine if what we don't know is zero. */
static int get_how(uptr_t uhow, size_t size, struct open_how *how)
{
	u8 rest;

	if (size < sizeof(*how))
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	for (size_t i = sizeof(*how); i < size; i++) {
		if (copy_from_user(&rest, uhow + i, 1))
			return -EFAULT;
		if (rest)
			return -E2BIG;
	}
	return copy_obj_from_user(how, uhow);
}

long sys_openat2(int dirfd, uptr_t path, uptr_t uhow, size_t size)
{
	struct open_how how;
	struct path_arg p;
	struct file *f;
	int err = get_how(uhow, size, &how);

	if (!err)
		err = check_how(&how);
	if (!err)
		err = path_arg_get(&p, path, false);
	if (err)
		return err;
	err = vfs_open_at(dirfd, p.s, (int)how.flags, (u32)how.mode, resolve_to_lookup(how.resolve),
			  &f);
	path_arg_put(&p);
	return err ? err : install(f, how.flags & O_CLOEXEC);
}

long sys_memfd_create(uptr_t uname, unsigned flags)
{
	char name[250];
	struct file *f;
	ssize_t len = copy_string_from_user(name, uname, sizeof(name));
	int err;

	if (flags & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
		return -EINVAL;
	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	err = memfd_create_file(name, flags, &f);
	return err ? err : install(f, flags & MFD_CLOEXEC);
}

long sys_close(int fd)
{
	return fd_close(fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	int err;

	if (flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		err = files_unshare();
		if (err)
			return err;
	}
	return fd_close_range(first, last, flags & CLOSE_RANGE_CLOEXEC);
}

long sys_dup(int fd)
{
	return fd_dup(fd, 0, false);
}

long sys_dup2(int oldfd, int newfd)
{
	struct fd f;

	if (oldfd != newfd)
		return fd_dup_to(oldfd, newfd, false);
	f = fd_get_any(oldfd);
	if (!f.file)
		return -EBADF;
	fd_put(f);
	return newfd;
}

long sys_dup3(int oldfd, int newfd, int flags)
{
	if (flags & ~O_CLOEXEC || oldfd == newfd)
		return -EINVAL;
	return fd_dup_to(oldfd, newfd, flags & O_CLOEXEC);
}

long sys_umask(unsigned mask)
{
	u32 old = current->fs->umask;

	current->fs->umask = mask & 0777;
	return (long)old;
}
