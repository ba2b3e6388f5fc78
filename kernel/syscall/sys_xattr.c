/*
 * statfs, readlink, and extended attributes (which no file system here keeps: reading says ENODATA, a list
 * is empty, setting says EOPNOTSUPP). Manual: statfs(2), readlink(2), xattr(7), getxattr(2).
 */
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/statfs.h>
#include "fs_args.h"

/* --- statfs --- */

static long statfs_out(const struct mount *m, struct super *s, uptr_t ubuf)
{
	struct statfs st = {};
	int err = s->ops->statfs ? s->ops->statfs(s, &st) : 0;
	unsigned long flags = (m ? m->flags : 0) | s->flags;

	if (err)
		return err;
	if (!s->ops->statfs) {
		st.f_type = s->magic;
		st.f_bsize = s->block_size;
		st.f_namelen = NAME_MAX;
	}
	st.f_frsize = st.f_bsize;
	st.f_fsid[0] = (s32)s->dev;
	st.f_flags = ST_VALID | (flags & MS_RDONLY ? ST_RDONLY : 0) |
		     (flags & MS_NOSUID ? ST_NOSUID : 0) | (flags & MS_NODEV ? ST_NODEV : 0) |
		     (flags & MS_NOEXEC ? ST_NOEXEC : 0) |
		     (flags & MS_NOATIME ? ST_NOATIME : ST_RELATIME);
	return copy_obj_to_user(ubuf, &st);
}

long sys_statfs(uptr_t path, uptr_t buf)
{
	struct path p;
	long err = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = statfs_out(p.mount, p.mount->super, buf);
	path_put(&p);
	return err;
}

long sys_fstatfs(int fd, uptr_t buf)
{
	struct fd f = fd_get_any(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = f.file->inode->super ? statfs_out(f.file->mount, f.file->inode->super, buf) : -ENOSYS;
	fd_put(f);
	return err;
}

/* --- readlink --- */

static int readlink_lookup(int dirfd, uptr_t path, struct path *p)
{
	int err = path_lookup_user(dirfd, path, LOOKUP_EMPTY, p);

	/* The empty path is for descriptors of symlinks only. */
	if (!err && !S_ISLNK(p->dentry->inode->mode)) {
		u8 c = 1;

		err = get_user_u8(&c, path) ? -EFAULT : c ? -EINVAL : -ENOENT;
		path_put(p);
	}
	return err;
}

long sys_readlinkat(int dirfd, uptr_t path, uptr_t ubuf, int size)
{
	char small[256], *buf = small;
	struct path p;
	ssize_t n;

	if (size <= 0)
		return -EINVAL;
	n = readlink_lookup(dirfd, path, &p);
	if (n)
		return n;
	if ((size_t)size > sizeof(small))
		buf = kmalloc(PATH_MAX, 0);
	if (!buf) {
		path_put(&p);
		return -ENOMEM;
	}
	n = vfs_readlink(&p, buf,
			 min_t(size_t, (size_t)size, buf == small ? sizeof(small) : PATH_MAX));
	path_put(&p);
	if (n > 0 && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	if (buf != small)
		kfree(buf);
	return n;
}

long sys_readlink(uptr_t path, uptr_t ubuf, int size)
{
	return sys_readlinkat(AT_FDCWD, path, ubuf, size);
}

/* --- extended attributes --- */

enum xattr_op { XATTR_GET, XATTR_SET, XATTR_LIST, XATTR_REMOVE };

static long xattr_result(enum xattr_op op, uptr_t uname)
{
	char name[256];
	ssize_t len;

	if (op == XATTR_LIST)
		return 0;
	len = copy_string_from_user(name, uname, sizeof(name));
	if (len == -ENAMETOOLONG || len == 0)
		return -ERANGE;
	if (len < 0)
		return len;
	if (!str_has_prefix(name, "user.") && !str_has_prefix(name, "trusted.") &&
	    !str_has_prefix(name, "security.") && !str_has_prefix(name, "system."))
		return -EOPNOTSUPP;
	if (op == XATTR_GET)
		return str_has_prefix(name, "system.") ? -EOPNOTSUPP : -ENODATA;
	return -EOPNOTSUPP;
}

static long xattr_path(uptr_t path, unsigned lookup, enum xattr_op op, uptr_t name)
{
	struct path p;
	long err = path_lookup_user(AT_FDCWD, path, lookup, &p);

	if (err)
		return err;
	path_put(&p);
	return xattr_result(op, name);
}

static long xattr_fd(int fd, enum xattr_op op, uptr_t name)
{
	struct fd f = fd_get(fd);

	if (!f.file)
		return -EBADF;
	fd_put(f);
	return xattr_result(op, name);
}

long sys_setxattr(uptr_t path, uptr_t name, uptr_t value, size_t size, int flags)
{
	(void)value, (void)size;
	return flags & ~3 ? -EINVAL : xattr_path(path, LOOKUP_FOLLOW, XATTR_SET, name);
}
long sys_lsetxattr(uptr_t path, uptr_t name, uptr_t value, size_t size, int flags)
{
	(void)value, (void)size;
	return flags & ~3 ? -EINVAL : xattr_path(path, 0, XATTR_SET, name);
}
long sys_fsetxattr(int fd, uptr_t name, uptr_t value, size_t size, int flags)
{
	(void)value, (void)size;
	return flags & ~3 ? -EINVAL : xattr_fd(fd, XATTR_SET, name);
}
long sys_getxattr(uptr_t path, uptr_t name, uptr_t value, size_t size)
{
	(void)value, (void)size;
	return xattr_path(path, LOOKUP_FOLLOW, XATTR_GET, name);
}
long sys_lgetxattr(uptr_t path, uptr_t name, uptr_t value, size_t size)
{
	(void)value, (void)size;
	return xattr_path(path, 0, XATTR_GET, name);
}
long sys_fgetxattr(int fd, uptr_t name, uptr_t value, size_t size)
{
	(void)value, (void)size;
	return xattr_fd(fd, XATTR_GET, name);
}
long sys_listxattr(uptr_t path, uptr_t list, size_t size)
{
	(void)list, (void)size;
	return xattr_path(path, LOOKUP_FOLLOW, XATTR_LIST, 0);
}
long sys_llistxattr(uptr_t path, uptr_t list, size_t size)
{
	(void)list, (void)size;
	return xattr_path(path, 0, XATTR_LIST, 0);
}
long sys_flistxattr(int fd, uptr_t list, size_t size)
{
	(void)list, (void)size;
	return xattr_fd(fd, XATTR_LIST, 0);
}
long sys_removexattr(uptr_t path, uptr_t name)
{
	return xattr_path(path, LOOKUP_FOLLOW, XATTR_REMOVE, name);
}
long sys_lremovexattr(uptr_t path, uptr_t name)
{
	return xattr_path(path, 0, XATTR_REMOVE, name);
}
long sys_fremovexattr(int fd, uptr_t name)
{
	return xattr_fd(fd, XATTR_REMOVE, name);
}
