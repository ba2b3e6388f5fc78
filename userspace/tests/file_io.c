/* Opening, reading, writing, seeking, descriptors, locks. */
#include "stagetest.h"
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

TEST(read_write, "what is written is read back, at any size and offset")
{
	static char out[70000], in[70000];
	int fd = temp_fd();

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 31 + i / 251);
	CHECK_EQ(write(fd, out, sizeof(out)), sizeof(out));
	CHECK_EQ(read(fd, in, 10), 0); /* at the end */
	OK(lseek(fd, 0, SEEK_SET));
	for (size_t at = 0, n = 1; at < sizeof(in); at += n, n = n * 3 + 1) {
		if (n > sizeof(in) - at)
			n = sizeof(in) - at;
		CHECK_EQ(read(fd, in + at, n), n);
	}
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	CHECK_EQ(pwrite(fd, "overlap", 7, 4093), 7);
	CHECK_EQ(pread(fd, in, 7, 4093), 7);
	CHECK(memcmp(in, "overlap", 7) == 0);
	CHECK_EQ(write(fd, "", 0), 0);
	CHECK_ERRNO(read(-1, in, 1), EBADF);
	CHECK_ERRNO(write(999, in, 1), EBADF);
	CHECK_ERRNO(read(OK(open(".", O_RDONLY)), in, 1), EISDIR);
	CHECK_ERRNO(write(OK(open("temp0", O_RDONLY)), in, 1), EBADF);
	CHECK_ERRNO(read(OK(open("temp0", O_WRONLY)), in, 1), EBADF);
}

