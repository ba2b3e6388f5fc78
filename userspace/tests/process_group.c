/* Process groups, sessions, limits, priorities, names, times. */
#include "stagetest.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>

TEST(setsid_basic, "setsid makes a session and group; a group leader may not")
{
	pid_t pid = xfork();

	if (pid == 0) {
		pid_t me = getpid();

		CHECK_EQ(setsid(), me);
		CHECK_EQ(getsid(0), me);
		CHECK_EQ(getpgrp(), me);
		CHECK_EQ(getpgid(me), me);
		CHECK_ERRNO(setsid(), EPERM);
		CHECK_ERRNO(setpgid(0, 0), EPERM); /* a session leader stays where it is */
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	pid = xfork();
	if (pid == 0) {
		OK(setpgid(0, 0));
		CHECK_ERRNO(setsid(), EPERM);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	CHECK_ERRNO(getsid(1 << 22), ESRCH);
	CHECK_ERRNO(getpgid(1 << 22), ESRCH);
}

CHILD_PROGRAM(wait_forever)
{
	(void)argc, (void)argv;
	if (write(1, "r", 1) != 1)
		return 1;
	for (;;)
		pause();
}

TEST(setpgid_rules, "setpgid: joining, and every refusal")
{
	const char *const argv[] = { "wait_forever", NULL };
	struct gate g, go;
	pid_t a, b, c;
	int fd;
	char ch;

	gate_init(&g);
	gate_init(&go);
	a = xfork();
	if (a == 0)
		pause();
	b = xfork();
	if (b == 0)
		pause();
	OK(setpgid(a, a));
	CHECK_EQ(getpgid(a), a);
	OK(setpgid(b, a)); /* joins */
	CHECK_EQ(getpgid(b), a);
	OK(setpgid(b, 0)); /* its own */
	CHECK_EQ(getpgid(b), b);
	CHECK_ERRNO(setpgid(a, -1), EINVAL);
	CHECK_ERRNO(setpgid(a, 1 << 22), EPERM); /* no such group */
	CHECK_ERRNO(setpgid(getppid(), 0), ESRCH); /* neither me nor my child */
	c = xfork();
	if (c == 0) {
		setsid();
		gate_open(&g);
		pause();
	}
	gate_wait(&g);
	CHECK_ERRNO(setpgid(c, 0), EPERM); /* another session */
	kill(a, SIGKILL), kill(b, SIGKILL), kill(c, SIGKILL);
	CHECK_KILLED(a, SIGKILL);
	CHECK_KILLED(b, SIGKILL);
	CHECK_KILLED(c, SIGKILL);
	a = spawn_child(&fd, argv);
	CHECK_EQ(read(fd, &ch, 1), 1);
	CHECK_ERRNO(setpgid(a, a), EACCES); /* it has executed a program */
	kill(a, SIGKILL);
	CHECK_KILLED(a, SIGKILL);
}

TEST(kill_group, "kill(-group) and kill(0) reach the whole group and nobody else")
{
	struct gate g;
	pid_t in[3], out, boss;

	gate_init(&g);
	out = xfork();
	if (out == 0) {
		gate_open(&g);
		pause();
	}
	gate_wait(&g);
	for (int i = 0; i < 3; i++) {
		in[i] = xfork();
		if (in[i] == 0) {
			setpgid(0, i ? in[0] : 0);
			gate_open(&g);
			for (;;)
				pause();
		}
		gate_wait(&g);
	}
	OK(kill(-in[0], SIGUSR1));
	for (int i = 0; i < 3; i++)
		CHECK_KILLED(in[i], SIGUSR1);
	CHECK_ERRNO(kill(-in[0], 0), ESRCH);
	CHECK_EQ(waitpid(out, NULL, WNOHANG), 0);
	boss = xfork();
	if (boss == 0) {
		setpgid(0, 0);
		if (xfork() == 0) {
			kill(0, SIGTERM);
			pause();
		}
		for (;;)
			pause();
	}
	CHECK_KILLED(boss, SIGTERM);
	CHECK_EQ(waitpid(out, NULL, WNOHANG), 0);
	kill(out, SIGKILL);
	CHECK_KILLED(out, SIGKILL);
}

TEST(orphaned_group, "a stopped group that becomes orphaned gets SIGHUP and SIGCONT")
{
	pid_t shell, job = 0;
	int fds[2], status;
	struct gate g;
	char c;

	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(pipe(fds));
	gate_init(&g);
	shell = xfork();
	if (shell == 0) {
		setsid();
		job = fork();
		if (job == 0) {
			setpgid(0, 0);
			close(fds[0]);
			raise(SIGSTOP);
			_exit(0);
		}
		CHECK_EQ(waitpid(job, &status, WUNTRACED), job);
		CHECK(WIFSTOPPED(status));
		_exit(write(g.fds[1], &job, sizeof(job)) != sizeof(job));
	}
	close(fds[1]);
	CHECK_EQ(read(g.fds[0], &job, sizeof(job)), sizeof(job));
	CHECK_EXITS(shell, 0);
	CHECK_EQ(read(fds[0], &c, 1), 0);
	CHECK_KILLED(job, SIGHUP);
}

TEST(rlimit_nofile, "RLIMIT_NOFILE bounds descriptors: EMFILE, EBADF for dup2")
{
	struct rlimit rl = { 20, 20 };
	pid_t pid = xfork();

	if (pid == 0) {
		int last = -1, fd;

		OK(setrlimit(RLIMIT_NOFILE, &rl));
		while ((fd = open("/dev/null", O_RDONLY)) >= 0)
			last = fd;
		CHECK_EQ(errno, EMFILE);
		CHECK_EQ(last, 19);
		CHECK_ERRNO(dup(0), EMFILE);
		CHECK_ERRNO(dup2(0, 20), EBADF);
		CHECK_ERRNO(fcntl(0, F_DUPFD, 20), EINVAL);
		close(7);
		CHECK_EQ(dup(0), 7); /* always the lowest */
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(rlimit_fsize, "RLIMIT_FSIZE: a short write, then EFBIG and SIGXFSZ")
{
	struct rlimit rl = { 1000, 1000 };
	static char buf[900];
	pid_t pid;
	int fd = temp_fd();

	pid = xfork();
	if (pid == 0) {
		OK(setrlimit(RLIMIT_FSIZE, &rl));
		CHECK_EQ(write(fd, buf, 900), 900);
		CHECK_EQ(write(fd, buf, 900), 100);
		signal(SIGXFSZ, SIG_IGN);
		CHECK_ERRNO(write(fd, buf, 1), EFBIG);
		CHECK_ERRNO(ftruncate(fd, 1001), EFBIG);
		OK(ftruncate(fd, 10));
		signal(SIGXFSZ, SIG_DFL);
		CHECK_EQ(pwrite(fd, buf, 1, 999), 1);
		pwrite(fd, buf, 1, 1000);
		_exit(9);
	}
	CHECK_KILLED(pid, SIGXFSZ);
}

TEST(rlimit_nproc, "RLIMIT_NPROC bounds the processes of a user: EAGAIN")
{
	struct rlimit rl = { 3, 3 };
	pid_t pid = xfork();

	if (pid == 0) {
		uid_t uid = 100000 + (uid_t)getpid(); /* nobody else's */
		int n = 0, err;
		pid_t children[10];

		OK(setrlimit(RLIMIT_NPROC, &rl));
		OK(setresuid(uid, uid, uid));
		while (n < 10 && (children[n] = fork()) > 0)
			n++;
		if (n < 10 && children[n] == 0) {
			for (;;)
				pause();
		}
		err = errno;
		for (int i = 0; i < n; i++) {
			kill(children[i], SIGKILL);
			CHECK_KILLED(children[i], SIGKILL);
		}
		CHECK_EQ(n, 2);
		CHECK_EQ(err, EAGAIN);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(rlimit_rules, "limits: soft up to hard, lowering hard is for good, prlimit")
{
	struct rlimit rl, old;
	pid_t pid = xfork();

	if (pid == 0) {
		rl = (struct rlimit){ 200, 100 };
		CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &rl), EINVAL);
		rl = (struct rlimit){ 50, 100 };
		OK(prlimit(0, RLIMIT_NOFILE, &rl, &old));
		OK(getrlimit(RLIMIT_NOFILE, &rl));
		CHECK(rl.rlim_cur == 50 && rl.rlim_max == 100);
		CHECK_ERRNO(getrlimit(99, &rl), EINVAL);
		become_nobody();
		rl = (struct rlimit){ 100, 100 };
		OK(setrlimit(RLIMIT_NOFILE, &rl));
		rl = (struct rlimit){ 100, 101 };
		CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &rl), EPERM);
		CHECK_ERRNO(prlimit(1 << 22, RLIMIT_NOFILE, NULL, &rl), ESRCH);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	OK(getrlimit(RLIMIT_NOFILE, &rl));
	CHECK(rl.rlim_cur != 50); /* the parent's are its own */
}

TEST(rlimit_as, "RLIMIT_AS bounds the address space: ENOMEM")
{
	struct rlimit rl = { 256 << 20, 256 << 20 };
	pid_t pid = xfork();

	if (pid == 0) {
		OK(setrlimit(RLIMIT_AS, &rl));
		CHECK(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		      MAP_FAILED);
		CHECK_ERRNO(mmap(NULL, 300 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			    ENOMEM);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(nice_values, "nice and priorities: the system call returns 20 - nice")
{
	pid_t pid = xfork();

	if (pid == 0) {
		if (geteuid() == 0)
			OK(setpriority(PRIO_PROCESS, 0, 0));
		become_nobody();
		CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20);
		OK(setpriority(PRIO_PROCESS, 0, 7));
		CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 13);
		OK(setpriority(PRIO_PROCESS, 0, 100)); /* cut to 19 */
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 5), EACCES);
		CHECK_ERRNO(setpriority(9, 0, 5), EINVAL);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, 1 << 22, 5), ESRCH);
		pid = xfork();
		if (pid == 0)
			_exit(getpriority(PRIO_PROCESS, 0)); /* inherited */
		CHECK_EXITS(pid, 19);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(prctl_name, "the thread name: set, cut to 15, inherited, shown in /proc")
{
	char name[17] = "", buf[64];
	pid_t pid;

	OK(prctl(PR_SET_NAME, "a-rather-long-name"));
	OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a-rather-long-n");
	read_text("/proc/self/comm", buf, sizeof(buf));
	CHECK_STR(buf, "a-rather-long-n\n");
	pid = xfork();
	if (pid == 0) {
		OK(prctl(PR_GET_NAME, name));
		_exit(strcmp(name, "a-rather-long-n") != 0);
	}
	CHECK_EXITS(pid, 0);
	CHECK_ERRNO(prctl(PR_GET_NAME, bad_address()), EFAULT);
	CHECK_ERRNO(prctl(123456), EINVAL);
}

TEST(times_clock, "times counts own and children's ticks, and returns a running clock")
{
	struct tms t;
	struct timespec ts;
	clock_t start = OK(times(NULL));
	pid_t pid = xfork();

	if (pid == 0) {
		do
			OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
		while (ts.tv_nsec < 60000000);
		OK(times(&t));
		CHECK_GE(t.tms_utime + t.tms_stime, 2);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	CHECK_GE(OK(times(&t)) - start, 4);
	CHECK_GE(t.tms_cutime + t.tms_cstime, 2);
}
