/* What the files of kernel/proc share and nobody else needs. */
#pragma once
#include <arch/regs.h>
#include <fs/file.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <proc/calls.h>
#include <proc/cred.h>
#include <proc/proc.h>
#include <proc/sigsend.h>
#include <uapi/sched.h>
#include <uapi/signal.h>
#include <uapi/wait.h>

/* --- pid.c --- */
#define PID_RESERVED 300 /* after the first round the low numbers stay with the system's own */
void pid_init(void);
/* A free number, cyclically; nr 0 means any. refs 1, nothing attached. -EAGAIN, -ENOMEM, -EEXIST. */
int pid_alloc(s32 nr, struct pid **out);

/* --- proc.c --- */
extern struct proc
	kernel_proc; /* pid 0: parent of PID 1 and of what the kernel starts; never ends */
int proc_alloc(struct proc **out);
int thread_proc_alloc(struct thread *t); /* sets t->tp; its pid is the caller's to fill in */
void thread_proc_free(struct thread_proc *tp); /* after a grace period */
/* Puts the thread into its process and both into the tables; tree lock is taken. */
void proc_attach(struct thread *t, struct proc *parent, bool new_proc);
/* Takes a reaped process out of everything. It is claimed (PROC_DEAD), the tree lock is not held. */
void proc_release(struct proc *p);
void thread_detach_pid(struct thread *t); /* tree lock held */
bool thread_count_take(void); /* one more thread in all; false: too many */
void thread_count_drop(void);
void proc_set_pgrp(struct proc *p, struct pid *pgrp); /* tree lock held */
void proc_set_session(struct proc *p, struct pid *session); /* tree lock held; new leader */

/* --- cred.c --- */
struct user_count {
	u32 uid;
	struct refcount refs;
	struct hlist_node link;
	struct atomic threads; /* RLIMIT_NPROC */
	struct atomic sigpending; /* RLIMIT_SIGPENDING */
};
void cred_init(void);
struct user_count *user_get_uid(u32 uid); /* NULL: out of memory */
void user_put(struct user_count *u);

/* --- group.c --- */
/* Would `pgrp` be orphaned if `ignored` had gone? Tree lock held. */
bool pgrp_orphaned(struct pid *pgrp, struct proc *ignored);
bool pgrp_has_stopped(struct pid *pgrp); /* tree lock held */
void pgrp_kill_orphaned(struct proc *p, struct proc *parent); /* SIGHUP, SIGCONT; tree lock held */

/* --- fork.c --- */
/*
 * A process made by the kernel: it runs fn(arg) as a kernel thread with a process around it, which must
 * end in proc_exit_group(), or proc_exec() and arch_enter_user(). nr: its number, 0 for any. files:
 * taken over. out: a reference; then somebody waits for it (kernel_proc's children are reaped otherwise).
 */
int proc_spawn(struct proc *parent, s32 nr, const char *name, void (*fn)(void *), void *arg,
	       struct files *files, struct proc **out);
void vfork_release(struct thread *t);

/* --- exec.c, elf.c --- */
#define EXEC_STRING_MAX (128 * 1024u) /* one argument or variable */
#define EXEC_HEAD 256 /* bytes of the file looked at for its kind */
struct exec {
	struct file *file; /* the image, reference held */
	const char *path; /* AT_EXECFN: as given, or /dev/fd/N */
	char *script; /* the last script's interpreter; NULL: no script yet */
	char *args; /* strings with their NULs: argv, then envp, then path */
	size_t args_len, args_size; /* used, allocated */
	size_t env_at, path_at; /* where envp's begin, and path */
	unsigned argc, envc;
	struct mm *mm; /* new */
	struct cred *cred; /* new, or NULL: unchanged */
	bool secure; /* AT_SECURE */
	bool unreadable; /* image that the user may run but not read */
	u8 head[EXEC_HEAD];
	size_t head_len;
	/* what the loader found */
	uptr_t entry, start_ip; /* of the image; where to begin (the interpreter's) */
	uptr_t interp_base, phdr, phnum;
	uptr_t stack_top;
	struct {
		uptr_t start, len;
	} clear[8]; /* tails of last file pages, to be zeroed */
	unsigned nr_clear;
};
/* The program at path: a regular file current may execute. *unreadable: may be NULL. */
int exec_open(int dirfd, const char *path, int at_flags, struct file **out, bool *unreadable);
/* exec_args.c: the strings. */
struct arg_source {
	char *const *kernel; /* or NULL: */
	uptr_t user; /* vector of user pointers; 0 is an empty one */
};
int exec_args_copy(struct exec *e, const struct arg_source *argv, const struct arg_source *envp);
/* For `#!`: argv[0] becomes interp, arg (unless NULL), script. -E2BIG, -ENOMEM. */
int exec_args_script(struct exec *e, const char *interp, const char *arg, const char *script);
void exec_args_free(struct exec *e);

