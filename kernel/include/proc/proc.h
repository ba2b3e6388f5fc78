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
#include <proc/restart.h>
#include <proc/signal.h>
#include <sched/sync.h>
#include <sched/thread.h>
#include <uapi/resource.h>

/*
 * A number, and what goes by it: a thread, the process it leads, the group and session it named. Held by
 * each of those and by whoever keeps one (tty, file owners); the number is free again with the last.
 */
struct pid {
	s32 nr; /* [I] */
	struct refcount refs;
	struct thread *thread; /* [x] tree; read under rcu */
	struct proc *proc; /* [x] tree; read under rcu. A zombie still has it */
	struct list group; /* [x] tree: proc.pgrp_link */
	struct rcu_head rcu;
};

struct proc {
	s32 pid; /* [I] thread group id */
	struct refcount refs;
	struct thread *leader; /* first thread */
	struct pid *pid_ref; /* [I] its own number */
	struct list threads; /* [x] sighand lock: thread_proc.group_link; those not yet exited */
	unsigned nr_threads; /* [x] sighand lock */
	struct proc *parent; /* [x] tree */
	struct list children, sibling; /* [x] tree */
	struct pid *pgrp, *session; /* [x] tree; read under rcu */
	struct list pgrp_link; /* [x] tree */
	bool session_leader;
	struct tty *tty; /* controlling terminal [x] tree */
	struct sighand *sighand; /* handlers: shared by CLONE_SIGHAND */
	struct signal_queue shared_pending; /* [x] sighand lock */
	struct thread
		*signal_next; /* [x] sighand lock: where the next shared signal is tried first */
	struct waitq child_wait; /* waitpid sleeps here */
	int exit_signal; /* to the parent; SIGCHLD or as cloned */
	u32 exit_status; /* wait status form */
	enum { PROC_ALIVE, PROC_ZOMBIE, PROC_DEAD } state; /* [x] tree */
	bool group_exiting; /* [x] sighand lock */
	bool exec_done; /* for setpgid EACCES */
	/* Job control [x] sighand lock: all threads stopped; SIGCONT came; what wait() has not seen yet. */
	bool stopped, continued, stop_reported;
	bool stopping; /* some threads still on their way to the stop */
	u8 notify_parent; /* CLD_STOPPED or CLD_CONTINUED that a thread is to report */
	unsigned stop_count; /* threads not yet stopped */
	int stop_signal;
	bool unkillable; /* PID 1: default actions do not apply to it */
	struct thread *exec_thread; /* [x] sighand lock: kills the others to exec */
	struct siginfo
		fatal_info; /* [x] sighand lock: of the signal that ends it, for the report */
	bool is_subreaper;
	bool kernel_waits; /* a child of the kernel's that it waits for: no autoreap */
	struct rlimit64 limits[RLIM_NLIMITS]; /* [x] sighand lock; reads are plain */
	u64 utime_ns, stime_ns; /* of dead threads */
	u64 cutime_ns, cstime_ns; /* of waited-for children */
	u64 min_flt, maj_flt, cmin_flt, cmaj_flt, nvcsw, nivcsw, maxrss;
	u64 cnvcsw, cnivcsw, cmaxrss;
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
	struct thread *thread; /* [I] whose it is */
	struct list group_link;
	u64 sigmask, saved_mask; /* [x] sighand lock; own reads are plain */
	u64 waited_mask; /* [x] sighand lock: sigmask while sigtimedwait() has some of it open */
	bool stop_pending; /* [x] sighand lock: is to stop, not yet counted */
	struct signal_queue pending; /* [x] sighand lock */
	uptr_t altstack_sp;
	size_t altstack_size;
	int altstack_flags;
	uptr_t set_child_tid, clear_child_tid, robust_list;
	size_t robust_len;
	struct restart_block restart; /* see proc/restart.h */
	struct completion *vfork_done; /* [x] tree: who waits until this thread has left its mm */
	int pdeath_signal;
	u8 frame_lost; /* [o] the signal whose frame could not be written; 0 after one that could */
	bool child_settid; /* write the tid to set_child_tid before entering user mode */
	u64 min_flt, maj_flt;
	struct pid *pid; /* [I] its own number, with a reference */
	struct rcu_head rcu;
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
/* The process's thread with the lowest tid >= *tid, which is set to it: reference taken, or NULL. */
struct thread *proc_next_thread(struct proc *p, s32 *tid);
/* The pid with that number, with a reference, or NULL. */
struct pid *pid_get_nr(s32 nr);
struct pid *pid_get(struct pid *pid);
void pid_put(struct pid *pid);
extern s32 pid_max; /* numbers are below; /proc/sys/kernel/pid_max */
unsigned proc_count(void); /* processes, zombies too */
unsigned proc_thread_count(void);
extern unsigned proc_max_threads; /* no more threads than this in all */

/* The process's address space with a reference (mm_put), or NULL. */
struct mm *proc_get_mm(struct proc *p);
s32 proc_pgrp_id(const struct proc *p);
s32 proc_session_id(const struct proc *p);
char proc_state_char(struct thread *t); /* R S D T Z */
u64 proc_limit(unsigned which); /* soft limit of current's process */

/* CPU time and faults of a process: living and dead threads; of its waited-for children. */
struct proc_usage {
	u64 utime_ns, stime_ns, min_flt, maj_flt, nvcsw, nivcsw, maxrss; /* maxrss: KiB */
};
void thread_times(const struct thread *t, u64 *utime_ns, u64 *stime_ns);
void proc_usage_self(struct proc *p, struct proc_usage *out);
void proc_usage_children(struct proc *p, struct proc_usage *out);

/*
 * The last system calls of all threads of p by the time they began, oldest first; how many (at most max).
 * The caller holds the sighand lock, or the machine has stopped; a process of very many threads shows the
 * first RECENT_CALLS_THREADS of them.
 */
#define RECENT_CALLS_THREADS 256
unsigned proc_recent_calls(const struct proc *p, struct syscall_record *out, unsigned max);

/* The random numbers behind getrandom(2) and /dev/urandom. Thread context. */
void random_bytes(void *buf, size_t n);

struct utsname;
void uts_get(struct utsname *out); /* what uname(2) shows */

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