TEST(open_flags, "open: create, exclusive, truncate, append, directory, nofollow")
{
	struct stat st;
	char c;
	int fd;

	CHECK_ERRNO(open("new", O_RDONLY), ENOENT);
	fd = OK(open("new", O_RDWR | O_CREAT | O_EXCL, 0640));
	CHECK_EQ(fd, OK(dup(fd)) - 1);
	CHECK_EQ(write(fd, "12345", 5), 5);
	CHECK_ERRNO(open("new", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	close(OK(open("new", O_RDWR | O_CREAT, 0))); /* there already */
	OK(stat("new", &st));
	CHECK(st.st_size == 5 && (st.st_mode & 0777) == 0640);
	fd = OK(open("new", O_WRONLY | O_APPEND));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "67", 2), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
	close(OK(open("new", O_WRONLY | O_TRUNC)));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	CHECK_ERRNO(open("new", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open("new/x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("newdir/", O_WRONLY | O_CREAT, 0600), EISDIR);
	OK(symlink("new", "link"));
	OK(symlink("nowhere", "dangling"));
	CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERRNO(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
	close(OK(open("dangling", O_WRONLY | O_CREAT, 0600))); /* makes its target */
	OK(stat("nowhere", &st));
	fd = OK(open("new", O_PATH));
	CHECK_ERRNO(read(fd, &c, 1), EBADF);
	OK(fstat(fd, &st));
	fd = OK(open("new", O_RDWR | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
}

TEST(open_tmpfile_names, "long names: 255 bytes are a name, 256 and 4096 are too long")
{
	static char name[5000];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	close(OK(open(name, O_CREAT | O_WRONLY, 0600)));
	OK(unlink(name));
	name[255] = 'n';
	name[256] = '\0';
	CHECK_ERRNO(open(name, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
	for (int i = 0; i < 4998; i += 2)
		memcpy(name + i, "./", 2);
	name[4998] = '\0';
	CHECK_ERRNO(open(name, O_RDONLY), ENAMETOOLONG);
	name[4000] = '\0';
	close(OK(open(name, O_RDONLY)));
}

TEST(readv_writev, "readv and writev gather and scatter; pread and pwrite leave the offset")
{
	char a[3], b[4], c[5];
	struct iovec out[3] = { { "abc", 3 }, { "", 0 }, { "defghij", 7 } };
	struct iovec in[3] = { { a, 3 }, { b, 4 }, { c, 5 } };
	int fd = temp_fd();

	CHECK_EQ(writev(fd, out, 3), 10);
	CHECK_EQ(preadv(fd, in, 3, 0), 10);
	CHECK(memcmp(a, "abc", 3) == 0 && memcmp(b, "defg", 4) == 0 && memcmp(c, "hij", 3) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_EQ(pwritev(fd, out, 1, 4), 3);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(readv(fd, in, 2), 7);
	CHECK(memcmp(a, "bcd", 3) == 0 && memcmp(b, "abch", 4) == 0);
	CHECK_ERRNO(syscall(SYS_readv, fd, in, -1l), EINVAL);
	CHECK_ERRNO(syscall(SYS_readv, fd, in, 1025l), EINVAL);
	CHECK_EQ(writev(fd, out, 0), 0);
	out[2].iov_len = SIZE_MAX;
	CHECK_ERRNO(writev(fd, out, 3), EINVAL);
	CHECK_ERRNO(pread(fd, a, 1, -1), EINVAL);
}

TEST(lseek, "lseek from start, here and end; what it refuses")
{
	int fd = temp_fd(), fds[2];

	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK_EQ(lseek(fd, -3, SEEK_END), 7);
	CHECK_EQ(lseek(fd, 2, SEEK_CUR), 9);
	CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, -11, SEEK_END), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 17), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100); /* unchanged by the failures */
	CHECK_EQ(lseek(fd, 3, SEEK_DATA), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 10);
	CHECK_ERRNO(lseek(fd, 10, SEEK_DATA), ENXIO);
	OK(pipe(fds));
	CHECK_ERRNO(lseek(fds[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(pread(fds[0], fds, 1, 0), ESPIPE);
}

TEST(sparse_file, "holes read as zeros and take no room; ftruncate both ways")
{
	int fd = temp_fd();
	struct stat st;
	char buf[100];

	CHECK_EQ(pwrite(fd, "end", 3, 50 << 20), 3);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, (50 << 20) + 3);
	CHECK(st.st_blocks < 1000);
	CHECK_EQ(pread(fd, buf, 100, 10 << 20), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(pread(fd, buf, 100, (50 << 20) - 50), 53);
	CHECK(buf[49] == 0 && memcmp(buf + 50, "end", 3) == 0);
	OK(ftruncate(fd, 5000));
	CHECK_EQ(pwrite(fd, "xyz", 3, 4998), 3);
	OK(ftruncate(fd, 4999));
	OK(ftruncate(fd, 6000));
	CHECK_EQ(pread(fd, buf, 100, 4998), 100);
	CHECK(buf[0] == 'x' && buf[1] == 0 &&
	      buf[2] == 0); /* what was cut off does not come back */
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	CHECK_ERRNO(truncate("missing", 0), ENOENT);
	CHECK_ERRNO(truncate(".", 0), EISDIR);
	CHECK_ERRNO(ftruncate(OK(open("temp0", O_RDONLY)), 0), EINVAL);
}

TEST(fallocate, "fallocate extends, keeps the size if asked, punches holes")
{
	int fd = temp_fd();
	struct stat st;
	char c;

	if (fallocate(fd, 0, 0, 3 * 4096) < 0 && errno == EOPNOTSUPP)
		SKIP("not supported by this file system");
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * 4096);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10 * 4096));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * 4096);
	CHECK_EQ(pwrite(fd, "A", 1, 5000), 1);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
	CHECK_EQ(pread(fd, &c, 1, 5000), 1);
	CHECK_EQ(c, 0);
	CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, -1, 10), EINVAL);
}

TEST(dup_descriptors, "dup, dup2 and dup3 share the open file, with their own flags")
{
	int fd = temp_fd(), b = OK(dup(fd)), c;

	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 3);
	OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(b, F_GETFD), 0);
	c = OK(open("/dev/null", O_RDWR));
	CHECK_EQ(dup2(fd, c), c); /* closes what was there */
	CHECK_EQ(fcntl(c, F_GETFD), 0);
	CHECK_EQ(lseek(c, 0, SEEK_CUR), 3);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERRNO(dup2(888, 5), EBADF);
	CHECK_ERRNO(dup2(888, 888), EBADF);
	CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
	CHECK_ERRNO(dup3(fd, 200, O_APPEND), EINVAL);
	CHECK_EQ(dup3(fd, 200, O_CLOEXEC), 200);
	CHECK_EQ(fcntl(200, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_DUPFD, 150), 150);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 150), 151);
	CHECK_ERRNO(close(777), EBADF);
	OK(syscall(SYS_close_range, 150, 200, 0));
	CHECK_ERRNO(fcntl(150, F_GETFD), EBADF);
	CHECK_ERRNO(fcntl(200, F_GETFD), EBADF);
	OK(fcntl(fd, F_GETFD));
}

