/* Stages of descriptors, pipes, readiness, event files, locks; what /proc and /dev hold. */
#include <core/time.h>
#include <fs/events.h>
#include <fs/locks.h>
#include <fs/pipe.h>
#include <fs/poll.h>
#include "fs_test.h"
#include "team.h"

#define D FS_TEST_DIR

static int open_fd(const char *path, bool cloexec)
{
	struct file *f;
	int fd, err = file_open(path, O_RDWR | O_CREAT, 0600, &f);

	if (err)
		return err;
	fd = fd_alloc_install(f, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

int stage_fdtable_lowest(struct stage *s)
{
	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, fs_test_files_begin(), 0);
	for (int i = 0; i < 5; i++)
		STAGE_CHECK_EQ(s, open_fd(D "/f", false), i);
	STAGE_CHECK_EQ(s, fd_close(3), 0);
	STAGE_CHECK_EQ(s, fd_close(1), 0);
	STAGE_CHECK_EQ(s, open_fd(D "/f", false), 1);
	STAGE_CHECK_EQ(s, open_fd(D "/f", false), 3);
	STAGE_CHECK_EQ(s, open_fd(D "/f", false), 5);
	STAGE_CHECK_EQ(s, fd_dup(0, 10, false), 10);
	STAGE_CHECK_EQ(s, fd_dup_to(0, 2, false), 2);
	STAGE_CHECK(s, fd_get(2).file == fd_get(10).file);
	STAGE_CHECK_EQ(s, fd_close(7), -EBADF);
	STAGE_CHECK_EQ(s, fd_close(-1), -EBADF);
	fs_test_files_end();
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_fdtable_growth(struct stage *s)
{
	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, fs_test_files_begin(), 0);
	for (int i = 0; i < 300; i++)
		STAGE_CHECK_EQ(s, open_fd(D "/f", i & 1), i);
	for (int i = 0; i < 300; i++) {
		STAGE_CHECK(s, fd_get(i).file);
		STAGE_CHECK_EQ(s, fd_get_cloexec(i), i & 1);
	}
	STAGE_CHECK(s, !fd_get(300).file);
	STAGE_CHECK_EQ(s, fd_dup_to(0, 1000, false), 1000);
	STAGE_CHECK_EQ(s, fd_dup_to(0, 1024, false), -EBADF); /* the limit */
	fs_test_files_end();
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_fdtable_cloexec(struct stage *s)
{
	struct files *copy;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, fs_test_files_begin(), 0);
	for (int i = 0; i < 6; i++)
		STAGE_CHECK_EQ(s, open_fd(D "/f", i % 3 == 1), i);
	STAGE_CHECK_EQ(s, files_fork(current->files, &copy), 0);
	files_close_on_exec(copy);
	for (int i = 0; i < 6; i++) {
		struct file *f = files_get_file(copy, i);

		STAGE_CHECK_EQ(s, !f, i % 3 == 1);
		if (f)
			file_put(f);
		STAGE_CHECK(s, fd_get(i).file); /* the original keeps them */
	}
	files_put(copy);
	fs_test_files_end();
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

struct shared_table {
	struct files *files;
	u32 stop, bad;
};

static void use_table(void *arg, unsigned i)
{
	struct shared_table *t = arg;

	files_get(t->files);
	current->files = t->files;
	for (int k = 0; i == 0 && k < 2000; k++) {
		int fd = open_fd(D "/f", false);

		if (fd < 0 || fd_close(fd))
			__atomic_fetch_add(&t->bad, 1, __ATOMIC_RELAXED);
	}
	while (i && !READ_ONCE(t->stop)) {
		struct fd f = fd_get(0);

		if (f.file && (!f.ref || !f.file->ops))
			__atomic_fetch_add(&t->bad, 1, __ATOMIC_RELAXED);
		fd_put(f);
		sched_yield();
	}
	if (!i)
		WRITE_ONCE(t->stop, 1);
	current->files = NULL;
	files_put(t->files);
}

int stage_fdtable_shared(struct stage *s)
{
	struct shared_table t = {};

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, files_create(&t.files), 0);
	STAGE_CHECK_EQ(s, team_run(3, TEAM_SPREAD, use_table, &t, 8000), 0);
	STAGE_CHECK_EQ(s, t.bad, 0);
	files_put(t.files);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

/* --- pipes --- */

static ssize_t write_n(struct file *f, const void *buf, size_t n)
{
	return file_write_kernel(f, buf, n, 0);
}

int stage_kpipe_wrap(struct stage *s)
{
	struct file *r, *w;
	u8 buf[700];
	u8 in = 0, out = 0;

	STAGE_CHECK_EQ(s, pipe_create(&r, &w, O_NONBLOCK), 0);
	STAGE_CHECK_EQ(s, file_read_kernel(r, buf, 1, 0), -EAGAIN);
	for (int round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 500; i++)
			buf[i] = in++;
		STAGE_CHECK_EQ(s, write_n(w, buf, 500), 500);
		if (round < 20)
			continue; /* keep some in it, so that reads and writes meet everywhere in the ring */
		STAGE_CHECK_EQ(s, file_read_kernel(r, buf, 500, 0), 500);
		for (unsigned i = 0; i < 500; i++)
			STAGE_CHECK_EQ(s, buf[i], out++);
	}
	while (file_read_kernel(r, buf, sizeof(buf), 0) > 0)
		;
	for (unsigned i = 0; i < 16; i++) {
		char *page = kzalloc(4096);

		STAGE_CHECK(s, page);
		STAGE_CHECK_EQ(s, write_n(w, page, 4096), 4096);
		kfree(page);
	}
	STAGE_CHECK_EQ(s, write_n(w, "x", 1), -EAGAIN); /* 64 KiB and no more */
	STAGE_CHECK_EQ(s, pipe_fcntl(w, F_SETPIPE_SZ, 4096), -EBUSY);
	STAGE_CHECK_EQ(s, pipe_fcntl(w, F_SETPIPE_SZ, 100000), 131072);
	STAGE_CHECK_EQ(s, write_n(w, "x", 1), 1);
	file_put(r);
	file_put(w);
	return 0;
}

struct pipe_team {
	struct file *r, *w;
	u32 torn, total;
};

static void write_blocks(void *arg, unsigned i)
{
	struct pipe_team *t = arg;
	u8 block[1000];
	u8 got[1000];

	memset(block, (int)i + 1, sizeof(block));
	for (int k = 0; i && k < 100; k++) {
		if (write_n(t->w, block, sizeof(block)) != sizeof(block))
			__atomic_fetch_add(&t->torn, 1, __ATOMIC_RELAXED);
	}
	for (int k = 0; !i && k < 300; k++) {
		size_t have = 0;

		while (have < sizeof(got)) {
			ssize_t n = file_read_kernel(t->r, got + have, sizeof(got) - have, 0);

			if (n <= 0)
				break;
			have += (size_t)n;
		}
		for (unsigned j = 0; j < have; j++)
			t->torn += got[j] != got[0];
		t->total += (u32)have;
	}
}

int stage_kpipe_atomic(struct stage *s)
{
	struct pipe_team t = {};

	STAGE_CHECK_EQ(s, pipe_create(&t.r, &t.w, 0), 0);
	STAGE_CHECK_EQ(s, team_run(4, TEAM_SPREAD, write_blocks, &t, 8000), 0);
	STAGE_CHECK_EQ(s, t.torn, 0);
	STAGE_CHECK_EQ(s, t.total, 300000);
	file_put(t.r);
	file_put(t.w);
	return 0;
}

int stage_kpipe_ends(struct stage *s)
{
	struct file *r, *w;
	char buf[8];

	STAGE_CHECK_EQ(s, pipe_create(&r, &w, 0), 0);
	STAGE_CHECK_EQ(s, write_n(w, "left", 4), 4);
	file_put(w);
	STAGE_CHECK_EQ(s, file_read_kernel(r, buf, 8, 0), 4);
	STAGE_CHECK_EQ(s, file_read_kernel(r, buf, 8, 0), 0);
	STAGE_CHECK_EQ(s, file_poll(r, NULL), EPOLLHUP);
	file_put(r);
	STAGE_CHECK_EQ(s, pipe_create(&r, &w, 0), 0);
	file_put(r);
	STAGE_CHECK(s, file_poll(w, NULL) & EPOLLERR);
	STAGE_CHECK_EQ(s, write_n(w, "x", 1), -EPIPE);
	file_put(w);
	return 0;
}

/* --- readiness --- */

struct poll_team {
	struct files *files;
	struct file *w;
	long result;
	u32 waits;
};

static void poll_and_write(void *arg, unsigned i)
{
	struct poll_team *t = arg;
	struct pollfd p = { .fd = 0, .events = POLLIN };

	if (i) {
		test_wait_u32(&t->waits, 1, 2000);
		test_sleep_ms(5);
		write_n(t->w, "x", 1);
		return;
	}
	files_get(t->files);
	current->files = t->files;
	__atomic_store_n(&t->waits, 1, __ATOMIC_SEQ_CST);
	t->result = poll_fds(&p, 1, time_monotonic_ns() + 3 * NSEC_PER_SEC);
	if (t->result == 1 && p.revents != POLLIN)
		t->result = -EIO;
	current->files = NULL;
	files_put(t->files);
}

int stage_kpoll_wakeup(struct stage *s)
{
	struct poll_team t = {};
	struct file *r;
	struct pollfd p = { .fd = 0, .events = POLLIN };
	u64 start;

	STAGE_CHECK_EQ(s, fs_test_files_begin(), 0);
	t.files = current->files;
	STAGE_CHECK_EQ(s, pipe_create(&r, &t.w, 0), 0);
	STAGE_CHECK_EQ(s, fd_alloc_install(r, false), 0);
	STAGE_CHECK_EQ(s, poll_fds(&p, 1, 0), 0);
	start = time_monotonic_ns();
	STAGE_CHECK_EQ(s, poll_fds(&p, 1, start + 10 * NSEC_PER_MSEC), 0);
	STAGE_CHECK(s, time_monotonic_ns() - start >= 10 * NSEC_PER_MSEC);
	p.fd = 77;
	STAGE_CHECK_EQ(s, poll_fds(&p, 1, TIME_NEVER), 1);
	STAGE_CHECK_EQ(s, p.revents, POLLNVAL);
	STAGE_CHECK_EQ(s, team_run(2, TEAM_ANYWHERE, poll_and_write, &t, 5000), 0);
	STAGE_CHECK_EQ(s, t.result, 1);
	file_put(t.w);
	fs_test_files_end();
	return 0;
}

/* How many events an epoll file has now, without user memory: by polling the set itself. */
static bool set_ready(struct file *ep)
{
	return file_poll(ep, NULL) & EPOLLIN;
}

int stage_kepoll_ready(struct stage *s)
{
	struct epoll_event in = { EPOLLIN, 1 }, edge = { EPOLLIN | EPOLLET, 2 };
	struct file *r, *w, *ep;
	char c;

	STAGE_CHECK_EQ(s, pipe_create(&r, &w, 0), 0);
	STAGE_CHECK_EQ(s, epoll_create_file(&ep), 0);
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep, EPOLL_CTL_ADD, r, 3, &in), 0);
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep, EPOLL_CTL_ADD, r, 3, &in), -EEXIST);
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep, EPOLL_CTL_MOD, r, 4, &in), -ENOENT);
	STAGE_CHECK(s, !set_ready(ep));
	STAGE_CHECK_EQ(s, write_n(w, "x", 1), 1);
	STAGE_CHECK(s, set_ready(ep));
	STAGE_CHECK_EQ(s, file_read_kernel(r, &c, 1, 0), 1);
	STAGE_CHECK(s, !set_ready(ep));
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep, EPOLL_CTL_MOD, r, 3, &edge), 0);
	STAGE_CHECK_EQ(s, write_n(w, "x", 1), 1);
	STAGE_CHECK(s, set_ready(ep));
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep, EPOLL_CTL_DEL, r, 3, NULL), 0);
	STAGE_CHECK(s, !set_ready(ep));
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep, EPOLL_CTL_ADD, r, 3, &in), 0);
	file_put(r); /* closed for good: it leaves the set */
	STAGE_CHECK(s, !set_ready(ep));
	file_put(w);
	file_put(ep);
	return 0;
}

