/* Memory between processes and files: copy on write, shared mappings, bad pointers in system calls. */
#include "stagetest.h"
#include <poll.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#define RW (PROT_READ | PROT_WRITE)

static char *map(size_t len, int flags, int fd)
{
	char *p = mmap(NULL, len, RW, flags, fd, 0);

	if (p == MAP_FAILED)
		FAIL("mmap: %s", strerror(errno));
	return p;
}

TEST(cow_fork, "private memory is copied on write after fork, in both directions")
{
	char *p = map(64 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct gate to_child, to_parent;
	pid_t pid;

	gate_init(&to_child);
	gate_init(&to_parent);
	for (size_t i = 0; i < 64; i++)
		p[i * PAGE] = (char)i;
	pid = xfork();
	if (pid == 0) {
		gate_wait(&to_child); /* the parent has written */
		for (size_t i = 0; i < 64; i++)
			CHECK_EQ(p[i * PAGE], (char)i);
		for (size_t i = 32; i < 64; i++)
			p[i * PAGE] = 99;
		gate_open(&to_parent);
		gate_wait(&to_child);
		_exit(0);
	}
	for (size_t i = 0; i < 32; i++)
		p[i * PAGE] = 77;
	gate_open(&to_child);
	gate_wait(&to_parent);
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(p[i * PAGE], i < 32 ? 77 : (char)i);
	gate_open(&to_child);
	CHECK_EXITS(pid, 0);
}

TEST(cow_kernel_write, "the kernel's own writes (read into a buffer) copy on write too")
{
	char *p = map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fds[2];
	pid_t pid;

	OK(pipe(fds));
	strcpy(p, "before");
	pid = xfork();
	if (pid == 0) {
		CHECK_EQ(write(fds[1], "after!", 6), 6);
		CHECK_EQ(read(fds[0], p, 6), 6);
		_exit(strcmp(p, "after!") != 0);
	}
	CHECK_EXITS(pid, 0);
	CHECK_STR(p, "before");
}

TEST(cow_generations, "pages shared by five generations stay apart")
{
	volatile char *p = map(8 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	p[0] = 1;
	for (int gen = 0; gen < 5; gen++) {
		pid_t pid = xfork();

		if (pid != 0) {
			CHECK_EXITS(pid, 0);
			CHECK_EQ(p[0], gen + 1); /* what the descendants wrote is not seen */
			if (gen)
				_exit(0);
			return;
		}
		CHECK_EQ(p[0], gen + 1);
		p[0] = (char)(gen + 2);
	}
	_exit(0);
}

TEST(shared_anon, "shared anonymous memory is one for parent and child")
{
	volatile int *p = (void *)map(4 * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	struct gate g;
	pid_t pid;

	gate_init(&g);
	pid = xfork();
	if (pid == 0) {
		gate_wait(&g);
		if (p[0] != 5)
			_exit(1);
		p[2048] = 6; /* a page nobody touched before */
		__atomic_fetch_add(&p[1], 10, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	p[0] = 5;
	__atomic_fetch_add(&p[1], 1, __ATOMIC_SEQ_CST);
	gate_open(&g);
	CHECK_EXITS(pid, 0);
	CHECK(p[2048] == 6 && p[1] == 11);
}

TEST(mmap_file_private, "a private file mapping shows the file, writes stay in memory")
{
	int fd = temp_fd();
	char buf[8], *p;

	CHECK_EQ(write(fd, "content", 7), 7);
	p = map(PAGE, MAP_PRIVATE, fd);
	CHECK(memcmp(p, "content", 7) == 0 && p[7] == 0 && p[PAGE - 1] == 0);
	CHECK_EQ(pwrite(fd, "K", 1, 3), 1);
	CHECK_EQ(p[3], 'K'); /* not copied yet: the file shows through */
	p[0] = 'X';
	CHECK_EQ(pread(fd, buf, 7, 0), 7);
	CHECK_EQ(buf[0], 'c');
	close(fd);
	CHECK_EQ(p[1], 'o'); /* lives without the descriptor */
}

TEST(mmap_file_shared, "a shared file mapping, read() and write() see one another")
{
	int fd = temp_fd(), ro;
	char buf[8], *p, *q;

	OK(ftruncate(fd, 3 * PAGE));
	p = map(3 * PAGE, MAP_SHARED, fd);
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	CHECK(q != MAP_FAILED);
	strcpy(p + PAGE, "mapped");
	CHECK_EQ(pread(fd, buf, 7, PAGE), 7);
	CHECK_STR(buf, "mapped");
	CHECK_STR(q, "mapped");
	CHECK_EQ(pwrite(fd, "WRI", 3, PAGE), 3);
	CHECK_STR(q, "WRIped");
	OK(msync(p, 3 * PAGE, MS_SYNC));
	CHECK_ERRNO(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(bad_address(), PAGE, MS_SYNC), ENOMEM);
	make_file("readonly", "text");
	ro = OK(open("readonly", O_RDONLY));
	CHECK_ERRNO(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0) != MAP_FAILED);
	ro = OK(open("readonly", O_WRONLY));
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 100), EINVAL);
}

TEST(mmap_shared_readonly_fd, "a shared mapping of a read-only descriptor cannot become writable")
{
	void *p;
	int fd;

	make_file("ro", "text");
	fd = OK(open("ro", O_RDONLY));
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_ERRNO(mprotect(p, PAGE, RW), EACCES);
}

TEST(mmap_truncate, "truncating a mapped file takes its pages away and zeroes the tail")
{
	int fd = temp_fd();
	char *p, c;

	OK(ftruncate(fd, 2 * PAGE));
	p = map(2 * PAGE, MAP_SHARED, fd);
	memset(p, 'a', 2 * PAGE);
	OK(ftruncate(fd, 10));
	CHECK(p[9] == 'a' && p[10] == 0);
	OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(p[PAGE + 5], 0);
	CHECK_EQ(pread(fd, &c, 1, 10), 1);
	CHECK_EQ(c, 0);
}

TEST(mmap_exec_unlinked, "a mapping outlives the name of its file")
{
	int fd = OK(open("victim", O_RDWR | O_CREAT, 0600));
	char *p;

	CHECK_EQ(write(fd, "alive", 5), 5);
	p = map(PAGE, MAP_SHARED, fd);
	OK(unlink("victim"));
	close(fd);
	CHECK(memcmp(p, "alive", 5) == 0);
	p[100] = 1;
	OK(munmap(p, PAGE));
}

TEST(efault, "bad pointers in system calls are EFAULT, never a fault")
{
	char *bad = bad_address(),
	     *ro = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *kernel = (void *)0xffffffff81000000ul;
	int fds[2], fd = OK(open("/dev/zero", O_RDWR));
	struct iovec iov = { bad, 10 };
	char cwd[8];

	OK(pipe(fds));
	CHECK_ERRNO(write(fds[1], bad, 10), EFAULT);
	CHECK_ERRNO(write(fds[1], kernel, 10), EFAULT);
	CHECK_EQ(write(fds[1], "0123456789", 10), 10);
	CHECK_ERRNO(read(fds[0], bad, 10), EFAULT);
	CHECK_ERRNO(read(fds[0], ro, 10), EFAULT);
	CHECK_ERRNO(read(fd, kernel, 8), EFAULT);
	CHECK_ERRNO(readv(fds[0], &iov, 1), EFAULT);
	CHECK_ERRNO(writev(fds[1], (void *)bad, 1), EFAULT);
	CHECK_ERRNO(open(bad, O_RDONLY), EFAULT);
	CHECK_ERRNO(stat("/", (void *)bad), EFAULT);
	CHECK_ERRNO(stat(kernel, (void *)bad), EFAULT);
	CHECK_ERRNO(pipe((void *)ro), EFAULT);
	CHECK_ERRNO(uname((void *)ro), EFAULT);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_REALTIME, bad), EFAULT);
	CHECK_ERRNO(syscall(SYS_nanosleep, bad, NULL), EFAULT);
	CHECK_ERRNO(poll((void *)bad, 1, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_getcwd, ro, PAGE), EFAULT);
	CHECK_ERRNO(syscall(SYS_getcwd, cwd, 2), ERANGE);
	CHECK_ERRNO(wait4(-1, NULL, WNOHANG, NULL), ECHILD);
	CHECK_ERRNO(syscall(SYS_getrandom, bad, 16, 0), EFAULT);
	CHECK_EQ(read(fds[0], cwd, 8), 8); /* the pipe lost nothing by it */
	CHECK(memcmp(cwd, "01234567", 8) == 0);
}

