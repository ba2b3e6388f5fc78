/* poll, select, epoll, and the descriptors made for them. */
#include "stagetest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static volatile sig_atomic_t hits;
static void count(int sig)
{
	(void)sig;
	hits++;
}

/* A child that does fn after the caller has fallen asleep. */
static pid_t later_write(int fd)
{
	pid_t me = getpid(), pid = xfork();

	if (pid == 0) {
		wait_until_asleep(me);
		_exit(write(fd, "x", 1) != 1);
	}
	return pid;
}

TEST(poll_basic, "poll: ready, not ready, hung up, invalid, time-out")
{
	struct pollfd p[3];
	int fds[2], fd = temp_fd();
	uint64_t start;
	char c;

	OK(pipe(fds));
	p[0] = (struct pollfd){ fds[0], POLLIN, 99 };
	p[1] = (struct pollfd){ fds[1], POLLOUT, 99 };
	p[2] = (struct pollfd){ -1, POLLIN, 99 };
	CHECK_EQ(poll(p, 3, 0), 1);
	CHECK(p[0].revents == 0 && p[1].revents == POLLOUT && p[2].revents == 0);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(poll(p, 2, -1), 2);
	CHECK_EQ(p[0].revents, POLLIN);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	start = now_ns();
	CHECK_EQ(poll(p, 1, 30), 0);
	CHECK_GE(now_ns() - start, 30000000);
	p[2] = (struct pollfd){ fd, POLLIN | POLLOUT, 0 };
	CHECK_EQ(poll(p + 2, 1, 0), 1); /* files are always ready */
	CHECK_EQ(p[2].revents, POLLIN | POLLOUT);
	close(fds[1]);
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLHUP);
	p[0].fd = 999;
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLNVAL);
	CHECK_EQ(poll(NULL, 0, 1), 0);
	OK(pipe(fds));
	close(fds[0]);
	p[0] = (struct pollfd){ fds[1], POLLOUT, 0 };
	CHECK_EQ(poll(p, 1, 0), 1);
	CHECK(p[0].revents & POLLERR);
}

TEST(poll_wakeup, "poll wakes when another process writes; signals interrupt it")
{
	struct pollfd p;
	int fds[2];
	pid_t pid, me = getpid();
	char c;

	OK(pipe(fds));
	p = (struct pollfd){ fds[0], POLLIN, 0 };
	for (int i = 0; i < 3; i++) {
		pid = later_write(fds[1]);
		CHECK_EQ(poll(&p, 1, 20000), 1);
		CHECK_EQ(read(fds[0], &c, 1), 1);
		CHECK_EXITS(pid, 0);
	}
	on_signal(SIGUSR1, count, SA_RESTART);
	pid = xfork();
	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		_exit(0);
	}
	CHECK_ERRNO(poll(&p, 1, -1), EINTR); /* never restarted */
	CHECK_EQ(hits, 1);
	CHECK_EXITS(pid, 0);
}

TEST(ppoll_mask, "ppoll and pselect wait with another signal mask")
{
	struct timespec zero = { 0, 0 }, neg = { -1, 0 };
	sigset_t block, none;
	fd_set rd;

	on_signal(SIGUSR1, count, 0);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &block, NULL));
	raise(SIGUSR1);
	CHECK_EQ(ppoll(NULL, 0, &zero, &block), 0);
	CHECK_EQ(hits, 0);
	CHECK_ERRNO(ppoll(NULL, 0, NULL, &none), EINTR);
	CHECK_EQ(hits, 1);
	raise(SIGUSR1);
	FD_ZERO(&rd);
	CHECK_ERRNO(pselect(0, &rd, NULL, NULL, NULL, &none), EINTR);
	CHECK_EQ(hits, 2);
	CHECK_ERRNO(ppoll(NULL, 0, &neg, NULL), EINVAL);
}

