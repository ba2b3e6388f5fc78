/*
 * Tracing of processes: what is written as events where they may be written, in thread context. All of it is
 * off unless debug= turned its category on. docs/internals/tracing.md.
 */
#pragma once
#include <lib/types.h>

struct proc;
struct siginfo;
struct thread;

/* At a system call's exit, when TF_TRACE_SYSCALL is set: the call that just ended. */
void syscall_trace(void);
/* The call in flight, which will not come back: the thread ends. */
void syscall_trace_unfinished(void);
/* Calls of other threads that have been in flight for long, each once. */
void syscall_trace_waiting(void);

/* current takes a signal: by a handler, or to its end. */
void trace_signal(const struct siginfo *info, bool handled);
/* current ends with that wait status; last: and its process. */
void trace_exit(u32 status, bool last);

/* Writes the records of the trace ring as events now. Thread context. */
void trace_flush(void);
void trace_drain_start(void);
