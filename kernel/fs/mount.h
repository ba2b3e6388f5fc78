/* The mount tree, for the files that show it. */
#pragma once
#include <fs/vfs.h>

extern struct list mount_list; /* [x] mount_lock */
struct fs_type *fs_type_next(struct fs_type *t); /* NULL: the first */
int mount_root(const char *type);
/* Each process whose root or cwd is `old` gets `new`. */
void fs_replace_root(const struct path *old, const struct path *new);
