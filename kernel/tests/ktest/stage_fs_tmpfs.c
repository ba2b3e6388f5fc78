/* Stages of tmpfs and of unpacking the initial root. */
#include "fs_test.h"

#define D FS_TEST_DIR

int stage_tmpfs_read_write(struct stage *s)
{
	struct file *f;
	u8 *in = kmalloc(20000, 0), *out = kzalloc(20000);
	struct kstat st;

	STAGE_CHECK(s, in && out);
	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	for (unsigned i = 0; i < 20000; i++)
		in[i] = (u8)(i * 7 + i / 251);
	STAGE_CHECK_EQ(s, file_open(D "/f", O_RDWR | O_CREAT, 0600, &f), 0);
	STAGE_CHECK_EQ(s, file_write_kernel(f, in, 20000, 100), 20000);
	STAGE_CHECK_EQ(s, file_size(f), 20100);
	STAGE_CHECK_EQ(s, file_read_kernel(f, out, 20000, 100), 20000);
	STAGE_CHECK_EQ(s, memcmp(in, out, 20000), 0);
	STAGE_CHECK_EQ(s, file_read_kernel(f, out, 20000, 4000), 16100);
	STAGE_CHECK_EQ(s, memcmp(in + 3900, out, 16100), 0);
	STAGE_CHECK_EQ(s, file_read_kernel(f, out, 10, 20100), 0);
	STAGE_CHECK_EQ(s, vfs_fstat(f, &st), 0);
	STAGE_CHECK_EQ(s, st.blocks, 5 * 8);
	file_put(f);
	kfree(in);
	kfree(out);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_tmpfs_truncate(struct stage *s)
{
	struct file *f;
	char buf[64];

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, file_open(D "/f", O_RDWR | O_CREAT, 0600, &f), 0);
	memset(buf, 'x', sizeof(buf));
	for (loff_t at = 0; at < 9000; at += (loff_t)sizeof(buf))
		STAGE_CHECK_EQ(s, file_write_kernel(f, buf, sizeof(buf), at), sizeof(buf));
	STAGE_CHECK_EQ(s, file_truncate(f, 5000), 0);
	STAGE_CHECK_EQ(s, f->inode->mapping.nr_pages, 2);
	STAGE_CHECK_EQ(s, file_truncate(f, 9000), 0);
	STAGE_CHECK_EQ(s, file_read_kernel(f, buf, 2, 4999), 2);
	STAGE_CHECK(s, buf[0] == 'x' && buf[1] == 0); /* what was cut off doesn't come back */
	STAGE_CHECK_EQ(s, file_read_kernel(f, buf, 8, 8192), 8);
	STAGE_CHECK(s, buf[0] == 0 && buf[7] == 0);
	STAGE_CHECK_EQ(s, file_truncate(f, 0), 0);
	STAGE_CHECK_EQ(s, f->inode->mapping.nr_pages, 0);
	file_put(f);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_tmpfs_sparse(struct stage *s)
{
	struct file *f;
	char c = 1;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, file_open(D "/f", O_RDWR | O_CREAT, 0600, &f), 0);
	STAGE_CHECK_EQ(s, file_write_kernel(f, "end", 3, 1ll << 40), 3);
	STAGE_CHECK_EQ(s, file_size(f), (1ull << 40) + 3);
	STAGE_CHECK_EQ(s, f->inode->mapping.nr_pages, 1);
	STAGE_CHECK_EQ(s, file_read_kernel(f, &c, 1, 1ll << 30), 1);
	STAGE_CHECK_EQ(s, c, 0);
	STAGE_CHECK_EQ(s, f->inode->mapping.nr_pages, 1); /* reading a hole allocates nothing */
	STAGE_CHECK_EQ(s, file_seek(f, 0, SEEK_HOLE), 0);
	STAGE_CHECK_EQ(
		s,
		f->ops->fallocate(f, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 1ll << 40, 4096),
		0);
	STAGE_CHECK_EQ(s, f->inode->mapping.nr_pages, 0);
	file_put(f);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_tmpfs_unlink_open(struct stage *s)
{
	struct file *f;
	char buf[64], *path;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/f", "still here"), 0);
	STAGE_CHECK_EQ(s, file_open(D "/f", O_RDWR, 0, &f), 0);
	STAGE_CHECK_EQ(s, vfs_unlink_at(AT_FDCWD, D "/f", 0), 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/f"), -ENOENT);
	STAGE_CHECK_EQ(s, f->inode->nlink, 0);
	STAGE_CHECK_EQ(s, file_read_kernel(f, buf, sizeof(buf), 0), 10);
	STAGE_CHECK_EQ(s, memcmp(buf, "still here", 10), 0);
	path = file_path(f, buf, sizeof(buf));
	STAGE_CHECK(s, path && strcmp(path, D "/f (deleted)") == 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/f", "another"), 0);
	STAGE_CHECK_EQ(s, file_size(f), 10);
	file_put(f);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_tmpfs_links(struct stage *s)
{
	struct kstat st;
	struct path p;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, fs_test_write(D "/a", "x"), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/d", 0755), 0);
	STAGE_CHECK_EQ(s, vfs_link_at(AT_FDCWD, D "/a", AT_FDCWD, D "/d/b", 0), 0);
	STAGE_CHECK_EQ(s, vfs_link_at(AT_FDCWD, D "/d", AT_FDCWD, D "/e", 0), -EPERM);
	STAGE_CHECK_EQ(s, path_lookup(D "/d/b", 0, &p), 0);
	STAGE_CHECK_EQ(s, vfs_getattr(&p, &st), 0);
	STAGE_CHECK_EQ(s, st.nlink, 2);
	STAGE_CHECK_EQ(s, vfs_unlink_at(AT_FDCWD, D "/a", 0), 0);
	STAGE_CHECK_EQ(s, vfs_getattr(&p, &st), 0);
	STAGE_CHECK_EQ(s, st.nlink, 1);
	path_put(&p);
	STAGE_CHECK_EQ(s, path_lookup(D, 0, &p), 0);
	STAGE_CHECK_EQ(s, vfs_getattr(&p, &st), 0);
	STAGE_CHECK_EQ(s, st.nlink, 3);
	path_put(&p);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_tmpfs_limit(struct stage *s)
{
	char *page = kzalloc(4096);
	struct file *f;
	loff_t at = 0;
	ssize_t n;

	STAGE_CHECK(s, page);
	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, vfs_mkdir_at(AT_FDCWD, D "/m", 0755), 0);
	STAGE_CHECK_EQ(s, vfs_mount("tmpfs", "t", D "/m", 0, "size=64k"), 0);
	STAGE_CHECK_EQ(s, file_open(D "/m/f", O_RDWR | O_CREAT, 0600, &f), 0);
	while ((n = file_write_kernel(f, page, 4096, at)) > 0)
		at += n;
	STAGE_CHECK_EQ(s, at, 65536);
	STAGE_CHECK_EQ(s, n, -ENOSPC);
	STAGE_CHECK_EQ(s, file_truncate(f, 4096), 0);
	STAGE_CHECK_EQ(s, file_write_kernel(f, page, 4096, 8192), 4096); /* room again */
	file_put(f);
	STAGE_CHECK_EQ(s, vfs_umount(D "/m", 0), 0);
	kfree(page);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

struct one_name {
	struct dir_context ctx;
	char name[16];
	unsigned left;
};

static bool take_one(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned type)
{
	struct one_name *o = container_of(ctx, struct one_name, ctx);

	(void)ino, (void)type;
	if (!o->left)
		return false;
	o->left--;
	memcpy(o->name, name, min(len, sizeof(o->name) - 1));
	o->name[min(len, sizeof(o->name) - 1)] = '\0';
	return true;
}

int stage_tmpfs_readdir(struct stage *s)
{
	struct one_name o = { .ctx.emit = take_one };
	char path[64];
	struct file *f;
	unsigned seen = 0;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	for (int i = 0; i < 100; i++) {
		scnprintf(path, sizeof(path), D "/%03d", i);
		STAGE_CHECK_EQ(s, fs_test_write(path, ""), 0);
	}
	STAGE_CHECK_EQ(s, file_open(D, O_RDONLY, 0, &f), 0);
	o.left = 2;
	STAGE_CHECK_EQ(s, f->ops->iterate(f, &o.ctx), 0);
	STAGE_CHECK(s, strcmp(o.name, "..") == 0);
	for (;
	     ;) { /* each name is removed as soon as it was read; none may be left out or come twice */
		loff_t before = o.ctx.pos;

		o.left = 1;
		STAGE_CHECK_EQ(s, f->ops->iterate(f, &o.ctx), 0);
		if (o.ctx.pos == before || o.left)
			break;
		scnprintf(path, sizeof(path), "%03u", seen++);
		if (strcmp(path, o.name) != 0)
			return stage_fail(s, "name '%s' where '%s' was expected", o.name, path);
		scnprintf(path, sizeof(path), D "/%s", o.name);
		STAGE_CHECK_EQ(s, vfs_unlink_at(AT_FDCWD, path, 0), 0);
	}
	STAGE_CHECK_EQ(s, seen, 100);
	file_put(f);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

/* --- archives --- */

struct archive {
	u8 *buf;
	size_t len;
};

static void add(struct archive *a, const char *name, u32 mode, u32 nlink, u32 ino, const char *data)
{
	size_t n = strlen(data);

	a->len +=
		(size_t)scnprintf((char *)a->buf + a->len, 120,
				  "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
				  ino, mode, 0, 0, nlink, 1000, n, 0, 0, 0, 0, strlen(name) + 1, 0);
	memcpy(a->buf + a->len, name, strlen(name) + 1);
	a->len = ALIGN_UP(a->len + strlen(name) + 1, (size_t)4);
	memcpy(a->buf + a->len, data, n);
	a->len = ALIGN_UP(a->len + n, (size_t)4);
}

static int make_archive(struct archive *a)
{
	a->buf = kzalloc(8192);
	a->len = 0;
	if (!a->buf)
		return -ENOMEM;
	add(a, ".fs-test/dir", S_IFDIR | 0750, 2, 1, "");
	add(a, ".fs-test/dir/file", S_IFREG | 0640, 1, 2, "contents");
	add(a, "./.fs-test/made/by/need", S_IFREG | 0600, 1, 3, "");
	add(a, ".fs-test/link", S_IFLNK | 0777, 1, 4, "dir/file");
	add(a, ".fs-test/one", S_IFREG | 0644, 2, 5, "");
	add(a, ".fs-test/two", S_IFREG | 0644, 2, 5, "shared");
	add(a, ".fs-test/fifo", S_IFIFO | 0600, 1, 6, "");
	add(a, "TRAILER!!!", 0, 1, 0, "");
	return 0;
}

int stage_initramfs_unpack(struct stage *s)
{
	struct archive a;
	struct kstat st;
	struct path p;
	char buf[32];

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, make_archive(&a), 0);
	STAGE_CHECK_EQ(s, initramfs_unpack(a.buf, a.len), 0);
	STAGE_CHECK_EQ(s, fs_test_read(D "/link", buf, sizeof(buf)), 8);
	STAGE_CHECK(s, strcmp(buf, "contents") == 0);
	STAGE_CHECK_EQ(s, fs_test_exists(D "/made/by/need"), 0);
	STAGE_CHECK_EQ(s, fs_test_read(D "/one", buf, sizeof(buf)), 6);
	STAGE_CHECK_EQ(s, path_lookup(D "/two", 0, &p), 0);
	STAGE_CHECK_EQ(s, vfs_getattr(&p, &st), 0);
	path_put(&p);
	STAGE_CHECK_EQ(s, st.nlink, 2);
	STAGE_CHECK_EQ(s, st.mtime_ns, 1000ll * 1000000000);
	STAGE_CHECK_EQ(s, path_lookup(D "/dir", 0, &p), 0);
	STAGE_CHECK_EQ(s, p.dentry->inode->mode, S_IFDIR | 0750);
	path_put(&p);
	kfree(a.buf);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}

int stage_initramfs_bad(struct stage *s)
{
	struct archive a;

	STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	STAGE_CHECK_EQ(s, make_archive(&a), 0);
	/* Cut anywhere before the trailer, it is refused or ends; nothing breaks. */
	for (size_t len = 0; len < a.len; len += 37) {
		int err = initramfs_unpack(a.buf, len);

		STAGE_CHECK(s, err == 0 || err == -EINVAL);
		STAGE_CHECK_EQ(s, fs_test_begin(), 0);
	}
	a.buf[0] = 'x';
	STAGE_CHECK_EQ(s, initramfs_unpack(a.buf, a.len), -EINVAL);
	a.buf[0] = '0';
	a.buf[6 + 6 * 8] = 'g'; /* not a digit: the size of the first */
	STAGE_CHECK_EQ(s, initramfs_unpack(a.buf, a.len), -EINVAL);
	memcpy(a.buf + 6 + 6 * 8, "fffffff0", 8);
	STAGE_CHECK_EQ(s, initramfs_unpack(a.buf, a.len), -EINVAL);
	kfree(a.buf);
	STAGE_CHECK_EQ(s, fs_test_end(), 0);
	return 0;
}
