/*
 * Advisory locks: POSIX record locks (owned by a descriptor table), the same owned by an open file (OFD),
 * and flock's.
 *
 * An inode has a list of its locks. One spinlock protects all lists, and the list of who waits for whom,
 * in which a circle among POSIX owners is looked for before somebody sleeps (EDEADLK). Waiters sleep on
 * one queue and try again whenever some lock went away. Manual: fcntl(2), flock(2).
 */
#include <core/time.h>
#include <debug/inject.h>
#include <fs/events.h>
#include <fs/locks.h>
#include <sched/thread.h>
#include "internal.h"

enum lock_kind { LOCK_RECORD, LOCK_WHOLE };

struct file_lock {
	struct list link; /* [x] locks_lock: in inode->locks */
	enum lock_kind kind;
	int type; /* F_RDLCK, F_WRLCK, F_UNLCK (in requests) */
	u64 start, end; /* inclusive */
	void *owner; /* struct files or struct file */
	s32 pid; /* -1: OFD */
};

struct lock_wait { /* on the stack of who sleeps */
	struct list link;
	void *owner, *blocker;
};

static struct spinlock locks_lock = SPINLOCK_INIT("file locks", RANK_FILES);
static struct waitq locks_wait = WAITQ_INIT(locks_wait);
static DEFINE_LIST(waiting); /* [x] locks_lock: POSIX owners that sleep */
static u32 generation; /* [a] changes when a lock goes away */

static void changed(void)
{
	__atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
	if (waitq_active(&locks_wait))
		waitq_wake_all(&locks_wait, 0);
}

/* The first in file order that stands against r; locks_lock held. */
static struct file_lock *conflict(struct inode *inode, const struct file_lock *r)
{
	struct file_lock *l, *first = NULL;

	list_for_each_entry(l, &inode->locks, link) {
		if (l->kind != r->kind || l->owner == r->owner || l->end < r->start ||
		    l->start > r->end)
			continue;
		if ((l->type != F_WRLCK && r->type != F_WRLCK) || INJECT("locks_never_conflict"))
			continue;
		if (!first || l->start < first->start)
			first = l;
	}
	return first;
}

static struct file_lock *copy_lock(const struct file_lock *l)
{
	struct file_lock *n = kmalloc(sizeof(*n), 0);

	if (n)
		*n = *l;
	return n;
}

/* Makes the owner's locks on r's range what r says. `fresh` are two spare entries; used ones become NULL.
 * locks_lock held. */
static void apply(struct inode *inode, const struct file_lock *r, struct file_lock *fresh[2],
		  struct list *gone)
{
	struct file_lock *l, *n, *new = NULL;
	u64 start = r->start, end = r->end;

	list_for_each_entry_safe(l, n, &inode->locks, link) {
		if (l->kind != r->kind || l->owner != r->owner)
			continue;
		if (l->type == r->type) { /* overlapping or touching: one lock */
			if ((l->end != ~0ull && l->end + 1 < start) ||
			    (end != ~0ull && l->start > end + 1))
				continue;
			start = min(start, l->start);
			end = max(end, l->end);
			list_move(&l->link, gone);
			continue;
		}
		if (l->end < r->start || l->start > r->end)
			continue;
		if (l->start < r->start && l->end > r->end) { /* cut in two */
			struct file_lock *tail = fresh[1];

			fresh[1] = NULL;
			*tail = *l;
			tail->start = r->end + 1;
			list_add(&tail->link, &l->link);
			l->end = r->start - 1;
		} else if (l->start < r->start) {
			l->end = r->start - 1;
		} else if (l->end > r->end) {
			l->start = r->end + 1;
		} else {
			list_move(&l->link, gone);
		}
	}
	if (r->type == F_UNLCK)
		return;
	new = fresh[0];
	fresh[0] = NULL;
	*new = *r;
	new->start = start;
	new->end = end;
	list_add_tail(&new->link, &inode->locks);
}

static void free_list(struct list *gone)
{
	while (!list_empty(gone)) {
		struct file_lock *l = list_first_entry(gone, struct file_lock, link);

		list_del(&l->link);
		kfree(l);
	}
}

/* Would `owner` sleeping behind `blocker` close a circle? locks_lock held. */
static bool deadlock(void *owner, void *blocker)
{
	struct lock_wait *w;
	unsigned steps = 0;

again:
	if (blocker == owner)
		return true;
	if (++steps > 1000)
		return false;
	list_for_each_entry(w, &waiting, link) {
		if (w->owner == blocker) {
			blocker = w->blocker;
			goto again;
		}
	}
	return false;
}

/* One attempt. 0; -EAGAIN with *blocker; -ENOLCK. */
static int try_lock(struct inode *inode, const struct file_lock *r, void **blocker)
{
	struct file_lock *fresh[2] = { copy_lock(r), copy_lock(r) }, *c = NULL;
	DEFINE_LIST(gone);
	int err = 0;

	if (!fresh[0] || !fresh[1]) {
		err = -ENOLCK;
		goto out;
	}
	spin_lock(&locks_lock);
	if (r->type != F_UNLCK)
		c = conflict(inode, r);
	if (c) {
		*blocker = c->owner;
		err = -EAGAIN;
	} else {
		apply(inode, r, fresh, &gone);
	}
	spin_unlock(&locks_lock);
	if (!err && !list_empty(&gone))
		changed();
	else if (!err && r->type != F_WRLCK)
		changed(); /* a lock was made smaller, or weaker */
	free_list(&gone);
out:
	kfree(fresh[0]);
	kfree(fresh[1]);
	return err;
}

