/*
 * Root, working directory and umask of threads; and paths as text.
 *
 * A context is shared by threads made with CLONE_FS; its lock protects the paths while it is shared. One
 * that belongs to a single thread is read by it without the lock. Manual: chroot(2), chdir(2), getcwd(2).
 */
#include "internal.h"
#include "mount.h"

static DEFINE_LIST(contexts); /* [x] contexts_lock: all but the first */
static struct spinlock contexts_lock = SPINLOCK_INIT("fs contexts", RANK_FILES);

struct fs_context init_fs_context = {
	.refs = REFCOUNT_INIT(1),
	.lock = SPINLOCK_INIT("fs", RANK_DENTRY),
	.link = LIST_INIT(init_fs_context.link),
	.umask = 022,
};

static struct fs_context *cur_fs(void)
{
	return current->fs ? current->fs : &init_fs_context;
}

int fs_context_fork(struct fs_context *old, struct fs_context **out)
{
	struct fs_context *c = kmalloc(sizeof(*c), 0);

	if (!c)
		return -ENOMEM;
	if (!old)
		old = &init_fs_context;
	refcount_init(&c->refs, 1);
	spin_init(&c->lock, "fs", RANK_DENTRY);
	spin_lock(&old->lock);
	c->root = old->root;
	c->cwd = old->cwd;
	c->umask = old->umask;
	path_get(&c->root);
	path_get(&c->cwd);
	spin_unlock(&old->lock);
	spin_lock(&contexts_lock);
	list_add_tail(&c->link, &contexts);
	spin_unlock(&contexts_lock);
	*out = c;
	return 0;
}

void fs_context_get(struct fs_context *c)
{
	refcount_inc(&c->refs);
}

static void context_free_rcu(struct rcu_head *head)
{
	kfree(container_of(head, struct fs_context, rcu));
}

void fs_context_put(struct fs_context *c)
{
	if (!refcount_dec_and_test(&c->refs))
		return;
	spin_lock(&contexts_lock);
	list_del(&c->link);
	spin_unlock(&contexts_lock);
	path_put(&c->root);
	path_put(&c->cwd);
	call_rcu(&c->rcu, context_free_rcu);
}

struct fs_context *fs_context_get_of(struct fs_context *const *pp)
{
	struct fs_context *c;

	rcu_read_lock();
	c = __atomic_load_n(pp, __ATOMIC_CONSUME);
	if (c && !refcount_inc_not_zero(&c->refs))
		c = NULL;
	rcu_read_unlock();
	return c;
}

static void context_path(struct fs_context *c, const struct path *which, struct path *out)
{
	spin_lock(&c->lock);
	*out = *which;
	path_get(out);
	spin_unlock(&c->lock);
}

void fs_context_paths(struct fs_context *c, struct path *root, struct path *cwd)
{
	context_path(c, &c->root, root);
	context_path(c, &c->cwd, cwd);
}

void fs_context_root(struct path *out)
{
	context_path(cur_fs(), &cur_fs()->root, out);
}

void fs_context_cwd(struct path *out)
{
	context_path(cur_fs(), &cur_fs()->cwd, out);
}

static void context_set(struct fs_context *c, struct path *which, const struct path *p)
{
	struct path old;

	path_get(p);
	spin_lock(&c->lock);
	old = *which;
	*which = *p;
	spin_unlock(&c->lock);
	path_put(&old);
}

int fs_chdir(const struct path *p)
{
	int err;

	if (!S_ISDIR(p->dentry->inode->mode))
		return -ENOTDIR;
	err = inode_permission(p->dentry->inode, MAY_EXEC);
	if (!err)
		context_set(cur_fs(), &cur_fs()->cwd, p);
	return err;
}

int fs_chroot(const struct path *p)
{
	int err;

	if (!S_ISDIR(p->dentry->inode->mode))
		return -ENOTDIR;
	err = inode_permission(p->dentry->inode, MAY_EXEC);
	if (err)
		return err;
	if (!fs_capable(CAP_SYS_CHROOT))
		return -EPERM;
	context_set(cur_fs(), &cur_fs()->root, p);
	return 0;
}

