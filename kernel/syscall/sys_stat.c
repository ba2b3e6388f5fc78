/*
 * Attributes: stat and its kin, statx, access, chmod, chown, utimes, truncate.
 * Manual: stat(2), statx(2), access(2), chmod(2), chown(2), utimensat(2), truncate(2).
 */
#include <lib/string.h>
#include <mm/slab.h>
#include <proc/cred.h>
#include <sched/thread.h>
#include <uapi/statfs.h>
#include "fs_args.h"

#define NSEC ((s64)NSEC_PER_SEC)

/* Times before 1970 have seconds rounded down. */
static s64 sec_of(s64 ns)
{
	return likely(ns >= 0) ? (s64)((u64)ns / (u64)NSEC) : -((-ns + NSEC - 1) / NSEC);
}
static u32 nsec_of(s64 ns)
{
	return (u32)(ns - sec_of(ns) * NSEC);
}

static int stat_out(uptr_t ubuf, const struct kstat *k)
{
	struct stat st = {
		.st_dev = k->dev,
		.st_ino = k->ino,
		.st_nlink = k->nlink,
		.st_mode = k->mode,
		.st_uid = k->uid,
		.st_gid = k->gid,
		.st_rdev = k->rdev,
		.st_size = (s64)k->size,
		.st_blksize = (s64)k->blksize,
		.st_blocks = (s64)k->blocks,
	};

	st.st_atime_sec = (u64)sec_of(k->atime_ns);
	st.st_atime_nsec = (u64)k->atime_ns - st.st_atime_sec * NSEC_PER_SEC;
	st.st_mtime_sec = (u64)sec_of(k->mtime_ns);
	st.st_mtime_nsec = (u64)k->mtime_ns - st.st_mtime_sec * NSEC_PER_SEC;
	st.st_ctime_sec = (u64)sec_of(k->ctime_ns);
	st.st_ctime_nsec = (u64)k->ctime_ns - st.st_ctime_sec * NSEC_PER_SEC;
	return copy_obj_to_user(ubuf, &st);
}

