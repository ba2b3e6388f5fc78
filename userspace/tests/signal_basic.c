/* Handlers, masks, pending and queued signals, sending. */
#include "stagetest.h"
#include <setjmp.h>

static volatile sig_atomic_t hits, last_sig, depth, max_depth;
static volatile int order[64];
static volatile siginfo_t last_info;

static void count(int sig)
{
	hits++;
	last_sig = sig;
}

static void keep_info(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	last_info = *si;
	order[hits++] = sig == SIGRTMIN + 1 ? si->si_value.sival_int : -sig;
}

static sigset_t set_of(int a, int b)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, a);
	if (b)
		sigaddset(&s, b);
	return s;
}

TEST(signal_handler, "a handler runs before kill() to oneself returns")
{
	on_signal(SIGUSR1, count, 0);
	OK(kill(getpid(), SIGUSR1));
	CHECK(hits == 1 && last_sig == SIGUSR1);
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 2);
	signal(SIGUSR1, SIG_IGN);
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 2);
	struct sigaction sa;

	CHECK_ERRNO(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = count }, NULL), EINVAL);
	CHECK_ERRNO(sigaction(SIGSTOP, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), EINVAL);
	CHECK_ERRNO(sigaction(65, NULL, &sa), EINVAL);
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_IGN);
}

TEST(signal_registers, "registers and stack come through a handler unharmed")
{
	on_signal(SIGUSR1, count, 0);
	for (int i = 0; i < 100; i++) {
		unsigned long a = (unsigned long)i * 7, b = ~(unsigned long)i, c = a ^ b, sum;
		long ret;

		ret = syscall(SYS_kill, getpid(), SIGUSR1);
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c));
		sum = a + b + c;
		CHECK(ret == 0 && sum == (unsigned long)i * 7 + ~(unsigned long)i + c);
		CHECK_EQ(c, a ^ b);
	}
	CHECK_EQ(hits, 100);
}

TEST(signal_siginfo, "siginfo says who sent it and how")
{
	union sigval v = { .sival_int = 4711 };
	pid_t pid;

	on_siginfo(SIGUSR1, keep_info, 0);
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK(last_info.si_pid == getpid() && last_info.si_uid == getuid());
	OK((int)syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_code, SI_TKILL);
	OK(sigqueue(getpid(), SIGUSR1, v));
	CHECK_EQ(last_info.si_code, SI_QUEUE);
	CHECK_EQ(last_info.si_value.sival_int, 4711);
	on_siginfo(SIGCHLD, keep_info, 0);
	pid = xfork();
	if (pid == 0)
		_exit(33);
	while (last_info.si_signo != SIGCHLD)
		sleep_ms(1);
	CHECK(last_info.si_code == CLD_EXITED && last_info.si_pid == pid &&
	      last_info.si_status == 33);
	CHECK_EXITS(pid, 33);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), getpid() + 100000, SIGUSR1), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, -1, getpid(), SIGUSR1), EINVAL);
}

TEST(signal_blocking, "blocked signals wait, and arrive when unblocked")
{
	sigset_t s = set_of(SIGUSR1, SIGUSR2), old, pend, all;

	on_signal(SIGUSR1, count, 0);
	on_signal(SIGUSR2, count, 0);
	OK(sigprocmask(SIG_BLOCK, &s, &old));
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR2);
	CHECK_EQ(hits, 0);
	OK(sigpending(&pend));
	CHECK(sigismember(&pend, SIGUSR1) && sigismember(&pend, SIGUSR2) &&
	      !sigismember(&pend, SIGINT));
	s = set_of(SIGUSR1, 0);
	OK(sigprocmask(SIG_UNBLOCK, &s, NULL));
	CHECK(hits == 1 && last_sig == SIGUSR1); /* twice sent, once pending */
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK(hits == 2 && last_sig == SIGUSR2);
	sigfillset(&all);
	OK(sigprocmask(SIG_SETMASK, &all, NULL));
	OK(sigprocmask(SIG_BLOCK, NULL, &s));
	CHECK(!sigismember(&s, SIGKILL) && !sigismember(&s, SIGSTOP) && sigismember(&s, SIGINT));
	CHECK_ERRNO(sigprocmask(99, &all, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 4), EINVAL);
}

