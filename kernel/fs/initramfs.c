/*
 * The initial root: unpacks a newc archive into what is mounted at /.
 *
 * Names are taken relative to the root; missing parent directories are made. Files with several links
 * carry their data with the last one (as cpio writes them); the first name is remembered until then. Data
 * is copied into the page cache. A name that exists is replaced, unless both are directories.
 */
#include <arch/mmu.h>
#include <debug/klog.h>
#include <lib/cpio.h>
#include "internal.h"

#define LINKS_MAX 512

struct hard_link {
	u32 ino, dev_major, dev_minor;
	const char *name; /* in the archive */
};
struct unpack {
	struct hard_link *links;
	unsigned nr_links, files;
};

/* "./x//y" and "/x" are "x". */
static const char *clean_name(const char *name)
{
	for (;;) {
		if (name[0] == '/')
			name++;
		else if (name[0] == '.' && name[1] == '/')
			name += 2;
		else
			return name;
	}
}

static int make_parents(const char *path)
{
	char *copy = kstrdup(path);
	int err = 0;

	if (!copy)
		return -ENOMEM;
	for (char *p = strchr(copy, '/'); p && !err; p = strchr(p + 1, '/')) {
		*p = '\0';
		err = vfs_mkdir_at(AT_FDCWD, copy, 0755);
		if (err == -EEXIST)
			err = 0;
		*p = '/';
	}
	kfree(copy);
	return err;
}

/* Fills a new regular file's pages; whole ones are written without being zeroed before. */
static int fill_file(struct inode *inode, const u8 *data, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE) {
		size_t n = min(size - at, PAGE_SIZE);
		struct page *p = page_alloc(0, 0);
		int err;

		if (!p)
			return -ENOMEM;
		memcpy(page_to_virt(p), data + at, n);
		memset((char *)page_to_virt(p) + n, 0, PAGE_SIZE - n);
		err = mapping_add_page(&inode->mapping, at >> PAGE_SHIFT,
				       p); /* takes the reference */
		if (err) {
			page_put(p);
			return err;
		}
	}
	inode->size = size;
	return 0;
}

static int make_file(const char *name, const struct cpio_entry *e)
{
	struct file *f;
	int err = file_open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, e->mode & 07777, &f);

	if (err)
		return err;
	err = fill_file(f->inode, e->data, e->size);
	file_put(f);
	return err;
}

static int set_meta(const char *name, const struct cpio_entry *e)
{
	struct iattr a = {
		.valid = ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME,
		.uid = e->uid,
		.gid = e->gid,
		.atime_ns = (s64)e->mtime * 1000000000,
		.mtime_ns = (s64)e->mtime * 1000000000,
	};
	struct path p;
	int err = path_lookup(name, 0, &p);

	if (err)
		return err;
	err = vfs_setattr(&p, &a);
	if (!err && !S_ISLNK(e->mode)) {
		a.valid = ATTR_MODE;
		a.mode = e->mode & 07777;
		err = vfs_setattr(&p, &a);
	}
	path_put(&p);
	return err;
}

static struct hard_link *find_link(struct unpack *u, const struct cpio_entry *e)
{
	for (unsigned i = 0; i < u->nr_links; i++) {
		struct hard_link *l = &u->links[i];

		if (l->ino == e->ino && l->dev_major == e->dev_major &&
		    l->dev_minor == e->dev_minor)
			return l;
	}
	return NULL;
}

/* A further name of a file that is there already: 1 when it was made so. */
static int try_link(struct unpack *u, const struct cpio_entry *e, const char *name)
{
	struct hard_link *l;
	struct file *f;
	int err;

	if (e->nlink < 2)
		return 0;
	l = find_link(u, e);
	if (!l) {
		if (u->nr_links < LINKS_MAX)
			u->links[u->nr_links++] =
				(struct hard_link){ e->ino, e->dev_major, e->dev_minor, name };
		return 0;
	}
	vfs_unlink_at(AT_FDCWD, name, 0);
	err = vfs_link_at(AT_FDCWD, l->name, AT_FDCWD, name, 0);
	if (err || !e->size)
		return err ? err : 1;
	err = file_open(name, O_WRONLY | O_TRUNC | O_NOFOLLOW, 0, &f);
	if (err)
		return err;
	err = fill_file(f->inode, e->data, e->size);
	file_put(f);
	return err ? err : 1;
}

static int make_symlink(const char *name, const struct cpio_entry *e)
{
	char *target = kmalloc(e->size + 1, 0);
	int err;

	if (!target)
		return -ENOMEM;
	memcpy(target, e->data, e->size);
	target[e->size] = '\0';
	err = vfs_symlink_at(target, AT_FDCWD, name);
	kfree(target);
	return err;
}

static int make_other(const char *name, const struct cpio_entry *e)
{
	u64 rdev = MKDEV(e->rdev_major, e->rdev_minor);

	switch (e->mode & S_IFMT) {
	case S_IFLNK: return e->size && e->size < PATH_MAX ? make_symlink(name, e) : -EINVAL;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK: return vfs_mknod_at(AT_FDCWD, name, e->mode, rdev);
	default: return -EINVAL;
	}
}

static int make_entry(struct unpack *u, const struct cpio_entry *e)
{
	const char *name = clean_name(e->name);
	int err;

	if (!*name || strcmp(name, ".") == 0)
		return 0;
	if (S_ISDIR(e->mode)) {
		err = vfs_mkdir_at(AT_FDCWD, name, e->mode & 07777);
		if (err == -ENOENT && make_parents(name) == 0)
			err = vfs_mkdir_at(AT_FDCWD, name, e->mode & 07777);
		return err == 0 || err == -EEXIST ? set_meta(name, e) : err;
	}
	err = vfs_unlink_at(AT_FDCWD, name, 0);
	if (err == -ENOENT)
		err = strchr(name, '/') ? make_parents(name) : 0;
	if (err)
		return err;
	if (S_ISREG(e->mode)) {
		err = try_link(u, e, name);
		if (err)
			return err < 0 ? err : 0;
		err = make_file(name, e);
	} else {
		err = make_other(name, e);
	}
	return err ? err : set_meta(name, e);
}

int initramfs_unpack(const void *data, size_t size)
{
	struct unpack u = {};
	struct cpio_entry e;
	struct cpio_iter it;
	int err, ret = 0;

	u.links = kmalloc(LINKS_MAX * sizeof(*u.links), 0);
	if (!u.links)
		return -ENOMEM;
	cpio_init(&it, data, size);
	while ((err = cpio_next(&it, &e)) > 0) {
		u.files++;
		err = make_entry(&u, &e);
		if (err) {
			log_err("initramfs: %s: error %d, at offset %zu", e.name, -err, it.pos);
			ret = err;
		}
	}
	if (err < 0) {
		log_err("initramfs: bad archive at offset %zu of %zu, after %u entries", it.pos,
			size, u.files);
		ret = -EINVAL;
	}
	kfree(u.links);
	return ret;
}
