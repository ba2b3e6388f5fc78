/* Pipes. */
#include "stagetest.h"
#include <poll.h>
#include <sys/ioctl.h>

TEST(pipe_basic, "a pipe carries bytes in order; the end comes with the last writer")
{
	char buf[64];
	int fds[2];
	pid_t pid;

	OK(pipe2(fds, O_CLOEXEC));
	CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(fds[1], "abcdef", 6), 6);
	CHECK_EQ(read(fds[0], buf, 4), 4);
	CHECK_EQ(read(fds[0], buf + 4, 60), 2); /* what there is */
	CHECK(memcmp(buf, "abcdef", 6) == 0);
	CHECK_ERRNO(write(fds[0], "x", 1), EBADF);
	CHECK_ERRNO(read(fds[1], buf, 1), EBADF);
	pid = xfork();
	if (pid == 0) {
		close(fds[0]);
		sleep_ms(5);
		_exit(write(fds[1], "late", 4) != 4);
	}
	close(fds[1]);
	CHECK_EQ(read(fds[0], buf, 64), 4);
	CHECK_EQ(read(fds[0], buf, 64), 0);
	CHECK_EXITS(pid, 0);
	CHECK_ERRNO(pipe2(fds, 0x7), EINVAL);
}

TEST(pipe_nonblock, "a pipe holds 64 KiB; O_NONBLOCK gives EAGAIN when full or empty")
{
	static char buf[70000];
	int fds[2], n;
	size_t total = 0;
	ssize_t w;

	OK(pipe2(fds, O_NONBLOCK));
	CHECK_ERRNO(read(fds[0], buf, 1), EAGAIN);
	while ((w = write(fds[1], buf, 4096)) > 0)
		total += (size_t)w;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(total, 65536);
	OK(ioctl(fds[0], FIONREAD, &n));
	CHECK_EQ(n, 65536);
	CHECK_EQ(read(fds[0], buf, sizeof(buf)), 65536);
	CHECK_EQ(write(fds[1], buf, sizeof(buf)), 65536); /* as much as fits */
	CHECK_EQ(read(fds[0], buf, 4096), 4096);
	CHECK_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
}

TEST(pipe_atomic, "writes of up to 4096 bytes are never mixed")
{
	static char buf[4096];
	int fds[2];
	pid_t pids[4];
	size_t got = 0, total = 0;
	ssize_t n;

	OK(pipe(fds));
	for (int i = 0; i < 4; i++) {
		pids[i] = xfork();
		if (pids[i] == 0) {
			close(fds[0]);
			memset(buf, 'a' + i, sizeof(buf));
			for (int k = 0; k < 50; k++)
				CHECK_EQ(write(fds[1], buf, 1000), 1000);
			_exit(0);
		}
	}
	close(fds[1]);
	while ((n = OK(read(fds[0], buf + got, 1000 - got))) > 0) {
		got += (size_t)n;
		if (got < 1000)
			continue;
		for (size_t i = 1; i < 1000; i++)
			CHECK_EQ(buf[i], buf[0]);
		total += got;
		got = 0;
	}
	CHECK(got == 0 && total == 200000);
	for (int i = 0; i < 4; i++)
		CHECK_EXITS(pids[i], 0);
}

TEST(pipe_transfer, "two megabytes through a pipe, blocking on both sides")
{
	static char buf[50000];
	size_t total = 0;
	unsigned sum = 0, want = 0;
	int fds[2];
	pid_t pid;
	ssize_t n;

	OK(pipe(fds));
	for (size_t i = 0; i < sizeof(buf); i++) {
		buf[i] = (char)(i * 7);
		want += (unsigned char)buf[i];
	}
	pid = xfork();
	if (pid == 0) {
		close(fds[0]);
		for (int i = 0; i < 40; i++)
			CHECK_EQ(write(fds[1], buf, sizeof(buf)), sizeof(buf));
		_exit(0);
	}
	close(fds[1]);
	while ((n = OK(read(fds[0], buf, 33333))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum += (unsigned char)buf[i];
		total += (size_t)n;
	}
	CHECK_EQ(total, 40 * sizeof(buf));
	CHECK_EQ(sum, want * 40);
	CHECK_EXITS(pid, 0);
}

TEST(pipe_ping_pong, "a thousand round trips between two processes")
{
	int a[2], b[2];
	pid_t pid;
	int v = 0;

	OK(pipe(a));
	OK(pipe(b));
	pid = xfork();
	if (pid == 0) {
		close(a[1]);
		while (read(a[0], &v, sizeof(v)) == sizeof(v)) {
			v++;
			CHECK_EQ(write(b[1], &v, sizeof(v)), sizeof(v));
		}
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) {
		CHECK_EQ(write(a[1], &i, sizeof(i)), sizeof(i));
		CHECK_EQ(read(b[0], &v, sizeof(v)), sizeof(v));
		CHECK_EQ(v, i + 1);
	}
	close(a[1]);
	CHECK_EXITS(pid, 0);
}

TEST(pipe_splice, "splice and tee move bytes between pipe and file")
{
	char buf[32] = "";
	int a[2], b[2], fd = temp_fd();
	loff_t at = 2;
	ssize_t n;

	OK(pipe(a));
	OK(pipe(b));
	CHECK_EQ(write(fd, "0123456789", 10), 10);
	n = splice(fd, &at, a[1], NULL, 5, 0);
	if (n < 0 && (errno == ENOSYS || errno == EINVAL))
		SKIP("no splice");
	CHECK(n == 5 && at == 7);
	CHECK_EQ(tee(a[0], b[1], 3, 0), 3);
	CHECK_EQ(read(b[0], buf, 32), 3);
	CHECK(memcmp(buf, "234", 3) == 0);
	CHECK_EQ(splice(a[0], NULL, fd, NULL, 100, 0), 5);
	CHECK_EQ(pread(fd, buf, 32, 0), 15);
	CHECK(memcmp(buf, "012345678923456", 15) == 0);
	CHECK_ERRNO(splice(fd, NULL, fd, NULL, 5, 0), EINVAL);
}
