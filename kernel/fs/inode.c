/*
 * Inodes: making, freeing, permissions, attributes.
 *
 * An inode lives as long as it has references: from dentries, open files without one, and file systems.
 * At the last one super->ops->evict() frees what is private; the memory goes after a grace period, since
 * path walks look at inodes under rcu. Attributes change under inode->lock; stat reads them without it.
 * Manual: inode(7), path_resolution(7), chmod(2), chown(2).
 */
#include <core/time.h>
#include <debug/panic.h>
#include <uapi/signal.h>
#include <uapi/statfs.h>
#include "internal.h"

static struct kcache *inode_cache;
static u64 next_ino = 1; /* [a] */
struct fs_hooks fs_hooks;

void inode_cache_init(void)
{
	inode_cache = kcache_create("inode", sizeof(struct inode), 64);
}

u64 inode_next_number(void)
{
	return __atomic_add_fetch(&next_ino, 1, __ATOMIC_RELAXED);
}

static s64 recent_ns; /* [a] the last time somebody asked */

s64 inode_now(void)
{
	s64 now = (s64)time_realtime_ns();

	WRITE_ONCE(recent_ns, now);
	return now;
}

struct inode *inode_create(struct super *s, u32 mode)
{
	struct inode *inode = kcache_alloc(inode_cache, ALLOC_ZERO);

	if (!inode)
		return NULL;
	inode->mode = mode;
	inode->nlink = 1;
	inode->ino = inode_next_number();
	inode->super = s;
	inode->uid = fs_cred()->fsuid;
	inode->gid = fs_cred()->fsgid;
	inode->btime_ns = inode->ctime_ns = inode->mtime_ns = inode->atime_ns = inode_now();
	refcount_init(&inode->refs, 1);
	rwsem_init(&inode->lock, "inode", RANK_INODE);
	list_init(&inode->locks);
	mapping_init(&inode->mapping, NULL, inode);
	return inode;
}

/* Group and setgid bit come from a setgid directory. */
void inode_init_owner(struct inode *inode, const struct inode *dir, u32 mode)
{
	if (dir && dir->mode & S_ISGID) {
		inode->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			 !cred_in_group(fs_cred(), dir->gid) && !fs_capable(CAP_FSETID))
			mode &= ~(u32)S_ISGID;
	}
	inode->mode = mode;
}

static void inode_free_rcu(struct rcu_head *head)
{
	struct inode *inode = container_of(head, struct inode, rcu);

	kfree((void *)(uintptr_t)inode->link);
	kcache_free(inode_cache, inode);
}

void inode_put(struct inode *inode)
{
	if (!refcount_dec_and_test(&inode->refs))
		return;
	mapping_fini(&inode->mapping);
	if (inode->super && inode->super->ops && inode->super->ops->evict)
		inode->super->ops->evict(inode);
	call_rcu(&inode->rcu, inode_free_rcu);
}

/* --- permissions --- */

static int generic_permission(struct inode *inode, int mask)
{
	const struct cred *c = fs_cred();
	u32 mode = inode->mode;

	if (c->fsuid == inode->uid)
		mode >>= 6;
	else if (((mode >> 3) ^ mode) & mask & 7 && cred_in_group(c, inode->gid))
		mode >>= 3;
	if ((mask & ~mode & 7) == 0)
		return 0;
	if (S_ISDIR(inode->mode)) {
		if (fs_capable(CAP_DAC_OVERRIDE))
			return 0;
		if (!(mask & MAY_WRITE) && fs_capable(CAP_DAC_READ_SEARCH))
			return 0;
		return -EACCES;
	}
	/* Even root executes only what somebody may execute. */
	if ((!(mask & MAY_EXEC) || inode->mode & 0111) && fs_capable(CAP_DAC_OVERRIDE))
		return 0;
	if (mask == MAY_READ && fs_capable(CAP_DAC_READ_SEARCH))
		return 0;
	return -EACCES;
}

int inode_permission(struct inode *inode, int mask)
{
	if (unlikely(inode->ops && inode->ops->permission))
		return inode->ops->permission(inode, mask);
	return generic_permission(inode, mask);
}

int path_permission(const struct path *p, int mask)
{
	struct inode *inode = p->dentry->inode;

	if (mask & MAY_WRITE && mount_want_write(p->mount) &&
	    (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode)))
		return -EROFS;
	if (mask & MAY_EXEC && S_ISREG(inode->mode) && p->mount->flags & MS_NOEXEC)
		return -EACCES;
	return inode_permission(inode, mask);
}

bool inode_owner_or_capable(const struct inode *inode)
{
	return fs_cred()->fsuid == inode->uid || fs_capable(CAP_FOWNER);
}

