/*
 * poll, select, epoll and the calls that make event files. Manual: poll(2), select(2), epoll_ctl(2),
 * epoll_wait(2), eventfd(2), timerfd_create(2), signalfd(2).
 */
#include <fs/events.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <proc/restart.h>
#include <proc/signal.h>
#include <proc/signalfd.h>
#include "fs_args.h"

#define POLL_INLINE 16

static long install(struct file *f, bool cloexec)
{
	int fd = fd_alloc_install(f, cloexec);

	if (fd < 0)
		file_put(f);
	return fd;
}

static u64 deadline_of_ms(int ms)
{
	if (ms < 0)
		return TIME_NEVER;
	return ms ? time_after_ns((u64)ms * NSEC_PER_MSEC) : 0;
}

/* A timeout that may be absent; 0 is "don't wait". */
static int deadline_of_timespec(uptr_t uts, u64 *deadline)
{
	u64 ns;
	int err;

	*deadline = TIME_NEVER;
	if (!uts)
		return 0;
	err = timespec_from_user(uts, &ns);
	if (err)
		return err;
	*deadline = ns ? time_after_ns(ns) : 0;
	return 0;
}

static u64 left_ns(u64 deadline)
{
	u64 now = time_monotonic_ns();

	return deadline > now ? deadline - now : 0;
}

/* --- poll --- */

static long do_poll(uptr_t ufds, unsigned n, u64 deadline)
{
	struct pollfd small[POLL_INLINE], *fds = small;
	long ret;

	if (n > fd_limit())
		return -EINVAL;
	if (n > POLL_INLINE)
		fds = kmalloc(n * sizeof(*fds), 0);
	if (!fds)
		return -ENOMEM;
	ret = copy_from_user(fds, ufds, n * sizeof(*fds));
	if (!ret)
		ret = poll_fds(fds, n, deadline);
	if (ret >= 0 && copy_to_user(ufds, fds, n * sizeof(*fds)))
		ret = -EFAULT;
	if (fds != small)
		kfree(fds);
	return ret;
}

static long poll_restart(struct restart_block *r)
{
	long ret = do_poll(r->data[0], (unsigned)r->data[1], r->data[2]);

	return ret == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : ret;
}

