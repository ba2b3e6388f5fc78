/*
 * The path walk.
 *
 * A walk begins under rcu: components are hashed while they are scanned, found in the dentry cache without
 * locks, and no reference is taken; each step checks by sequence numbers that parent and child belonged
 * together. Where something must sleep (a name that is not cached, a symlink) or at the end, unlazy()
 * takes references to where the walk stands and goes on with them. When that fails, or a sequence number
 * did not match, the result is -ECHILD and the whole walk is done again with references.
 *
 * Symlinks are path_link.c's; names from user space and single names lookup.c's.
 * Manual: path_resolution(7), openat2(2).
 */
#include <lib/hash.h>
#include "internal.h"

static struct fs_context *cur_fs(void)
{
	struct fs_context *fs = current->fs;

	return likely(fs) ? fs : &init_fs_context;
}

static bool fs_shared(const struct fs_context *fs)
{
	return refcount_read(&fs->refs) > 1;
}

/* --- references --- */

void path_get(const struct path *p)
{
	mount_get(p->mount);
	dentry_get(p->dentry);
}

void path_put(const struct path *p)
{
	dentry_put(p->dentry);
	mount_put(p->mount);
}

/* Under rcu: both, if neither is on its way out and the dentry has not changed since seq. */
static bool path_get_live(const struct path *p, u32 seq)
{
	if (!mount_get_live(p->mount))
		return false;
	if (likely(dentry_get_live(p->dentry))) {
		if (likely(dentry_unchanged(p->dentry, seq)))
			return true;
		rcu_read_unlock(); /* the last put may sleep */
		path_put(p);
		rcu_read_lock();
		return false;
	}
	rcu_read_unlock();
	mount_put(p->mount);
	rcu_read_lock();
	return false;
}

static int leave_rcu(struct walk *w, int err)
{
	if (w->rcu) {
		w->rcu = false;
		w->path.dentry = NULL;
		w->root_set = w->root_ref;
		rcu_read_unlock();
	}
	return err;
}

/* Goes on with references. 0, or -ECHILD: start again. */
static int unlazy(struct walk *w)
{
	if (w->root_set && fs_shared(cur_fs())) {
		if (!path_get_live(&w->root, dentry_seq(w->root.dentry)))
			return leave_rcu(w, -ECHILD);
		w->root_ref = true;
	}
	if (!path_get_live(&w->path, w->seq))
		return leave_rcu(w, -ECHILD);
	w->rcu = false;
	rcu_read_unlock();
	return 0;
}

/* A thread's root or cwd: plain while rcu protects it, with references otherwise. */
static void fs_path(struct fs_context *fs, const struct path *which, struct path *out, bool rcu)
{
	if (!fs_shared(fs)) {
		*out = *which;
		if (!rcu)
			path_get(out);
		return;
	}
	spin_lock(&fs->lock);
	*out = *which;
	if (!rcu)
		path_get(out);
	spin_unlock(&fs->lock);
}

static void set_root(struct walk *w)
{
	struct fs_context *fs = cur_fs();

	if (w->root_set)
		return;
	fs_path(fs, &fs->root, &w->root, w->rcu);
	w->root_set = true;
	w->root_ref = !w->rcu;
}

/* Stands on p: under rcu without references, otherwise p's become the walk's. */
static __always_inline int stand_on(struct walk *w, const struct path *p)
{
	w->path = *p;
	w->inode = p->dentry->inode;
	if (w->rcu) {
		w->seq = dentry_seq(p->dentry);
		if (w->seq & 1)
			return leave_rcu(w, -ECHILD);
	}
	return 0;
}

int walk_stand_on(struct walk *w, const struct path *p)
{
	return stand_on(w, p);
}

int walk_jump_to_root(struct walk *w)
{
	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	set_root(w);
	if (w->flags & LOOKUP_NO_XDEV && w->path.dentry && w->path.mount != w->root.mount)
		return -EXDEV;
	if (!w->rcu) {
		struct path old = w->path;

		path_get(&w->root);
		if (old.dentry)
			path_put(&old);
	}
	return walk_stand_on(w, &w->root);
}

