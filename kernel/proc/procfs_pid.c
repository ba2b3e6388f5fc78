/*
 * /proc/PID: how names are found, and what is behind them.
 *
 * A name's inode remembers numbers only (struct pid_node); each operation looks the process up again and
 * answers ESRCH when it has gone. Directories of processes, threads and descriptors are asked whether they
 * are still right before each use of a cached name (revalidate), under rcu. Manual: proc(5).
 */
#include <fs/cred.h>
#include <uapi/dirent.h>
#include "internal.h"
#include "procfs_pid.h"

#define PROC_INO(pid, n) (((u64)(u32)(pid) << 16) + (n))

int pid_view_get(const struct pid_node *n, struct pid_view *v)
{
	s32 tid = n->tid;

	v->t = NULL;
	v->p = proc_get_by_pid(n->pid);
	if (v->p && v->p->start_ns == n->start_ns) {
		v->t = proc_next_thread(v->p, &tid);
		if (v->t && tid == n->tid)
			return 0;
	}
	pid_view_put(v);
	return -ESRCH;
}

void pid_view_put(struct pid_view *v)
{
	if (v->t)
		thread_put(v->t);
	if (v->p)
		proc_put(v->p);
}

int pid_may_look(const struct pid_view *v)
{
	const struct cred *c, *me = fs_cred();
	int err = -EACCES;

	if (v->p == current->proc || fs_capable(CAP_SYS_PTRACE))
		return 0;
	rcu_read_lock();
	c = rcu_dereference(v->t->cred);
	if (c && me->fsuid == c->euid && me->fsuid == c->suid && me->fsuid == c->uid &&
	    me->fsgid == c->egid && me->fsgid == c->sgid && me->fsgid == c->gid && v->p->dumpable)
		err = 0;
	rcu_read_unlock();
	return err;
}

bool pid_parse(const struct dentry *d, s32 *out)
{
	s64 n = 0;

	if (!d->len || d->len > 10 || (d->name[0] == '0' && d->len > 1))
		return false;
	for (u32 i = 0; i < d->len; i++) {
		if (d->name[i] < '0' || d->name[i] > '9')
			return false;
		n = n * 10 + (d->name[i] - '0');
	}
	*out = (s32)n;
	return n <= INT32_MAX;
}

/* --- files --- */

static int show_entry(struct seq *s)
{
	const struct pid_node *n = pid_node_of(s->inode);
	struct pid_view v;
	int err = pid_view_get(n, &v);

	if (err)
		return err;
	err = n->entry->show(s, &v);
	pid_view_put(&v);
	return err;
}

static int entry_open(struct inode *inode, struct file *f)
{
	const struct pid_node *n = pid_node_of(inode);
	struct pid_view v;
	int err = 0;

	if (n->entry->fops) {
		f->ops = n->entry->fops;
		return f->ops->open ? f->ops->open(inode, f) : 0;
	}
	if ((n->entry->mode & 0777) == 0400 && !pid_view_get(n, &v)) {
		err = pid_may_look(&v);
		pid_view_put(&v);
	}
	return err ? err : seq_open(f, show_entry, NULL);
}

static ssize_t entry_write(struct file *f, struct uio *from, loff_t *pos)
{
	const struct pid_node *n = pid_node_of(f->inode);
	size_t len = from->resid;
	struct pid_view v;
	char text[128];
	ssize_t ret;

	if (!n->entry->write)
		return -EINVAL;
	ret = procfs_take_text(from, text, sizeof(text));
	if (!ret)
		ret = pid_view_get(n, &v);
	if (ret)
		return ret;
	ret = n->entry->write(&v, text);
	pid_view_put(&v);
	*pos += (loff_t)len;
	return ret ? ret : (ssize_t)len;
}

static const struct file_ops entry_fops = {
	.open = entry_open,
	.read = seq_read,
	.write = entry_write,
	.seek = seq_seek,
	.release = seq_release,
};

/* --- links --- */

static int link_path(struct dentry *d, struct path *out)
{
	const struct pid_node *n = pid_node_of(d->inode);
	struct pid_view v;
	int err = pid_view_get(n, &v);

	if (err)
		return err;
	err = pid_may_look(&v);
	if (!err)
		err = n->entry->path(&v, n, out);
	pid_view_put(&v);
	return err;
}

