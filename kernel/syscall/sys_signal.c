/*
 * System calls of signals: actions, masks, alternate stacks, sending, waiting.
 * Manual: signal(7), rt_sigaction(2), sigaltstack(2), kill(2), tgkill(2), rt_sigtimedwait(2).
 */
#include <arch/signal.h>
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <core/timespec.h>
#include <lib/errno.h>
#include <proc/proc.h>
#include <proc/signal.h>
#include <proc/sigsend.h>
#include <syscalls_gen.h>

#define UNBLOCKABLE (sigmask(SIGKILL) | sigmask(SIGSTOP))

static bool valid(int sig)
{
	return sig >= 1 && sig <= NSIG;
}

long sys_rt_sigaction(int sig, uptr_t act, uptr_t old, size_t sigsetsize)
{
	struct ksigaction new_action, old_action;
	int error;

	if (sigsetsize != sizeof(u64))
		return -EINVAL;
	if (act && copy_obj_from_user(&new_action, act))
		return -EFAULT;
	if (!valid(sig) || (act && (sigmask(sig) & UNBLOCKABLE)))
		return -EINVAL;
	error = signal_set_action(sig, act ? &new_action : NULL, &old_action);
	if (!error && old && copy_obj_to_user(old, &old_action))
		return -EFAULT;
	return error;
}

long sys_rt_sigprocmask(int how, uptr_t set, uptr_t old, size_t sigsetsize)
{
	u64 mask = current->tp->sigmask, before = mask, arg;

	if (sigsetsize != sizeof(u64))
		return -EINVAL;
	if (set) {
		if (get_user_u64(&arg, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK: mask |= arg; break;
		case SIG_UNBLOCK: mask &= ~arg; break;
		case SIG_SETMASK: mask = arg; break;
		default: return -EINVAL;
		}
		signal_set_mask(mask);
	}
	return old ? put_user_u64(old, before) : 0;
}

long sys_rt_sigpending(uptr_t set, size_t sigsetsize)
{
	u64 pending;

	if (sigsetsize > sizeof(pending))
		return -EINVAL;
	pending = signal_pending_set() & current->tp->sigmask;
	return copy_to_user(set, &pending, sigsetsize);
}

long sys_rt_sigsuspend(uptr_t mask, size_t sigsetsize)
{
	u64 set;

	if (sigsetsize != sizeof(set))
		return -EINVAL;
	if (get_user_u64(&set, mask))
		return -EFAULT;
	current->tp->saved_mask = current->tp->sigmask;
	signal_set_mask(set);
	thread_set_flag(current, TF_RESTORE_MASK);
	return signal_sleep();
}

long sys_pause(void)
{
	return signal_sleep();
}

long sys_rt_sigreturn(void)
{
	struct regs *regs = arch_thread_regs(current);
	struct thread_proc *tp = current->tp;
	struct sigaltstack alt;
	u64 mask;

	if (arch_signal_pop(regs, &mask, &alt)) {
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return 0;
	}
	signal_set_mask(mask);
	tp->restart.fn = NULL;
	signal_altstack_set(&alt, regs_sp(regs)); /* as it was if that makes no sense */
	return regs_syscall_result(regs);
}

/* --- alternate stacks --- */

long sys_sigaltstack(uptr_t ss, uptr_t old)
{
	uptr_t user_sp = regs_sp(arch_thread_regs(current));
	struct sigaltstack new_stack, old_stack;
	int error = 0;

	if (ss && copy_obj_from_user(&new_stack, ss))
		return -EFAULT;
	signal_altstack_get(&old_stack, user_sp);
	if (ss)
		error = signal_altstack_set(&new_stack, user_sp);
	if (!error && old && copy_obj_to_user(old, &old_stack))
		return -EFAULT;
	return error;
}

/* --- sending --- */

static void own_info(struct siginfo *info, int sig, int code)
{
	*info = (struct siginfo){ .si_signo = sig, .si_code = code };
	info->si_pid = current->proc->pid;
	info->si_uid = current->cred->uid;
}

long sys_kill(int pid, int sig)
{
	struct siginfo info;

	if (sig && !valid(sig))
		return -EINVAL;
	own_info(&info, sig, SI_USER);
	return signal_kill(pid, sig, &info);
}

static long send_to_thread(int tgid, int tid, int sig, int code)
{
	struct siginfo info;

	if (tid <= 0 || (sig && !valid(sig)))
		return -EINVAL;
	own_info(&info, sig, code);
	return signal_kill_thread(tgid, tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	return send_to_thread(0, tid, sig, SI_TKILL);
}

long sys_tgkill(int tgid, int tid, int sig)
{
	return tgid <= 0 ? -EINVAL : send_to_thread(tgid, tid, sig, SI_TKILL);
}

/* A caller's own siginfo may not claim to come from the kernel or from kill(), except to itself. */
static int info_from_user(struct siginfo *info, uptr_t uinfo, int sig, int pid)
{
	if (copy_obj_from_user(info, uinfo))
		return -EFAULT;
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != current->proc->pid)
		return -EPERM;
	return sig && !valid(sig) ? -EINVAL : 0;
}

long sys_rt_sigqueueinfo(int pid, int sig, uptr_t uinfo)
{
	struct siginfo info;
	int error = info_from_user(&info, uinfo, sig, pid);

	if (error)
		return error;
	return pid <= 0 ? -ESRCH : signal_kill(pid, sig, &info);
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, uptr_t uinfo)
{
	struct siginfo info;
	int error;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	error = info_from_user(&info, uinfo, sig, tgid);
	return error ? error : signal_kill_thread(tgid, tid, sig, &info);
}

/* --- waiting --- */

long sys_rt_sigtimedwait(uptr_t set, uptr_t uinfo, uptr_t timeout, size_t sigsetsize)
{
	u64 deadline_ns = TIME_NEVER, mask;
	struct siginfo info;
	int sig;

	if (sigsetsize != sizeof(mask))
		return -EINVAL;
	if (get_user_u64(&mask, set))
		return -EFAULT;
	if (timeout) {
		u64 ns;
		int error = timespec_from_user(timeout, &ns);

		if (error)
			return error;
		deadline_ns = ns ? time_after_ns(ns) : 0;
	}
	sig = signal_timed_wait(mask & ~UNBLOCKABLE, &info, deadline_ns);
	if (sig > 0 && uinfo && copy_obj_to_user(uinfo, &info))
		return -EFAULT;
	return sig;
}

long sys_restart_syscall(void)
{
	struct restart_block *rb = &current->tp->restart;

	return rb->fn ? rb->fn(rb) : -EINTR;
}
