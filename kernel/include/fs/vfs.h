/*
 * Virtual file system: inodes, dentries, mounts, path walk.
 *
 * Dentries are hashed by (parent, name) and looked up without locks under rcu, checked by a sequence
 * count; negative ones are kept. A path walk takes references only at its end (or where it must sleep).
 * inode->lock serialises changes of a directory's contents and of file size.
 */
#pragma once
#include <core/rcu.h>
#include <fs/file.h>
#include <lib/list.h>
#include <mm/mapping.h>
#include <sched/mutex.h>

struct super;
struct inode;
struct mount;
struct fs_type;

struct kstat; /* fs/stat.h: kernel form of struct stat/statx */

struct inode_ops {
	int (*lookup)(struct inode *dir, struct dentry *d); /* fills d (d_add); -ENOENT → negative */
	int (*create)(struct inode *dir, struct dentry *d, u32 mode);
	int (*mkdir)(struct inode *dir, struct dentry *d, u32 mode);
	int (*mknod)(struct inode *dir, struct dentry *d, u32 mode, u64 rdev);
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
	int (*link)(struct dentry *old, struct inode *dir, struct dentry *d);
	int (*unlink)(struct inode *dir, struct dentry *d);
	int (*rmdir)(struct inode *dir, struct dentry *d);
	int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		      unsigned flags);
	/* The target; link text valid while the inode is (or allocated: *free_it). May follow magically. */
	int (*readlink)(struct dentry *d, char *buf, size_t size); /* length */
	int (*follow)(struct dentry *d, struct path *out); /* magic links (/proc/self/fd/N) */
	int (*setattr)(struct dentry *d, const struct iattr *attr);
	int (*getattr)(const struct path *p, struct kstat *st); /* NULL: from the inode */
	int (*permission)(struct inode *inode, int mask); /* NULL: mode bits */
	int (*tmpfile)(struct inode *dir, u32 mode, struct inode **out);
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
	struct mapping mapping; /* regular files and symlinks */
	struct rwsem lock; /* RANK_INODE */
	struct refcount refs;
	struct list locks; /* posix and flock locks [x] fs/locks.c's */
	struct pipe *pipe; /* fifo */
	struct list dentries; /* aliases */
	void *private;
	struct rcu_head rcu;
};

struct dentry {
	u32 hash, len;
	u32 seq; /* [a] odd while moving */
	u32 refs; /* [a] with a dead mark, see fs/dcache.c */
	struct dentry *parent;
	struct inode *inode; /* NULL: negative */
	struct super *super;
	struct hlist_node hash_link;
	const char *name;
	char short_name[32];
	struct list child_link, children; /* [x] lock */
	struct list alias_link, lru_link;
	struct spinlock lock;
	u32 flags;
	struct mount *mounted_here; /* a mount covers it */
	void *private;
	struct rcu_head rcu;
};

struct path {
	struct mount *mount;
	struct dentry *dentry;
};
void path_get(const struct path *p);
void path_put(const struct path *p);

/* A thread's view: root, working directory, umask. */
struct fs_context {
	struct refcount refs;
	struct spinlock lock;
	struct path root, cwd; /* [x] lock */
	u32 umask;
};
int fs_context_fork(struct fs_context *old, struct fs_context **out);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
extern struct fs_context init_fs_context;

enum lookup_flag {
	LOOKUP_FOLLOW = BIT(0), /* a symlink as last component */
	LOOKUP_DIRECTORY = BIT(1), /* must be one */
	LOOKUP_PARENT = BIT(2),
	LOOKUP_EMPTY = BIT(3), /* AT_EMPTY_PATH */
	LOOKUP_NO_XDEV = BIT(4),
	LOOKUP_BENEATH = BIT(5),
	LOOKUP_NO_SYMLINKS = BIT(6),
	LOOKUP_IN_ROOT = BIT(7),
};
/* Resolves a user path relative to dirfd (AT_FDCWD). 0 with references taken. */
int path_lookup_user(int dirfd, uptr_t upath, unsigned flags, struct path *out);
int path_lookup(const char *path, unsigned flags, struct path *out); /* kernel string */
/* Opens relative to dirfd; the work behind open(2). */
int vfs_open_user(int dirfd, uptr_t upath, int flags, u32 mode, struct file **out);
int vfs_open_path(const struct path *p, int flags, struct file **out);

#define MAY_EXEC 1
#define MAY_WRITE 2
#define MAY_READ 4
int inode_permission(struct inode *inode, int mask); /* 0 or -EACCES; current's fsuid and groups */

void vfs_init(void); /* caches, tmpfs root, devfs, procfs types */
/* Unpacks a newc archive into the root. Bad input: -EINVAL with a log line naming the offset. */
int initramfs_unpack(const void *data, size_t size);
int vfs_mount(const char *type, const char *source, const char *target, unsigned long flags,
	      const char *data);
void vfs_sync_all(void);
