/*
 * System calls of the scheduler: policies, priorities, affinity.
 *
 * A target is found under rcu and kept by a reference while it is changed.
 *
 * Locks: none of its own. Leaves out: SCHED_DEADLINE, utilisation clamps (sched_setattr: -EINVAL).
 * Manual: sched(7), sched_setscheduler(2), sched_setattr(2), sched_setaffinity(2), getpriority(2).
 */
#include <arch/uaccess.h>
#include <core/irq.h>
#include <core/rcu.h>
#include <core/timespec.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <proc/proc.h>
#include <sched/thread.h>
#include <syscalls_gen.h>
#include <uapi/capability.h>
#include <uapi/resource.h>
#include <uapi/sched.h>

/* The thread with that number (0: current) with a reference. 0, -ESRCH, -EINVAL (negative). */
static int find_thread(int tid, struct thread **out)
{
	struct thread *t;

	if (tid < 0)
		return -EINVAL;
	rcu_read_lock();
	t = thread_get_live(tid ? proc_find_thread(tid) : current);
	rcu_read_unlock();
	if (!t)
		return -ESRCH;
	*out = t;
	return 0;
}

/* May current change t's scheduling? */
static bool may_change(struct thread *t)
{
	u32 euid = current->cred->euid;
	bool same;

	rcu_read_lock();
	same = euid == t->cred->euid || euid == t->cred->uid;
	rcu_read_unlock();
	return same || capable(CAP_SYS_NICE);
}

static bool may_raise_nice(int nice)
{
	return (u64)(20 - nice) <= proc_limit(RLIMIT_NICE) || capable(CAP_SYS_NICE);
}

long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}

struct sched_change {
	int policy, priority, nice;
	bool reset_on_fork;
};

