/*
 * System calls of credentials: user and group ids, supplementary groups, capabilities.
 * A change is made in a copy that becomes the thread's; other threads of the process are changed by the C
 * library. Manual: credentials(7), setuid(2), setresuid(2), setgroups(2), capget(2), capabilities(7).
 */
#include <arch/uaccess.h>
#include <core/rcu.h>
#include <lib/errno.h>
#include <lib/sort.h>
#include <mm/slab.h>
#include <proc/proc.h>
#include <syscalls_gen.h>

#define KEEP (~0u) /* -1 in setre*id: unchanged */
#define NGROUPS_MAX 65536

long sys_getuid(void)
{
	return current->cred->uid;
}
long sys_geteuid(void)
{
	return current->cred->euid;
}
long sys_getgid(void)
{
	return current->cred->gid;
}
long sys_getegid(void)
{
	return current->cred->egid;
}

static long put_three(uptr_t a, uptr_t b, uptr_t c, u32 x, u32 y, u32 z)
{
	return put_user_u32(a, x) || put_user_u32(b, y) || put_user_u32(c, z) ? -EFAULT : 0;
}

long sys_getresuid(uptr_t ruid, uptr_t euid, uptr_t suid)
{
	const struct cred *c = current->cred;

	return put_three(ruid, euid, suid, c->uid, c->euid, c->suid);
}

long sys_getresgid(uptr_t rgid, uptr_t egid, uptr_t sgid)
{
	const struct cred *c = current->cred;

	return put_three(rgid, egid, sgid, c->gid, c->egid, c->sgid);
}

/* Capabilities follow the change of user ids between root and others. */
static void fix_caps(struct cred *c, const struct cred *old)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if ((!old->uid || !old->euid || !old->suid) && c->uid && c->euid && c->suid) {
		if (!(c->securebits & SECBIT_KEEP_CAPS)) {
			c->cap_permitted = 0;
			c->cap_effective = 0;
		}
		c->cap_ambient = 0;
	}
	if (!old->euid && c->euid)
		c->cap_effective = 0;
	if (old->euid && !c->euid)
		c->cap_effective = c->cap_permitted;
}

static long publish(struct cred *c)
{
	fix_caps(c, current->cred);
	cred_publish(c);
	return 0;
}

static bool one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == a || id == b || id == c;
}

long sys_setuid(unsigned int uid)
{
	const struct cred *old = current->cred;
	struct cred *c;
	int error;

	if (uid == KEEP)
		return -EINVAL;
	if (!capable(CAP_SETUID) && uid != old->uid && uid != old->suid)
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	if (capable(CAP_SETUID))
		c->uid = c->suid = uid;
	c->euid = c->fsuid = uid;
	return publish(c);
}

long sys_setgid(unsigned int gid)
{
	const struct cred *old = current->cred;
	struct cred *c;
	int error;

	if (gid == KEEP)
		return -EINVAL;
	if (!capable(CAP_SETGID) && gid != old->gid && gid != old->sgid)
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	if (capable(CAP_SETGID))
		c->gid = c->sgid = gid;
	c->egid = c->fsgid = gid;
	return publish(c);
}

long sys_setresuid(unsigned int ruid, unsigned int euid, unsigned int suid)
{
	const struct cred *o = current->cred;
	struct cred *c;
	int error;

	if (!capable(CAP_SETUID) && ((ruid != KEEP && !one_of(ruid, o->uid, o->euid, o->suid)) ||
				     (euid != KEEP && !one_of(euid, o->uid, o->euid, o->suid)) ||
				     (suid != KEEP && !one_of(suid, o->uid, o->euid, o->suid))))
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	if (ruid != KEEP)
		c->uid = ruid;
	if (euid != KEEP)
		c->euid = euid;
	if (suid != KEEP)
		c->suid = suid;
	c->fsuid = c->euid;
	return publish(c);
}

long sys_setresgid(unsigned int rgid, unsigned int egid, unsigned int sgid)
{
	const struct cred *o = current->cred;
	struct cred *c;
	int error;

	if (!capable(CAP_SETGID) && ((rgid != KEEP && !one_of(rgid, o->gid, o->egid, o->sgid)) ||
				     (egid != KEEP && !one_of(egid, o->gid, o->egid, o->sgid)) ||
				     (sgid != KEEP && !one_of(sgid, o->gid, o->egid, o->sgid))))
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	if (rgid != KEEP)
		c->gid = rgid;
	if (egid != KEEP)
		c->egid = egid;
	if (sgid != KEEP)
		c->sgid = sgid;
	c->fsgid = c->egid;
	return publish(c);
}

long sys_setreuid(unsigned int ruid, unsigned int euid)
{
	const struct cred *o = current->cred;
	struct cred *c;
	int error;

	if (!capable(CAP_SETUID) && ((ruid != KEEP && ruid != o->uid && ruid != o->euid) ||
				     (euid != KEEP && !one_of(euid, o->uid, o->euid, o->suid))))
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	if (ruid != KEEP)
		c->uid = ruid;
	if (euid != KEEP)
		c->euid = euid;
	if (ruid != KEEP || (euid != KEEP && euid != o->uid))
		c->suid = c->euid;
	c->fsuid = c->euid;
	return publish(c);
}

