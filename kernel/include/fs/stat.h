/* struct kstat: what stat(2) and statx(2) report, in the kernel's form. */
#pragma once
#include <lib/types.h>
#include <uapi/stat.h>

struct kstat {
	u64 dev, ino, rdev, size, blocks;
	u32 mode, nlink, uid, gid, blksize;
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns;
	u32 mount_id;
	bool mount_root;
};

/* Device numbers: 12 bits of major, 20 of minor, in the ABI's encoding. */
#define MKDEV(major, minor)                                                                        \
	((((u64)(minor)) & 0xff) | ((u64)(major) << 8) | (((u64)(minor) & ~0xffull) << 12))
#define MAJOR(dev) ((unsigned)(((dev) >> 8) & 0xfff))
#define MINOR(dev) ((unsigned)(((dev)&0xff) | (((dev) >> 12) & 0xfff00)))
