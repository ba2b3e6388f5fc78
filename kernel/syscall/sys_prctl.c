/*
 * prctl(2): what there is of it; and personality(2). Unknown options are -EINVAL.
 * Leaves out: seccomp, PR_SET_MM, speculation controls, timing and machine-check options.
 */
#include <arch/uaccess.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <proc/proc.h>
#include <syscalls_gen.h>
#include <uapi/capability.h>
#include <uapi/prctl.h>
#include <uapi/signal.h>

#define PER_QUERY 0xffffffffu

static long set_name(uptr_t src)
{
	char name[sizeof(current->comm)] = { 0 };
	ssize_t n = copy_string_from_user(name, src, sizeof(name) - 1);

	if (n == -EFAULT)
		return -EFAULT;
	memcpy(current->comm, name, sizeof(name));
	return 0;
}

static long get_name(uptr_t dst)
{
	return copy_to_user(dst, current->comm, sizeof(current->comm));
}

static long set_securebits(unsigned long bits)
{
	struct cred *c;
	int error;

	if (!capable(CAP_SETPCAP))
		return -EPERM;
	if (bits & ~(unsigned long)(SECURE_ALL_BITS | SECURE_ALL_LOCKS))
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	c->securebits = (u32)bits;
	cred_publish(c);
	return 0;
}

static long set_keepcaps(unsigned long on)
{
	struct cred *c;
	int error;

	if (on > 1)
		return -EINVAL;
	error = cred_copy(&c);
	if (error)
		return error;
	c->securebits &= ~SECBIT_KEEP_CAPS;
	if (on)
		c->securebits |= SECBIT_KEEP_CAPS;
	cred_publish(c);
	return 0;
}

static long drop_bounding(unsigned long cap)
{
	struct cred *c;
	int error;

	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	if (!capable(CAP_SETPCAP))
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	c->cap_bounding &= ~(1ull << cap);
	cred_publish(c);
	return 0;
}

static int ambient_apply(struct cred *c, unsigned long op, unsigned long cap)
{
	u64 bit = 1ull << cap;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		c->cap_ambient = 0;
	} else if (op == PR_CAP_AMBIENT_LOWER) {
		c->cap_ambient &= ~bit;
	} else {
		if (!(c->cap_permitted & c->cap_inheritable & bit) ||
		    (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		c->cap_ambient |= bit;
	}
	return 0;
}

static long ambient(unsigned long op, unsigned long cap)
{
	struct cred *c;
	int error;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL ? cap != 0 : cap > CAP_LAST_CAP)
		return -EINVAL;
	if (op == PR_CAP_AMBIENT_IS_SET)
		return !!(current->cred->cap_ambient & (1ull << cap));
	if (op < PR_CAP_AMBIENT_RAISE || op > PR_CAP_AMBIENT_CLEAR_ALL)
		return -EINVAL;
	error = cred_copy(&c);
	if (error)
		return error;
	error = ambient_apply(c, op, cap);
	if (error)
		cred_put(c);
	else
		cred_publish(c);
	return error;
}

/* Options of credentials; -ENOSYS: not one of them. */
static long prctl_cred(int option, unsigned long a2, unsigned long a3)
{
	switch (option) {
	case PR_GET_KEEPCAPS: return !!(current->cred->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS: return set_keepcaps(a2);
	case PR_GET_SECUREBITS: return current->cred->securebits;
	case PR_SET_SECUREBITS: return set_securebits(a2);
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : !!(current->cred->cap_bounding & (1ull << a2));
	case PR_CAPBSET_DROP: return drop_bounding(a2);
	case PR_CAP_AMBIENT: return ambient(a2, a3);
	default: return -ENOSYS;
	}
}

static long set_pdeathsig(unsigned long sig)
{
	if (sig > NSIG)
		return -EINVAL;
	current->tp->pdeath_signal = (int)sig;
	return 0;
}

long sys_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct proc *p = current->proc;
	long result = prctl_cred(option, a2, a3);

	if (result != -ENOSYS)
		return result;
	switch (option) {
	case PR_SET_PDEATHSIG: return set_pdeathsig(a2);
	case PR_GET_PDEATHSIG: return put_user_u32(a2, (u32)current->tp->pdeath_signal);
	case PR_GET_DUMPABLE: return p->dumpable;
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		p->dumpable = a2;
		return 0;
	case PR_SET_NAME: return set_name(a2);
	case PR_GET_NAME: return get_name(a2);
	case PR_SET_CHILD_SUBREAPER: p->is_subreaper = a2; return 0;
	case PR_GET_CHILD_SUBREAPER: return put_user_u32(a2, p->is_subreaper);
	case PR_SET_NO_NEW_PRIVS:
		if (a2 != 1 || a3 || a4 || a5)
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS: return a2 || a3 || a4 || a5 ? -EINVAL : p->no_new_privs;
	case PR_GET_TID_ADDRESS: return put_user_u64(a2, current->tp->clear_child_tid);
	case PR_GET_TIMERSLACK: return 50000;
	case PR_SET_TIMERSLACK: /* timers are exact anyway */
	case PR_SET_THP_DISABLE: return 0;
	case PR_GET_THP_DISABLE:
	case PR_GET_SECCOMP: return 0;
	default: return -EINVAL;
	}
}

long sys_personality(unsigned int persona)
{
	u32 old = current->proc->personality;

	if (persona != PER_QUERY)
		current->proc->personality = persona;
	return old;
}
