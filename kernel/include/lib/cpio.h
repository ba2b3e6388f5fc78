/*
 * Reader of "newc" cpio archives (magic 070701, and 070702 whose checksum is not looked at) in memory;
 * used for the initramfs. Trusts nothing. Several archives may follow one another, with zeros between.
 */
#pragma once
#include <lib/types.h>

struct cpio_iter {
	const u8 *buf;
	size_t size, pos;
	bool open; /* an entry was read, its archive's trailer not yet */
};

struct cpio_entry {
	const char *name; /* in the archive, NUL-terminated */
	size_t name_len; /* without the NUL */
	u32 ino, mode, uid, gid, nlink, mtime;
	u32 dev_major, dev_minor, rdev_major, rdev_minor;
	const u8 *data; /* in the archive; for a symlink its target, without a NUL */
	size_t size;
};

void cpio_init(struct cpio_iter *it, const void *buf, size_t size);
/* 1: *e filled in. 0: the end. -EINVAL: broken (bad magic or digit, truncated, name without its NUL or
 * with something behind it); it->pos is where. */
int cpio_next(struct cpio_iter *it, struct cpio_entry *e);
