/* mount, umount2, pivot_root, sync and its kin. Manual: mount(2), umount2(2), pivot_root(2), sync(2). */
#include <arch/pte.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/statfs.h>
#include "fs_args.h"

/* The options: a page, or what of it is readable, as text. */
static int options_get(uptr_t data, char **out)
{
	size_t n;

	*out = NULL;
	if (!data)
		return 0;
	*out = kmalloc(PAGE_SIZE, 0);
	if (!*out)
		return -ENOMEM;
	n = PAGE_SIZE - 1 - copy_from_user_partial(*out, data, PAGE_SIZE - 1);
	(*out)[n] = '\0';
	if (n)
		return 0;
	kfree(*out);
	*out = NULL;
	return -EFAULT;
}

long sys_mount(uptr_t usource, uptr_t utarget, uptr_t utype, unsigned long flags, uptr_t udata)
{
	char *source = NULL, *type = NULL, *data = NULL;
	struct path_arg target;
	long err = path_arg_get(&target, utarget, false);

	if (err)
		return err;
	err = string_arg_get(usource, PATH_MAX, &source);
	if (!err)
		err = string_arg_get(utype, 256, &type);
	if (!err)
		err = options_get(udata, &data);
	if (!err)
		err = vfs_mount(type, source, target.s, flags, data);
	kfree(data);
	kfree(type);
	kfree(source);
	path_arg_put(&target);
	return err;
}

long sys_umount2(uptr_t utarget, int flags)
{
	struct path_arg target;
	long err = path_arg_get(&target, utarget, false);

	if (err)
		return err;
	err = vfs_umount(target.s, flags);
	path_arg_put(&target);
	return err;
}

long sys_pivot_root(uptr_t unew, uptr_t uput)
{
	struct path_arg new, put;
	long err = path_arg_get(&new, unew, false);

	if (err)
		return err;
	err = path_arg_get(&put, uput, false);
	if (!err) {
		err = vfs_pivot_root(new.s, put.s);
		path_arg_put(&put);
	}
	path_arg_put(&new);
	return err;
}

long sys_sync(void)
{
	vfs_sync_all();
	return 0;
}

static long do_fsync(int fd, bool datasync)
{
	struct fd f = fd_get(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = f.file->ops->fsync ? f.file->ops->fsync(f.file, datasync) : -EINVAL;
	fd_put(f);
	return err;
}

long sys_fsync(int fd)
{
	return do_fsync(fd, false);
}

long sys_fdatasync(int fd)
{
	return do_fsync(fd, true);
}

long sys_syncfs(int fd)
{
	struct fd f = fd_get(fd);
	long err = 0;

	if (!f.file)
		return -EBADF;
	if (f.file->inode->super && f.file->inode->super->ops->sync)
		err = f.file->inode->super->ops->sync(f.file->inode->super);
	fd_put(f);
	return err;
}

long sys_sync_file_range(int fd, long offset, long nbytes, unsigned flags)
{
	struct fd f;
	u32 mode;

	if (flags & ~7u || offset < 0 || nbytes < 0 || offset + nbytes < offset)
		return -EINVAL;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	mode = f.file->inode->mode;
	fd_put(f);
	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return -ESPIPE;
	return S_ISREG(mode) ? do_fsync(fd, true) : 0;
}
