/*
 * What file systems need from processes: proc/ fills this table once, at its start. Until then (and in
 * kernel threads) the defaults hold: no limits, no signals.
 */
#pragma once
#include <lib/types.h>

struct file;
struct fs_hooks {
	/* A signal to current: SIGPIPE, SIGXFSZ. */
	void (*signal_self)(int sig);
	/* Input or output became possible on a file with O_ASYNC: its owner gets SIGIO (or F_SETSIG's). */
	void (*signal_io)(struct file *f, int band);
	u64 (*limit_fsize)(void); /* RLIMIT_FSIZE in bytes; ~0 none */
	s32 (*current_pid)(void); /* process id of current */
};
extern struct fs_hooks fs_hooks;