int stage_kepoll_nesting(struct stage *s)
{
	struct epoll_event ev = { EPOLLIN, 0 };
	struct file *ep[7], *r, *w;

	for (unsigned i = 0; i < ARRAY_SIZE(ep); i++)
		STAGE_CHECK_EQ(s, epoll_create_file(&ep[i]), 0);
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep[0], EPOLL_CTL_ADD, ep[0], 0, &ev), -EINVAL);
	for (unsigned i = 0; i < 4; i++)
		STAGE_CHECK_EQ(s, epoll_ctl_file(ep[i + 1], EPOLL_CTL_ADD, ep[i], (int)i, &ev), 0);
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep[0], EPOLL_CTL_ADD, ep[3], 9, &ev), -ELOOP);
	STAGE_CHECK_EQ(s, pipe_create(&r, &w, 0), 0);
	STAGE_CHECK_EQ(s, epoll_ctl_file(ep[0], EPOLL_CTL_ADD, r, 20, &ev), 0);
	STAGE_CHECK(s, !set_ready(ep[4]));
	STAGE_CHECK_EQ(s, write_n(w, "x", 1), 1);
	STAGE_CHECK(s, set_ready(ep[4])); /* through four sets */
	file_put(r);
	file_put(w);
	for (unsigned i = 0; i < ARRAY_SIZE(ep); i++)
		file_put(ep[i]);
	return 0;
}