/* Maps image and interpreter into e->mm. -ENOEXEC, -ENOMEM, -EACCES, -ELIBBAD... */
int elf_load(struct exec *e);
/* In the new address space: clears tails, writes strings, vectors and auxv; *sp. -EFAULT, -ENOMEM. */
int elf_build_stack(struct exec *e, uptr_t *sp);
int vdso_map(struct mm *mm); /* sets mm->vdso */
u64 exec_random_below(u64 range); /* page aligned; 0 with norandmaps */
/* --- exit.c --- */
void proc_leave_user_memory(void); /* before current's mm is exchanged or dropped */
void proc_exit_mm(void); /* current leaves its address space */
/* Marks the other threads of current's process for death; sighand lock held. How many there are. */
unsigned proc_kill_others(struct proc *p);

/* --- wait.c --- */
/* By the kernel itself: a deadline instead of signals. -ETIMEDOUT. */
long proc_wait_kernel(struct proc *parent, s32 pid, u64 deadline_ns, struct wait_result *out);

/* --- signal.c, sigqueue.c, sigdeliver.c --- */
#define SIG_KERNEL_ONLY (sigmask(SIGKILL) | sigmask(SIGSTOP))
#define SIG_STOP_SET (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define SIG_IGNORE_SET (sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG))
#define SIG_SYNC_SET                                                                               \
	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) |                 \
	 sigmask(SIGFPE) | sigmask(SIGSYS))

void signal_init(void);
void sigqueue_caches_init(void);
int sighand_create(struct sighand **out);
int sighand_copy(const struct sighand *from, struct sighand **out); /* actions only */
void sighand_put(struct sighand *sh);
/* Locks p's handlers, which exec may be replacing; interrupts off until unlocked. */
void procfs_pid_init(void); /* procfs_pid.c: registers the processes with /proc */
struct sighand *sighand_lock(struct proc *p, irqflags_t *flags);
void sighand_unlock(struct sighand *sh, irqflags_t flags);

void sigqueue_init(struct signal_queue *q);
/* An entry for a signal to t (sighand lock held): NULL when at the limit, out of memory or in an
 * interrupt. */
struct sigqueue *sigqueue_alloc(struct thread *t, bool over_limit);
void sigqueue_free(struct sigqueue *e); /* any context; a timer's own: nothing */
void sigqueue_flush(struct signal_queue *q); /* frees all */
void sigqueue_remove(struct signal_queue *q, u64 set); /* frees those of `set` */
void sigqueue_refresh(struct signal_queue *q, int sig); /* an entry of sig was unlinked */
/* Takes the next signal of q outside `mask`: its number or 0. *entry: to be freed, or NULL. */
int sigqueue_take(struct signal_queue *q, u64 mask, struct siginfo *info, struct sigqueue **entry);

/* sighand lock held; t: the receiver, or with `group` the thread to be tried first. 0, -EAGAIN. */
int signal_send_locked(struct proc *p, struct thread *t, bool group, int sig,
		       const struct siginfo *info);
/* A timer's entry, sighand lock held: queues it unless it still is. Any context. */
enum timer_signal { TIMER_SIGNAL_QUEUED, TIMER_SIGNAL_OVERRUN, TIMER_SIGNAL_IGNORED };
enum timer_signal signal_send_timer(struct proc *p, struct thread *t, bool group,
				    struct sigqueue *e);
void signal_recalc(struct thread *t); /* lock held: TF_SIGNAL set anew; cleared only for current */
void signal_retarget(struct proc *p); /* lock held: others look at the process's pending signals */
bool signal_ignored_by(struct proc *p, int sig); /* lock held: SIG_IGN, or by default */
void signal_wake(struct thread *t, bool fatal); /* lock held */
/* Next of current's signals outside `mask`, private ones first: number or 0. Lock held. */
int signal_take(u64 mask, struct siginfo *info, struct sigqueue **entry);
void signal_flush(struct proc *p, u64 set); /* lock held: from all of p's queues */
bool sig_default_fatal(int sig);
/* 0, or -EPERM: may current send sig to p? kill(2) */
int signal_check_permission(struct proc *p, int sig, const struct siginfo *info);
/* Tells the parent that p stopped or continued (CLD_*). Tree lock held. */
void signal_notify_stop(struct proc *p, int why);

/* --- itimer.c, ptimer.c --- */
void itimers_exit(struct proc *p); /* the last thread goes: all timers end */
void itimers_exec(struct proc *p); /* POSIX timers end, interval timers go on */
void itimers_free(struct proc *p);

/* sighand lock held: the timer's entry has left its queue, the signal is to be delivered. */
void itimer_signal_taken(struct siginfo *info, struct sigqueue *e);

/* --- rlimit.c --- */
void rlimits_init(struct proc *p);
void proc_limits_register(void);

/* --- oom.c --- */
void oom_init(void);
/* Makes mm (or NULL) current's, so that proc_get_mm() sees either; the old one is the caller's to put. */
void proc_switch_mm(struct mm *mm);
const char *signal_name(int sig);
/* --- panic.c --- */
void proc_panic_init(void);
/* --- procfs_maps.c: what maps calls it: "[heap]"; NULL: nothing, or its file's name. */
const char *proc_vma_name(const struct vma *v, const struct mm *mm);
/* --- random.c --- */
void random_init(void);
/* --- stage_run.c --- */
void stage_run_init(void);
/* Runs argv[0] to its end: its wait status. 0, -ETIMEDOUT, -EXXX. Nothing else is left running. */
int stage_run_program(const char *const *argv, u64 timeout_ns, u32 *status);
