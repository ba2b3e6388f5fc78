/*
 * Virtual file system: inodes, dentries, mounts, path walk.
 *
 * Dentries are hashed by (parent, name) and looked up without locks under rcu, checked by a sequence
 * count; negative ones are kept. A path walk takes references only at its end (or where it must sleep).
 * inode->lock serialises changes of a directory's contents and of file size.
 */
#pragma once
#include <core/rcu.h>
#include <fs/cred.h>
#include <fs/file.h>
#include <fs/stat.h>
#include <lib/list.h>
#include <mm/mapping.h>
#include <sched/mutex.h>
#include <uapi/fcntl.h>
#include <uapi/stat.h>

struct super;
struct inode;
struct mount;
struct fs_type;
struct statfs;
struct pipe;

/* A change of attributes; valid says which. */
enum iattr_valid {
	ATTR_MODE = BIT(0),
	ATTR_UID = BIT(1),
	ATTR_GID = BIT(2),
	ATTR_SIZE = BIT(3),
	ATTR_ATIME = BIT(4),
	ATTR_MTIME = BIT(5),
	ATTR_CTIME = BIT(6),
};
struct iattr {
	u32 valid;
	u32 mode, uid, gid; /* mode: permission bits only */
	u64 size;
	s64 atime_ns, mtime_ns, ctime_ns;
};

struct inode_ops {
	/* Finds d's name in dir: dcache_add(d, inode or NULL). 0, or -EXXX. dir's lock is held. */
	int (*lookup)(struct inode *dir, struct dentry *d);
	/* These end with dcache_instantiate(d, inode). Locks of all directories involved are held. */
	int (*create)(struct inode *dir, struct dentry *d, u32 mode);
	int (*mkdir)(struct inode *dir, struct dentry *d, u32 mode);
	int (*mknod)(struct inode *dir, struct dentry *d, u32 mode, u64 rdev);
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
	int (*link)(struct dentry *old, struct inode *dir, struct dentry *d);
	/* The caller unhashes d afterwards. */
	int (*unlink)(struct inode *dir, struct dentry *d);
	int (*rmdir)(struct inode *dir, struct dentry *d);
	/* flags: RENAME_EXCHANGE or 0. The caller moves the dentries. */
	int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		      unsigned flags);
	/* The target's text: its length, or -EXXX. NULL: inode->link. */
	ssize_t (*readlink)(struct dentry *d, char *buf, size_t size);
	int (*follow)(struct dentry *d,
		      struct path *out); /* magic links (/proc/self/fd/N): references */
	/* inode->lock held for writing. NULL: inode_setattr_simple(). */
	int (*setattr)(struct inode *inode, const struct iattr *attr);
	int (*getattr)(struct inode *inode, struct kstat *st); /* NULL: from the inode */
	int (*permission)(struct inode *inode, int mask); /* NULL: mode bits; must not sleep */
	int (*tmpfile)(struct inode *dir, u32 mode, struct inode **out);
};

enum inode_flag {
	INODE_DEAD = BIT(0), /* a directory that was removed */
	INODE_SEALABLE = BIT(1), /* memfd with MFD_ALLOW_SEALING */
	INODE_NOATIME = BIT(2),
	INODE_TMPFILE = BIT(4), /* O_TMPFILE: linkat() may give it its first name */
	INODE_SPARSE_ZERO = BIT(5), /* a page that is not cached is a hole */
};

