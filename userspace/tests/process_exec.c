/* execve, execveat, scripts, and what survives them. */
#include "stagetest.h"
#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

/* Prints its arguments and environment, one a line. */
CHILD_PROGRAM(show_args)
{
	for (int i = 0; i < argc; i++)
		printf("[%s]", argv[i]);
	for (char **e = environ; *e; e++)
		printf("{%s}", *e);
	return 0;
}

/* All that fd gives until its end. */
static char *read_pipe(int fd)
{
	static char buf[8192];
	size_t got = 0;
	ssize_t n;

	while (got < sizeof(buf) - 1 && (n = OK(read(fd, buf + got, sizeof(buf) - 1 - got))) > 0)
		got += (size_t)n;
	buf[got] = '\0';
	close(fd);
	return buf;
}

TEST(exec_args, "execve hands over arguments and environment, empty strings too")
{
	static const char *const argv[] = { "stagetest", "--child",  "show_args", "",
					    "two words", "\x01\xff", NULL };
	char *const envp[] = { "A=1", "EMPTY=", "noequals", NULL };
	int out;
	pid_t pid = spawn_self(&out, argv, envp);

	CHECK_STR(read_pipe(out), "[show_args][][two words][\x01\xff]{A=1}{EMPTY=}{noequals}");
	CHECK_EXITS(pid, 0);
}

CHILD_PROGRAM(check_big)
{
	size_t want = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	char *big = argv[2];

	for (size_t i = 0; i < want; i++) {
		if (big[i] != (char)('a' + i % 23))
			return 1;
	}
	return strlen(big) == want ? argc : 2;
}

TEST(exec_big_args, "arguments of 100 KiB and two hundred of them arrive; too big is E2BIG")
{
	static char big[200000];
	char *argv[206] = { "stagetest", "--child", "check_big", "100000", big };
	pid_t pid;

	for (size_t i = 0; i < 100000; i++)
		big[i] = (char)('a' + i % 23);
	for (int i = 5; i < 205; i++)
		argv[i] = "x";
	pid = xfork();
	if (pid == 0) {
		execv(self_path(), argv);
		_exit(99);
	}
	CHECK_EXITS(pid, 203);
	memset(big, 'b', 150000); /* a single string is at most 32 pages */
	CHECK_ERRNO(execv(self_path(), argv), E2BIG);
}

CHILD_PROGRAM(check_auxv)
{
	const unsigned char *random = (void *)getauxval(AT_RANDOM);
	const Elf64_Phdr *ph = (void *)getauxval(AT_PHDR);
	unsigned loads = 0;

	(void)argc, (void)argv;
	CHECK_EQ(getauxval(AT_PAGESZ), PAGE);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EUID), geteuid());
	CHECK_EQ(getauxval(AT_GID), getgid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
	CHECK(getauxval(AT_ENTRY) != 0);
	CHECK(random);
	CHECK_STR((char *)getauxval(AT_EXECFN), self_path());
	for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
		loads += ph[i].p_type == PT_LOAD;
	CHECK_GE(loads, 2);
	for (int i = 0; i < 16; i++)
		printf("%02x", random[i]);
	return 0;
}

TEST(exec_auxv, "the auxiliary vector is right, its random bytes differ each time")
{
	const char *const argv[] = { "check_auxv", NULL };
	char first[64];
	int fd;
	pid_t pid = spawn_child(&fd, argv);

	snprintf(first, sizeof(first), "%s", read_pipe(fd));
	CHECK_EXITS(pid, 0);
	CHECK_EQ(strlen(first), 32);
	pid = spawn_child(&fd, argv);
	CHECK(strcmp(read_pipe(fd), first) != 0);
	CHECK_EXITS(pid, 0);
}

static void make_script(const char *path, const char *interpreter_line)
{
	make_file(path, interpreter_line);
	OK(chmod(path, 0755));
}

TEST(script_exec, "a #! script runs its interpreter with argument, path and arguments")
{
	char line[600];
	int fds[2];
	pid_t pid;

	snprintf(line, sizeof(line), "#! %s --child\nthe rest\n", self_path());
	make_script("show_args", line);
	OK(pipe(fds));
	pid = xfork();
	if (pid == 0) {
		char *const none[] = { NULL };

		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execve("./show_args", (char *const[]){ "ignored", "a", "b c", NULL }, none);
		_exit(99);
	}
	close(fds[1]);
	CHECK_STR(read_pipe(fds[0]), "[./show_args][a][b c]");
	CHECK_EXITS(pid, 0);
}

TEST(exec_script_errors, "scripts: missing interpreter, a loop, an empty line")
{
	char *const argv[] = { "x", NULL };

	make_script("missing", "#!/no/such/interpreter\n");
	CHECK_ERRNO(execv("./missing", argv), ENOENT);
	make_script("loop", "#!./loop\n");
	CHECK_ERRNO(execv("./loop", argv), ELOOP);
	make_script("empty", "#!\n");
	CHECK_ERRNO(execv("./empty", argv), ENOEXEC);
}