TEST(fcntl_flags, "fcntl: status flags change for all duplicates, access mode never")
{
	int fd = temp_fd(), b = OK(dup(fd));

	CHECK_EQ(OK(fcntl(fd, F_GETFL)) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
	OK(fcntl(b, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY));
	CHECK_EQ(OK(fcntl(fd, F_GETFL)) & (O_ACCMODE | O_APPEND | O_NONBLOCK),
		 O_RDWR | O_APPEND | O_NONBLOCK);
	CHECK_EQ(write(fd, "ab", 2), 2);
	OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(write(fd, "cd", 2), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 4);
	CHECK_ERRNO(fcntl(fd, 9999), EINVAL);
	CHECK_ERRNO(fcntl(777, F_GETFL), EBADF);
}

TEST(flock, "flock: shared and exclusive, between open files, released by close")
{
	int a = temp_fd(), b = OK(open("temp0", O_RDWR)), c = OK(open("temp0", O_RDONLY));
	pid_t pid;

	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH));
	CHECK_ERRNO(flock(c, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(b, LOCK_UN));
	OK(flock(a, LOCK_EX)); /* the only one: converts */
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	pid = xfork();
	if (pid == 0) {
		close(a);
		OK(flock(b, LOCK_EX)); /* waits for the close below */
		_exit(0);
	}
	wait_until_asleep(pid);
	int dup_of_a = dup(a);

	close(a);
	sleep_ms(10);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0); /* the duplicate holds it still */
	close(dup_of_a);
	CHECK_EXITS(pid, 0);
	CHECK_ERRNO(flock(c, 16), EINVAL);
}

TEST(posix_locks, "record locks: ranges, conflicts between processes, GETLK, close drops all")
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = temp_fd();
	pid_t pid;

	OK(fcntl(fd, F_SETLK, &l));
	pid = xfork();
	if (pid == 0) {
		struct flock q = {
			.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0
		};

		CHECK_ERRNO(fcntl(fd, F_SETLK, &q) == -1 && errno == EACCES ? (errno = EAGAIN, -1)
									    : -1,
			    EAGAIN);
		OK(fcntl(fd, F_GETLK, &q));
		CHECK(q.l_type == F_WRLCK && q.l_start == 10 && q.l_len == 10 &&
		      q.l_pid == getppid());
		q = (struct flock){
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 5
		};
		OK(fcntl(fd, F_SETLK, &q)); /* beside it */
		q = (struct flock){
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 12, .l_len = 1
		};
		OK(fcntl(fd, F_SETLKW, &q)); /* waits */
		_exit(0);
	}
	wait_until_asleep(pid);
	close(OK(open("temp0", O_RDONLY))); /* any close of the file drops this process's locks */
	CHECK_EXITS(pid, 0);
	l.l_type = F_UNLCK;
	OK(fcntl(fd, F_SETLK, &l));
	l.l_type = 77;
	CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EINVAL);
}

TEST(sendfile_copy, "sendfile and copy_file_range copy between files, with and without offsets")
{
	char buf[64] = "";
	int a = temp_fd(), b = temp_fd(), fds[2];
	off_t at = 3;

	CHECK_EQ(write(a, "0123456789", 10), 10);
	CHECK_EQ(sendfile(b, a, &at, 100), 7);
	CHECK_EQ(at, 10);
	OK(lseek(a, 0, SEEK_SET));
	CHECK_EQ(sendfile(b, a, NULL, 2), 2);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 2);
	CHECK_EQ(pread(b, buf, 64, 0), 9);
	CHECK_STR(buf, "345678901");
	OK(pipe(fds));
	CHECK_EQ(sendfile(fds[1], a, NULL, 100), 8);
	CHECK_EQ(read(fds[0], buf, 64), 8);
	at = 1;
	CHECK_EQ(copy_file_range(a, &at, b, NULL, 3, 0), 3);
	CHECK_EQ(pread(b, buf, 64, 0), 12);
	CHECK(memcmp(buf, "345678901123", 12) == 0);
	CHECK_ERRNO(sendfile(b, fds[0], NULL, 1) == -1 && errno == EINVAL ? (errno = EINVAL, -1)
									  : -1,
		    EINVAL);
}

TEST(dev_nodes, "/dev/null, zero, full, random behave")
{
	char buf[64], other[64];
	int fd;

	fd = OK(open("/dev/null", O_RDWR));
	CHECK_EQ(write(fd, buf, 64), 64);
	CHECK_EQ(read(fd, buf, 64), 0);
	fd = OK(open("/dev/zero", O_RDWR));
	memset(buf, 1, 64);
	CHECK_EQ(read(fd, buf, 64), 64);
	CHECK(buf[0] == 0 && buf[63] == 0);
	CHECK_EQ(write(fd, buf, 64), 64);
	fd = OK(open("/dev/full", O_RDWR));
	CHECK_EQ(read(fd, buf, 64), 64);
	CHECK_ERRNO(write(fd, buf, 1), ENOSPC);
	fd = OK(open("/dev/urandom", O_RDONLY));
	CHECK_EQ(read(fd, buf, 64), 64);
	CHECK_EQ(read(fd, other, 64), 64);
	CHECK(memcmp(buf, other, 64) != 0);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		       OK(open("/dev/zero", O_RDWR)), 0);

	CHECK(p != MAP_FAILED && p[5] == 0);
	p[5] = 1;
}