int stage_keventfd(struct stage *s)
{
	struct file *f;
	u64 v = 5;

	STAGE_CHECK_EQ(s, eventfd_create(3, EFD_NONBLOCK, &f), 0);
	STAGE_CHECK_EQ(s, write_n(f, &v, 8), 8);
	STAGE_CHECK_EQ(s, file_read_kernel(f, &v, 8, 0), 8);
	STAGE_CHECK_EQ(s, v, 8);
	STAGE_CHECK_EQ(s, file_read_kernel(f, &v, 8, 0), -EAGAIN);
	STAGE_CHECK_EQ(s, file_read_kernel(f, &v, 7, 0), -EINVAL);
	v = ~0ull;
	STAGE_CHECK_EQ(s, write_n(f, &v, 8), -EINVAL);
	v = ~0ull - 1;
	STAGE_CHECK_EQ(s, write_n(f, &v, 8), 8);
	v = 1;
	STAGE_CHECK_EQ(s, write_n(f, &v, 8), -EAGAIN);
	STAGE_CHECK_EQ(s, file_poll(f, NULL), EPOLLIN | EPOLLRDNORM);
	file_put(f);
	STAGE_CHECK_EQ(s, eventfd_create(2, EFD_SEMAPHORE | EFD_NONBLOCK, &f), 0);
	for (int i = 0; i < 2; i++) {
		STAGE_CHECK_EQ(s, file_read_kernel(f, &v, 8, 0), 8);
		STAGE_CHECK_EQ(s, v, 1);
	}
	STAGE_CHECK_EQ(s, file_read_kernel(f, &v, 8, 0), -EAGAIN);
	file_put(f);
	return 0;
}

