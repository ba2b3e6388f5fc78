/*
 * Open files and descriptors.
 *
 * struct file is an open file description: position, flags, operations. A descriptor table maps small
 * integers to them; lookups take no lock, and take no reference either while the table belongs to one
 * thread only (fd_get/fd_put).
 */
#pragma once
#include <core/rcu.h>
#include <core/spinlock.h>
#include <lib/atomic.h>
#include <lib/types.h>
#include <mm/uio.h>
#include <sched/mutex.h>
#include <sched/thread.h>

struct file;
struct inode;
struct dentry;
struct path;
struct vma;
struct mapping;
struct stat64k;
struct poll_table;
struct dir_context;

/* Operations of an open file. Missing ones give the error in brackets. Positional ones get *pos, which
 * is the file's own position or a copy (pread). Thread context. */
struct file_ops {
	ssize_t (*read)(struct file *f, struct uio *to, loff_t *pos); /* [-EINVAL] bytes */
	ssize_t (*write)(struct file *f, struct uio *from, loff_t *pos); /* [-EINVAL] bytes */
	loff_t (*seek)(struct file *f, loff_t off, int whence); /* [-ESPIPE] */
	int (*iterate)(struct file *f, struct dir_context *ctx); /* [-ENOTDIR] */
	/* The ready mask (EPOLL*); registers on the wait queues it depends on with poll_wait(). [always ready] */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	long (*ioctl)(struct file *f, unsigned cmd, uptr_t arg); /* [-ENOTTY] */
	int (*mmap)(struct file *f, struct vma *vma); /* [-ENODEV]; sets vma->mapping or ops */
	int (*open)(struct inode *inode, struct file *f);
	int (*flush)(struct file *f); /* each close() of a descriptor */
	void (*release)(struct file *f); /* the last reference has gone */
	int (*fsync)(struct file *f, bool datasync);
	int (*fallocate)(struct file *f, int mode, loff_t off, loff_t len);
	void (*show_fdinfo)(struct file *f, char *buf, size_t size);
	/* Moving pages between pipes and files; NULL: through copies. */
	int (*mapping)(struct file *f,
		       struct mapping **out); /* page cache other than the inode's */
};

struct file {
	const struct file_ops *ops; /* [I] */
	u32 flags; /* O_*: access mode [I], status flags [a] */
	u32 mode; /* FMODE_READ | FMODE_WRITE … */
	struct refcount refs;
	struct inode *inode; /* NULL for anonymous kinds (epoll, eventfd…) that have none */
	struct dentry *dentry; /* path it was opened by */
	struct mount *mount;
	loff_t pos; /* [x] pos_lock when the file is shared */
	struct mutex pos_lock;
	void *private;
	struct cred *cred; /* of the opener */
	s32 owner_pid; /* F_SETOWN */
	int owner_type; /* F_OWNER_* */
	int owner_sig;
	const char *anon_name; /* [I] see file_create_anon(); NULL: has a path */
	struct list epoll_items; /* [x] fs/epoll.c's */
	u64 dir_hint; /* directories: fs's own */
	struct rcu_head rcu;
};
#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_NOSEEK 4u /* stream: no position */
#define FMODE_PATH 8u /* O_PATH */
#define FMODE_WRITER 16u /* counted in inode->write_count */
#define FMODE_DENY_WRITE 64u /* a program's image: inode_allow_write() when it is closed */
#define FMODE_LOCKED 32u /* has, or had, locks: closing looks for them */

/* A file without a path: name is what /proc/PID/fd shows ("anon_inode:[eventfd]"); the string must stay.
 * inode is a shared one without a type. 0, -ENOMEM, -ENFILE. refs 1; the access mode is in flags. */
int file_create_anon(const struct file_ops *ops, void *private, u32 flags, const char *name,
		     struct file **out);
/* As above with an inode of its own (pipes, sockets): S_IFIFO|0600...; a name "pipe" shows as "pipe:[INO]".
 * Takes over the inode's reference on success. */
int file_create_anon_inode(const struct file_ops *ops, void *private, u32 flags, const char *name,
			   struct inode *inode, struct file **out);
/* A new inode of no file system for the above; refs 1. NULL: out of memory. */
struct inode *anon_inode_create(u32 mode);
/* The path, made up on demand for anonymous files; references taken. 0, -ENOMEM. */
int file_get_path(struct file *f, struct path *out);
static inline void file_get(struct file *f)
{
	refcount_inc(&f->refs);
}
void file_put(struct file *f);

