/* tmpfs's own. */
#pragma once
#include <fs/vfs.h>

struct tmpfs_super {
	u64 max_pages, max_inodes; /* 0: no limit [x] mount_mutex */
	u64 used_pages, used_inodes; /* [a] */
};
/* Pages that count against the limit; regular files keep the number in their private pointer. */
#define tmpfs_accounted(inode) (*(u64 *)&(inode)->private)
int tmpfs_mount_new(const struct fs_type *t, const char *data, u32 root_mode, u64 max_pages,
		    struct super **out);
