/* The work behind the system calls of processes. Thread context; all for current. */
#pragma once
#include <proc/proc.h>

struct clone_request {
	u64 flags;
	int exit_signal;
	uptr_t stack; /* 0: same */
	uptr_t tls, parent_tid, child_tid, pidfd;
};
/* The new thread's number, or -EXXX. vfork: returns when the child has left the address space. */
long proc_clone(const struct clone_request *r);

/* The work behind execve(2), execveat(2). */
int proc_exec_user(int dirfd, uptr_t upath, uptr_t argv, uptr_t envp, int at_flags);

__noreturn void proc_thread_exit(u32 wait_status);

struct wait_request {
	int type; /* P_* */
	s32 id; /* pid, or pgrp's number */
	struct pid *pgrp; /* P_PGID: reference held */
	u32 options;
};
struct wait_result {
	s32 pid;
	u32 uid, status; /* wait status form */
	int code; /* CLD_* */
	struct proc_usage usage;
};
/* The child's pid with *out filled; 0 with WNOHANG and none; -ECHILD, -ERESTARTSYS, -EINVAL. */
long proc_wait(struct proc *parent, const struct wait_request *w, struct wait_result *out);

/* setpgid(2), setsid(2): 0 or the new number, or -EXXX as there. */
int proc_set_pgrp_of(s32 pid, s32 pgid);
long proc_new_session(void);

/* setitimer(2), times in ns; value 0 stops. -EINVAL, -ENOMEM. */
int itimer_set(int which, u64 value, u64 interval, u64 *old_value, u64 *old_interval);
int itimer_get(int which, u64 *value, u64 *interval);
/* RLIMIT_CPU of p was changed. */
void itimer_cpu_limit_changed(struct proc *p);
/* timer_create(2) and its family. ev NULL: SIGALRM. */
struct sigevent;
int ptimer_create(int clock, const struct sigevent *ev, s32 *id);
int ptimer_set(s32 id, bool absolute, u64 value, u64 interval, u64 *old_value, u64 *old_interval);
int ptimer_get(s32 id, u64 *value, u64 *interval);
int ptimer_overrun(s32 id);
int ptimer_delete(s32 id);
