/*
 * Credentials, and what each user has in use.
 *
 * A struct cred never changes once a thread has it: whoever wants another copies it, changes the copy
 * and publishes that. Another thread's may be read under rcu. Each points to the counts of its real user,
 * for RLIMIT_NPROC and RLIMIT_SIGPENDING. Manual: credentials(7), capabilities(7).
 */
#include "internal.h"
#include <core/rcu.h>
#include <lib/hash.h>

#define USER_HASH_BITS 6

static struct spinlock user_lock = SPINLOCK_INIT("user", RANK_PID);
static struct hlist_head users[1 << USER_HASH_BITS]; /* [x] user_lock */

static struct user_count root_user = { .uid = 0, .refs = REFCOUNT_INIT(1) };

struct cred init_cred = {
	.refs = REFCOUNT_INIT(1),
	.cap_permitted = CAP_ALL,
	.cap_effective = CAP_ALL,
	.cap_bounding = CAP_ALL,
	.user = &root_user,
};

void cred_init(void)
{
	hlist_add_head(&root_user.link, &users[hash_u64(0, USER_HASH_BITS)]);
}

static struct user_count *user_find(u32 uid)
{
	struct user_count *u;

	hlist_for_each_entry(u, &users[hash_u64(uid, USER_HASH_BITS)],
			     link) if (u->uid == uid) return u;
	return NULL;
}

struct user_count *user_get_uid(u32 uid)
{
	struct user_count *u, *fresh = kzalloc(sizeof(*fresh));

	if (!fresh)
		return NULL;
	spin_lock(&user_lock);
	u = user_find(uid);
	if (u) {
		refcount_inc(&u->refs);
	} else {
		u = fresh;
		fresh = NULL;
		u->uid = uid;
		refcount_init(&u->refs, 1);
		hlist_add_head(&u->link, &users[hash_u64(uid, USER_HASH_BITS)]);
	}
	spin_unlock(&user_lock);
	kfree(fresh);
	return u;
}

void user_put(struct user_count *u)
{
	int refs;

	if (!u)
		return;
	refs = refcount_read(&u->refs);
	while (refs > 1)
		if (__atomic_compare_exchange_n(&u->refs.v, &refs, refs - 1, true, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	spin_lock(&user_lock);
	if (!refcount_dec_and_test(&u->refs))
		u = NULL;
	else
		hlist_del(&u->link);
	spin_unlock(&user_lock);
	kfree(u);
}

struct cred *cred_get(struct cred *c)
{
	refcount_inc(&c->refs);
	return c;
}

static void cred_free_rcu(struct rcu_head *head)
{
	struct cred *c = container_of(head, struct cred, rcu);

	user_put(c->user);
	kfree(c->groups);
	kfree(c);
}

void cred_put(struct cred *c)
{
	if (c && refcount_dec_and_test(&c->refs))
		call_rcu(&c->rcu, cred_free_rcu);
}

int cred_copy(struct cred **out)
{
	const struct cred *old = current->cred;
	struct cred *c = kmalloc(sizeof(*c), 0);

	if (!c)
		return -ENOMEM;
	*c = *old;
	refcount_init(&c->refs, 1);
	if (old->ngroups) {
		c->groups = kmalloc(old->ngroups * sizeof(u32), 0);
		if (!c->groups) {
			kfree(c);
			return -ENOMEM;
		}
		memcpy(c->groups, old->groups, old->ngroups * sizeof(u32));
	}
	refcount_inc(&c->user->refs);
	*out = c;
	return 0;
}

/* The thread counts as its real user's from now on. */
static void count_as(struct cred *c, const struct cred *old)
{
	struct user_count *u;

	if (c->uid == c->user->uid)
		return;
	u = user_get_uid(c->uid);
	if (!u)
		return; /* out of memory: stays with the old one, which is only a count */
	user_put(c->user);
	c->user = u;
	atomic_inc(&u->threads);
	atomic_dec(&old->user->threads);
}

void cred_publish(struct cred *c)
{
	struct cred *old = current->cred;

	count_as(c, old);
	if (c->euid != old->euid || c->egid != old->egid)
		current->proc->dumpable = false;
	rcu_assign(current->cred, c);
	cred_put(old);
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	u32 lo = 0, hi = c->ngroups;

	if (gid == c->fsgid)
		return true;
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool capable(int cap)
{
	return current->cred->cap_effective & (1ull << cap);
}
