/*
 * Changes of names: mkdir, mknod, symlink, link, unlink, rmdir, rename.
 *
 * Each walks to the parent, locks it, looks the last component up under the lock, checks and lets the file
 * system do it. A directory that is removed or replaced is locked too, after its parent. Renames between
 * directories hold rename_mutex, so that "is it an ancestor" stays answered, and lock parents ancestor
 * first. Manual: mkdir(2), link(2), unlink(2), rmdir(2), rename(2), path_resolution(7).
 */
#include "internal.h"
#include <debug/inject.h>

static struct mutex rename_mutex;

void namei_init(void)
{
	mutex_init(&rename_mutex, "rename", RANK_RENAME);
}

static u32 apply_umask(u32 mode)
{
	u32 mask = current->fs ? current->fs->umask : init_fs_context.umask;

	return INJECT("umask_ignored") ? mode : mode & ~mask;
}

/* --- creation --- */

/* What is created must not exist; the parent is locked when this returns 0. */
static int create_start(struct walk *w, int dirfd, const char *path, bool is_dir,
			struct dentry **out)
{
	struct dentry *d;
	struct inode *dir;
	int err = walk_start(w, dirfd, path, LOOKUP_PARENT);

	if (err)
		return err;
	if (w->last_type != LAST_NORMAL)
		return -EEXIST;
	dir = w->path.dentry->inode;
	rwsem_write_lock(&dir->lock);
	err = walk_lookup_last(w, &d, true);
	if (err)
		goto out_unlock;
	err = -EEXIST;
	if (d->inode)
		goto out_put;
	err = -ENOENT;
	if (w->trailing && !is_dir)
		goto out_put;
	err = mount_want_write(w->path.mount);
	if (!err)
		err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		goto out_put;
	*out = d;
	return 0;
out_put:
	dentry_put(d);
out_unlock:
	rwsem_write_unlock(&dir->lock);
	return err;
}

static void create_end(struct walk *w, struct dentry *d)
{
	rwsem_write_unlock(&w->path.dentry->inode->lock);
	dentry_put(d);
}

int vfs_mkdir_at(int dirfd, const char *path, u32 mode)
{
	struct dentry *d;
	struct walk w;
	int err = create_start(&w, dirfd, path, true, &d);

	if (!err) {
		struct inode *dir = w.path.dentry->inode;

		err = -EPERM;
		if (dir->ops->mkdir)
			err = dir->ops->mkdir(dir, d, S_IFDIR | apply_umask(mode & 01777));
		create_end(&w, d);
	}
	walk_end(&w);
	return err;
}

int vfs_mknod_at(int dirfd, const char *path, u32 mode, u64 rdev)
{
	struct dentry *d;
	struct walk w;
	int err;

	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK: break;
	case S_IFCHR:
	case S_IFBLK:
		if (!fs_capable(CAP_MKNOD))
			return -EPERM;
		break;
	case S_IFDIR: return -EPERM;
	default: return -EINVAL;
	}
	err = create_start(&w, dirfd, path, false, &d);
	if (!err) {
		struct inode *dir = w.path.dentry->inode;

		mode = (mode & S_IFMT) | apply_umask(mode & S_IALLUGO);
		err = -EPERM;
		if (S_ISREG(mode) && dir->ops->create)
			err = dir->ops->create(dir, d, mode);
		else if (!S_ISREG(mode) && dir->ops->mknod)
			err = dir->ops->mknod(dir, d, mode, rdev);
		create_end(&w, d);
	}
	walk_end(&w);
	return err;
}

int vfs_symlink_at(const char *target, int dirfd, const char *path)
{
	struct dentry *d;
	struct walk w;
	int err;

	if (!*target)
		return -ENOENT;
	err = create_start(&w, dirfd, path, false, &d);
	if (!err) {
		struct inode *dir = w.path.dentry->inode;

		err = dir->ops->symlink ? dir->ops->symlink(dir, d, target) : -EPERM;
		create_end(&w, d);
	}
	walk_end(&w);
	return err;
}

static int link_checked(struct path *from, struct walk *w, struct dentry *d)
{
	struct inode *inode = from->dentry->inode, *dir = w->path.dentry->inode;
	int err;

	if (from->mount != w->path.mount)
		return -EXDEV;
	if (S_ISDIR(inode->mode) || !dir->ops->link)
		return -EPERM;
	rwsem_write_lock(&inode->lock);
	if (inode->nlink == 0 &&
	    !(from->dentry->flags & DENTRY_UNLINKED && inode->flags & INODE_TMPFILE))
		err = -ENOENT;
	else
		err = dir->ops->link(from->dentry, dir, d);
	if (!err)
		inode->flags &= ~(u32)INODE_TMPFILE;
	rwsem_write_unlock(&inode->lock);
	return err;
}

