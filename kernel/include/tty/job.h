/*
 * What terminals need to know of processes, and what processes ask of terminals. tty/ lies below proc/:
 * proc/tty_job.c defines the table, tty/ calls through it. Numbers are process-group and session ids; 0 is
 * none.
 */
#pragma once
#include <lib/types.h>

struct tty;

struct tty_job_ops {
	/* Of the current process; kernel threads have none of it. */
	struct tty *(*tty)(void);
	s32 (*pgrp)(void);
	s32 (*session)(void);
	bool (*is_leader)(void);
	bool (*ignores)(int sig); /* ignored or blocked */
	bool (*pgrp_orphaned)(void);
	void (*set_tty)(struct tty *tty); /* NULL: gives it up */
	/* Of others. */
	s32 (*session_of_pgrp)(s32 pgrp); /* -ESRCH when there is no such group */
	void (*signal_pgrp)(s32 pgrp, int sig);
	void (*signal_leader)(s32 session, int sig);
	void (*forget_tty)(struct tty *tty); /* no process has it any more */
};
extern const struct tty_job_ops tty_job_ops;

/* The leader of the session that tty controls has ended (exiting), or gives it up: SIGHUP and SIGCONT to the
 * foreground; a leader's end also hangs the terminal up. Thread context. */
void tty_leader_left(struct tty *tty, bool exiting);
/* For /proc/PID/stat: device number (0: none) and foreground group of a terminal. */
dev_t tty_devno(const struct tty *tty);
s32 tty_foreground(const struct tty *tty);
