/*
 * Pipes and fifos: a ring of page pieces.
 *
 * head and tail run freely; a buffer is a page, an offset and a length. Small writes go on in the last
 * page while it has room. A page that was read empty is kept for the next write. pipe->lock (a mutex, as
 * user memory is touched under it) protects all; conditions are also read without it by those who are
 * about to sleep, and by poll.
 *
 * Wake-ups happen on state changes only: readers when the pipe was empty, writers when it was full; with
 * edge-triggered pollers about, on every write. Writes of up to PIPE_BUF bytes are not mixed with others.
 *
 * Splicing is in splice.c. Manual: pipe(7), pipe(2), fifo(7), fcntl(2).
 */
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <debug/inject.h>
#include <debug/panic.h>
#include <fs/poll.h>
#include <sched/thread.h>
#include <uapi/ioctls.h>
#include <uapi/signal.h>
#include "internal.h"
#include "pipe_impl.h"

unsigned pipe_max_size = PIPE_MAX_SIZE;
static struct kcache *pipe_cache;

void pipe_init(void)
{
	pipe_cache = kcache_create("pipe", sizeof(struct pipe), 64);
}

/* --- making and freeing --- */

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = kcache_alloc(pipe_cache, ALLOC_ZERO);

	if (!p)
		return NULL;
	p->slots = PIPE_DEFAULT_PAGES;
	p->bufs = kmalloc(p->slots * sizeof(*p->bufs), 0);
	if (!p->bufs) {
		kcache_free(pipe_cache, p);
		return NULL;
	}
	mutex_init(&p->lock, "pipe", RANK_PIPE);
	waitq_init(&p->read_wait);
	waitq_init(&p->write_wait);
	return p;
}

static void pipe_free(struct pipe *p)
{
	while (p->tail != p->head)
		page_put(p->bufs[p->tail++ & (p->slots - 1)].page);
	if (p->spare)
		page_put(p->spare);
	kfree(p->bufs);
	kcache_free(pipe_cache, p);
}

struct pipe *file_pipe(struct file *f)
{
	return f->ops == &fifo_fops ? f->inode->pipe : NULL;
}

void pipe_drop_page(struct pipe *p, struct page *page)
{
	if (!p->spare && __atomic_load_n(&page->refs, __ATOMIC_ACQUIRE) == 1 &&
	    !(page->flags & PG_CACHE))
		p->spare = page;
	else
		page_put(page);
}

/* --- reading --- */

static bool readable(const struct pipe *p)
{
	return READ_ONCE(p->head) != READ_ONCE(p->tail) || !READ_ONCE(p->writers);
}

/* Copies what is there; lock held. Bytes, or -EFAULT. */
static ssize_t take(struct pipe *p, struct uio *to, bool *was_full)
{
	ssize_t done = 0;

	*was_full = pipe_full(p);
	while (to->resid && p->tail != p->head) {
		struct pipe_buf *b = &p->bufs[p->tail & (p->slots - 1)];
		size_t n = min_t(size_t, b->len, to->resid), copied;
		bool packet = b->flags & PIPE_BUF_PACKET;

		copied = uio_copy_to(to, (char *)page_to_virt(b->page) + b->off, n);
		done += (ssize_t)copied;
		b->off += (u32)copied;
		b->len -= (u32)copied;
		if (copied < n)
			return done ? done : -EFAULT;
		if (!b->len || packet) {
			pipe_drop_page(p, b->page);
			WRITE_ONCE(p->tail, p->tail + 1);
		}
		if (packet)
			break;
	}
	return done;
}

