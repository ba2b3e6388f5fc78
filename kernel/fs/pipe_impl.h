/* The inside of pipes, for pipe.c and splice.c. */
#pragma once
#include <fs/pipe.h>
#include <mm/page.h>
#include <sched/mutex.h>

enum pipe_buf_flag {
	PIPE_BUF_MERGE = BIT(0), /* the page is the pipe's own: later writes may go on in it */
	PIPE_BUF_PACKET = BIT(1), /* O_DIRECT: a read takes no more than this */
};
struct pipe_buf {
	struct page *page; /* with a reference */
	u32 off, len;
	u32 flags;
};

struct pipe {
	struct mutex lock;
	u32 head, tail; /* [x] lock, read anywhere: buffers are [tail, head) */
	u32 slots; /* [x] lock; power of two */
	u32 readers, writers, files; /* [x] lock, read anywhere */
	u32 reader_opens, writer_opens; /* [x] lock: from 0 to 1 so often */
	bool polled; /* [a] somebody polls: wake on every write */
	struct pipe_buf *bufs; /* [x] lock */
	struct page *spare; /* [x] lock */
	struct waitq read_wait, write_wait;
};

static inline bool pipe_full(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail) >= READ_ONCE(p->slots);
}
int pipe_set_slots(struct pipe *p, u32 slots); /* lock held; -EBUSY, -ENOMEM */
void pipe_drop_page(struct pipe *p, struct page *page);
int fifo_open(struct inode *inode, struct file *f);
