/* Pipes and fifos. */
#pragma once
#include <fs/file.h>

#define PIPE_DEFAULT_PAGES 16
#define PIPE_MAX_SIZE (1024 * 1024)
extern unsigned pipe_max_size; /* /proc/sys/fs/pipe-max-size */

/* Two ends; flags: O_NONBLOCK, O_DIRECT. 0, -ENFILE, -ENOMEM. */
int pipe_create(struct file **reader, struct file **writer, u32 flags);
extern const struct file_ops fifo_fops; /* of fifo inodes */
struct pipe *file_pipe(struct file *f); /* or NULL */
long pipe_fcntl(struct file *f, unsigned cmd, unsigned long arg); /* F_SETPIPE_SZ, F_GETPIPE_SZ */
long pipe_splice(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t len,
		 unsigned flags);
long pipe_tee(struct file *in, struct file *out, size_t len, unsigned flags);
