/*
 * Directories of tmpfs (and devfs): names that live in the dentry cache.
 *
 * Each name's dentry has one reference for being a name. Reading goes along the parent's list of children,
 * which is in the order of their cookies; the position of a reader is the cookie to go on with, so names
 * that come and go meanwhile neither repeat nor hide others. Names are copied out in batches, as user
 * memory is not touched under dcache_lock.
 */
#include <debug/inject.h>
#include <uapi/dirent.h>
#include "../internal.h"
#include "tmpfs.h"

int dcache_lookup_none(struct inode *dir, struct dentry *d)
{
	(void)dir;
	dcache_add(d, NULL);
	return 0;
}

/* d becomes a name of inode, whose reference it takes over; and stays. */
static void add_name(struct inode *dir, struct dentry *d, struct inode *inode)
{
	dentry_get(d);
	dcache_instantiate(d, inode);
	inode_touch(dir);
}

static int tmpfs_create(struct inode *dir, struct dentry *d, u32 mode)
{
	struct inode *inode = tmpfs_inode(dir->super, dir, mode, 0);

	if (!inode)
		return -ENOSPC;
	add_name(dir, d, inode);
	return 0;
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	int err = tmpfs_create(dir, d, mode);

	if (!err)
		dir->nlink++;
	return err;
}

static int tmpfs_mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	struct inode *inode = tmpfs_inode(dir->super, dir, mode, rdev);

	if (!inode)
		return -ENOSPC;
	add_name(dir, d, inode);
	return 0;
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	struct inode *inode = tmpfs_inode(dir->super, dir, S_IFLNK | 0777, 0);

	if (!inode)
		return -ENOSPC;
	inode->link = kstrdup(target);
	if (!inode->link) {
		inode_put(inode);
		return -ENOMEM;
	}
	inode->size = strlen(target);
	add_name(dir, d, inode);
	return 0;
}

static int tmpfs_link(struct dentry *old, struct inode *dir, struct dentry *d)
{
	struct inode *inode = old->inode;

	inode->nlink++;
	inode->ctime_ns = inode_now();
	inode_get(inode);
	add_name(dir, d, inode);
	return 0;
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	d->inode->nlink--;
	inode_touch(dir);
	d->inode->ctime_ns = dir->ctime_ns;
	dentry_put(d);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	if (dcache_has_children(d))
		return -ENOTEMPTY;
	d->inode->nlink = 0;
	dir->nlink--;
	inode_touch(dir);
	dentry_put(d);
	return 0;
}

static int tmpfs_rename(struct inode *odir, struct dentry *od, struct inode *ndir,
			struct dentry *nd, unsigned flags)
{
	bool dir = S_ISDIR(od->inode->mode);

	if (flags & RENAME_EXCHANGE) {
		bool ndir_is = S_ISDIR(nd->inode->mode);

		if (odir != ndir && dir != ndir_is) {
			*(dir ? &odir->nlink : &ndir->nlink) -= 1;
			*(dir ? &ndir->nlink : &odir->nlink) += 1;
		}
		nd->inode->ctime_ns = inode_now();
	} else {
		if (nd->inode) {
			int err = dir ? tmpfs_rmdir(ndir, nd) : tmpfs_unlink(ndir, nd);

			if (err)
				return err;
		}
		if (dir && odir != ndir) {
			odir->nlink--;
			ndir->nlink++;
		}
	}
	inode_touch(odir);
	inode_touch(ndir);
	od->inode->ctime_ns = odir->ctime_ns;
	return 0;
}

static int tmpfs_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
	struct inode *inode = tmpfs_inode(dir->super, dir, mode, 0);

	if (!inode)
		return -ENOSPC;
	inode->nlink = 0;
	inode->flags |= INODE_TMPFILE;
	*out = inode;
	return 0;
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = dcache_lookup_none,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
};

/* --- reading directories --- */

bool dir_emit_dots(struct file *f, struct dir_context *ctx)
{
	if (ctx->pos == 0) {
		if (!dir_emit(ctx, ".", 1, f->inode->ino, DT_DIR))
			return false;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		struct dentry *parent = f->dentry->parent;

		if (!dir_emit(ctx, "..", 2, parent->inode ? parent->inode->ino : f->inode->ino,
			      DT_DIR))
			return false;
		ctx->pos = 2;
	}
	return true;
}

#define BATCH 32

/* References to the next positive names at or after a cookie. */
static unsigned collect(struct dentry *dir, u64 from, struct dentry **out)
{
	struct dentry *d;
	unsigned n = 0;

	spin_lock(&dcache_lock);
	/* A reader near the end of a large directory: from behind is shorter. */
	d = list_last_entry(&dir->children, struct dentry, child_link);
	if (!list_empty(&dir->children) && d->cookie >= from) {
		list_for_each_entry(d, &dir->children, child_link) {
			if (d->cookie < from || !d->inode || d->flags & DENTRY_REVALIDATE ||
			    !dentry_get_live(d))
				continue;
			out[n++] = d;
			if (n == BATCH)
				break;
		}
	}
	spin_unlock(&dcache_lock);
	return n;
}

static int dcache_iterate(struct file *f, struct dir_context *ctx)
{
	struct dentry *batch[BATCH];
	bool full = false;

	if (!dir_emit_dots(f, ctx))
		return 0;
	while (!full) {
		unsigned n = collect(f->dentry, (u64)ctx->pos, batch);

		for (unsigned i = 0; i < n; i++) {
			struct dentry *d = batch[i];
			struct inode *inode = d->inode;

			if (!full) {
				ctx->pos = (loff_t)d->cookie;
				full = !dir_emit(ctx, d->name, d->len, inode->ino,
						 (inode->mode & S_IFMT) >> 12);
				if (!full)
					ctx->pos = (loff_t)d->cookie +
						   (INJECT("getdents_skips") ? 8 : 1);
			}
			dentry_put(d);
		}
		if (n < BATCH)
			break;
	}
	return 0;
}

static loff_t dcache_dir_seek(struct file *f, loff_t off, int whence)
{
	return whence == SEEK_END ? -EINVAL : seek_fixed(f, off, whence, 0);
}

static int dcache_dir_fsync(struct file *f, bool datasync)
{
	(void)f, (void)datasync;
	return 0;
}

static ssize_t dir_read(struct file *f, struct uio *to, loff_t *pos)
{
	(void)f, (void)to, (void)pos;
	return -EISDIR;
}

const struct file_ops dcache_dir_fops = {
	.read = dir_read,
	.iterate = dcache_iterate,
	.seek = dcache_dir_seek,
	.fsync = dcache_dir_fsync,
};
