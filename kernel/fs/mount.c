/*
 * Super blocks and the mount tree.
 *
 * A mount shows a dentry tree (a super block's root, or any directory for a bind mount) on top of a dentry
 * of its parent mount. The mounts on one dentry are chained from it and told apart by their parent; walks
 * read the chain under rcu. There is one tree, for all processes. mount_mutex serialises changes,
 * mount_lock protects the links; a mount holds a reference to parent and mountpoint, users hold one to it.
 *
 * Left out: mount namespaces, propagation (MS_SHARED and so on are accepted and change nothing).
 * Manual: mount(2), umount2(2), pivot_root(2).
 */
#include <debug/klog.h>
#include <debug/panic.h>
#include <uapi/statfs.h>
#include "internal.h"
#include "mount.h"

#define MOUNT_FLAGS_KEPT                                                                           \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
	 MS_STRICTATIME | MS_NOSYMFOLLOW)

struct spinlock mount_lock = SPINLOCK_INIT("mount", RANK_DENTRY);
DEFINE_LIST(mount_list); /* [x] mount_lock */
static struct mutex mount_mutex;
static struct fs_type *fs_types; /* [rcu] only grows */
static u32 next_mount_id = 20, next_anon_dev = 1; /* [a] */

void mount_init(void)
{
	mutex_init(&mount_mutex, "mount", RANK_CGROUP);
}

/* --- file-system types and super blocks --- */

void fs_type_register(struct fs_type *t)
{
	struct fs_type **p = &fs_types;

	while (*p)
		p = &(*p)->next;
	rcu_assign(*p, t);
}

struct fs_type *fs_type_next(struct fs_type *t)
{
	return t ? t->next : fs_types;
}

struct super *super_create(const struct fs_type *t, const struct super_ops *ops, u32 magic)
{
	struct super *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->type = t;
	s->ops = ops;
	s->magic = magic;
	s->dev = MKDEV(0, __atomic_add_fetch(&next_anon_dev, 1, __ATOMIC_RELAXED));
	s->block_size = 4096;
	s->max_bytes = INT64_MAX;
	refcount_init(&s->refs, 1);
	return s;
}

void super_put(struct super *s)
{
	if (!refcount_dec_and_test(&s->refs))
		return;
	if (s->ops->sync)
		s->ops->sync(s);
	if (s->root) {
		dcache_free_tree(s->root);
		dcache_free_root(s->root);
	}
	if (s->ops->kill)
		s->ops->kill(s);
	/* Inodes that are being freed under rcu look at it no more, walks may. */
	synchronize_rcu();
	kfree(s);
}

/* --- mounts --- */

static struct mount *mount_create(struct super *s, struct dentry *root, const char *source,
				  unsigned long flags)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->source = kstrdup(source ? source : "none");
	if (!m->source) {
		kfree(m);
		return NULL;
	}
	m->super = s;
	m->root = root;
	m->parent = m;
	m->mountpoint = root;
	m->flags = flags & MOUNT_FLAGS_KEPT;
	m->id = __atomic_add_fetch(&next_mount_id, 1, __ATOMIC_RELAXED);
	refcount_init(&m->refs, 1);
	refcount_inc(&s->refs);
	dentry_get(root);
	list_init(&m->link);
	return m;
}

static void mount_free_rcu(struct rcu_head *head)
{
	struct mount *m = container_of(head, struct mount, rcu);

	kfree(m->source);
	kfree(m);
}

bool mount_get_live(struct mount *m)
{
	return refcount_inc_not_zero(&m->refs);
}

void mount_put(struct mount *m)
{
	if (!refcount_dec_and_test(&m->refs))
		return;
	dentry_put(m->root);
	super_put(m->super);
	call_rcu(&m->rcu, mount_free_rcu);
}

struct mount *mount_internal(struct super *s)
{
	return mount_create(s, s->root, s->type->name, 0);
}

int mount_want_write(struct mount *m)
{
	return (m->flags | m->super->flags) & MS_RDONLY ? -EROFS : 0;
}

struct mount *mount_find(struct mount *parent, struct dentry *d)
{
	struct mount *m = rcu_dereference(d->mounted_here);

	while (m && (m->parent != parent || m == parent))
		m = rcu_dereference(m->next_here);
	return m;
}

void mount_follow_down(struct path *p)
{
	while (unlikely(READ_ONCE(p->dentry->flags) & DENTRY_MOUNTPOINT)) {
		struct path next;

		spin_lock(&mount_lock);
		next.mount = mount_find(p->mount, p->dentry);
		if (next.mount) {
			next.dentry = next.mount->root;
			path_get(&next);
		}
		spin_unlock(&mount_lock);
		if (!next.mount)
			return;
		path_put(p);
		*p = next;
	}
}