TEST(select_basic, "select: sets are narrowed to what is ready, count, time-out, errors")
{
	struct timeval tv = { 0, 20000 };
	fd_set rd, wr;
	int a[2], b[2];
	uint64_t start = now_ns();

	OK(pipe(a));
	OK(pipe(b));
	FD_ZERO(&rd);
	FD_ZERO(&wr);
	FD_SET(a[0], &rd);
	FD_SET(b[0], &rd);
	CHECK_EQ(select(b[1] + 1, &rd, NULL, NULL, &tv), 0);
	CHECK_GE(now_ns() - start, 20000000);
	CHECK(!FD_ISSET(a[0], &rd));
	CHECK_EQ(write(b[1], "x", 1), 1);
	FD_SET(a[0], &rd);
	FD_SET(b[0], &rd);
	FD_SET(a[1], &wr);
	CHECK_EQ(select(b[1] + 1, &rd, &wr, NULL, NULL), 2);
	CHECK(!FD_ISSET(a[0], &rd) && FD_ISSET(b[0], &rd) && FD_ISSET(a[1], &wr));
	FD_ZERO(&rd);
	FD_SET(a[0], &rd);
	close(a[0]);
	CHECK_ERRNO(select(a[0] + 1, &rd, NULL, NULL, NULL), EBADF);
	CHECK_ERRNO(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	tv = (struct timeval){ -1, 0 };
	CHECK_ERRNO(select(0, NULL, NULL, NULL, &tv), EINVAL);
}

static int ep_wait(int ep, struct epoll_event *ev, int timeout)
{
	return epoll_wait(ep, ev, 8, timeout);
}

TEST(epoll_level, "epoll, level-triggered: ready as long as there is something")
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 }, ev[8];
	int ep = OK(epoll_create1(EPOLL_CLOEXEC)), fds[2];
	char c;

	OK(pipe(fds));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
	CHECK_EQ(ep_wait(ep, ev, 0), 0);
	CHECK_EQ(write(fds[1], "ab", 2), 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(ep_wait(ep, ev, 1000), 1);
		CHECK(ev[0].events == EPOLLIN && ev[0].data.u64 == 0x1122334455667788);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 0);
	e = (struct epoll_event){ .events = EPOLLOUT, .data.fd = 5 };
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &e));
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
	CHECK(ev[0].events == EPOLLOUT && ev[0].data.fd == 5);
	OK(epoll_ctl(ep, EPOLL_CTL_DEL, fds[1], NULL));
	close(fds[1]);
	CHECK_EQ(ep_wait(ep, ev, 1000), 1);
	CHECK_EQ(ev[0].events, EPOLLHUP); /* always reported */
	close(fds[0]); /* removes itself */
	CHECK_EQ(ep_wait(ep, ev, 0), 0);
}

TEST(epoll_edge, "epoll, edge-triggered: once for each arrival")
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, ev[8];
	int ep = OK(epoll_create1(0)), fds[2];

	OK(pipe(fds));
	CHECK_EQ(write(fds[1], "a", 1), 1);
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e)); /* ready when added: counts as an edge */
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 0); /* not read, but told */
	CHECK_EQ(write(fds[1], "b", 1), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 0);
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e)); /* arms again */
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
}

TEST(epoll_oneshot, "epoll, one-shot: silent after one event until modified")
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT }, ev[8];
	int ep = OK(epoll_create1(0)), fds[2];

	OK(pipe(fds));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
	CHECK_EQ(write(fds[1], "a", 1), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 0);
	CHECK_EQ(write(fds[1], "b", 1), 1);
	CHECK_EQ(ep_wait(ep, ev, 0), 0);
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e));
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
}

TEST(epoll_errors, "epoll_ctl and epoll_wait refuse nonsense; nesting; wake-ups")
{
	struct epoll_event e = { .events = EPOLLIN }, ev[8];
	int ep = OK(epoll_create1(0)), outer = OK(epoll_create1(0)), fds[2], fd = temp_fd();
	pid_t pid;

	OK(pipe(fds));
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), EPERM); /* a plain file */
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
	CHECK_ERRNO(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e), ENOENT);
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e), EEXIST);
	CHECK_ERRNO(epoll_wait(ep, ev, 0, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(fds[0], ev, 1, 0), EINVAL);
	CHECK_ERRNO(epoll_create(0), EINVAL);
	CHECK_ERRNO(epoll_create1(5), EINVAL);
	OK(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e));
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &e), ELOOP);
	CHECK_EQ(ep_wait(outer, ev, 0), 0);
	pid = later_write(fds[1]);
	CHECK_EQ(ep_wait(outer, ev, 20000), 1); /* woken through the inner one */
	CHECK_EQ(ep_wait(ep, ev, 0), 1);
	CHECK_EXITS(pid, 0);
}

