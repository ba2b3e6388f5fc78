/*
 * Processes: thread groups with identity, family, signals, limits.
 *
 * Tree, groups and sessions are protected by proc_tree_lock (a spinlock, RANK_PROC_TREE); finding one
 * by number is lock-free under rcu. Numbers come from one space for threads, processes, groups and
 * sessions (struct pid, reference counted).
 */
#pragma once
#include <core/spinlock.h>
#include <lib/list.h>
#include <proc/cred.h>
#include <proc/signal.h>
#include <sched/sync.h>
#include <sched/thread.h>
#include <uapi/resource.h>

struct pid; /* proc/pid.c */

struct proc {
	s32 pid; /* [I] thread group id */
	struct refcount refs;
	struct thread *leader; /* first thread */
	struct list threads; /* [x] sighand lock: thread_proc.group_link */
	unsigned nr_threads; /* [x] sighand lock */
	struct proc *parent; /* [x] tree */
	struct list children, sibling; /* [x] tree */
	struct pid *pgrp, *session; /* [x] tree; read under rcu */
	struct list pgrp_link; /* [x] tree */
	bool session_leader;
	struct tty *tty; /* controlling terminal [x] tree */
	struct sighand *sighand; /* handlers: shared by CLONE_SIGHAND */
	struct signal_queue shared_pending; /* [x] sighand lock */
	struct waitq child_wait; /* waitpid sleeps here */
	int exit_signal; /* to the parent; SIGCHLD or as cloned */
	u32 exit_status; /* wait status form */
	enum { PROC_ALIVE, PROC_ZOMBIE, PROC_DEAD } state; /* [x] tree */
	bool group_exiting; /* [x] sighand lock */
	bool exec_done; /* for setpgid EACCES */
	bool stopped, continued, stop_reported; /* job control [x] sighand lock */
	int stop_signal;
	bool is_subreaper;
	struct rlimit64 limits[RLIM_NLIMITS]; /* [x] sighand lock; reads are plain */
	struct completion *vfork_done;
	u64 utime_ns, stime_ns; /* of dead threads */
	u64 cutime_ns, cstime_ns; /* of waited-for children */
	u64 min_flt, maj_flt, cmin_flt, cmaj_flt, nvcsw, nivcsw, maxrss;
	u64 start_ns;
	struct itimers *timers; /* itimers and POSIX timers */
	u32 ptimer_flags;
	s32 oom_score_adj;
	u32 personality;
	bool dumpable, no_new_privs;
	struct rcu_head rcu;
	char exec_path[64]; /* for reports */
};

/* Per-thread state that proc/ owns: thread->tp. */
struct thread_proc {
	struct list group_link;
	u64 sigmask, saved_mask; /* [x] sighand lock; own reads are plain */
	struct signal_queue pending; /* [x] sighand lock */
	uptr_t altstack_sp;
	size_t altstack_size;
	int altstack_flags;
	uptr_t set_child_tid, clear_child_tid, robust_list;
	size_t robust_len;
	struct restart_block *restart; /* see proc/restart.h */
	u64 restart_data[8];
	int pdeath_signal;
	u64 min_flt, maj_flt;
};

extern struct spinlock proc_tree_lock;
extern struct proc *proc_init_proc; /* PID 1 */

/* Under rcu: the process or thread with that number in it, or NULL. */
struct proc *proc_find(s32 pid);
struct thread *proc_find_thread(s32 tid);
struct proc *proc_get_by_pid(s32 pid); /* with a reference, or NULL */
void proc_get(struct proc *p);
void proc_put(struct proc *p);
/* Iterates over processes in order of pid, from *pid upwards (for /proc): reference taken, or NULL. */
struct proc *proc_next(s32 *pid);
/* Iterates a process's threads under rcu or the sighand lock. */
struct thread *proc_next_thread(struct proc *p, s32 *tid); /* reference taken */
s32 proc_pgrp_id(const struct proc *p);
s32 proc_session_id(const struct proc *p);
char proc_state_char(struct thread *t); /* R S D T Z */
u64 proc_limit(unsigned which); /* soft limit of current's process */

void proc_init(void); /* tables, registers hooks with mm, sched, fs, tty */
/* Starts PID 1: a kernel thread that executes `path` with argv {path} and envp. */
int proc_start_init(const char *path);
/* exec for the current thread; returns 0 to go out to user mode with new registers, or -EXXX. */
int proc_exec(const char *path, char *const argv[], char *const envp[]); /* kernel strings */
__noreturn void proc_exit_group(u32 wait_status); /* exit(2)_group and fatal signals */
/* PID 1's exit is reported by run_exit and powers off (`run`); otherwise it is a panic. */
extern bool proc_report_init_exit;
/* Upcall of the way out to user mode: exit_group and stops. */
void proc_notify_resume(void);