static int fstat_kernel(int fd, struct kstat *k)
{
	struct fd f = fd_get_any(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = vfs_fstat(f.file, k);
	fd_put(f);
	return err;
}

static int stat_kernel(int dirfd, uptr_t path, unsigned lookup, struct kstat *k)
{
	struct path_arg p;
	int err = path_arg_get(&p, path, lookup & LOOKUP_EMPTY);

	if (unlikely(err))
		return err;
	err = vfs_stat_at(dirfd, p.s, lookup, k);
	path_arg_put(&p);
	return err;
}

static long do_stat(int dirfd, uptr_t path, unsigned lookup, uptr_t ubuf)
{
	struct kstat k;
	int err = stat_kernel(dirfd, path, lookup, &k);

	return err ? err : stat_out(ubuf, &k);
}

long sys_stat(uptr_t path, uptr_t st)
{
	return do_stat(AT_FDCWD, path, LOOKUP_FOLLOW, st);
}

long sys_lstat(uptr_t path, uptr_t st)
{
	return do_stat(AT_FDCWD, path, 0, st);
}

long sys_fstat(int fd, uptr_t st)
{
	struct kstat k;
	int err = fstat_kernel(fd, &k);

	return err ? err : stat_out(st, &k);
}

/* AT_EMPTY_PATH with "": the descriptor itself, as fstat (which libc makes of it). */
static bool is_empty_path(uptr_t path)
{
	u8 c;

	return get_user_u8(&c, path) == 0 && c == 0;
}

long sys_newfstatat(int dirfd, uptr_t path, uptr_t st, unsigned at_flags)
{
	int lookup = LOOKUP_FOLLOW;

	if (at_flags) {
		lookup = lookup_flags(at_flags,
				      AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH, true);
		if (lookup < 0)
			return lookup;
		if (at_flags & AT_EMPTY_PATH && dirfd >= 0 && is_empty_path(path))
			return sys_fstat(dirfd, st);
	}
	return do_stat(dirfd, path, (unsigned)lookup, st);
}

static struct statx_timestamp to_statx_time(s64 ns)
{
	return (struct statx_timestamp){ .tv_sec = sec_of(ns), .tv_nsec = nsec_of(ns) };
}

long sys_statx(int dirfd, uptr_t path, unsigned at_flags, unsigned mask, uptr_t ubuf)
{
	int lookup = lookup_flags(at_flags & ~(unsigned)AT_STATX_SYNC_TYPE,
				  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH, true);
	struct statx sx = {};
	struct kstat k;
	int err;

	if (lookup < 0)
		return lookup;
	if (mask & STATX_RESERVED || (at_flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if (at_flags & AT_EMPTY_PATH && dirfd >= 0 && is_empty_path(path))
		err = fstat_kernel(dirfd, &k);
	else
		err = stat_kernel(dirfd, path, (unsigned)lookup, &k);
	if (err)
		return err;
	sx.stx_mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
	sx.stx_blksize = k.blksize;
	sx.stx_attributes = k.mount_root ? STATX_ATTR_MOUNT_ROOT : 0;
	sx.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
	sx.stx_nlink = k.nlink;
	sx.stx_uid = k.uid;
	sx.stx_gid = k.gid;
	sx.stx_mode = (u16)k.mode;
	sx.stx_ino = k.ino;
	sx.stx_size = k.size;
	sx.stx_blocks = k.blocks;
	sx.stx_atime = to_statx_time(k.atime_ns);
	sx.stx_btime = to_statx_time(k.btime_ns);
	sx.stx_ctime = to_statx_time(k.ctime_ns);
	sx.stx_mtime = to_statx_time(k.mtime_ns);
	sx.stx_rdev_major = MAJOR(k.rdev);
	sx.stx_rdev_minor = MINOR(k.rdev);
	sx.stx_dev_major = MAJOR(k.dev);
	sx.stx_dev_minor = MINOR(k.dev);
	sx.stx_mnt_id = k.mount_id;
	return copy_obj_to_user(ubuf, &sx);
}

/* --- access --- */

static int access_path(const struct path *p, int mode)
{
	struct inode *inode = p->dentry->inode;
	int err;

	if (mode & MAY_EXEC && S_ISREG(inode->mode) && p->mount->flags & MS_NOEXEC)
		return -EACCES;
	err = inode_permission(inode, mode);
	if (!err && mode & MAY_WRITE && !S_ISCHR(inode->mode) && !S_ISBLK(inode->mode) &&
	    !S_ISFIFO(inode->mode) && !S_ISSOCK(inode->mode) &&
	    (p->mount->flags | p->mount->super->flags) & MS_RDONLY)
		err = -EROFS;
	return err;
}

/* access(2) asks for the real ids: for the time of the walk they are the ones in use. */
static struct cred *real_cred(void)
{
	const struct cred *c = current->cred;
	struct cred *real;

	if (c->uid == c->fsuid && c->gid == c->fsgid)
		return NULL;
	if (cred_copy(&real))
		return NULL;
	real->fsuid = real->uid;
	real->fsgid = real->gid;
	real->cap_effective = real->uid ? 0 : real->cap_permitted;
	return real;
}

static long do_access(int dirfd, uptr_t path, int mode, unsigned at_flags)
{
	int lookup = lookup_flags(at_flags & ~(unsigned)AT_EACCESS,
				  AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, true);
	struct cred *old = current->cred, *real = NULL;
	struct path p;
	int err;

	if (lookup < 0 || mode & ~7)
		return -EINVAL;
	if (!(at_flags & AT_EACCESS))
		real = real_cred();
	if (real)
		current->cred = real;
	err = path_lookup_user(dirfd, path, (unsigned)lookup, &p);
	if (!err) {
		err = mode ? access_path(&p, mode) : 0;
		path_put(&p);
	}
	if (real) {
		current->cred = old;
		cred_put(real);
	}
	return err;
}

long sys_access(uptr_t path, int mode)
{
	return do_access(AT_FDCWD, path, mode, 0);
}

long sys_faccessat(int dirfd, uptr_t path, int mode)
{
	return do_access(dirfd, path, mode, 0);
}

long sys_faccessat2(int dirfd, uptr_t path, int mode, unsigned flags)
{
	return do_access(dirfd, path, mode, flags);
}

/* --- changes --- */

static long setattr_at(int dirfd, uptr_t path, unsigned lookup, const struct iattr *a)
{
	struct path p;
	int err = path_lookup_user(dirfd, path, lookup, &p);

	if (err)
		return err;
	err = vfs_setattr(&p, a);
	path_put(&p);
	return err;
}

static long setattr_fd(int fd, const struct iattr *a)
{
	struct fd f = fd_get(fd);
	struct path p;
	int err;

	if (!f.file)
		return -EBADF;
	err = file_get_path(f.file, &p);
	if (!err) {
		err = vfs_setattr(&p, a);
		path_put(&p);
	}
	fd_put(f);
	return err;
}

static struct iattr mode_attr(unsigned mode)
{
	return (struct iattr){ .valid = ATTR_MODE, .mode = mode & S_IALLUGO };
}

long sys_chmod(uptr_t path, unsigned mode)
{
	struct iattr a = mode_attr(mode);

	return setattr_at(AT_FDCWD, path, LOOKUP_FOLLOW, &a);
}

long sys_fchmodat(int dirfd, uptr_t path, unsigned mode)
{
	struct iattr a = mode_attr(mode);

	return setattr_at(dirfd, path, LOOKUP_FOLLOW, &a);
}

long sys_fchmod(int fd, unsigned mode)
{
	struct iattr a = mode_attr(mode);

	return setattr_fd(fd, &a);
}

static struct iattr owner_attr(unsigned uid, unsigned gid)
{
	return (struct iattr){ .valid = (uid == ~0u ? 0 : ATTR_UID) | (gid == ~0u ? 0 : ATTR_GID),
			       .uid = uid,
			       .gid = gid };
}

long sys_chown(uptr_t path, unsigned uid, unsigned gid)
{
	struct iattr a = owner_attr(uid, gid);

	return setattr_at(AT_FDCWD, path, LOOKUP_FOLLOW, &a);
}

long sys_lchown(uptr_t path, unsigned uid, unsigned gid)
{
	struct iattr a = owner_attr(uid, gid);

	return setattr_at(AT_FDCWD, path, 0, &a);
}

long sys_fchown(int fd, unsigned uid, unsigned gid)
{
	struct iattr a = owner_attr(uid, gid);

	return setattr_fd(fd, &a);
}

long sys_fchownat(int dirfd, uptr_t path, unsigned uid, unsigned gid, unsigned at_flags)
{
	int lookup = lookup_flags(at_flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, true);
	struct iattr a = owner_attr(uid, gid);

	return lookup < 0 ? lookup : setattr_at(dirfd, path, (unsigned)lookup, &a);
}

long sys_truncate(uptr_t path, long length)
{
	struct path p;
	int err;

	if (length < 0)
		return -EINVAL;
	err = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	err = vfs_truncate(&p, (u64)length);
	path_put(&p);
	return err;
}

long sys_ftruncate(int fd, long length)
{
	struct fd f = fd_get(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = length < 0 ? -EINVAL : file_truncate(f.file, (u64)length);
	fd_put(f);
	return err;
}

/* --- times --- */

/* One of the two, in ns; UTIME_NOW and UTIME_OMIT in nsec. */
static int set_time(struct iattr *a, const struct timespec *ts, s64 *out, u32 bit)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return 0;
	if (ts->tv_nsec == UTIME_NOW)
		*out = inode_now();
	else if ((u64)ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	else
		*out = ts->tv_sec * NSEC + ts->tv_nsec;
	a->valid |= bit;
	return 0;
}

/* Setting to now needs the right to write; to anything else, the owner. */
static int may_set_times(const struct path *p, const struct timespec ts[2])
{
	if (inode_owner_or_capable(p->dentry->inode))
		return 0;
	if (ts[0].tv_nsec == UTIME_NOW && ts[1].tv_nsec == UTIME_NOW)
		return path_permission(p, MAY_WRITE);
	return -EPERM;
}

static int set_times_path(const struct path *p, const struct timespec ts[2])
{
	struct iattr a = {};
	int err = set_time(&a, &ts[0], &a.atime_ns, ATTR_ATIME);

	if (!err)
		err = set_time(&a, &ts[1], &a.mtime_ns, ATTR_MTIME);
	if (err || !a.valid)
		return err;
	err = may_set_times(p, ts);
	return err ? err : vfs_setattr(p, &a);
}

/* path 0: the descriptor itself. */
static long set_times(int dirfd, uptr_t path, unsigned lookup, const struct timespec ts[2])
{
	struct path p;
	int err;

	if (path) {
		err = path_lookup_user(dirfd, path, lookup, &p);
	} else {
		struct fd f = fd_get(dirfd);

		if (!f.file)
			return -EBADF;
		err = file_get_path(f.file, &p);
		fd_put(f);
	}
	if (err)
		return err;
	err = set_times_path(&p, ts);
	path_put(&p);
	return err;
}

static const struct timespec both_now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

long sys_utimensat(int dirfd, uptr_t path, uptr_t utimes, unsigned at_flags)
{
	int lookup = lookup_flags(at_flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, true);
	struct timespec ts[2];

	if (lookup < 0)
		return lookup;
	memcpy(ts, both_now, sizeof(ts));
	if (utimes && copy_from_user(ts, utimes, sizeof(ts)))
		return -EFAULT;
	if (ts[0].tv_nsec == UTIME_OMIT && ts[1].tv_nsec == UTIME_OMIT)
		return 0;
	return set_times(dirfd, path, (unsigned)lookup, ts);
}

long sys_futimesat(int dirfd, uptr_t path, uptr_t utimes)
{
	struct timespec ts[2];
	struct timeval tv[2];

	memcpy(ts, both_now, sizeof(ts));
	if (utimes) {
		if (copy_from_user(tv, utimes, sizeof(tv)))
			return -EFAULT;
		for (int i = 0; i < 2; i++) {
			if ((u64)tv[i].tv_usec >= 1000000)
				return -EINVAL;
			ts[i] = (struct timespec){ tv[i].tv_sec, tv[i].tv_usec * 1000 };
		}
	}
	return set_times(dirfd, path, LOOKUP_FOLLOW, ts);
}

long sys_utimes(uptr_t path, uptr_t utimes)
{
	return sys_futimesat(AT_FDCWD, path, utimes);
}

long sys_utime(uptr_t path, uptr_t times)
{
	struct timespec ts[2];
	s64 sec[2];

	memcpy(ts, both_now, sizeof(ts));
	if (times) {
		if (copy_from_user(sec, times, sizeof(sec)))
			return -EFAULT;
		ts[0] = (struct timespec){ sec[0], 0 };
		ts[1] = (struct timespec){ sec[1], 0 };
	}
	return set_times(AT_FDCWD, path, LOOKUP_FOLLOW, ts);
}
