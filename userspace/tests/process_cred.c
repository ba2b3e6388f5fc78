/* Users, groups, permissions that follow from them. */
#include "stagetest.h"
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

#define IN_CHILD(pid) if (((pid) = xfork()) == 0)

static void check_uids(uid_t r, uid_t e, uid_t s)
{
	uid_t ruid, euid, suid;

	OK(getresuid(&ruid, &euid, &suid));
	if (ruid != r || euid != e || suid != s)
		FAIL("uids are %u %u %u, expected %u %u %u", ruid, euid, suid, r, e, s);
}

static void need_root(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
}

TEST(cred_setuid, "setuid by root is for good")
{
	pid_t pid;

	need_root();
	IN_CHILD(pid)
	{
		OK(setuid(1000));
		check_uids(1000, 1000, 1000);
		CHECK_ERRNO(setuid(0), EPERM);
		CHECK_ERRNO(setresuid(0, -1, -1), EPERM);
		OK(setuid(1000));
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(cred_saved_ids, "the saved id lets a process switch to and fro")
{
	pid_t pid;

	need_root();
	IN_CHILD(pid)
	{
		OK(setresuid(1000, 1001, 1002));
		check_uids(1000, 1001, 1002);
		OK(seteuid(1002));
		OK(seteuid(1000));
		check_uids(1000, 1000, 1002);
		CHECK_ERRNO(seteuid(1001), EPERM);
		OK(setreuid(-1, 1002));
		check_uids(1000, 1002, 1002);
		OK(setuid(1000)); /* unprivileged: the effective one only */
		check_uids(1000, 1000, 1002);
		CHECK_ERRNO(setreuid(1002, -1), EPERM); /* the saved id is no choice here */
		OK(seteuid(1002));
		OK(setreuid(1002, 1000)); /* a changed real id takes the saved one along */
		check_uids(1002, 1000, 1000);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(cred_group_ids, "group ids and supplementary groups")
{
	gid_t want[3] = { 100, 300, 200 }, got[8], r, e, s;
	pid_t pid;

	need_root();
	IN_CHILD(pid)
	{
		OK(setgroups(3, want));
		CHECK_EQ(getgroups(0, NULL), 3);
		CHECK_ERRNO(getgroups(2, got), EINVAL);
		CHECK_EQ(getgroups(8, got), 3);
		CHECK_EQ(got[0] + got[1] + got[2], 600);
		OK(setresgid(10, 20, 30));
		OK(getresgid(&r, &e, &s));
		CHECK(r == 10 && e == 20 && s == 30);
		OK(setuid(1000));
		OK(setegid(30));
		CHECK_ERRNO(setegid(100), EPERM); /* supplementary ones don't count here */
		CHECK_ERRNO(setgroups(1, want), EPERM);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(cred_permissions, "owner, group and other bits decide, in this order")
{
	gid_t groups[1] = { 300 };
	pid_t pid;

	need_root();
	make_file("owned", "x");
	OK(chown("owned", 1000, 300));
	OK(chmod("owned", 0077)); /* nothing for the owner himself */
	CHECK(access("owned", R_OK | W_OK) == 0); /* root may read and write anything */
	IN_CHILD(pid)
	{
		OK(setgroups(1, groups));
		OK(setresgid(5, 5, 5));
		OK(setresuid(1000, 1000, 1000));
		CHECK_ERRNO(open("owned", O_RDONLY), EACCES);
		OK(chmod("owned", 0606)); /* the owner may change that */
		close(OK(open("owned", O_RDWR)));
		OK(chmod("owned", 0060));
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	IN_CHILD(pid)
	{
		OK(setgroups(1, groups));
		OK(setresgid(5, 5, 5));
		OK(setresuid(1001, 1001, 1001));
		close(OK(open("owned", O_RDWR))); /* by the supplementary group */
		CHECK_ERRNO(chmod("owned", 0777), EPERM);
		CHECK_ERRNO(chown("owned", 1001, -1), EPERM);
		CHECK_ERRNO(unlink("owned"), EACCES);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	OK(chmod("owned", 0606));
	IN_CHILD(pid)
	{
		OK(setgroups(1, groups));
		OK(setresuid(1001, 1001, 1001));
		CHECK_ERRNO(open("owned", O_RDONLY), EACCES); /* group comes before other */
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(cred_directories, "search and write permission of directories; sticky directories")
{
	pid_t pid;

	need_root();
	OK(mkdir("closed", 0700));
	make_file("closed/file", "x");
	OK(mkdir("sticky", 0755));
	OK(chmod("sticky", 01777));
	make_file("sticky/roots", "x");
	IN_CHILD(pid)
	{
		struct stat st;

		become_nobody();
		CHECK_ERRNO(stat("closed/file", &st), EACCES);
		CHECK_ERRNO(chdir("closed"), EACCES);
		CHECK_ERRNO(open("closed", O_RDONLY), EACCES);
		CHECK_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
		make_file("sticky/mine", "x");
		CHECK_ERRNO(unlink("sticky/roots"), EPERM);
		CHECK_ERRNO(rename("sticky/roots", "sticky/taken"), EPERM);
		OK(rename("sticky/mine", "sticky/still-mine"));
		OK(unlink("sticky/still-mine"));
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(cred_chown_clears, "chown by a user and writing clear set-id bits")
{
	struct stat st;
	pid_t pid;
	int fd;

	need_root();
	make_file("prog", "x");
	OK(chown("prog", 65534, 65534));
	OK(chmod("prog", 06755));
	IN_CHILD(pid)
	{
		become_nobody();
		fd = OK(open("prog", O_WRONLY));
		CHECK_EQ(write(fd, "y", 1), 1);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	OK(stat("prog", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	OK(chmod("prog", 06755));
	OK(chown("prog", 1, 1)); /* also when root does it */
	OK(stat("prog", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	CHECK(st.st_uid == 1 && st.st_gid == 1);
}

CHILD_PROGRAM(show_ids)
{
	(void)argc, (void)argv;
	return getuid() == 65534 && geteuid() == 1234 && getgid() == 65534 && getegid() == 1235 ? 0
												: 1;
}

TEST(cred_setuid_exec, "executing a set-user-id file changes the effective ids")
{
	struct statvfs fs;
	char buf[65536];
	int in, out;
	ssize_t n;
	pid_t pid;

	need_root();
	OK(statvfs(".", &fs));
	if (fs.f_flag & ST_NOSUID)
		SKIP("mounted nosuid");
	in = OK(open(self_path(), O_RDONLY));
	out = OK(open("suid", O_WRONLY | O_CREAT, 0755));
	while ((n = OK(read(in, buf, sizeof(buf)))) > 0)
		CHECK_EQ(write(out, buf, (size_t)n), n);
	close(out);
	OK(chown("suid", 1234, 1235));
	OK(chmod("suid", 06755));
	IN_CHILD(pid)
	{
		become_nobody();
		execl("suid", "stagetest", "--child", "show_ids", NULL);
		_exit(99);
	}
	CHECK_EXITS(pid, 0);
}

TEST(cred_fsuid, "setfsuid returns the old one and governs file access")
{
	pid_t pid;

	need_root();
	make_file("secret", "x");
	OK(chmod("secret", 0600));
	IN_CHILD(pid)
	{
		CHECK_EQ(setfsuid(1000), 0);
		CHECK_EQ(setfsuid(-1), 1000);
		CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
		CHECK_EQ(setfsuid(0), 1000);
		close(OK(open("secret", O_RDONLY)));
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(umask_modes, "umask takes bits away from new files, directories and fifos")
{
	struct stat st;

	CHECK_EQ(umask(027) & ~0777, 0);
	CHECK_EQ(umask(027), 027);
	close(OK(open("f", O_CREAT | O_WRONLY, 0666)));
	OK(mkdir("d", 0777));
	OK(mkfifo("p", 0666));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	OK(stat("d", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0750);
	OK(stat("p", &st));
	CHECK_EQ(st.st_mode, S_IFIFO | 0640);
	umask(0);
	close(OK(open("g", O_CREAT | O_WRONLY, 07777)));
	OK(stat("g", &st));
	CHECK_EQ(st.st_mode & 0777, 0777);
}

TEST(kill_permission, "signals may be sent to processes of the same user only")
{
	struct gate g;
	pid_t victim, pid;

	need_root();
	gate_init(&g);
	IN_CHILD(victim)
	{
		OK(setresuid(1000, 1000, 1000));
		gate_open(&g);
		for (;;)
			pause();
	}
	gate_wait(&g);
	IN_CHILD(pid)
	{
		OK(setresuid(1001, 1001, 1001));
		CHECK_ERRNO(kill(victim, SIGTERM), EPERM);
		CHECK_ERRNO(kill(victim, 0), EPERM);
		CHECK_ERRNO(kill(1 << 22, 0), ESRCH);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	IN_CHILD(pid)
	{
		OK(setresuid(1001, 1000, 1001));
		OK(kill(victim, SIGTERM));
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	CHECK_KILLED(victim, SIGTERM);
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
}
