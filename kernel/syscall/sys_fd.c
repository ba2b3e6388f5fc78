/*
 * Calls on open files: fcntl, ioctl, flock, fallocate, advice; pipes and copies within the kernel.
 * Manual: fcntl(2), ioctl(2), flock(2), fallocate(2), posix_fadvise(2), pipe(2), splice(2), tee(2),
 * vmsplice(2), sendfile(2), copy_file_range(2).
 */
#include <fs/events.h>
#include <fs/splice.h>
#include "fs_args.h"

long sys_fcntl(int fd, int cmd, uptr_t arg)
{
	struct fd f = fd_get_any(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = file_fcntl(fd, f.file, (unsigned)cmd, arg);
	fd_put(f);
	return ret;
}

long sys_ioctl(int fd, unsigned cmd, uptr_t arg)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = file_ioctl(fd, f.file, cmd, arg);
	fd_put(f);
	return ret;
}

long sys_flock(int fd, int op)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = file_flock(f.file, op);
	fd_put(f);
	return ret;
}

static long fallocate_file(struct file *f, int mode, long offset, long len)
{
	if (offset < 0 || len <= 0)
		return -EINVAL;
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode))
		return -ENODEV;
	if (offset + len < 0)
		return -EFBIG;
	return f->ops->fallocate ? f->ops->fallocate(f, mode, offset, len) : -EOPNOTSUPP;
}

long sys_fallocate(int fd, int mode, long offset, long len)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = fallocate_file(f.file, mode, offset, len);
	fd_put(f);
	return ret;
}

/* Advice changes nothing here: what is cached stays. */
long sys_fadvise64(int fd, long offset, size_t len, int advice)
{
	struct fd f = fd_get(fd);
	long ret = 0;

	(void)offset;
	if (!f.file)
		return -EBADF;
	if (S_ISFIFO(f.file->inode->mode))
		ret = -ESPIPE;
	else if ((ssize_t)len < 0 || advice < 0 || advice > 5)
		ret = -EINVAL;
	fd_put(f);
	return ret;
}

long sys_readahead(int fd, long offset, size_t count)
{
	struct fd f = fd_get(fd);
	long ret = 0;

	(void)offset, (void)count;
	if (!f.file || !(f.file->mode & FMODE_READ))
		ret = -EBADF;
	else if (!S_ISREG(f.file->inode->mode) && !S_ISBLK(f.file->inode->mode))
		ret = -EINVAL;
	fd_put(f);
	return ret;
}

/* --- pipes --- */

long sys_pipe2(uptr_t ufds, unsigned flags)
{
	struct file *r, *w;
	int fds[2], err;

	if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create(&r, &w, flags);
	if (err)
		return err;
	err = fds[0] = fd_reserve(0, flags & O_CLOEXEC);
	if (err < 0)
		goto out_files;
	err = fds[1] = fd_reserve(0, flags & O_CLOEXEC);
	if (err < 0)
		goto out_first;
	err = copy_to_user(ufds, fds, sizeof(fds));
	if (err)
		goto out_second;
	fd_install(fds[0], r);
	fd_install(fds[1], w);
	return 0;
out_second:
	fd_unreserve(fds[1]);
out_first:
	fd_unreserve(fds[0]);
out_files:
	file_put(r);
	file_put(w);
	return err;
}

long sys_pipe(uptr_t fds)
{
	return sys_pipe2(fds, 0);
}

/* --- copies --- */

/* An optional position in user memory. */
static int pos_get(uptr_t upos, loff_t *pos, loff_t **out)
{
	*out = NULL;
	if (!upos)
		return 0;
	if (copy_obj_from_user(pos, upos))
		return -EFAULT;
	*out = pos;
	return *pos < 0 ? -EINVAL : 0;
}

static long pos_put(uptr_t upos, const loff_t *pos, long ret)
{
	if (upos && ret > 0 && copy_obj_to_user(upos, pos))
		return -EFAULT;
	return ret;
}

struct two_fds {
	struct fd in, out;
};

static int two_get(struct two_fds *t, int in, int out)
{
	t->in = fd_get(in);
	t->out = fd_get(out);
	if (t->in.file && t->out.file)
		return 0;
	fd_put(t->in);
	fd_put(t->out);
	return -EBADF;
}

static void two_put(struct two_fds *t)
{
	fd_put(t->in);
	fd_put(t->out);
}

static bool seekable(const struct file *f)
{
	return !(f->mode & FMODE_NOSEEK) && f->ops->seek;
}