/* --- mounts --- */

/* Under rcu: to the topmost mount on where the walk stands. */
static void cross_mounts_rcu(struct walk *w, struct mount **m, struct dentry **d, u32 *seq)
{
	while (unlikely(READ_ONCE((*d)->flags) & DENTRY_MOUNTPOINT)) {
		struct mount *on = mount_find(*m, *d);

		if (!on)
			break;
		*m = on;
		*d = on->root;
		*seq = dentry_seq(*d);
	}
}

static int dotdot_rcu(struct walk *w)
{
	struct mount *m = w->path.mount;
	struct dentry *d = w->path.dentry;
	u32 seq = w->seq;

	for (;;) {
		if (d == w->root.dentry && m == w->root.mount)
			break;
		if (d != m->root) {
			struct dentry *parent = READ_ONCE(d->parent);
			u32 parent_seq = dentry_seq(parent);

			if (!dentry_unchanged(d, seq) || parent_seq & 1)
				return leave_rcu(w, -ECHILD);
			d = parent;
			seq = parent_seq;
			break;
		}
		if (m->parent == m)
			break;
		d = READ_ONCE(m->mountpoint);
		m = READ_ONCE(m->parent);
		seq = dentry_seq(d);
	}
	cross_mounts_rcu(w, &m, &d, &seq);
	if (w->flags & LOOKUP_NO_XDEV && m != w->path.mount)
		return leave_rcu(w, -EXDEV);
	w->path.mount = m;
	w->path.dentry = d;
	w->seq = seq;
	w->inode = d->inode;
	return seq & 1 ? leave_rcu(w, -ECHILD) : 0;
}

static int dotdot_ref(struct walk *w)
{
	struct path p = w->path;
	struct mount *start = p.mount;

	path_get(&p);
	for (;;) {
		struct path up;

		if (p.dentry == w->root.dentry && p.mount == w->root.mount)
			break;
		if (p.dentry != p.mount->root) {
			struct dentry *parent = dentry_get_parent(p.dentry);

			dentry_put(p.dentry);
			p.dentry = parent;
			break;
		}
		spin_lock(&mount_lock);
		up.mount = p.mount->parent;
		up.dentry = p.mount->mountpoint;
		if (up.mount == p.mount) {
			spin_unlock(&mount_lock);
			break;
		}
		path_get(&up);
		spin_unlock(&mount_lock);
		path_put(&p);
		p = up;
	}
	mount_follow_down(&p);
	if (w->flags & LOOKUP_NO_XDEV && p.mount != start) {
		path_put(&p);
		return -EXDEV;
	}
	path_put(&w->path);
	return walk_stand_on(w, &p);
}

static int dotdot(struct walk *w)
{
	set_root(w);
	if (unlikely(w->flags & LOOKUP_BENEATH && w->path.dentry == w->root.dentry &&
		     w->path.mount == w->root.mount))
		return -EXDEV;
	return w->rcu ? dotdot_rcu(w) : dotdot_ref(w);
}

/* --- steps --- */

static int step_ref(struct walk *w, const char *name, u32 len, u32 hash, bool follow)
{
	struct path next = { w->path.mount, NULL };
	struct dentry *dir = w->path.dentry;
	int err = lookup_one(dir, name, len, hash, &next.dentry);

	if (err)
		return err;
	if (!next.dentry->inode) {
		dentry_put(next.dentry);
		return -ENOENT;
	}
	if (unlikely(next.dentry->flags & DENTRY_MOUNTPOINT)) {
		mount_get(next.mount);
		mount_follow_down(&next);
		if (w->flags & LOOKUP_NO_XDEV && next.mount != w->path.mount) {
			path_put(&next);
			return -EXDEV;
		}
		mount_put(w->path.mount);
	}
	walk_stand_on(w, &next);
	dentry_put(dir);
	return S_ISLNK(w->inode->mode) && follow ? walk_follow_link(w) : 0;
}

