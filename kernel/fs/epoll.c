/*
 * epoll: a set of files of interest and a list of those that may be ready.
 *
 * Each item registers a waiter on its file's wait queues; a wake-up puts the item on the ready list and
 * wakes who waits. epoll_wait takes items off the list one by one, asks the file again, reports what is
 * true, and puts level-triggered ones back for the next call. ep->mutex keeps items from being changed
 * meanwhile; ep->lock (a spinlock, as wake-ups come from interrupts) protects the ready list.
 *
 * A file that is closed for good leaves all its sets: its items are on file->epoll_items, protected by
 * one mutex for all, which is only taken for files that have any, and comes before ep->mutex. Sets within
 * sets nest at most five deep and not in circles. Wait queues of sets are unranked locks, since a wake-up
 * of one may wake another. Manual: epoll(7), epoll_ctl(2), epoll_wait(2).
 */
#include <arch/uaccess.h>
#include <core/time.h>
#include <debug/inject.h>
#include <debug/panic.h>
#include <fs/events.h>
#include <fs/poll.h>
#include <lib/format.h>
#include <lib/rbtree.h>
#include <sched/thread.h>
#include "internal.h"

#define MAX_NESTS 4
#define EP_PRIVATE (EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE | EPOLLWAKEUP)

struct eventpoll {
	struct mutex mutex;
	struct rb_root items; /* [x] mutex: by file and fd */
	struct spinlock lock;
	struct list ready; /* [x] lock */
	struct waitq wait; /* epoll_wait */
	struct waitq poll_wait; /* those who poll the set */
	struct file *file; /* [I] its own */
};

struct ep_waiter { /* on one queue of an item's file */
	struct waiter waiter;
	struct waitq *q;
	struct ep_item *item;
	struct ep_waiter *next;
};
struct ep_item {
	struct rb_node node; /* [x] ep->mutex */
	struct list ready_link; /* [x] ep->lock; empty: not on it */
	struct list file_link; /* [x] files_mutex */
	struct eventpoll *ep; /* [I] */
	struct file *file; /* [I] no reference: the file's release takes the item away */
	int fd; /* [I] */
	u32 events; /* [a] changed under ep->mutex */
	u64 data; /* [x] ep->mutex */
	struct ep_waiter *waiters; /* [x] ep->mutex */
	struct ep_waiter first;
	bool failed; /* a waiter could not be allocated */
};

static struct mutex files_mutex;
static struct kcache *item_cache;

void epoll_init(void)
{
	mutex_init(&files_mutex, "epoll files", RANK_EPOLL);
	item_cache = kcache_create("epoll_item", sizeof(struct ep_item), 64);
}

/* --- wake-ups --- */

static bool ep_wake(struct waiter *w, u32 key)
{
	struct ep_item *item = container_of(w, struct ep_waiter, waiter)->item;
	struct eventpoll *ep = item->ep;
	u32 events = READ_ONCE(item->events);
	irqflags_t flags;

	if (!(events & ~EP_PRIVATE) || (key && !(key & events)))
		return false;
	flags = spin_lock_irqsave(&ep->lock);
	if (list_empty(&item->ready_link))
		list_add_tail(&item->ready_link, &ep->ready);
	spin_unlock_irqrestore(&ep->lock, flags);
	if (waitq_active(&ep->wait))
		waitq_wake_one(&ep->wait, EPOLLIN);
	if (waitq_active(&ep->poll_wait))
		waitq_wake_all(&ep->poll_wait, EPOLLIN | EPOLLRDNORM);
	return true;
}

struct ep_table {
	struct poll_table pt;
	struct ep_item *item;
};

static void ep_queue(struct poll_table *pt, struct file *f, struct waitq *q)
{
	struct ep_item *item = container_of(pt, struct ep_table, pt)->item;
	struct ep_waiter *w = &item->first;

	(void)f;
	if (item->waiters) {
		w = kmalloc(sizeof(*w), 0);
		if (!w) {
			item->failed = true;
			return;
		}
	}
	waiter_init(&w->waiter);
	w->waiter.wake = ep_wake;
	w->waiter.exclusive = item->events & EPOLLEXCLUSIVE;
	w->q = q;
	w->item = item;
	w->next = item->waiters;
	item->waiters = w;
	waitq_add(q, &w->waiter);
}