long sys_splice(int in, uptr_t uin_pos, int out, uptr_t uout_pos, size_t len, unsigned flags)
{
	loff_t in_pos, out_pos, *ip, *op;
	struct two_fds t;
	long ret;

	if (flags & ~15u)
		return -EINVAL;
	if (!len)
		return 0;
	ret = two_get(&t, in, out);
	if (ret)
		return ret;
	ret = pos_get(uin_pos, &in_pos, &ip);
	if (!ret)
		ret = pos_get(uout_pos, &out_pos, &op);
	if (!ret && ((ip && !file_pipe(t.in.file) && !seekable(t.in.file)) ||
		     (op && !file_pipe(t.out.file) && !seekable(t.out.file))))
		ret = -EINVAL;
	if (!ret)
		ret = pipe_splice(t.in.file, ip, t.out.file, op, min(len, MAX_RW_COUNT), flags);
	ret = pos_put(uin_pos, &in_pos, ret);
	ret = pos_put(uout_pos, &out_pos, ret);
	two_put(&t);
	return ret;
}

long sys_tee(int in, int out, size_t len, unsigned flags)
{
	struct two_fds t;
	long ret;

	if (flags & ~15u)
		return -EINVAL;
	if (!len)
		return 0;
	ret = two_get(&t, in, out);
	if (ret)
		return ret;
	ret = pipe_tee(t.in.file, t.out.file, min(len, MAX_RW_COUNT), flags);
	two_put(&t);
	return ret;
}

/* Always by copying; gifts are taken as copies too. */
long sys_vmsplice(int fd, uptr_t vec, unsigned long nr, unsigned flags)
{
	struct fd f = fd_get(fd);
	bool pipe, write;

	if (!f.file)
		return -EBADF;
	pipe = file_pipe(f.file);
	write = f.file->mode & FMODE_WRITE;
	fd_put(f);
	if (flags & ~15u)
		return -EINVAL;
	if (!pipe)
		return -EBADF;
	return write ? sys_writev(fd, vec, nr) : sys_readv(fd, vec, nr);
}

static long sendfile_checked(struct two_fds *t, loff_t *pos, size_t count)
{
	struct file *in = t->in.file, *out = t->out.file;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (pos && !seekable(in))
		return -ESPIPE;
	if (file_pipe(in) || S_ISDIR(in->inode->mode) || out->flags & O_APPEND)
		return -EINVAL;
	return file_copy(in, pos, out, NULL, min(count, MAX_RW_COUNT));
}

long sys_sendfile(int out, int in, uptr_t upos, size_t count)
{
	struct two_fds t;
	loff_t pos, *p;
	long ret = two_get(&t, in, out);

	if (ret)
		return ret;
	ret = pos_get(upos, &pos, &p);
	if (!ret)
		ret = sendfile_checked(&t, p, count);
	ret = pos_put(upos, &pos, ret);
	two_put(&t);
	return ret;
}

static long copy_range_checked(struct two_fds *t, loff_t *ip, loff_t *op, size_t len)
{
	struct file *in = t->in.file, *out = t->out.file;
	u64 from = (u64)(ip ? *ip : in->pos), to = (u64)(op ? *op : out->pos);

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || out->flags & O_APPEND)
		return -EBADF;
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (in->inode->super != out->inode->super &&
	    in->inode->super->type != out->inode->super->type)
		return -EXDEV;
	if (from >= in->inode->size)
		return 0;
	len = min(len, (size_t)(in->inode->size - from));
	if (in->inode == out->inode && to < from + len && from < to + len)
		return -EINVAL;
	return file_copy(in, ip, out, op, min(len, MAX_RW_COUNT));
}

long sys_copy_file_range(int in, uptr_t uin_pos, int out, uptr_t uout_pos, size_t len,
			 unsigned flags)
{
	loff_t in_pos, out_pos, *ip, *op;
	struct two_fds t;
	long ret;

	if (flags)
		return -EINVAL;
	ret = two_get(&t, in, out);
	if (ret)
		return ret;
	ret = pos_get(uin_pos, &in_pos, &ip);
	if (!ret)
		ret = pos_get(uout_pos, &out_pos, &op);
	if (!ret)
		ret = copy_range_checked(&t, ip, op, len);
	ret = pos_put(uin_pos, &in_pos, ret);
	ret = pos_put(uout_pos, &out_pos, ret);
	two_put(&t);
	return ret;
}
