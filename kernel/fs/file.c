/*
 * Open file descriptions: making and ending them, files without a path, helpers for the kernel's own use.
 *
 * A file holds a reference to its dentry and mount, or to its inode where it has no path. Memory goes after
 * a grace period, as descriptor lookups of shared tables look at it under rcu. Manual: open(2), close(2).
 */
#include <debug/panic.h>
#include <lib/format.h>
#include <uapi/statfs.h>
#include "internal.h"
#include "mount.h"

static struct kcache *file_cache;
u64 files_max = 1024 * 1024;
static u64 files_open; /* [a] */
struct mount *anon_mount;
static struct inode *anon_inode; /* of eventfd, epoll and such */

static void anon_evict(struct inode *inode)
{
	(void)inode;
}

static int anon_statfs(struct super *s, struct statfs *st)
{
	st->f_type = s->magic;
	st->f_bsize = 4096;
	st->f_namelen = NAME_MAX;
	return 0;
}

static const struct super_ops anon_super_ops = { .evict = anon_evict, .statfs = anon_statfs };
static const struct fs_type anon_type = { .name = "anon_inodefs" };

void file_cache_init(void)
{
	file_cache = kcache_create("file", sizeof(struct file), 64);
}

void anon_init(void)
{
	struct super *s = super_create(&anon_type, &anon_super_ops, ANON_INODE_FS_MAGIC);
	struct inode *root;

	BUG_ON(!s);
	root = inode_create(s, S_IFDIR | 0555);
	BUG_ON(!root);
	s->root = dentry_create_root(s, root);
	anon_mount = mount_internal(s);
	anon_inode = inode_create(s, 0600);
	BUG_ON(!s->root || !anon_mount || !anon_inode);
}

u64 files_open_count(void)
{
	return __atomic_load_n(&files_open, __ATOMIC_RELAXED);
}

/* --- making --- */

static u32 mode_of_flags(u32 flags)
{
	static const u8 modes[4] = { FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0 };

	return flags & O_PATH ? FMODE_PATH : modes[flags & O_ACCMODE];
}

int file_alloc(u32 flags, struct file **out)
{
	struct file *f;

	if (unlikely(__atomic_add_fetch(&files_open, 1, __ATOMIC_RELAXED) > files_max &&
		     !fs_capable(CAP_SYS_ADMIN))) {
		__atomic_fetch_sub(&files_open, 1, __ATOMIC_RELAXED);
		return -ENFILE;
	}
	f = kcache_alloc(file_cache, ALLOC_ZERO);
	if (unlikely(!f)) {
		__atomic_fetch_sub(&files_open, 1, __ATOMIC_RELAXED);
		return -ENOMEM;
	}
	f->flags = flags;
	f->mode = mode_of_flags(flags);
	refcount_init(&f->refs, 1);
	mutex_init(&f->pos_lock, "file position", RANK_RENAME);
	list_init(&f->epoll_items);
	f->cred = cred_get(fs_cred());
	*out = f;
	return 0;
}

static void file_free_rcu(struct rcu_head *head)
{
	kcache_free(file_cache, container_of(head, struct file, rcu));
}

static void file_free(struct file *f)
{
	cred_put(f->cred);
	__atomic_fetch_sub(&files_open, 1, __ATOMIC_RELAXED);
	call_rcu(&f->rcu, file_free_rcu);
}

void file_free_new(struct file *f)
{
	file_free(f);
}

/* The last reference has gone. Thread context, may sleep. */
static void file_release(struct file *f)
{
	if (unlikely(!list_empty(&f->epoll_items)))
		epoll_file_released(f);
	if (unlikely(f->mode & FMODE_LOCKED))
		locks_release_file(f);
	if (f->ops->release)
		f->ops->release(f);
	if (f->mode & FMODE_WRITER)
		inode_put_write(f->inode);
	if (f->mode & FMODE_DENY_WRITE)
		inode_allow_write(f->inode);
	if (f->anon_name)
		inode_put(f->inode);
	if (f->dentry) {
		dentry_put(f->dentry);
		mount_put(f->mount);
	}
	file_free(f);
}

void file_put(struct file *f)
{
	if (refcount_dec_and_test(&f->refs))
		file_release(f);
}

int file_create_anon_inode(const struct file_ops *ops, void *private, u32 flags, const char *name,
			   struct inode *inode, struct file **out)
{
	struct file *f;
	int err = file_alloc(flags & ~(u32)O_CLOEXEC, &f);

	if (err)
		return err;
	f->ops = ops;
	f->private = private;
	f->mode |= FMODE_NOSEEK;
	f->anon_name = name;
	f->inode = inode;
	*out = f;
	return 0;
}

int file_create_anon(const struct file_ops *ops, void *private, u32 flags, const char *name,
		     struct file **out)
{
	int err = file_create_anon_inode(ops, private, flags, name, anon_inode, out);

	if (!err)
		inode_get(anon_inode);
	return err;
}

struct inode *anon_inode_create(u32 mode)
{
	return inode_create(anon_mount->super, mode);
}

int file_get_path(struct file *f, struct path *out)
{
	if (!__atomic_load_n(&f->dentry, __ATOMIC_ACQUIRE)) {
		struct dentry *d = dentry_create(NULL, f->anon_name, strlen(f->anon_name)),
			      *none = NULL;

		if (!d)
			return -ENOMEM;
		d->super = f->inode->super;
		inode_get(f->inode);
		d->inode = f->inode;
		mount_get(anon_mount);
		f->mount = anon_mount;
		if (!__atomic_compare_exchange_n(&f->dentry, &none, d, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
			mount_put(anon_mount);
			dentry_put(d);
		}
	}
	out->mount = f->mount;
	out->dentry = f->dentry;
	path_get(out);
	return 0;
}

/* --- for the kernel's own use --- */

int file_open(const char *path, int flags, u32 mode, struct file **out)
{
	return vfs_open_at(AT_FDCWD, path, flags, mode, 0, out);
}

int file_mapping(struct file *f, struct mapping **out)
{
	if (f->ops->mapping)
		return f->ops->mapping(f, out);
	if (!f->inode || !S_ISREG(f->inode->mode) || !f->ops->mmap)
		return -ENODEV;
	*out = &f->inode->mapping;
	return 0;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, loff_t pos)
{
	struct uio u;

	if (!f->ops->read)
		return -EINVAL;
	uio_init_kernel(&u, buf, n);
	return f->ops->read(f, &u, &pos);
}

ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, loff_t pos)
{
	struct uio u;

	if (!f->ops->write)
		return -EINVAL;
	uio_init_kernel(&u, (void *)(uintptr_t)buf, n);
	return f->ops->write(f, &u, &pos);
}

u64 file_size(const struct file *f)
{
	return f->inode ? f->inode->size : 0;
}

char *file_path(const struct file *f, char *buf, size_t size)
{
	static const char suffix[] = " (deleted)";
	struct path p = { f->mount, f->dentry };
	bool deleted;
	char *at;

	if (f->anon_name) {
		if (strchr(f->anon_name, ':') || f->anon_name[0] == '/')
			snprintf(buf, size, "%s", f->anon_name);
		else
			snprintf(buf, size, "%s:[%llu]", f->anon_name, f->inode->ino);
		return buf;
	}
	if (!p.dentry || size <= sizeof(suffix) ||
	    path_format(&p, buf, size - (sizeof(suffix) - 1), &at, &deleted))
		return NULL;
	if (deleted)
		memcpy(at + strlen(at), suffix, sizeof(suffix));
	return at;
}
