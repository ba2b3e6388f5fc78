/*
 * newc cpio (lib/cpio.h). An entry: a header of 6 bytes magic and 13 fields of 8 hex digits, the name with
 * its NUL, zeros up to a multiple of 4, the data, zeros up to a multiple of 4 (counted from the start of
 * the buffer). The name may be followed by more NULs that count as part of it: that is how data is put
 * on page boundaries. "TRAILER!!!" ends an archive. Manual: cpio(5), "new ASCII format".
 */
#include <lib/cpio.h>
#include <lib/errno.h>
#include <lib/string.h>

#define HEADER_SIZE 110
#define TRAILER "TRAILER!!!"

enum {
	F_INO,
	F_MODE,
	F_UID,
	F_GID,
	F_NLINK,
	F_MTIME,
	F_FILESIZE,
	F_DEVMAJOR,
	F_DEVMINOR,
	F_RDEVMAJOR,
	F_RDEVMINOR,
	F_NAMESIZE,
	F_CHECK,
	NR_FIELDS
};

void cpio_init(struct cpio_iter *it, const void *buf, size_t size)
{
	it->buf = buf;
	it->size = size;
	it->pos = 0;
	it->open = false;
}

static bool parse_hex8(const u8 *p, u32 *out)
{
	u32 v = 0;

	for (int i = 0; i < 8; i++) {
		u8 c = p[i], lower = c | 0x20;

		if (c >= '0' && c <= '9')
			v = v << 4 | (u32)(c - '0');
		else if (lower >= 'a' && lower <= 'f')
			v = v << 4 | (u32)(lower - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

static bool parse_header(const u8 *p, u32 f[NR_FIELDS])
{
	if (memcmp(p, "07070", 5) != 0 || (p[5] != '1' && p[5] != '2'))
		return false;
	for (unsigned i = 0; i < NR_FIELDS; i++) {
		if (!parse_hex8(p + 6 + 8 * i, &f[i]))
			return false;
	}
	return true;
}

/* Rounded up to 4, but an archive may lack its last padding. */
static size_t padded(const struct cpio_iter *it, size_t pos)
{
	return min(ALIGN_UP(pos, 4), it->size);
}

/* Length of a name in a field of n > 0 bytes; -EINVAL without a NUL, or with more than NULs behind it. */
static ssize_t check_name(const u8 *name, size_t n)
{
	const u8 *end = memchr(name, 0, n);

	if (!end)
		return -EINVAL;
	for (const u8 *p = end; p < name + n; p++) {
		if (*p)
			return -EINVAL;
	}
	return end - name;
}

/* One entry, the trailer too. */
static int read_entry(struct cpio_iter *it, struct cpio_entry *e)
{
	const u8 *h = it->buf + it->pos;
	size_t left = it->size - it->pos, name_end, data;
	u32 f[NR_FIELDS], name_size;
	ssize_t name_len;

	if (left < HEADER_SIZE || !parse_header(h, f))
		return -EINVAL;
	name_size = f[F_NAMESIZE];
	if (name_size < 1 || name_size > left - HEADER_SIZE)
		return -EINVAL;
	name_len = check_name(h + HEADER_SIZE, name_size);
	if (name_len < 0)
		return -EINVAL;
	name_end = it->pos + HEADER_SIZE + name_size;
	data = padded(it, name_end);
	if (f[F_FILESIZE] > it->size - data)
		return -EINVAL;

	e->name = (const char *)h + HEADER_SIZE;
	e->name_len = (size_t)name_len;
	e->ino = f[F_INO];
	e->mode = f[F_MODE];
	e->uid = f[F_UID];
	e->gid = f[F_GID];
	e->nlink = f[F_NLINK];
	e->mtime = f[F_MTIME];
	e->dev_major = f[F_DEVMAJOR];
	e->dev_minor = f[F_DEVMINOR];
	e->rdev_major = f[F_RDEVMAJOR];
	e->rdev_minor = f[F_RDEVMINOR];
	e->data = it->buf + data;
	e->size = f[F_FILESIZE];
	it->pos = padded(it, data + e->size);
	return 0;
}

int cpio_next(struct cpio_iter *it, struct cpio_entry *e)
{
	struct cpio_entry tmp;
	int err;

	/* Behind a trailer zeros follow, then maybe another archive. Inside an archive there are none. */
	while (it->pos < it->size) {
		err = read_entry(it, &tmp);
		if (err)
			return err;
		if (tmp.name_len != sizeof(TRAILER) - 1 ||
		    memcmp(tmp.name, TRAILER, tmp.name_len) != 0) {
			it->open = true;
			*e = tmp;
			return 1;
		}
		it->open = false;
		while (it->pos < it->size && it->buf[it->pos] == 0)
			it->pos++;
	}
	return it->open ? -EINVAL : 0;
}