TEST(signal_ignore_pending, "setting a pending signal to be ignored discards it")
{
	sigset_t s = set_of(SIGUSR1, 0), pend;

	OK(sigprocmask(SIG_BLOCK, &s, NULL));
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	OK(sigpending(&pend));
	CHECK(!sigismember(&pend, SIGUSR1));
	signal(SIGUSR1, SIG_DFL);
	OK(sigprocmask(SIG_UNBLOCK, &s, NULL)); /* alive: it is gone */
	s = set_of(SIGCHLD, 0); /* ignored by default */
	OK(sigprocmask(SIG_BLOCK, &s, NULL));
	raise(SIGCHLD);
	OK(sigpending(&pend));
	CHECK(sigismember(&pend, SIGCHLD)); /* blocked: kept, a handler may come */
}

TEST(signal_rt_queue, "real-time signals queue, in order, lowest number first")
{
	sigset_t s = set_of(SIGRTMIN + 1, SIGRTMIN), old;
	union sigval v;

	on_siginfo(SIGRTMIN + 1, keep_info, 0);
	on_siginfo(SIGRTMIN, keep_info, 0);
	OK(sigprocmask(SIG_BLOCK, &s, &old));
	for (int i = 0; i < 10; i++) {
		v.sival_int = i;
		OK(sigqueue(getpid(), SIGRTMIN + 1, v));
	}
	OK(sigqueue(getpid(), SIGRTMIN, v));
	CHECK_EQ(sigtimedwait(&s, NULL, &(struct timespec){ 0 }), SIGRTMIN); /* the lowest first */
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(hits, 10);
	/* Each delivery stacks on top of the last unless the mask holds it back: here it does. */
	for (int i = 0; i < 10; i++)
		CHECK_EQ(order[i], i);
}

static void nested(int sig)
{
	if (++depth > max_depth)
		max_depth = depth;
	if (++hits < 5)
		raise(sig);
	depth--;
}

TEST(signal_nodefer, "a signal is blocked in its handler, not with SA_NODEFER")
{
	on_signal(SIGUSR1, nested, 0);
	raise(SIGUSR1);
	CHECK(hits == 5 && max_depth == 1);
	hits = max_depth = 0;
	on_signal(SIGUSR1, nested, SA_NODEFER);
	raise(SIGUSR1);
	CHECK(hits == 5 && max_depth == 5);
}

TEST(signal_resethand, "SA_RESETHAND: the handler runs once")
{
	struct sigaction sa;
	pid_t pid;

	on_signal(SIGUSR1, count, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK_EQ(hits, 1);
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	pid = xfork();
	if (pid == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGUSR1);
}

static volatile sig_atomic_t usr2_in_usr1;
static void outer(int sig)
{
	(void)sig;
	hits = 0;
	raise(SIGUSR2);
	usr2_in_usr1 = hits;
}

TEST(signal_sa_mask, "sa_mask holds signals back while the handler runs; others nest")
{
	struct sigaction sa = { .sa_handler = outer };

	on_signal(SIGUSR2, count, 0);
	OK(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	CHECK(usr2_in_usr1 == 1);
	sigaddset(&sa.sa_mask, SIGUSR2);
	OK(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	CHECK(usr2_in_usr1 == 0 && hits == 1); /* after outer() */
}

TEST(sigsuspend, "sigsuspend waits with another mask and puts the old one back")
{
	sigset_t s = set_of(SIGUSR1, 0), none, now;
	pid_t me = getpid(), pid;

	on_signal(SIGUSR1, count, SA_RESTART);
	OK(sigprocmask(SIG_BLOCK, &s, NULL));
	sigemptyset(&none);
	raise(SIGUSR1);
	CHECK_ERRNO(sigsuspend(&none), EINTR); /* pending already */
	CHECK_EQ(hits, 1);
	pid = xfork();
	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		_exit(0);
	}
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(hits, 2);
	OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK(sigismember(&now, SIGUSR1));
	CHECK_EXITS(pid, 0);
}

TEST(sigtimedwait_call, "sigtimedwait takes a pending signal, or EAGAIN after the time")
{
	struct timespec zero = { 0, 0 }, some = { 0, 30000000 };
	sigset_t s = set_of(SIGUSR1, SIGRTMIN);
	union sigval v = { .sival_int = 8 };
	uint64_t start;
	siginfo_t si;

	OK(sigprocmask(SIG_BLOCK, &s, NULL));
	CHECK_ERRNO(sigtimedwait(&s, &si, &zero), EAGAIN);
	start = now_ns();
	CHECK_ERRNO(sigtimedwait(&s, &si, &some), EAGAIN);
	CHECK_GE(now_ns() - start, 30000000);
	sigqueue(getpid(), SIGRTMIN, v);
	raise(SIGUSR1);
	CHECK_EQ(sigtimedwait(&s, &si, &zero), SIGUSR1);
	CHECK_EQ(sigwaitinfo(&s, &si), SIGRTMIN);
	CHECK(si.si_code == SI_QUEUE && si.si_value.sival_int == 8 && si.si_pid == getpid());
	CHECK_ERRNO(sigtimedwait(&s, &si, &zero), EAGAIN);
	some.tv_nsec = 1000000000;
	CHECK_ERRNO(sigtimedwait(&s, &si, &some), EINVAL);
}

static pid_t send_when_asleep(int sig)
{
	pid_t me = getpid(), pid = xfork();

	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, sig);
		_exit(0);
	}
	return pid;
}