struct inode {
	u32 mode; /* S_IF* and permissions [x] lock */
	u32 uid, gid; /* [x] lock */
	u32 nlink; /* [x] lock */
	u64 ino, rdev; /* [I] */
	u64 size; /* [x] lock, read anywhere */
	u64 blocks; /* 512-byte units */
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns; /* since 1970 */
	const struct inode_ops *ops;
	const struct file_ops *fops;
	struct super *super;
	u32 flags; /* [a] enum inode_flag */
	u32 seals; /* [x] lock: F_SEAL_* */
	s32 write_count; /* [a] > 0: open for writing so often; < 0: being executed */
	struct refcount refs;
	const char *
		link; /* [I] a symlink's target, or other memory to be freed with the inode; or NULL */
	struct mapping mapping; /* regular files */
	struct rwsem lock; /* RANK_INODE */
	struct list locks; /* [x] fs/locks.c's */
	struct pipe *pipe; /* [x] fs/pipe.c's: fifo */
	void *private;
	struct rcu_head rcu;
};

enum dentry_flag {
	DENTRY_HASHED = BIT(0), /* [x] dcache_lock */
	DENTRY_LRU = BIT(1), /* [x] dcache_lock */
	DENTRY_REVALIDATE =
		BIT(2), /* [I] lookups ask super->ops->revalidate; not listed by dcache_dir_fops */
	DENTRY_MOUNTPOINT = BIT(3),
	DENTRY_UNLINKED = BIT(4), /* shown as " (deleted)" */
};

#define DENTRY_SHORT 40

struct dentry {
	/* what a lookup touches */
	struct hlist_node hash_link;
	struct dentry *parent; /* itself for a root */
	u32 hash, len;
	const char *name;
	struct inode *inode; /* NULL: negative */
	u32 seq; /* [a] odd while changing */
	u32 flags; /* [a] enum dentry_flag */
	char short_name[DENTRY_SHORT];
	u32 refs; /* [a] with a dead mark, see fs/dcache.c */
	struct mount *mounted_here; /* mounts on it, linked by next_here [rcu] */
	struct super *super;
	struct list child_link, children; /* [x] dcache_lock */
	struct list lru_link; /* [x] dcache_lock */
	u64 cookie; /* place in the directory, for file systems that live in the dcache */
	void *private;
	struct rcu_head rcu;
};

struct path {
	struct mount *mount;
	struct dentry *dentry;
};
void path_get(const struct path *p);
void path_put(const struct path *p);

struct super_ops {
	void (*evict)(struct inode *inode); /* the last reference has gone: free what is private */
	int (*statfs)(struct super *s, struct statfs *st);
	/* Is a cached dentry still good? Under rcu: must not sleep. */
	bool (*revalidate)(struct dentry *d);
	int (*sync)(struct super *s);
	void (*kill)(struct super *s); /* unmounted for good */
	int (*remount)(struct super *s, unsigned long flags, const char *data);
	void (*show_options)(struct super *s, char *buf, size_t size); /* ",size=…" */
};
struct super {
	const struct fs_type *type;
	const struct super_ops *ops;
	struct dentry *root;
	u64 dev; /* st_dev */
	u32 magic, block_size;
	u64 max_bytes; /* largest file */
	unsigned long flags; /* [a] MS_RDONLY */
	struct refcount refs; /* mounts */
	void *private;
};
struct fs_type {
	const char *name;
	bool needs_device; /* "nodev" in /proc/filesystems unless */
	/* A super block with root, or the shared one with another reference. 0 or -EXXX. */
	int (*mount)(const struct fs_type *t, const char *source, unsigned long flags,
		     const char *data, struct super **out);
	struct fs_type *next;
};
void fs_type_register(struct fs_type *t);
struct super *super_create(const struct fs_type *t, const struct super_ops *ops, u32 magic);
void super_put(struct super *s);

struct mount {
	struct super *super; /* [I] */
	struct dentry *root; /* [I] */
	struct mount *parent; /* itself for the topmost [x] mount_lock */
	struct dentry *mountpoint; /* [x] mount_lock */
	struct mount *next_here; /* on the same dentry [rcu] */
	struct list link; /* all mounts, in order [x] mount_lock */
	struct refcount refs;
	u32 id, children;
	unsigned long flags; /* [a] MS_RDONLY, NOSUID, NODEV, NOEXEC, NOATIME… */
	char *source; /* [I] */
	struct rcu_head rcu;
};

