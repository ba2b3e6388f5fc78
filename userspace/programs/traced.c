/* Makes system calls of many kinds, for `xtask run --strace`; on Linux strace(1) sees the same. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void on_signal(int sig)
{
	(void)sig;
}

static void files(void)
{
	char buf[64];
	struct stat st;
	int fd;

	(void)!stat("/", &st);
	(void)!open("/no such\n\"file\"\xff", O_RDONLY | O_CLOEXEC);
	fd = open("/tmp/traced", O_RDWR | O_CREAT | O_TRUNC, 0640);
	(void)!write(fd,
		     "hello\n\1\377"
		     "7",
		     9);
	lseek(fd, 0, SEEK_SET);
	(void)!read(fd, buf, sizeof(buf));
	(void)!write(fd, "more than thirty-two bytes are not shown in full", 48);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	close(fd);
	unlink("/tmp/traced");
	close(99);
	(void)!chdir("/nowhere");
}

static void memory(void)
{
	void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p, 4096, PROT_READ);
	madvise(p, 8192, MADV_DONTNEED);
	munmap(p, 8192);
}

static void pipes(void)
{
	struct iovec iov[2] = { { "ab", 2 }, { "cdef", 4 } };
	int p[2];

	(void)!pipe2(p, O_CLOEXEC);
	(void)!writev(p[1], iov, 2);
	poll(&(struct pollfd){ .fd = p[0], .events = POLLIN }, 1, 10);
	close(p[0]);
	close(p[1]);
}

static void signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t set;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	syscall(SYS_nanosleep, &(struct timespec){ 0, 1000000 }, NULL);
}

int main(void)
{
	int status;

	files();
	memory();
	pipes();
	signals();
	if (!fork())
		_exit(3);
	wait(&status);
	return 7;
}
