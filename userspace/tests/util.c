/* What many tests need; see stagetest.h. */
#include "stagetest.h"
#include <grp.h>
#include <sys/prctl.h>

pid_t xfork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

int xwait(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		FAIL("waitpid(%d) returned %d, errno %d", pid, got, errno);
	return status;
}

void gate_init(struct gate *g)
{
	OK(pipe(g->fds));
}

void gate_open(struct gate *g)
{
	if (write(g->fds[1], "x", 1) != 1)
		FAIL("gate: write: %s", strerror(errno));
}

void gate_wait(struct gate *g)
{
	char c;
	ssize_t n;

	do
		n = read(g->fds[0], &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		FAIL("gate: read returned %zd, errno %d", n, errno);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void sleep_ms(unsigned ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

void wait_until_asleep(pid_t pid)
{
	char path[64], buf[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 2000; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n;

		if (fd < 0) {
			sleep_ms(50);
			return;
		}
		n = read(fd, buf, sizeof(buf) - 1);
		close(fd);
		buf[n > 0 ? n : 0] = '\0';
		p = strrchr(buf, ')');
		if (p && p[1] && strchr("SDTt", p[2]))
			return;
		sleep_ms(1);
	}
	FAIL("process %d does not fall asleep", pid);
}

void make_file(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

int temp_fd(void)
{
	static int n;
	char name[32];

	snprintf(name, sizeof(name), "temp%d", n++);
	return OK(open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
}

size_t read_text(const char *path, char *buf, size_t size)
{
	int fd = OK(open(path, O_RDONLY));
	size_t got = 0;
	ssize_t n;

	while (got < size - 1 && (n = OK(read(fd, buf + got, size - 1 - got))) > 0)
		got += (size_t)n;
	buf[got] = '\0';
	close(fd);
	return got;
}

long proc_status_field(const char *path, const char *key)
{
	char buf[8192], want[64], *p;

	read_text(path, buf, sizeof(buf));
	snprintf(want, sizeof(want), "\n%s:", key);
	p = strstr(buf, want);
	return p ? strtol(p + strlen(want), NULL, 0) : -1;
}

void on_signal(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	OK(sigaction(sig, &sa, NULL));
}

void on_siginfo(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	OK(sigaction(sig, &sa, NULL));
}

void become_nobody(void)
{
	if (getuid() != 0)
		SKIP("needs root");
	OK(setgroups(0, NULL));
	OK(setresgid(65534, 65534, 65534));
	OK(setresuid(65534, 65534, 65534));
}

const char *self_path(void)
{
	static char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		FAIL("/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	return path;
}

void *bad_address(void)
{
	return (void *)0x200000000000; /* far from where anything is placed */
}

pid_t spawn_self(int *out, const char *const argv[], char *const envp[])
{
	int fds[2];
	pid_t pid;

	OK(pipe(fds));
	pid = xfork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execve(self_path(), (char **)(uintptr_t)argv, envp);
		_exit(127);
	}
	close(fds[1]);
	*out = fds[0];
	return pid;
}

pid_t spawn_child(int *out, const char *const argv[])
{
	const char *args[16] = { "stagetest", "--child" };

	for (size_t i = 0; argv[i] && i < 13; i++)
		args[i + 2] = argv[i];
	return spawn_self(out, args, environ);
}
