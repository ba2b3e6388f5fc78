/*
 * /proc: a tree of static entries (proc_add_*), and what is made for each process by kernel/proc through
 * the table procfs_pid_ops.
 */
#pragma once
#include <fs/seq.h>
#include <fs/vfs.h>

/* Entries below /proc by path ("sys/vm/overcommit_memory"); directories are made as needed. At boot. */
void procfs_add_seq(const char *path, u32 mode, int (*show)(struct seq *s));
void procfs_add_file(const char *path, u32 mode, const struct file_ops *fops, void *private);
/* A symlink whose text is made when it is read. */
void procfs_add_link(const char *path, ssize_t (*text)(char *buf, size_t size));
/* A number or a line to read, and to write where set is given. */
void procfs_add_value(const char *path, u32 mode, int (*show)(struct seq *s),
		      int (*set)(const char *text));

/* What was written to an entry, as a string without the newline at its end. 0, -EINVAL too long, -EFAULT. */
int procfs_take_text(struct uio *from, char *text, size_t size);

/* Made by proc/: the root's entries that are processes. */
struct procfs_pid_ops {
	/* Is it a process or thread? Then fills d with dcache_add() and returns 0; otherwise -ENOENT. */
	int (*lookup)(struct inode *dir, struct dentry *d);
	/* Emits processes; ctx->pos - base is the number to begin with. 0 when full. */
	int (*iterate)(struct file *f, struct dir_context *ctx, loff_t base);
	bool (*revalidate)(struct dentry *d); /* must not sleep */
	void (*evict)(struct inode *inode);
};
extern const struct procfs_pid_ops *procfs_pid_ops;
struct inode *procfs_inode(struct super *s, u32 mode, u64 ino);
