/*
 * Device nodes: opens of character and block device inodes find the device in dev/'s registries.
 *
 * Character devices: each open file has a struct chardev_file, which the adapters here hand to the driver.
 * Block devices: reads and writes by whole sectors straight to the driver, through one page; no cache, no
 * mmap. Manual: null(4), full(4), mknod(2).
 */
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <dev/block.h>
#include <dev/chardev.h>
#include <fs/pipe.h>
#include <fs/poll.h>
#include <mm/mm.h>
#include "internal.h"

void inode_init_special(struct inode *inode, u64 rdev)
{
	switch (inode->mode & S_IFMT) {
	case S_IFCHR:
		inode->rdev = rdev;
		inode->fops = &chardev_fops;
		break;
	case S_IFBLK:
		inode->rdev = rdev;
		inode->fops = &blockdev_fops;
		break;
	case S_IFIFO: inode->fops = &fifo_fops; break;
	default: break;
	}
}

/* --- character devices --- */

static struct chardev_file *cf_of(struct file *f)
{
	struct chardev_file *cf = f->private;

	cf->flags = f->flags;
	return cf;
}

static int cdev_open(struct inode *inode, struct file *f)
{
	struct chardev *d = chardev_find(inode->rdev);
	struct chardev_file *cf;
	int err;

	if (!d)
		return -ENXIO;
	cf = kzalloc(sizeof(*cf));
	if (!cf)
		return -ENOMEM;
	cf->dev = d;
	cf->devno = inode->rdev;
	cf->flags = f->flags;
	f->private = cf;
	err = d->ops->open ? d->ops->open(cf) : 0;
	if (err) {
		f->private = NULL;
		kfree(cf);
	}
	return err;
}

static void cdev_release(struct file *f)
{
	struct chardev_file *cf = cf_of(f);

	if (cf->dev->ops->release)
		cf->dev->ops->release(cf);
	kfree(cf);
}

static ssize_t cdev_read(struct file *f, struct uio *to, loff_t *pos)
{
	struct chardev_file *cf = cf_of(f);

	return cf->dev->ops->read ? cf->dev->ops->read(cf, to, pos) : -EINVAL;
}

static ssize_t cdev_write(struct file *f, struct uio *from, loff_t *pos)
{
	struct chardev_file *cf = cf_of(f);

	return cf->dev->ops->write ? cf->dev->ops->write(cf, from, pos) : -EINVAL;
}

static loff_t cdev_seek(struct file *f, loff_t off, int whence)
{
	struct chardev_file *cf = cf_of(f);
	loff_t to;

	if (!cf->dev->ops->seek)
		return -ESPIPE;
	to = cf->dev->ops->seek(cf, f->pos, off, whence);
	if (to >= 0)
		f->pos = to;
	return to;
}

struct cdev_poll {
	struct dev_poll dev;
	struct poll_table *pt;
	struct file *f;
};

static void cdev_poll_add(struct dev_poll *dp, struct waitq *q)
{
	struct cdev_poll *p = container_of(dp, struct cdev_poll, dev);

	poll_wait(p->f, q, p->pt);
}

static u32 cdev_poll(struct file *f, struct poll_table *pt)
{
	struct chardev_file *cf = cf_of(f);
	struct cdev_poll p = { { cdev_poll_add }, pt, f };

	if (!cf->dev->ops->poll)
		return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
	return cf->dev->ops->poll(cf, pt && pt->queue ? &p.dev : NULL);
}

static long cdev_ioctl(struct file *f, unsigned cmd, uptr_t arg)
{
	struct chardev_file *cf = cf_of(f);

	return cf->dev->ops->ioctl ? cf->dev->ops->ioctl(cf, cmd, arg) : -ENOTTY;
}

/* /dev/zero: an object of zeros of its own for each mapping. */
static int cdev_mmap(struct file *f, struct vma *vma)
{
	struct chardev_file *cf = cf_of(f);

	if (!cf->dev->mmap_zero)
		return -ENODEV;
	return mapping_create_anon(&vma->mapping, vma->end - vma->start);
}

