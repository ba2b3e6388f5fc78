/* Stopping and continuing, and what the parent sees of it. */
#include "stagetest.h"

static volatile sig_atomic_t hits;
static volatile siginfo_t info;

static void keep(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	info = *si;
	hits++;
}

static pid_t start_sleeper(void)
{
	pid_t pid = xfork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

TEST(stop_continue, "SIGSTOP and SIGCONT are seen with WUNTRACED and WCONTINUED")
{
	int status;
	pid_t pid = start_sleeper();

	OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); /* told once */
	OK(kill(pid, SIGTERM));
	sleep_ms(20);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0); /* waits for the continue */
	OK(kill(pid, SIGCONT));
	CHECK_KILLED(pid, SIGTERM);
	pid = start_sleeper();
	OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	OK(kill(pid, SIGSTOP));
	OK(kill(pid, SIGKILL)); /* ends it even while stopped */
	CHECK_KILLED(pid, SIGKILL);
}

TEST(stop_waitid, "waitid tells of stop and continue in siginfo")
{
	siginfo_t si;
	pid_t pid = start_sleeper();

	OK(kill(pid, SIGTSTP));
	OK(waitid(P_PID, (id_t)pid, &si, WSTOPPED));
	CHECK(si.si_code == CLD_STOPPED && si.si_status == SIGTSTP && si.si_pid == pid);
	OK(kill(pid, SIGCONT));
	OK(waitid(P_PID, (id_t)pid, &si, WCONTINUED | WSTOPPED));
	CHECK(si.si_code == CLD_CONTINUED && si.si_status == SIGCONT);
	kill(pid, SIGKILL);
	OK(waitid(P_PID, (id_t)pid, &si, WEXITED));
	CHECK(si.si_code == CLD_KILLED && si.si_status == SIGKILL);
}

static void count(int sig)
{
	(void)sig;
	hits++;
}

TEST(sigcont_handler, "SIGCONT continues even when blocked; its handler runs; stops are discarded")
{
	struct gate g;
	int status;
	pid_t pid;

	gate_init(&g);
	pid = xfork();
	if (pid == 0) {
		sigset_t s, pend;

		on_signal(SIGCONT, count, 0);
		sigemptyset(&s);
		sigaddset(&s, SIGTSTP);
		OK(sigprocmask(SIG_BLOCK, &s, NULL));
		raise(SIGTSTP); /* pending */
		raise(SIGCONT); /* removes it */
		OK(sigpending(&pend));
		CHECK(!sigismember(&pend, SIGTSTP));
		CHECK_EQ(hits, 1);
		sigaddset(&s, SIGCONT);
		OK(sigprocmask(SIG_BLOCK, &s, NULL));
		raise(SIGSTOP);
		OK(sigpending(&pend));
		CHECK(sigismember(&pend, SIGCONT) && hits == 1);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	OK(kill(pid, SIGCONT));
	CHECK_EXITS(pid, 0);
}

TEST(sigchld_stop, "SIGCHLD for stopped children, unless SA_NOCLDSTOP")
{
	int status;
	pid_t pid;

	on_siginfo(SIGCHLD, keep, 0);
	pid = start_sleeper();
	OK(kill(pid, SIGSTOP));
	while (waitpid(pid, &status, WUNTRACED) < 0)
		;
	while (!hits)
		sleep_ms(1);
	CHECK(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP && info.si_pid == pid);
	on_siginfo(SIGCHLD, keep, SA_NOCLDSTOP);
	hits = 0;
	OK(kill(pid, SIGCONT));
	while (waitpid(pid, &status, WCONTINUED) < 0)
		;
	OK(kill(pid, SIGSTOP));
	while (waitpid(pid, &status, WUNTRACED) < 0)
		;
	CHECK_EQ(hits, 0);
	kill(pid, SIGKILL);
	while (!hits)
		sleep_ms(1);
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(stop_threads, "stopping a process stops a system call and time goes on afterwards")
{
	int status, fds[2];
	pid_t pid;
	char c = 0;

	OK(pipe(fds));
	pid = xfork();
	if (pid == 0) {
		close(fds[1]);
		_exit(read(fds[0], &c, 1) == 1 && c == 'k' ? 0 : 1); /* no EINTR from a stop */
	}
	wait_until_asleep(pid);
	OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	OK(kill(pid, SIGCONT));
	sleep_ms(10);
	CHECK_EQ(write(fds[1], "k", 1), 1);
	CHECK_EXITS(pid, 0);
}
