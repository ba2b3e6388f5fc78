/* What the files of kernel/fs share among themselves. */
#pragma once
#include <fs/hooks.h>
#include <fs/vfs.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <lib/string.h>
#include <mm/slab.h>

/* dcache.c: refs of a dentry that is being freed. */
#define DENTRY_DEAD 0x80000000u
extern struct spinlock dcache_lock; /* RANK_DENTRY: hash chains, children, LRU, names */
void dcache_init(void);
void namei_init(void);
bool dentry_get_live(struct dentry *d); /* false: being freed */
u32 dentry_hash_name(const struct dentry *parent, const char *name, size_t len);
void dcache_move(struct dentry *d, struct dentry *target); /* d takes target's parent and name */
void dcache_exchange(struct dentry *a, struct dentry *b);
void dcache_drop_unlinked(struct dentry *d); /* after unlink and rmdir */
bool dcache_has_children(struct dentry *dir); /* positive ones */
void dcache_free_tree(struct dentry *root);
void dcache_free_root(struct dentry *root);
static inline u32 dentry_seq(const struct dentry *d)
{
	return __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE);
}
/* What was read of d since the number was seq is of one piece. */
static inline bool dentry_unchanged(const struct dentry *d, u32 seq)
{
	smp_rmb(); /* those reads, before this one */
	return READ_ONCE(d->seq) == seq;
}
/* The hash runs over the name; it starts from the parent. */
static inline u64 dentry_hash_init(const struct dentry *parent)
{
	return (u64)(uintptr_t)parent >> 6;
}

#define DCACHE_BITS 13
extern struct hlist_head dcache_buckets[1 << DCACHE_BITS]; /* [x] dcache_lock for changes */
static inline struct hlist_head *dcache_bucket(u32 hash)
{
	return &dcache_buckets[hash & ((1u << DCACHE_BITS) - 1)];
}

#define NAME_WORD(type, p)                                                                         \
	({                                                                                         \
		type w_;                                                                           \
		memcpy(&w_, (p), sizeof(w_));                                                      \
		w_;                                                                                \
	})
/* Names of n > 0 bytes, by words that overlap at the end. */
static __always_inline bool name_equal(const char *a, const char *b, u32 n)
{
	if (n >= 8) {
		for (u32 i = 0; i + 8 < n; i += 8) {
			if (NAME_WORD(u64, a + i) != NAME_WORD(u64, b + i))
				return false;
		}
		return NAME_WORD(u64, a + n - 8) == NAME_WORD(u64, b + n - 8);
	}
	if (n >= 4)
		return NAME_WORD(u32, a) == NAME_WORD(u32, b) &&
		       NAME_WORD(u32, a + n - 4) == NAME_WORD(u32, b + n - 4);
	return a[0] == b[0] && a[n >> 1] == b[n >> 1] && a[n - 1] == b[n - 1];
}

/*
 * Under rcu: the dentry and its sequence number as it was before the comparison; NULL: not cached, or
 * being moved. What is taken from the dentry counts only if its number is still the same afterwards. One
 * that was unhashed meanwhile may be found: the lookup then counts as having come before.
 */
static __always_inline struct dentry *dcache_find_rcu(struct dentry *parent, const char *name,
						      u32 len, u32 hash, u32 *seq)
{
	struct dentry *d;

	hlist_for_each_entry(d, dcache_bucket(hash), hash_link)
	{
		u32 s;

		if (d->hash != hash || d->parent != parent)
			continue;
		s = dentry_seq(d);
		if (unlikely(s & 1 || d->len != len || !name_equal(d->name, name, len)))
			continue;
		*seq = s;
		return d;
	}
	return NULL;
}

/* inode.c */
void inode_cache_init(void);
u64 inode_next_number(void);
int inode_get_write(struct inode *inode); /* -ETXTBSY */
void inode_put_write(struct inode *inode);

/* fdtable.c, fs_context.c */
void fdtable_init(void);

/* inode.c, more */
u32 inode_mode_without_setid(const struct inode *inode);
int inode_setattr_open(struct inode *inode, const struct iattr *attr);

/* file.c */
extern struct mount *anon_mount; /* for files that are of no tree */
int file_open_inode(struct inode *inode, const struct path *p, u32 flags, struct file **out);
void file_cache_init(void);
int file_alloc(u32 flags, struct file **out);
void file_free_new(struct file *f); /* never opened */
bool file_limit_reached(void);
extern u64 files_max; /* /proc/sys/fs/file-max */
u64 files_open_count(void);

