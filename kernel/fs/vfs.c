/*
 * Start of the file systems: caches, the root (tmpfs), types that can be mounted.
 */
#include <debug/panic.h>
#include "internal.h"
#include "mount.h"

void vfs_init(void)
{
	dcache_init();
	inode_cache_init();
	file_cache_init();
	fdtable_init();
	mount_init();
	namei_init();
	tmpfs_init();
	devfs_init();
	procfs_init();
	anon_init();
	pipe_init();
	memfd_init();
	epoll_init();
	BUG_ON(mount_root("rootfs") != 0);
}
