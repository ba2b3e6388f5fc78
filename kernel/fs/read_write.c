/*
 * Reading and writing regular files through the page cache.
 *
 * Reads take no lock: size and pages are looked at as they are, holes read as zeros. Writes hold
 * inode->lock: O_APPEND, the limit RLIMIT_FSIZE and the size change are atomic against each other. Both
 * stop at the first bad user address and report what was done before it. User memory is touched with no
 * spinlock held; a write prefaults its source so that it doesn't take pages for nothing.
 * Manual: read(2), write(2), lseek(2), setrlimit(2).
 */
#include <arch/mmu.h>
#include <debug/inject.h>
#include <debug/panic.h>
#include <mm/mm.h>
#include <uapi/signal.h>
#include "internal.h"

ssize_t generic_file_read(struct file *f, struct uio *to, loff_t *pos)
{
	struct inode *inode = f->inode;
	struct mapping *m = &inode->mapping;
	u64 at = (u64)*pos;
	ssize_t done = 0;

	while (to->resid) {
		u64 size = smp_load_acquire(&inode->size); /* before the data */
		size_t off = at & (PAGE_SIZE - 1), n = PAGE_SIZE - off, copied;
		struct page *p;

		if (at >= size)
			break;
		n = min(n, to->resid);
		if (n > size - at)
			n = size - at;
		p = mapping_find_page(m, at >> PAGE_SHIFT);
		if (unlikely(!p && m->ops && m->ops->read_page &&
			     !(inode->flags & INODE_SPARSE_ZERO))) {
			int err = mapping_get_page(m, at >> PAGE_SHIFT, &p);

			if (err)
				return done ? done : err;
		}
		if (likely(p)) {
			copied = uio_copy_to(to, (char *)page_to_virt(p) + off, n);
			page_put(p);
		} else {
			copied = uio_zero(to, n);
		}
		at += copied;
		done += (ssize_t)copied;
		if (unlikely(copied < n)) {
			if (!done)
				return -EFAULT;
			break;
		}
		if (to->resid)
			sched_point();
	}
	*pos = (loff_t)at;
	file_accessed(f);
	return done;
}

/* How much may be written at pos: limits of the process and of the file system. */
static int check_limits(struct file *f, u64 pos, size_t *n)
{
	u64 limit = fs_hooks.limit_fsize ? fs_hooks.limit_fsize() : ~0ull;
	u64 max_bytes = f->inode->super->max_bytes;

	if (unlikely(limit != ~0ull)) {
		if (pos >= limit) {
			if (fs_hooks.signal_self)
				fs_hooks.signal_self(SIGXFSZ);
			return -EFBIG;
		}
		*n = min(*n, (size_t)(limit - pos));
	}
	if (pos >= max_bytes)
		return -EFBIG;
	if (*n > max_bytes - pos)
		*n = max_bytes - pos;
	return 0;
}

/* Called with the lock of the inode held, before data changes: times, setuid bits. */
static void before_write(struct inode *inode)
{
	inode_touch(inode);
	if (unlikely(inode->mode & (S_ISUID | S_ISGID)) && !fs_capable(CAP_FSETID))
		inode->mode = inode_mode_without_setid(inode);
}

static ssize_t write_pages(struct inode *inode, struct uio *from, u64 at, size_t n)
{
	struct mapping *m = &inode->mapping;
	ssize_t done = 0;
	int err = 0;

	while (n) {
		size_t off = at & (PAGE_SIZE - 1), piece = PAGE_SIZE - off, copied;
		struct page *p;

		piece = min(piece, n);
		p = mapping_find_page(m, at >> PAGE_SHIFT);
		if (!p) {
			err = uio_prefault(from, piece, false);
			if (!err)
				err = mapping_get_page(m, at >> PAGE_SHIFT, &p);
			if (err)
				break;
		}
		copied = uio_copy_from(from, (char *)page_to_virt(p) + off, piece);
		page_written(p);
		mapping_mark_dirty(m, p);
		page_put(p);
		at += copied;
		done += (ssize_t)copied;
		n -= copied;
		if (at > inode->size)
			smp_store_release(&inode->size, at); /* after the data */
		if (copied < piece) {
			err = -EFAULT;
			break;
		}
	}
	return done ? done : err;
}

ssize_t generic_file_write(struct file *f, struct uio *from, loff_t *pos)
{
	struct inode *inode = f->inode;
	size_t n = from->resid;
	ssize_t ret;

	rwsem_write_lock(&inode->lock);
	if (f->flags & O_APPEND && !INJECT("append_ignored"))
		*pos = (loff_t)inode->size;
	ret = check_limits(f, (u64)*pos, &n);
	if (ret)
		goto out;
	if (unlikely(inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_GROW))) {
		ret = -EPERM;
		if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			goto out;
		if ((u64)*pos + n > inode->size) {
			if ((u64)*pos >= inode->size)
				goto out;
			n = inode->size - (u64)*pos;
		}
	}
	before_write(inode);
	ret = write_pages(inode, from, (u64)*pos, n);
	if (ret > 0)
		*pos += ret;