/* Puts m on p; both references of p become m's. mount_mutex held. */
static void attach(struct mount *m, const struct path *p)
{
	spin_lock(&mount_lock);
	m->parent = p->mount;
	m->mountpoint = p->dentry;
	m->next_here = p->dentry->mounted_here;
	rcu_assign(p->dentry->mounted_here, m);
	__atomic_fetch_or(&p->dentry->flags, DENTRY_MOUNTPOINT, __ATOMIC_RELAXED);
	p->mount->children++;
	if (list_empty(&m->link))
		list_add_tail(&m->link, &mount_list);
	spin_unlock(&mount_lock);
}

/* Takes m off its place; *was gets the references. The mount stays on the list. */
static void detach(struct mount *m, struct path *was)
{
	struct mount **p;

	spin_lock(&mount_lock);
	was->mount = m->parent;
	was->dentry = m->mountpoint;
	for (p = &m->mountpoint->mounted_here; *p != m; p = &(*p)->next_here)
		;
	rcu_assign(*p, m->next_here);
	if (!m->mountpoint->mounted_here)
		__atomic_fetch_and(&m->mountpoint->flags, ~(u32)DENTRY_MOUNTPOINT,
				   __ATOMIC_RELAXED);
	m->parent->children--;
	m->parent = m;
	m->mountpoint = m->root;
	spin_unlock(&mount_lock);
}

static void mount_list_remove(struct mount *m)
{
	spin_lock(&mount_lock);
	if (!list_empty(&m->link))
		list_del_init(&m->link);
	spin_unlock(&mount_lock);
}

/* A directory goes on a directory, a file on a file. */
static int attach_checked(struct mount *m, const struct path *target)
{
	struct path p = *target;

	if (S_ISDIR(m->root->inode->mode) != S_ISDIR(p.dentry->inode->mode))
		return -ENOTDIR;
	if (p.dentry->flags & DENTRY_UNLINKED)
		return -ENOENT;
	path_get(&p);
	attach(m, &p);
	return 0;
}

