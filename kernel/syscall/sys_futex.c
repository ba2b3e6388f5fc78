/*
 * futex(2) and the robust list: decoding.
 *
 * Locks: none. Leaves out: FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, futex_waitv(2).
 */
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <core/timespec.h>
#include <lib/errno.h>
#include <proc/futex.h>
#include <proc/proc.h>
#include <sched/thread.h>
#include <syscalls_gen.h>
#include <uapi/capability.h>
#include <uapi/futex.h>

/* The timeout argument as a monotonic deadline. 0, -EFAULT, -EINVAL. */
static int get_deadline(int cmd, bool realtime, uptr_t timeout, u64 *deadline)
{
	u64 ns;
	int error;

	*deadline = TIME_NEVER;
	if (!timeout)
		return 0;
	error = timespec_from_user(timeout, &ns);
	if (error)
		return error;
	if (cmd == FUTEX_WAIT)
		*deadline = time_after_ns(ns);
	else if (realtime || cmd == FUTEX_LOCK_PI)
		*deadline = time_from_realtime(ns);
	else
		*deadline = ns;
	return 0;
}

long sys_futex(uptr_t uaddr, int op, u32 val, uptr_t timeout, uptr_t uaddr2, u32 val3)
{
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	int cmd = op & FUTEX_CMD_MASK, error;
	int val2 = (int)timeout; /* where the fourth argument is a number */
	u64 deadline = TIME_NEVER;

	if (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
	    cmd == FUTEX_LOCK_PI2) {
		error = get_deadline(cmd, realtime, timeout, &deadline);
		if (error)
			return error;
	}
	if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT: return futex_wait(uaddr, shared, val, deadline, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET: return futex_wait(uaddr, shared, val, deadline, val3);
	case FUTEX_WAKE: return futex_wake(uaddr, shared, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET: return futex_wake(uaddr, shared, (int)val, val3);
	case FUTEX_REQUEUE: return futex_requeue(uaddr, shared, uaddr2, (int)val, val2, NULL);
	case FUTEX_CMP_REQUEUE: return futex_requeue(uaddr, shared, uaddr2, (int)val, val2, &val3);
	case FUTEX_WAKE_OP: return futex_wake_op(uaddr, shared, uaddr2, (int)val, val2, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2: return futex_lock_pi(uaddr, shared, deadline, false);
	case FUTEX_TRYLOCK_PI: return futex_lock_pi(uaddr, shared, TIME_NEVER, true);
	case FUTEX_UNLOCK_PI: return futex_unlock_pi(uaddr, shared);
	default: return -ENOSYS;
	}
}

long sys_set_robust_list(uptr_t head, size_t len)
{
	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	current->tp->robust_list = head;
	current->tp->robust_len = len;
	return 0;
}

long sys_get_robust_list(int pid, uptr_t head_out, uptr_t len_out)
{
	struct thread *t = current;
	u64 head = 0, len = sizeof(struct robust_list_head);
	int error = 0;

	rcu_read_lock();
	if (pid)
		t = proc_find_thread(pid);
	if (!t || !t->tp)
		error = -ESRCH;
	else if (t->proc != current->proc && !capable(CAP_SYS_PTRACE) &&
		 t->cred->uid != current->cred->euid)
		error = -EPERM;
	else
		head = t->tp->robust_list;
	rcu_read_unlock();
	if (error)
		return error;
	return put_user_u64(len_out, len) || put_user_u64(head_out, head) ? -EFAULT : 0;
}
