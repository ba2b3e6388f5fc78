/* Fork, exit, wait, reaping. */
#include "stagetest.h"
#include <sys/prctl.h>
#include <sys/resource.h>

TEST(getpid_gettid, "getpid, gettid and getppid agree with each other")
{
	pid_t me = getpid();

	CHECK(me > 0);
	CHECK_EQ(syscall(SYS_gettid), me);
	CHECK_EQ(syscall(SYS_getpid), me);
	pid_t pid = xfork();

	if (pid == 0) {
		CHECK(getpid() != me);
		CHECK_EQ(getppid(), me);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(fork_basic, "fork returns twice, memory is separate afterwards")
{
	static volatile int value = 1;
	volatile int on_stack = 1;
	pid_t pid = xfork();

	if (pid == 0) {
		CHECK(value == 1 && on_stack == 1);
		value = 2;
		on_stack = 2;
		_exit(value + on_stack);
	}
	CHECK_EXITS(pid, 4);
	CHECK(value == 1 && on_stack == 1);
}

TEST(exit_codes, "wait sees the low eight bits of the exit code")
{
	static const int codes[] = { 0, 1, 42, 127, 255, 256, 257, -1 };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		pid_t pid = xfork();

		if (pid == 0)
			_exit(codes[i]);
		CHECK_EXITS(pid, codes[i] & 0xff);
	}
}

TEST(wait_signaled, "wait tells which signal ended a child")
{
	static const int sigs[] = { SIGKILL, SIGTERM, SIGUSR1, SIGALRM, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		pid_t pid = xfork();

		if (pid == 0) {
			raise(sigs[i]);
			_exit(99);
		}
		CHECK_KILLED(pid, sigs[i]);
	}
}

TEST(wait_options, "waitpid: WNOHANG, wrong children, wrong options")
{
	struct gate g;
	int status;
	pid_t pid, other;

	CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
	gate_init(&g);
	pid = xfork();
	if (pid == 0) {
		gate_wait(&g);
		_exit(3);
	}
	status = 77;
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), 0);
	CHECK_ERRNO(waitpid(pid, &status, 0x100), EINVAL);
	CHECK_ERRNO(waitpid(getppid(), &status, 0), ECHILD);
	other = xfork();
	if (other == 0) {
		setpgid(0, 0);
		_exit(5);
	}
	CHECK_EXITS(other, 5);
	CHECK_ERRNO(waitpid(-pid, &status, 0), ECHILD); /* no group of that number */
	gate_open(&g);
	CHECK_EQ(waitpid(0, &status, 0), pid); /* my group */
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
}

TEST(wait_any, "waitpid(-1) reaps every child once")
{
	pid_t pids[12];
	unsigned seen = 0;
	int status;

	for (int i = 0; i < 12; i++) {
		pids[i] = xfork();
		if (pids[i] == 0)
			_exit(i);
	}
	for (int n = 0; n < 12; n++) {
		pid_t pid = OK(waitpid(-1, &status, 0));
		int i = WEXITSTATUS(status);

		CHECK(WIFEXITED(status) && i < 12 && pids[i] == pid);
		CHECK(!(seen & 1u << i));
		seen |= 1u << i;
	}
	CHECK_EQ(seen, 0xfff);
	CHECK_ERRNO(wait(&status), ECHILD);
}

TEST(waitid_info, "waitid fills siginfo; WNOWAIT leaves the zombie")
{
	siginfo_t si;
	pid_t pid = xfork();

	if (pid == 0)
		_exit(9);
	memset(&si, 0xee, sizeof(si));
	OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 9);
	CHECK_EQ(si.si_uid, getuid());
	OK(waitid(P_ALL, 0, &si, WEXITED));
	CHECK_EQ(si.si_pid, pid);
	CHECK_ERRNO(waitid(P_PID, (id_t)pid, &si, WEXITED), ECHILD);

	pid = xfork();
	if (pid == 0)
		pause();
	si.si_pid = 1234;
	OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG));
	CHECK_EQ(si.si_pid, 0);
	CHECK_ERRNO(waitid(P_PID, (id_t)pid, &si, WNOHANG), EINVAL); /* nothing asked for */
	CHECK_ERRNO(waitid((idtype_t)99, (id_t)pid, &si, WEXITED), EINVAL);
	OK(kill(pid, SIGTERM));
	OK(waitid(P_PGID, 0, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGTERM);
}