static const struct fs_type *type_find(const char *name)
{
	for (struct fs_type *t = fs_types; t; t = t->next) {
		if (strcmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

static int new_mount(const char *type, const char *source, const struct path *target,
		     unsigned long flags, const char *data, struct mount **out)
{
	const struct fs_type *t = type ? type_find(type) : NULL;
	struct super *s;
	int err;

	if (!type)
		return -EINVAL;
	if (!t)
		return -ENODEV;
	err = t->mount(t, source, flags, data, &s);
	if (err)
		return err;
	*out = mount_create(s, s->root, source, flags);
	super_put(s); /* the mount has its own */
	return *out ? 0 : -ENOMEM;
}

static int bind_mount(const char *source, const struct path *target, struct mount **out)
{
	struct path from;
	int err;

	if (!source)
		return -EINVAL;
	err = path_lookup(source, LOOKUP_FOLLOW, &from);
	if (err)
		return err;
	*out = mount_create(from.mount->super, from.dentry, from.mount->source, from.mount->flags);
	path_put(&from);
	return *out ? 0 : -ENOMEM;
}

static int remount(const struct path *target, unsigned long flags, const char *data)
{
	struct super *s = target->mount->super;
	int err = 0;

	if (target->dentry != target->mount->root)
		return -EINVAL;
	if (!(flags & MS_BIND)) {
		if (s->ops->remount)
			err = s->ops->remount(s, flags, data);
		if (err)
			return err;
		s->flags = flags & MS_RDONLY;
	}
	target->mount->flags = flags & MOUNT_FLAGS_KEPT;
	return 0;
}

static bool mount_is_below(const struct mount *m, const struct mount *top)
{
	for (; m != top; m = m->parent) {
		if (m->parent == m)
			return false;
	}
	return true;
}

static int move_mount(const char *source, const struct path *target)
{
	struct path from, was;
	int err = path_lookup(source ? source : "", LOOKUP_FOLLOW, &from);

	if (err)
		return err;
	if (from.dentry != from.mount->root || from.mount->parent == from.mount)
		err = -EINVAL;
	else if (mount_is_below(target->mount, from.mount))
		err = -ELOOP;
	else if (S_ISDIR(from.dentry->inode->mode) != S_ISDIR(target->dentry->inode->mode))
		err = -ENOTDIR;
	if (!err) {
		detach(from.mount, &was);
		path_put(&was);
		err = attach_checked(from.mount, target);
	}
	path_put(&from);
	return err;
}

int mount_path(const char *type, const char *source, const struct path *target, unsigned long flags,
	       const char *data)
{
	struct mount *m = NULL;
	int err;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(unsigned long)MS_MGC_MSK;
	mutex_lock(&mount_mutex);
	if (flags & MS_REMOUNT)
		err = remount(target, flags, data);
	else if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
		err = target->dentry == target->mount->root ? 0 : -EINVAL;
	else if (flags & MS_MOVE)
		err = move_mount(source, target);
	else if (flags & MS_BIND)
		err = bind_mount(source, target, &m);
	else
		err = new_mount(type, source, target, flags, data, &m);
	if (!err && m) {
		err = attach_checked(m, target);
		if (err)
			mount_put(m);
	}
	mutex_unlock(&mount_mutex);
	return err;
}

int vfs_mount(const char *type, const char *source, const char *target, unsigned long flags,
	      const char *data)
{
	struct path p;
	int err;

	if (!fs_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = path_lookup(target, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	err = mount_path(type, source, &p, flags, data);
	path_put(&p);
	return err;
}

/* The tree's first mount; current and all to come stand in it. */
int mount_root(const char *type)
{
	struct path root;
	struct mount *m;
	int err = new_mount(type, "rootfs", NULL, 0, NULL, &m);

	if (err)
		return err;
	spin_lock(&mount_lock);
	list_add_tail(&m->link, &mount_list);
	spin_unlock(&mount_lock);
	root.mount = m;
	root.dentry = m->root;
	path_get(&root);
	path_get(&root);
	init_fs_context.root = root;
	init_fs_context.cwd = root;
	return 0;
}

struct mount *mount_nth(unsigned n)
{
	struct mount *m, *found = NULL;

	spin_lock(&mount_lock);
	list_for_each_entry(m, &mount_list, link) {
		if (n-- == 0) {
			mount_get(m);
			found = m;
			break;
		}
	}
	spin_unlock(&mount_lock);
	return found;
}

void mount_release(struct mount *m)
{
	mount_put(m);
}

/* --- umount --- */

/* The references that an idle mount has: the tree's, and the caller's path. */
#define IDLE_REFS 2

static void umount_one(struct mount *m)
{
	struct path was;

	detach(m, &was);
	mount_list_remove(m);
	path_put(&was);
	mount_put(m); /* the tree's */
}

/* MNT_DETACH: with all that is mounted below. */
static void umount_tree(struct mount *top)
{
	for (;;) {
		struct mount *m, *victim = top;

		spin_lock(&mount_lock);
		list_for_each_entry(m, &mount_list, link) {
			if (m != top && !m->children && mount_is_below(m, top)) {
				victim = m;
				break;
			}
		}
		spin_unlock(&mount_lock);
		umount_one(victim);
		if (victim == top)
			return;
	}
}

static int umount_locked(struct path *p, int flags)
{
	struct mount *m = p->mount;

	if (p->dentry != m->root || list_empty(&m->link))
		return -EINVAL;
	if (m->parent == m)
		return flags & MNT_DETACH ? -EINVAL : -EBUSY;
	if (flags & MNT_DETACH) {
		umount_tree(m);
		return 0;
	}
	if (m->children || refcount_read(&m->refs) > IDLE_REFS)
		return -EBUSY;
	umount_one(m);
	return 0;
}

int vfs_umount(const char *target, int flags)
{
	struct path p;
	int err;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if (!fs_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = path_lookup(target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	mutex_lock(&mount_mutex);
	err = umount_locked(&p, flags);
	mutex_unlock(&mount_mutex);
	path_put(&p);
	return err;
}

/* --- pivot_root --- */

static int pivot_check(const struct path *new, const struct path *put, const struct path *root)
{
	if (new->dentry != new->mount->root || new->mount->parent == new->mount ||
	    root->dentry != root->mount->root)
		return -EINVAL;
	if (new->mount == root->mount || put->mount == root->mount)
		return -EBUSY;
	if (!mount_is_below(put->mount, new->mount))
		return -EINVAL;
	return 0;
}

int vfs_pivot_root(const char *new_root, const char *put_old)
{
	struct path new, put, root, was, was_root = { NULL, NULL };
	int err;

	if (!fs_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = path_lookup(new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (err)
		return err;
	err = path_lookup(put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &put);
	if (err)
		goto out_new;
	fs_context_root(&root);
	mutex_lock(&mount_mutex);
	err = pivot_check(&new, &put, &root);
	if (!err) {
		bool has_parent = root.mount->parent != root.mount;

		detach(new.mount, &was);
		if (has_parent)
			detach(root.mount, &was_root);
		path_get(&put);
		attach(root.mount, &put);
		if (has_parent)
			attach(new.mount, &was_root);
		path_put(&was);
		fs_replace_root(&root, &new);
	}
	mutex_unlock(&mount_mutex);
	path_put(&root);
	path_put(&put);
out_new:
	path_put(&new);
	return err;
}

/* Every super block that is mounted. */
void vfs_sync_all(void)
{
	struct mount *m;

	mutex_lock(&mount_mutex);
	list_for_each_entry(m, &mount_list, link) {
		if (m->super->ops->sync)
			m->super->ops->sync(m->super);
	}
	mutex_unlock(&mount_mutex);
}