int vfs_link_at(int odirfd, const char *old, int ndirfd, const char *path, int at_flags)
{
	unsigned lookup = at_flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	struct dentry *d;
	struct path from;
	struct walk w;
	int err;

	if (at_flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (at_flags & AT_EMPTY_PATH) {
		if (!fs_capable(CAP_DAC_READ_SEARCH))
			return -ENOENT;
		lookup |= LOOKUP_EMPTY;
	}
	err = path_lookup_at(odirfd, old, lookup, &from);
	if (err)
		return err;
	err = create_start(&w, ndirfd, path, false, &d);
	if (!err) {
		err = link_checked(&from, &w, d);
		create_end(&w, d);
	}
	walk_end(&w);
	path_put(&from);
	return err;
}

/* --- removal --- */

static bool sticky_forbids(const struct inode *dir, const struct inode *victim)
{
	u32 uid = fs_cred()->fsuid;

	return !INJECT("sticky_ignored") && dir->mode & S_ISVTX && victim->uid != uid &&
	       dir->uid != uid && !fs_capable(CAP_FOWNER);
}

/* May the name d go away from dir? is_dir: as a directory. dir's lock is held. */
static int may_delete(struct inode *dir, struct dentry *d, bool is_dir)
{
	int err;

	if (!d->inode)
		return -ENOENT;
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (sticky_forbids(dir, d->inode))
		return -EPERM;
	if (is_dir) {
		if (!S_ISDIR(d->inode->mode))
			return -ENOTDIR;
		if (d->parent == d)
			return -EBUSY;
	} else if (S_ISDIR(d->inode->mode)) {
		return -EISDIR;
	}
	if (d->flags & DENTRY_MOUNTPOINT)
		return -EBUSY;
	return dir->flags & INODE_DEAD ? -ENOENT : 0;
}

static int unlink_locked(struct inode *dir, struct dentry *d)
{
	struct inode *victim = d->inode;
	int err;

	if (!dir->ops->unlink)
		return -EPERM;
	rwsem_write_lock(&victim->lock);
	err = dir->ops->unlink(dir, d);
	rwsem_write_unlock(&victim->lock);
	if (!err)
		dcache_drop_unlinked(d);
	return err;
}

static int rmdir_locked(struct inode *dir, struct dentry *d)
{
	struct inode *victim = d->inode;
	int err;

	if (!dir->ops->rmdir)
		return -EPERM;
	rwsem_write_lock(&victim->lock);
	err = dir->ops->rmdir(dir, d);
	if (!err)
		victim->flags |= INODE_DEAD;
	rwsem_write_unlock(&victim->lock);
	if (!err) {
		dcache_drop_unlinked(d);
		dcache_prune(d);
	}
	return err;
}

static int remove_last(struct walk *w, bool is_dir)
{
	struct inode *dir = w->path.dentry->inode;
	struct dentry *d;
	int err;

	if (w->last_type != LAST_NORMAL) {
		if (!is_dir)
			return -EISDIR;
		if (w->last_type == LAST_DOT)
			return -EINVAL;
		return w->last_type == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
	}
	rwsem_write_lock(&dir->lock);
	err = walk_lookup_last(w, &d, true);
	if (err)
		goto out_unlock;
	if (d->inode && w->trailing && !is_dir)
		err = S_ISDIR(d->inode->mode) ? -EISDIR : -ENOTDIR;
	if (!err && d->inode)
		err = mount_want_write(w->path.mount);
	if (!err)
		err = may_delete(dir, d, is_dir);
	if (!err)
		err = is_dir ? rmdir_locked(dir, d) : unlink_locked(dir, d);
	rwsem_write_unlock(&dir->lock);
	dentry_put(d); /* not under the lock: may free the inode and its pages */
	return err;
out_unlock:
	rwsem_write_unlock(&dir->lock);
	return err;
}

int vfs_unlink_at(int dirfd, const char *path, int at_flags)
{
	struct walk w;
	int err;

	if (at_flags & ~AT_REMOVEDIR)
		return -EINVAL;
	err = walk_start(&w, dirfd, path, LOOKUP_PARENT);
	if (!err)
		err = remove_last(&w, at_flags & AT_REMOVEDIR);
	walk_end(&w);
	return err;
}

/* --- rename --- */

/* Does d lie in the tree below (or at) top? rename_mutex keeps the answer. */
static bool is_below(struct dentry *d, const struct dentry *top)
{
	bool yes = false;

	spin_lock(&dcache_lock);
	for (;; d = d->parent) {
		if (d == top) {
			yes = true;
			break;
		}
		if (d->parent == d)
			break;
	}
	spin_unlock(&dcache_lock);
	return yes;
}

static void lock_parents(struct dentry *a, struct dentry *b)
{
	if (a == b) {
		rwsem_write_lock(&a->inode->lock);
		return;
	}
	mutex_lock(&rename_mutex);
	if (is_below(a, b)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	rwsem_write_lock(&a->inode->lock);
	rwsem_write_lock(&b->inode->lock);
}

static void unlock_parents(struct dentry *a, struct dentry *b)
{
	rwsem_write_unlock(&a->inode->lock);
	if (a == b)
		return;
	rwsem_write_unlock(&b->inode->lock);
	mutex_unlock(&rename_mutex);
}

struct rename {
	struct walk from, to;
	struct dentry *od, *nd;
	unsigned flags;
};

static int rename_check_names(const struct rename *r)
{
	const struct inode *old = r->od->inode, *new = r->nd->inode;

	if (!old)
		return -ENOENT;
	if (new && r->flags & RENAME_NOREPLACE && !INJECT("rename_replaces"))
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE) {
		if (!new)
			return -ENOENT;
		if (!S_ISDIR(new->mode) && r->to.trailing)
			return -ENOTDIR;
	}
	/* A trailing slash says directory. */
	if (!S_ISDIR(old->mode)) {
		if (r->from.trailing || (!(r->flags & RENAME_EXCHANGE) && r->to.trailing))
			return -ENOTDIR;
	}
	return 0;
}

/* A target that is replaced must be of the same kind. */
static int rename_check_target(const struct rename *r, struct inode *ndir)
{
	bool is_dir = S_ISDIR(r->od->inode->mode);
	int err;

	if (!r->nd->inode) {
		if (ndir->flags & INODE_DEAD)
			return -ENOENT;
		return inode_permission(ndir, MAY_WRITE | MAY_EXEC);
	}
	if (r->flags & RENAME_EXCHANGE)
		return may_delete(ndir, r->nd, S_ISDIR(r->nd->inode->mode));
	err = may_delete(ndir, r->nd, is_dir);
	return err;
}

static int rename_do(struct rename *r, struct inode *odir, struct inode *ndir)
{
	struct inode *victim = r->flags & RENAME_EXCHANGE ? NULL : r->nd->inode;
	int err;

	if (!odir->ops->rename)
		return -EPERM;
	if (victim)
		rwsem_write_lock(&victim->lock);
	err = odir->ops->rename(odir, r->od, ndir, r->nd, r->flags & RENAME_EXCHANGE);
	if (!err && victim && S_ISDIR(victim->mode))
		victim->flags |= INODE_DEAD;
	if (victim)
		rwsem_write_unlock(&victim->lock);
	if (err)
		return err;
	if (r->flags & RENAME_EXCHANGE) {
		dcache_exchange(r->od, r->nd);
	} else {
		dcache_move(r->od, r->nd);
		if (victim && S_ISDIR(victim->mode))
			dcache_prune(r->nd);
	}
	return 0;
}

static int rename_locked(struct rename *r)
{
	struct dentry *op = r->from.path.dentry, *np = r->to.path.dentry;
	int err = walk_lookup_last(&r->from, &r->od, true);

	if (err)
		return err;
	err = walk_lookup_last(&r->to, &r->nd, true);
	if (err)
		return err;
	err = rename_check_names(r);
	if (err)
		return err;
	if (op != np) {
		if (is_below(np, r->od))
			return -EINVAL;
		if (is_below(op, r->nd))
			return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	}
	if (r->od->inode == r->nd->inode)
		return 0; /* two names of one file: nothing happens */
	err = may_delete(op->inode, r->od, S_ISDIR(r->od->inode->mode));
	if (!err)
		err = rename_check_target(r, np->inode);
	/* Moving a directory changes its "..". */
	if (!err && op != np && S_ISDIR(r->od->inode->mode))
		err = inode_permission(r->od->inode, MAY_WRITE);
	return err ? err : rename_do(r, op->inode, np->inode);
}

static int rename_walked(struct rename *r)
{
	struct dentry *op = r->from.path.dentry, *np = r->to.path.dentry;
	int err;

	if (r->from.path.mount != r->to.path.mount)
		return -EXDEV;
	if (r->from.last_type != LAST_NORMAL)
		return -EBUSY;
	if (r->to.last_type != LAST_NORMAL)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	err = mount_want_write(r->from.path.mount);
	if (err)
		return err;
	r->od = r->nd = NULL;
	lock_parents(op, np);
	err = rename_locked(r);
	unlock_parents(op, np);
	if (r->od)
		dentry_put(r->od);
	if (r->nd)
		dentry_put(r->nd);
	return err;
}

int vfs_rename_at(int odirfd, const char *old, int ndirfd, const char *path, unsigned flags)
{
	struct rename r = { .flags = flags };
	int err;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if ((flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = walk_start(&r.from, odirfd, old, LOOKUP_PARENT);
	if (!err) {
		err = walk_start(&r.to, ndirfd, path, LOOKUP_PARENT);
		if (!err)
			err = rename_walked(&r);
		walk_end(&r.to);
	}
	walk_end(&r.from);
	return err;
}
