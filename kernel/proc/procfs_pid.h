/* What the files of /proc/PID share. */
#pragma once
#include <fs/procfs.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <proc/proc.h>

/* Whom a name below /proc/PID is about: found again by number at each use, so nothing is kept alive. */
struct pid_node {
	s32 pid, tid;
	u64 start_ns; /* of the process: numbers are used again */
	int fd; /* -1: not about a descriptor */
	const struct pid_entry *entry;
};

/* The process and thread, with references, for the time of one operation. */
struct pid_view {
	struct proc *p;
	struct thread *t;
};
int pid_view_get(const struct pid_node *n, struct pid_view *v); /* -ESRCH */
void pid_view_put(struct pid_view *v);

struct pid_entry {
	const char *name;
	u32 mode; /* S_IFREG, S_IFDIR, S_IFLNK and permissions */
	int (*show)(struct seq *s, const struct pid_view *v); /* regular */
	ssize_t (*write)(const struct pid_view *v, const char *text); /* regular: 0 or -EXXX */
	int (*path)(const struct pid_view *v, const struct pid_node *n,
		    struct path *out); /* link */
	int (*lookup)(struct inode *dir, struct dentry *d); /* directory */
	int (*iterate)(struct file *f, struct dir_context *ctx);
	const struct file_ops *fops; /* instead of show */
};

extern const struct pid_entry pid_entries[], task_entries[]; /* end with a NULL name */
int pid_fd_lookup(struct inode *dir, struct dentry *d);
int pid_fd_iterate(struct file *f, struct dir_context *ctx);
int pid_fdinfo_lookup(struct inode *dir, struct dentry *d);
int pid_fdinfo_iterate(struct file *f, struct dir_context *ctx);
int pid_task_lookup(struct inode *dir, struct dentry *d);
int pid_task_iterate(struct file *f, struct dir_context *ctx);

static inline struct pid_node *pid_node_of(const struct inode *inode)
{
	return inode->private;
}
/* Makes the inode of entry for like's process and hashes d. revalidate: ask before each use. */
int pid_add(struct inode *dir, struct dentry *d, const struct pid_node *like,
	    const struct pid_entry *entry, int fd, bool revalidate);
int pid_table_lookup(struct inode *dir, struct dentry *d, const struct pid_entry *table);
int pid_table_iterate(struct file *f, struct dir_context *ctx, const struct pid_entry *table);
/* May current look into the process (descriptors, memory)? 0 or -EACCES. */
int pid_may_look(const struct pid_view *v);
bool pid_parse(const struct dentry *d, s32 *out); /* a number without leading zeros */

int pid_show_maps(struct seq *s, const struct pid_view *v);
int pid_show_smaps(struct seq *s, const struct pid_view *v);
int pid_show_mounts(struct seq *s, const struct pid_view *v);
int pid_show_mountinfo(struct seq *s, const struct pid_view *v);
extern const struct file_ops pid_mem_fops;
void procfs_register_sys(void);
