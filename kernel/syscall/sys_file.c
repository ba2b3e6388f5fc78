/*
 * read, write and their kin, lseek. Decoding and checks; the work is fs/read_write.c's.
 * Manual: read(2), write(2), pread(2), readv(2), preadv2(2), lseek(2).
 */
#include <mm/slab.h>
#include "fs_args.h"

/* One of the two hottest paths there are: each gets a copy of its own, with `mode` and `op` in it. */
static __always_inline long rw(int fd, uptr_t buf, size_t count, unsigned mode,
			       ssize_t (*op)(struct file *, struct uio *, loff_t *))
{
	struct fd f = fd_get(fd);
	struct uio u;
	ssize_t ret;

	if (unlikely(!f.file))
		return -EBADF;
	if (unlikely((ssize_t)count < 0 || !user_range_ok(buf, count))) {
		ret = !(f.file->mode & mode) ? -EBADF : (ssize_t)count < 0 ? -EINVAL : -EFAULT;
	} else {
		uio_init_user(&u, buf, min(count, MAX_RW_COUNT));
		ret = op(f.file, &u, NULL);
	}
	fd_put(f);
	return ret;
}

long sys_read(int fd, uptr_t buf, size_t count)
{
	return rw(fd, buf, count, FMODE_READ, file_read);
}

long sys_write(int fd, uptr_t buf, size_t count)
{
	return rw(fd, buf, count, FMODE_WRITE, file_write);
}

/* Can the file be read or written at a position? */
static int check_positional(const struct file *f, loff_t pos)
{
	if (pos < 0)
		return -EINVAL;
	return f->mode & FMODE_NOSEEK || !f->ops->seek ? -ESPIPE : 0;
}

static long rw_at(int fd, uptr_t buf, size_t count, loff_t pos, bool write)
{
	struct fd f = fd_get(fd);
	struct uio u;
	ssize_t ret;

	if (pos < 0) {
		fd_put(f);
		return -EINVAL;
	}
	if (!f.file)
		return -EBADF;
	ret = check_positional(f.file, pos);
	if (!ret && ((ssize_t)count < 0 || !user_range_ok(buf, count)))
		ret = (ssize_t)count < 0 ? -EINVAL : -EFAULT;
	if (!ret) {
		uio_init_user(&u, buf, min(count, MAX_RW_COUNT));
		ret = write ? file_write(f.file, &u, &pos) : file_read(f.file, &u, &pos);
	}
	fd_put(f);
	return ret;
}

long sys_pread64(int fd, uptr_t buf, size_t count, long pos)
{
	return rw_at(fd, buf, count, pos, false);
}

long sys_pwrite64(int fd, uptr_t buf, size_t count, long pos)
{
	return rw_at(fd, buf, count, pos, true);
}

/* pos NULL: the file's own position. */
static long rw_vec(int fd, uptr_t vec, unsigned long vlen, loff_t *pos, bool write)
{
	struct fd f = fd_get(fd);
	struct iov_arg iov;
	struct uio u;
	ssize_t ret = 0;

	if (!f.file)
		return -EBADF;
	if (pos)
		ret = check_positional(f.file, *pos);
	if (!ret && !(f.file->mode & (write ? FMODE_WRITE : FMODE_READ)))
		ret = -EBADF;
	if (!ret)
		ret = iov_get(&iov, vec, vlen, &u);
	if (!ret) {
		if (u.resid)
			ret = write ? file_write(f.file, &u, pos) : file_read(f.file, &u, pos);
		iov_put(&iov);
	}
	fd_put(f);
	return ret;
}

long sys_readv(int fd, uptr_t vec, unsigned long vlen)
{
	return rw_vec(fd, vec, vlen, NULL, false);
}

long sys_writev(int fd, uptr_t vec, unsigned long vlen)
{
	return rw_vec(fd, vec, vlen, NULL, true);
}

/* On ports of 64 bits the low word is the whole position. */
long sys_preadv(int fd, uptr_t vec, unsigned long vlen, unsigned long pos_low,
		unsigned long pos_high)
{
	loff_t pos = (loff_t)pos_low;

	(void)pos_high;
	return rw_vec(fd, vec, vlen, &pos, false);
}

long sys_pwritev(int fd, uptr_t vec, unsigned long vlen, unsigned long pos_low,
		 unsigned long pos_high)
{
	loff_t pos = (loff_t)pos_low;

	(void)pos_high;
	return rw_vec(fd, vec, vlen, &pos, true);
}

long sys_preadv2(int fd, uptr_t vec, unsigned long vlen, unsigned long pos_low,
		 unsigned long pos_high, int flags)
{
	loff_t pos = (loff_t)pos_low;

	(void)pos_high;
	if (flags & ~RWF_HIPRI)
		return -EOPNOTSUPP;
	return rw_vec(fd, vec, vlen, pos == -1 ? NULL : &pos, false);
}

long sys_pwritev2(int fd, uptr_t vec, unsigned long vlen, unsigned long pos_low,
		  unsigned long pos_high, int flags)
{
	loff_t pos = (loff_t)pos_low;
	long ret;

	(void)pos_high;
	if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	ret = rw_vec(fd, vec, vlen, pos == -1 ? NULL : &pos, true);
	if (ret > 0 && flags & (RWF_DSYNC | RWF_SYNC)) {
		long err = sys_fdatasync(fd);

		if (err && err != -EINVAL)
			return err;
	}
	return ret;
}

long sys_lseek(int fd, long offset, int whence)
{
	struct fd f = fd_get(fd);
	loff_t ret;

	if (!f.file)
		return -EBADF;
	ret = (unsigned)whence > SEEK_HOLE ? -EINVAL : file_seek(f.file, offset, whence);
	fd_put(f);
	return ret;
}