TEST(efault_partial, "a transfer that runs into a bad page does what it can")
{
	char *p = map(2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = temp_fd();
	ssize_t n;

	OK(munmap(p + PAGE, PAGE));
	memset(p, 'q', PAGE);
	n = write(fd, p + PAGE - 100, 200);
	CHECK(n == 100 || (n == -1 && errno == EFAULT));
	OK(ftruncate(fd, 0));
	CHECK_EQ(pwrite(fd, p, 300, 0), 300);
	n = pread(fd, p + PAGE - 100, 300, 0);
	CHECK(n == 100 || (n == -1 && errno == EFAULT));
	CHECK_ERRNO(syscall(SYS_openat, AT_FDCWD, p + PAGE - 3, O_RDONLY),
		    EFAULT); /* a string that runs off */
	memcpy(p + PAGE - 2, "/", 2);
	close(OK(open(p + PAGE - 2, O_RDONLY))); /* one that ends just in time */
}

TEST(process_vm, "process_vm_readv and writev reach into a child")
{
	char *p = map(2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1), buf[16] = "";
	struct iovec local = { buf, 9 }, remote = { p + PAGE - 4, 9 };
	struct gate g, done;
	pid_t pid;

	gate_init(&g);
	gate_init(&done);
	pid = xfork();
	if (pid == 0) {
		memcpy(p + PAGE - 4, "child-mem", 9);
		gate_open(&g);
		gate_wait(&done);
		_exit(memcmp(p + PAGE - 4, "PAR", 3) != 0);
	}
	gate_wait(&g);
	CHECK_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), 9);
	CHECK_STR(buf, "child-mem");
	local.iov_len = remote.iov_len = 3;
	memcpy(buf, "PAR", 3);
	CHECK_EQ(process_vm_writev(pid, &local, 1, &remote, 1, 0), 3);
	gate_open(&done);
	CHECK_EXITS(pid, 0);
	CHECK_ERRNO(process_vm_readv(1 << 22, &local, 1, &remote, 1, 0), ESRCH);
}