static ssize_t pipe_read(struct file *f, struct uio *to, loff_t *pos)
{
	struct pipe *p = f->inode->pipe;
	bool was_full;
	ssize_t ret;

	(void)pos;
	if (!to->resid)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		ret = take(p, to, &was_full);
		if (ret || !p->writers)
			break;
		mutex_unlock(&p->lock);
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		ret = waitq_wait(&p->read_wait, readable(p), SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (ret)
			return ret;
	}
	was_full = was_full && !pipe_full(p);
	mutex_unlock(&p->lock);
	if ((was_full || p->polled) && ret > 0 && waitq_active(&p->write_wait))
		waitq_wake_all(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
	return ret;
}

/* --- writing --- */

static bool writable(const struct pipe *p)
{
	return !pipe_full(p) || !READ_ONCE(p->readers);
}

/* Adds to the last page if it has room for all of n. */
static ssize_t append(struct pipe *p, struct uio *from, size_t n)
{
	struct pipe_buf *b;

	if (p->head == p->tail)
		return 0;
	b = &p->bufs[(p->head - 1) & (p->slots - 1)];
	if (!(b->flags & PIPE_BUF_MERGE) || b->off + b->len + n > PAGE_SIZE)
		return 0;
	n = uio_copy_from(from, (char *)page_to_virt(b->page) + b->off + b->len, n);
	b->len += (u32)n;
	return n ? (ssize_t)n : -EFAULT;
}

static struct page *new_page(struct pipe *p)
{
	struct page *page = p->spare;

	p->spare = NULL;
	return page ? page : page_alloc(0, 0);
}

/* Fills new pages as long as there are slots; lock held. Bytes, or -EXXX. */
static ssize_t put(struct pipe *p, struct uio *from, u32 buf_flags)
{
	ssize_t done = 0;

	while (from->resid && !pipe_full(p)) {
		struct page *page = new_page(p);
		size_t n = min(from->resid, PAGE_SIZE), copied;
		struct pipe_buf *b;

		if (!page)
			return done ? done : -ENOMEM;
		copied = uio_copy_from(from, page_to_virt(page), n);
		if (!copied) {
			pipe_drop_page(p, page);
			return done ? done : -EFAULT;
		}
		b = &p->bufs[p->head & (p->slots - 1)];
		b->page = page;
		b->off = 0;
		b->len = (u32)copied;
		b->flags = buf_flags;
		WRITE_ONCE(p->head, p->head + 1);
		done += (ssize_t)copied;
		if (copied < n)
			return done;
	}
	return done;
}

static void wake_readers(struct pipe *p)
{
	if (waitq_active(&p->read_wait))
		waitq_wake_all(&p->read_wait, EPOLLIN | EPOLLRDNORM);
}

static ssize_t broken(ssize_t done)
{
	if (!done && fs_hooks.signal_self)
		fs_hooks.signal_self(SIGPIPE);
	return done ? done : -EPIPE;
}

static ssize_t pipe_write(struct file *f, struct uio *from, loff_t *pos)
{
	struct pipe *p = f->inode->pipe;
	u32 buf_flags = f->flags & O_DIRECT ? PIPE_BUF_PACKET : PIPE_BUF_MERGE;
	ssize_t done = 0, ret = 0;
	bool was_empty;

	(void)pos;
	if (!from->resid)
		return 0;
	mutex_lock(&p->lock);
	was_empty = p->head == p->tail;
	/* The odd bytes first, so that a write that fits a page's rest is one piece. */
	if (!(f->flags & O_DIRECT) && p->readers && from->resid & (PAGE_SIZE - 1)) {
		done = append(p, from, from->resid & (PAGE_SIZE - 1));
		if (done < 0) {
			mutex_unlock(&p->lock);
			return done;
		}
	}
	for (;;) {
		if (!p->readers && !INJECT("pipe_no_epipe")) {
			mutex_unlock(&p->lock);
			return broken(done);
		}
		if (from->resid)
			ret = put(p, from, buf_flags);
		if (ret > 0)
			done += ret;
		if (!from->resid || ret < 0 || !pipe_full(p))
			break;
		if (f->flags & O_NONBLOCK) {
			ret = -EAGAIN;
			break;
		}
		mutex_unlock(&p->lock);
		if (was_empty || p->polled)
			wake_readers(p);
		ret = waitq_wait(&p->write_wait, writable(p), SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (ret)
			return done ? done : ret;
		mutex_lock(&p->lock);
		was_empty = p->head == p->tail;
	}
	mutex_unlock(&p->lock);
	if (done > 0 && (was_empty || p->polled))
		wake_readers(p);
	return done ? done : ret;
}

/* --- the rest --- */

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->inode->pipe;
	u32 mask = 0;

	if (pt && pt->queue)
		WRITE_ONCE(p->polled, true);
	if (f->mode & FMODE_READ) {
		poll_wait(f, &p->read_wait, pt);
		if (READ_ONCE(p->head) != READ_ONCE(p->tail))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (!READ_ONCE(p->writers) && READ_ONCE(p->writer_opens) != (u32)f->dir_hint &&
		    !INJECT("pipe_no_hangup"))
			mask |= EPOLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		poll_wait(f, &p->write_wait, pt);
		if (!pipe_full(p))
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(p->readers))
			mask |= EPOLLERR;
	}
	return mask;
}

