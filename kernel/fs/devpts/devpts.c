/*
 * devpts: one node for each pseudo-terminal in use; tty/ adds and removes them.
 *
 * One instance for all mounts, made when it is first needed. Names live in the dentry cache with a reference
 * of their own; node changes of mode and owner stay with the inode. Programs cannot add or remove names.
 * Locks: the root inode's. Options: none are looked at (mode 0620, group 5 as programs expect).
 * Manual: pts(4).
 */
#include <fs/devpts.h>
#include <lib/format.h>
#include "../internal.h"

#define DEVPTS_MAGIC 0x1cd1
#define TTY_GID 5
#define PTMX_MINOR 2

static struct super *devpts_super; /* [x] make_lock until it is made */
static struct mutex make_lock;

static const struct inode_ops dir_ops = { .lookup = dcache_lookup_none };
static const struct inode_ops node_ops = { 0 };
static const struct super_ops super_ops = { 0 };
static struct fs_type devpts_type;

static struct inode *node_create(struct super *s, u32 mode, u64 rdev)
{
	struct inode *inode = inode_create(s, mode);

	if (!inode)
		return NULL;
	inode->nlink = 1;
	inode->ops = &node_ops;
	inode_init_special(inode, rdev);
	return inode;
}

/* Adds a name to the root; its dentry keeps one reference for being a name. */
static int add_name(struct super *s, const char *name, struct inode *inode)
{
	struct inode *dir = s->root->inode;
	struct dentry *d = NULL;
	int error;

	rwsem_write_lock(&dir->lock);
	error = lookup_one_locked(s->root, name, (u32)strlen(name), &d);
	if (!error && d->inode) {
		dentry_put(d);
		error = -EEXIST;
	}
	if (!error) {
		dcache_instantiate(d, inode);
		inode_touch(dir);
	}
	rwsem_write_unlock(&dir->lock);
	if (error)
		inode_put(inode);
	return error;
}

static int make_super(void)
{
	struct super *s = super_create(&devpts_type, &super_ops, DEVPTS_MAGIC);
	struct inode *root, *ptmx;

	if (!s)
		return -ENOMEM;
	root = inode_create(s, S_IFDIR | 0755);
	if (root) {
		root->uid = root->gid = 0;
		root->nlink = 2;
		root->ops = &dir_ops;
		root->fops = &dcache_dir_fops;
		s->root = dentry_create_root(s, root);
	}
	ptmx = s->root ? node_create(s, S_IFCHR, MKDEV(5, PTMX_MINOR)) : NULL;
	if (!ptmx) {
		super_put(s);
		return -ENOMEM;
	}
	ptmx->uid = ptmx->gid = 0;
	devpts_super = s;
	return add_name(s, "ptmx", ptmx);
}

static int get_super(void)
{
	int error = 0;

	mutex_lock(&make_lock);
	if (!devpts_super)
		error = make_super();
	mutex_unlock(&make_lock);
	return error;
}

static int devpts_mount(const struct fs_type *t, const char *source, unsigned long flags,
			const char *data, struct super **out)
{
	int error = get_super();

	if (error)
		return error;
	refcount_inc(&devpts_super->refs);
	*out = devpts_super;
	return 0;
}

int devpts_add(unsigned n, dev_t devno)
{
	int error = get_super();
	struct inode *inode;
	char name[12];

	if (error)
		return error;
	inode = node_create(devpts_super, S_IFCHR | 0620, devno);
	if (!inode)
		return -ENOMEM;
	inode->gid = TTY_GID;
	scnprintf(name, sizeof(name), "%u", n);
	return add_name(devpts_super, name, inode);
}

void devpts_remove(unsigned n)
{
	struct inode *dir = devpts_super->root->inode;
	struct dentry *d = NULL;
	char name[12];

	scnprintf(name, sizeof(name), "%u", n);
	rwsem_write_lock(&dir->lock);
	if (!lookup_one_locked(devpts_super->root, name, (u32)strlen(name), &d)) {
		if (d->inode) {
			d->inode->nlink = 0;
			inode_touch(dir);
			dcache_drop_unlinked(d);
			dentry_put(d); /* the name's */
		}
		dentry_put(d);
	}
	rwsem_write_unlock(&dir->lock);
}

static struct fs_type devpts_type = { .name = "devpts", .mount = devpts_mount };

void devpts_init(void)
{
	mutex_init(&make_lock, "devpts", RANK_RENAME);
	fs_type_register(&devpts_type);
}
