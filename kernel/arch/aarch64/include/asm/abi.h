/* What the aarch64 ABI has of its own among structures and flags. Manual: stat(2), open(2), clone(2). */
#pragma once
#include <lib/types.h>

#define ELF_MACHINE 183 /* EM_AARCH64 */
#define UTS_MACHINE "aarch64"

/* clone(2): the fourth and fifth arguments. */
#define CLONE_CHILD_TID(a3, a4) (a4)
#define CLONE_TLS(a3, a4) (a3)

#define O_DIRECTORY 040000
#define O_NOFOLLOW 0100000
#define O_DIRECT 0200000
#define O_LARGEFILE 0400000

#define ABI_EPOLL_PACKED

/* The smallest stack that sigaltstack(2) takes. */
#define MINSIGSTKSZ 5120
/* Bytes below the stack pointer that are in use: none, AAPCS64, universal stack constraints. */
#define STACK_RED_ZONE 0

struct stat {
	u64 st_dev;
	u64 st_ino;
	u32 st_mode;
	u32 st_nlink;
	u32 st_uid;
	u32 st_gid;
	u64 st_rdev;
	u64 pad0;
	s64 st_size;
	s32 st_blksize;
	s32 pad1;
	s64 st_blocks;
	u64 st_atime_sec, st_atime_nsec;
	u64 st_mtime_sec, st_mtime_nsec;
	u64 st_ctime_sec, st_ctime_nsec;
	u32 unused[2];
};
BUILD_ASSERT(sizeof(struct stat) == 128);