static void remove_waiters(struct ep_item *item)
{
	while (item->waiters) {
		struct ep_waiter *w = item->waiters;

		item->waiters = w->next;
		waitq_remove(w->q, &w->waiter);
		if (w != &item->first)
			kfree(w);
	}
}

static u32 item_ready(struct ep_item *item)
{
	return file_poll(item->file, NULL) & item->events & ~EP_PRIVATE;
}

/* The item is ready: onto the list, and wakes. */
static void make_ready(struct ep_item *item)
{
	struct eventpoll *ep = item->ep;
	irqflags_t flags = spin_lock_irqsave(&ep->lock);

	if (list_empty(&item->ready_link))
		list_add_tail(&item->ready_link, &ep->ready);
	spin_unlock_irqrestore(&ep->lock, flags);
	waitq_wake_one(&ep->wait, EPOLLIN);
	waitq_wake_all(&ep->poll_wait, EPOLLIN | EPOLLRDNORM);
}

/* --- items --- */

static int item_cmp(const struct file *f, int fd, const struct ep_item *item)
{
	if (f != item->file)
		return f < item->file ? -1 : 1;
	return fd < item->fd ? -1 : fd > item->fd;
}

static struct ep_item *find(struct eventpoll *ep, struct file *f, int fd)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		struct ep_item *item = rb_entry(n, struct ep_item, node);
		int c = item_cmp(f, fd, item);

		if (c == 0)
			return item;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static bool item_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct ep_item *x = rb_entry(a, struct ep_item, node);

	return item_cmp(x->file, x->fd, rb_entry(b, struct ep_item, node)) < 0;
}

/* Both mutexes are held. */
static void item_remove(struct ep_item *item)
{
	struct eventpoll *ep = item->ep;
	irqflags_t flags;

	remove_waiters(item);
	flags = spin_lock_irqsave(&ep->lock);
	if (!list_empty(&item->ready_link))
		list_del_init(&item->ready_link);
	spin_unlock_irqrestore(&ep->lock, flags);
	list_del(&item->file_link);
	rb_erase(&item->node, &ep->items);
	kcache_free(item_cache, item);
}

static int ctl_add(struct eventpoll *ep, struct file *f, int fd, const struct epoll_event *ev)
{
	struct ep_table t = { { ep_queue, 0 }, NULL };
	struct ep_item *item = kcache_alloc(item_cache, ALLOC_ZERO);

	if (!item)
		return -ENOMEM;
	list_init(&item->ready_link);
	item->ep = ep;
	item->file = f;
	item->fd = fd;
	item->events = ev->events | EPOLLERR | EPOLLHUP;
	item->data = ev->data;
	rb_add(&item->node, &ep->items, item_less);
	list_add_tail(&item->file_link, &f->epoll_items);
	t.item = item;
	t.pt.key = item->events;
	if (file_poll(f, &t.pt) & item->events & ~EP_PRIVATE)
		make_ready(item);
	if (item->failed) {
		item_remove(item);
		return -ENOMEM;
	}
	return 0;
}