static int lock_wait(struct inode *inode, const struct file_lock *r, bool check_deadlock)
{
	for (;;) {
		struct lock_wait w = { .owner = r->owner };
		u32 seen = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
		int err = try_lock(inode, r, &w.blocker);

		if (err != -EAGAIN)
			return err;
		if (check_deadlock) {
			spin_lock(&locks_lock);
			if (deadlock(w.owner, w.blocker)) {
				spin_unlock(&locks_lock);
				return -EDEADLK;
			}
			list_add_tail(&w.link, &waiting);
			spin_unlock(&locks_lock);
		}
		err = waitq_wait(&locks_wait,
				 __atomic_load_n(&generation, __ATOMIC_SEQ_CST) != seen,
				 SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (check_deadlock) {
			spin_lock(&locks_lock);
			list_del(&w.link);
			spin_unlock(&locks_lock);
		}
		if (err)
			return err;
	}
}

/* --- records --- */

static int to_range(struct file *f, const struct flock *fl, struct file_lock *r)
{
	s64 base, start, end;

	switch (fl->l_whence) {
	case SEEK_SET: base = 0; break;
	case SEEK_CUR: base = f->pos; break;
	case SEEK_END: base = (s64)f->inode->size; break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->l_start, &start))
		return -EOVERFLOW;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(start, fl->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->l_len < 0) {
		end = start - 1;
		start += fl->l_len;
	} else {
		end = -1; /* to the end, wherever that is */
	}
	if (start < 0)
		return -EINVAL;
	r->start = (u64)start;
	r->end = fl->l_len ? (u64)end : ~0ull;
	return 0;
}

static int to_request(struct file *f, const struct flock *fl, bool ofd, struct file_lock *r)
{
	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && fl->l_type != F_UNLCK)
		return -EINVAL;
	if (ofd && fl->l_pid)
		return -EINVAL;
	r->kind = LOCK_RECORD;
	r->type = fl->l_type;
	r->owner = ofd ? (void *)f : current->files;
	r->pid = ofd ? -1 : fs_hooks.current_pid ? fs_hooks.current_pid() : 0;
	return to_range(f, fl, r);
}

int locks_get(struct file *f, struct flock *fl, bool ofd)
{
	struct file_lock r, *c;
	int err = fl->l_type == F_UNLCK ? -EINVAL : to_request(f, fl, ofd, &r);

	if (err)
		return err;
	spin_lock(&locks_lock);
	c = conflict(f->inode, &r);
	if (!c) {
		fl->l_type = F_UNLCK;
	} else {
		fl->l_type = (s16)c->type;
		fl->l_whence = SEEK_SET;
		fl->l_start = (s64)c->start;
		fl->l_len = c->end == ~0ull ? 0 : (s64)(c->end - c->start + 1);
		fl->l_pid = c->pid;
	}
	spin_unlock(&locks_lock);
	return 0;
}

int locks_set(struct file *f, const struct flock *fl, bool ofd, bool wait)
{
	struct file_lock r;
	void *blocker;
	int err = to_request(f, fl, ofd, &r);

	if (err)
		return err;
	if ((r.type == F_RDLCK && !(f->mode & FMODE_READ)) ||
	    (r.type == F_WRLCK && !(f->mode & FMODE_WRITE)))
		return -EBADF;
	if (ofd)
		f->mode |= FMODE_LOCKED;
	return wait ? lock_wait(f->inode, &r, !ofd) : try_lock(f->inode, &r, &blocker);
}

/* --- flock --- */

int file_flock(struct file *f, int op)
{
	static const int types[] = {
		[LOCK_SH] = F_RDLCK, [LOCK_EX] = F_WRLCK, [LOCK_UN] = F_UNLCK
	};
	struct file_lock r = { .kind = LOCK_WHOLE, .end = ~0ull, .owner = f }, unlock;
	void *blocker;
	int how = op & ~LOCK_NB, err;

	if (how != LOCK_SH && how != LOCK_EX && how != LOCK_UN)
		return -EINVAL;
	r.type = types[how];
	f->mode |= FMODE_LOCKED;
	err = try_lock(f->inode, &r, &blocker);
	if (err != -EAGAIN)
		return err;
	/* A conversion gives up the old lock first. */
	unlock = r;
	unlock.type = F_UNLCK;
	err = try_lock(f->inode, &unlock, &blocker);
	if (err)
		return err;
	return op & LOCK_NB ? -EWOULDBLOCK : lock_wait(f->inode, &r, false);
}

/* --- ends --- */

static void remove_owned(struct inode *inode, const void *owner)
{
	struct file_lock *l, *n;
	DEFINE_LIST(gone);

	spin_lock(&locks_lock);
	list_for_each_entry_safe(l, n, &inode->locks, link) {
		if (l->owner == owner)
			list_move(&l->link, &gone);
	}
	spin_unlock(&locks_lock);
	if (!list_empty(&gone))
		changed();
	free_list(&gone);
}

void locks_close_fd(struct file *f, void *owner)
{
	remove_owned(f->inode, owner);
}

void locks_release_file(struct file *f)
{
	remove_owned(f->inode, f);
}