const struct file_ops chardev_fops = {
	.open = cdev_open,
	.release = cdev_release,
	.read = cdev_read,
	.write = cdev_write,
	.seek = cdev_seek,
	.poll = cdev_poll,
	.ioctl = cdev_ioctl,
	.mmap = cdev_mmap,
};

/* --- block devices --- */

static int bdev_open(struct inode *inode, struct file *f)
{
	struct blockdev *b = blockdev_find(inode->rdev);

	if (!b)
		return -ENXIO;
	if (b->read_only && f->mode & FMODE_WRITE)
		return -EACCES;
	f->private = b;
	return 0;
}

/* One page's worth at pos: what lies around a part of a sector is read before it is written. */
static ssize_t bdev_piece(struct blockdev *b, struct uio *u, u64 pos, void *page, bool write)
{
	u64 first = pos >> SECTOR_SHIFT, size = b->nr_sectors << SECTOR_SHIFT;
	size_t off = pos & (SECTOR_SIZE - 1), n = PAGE_SIZE - off, span;
	bool part;
	int err = 0;

	n = min(n, u->resid);
	if (n > size - pos)
		n = size - pos;
	span = ALIGN_UP(off + n, (size_t)SECTOR_SIZE);
	part = off || span != n;
	if (!write || part)
		err = block_rw(b, BLOCK_READ, first, page, span);
	if (err)
		return err;
	if (!write) {
		n = uio_copy_to(u, (char *)page + off, n);
		return n ? (ssize_t)n : -EFAULT;
	}
	n = uio_copy_from(u, (char *)page + off, n);
	if (!n)
		return -EFAULT;
	err = block_rw(b, BLOCK_WRITE, first, page, ALIGN_UP(off + n, (size_t)SECTOR_SIZE));
	return err ? err : (ssize_t)n;
}

static ssize_t bdev_rw(struct file *f, struct uio *u, loff_t *pos, bool write)
{
	struct blockdev *b = f->private;
	u64 size = b->nr_sectors << SECTOR_SHIFT;
	struct page *page = page_alloc(0, 0);
	ssize_t done = 0, n = 0;

	if (!page)
		return -ENOMEM;
	while (u->resid && (u64)*pos < size) {
		n = bdev_piece(b, u, (u64)*pos, page_to_virt(page), write);
		if (n <= 0)
			break;
		*pos += n;
		done += n;
	}
	page_put(page);
	if (write && !done && !n && u->resid)
		return -ENOSPC;
	return done ? done : n;
}

static ssize_t bdev_read(struct file *f, struct uio *to, loff_t *pos)
{
	return bdev_rw(f, to, pos, false);
}

static ssize_t bdev_write(struct file *f, struct uio *from, loff_t *pos)
{
	return bdev_rw(f, from, pos, true);
}

static loff_t bdev_seek(struct file *f, loff_t off, int whence)
{
	struct blockdev *b = f->private;

	return seek_fixed(f, off, whence, b->nr_sectors << SECTOR_SHIFT);
}

static int bdev_fsync(struct file *f, bool datasync)
{
	(void)datasync;
	return block_flush(f->private);
}

#define BLKGETSIZE 0x1260
#define BLKGETSIZE64 0x80081272
#define BLKSSZGET 0x1268
#define BLKROGET 0x125e
#define BLKFLSBUF 0x1261

static long bdev_ioctl(struct file *f, unsigned cmd, uptr_t arg)
{
	struct blockdev *b = f->private;

	switch (cmd) {
	case BLKGETSIZE: return put_user_u64(arg, b->nr_sectors);
	case BLKGETSIZE64: return put_user_u64(arg, b->nr_sectors << SECTOR_SHIFT);
	case BLKSSZGET: return put_user_u32(arg, b->block_size);
	case BLKROGET: return put_user_u32(arg, b->read_only);
	case BLKFLSBUF: return block_flush(b);
	default: return -ENOTTY;
	}
}

const struct file_ops blockdev_fops = {
	.open = bdev_open,
	.read = bdev_read,
	.write = bdev_write,
	.seek = bdev_seek,
	.fsync = bdev_fsync,
	.ioctl = bdev_ioctl,
};