long sys_setregid(unsigned int rgid, unsigned int egid)
{
	const struct cred *o = current->cred;
	struct cred *c;
	int error;

	if (!capable(CAP_SETGID) && ((rgid != KEEP && rgid != o->gid && rgid != o->egid) ||
				     (egid != KEEP && !one_of(egid, o->gid, o->egid, o->sgid))))
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	if (rgid != KEEP)
		c->gid = rgid;
	if (egid != KEEP)
		c->egid = egid;
	if (rgid != KEEP || (egid != KEEP && egid != o->gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	return publish(c);
}

/* Capabilities over files go with fsuid. */
#define FS_CAPS                                                                                    \
	(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH |              \
	 1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_MKNOD | 1ull << CAP_MAC_OVERRIDE |  \
	 1ull << CAP_LINUX_IMMUTABLE)

/* These two return the old id, whether it was changed or not. */
long sys_setfsuid(unsigned int uid)
{
	const struct cred *o = current->cred;
	u32 before = o->fsuid;
	struct cred *c;

	if (uid == KEEP || uid == before ||
	    (!capable(CAP_SETUID) && uid != o->fsuid && !one_of(uid, o->uid, o->euid, o->suid)))
		return before;
	if (cred_copy(&c))
		return before;
	c->fsuid = uid;
	if (!(c->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (!before && uid)
			c->cap_effective &= ~FS_CAPS;
		if (before && !uid)
			c->cap_effective |= c->cap_permitted & FS_CAPS;
	}
	cred_publish(c);
	return before;
}

long sys_setfsgid(unsigned int gid)
{
	const struct cred *o = current->cred;
	u32 before = o->fsgid;
	struct cred *c;

	if (gid == KEEP || gid == before ||
	    (!capable(CAP_SETGID) && gid != o->fsgid && !one_of(gid, o->gid, o->egid, o->sgid)))
		return before;
	if (cred_copy(&c))
		return before;
	c->fsgid = gid;
	cred_publish(c);
	return before;
}

long sys_getgroups(int size, uptr_t list)
{
	const struct cred *c = current->cred;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return c->ngroups;
	if ((u32)size < c->ngroups)
		return -EINVAL;
	if (c->ngroups && copy_to_user(list, c->groups, c->ngroups * sizeof(u32)))
		return -EFAULT;
	return c->ngroups;
}

static int compare_ids(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

long sys_setgroups(int size, uptr_t list)
{
	u32 *groups = NULL;
	struct cred *c;
	int error;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if ((unsigned)size > NGROUPS_MAX)
		return -EINVAL;
	if (size) {
		groups = kmalloc((size_t)size * sizeof(u32), 0);
		if (!groups)
			return -ENOMEM;
		if (copy_from_user(groups, list, (size_t)size * sizeof(u32))) {
			kfree(groups);
			return -EFAULT;
		}
		sort(groups, (size_t)size, sizeof(u32), compare_ids);
	}
	error = cred_copy(&c);
	if (error) {
		kfree(groups);
		return error;
	}
	kfree(c->groups);
	c->groups = groups;
	c->ngroups = (u32)size;
	cred_publish(c);
	return 0;
}

/* --- capabilities --- */

static unsigned cap_words(u32 version)
{
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1: return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3: return 2;
	default: return 0;
	}
}

/* An unknown version is answered with the one preferred here. */
static int read_header(uptr_t hdr, struct cap_header *h, unsigned *words)
{
	if (copy_obj_from_user(h, hdr))
		return -EFAULT;
	*words = cap_words(h->version);
	if (*words)
		return 0;
	h->version = _LINUX_CAPABILITY_VERSION_3;
	return copy_obj_to_user(hdr, h) ? -EFAULT : -EINVAL;
}

long sys_capget(uptr_t hdr, uptr_t data)
{
	struct cap_data d[2];
	struct cap_header h;
	struct thread *t;
	unsigned words;
	int error = read_header(hdr, &h, &words);

	if (error)
		return error == -EINVAL && !data ? 0 : error;
	if (h.pid < 0)
		return -EINVAL;
	rcu_read_lock();
	t = h.pid ? proc_find_thread(h.pid) : current;
	if (t && t->cred) {
		const struct cred *c = rcu_dereference(t->cred);

		for (unsigned i = 0; i < 2; i++)
			d[i] = (struct cap_data){ (u32)(c->cap_effective >> (32 * i)),
						  (u32)(c->cap_permitted >> (32 * i)),
						  (u32)(c->cap_inheritable >> (32 * i)) };
	} else {
		error = -ESRCH;
	}
	rcu_read_unlock();
	if (error || !data)
		return error;
	return copy_to_user(data, d, words * sizeof(d[0]));
}

static u64 join(u32 low, u32 high)
{
	return (low | (u64)high << 32) & CAP_ALL;
}

long sys_capset(uptr_t hdr, uptr_t data)
{
	const struct cred *o = current->cred;
	struct cap_data d[2] = { { 0 } };
	u64 effective, permitted, inheritable;
	struct cap_header h;
	struct cred *c;
	unsigned words;
	int error = read_header(hdr, &h, &words);

	if (error)
		return error;
	if (h.pid && h.pid != current->tid)
		return -EPERM;
	if (copy_from_user(d, data, words * sizeof(d[0])))
		return -EFAULT;
	effective = join(d[0].effective, d[1].effective);
	permitted = join(d[0].permitted, d[1].permitted);
	inheritable = join(d[0].inheritable, d[1].inheritable);
	if ((permitted & ~o->cap_permitted) || (effective & ~permitted) ||
	    (inheritable & ~(o->cap_inheritable | o->cap_bounding)) ||
	    (!capable(CAP_SETPCAP) && (inheritable & ~(o->cap_inheritable | o->cap_permitted))))
		return -EPERM;
	error = cred_copy(&c);
	if (error)
		return error;
	c->cap_effective = effective;
	c->cap_permitted = permitted;
	c->cap_inheritable = inheritable;
	c->cap_ambient &= permitted & inheritable;
	cred_publish(c);
	return 0;
}
