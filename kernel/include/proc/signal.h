/* Signals: queues, sending, delivery. Semantics as signal(7), sigaction(2). */
#pragma once
#include <core/spinlock.h>
#include <lib/atomic.h>
#include <lib/list.h>
#include <lib/types.h>
#include <sched/thread.h>
#include <sched/waitq.h>
#include <uapi/signal.h>

struct thread;
struct proc;
struct regs;
struct pid;
struct user_count;

struct signal_queue {
	u64 set; /* bit n-1: signal n pending */
	struct list entries; /* struct sigqueue, in order of arrival */
};

/* One queued signal. */
struct sigqueue {
	union {
		struct list link;
		struct rcu_head rcu; /* when it is freed in an interrupt */
	};
	struct user_count
		*user; /* whose RLIMIT_SIGPENDING it counts against; NULL: a timer's own */
	struct siginfo info;
};

struct sighand {
	struct spinlock lock; /* RANK_SIGHAND: handlers, queues, group state */
	struct refcount refs;
	struct ksigaction action[64];
	struct waitq signalfd_wait; /* woken when a signal is queued */
	struct rcu_head rcu;
};

/* Sends with full siginfo to a thread or a process: 0, -EAGAIN (RLIMIT_SIGPENDING, RT only). No
 * permission check. Any thread context or timer interrupt. */
int signal_send_thread(struct thread *t, int sig, const struct siginfo *info);
int signal_send_proc(struct proc *p, int sig, const struct siginfo *info);
/* To each process of a group (tty, kill(-pgrp)): 0 if any got it, -ESRCH. */
int signal_send_pgrp(struct pid *pgrp, int sig, const struct siginfo *info);
/* A fault of the current thread: cannot be blocked or ignored. */
void signal_force(int sig, int code, uptr_t addr);
/* As above from the kernel: no sender, code SI_KERNEL. */
int signal_send_kernel(struct proc *p, int sig);
/* SIGSEGV and friends with a full info: to the current thread, unblocked, default action if need be. */
void signal_force_info(const struct siginfo *info);
/* True if current has a deliverable signal. */
static inline bool signal_pending(void)
{
	return thread_test_flag(current, TF_SIGNAL);
}
bool signal_fatal_pending(void);
/* What is pending for current, blocked or not: its own and its process's. */
u64 signal_pending_set(void);
/* Takes one pending signal of *set from current's queues: its number or 0. For sigtimedwait, signalfd. */
int signal_dequeue(u64 set, struct siginfo *info);
/* Upcall of the way out to user mode: delivers (pushes frames), handles restart, stop, death. */
void signal_deliver(struct regs *regs);
/* Temporarily replaced mask (pselect, ppoll, epoll_pwait): restored on the way out unless a handler
 * runs with it. */
int signal_set_user_mask(uptr_t umask, size_t sigsetsize); /* umask 0: nothing; -EFAULT, -EINVAL */
void signal_restore_user_mask(bool interrupted);
/* ss_flags of current's alternate stack as seen with this stack pointer: SS_DISABLE, SS_ONSTACK or 0. */
int signal_altstack_flags(uptr_t sp);
