/*
 * System calls about memory that reach beyond the caller: barriers on other CPUs, another process's
 * memory. Manual: membarrier(2), process_vm_readv(2).
 */
#include <arch/uaccess.h>
#include <core/irq.h>
#include <core/rcu.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <mm/uio.h>
#include <proc/cred.h>
#include <proc/proc.h>
#include <sched/thread.h>
#include <uapi/capability.h>
#include <uapi/mman.h>
#include <uapi/uio.h>
#include <syscalls_gen.h>

/* --- membarrier --- */

#define SUPPORTED                                                                                  \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                                 \
	 MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |             \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |  \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

static void barrier_here(void *unused)
{
	smp_mb(); /* the interrupt's return serialises the instruction stream too */
}

static long barrier_on(unsigned long cpus)
{
	smp_mb();
	preempt_disable();
	if (cpus & ~BIT(this_cpu()))
		smp_call(cpus & ~BIT(this_cpu()), barrier_here, NULL);
	preempt_enable();
	smp_mb();
	return 0;
}

static long private_barrier(u32 registration)
{
	struct mm *mm = current->mm;

	if (!(mm->membarrier & registration))
		return -EPERM;
	return barrier_on(READ_ONCE(mm->cpumask));
}

long sys_membarrier(int cmd, unsigned int flags, int cpu)
{
	struct mm *mm = current->mm;

	if (flags)
		return -EINVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY: return SUPPORTED;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED: return barrier_on(READ_ONCE(cpu_online_mask));
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return private_barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return private_barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		__atomic_fetch_or(&mm->membarrier, (u32)cmd, __ATOMIC_SEQ_CST);
		return 0;
	default: return -EINVAL;
	}
}

/* --- process_vm_readv, process_vm_writev --- */

#define PIECE 4096ul
#define VEC_MAX 1024 /* UIO_MAXIOV */

struct vec_list {
	struct iovec fast[8], *vec;
	size_t total;
};

static int vec_import(struct vec_list *l, uptr_t uvec, unsigned long n)
{
	l->vec = l->fast;
	l->total = 0;
	if (n > VEC_MAX)
		return -EINVAL;
	if (n > ARRAY_SIZE(l->fast)) {
		l->vec = kmalloc(n * sizeof(*l->vec), ALLOC_KERNEL);
		if (!l->vec)
			return -ENOMEM;
	}
	if (n && copy_from_user(l->vec, uvec, n * sizeof(*l->vec)))
		return -EFAULT;
	for (unsigned long i = 0; i < n; i++) {
		if ((ssize_t)l->vec[i].iov_len < 0)
			return -EINVAL;
		l->total += l->vec[i].iov_len;
	}
	return 0;
}

static void vec_free(struct vec_list *l)
{
	if (l->vec != l->fast)
		kfree(l->vec);
}

/* As for ptrace: the same user in every respect, or the capability. */
static bool may_access(struct proc *p)
{
	const struct cred *me = current->cred, *it;
	bool same;

	if (p == current->proc || capable(CAP_SYS_PTRACE))
		return true;
	rcu_read_lock();
	it = p->leader ? p->leader->cred : NULL;
	same = it && me->uid == it->uid && me->uid == it->euid && me->uid == it->suid &&
	       me->gid == it->gid && me->gid == it->egid && me->gid == it->sgid && p->dumpable;
	rcu_read_unlock();
	return same;
}

static int get_target(int pid, struct mm **out)
{
	struct proc *p = proc_get_by_pid(pid);
	int err = 0;

	if (!p)
		return -ESRCH;
	if (!may_access(p)) {
		err = -EPERM;
	} else {
		*out = proc_get_mm(p);
		if (!*out)
			err = -ESRCH;
	}
	proc_put(p);
	return err;
}

/* Bytes moved; stops at the first that cannot be. */
static size_t transfer(struct mm *mm, struct uio *u, const struct vec_list *remote, unsigned long n,
		       bool write, char *buf)
{
	size_t done = 0;

	for (unsigned long i = 0; i < n && u->resid; i++) {
		size_t off = 0, len = remote->vec[i].iov_len;

		while (off < len && u->resid) {
			size_t want = min(min(len - off, PIECE), u->resid), got;
			uptr_t at = remote->vec[i].iov_base + off;

			if (write) {
				got = uio_copy_from(u, buf, want);
				got = mm_access_checked(mm, at, buf, got, true);
			} else {
				got = mm_access_checked(mm, at, buf, want, false);
				got = uio_copy_to(u, buf, got);
			}
			done += got;
			off += got;
			if (got < want)
				return done;
		}
	}
	return done;
}

static long process_vm(int pid, uptr_t lvec, unsigned long ln, uptr_t rvec, unsigned long rn,
		       unsigned long flags, bool write)
{
	struct vec_list local = { .vec = local.fast }, remote = { .vec = remote.fast };
	struct mm *mm = NULL;
	struct uio u;
	size_t done = 0;
	char *buf = NULL;
	long ret;

	if (flags)
		return -EINVAL;
	ret = vec_import(&local, lvec, ln);
	if (!ret)
		ret = vec_import(&remote, rvec, rn);
	if (ret || !local.total || !remote.total)
		goto out;
	ret = get_target(pid, &mm);
	if (ret)
		goto out;
	buf = kmalloc(PIECE, ALLOC_KERNEL);
	if (!buf) {
		ret = -ENOMEM;
		goto out;
	}
	BUILD_ASSERT(sizeof(struct uio_vec) == sizeof(struct iovec));
	uio_init_vec(&u, (struct uio_vec *)local.vec, (unsigned)ln, true);
	done = transfer(mm, &u, &remote, rn, write, buf);
	ret = done ? (long)done : -EFAULT;
out:
	kfree(buf);
	mm_put(mm);
	vec_free(&local);
	vec_free(&remote);
	return ret;
}

long sys_process_vm_readv(int pid, uptr_t lvec, unsigned long liovcnt, uptr_t rvec,
			  unsigned long riovcnt, unsigned long flags)
{
	return process_vm(pid, lvec, liovcnt, rvec, riovcnt, flags, false);
}

long sys_process_vm_writev(int pid, uptr_t lvec, unsigned long liovcnt, uptr_t rvec,
			   unsigned long riovcnt, unsigned long flags)
{
	return process_vm(pid, lvec, liovcnt, rvec, riovcnt, flags, true);
}
