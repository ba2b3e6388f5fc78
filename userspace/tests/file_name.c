/* Names: links, renames, directories, symlinks, metadata. */
#include "stagetest.h"
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static struct stat st;

static ino_t inode_of(const char *path)
{
	struct stat s;

	OK(lstat(path, &s));
	return s.st_ino;
}

TEST(stat_fields, "stat, lstat and fstat tell type, size, owner, times")
{
	struct timespec now;
	int fd = temp_fd();

	OK(clock_gettime(CLOCK_REALTIME, &now));
	CHECK_EQ(write(fd, "123", 3), 3);
	OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode) && st.st_size == 3 && st.st_nlink == 1);
	CHECK(st.st_uid == geteuid() && st.st_blksize >= 512);
	CHECK(st.st_mtime >= now.tv_sec - 2 && st.st_mtime <= now.tv_sec + 10);
	OK(stat(".", &st));
	CHECK(S_ISDIR(st.st_mode));
	OK(symlink("temp0", "sym"));
	OK(lstat("sym", &st));
	CHECK(S_ISLNK(st.st_mode) && st.st_size == 5);
	OK(stat("sym", &st));
	CHECK(S_ISREG(st.st_mode));
	OK(stat("/dev/null", &st));
	CHECK(S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3);
	CHECK_ERRNO(stat("missing", &st), ENOENT);
	CHECK_ERRNO(fstat(999, &st), EBADF);
	CHECK_ERRNO(stat("temp0/x", &st), ENOTDIR);
	OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
	CHECK_EQ(st.st_size, 3);
	struct statx sx;

	OK(statx(AT_FDCWD, "temp0", 0, STATX_BASIC_STATS, &sx));
	CHECK(sx.stx_size == 3 && (sx.stx_mask & STATX_SIZE) && sx.stx_ino == st.st_ino);
}

TEST(link_unlink, "hard links are names of one file, which goes with the last")
{
	char buf[8];
	int fd;

	make_file("a", "data");
	OK(link("a", "b"));
	CHECK_EQ(inode_of("a"), inode_of("b"));
	OK(stat("a", &st));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_ERRNO(link("a", "b"), EEXIST);
	CHECK_ERRNO(link("missing", "c"), ENOENT);
	CHECK_ERRNO(link(".", "c"), EPERM);
	fd = OK(open("a", O_RDONLY));
	OK(unlink("a"));
	CHECK_ERRNO(open("a", O_RDONLY), ENOENT);
	OK(unlink("b"));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(read(fd, buf, 8), 4); /* open still */
	CHECK_ERRNO(unlink("a"), ENOENT);
	OK(mkdir("d", 0755));
	CHECK_ERRNO(unlink("d"), EISDIR);
}

TEST(rename_files, "rename replaces in one step, and refuses what makes no sense")
{
	char buf[8];
	ino_t ino;

	make_file("a", "AAA");
	make_file("b", "BBB");
	ino = inode_of("a");
	OK(rename("a", "b"));
	CHECK_EQ(inode_of("b"), ino);
	read_text("b", buf, sizeof(buf));
	CHECK_STR(buf, "AAA");
	CHECK_ERRNO(stat("a", &st), ENOENT);
	OK(rename("b", "b"));
	OK(mkdir("d", 0755));
	OK(mkdir("d/sub", 0755));
	OK(rename("b", "d/moved"));
	CHECK_ERRNO(rename("d", "d/sub/inside"), EINVAL);
	OK(mkdir("empty", 0755));
	CHECK_ERRNO(rename("empty", "d"), ENOTEMPTY);
	CHECK_ERRNO(rename("d/moved", "empty"), EISDIR);
	CHECK_ERRNO(rename("empty", "d/moved"), ENOTDIR);
	OK(rename("d", "empty")); /* onto an empty directory */
	OK(stat("empty/sub", &st));
	CHECK_ERRNO(rename("nothing", "x"), ENOENT);
	OK(link("empty/moved", "same"));
	OK(rename("empty/moved", "same")); /* two names of one file: nothing happens */
	OK(stat("empty/moved", &st));
	CHECK_EQ(st.st_nlink, 2);
}