static bool is_rt_policy(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static int check_values(const struct sched_change *c)
{
	if (is_rt_policy(c->policy))
		return c->priority < 1 || c->priority > 99 ? -EINVAL : 0;
	if (c->policy != SCHED_OTHER && c->policy != SCHED_BATCH && c->policy != SCHED_IDLE)
		return -EINVAL;
	return c->priority ? -EINVAL : 0;
}

static int check_permission(struct thread *t, const struct sched_change *c)
{
	if (capable(CAP_SYS_NICE))
		return 0;
	if (!may_change(t))
		return -EPERM;
	if (is_rt_policy(c->policy)) {
		u64 limit = proc_limit(RLIMIT_RTPRIO);

		if (c->policy != t->se.policy && !limit)
			return -EPERM;
		if (c->priority > t->se.rt_priority && (u64)c->priority > limit)
			return -EPERM;
	} else if (c->nice < t->se.nice && !may_raise_nice(c->nice)) {
		return -EPERM;
	}
	if (t->se.policy == SCHED_IDLE && c->policy != SCHED_IDLE && !may_raise_nice(t->se.nice))
		return -EPERM;
	return t->se.reset_on_fork && !c->reset_on_fork ? -EPERM : 0;
}

static int change(struct thread *t, const struct sched_change *c)
{
	int error = check_values(c);

	if (!error)
		error = check_permission(t, c);
	if (!error)
		error = sched_set_policy(t, c->policy, c->priority);
	if (error)
		return error;
	t->se.reset_on_fork = c->reset_on_fork;
	if (!is_rt_policy(c->policy) && c->nice != t->se.nice)
		return sched_set_nice(t, c->nice);
	return 0;
}

/* policy -1: keep. */
static long set_scheduler(int pid, int policy, uptr_t param)
{
	struct sched_param p;
	struct sched_change c;
	struct thread *t;
	int error;

	if (!param || pid < 0)
		return -EINVAL;
	if (copy_obj_from_user(&p, param))
		return -EFAULT;
	error = find_thread(pid, &t);
	if (error)
		return error;
	c.reset_on_fork = policy == -1 ? t->se.reset_on_fork : policy & SCHED_RESET_ON_FORK;
	c.policy = policy == -1 ? t->se.policy : policy & ~SCHED_RESET_ON_FORK;
	c.priority = p.sched_priority;
	c.nice = t->se.nice;
	error = change(t, &c);
	thread_put(t);
	return error;
}

long sys_sched_setscheduler(int pid, int policy, uptr_t param)
{
	return policy < 0 ? -EINVAL : set_scheduler(pid, policy, param);
}

long sys_sched_setparam(int pid, uptr_t param)
{
	return set_scheduler(pid, -1, param);
}

long sys_sched_getscheduler(int pid)
{
	struct thread *t;
	long ret = find_thread(pid, &t);

	if (ret)
		return ret;
	ret = t->se.policy | (t->se.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	thread_put(t);
	return ret;
}

long sys_sched_getparam(int pid, uptr_t param)
{
	struct sched_param p;
	struct thread *t;
	int error;

	if (!param)
		return -EINVAL;
	error = find_thread(pid, &t);
	if (error)
		return error;
	p.sched_priority = t->se.rt_priority;
	thread_put(t);
	return copy_obj_to_user(param, &p);
}

/* The structure's size is the caller's: shorter ones are filled with zeroes, longer ones must be zero. */
static int attr_from_user(struct sched_attr *a, uptr_t attr)
{
	u32 size;

	if (get_user_u32(&size, attr))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > 4096)
		goto bad_size;
	memset(a, 0, sizeof(*a));
	if (copy_from_user(a, attr, size < sizeof(*a) ? size : sizeof(*a)))
		return -EFAULT;
	for (u32 i = sizeof(*a); i < size; i++) {
		u8 byte;

		if (get_user_u8(&byte, attr + i))
			return -EFAULT;
		if (byte)
			goto bad_size;
	}
	return 0;
bad_size:
	return put_user_u32(attr, sizeof(*a)) ? -EFAULT : -E2BIG;
}

long sys_sched_setattr(int pid, uptr_t attr, unsigned int flags)
{
	struct sched_change c;
	struct sched_attr a;
	struct thread *t;
	int error;

	if (!attr || pid < 0 || flags)
		return -EINVAL;
	error = attr_from_user(&a, attr);
	if (error)
		return error;
	if ((s32)a.sched_policy < 0 || (a.sched_flags & ~(u64)SCHED_FLAG_RESET_ON_FORK))
		return -EINVAL;
	error = find_thread(pid, &t);
	if (error)
		return error;
	c.policy = (int)a.sched_policy;
	c.priority = (int)a.sched_priority;
	c.nice = a.sched_nice < -20 ? -20 : a.sched_nice > 19 ? 19 : a.sched_nice;
	c.reset_on_fork = a.sched_flags & SCHED_FLAG_RESET_ON_FORK;
	error = change(t, &c);
	thread_put(t);
	return error;
}

long sys_sched_getattr(int pid, uptr_t attr, unsigned int size, unsigned int flags)
{
	struct sched_attr a = { 0 };
	struct thread *t;
	int error;

	if (!attr || pid < 0 || flags || size < SCHED_ATTR_SIZE_VER0 || size > 4096)
		return -EINVAL;
	error = find_thread(pid, &t);
	if (error)
		return error;
	a.size = size < sizeof(a) ? size : sizeof(a);
	a.sched_policy = t->se.policy;
	a.sched_flags = t->se.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_rt_policy(t->se.policy))
		a.sched_priority = t->se.rt_priority;
	else
		a.sched_nice = t->se.nice;
	a.sched_util_max = 1024;
	thread_put(t);
	return copy_to_user(attr, &a, a.size);
}

long sys_sched_get_priority_max(int policy)
{
	if (is_rt_policy(policy))
		return 99;
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ||
			       policy == SCHED_DEADLINE
		       ? 0
		       : -EINVAL;
}

long sys_sched_get_priority_min(int policy)
{
	return is_rt_policy(policy) ? 1 : sys_sched_get_priority_max(policy);
}

