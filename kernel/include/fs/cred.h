/*
 * Credentials as file systems see them. Immutable once published; kernel/proc makes, changes and frees
 * them (proc/cred.h).
 */
#pragma once
#include <lib/atomic.h>
#include <lib/types.h>
#include <sched/thread.h>
#include <uapi/capability.h>

/* The ids of one kind, user or group. */
enum { CRED_USER, CRED_GROUP, CRED_KINDS };
struct cred_ids {
	u32 real, effective, saved, fs;
};

struct cred {
	struct refcount refs;
	union {
		struct {
			u32 uid, euid, suid, fsuid;
			u32 gid, egid, sgid, fsgid;
		};
		struct cred_ids ids[CRED_KINDS]; /* the same, by kind */
	};
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	u32 ngroups;
	u32 *groups; /* sorted */
	struct user_count *user; /* proc/: what uid has in use, see proc/cred.c */
	struct rcu_head rcu;
};
extern struct cred init_cred;
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);
bool cred_in_group(const struct cred *c, u32 gid);

/* Current's; kernel threads have the first process's. */
static inline struct cred *fs_cred(void)
{
	struct cred *c = current->cred;

	return likely(c) ? c : &init_cred;
}

/* Has current the capability in its effective set? */
static inline bool fs_capable(int cap)
{
	return fs_cred()->cap_effective & (1ull << cap);
}