static long pipe_ioctl(struct file *f, unsigned cmd, uptr_t arg)
{
	struct pipe *p = f->inode->pipe;
	u32 n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (u32 i = p->tail; i != p->head; i++)
		n += p->bufs[i & (p->slots - 1)].len;
	mutex_unlock(&p->lock);
	return put_user_u32(arg, n);
}

static void pipe_release(struct file *f)
{
	struct inode *inode = f->inode;
	struct pipe *p = inode->pipe;
	bool last;

	rwsem_write_lock(&inode->lock); /* against fifo_attach() */
	mutex_lock(&p->lock);
	if (f->mode & FMODE_READ)
		p->readers--;
	if (f->mode & FMODE_WRITE)
		p->writers--;
	last = --p->files == 0;
	if (last)
		inode->pipe = NULL; /* the next opener of a fifo makes a new one */
	mutex_unlock(&p->lock);
	/* Under the inode's lock still: without it another closer may free the pipe. */
	if (!last && !p->readers)
		waitq_wake_all(&p->write_wait, EPOLLOUT | EPOLLERR);
	if (!last && !p->writers)
		waitq_wake_all(&p->read_wait, EPOLLIN | EPOLLHUP);
	rwsem_write_unlock(&inode->lock);
	if (last)
		pipe_free(p);
}

const struct file_ops fifo_fops = {
	.open = fifo_open,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

int pipe_create(struct file **reader, struct file **writer, u32 flags)
{
	struct inode *inode = anon_inode_create(S_IFIFO | 0600);
	struct pipe *p = pipe_alloc();
	struct file *r, *w;
	int err = -ENOMEM;

	if (!inode || !p)
		goto out;
	inode->pipe = p;
	inode->fops = &fifo_fops;
	err = file_create_anon_inode(&fifo_fops, NULL, O_RDONLY | (flags & O_NONBLOCK), "pipe",
				     inode, &r);
	if (err)
		goto out;
	err = file_create_anon_inode(&fifo_fops, NULL, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)),
				     "pipe", inode, &w);
	if (err) {
		file_free_new(r);
		goto out;
	}
	inode_get(inode);
	p->readers = p->writers = 1;
	p->files = 2;
	p->writer_opens = p->reader_opens = 1;
	*reader = r;
	*writer = w;
	return 0;
out:
	if (p)
		pipe_free(p);
	if (inode) {
		inode->pipe = NULL;
		inode_put(inode);
	}
	return err;
}

/* --- capacity --- */

