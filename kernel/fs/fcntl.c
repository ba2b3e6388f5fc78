/*
 * What fcntl and ioctl do for every kind of file. Manual: fcntl(2), ioctl(2), ioctl_list(2).
 */
#include <arch/uaccess.h>
#include <fs/events.h>
#include <fs/locks.h>
#include <fs/pipe.h>
#include <uapi/ioctls.h>
#include <uapi/statfs.h>
#include "internal.h"

#define SETFL_MASK (O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK)

static long set_flags(struct file *f, u32 arg)
{
	u32 old = f->flags;

	if (arg & O_NOATIME && !(old & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	if (arg & O_DIRECT && !(old & O_DIRECT) && !S_ISFIFO(f->inode->mode) &&
	    !S_ISBLK(f->inode->mode))
		return -EINVAL;
	__atomic_store_n(&f->flags, (old & ~(u32)SETFL_MASK) | (arg & SETFL_MASK),
			 __ATOMIC_RELAXED);
	return 0;
}

static long record_lock(struct file *f, unsigned cmd, unsigned long arg)
{
	bool ofd = cmd >= F_OFD_GETLK;
	struct flock fl;
	long err;

	if (copy_obj_from_user(&fl, arg))
		return -EFAULT;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK) {
		err = locks_get(f, &fl, ofd);
		return err ? err : copy_obj_to_user(arg, &fl);
	}
	return locks_set(f, &fl, ofd, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

static long set_owner(struct file *f, s32 id)
{
	if (id == INT32_MIN)
		return -EINVAL;
	f->owner_type = id < 0 ? F_OWNER_PGRP : F_OWNER_PID;
	f->owner_pid = id < 0 ? -id : id;
	return 0;
}

static long owner_ex(struct file *f, unsigned cmd, unsigned long arg)
{
	struct f_owner_ex ex = { f->owner_type, f->owner_pid };

	if (cmd == F_GETOWN_EX)
		return copy_obj_to_user(arg, &ex);
	if (copy_obj_from_user(&ex, arg))
		return -EFAULT;
	if (ex.type < F_OWNER_TID || ex.type > F_OWNER_PGRP)
		return -EINVAL;
	f->owner_type = ex.type;
	f->owner_pid = ex.pid;
	return 0;
}

static long fcntl_path_file(int fd, unsigned cmd, unsigned long arg, struct file *f);

/* Commands about the descriptor, which O_PATH files have too. */
static long fcntl_fd(int fd, unsigned cmd, unsigned long arg, struct file *f, bool *handled)
{
	*handled = true;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return (long)arg > INT32_MAX ? -EINVAL
					     : fd_dup(fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD: return fd_get_cloexec(fd);
	case F_SETFD: return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	case F_GETFL: return f->flags;
	default: *handled = false; return 0;
	}
}

long file_fcntl(int fd, struct file *f, unsigned cmd, unsigned long arg)
{
	bool handled;
	long ret = fcntl_fd(fd, cmd, arg, f, &handled);

	if (handled)
		return ret;
	return f->mode & FMODE_PATH ? -EBADF : fcntl_path_file(fd, cmd, arg, f);
}

static long fcntl_path_file(int fd, unsigned cmd, unsigned long arg, struct file *f)
{
	(void)fd;
	switch (cmd) {
	case F_SETFL: return set_flags(f, (u32)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW: return record_lock(f, cmd, arg);
	case F_SETOWN: return set_owner(f, (s32)arg);
	case F_GETOWN: return f->owner_type == F_OWNER_PGRP ? -f->owner_pid : f->owner_pid;
	case F_SETOWN_EX:
	case F_GETOWN_EX: return owner_ex(f, cmd, arg);
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->owner_sig = (int)arg;
		return 0;
	case F_GETSIG: return f->owner_sig;
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ: return pipe_fcntl(f, cmd, arg);
	case F_ADD_SEALS:
	case F_GET_SEALS: return memfd_fcntl(f, cmd, arg);
	case F_GETLEASE: return F_UNLCK;
	case F_GET_RW_HINT: return put_user_u64(arg, 0);
	case F_SET_RW_HINT: return 0;
	default: return -EINVAL;
	}
}

static long set_flag_from_user(struct file *f, u32 flag, unsigned long arg)
{
	u32 on;

	if (get_user_u32(&on, arg))
		return -EFAULT;
	if (on)
		__atomic_fetch_or(&f->flags, flag, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&f->flags, ~flag, __ATOMIC_RELAXED);
	return 0;
}

long file_ioctl(int fd, struct file *f, unsigned cmd, unsigned long arg)
{
	switch (cmd) {
	case FIOCLEX: return fd_set_cloexec(fd, true);
	case FIONCLEX: return fd_set_cloexec(fd, false);
	case FIONBIO: return set_flag_from_user(f, O_NONBLOCK, arg);
	case FIOASYNC: return set_flag_from_user(f, O_ASYNC, arg);
	case FIOQSIZE: return S_ISREG(f->inode->mode) ? put_user_u64(arg, f->inode->size) : -ENOTTY;
	case FIGETBSZ:
		return f->inode->super ? put_user_u32(arg, f->inode->super->block_size) : -EBADF;
	default: break;
	}
	if (cmd == FIONREAD && S_ISREG(f->inode->mode)) {
		s64 left = (s64)f->inode->size - f->pos;

		return put_user_u32(arg, (u32)max_t(s64, left, 0));
	}
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}