static ssize_t path_text(const struct path *p, char *buf, size_t size)
{
	char *page = kmalloc(PATH_MAX + 16, 0), *at;
	bool deleted;
	size_t n;
	int err;

	if (!page)
		return -ENOMEM;
	err = path_format(p, page, PATH_MAX, &at, &deleted);
	if (err) {
		kfree(page);
		return err;
	}
	if (deleted)
		memcpy(at + strlen(at), " (deleted)", 11);
	n = min(strlen(at), size);
	memcpy(buf, at, n);
	kfree(page);
	return (ssize_t)n;
}

/* Descriptors may be of files without a path. */
static ssize_t fd_text(struct dentry *d, char *buf, size_t size)
{
	const struct pid_node *n = pid_node_of(d->inode);
	struct files *fs = NULL;
	struct file *f = NULL;
	struct pid_view v;
	ssize_t ret = pid_view_get(n, &v);

	if (ret)
		return ret;
	ret = pid_may_look(&v);
	if (!ret)
		fs = files_get_of(&v.t->files);
	pid_view_put(&v);
	if (fs) {
		f = files_get_file(fs, n->fd);
		files_put(fs);
	}
	if (!f)
		return ret ? ret : -ENOENT;
	if (f->anon_name) {
		char text[96], *name = file_path(f, text, sizeof(text));

		ret = (ssize_t)min(strlen(name), size);
		memcpy(buf, name, (size_t)ret);
	} else {
		struct path p = { f->mount, f->dentry };

		ret = path_text(&p, buf, size);
	}
	file_put(f);
	return ret;
}

static ssize_t link_text(struct dentry *d, char *buf, size_t size)
{
	struct path p;
	ssize_t ret;

	if (pid_node_of(d->inode)->fd >= 0)
		return fd_text(d, buf, size);
	ret = link_path(d, &p);
	if (ret)
		return ret;
	ret = path_text(&p, buf, size);
	path_put(&p);
	return ret;
}

/* --- directories --- */

static int no_setattr(struct inode *inode, const struct iattr *a)
{
	(void)inode;
	return a->valid & (ATTR_UID | ATTR_GID | ATTR_MODE) ? -EPERM : 0;
}

static int dir_lookup(struct inode *dir, struct dentry *d)
{
	return pid_node_of(dir)->entry->lookup(dir, d);
}

static int dir_iterate(struct file *f, struct dir_context *ctx)
{
	return dir_emit_dots(f, ctx) ? pid_node_of(f->inode)->entry->iterate(f, ctx) : 0;
}

static const struct inode_ops dir_ops = { .lookup = dir_lookup, .setattr = no_setattr };
static const struct inode_ops file_ops = { .setattr = no_setattr };
static const struct inode_ops link_ops = { .readlink = link_text, .follow = link_path };
static const struct file_ops dir_fops = { .iterate = dir_iterate, .seek = seq_seek };

/* Files belong to the process's effective user. */
static void set_owner(struct inode *inode, const struct pid_node *n)
{
	struct thread *t;

	rcu_read_lock();
	t = proc_find_thread(n->tid);
	if (t) {
		const struct cred *c = rcu_dereference(t->cred);

		inode->uid = c ? c->euid : 0;
		inode->gid = c ? c->egid : 0;
	}
	rcu_read_unlock();
}

int pid_add(struct inode *dir, struct dentry *d, const struct pid_node *like,
	    const struct pid_entry *entry, int fd, bool revalidate)
{
	struct pid_node *n = kmalloc(sizeof(*n), 0);
	struct inode *inode = n ? procfs_inode(dir->super, entry->mode, 0) : NULL;

	if (!inode) {
		kfree(n);
		return -ENOMEM;
	}
	*n = *like;
	n->entry = entry;
	n->fd = fd;
	inode->private = n;
	inode->link = (const char *)n; /* goes with the inode, after a grace period */
	set_owner(inode, n);
	switch (entry->mode & S_IFMT) {
	case S_IFDIR:
		inode->ops = &dir_ops;
		inode->fops = &dir_fops;
		break;
	case S_IFLNK: inode->ops = &link_ops; break;
	default:
		inode->ops = &file_ops;
		inode->fops = &entry_fops;
		break;
	}
	if (revalidate)
		d->flags |= DENTRY_REVALIDATE;
	dcache_add(d, inode);
	return 0;
}