static bool path_same(const struct path *a, const struct path *b)
{
	return a->mount == b->mount && a->dentry == b->dentry;
}

/* Never the last reference to old: the caller of pivot_root holds one. */
static void replace_in(struct fs_context *c, const struct path *old, const struct path *new)
{
	struct path *both[] = { &c->root, &c->cwd };

	spin_lock(&c->lock);
	for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
		if (!path_same(both[i], old))
			continue;
		path_get(new);
		*both[i] = *new;
		__atomic_fetch_sub(&old->dentry->refs, 1, __ATOMIC_RELEASE);
		__atomic_fetch_sub(&old->mount->refs.v, 1, __ATOMIC_RELEASE);
	}
	spin_unlock(&c->lock);
}

void fs_replace_root(const struct path *old, const struct path *new)
{
	struct fs_context *c;

	spin_lock(&contexts_lock);
	replace_in(&init_fs_context, old, new);
	list_for_each_entry(c, &contexts, link) {
		replace_in(c, old, new);
	}
	spin_unlock(&contexts_lock);
}

/* --- paths as text --- */

static bool prepend(char **at, const char *start, const char *text, size_t n)
{
	if ((size_t)(*at - start) < n)
		return false;
	*at -= n;
	memcpy(*at, text, n);
	return true;
}

/* dcache_lock and mount_lock are both for what is walked here; mount links are read as they are, since a
 * mount cannot go while something below it is referenced. */
static int format_locked(const struct path *p, const struct path *root, char *start, char **at,
			 bool *reachable)
{
	struct dentry *d = p->dentry;
	struct mount *m = p->mount;

	*reachable = true;
	while (d != root->dentry || m != root->mount) {
		if (d == m->root) {
			if (m->parent == m) {
				*reachable = root->dentry == NULL;
				break;
			}
			d = m->mountpoint;
			m = m->parent;
			continue;
		}
		if (d->parent == d) { /* of no tree: an anonymous file */
			*reachable = false;
			break;
		}
		if (!prepend(at, start, d->name, d->len) || !prepend(at, start, "/", 1))
			return -ENAMETOOLONG;
		d = d->parent;
	}
	return 0;
}

int path_format(const struct path *p, char *buf, size_t size, char **out, bool *deleted)
{
	char *at = buf + size - 1;
	struct path root;
	bool reachable;
	int err;

	*at = '\0';
	fs_context_root(&root);
	spin_lock(&dcache_lock);
	err = format_locked(p, &root, buf, &at, &reachable);
	if (!err && !*at && !prepend(&at, buf, "/", 1))
		err = -ENAMETOOLONG;
	*deleted = p->dentry->flags & DENTRY_UNLINKED;
	spin_unlock(&dcache_lock);
	path_put(&root);
	if (err)
		return err;
	if (!reachable)
		*deleted = *deleted || p->dentry->parent == p->dentry;
	*out = at;
	return 0;
}

/* The directory's path, or -ENOENT when it was removed; unreachable ones say so, as getcwd(2) does. */
int fs_getcwd(char *buf, size_t size, char **out)
{
	struct path cwd, root;
	char *at = buf + size - 1;
	bool reachable;
	int err;

	fs_context_cwd(&cwd);
	fs_context_root(&root);
	*at = '\0';
	err = -ENOENT;
	spin_lock(&dcache_lock);
	if (!(cwd.dentry->flags & DENTRY_UNLINKED)) {
		err = format_locked(&cwd, &root, buf, &at, &reachable);
		if (!err && !*at && !prepend(&at, buf, "/", 1))
			err = -ENAMETOOLONG;
		if (!err && !reachable && !prepend(&at, buf, "(unreachable)", 13))
			err = -ENAMETOOLONG;
	}
	spin_unlock(&dcache_lock);
	path_put(&root);
	path_put(&cwd);
	if (!err)
		*out = at;
	return err;
}