static int ctl_mod(struct ep_item *item, const struct epoll_event *ev)
{
	if (item->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	__atomic_store_n(&item->events, ev->events | EPOLLERR | EPOLLHUP, __ATOMIC_SEQ_CST);
	item->data = ev->data;
	if (item_ready(item))
		make_ready(item);
	return 0;
}

static int ctl_locked(struct eventpoll *ep, int op, struct file *f, int fd,
		      const struct epoll_event *ev)
{
	struct ep_item *item = find(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD: return item ? -EEXIST : ctl_add(ep, f, fd, ev);
	case EPOLL_CTL_MOD: return item ? ctl_mod(item, ev) : -ENOENT;
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		item_remove(item);
		return 0;
	default: return -EINVAL;
	}
}

/* --- the set as a file --- */

static u32 ep_poll(struct file *f, struct poll_table *pt)
{
	struct eventpoll *ep = f->private;
	struct rb_node *n;
	u32 mask = 0;

	poll_wait(f, &ep->poll_wait, pt);
	if (list_empty(&ep->ready))
		return 0;
	mutex_lock(&ep->mutex);
	for (n = rb_first(&ep->items); n && !mask; n = rb_next(n)) {
		struct ep_item *item = rb_entry(n, struct ep_item, node);

		if (!list_empty(&item->ready_link) && item_ready(item))
			mask = EPOLLIN | EPOLLRDNORM;
	}
	mutex_unlock(&ep->mutex);
	return mask;
}

static void ep_release(struct file *f)
{
	struct eventpoll *ep = f->private;
	struct rb_node *n;

	mutex_lock(&files_mutex);
	mutex_lock(&ep->mutex);
	while ((n = rb_first(&ep->items)))
		item_remove(rb_entry(n, struct ep_item, node));
	mutex_unlock(&ep->mutex);
	mutex_unlock(&files_mutex);
	kfree(ep);
}

static void ep_fdinfo(struct file *f, char *buf, size_t size);

static const struct file_ops ep_fops = {
	.poll = ep_poll,
	.release = ep_release,
	.show_fdinfo = ep_fdinfo,
};

static void ep_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventpoll *ep = f->private;
	size_t at = 0;

	buf[0] = '\0';
	mutex_lock(&ep->mutex);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct ep_item *item = rb_entry(n, struct ep_item, node);

		at += (size_t)scnprintf(buf + at, size - at, "tfd: %8d events: %8x data: %16llx\n",
					item->fd, item->events, item->data);
	}
	mutex_unlock(&ep->mutex);
}

int epoll_create_file(struct file **out)
{
	struct eventpoll *ep = kzalloc(sizeof(*ep));
	int err;

	if (!ep)
		return -ENOMEM;
	mutex_init(&ep->mutex, "epoll", RANK_EPOLL);
	spin_init(&ep->lock, "epoll ready", RANK_NONE);
	list_init(&ep->ready);
	waitq_init(&ep->wait);
	waitq_init(&ep->poll_wait);
	spin_init(&ep->wait.lock, "epoll wait", RANK_NONE);
	spin_init(&ep->poll_wait.lock, "epoll poll", RANK_NONE);
	err = file_create_anon(&ep_fops, ep, O_RDWR, "anon_inode:[eventpoll]", out);
	if (err)
		kfree(ep);
	else
		ep->file = *out;
	return err;
}

/* A file has been closed for good; nobody else can reach it. */
void epoll_file_released(struct file *f)
{
	mutex_lock(&files_mutex);
	while (!list_empty(&f->epoll_items)) {
		struct ep_item *item = list_first_entry(&f->epoll_items, struct ep_item, file_link);
		struct eventpoll *ep = item->ep;

		mutex_lock(&ep->mutex);
		item_remove(item);
		mutex_unlock(&ep->mutex);
	}
	mutex_unlock(&files_mutex);
}

/* Would watching f from ep make a circle, or a chain that is too long? files_mutex is held. */
static int check_nesting(struct eventpoll *ep, struct file *f, int depth)
{
	struct eventpoll *inner = f->private;
	int err = 0;

	if (inner == ep || depth > MAX_NESTS)
		return -ELOOP;
	mutex_lock(&inner->mutex);
	for (struct rb_node *n = rb_first(&inner->items); n && !err; n = rb_next(n)) {
		struct file *below = rb_entry(n, struct ep_item, node)->file;

		if (below->ops == &ep_fops)
			err = check_nesting(ep, below, depth + 1);
	}
	mutex_unlock(&inner->mutex);
	return err;
}