int stage_ktimerfd(struct stage *s)
{
	u64 start = time_monotonic_ns(), ticks, old, interval;
	struct file *f;

	STAGE_CHECK_EQ(s, timerfd_create(CLOCK_MONOTONIC, 0, &f), 0);
	STAGE_CHECK_EQ(s, file_poll(f, NULL), 0);
	STAGE_CHECK_EQ(s, timerfd_set(f, 0, 5 * NSEC_PER_MSEC, 0, &old, &interval), 0);
	STAGE_CHECK_EQ(s, file_read_kernel(f, &ticks, 8, 0), 8);
	STAGE_CHECK_EQ(s, ticks, 1);
	STAGE_CHECK(s, time_monotonic_ns() - start >= 5 * NSEC_PER_MSEC);
	STAGE_CHECK_EQ(
		s, timerfd_set(f, TFD_TIMER_ABSTIME, start, 2 * NSEC_PER_MSEC, &old, &interval), 0);
	STAGE_CHECK_EQ(s, old, 0);
	test_sleep_ms(11);
	STAGE_CHECK_EQ(s, file_read_kernel(f, &ticks, 8, 0), 8);
	STAGE_CHECK(s, ticks >= (5 + 11) / 2); /* those missed before it was set count too */
	STAGE_CHECK_EQ(s, timerfd_get(f, &old, &interval), 0);
	STAGE_CHECK(s, interval == 2 * NSEC_PER_MSEC && old > 0 && old <= interval);
	STAGE_CHECK_EQ(s, timerfd_set(f, 0, 0, 0, &old, &interval), 0);
	test_sleep_ms(3);
	STAGE_CHECK_EQ(s, file_poll(f, NULL), 0);
	file_put(f);
	STAGE_CHECK_EQ(s, timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0, &f), -EINVAL);
	return 0;
}

/* --- locks --- */

static int lock_range(struct file *f, int type, s64 start, s64 len)
{
	struct flock fl = {
		.l_type = (s16)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};

	return locks_set(f, &fl, true, false);
}