static int step(struct walk *w, const char *name, u32 len, u32 hash, bool follow)
{
	struct dentry *dir = w->path.dentry, *d;
	struct mount *m = w->path.mount;
	struct inode *inode;
	u32 seq;
	int err;

	if (!w->rcu)
		return step_ref(w, name, len, hash, follow);
	d = dcache_find_rcu(dir, name, len, hash, &seq);
	if (unlikely(!d || (d->flags & DENTRY_REVALIDATE && !d->super->ops->revalidate(d)))) {
		err = unlazy(w);
		return err ? err : step_ref(w, name, len, hash, follow);
	}
	inode = rcu_dereference(d->inode);
	if (unlikely(!dentry_unchanged(dir, w->seq) || !dentry_unchanged(d, seq)))
		return leave_rcu(w, -ECHILD);
	if (!inode)
		return -ENOENT;
	if (unlikely(d->flags & DENTRY_MOUNTPOINT)) {
		cross_mounts_rcu(w, &m, &d, &seq);
		if (w->flags & LOOKUP_NO_XDEV && m != w->path.mount)
			return -EXDEV;
		inode = d->inode;
	}
	w->path.mount = m;
	w->path.dentry = d;
	w->seq = seq;
	w->inode = inode;
	if (likely(!S_ISLNK(inode->mode) || !follow))
		return 0;
	err = unlazy(w);
	return err ? err : walk_follow_link(w);
}

/* A directory whose names all may look up needs no further question. */
static int may_search(struct inode *inode)
{
	if (unlikely(!S_ISDIR(inode->mode)))
		return -ENOTDIR;
	if (likely((inode->mode & 0111) == 0111 && !inode->ops->permission))
		return 0;
	return inode_permission(inode, MAY_EXEC);
}

static enum walk_last kind_of_name(const char *s, u32 len)
{
	if (likely(s[0] != '.' || len > 2))
		return LAST_NORMAL;
	if (len == 1)
		return LAST_DOT;
	return s[1] == '.' ? LAST_DOTDOT : LAST_NORMAL;
}

/* From where the walk stands over all of w->name. 0, -EXXX, -ECHILD. */
static int walk_components(struct walk *w)
{
	for (;;) {
		const char *s = w->name, *p, *rest;
		enum walk_last kind;
		bool final, trailing;
		u64 h;
		u32 len;
		u8 c;
		int err;

		while (*s == '/')
			s++;
		if (!*s) {
			if (!w->depth) {
				w->last_type = LAST_NONE;
				return 0;
			}
			if (w->flags & LOOKUP_PARENT && walk_links_ended(w)) {
				w->last_type = LAST_NONE;
				return 0;
			}
			w->name = w->links[w->depth - 1].rest;
			walk_pop_link(w);
			continue;
		}
		err = may_search(w->inode);
		if (unlikely(err))
			return err;
		h = dentry_hash_init(w->path.dentry);
		for (p = s; (c = (u8)*p) != 0 && c != '/'; p++)
			h = hash_step(h, c);
		len = (u32)(p - s);
		if (unlikely(len > NAME_MAX))
			return -ENAMETOOLONG;
		rest = p;
		trailing = c != 0;
		if (trailing) {
			while (*rest == '/')
				rest++;
		}
		final = !*rest && (!w->depth || walk_links_ended(w));
		kind = kind_of_name(s, len);
		w->name = rest;
		if (final) {
			if (w->flags & LOOKUP_PARENT) {
				w->last = s;
				w->last_len = len;
				w->last_type = kind;
				w->trailing = trailing;
				return 0;
			}
			if (trailing)
				w->flags |= LOOKUP_DIRECTORY;
		}
		if (likely(kind == LAST_NORMAL))
			err = step(w, s, len, hash_end(h),
				   !final || trailing || w->flags & LOOKUP_FOLLOW);
		else if (kind == LAST_DOTDOT)
			err = dotdot(w);
		if (unlikely(err))
			return err;
	}
}

/* --- beginning and end --- */