/* --- writers against running programs --- */

int inode_get_write(struct inode *inode)
{
	s32 old = __atomic_load_n(&inode->write_count, __ATOMIC_RELAXED);

	do {
		if (old < 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(&inode->write_count, &old, old + 1, true,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return 0;
}

void inode_put_write(struct inode *inode)
{
	__atomic_fetch_sub(&inode->write_count, 1, __ATOMIC_SEQ_CST);
}

int inode_deny_write(struct inode *inode)
{
	s32 old = __atomic_load_n(&inode->write_count, __ATOMIC_RELAXED);

	do {
		if (old > 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(&inode->write_count, &old, old - 1, true,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return 0;
}

void inode_allow_write(struct inode *inode)
{
	__atomic_fetch_add(&inode->write_count, 1, __ATOMIC_SEQ_CST);
}

/* --- attributes --- */

void inode_touch(struct inode *inode)
{
	inode->mtime_ns = inode->ctime_ns = inode_now();
}

/* relatime: only when the access is the first since a change, or a day has gone by (as far as known
 * without looking at the clock: files that change somewhere tell). */
void file_accessed(struct file *f)
{
	struct inode *inode = f->inode;
	unsigned long flags = f->mount ? f->mount->flags : 0;

	if (likely(inode->atime_ns > inode->mtime_ns && inode->atime_ns > inode->ctime_ns &&
		   READ_ONCE(recent_ns) - inode->atime_ns < (s64)(24 * 3600 * NSEC_PER_SEC) &&
		   !(flags & MS_STRICTATIME)))
		return;
	if (f->flags & O_NOATIME || flags & (MS_NOATIME | MS_RDONLY) ||
	    (flags & MS_NODIRATIME && S_ISDIR(inode->mode)))
		return;
	inode->atime_ns = inode_now();
}

void inode_setattr_simple(struct inode *inode, const struct iattr *a)
{
	if (a->valid & ATTR_UID)
		inode->uid = a->uid;
	if (a->valid & ATTR_GID)
		inode->gid = a->gid;
	if (a->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (a->mode & S_IALLUGO);
	if (a->valid & ATTR_SIZE)
		inode->size = a->size;
	if (a->valid & ATTR_ATIME)
		inode->atime_ns = a->atime_ns;
	if (a->valid & ATTR_MTIME)
		inode->mtime_ns = a->mtime_ns;
	if (a->valid & ATTR_CTIME)
		inode->ctime_ns = a->ctime_ns;
}

/* A write or a change of owner takes the setuid bit away, and setgid of a program. */
u32 inode_mode_without_setid(const struct inode *inode)
{
	u32 mode = inode->mode & ~(u32)S_ISUID;

	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		mode &= ~(u32)S_ISGID;
	return mode;
}

static int setattr_locked(struct inode *inode, struct iattr *a)
{
	if (a->valid & (ATTR_UID | ATTR_GID)) {
		bool owner = fs_cred()->fsuid == inode->uid;

		if (a->valid & ATTR_UID && !(owner && a->uid == inode->uid) &&
		    !fs_capable(CAP_CHOWN))
			return -EPERM;
		if (a->valid & ATTR_GID &&
		    !(owner && (a->gid == inode->gid || cred_in_group(fs_cred(), a->gid))) &&
		    !fs_capable(CAP_CHOWN))
			return -EPERM;
		if (!S_ISDIR(inode->mode)) {
			a->mode = inode_mode_without_setid(inode);
			a->valid |= ATTR_MODE;
		}
	} else if (a->valid & ATTR_MODE) {
		if (!inode_owner_or_capable(inode))
			return -EPERM;
		if (a->mode & S_ISGID && !cred_in_group(fs_cred(), inode->gid) &&
		    !fs_capable(CAP_FSETID))
			a->mode &= ~(u32)S_ISGID;
	}
	a->ctime_ns = inode_now();
	a->valid |= ATTR_CTIME;
	if (inode->ops && inode->ops->setattr)
		return inode->ops->setattr(inode, a);
	if (a->valid & ATTR_SIZE)
		return -EINVAL;
	inode_setattr_simple(inode, a);
	return 0;
}

int vfs_setattr(const struct path *p, const struct iattr *attr)
{
	struct inode *inode = p->dentry->inode;
	struct iattr a = *attr;
	int err = mount_want_write(p->mount);

	if (err)
		return err;
	rwsem_write_lock(&inode->lock);
	err = setattr_locked(inode, &a);
	rwsem_write_unlock(&inode->lock);
	return err;
}

/* A change through an open file, whose right to it was checked at open (ftruncate). */
int inode_setattr_open(struct inode *inode, const struct iattr *attr)
{
	struct iattr a = *attr;
	int err;

	rwsem_write_lock(&inode->lock);
	err = setattr_locked(inode, &a);
	rwsem_write_unlock(&inode->lock);
	return err;
}

/* The limit of a file's size, for truncation; SIGXFSZ where it is exceeded. */
static int check_new_size(const struct inode *inode, u64 size)
{
	u64 limit = fs_hooks.limit_fsize ? fs_hooks.limit_fsize() : ~0ull;

	if (size <= inode->size || size <= limit)
		return 0;
	if (fs_hooks.signal_self)
		fs_hooks.signal_self(SIGXFSZ);
	return -EFBIG;
}

int vfs_truncate(const struct path *p, u64 size)
{
	struct inode *inode = p->dentry->inode;
	struct iattr a = { .valid = ATTR_SIZE | ATTR_MTIME, .size = size };
	int err;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	err = path_permission(p, MAY_WRITE);
	if (!err)
		err = check_new_size(inode, size);
	if (err)
		return err;
	err = inode_get_write(inode);
	if (err)
		return err;
	a.mtime_ns = inode_now();
	err = inode_setattr_open(inode, &a);
	inode_put_write(inode);
	return err;
}

int file_truncate(struct file *f, u64 size)
{
	struct iattr a = { .valid = ATTR_SIZE | ATTR_MTIME, .size = size };
	int err;

	if (!(f->mode & FMODE_WRITE) || !S_ISREG(f->inode->mode))
		return -EINVAL;
	err = check_new_size(f->inode, size);
	if (err)
		return err;
	a.mtime_ns = inode_now();
	return inode_setattr_open(f->inode, &a);
}

static int fill_stat(struct inode *inode, struct kstat *st)
{
	st->dev = inode->super ? inode->super->dev : 0;
	st->ino = inode->ino;
	st->rdev = inode->rdev;
	st->size = inode->size;
	st->blocks = S_ISREG(inode->mode) && !inode->blocks ? inode->mapping.nr_pages * 8
							    : inode->blocks;
	st->mode = inode->mode;
	st->nlink = inode->nlink;
	st->uid = inode->uid;
	st->gid = inode->gid;
	st->blksize = inode->super && inode->super->block_size ? inode->super->block_size : 4096;
	st->atime_ns = inode->atime_ns;
	st->mtime_ns = inode->mtime_ns;
	st->ctime_ns = inode->ctime_ns;
	st->btime_ns = inode->btime_ns;
	if (unlikely(inode->ops && inode->ops->getattr))
		return inode->ops->getattr(inode, st);
	return 0;
}

int vfs_getattr(const struct path *p, struct kstat *st)
{
	st->mount_id = p->mount ? p->mount->id : 0;
	st->mount_root = p->mount && p->mount->root == p->dentry;
	return fill_stat(p->dentry->inode, st);
}

/* Most file systems have all of it in the inode: then it is taken under rcu, without references. */
int vfs_stat_at(int dirfd, const char *path, unsigned flags, struct kstat *st)
{
	struct walk w;
	int err;

	if (unlikely(!*path && !(flags & LOOKUP_EMPTY)))
		return -ENOENT;
	err = walk_start_rcu(&w, dirfd, path, flags);
	if (likely(!err && w.rcu && !w.inode->ops->getattr)) {
		vfs_getattr(&w.path, st);
		if (likely(walk_end_rcu(&w))) {
			walk_end(&w);
			return 0;
		}
		err = -ECHILD;
	} else if (!err && w.rcu) {
		walk_end_rcu(&w);
		err = -ECHILD;
	}
	if (err == -ECHILD) { /* once more, with references */
		walk_end(&w);
		err = walk_start(&w, dirfd, path, flags);
	}
	if (!err)
		err = vfs_getattr(&w.path, st);
	walk_end(&w);
	return err;
}

int vfs_fstat(struct file *f, struct kstat *st)
{
	st->mount_id = f->mount ? f->mount->id : 0;
	st->mount_root = f->mount && f->mount->root == f->dentry;
	return fill_stat(f->inode, st);
}

ssize_t vfs_readlink(const struct path *p, char *buf, size_t size)
{
	struct inode *inode = p->dentry->inode;
	size_t n;

	if (!S_ISLNK(inode->mode))
		return -EINVAL;
	if (inode->ops && inode->ops->readlink)
		return inode->ops->readlink(p->dentry, buf, size);
	if (!inode->link)
		return -EIO;
	n = strlen(inode->link);
	n = min(n, size);
	memcpy(buf, inode->link, n);
	return (ssize_t)n;
}
