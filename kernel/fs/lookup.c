/*
 * Names: one in a directory, and whole paths from the kernel and from user space.
 *
 * A name is looked for in the dentry cache; what the cache does not know the file system is asked for, under
 * the directory's lock, so that each name gets one dentry. A name that is not there gets a negative dentry.
 * Paths from user space are copied once, to the stack if they are short. The walk itself is path.c's.
 * Manual: path_resolution(7).
 */
#include <arch/uaccess.h>
#include "internal.h"

/* With a reference. */
struct dentry *dentry_get_parent(struct dentry *d)
{
	struct dentry *parent;

	rcu_read_lock();
	do {
		parent = READ_ONCE(d->parent);
	} while (!dentry_get_live(parent));
	rcu_read_unlock();
	return parent;
}

/* Asks the file system where the cache does not know; dir's inode is locked. */
int lookup_one_locked(struct dentry *dir, const char *name, u32 len, struct dentry **out)
{
	struct inode *inode = dir->inode;
	struct dentry *d = dcache_find(dir, name, len);
	int err;

	if (d && d->flags & DENTRY_REVALIDATE && !d->super->ops->revalidate(d)) {
		dcache_drop(d);
		dcache_prune(d);
		dentry_put(d);
		d = NULL;
	}
	if (d) {
		*out = d;
		return 0;
	}
	if (inode->flags & INODE_DEAD)
		return -ENOENT;
	if (!inode->ops || !inode->ops->lookup)
		return -ENOTDIR;
	d = dentry_create(dir, name, len);
	if (!d)
		return -ENOMEM;
	err = inode->ops->lookup(inode, d);
	if (err && err != -ENOENT) {
		dentry_put(d);
		return err;
	}
	*out = d;
	return 0;
}

/* With a reference, from the cache or the file system; may be negative. */
int lookup_one(struct dentry *dir, const char *name, u32 len, u32 hash, struct dentry **out)
{
	struct dentry *d;
	u32 seq;
	int err;

	rcu_read_lock();
	d = dcache_find_rcu(dir, name, len, hash, &seq);
	if (d && !dentry_get_live(d))
		d = NULL;
	rcu_read_unlock();
	if (d && dentry_unchanged(d, seq) &&
	    (!(d->flags & DENTRY_REVALIDATE) || d->super->ops->revalidate(d))) {
		*out = d;
		return 0;
	}
	if (d)
		dentry_put(d);
	rwsem_write_lock(&dir->inode->lock);
	err = lookup_one_locked(dir, name, len, out);
	rwsem_write_unlock(&dir->inode->lock);
	return err;
}

int walk_name_get(struct walk_name *n, uptr_t upath, bool empty_ok)
{
	ssize_t len = copy_string_from_user(n->small, upath, sizeof(n->small));

	n->s = n->small;
	if (unlikely(len == -ENAMETOOLONG)) {
		n->s = kmalloc(PATH_MAX, 0);
		if (!n->s)
			return -ENOMEM;
		len = copy_string_from_user(n->s, upath, PATH_MAX);
	}
	if (len < 0) {
		walk_name_put(n);
		return (int)len;
	}
	if (len == 0 && !empty_ok)
		return -ENOENT;
	return 0;
}

void walk_name_put(struct walk_name *n)
{
	if (unlikely(n->s != n->small))
		kfree(n->s);
}

int path_lookup_at(int dirfd, const char *path, unsigned flags, struct path *out)
{
	struct walk w;
	int err;

	if (unlikely(!*path && !(flags & LOOKUP_EMPTY)))
		return -ENOENT;
	err = walk_start(&w, dirfd, path, flags);
	if (likely(!err)) {
		*out = w.path;
		w.path.dentry = NULL;
	}
	walk_end(&w);
	return err;
}

int path_lookup(const char *path, unsigned flags, struct path *out)
{
	return path_lookup_at(AT_FDCWD, path, flags, out);
}

int path_lookup_user(int dirfd, uptr_t upath, unsigned flags, struct path *out)
{
	struct walk_name n;
	int err = walk_name_get(&n, upath, flags & LOOKUP_EMPTY);

	if (err)
		return err;
	err = path_lookup_at(dirfd, n.s, flags, out);
	walk_name_put(&n);
	return err;
}