int stage_file_locks(struct stage *s)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 45, .l_len = 1 };
	struct file *a, *b;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, file_open(D "/f", O_RDWR | O_CREAT, 0600, &a), 0);
	STAGE_CHECK_EQ(s, file_open(D "/f", O_RDWR, 0, &b), 0);
	STAGE_CHECK_EQ(s, lock_range(a, F_WRLCK, 0, 100), 0);
	STAGE_CHECK_EQ(s, lock_range(b, F_RDLCK, 99, 1), -EAGAIN);
	STAGE_CHECK_EQ(s, lock_range(b, F_WRLCK, 100, 0), 0);
	STAGE_CHECK_EQ(s, lock_range(a, F_UNLCK, 40, 20), 0); /* cut in two */
	STAGE_CHECK_EQ(s, lock_range(b, F_WRLCK, 40, 20), 0);
	STAGE_CHECK_EQ(s, locks_get(a, &fl, true), 0);
	STAGE_CHECK(s,
		    fl.l_type == F_WRLCK && fl.l_start == 40 && fl.l_len == 20 && fl.l_pid == -1);
	STAGE_CHECK_EQ(s, lock_range(a, F_RDLCK, 0, 40), 0); /* weaker */
	STAGE_CHECK_EQ(s, lock_range(b, F_RDLCK, 10, 10), 0);
	STAGE_CHECK_EQ(s, lock_range(b, F_WRLCK, 10, 10), -EAGAIN);
	file_put(a); /* takes its locks along */
	STAGE_CHECK_EQ(s, lock_range(b, F_WRLCK, 0, 0), 0);
	STAGE_CHECK_EQ(s, file_open(D "/f", O_RDWR, 0, &a), 0);
	STAGE_CHECK_EQ(s, file_flock(a, LOCK_EX | LOCK_NB), 0);
	STAGE_CHECK_EQ(s, file_flock(b, LOCK_SH | LOCK_NB), -EWOULDBLOCK);
	STAGE_CHECK_EQ(s, file_flock(a, LOCK_SH | LOCK_NB), 0);
	STAGE_CHECK_EQ(s, file_flock(b, LOCK_SH | LOCK_NB), 0);
	file_put(a);
	file_put(b);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

/* --- /proc and /dev --- */

static int read_mounted(const char *type, const char *name, char *buf, size_t size)
{
	char path[64];
	int err = vfs_mkdir_at(AT_FDCWD, D "/m", 0755);
	ssize_t n;

	if (err && err != -EEXIST)
		return err;
	err = vfs_mount(type, type, D "/m", 0, NULL);
	if (err)
		return err;
	scnprintf(path, sizeof(path), D "/m/%s", name);
	n = fs_test_read(path, buf, size);
	err = vfs_umount(D "/m", 0);
	return err ? err : (int)n;
}

int stage_procfs_content(struct stage *s)
{
	char *buf = kzalloc(4096);

	STAGE_CHECK(s, buf);
	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK(s, read_mounted("proc", "meminfo", buf, 4096) > 100);
	STAGE_CHECK(s, str_has_prefix(buf, "MemTotal:") && strstr(buf, "MemFree:"));
	STAGE_CHECK(s, read_mounted("proc", "filesystems", buf, 4096) > 10);
	STAGE_CHECK(s, strstr(buf, "nodev\ttmpfs\n") && strstr(buf, "nodev\tproc\n"));
	STAGE_CHECK(s, read_mounted("proc", "cpuinfo", buf, 4096) > 10);
	STAGE_CHECK(s, read_mounted("proc", "uptime", buf, 4096) > 8);
	STAGE_CHECK(s, read_mounted("proc", "slabinfo", buf, 4096) > 100);
	STAGE_CHECK(s, strstr(buf, "dentry"));
	STAGE_CHECK_EQ(s, read_mounted("proc", "sys/vm/overcommit_memory", buf, 4096), 2);
	STAGE_CHECK_EQ(s, read_mounted("proc", "no-such-entry", buf, 4096), -ENOENT);
	kfree(buf);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_devfs_memory(struct stage *s)
{
	struct file *null, *zero, *full;
	char buf[32];

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/m", 0755), 0);
	STAGE_CHECK_EQ(s, vfs_mount("devtmpfs", "dev", D "/m", 0, NULL), 0);
	STAGE_CHECK_EQ(s, file_open(D "/m/null", O_RDWR, 0, &null), 0);
	STAGE_CHECK_EQ(s, file_open(D "/m/zero", O_RDWR, 0, &zero), 0);
	STAGE_CHECK_EQ(s, file_open(D "/m/full", O_RDWR, 0, &full), 0);
	memset(buf, 'x', sizeof(buf));
	STAGE_CHECK_EQ(s, file_write_kernel(null, buf, 32, 0), 32);
	STAGE_CHECK_EQ(s, file_read_kernel(null, buf, 32, 0), 0);
	STAGE_CHECK_EQ(s, file_read_kernel(zero, buf, 32, 0), 32);
	STAGE_CHECK(s, !buf[0] && !buf[31]);
	STAGE_CHECK_EQ(s, file_write_kernel(full, buf, 1, 0), -ENOSPC);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/m/shm"), 0);
	file_put(null);
	file_put(zero);
	file_put(full);
	STAGE_CHECK_EQ(s, vfs_umount(D "/m", 0), 0);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}
