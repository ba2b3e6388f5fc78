/*
 * tmpfs: files in the page cache, names in the dentry cache, nothing else. Also rootfs and ramfs.
 *
 * A name is a dentry with one reference more than its users have, so that it stays; a directory is read
 * from its dentry's list of children. Pages of a file are never reclaimed: they go by truncation, punching
 * or with the inode. The size limit counts pages as they come into a file's mapping; what left is given
 * back by comparing with the mapping afterwards. Data locks: inode->lock; accounting is atomic.
 *
 * Left out: swap, huge pages, mpol. Manual: tmpfs(5), fallocate(2), memfd_create(2).
 */
#include <lib/format.h>
#include <lib/parse.h>
#include <uapi/statfs.h>
#include "../internal.h"
#include "tmpfs.h"

/* --- pages --- */

static int tmpfs_read_page(struct mapping *m, struct page *p)
{
	struct inode *inode = m->host;
	struct tmpfs_super *ts = inode->super->private;

	if (__atomic_add_fetch(&ts->used_pages, 1, __ATOMIC_RELAXED) > ts->max_pages) {
		__atomic_fetch_sub(&ts->used_pages, 1, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	__atomic_fetch_add(&tmpfs_accounted(inode), 1, __ATOMIC_RELAXED);
	arch_page_zero(page_to_virt(p));
	return 0;
}

static u64 tmpfs_size(struct mapping *m)
{
	return smp_load_acquire(&m->host->size);
}

static const struct mapping_ops tmpfs_mapping_ops = {
	.read_page = tmpfs_read_page,
	.size = tmpfs_size,
};

/* Without a limit nothing is counted, and new pages come from the store of zeroed ones. */
static const struct mapping_ops tmpfs_unlimited_ops = { .size = tmpfs_size };

/* Pages have left: gives back what the file no longer has. */
static void tmpfs_recount(struct inode *inode, u64 have)
{
	struct tmpfs_super *ts = inode->super->private;
	u64 accounted;

	if (inode->mapping.ops != &tmpfs_mapping_ops)
		return;
	accounted = __atomic_exchange_n(&tmpfs_accounted(inode), have, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&ts->used_pages, accounted - have, __ATOMIC_RELAXED);
}

/* Zeroes from `from` up to the end of its page, or to `to` if that comes first. */
static void tmpfs_zero_part(struct inode *inode, u64 from, u64 to)
{
	u64 end = min(to, ALIGN_UP(from, PAGE_SIZE));
	struct page *p;

	if (from >= end)
		return;
	p = mapping_find_page(&inode->mapping, from >> PAGE_SHIFT);
	if (!p)
		return;
	memset((char *)page_to_virt(p) + (from & (PAGE_SIZE - 1)), 0, end - from);
	page_written(p);
	page_put(p);
}

static void tmpfs_punch(struct inode *inode, u64 from, u64 to)
{
	u64 first = div_round_up(from, PAGE_SIZE), end = to >> PAGE_SHIFT;

	if (first > end) { /* within one page */
		tmpfs_zero_part(inode, from, to);
		return;
	}
	tmpfs_zero_part(inode, from, to);
	if (first < end)
		mapping_truncate(&inode->mapping, first, end - 1);
	if (to & (PAGE_SIZE - 1))
		tmpfs_zero_part(inode, ALIGN_DOWN(to, PAGE_SIZE), to);
	tmpfs_recount(inode, READ_ONCE(inode->mapping.nr_pages));
}

static int tmpfs_set_size(struct inode *inode, u64 size)
{
	u64 old = inode->size;

	if (size < old && inode->seals & F_SEAL_SHRINK)
		return -EPERM;
	if (size > old && inode->seals & F_SEAL_GROW)
		return -EPERM;
	if (size > inode->super->max_bytes)
		return -EFBIG;
	/* The size first: a fault must not bring a page back that is about to go. */
	WRITE_ONCE(inode->size, size);
	if (size < old) {
		tmpfs_zero_part(inode, size, ~0ull);
		mapping_truncate(&inode->mapping, div_round_up(size, PAGE_SIZE), ~0ull);
		tmpfs_recount(inode, READ_ONCE(inode->mapping.nr_pages));
	}
	return 0;
}

static int tmpfs_setattr(struct inode *inode, const struct iattr *a)
{
	if (a->valid & ATTR_SIZE) {
		int err = tmpfs_set_size(inode, a->size);

		if (err)
			return err;
	}
	inode_setattr_simple(inode, a);
	return 0;
}

static int fill_range(struct inode *inode, u64 from, u64 to)
{
	for (u64 i = from >> PAGE_SHIFT; i < div_round_up(to, PAGE_SIZE); i++) {
		struct page *p;
		int err = mapping_get_page(&inode->mapping, i, &p);

		if (err)
			return err == -EIO ? -ENOSPC : err;
		page_put(p);
		sched_point();
	}
	return 0;
}

static int tmpfs_fallocate_locked(struct inode *inode, int mode, u64 from, u64 to)
{
	int err;

	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;
		tmpfs_punch(inode, from, min(to, ALIGN_UP(inode->size, PAGE_SIZE)));
		inode_touch(inode);
		return 0;
	}
	if (to > inode->super->max_bytes)
		return -EFBIG;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && to > inode->size && inode->seals & F_SEAL_GROW)
		return -EPERM;
	if (((struct tmpfs_super *)inode->super->private)->max_pages &&
	    div_round_up(to - from, PAGE_SIZE) >
		    ((struct tmpfs_super *)inode->super->private)->max_pages)
		return -ENOSPC;
	err = fill_range(inode, from, to);
	if (err)
		return err;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && to > inode->size)
		WRITE_ONCE(inode->size, to);
	inode->ctime_ns = inode_now();
	return 0;
}