TEST(renameat2, "renameat2: NOREPLACE and EXCHANGE")
{
	ino_t a, b;

	make_file("a", "A");
	OK(mkdir("b", 0755));
	a = inode_of("a");
	b = inode_of("b");
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1), EEXIST);
	OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 1));
	OK(syscall(SYS_renameat2, AT_FDCWD, "c", AT_FDCWD, "b", 2));
	CHECK(inode_of("b") == a && inode_of("c") == b);
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "missing", 2), ENOENT);
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 3), EINVAL);
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 64), EINVAL);
}

TEST(symlinks, "symlinks: relative, absolute, chains, loops, trailing slashes")
{
	char buf[16], name[16], next[16];

	make_file("target", "T");
	OK(symlink("target", "rel"));
	read_text("rel", buf, sizeof(buf));
	CHECK_STR(buf, "T");
	CHECK_EQ(readlink("rel", buf, 3), 3); /* cut, no NUL */
	CHECK(memcmp(buf, "tar", 3) == 0);
	CHECK_ERRNO(readlink("target", buf, 16), EINVAL);
	CHECK_ERRNO(readlink("rel", buf, 0), EINVAL);
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	CHECK_ERRNO(open("loop1", O_RDONLY), ELOOP);
	OK(lstat("loop1", &st));
	CHECK_ERRNO(symlink("x", "rel"), EEXIST);
	CHECK_ERRNO(symlink("", "e"), ENOENT);
	OK(mkdir("dir", 0755));
	make_file("dir/inside", "I");
	OK(symlink("dir", "dlink"));
	OK(symlink("../target", "dir/up"));
	read_text("dlink/up", buf, sizeof(buf)); /* relative to where the link is */
	CHECK_STR(buf, "T");
	OK(lstat("dlink/", &st)); /* the slash follows it */
	CHECK(S_ISDIR(st.st_mode));
	CHECK_ERRNO(open("target/", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(rmdir("dlink"), ENOTDIR);
	make_file("l0", "L");
	for (int i = 1; i <= 41; i++) {
		snprintf(next, sizeof(next), "l%d", i - 1);
		snprintf(name, sizeof(name), "l%d", i);
		OK(symlink(next, name));
	}
	close(OK(open("l40", O_RDONLY)));
	CHECK_ERRNO(open("l41", O_RDONLY), ELOOP); /* forty are followed, no more */
}

TEST(directories, "mkdir and rmdir, and what they refuse")
{
	nlink_t links;

	OK(stat(".", &st));
	links = st.st_nlink;
	OK(mkdir("d", 0755));
	OK(stat(".", &st));
	CHECK(st.st_nlink == links + 1 || st.st_nlink == 1);
	CHECK_ERRNO(mkdir("d", 0755), EEXIST);
	CHECK_ERRNO(mkdir("x/y", 0755), ENOENT);
	make_file("f", "");
	CHECK_ERRNO(mkdir("f/y", 0755), ENOTDIR);
	CHECK_ERRNO(mkdir("f", 0755), EEXIST);
	CHECK_ERRNO(rmdir("f"), ENOTDIR);
	CHECK_ERRNO(rmdir("missing"), ENOENT);
	OK(mkdir("d/sub/", 0755));
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/sub/.."), ENOTEMPTY);
	CHECK_ERRNO(rmdir("/"), EBUSY);
	OK(rmdir("d/sub"));
	OK(rmdir("d"));
	CHECK_ERRNO(mkdir(".", 0755), EEXIST);
}

TEST(getdents, "reading a directory gives each name once, with type and inode")
{
	char name[16];
	unsigned char seen[200] = { 0 };
	int dots = 0, others = 0;
	struct dirent *e;
	DIR *d;

	OK(mkdir("dir", 0755));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "dir/%d", i);
		if (i % 10 == 0)
			OK(mkdir(name, 0755));
		else
			make_file(name, "");
	}
	d = opendir("dir");
	CHECK(d);
	while ((e = readdir(d))) {
		int i = atoi(e->d_name);

		if (e->d_name[0] == '.') {
			dots++;
			continue;
		}
		CHECK(i >= 0 && i < 200 && !seen[i]);
		seen[i] = 1;
		others++;
		CHECK(e->d_type == (i % 10 == 0 ? DT_DIR : DT_REG) || e->d_type == DT_UNKNOWN);
		snprintf(name, sizeof(name), "dir/%d", i);
		CHECK_EQ(e->d_ino, inode_of(name));
	}
	CHECK(dots == 2 && others == 200);
	rewinddir(d);
	CHECK(readdir(d));
	OK(lseek(dirfd(d), 0, SEEK_SET));
	CHECK_ERRNO(syscall(SYS_getdents64, dirfd(d), name, 5), EINVAL); /* no room for one */
	CHECK_ERRNO(syscall(SYS_getdents64, temp_fd(), name, 16), ENOTDIR);
	closedir(d);
}

