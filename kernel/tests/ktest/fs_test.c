/* Helpers for the stages of files. */
#include "fs_test.h"

struct remove_context {
	struct dir_context ctx;
	char name[NAME_MAX + 1];
	bool found;
	unsigned count;
};

static bool remember(struct dir_context *ctx, const char *name, size_t len, u64 ino, unsigned type)
{
	struct remove_context *r = container_of(ctx, struct remove_context, ctx);

	(void)ino, (void)type;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return true;
	r->count++;
	if (!r->found) {
		memcpy(r->name, name, len);
		r->name[len] = '\0';
		r->found = true;
	}
	return true;
}

static int scan(const char *dir, struct remove_context *r)
{
	struct file *f;
	int err = file_open(dir, O_RDONLY | O_DIRECTORY, 0, &f);

	if (err)
		return err;
	r->ctx.emit = remember;
	r->ctx.pos = 0;
	r->found = false;
	r->count = 0;
	err = f->ops->iterate(f, &r->ctx);
	file_put(f);
	return err;
}

unsigned fs_test_count(const char *dir)
{
	struct remove_context *r = kzalloc(sizeof(*r));
	unsigned n = ~0u;

	if (r && scan(dir, r) == 0)
		n = r->count;
	kfree(r);
	return n;
}

/* One name after the other, directories by descending into them first. */
static int remove_tree(char *path, size_t len, size_t size)
{
	for (;;) {
		struct remove_context *r = kzalloc(sizeof(*r));
		size_t n;
		int err = r ? scan(path, r) : -ENOMEM;

		if (err || !r->found) {
			kfree(r);
			return err ? err : vfs_unlink_at(AT_FDCWD, path, AT_REMOVEDIR);
		}
		n = len + (size_t)scnprintf(path + len, size - len, "/%s", r->name);
		kfree(r);
		err = vfs_unlink_at(AT_FDCWD, path, 0);
		if (err == -EISDIR)
			err = remove_tree(path, n, size);
		path[len] = '\0';
		if (err)
			return err;
	}
}

int fs_test_end(void)
{
	char path[512] = FS_TEST_DIR;
	int err = remove_tree(path, strlen(path), sizeof(path));

	return err == -ENOENT ? 0 : err;
}

int fs_test_begin(void)
{
	int err = fs_test_end();

	return err ? err : vfs_mkdir_at(AT_FDCWD, FS_TEST_DIR, 0755);
}

int fs_test_write(const char *path, const char *text)
{
	struct file *f;
	int err = file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &f);
	ssize_t n;

	if (err)
		return err;
	n = file_write_kernel(f, text, strlen(text), 0);
	file_put(f);
	return n == (ssize_t)strlen(text) ? 0 : n < 0 ? (int)n : -EIO;
}

ssize_t fs_test_read(const char *path, char *buf, size_t size)
{
	struct file *f;
	ssize_t n;
	int err = file_open(path, O_RDONLY, 0, &f);

	buf[0] = '\0';
	if (err)
		return err;
	n = file_read_kernel(f, buf, size - 1, 0);
	file_put(f);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

int fs_test_exists(const char *path)
{
	struct path p;
	int err = path_lookup(path, 0, &p);

	if (!err)
		path_put(&p);
	return err;
}

int fs_test_files_begin(void)
{
	return current->files ? -EBUSY : files_create(&current->files);
}

void fs_test_files_end(void)
{
	struct files *fs = current->files;

	current->files = NULL;
	files_put(fs);
}
