/*
 * signalfd: a file from which the reader's own pending signals of a set are taken.
 *
 * Which signals are pending depends on who reads, not on who made the file; waiters sleep on the queue of
 * their own sighand, which every signal that is queued wakes. The mask is read without a lock.
 * Manual: signalfd(2).
 */
#include <core/time.h>
#include <fs/poll.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <proc/proc.h>
#include <proc/signalfd.h>
#include <uapi/fcntl.h>

struct signalfd_siginfo {
	u32 ssi_signo;
	s32 ssi_errno, ssi_code;
	u32 ssi_pid, ssi_uid;
	s32 ssi_fd;
	u32 ssi_tid, ssi_band, ssi_overrun, ssi_trapno;
	s32 ssi_status, ssi_int;
	u64 ssi_ptr, ssi_utime, ssi_stime, ssi_addr;
	u16 ssi_addr_lsb, pad2;
	s32 ssi_syscall;
	u64 ssi_call_addr;
	u32 ssi_arch;
	u8 pad[28];
};
BUILD_ASSERT(sizeof(struct signalfd_siginfo) == 128);

struct signalfd {
	u64 mask; /* [a] bit n-1: signal n */
};

static const u64 unblockable = BIT(SIGKILL - 1) | BIT(SIGSTOP - 1);

static void fill(struct signalfd_siginfo *s, const struct siginfo *i)
{
	memset(s, 0, sizeof(*s));
	s->ssi_signo = (u32)i->si_signo;
	s->ssi_errno = i->si_errno;
	s->ssi_code = i->si_code;
	s->ssi_pid = (u32)i->si_pid;
	s->ssi_uid = i->si_uid;
	if (i->si_signo == SIGCHLD && i->si_code > 0) {
		s->ssi_status = i->si_status;
		s->ssi_utime = (u64)i->si_utime;
		s->ssi_stime = (u64)i->si_stime;
	} else if (i->si_code == SI_TIMER) {
		s->ssi_tid = (u32)i->si_timerid;
		s->ssi_overrun = (u32)i->si_overrun;
		s->ssi_ptr = i->si_timer_value;
		s->ssi_int = (s32)i->si_timer_value;
	} else {
		s->ssi_ptr = i->si_value;
		s->ssi_int = (s32)i->si_value;
	}
	if (i->si_code > 0 &&
	    (i->si_signo == SIGSEGV || i->si_signo == SIGBUS || i->si_signo == SIGILL ||
	     i->si_signo == SIGFPE || i->si_signo == SIGTRAP))
		s->ssi_addr = i->si_addr;
}

static bool pending(const struct signalfd *s)
{
	return signal_pending_set() & READ_ONCE(s->mask);
}

static ssize_t signalfd_read(struct file *f, struct uio *to, loff_t *pos)
{
	struct signalfd *s = f->private;
	struct signalfd_siginfo out;
	struct siginfo info;
	ssize_t done = 0;

	(void)pos;
	if (to->resid < sizeof(out))
		return -EINVAL;
	while (to->resid >= sizeof(out)) {
		int err;

		if (signal_dequeue(READ_ONCE(s->mask), &info)) {
			fill(&out, &info);
			if (uio_copy_to(to, &out, sizeof(out)) != sizeof(out))
				return done ? done : -EFAULT;
			done += (ssize_t)sizeof(out);
			continue;
		}
		if (done)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = waitq_wait(&current->proc->sighand->signalfd_wait, pending(s),
				 SLEEP_INTERRUPTIBLE, TIME_NEVER);
		if (err)
			return err;
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(f, &current->proc->sighand->signalfd_wait, pt);
	return pending(f->private) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->private);
}

static void signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct signalfd *s = f->private;

	snprintf(buf, size, "sigmask:\t%016llx\n", s->mask);
}

static const struct file_ops signalfd_fops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.show_fdinfo = signalfd_fdinfo,
};

int signalfd_create(u64 mask, unsigned flags, struct file **out)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->mask = mask & ~unblockable;
	err = file_create_anon(&signalfd_fops, s, O_RDWR | (flags & SFD_NONBLOCK),
			       "anon_inode:[signalfd]", out);
	if (err)
		kfree(s);
	return err;
}

int signalfd_set(struct file *f, u64 mask)
{
	struct signalfd *s = f->private;

	if (f->ops != &signalfd_fops)
		return -EINVAL;
	__atomic_store_n(&s->mask, mask & ~unblockable, __ATOMIC_SEQ_CST);
	waitq_wake_all(&current->proc->sighand->signalfd_wait, 0);
	return 0;
}