TEST(eventfd, "eventfd: counting, semaphore mode, overflow, polling")
{
	int fd = OK(eventfd(3, EFD_NONBLOCK)), sem = OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	uint64_t v = 4;

	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 7);
	CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
	v = UINT64_MAX;
	CHECK_ERRNO(write(fd, &v, 8), EINVAL);
	v = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERRNO(write(fd, &v, 8), EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_ERRNO(read(fd, &v, 4), EINVAL);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(read(sem, &v, 8), 8);
		CHECK_EQ(v, 1);
	}
	CHECK_ERRNO(read(sem, &v, 8), EAGAIN);
	fd = OK(eventfd(0, 0));
	pid_t me = getpid(), pid = xfork();

	if (pid == 0) {
		wait_until_asleep(me);
		v = 5;
		_exit(write(fd, &v, 8) != 8);
	}
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 5);
	CHECK_EXITS(pid, 0);
	CHECK_ERRNO(eventfd(0, 0x100), EINVAL);
}

TEST(timerfd, "timerfd: expirations are counted, absolute and relative, polling")
{
	struct itimerspec its = { { 0, 4000000 }, { 0, 4000000 } }, cur;
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n = 0, start = now_ns(), sum = 0;

	CHECK_ERRNO(read(fd, &n, 8), EAGAIN);
	OK(timerfd_settime(fd, 0, &its, NULL));
	while (sum < 5) {
		CHECK_EQ(poll(&p, 1, 20000), 1);
		CHECK_EQ(read(fd, &n, 8), 8);
		sum += n;
	}
	CHECK_GE(now_ns() - start, 20000000);
	sleep_ms(20);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_GE(n, 4);
	OK(timerfd_gettime(fd, &cur));
	CHECK(cur.it_interval.tv_nsec == 4000000 && cur.it_value.tv_nsec <= 4000000);
	its = (struct itimerspec){ { 0, 0 }, { 1, 0 } }; /* long past */
	OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	CHECK_EQ(poll(&p, 1, 20000), 1);
	CHECK_EQ(read(fd, &n, 8), 8);
	CHECK_EQ(n, 1);
	CHECK_ERRNO(read(fd, &n, 7), EINVAL);
	CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
	CHECK_ERRNO(timerfd_settime(OK(eventfd(0, 0)), 0, &its, NULL), EINVAL);
}

TEST(signalfd, "signalfd reads blocked signals as records")
{
	struct signalfd_siginfo si[3];
	sigset_t set;
	struct pollfd p;
	union sigval v = { .sival_int = 17 };
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = OK(signalfd(-1, &set, SFD_NONBLOCK));
	p = (struct pollfd){ fd, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_ERRNO(read(fd, si, sizeof(si)), EAGAIN);
	OK(sigqueue(getpid(), SIGRTMIN, v));
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(read(fd, si, sizeof(si)), 2 * sizeof(si[0]));
	CHECK(si[0].ssi_signo == SIGUSR1 && si[0].ssi_pid == (uint32_t)getpid());
	CHECK(si[1].ssi_signo == (uint32_t)SIGRTMIN && si[1].ssi_int == 17 &&
	      si[1].ssi_code == SI_QUEUE);
	CHECK_ERRNO(read(fd, si, 10), EINVAL);
	sigdelset(&set, SIGUSR1);
	CHECK_EQ(signalfd(fd, &set, 0), fd); /* a new mask */
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(poll(&p, 1, 0), 0);
	fd = fcntl(fd, F_GETFL);
	CHECK(fd & O_NONBLOCK);
}
