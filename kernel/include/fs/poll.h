/* Readiness: poll, select and epoll all ask file_ops->poll with a table of their own. */
#pragma once
#include <fs/file.h>
#include <sched/waitq.h>
#include <uapi/poll.h>

struct poll_table {
	void (*queue)(struct poll_table *pt, struct file *f,
		      struct waitq *q); /* NULL: only asking */
	u32 key; /* events of interest */
};
/* Called by poll operations for each wait queue that may change the answer. */
static inline void poll_wait(struct file *f, struct waitq *q, struct poll_table *pt)
{
	if (pt && pt->queue)
		pt->queue(pt, f, q);
}
/* The ready mask; files without the operation are always readable and writable. */
static inline u32 file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll)
		return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
	return f->ops->poll(f, pt);
}
