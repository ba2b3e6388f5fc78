/*
 * Text files made on demand (fs/seq.h). The text is made when a read begins at position 0, or when there
 * is none yet; what is read further on is from the same text, so a reader sees one moment. A mutex in the
 * file's own state serialises readers that share it.
 */
#include <fs/seq.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

#define SEQ_FIRST 1024
#define SEQ_MAX (4u << 20)

struct seq_state {
	struct seq seq;
	int (*show)(struct seq *s);
	struct mutex lock;
	bool made;
};

static bool seq_room(struct seq *s, size_t n)
{
	size_t size = s->size ? s->size : SEQ_FIRST;
	char *buf;

	if (s->failed)
		return false;
	if (s->len + n < s->size)
		return true;
	while (size <= s->len + n)
		size *= 2;
	buf = size <= SEQ_MAX ? krealloc(s->buf, size) : NULL;
	if (!buf) {
		s->failed = true;
		return false;
	}
	s->buf = buf;
	s->size = size;
	return true;
}

void seq_write(struct seq *s, const void *data, size_t n)
{
	if (!seq_room(s, n))
		return;
	memcpy(s->buf + s->len, data, n);
	s->len += n;
}

void seq_puts(struct seq *s, const char *text)
{
	seq_write(s, text, strlen(text));
}

void seq_putc(struct seq *s, char c)
{
	seq_write(s, &c, 1);
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	if (seq_room(s, 128)) {
		n = vsnprintf(s->buf + s->len, s->size - s->len, fmt, ap);
		if ((size_t)n >= s->size - s->len && seq_room(s, (size_t)n + 1))
			n = vsnprintf(s->buf + s->len, s->size - s->len, fmt, again);
		if (!s->failed)
			s->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

void seq_escape(struct seq *s, const char *text, const char *chars)
{
	for (; *text; text++) {
		if (strchr(chars, *text))
			seq_printf(s, "\\%03o", (u8)*text);
		else
			seq_putc(s, *text);
	}
}

int seq_open(struct file *f, int (*show)(struct seq *s), void *arg)
{
	struct seq_state *st = kzalloc(sizeof(*st));

	if (!st)
		return -ENOMEM;
	st->seq.inode = f->inode;
	st->seq.file = f;
	st->seq.arg = arg;
	st->show = show;
	mutex_init(&st->lock, "seq", RANK_RENAME);
	f->private = st;
	return 0;
}

static int make_text(struct seq_state *st)
{
	int err;

	st->seq.len = 0;
	st->seq.failed = false;
	err = st->show(&st->seq);
	st->made = !err && !st->seq.failed;
	return err ? err : st->seq.failed ? -ENOMEM : 0;
}

ssize_t seq_read(struct file *f, struct uio *to, loff_t *pos)
{
	struct seq_state *st = f->private;
	ssize_t ret = 0;

	mutex_lock(&st->lock);
	if (*pos == 0 || !st->made)
		ret = make_text(st);
	if (!ret && (u64)*pos < st->seq.len && to->resid) {
		ret = (ssize_t)uio_copy_to(to, st->seq.buf + *pos, st->seq.len - (size_t)*pos);
		if (ret == 0)
			ret = -EFAULT;
		else
			*pos += ret;
	}
	mutex_unlock(&st->lock);
	return ret;
}

loff_t seq_seek(struct file *f, loff_t off, int whence)
{
	return whence == SEEK_END ? -EINVAL : seek_fixed(f, off, whence, 0);
}

void seq_release(struct file *f)
{
	struct seq_state *st = f->private;

	kfree(st->seq.buf);
	kfree(st);
}
