/*
 * Names and directories: mkdir, rmdir, link, unlink, rename, symlink, mknod, getdents, chdir, getcwd.
 * Manual: mkdir(2), link(2), unlink(2), rename(2), symlink(2), mknod(2), getdents(2), chdir(2), getcwd(2).
 */
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/dirent.h>
#include "fs_args.h"

long sys_mkdirat(int dirfd, uptr_t path, unsigned mode)
{
	struct path_arg p;
	int err = path_arg_get(&p, path, false);

	if (err)
		return err;
	err = vfs_mkdir_at(dirfd, p.s, mode);
	path_arg_put(&p);
	return err;
}

long sys_mkdir(uptr_t path, unsigned mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dirfd, uptr_t path, unsigned mode, unsigned dev)
{
	struct path_arg p;
	int err = path_arg_get(&p, path, false);

	if (err)
		return err;
	err = vfs_mknod_at(dirfd, p.s, mode, dev);
	path_arg_put(&p);
	return err;
}

long sys_mknod(uptr_t path, unsigned mode, unsigned dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}

long sys_unlinkat(int dirfd, uptr_t path, unsigned flags)
{
	struct path_arg p;
	int err = path_arg_get(&p, path, false);

	if (err)
		return err;
	err = vfs_unlink_at(dirfd, p.s, (int)flags);
	path_arg_put(&p);
	return err;
}

