/*
 * /proc: the tree of static entries, and the root, which also shows processes.
 *
 * One super block for all mounts. Static entries are names kept in the dentry cache, as in tmpfs; what
 * each is lies in a struct proc_entry behind the inode. What depends on processes comes from the table
 * that proc/ registers (procfs_pid_ops): names that are numbers, and self, thread-self.
 * Manual: proc(5).
 */
#include <debug/panic.h>
#include <fs/procfs.h>
#include <lib/format.h>
#include <uapi/dirent.h>
#include <uapi/statfs.h>
#include "../internal.h"
#include "static.h"

#define WRITE_MAX 512

struct proc_entry {
	int (*show)(struct seq *s);
	int (*set)(const char *text);
	ssize_t (*link)(char *buf, size_t size);
	const struct file_ops *fops;
	void *private;
};

static struct super *proc_super;
const struct procfs_pid_ops *procfs_pid_ops;

/* --- static entries --- */

static int entry_open(struct inode *inode, struct file *f)
{
	struct proc_entry *e = inode->private;

	if (e->fops) {
		f->ops = e->fops;
		f->private = e->private;
		return f->ops->open ? f->ops->open(inode, f) : 0;
	}
	return seq_open(f, e->show, e->private);
}

int procfs_take_text(struct uio *from, char *text, size_t size)
{
	size_t n = from->resid;

	if (n >= size)
		return -EINVAL;
	if (uio_copy_from(from, text, n) != n)
		return -EFAULT;
	if (n && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return 0;
}

/* Only a write at the start counts. */
static ssize_t entry_write(struct file *f, struct uio *from, loff_t *pos)
{
	struct proc_entry *e = f->inode->private;
	char text[WRITE_MAX];
	size_t n = from->resid;
	int err;

	if (!e->set)
		return -EINVAL;
	if (*pos)
		return (ssize_t)n;
	err = procfs_take_text(from, text, sizeof(text));
	if (!err)
		err = e->set(text);
	if (err)
		return err;
	*pos += (loff_t)n;
	return (ssize_t)n;
}

static const struct file_ops entry_fops = {
	.open = entry_open,
	.read = seq_read,
	.write = entry_write,
	.seek = seq_seek,
	.release = seq_release,
};

static ssize_t entry_readlink(struct dentry *d, char *buf, size_t size)
{
	struct proc_entry *e = d->inode->private;

	return e->link(buf, size);
}

/* Writing to a file of /proc truncates nothing. */
static int proc_setattr(struct inode *inode, const struct iattr *a)
{
	if (a->valid & (ATTR_UID | ATTR_GID | ATTR_MODE))
		return -EPERM;
	(void)inode;
	return 0;
}

static const struct inode_ops entry_ops = { .setattr = proc_setattr };
static const struct inode_ops entry_link_ops = { .readlink = entry_readlink };
static const struct inode_ops proc_dir_ops = { .lookup = dcache_lookup_none,
					       .setattr = proc_setattr };

struct inode *procfs_inode(struct super *s, u32 mode, u64 ino)
{
	struct inode *inode = inode_create(s, mode);

	if (inode) {
		inode->uid = inode->gid = 0;
		if (ino)
			inode->ino = ino;
		if (S_ISDIR(mode))
			inode->nlink = 2;
	}
	return inode;
}

/* The child of dir with that name, made as a directory if need be. */
static struct dentry *subdir(struct dentry *dir, const char *name, size_t len)
{
	struct dentry *d = dcache_find(dir, name, len);
	struct inode *inode;

	if (d) {
		dentry_put(d); /* its name keeps it */
		return d;
	}
	d = dentry_create(dir, name, len);
	inode = procfs_inode(proc_super, S_IFDIR | 0555, 0);
	BUG_ON(!d || !inode);
	inode->ops = &proc_dir_ops;
	inode->fops = &dcache_dir_fops;
	dir->inode->nlink++;
	dcache_add(d, inode);
	return d;
}

static void add_entry(const char *path, u32 mode, const struct proc_entry *e)
{
	struct dentry *dir = proc_super->root, *d;
	struct proc_entry *copy = kmalloc(sizeof(*copy), 0);
	struct inode *inode;
	const char *slash;

	for (; (slash = strchr(path, '/')); path = slash + 1)
		dir = subdir(dir, path, (size_t)(slash - path));
	d = dentry_create(dir, path, strlen(path));
	inode = procfs_inode(proc_super, mode, 0);
	BUG_ON(!d || !inode || !copy);
	*copy = *e;
	inode->private = copy;
	inode->ops = S_ISLNK(mode) ? &entry_link_ops : &entry_ops;
	inode->fops = S_ISLNK(mode) ? NULL : &entry_fops;
	dcache_add(d, inode);
}

void procfs_add_seq(const char *path, u32 mode, int (*show)(struct seq *s))
{
	struct proc_entry e = { .show = show };

	add_entry(path, S_IFREG | mode, &e);
}

void procfs_add_file(const char *path, u32 mode, const struct file_ops *fops, void *private)
{
	struct proc_entry e = { .fops = fops, .private = private };

	add_entry(path, S_IFREG | mode, &e);
}

void procfs_add_link(const char *path, ssize_t (*text)(char *buf, size_t size))
{
	struct proc_entry e = { .link = text };

	add_entry(path, S_IFLNK | 0777, &e);
}

void procfs_add_value(const char *path, u32 mode, int (*show)(struct seq *s),
		      int (*set)(const char *text))
{
	struct proc_entry e = { .show = show, .set = set };

	add_entry(path, S_IFREG | mode, &e);
}

/* --- the root --- */

static int root_lookup(struct inode *dir, struct dentry *d)
{
	return procfs_pid_ops ? procfs_pid_ops->lookup(dir, d) : -ENOENT;
}

/* Positions of processes lie above all cookies of names. */
#define PID_POS (1ll << 40)

struct root_context { /* hands on, and remembers whether there was room */
	struct dir_context ctx, *outer;
	bool full;
};

static bool root_emit(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned type)
{
	struct root_context *r = container_of(ctx, struct root_context, ctx);

	r->outer->pos = ctx->pos;
	r->full = !r->outer->emit(r->outer, name, len, ino, type);
	return !r->full;
}

static int root_iterate(struct file *f, struct dir_context *ctx)
{
	struct root_context r = { .ctx = { root_emit, ctx->pos }, .outer = ctx };

	if (ctx->pos < PID_POS) {
		dcache_dir_fops.iterate(f, &r.ctx);
		ctx->pos = r.full ? r.ctx.pos : PID_POS;
		if (r.full)
			return 0;
	}
	return procfs_pid_ops ? procfs_pid_ops->iterate(f, ctx, PID_POS) : 0;
}

static const struct inode_ops root_ops = { .lookup = root_lookup, .setattr = proc_setattr };
static const struct file_ops root_fops = {
	.iterate = root_iterate,
	.seek = seq_seek,
};

/* --- super block --- */

static int proc_statfs(struct super *s, struct statfs *st)
{
	st->f_type = s->magic;
	st->f_bsize = 4096;
	st->f_namelen = NAME_MAX;
	return 0;
}

static bool proc_revalidate(struct dentry *d)
{
	return procfs_pid_ops->revalidate(d);
}

static void proc_evict(struct inode *inode)
{
	if (procfs_pid_ops)
		procfs_pid_ops->evict(inode);
}

static const struct super_ops proc_super_ops = {
	.statfs = proc_statfs,
	.revalidate = proc_revalidate,
	.evict = proc_evict,
};

static int proc_mount(const struct fs_type *t, const char *source, unsigned long flags,
		      const char *data, struct super **out)
{
	(void)t, (void)source, (void)flags, (void)data;
	refcount_inc(&proc_super->refs);
	*out = proc_super;
	return 0;
}

static struct fs_type procfs_type = { .name = "proc", .mount = proc_mount };

void procfs_init(void)
{
	struct inode *root;

	fs_type_register(&procfs_type);
	proc_super = super_create(&procfs_type, &proc_super_ops, PROC_SUPER_MAGIC);
	BUG_ON(!proc_super);
	root = procfs_inode(proc_super, S_IFDIR | 0555, 1);
	BUG_ON(!root);
	root->ops = &root_ops;
	root->fops = &root_fops;
	proc_super->root = dentry_create_root(proc_super, root);
	BUG_ON(!proc_super->root);
	procfs_register_static();
}
