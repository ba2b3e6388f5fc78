/* Copies between files within the kernel. NULL positions: the files' own. */
#pragma once
#include <fs/pipe.h>

ssize_t file_read_at(struct file *f, void *buf, size_t n, loff_t *pos);
/* Bytes copied; less at the end of `in`, or where out takes no more. */
ssize_t file_copy(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t len);
