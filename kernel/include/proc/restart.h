/* restart_syscall(2): how a call that was interrupted goes on with what was left of its time. */
#pragma once
#include <lib/types.h>

struct restart_block {
	long (*fn)(struct restart_block *); /* result of the continued call */
	u64 data[8];
};
/* Sets current's block; the caller then returns -ERESTART_RESTARTBLOCK. */
struct restart_block *restart_block_set(long (*fn)(struct restart_block *));