long sys_unlink(uptr_t path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(uptr_t path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* Two paths, in the order of the arguments. */
static int two_paths(uptr_t upath1, bool empty_ok, uptr_t upath2, struct path_arg *p1,
		     struct path_arg *p2)
{
	int err = path_arg_get(p1, upath1, empty_ok);

	if (err)
		return err;
	err = path_arg_get(p2, upath2, false);
	if (err)
		path_arg_put(p1);
	return err;
}

long sys_symlinkat(uptr_t target, int dirfd, uptr_t path)
{
	struct path_arg t, p;
	int err = two_paths(target, false, path, &t, &p);

	if (err)
		return err;
	err = vfs_symlink_at(t.s, dirfd, p.s);
	path_arg_put(&p);
	path_arg_put(&t);
	return err;
}

long sys_symlink(uptr_t target, uptr_t path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

long sys_linkat(int olddir, uptr_t old, int newdir, uptr_t new, unsigned flags)
{
	struct path_arg o, n;
	int err = two_paths(old, flags & AT_EMPTY_PATH, new, &o, &n);

	if (err)
		return err;
	err = vfs_link_at(olddir, o.s, newdir, n.s, (int)flags);
	path_arg_put(&n);
	path_arg_put(&o);
	return err;
}

long sys_link(uptr_t old, uptr_t new)
{
	return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_renameat2(int olddir, uptr_t old, int newdir, uptr_t new, unsigned flags)
{
	struct path_arg o, n;
	int err = two_paths(old, false, new, &o, &n);

	if (err)
		return err;
	err = vfs_rename_at(olddir, o.s, newdir, n.s, flags);
	path_arg_put(&n);
	path_arg_put(&o);
	return err;
}

long sys_renameat(int olddir, uptr_t old, int newdir, uptr_t new)
{
	return sys_renameat2(olddir, old, newdir, new, 0);
}

long sys_rename(uptr_t old, uptr_t new)
{
	return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

/* --- getdents --- */

struct getdents {
	struct dir_context ctx;
	uptr_t buf;
	size_t left;
	uptr_t last; /* the entry before: its d_off is known only now */
	int err;
};

BUILD_ASSERT(offsetof(struct linux_dirent, d_off) == offsetof(struct linux_dirent64, d_off));
BUILD_ASSERT(offsetof(struct linux_dirent, d_reclen) == offsetof(struct linux_dirent64, d_reclen));

/* Each entry's d_off is the position of the next; so it is written when that is met. */
static int finish_last(struct getdents *g, loff_t pos)
{
	if (!g->last)
		return 0;
	return put_user_u64(g->last + offsetof(struct linux_dirent64, d_off), (u64)pos);
}

/* An entry of either form: the older one has its type in the last byte. Called with `old` constant. */
static __always_inline bool emit(struct dir_context *ctx, const char *name, size_t len, u64 ino,
				 unsigned type, bool old)
{
	struct getdents *g = container_of(ctx, struct getdents, ctx);
	size_t head = old ? offsetof(struct linux_dirent, d_name)
			  : offsetof(struct linux_dirent64, d_name);
	size_t reclen = ALIGN_UP(head + len + (old ? 2 : 1), (size_t)8);
	union {
		struct linux_dirent64 d;
		char bytes[ALIGN_UP(sizeof(struct linux_dirent64) + NAME_MAX + 3, 8)];
	} e;

	if (reclen > g->left) {
		if (!g->last)
			g->err = -EINVAL;
		return false;
	}
	g->err = finish_last(g, ctx->pos);
	if (g->err)
		return false;
	memset(e.bytes + reclen - 8, 0, 8);
	e.d.d_ino = ino;
	e.d.d_off = 0;
	e.d.d_reclen = (u16)reclen;
	if (!old)
		e.d.d_type = (u8)type;
	memcpy(e.bytes + head, name, len);
	e.bytes[head + len] = '\0';
	if (old)
		e.bytes[reclen - 1] = (char)type;
	g->err = copy_to_user(g->buf, e.bytes, reclen);
	if (g->err)
		return false;
	g->last = g->buf;
	g->buf += reclen;
	g->left -= reclen;
	return true;
}

static bool emit64(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned type)
{
	return emit(ctx, name, len, ino, type, false);
}

static bool emit32(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned type)
{
	return emit(ctx, name, len, ino, type, true);
}

static long read_dir(struct file *f, struct getdents *g, unsigned count)
{
	int err;

	if (!f->ops->iterate)
		return -ENOTDIR;
	if (f->inode->flags & INODE_DEAD)
		return -ENOENT;
	if (!user_range_ok(g->buf, count))
		return -EFAULT;
	mutex_lock(&f->pos_lock);
	g->ctx.pos = f->pos;
	err = f->ops->iterate(f, &g->ctx);
	f->pos = g->ctx.pos;
	if (!g->err)
		g->err = finish_last(g, g->ctx.pos);
	mutex_unlock(&f->pos_lock);
	file_accessed(f);
	if (g->last && g->err != -EFAULT)
		return (long)(count - g->left);
	return g->err ? g->err : err;
}

static long do_getdents(int fd, uptr_t buf, unsigned count, bool old_format)
{
	struct getdents g = {
		.ctx.emit = old_format ? emit32 : emit64,
		.buf = buf,
		.left = count,
	};
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = read_dir(f.file, &g, count);
	fd_put(f);
	return ret;
}

long sys_getdents64(int fd, uptr_t buf, unsigned count)
{
	return do_getdents(fd, buf, count, false);
}

long sys_getdents(int fd, uptr_t buf, unsigned count)
{
	return do_getdents(fd, buf, count, true);
}

/* --- working directory --- */

long sys_chdir(uptr_t path)
{
	struct path p;
	int err = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = fs_chdir(&p);
	path_put(&p);
	return err;
}

long sys_fchdir(int fd)
{
	struct fd f = fd_get_any(fd);
	struct path p;
	int err;

	if (!f.file)
		return -EBADF;
	err = -ENOTDIR;
	if (f.file->dentry && S_ISDIR(f.file->inode->mode)) {
		p.mount = f.file->mount;
		p.dentry = f.file->dentry;
		err = fs_chdir(&p);
	}
	fd_put(f);
	return err;
}

long sys_chroot(uptr_t path)
{
	struct path p;
	int err = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = fs_chroot(&p);
	path_put(&p);
	return err;
}

long sys_getcwd(uptr_t ubuf, size_t size)
{
	char *buf = kmalloc(PATH_MAX, 0), *at;
	long ret;

	if (!buf)
		return -ENOMEM;
	ret = fs_getcwd(buf, PATH_MAX, &at);
	if (!ret) {
		ret = (long)strlen(at) + 1;
		if ((size_t)ret > size)
			ret = -ERANGE;
		else if (copy_to_user(ubuf, at, (size_t)ret))
			ret = -EFAULT;
	}
	kfree(buf);
	return ret;
}
