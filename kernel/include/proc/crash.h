/*
 * Reports of processes that a signal ends: a line in the log and one `crash_report` event each, however it
 * came to that. docs/internals/crash.md.
 */
#pragma once
#include <debug/syscall_ring.h>
#include <lib/types.h>

struct siginfo;

#define CRASH_CALLS 32

/* The last system calls of a process, oldest first, as they were when it was decided that it dies. */
struct crash_calls {
	unsigned n;
	struct syscall_record r[CRASH_CALLS];
};

/*
 * The current thread's process dies of *info; `note` says what else is known, or is NULL. Once for each
 * process, in the context of the thread that dies, no lock held; may sleep for a moment.
 */
void crash_report(const struct siginfo *info, const char *note, const struct crash_calls *calls);
/* What was left out since the last report becomes an event now: the machine is about to stop. */
void crash_flush(void);
void crash_take_calls(struct crash_calls *out); /* the current process's; no lock held */
u64 crash_reports_made(void); /* since boot: written, or left out and counted */
void crash_init(void);

/* The name of a system call, or NULL; registered by entry/. */
extern const char *(*crash_syscall_name)(unsigned long nr);