int epoll_ctl_file(struct file *epf, int op, struct file *f, int fd, const struct epoll_event *ev)
{
	struct eventpoll *ep = epf->private;
	int err = 0;

	if (epf->ops != &ep_fops || epf == f)
		return -EINVAL;
	if (!f->ops->poll)
		return -EPERM;
	if (op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE) {
		if (op == EPOLL_CTL_MOD || f->ops == &ep_fops ||
		    ev->events & ~(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP |
				   EPOLLET | EPOLLEXCLUSIVE))
			return -EINVAL;
	}
	mutex_lock(&files_mutex);
	if (op == EPOLL_CTL_ADD && f->ops == &ep_fops)
		err = check_nesting(ep, f, 0);
	if (!err) {
		mutex_lock(&ep->mutex);
		err = ctl_locked(ep, op, f, fd, ev);
		mutex_unlock(&ep->mutex);
	}
	mutex_unlock(&files_mutex);
	return err;
}

/* --- waiting --- */

static struct ep_item *take_ready(struct eventpoll *ep, struct list *from)
{
	irqflags_t flags = spin_lock_irqsave(&ep->lock);
	struct ep_item *item = list_first_entry_or_null(from, struct ep_item, ready_link);

	if (item)
		list_del_init(&item->ready_link);
	spin_unlock_irqrestore(&ep->lock, flags);
	return item;
}

static void put_back(struct eventpoll *ep, struct ep_item *item, bool front)
{
	irqflags_t flags = spin_lock_irqsave(&ep->lock);

	if (list_empty(&item->ready_link)) {
		if (front)
			list_add(&item->ready_link, &ep->ready);
		else
			list_add_tail(&item->ready_link, &ep->ready);
	}
	spin_unlock_irqrestore(&ep->lock, flags);
}

/* Reports what is ready now; mutex held. Events written, or -EFAULT when not even the first could be. */
static long send_ready(struct eventpoll *ep, uptr_t events, int max)
{
	struct list batch;
	struct ep_item *item;
	irqflags_t flags;
	long n = 0;

	list_init(&batch);
	flags = spin_lock_irqsave(&ep->lock);
	list_splice_tail_init(&ep->ready, &batch);
	spin_unlock_irqrestore(&ep->lock, flags);
	while (n < max && (item = take_ready(ep, &batch))) {
		u32 mask = item_ready(item);
		struct epoll_event ev = { mask, item->data };

		if (!mask)
			continue;
		if (copy_to_user(events + (u64)n * sizeof(ev), &ev, sizeof(ev))) {
			put_back(ep, item, true);
			n = n ? n : -EFAULT;
			break;
		}
		n++;
		if (item->events & EPOLLONESHOT && !INJECT("epoll_oneshot_repeats"))
			item->events &= EP_PRIVATE;
		else if (!(item->events & EPOLLET) || INJECT("epoll_edge_repeats"))
			put_back(ep, item, false);
	}
	if (!list_empty(&batch)) { /* what there was no room for comes first next time */
		flags = spin_lock_irqsave(&ep->lock);
		list_splice_init(&batch, &ep->ready);
		spin_unlock_irqrestore(&ep->lock, flags);
	}
	return n;
}

long epoll_wait_file(struct file *epf, uptr_t events, int max, u64 deadline_ns)
{
	struct eventpoll *ep = epf->private;
	int err = 0;
	long n;

	if (epf->ops != &ep_fops)
		return -EINVAL;
	for (;;) {
		n = 0;
		if (!list_empty(&ep->ready)) {
			mutex_lock(&ep->mutex);
			n = send_ready(ep, events, max);
			mutex_unlock(&ep->mutex);
		}
		if (n || err || deadline_ns == 0)
			break;
		err = waitq_wait(&ep->wait, !list_empty(&ep->ready), SLEEP_INTERRUPTIBLE,
				 deadline_ns);
	}
	/* Others may wait for what is still there. */
	if (n > 0 && !list_empty(&ep->ready) && waitq_active(&ep->wait))
		waitq_wake_one(&ep->wait, EPOLLIN);
	if (n || err == -ETIMEDOUT || !err)
		return n;
	return -EINTR;
}