/* A thread's view: root, working directory, umask. */
struct fs_context {
	struct refcount refs;
	struct spinlock lock;
	struct path root, cwd; /* [x] lock while shared */
	struct list link; /* [x] fs/fs_context.c: all contexts, for pivot_root */
	struct rcu_head rcu;
	u32 umask;
};
int fs_context_fork(struct fs_context *old, struct fs_context **out);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
extern struct fs_context init_fs_context;
/* Another thread's, with a reference, or NULL; pp is its pointer. */
struct fs_context *fs_context_get_of(struct fs_context *const *pp);
void fs_context_paths(struct fs_context *c, struct path *root,
		      struct path *cwd); /* with references */
/* Current's root and cwd with references. */
void fs_context_root(struct path *out);
void fs_context_cwd(struct path *out);
int fs_chdir(const struct path *p); /* checks; takes its own references */
int fs_chroot(const struct path *p);
int fs_getcwd(char *buf, size_t size, char **out); /* within buf; -ENOENT: removed, -ENAMETOOLONG */

enum lookup_flag {
	LOOKUP_FOLLOW = BIT(0), /* a symlink as last component */
	LOOKUP_DIRECTORY = BIT(1), /* must be one */
	LOOKUP_PARENT = BIT(2),
	LOOKUP_EMPTY = BIT(3), /* AT_EMPTY_PATH */
	LOOKUP_NO_XDEV = BIT(4),
	LOOKUP_BENEATH = BIT(5),
	LOOKUP_NO_SYMLINKS = BIT(6),
	LOOKUP_IN_ROOT = BIT(7),
	LOOKUP_NO_MAGICLINKS = BIT(8),
	LOOKUP_NO_AUTOMOUNT = BIT(9), /* the last component's own, not what is mounted there */
};
/* Resolves a user path relative to dirfd (AT_FDCWD). 0 with references taken. */
int path_lookup_user(int dirfd, uptr_t upath, unsigned flags, struct path *out);
int path_lookup(const char *path, unsigned flags, struct path *out); /* kernel string */
int path_lookup_at(int dirfd, const char *path, unsigned flags, struct path *out);
/* The path as current's root shows it, within buf; -ENAMETOOLONG. *deleted: unlinked or unreachable. */
int path_format(const struct path *p, char *buf, size_t size, char **out, bool *deleted);
/* Opens relative to dirfd; the work behind open(2). */
int vfs_open_user(int dirfd, uptr_t upath, int flags, u32 mode, struct file **out);
int vfs_open_path(const struct path *p, int flags, struct file **out);
int vfs_open_at(int dirfd, const char *path, int flags, u32 mode, unsigned resolve,
		struct file **out);

#define MAY_EXEC 1
#define MAY_WRITE 2
#define MAY_READ 4
int inode_permission(struct inode *inode, int mask); /* 0 or -EACCES; current's fsuid and groups */
bool inode_owner_or_capable(const struct inode *inode);
int path_permission(const struct path *p, int mask); /* and -EROFS, noexec */
/* For exec: text is not written while it runs. 0 or -ETXTBSY. */
int inode_deny_write(struct inode *inode);
void inode_allow_write(struct inode *inode);

/* What the calls of the same name do, on kernel strings. dirfd: AT_FDCWD or a directory. */
int vfs_mkdir_at(int dirfd, const char *path, u32 mode);
int vfs_mknod_at(int dirfd, const char *path, u32 mode, u64 rdev);
int vfs_symlink_at(const char *target, int dirfd, const char *path);
int vfs_link_at(int odirfd, const char *old, int ndirfd, const char *path, int at_flags);
int vfs_unlink_at(int dirfd, const char *path, int at_flags);
int vfs_rename_at(int odirfd, const char *old, int ndirfd, const char *path, unsigned flags);
int vfs_getattr(const struct path *p, struct kstat *st);
int vfs_fstat(struct file *f, struct kstat *st);
int vfs_stat_at(int dirfd, const char *path, unsigned flags, struct kstat *st); /* LOOKUP_* */
int vfs_setattr(const struct path *p, const struct iattr *attr);
int vfs_truncate(const struct path *p, u64 size);
int file_truncate(struct file *f, u64 size); /* ftruncate(2) */
ssize_t vfs_readlink(const struct path *p, char *buf, size_t size);
/* The generic part of a change; the size is set, pages are not dropped. */
void inode_setattr_simple(struct inode *inode, const struct iattr *attr);