static int start_at_fd(struct walk *w, int dirfd)
{
	struct fd f = fd_get_any(dirfd);
	struct path p;
	int err;

	if (!f.file)
		return -EBADF;
	if (f.ref)
		leave_rcu(w, 0); /* giving it back may sleep */
	if (*w->name && !(f.file->inode && S_ISDIR(f.file->inode->mode))) {
		fd_put(f);
		return -ENOTDIR;
	}
	if (w->rcu && f.file->dentry) {
		p.mount = f.file->mount;
		p.dentry = f.file->dentry;
		return walk_stand_on(w, &p); /* the unshared table keeps it */
	}
	leave_rcu(w, 0);
	err = file_get_path(f.file, &p);
	fd_put(f);
	return err ? err : walk_stand_on(w, &p);
}

static int start(struct walk *w, int dirfd)
{
	struct fs_context *fs = cur_fs();
	struct path p;
	int err;

	w->path.dentry = NULL;
	if (*w->name == '/' && !(w->flags & LOOKUP_IN_ROOT)) {
		if (!w->rcu || w->flags & (LOOKUP_BENEATH | LOOKUP_NO_XDEV))
			return walk_jump_to_root(w);
		set_root(w);
		return stand_on(w, &w->root);
	}
	if (dirfd == AT_FDCWD) {
		fs_path(fs, &fs->cwd, &p, w->rcu);
		err = stand_on(w, &p);
	} else {
		err = start_at_fd(w, dirfd);
	}
	if (!err && w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) {
		w->root = w->path;
		path_get(&w->root);
		w->root_set = w->root_ref = true;
	}
	return err;
}

static int walk_once(struct walk *w, int dirfd, const char *name, unsigned flags, bool rcu)
{
	int err;

	w->name = name;
	w->flags = flags;
	w->rcu = rcu;
	w->root_set = w->root_ref = false;
	w->depth = w->total_links = 0;
	w->links = w->inline_links;
	w->trailing = false;
	if (rcu)
		rcu_read_lock();
	err = start(w, dirfd);
	if (!err)
		err = walk_components(w);
	if (!err && unlikely(w->flags & LOOKUP_DIRECTORY) && !(w->flags & LOOKUP_PARENT) &&
	    !S_ISDIR(w->inode->mode))
		err = -ENOTDIR;
	if (likely(!err && w->rcu))
		return w->keep_rcu ? 0 : unlazy(w);
	return leave_rcu(w, err);
}

bool walk_end_rcu(struct walk *w)
{
	bool good = dentry_unchanged(w->path.dentry, w->seq);

	leave_rcu(w, 0);
	return good;
}

int walk_start_rcu(struct walk *w, int dirfd, const char *name, unsigned flags)
{
	int err;

	w->keep_rcu = true;
	err = walk_once(w, dirfd, name, flags, true);
	if (unlikely(err == -ECHILD)) {
		walk_end(w);
		err = walk_once(w, dirfd, name, flags, false);
	}
	return err;
}

int walk_start(struct walk *w, int dirfd, const char *name, unsigned flags)
{
	bool scoped = flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT);
	int err;

	w->keep_rcu = false;
	err = walk_once(w, dirfd, name, flags, !scoped);
	if (unlikely(err == -ECHILD)) {
		walk_end(w);
		err = walk_once(w, dirfd, name, flags, false);
	}
	return err;
}

void walk_end(struct walk *w)
{
	while (w->depth)
		walk_pop_link(w);
	if (w->links != w->inline_links)
		kfree(w->links);
	w->links = w->inline_links;
	if (w->root_ref)
		path_put(&w->root);
	w->root_ref = false;
	if (w->path.dentry)
		path_put(&w->path);
	w->path.dentry = NULL;
}

int walk_lookup_last(struct walk *w, struct dentry **out, bool locked)
{
	struct dentry *dir = w->path.dentry;

	if (locked)
		return lookup_one_locked(dir, w->last, w->last_len, out);
	return lookup_one(dir, w->last, w->last_len, dentry_hash_name(dir, w->last, w->last_len),
			  out);
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
	struct path p = { w->path.mount, d };
	int err;

	dentry_get(d);
	dentry_put(w->path.dentry);
	walk_stand_on(w, &p);
	err = walk_follow_link(w);
	return err ? err : walk_components(w);
}