/* lookup.c */
struct walk_name { /* a path copied from user space */
	char *s;
	char small[120];
};
int walk_name_get(struct walk_name *n, uptr_t upath,
		  bool empty_ok); /* 0, -EFAULT, -ENOENT, -ENAMETOOLONG */
void walk_name_put(struct walk_name *n);
struct dentry *dentry_get_parent(struct dentry *d); /* with a reference */
/* One name in dir, from the cache or the file system: with a reference; may be negative. */
int lookup_one(struct dentry *dir, const char *name, u32 len, u32 hash, struct dentry **out);
/* The same under the lock of dir's inode. */
int lookup_one_locked(struct dentry *dir, const char *name, u32 len, struct dentry **out);

/* path.c, path_link.c */
struct walk_link { /* a symlink being followed: what comes after it */
	const char *rest;
	char *buf;
	struct path link;
};
#define WALK_LINKS_INLINE 2
#define WALK_LINKS_MAX 40
enum walk_last { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_NONE };
struct walk {
	struct path path; /* where it is */
	struct path root;
	struct inode *inode; /* of path.dentry */
	const char *name; /* what is left */
	u32 seq; /* of path.dentry while rcu */
	unsigned flags;
	bool rcu, root_set, root_ref;
	bool keep_rcu; /* the end needs no references: rcu goes on, if it still holds */
	/* LOOKUP_PARENT: the last component, not walked. */
	const char *last;
	u32 last_len;
	enum walk_last last_type;
	bool trailing; /* slashes after it */
	unsigned depth, total_links;
	struct walk_link *links;
	struct walk_link inline_links[WALK_LINKS_INLINE];
};
/* Walks to the parent (LOOKUP_PARENT) or to the end; references held in w->path. walk_end() always. */
int walk_start(struct walk *w, int dirfd, const char *name, unsigned flags);
/* To the end, which rcu still protects if w->rcu; otherwise references are held. For a look at an inode. */
int walk_start_rcu(struct walk *w, int dirfd, const char *name, unsigned flags);
void walk_end(struct walk *w); /* drops what is held, path included unless taken */
/* One more component below w->path, whose inode is locked or not: a dentry with a reference. */
int walk_lookup_last(struct walk *w, struct dentry **out, bool locked);
/* After walk_start_rcu(): is what was read under rcu good? Ends it. */
bool walk_end_rcu(struct walk *w);
/* Follows a symlink found as last component: goes on to the next parent. */
int walk_follow_last(struct walk *w, struct dentry *d);
/* Among the walk's own files. Stands on p: under rcu without references, otherwise p's become the walk's. */
int walk_stand_on(struct walk *w, const struct path *p);
int walk_jump_to_root(struct walk *w);
int walk_follow_link(
	struct walk *w); /* stands on a symlink, with references: goes on with its text */
void walk_pop_link(struct walk *w);
bool walk_links_ended(
	const struct walk *w); /* nothing comes after any of the links being followed */
struct mount *mount_find(struct mount *parent, struct dentry *d); /* under rcu */
bool mount_get_live(struct mount *m);

/* mount.c */
void mount_init(void);
extern struct spinlock mount_lock; /* RANK_DENTRY: the mount tree */
static inline void mount_get(struct mount *m)
{
	refcount_inc(&m->refs);
}
void mount_put(struct mount *m);
struct mount *mount_internal(struct super *s); /* not in the tree: anonymous files */
void mount_follow_down(struct path *p); /* to what is mounted on top; references */
int mount_want_write(struct mount *m); /* -EROFS */
int mount_path(const char *type, const char *source, const struct path *target, unsigned long flags,
	       const char *data);

/* locks.c */
void locks_close_fd(struct file *f, void *owner); /* POSIX locks of a descriptor table */
void locks_release_file(struct file *f); /* flock and OFD locks */

/* epoll.c */
void epoll_file_released(struct file *f);

/* tmpfs, devfs, procfs, pipe.c, epoll.c */
void tmpfs_init(void);
void devfs_init(void);
void procfs_init(void);
void anon_init(void);
void pipe_init(void);
void epoll_init(void);
extern struct super *devfs_super;
/* tmpfs's way of keeping names and files in memory, shared with devfs. */
extern const struct inode_ops tmpfs_dir_ops;
struct inode *tmpfs_inode(struct super *s, const struct inode *dir, u32 mode, u64 rdev);
void memfd_init(void);
long memfd_fcntl(struct file *f, unsigned cmd, unsigned long arg);
/* Operations of devices and fifos; sockets have none. */
void inode_init_special(struct inode *inode, u64 rdev);
extern const struct file_ops chardev_fops, blockdev_fops;