/* --- for file systems --- */
struct inode *inode_create(struct super *s,
			   u32 mode); /* refs 1, owner current's, times now; NULL */
void inode_init_owner(struct inode *inode, const struct inode *dir,
		      u32 mode); /* setgid directories */
static inline void inode_get(struct inode *inode)
{
	refcount_inc(&inode->refs);
}
void inode_put(struct inode *inode);
s64 inode_now(void); /* time for stamps */
void inode_touch(struct inode *inode); /* mtime, ctime */
void file_accessed(struct file *f);

struct dentry *dentry_create(struct dentry *parent, const char *name,
			     size_t len); /* unhashed; refs 1 */
struct dentry *dentry_create_root(struct super *s,
				  struct inode *inode); /* takes the inode's reference */
static inline void dentry_get(struct dentry *d)
{
	__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}
void dentry_put(struct dentry *d);
/* Hashes a new dentry; takes over the inode's reference; NULL: negative. */
void dcache_add(struct dentry *d, struct inode *inode);
/* Makes a negative (hashed or not) dentry positive; takes over the inode's reference. */
void dcache_instantiate(struct dentry *d, struct inode *inode);
void dcache_drop(struct dentry *d); /* unhash: no lookup finds it any more */
/* Finds or makes name in parent without asking the file system; reference or NULL. */
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len);
unsigned dcache_shrink(unsigned want); /* frees unused dentries; how many */
void dcache_prune(struct dentry *dir); /* unused children */

struct dir_context {
	/* False: full. */
	bool (*emit)(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned type);
	loff_t pos; /* of the entry emitted next; the file system's own numbers, 0 and 1 are . and .. */
};
static inline bool dir_emit(struct dir_context *ctx, const char *name, size_t len, u64 ino,
			    unsigned type)
{
	return ctx->emit(ctx, name, len, ino, type);
}
/* Emits . and .. when pos is 0 or 1; false: full. */
bool dir_emit_dots(struct file *f, struct dir_context *ctx);

/* Regular files on the page cache (inode->mapping). */
ssize_t generic_file_read(struct file *f, struct uio *to, loff_t *pos);
ssize_t generic_file_write(struct file *f, struct uio *from, loff_t *pos);
loff_t generic_file_seek(struct file *f, loff_t off, int whence);
int generic_file_mmap(struct file *f, struct vma *vma);
loff_t seek_fixed(struct file *f, loff_t off, int whence, u64 size); /* devices, /proc */

/* Directories and files that live in the dcache alone (tmpfs, devfs, static parts of /proc). */
extern const struct file_ops dcache_dir_fops;
int dcache_lookup_none(struct inode *dir,
		       struct dentry *d); /* lookup: what is not cached is not there */

void vfs_init(void); /* caches, tmpfs root, devfs, procfs types */
/* Unpacks a newc archive into the root. Bad input: -EINVAL with a log line naming the offset. */
int initramfs_unpack(const void *data, size_t size);
int vfs_mount(const char *type, const char *source, const char *target, unsigned long flags,
	      const char *data);
int vfs_umount(const char *target, int flags);
/* The n-th mount in the order of mounting, with a reference for mount_release(); NULL past the last. */
struct mount *mount_nth(unsigned n);
void mount_release(struct mount *m);
int vfs_pivot_root(const char *new_root, const char *put_old);
void vfs_sync_all(void);
