/* Vectored input and output. Manual: readv(2), preadv2(2). */
#pragma once
#include <lib/types.h>

struct iovec {
	uptr_t iov_base;
	u64 iov_len;
};
#define RWF_HIPRI 1
#define RWF_DSYNC 2
#define RWF_SYNC 4
#define RWF_NOWAIT 8
#define RWF_APPEND 16
