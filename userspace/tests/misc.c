/* What fits nowhere else. */
#include "stagetest.h"
#include "port.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(uname, "uname fills every field")
{
	struct utsname u;

	OK(uname(&u));
	CHECK_STR(u.sysname, "Linux");
	CHECK(u.release[0] >= '3' && u.release[0] <= '9');
	CHECK(u.nodename[0] && u.version[0]);
	CHECK_STR(u.machine, PORT_MACHINE);
}

TEST(sysinfo, "sysinfo: memory adds up, uptime runs")
{
	struct sysinfo si;

	OK(sysinfo(&si));
	CHECK(si.totalram > 0 && si.freeram > 0 && si.freeram < si.totalram);
	CHECK(si.mem_unit >= 1 && si.procs >= 1 && si.uptime >= 0);
	CHECK_GE((unsigned long long)si.totalram * si.mem_unit, 16 << 20);
}

TEST(getrandom, "getrandom gives different bytes each time, whole and spread")
{
	unsigned char a[256], b[256];
	int bits = 0;

	CHECK_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
	CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	for (size_t i = 0; i < sizeof(a); i++)
		bits += __builtin_popcount(a[i]);
	CHECK(bits > 850 && bits < 1200); /* of 2048; 8 sigma is 180 */
	CHECK_ERRNO(getrandom(a, 1, 0x100), EINVAL);
	CHECK_EQ(getrandom(a, 0, 0), 0);
}

TEST(getcpu_affinity, "getcpu, affinity masks and yielding")
{
	cpu_set_t set, one;
	unsigned cpu = 9999, node = 9999;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	OK((int)syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK(cpu < 1024 && node == 0);
	CHECK_GE(cpus, 1);
	OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK_GE(CPU_COUNT(&set), 1);
	CHECK(CPU_ISSET(cpu, &set));
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		OK(sched_setaffinity(0, sizeof(one), &one));
		OK((int)syscall(SYS_getcpu, &cpu, NULL, NULL)); /* moved already */
		CHECK_EQ(cpu, i);
		OK(sched_yield());
	}
	OK(sched_setaffinity(0, sizeof(set), &set));
	CPU_ZERO(&one);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
	CHECK_ERRNO(sched_getaffinity(1 << 22, sizeof(one), &one), ESRCH);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &one), EINVAL);
}

TEST(sched_policies, "scheduling policies and their priorities")
{
	struct sched_param sp = { 0 };
	pid_t pid;

	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	CHECK(sched_get_priority_min(SCHED_FIFO) == 1 && sched_get_priority_max(SCHED_FIFO) == 99);
	CHECK(sched_get_priority_max(SCHED_OTHER) == 0);
	CHECK_ERRNO(sched_get_priority_max(77), EINVAL);
	sp.sched_priority = 5;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &sp), EINVAL);
	sp.sched_priority = 0;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &sp), EINVAL);
	pid = xfork();
	if (pid == 0) {
		sp.sched_priority = 0;
		OK(sched_setscheduler(0, SCHED_BATCH, &sp));
		CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
		OK(sched_setscheduler(0, SCHED_IDLE, &sp));
		CHECK_EQ(sched_getscheduler(0), SCHED_IDLE);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(enosys, "unknown system calls are ENOSYS, wild numbers too")
{
	static const long numbers[] = { 600, 999, 5000, 1 << 20, -1, -5000, 0x7fffffff };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		CHECK_ERRNO(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
}

TEST(hostname, "sethostname shows in uname; its length is checked")
{
	struct utsname u;
	char old[65], longest[70];

	if (geteuid() != 0)
		SKIP("needs root");
	OK(gethostname(old, sizeof(old)));
	pid_t pid = xfork();

	if (pid == 0) {
		if (unshare(CLONE_NEWUTS) < 0 && strcmp(old, "cairn") != 0)
			SKIP("would change this machine's name");
		OK(sethostname("test-name", 9));
		OK(uname(&u));
		CHECK_STR(u.nodename, "test-name");
		memset(longest, 'x', sizeof(longest));
		CHECK_ERRNO(sethostname(longest, 65), EINVAL);
		CHECK_ERRNO(syscall(SYS_sethostname, longest, -1l), EINVAL);
		OK(sethostname(old, strlen(old)));
		become_nobody();
		CHECK_ERRNO(sethostname("no", 2), EPERM);
		_exit(0);
	}
	int st = xwait(pid);

	if (WIFEXITED(st) && WEXITSTATUS(st) == 4)
		SKIP("no namespace to try it in");
	CHECK_EQ(st, 0);
}

TEST(cpu_bound_fairness, "processes that only compute all get on")
{
	volatile uint64_t *p =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[4];

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 4; i++) {
		pids[i] = xfork();
		if (pids[i] == 0) {
			for (;;)
				p[i * 8]++;
		}
	}
	for (int i = 0; i < 4; i++) { /* each moves on again and again */
		for (int k = 0; k < 3; k++) {
			uint64_t seen = p[i * 8];

			while (p[i * 8] == seen)
				sleep_ms(1);
		}
	}
	for (int i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		CHECK_KILLED(pids[i], SIGKILL);
	}
}

TEST(mount_tmpfs, "mounting tmpfs covers a directory, unmounting shows it again")
{
	struct stat st, before;

	if (geteuid() != 0)
		SKIP("needs root");
	if (unshare(CLONE_NEWNS) == 0) /* what it mounts is seen by nobody else */
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
			CHECK_EQ(errno, EINVAL);
			SKIP("the root directory is not a mount: a chroot");
		}
	OK(mkdir("mnt", 0755));
	make_file("mnt/below", "");
	OK(stat("mnt", &before));
	if (mount("none", "mnt", "tmpfs", 0, "mode=0700") < 0)
		SKIP("mount: %s", strerror(errno));
	OK(stat("mnt", &st));
	CHECK(st.st_dev != before.st_dev && (st.st_mode & 0777) == 0700);
	CHECK_ERRNO(stat("mnt/below", &st), ENOENT);
	make_file("mnt/above", "x");
	CHECK_ERRNO(rename("mnt/above", "elsewhere"), EXDEV);
	CHECK_ERRNO(link("mnt/above", "elsewhere"), EXDEV);
	OK(stat("mnt/..", &st));
	CHECK_EQ(st.st_dev, before.st_dev);
	int fd = OK(open("mnt/above", O_RDONLY));

	CHECK_ERRNO(umount("mnt"), EBUSY);
	CHECK_ERRNO(rmdir("mnt"), EBUSY);
	close(fd);
	OK(umount("mnt"));
	OK(stat("mnt/below", &st));
	CHECK_ERRNO(umount("mnt"), EINVAL);
	CHECK_ERRNO(mount("none", "mnt", "nosuchfs", 0, NULL), ENODEV);
}

TEST(chroot, "chroot makes a directory the root; dot-dot stays inside")
{
	struct stat st, root;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root");
	OK(mkdir("jail", 0755));
	make_file("jail/inside", "x");
	OK(stat("jail", &root));
	pid = xfork();
	if (pid == 0) {
		OK(chroot("jail"));
		OK(chdir("/"));
		OK(stat("/inside", &st));
		OK(stat("/../../..", &st));
		CHECK(st.st_ino == root.st_ino && st.st_dev == root.st_dev);
		CHECK_ERRNO(stat("/proc", &st), ENOENT);
		OK(setresuid(65534, 65534, 65534));
		CHECK_ERRNO(chroot("/"), EPERM);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}