out:
	rwsem_write_unlock(&inode->lock);
	return ret;
}

/* --- seeking --- */

loff_t seek_fixed(struct file *f, loff_t off, int whence, u64 size)
{
	loff_t base = 0, to;

	switch (whence) {
	case SEEK_SET: break;
	case SEEK_CUR: base = INJECT("seek_cur_ignored") ? 0 : f->pos; break;
	case SEEK_END: base = (loff_t)size; break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &to))
		return -EOVERFLOW;
	if (to < 0)
		return -EINVAL;
	f->pos = to;
	return to;
}

static loff_t seek_data_hole(struct file *f, loff_t off, bool data)
{
	struct inode *inode = f->inode;
	u64 size = inode->size;

	if (off < 0 || (u64)off >= size)
		return -ENXIO;
	if (inode->mapping.ops && inode->mapping.ops->write_page)
		return f->pos = data ? off : (loff_t)size; /* all of it is data */
	for (u64 i = (u64)off >> PAGE_SHIFT; i << PAGE_SHIFT < size; i++) {
		struct page *p = mapping_find_page(&inode->mapping, i);

		if (p)
			page_put(p);
		if (!!p == data)
			return f->pos = max_t(loff_t, off, (loff_t)(i << PAGE_SHIFT));
	}
	return data ? -ENXIO : (f->pos = (loff_t)size);
}

loff_t generic_file_seek(struct file *f, loff_t off, int whence)
{
	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		return seek_data_hole(f, off, whence == SEEK_DATA);
	return seek_fixed(f, off, whence, f->inode->size);
}

int generic_file_mmap(struct file *f, struct vma *vma)
{
	if (vma->flags & VM_SHARED && f->inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
		if (vma->flags & VM_WRITE)
			return -EPERM;
		vma->flags &= ~(u32)VM_MAYWRITE;
	}
	vma->mapping = &f->inode->mapping;
	file_accessed(f);
	return 0;
}

/* --- what the calls do --- */

/* The position is shared with whoever shares the file. */
static bool pos_lock(struct file *f)
{
	if (likely(refcount_read(&f->refs) == 1))
		return false;
	mutex_lock(&f->pos_lock);
	return true;
}

ssize_t file_read(struct file *f, struct uio *to, loff_t *pos)
{
	loff_t at;
	bool locked;
	ssize_t ret;

	if (unlikely(!(f->mode & FMODE_READ)))
		return -EBADF;
	if (unlikely(!f->ops->read))
		return -EINVAL;
	if (pos)
		return f->ops->read(f, to, pos);
	if (f->mode & FMODE_NOSEEK) {
		at = 0;
		return f->ops->read(f, to, &at);
	}
	locked = pos_lock(f);
	at = f->pos;
	ret = f->ops->read(f, to, &at);
	f->pos = at;
	if (locked)
		mutex_unlock(&f->pos_lock);
	return ret;
}

static ssize_t write_at(struct file *f, struct uio *from, loff_t *pos)
{
	ssize_t ret = f->ops->write(f, from, pos);

	if (unlikely(f->flags & O_DSYNC) && ret > 0 && f->ops->fsync) {
		int err = f->ops->fsync(f, (f->flags & O_SYNC) != O_SYNC);

		if (err)
			return err;
	}
	return ret;
}

ssize_t file_write(struct file *f, struct uio *from, loff_t *pos)
{
	loff_t at;
	bool locked;
	ssize_t ret;

	if (unlikely(!(f->mode & FMODE_WRITE)))
		return -EBADF;
	if (unlikely(!f->ops->write))
		return -EINVAL;
	if (pos)
		return write_at(f, from, pos);
	if (f->mode & FMODE_NOSEEK) {
		at = 0;
		return write_at(f, from, &at);
	}
	locked = pos_lock(f);
	at = f->pos;
	ret = write_at(f, from, &at);
	f->pos = at;
	if (locked)
		mutex_unlock(&f->pos_lock);
	return ret;
}

loff_t file_seek(struct file *f, loff_t off, int whence)
{
	bool locked;
	loff_t ret;

	if (!f->ops->seek || f->mode & FMODE_NOSEEK)
		return -ESPIPE;
	locked = pos_lock(f);
	ret = f->ops->seek(f, off, whence);
	if (locked)
		mutex_unlock(&f->pos_lock);
	return ret;
}