/* Page cache of a regular file (or -ENODEV), for mmap and exec. */
int file_mapping(struct file *f, struct mapping **out);
/* Reads into kernel memory at pos; bytes or -EXXX. For exec. */
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, loff_t pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, loff_t pos);
/* read(2) and write(2) on f: checks, position, O_SYNC. pos: pread and pwrite; NULL: the file's own. */
ssize_t file_read(struct file *f, struct uio *to, loff_t *pos);
ssize_t file_write(struct file *f, struct uio *from, loff_t *pos);
loff_t file_seek(struct file *f, loff_t off, int whence);
/* Opens by absolute or cwd-relative kernel string; with the current credentials. */
int file_open(const char *path, int flags, u32 mode, struct file **out);
/* The path as the current root shows it ("/bin/sh", with " (deleted)"): start within buf, or NULL. */
char *file_path(const struct file *f, char *buf, size_t size);
u64 file_size(const struct file *f);

/* --- descriptor tables --- */
struct fdtable {
	unsigned size; /* [I] multiple of 64 */
	struct file **files; /* [I] the array; entries [rcu] */
	unsigned long *used, *cloexec; /* [x] files->lock */
	struct rcu_head rcu;
};
struct files {
	struct refcount refs; /* threads that share it */
	struct spinlock lock;
	struct fdtable *table; /* [rcu] */
	/* rest is fs/fdtable.c's */
	unsigned next_fd;
	struct fdtable *initial;
	struct rcu_head rcu;
};
int files_create(struct files **out);
int files_fork(struct files *old, struct files **out); /* copy: -ENOMEM */
void files_get(struct files *fs);
void files_put(struct files *fs); /* last: closes all */
int files_unshare(void); /* current gets its own copy (exec, unshare) */
void files_close_on_exec(struct files *fs);

/* Another thread's, with a reference, or NULL; pp is its pointer. */
struct files *files_get_of(struct files *const *pp);
bool files_has(struct files *fs, int fd); /* under rcu */

struct fd {
	struct file *file; /* NULL: bad descriptor */
	bool ref; /* a reference was taken */
};
struct fd fd_get_slow(int fd); /* tables that are shared, files opened with O_PATH */
struct fd fd_get_any(int fd); /* those opened with O_PATH too */
static __always_inline struct fd fd_get(int fd)
{
	const struct files *fs = current->files;
	struct fd ret = { NULL, false };

	if (likely(fs && refcount_read(&fs->refs) == 1 && (unsigned)fd < fs->table->size)) {
		ret.file = fs->table->files[fd];
		if (likely(!ret.file || !(ret.file->mode & FMODE_PATH)))
			return ret;
	}
	return fd_get_slow(fd);
}
static inline void fd_put(struct fd f)
{
	if (unlikely(f.ref))
		file_put(f.file);
}
struct file *fd_get_file(int fd); /* with a reference, or NULL */
struct file *files_get_file(struct files *fs, int fd); /* another process's; ref or NULL */

/* Lowest free descriptor ≥ min, reserved; -EMFILE by RLIMIT_NOFILE (fd_limit), -ENOMEM. */
int fd_reserve(int min, bool cloexec);
void fd_install(int fd, struct file *f); /* takes over the reference */
void fd_unreserve(int fd);
int fd_alloc_install(struct file *f,
		     bool cloexec); /* both; on failure the reference stays the caller's */
int fd_close(int fd); /* -EBADF */
int fd_dup(int oldfd, int min, bool cloexec);
int fd_dup_to(int oldfd, int newfd, bool cloexec); /* oldfd != newfd */
int fd_get_cloexec(int fd); /* 0, 1, -EBADF */
int fd_set_cloexec(int fd, bool on);
int fd_close_range(unsigned first, unsigned last, bool cloexec_only);
/* The first used descriptor ≥ *fd, with a reference; for /proc. */
struct file *files_next(struct files *fs, int *fd);
unsigned files_table_size(struct files *fs);
#define FD_NR_MAX 524288u /* /proc/sys/fs/nr_open */
extern u64 (*fd_limit)(void); /* RLIMIT_NOFILE of current; registered by proc/ */
