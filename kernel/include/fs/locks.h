/* Record locks: F_GETLK, F_SETLK, F_SETLKW and their OFD forms. */
#pragma once
#include <fs/file.h>
#include <uapi/fcntl.h>

int locks_get(struct file *f, struct flock *fl, bool ofd);
int locks_set(struct file *f, const struct flock *fl, bool ofd, bool wait);
