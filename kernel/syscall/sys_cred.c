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

static long get_three(unsigned kind, uptr_t real, uptr_t effective, uptr_t saved)
{
	const struct cred_ids *ids = &current->cred->ids[kind];

	return put_user_u32(real, ids->real) || put_user_u32(effective, ids->effective) ||
			       put_user_u32(saved, ids->saved)
		       ? -EFAULT
		       : 0;
}

long sys_getresuid(uptr_t ruid, uptr_t euid, uptr_t suid)
{
	return get_three(CRED_USER, ruid, euid, suid);
}

long sys_getresgid(uptr_t rgid, uptr_t egid, uptr_t sgid)
{
	return get_three(CRED_GROUP, rgid, egid, sgid);
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

static long set_ids(unsigned kind, const struct cred_ids *ids)
{
	struct cred *c;
	int error = cred_copy(&c);

	if (error)
		return error;
	c->ids[kind] = *ids;
	fix_caps(c, current->cred);
	cred_publish(c);
	return 0;
}

static bool may_set_any(unsigned kind)
{
	return capable(kind == CRED_USER ? CAP_SETUID : CAP_SETGID);
}

/* Without privilege an id may become one of those that the thread has. */
static bool has(const struct cred_ids *ids, u32 id)
{
	return id == ids->real || id == ids->effective || id == ids->saved;
}

static long set_one(unsigned kind, u32 id)
{
	struct cred_ids ids = current->cred->ids[kind];
	bool any = may_set_any(kind);

	if (id == KEEP)
		return -EINVAL;
	if (!any && id != ids.real && id != ids.saved)
		return -EPERM;
	if (any)
		ids.real = ids.saved = id;
	ids.effective = ids.fs = id;
	return set_ids(kind, &ids);
}

long sys_setuid(unsigned int uid)
{
	return set_one(CRED_USER, uid);
}

long sys_setgid(unsigned int gid)
{
	return set_one(CRED_GROUP, gid);
}

static long set_three(unsigned kind, u32 real, u32 effective, u32 saved)
{
	struct cred_ids ids = current->cred->ids[kind];

	if (!may_set_any(kind) &&
	    ((real != KEEP && !has(&ids, real)) || (effective != KEEP && !has(&ids, effective)) ||
	     (saved != KEEP && !has(&ids, saved))))
		return -EPERM;
	if (real != KEEP)
		ids.real = real;
	if (effective != KEEP)
		ids.effective = effective;
	if (saved != KEEP)
		ids.saved = saved;
	ids.fs = ids.effective;
	return set_ids(kind, &ids);
}

long sys_setresuid(unsigned int ruid, unsigned int euid, unsigned int suid)
{
	return set_three(CRED_USER, ruid, euid, suid);
}

long sys_setresgid(unsigned int rgid, unsigned int egid, unsigned int sgid)
{
	return set_three(CRED_GROUP, rgid, egid, sgid);
}

/* The saved id follows the effective one when the real id is set, or the effective one to another than it. */
static long set_two(unsigned kind, u32 real, u32 effective)
{
	const struct cred_ids *old = &current->cred->ids[kind];
	struct cred_ids ids = *old;

	if (!may_set_any(kind) && ((real != KEEP && real != old->real && real != old->effective) ||
				   (effective != KEEP && !has(old, effective))))
		return -EPERM;
	if (real != KEEP)
		ids.real = real;
	if (effective != KEEP)
		ids.effective = effective;
	if (real != KEEP || (effective != KEEP && effective != old->real))
		ids.saved = ids.effective;
	ids.fs = ids.effective;
	return set_ids(kind, &ids);
}

long sys_setreuid(unsigned int ruid, unsigned int euid)
{
	return set_two(CRED_USER, ruid, euid);
}

long sys_setregid(unsigned int rgid, unsigned int egid)
{
	return set_two(CRED_GROUP, rgid, egid);
}

/* Capabilities over files go with fsuid. */
#define FS_CAPS                                                                                    \
	(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH |              \
	 1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_MKNOD | 1ull << CAP_MAC_OVERRIDE |  \
	 1ull << CAP_LINUX_IMMUTABLE)

static void fix_fs_caps(struct cred *c, u32 before)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (!before && c->fsuid)
		c->cap_effective &= ~FS_CAPS;
	if (before && !c->fsuid)
		c->cap_effective |= c->cap_permitted & FS_CAPS;
}

/* The old id, whether it was changed or not. */
static long set_fs(unsigned kind, u32 id)
{
	const struct cred_ids *old = &current->cred->ids[kind];
	u32 before = old->fs;
	struct cred *c;

	if (id == KEEP || id == before || (!may_set_any(kind) && !has(old, id)))
		return before;
	if (cred_copy(&c))
		return before;
	c->ids[kind].fs = id;
	if (kind == CRED_USER)
		fix_fs_caps(c, before);
	cred_publish(c);
	return before;
}

long sys_setfsuid(unsigned int uid)
{
	return set_fs(CRED_USER, uid);
}

long sys_setfsgid(unsigned int gid)
{
	return set_fs(CRED_GROUP, gid);
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
