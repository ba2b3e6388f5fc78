/* clone() flags, and processes of several threads that end. */
#include "stagetest.h"
#include "port.h"
#include <pthread.h>
#include <sched.h>

/* A clone without a new stack is a fork with choices. */
static long raw_clone(unsigned long flags, pid_t *parent_tid, pid_t *child_tid)
{
	return syscall(SYS_clone, flags, NULL, parent_tid, PORT_CLONE_LAST(child_tid, 0));
}

TEST(clone_files_fs, "CLONE_FILES and CLONE_FS share descriptors and directory")
{
	char cwd[256];
	long pid;

	OK(mkdir("sub", 0755));
	pid = OK(raw_clone(CLONE_FILES | CLONE_FS | SIGCHLD, NULL, NULL));
	if (pid == 0) {
		int fd = open("made-by-child", O_RDWR | O_CREAT, 0600);

		_exit(fd < 0 || dup2(fd, 77) != 77 || chdir("sub") < 0 || umask(0123) == 0123);
	}
	CHECK_EXITS((pid_t)pid, 0);
	OK(fcntl(77, F_GETFD));
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(strrchr(cwd, '/'), "/sub") == 0);
	CHECK_EQ(umask(022), 0123);

	pid = OK(raw_clone(SIGCHLD, NULL, NULL));
	if (pid == 0)
		_exit(close(77) < 0 || chdir("/") < 0);
	CHECK_EXITS((pid_t)pid, 0);
	OK(fcntl(77, F_GETFD));
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(strrchr(cwd, '/'), "/sub") == 0);
}

TEST(clone_settid, "CLONE_PARENT_SETTID and CLONE_CHILD_SETTID store the id")
{
	pid_t in_parent = 0;
	static pid_t in_child;
	long pid = OK(raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &in_parent,
				&in_child));

	if (pid == 0)
		_exit(in_child != getpid());
	CHECK_EQ(in_parent, pid);
	CHECK_EQ(in_child, 0); /* set in the child's memory only */
	CHECK_EXITS((pid_t)pid, 0);
}

TEST(clone_exit_signal, "a child may end with another signal than SIGCHLD, or none")
{
	int status;
	long pid = OK(raw_clone(0, NULL, NULL));

	if (pid == 0)
		_exit(4);
	CHECK_ERRNO(waitpid((pid_t)pid, &status, 0), ECHILD); /* only with __WALL or __WCLONE */
	CHECK_EQ(waitpid((pid_t)pid, &status, __WCLONE), pid);
	CHECK_EQ(WEXITSTATUS(status), 4);

	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	pid = OK(raw_clone(SIGUSR1, NULL, NULL));
	if (pid == 0)
		_exit(5);
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGUSR1);
	CHECK_EQ(waitpid((pid_t)pid, &status, __WALL), pid);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

TEST(clone_invalid, "contradicting clone flags are refused")
{
	CHECK_ERRNO(raw_clone(CLONE_THREAD | SIGCHLD, NULL, NULL), EINVAL);
	CHECK_ERRNO(raw_clone(CLONE_SIGHAND | SIGCHLD, NULL, NULL), EINVAL);
	CHECK_ERRNO(raw_clone(CLONE_THREAD | CLONE_SIGHAND | SIGCHLD, NULL, NULL), EINVAL);
	CHECK_ERRNO(raw_clone(CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL), EINVAL);
}

static char clone_stack[65536] __attribute__((aligned(16)));
static volatile int vm_value;
static volatile pid_t cleared = -1;

static int vm_child(void *arg)
{
	vm_value = *(int *)arg;
	return 12;
}

TEST(clone_vm, "CLONE_VM shares memory; CLEARTID clears the id at the end")
{
	int arg = 31, status;
	pid_t pid = OK(clone(vm_child, clone_stack + sizeof(clone_stack),
			     CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, &arg,
			     NULL, NULL, (pid_t *)&cleared));

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 12);
	CHECK_EQ(vm_value, 31);
	CHECK_EQ(cleared, 0);
}

static void *sleeper(void *arg)
{
	struct gate *g = arg;

	gate_open(g);
	for (;;)
		pause();
	return NULL;
}

static void start_threads(unsigned n, struct gate *g)
{
	pthread_t t;

	gate_init(g);
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(pthread_create(&t, NULL, sleeper, g), 0);
	for (unsigned i = 0; i < n; i++)
		gate_wait(g);
}

static void *exit_thread(void *arg)
{
	(void)arg;
	_exit(17); /* exit_group */
}

TEST(exit_group_threads, "exit_group from any thread ends them all")
{
	struct gate g;
	pthread_t t;
	pid_t pid = xfork();

	if (pid == 0) {
		start_threads(4, &g);
		_exit(16);
	}
	CHECK_EXITS(pid, 16);
	pid = xfork();
	if (pid == 0) {
		start_threads(4, &g);
		CHECK_EQ(pthread_create(&t, NULL, exit_thread, NULL), 0);
		for (;;)
			pause();
	}
	CHECK_EXITS(pid, 17);
}

TEST(kill_threads, "a fatal signal ends all threads, and wait names it")
{
	struct gate g, up;
	pid_t pid;

	gate_init(&up);
	pid = xfork();
	if (pid == 0) {
		start_threads(5, &g);
		gate_open(&up);
		for (;;)
			pause();
	}
	gate_wait(&up);
	OK(kill(pid, SIGTERM));
	CHECK_KILLED(pid, SIGTERM);
}

static void *late_exit(void *arg)
{
	pid_t leader = *(pid_t *)arg;
	char path[64], buf[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", leader);
	do { /* until the leader is a zombie */
		sleep_ms(1);
		read_text(path, buf, sizeof(buf));
		p = strrchr(buf, ')');
	} while (!p || p[2] != 'Z');
	syscall(SYS_exit_group, 21);
	return NULL;
}

TEST(leader_exit, "the process lives on when its first thread ends")
{
	int status;
	pid_t pid = xfork();

	if (pid == 0) {
		static pid_t me;
		pthread_t t;

		me = getpid();
		CHECK_EQ(pthread_create(&t, NULL, late_exit, &me), 0);
		syscall(SYS_exit, 3);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 21);
}

static pid_t fork_in_thread_pid;
static void *fork_thread(void *arg)
{
	(void)arg;
	fork_in_thread_pid = fork();
	if (fork_in_thread_pid == 0)
		_exit(syscall(SYS_gettid) == getpid() ? 0 : 1); /* alone in the new process */
	return NULL;
}

TEST(fork_in_thread, "fork in a thread copies that thread only; others may wait for the child")
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, fork_thread, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EXITS(fork_in_thread_pid, 0);
}
