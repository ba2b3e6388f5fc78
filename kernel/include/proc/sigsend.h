/* The work behind the system calls of signals. Thread context. */
#pragma once
#include <proc/signal.h>

/* new_action NULL: only ask. */
int signal_set_action(int sig, const struct ksigaction *new_action, struct ksigaction *old);
void signal_set_mask(u64 mask); /* current's; SIGKILL and SIGSTOP stay open */
/* Until a signal is pending: -ERESTARTNOHAND. */
long signal_sleep(void);
/* Waits for a signal of `set`, blocked or not, and takes it: its number, -EAGAIN at the deadline (0: do
 * not wait), -EINTR. */
int signal_timed_wait(u64 set, struct siginfo *info, u64 deadline_ns);

/* kill(2)'s choice of processes by pid; permissions checked. sig 0: only that. */
long signal_kill(s32 pid, int sig, const struct siginfo *info);
long signal_kill_thread(s32 tgid, s32 tid, int sig, const struct siginfo *info); /* tgid 0: any */

void signal_altstack_get(struct sigaltstack *out, uptr_t user_sp);
/* 0, -EPERM on it, -EINVAL flags, -ENOMEM smaller than MINSIGSTKSZ. */
int signal_altstack_set(const struct sigaltstack *ss, uptr_t user_sp);
