/*
 * System calls of processes: making, executing, ending and waiting for them; groups and sessions.
 * Manual: clone(2), execve(2), wait4(2), waitid(2), setpgid(2), credentials(7).
 */
#include <arch/uaccess.h>
#include <uapi/abi.h>
#include <core/rcu.h>
#include <fs/vfs.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <proc/calls.h>
#include <syscall/args.h>
#include <syscalls_gen.h>
#include <uapi/resource.h>
#include <uapi/sched.h>
#include <uapi/signal.h>
#include <uapi/times.h>
#include <uapi/wait.h>

/* --- new ones --- */

/* The order of clone's arguments differs between ports: <asm/abi.h> says which. */
long sys_clone(unsigned long a0, uptr_t a1, uptr_t a2, uptr_t a3, uptr_t a4)
{
	struct clone_request r = {
		.flags = (a0 & 0xffffffff) & ~CSIGNAL,
		.exit_signal = (int)(a0 & CSIGNAL),
		.stack = a1,
		.parent_tid = a2,
		.pidfd = a2,
		.child_tid = CLONE_CHILD_TID(a3, a4),
		.tls = CLONE_TLS(a3, a4),
	};

	return proc_clone(&r);
}

long sys_fork(void)
{
	struct clone_request r = { .exit_signal = SIGCHLD };

	return proc_clone(&r);
}

long sys_vfork(void)
{
	struct clone_request r = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };

	return proc_clone(&r);
}

