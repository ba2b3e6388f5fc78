/*
 * devtmpfs: /dev, filled from the registries of character and block devices.
 *
 * One instance for all mounts, made at the first; it is a tmpfs, so programs may add and remove nodes. A
 * device that registers later gets its node at once. Names may have directories ("virtio-ports/x").
 */
#include <debug/klog.h>
#include <dev/block.h>
#include <dev/chardev.h>
#include <lib/format.h>
#include "../internal.h"
#include "../tmpfs/tmpfs.h"

struct super *devfs_super; /* [x] make_lock until it is made */
static struct mutex make_lock;
static struct mount *devfs_mount; /* for the kernel's own walks */

/* The directory of a name's last component, made as needed; its inode. */
static struct dentry *dir_for(struct dentry *root, const char **name)
{
	struct dentry *dir = root;
	const char *slash;

	dentry_get(dir);
	while ((slash = strchr(*name, '/'))) {
		struct dentry *d = NULL;
		int err;

		rwsem_write_lock(&dir->inode->lock);
		err = lookup_one_locked(dir, *name, (u32)(slash - *name), &d);
		if (!err && !d->inode)
			err = tmpfs_dir_ops.mkdir(dir->inode, d, S_IFDIR | 0755);
		rwsem_write_unlock(&dir->inode->lock);
		dentry_put(dir);
		if (err)
			return NULL;
		dir = d;
		*name = slash + 1;
	}
	return dir;
}

/* A node, symbolic link (target) or directory; one that exists is left as it is. */
static int devfs_make(struct super *s, const char *name, u32 mode, u64 rdev, u32 gid,
		      const char *target)
{
	struct dentry *dir = dir_for(s->root, &name), *d = NULL;
	int err;

	if (!dir)
		return -ENOMEM;
	rwsem_write_lock(&dir->inode->lock);
	err = lookup_one_locked(dir, name, (u32)strlen(name), &d);
	if (!err && !d->inode) {
		if (target)
			err = tmpfs_dir_ops.symlink(dir->inode, d, target);
		else if (S_ISDIR(mode))
			err = tmpfs_dir_ops.mkdir(dir->inode, d, mode);
		else
			err = tmpfs_dir_ops.mknod(dir->inode, d, mode, rdev);
		if (!err) {
			d->inode->uid = 0;
			d->inode->gid = gid;
		}
	}
	rwsem_write_unlock(&dir->inode->lock);
	if (d)
		dentry_put(d);
	dentry_put(dir);
	return err;
}

/* "../" for each directory of the link's name, then the device's. */
static void relative_target(const struct chardev *d, char *buf, size_t size)
{
	size_t n = 0;

	for (const char *p = strchr(d->link, '/'); p; p = strchr(p + 1, '/'))
		n += (size_t)scnprintf(buf + n, size - n, "../");
	scnprintf(buf + n, size - n, "%s", d->name);
}

static void add_chardev(struct chardev *d)
{
	char target[128];
	int err;

	if (!devfs_super || !d->name)
		return;
	err = devfs_make(devfs_super, d->name, S_IFCHR | (d->mode & S_IALLUGO), d->devno, d->gid,
			 NULL);
	if (!err && d->link) {
		relative_target(d, target, sizeof(target));
		err = devfs_make(devfs_super, d->link, 0, 0, 0, target);
	}
	if (err)
		log_warn("devfs: no node %s: error %d", d->name, -err);
}

static void add_blockdev(struct blockdev *b)
{
	if (devfs_super)
		devfs_make(devfs_super, b->name, S_IFBLK | 0660, b->devno, 6, NULL);
}

static void add_standard(struct super *s)
{
	devfs_make(s, "fd", 0, 0, 0, "/proc/self/fd");
	devfs_make(s, "stdin", 0, 0, 0, "/proc/self/fd/0");
	devfs_make(s, "stdout", 0, 0, 0, "/proc/self/fd/1");
	devfs_make(s, "stderr", 0, 0, 0, "/proc/self/fd/2");
	devfs_make(s, "pts", S_IFDIR | 0755, 0, 0, NULL);
	devfs_make(s, "shm", S_IFDIR | 01777, 0, 0, NULL);
}

static int make_super(const struct fs_type *t)
{
	struct super *s;
	int err = tmpfs_mount_new(t, NULL, 0755, 0, &s);

	if (err)
		return err;
	devfs_super = s;
	devfs_mount = mount_internal(s);
	add_standard(s);
	for (struct chardev *d = chardev_next(NULL); d; d = chardev_next(d))
		add_chardev(d);
	for (struct blockdev *b = blockdev_next(NULL); b; b = blockdev_next(b))
		add_blockdev(b);
	return 0;
}

static int devfs_mount_type(const struct fs_type *t, const char *source, unsigned long flags,
			    const char *data, struct super **out)
{
	int err = 0;

	(void)source, (void)flags, (void)data;
	mutex_lock(&make_lock);
	if (!devfs_super)
		err = make_super(t);
	mutex_unlock(&make_lock);
	if (err)
		return err;
	refcount_inc(&devfs_super->refs);
	*out = devfs_super;
	return 0;
}

static struct fs_type devtmpfs_type = { .name = "devtmpfs", .mount = devfs_mount_type };

void devfs_init(void)
{
	mutex_init(&make_lock, "devfs", RANK_RENAME);
	fs_type_register(&devtmpfs_type);
	chardev_added = add_chardev;
	blockdev_added = add_blockdev;
}
