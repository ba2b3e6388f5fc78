/* Credentials: immutable once published; shared by reference; changed by copy. */
#pragma once
#include <lib/atomic.h>
#include <lib/types.h>

struct cred {
	struct refcount refs;
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	u32 ngroups;
	u32 *groups; /* sorted */
};
extern struct cred init_cred;
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);
int cred_copy(struct cred **out); /* of current's, to be changed and published */
void cred_publish(struct cred *c); /* becomes current's; takes over the reference */
bool cred_in_group(const struct cred *c, u32 gid);
bool capable(int cap); /* CAP_* of the ABI; effective of current */
