/* /proc/PID/fd, fdinfo, task; links to files: exe, cwd, root. Manual: proc(5). */
#include <uapi/dirent.h>
#include "procfs_pid.h"

/* --- links --- */

static int fd_path(const struct pid_view *v, const struct pid_node *n, struct path *out)
{
	struct files *fs = files_get_of(&v->t->files);
	struct file *f = fs ? files_get_file(fs, n->fd) : NULL;
	int err = -ENOENT;

	if (fs)
		files_put(fs);
	if (f) {
		err = file_get_path(f, out);
		file_put(f);
	}
	return err;
}

static const struct pid_entry fd_link = { .name = "fd", .mode = S_IFLNK | 0700, .path = fd_path };

static int show_fdinfo(struct seq *s, const struct pid_view *v);
static const struct pid_entry fdinfo_file = { .name = "fdinfo",
					      .mode = S_IFREG | 0444,
					      .show = show_fdinfo };

static int show_fdinfo(struct seq *s, const struct pid_view *v)
{
	struct files *fs = files_get_of(&v->t->files);
	struct file *f = fs ? files_get_file(fs, pid_node_of(s->inode)->fd) : NULL;
	char extra[1024];

	if (fs)
		files_put(fs);
	if (!f)
		return -ENOENT;
	seq_printf(s, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n", f->pos, f->flags,
		   f->mount ? f->mount->id : 0, f->inode ? f->inode->ino : 0);
	if (f->ops->show_fdinfo) {
		f->ops->show_fdinfo(f, extra, sizeof(extra));
		seq_puts(s, extra);
	}
	file_put(f);
	return 0;
}

/* --- directories of descriptors --- */

static int fd_lookup_as(struct inode *dir, struct dentry *d, const struct pid_entry *entry)
{
	struct files *fs;
	struct pid_view v;
	bool open;
	s32 fd;
	int err;

	if (!pid_parse(d, &fd))
		return -ENOENT;
	err = pid_view_get(pid_node_of(dir), &v);
	if (err)
		return -ENOENT;
	fs = files_get_of(&v.t->files);
	pid_view_put(&v);
	if (!fs)
		return -ENOENT;
	rcu_read_lock();
	open = files_has(fs, fd);
	rcu_read_unlock();
	files_put(fs);
	return open ? pid_add(dir, d, pid_node_of(dir), entry, fd, true) : -ENOENT;
}

int pid_fd_lookup(struct inode *dir, struct dentry *d)
{
	return fd_lookup_as(dir, d, &fd_link);
}
int pid_fdinfo_lookup(struct inode *dir, struct dentry *d)
{
	return fd_lookup_as(dir, d, &fdinfo_file);
}

static int fd_iterate_as(struct file *f, struct dir_context *ctx, unsigned type)
{
	struct pid_view v;
	struct files *fs;
	struct file *open;
	int fd = (int)ctx->pos - 2, err = pid_view_get(pid_node_of(f->inode), &v);

	if (err)
		return err;
	err = pid_may_look(&v);
	fs = err ? NULL : files_get_of(&v.t->files);
	pid_view_put(&v);
	if (!fs)
		return err;
	while ((open = files_next(fs, &fd))) {
		char name[16];
		int n = scnprintf(name, sizeof(name), "%d", fd);

		file_put(open);
		ctx->pos = fd + 2;
		if (!dir_emit(ctx, name, (size_t)n, (u64)fd + 100, type))
			break;
		ctx->pos = ++fd + 2;
	}
	files_put(fs);
	return 0;
}

int pid_fd_iterate(struct file *f, struct dir_context *ctx)
{
	return fd_iterate_as(f, ctx, DT_LNK);
}
int pid_fdinfo_iterate(struct file *f, struct dir_context *ctx)
{
	return fd_iterate_as(f, ctx, DT_REG);
}

/* --- threads --- */

static int task_dir_lookup(struct inode *dir, struct dentry *d)
{
	return pid_table_lookup(dir, d, task_entries);
}
static int task_dir_iterate(struct file *f, struct dir_context *ctx)
{
	return pid_table_iterate(f, ctx, task_entries);
}
static const struct pid_entry task_dir = {
	.name = "TID",
	.mode = S_IFDIR | 0555,
	.lookup = task_dir_lookup,
	.iterate = task_dir_iterate,
};

int pid_task_lookup(struct inode *dir, struct dentry *d)
{
	struct pid_node n = *pid_node_of(dir);
	struct pid_view v;
	int err;

	if (!pid_parse(d, &n.tid))
		return -ENOENT;
	err = pid_view_get(&n, &v);
	if (err)
		return -ENOENT;
	pid_view_put(&v);
	return pid_add(dir, d, &n, &task_dir, -1, true);
}

int pid_task_iterate(struct file *f, struct dir_context *ctx)
{
	struct pid_view v;
	struct thread *t;
	s32 tid = (s32)ctx->pos - 2;
	int err = pid_view_get(pid_node_of(f->inode), &v);

	if (err)
		return err;
	while ((t = proc_next_thread(v.p, &tid))) {
		char name[16];
		int n = scnprintf(name, sizeof(name), "%d", tid);

		thread_put(t);
		ctx->pos = tid + 2;
		if (!dir_emit(ctx, name, (size_t)n, (u64)tid, DT_DIR))
			break;
		ctx->pos = ++tid + 2;
	}
	pid_view_put(&v);
	return 0;
}