TEST(sa_restart, "an interrupted read restarts with SA_RESTART, else EINTR")
{
	int fds[2];
	pid_t pid;
	char c;

	OK(pipe(fds));
	on_signal(SIGUSR1, count, 0);
	pid = send_when_asleep(SIGUSR1);
	CHECK_ERRNO(read(fds[0], &c, 1), EINTR);
	CHECK_EXITS(pid, 0);
	on_signal(SIGUSR1, count, SA_RESTART);
	pid_t me = getpid();

	pid = xfork();
	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		sleep_ms(10);
		wait_until_asleep(me);
		_exit(write(fds[1], "z", 1) != 1);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK(c == 'z' && hits == 2);
	CHECK_EXITS(pid, 0);
	pid = send_when_asleep(SIGUSR1);
	CHECK_ERRNO(pause(), EINTR); /* never restarts */
	CHECK_EXITS(pid, 0);
}

TEST(nanosleep_interrupted,
     "an interrupted nanosleep tells the time that is left; ignored signals don't end it")
{
	struct timespec req = { 20, 0 }, left = { 0 };
	uint64_t start;
	pid_t pid;

	on_signal(SIGUSR1, count, SA_RESTART);
	pid = send_when_asleep(SIGUSR1);
	CHECK_ERRNO(nanosleep(&req, &left), EINTR);
	CHECK(left.tv_sec > 5 && left.tv_sec <= 20);
	CHECK_EXITS(pid, 0);
	signal(SIGUSR2, SIG_IGN);
	pid = send_when_asleep(SIGUSR2);
	start = now_ns();
	req = (struct timespec){ 0, 150000000 };
	OK(nanosleep(&req, NULL));
	CHECK_GE(now_ns() - start, 150000000);
	CHECK_EXITS(pid, 0);
}

static sigjmp_buf jump;
static void jump_out(int sig)
{
	hits++;
	siglongjmp(jump, sig);
}

TEST(siglongjmp, "a handler may leave by siglongjmp, which restores the mask")
{
	sigset_t now;

	on_signal(SIGUSR1, jump_out, 0);
	for (volatile int i = 1; i <= 3; i++) {
		if (sigsetjmp(jump, 1) == 0) {
			raise(SIGUSR1);
			FAIL("raise returned");
		}
		CHECK_EQ(hits, i);
		OK(sigprocmask(SIG_BLOCK, NULL, &now));
		CHECK(!sigismember(&now, SIGUSR1));
	}
}

TEST(sigpipe, "writing to a pipe without a reader: SIGPIPE, or EPIPE when ignored")
{
	int fds[2];
	pid_t pid;

	OK(pipe(fds));
	close(fds[0]);
	pid = xfork();
	if (pid == 0) {
		if (write(fds[1], "x", 1) < 0)
			_exit(1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGPIPE);
	on_signal(SIGPIPE, count, 0);
	CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
	CHECK_EQ(hits, 1);
}