long sys_sched_rr_get_interval(int pid, uptr_t interval)
{
	struct thread *t;
	int error = find_thread(pid, &t);
	u64 ns;

	if (error)
		return error;
	ns = sched_rr_slice_ns(t);
	thread_put(t);
	return timespec_to_user(interval, ns);
}

long sys_sched_setaffinity(int pid, unsigned int len, uptr_t umask)
{
	u64 mask = 0;
	struct thread *t;
	int error;

	if (copy_from_user(&mask, umask, len < sizeof(mask) ? len : sizeof(mask)))
		return -EFAULT;
	error = find_thread(pid, &t);
	if (error == -EINVAL)
		return -ESRCH;
	if (error)
		return error;
	error = may_change(t) ? sched_set_affinity(t, mask) : -EPERM;
	thread_put(t);
	return error;
}

long sys_sched_getaffinity(int pid, unsigned int len, uptr_t umask)
{
	struct thread *t;
	u64 mask;
	int error;

	if ((u64)len * 8 < MAX_CPUS || len % sizeof(long))
		return -EINVAL;
	error = find_thread(pid, &t);
	if (error)
		return error == -EINVAL ? -ESRCH : error;
	mask = t->affinity & READ_ONCE(cpu_online_mask);
	thread_put(t);
	return copy_obj_to_user(umask, &mask) ? -EFAULT : (long)sizeof(mask);
}

long sys_getcpu(uptr_t cpu, uptr_t node, uptr_t unused)
{
	(void)unused;
	if (cpu && put_user_u32(cpu, this_cpu()))
		return -EFAULT;
	return node && put_user_u32(node, 0) ? -EFAULT : 0;
}

struct prio_walk {
	int which, who;
	u32 uid;
	bool set;
	int nice; /* to set, or the best found (lowest) */
	int error; /* -ESRCH until one is found */
};

static bool prio_matches(struct thread *t, const struct prio_walk *w)
{
	if (!t->proc || t->state == TS_DEAD)
		return false;
	if (w->which == PRIO_USER)
		return t->cred && t->cred->uid == w->uid;
	return proc_pgrp_id(t->proc) == w->who;
}

static int set_one_nice(struct thread *t, int nice)
{
	if (!may_change(t))
		return -EPERM;
	if (nice < t->se.nice && !may_raise_nice(nice))
		return -EACCES;
	return sched_set_nice(t, nice);
}

static void prio_one(struct thread *t, struct prio_walk *w)
{
	if (w->set) {
		int error = set_one_nice(t, w->nice);

		if (w->error == -ESRCH || error)
			w->error = error;
		return;
	}
	if (w->error || t->se.nice < w->nice)
		w->nice = t->se.nice;
	w->error = 0;
}

static bool prio_visit(struct thread *t, void *arg)
{
	struct prio_walk *w = arg;

	if (prio_matches(t, w))
		prio_one(t, w);
	return true;
}

static int prio_walk(struct prio_walk *w)
{
	struct thread *t;

	w->error = -ESRCH;
	if (w->which < PRIO_PROCESS || w->which > PRIO_USER)
		return -EINVAL;
	if (w->which == PRIO_PROCESS) {
		if (find_thread(w->who, &t))
			return -ESRCH;
		prio_one(t, w);
		thread_put(t);
		return w->error;
	}
	w->uid = w->who ? (u32)w->who : current->cred->uid;
	if (w->which == PRIO_PGRP && !w->who)
		w->who = proc_pgrp_id(current->proc);
	thread_for_each(prio_visit, w);
	return w->error;
}

long sys_getpriority(int which, int who)
{
	struct prio_walk w = { .which = which, .who = who };
	int error = prio_walk(&w);

	return error ? error : 20 - w.nice;
}

long sys_setpriority(int which, int who, int prio)
{
	struct prio_walk w = { .which = which, .who = who, .set = true };

	w.nice = prio < -20 ? -20 : prio > 19 ? 19 : prio;
	return prio_walk(&w);
}