static int tmpfs_fallocate(struct file *f, int mode, loff_t off, loff_t len)
{
	struct inode *inode = f->inode;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&inode->lock);
	err = tmpfs_fallocate_locked(inode, mode, (u64)off, (u64)off + (u64)len);
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int tmpfs_fsync(struct file *f, bool datasync)
{
	(void)f, (void)datasync;
	return 0;
}

static const struct file_ops tmpfs_file_fops = {
	.read = generic_file_read,
	.write = generic_file_write,
	.seek = generic_file_seek,
	.mmap = generic_file_mmap,
	.fallocate = tmpfs_fallocate,
	.fsync = tmpfs_fsync,
};
static const struct inode_ops tmpfs_file_ops = { .setattr = tmpfs_setattr };
static const struct inode_ops tmpfs_plain_ops = {};

/* --- inodes --- */

static bool account_inode(struct tmpfs_super *ts)
{
	u64 n = __atomic_add_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);

	if (ts->max_inodes && n > ts->max_inodes) {
		__atomic_fetch_sub(&ts->used_inodes, 1, __ATOMIC_RELAXED);
		return false;
	}
	return true;
}

/* A new inode of any type, NULL: no memory or no inodes left. */
struct inode *tmpfs_inode(struct super *s, const struct inode *dir, u32 mode, u64 rdev)
{
	struct tmpfs_super *ts = s->private;
	struct inode *inode;

