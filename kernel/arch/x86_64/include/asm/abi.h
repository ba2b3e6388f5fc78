/* What the x86_64 ABI has of its own among file-related structures and flags. Manual: stat(2), open(2). */
#pragma once
#include <lib/types.h>

#define ELF_MACHINE 62 /* EM_X86_64 */
#define UTS_MACHINE "x86_64"

/* clone(2): the fourth and fifth arguments. */
#define CLONE_CHILD_TID(a3, a4) (a3)
#define CLONE_TLS(a3, a4) (a4)

#define O_DIRECT 040000
#define O_LARGEFILE 0100000
#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000

#define ABI_EPOLL_PACKED __packed

/* The smallest stack that sigaltstack(2) takes. */
#define MINSIGSTKSZ 2048
/* Bytes below the stack pointer that are in use: System V ABI, 3.2.2. */
#define STACK_RED_ZONE 128

struct stat {
	u64 st_dev;
	u64 st_ino;
	u64 st_nlink;
	u32 st_mode;
	u32 st_uid;
	u32 st_gid;
	u32 pad0;
	u64 st_rdev;
	s64 st_size;
	s64 st_blksize;
	s64 st_blocks;
	u64 st_atime_sec, st_atime_nsec;
	u64 st_mtime_sec, st_mtime_nsec;
	u64 st_ctime_sec, st_ctime_nsec;
	s64 unused[3];
};