long sys_poll(uptr_t fds, unsigned n, int timeout_ms)
{
	u64 deadline = deadline_of_ms(timeout_ms);
	long ret = do_poll(fds, n, deadline);
	struct restart_block *r;

	if (ret != -ERESTARTNOHAND || deadline == TIME_NEVER)
		return ret;
	r = restart_block_set(poll_restart);
	r->data[0] = fds;
	r->data[1] = n;
	r->data[2] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

long sys_ppoll(uptr_t fds, unsigned n, uptr_t timeout, uptr_t mask, size_t sigsetsize)
{
	u64 deadline;
	long ret = deadline_of_timespec(timeout, &deadline);

	if (!ret)
		ret = signal_set_user_mask(mask, sigsetsize);
	if (ret)
		return ret;
	ret = do_poll(fds, n, deadline);
	if (timeout && deadline)
		timespec_to_user(timeout, left_ns(deadline));
	if (mask)
		signal_restore_user_mask(ret == -ERESTARTNOHAND);
	return ret;
}

/* --- select --- */

#define SELECT_INLINE_WORDS (FD_SETSIZE / 64)

struct select_sets {
	unsigned long small[6 * SELECT_INLINE_WORDS];
	unsigned long *mem; /* six bitmaps: three in, three out */
	unsigned long *in[3], *out[3];
	size_t words;
};

static int sets_get(struct select_sets *s, int n, const uptr_t user[3])
{
	s->words = ((size_t)n + 63) / 64;
	s->mem = s->small;
	if (s->words > SELECT_INLINE_WORDS)
		s->mem = kmalloc(6 * s->words * 8, 0);
	if (!s->mem)
		return -ENOMEM;
	memset(s->mem, 0, 6 * s->words * 8);
	for (int k = 0; k < 3; k++) {
		s->in[k] = user[k] ? s->mem + (size_t)k * s->words : NULL;
		s->out[k] = s->mem + (size_t)(k + 3) * s->words;
		if (user[k] && copy_from_user(s->in[k], user[k], s->words * 8)) {
			if (s->mem != s->small)
				kfree(s->mem);
			return -EFAULT;
		}
	}
	return 0;
}

static long do_select(int n, const uptr_t user[3], u64 deadline)
{
	struct select_sets s;
	long ret;

	if (n < 0)
		return -EINVAL;
	n = min(n, (int)files_table_size(current->files));
	ret = sets_get(&s, n, user);
	if (ret)
		return ret;
	ret = select_fds(n, s.in, s.out, deadline);
	for (int k = 0; k < 3 && ret >= 0; k++) {
		if (user[k] && copy_to_user(user[k], s.out[k], s.words * 8))
			ret = -EFAULT;
	}
	if (s.mem != s.small)
		kfree(s.mem);
	return ret;
}

long sys_select(int n, uptr_t rd, uptr_t wr, uptr_t ex, uptr_t timeout)
{
	const uptr_t user[3] = { rd, wr, ex };
	u64 deadline = TIME_NEVER;
	struct timeval tv;
	long ret;

	if (timeout) {
		u64 ns;

		if (copy_obj_from_user(&tv, timeout))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		if (tv.tv_sec >= TIME_MAX_SEC)
			ns = INT64_MAX;
		else
			ns = (u64)tv.tv_sec * NSEC_PER_SEC + (u64)tv.tv_usec * NSEC_PER_USEC;
		deadline = ns ? time_after_ns(ns) : 0;
	}
	ret = do_select(n, user, deadline);
	if (timeout && deadline) {
		tv = ns_to_timeval(left_ns(deadline));
		if (copy_obj_to_user(timeout, &tv) && ret == -ERESTARTNOHAND)
			ret = -EINTR;
	}
	return ret;
}

long sys_pselect6(int n, uptr_t rd, uptr_t wr, uptr_t ex, uptr_t timeout, uptr_t sigmask)
{
	const uptr_t user[3] = { rd, wr, ex };
	u64 pair[2] = { 0, 0 }, deadline;
	long ret = deadline_of_timespec(timeout, &deadline);

	if (!ret && sigmask)
		ret = copy_from_user(pair, sigmask, sizeof(pair));
	if (!ret && pair[0])
		ret = signal_set_user_mask(pair[0], pair[1]);
	if (ret)
		return ret;
	ret = do_select(n, user, deadline);
	if (timeout && deadline)
		timespec_to_user(timeout, left_ns(deadline));
	if (pair[0])
		signal_restore_user_mask(ret == -ERESTARTNOHAND);
	return ret;
}

/* --- epoll --- */

long sys_epoll_create1(int flags)
{
	struct file *f;
	int err;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	err = epoll_create_file(&f);
	return err ? err : install(f, flags & EPOLL_CLOEXEC);
}

long sys_epoll_create(int size)
{
	return size > 0 ? sys_epoll_create1(0) : -EINVAL;
}

long sys_epoll_ctl(int epfd, int op, int fd, uptr_t uev)
{
	struct epoll_event ev = { 0, 0 };
	struct fd ep, f;
	long ret;

	if (op != EPOLL_CTL_DEL && copy_obj_from_user(&ev, uev))
		return -EFAULT;
	ep = fd_get(epfd);
	f = fd_get(fd);
	ret = -EBADF;
	if (ep.file && f.file)
		ret = epoll_ctl_file(ep.file, op, f.file, fd, &ev);
	fd_put(f);
	fd_put(ep);
	return ret;
}

static long do_epoll_wait(int epfd, uptr_t events, int max, u64 deadline)
{
	struct fd ep;
	long ret;

	if (max <= 0 || (size_t)max > INT32_MAX / sizeof(struct epoll_event))
		return -EINVAL;
	if (!user_range_ok(events, (size_t)max * sizeof(struct epoll_event)))
		return -EFAULT;
	ep = fd_get(epfd);
	if (!ep.file)
		return -EBADF;
	ret = epoll_wait_file(ep.file, events, max, deadline);
	fd_put(ep);
	return ret;
}

long sys_epoll_wait(int epfd, uptr_t events, int max, int timeout_ms)
{
	return do_epoll_wait(epfd, events, max, deadline_of_ms(timeout_ms));
}

static long epoll_pwait_until(int epfd, uptr_t events, int max, u64 deadline, uptr_t mask,
			      size_t sigsetsize)
{
	long ret = signal_set_user_mask(mask, sigsetsize);

	if (ret)
		return ret;
	ret = do_epoll_wait(epfd, events, max, deadline);
	if (mask)
		signal_restore_user_mask(ret == -EINTR);
	return ret;
}

long sys_epoll_pwait(int epfd, uptr_t events, int max, int timeout_ms, uptr_t mask,
		     size_t sigsetsize)
{
	return epoll_pwait_until(epfd, events, max, deadline_of_ms(timeout_ms), mask, sigsetsize);
}

long sys_epoll_pwait2(int epfd, uptr_t events, int max, uptr_t timeout, uptr_t mask,
		      size_t sigsetsize)
{
	u64 deadline;
	int err = deadline_of_timespec(timeout, &deadline);

	return err ? err : epoll_pwait_until(epfd, events, max, deadline, mask, sigsetsize);
}

/* --- event files --- */

long sys_eventfd2(unsigned initval, int flags)
{
	struct file *f;
	int err = eventfd_create(initval, (unsigned)flags, &f);

	return err ? err : install(f, flags & EFD_CLOEXEC);
}

long sys_eventfd(unsigned initval)
{
	return sys_eventfd2(initval, 0);
}

long sys_timerfd_create(int clock, int flags)
{
	struct file *f;
	int err = timerfd_create(clock, (unsigned)flags, &f);

	return err ? err : install(f, flags & TFD_CLOEXEC);
}

static int put_itimerspec(uptr_t dst, u64 value, u64 interval)
{
	struct itimerspec its = { ns_to_timespec(interval), ns_to_timespec(value) };

	return copy_obj_to_user(dst, &its);
}

long sys_timerfd_settime(int fd, int flags, uptr_t unew, uptr_t uold)
{
	u64 value, interval, old_value, old_interval;
	struct fd f;
	int err = timespec_from_user(unew + offsetof(struct itimerspec, it_value), &value);

	if (!err)
		err = timespec_from_user(unew, &interval);
	if (err)
		return err;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	err = timerfd_set(f.file, flags, value, interval, &old_value, &old_interval);
	fd_put(f);
	return !err && uold ? put_itimerspec(uold, old_value, old_interval) : err;
}

long sys_timerfd_gettime(int fd, uptr_t ucur)
{
	struct fd f = fd_get(fd);
	u64 value, interval;
	int err;

	if (!f.file)
		return -EBADF;
	err = timerfd_get(f.file, &value, &interval);
	fd_put(f);
	return err ? err : put_itimerspec(ucur, value, interval);
}

long sys_signalfd4(int fd, uptr_t umask, size_t sigsetsize, int flags)
{
	struct file *f;
	u64 mask;
	int err;

	if (sigsetsize != sizeof(mask) || flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if (copy_obj_from_user(&mask, umask))
		return -EFAULT;
	if (fd >= 0) {
		struct fd old = fd_get(fd);

		if (!old.file)
			return -EBADF;
		err = signalfd_set(old.file, mask);
		fd_put(old);
		return err ? err : fd;
	}
	if (fd != -1)
		return -EBADF;
	err = signalfd_create(mask, (unsigned)flags, &f);
	return err ? err : install(f, flags & SFD_CLOEXEC);
}

long sys_signalfd(int fd, uptr_t mask, size_t sigsetsize)
{
	return sys_signalfd4(fd, mask, sigsetsize, 0);
}