TEST(getdents_removal, "a directory emptied while it is read gives no name twice")
{
	char name[300];
	int removed = 0;
	struct dirent *e;
	DIR *d;

	OK(mkdir("dir", 0755));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "dir/file-number-%d", i);
		make_file(name, "");
	}
	d = opendir("dir");
	CHECK(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "dir/%s", e->d_name);
		OK(unlink(name));
		removed++;
	}
	closedir(d);
	CHECK_EQ(removed, 300);
	OK(rmdir("dir"));
}

TEST(chdir_getcwd, "chdir, fchdir, getcwd; a removed directory")
{
	char cwd[512], start[512];
	int fd = OK(open(".", O_RDONLY | O_DIRECTORY));

	CHECK(getcwd(start, sizeof(start)));
	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	OK(chdir("a/./b/../b//"));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(strncmp(cwd, start, strlen(start)) == 0);
	CHECK_STR(cwd + strlen(start), "/a/b");
	CHECK_ERRNO(chdir("missing"), ENOENT);
	OK(rmdir("../b"));
	CHECK_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERRNO(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	OK(fchdir(fd));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, start);
	make_file("f", "");
	CHECK_ERRNO(chdir("f"), ENOTDIR);
	CHECK_ERRNO(fchdir(temp_fd()), ENOTDIR);
	OK(chdir("/../.."));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, "/");
}

TEST(chmod_access, "chmod and access; access uses the real ids")
{
	pid_t pid;

	make_file("f", "");
	OK(chmod("f", 0400));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 0400);
	OK(chmod("f", 01777));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 01777);
	int fd = OK(open("f", O_RDONLY));

	OK(fchmod(fd, 0444));
	OK(access("f", F_OK));
	CHECK_ERRNO(access("missing", F_OK), ENOENT);
	CHECK_ERRNO(access("f", X_OK), EACCES); /* no x at all: not even root */
	CHECK_ERRNO(access("f", 8), EINVAL);
	if (getuid() != 0)
		return;
	pid = xfork();
	if (pid == 0) {
		OK(setresuid(1000, 0, 0));
		CHECK_ERRNO(access("f", W_OK), EACCES);
		OK(faccessat(AT_FDCWD, "f", W_OK, AT_EACCESS));
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	OK(symlink("f", "sym"));
	OK(lchown("sym", 77, 88));
	OK(lstat("sym", &st));
	CHECK(st.st_uid == 77 && st.st_gid == 88);
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 0);
	OK(chown("f", -1, 99));
	OK(stat("f", &st));
	CHECK(st.st_uid == 0 && st.st_gid == 99);
}

TEST(utimens, "utimensat sets times to the nanosecond, now, or not at all")
{
	struct timespec ts[2] = { { 1000, 123456789 }, { 2000, 987654321 } }, before;

	make_file("f", "x");
	OK(utimensat(AT_FDCWD, "f", ts, 0));
	OK(stat("f", &st));
	CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 123456789);
	CHECK(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 987654321);
	OK(clock_gettime(CLOCK_REALTIME, &before));
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	OK(utimensat(AT_FDCWD, "f", ts, 0));
	OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_GE(st.st_mtim.tv_sec, before.tv_sec - 1);
	ts[0].tv_nsec = 1000000000;
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	ts[0] = ts[1] = (struct timespec){ 5, 0 };
	OK(utimensat(AT_FDCWD, "f", ts, 0));
	int fd = OK(open("f", O_WRONLY));

	CHECK_EQ(write(fd, "y", 1), 1);
	OK(fstat(fd, &st));
	CHECK_GE(st.st_mtim.tv_sec, before.tv_sec - 1); /* writing sets it */
}
