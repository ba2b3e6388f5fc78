/*
 * splice, tee, and copies between files within the kernel (sendfile, copy_file_range).
 *
 * From a file with a page cache into a pipe, pages move by reference; from a pipe to a pipe, buffers move;
 * everything else is copied once. Two pipes are locked in the order of their addresses.
 * Manual: splice(2), tee(2), sendfile(2), copy_file_range(2).
 */
#include <arch/mmu.h>
#include <core/time.h>
#include <fs/poll.h>
#include <fs/splice.h>
#include <sched/thread.h>
#include <uapi/signal.h>
#include "internal.h"
#include "pipe_impl.h"

/* Waits until there is something to read (room to write); the lock is held at return 0. */
static int wait_readable(struct pipe *p, bool nonblock)
{
	for (;;) {
		int err;

		mutex_lock(&p->lock);
		if (p->head != p->tail)
			return 0;
		if (!p->writers) {
			mutex_unlock(&p->lock);
			return -ENODATA; /* end of file: the callers' 0 */
		}
		mutex_unlock(&p->lock);
		if (nonblock)
			return -EAGAIN;
		err = waitq_wait(&p->read_wait,
				 READ_ONCE(p->head) != READ_ONCE(p->tail) || !READ_ONCE(p->writers),
				 SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (err)
			return err;
	}
}

static int wait_writable(struct pipe *p, bool nonblock)
{
	for (;;) {
		int err;

		mutex_lock(&p->lock);
		if (!p->readers) {
			mutex_unlock(&p->lock);
			if (fs_hooks.signal_self)
				fs_hooks.signal_self(SIGPIPE);
			return -EPIPE;
		}
		if (!pipe_full(p))
			return 0;
		mutex_unlock(&p->lock);
		if (nonblock)
			return -EAGAIN;
		err = waitq_wait(&p->write_wait, !pipe_full(p) || !READ_ONCE(p->readers),
				 SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (err)
			return err;
	}
}

static void wake_after_read(struct pipe *p)
{
	waitq_wake_all(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
}
static void wake_after_write(struct pipe *p)
{
	waitq_wake_all(&p->read_wait, EPOLLIN | EPOLLRDNORM);
}

static struct pipe_buf *tail_buf(struct pipe *p)
{
	return &p->bufs[p->tail & (p->slots - 1)];
}

/* Takes n bytes off the first buffer. */
static void consume(struct pipe *p, u32 n)
{
	struct pipe_buf *b = tail_buf(p);

	b->off += n;
	b->len -= n;
	if (!b->len) {
		pipe_drop_page(p, b->page);
		WRITE_ONCE(p->tail, p->tail + 1);
	}
}

static void push(struct pipe *p, struct page *page, u32 off, u32 len, u32 flags)
{
	p->bufs[p->head & (p->slots - 1)] =
		(struct pipe_buf){ .page = page, .off = off, .len = len, .flags = flags };
	WRITE_ONCE(p->head, p->head + 1);
}

/* --- pipe → file --- */

/* Takes up to len bytes out of the pipe as one buffer of its own; lock held. */
static struct pipe_buf take_piece(struct pipe *p, size_t len)
{
	struct pipe_buf *b = tail_buf(p), piece = *b;

	piece.flags = 0;
	if (b->len <= len) {
		WRITE_ONCE(p->tail, p->tail + 1);
		return piece;
	}
	page_get(b->page);
	piece.len = (u32)len;
	b->off += (u32)len;
	b->len -= (u32)len;
	return piece;
}

/* Puts back in front what the file did not take. A pipe that others filled meanwhile grows for it. */
static void give_back(struct pipe *p, const struct pipe_buf *piece)
{
	mutex_lock(&p->lock);
	if (pipe_full(p) && pipe_set_slots(p, p->slots * 2)) {
		mutex_unlock(&p->lock);
		page_put(piece->page); /* no memory: lost */
		return;
	}
	WRITE_ONCE(p->tail, p->tail - 1);
	*tail_buf(p) = *piece;
	mutex_unlock(&p->lock);
}

/* The pipe is not locked while the file is written: inodes' locks come before pipes'. */
static ssize_t pipe_to_file(struct pipe *p, struct file *out, loff_t *pos, size_t len,
			    bool nonblock)
{
	ssize_t done = 0, n = 0;

	while (len) {
		struct pipe_buf piece;
		struct uio u;
		int err = wait_readable(p, nonblock || done);

		if (err)
			return done ? done : err == -ENODATA ? 0 : err;
		piece = take_piece(p, len);
		mutex_unlock(&p->lock);
		uio_init_kernel(&u, (char *)page_to_virt(piece.page) + piece.off, piece.len);
		n = file_write(out, &u, pos);
		if (n > 0) {
			piece.off += (u32)n;
			piece.len -= (u32)n;
			done += n;
			len -= (size_t)n;
		}
		if (piece.len)
			give_back(p, &piece);
		else
			page_put(piece.page);
		wake_after_read(p);
		if (n <= 0 || piece.len)
			break;
	}
	return done ? done : n;
}

/* --- file → pipe --- */

/* The next page of a file by reference, or a copy of what it reads. Bytes, 0 at the end. */
static ssize_t next_piece(struct file *in, loff_t *pos, size_t len, struct page **page, u32 *off)
{
	struct mapping *m;
	struct page *p;
	ssize_t n;

	*off = 0;
	if (pos && file_mapping(in, &m) == 0 && (u64)*pos < in->inode->size) {
		u64 left = in->inode->size - (u64)*pos;

		p = mapping_find_page(m, (u64)*pos >> PAGE_SHIFT);
		if (p) {
			*off = *pos & (PAGE_SIZE - 1);
			n = (ssize_t)min(len, PAGE_SIZE - *off);
			n = (u64)n > left ? (ssize_t)left : n;
			*pos += n;
			*page = p;
			return n;
		}
	}
	p = page_alloc(0, 0);
	if (!p)
		return -ENOMEM;
	n = file_read_at(in, page_to_virt(p), min(len, PAGE_SIZE), pos);
	if (n <= 0) {
		page_put(p);
		return n;
	}
	*page = p;
	return n;
}

static ssize_t file_to_pipe(struct file *in, loff_t *pos, struct pipe *p, size_t len, bool nonblock)
{
	loff_t own = in->pos, *at = pos;
	ssize_t done = 0, n = 0;

	if (!pos && !(in->mode & FMODE_NOSEEK))
		at = &own;
	while (len) {
		struct page *page;
		u32 off;
		int err = wait_writable(p, nonblock || done);

		if (err) {
			n = err;
			break;
		}
		n = next_piece(in, at, len, &page, &off);
		if (n > 0)
			push(p, page, off, (u32)n, 0);
		mutex_unlock(&p->lock);
		if (n <= 0)
			break;
		wake_after_write(p);
		done += n;
		len -= (size_t)n;
	}
	if (at == &own && done)
		in->pos = own;
	return done ? done : n;
}

/* --- pipe → pipe --- */

static void lock_two(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock(a < b ? &b->lock : &a->lock);
}

/* Both ready at the same time, both locked. */
static int wait_two(struct pipe *in, struct pipe *out, bool nonblock)
{
	for (;;) {
		int err = wait_readable(in, nonblock);

		if (err)
			return err;
		mutex_unlock(&in->lock);
		err = wait_writable(out, nonblock);
		if (err)
			return err;
		mutex_unlock(&out->lock);
		lock_two(in, out);
		if (in->head != in->tail && !pipe_full(out) && out->readers)
			return 0;
		mutex_unlock(&in->lock);
		mutex_unlock(&out->lock);
	}
}

static ssize_t pipe_to_pipe(struct pipe *in, struct pipe *out, size_t len, bool nonblock, bool keep)
{
	ssize_t done = 0;
	u32 at;
	int err = wait_two(in, out, nonblock);

	if (err)
		return err == -ENODATA ? 0 : err;
	at = in->tail;
	while (len && at != in->head && !pipe_full(out)) {
		struct pipe_buf *b = &in->bufs[at & (in->slots - 1)];
		u32 n = (u32)min_t(size_t, b->len, len);

		/* Nobody may go on writing in a page that two pipes show. */
		page_get(b->page);
		push(out, b->page, b->off, n, b->flags & PIPE_BUF_PACKET);
		done += n;
		len -= n;
		if (keep)
			at++;
		else
			consume(in, n), at = in->tail;
	}
	mutex_unlock(&in->lock);
	mutex_unlock(&out->lock);
	wake_after_write(out);
	if (!keep)
		wake_after_read(in);
	return done;
}

long pipe_tee(struct file *in, struct file *out, size_t len, unsigned flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);

	if (!from || !to || from == to)
		return -EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	return pipe_to_pipe(from, to, len, flags & SPLICE_F_NONBLOCK, true);
}

long pipe_splice(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t len,
		 unsigned flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	bool nonblock = flags & SPLICE_F_NONBLOCK;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if ((from && in_pos) || (to && out_pos))
		return -ESPIPE;
	if (from && to) {
		if (from == to)
			return -EINVAL;
		nonblock = nonblock || (in->flags | out->flags) & O_NONBLOCK;
		return pipe_to_pipe(from, to, len, nonblock, false);
	}
	if (from) {
		if (out->flags & O_APPEND)
			return -EINVAL;
		return pipe_to_file(from, out, out_pos, len, nonblock || in->flags & O_NONBLOCK);
	}
	if (to)
		return file_to_pipe(in, in_pos, to, len, nonblock || out->flags & O_NONBLOCK);
	return -EINVAL;
}

/* --- file → file --- */

ssize_t file_read_at(struct file *f, void *buf, size_t n, loff_t *pos)
{
	struct uio u;

	uio_init_kernel(&u, buf, n);
	return file_read(f, &u, pos);
}

#define COPY_ORDER 2
#define COPY_SIZE (PAGE_SIZE << COPY_ORDER)

ssize_t file_copy(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t len)
{
	struct page *page = page_alloc(COPY_ORDER, 0);
	ssize_t done = 0, n = 0;

	if (!page)
		return -ENOMEM;
	while (len) {
		loff_t before = in_pos ? *in_pos : in->pos;
		struct uio u;
		ssize_t w;

		n = file_read_at(in, page_to_virt(page), min(len, COPY_SIZE), in_pos);
		if (n <= 0)
			break;
		uio_init_kernel(&u, page_to_virt(page), (size_t)n);
		w = file_write(out, &u, out_pos);
		if (w < n) { /* what was not taken stays unread */
			*(in_pos ? in_pos : &in->pos) = before + (w > 0 ? w : 0);
			done += w > 0 ? w : 0;
			n = w;
			break;
		}
		done += n;
		len -= (size_t)n;
		if (in->flags & O_NONBLOCK && done)
			break;
	}
	page_put(page);
	return done ? done : n;
}
