/* Stages of names: the dentry cache, path walks, mounts, renames. */
#include "fs_test.h"
#include "team.h"

#define D FS_TEST_DIR

int stage_dcache_hash(struct stage *s)
{
	char path[64];

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	for (int i = 0; i < 400; i++) {
		scnprintf(path, sizeof(path), D "/name-%d", i);
		STAGE_CHECK_EQ(s, vfs_mknod_at(AT_FDCWD, path, S_IFREG | 0600, 0), 0);
	}
	for (int i = 0; i < 400; i++) {
		scnprintf(path, sizeof(path), D "/name-%d", i);
		STAGE_CHECK_EQ(s, fs_test_exists(path), 0);
		scnprintf(path, sizeof(path), D "/name-%d", i + 400);
		STAGE_CHECK_EQ(s, fs_test_exists(path), -ENOENT);
	}
	STAGE_CHECK_EQ(s, fs_test_count(D), 400);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D), -ENOENT);
	return 0;
}

static struct dentry *find_in_dir(const char *dir, const char *name)
{
	struct dentry *d;
	struct path p;

	if (path_lookup(dir, 0, &p))
		return NULL;
	d = dcache_find(p.dentry, name, strlen(name));
	path_put(&p);
	return d;
}

int stage_dcache_negative(struct stage *s)
{
	struct dentry *d, *again;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK(s, !find_in_dir(D, "x"));
	STAGE_CHECK_EQ(s, fs_test_exists(D "/x"), -ENOENT);
	d = find_in_dir(D, "x"); /* now it is known not to be there */
	STAGE_CHECK(s, d && !d->inode);
	STAGE_CHECK_EQ(s, fs_test_write(D "/x", "1"), 0);
	again = find_in_dir(D, "x");
	STAGE_CHECK(s, again == d && d->inode);
	dentry_put(again);
	dentry_put(d);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/x"), 0);
	STAGE_CHECK_EQ(s, vfs_unlink_at(AT_FDCWD, D "/x", 0), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/x"), -ENOENT);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_dcache_shrink(struct stage *s)
{
	char path[64];

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/kept", "1"), 0);
	for (int i = 0; i < 100; i++) {
		scnprintf(path, sizeof(path), D "/missing-%d", i);
		STAGE_CHECK_EQ(s, fs_test_exists(path), -ENOENT);
	}
	while (dcache_shrink(1000))
		;
	STAGE_CHECK(s, !find_in_dir(D, "missing-7"));
	STAGE_CHECK_EQ(s, fs_test_exists(D "/kept"), 0);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

struct rename_race {
	u32 stop, wrong, found, missed; /* [a] */
};

static void race_lookups(void *arg, unsigned i)
{
	struct rename_race *r = arg;

	while (i && !READ_ONCE(r->stop)) {
		int a = fs_test_exists(i & 1 ? D "/a/file" : D "/b/file");

		if (a == 0)
			__atomic_fetch_add(&r->found, 1, __ATOMIC_RELAXED);
		else if (a == -ENOENT)
			__atomic_fetch_add(&r->missed, 1, __ATOMIC_RELAXED);
		else
			__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	for (int k = 0; !i && (k < 500 || (k < 20000 && READ_ONCE(r->found) < 50)); k++) {
		if (vfs_rename_at(AT_FDCWD, D "/a", AT_FDCWD, D "/b", 0) ||
		    vfs_rename_at(AT_FDCWD, D "/b", AT_FDCWD, D "/a", 0))
			__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	if (!i)
		WRITE_ONCE(r->stop, 1);
}

int stage_dcache_rename(struct stage *s)
{
	struct rename_race r = {};
	struct dentry *d;
	u32 seq;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/a", 0755), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/a/file", "1"), 0);
	d = find_in_dir(D, "a");
	STAGE_CHECK(s, d);
	seq = d->seq;
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/a", AT_FDCWD, D "/b", 0), 0);
	STAGE_CHECK(s, d->seq != seq && !(d->seq & 1));
	STAGE_CHECK_EQ(s, fs_test_exists(D "/a/file"), -ENOENT);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/b/file"), 0);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/b", AT_FDCWD, D "/a", 0), 0);
	dentry_put(d);
	STAGE_CHECK_EQ(s, team_run(3, TEAM_SPREAD, race_lookups, &r, 8000), 0);
	STAGE_CHECK_EQ(s, r.wrong, 0);
	STAGE_CHECK(s, r.found + r.missed > 0);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_path_symlink_loop(struct stage *s)
{
	char from[64], to[64];

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, vfs_symlink_at("self", AT_FDCWD, D "/self"), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/self"), 0); /* the link itself is there */
	STAGE_CHECK_EQ(s, fs_test_exists(D "/self/x"), -ELOOP);
	STAGE_CHECK_EQ(s, fs_test_write(D "/l0", "end"), 0);
	for (int i = 1; i <= 41; i++) {
		scnprintf(from, sizeof(from), "l%d", i - 1);
		scnprintf(to, sizeof(to), D "/l%d", i);
		STAGE_CHECK_EQ(s, vfs_symlink_at(from, AT_FDCWD, to), 0);
	}
	STAGE_CHECK_EQ(s, fs_test_read(D "/l40", from, sizeof(from)), 3);
	STAGE_CHECK_EQ(s, fs_test_read(D "/l41", from, sizeof(from)), -ELOOP);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_path_walk(struct stage *s)
{
	static const struct {
		const char *path;
		unsigned flags;
		int result;
	} rows[] = {
		{ D "/d/../file", 0, 0 },
		{ D "//d/././/../file", 0, 0 },
		{ "/../.." D "/file", 0, 0 },
		{ D "/file/", 0, -ENOTDIR },
		{ D "/file/x", 0, -ENOTDIR },
		{ D "/file/..", 0, -ENOTDIR },
		{ D "/d/", LOOKUP_DIRECTORY, 0 },
		{ D "/file", LOOKUP_DIRECTORY, -ENOTDIR },
		{ D "/to-d/", 0, 0 },
		{ D "/to-d/../file", 0, 0 },
		{ D "/to-file/", LOOKUP_FOLLOW, -ENOTDIR },
		{ D "/dangling", 0, 0 },
		{ D "/dangling", LOOKUP_FOLLOW, -ENOENT },
		{ D "/to-file", LOOKUP_NO_SYMLINKS | LOOKUP_FOLLOW, -ELOOP },
		{ "", 0, -ENOENT },
	};
	char *name = kzalloc(NAME_MAX + 64);

	STAGE_CHECK(s, name);
	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/d", 0755), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/file", "x"), 0);
	STAGE_CHECK_EQ(s, vfs_symlink_at("d", AT_FDCWD, D "/to-d"), 0);
	STAGE_CHECK_EQ(s, vfs_symlink_at(D "/file", AT_FDCWD, D "/to-file"), 0);
	STAGE_CHECK_EQ(s, vfs_symlink_at("nowhere", AT_FDCWD, D "/dangling"), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct path p;
		int err = path_lookup(rows[i].path, rows[i].flags, &p);

		if (!err)
			path_put(&p);
		if (err != rows[i].result)
			return stage_fail(s, "'%s' gives %d, expected %d", rows[i].path, err,
					  rows[i].result);
	}
	memcpy(name, D "/", sizeof(D));
	memset(name + sizeof(D), 'n', NAME_MAX);
	STAGE_CHECK_EQ(s, fs_test_write(name, "x"), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(name), 0);
	name[sizeof(D) + NAME_MAX] = 'n';
	STAGE_CHECK_EQ(s, fs_test_exists(name), -ENAMETOOLONG);
	kfree(name);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_path_resolve_flags(struct stage *s)
{
	struct file *f, *dir;
	int fd;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/root", 0755), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/root/in", "in"), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/out", "out"), 0);
	STAGE_CHECK_EQ(s, vfs_symlink_at("../out", AT_FDCWD, D "/root/leaves"), 0);
	STAGE_CHECK_EQ(s, vfs_symlink_at("/in", AT_FDCWD, D "/root/absolute"), 0);
	STAGE_CHECK_EQ(s, fs_test_files_begin(), 0);
	STAGE_CHECK_EQ(s, file_open(D "/root", O_RDONLY, 0, &dir), 0);
	fd = fd_alloc_install(dir, false);
	STAGE_CHECK_EQ(s, fd, 0);
	STAGE_CHECK_EQ(s, vfs_open_at(fd, "../out", O_RDONLY, 0, 0, &f), 0);
	file_put(f);
	STAGE_CHECK_EQ(s, vfs_open_at(fd, "../out", O_RDONLY, 0, LOOKUP_BENEATH, &f), -EXDEV);
	STAGE_CHECK_EQ(s, vfs_open_at(fd, "leaves", O_RDONLY, 0, LOOKUP_BENEATH, &f), -EXDEV);
	STAGE_CHECK_EQ(s, vfs_open_at(fd, "/in", O_RDONLY, 0, LOOKUP_BENEATH, &f), -EXDEV);
	STAGE_CHECK_EQ(s, vfs_open_at(fd, "absolute", O_RDONLY, 0, LOOKUP_IN_ROOT, &f), 0);
	file_put(f);
	STAGE_CHECK_EQ(s, vfs_open_at(fd, "../../in", O_RDONLY, 0, LOOKUP_IN_ROOT, &f), 0);
	file_put(f);
	STAGE_CHECK_EQ(
		s, vfs_open_at(fd, "in", O_RDONLY, 0, LOOKUP_BENEATH | LOOKUP_NO_SYMLINKS, &f), 0);
	file_put(f);
	fs_test_files_end();
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_mount_cross(struct stage *s)
{
	char buf[16];
	struct file *f;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/m", 0755), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/m/below", "1"), 0);
	STAGE_CHECK_EQ(s, vfs_mount("tmpfs", "t", D "/m", 0, "size=1m"), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/m/below"), -ENOENT);
	STAGE_CHECK_EQ(s, fs_test_write(D "/m/above", "top"), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/beside", "1"), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/m/../beside"), 0);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/m/above", AT_FDCWD, D "/x", 0), -EXDEV);
	STAGE_CHECK_EQ(s, vfs_unlink_at(AT_FDCWD, D "/m", AT_REMOVEDIR), -EBUSY);
	STAGE_CHECK_EQ(s, file_open(D "/m/above", O_RDONLY, 0, &f), 0);
	STAGE_CHECK_EQ(s, vfs_umount(D "/m", 0), -EBUSY);
	file_put(f);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/bind", 0755), 0);
	STAGE_CHECK_EQ(s, vfs_mount(NULL, D "/m", D "/bind", 4096 /* MS_BIND */, NULL), 0);
	STAGE_CHECK_EQ(s, fs_test_read(D "/bind/above", buf, sizeof(buf)), 3);
	STAGE_CHECK_EQ(s, vfs_umount(D "/bind", 0), 0);
	STAGE_CHECK_EQ(s, vfs_umount(D "/m", 0), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/m/below"), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/m/above"), -ENOENT);
	STAGE_CHECK_EQ(s, vfs_mount("no-such-type", "t", D "/m", 0, NULL), -ENODEV);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_rename_rules(struct stage *s)
{
	char buf[16];

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/a", "a"), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/b", "b"), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/d", 0755), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/d/e", 0755), 0);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/a", AT_FDCWD, D "/b", RENAME_NOREPLACE),
		       -EEXIST);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/a", AT_FDCWD, D "/b", RENAME_EXCHANGE), 0);
	STAGE_CHECK_EQ(s, fs_test_read(D "/a", buf, sizeof(buf)), 1);
	STAGE_CHECK_EQ(s, buf[0], 'b');
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/d", AT_FDCWD, D "/d/e/f", 0), -EINVAL);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/d/e", AT_FDCWD, D "/d", 0), -ENOTEMPTY);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/a", AT_FDCWD, D "/d", 0), -EISDIR);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/d", AT_FDCWD, D "/a", 0), -ENOTDIR);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/a", AT_FDCWD, D "/d/e/a", 0), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/empty", 0755), 0);
	STAGE_CHECK_EQ(s, vfs_rename_at(AT_FDCWD, D "/d/e", AT_FDCWD, D "/empty", 0), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/empty/a"), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/d/e"), -ENOENT);
	STAGE_CHECK_EQ(s, vfs_unlink_at(AT_FDCWD, D "/empty", AT_REMOVEDIR), -ENOTEMPTY);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}
