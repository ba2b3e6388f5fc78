/*
 * Text files made on demand (/proc): the show function writes the whole text into a growing buffer when
 * the file is first read from position 0; reads then serve from the buffer.
 */
#pragma once
#include <fs/file.h>

struct seq {
	char *buf;
	size_t len, size;
	bool failed; /* out of memory */
	struct inode *inode;
	struct file *file;
	void *arg;
};
__printf(2, 3) void seq_printf(struct seq *s, const char *fmt, ...);
void seq_puts(struct seq *s, const char *text);
void seq_write(struct seq *s, const void *data, size_t n);
void seq_putc(struct seq *s, char c);
/* A path or name with white space and backslash as \ooo. */
void seq_escape(struct seq *s, const char *text, const char *chars);

/* To be called from file_ops->open; show returns 0 or -EXXX, which the read then gives. */
int seq_open(struct file *f, int (*show)(struct seq *s), void *arg);
ssize_t seq_read(struct file *f, struct uio *to, loff_t *pos);
loff_t seq_seek(struct file *f, loff_t off, int whence);
void seq_release(struct file *f);
