/*
 * Opening: from a path to a file, with all that open(2) checks on the way; creation of files.
 *
 * Without O_CREAT the path is walked to its end. With it, the walk is tried as if the file were there, and
 * only when it is not, walked again to the parent, whose lock is then held from the last lookup to the
 * creation. Manual: open(2), openat2(2).
 */
#include <debug/trace.h>
#include <uapi/statfs.h>
#include "internal.h"

/* MAY_* for the access mode; mode 3 wants both and gives neither. */
static int access_of(u32 flags)
{
	static const u8 access[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
				      MAY_READ | MAY_WRITE };

	return access[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

static int check_kind(const struct path *p, u32 flags)
{
	u32 mode = p->dentry->inode->mode;

	switch (mode & S_IFMT) {
	case S_IFLNK: return -ELOOP;
	case S_IFDIR:
		if (flags & (O_CREAT | O_TRUNC) || (flags & O_ACCMODE) != O_RDONLY)
			return -EISDIR;
		return 0;
	case S_IFCHR:
	case S_IFBLK: return p->mount->flags & MS_NODEV ? -EACCES : 0;
	case S_IFSOCK: return -ENXIO;
	default: return 0;
	}
}

static int may_open(const struct path *p, u32 flags)
{
	struct inode *inode = p->dentry->inode;
	int err = check_kind(p, flags);

	if (err)
		return err;
	err = path_permission(p, access_of(flags));
	if (err)
		return err;
	if (flags & O_NOATIME && !inode_owner_or_capable(inode))
		return -EPERM;
	return 0;
}

static int truncate_open(struct file *f)
{
	struct iattr a = { .valid = ATTR_SIZE | ATTR_MTIME, .mtime_ns = inode_now() };

	return S_ISREG(f->inode->mode) && f->inode->size ? inode_setattr_open(f->inode, &a) : 0;
}

static const struct file_ops path_fops; /* O_PATH: nothing can be done with it */

/* The file for a path whose permissions were checked; takes over p's references on success. */
static int open_checked(const struct path *p, u32 flags, bool created, struct file **out)
{
	struct inode *inode = p->dentry->inode;
	struct file *f;
	int err = file_alloc(flags & ~(u32)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), &f);

	if (err)
		return err;
	f->inode = inode;
	if (flags & O_PATH) {
		f->ops = &path_fops;
		goto done;
	}
	f->flags |= O_LARGEFILE;
	f->ops = inode->fops;
	err = -ENXIO;
	if (!f->ops)
		goto out_free;
	if (S_ISREG(inode->mode) && (f->mode & FMODE_WRITE || flags & O_TRUNC)) {
		err = inode_get_write(inode);
		if (err)
			goto out_free;
		f->mode |= FMODE_WRITER;
	}
	f->mount = p->mount;
	f->dentry = p->dentry;
	if (f->ops->open) {
		err = f->ops->open(inode, f);
		if (err)
			goto out_write;
	}
	if (flags & O_TRUNC && !created) {
		err = truncate_open(f);
		if (err) {
			path_get(p);
			file_put(f);
			return err;
		}
	}
done:
	f->flags &= ~(u32)O_NOCTTY; /* the device's open() looked at it */
	f->mount = p->mount;
	f->dentry = p->dentry;
	TRACE(open, inode->ino, inode->mode, flags);
	*out = f;
	return 0;
out_write:
	if (f->mode & FMODE_WRITER)
		inode_put_write(inode);
out_free:
	file_free_new(f);
	return err;
}

/* As open_checked(), with the checks; p's references are always used up. */
static int open_path_take(struct path *p, u32 flags, struct file **out)
{
	int err = 0;

	if (!(flags & O_PATH))
		err = may_open(p, flags);
	if (!err)
		err = open_checked(p, flags, false, out);
	if (err)
		path_put(p);
	return err;
}

int vfs_open_path(const struct path *p, int flags, struct file **out)
{
	struct path copy = *p;

	path_get(&copy);
	return open_path_take(&copy, (u32)flags, out);
}

/* --- creation --- */

static u32 umask_of_current(void)
{
	return current->fs ? current->fs->umask : init_fs_context.umask;
}

/* The last component below w->path: opened, made, or (a symlink) to be followed: -ERESTART. The parent's
 * lock is held from the lookup to the creation. */
static int open_or_create_last(struct walk *w, u32 flags, u32 mode, struct path *p, bool *created,
			       struct dentry **link)
{
	struct inode *dir = w->path.dentry->inode;
	struct dentry *d;
	int err;

	rwsem_write_lock(&dir->lock);
	err = walk_lookup_last(w, &d, true);
	if (err)
		goto out_unlock;
	if (!d->inode) {
		err = mount_want_write(w->path.mount);
		if (!err)
			err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
		if (!err)
			err = dir->ops->create ? dir->ops->create(dir, d, mode) : -EACCES;
		*created = !err;
	} else if (flags & O_EXCL) {
		err = -EEXIST;
	} else if (S_ISLNK(d->inode->mode) && !(flags & O_NOFOLLOW)) {
		*link = d;
		err = -ERESTART;
		goto out_unlock;
	}
	if (err) {
		dentry_put(d);
		goto out_unlock;
	}
	p->dentry = d;
	p->mount = w->path.mount;
	mount_get(p->mount);
out_unlock:
	rwsem_write_unlock(&dir->lock);
	return err;
}

static int open_create(int dirfd, const char *path, u32 flags, u32 mode, unsigned resolve,
		       struct file **out)
{
	bool created = false;
	struct path p;
	struct walk w;
	int err = walk_start(&w, dirfd, path, LOOKUP_PARENT | resolve);

	mode = S_IFREG | (mode & S_IALLUGO & ~umask_of_current());
	while (!err) {
		struct dentry *link = NULL;

		err = -EISDIR;
		if (w.last_type != LAST_NORMAL || w.trailing)
			break;
		err = open_or_create_last(&w, flags, mode, &p, &created, &link);
		if (err != -ERESTART)
			break;
		err = walk_follow_last(&w, link);
		dentry_put(link);
	}
	walk_end(&w);
	if (err)
		return err;
	if (!created) {
		mount_follow_down(&p);
		return open_path_take(&p, flags, out);
	}
	err = open_checked(&p, flags, true, out);
	if (err)
		path_put(&p);
	return err;
}

static int open_tmpfile(const struct path *dir, u32 flags, u32 mode, struct file **out)
{
	struct inode *parent = dir->dentry->inode, *inode;
	struct path p = { dir->mount, NULL };
	int err;

	if (!parent->ops->tmpfile)
		return -EOPNOTSUPP;
	err = path_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	rwsem_write_lock(&parent->lock);
	err = parent->ops->tmpfile(parent, S_IFREG | (mode & S_IALLUGO & ~umask_of_current()),
				   &inode);
	rwsem_write_unlock(&parent->lock);
	if (err)
		return err;
	p.dentry = dentry_create(dir->dentry, "#tmpfile", 8);
	if (!p.dentry) {
		inode_put(inode);
		return -ENOMEM;
	}
	p.dentry->inode = inode;
	p.dentry->flags |= DENTRY_UNLINKED;
	mount_get(p.mount);
	err = open_checked(&p, flags & ~(u32)O_TMPFILE, true, out);
	if (err)
		path_put(&p);
	return err;
}

int vfs_open_at(int dirfd, const char *path, int oflags, u32 mode, unsigned resolve,
		struct file **out)
{
	u32 flags = (u32)oflags;
	unsigned lookup = resolve | (flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
	struct path p;
	int err;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (flags & O_TMPFILE_BIT) {
		if ((flags & O_TMPFILE) != O_TMPFILE || !(flags & (O_WRONLY | O_RDWR)))
			return -EINVAL;
		flags &= ~(u32)O_CREAT;
	}
	if (flags & O_DIRECTORY) {
		if (flags & O_CREAT)
			return -EINVAL;
		lookup |= LOOKUP_DIRECTORY;
	}
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return open_create(dirfd, path, flags, mode, resolve, out);
	err = path_lookup_at(dirfd, path, lookup, &p);
	if (err == -ENOENT && flags & O_CREAT)
		return open_create(dirfd, path, flags, mode, resolve, out);
	if (err)
		return err;
	if (flags & O_TMPFILE_BIT) {
		err = open_tmpfile(&p, flags, mode, out);
		path_put(&p);
		return err;
	}
	return open_path_take(&p, flags, out);
}

int vfs_open_user(int dirfd, uptr_t upath, int flags, u32 mode, struct file **out)
{
	struct walk_name n;
	int err = walk_name_get(&n, upath, false);

	if (err)
		return err;
	err = vfs_open_at(dirfd, n.s, flags, mode, 0, out);
	walk_name_put(&n);
	return err;
}