	if (!account_inode(ts))
		return NULL;
	inode = inode_create(s, mode);
	if (!inode) {
		__atomic_fetch_sub(&ts->used_inodes, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	inode_init_owner(inode, dir, mode);
	inode->ops = &tmpfs_plain_ops;
	switch (mode & S_IFMT) {
	case S_IFREG:
		inode->mapping.ops = ts->max_pages ? &tmpfs_mapping_ops : &tmpfs_unlimited_ops;
		inode->flags |= INODE_SPARSE_ZERO;
		inode->seals = F_SEAL_SEAL; /* memfd may change that */
		inode->ops = &tmpfs_file_ops;
		inode->fops = &tmpfs_file_fops;
		break;
	case S_IFDIR:
		inode->nlink = 2;
		inode->ops = &tmpfs_dir_ops;
		inode->fops = &dcache_dir_fops;
		break;
	case S_IFLNK: break;
	default: inode_init_special(inode, rdev); break;
	}
	return inode;
}

static void tmpfs_evict(struct inode *inode)
{
	struct tmpfs_super *ts = inode->super->private;

	if (S_ISREG(inode->mode))
		tmpfs_recount(inode, 0);
	__atomic_fetch_sub(&ts->used_inodes, 1, __ATOMIC_RELAXED);
}

/* --- super block --- */

static int tmpfs_statfs(struct super *s, struct statfs *st)
{
	struct tmpfs_super *ts = s->private;

	st->f_type = TMPFS_MAGIC;
	st->f_bsize = PAGE_SIZE;
	st->f_namelen = NAME_MAX;
	if (ts->max_pages) {
		st->f_blocks = ts->max_pages;
		st->f_bfree = st->f_bavail = ts->max_pages - min(ts->used_pages, ts->max_pages);
	}
	if (ts->max_inodes) {
		st->f_files = ts->max_inodes;
		st->f_ffree = ts->max_inodes - min(ts->used_inodes, ts->max_inodes);
	}
	return 0;
}

static void tmpfs_kill(struct super *s)
{
	kfree(s->private);
}

static int set_option(struct tmpfs_super *ts, struct inode *root, char *name, const char *value)
{
	struct mem_stats ms;
	u64 n = 0;

	if (strcmp(name, "size") == 0 || strcmp(name, "nr_blocks") == 0) {
		size_t len = strlen(value);

		if (len && value[len - 1] == '%') {
			mem_stats(&ms);
			((char *)(uintptr_t)value)[len - 1] = '\0';
			if (parse_u64(value, 10, &n))
				return -EINVAL;
			ts->max_pages = ms.total_pages * n / 100;
			return 0;
		}
		if (parse_size(value, &n))
			return -EINVAL;
		ts->max_pages = name[0] == 's' ? div_round_up(n, PAGE_SIZE) : n;
		return 0;
	}
	if (strcmp(name, "nr_inodes") == 0)
		return parse_size(value, &ts->max_inodes) ? -EINVAL : 0;
	if (strcmp(name, "mode") == 0) {
		if (parse_u64(value, 8, &n))
			return -EINVAL;
		root->mode = S_IFDIR | ((u32)n & S_IALLUGO);
		return 0;
	}
	if (strcmp(name, "uid") == 0 || strcmp(name, "gid") == 0) {
		if (parse_u64(value, 10, &n))
			return -EINVAL;
		*(name[0] == 'u' ? &root->uid : &root->gid) = (u32)n;
		return 0;
	}
	return strcmp(name, "huge") == 0 || strcmp(name, "mpol") == 0 ? 0 : -EINVAL;
}

static int parse_options(struct tmpfs_super *ts, struct inode *root, const char *data)
{
	char *copy = data ? kstrdup(data) : NULL, *at = copy;
	int err = 0;

	while (at && *at && !err) {
		char *end = strchr(at, ','), *eq;

		if (end)
			*end = '\0';
		eq = strchr(at, '=');
		if (eq)
			*eq++ = '\0';
		if (*at)
			err = set_option(ts, root, at, eq ? eq : (char[]){ "" });
		at = end ? end + 1 : NULL;
	}
	kfree(copy);
	return err;
}

static int tmpfs_remount(struct super *s, unsigned long flags, const char *data)
{
	(void)flags;
	return parse_options(s->private, s->root->inode, data);
}

static void tmpfs_show_options(struct super *s, char *buf, size_t size)
{
	struct tmpfs_super *ts = s->private;
	size_t n = 0;

	buf[0] = '\0';
	if (ts->max_pages)
		n += (size_t)scnprintf(buf, size, ",size=%lluk", ts->max_pages * 4);
	if (ts->max_inodes)
		n += (size_t)scnprintf(buf + n, size - n, ",nr_inodes=%llu", ts->max_inodes);
	if (s->root && (s->root->inode->mode & S_IALLUGO) != 01777)
		scnprintf(buf + n, size - n, ",mode=%o", s->root->inode->mode & S_IALLUGO);
}

static const struct super_ops tmpfs_super_ops = {
	.evict = tmpfs_evict,
	.statfs = tmpfs_statfs,
	.kill = tmpfs_kill,
	.remount = tmpfs_remount,
	.show_options = tmpfs_show_options,
};

int tmpfs_mount_new(const struct fs_type *t, const char *data, u32 root_mode, u64 max_pages,
		    struct super **out)
{
	struct tmpfs_super *ts = kzalloc(sizeof(*ts));
	struct super *s = super_create(t, &tmpfs_super_ops, TMPFS_MAGIC);
	struct inode *root;
	int err = -ENOMEM;

	if (!ts || !s)
		goto out_free;
	s->private = ts;
	ts->max_pages = max_pages;
	root = tmpfs_inode(s, NULL, S_IFDIR | root_mode, 0);
	if (!root)
		goto out_free;
	err = parse_options(ts, root, data);
	if (err) {
		inode_put(root);
		synchronize_rcu();
		goto out_free;
	}
	s->root = dentry_create_root(s, root);
	if (!s->root) {
		err = -ENOMEM;
		goto out_free;
	}
	*out = s;
	return 0;
out_free:
	kfree(s);
	kfree(ts);
	return err;
}

static int tmpfs_mount(const struct fs_type *t, const char *source, unsigned long flags,
		       const char *data, struct super **out)
{
	struct mem_stats ms;

	(void)source, (void)flags;
	mem_stats(&ms);
	return tmpfs_mount_new(t, data, 01777, ms.total_pages / 2, out);
}

static int ramfs_mount(const struct fs_type *t, const char *source, unsigned long flags,
		       const char *data, struct super **out)
{
	(void)source, (void)flags;
	return tmpfs_mount_new(t, data, 0755, 0, out);
}

static struct fs_type rootfs_type = { .name = "rootfs", .mount = ramfs_mount };
static struct fs_type tmpfs_type = { .name = "tmpfs", .mount = tmpfs_mount };
static struct fs_type ramfs_type = { .name = "ramfs", .mount = ramfs_mount };

void tmpfs_init(void)
{
	fs_type_register(&rootfs_type);
	fs_type_register(&tmpfs_type);
	fs_type_register(&ramfs_type);
}