int pipe_set_slots(struct pipe *p, u32 slots)
{
	struct pipe_buf *bufs, *old = p->bufs;
	u32 used = p->head - p->tail;

	if (slots < used)
		return -EBUSY;
	bufs = kmalloc(slots * sizeof(*bufs), 0);
	if (!bufs)
		return -ENOMEM;
	for (u32 i = 0; i < used; i++)
		bufs[i] = old[(p->tail + i) & (p->slots - 1)];
	p->bufs = bufs;
	p->tail = 0;
	p->head = used;
	p->slots = slots;
	kfree(old);
	return 0;
}

long pipe_fcntl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = file_pipe(f);
	long ret;
	u64 size;

	if (!p)
		return -EBADF;
	if (cmd == F_GETPIPE_SZ)
		return (long)(READ_ONCE(p->slots) * PAGE_SIZE);
	if (arg > (1u << 31))
		return -EINVAL;
	size = arg < PAGE_SIZE ? PAGE_SIZE : pow2_up(arg);
	if (size > pipe_max_size && size > READ_ONCE(p->slots) * PAGE_SIZE &&
	    !fs_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (size > (64ul << 20))
		return -EINVAL;
	mutex_lock(&p->lock);
	ret = pipe_set_slots(p, (u32)(size >> PAGE_SHIFT));
	mutex_unlock(&p->lock);
	waitq_wake_all(&p->write_wait, EPOLLOUT);
	return ret ? ret : (long)size;
}

/* --- opening a fifo (and /proc/self/fd/N of a pipe) --- */

/* *seen: how often the other side had been opened, one less if it is open. Read under the lock that counts
 * this opener: a partner that is there, or comes from here on, is noticed though it goes at once. */
static int fifo_attach(struct inode *inode, struct file *f, struct pipe **out, u32 *seen)
{
	struct pipe *p;

	rwsem_write_lock(&inode->lock);
	p = inode->pipe;
	if (!p)
		p = inode->pipe = pipe_alloc();
	if (p) {
		mutex_lock(&p->lock);
		p->files++;
		if (f->mode & FMODE_READ && p->readers++ == 0)
			p->reader_opens++;
		if (f->mode & FMODE_WRITE && p->writers++ == 0)
			p->writer_opens++;
		*seen = f->mode & FMODE_READ ? p->writer_opens - !!p->writers
					     : p->reader_opens - !!p->readers;
		mutex_unlock(&p->lock);
	}
	rwsem_write_unlock(&inode->lock);
	*out = p;
	return p ? 0 : -ENOMEM;
}

static int wait_for_reader(struct pipe *p, struct file *f, u32 seen)
{
	if (READ_ONCE(p->reader_opens) != seen)
		return 0;
	if (f->flags & O_NONBLOCK)
		return -ENXIO;
	return waitq_wait(&p->write_wait, READ_ONCE(p->reader_opens) != seen, SLEEP_INTERRUPTIBLE,
			  TIME_NEVER);
}

static int wait_for_writer(struct pipe *p, struct file *f, u32 seen)
{
	if (READ_ONCE(p->writer_opens) != seen)
		return 0;
	if (f->flags & O_NONBLOCK) {
		f->dir_hint = seen; /* no end of file for poll until somebody has written */
		return 0;
	}
	return waitq_wait(&p->read_wait, READ_ONCE(p->writer_opens) != seen, SLEEP_INTERRUPTIBLE,
			  TIME_NEVER);
}

int fifo_open(struct inode *inode, struct file *f)
{
	struct pipe *p;
	u32 seen;
	int err = fifo_attach(inode, f, &p, &seen);

	if (err)
		return err;
	f->mode |= FMODE_NOSEEK;
	f->dir_hint = ~0ull;
	if (f->mode & FMODE_WRITE)
		waitq_wake_all(&p->read_wait, 0);
	if (f->mode & FMODE_READ)
		waitq_wake_all(&p->write_wait, 0);
	if ((f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_READ)
		err = wait_for_writer(p, f, seen);
	else if ((f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_WRITE)
		err = wait_for_reader(p, f, seen);
	if (err)
		pipe_release(f);
	return err;
}