int pid_table_lookup(struct inode *dir, struct dentry *d, const struct pid_entry *table)
{
	for (const struct pid_entry *e = table; e->name; e++) {
		if (strlen(e->name) == d->len && memcmp(e->name, d->name, d->len) == 0)
			return pid_add(dir, d, pid_node_of(dir), e, -1, false);
	}
	return -ENOENT;
}

int pid_table_iterate(struct file *f, struct dir_context *ctx, const struct pid_entry *table)
{
	const struct pid_node *n = pid_node_of(f->inode);
	unsigned i = 0;

	for (const struct pid_entry *e = table; e->name; e++, i++) {
		if (i + 2 < (u64)ctx->pos)
			continue;
		if (!dir_emit(ctx, e->name, strlen(e->name), PROC_INO(n->tid, i + 1),
			      (e->mode & S_IFMT) >> 12))
			return 0;
		ctx->pos = i + 3;
	}
	return 0;
}

static int pid_dir_lookup(struct inode *dir, struct dentry *d)
{
	return pid_table_lookup(dir, d, pid_entries);
}
static int pid_dir_iterate(struct file *f, struct dir_context *ctx)
{
	return pid_table_iterate(f, ctx, pid_entries);
}
static const struct pid_entry pid_dir = {
	.name = "PID",
	.mode = S_IFDIR | 0555,
	.lookup = pid_dir_lookup,
	.iterate = pid_dir_iterate,
};

/* --- the root of /proc --- */

static ssize_t self_text(char *buf, size_t size)
{
	return current->proc ? scnprintf(buf, size, "%d", current->proc->pid) : -ENOENT;
}

static ssize_t thread_self_text(char *buf, size_t size)
{
	return current->proc ? scnprintf(buf, size, "%d/task/%d", current->proc->pid, current->tid)
			     : -ENOENT;
}

static int root_lookup(struct inode *dir, struct dentry *d)
{
	struct pid_node n = { .fd = -1 };
	struct thread *t;

	if (!pid_parse(d, &n.tid))
		return -ENOENT;
	rcu_read_lock();
	t = proc_find_thread(n.tid);
	if (t && t->proc) {
		n.pid = t->proc->pid;
		n.start_ns = t->proc->start_ns;
	} else {
		struct proc *p = proc_find(n.tid);

		n.pid = p ? p->pid : 0;
		n.start_ns = p ? p->start_ns : 0;
	}
	rcu_read_unlock();
	return n.pid ? pid_add(dir, d, &n, &pid_dir, -1, true) : -ENOENT;
}

static int root_iterate(struct file *f, struct dir_context *ctx, loff_t base)
{
	struct proc *p;
	s32 pid;

	(void)f;
	pid = (s32)(ctx->pos - base);
	while ((p = proc_next(&pid))) {
		char name[16];
		int n = scnprintf(name, sizeof(name), "%d", pid);
		bool room;

		proc_put(p);
		ctx->pos = base + pid;
		room = dir_emit(ctx, name, (size_t)n, PROC_INO(pid, 0), DT_DIR);
		if (!room)
			return 0;
		ctx->pos = base + ++pid;
	}
	return 0;
}

/* Under rcu. */
static bool revalidate(struct dentry *d)
{
	const struct inode *inode = READ_ONCE(d->inode);
	const struct pid_node *n = inode ? pid_node_of(inode) : NULL;
	struct proc *p = n ? proc_find(n->pid) : NULL;
	struct thread *t;
	struct files *fs;

	if (!p || p->start_ns != n->start_ns)
		return false;
	if (n->fd < 0 && n->tid == n->pid)
		return true;
	t = proc_find_thread(n->tid);
	if (!t || n->fd < 0)
		return t != NULL;
	fs = rcu_dereference(t->files);
	return fs && files_has(fs, n->fd);
}

static void evict(struct inode *inode)
{
	(void)inode;
}

static const struct procfs_pid_ops ops = {
	.lookup = root_lookup,
	.iterate = root_iterate,
	.revalidate = revalidate,
	.evict = evict,
};

void procfs_pid_init(void)
{
	procfs_pid_ops = &ops;
	procfs_add_link("self", self_text);
	procfs_add_link("thread-self", thread_self_text);
	procfs_register_sys();
}