/* What is past the size this kernel knows must be zero. */
static int clone_args_from_user(struct clone_args *a, uptr_t src, size_t size)
{
	memset(a, 0, sizeof(*a));
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(a, src, min(size, sizeof(*a))))
		return -EFAULT;
	for (size_t i = sizeof(*a); i < size; i++) {
		u8 byte;

		if (get_user_u8(&byte, src + i))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

static int check_clone3(const struct clone_args *a)
{
	if (a->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
		return -EINVAL;
	if (a->exit_signal > NSIG || a->flags & CLONE_INTO_CGROUP)
		return -EINVAL;
	if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal)
		return -EINVAL;
	if (!a->stack != !a->stack_size || (a->stack && !user_range_ok(a->stack, a->stack_size)))
		return -EINVAL;
	if (!a->set_tid != !a->set_tid_size)
		return -EINVAL;
	return a->set_tid ? -EPERM : 0;
}

long sys_clone3(uptr_t args, size_t size)
{
	struct clone_args a;
	struct clone_request r;
	int error = clone_args_from_user(&a, args, size);

	if (!error)
		error = check_clone3(&a);
	if (error)
		return error;
	r = (struct clone_request){
		.flags = a.flags,
		.exit_signal = (int)a.exit_signal,
		.stack = a.stack ? a.stack + a.stack_size : 0,
		.parent_tid = a.parent_tid,
		.pidfd = a.pidfd,
		.child_tid = a.child_tid,
		.tls = a.tls,
	};
	return proc_clone(&r);
}

long sys_execve(uptr_t path, uptr_t argv, uptr_t envp)
{
	return proc_exec_user(AT_FDCWD, path, argv, envp, 0);
}

long sys_execveat(int dirfd, uptr_t path, uptr_t argv, uptr_t envp, unsigned int flags)
{
	if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return proc_exec_user(dirfd, path, argv, envp, (int)flags);
}

/* --- ends --- */

long sys_exit(int status)
{
	proc_thread_exit(WSTATUS_EXIT(status));
}

long sys_exit_group(int status)
{
	proc_exit_group(WSTATUS_EXIT(status));
}

/* --- waiting --- */

static int usage_to_user(uptr_t dst, const struct proc_usage *u)
{
	struct rusage ru;

	rusage_fill(&ru, u);
	return copy_obj_to_user(dst, &ru);
}

static void put_group(struct wait_request *w)
{
	if (w->pgrp)
		pid_put(w->pgrp);
}

/* wait4: pid as in waitpid(2). */
static int request_by_pid(struct wait_request *w, int pid)
{
	s32 group = 0;

	w->type = P_ALL;
	if (pid > 0) {
		w->type = P_PID;
		w->id = pid;
	} else if (pid != -1) {
		w->type = P_PGID;
		group = pid ? -pid : proc_pgrp_id(current->proc);
		w->pgrp = pid_get_nr(group);
		if (!w->pgrp)
			return -ECHILD;
	}
	return 0;
}

long sys_wait4(int pid, uptr_t status, int options, uptr_t ru)
{
	struct wait_request w = { .options = (u32)options | WEXITED };
	struct wait_result r;
	long result;

	if ((u32)options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	result = request_by_pid(&w, pid);
	if (result)
		return result;
	result = proc_wait(current->proc, &w, &r);
	put_group(&w);
	if (result <= 0)
		return result;
	if (status && put_user_u32(status, r.status))
		return -EFAULT;
	if (ru && usage_to_user(ru, &r.usage))
		return -EFAULT;
	return result;
}

static int request_by_type(struct wait_request *w, int type, int id)
{
	w->type = type;
	w->id = id;
	switch (type) {
	case P_ALL: return 0;
	case P_PID: return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		w->pgrp = pid_get_nr(id ? id : proc_pgrp_id(current->proc));
		return w->pgrp ? 0 : -ECHILD;
	case P_PIDFD: return id < 0 ? -EINVAL : -EBADF;
	default: return -EINVAL;
	}
}

static int wait_status_value(const struct wait_result *r)
{
	if (r->code == CLD_EXITED || r->code == CLD_STOPPED)
		return (int)(r->status >> 8 & 0xff);
	return r->code == CLD_CONTINUED ? SIGCONT : (int)(r->status & 0x7f);
}

long sys_waitid(int which, int id, uptr_t uinfo, int options, uptr_t ru)
{
	struct wait_request w = { .options = (u32)options };
	struct wait_result r = { 0 };
	struct siginfo info = { 0 };
	long result;

	if ((u32)options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			     __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	result = request_by_type(&w, which, id);
	if (result)
		return result;
	result = proc_wait(current->proc, &w, &r);
	put_group(&w);
	if (result < 0)
		return result;
	if (result > 0) {
		info.si_signo = SIGCHLD;
		info.si_code = r.code;
		info.si_child_pid = r.pid;
		info.si_child_uid = r.uid;
		info.si_status = wait_status_value(&r);
		if (ru && usage_to_user(ru, &r.usage))
			return -EFAULT;
	}
	/* Only as far as the fields that are filled in. */
	return uinfo ? copy_to_user(uinfo, &info, offsetof(struct siginfo, pad2_)) : 0;
}

/* --- numbers --- */

long sys_getpid(void)
{
	return current->proc->pid;
}

long sys_gettid(void)
{
	return current->tid;
}

long sys_getppid(void)
{
	long pid;

	rcu_read_lock();
	pid = rcu_dereference(current->proc->parent)->pid;
	rcu_read_unlock();
	return pid;
}

long sys_getpgrp(void)
{
	return proc_pgrp_id(current->proc);
}

static long id_of(int pid, s32 (*get)(const struct proc *))
{
	struct proc *p;
	long id;

	if (!pid)
		return get(current->proc);
	p = proc_get_by_pid(pid);
	if (!p)
		return -ESRCH;
	id = get(p);
	proc_put(p);
	return id ? id : -ESRCH;
}

long sys_getpgid(int pid)
{
	return id_of(pid, proc_pgrp_id);
}

long sys_getsid(int pid)
{
	return id_of(pid, proc_session_id);
}

long sys_setpgid(int pid, int pgid)
{
	return pid < 0 ? -EINVAL : proc_set_pgrp_of(pid, pgid);
}

long sys_setsid(void)
{
	return proc_new_session();
}

long sys_set_tid_address(uptr_t tidptr)
{
	current->tp->clear_child_tid = tidptr;
	return current->tid;
}

/* Namespaces are not built in: only what threads share can be given up. */
long sys_unshare(unsigned long flags)
{
	struct fs_context *fs;
	int error;

	if (flags & CLONE_NAMESPACES)
		return fs_capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	if (flags &
	    ~(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM))
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && current->proc->nr_threads > 1)
		return -EINVAL;
	if (flags & CLONE_FILES) {
		error = files_unshare();
		if (error)
			return error;
	}
	if ((flags & CLONE_FS) && refcount_read(&current->fs->refs) > 1) {
		error = fs_context_fork(current->fs, &fs);
		if (error)
			return error;
		fs_context_put(current->fs);
		current->fs = fs;
	}
	return 0;
}