TEST(exec_errors, "execve refuses what it cannot run, and the caller goes on")
{
	char *const argv[] = { "x", NULL };
	int fd;

	CHECK_ERRNO(execv("./missing", argv), ENOENT);
	CHECK_ERRNO(execv("", argv), ENOENT);
	OK(mkdir("dir", 0755));
	CHECK_ERRNO(execv("dir", argv), EACCES);
	make_file("plain", "text");
	CHECK_ERRNO(execv("plain", argv), EACCES); /* no x bit, not even for root */
	CHECK_ERRNO(execv("plain/x", argv), ENOTDIR);
	OK(chmod("plain", 0755));
	CHECK_ERRNO(syscall(SYS_execve, "./plain", argv, environ), ENOEXEC);
	make_script("elf",
		    "\177ELF\2\1\1 but not really a program, just the first bytes of one......");
	CHECK_ERRNO(execv("elf", argv), ENOEXEC);
	CHECK_ERRNO(execv((char *)bad_address(), argv), EFAULT);
	CHECK_ERRNO(syscall(SYS_execve, self_path(), bad_address(), NULL), EFAULT);
	make_script("busy", "#!/bin/sh\n");
	fd = OK(open("busy", O_WRONLY));
	CHECK_ERRNO(execv("./busy", argv), ETXTBSY);
	close(fd);
}

CHILD_PROGRAM(check_signals)
{
	struct sigaction sa;
	sigset_t set;
	stack_t ss;

	(void)argc, (void)argv;
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	OK(sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == SIG_IGN);
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGTERM) && !sigismember(&set, SIGUSR1));
	OK(sigpending(&set));
	CHECK(sigismember(&set, SIGTERM));
	OK(sigaltstack(NULL, &ss));
	CHECK_EQ(ss.ss_flags, (int)(SS_DISABLE | SS_AUTODISARM)); /* the flag stays */
	return 0;
}

static void handler(int sig)
{
	(void)sig;
}

TEST(exec_signals, "exec resets handlers, keeps ignored, blocked and pending signals")
{
	static char alt[32768];
	stack_t ss = { .ss_sp = alt, .ss_flags = (int)SS_AUTODISARM, .ss_size = sizeof(alt) };
	pid_t pid = xfork();

	if (pid == 0) {
		sigset_t set;

		on_signal(SIGUSR1, handler, 0);
		on_signal(SIGUSR2, SIG_IGN, 0);
		OK(sigaltstack(&ss, NULL));
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		raise(SIGTERM);
		execl(self_path(), "stagetest", "--child", "check_signals", NULL);
		_exit(99);
	}
	CHECK_EXITS(pid, 0);
}

CHILD_PROGRAM(check_fds)
{
	(void)argc, (void)argv;
	CHECK_ERRNO(fcntl(50, F_GETFD), EBADF);
	CHECK_ERRNO(fcntl(51, F_GETFD), EBADF);
	CHECK_EQ(fcntl(52, F_GETFD), 0);
	CHECK_EQ(lseek(52, 0, SEEK_CUR), 3);
	return 0;
}

TEST(exec_cloexec, "close-on-exec descriptors close, others stay with their offset")
{
	pid_t pid = xfork();

	if (pid == 0) {
		int fd = temp_fd();

		CHECK_EQ(write(fd, "abc", 3), 3);
		OK(dup3(fd, 50, O_CLOEXEC));
		OK(dup2(fd, 51));
		OK(fcntl(51, F_SETFD, FD_CLOEXEC));
		OK(dup2(50, 52)); /* dup2 drops the flag */
		execl(self_path(), "stagetest", "--child", "check_fds", NULL);
		_exit(99);
	}
	CHECK_EXITS(pid, 0);
}

CHILD_PROGRAM(check_identity)
{
	char comm[16], cwd[256];

	CHECK(argc == 4);
	CHECK_EQ(getpid(), atoi(argv[1]));
	CHECK_EQ(syscall(SYS_gettid), getpid());
	OK(prctl(PR_GET_NAME, comm));
	CHECK_STR(comm, argv[2]);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, argv[3]);
	CHECK_EQ(umask(0), 037);
	return 0;
}

static void exec_identity(void)
{
	char pid[16], cwd[256];
	const char *self = self_path();

	snprintf(pid, sizeof(pid), "%d", getpid());
	umask(037);
	if (getcwd(cwd, sizeof(cwd)))
		execl(self, "other-name", "--child", "check_identity", pid, strrchr(self, '/') + 1,
		      cwd, NULL);
	_exit(99);
}

TEST(exec_identity, "exec keeps pid, directory and umask; the name is the file's")
{
	pid_t pid = xfork();

	if (pid == 0)
		exec_identity();
	CHECK_EXITS(pid, 0);
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *exec_thread(void *arg)
{
	exec_identity();
	return arg;
}

TEST(exec_in_thread, "exec in a second thread ends the others and takes over the pid")
{
	pid_t pid = xfork();

	if (pid == 0) {
		pthread_t t;

		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&t, NULL, sleeper, NULL), 0);
		CHECK_EQ(pthread_create(&t, NULL, exec_thread, NULL), 0);
		for (;;)
			pause();
	}
	CHECK_EXITS(pid, 0);
}

TEST(execveat, "execveat by descriptor and relative to a directory")
{
	char *const argv[] = { "stagetest", "--child", "exit_with", "44", NULL };
	int fd = OK(open(self_path(), O_RDONLY | O_CLOEXEC));
	pid_t pid = xfork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(99);
	}
	CHECK_EXITS(pid, 44);
	CHECK_ERRNO(syscall(SYS_execveat, fd, "", argv, environ, 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_execveat, -1, "x", argv, environ, 0), EBADF);
	OK(symlink(self_path(), "link"));
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "link", argv, environ, AT_SYMLINK_NOFOLLOW),
		    ELOOP);
}
