/* Calls relative to directories, fifos, memfd, statfs, /proc/self. */
#include "stagetest.h"
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static struct stat st;

TEST(at_calls, "openat, mkdirat, unlinkat... are relative to their directory")
{
	char buf[32] = "";
	int dir, fd;

	OK(mkdir("d", 0755));
	dir = OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(mkdirat(dir, "sub", 0755));
	fd = OK(openat(dir, "file", O_RDWR | O_CREAT, 0644));
	OK(stat("d/file", &st));
	OK(fstatat(dir, "sub", &st, 0));
	CHECK(S_ISDIR(st.st_mode));
	OK(symlinkat("file", dir, "sym"));
	CHECK_EQ(readlinkat(dir, "sym", buf, sizeof(buf)), 4);
	OK(fstatat(dir, "sym", &st, AT_SYMLINK_NOFOLLOW));
	CHECK(S_ISLNK(st.st_mode));
	OK(linkat(dir, "file", AT_FDCWD, "outside", 0));
	OK(renameat(AT_FDCWD, "outside", dir, "back"));
	OK(fchmodat(dir, "back", 0600, 0));
	OK(faccessat(dir, "back", R_OK, 0));
	CHECK_ERRNO(unlinkat(dir, "sub", 0), EISDIR);
	OK(unlinkat(dir, "sub", AT_REMOVEDIR));
	CHECK_ERRNO(unlinkat(dir, "file", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERRNO(unlinkat(dir, "file", 0x1000), EINVAL);
	CHECK_ERRNO(openat(fd, "x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(openat(999, "x", O_RDONLY), EBADF);
	close(OK(openat(999, "/dev/null", O_RDONLY))); /* absolute: the descriptor doesn't matter */
	close(OK(openat(dir, "../d/file", O_RDONLY)));
}

TEST(tmpfile, "O_TMPFILE makes a file without a name, linkat gives it one")
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		SKIP("no O_TMPFILE here");
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "hi", 2), 2);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	OK(stat("named", &st));
	CHECK(st.st_size == 2 && st.st_nlink == 1);
}

TEST(fifo, "a fifo joins two processes; opening waits for the other side")
{
	char buf[16];
	pid_t pid;
	int fd;

	OK(mknod("fifo", S_IFIFO | 0600, 0));
	OK(stat("fifo", &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	close(OK(open("fifo", O_RDONLY | O_NONBLOCK)));
	pid = xfork();
	if (pid == 0) {
		fd = OK(open("fifo", O_WRONLY));
		CHECK_EQ(write(fd, "through", 7), 7);
		_exit(0);
	}
	fd = OK(open("fifo", O_RDONLY));
	CHECK_EQ(read(fd, buf, 16), 7);
	CHECK(memcmp(buf, "through", 7) == 0);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(read(fd, buf, 16), 0); /* no writer: the end */
	CHECK_ERRNO(mknod("fifo", S_IFIFO | 0600, 0), EEXIST);
}

TEST(mknod_devices, "mknod makes device nodes that reach the driver")
{
	int fd;

	if (geteuid() != 0)
		SKIP("needs root");
	if (mknod("null", S_IFCHR | 0666, makedev(1, 3)) < 0 && errno == EPERM)
		SKIP("no device nodes allowed here");
	OK(stat("null", &st));
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	fd = open("null", O_RDWR);
	if (fd < 0 && errno == EACCES)
		SKIP("mounted nodev");
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && read(fd, &st, 1) == 0);
	OK(mknod("plain", S_IFREG | 0644, 0));
	OK(mknod("nodriver", S_IFCHR | 0666, makedev(240, 77)));
	CHECK_ERRNO(open("nodriver", O_RDWR), ENXIO);
}

TEST(memfd, "memfd_create: a file in memory with seals")
{
	int fd = OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	char *p;

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	OK(ftruncate(fd, 2 * PAGE));
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	strcpy(p, "shared");
	CHECK_EQ(pread(fd, &st, 6, 0), 6);
	CHECK(memcmp(&st, "shared", 6) == 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY); /* mapped for writing */
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_ERRNO(ftruncate(fd, PAGE), EPERM);
	CHECK_ERRNO(ftruncate(fd, 3 * PAGE), EPERM);
	OK(munmap(p, 2 * PAGE));
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_ERRNO(memfd_create("x", 0x100), EINVAL);
}

TEST(statfs_call, "statfs and fstatfs describe a file system")
{
	struct statfs a, b;

	OK(statfs(".", &a));
	int fd = OK(open(".", O_RDONLY));

	OK(fstatfs(fd, &b));
	CHECK(a.f_type == b.f_type && a.f_bsize > 0 && a.f_namelen >= 255);
	OK(statfs("/proc", &b));
	CHECK_EQ(b.f_type, 0x9fa0);
	CHECK_ERRNO(statfs("missing", &a), ENOENT);
}

TEST(large_file, "a file of 8 MiB keeps every page, sync calls succeed")
{
	static uint64_t block[8192];
	int fd = temp_fd();

	for (uint64_t i = 0; i < 128; i++) {
		for (uint64_t k = 0; k < 8192; k += 512)
			block[k] = i << 32 | k;
		CHECK_EQ(write(fd, block, sizeof(block)), sizeof(block));
	}
	OK(fsync(fd));
	OK(fdatasync(fd));
	for (uint64_t i = 0; i < 128; i += 7) {
		CHECK_EQ(pread(fd, block, sizeof(block), (off_t)(i * sizeof(block))),
			 sizeof(block));
		for (uint64_t k = 0; k < 8192; k += 512)
			CHECK_EQ(block[k], i << 32 | k);
	}
}

TEST(many_files, "five hundred files in one directory, opened, renamed, removed")
{
	char a[32], b[32], buf[16];

	for (int i = 0; i < 500; i++) {
		snprintf(a, sizeof(a), "f%d", i);
		snprintf(b, sizeof(b), "%d", i);
		make_file(a, b);
	}
	for (int i = 0; i < 500; i += 3) {
		snprintf(a, sizeof(a), "f%d", i);
		snprintf(b, sizeof(b), "g%d", i);
		OK(rename(a, b));
	}
	for (int i = 0; i < 500; i++) {
		snprintf(a, sizeof(a), "%c%d", i % 3 ? 'f' : 'g', i);
		snprintf(b, sizeof(b), "%d", i);
		read_text(a, buf, sizeof(buf));
		CHECK_STR(buf, b);
		OK(unlink(a));
		CHECK_ERRNO(unlink(a), ENOENT);
	}
}

TEST(proc_self, "/proc/self: stat, status, exe, cmdline, fd, cwd")
{
	char buf[4096], want[512], *p;
	pid_t pid;
	int fd;

	snprintf(want, sizeof(want), "%d (", getpid());
	read_text("/proc/self/stat", buf, sizeof(buf));
	CHECK(strncmp(buf, want, strlen(want)) == 0);
	p = strrchr(buf, ')');
	CHECK(p && p[2] == 'R' && atoi(p + 4) == getppid());
	CHECK_EQ(proc_status_field("/proc/self/status", "Pid"), getpid());
	CHECK_EQ(proc_status_field("/proc/self/status", "PPid"), getppid());
	CHECK_EQ(proc_status_field("/proc/self/status", "Threads"), 1);
	CHECK_EQ(proc_status_field("/proc/self/status", "Uid"), getuid());
	CHECK_GE(proc_status_field("/proc/self/status", "VmRSS"), 100);
	CHECK(readlink("/proc/self/exe", buf, sizeof(buf)) > 0);
	fd = OK(open("/proc/self/cmdline", O_RDONLY));
	CHECK(read(fd, buf, sizeof(buf)) > 0);
	CHECK_STR(buf + strlen(buf) + 1, "proc_self");
	fd = temp_fd();
	snprintf(want, sizeof(want), "/proc/self/fd/%d", fd);
	ssize_t n = OK(readlink(want, buf, sizeof(buf) - 1));

	buf[n] = '\0';
	CHECK(strlen(buf) > 6 && strcmp(buf + strlen(buf) - 6, "/temp0") == 0);
	CHECK_EQ(write(fd, "via", 3), 3);
	int again = OK(open(want, O_RDONLY)); /* a new open file of the same inode */

	CHECK_EQ(read(again, buf, 8), 3);
	n = OK(readlink("/proc/self/cwd", buf, sizeof(buf) - 1));
	buf[n] = '\0';
	CHECK(getcwd(want, sizeof(want)));
	CHECK_STR(buf, want);
	pid = xfork();
	if (pid == 0) {
		snprintf(want, sizeof(want), "%d", getpid());
		n = readlink("/proc/self", buf, sizeof(buf) - 1);
		buf[n > 0 ? n : 0] = '\0';
		_exit(strcmp(buf, want) != 0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(proc_maps, "/proc/self/maps lists areas with rights, offset and name")
{
	static char buf[65536];
	char want[64], *line;
	int fd = temp_fd();
	char *p;

	OK(ftruncate(fd, 3 * PAGE));
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	CHECK(p != MAP_FAILED);
	read_text("/proc/self/maps", buf, sizeof(buf));
	snprintf(want, sizeof(want), "%lx-%lx r--p 00001000 ", (unsigned long)p,
		 (unsigned long)p + 2 * PAGE);
	line = strstr(buf, want);
	CHECK(line != NULL);
	*strchr(line, '\n') = '\0';
	CHECK(strstr(line, "/temp0"));
	line[strlen(line)] = '\n';
	read_text("/proc/self/maps", buf, sizeof(buf));
	CHECK(strstr(buf, "[stack]") && strstr(buf, " r-xp ") && strstr(buf, "[heap]"));
	OK(munmap(p, 2 * PAGE));
	read_text("/proc/self/maps", buf, sizeof(buf));
	CHECK(!strstr(buf, want));
}