TEST(wait4_rusage, "wait4 returns the child's CPU time; getrusage adds it up")
{
	struct rusage ru, all;
	struct timespec ts;
	int status;
	pid_t pid = xfork();

	if (pid == 0) {
		do
			OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
		while (ts.tv_sec == 0 && ts.tv_nsec < 60000000);
		_exit(0);
	}
	CHECK_EQ(wait4(pid, &status, 0, &ru), pid);
	CHECK_EQ(status, 0);
	CHECK_GE((ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec +
			 ru.ru_stime.tv_usec,
		 20000);
	OK(getrusage(RUSAGE_CHILDREN, &all));
	CHECK_GE((all.ru_utime.tv_sec + all.ru_stime.tv_sec) * 1000000 + all.ru_utime.tv_usec +
			 all.ru_stime.tv_usec,
		 20000);
	CHECK_ERRNO(getrusage(99, &all), EINVAL);
}

TEST(zombie, "a zombie can be signalled until it is reaped, and is gone then")
{
	char path[64], buf[512], *p;
	siginfo_t si;
	pid_t pid = xfork();

	if (pid == 0)
		_exit(0);
	OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	OK(kill(pid, 0));
	OK(kill(pid, SIGKILL));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_text(path, buf, sizeof(buf));
	p = strrchr(buf, ')');
	CHECK(p && p[2] == 'Z');
	CHECK_EXITS(pid, 0);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

TEST(sigchld_ignored, "with SIGCHLD ignored, children leave no zombies")
{
	int status;
	pid_t pid;

	on_signal(SIGCHLD, SIG_IGN, 0);
	pid = xfork();
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD); /* after it has ended */
	on_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	pid = xfork();
	if (pid == 0)
		_exit(0);
	CHECK_ERRNO(wait(&status), ECHILD);
}

TEST(orphan_reparent, "an orphan gets a new parent that reaps it")
{
	struct gate g;
	int fds[2];
	pid_t pid, ppid = 0;

	OK(pipe(fds));
	gate_init(&g);
	pid = xfork();
	if (pid == 0) {
		pid_t middle = getpid(), orphan = fork();

		if (orphan == 0) {
			gate_wait(&g);
			while ((ppid = getppid()) == middle)
				sleep_ms(1);
			_exit(write(fds[1], &ppid, sizeof(ppid)) != sizeof(ppid));
		}
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	gate_open(&g);
	CHECK_EQ(read(fds[0], &ppid, sizeof(ppid)), sizeof(ppid));
	CHECK(ppid > 0 && ppid != pid && ppid != getpid());
}

TEST(subreaper, "a subreaper adopts orphans among its descendants")
{
	pid_t pid, orphan = 0;
	int fds[2];

	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(pipe(fds));
	pid = xfork();
	if (pid == 0) {
		pid_t middle = getpid();

		orphan = fork();
		if (orphan == 0) {
			while (getppid() == middle)
				sleep_ms(1);
			_exit(6);
		}
		_exit(write(fds[1], &orphan, sizeof(orphan)) != sizeof(orphan));
	}
	CHECK_EQ(read(fds[0], &orphan, sizeof(orphan)), sizeof(orphan));
	CHECK_EXITS(pid, 0);
	CHECK_EXITS(orphan, 6); /* it is ours now */
}

TEST(fork_many, "a hundred children live at the same time")
{
	static pid_t pids[100];
	struct gate g;

	gate_init(&g);
	for (int i = 0; i < 100; i++) {
		pids[i] = xfork();
		if (pids[i] == 0) {
			gate_wait(&g);
			_exit(i);
		}
		for (int k = 0; k < i; k++)
			CHECK(pids[k] != pids[i]);
	}
	for (int i = 0; i < 100; i++)
		gate_open(&g);
	for (int i = 0; i < 100; i++)
		CHECK_EXITS(pids[i], i);
}

TEST(fork_chain, "a chain of twenty forks hands its result back")
{
	int depth = 0;

	for (;;) {
		pid_t pid = xfork();

		if (pid != 0) {
			int st = xwait(pid);

			CHECK(WIFEXITED(st));
			if (depth == 0) {
				CHECK_EQ(WEXITSTATUS(st), 20);
				return;
			}
			_exit(WEXITSTATUS(st));
		}
		if (++depth == 20)
			_exit(depth);
	}
}

TEST(fork_shared_offset, "parent and child share a file's offset and flags")
{
	int fd = temp_fd();
	pid_t pid = xfork();

	if (pid == 0) {
		CHECK_EQ(write(fd, "child", 5), 5);
		OK(fcntl(fd, F_SETFL, O_APPEND));
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK(OK(fcntl(fd, F_GETFL)) & O_APPEND);
}

TEST(vfork_memory, "vfork shares memory and holds the parent until the child ends")
{
	static volatile int value;
	pid_t pid = vfork();

	if (pid == 0) {
		value = 5;
		_exit(8);
	}
	CHECK(pid > 0);
	CHECK_EQ(value, 5);
	CHECK_EXITS(pid, 8);
}

CHILD_PROGRAM(exit_with)
{
	return argc > 1 ? atoi(argv[1]) : 0;
}

TEST(vfork_exec, "vfork and exec, the parent goes on at the exec")
{
	const char *self = self_path();
	pid_t pid = vfork();

	if (pid == 0) {
		execl(self, "stagetest", "--child", "exit_with", "23", NULL);
		_exit(99);
	}
	CHECK_EXITS(pid, 23);
}

TEST(pdeathsig, "a child asked for a signal at its parent's death gets it")
{
	int fds[2], sig;
	pid_t pid;
	char c;

	OK(pipe(fds));
	pid = xfork();
	if (pid == 0) {
		struct gate g;

		gate_init(&g);
		if (fork() == 0) {
			close(fds[0]);
			OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
			OK(prctl(PR_GET_PDEATHSIG, &sig));
			CHECK_EQ(sig, SIGKILL);
			gate_open(&g);
			for (;;)
				pause();
		}
		gate_wait(&g);
		_exit(0);
	}
	close(fds[1]);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(read(fds[0], &c, 1), 0); /* the last writer is gone */
	CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 1000), EINVAL);
}
